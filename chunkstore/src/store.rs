//! An opened repository: remote, keys and configuration. Hands out sessions, writers, readers and sweepers.
//!
//! Manifests are opaque bytes here; what they mean is the engine's.

#[doc(hidden)]
pub mod forgotten;
mod index;
mod packs;
mod read;
pub mod replica;
#[doc(hidden)]
pub mod session;
mod slots;
mod upgrades;

#[doc(hidden)]
pub use packs::write_segments;
pub use slots::SlotInfo;

use crate::cancel::CancelToken;
use crate::chunker::{Bounds, Chunker};
use crate::config::{self, Config};
use crate::error::{Error, Flaw, Object, Result};
use crate::id::{IndexId, MarkId, PackId, RepoId, SessionId, SlotId, random};
use crate::index::{Inventory, LocalIndex, WrongSizes};
use crate::indexfile::IndexSegment;
use crate::kept::ObjectCache;
use crate::keys::{KeyClass, Keys, MasterKey};
use crate::object::{self, Head, cap};
use crate::parity;
use crate::remote::{self, Kind, ObjectName, Published, Remote, join_concurrent};
use crate::seal::Sealed;
use crate::simulation::{self, Rule};
use crate::slot::{self, Cost, Note, Secret, slot_ids};
use crate::upgrades::Standing;
use forgotten::Forgotten;
use parking_lot::Mutex;
use session::View;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

/// An opened repository.
pub struct Store {
    pub(crate) remote: Arc<dyn Remote>,
    pub(crate) keys: Keys,
    config: Config,
    /// The number of the upgrade that counts, and what holds by it.
    pub(crate) standing: Mutex<(u64, Standing)>,
    chunker: Chunker,
    opened: Opened,
    /// `config` was seen where it is stored.
    confirmed: AtomicBool,
    cache: PathBuf,
    pub(crate) kept: Option<ObjectCache>,
    /// Index segments that were found damaged: they count as absent (I-2).
    damaged: Mutex<BTreeSet<IndexId>>,
    /// Index segments that could not be read, and why.
    unreadable: Mutex<BTreeMap<IndexId, Error>>,
    /// Packs that could not be read, and why.
    unreadable_packs: Mutex<BTreeMap<PackId, Error>>,
    /// Objects in a row for which the storage did not answer, and whether there are any.
    silent: Mutex<Vec<Object>>,
    is_silent: AtomicBool,
    cache_trouble: OnceLock<Error>,
    /// Packs that had the wrong size when the index was opened last.
    wrong_sizes: Mutex<WrongSizes>,
    cancel: CancelToken,
}

/// What a repository was opened with.
pub(crate) struct Opened {
    /// As it is stored.
    pub config: Vec<u8>,
    /// `config` is a copy that this machine kept.
    pub is_kept: bool,
    pub master: MasterKey,
    pub slot: SlotId,
}

/// What lies under a session's name in `snapshots/`.
pub enum SnapshotObject {
    /// A manifest.
    Manifest {
        /// The body.
        body: Vec<u8>,
        /// The hash of the stored bytes.
        hash: [u8; 32],
    },
    /// The session ended without a generation.
    Fence,
}

/// How a new repository is made.
pub struct NewStore<'a> {
    /// The sizes of chunks.
    pub bounds: Bounds,
    /// At least one, each with its label.
    pub secrets: &'a [(Secret, &'a str)],
    /// How expensive guessing a password is made.
    pub cost: Cost,
    /// Seconds since 1970.
    pub now: i64,
}

impl Store {
    /// Makes a repository: slots first, `config` last, so that a half-made one is not a repository.
    pub fn create(remote: &dyn Remote, new: &NewStore<'_>) -> Result<RepoId> {
        Store::create_with(remote, new, &Config::new(new.bounds.check()?, new.now))
    }

    /// The same with other sizes of packs and bundles; `config` wins over `new`.
    pub fn create_with(remote: &dyn Remote, new: &NewStore<'_>, config: &Config) -> Result<RepoId> {
        let exists = || Error::RepositoryExists {
            location: remote.location(),
        };
        if remote.size(&ObjectName::config())?.is_some() {
            return Err(exists());
        }
        let (repo, master) = (RepoId(random()?), MasterKey::generate()?);
        let keys = Keys::new(&master, repo);
        let mut slots = Vec::new();
        for (secret, label) in new.secrets {
            let note = Note {
                label: (*label).to_string(),
                created: new.now,
                confirmed: None,
            };
            let (id, bytes) = slot::create(&master, &keys.control.notes, &repo, secret, new.cost, &note)?;
            remote.put(&ObjectName::key(id), &bytes)?;
            slots.push(id);
        }
        // Of a try that ended before its `config`, or of one that loses against ours: they will never open anything.
        let mut abandoned = slot_ids(remote)?;
        abandoned.retain(|id| !slots.contains(id));
        let standing = Standing::new(config.parity);
        let config = config::encode(repo, config, &standing, &keys.control.config)?;
        let ours = match remote.put(&ObjectName::config(), &config)? {
            Published::Created => true,
            // I-13: equal bytes are our own, from a try whose reply was lost.
            Published::Exists => remote.get(&ObjectName::config(), cap::CONTROL)? == config,
        };
        match ours {
            true => {
                for id in abandoned {
                    remote.delete(&ObjectName::key(id))?;
                }
                remote.barrier()?;
                match remote.create_reserve() {
                    // The next collection tries again.
                    Ok(()) | Err(Error::NoSpace { .. }) => Ok(repo),
                    Err(e) => Err(e),
                }
            }
            false => {
                slots
                    .into_iter()
                    .try_for_each(|id| remote.delete(&ObjectName::key(id)))?;
                Err(exists())
            }
        }
    }

    pub(crate) fn new(
        remote: Arc<dyn Remote>,
        repo: RepoId,
        opened: Opened,
        cache_root: &Path,
    ) -> Result<Self> {
        let keys = Keys::new(&opened.master, repo);
        let config = config::open(&opened.config, &repo, &keys.control.config)?;
        let clear = config::clear(&opened.config)?;
        let standing = Standing::of(clear.required, clear.optional, config.parity);
        let chunker = Chunker::new(keys.chunker(), config.bounds)?;
        let cache = cache_root.join(replica::folder(&keys, &config));
        Ok(Store {
            kept: remote.is_high_latency().then(|| ObjectCache::new(&cache)),
            remote,
            keys,
            config,
            standing: Mutex::new((0, standing)),
            chunker,
            opened,
            confirmed: AtomicBool::new(false),
            cache,
            damaged: Mutex::default(),
            unreadable: Mutex::default(),
            unreadable_packs: Mutex::default(),
            silent: Mutex::default(),
            is_silent: AtomicBool::new(false),
            cache_trouble: OnceLock::new(),
            wrong_sizes: Mutex::default(),
            cancel: CancelToken::new(),
        })
    }

    /// The same store for a run that this token cancels.
    pub fn cancelled_by(self, cancel: CancelToken) -> Store {
        Store { cancel, ..self }
    }

    /// Long operations look at it between two steps.
    pub fn cancel(&self) -> &CancelToken {
        &self.cancel
    }

    /// Reads `config` again, as the next to open the repository will.
    pub fn check_config(&self) -> Result<()> {
        let bytes = self.remote.get(&ObjectName::config(), cap::CONTROL)?;
        let clear = config::clear(&bytes);
        match clear.and_then(|_| config::open(&bytes, self.id(), &self.keys.control.config)) {
            Ok(_) => Ok(()),
            // It never changes: what looks like a later version's was hurt.
            Err(Error::NewerFormat(_)) if bytes != self.opened.config => {
                Err(Error::corrupt(ObjectName::config(), Flaw::HeadDamaged))
            }
            Err(e) => Err(e),
        }
    }

    /// The same once, if a kept copy was used: no one shall rely on a repository that others can't open.
    fn confirm_config(&self) -> Result<()> {
        if self.opened.is_kept && !self.confirmed.load(Relaxed) {
            self.check_config()?;
            self.confirmed.store(true, Relaxed);
        }
        Ok(())
    }

    /// The storage.
    pub fn remote(&self) -> &dyn Remote {
        &*self.remote
    }

    /// The keys, made from the master key.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What cuts files into chunks.
    pub fn chunker(&self) -> &Chunker {
        &self.chunker
    }

    /// The id of the repository.
    pub fn id(&self) -> &RepoId {
        self.keys.repo()
    }

    /// This repository's folder of disposable local files.
    pub fn cache(&self) -> &Path {
        &self.cache
    }

    /// The local index, brought to `view`, of what lies in the `present` packs, which were listed after the view was
    /// read: for callers that make new references or delete (I-4, I-7). `progress` is called with (segments done, to
    /// do) while it is rebuilt.
    pub fn index_of(
        &self,
        view: &View,
        present: &Inventory,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<LocalIndex> {
        self.open_index(view, Some(present), progress)
    }

    /// The index by which a session makes references. A collection may replace segments between their listing in
    /// `view` and this: then they are listed again, since a later view under the same session is as good (I-4).
    pub fn index_for_references(
        &self,
        view: &View,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<LocalIndex> {
        let mut view = view.clone();
        let mut tries = 0;
        loop {
            // The packs after the marks: what was deleted under a mark that the view misses is not listed any more,
            // even if an index segment that somebody wrote late still names it.
            let present = self.packs_confirmed()?;
            let opened = match simulation::left_out(Rule::MarksFirst) {
                true => self.open_index(&view, None, progress),
                false => self.index_of(&view, &present, progress),
            };
            match opened {
                Err(e) if self.changed_under(&e, &mut tries) => {
                    let later = View::read(self)?;
                    view.segments = later.segments;
                    view.condemned.extend(later.condemned);
                }
                opened => return opened,
            }
        }
    }

    /// One index segment. That it is damaged (I-2), or can't be read, is remembered: to the views read from now on it is
    /// absent.
    pub fn segment(&self, id: IndexId) -> Result<IndexSegment> {
        let loaded = self.judged(IndexSegment::load(&*self.remote, &self.keys, id));
        match &loaded {
            Err(Error::Corrupt { .. }) => drop(self.damaged.lock().insert(id)),
            Err(e @ Error::Unreadable { .. }) => drop(self.unreadable.lock().insert(id, e.clone())),
            _ => {}
        }
        loaded
    }

    /// Index segments that were found damaged since the repository was opened.
    pub fn damaged_segments(&self) -> Vec<IndexId> {
        self.damaged.lock().iter().copied().collect()
    }

    pub(crate) fn forget_damaged(&self, gone: &[IndexId]) {
        self.damaged.lock().retain(|id| !gone.contains(id));
    }

    /// Whether views leave out a segment.
    pub(crate) fn is_left_out(&self, id: &IndexId) -> bool {
        self.damaged.lock().contains(id) || self.unreadable.lock().contains_key(id)
    }

    /// Whether the index is to be read under a new view: a segment was replaced in the meantime, or found damaged or
    /// unreadable. That is found once for each segment, so only the other is bounded here.
    pub(crate) fn changed_under(&self, error: &Error, tries: &mut usize) -> bool {
        match error {
            Error::Corrupt { object, .. } | Error::Unreadable { object, .. } => object.is_in("index"),
            Error::Missing { object } if object.is_in("index") => {
                *tries += 1;
                *tries <= 5
            }
            _ => false,
        }
    }

    /// The packs that have parity, and its bytes.
    pub fn parities(&self) -> Result<Inventory> {
        parity::list(&*self.remote)
    }

    /// The packs that are there, of a repository that others find, too.
    fn packs_confirmed(&self) -> Result<Inventory> {
        let (packs, config) = join_concurrent(&*self.remote, || self.packs(), || self.confirm_config());
        config.and(packs)
    }

    /// The packs that are there.
    pub fn packs(&self) -> Result<Inventory> {
        let listed = remote::listed(&*self.remote, Kind::Pack, PackId::from_hex)?;
        Ok(listed.into_iter().collect())
    }

    /// All names under `snapshots/`: manifests and fences.
    pub fn snapshot_ids(&self) -> Result<Vec<SessionId>> {
        self.sessions_in(Kind::Snapshot)
    }

    /// The same with the sizes that are listed.
    pub fn snapshot_ids_with_sizes(&self) -> Result<Vec<(SessionId, u64)>> {
        remote::listed(&*self.remote, Kind::Snapshot, SessionId::from_hex)
    }

    /// The names of all forgotten manifests.
    pub fn trashed(&self) -> Result<Vec<SessionId>> {
        self.sessions_in(Kind::Trash)
    }

    pub(crate) fn sessions_in(&self, kind: Kind) -> Result<Vec<SessionId>> {
        remote::ids(&*self.remote, kind, SessionId::from_hex)
    }

    pub(crate) fn marks(&self) -> Result<Vec<MarkId>> {
        remote::ids(&*self.remote, Kind::Mark, MarkId::from_hex)
    }

    /// What is stored under a session's name in `snapshots/`.
    pub fn snapshot_object(&self, id: SessionId) -> Result<SnapshotObject> {
        let bytes = self.remote.get(&ObjectName::snapshot(id), cap::MANIFEST)?;
        self.open_snapshot_object(id, &bytes)
    }

    /// The same from the copy that this machine keeps of it, if the remote has high latency: for callers that only read
    /// it, not for who proves, deletes, or asks whether it is still there.
    pub fn recall(&self, id: SessionId) -> Result<SnapshotObject> {
        let Some(kept) = &self.kept else {
            return self.snapshot_object(id);
        };
        if let Some(bytes) = kept.manifest(id)
            && let Ok(object) = self.open_snapshot_object(id, &bytes)
        {
            return Ok(object);
        }
        let bytes = self.remote.get(&ObjectName::snapshot(id), cap::MANIFEST)?;
        let object = self.open_snapshot_object(id, &bytes)?;
        kept.keep_manifest(id, &bytes);
        Ok(object)
    }

    pub(crate) fn open_snapshot_object(&self, id: SessionId, bytes: &[u8]) -> Result<SnapshotObject> {
        match self.read_snapshot_object(id, bytes) {
            // A damaged head can look like a later version's: then its seal holds for the head that we would write.
            Err(newer @ Error::NewerFormat(_)) => {
                // A manifest has a key, and a fence has none.
                let is_own = |has_key| {
                    self.read_snapshot_object(id, &object::with_own_head(bytes, has_key))
                        .is_ok()
                };
                match is_own(true) || is_own(false) {
                    true => Err(Error::corrupt(ObjectName::snapshot(id), Flaw::HeadDamaged)),
                    false => Err(newer),
                }
            }
            object => object,
        }
    }

    fn read_snapshot_object(&self, id: SessionId, bytes: &[u8]) -> Result<SnapshotObject> {
        let object = format!("snapshots/{id}");
        let head = Head::parse(self.id(), &object, bytes)?;
        if head.is(Sealed::Fence) {
            head.open(Sealed::Fence, &self.keys.control.sessions, id.as_bytes(), &object)?;
            return Ok(SnapshotObject::Fence);
        }
        let key = self
            .keys
            .open_key(KeyClass::Manifest, head.content_key(&object)?)?;
        let body = head.open(Sealed::Manifest, &key, id.as_bytes(), &object)?;
        Ok(SnapshotObject::Manifest {
            body,
            hash: *blake3::hash(bytes).as_bytes(),
        })
    }

    /// Moves a manifest to the trash: it no longer counts as a generation, and still protects its chunks.
    pub fn forget(&self, id: SessionId, now: i64) -> Result<()> {
        let manifest = self.remote.get(&ObjectName::snapshot(id), cap::MANIFEST)?;
        if let SnapshotObject::Fence = self.open_snapshot_object(id, &manifest)? {
            return Err(Error::Missing {
                object: ObjectName::snapshot(id).into(),
            });
        }
        session::put_trash(self, id, &manifest, now)?;
        session::trashed_since(self, id, now);
        // First, or the session would look open once its manifest is gone.
        self.remote.delete(&ObjectName::session(id))?;
        self.remote.barrier()?;
        self.remote.delete(&ObjectName::snapshot(id))?;
        self.remote.barrier()
    }

    /// A forgotten manifest's body and when it was forgotten (seconds since 1970).
    pub fn trash(&self, id: SessionId) -> Result<(Vec<u8>, i64)> {
        let (manifest, forgotten) = session::get_trash(self, id)?;
        match self.open_snapshot_object(id, &manifest)? {
            SnapshotObject::Manifest { body, .. } => Ok((body, forgotten)),
            SnapshotObject::Fence => Err(Error::corrupt(ObjectName::trash(id), Flaw::NoManifest)),
        }
    }

    /// Ends forgotten manifests for good: their chunks are protected no longer. That somebody forgot them stays known.
    pub fn discard(&self, ended: &[Forgotten]) -> Result<()> {
        self.list_forgotten(ended)?;
        for Forgotten { id, .. } in ended {
            self.remote.delete(&ObjectName::trash(*id))?;
        }
        self.remote.barrier()?;
        for Forgotten { id, .. } in ended {
            session::forget_trashed(self, *id);
        }
        Ok(())
    }
}
