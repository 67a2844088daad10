//! The jobs `repair`: mend what `check` found, by adding only.

use crate::context::Context;
use crate::face::{Activity, Face, ProblemCounts, Step};
use crate::failure::Failure;
use crate::history::record::recorded;
use crate::history::{JobInfo, JobKind};
use crate::listing;
use crate::status::Status;
use engine::SessionId;
use engine::repair as run;
pub use engine::repair::{IndexRepaired, PacksRepaired, ParityRepaired, SnapshotsRepaired};
use engine::select::{self, Filter};

/// What was repaired, and what could not be.
#[derive(Debug)]
pub struct Report<T> {
    pub done: T,
    lost: u64,
    problems: ProblemCounts,
}

impl<T> Report<T> {
    /// Damage that was mended is none; what is lost is. What could not be read is known to be neither.
    pub fn status(&self) -> Status {
        match (self.lost, self.problems.unreadable) {
            (0, 0) => Status::Completed,
            (0, _) => Status::AccessDenied,
            _ => Status::Damaged,
        }
    }
}

/// Repair of packs from their parity.
#[derive(Clone, Copy, Debug)]
pub struct ParityRequest {
    /// Also give so many per cent of parity to packs that have none.
    pub add: Option<u8>,
    /// Give it to the packs of later backups, too; needs a password or key.
    pub new_packs: bool,
    pub dry_run: bool,
}

/// What parity repaired.
#[derive(Debug)]
pub struct ParityReport {
    pub repaired: ParityRepaired,
    /// New packs get parity from now on.
    pub turned_on: bool,
}

/// A repair with its row in the history.
fn noted<T>(
    context: &Context,
    dry_run: bool,
    face: &dyn Face,
    repair: impl FnOnce(&dyn Face) -> Result<Report<T>, Failure>,
) -> Result<Report<T>, Failure> {
    let job = (!dry_run).then(|| JobInfo::of(JobKind::Repair));
    recorded(context, job, face, repair, |report, _| report.status())
}

/// Needs no password or key, unless new packs are to get parity.
pub fn parity(
    context: &Context,
    request: ParityRequest,
    face: &dyn Face,
) -> Result<Report<ParityReport>, Failure> {
    noted(context, request.dry_run, face, |face| {
        repair_parity(context, request, face)
    })
}

fn repair_parity(
    context: &Context,
    request: ParityRequest,
    face: &dyn Face,
) -> Result<Report<ParityReport>, Failure> {
    let location = context.location()?;
    // First: what a backup makes from now on gets its own.
    let turned_on = match request.add {
        Some(percent) if request.new_packs && !request.dry_run => {
            run::parity_of_new_packs(&context.open(face)?, Some(percent))?
        }
        _ => false,
    };
    let step = Step::start(face, Activity::Repair)?;
    let repaired = run::parity(
        &location.url,
        &context.run()?,
        request.add,
        request.dry_run,
        &step,
    )?;
    let problems = step.finish();
    let lost = repaired.packs_beyond.min(problems.damage);
    let done = ParityReport { repaired, turned_on };
    Ok(Report { done, lost, problems })
}

/// Lists packs again that no sound index segment lists.
pub fn index(context: &Context, dry_run: bool, face: &dyn Face) -> Result<Report<IndexRepaired>, Failure> {
    noted(context, dry_run, face, |face| {
        repair_index(context, dry_run, face)
    })
}

fn repair_index(context: &Context, dry_run: bool, face: &dyn Face) -> Result<Report<IndexRepaired>, Failure> {
    let options = options(dry_run);
    let repo = context.open(face)?;
    let step = Step::start(face, Activity::Repair)?;
    let done = run::index(&repo, &options, &step)?;
    let problems = step.finish();
    let lost = done.packs_unreadable.min(problems.damage);
    Ok(Report { done, lost, problems })
}

/// Rescue of what is whole in damaged packs.
#[derive(Clone, Debug)]
pub struct PacksRequest {
    /// Ids; empty: all data is read to find those that are damaged.
    pub packs: Vec<String>,
    pub dry_run: bool,
}

pub fn packs(
    context: &Context,
    request: &PacksRequest,
    face: &dyn Face,
) -> Result<Report<PacksRepaired>, Failure> {
    noted(context, request.dry_run, face, |face| {
        repair_packs(context, request, face)
    })
}

fn repair_packs(
    context: &Context,
    request: &PacksRequest,
    face: &dyn Face,
) -> Result<Report<PacksRepaired>, Failure> {
    let options = options(request.dry_run);
    let repo = context.open(face)?;
    let step = Step::start(face, Activity::Repair)?;
    let done = run::packs(&repo, &request.packs, &options, &step)?;
    let problems = step.finish();
    let lost = done.packs_lost + done.chunks_lost;
    Ok(Report { done, lost, problems })
}

/// Successors of snapshots that lost something.
#[derive(Clone, Debug)]
pub struct SnapshotsRequest {
    /// Empty for all.
    pub snapshots: Vec<String>,
    pub dry_run: bool,
}

pub fn snapshots(
    context: &Context,
    request: &SnapshotsRequest,
    face: &dyn Face,
) -> Result<Report<SnapshotsRepaired>, Failure> {
    noted(context, request.dry_run, face, |face| {
        repair_snapshots(context, request, face)
    })
}

fn repair_snapshots(
    context: &Context,
    request: &SnapshotsRequest,
    face: &dyn Face,
) -> Result<Report<SnapshotsRepaired>, Failure> {
    let options = options(request.dry_run);
    let repo = context.open(face)?;
    let ids: Vec<SessionId> = match request.snapshots.is_empty() {
        true => Vec::new(),
        false => {
            let all = listing::read(context, &repo, face)?;
            let chosen = select::choose_all(&all.facts, &request.snapshots, &Filter::default())?;
            chosen.iter().map(|facts| facts.id).collect()
        }
    };
    let step = Step::start(face, Activity::Repair)?;
    let done = run::snapshots(&repo, &ids, &options, &step)?;
    let problems = step.finish();
    let lost = problems.damage;
    Ok(Report { done, lost, problems })
}

fn options(dry_run: bool) -> run::RepairOptions {
    run::RepairOptions { dry_run }
}
