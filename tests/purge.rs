//! Paths taken out of all generations: ended at every change, beside backups, and undone. Whatever happens, each
//! generation is there in its old form or its new one, and whole; and a second run finishes what the first began.

use chunkstore::SessionId;
use chunkstore::simulation;
use engine::check::{self, CheckOptions, ReadData};
use engine::error::Result;
use engine::forget;
use engine::monitor::{ProblemKind, Quiet};
use engine::purge::{Purge, PurgeOptions, Purged};
use engine::repo::Repo;
use kit::generation::{self, Files, noise, read_back};
use kit::machine::{self, Machine};
use kit::plain;
use kit::random::seeds;
use kit::remotes::{Simulated, When};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const NEVER: Duration = Duration::from_secs(3600);
const WAYS: [(When, bool); 6] = [
    (When::Before, false),
    (When::Within, false),
    (When::After, false),
    (When::Before, true),
    (When::Within, true),
    (When::After, true),
];

/// Storage with generations that hold `d/secret` below and beside other files.
struct Scene {
    storage: Simulated,
    machine: Machine,
    /// By the second that they state, which no purge changes.
    generations: BTreeMap<i64, Files>,
}

/// A directory and a file.
fn named(path: &[u8]) -> bool {
    path == b"secret" || path == b"d/secret"
}

fn without(files: &Files) -> Files {
    let stays = |path: &String| !path.starts_with("secret/") && path != "d/secret";
    let rest = files.iter().filter(|(path, _)| stays(path));
    rest.map(|(path, bytes)| (path.clone(), bytes.clone())).collect()
}

impl Scene {
    fn new(seed: u64, generations: u64) -> Scene {
        let storage = Simulated::new(seed);
        let machine = Machine::quick("alpha");
        machine::create_small_with(&storage, None).unwrap();
        let mut scene = Scene {
            storage,
            machine,
            generations: BTreeMap::new(),
        };
        let repo = scene.open();
        let mut parent = Files::new();
        for number in 1..=generations {
            let mut files = parent.clone();
            for file in 0..40 {
                files.insert(format!("d/{file:02}"), noise(seed ^ (file % 30), 200));
            }
            // The last of them has nothing to be removed.
            match number == generations {
                true => files = without(&files),
                false => {
                    files.insert("d/secret".to_string(), noise(seed + number, 2000));
                    files.insert("secret/small".to_string(), noise(seed + 50 + number, 200));
                    files.insert("secret/large".to_string(), noise(seed + 90, 30_000));
                }
            }
            generation::successor(&repo, number, &files, &parent).unwrap();
            scene.generations.insert(1_000_000 + number as i64, files.clone());
            parent = files;
        }
        scene.storage.restart();
        scene
    }

    fn fork(&self, seed: u64) -> Scene {
        Scene {
            storage: self.storage.fork(seed),
            machine: self.machine.quick_copy(),
            generations: self.generations.clone(),
        }
    }

    fn open(&self) -> Repo {
        self.machine.open_either(Arc::new(self.storage.clone())).unwrap()
    }

    fn purge(&self, options: PurgeOptions) -> Result<Vec<(SessionId, Purged)>> {
        let repo = self.machine.open_either(Arc::new(self.storage.clone()))?;
        purge(&repo, options)
    }

    /// Each generation in one of its forms, and all of them whole. With `done`, only in its new one, and once.
    fn verify(&self, context: &str, done: bool) {
        let repo = self.open();
        let (snapshots, bad) = repo.snapshots().unwrap();
        assert!(bad.is_empty(), "{context}: {bad:?}");
        let ids: Vec<SessionId> = snapshots.iter().map(|snapshot| snapshot.id).collect();
        let read = plain::read_each(&repo, &ids).unwrap();
        let mut found: BTreeMap<i64, Vec<Files>> = BTreeMap::new();
        for (snapshot, files) in snapshots.iter().zip(read) {
            let files = files.unwrap_or_else(|e| panic!("{context}: {}: {e}", snapshot.id));
            let second = snapshot.manifest.time().as_second();
            found.entry(second).or_default().push(files);
        }
        for (second, old) in &self.generations {
            let new = without(old);
            let forms = found.remove(second).unwrap_or_default();
            assert!(!forms.is_empty(), "{context}: {second} is gone");
            match done {
                true => assert!(forms == [new], "{context}: {second} is not as it should be"),
                false => assert!(forms.iter().all(|form| form == old || *form == new), "{context}"),
            }
        }
        assert!(found.is_empty(), "{context}: {:?}", found.keys());
    }

    fn check(&self, context: &str) {
        let options = CheckOptions {
            read_data: ReadData::All,
        };
        let told = machine::Noting::default();
        check::run(&self.open(), &options, &told).unwrap();
        let mut problems = told.problems();
        problems.retain(|problem| matches!(problem.what, ProblemKind::Damage { .. }));
        assert!(problems.is_empty(), "{context}: {problems:?}");
    }
}

fn purge(repo: &Repo, options: PurgeOptions) -> Result<Vec<(SessionId, Purged)>> {
    let mut purge = Purge::new(repo, &named, options)?;
    let (snapshots, _) = repo.snapshots()?;
    let reader = repo.reader(&Quiet);
    let mut done = Vec::new();
    for snapshot in &snapshots {
        if purge.held(&reader, snapshot.id)?.entries > 0 {
            done.push((snapshot.id, purge.remove(snapshot.id, &snapshots, &Quiet)?));
        }
    }
    Ok(done)
}

fn ended_everywhere(seed: u64, options: PurgeOptions) {
    let context = format!("seed {seed}, {options:?}");
    simulation::seed(Some(*blake3::hash(context.as_bytes()).as_bytes()));
    let scene = Scene::new(seed, 3);
    for at in 0.. {
        let mut crashes = 0;
        for (way, (when, power)) in WAYS.into_iter().enumerate() {
            let context = format!("{context}, {when:?} change {at}, power cut {power}");
            simulation::seed(Some(*blake3::hash(context.as_bytes()).as_bytes()));
            let fork = scene.fork(at * 10 + way as u64);
            fork.storage.crash(at, when);
            let result = fork.purge(options);
            let crashed = fork.storage.crashed();
            assert!(crashed || result.is_ok(), "{context}: {result:?}");
            crashes += u64::from(crashed);
            if power {
                fork.storage.lose_power();
            }
            fork.storage.restart();
            fork.verify(&context, false);
            let again = fork.purge(options);
            again.unwrap_or_else(|e| panic!("{context}: run again: {e:?}"));
            fork.verify(&format!("{context}, run again"), true);
            if at % 7 == 0 {
                fork.check(&context);
                let repo = fork.open();
                machine::prune(&repo, NEVER).unwrap_or_else(|e| panic!("{context}: prune: {e:?}"));
                fork.verify(&format!("{context}, pruned"), true);
            }
        }
        if crashes == 0 {
            assert!(at > 10, "{context}: it changes nothing");
            break;
        }
    }
    simulation::seed(None);
}

#[test]
fn ended_at_every_change() {
    for seed in seeds(1) {
        for end_now in [false, true] {
            ended_everywhere(
                seed,
                PurgeOptions {
                    end_now,
                    ..PurgeOptions::default()
                },
            );
        }
    }
}

#[test]
fn old_forms_come_back_from_the_trash_or_not() {
    let scene = Scene::new(7, 3);
    let gone = scene.fork(1);
    let done = scene.purge(PurgeOptions::default()).unwrap();
    assert_eq!(done.len(), 2);
    scene.verify("purged", true);
    assert!(scene.purge(PurgeOptions::default()).unwrap().is_empty());
    let repo = scene.open();
    let (old, _) = done[0];
    let back = forget::undelete(&repo, old, &Quiet).unwrap();
    assert_eq!(read_back(&repo, back).unwrap(), scene.generations[&1_000_001]);
    // There is a new form of it already, so only this one goes.
    let again = scene.purge(PurgeOptions::default()).unwrap();
    assert_eq!(again, [(back, done[0].1)]);
    scene.verify("purged again", true);
    let options = PurgeOptions {
        end_now: true,
        ..PurgeOptions::default()
    };
    assert_eq!(gone.purge(options).unwrap().len(), 2);
    assert!(gone.open().store.trashed().unwrap().is_empty());
    gone.verify("for good", true);
}

/// A backup that runs while paths are purged may refer to what only the old forms hold, and bring the paths back.
#[test]
fn beside_a_backup() {
    let scene = Scene::new(9, 3);
    let repo = scene.open();
    let files = scene.generations[&1_000_001].clone();
    let writer = generation::foreign_writer(&repo);
    let manifest = generation::put_all(&repo, &writer, 9, &files).unwrap();
    let options = PurgeOptions {
        end_now: true,
        ..PurgeOptions::default()
    };
    scene.purge(options).unwrap();
    machine::prune(&repo, NEVER).unwrap();
    let id = generation::publish(&writer, &manifest).unwrap();
    assert_eq!(
        read_back(&repo, id).unwrap(),
        files,
        "nothing that it needs was removed"
    );
    let done = scene.purge(options).unwrap();
    assert_eq!(done.len(), 1);
    assert_eq!(done[0].0, id);
    scene.check("beside a backup");
}

/// What a generation holds besides is kept as it was, and one that holds nothing else is removed.
#[test]
fn nothing_else_is_left() {
    let scene = Scene::new(3, 1);
    let repo = scene.open();
    let only: Files = [("secret/a".to_string(), noise(1, 100))].into();
    let id = generation::generation(&repo, 5, &only).unwrap();
    assert_eq!(
        scene.purge(PurgeOptions::default()).unwrap(),
        [(id, Purged::Emptied)]
    );
    scene.verify("emptied", true);
    assert_eq!(repo.store.trashed().unwrap(), [id]);
}
