//! Packs: many frames in one object, and a sealed footer that lists them. Named by the BLAKE3 of their bytes (I-2).
//!
//! `"DDUPPACK" version(1) suite(1) class(1) 0 repository(16) domain(1) generation(1) salt(16) keys(2) sealed-keys
//! frames padding footer footer-length(4) "DDUPFOOT"`. Frames follow each other from the header's end; a frame is
//! `nonce ciphertext tag`. Padding brings the whole to a Padmé length. All numbers are little-endian.

use crate::compress::{CHUNK_MAX, Codec};
use crate::error::{Error, Feature, Flaw, Result};
use crate::id::{ChunkId, PackId, RepoId, random};
use crate::keys::{Keys, SealedSessionKey};
use crate::object::{cap, padme};
use crate::remote::{ObjectName, Remote};
use crate::seal::{DOMAIN, FORMAT_VERSION, OVERHEAD, SUITE, Sealed, aad};
use crate::smallfile::{Part, parts_at, put_parts, take_parts};
use crate::varint::{self, Bytes, Malformed, Undecodable};

mod write;

pub use write::{ClosedPack, PackWriter};

const HEAD_MAGIC: &[u8; 8] = b"DDUPPACK";
const FOOT_MAGIC: &[u8; 8] = b"DDUPFOOT";
const HEAD_LEN: usize = 48;
const TAIL_LEN: usize = 12;
/// A frame in the footer at most: its id, two lengths, codec and key.
const FRAME_MAX: usize = 32 + 5 + 5 + 1 + 3;
/// Smallest stored pack, bytes.
const FLOOR: usize = 4096;
/// Sealed keys a pack may carry: one when written, more only after repacking.
pub const KEYS_MAX: usize = 1024;

/// What a pack's frames hold. Data and trees lie apart, so that reading trees touches no data pack.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Class {
    Data = 1,
    Tree = 2,
}

impl Class {
    pub fn from_tag(tag: u8) -> Option<Self> {
        match tag {
            1 => Some(Class::Data),
            2 => Some(Class::Tree),
            _ => None,
        }
    }

    /// Of a tag as it is stored.
    pub fn read(tag: u8) -> Result<Self, Undecodable> {
        Class::from_tag(tag).ok_or(Undecodable::Newer(Feature::PackClass(tag)))
    }

    pub fn is_tree(self) -> bool {
        self == Class::Tree
    }
}

/// A frame as a footer lists it. `key` counts in the pack's sealed keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame {
    pub id: ChunkId,
    pub offset: u32,
    pub stored_len: u32,
    pub plain_len: u32,
    pub codec: Codec,
    pub key: u16,
}

/// A pack and its frames, in the order they lie.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PackList {
    pub id: PackId,
    pub class: Class,
    pub size: u64,
    pub sealed_keys: Vec<SealedSessionKey>,
    pub frames: Vec<Frame>,
    /// Files that were moved into bundles of this pack, by frame and offset.
    pub parts: Vec<Part>,
}

impl PackList {
    /// What an index segment has of it: frames, and parts of them.
    pub fn rows(&self) -> usize {
        self.frames.len() + self.parts.len()
    }

    /// The moved files in a frame.
    pub fn parts_of(&self, frame: usize) -> &[Part] {
        parts_at(&self.parts, frame)
    }
}

fn header(repo: &RepoId, class: Class, salt: &[u8; 16], sealed_keys: &[SealedSessionKey]) -> Vec<u8> {
    let mut head = Vec::with_capacity(HEAD_LEN + SealedSessionKey::LEN * sealed_keys.len());
    head.extend_from_slice(HEAD_MAGIC);
    head.extend_from_slice(&[FORMAT_VERSION, SUITE, class as u8, 0]);
    head.extend_from_slice(repo.as_bytes());
    head.extend_from_slice(&DOMAIN);
    head.extend_from_slice(salt);
    head.extend_from_slice(&(sealed_keys.len() as u16).to_le_bytes());
    sealed_keys
        .iter()
        .for_each(|key| head.extend_from_slice(key.as_bytes()));
    head
}

/// The whole header is proven by the footer's seal.
fn footer_aad(repo: &RepoId, head: &[u8]) -> Vec<u8> {
    let mut aad = aad(Sealed::PackFooter, repo);
    aad.extend_from_slice(blake3::hash(head).as_bytes());
    aad
}

fn encode_footer(frames: &[Frame], parts: &[Part]) -> Vec<u8> {
    let mut out = Vec::with_capacity(8 + frames.len() * 44);
    varint::put(&mut out, frames.len() as u64);
    for frame in frames {
        out.extend_from_slice(frame.id.as_bytes());
        varint::put(&mut out, frame.stored_len.into());
        varint::put(&mut out, frame.plain_len.into());
        out.push(frame.codec as u8);
        varint::put(&mut out, frame.key.into());
    }
    put_parts(&mut out, parts);
    out
}

/// Reads a footer's body: frames that lie from `start` up to `end`, under one of `keys` sealed keys, and the moved
/// files in them.
pub fn decode_footer(
    body: &[u8],
    class: Class,
    (start, end): (usize, usize),
    keys: usize,
) -> Result<(Vec<Frame>, Vec<Part>), Undecodable> {
    let mut bytes = Bytes(body);
    let frames = decode_frames(&mut bytes, (start, end), keys)?;
    let bundle = |at: u32| frames.get(at as usize).map(|frame| frame.plain_len);
    let parts = take_parts(&mut bytes, &|at| bundle(at).filter(|_| !class.is_tree()))?;
    if bytes.is_empty() {
        Ok((frames, parts))
    } else {
        Err(Malformed.into())
    }
}

fn decode_frames(
    bytes: &mut Bytes<'_>,
    (start, end): (usize, usize),
    keys: usize,
) -> Result<Vec<Frame>, Undecodable> {
    let mut offset = start;
    let mut frames = Vec::with_capacity(bytes.count(36)?);
    for _ in 0..frames.capacity() {
        let id = ChunkId(bytes.array()?);
        let (stored_len, plain_len) = (bytes.varint_u32()?, bytes.varint_u32()?);
        let codec = Codec::read(bytes.u8()?)?;
        let key = u16::try_from(bytes.varint()?).map_err(|_| Malformed)?;
        let fits =
            usize::from(key) < keys && plain_len as usize <= CHUNK_MAX && stored_len as usize >= OVERHEAD;
        let next = offset + stored_len as usize;
        if !fits || next > end {
            return Err(Malformed.into());
        }
        frames.push(Frame {
            id,
            offset: offset as u32,
            stored_len,
            plain_len,
            codec,
            key,
        });
        offset = next;
    }
    Ok(frames)
}

/// A pack's bytes under a new name: with a fresh salt, so that its footer is sealed anew, and every frame as it was. What
/// goes to another replica gets one, since the old name may have been there before and be about to be deleted (I-18).
pub fn renew(keys: &Keys, mut list: PackList, mut bytes: Vec<u8>) -> Result<(PackList, Vec<u8>)> {
    let salt = random()?;
    let head = header(keys.repo(), list.class, &salt, &list.sealed_keys);
    let end = list
        .frames
        .last()
        .map_or(head.len(), |last| last.offset as usize + last.stored_len as usize);
    if bytes.len() < end || end < head.len() {
        return Err(Error::corrupt(ObjectName::pack(list.id), Flaw::Truncated));
    }
    bytes.truncate(end);
    bytes[..head.len()].copy_from_slice(&head);
    let tail = tail(keys, &head, (&list.frames, &list.parts), end)?;
    bytes.extend_from_slice(&tail);
    list.id = PackId(*blake3::hash(&bytes).as_bytes());
    list.size = bytes.len() as u64;
    Ok((list, bytes))
}

/// Puts the padding of a pack right, which follows from its header; its frames and footer stay as they are.
pub fn mend_padding(keys: &Keys, list: &PackList, bytes: &mut [u8]) {
    let head_len = HEAD_LEN + SealedSessionKey::LEN * list.sealed_keys.len();
    let start = list
        .frames
        .last()
        .map_or(head_len, |last| last.offset as usize + last.stored_len as usize);
    let tail = bytes.last_chunk::<TAIL_LEN>().and_then(footer_len);
    let end = tail.and_then(|footer| bytes.len().checked_sub(TAIL_LEN + footer));
    if let (Some(head), Some(end)) = (bytes.get(..head_len), end)
        && start <= end
    {
        let padding = keys.padding(head, end - start);
        bytes[start..end].copy_from_slice(&padding);
    }
}

/// Padding, footer, and what ends a pack whose frames end at `end`.
fn tail(keys: &Keys, head: &[u8], (frames, parts): (&[Frame], &[Part]), end: usize) -> Result<Vec<u8>> {
    let mut footer = Vec::new();
    keys.index.seal(
        &footer_aad(keys.repo(), head),
        &encode_footer(frames, parts),
        &mut footer,
    )?;
    let bare = end + footer.len() + TAIL_LEN;
    let mut tail = keys.padding(head, padme(bare, FLOOR) - bare);
    tail.extend_from_slice(&footer);
    tail.extend_from_slice(&(footer.len() as u32).to_le_bytes());
    tail.extend_from_slice(FOOT_MAGIC);
    Ok(tail)
}

/// Class and sealed keys of a pack's header, and the header's length. `bytes` may hold more than the header.
fn parse_header(
    repo: &RepoId,
    object: &ObjectName,
    bytes: &[u8],
) -> Result<(Class, Vec<SealedSessionKey>, usize)> {
    let wrong = |flaw| Error::corrupt(object, flaw);
    let fixed = bytes.get(..HEAD_LEN).ok_or_else(|| wrong(Flaw::Truncated))?;
    if &fixed[..8] != HEAD_MAGIC || fixed[12..28] != repo.0 {
        return Err(wrong(Flaw::BadMagic));
    }
    if fixed[8] != FORMAT_VERSION || fixed[9] != SUITE {
        return Err(Error::NewerFormat(Feature::PackFormat {
            format: fixed[8],
            suite: fixed[9],
        }));
    }
    let class = Class::read(fixed[10]).map_err(|e| e.of(object))?;
    if fixed[11] != 0 || fixed[28..30] != DOMAIN {
        return Err(Error::NewerFormat(Feature::PackHeader([
            fixed[11], fixed[28], fixed[29],
        ])));
    }
    let count = usize::from(u16::from_le_bytes([fixed[46], fixed[47]]));
    if count > KEYS_MAX {
        return Err(wrong(Flaw::OutOfRange));
    }
    let mut rest = Bytes(&bytes[HEAD_LEN..]);
    let keys = (0..count)
        .map(|_| SealedSessionKey::read(&mut rest))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| e.of(object))?;
    Ok((class, keys, bytes.len() - rest.0.len()))
}

/// Reads a pack's own list of frames: header and footer only, two to four small reads. [`Error::NewerFormat`] is
/// returned only of a pack whose bytes are those of its name.
pub fn read_list(remote: &dyn Remote, keys: &Keys, id: PackId) -> Result<PackList> {
    let object = ObjectName::pack(id);
    let wrong = |flaw| Error::corrupt(&object, flaw);
    let size = remote.size(&object)?.ok_or_else(|| Error::missing(&object))?;
    if size > cap::PACK || size < (HEAD_LEN + TAIL_LEN) as u64 {
        return Err(wrong(Flaw::OutOfRange));
    }
    let mut head = Vec::new();
    remote.read(&object, 0, HEAD_LEN + SealedSessionKey::LEN * KEYS_MAX, &mut head)?;
    let mut tail = Vec::new();
    remote.read(&object, size - TAIL_LEN as u64, TAIL_LEN, &mut tail)?;
    let tail: [u8; TAIL_LEN] = tail.as_slice().try_into().map_err(|_| wrong(Flaw::Truncated))?;
    let footer_len = footer_len(&tail).ok_or_else(|| wrong(Flaw::NoFooter))?;
    let start = (size as usize)
        .checked_sub(TAIL_LEN + footer_len)
        .ok_or_else(|| wrong(Flaw::NoFooter))?;
    let mut footer = Vec::new();
    remote.read(&object, start as u64, footer_len, &mut footer)?;
    match open_list(keys, id, size, &head, &footer) {
        // A damaged header can look like a later version's.
        Err(newer @ Error::NewerFormat(_)) => {
            let bytes = remote.get(&object, cap::PACK as usize)?;
            match blake3::hash(&bytes).as_bytes() == id.as_bytes() {
                true => Err(newer),
                false => Err(wrong(Flaw::HashMismatch)),
            }
        }
        list => list,
    }
}

/// The list of a pack whose bytes are all at hand.
pub fn parse_list(keys: &Keys, id: PackId, bytes: &[u8]) -> Result<PackList> {
    let wrong = |flaw| Error::corrupt(ObjectName::pack(id), flaw);
    let tail = bytes
        .last_chunk::<TAIL_LEN>()
        .ok_or_else(|| wrong(Flaw::Truncated))?;
    let footer_len = footer_len(tail).ok_or_else(|| wrong(Flaw::NoFooter))?;
    let start = bytes
        .len()
        .checked_sub(TAIL_LEN + footer_len)
        .ok_or_else(|| wrong(Flaw::NoFooter))?;
    open_list(
        keys,
        id,
        bytes.len() as u64,
        bytes,
        &bytes[start..start + footer_len],
    )
}

fn footer_len(tail: &[u8; TAIL_LEN]) -> Option<usize> {
    let magic = &tail[4..] == FOOT_MAGIC;
    magic.then(|| u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]) as usize)
}

fn open_list(keys: &Keys, id: PackId, size: u64, head: &[u8], footer: &[u8]) -> Result<PackList> {
    let object = ObjectName::pack(id);
    let (class, sealed_keys, head_len) = parse_header(keys.repo(), &object, head)?;
    let mut body = Vec::new();
    keys.index
        .open(&footer_aad(keys.repo(), &head[..head_len]), footer, &mut body)
        .map_err(|_| Error::corrupt(&object, Flaw::SealBroken))?;
    let end = (size as usize).saturating_sub(TAIL_LEN + footer.len());
    let (frames, parts) =
        decode_footer(&body, class, (head_len, end), sealed_keys.len()).map_err(|e| e.of(&object))?;
    Ok(PackList {
        id,
        class,
        size,
        sealed_keys,
        frames,
        parts,
    })
}

#[cfg(test)]
mod tests;
