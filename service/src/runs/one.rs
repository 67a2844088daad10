//! One run of one set: its commands around one backup to all its destinations, its row, and what is known of it then.

use super::hooks::{self, Hook, HookInfo};
use super::{SetReport, SetRun};
use crate::backup::{self, CommandSource, FilterOptions, Input, LossWatch, LostFiles, SourceLists};
use crate::catalogue::Cause;
use crate::context::Context;
use crate::face::{Face, Notice};
use crate::failure::Failure;
use crate::history::journal::Journal;
use crate::history::record::{Recorded, Recorder, not_kept};
use crate::history::{HistoryRow, JobInfo, JobKind};
use crate::limits::awake::Awake;
use crate::limits::online::Awaiting;
use crate::resolve::RepositoryOptions;
use crate::run_state::{self, SetState};
use crate::schedule::{DueRun, RunCause, slots};
use crate::settings::tables::SetTable;
use crate::settings::values::{Name, SourceSnapshot};
use crate::status::Status;
use jiff::Timestamp;
use std::ffi::OsString;
use std::path::PathBuf;

/// Why a run begins, and for which slot.
#[derive(Clone, Copy)]
pub(super) struct Plan {
    cause: RunCause,
    slot: Option<Timestamp>,
    /// 0 if somebody asked for it.
    attempt: u32,
    missed: u32,
    /// How many files there were before nearly all were gone, which nobody has accepted.
    lost: Option<u64>,
}

impl Plan {
    pub fn manual() -> Plan {
        Plan {
            cause: RunCause::Manual,
            slot: None,
            attempt: 0,
            missed: 0,
            lost: None,
        }
    }

    pub fn due(run: &DueRun) -> Plan {
        Plan {
            cause: run.cause,
            slot: Some(run.slot),
            attempt: run.attempt,
            missed: run.missed,
            lost: None,
        }
    }
}

/// A backup that was made, and the commands after it that failed.
struct Made {
    backup: backup::Report,
    failures: Vec<Failure>,
}

impl Made {
    fn status(&self) -> Status {
        match self.failures.is_empty() {
            true => self.backup.status(),
            false => self.backup.status().max(Status::Incomplete),
        }
    }
}

impl SetRun<'_> {
    /// The set's lock is held.
    pub(super) fn execute(&self, mut known: SetState, plan: &Plan) -> SetReport {
        let before = known.clone();
        if plan.missed > 0 && known.held.is_none() {
            let runs = u64::from(plan.missed);
            self.skipped(plan, &Cause::RunsMissed { runs }.into());
        }
        known.slot = plan.slot.or(known.slot);
        known.running = Some(plan.attempt);
        self.save(&known);
        crate::notify::run_begins(self.context, self.name, self.face);
        let plan = &Plan {
            lost: known.lost,
            ..*plan
        };
        let recorded = self.job(plan, before.held.is_none());
        let (done, row, stopped) = match recorded {
            Ok(Recorded { done, row, stopped }) => (done, row, stopped),
            Err(failure) => (Err(failure), HistoryRow::default(), false),
        };
        let status = match &done {
            Ok(made) => made.status(),
            Err(failure) => failure.status,
        };
        self.settle(&mut known, before, plan, &done, stopped);
        if !row.id.is_empty() {
            known.last = Some(row.clone());
        }
        self.save(&known);
        let mut report = SetReport {
            row: Some(row).filter(|row| !row.id.is_empty()),
            ..self.report(plan.cause, status)
        };
        match done {
            Ok(made) => report.backup = Some(made.backup),
            Err(failure) => report.failure = Some(failure),
        }
        report
    }

    /// What is known once the run has ended.
    fn settle(
        &self,
        known: &mut SetState,
        before: SetState,
        plan: &Plan,
        done: &Result<Made, Failure>,
        stopped: bool,
    ) {
        let now = Timestamp::now();
        known.running = None;
        match done {
            Ok(made) => {
                known.attempts = 0;
                known.failed = None;
                known.held = None;
                known.lost = made.backup.lost_files.map(|lost| lost.before);
                if made.backup.lost_files.is_none() {
                    known.last_success = Some(self.now.timestamp());
                }
                // What was due before it began is done, too.
                let due = slots::last_by(self.schedule(), &self.now, known.since);
                known.slot = known.slot.max(due.map(|slot| slot.timestamp()));
            }
            Err(failure) if failure.status == Status::NotRun => {
                *known = SetState {
                    held: Some(failure.message()),
                    running: None,
                    ..before
                };
            }
            Err(_) if stopped => {
                known.attempts = 0;
                known.failed = None;
            }
            Err(_) if plan.cause == RunCause::Manual => {}
            Err(_) => {
                known.attempts = plan.attempt;
                known.failed = Some(now);
                known.held = None;
            }
        }
    }

    /// The recorded job. `keeps_skips`: a row is left even if it turns out that it is not to run now.
    fn job(&self, plan: &Plan, keeps_skips: bool) -> Result<Recorded<Made>, Failure> {
        let (first, also) = self.destinations()?;
        let options = RepositoryOptions {
            repo: Some(OsString::from(&first)),
            repository_file: None,
            ..self.context.options.clone()
        };
        let cancel = self.context.cancel().child();
        let context = self.context.for_job(options, self.now.clone(), cancel);
        let watch = (plan.cause != RunCause::Manual).then(|| self.watch());
        let held = || {
            let watch = watch.as_ref()?;
            // What can't be read does not pause.
            let paused = run_state::paused(self.dirs, Timestamp::now()).ok().flatten();
            let paused = paused.map(|until| Cause::RunsPaused { until });
            paused.or_else(|| watch.found().map(|why| Cause::HeldBack { why }))
        };
        let ends = || self.context.cancel().is_cancelled() || held().is_some();
        let mut recorder = Recorder::new(&context, &self.info(plan)?, &ends)?;
        recorder.keeps_skips = keeps_skips;
        let run = |face: &dyn Face| {
            let made = self.hooked(&context, plan, &also, face);
            match &made {
                Err(failure) if failure.status == Status::Interrupted => match held() {
                    Some(why) => Err(why.into()),
                    None => made,
                },
                _ => made,
            }
        };
        Ok(recorder.run(self.face, run, |made, row| {
            made.backup.note(&first, row);
            if let Some(lost) = made.backup.lost_files {
                row.reason = Status::BadSettings.reason().map(String::from);
                row.tell(&self.files_lost(lost));
            }
            if let Some(failure) = made.failures.first() {
                row.tell(failure);
            }
            made.status()
        }))
    }

    fn files_lost(&self, lost: LostFiles) -> Failure {
        let (set, LostFiles { before, now }) = (self.name.to_string(), lost);
        Cause::FilesLost { set, before, now }.into()
    }

    fn info(&self, plan: &Plan) -> Result<JobInfo, Failure> {
        let sources = self.sources()?;
        Ok(JobInfo {
            set: Some(self.name.to_string()),
            cause: plan.cause,
            slot: plan.slot,
            sources: sources
                .iter()
                .map(|path| path.to_string_lossy().into_owned())
                .collect(),
            ..JobInfo::of(JobKind::Backup)
        })
    }

    /// A row about a run that did not take place.
    pub(super) fn skipped(&self, plan: &Plan, why: &Failure) -> HistoryRow {
        // A path that can't be expanded is reported by the run.
        let info = self.info(plan).unwrap_or_else(|_| JobInfo {
            set: Some(self.name.to_string()),
            ..JobInfo::of(JobKind::Backup)
        });
        let mut row = info.row(self.now.timestamp());
        row.ended(Status::NotRun, self.now.timestamp());
        row.tell(why);
        let journal = Journal::of(self.dirs);
        match journal.end(&row, None) {
            Ok(()) => row.is_kept = true,
            Err(e) => self.warn(&not_kept(journal.dir(), e)),
        }
        row
    }

    fn sources(&self) -> Result<Vec<PathBuf>, Failure> {
        let sources = self.set.sources.iter();
        sources.map(|source| source.expand(&self.context.env)).collect()
    }

    /// The first leads, the others follow.
    fn destinations(&self) -> Result<(String, Vec<String>), Failure> {
        let mut names = self.destination_names();
        match names.is_empty() {
            // The settings were checked.
            true => Err(Cause::NoSets.into()),
            false => Ok((names.remove(0), names)),
        }
    }

    fn commands(&self) -> Vec<CommandSource> {
        let limit = hooks::limit(self.set);
        let commands = self.set.commands.0.iter();
        let source = |(name, line): &(toml::Spanned<Name>, String)| CommandSource {
            name: name.get_ref().0.clone(),
            line: line.clone(),
            limit,
        };
        commands.map(source).collect()
    }

    fn request(&self, also: &[String]) -> Result<backup::Request, Failure> {
        let set = self.set;
        Ok(backup::Request {
            filter: filter_of(set),
            tags: set.tags.clone(),
            set: self.name.to_string(),
            standard_excludes: set.standard_excludes.unwrap_or(true),
            source_snapshot: set.source_snapshot.unwrap_or(SourceSnapshot::Off),
            also: also.to_vec(),
            allow_empty: self.allow_empty,
            commands: self.commands(),
            ..backup::Request::new(Input::Files {
                paths: self.sources()?.into_iter().map(PathBuf::into_os_string).collect(),
                lists: SourceLists::default(),
            })
        })
    }

    fn hook(
        &self,
        hook: Hook,
        plan: &Plan,
        (status, snapshot): (Option<Status>, Option<&str>),
        stop: &dyn Fn() -> bool,
    ) -> Result<(), Failure> {
        let info = HookInfo {
            set: self.name,
            cause: plan.cause.word(),
            status,
            snapshot,
        };
        hooks::run(hook, self.set, &info, stop)
    }

    /// The backup with the commands before and after it.
    fn hooked(
        &self,
        context: &Context,
        plan: &Plan,
        also: &[String],
        face: &dyn Face,
    ) -> Result<Made, Failure> {
        let stop = || context.cancel().is_cancelled();
        let network = (plan.cause != RunCause::Manual && self.uses_network())
            .then(|| Awaiting::network(&context.machine(), context.cancel()));
        let _awake = Awake::hold(&context.machine(), crate::notify::language(context));
        let before = self.hook(Hook::Before, plan, (None, None), &stop);
        let made = before.and_then(|()| {
            let location = context.location()?;
            let watch = (!self.allow_empty).then_some(LossWatch { before: plan.lost });
            let backup = || backup::perform(context, &location, self.request(also)?, watch, face);
            match &network {
                Some(network) => network.tried(backup),
                None => backup(),
            }
        });
        let mut failures = match &made {
            Ok(backup) => self.shortcomings(backup, face),
            Err(_) => Vec::new(),
        };
        failures.extend(self.hooks_after(plan, &made, face));
        Ok(Made {
            backup: made?,
            failures,
        })
    }

    /// Reports what a backup that was made lacks; the commands of the set that failed are returned.
    fn shortcomings(&self, backup: &backup::Report, face: &dyn Face) -> Vec<Failure> {
        if let Some(lost) = backup.lost_files {
            face.notice(&Notice::PartFailed(&self.files_lost(lost)));
        }
        let failed = backup.failed_commands.iter().cloned().map(Failure::from);
        let failed: Vec<Failure> = failed.collect();
        failed
            .iter()
            .for_each(|failure| face.notice(&Notice::PartFailed(failure)));
        failed
    }

    /// Runs the commands that follow a backup, and returns those that failed. They clean up: a run that is stopped has them
    /// too, each with its time limit.
    fn hooks_after(
        &self,
        plan: &Plan,
        made: &Result<backup::Report, Failure>,
        face: &dyn Face,
    ) -> Vec<Failure> {
        let (status, snapshot) = match made {
            Ok(made) => (made.status(), made.backup.snapshot.map(|id| id.to_hex())),
            Err(failure) => (failure.status, None),
        };
        let then = match status {
            Status::Completed => Some(Hook::After),
            Status::NotRun => None,
            _ => Some(Hook::Failed),
        };
        let mut failures = Vec::new();
        for next in then.into_iter().chain([Hook::Finally]) {
            let about = (Some(status), snapshot.as_deref());
            if let Err(failure) = self.hook(next, plan, about, &|| false) {
                face.notice(&Notice::PartFailed(&failure));
                failures.push(failure);
            }
        }
        failures
    }
}

/// What a set leaves out, but for the standard list.
pub(crate) fn filter_of(set: &SetTable) -> FilterOptions {
    FilterOptions {
        excludes: set.exclude.clone(),
        exclude_extensions: set.exclude_extensions.clone(),
        ignore_files: set.ignore_files.clone(),
        exclude_if_xattr: set.exclude_if_xattr.clone(),
        hidden: set.hidden.unwrap_or(true),
        ..FilterOptions::default()
    }
}
