//! The job `restore`: files back from one snapshot, which is read from the nearest replica that has it.

mod deleted;
mod place;

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
pub use deleted::Deleted;
use deleted::Lenient;
use engine::backup::OwnPlaces;
use engine::monitor::{Monitor, Problem, ProblemKind};
use engine::problem::RestoreProblem;
use engine::repo::{self, Repo};
use engine::restore as run;
pub use engine::restore::{Overwrite, Patterns, Permissions, Summary};
use jiff::Timestamp;
pub use place::RestorePlace;
use std::path::{Path, PathBuf};

/// What to restore, where to, and what to do with what is there.
#[derive(Clone, Debug)]
pub struct Request {
    pub spec: SnapshotSpec,
    pub among: Among,
    pub target: RestorePlace,
    pub include: Patterns,
    pub exclude: Patterns,
    /// Also restore what was deleted since then, each file from the newest snapshot that holds it.
    pub deleted_since: Option<Timestamp>,
    /// Delete what is in the target and not in the snapshot.
    pub delete: bool,
    pub overwrite: Overwrite,
    pub permissions: Permissions,
    /// Names or URLs of replicas to read from what the first has lost, or everything if it is away.
    pub also: Vec<String>,
    pub verify: bool,
    /// Change large files that are there rather than write new ones.
    pub in_place: bool,
    pub dry_run: bool,
}

/// What was, or would be, restored.
pub struct Report {
    pub summary: Summary,
    pub snapshot: Chosen,
    pub target: PathBuf,
    /// What of it had been deleted before the snapshot was made.
    pub deleted: Deleted,
    pub problems: ProblemCounts,
}

impl Report {
    pub fn status(&self) -> Status {
        self.problems.status().max(self.snapshot.status)
    }
}

pub fn run(context: &Context, request: &Request, face: &dyn Face) -> Result<Report, Failure> {
    let target = request.target.folder(&context.env)?;
    let sources = request.spec.subpath.iter().chain(&request.spec.paths);
    let job = JobInfo {
        sources: sources.map(|path| path.to_string_lossy().into_owned()).collect(),
        target: Some(shown_path(&target)),
        ..JobInfo::of(JobKind::Restore)
    };
    recorded(
        context,
        (!request.dry_run).then_some(job),
        face,
        |face| perform(context, request, &target, face),
        |report, row| {
            row.files = report.summary.files_restored;
            row.bytes = report.summary.bytes_restored;
            row.snapshot = Some(report.snapshot.id.to_hex());
            report.status()
        },
    )
}

fn perform(context: &Context, request: &Request, target: &Path, face: &dyn Face) -> Result<Report, Failure> {
    let mut options = options(request, target)?;
    let (repo, snapshot) = nearest(context, request, face)?;
    snapshot.tell_others(face);
    if request.target == RestorePlace::Original {
        place::check_original(&snapshot.manifest)?;
    }
    if request.delete {
        options.own = own_places(context, &repo)?;
    }
    let step = Step::start(face, Activity::Restore)?;
    let (mut summary, deleted) = restore(context, &repo, &snapshot, request.deleted_since, &options, &step)?;
    deleted.add_to(&mut summary);
    repo.tell_damage(&step);
    Ok(Report {
        summary,
        snapshot,
        target: target.to_path_buf(),
        deleted,
        problems: step.finish(),
    })
}

/// What the snapshot holds, and what had been deleted before.
fn restore(
    context: &Context,
    repo: &Repo,
    snapshot: &Chosen,
    since: Option<Timestamp>,
    options: &run::RestoreOptions,
    step: &Step<'_>,
) -> Result<(Summary, Deleted), Failure> {
    let Some(since) = since else {
        let summary = run::run(repo, &snapshot.manifest, options, step)?;
        return Ok((summary, Deleted::default()));
    };
    let lenient = Lenient::new(step);
    let mut summary = run::run(repo, &snapshot.manifest, options, &lenient)?;
    let mut unmatched = lenient.unmatched();
    summary.problems = summary.problems.saturating_sub(unmatched.len() as u64);
    let deleted = deleted::restore(context, repo, snapshot, since, options, &mut unmatched, step)?;
    for pattern in unmatched {
        summary.problems += 1;
        step.problem(&Problem {
            path: Vec::new(),
            what: ProblemKind::Restore(RestoreProblem::NoMatch { pattern }),
        });
    }
    Ok((summary, deleted))
}

/// What is not deleted because it is the backup.
pub(crate) fn own_places(context: &Context, repo: &Repo) -> Result<OwnPlaces, Failure> {
    let dirs = context.dirs()?;
    let named = context.settings.remotes.iter().map(|remote| remote.url.clone());
    let urls: Vec<String> = named.chain([repo.location()]).collect();
    let local = urls.iter().filter_map(|url| repo::local_path(url));
    Ok(OwnPlaces {
        repositories: local.map(Path::to_path_buf).collect(),
        local: vec![dirs.cache, dirs.state],
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

fn options(request: &Request, target: &Path) -> Result<run::RestoreOptions, Failure> {
    if target.as_os_str().is_empty() {
        return Err(Cause::EmptyTarget.into());
    }
    let paths = request.spec.paths.iter().map(|path| absolute(path));
    let mut paths = paths.collect::<Result<Vec<_>, _>>()?;
    let mut subpath = request.spec.subpath.as_deref().map(from_root);
    if request.target == RestorePlace::Original && paths.is_empty() {
        // It goes back where it was, not into the root.
        paths.extend(subpath.take());
    }
    Ok(run::RestoreOptions {
        subpath: subpath.filter(|_| request.target != RestorePlace::Original),
        paths,
        exclude: request.exclude.clone(),
        include: request.include.clone(),
        delete: request.delete,
        overwrite: request.overwrite,
        permissions: request.permissions,
        verify: request.verify,
        in_place: request.in_place,
        dry_run: request.dry_run,
        ..run::RestoreOptions::new(target)
    })
}
