//! `pause`, `resume` and `stop`: what holds back or ends runs, passed on in files, so that it survives a restart and
//! reaches a job of another process, but none that has ended and whose number another process has now.

use crate::catalogue::{Action, Cause};
use crate::context::Context;
use crate::failure::Failure;
use crate::history::HistoryRow;
use crate::history::JobKind;
use crate::history::journal::Journal;
use crate::run_state::{self, Pause};
use crate::status::Status;
use jiff::{Span, Timestamp, Zoned};
use std::time::{Duration, Instant};

const LOOK: Duration = Duration::from_millis(100);

/// From now on nothing runs by itself for this long; what runs by itself now ends at its next safe point.
pub fn pause(context: &Context, span: Span) -> Result<Zoned, Failure> {
    let until = context
        .now
        .checked_add(span)
        .ok()
        .filter(|until| *until > context.now);
    let until = until.ok_or_else(|| Failure::from(Cause::PauseTooLong))?;
    let pause = Pause {
        from: context.now.timestamp(),
        until: until.timestamp(),
    };
    run_state::pause(&context.dirs()?, &pause)?;
    Ok(until)
}

/// Ends a pause. False if there was none.
pub fn resume(context: &Context) -> Result<bool, Failure> {
    let dirs = context.dirs()?;
    let was_paused = run_state::paused(&dirs, context.now.timestamp())?.is_some();
    run_state::resume(&dirs)?;
    Ok(was_paused)
}

/// Which jobs to stop.
#[derive(Clone, Debug)]
pub struct StopRequest {
    /// Sets, or the beginnings of ids; empty for every backup that runs.
    pub names: Vec<String>,
    /// How long to wait until they have ended.
    pub wait: Duration,
}

/// The jobs that were asked to stop.
#[derive(Clone, Debug)]
pub struct StopReport {
    pub stopped: Vec<HistoryRow>,
    /// Those that had not ended in time.
    pub running: Vec<HistoryRow>,
}

impl StopReport {
    pub fn status(&self) -> Status {
        match self.running.is_empty() {
            true => Status::Completed,
            false => Status::Busy,
        }
    }
}

pub fn stop(context: &Context, request: &StopRequest) -> Result<StopReport, Failure> {
    let journal = Journal::of(&context.dirs()?);
    let failed = |e: std::io::Error| Failure::system(Action::Use, journal.dir(), e);
    let running = journal.running().map_err(failed)?;
    let is_meant =
        |row: &HistoryRow, name: &String| row.set.as_ref() == Some(name) || row.id.starts_with(name);
    if let Some(name) = request
        .names
        .iter()
        .find(|name| !running.iter().any(|row| is_meant(row, name)))
    {
        return Err(Cause::NothingRuns { name: name.clone() }.into());
    }
    let chosen = running.into_iter().filter(|row| match request.names.is_empty() {
        true => row.kind == JobKind::Backup.word(),
        false => request.names.iter().any(|name| is_meant(row, name)),
    });
    let mut report = StopReport {
        stopped: chosen.collect(),
        running: Vec::new(),
    };
    for row in &report.stopped {
        journal.ask_to_stop(&row.id).map_err(failed)?;
    }
    let end = Instant::now() + request.wait;
    while !report.stopped.is_empty() {
        let running = journal.running().map_err(failed)?;
        let mut asked = running
            .into_iter()
            .filter(|row| report.stopped.iter().any(|asked| asked.id == row.id));
        let first = asked.next();
        if first.is_none() || Instant::now() >= end {
            let running: Vec<HistoryRow> = first.into_iter().chain(asked).collect();
            report
                .stopped
                .retain(|row| running.iter().all(|running| running.id != row.id));
            report.running = running;
            break;
        }
        std::thread::sleep(LOOK);
    }
    Ok(report)
}

/// When the pause ends that is in force.
pub fn paused_until(context: &Context) -> Result<Option<Timestamp>, Failure> {
    run_state::paused(&context.dirs()?, context.now.timestamp())
}
