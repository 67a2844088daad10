//! The unit that goes through the pipeline: a run of the stream, in order, with what must still be read.
//!
//! The dispatcher fills jobs, a worker replaces `Todo` by drafts, the assembler takes them back in order.

use crate::entry::{Content, DirPath, Entry, Kind};
use crate::monitor::EntryChange;
use crate::tree::ParentPos;
use crate::walk::{Found, Lent};
use chunkstore::{ChunkId, ContentHash};
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;

pub struct BackupSlot {
    pub dir: DirPath,
    pub state: EntryState,
}

pub enum EntryState {
    /// As it was; with a position, the parent's segments may be used as they are.
    Same(Entry, Option<ParentPos>),
    /// To be examined and, if a file, read.
    Todo {
        found: Found,
        /// `None`: it could not be opened.
        dir: Option<Arc<Lent>>,
        /// What the parent generation has there.
        known: Option<Box<Entry>>,
    },
    /// Done, but for a bundle that may still be open.
    Drafted(Entry, Option<JobPart>, EntryChange),
    /// The previous snapshot has an entry of this name and kind here. Only where somebody wants to know.
    Removed(Vec<u8>, Kind),
    /// Can't be an entry; reported.
    LeftOut,
}

/// A file's place in a bundle whose id is known once it is full.
pub struct JobPart {
    pub bundle: Arc<BundleCell>,
    pub offset: u32,
    pub len: u32,
    pub hash: ContentHash,
}

impl JobPart {
    /// Waits for the bundle; `None` when its worker gave up.
    pub fn content(&self) -> Option<Content> {
        let bundle = self.bundle.wait()?;
        Some(Content::Bundled {
            bundle,
            offset: self.offset,
            len: self.len,
            hash: self.hash,
        })
    }
}

pub struct BackupJob {
    pub number: u64,
    pub slots: Vec<BackupSlot>,
}

enum Cell {
    Open,
    Sealed(ChunkId),
    Failed,
}

/// The id of a bundle, once it has one. If its worker drops it unsealed, the threads that wait are notified.
pub struct BundleCell {
    cell: Mutex<Cell>,
    done: Condvar,
}

impl BundleCell {
    pub fn new() -> Arc<Self> {
        Arc::new(BundleCell {
            cell: Mutex::new(Cell::Open),
            done: Condvar::new(),
        })
    }

    pub fn seal(&self, id: ChunkId) {
        *self.cell.lock() = Cell::Sealed(id);
        self.done.notify_all();
    }

    pub fn fail(&self) {
        let mut cell = self.cell.lock();
        if let Cell::Open = *cell {
            *cell = Cell::Failed;
        }
        self.done.notify_all();
    }

    fn wait(&self) -> Option<ChunkId> {
        let mut cell = self.cell.lock();
        loop {
            match *cell {
                Cell::Open => self.done.wait(&mut cell),
                Cell::Sealed(id) => return Some(id),
                Cell::Failed => return None,
            }
        }
    }
}
