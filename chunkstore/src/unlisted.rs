//! Packs that are there and in no index segment yet, and when to list them.

use crate::pack::PackList;
use std::time::{Duration, Instant};

/// What a crash makes the next run send again: packs that no segment lists yet. They are listed after a tenth of the time
/// that the run has taken, within these bounds, so that a short run loses little and a long one writes few segments.
const UNLISTED_SOON: Duration = Duration::from_secs(2);
const UNLISTED_LATE: Duration = Duration::from_secs(60);
/// And after so many bytes, however fast they went.
const UNLISTED_BYTES: u64 = 4 << 30;

/// New chunks remembered before an index segment is written in the middle of a run: some 10 MB of memory.
pub(crate) const CLAIMS_MAX: u64 = 128 << 10;

pub(crate) struct Unlisted {
    lists: Vec<PackList>,
    started: Instant,
    /// When the last segment was written.
    listed: Instant,
}

impl Unlisted {
    pub fn new() -> Unlisted {
        let now = Instant::now();
        Unlisted {
            lists: Vec::new(),
            started: now,
            listed: now,
        }
    }

    pub fn add(&mut self, list: PackList) {
        self.lists.push(list);
    }

    pub fn is_due(&self) -> bool {
        let chunks: usize = self.lists.iter().map(PackList::rows).sum();
        let bytes: u64 = self.lists.iter().map(|list| list.size).sum();
        let patience = (self.started.elapsed() / 10).clamp(UNLISTED_SOON, UNLISTED_LATE);
        chunks as u64 >= CLAIMS_MAX || bytes >= UNLISTED_BYTES || self.listed.elapsed() >= patience
    }

    /// All of them, for the caller to list now.
    pub fn take(&mut self) -> Vec<PackList> {
        self.listed = Instant::now();
        std::mem::take(&mut self.lists)
    }
}
