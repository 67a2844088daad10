//! Wraps a job so that it leaves a row: a face that counts what passes through it, and a thread that looks whether the job
//! is asked to stop.

use super::journal::{Journal, LiveRow};
use super::problems::ProblemLog;
use super::{HistoryRow, JobInfo};
use crate::catalogue::{Cause, Question, SetupWarning};
use crate::context::Context;
use crate::face::{Activity, Decisions, ExpiryNews, Face, Notice, Watch};
use crate::failure::Failure;
use crate::log::{Log, LogLevel};
use crate::secret::{Hidden, PasswordPrompt};
use crate::status::Status;
use engine::entry::{Kind, Trouble};
use engine::monitor::{EntryChange, ExcludeRule, Monitor, Phase, Problem, ProblemKind, Progress};
use engine::platform::errno::error;
use engine::run::CancelToken;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often it is looked whether the job is asked to stop.
const LOOK: Duration = Duration::from_millis(200);
/// How often a job shows that it is alive: so exactly is known when one was killed.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);
/// Problems of a job that are in the log, too; the history has more.
const PROBLEMS_LOGGED: u64 = 20;

/// Runs a job and leaves its row, unless `job` is `None` (it changes nothing). `ending` completes the row of a job that
/// came to its end, and contains its status.
pub fn recorded<R>(
    context: &Context,
    job: Option<JobInfo>,
    face: &dyn Face,
    run: impl FnOnce(&dyn Face) -> Result<R, Failure>,
    ending: impl FnOnce(&R, &mut HistoryRow) -> Status,
) -> Result<R, Failure> {
    match job {
        None => run(face),
        Some(job) => {
            let recorder = Recorder::new(context, &job, &|| false)?;
            recorder.run(face, run, ending).done
        }
    }
}

/// Records one job.
pub struct Recorder<'a> {
    journal: Journal,
    log: &'a Log,
    cancel: &'a CancelToken,
    /// Whether the job is to stop for another reason than that somebody asked for it.
    ends: &'a (dyn Fn() -> bool + Sync),
    /// A row is left even if the job turns out to be not for now.
    pub keeps_skips: bool,
    tape: Tape,
    live: Option<LiveRow>,
    row: HistoryRow,
    /// Nothing can be kept, and no one looks for it.
    is_lost: bool,
}

/// A job that has ended.
pub struct Recorded<R> {
    pub done: Result<R, Failure>,
    /// As it was written; without an id if none was.
    pub row: HistoryRow,
    /// Somebody asked for its end.
    pub stopped: bool,
}

/// What passed by, as stored by the threads of the job.
struct Tape {
    journal: Journal,
    id: String,
    files: AtomicU64,
    bytes: AtomicU64,
    stopped: AtomicBool,
    log: Mutex<ProblemLog>,
    reasons: Mutex<BTreeSet<&'static str>>,
    ended: Mutex<bool>,
    wake: Condvar,
}

impl<'a> Recorder<'a> {
    pub fn new(
        context: &'a Context,
        job: &JobInfo,
        ends: &'a (dyn Fn() -> bool + Sync),
    ) -> Result<Recorder<'a>, Failure> {
        let dirs = context.dirs()?;
        let journal = Journal::of(&dirs);
        let start = context.now.timestamp();
        let job = &JobInfo {
            repository: job.repository.clone().or_else(|| context.repository_name()),
            ..job.clone()
        };
        let (row, live, is_lost) = match journal.begin(job, start) {
            Ok((row, live)) => (row, Some(live), false),
            // If no state directory can be made, no one looks for a history; a command that needs one reports that.
            Err(_) if !dirs.state.is_dir() => (job.row(start), None, true),
            // The end of the job reports it.
            Err(_) => (job.row(start), None, false),
        };
        let log = context.log();
        log.add(LogLevel::Debug, "job-begins", facts(&row));
        Ok(Recorder {
            log,
            tape: Tape {
                journal: journal.clone(),
                id: row.id.clone(),
                files: AtomicU64::new(0),
                bytes: AtomicU64::new(0),
                stopped: AtomicBool::new(false),
                log: Mutex::default(),
                reasons: Mutex::default(),
                ended: Mutex::new(false),
                wake: Condvar::new(),
            },
            journal,
            keeps_skips: true,
            cancel: context.cancel(),
            ends,
            live,
            row,
            is_lost,
        })
    }

    /// Runs the job.
    pub fn run<R>(
        mut self,
        face: &dyn Face,
        run: impl FnOnce(&dyn Face) -> Result<R, Failure>,
        ending: impl FnOnce(&R, &mut HistoryRow) -> Status,
    ) -> Recorded<R> {
        let done = self.watched(face, run);
        let mut row = std::mem::take(&mut self.row);
        row.files = self.tape.files.load(Relaxed);
        row.bytes = self.tape.bytes.load(Relaxed);
        let stopped = self.tape.stopped.load(Relaxed);
        let done = match done {
            Err(failure) if failure.status == Status::Interrupted && stopped => Err(Cause::JobStopped.into()),
            done => done,
        };
        // Nothing was done, and the caller knows that.
        if row.set.is_none() && matches!(&done, Err(failure) if failure.status == Status::BadSettings) {
            self.journal.withdraw(self.live.take());
            let stopped = false;
            return Recorded { done, row, stopped };
        }
        let status = match &done {
            Ok(report) => ending(report, &mut row),
            Err(failure) => {
                row.tell(failure);
                row.reason = failure.reason().map(String::from);
                failure.status
            }
        };
        if status == Status::NotRun && !self.keeps_skips {
            self.journal.withdraw(self.live.take());
            row.id.clear();
            return Recorded { done, row, stopped };
        }
        self.complete(&mut row, status);
        row.is_kept = self.keep(&row, done.as_ref().err(), face);
        Recorded { done, row, stopped }
    }

    /// Adds what is known of a job that has ended.
    fn complete(&self, row: &mut HistoryRow, status: Status) {
        let own_reason = row.reason.take();
        row.ended(status, Timestamp::now());
        row.problems = lock(&self.tape.log).count;
        let problems = lock(&self.tape.reasons).clone();
        for one in row.destinations.iter_mut().filter(|one| one.is_incomplete()) {
            // What was saved there has the problems of the whole.
            one.reason = one.reason.take().or_else(|| common(&problems));
        }
        let there = row.destinations.iter().filter_map(|one| one.reason.as_deref());
        let mut reasons: BTreeSet<&str> = there.collect();
        reasons.extend(problems);
        if status == Status::Incomplete {
            row.reason = common(&reasons).or(row.reason.take());
        }
        row.reason = own_reason.or(row.reason.take());
    }

    /// Writes the row into the history and the log; whether the history has it now.
    fn keep(&mut self, row: &HistoryRow, failure: Option<&Failure>, face: &dyn Face) -> bool {
        let written = match self.is_lost {
            true => Ok(()),
            false => self.journal.end(row, self.live.take()),
        };
        self.note_end(row, failure);
        if !self.is_lost {
            self.journal.note_proof(row);
        }
        let is_kept = written.is_ok() && !self.is_lost;
        if let Err(e) = written {
            face.notice(&Notice::Warning {
                during: "history",
                warning: &not_kept(self.journal.dir(), e),
            });
        }
        is_kept
    }

    fn note_end(&self, row: &HistoryRow, failure: Option<&Failure>) {
        match failure {
            Some(failure) if failure.status != Status::NotRun => {
                self.log.failure("job-ended", failure, facts(row));
            }
            _ if row.status == Status::Completed.word() || row.status == Status::NotRun.word() => {
                self.log.add(LogLevel::Info, "job-ended", facts(row));
            }
            _ => self.log.add(LogLevel::Warning, "job-ended", facts(row)),
        }
    }

    fn watched<R>(
        &self,
        face: &dyn Face,
        run: impl FnOnce(&dyn Face) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        let recording = RecordingFace {
            face,
            tape: &self.tape,
            log: self.log,
        };
        std::thread::scope(|scope| {
            let look = std::thread::Builder::new().name("stop".to_string());
            // Without a thread the job can't be stopped from elsewhere, which is better than that it does not run.
            let _ = look.spawn_scoped(scope, || self.look());
            let _ended = JobEnd(&self.tape);
            run(&recording)
        })
    }

    fn look(&self) {
        let mut ended = lock(&self.tape.ended);
        let mut shown = Instant::now();
        while !*ended {
            if shown.elapsed() >= SIGN_OF_LIFE {
                shown = Instant::now();
                if let Some(live) = &self.live {
                    live.show();
                }
            }
            if self.journal.is_asked_to_stop(&self.tape.id) {
                self.tape.stopped.store(true, Relaxed);
                self.cancel.cancel();
            } else if (self.ends)() {
                self.cancel.cancel();
            }
            let waited = self.tape.wake.wait_timeout(ended, LOOK);
            ended = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Tape {
    /// A part that failed is a reason like a problem; a part that says no more is one of the unexpected.
    fn part_failed(&self, status: Status) {
        let why = match status {
            Status::Incomplete => Status::Failed,
            status => status,
        };
        lock(&self.reasons).extend(why.reason());
    }

    /// How many there were so far.
    fn problem(&self, problem: &Problem) -> u64 {
        if let Some(reason) = reason(&problem.what) {
            lock(&self.reasons).insert(reason);
        }
        let mut log = lock(&self.log);
        log.add(&self.journal, &self.id, problem);
        log.count
    }
}

/// Tells the thread that looks after a job that it is over, however it ends: else a panic would wait for that thread for
/// ever.
struct JobEnd<'t>(&'t Tape);

impl Drop for JobEnd<'_> {
    fn drop(&mut self) {
        *lock(&self.0.ended) = true;
        self.0.wake.notify_all();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Numbers and flags are right whichever thread panicked.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The one reason that there is, or that there are several.
fn common(reasons: &BTreeSet<&str>) -> Option<String> {
    match reasons.len() {
        0 => None,
        1 => reasons.first().map(ToString::to_string),
        _ => Status::Incomplete.reason().map(String::from),
    }
}

fn of_kind(kind: io::ErrorKind) -> Status {
    use std::io::ErrorKind;
    match kind {
        ErrorKind::PermissionDenied => Status::AccessDenied,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Status::OutOfSpace,
        ErrorKind::OutOfMemory => Status::OutOfMemory,
        _ => Status::Failed,
    }
}

/// Why a job is incomplete in which this is the only kind of problem.
fn reason(what: &ProblemKind) -> Option<&'static str> {
    let of = |errno: i32| of_kind(error(errno).kind());
    let status = match what {
        ProblemKind::Warning { .. } | ProblemKind::Bare { .. } => return None,
        ProblemKind::Source(
            Trouble::Unreadable { errno } | Trouble::Unknown { errno } | Trouble::NoXattrs { errno },
        ) => of(*errno),
        ProblemKind::SourceMissing { .. } | ProblemKind::Lost { .. } => Status::BadSettings,
        ProblemKind::Unreadable { .. } => Status::AccessDenied,
        ProblemKind::Damage { .. } => Status::Damaged,
        ProblemKind::Restore(problem) if problem.refuses_name() => Status::ForbiddenName,
        ProblemKind::Restore(problem) => problem.io().map_or(Status::Failed, |error| of_kind(error.kind())),
        ProblemKind::Source(Trouble::Changed) | ProblemKind::LeftOut { .. } | ProblemKind::SnapshotLost => {
            Status::Failed
        }
    };
    status.reason()
}

/// What the log says of a job.
fn facts(row: &HistoryRow) -> Value {
    json!({
        "job": row.id,
        "kind": row.kind,
        "set": row.set,
        "cause": row.cause,
        "repository": row.repository,
        "status": row.status,
        "reason": row.reason,
        "files": row.files,
        "bytes": row.bytes,
        "snapshots": row.snapshots,
        "problems": row.problems,
        "seconds": row.end.map(|end| end.duration_since(row.start).as_secs()),
        "why": row.message,
    })
}

/// Passes everything on to another face, and takes notes.
struct RecordingFace<'a> {
    face: &'a dyn Face,
    tape: &'a Tape,
    log: &'a Log,
}

impl Face for RecordingFace<'_> {
    fn password(&self, prompt: PasswordPrompt) -> Result<Option<Hidden>, Failure> {
        self.face.password(prompt)
    }

    fn can_confirm(&self) -> bool {
        self.face.can_confirm()
    }

    fn confirm(&self, question: &Question) -> Result<bool, Failure> {
        self.face.confirm(question)
    }

    fn decided(&self, decisions: &Decisions) -> Result<(), Failure> {
        self.face.decided(decisions)
    }

    fn expiry(&self, news: &ExpiryNews<'_>) -> Result<(), Failure> {
        self.face.expiry(news)
    }

    fn can_show_phrase(&self) -> bool {
        self.face.can_show_phrase()
    }

    fn confirms_phrase(&self) -> bool {
        self.face.confirms_phrase()
    }

    fn show_phrase(&self, phrase: &str) -> Result<(), Failure> {
        self.face.show_phrase(phrase)
    }

    fn notice(&self, notice: &Notice<'_>) {
        self.log.notice(&self.tape.id, notice);
        if let Notice::PartFailed(failure) = notice {
            self.tape.part_failed(failure.status);
        }
        self.face.notice(notice);
    }

    fn start(&self, activity: Activity) -> Result<Box<dyn Watch + '_>, Failure> {
        Ok(Box::new(RecordingWatch {
            watch: self.face.start(activity)?,
            tape: self.tape,
            log: self.log,
        }))
    }
}

struct RecordingWatch<'a> {
    watch: Box<dyn Watch + 'a>,
    tape: &'a Tape,
    log: &'a Log,
}

impl Watch for RecordingWatch<'_> {
    fn finish(self: Box<Self>) {
        self.watch.finish();
    }
}

impl Monitor for RecordingWatch<'_> {
    fn phase(&self, phase: Phase) {
        self.watch.phase(phase);
    }

    fn progress(&self, progress: &Progress) {
        self.tape.files.store(progress.files_done, Relaxed);
        self.tape.bytes.store(progress.bytes_done, Relaxed);
        self.watch.progress(progress);
    }

    fn current(&self, path: &[u8]) {
        self.watch.current(path);
    }

    fn problem(&self, problem: &Problem) {
        if self.tape.problem(problem) <= PROBLEMS_LOGGED {
            self.log.problem(&self.tape.id, problem);
        }
        self.watch.problem(problem);
    }

    fn wants_entries(&self) -> bool {
        self.watch.wants_entries()
    }

    fn entry(&self, path: &[u8], kind: &Kind, change: EntryChange, size: u64) {
        self.watch.entry(path, kind, change, size);
    }

    fn excluded(&self, path: &[u8], rule: &ExcludeRule, line: Option<&str>) {
        self.watch.excluded(path, rule, line);
    }

    fn wants_totals_after(&self) -> Option<Duration> {
        self.watch.wants_totals_after()
    }
}

/// A warning that a run is not in the history.
pub(crate) fn not_kept(dir: &Path, error: io::Error) -> SetupWarning {
    SetupWarning::NotInHistory {
        dir: dir.display().to_string(),
        why: error.into(),
    }
}
