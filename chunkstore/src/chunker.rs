//! Where a large file is cut: FastCDC (Xia et al., IEEE TPDS 2020) with a gear table drawn from the repository's
//! key, so that cut points reveal nothing at a glance. It is not a proof against fingerprinting: docs/threat-model.md.

use crate::error::{Error, Invalid, Result};
use fastcdc::v2020::{Normalization, cut_gear, select_masks};

/// Bounds of a chunk's plaintext, bytes. `avg` is what normalised chunking aims at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, minicbor::Encode, minicbor::Decode)]
pub struct Bounds {
    /// No chunk but the last of a file is smaller.
    #[n(0)]
    pub min: u32,
    /// The size that chunks have on average, about.
    #[n(1)]
    pub avg: u32,
    /// No chunk is larger.
    #[n(2)]
    pub max: u32,
}

impl Bounds {
    /// For most data.
    pub const DEFAULT: Bounds = Bounds {
        min: 128 << 10,
        avg: 512 << 10,
        max: 2 << 20,
    };
    /// For databases and disk images: finer deduplication, eight times the index.
    pub const FINE: Bounds = Bounds {
        min: 16 << 10,
        avg: 64 << 10,
        max: 256 << 10,
    };

    /// Checked when a repository is made and when its configuration is read.
    pub fn check(self) -> Result<Self> {
        let even = [self.min, self.avg, self.max]
            .iter()
            .all(|size| size.is_multiple_of(2));
        let ordered = self.min >= 1024 && self.min < self.avg && self.avg < self.max;
        if even && ordered && self.avg.is_power_of_two() && self.max <= 8 << 20 {
            return Ok(self);
        }
        let Bounds { min, avg, max } = self;
        Err(Error::Invalid(Invalid::ChunkerBounds { min, avg, max }))
    }
}

/// Cuts bytes into chunks by their content.
pub struct Chunker {
    gear: Box<[u64; 256]>,
    gear_shifted: Box<[u64; 256]>,
    bounds: Bounds,
    masks: (u64, u64),
}

impl Chunker {
    /// Cuts by a key, so that the lengths of chunks tell nothing about known content.
    pub fn new(key: &[u8; 32], bounds: Bounds) -> Result<Self> {
        let bounds = bounds.check()?;
        let mut stream = blake3::Hasher::new_keyed(key).update(b"gear").finalize_xof();
        let mut gear = Box::new([0; 256]);
        for word in gear.iter_mut() {
            let mut bytes = [0; 8];
            stream.fill(&mut bytes);
            *word = u64::from_le_bytes(bytes);
        }
        let gear_shifted = Box::new(gear.map(|word| word << 1));
        let masks = select_masks(bounds.avg as usize, Normalization::Level2);
        Ok(Chunker {
            gear,
            gear_shifted,
            bounds,
            masks,
        })
    }

    /// The sizes of chunks.
    pub fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// Length of the chunk that starts at `window[0]`. `window` must hold at least `max` bytes, or all that is left.
    pub fn cut(&self, window: &[u8]) -> usize {
        let (strict, loose) = self.masks;
        let Bounds { min, avg, max } = self.bounds;
        let (_, len) = cut_gear(
            window,
            min as usize,
            avg as usize,
            max as usize,
            strict,
            loose,
            strict << 1,
            loose << 1,
            &self.gear[..],
            &self.gear_shifted[..],
        );
        len
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn noise(seed: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        blake3::Hasher::new()
            .update(&seed.to_le_bytes())
            .finalize_xof()
            .fill(&mut bytes);
        bytes
    }

    fn cuts(chunker: &Chunker, mut data: &[u8]) -> Vec<Vec<u8>> {
        let mut chunks = Vec::new();
        while !data.is_empty() {
            let (chunk, rest) = data.split_at(chunker.cut(data));
            chunks.push(chunk.to_vec());
            data = rest;
        }
        chunks
    }

    #[test]
    fn an_insert_moves_few_cuts_and_keys_differ() {
        let chunker = Chunker::new(&[1; 32], Bounds::FINE).unwrap();
        let data = noise(1, 8 << 20);
        let before = cuts(&chunker, &data);
        let after = cuts(&chunker, &[&noise(2, 17)[..], &data].concat());
        let fresh = after.iter().filter(|chunk| !before.contains(chunk)).count();
        assert!(fresh <= 3, "{fresh} of {} chunks are new", after.len());
        let average = data.len() / before.len();
        assert!((40 << 10..130 << 10).contains(&average), "average {average}");
        let other = cuts(&Chunker::new(&[2; 32], Bounds::FINE).unwrap(), &data);
        assert!(other.iter().filter(|chunk| before.contains(chunk)).count() <= 2);
    }

    proptest! {
        #[test]
        fn chunks_rejoin_within_bounds(seed: u64, len in 0usize..3_000_000) {
            let chunker = Chunker::new(&[3; 32], Bounds::FINE).unwrap();
            let data = noise(seed, len);
            let chunks = cuts(&chunker, &data);
            for (i, chunk) in chunks.iter().enumerate() {
                prop_assert!(chunk.len() <= Bounds::FINE.max as usize);
                prop_assert!(chunk.len() > Bounds::FINE.min as usize || i + 1 == chunks.len());
            }
            prop_assert_eq!(chunks.concat(), data);
        }
    }
}
