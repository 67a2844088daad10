//! Opening the local index under a view and a listing of packs ([`crate::index`]), and packs whose size is wrong (I-4).

use super::Store;
use super::session::View;
use crate::error::Result;
use crate::id::{IndexId, PackId};
use crate::index::{DatabaseDir, Inventory, LocalIndex, WrongSizes};
use crate::remote::{ObjectName, bounded_size, for_all};

impl Store {
    pub(super) fn open_index(
        &self,
        view: &View,
        present: Option<&Inventory>,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<LocalIndex> {
        let mut open = |present| {
            let mut load = |id: IndexId| self.segment(id);
            let (segments, condemned) = (&view.segments, &view.condemned);
            let (home, id) = (DatabaseDir::cached(&self.cache)?, self.id());
            LocalIndex::open(home, id, segments, condemned, present, &mut load, &mut *progress)
        };
        let mut index = open(present)?;
        if let Some(present) = present.filter(|_| !index.wrong_sizes().is_empty()) {
            let mut asked = present.clone();
            if self.ask_sizes(index.wrong_sizes(), &mut asked)? {
                drop(index);
                index = open(Some(&asked))?;
            }
        }
        self.wrong_sizes.lock().clone_from(index.wrong_sizes());
        Ok(index)
    }

    /// Asks for the sizes of single packs, since a listing may lag behind or know no sizes. Whether one was another. A
    /// pack that can't be examined is remembered as unreadable, and its size stays wrong, so that nothing relies on it.
    pub fn ask_sizes(&self, wrong: &WrongSizes, packs: &mut Inventory) -> Result<bool> {
        let ids: Vec<PackId> = wrong.keys().copied().collect();
        let sizes = for_all(&*self.remote, &ids, |id| self.remote.size(&ObjectName::pack(*id)));
        let mut changed = false;
        for (id, size) in ids.into_iter().zip(sizes) {
            changed |= match size {
                Ok(Some(size)) => {
                    let size = bounded_size(size);
                    packs.insert(id, size) != Some(size)
                }
                // Deleted since it was listed.
                Ok(None) => packs.remove(&id).is_some(),
                Err(e) => match self.judge_pack(id, e) {
                    e if e.is_unreadable() => false,
                    e => return Err(e),
                },
            };
        }
        Ok(changed)
    }

    /// Packs that had another size than the index has for them when the index was opened last.
    pub fn packs_of_wrong_size(&self) -> WrongSizes {
        self.wrong_sizes.lock().clone()
    }
}
