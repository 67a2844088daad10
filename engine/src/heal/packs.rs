//! Damaged packs put right in their place, with the frames of another replica (I-2, I-16). Frames are the same bytes in
//! every replica, whatever pack they lie in there, and the pack's name proves the whole.

use super::Healing;
use crate::error::{Result, StoreError};
use chunkstore::frame::Decoder;
use chunkstore::index::Located;
use chunkstore::object::cap;
use chunkstore::pack::{self, Class, Frame, PackList};
use chunkstore::remote::ObjectName;
use chunkstore::{ChunkId, PackId, Place};
use std::collections::HashSet;

impl Healing<'_> {
    /// Puts damaged packs right in their place. Returns those that stay damaged.
    pub(super) fn put_right(&mut self) -> Result<HashSet<PackId>> {
        let hurt = std::mem::take(&mut *self.hurt.lock());
        self.healed.packs_damaged = hurt.len() as u64;
        let mut left = HashSet::new();
        for id in hurt {
            if self.options.dry_run || !self.put_pack(id)? {
                left.insert(id);
            }
        }
        Ok(left)
    }

    /// False if more than frames is damaged, no replica has them, or this storage replaces nothing.
    fn put_pack(&mut self, id: PackId) -> Result<bool> {
        let (name, store) = (ObjectName::pack(id), &self.repo.store);
        let read = store.remote().get(&name, cap::PACK as usize);
        let read = read.and_then(|bytes| Ok((pack::parse_list(store.keys(), id, &bytes)?, bytes)));
        let (list, mut bytes) = match read {
            Ok(read) => read,
            Err(e) => match store.judge(e) {
                e if e.is_hurt() || e.is_unreadable() => return Ok(false),
                e => return Err(e.into()),
            },
        };
        let mut decoder = Decoder::new()?;
        let mut brought = 0;
        for frame in &list.frames {
            let Some(place) = place(&list, frame) else {
                return Ok(false);
            };
            let at = place.offset as usize..place.offset as usize + place.stored_len as usize;
            let Some(stored) = bytes.get_mut(at) else {
                return Ok(false);
            };
            if decoder
                .prove_seal(store.keys(), list.class, frame.id, &place, stored)
                .is_ok()
            {
                continue;
            }
            let Some(same) = self.same_frame(&mut decoder, list.class, frame.id, &place)? else {
                return Ok(false);
            };
            stored.copy_from_slice(&same);
            brought += same.len() as u64;
        }
        pack::mend_padding(store.keys(), &list, &mut bytes);
        if blake3::hash(&bytes).as_bytes() != id.as_bytes() {
            return Ok(false);
        }
        match store.remote().replace(&name, &bytes) {
            Ok(()) => {}
            Err(StoreError::Refused(_)) => return Ok(false),
            Err(e) => return Err(e.into()),
        }
        self.put.insert(id);
        self.healed.packs_mended += 1;
        self.healed.bytes += brought;
        self.healed.mended(&name);
        Ok(true)
    }

    /// A frame's bytes as another replica has them, if they are those that a place here is of.
    fn same_frame(
        &self,
        decoder: &mut Decoder,
        class: Class,
        id: ChunkId,
        here: &Place,
    ) -> Result<Option<Vec<u8>>> {
        for origin in self.origins {
            // Whichever the index names first may be damaged, or another sealing of the chunk.
            let could_be = |at: &&Located| at.class == class && at.place.stored_len == here.stored_len;
            for at in origin.index.copies(&id)?.iter().filter(could_be) {
                let mut stored = Vec::new();
                let name = ObjectName::pack(at.place.pack);
                let (offset, len) = (at.place.offset.into(), at.place.stored_len as usize);
                match origin.store.remote().read(&name, offset, len, &mut stored) {
                    Ok(()) => {}
                    Err(e) => match origin.store.judge(e) {
                        e if e.concerns_one_object() => continue,
                        e => return Err(e.into()),
                    },
                }
                let keys = self.repo.store.keys();
                let is_same = stored.len() == here.stored_len as usize
                    && decoder.prove_seal(keys, class, id, here, &stored).is_ok();
                if is_same {
                    return Ok(Some(stored));
                }
            }
        }
        Ok(None)
    }
}

fn place(list: &PackList, frame: &Frame) -> Option<Place> {
    Some(Place {
        pack: list.id,
        offset: frame.offset,
        stored_len: frame.stored_len,
        plain_len: frame.plain_len,
        codec: frame.codec as u8,
        sealed_key: *list.sealed_keys.get(usize::from(frame.key))?,
    })
}
