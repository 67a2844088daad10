//! What one needs who only reads a repository: whatever can be read is, also where the cache can't be used or some object
//! can't be read, and no such trouble is taken for damage.

use super::Store;
use super::session::View;
use crate::dbdir::DatabasePlace;
use crate::error::{Error, IndexFault, Object, Result, Unreadable};
use crate::id::{IndexId, PackId};
use crate::index::{Inventory, LocalIndex};
use crate::indexfile::IndexSegment;
use crate::object::cap;
use crate::remote::ObjectName;
use std::collections::BTreeMap;
use std::io::ErrorKind as Kind;
use std::sync::atomic::Ordering::Relaxed;

/// After so many objects in a row for which the storage does not answer it is taken to be down: each costs all the
/// patience that the remote has.
const OUTAGES: usize = 3;

impl Store {
    /// The local index for one who only reads, brought to `view`, of the packs that are there: a fenced writer may list
    /// some after they went. `progress` is called with (segments done, to do) while it is rebuilt. What lies in packs
    /// that can't be listed is in it, too: reading them will show.
    pub(crate) fn index_to_read(
        &self,
        view: &View,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<LocalIndex> {
        let present = match self.packs_confirmed().map_err(|e| self.judge(e)) {
            Ok(present) => Some(present),
            Err(Error::Unreadable { .. }) => None,
            Err(e) => return Err(e),
        };
        let places = [
            DatabasePlace::Cache,
            DatabasePlace::Temporary,
            DatabasePlace::Memory,
        ];
        let load = &mut |id| self.segment(id);
        self.index_in(places, view, present.as_ref(), load, progress)
    }

    /// An index of this run's own, for one who trusts nothing that was read before. `load` may be asked for a segment
    /// more than once.
    pub fn fresh_index(
        &self,
        view: &View,
        present: &Inventory,
        load: &mut dyn FnMut(IndexId) -> Result<IndexSegment>,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<LocalIndex> {
        let places = [
            DatabasePlace::Scratch,
            DatabasePlace::Temporary,
            DatabasePlace::Memory,
        ];
        self.index_in(places, view, Some(present), load, progress)
    }

    /// The index at the first of these places that can hold it.
    fn index_in(
        &self,
        places: [DatabasePlace; 3],
        view: &View,
        present: Option<&Inventory>,
        load: &mut dyn FnMut(IndexId) -> Result<IndexSegment>,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<LocalIndex> {
        let mut trouble = None;
        for place in places {
            let mut of_a_segment = false;
            let mut load = |id: IndexId| load(id).inspect_err(|_| of_a_segment = true);
            let (segments, condemned) = (&view.segments, &view.condemned);
            let opened = place.find(&self.cache).and_then(|home| {
                LocalIndex::open(home, self.id(), segments, condemned, present, &mut load, progress)
            });
            match opened {
                Err(e) if !of_a_segment => {
                    trouble.get_or_insert(e);
                }
                Err(e) => return Err(e),
                Ok(index) => {
                    if let Some(why) = trouble {
                        self.cache_trouble.get_or_init(|| why);
                    }
                    return Ok(index);
                }
            }
        }
        Err(trouble.unwrap_or(Error::Index(IndexFault::NoRoom)))
    }

    /// Why the cache could not be used, if it could not.
    pub fn cache_trouble(&self) -> Option<&Error> {
        self.cache_trouble.get()
    }

    /// The result of reading one object; an error is judged as [`Store::judge`] does.
    pub fn judged<T>(&self, read: Result<T>) -> Result<T> {
        match read {
            Err(e) => Err(self.judge(e)),
            Ok(read) => {
                if self.is_silent.swap(false, Relaxed) {
                    self.silent.lock().clear();
                }
                Ok(read)
            }
        }
    }

    /// Distinguishes an object that can't be read from a storage that can't be reached.
    pub fn judge(&self, error: Error) -> Error {
        let Error::Remote { object, source, .. } = &error else {
            return error;
        };
        let of_one = match source.kind() {
            _ if error.is_about_one_object() => true,
            Kind::ConnectionRefused | Kind::HostUnreachable | Kind::NetworkUnreachable => false,
            _ => self.may_be_of_one(object),
        };
        match of_one && self.answers() {
            true => Error::Unreadable {
                object: object.clone(),
                cause: Unreadable::Io(source.clone()),
            },
            false => error,
        }
    }

    /// Whether so few objects in a row went unanswered that the storage as a whole may be up. Threads that ask for the same
    /// object at once count once.
    fn may_be_of_one(&self, object: &Object) -> bool {
        let mut silent = self.silent.lock();
        self.is_silent.store(true, Relaxed);
        if !silent.contains(object) {
            silent.push(object.clone());
        }
        silent.len() <= OUTAGES
    }

    /// What reading a pack failed with, told apart as [`Store::judge`] does. A pack that can't be read is remembered.
    pub fn judge_pack(&self, id: PackId, error: Error) -> Error {
        let judged = self.judge(error);
        if judged.is_unreadable() {
            self.unreadable_packs.lock().insert(id, judged.clone());
        }
        judged
    }

    /// Packs that [`Store::judge_pack`] found unreadable since the repository was opened, and why.
    pub fn unreadable_packs(&self) -> BTreeMap<PackId, Error> {
        self.unreadable_packs.lock().clone()
    }

    /// Why a pack can't be read, if that was found.
    pub fn unreadable_pack(&self, id: &PackId) -> Option<Error> {
        self.unreadable_packs.lock().get(id).cloned()
    }

    /// Index segments that could not be read since the repository was opened, and why: no view has them any more, and
    /// what they list is not known.
    pub fn unreadable_segments(&self) -> Vec<(IndexId, Error)> {
        let unreadable = self.unreadable.lock();
        unreadable.iter().map(|(id, e)| (*id, e.clone())).collect()
    }

    /// An error if an index segment could not be read: for whoever deletes, or says what is missing (I-9).
    pub fn index_is_read(&self) -> Result<()> {
        match self.unreadable.lock().values().next() {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }

    /// Why a chunk is nowhere in the index: it is missing, unless a segment that could not be read may list it.
    pub fn unknown(&self, object: impl Into<Object>) -> Error {
        let object = object.into();
        match self.index_is_read() {
            Err(error) => Error::Unreadable {
                object,
                cause: Unreadable::UnknownLocation(Box::new(error)),
            },
            Ok(()) => Error::Missing { object },
        }
    }

    /// Whether the storage can be asked at all.
    pub fn answers(&self) -> bool {
        self.remote.get(&ObjectName::config(), cap::CONTROL).is_ok()
    }
}
