//! The job `check`: what is damaged in the repository, and which files that affects.

use crate::context::Context;
use crate::face::{Activity, Face, ProblemCounts, Step};
use crate::failure::Failure;
use crate::history::journal::Journal;
use crate::history::record::recorded;
use crate::history::{HistoryRow, JobInfo, JobKind};
use crate::status::Status;
use engine::check as run;
pub use engine::check::{CheckReport, DamagedPath, DueLimit, ReadData};
use engine::repo::Repo;
use engine::select::{self, Filter, Wanted};
use engine::{SessionId, order};
use jiff::{Span, Timestamp};

#[derive(Clone, Debug)]
pub struct Request {
    /// Which stored data is read, beside everything that locates it.
    pub read_data: ReadData,
    /// Only what these need: `latest`, `latest~N` or the beginning of an id. Empty for all snapshots.
    pub snapshots: Vec<String>,
}

/// What was found.
#[derive(Debug)]
pub struct Report {
    pub found: CheckReport,
    /// The snapshots that were checked, if not all.
    pub snapshots: Vec<SessionId>,
    pub problems: ProblemCounts,
}

impl Report {
    pub fn status(&self) -> Status {
        match self.found.num_errors {
            0 => self.problems.status(),
            _ => Status::Damaged,
        }
    }

    /// Completes its row in the history, and returns its status.
    pub(crate) fn note(&self, row: &mut HistoryRow) -> Status {
        row.snapshot = self.snapshots.first().map(|id| id.to_hex());
        self.status()
    }

    /// Every byte that was stored by then has been read since.
    pub fn proven(&self) -> Option<Timestamp> {
        proven(&self.found)
    }
}

fn proven(found: &CheckReport) -> Option<Timestamp> {
    found.proven.and_then(|at| Timestamp::from_second(at).ok())
}

/// Reads what was not read for so long.
pub fn due(context: &Context, max_age: Span, limit: Option<DueLimit>) -> ReadData {
    // Nothing is older than the calendar, but what was never read is due.
    let since = context
        .now
        .checked_sub(max_age)
        .map_or(i64::MIN, |since| since.timestamp().as_second());
    ReadData::Due { since, limit }
}

pub fn run(context: &Context, request: &Request, face: &dyn Face) -> Result<Report, Failure> {
    recorded(
        context,
        Some(JobInfo::of(JobKind::Check)),
        face,
        |face| perform(context, request, face),
        Report::note,
    )
}

/// The same without a row in the history.
pub(crate) fn perform(context: &Context, request: &Request, face: &dyn Face) -> Result<Report, Failure> {
    let options = run::CheckOptions {
        read_data: request.read_data,
    };
    let repo = context.open(face)?;
    let snapshots = named(&repo, &request.snapshots, context.now.timestamp())?;
    let step = Step::start(face, Activity::Check)?;
    let found = match snapshots.is_empty() {
        true => run::run(&repo, &options, &step)?,
        false => run::run_for(&repo, &options, &snapshots, &step)?,
    };
    let problems = step.finish();
    if let Some(name) = context.repository_name() {
        Journal::of(&context.dirs()?).note_read(&name, proven(&found));
    }
    Ok(Report {
        found,
        snapshots,
        problems,
    })
}

/// The snapshots that these texts mean. One that can't be read may be named by its id: the check says what is wrong with it.
fn named(repo: &Repo, texts: &[String], now: Timestamp) -> Result<Vec<SessionId>, Failure> {
    if texts.is_empty() {
        return Ok(Vec::new());
    }
    let survey = repo.survey_outlines()?;
    let facts = order::facts(&survey.snapshots, now);
    let mut chosen = Vec::new();
    for text in texts {
        let id = match select::choose(&facts, text, &Filter::default(), None) {
            Ok(facts) => facts.id,
            Err(e) => {
                let mut unread = survey.unreadable.iter().map(|(id, _)| *id);
                unread.find(|id| is_meant(text, *id)).ok_or(e)?
            }
        };
        if !chosen.contains(&id) {
            chosen.push(id);
        }
    }
    Ok(chosen)
}

fn is_meant(text: &str, id: SessionId) -> bool {
    matches!(Wanted::parse(text), Some(Wanted::Id(prefix)) if id.to_hex().starts_with(&prefix))
}
