//! Rescues the intact content of damaged packs: copies it into new packs and indexes those. Deletes nothing (I-16).
//!
//! Frames are read one by one, so that one sector that can't be read costs one frame. Packs are taken one by one as
//! well: memory does not grow with the amount of damage.

use super::repack::{Mover, Proof};
use super::run::place;
use crate::error::Result;
use crate::frame::Decoder;
use crate::id::PackId;
use crate::index::LocalIndex;
use crate::live::LiveSet;
use crate::pack::{Frame, PackList};
use crate::smallfile::Part;
use crate::store::Store;
use std::collections::HashSet;

/// What became of the frames of damaged packs. Those with a copy in an intact pack, which the index names, are not
/// counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rescued {
    pub chunks: u64,
    pub bytes: u64,
    /// Chunks that no frame holds any more.
    pub lost: u64,
}

/// A rescue under way.
pub struct Rescue<'a> {
    store: &'a Store,
    index: &'a LocalIndex,
    /// No copy in one of these counts.
    hurt: &'a HashSet<PackId>,
    /// Only reports what is intact.
    dry: bool,
    mover: Mover<'a>,
    decoder: Decoder,
    plain: Vec<u8>,
    saved: LiveSet,
    failed: LiveSet,
    rescued: Rescued,
}

impl<'a> Rescue<'a> {
    /// With `dry`, only reports what is intact.
    pub fn begin(
        store: &'a Store,
        index: &'a LocalIndex,
        hurt: &'a HashSet<PackId>,
        dry: bool,
    ) -> Result<Self> {
        Ok(Rescue {
            store,
            index,
            hurt,
            dry,
            mover: Mover::within(store, Proof::Content)?,
            decoder: Decoder::new()?,
            plain: Vec::new(),
            saved: LiveSet::new(store.cache())?,
            failed: LiveSet::new(store.cache())?,
            rescued: Rescued::default(),
        })
    }

    /// Copies the intact frames of one damaged pack. `moved` is called with the bytes as they go.
    pub fn pack(&mut self, list: &PackList, moved: &mut dyn FnMut(u64) -> Result<()>) -> Result<()> {
        for (number, frame) in list.frames.iter().enumerate() {
            let parts = list.parts_of(number);
            if self.is_elsewhere(frame, parts)? || self.saved.contains(&frame.id)? {
                continue;
            }
            let place = place(list, frame)?;
            let (remote, keys) = (self.store.remote(), self.store.keys());
            let read = self
                .decoder
                .read(remote, keys, list.class, frame.id, &place, &mut self.plain);
            match read {
                Ok(()) => {
                    self.saved.insert(frame.id)?;
                    self.rescued.chunks += 1;
                    self.rescued.bytes += u64::from(frame.stored_len);
                    match self.dry {
                        true => moved(frame.stored_len.into())?,
                        false => self.mover.add(list.class, (frame.id, place, parts), moved)?,
                    }
                }
                Err(e) if e.is_hurt() => {
                    self.failed.insert(frame.id)?;
                }
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Whether the index knows a copy in an intact pack, and another place of each file that was moved into it.
    fn is_elsewhere(&self, frame: &Frame, parts: &[Part]) -> Result<bool> {
        let copies = self.index.copies(&frame.id)?;
        if copies.iter().all(|at| self.hurt.contains(&at.place.pack)) {
            return Ok(false);
        }
        for part in parts {
            let places = self.index.moved(&part.hash)?;
            if places.iter().all(|to| self.hurt.contains(&to.pack)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Indexes what was copied; `result` is how the last pack went.
    pub fn finish(mut self, result: Result<()>, moved: &mut dyn FnMut(u64) -> Result<()>) -> Result<Rescued> {
        let result = result.and_then(|()| match self.dry {
            true => Ok(()),
            false => self.mover.finish(moved),
        });
        self.mover.ended(result)?;
        let (saved, rescued) = (&self.saved, &mut self.rescued);
        self.failed.scan(&mut |ids| {
            for id in ids {
                rescued.lost += u64::from(!saved.contains(id)?);
            }
            Ok(())
        })?;
        Ok(self.rescued)
    }
}
