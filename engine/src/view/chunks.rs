//! Chunks that were read last, and those that the reader of a file will want next: threads of their own open these in the
//! meantime, so that one reader keeps several processors and several requests to a remote busy.

use super::recent::Recent;
use crate::error::Result;
use crate::restore::ChunkSource;
use chunkstore::ChunkId;
use chunkstore::frame::Decoder;
use chunkstore::threads;
use crossbeam_channel::{Receiver, Sender, bounded};
use parking_lot::Mutex;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

/// Chunks that are kept, of some 512 KiB each.
const KEPT: usize = 64;
/// Chunks that wait to be opened; more are opened by whoever reads them.
const WAITING: usize = 32;

pub(super) struct Chunks {
    cache: Arc<ChunkCache>,
    /// How many threads open chunks ahead.
    threads: usize,
    /// Once there are any.
    ahead: OnceLock<OpeningAhead>,
}

/// Threads, and what they are to open.
struct OpeningAhead {
    wanted: Sender<ChunkId>,
    threads: Vec<JoinHandle<()>>,
}

struct ChunkCache {
    source: ChunkSource<'static>,
    recent: Mutex<Recent<ChunkId, Arc<Slot>>>,
    /// Not in use.
    decoders: Mutex<Vec<Decoder>>,
}

/// A chunk that is there, or that whoever holds the lock reads just now.
type Slot = Mutex<Option<Arc<Vec<u8>>>>;

impl Chunks {
    pub fn new(source: ChunkSource<'static>, threads: usize) -> Chunks {
        Chunks {
            cache: Arc::new(ChunkCache {
                source,
                recent: Mutex::new(Recent::new(KEPT)),
                decoders: Mutex::default(),
            }),
            threads,
            ahead: OnceLock::new(),
        }
    }

    pub fn source(&self) -> &ChunkSource<'static> {
        &self.cache.source
    }

    /// A chunk. Whoever asks for one that is being read waits for it.
    pub fn get(&self, id: &ChunkId) -> Result<Arc<Vec<u8>>> {
        self.cache.get(id)
    }

    /// Has a chunk opened in the meantime, unless it is here or on its way, or more wait than can be kept up with.
    pub fn want(&self, id: &ChunkId) {
        let ahead = self.ahead.get_or_init(|| self.start());
        let mut recent = self.cache.recent.lock();
        if !recent.holds(id) && ahead.wanted.try_send(*id).is_ok() {
            recent.get_or(id, Default::default);
        }
    }

    /// One that can't be started is not missed: the reader opens what was not opened ahead.
    fn start(&self) -> OpeningAhead {
        let (send, wanted) = bounded(WAITING);
        let threads = (0..self.threads).filter_map(|_| {
            let (cache, wanted) = (self.cache.clone(), wanted.clone());
            threads::spawn("ahead", move || cache.open_all(&wanted)).ok()
        });
        OpeningAhead {
            wanted: send,
            threads: threads.collect(),
        }
    }

    pub fn with_decoder<T>(&self, run: impl FnOnce(&mut Decoder) -> Result<T>) -> Result<T> {
        self.cache.with_decoder(run)
    }
}

impl Drop for Chunks {
    /// Waits for the threads: what they read with must not go before they have ended.
    fn drop(&mut self) {
        // So nothing that waits is opened any more.
        self.cache.recent.lock().clear();
        if let Some(OpeningAhead { wanted, threads }) = self.ahead.take() {
            drop(wanted);
            for thread in threads {
                // A panic has been printed by its thread.
                let _ended = thread.join();
            }
        }
    }
}

impl ChunkCache {
    fn open_all(&self, wanted: &Receiver<ChunkId>) {
        for id in wanted {
            // One that is kept no longer was of no use.
            if self.recent.lock().holds(&id) {
                // Whoever reads it tries again, and reports why it can't be read.
                let _ = self.get(&id);
            }
        }
    }

    fn get(&self, id: &ChunkId) -> Result<Arc<Vec<u8>>> {
        let slot = self.recent.lock().get_or(id, Default::default);
        let mut slot = slot.lock();
        if let Some(chunk) = &*slot {
            return Ok(chunk.clone());
        }
        let mut plain = Vec::new();
        self.with_decoder(|decoder| self.source.chunk(decoder, id, &mut plain))?;
        Ok(slot.insert(Arc::new(plain)).clone())
    }

    fn with_decoder<T>(&self, run: impl FnOnce(&mut Decoder) -> Result<T>) -> Result<T> {
        let idle = self.decoders.lock().pop();
        let mut decoder = match idle {
            Some(decoder) => decoder,
            None => Decoder::new()?,
        };
        let done = run(&mut decoder);
        self.decoders.lock().push(decoder);
        done
    }
}
