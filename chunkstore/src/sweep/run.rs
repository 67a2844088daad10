//! Frames that are read together, to be moved or proven.

use crate::compress::Codec;
use crate::error::{Error, Flaw, Result};
use crate::id::ChunkId;
use crate::keys::SealedSessionKey;
use crate::pack::{Frame, PackList, PackWriter};
use crate::place::Place;
use crate::remote::ObjectName;
use crate::smallfile::{Part, parts_at};
use crate::store::Store;

/// Bytes read at once.
const READ: u64 = 4 << 20;

/// Frames that lie together in an old pack, and the bytes from the first to the last.
#[derive(Default)]
pub(crate) struct Run<'a> {
    pub(crate) frames: &'a [(ChunkId, Place)],
    pub(crate) bytes: Vec<u8>,
}

impl<'a> Run<'a> {
    /// Takes the next run off `rest`; false when there is none.
    pub(crate) fn read(&mut self, from: &Store, rest: &mut &'a [(ChunkId, Place)]) -> Result<bool> {
        let Some((_, first)) = rest.first() else {
            return Ok(false);
        };
        let end = |place: &Place| u64::from(place.offset) + u64::from(place.stored_len);
        let start = u64::from(first.offset);
        let fits = |(_, place): &&(ChunkId, Place)| place.pack == first.pack && end(place) - start <= READ;
        let count = rest.iter().take_while(fits).count().max(1);
        let (frames, later) = rest.split_at(count);
        let len = frames.last().map_or(0, |(_, last)| end(last) - start);
        let object = ObjectName::pack(first.pack);
        from.remote()
            .read(&object, start, len as usize, &mut self.bytes)?;
        (self.frames, *rest) = (frames, later);
        Ok(true)
    }

    pub(crate) fn stored(&self, place: &Place) -> Result<&[u8]> {
        let start = self.frames.first().map_or(0, |(_, first)| first.offset);
        let at = (place.offset - start) as usize;
        let stored = self.bytes.get(at..at + place.stored_len as usize);
        stored.ok_or_else(|| Error::corrupt(ObjectName::pack(place.pack), Flaw::Truncated))
    }

    /// Copies the frames bytewise, and lists these parts of them.
    pub(crate) fn append(
        &self,
        pack: &mut PackWriter,
        keys: &[SealedSessionKey],
        parts: &[Part],
    ) -> Result<()> {
        for (id, place) in self.frames {
            let key = keys.iter().position(|key| *key == place.sealed_key);
            let (Some(key), Some(codec)) = (key, Codec::from_tag(place.codec)) else {
                return Err(Error::corrupt(ObjectName::pack(place.pack), Flaw::KeyNotListed));
            };
            let frame = Frame {
                id: *id,
                offset: 0,
                stored_len: place.stored_len,
                plain_len: place.plain_len,
                codec,
                key: key as u16,
            };
            let parts = parts_at(parts, pack.frames().len());
            pack.append_bundle(frame, self.stored(place)?, parts)?;
        }
        Ok(())
    }
}

pub(crate) fn place(list: &PackList, frame: &Frame) -> Result<Place> {
    let key = list.sealed_keys.get(usize::from(frame.key));
    Ok(Place {
        pack: list.id,
        offset: frame.offset,
        stored_len: frame.stored_len,
        plain_len: frame.plain_len,
        codec: frame.codec as u8,
        sealed_key: *key.ok_or_else(|| Error::corrupt(ObjectName::pack(list.id), Flaw::KeyNotListed))?,
    })
}
