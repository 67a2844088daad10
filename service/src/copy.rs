//! The job `copy`: snapshots into a repository with other keys.

use crate::catalogue::Cause;
use crate::context::Context;
use crate::face::{Activity, Face, Step};
use crate::failure::Failure;
use crate::history::record::recorded;
use crate::history::{JobInfo, JobKind};
use crate::listing;
use crate::resolve::{self, CopySourceOptions, Location};
use crate::status::Status;
use engine::SessionId;
use engine::copy as run;
pub use engine::copy::{Copied, Copy as CopiedSnapshot};
use engine::select::{self, Filter};

#[derive(Clone, Debug)]
pub struct Request {
    /// Name or URL; without one, the environment names it.
    pub from: Option<String>,
    pub opening: CopySourceOptions,
    /// Empty, with an empty filter: what is newer than what the target has.
    pub snapshots: Vec<String>,
    pub filter: Filter,
    /// Copy also what the target has removed, and what is older than what it has.
    pub all: bool,
    /// zstd's level.
    pub level: i32,
    pub dry_run: bool,
}

#[derive(Debug)]
pub struct Report {
    pub copied: Copied,
    listed: Status,
}

impl Report {
    pub fn status(&self) -> Status {
        match (self.copied.damaged, self.copied.unreadable) {
            (0, 0) => self.listed,
            (0, _) => self.listed.max(Status::Failed),
            _ => Status::Damaged,
        }
    }
}

pub fn run(context: &Context, request: &Request, face: &dyn Face) -> Result<Report, Failure> {
    recorded(
        context,
        (!request.dry_run).then(|| JobInfo::of(JobKind::Copy)),
        face,
        |face| perform(context, request, face),
        |report, _| report.status(),
    )
}

fn perform(context: &Context, request: &Request, face: &dyn Face) -> Result<Report, Failure> {
    let source = source(context, request)?;
    let options = run::CopyOptions {
        all: request.all,
        dry_run: request.dry_run,
        level: request.level,
    };
    let to = context.location()?;
    let to = context.open_while(&to, &context.run_within_quotas()?, face, &mut || Ok(()))?;
    let keys = resolve::opening_source(&request.opening, &context.env, &source)?;
    let from = context.open_with(&source, keys, face)?;
    let all = listing::read(context, &from, face)?;
    let filter = &request.filter;
    let chosen: Vec<SessionId> = match request.snapshots.is_empty() && filter.is_empty() {
        true => Vec::new(),
        false if request.snapshots.is_empty() => {
            filter.matching(&all.facts).iter().map(|facts| facts.id).collect()
        }
        false => {
            let chosen = select::choose_all(&all.facts, &request.snapshots, filter)?;
            chosen.iter().map(|facts| facts.id).collect()
        }
    };
    if chosen.is_empty() && !filter.is_empty() {
        return Err(Cause::NoMatch.into());
    }
    let step = Step::start(face, Activity::Copy)?;
    let copied = run::run(&from, &to, &chosen, &options, &step)?;
    step.finish();
    let listed = all.status();
    Ok(Report { copied, listed })
}

/// Where it is copied from: what was asked for, or what the environment names.
fn source(context: &Context, request: &Request) -> Result<Location, Failure> {
    let given = match &request.from {
        Some(text) => Some(text.as_str()),
        None => context.env.text("DEDUP_FROM_REPOSITORY")?,
    };
    match given.filter(|text| !text.is_empty()) {
        Some(text) => context.remote(text),
        None => Err(Cause::NoCopySource.into()),
    }
}
