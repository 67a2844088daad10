//! The job `prune`: a retention policy if one is given, then the collection of garbage, whose cost is stated before it
//! is asked for.

use crate::catalogue::{Cause, Question};
use crate::context::Context;
use crate::face::{Activity, Decisions, Face, Notice, ProblemCounts, Step, confirm_if_possible};
use crate::failure::Failure;
use crate::history::record::recorded;
use crate::history::{HistoryRow, JobInfo, JobKind};
use crate::listing;
use crate::removal::{self, Removed, Retention};
use crate::resolve;
use crate::status::Status;
use crate::usage;
pub use engine::Unused;
use engine::facts::GroupKey;
use engine::prune as run;
pub use engine::prune::PruneSummary;
use engine::repo::Repo;
use engine::select::Filter;
use engine::{Error, GcPolicy, SessionId, StoreError};
use jiff::Span;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What is removed, and what is collected.
#[derive(Clone, Debug)]
pub struct Request {
    /// Without one, no snapshot is removed, but for those of sets.
    pub retention: Option<Retention>,
    /// Without a policy: apply those that the settings have for sets that are saved here.
    pub of_sets: bool,
    /// The snapshots that the policy is for.
    pub filter: Filter,
    /// Without one, the data of removed snapshots goes with a later prune.
    pub collection: Option<Collection>,
    pub yes: bool,
    pub dry_run: bool,
}

/// How far a collection of garbage goes.
#[derive(Clone, Debug)]
pub struct Collection {
    /// How long removed snapshots can be brought back.
    pub keep_trash: Span,
    /// How much unused data is left rather than rewritten.
    pub max_unused: Unused,
    /// Rewrite at most so many bytes.
    pub max_repack: u64,
    /// No backup runs at the same time.
    pub exclusive: bool,
}

impl Default for Collection {
    fn default() -> Collection {
        Collection {
            keep_trash: Span::new().days(7),
            max_unused: Unused::Percent(5.0),
            max_repack: u64::MAX,
            exclusive: false,
        }
    }
}

/// What a prune did, or would do.
#[derive(Debug)]
pub struct Report {
    pub removed: Removed,
    pub collected: Option<CollectedGarbage>,
    listed: Status,
}

/// What a collection of garbage did, or would do.
#[derive(Debug)]
pub struct CollectedGarbage {
    pub summary: PruneSummary,
    pub problems: ProblemCounts,
}

impl Report {
    /// Completes its row in the history, and returns its status.
    pub(crate) fn note(&self, row: &mut HistoryRow) -> Status {
        row.snapshots = self.removed.count;
        let collected = self.collected.as_ref();
        row.bytes = collected.map_or(0, |collected| collected.summary.bytes_deleted);
        self.status()
    }

    pub fn status(&self) -> Status {
        let collected = self.collected.as_ref().map(|done| done.problems.status());
        let removed = self.removed.status().max(self.listed);
        removed.max(collected.unwrap_or_default())
    }
}

pub fn run(context: &Context, request: &Request, face: &dyn Face) -> Result<Report, Failure> {
    let has_policy = request.retention.is_some() || (request.of_sets && !of_sets(context)?.is_empty());
    if !has_policy && request.collection.is_none() {
        return Err(Cause::NothingToPrune.into());
    }
    if request.retention.is_none() && !request.filter.is_empty() {
        return Err(Cause::FilterWithoutRule.into());
    }
    recorded(
        context,
        (!request.dry_run).then(|| JobInfo::of(JobKind::Prune)),
        face,
        |face| perform(context, request, face),
        Report::note,
    )
}

/// The policies of the sets that are saved in this repository, each for the snapshots that this machine made of its set.
fn of_sets(context: &Context) -> Result<Vec<(Retention, Filter)>, Failure> {
    let url = resolve::absolute(&context.location()?.url)?;
    let settings = &context.settings;
    let is_here = |name: &str| settings.remote(name).is_some_and(|remote| remote.url == url);
    let host = context.host(None)?;
    let mut policies = Vec::new();
    for (name, set) in &settings.sets.0 {
        let is_saved_here = set.destinations.iter().any(|name| is_here(&name.get_ref().0));
        if let Some(policy) = set.retention.policy()?.filter(|_| is_saved_here) {
            let retention = Retention {
                policy,
                // Its sources may have changed.
                group_by: Vec::new(),
                tags: Vec::new(),
                allow_empty: false,
            };
            let filter = Filter {
                hosts: vec![host.clone()],
                sets: settings.names_of(&name.get_ref().0),
                ..Filter::default()
            };
            policies.push((retention, filter));
        }
    }
    Ok(policies)
}

/// The same without a row in the history.
pub(crate) fn perform(context: &Context, request: &Request, face: &dyn Face) -> Result<Report, Failure> {
    let options = request.collection.as_ref();
    let options = options.map(|collection| options_of(context, collection, request.dry_run));
    let mut options = options.transpose()?;
    let repo = context.open(face)?;
    let mut report = Report {
        removed: Removed::default(),
        collected: None,
        listed: Status::Completed,
    };
    let (policies, group_by) = match &request.retention {
        Some(retention) => {
            let group_by = retention.group_by.clone();
            (vec![(retention.clone(), request.filter.clone())], group_by)
        }
        None if request.of_sets => (of_sets(context)?, vec![GroupKey::Set]),
        None => (Vec::new(), Vec::new()),
    };
    if !policies.is_empty() {
        let all = listing::read(context, &repo, face)?;
        let of =
            |(retention, filter): &(Retention, Filter)| removal::by_policy(context, &all, retention, filter);
        let each: Vec<_> = policies.iter().map(of).collect();
        let decisions = Decisions {
            all: each.concat(),
            group_by,
            during: Activity::Prune,
            dry_run: request.dry_run,
        };
        face.decided(&decisions)?;
        let checked = policies.iter().zip(&each).filter(|_| context.simulate.is_none());
        for ((retention, _), decided) in checked {
            removal::check(decided, retention, face)?;
        }
        if let Some(options) = &mut options {
            options.assume_gone = assumed(&decisions);
        }
        report.removed = removal::remove(&repo, &decisions, request.yes, face)?;
        report.listed = all.status();
    }
    if let Some(options) = &options {
        report.collected = Some(collect(&repo, options, request.yes, face)?);
        if !request.dry_run {
            note_usage(context)?;
        }
    }
    Ok(report)
}

/// What is used after a collection, of the repository that was asked for.
fn note_usage(context: &Context) -> Result<(), Failure> {
    let url = resolve::absolute(&context.location()?.url)?;
    usage::note_after(context, std::iter::once(url.as_str()), true);
    Ok(())
}

/// What a dry run counts as removed.
fn assumed(decisions: &Decisions) -> BTreeSet<SessionId> {
    match decisions.dry_run {
        true => decisions.removed_ids(),
        false => BTreeSet::new(),
    }
}

/// Collects garbage after `decisions` were carried out.
pub(crate) fn collect_after(
    context: &Context,
    repo: &Repo,
    decisions: &Decisions,
    yes: bool,
    face: &dyn Face,
) -> Result<CollectedGarbage, Failure> {
    let mut options = options_of(context, &Collection::default(), decisions.dry_run)?;
    options.assume_gone = assumed(decisions);
    recorded(
        context,
        (!decisions.dry_run).then(|| JobInfo::of(JobKind::Prune)),
        face,
        |face| collect(repo, &options, yes, face),
        |collected, row| {
            row.bytes = collected.summary.bytes_deleted;
            collected.problems.status()
        },
    )
}

fn options_of(
    context: &Context,
    collection: &Collection,
    dry_run: bool,
) -> Result<run::PruneOptions, Failure> {
    let gc = GcPolicy {
        max_unused: collection.max_unused,
        max_repack: collection.max_repack,
    };
    Ok(run::PruneOptions {
        keep_trash: seconds(context, &collection.keep_trash)?,
        exclusive: collection.exclusive,
        dry_run,
        ..run::PruneOptions::new(gc)
    })
}

/// How far back a span reaches from now.
fn seconds(context: &Context, span: &Span) -> Result<u64, Failure> {
    let then = context.now.checked_sub(*span);
    let then = then.map_err(|e| Cause::TrashTooLong { why: e.to_string() })?;
    let seconds = context.now_secs().saturating_sub(then.timestamp().as_second());
    Ok(seconds.max(0).cast_unsigned())
}

/// If it must ask, it plans first and shows what it would cost.
fn collect(
    repo: &Repo,
    options: &run::PruneOptions,
    yes: bool,
    face: &dyn Face,
) -> Result<CollectedGarbage, Failure> {
    if !options.dry_run && !yes && face.can_confirm() {
        let plan = run::PruneOptions {
            dry_run: true,
            ..options.clone()
        };
        let step = Step::start(face, Activity::Prune)?;
        let planned = run::run(repo, &plan, &step)?;
        step.finish();
        face.notice(&Notice::PruneCosts(&planned));
        confirm_if_possible(face, false, &Question::CollectGarbage)?;
    }
    let step = Step::start(face, Activity::Prune)?;
    let summary = run::run(repo, options, &step).map_err(|e| match e {
        Error::Store(StoreError::NoSpace { ref object }) if !object.is_of_this_machine() => {
            Failure::from(Cause::NothingFreed { error: Arc::new(e) })
        }
        e => e.into(),
    })?;
    let problems = step.finish();
    Ok(CollectedGarbage { summary, problems })
}
