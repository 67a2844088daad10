//! Runs of sets: the job `run`, by name, all, or those that are due. One run of a set at a time on a machine. What a run
//! leaves: a row in the history, and what is known of the set ([`crate::run_state`]), from which [`crate::schedule`] decides what
//! is due next.
//!
//! A due run notes its slot durably before it begins, so that it never runs twice; one that was killed is found by its
//! lock, which is free, and counts as failed. What stops a run softly (a pause, a command that means "not now") gives
//! the slot back.

pub mod control;
pub mod hooks;
pub mod one;
mod records;
pub mod status;

use crate::backup;
use crate::catalogue::{Action, Cause, SetupWarning};
use crate::context::Context;
use crate::face::{Face, Notice};
use crate::failure::Failure;
use crate::history::HistoryRow;
use crate::limits::watch::HindranceWatch;
use crate::maintenance;
use crate::notify;
use crate::run_state::{self, SetState};
use crate::schedule::{DueRun, RunCause, Verdict, verdict};
use crate::settings::schedule::Schedule;
use crate::settings::tables::SetTable;
use crate::state_file::FileLock;
use crate::status::Status;
use engine::run::LocalDirs;
use jiff::{Timestamp, Zoned};
use one::Plan;
use records::Reached;
use std::time::Duration;

/// How often it is looked whether a set that runs elsewhere has ended.
const LOOK: Duration = Duration::from_millis(250);

/// Which sets to run, and how.
#[derive(Clone, Debug)]
pub struct Request {
    pub which: WhichSets,
    /// Wait for a set that is running, instead of leaving it out.
    pub wait: bool,
    /// Only report what would run.
    pub dry_run: bool,
    /// Accept that a source is empty, or has lost nearly all of its files.
    pub allow_empty: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WhichSets {
    Named(Vec<String>),
    /// Those of a higher priority first.
    All,
    /// The same, of those that are due.
    Due,
}

/// What became of one set.
#[derive(Debug)]
pub struct SetReport {
    pub set: String,
    pub cause: RunCause,
    pub start: Timestamp,
    pub status: Status,
    /// Its row in the history, if it has one.
    pub row: Option<HistoryRow>,
    pub backup: Option<backup::Report>,
    pub failure: Option<Failure>,
}

impl SetReport {
    fn end(&self) -> notify::RunEnd<'_> {
        notify::RunEnd {
            set: &self.set,
            cause: self.cause,
            start: self.start,
            status: self.status,
            row: self.row.as_ref(),
            failure: self.failure.as_ref(),
        }
    }
}

#[derive(Debug, Default)]
pub struct Report {
    /// How many sets ran, were to run, or would have run.
    pub sets: u64,
    pub completed: u64,
    /// What was done at their destinations afterwards.
    pub maintenance: Vec<maintenance::Report>,
    pub status: Status,
}

/// Runs sets one after the other, and calls `each` when one has ended.
pub fn run(
    context: &Context,
    request: &Request,
    face: &dyn Face,
    each: &mut dyn FnMut(&SetReport) -> Result<(), Failure>,
) -> Result<Report, Failure> {
    if context.options.names_repository() {
        return Err(Cause::SetsKnowTheirs.into());
    }
    let dirs = context.dirs()?;
    let mut report = Report::default();
    let mut now = context.now.clone();
    let mut reached: Vec<String> = Vec::new();
    let mut recording = Reached::default();
    for name in chosen(context, &request.which)? {
        if context.cancel().is_cancelled() {
            report.status = report.status.max(Status::Interrupted);
            break;
        }
        let run = SetRun {
            context,
            dirs: &dirs,
            name,
            set: context.settings.named_set(name)?,
            now: now.clone(),
            allow_empty: request.allow_empty,
            face,
        };
        let done = match request.which {
            WhichSets::Due => run.if_due(request.dry_run),
            WhichSets::Named(_) | WhichSets::All => Some(run.now(request)),
        };
        if let Some(done) = done {
            report.add(&done);
            if !request.dry_run {
                // Before it is shown: a terminal that is gone must not keep the message back.
                notify::run_ended(context, &dirs, &done.end(), face);
                recording.add(&run.destination_names(), &done);
            }
            each(&done)?;
            if done.backup.is_some() {
                let mut names = run.destination_names();
                names.retain(|name| !reached.contains(name));
                reached.append(&mut names);
            }
        }
        now = Timestamp::now().to_zoned(now.time_zone().clone());
    }
    recording.record(context);
    report.maintenance = maintenance::run(context, &dirs, &reached, face);
    recording.record_again(context, &report.maintenance);
    let statuses = report.maintenance.iter().map(|done| done.status);
    report.status = statuses.fold(report.status, Status::max);
    if request.which == WhichSets::Due {
        looked(context, &dirs, request.dry_run, &mut report, face)?;
    }
    Ok(report)
}

impl Report {
    fn add(&mut self, done: &SetReport) {
        self.sets += 1;
        self.completed += u64::from(done.status == Status::Completed);
        self.status = self.status.max(done.status);
    }
}

/// What follows from a look at what is due.
fn looked(
    context: &Context,
    dirs: &LocalDirs,
    dry_run: bool,
    report: &mut Report,
    face: &dyn Face,
) -> Result<(), Failure> {
    if !dry_run {
        run_state::note_tick(dirs, context.now.timestamp());
        notify::tick(context, dirs, face);
    }
    if run_state::paused(dirs, context.now.timestamp())?.is_some() {
        report.status = report.status.max(Status::NotRun);
    }
    Ok(())
}

fn chosen<'a>(context: &'a Context, which: &'a WhichSets) -> Result<Vec<&'a str>, Failure> {
    let settings = &context.settings;
    match which {
        WhichSets::Due => Ok(settings.set_names()),
        WhichSets::All if settings.sets.0.is_empty() => Err(Cause::NoSets.into()),
        WhichSets::All => Ok(settings.set_names()),
        WhichSets::Named(names) if names.is_empty() => Err(Cause::NoSetNamed.into()),
        WhichSets::Named(names) => {
            let mut chosen: Vec<&str> = Vec::new();
            for name in names {
                settings.named_set(name)?;
                if !chosen.contains(&name.as_str()) {
                    chosen.push(name);
                }
            }
            Ok(chosen)
        }
    }
}

/// A set that may run now.
struct SetRun<'a> {
    context: &'a Context,
    dirs: &'a LocalDirs,
    name: &'a str,
    set: &'a SetTable,
    now: Zoned,
    allow_empty: bool,
    face: &'a dyn Face,
}

impl SetRun<'_> {
    fn destination_names(&self) -> Vec<String> {
        let names = self.set.destinations.iter();
        names.map(|name| name.get_ref().0.clone()).collect()
    }

    fn schedule(&self) -> &Schedule {
        self.set.schedule.as_ref().unwrap_or(&Schedule::Manual)
    }

    fn report(&self, cause: RunCause, status: Status) -> SetReport {
        SetReport {
            set: self.name.to_string(),
            cause,
            start: self.now.timestamp(),
            status,
            row: None,
            backup: None,
            failure: None,
        }
    }

    fn failed(&self, cause: RunCause, failure: Failure) -> SetReport {
        SetReport {
            status: failure.status,
            failure: Some(failure),
            ..self.report(cause, Status::Failed)
        }
    }

    fn warn(&self, warning: &SetupWarning) {
        self.face.notice(&Notice::Warning {
            during: "run",
            warning,
        });
    }

    /// What is known of the set's runs can't be kept.
    fn warn_of(&self, failure: Failure) {
        self.warn(&SetupWarning::NotNoted {
            set: self.name.to_string(),
            failure,
        });
    }

    /// Runs the set because somebody asked for it.
    fn now(&self, request: &Request) -> SetReport {
        if request.dry_run {
            return self.report(RunCause::Manual, Status::Completed);
        }
        let _lock = loop {
            match self.lock() {
                Some(lock) => break lock,
                None if !request.wait => {
                    let name = self.name.to_string();
                    return self.failed(RunCause::Manual, Cause::SetBusy { name }.into());
                }
                None if self.context.cancel().is_cancelled() => {
                    return self.failed(RunCause::Manual, engine::Error::Interrupted.into());
                }
                None => std::thread::sleep(LOOK),
            }
        };
        let known = run_state::load(self.dirs, self.name);
        let known = known.unwrap_or_else(|failure| {
            self.warn_of(failure);
            None
        });
        let at = self.now.timestamp();
        let schedule = self.schedule().to_string();
        let mut state = known.unwrap_or_else(|| SetState::new(&schedule, at));
        state.brought_up(&schedule, at);
        state.found_dead(at);
        self.execute(state, &Plan::manual())
    }

    /// Runs the set if it is due. Nothing is written and nothing opened if it is not.
    fn if_due(&self, dry_run: bool) -> Option<SetReport> {
        match self.due(dry_run) {
            Ok(done) => done,
            Err(failure) => Some(self.failed(RunCause::Regular, failure)),
        }
    }

    fn due(&self, dry_run: bool) -> Result<Option<SetReport>, Failure> {
        if *self.schedule() == Schedule::Manual {
            return Ok(None);
        }
        let (state, found) = self.look(dry_run)?;
        match found {
            Verdict::ByHand | Verdict::NotDue { .. } | Verdict::SetBack { .. } => return Ok(None),
            Verdict::Due(run) | Verdict::Paused { run, .. } if dry_run => {
                let is_paused = matches!(found, Verdict::Paused { .. });
                let status = match is_paused || self.watch().found().is_some() {
                    true => Status::NotRun,
                    false => Status::Completed,
                };
                return Ok(Some(self.report(run.cause, status)));
            }
            Verdict::Paused { until, run } => {
                return Ok(Some(self.hold(state, run, Cause::RunsPaused { until })));
            }
            Verdict::Due(_) => {}
        }
        // Between the first look and the lock another scheduler may have run it.
        let Some(_lock) = self.lock() else { return Ok(None) };
        let (mut state, found) = self.look(false)?;
        if state.running.is_some() {
            // No process holds the lock: it was killed.
            state.found_dead(self.now.timestamp());
            self.save(&state);
            let (state, found) = self.look(false)?;
            return Ok(self.begin(state, &found));
        }
        Ok(self.begin(state, &found))
    }

    /// The set's lock is held: what runs already is not said to be held back.
    fn begin(&self, state: SetState, found: &Verdict) -> Option<SetReport> {
        let Verdict::Due(run) = found else { return None };
        Some(match self.watch().found() {
            Some(why) => self.hold(state, *run, Cause::HeldBack { why }),
            None => self.execute(state, &Plan::due(run)),
        })
    }

    /// What is known of the set, and whether it is due. A set or schedule that is new is noted.
    fn look(&self, dry_run: bool) -> Result<(SetState, Verdict), Failure> {
        let at = self.now.timestamp();
        let schedule = self.schedule().to_string();
        let known = run_state::load(self.dirs, self.name)?;
        let is_new = known.is_none();
        let mut state = known.unwrap_or_else(|| SetState::new(&schedule, at));
        let is_changed = state.brought_up(&schedule, at);
        let paused = run_state::paused(self.dirs, at)?;
        let mut past = state.past();
        // One that was killed is retried; the lock shows whether it still runs.
        if let Some(attempt @ 1..) = state.running {
            past.failed = Some(crate::schedule::FailedAttempts {
                attempts: attempt,
                ended: state.slot.unwrap_or(at).min(at),
            });
        }
        let found = verdict(self.schedule(), &past, paused, &self.now);
        if let Verdict::SetBack { .. } = found {
            state.set_back(at);
        }
        match (
            dry_run,
            is_new,
            is_changed || matches!(found, Verdict::SetBack { .. }),
        ) {
            (true, _, _) | (false, false, false) => {}
            // Without this nothing would ever be due.
            (false, true, _) => run_state::save(self.dirs, self.name, &state)?,
            (false, false, true) => self.save(&state),
        }
        Ok((state, found))
    }

    /// Notes, once, that a run that is due is held back.
    fn hold(&self, mut state: SetState, run: DueRun, why: Cause) -> SetReport {
        let mut report = self.report(run.cause, Status::NotRun);
        if state.held.is_none() {
            let why = Failure::from(why);
            report.row = Some(self.skipped(&Plan::due(&run), &why));
            state.held = Some(why.message());
            self.save(&state);
        }
        report
    }

    /// What holds back a run that nobody asked for.
    fn watch(&self) -> HindranceWatch<'_> {
        let context = self.context;
        HindranceWatch::new(context.machine(), &context.settings.limits, self.uses_network())
    }

    /// Whether any of its destinations is reached over a network.
    fn uses_network(&self) -> bool {
        self.set.destinations.iter().any(|name| {
            let remote = self.context.settings.remote(&name.get_ref().0);
            remote.is_some_and(|remote| engine::repo::local_path(&remote.url).is_none())
        })
    }

    /// `None` if it runs elsewhere.
    fn lock(&self) -> Option<FileLock> {
        match run_state::try_lock(self.dirs, self.name) {
            Ok(lock) => lock,
            // The backup matters more than that there is only one.
            Err(e) => {
                self.warn_of(Cause::system(Action::Use, &self.dirs.state, e).into());
                Some(FileLock::none())
            }
        }
    }

    fn save(&self, state: &SetState) {
        if let Err(failure) = run_state::save(self.dirs, self.name, state) {
            self.warn_of(failure);
        }
    }
}
