//! The kit's remotes do what they claim, and the probe finds the ones that lie.

use chunkstore::remote::{Kind, Local, Memory, ObjectName, Probe, Published, Remote, probe};
use chunkstore::{Error, PackId, Result, SessionId};
use kit::remotes::{Counting, Fault, Faulty, Lie, Lying, Operation, contents, listed};
use std::sync::Arc;

const SOUND: Probe = Probe {
    exclusive_create: true,
    read_after_write: true,
    list_after_write: true,
    range_read: true,
    delete: true,
};

fn session(n: u8) -> ObjectName {
    ObjectName::session(SessionId([n; 16]))
}

fn pack(n: u8) -> ObjectName {
    ObjectName::pack(PackId([n; 32]))
}

fn faulty() -> Faulty {
    Faulty::new(Arc::new(Memory::new()))
}

fn kind_of(result: Result<impl Sized>) -> std::io::ErrorKind {
    match result.err().unwrap() {
        Error::Remote { source, .. } => source.kind(),
        Error::NoSpace { .. } => std::io::ErrorKind::StorageFull,
        other => panic!("{other}"),
    }
}

#[test]
fn the_probe_finds_liars() {
    for (lie, exclusive) in [
        (Lie::Replaces, false),
        (Lie::ChecksThenWrites, false),
        (Lie::ReplacesAndSaysExists, false),
        (Lie::ListsLate, true),
        (Lie::IgnoresRanges, true),
        (Lie::RefusesDelete, true),
        (Lie::KeepsDeleted, true),
    ] {
        let store = Memory::new();
        let found = probe(&Lying::new(Arc::new(store.clone()), lie)).unwrap();
        let expected = Probe {
            exclusive_create: exclusive,
            list_after_write: lie != Lie::ListsLate,
            range_read: lie != Lie::IgnoresRanges,
            delete: !matches!(lie, Lie::RefusesDelete | Lie::KeepsDeleted),
            ..SOUND
        };
        assert_eq!(found, expected, "{lie:?}");
        let left = listed(&store, Kind::Session).unwrap().len();
        assert!(left == 0 || !found.delete, "{lie:?} left {left}");
        assert!(left <= 5, "{lie:?} left {left}");
    }
    let late = probe(&Lying::new(Arc::new(Memory::new()), Lie::ReadsLate)).unwrap();
    assert!(!late.read_after_write);
}

#[test]
fn the_probe_passes_on_errors_and_leaves_nothing() {
    let store = Memory::new();
    let remote = Faulty::new(Arc::new(store.clone()));
    assert_eq!(probe(&remote).unwrap(), SOUND);
    let requests = remote.requests();
    for nth in 0..requests {
        let remote = Faulty::new(Arc::new(store.clone()));
        remote.fail_request(nth, Fault::Io);
        // Racing threads differ by some requests from run to run, so the last ones may not come.
        if remote_failed(&remote, nth) {
            assert!(listed(&store, Kind::Session).unwrap().len() <= 1, "{nth}");
        }
        for (name, _) in listed(&store, Kind::Session).unwrap() {
            store.delete(&name).unwrap();
        }
    }
}

fn remote_failed(remote: &Faulty, nth: u64) -> bool {
    let result = probe(remote);
    assert!(
        result.is_err() || remote.requests() <= nth,
        "error {nth} was lost"
    );
    result.is_err()
}

#[test]
fn counting_counts() {
    let remote = Counting::new(Arc::new(Memory::new()));
    remote.put(&session(1), b"12345").unwrap();
    remote.put(&pack(1), b"123").unwrap();
    let before = remote.counts();
    remote.get(&session(1), 10).unwrap();
    let mut out = Vec::new();
    assert!(remote.read(&session(2), 0, 10, &mut out).is_err());
    remote.delete(&session(1)).unwrap();
    let counts = remote.counts();
    let of = |operation, kind| {
        let count = counts.of(operation, kind);
        (count.calls, count.bytes)
    };
    assert_eq!(of(Operation::Publish, Kind::Session), (1, 5));
    assert_eq!(of(Operation::Publish, Kind::Pack), (1, 3));
    assert_eq!(of(Operation::Read, Kind::Session), (2, 5));
    assert_eq!(of(Operation::Delete, Kind::Session), (1, 0));
    assert_eq!(of(Operation::List, Kind::Session), (0, 0));
    assert_eq!(counts.all(Operation::Write).bytes, 8);
    assert_eq!(counts.all(Operation::Barrier).calls, 2);
    let since = counts.since(&before);
    assert_eq!(since.all(Operation::Publish).calls, 0);
    assert_eq!(since.all(Operation::Read).calls, 2);
}

/// put = begin, write, publish, barrier: operations 0 to 3.
#[test]
fn a_planned_fault_comes_once_with_its_effect() {
    for (fault, kind) in [
        (Fault::NoSpace, std::io::ErrorKind::StorageFull),
        (Fault::Io, std::io::Error::from(rustix::io::Errno::IO).kind()),
        (Fault::TimeoutBefore, std::io::ErrorKind::TimedOut),
        (Fault::TimeoutAfter, std::io::ErrorKind::TimedOut),
    ] {
        for nth in 0..4 {
            let remote = faulty();
            remote.fail_mutation(nth, fault);
            assert_eq!(kind_of(remote.put(&session(1), b"1234")), kind, "{fault:?} {nth}");
            assert_eq!(remote.operations(), nth + 1);
            let there = nth == 3 || (nth == 2 && fault == Fault::TimeoutAfter);
            assert_eq!(
                remote.size(&session(1)).unwrap().is_some(),
                there,
                "{fault:?} {nth}"
            );
            let again = remote.put(&session(1), b"1234").unwrap();
            assert_eq!(again == Published::Exists, there);
        }
    }
    let remote = faulty();
    remote.put(&session(1), b"1234").unwrap();
    remote.fail_mutation(4, Fault::TimeoutAfter);
    assert!(remote.delete(&session(1)).is_err());
    assert_eq!(remote.size(&session(1)).unwrap(), None);
}

#[test]
fn reading_fails_as_planned() {
    let remote = faulty();
    for n in 0..4 {
        remote.put(&session(n), b"x").unwrap();
    }
    let next = remote.requests();
    remote.fail_request(next, Fault::Io);
    remote.fail_request(next + 1, Fault::TimeoutBefore);
    remote.fail_request(next + 2, Fault::Io);
    assert!(remote.get(&session(1), 1).is_err());
    assert!(remote.size(&session(1)).is_err());
    let mut seen = 0;
    let halfway = remote.list(Kind::Session, &mut |_, _| {
        seen += 1;
        Ok(())
    });
    assert!(halfway.is_err());
    assert_eq!(seen, 2);
    assert_eq!(listed(&remote, Kind::Session).unwrap().len(), 4);
}

#[test]
fn listings_go_short_and_stale() {
    let remote = faulty();
    for n in 0..3 {
        remote.put(&session(n), b"x").unwrap();
        remote.put(&pack(n), b"x").unwrap();
    }
    remote.shorten(Kind::Session, 2);
    assert_eq!(listed(&remote, Kind::Session).unwrap(), [(session(2), 1)]);
    remote.freeze(Kind::Pack).unwrap();
    remote.put(&pack(3), b"x").unwrap();
    remote.delete(&pack(0)).unwrap();
    let stale: Vec<_> = (0..3).map(|n| (pack(n), 1)).collect();
    assert_eq!(listed(&remote, Kind::Pack).unwrap(), stale);
    remote.restart();
    assert_eq!(listed(&remote, Kind::Session).unwrap().len(), 3);
    assert_eq!(listed(&remote, Kind::Pack).unwrap()[2], (pack(3), 1));
}

fn some_work(remote: &dyn Remote) -> Result<()> {
    remote.put(&session(1), b"session")?;
    for n in 0..3 {
        let mut staged = remote.begin()?;
        staged.write(b"first half, ")?;
        staged.write(b"second half")?;
        staged.publish(&pack(n))?;
    }
    remote.barrier()?;
    remote.delete(&session(1))?;
    remote.barrier()
}

#[test]
fn every_crash_point_leaves_whole_objects() {
    let whole = faulty();
    some_work(&whole).unwrap();
    let points = whole.operations();
    assert_eq!(points, 4 + 3 * 4 + 3);
    let mut torn_leftovers = 0;
    for nth in 0..points {
        for torn in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            let remote = Faulty::new(Arc::new(Local::new(dir.path())));
            if torn {
                remote.crash_torn(nth);
            } else {
                remote.crash_at(nth);
            }
            assert!(some_work(&remote).is_err(), "{nth}");
            assert!(remote.crashed());
            assert!(
                remote.get(&ObjectName::config(), 1).is_err(),
                "the dead don't read"
            );
            assert_eq!(remote.operations(), nth + 1);
            remote.restart();
            for (name, bytes) in contents(&remote).unwrap() {
                let expected: &[u8] = match name.kind() {
                    Kind::Pack => b"first half, second half",
                    _ => b"session",
                };
                assert_eq!(bytes, expected, "{nth}");
            }
            let tmp = dir.path().join("tmp");
            let left = bury(&tmp);
            torn_leftovers += left;
            assert_eq!(remote.sweep_staged(&mut || Ok(false)).unwrap(), left);
            // And the next one can do the work.
            some_work(&remote).unwrap();
            assert_eq!(listed(&remote, Kind::Pack).unwrap().len(), 3);
        }
    }
    assert!(torn_leftovers > 0, "a crash tidies nothing up");
}

/// The locks of a process go when it dies, and the dead of these tests are part of a living one: puts files that no
/// process holds in the place of theirs. Returns how many.
fn bury(tmp: &std::path::Path) -> u64 {
    let mut left = 0;
    for entry in std::fs::read_dir(tmp).into_iter().flatten() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, bytes).unwrap();
        left += 1;
    }
    left
}

#[test]
fn a_power_cut_takes_what_no_barrier_covered() {
    let remote = faulty();
    remote.put(&session(1), b"durable").unwrap();
    let publish = |name: &ObjectName| {
        let mut staged = remote.begin().unwrap();
        staged.write(b"x").unwrap();
        staged.publish(name).unwrap();
    };
    publish(&pack(1));
    publish(&pack(2));
    remote.delete(&session(1)).unwrap();
    assert_eq!(remote.power_cut(&mut |name| *name == pack(2)).unwrap(), 2);
    let left: Vec<_> = contents(&remote).unwrap();
    assert_eq!(
        left,
        [(pack(2), b"x".to_vec()), (session(1), b"durable".to_vec())]
    );

    publish(&pack(3));
    remote.delete(&session(1)).unwrap();
    remote.barrier().unwrap();
    assert_eq!(remote.power_cut(&mut |_| false).unwrap(), 0);
    assert_eq!(listed(&remote, Kind::Pack).unwrap().len(), 2);
    assert_eq!(remote.size(&session(1)).unwrap(), None);
}
