//! A repository for programs that use this crate as a library. [`Repository`] does the same as the jobs of the `service`
//! crate, by the same functions of this crate, for callers who bring locations, secrets and options themselves.
//!
//! [`requests`] says what an operation is to do; what it did is in the report of the module that does it.

mod requests;

pub use requests::{BackupRequest, CreateRequest, PruneRequest, RestoreRequest};

use crate::backup::{self, BackupReport, OwnPlaces, Stream};
use crate::check::{self, CheckOptions, CheckReport, ReadData};
use crate::entry::Entry;
use crate::error::{Error, Result};
use crate::facts::{GroupKey, SnapshotInfo};
use crate::forget::{self, PolicyDecision};
use crate::key::{self, Secret, SlotInfo};
use crate::manifest::Manifest;
use crate::monitor::{Monitor, Quiet};
use crate::order;
use crate::platform::paths::to_bytes;
use crate::platform::process;
use crate::prune::{self, PruneSummary};
use crate::repo::{self, Repo, Survey};
use crate::restore;
use crate::retain::Policy;
use crate::run::RunContext;
use crate::select::{self, Filter};
use crate::{dump, list};
use chunkstore::error::Operation;
use chunkstore::{RepoId, SessionId, SlotId};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::io::{Read, Write};
use std::path::Path;

/// An open repository.
///
/// It can be kept for as long as the program runs, and shared between threads. Each operation begins with the clock's
/// time at that moment, so two backups through one value are two snapshots at two times. Other programs and machines may
/// use the repository at the same time.
///
/// Operations take a [`Monitor`], which is told about progress and about problems with single files:
/// [`Quiet`] ignores them, [`ProblemList`](crate::monitor::ProblemList) collects the problems. Such a
/// problem does not end an operation; what does is returned as an [`Error`].
///
/// ```
/// use engine::monitor::Quiet;
/// use engine::{
///     BackupRequest, CreateRequest, LocalDirs, Repository, RestoreRequest, RunContext, key,
/// };
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// # let dir = dir.path();
/// std::fs::create_dir(dir.join("documents"))?;
/// std::fs::write(dir.join("documents/letter.txt"), "Dear reader")?;
///
/// // Where this program keeps the local cache and its notes on repositories.
/// let run = RunContext::new(LocalDirs::below(dir.join("local")));
/// // The text of the key file is what opens the repository: a real program writes it to a safe place.
/// let (_key_file, secret) = key::new_key_file()?;
/// let location = dir.join("repository").display().to_string();
/// let repository = Repository::create(&location, CreateRequest::new(secret), &run)?;
///
/// let backup = BackupRequest::new([dir.join("documents")]).tag("example");
/// let report = repository.backup(backup, &Quiet)?;
/// assert_eq!(report.summary.files_new, 1);
///
/// let newest = repository.find("latest")?;
/// assert_eq!(Some(newest.id), report.snapshot);
///
/// let request = RestoreRequest::new(dir.join("restored")).below(dir.join("documents"));
/// repository.restore(newest.id, request, &Quiet)?;
/// assert_eq!(std::fs::read_to_string(dir.join("restored/letter.txt"))?, "Dear reader");
/// # Ok(())
/// # }
/// ```
pub struct Repository {
    repo: Repo,
    location: String,
}

/// The snapshots of a repository, and what is wrong with some.
#[derive(Debug)]
#[non_exhaustive]
pub struct SnapshotList {
    /// Those that can be read, oldest first.
    pub snapshots: Vec<SnapshotInfo>,
    /// Those that can't be read, and why.
    pub unreadable: Vec<(SessionId, Error)>,
    /// Those that this machine made or saw earlier and that are gone, although nobody removed them; or why this can't be
    /// determined.
    pub lost: Result<Vec<SessionId>>,
}

impl Repository {
    /// Creates a repository and opens it. `location` is a path or a URL, as in `docs/remotes.md`.
    ///
    /// Fails with [`StoreError::RepositoryExists`](crate::StoreError::RepositoryExists) if there is one already.
    pub fn create(location: &str, request: CreateRequest, run: &RunContext) -> Result<Repository> {
        let CreateRequest {
            secrets,
            bounds,
            cost,
            parity,
        } = request;
        let labelled: Vec<(Secret, &str)> = secrets
            .iter()
            .map(|(secret, label)| (secret.clone(), label.as_str()))
            .collect();
        repo::create(location, run, bounds, &labelled, cost, parity)?;
        match labelled.first() {
            Some((secret, _)) => Repository::open(location, secret, run),
            None => Err(Error::Store(crate::StoreError::WrongKey)),
        }
    }

    /// Opens the repository at `location`, a path or a URL.
    ///
    /// Fails with [`StoreError::NoRepository`](crate::StoreError::NoRepository) if there is none, and with
    /// [`StoreError::WrongKey`](crate::StoreError::WrongKey) if the secret opens none of its key slots.
    pub fn open(location: &str, secret: &Secret, run: &RunContext) -> Result<Repository> {
        let repo = Repo::open(location, secret, &named(run))?;
        let location = location.to_string();
        Ok(Repository { repo, location })
    }

    /// Whether there is a repository at `location`. Needs no secret.
    pub fn exists(location: &str, run: &RunContext) -> Result<bool> {
        repo::exists(location, run)
    }

    /// The id of the repository, which all its replicas share.
    pub fn id(&self) -> RepoId {
        *self.repo.store.id()
    }

    /// Where the repository is, without the password that its URL may contain.
    pub fn location(&self) -> String {
        self.repo.location()
    }

    /// Makes a snapshot of files and directories.
    ///
    /// A file that can't be read is a problem, which `monitor` is told and the report counts; the snapshot is made
    /// nevertheless. The repository itself and the directories of [`RunContext::dirs`] are never backed up.
    pub fn backup(&self, request: BackupRequest, monitor: &dyn Monitor) -> Result<BackupReport> {
        let repo = self.now();
        let mut options = request.options;
        for source in &mut options.sources {
            let absolute = std::path::absolute(&*source);
            let absolute = absolute.map_err(|e| Error::io(Operation::LookUp, source.clone(), e))?;
            // Without the `/` that it may end in.
            *source = absolute.components().collect();
        }
        let dirs = &repo.run().dirs;
        options.own = OwnPlaces {
            repositories: repo::local_path(&self.location)
                .map(Path::to_path_buf)
                .into_iter()
                .collect(),
            local: vec![dirs.cache.clone(), dirs.state.clone()],
        };
        let report = backup::run(&repo, &options, None, monitor)?;
        repo.tell_damage(monitor);
        Ok(report)
    }

    /// Makes a snapshot of what `source` yields, as one file with the absolute path `name`. The sources of the request are
    /// ignored.
    pub fn backup_stream(
        &self,
        name: impl AsRef<Path>,
        source: &mut (dyn Read + Send),
        request: BackupRequest,
        monitor: &dyn Monitor,
    ) -> Result<BackupReport> {
        let repo = self.now();
        let mut options = request.options;
        options.sources.clear();
        let stream = Stream {
            name: to_bytes(name.as_ref()).into_owned(),
            source,
        };
        let report = backup::run(&repo, &options, Some(stream), monitor)?;
        repo.tell_damage(monitor);
        Ok(report)
    }

    /// Lists the snapshots.
    pub fn snapshots(&self) -> Result<SnapshotList> {
        let repo = self.now();
        let survey = repo.survey_outlines()?;
        Ok(SnapshotList {
            snapshots: order::facts(&survey.snapshots, repo.run().now),
            unreadable: survey.unreadable,
            lost: survey.lost,
        })
    }

    /// The snapshot that a text means: `latest`, `latest~2` (the second before it), or the beginning of an id.
    pub fn find(&self, text: &str) -> Result<SnapshotInfo> {
        let snapshots = self.snapshots()?.snapshots;
        select::choose(&snapshots, text, &Filter::default(), None).cloned()
    }

    /// All that is stored about a snapshot.
    pub fn manifest(&self, snapshot: SessionId) -> Result<Manifest> {
        self.repo.manifest(snapshot)
    }

    /// Calls `each` with the entries of a snapshot, by their paths without the leading `/`. With a `path`, only with the
    /// entry there and, if it is a directory, with those in it, and below it if `recursive`.
    pub fn entries(
        &self,
        snapshot: SessionId,
        path: Option<&Path>,
        recursive: bool,
        each: &mut dyn FnMut(&[u8], &Entry) -> Result<()>,
    ) -> Result<()> {
        let repo = self.now();
        let manifest = repo.manifest(snapshot)?;
        let path = path.map(to_bytes);
        list::entries(&repo.reader(&Quiet), &manifest, path.as_deref(), recursive, each)
    }

    /// Writes the content of the regular file at `path` (absolute) to `out`, and returns its length.
    pub fn read_file(
        &self,
        snapshot: SessionId,
        path: impl AsRef<Path>,
        out: &mut dyn Write,
        monitor: &dyn Monitor,
    ) -> Result<u64> {
        let repo = self.now();
        let manifest = repo.manifest(snapshot)?;
        dump::file(&repo, &manifest, &to_bytes(path.as_ref()), out, monitor)
    }

    /// Restores a snapshot, or part of it, into a directory. A path that can't be restored is a problem, which `monitor`
    /// is told and the summary counts; the rest is restored nevertheless.
    pub fn restore(
        &self,
        snapshot: SessionId,
        request: RestoreRequest,
        monitor: &dyn Monitor,
    ) -> Result<restore::Summary> {
        let repo = self.now();
        let manifest = repo.manifest(snapshot)?;
        let summary = restore::run(&repo, &manifest, &request.options, monitor)?;
        repo.tell_damage(monitor);
        Ok(summary)
    }

    /// What a retention policy would do with the snapshots that pass the filter. It is applied to each group of snapshots
    /// that agree in `group_by`; `zone` says when a day begins. Nothing is removed: pass those that you don't want to keep
    /// to [`forget`](Repository::forget).
    pub fn apply_policy(
        &self,
        policy: &Policy,
        group_by: &[GroupKey],
        filter: &Filter,
        zone: &TimeZone,
    ) -> Result<Vec<PolicyDecision>> {
        let repo = self.now();
        let Survey { snapshots, .. } = repo.survey()?;
        Ok(forget::plan(
            &snapshots,
            policy,
            group_by,
            filter,
            zone,
            repo.run().now,
        ))
    }

    /// Moves snapshots to the trash. If one of them is protected, none is moved. Their data stays until a
    /// [`prune`](Repository::prune) finds that they have been in the trash for long enough.
    pub fn forget(&self, snapshots: &[SessionId]) -> Result<()> {
        forget::apply(&self.now(), snapshots)
    }

    /// Deletes what no snapshot needs any more. Safe while others back up to the repository.
    pub fn prune(&self, request: PruneRequest, monitor: &dyn Monitor) -> Result<PruneSummary> {
        prune::run(&self.now(), &request.options, monitor)
    }

    /// Checks that everything that snapshots need is there, and that the data that `read_data` names is intact. Damage is
    /// in the report; an error means that the check could not be made.
    pub fn check(&self, read_data: ReadData, monitor: &dyn Monitor) -> Result<CheckReport> {
        check::run(&self.now(), &CheckOptions { read_data }, monitor)
    }

    /// The key slots: one for each secret that opens the repository.
    pub fn keys(&self) -> Result<Vec<SlotInfo>> {
        key::list(&self.repo)
    }

    /// Adds a secret that opens the repository.
    pub fn add_key(&self, secret: &Secret, label: &str) -> Result<SlotId> {
        key::add(&self.now(), secret, label)
    }

    /// Removes a secret's slot. The slot that opened this value is refused.
    pub fn remove_key(&self, slot: SlotId) -> Result<()> {
        key::remove(&self.repo, slot)
    }

    /// The repository for an operation that begins now.
    fn now(&self) -> Repo {
        self.repo.at(Timestamp::now())
    }
}

/// A run whose snapshots name the machine and the user, also if the caller did not set them.
fn named(run: &RunContext) -> RunContext {
    let mut run = run.clone();
    if run.host.is_empty() {
        run.host = process::host_name();
    }
    if run.user.is_empty() {
        run.user = process::user_name();
    }
    run
}
