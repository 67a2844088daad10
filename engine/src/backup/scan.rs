//! Begins walks, and counts ahead what a first backup will come to, so that its progress has totals. A walk of its own, which nothing waits
//! for: it takes a fraction of the time of reading, and leaves what it examined in the system's cache for the walk after it.

use super::run::BackupRun;
use super::{BackupOptions, own, threads_of};
use crate::entry::Kind;
use crate::error::Result;
use crate::filter::Filter;
use crate::run::RunContext;
use crate::walk::{Sources, Walk};
use std::num::NonZeroUsize;

/// Begins the walk of a backup.
pub(super) fn start_walk(options: &BackupOptions, run: &RunContext) -> Result<Walk> {
    let filter = Filter::build(options.filter.clone())?;
    let sources = Sources {
        paths: options.sources.clone(),
        followed: options.followed.clone(),
        read_special: options.read_special,
        left_out: own::left_out(options)?,
        tells_excluded: options.dry_run,
    };
    Walk::start(&sources, filter, threads_of(run).min(4))
}

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
