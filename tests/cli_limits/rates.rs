//! Rates on the wire: a real server on loopback, behind a proxy that counts what goes through, so that the same server is in
//! the local network or far away as its address says.

use super::Laptop;
use kit::generation::noise;
use kit::program::at_moment;
use kit::servers::{Forward, Rclone, Serve};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// 256 KiB a second.
const SLOW: &str = "256K";
const SLOW_BYTES: f64 = 262_144.0;
const MIB: usize = 1 << 20;

/// A laptop with sets `near` and `far`, whose destinations are in the local network and elsewhere.
struct Wire {
    laptop: Laptop,
    forward: Forward,
    server: Rclone,
}

impl Wire {
    fn new(test: &str, rates: &str) -> Option<Wire> {
        let server = Rclone::start(Serve::WebDav, &[], test)?;
        let forward = Forward::to(server.port());
        let laptop = Laptop::with_bus("");
        let key = laptop.home.text(".config/dedup/wire.key");
        let (near, far) = (server.url(), server.url().replace("127.0.0.1", "203.0.113.7"));
        let remote = |name: &str, url: &str| format!("[remotes.{name}]\nurl = '{url}'\nkey-file = '{key}'\n");
        let set = |name: &str| format!("[sets.{name}]\nsources = ['~/{name}']\ndestinations = ['{name}']\n");
        let text = [
            remote("near", &near),
            remote("far", &far),
            set("near"),
            set("far"),
            format!("[limits]\nproxy = '{}'\n{rates}\n", forward.url()),
        ];
        laptop.home.write(".config/dedup/dedup.toml", text.concat());
        for name in ["near", "far"] {
            laptop.ends(0, &["-r", name, "init", "--no-recovery"]);
        }
        Some(Wire {
            laptop,
            forward,
            server,
        })
    }

    fn fill(&self, set: &str, mib: usize) {
        self.laptop
            .home
            .write(&format!("{set}/noise"), noise(1, mib * MIB));
    }

    fn uploaded(&self) -> u64 {
        self.forward.carried().0
    }

    /// How long a command takes, which must succeed.
    fn takes(&self, args: &[&str]) -> f64 {
        let begun = Instant::now();
        self.laptop.ends(0, args);
        begun.elapsed().as_secs_f64()
    }

    /// Waits until so many bytes more were sent while this runs, and returns the seconds that took.
    #[track_caller]
    fn sends(&self, bytes: usize, child: &mut Child) -> f64 {
        let (begun, before) = (Instant::now(), self.uploaded());
        while self.uploaded() < before + bytes as u64 {
            assert!(child.try_wait().unwrap().is_none(), "it has ended already");
            std::thread::sleep(Duration::from_millis(20));
        }
        begun.elapsed().as_secs_f64()
    }
}

/// What so much takes at the low rate. The first piece needs not wait.
fn slow(mib: usize) -> f64 {
    (mib * MIB) as f64 / SLOW_BYTES * 0.9
}

fn start(command: &mut Command) -> Child {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn servers_nearby_have_rates_of_their_own() {
    let rates = format!(
        "upload = '{SLOW}'\ndownload = '{SLOW}'\nupload-lan = 'unlimited'\ndownload-lan = 'unlimited'"
    );
    let Some(wire) = Wire::new("servers_nearby_have_rates_of_their_own", &rates) else {
        return;
    };
    wire.fill("far", 2);
    wire.fill("near", 12);
    let seconds = wire.takes(&["run", "far"]);
    assert!(seconds >= slow(2), "sent in {seconds} s");
    let seconds = wire.takes(&["run", "near"]);
    assert!(seconds < slow(12) / 2.0, "sent in {seconds} s");
    assert!(wire.uploaded() >= 14 * MIB as u64, "all of it went this way");
    // Whatever is kept of it here is not what is restored.
    fs::remove_dir_all(wire.laptop.home.path(".cache")).unwrap();
    let seconds = wire.takes(&["-r", "far", "restore", "--target", "out"]);
    // What arrives last is not waited for, and a piece may be a few hundred KiB.
    assert!(seconds >= slow(2) * 0.8, "received in {seconds} s");
    let seconds = wire.takes(&["-r", "near", "restore", "--target", "out"]);
    assert!(seconds < slow(12) / 2.0, "received in {seconds} s");
    assert!(wire.forward.carried().1 >= 14 * MIB as u64);
    // What is said for this run holds for both.
    wire.fill("near", 2);
    fs::write(wire.laptop.home.path("near/noise"), noise(2, 2 * MIB)).unwrap();
    let seconds = wire.takes(&["--limit-upload", SLOW, "run", "near"]);
    assert!(seconds >= slow(2), "sent in {seconds} s");
}

#[test]
fn the_rate_rises_when_nobody_uses_the_machine_any_more() {
    let rates = format!(
        "upload = '{SLOW}'\nupload-idle = 'unlimited'\nupload-lan = '{SLOW}'\nupload-lan-idle = 'unlimited'"
    );
    let test = "the_rate_rises_when_nobody_uses_the_machine_any_more";
    let Some(wire) = Wire::new(test, &rates) else {
        return;
    };
    let bus = wire.laptop.bus.as_ref().unwrap();
    for set in ["far", "near"] {
        bus.idle(false);
        wire.fill(set, 24);
        let mut child = start(&mut wire.laptop.command(&["run", set]));
        wire.sends(MIB / 2, &mut child);
        let seconds = wire.sends(MIB, &mut child);
        assert!(seconds >= slow(1), "{set}: sent in {seconds} s");
        bus.idle(true);
        let changed = Instant::now();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{set}");
        let seconds = changed.elapsed().as_secs_f64();
        assert!(
            seconds < slow(22) / 2.0,
            "{set}: the rest was sent in {seconds} s"
        );
    }
}

#[test]
fn the_rate_changes_at_its_time_of_day() {
    let rates = format!("upload = '09:00={SLOW},12:00=unlimited'");
    let Some(wire) = Wire::new("the_rate_changes_at_its_time_of_day", &rates) else {
        return;
    };
    wire.fill("far", 24);
    let begun = Instant::now();
    let program = wire.laptop.command(&["run", "far"]);
    let mut child = start(&mut at_moment(&program, "2026-12-07 11:59:40"));
    wire.sends(MIB / 2, &mut child);
    let seconds = wire.sends(MIB, &mut child);
    assert!(seconds >= slow(1), "sent in {seconds} s before noon");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let seconds = begun.elapsed().as_secs_f64();
    assert!(seconds < slow(24) * 0.7, "all was sent in {seconds} s");
}

/// A rate so low that a piece waits longer than a server may be silent: nothing has failed.
#[test]
fn who_waits_for_a_low_rate_is_not_stalled() {
    let Some(wire) = Wire::new("who_waits_for_a_low_rate_is_not_stalled", "") else {
        return;
    };
    wire.laptop.home.write("far/noise", noise(1, 256 << 10));
    let file = ".config/dedup/dedup.toml";
    let text = fs::read_to_string(wire.laptop.home.path(file)).unwrap();
    // A piece of 64 KiB takes four seconds.
    let text = text
        .replace("/new/p1'", "/new/p1?timeout=3&retry=3'")
        .replace("[limits]\n", "[limits]\nupload = '16K'\n");
    assert!(text.contains("timeout=3"), "{text}");
    wire.laptop.home.write(file, text);
    let seconds = wire.takes(&["run", "far"]);
    assert!(seconds > 12.0, "{seconds} s");
}

/// Packs that are stored below a folder.
fn packs(folder: &Path) -> usize {
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    let below = entries.map(|entry| match entry.unwrap().path() {
        path if path.is_dir() => packs(&path),
        path => usize::from(path.components().any(|part| part.as_os_str() == "packs")),
    });
    below.sum()
}

/// Of 40 MiB that were sent, a pack of 32 MiB counts, and is not sent again.
#[test]
fn packs_are_sent_one_after_the_other_at_a_low_rate() {
    let test = "packs_are_sent_one_after_the_other_at_a_low_rate";
    let Some(wire) = Wire::new(test, "upload = '4M'") else {
        return;
    };
    wire.fill("far", 160);
    let mut child = start(&mut wire.laptop.command(&["run", "far"]));
    wire.sends(40 * MIB, &mut child);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(packs(&wire.server.root()) > 0, "all that was sent is lost");
}
