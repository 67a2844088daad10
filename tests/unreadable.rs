//! One object of the repository can't be read, and others can: what can be done without it is done, the cause is the first
//! thing that is said, nothing is called damaged, and nothing is lost. Afterwards, when it can be read again, all is well.

mod odd;

use crate::restoring::Nobody;
use kit::generation::noise;
use kit::program::{Home, Run};
use kit::servers::{Proxy, Rclone, Serve};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

const PROGRAM: &str = env!("CARGO_BIN_EXE_dedup-under-test");
const DENIED: &str = "permission denied: it belongs to root";
const PRUNE: [&str; 5] = [
    "prune",
    "--keep-last=1",
    "--keep-trash=0s",
    "--max-unused=0",
    "--yes",
];

/// Objects of a kind that were not there before, the largest first.
fn new_objects(home: &Home, kind: &str, before: &[PathBuf]) -> Vec<PathBuf> {
    let mut new = home.objects(kind);
    new.retain(|path| !before.contains(path));
    new.sort_by_key(|path| std::cmp::Reverse(fs::metadata(path).unwrap().len()));
    new
}

fn set_owner(path: &Path, owner: u32, mode: u32) {
    chown(path, Some(owner), Some(owner)).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn close(path: &Path) {
    set_owner(path, 0, 0o600);
}

fn open(path: &Path) {
    set_owner(path, kit::nobody::NOBODY, 0o600);
}

/// The first line of what was said tells why, and nothing is blamed that is not so.
#[track_caller]
fn tells(run: &Run, cause: &str) {
    let first = run.err.lines().next().unwrap_or_default();
    assert!(first.contains(cause), "{}", run.err);
    for word in ["damage", "missing"] {
        assert!(!run.err.contains(word), "{}", run.err);
    }
}

/// A user's repository with a backup of each of `files`, and what each of these added.
struct Place {
    nobody: Nobody,
    added: Vec<Added>,
}

struct Added {
    segment: PathBuf,
    /// The largest first. It is of data, and there may be another for each thread.
    packs: Vec<PathBuf>,
}

impl Added {
    /// The pack of trees: the smallest.
    fn trees(&self) -> PathBuf {
        self.packs.last().unwrap().clone()
    }
}

impl Place {
    /// None where only root could do it, who is not there.
    fn new() -> Option<Place> {
        if !rustix::process::geteuid().is_root() {
            assert!(std::env::var_os("CI").is_none());
            eprintln!("passed over: only root can give objects away");
            return None;
        }
        let nobody = Nobody::new();
        nobody.run(&[], &["init", "--no-recovery"]).ends(0);
        Some(Place {
            nobody,
            added: Vec::new(),
        })
    }

    fn home(&self) -> &Home {
        &self.nobody.home
    }

    /// A backup of a folder with these files.
    fn backup(&mut self, files: &[(&str, Vec<u8>)]) {
        let home = &self.nobody.home;
        let (segments, packs) = (home.objects("index"), home.objects("packs"));
        let _ = fs::remove_dir_all(home.path("docs"));
        for (name, bytes) in files {
            home.write(&format!("docs/{name}"), bytes);
        }
        self.nobody.owns("docs");
        self.run(&["backup", "docs"]).ends(0);
        let home = &self.nobody.home;
        let added = Added {
            segment: new_objects(home, "index", &segments).swap_remove(0),
            packs: new_objects(home, "packs", &packs),
        };
        self.added.push(added);
    }

    fn run(&self, args: &[&str]) -> Run {
        self.nobody.run(&[], args)
    }

    /// As a machine that never read the index.
    fn lose_cache(&self) {
        let _ = fs::remove_dir_all(self.home().path(".cache"));
    }

    /// Everything is there, and the newest snapshot is restored as it was.
    #[track_caller]
    fn is_whole(&self, files: &[(&str, Vec<u8>)]) {
        self.lose_cache();
        self.run(&["check", "--read-data"]).ends(0);
        let _ = fs::remove_dir_all(self.home().path("out"));
        let from = format!("latest:{}", self.home().text("docs"));
        self.run(&["restore", &from, "--target", "out"]).ends(0);
        for (name, bytes) in files {
            assert_eq!(
                fs::read(self.home().path("out").join(name)).unwrap(),
                *bytes,
                "{name}"
            );
        }
    }
}

fn file(name: &'static str, seed: u64) -> (&'static str, Vec<u8>) {
    (name, noise(seed, 300_000))
}

/// One that shares a pack with others.
fn small(name: &'static str, seed: u64) -> (&'static str, Vec<u8>) {
    (name, noise(seed, 30_000))
}

/// What the segment lists is stored again where it is needed.
#[test]
fn a_backup_without_an_index_segment() {
    let Some(mut place) = Place::new() else { return };
    place.backup(&[file("a", 1)]);
    place.backup(&[file("a", 1), file("b", 2)]);
    place.lose_cache();
    let segment = place.added[0].segment.clone();
    close(&segment);
    place.home().write("docs/c", file("c", 3).1);
    place.nobody.owns("docs");
    let run = place.run(&["backup", "docs"]).ends(0);
    tells(&run, DENIED);
    assert!(run.err.contains("index/"), "{}", run.err);
    // All of the new snapshot is there without it.
    let files = [file("a", 1), file("b", 2), file("c", 3)];
    place.lose_cache();
    let from = format!("latest:{}", place.home().text("docs"));
    let run = place.run(&["restore", &from, "--target", "meanwhile"]);
    assert!(!run.err.contains("damage"), "{}", run.err);
    for (name, bytes) in &files {
        assert_eq!(
            fs::read(place.home().path("meanwhile").join(name)).unwrap(),
            *bytes,
            "{name}"
        );
    }
    open(&segment);
    place.is_whole(&files);
}

/// What it lists may be needed, and a deleted pack must not stay listed anywhere.
#[test]
fn a_collection_without_an_index_segment_deletes_nothing() {
    let Some(mut place) = Place::new() else { return };
    for seed in 1..=3 {
        place.backup(&[file("a", 1), file("b", seed)]);
    }
    for (number, lost) in [(0, true), (2, true), (1, false)] {
        let packs = place.home().objects("packs");
        if lost {
            place.lose_cache();
        }
        let segment = place.added[number].segment.clone();
        close(&segment);
        let forecast = place.run(&[&PRUNE[..], &["--dry-run"]].concat()).ends(1);
        tells(&forecast, DENIED);
        let run = place.run(&PRUNE).ends(1);
        tells(&run, DENIED);
        assert!(run.out.contains("Nothing was deleted"), "{}", run.out);
        assert_eq!(place.home().objects("packs"), packs, "segment {number}");
        open(&segment);
    }
    let packs = place.home().objects("packs").len();
    place.run(&PRUNE).ends(0);
    assert!(place.home().objects("packs").len() < packs);
    place.is_whole(&[file("a", 1), file("b", 3)]);
}

/// A pack of which half is needed can't be rewritten, and stays; what nobody needs goes.
#[test]
fn a_collection_goes_on_without_a_pack() {
    let Some(mut place) = Place::new() else { return };
    place.backup(&[small("a", 1), small("b", 2)]);
    place.backup(&[small("a", 1), small("c", 3)]);
    place.backup(&[small("a", 1), small("d", 4)]);
    let (half, dead) = (place.added[0].packs[0].clone(), place.added[1].packs[0].clone());
    close(&half);
    let run = place.run(&PRUNE).ends(1);
    tells(&run, DENIED);
    assert!(run.out.contains("kept as it is"), "{}", run.out);
    assert!(half.exists() && !dead.exists());
    open(&half);
    place.is_whole(&[small("a", 1), small("d", 4)]);
    // Now it can be read.
    place.run(&PRUNE).ends(0);
    assert!(!half.exists());
    place.is_whole(&[small("a", 1), small("d", 4)]);
}

/// What a tree refers to is not known if it can't be read: nothing is deleted.
#[test]
fn a_collection_without_a_tree_deletes_nothing() {
    let Some(mut place) = Place::new() else { return };
    place.backup(&[file("a", 1), file("b", 2)]);
    place.backup(&[file("a", 1), file("c", 3)]);
    let trees = place.added[1].trees();
    place.lose_cache();
    close(&trees);
    let packs = place.home().objects("packs");
    let run = place.run(&PRUNE).ends(1);
    tells(&run, DENIED);
    assert_eq!(place.home().objects("packs"), packs);
    open(&trees);
    place.run(&PRUNE).ends(0);
    place.is_whole(&[file("a", 1), file("c", 3)]);
}

/// What does not need the segment comes to the other repository; the rest comes once it can be read, though newer
/// snapshots are there by then.
#[test]
fn replicas_and_copies_get_what_can_be_read() {
    let Some(mut place) = Place::new() else { return };
    for seed in 1..=2 {
        place.backup(&[("a", noise(seed, 300_000))]);
    }
    place.run(&["remote", "add", "other", "other"]).ends(0);
    place
        .run(&[
            "-r",
            "copies",
            "init",
            "--no-recovery",
            "--key-file",
            "copies-key",
        ])
        .ends(0);
    let copy = [
        "-r",
        "copies",
        "--key-file",
        "copies-key",
        "copy",
        "--from",
        &place.home().repository().display().to_string(),
        "--from-key-file",
        &place.home().text(".config/dedup/default.key"),
    ];
    let segment = place.added[0].segment.clone();
    place.lose_cache();
    close(&segment);
    let run = place.run(&["replicate"]).ends(1);
    tells(&run, DENIED);
    let run = place.run(&copy).ends(1);
    tells(&run, DENIED);
    let holds = |repo: &[&str], count: usize| {
        let args = [repo, &["snapshots", "--json"]].concat();
        let listed = place.run(&args).ends(0).objects();
        assert_eq!(listed[0].as_array().map_or(listed.len(), Vec::len), count);
        place.run(&[repo, &["check", "--read-data"]].concat()).ends(0);
    };
    let (other, copies) = (["-r", "other"], ["-r", "copies", "--key-file", "copies-key"]);
    holds(&other, 1);
    holds(&copies, 1);
    open(&segment);
    place.lose_cache();
    place.run(&["replicate"]).ends(0);
    place.run(&[&copy[..], &["--all"]].concat()).ends(0);
    holds(&other, 2);
    holds(&copies, 2);
}

/// What the other replica lists in a segment that can't be read is not said to be lost.
#[test]
fn healing_from_a_replica_that_can_be_read_in_part() {
    let Some(mut place) = Place::new() else { return };
    place.backup(&[file("a", 1)]);
    place.backup(&[file("a", 1), file("b", 2)]);
    place.run(&["remote", "add", "other", "other"]).ends(0);
    let other = place.home().path("other");
    place.run(&["replicate"]).ends(0);
    let segments: Vec<PathBuf> = place.home().contents(&other.join("index")).into_keys().collect();
    for (number, segment) in segments.iter().enumerate() {
        for pack in place.added.iter().map(|added| &added.packs[0]) {
            fs::remove_file(pack).unwrap();
        }
        place.lose_cache();
        close(segment);
        let run = place.run(&["heal", "--from", "other"]);
        assert!([1, 13].contains(&run.code), "segment {number}: {run:?}");
        let first = run.err.lines().next().unwrap_or_default();
        assert!(first.contains(DENIED), "{}", run.err);
        assert!(!run.out.contains("Still lost"), "{}", run.out);
        open(segment);
        place.lose_cache();
        place.run(&["heal", "--from", "other"]).ends(0);
        place.is_whole(&[file("a", 1), file("b", 2)]);
        for added in &mut place.added {
            added.packs.clear();
        }
        let packs = new_objects(&place.nobody.home, "packs", &[]);
        place.added[0].packs = packs[..1].to_vec();
        place.added[1].packs = packs[1..2].to_vec();
    }
}

/// A damaged pack is mended although a segment, a pack of trees and a manifest can't be read.
#[test]
fn healing_goes_on_without_what_cant_be_read() {
    let Some(mut place) = Place::new() else { return };
    place.backup(&[file("a", 1)]);
    place.backup(&[file("a", 1), file("b", 2)]);
    place.run(&["remote", "add", "other", "other"]).ends(0);
    place.run(&["replicate"]).ends(0);
    let closed = [
        place.added[0].segment.clone(),
        place.added[1].trees(),
        new_objects(place.home(), "snapshots", &[]).swap_remove(0),
    ];
    for object in closed {
        place.lose_cache();
        let hurt = place.added[0].packs[0].clone();
        let whole = fs::read(&hurt).unwrap();
        let mut bytes = whole.clone();
        bytes[100_000] ^= 1;
        fs::write(&hurt, bytes).unwrap();
        close(&object);
        let run = place.run(&["heal", "--from", "other", "--read-data"]).ends(1);
        tells(&run, DENIED);
        assert_eq!(fs::read(&hurt).unwrap(), whole, "{}", object.display());
        open(&object);
        place.is_whole(&[file("a", 1), file("b", 2)]);
    }
}

/// The same of a server that fails to deliver one object and delivers the others.
#[test]
fn one_object_that_a_server_does_not_deliver() {
    let name = "unreadable::one_object_that_a_server_does_not_deliver";
    let Some(server) = Rclone::start(Serve::WebDav, &["--dir-cache-time=1ms"], name) else {
        return;
    };
    let url = server.url();
    let (before, after) = url.split_once("@127.0.0.1:").unwrap();
    let (port, folder) = after.split_once('/').unwrap();
    let home = Home::new(PROGRAM);
    home.init();
    for seed in 1..=3 {
        home.write(&format!("docs/{seed}"), noise(seed, 300_000));
        home.ok(&["backup", "docs"]);
    }
    let served = server.served(folder);
    fs::create_dir_all(&served).unwrap();
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .args([home.repository().join("."), served])
        .status();
    assert!(copied.unwrap().success());
    let pack = new_objects(&home, "packs", &[]).swap_remove(0);
    for object in [pack, home.objects("index").swap_remove(0)] {
        let proxy = Proxy::start(port.parse().unwrap());
        let url = format!("{before}@127.0.0.1:{}/{folder}?retry=1&timeout=5", proxy.port());
        proxy.refuse(
            object.file_name().unwrap().to_str().unwrap(),
            "503 Service Unavailable",
        );
        let _ = fs::remove_dir_all(home.path(".cache"));
        let _ = fs::remove_dir_all(home.path("out"));
        let from = format!("latest:{}", home.text("docs"));
        let key = home.text(".config/dedup/default.key");
        let args = [
            "-r",
            &url,
            "--key-file",
            &key,
            "restore",
            &from,
            "--target",
            "out",
        ];
        let run = home.ends(1, &args);
        tells(&run, "the server answered 503");
        let restored: Vec<u64> = (1..=3)
            .filter(|seed| home.path(format!("out/{seed}")).exists())
            .collect();
        assert_eq!(restored.len(), 2, "{restored:?}\n{}", run.err);
        for seed in restored {
            assert_eq!(
                fs::read(home.path(format!("out/{seed}"))).unwrap(),
                noise(seed, 300_000)
            );
        }
    }
}
