//! What a pack's own list and the index segments record of it, so that the two can be compared.

use chunkstore::ChunkId;
use chunkstore::keys::SealedSessionKey;
use chunkstore::pack::{Class, PackList};
use chunkstore::smallfile::Part;

/// A pack as the index segments have it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct ListedPacks {
    pub class: Class,
    pub size: u64,
    pub frames: u64,
    /// Sum over the frames and moved files, so that a pack's own list can be compared whatever the order.
    pub sum: u128,
}

impl ListedPacks {
    /// What a pack's own list comes to.
    pub fn of(list: &PackList) -> ListedPacks {
        let frames = list.frames.iter().fold(0u128, |sum, frame| {
            let key = list.sealed_keys.get(usize::from(frame.key));
            let numbers = [frame.offset, frame.stored_len, frame.plain_len];
            sum.wrapping_add(frame_sum(&frame.id, numbers, frame.codec as u8, key))
        });
        let sum = list.parts.iter().fold(frames, |sum, part| {
            let bundle = list.frames.get(part.at as usize);
            sum.wrapping_add(part_sum(bundle.map_or(0, |frame| frame.offset), part))
        });
        ListedPacks {
            class: list.class,
            size: list.size,
            frames: list.frames.len() as u64,
            sum,
        }
    }
}

/// Sum of one moved file for [`ListedPacks::sum`], in the bundle whose frame lies at an offset.
pub(super) fn part_sum(frame: u32, part: &Part) -> u128 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(part.hash.as_bytes());
    for number in [frame, part.offset, part.len] {
        hasher.update(&number.to_le_bytes());
    }
    let mut sum = [0; 16];
    sum.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    u128::from_le_bytes(sum)
}

/// Sum of one frame for [`ListedPacks::sum`].
pub(super) fn frame_sum(id: &ChunkId, numbers: [u32; 3], codec: u8, key: Option<&SealedSessionKey>) -> u128 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(id.as_bytes());
    for number in numbers {
        hasher.update(&number.to_le_bytes());
    }
    hasher.update(&[codec]);
    key.map(|key| hasher.update(key.as_bytes()));
    let mut sum = [0; 16];
    sum.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    u128::from_le_bytes(sum)
}
