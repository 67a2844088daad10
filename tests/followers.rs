//! Backups to two destinations on simulated storage. The program ends before, within and after each change of either
//! destination, with and without the power going; or only that destination goes away; and each operation of either suffers
//! each fault of the matrix. At no destination is a generation lost that it is known to have, and what the second lacks is
//! brought by the next replication.
//!
//! What the two threads at the second destination do at once has no order that a seed determines.

use chunkstore::SessionId;
use chunkstore::intake::Intake;
use chunkstore::remote::Remote;
use engine::error::Result;
use engine::monitor::{ProblemKind, Quiet};
use engine::replicate::{self, Follow, Followed, Follower, Followers, Replicated};
use engine::repo::Repo;
use engine::run::RunContext;
use engine::{check, forget};
use kit::generation::{self, Files, noise};
use kit::machine::{self, Machine, Noting};
use kit::plain;
use kit::random::{Random, campaign};
use kit::remotes::{Simulated, StorageFault, When};
use kit::world::reseed;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

const CRASHES: u64 = 2000;
const FAULTS: u64 = 1500;
const NEVER: Duration = Duration::from_secs(3600);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Side {
    First,
    Second,
}

/// What ends at a change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ends {
    Program,
    Destination,
}

const CRASH: [(Side, Ends); 4] = [
    (Side::First, Ends::Program),
    (Side::Second, Ends::Program),
    (Side::First, Ends::Destination),
    (Side::Second, Ends::Destination),
];

/// A repository, its replica, and the machine that backs up to both.
struct Pair {
    seed: u64,
    first: Simulated,
    second: Simulated,
    machine: Machine,
    /// What the first destination must have.
    alive: BTreeMap<SessionId, Files>,
    /// What the second must have, by the name at the first.
    there: BTreeMap<SessionId, Files>,
    /// All that was ever published at the first, as far as that was reported.
    told: BTreeMap<SessionId, Files>,
    parent: Files,
    number: u64,
}

impl Pair {
    /// Right before a backup. The replica may be empty, behind or current.
    fn before(seed: u64) -> Pair {
        let (first, second) = (Simulated::new(seed), Simulated::new(seed + 1));
        let mut pair = Pair {
            seed,
            first,
            second,
            machine: Machine::quick("alpha"),
            alive: BTreeMap::new(),
            there: BTreeMap::new(),
            told: BTreeMap::new(),
            parent: Files::new(),
            number: 0,
        };
        let parity = seed.is_multiple_of(4).then_some(20);
        machine::create_small_with(&pair.first, parity).unwrap();
        let repo = pair.open().unwrap();
        repo.store.make_replica(&pair.second, 1).unwrap();
        let mut random = Random::new(seed);
        for _ in 0..seed % 3 {
            pair.backup(&[]).unwrap();
            if random.chance(60) {
                pair.catch_up("before");
            }
        }
        if pair.alive.len() > 1 && random.chance(30) {
            let (oldest, _) = pair.alive.pop_first().unwrap();
            forget::apply(&pair.open().unwrap(), &[oldest]).unwrap();
        }
        pair.restart();
        pair
    }

    fn fork(&self, seed: u64) -> Pair {
        Pair {
            first: self.first.fork(seed),
            second: self.second.fork(seed + 1),
            machine: self.machine.quick_copy(),
            alive: self.alive.clone(),
            there: self.there.clone(),
            told: self.told.clone(),
            parent: self.parent.clone(),
            ..*self
        }
    }

    fn at(&self, side: Side) -> &Simulated {
        match side {
            Side::First => &self.first,
            Side::Second => &self.second,
        }
    }

    /// The next program, and both destinations are there.
    fn restart(&mut self) {
        // Each is used alone from now on, unless it is said otherwise.
        self.first.used_alone();
        self.second.used_alone();
        self.first.restart();
        self.second.restart();
    }

    fn open(&self) -> Result<Repo> {
        self.machine.open_either(Arc::new(self.first.clone()))
    }

    fn replica(&self, first: &Repo) -> Result<Repo> {
        let second: Arc<dyn Remote> = Arc::new(self.second.clone());
        first.open_replica_on(second)
    }

    /// About half of the files are new.
    fn backup(&mut self, intakes: &[Arc<Intake>]) -> Result<SessionId> {
        let repo = self.open()?;
        self.backup_to(&repo, intakes)
    }

    fn backup_to(&mut self, repo: &Repo, intakes: &[Arc<Intake>]) -> Result<SessionId> {
        let mut random = Random::new(self.seed * 1000 + self.number);
        // Of a try that failed, too: what it may have published has its own time.
        self.number += 1;
        let mut files = self.parent.clone();
        for file in 0..3 + random.below(3) {
            let len = [200, 2000, 30_000][random.below(3) as usize];
            files.insert(format!("d/{file}"), noise(random.next(), len));
        }
        let id = generation::followed(repo, self.number, &files, &self.parent, intakes)?;
        self.alive.insert(id, files.clone());
        self.told.insert(id, files.clone());
        self.parent = files;
        Ok(id)
    }

    /// One backup to both, and what became of the second.
    fn run(&mut self) -> Result<Followed> {
        let repo = Arc::new(self.open()?);
        // As a backup does before it begins: this machine knows now what is there.
        repo.survey_outlines()?;
        let second: Arc<dyn Remote> = Arc::new(self.second.clone());
        let open = move |first: &Repo, _: &Follower, _: &RunContext| first.open_replica_on(second.clone());
        let follow = Follow {
            options: options(),
            wait: NEVER,
        };
        let follower = Follower {
            name: "second".to_string(),
            url: "/second".to_string(),
        };
        let followers = Followers::start_with(&repo, vec![follower], follow, Arc::new(open))?;
        let intakes = followers.intakes();
        let made = match self.backup_to(&repo, &intakes) {
            Ok(made) => made,
            Err(e) => {
                followers.give_up();
                return Err(e);
            }
        };
        let followed = followers.finish(Some(made), self.alive.len() as u64).remove(0);
        if followed.failure.is_none() && followed.behind == 0 {
            self.there.extend(self.alive.clone());
        }
        Ok(followed)
    }

    /// Brings the second up to the first.
    fn catch_up(&mut self, context: &str) {
        let first = self.open().unwrap();
        let second = self.replica(&first).unwrap();
        let mut done = Replicated::default();
        let brought = replicate::run(&first, &second, &options(), &Quiet, &mut done);
        brought.unwrap_or_else(|e| panic!("{context}: catching up: {e:?}"));
        assert_eq!(done.behind, 0, "{context}: {done:?}");
        self.there.extend(self.alive.clone());
    }

    /// What must hold at any moment, at both.
    fn verify(&self, context: &str, thorough: bool) {
        let first = self.open().unwrap();
        let found: BTreeMap<SessionId, Files> = read(&first, &format!("{context}, first"), thorough)
            .into_iter()
            .map(|(id, _, files)| (id, files))
            .collect();
        for (id, files) in &self.alive {
            assert!(found.get(id) == Some(files), "{context}: {id} is not what it was");
        }
        let second = self.replica(&first).unwrap();
        let found = read(&second, &format!("{context}, second"), thorough);
        let mut there = BTreeSet::new();
        for (id, original, files) in &found {
            let original = original.unwrap_or_else(|| panic!("{context}: {id} comes from nowhere"));
            let told = self.told.get(&original);
            assert!(
                told.is_none_or(|told| told == files),
                "{context}: {original} came changed"
            );
            there.insert(original);
        }
        for id in self.there.keys() {
            assert!(there.contains(id), "{context}: {id} is gone from the second");
        }
    }

    /// A collection at either, now and then.
    fn collect(&self, random: &mut Random, context: &str) {
        if random.chance(75) {
            return;
        }
        let first = self.open().unwrap();
        let repo = match random.chance(50) {
            true => first,
            false => self.replica(&first).unwrap(),
        };
        machine::prune(&repo, NEVER).unwrap_or_else(|e| panic!("{context}: prune: {e:?}"));
    }

    /// Whatever happened before: nothing is lost, the second catches up, and the next backup reaches both.
    fn aftermath(&mut self, random: &mut Random, context: &str) {
        self.restart();
        self.verify(context, false);
        self.collect(random, context);
        if random.chance(20) {
            self.machine.lose_cache();
        }
        if random.chance(50) {
            self.catch_up(context);
            self.verify(&format!("{context}, caught up"), false);
        }
        let followed = self.run();
        let followed = followed.unwrap_or_else(|e| panic!("{context}: run again: {e:?}"));
        assert!(
            followed.failure.is_none() && followed.behind == 0,
            "{context}, run again: {followed:?}"
        );
        self.verify(&format!("{context}, run again"), random.chance(5));
    }
}

fn options() -> replicate::ReplicateOptions {
    replicate::ReplicateOptions {
        all: false,
        dry_run: false,
    }
}

/// Each generation of a repository by the objects alone: its name, its original, and its files.
fn read(repo: &Repo, context: &str, thorough: bool) -> Vec<(SessionId, Option<SessionId>, Files)> {
    let (snapshots, bad) = repo.snapshots().unwrap();
    assert!(bad.is_empty(), "{context}: {bad:?}");
    let ids: Vec<SessionId> = snapshots.iter().map(|snapshot| snapshot.id).collect();
    let files = plain::read_each(repo, &ids).unwrap_or_else(|e| panic!("{context}: {e}"));
    let read = snapshots.iter().zip(files).map(|(snapshot, files)| {
        let files = files.unwrap_or_else(|e| panic!("{context}: {}: {e}", snapshot.id));
        (snapshot.id, snapshot.manifest.original, files)
    });
    let read = read.collect();
    if thorough {
        let options = check::CheckOptions {
            read_data: check::ReadData::All,
        };
        let told = Noting::default();
        check::run(repo, &options, &told).unwrap();
        let mut problems = told.problems();
        problems.retain(|problem| matches!(problem.what, ProblemKind::Damage { .. }));
        assert!(problems.is_empty(), "{context}: {problems:?}");
    }
    read
}

/// Ends the program, or one of the destinations, at each change of one. Returns how often that happened.
fn crash_everywhere((side, ends): (Side, Ends), seed: u64) -> u64 {
    let context = format!("{ends:?} ends at {side:?}, seed {seed}");
    reseed(&context);
    let pair = Pair::before(seed);
    let mut crashes = 0;
    for at in 0.. {
        let before = crashes;
        for (way, (when, power)) in When::WITH_POWER.into_iter().enumerate() {
            let context = format!("{context}, {when:?} change {at}, power cut {power}");
            reseed(&context);
            let mut random = Random::new(seed ^ (at << 8) ^ way as u64);
            let mut fork = pair.fork(at * 10 + way as u64);
            if ends == Ends::Program {
                fork.first.used_with(&fork.second);
            }
            fork.at(side).crash(at, when);
            let result = fork.run();
            let crashed = fork.at(side).crashed();
            crashes += u64::from(crashed);
            let is_fine = matches!(&result, Ok(followed) if followed.failure.is_none());
            assert!(crashed || is_fine, "{context}: {result:?}");
            if power {
                fork.at(side).lose_power();
                if ends == Ends::Program && random.chance(50) {
                    fork.first.lose_power();
                    fork.second.lose_power();
                }
            }
            fork.aftermath(&mut random, &context);
        }
        if crashes == before {
            return crashes;
        }
    }
    crashes
}

/// Lets each operation at one destination suffer each fault. Returns how many there were that meant something.
fn fail_everywhere(side: Side, seed: u64) -> u64 {
    let context = format!("{side:?}, seed {seed}");
    reseed(&context);
    let pair = Pair::before(seed);
    let mut rehearsal = pair.fork(0);
    rehearsal.run().unwrap();
    let mut struck = 0u64;
    for at in 0..rehearsal.at(side).operations() {
        for (number, fault) in StorageFault::ALL.into_iter().enumerate() {
            let context = format!("{context}, {fault:?} at operation {at}");
            reseed(&context);
            let mut random = Random::new(seed ^ (at << 8) ^ number as u64);
            let mut fork = pair.fork(at * 100 + number as u64);
            fork.at(side).fail(at, fault);
            let result = fork.run();
            if !fork.at(side).struck() {
                continue;
            }
            struck += 1;
            fork.aftermath(&mut random, &format!("{context}: {result:?}"));
        }
    }
    struck
}

#[test]
fn a_crash_at_every_change_of_both_destinations() {
    campaign("follower-crashes", CRASHES, &CRASH, crash_everywhere);
}

#[test]
fn every_fault_at_every_operation_of_both_destinations() {
    campaign(
        "follower-faults",
        FAULTS,
        &[Side::First, Side::Second],
        fail_everywhere,
    );
}
