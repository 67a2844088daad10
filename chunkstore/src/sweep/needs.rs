//! Which copy of everything that generations refer to is the one to keep, and what of each bundle is needed.
//!
//! Of several copies of a chunk the one in the pack of the lowest name is kept, if it is sound. A small file rests on its
//! bundle while that is there, and else on where it was moved to. A bundle is superseded if all of its files that are
//! needed were moved already, by a collection that was cut short.

use super::Confirm;
use crate::error::Result;
use crate::id::{ChunkId, PackId};
use crate::index::{LocalIndex, Located, Moved};
use crate::live::LiveSet;
use crate::scratch::Scratch;
use crate::session::View;
use crate::smallfile::{Part, SmallFile};
use crate::store::Store;

/// Needed files of one bundle that are looked at. A bundle with more is kept whole.
const FILES_MAX: usize = 64 << 10;
/// Files that are put in one new bundle.
pub(super) const PARTS_MAX: usize = 8 << 10;
/// What listing a moved file takes, in its pack and in the index.
const PART_COST: u64 = 44;
/// Keys gathered before they are written out.
const BATCH: usize = 32 << 10;
/// Copies proven together.
pub(super) const CONFIRMED: usize = 4096;

pub struct Needs<'a> {
    pub(super) view: &'a View,
    pub(super) index: &'a LocalIndex,
    live: &'a LiveSet,
    /// Whether any chunk has more than one copy.
    copied: bool,
    /// Whether any moved file is listed.
    has_moved: bool,
    /// Hashes of files that rest on where they were moved to.
    moved: NeededKeys,
    superseded: NeededKeys,
    /// Where not the first copy of a chunk or place of a file is kept, the one that is; all are where none was found sound.
    chosen: Scratch,
}

/// What of one copy of a chunk is needed.
pub(super) enum PackUse {
    Nothing,
    All,
    /// These files, by offset.
    Files(Vec<Part>),
}

/// What keeping one copy of a chunk takes, in stored bytes.
#[derive(Clone, Copy)]
pub(super) struct Worth {
    pub needed: u64,
    /// It pays to store the needed files anew.
    pub is_poor: bool,
}

impl PackUse {
    /// `stored` and `plain` are lengths of the chunk.
    pub fn worth(&self, stored: u32, plain: u32) -> Worth {
        let whole = Worth {
            needed: stored.into(),
            is_poor: false,
        };
        let files = match self {
            PackUse::Nothing => return Worth { needed: 0, ..whole },
            PackUse::All => return whole,
            PackUse::Files(files) => files,
        };
        let live: u64 = files.iter().map(|file| u64::from(file.len)).sum();
        let dead = u64::from(plain).saturating_sub(live);
        let freed = u64::from(stored) * dead / u64::from(plain.max(1));
        let cost = files.len() as u64 * PART_COST;
        match freed > cost {
            true => Worth {
                needed: u64::from(stored) - freed + cost,
                is_poor: true,
            },
            false => whole,
        }
    }
}

impl<'a> Needs<'a> {
    /// `live` refers to nothing that is not there.
    pub fn find(
        store: &Store,
        view: &'a View,
        index: &'a LocalIndex,
        live: &'a LiveSet,
        confirm: &mut Confirm<'_>,
    ) -> Result<Self> {
        let mut needs = Needs {
            view,
            index,
            live,
            copied: false,
            has_moved: index.has_moved()?,
            moved: NeededKeys::new(store),
            superseded: NeededKeys::new(store),
            chosen: Scratch::new(store.cache()),
        };
        needs.copied = index.has_copies()?;
        if needs.has_moved {
            needs.follow(confirm)?;
        }
        Ok(needs)
    }

    /// Finds the files that rest on where they were moved to.
    fn follow(&mut self, confirm: &mut Confirm<'_>) -> Result<()> {
        let (live, index, condemned) = (self.live, self.index, &self.view.condemned);
        // The bundle at hand: whether it is there, and all of its files so far were moved elsewhere.
        let mut last: Option<(ChunkId, bool, bool)> = None;
        let mut superseded = Vec::new();
        live.scan_files(&mut |file| {
            let (there, elsewhere) = match last {
                Some((id, there, elsewhere)) if id == file.bundle => (there, elsewhere),
                _ => {
                    superseded.extend(last.filter(|(_, there, elsewhere)| *there && *elsewhere));
                    (index.contains(&file.bundle, condemned)?, true)
                }
            };
            let elsewhere = match there {
                true => elsewhere && !self.places(file)?.is_empty(),
                false => {
                    self.moved.insert(&file.hash.0)?;
                    false
                }
            };
            last = Some((file.bundle, there, elsewhere));
            Ok(())
        })?;
        superseded.extend(last.filter(|(_, there, elsewhere)| *there && *elsewhere));
        for (bundle, ..) in superseded {
            self.supersede(bundle, confirm)?;
        }
        Ok(())
    }

    /// Where a file is beside its bundle: in bundles that no tree names, so that none of these is superseded in turn.
    fn places(&self, file: &SmallFile) -> Result<Vec<Moved>> {
        let mut places = self.index.moved(&file.hash)?;
        places.retain(|to| to.len == file.len && self.is_good(&to.pack));
        let mut found = Vec::new();
        for to in places {
            if to.bundle != file.bundle && !self.live.names(&to.bundle)? {
                found.push(to);
            }
        }
        Ok(found)
    }

    /// Gives a bundle up for where its files were moved to, if they are found there.
    fn supersede(&mut self, bundle: ChunkId, confirm: &mut Confirm<'_>) -> Result<()> {
        let mut sound = !self.live.contains(&bundle)?;
        self.live.files_of(&bundle, &mut |file| {
            let places = self.places(file)?;
            sound = sound && confirm.any_file(self.index, file, &places)?.is_some();
            Ok(())
        })?;
        if sound {
            self.superseded.insert(&bundle.0)?;
            let live = self.live;
            live.files_of(&bundle, &mut |file| self.moved.insert(&file.hash.0))?;
        }
        Ok(())
    }

    fn is_good(&self, pack: &PackId) -> bool {
        self.index.is_usable(pack, &self.view.condemned)
    }

    /// Looks whether a copy that is to be kept is sound where another goes in its favour, or it is to be moved itself. Where
    /// it is not, another one is kept from now on, or all if none is sound. True if that is so of any.
    pub(super) fn doubt(
        &mut self,
        goes: &dyn Fn(&PackId) -> bool,
        confirm: &mut Confirm<'_>,
    ) -> Result<bool> {
        let mut unsound = Vec::new();
        let mut batch = Vec::new();
        self.index.each_copied(&mut |id| {
            let copies = self.good_copies(&id)?;
            let one_goes = copies.len() > 1 && copies.iter().any(|at| goes(&at.place.pack));
            if one_goes && self.is_needed(&id)? && !self.chosen.contains(&id.0)? {
                batch.push((id, copies));
            }
            if batch.len() >= CONFIRMED {
                unsound.extend(confirm.unsound(std::mem::take(&mut batch))?);
            }
            Ok(())
        })?;
        unsound.extend(confirm.unsound(batch)?);
        let of = |at: &Located| place_key(&at.place.pack, at.place.offset);
        let mut chosen: Vec<(Vec<u8>, Vec<u8>)> = unsound
            .iter()
            .map(|(id, sound)| (id.0.to_vec(), sound.as_ref().map(of).unwrap_or_default()))
            .collect();
        self.doubt_files(goes, confirm, &mut chosen)?;
        let any = !chosen.is_empty();
        if any {
            self.chosen.write(chosen)?;
        }
        Ok(any)
    }

    /// The same for the places that files were moved to.
    fn doubt_files(
        &self,
        goes: &dyn Fn(&PackId) -> bool,
        confirm: &mut Confirm<'_>,
        chosen: &mut Vec<(Vec<u8>, Vec<u8>)>,
    ) -> Result<()> {
        self.index.each_moved_twice(&mut |hash| {
            if !self.moved.contains(&hash.0)? || self.chosen.contains(&hash.0)? {
                return Ok(());
            }
            let mut places = self.index.moved(&hash)?;
            places.retain(|to| self.is_good(&to.pack));
            let Some(first) = places.first().copied() else {
                return Ok(());
            };
            if !places.iter().any(|to| goes(&to.pack)) {
                return Ok(());
            }
            let found = confirm.any_file(self.index, &first.file(hash), &places)?;
            if found != Some(first) {
                let of = |to: &Moved| place_key(&to.pack, to.frame);
                chosen.push((hash.0.to_vec(), found.as_ref().map(of).unwrap_or_default()));
            }
            Ok(())
        })
    }

    /// The copies of a chunk that count, the one to keep first.
    fn good_copies(&self, id: &ChunkId) -> Result<Vec<Located>> {
        let mut copies = self.index.copies(id)?;
        copies.retain(|at| self.is_good(&at.place.pack));
        Ok(copies)
    }

    /// Whether this copy of a chunk is one to keep, if the chunk is needed.
    fn is_kept(&self, id: &ChunkId, pack: &PackId, offset: u32) -> Result<bool> {
        if !self.copied {
            return Ok(true);
        }
        if let Some(chosen) = self.chosen.get(&id.0)? {
            return Ok(chosen.is_empty() || chosen == place_key(pack, offset));
        }
        let copies = self.good_copies(id)?;
        let first = copies.first();
        Ok(first.is_none_or(|at| at.place.pack == *pack && at.place.offset == offset))
    }

    /// Whether a chunk may be needed, whichever copy: by its id, or by a file that is in it.
    fn is_needed(&self, id: &ChunkId) -> Result<bool> {
        Ok(self.has_moved || self.live.contains(id)? || self.live.names(id)?)
    }

    /// What of a copy is needed: of the chunk `id` at `offset` in `pack`, where `parts` were moved to.
    pub(super) fn use_of(&self, id: &ChunkId, pack: &PackId, offset: u32, parts: &[Part]) -> Result<PackUse> {
        let kept = self.is_kept(id, pack, offset)?;
        if kept && self.live.contains(id)? {
            return Ok(PackUse::All);
        }
        let mut files = Vec::new();
        let mut too_many = false;
        let mut add = |part: Part| match files.len() < FILES_MAX {
            true => files.push(part),
            false => too_many = true,
        };
        if kept && !self.superseded.contains(&id.0)? {
            self.live.files_of(id, &mut |file| {
                let SmallFile {
                    offset, len, hash, ..
                } = *file;
                add(Part {
                    at: 0,
                    offset,
                    len,
                    hash,
                });
                Ok(())
            })?;
        }
        for part in parts {
            if self.rests_on(part, pack, offset)? {
                add(Part { at: 0, ..*part });
            }
        }
        if too_many {
            return Ok(PackUse::All);
        }
        files.sort_unstable();
        files.dedup();
        let apart = files
            .windows(2)
            .all(|pair| pair[0].offset.saturating_add(pair[0].len) <= pair[1].offset);
        match (files.is_empty(), apart) {
            (true, _) => Ok(PackUse::Nothing),
            (false, true) => Ok(PackUse::Files(files)),
            // What no writer makes is kept as it is.
            (false, false) => Ok(PackUse::All),
        }
    }

    /// Whether a file that was moved to the frame at `offset` of `pack` is needed there.
    fn rests_on(&self, part: &Part, pack: &PackId, offset: u32) -> Result<bool> {
        if !self.moved.contains(&part.hash.0)? {
            return Ok(false);
        }
        if let Some(chosen) = self.chosen.get(&part.hash.0)? {
            return Ok(chosen.is_empty() || chosen == place_key(pack, offset));
        }
        let places = self.index.moved(&part.hash)?;
        let first = places
            .iter()
            .find(|to| to.len == part.len && self.is_good(&to.pack));
        Ok(first.is_none_or(|to| (to.pack, to.frame) == (*pack, offset)))
    }
}

/// A place, as it is noted.
fn place_key(pack: &PackId, offset: u32) -> Vec<u8> {
    [&pack.0[..], &offset.to_le_bytes()].concat()
}

/// A set of keys of one length on disk.
struct NeededKeys {
    written: Scratch,
    fresh: std::collections::BTreeSet<Vec<u8>>,
}

impl NeededKeys {
    fn new(store: &Store) -> Self {
        NeededKeys {
            written: Scratch::new(store.cache()),
            fresh: Default::default(),
        }
    }

    fn insert(&mut self, key: &[u8]) -> Result<()> {
        self.fresh.insert(key.to_vec());
        if self.fresh.len() >= BATCH {
            let fresh = std::mem::take(&mut self.fresh);
            self.written.write(fresh.into_iter().map(|key| (key, [])))?;
        }
        Ok(())
    }

    fn contains(&self, key: &[u8]) -> Result<bool> {
        Ok(self.fresh.contains(key) || self.written.contains(key)?)
    }
}
