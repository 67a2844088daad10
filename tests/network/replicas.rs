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
