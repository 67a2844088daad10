//! A repository opened on this machine: the store, and the few local facts that are not a cache (machine id, what was
//! published last). Everything the commands do starts here.

mod chain;

use crate::error::{Error, Result};
use crate::manifest::{self, Listed, Manifest, Outlines, Snapshot};
use crate::monitor::{Monitor, Phase, Problem, Progress};
use crate::overview;
use crate::platform::{files, private};
use crate::problem::Warning;
use crate::run::{LocalDirs, RunContext};
pub use chunkstore::chunker::Bounds;
use chunkstore::config::Config;
use chunkstore::error::Operation;
use chunkstore::id::random;
use chunkstore::opening;
use chunkstore::reader::Reader;
use chunkstore::reader::others::{Opener, Others};
use chunkstore::remote::{self, ObjectName};
use chunkstore::session::Owner;
use chunkstore::slot::{Cost, Secret};
pub use chunkstore::store::replica::Made;
use chunkstore::store::{NewStore, Store};
use chunkstore::{RepoId, SessionId};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Generations as a command that lists them finds them.
pub struct Survey {
    /// Oldest first.
    pub snapshots: Vec<Snapshot>,
    /// Those that can't be read, and why.
    pub unreadable: Vec<(SessionId, Error)>,
    /// Those that this machine made or saw, and that are gone though no one forgot them; or why that is not known.
    pub lost: Result<Vec<SessionId>>,
}

impl Survey {
    /// What to report of what is missing.
    pub fn warning(&self) -> Option<Warning> {
        match &self.lost {
            Ok(lost) if lost.is_empty() => None,
            Ok(lost) => Some(Warning::SnapshotsGone(lost.clone())),
            // The notes belong to another user, whose home this is. A job that deletes stops at that; a reader needs
            // none.
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied => None,
            Err(e) => Some(Warning::MissingUnknown(Box::new(e.clone()))),
        }
    }

    pub(crate) fn tell_missing(&self, monitor: &dyn Monitor) {
        if let Some(warning) = self.warning() {
            monitor.problem(&Problem::general(warning));
        }
    }
}

/// How snapshots are listed.
#[derive(Clone, Copy)]
pub(crate) enum By {
    Manifests,
    Overview,
}

/// Damaged packs that are named one by one.
const PACKS_TOLD: usize = 10;

#[derive(Clone)]
pub struct Repo {
    pub store: Arc<Store>,
    state: PathBuf,
    /// Where this machine's notes on all replicas of the repository together are.
    family: PathBuf,
    machine: [u8; 16],
    machine_file: PathBuf,
    /// Replicas to read from where this one fails.
    others: Option<Arc<Others>>,
    run: RunContext,
}

/// Makes a repository at `location`. `parity` is in percent of each pack.
pub fn create(
    location: &str,
    run: &RunContext,
    bounds: Bounds,
    secrets: &[(Secret, &str)],
    cost: Cost,
    parity: Option<u8>,
) -> Result<RepoId> {
    let now = run.now_secs();
    let remote = run.storage(location)?;
    let new = NewStore {
        bounds,
        secrets,
        cost,
        now,
    };
    let config = Config {
        parity,
        ..Config::new(bounds.check()?, now)
    };
    Ok(Store::create_with(&*remote, &new, &config)?)
}

/// Whether there is a repository at `location`, of whatever version; needs no secret.
pub fn exists(location: &str, run: &RunContext) -> Result<bool> {
    Ok(run.storage(location)?.size(&ObjectName::config())?.is_some())
}

/// The directory of a repository that lies in one.
pub fn local_path(location: &str) -> Option<&Path> {
    remote::local_path(location)
}

/// Whether a location can be opened, as far as is known without a connection.
pub fn check_location(location: &str) -> Result<()> {
    Ok(remote::check(location)?)
}

/// A location as it may be printed: without the secrets that its URL may hold.
pub fn shown(location: &str) -> String {
    remote::shown(location)
}

/// Where this machine's lasting notes on a replica are, by the name of its folders.
pub(crate) fn state_of(dirs: &LocalDirs, folder: &str) -> PathBuf {
    dirs.state.join("repositories").join(folder)
}

/// A repository that is there, and not opened yet.
pub struct Found {
    store: opening::Found,
    run: RunContext,
}

impl Found {
    pub fn open(&self, secret: &Secret) -> Result<Repo> {
        Repo::of(self.store.open(secret)?, &self.run)
    }
}

impl Repo {
    fn of(store: Store, run: &RunContext) -> Result<Repo> {
        let state = state_of(&run.dirs, &store.folder());
        let family = state_of(&run.dirs, &store.family());
        // If nothing can be kept, this run is a machine of its own. A job that relies on more proves that it can be.
        let machine = machine_id(&run.dirs.state).or_else(|_| random::<16>())?;
        Ok(Repo {
            store: Arc::new(store.cancelled_by(run.cancel().clone())),
            state,
            family,
            machine,
            machine_file: machine_file(&run.dirs.state),
            others: None,
            run: run.clone(),
        })
    }
    /// [`chunkstore::Error::NoRepository`] where there is none; needs no secret.
    pub fn look(location: &str, run: &RunContext) -> Result<Found> {
        Repo::look_on(remote::open(location, &run.link)?, run)
    }

    fn look_on(remote: Arc<dyn remote::Remote>, run: &RunContext) -> Result<Found> {
        let store = opening::Found::look(run.resting(remote), &run.dirs.cache)?;
        // A walk of the sources while the repository is being opened must not meet half of this. Readers do without.
        let _ = machine_id(&run.dirs.state);
        Ok(Found {
            store,
            run: run.clone(),
        })
    }

    pub fn open(location: &str, secret: &Secret, run: &RunContext) -> Result<Repo> {
        Repo::look(location, run)?.open(secret)
    }

    pub fn open_on(remote: Arc<dyn remote::Remote>, secret: &Secret, run: &RunContext) -> Result<Repo> {
        Repo::look_on(remote, run)?.open(secret)
    }

    /// Another replica of this repository, for which no secret is needed.
    pub fn open_replica(&self, location: &str) -> Result<Repo> {
        self.open_replica_for(location, &self.run)
    }

    /// The same for another run, or a part of this one.
    pub fn open_replica_for(&self, location: &str, run: &RunContext) -> Result<Repo> {
        let remote = run.storage(location)?;
        Repo::of(self.store.open_replica(remote, &run.dirs.cache)?, run)
    }

    pub fn open_replica_on(&self, remote: Arc<dyn remote::Remote>) -> Result<Repo> {
        let remote = self.run.resting(remote);
        Repo::of(self.store.open_replica(remote, &self.run.dirs.cache)?, &self.run)
    }

    /// Makes an empty replica of this repository, unless there is one.
    pub fn make_replica(&self, location: &str) -> Result<Made> {
        let remote = self.run.storage(location)?;
        Ok(self.store.make_replica(&*remote, self.run.now_secs())?)
    }

    /// The same, read from these other replicas (name and location) where it fails: each is opened when it is needed.
    pub fn or_from(self, others: Vec<(String, String)>) -> Repo {
        let opener = |(name, location): (String, String)| {
            let (store, run) = (self.store.clone(), self.run.clone());
            let open: Opener = Box::new(move || {
                let remote = run.storage(&location).ok()?;
                store.open_replica(remote, &run.dirs.cache).ok().map(Arc::new)
            });
            (name, open)
        };
        if others.is_empty() {
            return self;
        }
        let others = Others::new(others.into_iter().map(opener).collect());
        Repo {
            others: Some(Arc::new(others)),
            ..self
        }
    }

    /// The run that this was opened for.
    pub fn run(&self) -> &RunContext {
        &self.run
    }

    /// The same repository for an operation that begins at `now`, as the next run would open it.
    pub(crate) fn at(&self, now: Timestamp) -> Repo {
        let mut repo = self.clone();
        repo.run.now = now;
        repo
    }

    /// Changes the run, but for its cancel token, bandwidth and share of the processors, which the storage was opened with.
    pub fn run_mut(&mut self) -> &mut RunContext {
        &mut self.run
    }

    /// The same for all replicas.
    pub fn id(&self) -> RepoId {
        *self.store.id()
    }

    /// Where it is, as it may be printed.
    pub fn location(&self) -> String {
        self.store.remote().location()
    }

    /// Proves that this machine can keep notes on the repository, before something is done that must be noted.
    pub fn prove_state(&self) -> Result<()> {
        let probe = self.state.join(format!("probe.{}", std::process::id()));
        let proven = files::write_hint(&probe, b"dedup").and_then(|()| std::fs::remove_file(&probe));
        proven.map_err(|e| Error::NoState {
            path: self.state.clone(),
            source: e.into(),
        })
    }

    /// Random, kept in the state directory.
    pub fn machine(&self) -> [u8; 16] {
        self.machine
    }

    /// Where this machine's id is kept.
    pub(crate) fn machine_file(&self) -> &Path {
        &self.machine_file
    }

    /// How the sessions of this run name their owner.
    pub fn owner(&self) -> Owner {
        Owner {
            machine: self.machine,
            host: self.run.host.clone(),
            pid: std::process::id(),
            started: self.run.now_secs(),
            packs: None,
        }
    }

    /// This machine's lasting notes on this repository.
    pub(crate) fn state(&self) -> &Path {
        &self.state
    }

    /// A reader that reports to `monitor` while it has to rebuild the local index.
    pub fn reader<'a>(&self, monitor: &'a dyn Monitor) -> Reader<'a> {
        Reader::new(self.store.clone(), index_progress(monitor)).or_from(self.others.clone())
    }

    /// Reports what was found since the repository was opened and does no harm to what is read: a cache that can't be
    /// used, damaged index segments (I-2), and packs of the wrong size (I-4).
    pub fn tell_damage(&self, monitor: &dyn Monitor) {
        if let Some(why) = self.store.cache_trouble() {
            monitor.problem(&Problem::general(Warning::CacheNotUsed(why.clone())));
        }
        for (id, error) in self.store.unreadable_segments() {
            monitor.problem(&Problem::warning(ObjectName::index(id), Warning::Unread(error)));
        }
        for id in self.store.damaged_segments() {
            monitor.problem(&Problem::warning(ObjectName::index(id), Warning::SegmentIgnored));
        }
        let mut wrong = self.store.packs_of_wrong_size();
        for (id, error) in self.store.unreadable_packs() {
            if wrong.remove(&id).is_some() {
                monitor.problem(&Problem::warning(ObjectName::pack(id), Warning::Unread(error)));
            }
        }
        for (id, size) in wrong.iter().take(PACKS_TOLD) {
            monitor.problem(&Problem::warning(ObjectName::pack(*id), Warning::PackSize(*size)));
        }
        if wrong.len() > PACKS_TOLD {
            let packs = wrong.len() - PACKS_TOLD;
            monitor.problem(&Problem::warning("packs", Warning::MorePacks { packs }));
        }
    }

    /// Readable generations, oldest first, and those that can't be read. Each manifest is read, from the repository or
    /// from the copy that this machine keeps.
    pub fn snapshots(&self) -> Result<Listed> {
        Ok(self.read_listed(By::Manifests)?.1)
    }

    /// The same by an overview, which takes few requests ([`crate::overview`]): for whoever needs few manifests
    /// themselves. That one of them is damaged shows when it is read.
    pub fn outlines(&self) -> Result<Listed> {
        Ok(self.read_listed(By::Overview)?.1)
    }

    /// The names that are listed, and what they stand for.
    pub(crate) fn read_listed(&self, by: By) -> Result<(BTreeSet<SessionId>, Listed)> {
        let listed = self.store.snapshot_ids_with_sizes()?;
        let outlines = match by {
            By::Manifests => Outlines::new(),
            By::Overview => overview::read(&self.store, &listed)?,
        };
        let ids: Vec<SessionId> = listed.into_iter().map(|(id, _)| id).collect();
        let read = manifest::list(&self.store, &ids, &outlines)?;
        Ok((ids.into_iter().collect(), read))
    }

    pub fn manifest(&self, id: SessionId) -> Result<Manifest> {
        manifest::load(&self.store, id)
    }
}

/// Passes a reader's or writer's index rebuild on as progress.
pub fn index_progress(monitor: &dyn Monitor) -> Box<dyn Fn(usize, usize) + Send + Sync + '_> {
    Box::new(move |done, total| {
        // A segment or two is no wait worth a word.
        if total > 2 {
            if done == 0 {
                monitor.phase(Phase::LoadingIndex);
            }
            let (files_done, files_total) = (done as u64, total as u64);
            monitor.progress(&Progress {
                files_done,
                files_total,
                ..Progress::default()
            });
        }
    })
}

/// Replaces a note of this machine's: a crash or a power cut leaves the old one or the new one, and the new one is on the
/// disk when this returns.
pub fn write_replacing(path: &Path, bytes: &[u8]) -> Result<()> {
    files::atomic_write(path, bytes).map_err(|e| Error::io(Operation::Replace, path, e))
}

fn machine_file(state: &Path) -> PathBuf {
    state.join("machine")
}

/// This machine's random id, made when first asked for.
fn machine_id(state: &Path) -> Result<[u8; 16]> {
    let path = machine_file(state);
    let failed = |operation, source: io::Error| Error::io(operation, path.clone(), source);
    private::create_dir_all(state).map_err(|e| failed(Operation::CreateFolder, e))?;
    loop {
        match std::fs::read(&path) {
            Ok(bytes) => {
                if let Ok(id) = bytes.as_slice().try_into() {
                    return Ok(id);
                }
                // Cut short by a crash: as good as none.
                std::fs::remove_file(&path).map_err(|e| failed(Operation::Remove, e))?;
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(failed(Operation::Read, e)),
        }
        // Of two processes that start at once, one is first and both use its id.
        match files::create(&path, &random::<16>()?) {
            Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(failed(Operation::Create, e));
            }
            _ => {}
        }
    }
}
