//! A replica on a server: one that follows, one that is killed in the middle, and one that comes back.

use kit::program::{Home, number};
use kit::random::Random;
use kit::servers::{Rclone, Seaweed, Serve};
use std::process::Stdio;
use std::time::Duration;

/// A home with a source of `files` times 8 MB, a repository beside it, and a replica at `url`.
fn home(url: &str, files: u64) -> Home {
    let home = Home::new(env!("CARGO_BIN_EXE_dedup-under-test"));
    home.init();
    for n in 0..files {
        let mut noise = vec![0; 8_000_000];
        Random::new(n).fill(&mut noise);
        home.write(&format!("docs/{n}"), noise);
    }
    home.ok(&["remote", "add", "away", url]);
    home
}

fn follows(url: &str) {
    let home = home(url, 2);
    let run = home.ok(&["backup", "docs", "--also", "away", "--json"]);
    assert!(number(&run.summary()["replicas"][0], "bytes") > 16_000_000);
    home.write("docs/0", "another");
    home.ok(&["backup", "docs", "--also", "away"]);
    home.ok(&["-r", "away", "check", "--read-data"]);
    home.ok(&["-r", "away", "restore", "--target", "out"]);
    let restored = home
        .path("out")
        .join(home.path("docs").strip_prefix("/").unwrap());
    assert_eq!(std::fs::read(restored.join("0")).unwrap(), b"another");
}

#[test]
fn seaweedfs_follows() {
    if let Some(server) = Seaweed::start("replicas::seaweedfs_follows") {
        follows(&server.url());
    }
}

#[test]
fn webdav_follows() {
    if let Some(server) = Rclone::start(Serve::WebDav, &[], "replicas::webdav_follows") {
        follows(&server.url());
    }
}

/// Killed while it is sent to, and away for good as far as this run goes: the backup is saved, the replica is behind
/// with nothing half there, and the next run brings the rest.
#[test]
fn a_server_is_killed_in_the_middle() {
    let Some(mut server) = Rclone::start(Serve::WebDav, &[], "replicas::a_server_is_killed_in_the_middle")
    else {
        return;
    };
    let home = home(&format!("{}?retry=3", server.url()), 12);
    let args = [
        "backup",
        "docs",
        "--also",
        "away",
        "--json",
        "--limit-upload",
        "20M",
    ];
    let child = home
        .command(&args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(2500));
    server.kill();
    let output = child.wait_with_output().unwrap();
    let (out, err) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    );
    assert_eq!(output.status.code(), Some(3), "{out}\n{err}");
    assert_eq!(home.snapshots().len(), 1);
    server.resume();
    home.ok(&["replicate"]);
    home.ok(&["-r", "away", "check", "--read-data"]);
    let count = home.ok(&["-r", "away", "snapshots", "--json"]).objects().len();
    assert_eq!(count, 1);
}

/// A home with the embedded repository, named `main`, and a replica at the server, named `away`; both have one snapshot.
fn led_by(server: &Rclone) -> Home {
    let home = home(&format!("{}?retry=3", server.url()), 1);
    home.ok(&[
        "remote",
        "add",
        "main",
        &home.text(".local/share/dedup/repository"),
    ]);
    home.ok(&["-r", "away", "backup", "docs", "--also", "main"]);
    home
}

fn count(home: &Home, at: &str) -> usize {
    home.ok(&["-r", at, "snapshots", "--json"]).objects().len()
}

/// The first destination is away for two runs: both are made at the other one, and the run after that brings them to
/// the first. Neither has anything to complain about then.
#[test]
fn the_first_is_away_and_catches_up() {
    let Some(mut server) = Rclone::start(Serve::WebDav, &[], "replicas::the_first_is_away_and_catches_up")
    else {
        return;
    };
    let home = led_by(&server);
    server.kill();
    for missed in 1..=2 {
        home.write("docs/0", format!("while it is away {missed}"));
        let run = home.ends(3, &["-r", "away", "backup", "docs", "--also", "main", "--json"]);
        let summary = run.summary();
        assert_eq!(summary["saved_at"], "main", "{summary}");
        let replica = &summary["replicas"][0];
        assert_eq!(
            (&replica["name"], number(replica, "behind")),
            (&"away".into(), missed)
        );
        assert_eq!(run.err.lines().count(), 1, "{}", run.err);
        let run = run.says(&["away: ", "check the network and the server"]);
        assert!(!run.err.contains("damage"), "{}", run.err);
        assert_eq!(count(&home, "main"), 1 + missed as usize);
    }
    server.resume();
    home.write("docs/0", "it is back");
    let run = home.ok(&["-r", "away", "backup", "docs", "--also", "main"]);
    assert!(
        run.out.contains("Replica main: current") && run.err.is_empty(),
        "{}",
        run.err
    );
    for at in ["away", "main"] {
        assert_eq!(count(&home, at), 4, "{at}");
        let checked = home.ok(&["-r", at, "check", "--read-data"]);
        assert!(checked.err.is_empty(), "{at}: {}", checked.err);
    }
    // And there is nothing to do any more.
    let run = home.ok(&["-r", "away", "replicate", "--to", "main", "--json"]);
    assert_eq!(number(&run.summary()["replicas"][0], "snapshots"), 0);
    assert_eq!((count(&home, "away"), count(&home, "main")), (4, 4));
}

/// The first destination goes away while the backup is made there: it is made at the other one in the same run, and the
/// next one brings it to the first.
#[test]
fn the_first_goes_away_in_the_middle() {
    let name = "replicas::the_first_goes_away_in_the_middle";
    let Some(mut server) = Rclone::start(Serve::WebDav, &[], name) else {
        return;
    };
    let home = led_by(&server);
    for n in 1..=12 {
        let mut noise = vec![0; 8_000_000];
        Random::new(n).fill(&mut noise);
        home.write(&format!("docs/{n}"), noise);
    }
    let stored = || files_below(&home.path(".local/share/dedup/repository/packs"));
    let before = stored();
    let child = home
        .command(&[
            "-r",
            "away",
            "backup",
            "docs",
            "--also",
            "main",
            "--json",
            "--limit-upload",
            "10M",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The follower has got a pack, so the leader is in the midst of it.
    while stored() == before {
        std::thread::sleep(Duration::from_millis(20));
    }
    server.kill();
    let output = child.wait_with_output().unwrap();
    let (out, err) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    );
    assert_eq!(output.status.code(), Some(3), "{out}\n{err}");
    let summary: serde_json::Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    assert_eq!(summary["saved_at"], "main", "{summary}");
    assert_eq!(summary["replicas"][0]["name"], "away", "{summary}");
    assert_eq!(number(&summary["replicas"][0], "behind"), 1, "{summary}");
    assert!(!err.contains("damage"), "{err}");
    assert_eq!(count(&home, "main"), 2);
    home.ok(&["-r", "main", "check", "--read-data"]);
    server.resume();
    home.write("docs/0", "it is back");
    home.ok(&["-r", "away", "backup", "docs", "--also", "main"]);
    for at in ["away", "main"] {
        assert_eq!(count(&home, at), 3, "{at}");
        let checked = home.ok(&["-r", at, "check", "--read-data"]);
        assert!(checked.err.is_empty(), "{at}: {}", checked.err);
    }
}

/// How many files there are below a directory.
fn files_below(dir: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| {
            if entry.path().is_dir() {
                files_below(&entry.path())
            } else {
                1
            }
        })
        .sum()
}

/// The one that led was behind itself: it gets what it had missed, too.
#[test]
fn each_was_away_once() {
    let Some(mut server) = Rclone::start(Serve::WebDav, &[], "replicas::each_was_away_once") else {
        return;
    };
    let home = led_by(&server);
    let (repository, hidden) = (home.repository(), home.path("hidden"));
    std::fs::rename(&repository, &hidden).unwrap();
    home.write("docs/0", "main is away");
    home.ends(3, &["-r", "away", "backup", "docs", "--also", "main"]);
    std::fs::rename(&hidden, &repository).unwrap();
    server.kill();
    home.write("docs/0", "away is away");
    home.ends(3, &["-r", "away", "backup", "docs", "--also", "main"])
        .says(&["away: "]);
    server.resume();
    home.ok(&["-r", "away", "replicate", "--to", "main"]);
    for at in ["away", "main"] {
        assert_eq!(count(&home, at), 3, "{at}");
        let checked = home.ok(&["-r", at, "check", "--read-data"]);
        assert!(checked.err.is_empty(), "{at}: {}", checked.err);
    }
}

/// Only an outage lets another one lead, and only one that is known to be a replica.
#[test]
fn not_everything_may_lead() {
    let Some(mut server) = Rclone::start(Serve::WebDav, &[], "replicas::not_everything_may_lead") else {
        return;
    };
    let home = led_by(&server);
    let other = Home::new(env!("CARGO_BIN_EXE_dedup-under-test"));
    other.init();
    let key = other.text(".config/dedup/default.key");
    let (away, main) = (home.text("none"), home.text(".local/share/dedup/repository"));
    // No repository, as where a disk is not mounted.
    home.ends(10, &["-r", &away, "backup", "docs", "--also", "main"]);
    // A key that does not fit.
    home.ends(
        12,
        &[
            "-r",
            "away",
            "--key-file",
            &key,
            "backup",
            "docs",
            "--also",
            "main",
        ],
    );
    server.kill();
    let foreign = other.repository();
    let foreign = foreign.to_str().unwrap();
    home.ends(
        1,
        &[
            "-r",
            "away",
            "--key-file",
            &key,
            "backup",
            "docs",
            "--also",
            foreign,
        ],
    )
    .says(&["no replica of away"]);
    // A machine that was never there can't know whose replica the other one is.
    home.write("elsewhere/docs/f", "x");
    let url = format!("{}?retry=1", server.url());
    home.ends(1, &["-r", &url, "backup", "docs", "--also", &main])
        .says(&["has never reached it"]);
    assert_eq!(count(&home, "main"), 1);
    assert_eq!(other.snapshots().len(), 0);
}
