//! Deleted files whose time is over, in histories made at random: what is found is what the definition says, no more and no
//! less; and a run that is ended at any change leaves every generation whole, for the next run to go on.

use chunkstore::{SessionId, simulation};
use engine::error::Result;
use engine::expire::{self, ExpiredPaths, ExpiryPlan};
use engine::facts::SnapshotInfo;
use engine::manifest::Snapshot;
use engine::monitor::Quiet;
use engine::order;
use engine::purge::{Purge, PurgeOptions};
use engine::repo::Repo;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use kit::generation::{self, Files, noise};
use kit::machine::{self, Machine};
use kit::plain;
use kit::random::{Random, seeds};
use kit::remotes::{Simulated, When};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A generation's time is so many seconds after this.
const EPOCH: i64 = 1_000_000;

struct Scene {
    storage: Simulated,
    machine: Machine,
    /// By number.
    generations: BTreeMap<u64, Files>,
    keep: i64,
}

impl Scene {
    /// Files and directories come, go and come back.
    fn new(seed: u64) -> Scene {
        let storage = Simulated::new(seed);
        let machine = Machine::quick("alpha");
        machine::create_small_with(&storage, None).unwrap();
        let mut random = Random::new(seed);
        let mut scene = Scene {
            storage,
            machine,
            generations: BTreeMap::new(),
            keep: 5 + random.below(20) as i64,
        };
        let repo = scene.open();
        let (mut files, mut number) = (Files::new(), 0);
        for _ in 0..4 + random.below(6) {
            let parent = files.clone();
            number += 1 + random.below(8);
            // One is always there, or a generation could be empty.
            files.insert("d0/always".to_string(), noise(seed, 100));
            for file in 0..30 {
                let path = format!("d{}/{file:02}", file % 5);
                match (files.contains_key(&path), random.below(10)) {
                    (true, 0..3) => drop(files.remove(&path)),
                    (false, 0..5) => drop(files.insert(path, noise(seed ^ random.below(9), 200))),
                    _ => {}
                }
            }
            if random.chance(30) {
                let dir = format!("d{}/", 1 + random.below(4));
                files.retain(|path, _| !path.starts_with(&dir));
            }
            generation::successor(&repo, number, &files, &parent).unwrap();
            scene.generations.insert(number, files.clone());
        }
        scene.storage.restart();
        scene
    }

    fn fork(&self, seed: u64) -> Scene {
        Scene {
            storage: self.storage.fork(seed),
            machine: self.machine.quick_copy(),
            generations: self.generations.clone(),
            keep: self.keep,
        }
    }

    fn open(&self) -> Repo {
        self.machine.open_either(Arc::new(self.storage.clone())).unwrap()
    }

    /// By the definition: each generation as it is to be.
    fn wanted(&self) -> BTreeMap<u64, Files> {
        let mut wanted = self.generations.clone();
        let Some(newest) = self.generations.keys().max() else {
            return wanted;
        };
        let cut_off = *newest as i64 - self.keep;
        let Some(base) = self.generations.keys().filter(|n| **n as i64 <= cut_off).max() else {
            return wanted;
        };
        let since: BTreeSet<&String> = self
            .generations
            .range(base..)
            .flat_map(|(_, files)| files.keys())
            .collect();
        for (_, files) in wanted.range_mut(..base) {
            files.retain(|path, _| since.contains(path));
        }
        wanted
    }

    /// Each generation in one of its forms at least; with `done`, in its new one alone.
    fn verify(&self, context: &str, done: bool) {
        let repo = self.open();
        let (snapshots, bad) = repo.snapshots().unwrap();
        assert!(bad.is_empty(), "{context}: {bad:?}");
        let ids: Vec<SessionId> = snapshots.iter().map(|snapshot| snapshot.id).collect();
        let read = plain::read_each(&repo, &ids).unwrap();
        let mut found: BTreeMap<u64, Vec<Files>> = BTreeMap::new();
        for (snapshot, files) in snapshots.iter().zip(read) {
            let number = (snapshot.manifest.time().as_second() - EPOCH) as u64;
            let files = files.unwrap_or_else(|e| panic!("{context}: {number}: {e}"));
            found.entry(number).or_default().push(files);
        }
        assert!(found.keys().eq(self.generations.keys()), "{context}: one is gone");
        for (number, new) in self.wanted() {
            let (old, forms) = (&self.generations[&number], &found[&number]);
            match done {
                true => assert!(forms == &[new], "{context}: {number} is not as it should be"),
                false => assert!(
                    forms.iter().all(|form| form == old || *form == new),
                    "{context}: {number}"
                ),
            }
        }
    }

    fn expire(&self) -> Result<u64> {
        let repo = self.machine.open_either(Arc::new(self.storage.clone()))?;
        let (snapshots, _) = repo.snapshots()?;
        let Some(plan) = plan(&snapshots, self.keep) else {
            return Ok(0);
        };
        let found = find(&repo, &plan)?;
        let named = |path: &[u8]| found.names(path);
        let mut purge = Purge::new(&repo, &named, PurgeOptions::default())?;
        let mut changed = 0;
        for id in plan.before() {
            if purge.held(&repo.reader(&Quiet), *id)?.entries > 0 {
                purge.remove(*id, &snapshots, &Quiet)?;
                changed += 1;
            }
        }
        Ok(changed)
    }
}

fn plan(snapshots: &[Snapshot], keep: i64) -> Option<ExpiryPlan> {
    let facts = order::facts(snapshots, Timestamp::from_second(EPOCH * 2).unwrap());
    let members: Vec<&SnapshotInfo> = facts.iter().collect();
    let newest_at = ExpiryPlan::newest_at(&members)?;
    ExpiryPlan::new(
        &members,
        &Span::new().seconds(keep),
        &TimeZone::UTC,
        newest_at,
        &|_| true,
    )
}

fn find(repo: &Repo, plan: &ExpiryPlan) -> Result<ExpiredPaths> {
    expire::find(repo, &repo.reader(&Quiet), plan)
}

#[test]
fn what_is_over_is_what_the_definition_says() {
    let mut changed = 0;
    for seed in seeds(12) {
        simulation::seed(Some([seed as u8; 32]));
        let scene = Scene::new(seed);
        changed += scene.expire().unwrap();
        scene.verify(&format!("seed {seed}"), true);
        // Nothing is left to be found, and that is noted until something changes.
        let repo = scene.open();
        if let Some(plan) = plan(&repo.snapshots().unwrap().0, scene.keep) {
            assert!(find(&repo, &plan).unwrap().paths.is_empty(), "seed {seed}");
            assert!(!expire::is_settled(&repo, "set", &plan));
            expire::settle(&repo, "set", &plan);
            assert!(expire::is_settled(&repo, "set", &plan) && !expire::is_settled(&repo, "other", &plan));
        }
    }
    simulation::seed(None);
    assert!(changed > 5, "{changed}");
}

#[test]
fn ended_at_every_change() {
    let seed = seeds(1).start;
    let scene = (0..50)
        .map(|nr| Scene::new(seed * 100 + nr))
        .find(|scene| scene.wanted() != scene.generations);
    let scene = scene.unwrap();
    for at in 0.. {
        let mut crashes = 0;
        for (way, when) in [When::Before, When::Within, When::After].into_iter().enumerate() {
            let context = format!("{when:?} change {at}");
            simulation::seed(Some(*blake3::hash(context.as_bytes()).as_bytes()));
            let fork = scene.fork(at * 10 + way as u64);
            fork.storage.crash(at, when);
            let result = fork.expire();
            let crashed = fork.storage.crashed();
            assert!(crashed || result.is_ok(), "{context}: {result:?}");
            crashes += u64::from(crashed);
            if at % 2 == 0 {
                fork.storage.lose_power();
            }
            fork.storage.restart();
            fork.verify(&context, false);
            fork.expire()
                .unwrap_or_else(|e| panic!("{context}: run again: {e:?}"));
            fork.verify(&format!("{context}, run again"), true);
        }
        if crashes == 0 {
            assert!(at > 3, "it changes nothing");
            break;
        }
    }
    simulation::seed(None);
}
