//! Deleted files that leave older snapshots, as a face shows them: first all of a set, then each snapshot that was changed.

use engine::expire::ExpiredPaths;
use engine::facts::SnapshotInfo;
use engine::purge::{PurgeCount, Purged};

/// Deleted files of a set whose time is over, and the snapshots that would lose them.
#[derive(Debug)]
pub struct ExpiringSet {
    pub set: String,
    pub found: ExpiredPaths,
    /// Oldest first, with what each holds of them.
    pub snapshots: Vec<(SnapshotInfo, PurgeCount)>,
    pub dry_run: bool,
}

/// What is shown.
#[derive(Debug)]
pub enum ExpiryNews<'a> {
    /// Before anything is changed.
    Found(&'a ExpiringSet),
    /// A snapshot lost what it held.
    Changed {
        old: &'a SnapshotInfo,
        held: PurgeCount,
        done: Purged,
    },
}
