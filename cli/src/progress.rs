//! How far a long run is: a line that is redrawn on a terminal, one line a minute elsewhere, `status` objects with
//! `--json`. The engine reports from many threads through [`Monitor`], which here only stores numbers; one ticker
//! thread draws. Problems are printed as they come.

use crate::args::Global;
use crate::render::text;
use crate::{output, signals};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use service::catalogue::report::backup;
use service::catalogue::{Lang, not_shown, problem as problem_line, progress_line, time_left, units_done};
use service::entry::Kind;
use service::face::{Activity, Watch};
use service::json;
use service::machine;
use service::monitor::{EntryChange, ExcludeRule, Monitor, Phase, Problem, Progress};
use service::units::escape;
use service::{Context, Failure};
use std::collections::VecDeque;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A step that somebody watches is worth totals that cost a walk of their own, once it has lasted this long.
const TOTALS_AFTER: Duration = Duration::from_secs(1);
/// Where nothing can be redrawn, a line is printed this often.
const LINE_EVERY: Duration = Duration::from_secs(60);
/// How often a signal is looked for where nothing is drawn.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Problems printed one by one unless `-v` is given; the rest is counted, and recorded in the snapshot.
const PROBLEMS_SHOWN: u64 = 1000;
/// The rate is that of the last seconds.
const RATE_OVER: Duration = Duration::from_secs(15);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Bar,
    /// A line now and then.
    Lines,
    Json,
    /// Only when a signal asks.
    Nothing,
}

/// The figures of the phase, as stored by the engine's threads.
#[derive(Default)]
struct Figures {
    phase: AtomicU8,
    files_done: AtomicU64,
    files_total: AtomicU64,
    bytes_done: AtomicU64,
    bytes_total: AtomicU64,
    errors: AtomicU64,
}

struct Shared {
    shape: Shape,
    json: bool,
    /// What the command does, for error objects: "backup", "restore".
    during: &'static str,
    verbose: u8,
    lang: Lang,
    started: Instant,
    figures: Figures,
    current: Mutex<Vec<u8>>,
    shown: AtomicU64,
    bar: Option<ProgressBar>,
    ended: Mutex<bool>,
    wake: Condvar,
}

/// Shows one long step of a job.
pub struct Watcher {
    shared: Arc<Shared>,
    ticker: Option<JoinHandle<()>>,
}

impl Watcher {
    /// From here on the first Ctrl-C only asks the run to end.
    pub fn start(
        global: &Global,
        context: &Context,
        lang: Lang,
        activity: Activity,
    ) -> Result<Watcher, Failure> {
        signals::catch()?;
        let interval = machine::progress_interval(&context.env)?;
        let during = activity.word();
        let shape = match activity {
            // Reports what it does as it does it.
            Activity::Tag | Activity::Mount | Activity::Serve => Shape::Nothing,
            _ => shape(global, std::io::stderr().is_terminal()),
        };
        let interval = match shape {
            Shape::Json if context.env.get("DEDUP_PROGRESS_FPS").is_none() => Duration::from_secs(1),
            _ => interval,
        };
        let shared = Arc::new(Shared {
            shape,
            json: global.json,
            during,
            verbose: global.verbose,
            lang,
            started: Instant::now(),
            figures: Figures::default(),
            current: Mutex::default(),
            shown: AtomicU64::new(0),
            bar: (shape == Shape::Bar).then(bar),
            ended: Mutex::new(false),
            wake: Condvar::new(),
        });
        let ticker = {
            let shared = shared.clone();
            std::thread::Builder::new()
                .name("progress".into())
                .spawn(move || Ticker::new(&shared).run(interval))
        };
        Ok(Watcher {
            shared,
            // Without a thread nothing is shown during the run, and all at the end.
            ticker: ticker.ok(),
        })
    }

    fn end(&mut self) {
        *lock(&self.shared.ended) = true;
        self.shared.wake.notify_all();
        if let Some(ticker) = self.ticker.take() {
            // It only draws: what it panicked about is of no interest to the run.
            let _ = ticker.join();
        }
        if let Some(bar) = &self.shared.bar {
            bar.finish_and_clear();
        }
    }
}

impl Watch for Watcher {
    fn finish(mut self: Box<Self>) {
        self.end();
        let shared = &self.shared;
        if shared.shape == Shape::Json && matches!(shared.during, "backup" | "restore") {
            // The last one, so that even a short run has one. A closed output is found out by the summary.
            let _ = output::line(&shared.status(0.0, b""));
        }
        let unseen = shared.shown.load(Relaxed).saturating_sub(PROBLEMS_SHOWN);
        if unseen > 0 && shared.verbose == 0 && !shared.json {
            output::say(&format!("dedup: {}", not_shown(shared.lang, unseen)));
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.end();
    }
}

impl Monitor for Watcher {
    fn phase(&self, phase: Phase) {
        let f = &self.shared.figures;
        for figure in [&f.files_done, &f.files_total, &f.bytes_done, &f.bytes_total] {
            figure.store(0, Relaxed);
        }
        f.phase.store(number(phase), Relaxed);
    }

    fn progress(&self, progress: &Progress) {
        let f = &self.shared.figures;
        f.files_done.store(progress.files_done, Relaxed);
        f.files_total.store(progress.files_total, Relaxed);
        f.bytes_done.store(progress.bytes_done, Relaxed);
        f.bytes_total.store(progress.bytes_total, Relaxed);
        f.errors.store(progress.errors, Relaxed);
    }

    fn current(&self, path: &[u8]) {
        // The thread that holds it has set a path just now: as good as this one.
        if let Ok(mut current) = self.shared.current.try_lock() {
            current.clear();
            current.extend_from_slice(path);
        }
    }

    fn problem(&self, problem: &Problem) {
        let shared = &self.shared;
        if shared.json {
            output::say(&json::line(&json::problem(problem, shared.during)));
        } else if shared.shown.fetch_add(1, Relaxed) < PROBLEMS_SHOWN || shared.verbose > 0 {
            shared.print(&format!("dedup: {}", problem_line(shared.lang, problem)));
        }
    }

    fn wants_entries(&self) -> bool {
        self.shared.verbose > 0 && matches!(self.shared.during, "backup" | "restore")
    }

    fn entry(&self, path: &[u8], kind: &Kind, change: EntryChange, size: u64) {
        let shared = &self.shared;
        if shared.json {
            shared.print_entry(&json::line(&json::change(path, kind, change, size)));
        } else if shared.verbose > 1 || !matches!(change, EntryChange::Unchanged | EntryChange::Skipped) {
            shared.print_entry(&text::change(shared.lang, path, kind, change));
        }
    }

    fn excluded(&self, path: &[u8], rule: &ExcludeRule, line: Option<&str>) {
        let (shared, path) = (&self.shared, text::absolute(path));
        shared.print_entry(&match shared.json {
            true => json::line(&json::excluded(&path, rule, line)),
            false => {
                let value = escape(rule.value.as_bytes());
                let line = line.map(|line| escape(line.as_bytes()));
                backup::excluded(shared.lang, &escape(&path), rule.option, &value, line.as_deref())
            }
        });
    }

    fn wants_totals_after(&self) -> Option<Duration> {
        match self.shared.shape {
            Shape::Bar | Shape::Json => Some(TOTALS_AFTER),
            // In time for the first line.
            Shape::Lines => Some(LINE_EVERY / 2),
            Shape::Nothing => None,
        }
    }
}

impl Shared {
    /// One line about an entry, to standard output.
    fn print_entry(&self, line: &str) {
        // A closed output is found out by the summary.
        let print = || drop(output::line(line));
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// To standard error, around the bar.
    fn print(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| output::say(line)),
            None => output::say(line),
        }
    }

    fn progress(&self) -> Progress {
        let f = &self.figures;
        Progress {
            files_done: f.files_done.load(Relaxed),
            files_total: f.files_total.load(Relaxed),
            bytes_done: f.bytes_done.load(Relaxed),
            bytes_total: f.bytes_total.load(Relaxed),
            errors: f.errors.load(Relaxed),
        }
    }
}

impl Shared {
    /// A line of JSON about how far it is.
    fn status(&self, rate: f64, current: &[u8]) -> String {
        let progress = self.progress();
        let left = time_left(&progress, rate);
        let status = json::status(&progress, self.started.elapsed(), left, current);
        json::line(&match self.during {
            "restore" => json::restoring(status),
            _ => status,
        })
    }
}

fn shape(global: &Global, terminal: bool) -> Shape {
    match global {
        g if g.no_progress || g.quiet => Shape::Nothing,
        g if g.json => Shape::Json,
        _ if terminal => Shape::Bar,
        _ => Shape::Lines,
    }
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(60));
    match ProgressStyle::with_template("{wide_msg}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A number or a path that a panicking thread left is still one.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the ticker thread remembers between drawings.
struct Ticker<'a> {
    shared: &'a Shared,
    phase: u8,
    /// (when, units done), oldest first, over [`RATE_OVER`].
    samples: VecDeque<(Instant, u64)>,
    last_line: Instant,
}

impl<'a> Ticker<'a> {
    fn new(shared: &'a Shared) -> Self {
        Ticker {
            shared,
            phase: 0,
            samples: VecDeque::new(),
            last_line: Instant::now(),
        }
    }

    fn run(mut self, interval: Duration) {
        let pause = match self.shared.shape {
            Shape::Bar | Shape::Json => interval,
            Shape::Lines | Shape::Nothing => LOOK_EVERY,
        };
        let mut ended = lock(&self.shared.ended);
        while !*ended {
            let waited = self.shared.wake.wait_timeout(ended, pause);
            ended = waited.unwrap_or_else(PoisonError::into_inner).0;
            if !*ended {
                drop(ended);
                self.tick();
                ended = lock(&self.shared.ended);
            }
        }
    }

    fn tick(&mut self) {
        let shared = self.shared;
        let progress = shared.progress();
        let rate = self.rate(&progress);
        let wanted = signals::status_wanted();
        match shared.shape {
            Shape::Bar => {
                let current = lock(&shared.current).clone();
                let line = self.line(&progress, rate, &current);
                if let Some(bar) = &shared.bar {
                    // Draws, too.
                    bar.set_message(line);
                }
            }
            Shape::Json => {
                let current = lock(&shared.current).clone();
                // No one reads any more, or the disk is full: the summary will report that.
                let _ = output::line(&shared.status(rate, &current));
            }
            Shape::Lines | Shape::Nothing => {
                let due = shared.shape == Shape::Lines && self.last_line.elapsed() >= LINE_EVERY;
                if (due || wanted) && self.phase != 0 {
                    self.last_line = Instant::now();
                    let line = self.line(&progress, rate, b"");
                    output::say(&format!("dedup: {line}"));
                }
            }
        }
        if wanted && matches!(shared.shape, Shape::Bar | Shape::Json) {
            let line = self.line(&progress, rate, b"");
            shared.print(&match shared.json {
                true => shared.status(rate, b""),
                false => format!("dedup: {line}"),
            });
        }
    }

    fn line(&self, progress: &Progress, rate: f64, current: &[u8]) -> String {
        let shared = self.shared;
        let elapsed = shared.started.elapsed();
        progress_line(
            shared.lang,
            phase_of(self.phase),
            progress,
            rate,
            elapsed,
            current,
        )
    }

    /// Bytes a second (files, where bytes are not counted) of late.
    fn rate(&mut self, progress: &Progress) -> f64 {
        let phase = self.shared.figures.phase.load(Relaxed);
        let done = units_done(progress);
        let now = Instant::now();
        if phase != self.phase || self.samples.back().is_some_and(|(_, before)| *before > done) {
            self.phase = phase;
            self.samples.clear();
        }
        self.samples.push_back((now, done));
        while self.samples.len() > 2 && self.samples.front().is_some_and(|(at, _)| now - *at > RATE_OVER) {
            self.samples.pop_front();
        }
        match self.samples.front() {
            Some((at, before)) if now > *at => (done - before) as f64 / (now - *at).as_secs_f64(),
            _ => 0.0,
        }
    }
}

/// From 1; 0 is none.
fn number(phase: Phase) -> u8 {
    let place = PHASES.iter().position(|known| *known == phase);
    place.map_or(0, |place| place as u8 + 1)
}

const PHASES: [Phase; 11] = [
    Phase::OpeningRepository,
    Phase::LoadingIndex,
    Phase::BackingUp,
    Phase::Restoring,
    Phase::Verifying,
    Phase::CheckingStructure,
    Phase::ReadingData,
    Phase::FindingReferences,
    Phase::Repacking,
    Phase::Deleting,
    Phase::Replicating,
];

/// The phase of this number; none before the first.
fn phase_of(number: u8) -> Option<Phase> {
    let place = usize::from(number).checked_sub(1)?;
    PHASES.get(place).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        let global = |line: &str| {
            use clap::Parser;
            let words = ["dedup", "version"].into_iter().chain(line.split_whitespace());
            crate::args::Cli::try_parse_from(words).unwrap().global
        };
        let rows = [
            ("", true, Shape::Bar),
            ("", false, Shape::Lines),
            ("--json", true, Shape::Json),
            ("--json", false, Shape::Json),
            ("--json -q", true, Shape::Nothing),
            ("--no-progress", true, Shape::Nothing),
            ("-q", true, Shape::Nothing),
        ];
        for (line, terminal, want) in rows {
            assert!(shape(&global(line), terminal) == want, "{line} {terminal}");
        }
    }

    #[test]
    fn phases_have_numbers() {
        for phase in PHASES {
            assert_eq!(phase_of(number(phase)), Some(phase));
        }
        assert_eq!(phase_of(0), None);
    }
}
