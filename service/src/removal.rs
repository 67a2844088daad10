//! What `forget` and `prune` share: a policy's decisions on snapshots, shown, asked about and carried out.

use crate::catalogue::report::snapshots::InCommon;
use crate::catalogue::{Cause, Question};
use crate::context::Context;
use crate::face::{Decisions, Face, Notice, confirm_if_possible};
use crate::failure::Failure;
use crate::listing::{self, Listing};
use crate::status::Status;
use engine::facts::{GroupKey, SnapshotInfo, group_by};
use engine::forget;
pub use engine::forget::{ForgetAction, PolicyDecision};
use engine::problem::Warning;
use engine::repo::Repo;
use engine::retain::Policy;
use engine::select::Filter;
use engine::simulate;
use engine::{Error, SessionId, StoreError};
use std::collections::HashSet;

/// Which snapshots are kept, of those that have something in common.
#[derive(Clone, Debug)]
pub struct Retention {
    pub policy: Policy,
    /// The policy is applied to each group of snapshots that have these in common.
    pub group_by: Vec<GroupKey>,
    /// Tags that the policy keeps, to warn of those that no snapshot has.
    pub tags: Vec<Vec<String>>,
    /// It may leave nothing of a group.
    pub allow_empty: bool,
}

/// What a policy decides on the snapshots that pass the filter.
pub(crate) fn by_policy(
    context: &Context,
    all: &Listing,
    retention: &Retention,
    filter: &Filter,
) -> Vec<PolicyDecision> {
    let zone = context.now.time_zone();
    let now = context.now.timestamp();
    if let Some(day) = context.simulate {
        return simulate::plan(
            &all.snapshots,
            &retention.policy,
            &retention.group_by,
            filter,
            zone,
            (now, day),
        );
    }
    forget::plan(
        &all.snapshots,
        &retention.policy,
        &retention.group_by,
        filter,
        zone,
        now,
    )
}

/// Warns of a tag to keep that no snapshot has, and refuses a policy that leaves nothing of a group, which is a mistake
/// more often than not.
pub(crate) fn check(
    decisions: &[PolicyDecision],
    retention: &Retention,
    face: &dyn Face,
) -> Result<(), Failure> {
    for tags in &retention.tags {
        if !decisions.iter().any(|d| d.facts.has_tags(tags)) {
            listing::warn(face, Warning::NoSuchTags(tags.clone()));
        }
    }
    if retention.allow_empty {
        return Ok(());
    }
    let facts: Vec<&SnapshotInfo> = decisions.iter().map(|d| &d.facts).collect();
    let kept: HashSet<SessionId> = decisions
        .iter()
        .filter(|d| d.action == ForgetAction::Keep)
        .map(|d| d.facts.id)
        .collect();
    let groups = group_by(&facts, &retention.group_by);
    match groups
        .iter()
        .find(|group| !group.members.iter().any(|facts| kept.contains(&facts.id)))
    {
        None => Ok(()),
        Some(group) => {
            let (group, snapshots) = (InCommon::of(group), group.members.len() as u64);
            Err(Cause::KeepsNothingOf { group, snapshots }.into())
        }
    }
}

/// What [`remove`] did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Removed {
    pub count: u64,
    pub failed: u64,
}

impl Removed {
    pub fn status(&self) -> Status {
        match self.failed {
            0 => Status::Completed,
            _ => Status::Incomplete,
        }
    }
}

/// Asks, and moves what was decided to the trash. What can't be removed is reported; the rest is removed.
pub(crate) fn remove(
    repo: &Repo,
    decisions: &Decisions,
    yes: bool,
    face: &dyn Face,
) -> Result<Removed, Failure> {
    let mut removed = Removed::default();
    let wanted = decisions.removals().count() as u64;
    if wanted == 0 {
        return Ok(removed);
    }
    if decisions.dry_run {
        removed.count = wanted;
        return Ok(removed);
    }
    let question = Question::RemoveSnapshots { snapshots: wanted };
    confirm_if_possible(face, yes, &question)?;
    for decision in decisions.removals() {
        match forget::apply(repo, &[decision.facts.id]) {
            Ok(()) => removed.count += 1,
            Err(e @ (Error::Refused(_) | Error::Store(StoreError::Corrupt { .. }))) => {
                removed.failed += 1;
                face.notice(&Notice::PartFailed(&e.into()));
            }
            // Someone else removed it in the meantime.
            Err(Error::Store(StoreError::Missing { .. }) | Error::NoSnapshot(_)) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(removed)
}
