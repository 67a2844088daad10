//! What all threads of one restore share: the target, the source of chunks, counters, and whether to go on.

use super::fault::{Fault, RestoreOutcome};
use super::fetch::ChunkSource;
use super::job::{Failure, FileJob, Finished};
use super::journal::{DeadRuns, Temporaries};
use super::locked::Locked;
use super::opened::OpenTarget;
use super::{Overwrite, Permissions, RestoreOptions, Summary};
use crate::entry::{Kind, Meta};
use crate::error::{Error, Result};
use crate::fsmeta::{self, ApplyOptions, FileId, Owner, Owners, Target, TargetDir, TargetError};
use crate::monitor::{EntryChange, Monitor, Problem, ProblemKind, Progress};
use crate::platform::errno::{self, Reason};
use crate::platform::paths::{from_bytes, to_bytes};
use crate::problem::{MetaPart, RestoreProblem, Warning};
use crate::run::RunContext;
use chunkstore::descriptors;
use chunkstore::error::{IoError, Operation};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Counters of [`Summary`], and bytes written so far.
#[derive(Default)]
pub(super) struct RestoreCounts {
    pub total_files: AtomicU64,
    pub files_restored: AtomicU64,
    pub files_skipped: AtomicU64,
    pub files_failed: AtomicU64,
    pub total_bytes: AtomicU64,
    pub bytes_restored: AtomicU64,
    pub bytes_skipped: AtomicU64,
    pub files_unchanged: AtomicU64,
    pub bytes_unchanged: AtomicU64,
    pub files_verified: AtomicU64,
    pub files_deleted: AtomicU64,
    pub dirs: AtomicU64,
    pub others: AtomicU64,
    pub problems: AtomicU64,
    pub bytes_reused: AtomicU64,
    /// Files that are kept for the next run to go on with.
    pub partials: AtomicU64,
    bytes_written: AtomicU64,
    files_expected: AtomicU64,
    bytes_expected: AtomicU64,
}

pub(super) struct Shared<'a> {
    pub options: &'a RestoreOptions,
    pub monitor: &'a dyn Monitor,
    run: &'a RunContext,
    reports: bool,
    pub source: &'a ChunkSource<'a>,
    pub counts: RestoreCounts,
    /// `None` in a dry run into what does not exist.
    target: Option<Target>,
    apply: ApplyOptions,
    owners: Owners,
    umask: u32,
    /// Length of the path that the target stands for.
    strip: usize,
    failure: Mutex<Option<Error>>,
    failed: AtomicBool,
    /// The run ends because there is no space left.
    full: AtomicBool,
    pub temporaries: Temporaries,
    pub dead: DeadRuns,
    /// Written whole, and still to get their names.
    pub finished: Mutex<Vec<Finished>>,
    pub opened: OpenTarget,
    pub locked: Locked,
    /// One directory of each file system that was written to, open: its path may not lead to it for as long.
    pub devices: Mutex<BTreeMap<u64, TargetDir>>,
}

impl<'a> Shared<'a> {
    /// The target stands for the directory `base` of the generation.
    pub fn new(
        source: &'a ChunkSource<'a>,
        options: &'a RestoreOptions,
        base: &[u8],
        (monitor, run): (&'a dyn Monitor, &'a RunContext),
    ) -> Result<Shared<'a>> {
        let mut apply = ApplyOptions::for_this_process();
        if options.permissions == Permissions::Current {
            (apply.owner, apply.xattrs) = (Owner::Keep, false);
        }
        Ok(Shared {
            options,
            monitor,
            run,
            reports: monitor.wants_entries(),
            source,
            counts: RestoreCounts::default(),
            target: open_target(options)?,
            apply,
            owners: Owners::default(),
            umask: fsmeta::umask(),
            strip: base.len(),
            failure: Mutex::new(None),
            failed: AtomicBool::new(false),
            full: AtomicBool::new(false),
            temporaries: Temporaries::default(),
            dead: DeadRuns::default(),
            finished: Mutex::default(),
            opened: OpenTarget::default(),
            locked: Locked::default(),
            devices: Mutex::default(),
        })
    }

    pub fn target(&self) -> Option<&Target> {
        self.target.as_ref()
    }

    /// The target of a run that writes.
    pub fn writable(&self) -> RestoreOutcome<&Target> {
        self.target.as_ref().ok_or(Fault::Path(RestoreProblem::DryRun))
    }

    pub fn strip(&self) -> usize {
        self.strip
    }

    /// The directory at `path` of the generation, opened without following a link.
    pub fn dir(&self, path: &[u8]) -> RestoreOutcome<TargetDir> {
        Ok(self.writable()?.dir(below(path, self.strip))?)
    }

    /// Makes a change in a directory, `path` in the generation.
    pub fn change_in<T>(
        &self,
        path: &[u8],
        dir: &TargetDir,
        change: impl FnMut() -> std::result::Result<T, TargetError>,
    ) -> std::result::Result<T, TargetError> {
        self.opened.change(below(path, self.strip), dir, change)
    }

    /// Written whole under its temporary name, as this file.
    pub fn finished(&self, job: &Arc<FileJob>, id: FileId) {
        let job = job.clone();
        self.finished.lock().push(Finished { job, id });
    }

    /// RestoreOptions leave out part of the generation.
    pub fn narrowed(&self) -> bool {
        let RestoreOptions {
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
        let remote = self.source.reader().store().remote();
        descriptors::threads(match self.run.threads {
            Some(given) => given.get(),
            None => self.run.threads(8).max(remote.max_concurrency()),
        })
    }

    /// Existing directories get the recorded metadata.
    pub fn updates_dirs(&self) -> bool {
        match self.options.overwrite {
            Overwrite::Always | Overwrite::IfChanged | Overwrite::IfNewer => true,
            Overwrite::Never | Overwrite::Rename => false,
        }
    }

    /// No permission keeps this process from writing in a directory.
    pub fn opens_all_dirs(&self) -> bool {
        self.apply.privileged
    }

    /// Attributes and flags are put back.
    pub fn sets_attributes(&self) -> bool {
        self.apply.xattrs
    }

    /// Puts metadata back and reports what could not be.
    pub fn apply_meta(&self, path: &[u8], at: &fsmeta::At<'_>, kind: &Kind, meta: &Meta) {
        let apply = || match self.options.permissions {
            Permissions::Original => fsmeta::apply_meta(at, kind, meta, &self.apply, &self.owners),
            Permissions::Current => {
                let meta = self.as_new(kind, meta);
                fsmeta::apply_meta(at, kind, &meta, &self.apply, &self.owners)
            }
        };
        let applied = self
            .writable()
            .map(|target| target.changes().make(|| Ok(apply())));
        let problems = match applied {
            Ok(Ok(problems)) => problems,
            Ok(Err(e)) => {
                let (operation, error) = (Operation::Write, e.into());
                return self.problem(path, RestoreProblem::Io { operation, error });
            }
            Err(_) => return,
        };
        for problem in problems {
            self.meta_problem(path, &problem.part, problem.errno);
        }
        let locks = self.apply.xattrs && fsmeta::locks(meta.flags);
        if locks && !self.locked.remember(path, kind, meta.flags) {
            self.problem(
                path,
                RestoreProblem::Metadata(MetaPart::Flags, errno::NOT_PERMITTED),
            );
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

    pub fn meta_problem(&self, path: &[u8], part: &MetaPart, number: i32) {
        if descriptors::is_exhaustion(number) {
            let path = from_bytes(path);
            return self.fail(chunkstore::Error::too_many_open(&*path).into());
        }
        // What only root may give is no surprise to others, and no file system has every flag of another.
        let expected = !self.apply.privileged && number == errno::NOT_PERMITTED
            || *part == MetaPart::Flags && Reason::of(number) == Reason::NotSupported;
        match expected {
            true => self.warn(path, Warning::Metadata(part.clone(), number)),
            false => self.problem(path, RestoreProblem::Metadata(part.clone(), number)),
        }
    }

    /// Reports why a path was given up.
    pub fn failed(&self, path: &[u8], failure: Failure) {
        match failure {
            Failure::Problem(why) => self.problem(path, why),
            Failure::Damage(why) => self.tell(path, ProblemKind::Damage(why)),
            Failure::Unreadable(why) => self.tell(path, ProblemKind::Unreadable(why)),
            Failure::Abandoned => {}
        }
    }

    /// This path is not, or not wholly, as recorded.
    pub fn problem(&self, path: &[u8], why: RestoreProblem) {
        self.tell(path, ProblemKind::Restore(why));
    }

    /// An include pattern has chosen nothing.
    pub fn matched_nothing(&self, pattern: &str) {
        self.counts.problems.fetch_add(1, Relaxed);
        let pattern = pattern.to_string();
        let what = ProblemKind::Restore(RestoreProblem::NoMatch { pattern });
        self.monitor.problem(&Problem {
            path: Vec::new(),
            what,
        });
    }

    pub fn warn_of_target(&self, warning: Warning) {
        let path = to_bytes(&self.options.target).into_owned();
        let what = ProblemKind::Warning(warning);
        self.monitor.problem(&Problem { path, what });
    }

    /// The same for a path in the target.
    pub fn problem_in_target(&self, path: &[u8], why: RestoreProblem) {
        self.counts.problems.fetch_add(1, Relaxed);
        let target = to_bytes(&self.options.target);
        let path = [&target, b"/".as_slice(), path].concat();
        let what = ProblemKind::Restore(why);
        self.monitor.problem(&Problem { path, what });
    }

    /// The same for a path in the target that only needs attention.
    pub fn warn_in_target(&self, path: &[u8], warning: Warning) {
        let target = to_bytes(&self.options.target);
        let path = [&target, b"/".as_slice(), path].concat();
        let what = ProblemKind::Warning(warning);
        self.monitor.problem(&Problem { path, what });
    }

    fn tell(&self, path: &[u8], what: ProblemKind) {
        self.counts.problems.fetch_add(1, Relaxed);
        let path = absolute(path);
        self.monitor.problem(&Problem { path, what });
    }

    pub fn warn(&self, path: &[u8], warning: Warning) {
        let path = absolute(path);
        let what = ProblemKind::Warning(warning);
        self.monitor.problem(&Problem { path, what });
    }

    /// Remembers the first error that ends the run.
    pub fn fail(&self, error: Error) {
        self.note_space(&error);
        self.failure.lock().get_or_insert(error);
        self.failed.store(true, Relaxed);
    }

    pub fn note_space(&self, error: &Error) {
        if let Error::Store(chunkstore::Error::NoSpace { .. }) = error {
            self.full.store(true, Relaxed);
        }
    }

    /// What is not needed is given back.
    pub fn is_full(&self) -> bool {
        self.full.load(Relaxed)
    }

    /// No new work is begun.
    pub fn stopping(&self) -> bool {
        self.failed.load(Relaxed) || self.run.cancel().is_cancelled()
    }

    /// Between two steps of work: rests if more than the share of the processor was used.
    pub fn rest(&self) {
        self.run.rest();
    }

    /// Why the run ends, if it does.
    pub fn check(&self) -> Result<()> {
        if self.failed.load(Relaxed) {
            // Taken by an earlier check, the error is on its way up already.
            return Err(self.failure.lock().take().unwrap_or(Error::Interrupted));
        }
        Ok(self.run.cancel().check()?)
    }

    pub fn expect(&self, files: u64, bytes: u64) {
        self.counts.files_expected.store(files, Relaxed);
        self.counts.bytes_expected.store(bytes, Relaxed);
    }

    pub fn wrote(&self, bytes: u64) {
        self.counts.bytes_written.fetch_add(bytes, Relaxed);
    }

    /// So many bytes were in the target where they belong.
    pub fn reused(&self, bytes: u64) {
        self.counts.bytes_reused.fetch_add(bytes, Relaxed);
    }

    /// Something was restored, and was read back if that was asked for.
    pub fn verified(&self, is_file: bool) {
        if is_file && self.options.verify {
            self.counts.files_verified.fetch_add(1, Relaxed);
        }
    }

    /// A chosen file is in the target already as it is recorded.
    pub fn unchanged(&self, path: &[u8], meta: &Meta) {
        self.counts.files_unchanged.fetch_add(1, Relaxed);
        self.counts.bytes_unchanged.fetch_add(meta.size, Relaxed);
        self.left(meta);
        self.entry(path, &Kind::File, EntryChange::Unchanged, meta.size);
    }

    /// A chosen file is left as it is in the target.
    pub fn skipped(&self, path: &[u8], meta: &Meta) {
        self.left(meta);
        self.entry(path, &Kind::File, EntryChange::Skipped, meta.size);
    }

    fn left(&self, meta: &Meta) {
        self.counts.files_skipped.fetch_add(1, Relaxed);
        self.counts.bytes_skipped.fetch_add(meta.size, Relaxed);
        self.progress();
    }

    /// Reports what became of an entry, `path` in the generation, if somebody wants to know.
    pub fn entry(&self, path: &[u8], kind: &Kind, change: EntryChange, size: u64) {
        if self.reports {
            self.monitor.entry(path, kind, change, size);
        }
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
            files_unchanged: get(&c.files_unchanged),
            bytes_unchanged: get(&c.bytes_unchanged),
            bytes_reused: get(&c.bytes_reused),
            files_verified: get(&c.files_verified),
            files_deleted: get(&c.files_deleted),
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

fn open_target(options: &RestoreOptions) -> Result<Option<Target>> {
    let path = &options.target;
    let failed = |operation, source: IoError| match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            let object = path.into();
            chunkstore::Error::NoSpace { object }.into()
        }
        _ => Error::io(operation, path, source),
    };
    if !options.dry_run {
        std::fs::create_dir_all(path).map_err(|e| failed(Operation::Create, e.into()))?;
    }
    #[cfg(not(test))]
    let changes = fsmeta::Changes::default();
    #[cfg(test)]
    let changes = options.changes.clone();
    match Target::open_with(path, changes) {
        Ok(target) => Ok(Some(target)),
        Err(e) if options.dry_run && e.io_kind() == Some(io::ErrorKind::NotFound) => Ok(None),
        Err(TargetError::Io { source, .. }) => Err(failed(Operation::Open, source)),
        Err(e) => Err(Error::Target {
            path: path.clone(),
            problem: e.into(),
        }),
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
