//! The writer's other thread: publishes packs while the next ones fill, and then the index segments that list them
//! (I-1).

use super::{CLAIMS_MAX, Message, Shared};
use crate::error::{Error, Result};
use crate::indexfile::{ENTRIES_PER_SEGMENT, IndexSegment};
use crate::pack::{ClosedPack, PackList};
use crate::remote::ObjectName;
use crossbeam_channel::Receiver;
use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::{Builder, Scope, ScopedJoinHandle};

/// Publishes packs as they come, as many at once as the remote bears; on a flush, and when many chunks have gathered,
/// writes their index segments. After a failure it only takes messages off the channel, so that no worker waits for
/// ever.
pub(super) fn commit(shared: &Shared, messages: &Receiver<Message>) {
    std::thread::scope(|scope| {
        let mut uploads = Uploads {
            scope,
            shared,
            lanes: shared.store.remote().lanes(),
            under_way: VecDeque::new(),
            lists: Vec::new(),
        };
        for message in messages {
            let failed = shared.failed.load(Relaxed);
            let result = match message {
                Message::Pack(_) if failed => Ok(()),
                Message::Pack(pack) => {
                    // Before it can be seen, and so condemned, by others.
                    shared.own_packs.lock().insert(pack.list.id);
                    uploads.begin(*pack).and_then(|()| uploads.write_index_of_many())
                }
                Message::Flush(done) => {
                    let written = if failed { Ok(()) } else { uploads.write_index() };
                    if let Err(e) = written {
                        latch(shared, e);
                    }
                    // Nobody waits any more only when the writer is being dropped.
                    let _ = done.send(());
                    Ok(())
                }
            };
            if let Err(e) = result {
                latch(shared, e);
            }
        }
    });
}

/// Packs on their way to the remote, oldest first, and the lists of those that are there and in no index segment yet.
struct Uploads<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    shared: &'env Shared,
    lanes: usize,
    under_way: VecDeque<ScopedJoinHandle<'scope, Result<PackList>>>,
    lists: Vec<PackList>,
}

impl Uploads<'_, '_> {
    /// Returns when the pack is on its way, or at once when one at a time is enough.
    fn begin(&mut self, pack: ClosedPack) -> Result<()> {
        if self.lanes <= 1 {
            self.lists.push(self.shared.publish(pack)?);
            return Ok(());
        }
        while self.under_way.len() >= self.lanes {
            self.end_oldest()?;
        }
        let upload = Builder::new().name("upload".to_string());
        let shared = self.shared;
        let upload = upload.spawn_scoped(self.scope, move || shared.publish(pack));
        self.under_way
            .push_back(upload.map_err(|e| Error::local("start a thread", "", e))?);
        Ok(())
    }

    fn end_oldest(&mut self) -> Result<()> {
        if let Some(upload) = self.under_way.pop_front() {
            let list = upload.join().map_err(|_| Error::WriterFailed)??;
            self.lists.push(list);
        }
        Ok(())
    }

    fn write_index_of_many(&mut self) -> Result<()> {
        let waiting: usize = self.lists.iter().map(PackList::rows).sum();
        match waiting as u64 >= CLAIMS_MAX {
            true => self.write_index(),
            false => Ok(()),
        }
    }

    fn write_index(&mut self) -> Result<()> {
        while !self.under_way.is_empty() {
            self.end_oldest()?;
        }
        self.shared.packs.fetch_add(self.lists.len() as u64, Relaxed);
        self.shared.write_index(&mut self.lists)
    }
}

fn latch(shared: &Shared, error: Error) {
    let mut failure = shared.failure.lock();
    shared.failed.store(true, Relaxed);
    failure.get_or_insert(error);
}

impl Shared {
    /// Publishes a pack, and its parity where the repository has that.
    fn publish(&self, pack: ClosedPack) -> Result<PackList> {
        let list = pack.publish()?;
        self.store.protect(list.id)?;
        Ok(list)
    }

    /// Writes index segments for packs whose names are durable, and lets the local index take over the claims.
    pub(super) fn write_index(&self, lists: &mut Vec<PackList>) -> Result<()> {
        if lists.is_empty() {
            return Ok(());
        }
        self.store.remote().barrier()?;
        let mut start = 0;
        while start < lists.len() {
            let mut end = start + 1;
            let mut entries = lists[start].rows();
            while end < lists.len() && entries + lists[end].rows() <= ENTRIES_PER_SEGMENT {
                entries += lists[end].rows();
                end += 1;
            }
            let segment = IndexSegment::of_packs(&lists[start..end]);
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
            start = end;
        }
        lists.clear();
        Ok(())
    }
}
