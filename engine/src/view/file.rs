//! A file that is being read: its extents with their places, and whether it is read from front to back.

use super::Seen;
use crate::entry::{Content, Extent, ExtentList, join};
use crate::error::Result;
use parking_lot::Mutex;
use std::ops::Range;

/// Reads that are as near to each other follow each other: the system asks for several pieces at once, in any order.
const NEAR: u64 = 1 << 20;
/// Bytes that are opened ahead of one who reads from front to back: at first, and at most.
const AHEAD: [u64; 2] = [1 << 20, 12 << 20];

/// A regular file of a snapshot.
pub struct OpenFile {
    pub(super) seen: Seen,
    pub(super) content: FileExtents,
    reading: Mutex<Reading>,
}

/// What a file consists of.
pub(super) enum FileExtents {
    /// Of nothing, or a part of a bundle.
    Few,
    All(ExtentMap),
    /// Of lists, each with the offset at which it begins.
    Lists(Vec<(u64, ExtentList)>),
}

/// How it was read so far.
#[derive(Default)]
struct Reading {
    /// Where the last reads ended.
    end: u64,
    /// How much is opened ahead; 0 if the last read did not follow the one before.
    ahead: u64,
}

/// Extents and the offsets at which they begin.
pub(super) struct ExtentMap {
    extents: Vec<Extent>,
    starts: Vec<u64>,
}

/// Called with an extent, and the part of it that is wanted.
pub(super) type EachExtent<'a> = dyn FnMut(&Extent, Range<usize>) -> Result<()> + 'a;

impl OpenFile {
    pub(super) fn new(mut seen: Seen) -> OpenFile {
        let content = match &mut seen.entry.content {
            Content::None | Content::Bundled { .. } => FileExtents::Few,
            Content::Extents(extents) => FileExtents::All(ExtentMap::new(0, std::mem::take(extents))),
            Content::Lists(lists) => {
                let mut start = 0u64;
                let place = |list: ExtentList| {
                    let place = (start, list);
                    start = start.saturating_add(place.1.bytes);
                    place
                };
                FileExtents::Lists(std::mem::take(lists).into_iter().map(place).collect())
            }
        };
        OpenFile {
            seen,
            content,
            reading: Mutex::default(),
        }
    }

    /// Its path in the snapshot.
    pub fn path(&self) -> Vec<u8> {
        join(&self.seen.dir, &self.seen.entry.name)
    }

    /// Whether the snapshot holds its content.
    pub fn is_saved(&self) -> bool {
        self.seen.entry.is_saved()
    }

    /// What to open ahead, now that this is read.
    pub(super) fn follow(&self, read: &Range<u64>) -> Range<u64> {
        let mut reading = self.reading.lock();
        let follows = read.start.abs_diff(reading.end) <= NEAR;
        reading.ahead = match (follows, reading.ahead) {
            // The first of all says nothing yet.
            (true, 0) if reading.end == 0 => 1,
            (true, ahead) => (ahead * 2).clamp(AHEAD[0], AHEAD[1]),
            (false, _) => 0,
        };
        reading.end = match follows {
            true => reading.end.max(read.end),
            false => read.end,
        };
        let end = reading.end;
        match reading.ahead {
            0 | 1 => end..end,
            ahead => end..end.saturating_add(ahead).min(self.seen.entry.meta.size),
        }
    }
}

impl ExtentMap {
    /// Of extents that begin at this offset of their file.
    pub fn new(start: u64, extents: Vec<Extent>) -> ExtentMap {
        let mut at = start;
        let starts = extents.iter().map(|extent| {
            let start = at;
            at = at.saturating_add(extent.len());
            start
        });
        ExtentMap {
            starts: starts.collect(),
            extents,
        }
    }

    /// Calls `each` with the extents in this range of the file.
    pub fn each(&self, wanted: &Range<u64>, each: &mut EachExtent<'_>) -> Result<()> {
        let first = self.starts.partition_point(|start| *start <= wanted.start);
        let from = first.saturating_sub(1);
        for (extent, start) in self.extents.iter().zip(&self.starts).skip(from) {
            if *start >= wanted.end {
                break;
            }
            let within = |offset: u64| offset.saturating_sub(*start).min(extent.len()) as usize;
            let part = within(wanted.start)..within(wanted.end);
            if !part.is_empty() {
                each(extent, part)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chunkstore::ChunkId;

    #[test]
    fn parts_of_extents() {
        let chunk = |len| Extent::Chunk {
            id: ChunkId([len as u8; 32]),
            len,
        };
        let map = ExtentMap::new(100, vec![chunk(10), Extent::Zero { len: 5 }, chunk(20)]);
        let parts = |wanted: Range<u64>| {
            let mut found = Vec::new();
            map.each(&wanted, &mut |extent, part| {
                found.push((extent.len(), part));
                Ok(())
            })
            .unwrap();
            found
        };
        assert_eq!(parts(100..101), [(10, 0..1)]);
        assert_eq!(parts(109..116), [(10, 9..10), (5, 0..5), (20, 0..1)]);
        assert_eq!(parts(0..1000), [(10, 0..10), (5, 0..5), (20, 0..20)]);
        assert_eq!(parts(134..135), [(20, 19..20)]);
        assert_eq!(parts(135..200), []);
        assert_eq!(parts(0..100), []);
    }
}
