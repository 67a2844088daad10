//! Jobs that were started here: each a thread of its own with a face that keeps its progress for whoever looks, in any
//! number of pages. Their rows in the history are those of every other job; jobs that a command started are known by
//! those rows alone.

use crate::locks::lock;
use service::catalogue::{Lang, not_shown, phase, problem_line, share_done, time_left, units_done};
use service::face::{Activity, Face, Notice, Watch};
use service::monitor::{Monitor, Phase, Problem, Progress};
use service::run::CancelToken;
use service::{Failure, Status, catalogue, restore, text, units};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// Jobs that are remembered after they ended.
const ENDED_MAX: usize = 20;
/// What is kept of what a job said.
const LINES_MAX: usize = 100;
/// The rate is that of the last few seconds.
const SAMPLES_MAX: usize = 16;
const SAMPLE: Duration = Duration::from_millis(400);
/// A step that has lasted this long is worth totals that cost a walk of their own.
const TOTALS_AFTER: Duration = Duration::from_secs(1);

#[derive(Default)]
pub struct Jobs {
    all: Mutex<VecDeque<Arc<Job>>>,
    ended: Condvar,
    next: AtomicU64,
}

/// What was started.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// A run of this set.
    Set(String),
    /// A restore to this place.
    Restore(String),
    /// Something done at this remote.
    Upkeep(Upkeep, String),
    /// What the things in a folder hold alone.
    Space(SpaceSpot),
    /// A path taken out of all snapshots.
    Purge(Purging),
}

/// A folder of all snapshots of a repository.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SpaceSpot {
    /// Name of the remote; empty for the default repository.
    pub remote: String,
    /// From the root; empty for the folder that all sources are in.
    pub path: Vec<u8>,
}

/// What is taken out, and whether that is only tried.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Purging {
    pub spot: SpaceSpot,
    pub is_dry: bool,
}

/// What is done at a remote.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Upkeep {
    /// Reads what locates data.
    Check,
    /// Reads all data, too.
    CheckAll,
    /// Says what a prune would cost.
    PrunePreview,
    Prune,
    Heal,
    /// Restores some files for the sake of the proof.
    Drill,
}

pub struct Job {
    pub nr: u64,
    pub what: What,
    cancel: CancelToken,
    live: Mutex<Live>,
    files_done: AtomicU64,
    files_total: AtomicU64,
    bytes_done: AtomicU64,
    bytes_total: AtomicU64,
    errors: AtomicU64,
    outcome: Mutex<Option<Outcome>>,
    /// What it found or did, in each language.
    summary: Mutex<Vec<(String, String)>>,
}

#[derive(Default)]
struct Live {
    phase: Option<Phase>,
    current: Vec<u8>,
    samples: VecDeque<(Instant, u64)>,
    /// What it said, in each language.
    lines: Vec<(String, String)>,
    left_out: u64,
}

/// How a job ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub status: Status,
    pub failure: Option<Failure>,
    pub restored: Vec<restore::Summary>,
}

/// How far a job is, for people.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Standing {
    /// 0 to 100; `None` where the total is not known.
    pub percent: Option<f64>,
    /// `48,682 / 60,573 files`, `1.5 GiB of 3.5 GiB`.
    pub done: String,
    pub rate: String,
    pub current: String,
}

impl Outcome {
    /// Of a job that restored nothing.
    pub fn of(status: Status) -> Outcome {
        Outcome {
            status,
            failure: None,
            restored: Vec::new(),
        }
    }
}

impl Job {
    pub fn outcome(&self) -> Option<Outcome> {
        lock(&self.outcome).clone()
    }

    pub fn stop(&self) {
        self.cancel.cancel();
    }

    /// The page that shows it.
    pub fn place(&self) -> String {
        match &self.what {
            What::Set(_) => "/".to_string(),
            What::Restore(_) => format!("/restore/job/{}", self.nr),
            What::Upkeep(..) => format!("/destinations/job/{}", self.nr),
            What::Space(_) => "/space".to_string(),
            What::Purge(_) => format!("/space/job/{}", self.nr),
        }
    }

    /// Keeps what it found or did: the same lines in each language.
    pub fn conclude(&self, lines: impl Fn(Lang) -> Vec<String>) {
        let both = lines(Lang::En).into_iter().zip(lines(Lang::Ja));
        *lock(&self.summary) = both.collect();
    }

    pub fn summary(&self, lang: Lang) -> Vec<String> {
        let lines = lock(&self.summary);
        lines.iter().map(|(en, ja)| lang.pick(en, ja).clone()).collect()
    }

    pub fn is_stopping(&self) -> bool {
        self.cancel.is_cancelled()
    }

    fn progress(&self) -> Progress {
        Progress {
            files_done: self.files_done.load(Relaxed),
            files_total: self.files_total.load(Relaxed),
            bytes_done: self.bytes_done.load(Relaxed),
            bytes_total: self.bytes_total.load(Relaxed),
            errors: self.errors.load(Relaxed),
        }
    }

    /// What it said so far.
    pub fn lines(&self, lang: Lang) -> Vec<String> {
        let live = lock(&self.live);
        let lines = live.lines.iter().map(|(en, ja)| lang.pick(en, ja).clone());
        let more = (live.left_out > 0).then(|| not_shown(lang, live.left_out));
        lines.chain(more).collect()
    }

    pub fn standing(&self, lang: Lang, now: Instant) -> Standing {
        let p = self.progress();
        let mut live = lock(&self.live);
        let done = units_done(&p);
        if live
            .samples
            .back()
            .is_none_or(|(at, _)| now.saturating_duration_since(*at) >= SAMPLE)
        {
            live.samples.push_back((now, done));
            if live.samples.len() > SAMPLES_MAX {
                live.samples.pop_front();
            }
        }
        let rate = live.samples.front().map_or(0.0, |(at, before)| {
            let secs = now.saturating_duration_since(*at).as_secs_f64();
            if secs > 0.0 {
                done.saturating_sub(*before) as f64 / secs
            } else {
                0.0
            }
        });
        let left = time_left(&p, rate).map(text::clock);
        let has_bytes = p.bytes_done | p.bytes_total > 0;
        let rate = match has_bytes && rate >= 1.0 {
            true => {
                let rate = units::format_bytes(rate as u64);
                catalogue::report::console::rate_and_left(lang, &rate, left.as_deref())
            }
            false => String::new(),
        };
        let percent = share_done(&p) * 100.0;
        Standing {
            percent: (p.files_total | p.bytes_total > 0).then_some(percent),
            done: done_text(lang, live.phase, &p),
            rate,
            current: match live.current.is_empty() {
                true => String::new(),
                false => units::escape(&text::absolute(&live.current)),
            },
        }
    }
}

fn done_text(lang: Lang, at: Option<Phase>, p: &Progress) -> String {
    let mut parts = Vec::new();
    if p.files_done | p.files_total == 0 && p.bytes_done == 0 {
        parts.push(phase(lang, at).to_string());
    }
    if p.files_total > 0 {
        parts.push(catalogue::report::console::of_files(
            lang,
            p.files_done,
            p.files_total,
        ));
    } else if p.files_done > 0 {
        parts.push(catalogue::count(lang, p.files_done, catalogue::Noun::File));
    }
    if p.bytes_total > 0 {
        let (done, total) = (
            units::format_bytes(p.bytes_done),
            units::format_bytes(p.bytes_total),
        );
        parts.push(catalogue::report::console::of_bytes(lang, &done, &total));
    } else if p.bytes_done > 0 {
        parts.push(units::format_bytes(p.bytes_done));
    }
    parts.join(" · ")
}

impl Jobs {
    pub fn begin(&self, what: What, cancel: CancelToken) -> Arc<Job> {
        let job = Arc::new(Job {
            nr: self.next.fetch_add(1, Relaxed) + 1,
            what,
            cancel,
            live: Mutex::default(),
            files_done: AtomicU64::new(0),
            files_total: AtomicU64::new(0),
            bytes_done: AtomicU64::new(0),
            bytes_total: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            outcome: Mutex::default(),
            summary: Mutex::default(),
        });
        let mut all = lock(&self.all);
        all.push_back(job.clone());
        while all.len() > ENDED_MAX {
            let Some(old) = all.iter().position(|job| job.outcome().is_some()) else {
                break;
            };
            all.remove(old);
        }
        job
    }

    pub fn find(&self, nr: u64) -> Option<Arc<Job>> {
        lock(&self.all).iter().find(|job| job.nr == nr).cloned()
    }

    /// Those that have not ended.
    pub fn running(&self) -> Vec<Arc<Job>> {
        let all = lock(&self.all);
        all.iter()
            .filter(|job| job.outcome().is_none())
            .cloned()
            .collect()
    }

    /// The run of a set, if it was started here.
    pub fn of_set(&self, set: &str) -> Option<Arc<Job>> {
        let is_it = |job: &Arc<Job>| matches!(&job.what, What::Set(name) if name == set);
        self.running().into_iter().find(is_it)
    }

    /// What is done at a remote now.
    pub fn of_remote(&self, remote: &str) -> Option<Arc<Job>> {
        let is_it = |job: &Arc<Job>| match &job.what {
            What::Upkeep(_, name) => name == remote,
            What::Purge(purge) => purge.spot.remote == remote,
            What::Set(_) | What::Restore(_) | What::Space(_) => false,
        };
        self.running().into_iter().find(is_it)
    }

    /// The newest that looked what a folder of this repository holds, if it still runs or ended without a result.
    pub fn of_space(&self, remote: &str) -> Option<Arc<Job>> {
        let is_it = |job: &&Arc<Job>| matches!(&job.what, What::Space(spot) if spot.remote == remote);
        lock(&self.all).iter().rev().find(is_it).cloned()
    }

    pub fn end(&self, job: &Job, outcome: Outcome) {
        let _all = lock(&self.all);
        *lock(&job.outcome) = Some(outcome);
        self.ended.notify_all();
    }

    /// Until all jobs have ended, or for so long: their token is cancelled.
    pub fn wait(&self, most: Duration) {
        let is_running = |all: &mut VecDeque<Arc<Job>>| all.iter().any(|job| job.outcome().is_none());
        // A poisoned lock is as good as a time that is up.
        let _ = self.ended.wait_timeout_while(lock(&self.all), most, is_running);
    }
}

/// The face of a job: nobody is asked, and what is said is kept for the pages.
pub struct Page<'a> {
    pub job: &'a Arc<Job>,
}

fn say(job: &Job, en: String, ja: String) {
    let mut live = lock(&job.live);
    match live.lines.len() < LINES_MAX {
        true => live.lines.push((en, ja)),
        false => live.left_out += 1,
    }
}

impl Face for Page<'_> {
    fn notice(&self, notice: &Notice<'_>) {
        let said = |lang| match notice {
            Notice::PartFailed(failure) => failure.text(lang),
            notice => catalogue::notice(lang, notice),
        };
        say(self.job, said(Lang::En), said(Lang::Ja));
    }

    fn start(&self, _: Activity) -> Result<Box<dyn Watch + '_>, Failure> {
        lock(&self.job.live).samples.clear();
        Ok(Box::new(PageWatch(self.job.clone())))
    }
}

struct PageWatch(Arc<Job>);

impl Watch for PageWatch {
    fn finish(self: Box<Self>) {
        lock(&self.0.live).current.clear();
    }
}

impl Monitor for PageWatch {
    fn phase(&self, phase: Phase) {
        let mut live = lock(&self.0.live);
        live.phase = Some(phase);
        live.samples.clear();
    }

    fn progress(&self, p: &Progress) {
        self.0.files_done.store(p.files_done, Relaxed);
        self.0.files_total.store(p.files_total, Relaxed);
        self.0.bytes_done.store(p.bytes_done, Relaxed);
        self.0.bytes_total.store(p.bytes_total, Relaxed);
        self.0.errors.store(p.errors, Relaxed);
    }

    fn current(&self, path: &[u8]) {
        // Called often: what is shown may be one path behind.
        if let Ok(mut live) = self.0.live.try_lock() {
            live.current.clear();
            live.current.extend_from_slice(path);
        }
    }

    fn problem(&self, problem: &Problem) {
        let line = |lang| {
            let text = catalogue::faults::problem(lang, problem);
            problem_line(lang, &problem.path, problem.what.is_warning(), &text)
        };
        say(&self.0, line(Lang::En), line(Lang::Ja));
    }

    fn wants_totals_after(&self) -> Option<Duration> {
        Some(TOTALS_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(files: (u64, u64), bytes: (u64, u64)) -> Progress {
        Progress {
            files_done: files.0,
            files_total: files.1,
            bytes_done: bytes.0,
            bytes_total: bytes.1,
            errors: 0,
        }
    }

    #[test]
    fn a_page_sees_how_far_a_job_is() {
        let jobs = Jobs::default();
        let job = jobs.begin(What::Set("a".to_string()), CancelToken::new());
        let watch = PageWatch(job.clone());
        let start = Instant::now();
        assert_eq!(job.standing(Lang::En, start).percent, None);
        watch.phase(Phase::BackingUp);
        watch.progress(&progress((1, 4), (0, 4 << 20)));
        job.standing(Lang::En, start);
        watch.current(b"home/\xff<x>");
        watch.progress(&progress((2, 4), (1 << 20, 4 << 20)));
        let standing = job.standing(Lang::En, start + Duration::from_secs(1));
        assert_eq!(standing.percent, Some(25.0));
        assert_eq!(standing.done, "2 / 4 files · 1.000 MiB of 4.000 MiB");
        assert_eq!(standing.rate, "1.000 MiB/s, 0:04 left");
        assert_eq!(standing.current, "/home/\\xff<x>");
        assert!(jobs.of_set("a").is_some() && jobs.of_set("b").is_none());
    }

    #[test]
    fn ended_jobs_are_forgotten_and_running_ones_are_not() {
        let jobs = Jobs::default();
        let first = jobs.begin(What::Set("a".to_string()), CancelToken::new());
        for _ in 0..2 * ENDED_MAX {
            let job = jobs.begin(What::Restore("/x".to_string()), CancelToken::new());
            let outcome = Outcome {
                status: Status::Completed,
                failure: None,
                restored: Vec::new(),
            };
            jobs.end(&job, outcome);
        }
        assert!(lock(&jobs.all).len() <= ENDED_MAX + 1);
        assert!(jobs.find(first.nr).is_some());
        let start = Instant::now();
        jobs.wait(Duration::from_millis(20));
        assert!(start.elapsed() >= Duration::from_millis(20), "one is running");
    }
}
