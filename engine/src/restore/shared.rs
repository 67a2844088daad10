//! What all threads of one restore share: the target, the source of chunks, counters, and whether to go on.

use super::fetch::Source;
use super::{Options, Overwrite, Permissions, Summary};
use crate::entry::{Kind, Meta};
use crate::error::{Error, Result};
use crate::fsmeta::{self, ApplyOptions, ApplyProblem, Owner, Owners, Target, TargetError};
use crate::monitor::{Monitor, Problem, ProblemKind, Progress};
use chunkstore::descriptors;
use parking_lot::Mutex;
use rustix::io::Errno;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Why a path could not be restored: the path's own trouble, or what ends the run.
#[derive(Debug)]
pub(super) enum Fault {
    Path(String),
    Fatal(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error {
            Error::Store(e) if e.is_damage() => Fault::Path(e.to_string()),
            error => Fault::Fatal(error),
        }
    }
}

impl From<TargetError> for Fault {
    fn from(error: TargetError) -> Self {
        match error {
            TargetError::Io { call, source } => Fault::target(call, source),
            other => Fault::Path(other.to_string()),
        }
    }
}

impl Fault {
    /// A full disk and a lack of descriptors are everybody's trouble; all else is this path's.
    pub fn target(call: &'static str, source: io::Error) -> Fault {
        if descriptors::are_exhausted(&source) {
            return Fault::Fatal(chunkstore::Error::too_many_open("a file of the restore target").into());
        }
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Fault::Fatal(chunkstore::Error::local(call, "the restore target", source).into())
            }
            _ => Fault::Path(format!("{call}: {source}")),
        }
    }
}

pub(super) type Outcome<T> = std::result::Result<T, Fault>;

/// Counters of [`Summary`], and bytes written so far.
#[derive(Default)]
pub(super) struct Counts {
    pub total_files: AtomicU64,
    pub files_restored: AtomicU64,
    pub files_skipped: AtomicU64,
    pub files_failed: AtomicU64,
    pub total_bytes: AtomicU64,
    pub bytes_restored: AtomicU64,
    pub bytes_skipped: AtomicU64,
    pub dirs: AtomicU64,
    pub others: AtomicU64,
    pub problems: AtomicU64,
    bytes_written: AtomicU64,
    files_expected: AtomicU64,
    bytes_expected: AtomicU64,
}

pub(super) struct Shared<'a> {
    pub options: &'a Options,
    pub monitor: &'a dyn Monitor,
    pub source: &'a Source<'a>,
    pub counts: Counts,
    /// `None` in a dry run into what does not exist.
    target: Option<Target>,
    apply: ApplyOptions,
    owners: Owners,
    umask: u32,
    failure: Mutex<Option<Error>>,
    failed: AtomicBool,
    /// Begins the names of files that will replace others.
    temporary: String,
    numbered: AtomicU64,
}

impl<'a> Shared<'a> {
    pub fn new(source: &'a Source<'a>, options: &'a Options, monitor: &'a dyn Monitor) -> Result<Shared<'a>> {
        let mut apply = ApplyOptions::for_this_process();
        if options.permissions == Permissions::Current {
            (apply.owner, apply.xattrs) = (Owner::Keep, false);
        }
        Ok(Shared {
            options,
            monitor,
            source,
            counts: Counts::default(),
            target: open_target(options)?,
            apply,
            owners: Owners::default(),
            umask: fsmeta::umask(),
            failure: Mutex::new(None),
            failed: AtomicBool::new(false),
            temporary: format!(".dedup-restore-{}-", hex::encode(chunkstore::id::random::<4>()?)),
            numbered: AtomicU64::new(0),
        })
    }

    pub fn target(&self) -> Option<&Target> {
        self.target.as_ref()
    }

    /// The target of a run that writes.
    pub fn writable(&self) -> Outcome<&Target> {
        self.target
            .as_ref()
            .ok_or_else(|| Fault::Path("nothing is written in a dry run".to_string()))
    }

    /// Options leave out part of the generation.
    pub fn narrowed(&self) -> bool {
        let Options {
            subpath,
            paths,
            exclude,
            include,
            ..
        } = self.options;
        subpath.is_some() || !paths.is_empty() || !exclude.is_empty() || !include.is_empty()
    }

    /// Threads that read and write: as many as there are cores, or reads that the storage does well to have under way.
    pub fn threads(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, |n| n.get().min(8));
        descriptors::threads(match self.options.threads {
            0 => cores().max(self.source.reader().store().remote().lanes()),
            given => given,
        })
    }

    /// A name that no other file of this run has; it begins with a dot.
    pub fn temporary_name(&self) -> Vec<u8> {
        let number = self.numbered.fetch_add(1, Relaxed);
        format!("{}{number:x}", self.temporary).into_bytes()
    }

    /// Existing directories get the recorded metadata.
    pub fn updates_dirs(&self) -> bool {
        match self.options.overwrite {
            Overwrite::Always | Overwrite::IfChanged | Overwrite::IfNewer => true,
            Overwrite::Never | Overwrite::Rename => false,
        }
    }

    /// Puts metadata back and reports what could not be.
    pub fn apply_meta(&self, path: &[u8], at: &fsmeta::At<'_>, kind: &Kind, meta: &Meta) {
        let problems = match self.options.permissions {
            Permissions::Original => fsmeta::apply_meta(at, kind, meta, &self.apply, &self.owners),
            Permissions::Current => {
                let meta = self.as_new(kind, meta);
                fsmeta::apply_meta(at, kind, &meta, &self.apply, &self.owners)
            }
        };
        for problem in problems {
            self.meta_problem(path, &problem);
        }
    }

    fn as_new(&self, kind: &Kind, meta: &Meta) -> Meta {
        let all = if *kind == Kind::Dir || meta.mode & 0o100 != 0 {
            0o777
        } else {
            0o666
        };
        let mut meta = meta.clone();
        meta.mode = all & !self.umask;
        meta
    }

    fn meta_problem(&self, path: &[u8], problem: &ApplyProblem) {
        if descriptors::is_exhaustion(problem.errno) {
            return self.fail(chunkstore::Error::too_many_open(path.escape_ascii()).into());
        }
        let error = io::Error::from_raw_os_error(problem.errno);
        let attribute = problem.attribute.escape_ascii();
        let why = match problem.attribute.is_empty() {
            true => format!("{} not restored: {error}", problem.what),
            false => format!("attribute {attribute} not restored: {error}"),
        };
        // What only root may give is no surprise to others.
        let expected = !self.apply.privileged && problem.errno == Errno::PERM.raw_os_error();
        match expected {
            true => self.warn(path, why),
            false => self.problem(path, why),
        }
    }

    /// This path is not, or not wholly, as recorded.
    pub fn problem(&self, path: &[u8], why: impl Into<String>) {
        let why = why.into();
        self.tell(path, ProblemKind::Restore { why });
    }

    pub fn damage(&self, path: &[u8], why: impl Into<String>) {
        let why = why.into();
        self.tell(path, ProblemKind::Damage { why });
    }

    fn tell(&self, path: &[u8], what: ProblemKind) {
        self.counts.problems.fetch_add(1, Relaxed);
        let path = absolute(path);
        self.monitor.problem(&Problem { path, what });
    }

    pub fn warn(&self, path: &[u8], why: impl Into<String>) {
        let (path, why) = (absolute(path), why.into());
        let what = ProblemKind::Warning { why };
        self.monitor.problem(&Problem { path, what });
    }

    /// Remembers the first error that ends the run.
    pub fn fail(&self, error: Error) {
        self.failure.lock().get_or_insert(error);
        self.failed.store(true, Relaxed);
    }

    /// No new work is begun.
    pub fn stopping(&self) -> bool {
        self.failed.load(Relaxed) || self.monitor.interrupted()
    }

    /// Why the run ends, if it does.
    pub fn check(&self) -> Result<()> {
        if self.failed.load(Relaxed) {
            // Taken by an earlier check, the error is on its way up already.
            return Err(self.failure.lock().take().unwrap_or(Error::Interrupted));
        }
        match self.monitor.interrupted() {
            true => Err(Error::Interrupted),
            false => Ok(()),
        }
    }

    pub fn expect(&self, files: u64, bytes: u64) {
        self.counts.files_expected.store(files, Relaxed);
        self.counts.bytes_expected.store(bytes, Relaxed);
    }

    pub fn wrote(&self, bytes: u64) {
        self.counts.bytes_written.fetch_add(bytes, Relaxed);
    }

    /// A chosen file is left as it is in the target.
    pub fn skipped(&self, meta: &Meta) {
        self.counts.files_skipped.fetch_add(1, Relaxed);
        self.counts.bytes_skipped.fetch_add(meta.size, Relaxed);
        self.progress();
    }

    pub fn progress(&self) {
        let get = |counter: &AtomicU64| counter.load(Relaxed);
        let c = &self.counts;
        self.monitor.progress(&Progress {
            files_done: get(&c.files_restored) + get(&c.files_skipped) + get(&c.files_failed),
            files_total: get(&c.files_expected),
            bytes_done: get(&c.bytes_written) + get(&c.bytes_skipped),
            bytes_total: get(&c.bytes_expected),
            errors: get(&c.problems),
        });
    }

    pub fn summary(&self) -> Summary {
        let get = |counter: &AtomicU64| counter.load(Relaxed);
        let c = &self.counts;
        Summary {
            total_files: get(&c.total_files),
            files_restored: get(&c.files_restored),
            files_skipped: get(&c.files_skipped),
            files_failed: get(&c.files_failed),
            total_bytes: get(&c.total_bytes),
            bytes_restored: get(&c.bytes_restored),
            bytes_skipped: get(&c.bytes_skipped),
            dirs: get(&c.dirs),
            others: get(&c.others),
            chunks_from_others: 0,
            problems: get(&c.problems),
            seconds_elapsed: 0.0,
        }
    }
}

/// As a caller shows it.
pub(super) fn absolute(path: &[u8]) -> Vec<u8> {
    [b"/", path].concat()
}

fn open_target(options: &Options) -> Result<Option<Target>> {
    let path = &options.target;
    let failed = |what: &'static str, source| match &source {
        e if matches!(
            io::Error::kind(e),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        ) =>
        {
            chunkstore::Error::local(what, path, source).into()
        }
        _ => Error::Io {
            what,
            path: path.clone(),
            source,
        },
    };
    if !options.dry_run {
        std::fs::create_dir_all(path).map_err(|e| failed("create", e))?;
    }
    match Target::open(path) {
        Ok(target) => Ok(Some(target)),
        Err(e) if options.dry_run && e.io_kind() == Some(io::ErrorKind::NotFound) => Ok(None),
        Err(TargetError::Io { source, .. }) => Err(failed("open", source)),
        Err(e) => Err(Error::Usage(e.to_string())),
    }
}

/// The part of a directory's path that is below the target. `strip` is the length of the path that the target stands for.
pub(super) fn below(path: &[u8], strip: usize) -> &[u8] {
    match path.get(strip..) {
        Some([b'/', rest @ ..]) if strip > 0 => rest,
        Some(rest) => rest,
        None => &[],
    }
}
