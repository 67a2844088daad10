//! How much of a long, thin wire a backup and a restore use: the program over S3 on a real server, behind wires of
//! given rates and round trips. `make bench-link` has it write `docs/benchmarks/link.md`.

use kit::program::Home;
use kit::random::Random;
use kit::servers::{Link, Seaweed};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// Bytes in a second of a wire of so many million bits a second.
fn rate(megabits: u64) -> u64 {
    megabits * 1_000_000 / 8
}

/// Million bits in a second, milliseconds there and back.
const WIRES: [(u64, u64); 4] = [(1000, 30), (1000, 60), (300, 30), (100, 100)];
/// What a wire carries in so many seconds is stored and restored.
const SECONDS: u64 = 8;
const PIECE: usize = 16 << 20;

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

struct Row {
    megabits: u64,
    round_trip: u64,
    bare: f64,
    up: (f64, u64),
    down: (f64, u64),
    unchanged: f64,
}

impl Row {
    fn text(&self) -> String {
        let wire = rate(self.megabits) as f64;
        let share = |(seconds, bytes): (f64, u64)| bytes as f64 / seconds / wire * 100.0;
        let moved = |(seconds, bytes): (f64, u64)| format!("{:.0} MB in {seconds:.1} s", bytes as f64 / 1e6);
        format!(
            "| {} Mbit/s, {} ms | {:.0} % | {} | **{:.0} %** | {} | **{:.0} %** | {:.2} s |\n",
            self.megabits,
            self.round_trip,
            self.bare / wire * 100.0,
            moved(self.up),
            share(self.up),
            moved(self.down),
            share(self.down),
            self.unchanged,
        )
    }
}

fn measure(program: &str, server: &Seaweed, (megabits, millis): (u64, u64)) -> Row {
    let round_trip = Duration::from_millis(millis);
    let bare = bare(megabits, round_trip, rate(megabits));
    let link = Link::start(server.port(), rate(megabits), round_trip);
    let (home, other) = (Home::new(program), Home::new(program));
    let mut noise = vec![0; PIECE];
    let pieces = (rate(megabits) * SECONDS / PIECE as u64).max(1);
    for n in 0..pieces {
        Random::new(1000 * megabits + n).fill(&mut noise);
        home.write(&format!("source/{n}"), &noise);
    }
    let (url, key, source) = (server.url_at(link.port()), home.text("key"), home.text("source"));
    let with = ["-r", &url, "--key-file", &key];
    timed(&home, &[&with[..], &["init", "--no-recovery"]].concat());
    let before = link.carried();
    let up = timed(&home, &[&with[..], &["backup", &source]].concat());
    let stored = link.carried();
    let unchanged = timed(&home, &[&with[..], &["backup", &source]].concat());
    let target = other.text("target");
    let begun = link.carried();
    // On a machine that knows nothing of the repository yet.
    let down = timed(
        &other,
        &[&with[..], &["restore", "latest", "--target", &target]].concat(),
    );
    let ended = link.carried();
    let last = format!("{target}{source}/{}", pieces - 1);
    assert!(
        std::fs::read(last).unwrap() == noise,
        "what came back is what went"
    );
    Row {
        megabits,
        round_trip: millis,
        bare,
        up: (up, stored.0 - before.0),
        down: (down, ended.1 - begun.1),
        unchanged,
    }
}

fn main() {
    let program = std::env::var("DEDUP").expect("DEDUP names the program");
    let mut table = String::new();
    for wire in WIRES {
        // Each its own, since one has no room for what all of them store.
        let Some(server) = Seaweed::start("link") else {
            std::process::exit(1);
        };
        let row = measure(&program, &server, wire).text();
        let _ = std::io::stderr().write_all(row.as_bytes());
        table += &row;
    }
    let date = jiff::Zoned::now().date();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let text = format!(
        "# Over a wire\n\n\
         Made by `make bench-link` on {date}, {cores} cores for the program, the wire and the server together. The program\n\
         backs up to S3 (SeaweedFS 4.48) and restores from there, what can't be compressed, through a TCP proxy that bounds\n\
         the rate of each direction and delays what passes (`tests/src/servers/link.rs`); it has no loss and no slow start.\n\
         Wall time of whole processes, from opening the repository to the last sync; the restore is on a machine that knows\n\
         nothing of the repository yet.\n\n\
         | wire, round trip | carries bare | backup | of the wire | restore | of the wire | backup without changes |\n\
         |---|---|---|---|---|---|---|\n{table}"
    );
    match std::env::args().nth(1) {
        Some(path) => std::fs::write(path, text).unwrap(),
        None => std::io::stdout().write_all(text.as_bytes()).unwrap(),
    }
}
