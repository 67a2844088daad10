//! Where chunks are, by the database.

use super::{LocalIndex, Located, failed};
use crate::compress::Codec;
use crate::error::{Error, IndexFault, Result};
use crate::id::{ChunkId, PackId};
use crate::indexfile::PackRecord;
use crate::keys::SealedSessionKey;
use crate::pack::Class;
use crate::place::Place;
use crate::varint::Bytes;

impl LocalIndex {
    pub fn locate(&self, id: &ChunkId) -> Result<Option<Located>> {
        let value = self.db.get_pinned_cf(self.cf("chunks")?, id.0).map_err(failed)?;
        let first = value.map_or(Ok(None), |value| self.located(&value))?;
        match first {
            Some(first) => Ok(Some(first)),
            None => Ok(self.copies(id)?.first().copied()),
        }
    }

    /// Locations of sorted ids, in their order.
    pub fn locate_sorted(&self, ids: &[ChunkId]) -> Result<Vec<Option<Located>>> {
        let keys = ids.iter().map(|id| &id.0);
        let values = self.db.batched_multi_get_cf(self.cf("chunks")?, keys, true);
        let found = values.into_iter().zip(ids).map(|(value, id)| {
            let Some(value) = value.map_err(failed)? else {
                return Ok(None);
            };
            match self.located(&value)? {
                Some(first) => Ok(Some(first)),
                None => Ok(self.copies(id)?.first().copied()),
            }
        });
        found.collect()
    }

    pub(super) fn located(&self, value: &[u8]) -> Result<Option<Located>> {
        let damaged = || Error::Index(IndexFault::Undecodable);
        let mut bytes = Bytes(value);
        let mut fields = || -> Result<_, crate::varint::Malformed> {
            Ok((
                bytes.array::<8>()?,
                bytes.u32()?,
                bytes.u32()?,
                bytes.u32()?,
                bytes.u8()?,
                bytes.u16()?,
            ))
        };
        let (pack, offset, stored_len, plain_len, codec, key) = fields().map_err(|_| damaged())?;
        let Some(pack) = self.pack(&pack)? else {
            return Ok(None);
        };
        Codec::from_tag(codec).ok_or_else(damaged)?;
        let sealed_key = *pack.sealed_keys.get(usize::from(key)).ok_or_else(damaged)?;
        let place = Place {
            pack: pack.id,
            offset,
            stored_len,
            plain_len,
            codec,
            sealed_key,
        };
        Ok(Some(Located {
            place,
            class: pack.class,
        }))
    }

    pub(super) fn pack(&self, record: &[u8]) -> Result<Option<PackRecord>> {
        let Some(value) = self.db.get_pinned_cf(self.cf("packs")?, record).map_err(failed)? else {
            return Ok(None);
        };
        let mut bytes = Bytes(&value);
        let mut fields = || -> Result<_, crate::varint::Undecodable> {
            let head = (bytes.array::<32>()?, bytes.u8()?, bytes.array::<8>()?);
            let mut keys = Vec::new();
            while !bytes.is_empty() {
                keys.push(SealedSessionKey::read(&mut bytes)?);
            }
            Ok((head, keys))
        };
        let damaged = || Error::Index(IndexFault::Undecodable);
        let ((id, class, size), sealed_keys) = fields().map_err(|_| damaged())?;
        let class = Class::from_tag(class).ok_or_else(damaged)?;
        Ok(Some(PackRecord {
            id: PackId(id),
            class,
            size: u64::from_le_bytes(size),
            sealed_keys,
        }))
    }

    /// Calls `each` with every chunk in id order.
    pub fn scan(&self, each: &mut dyn FnMut(ChunkId, Located) -> Result<()>) -> Result<()> {
        for row in self
            .db
            .iterator_cf(self.cf("chunks")?, rocksdb::IteratorMode::Start)
        {
            let (key, value) = row.map_err(failed)?;
            let id = ChunkId::from_slice(&key).ok_or(Error::Index(IndexFault::Undecodable))?;
            if let Some(located) = self.located(&value)? {
                each(id, located)?;
            }
        }
        Ok(())
    }
}
