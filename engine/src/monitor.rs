//! How the engine reports to a caller what happens while it happens. Implementations must be quick and never fail.

use crate::entry::Kind;
pub use crate::filter::ExcludeRule;
pub use crate::problem::{Lost, Problem, ProblemKind};
use crate::run::CancelToken;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// The long steps of a command; a caller shows one at a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// The repository is being opened.
    OpeningRepository,
    /// The local index is being rebuilt from the repository.
    LoadingIndex,
    /// Files are being read and stored.
    BackingUp,
    /// Files are being written.
    Restoring,
    /// Restored files are being compared.
    Verifying,
    /// A check reads everything but data.
    CheckingStructure,
    /// A check reads data.
    ReadingData,
    /// Snapshots are being read, to find what they need.
    FindingReferences,
    /// Packs with unused data are being rewritten.
    Repacking,
    /// Data is being transferred to a replica or another repository.
    Replicating,
    /// What nobody needs is being deleted.
    Deleting,
}

/// Totals of the phase so far. A total of 0 is not known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Progress {
    /// Files, or other items, that are done.
    pub files_done: u64,
    /// Files, or other items, in all.
    pub files_total: u64,
    /// Bytes that are done.
    pub bytes_done: u64,
    /// Bytes in all.
    pub bytes_total: u64,
    /// ProblemList so far.
    pub errors: u64,
}

/// What became of an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EntryChange {
    /// Not in the previous snapshot.
    New,
    /// In the previous snapshot with other content or metadata.
    Modified,
    /// As in the previous snapshot.
    Unchanged,
    /// In the previous snapshot, and not in this one.
    Removed,
    /// Written by a restore.
    Restored,
    /// Left as it is by a restore.
    Skipped,
    /// Removed from the target by a restore, as the snapshot does not hold it.
    Deleted,
}

/// Is told about an operation while it runs. Implementations must be quick and can't fail.
pub trait Monitor: Send + Sync {
    /// A step begins.
    fn phase(&self, phase: Phase);
    /// Called often from several threads: must be cheap.
    fn progress(&self, progress: &Progress);
    /// A path that is being worked on, for display. Called often.
    fn current(&self, path: &[u8]);
    /// A path, or something in the repository, is not what it should be.
    fn problem(&self, problem: &Problem);

    /// Whether [`Monitor::entry`] is to be called for each entry.
    fn wants_entries(&self) -> bool {
        false
    }

    /// An entry is done: its path relative to `/`, its kind, the size of its content in bytes.
    fn entry(&self, _path: &[u8], _kind: &Kind, _change: EntryChange, _size: u64) {}

    /// The filter left out the entry at this path, relative to `/`; `line` is that of an ignore file, if one did. Called in
    /// dry runs if [`Monitor::wants_entries`].
    fn excluded(&self, _path: &[u8], _rule: &ExcludeRule, _line: Option<&str>) {}

    /// After how long a step is worth totals that have to be counted ahead, which takes a walk of its own. None where
    /// nobody looks at the progress.
    fn wants_totals_after(&self) -> Option<Duration> {
        None
    }
}

/// Collects problems, and ignores all other events.
#[derive(Debug, Default)]
pub struct ProblemList {
    seen: Mutex<(Vec<Problem>, u64)>,
}

impl ProblemList {
    /// ProblemList that are collected; any further ones are only counted.
    pub const MOST: usize = 1000;

    /// Nothing collected yet.
    pub fn new() -> ProblemList {
        ProblemList::default()
    }

    /// The first [`ProblemList::MOST`] problems, in the order in which they were found.
    pub fn list(&self) -> Vec<Problem> {
        self.seen.lock().0.clone()
    }

    /// How many problems there were.
    pub fn count(&self) -> u64 {
        self.seen.lock().1
    }
}

impl Monitor for ProblemList {
    fn phase(&self, _: Phase) {}
    fn progress(&self, _: &Progress) {}
    fn current(&self, _: &[u8]) {}
    fn problem(&self, problem: &Problem) {
        let mut seen = self.seen.lock();
        seen.1 += 1;
        if seen.0.len() < ProblemList::MOST {
            seen.0.push(problem.clone());
        }
    }
}

/// Counts bytes that were transferred, and ends the step once the run is cancelled.
pub(crate) fn sent(
    monitor: &dyn Monitor,
    cancel: &CancelToken,
    done: &AtomicU64,
    bytes: u64,
) -> chunkstore::Result<()> {
    let bytes_done = done.fetch_add(bytes, Relaxed) + bytes;
    monitor.progress(&Progress {
        bytes_done,
        ..Progress::default()
    });
    cancel.check()
}

/// A monitor that ignores every event.
pub struct Quiet;

impl Monitor for Quiet {
    fn phase(&self, _: Phase) {}
    fn progress(&self, _: &Progress) {}
    fn current(&self, _: &[u8]) {}
    fn problem(&self, _: &Problem) {}
}
