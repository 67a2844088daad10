//! The job `restore`: files back from one snapshot, which is read from the nearest replica that has it.

use crate::catalogue::Cause;
use crate::context::Context;
use crate::face::{Activity, Face, Notice, ProblemCounts, Step};
use crate::failure::Failure;
use crate::history::record::recorded;
use crate::history::{JobInfo, JobKind, shown_path};
use crate::listing::{self, Among, Chosen};
use crate::paths::{SnapshotSpec, absolute, from_root};
use crate::resolve::{self, Location};
use crate::status::Status;
use engine::repo::{self, Repo};
use engine::restore as run;
use engine::restore::Patterns;
pub use engine::restore::{Overwrite, Permissions, Summary};
use std::path::PathBuf;

/// What to restore, where to, and what to do with what is there.
#[derive(Clone, Debug)]
pub struct Request {
    pub spec: SnapshotSpec,
    pub among: Among,
    pub target: PathBuf,
    pub include: Vec<String>,
    pub exclude: Vec<String>,
    pub overwrite: Overwrite,
    pub permissions: Permissions,
    /// Names or URLs of replicas to read from what the first has lost, or everything if it is away.
    pub also: Vec<String>,
    pub verify: bool,
    pub dry_run: bool,
}

/// What was, or would be, restored.
pub struct Report {
    pub summary: Summary,
    pub snapshot: Chosen,
    pub problems: ProblemCounts,
}

impl Report {
    pub fn status(&self) -> Status {
        self.problems.status().max(self.snapshot.status)
    }
}

pub fn run(context: &Context, request: &Request, face: &dyn Face) -> Result<Report, Failure> {
    let sources = request.spec.subpath.iter().chain(&request.spec.paths);
    let job = JobInfo {
        sources: sources.map(|path| path.to_string_lossy().into_owned()).collect(),
        target: Some(shown_path(&request.target)),
        ..JobInfo::of(JobKind::Restore)
    };
    recorded(
        context,
        (!request.dry_run).then_some(job),
        face,
        |face| perform(context, request, face),
        |report, row| {
            row.files = report.summary.files_restored;
            row.bytes = report.summary.bytes_restored;
            row.snapshot = Some(report.snapshot.id.to_hex());
            report.status()
        },
    )
}

fn perform(context: &Context, request: &Request, face: &dyn Face) -> Result<Report, Failure> {
    let options = options(request)?;
    let (repo, snapshot) = nearest(context, request, face)?;
    let step = Step::start(face, Activity::Restore)?;
    let summary = run::run(&repo, &snapshot.manifest, &options, &step)?;
    repo.tell_damage(&step);
    Ok(Report {
        summary,
        snapshot,
        problems: step.finish(),
    })
}

/// The first of the replicas, in the order in which they were named, that can be opened and has the snapshot. It reads
/// from the others what it lacks, and then from those that have names.
fn nearest(context: &Context, request: &Request, face: &dyn Face) -> Result<(Repo, Chosen), Failure> {
    let mut places = vec![(String::new(), context.location()?)];
    for name in &request.also {
        places.push((name.clone(), context.remote(name)?));
    }
    let mut failures = Vec::new();
    for (number, (_, place)) in places.iter().enumerate() {
        let found = context.open_at(place, face).and_then(|repo| {
            let chosen = listing::choose_for(context, &repo, &request.spec, &request.among, face)?;
            Ok((repo, chosen))
        });
        match found {
            Ok((repo, chosen)) => {
                for failure in &failures {
                    face.notice(&Notice::PartFailed(failure));
                }
                if number > 0 {
                    face.notice(&Notice::RestoringFrom(&repo.location()));
                }
                let others = others(context, &places, &resolve::absolute(&place.url)?);
                return Ok((repo.or_from(others), chosen));
            }
            Err(failure) => failures.push(failure),
        }
    }
    Err(failures.swap_remove(0))
}

/// Names and places of the replicas to turn to. A remote with a name that is no replica is passed over when it is.
fn others(context: &Context, places: &[(String, Location)], chosen: &str) -> Vec<(String, String)> {
    let asked = places
        .iter()
        .map(|(name, place)| (name.clone(), place.url.clone()));
    let named = context.settings.remotes.iter();
    let named = named.map(|remote| (remote.name.clone(), remote.url.clone()));
    let mut others: Vec<(String, String)> = Vec::new();
    for (name, url) in asked.chain(named) {
        if url != chosen && !others.iter().any(|(_, known)| *known == url) {
            let name = if name.is_empty() { repo::shown(&url) } else { name };
            others.push((name, url));
        }
    }
    others
}

fn options(request: &Request) -> Result<run::RestoreOptions, Failure> {
    let patterns = |list: &[String]| Patterns {
        patterns: list.to_vec(),
        ..Patterns::default()
    };
    if request.target.as_os_str().is_empty() {
        return Err(Cause::EmptyTarget.into());
    }
    let paths = request.spec.paths.iter().map(|path| absolute(path));
    Ok(run::RestoreOptions {
        subpath: request.spec.subpath.as_deref().map(from_root),
        paths: paths.collect::<Result<_, _>>()?,
        exclude: patterns(&request.exclude),
        include: patterns(&request.include),
        overwrite: request.overwrite,
        permissions: request.permissions,
        verify: request.verify,
        dry_run: request.dry_run,
        ..run::RestoreOptions::new(&request.target)
    })
}
