//! What somebody lists in packs that a collection has just made, while it waits for a backup that needs what it condemned.

use super::{Story, collect, open};
use chunkstore::index::Inventory;
use chunkstore::indexfile::{IndexEntry, IndexSegment, PackRecord};
use chunkstore::remote::ObjectName;
use chunkstore::session::View;
use engine::repo::Repo;
use kit::generation::{self, foreign_writer, put_all, read_back};
use kit::machine::Machine;

/// Lists every chunk of the packs that were there `before` in one that is new, too.
fn lie(repo: &Repo, before: &Inventory, shift: u32) {
    let store = &repo.store;
    let segments = View::read(store).unwrap().segments;
    let segments: Vec<IndexSegment> = segments.iter().map(|id| store.segment(*id).unwrap()).collect();
    let packs = segments.iter().flat_map(|segment| &segment.packs);
    let new: Vec<PackRecord> = packs
        .filter(|pack| !before.contains_key(&pack.id))
        .cloned()
        .collect();
    assert!(!new.is_empty());
    let mut lie = IndexSegment::default();
    for segment in &segments {
        for entry in &segment.entries {
            let old = &segment.packs[entry.pack as usize];
            let place = new.iter().position(|pack| pack.class == old.class);
            if let (Some(place), true) = (place, before.contains_key(&old.id)) {
                lie.entries.push(IndexEntry {
                    pack: place as u32,
                    offset: 139 + shift * 11,
                    stored_len: entry.stored_len.min(new[place].size as u32 - 200),
                    key: 0,
                    ..*entry
                });
            }
        }
    }
    assert!(!lie.entries.is_empty());
    lie.packs = new;
    lie.entries
        .sort_unstable_by_key(|entry| (entry.id, entry.pack, entry.offset));
    let (id, bytes) = lie.seal(store.keys()).unwrap();
    store.remote().put(&ObjectName::index(id), &bytes).unwrap();
}

/// That a pack was proven as it was made proves nothing about what others list in it.
#[test]
fn what_others_list_in_new_packs_is_held_against_their_footers() {
    for shift in 0..3 {
        let story = Story::new();
        let repo = open(&story.machine, &story.remote);
        let before = repo.store.packs().unwrap();
        let theirs = open(&Machine::new("elsewhere"), &story.remote);
        let writer = foreign_writer(&theirs);
        let (_, of) = &story.forgotten[0];
        let manifest = put_all(&theirs, &writer, 1, of).unwrap();
        story.forget(&repo);
        assert!(collect(&repo).unwrap().pending);
        let id = generation::publish(&writer, &manifest).unwrap();
        lie(&theirs, &before, shift);
        for _ in 0..2 {
            collect(&repo).unwrap();
        }
        for (id, files) in story.kept.iter().chain([&(id, of.clone())]) {
            assert_eq!(&read_back(&repo, *id).unwrap(), files, "{shift}");
        }
    }
}
