//! The index segments, as they go into the check's own local index: what each lists of its packs, and which are damaged
//! or can't be read.

use super::Findings;
use super::listed::{ListedPacks, frame_sum, part_sum};
use super::triage::Triage;
use crate::problem::Damage;
use chunkstore::indexfile::{IndexEntry, IndexSegment};
use chunkstore::remote::ObjectName;
use chunkstore::store::Store;
use chunkstore::{Error as StoreError, IndexId, PackId};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What index segments list of packs, taken in while the local index is made; a segment may come more than once.
#[derive(Default)]
pub(super) struct Ingest {
    listed: HashMap<PackId, ListedPacks>,
    entries: HashMap<IndexId, u64>,
    trouble: BTreeMap<IndexId, StoreError>,
    /// Segments, and a pack that each lists otherwise than another one does.
    at_odds: BTreeSet<(IndexId, PackId)>,
}

impl Ingest {
    /// Opens one segment and takes in what it lists of its packs; an empty one stands in for one that is damaged or
    /// can't be read.
    pub fn segment(
        &mut self,
        store: &Store,
        triage: &Triage<'_>,
        id: IndexId,
    ) -> Result<IndexSegment, StoreError> {
        let read = IndexSegment::load(store.remote(), store.keys(), id);
        let segment = match triage.sound(ObjectName::index(id), read)? {
            Ok(segment) => segment,
            Err(e) => {
                self.trouble.insert(id, e);
                return Ok(IndexSegment::default());
            }
        };
        self.entries.insert(id, segment.entries.len() as u64);
        for (pack, here) in segment.packs.iter().zip(packs_of(&segment)) {
            let first = *self.listed.entry(pack.id).or_insert(here);
            if first != here {
                self.at_odds.insert((id, pack.id));
            }
        }
        Ok(segment)
    }

    /// The packs that segments list, and the number of entries in all.
    pub fn finish(self, triage: &Triage<'_>, findings: &mut Findings) -> (HashMap<PackId, ListedPacks>, u64) {
        for (id, error) in self.trouble {
            match error.is_damage() {
                true => findings.index_is_short = true,
                false => triage.note_unread_index(),
            }
            findings.trouble(ObjectName::index(id), &error);
        }
        for (id, pack) in self.at_odds {
            findings.damage(ObjectName::index(id), Damage::SegmentsDiffer { pack });
        }
        (self.listed, self.entries.into_values().sum())
    }
}

/// What a segment lists of each of its packs.
fn packs_of(segment: &IndexSegment) -> Vec<ListedPacks> {
    let mut here: Vec<ListedPacks> = segment
        .packs
        .iter()
        .map(|pack| ListedPacks {
            class: pack.class,
            size: pack.size,
            frames: 0,
            sum: 0,
        })
        .collect();
    for entry in &segment.entries {
        let IndexEntry {
            id,
            offset,
            stored_len,
            plain_len,
            codec,
            ..
        } = entry;
        let key = segment.place(entry).sealed_key;
        let pack = &mut here[entry.pack as usize];
        pack.frames += 1;
        let sum = frame_sum(id, [*offset, *stored_len, *plain_len], *codec as u8, Some(&key));
        pack.sum = pack.sum.wrapping_add(sum);
    }
    for part in &segment.parts {
        let bundle = &segment.entries[part.at as usize];
        let pack = &mut here[bundle.pack as usize];
        pack.sum = pack.sum.wrapping_add(part_sum(bundle.offset, part));
    }
    here
}
