//! The job `heal`: mends one replica from others.

use crate::catalogue::Cause;
use crate::context::Context;
use crate::face::{Activity, Face, Notice, Step};
use crate::failure::Failure;
use crate::history::record::recorded;
use crate::history::{JobInfo, JobKind};
use crate::resolve;
use crate::status::Status;
use engine::heal as run;
pub use engine::heal::Healed;
use engine::repo::Repo;
use engine::{Error, StoreError};
use std::path::Path;

#[derive(Clone, Debug)]
pub struct Request {
    /// Names or URLs of replicas; empty for all that have names.
    pub from: Vec<String>,
    /// Read all stored data to find what is damaged.
    pub read_data: bool,
    pub dry_run: bool,
}

/// What was mended, and what stays lost.
#[derive(Debug)]
pub struct Report {
    pub healed: Healed,
}

impl Report {
    pub fn status(&self) -> Status {
        match self.healed.is_whole() {
            true => Status::Completed,
            false if self.healed.is_lacking() => Status::Damaged,
            false => Status::Failed,
        }
    }
}

pub fn run(context: &Context, request: &Request, face: &dyn Face) -> Result<Report, Failure> {
    recorded(
        context,
        (!request.dry_run).then(|| JobInfo::of(JobKind::Heal)),
        face,
        |face| perform(context, request, face),
        |report, _| report.status(),
    )
}

fn perform(context: &Context, request: &Request, face: &dyn Face) -> Result<Report, Failure> {
    let location = context.location()?;
    let options = run::HealOptions {
        read_data: request.read_data,
        dry_run: request.dry_run,
    };
    let repo = context.open_at(&location, face)?;
    let from = sources(context, request, &repo, &resolve::absolute(&location.url)?, face)?;
    let step = Step::start(face, Activity::Heal)?;
    let healed = run::run(&repo, &from, &options, &step)?;
    step.finish();
    Ok(Report { healed })
}

/// The replicas that were named, all of which must be there; or what can be had of those that have names, and of the
/// usual repository.
fn sources(
    context: &Context,
    request: &Request,
    repo: &Repo,
    own: &str,
    face: &dyn Face,
) -> Result<Vec<Repo>, Failure> {
    let mut found = Vec::new();
    for text in &request.from {
        let url = context.remote(text)?.url;
        found.push(repo.open_replica(&url)?);
    }
    if request.from.is_empty() {
        for (name, url) in known(context)? {
            if url == own {
                continue;
            }
            match repo.open_replica(&url) {
                Ok(replica) => found.push(replica),
                // Another repository, which has a name too.
                Err(Error::Store(StoreError::Refused(_))) => {}
                Err(e) => {
                    let failure = Failure::from(e).of(name);
                    face.notice(&Notice::PartFailed(&failure));
                }
            }
        }
    }
    match found.is_empty() {
        true => Err(Cause::NoReplicaToHeal.into()),
        false => Ok(found),
    }
}

/// Names and URLs of what may be a replica.
fn known(context: &Context) -> Result<Vec<(String, String)>, Failure> {
    let location = resolve::usual(&context.env, &context.settings)?;
    let usual = resolve::absolute(&location.url)?;
    let remotes = context.settings.remotes.iter();
    let mut known: Vec<_> = remotes
        .map(|remote| (remote.name.clone(), remote.url.clone()))
        .collect();
    let is_there = !location.embedded || Path::new(&usual).exists();
    if is_there && known.iter().all(|(_, url)| *url != usual) {
        known.push(("the usual repository".to_string(), usual));
    }
    Ok(known)
}
