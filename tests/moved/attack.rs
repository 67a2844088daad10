//! What somebody who may only add to a repository tries, and what rots by itself: copies that are not what the index says.

use super::{Churn, NEVER};
use chunkstore::index::Inventory;
use chunkstore::indexfile::{IndexEntry, IndexSegment};
use chunkstore::pack::{self, PackWriter};
use chunkstore::remote::{Kind, ObjectName, Remote};
use chunkstore::session::View;
use chunkstore::smallfile::Part;
use engine::monitor::Quiet;
use engine::repo::Repo;
use engine::{forget, restore};
use kit::machine::{self, Machine};
use kit::oracle;
use kit::remotes::contents;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Whoever may add to the index and to nothing else.
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

    /// Says of every chunk and moved file that it lies at an offset of some other pack of its class.
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
            let copy = writer.finish(store.keys()).unwrap().publish().unwrap();
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
        forget::apply(&churn.repo(), &[last], 0).unwrap();
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
            let options = restore::Options::new(target.path());
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
            let options = restore::Options::new(target.path());
            let manifest = repo.manifest(last).unwrap();
            let summary = restore::run(&repo, &manifest, &options, &Quiet).unwrap();
            assert_eq!(summary.files_failed, 0, "{found:?}");
        }
    }
}
