//! From sources to a generation: walk, join with the parent, read, put, assemble, publish.
//!
//! `dispatch` (one thread) -> `work` (one thread a core) -> `assemble` (the calling thread), with bounded channels and
//! a window of jobs between them, so memory does not grow with the number of files. Trouble with a path is counted
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
use crate::error::{Error, NoSource, Result};
use crate::filter::{FilterOptions, RuleHits};
use crate::manifest::{Head, Summary};
use crate::monitor::{Monitor, Phase};
use crate::overview;
use crate::platform::paths::to_bytes;
use crate::repo::{Repo, index_progress};
use crate::run::RunContext;
use crate::trees;
use crate::walk::{self, Walk};
use assemble::{Assembler, Unless};
pub use chunkstore::frame::LEVEL;
use chunkstore::intake::Intake;
use chunkstore::reader::Reader;
use chunkstore::writer::Writer;
use chunkstore::{ChunkId, Place, SessionId, descriptors, threads};
use crossbeam_channel::{Receiver, Sender, bounded};
use dispatch::Dispatcher;
use expected::Expected;
use history::{newest_of_this_machine, parents, tell_clock};
use jiff::Timestamp;
use job::{BackupJob, BackupSlot};
use parent::Parent;
use parking_lot::Mutex;
use run::{BackupCounts, BackupRun, Counter, Totals};
use scan::start_walk;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};
use work::Worker;

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
    let survey = repo.survey_outlines()?;
    survey.tell_missing(monitor);
    tell_clock(repo, &survey.snapshots, options, monitor);
    let snapshots = &survey.snapshots;
    let parents = if options.force {
        Vec::new()
    } else {
        parents(repo, snapshots, options, &head)?
    };
    let remembered = newest_of_this_machine(repo, snapshots, monitor)?;
    let totals = parents.last().map(|(_, manifest)| {
        (
            manifest.summary.total_files_processed,
            manifest.summary.total_bytes_processed,
        )
    });
    let threads = threads_of(repo.run());
    let run = BackupRun {
        repo,
        writer: &writer,
        monitor,
        head,
        counts: BackupCounts::default(),
        reading: (0..=threads).map(|_| Counter::default()).collect(),
        totals: Totals::of(totals),
        small_file: repo.store.config().small_file(),
        bundle_size: repo.store.config().bundle_size,
        level: options.level,
        tree_lane: threads,
        share: share::Share::new(),
        stop: AtomicBool::new(false),
        walked: AtomicBool::new(false),
        unreadable: Mutex::default(),
        mounts: Mutex::default(),
        missing: Mutex::default(),
        left_out: Mutex::default(),
        excluded: Mutex::default(),
    };
    let reader = Reader::beside(repo.store.clone(), &writer, index_progress(monitor));
    let is_last = |id: SessionId| remembered.snapshot == Some(id);
    let trusted_view =
        parents.iter().any(|(id, _)| is_last(*id)) && writer.trusts(&remembered.view(), remembered.packs)?;
    let mut parent = Parent::new(options.ignore);
    for (id, manifest) in &parents {
        let trusted = trusted_view && is_last(*id);
        parent.then(
            manifest,
            repo.run().now_secs(),
            trees::cursor(&reader, &manifest.root()?)?,
            trusted,
        );
    }
    if parents.iter().any(|(id, _)| !(trusted_view && is_last(*id))) {
        reader.index()?;
    }
    let unless = match parents.last() {
        Some((_, manifest)) if options.skip_if_unchanged && !manifest.partial => Some(Unless {
            root: manifest.root()?,
            mounts: manifest.mounts.clone(),
            missing: manifest.missing.clone(),
        }),
        _ => None,
    };
    monitor.phase(Phase::BackingUp);
    let assembler = |jobs, rooms| Assembler {
        run: &run,
        jobs,
        rooms,
        checkpoint: options.checkpoint,
        parent: parents.last().map(|(id, _)| *id),
        remembered: remembered.clone(),
        started,
        dry_run: options.dry_run,
        unless,
    };
    let outcome = match input {
        Input::Stream(stream) => {
            let parent = parents.last().map(|(_, manifest)| manifest);
            let known = stdin::before(&reader, parent, &stream.name)?;
            stdin::store(&run, options, stream, known.as_ref(), assembler)
        }
        Input::Files(begun) => {
            let walk = begun.map_or_else(|| start_walk(options, repo.run()), Ok)?;
            let only = match parents.as_slice() {
                [(id, _)] => Some(*id),
                _ => None,
            };
            let expected = Expected::new(repo, &reader, snapshots, &run.head, options.allow_empty);
            pipeline(&run, options, walk, (parent, only), expected, &reader, assembler)
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
        .map(|_| overview::renew(repo, snapshots.iter().map(|one| one.id)));
    Ok(BackupReport {
        snapshot: outcome.snapshot,
        parent: parents.last().map(|(id, _)| *id),
        summary: run.summary(),
        unchanged: outcome.unchanged,
        left_out: run.left_out.into_inner(),
        excluded: run.excluded.into_inner(),
        elapsed: started.elapsed(),
    })
}

/// Runs the three stages and reports the error that came first where several fail together.
fn pipeline<'a, L>(
    run: &'a BackupRun<'a>,
    options: &BackupOptions,
    mut walk: Walk,
    parent: (Parent<L>, Option<SessionId>),
    expected: Expected<'a>,
    reader: &'a Reader<'a>,
    assembler: impl FnOnce(Receiver<BackupJob>, Sender<Vec<BackupSlot>>) -> Assembler<'a>,
) -> Result<RunOutcome>
where
    L: FnMut(&ChunkId, Option<&Place>) -> Result<Vec<u8>> + Send,
{
    let missing = walk.missing_sources();
    if let Some((path, errno)) = missing.first()
        && missing.len() >= options.sources.len()
        && options.outputs.is_empty()
    {
        let (path, errno) = (path.clone(), *errno);
        return Err(Error::NoSource(NoSource::Missing { path, errno }));
    }
    let (to_workers, for_workers) = bounded(WINDOW);
    let (to_assembler, for_assembler) = bounded(WINDOW);
    let (return_room, rooms) = bounded(WINDOW);
    for _ in 0..WINDOW {
        // The channel holds exactly this many.
        let _ = return_room.try_send(Vec::new());
    }
    let first_error: Mutex<Option<Error>> = Mutex::new(None);
    let failed = |e: Error| {
        run.stop.store(true, Relaxed);
        let mut first = first_error.lock();
        let vague = |e: &Error| matches!(e, Error::Store(chunkstore::Error::WriterFailed));
        if first.as_ref().is_none_or(|known| vague(known) && !vague(&e)) {
            *first = Some(e);
        }
    };
    std::thread::scope(|scope| {
        let mut dispatcher = Dispatcher::new(
            run,
            parent,
            expected,
            reader,
            to_workers,
            to_assembler.clone(),
            rooms,
        )?;
        dispatcher.outputs = outputs::Outputs::new(&options.outputs);
        let (failed, first_error) = (&failed, &first_error);
        if run.wants_totals() {
            // Without a thread there are no totals.
            let _ = threads::spawn_in(scope, "scan", || scan::count(run, options));
        }
        let walk = &mut walk;
        threads::spawn_in(scope, "dispatch", move || {
            // Its error is known before its channels close: else what came through them would pass for the whole.
            dispatcher.walk(walk).unwrap_or_else(failed);
            run.walked.store(true, Relaxed);
            drop(dispatcher);
        })?;
        for lane in 0..run.tree_lane {
            let worker = Worker::new(run, lane)?;
            let (jobs, done) = (for_workers.clone(), to_assembler.clone());
            let work = move || worker.work(&jobs, &done).unwrap_or_else(failed);
            match threads::spawn_in(scope, "worker", work) {
                // One does what several would.
                Err(_) if lane > 0 => break,
                started => drop(started?),
            }
        }
        drop((to_assembler, for_workers));
        let mut whole = || match first_error.lock().take() {
            Some(e) => Err(e),
            None => Ok(()),
        };
        let assembled = assembler(for_assembler, return_room).assemble(&mut whole);
        if assembled.is_err() {
            run.stop.store(true, Relaxed);
        }
        match (first_error.lock().take(), assembled) {
            (Some(first), Err(Error::Store(chunkstore::Error::WriterFailed))) => Err(first),
            (_, assembled) => assembled,
        }
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
