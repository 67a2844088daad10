//! Moves what is needed out of poor packs into new packs, then indexes those (I-1): frames bytewise, and small files out
//! of bundles that are mostly dead.
//!
//! Works pack by pack from the packs' own footers, so memory does not grow with what is moved.

use super::Needs;
use super::needs::PackUse;
use super::rebundle::Rebundler;
use super::run::{Run, place};
use crate::error::{Error, Object, Result};
use crate::frame::Decoder;
use crate::id::{ChunkId, PackId};
use crate::indexfile::ENTRIES_PER_SEGMENT;
use crate::keys::{Keys, SealedSessionKey};
use crate::live::LiveSet;
use crate::pack::{self, Class, PackList};
use crate::parity::SharedParity;
use crate::place::Place;
use crate::remote::ObjectName;
use crate::smallfile::{Part, parts_at};
use crate::store::Store;
use crate::threads;
use std::collections::HashSet;

/// Sealed keys of one new pack at most: it holds frames of as many sessions.
const KEYS: usize = 256;
/// Threads that open frames at most, each with a chunk in memory.
const PROVERS: usize = 8;

/// Moves what is needed of the `poor` packs into new, indexed packs: frames bytewise, and the needed files of bundles
/// that are mostly dead into new bundles. `moved` is called with the bytes as they go. Returns the new packs.
///
/// After [`Error::NoSpace`] nothing that could not be indexed is left behind.
pub fn repack(
    store: &Store,
    needs: &Needs<'_>,
    poor: &HashSet<PackId>,
    moved: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<HashSet<PackId>> {
    let mut packs: Vec<PackId> = poor.iter().copied().collect();
    packs.sort_unstable();
    let mut mover = Mover::within(store, Proof::Seal)?;
    let mut bundles = Rebundler::new(store)?;
    let result = packs
        .iter()
        .try_for_each(|id| move_pack(store, needs, *id, (&mut mover, &mut bundles), moved))
        .and_then(|()| {
            bundles.finish()?;
            bundles.done.drain(..).try_for_each(|list| mover.made(list))?;
            mover.finish(moved)
        })
        .map_err(|e| of_old_pack(store, e));
    // Or what is there of them is taken for a running backup's.
    mover.lists.append(&mut bundles.done);
    mover.ended(result).map(|()| mover.made)
}

/// What a move failed with: an old pack that can't be read is remembered.
fn of_old_pack(store: &Store, error: Error) -> Error {
    match &error {
        Error::Remote { object, .. } => match object.pack() {
            Some(id) => store.judge_pack(id, error),
            None => error,
        },
        _ => error,
    }
}

fn move_pack(
    store: &Store,
    needs: &Needs<'_>,
    id: PackId,
    (mover, bundles): (&mut Mover<'_>, &mut Rebundler<'_>),
    moved: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<()> {
    let list = pack::read_list(store.remote(), store.keys(), id)?;
    for (number, frame) in list.frames.iter().enumerate() {
        let parts = list.parts_of(number);
        let needed = needs.use_of(&frame.id, &id, frame.offset, parts)?;
        let place = place(&list, frame)?;
        match &needed {
            PackUse::Nothing => continue,
            PackUse::Files(files) if needed.worth(frame.stored_len, frame.plain_len).is_poor => {
                if bundles.add(frame.id, &place, files)? {
                    bundles.done.drain(..).try_for_each(|list| mover.made(list))?;
                    moved(frame.stored_len.into())?;
                    continue;
                }
            }
            PackUse::Files(_) | PackUse::All => {}
        }
        mover.add(list.class, (frame.id, place, parts), moved)?;
    }
    Ok(())
}

/// Moves `wanted` chunks out of condemned packs whole, each proven by its content, with what is listed of moved files in
/// them. Returns the new packs. An error if one of the chunks is in none of the packs any more.
pub fn move_out(
    store: &Store,
    packs: &HashSet<PackId>,
    wanted: &mut LiveSet,
    moved: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<HashSet<PackId>> {
    let mut mover = Mover::within(store, Proof::Content)?;
    let mut out = LiveSet::new(store.cache())?;
    let mut decoder = Decoder::new()?;
    let mut plain = Vec::new();
    let mut failure = None;
    let result = packs
        .iter()
        .try_for_each(|id| {
            let list = pack::read_list(store.remote(), store.keys(), *id)?;
            for (number, frame) in list.frames.iter().enumerate() {
                if !wanted.contains(&frame.id)? {
                    continue;
                }
                let (place, class) = (place(&list, frame)?, list.class);
                match decoder.read(store.remote(), store.keys(), class, frame.id, &place, &mut plain) {
                    Ok(()) => {
                        mover.add(class, (frame.id, place, list.parts_of(number)), moved)?;
                        out.insert(frame.id)?;
                    }
                    // Another copy may be sound.
                    Err(e) => match store.judge_pack(*id, e) {
                        e if e.concerns_one_object() => failure = Some(e),
                        e => return Err(e),
                    },
                }
            }
            Ok(())
        })
        .and_then(|()| mover.finish(moved))
        .and_then(|()| {
            wanted.scan(&mut |ids| {
                ids.iter().try_for_each(|id| match out.contains(id)? {
                    true => Ok(()),
                    false => Err(failure
                        .take()
                        .unwrap_or_else(|| Error::missing(Object::Chunk(*id)))),
                })
            })
        })
        .map_err(|e| of_old_pack(store, e));
    mover.ended(result).map(|()| mover.made)
}

/// Frames of the next new pack. Its header comes first and lists the keys, so they are gathered before it is begun.
struct Batch {
    class: Class,
    frames: Vec<(ChunkId, Place)>,
    /// What was moved into them before.
    parts: Vec<Part>,
    bytes: u64,
    keys: Vec<SealedSessionKey>,
}

impl Batch {
    fn new(class: Class) -> Self {
        Batch {
            class,
            frames: Vec::new(),
            parts: Vec::new(),
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
    /// That its content matches its id, whoever sealed it.
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
    /// All new packs.
    made: HashSet<PackId>,
}

impl<'a> Mover<'a> {
    pub(super) fn within(store: &'a Store, proof: Proof) -> Result<Self> {
        let list = Box::new(|lists: &mut _| store.list_packs(std::mem::take(lists)));
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
            made: HashSet::new(),
        })
    }

    /// What a run of moves ended with. What could not be indexed is taken back where a collection goes on without it: when
    /// the remote is full, or an old pack can't be read.
    pub(crate) fn ended(&mut self, result: Result<()>) -> Result<()> {
        if let Err(Error::NoSpace { .. } | Error::Unreadable { .. }) = &result {
            self.drop_unlisted()?;
        }
        result
    }

    /// Moves a frame, with what its pack lists of the moved files in it.
    pub(crate) fn add(
        &mut self,
        class: Class,
        (id, place, parts): (ChunkId, Place, &[Part]),
        moved: &mut dyn FnMut(u64) -> Result<()>,
    ) -> Result<()> {
        let batch = &self.batches[class as usize - 1];
        let known = batch.keys.contains(&place.sealed_key);
        let size = u64::from(place.stored_len) + (parts.len() * Part::STORED_MAX) as u64;
        let full = batch.bytes + size > self.to.config().pack_size.into() && !batch.frames.is_empty();
        if full || (!known && batch.keys.len() == KEYS) {
            self.write_batch(class, moved)?;
        }
        let batch = &mut self.batches[class as usize - 1];
        if !batch.keys.contains(&place.sealed_key) {
            batch.keys.push(place.sealed_key);
        }
        batch.bytes += size;
        let at = batch.frames.len() as u32;
        batch.parts.extend(parts.iter().map(|part| Part { at, ..*part }));
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
        let mut pack = self.to.begin_pack(batch.class, batch.keys.clone())?;
        let mut rest = &batch.frames[..];
        let mut run = Run::default();
        while run.read(self.from, &mut rest)? {
            let first = pack.frames().len();
            let parts = prove(
                &mut self.provers,
                (self.from.keys(), batch.class, self.proof),
                (&run, first, &batch.parts),
            )?;
            run.append(&mut pack, &batch.keys, &parts)?;
            moved(run.bytes.len() as u64)?;
        }
        let list = self
            .to
            .publish_pack(pack.finish(keys)?, &SharedParity::default())?;
        self.made(list)
    }

    /// A new pack is there.
    fn made(&mut self, list: PackList) -> Result<()> {
        self.entries += list.rows();
        self.made.insert(list.id);
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

    /// Takes back new packs: no segment lists them, so nothing can have referred to them.
    fn drop_unlisted(&mut self) -> Result<()> {
        for list in self.lists.drain(..) {
            self.to.remote().delete(&ObjectName::pack(list.id))?;
        }
        self.to.remote().barrier()
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

    /// Proves frames, each given with its parts, and adds to `proven` those of the parts that are what they say. A seal
    /// proves nothing of a table that somebody else may have written: a part counts once its content was compared.
    fn prove<'a>(
        &mut self,
        (keys, class, proof): (&Keys, Class, Proof),
        run: &Run<'_>,
        mut frames: impl Iterator<Item = (&'a (ChunkId, Place), &'a [Part])>,
        proven: &mut Vec<Part>,
    ) -> Result<()> {
        frames.try_for_each(|((id, place), parts)| {
            let stored = run.stored(place)?;
            let (decoder, plain) = (&mut self.decoder, &mut self.plain);
            match proof {
                Proof::Seal => {
                    decoder.prove_seal(keys, class, *id, place, stored)?;
                    if parts.is_empty() || decoder.open_at(keys, class, *id, place, stored, plain).is_err() {
                        return Ok(());
                    }
                }
                Proof::Content => decoder.open_at(keys, class, *id, place, stored, plain)?,
            }
            proven.extend(parts.iter().filter(|part| part.is_proven(keys, plain)));
            Ok(())
        })
    }
}

/// Proves every frame of a run, on all threads. `first` is the number of its first frame, by which `parts` are listed.
/// Returns those parts that were proven.
fn prove(
    provers: &mut [Prover],
    how: (&Keys, Class, Proof),
    (run, first, parts): (&Run<'_>, usize, &[Part]),
) -> Result<Vec<Part>> {
    let threads = provers.len();
    let mut all = Vec::new();
    std::thread::scope(|scope| {
        let started: Vec<_> = provers
            .iter_mut()
            .enumerate()
            .map(|(number, prover)| {
                let frames = run.frames.iter().enumerate();
                let frames = frames.map(move |(at, frame)| (frame, parts_at(parts, first + at)));
                let share = frames.skip(number).step_by(threads);
                threads::spawn_in(scope, "prove", move || {
                    let mut proven = Vec::new();
                    prover.prove(how, run, share, &mut proven).map(|()| proven)
                })
            })
            .collect();
        started.into_iter().try_for_each(|thread| {
            all.extend(thread?.join().unwrap_or(Err(Error::WriterFailed))?);
            Ok::<(), Error>(())
        })
    })?;
    all.sort_unstable();
    Ok(all)
}
