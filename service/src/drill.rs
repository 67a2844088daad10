//! The job `drill`: proves that files can be restored, by restoring a random sample, or everything, into a scratch folder.
//! What was restored is compared with the snapshot and with the files on this machine, and removed.

use crate::context::Context;
use crate::face::{Activity, Face, ProblemCounts, Step};
use crate::failure::Failure;
use crate::history::record::recorded;
use crate::history::{HistoryRow, JobInfo, JobKind};
use crate::listing::{self, Among, Chosen};
use crate::resolve::{self, RepositoryOptions};
use crate::status::Status;
use engine::drill as run;
pub use engine::drill::{DrillReport, Sample};
use engine::repo::Repo;
use engine::select::Filter;
use std::ffi::OsString;
use std::path::PathBuf;

/// The folder below the cache and the state directory.
const FOLDER: &str = "drill";
/// The folder below one that the user names.
const NAMED_FOLDER: &str = "dedup-drill";

#[derive(Clone, Debug, Default)]
pub struct Request {
    /// A set, of which the newest snapshot is meant, or a snapshot. Without one, the newest snapshot of each set that is
    /// saved in the repository, or else the newest.
    pub what: Option<String>,
    /// Which files; without it, everything of what was named, and otherwise a few.
    pub sample: Option<Sample>,
    /// Where files are restored; otherwise below the cache or the state directory.
    pub scratch: Option<PathBuf>,
}

/// What was found.
#[derive(Debug)]
pub struct Report {
    pub drilled: Vec<DrilledSnapshot>,
    pub problems: ProblemCounts,
    listed: Status,
}

/// A snapshot of which files were restored.
#[derive(Debug)]
pub struct DrilledSnapshot {
    pub set: Option<String>,
    pub snapshot: Chosen,
    pub found: DrillReport,
}

impl Report {
    pub fn status(&self) -> Status {
        self.problems.status().max(self.listed)
    }

    /// Completes its row in the history, and returns its status.
    pub(crate) fn note(&self, row: &mut HistoryRow) -> Status {
        row.files = self.drilled.iter().map(|one| one.found.files).sum();
        row.bytes = self.drilled.iter().map(|one| one.found.bytes).sum();
        if let [only] = &self.drilled[..] {
            row.snapshot = Some(only.snapshot.id.to_hex());
        }
        let is_whole = self.drilled.iter().all(|one| one.found.different == 0);
        row.proves = is_whole && self.status() == Status::Incomplete;
        let paths = self.drilled.iter().flat_map(|one| &one.snapshot.manifest.paths);
        row.name_sources(paths.map(|path| String::from_utf8_lossy(path).into_owned()));
        self.status()
    }
}

pub fn run(context: &Context, request: &Request, face: &dyn Face) -> Result<Report, Failure> {
    let set = request.what.as_deref();
    let set = set.and_then(|name| Some((name, context.settings.set(name)?)));
    match set {
        // A set knows where it is saved.
        Some((_, table)) if !context.options.names_repository() => {
            let first = table
                .destinations
                .first()
                .map(|name| OsString::from(&name.get_ref().0));
            let options = RepositoryOptions {
                repo: first,
                ..context.options.clone()
            };
            let there = context.for_job(options, context.now.clone(), context.cancel().child());
            record(&there, request, face)
        }
        _ => record(context, request, face),
    }
}

fn record(context: &Context, request: &Request, face: &dyn Face) -> Result<Report, Failure> {
    recorded(
        context,
        Some(JobInfo::of(JobKind::Drill)),
        face,
        |face| perform(context, request, face),
        Report::note,
    )
}

/// The same without a row in the history.
pub(crate) fn perform(context: &Context, request: &Request, face: &dyn Face) -> Result<Report, Failure> {
    let repo = context.open(face)?;
    let usual = match request.what {
        Some(_) => Sample::All,
        None => Sample::Usual,
    };
    let options = run::DrillOptions {
        sample: request.sample.unwrap_or(usual),
        scratch: scratch(context, request)?,
    };
    let chosen = chosen(context, &repo, request, face)?;
    let mut report = Report {
        drilled: Vec::new(),
        problems: ProblemCounts::default(),
        listed: Status::Completed,
    };
    let step = Step::start(face, Activity::Drill)?;
    for (set, snapshot) in chosen {
        let found = run::run(&repo, &snapshot.manifest, &options, &step)?;
        report.listed = report.listed.max(snapshot.status);
        report.drilled.push(DrilledSnapshot { set, snapshot, found });
    }
    repo.tell_damage(&step);
    report.problems = step.finish();
    Ok(report)
}

fn scratch(context: &Context, request: &Request) -> Result<Vec<PathBuf>, Failure> {
    Ok(match &request.scratch {
        Some(named) => vec![named.join(NAMED_FOLDER)],
        None => {
            let dirs = context.dirs()?;
            vec![dirs.cache.join(FOLDER), dirs.state.join(FOLDER)]
        }
    })
}

/// The snapshots of which files are restored, and their sets.
fn chosen(
    context: &Context,
    repo: &Repo,
    request: &Request,
    face: &dyn Face,
) -> Result<Vec<(Option<String>, Chosen)>, Failure> {
    let host = context.host(None)?;
    let of_set = |name: &str| Among {
        at: None,
        filter: Filter {
            hosts: vec![host.clone()],
            sets: context.settings.names_of(name),
            ..Filter::default()
        },
    };
    match request.what.as_deref() {
        Some(name) if context.settings.set(name).is_some() => {
            let snapshot = listing::choose(context, repo, "latest", &of_set(name), face)?;
            Ok(vec![(Some(name.to_string()), snapshot)])
        }
        Some(text) => {
            let snapshot = listing::choose(context, repo, text, &Among::default(), face)?;
            Ok(vec![(None, snapshot)])
        }
        None => {
            let mut all = listing::read_outlines(context, repo, face)?;
            let mut found = Vec::new();
            for name in saved_here(context)? {
                let among = of_set(&name);
                if !among.filter.matching(&all.facts).is_empty() {
                    let snapshot = listing::choose_of(&mut all, repo, "latest", &among, face)?;
                    found.push((Some(name), snapshot));
                }
            }
            if found.is_empty() {
                let any = Among::default();
                let newest = listing::choose_of(&mut all, repo, "latest", &any, face)?;
                found.push((None, newest));
            }
            Ok(found)
        }
    }
}

/// The sets that are saved in this repository.
fn saved_here(context: &Context) -> Result<Vec<String>, Failure> {
    let url = resolve::absolute(&context.location()?.url)?;
    let settings = &context.settings;
    let is_here = |name: &str| settings.remote(name).is_some_and(|remote| remote.url == url);
    let sets = settings.sets.0.iter();
    let here = sets.filter(|(_, set)| set.destinations.iter().any(|name| is_here(&name.get_ref().0)));
    Ok(here.map(|(name, _)| name.get_ref().0.clone()).collect())
}
