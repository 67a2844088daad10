//! No room: at every write of a backup or a repair, in the cache, and for a collection without a single free byte.

use crate::cli_bad::Disk;
use chunkstore::forgotten::Forgotten;
use chunkstore::remote::{Kind, Local, Memory, ObjectName, Remote};
use chunkstore::session::Session;
use chunkstore::store::SnapshotObject;
use chunkstore::{Error as StoreError, SessionId};
use engine::check::{self, ReadData};
use engine::monitor::Quiet;
use engine::repair::{self, RepairOptions};
use engine::repo::Repo;
use engine::{Error, backup};
use kit::generation::{Files, files, generation, noise, read_back, repository};
use kit::machine::{Machine, create_small, prune};
use kit::remotes::{Fault, Faulty, contents};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

fn is_no_space(error: &Error) -> bool {
    matches!(error, Error::Store(StoreError::NoSpace { .. }))
}

fn sound(repo: &Repo) {
    let options = check::CheckOptions {
        read_data: ReadData::All,
    };
    assert_eq!(check::run(repo, &options, &Quiet).unwrap().num_errors, 0);
}

/// A copy that can be changed by itself.
fn copy(remote: &Memory) -> Memory {
    let copy = Memory::new();
    for (name, bytes) in contents(remote).unwrap() {
        copy.put(&name, &bytes).unwrap();
    }
    copy
}

#[test]
fn a_backup_without_room_loses_nothing_at_any_step() {
    let source = tempfile::tempdir().unwrap();
    let write = |name: &str, seed: u64| fs::write(source.path().join(name), noise(seed, 50_000)).unwrap();
    write("a", 1);
    let first = Memory::new();
    create_small(&first).unwrap();
    let machine = Machine::new("here");
    let old = machine
        .backup(Arc::new(first.clone()), source.path())
        .unwrap()
        .snapshot
        .unwrap();
    let whole = read_back(&machine.open(Arc::new(first.clone())).unwrap(), old).unwrap();
    write("b", 2);
    let run = |remote: Memory, step: Option<u64>| {
        let (faulty, machine) = (Faulty::new(Arc::new(remote)), machine.copy());
        if let Some(step) = step {
            faulty.fail_mutation(step, Fault::NoSpace);
        }
        let repo = machine.open(Arc::new(faulty.clone())).unwrap();
        let done = backup::run(&repo, &machine.options(&[source.path()]), None, &Quiet);
        (faulty.operations(), done, machine)
    };
    let (steps, _, _) = run(copy(&first), None);
    let mut refused = 0;
    for step in 0..steps {
        let remote = copy(&first);
        let (_, done, machine) = run(remote.clone(), Some(step));
        let repo = machine.open(Arc::new(remote.clone())).unwrap();
        if let Err(e) = &done {
            assert!(is_no_space(e), "{step}: {e}");
            refused += 1;
        }
        assert_eq!(read_back(&repo, old).unwrap(), whole, "{step}");
        sound(&repo);
        drop(repo);
        let new = machine
            .backup(Arc::new(remote.clone()), source.path())
            .unwrap()
            .snapshot
            .unwrap();
        let repo = machine.open(Arc::new(remote)).unwrap();
        assert_eq!(read_back(&repo, new).unwrap().len(), 2, "{step}");
    }
    assert!(steps > 10 && refused > steps / 2, "{refused} of {steps}");
}

#[test]
fn a_repair_without_room_loses_nothing_at_any_step() {
    let (first, machine) = (repository(), Machine::new("here"));
    let repo = machine.open(Arc::new(first.clone())).unwrap();
    let of = files(0..6, 4000);
    let id = generation(&repo, 1, &of).unwrap();
    drop(repo);
    // The salt of each pack: every frame is whole.
    for (name, mut bytes) in contents(&first).unwrap() {
        if name.kind() == Kind::Pack {
            bytes[30] ^= 1;
            first.replace(&name, &bytes).unwrap();
        }
    }
    let options = RepairOptions { dry_run: false };
    let run = |remote: Memory, step: Option<u64>| {
        let faulty = Faulty::new(Arc::new(remote));
        if let Some(step) = step {
            faulty.fail_mutation(step, Fault::NoSpace);
        }
        let machine = machine.copy();
        let repo = machine.open(Arc::new(faulty.clone())).unwrap();
        let done = repair::packs(&repo, &[], &options, &Quiet);
        (faulty.operations(), done, machine)
    };
    let (steps, done, _) = run(copy(&first), None);
    assert_eq!(done.unwrap().chunks_lost, 0);
    for step in 0..steps {
        let remote = copy(&first);
        let (_, done, machine) = run(remote.clone(), Some(step));
        assert!(done.as_ref().err().is_none_or(is_no_space), "{step}: {done:?}");
        for (name, bytes) in contents(&first).unwrap() {
            assert_eq!(remote.get(&name, 1 << 20).unwrap(), bytes, "{step}: {name}");
        }
        let repo = machine.open(Arc::new(remote)).unwrap();
        assert_eq!(read_back(&repo, id).unwrap(), of, "{step}");
        repair::packs(&repo, &[], &options, &Quiet).unwrap();
        prune(&repo, Duration::ZERO).unwrap();
        sound(&repo);
        assert_eq!(read_back(&repo, id).unwrap(), of, "{step}");
    }
}

fn disk(at: &Path, size: &str) -> Option<Disk> {
    let disk = Disk::of(at.to_path_buf(), size);
    if disk.is_none() {
        assert!(!rustix::process::geteuid().is_root() || std::env::var_os("CI").is_none());
        eprintln!("passed over: no file system can be mounted here");
    }
    disk
}

/// Takes all the room there is, to the last byte.
pub(crate) fn fill(path: &Path) {
    let mut file = fs::File::create(path).unwrap();
    for size in [64 << 10, 4096, 1] {
        while file.write_all(&vec![1; size]).is_ok() {}
    }
}

/// A killed backup left its session, all of the disk is taken, and still what is not needed can be freed.
#[test]
fn a_collection_needs_no_free_byte() {
    let place = tempfile::tempdir().unwrap();
    let Some(disk) = disk(place.path(), "12m") else {
        return;
    };
    let remote = || Arc::new(Local::new(disk.0.join("repository")));
    create_small(&*remote()).unwrap();
    let machine = Machine::new("here");
    let repo = machine.open(remote()).unwrap();
    let kept: Files = files(0..3, 40_000);
    for round in 0..3u64 {
        let kept_id = generation(&repo, 2 * round + 1, &kept).unwrap();
        let gone = generation(
            &repo,
            2 * round + 2,
            &files(100 + 10 * round..104 + 10 * round, 40_000),
        )
        .unwrap();
        repo.store.forget(gone, 0).unwrap();
        repo.store.discard(&[Forgotten::named(gone)]).unwrap();
        // The backup that was killed.
        let dead = Session::begin(&repo.store, &repo.owner()).unwrap();
        let dead_id = dead.id;
        drop(dead);
        let room = disk.0.join("room");
        fill(&room);
        assert!(matches!(
            repo.store
                .remote()
                .put(&ObjectName::session(SessionId([7; 16])), &[0; 1024]),
            Err(StoreError::NoSpace { .. })
        ));
        let summary = prune(&repo, Duration::from_secs(3600)).unwrap();
        assert!(summary.packs_deleted > 0, "{round}: {summary:?}");
        assert!(matches!(
            repo.store.snapshot_object(dead_id),
            Ok(SnapshotObject::Fence)
        ));
        fs::remove_file(&room).unwrap();
        // With room again, the next one fills the reserve up.
        prune(&repo, Duration::ZERO).unwrap();
        assert!(disk.0.join("repository/tmp/reserve").exists());
        sound(&repo);
        assert_eq!(read_back(&repo, kept_id).unwrap(), kept);
    }
}

/// The cache is disposable, and so is the room it would need.
#[test]
fn a_full_cache_loses_nothing() {
    let machine = Machine::new("here");
    let cache = machine.dirs().cache;
    let Some(disk) = disk(&cache, "64k") else { return };
    let remote = Memory::new();
    create_small(&remote).unwrap();
    let source = tempfile::tempdir().unwrap();
    fs::write(source.path().join("a"), noise(1, 300_000)).unwrap();
    fill(&cache.join("room"));
    assert!(machine.backup(Arc::new(remote.clone()), source.path()).is_err());
    drop(disk);
    let id = machine
        .backup(Arc::new(remote.clone()), source.path())
        .unwrap()
        .snapshot
        .unwrap();
    let repo = machine.open(Arc::new(remote)).unwrap();
    assert_eq!(read_back(&repo, id).unwrap().len(), 1);
    sound(&repo);
}
