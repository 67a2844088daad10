//! The job `forget`: snapshots to the trash, by name or by a policy. Their data goes with a later prune. Beside it what
//! else ends a snapshot: giving one up that can't be read, and accepting the loss of one that is gone.

use crate::catalogue::{Cause, Question};
use crate::context::Context;
use crate::face::{Activity, Decisions, Face, Notice, confirm};
use crate::failure::Failure;
use crate::history::record::recorded;
use crate::history::{JobInfo, JobKind};
use crate::listing::{self, Listing};
use crate::prune::{self, CollectedGarbage};
use crate::removal::{self, ForgetAction, PolicyDecision, Removed, Retention};
use crate::status::Status;
use engine::error::Refusal;
use engine::facts::GroupKey;
use engine::forget as run;
use engine::repo::Repo;
use engine::retain::RetentionReason;
use engine::select::{self, Filter};
use engine::{Error, SessionId};
use std::path::PathBuf;

/// Which snapshots go to the trash.
#[derive(Clone, Debug)]
pub struct Request {
    pub which: Which,
    pub filter: Filter,
    pub yes: bool,
    pub dry_run: bool,
}

#[derive(Clone, Debug)]
pub enum Which {
    Named {
        /// `latest`, `latest~N` or the beginning of an id.
        snapshots: Vec<String>,
        /// How they are shown.
        group_by: Vec<GroupKey>,
    },
    /// Those that a policy does not keep.
    NotKept(Retention),
}

/// What was, or would be, removed.
pub struct Report {
    pub decisions: Decisions,
    pub removed: Removed,
    pub listing: Listing,
    repo: Repo,
}

impl Report {
    pub fn status(&self) -> Status {
        self.removed.status().max(self.listing.status())
    }

    /// Collects garbage afterwards. What was removed on the person's word needs no other.
    pub fn collect_garbage(
        &self,
        context: &Context,
        yes: bool,
        face: &dyn Face,
    ) -> Result<CollectedGarbage, Failure> {
        let yes = yes || self.removed.count > 0;
        prune::collect_after(context, &self.repo, &self.decisions, yes, face)
    }
}

pub fn run(context: &Context, request: &Request, face: &dyn Face) -> Result<Report, Failure> {
    if let Which::Named { snapshots, .. } = &request.which
        && snapshots.is_empty()
    {
        return Err(Cause::NotNamed.into());
    }
    if !request.dry_run {
        context.may_remove()?;
    }
    recorded(
        context,
        (!request.dry_run).then(|| JobInfo::of(JobKind::Delete)),
        face,
        |face| perform(context, request, face),
        |report, row| {
            row.snapshots = report.removed.count;
            report.status()
        },
    )
}

fn perform(context: &Context, request: &Request, face: &dyn Face) -> Result<Report, Failure> {
    let repo = context.open(face)?;
    let listing = listing::read(context, &repo, face)?;
    let (all, group_by, refused) = match &request.which {
        Which::Named { snapshots, group_by } => {
            let named = named(&listing, snapshots, &request.filter)?;
            let (left, refused) = without_protected(named, face);
            (left, group_by.clone(), refused)
        }
        Which::NotKept(retention) => (
            removal::by_policy(context, &listing, retention, &request.filter),
            retention.group_by.clone(),
            0,
        ),
    };
    let decisions = Decisions {
        all,
        group_by,
        during: Activity::Forget,
        dry_run: request.dry_run,
    };
    face.decided(&decisions)?;
    // Of another day, only what exists now is shown: further snapshots will be left of the group.
    if let Which::NotKept(retention) = &request.which
        && context.simulate.is_none()
    {
        removal::check(&decisions.all, retention, face)?;
    }
    let mut removed = removal::remove(&repo, &decisions, request.yes, face)?;
    removed.failed += refused;
    Ok(Report {
        decisions,
        removed,
        listing,
        repo,
    })
}

fn named(all: &Listing, texts: &[String], filter: &Filter) -> Result<Vec<PolicyDecision>, Failure> {
    let chosen = select::choose_all(&all.facts, texts, filter)?;
    let decisions = chosen.into_iter().map(|facts| PolicyDecision {
        facts: facts.clone(),
        action: ForgetAction::Remove,
        reasons: vec![RetentionReason::Named],
    });
    Ok(decisions.collect())
}

/// What is left without protected snapshots, and how many those are. They are told before anything is shown as removed.
fn without_protected(named: Vec<PolicyDecision>, face: &dyn Face) -> (Vec<PolicyDecision>, u64) {
    let (protected, left): (Vec<_>, Vec<_>) = named.into_iter().partition(|d| d.facts.protected);
    for decision in &protected {
        let refused = Error::Refused(Refusal::Protected(decision.facts.id));
        face.notice(&Notice::PartFailed(&refused.into()));
    }
    (left, protected.len() as u64)
}

/// Snapshots that are no longer expected, though no one removed them.
#[derive(Clone, Debug)]
pub struct LossRequest {
    /// The beginnings of ids; empty for all that are gone.
    pub snapshots: Vec<String>,
    pub yes: bool,
    pub dry_run: bool,
}

/// Stops expecting snapshots that are gone from the storage, and returns which.
pub fn accept_loss(
    context: &Context,
    request: &LossRequest,
    face: &dyn Face,
) -> Result<Vec<SessionId>, Failure> {
    recorded(
        context,
        (!request.dry_run).then(|| JobInfo::of(JobKind::Delete)),
        face,
        |face| perform_loss(context, request, face),
        |lost, row| {
            row.snapshots = lost.len() as u64;
            Status::Completed
        },
    )
}

fn perform_loss(
    context: &Context,
    request: &LossRequest,
    face: &dyn Face,
) -> Result<Vec<SessionId>, Failure> {
    let repo = context.open(face)?;
    let mut lost = repo.survey()?.lost?;
    let wanted = &request.snapshots;
    let is_lost = |wanted: &String| lost.iter().any(|id| id.to_hex().starts_with(wanted));
    if let Some(wanted) = wanted.iter().find(|wanted| !is_lost(wanted)) {
        let text = wanted.clone();
        return Err(Cause::NotGone { text }.into());
    }
    let is_named = |id: &SessionId| wanted.iter().any(|wanted| id.to_hex().starts_with(wanted));
    lost.retain(|id| wanted.is_empty() || is_named(id));
    if !lost.is_empty() && !request.dry_run {
        let snapshots = lost.len() as u64;
        let question = Question::AcceptLoss { snapshots };
        confirm(face, request.yes, &question)?;
        run::accept_loss(&repo, &lost)?;
    }
    Ok(lost)
}

/// Snapshots that can't be read and are given up.
#[derive(Clone, Debug)]
pub struct GiveUpRequest {
    /// The beginnings of ids.
    pub snapshots: Vec<String>,
    pub yes: bool,
    pub dry_run: bool,
}

/// A snapshot that was given up.
#[derive(Clone, Debug)]
pub struct GivenUp {
    pub id: SessionId,
    /// Where what is left of it is kept; `None` in a dry run.
    pub kept_at: Option<PathBuf>,
}

/// Ends snapshots that can't be read, so that a prune is possible again. `each` is called as one has ended.
pub fn give_up(
    context: &Context,
    request: &GiveUpRequest,
    face: &dyn Face,
    each: &mut dyn FnMut(&GivenUp) -> Result<(), Failure>,
) -> Result<(), Failure> {
    if !request.dry_run {
        context.may_remove()?;
    }
    recorded(
        context,
        (!request.dry_run).then(|| JobInfo::of(JobKind::Delete)),
        face,
        |face| perform_give_up(context, request, face, each),
        |given_up, row| {
            row.snapshots = *given_up;
            Status::Completed
        },
    )
    .map(drop)
}

fn perform_give_up(
    context: &Context,
    request: &GiveUpRequest,
    face: &dyn Face,
    each: &mut dyn FnMut(&GivenUp) -> Result<(), Failure>,
) -> Result<u64, Failure> {
    let repo = context.open(face)?;
    let (_, damaged) = repo.snapshots()?;
    let mut chosen = Vec::new();
    for wanted in &request.snapshots {
        let meant = damaged.iter().filter(|(id, _)| id.to_hex().starts_with(wanted));
        match meant.collect::<Vec<_>>()[..] {
            [(id, _)] => chosen.push(*id),
            [] => {
                let text = wanted.clone();
                return Err(Cause::NotUnreadable { text }.into());
            }
            [_, _, ..] => {
                let text = wanted.clone();
                return Err(Cause::SeveralSnapshots { text }.into());
            }
        }
    }
    if !request.dry_run {
        let snapshots = chosen.len() as u64;
        confirm(face, request.yes, &Question::GiveUp { snapshots })?;
    }
    let given_up = chosen.len() as u64;
    for id in chosen {
        let kept_at = match request.dry_run {
            true => None,
            false => Some(run::end_unreadable(&repo, id)?),
        };
        each(&GivenUp { id, kept_at })?;
    }
    Ok(given_up)
}
