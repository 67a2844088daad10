//! Names for what a window has finished, given by whichever threads are free: first of all the one that would only wait
//! for it. The others come to it after the reads that they have before them, so that these need not stand still.

use super::job::Finished;
use super::left::{Done, Left};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Names that a thread gives before it looks for more.
const BATCH: usize = 64;

pub(super) struct Placing {
    /// By directory.
    finished: Vec<Finished>,
    batches: Vec<Range<usize>>,
    next: AtomicUsize,
    left: Left,
}

impl Placing {
    pub fn new(finished: Vec<Finished>) -> Self {
        let batches = by_directory(&finished);
        let left = Left::default();
        left.add(batches.len());
        Placing {
            finished,
            batches,
            next: AtomicUsize::new(0),
            left,
        }
    }

    /// Calls `place` with what no other thread has taken, batch by batch.
    pub fn help(&self, mut place: impl FnMut(&[Finished])) {
        while let Some(batch) = self.batches.get(self.next.fetch_add(1, Relaxed)) {
            let _done = Done(&self.left);
            place(self.finished.get(batch.clone()).unwrap_or_default());
        }
    }

    /// Until the batches that others have taken are done, too.
    pub fn wait(&self) {
        self.left.wait();
    }
}

/// Of whole directories: two threads that rename in the same one would wait for each other.
fn by_directory(finished: &[Finished]) -> Vec<Range<usize>> {
    let mut batches: Vec<Range<usize>> = Vec::new();
    let mut end = 0;
    for dir in finished.chunk_by(|a, b| a.job.dir == b.job.dir) {
        let start = end;
        end += dir.len();
        match batches.last_mut() {
            Some(last) if last.len() < BATCH => last.end = end,
            _ => batches.push(start..end),
        }
    }
    batches
}
