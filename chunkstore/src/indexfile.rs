//! Index segments: sorted lists of which frame of which pack holds each chunk. Bytes only, no I/O of its own but
//! reading one object. Named by the BLAKE3 of the stored bytes (I-2).

use crate::compress::{CHUNK_MAX, Codec};
use crate::error::{Error, Flaw, Result};
use crate::id::{ChunkId, IndexId, PackId};
use crate::keys::{Keys, SealedSessionKey};
use crate::object::{self, Head, cap};
use crate::pack::{Class, KEYS_MAX, PackList};
use crate::place::Place;
use crate::remote::{ObjectName, Remote};
use crate::seal::{OVERHEAD, Sealed};
use crate::smallfile::{Part, parts_at, put_parts, take_parts};
use crate::varint::{self, Bytes, Malformed, Undecodable};
use std::collections::HashMap;

/// Entries a writer puts in one segment, each moved file counted as one: some 6 MiB.
pub const ENTRIES_PER_SEGMENT: usize = 128 << 10;

/// A pack as a segment knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PackRecord {
    pub id: PackId,
    pub class: Class,
    pub size: u64,
    pub sealed_keys: Vec<SealedSessionKey>,
}

/// Where one chunk lies. `pack` counts in the segment's packs, `key` in that pack's sealed keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IndexEntry {
    pub id: ChunkId,
    pub pack: u32,
    pub offset: u32,
    pub stored_len: u32,
    pub plain_len: u32,
    pub codec: Codec,
    pub key: u16,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct IndexSegment {
    pub packs: Vec<PackRecord>,
    /// Sorted by chunk id, then pack.
    pub entries: Vec<IndexEntry>,
    /// Moved files, by the entry of the bundle that they are in now, and offset.
    pub parts: Vec<Part>,
}

/// The packs of one segment after the other: as many as it may have entries, and at least one.
pub fn groups(mut lists: &[PackList]) -> impl Iterator<Item = &[PackList]> {
    std::iter::from_fn(move || {
        let mut entries = lists.first()?.rows();
        let fits = |list: &&PackList| {
            entries += list.rows();
            entries <= ENTRIES_PER_SEGMENT
        };
        let more = lists[1..].iter().take_while(fits).count();
        let (group, rest) = lists.split_at(1 + more);
        lists = rest;
        Some(group)
    })
}

impl IndexSegment {
    pub fn of_packs(lists: &[PackList]) -> Self {
        let mut segment = IndexSegment::default();
        for (number, list) in lists.iter().enumerate() {
            let (id, class, size, sealed_keys) = (list.id, list.class, list.size, list.sealed_keys.clone());
            segment.packs.push(PackRecord {
                id,
                class,
                size,
                sealed_keys,
            });
            segment.entries.extend(list.frames.iter().map(|frame| IndexEntry {
                id: frame.id,
                pack: number as u32,
                offset: frame.offset,
                stored_len: frame.stored_len,
                plain_len: frame.plain_len,
                codec: frame.codec,
                key: frame.key,
            }));
        }
        segment
            .entries
            .sort_unstable_by_key(|entry| (entry.id, entry.pack, entry.offset));
        segment.parts = segment.parts_of_packs(lists);
        segment
    }

    fn parts_of_packs(&self, lists: &[PackList]) -> Vec<Part> {
        if lists.iter().all(|list| list.parts.is_empty()) {
            return Vec::new();
        }
        let mut parts = Vec::new();
        for (at, entry) in self.entries.iter().enumerate() {
            let list = &lists[entry.pack as usize];
            let frame = list.frames.partition_point(|frame| frame.offset < entry.offset);
            let mut end = 0;
            for part in list.parts_of(frame) {
                // Of a list that was wrong, only what can be written is kept.
                let next = part.offset.saturating_add(part.len);
                if !list.class.is_tree() && part.offset >= end && next <= entry.plain_len {
                    let at = at as u32;
                    parts.push(Part { at, ..*part });
                    end = next;
                }
            }
        }
        parts
    }

    /// Keeps only some of the entries, and what was moved into them.
    pub fn retain(&mut self, mut keep: impl FnMut(&IndexEntry) -> bool) {
        let mut left = 0u32;
        let mut now: Vec<Option<u32>> = Vec::with_capacity(self.entries.len());
        self.entries.retain(|entry| {
            let kept = keep(entry);
            now.push(kept.then_some(left));
            left += u32::from(kept);
            kept
        });
        self.parts.retain_mut(|part| match now[part.at as usize] {
            Some(at) => {
                part.at = at;
                true
            }
            None => false,
        });
    }

    /// The moved files in an entry's bundle.
    pub fn parts_of(&self, entry: usize) -> &[Part] {
        parts_at(&self.parts, entry)
    }

    pub fn place(&self, entry: &IndexEntry) -> Place {
        let pack = &self.packs[entry.pack as usize];
        Place {
            pack: pack.id,
            offset: entry.offset,
            stored_len: entry.stored_len,
            plain_len: entry.plain_len,
            codec: entry.codec as u8,
            sealed_key: pack.sealed_keys[usize::from(entry.key)],
        }
    }

    /// The packs again with their frames in the order they lie.
    pub fn into_lists(self) -> Vec<PackList> {
        let mut lists: Vec<PackList> = self
            .packs
            .into_iter()
            .map(
                |PackRecord {
                     id,
                     class,
                     size,
                     sealed_keys,
                 }| PackList {
                    id,
                    class,
                    size,
                    sealed_keys,
                    frames: vec![],
                    parts: vec![],
                },
            )
            .collect();
        for entry in &self.entries {
            lists[entry.pack as usize].frames.push(crate::pack::Frame {
                id: entry.id,
                offset: entry.offset,
                stored_len: entry.stored_len,
                plain_len: entry.plain_len,
                codec: entry.codec,
                key: entry.key,
            });
        }
        lists
            .iter_mut()
            .for_each(|list| list.frames.sort_unstable_by_key(|frame| frame.offset));
        for part in &self.parts {
            let entry = &self.entries[part.at as usize];
            let list = &mut lists[entry.pack as usize];
            let frame = list.frames.partition_point(|frame| frame.offset < entry.offset);
            list.parts.push(Part {
                at: frame as u32,
                ..*part
            });
        }
        lists.iter_mut().for_each(|list| list.parts.sort_unstable());
        lists
    }

    /// The body that [`IndexSegment::seal`] seals.
    pub fn encode(&self) -> Vec<u8> {
        let mut keys: Vec<&SealedSessionKey> = Vec::new();
        let mut numbers: HashMap<&SealedSessionKey, u64> = HashMap::new();
        for key in self.packs.iter().flat_map(|pack| &pack.sealed_keys) {
            numbers.entry(key).or_insert_with(|| {
                keys.push(key);
                keys.len() as u64 - 1
            });
        }
        let mut out = Vec::with_capacity(self.entries.len() * 48 + 1024);
        varint::put(&mut out, keys.len() as u64);
        keys.iter().for_each(|key| out.extend_from_slice(key.as_bytes()));
        varint::put(&mut out, self.packs.len() as u64);
        for pack in &self.packs {
            out.extend_from_slice(pack.id.as_bytes());
            out.push(pack.class as u8);
            varint::put(&mut out, pack.size);
            varint::put(&mut out, pack.sealed_keys.len() as u64);
            pack.sealed_keys
                .iter()
                .for_each(|key| varint::put(&mut out, numbers[key]));
        }
        varint::put(&mut out, self.entries.len() as u64);
        for entry in &self.entries {
            out.extend_from_slice(entry.id.as_bytes());
            for number in [entry.pack, entry.offset, entry.stored_len, entry.plain_len] {
                varint::put(&mut out, number.into());
            }
            out.push(entry.codec as u8);
            varint::put(&mut out, entry.key.into());
        }
        put_parts(&mut out, &self.parts);
        out
    }

    /// Reads a body whose seal was opened.
    pub fn decode(body: &[u8]) -> Result<Self, Undecodable> {
        let mut bytes = Bytes(body);
        let keys = (0..bytes.count(SealedSessionKey::LEN_MIN)?)
            .map(|_| SealedSessionKey::read(&mut bytes))
            .collect::<Result<Vec<_>, _>>()?;
        let packs = (0..bytes.count(35)?)
            .map(|_| decode_pack(&mut bytes, &keys))
            .collect::<Result<Vec<_>, _>>()?;
        let entries = (0..bytes.count(38)?)
            .map(|_| decode_entry(&mut bytes, &packs))
            .collect::<Result<Vec<_>, _>>()?;
        let sorted = entries.is_sorted_by_key(|entry| (entry.id, entry.pack, entry.offset));
        let of_data = |entry: &&IndexEntry| !packs[entry.pack as usize].class.is_tree();
        let bundle = |at: u32| {
            entries
                .get(at as usize)
                .filter(of_data)
                .map(|entry| entry.plain_len)
        };
        let parts = take_parts(&mut bytes, &bundle)?;
        if bytes.is_empty() && sorted {
            Ok(IndexSegment {
                packs,
                entries,
                parts,
            })
        } else {
            Err(Malformed.into())
        }
    }

    /// Stored bytes and the name they give.
    pub fn seal(&self, keys: &Keys) -> Result<(IndexId, Vec<u8>)> {
        let bytes = object::seal(
            Sealed::Index,
            keys.repo(),
            &keys.index,
            None,
            b"",
            &self.encode(),
            4096,
        )?;
        Ok((IndexId(*blake3::hash(&bytes).as_bytes()), bytes))
    }

    pub fn open(keys: &Keys, id: IndexId, bytes: &[u8]) -> Result<Self> {
        let object = format!("index/{id}");
        if blake3::hash(bytes).as_bytes() != id.as_bytes() {
            return Err(Error::corrupt(object, Flaw::HashMismatch));
        }
        let body =
            Head::parse(keys.repo(), &object, bytes)?.open(Sealed::Index, &keys.index, b"", &object)?;
        Self::decode(&body).map_err(|e| e.of(object))
    }

    pub fn load(remote: &dyn Remote, keys: &Keys, id: IndexId) -> Result<Self> {
        Self::open(keys, id, &remote.get(&ObjectName::index(id), cap::INDEX)?)
    }
}

fn decode_pack(bytes: &mut Bytes<'_>, keys: &[SealedSessionKey]) -> Result<PackRecord, Undecodable> {
    let id = PackId(bytes.array()?);
    let class = Class::read(bytes.u8()?)?;
    let size = bytes.varint()?;
    let count = bytes.count(1)?;
    // Before they are read: each takes far more room than its number.
    if size > cap::PACK || count > KEYS_MAX {
        return Err(Malformed.into());
    }
    let sealed_keys = (0..count)
        .map(|_| keys.get(bytes.varint_u32()? as usize).copied().ok_or(Malformed))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(PackRecord {
        id,
        class,
        size,
        sealed_keys,
    })
}

fn decode_entry(bytes: &mut Bytes<'_>, packs: &[PackRecord]) -> Result<IndexEntry, Undecodable> {
    let entry = IndexEntry {
        id: ChunkId(bytes.array()?),
        pack: bytes.varint_u32()?,
        offset: bytes.varint_u32()?,
        stored_len: bytes.varint_u32()?,
        plain_len: bytes.varint_u32()?,
        codec: Codec::read(bytes.u8()?)?,
        key: u16::try_from(bytes.varint()?).map_err(|_| Malformed)?,
    };
    let pack = packs.get(entry.pack as usize).ok_or(Malformed)?;
    let end = u64::from(entry.offset) + u64::from(entry.stored_len);
    let inside =
        end <= pack.size && entry.stored_len as usize >= OVERHEAD && entry.plain_len as usize <= CHUNK_MAX;
    if inside && usize::from(entry.key) < pack.sealed_keys.len() {
        Ok(entry)
    } else {
        Err(Malformed.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::RepoId;
    use crate::keys::MasterKey;
    use crate::pack::Frame;
    use proptest::prelude::*;

    fn lists(seed: u64, packs: usize, frames: usize) -> Vec<PackList> {
        let mut stream = blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof();
        let mut draw = || {
            let mut bytes = [0; 32];
            stream.fill(&mut bytes);
            bytes
        };
        (0..packs)
            .map(|_| {
                let mut offset = 139;
                let frames: Vec<Frame> = (0..frames)
                    .map(|i| {
                        let bytes = draw();
                        let stored_len = 40 + u32::from(bytes[0]);
                        let codec = if bytes[1] & 1 == 0 {
                            Codec::Store
                        } else {
                            Codec::Zstd
                        };
                        let frame = Frame {
                            id: ChunkId(bytes),
                            offset,
                            stored_len,
                            plain_len: 7,
                            codec,
                            key: (i % 2) as u16,
                        };
                        offset += stored_len;
                        frame
                    })
                    .collect();
                let sealed_keys = [0, 1].map(|_| SealedSessionKey::dummy(draw()[0])).to_vec();
                PackList {
                    id: PackId(draw()),
                    class: Class::Data,
                    size: 1 << 20,
                    sealed_keys,
                    parts: parts_in(&frames, draw()[0]),
                    frames,
                }
            })
            .collect()
    }

    /// Two moved files in every third frame.
    fn parts_in(frames: &[Frame], hash: u8) -> Vec<Part> {
        let part = |at, offset, len| Part {
            at,
            offset,
            len,
            hash: crate::ContentHash([hash; 16]),
        };
        let bundles = (0..frames.len() as u32).step_by(3);
        bundles.flat_map(|at| [part(at, 1, 2), part(at, 3, 4)]).collect()
    }

    proptest! {
        #[test]
        fn segments_round_trip(seed: u64, packs in 0usize..5, frames in 0usize..50) {
            let keys = Keys::new(&MasterKey([1; 32]), RepoId([2; 16]));
            let lists = lists(seed, packs, frames);
            let segment = IndexSegment::of_packs(&lists);
            let (id, bytes) = segment.seal(&keys).unwrap();
            prop_assert_eq!(&IndexSegment::open(&keys, id, &bytes).unwrap(), &segment);
            prop_assert_eq!(segment.into_lists(), lists);
        }

        #[test]
        fn any_bytes_decode_or_fail_without_panic(mut body in prop::collection::vec(any::<u8>(), 0..400), at: usize, seed: u64) {
            let _ = IndexSegment::decode(&body);
            body = IndexSegment::of_packs(&lists(seed, 2, 3)).encode();
            let at = at % body.len();
            body[at] ^= 1 << (seed % 8);
            let _ = IndexSegment::decode(&body);
            prop_assert!(IndexSegment::decode(&body[..at]).is_err());
        }
    }
}
