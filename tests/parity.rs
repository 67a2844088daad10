//! Parity beside packs: written by backups and collections, made later for what has none, and enough to put damaged
//! packs right with no key at hand.

use chunkstore::remote::{Kind, Local, Memory, ObjectName, Remote};
use engine::check::{self, CheckReport, ReadData};
use engine::forget;
use engine::monitor::Quiet;
use engine::repair::{parity_of_new_packs, parity_on};
use engine::repo::Repo;
use kit::generation::noise;
use kit::machine::{Machine, create_small, create_small_with, prune};
use kit::random::{Random, seeds};
use kit::remotes::contents;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

type Objects = BTreeMap<ObjectName, Vec<u8>>;

fn objects(remote: &dyn Remote, kind: Kind) -> Objects {
    let all = contents(remote).unwrap().into_iter();
    all.filter(|(name, _)| name.kind() == kind).collect()
}

fn check(repo: &Repo) -> CheckReport {
    let options = check::CheckOptions {
        read_data: ReadData::All,
    };
    check::run(repo, &options, &Quiet).unwrap()
}

/// Each pack has parity, and there is no other.
fn all_protected(remote: &dyn Remote) -> usize {
    let ids = |kind| -> Vec<String> {
        objects(remote, kind)
            .keys()
            .map(|name| name.id().to_string())
            .collect()
    };
    assert_eq!(ids(Kind::Pack), ids(Kind::Parity));
    ids(Kind::Pack).len()
}

fn backup(machine: &Machine, remote: &Memory, seed: u64) -> chunkstore::SessionId {
    let source = tempfile::tempdir().unwrap();
    for number in 0..6u64 {
        let size = 60_000 * (number as usize + 1);
        std::fs::write(
            source.path().join(format!("f{number}")),
            noise(seed + number, size),
        )
        .unwrap();
    }
    let report = machine.backup(Arc::new(remote.clone()), source.path()).unwrap();
    report.snapshot.unwrap()
}

fn protected(percent: Option<u8>) -> (Memory, Machine) {
    let remote = Memory::new();
    create_small_with(&remote, percent).unwrap();
    (remote, Machine::new("here"))
}

#[test]
fn backups_and_collections_keep_every_pack_protected() {
    let (remote, machine) = protected(Some(5));
    let first = backup(&machine, &remote, 1);
    backup(&machine, &remote, 4);
    let before = all_protected(&remote);
    let repo = machine.open(Arc::new(remote.clone())).unwrap();
    assert_eq!(check(&repo).num_errors, 0);
    forget::apply(&repo, &[first]).unwrap();
    let summary = prune(&repo, Duration::ZERO).unwrap();
    assert!(summary.packs_deleted > 0 && summary.parity_removed == summary.packs_deleted);
    assert!(all_protected(&remote) > 0 && before > 0);
    assert_eq!(check(&repo).num_errors, 0);
}

/// `config` is written once; an upgrade determines what holds from now on, also for clients that opened the repository
/// before.
#[test]
fn parity_is_turned_on_for_a_repository_that_exists() {
    let remote = Memory::new();
    create_small(&remote).unwrap();
    let (here, there) = (Machine::new("here"), Machine::new("there"));
    backup(&here, &remote, 1);
    let before = there.open(Arc::new(remote.clone())).unwrap();
    let repo = here.open(Arc::new(remote.clone())).unwrap();
    assert!(parity_of_new_packs(&repo, Some(10)).unwrap());
    assert!(!parity_of_new_packs(&repo, Some(10)).unwrap(), "it is on");
    assert!(parity_of_new_packs(&repo, Some(0)).is_err());
    let old = objects(&remote, Kind::Pack);
    let source = tempfile::tempdir().unwrap();
    std::fs::write(source.path().join("f"), noise(50, 100_000)).unwrap();
    let options = there.options(&[source.path()]);
    engine::backup::run(&before, &options, None, &Quiet).unwrap();
    let new = objects(&remote, Kind::Pack).len() - old.len();
    assert!(new > 0);
    assert_eq!(objects(&remote, Kind::Parity).len(), new);
    // A replica that is made now has it from the beginning.
    let replica = Memory::new();
    repo.store.make_replica(&replica, 7).unwrap();
    let replica = repo.open_replica_on(Arc::new(replica)).unwrap();
    assert_eq!(replica.store.standing().parity, Some(10));
    // And off again.
    assert!(parity_of_new_packs(&repo, None).unwrap());
    backup(&there, &remote, 200);
    assert_eq!(objects(&remote, Kind::Parity).len(), new);
    assert_eq!(objects(&remote, Kind::Upgrade).len(), 2);
}

#[test]
fn parity_is_added_to_a_repository_that_has_none() {
    let remote = Memory::new();
    create_small(&remote).unwrap();
    let machine = Machine::new("here");
    backup(&machine, &remote, 1);
    assert!(objects(&remote, Kind::Parity).is_empty());
    let dry = parity_on(&remote, &machine.run(), Some(10), true, &Quiet).unwrap();
    assert!(objects(&remote, Kind::Parity).is_empty());
    let done = parity_on(&remote, &machine.run(), Some(10), false, &Quiet).unwrap();
    assert_eq!(dry.packs_protected, done.packs_protected);
    assert_eq!(all_protected(&remote) as u64, done.packs_protected);
    let packs: usize = objects(&remote, Kind::Pack).values().map(Vec::len).sum();
    assert!(done.bytes_added as usize > packs / 10 && (done.bytes_added as usize) < packs / 4);
    backup(&machine, &remote, 100);
    let more = parity_on(&remote, &machine.run(), Some(10), false, &Quiet).unwrap();
    assert!(more.packs == done.packs_protected && more.packs_protected > 0);
    all_protected(&remote);
    assert!(parity_on(&remote, &machine.run(), Some(0), false, &Quiet).is_err());
    assert!(parity_on(&Memory::new(), &machine.run(), None, false, &Quiet).is_err());
}

/// Flips and bursts in every pack or its parity, put right with the storage alone.
#[test]
fn damage_is_found_and_put_right_without_a_key() {
    let (remote, machine) = protected(Some(4));
    backup(&machine, &remote, 1);
    let repo = machine.open(Arc::new(remote.clone())).unwrap();
    let whole = contents(&remote).unwrap();
    for seed in seeds(12) {
        let mut random = Random::new(seed);
        let mut hurt = Vec::new();
        for (name, bytes) in &whole {
            if !matches!(name.kind(), Kind::Pack | Kind::Parity) || random.chance(50) {
                continue;
            }
            // A pack and its parity may be damaged at once.
            let mut bad = bytes.clone();
            let at = random.below(bytes.len() as u64) as usize;
            bad[at] ^= 1 << random.below(8);
            if name.kind() == Kind::Pack {
                let end = (at + bytes.len() / 600).min(bytes.len());
                bad[at + 1..end.max(at + 1)].fill(0);
            }
            remote.replace(name, &bad).unwrap();
            hurt.push(name.clone());
        }
        let report = check(&repo);
        assert!(
            hurt.iter()
                .all(|name| report.broken_objects.contains(&name.to_string()))
        );
        let dry = parity_on(&remote, &machine.run(), None, true, &Quiet).unwrap();
        let done = parity_on(&remote, &machine.run(), None, false, &Quiet).unwrap();
        assert_eq!(
            (dry.packs_repaired, done.packs_beyond),
            (done.packs_repaired, 0),
            "seed {seed}"
        );
        let packs = hurt.iter().filter(|name| name.kind() == Kind::Pack).count();
        assert_eq!(done.packs_repaired, packs as u64, "seed {seed}");
        // What was damaged beside a damaged pack is mended once that is whole.
        parity_on(&remote, &machine.run(), None, false, &Quiet).unwrap();
        assert!(contents(&remote).unwrap() == whole, "seed {seed}");
    }
    assert_eq!(check(&repo).num_errors, 0);
}

#[test]
fn a_directory_is_put_right_in_place_too() {
    let place = tempfile::tempdir().unwrap();
    let remote = Local::new(place.path().join("repository"));
    create_small_with(&remote, Some(5)).unwrap();
    let machine = Machine::new("here");
    let source = tempfile::tempdir().unwrap();
    std::fs::write(source.path().join("f"), noise(1, 200_000)).unwrap();
    machine
        .backup(
            Arc::new(Local::new(place.path().join("repository"))),
            source.path(),
        )
        .unwrap();
    let whole = contents(&remote).unwrap();
    for (name, bytes) in whole.iter().filter(|(name, _)| name.kind() == Kind::Pack) {
        let path = place.path().join("repository").join(name.path());
        std::fs::write(path, &bytes[..bytes.len() - 60]).unwrap();
    }
    let done = parity_on(&remote, &machine.run(), None, false, &Quiet).unwrap();
    assert!(done.packs_repaired >= 2 && done.packs_beyond == 0, "{done:?}");
    assert!(contents(&remote).unwrap() == whole);
}
