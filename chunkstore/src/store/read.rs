//! What one needs who only reads a repository: whatever can be read is, also where the cache can't be used or some object
//! can't be read, and no such trouble is taken for damage.

use super::Store;
use super::session::View;
use crate::error::{Error, IndexFault, Result, Unreadable};
use crate::id::IndexId;
use crate::index::{Inventory, LocalIndex};
use crate::indexfile::IndexSegment;
use crate::lodging::Lodging;
use crate::object::cap;
use crate::remote::ObjectName;
use std::io;

impl Store {
    /// The local index for one who only reads, brought to `view`, of the packs that are there: a fenced writer may list
    /// some after they went. `progress` is called with (segments done, to do) while it is rebuilt. What lies in packs
    /// that can't be listed is in it, too: reading them will show. An error comes with the segment that it is about.
    pub(crate) fn index_to_read(
        &self,
        view: &View,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<LocalIndex, (Option<IndexId>, Error)> {
        let present = match self.packs_confirmed().map_err(|e| self.judge(e)) {
            Ok(present) => Some(present),
            Err(Error::Unreadable { .. }) => None,
            Err(e) => return Err((None, e)),
        };
        let load = &mut |id| self.segment(id).map_err(|e| self.judge(e));
        self.index_in(
            [Lodging::Cache, Lodging::Temporary, Lodging::Memory],
            view,
            present.as_ref(),
            load,
            progress,
        )
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
        let lodgings = [Lodging::Scratch, Lodging::Temporary, Lodging::Memory];
        let opened = self.index_in(lodgings, view, Some(present), load, progress);
        opened.map_err(|(_, e)| e)
    }

    /// The index at the first of these places that can hold it.
    fn index_in(
        &self,
        lodgings: [Lodging; 3],
        view: &View,
        present: Option<&Inventory>,
        load: &mut dyn FnMut(IndexId) -> Result<IndexSegment>,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<LocalIndex, (Option<IndexId>, Error)> {
        let mut trouble = None;
        for lodging in lodgings {
            let mut blamed = None;
            let mut load = |id: IndexId| load(id).inspect_err(|_| blamed = Some(id));
            let (segments, condemned) = (&view.segments, &view.condemned);
            let opened = lodging.find(&self.cache).and_then(|room| {
                LocalIndex::open(room, self.id(), segments, condemned, present, &mut load, progress)
            });
            match opened {
                Err(e) if blamed.is_none() => {
                    trouble.get_or_insert(e);
                }
                Err(e) => return Err((blamed, e)),
                Ok(index) => {
                    if let Some(why) = trouble {
                        self.cache_trouble.get_or_init(|| why);
                    }
                    return Ok(index);
                }
            }
        }
        let why = trouble.unwrap_or(Error::Index(IndexFault::NoRoom));
        Err((None, why))
    }

    /// Why the cache could not be used, if it could not.
    pub fn cache_trouble(&self) -> Option<&Error> {
        self.cache_trouble.get()
    }

    /// Distinguishes an object that can't be read from a storage that can't be reached.
    pub fn judge(&self, error: Error) -> Error {
        let Error::Remote { object, source, .. } = &error else {
            return error;
        };
        let of_one = matches!(
            source.kind(),
            io::ErrorKind::PermissionDenied
                | io::ErrorKind::IsADirectory
                | io::ErrorKind::NotADirectory
                | io::ErrorKind::InvalidData
        );
        match of_one && self.answers() {
            true => Error::Unreadable {
                object: object.clone(),
                cause: Unreadable::Io(source.clone()),
            },
            false => error,
        }
    }

    /// Whether the storage can be asked at all.
    pub fn answers(&self) -> bool {
        self.remote.get(&ObjectName::config(), cap::CONTROL).is_ok()
    }
}
