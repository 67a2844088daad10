//! Chunks of large files, shared among the workers: the one that reads a file cuts it, and any worker with nothing
//! else to do hashes, compresses and seals. The reader takes back what no worker has taken, so nothing depends on luck.
//!
//! Memory: [`QUEUED`] chunks in the queue and as many open results per file, in buffers that are used again.

use super::BackupRun;
use super::job::ChunkCell;
use crate::entry::Extent;
use crate::error::{Error, Result};
use chunkstore::frame::Encoder;
use chunkstore::pack::Class;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

const QUEUED: usize = 4;

pub struct ShareTask {
    data: Vec<u8>,
    cell: Arc<ChunkCell>,
}

impl Drop for ShareTask {
    /// A task that was never stored must not leave its reader waiting.
    fn drop(&mut self) {
        self.cell.fail();
    }
}

/// What the workers of a run share.
pub struct Share {
    tasks: (Sender<ShareTask>, Receiver<ShareTask>),
    spare: (Sender<Vec<u8>>, Receiver<Vec<u8>>),
    /// Workers that are in the middle of a job, and may yet have chunks to share.
    busy: AtomicUsize,
}

impl Share {
    pub fn new() -> Self {
        Share {
            tasks: bounded(QUEUED),
            spare: bounded(2 * QUEUED),
            busy: AtomicUsize::new(0),
        }
    }

    pub fn tasks(&self) -> &Receiver<ShareTask> {
        &self.tasks.1
    }

    pub fn enter(&self) {
        self.busy.fetch_add(1, SeqCst);
    }

    pub fn leave(&self) {
        self.busy.fetch_sub(1, SeqCst);
    }

    pub fn all_idle(&self) -> bool {
        self.busy.load(SeqCst) == 0
    }

    /// Stores a shared chunk on behalf of its reader.
    pub fn store(
        &self,
        run: &BackupRun<'_>,
        lane: usize,
        encoder: &mut Encoder,
        mut task: ShareTask,
    ) -> Result<()> {
        run.repo.run().rest();
        let put = run.writer.put(lane, encoder, Class::Data, &task.data)?;
        task.cell.fill(put.id);
        // Keeps the buffer if there is room for it.
        let _ = self.spare.0.try_send(std::mem::take(&mut task.data));
        Ok(())
    }
}

enum Pending {
    Ready(Extent),
    Waiting(Arc<ChunkCell>, u32),
}

/// The extents of one file in order, as their chunks get stored.
pub struct Extents<'a, F> {
    run: &'a BackupRun<'a>,
    lane: usize,
    each: F,
    pending: VecDeque<Pending>,
}

impl<'a, F: FnMut(Extent) -> Result<()>> Extents<'a, F> {
    pub fn new(run: &'a BackupRun<'a>, lane: usize, each: F) -> Self {
        Extents {
            run,
            lane,
            each,
            pending: VecDeque::new(),
        }
    }

    pub fn zero(&mut self, len: u64) -> Result<()> {
        self.pending.push_back(Pending::Ready(Extent::Zero { len }));
        Ok(())
    }

    pub fn chunk(&mut self, encoder: &mut Encoder, chunk: &[u8]) -> Result<()> {
        let share = &self.run.share;
        let whole = || Vec::with_capacity(self.run.chunker().bounds().max as usize);
        let mut data = share.spare.1.try_recv().unwrap_or_else(|_| whole());
        data.clear();
        data.extend_from_slice(chunk);
        let cell = ChunkCell::new();
        self.pending
            .push_back(Pending::Waiting(cell.clone(), chunk.len() as u32));
        if let Err(full) = share.tasks.0.try_send(ShareTask { data, cell }) {
            share.store(self.run, self.lane, encoder, full.into_inner())?;
        }
        while self.pending.len() > 2 * QUEUED {
            self.settle_first(encoder)?;
        }
        Ok(())
    }

    fn settle_first(&mut self, encoder: &mut Encoder) -> Result<()> {
        let Some(first) = self.pending.pop_front() else {
            return Ok(());
        };
        let extent = match first {
            Pending::Ready(extent) => extent,
            Pending::Waiting(cell, len) => {
                // Rather work than wait; what is not in the queue any more is being worked on.
                while cell.is_open() {
                    let Ok(task) = self.run.share.tasks.1.try_recv() else {
                        break;
                    };
                    self.run.share.store(self.run, self.lane, encoder, task)?;
                }
                Extent::Chunk {
                    id: cell.wait().ok_or(Error::Store(chunkstore::Error::WriterFailed))?,
                    len,
                }
            }
        };
        (self.each)(extent)
    }

    /// Waits for all of them.
    pub fn finish(mut self, encoder: &mut Encoder) -> Result<()> {
        while !self.pending.is_empty() {
            self.settle_first(encoder)?;
        }
        Ok(())
    }
}
