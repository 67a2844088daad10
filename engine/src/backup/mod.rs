//! From sources to a generation: walk, join with the parent, read, put, assemble, publish.
//!
//! `dispatch` (one thread) -> `work` (one thread a core) -> `assemble` (the calling thread), with bounded channels and
//! a window of jobs between them, so memory does not grow with the number of files. Trouble with a path is counted
//! and recorded (I-12); trouble with the repository ends the run (I-11).

mod ahead;
mod assemble;
mod dispatch;
mod history;
mod job;
mod open;
mod parent;
mod share;
mod stdin;
mod stream;
mod work;

pub(crate) use assemble::fill_places;
pub use parent::Ignore;

use crate::entry::Time;
use crate::error::{Error, Result, StoreError};
use crate::filter::{Filter, FilterOptions};
use crate::manifest::{Head, Summary, UNREADABLE_MAX};
use crate::monitor::{Monitor, Phase, Problem, Progress};
use crate::repo::{Repo, index_progress};
use crate::trees;
use crate::walk::Walk;
use assemble::Assembler;
use chunkstore::chunker::Chunker;
use chunkstore::keys::Keys;
use chunkstore::reader::Reader;
use chunkstore::writer::{Writer, Written};
use chunkstore::{ChunkId, Place, SessionId};
use crossbeam_channel::bounded;
use dispatch::Dispatcher;
use history::{newest_of_this_machine, parents};
use jiff::Timestamp;
use parent::Parent;
use parking_lot::Mutex;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use work::Worker;

/// Jobs between dispatcher and assembler at most.
const WINDOW: usize = 32;
/// Runs that a garbage collection may overtake before the user is told to try later.
const RESTARTS: usize = 3;

pub struct Options {
    /// Absolute, in their plain form: no `.`, `..`, or empty component.
    pub sources: Vec<PathBuf>,
    pub filter: FilterOptions,
    pub host: String,
    pub user: String,
    pub tags: Vec<String>,
    pub description: String,
    /// The generation's time; `None` is the start of the run.
    pub time: Option<Timestamp>,
    pub now: Timestamp,
    pub dry_run: bool,
    /// Read everything, whatever an earlier generation says.
    pub force: bool,
    pub parent: Option<SessionId>,
    pub ignore: Ignore,
    pub skip_if_unchanged: bool,
    /// Threads that read and store.
    pub threads: usize,
    /// zstd's level.
    pub level: i32,
    pub checkpoint: Duration,
}

/// A stream instead of sources: its name (an absolute path, as bytes) and its bytes.
pub struct Stream<'a> {
    pub name: Vec<u8>,
    pub source: &'a mut (dyn Read + Send),
}

/// What a backup did.
#[derive(Debug)]
pub struct Report {
    /// `None` in a dry run, or when nothing changed and that was to be skipped.
    pub snapshot: Option<SessionId>,
    pub parent: Option<SessionId>,
    pub summary: Summary,
    pub unchanged: bool,
    pub elapsed: Duration,
}

struct Outcome {
    snapshot: Option<SessionId>,
    unchanged: bool,
}

#[derive(Default)]
pub struct Counter(AtomicU64);

impl Counter {
    fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }
    fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// What the stages count together.
#[derive(Default)]
struct Counts {
    files_new: Counter,
    files_changed: Counter,
    files_unmodified: Counter,
    dirs_new: Counter,
    dirs_changed: Counter,
    dirs_unmodified: Counter,
    tree_blobs: Counter,
    files: Counter,
    bytes: Counter,
    errors: Counter,
}

/// What every stage needs of this run.
pub struct Run<'a> {
    repo: &'a Repo,
    writer: &'a Writer,
    monitor: &'a dyn Monitor,
    head: Head,
    counts: Counts,
    /// Bytes of large files that are being read, by lane.
    reading: Vec<Counter>,
    totals: (u64, u64),
    small_file: u64,
    bundle_size: u32,
    level: i32,
    tree_lane: usize,
    share: share::Share,
    stop: AtomicBool,
    unreadable: Mutex<Vec<Vec<u8>>>,
}

impl Run<'_> {
    fn writer_keys(&self) -> &Keys {
        self.repo.store.keys()
    }

    fn chunker(&self) -> &Chunker {
        self.repo.store.chunker()
    }

    fn stopping(&self) -> bool {
        self.stop.load(Relaxed) || self.monitor.interrupted()
    }

    fn problem(&self, problem: &Problem) {
        self.counts.errors.add(1);
        self.monitor.problem(problem);
    }

    fn unreadable_dir(&self, path: &[u8]) {
        let mut list = self.unreadable.lock();
        if list.len() < UNREADABLE_MAX {
            list.push(path.to_vec());
        }
    }

    fn unreadable_dirs(&self) -> Vec<Vec<u8>> {
        self.unreadable.lock().clone()
    }

    /// Whether a bundle may end after the small file of this name: one in 32, by the repository's key.
    fn ends_job(&self, name: &[u8]) -> bool {
        blake3::keyed_hash(self.writer_keys().tree_cuts(), name).as_bytes()[0] & 31 == 0
    }

    fn bytes_read(&self, lane: usize, bytes: u64) {
        self.reading[lane].add(bytes);
        self.progress();
    }

    fn large_file_done(&self, lane: usize) {
        self.reading[lane].0.store(0, Relaxed);
    }

    fn progress(&self) {
        let reading: u64 = self.reading.iter().map(Counter::get).sum();
        self.monitor.progress(&Progress {
            files_done: self.counts.files.get(),
            files_total: self.totals.0,
            bytes_done: self.counts.bytes.get() + reading,
            bytes_total: self.totals.1,
            errors: self.counts.errors.get(),
        });
    }

    fn summary(&self) -> Summary {
        let Written {
            chunks,
            plain,
            stored,
            ..
        } = self.writer.written();
        let c = &self.counts;
        Summary {
            files_new: c.files_new.get(),
            files_changed: c.files_changed.get(),
            files_unmodified: c.files_unmodified.get(),
            dirs_new: c.dirs_new.get(),
            dirs_changed: c.dirs_changed.get(),
            dirs_unmodified: c.dirs_unmodified.get(),
            data_blobs: chunks.saturating_sub(c.tree_blobs.get()),
            tree_blobs: c.tree_blobs.get(),
            data_added: plain,
            data_added_packed: stored,
            total_files_processed: c.files.get(),
            total_bytes_processed: c.bytes.get(),
            errors: c.errors.get(),
        }
    }
}

/// Backs up `options.sources`, or `stream` when there is one.
pub fn run(
    repo: &Repo,
    options: &Options,
    mut stream: Option<Stream<'_>>,
    monitor: &dyn Monitor,
) -> Result<Report> {
    let started = Instant::now();
    check_sources(&options.sources)?;
    if let Some(stream) = &mut stream {
        return once(repo, options, Some(stream), monitor, started);
    }
    for _ in 0..RESTARTS {
        match once(repo, options, None, monitor, started) {
            // What was stored so far is a partial generation, or at least indexed: the next try is quick.
            Err(e) if overtaken(&e) => continue,
            done => return done,
        }
    }
    match once(repo, options, None, monitor, started) {
        Err(e) if overtaken(&e) => Err(Error::ViewChanged),
        done => done,
    }
}

/// A path in another form than the plain one would be recorded under a name that no reader takes.
fn check_sources(sources: &[PathBuf]) -> Result<()> {
    let plain = |path: &PathBuf| {
        let whole: PathBuf = path.components().collect();
        let up = path
            .components()
            .any(|part| part == std::path::Component::ParentDir);
        path.is_absolute() && !up && whole.as_os_str() == path.as_os_str()
    };
    match sources.iter().find(|path| !plain(path)) {
        Some(path) => Err(Error::Usage(format!(
            "{} is not a plain absolute path",
            path.display()
        ))),
        None => Ok(()),
    }
}

/// A collection was quicker: it took this session for dead, condemned what was put, or replaced an index segment
/// between its listing and its reading.
fn overtaken(error: &Error) -> bool {
    match error {
        Error::ViewChanged | Error::Store(StoreError::Fenced) => true,
        Error::Store(StoreError::Missing { object }) => object.starts_with("index/"),
        _ => false,
    }
}

/// Opens the session. A stream can be read but once, so there the index is opened first, as often as it takes.
fn begin(repo: &Repo, options: &Options, is_stream: bool, monitor: &dyn Monitor) -> Result<Writer> {
    let mut tries = 0;
    loop {
        let owner = repo.owner(&options.host, options.now.as_second());
        // One lane for each worker, one for trees.
        let writer = Writer::begin(repo.store.clone(), owner, options.threads + 1, options.dry_run)?;
        if !is_stream {
            return Ok(writer);
        }
        let progress = index_progress(monitor);
        let opened = writer.index(&mut |done, total| progress(done, total)).map(drop);
        match opened.map_err(Error::from) {
            Ok(()) => return Ok(writer),
            Err(e) if overtaken(&e) && tries < RESTARTS => tries += 1,
            Err(e) => return Err(e),
        }
    }
}

fn once(
    repo: &Repo,
    options: &Options,
    stream: Option<&mut Stream<'_>>,
    monitor: &dyn Monitor,
    started: Instant,
) -> Result<Report> {
    let writer = begin(repo, options, stream.is_some(), monitor)?;
    let head = head(repo, options, stream.as_deref());
    let (snapshots, _unreadable) = repo.snapshots()?;
    let parents = if options.force || stream.is_some() {
        Vec::new()
    } else {
        parents(repo, &snapshots, options, &head)?
    };
    let remembered = newest_of_this_machine(repo, &snapshots, monitor);
    let totals = parents.last().map_or((0, 0), |(_, manifest)| {
        (
            manifest.summary.total_files_processed,
            manifest.summary.total_bytes_processed,
        )
    });
    let run = Run {
        repo,
        writer: &writer,
        monitor,
        head,
        counts: Counts::default(),
        reading: (0..=options.threads).map(|_| Counter::default()).collect(),
        totals,
        small_file: repo.store.config().small_file(),
        bundle_size: repo.store.config().bundle_size,
        level: options.level,
        tree_lane: options.threads,
        share: share::Share::new(),
        stop: AtomicBool::new(false),
        unreadable: Mutex::default(),
    };
    let reader = Reader::beside(repo.store.clone(), &writer, index_progress(monitor));
    let trusted_view = writer.view().extends(&remembered.view());
    let mut parent = Parent::new(options.ignore);
    for (id, manifest) in &parents {
        let trusted = trusted_view && remembered.snapshot == Some(*id);
        parent.then(manifest, trees::cursor(&reader, &manifest.root()?)?, trusted);
    }
    if parents
        .iter()
        .any(|(id, _)| !(trusted_view && remembered.snapshot == Some(*id)))
    {
        reader.index()?;
    }
    let unless = match parents.last() {
        Some((_, manifest)) if options.skip_if_unchanged && !manifest.partial => Some(manifest.root()?),
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
    let outcome = match stream {
        Some(stream) => stdin::store(&run, stream, assembler)?,
        None => pipeline(&run, options, parent, &reader, assembler)?,
    };
    Ok(Report {
        snapshot: outcome.snapshot,
        parent: parents.last().map(|(id, _)| *id),
        summary: run.summary(),
        unchanged: outcome.unchanged,
        elapsed: started.elapsed(),
    })
}

/// Runs the three stages and reports the error that came first where several fail together.
fn pipeline<'a, L>(
    run: &'a Run<'a>,
    options: &Options,
    parent: Parent<L>,
    reader: &'a Reader<'a>,
    assembler: impl FnOnce(
        crossbeam_channel::Receiver<job::Job>,
        crossbeam_channel::Sender<Vec<job::Slot>>,
    ) -> Assembler<'a>,
) -> Result<Outcome>
where
    L: FnMut(&ChunkId, Option<&Place>) -> Result<Vec<u8>> + Send,
{
    let filter = Filter::build(options.filter.clone())?;
    let mut walk = Walk::start(&options.sources, filter, options.threads.min(4))?;
    let missing = walk.missing_sources();
    if let Some((path, errno)) = missing.first()
        && missing.len() >= options.sources.len()
    {
        let why = std::io::Error::from_raw_os_error(*errno);
        return Err(Error::NoSource(format!("{}: {why}", path.display())));
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
        let dispatcher = Dispatcher::new(run, parent, reader, to_workers, to_assembler.clone(), rooms)?;
        let (failed, first_error) = (&failed, &first_error);
        let walk = &mut walk;
        scope.spawn(move || dispatcher.walk(walk).unwrap_or_else(failed));
        for lane in 0..options.threads {
            let worker = Worker::new(run, lane)?;
            let (jobs, done) = (for_workers.clone(), to_assembler.clone());
            scope.spawn(move || worker.work(&jobs, &done).unwrap_or_else(failed));
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

fn head(repo: &Repo, options: &Options, stream: Option<&Stream<'_>>) -> Head {
    let paths = match stream {
        Some(stream) => vec![stream.name.clone()],
        None => options
            .sources
            .iter()
            .map(|path| path.as_os_str().as_bytes().to_vec())
            .collect(),
    };
    Head {
        host: options.host.clone(),
        user: options.user.clone(),
        paths,
        tags: options.tags.clone(),
        description: options.description.clone(),
        time: options.time.unwrap_or(options.now),
        walk: Time {
            secs: options.now.as_second(),
            nanos: 0,
        },
        machine: repo.machine(),
    }
}
