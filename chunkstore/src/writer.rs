//! The write pipeline of one run: hash, claim, compress, seal, verify, append. A thread of its own publishes full packs
//! and lists them ([`commit`]).
//!
//! Keeps I-1 (packs, then index segments, then the manifest), I-3 (every frame is opened again before it counts) and
//! I-4 (an id is referenced only if it was in the view read under this session, or is put by it). After the first
//! failed write nothing more is written.

mod commit;
mod files;
mod view;

pub use files::Absent;

use crate::error::{Error, Result};
use crate::frame::Encoder;
use crate::id::{ChunkId, PackId, SessionId};
use crate::index::{self, LocalIndex, Located};
use crate::intake::Intake;
use crate::keys::SessionKeys;
use crate::pack::{Class, ClosedPack, PackList, PackWriter};
use crate::session::{self, Owner, Session, View};
use crate::simulation::{self, Rule};
use crate::store::Store;
use crate::threads;
use crate::unlisted::CLAIMS_MAX;
use crossbeam_channel::{Sender, bounded};
use parking_lot::{Mutex, RwLock};
use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

const SHARDS: usize = 16;
/// Bytes of packs in memory at most, where they are gathered ([`PackWriter`]), with those that wait for further
/// destinations. Where these are many, each still has two.
const GATHERED_MAX: usize = 512 << 20;
/// Each lane has one of data and one of trees.
const PACKS_OF_LANE: usize = 2;
/// One waits for the committing thread, and one for room among those under way.
const PACKS_WAITING: usize = 2;

/// What a put did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Put {
    /// The id of the chunk.
    pub id: ChunkId,
    /// Stored bytes, when the chunk was new.
    pub stored: Option<u32>,
}

/// New chunks of a run and their bytes, before and after compression.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Chunks.
    pub chunks: u64,
    /// Their bytes.
    pub plain: u64,
    /// Their bytes as stored.
    pub stored: u64,
    /// Packs.
    pub packs: u64,
}

/// Proof that all that was put is durable and indexed; only [`Writer::flush`] makes one (I-1).
pub struct Flushed(());

#[derive(Default)]
struct Lane {
    packs: [Option<PackWriter>; PACKS_OF_LANE],
}

/// How many lanes have packs of their own: all that are wanted, unless they would take too much memory beside the packs
/// that are `under_way`. Then several threads share one.
fn lanes_of(wanted: usize, under_way: usize, pack_size: usize) -> usize {
    let packs = (GATHERED_MAX / pack_size).saturating_sub(under_way + PACKS_WAITING);
    wanted.min(packs / PACKS_OF_LANE).max(1)
}

enum Message {
    Pack(Box<ClosedPack>),
    Flush(Sender<()>),
}

/// Stores chunks under a session, and publishes what refers to them.
pub struct Writer {
    shared: Arc<WriterState>,
    session: Mutex<Option<Session>>,
    /// Takes over when the current one ends with a checkpoint.
    next_session: Mutex<Option<Session>>,
    lanes: Vec<Mutex<Lane>>,
    /// Held for reading by every put: a thread that holds it for writing sees no chunk half stored.
    gate: RwLock<()>,
    committer: Option<Sender<Message>>,
    thread: Option<std::thread::JoinHandle<()>>,
    owner: Owner,
    chunks: AtomicU64,
    plain: AtomicU64,
    stored: AtomicU64,
    /// A dry run claims, compresses and counts, and writes nothing.
    dry: bool,
}

/// What the workers and the committing thread share.
struct WriterState {
    store: Arc<Store>,
    view: View,
    content: SessionKeys,
    index: OnceLock<LocalIndex>,
    opening: Mutex<()>,
    claims: Vec<Mutex<HashSet<ChunkId>>>,
    claimed: AtomicU64,
    failed: AtomicBool,
    failure: Mutex<Option<Error>>,
    packs: AtomicU64,
    /// Index segments that this run wrote.
    segments: Mutex<BTreeSet<crate::id::IndexId>>,
    /// Packs that this run put.
    own_packs: Mutex<HashSet<PackId>>,
    /// What they add to the [`index::fingerprint`] of all packs.
    own_traces: AtomicU64,
    /// The fingerprint of the packs under which earlier references were trusted without the index.
    trusted: OnceLock<u64>,
    /// Further destinations, which are offered every pack.
    intakes: Vec<Arc<Intake>>,
    /// [`Owner::packs`] of this session.
    under: Option<[u64; 2]>,
}

impl Writer {
    /// Opens a session and reads its view. `lanes` are the threads that may put at the same time.
    pub fn begin(store: Arc<Store>, owner: Owner, lanes: usize, dry: bool) -> Result<Writer> {
        Writer::begin_with(store, owner, lanes, dry, &[])
    }

    /// The same, for further destinations too: each is offered every pack that is made.
    pub fn begin_with(
        store: Arc<Store>,
        owner: Owner,
        lanes: usize,
        dry: bool,
        intakes: &[Arc<Intake>],
    ) -> Result<Writer> {
        let keys = store.keys().new_session()?;
        let owner = Owner {
            packs: Some([&keys.data, &keys.tree].map(|key| session::packs_under(&key.sealed))),
            ..owner
        };
        let early = match simulation::left_out(Rule::SessionFirst) {
            true => Some(View::read(&store)?),
            false => None,
        };
        let session = if dry {
            None
        } else {
            Some(Session::begin(&store, &owner)?)
        };
        Writer::with(store, (owner, session), lanes, early, keys, intakes)
    }

    /// The same under a session that was begun before.
    pub fn under(store: Arc<Store>, owner: Owner, session: Session) -> Result<Writer> {
        let keys = store.keys().new_session()?;
        Writer::with(store, (owner, Some(session)), 1, None, keys, &[])
    }

    fn with(
        store: Arc<Store>,
        (owner, session): (Owner, Option<Session>),
        lanes: usize,
        early: Option<View>,
        content: SessionKeys,
        intakes: &[Arc<Intake>],
    ) -> Result<Writer> {
        let dry = session.is_none();
        let view = match early {
            Some(view) => view,
            None => View::read(&store)?,
        };
        let shared = Arc::new(WriterState {
            store,
            view,
            content,
            index: OnceLock::new(),
            opening: Mutex::new(()),
            claims: (0..SHARDS).map(|_| Mutex::default()).collect(),
            claimed: AtomicU64::new(0),
            failed: AtomicBool::new(false),
            failure: Mutex::new(None),
            packs: AtomicU64::new(0),
            segments: Mutex::default(),
            own_packs: Mutex::default(),
            own_traces: AtomicU64::new(0),
            trusted: OnceLock::new(),
            intakes: intakes.to_vec(),
            under: owner.packs,
        });
        let (committer, messages) = bounded(1);
        let thread = threads::spawn("commit", {
            let shared = shared.clone();
            let take_over = simulation::hand_over();
            move || {
                take_over();
                commit::commit(&shared, &messages)
            }
        })?;
        let lanes = shared.lanes(lanes);
        Ok(Writer {
            shared,
            session: Mutex::new(session),
            next_session: Mutex::new(None),
            lanes: (0..lanes).map(|_| Mutex::default()).collect(),
            gate: RwLock::new(()),
            committer: Some(committer),
            thread: Some(thread),
            owner,
            chunks: AtomicU64::new(0),
            plain: AtomicU64::new(0),
            stored: AtomicU64::new(0),
            dry,
        })
    }

    /// What the session may refer to.
    pub fn view(&self) -> &View {
        &self.shared.view
    }

    /// This writer's session; `None` in a dry run.
    pub fn session(&self) -> Option<SessionId> {
        self.session.lock().as_ref().map(|session| session.id)
    }

    /// The local index under this view, opened when first asked for: a run that changes nothing never needs it.
    pub fn index(&self, progress: &mut dyn FnMut(usize, usize)) -> Result<&LocalIndex> {
        self.shared.index(progress)
    }

    /// Hash, claim, and if the chunk is new: compress, seal, verify, append to this lane's pack.
    pub fn put(&self, lane: usize, encoder: &mut Encoder, class: Class, plain: &[u8]) -> Result<Put> {
        let _open = self.gate.read();
        self.shared.alive()?;
        let id = self.shared.store.keys().chunk_id(class.is_tree(), plain);
        if !self.shared.claim(&id)? {
            return Ok(Put { id, stored: None });
        }
        // From here on others rely on this chunk being stored: failing fails the run.
        let stored = self.store_claimed(lane, encoder, class, id, plain);
        let stored = stored.map_err(|e| self.shared.fail(e))?;
        self.chunks.fetch_add(1, Relaxed);
        self.plain.fetch_add(plain.len() as u64, Relaxed);
        self.stored.fetch_add(stored.into(), Relaxed);
        Ok(Put {
            id,
            stored: Some(stored),
        })
    }

    fn store_claimed(
        &self,
        lane: usize,
        encoder: &mut Encoder,
        class: Class,
        id: ChunkId,
        plain: &[u8],
    ) -> Result<u32> {
        let WriterState { store, content, .. } = &*self.shared;
        let content = content.frames(class.is_tree());
        let (frame, sealed) = encoder.encode(store.keys(), &content.key, class, id, plain)?;
        let stored = sealed.len() as u32;
        if self.dry {
            self.shared.forget_old_claims();
            return Ok(stored);
        }
        let mut lane = self.lanes[lane % self.lanes.len()].lock();
        let slot = &mut lane.packs[class as usize - 1];
        let is_full = |pack: &mut PackWriter| !pack.has_room(sealed.len(), store.config().pack_size as usize);
        if let Some(full) = slot.take_if(is_full) {
            self.close(full)?;
        }
        let pack = match slot {
            Some(pack) => pack,
            None => slot.insert(self.shared.begin_pack(class)?),
        };
        pack.append(frame, sealed)?;
        if let Some(kept) = store.kept.as_ref().filter(|_| class.is_tree()) {
            kept.keep_frame(&id, frame.codec as u8, frame.plain_len, &content.sealed, sealed);
        }
        Ok(stored)
    }

    fn close(&self, pack: PackWriter) -> Result<()> {
        let closed = pack.finish(self.shared.store.keys())?;
        self.send(Message::Pack(Box::new(closed)))
    }

    fn send(&self, message: Message) -> Result<()> {
        match &self.committer {
            Some(committer) => committer.send(message).map_err(|_| Error::WriterFailed),
            None => Err(Error::WriterFailed),
        }
    }

    /// Whether a chunk may be referenced: in the view, or put (or being put) by this run (I-4).
    pub fn present(&self, id: &ChunkId) -> Result<bool> {
        if simulation::left_out(Rule::NoTrust) {
            return Ok(true);
        }
        self.shared.present(id)
    }

    /// What was stored so far.
    pub fn written(&self) -> Written {
        Written {
            chunks: self.chunks.load(Relaxed),
            plain: self.plain.load(Relaxed),
            stored: self.stored.load(Relaxed),
            packs: self.shared.packs.load(Relaxed),
        }
    }

    /// Makes everything that was put durable and indexed: packs, then index segments (I-1).
    pub fn flush(&self) -> Result<Flushed> {
        if !self.dry {
            let _closed = self.gate.write();
            for lane in &self.lanes {
                let packs = std::mem::take(&mut lane.lock().packs);
                packs
                    .into_iter()
                    .flatten()
                    .try_for_each(|pack| self.close(pack))
                    .map_err(|e| self.shared.fail(e))?;
            }
        }
        let (done, ack) = bounded(1);
        self.send(Message::Flush(done))?;
        let acknowledged = ack.recv();
        self.shared.alive()?;
        acknowledged.map_err(|_| Error::WriterFailed)?;
        Ok(Flushed(()))
    }

    /// Lists packs that the caller put whole under this session: makes their names durable, then writes their index
    /// segments (I-1). `lists` is emptied.
    pub fn adopt(&self, lists: &mut Vec<PackList>) -> Result<()> {
        let shared = &*self.shared;
        shared.alive()?;
        shared.index(&mut |_, _| {})?;
        shared.own_packs.lock().extend(lists.iter().map(|list| list.id));
        lists.iter().for_each(|list| shared.add_trace(list));
        let chunks: usize = lists.iter().map(|list| list.frames.len()).sum();
        shared.claimed.fetch_add(chunks as u64, Relaxed);
        shared.write_index(lists).map_err(|e| shared.fail(e))
    }

    /// Where a chunk that was flushed lies; a hint for the manifest.
    pub fn place(&self, id: &ChunkId) -> Result<Option<Located>> {
        match self.shared.index.get() {
            Some(index) => index.locate(id),
            None => Ok(None),
        }
    }

    /// Publishes `body` as this session's manifest, and ends the session; the next one, if opened, takes over. Returns its id and the hash of its stored
    /// bytes.
    pub fn publish(&self, _: Flushed, body: &[u8]) -> Result<(SessionId, [u8; 32])> {
        let WriterState { store, content, .. } = &*self.shared;
        let mut session = self.session.lock();
        let open = session.as_ref().ok_or(Error::WriterFailed)?;
        let hash = open.publish(store, &content.manifest, body)?;
        let id = open.id;
        *session = self.next_session.lock().take();
        Ok((id, hash))
    }

    /// Opens the session that the next checkpoint's publishing leaves open. It is there before the current one ends:
    /// packs that are put in the meantime and that no segment lists yet would else be unprotected.
    pub fn open_next_session(&self) -> Result<()> {
        let next = Session::begin(&self.shared.store, &self.owner)?;
        *self.next_session.lock() = Some(next);
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.committer = None;
        if let Some(thread) = self.thread.take() {
            // A panic in the thread has already latched the writer as failed by closing its channel.
            let _ = thread.join();
        }
        for session in [self.session.lock().take(), self.next_session.lock().take()]
            .into_iter()
            .flatten()
        {
            // Ended without a generation. If the fence can't be written, a collection will write it later.
            let _ = session::fence(&self.shared.store, session.id);
        }
    }
}

impl WriterState {
    fn index(&self, progress: &mut dyn FnMut(usize, usize)) -> Result<&LocalIndex> {
        if let Some(index) = self.index.get() {
            return Ok(index);
        }
        let _one = self.opening.lock();
        if let Some(index) = self.index.get() {
            return Ok(index);
        }
        let index = self.store.index_for_references(&self.view, progress)?;
        Ok(self.index.get_or_init(|| index))
    }

    /// How many threads have packs of their own, of the `wanted`.
    fn lanes(&self, wanted: usize) -> usize {
        let (store, remote) = (&self.store, self.store.remote());
        if !remote.is_high_latency() && !store.needs_bytes() && self.intakes.is_empty() {
            return wanted.max(1);
        }
        let elsewhere: usize = self.intakes.iter().map(|intake| intake.packs()).sum();
        let pack_size = store.config().pack_size as usize;
        lanes_of(wanted, remote.max_concurrency() + elsewhere, pack_size)
    }

    fn begin_pack(&self, class: Class) -> Result<PackWriter> {
        let pack = self
            .store
            .begin_pack(class, vec![self.content.frames(class.is_tree()).sealed])?;
        Ok(match self.intakes.is_empty() {
            true => pack,
            false => pack.keeping_bytes(),
        })
    }

    fn add_trace(&self, pack: &PackList) {
        self.own_traces
            .fetch_add(index::trace(&pack.id, pack.size), Relaxed);
    }

    fn alive(&self) -> Result<()> {
        if self.failed.load(Relaxed) {
            Err(self.failure.lock().take().unwrap_or(Error::WriterFailed))
        } else {
            Ok(())
        }
    }

    /// Stops the run after a failed put, and returns the error for its caller to report. What the committing thread fails
    /// with is kept for the next put ([`WriterState::alive`]).
    fn fail(&self, error: Error) -> Error {
        self.failed.store(true, Relaxed);
        error
    }

    fn shard(&self, id: &ChunkId) -> &Mutex<HashSet<ChunkId>> {
        &self.claims[usize::from(id.0[0]) % SHARDS]
    }

    /// True when the chunk is nowhere yet and the caller must store it; at most one caller gets true.
    fn claim(&self, id: &ChunkId) -> Result<bool> {
        let index = self.index(&mut |_, _| {})?;
        let mut claims = self.shard(id).lock();
        if claims.contains(id) || index.contains(id, &self.view.condemned)? {
            return Ok(false);
        }
        claims.insert(*id);
        self.claimed.fetch_add(1, Relaxed);
        Ok(true)
    }

    /// Bounds a dry run's memory: nothing takes its claims over, so very many new chunks may be counted twice.
    fn forget_old_claims(&self) {
        if self.claimed.load(Relaxed) > 8 * CLAIMS_MAX {
            self.claims.iter().for_each(|shard| shard.lock().clear());
            self.claimed.store(0, Relaxed);
        }
    }

    fn present(&self, id: &ChunkId) -> Result<bool> {
        let index = self.index(&mut |_, _| {})?;
        let claims = self.shard(id).lock();
        Ok(claims.contains(id) || index.contains(id, &self.view.condemned)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packs_in_memory_are_bounded() {
        let mut shared = false;
        for pack_size in [1 << 20, 8 << 20, 32 << 20, 64 << 20] {
            for uploads in [2, 4] {
                for wanted in [1, 2, 9, 65, 1000] {
                    let lanes = lanes_of(wanted, uploads, pack_size);
                    let packs = lanes * PACKS_OF_LANE + uploads + PACKS_WAITING;
                    assert!((1..=wanted).contains(&lanes));
                    assert!(
                        packs * pack_size <= GATHERED_MAX,
                        "{pack_size} {uploads} {wanted}"
                    );
                    shared |= lanes < wanted;
                }
            }
        }
        assert!(shared);
        assert_eq!(lanes_of(5, 4, 32 << 20), 5, "four threads and the trees");
    }
}
