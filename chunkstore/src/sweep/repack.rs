//! Moves needed frames out of poor packs: copies them bytewise into new packs, then indexes those (I-1).
//!
//! Works pack by pack from the packs' own footers, so memory does not grow with what is moved.

use super::write_segments;
use crate::compress::Codec;
use crate::error::{Error, Result};
use crate::frame::Decoder;
use crate::id::{ChunkId, PackId};
use crate::index::LocalIndex;
use crate::indexfile::ENTRIES_PER_SEGMENT;
use crate::keys::{Keys, SealedSessionKey};
use crate::live::LiveSet;
use crate::pack::{self, Class, Frame, PackList, PackWriter};
use crate::place::Place;
use crate::remote::ObjectName;
use crate::session::View;
use crate::store::Store;
use crate::threads;
use std::collections::HashSet;

/// Bytes read at once.
const READ: u64 = 4 << 20;
/// Sealed keys of one new pack at most: it holds frames of as many sessions.
const KEYS: usize = 256;
/// Threads that open frames at most, each with a chunk in memory.
const PROVERS: usize = 8;

/// Moves the needed frames of the `poor` packs into new, indexed packs. `moved` is told bytes as they go.
///
/// After [`Error::NoSpace`] nothing that could not be indexed is left behind.
pub fn repack(
    store: &Store,
    view: &View,
    index: &LocalIndex,
    live: &LiveSet,
    poor: &HashSet<PackId>,
    moved: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<()> {
    let mut packs: Vec<PackId> = poor.iter().copied().collect();
    packs.sort_unstable();
    let mut mover = Mover::within(store, Proof::Seal)?;
    let result = packs
        .iter()
        .try_for_each(|id| {
            let list = pack::read_list(store.remote(), store.keys(), *id)?;
            for place in needed(view, index, live, &list)? {
                mover.add(list.class, place, moved)?;
            }
            Ok(())
        })
        .and_then(|()| mover.finish(moved));
    mover.ended(result)
}

/// The frames of a pack that must be kept, in the order they lie; the rule is the plan's.
fn needed(view: &View, index: &LocalIndex, live: &LiveSet, list: &PackList) -> Result<Vec<(ChunkId, Place)>> {
    let mut sorted: Vec<&Frame> = list.frames.iter().collect();
    sorted.sort_unstable_by_key(|frame| (frame.id, frame.offset));
    let mut needed = Vec::new();
    for frames in sorted.chunks(1024) {
        let ids: Vec<ChunkId> = frames.iter().map(|frame| frame.id).collect();
        for (frame, located) in frames.iter().zip(index.locate_sorted(&ids)?) {
            let counts = match located {
                Some(at) if !view.condemned.contains(&at.place.pack) => {
                    at.place.pack == list.id && at.place.offset == frame.offset
                }
                _ => true,
            };
            if counts && live.contains(&frame.id)? {
                needed.push((frame.id, place(list, frame)?));
            }
        }
    }
    needed.sort_unstable_by_key(|(_, place)| place.offset);
    Ok(needed)
}

pub(crate) fn place(list: &PackList, frame: &Frame) -> Result<Place> {
    let key = list.sealed_keys.get(usize::from(frame.key));
    Ok(Place {
        pack: list.id,
        offset: frame.offset,
        stored_len: frame.stored_len,
        plain_len: frame.plain_len,
        codec: frame.codec as u8,
        sealed_key: *key.ok_or_else(|| Error::corrupt(ObjectName::pack(list.id), "a key is not listed"))?,
    })
}

/// Frames of the next new pack. Its header comes first and lists the keys, so they are gathered before it is begun.
struct Batch {
    class: Class,
    frames: Vec<(ChunkId, Place)>,
    bytes: u64,
    keys: Vec<SealedSessionKey>,
}

impl Batch {
    fn new(class: Class) -> Self {
        Batch {
            class,
            frames: Vec::new(),
            bytes: 0,
            keys: Vec::new(),
        }
    }
}

/// Lists new packs, once their names are durable.
pub(crate) type ListPacks<'a> = dyn FnMut(&mut Vec<PackList>) -> Result<()> + 'a;

/// What a frame must show before it is copied: a copy must not give damage a fresh, valid name.
#[derive(Clone, Copy)]
pub(crate) enum Proof {
    /// That it is as its writer sealed it.
    Seal,
    /// That its content is that of its id, whoever sealed it.
    Content,
}

pub(crate) struct Mover<'a> {
    from: &'a Store,
    to: &'a Store,
    proof: Proof,
    list: Box<ListPacks<'a>>,
    /// One for each thread.
    provers: Vec<Prover>,
    batches: [Batch; 2],
    /// New packs that no segment lists yet, and their frames.
    lists: Vec<PackList>,
    entries: usize,
}

impl<'a> Mover<'a> {
    pub(super) fn within(store: &'a Store, proof: Proof) -> Result<Self> {
        let list = Box::new(|lists: &mut _| list_packs(store, lists));
        Mover::new(store, store, proof, list)
    }

    /// From one replica to another.
    pub(crate) fn between(from: &'a Store, to: &'a Store, list: Box<ListPacks<'a>>) -> Result<Self> {
        Mover::new(from, to, Proof::Content, list)
    }

    fn new(from: &'a Store, to: &'a Store, proof: Proof, list: Box<ListPacks<'a>>) -> Result<Self> {
        let threads = std::thread::available_parallelism().map_or(1, |n| n.get().min(PROVERS));
        Ok(Mover {
            from,
            to,
            proof,
            list,
            provers: (0..threads).map(|_| Prover::new()).collect::<Result<_>>()?,
            batches: [Class::Data, Class::Tree].map(Batch::new),
            lists: Vec::new(),
            entries: 0,
        })
    }

    /// What a run of moves ended with; a full remote keeps nothing that could not be indexed.
    pub(crate) fn ended(&mut self, result: Result<()>) -> Result<()> {
        if let Err(Error::NoSpace { .. }) = &result {
            self.drop_unlisted()?;
        }
        result
    }

    pub(crate) fn add(
        &mut self,
        class: Class,
        (id, place): (ChunkId, Place),
        moved: &mut dyn FnMut(u64) -> Result<()>,
    ) -> Result<()> {
        let batch = &self.batches[class as usize - 1];
        let known = batch.keys.contains(&place.sealed_key);
        let size = u64::from(place.stored_len);
        let full = batch.bytes + size > self.to.config().pack_size.into() && !batch.frames.is_empty();
        if full || (!known && batch.keys.len() == KEYS) {
            self.write_batch(class, moved)?;
        }
        let batch = &mut self.batches[class as usize - 1];
        if !batch.keys.contains(&place.sealed_key) {
            batch.keys.push(place.sealed_key);
        }
        batch.bytes += size;
        batch.frames.push((id, place));
        Ok(())
    }

    fn write_batch(&mut self, class: Class, moved: &mut dyn FnMut(u64) -> Result<()>) -> Result<()> {
        let slot = &mut self.batches[class as usize - 1];
        let batch = std::mem::replace(slot, Batch::new(class));
        if batch.frames.is_empty() {
            return Ok(());
        }
        let keys = self.to.keys();
        let mut pack = PackWriter::begin(self.to.remote(), self.to.id(), batch.class, batch.keys.clone())?;
        let mut rest = &batch.frames[..];
        let mut run = Run::default();
        while run.read(self.from, &mut rest)? {
            prove(
                &mut self.provers,
                (self.from.keys(), batch.class, self.proof),
                &run,
            )?;
            run.append(&mut pack, &batch.keys)?;
            moved(run.bytes.len() as u64)?;
        }
        let list = pack.finish(keys)?.publish()?;
        self.to.protect(list.id)?;
        self.entries += list.frames.len();
        self.lists.push(list);
        if self.entries >= ENTRIES_PER_SEGMENT {
            self.list_packs()?;
        }
        Ok(())
    }

    pub(crate) fn finish(&mut self, moved: &mut dyn FnMut(u64) -> Result<()>) -> Result<()> {
        self.write_batch(Class::Data, moved)?;
        self.write_batch(Class::Tree, moved)?;
        self.list_packs()
    }

    fn list_packs(&mut self) -> Result<()> {
        (self.list)(&mut self.lists)?;
        self.entries = 0;
        Ok(())
    }

    /// Takes back new packs: no segment lists them, so nobody can have referred to them.
    fn drop_unlisted(&mut self) -> Result<()> {
        for list in self.lists.drain(..) {
            self.to.remote().delete(&ObjectName::pack(list.id))?;
        }
        self.to.remote().barrier()
    }
}

/// Packs durable, then their index (I-1).
fn list_packs(store: &Store, lists: &mut Vec<PackList>) -> Result<()> {
    store.remote().barrier()?;
    write_segments(store, lists)
}

/// Frames that lie together in an old pack, and the bytes from the first to the last.
#[derive(Default)]
struct Run<'a> {
    frames: &'a [(ChunkId, Place)],
    bytes: Vec<u8>,
}

impl<'a> Run<'a> {
    /// Takes the next run off `rest`; false when there is none.
    fn read(&mut self, from: &Store, rest: &mut &'a [(ChunkId, Place)]) -> Result<bool> {
        let Some((_, first)) = rest.first() else {
            return Ok(false);
        };
        let end = |place: &Place| u64::from(place.offset) + u64::from(place.stored_len);
        let start = u64::from(first.offset);
        let fits = |(_, place): &&(ChunkId, Place)| place.pack == first.pack && end(place) - start <= READ;
        let count = rest.iter().take_while(fits).count().max(1);
        let (frames, later) = rest.split_at(count);
        let len = frames.last().map_or(0, |(_, last)| end(last) - start);
        let object = ObjectName::pack(first.pack);
        from.remote()
            .read(&object, start, len as usize, &mut self.bytes)?;
        (self.frames, *rest) = (frames, later);
        Ok(true)
    }

    fn stored(&self, place: &Place) -> Result<&[u8]> {
        let start = self.frames.first().map_or(0, |(_, first)| first.offset);
        let at = (place.offset - start) as usize;
        let stored = self.bytes.get(at..at + place.stored_len as usize);
        stored.ok_or_else(|| Error::corrupt(ObjectName::pack(place.pack), "cut short"))
    }

    /// Copies the frames bytewise.
    fn append(&self, pack: &mut PackWriter, keys: &[SealedSessionKey]) -> Result<()> {
        for (id, place) in self.frames {
            let key = keys.iter().position(|key| *key == place.sealed_key);
            let (Some(key), Some(codec)) = (key, Codec::from_tag(place.codec)) else {
                return Err(Error::corrupt(
                    ObjectName::pack(place.pack),
                    "a frame's key or codec is not known",
                ));
            };
            let frame = Frame {
                id: *id,
                offset: 0,
                stored_len: place.stored_len,
                plain_len: place.plain_len,
                codec,
                key: key as u16,
            };
            pack.append(frame, self.stored(place)?)?;
        }
        Ok(())
    }
}

/// What one thread needs to open frames.
struct Prover {
    decoder: Decoder,
    plain: Vec<u8>,
}

impl Prover {
    fn new() -> Result<Self> {
        Ok(Prover {
            decoder: Decoder::new()?,
            plain: Vec::new(),
        })
    }

    fn prove<'a>(
        &mut self,
        (keys, class, proof): (&Keys, Class, Proof),
        run: &Run<'_>,
        mut frames: impl Iterator<Item = &'a (ChunkId, Place)>,
    ) -> Result<()> {
        frames.try_for_each(|(id, place)| {
            let stored = run.stored(place)?;
            match proof {
                Proof::Seal => self.decoder.prove_seal(keys, class, *id, place, stored),
                Proof::Content => self
                    .decoder
                    .open_at(keys, class, *id, place, stored, &mut self.plain),
            }
        })
    }
}

/// Proves every frame, on all threads.
fn prove(provers: &mut [Prover], how: (&Keys, Class, Proof), run: &Run<'_>) -> Result<()> {
    let threads = provers.len();
    std::thread::scope(|scope| {
        let started: Vec<_> = provers
            .iter_mut()
            .enumerate()
            .map(|(number, prover)| {
                let share = run.frames.iter().skip(number).step_by(threads);
                threads::spawn_in(scope, "prove", move || prover.prove(how, run, share))
            })
            .collect();
        started
            .into_iter()
            .try_for_each(|thread| thread?.join().unwrap_or(Err(Error::WriterFailed)))
    })
}
