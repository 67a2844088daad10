//! Reads packs whole: hash of the bytes against the name, the pack's own list of frames against the index, and every
//! frame opened with its id proven (I-2, I-3). Packs are streamed in pieces, several side by side; memory is a few
//! pieces a thread.

use super::listed::ListedPacks;
use super::read_times::ReadTimes;
use super::structure::{Structure, of_chunk};
use super::triage::Triage;
use super::{DueLimit, Findings, ReadData};
use crate::error::{Error, Result, Usage};
use crate::monitor::{Monitor, Progress};
use crate::problem::Damage;
use crate::repo::Repo;
use chunkstore::error::Flaw;
use chunkstore::frame::Decoder;
use chunkstore::index::Inventory;
use chunkstore::keys::KeyClass;
use chunkstore::object::cap;
use chunkstore::pack::{self, Frame, PackList};
use chunkstore::parity;
use chunkstore::remote::ObjectName;
use chunkstore::store::Store;
use chunkstore::{ChunkId, Error as StoreError, PackId, descriptors, threads};
use parking_lot::Mutex;
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

/// Bytes read at once.
const PIECE: usize = 4 << 20;

/// Reads packs, and notes those that are sound; returns how many and their bytes.
pub(super) fn read(
    repo: &Repo,
    triage: &Triage<'_>,
    structure: &Structure,
    packs: Vec<(PackId, u64)>,
    (findings, times): (&mut Findings, &mut ReadTimes),
    monitor: &dyn Monitor,
) -> Result<(u64, u64)> {
    let job = PackCheck {
        store: &repo.store,
        triage,
        structure,
        monitor,
        bytes: packs.iter().map(|(_, size)| size).sum(),
        packs,
        next: AtomicUsize::new(0),
        done: AtomicU64::new(0),
        stop: AtomicBool::new(false),
        findings: Mutex::new(findings),
        times: Mutex::new(times),
        unlistable: Mutex::default(),
        parities: repo.store.parities()?,
    };
    std::thread::scope(|scope| {
        // This thread works too, whatever becomes of the others.
        let others: Vec<_> = (1..descriptors::threads(repo.run().threads(8)))
            .filter_map(|_| threads::spawn_in(scope, "check", || job.work()).ok())
            .collect();
        let mut result = job.work();
        for other in others {
            // Nothing in a worker panics by design; if one does, the check has not seen everything.
            let ended = other.join().unwrap_or(Err(StoreError::WriterFailed.into()));
            result = result.and(ended);
        }
        result
    })?;
    job.frames_by_index()?;
    Ok((job.packs.len() as u64, job.done.load(Relaxed)))
}

/// A pack and its size.
type SizedPack = (PackId, u64);

/// Packs to read.
pub(super) struct ChosenPacks {
    /// In the order in which they are read, with their sizes.
    pub packs: Vec<(PackId, u64)>,
    /// Packs that are due and not chosen, and their bytes.
    pub left: (u64, u64),
}

/// The packs that are to be read, of `only` these if given.
pub(super) fn choose(
    structure: &Structure,
    what: ReadData,
    only: Option<&HashSet<PackId>>,
    times: &ReadTimes,
) -> Result<ChosenPacks> {
    let mut packs: Vec<(PackId, u64)> = structure.packs.iter().map(|(id, size)| (*id, *size)).collect();
    packs.sort_unstable();
    if let ReadData::Due { since, limit } = what {
        let all = packs.iter().map(|(_, size)| size).sum();
        packs.retain(|(id, _)| only.is_none_or(|only| only.contains(id)));
        return due(times.due(packs, since), limit, all);
    }
    let mut packs = chosen(packs, what)?;
    packs.retain(|(id, _)| only.is_none_or(|only| only.contains(id)));
    let left = (0, 0);
    Ok(ChosenPacks { packs, left })
}

/// What is read of the packs that are due; `all` are the bytes of all packs.
fn due(packs: Vec<(PackId, u64)>, limit: Option<DueLimit>, all: u64) -> Result<ChosenPacks> {
    let bytes = |packs: &[(PackId, u64)]| packs.iter().map(|(_, size)| size).sum::<u64>();
    let (packs, rest) = match limit {
        None => (packs, Vec::new()),
        Some(DueLimit::Subset { n, of }) => {
            let is_in = part(n, of)?;
            packs.into_iter().partition(|(id, _)| is_in(id))
        }
        Some(DueLimit::Size(most)) => split(packs, most),
        Some(DueLimit::Percent(percent)) => split(packs, (all as f64 * percent / 100.0).ceil() as u64),
    };
    let left = (rest.len() as u64, bytes(&rest));
    Ok(ChosenPacks { packs, left })
}

/// About so many bytes from the front, and the rest.
fn split(mut packs: Vec<SizedPack>, most: u64) -> (Vec<SizedPack>, Vec<SizedPack>) {
    let rest = packs.split_off(within(&packs, most));
    (packs, rest)
}

/// So many packs from the front have about so many bytes; the one that exceeds them counts.
fn within(packs: &[(PackId, u64)], most: u64) -> usize {
    let mut sum = 0;
    let fits = |(_, size): &&(PackId, u64)| {
        let before = sum;
        sum += size;
        before < most
    };
    packs.iter().take_while(fits).count()
}

/// Whether a pack is in the `n`-th of so many parts.
fn part(n: u64, of: u64) -> Result<impl Fn(&PackId) -> bool> {
    if n == 0 || n > of {
        return Err(Error::Usage(Usage::Part { n, of }));
    }
    Ok(move |id: &PackId| {
        let digits = id.0[..8].iter();
        let part = digits.fold(0, |rest, byte| (rest * 256 + u128::from(*byte)) % u128::from(of));
        part == u128::from(n - 1)
    })
}

/// Packs in the order of their names, of those that are not chosen by what was read when.
fn chosen(mut packs: Vec<(PackId, u64)>, what: ReadData) -> Result<Vec<(PackId, u64)>> {
    let keep = match what {
        ReadData::None | ReadData::Due { .. } => 0,
        ReadData::All => packs.len(),
        ReadData::Subset { n, of } => {
            let is_in = part(n, of)?;
            packs.retain(|(id, _)| is_in(id));
            packs.len()
        }
        ReadData::Percent(percent) => {
            shuffle(&mut packs)?;
            (packs.len() as f64 * percent / 100.0).ceil() as usize
        }
        ReadData::Size(bytes) => {
            shuffle(&mut packs)?;
            within(&packs, bytes)
        }
    };
    packs.truncate(keep);
    packs.sort_unstable();
    Ok(packs)
}

/// Sorts by a keyed hash under a fresh key.
fn shuffle(packs: &mut [(PackId, u64)]) -> Result<()> {
    let key = chunkstore::id::random::<32>()?;
    packs.sort_by_cached_key(|(id, _)| *blake3::keyed_hash(&key, id.as_bytes()).as_bytes());
    Ok(())
}

struct PackCheck<'a> {
    store: &'a Store,
    triage: &'a Triage<'a>,
    structure: &'a Structure,
    monitor: &'a dyn Monitor,
    packs: Vec<(PackId, u64)>,
    bytes: u64,
    next: AtomicUsize,
    done: AtomicU64,
    stop: AtomicBool,
    findings: Mutex<&'a mut Findings>,
    times: Mutex<&'a mut ReadTimes>,
    /// Packs whose own list can't be read: their frames are checked by the index.
    unlistable: Mutex<HashSet<PackId>>,
    /// Packs that have parity.
    parities: Inventory,
}

/// Buffers of one thread.
struct CheckWorker {
    decoder: Decoder,
    piece: Vec<u8>,
    /// The beginning of a frame that goes on in the next piece.
    carry: Vec<u8>,
    plain: Vec<u8>,
}

impl PackCheck<'_> {
    fn work(&self) -> Result<()> {
        let mut worker = CheckWorker {
            decoder: Decoder::new()?,
            piece: Vec::new(),
            carry: Vec::new(),
            plain: Vec::new(),
        };
        while let Some((id, _)) = self.packs.get(self.next.fetch_add(1, Relaxed)) {
            if self.stop.load(Relaxed) {
                return Ok(());
            }
            self.store.cancel().check()?;
            let checked = self.pack(&mut worker, *id).and_then(|()| self.parity(*id));
            if checked.is_err() {
                self.stop.store(true, Relaxed);
            }
            checked?;
            self.note(*id);
        }
        Ok(())
    }

    /// Notes that a pack was read, unless it could not be.
    fn note(&self, id: PackId) {
        let (is_hurt, is_unread) = {
            let found = self.findings.lock();
            let is_hurt = found.hurt_packs.contains(&id) || found.abandoned.contains(&id);
            (
                is_hurt,
                found.unreadable.contains(&ObjectName::pack(id).to_string()),
            )
        };
        let mut times = self.times.lock();
        if is_hurt || !is_unread {
            times.note(id, !is_hurt);
        }
        // That it can't be saved is reported in the end.
        let _ = times.keep();
    }

    fn damage(&self, pack: PackId, why: Damage) {
        self.find(|findings| self.structure.hurt(findings, pack, why));
    }

    /// Notes what was found, and reports it at once.
    fn find(&self, note: impl FnOnce(&mut Findings)) {
        let mut findings = self.findings.lock();
        note(&mut findings);
        for problem in std::mem::take(&mut findings.problems) {
            self.monitor.problem(&problem);
        }
    }

    fn pack(&self, worker: &mut CheckWorker, id: PackId) -> Result<()> {
        let (remote, keys) = (self.store.remote(), self.store.keys());
        let list = match self.triage.pack(id, || pack::read_list(remote, keys, id))? {
            Ok(list) => Some(list),
            Err(StoreError::Missing { .. }) if self.collected(id)? => return Ok(()),
            Err(e) => {
                self.trouble(id, &e);
                if e.is_damage() && self.structure.listed.contains_key(&id) {
                    self.unlistable.lock().insert(id);
                }
                None
            }
        };
        if let Some(list) = &list {
            self.compare(list);
        }
        let read = self.stream(worker, id, list.as_ref()).or_else(flatten)?;
        match self.triage.pack(id, || read)? {
            Err(StoreError::Missing { .. }) if self.collected(id)? => Ok(()),
            Err(e) => {
                self.trouble(id, &e);
                if e.is_damage() {
                    self.unlistable.lock().insert(id);
                }
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    fn trouble(&self, id: PackId, error: &StoreError) {
        match error.is_damage() {
            true => self.damage(id, Damage::Object(error.clone())),
            false => self.find(|findings| findings.trouble(ObjectName::pack(id), error)),
        }
    }

    /// A pack's parity, where it has some.
    fn parity(&self, id: PackId) -> Result<()> {
        if !self.parities.contains_key(&id) {
            return Ok(());
        }
        let name = ObjectName::parity(id);
        let read = self.store.remote().get(&name, cap::PARITY);
        let read = read.and_then(|bytes| parity::verify(self.store.id(), id, &bytes));
        match self.triage.sound(&name, read)? {
            // With its pack, by a collection.
            Ok(()) | Err(StoreError::Missing { .. }) => {}
            Err(e) => self.find(|findings| findings.trouble(name, &e)),
        }
        Ok(())
    }

    /// Whether a pack that is missing now was deleted by a collection since it was listed.
    fn collected(&self, id: PackId) -> Result<bool> {
        let view = chunkstore::session::View::read(self.store)?;
        Ok(self.store.remote().size(&ObjectName::pack(id))?.is_none()
            && (view.segments != self.structure.segments() || !self.structure.listed.contains_key(&id)))
    }

    /// The pack's own list against the index segments'.
    fn compare(&self, list: &PackList) {
        let Some(listed) = self.structure.listed.get(&list.id) else {
            return;
        };
        let own = ListedPacks::of(list);
        let same = listed.class == own.class && listed.frames == own.frames && listed.sum == own.sum;
        if !same {
            self.damage(list.id, Damage::ListDiffers);
        }
    }

    /// Reads all bytes: hashes them and opens the frames of `list` as they complete.
    fn stream(
        &self,
        worker: &mut CheckWorker,
        id: PackId,
        list: Option<&PackList>,
    ) -> Result<Result<(), StoreError>> {
        let name = ObjectName::pack(id);
        let mut hasher = blake3::Hasher::new();
        let mut frames = list.map_or(&[][..], |list| &list.frames).iter().peekable();
        let (mut offset, mut is_sound) = (0u64, true);
        worker.carry.clear();
        loop {
            let mut piece = std::mem::take(&mut worker.piece);
            if let Err(e) = self.store.remote().read(&name, offset, PIECE, &mut piece) {
                return Ok(Err(e));
            }
            hasher.update(&piece);
            let start = offset;
            offset += piece.len() as u64;
            while let Some(frame) = frames.peek() {
                let (from, end) = (
                    u64::from(frame.offset),
                    u64::from(frame.offset) + u64::from(frame.stored_len),
                );
                if end > offset {
                    let at = from.max(start);
                    if at < offset {
                        worker.carry.extend_from_slice(&piece[(at - start) as usize..]);
                    }
                    break;
                }
                let rest = &piece[(from.max(start) - start) as usize..(end - start) as usize];
                if worker.carry.is_empty() {
                    is_sound &= self.frame(&mut worker.decoder, &mut worker.plain, list, frame, rest)?;
                } else {
                    worker.carry.extend_from_slice(rest);
                    let carry = std::mem::take(&mut worker.carry);
                    is_sound &= self.frame(&mut worker.decoder, &mut worker.plain, list, frame, &carry)?;
                    worker.carry = carry;
                    worker.carry.clear();
                }
                frames.next();
            }
            self.progress(piece.len() as u64);
            let ended = piece.len() < PIECE;
            worker.piece = piece;
            if ended {
                break;
            }
        }
        // Where a frame is damaged, the pack's name can't fit either: that is the same damage.
        if is_sound && hasher.finalize().as_bytes() != id.as_bytes() {
            let mismatch = StoreError::corrupt(name, Flaw::HashMismatch);
            self.damage(id, Damage::Object(mismatch));
        }
        Ok(Ok(()))
    }

    fn progress(&self, bytes: u64) {
        let bytes_done = self.done.fetch_add(bytes, Relaxed) + bytes;
        self.monitor.progress(&Progress {
            bytes_done,
            bytes_total: self.bytes,
            files_done: self.next.load(Relaxed).min(self.packs.len()) as u64,
            files_total: self.packs.len() as u64,
            errors: 0,
        });
    }

    /// Whether a frame is sound; what is wrong with it is reported.
    fn frame(
        &self,
        decoder: &mut Decoder,
        plain: &mut Vec<u8>,
        list: Option<&PackList>,
        frame: &Frame,
        stored: &[u8],
    ) -> Result<bool> {
        let Some(list) = list else { return Ok(true) };
        let keys = self.store.keys();
        let opened = match list.sealed_keys.get(usize::from(frame.key)) {
            Some(sealed) => keys
                .open_key(KeyClass::of_frames(list.class.is_tree()), sealed)
                .and_then(|key| decoder.open(keys, &key, list.class, frame, stored, plain)),
            None => Err(StoreError::corrupt(ObjectName::pack(list.id), Flaw::KeyNotListed)),
        };
        match opened {
            Ok(()) => {
                self.parts(list, frame, plain);
                Ok(true)
            }
            // Its own list is proven, so it is no newer form of anything.
            Err(e) if e.is_object_local() => {
                self.damage(list.id, of_chunk(&frame.id, &e));
                self.bad(list.id, frame.id)?;
                Ok(false)
            }
            Err(e) => Err(e.into()),
        }
    }

    /// Whether the files that were moved into this frame's bundle match the pack's list.
    fn parts(&self, list: &PackList, frame: &Frame, plain: &[u8]) {
        let keys = self.store.keys();
        let number = list.frames.partition_point(|other| other.offset < frame.offset);
        let parts = list.parts_of(number).iter();
        let wrong = parts.filter(|part| !part.is_proven(keys, plain)).count();
        if wrong > 0 {
            let files = Damage::BundledFiles {
                files: wrong as u64,
                chunk: frame.id,
            };
            self.damage(list.id, files);
        }
    }

    /// A frame is of no use. Its chunk is, unless the index knows another copy.
    fn bad(&self, pack: PackId, id: ChunkId) -> Result<()> {
        let copies = self.structure.index.copies(&id)?;
        if !copies.is_empty() && copies.iter().all(|at| at.place.pack == pack) {
            self.findings.lock().bad_chunk(id)?;
        }
        Ok(())
    }

    /// Tries the frames of packs that could not be read in one go, one by one.
    fn frames_by_index(&self) -> Result<()> {
        let packs = std::mem::take(&mut *self.unlistable.lock());
        if packs.is_empty() {
            return Ok(());
        }
        let mut decoder = Decoder::new()?;
        let mut plain = Vec::new();
        let (remote, keys) = (self.store.remote(), self.store.keys());
        self.triage
            .each_segment(self.structure.segments(), &mut |segment| {
                for entry in &segment.entries {
                    let pack = &segment.packs[entry.pack as usize];
                    if !packs.contains(&pack.id) {
                        continue;
                    }
                    let place = segment.place(entry);
                    let read = self.triage.pack(pack.id, || {
                        decoder.read(remote, keys, pack.class, entry.id, &place, &mut plain)
                    });
                    if read?.is_err_and(|e| e.is_damage()) {
                        self.bad(pack.id, entry.id)?;
                    }
                }
                Ok(())
            })
    }
}

/// An engine error that is only a store's, so that it can be judged as one.
fn flatten(error: Error) -> Result<Result<(), StoreError>> {
    match error {
        Error::Store(error) => Ok(Err(error)),
        error => Err(error),
    }
}
