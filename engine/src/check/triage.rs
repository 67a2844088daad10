//! Distinguishes three things: damage, which is proven; one object that can't be read, of which nothing is known, so
//! that the rest is checked without it; and storage that can't be asked at all, which ends the check.

use crate::error::Result;
use chunkstore::error::{Object, Unreadable};
use chunkstore::frame::Decoder;
use chunkstore::index::Located;
use chunkstore::indexfile::IndexSegment;
use chunkstore::remote::ObjectName;
use chunkstore::store::Store;
use chunkstore::{ChunkId, Error as StoreError, IndexId, PackId};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

pub(super) struct Triage<'a> {
    store: &'a Store,
    /// Some index segment can't be read: what no other lists may be there.
    index_is_unread: AtomicBool,
    /// Packs that can't be read, which are not asked for again.
    unreadable: Mutex<HashMap<PackId, StoreError>>,
}

impl<'a> Triage<'a> {
    pub fn new(store: &'a Store) -> Triage<'a> {
        Triage {
            store,
            index_is_unread: AtomicBool::new(false),
            unreadable: Mutex::default(),
        }
    }

    /// Splits the trouble of one object, which is damage or [`StoreError::Unreadable`], from what ends the check.
    pub fn sound<T>(
        &self,
        object: impl Into<Object>,
        result: Result<T, StoreError>,
    ) -> Result<Result<T, StoreError>, StoreError> {
        match result {
            Err(e) => Ok(Err(self.of_one(object.into(), e)?)),
            read => Ok(self.store.judged(read)),
        }
    }

    fn of_one(&self, object: Object, error: StoreError) -> Result<StoreError, StoreError> {
        match &error {
            StoreError::Remote { .. } => {}
            StoreError::NewerFormat(feature) => {
                let cause = Unreadable::NewerFormat(feature.clone());
                return Ok(StoreError::Unreadable { object, cause });
            }
            StoreError::Invalid(invalid) => {
                let cause = Unreadable::Invalid(Box::new(invalid.clone()));
                return Ok(StoreError::Unreadable { object, cause });
            }
            StoreError::Unreadable { .. } => return Ok(error),
            _ if error.is_damage() => return Ok(error),
            _ => return Err(error),
        }
        match self.store.judge(error) {
            e @ StoreError::Unreadable { .. } => Ok(e),
            e => Err(e),
        }
    }

    /// The same of a pack, which is not asked for again once it can't be read.
    pub fn pack<T>(
        &self,
        id: PackId,
        read: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<Result<T, StoreError>, StoreError> {
        if let Some(known) = self.unreadable.lock().get(&id) {
            return Ok(Err(known.clone()));
        }
        let read = self.sound(ObjectName::pack(id), read())?;
        if let Err(e @ StoreError::Unreadable { .. }) = &read {
            self.unreadable.lock().insert(id, e.clone());
        }
        Ok(read)
    }

    /// A frame, at its place in the index.
    pub fn frame(
        &self,
        decoder: &mut Decoder,
        id: &ChunkId,
        at: &Located,
    ) -> Result<Result<Vec<u8>, StoreError>, StoreError> {
        let (remote, keys) = (self.store.remote(), self.store.keys());
        self.pack(at.place.pack, || {
            let mut plain = Vec::new();
            decoder.read(remote, keys, at.class, *id, &at.place, &mut plain)?;
            Ok(plain)
        })
    }

    pub fn note_unread_index(&self) {
        self.index_is_unread.store(true, Relaxed);
    }

    pub fn index_is_unread(&self) -> bool {
        self.index_is_unread.load(Relaxed)
    }

    /// What is wrong with a tree chunk that no index segment lists.
    pub fn unlisted(&self, id: &ChunkId) -> StoreError {
        let object = Object::TreeChunk(*id);
        match self.index_is_unread() {
            true => StoreError::Unreadable {
                object,
                cause: Unreadable::NotIndexed,
            },
            false => StoreError::Missing { object },
        }
    }

    /// Calls `each` with every one of these segments that is sound; the others were named when the index was made.
    pub fn each_segment(
        &self,
        ids: &[IndexId],
        each: &mut dyn FnMut(IndexSegment) -> Result<()>,
    ) -> Result<()> {
        for id in ids {
            let read = IndexSegment::load(self.store.remote(), self.store.keys(), *id);
            if let Ok(segment) = self.sound(ObjectName::index(*id), read)? {
                each(segment)?;
            }
        }
        Ok(())
    }

    /// A pack is known to be unreadable.
    pub fn note_unreadable(&self, id: PackId, error: StoreError) {
        self.unreadable.lock().insert(id, error);
    }

    pub fn is_unreadable(&self, id: &PackId) -> bool {
        self.unreadable.lock().contains_key(id)
    }

    pub fn any_unreadable_pack(&self) -> bool {
        !self.unreadable.lock().is_empty()
    }
}
