//! Which files a drill restores. All files are looked at, and those with the lowest keyed hashes of their paths are taken,
//! under a fresh key: a random choice whose memory is that of the paths that are chosen.

use super::{FILES_MOST, Sample, USUAL_BYTES, USUAL_FILES};
use crate::entry::{Content, Entry, Extent, Kind, cmp_dirs};
use crate::error::Result;
use crate::list::in_stored_order;
use crate::manifest::Manifest;
use crate::run::CancelToken;
use chunkstore::reader::Reader;
use std::collections::BinaryHeap;

/// What a drill restores.
#[derive(Default, PartialEq, Eq, Debug)]
pub(super) struct ChosenFiles {
    /// Relative to `/`, in the order in which they are stored; `None` for everything.
    pub paths: Option<Vec<Vec<u8>>>,
    pub files: u64,
    pub bytes: u64,
    /// Bytes that they take up on a disk, without holes.
    pub room: u64,
}

/// Calls `incomplete` with each entry that is not what it was, chosen or not: it could not be read when it was backed up.
pub(super) fn choose(
    reader: &Reader<'_>,
    manifest: &Manifest,
    sample: Sample,
    cancel: &CancelToken,
    incomplete: &mut dyn FnMut(&[u8], &Entry),
) -> Result<ChosenFiles> {
    let all = manifest.root()?.files;
    let (files, bytes) = match sample {
        Sample::All => return everything(reader, manifest, cancel, incomplete),
        Sample::Usual => (USUAL_FILES, USUAL_BYTES),
        Sample::Files(files) => (files, u64::MAX),
        Sample::Bytes(bytes) => (u64::MAX, bytes),
        Sample::Percent(percent) => ((all as f64 * percent / 100.0).ceil() as u64, u64::MAX),
    };
    let mut draw = Draw {
        key: chunkstore::id::random::<32>()?,
        files: files.min(FILES_MOST) as usize,
        room: bytes,
        ..Draw::default()
    };
    in_stored_order(reader, manifest, &mut |path, entry| {
        cancel.check()?;
        if entry.trouble.is_some() {
            incomplete(path, entry);
        }
        if entry.kind == Kind::File && entry.is_saved() {
            draw.add(path, entry);
        }
        Ok(())
    })?;
    Ok(draw.end())
}

fn everything(
    reader: &Reader<'_>,
    manifest: &Manifest,
    cancel: &CancelToken,
    incomplete: &mut dyn FnMut(&[u8], &Entry),
) -> Result<ChosenFiles> {
    let mut chosen = ChosenFiles::default();
    in_stored_order(reader, manifest, &mut |path, entry| {
        cancel.check()?;
        if entry.trouble.is_some() {
            incomplete(path, entry);
        }
        if entry.kind == Kind::File && entry.is_saved() {
            chosen.files += 1;
            chosen.bytes = chosen.bytes.saturating_add(entry.meta.size);
            chosen.room = chosen.room.saturating_add(room(entry));
        }
        Ok(())
    })?;
    Ok(chosen)
}

/// Bytes of a file that are not holes, as far as its entry tells.
fn room(entry: &Entry) -> u64 {
    match &entry.content {
        Content::Extents(extents) => extents.iter().fold(0u64, |sum, extent| match extent {
            Extent::Chunk { len, .. } => sum.saturating_add(u64::from(*len)),
            Extent::Zero { .. } => sum,
        }),
        Content::None | Content::Bundled { .. } | Content::Lists(_) => entry.meta.size,
    }
}

/// A file in the draw: the highest lot goes first.
#[derive(PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Lot {
    number: u64,
    path: Vec<u8>,
    bytes: u64,
    room: u64,
}

#[derive(Default)]
struct Draw {
    key: [u8; 32],
    /// How much is drawn at most.
    files: usize,
    room: u64,
    drawn: BinaryHeap<Lot>,
    /// Exact, whatever sizes the entries tell: a sum that stops at the largest number can't be taken back.
    taken: u128,
    /// The smallest file with a content: taken where every file is too large.
    smallest: Option<Lot>,
}

impl Draw {
    fn add(&mut self, path: &[u8], entry: &Entry) {
        let hash = blake3::keyed_hash(&self.key, path);
        let mut number = [0; 8];
        number.copy_from_slice(&hash.as_bytes()[..8]);
        let lot = Lot {
            number: u64::from_le_bytes(number),
            path: path.to_vec(),
            bytes: entry.meta.size,
            room: room(entry),
        };
        if lot.room > self.room {
            if self.smallest.as_ref().is_none_or(|known| lot.room < known.room) {
                self.smallest = Some(lot);
            }
            return;
        }
        self.taken += u128::from(lot.room);
        self.drawn.push(lot);
        while self.drawn.len() > self.files || self.taken > u128::from(self.room) {
            let Some(lot) = self.drawn.pop() else { break };
            self.taken -= u128::from(lot.room);
        }
    }

    fn end(self) -> ChosenFiles {
        let mut lots = self.drawn.into_vec();
        if lots.is_empty() && self.files > 0 {
            lots.extend(self.smallest);
        }
        lots.sort_by(|a, b| cmp_dirs(&a.path, &b.path));
        ChosenFiles {
            files: lots.len() as u64,
            bytes: lots.iter().map(|lot| lot.bytes).fold(0, u64::saturating_add),
            room: lots.iter().map(|lot| lot.room).fold(0, u64::saturating_add),
            paths: Some(lots.into_iter().map(|lot| lot.path).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fsmeta::Blank;

    fn file(size: u64) -> Entry {
        let mut meta = Blank::default().meta();
        meta.size = size;
        Entry {
            name: b"x".to_vec(),
            kind: Kind::File,
            meta,
            content: Content::None,
            trouble: None,
        }
    }

    fn drawn(files: usize, room: u64, sizes: &[u64], seed: u8) -> ChosenFiles {
        let mut draw = Draw {
            key: [seed; 32],
            files,
            room,
            ..Draw::default()
        };
        for (nr, size) in sizes.iter().enumerate() {
            draw.add(format!("d/{nr}").as_bytes(), &file(*size));
        }
        draw.end()
    }

    #[test]
    fn neither_too_many_nor_too_large() {
        let sizes: Vec<u64> = (0..1000).collect();
        for (files, room) in [
            (10, u64::MAX),
            (1000, 5000),
            (10, 5000),
            (0, 5000),
            (2000, u64::MAX),
        ] {
            let found = drawn(files, room, &sizes, 1);
            let paths = found.paths.unwrap();
            assert!(paths.len() <= files && found.room <= room, "{files} {room}");
            assert_eq!(paths.len() as u64, found.files);
            assert!(paths.is_empty() == (files == 0));
        }
        assert_eq!(drawn(2000, u64::MAX, &sizes, 1).files, 1000);
        let one = drawn(5, 10, &[90, 70, 80], 1);
        assert_eq!(
            one.paths.unwrap(),
            [b"d/1".to_vec()],
            "the smallest where all are too large"
        );
    }

    /// As a snapshot that somebody made up may have them.
    #[test]
    fn sizes_whose_sum_is_no_number_are_drawn_too() {
        let sizes = [u64::MAX, 5, u64::MAX, 1, u64::MAX];
        for seed in 0..100 {
            assert_eq!(drawn(1, u64::MAX, &sizes, seed).files, 1, "{seed}");
            assert_eq!(drawn(5, u64::MAX, &[u64::MAX; 5], seed).files, 1, "{seed}");
            let room = drawn(5, u64::MAX - 1, &[u64::MAX - 1, 5, 1], seed).room;
            assert!((1..u64::MAX).contains(&room), "{seed}");
        }
    }

    #[test]
    fn another_key_draws_others() {
        let sizes = vec![1; 1000];
        let all: std::collections::BTreeSet<Vec<u8>> = (0..40)
            .flat_map(|seed| drawn(50, u64::MAX, &sizes, seed).paths.unwrap())
            .collect();
        assert!(all.len() > 700, "{}", all.len());
    }
}
