//! What an attacker who may only add to a repository tries, and what rots by itself: copies that are not what the index
//! lists.

use super::{Churn, NEVER};
use chunkstore::frame::Decoder;
use chunkstore::index::Inventory;
use chunkstore::indexfile::{IndexEntry, IndexSegment};
use chunkstore::pack::{self, PackWriter};
use chunkstore::remote::{Kind, Memory, ObjectName, Remote};
use chunkstore::session::View;
use chunkstore::smallfile::Part;
use engine::monitor::Quiet;
use engine::repo::Repo;
use engine::{forget, replicate, restore};
use kit::machine::{self, Machine};
use kit::oracle;
use kit::remotes::{contents, listed};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Where packs whose footers lie are put.
#[derive(PartialEq, Eq)]
enum Lies {
    Beside,
    Instead,
}

/// An attacker who may add to the index and to nothing else.
struct Attacker<'a> {
    repo: &'a Repo,
    segments: Vec<IndexSegment>,
    packs: Inventory,
}

impl<'a> Attacker<'a> {
    fn new(repo: &'a Repo) -> Attacker<'a> {
        let view = View::read(&repo.store).unwrap();
        let segments = view.segments.iter();
        Attacker {
            repo,
            segments: segments.map(|id| repo.store.segment(*id).unwrap()).collect(),
            packs: repo.store.packs().unwrap(),
        }
    }

    fn put(&self, segment: &IndexSegment) {
        let (id, bytes) = segment.seal(self.repo.store.keys()).unwrap();
        self.repo
            .store
            .remote()
            .put(&ObjectName::index(id), &bytes)
            .unwrap();
    }

    /// Lists every chunk and moved file at an offset of some other pack of its class.
    fn lie(&self, shift: usize) {
        for segment in &self.segments {
            let mut lie = segment.clone();
            let classes: Vec<_> = lie.packs.iter().map(|pack| pack.class).collect();
            for entry in &mut lie.entries {
                let of_class = |pack: &u32| classes[*pack as usize] == classes[entry.pack as usize];
                let packs: Vec<u32> = (0..lie.packs.len() as u32).filter(of_class).collect();
                entry.pack = packs[(entry.pack as usize + shift) % packs.len()];
                entry.offset = 126 + (shift as u32 * 13) % 500;
                entry.stored_len = entry
                    .stored_len
                    .min(lie.packs[entry.pack as usize].size as u32 - 700);
                entry.key = 0;
            }
            let order = |entry: &IndexEntry| (entry.id, entry.pack, entry.offset);
            lie.entries.sort_unstable_by_key(order);
            lie.parts = self.false_parts(&lie, shift);
            self.put(&lie);
        }
    }

    /// Every moved file in a bundle that it is not in.
    fn false_parts(&self, lie: &IndexSegment, shift: usize) -> Vec<Part> {
        let known = self.segments.iter().flat_map(|segment| &segment.parts);
        let data = |at: &usize| !lie.packs[lie.entries[*at].pack as usize].class.is_tree();
        let bundles: Vec<usize> = (0..lie.entries.len()).filter(data).collect();
        let mut end = BTreeMap::<u32, u32>::new();
        let mut parts = Vec::new();
        for (number, part) in known.enumerate() {
            let at = bundles[(number + shift) % bundles.len()] as u32;
            let offset = end.entry(at).or_default();
            if *offset + part.len <= lie.entries[at as usize].plain_len {
                parts.push(Part {
                    at,
                    offset: *offset,
                    ..*part
                });
                *offset += part.len;
            }
        }
        parts.sort_unstable();
        parts
    }

    /// A copy of every pack of data, with sound frames and a footer that lists every moved file at a place where it is not.
    /// In the `place` of the pack, or beside it.
    fn lying_footers(&self, shift: usize, place: &Lies) {
        let store = &self.repo.store;
        let mut files: Vec<Part> = self.segments.iter().flat_map(|s| s.parts.clone()).collect();
        assert!(!files.is_empty());
        let by = shift % files.len();
        files.rotate_left(by);
        let mut copies = Vec::new();
        for id in self.packs.keys() {
            let list = pack::read_list(store.remote(), store.keys(), *id).unwrap();
            let bytes = store.remote().get(&ObjectName::pack(*id), 80 << 20).unwrap();
            let keys = list.sealed_keys.clone();
            let mut writer = PackWriter::begin(store.remote(), store.id(), list.class, keys).unwrap();
            for (number, frame) in list.frames.iter().enumerate() {
                let start = frame.offset as usize;
                let sealed = &bytes[start..start + frame.stored_len as usize];
                let honest = list.parts_of(number);
                let mut parts = match (place, honest) {
                    (Lies::Instead, [.., last]) => vec![*last],
                    _ => Vec::new(),
                };
                // Before the honest one: they may not overlap.
                let end = parts.first().map_or(frame.plain_len, |part| part.offset);
                let mut at = u32::from(!parts.is_empty());
                for file in files.iter().filter(|_| !list.class.is_tree()) {
                    if honest.iter().all(|part| part.hash != file.hash) && at + file.len <= end {
                        parts.push(Part { offset: at, ..*file });
                        at += file.len;
                    }
                }
                parts.sort_unstable_by_key(|part| part.offset);
                writer.append_bundle(*frame, sealed, &parts).unwrap();
            }
            copies.push(
                writer
                    .finish(store.keys())
                    .unwrap()
                    .publish(store.remote())
                    .unwrap(),
            );
        }
        if *place == Lies::Instead {
            for kind in [Kind::Index, Kind::Pack] {
                for (name, _) in listed(store.remote(), kind).unwrap() {
                    if copies.iter().all(|copy| ObjectName::pack(copy.id) != name) {
                        store.remote().delete(&name).unwrap();
                    }
                }
            }
        }
        self.put(&IndexSegment::of_packs(&copies));
    }

    /// A copy of every pack whose frames have rotted, listed as if they had not.
    fn rotten_copies(&self) {
        let store = &self.repo.store;
        for id in self.packs.keys() {
            let list = pack::read_list(store.remote(), store.keys(), *id).unwrap();
            let bytes = store.remote().get(&ObjectName::pack(*id), 80 << 20).unwrap();
            let keys = list.sealed_keys.clone();
            let mut writer = PackWriter::begin(store.remote(), store.id(), list.class, keys).unwrap();
            for (number, frame) in list.frames.iter().enumerate() {
                let start = frame.offset as usize;
                let mut sealed = bytes[start..start + frame.stored_len as usize].to_vec();
                sealed[30] ^= 1;
                writer
                    .append_bundle(*frame, &sealed, list.parts_of(number))
                    .unwrap();
            }
            let copy = writer
                .finish(store.keys())
                .unwrap()
                .publish(store.remote())
                .unwrap();
            self.put(&IndexSegment::of_packs(&[copy]));
        }
    }
}

/// The owner collects garbage beside what an attacker has listed: nothing that a generation needs is deleted.
fn survives(seed: u64, moved_before: bool, attack: impl Fn(&Attacker<'_>)) {
    let (mut churn, mut last) = Churn::lived(seed);
    if moved_before {
        churn.prune();
        churn.edit(20);
        let next = churn.backup();
        forget::apply(&churn.repo(), &[last]).unwrap();
        last = next;
    }
    attack(&Attacker::new(&churn.repo()));
    for round in 0..3 {
        for machine in [&churn.machine, &Machine::new("new")] {
            let repo = machine.open(Arc::new(churn.remote.clone())).unwrap();
            machine::prune(&repo, NEVER).unwrap();
            let repo = Machine::new("judge")
                .open(Arc::new(churn.remote.clone()))
                .unwrap();
            let manifest = repo.manifest(last).unwrap();
            let target = tempfile::tempdir().unwrap();
            let options = restore::RestoreOptions::new(target.path());
            let summary = restore::run(&repo, &manifest, &options, &Quiet).unwrap();
            assert_eq!(summary.files_failed, 0, "round {round}");
            assert_eq!(summary.files_restored, count_files(&churn.source()));
        }
    }
    // It is of use as before.
    churn.edit(10);
    churn.backup();
}

fn count_files(dir: &Path) -> u64 {
    let dirs = std::fs::read_dir(dir).unwrap();
    dirs.map(|dir| std::fs::read_dir(dir.unwrap().path()).unwrap().count() as u64)
        .sum()
}

#[test]
fn lying_index_segments_make_nobody_delete_anything_needed() {
    for seed in 10..13 {
        for moved_before in [false, true] {
            survives(seed, moved_before, |attacker| {
                for shift in 0..4 {
                    attacker.lie(seed as usize + shift);
                }
            });
        }
    }
}

#[test]
fn rotten_copies_displace_no_good_ones() {
    for seed in 20..23 {
        survives(seed, seed % 2 == 0, |attacker| attacker.rotten_copies());
    }
}

/// A collection may move a frame of a pack whose footer lies: what that lists of other files does not come with it, or the
/// new pack, which the collection takes for proven, would stand for where the files really are.
#[test]
fn lying_footers_make_nobody_delete_anything_needed() {
    for seed in 40..44 {
        survives(seed, true, |attacker| {
            (0..2).for_each(|shift| attacker.lying_footers(seed as usize + shift, &Lies::Beside));
        });
    }
}

/// A pack comes to a replica whole, without that it is opened: but for what its footer lists of moved files.
#[test]
fn what_a_footer_lists_comes_to_a_replica_only_if_it_is_so() {
    let (mut churn, _) = Churn::lived(50);
    churn.prune();
    churn.edit(10);
    churn.backup();
    Attacker::new(&churn.repo()).lying_footers(1, &Lies::Instead);
    let (lies, _) = count_parts(&churn.repo());
    assert!(lies > 0);
    let second = Memory::new();
    let first = churn.repo();
    first.store.make_replica(&second, 1).unwrap();
    let replica = first.open_replica_on(Arc::new(second.clone())).unwrap();
    let options = replicate::ReplicateOptions {
        all: true,
        dry_run: false,
    };
    let mut done = replicate::Replicated::default();
    // Files of which only a false entry gives the place can't come.
    let _ = replicate::run(&first, &replica, &options, &Quiet, &mut done);
    let (lies, honest) = count_parts(&replica);
    assert!(lies == 0 && honest > 0, "{lies} {honest}");
}

/// Parts that footers list and whose content is another's, and others.
fn count_parts(repo: &Repo) -> (usize, usize) {
    let store = &repo.store;
    let (mut lies, mut honest) = (0, 0);
    for id in store.packs().unwrap().into_keys() {
        let list = pack::read_list(store.remote(), store.keys(), id).unwrap();
        for part in &list.parts {
            let frame = &list.frames[part.at as usize];
            let reader = repo.reader(&Quiet);
            let at = reader.locate(&frame.id).unwrap().unwrap();
            let mut plain = Vec::new();
            Decoder::new()
                .unwrap()
                .read(
                    store.remote(),
                    store.keys(),
                    list.class,
                    frame.id,
                    &at.place,
                    &mut plain,
                )
                .unwrap();
            let bytes = part.slice(&plain).unwrap();
            match store.keys().content_hash(bytes) == part.hash {
                true => honest += 1,
                false => lies += 1,
            }
        }
    }
    (lies, honest)
}

/// The same beside an honest copy of everything, which a collection may choose between.
#[test]
fn of_several_copies_a_sound_one_stays() {
    for seed in 30..32 {
        let (churn, last) = Churn::lived(seed);
        let other = Machine::new("beta");
        let before = contents(&churn.remote).unwrap();
        let repo = other.open(Arc::new(churn.remote.clone())).unwrap();
        // Moved, and then what was there before the collection came back to storage.
        machine::prune(&repo, NEVER).unwrap();
        for (name, bytes) in &before {
            if matches!(name.kind(), Kind::Pack | Kind::Index) {
                churn.remote.put(name, bytes).unwrap();
            }
        }
        Attacker::new(&churn.repo()).rotten_copies();
        for _ in 0..3 {
            churn.prune();
            let repo = churn.repo();
            let found = oracle::generation(&repo, last, &churn.source());
            let target = tempfile::tempdir().unwrap();
            let options = restore::RestoreOptions::new(target.path());
            let manifest = repo.manifest(last).unwrap();
            let summary = restore::run(&repo, &manifest, &options, &Quiet).unwrap();
            assert_eq!(summary.files_failed, 0, "{found:?}");
        }
    }
}
