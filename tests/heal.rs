//! Healing: whatever one replica lost comes from the other, only by adding; what no replica has is reported as lost.

use crate::replicas::{Pair, fork};
use chunkstore::PackId;
use chunkstore::indexfile::IndexSegment;
use chunkstore::pack::{self, PackList};
use chunkstore::remote::{Kind, Memory, ObjectName, Remote};
use chunkstore::transfer::Origin;
use engine::check::{self, ReadData};
use engine::heal::{self, HealOptions, Healed};
use engine::monitor::Quiet;
use engine::repo::Repo;
use kit::machine;
use kit::remotes::{Faulty, Hooked, contents, listed};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

const NEVER: Duration = Duration::from_secs(3600);

fn options(read_data: bool) -> HealOptions {
    HealOptions {
        read_data,
        dry_run: false,
    }
}

fn heal(to: &Repo, from: Repo, read_data: bool) -> engine::Result<Healed> {
    heal::run(to, &[from], &options(read_data), &Quiet)
}

fn each(memory: &Memory, kind: Kind, hurt: impl Fn(&ObjectName, usize)) {
    for (name, size) in listed(memory, kind).unwrap() {
        hurt(&name, size as usize);
    }
}

fn flip(memory: &Memory, kind: Kind) {
    each(memory, kind, |name, size| {
        let mut bytes = memory.get(name, size).unwrap();
        bytes[size / 2] ^= 1;
        memory.replace(name, &bytes).unwrap();
    });
}

fn delete(memory: &Memory, kind: Kind) {
    each(memory, kind, |name, _| memory.delete(name).unwrap());
}

fn flip_packs(memory: &Memory) {
    flip(memory, Kind::Pack);
}
fn lose_packs(memory: &Memory) {
    delete(memory, Kind::Pack);
}
fn flip_index(memory: &Memory) {
    flip(memory, Kind::Index);
}
fn lose_index(memory: &Memory) {
    delete(memory, Kind::Index);
}
fn flip_manifests(memory: &Memory) {
    flip(memory, Kind::Snapshot);
}
fn lose_a_pack_and_the_index(memory: &Memory) {
    let (name, _) = listed(memory, Kind::Pack).unwrap().swap_remove(0);
    memory.delete(&name).unwrap();
    flip(memory, Kind::Index);
}

type Hurt = fn(&Memory);
const HURTS: [(&str, Hurt); 6] = [
    ("packs flipped", flip_packs),
    ("packs lost", lose_packs),
    ("index flipped", flip_index),
    ("index lost", lose_index),
    ("manifests flipped", flip_manifests),
    ("a pack and the index", lose_a_pack_and_the_index),
];

/// Every kind of damage, at a storage that can put objects in the place of others and at one that can't.
#[test]
fn what_one_has_lost_comes_from_the_other() {
    let pair = Pair::new(2);
    pair.bring();
    for (what, hurt) in HURTS {
        for replaces in [true, false] {
            let memory = fork(&pair.second);
            // As it was before it was healed the last time, under new names.
            pair.machine.lose_notes();
            hurt(&memory);
            let before: BTreeSet<ObjectName> = contents(&memory)
                .unwrap()
                .into_iter()
                .map(|(name, _)| name)
                .collect();
            let remote: Arc<dyn Remote> = match replaces {
                true => Arc::new(memory.clone()),
                false => Arc::new(Hooked::new(Arc::new(memory.clone()), |_, _| {})),
            };
            let replica = pair.second_on(remote);
            let context = format!("{what}, replaces: {replaces}");
            let healed = heal(&replica, pair.first(), true).unwrap_or_else(|e| panic!("{context}: {e}"));
            assert!(healed.is_whole() && !healed.was_whole(), "{context}: {healed:?}");
            let in_place = healed.packs_mended;
            let hurts_packs = replaces && what == "packs flipped";
            assert_eq!(
                in_place == healed.packs_damaged && in_place > 0,
                hurts_packs,
                "{context}"
            );
            let after: BTreeSet<ObjectName> = contents(&memory)
                .unwrap()
                .into_iter()
                .map(|(name, _)| name)
                .collect();
            assert!(before.is_subset(&after), "{context}: something is gone");
            // What is broken goes with a collection, and the rest is sound.
            pair.machine.lose_cache();
            let replica = pair.second_on(Arc::new(memory));
            machine::prune(&replica, NEVER).unwrap_or_else(|e| panic!("{context}: {e}"));
            pair.verify(&replica, true, &context);
            let again = heal(&replica, pair.first(), true).unwrap();
            assert!(again.was_whole(), "{context}: again: {again:?}");
        }
    }
}

#[test]
fn a_dry_run_changes_nothing_and_says_what_would_come() {
    let pair = Pair::new(1);
    pair.bring();
    lose_packs(&pair.second);
    let before = contents(&pair.second).unwrap();
    let how = HealOptions {
        dry_run: true,
        ..options(true)
    };
    let healed = heal::run(&pair.second(), &[pair.first()], &how, &Quiet).unwrap();
    assert!(healed.is_whole() && healed.chunks_brought > 0, "{healed:?}");
    assert!(contents(&pair.second).unwrap() == before);
}

#[test]
fn what_nobody_has_stays_lost_and_the_rest_comes() {
    let mut pair = Pair::new(1);
    let old: Vec<ObjectName> = listed(&pair.first, Kind::Pack)
        .unwrap()
        .into_iter()
        .map(|p| p.0)
        .collect();
    pair.backup(2);
    pair.bring();
    lose_packs(&pair.second);
    for name in &old {
        pair.first.delete(name).unwrap();
    }
    let healed = heal(&pair.second(), pair.first(), false).unwrap();
    assert!(!healed.is_whole() && healed.chunks_brought > 0, "{healed:?}");
}

/// A crash at every change: what is there afterwards is no worse, and the next run heals the rest.
#[test]
fn cut_short_at_every_change() {
    let pair = Pair::new(2);
    pair.bring();
    let hurt = fork(&pair.second);
    lose_a_pack_and_the_index(&hurt);
    for torn in [false, true] {
        let mut at = 0;
        loop {
            let context = format!("crashed at {at}, torn: {torn}");
            let memory = fork(&hurt);
            let faulty = Faulty::new(Arc::new(memory.clone()));
            let crashing = pair.second_on(Arc::new(faulty.clone()));
            match torn {
                true => faulty.crash_torn(at),
                false => faulty.crash_at(at),
            }
            let result = heal(&crashing, pair.first(), false);
            let crashed = faulty.crashed();
            assert!(crashed || result.is_ok(), "{context}: {result:?}");
            drop(crashing);
            let replica = pair.second_on(Arc::new(memory));
            let healed = heal(&replica, pair.first(), false).unwrap_or_else(|e| panic!("{context}: {e}"));
            assert!(healed.is_whole(), "{context}: {healed:?}");
            machine::prune(&replica, NEVER).unwrap_or_else(|e| panic!("{context}: {e}"));
            pair.verify(&replica, true, &context);
            if !crashed {
                assert!(at > 5, "{context}: too little happens");
                break;
            }
            at += 1;
        }
    }
}

/// The replica that is asked has everything twice, and the copy that its index names first is damaged.
#[test]
fn a_frame_comes_from_whichever_copy_is_whole() {
    let pair = Pair::new(2);
    pair.bring();
    let first = pair.first();
    let store = &first.store;
    let lists = store.packs().unwrap().into_keys();
    let lists: Vec<PackList> = lists
        .map(|id| pack::read_list(store.remote(), store.keys(), id).unwrap())
        .collect();
    for list in &lists {
        let bytes = store.remote().get(&ObjectName::pack(list.id), 80 << 20).unwrap();
        let (copy, bytes) = pack::renew(store.keys(), list.clone(), bytes).unwrap();
        store.remote().put(&ObjectName::pack(copy.id), &bytes).unwrap();
        let (id, bytes) = IndexSegment::of_packs(&[copy]).seal(store.keys()).unwrap();
        store.remote().put(&ObjectName::index(id), &bytes).unwrap();
    }
    let origin = Origin::open(store.clone(), &mut |_, _| {}).unwrap();
    for frame in lists.iter().flat_map(|list| &list.frames) {
        let copies = origin.index.copies(&frame.id).unwrap();
        assert_eq!(copies.len(), 2);
        let named = origin.index.locate(&frame.id).unwrap().unwrap().place;
        hurt_at(&pair.first, &ObjectName::pack(named.pack), named.offset);
    }
    for (id, _) in pair.second().store.packs().unwrap() {
        let second = pair.second();
        let list = pack::read_list(second.store.remote(), second.store.keys(), id).unwrap();
        hurt_at(&pair.second, &ObjectName::pack(id), list.frames[0].offset);
    }
    drop((origin, first));
    let healed = heal(&pair.second(), pair.first(), true).unwrap();
    assert!(healed.is_whole() && healed.packs_damaged > 1, "{healed:?}");
    assert_eq!(healed.packs_mended, healed.packs_damaged, "{healed:?}");
    pair.verify(&pair.second(), true, "healed");
}

/// Changes a byte of what is sealed in the frame that begins at an offset.
fn hurt_at(memory: &Memory, name: &ObjectName, offset: u32) {
    let mut bytes = memory.get(name, 80 << 20).unwrap();
    bytes[offset as usize + 30] ^= 1;
    memory.replace(name, &bytes).unwrap();
}

/// A damaged pack that no snapshot needs anything of: reported as such, and from then on no damage.
#[test]
fn what_nobody_needs_is_said_to_be_unneeded() {
    let pair = Pair::new(1);
    pair.bring();
    let replica = pair.second();
    let unneeded: Vec<_> = {
        let before: BTreeSet<ObjectName> = names(&pair.second);
        let writer = kit::generation::foreign_writer(&replica);
        let files = kit::generation::files([77], 40_000);
        kit::generation::put_all(&replica, &writer, 9, &files).unwrap();
        writer.flush().unwrap();
        let added = names(&pair.second)
            .into_iter()
            .filter(|name| !before.contains(name));
        added.filter(|name| name.kind() == Kind::Pack).collect()
    };
    assert!(!unneeded.is_empty());
    for name in &unneeded {
        let list = pack::read_list(
            &pair.second,
            replica.store.keys(),
            PackId::from_hex(name.id()).unwrap(),
        );
        hurt_at(&pair.second, name, list.unwrap().frames[0].offset);
    }
    let check = |replica: &Repo| {
        let options = check::CheckOptions {
            read_data: ReadData::All,
        };
        check::run(replica, &options, &Quiet).unwrap()
    };
    assert!(check(&replica).num_errors > 0);
    let healed = heal(&replica, pair.first(), true).unwrap();
    assert!(healed.is_whole() && !healed.was_whole(), "{healed:?}");
    assert_eq!(healed.packs_unneeded, unneeded.len() as u64, "{healed:?}");
    let report = check(&replica);
    assert_eq!(report.num_errors, 0, "{report:?}");
    assert!(report.suggest_prune && report.packs_abandoned == unneeded.len() as u64);
    assert!(heal(&replica, pair.first(), true).unwrap().was_whole());
}

fn names(memory: &Memory) -> BTreeSet<ObjectName> {
    contents(memory)
        .unwrap()
        .into_iter()
        .map(|(name, _)| name)
        .collect()
}
