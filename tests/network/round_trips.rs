//! The whole program over real servers: a repository is made, filled, read, pruned and checked.

use kit::program::{Home, number};
use kit::servers::{Rclone, Seaweed, Serve, Sshd};
use std::path::Path;

fn home() -> Home {
    Home::new(env!("CARGO_BIN_EXE_dedup-under-test"))
}

fn noise() -> Vec<u8> {
    (0..3_000_000u32)
        .map(|n| (n.wrapping_mul(0x9e37_79b9) >> 13) as u8)
        .collect()
}

/// Made, filled twice, restored, forgotten, pruned and checked. No output shows the secret.
fn round_trip(url: &str, secret: Option<&str>, sound: bool) {
    round_trip_in(&[], url, secret, sound);
}

/// The same with variables in the program's environment.
fn round_trip_in(vars: &[(&str, &str)], url: &str, secret: Option<&str>, sound: bool) {
    let (home, noise) = (home(), noise());
    home.write("source/large", &noise);
    home.write("source/small", "first");
    let key = home.text("key");
    let with = ["-r", url, "--key-file", &key];
    let mut said = String::new();
    let mut run = |args: &[&str]| {
        let run = home.run_with(vars, &[&with, args].concat()).ends(0);
        said.push_str(&run.out);
        said.push_str(&run.err);
        run
    };
    let made = run(&["init", "--no-recovery"]);
    assert_eq!(made.err.contains("weak"), !sound, "{}", made.err);
    let source = home.text("source");
    run(&["backup", &source]);
    home.write("source/small", "second");
    let second = run(&["backup", "--json", &source]).summary();
    assert!(number(&second, "data_added") < 100_000, "{second}");
    let (first, latest) = (home.text("first"), home.text("latest"));
    run(&["restore", "latest~1", "--target", &first]);
    run(&["restore", "latest", "--target", &latest]);
    let below = source.trim_start_matches('/');
    for (target, small) in [(&first, "first"), (&latest, "second")] {
        let restored = Path::new(target).join(below);
        assert_eq!(std::fs::read_to_string(restored.join("small")).unwrap(), small);
        assert!(std::fs::read(restored.join("large")).unwrap() == noise);
    }
    let mut prune = vec!["prune", "--keep-last", "1", "--keep-trash", "0s", "--yes"];
    if !sound {
        let refused = home.run_with(vars, &[&with[..], &prune].concat()).ends(1);
        refused.says(&["can both succeed", "--exclusive"]);
        prune.push("--exclusive");
    }
    run(&prune);
    let stats = run(&["stats"]);
    assert_eq!(stats.out.contains("sound"), sound, "{}", stats.out);
    let checked = run(&["check", "--read-data"]);
    assert_eq!(
        run(&["snapshots", "--json"]).objects().len(),
        1,
        "{}",
        checked.out
    );
    assert!(secret.is_none_or(|secret| !said.contains(secret)), "{said}");
}

#[test]
fn s3() {
    if let Some(server) = Seaweed::start("s3") {
        round_trip(&server.url(), Some(kit::servers::SEAWEED_SECRET), true);
    }
}

/// Backup and restore need no conditional writes.
#[test]
fn s3_without_conditional_writes() {
    if let Some(server) = Rclone::start(Serve::S3, &[], "s3_without_conditional_writes") {
        round_trip(&server.url(), Some("ss%20of"), false);
    }
}

#[test]
fn sftp() {
    if let Some(server) = Sshd::start("sftp") {
        round_trip(&server.url(), None, true);
    }
}

#[test]
fn webdav() {
    if let Some(server) = Rclone::start(Serve::WebDav, &[], "webdav") {
        round_trip(&server.url(), Some("ss%20of"), true);
    }
}

/// The program starts rclone by itself, for a storage that is named on the spot.
#[test]
fn rclone() {
    let Some(program) = kit::servers::program("rclone", "rclone") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let others = std::env::var("PATH").unwrap();
    let path = format!("{}:{others}", program.parent().unwrap().display());
    let url = format!("rclone::local:{}", folder.path().join("new/repository").display());
    let vars = [("PATH", path.as_str()), ("RCLONE_CONFIG", "/dev/null")];
    round_trip_in(&vars, &url, None, true);
    assert!(folder.path().join("new/repository/config").is_file());
}

/// A damaged pack is put right in its place, whatever the storage.
#[test]
fn parity() {
    if let Some(server) = Rclone::start(Serve::WebDav, &[], "parity") {
        let url = server.url();
        mended(&url, &server.served("new/p0"));
    }
}

#[test]
fn parity_over_sftp() {
    if let Some(server) = Sshd::start("parity_over_sftp") {
        let url = server.url();
        mended(&url, &server.served("new/p0"));
    }
}

/// The files of this storage can't be damaged from outside: an object is.
#[test]
fn parity_in_s3() {
    let Some(server) = Seaweed::start("parity_in_s3") else {
        return;
    };
    let remote = chunkstore::remote::open(&server.url(), &chunkstore::remote::Link::default()).unwrap();
    let name = chunkstore::remote::ObjectName::pack(chunkstore::PackId([7; 32]));
    remote.put(&name, b"damaged").unwrap();
    remote.replace(&name, b"whole again").unwrap();
    assert_eq!(remote.get(&name, 100).unwrap(), b"whole again");
}

fn mended(url: &str, stored: &Path) {
    let home = home();
    let (key, source, target) = (home.text("key"), home.text("source"), home.text("target"));
    home.write("source/large", noise());
    let with = ["-r", url, "--key-file", &key];
    let run = |code, args: &[&str]| home.ends(code, &[&with, args].concat());
    run(0, &["init", "--no-recovery", "--parity", "5%"]);
    run(0, &["backup", &source]);
    let packs = home.contents(&stored.join("packs"));
    let summary = run(0, &["repair", "parity", "--json"]).summary();
    assert_eq!(number(&summary, "packs"), packs.len() as u64, "{summary}");
    let largest = packs.iter().max_by_key(|(_, bytes)| bytes.len()).unwrap().0;
    let seen = std::fs::metadata(largest).unwrap().modified().unwrap();
    kit::program::hurt(largest);
    // The server minds that a file changed while it was up, and damage leaves no date.
    let file = std::fs::File::options().write(true).open(largest).unwrap();
    file.set_modified(seen).unwrap();
    let summary = run(0, &["repair", "parity", "--json"]).summary();
    assert_eq!(number(&summary, "packs_repaired"), 1, "{summary}");
    assert!(home.contents(&stored.join("packs")) == packs, "as they were");
    assert_eq!(home.contents(&stored.join("tmp")).len(), 0);
    run(0, &["restore", "latest", "--target", &target]);
    let restored = Path::new(&target).join(source.trim_start_matches('/'));
    assert!(std::fs::read(restored.join("large")).unwrap() == noise());
    run(0, &["check", "--read-data"]);
}
