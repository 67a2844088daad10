//! A repository on simulated storage, a machine, the jobs there are, and what must be there whatever becomes of them.

use crate::generation::{self, Files, noise};
use crate::machine::{self, Machine};
use crate::plain;
use crate::random::Random;
use crate::remotes::{Simulated, listed};
use chunkstore::remote::{Kind, ObjectName, Remote};
use chunkstore::simulation;
use chunkstore::slot::Cost;
use chunkstore::sweep::Unused;
use chunkstore::{Error as StoreError, SessionId};
use engine::error::{Error, Result};
use engine::monitor::{ProblemKind, Quiet};
use engine::{check, forget, repair};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const NEVER: Duration = Duration::from_secs(3600);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Job {
    Init,
    First,
    Backup,
    Forget,
    Undelete,
    Collect,
    Repack,
    Key,
    Rebuild,
    Repair,
}

impl Job {
    pub const ALL: [Job; 10] = [
        Job::Init,
        Job::First,
        Job::Backup,
        Job::Forget,
        Job::Undelete,
        Job::Collect,
        Job::Repack,
        Job::Key,
        Job::Rebuild,
        Job::Repair,
    ];
}

/// Storage, a machine, and what must be there.
pub struct World {
    seed: u64,
    pub storage: Simulated,
    pub machine: Machine,
    alive: BTreeMap<SessionId, Files>,
    /// Forgotten, and not collected.
    trash: BTreeMap<SessionId, Files>,
    parent: Files,
    number: u64,
    parity: Option<u8>,
    /// Damaged, and not repaired yet: what must hold then is that it can be.
    hurt: bool,
}

impl World {
    pub fn new(seed: u64) -> Self {
        World {
            seed,
            storage: Simulated::new(seed),
            machine: Machine::quick("alpha"),
            alive: BTreeMap::new(),
            trash: BTreeMap::new(),
            parent: Files::new(),
            number: 0,
            parity: None,
            hurt: false,
        }
    }

    /// As it is right before the job.
    pub fn before(job: Job, seed: u64) -> Self {
        let mut world = World::new(seed);
        if job == Job::Init {
            return world;
        }
        world.parity = (job == Job::Repair).then_some(20);
        world.init().unwrap();
        let generations = match job {
            Job::First => 0,
            Job::Key | Job::Rebuild => 1,
            Job::Collect | Job::Repack => 3,
            _ => 2,
        };
        for _ in 0..generations {
            world.backup().unwrap();
        }
        match job {
            Job::Undelete => world.forget().unwrap(),
            Job::Collect | Job::Repack => {
                world.forget().unwrap();
                world.forget().unwrap();
            }
            Job::Rebuild => world.machine.lose_cache(),
            Job::Repair => world.damage(),
            _ => {}
        }
        world.storage.restart();
        world
    }

    pub fn fork(&self, seed: u64) -> Self {
        World {
            seed: self.seed,
            storage: self.storage.fork(seed),
            machine: self.machine.quick_copy(),
            alive: self.alive.clone(),
            trash: self.trash.clone(),
            parent: self.parent.clone(),
            number: self.number,
            parity: self.parity,
            hurt: self.hurt,
        }
    }

    fn remote(&self) -> Arc<dyn Remote> {
        Arc::new(self.storage.clone())
    }

    pub fn run(&mut self, job: Job) -> Result<()> {
        match job {
            Job::Init => self.init(),
            Job::First | Job::Backup => self.backup(),
            Job::Forget => self.forget(),
            Job::Undelete => self.undelete(),
            Job::Collect => self.collect(Unused::Unlimited),
            Job::Repack => self.collect(Unused::Bytes(0)),
            Job::Key => self.change_key(),
            Job::Rebuild => self.read_by_index(),
            Job::Repair => self.repair(),
        }
    }

    fn init(&mut self) -> Result<()> {
        match machine::create_small_with(&self.storage, self.parity) {
            Err(StoreError::RepositoryExists { .. }) => Ok(()),
            made => Ok(made?),
        }
    }

    /// About half of the files are new, in bundles, chunks and lists of them.
    fn backup(&mut self) -> Result<()> {
        let repo = self.machine.open_either(self.remote())?;
        let mut random = Random::new(self.seed * 1000 + self.number);
        let mut files = self.parent.clone();
        for file in 0..3 + random.below(3) {
            let len = [200, 2000, 30_000][random.below(3) as usize];
            files.insert(format!("d/{file}"), noise(random.next(), len));
        }
        let id = generation::successor(&repo, self.number + 1, &files, &self.parent)?;
        self.number += 1;
        self.alive.insert(id, files.clone());
        self.parent = files;
        Ok(())
    }

    fn forget(&mut self) -> Result<()> {
        let repo = self.machine.open_either(self.remote())?;
        let (snapshots, _) = repo.snapshots()?;
        let known = |id: &SessionId| self.alive.contains_key(id);
        let Some(oldest) = snapshots.iter().map(|snapshot| snapshot.id).find(known) else {
            return Ok(());
        };
        if let Some(files) = self.alive.remove(&oldest) {
            self.trash.insert(oldest, files);
        }
        forget::apply(&repo, &[oldest])
    }

    fn undelete(&mut self) -> Result<()> {
        let repo = self.machine.open_either(self.remote())?;
        let Some((id, files)) = self
            .trash
            .first_key_value()
            .map(|(id, files)| (*id, files.clone()))
        else {
            return Ok(());
        };
        let new = match forget::undelete(&repo, id, &Quiet) {
            // It came back, without notice.
            Err(Error::NoSnapshot(_)) => None,
            new => Some(new?),
        };
        self.trash.remove(&id);
        self.alive.extend(new.map(|new| (new, files)));
        Ok(())
    }

    fn collect(&mut self, unused: Unused) -> Result<()> {
        let repo = self.machine.open_either(self.remote())?;
        self.trash.clear();
        machine::prune_leaving(&repo, NEVER, unused).map(drop)
    }

    fn change_key(&mut self) -> Result<()> {
        let store = self.machine.open_either(self.remote())?.store;
        store.add_slot(&machine::other_secret(), Cost::FLOOR, "new", 1)?;
        for slot in store.slots()? {
            if slot.current {
                store.remove_slot(slot.id)?;
            }
        }
        Ok(())
    }

    fn read_by_index(&mut self) -> Result<()> {
        let repo = self.machine.open_either(self.remote())?;
        for (id, files) in &self.alive {
            assert!(
                generation::read_back(&repo, *id)? == *files,
                "other bytes came back"
            );
        }
        Ok(())
    }

    /// An index segment is gone, and in each pack a byte is another.
    fn damage(&mut self) {
        let segments = listed(&self.storage, Kind::Index).unwrap();
        self.storage.delete(&segments[0].0).unwrap();
        self.storage.barrier().unwrap();
        for (number, (pack, size)) in listed(&self.storage, Kind::Pack).unwrap().iter().enumerate() {
            self.storage
                .hurt(pack, (*size as usize / 2 + number * 97) % *size as usize);
        }
        self.hurt = true;
    }

    fn repair(&mut self) -> Result<()> {
        let options = repair::RepairOptions { dry_run: false };
        repair::parity_on(&self.storage, &self.machine.run(), None, false, &Quiet)?;
        let repo = self.machine.open_either(self.remote())?;
        repair::index(&repo, &options, &Quiet)?;
        repair::packs(&repo, &[], &options, &Quiet)?;
        repair::snapshots(&repo, &[], &options, &Quiet)?;
        // Storage that hides objects hides what is to be repaired.
        self.hurt &= self.storage.struck();
        Ok(())
    }

    /// What must hold at any moment.
    pub fn verify(&self, context: &str, thorough: bool) {
        if self.hurt {
            let mut mended = self.fork(self.seed);
            let done = mended.repair();
            done.unwrap_or_else(|e| panic!("{context}: to be repaired: {e:?}"));
            return mended.verify(&format!("{context}, repaired"), thorough);
        }
        if self.storage.size(&ObjectName::config()).unwrap().is_none() {
            assert!(self.alive.is_empty(), "{context}: the repository is gone");
            return;
        }
        let repo = self.machine.open_either(self.remote());
        let repo = repo.unwrap_or_else(|e| panic!("{context}: {e}"));
        let (snapshots, bad) = repo.snapshots().unwrap();
        assert!(bad.is_empty(), "{context}: {bad:?}");
        // What was published without being acknowledged is whole all the same.
        let mut ids: Vec<SessionId> = snapshots.iter().map(|snapshot| snapshot.id).collect();
        ids.extend(self.alive.keys());
        let read = plain::read_each(&repo, &ids).unwrap_or_else(|e| panic!("{context}: {e}"));
        for (id, read) in ids.iter().zip(read) {
            let found = read.unwrap_or_else(|e| panic!("{context}: {id}: {e}"));
            let expected = self.alive.get(id);
            assert!(
                expected.is_none_or(|files| *files == found),
                "{context}: {id} is changed"
            );
        }
        if thorough {
            let options = check::CheckOptions {
                read_data: check::ReadData::All,
            };
            let told = machine::Noting::default();
            check::run(&repo, &options, &told).unwrap();
            let mut problems = told.problems();
            problems.retain(|problem| matches!(problem.what, ProblemKind::Damage { .. }));
            // Slots of a try to make a repository that ended before its `config` open nothing and do no harm.
            problems.retain(|problem| !(context.contains("Init") && problem.path.starts_with(b"keys/")));
            assert!(problems.is_empty(), "{context}: {problems:?}");
        }
    }
}

/// From here on random numbers of this thread come from the case's name.
pub fn reseed(case: &str) {
    simulation::seed(Some(*blake3::hash(case.as_bytes()).as_bytes()));
}
