//! Brings chunks from one replica to another as they are stored: a pack as a whole where most of it is wanted, else
//! frames, byte for byte, into new packs. A pack whose bytes are those of its name needs no opening; a frame that goes
//! into a new pack is proven first, so that damage gets no fresh, valid name. What footers list of moved files is compared
//! with its hash either way.
//!
//! What comes has a name that was never at the target before, whole packs too: their old name may have been there, and
//! somebody may still be about to delete it (I-18).
//!
//! Runs under the session of a [`Writer`], which lists what came (I-1). What a mark condemns at the target is in no way
//! relied on (I-4): a chunk in such a pack comes again, in another one.

use crate::error::{Error, Operation, Result};
use crate::frame::Decoder;
use crate::id::PackId;
use crate::index::{Inventory, LocalIndex};
use crate::indexfile::ENTRIES_PER_SEGMENT;
use crate::intake::OnProgress;
use crate::live::LiveSet;
use crate::pack::{self, Frame, PackList};
use crate::session::View;
use crate::simulation::{self, Rule};
use crate::smallfile::Part;
use crate::store::Store;
use crate::sweep::repack::Mover;
use crate::sweep::run::place;
use crate::threads;
use crate::writer::Writer;
use crossbeam_channel::{Sender, bounded};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

mod carry;

use carry::carry_pack;

/// Packs on their way at a time at most; each is in memory until it has arrived.
const LANES: usize = 4;
/// What header, footer and padding take of the smallest pack, which are not wanted.
const PADDING: u64 = 8 << 10;
/// Packs that wait for their index segment at most: so much is done again after a crash.
const UNLISTED: usize = 32;

/// The replica that chunks come from.
pub struct Origin {
    pub store: Arc<Store>,
    pub index: LocalIndex,
    packs: Inventory,
}

impl Origin {
    /// Reads what it has. A collection may replace segments in the meantime: then it is read again. A segment that can't
    /// be read is left out: what only it lists is unknown, not missing ([`Store::unknown`]).
    pub fn open(store: Arc<Store>, progress: &mut dyn FnMut(usize, usize)) -> Result<Self> {
        let mut tries = 0;
        loop {
            let view = View::read(&store)?;
            let packs = store.packs()?;
            match store.index_of(&view, &packs, progress) {
                Err(e) if store.changed_under(&e, &mut tries) => {}
                index => {
                    let index = index?;
                    return Ok(Origin { store, index, packs });
                }
            }
        }
    }
}

/// What came, and what did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TransferStats {
    /// Whole packs.
    pub packs: u64,
    /// Chunks that were asked for and came.
    pub chunks: u64,
    /// Bytes that were sent.
    pub bytes: u64,
    /// Chunks that the origin does not have either, or not whole.
    pub lost: u64,
    /// Chunks in packs that can't be read at the origin.
    pub unread: u64,
}

/// What to ask the origin for, so that what is `lacking` is there: a small file's bundle, or the one that a collection
/// moved it to there. Files that are asked for are named by the latter.
pub fn wanted(origin: &Origin, lacking: &mut LiveSet) -> Result<LiveSet> {
    let mut wanted = LiveSet::new(origin.store.cache())?;
    lacking.scan(&mut |ids| ids.iter().try_for_each(|id| wanted.insert(*id).map(drop)))?;
    lacking.scan_files(&mut |file| {
        match origin.index.find_file(file)? {
            Some((now, _)) if now.bundle != file.bundle => wanted.insert_file(now)?,
            // Or it is nowhere, and counted as lost.
            _ => drop(wanted.insert(file.bundle)?),
        }
        Ok(())
    })?;
    Ok(wanted)
}

/// Brings the `wanted` chunks, and the bundles of the `wanted` files with what is listed of them. To mend a replica, be
/// `careful`: then what is damaged or can't be read at the origin too is counted, where it is otherwise an error in a pack
/// that does not come whole. What came is listed when this returns, also after an error, as far as it can
/// be.
pub fn transfer(
    origin: &Origin,
    to: &Store,
    writer: &Writer,
    wanted: &mut LiveSet,
    careful: bool,
    on_progress: &OnProgress<'_>,
) -> Result<TransferStats> {
    let mut transfer = Transfer {
        origin,
        to,
        writer,
        careful,
        on_progress,
        brought: TransferStats::default(),
    };
    let by_pack = transfer.by_pack(wanted)?;
    let (whole, part): (Vec<_>, Vec<_>) = by_pack
        .into_iter()
        .partition(|(id, (_, bytes))| transfer.is_worth_it(id, *bytes));
    let hurt = transfer.packs(&whole)?;
    let part: BTreeSet<PackId> = part.into_iter().map(|(id, _)| id).collect();
    transfer.frames(&part, &hurt, wanted)?;
    Ok(transfer.brought)
}

struct Transfer<'a> {
    origin: &'a Origin,
    to: &'a Store,
    writer: &'a Writer,
    careful: bool,
    on_progress: &'a OnProgress<'a>,
    brought: TransferStats,
}

/// Wanted chunks of a pack and their stored bytes.
type Share = (u64, u64);

impl Transfer<'_> {
    /// Where the wanted chunks lie at the origin. Memory grows with its packs, not with chunks.
    fn by_pack(&mut self, wanted: &mut LiveSet) -> Result<BTreeMap<PackId, Share>> {
        let mut by_pack = BTreeMap::<PackId, Share>::new();
        let mut lost = 0;
        wanted.scan(&mut |ids| {
            for located in self.origin.index.locate_sorted(ids)? {
                match located {
                    Some(at) => {
                        let share = by_pack.entry(at.place.pack).or_default();
                        share.0 += 1;
                        share.1 += u64::from(at.place.stored_len);
                    }
                    None => lost += 1,
                }
            }
            Ok(())
        })?;
        self.brought.lost += lost;
        let mut last = None;
        wanted.scan_files(&mut |file| {
            if last.replace(file.bundle) == Some(file.bundle) {
                return Ok(());
            }
            let moved = self.origin.index.moved(&file.hash)?;
            let there = moved.iter().find(|to| to.bundle == file.bundle);
            let at = self.origin.index.locate(&file.bundle)?;
            if let (Some(to), Some(at)) = (there, at) {
                let share = by_pack.entry(to.pack).or_default();
                share.0 += 1;
                share.1 += u64::from(at.place.stored_len);
            }
            Ok(())
        })?;
        Ok(by_pack)
    }

    /// Whether a pack comes as a whole: half of it is wanted.
    fn is_worth_it(&self, id: &PackId, wanted: u64) -> bool {
        let size = self.origin.packs.get(id).copied().unwrap_or(u64::MAX);
        wanted.saturating_mul(2).saturating_add(PADDING) >= size
    }

    /// Brings whole packs, several at a time, and lists them. Returns those that are damaged at the origin.
    fn packs(&mut self, packs: &[(PackId, Share)]) -> Result<BTreeSet<PackId>> {
        let lanes = self
            .origin
            .store
            .remote()
            .max_concurrency()
            .max(self.to.remote().max_concurrency());
        let (send, arrive) = bounded(LANES);
        let (next, stop) = (Mutex::new(packs.iter()), AtomicBool::new(false));
        let this = Courier {
            origin: self.origin,
            to: self.to,
            renews: !simulation::left_out(Rule::FreshNames),
            on_progress: self.on_progress,
        };
        let mut arrivals = Arrivals {
            careful: self.careful,
            ..Arrivals::default()
        };
        std::thread::scope(|scope| {
            for _ in 0..lanes.clamp(1, LANES) {
                let (send, next, stop, this) = (send.clone(), &next, &stop, &this);
                let work = move || this.work(&mut || next.lock().next(), stop, &send);
                threads::spawn_in(scope, "transfer", work)?;
            }
            drop(send);
            for arrived in arrive {
                if let Err(e) = arrivals.take(arrived, self.writer) {
                    stop.store(true, Relaxed);
                    arrivals.failure.get_or_insert(e);
                }
            }
            Ok::<(), Error>(())
        })?;
        let listed = self.writer.adopt(&mut arrivals.lists);
        self.brought.packs += arrivals.sent.packs;
        self.brought.bytes += arrivals.sent.bytes;
        self.brought.chunks += arrivals.sent.chunks;
        self.brought.unread += arrivals.sent.unread;
        arrivals.failure.map_or(Ok(()), Err)?;
        listed.map(|()| arrivals.hurt)
    }

    /// Brings what is wanted of other packs frame by frame; of `hurt` ones what is intact.
    fn frames(
        &mut self,
        part: &BTreeSet<PackId>,
        hurt: &BTreeSet<PackId>,
        wanted: &mut LiveSet,
    ) -> Result<()> {
        if part.is_empty() && hurt.is_empty() {
            return Ok(());
        }
        let (from, writer) = (&*self.origin.store, self.writer);
        let mut mover = Mover::between(from, self.to, Box::new(|lists| writer.adopt(lists)))?;
        let on_progress = self.on_progress;
        let moved = &mut |bytes| on_progress(bytes);
        let done = part
            .union(hurt)
            .try_for_each(|id| self.frames_of(*id, self.careful || hurt.contains(id), wanted, &mut mover))
            .and_then(|()| mover.finish(moved));
        mover.ended(done)
    }

    fn frames_of(
        &mut self,
        id: PackId,
        is_hurt: bool,
        wanted: &mut LiveSet,
        mover: &mut Mover<'_>,
    ) -> Result<()> {
        let from = &*self.origin.store;
        let (list, is_hurt) = match pack::read_list(from.remote(), from.keys(), id) {
            Ok(list) => (list, is_hurt),
            Err(e) if e.is_object_local() => return self.frames_by_index(id, wanted, mover),
            Err(e) => return self.unread(id, e),
        };
        for (number, frame) in list.frames.iter().enumerate() {
            let parts = list.parts_of(number);
            let is_wanted = wanted.contains(&frame.id)? && self.is_named(&list, frame)?;
            if is_wanted || !parts.is_empty() && wanted.names(&frame.id)? {
                self.frame(&list, (frame, parts), is_hurt, mover)?;
            }
        }
        Ok(())
    }

    /// A pack, or part of one, can't be read at the origin: counted where the caller is careful.
    fn unread(&mut self, id: PackId, error: Error) -> Result<()> {
        match self.origin.store.judge_pack(id, error) {
            e if self.careful && e.is_unreadable() => {
                self.brought.unread += 1;
                Ok(())
            }
            e => Err(e),
        }
    }

    /// Of several copies the one that the index names.
    fn is_named(&self, list: &PackList, frame: &Frame) -> Result<bool> {
        let located = self.origin.index.locate(&frame.id)?;
        Ok(located.is_some_and(|at| at.place.pack == list.id && at.place.offset == frame.offset))
    }

    fn frame(
        &mut self,
        list: &PackList,
        (frame, parts): (&Frame, &[Part]),
        is_hurt: bool,
        mover: &mut Mover<'_>,
    ) -> Result<()> {
        let place = place(list, frame)?;
        let from = &*self.origin.store;
        if is_hurt {
            let mut plain = Vec::new();
            let read = Decoder::new()?.read(
                from.remote(),
                from.keys(),
                list.class,
                frame.id,
                &place,
                &mut plain,
            );
            match read {
                Ok(()) => {}
                Err(e) if e.is_object_local() => {
                    self.brought.lost += 1;
                    return Ok(());
                }
                Err(e) => return self.unread(list.id, e),
            }
        }
        self.brought.chunks += 1;
        self.brought.bytes += u64::from(frame.stored_len);
        mover.add(list.class, (frame.id, place, parts), &mut |bytes| {
            (self.on_progress)(bytes)
        })
    }

    /// Of a pack whose own list can't be read any more.
    fn frames_by_index(&mut self, id: PackId, wanted: &mut LiveSet, mover: &mut Mover<'_>) -> Result<()> {
        let mut found = Vec::new();
        wanted.scan(&mut |ids| {
            for (chunk, located) in ids.iter().zip(self.origin.index.locate_sorted(ids)?) {
                found.extend(located.filter(|at| at.place.pack == id).map(|at| (*chunk, at)));
            }
            Ok(())
        })?;
        let moved = self.origin.index.moved_into(&id)?;
        for (to, _) in &moved {
            if wanted.names(&to.bundle)? {
                let copies = self.origin.index.copies(&to.bundle)?;
                let here = copies
                    .iter()
                    .find(|at| at.place.pack == id && at.place.offset == to.frame);
                found.extend(here.map(|at| (to.bundle, *at)));
            }
        }
        found.sort_unstable_by_key(|(chunk, at)| (at.place.offset, *chunk));
        found.dedup_by_key(|(chunk, _)| *chunk);
        let from = &*self.origin.store;
        let (mut decoder, mut plain) = (Decoder::new()?, Vec::new());
        for (chunk, at) in found {
            match decoder.read(from.remote(), from.keys(), at.class, chunk, &at.place, &mut plain) {
                Ok(()) => {
                    self.brought.chunks += 1;
                    self.brought.bytes += u64::from(at.place.stored_len);
                    let here = moved.iter().filter(|(to, _)| to.frame == at.place.offset);
                    let parts: Vec<Part> = here.map(|(_, part)| *part).collect();
                    mover.add(at.class, (chunk, at.place, &parts), &mut |bytes| {
                        (self.on_progress)(bytes)
                    })?;
                }
                Err(e) if e.is_object_local() => self.brought.lost += 1,
                Err(e) => self.unread(id, e)?,
            }
        }
        Ok(())
    }
}

/// A pack that came, or why it did not.
type Arrived = (PackId, Share, Result<(PackList, u64)>);

/// What carries whole packs.
struct Courier<'a> {
    origin: &'a Origin,
    to: &'a Store,
    /// Always, but to see what happens otherwise.
    renews: bool,
    on_progress: &'a OnProgress<'a>,
}

impl Courier<'_> {
    fn work<'p>(
        &self,
        next: &mut dyn FnMut() -> Option<&'p (PackId, Share)>,
        stop: &AtomicBool,
        send: &Sender<Arrived>,
    ) {
        while !stop.load(Relaxed)
            && let Some((id, share)) = next()
        {
            let carried = self.carry(*id);
            if send.send((*id, *share, carried)).is_err() {
                return;
            }
        }
    }

    /// The pack's list, and the bytes that were sent.
    fn carry(&self, id: PackId) -> Result<(PackList, u64)> {
        (self.on_progress)(0)?;
        let carried = carry_pack(&self.origin.store, self.to, id, self.renews, self.on_progress);
        carried.map_err(|e| match &e {
            // Of the origin: the other operations are the target's.
            Error::Remote {
                operation: Operation::Read,
                ..
            } => self.origin.store.judge_pack(id, e),
            _ => e,
        })
    }
}

/// Packs that came and are to be listed.
#[derive(Default)]
struct Arrivals {
    /// Packs that can't be read are counted.
    careful: bool,
    lists: Vec<PackList>,
    entries: usize,
    hurt: BTreeSet<PackId>,
    sent: TransferStats,
    failure: Option<Error>,
}

impl Arrivals {
    fn take(&mut self, (id, (chunks, _), arrived): Arrived, writer: &Writer) -> Result<()> {
        let (list, sent) = match arrived {
            Ok(arrived) => arrived,
            // Its whole frames may be had all the same.
            Err(e) if e.is_object_local() => {
                self.hurt.insert(id);
                return Ok(());
            }
            Err(e) if self.careful && e.is_unreadable() => {
                self.sent.unread += chunks;
                return Ok(());
            }
            Err(e) => return Err(e),
        };
        self.sent.packs += u64::from(sent > 0);
        self.sent.bytes += sent;
        self.sent.chunks += chunks;
        self.entries += list.rows();
        self.lists.push(list);
        if self.entries >= ENTRIES_PER_SEGMENT || self.lists.len() >= UNLISTED {
            self.entries = 0;
            writer.adopt(&mut self.lists)?;
        }
        Ok(())
    }
}
