//! One chunk's way into a frame and back: compress and seal, open and decompress, always with the id proven.
//! A worker keeps one [`Encoder`] or [`Decoder`]; their buffers and contexts are reused chunk after chunk.

use crate::compress::{Codec, Compressor, Decompressor};
use crate::error::{Error, Flaw, Object, Result};
use crate::id::ChunkId;
use crate::keys::{KeyClass, Keys};
use crate::pack::{Class, Frame};
use crate::place::Place;
use crate::remote::{ObjectName, Remote};
use crate::seal::{SealKey, frame_aad};
use std::sync::Arc;

/// zstd's level unless another is asked for (docs/decisions/0011-level-three.md).
pub const LEVEL: i32 = 3;

pub struct Encoder {
    compressor: Compressor,
    decoder: Decoder,
    payload: Vec<u8>,
    sealed: Vec<u8>,
    proof: Vec<u8>,
}

impl Encoder {
    pub fn new(level: i32) -> Result<Self> {
        let (payload, sealed, proof) = Default::default();
        Ok(Encoder {
            compressor: Compressor::new(level)?,
            decoder: Decoder::new()?,
            payload,
            sealed,
            proof,
        })
    }

    /// The frame of `plain` and its stored bytes, opened again and compared before anything leaves (I-3).
    pub fn encode(
        &mut self,
        keys: &Keys,
        key: &SealKey,
        class: Class,
        id: ChunkId,
        plain: &[u8],
    ) -> Result<(Frame, &[u8])> {
        let codec = self.compressor.compress(plain, &mut self.payload)?;
        let aad = frame_aad(class.is_tree(), keys.repo(), &id, plain.len() as u32, codec as u8);
        self.sealed.clear();
        key.seal(&aad, &self.payload, &mut self.sealed)?;
        let stored_len = self.sealed.len() as u32;
        let frame = Frame {
            id,
            offset: 0,
            stored_len,
            plain_len: plain.len() as u32,
            codec,
            key: 0,
        };
        self.decoder
            .open(keys, key, class, &frame, &self.sealed, &mut self.proof)
            .map_err(|e| Error::corrupt(Object::NewChunk(id), Flaw::NotReproduced(Box::new(e))))?;
        Ok((frame, &self.sealed))
    }
}

pub struct Decoder {
    decompressor: Decompressor,
    payload: Vec<u8>,
    stored: Vec<u8>,
}

impl Decoder {
    pub fn new() -> Result<Self> {
        Ok(Decoder {
            decompressor: Decompressor::new()?,
            payload: Vec::new(),
            stored: Vec::new(),
        })
    }

    /// Replaces `out` by the chunk of a frame's stored bytes; its id is always verified.
    pub fn open(
        &mut self,
        keys: &Keys,
        key: &SealKey,
        class: Class,
        frame: &Frame,
        stored: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<()> {
        self.expand(keys, key, class, frame, stored, out)?;
        if keys.chunk_id(class.is_tree(), out) != frame.id {
            return Err(damaged(frame, Flaw::HashMismatch));
        }
        Ok(())
    }

    fn expand(
        &mut self,
        keys: &Keys,
        key: &SealKey,
        class: Class,
        frame: &Frame,
        stored: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<()> {
        self.unseal(keys, key, class, frame, stored)?;
        self.decompressor
            .decompress(frame.codec, &self.payload, frame.plain_len as usize, out)
    }

    fn unseal(
        &mut self,
        keys: &Keys,
        key: &SealKey,
        class: Class,
        frame: &Frame,
        stored: &[u8],
    ) -> Result<()> {
        let aad = frame_aad(
            class.is_tree(),
            keys.repo(),
            &frame.id,
            frame.plain_len,
            frame.codec as u8,
        );
        key.open(&aad, stored, &mut self.payload)
            .map_err(|_| damaged(frame, Flaw::SealBroken))
    }

    /// The same for bytes read at a place.
    pub fn open_at(
        &mut self,
        keys: &Keys,
        class: Class,
        id: ChunkId,
        place: &Place,
        stored: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let (key, frame) = (content_key(keys, class, place)?, frame_at(id, place)?);
        self.open(keys, &key, class, &frame, stored, out)
    }

    /// The same without comparing the hash of the chunk: for a bundle, of which every file that is taken out is compared
    /// with a hash of its own. The seal is opened all the same.
    pub fn expand_at(
        &mut self,
        keys: &Keys,
        class: Class,
        id: ChunkId,
        place: &Place,
        stored: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let (key, frame) = (content_key(keys, class, place)?, frame_at(id, place)?);
        self.expand(keys, &key, class, &frame, stored, out)
    }

    /// Whether the seal of bytes read at a place holds: then they are what their writer sealed, and opened again before
    /// it stored them (I-3). Nothing is decompressed, which is most of opening a frame.
    pub fn prove_seal(
        &mut self,
        keys: &Keys,
        class: Class,
        id: ChunkId,
        place: &Place,
        stored: &[u8],
    ) -> Result<()> {
        let (key, frame) = (content_key(keys, class, place)?, frame_at(id, place)?);
        self.unseal(keys, &key, class, &frame, stored)
    }

    /// Reads one frame from the remote and opens it.
    pub fn read(
        &mut self,
        remote: &dyn Remote,
        keys: &Keys,
        class: Class,
        id: ChunkId,
        place: &Place,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let mut stored = std::mem::take(&mut self.stored);
        let len = place.stored_len as usize;
        let read = remote
            .read(
                &ObjectName::pack(place.pack),
                place.offset.into(),
                len,
                &mut stored,
            )
            .and_then(|()| {
                if stored.len() < len {
                    return Err(Error::corrupt(ObjectName::pack(place.pack), Flaw::Truncated));
                }
                self.open_at(keys, class, id, place, &stored, out)
            });
        self.stored = stored;
        read
    }
}

fn content_key(keys: &Keys, class: Class, place: &Place) -> Result<Arc<SealKey>> {
    keys.open_key(KeyClass::of_frames(class.is_tree()), &place.sealed_key)
}

fn frame_at(id: ChunkId, place: &Place) -> Result<Frame> {
    let codec = Codec::read(place.codec).map_err(|e| e.of(Object::Chunk(id)))?;
    let Place {
        offset,
        stored_len,
        plain_len,
        ..
    } = *place;
    Ok(Frame {
        id,
        offset,
        stored_len,
        plain_len,
        codec,
        key: 0,
    })
}

fn damaged(frame: &Frame, flaw: Flaw) -> Error {
    Error::corrupt(Object::Chunk(frame.id), flaw)
}
