//! Replicas: what one lacks comes whole or not at all, whatever is cut short, collected or damaged meanwhile; and what it
//! forgot stays forgotten.

mod order;
mod unread;

use chunkstore::remote::{Kind, Memory, ObjectName, Remote};
use chunkstore::{Error as StoreError, SessionId};
use engine::error::Error;
use engine::monitor::{Monitor, ProblemKind, Quiet};
use engine::replicate::{self, ReplicateOptions, Replicated};
use engine::repo::Repo;
use engine::{check, forget, restore};
use kit::generation::{self, Files, noise};
use kit::machine::{self, Machine, Noting};
use kit::oracle;
use kit::remotes::{Fault, Faulty, Hooked, Operation, contents, listed};
use kit::tree::{Shape, TreeMaker};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const NEVER: Duration = Duration::from_secs(3600);

pub fn options() -> ReplicateOptions {
    ReplicateOptions {
        all: false,
        dry_run: false,
    }
}

fn bring(from: &Repo, to: &Repo, monitor: &dyn Monitor) -> engine::Result<Replicated> {
    let mut done = Replicated::default();
    replicate::run(from, to, &options(), monitor, &mut done).map(|()| done)
}

/// The same objects again.
pub fn fork(memory: &Memory) -> Memory {
    let copy = Memory::new();
    let each = contents(memory).unwrap().into_iter();
    each.for_each(|(name, bytes)| assert!(copy.put(&name, &bytes).is_ok()));
    copy
}

/// A repository with generations, and an empty replica of it.
pub struct Pair {
    pub machine: Machine,
    pub first: Memory,
    pub second: Memory,
    pub generations: BTreeMap<SessionId, Files>,
    parent: Files,
}

impl Pair {
    pub fn new(generations: u64) -> Pair {
        let pair = Pair {
            machine: Machine::quick("alpha"),
            first: Memory::new(),
            second: Memory::new(),
            generations: BTreeMap::new(),
            parent: Files::new(),
        };
        machine::create_small(&pair.first).unwrap();
        pair.first().store.make_replica(&pair.second, 1).unwrap();
        (1..=generations).fold(pair, |mut pair, number| {
            pair.backup(number);
            pair
        })
    }

    pub fn first(&self) -> Repo {
        self.machine.open(Arc::new(self.first.clone())).unwrap()
    }

    pub fn second(&self) -> Repo {
        self.second_on(Arc::new(self.second.clone()))
    }

    pub fn second_on(&self, remote: Arc<dyn Remote>) -> Repo {
        self.first().open_replica_on(remote).unwrap()
    }

    pub fn backup(&mut self, number: u64) -> SessionId {
        let mut files = self.parent.clone();
        for file in 0..4 {
            let len = [200, 2000, 30_000, 90_000][file as usize];
            files.insert(
                format!("d/{}", (number + file) % 7),
                noise(number * 10 + file, len),
            );
        }
        let id = generation::successor(&self.first(), number, &files, &self.parent).unwrap();
        self.generations.insert(id, files.clone());
        self.parent = files;
        id
    }

    pub fn bring(&self) -> Replicated {
        bring(&self.first(), &self.second(), &Quiet).unwrap()
    }

    /// Every generation at a replica is one of those that were made, and whole; `all` of them are there.
    #[track_caller]
    pub fn verify(&self, replica: &Repo, all: bool, context: &str) {
        let (snapshots, bad) = replica.snapshots().unwrap();
        assert!(bad.is_empty(), "{context}: {bad:?}");
        let mut found = Vec::new();
        for snapshot in &snapshots {
            let origin = snapshot.manifest.original.unwrap_or(snapshot.id);
            let files = generation::read_back(replica, snapshot.id);
            let files = files.unwrap_or_else(|e| panic!("{context}: {}: {e}", snapshot.id));
            assert!(
                files == self.generations[&origin],
                "{context}: {origin} is changed"
            );
            found.push(origin);
        }
        found.sort();
        let expected: Vec<SessionId> = self.generations.keys().copied().collect();
        assert!(
            !all || found == expected,
            "{context}: {found:?} are there, not {expected:?}"
        );
        let told = Noting::default();
        let options = check::CheckOptions {
            read_data: check::ReadData::All,
        };
        let report = check::run(replica, &options, &told).unwrap();
        assert_eq!(report.num_errors, 0, "{context}: {:?}", told.problems());
    }
}

#[test]
fn a_replica_gets_what_it_lacks() {
    let mut pair = Pair::new(3);
    let done = pair.bring();
    assert_eq!((done.snapshots, done.behind), (3, 0));
    pair.verify(&pair.second(), true, "brought");
    // Under names of their own.
    for kind in [Kind::Pack, Kind::Index, Kind::Session, Kind::Snapshot] {
        for (name, _) in listed(&pair.second, kind).unwrap() {
            assert_eq!(pair.first.size(&name).unwrap(), None, "{name}");
        }
    }
    let before = contents(&pair.second).unwrap();
    assert_eq!(pair.bring(), Replicated::default());
    assert!(
        contents(&pair.second).unwrap() == before,
        "nothing to do, and something done"
    );
    pair.backup(4);
    let done = pair.bring();
    assert_eq!((done.snapshots, done.behind), (1, 0));
    pair.verify(&pair.second(), true, "one more");
    // And back again: the first has lost everything but its keys.
    let lost = Memory::new();
    pair.second().store.make_replica(&lost, 2).unwrap();
    let third = pair.second().open_replica_on(Arc::new(lost)).unwrap();
    bring(&pair.second(), &third, &Quiet).unwrap();
    pair.verify(&third, true, "the third");
}

#[test]
fn another_repository_is_no_replica() {
    let pair = Pair::new(1);
    let other = Memory::new();
    machine::create_small(&other).unwrap();
    let made = pair.first().store.make_replica(&other, 1);
    assert!(matches!(made, Err(StoreError::Refused(_))), "{made:?}");
    let opened = pair.first().open_replica_on(Arc::new(other.clone()));
    assert!(matches!(opened, Err(Error::Store(StoreError::Refused(_)))));
    let itself = pair.first().open_replica_on(Arc::new(pair.first.clone()));
    assert!(matches!(itself, Err(Error::Store(StoreError::Refused(_)))));
    let other = pair.machine.open(Arc::new(other)).unwrap();
    let refused = bring(&pair.first(), &other, &Quiet);
    assert!(matches!(refused, Err(Error::Refused(_))));
}

#[test]
fn what_a_replica_forgot_stays_forgotten_unless_asked_for() {
    let mut pair = Pair::new(4);
    pair.bring();
    let ids: Vec<SessionId> = pair
        .second()
        .snapshots()
        .unwrap()
        .0
        .iter()
        .map(|s| s.id)
        .collect();
    forget::apply(&pair.second(), &ids[..2]).unwrap();
    assert_eq!(pair.bring(), Replicated::default(), "in the trash");
    machine::prune(&pair.second(), NEVER).unwrap();
    assert_eq!(pair.bring(), Replicated::default(), "gone");
    // Its own retention is no other's.
    assert_eq!(pair.first().snapshots().unwrap().0.len(), 4);
    pair.backup(5);
    assert_eq!(pair.bring().snapshots, 1);
    assert_eq!(pair.second().snapshots().unwrap().0.len(), 3);
    let all = ReplicateOptions {
        all: true,
        ..options()
    };
    let mut done = Replicated::default();
    replicate::run(&pair.first(), &pair.second(), &all, &Quiet, &mut done).unwrap();
    assert_eq!((done.snapshots, done.behind), (2, 0));
    pair.verify(&pair.second(), true, "brought back");
}

/// What the first replica's collections moved elsewhere comes frame by frame, not with the packs that it lies in now.
#[test]
fn moved_chunks_come_alone() {
    let mut pair = Pair::new(3);
    pair.bring();
    let oldest = pair.first().snapshots().unwrap().0[0].id;
    forget::apply(&pair.first(), &[oldest]).unwrap();
    machine::prune(&pair.first(), NEVER).unwrap();
    pair.backup(4);
    let done = pair.bring();
    assert_eq!(done.snapshots, 1);
    // The new files' bytes, which can't be compressed, and a tree.
    assert!(done.bytes < 122_200 + 10_000, "{} bytes", done.bytes);
    pair.verify(&pair.second(), true, "after a collection at the first");
}

/// A crash at every operation that changes the replica: what is there is whole, and the next run brings the rest.
#[test]
fn cut_short_at_every_change() {
    let pair = Pair::new(2);
    for torn in [false, true] {
        let mut at = 0;
        loop {
            let context = format!("crashed at {at}, torn: {torn}");
            let memory = fork(&pair.second);
            pair.machine.lose_notes();
            let faulty = Faulty::new(Arc::new(memory.clone()));
            let crashing = pair.second_on(Arc::new(faulty.clone()));
            match torn {
                true => faulty.crash_torn(at),
                false => faulty.crash_at(at),
            }
            let result = bring(&pair.first(), &crashing, &Quiet);
            let crashed = faulty.crashed();
            assert!(crashed || result.is_ok(), "{context}: {result:?}");
            drop(crashing);
            let replica = pair.second_on(Arc::new(memory));
            pair.verify(&replica, false, &context);
            // With and without a collection between.
            if at % 2 == 0 {
                machine::prune(&replica, NEVER).unwrap();
            }
            let done = bring(&pair.first(), &replica, &Quiet).unwrap_or_else(|e| panic!("{context}: {e}"));
            assert_eq!(done.behind, 0, "{context}");
            pair.verify(&replica, true, &context);
            machine::prune(&replica, NEVER).unwrap();
            pair.verify(&replica, true, &format!("{context}, collected"));
            if !crashed {
                assert!(at > 10, "{context}: too little happens");
                break;
            }
            at += 1;
        }
    }
}

/// A name that a fence took is spent: the generation comes under another, and is found by its first.
#[test]
fn a_fenced_try_comes_under_another_name() {
    let pair = Pair::new(1);
    let id = *pair.generations.keys().next().unwrap();
    let fenced = chunkstore::session::fence(&pair.second().store, id).unwrap();
    assert!(fenced);
    assert_eq!(pair.bring().snapshots, 1);
    pair.verify(&pair.second(), true, "under another name");
    let facts: Vec<_> = pair
        .second()
        .snapshots()
        .unwrap()
        .0
        .iter()
        .map(|s| s.facts())
        .collect();
    assert_ne!(facts[0].id, id);
    let found = engine::select::choose(&facts, &id.to_hex(), &Default::default(), None).unwrap();
    assert_eq!(found.id, facts[0].id);
    assert_eq!(pair.bring(), Replicated::default());
}

/// A collection at the replica, at every operation: one that waits for no session, and takes what it can.
#[test]
fn a_hasty_collection_at_every_step() {
    let mut pair = Pair::new(2);
    pair.bring();
    // Something to collect, which the next generation needs in part.
    let oldest = pair.second().snapshots().unwrap().0.swap_remove(0);
    forget::apply(&pair.second(), &[oldest.id]).unwrap();
    pair.generations.remove(&oldest.manifest.original.unwrap());
    pair.backup(3);
    let mut at = 0;
    loop {
        let memory = fork(&pair.second);
        pair.machine.lose_notes();
        let (count, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let failed = Arc::new(Mutex::new(None));
        let collector = Arc::new(pair.second_on(Arc::new(memory.clone())));
        let hooked = Hooked::new(Arc::new(memory.clone()), {
            let (count, done, failed, collector) =
                (count.clone(), done.clone(), failed.clone(), collector.clone());
            move |_: Operation, _| {
                if count.fetch_add(1, Ordering::SeqCst) == at {
                    done.store(true, Ordering::SeqCst);
                    let pruned = machine::prune(&collector, Duration::ZERO);
                    *failed.lock().unwrap() = pruned.err();
                }
            }
        });
        let replica = pair.second_on(Arc::new(hooked));
        let before = count.load(Ordering::SeqCst);
        let result = bring(&pair.first(), &replica, &Quiet);
        assert!(failed.lock().unwrap().is_none(), "at {at}: {failed:?}");
        if at >= before {
            drop(replica);
            let replica = pair.second_on(Arc::new(memory));
            pair.verify(&replica, false, &format!("collected at {at}, {result:?}"));
            machine::prune(&replica, Duration::ZERO).unwrap();
            bring(&pair.first(), &replica, &Quiet).unwrap();
            pair.verify(&replica, true, &format!("collected at {at}, and again"));
        }
        if !done.load(Ordering::SeqCst) {
            assert!(at > 20);
            break;
        }
        at += 1;
    }
}

/// What the first replica lost can't come; the rest does, and that is reported.
#[test]
fn a_hurt_generation_keeps_no_other() {
    let mut pair = Pair::new(2);
    pair.bring();
    pair.backup(3);
    let packs_before: Vec<ObjectName> = listed(&pair.first, Kind::Pack)
        .unwrap()
        .into_iter()
        .map(|p| p.0)
        .collect();
    pair.backup(4);
    // All packs of the fourth generation go.
    for (name, _) in listed(&pair.first, Kind::Pack).unwrap() {
        if !packs_before.contains(&name) {
            pair.first.delete(&name).unwrap();
        }
    }
    let told = Noting::default();
    let done = bring(&pair.first(), &pair.second(), &told).unwrap();
    assert_eq!((done.snapshots, done.behind, done.damaged), (1, 1, 1));
    assert_eq!(told.problems().len(), 1);
    let newest = *pair
        .generations
        .keys()
        .max_by_key(|id| pair.first().manifest(**id).unwrap().time())
        .unwrap();
    pair.generations.remove(&newest);
    pair.verify(&pair.second(), true, "without the hurt one");
}

/// What was hurt when a later one was brought comes all the same, once the origin is repaired.
#[test]
fn a_hurt_generation_comes_once_it_is_repaired() {
    let mut pair = Pair::new(1);
    pair.bring();
    let before = listed(&pair.first, Kind::Pack).unwrap();
    pair.backup(2);
    let mut away = Vec::new();
    for (name, size) in listed(&pair.first, Kind::Pack).unwrap() {
        if !before.contains(&(name.clone(), size)) {
            away.push((name.clone(), pair.first.get(&name, size as usize).unwrap()));
            pair.first.delete(&name).unwrap();
        }
    }
    pair.backup(3);
    let done = pair.bring();
    assert_eq!((done.snapshots, done.behind, done.damaged), (1, 1, 1));
    assert_eq!(pair.bring().behind, 1, "it is still lacking");
    for (name, bytes) in away {
        pair.first.put(&name, &bytes).unwrap();
    }
    let done = pair.bring();
    assert_eq!((done.snapshots, done.behind), (1, 0));
    pair.verify(&pair.second(), true, "repaired");
}

/// Restores the newest generation from the first, with the second to turn to.
fn restored(pair: &Pair, first: Arc<dyn Remote>, second: &str) -> (engine::Result<restore::Summary>, usize) {
    let others = vec![("second".to_string(), second.to_string())];
    let repo = pair.machine.open(first).unwrap().or_from(others);
    let (snapshots, _) = repo.snapshots().unwrap();
    let target = tempfile::tempdir().unwrap();
    let manifest = repo.manifest(snapshots.last().unwrap().id).unwrap();
    let options = restore::RestoreOptions::new(target.path());
    let told = Noting::default();
    let summary = restore::run(&repo, &manifest, &options, &told);
    let files = oracle::walk(target.path()).len();
    assert!(
        told.problems()
            .iter()
            .all(|p| matches!(p.what, ProblemKind::Warning { .. })),
        "{:?}",
        told.problems()
    );
    (summary, files)
}

/// Chunk by chunk from the other: a flipped bit, a lost pack, a lost index, and a remote that goes away in the middle.
#[test]
fn a_restore_turns_to_the_other_replica() {
    let work = tempfile::tempdir().unwrap();
    let source = work.path().join("source");
    TreeMaker::new(&source, 5, Shape::SMALL).populate();
    let machine = Machine::new("alpha");
    let url = work.path().join("second").to_str().unwrap().to_string();
    let pair = Pair {
        machine,
        first: Memory::new(),
        second: Memory::new(),
        generations: BTreeMap::new(),
        parent: Files::new(),
    };
    machine::create_small(&pair.first).unwrap();
    pair.machine
        .backup(Arc::new(pair.first.clone()), &source)
        .unwrap();
    pair.first().make_replica(&url).unwrap();
    let second = pair.first().open_replica(&url).unwrap();
    bring(&pair.first(), &second, &Quiet).unwrap();
    drop(second);
    let (whole, files) = restored(&pair, Arc::new(pair.first.clone()), &url);
    assert_eq!(whole.unwrap().chunks_from_others, 0);
    type Hurt = fn(&Memory, &ObjectName, usize);
    let hurts: [(Kind, Hurt); 4] = [
        (Kind::Pack, |memory, name, size| {
            let mut bytes = memory.get(name, size).unwrap();
            bytes[size / 2] ^= 1;
            memory.replace(name, &bytes).unwrap();
        }),
        (Kind::Pack, |memory, name, _| memory.delete(name).unwrap()),
        (Kind::Index, |memory, name, _| memory.delete(name).unwrap()),
        (Kind::Index, |memory, name, size| {
            memory.replace(name, &vec![0; size]).unwrap()
        }),
    ];
    for (number, (kind, hurt)) in hurts.into_iter().enumerate() {
        let first = fork(&pair.first);
        for (name, size) in listed(&first, kind).unwrap() {
            hurt(&first, &name, size as usize);
        }
        pair.machine.lose_cache();
        let (summary, found) = restored(&pair, Arc::new(first), &url);
        let summary = summary.unwrap();
        assert_eq!((found, summary.problems), (files, 0), "{number}");
        assert!(summary.chunks_from_others > 0, "{number}");
    }
    // From some read of a pack on the first is away.
    for reads in [0, 1] {
        let count = Arc::new(AtomicU64::new(0));
        let faulty = Faulty::new(Arc::new(pair.first.clone()));
        let hooked = Hooked::new(Arc::new(faulty.clone()), move |operation, kind| {
            let is_pack = operation == Operation::Read && kind == Some(Kind::Pack);
            if is_pack && count.fetch_add(1, Ordering::SeqCst) == reads {
                let now = faulty.requests();
                (now..now + 10_000).for_each(|nth| faulty.fail_request(nth, Fault::TimeoutBefore));
            }
        });
        let (summary, found) = restored(&pair, Arc::new(hooked), &url);
        let summary = summary.unwrap();
        assert_eq!((found, summary.problems), (files, 0), "away after {reads}");
        assert!(summary.chunks_from_others > 0);
    }
}
