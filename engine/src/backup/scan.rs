//! Counts ahead what a first backup will come to, so that its progress has totals. A walk of its own, which nothing waits
//! for: it takes a fraction of the time of reading, and leaves what it examined in the system's cache for the walk after it.

use super::run::BackupRun;
use super::{BackupOptions, start_walk};
use crate::entry::Kind;
use crate::run::RunContext;
use std::num::NonZeroUsize;

/// Sets the totals at the end, or none if the walk can't begin or the run ends first.
pub fn count(run: &BackupRun<'_>, options: &BackupOptions) {
    let context = RunContext {
        threads: NonZeroUsize::new(1),
        ..run.repo.run().clone()
    };
    // The walk that matters reports what is wrong.
    let Ok(walk) = start_walk(options, &context) else {
        return;
    };
    let (mut files, mut bytes) = (0, 0);
    for batch in walk {
        if run.stopping() || run.is_walked() {
            return;
        }
        for found in batch.entries.iter().filter(|found| found.kind == Kind::File) {
            files += 1;
            bytes += found.meta.size;
        }
    }
    run.totals.files.add(files);
    run.totals.bytes.add(bytes);
}
