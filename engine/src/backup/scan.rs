//! Counts ahead what a first backup will come to, so that its progress has totals. A walk of its own, which nothing waits
//! for. It begins only once the backup has gone on for a while: one that is over before anybody has read how far it is
//! needs no totals, and would pay a tenth of its time for them.

use super::run::BackupRun;
use super::{BackupOptions, start_walk};
use crate::entry::Kind;
use crate::run::RunContext;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::time::Duration;

/// Waits, then counts. Sets the totals at the end, or none if the walk can't begin, or if the walk that matters ends
/// first: then `walk_over` is disconnected.
pub fn count(run: &BackupRun<'_>, options: &BackupOptions, wait: Duration, walk_over: &Receiver<Infallible>) {
    if walk_over.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
        return;
    }
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
            // A few sparse files can have more together than a number holds.
            bytes = u64::saturating_add(bytes, found.meta.size);
        }
    }
    run.totals.set(files, bytes);
}
