//! From sources to a generation: walk, join with the parent, read, put, assemble, publish.
//!
//! `dispatch` (one thread) -> `work` (one thread a core) -> `assemble` (the calling thread): `pipeline` runs them with
//! bounded channels and a window of jobs between them, so memory does not grow with the number of files. Trouble with a path is counted
//! and recorded (I-12); trouble with the repository ends the run (I-11).

mod ahead;
mod assemble;
mod dispatch;
mod expected;
mod history;
mod job;
mod open;
mod outputs;
mod own;
mod parent;
mod pipeline;
mod read;
mod run;
mod scan;
mod share;
mod stdin;
mod stream;
mod work;

pub(crate) use assemble::{fill_places, same_tree};
pub use outputs::{OUTPUTS, Output};
pub use own::OwnPlaces;
pub use parent::Ignore;

use crate::entry::Time;
use crate::error::{Error, Result};
use crate::filter::{Filter, FilterOptions, RuleHits};
use crate::manifest::{Head, Summary};
use crate::monitor::{Monitor, Phase};
use crate::overview;
use crate::platform::paths::to_bytes;
use crate::repo::{Repo, index_progress};
use crate::run::RunContext;
use crate::walk::{self, Grafts, Sources, Walk};
use assemble::Assembler;
pub use chunkstore::frame::LEVEL;
use chunkstore::intake::Intake;
use chunkstore::reader::Reader;
use chunkstore::writer::Writer;
use chunkstore::{SessionId, descriptors};
use expected::Expected;
use history::Before;
use jiff::Timestamp;
use run::BackupRun;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Jobs between dispatcher and assembler at most.
const WINDOW: usize = 32;
/// Runs that a garbage collection may overtake before the user is asked to try later.
const RESTARTS: usize = 3;

pub struct BackupOptions {
    /// Absolute, in their plain form: no `.`, `..`, or empty component.
    pub sources: Vec<PathBuf>,
    /// Those among the sources that mean what a symbolic link leads to, not the link.
    pub followed: BTreeSet<PathBuf>,
    /// Read sources that are devices or FIFOs like files.
    pub read_special: bool,
    /// A source may be empty, not mounted, or no directory any more, and a stream may have no bytes.
    pub allow_empty: bool,
    /// What is not backed up because it is the backup.
    pub own: OwnPlaces,
    pub filter: FilterOptions,
    /// Directories that are read in snapshots of their file systems.
    pub grafts: Arc<Grafts>,
    pub tags: Vec<String>,
    pub description: String,
    /// The set whose run this is, or empty.
    pub set: String,
    /// The generation's time; `None` is the start of the run.
    pub time: Option<Timestamp>,
    pub dry_run: bool,
    /// Read everything, whatever an earlier generation holds.
    pub force: bool,
    pub parent: Option<SessionId>,
    pub ignore: Ignore,
    pub skip_if_unchanged: bool,
    /// zstd's level.
    pub level: i32,
    pub checkpoint: Duration,
    /// What commands print, as files beside the sources, each by its name.
    pub outputs: BTreeMap<Vec<u8>, Output>,
    /// Further destinations: each is handed every pack that is made.
    pub intakes: Vec<Arc<Intake>>,
}

impl BackupOptions {
    /// A backup of `sources` as it is where nothing else was asked for.
    pub fn new(sources: Vec<PathBuf>) -> Self {
        BackupOptions {
            sources,
            followed: BTreeSet::new(),
            read_special: false,
            allow_empty: false,
            own: OwnPlaces::default(),
            filter: FilterOptions::default(),
            grafts: Arc::default(),
            tags: Vec::new(),
            description: String::new(),
            set: String::new(),
            time: None,
            dry_run: false,
            force: false,
            parent: None,
            ignore: Ignore::default(),
            skip_if_unchanged: false,
            level: LEVEL,
            checkpoint: Duration::from_secs(5 * 60),
            outputs: BTreeMap::new(),
            intakes: Vec::new(),
        }
    }
}

/// A stream instead of sources: its name (an absolute path, as bytes) and its bytes.
pub struct Stream<'a> {
    pub name: Vec<u8>,
    pub source: &'a mut (dyn Read + Send),
}

/// What a backup did.
#[derive(Debug)]
#[non_exhaustive]
pub struct BackupReport {
    /// `None` in a dry run, or when nothing changed and that was to be skipped.
    pub snapshot: Option<SessionId>,
    pub parent: Option<SessionId>,
    pub summary: Summary,
    pub unchanged: bool,
    /// Places of our own that were left out, absolute.
    pub left_out: Vec<Vec<u8>>,
    /// What each rule of the filter left out.
    pub excluded: Vec<RuleHits>,
    /// Files whose content is only at a cloud service, and so not saved.
    pub placeholders: u64,
    pub elapsed: Duration,
}

struct RunOutcome {
    snapshot: Option<SessionId>,
    unchanged: bool,
}

/// A walk that began before the repository was open: finding the key of a password takes a while, and so may a network.
pub struct Begun(Walk);

/// Begins to walk `options.sources`.
pub fn begin(options: &BackupOptions, run: &RunContext) -> Result<Begun> {
    walk::check_sources(&options.sources)?;
    start_walk(options, run).map(Begun)
}

/// Backs up `options.sources`, or `stream` when there is one.
pub fn run(
    repo: &Repo,
    options: &BackupOptions,
    stream: Option<Stream<'_>>,
    monitor: &dyn Monitor,
) -> Result<BackupReport> {
    let started = Instant::now();
    walk::check_sources(&options.sources)?;
    match stream {
        Some(mut stream) => once(repo, options, Input::Stream(&mut stream), monitor, started),
        None => run_files(repo, options, None, monitor, started),
    }
}

/// Backs up `options.sources`, whose walk has `begun`.
pub fn run_begun(
    repo: &Repo,
    options: &BackupOptions,
    begun: Begun,
    monitor: &dyn Monitor,
) -> Result<BackupReport> {
    run_files(repo, options, Some(begun.0), monitor, Instant::now())
}

fn run_files(
    repo: &Repo,
    options: &BackupOptions,
    mut begun: Option<Walk>,
    monitor: &dyn Monitor,
    started: Instant,
) -> Result<BackupReport> {
    for _ in 0..RESTARTS {
        match once(repo, options, Input::Files(begun.take()), monitor, started) {
            // What was stored so far is a partial generation, or at least indexed: the next try is quick.
            Err(e) if e.is_overtaken() => continue,
            done => return done,
        }
    }
    match once(repo, options, Input::Files(None), monitor, started) {
        Err(e) if e.is_overtaken() => Err(Error::ViewChanged),
        done => done,
    }
}

/// What a run reads.
enum Input<'i, 's> {
    /// The sources; a walk that has begun, or none.
    Files(Option<Walk>),
    Stream(&'i mut Stream<'s>),
}

impl Input<'_, '_> {
    fn stream_name(&self) -> Option<&[u8]> {
        match self {
            Input::Files(_) => None,
            Input::Stream(stream) => Some(&stream.name),
        }
    }
}

fn start_walk(options: &BackupOptions, run: &RunContext) -> Result<Walk> {
    let filter = Filter::build(options.filter.clone())?;
    let sources = Sources {
        paths: options.sources.clone(),
        followed: options.followed.clone(),
        read_special: options.read_special,
        left_out: own::left_out(options)?,
        tells_excluded: options.dry_run,
        grafts: options.grafts.clone(),
    };
    Walk::start(&sources, filter, threads_of(run).min(4))
}

/// Threads that read and store: as many as have the descriptors they need.
fn threads_of(run: &RunContext) -> usize {
    descriptors::threads(run.threads(64))
}

/// Opens the session. A stream can be read but once, so there the index is opened first, as often as it takes.
fn open_session(
    repo: &Repo,
    options: &BackupOptions,
    is_stream: bool,
    monitor: &dyn Monitor,
) -> Result<Writer> {
    if !options.dry_run {
        repo.prove_state()?;
    }
    let mut tries = 0;
    loop {
        // One lane for each worker, one for trees.
        let lanes = threads_of(repo.run()) + 1;
        let (store, dry) = (repo.store.clone(), options.dry_run);
        let writer = Writer::begin_with(store, repo.owner(), lanes, dry, &options.intakes)?;
        if !is_stream {
            return Ok(writer);
        }
        let progress = index_progress(monitor);
        let opened = writer.index(&mut |done, total| progress(done, total)).map(drop);
        match opened.map_err(Error::from) {
            Ok(()) => return Ok(writer),
            Err(e) if e.is_overtaken() && tries < RESTARTS => tries += 1,
            Err(e) => return Err(e),
        }
    }
}

fn once(
    repo: &Repo,
    options: &BackupOptions,
    input: Input<'_, '_>,
    monitor: &dyn Monitor,
    started: Instant,
) -> Result<BackupReport> {
    let is_stream = input.stream_name().is_some();
    let writer = open_session(repo, options, is_stream, monitor)?;
    let head = head(repo, options, input.stream_name());
    let before = Before::find(repo, options, &head, monitor)?;
    let run = BackupRun::new((repo, &writer), monitor, head, before.totals(), options.level);
    let reader = Reader::beside(repo.store.clone(), &writer, index_progress(monitor));
    let parent = before.parent(repo, &reader, &writer, options)?;
    let skip_if_like = before.skip_if_like(options)?;
    monitor.phase(Phase::BackingUp);
    let assembler = |jobs, free_slots| Assembler {
        run: &run,
        jobs,
        free_slots,
        checkpoint: options.checkpoint,
        parent: before.parent_id(),
        remembered: before.remembered.clone(),
        started,
        dry_run: options.dry_run,
        skip_if_like,
    };
    let outcome = match input {
        Input::Stream(stream) => {
            let known = stdin::before(&reader, before.manifest(), &stream.name)?;
            stdin::store(&run, options, stream, known.as_ref(), assembler)
        }
        Input::Files(begun) => {
            let walk = begun.map_or_else(|| start_walk(options, repo.run()), Ok)?;
            let parent = (parent, before.only_parent_id());
            let expected = Expected::new(repo, &reader, &before.snapshots, &run.head, options.allow_empty);
            pipeline::run(&run, options, walk, parent, expected, &reader, assembler)
        }
    };
    if let Err(Error::Interrupted) = &outcome {
        // Also where there is nothing to make a generation of yet, inside a first large file, what was stored is listed
        // for the next run. It was asked to stop, and that is what it reports.
        let _ = writer.flush();
    }
    let outcome = outcome?;
    // A hint, made after the snapshot: without it, other machines need more requests.
    let _ = outcome
        .snapshot
        .map(|_| overview::renew(&repo.store, before.snapshots.iter().map(|one| one.id)));
    Ok(BackupReport {
        snapshot: outcome.snapshot,
        parent: before.parent_id(),
        summary: run.summary(),
        unchanged: outcome.unchanged,
        left_out: run.left_out.into_inner(),
        excluded: run.excluded.into_inner(),
        placeholders: run.placeholders.into_inner(),
        elapsed: started.elapsed(),
    })
}

fn head(repo: &Repo, options: &BackupOptions, stream_name: Option<&[u8]>) -> Head {
    let paths = match stream_name {
        Some(name) => vec![name.to_vec()],
        None => options
            .sources
            .iter()
            .map(|path| to_bytes(path).into_owned())
            .chain((!options.outputs.is_empty()).then(|| [b"/", OUTPUTS].concat()))
            .collect(),
    };
    Head {
        host: repo.run().host.clone(),
        set: options.set.clone(),
        user: repo.run().user.clone(),
        paths,
        tags: options.tags.clone(),
        description: options.description.clone(),
        time: options.time.unwrap_or(repo.run().now),
        walk: Time {
            secs: repo.run().now_secs(),
            nanos: 0,
        },
        machine: repo.machine(),
    }
}
