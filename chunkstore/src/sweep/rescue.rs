//! Brings what is whole in hurt packs to safety: copies it into new packs and indexes those. Deletes nothing (I-16).
//!
//! Frames are read one by one, so that one sector that can't be read costs one frame.

use super::repack::{Mover, Proof, place};
use crate::error::Result;
use crate::frame::Decoder;
use crate::id::PackId;
use crate::index::LocalIndex;
use crate::pack::PackList;
use crate::store::Store;

/// What became of the frames of hurt packs. Those with another copy, which the index names, are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rescued {
    pub chunks: u64,
    pub bytes: u64,
    /// Frames that no longer hold their chunk.
    pub lost: u64,
}

/// Copies the intact frames of the `hurt` packs. With `dry`, only says what is intact. `moved` is told bytes as they go.
pub fn rescue(
    store: &Store,
    index: &LocalIndex,
    hurt: &[PackList],
    dry: bool,
    moved: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<Rescued> {
    let mut rescued = Rescued::default();
    let mut mover = Mover::within(store, Proof::Content)?;
    let mut decoder = Decoder::new()?;
    let mut plain = Vec::new();
    let result = hurt
        .iter()
        .try_for_each(|list| {
            for frame in &list.frames {
                if elsewhere(index, list.id, frame)? {
                    continue;
                }
                let place = place(list, frame)?;
                let read = decoder.read(
                    store.remote(),
                    store.keys(),
                    list.class,
                    frame.id,
                    &place,
                    &mut plain,
                );
                match read {
                    Ok(()) => {
                        rescued.chunks += 1;
                        rescued.bytes += u64::from(frame.stored_len);
                        match dry {
                            true => moved(frame.stored_len.into())?,
                            false => mover.add(list.class, (frame.id, place), moved)?,
                        }
                    }
                    Err(e) if e.is_hurt() => rescued.lost += 1,
                    Err(e) => return Err(e),
                }
            }
            Ok(())
        })
        .and_then(|()| match dry {
            true => Ok(()),
            false => mover.finish(moved),
        });
    mover.ended(result).map(|()| rescued)
}

/// Whether the index knows a copy outside this pack.
fn elsewhere(index: &LocalIndex, pack: PackId, frame: &crate::pack::Frame) -> Result<bool> {
    Ok(index
        .locate(&frame.id)?
        .is_some_and(|located| located.place.pack != pack))
}
