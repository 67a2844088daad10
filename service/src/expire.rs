//! What `prune` does about deleted files: those that a set keeps for a while only (`deleted-files` of its retention) leave
//! the older snapshots of the set when their time is over. [`engine::expire`] finds them, and [`engine::purge`] publishes
//! the snapshots again without them; their old forms go to the trash.

use crate::catalogue::Question;
use crate::context::Context;
use crate::face::{Activity, Decisions, ExpiringSet, ExpiryNews, Face, Notice, Step, confirm_if_possible};
use crate::failure::Failure;
use crate::listing::Listing;
use crate::status::Status;
use engine::expire::{self as run, ExpiredPaths, ExpiryPlan};
use engine::facts::SnapshotInfo;
use engine::manifest::Snapshot;
use engine::monitor::Quiet;
use engine::purge::{Purge, PurgeCount, PurgeOptions};
use engine::repo::Repo;
use engine::select::Filter;
use engine::{Error, SessionId, StoreError, order, simulate};
use jiff::Span;
use std::collections::BTreeSet;

/// How long a set keeps deleted files.
#[derive(Clone, Debug)]
pub struct DeletedFilesRule {
    pub set: String,
    pub keep: Span,
    /// Snapshots with one of these tags are left as they are.
    pub keep_tags: Vec<String>,
    /// The snapshots of the set.
    pub filter: Filter,
}

/// What was found, and for how many sets that was not possible.
#[derive(Debug, Default)]
pub(crate) struct Expiring {
    sets: Vec<ExpiringSet>,
    failed: u64,
}

/// What was dropped, or would be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Expired {
    /// Deleted files, each counted once, and their bytes.
    pub files: u64,
    pub bytes: u64,
    /// Snapshots that were changed.
    pub snapshots: u64,
    /// Snapshots that could not be changed, and sets whose snapshots could not be compared.
    pub failed: u64,
}

impl Expired {
    pub fn status(&self) -> Status {
        match self.failed {
            0 => Status::Completed,
            _ => Status::Incomplete,
        }
    }
}

/// Looks for deleted files whose time is over, and shows them. What `decisions` remove is not among what is changed, but
/// still says what was there.
pub(crate) fn find(
    context: &Context,
    repo: &Repo,
    (all, rules): (&Listing, &[DeletedFilesRule]),
    decisions: &Decisions,
    face: &dyn Face,
) -> Result<Expiring, Failure> {
    let mut expiring = Expiring::default();
    // A snapshot that can't be read might be the one that shows that a file is still there.
    if all.status() != Status::Completed {
        return Ok(expiring);
    }
    let removed = decisions.removed_ids();
    for rule in rules {
        let (members, plan) = planned(context, all, rule, &removed);
        let Some(plan) = plan.filter(|plan| !run::is_settled(repo, &note_name(rule), plan)) else {
            continue;
        };
        let step = Step::start(face, Activity::Purge)?;
        let searched = search(repo, &plan, &members, &step);
        step.finish();
        let (found, snapshots) = match searched {
            Ok(found) => found,
            Err(e) => {
                expiring.failed += u64::from(is_failure(e, face)?);
                continue;
            }
        };
        if found.paths.is_empty() {
            if !found.doubtful && context.simulate.is_none() {
                run::settle(repo, &note_name(rule), &plan);
            }
            continue;
        }
        let set = ExpiringSet {
            set: rule.set.clone(),
            found,
            snapshots,
            dry_run: decisions.dry_run,
        };
        face.expiry(&ExpiryNews::Found(&set))?;
        expiring.sets.push(set);
    }
    Ok(expiring)
}

fn note_name(rule: &DeletedFilesRule) -> String {
    format!("{}\n{}", rule.filter.hosts.join("\n"), rule.set)
}

/// All snapshots of the set at the moment in question, and which of them decide.
fn planned(
    context: &Context,
    all: &Listing,
    rule: &DeletedFilesRule,
    removed: &BTreeSet<SessionId>,
) -> (Vec<SnapshotInfo>, Option<ExpiryPlan>) {
    let now = context.now.timestamp();
    let facts = match context.simulate {
        None => all.facts.clone(),
        Some(day) => {
            let mut facts = order::facts(&all.snapshots, now.max(day));
            facts.retain(|facts| facts.at <= day);
            facts
        }
    };
    let members: Vec<SnapshotInfo> = rule.filter.matching(&facts).into_iter().cloned().collect();
    let borrowed: Vec<&SnapshotInfo> = members.iter().collect();
    let newest_at = match context.simulate {
        None => ExpiryPlan::newest_at(&borrowed),
        Some(day) => simulate::newest_at(&borrowed, now, day),
    };
    let may_change = |facts: &SnapshotInfo| {
        let is_tagged = rule.keep_tags.iter().any(|tag| facts.tags.contains(tag));
        !(facts.protected || facts.is_in_future() || is_tagged || removed.contains(&facts.id))
    };
    let zone = context.now.time_zone();
    let plan = newest_at.and_then(|at| ExpiryPlan::new(&borrowed, &rule.keep, zone, at, &may_change));
    (members, plan)
}

fn search(
    repo: &Repo,
    plan: &ExpiryPlan,
    members: &[SnapshotInfo],
    step: &Step<'_>,
) -> engine::Result<(ExpiredPaths, Vec<(SnapshotInfo, PurgeCount)>)> {
    let reader = repo.reader(step);
    let found = run::find(repo, &reader, plan)?;
    let mut snapshots = Vec::new();
    if found.paths.is_empty() {
        return Ok((found, snapshots));
    }
    let named = |path: &[u8]| found.names(path);
    let mut purge = Purge::new(repo, &named, PurgeOptions::default())?;
    for id in plan.before() {
        let held = purge.held(&reader, *id)?;
        let facts = members.iter().find(|facts| facts.id == *id);
        snapshots.extend(
            facts
                .filter(|_| held.entries > 0)
                .map(|facts| (facts.clone(), held)),
        );
    }
    Ok((found, snapshots))
}

/// Asks, and publishes the snapshots without the files. What can't be changed is reported; the rest is changed.
pub(crate) fn drop_files(
    repo: &Repo,
    expiring: &Expiring,
    all: &[Snapshot],
    yes: bool,
    face: &dyn Face,
) -> Result<Expired, Failure> {
    let sets = &expiring.sets;
    let mut expired = Expired {
        failed: expiring.failed,
        ..Expired::default()
    };
    for set in sets {
        let (files, bytes) = set.found.files();
        expired.files += files;
        expired.bytes = expired.bytes.saturating_add(bytes);
        if set.dry_run {
            expired.snapshots += set.snapshots.len() as u64;
        }
    }
    if sets.iter().all(|set| set.dry_run) {
        return Ok(expired);
    }
    let question = Question::DropDeletedFiles {
        files: expired.files,
        snapshots: sets.iter().map(|set| set.snapshots.len() as u64).sum(),
    };
    confirm_if_possible(face, yes, &question)?;
    for set in sets {
        let named = |path: &[u8]| set.found.names(path);
        let purge = Purge::new(repo, &named, PurgeOptions::default())?;
        for (facts, held) in &set.snapshots {
            repo.run().cancel().check()?;
            match purge.remove(facts.id, all, &Quiet) {
                Ok(done) => {
                    expired.snapshots += 1;
                    let (old, held) = (facts, *held);
                    face.expiry(&ExpiryNews::Changed { old, held, done })?;
                }
                Err(e) => expired.failed += u64::from(is_failure(e, face)?),
            }
        }
    }
    Ok(expired)
}

/// Whether a snapshot could not be read or changed, rather than being gone by now. Any other error ends the job.
fn is_failure(error: Error, face: &dyn Face) -> Result<bool, Failure> {
    match &error {
        Error::NoSnapshot(_) => return Ok(false),
        Error::Store(StoreError::Missing { object }) if object.is_in("snapshots") => return Ok(false),
        Error::Refused(_) => {}
        Error::Store(e) if e.concerns_one_object() => {}
        _ => return Err(error.into()),
    }
    face.notice(&Notice::PartFailed(&error.into()));
    Ok(true)
}
