//! How the engine tells a caller what happens while it happens. Implementations must be quick and never fail.

use crate::entry::{Kind, Trouble};
use crate::error::StoreError;
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
}

/// A path that is not, or not wholly, what it should be. The run goes on (I-12).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// Absolute path or object name, raw bytes: callers escape it when they print.
    pub path: Vec<u8>,
    pub what: ProblemKind,
}

impl Problem {
    /// Of one object of the repository. Damage is only what was read and did not prove itself, or is known to be missing.
    pub fn of(object: impl ToString, error: &StoreError) -> Problem {
        let object = object.to_string();
        let why = error.about(&object);
        let what = match error.is_damage() {
            true => ProblemKind::Damage { why },
            false => ProblemKind::Unreadable { why },
        };
        Problem {
            path: object.into_bytes(),
            what,
        }
    }
}

/// What is found where something was saved before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lost {
    /// A directory with nothing in it.
    Empty,
    /// A directory on which no file system is mounted any more.
    Unmounted,
    /// Something that is not a directory.
    NotADirectory,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ProblemKind {
    Source(Trouble),
    /// A source that is not there at all.
    SourceMissing {
        errno: i32,
    },
    /// What an earlier snapshot held of a source, or of a file system mounted below it, is not there.
    Lost {
        how: Lost,
        /// The time of the last snapshot that held it whole, in seconds since 1970.
        whole: i64,
    },
    /// A source that is a symbolic link, a device or a FIFO, which is saved as one and not what it leads to.
    Bare {
        link: bool,
    },
    /// The source's entry can't be recorded.
    LeftOut {
        why: String,
    },
    /// Restore could not write, or had no intact data for, this path.
    Restore {
        why: String,
    },
    /// An object of the repository that is needed for this can't be read: nothing is known of its bytes.
    Unreadable {
        why: String,
    },
    /// Something in the repository is damaged or missing.
    Damage {
        why: String,
    },
    /// Worth saying, harmful to nothing.
    Warning {
        why: String,
    },
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

/// Ignores every event.
pub struct Quiet;

impl Monitor for Quiet {
    fn phase(&self, _: Phase) {}
    fn progress(&self, _: &Progress) {}
    fn current(&self, _: &[u8]) {}
    fn problem(&self, _: &Problem) {}
}
