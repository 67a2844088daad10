//! How the engine reports to a caller what happens while it happens. Implementations must be quick and never fail.

use crate::entry::Kind;
pub use crate::problem::{Lost, Problem, ProblemKind};
use crate::run::CancelToken;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The long steps of a command; a caller shows one at a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    OpeningRepository,
    LoadingIndex,
    BackingUp,
    Restoring,
    Verifying,
    CheckingStructure,
    ReadingData,
    FindingReferences,
    Repacking,
    Replicating,
    Deleting,
}

/// Totals of the phase so far. A total of 0 is not known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Progress {
    pub files_done: u64,
    pub files_total: u64,
    pub bytes_done: u64,
    pub bytes_total: u64,
    pub errors: u64,
}

/// What became of an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EntryChange {
    /// Not in the previous snapshot.
    New,
    /// In the previous snapshot with other content or metadata.
    Modified,
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

pub trait Monitor: Send + Sync {
    fn phase(&self, phase: Phase);
    /// Called often from several threads: must be cheap.
    fn progress(&self, progress: &Progress);
    /// A path that is being worked on, for display. Called often.
    fn current(&self, path: &[u8]);
    fn problem(&self, problem: &Problem);

    /// Whether [`Monitor::entry`] is to be called for each entry.
    fn wants_entries(&self) -> bool {
        false
    }

    /// An entry is done: its path relative to `/`, its kind, the size of its content in bytes.
    fn entry(&self, _path: &[u8], _kind: &Kind, _change: EntryChange, _size: u64) {}

    /// Whether somebody looks at the progress, so that totals are worth counting ahead.
    fn wants_totals(&self) -> bool {
        false
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
