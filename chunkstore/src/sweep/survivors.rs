//! G5: whether everything that is needed has a sound copy outside of the condemned packs.
//!
//! A chunk has, if another pack that no mark names lists it; a small file, if its bundle has, or if such a pack lists the
//! file itself. Where the copy in a condemned pack goes in favour of another, that one is confirmed first
//! ([`Confirm`]): no entry in the index alone makes a collection delete anything.

use super::Confirm;
use super::needs::CONFIRMED;
use crate::error::{Error, Object, Result};
use crate::id::{ChunkId, PackId};
use crate::index::{Condemned, LocalIndex, Located, Moved, Presence};
use crate::live::LiveSet;
use crate::simulation::{self, Rule};
use crate::smallfile::SmallFile;
use crate::store::Store;
use std::collections::HashSet;
use std::path::Path;

/// Proves that everything referenced is in a pack that is there and has its size, as `index` was made to hold
/// ([`crate::store::Store::index_of`]). Anything else stops deletion (I-9): it means damage, and a collection would make
/// it worse. A pack that can't be read counts as present: nothing of it is deleted, and nothing else in favour of it.
pub fn all_present(store: &Store, index: &LocalIndex, live: &mut LiveSet) -> Result<()> {
    let missing = |id: &ChunkId| Error::missing(Object::Chunk(*id));
    live.scan(&mut |ids| {
        for (id, located) in ids.iter().zip(index.locate_sorted(ids)?) {
            let located = located.ok_or_else(|| missing(id))?;
            has_size(store, index, id, &located)?;
        }
        Ok(())
    })?;
    let mut presence = Presence::default();
    let none = Condemned::new();
    let bundle = &mut |id: &ChunkId| index.contains(id, &none);
    let moved = &mut |file: &SmallFile| Ok(index.moved_to(file, &none)?.is_some());
    live.scan_files(&mut |file| match presence.of(file, bundle, moved)? {
        true => Ok(()),
        false => match index.locate(&file.bundle)? {
            Some(located) => has_size(store, index, &file.bundle, &located),
            None => Err(missing(&file.bundle)),
        },
    })
}

/// An error if no copy is in a pack of the size that the index has for it; `first` is the one that it names.
fn has_size(store: &Store, index: &LocalIndex, id: &ChunkId, first: &Located) -> Result<()> {
    let pack = &first.place.pack;
    match index.check_size(pack) {
        Err(_) if store.unreadable_pack(pack).is_some() => Ok(()),
        Err(wrong) if !index.contains(id, &Condemned::new())? => Err(wrong),
        _ => Ok(()),
    }
}

/// Looks for what only condemned packs hold.
pub(super) struct Survivors<'a> {
    pub index: &'a LocalIndex,
    /// The packs that are to go.
    pub condemned: &'a HashSet<PackId>,
    /// Packs in which a copy is no copy.
    pub no_copy: &'a HashSet<PackId>,
    pub confirm: Confirm<'a>,
    /// Chunks in condemned packs that are to be moved out first.
    pub doubtful: LiveSet,
}

impl<'a> Survivors<'a> {
    pub fn new(
        cache: &Path,
        index: &'a LocalIndex,
        (condemned, no_copy): (&'a HashSet<PackId>, &'a HashSet<PackId>),
        confirm: Confirm<'a>,
    ) -> Result<Self> {
        Ok(Survivors {
            index,
            condemned,
            no_copy,
            confirm,
            doubtful: LiveSet::new(cache)?,
        })
    }

    /// The chunks that are to be moved out.
    pub fn find(mut self, live: &mut LiveSet) -> Result<LiveSet> {
        self.chunks(live)?;
        self.files(live)?;
        Ok(self.doubtful)
    }

    fn is_good(&self, pack: &PackId) -> bool {
        self.index.is_usable(pack, self.no_copy)
    }

    /// Whether a copy of a chunk is to go, and those that stay.
    fn copies(&self, id: &ChunkId) -> Result<(bool, Vec<Located>)> {
        let mut copies = self.index.copies(id)?;
        let goes = copies.iter().any(|at| self.condemned.contains(&at.place.pack));
        copies.retain(|at| self.is_good(&at.place.pack));
        Ok((goes, copies))
    }

    fn chunks(&mut self, live: &mut LiveSet) -> Result<()> {
        let mut batch = Vec::new();
        live.scan(&mut |ids| {
            for id in ids {
                let (goes, good) = self.copies(id)?;
                match (goes, good.is_empty()) {
                    (false, _) => {}
                    (true, true) => drop(self.doubtful.insert(*id)?),
                    (true, false) => batch.push((*id, good)),
                }
            }
            match batch.len() >= CONFIRMED {
                true => self.settle(std::mem::take(&mut batch)),
                false => Ok(()),
            }
        })?;
        self.settle(batch)
    }

    fn settle(&mut self, batch: Vec<(ChunkId, Vec<Located>)>) -> Result<()> {
        for (id, other) in self.confirm.unsound(batch)? {
            if other.is_none() {
                self.doubtful.insert(id)?;
            }
        }
        Ok(())
    }

    fn files(&mut self, live: &LiveSet) -> Result<()> {
        let mut last: Option<Bundle> = None;
        live.scan_files(&mut |file| {
            let bundle = match last.take() {
                Some(bundle) if bundle.id == file.bundle => bundle,
                _ => self.bundle(file.bundle)?,
            };
            let settled = bundle.stays || bundle.is_taken_for_all;
            let moved = !settled && self.file(&bundle, file)?;
            last = Some(Bundle {
                is_taken_for_all: settled || moved && simulation::left_out(Rule::EachFile),
                ..bundle
            });
            Ok(())
        })
    }

    /// Whether a bundle has a copy that stays.
    fn bundle(&mut self, id: ChunkId) -> Result<Bundle> {
        let (goes, good) = self.copies(&id)?;
        let stays = !good.is_empty() && (!goes || self.confirm.any(&id, &good)?.is_some());
        Ok(Bundle {
            id,
            goes,
            stays,
            is_taken_for_all: false,
        })
    }

    /// Whether a file whose bundle does not stay has a place that does; notes what holds it otherwise.
    fn file(&mut self, bundle: &Bundle, file: &SmallFile) -> Result<bool> {
        let places = self.index.moved(&file.hash)?;
        let places: Vec<Moved> = places.into_iter().filter(|to| to.len == file.len).collect();
        let (good, others): (Vec<Moved>, Vec<Moved>) = places.iter().partition(|to| self.is_good(&to.pack));
        let goes = bundle.goes || others.iter().any(|to| self.condemned.contains(&to.pack));
        if !good.is_empty() && (!goes || self.confirm.any_file(self.index, file, &good)?.is_some()) {
            return Ok(true);
        }
        if bundle.goes {
            self.doubtful.insert(bundle.id)?;
        } else {
            for to in others.iter().filter(|to| self.condemned.contains(&to.pack)) {
                self.doubtful.insert(to.bundle)?;
            }
        }
        Ok(false)
    }
}

struct Bundle {
    id: ChunkId,
    /// A copy is in a pack that is to go.
    goes: bool,
    /// A sound copy is in one that stays.
    stays: bool,
    /// Only where a rule is left out.
    is_taken_for_all: bool,
}
