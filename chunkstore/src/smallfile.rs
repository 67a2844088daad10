//! Small files as trees refer to them, and as packs and index segments list those that a collection has moved.
//!
//! Several small files are stored together as one chunk, a bundle. A tree names the bundle, where in it the file lies,
//! and the hash of its content. The hash is the reference and the bundle a hint: a collection that takes what is still
//! needed out of a bundle stores it in a new one, whose pack lists each file under its hash ([`Part`]).

use crate::id::{ChunkId, ContentHash};
use crate::keys::Keys;
use crate::varint::{self, Bytes, Malformed};

/// A small file that a generation refers to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct SmallFile {
    /// The chunk that it is part of.
    pub bundle: ChunkId,
    /// Where it begins there.
    pub offset: u32,
    /// Its length.
    pub len: u32,
    /// The hash of its content.
    pub hash: ContentHash,
}

impl SmallFile {
    /// Bytes of its form in the local index.
    pub const LEN: usize = 56;

    /// Bytes that sort as the files do.
    #[allow(clippy::big_endian_bytes)] // or they would not
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut out = [0; Self::LEN];
        out[..32].copy_from_slice(&self.bundle.0);
        out[32..36].copy_from_slice(&self.offset.to_be_bytes());
        out[36..40].copy_from_slice(&self.len.to_be_bytes());
        out[40..].copy_from_slice(&self.hash.0);
        out
    }

    /// Reads the form in the local index.
    #[allow(clippy::big_endian_bytes)] // as above
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (bundle, rest) = bytes.split_first_chunk::<32>()?;
        let (offset, rest) = rest.split_first_chunk()?;
        let (len, hash) = rest.split_first_chunk()?;
        Some(SmallFile {
            bundle: ChunkId(*bundle),
            offset: u32::from_be_bytes(*offset),
            len: u32::from_be_bytes(*len),
            hash: ContentHash::from_slice(hash)?,
        })
    }

    /// Its bytes, where the bundle is long enough.
    pub fn slice<'b>(&self, bundle: &'b [u8]) -> Option<&'b [u8]> {
        slice(bundle, self.offset, self.len)
    }
}

/// A file inside a bundle, as a table lists it: `at` counts in the frames of a pack's footer, or in the entries of an
/// index segment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Part {
    /// The number of its frame in the pack.
    pub at: u32,
    /// Where it begins in the chunk.
    pub offset: u32,
    /// Its length.
    pub len: u32,
    /// The hash of its content.
    pub hash: ContentHash,
}

impl Part {
    /// Bytes of a listed part at most: hash, number, offset, length.
    pub const STORED_MAX: usize = 16 + 3 * 5;

    /// Its bytes, if the chunk is long enough.
    pub fn slice<'b>(&self, bundle: &'b [u8]) -> Option<&'b [u8]> {
        slice(bundle, self.offset, self.len)
    }

    /// Whether these bytes of its bundle are those of its hash. Only such a part may be listed in a new footer.
    pub fn is_proven(&self, keys: &Keys, bundle: &[u8]) -> bool {
        let bytes = self.slice(bundle);
        bytes.is_some_and(|bytes| keys.content_hash(bytes) == self.hash)
    }
}

/// Those of a sorted table that are in the frame or entry with this number.
pub fn parts_at(parts: &[Part], at: usize) -> &[Part] {
    let start = parts.partition_point(|part| (part.at as usize) < at);
    let end = parts.partition_point(|part| part.at as usize <= at);
    &parts[start..end]
}

fn slice(bundle: &[u8], offset: u32, len: u32) -> Option<&[u8]> {
    let start = offset as usize;
    bundle.get(start..start.checked_add(len as usize)?)
}

/// Writes a table of parts, which are sorted and do not overlap. Numbers and offsets are written as what they are
/// beyond the part before, so that files that lie one behind the other take 20 bytes or less.
pub fn put_parts(out: &mut Vec<u8>, parts: &[Part]) {
    varint::put(out, parts.len() as u64);
    let (mut at, mut end) = (0, 0);
    for part in parts {
        if part.at != at {
            end = 0;
        }
        out.extend_from_slice(&part.hash.0);
        varint::put(out, u64::from(part.at.saturating_sub(at)));
        varint::put(out, u64::from(part.offset.saturating_sub(end)));
        varint::put(out, u64::from(part.len));
        (at, end) = (part.at, part.offset.saturating_add(part.len));
    }
}

/// Reads a table of parts. `plain_len` gives the length of the bundle with a number, if there may be parts of it.
pub fn take_parts(
    bytes: &mut Bytes<'_>,
    plain_len: &dyn Fn(u32) -> Option<u32>,
) -> Result<Vec<Part>, Malformed> {
    let mut parts = Vec::with_capacity(bytes.count(19)?);
    let (mut at, mut end) = (0u32, 0u32);
    for _ in 0..parts.capacity() {
        let hash = ContentHash(bytes.array()?);
        let (step, gap, len) = (bytes.varint_u32()?, bytes.varint_u32()?, bytes.varint_u32()?);
        if step > 0 {
            end = 0;
        }
        at = at.checked_add(step).ok_or(Malformed)?;
        let offset = end.checked_add(gap).ok_or(Malformed)?;
        end = offset.checked_add(len).ok_or(Malformed)?;
        if len == 0 || plain_len(at).is_none_or(|plain| end > plain) {
            return Err(Malformed);
        }
        parts.push(Part {
            at,
            offset,
            len,
            hash,
        });
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn files_sort_as_their_bytes_do() {
        let file = |bundle: u8, offset, len, hash: u8| SmallFile {
            bundle: ChunkId([bundle; 32]),
            offset,
            len,
            hash: ContentHash([hash; 16]),
        };
        let mut files = vec![
            file(2, 0, 1, 0),
            file(1, 256, 1, 9),
            file(1, 255, 7, 3),
            file(1, 255, 7, 1),
        ];
        let mut bytes: Vec<_> = files.iter().map(SmallFile::to_bytes).collect();
        files.sort_unstable();
        bytes.sort_unstable();
        let back: Vec<_> = bytes.iter().map(|b| SmallFile::from_bytes(b).unwrap()).collect();
        assert_eq!(back, files);
        assert!(SmallFile::from_bytes(&[0; 55]).is_none());
    }

    proptest! {
        #[test]
        fn tables_of_parts_round_trip(steps in prop::collection::vec((0u32..3, 0u32..100, 1u32..1000, any::<u8>()), 0..50)) {
            let (mut at, mut end, mut parts) = (0, 0, Vec::new());
            for (step, gap, len, hash) in steps {
                if step > 0 {
                    end = 0;
                }
                at += step;
                parts.push(Part { at, offset: end + gap, len, hash: ContentHash([hash; 16]) });
                end += gap + len;
            }
            let mut out = Vec::new();
            put_parts(&mut out, &parts);
            let mut bytes = Bytes(&out);
            prop_assert_eq!(take_parts(&mut bytes, &|_| Some(u32::MAX)).unwrap(), parts);
            prop_assert!(bytes.is_empty());
        }

        #[test]
        fn parts_outside_of_their_bundles_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(parts) = take_parts(&mut Bytes(&bytes), &|at| (at < 2).then_some(50)) {
                prop_assert!(parts.iter().all(|part| part.at < 2 && part.offset + part.len <= 50 && part.len > 0));
            }
        }
    }
}
