//! The job `replicate`: brings replicas up to the repository, each on a thread of its own.

use crate::catalogue::Cause;
use crate::context::Context;
use crate::face::{Activity, Face, Step};
use crate::failure::Failure;
use crate::following::{self, Follower};
use crate::history::record::recorded;
use crate::history::{DestinationRow, JobInfo, JobKind};
use crate::log::LogLevel;
use crate::resolve;
use crate::status::Status;
use engine::machines;
pub use engine::replicate::Replicated;
use engine::replicate::{self as run, Noted, ReplicateOptions};
use engine::repo::Repo;
use engine::{Error, StoreError};
use serde_json::json;

#[derive(Clone, Debug)]
pub struct Request {
    /// Names or URLs of replicas; empty for all that have names.
    pub to: Vec<String>,
    /// Bring also what a replica has removed, and what is older than what it has.
    pub all: bool,
    pub dry_run: bool,
}

/// What became of one replica.
#[derive(Debug)]
pub struct ReplicaReport {
    pub name: String,
    pub done: Replicated,
    /// What machines recorded about themselves, that came with it.
    pub records: usize,
    /// Why some of that did not come: nothing depends on it.
    records_failed: Option<Failure>,
    pub failure: Option<Failure>,
}

impl ReplicaReport {
    fn row(&self) -> DestinationRow {
        DestinationRow::of(&self.name, self.done.behind, self.failure.as_ref())
    }
}

#[derive(Debug)]
pub struct Report {
    pub replicas: Vec<ReplicaReport>,
    dry_run: bool,
}

impl Report {
    /// Damage first, then the status of a single failure, and else that it was done in part.
    pub fn status(&self) -> Status {
        let replicas = &self.replicas;
        let mut failures = replicas.iter().filter_map(|one| one.failure.as_ref());
        if replicas.iter().any(|one| one.done.damaged > 0) {
            return Status::Damaged;
        }
        if replicas.iter().any(|one| one.done.unread > 0) {
            return Status::Failed;
        }
        match (failures.next(), replicas.len()) {
            (Some(failure), 1) => failure.status,
            (Some(_), _) => Status::Incomplete,
            _ if !self.dry_run && replicas.iter().any(|one| one.done.behind > 0) => Status::Incomplete,
            _ => Status::Completed,
        }
    }
}

/// One replica to be brought up to date.
struct Target {
    name: String,
    url: String,
    /// It was asked for, not just found among those that have names.
    named: bool,
}

pub fn run(context: &Context, request: &Request, face: &dyn Face) -> Result<Report, Failure> {
    recorded(
        context,
        (!request.dry_run).then(|| JobInfo::of(JobKind::Replicate)),
        face,
        |face| perform(context, request, face),
        |report, row| {
            row.destinations = report.replicas.iter().map(ReplicaReport::row).collect();
            report.status()
        },
    )
}

fn perform(context: &Context, request: &Request, face: &dyn Face) -> Result<Report, Failure> {
    let location = context.location()?;
    let url = resolve::absolute(&location.url)?;
    let targets = targets(context, request, &url)?;
    let options = ReplicateOptions {
        all: request.all,
        dry_run: request.dry_run,
    };
    let first = context.open_while(&location, &context.run_within_quotas()?, face, &mut || Ok(()))?;
    let step = Step::start(face, Activity::Replicate)?;
    let of = following::option_for(&context.settings, &location, &url);
    let replicas = std::thread::scope(|scope| {
        let one = |target| {
            let (first, options, step) = ((&first, of.as_deref()), &options, &step);
            let thread = std::thread::Builder::new().name("replica".to_string());
            thread.spawn_scoped(scope, move || bring(first, target, options, step))
        };
        let started: Vec<_> = targets.into_iter().map(one).collect();
        let joined = started.into_iter().map(|one| {
            let failed = |e: std::io::Error| Cause::NoThread { why: e.into() };
            // A panic has been printed by its thread.
            Ok(one.map_err(failed)?.join().ok().flatten())
        });
        let replicas = joined.filter_map(Result::transpose);
        replicas.collect::<Result<Vec<ReplicaReport>, Failure>>()
    })?;
    step.finish();
    for one in &replicas {
        if let Some(failure) = &one.records_failed {
            let fields = json!({ "remote": one.name, "why": failure.message() });
            context.log().add(LogLevel::Info, "machine-not-recorded", fields);
        }
    }
    let dry_run = request.dry_run;
    Ok(Report { replicas, dry_run })
}

fn targets(context: &Context, request: &Request, first: &str) -> Result<Vec<Target>, Failure> {
    let mut targets = Vec::new();
    for text in &request.to {
        targets.push(Target {
            name: text.clone(),
            url: context.remote(text)?.url,
            named: true,
        });
    }
    if request.to.is_empty() {
        let others = context
            .settings
            .remotes
            .iter()
            .filter(|remote| remote.url != first);
        targets.extend(others.map(|remote| Target {
            name: remote.name.clone(),
            url: remote.url.clone(),
            named: false,
        }));
    }
    match targets.is_empty() {
        true => Err(Cause::NoOtherRemote.into()),
        false => Ok(targets),
    }
}

/// Nothing for one that is no replica and was not asked for. `of` is what `-r` names the first by.
fn bring(
    (first, of): (&Repo, Option<&str>),
    target: Target,
    options: &ReplicateOptions,
    step: &Step<'_>,
) -> Option<ReplicaReport> {
    let mut done = Replicated::default();
    let mut records = Ok(0);
    let brought = first.open_replica(&target.url).and_then(|to| {
        let run = run::run(first, &to, options, step, &mut done);
        let (behind, reached) = (done.behind, first.run().now_secs());
        run::note(&first.run().dirs, &target.url, &Noted { behind, reached })?;
        run?;
        if !options.dry_run {
            records = machines::carry(first, &to);
        }
        // What was made there when the first could not be reached.
        run::repay(&to, first, options, step, &mut Replicated::default())
    });
    let failure = match brought {
        Err(Error::Refused(_) | Error::Store(StoreError::Refused(_))) if !target.named => return None,
        Err(e) => {
            let (name, url) = (target.name.as_str(), target.url.as_str());
            Some(Follower { of, name, url }.explained(&first.run().dirs, e.into()))
        }
        Ok(()) => None,
    };
    let (records, records_failed) = match records {
        Ok(records) => (records, None),
        Err(e) => (0, Some(e.into())),
    };
    Some(ReplicaReport {
        name: target.name,
        done,
        records,
        records_failed,
        failure,
    })
}
