//! The writer's other thread: publishes packs while the next ones fill, and then the index segments that list them
//! (I-1).

use super::{Message, WriterState};
use crate::error::{Error, Result};
use crate::indexfile::{self, IndexSegment};
use crate::intake::HandedPack;
use crate::pack::{ClosedPack, PackList};
use crate::parity::SharedParity;
use crate::remote::ObjectName;
use crate::threads;
use crate::unlisted::Unlisted;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::{Scope, ScopedJoinHandle};
use std::time::Duration;

/// Between two looks at uploads that are under way.
const LOOK: Duration = Duration::from_millis(200);

/// Publishes packs as they come, as many at once as the remote bears. Their index segments are written on a flush, every
/// now and then, and when many chunks have gathered. After a failure it only takes messages off the channel, so that no
/// worker waits for ever. A run that was asked to stop lists what is there by then: the next one need not send it again.
pub(super) fn commit(shared: &WriterState, messages: &Receiver<Message>) {
    std::thread::scope(|scope| {
        let mut uploads = Uploads {
            scope,
            shared,
            lanes: shared.store.remote().max_concurrency(),
            under_way: VecDeque::new(),
            unlisted: Unlisted::new(),
        };
        loop {
            let message = match uploads.under_way.is_empty() {
                true => messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
                false => messages.recv_timeout(LOOK),
            };
            let result = match message {
                Ok(message) => uploads.take(message),
                Err(RecvTimeoutError::Timeout) if shared.failed.load(Relaxed) => Ok(()),
                Err(RecvTimeoutError::Timeout) => uploads.keep_up(),
                Err(RecvTimeoutError::Disconnected) => break,
            };
            if let Err(e) = result {
                uploads.fail(e);
            }
        }
        if !shared.failed.load(Relaxed) {
            // Of a run that ends without a generation; whether it is listed decides only what the next one sends.
            let _ = uploads.write_index();
        }
    });
}

/// Packs on their way to the remote, oldest first, and those that are there and in no index segment yet.
struct Uploads<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    shared: &'env WriterState,
    lanes: usize,
    under_way: VecDeque<ScopedJoinHandle<'scope, Result<PackList>>>,
    unlisted: Unlisted,
}

impl Uploads<'_, '_> {
    fn take(&mut self, message: Message) -> Result<()> {
        let failed = self.shared.failed.load(Relaxed);
        match message {
            Message::Pack(_) if failed => Ok(()),
            Message::Pack(pack) => {
                // Before it can be seen, and so condemned, by others.
                self.shared.own_packs.lock().insert(pack.list.id);
                let parity = Arc::default();
                self.shared.hand_out(&pack, &parity);
                self.begin(*pack, parity)?;
                self.keep_up()
            }
            Message::Flush(done) => {
                let written = if failed { Ok(()) } else { self.write_index() };
                if let Err(e) = written {
                    self.fail(e);
                }
                // No thread waits any more only when the writer is being dropped.
                let _ = done.send(());
                Ok(())
            }
        }
    }

    /// Returns when the pack is on its way, or at once when one at a time is enough.
    fn begin(&mut self, pack: ClosedPack, parity: Arc<SharedParity>) -> Result<()> {
        if self.lanes <= 1 {
            self.unlisted.add(self.shared.publish(pack, &parity)?);
            return Ok(());
        }
        while self.under_way.len() >= self.lanes {
            self.end_oldest()?;
        }
        let shared = self.shared;
        let upload = threads::spawn_in(self.scope, "upload", move || shared.publish(pack, &parity))?;
        self.under_way.push_back(upload);
        Ok(())
    }

    fn end_oldest(&mut self) -> Result<()> {
        if let Some(upload) = self.under_way.pop_front() {
            self.end(upload)?;
        }
        Ok(())
    }

    fn end(&mut self, upload: ScopedJoinHandle<'_, Result<PackList>>) -> Result<()> {
        let list = upload.join().map_err(|_| Error::WriterFailed)??;
        self.unlisted.add(list);
        Ok(())
    }

    /// Lists the packs that are there, if it is time to.
    fn keep_up(&mut self) -> Result<()> {
        let (ended, under_way) = std::mem::take(&mut self.under_way)
            .into_iter()
            .partition(ScopedJoinHandle::is_finished);
        self.under_way = under_way;
        VecDeque::into_iter(ended).try_for_each(|upload| self.end(upload))?;
        match self.unlisted.is_due() {
            true => self.list(),
            false => Ok(()),
        }
    }

    fn write_index(&mut self) -> Result<()> {
        while !self.under_way.is_empty() {
            self.end_oldest()?;
        }
        self.list()
    }

    fn list(&mut self) -> Result<()> {
        let mut lists = self.unlisted.take();
        self.shared.packs.fetch_add(lists.len() as u64, Relaxed);
        self.shared.write_index(&mut lists)
    }

    /// Nothing more is written after a failure (I-11). Being asked to stop is none: what is there by then is listed.
    fn fail(&mut self, error: Error) {
        let mut stopped = matches!(error, Error::Interrupted);
        latch(self.shared, error);
        if stopped {
            // These end in a moment, one way or the other.
            while let Some(upload) = self.under_way.pop_front() {
                stopped &= matches!(self.end(upload), Ok(()) | Err(Error::Interrupted));
            }
        }
        if stopped {
            // Whether it is listed decides only what the next run sends.
            let _ = self.list();
        }
        // What was not listed never will be.
        self.unlisted.take();
    }
}

fn latch(shared: &WriterState, error: Error) {
    let mut failure = shared.failure.lock();
    shared.failed.store(true, Relaxed);
    failure.get_or_insert(error);
}

impl WriterState {
    /// Offers a pack to the destinations beside this one.
    fn hand_out(&self, pack: &ClosedPack, parity: &Arc<SharedParity>) {
        let Some(bytes) = pack.bytes.as_ref().filter(|_| !self.intakes.is_empty()) else {
            return;
        };
        let handed = HandedPack {
            list: Arc::new(pack.list.clone()),
            bytes: bytes.clone(),
            parity: parity.clone(),
            under: self.under,
        };
        self.intakes.iter().for_each(|intake| intake.offer(&handed));
    }

    fn publish(&self, pack: ClosedPack, parity: &SharedParity) -> Result<PackList> {
        let list = self.store.publish_pack(pack, parity)?;
        self.add_trace(&list);
        Ok(list)
    }

    /// Writes index segments for packs whose names are durable, and lets the local index take over the claims.
    pub(super) fn write_index(&self, lists: &mut Vec<PackList>) -> Result<()> {
        if lists.is_empty() {
            return Ok(());
        }
        self.store.remote().barrier()?;
        for group in indexfile::groups(lists) {
            let segment = IndexSegment::of_packs(group);
            let (id, bytes) = segment.seal(self.store.keys())?;
            self.store.remote().put(&ObjectName::index(id), &bytes)?;
            self.segments.lock().insert(id);
            if let Some(index) = self.index.get() {
                index.ingest_new(id, &segment, &self.view.condemned)?;
                for entry in &segment.entries {
                    self.shard(&entry.id).lock().remove(&entry.id);
                }
                self.claimed.fetch_sub(segment.entries.len() as u64, Relaxed);
            }
        }
        lists.clear();
        Ok(())
    }
}
