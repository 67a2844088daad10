//! How the engine tells a caller what happens while it happens. Implementations must be quick and never fail.

pub use crate::problem::{Lost, Problem, ProblemKind};
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

pub trait Monitor: Send + Sync {
    fn phase(&self, phase: Phase);
    /// Called often from several threads: must be cheap.
    fn progress(&self, progress: &Progress);
    /// A path that is being worked on, for display. Called often.
    fn current(&self, path: &[u8]);
    fn problem(&self, problem: &Problem);
    /// True once the user asked to stop: the run ends at the next safe point with [`crate::Error::Interrupted`].
    fn interrupted(&self) -> bool;
}

/// Ends a step of the store's at the user's wish.
pub(crate) fn carry_on(monitor: &dyn Monitor) -> chunkstore::Result<()> {
    match monitor.interrupted() {
        true => Err(chunkstore::Error::Interrupted),
        false => Ok(()),
    }
}

/// Counts bytes that went over, and ends at the user's wish.
pub(crate) fn sent(monitor: &dyn Monitor, done: &AtomicU64, bytes: u64) -> chunkstore::Result<()> {
    let bytes_done = done.fetch_add(bytes, Relaxed) + bytes;
    monitor.progress(&Progress {
        bytes_done,
        ..Progress::default()
    });
    carry_on(monitor)
}

/// Says nothing, never stops.
pub struct Quiet;

impl Monitor for Quiet {
    fn phase(&self, _: Phase) {}
    fn progress(&self, _: &Progress) {}
    fn current(&self, _: &[u8]) {}
    fn problem(&self, _: &Problem) {}
    fn interrupted(&self) -> bool {
        false
    }
}
