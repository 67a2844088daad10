//! How much of a long, thin wire a backup and a restore use: the program over S3 on a real server, behind a wire of a
//! given rate and round trip. For `make bench-link`; prints a row of a table for each wire.

use kit::program::Home;
use kit::random::Random;
use kit::servers::{Link, Seaweed};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// Bytes in a second of a wire of so many million bits a second.
fn rate(megabits: u64) -> u64 {
    megabits * 1_000_000 / 8
}

fn argument(name: &str, default: u64) -> u64 {
    let mut args = std::env::args().skip_while(|arg| arg != name);
    args.nth(1)
        .map_or(default, |value| value.parse().expect("a number"))
}

/// What the wire itself carries in one direction, measured with four connections: a bound on all that follows.
fn bare(megabits: u64, round_trip: Duration, bytes: u64) -> f64 {
    let sink = TcpListener::bind("127.0.0.1:0").unwrap();
    let link = Link::start(sink.local_addr().unwrap().port(), rate(megabits), round_trip);
    let started = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let taken: Vec<_> = (0..4)
                .map(|_| {
                    let mut from = sink.accept().unwrap().0;
                    scope.spawn(move || std::io::copy(&mut from, &mut std::io::sink()).unwrap())
                })
                .collect();
            taken.into_iter().for_each(|thread| drop(thread.join()));
        });
        for _ in 0..4 {
            let mut to = TcpStream::connect(("127.0.0.1", link.port())).unwrap();
            scope.spawn(move || {
                let piece = vec![0; 256 << 10];
                for _ in 0..bytes / 4 / piece.len() as u64 {
                    to.write_all(&piece).unwrap();
                }
            });
        }
    });
    bytes as f64 / started.elapsed().as_secs_f64()
}

fn timed(home: &Home, args: &[&str]) -> f64 {
    let started = Instant::now();
    let run = home.run(args);
    assert_eq!(run.code, 0, "{}", run.err);
    started.elapsed().as_secs_f64()
}

fn main() {
    let program = std::env::var("DEDUP").expect("DEDUP names the program");
    let (megabits, size) = (argument("--megabits", 1000), argument("--mib", 1024) << 20);
    let round_trip = Duration::from_millis(argument("--round-trip", 30));
    let Some(server) = Seaweed::start("link") else {
        std::process::exit(1);
    };
    let carries = bare(megabits, round_trip, rate(megabits));
    let link = Link::start(server.port(), rate(megabits), round_trip);
    let (home, other) = (Home::new(&program), Home::new(&program));
    let mut noise = vec![0; 64 << 20];
    for n in 0..size / noise.len() as u64 {
        Random::new(n).fill(&mut noise);
        home.write(&format!("source/{n}"), &noise);
    }
    let (url, key, source) = (server.url_at(link.port()), home.text("key"), home.text("source"));
    let with = ["-r", &url, "--key-file", &key];
    timed(&home, &[&with[..], &["init", "--no-recovery"]].concat());
    let wire = rate(megabits) as f64;
    let share = |carried: u64, seconds: f64| carried as f64 / seconds / wire * 100.0;
    let before = link.carried();
    let up = timed(&home, &[&with[..], &["backup", &source]].concat());
    let middle = link.carried();
    let unchanged = timed(&home, &[&with[..], &["backup", &source]].concat());
    let target = other.text("target");
    let begun = link.carried();
    let down = timed(
        &other,
        &[&with[..], &["restore", "latest", "--target", &target]].concat(),
    );
    let after = link.carried();
    let mut bytes = Vec::new();
    std::fs::File::open(format!("{target}{source}/0"))
        .unwrap()
        .read_to_end(&mut bytes)
        .unwrap();
    Random::new(0).fill(&mut noise);
    assert!(bytes == noise, "what came back is what went");
    println!(
        "| {megabits} Mbit/s, {} ms | {:.0} % | {:.1} s, {:.0} MB | {:.0} % | {:.1} s, {:.0} MB | {:.0} % | {unchanged:.2} s |",
        round_trip.as_millis(),
        carries / wire * 100.0,
        up,
        (middle.0 - before.0) as f64 / 1e6,
        share(middle.0 - before.0, up),
        down,
        (after.1 - begun.1) as f64 / 1e6,
        share(after.1 - begun.1, down),
    );
}
