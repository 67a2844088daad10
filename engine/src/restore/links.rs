//! Hard links: which names of a generation are one file. The first name is restored as a file and later ones become
//! links to it, once the window that they are in has been written.

use super::job::Action;
use super::shared::Fault;
use super::write::Hands;
use crate::entry::{Content, DirPath, Entry, Extent, Kind, Time, join};
use crate::fsmeta::{FileId, TargetDir};
use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, OnceLock};

/// The first name of a multiply linked file, and what was created there.
pub(super) struct Slot {
    dir: DirPath,
    name: Vec<u8>,
    created: OnceLock<FileId>,
}

impl Slot {
    pub fn created(&self, id: FileId) {
        // Only the one job that makes the file says so.
        let _first = self.created.set(id);
    }
}

/// A name to be linked to what is in the slot.
pub(super) struct Link {
    pub slot: Arc<Slot>,
    pub dir: DirPath,
    pub name: Vec<u8>,
    pub action: Action,
    pub is_file: bool,
    pub size: u64,
}

/// The file that two names share. Device and inode do for one moment; that the rest is equal too keeps names apart that
/// a busy file system gave the same number one after the other.
#[derive(PartialEq, Eq, Hash)]
struct Identity {
    dev: u64,
    ino: u64,
    size: u64,
    mtime: Time,
    first: [u8; 16],
}

impl Identity {
    fn of(entry: &Entry) -> Identity {
        Identity {
            dev: entry.meta.dev,
            ino: entry.meta.ino,
            size: entry.meta.size,
            mtime: entry.meta.mtime,
            first: fingerprint(&entry.kind, &entry.content),
        }
    }
}

/// Tells kinds and contents apart.
fn fingerprint(kind: &Kind, content: &Content) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
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
    let mut out = [0; 16];
    hasher.finalize_xof().fill(&mut out);
    out
}

/// Files with names that are still to come. Grows with those only.
#[derive(Default)]
pub(super) struct Links {
    known: HashMap<Identity, (Arc<Slot>, u64)>,
}

impl Links {
    /// The slot of an earlier name of this file, if one was restored.
    pub fn find(&mut self, entry: &Entry) -> Option<Arc<Slot>> {
        if entry.meta.nlink < 2 || self.known.is_empty() {
            return None;
        }
        let identity = Identity::of(entry);
        let (slot, left) = self.known.get_mut(&identity)?;
        let slot = slot.clone();
        *left -= 1;
        if *left == 0 {
            self.known.remove(&identity);
        }
        Some(slot)
    }

    /// The entry will be restored as `name` in `dir`, and has other names.
    pub fn first(&mut self, entry: &Entry, dir: &DirPath, name: &[u8]) -> Option<Arc<Slot>> {
        let others = entry.meta.nlink.checked_sub(1).filter(|n| *n > 0)?;
        let slot = Arc::new(Slot {
            dir: dir.clone(),
            name: name.to_vec(),
            created: OnceLock::new(),
        });
        self.known.insert(Identity::of(entry), (slot.clone(), others));
        Some(slot)
    }
}

impl Hands<'_, '_> {
    pub fn link(&mut self, link: &Link) {
        let shared = self.shared;
        match self.try_link(link) {
            Ok(()) => {
                let counter = match link.is_file {
                    true => &shared.counts.files_restored,
                    false => &shared.counts.others,
                };
                counter.fetch_add(1, Relaxed);
                shared.counts.bytes_restored.fetch_add(link.size, Relaxed);
                shared.wrote(link.size);
            }
            Err(fault) => {
                if link.is_file {
                    shared.counts.files_failed.fetch_add(1, Relaxed);
                }
                self.blame(&join(&link.dir, &link.name), fault);
            }
        }
        shared.progress();
    }

    fn try_link(&mut self, link: &Link) -> Result<(), Fault> {
        let Some(id) = link.slot.created.get() else {
            let first = join(&link.slot.dir, &link.slot.name);
            let first = first.escape_ascii();
            return Err(Fault::Path(format!(
                "it is a link to /{first}, which was not restored"
            )));
        };
        let from = self.dir(&link.slot.dir)?;
        let to = self.dir(&link.dir)?;
        match &link.action {
            Action::Create | Action::Keep => Ok(to.hard_link(&link.name, &from, &link.slot.name, *id)?),
            Action::Replace { temporary } => {
                to.hard_link(temporary, &from, &link.slot.name, *id)?;
                if let Err(e) = to.rename(temporary, &link.name) {
                    discard(&to, temporary);
                    return Err(e.into());
                }
                Ok(())
            }
        }
    }
}

/// Removes a temporary name whose use has failed for a reason that is reported.
fn discard(dir: &TargetDir, temporary: &[u8]) {
    let _reported = dir.remove(temporary);
}
