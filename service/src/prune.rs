//! The job `prune`: a retention policy if one is given, then deleted files that sets keep no longer, then the collection
//! of garbage, whose cost is stated before it is asked for.

use crate::catalogue::{Cause, Question};
use crate::context::Context;
use crate::expire::{self, DeletedFilesRule, Expired};
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
    pub expired: Expired,
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
        row.files = self.expired.files;
        let collected = self.collected.as_ref();
        row.bytes = collected.map_or(0, |collected| collected.summary.bytes_deleted);
        self.status()
    }

    pub fn status(&self) -> Status {
        let collected = self.collected.as_ref().map(|done| done.problems.status());
        let removed = self.removed.status().max(self.expired.status()).max(self.listed);
        removed.max(collected.unwrap_or_default())
    }
}

pub fn run(context: &Context, request: &Request, face: &dyn Face) -> Result<Report, Failure> {
    if request.collection.is_none() && policies(context, request)?.is_empty() {
        return Err(match context.simulate {
            Some(_) => Cause::NoPolicyToSimulate,
            None => Cause::NothingToPrune,
        }
        .into());
    }
    if request.retention.is_none() && !request.filter.is_empty() {
        return Err(Cause::FilterWithoutRule.into());
    }
    if !request.dry_run {
        context.may_remove()?;
    }
    recorded(
        context,
        (!request.dry_run).then(|| JobInfo::of(JobKind::Prune)),
        face,
        |face| perform(context, request, face),
        Report::note,
    )
}

/// What is applied to which snapshots.
#[derive(Default)]
struct Policies {
    retention: Vec<(Retention, Filter)>,
    deleted_files: Vec<DeletedFilesRule>,
    /// How decisions are shown.
    group_by: Vec<GroupKey>,
}

impl Policies {
    fn is_empty(&self) -> bool {
        self.retention.is_empty() && self.deleted_files.is_empty()
    }
}

fn policies(context: &Context, request: &Request) -> Result<Policies, Failure> {
    match &request.retention {
        Some(retention) => Ok(Policies {
            group_by: retention.group_by.clone(),
            retention: vec![(retention.clone(), request.filter.clone())],
            ..Policies::default()
        }),
        None if request.of_sets => of_sets(context),
        None => Ok(Policies::default()),
    }
}

/// The policies of the sets that are saved in this repository, each for the snapshots that this machine made of its set.
fn of_sets(context: &Context) -> Result<Policies, Failure> {
    let url = resolve::absolute(&context.location()?.url)?;
    let settings = &context.settings;
    let is_here = |name: &str| settings.remote(name).is_some_and(|remote| remote.url == url);
    let host = context.host(None)?;
    let mut policies = Policies {
        group_by: vec![GroupKey::Set],
        ..Policies::default()
    };
    for (name, set) in &settings.sets.0 {
        if !set.destinations.iter().any(|name| is_here(&name.get_ref().0)) {
            continue;
        }
        let name = &name.get_ref().0;
        let filter = Filter {
            hosts: vec![host.clone()],
            sets: settings.names_of(name),
            ..Filter::default()
        };
        if let Some(policy) = set.retention.policy()? {
            let retention = Retention {
                policy,
                // Its sources may have changed.
                group_by: Vec::new(),
                tags: Vec::new(),
                allow_empty: false,
            };
            policies.retention.push((retention, filter.clone()));
        }
        if let Some(keep) = set.retention.deleted_files_for() {
            policies.deleted_files.push(DeletedFilesRule {
                set: name.clone(),
                keep,
                keep_tags: set.retention.tags_to_keep().cloned().collect(),
                filter,
            });
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
        expired: Expired::default(),
        collected: None,
        listed: Status::Completed,
    };
    let policies = policies(context, request)?;
    if !policies.is_empty() {
        let decisions = apply(context, request, (&repo, policies), &mut report, face)?;
        if let Some(options) = &mut options {
            options.assume_gone = assumed(&decisions);
        }
    }
    if let Some(options) = &options {
        report.collected = Some(collect(&repo, options, request.yes, face)?);
        if !request.dry_run {
            note_usage(context)?;
        }
    }
    Ok(report)
}

/// Removes what the policies don't keep: snapshots, and deleted files from others.
fn apply(
    context: &Context,
    request: &Request,
    (repo, policies): (&Repo, Policies),
    report: &mut Report,
    face: &dyn Face,
) -> Result<Decisions, Failure> {
    let all = listing::read(context, repo, face)?;
    report.listed = all.status();
    let of = |(retention, filter): &(Retention, Filter)| removal::by_policy(context, &all, retention, filter);
    let each: Vec<_> = policies.retention.iter().map(of).collect();
    let decisions = Decisions {
        all: each.concat(),
        group_by: policies.group_by,
        during: Activity::Prune,
        dry_run: request.dry_run,
    };
    if !policies.retention.is_empty() {
        face.decided(&decisions)?;
    }
    let checked = policies.retention.iter().zip(&each);
    for ((retention, _), decided) in checked.filter(|_| context.simulate.is_none()) {
        removal::check(decided, retention, face)?;
    }
    // First, as snapshots that are removed still say what was there.
    let expiring = expire::find(context, repo, (&all, &policies.deleted_files), &decisions, face)?;
    report.removed = removal::remove(repo, &decisions, request.yes, face)?;
    report.expired = expire::drop_files(repo, &expiring, &all.snapshots, request.yes, face)?;
    Ok(decisions)
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
