//! All copies of a chunk, and where small files are that a collection has moved.
//!
//! A file that a tree places in a bundle is there if the bundle is, or if a pack lists the file under its hash
//! ([`LocalIndex::contains_file`]). Code that makes references, deletes, or looks for losses asks here and nowhere
//! else. That one file of a bundle was moved does not mean that the others were (I-4).

use super::{Condemned, LocalIndex, Located, failed};
use crate::error::{Error, IndexFault, Result};
use crate::id::{ChunkId, ContentHash, PackId};
use crate::simulation::{self, Rule};
use crate::smallfile::{Part, SmallFile};
use crate::varint::Bytes;
use rocksdb::{Direction, IteratorMode, ReadOptions};
use std::collections::HashMap;

/// Copies of one chunk, and places of one moved file, that are looked at.
const COPIES_MAX: usize = 64;

/// Given a key and its value; false ends the reading.
type EachRow<'a> = dyn FnMut(&[u8], &[u8]) -> Result<bool> + 'a;

/// A place that a small file was moved to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Moved {
    /// The pack that lists it, and where in it the frame of its bundle lies.
    pub pack: PackId,
    pub frame: u32,
    pub bundle: ChunkId,
    pub offset: u32,
    pub len: u32,
}

impl Moved {
    /// The same file by where it is now.
    pub fn file(&self, hash: ContentHash) -> SmallFile {
        SmallFile {
            bundle: self.bundle,
            offset: self.offset,
            len: self.len,
            hash,
        }
    }
}

impl LocalIndex {
    /// Every listed copy of a chunk in packs that are there, by pack and offset.
    pub fn copies(&self, id: &ChunkId) -> Result<Vec<Located>> {
        let first = self.db.get_cf(self.cf("chunks")?, id.0).map_err(failed)?;
        let Some(first) = first else {
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        found.extend(self.located(&first)?);
        self.below("copies", &id.0, &mut |_, value| {
            found.extend(self.located(value)?);
            Ok(found.len() < COPIES_MAX)
        })?;
        found.sort_unstable_by_key(|at| (at.place.pack, at.place.offset));
        found.dedup();
        Ok(found)
    }

    /// Whether more than one copy of any chunk is listed.
    pub fn has_copies(&self) -> Result<bool> {
        let mut rows = self.db.iterator_cf(self.cf("copies")?, IteratorMode::Start);
        Ok(rows.next().transpose().map_err(failed)?.is_some())
    }

    /// Calls `each` with the chunks of which more than one copy is listed.
    pub fn each_copied(&self, each: &mut dyn FnMut(ChunkId) -> Result<()>) -> Result<()> {
        let mut last = None;
        let rows = self.db.iterator_cf(self.cf("copies")?, IteratorMode::Start);
        for row in rows {
            let (key, _) = row.map_err(failed)?;
            let id = key.get(..32).and_then(ChunkId::from_slice);
            if let Some(id) = id.filter(|id| last != Some(*id)) {
                last = Some(id);
                each(id)?;
            }
        }
        Ok(())
    }

    /// Whether a chunk is present, in a pack that may be referenced anew.
    pub fn contains(&self, id: &ChunkId, condemned: &Condemned) -> Result<bool> {
        let Some(value) = self.db.get_pinned_cf(self.cf("chunks")?, id.0).map_err(failed)? else {
            return Ok(false);
        };
        let pack = match value.get(..8) {
            Some(record) => self.pack(record)?,
            None => None,
        };
        if pack.is_some_and(|pack| self.is_usable(&pack.id, condemned)) {
            return Ok(true);
        }
        let copies = self.copies(id)?;
        Ok(copies.iter().any(|at| self.is_usable(&at.place.pack, condemned)))
    }

    /// Whether new references may rest on what is in a pack that is there: it has its size, and is not condemned.
    pub fn is_usable(&self, pack: &PackId, condemned: &Condemned) -> bool {
        !condemned.contains(pack) && !self.wrong.contains_key(pack)
    }

    /// Where a collection has moved files with this content, by pack and frame: packs that are there only.
    pub fn moved(&self, hash: &ContentHash) -> Result<Vec<Moved>> {
        let mut found = Vec::new();
        self.below("parts", &hash.0, &mut |key, value| {
            let (record, moved) = moved_row(key, value)?;
            found.extend(self.pack(&record)?.map(|pack| Moved {
                pack: pack.id,
                ..moved
            }));
            Ok(found.len() < COPIES_MAX)
        })?;
        found.sort_unstable();
        Ok(found)
    }

    /// Calls `each` with the hashes of moved files that are listed more than once.
    pub fn each_moved_twice(&self, each: &mut dyn FnMut(ContentHash) -> Result<()>) -> Result<()> {
        let mut last: Option<(ContentHash, bool)> = None;
        for row in self.db.iterator_cf(self.cf("parts")?, IteratorMode::Start) {
            let (key, _) = row.map_err(failed)?;
            let Some(hash) = key.get(..16).and_then(ContentHash::from_slice) else {
                continue;
            };
            let is_reported = match last {
                Some((same, is_reported)) if same == hash => {
                    if !is_reported {
                        each(hash)?;
                    }
                    true
                }
                _ => false,
            };
            last = Some((hash, is_reported));
        }
        Ok(())
    }

    /// What one pack lists of moved files, by where their bundles' frames lie: looks through all that is listed.
    pub fn moved_into(&self, pack: &PackId) -> Result<Vec<(Moved, Part)>> {
        let mut found = Vec::new();
        for row in self.db.iterator_cf(self.cf("parts")?, IteratorMode::Start) {
            let (key, _) = row.map_err(failed)?;
            let Some(hash) = key.get(..16).and_then(ContentHash::from_slice) else {
                continue;
            };
            let here = self.moved(&hash)?;
            let here = here.iter().filter(|to| to.pack == *pack);
            found.extend(here.map(|to| {
                let Moved { offset, len, .. } = *to;
                let at = 0;
                (
                    *to,
                    Part {
                        at,
                        offset,
                        len,
                        hash,
                    },
                )
            }));
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// Whether any moved file is listed.
    pub fn has_moved(&self) -> Result<bool> {
        let mut rows = self.db.iterator_cf(self.cf("parts")?, IteratorMode::Start);
        Ok(rows.next().transpose().map_err(failed)?.is_some())
    }

    /// Whether a small file is present: its bundle is, or it was moved, to a pack that may be referenced anew.
    pub fn contains_file(&self, file: &SmallFile, condemned: &Condemned) -> Result<bool> {
        Ok(self.contains(&file.bundle, condemned)? || self.moved_to(file, condemned)?.is_some())
    }

    /// Where a small file was moved to, in a pack that may be referenced anew.
    pub fn moved_to(&self, file: &SmallFile, condemned: &Condemned) -> Result<Option<Moved>> {
        let moved = self.moved(&file.hash)?;
        let good = |to: &&Moved| to.len == file.len && self.is_usable(&to.pack, condemned);
        Ok(moved.iter().find(good).copied())
    }

    /// Where a small file can be read, whether or not it may be referenced anew: its bundle, else where it was moved to.
    pub fn find_file(&self, file: &SmallFile) -> Result<Option<(SmallFile, Located)>> {
        match self.locate(&file.bundle)? {
            Some(located) => Ok(Some((*file, located))),
            None => self.find_moved(file),
        }
    }

    /// Where a small file can be read whose bundle is gone.
    pub fn find_moved(&self, file: &SmallFile) -> Result<Option<(SmallFile, Located)>> {
        for to in self.moved(&file.hash)?.iter().filter(|to| to.len == file.len) {
            if let Some(located) = self.locate(&to.bundle)? {
                return Ok(Some((to.file(file.hash), located)));
            }
        }
        Ok(None)
    }

    /// [`LocalIndex::find_moved`] for many, in their order: what several have in common is looked up once.
    pub fn find_all_moved(&self, files: &[SmallFile]) -> Result<Vec<Option<SmallFile>>> {
        let mut sorted: Vec<usize> = (0..files.len()).collect();
        sorted.sort_unstable_by_key(|at| files[*at].hash);
        let mut options = ReadOptions::default();
        options.set_prefix_same_as_start(true);
        let mut rows = self.db.raw_iterator_cf_opt(self.cf("parts")?, options);
        let (mut packs, mut bundles) = (HashMap::new(), HashMap::new());
        let mut found = vec![None; files.len()];
        for at in sorted {
            let file = &files[at];
            let mut places = Vec::new();
            rows.seek(file.hash.0);
            while let Some((key, value)) = rows.item().filter(|(key, _)| key.starts_with(&file.hash.0)) {
                let (record, moved) = moved_row(key, value)?;
                let pack = match packs.get(&record) {
                    Some(pack) => *pack,
                    None => {
                        let pack = self.pack(&record)?.map(|pack| pack.id);
                        *packs.entry(record).or_insert(pack)
                    }
                };
                places.extend(pack.map(|pack| Moved { pack, ..moved }));
                if places.len() >= COPIES_MAX {
                    break;
                }
                rows.next();
            }
            rows.status().map_err(failed)?;
            places.sort_unstable();
            for to in places.iter().filter(|to| to.len == file.len) {
                let is_there = match bundles.get(&to.bundle) {
                    Some(is_there) => *is_there,
                    None => {
                        let is_there = self.locate(&to.bundle)?.is_some();
                        *bundles.entry(to.bundle).or_insert(is_there)
                    }
                };
                if is_there {
                    found[at] = Some(to.file(file.hash));
                    break;
                }
            }
        }
        Ok(found)
    }

    /// Calls `each` with the rows of a family whose keys begin with `prefix`, which is as long as the family's
    /// prefixes, until it returns false.
    fn below(&self, family: &str, prefix: &[u8], each: &mut EachRow<'_>) -> Result<()> {
        let mut options = ReadOptions::default();
        options.set_prefix_same_as_start(true);
        let from = IteratorMode::From(prefix, Direction::Forward);
        for row in self.db.iterator_cf_opt(self.cf(family)?, options, from) {
            let (key, value) = row.map_err(failed)?;
            if !key.starts_with(prefix) || !each(&key, &value)? {
                break;
            }
        }
        Ok(())
    }
}

/// A row of `parts`: the key of its pack in `packs`, and the place without the pack's name.
fn moved_row(key: &[u8], value: &[u8]) -> Result<([u8; 8], Moved)> {
    let fields = || -> Result<_, crate::varint::Malformed> {
        let (mut key, mut value) = (Bytes(key), Bytes(value));
        key.array::<16>()?;
        let (record, frame) = (key.array()?, key.u32()?);
        let moved = Moved {
            pack: PackId([0; 32]),
            frame,
            bundle: ChunkId(value.array()?),
            offset: value.u32()?,
            len: value.u32()?,
        };
        Ok((record, moved))
    };
    fields().map_err(|_| Error::Index(IndexFault::Undecodable))
}

/// Remembers of the bundle asked for last whether it is present: files of one bundle mostly come one after another.
#[derive(Default)]
pub struct Presence {
    last: Option<(ChunkId, bool)>,
}

impl Presence {
    /// Whether a small file is present. `bundle` says whether one is there whole, `moved` whether a file was moved.
    pub fn of(
        &mut self,
        file: &SmallFile,
        bundle: &mut dyn FnMut(&ChunkId) -> Result<bool>,
        moved: &mut dyn FnMut(&SmallFile) -> Result<bool>,
    ) -> Result<bool> {
        let whole = match self.last {
            Some((id, whole)) if id == file.bundle => whole,
            _ => bundle(&file.bundle)?,
        };
        self.last = Some((file.bundle, whole));
        let present = whole || moved(file)?;
        if simulation::left_out(Rule::EachFile) {
            // What was found of one file is taken for the whole bundle.
            self.last = Some((file.bundle, present));
        }
        Ok(present)
    }
}
