//! The read side: where a chunk is, and its verified plaintext. Holds no write verb.
//!
//! Trees are read by their place hints; the local index is opened only when a hint fails or there is none. It is
//! made anew from the listing each time a reader starts, so a reader never depends on the content of an old cache
//! (I-6).
//!
//! A reader may be given other replicas: what its own has lost, or holds damaged, then comes from them, chunk by chunk.

mod files;
pub mod others;

use crate::error::{Error, Flaw, Object, Result};
use crate::frame::Decoder;
use crate::id::{ChunkId, PackId};
use crate::index::{LocalIndex, Located};
use crate::pack::Class;
use crate::place::Place;
use crate::remote::{ObjectName, Remote};
use crate::session::View;
use crate::store::Store;
use crate::writer::Writer;
use others::Others;
use parking_lot::Mutex;
use std::sync::{Arc, OnceLock};

/// Called with (segments done, segments to do) while the local index is brought up to date.
pub type IndexProgress<'a> = dyn Fn(usize, usize) + Send + Sync + 'a;

enum Source<'a> {
    Own {
        index: Box<OnceLock<LocalIndex>>,
        opening: Mutex<()>,
        /// Opened when a pack turns out to be gone.
        fresh: OnceLock<Box<Reader<'static>>>,
    },
    Writer(&'a Writer),
    Lent(&'a LocalIndex),
}

/// Reads chunks, by the index if need be.
pub struct Reader<'a> {
    store: Arc<Store>,
    source: Source<'a>,
    progress: Box<IndexProgress<'a>>,
    ahead: Mutex<ReadAhead>,
    others: Option<Arc<Others>>,
}

impl<'a> Reader<'a> {
    /// `progress` is told while the local index is rebuilt.
    pub fn new(store: Arc<Store>, progress: Box<IndexProgress<'a>>) -> Self {
        let source = Source::Own {
            index: Box::new(OnceLock::new()),
            opening: Mutex::new(()),
            fresh: OnceLock::new(),
        };
        Reader {
            store,
            source,
            progress,
            ahead: Mutex::default(),
            others: None,
        }
    }

    /// Reads beside a running writer, with its index.
    pub fn beside(store: Arc<Store>, writer: &'a Writer, progress: Box<IndexProgress<'a>>) -> Self {
        Reader {
            store,
            source: Source::Writer(writer),
            progress,
            ahead: Mutex::default(),
            others: None,
        }
    }

    /// The same, which turns to `others` where its own replica fails.
    pub fn or_from(self, others: Option<Arc<Others>>) -> Self {
        Reader { others, ..self }
    }

    /// The other replicas that it reads from.
    pub fn others(&self) -> Option<&Others> {
        self.others.as_deref()
    }

    /// Reads by an index that the caller has open.
    pub fn with_index(store: Arc<Store>, index: &'a LocalIndex) -> Self {
        Reader {
            store,
            source: Source::Lent(index),
            progress: Box::new(|_, _| {}),
            ahead: Mutex::default(),
            others: None,
        }
    }

    /// The store that it reads.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// The local index, opened when first asked for.
    pub fn index(&self) -> Result<&LocalIndex> {
        let mut progress = |done, total| (self.progress)(done, total);
        match &self.source {
            Source::Writer(writer) => writer.index(&mut progress),
            Source::Lent(index) => Ok(index),
            Source::Own { index, opening, .. } => {
                let _one = opening.lock();
                if let Some(index) = index.get() {
                    return Ok(index);
                }
                let opened = self.open_index(&mut progress)?;
                Ok(index.get_or_init(|| opened))
            }
        }
    }

    /// A collection may replace segments between the listing and the reading: then the listing is read again. A segment
    /// that can't be read is left out: the others list where the rest is.
    fn open_index(&self, progress: &mut dyn FnMut(usize, usize)) -> Result<LocalIndex> {
        let mut tries = 0;
        loop {
            match self.store.index_to_read(&View::read(&self.store)?, progress) {
                Err(e) if self.store.changed_under(&e, &mut tries) => {}
                opened => return opened,
            }
        }
    }

    /// Where a chunk is, by the index.
    pub fn locate(&self, id: &ChunkId) -> Result<Option<Located>> {
        self.index()?.locate(id)
    }

    /// Where a chunk is now whose pack is gone: a collection may have moved it since the index was opened. `None` where
    /// the index is not this reader's own, since a writer trusts but the view of its session (I-4).
    pub fn moved(&self, class: Class, id: &ChunkId, was: &Place) -> Result<Option<Place>> {
        let Source::Own { fresh, .. } = &self.source else {
            return Ok(None);
        };
        let fresh = fresh.get_or_init(|| Box::new(Reader::new(self.store.clone(), Box::new(|_, _| {}))));
        let now = fresh
            .locate(id)?
            .filter(|now| now.class == class && now.place != *was);
        Ok(now.map(|now| now.place))
    }

    /// A tree chunk's plaintext. A hint that does not lead to the chunk costs a look into the index, no more.
    pub fn tree(&self, decoder: &mut Decoder, id: &ChunkId, hint: Option<&Place>) -> Result<Vec<u8>> {
        let own = match self.others.as_ref().and_then(|others| others.own_is_down()) {
            Some(why) => Err(why),
            None => self.own_tree(decoder, id, hint),
        };
        match own {
            Err(e) => {
                let mut out = Vec::new();
                let error = self.store.judge(e);
                self.elsewhere(decoder, Class::Tree, id, error, &mut out)?;
                Ok(out)
            }
            read => read,
        }
    }

    /// What other replicas have where this one fails with `error`, which is the answer if none has it.
    pub fn elsewhere(
        &self,
        decoder: &mut Decoder,
        class: Class,
        id: &ChunkId,
        error: Error,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        match &self.others {
            Some(others) => others.read(decoder, class, id, error, out),
            None => Err(error),
        }
    }

    fn own_tree(&self, decoder: &mut Decoder, id: &ChunkId, hint: Option<&Place>) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        if self.kept_tree(decoder, id, &mut out) {
            return Ok(out);
        }
        if let Some(place) = hint {
            match self.fetch_tree(decoder, id, place, &mut out) {
                Ok(()) => return Ok(out),
                Err(e) if e.concerns_one_object() => {}
                Err(e) => return Err(e),
            }
        }
        let located = self.locate(id)?.filter(|located| located.class == Class::Tree);
        let located = located.ok_or_else(|| self.store.unknown(Object::TreeChunk(*id)))?;
        if let Err(e) = self.fetch_tree(decoder, id, &located.place, &mut out) {
            self.another_copy(decoder, (Class::Tree, id), &located.place, e, &mut out)?;
        }
        Ok(out)
    }

    /// Whether this machine keeps a sound copy.
    fn kept_tree(&self, decoder: &mut Decoder, id: &ChunkId, out: &mut Vec<u8>) -> bool {
        let Some(frame) = self.store.kept.as_ref().and_then(|kept| kept.frame(id)) else {
            return false;
        };
        let place = Place {
            // Where it is stored plays no part in opening it.
            pack: PackId([0; 32]),
            offset: 0,
            stored_len: frame.stored.len() as u32,
            plain_len: frame.plain_len,
            codec: frame.codec,
            sealed_key: frame.sealed_key,
        };
        let keys = self.store.keys();
        decoder
            .open_at(keys, Class::Tree, *id, &place, &frame.stored, out)
            .is_ok()
    }

    fn fetch_tree(
        &self,
        decoder: &mut Decoder,
        id: &ChunkId,
        place: &Place,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        self.store.judged(self.try_fetch_tree(decoder, id, place, out))
    }

    fn try_fetch_tree(
        &self,
        decoder: &mut Decoder,
        id: &ChunkId,
        place: &Place,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let (remote, keys) = (self.store.remote(), self.store.keys());
        let Some(kept) = &self.store.kept else {
            return decoder.read(remote, keys, Class::Tree, *id, place, out);
        };
        let mut ahead = self.ahead.lock();
        let stored = ahead.frame(remote, place)?;
        decoder.open_at(keys, Class::Tree, *id, place, stored, out)?;
        kept.keep_frame(id, place.codec, place.plain_len, &place.sealed_key, stored);
        Ok(())
    }
}

/// Bytes asked for where the frame before was read just now: at first, and at most.
const AHEAD: [usize; 2] = [256 << 10, 4 << 20];

/// A stretch of a tree pack of a high-latency remote. The frames of a generation are adjacent, so sequential reading is
/// given more at a time.
#[derive(Default)]
struct ReadAhead {
    pack: Option<PackId>,
    start: usize,
    bytes: Vec<u8>,
    /// Bytes asked for last, where they were more than was wanted.
    most: usize,
}

impl ReadAhead {
    /// The bytes at a place, read from the remote unless they are here already.
    fn frame(&mut self, remote: &dyn Remote, place: &Place) -> Result<&[u8]> {
        let (offset, len) = (place.offset as usize, place.stored_len as usize);
        let end = self.start + self.bytes.len();
        let same_pack = self.pack == Some(place.pack);
        if !same_pack || offset < self.start || offset + len > end {
            self.most = match same_pack && (self.start..=end).contains(&offset) {
                true => (self.most * 2).clamp(AHEAD[0], AHEAD[1]),
                false => 0,
            };
            self.pack = None;
            let name = ObjectName::pack(place.pack);
            remote.read(&name, offset as u64, len.max(self.most), &mut self.bytes)?;
            (self.pack, self.start) = (Some(place.pack), offset);
        }
        let from = offset - self.start;
        let shorter = || Error::corrupt(ObjectName::pack(place.pack), Flaw::Truncated);
        self.bytes.get(from..from + len).ok_or_else(shorter)
    }
}
