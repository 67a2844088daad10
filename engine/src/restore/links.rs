//! Hard links: which names of a generation are one file. The first name is restored as a file and later ones become
//! links to it, once the window that they are in has been written.
//!
//! Files with names still to come are remembered, beyond a number of them on disk.

use super::job::{Action, EntrySlot};
use crate::entry::{Content, DirPath, Entry, Extent, Kind};
use crate::error::{Error, Result, StoreError};
use crate::fsmeta::FileId;
use chunkstore::error::IndexFault;
use chunkstore::scratch::Scratch;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// A name to be linked to what is in the slot.
pub(super) struct Link {
    pub slot: Arc<EntrySlot>,
    pub dir: DirPath,
    pub name: Vec<u8>,
    pub action: Action,
    pub is_file: bool,
    pub size: u64,
}

/// Identifies the file that a name shares with others. Device and inode do for one moment; that the rest is equal too
/// keeps names apart that a busy file system gave the same number one after the other.
type Identity = [u8; 32];

fn identity(entry: &Entry) -> Identity {
    let meta = &entry.meta;
    let mut hasher = blake3::Hasher::new();
    for number in [meta.dev, meta.ino, meta.size, meta.mtime.secs.cast_unsigned()] {
        hasher.update(&number.to_le_bytes());
    }
    hasher.update(&meta.mtime.nanos.to_le_bytes());
    add_nature(&mut hasher, &entry.kind, &entry.content);
    *hasher.finalize().as_bytes()
}

/// Distinguishes kinds and contents.
fn add_nature(hasher: &mut blake3::Hasher, kind: &Kind, content: &Content) {
    match kind {
        Kind::File => hasher.update(b"f"),
        Kind::Dir => hasher.update(b"d"),
        Kind::Symlink { target } => hasher.update(b"l").update(target),
        Kind::CharDevice { rdev } => hasher.update(b"c").update(&rdev.to_le_bytes()),
        Kind::BlockDevice { rdev } => hasher.update(b"b").update(&rdev.to_le_bytes()),
        Kind::Fifo => hasher.update(b"p"),
        Kind::Socket => hasher.update(b"s"),
    };
    match content {
        Content::None => {}
        Content::Bundled { hash, .. } => {
            hasher.update(&hash.0);
        }
        Content::Extents(extents) => extents.iter().for_each(|extent| match extent {
            Extent::Chunk { id, .. } => {
                hasher.update(&id.0);
            }
            Extent::Zero { len } => {
                hasher.update(&len.to_le_bytes());
            }
        }),
        Content::Lists(lists) => lists.iter().for_each(|list| {
            hasher.update(&list.id.0);
        }),
    }
}

/// Files with names that are still to come.
pub(super) struct Links {
    /// With the number of those names.
    known: HashMap<Identity, (Arc<EntrySlot>, u64)>,
    /// Those that were written before, by windows that have ended.
    older: Scratch,
    /// How many are in memory.
    most: usize,
    /// How many may be before some are moved to disk again.
    bound: usize,
}

impl Links {
    /// Keeps about `most` in memory, the others below `cache`.
    pub fn new(cache: &Path, most: usize) -> Self {
        Links {
            known: HashMap::new(),
            older: Scratch::new(cache),
            most,
            bound: most,
        }
    }

    /// The slot of an earlier name of this file, if one was restored.
    pub fn find(&mut self, entry: &Entry) -> Result<Option<Arc<EntrySlot>>> {
        if entry.meta.nlink < 2 || (self.known.is_empty() && self.older.is_unused()) {
            return Ok(None);
        }
        let identity = identity(entry);
        let found = match self.known.remove(&identity) {
            Some(known) => Some(known),
            None => self.older.take(&identity)?.map(|row| decode(&row)).transpose()?,
        };
        let Some((slot, left)) = found else {
            return Ok(None);
        };
        if left > 1 {
            self.remember(identity, slot.clone(), left - 1)?;
        }
        Ok(Some(slot))
    }

    /// The entry will be restored as `name` in `dir`, and has other names.
    pub fn first(&mut self, entry: &Entry, dir: &DirPath, name: &[u8]) -> Result<Option<Arc<EntrySlot>>> {
        let Some(others) = entry.meta.nlink.checked_sub(1).filter(|n| *n > 0) else {
            return Ok(None);
        };
        let slot = Arc::new(EntrySlot::new(dir.clone(), name.to_vec()));
        self.remember(identity(entry), slot.clone(), others)?;
        Ok(Some(slot))
    }

    fn remember(&mut self, identity: Identity, slot: Arc<EntrySlot>, left: u64) -> Result<()> {
        if self.known.len() >= self.bound {
            // A slot that no one else holds is settled: its file was made, or given up.
            let settled = self.known.extract_if(|_, (slot, _)| Arc::strong_count(slot) == 1);
            self.older
                .write(settled.map(|(identity, (slot, left))| (identity, encode(&slot, left))))?;
            self.bound = self.most.max(self.known.len() * 2);
        }
        self.known.insert(identity, (slot, left));
        Ok(())
    }
}

/// Names to come, whether there is a file and which (device, inode), the directory's length, the directory, the name.
fn encode(slot: &EntrySlot, left: u64) -> Vec<u8> {
    let id = slot.id().map_or([0; 3], |id| [1, id.dev, id.ino]);
    let mut row = Vec::with_capacity(40 + slot.dir.len() + slot.name.len());
    for number in [left, id[0], id[1], id[2], slot.dir.len() as u64] {
        row.extend_from_slice(&number.to_le_bytes());
    }
    row.extend_from_slice(&slot.dir);
    row.extend_from_slice(&slot.name);
    row
}

fn decode(row: &[u8]) -> Result<(Arc<EntrySlot>, u64)> {
    let fields = || {
        let (head, rest) = row.split_at_checked(40)?;
        let mut numbers = head
            .as_chunks::<8>()
            .0
            .iter()
            .map(|bytes| u64::from_le_bytes(*bytes));
        let [left, made, dev, ino, len] = std::array::from_fn(|_| numbers.next().unwrap_or_default());
        let (dir, name) = rest.split_at_checked(usize::try_from(len).ok()?)?;
        let slot = EntrySlot::new(dir.into(), name.to_vec());
        if made == 1 {
            slot.created(FileId { dev, ino });
        }
        Some((Arc::new(slot), left))
    };
    fields().ok_or(Error::Store(StoreError::Index(IndexFault::Undecodable)))
}
