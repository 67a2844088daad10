//! What an earlier generation knows of an entry, and whether that still holds.
//!
//! The parent is read once, in the stream's order, beside the walk. An interrupted backup left a partial generation:
//! up to its last entry it is the parent, from there on the last complete one is.

use crate::entry::{Content, Entry, Kind};
use crate::error::{Error, Result, StoreError};
use crate::manifest::Manifest;
use crate::tree::{Cursor, Item, cmp_keys};
use crate::walk::Found;
use chunkstore::{ChunkId, Place};
use std::cmp::Ordering;

/// What counts as "the same file as then".
#[derive(Clone, Copy, Debug, Default)]
pub struct Ignore {
    pub inode: bool,
    pub ctime: bool,
}

/// Entries whose ctime is this close to the start of the walk that saw them may have changed again within the same
/// tick of the file system's clock; they are read again (as git treats "racily clean" index entries).
const RACY_SECS: i64 = 2;

struct Generation<L> {
    cursor: Cursor<L>,
    racy_from: i64,
    /// Its ids were checked under a view that still holds (I-4).
    trusted: bool,
}

/// Up to two generations as one sorted stream.
pub struct Parent<L> {
    generations: Vec<Generation<L>>,
    current: usize,
    /// The current generation was just begun, and stands at its first entry.
    begun: bool,
    ignore: Ignore,
    /// What could not be read of the generations given up, for the user.
    pub damage: Vec<StoreError>,
}

/// An earlier entry under the same name, and whether its references need no look into the index.
pub struct ParentEntry {
    pub item: Item,
    pub trusted: bool,
    pub unchanged: bool,
}

impl<L: FnMut(&ChunkId, Option<&Place>) -> Result<Vec<u8>>> Parent<L> {
    pub fn new(ignore: Ignore) -> Self {
        Parent {
            generations: Vec::new(),
            current: 0,
            begun: false,
            ignore,
            damage: Vec::new(),
        }
    }

    /// Adds a generation that takes over where the ones before end.
    pub fn then(&mut self, manifest: &Manifest, now: i64, cursor: Cursor<L>, trusted: bool) {
        // A walk whose recorded time is later than now was made with a wrong clock.
        let racy_from = manifest.walk_secs().min(now) - RACY_SECS;
        self.generations.push(Generation {
            cursor,
            racy_from,
            trusted,
        });
    }

    /// The earlier entry at (`dir`, `name`), if there is one. Must be asked in the stream's order. A generation that is
    /// damaged from here on, or can't be read, is given up: its files are read as if they were new, which may heal what was lost.
    pub fn take(&mut self, dir: &[u8], found: &Found) -> Result<Option<ParentEntry>> {
        loop {
            match self.try_take(dir, found) {
                Err(Error::Store(e)) if e.concerns_one_object() => {
                    self.damage.push(e);
                    self.current += 1;
                    self.begun = true;
                }
                taken => return taken,
            }
        }
    }

    /// The next entry before `key` that was not taken, and so is not in the source any more; before the end, without a
    /// key. For callers that report them: [`Parent::take`] passes over what is left.
    pub fn passed_over(&mut self, key: Option<(&[u8], &[u8])>) -> Result<Option<Item>> {
        if self.begun {
            // Where this generation takes over is known once something is asked for.
            return Ok(None);
        }
        let Some(generation) = self.generations.get_mut(self.current) else {
            return Ok(None);
        };
        let is_before = |next| key.is_none_or(|key| cmp_keys(next, key) == Ordering::Less);
        match generation.cursor.peek_key().is_some_and(is_before) {
            true => match generation.cursor.next() {
                // Given up when it is next asked for.
                Err(Error::Store(e)) if e.concerns_one_object() => Ok(None),
                passed => passed,
            },
            false => Ok(None),
        }
    }

    fn try_take(&mut self, dir: &[u8], found: &Found) -> Result<Option<ParentEntry>> {
        while let Some(generation) = self.generations.get_mut(self.current) {
            if std::mem::take(&mut self.begun) {
                generation.cursor.seek(dir, &found.name)?;
            }
            while let Some(key) = generation.cursor.peek_key() {
                match cmp_keys(key, (dir, &found.name)) {
                    Ordering::Less => {}
                    Ordering::Equal => {
                        let Some(item) = generation.cursor.next()? else {
                            break;
                        };
                        let unchanged = unchanged(&item.entry, found, generation.racy_from, self.ignore);
                        return Ok(Some(ParentEntry {
                            item,
                            trusted: generation.trusted,
                            unchanged,
                        }));
                    }
                    Ordering::Greater => return Ok(None),
                }
                generation.cursor.next()?;
            }
            // This one has ended: go on in the next, past what this one covered.
            self.current += 1;
            self.begun = true;
        }
        Ok(None)
    }
}

/// Kind, size, mtime, ctime and inode equal: then mode, owner, attributes and content are, since each of them moves
/// the ctime.
fn unchanged(then: &Entry, now: &Found, racy_from: i64, ignore: Ignore) -> bool {
    let same_kind = match (&then.kind, &now.kind) {
        (Kind::Symlink { .. }, Kind::Symlink { .. }) => true,
        (a, b) => a == b,
    };
    let (a, b) = (&then.meta, &now.meta);
    if now.special {
        return false;
    }
    if now.above {
        // Its times and inode change with what is not backed up, and a generation is not another one for that. Attributes
        // that change without the mode are recorded when the mode or owner does.
        let same_rights = a.mode == b.mode && a.uid == b.uid && a.gid == b.gid;
        return same_kind && same_rights && then.trouble.is_none();
    }
    let content = match &then.content {
        Content::None => b.size == 0 || then.kind != Kind::File,
        Content::Bundled { .. } | Content::Extents(_) | Content::Lists(_) => true,
    };
    same_kind
        && content
        && then.trouble.is_none()
        && now.trouble.is_none()
        && a.mtime == b.mtime
        && a.size == b.size
        && (ignore.ctime || (a.ctime == b.ctime && b.ctime.secs < racy_from))
        && (ignore.inode || a.ino == b.ino)
        && (!ignore.ctime
            || (a.mode == b.mode && a.uid == b.uid && a.gid == b.gid && b.mtime.secs < racy_from))
}
