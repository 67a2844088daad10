//! Brings a replica up to another: the generations that it lacks, oldest first, with the chunks that it lacks.
//!
//! Each generation comes under a session of the replica that receives it, so that everything that holds of a backup
//! there holds of this (I-1, I-4, I-7, I-8): its chunks are looked up in that session's view, what is not there is
//! brought ([`chunkstore::transfer`]), and only then is the manifest published. Its name there is the session's, which
//! was never there before (I-18); it names the generation that it restates, as what comes back from the trash does.

mod debts;
mod followers;
mod missing;
mod note;

pub use followers::{Follow, Followed, Follower, Followers, left_behind};
pub use missing::{Lacking, lacking};
pub use note::{Noted, NotedPlace, note, note_leader, note_place, noted, noted_place};

use crate::error::{Error, Refusal, Result, StoreError};
use crate::manifest::{Manifest, Snapshot};
use crate::monitor::{self, Monitor, Phase, Problem};
use crate::overview;
use crate::platform::{lock, private};
use crate::problem::Warning;
use crate::references;
use crate::repo::{Repo, index_progress};
use crate::tree::{Root, Segments, decode_page};
use chunkstore::error::Operation;
use chunkstore::frame::Decoder;
use chunkstore::live::LiveSet;
use chunkstore::reader::Reader;
use chunkstore::remote::ObjectName;
use chunkstore::session::{self, Session};
use chunkstore::transfer::{self, Origin, TransferStats};
use chunkstore::writer::{Absent, Writer};
use chunkstore::{IndexId, SessionId};
use std::collections::{HashSet, VecDeque};
use std::fs::File;
use std::sync::atomic::AtomicU64;

/// Collections at the origin that may overtake the bringing of one generation.
const TRIES: usize = 3;

#[derive(Clone, Debug)]
pub struct ReplicateOptions {
    /// Bring also what the replica is not merely behind by: what it forgot, and what is older than what it has.
    pub all: bool,
    /// Only report what would be brought.
    pub dry_run: bool,
}

/// What was done, kept up to date while it is done.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Replicated {
    /// Generations that came; in a dry run, that would.
    pub snapshots: u64,
    /// Whole packs, chunks and bytes that were sent.
    pub packs: u64,
    pub chunks: u64,
    pub bytes: u64,
    /// Generations that are still lacking.
    pub behind: u64,
    /// Those of them that can't be brought, since the origin lost something of them.
    pub damaged: u64,
    /// And those that can't be brought since something that they need can't be read at the origin.
    pub unread: u64,
}

/// Brings `to` up to `from`. After an error `done` shows how far it came.
pub fn run(
    from: &Repo,
    to: &Repo,
    options: &ReplicateOptions,
    monitor: &dyn Monitor,
    done: &mut Replicated,
) -> Result<()> {
    run_after(from, to, options, monitor, None, done)
}

/// The same where some packs came before, under a session of `to` that is still open: the last generation is published
/// under it.
pub fn run_after(
    from: &Repo,
    to: &Repo,
    options: &ReplicateOptions,
    monitor: &dyn Monitor,
    session: Option<Session>,
    done: &mut Replicated,
) -> Result<()> {
    bring_wanted(from, to, options, monitor, (session, false), done)
}

/// Brings `to` the generations that it is owed: made at `from` when `to` could not be reached, and no others.
pub fn repay(
    from: &Repo,
    to: &Repo,
    options: &ReplicateOptions,
    monitor: &dyn Monitor,
    done: &mut Replicated,
) -> Result<()> {
    match debts::of(to, from).is_empty() {
        true => Ok(()),
        false => bring_wanted(from, to, options, monitor, (None, true), done),
    }
}

fn bring_wanted(
    from: &Repo,
    to: &Repo,
    options: &ReplicateOptions,
    monitor: &dyn Monitor,
    (session, only_owed): (Option<Session>, bool),
    done: &mut Replicated,
) -> Result<()> {
    if !to.store.is_replica_of(&from.store) {
        return Err(Error::Refused(Refusal::NotAReplica {
            location: to.location(),
            of: from.location(),
        }));
    }
    monitor.phase(Phase::FindingReferences);
    let owed = debts::of(to, from);
    let Lacking {
        mut snapshots,
        mut unread,
        newest,
        there,
    } = lacking(from, to, options.all, from.run().now)?;
    if only_owed {
        snapshots.retain(|snapshot| owed.contains(&made_as(snapshot)) || owed.contains(&snapshot.id));
        unread.retain(|(id, _)| owed.contains(id));
    }
    done.behind = (snapshots.len() + unread.len()) as u64;
    let mut replication = Replication {
        from,
        to,
        monitor,
        dry_run: options.dry_run,
        origin: None,
        session,
        there,
        parents: newest.into(),
        told: HashSet::new(),
        bytes: AtomicU64::new(0),
    };
    replication.pass_over_unread(unread, done)?;
    if options.dry_run {
        done.snapshots = snapshots.len() as u64;
        return Ok(());
    }
    let brought = replication.bring_all(&snapshots, done);
    if let Some(session) = replication.session.take() {
        session::fence(&to.store, session.id)?;
    }
    brought?;
    // A hint for whoever reads the replica with an empty cache; without it, they need more requests.
    let _ = overview::renew(&to.store, replication.there);
    match done.behind {
        0 => debts::settle(to, from, &owed),
        _ => Ok(()),
    }
}

/// The name that a generation first had.
fn made_as(snapshot: &Snapshot) -> SessionId {
    snapshot.manifest.original.unwrap_or(snapshot.id)
}

enum SnapshotOutcome {
    Came(TransferStats),
    /// Forgotten at the origin in the meantime, or there by now.
    Gone,
    /// Another run is bringing it.
    Busy,
}

struct Replication<'a> {
    from: &'a Repo,
    to: &'a Repo,
    monitor: &'a dyn Monitor,
    dry_run: bool,
    /// Opened when first needed, and again when a collection went over it.
    origin: Option<Origin>,
    /// The session that packs came under already: for the last generation, which needs most of them.
    session: Option<Session>,
    /// Generations at the replica that were looked at.
    there: HashSet<SessionId>,
    /// Generations at the replica that vouch for what they share with one that comes; few.
    parents: VecDeque<SessionId>,
    /// Index segments of the origin that were reported as unreadable.
    told: HashSet<IndexId>,
    bytes: AtomicU64,
}

/// Generations that may vouch at most.
const PARENTS: usize = 16;

impl Replication<'_> {
    fn bring_all(&mut self, snapshots: &[Snapshot], done: &mut Replicated) -> Result<()> {
        for (number, snapshot) in snapshots.iter().enumerate() {
            let is_last = number + 1 == snapshots.len();
            match self.bring(snapshot, is_last) {
                Ok(SnapshotOutcome::Came(brought)) => {
                    done.snapshots += 1;
                    done.behind -= 1;
                    done.packs += brought.packs;
                    done.chunks += brought.chunks;
                    done.bytes += brought.bytes;
                }
                Ok(SnapshotOutcome::Gone) => done.behind -= 1,
                Ok(SnapshotOutcome::Busy) => {
                    self.owe(made_as(snapshot));
                    self.warn(snapshot.id, Warning::BeingReplicated);
                }
                Err(Error::Store(e)) => {
                    // Only what is read from the origin: that this replica can't be written is no snapshot's trouble.
                    let e = match &e {
                        StoreError::Remote {
                            operation: Operation::Read,
                            ..
                        } => self.from.store.judge(e),
                        _ => e,
                    };
                    self.pass_over((snapshot.id, made_as(snapshot)), e, done)?;
                }
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// What was listed and can't be read. What it first was called is not known.
    fn pass_over_unread(&self, unread: Vec<(SessionId, Error)>, done: &mut Replicated) -> Result<()> {
        for (id, error) in unread {
            match error {
                Error::Store(e) => self.pass_over((id, id), self.from.store.judge(e), done)?,
                e => return Err(e),
            }
        }
        Ok(())
    }

    /// Goes on without a generation that can't be read at the origin, and says so. Any other error ends the run.
    fn pass_over(
        &self,
        (id, made_as): (SessionId, SessionId),
        error: StoreError,
        done: &mut Replicated,
    ) -> Result<()> {
        match &error {
            e if e.is_damage() => done.damaged += 1,
            e if e.concerns_one_object() => done.unread += 1,
            _ => return Err(error.into()),
        }
        self.owe(made_as);
        let origin = self.from.location();
        self.warn(id, Warning::NotReplicated { origin, error });
        Ok(())
    }

    /// Without the note a later generation would hide the one that does not come now, until `replicate --all`.
    fn owe(&self, made_as: SessionId) {
        if !self.dry_run {
            let _ = debts::owe(self.from, &self.to.store.folder(), made_as);
        }
    }

    fn bring(&mut self, snapshot: &Snapshot, is_last: bool) -> Result<SnapshotOutcome> {
        let mut tries = 0;
        loop {
            tries += 1;
            let done = self.try_bring(snapshot, is_last);
            match done {
                // The origin's index may date from before a collection.
                Err(Error::Store(e)) if e.is_damage() && tries < TRIES => self.origin = None,
                // A collection took the session for dead: it was open for as long as a backup takes.
                Err(Error::Store(StoreError::Fenced)) if tries < TRIES => {}
                done => return done,
            }
        }
    }

    fn try_bring(&mut self, snapshot: &Snapshot, is_last: bool) -> Result<SnapshotOutcome> {
        let body = match self.from.store.stored_manifest(snapshot.id) {
            Err(StoreError::Missing { .. }) => return Ok(SnapshotOutcome::Gone),
            read => read?,
        };
        let mut manifest = Manifest::decode(snapshot.id, &body)?;
        let origin = manifest.original.unwrap_or(snapshot.id);
        let Some(_alone) = self.alone(origin)? else {
            return Ok(SnapshotOutcome::Busy);
        };
        let owner = self.to.owner();
        let session = match self.session.take_if(|_| is_last) {
            Some(session) => session,
            None => Session::begin(&self.to.store, &owner)?,
        };
        let id = session.id;
        let writer = Writer::under(self.to.store.clone(), owner, session)?;
        let brought = self.bring_chunks(&manifest, &writer)?;
        let flushed = writer.flush()?;
        if self.came_meanwhile(origin)? {
            return Ok(SnapshotOutcome::Gone);
        }
        manifest.original = Some(origin);
        writer.publish(flushed, &manifest.encode())?;
        self.there.insert(id);
        self.parents.push_front(id);
        self.parents.truncate(PARENTS);
        Ok(SnapshotOutcome::Came(brought))
    }

    /// Held while a generation is brought, so that no other process of this machine brings it, too.
    fn alone(&self, origin: SessionId) -> Result<Option<File>> {
        let dir = self.to.store.cache().join("bringing");
        let path = dir.join(origin.to_hex());
        let failed = |operation| {
            let path = path.clone();
            move |source: std::io::Error| Error::io(operation, path, source)
        };
        private::create_dir_all(&dir).map_err(failed(Operation::CreateFolder))?;
        let file = lock::open(&path).map_err(failed(Operation::Create))?;
        let is_ours = lock::try_lock_soon(&file).map_err(failed(Operation::Lock))?;
        Ok(is_ours.then_some(file))
    }

    /// Whether another machine brought it since it was found lacking. Should two do so at the same moment, both are
    /// there, which costs a manifest and does no harm.
    fn came_meanwhile(&mut self, origin: SessionId) -> Result<bool> {
        let store = &self.to.store;
        for id in store.snapshot_ids()? {
            if !self.there.insert(id) {
                continue;
            }
            match store.stored_manifest(id) {
                Ok(body) if Manifest::decode(id, &body)?.original == Some(origin) => return Ok(true),
                Ok(_) => {}
                Err(e) if e.is_object_local() => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(false)
    }

    /// Makes everything that the generation refers to present under the writer's session.
    fn bring_chunks(&mut self, manifest: &Manifest, writer: &Writer) -> Result<TransferStats> {
        let progress = index_progress(self.monitor);
        let mut on_progress = |done, total| progress(done, total);
        writer.index(&mut on_progress)?;
        let origin = match self.origin.take() {
            Some(origin) => origin,
            None => {
                let origin = Origin::open(self.from.store.clone(), &mut on_progress)?;
                self.tell_unread();
                origin
            }
        };
        let origin = self.origin.insert(origin);
        let reader = Reader::with_index(self.from.store.clone(), &origin.index);
        let root = manifest.root()?;
        let mut live = LiveSet::new(self.to.store.cache())?;
        if writer.view().condemned.is_empty() {
            for parent in &self.parents {
                vouch(self.to, *parent, &root, &reader, &mut live)?;
            }
        }
        self.monitor.phase(Phase::FindingReferences);
        references::collect(&reader, &[root], &mut live, self.monitor)?;
        let mut lacking = LiveSet::new(self.to.store.cache())?;
        writer.absent(&mut live, &mut |absent| match absent {
            Absent::Chunk(id) => lacking.insert(id).map(drop),
            Absent::File(file) => lacking.insert_file(file),
        })?;
        let mut wanted = transfer::wanted(origin, &mut lacking)?;
        self.monitor.phase(Phase::Replicating);
        let on_bytes = |bytes| monitor::sent(self.monitor, self.to.run().cancel(), &self.bytes, bytes);
        let brought = transfer::transfer(origin, &self.to.store, writer, &mut wanted, false, &on_bytes)?;
        writer.absent(&mut lacking, &mut |absent| Err(self.from.store.unknown(absent)))?;
        Ok(brought)
    }

    /// Tells of index segments of the origin that can't be read: what only they list does not come.
    fn tell_unread(&mut self) {
        for (id, error) in self.from.store.unreadable_segments() {
            if self.told.insert(id) {
                let unread = Warning::Unread(error);
                self.monitor
                    .problem(&Problem::warning(ObjectName::index(id), unread));
            }
        }
    }

    fn warn(&self, id: SessionId, warning: Warning) {
        let name = ObjectName::snapshot(id);
        self.monitor.problem(&Problem::warning(name, warning));
    }
}

/// Adds what a generation at the replica has of pages and segments: they need not be read to know that what they refer
/// to is there. Sound as the session's view has no marks, and the generation is read after it (I-4): a collection that
/// condemns anything now waits for this session.
fn vouch(to: &Repo, parent: SessionId, root: &Root, reader: &Reader<'_>, live: &mut LiveSet) -> Result<()> {
    // As it is stored there now: a kept copy would not show that.
    let known = match to.store.stored_manifest(parent) {
        Ok(body) => Manifest::decode(parent, &body)?.root()?,
        // Forgotten in the meantime, or damaged: it proves nothing.
        Err(e) if e.is_object_local() => return Ok(()),
        Err(e) => return Err(e.into()),
    };
    let own: HashSet<_> = match &root.segments {
        Segments::Inline(_) => HashSet::new(),
        Segments::Pages(pages) => pages.iter().map(|page| page.span.id).collect(),
    };
    match known.segments {
        Segments::Inline(rows) => rows.iter().try_for_each(|row| live.insert(row.id).map(drop))?,
        Segments::Pages(pages) => {
            let mut decoder = Decoder::new()?;
            for page in pages {
                let (id, place) = (page.span.id, page.span.place);
                if own.contains(&id) {
                    live.insert(id)?;
                    continue;
                }
                // One that the origin has no more saves nothing.
                let Ok(plain) = reader.tree(&mut decoder, &id, place.as_ref()) else {
                    continue;
                };
                let rows = decode_page(&plain).map_err(|e| e.of(&id))?;
                rows.iter().try_for_each(|row| live.insert(row.id).map(drop))?;
            }
        }
    }
    Ok(())
}
