//! Writers and collectors at the same time on one remote: whatever the order of their operations, a generation that
//! was published and not forgotten is whole (I-4, I-7, I-8).

use chunkstore::remote::{Kind, Memory, Remote};
use chunkstore::sweep::Unused;
use chunkstore::{Error as StoreError, SessionId};
use engine::error::{Error, Result};
use engine::monitor::Quiet;
use engine::{backup, check, forget};
use kit::machine::{self, Machine};
use kit::oracle::{self, Tree, assert_same};
use kit::random::{Random, seeds};
use kit::remotes::{Hooked, Operation};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const PATIENT: Duration = Duration::from_secs(3600);
/// Every session of others is taken for dead at once.
const HASTY: Duration = Duration::ZERO;
/// Contents that all sources are made of: what one forgets another stores anew.
const POOL: u64 = 40;

fn content(number: u64) -> Vec<u8> {
    let mut random = Random::new(number);
    let mut bytes = vec![0; 1 + random.below(60_000) as usize];
    random.fill(&mut bytes);
    bytes
}

/// A directory of files that come and go, all from the pool.
struct Source {
    work: tempfile::TempDir,
    random: Random,
}

impl Source {
    fn new(seed: u64) -> Self {
        let work = tempfile::tempdir().unwrap();
        std::fs::create_dir(work.path().join("source")).unwrap();
        let mut source = Source {
            work,
            random: Random::new(seed),
        };
        source.change(20);
        source
    }

    fn path(&self) -> PathBuf {
        self.work.path().join("source")
    }

    fn change(&mut self, files: usize) {
        for _ in 0..files {
            let path = self.path().join(self.random.below(25).to_string());
            if self.random.chance(30) {
                let _not_there = std::fs::remove_file(path);
            } else {
                std::fs::write(path, content(self.random.below(POOL))).unwrap();
            }
        }
        std::fs::write(self.path().join("always"), b"one file at least").unwrap();
    }
}

type Generations = BTreeMap<SessionId, (PathBuf, Tree)>;

/// The memory behind it all, and what it must hold.
struct Arena {
    memory: Memory,
    generations: Mutex<Generations>,
}

impl Arena {
    fn new() -> Self {
        let memory = Memory::new();
        machine::create_small(&memory).unwrap();
        Arena {
            memory,
            generations: Mutex::default(),
        }
    }

    fn plain(&self) -> Arc<dyn Remote> {
        Arc::new(self.memory.clone())
    }

    fn backup(
        &self,
        machine: &Machine,
        remote: Arc<dyn Remote>,
        source: &Path,
        checkpoint: Duration,
    ) -> Result<SessionId> {
        let repo = machine.open(remote)?;
        let mut options = machine.options(&[source]);
        options.checkpoint = checkpoint;
        let report = backup::run(&repo, &options, None, &Quiet)?;
        let id = report.snapshot.unwrap();
        let tree = oracle::walk(source);
        self.generations
            .lock()
            .unwrap()
            .insert(id, (source.to_path_buf(), tree));
        Ok(id)
    }

    /// Forgets one generation, if there is one of `source`.
    fn forget_one(
        &self,
        machine: &Machine,
        remote: Arc<dyn Remote>,
        source: &Path,
        random: &mut Random,
    ) -> Result<()> {
        let ids: Vec<SessionId> = {
            let generations = self.generations.lock().unwrap();
            generations
                .iter()
                .filter(|(_, (path, _))| path == source)
                .map(|(id, _)| *id)
                .collect()
        };
        let Some(id) = random.pick(&ids) else {
            return Ok(());
        };
        self.generations.lock().unwrap().remove(id);
        forget::apply(&machine.open(remote)?, &[*id])
    }

    /// Everything published and not forgotten is whole, and nothing is found to be wrong.
    fn verify(&self, context: &str) {
        let machine = Machine::new("judge");
        let repo = machine.open(self.plain()).unwrap();
        let (snapshots, bad) = repo.snapshots().unwrap();
        assert!(bad.is_empty(), "{context}: {bad:?}");
        for (id, (source, tree)) in &*self.generations.lock().unwrap() {
            let found = oracle::generation(&repo, *id, source);
            let found = found.unwrap_or_else(|e| panic!("{context}: {id} of {}: {e}", source.display()));
            assert_same(tree, &found, context);
        }
        for snapshot in snapshots {
            oracle::read_all(&repo, snapshot.id)
                .unwrap_or_else(|e| panic!("{context}: {}: {e}", snapshot.id));
        }
        let options = check::CheckOptions {
            read_data: check::ReadData::None,
        };
        let told = machine::Noting::default();
        let report = check::run(&repo, &options, &told).unwrap();
        assert_eq!(report.num_errors, 0, "{context}: {:?}", told.problems());
    }
}

/// What another's collection may do to a run: end it, so that it must be started again. Nothing else.
fn is_busy(error: &Error) -> bool {
    matches!(error, Error::ViewChanged | Error::Store(StoreError::Fenced))
}

/// Sleeps now and then, by the seed: most often not at all, sometimes long enough for anything to happen.
fn jitter(seed: u64) -> impl Fn(Operation, Option<Kind>) + Send + Sync + 'static {
    let calls = AtomicU64::new(0);
    move |_, _| {
        let call = calls.fetch_add(1, Ordering::Relaxed);
        let mut random = Random::new(seed.wrapping_mul(1_000_003).wrapping_add(call));
        match random.below(100) {
            0..60 => {}
            60..80 => std::thread::yield_now(),
            80..99 => std::thread::sleep(Duration::from_micros(random.below(2000))),
            _ => std::thread::sleep(Duration::from_millis(random.below(60))),
        }
    }
}

/// Counts of what happened, so that a test can check that something did.
#[derive(Default)]
struct Events {
    backups: AtomicU64,
    ended: AtomicU64,
    pruned: AtomicU64,
}

fn write(arena: &Arena, seed: u64, rounds: usize, events: &Events) {
    let mut machine = Machine::new(&format!("writer {seed}"));
    let remote: Arc<dyn Remote> = Arc::new(Hooked::new(arena.plain(), jitter(seed)));
    let mut source = Source::new(seed);
    let mut random = Random::new(seed ^ 0xabc);
    for _ in 0..rounds {
        source.change(5);
        let checkpoint = if random.chance(30) {
            Duration::ZERO
        } else {
            PATIENT
        };
        match arena.backup(&machine, remote.clone(), &source.path(), checkpoint) {
            Ok(_) => events.backups.fetch_add(1, Ordering::Relaxed),
            Err(e) if is_busy(&e) => events.ended.fetch_add(1, Ordering::Relaxed),
            Err(e) => panic!("seed {seed}: backup: {e:?}"),
        };
        if random.chance(50) {
            let forgotten = arena.forget_one(&machine, remote.clone(), &source.path(), &mut random);
            forgotten.unwrap_or_else(|e| panic!("seed {seed}: forget: {e:?}"));
        }
        match random.below(6) {
            0 => machine.lose_cache(),
            1 => machine = Machine::new(&machine.host),
            _ => {}
        }
    }
}

fn collect(arena: &Arena, seed: u64, hasty: u64, stop: &AtomicBool, events: &Events) {
    let machine = Machine::new(&format!("collector {seed}"));
    let remote: Arc<dyn Remote> = Arc::new(Hooked::new(arena.plain(), jitter(seed)));
    let mut random = Random::new(seed);
    while !stop.load(Ordering::Relaxed) {
        let stale = if random.chance(hasty) { HASTY } else { PATIENT };
        let repo = machine.open(remote.clone()).unwrap();
        match machine::prune(&repo, stale) {
            Ok(summary) => events.pruned.fetch_add(summary.packs_deleted, Ordering::Relaxed),
            Err(e) => panic!("seed {seed}: prune: {e:?}"),
        };
    }
}

fn fight(seed: u64, writers: u64, collectors: u64, hasty: u64) {
    let (arena, stop, events) = (Arena::new(), AtomicBool::new(false), Events::default());
    std::thread::scope(|scope| {
        let (arena, stop, events) = (&arena, &stop, &events);
        for number in 0..collectors {
            scope.spawn(move || collect(arena, seed * 1000 + 500 + number, hasty, stop, events));
        }
        let writing: Vec<_> = (0..writers)
            .map(|number| scope.spawn(move || write(arena, seed * 1000 + number, 6, events)))
            .collect();
        let ended: Vec<_> = writing.into_iter().map(|thread| thread.join()).collect();
        stop.store(true, Ordering::Relaxed);
        assert!(ended.iter().all(|result| result.is_ok()), "seed {seed}");
    });
    let context = format!("seed {seed}");
    arena.verify(&context);
    assert!(
        events.backups.load(Ordering::Relaxed) > 0,
        "{context}: no backup came through"
    );
    // In peace, what is left over goes, and only that.
    let machine = Machine::new("peace");
    let repo = machine.open(arena.plain()).unwrap();
    machine::prune(&repo, HASTY).unwrap();
    let last = machine::prune(&repo, HASTY).unwrap();
    assert!(!last.pending && last.packs_unneeded == 0, "{context}: {last:?}");
    drop(repo);
    arena.verify(&format!("{context}, in the end"));
}

#[test]
fn writers_beside_a_patient_collector() {
    for seed in seeds(2) {
        fight(seed, 3, 1, 0);
    }
}

#[test]
fn writers_beside_hasty_collectors() {
    for seed in seeds(2) {
        fight(seed, 2, 2, 40);
    }
}

/// An arena where there is something to collect: two generations, the older one forgotten.
fn with_garbage(seed: u64) -> (Arena, Machine, Source) {
    let arena = Arena::new();
    let machine = Machine::new("alpha");
    let mut source = Source::new(seed);
    for _ in 0..2 {
        arena
            .backup(&machine, arena.plain(), &source.path(), PATIENT)
            .unwrap();
        source.change(25);
    }
    let first = *arena.generations.lock().unwrap().keys().next().unwrap();
    arena.generations.lock().unwrap().remove(&first);
    forget::apply(&machine.open(arena.plain()).unwrap(), &[first]).unwrap();
    (arena, machine, source)
}

/// Calls `act` before the operation number `nth`, once. Whether it came is in the flag.
fn at_operation(
    nth: u64,
    act: impl Fn() + Send + Sync + 'static,
) -> (
    impl Fn(Operation, Option<Kind>) + Send + Sync + 'static,
    Arc<AtomicBool>,
) {
    let calls = AtomicU64::new(0);
    let came = Arc::new(AtomicBool::new(false));
    let flag = came.clone();
    let hook = move |_: Operation, _: Option<Kind>| {
        if calls.fetch_add(1, Ordering::Relaxed) == nth {
            flag.store(true, Ordering::Relaxed);
            act();
        }
    };
    (hook, came)
}

/// A whole collection in every gap between two operations of a backup.
fn collection_within_backup(stale: Duration, checkpoint: Duration) {
    for nth in 0.. {
        let (arena, machine, source) = with_garbage(nth);
        let collector = Machine::new("collector");
        let memory = arena.plain();
        let (hook, came) = at_operation(nth, move || {
            let repo = collector.open(memory.clone()).unwrap();
            machine::prune(&repo, stale).unwrap();
        });
        let remote = Arc::new(Hooked::new(arena.plain(), hook));
        let context = format!("collection at {nth} of a backup");
        arena
            .backup(&machine, remote, &source.path(), checkpoint)
            .unwrap_or_else(|e| panic!("{context}: {e:?}"));
        arena.verify(&context);
        let repo = machine.open(arena.plain()).unwrap();
        machine::prune(&repo, HASTY).unwrap();
        arena.verify(&format!("{context}, and another after it"));
        if !came.load(Ordering::Relaxed) {
            assert!(nth > 10);
            return;
        }
    }
}

#[test]
fn a_patient_collection_at_every_step_of_a_backup() {
    collection_within_backup(PATIENT, PATIENT);
}

#[test]
fn a_hasty_collection_at_every_step_of_a_backup() {
    collection_within_backup(HASTY, PATIENT);
}

#[test]
fn a_patient_collection_at_every_step_of_a_backup_with_checkpoints() {
    collection_within_backup(PATIENT, Duration::ZERO);
}

/// A whole backup in every gap between two operations of a collection. What it stores is in part what is being
/// deleted.
#[test]
fn a_backup_at_every_step_of_a_collection() {
    for nth in 0.. {
        let (arena, machine, source) = with_garbage(nth);
        let arena = Arc::new(arena);
        let path = source.path();
        let writer = Machine::new("beta");
        let (hook, came) = {
            let (arena, path) = (arena.clone(), path.clone());
            at_operation(nth, move || {
                arena.backup(&writer, arena.plain(), &path, PATIENT).unwrap();
            })
        };
        let repo = machine.open(Arc::new(Hooked::new(arena.plain(), hook))).unwrap();
        let context = format!("backup at {nth} of a collection");
        machine::prune(&repo, PATIENT).unwrap_or_else(|e| panic!("{context}: {e:?}"));
        drop(repo);
        arena.verify(&context);
        if !came.load(Ordering::Relaxed) {
            assert!(nth > 10);
            return;
        }
    }
}

/// Around a checkpoint workers go on putting packs, which no segment lists yet. These must not be taken for garbage.
#[test]
fn packs_put_between_two_sessions_are_in_good_hands() {
    for pause in [20, 100, 400] {
        let arena = Arc::new(Arena::new());
        let work = tempfile::tempdir().unwrap();
        let source = work.path().join("source");
        std::fs::create_dir(&source).unwrap();
        let mut random = Random::new(77);
        for file in 0..20 {
            let mut bytes = vec![0; 2 << 20];
            random.fill(&mut bytes);
            std::fs::write(source.join(file.to_string()), bytes).unwrap();
        }
        let collector = Machine::new("collector");
        let (memory, deleted, sessions) = (arena.plain(), Arc::new(AtomicU64::new(0)), AtomicU64::new(0));
        let count = deleted.clone();
        let hook = move |operation: Operation, kind: Option<Kind>| {
            // The second session is that of the first checkpoint.
            if operation == Operation::Publish
                && kind == Some(Kind::Session)
                && sessions.fetch_add(1, Ordering::Relaxed) == 1
            {
                std::thread::sleep(Duration::from_millis(pause));
                let repo = collector.open(memory.clone()).unwrap();
                let summary = machine::prune_leaving(&repo, PATIENT, Unused::Unlimited).unwrap();
                count.fetch_add(summary.packs_deleted, Ordering::Relaxed);
            }
        };
        let machine = Machine::new("alpha").with_threads(1);
        let repo = machine.open(Arc::new(Hooked::new(arena.plain(), hook))).unwrap();
        let mut options = machine.options(&[&source]);
        options.checkpoint = Duration::ZERO;
        let report = backup::run(&repo, &options, None, &Quiet).unwrap();
        drop(repo);
        let generation = (source.clone(), oracle::walk(&source));
        arena
            .generations
            .lock()
            .unwrap()
            .insert(report.snapshot.unwrap(), generation);
        arena.verify(&format!("a collection {pause} ms into a checkpoint"));
        assert_eq!(
            deleted.load(Ordering::Relaxed),
            0,
            "a running backup's packs were collected"
        );
    }
}
