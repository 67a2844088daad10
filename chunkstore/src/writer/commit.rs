//! The writer's other thread: publishes packs while the next ones fill, and then the index segments that list them
//! (I-1).

use super::{CLAIMS_MAX, Message, Shared};
use crate::error::{Error, Result};
use crate::indexfile::{ENTRIES_PER_SEGMENT, IndexSegment};
use crate::pack::{ClosedPack, PackList};
use crate::remote::ObjectName;
use crossbeam_channel::Receiver;
use std::sync::atomic::Ordering::Relaxed;

/// Publishes packs as they come; on a flush, and when many chunks have gathered, writes their index segments.
/// After a failure it only takes messages off the channel, so that no worker waits for ever.
pub(super) fn commit(shared: &Shared, messages: &Receiver<Message>) {
    let mut lists: Vec<PackList> = Vec::new();
    let mut waiting = 0;
    for message in messages {
        let failed = shared.failed.load(Relaxed);
        let result = match message {
            _ if failed => Ok(()),
            Message::Pack(pack) => {
                // Before it can be seen, and so condemned, by others.
                shared.own_packs.lock().insert(pack.list.id);
                shared.publish(*pack).map(|list| {
                    shared.packs.fetch_add(1, Relaxed);
                    waiting += list.frames.len() as u64;
                    lists.push(list);
                })
            }
            Message::Flush(done) => {
                let written = shared.write_index(&mut lists);
                waiting = 0;
                if let Err(e) = written {
                    latch(shared, e);
                }
                // Nobody waits any more only when the writer is being dropped.
                let _ = done.send(());
                Ok(())
            }
        };
        let result = result.and_then(|()| {
            if waiting < CLAIMS_MAX || shared.failed.load(Relaxed) {
                return Ok(());
            }
            waiting = 0;
            shared.write_index(&mut lists)
        });
        if let Err(e) = result {
            latch(shared, e);
        }
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
    fn write_index(&self, lists: &mut Vec<PackList>) -> Result<()> {
        if lists.is_empty() {
            return Ok(());
        }
        self.store.remote().barrier()?;
        let mut start = 0;
        while start < lists.len() {
            let mut end = start + 1;
            let mut entries = lists[start].frames.len();
            while end < lists.len() && entries + lists[end].frames.len() <= ENTRIES_PER_SEGMENT {
                entries += lists[end].frames.len();
                end += 1;
            }
            let segment = IndexSegment::of_packs(&lists[start..end]);
            let (id, bytes) = segment.seal(self.store.keys())?;
            self.store.remote().put(&ObjectName::index(id), &bytes)?;
            self.segments.lock().insert(id);
            if let Some(index) = self.index.get() {
                index.ingest(id, &segment, &self.view.condemned)?;
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
