//! Repair adds and nothing else (I-16): what is intact comes back, a later backup heals the rest, a successor lists
//! what is lost, and what was broken goes with an ordinary collection.

mod known_loss;

use chunkstore::remote::{Kind, Memory, ObjectName, Remote};
use chunkstore::{PackId, SessionId};
use engine::check::{self, CheckReport, ReadData};
use engine::forget;
use engine::monitor::Quiet;
use engine::repair::{self, RepairOptions};
use engine::repo::Repo;
use kit::generation::{self, Files, files, noise, read_back, read_some, repository};
use kit::machine::{Machine, prune};
use kit::remotes::contents;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

type Objects = BTreeMap<ObjectName, Vec<u8>>;

fn objects(remote: &dyn Remote) -> Objects {
    contents(remote).unwrap().into_iter().collect()
}

fn options() -> RepairOptions {
    RepairOptions { dry_run: false }
}

fn check(repo: &Repo) -> CheckReport {
    let options = check::CheckOptions {
        read_data: ReadData::All,
    };
    check::run(repo, &options, &Quiet).unwrap()
}

/// Does `work` and asserts that everything that was there is there as it was; gives what was added.
fn adding<T>(remote: &dyn Remote, work: impl FnOnce() -> T) -> (T, Vec<ObjectName>) {
    let before = objects(remote);
    let done = work();
    let after = objects(remote);
    for (name, bytes) in &before {
        assert_eq!(after.get(name), Some(bytes), "{name} was changed or deleted");
    }
    let added = after
        .into_keys()
        .filter(|name| !before.contains_key(name))
        .collect();
    (done, added)
}

fn put(remote: &Memory, name: &ObjectName, bytes: Option<&[u8]>) {
    remote.delete(name).unwrap();
    if let Some(bytes) = bytes {
        remote.put(name, bytes).unwrap();
    }
}

/// Flips a bit in each object of a kind.
fn hurt(remote: &Memory, kind: Kind, at: impl Fn(usize) -> usize) -> Vec<ObjectName> {
    let mut hurt = Vec::new();
    for (name, mut bytes) in objects(remote) {
        if name.kind() == kind {
            let at = at(bytes.len());
            bytes[at] ^= 4;
            put(remote, &name, Some(&bytes));
            hurt.push(name);
        }
    }
    hurt
}

struct Scene {
    remote: Memory,
    machine: Machine,
    repo: Repo,
    generations: Vec<(SessionId, Files)>,
}

impl Scene {
    fn new() -> Scene {
        let (remote, machine) = (repository(), Machine::new("here"));
        let repo = machine.open(Arc::new(remote.clone())).unwrap();
        let generations = (1..=3u64)
            .map(|number| {
                let mut of = files(number * 5..number * 5 + 10, 4000);
                of.extend(files(number * 2..number * 2 + 4, 40_000));
                of.extend(files(500 + number..505 + number, 200));
                (generation::generation(&repo, number, &of).unwrap(), of)
            })
            .collect();
        Scene {
            remote,
            machine,
            repo,
            generations,
        }
    }

    fn packs(&self) -> Vec<ObjectName> {
        let packs = objects(&self.remote).into_keys();
        packs.filter(|name| name.kind() == Kind::Pack).collect()
    }

    fn all_back(&self) {
        for (id, files) in &self.generations {
            assert_eq!(read_back(&self.repo, *id).unwrap(), *files);
        }
    }

    /// Another process of the same machine.
    fn again(&mut self) {
        self.repo = self.machine.open(Arc::new(self.remote.clone())).unwrap();
    }
}

#[test]
fn a_lost_index_is_made_from_the_packs() {
    let mut scene = Scene::new();
    let before = objects(&scene.remote);
    for name in before.keys().filter(|name| name.kind() == Kind::Index) {
        put(&scene.remote, name, None);
    }
    assert!(check(&scene.repo).num_errors > 0);
    let dry = RepairOptions { dry_run: true };
    let (found, added) = adding(&scene.remote, || {
        repair::index(&scene.repo, &dry, &Quiet).unwrap()
    });
    assert!(found.packs_listed > 2 && added.is_empty());
    let (done, _) = adding(&scene.remote, || {
        repair::index(&scene.repo, &options(), &Quiet).unwrap()
    });
    assert_eq!(done, found);
    scene.again();
    let report = check(&scene.repo);
    assert_eq!((report.num_errors, report.packs_unlisted), (0, 0), "{report:?}");
    scene.all_back();
    let again = repair::index(&scene.repo, &options(), &Quiet).unwrap();
    assert_eq!(again.packs_listed, 0);
}

/// A damaged segment counts as absent: its packs are listed again, and a collection takes it away.
#[test]
fn a_damaged_index_is_superseded_and_then_collected() {
    #[derive(PartialEq)]
    enum Cache {
        Lost,
        Cold,
        Warm,
    }
    for cache in [Cache::Lost, Cache::Cold, Cache::Warm] {
        let mut scene = Scene::new();
        scene.all_back();
        if cache == Cache::Warm {
            scene.again();
            scene.repo.reader(&Quiet).index().unwrap();
        }
        let hurt = hurt(&scene.remote, Kind::Index, |len| len / 2);
        scene.again();
        if cache == Cache::Lost {
            scene.machine.lose_cache();
        }
        let damaged = prune(&scene.repo, Duration::ZERO);
        // A cache that has read the segments before stands in for them.
        assert!(
            damaged.is_err() || cache == Cache::Warm,
            "nothing is collected while packs are not listed"
        );
        let (done, _) = adding(&scene.remote, || {
            repair::index(&scene.repo, &options(), &Quiet).unwrap()
        });
        assert_eq!(done.segments_damaged, hurt.len() as u64);
        assert!(done.packs_listed > 2 && done.packs_unreadable == 0);
        scene.again();
        scene.all_back();
        let summary = prune(&scene.repo, Duration::ZERO).unwrap();
        assert_eq!(summary.segments_removed, hurt.len() as u64);
        let report = check(&scene.repo);
        assert_eq!(report.num_errors, 0, "{report:?}");
        scene.all_back();
    }
}

/// Every pack gets a bit flipped, in its frames, its header, or its footer: all but the frame hit is rescued.
#[test]
fn what_is_whole_in_hurt_packs_is_rescued() {
    for (part, loses) in [(3, true), (0, false), (9, false)] {
        let mut scene = Scene::new();
        let packs = hurt(&scene.remote, Kind::Pack, |len| match part {
            // In the salt.
            0 => 30,
            // The last byte of the magic at the end.
            9 => len - 1,
            _ => 400,
        });
        let (done, added) = adding(&scene.remote, || {
            repair::packs(&scene.repo, &[], &options(), &Quiet).unwrap()
        });
        assert_eq!((done.packs, done.packs_lost), (packs.len() as u64, 0));
        assert_eq!(done.chunks_lost > 0, loses, "{done:?}");
        assert!(done.chunks_rescued > done.chunks_lost);
        assert!(added.iter().any(|name| name.kind() == Kind::Mark));
        scene.again();
        if !loses {
            scene.all_back();
            prune(&scene.repo, Duration::ZERO).unwrap();
            assert!(scene.packs().iter().all(|name| !packs.contains(name)));
            assert_eq!(check(&scene.repo).num_errors, 0);
            scene.all_back();
        }
    }
}

fn write_source(dir: &Path) {
    for number in 0..40u64 {
        let size = if number % 8 == 0 { 300_000 } else { 3_000 };
        std::fs::write(dir.join(format!("f{number}")), noise(number, size)).unwrap();
    }
}

/// After a repair the next backup of an unchanged source stores what was lost, trees and all.
#[test]
fn a_backup_heals_what_its_source_still_has() {
    for missing in [false, true] {
        let (remote, machine) = (repository(), Machine::new("here"));
        let source = tempfile::tempdir().unwrap();
        write_source(source.path());
        let arc = || Arc::new(remote.clone());
        let backup = || machine.backup(arc(), source.path()).unwrap().snapshot.unwrap();
        let first = backup();
        let whole = restored(&machine.open(arc()).unwrap(), first);
        let packs = match missing {
            false => hurt(&remote, Kind::Pack, |len| len / 3),
            true => {
                let packs = hurt(&remote, Kind::Pack, |_| 0);
                packs.iter().for_each(|name| put(&remote, name, None));
                packs
            }
        };
        let repo = machine.open(arc()).unwrap();
        let done = repair::packs(&repo, &[], &options(), &Quiet).unwrap();
        assert!(done.packs_lost + done.chunks_lost > 0);
        drop(repo);
        let second = backup();
        let repo = machine.open(arc()).unwrap();
        assert_eq!(restored(&repo, second), whole);
        let report = check(&repo);
        let short = second.to_hex()[..8].to_string();
        assert!(
            report.paths.iter().all(|path| path.snapshot != short),
            "{report:?}"
        );
        // With the old one gone nothing needs the damaged packs.
        forget::apply(&repo, &[first]).unwrap();
        let summary = prune(&repo, Duration::ZERO).unwrap();
        assert_eq!(summary.packs_deleted > 0, !missing);
        let left = objects(&remote);
        assert!(packs.iter().all(|name| !left.contains_key(name)));
        assert_eq!(check(&repo).num_errors, 0);
        assert_eq!(restored(&repo, second), whole);
    }
}

/// Files by the last component of their path.
fn restored(repo: &Repo, id: SessionId) -> Files {
    let files = read_back(repo, id).unwrap();
    files
        .into_iter()
        .map(|(path, bytes)| (path.rsplit('/').next().unwrap().to_string(), bytes))
        .collect()
}

/// The successor holds what is left and lists what is not; the old one goes as any other does.
#[test]
fn a_snapshot_that_lost_something_gets_a_successor() {
    for number in 0..Scene::new().packs().len() {
        let mut scene = Scene::new();
        let lost = scene.packs().swap_remove(number);
        put(&scene.remote, &lost, None);
        scene.again();
        let left: Vec<(Files, Vec<String>)> = scene
            .generations
            .iter()
            .map(|(id, _)| read_some(&scene.repo, *id).unwrap_or_default())
            .collect();
        let done = repair::packs(&scene.repo, &[], &options(), &Quiet).unwrap();
        assert_eq!((done.packs, done.packs_lost), (1, 1));
        let (done, _) = adding(&scene.remote, || {
            repair::snapshots(&scene.repo, &[], &options(), &Quiet).unwrap()
        });
        assert!(!done.repaired.is_empty() && done.unreadable == 0);
        let mut old = Vec::new();
        for mended in &done.repaired {
            let at = scene
                .generations
                .iter()
                .position(|(id, _)| *id == mended.id)
                .unwrap();
            let new = mended.successor.unwrap();
            let manifest = scene.repo.manifest(new).unwrap();
            assert_eq!(manifest.original, Some(mended.id));
            assert!(manifest.tags.iter().any(|tag| tag == "repaired"));
            let (files, unreadable) = read_some(&scene.repo, new).unwrap();
            assert!(unreadable.is_empty());
            for (path, bytes) in files.iter().filter(|(_, bytes)| !bytes.is_empty()) {
                assert_eq!(scene.generations[at].1[path], *bytes);
            }
            assert!(
                left[at]
                    .0
                    .iter()
                    .all(|(path, bytes)| files.get(path) == Some(bytes))
            );
            assert_eq!(
                mended.lost.iter().map(|path| path.entries).sum::<u64>(),
                mended.lost_entries
            );
            old.push(mended.id);
        }
        let again = repair::snapshots(&scene.repo, &[], &options(), &Quiet).unwrap();
        assert!(again.repaired.is_empty(), "{again:?}");
        assert!(
            prune(&scene.repo, Duration::ZERO).is_err(),
            "the old ones still need it"
        );
        forget::apply(&scene.repo, &old).unwrap();
        prune(&scene.repo, Duration::ZERO).unwrap();
        let report = check(&scene.repo);
        assert_eq!(report.num_errors, 0, "{report:?}");
    }
}

#[test]
fn what_is_sound_is_left_alone() {
    let scene = Scene::new();
    let (done, added) = adding(&scene.remote, || {
        let index = repair::index(&scene.repo, &options(), &Quiet).unwrap();
        let packs = repair::packs(&scene.repo, &[], &options(), &Quiet).unwrap();
        let snapshots = repair::snapshots(&scene.repo, &[], &options(), &Quiet).unwrap();
        (index.packs_listed, packs.packs, snapshots.repaired.len())
    });
    assert_eq!(done, (0, 0, 0));
    // The session that the first of them held, and its end.
    assert!(
        added
            .iter()
            .all(|name| matches!(name.kind(), Kind::Session | Kind::Snapshot))
    );
    let bad = repair::packs(&scene.repo, &["x".to_string()], &options(), &Quiet);
    assert!(bad.is_err());
    let gone = PackId([1; 32]).to_hex();
    let done = repair::packs(&scene.repo, &[gone], &options(), &Quiet).unwrap();
    assert_eq!((done.packs, done.packs_lost), (1, 1));
}

/// More packs than any report names are all acted on.
#[test]
fn however_many_packs_are_hurt_all_are_repaired() {
    let (remote, machine) = (repository(), Machine::new("here"));
    let repo = machine.open(Arc::new(remote.clone())).unwrap();
    for number in 1..=520u64 {
        generation::generation(&repo, number, &files([number], 300)).unwrap();
    }
    // In the salt: all frames are whole.
    let packs = hurt(&remote, Kind::Pack, |_| 30);
    assert!(packs.len() > 1000);
    let repo = machine.open(Arc::new(remote.clone())).unwrap();
    let done = repair::packs(&repo, &[], &options(), &Quiet).unwrap();
    assert_eq!(
        (done.packs, done.chunks_lost),
        (packs.len() as u64, 0),
        "{done:?}"
    );
    let repo = machine.open(Arc::new(remote.clone())).unwrap();
    prune(&repo, Duration::ZERO).unwrap();
    let left = objects(&remote);
    assert!(packs.iter().all(|name| !left.contains_key(name)));
    assert_eq!(check(&repo).num_errors, 0);
}

/// A chunk in two damaged packs comes from the one that has it intact.
#[test]
fn a_copy_in_another_hurt_pack_counts() {
    let (remote, machine) = (repository(), Machine::new("here"));
    let repo = machine.open(Arc::new(remote.clone())).unwrap();
    let of = files([1], 60_000);
    // Two writers that don't see each other's packs.
    let writers = [1, 2].map(|_| generation::foreign_writer(&repo));
    let manifests: Vec<_> = writers
        .iter()
        .zip(1..)
        .map(|(writer, number)| generation::put_all(&repo, writer, number, &of).unwrap())
        .collect();
    for (writer, manifest) in writers.iter().zip(&manifests) {
        generation::publish(writer, manifest).unwrap();
    }
    drop(writers);
    let data: Vec<(ObjectName, Vec<u8>)> = objects(&remote)
        .into_iter()
        .filter(|(name, bytes)| name.kind() == Kind::Pack && bytes.len() > 50_000)
        .collect();
    assert_eq!(data.len(), 2);
    for (whole, broken) in [(0, 1), (1, 0)] {
        for (at, place) in [(whole, 30), (broken, 400)] {
            let (name, mut bytes) = data[at].clone();
            bytes[place] ^= 4;
            put(&remote, &name, Some(&bytes));
        }
        let repo = machine.open(Arc::new(remote.clone())).unwrap();
        let dry = RepairOptions { dry_run: true };
        let done = repair::packs(&repo, &[], &dry, &Quiet).unwrap();
        assert_eq!(
            (done.packs, done.chunks_rescued, done.chunks_lost),
            (2, 1, 0),
            "{done:?}"
        );
    }
}
