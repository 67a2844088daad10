//! The unit that goes through the pipeline: a run of the stream, in order, with what must still be read.
//!
//! The dispatcher fills jobs, a worker replaces `Todo` by drafts, the assembler takes them back in order.

use super::outputs::Output;
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
    /// A file whose content is what a command prints.
    Output {
        /// All but the content.
        entry: Entry,
        output: Output,
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
    pub bundle: Arc<ChunkCell>,
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

enum CellState {
    Open,
    Stored(ChunkId),
    Failed,
}

/// The id of a chunk that another thread stores, such as a bundle of small files, once it has one. A cell that its thread
/// gives up is failed, so that no one waits for it.
pub struct ChunkCell {
    state: Mutex<CellState>,
    done: Condvar,
}

impl ChunkCell {
    pub fn new() -> Arc<Self> {
        Arc::new(ChunkCell {
            state: Mutex::new(CellState::Open),
            done: Condvar::new(),
        })
    }

    pub fn is_open(&self) -> bool {
        matches!(*self.state.lock(), CellState::Open)
    }

    pub fn fill(&self, id: ChunkId) {
        *self.state.lock() = CellState::Stored(id);
        self.done.notify_all();
    }

    /// Has no effect on a cell that is filled.
    pub fn fail(&self) {
        let mut state = self.state.lock();
        if let CellState::Open = *state {
            *state = CellState::Failed;
        }
        self.done.notify_all();
    }

    /// Waits for the id; `None` if the cell was given up.
    pub fn wait(&self) -> Option<ChunkId> {
        let mut state = self.state.lock();
        loop {
            match *state {
                CellState::Open => self.done.wait(&mut state),
                CellState::Stored(id) => return Some(id),
                CellState::Failed => return None,
            }
        }
    }
}
