//! Mends one replica from others, by adding (I-16): what its generations refer to and it has lost, or holds damaged,
//! comes from a replica that has it whole.
//!
//! A damaged pack is put right in its place where the storage can do that (I-2), with the frames of another replica: they
//! are the same bytes, whatever pack they lie in there. Elsewhere its chunks come again in other packs, and a mark
//! condemns it. A damaged index segment is superseded first, as [`repair::index`] does. The generation of a damaged manifest is published anew, under a name of its own
//! (I-18), once everything that it refers to is there; a fence then takes the place of what can't be read.

mod manifests;
mod packs;
mod wanted;

use self::manifests::{KnownManifests, Spare};
use crate::check::{self, ReadData};
use crate::error::{Error, Refusal, Result, StoreError};
use crate::manifest::Manifest;
use crate::monitor::{self, Monitor, Phase, Problem, ProblemKind};
use crate::problem::{Damage, Warning};
use crate::references::{Load, Walk};
use crate::repair;
use crate::repo::{Repo, index_progress};
use crate::tree::references;
use chunkstore::error::Object;
use chunkstore::frame::Decoder;
use chunkstore::live::LiveSet;
use chunkstore::pack::Class;
use chunkstore::reader::Reader;
use chunkstore::remote::ObjectName;
use chunkstore::store::SnapshotObject;
use chunkstore::transfer::{self, Origin};
use chunkstore::writer::Writer;
use chunkstore::{ChunkId, PackId, Place, SessionId, sweep};
use parking_lot::Mutex;
use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::AtomicU64;

/// Names that a report shows; the rest is counted.
const LISTED: usize = 1000;

#[derive(Clone, Debug)]
pub struct HealOptions {
    /// Read all stored data to find what is damaged, not only trees and what is missing.
    pub read_data: bool,
    /// Only report what would be done.
    pub dry_run: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Healed {
    /// Index segments that are damaged, and superseded; packs that no sound one listed, and that are listed again.
    pub segments_damaged: u64,
    pub packs_listed: u64,
    /// Damaged packs, and how many of them were put right in their place.
    pub packs_damaged: u64,
    pub packs_mended: u64,
    /// Those that stay damaged, and that no snapshot needs anything of: condemned, and a collection removes them.
    pub packs_unneeded: u64,
    /// Chunks that were lost or damaged and came from another replica; bytes that were sent for that.
    pub chunks_brought: u64,
    pub bytes: u64,
    /// Generations whose manifest was damaged, and which were published anew.
    pub snapshots_mended: u64,
    /// Names of what was mended, at most a thousand.
    pub mended: Vec<String>,
    /// What no replica has whole: chunks, and manifests.
    pub chunks_lost: u64,
    pub snapshots_lost: u64,
    /// Chunks that did not come, and that a replica may have: something of it can't be read.
    pub chunks_unread: u64,
    /// What can't be read, so that nothing is known of what is in it: index segments, whose packs are listed again;
    /// packs; manifests.
    pub segments_unreadable: u64,
    pub packs_unreadable: u64,
    pub snapshots_unreadable: u64,
    /// Paths that still can't be restored, as a check found after all that was mended.
    pub damaged_paths: u64,
}

impl Healed {
    pub fn is_whole(&self) -> bool {
        !self.is_lacking() && self.unreadable() == 0 && self.chunks_unread == 0
    }

    /// Objects that can't be read.
    pub fn unreadable(&self) -> u64 {
        self.segments_unreadable + self.packs_unreadable + self.snapshots_unreadable
    }

    /// Something is known to be lost.
    pub fn is_lacking(&self) -> bool {
        self.chunks_lost > 0 || self.snapshots_lost > 0 || self.damaged_paths > 0
    }

    /// There was nothing to do.
    pub fn was_whole(&self) -> bool {
        *self == Healed::default()
    }

    fn mended(&mut self, name: &ObjectName) {
        if self.mended.len() < LISTED {
            self.mended.push(name.to_string());
        }
    }
}

/// Mends `repo` from replicas of it, which are asked in this order.
pub fn run(repo: &Repo, from: &[Repo], options: &HealOptions, monitor: &dyn Monitor) -> Result<Healed> {
    for other in from {
        if !other.store.is_replica_of(&repo.store) {
            return Err(Error::Refused(Refusal::NotAReplica {
                location: other.location(),
                of: repo.location(),
            }));
        }
    }
    let mut healed = Healed::default();
    let is_unsure = mend_index(repo, options, &mut healed, monitor)?;
    let mut unread = BTreeSet::new();
    let mut hurt = match options.read_data {
        true => broken_packs(repo, &mut unread, monitor)?,
        false => BTreeSet::new(),
    };
    let before: HashSet<PackId> = repo.store.packs()?.into_keys().collect();
    let progress = index_progress(monitor);
    let origins = from
        .iter()
        .map(|other| Origin::open(other.store.clone(), &mut |done, total| progress(done, total)))
        .collect::<Result<Vec<_>, _>>()?;
    let owner = repo.owner();
    let writer = Writer::begin(repo.store.clone(), owner, 1, options.dry_run)?;
    let index = writer.index(&mut |done, total| progress(done, total))?;
    add_wrong_sizes(
        repo,
        index.wrong_sizes().keys(),
        (&mut hurt, &mut unread),
        monitor,
    );
    let mut healing = Healing {
        repo,
        origins: &origins,
        writer: &writer,
        options,
        monitor,
        hurt: Mutex::new(hurt),
        is_unsure,
        unread: Mutex::new(unread),
        bytes: AtomicU64::new(0),
        put: HashSet::new(),
        healed,
    };
    healing.run()?;
    let Healing {
        put,
        unread,
        mut healed,
        ..
    } = healing;
    healed.packs_unreadable = unread.into_inner().len() as u64;
    drop(writer);
    if !options.dry_run && !healed.was_whole() {
        verify(repo, before, put, &mut healed, monitor)?;
    }
    Ok(healed)
}

/// Repairs the index. Whether packs that can't be read may be listed in segments that can't be read.
fn mend_index(
    repo: &Repo,
    options: &HealOptions,
    healed: &mut Healed,
    monitor: &dyn Monitor,
) -> Result<bool> {
    let how = repair::RepairOptions {
        dry_run: options.dry_run,
    };
    let index = repair::index(repo, &how, &Hush(monitor))?;
    healed.segments_damaged = index.segments_damaged;
    healed.packs_listed = index.packs_listed;
    for (id, error) in repo.store.unreadable_segments() {
        healed.segments_unreadable += 1;
        monitor.problem(&Problem::of(ObjectName::index(id), &error));
    }
    Ok(index.packs_unreadable > 0 && healed.segments_unreadable > 0)
}

/// Reads what was brought, and all that leads to it: that everything is there again is reported only after it was seen.
fn verify(
    repo: &Repo,
    before: HashSet<PackId>,
    put: HashSet<PackId>,
    healed: &mut Healed,
    monitor: &dyn Monitor,
) -> Result<()> {
    let there = repo.store.packs()?.into_keys();
    let new: HashSet<PackId> = there
        .filter(|id| !before.contains(id) || put.contains(id))
        .collect();
    let options = check::CheckOptions {
        read_data: ReadData::All,
    };
    let report = check::run_on(repo, &options, Some(&new), &Hush(monitor))?;
    healed.damaged_paths = report.damaged_paths;
    // The check counts those of which nothing is known, too.
    let damaged = report
        .snapshots_unreadable
        .saturating_sub(healed.snapshots_unreadable);
    healed.snapshots_lost = healed.snapshots_lost.max(damaged);
    Ok(())
}

/// Packs that are there and do not match their names. Those that can't be read were reported, and are added to `unread`.
fn broken_packs(
    repo: &Repo,
    unread: &mut BTreeSet<PackId>,
    monitor: &dyn Monitor,
) -> Result<BTreeSet<PackId>> {
    let options = check::CheckOptions {
        read_data: ReadData::All,
    };
    let report = check::run(repo, &options, &Hush(monitor))?;
    unread.extend(report.unreadable_packs);
    let packs = report.hurt_packs.into_iter().chain(report.unneeded_packs);
    let there = repo.store.packs()?;
    Ok(packs.filter(|id| there.contains_key(id)).collect())
}

/// What a listing shows needs no reading: packs of a wrong size are damaged, unless they can't be examined.
fn add_wrong_sizes<'p>(
    repo: &Repo,
    packs: impl Iterator<Item = &'p PackId>,
    (hurt, unread): (&mut BTreeSet<PackId>, &mut BTreeSet<PackId>),
    monitor: &dyn Monitor,
) {
    for id in packs {
        match repo.store.unreadable_pack(id) {
            None => drop(hurt.insert(*id)),
            Some(error) if unread.insert(*id) => {
                monitor.problem(&Problem::of(ObjectName::pack(*id), &error));
            }
            Some(_) => {}
        }
    }
}

struct Healing<'a> {
    repo: &'a Repo,
    origins: &'a [Origin],
    /// Holds the session; it publishes nothing, and ends it when dropped.
    writer: &'a Writer,
    options: &'a HealOptions,
    monitor: &'a dyn Monitor,
    /// Packs that are there and damaged.
    hurt: Mutex<BTreeSet<PackId>>,
    /// Packs may hold what is lacking: no segment that can be read lists them, and they can't be read either.
    is_unsure: bool,
    /// Packs that can't be read.
    unread: Mutex<BTreeSet<PackId>>,
    bytes: AtomicU64,
    /// Packs that were put right in their place.
    put: HashSet<PackId>,
    healed: Healed,
}

impl Healing<'_> {
    fn run(&mut self) -> Result<()> {
        let (mut live, spares) = self.references()?;
        let hurt = self.put_right()?;
        let mut wanted = LiveSet::new(self.repo.store.cache())?;
        let needed = self.add_wanted(&mut live, &hurt, &mut wanted)?;
        self.healed.packs_unneeded = hurt.difference(&needed).count() as u64;
        self.bring(&mut wanted, &hurt)?;
        self.condemn(&hurt)?;
        for spare in spares {
            self.put_manifest(&spare)?;
        }
        Ok(())
    }

    /// Everything that generations refer to, also those whose manifest only another replica can show.
    fn references(&mut self) -> Result<(LiveSet, Vec<Spare>)> {
        self.monitor.phase(Phase::FindingReferences);
        let mut live = LiveSet::new(self.repo.store.cache())?;
        let mut known = KnownManifests {
            origins: HashSet::new(),
            is_complete: true,
            damaged: Vec::new(),
        };
        self.own_references(&mut live, &mut known)?;
        let spares = self.spares(known)?;
        for manifest in spares.iter().filter_map(|spare| spare.manifest.as_ref()) {
            self.walk(manifest, &mut live)?;
        }
        Ok((live, spares))
    }

    fn own_references(&mut self, live: &mut LiveSet, known: &mut KnownManifests) -> Result<()> {
        let store = &self.repo.store;
        let mut ids = store.snapshot_ids()?;
        let snapshots = ids.len();
        ids.extend(store.trashed()?);
        for (number, id) in ids.into_iter().enumerate() {
            let manifest = match number < snapshots {
                true => store.snapshot_object(id).map(|object| match object {
                    SnapshotObject::Manifest { body, .. } => Some(body),
                    SnapshotObject::Fence => None,
                }),
                false => store.trash(id).map(|(body, _)| Some(body)),
            };
            let body = match manifest {
                Ok(Some(body)) => body,
                // Forgotten or ended in the meantime.
                Ok(None) | Err(StoreError::Missing { .. }) => continue,
                Err(e) if e.is_hurt() && number < snapshots => {
                    known.damaged.push((id, e));
                    continue;
                }
                Err(e) if e.is_hurt() => {
                    self.lose_manifest(id, Damage::Object(e));
                    continue;
                }
                Err(e) => match store.judge(e) {
                    e if e.is_unreadable() => {
                        known.is_complete = false;
                        self.healed.snapshots_unreadable += 1;
                        let name = match number < snapshots {
                            true => ObjectName::snapshot(id),
                            false => ObjectName::trash(id),
                        };
                        self.monitor.problem(&Problem::of(name, &e));
                        continue;
                    }
                    e => return Err(e.into()),
                },
            };
            let manifest = Manifest::decode(id, &body)?;
            known.origins.insert(id);
            known.origins.extend(manifest.original);
            self.walk(&manifest, live)?;
        }
        Ok(())
    }

    fn lose_manifest(&mut self, id: SessionId, how: Damage) {
        self.healed.snapshots_lost += 1;
        let what = ProblemKind::Damage(how);
        self.monitor
            .problem(&Problem::new(ObjectName::snapshot(id), what));
    }

    /// Reads a tree, each piece from where it is whole; notes packs that hold a damaged one.
    fn walk(&mut self, manifest: &Manifest, live: &mut LiveSet) -> Result<()> {
        let others: Vec<Reader<'_>> = self
            .origins
            .iter()
            .map(|origin| Reader::with_index(origin.store.clone(), &origin.index))
            .collect();
        let (store, hurt) = (&self.repo.store, &self.hurt);
        let index = self.writer.index(&mut |_, _| {})?;
        // From the storage itself: a copy that this machine keeps would hide that it is damaged there.
        let load = |decoder: &mut Decoder, id: &ChunkId, _: Option<&Place>| -> Result<Vec<u8>> {
            let mut error = StoreError::missing(Object::TreeChunk(*id));
            for at in index.copies(id)?.iter().filter(|at| at.class == Class::Tree) {
                let mut plain = Vec::new();
                match decoder.read(
                    store.remote(),
                    store.keys(),
                    Class::Tree,
                    *id,
                    &at.place,
                    &mut plain,
                ) {
                    Ok(()) => return Ok(plain),
                    Err(e) => error = store.judge(e),
                }
                match &error {
                    StoreError::Missing { .. } => {}
                    e if e.is_unreadable() => self.unread(at.place.pack, e),
                    e if e.is_hurt() => drop(hurt.lock().insert(at.place.pack)),
                    _ => return Err(error.into()),
                }
            }
            for other in &others {
                match other.tree(decoder, id, None) {
                    // It is asked for again with all that is lacking.
                    Err(e) if e.concerns_one_object() => {}
                    // A replica that can't be asked proves nothing lost.
                    read => return Ok(read?),
                }
            }
            Err(error.into())
        };
        let load: &Load<'_> = &load;
        let mut walk = Walk::new(load, references, live, (self.monitor, self.repo.run().cancel()))?;
        // What can't be read anywhere is looked up with the rest, and found to be lost.
        walk.root(&manifest.root()?, &mut |_, error| match error {
            Error::Store(e) if e.is_hurt() || e.is_unreadable() => Ok(()),
            e => Err(e),
        })
    }

    /// Tells of a pack that can't be read, once. It is not known to be damaged, so it stays as it is.
    fn unread(&self, pack: PackId, error: &StoreError) {
        if self.unread.lock().insert(pack) {
            self.monitor.problem(&Problem::of(ObjectName::pack(pack), error));
        }
    }

    fn bring(&mut self, wanted: &mut LiveSet, hurt: &HashSet<PackId>) -> Result<()> {
        self.monitor.phase(Phase::Replicating);
        let mut before = self.count(wanted)?;
        for origin in self.origins {
            if before == 0 {
                return Ok(());
            }
            let found = match self.options.dry_run {
                true => self.would_bring(wanted, origin)?,
                false => {
                    let on_progress =
                        |bytes| monitor::sent(self.monitor, self.repo.run().cancel(), &self.bytes, bytes);
                    let store = &self.repo.store;
                    let mut asked = transfer::wanted(origin, wanted)?;
                    let brought =
                        transfer::transfer(origin, store, self.writer, &mut asked, true, &on_progress)?;
                    self.healed.bytes += brought.bytes;
                    let mut still = LiveSet::new(store.cache())?;
                    self.add_wanted(wanted, hurt, &mut still)?;
                    still
                }
            };
            *wanted = found;
            let after = self.count(wanted)?;
            self.healed.chunks_brought += before - after;
            before = after;
        }
        if self.is_unsure {
            return Ok(());
        }
        if before > 0 && self.tell_unread_of_origins() {
            self.healed.chunks_unread = before;
            return Ok(());
        }
        self.healed.chunks_lost = before;
        if before > 0 {
            let what = ProblemKind::Damage(Damage::NowhereWhole { chunks: before });
            let path = Vec::new();
            self.monitor.problem(&Problem { path, what });
        }
        Ok(())
    }

    /// Tells what can't be read of the other replicas, if there is any: what did not come may be in it.
    fn tell_unread_of_origins(&self) -> bool {
        let mut any = false;
        for store in self.origins.iter().map(|origin| &origin.store) {
            let segments = store.unreadable_segments().into_iter();
            let segments = segments.map(|(id, error)| (ObjectName::index(id), error));
            let packs = store.unreadable_packs().into_iter();
            for (name, error) in segments.chain(packs.map(|(id, error)| (ObjectName::pack(id), error))) {
                any = true;
                self.monitor
                    .problem(&Problem::warning(name, Warning::Unread(error)));
            }
        }
        any
    }

    /// From now on nothing new refers to packs that stay damaged: what could not come is stored again by the next
    /// backup that has it.
    fn condemn(&self, hurt: &HashSet<PackId>) -> Result<()> {
        if !self.options.dry_run {
            let new = hurt.difference(&self.writer.view().condemned).copied().collect();
            sweep::condemn_packs(&self.repo.store, &new)?;
        }
        Ok(())
    }
}

/// Passes on how far it is, and of problems only packs that can't be read: what is found damaged here is what is mended.
struct Hush<'a>(&'a dyn Monitor);

impl Monitor for Hush<'_> {
    fn phase(&self, phase: Phase) {
        self.0.phase(phase);
    }
    fn progress(&self, progress: &crate::monitor::Progress) {
        self.0.progress(progress);
    }
    fn current(&self, path: &[u8]) {
        self.0.current(path);
    }
    fn problem(&self, problem: &Problem) {
        let is_unreadable = matches!(problem.what, ProblemKind::Unreadable { .. });
        if is_unreadable && problem.path.starts_with(b"packs/") {
            self.0.problem(problem);
        }
    }
}
