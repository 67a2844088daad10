//! Proof that a copy is what the index claims, before another copy is given up for it.
//!
//! An index segment may be wrong: anyone who may write to the index can list any chunk anywhere, and a listed copy may
//! have rotted since. So a copy counts as the one that stays only once its pack's own footer lists it, and it was read
//! and compared with its id; a moved file only once its bytes were compared with its hash, too. What the footers of
//! packs that this run made list was proven when it was written, and need not be read. What the index lists in them
//! need not be so.

use super::run::{Run, place};
use crate::error::{Error, Result};
use crate::frame::Decoder;
use crate::id::{ChunkId, PackId};
use crate::index::{LocalIndex, Located, Moved};
use crate::pack::{self, PackList};
use crate::place::Place;
use crate::simulation::{self, Rule};
use crate::smallfile::SmallFile;
use crate::store::Store;
use std::collections::{BTreeMap, HashSet};

/// Frames and parts of the footers that are kept, some 50 MiB. Files come in the order of their old bundles, and so from
/// all packs that were made in turn.
const ROWS: usize = 1 << 20;

pub struct Confirm<'a> {
    store: &'a Store,
    made: &'a HashSet<PackId>,
    lists: BTreeMap<PackId, Option<PackList>>,
    rows: usize,
    decoder: Decoder,
    plain: Vec<u8>,
    /// The copy that `plain` holds.
    held: Option<Place>,
}

impl<'a> Confirm<'a> {
    /// `made`: packs whose content was proven before.
    pub fn new(store: &'a Store, made: &'a HashSet<PackId>) -> Result<Self> {
        Ok(Confirm {
            store,
            made,
            lists: BTreeMap::new(),
            rows: 0,
            decoder: Decoder::new()?,
            plain: Vec::new(),
            held: None,
        })
    }

    /// A pack's own list of frames; none if it can't be read, or the pack is not there.
    fn list(&mut self, pack: PackId) -> Result<Option<&PackList>> {
        if !self.lists.contains_key(&pack) {
            let list = match pack::read_list(self.store.remote(), self.store.keys(), pack) {
                Ok(list) => Some(list),
                Err(e) => self.no_proof(pack, e).map(|()| None)?,
            };
            let rows = |list: &Option<PackList>| 1 + list.as_ref().map_or(0, PackList::rows);
            self.rows += rows(&list);
            while self.rows > ROWS
                && let Some((_, old)) = self.lists.pop_first()
            {
                self.rows -= rows(&old);
            }
            self.lists.insert(pack, list);
        }
        Ok(self.lists.get(&pack).and_then(Option::as_ref))
    }

    /// Whether the pack's footer agrees with the index about the chunk.
    fn is_listed(&mut self, id: &ChunkId, at: &Located) -> Result<bool> {
        let Some(list) = self.list(at.place.pack)? else {
            return Ok(false);
        };
        let number = list
            .frames
            .partition_point(|frame| frame.offset < at.place.offset);
        let Some(frame) = list.frames.get(number).filter(|frame| frame.id == *id) else {
            return Ok(false);
        };
        let own = place(list, frame)?;
        Ok(own == at.place && list.class == at.class)
    }

    /// The first of these copies of a chunk that is sound.
    pub fn any(&mut self, id: &ChunkId, copies: &[Located]) -> Result<Option<Located>> {
        for at in copies.iter().filter(|at| self.made.contains(&at.place.pack)) {
            if self.is_listed(id, at)? {
                return Ok(Some(*at));
            }
        }
        for at in copies {
            if self.one(id, at)? {
                return Ok(Some(*at));
            }
        }
        Ok(None)
    }

    fn one(&mut self, id: &ChunkId, at: &Located) -> Result<bool> {
        if self.held == Some(at.place) {
            return Ok(true);
        }
        if !self.is_listed(id, at)? {
            return Ok(false);
        }
        self.held = None;
        let (remote, keys) = (self.store.remote(), self.store.keys());
        let read = self
            .decoder
            .read(remote, keys, at.class, *id, &at.place, &mut self.plain);
        match read {
            Ok(()) => self.held = Some(at.place),
            Err(e) => return self.no_proof(at.place.pack, e).map(|()| false),
        }
        Ok(true)
    }

    /// A copy that is damaged or can't be read proves nothing, and is no trouble of the others.
    fn no_proof(&self, pack: PackId, error: Error) -> Result<()> {
        match self.store.judge_pack(pack, error) {
            e if e.concerns_one_object() => Ok(()),
            e => Err(e),
        }
    }

    /// The first of these places that a small file was moved to where it is.
    pub fn any_file(
        &mut self,
        index: &LocalIndex,
        file: &SmallFile,
        places: &[Moved],
    ) -> Result<Option<Moved>> {
        for to in places.iter().filter(|to| self.made.contains(&to.pack)) {
            if self.lists_file(file, to)? {
                return Ok(Some(*to));
            }
        }
        for to in places.iter().filter(|to| to.len == file.len) {
            let copies = index.copies(&to.bundle)?;
            let here = |at: &&Located| at.place.pack == to.pack && at.place.offset == to.frame;
            let Some(at) = copies.iter().find(here) else {
                continue;
            };
            if self.lists_file(file, to)? && self.one(&to.bundle, at)? {
                let bytes = to.file(file.hash);
                let bytes = bytes.slice(&self.plain);
                if bytes.is_some_and(|bytes| self.store.keys().content_hash(bytes) == file.hash) {
                    return Ok(Some(*to));
                }
            }
        }
        Ok(None)
    }

    /// Whether the pack's footer lists the file there.
    fn lists_file(&mut self, file: &SmallFile, to: &Moved) -> Result<bool> {
        let Some(list) = self.list(to.pack)? else {
            return Ok(false);
        };
        let number = list.frames.partition_point(|frame| frame.offset < to.frame);
        let bundle = list.frames.get(number).map(|frame| (frame.id, frame.offset));
        if bundle != Some((to.bundle, to.frame)) {
            return Ok(false);
        }
        let parts = list.parts_of(number).iter();
        let same = |part: &crate::smallfile::Part| {
            (part.hash, part.offset, part.len) == (file.hash, to.offset, to.len)
        };
        Ok(parts.into_iter().any(same) && to.len == file.len)
    }

    /// Those of many chunks whose first copy is not sound, with the one that is, if there is one. Reads the first copies in
    /// the order in which they lie, and others only where one of these fails.
    pub fn unsound(
        &mut self,
        mut chunks: Vec<(ChunkId, Vec<Located>)>,
    ) -> Result<Vec<(ChunkId, Option<Located>)>> {
        if simulation::left_out(Rule::PacksLast) {
            // Reading a pack finds that it is gone, however late the packs were listed.
            return Ok(Vec::new());
        }
        chunks.sort_unstable_by_key(|(_, copies)| copies.first().map(|at| (at.place.pack, at.place.offset)));
        let mut unsound = Vec::new();
        for group in chunks.chunk_by(|a, b| pack_of(a) == pack_of(b)) {
            let sound = self.first_copies(group)?;
            for ((id, copies), sound) in group.iter().zip(sound) {
                let rest = copies.get(1..).unwrap_or_default();
                if !sound {
                    unsound.push((*id, self.any(id, rest)?));
                }
            }
        }
        Ok(unsound)
    }

    /// Which of these chunks' first copies, which lie in one pack, are sound.
    fn first_copies(&mut self, group: &[(ChunkId, Vec<Located>)]) -> Result<Vec<bool>> {
        let mut sound = vec![false; group.len()];
        if group
            .first()
            .and_then(pack_of)
            .is_some_and(|pack| self.made.contains(&pack))
        {
            for ((id, copies), sound) in group.iter().zip(&mut sound) {
                *sound = copies.first().map_or(Ok(false), |at| self.is_listed(id, at))?;
            }
            return Ok(sound);
        }
        let (mut frames, mut numbers) = (Vec::new(), Vec::new());
        let mut first = None;
        for (number, (id, copies)) in group.iter().enumerate() {
            if let Some(at) = copies.first()
                && self.is_listed(id, at)?
            {
                first = Some((at.class, at.place.pack));
                frames.push((*id, at.place));
                numbers.push(number);
            }
        }
        let Some((class, pack)) = first else {
            return Ok(sound);
        };
        let (mut rest, mut run) = (&frames[..], Run::default());
        let mut numbers = numbers.into_iter();
        loop {
            let before = rest.len();
            match run.read(self.store, &mut rest) {
                Ok(true) => {}
                Ok(false) => return Ok(sound),
                // One by one, or not at all.
                Err(e) => return self.no_proof(pack, e).map(|()| sound),
            }
            let keys = self.store.keys();
            let read = frames[frames.len() - before..frames.len() - rest.len()].iter();
            for ((id, place), number) in read.zip(&mut numbers) {
                let opened = run.stored(place).and_then(|stored| {
                    self.decoder
                        .open_at(keys, class, *id, place, stored, &mut self.plain)
                });
                self.held = None;
                match opened {
                    Ok(()) => sound[number] = true,
                    Err(e) => self.no_proof(pack, e)?,
                }
            }
        }
    }
}

fn pack_of((_, copies): &(ChunkId, Vec<Located>)) -> Option<PackId> {
    copies.first().map(|at| at.place.pack)
}
