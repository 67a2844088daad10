//! The steps of the walk: directories to be listed, parts of large ones to be examined, and what a step found.

use super::Batch;
use super::node::{DirHandle, Node};
use super::sources::Source;
use crate::entry::DirPath;
use crate::filter::DirRules;
use crate::fsmeta::Names;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A directory to be listed.
pub(super) struct Visit {
    pub(super) node: Arc<Node>,
    /// All of it, or only what leads to sources.
    pub(super) full: bool,
    /// The file system that one-file-system keeps to.
    pub(super) dev: u64,
    /// The one that it is on.
    pub(super) own_dev: u64,
    /// Sources below this directory.
    pub(super) sources: Option<Arc<Source>>,
    /// Rules of the directory above.
    pub(super) rules: DirRules,
}

/// A directory whose names are known.
pub(super) struct DirListing {
    pub(super) visit: Visit,
    pub(super) dir: DirPath,
    pub(super) handle: Arc<DirHandle>,
    pub(super) names: Names,
    pub(super) rules: DirRules,
    /// Parts not examined yet, and the directories found in those that were. Only for large directories.
    pub(super) open_parts: AtomicUsize,
    pub(super) found_dirs: Mutex<Vec<(usize, Vec<Visit>)>>,
}

impl DirListing {
    pub(super) fn is_examined(&self) -> bool {
        self.open_parts.load(Ordering::Acquire) == 0
    }
}

/// A step of the walk.
pub(super) enum Work {
    Dir(Visit),
    /// Names from `start` on, one batch of them.
    Part {
        listing: Arc<DirListing>,
        start: usize,
    },
    /// Directories found in the parts: known when all parts are done.
    Below(Arc<DirListing>),
}

/// What a step found.
pub(super) struct ListOutcome {
    pub(super) batches: Vec<Batch>,
    /// What follows, in order.
    pub(super) then: Vec<Work>,
}
