//! A crash at every operation that changes the repository, with and without a torn write, and with a power cut that
//! takes what no barrier had covered. Afterwards every generation that was ever acknowledged is whole, and the job
//! can be run again to its end.

use chunkstore::chunker::Bounds;
use chunkstore::remote::{Memory, ObjectName, Remote};
use chunkstore::slot::Cost;
use chunkstore::{Error as StoreError, SessionId};
use engine::error::Result;
use engine::monitor::{ProblemKind, Quiet};
use engine::{backup, check, forget};
use kit::machine::{self, Machine};
use kit::oracle::{self, Tree, assert_same};
use kit::random::{Random, seeds};
use kit::remotes::{Faulty, contents};
use kit::tree::{Shape, TreeMaker};
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How the power goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Crash {
    /// The process ends before the operation.
    Killed,
    /// The same, and half of a write was put down.
    Torn,
    /// The machine ends: names that no barrier covered are gone.
    PowerCut,
    /// Of those names, some are there.
    PartialPowerCut,
}

const CRASHES: [Crash; 4] = [
    Crash::Killed,
    Crash::Torn,
    Crash::PowerCut,
    Crash::PartialPowerCut,
];

/// A repository on a faulty remote, a machine, and what the acknowledged generations must hold.
struct World {
    memory: Memory,
    faulty: Faulty,
    machine: Machine,
    source: PathBuf,
    acknowledged: BTreeMap<SessionId, Tree>,
}

impl World {
    fn empty(source: &Path) -> Self {
        let memory = Memory::new();
        World {
            faulty: Faulty::new(Arc::new(memory.clone())),
            memory,
            machine: Machine::new("alpha"),
            source: source.to_path_buf(),
            acknowledged: BTreeMap::new(),
        }
    }

    /// The same world again, to be changed on its own.
    fn fork(&self) -> Self {
        let memory = Memory::new();
        for (name, bytes) in contents(&self.memory).unwrap() {
            memory.put(&name, &bytes).unwrap();
        }
        World {
            faulty: Faulty::new(Arc::new(memory.clone())),
            memory,
            machine: self.machine.copy(),
            source: self.source.clone(),
            acknowledged: self.acknowledged.clone(),
        }
    }

    fn remote(&self) -> Arc<dyn Remote> {
        Arc::new(self.faulty.clone())
    }

    /// Forgets the oldest of the acknowledged generations, if there is more than one.
    fn forget(&mut self) -> Result<()> {
        let repo = self.machine.open(self.remote())?;
        let (snapshots, _) = repo.snapshots()?;
        let known = |id: &SessionId| self.acknowledged.contains_key(id);
        let Some(oldest) = snapshots.iter().map(|snapshot| snapshot.id).find(known) else {
            return Ok(());
        };
        if self.acknowledged.len() > 1 {
            // From when it was asked for, it may be gone.
            self.acknowledged.remove(&oldest);
            forget::apply(&repo, &[oldest])?;
        }
        Ok(())
    }

    fn prune(&mut self) -> Result<()> {
        let repo = self.machine.open(self.remote())?;
        machine::prune(&repo, NEVER).map(drop)
    }

    fn init(&mut self) -> Result<()> {
        match machine::create(&self.faulty, Bounds::FINE) {
            Err(StoreError::RepositoryExists { .. }) => Ok(()),
            done => Ok(done?),
        }
    }

    fn backup(&mut self, checkpoint: Duration) -> Result<()> {
        let repo = self.machine.open(self.remote())?;
        let mut options = self.machine.options(&[&self.source]);
        options.checkpoint = checkpoint;
        let report = backup::run(&repo, &options, None, &Quiet)?;
        assert_eq!(report.summary.errors, 0);
        let tree = oracle::walk(&self.source);
        self.acknowledged.insert(report.snapshot.unwrap(), tree);
        Ok(())
    }

    /// Everything that must hold at any moment, crash or not.
    fn verify(&self, context: &str) {
        if self.memory.size(&ObjectName::config()).unwrap().is_none() {
            assert!(self.acknowledged.is_empty(), "{context}: the repository is gone");
            return;
        }
        let repo = self.machine.open_either(Arc::new(self.memory.clone())).unwrap();
        let (snapshots, bad) = repo.snapshots().unwrap();
        assert!(bad.is_empty(), "{context}: {bad:?}");
        let ids: HashSet<SessionId> = snapshots.iter().map(|snapshot| snapshot.id).collect();
        for (id, tree) in &self.acknowledged {
            assert!(ids.contains(id), "{context}: {id} was acknowledged and is gone");
            let found = oracle::generation(&repo, *id, &self.source);
            let found = found.unwrap_or_else(|e| panic!("{context}: {id}: {e}"));
            assert_same(tree, &found, context);
        }
        // What was published without being acknowledged, checkpoints too, is whole all the same.
        for id in ids.iter().filter(|id| !self.acknowledged.contains_key(id)) {
            oracle::read_all(&repo, *id).unwrap_or_else(|e| panic!("{context}: unacknowledged {id}: {e}"));
        }
        let options = check::CheckOptions {
            read_data: check::ReadData::None,
        };
        let told = machine::Noting::default();
        check::run(&repo, &options, &told).unwrap();
        let mut problems = told.problems();
        problems.retain(|problem| matches!(problem.what, ProblemKind::Damage { .. }));
        // A crash right after `config` leaves the slots of a try before it; they open nothing and do no harm.
        problems.retain(|problem| !(context.starts_with("init") && problem.path.starts_with(b"keys/")));
        assert!(problems.is_empty(), "{context}: {problems:?}");
    }
}

type Job<'a> = &'a dyn Fn(&mut World) -> Result<()>;

/// Runs `job` on forks of `world`, crashed at its first change, its second, and so on until it comes to its end.
fn crash_everywhere(name: &str, world: &World, job: Job) {
    for crash in CRASHES {
        let mut at = 0;
        loop {
            let context = format!("{name}, {crash:?} at {at}");
            let mut fork = world.fork();
            match crash {
                Crash::Torn => fork.faulty.crash_torn(at),
                _ => fork.faulty.crash_at(at),
            }
            let result = job(&mut fork);
            let crashed = fork.faulty.crashed();
            assert!(crashed || result.is_ok(), "{context}: {result:?}");
            aftermath(&mut fork, crash, at);
            fork.verify(&context);
            job(&mut fork).unwrap_or_else(|e| panic!("{context}: run again: {e}"));
            fork.verify(&format!("{context}, run again"));
            if !crashed {
                assert!(at > 0, "{context}: it changes nothing");
                break;
            }
            at += 1;
        }
    }
}

fn aftermath(world: &mut World, crash: Crash, seed: u64) {
    let mut random = Random::new(seed);
    match crash {
        Crash::Killed | Crash::Torn => 0,
        Crash::PowerCut => world.faulty.power_cut(&mut |_| false).unwrap(),
        Crash::PartialPowerCut => world.faulty.power_cut(&mut |_| random.chance(50)).unwrap(),
    };
    world.faulty.restart();
}

/// A tree, and a world whose repository holds `generations` of it.
struct Scene {
    _work: tempfile::TempDir,
    maker: TreeMaker,
    world: World,
}

const NEVER: Duration = Duration::from_secs(3600);

impl Scene {
    fn new(seed: u64, generations: usize) -> Self {
        let work = tempfile::tempdir().unwrap();
        let source = work.path().join("source");
        let mut maker = TreeMaker::new(
            &source,
            seed,
            Shape {
                files: 12,
                ..Shape::SMALL
            },
        );
        maker.populate();
        let mut world = World::empty(&source);
        if generations > 0 {
            world.init().unwrap();
        }
        for _ in 0..generations {
            world.backup(NEVER).unwrap();
            maker.edit(6);
        }
        Scene {
            _work: work,
            maker,
            world,
        }
    }
}

#[test]
fn making_a_repository() {
    let scene = Scene::new(31, 0);
    crash_everywhere("init", &scene.world, &|world| {
        world.init()?;
        world.machine.open(world.remote()).map(drop)
    });
}

#[test]
fn first_backup() {
    let mut scene = Scene::new(32, 0);
    scene.world.init().unwrap();
    crash_everywhere("first backup", &scene.world, &|world| world.backup(NEVER));
}

#[test]
fn another_backup() {
    let scene = Scene::new(33, 2);
    crash_everywhere("second backup", &scene.world, &|world| world.backup(NEVER));
}

#[test]
fn backup_with_checkpoints() {
    let mut scene = Scene::new(34, 1);
    scene.maker.edit(10);
    crash_everywhere("checkpoints", &scene.world, &|world| world.backup(Duration::ZERO));
}

#[test]
fn forgetting() {
    let scene = Scene::new(36, 3);
    crash_everywhere("forget", &scene.world, &|world| world.forget());
}

#[test]
fn collection() {
    let mut scene = Scene::new(37, 3);
    scene.world.forget().unwrap();
    scene.world.forget().unwrap();
    crash_everywhere("prune", &scene.world, &|world| world.prune());
}

/// What a crashed backup left behind is collected, too.
#[test]
fn collection_of_an_abandoned_backup() {
    let mut scene = Scene::new(38, 2);
    scene.world.forget().unwrap();
    scene.maker.edit(20);
    let before = scene.world.faulty.operations();
    let mut rehearsal = scene.world.fork();
    // Without checkpoints, which come by the clock and add to the changes: the crash comes before the end in any case.
    rehearsal.backup(NEVER).unwrap();
    let changes = rehearsal.faulty.operations();
    scene.world.faulty.crash_at(before + changes * 2 / 3);
    assert!(scene.world.backup(Duration::ZERO).is_err());
    scene.world.faulty.restart();
    crash_everywhere("prune after a crash", &scene.world, &|world| world.prune());
}

/// Everything in turn, with a crash or two in each, by the seed.
fn live_dangerously(seed: u64) {
    let mut scene = Scene::new(seed, 1);
    let mut random = Random::new(seed);
    for step in 0..8 {
        let job = random.below(4);
        scene.maker.edit(4);
        let run = |world: &mut World| match job {
            0 => world.backup(NEVER),
            1 => world.backup(Duration::ZERO),
            2 => world.forget(),
            _ => world.prune(),
        };
        for _ in 0..1 + random.below(2) {
            let crash = CRASHES[random.below(4) as usize];
            let at = random.below(60);
            match crash {
                Crash::Torn => scene.world.faulty.crash_torn(at),
                _ => scene.world.faulty.crash_at(at),
            }
            let context = format!("seed {seed}, step {step}: job {job}, {crash:?} at {at}");
            let result = run(&mut scene.world);
            assert!(
                scene.world.faulty.crashed() || result.is_ok(),
                "{context}: {result:?}"
            );
            aftermath(&mut scene.world, crash, seed ^ at);
            scene.world.verify(&context);
            match random.below(8) {
                0 => scene.world.machine.lose_cache(),
                1 => scene.world.machine.lose_state(),
                _ => {}
            }
        }
    }
    scene.world.prune().unwrap();
    scene.world.backup(NEVER).unwrap();
    scene.world.verify(&format!("seed {seed}, in the end"));
}

#[test]
fn one_crash_after_another() {
    for seed in seeds(4) {
        live_dangerously(seed);
    }
}

/// Some key opens the repository at any moment.
#[test]
fn change_of_key() {
    let scene = Scene::new(35, 1);
    crash_everywhere("key change", &scene.world, &|world| {
        let store = world.machine.open_either(world.remote())?.store;
        store.add_slot(&machine::other_secret(), Cost::FLOOR, "new", 1)?;
        for slot in store.slots()? {
            if slot.current {
                store.remove_slot(slot.id)?;
            }
        }
        Ok(())
    });
}
