//! New packs: from their first byte to their name, and their parity beside them, made from the same bytes.

use super::Store;
use crate::error::Result;
use crate::id::PackId;
use crate::indexfile::{self, IndexSegment};
use crate::keys::SealedSessionKey;
use crate::pack::{Class, ClosedPack, PackList, PackWriter};
use crate::parity::{self, SharedParity};
use crate::remote::{ObjectName, Published};
use bytes::Bytes;

impl Store {
    /// Begins a pack, whose bytes are at hand afterwards where parity is made from them.
    pub(crate) fn begin_pack(&self, class: Class, keys: Vec<SealedSessionKey>) -> Result<PackWriter> {
        let pack = PackWriter::begin(&*self.remote, self.id(), class, keys)?;
        Ok(match self.parity() {
            Some(_) => pack.keeping_bytes(),
            None => pack,
        })
    }

    /// Publishes a pack, and its parity where the repository has that, which other destinations may get too.
    pub(crate) fn publish_pack(&self, pack: ClosedPack, parity: &SharedParity) -> Result<PackList> {
        let bytes = pack.bytes.clone();
        let list = pack.publish(&*self.remote)?;
        match bytes {
            Some(bytes) => self.protect(list.id, &bytes, parity)?,
            // The repository was given parity after the pack was begun.
            None => {
                if let Some(percent) = self.parity() {
                    parity::protect(&*self.remote, self.id(), list.id, percent)?;
                }
            }
        }
        Ok(list)
    }

    /// The same of a pack whose bytes are at hand.
    pub(crate) fn publish_bytes(&self, id: PackId, bytes: &Bytes, parity: &SharedParity) -> Result<()> {
        // "Exists" means the same bytes: the name is their hash.
        let (Published::Created | Published::Exists) =
            self.remote.publish(&ObjectName::pack(id), bytes.clone())?;
        self.protect(id, bytes, parity)
    }

    /// Lists new packs in index segments, once their names are durable (I-1).
    pub(crate) fn list_packs(&self, mut lists: Vec<PackList>) -> Result<()> {
        if lists.is_empty() {
            return Ok(());
        }
        self.remote.barrier()?;
        write_segments(self, &mut lists)
    }

    fn protect(&self, id: PackId, bytes: &[u8], shared: &SharedParity) -> Result<()> {
        let Some(percent) = self.parity() else {
            return Ok(());
        };
        let parity = shared.get(self.id(), id, bytes, percent)?;
        parity::store(&*self.remote, id, parity).map(drop)
    }

    /// Whether the bytes of packs are needed once more when they are closed.
    pub(crate) fn needs_bytes(&self) -> bool {
        self.parity().is_some()
    }

    fn parity(&self) -> Option<u8> {
        self.standing.lock().1.parity
    }
}

/// Writes index segments for `lists`, which is emptied.
pub fn write_segments(store: &Store, lists: &mut Vec<PackList>) -> Result<()> {
    let lists = std::mem::take(lists);
    indexfile::groups(&lists).try_for_each(|group| {
        let (id, bytes) = IndexSegment::of_packs(group).seal(store.keys())?;
        store.remote().put(&ObjectName::index(id), &bytes).map(drop)
    })
}
