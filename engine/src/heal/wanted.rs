//! What a replica lacks of what its generations refer to, and what of that another one has.

use super::Healing;
use crate::error::Result;
use chunkstore::index::Presence;
use chunkstore::live::LiveSet;
use chunkstore::transfer::Origin;
use chunkstore::{ChunkId, PackId, SmallFile};
use std::collections::HashSet;

impl Healing<'_> {
    /// What of `live` is in no pack that is there and sound. Returns those of the damaged packs that held some of it.
    pub(super) fn add_wanted(
        &self,
        live: &mut LiveSet,
        hurt: &HashSet<PackId>,
        wanted: &mut LiveSet,
    ) -> Result<HashSet<PackId>> {
        let index = self.writer.index(&mut |_, _| {})?;
        let mut needed = HashSet::new();
        // Also in condemned packs: what is to be deleted is not lost.
        live.scan(&mut |ids| {
            for id in ids {
                if !index.contains(id, hurt)? {
                    needed.extend(index.copies(id)?.iter().map(|at| at.place.pack));
                    wanted.insert(*id)?;
                }
            }
            Ok(())
        })?;
        let mut presence = Presence::default();
        let bundle = &mut |id: &ChunkId| index.contains(id, hurt);
        let moved = &mut |file: &SmallFile| Ok(index.moved_to(file, hurt)?.is_some());
        live.scan_files(&mut |file| {
            if presence.of(file, bundle, moved)? {
                return Ok(());
            }
            needed.extend(index.copies(&file.bundle)?.iter().map(|at| at.place.pack));
            needed.extend(index.moved(&file.hash)?.iter().map(|to| to.pack));
            wanted.insert_file(*file)
        })?;
        needed.retain(|pack| hurt.contains(pack));
        Ok(needed)
    }

    pub(super) fn count(&self, set: &mut LiveSet) -> Result<u64> {
        let mut count = 0;
        set.scan(&mut |ids| {
            count += ids.len() as u64;
            Ok(())
        })?;
        let mut last = None;
        set.scan_files(&mut |file| {
            count += u64::from(last.replace(file.bundle) != Some(file.bundle));
            Ok(())
        })?;
        Ok(count)
    }

    /// What is left when everything has come that the origin lists.
    pub(super) fn would_bring(&self, wanted: &mut LiveSet, origin: &Origin) -> Result<LiveSet> {
        let mut left = LiveSet::new(self.repo.store.cache())?;
        wanted.scan(&mut |ids| {
            for (id, located) in ids.iter().zip(origin.index.locate_sorted(ids)?) {
                if located.is_none() {
                    left.insert(*id)?;
                }
            }
            Ok(())
        })?;
        wanted.scan_files(&mut |file| match origin.index.find_file(file)? {
            Some(_) => Ok(()),
            None => left.insert_file(*file),
        })?;
        Ok(left)
    }
}
