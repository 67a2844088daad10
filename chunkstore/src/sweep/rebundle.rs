//! Stores what is still needed of bundles that are mostly dead in new ones: ordinary bundles, whose pack lists each file
//! under its hash.

use super::needs::PARTS_MAX;
use crate::error::Result;
use crate::frame::{Decoder, Encoder, LEVEL};
use crate::id::{ChunkId, ContentHash};
use crate::keys::ContentKey;
use crate::pack::{Class, PackList, PackWriter};
use crate::parity::SharedParity;
use crate::place::Place;
use crate::smallfile::Part;
use crate::store::Store;
use std::collections::HashSet;

pub(super) struct Rebundler<'a> {
    store: &'a Store,
    encoder: Encoder,
    decoder: Decoder,
    content: ContentKey,
    /// The bundle that was read last.
    old: Vec<u8>,
    /// The new bundle, and the files in it.
    data: Vec<u8>,
    parts: Vec<Part>,
    pack: Option<PackWriter>,
    /// Files in this pack.
    known: HashSet<ContentHash>,
    /// New packs that are there.
    pub done: Vec<PackList>,
}

impl<'a> Rebundler<'a> {
    pub fn new(store: &'a Store) -> Result<Self> {
        Ok(Rebundler {
            store,
            encoder: Encoder::new(LEVEL)?,
            decoder: Decoder::new()?,
            content: store.keys().new_session()?.data,
            old: Vec::new(),
            data: Vec::new(),
            parts: Vec::new(),
            pack: None,
            known: HashSet::new(),
            done: Vec::new(),
        })
    }

    /// Takes these files out of a bundle. False, and nothing was taken, if one of them does not match its hash: then
    /// the bundle is to be kept as it is.
    pub fn add(&mut self, id: ChunkId, place: &Place, files: &[Part]) -> Result<bool> {
        let (remote, keys) = (self.store.remote(), self.store.keys());
        let mut old = std::mem::take(&mut self.old);
        self.decoder
            .read(remote, keys, Class::Data, id, place, &mut old)?;
        let sound = files.iter().all(|file| file.is_proven(keys, &old));
        if sound {
            for file in files {
                self.file(file.hash, file.slice(&old).unwrap_or_default())?;
            }
        }
        self.old = old;
        Ok(sound)
    }

    fn file(&mut self, hash: ContentHash, bytes: &[u8]) -> Result<()> {
        let size = self.store.config().bundle_size as usize;
        let full = self.data.len() + bytes.len() > size.max(bytes.len()) || self.parts.len() >= PARTS_MAX;
        if full {
            self.bundle()?;
        }
        if self.known.insert(hash) {
            let (offset, len) = (self.data.len() as u32, bytes.len() as u32);
            self.data.extend_from_slice(bytes);
            self.parts.push(Part {
                at: 0,
                offset,
                len,
                hash,
            });
        }
        Ok(())
    }

    /// Seals the bundle at hand. What is in it was compared with its hashes, and the frame is opened again (I-3).
    fn bundle(&mut self) -> Result<()> {
        if self.data.is_empty() {
            return Ok(());
        }
        let (store, keys) = (self.store, self.store.keys());
        let id = keys.chunk_id(false, &self.data);
        let key = &self.content.key;
        let (frame, sealed) = self.encoder.encode(keys, key, Class::Data, id, &self.data)?;
        let size = store.config().pack_size as usize;
        let fits = |pack: &PackWriter| pack.has_room_for(sealed.len(), self.parts.len(), size);
        let full = self.pack.take_if(|pack| !fits(pack));
        let pack = match &mut self.pack {
            Some(pack) => pack,
            slot => slot.insert(store.begin_pack(Class::Data, vec![self.content.sealed])?),
        };
        pack.append_bundle(frame, sealed, &self.parts)?;
        if let Some(full) = full {
            self.known = self.parts.iter().map(|part| part.hash).collect();
            self.close(full)?;
        }
        self.data.clear();
        self.parts.clear();
        Ok(())
    }

    fn close(&mut self, pack: PackWriter) -> Result<()> {
        let list = self
            .store
            .publish_pack(pack.finish(self.store.keys())?, &SharedParity::default())?;
        self.done.push(list);
        Ok(())
    }

    pub fn finish(&mut self) -> Result<()> {
        self.bundle()?;
        match self.pack.take() {
            Some(pack) => self.close(pack),
            None => Ok(()),
        }
    }
}
