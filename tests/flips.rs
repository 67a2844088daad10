//! Damage in bulk: 20,000 flips and as many other damages, every one found and named, and never a wrong byte read.

use crate::damage::Scene;
use chunkstore::remote::{Kind, ObjectName};
use chunkstore::store::NewStore;
use chunkstore::{Error as StoreError, SessionId};
use engine::check::ReadData;
use kit::generation::{Files, read_back, read_some};
use kit::random::{Random, seeds};
use std::collections::{BTreeMap, BTreeSet};

/// One damage of an object: its bytes then.
fn damage(scene: &Scene, random: &mut Random, name: &ObjectName, bytes: &[u8]) -> Vec<u8> {
    let len = bytes.len() as u64;
    let mut hurt = bytes.to_vec();
    match random.below(10) {
        0 => hurt.truncate(random.below(len) as usize),
        1 => {
            let from = random.below(len) as usize;
            let end = (from + 1 + random.below(600) as usize).min(bytes.len());
            random.fill(&mut hurt[from..end]);
        }
        // Another object of the same kind under this name.
        2 => {
            let alike: Vec<&Vec<u8>> = scene
                .objects
                .iter()
                .filter(|(other, bytes)| other.kind() == name.kind() && bytes != &hurt)
                .map(|(_, bytes)| bytes)
                .collect();
            if let Some(other) = random.pick(&alike) {
                hurt = other.to_vec();
            }
        }
        // And one of any kind.
        3 => hurt = random.pick(&scene.objects).unwrap().1.clone(),
        4 => hurt.extend_from_slice(&bytes[..random.below(len) as usize + 1]),
        _ => {}
    }
    if hurt == bytes {
        hurt[random.below(len) as usize] ^= 1 << random.below(8);
    }
    hurt
}

/// Each is named as damaged. Where whole heads were overwritten, an object whose name is not the hash of its bytes may look
/// as if a later version had written it: then the check can only say that it can't be read (I-15).
fn found(scene: &Scene, hurt: &BTreeSet<String>, heads: Heads, seed: u64) {
    let report = scene.check(ReadData::All);
    let mut broken: BTreeSet<String> = report.broken_objects.iter().cloned().collect();
    if let Heads::Overwritten = heads {
        let is_hashed = |name: &str| ["packs/", "index/"].iter().any(|kind| name.starts_with(kind));
        let newer = report.unreadable_objects.iter().filter(|name| !is_hashed(name));
        broken.extend(newer.cloned());
    } else {
        assert!(report.unreadable_objects.is_empty(), "seed {seed}: {report:?}");
    }
    let missed: Vec<&String> = hurt.difference(&broken).collect();
    assert!(missed.is_empty(), "seed {seed}: not found: {missed:?}");
}

/// What may have become of the heads of damaged objects.
#[derive(Clone, Copy)]
enum Heads {
    /// A bit is flipped in at most.
    Whole,
    Overwritten,
}

fn restore(scene: &Scene) {
    scene
        .objects
        .iter()
        .for_each(|(name, bytes)| scene.put(name, Some(bytes)));
}

#[test]
fn twenty_thousand_flips_are_all_found() {
    let scene = Scene::new();
    let rounds = 20_000_u64.div_ceil(scene.objects.len() as u64);
    let mut flips = 0;
    for seed in seeds(rounds) {
        let mut random = Random::new(seed);
        let mut hurt = BTreeSet::new();
        for (name, bytes) in &scene.objects {
            let mut flipped = bytes.clone();
            flipped[random.below(bytes.len() as u64) as usize] ^= 1 << random.below(8);
            scene.put(name, Some(&flipped));
            hurt.insert(name.to_string());
            flips += 1;
        }
        found(&scene, &hurt, Heads::Whole, seed);
    }
    assert!(flips >= 20_000, "{flips}");
    restore(&scene);
    assert_eq!(scene.check(ReadData::All).num_errors, 0);
}

/// Truncated, overwritten, exchanged, grown: found and named, and what is read back is right or refused.
#[test]
fn damage_of_all_sorts_is_found_and_never_read_as_something_else() {
    let mut scene = Scene::new();
    let whole: BTreeMap<SessionId, Files> = scene
        .generations
        .iter()
        .map(|id| (*id, read_back(&scene.repo, *id).unwrap()))
        .collect();
    let (mut read, mut refused) = (0, 0);
    for seed in seeds(60) {
        let mut random = Random::new(seed);
        let mut hurt = BTreeSet::new();
        for (name, bytes) in &scene.objects {
            // A part of them, so that something is left to read.
            if random.chance(20) {
                scene.put(name, Some(&damage(&scene, &mut random, name, bytes)));
                hurt.insert(name.to_string());
            }
        }
        found(&scene, &hurt, Heads::Overwritten, seed);
        for (id, files) in &whole {
            match read_some(&scene.repo, *id) {
                Ok((back, lost)) => {
                    read += back.len();
                    refused += lost.len();
                    assert!(
                        back.iter().all(|(path, bytes)| files[path] == *bytes),
                        "seed {seed}"
                    );
                }
                Err(_) => refused += files.len(),
            }
        }
        restore(&scene);
        scene.reopen();
    }
    assert!(read > 500 && refused > 500, "{read} {refused}");
}

/// Forgetting writes the copy in the trash first: stopped there, the snapshot is in both, which is no damage.
#[test]
fn a_snapshot_that_is_also_in_the_trash_is_one() {
    let scene = Scene::new();
    let id = scene.generations[1];
    let name = ObjectName::snapshot(id);
    let bytes = scene
        .objects
        .iter()
        .find(|(other, _)| *other == name)
        .unwrap()
        .1
        .clone();
    scene.repo.store.forget(id, 0).unwrap();
    scene.put(&name, Some(&bytes));
    let report = scene.check(ReadData::All);
    assert_eq!((report.num_errors, report.num_warnings), (0, 0), "{report:?}");
}

/// An interrupted `init` leaves slots of a repository that never came to be.
#[test]
fn a_slot_left_by_an_interrupted_init_is_no_damage() {
    let scene = Scene::new();
    let other = chunkstore::remote::Memory::new();
    let new = NewStore {
        bounds: chunkstore::chunker::Bounds::DEFAULT,
        secrets: &[(kit::machine::other_secret(), "other")],
        cost: chunkstore::slot::Cost::FLOOR,
        now: 0,
    };
    chunkstore::store::Store::create(&other, &new).unwrap();
    let slots = kit::remotes::contents(&other).unwrap();
    let (name, bytes) = slots.iter().find(|(name, _)| name.kind() == Kind::Key).unwrap();
    scene.put(name, Some(bytes));
    let report = scene.check(ReadData::None);
    assert_eq!((report.num_errors, report.num_warnings), (0, 1), "{report:?}");
    scene.put(name, None);
    assert!(matches!(
        scene.repo.store.remote().get(name, 10),
        Err(StoreError::Missing { .. })
    ));
}
