//! The job `tag --on`: tags of files and directories, which they have in all snapshots of their host.

use crate::catalogue::BrowseCause;
use crate::context::Context;
use crate::face::{Activity, Face, Step};
use crate::failure::Failure;
use crate::history::record::recorded;
use crate::history::{JobInfo, JobKind};
use crate::status::Status;
use crate::text;
use engine::path_tags::{self as run, PathTagChange};
pub use engine::path_tags::{PathTagEdit, PathTags};
use engine::repo::Repo;

#[derive(Clone, Debug)]
pub struct Request {
    /// Absolute.
    pub paths: Vec<Vec<u8>>,
    /// Whose paths they are; without one, this machine's.
    pub host: Option<String>,
    /// What becomes of the tags of each path.
    pub change: PathTagEdit,
    pub dry_run: bool,
}

/// A path and its tags.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TaggedPath {
    pub host: String,
    pub path: Vec<u8>,
    pub tags: Vec<String>,
}

#[derive(Debug)]
pub struct Report {
    /// Every path that was asked for, as it is now.
    pub paths: Vec<TaggedPath>,
    pub changed: u64,
}

/// All tags of paths.
pub fn read(repo: &Repo) -> Result<PathTags, Failure> {
    Ok(PathTags::read(repo)?)
}

/// The paths that have all tags of any of the lists; all that are tagged for no list. With hosts, only theirs.
pub fn list(tags: &PathTags, lists: &[Vec<String>], hosts: &[String]) -> Vec<TaggedPath> {
    let paths = tags.paths(lists).into_iter();
    let here = paths.filter(|(host, _)| hosts.is_empty() || hosts.iter().any(|wanted| wanted == host));
    here.map(|(host, path)| tagged(tags, host, path)).collect()
}

/// The tags of an entry, whose path is relative to `/`. There may be millions, and mostly no tags.
pub fn of_entry<'t>(tags: &'t PathTags, host: &str, path: &[u8]) -> Vec<&'t str> {
    match tags.is_empty() {
        true => Vec::new(),
        false => tags.of(host, &text::absolute(path)),
    }
}

fn tagged(tags: &PathTags, host: &str, path: &[u8]) -> TaggedPath {
    TaggedPath {
        host: host.to_string(),
        path: path.to_vec(),
        tags: tags.of(host, path).into_iter().map(String::from).collect(),
    }
}

pub fn change(context: &Context, request: &Request, face: &dyn Face) -> Result<Report, Failure> {
    let names = request.paths.iter();
    let names = names.map(|path| String::from_utf8_lossy(path).into_owned());
    let job = JobInfo {
        sources: names.collect(),
        ..JobInfo::of(JobKind::Tag)
    };
    recorded(
        context,
        (!request.dry_run).then_some(job),
        face,
        |face| perform(context, request, face),
        |_, _| Status::Completed,
    )
}

fn perform(context: &Context, request: &Request, face: &dyn Face) -> Result<Report, Failure> {
    let host = match &request.host {
        Some(host) => host.clone(),
        None => context.host(None)?,
    };
    let repo = context.open(face)?;
    let step = Step::start(face, Activity::Tag)?;
    let one = |path: &Vec<u8>| PathTagChange {
        host: host.clone(),
        path: path.clone(),
        edit: request.change.clone(),
    };
    let changes: Vec<PathTagChange> = request.paths.iter().map(one).collect();
    let (after, changed) = run::change(&repo, &changes, context.now.timestamp(), request.dry_run)?;
    step.finish();
    let paths = request.paths.iter().map(|path| tagged(&after, &host, path));
    Ok(Report {
        paths: paths.collect(),
        changed,
    })
}

/// Tags without which a search has nothing to look for.
pub fn nothing_tagged(lists: &[Vec<String>]) -> Failure {
    let lists: Vec<String> = lists.iter().map(|list| list.join(",")).collect();
    let tags = lists.join(" ");
    BrowseCause::NoPathTagged { tags }.into()
}
