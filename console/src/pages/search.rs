//! Search for files by name in all snapshots of a repository: each path once, with its versions.

use super::{Moment, shown, size, stamp};
use crate::browse::{self, Spot};
use crate::fields::encoded;
use crate::reply::{self, answer};
use crate::visit::{Frame, Visit};
use askama::Template;
use axum::response::Response;
use service::catalogue::Lang;
use service::catalogue::report::console::Labels;
use service::entry::Kind;
use service::find::{self, FindQuery};
use service::monitor::Quiet;
use service::{Context, Error, Failure, text};
use std::collections::BTreeMap;

/// Paths that are shown.
const PATHS_MAX: usize = 200;
/// Versions of one path.
const VERSIONS_MAX: usize = 20;

#[derive(Template)]
#[template(path = "search.html")]
struct SearchPage {
    f: Frame,
    query: String,
    remote: String,
    found: Vec<FoundPath>,
    has_more: bool,
}

struct FoundPath {
    path: String,
    /// All its versions.
    rail: Option<String>,
    versions: Vec<VersionView>,
    is_dir: bool,
}

struct VersionView {
    snapshot: String,
    /// When its snapshot was made.
    made: Moment,
    changed: Option<Moment>,
    size: String,
    value: String,
    folder: String,
    preview: Option<String>,
    download: Option<String>,
}

/// As a snapshot has it.
#[derive(Clone, PartialEq, Eq)]
struct Version {
    snapshot: String,
    made: jiff::Timestamp,
    secs: i64,
    nanos: u32,
    size: u64,
    is_dir: bool,
    is_file: bool,
}

pub async fn page(visit: Visit) -> Response {
    answer(visit, search).await
}

fn search(visit: &Visit, context: &Context, lang: Lang) -> Result<Response, Failure> {
    let query = visit.query.text("q").unwrap_or_default().trim().to_string();
    let mut spot = Spot::of(&visit.query);
    if spot.remote.is_empty() {
        spot.remote = browse::remotes(context).into_iter().next().unwrap_or_default();
    }
    let mut page = SearchPage {
        f: visit.frame_in(Some(context), lang, "restore", Labels(lang).search_results()),
        query: query.clone(),
        remote: spot.remote.clone(),
        found: Vec::new(),
        has_more: false,
    };
    if query.is_empty() {
        return reply::page(&page);
    }
    let (found, has_more) = find(visit, context, &spot, &query)?;
    page.has_more = has_more;
    page.found = found
        .into_iter()
        .map(|(path, versions)| shown_path(context, lang, &spot, &path, versions))
        .collect();
    reply::page(&page)
}

type Versions = BTreeMap<Vec<u8>, Vec<Version>>;

fn find(visit: &Visit, context: &Context, spot: &Spot, query: &str) -> Result<(Versions, bool), Failure> {
    let is_pattern = query.contains(['*', '?', '[', '/']);
    let pattern = match is_pattern {
        true => query.to_string(),
        false => format!("*{query}*"),
    };
    let wanted = FindQuery::new(&[pattern], true)?;
    let repo = visit.app.open(&spot.remote)?;
    let mut snapshots = browse::outlines(context, &repo)?.snapshots;
    // What was there last is looked for most.
    snapshots.reverse();
    let reader = repo.reader(&Quiet);
    let (mut found, mut has_more) = (Versions::new(), false);
    let searched = find::find(
        &repo,
        &reader,
        &snapshots,
        &wanted,
        &mut |snapshot, path, entry| {
            if found.len() == PATHS_MAX && !found.contains_key(path) {
                has_more = true;
                return Err(Error::Interrupted);
            }
            let version = Version {
                snapshot: snapshot.id.to_hex(),
                made: snapshot.manifest.time(),
                secs: entry.meta.mtime.secs,
                nanos: entry.meta.mtime.nanos,
                size: entry.meta.size,
                is_dir: entry.kind == Kind::Dir,
                is_file: entry.kind == Kind::File,
            };
            let versions = found.entry(path.to_vec()).or_default();
            let is_same = |known: &Version| {
                (known.secs, known.nanos, known.size, known.is_dir)
                    == (version.secs, version.nanos, version.size, version.is_dir)
            };
            // The newest snapshot that has a version stands for it.
            if !versions.iter().any(is_same) && versions.len() < VERSIONS_MAX {
                versions.push(version);
            }
            Ok(())
        },
    );
    match searched {
        Err(Error::Interrupted) if has_more => {}
        searched => searched?,
    }
    Ok((found, has_more))
}

fn shown_path(context: &Context, lang: Lang, spot: &Spot, path: &[u8], versions: Vec<Version>) -> FoundPath {
    let path = text::absolute(path);
    let is_dir = versions.first().is_some_and(|version| version.is_dir);
    let folder = match is_dir {
        true => path.clone(),
        false => browse::clean(&[path.as_slice(), b"/.."].concat()),
    };
    let remote = encoded(spot.remote.as_bytes());
    let newest = versions.first().filter(|_| !is_dir);
    let rail = newest.map(|version| {
        let there = Spot {
            snapshot: version.snapshot.clone(),
            ..spot.clone()
        };
        there.link("/restore/versions", &path)
    });
    let views = versions.into_iter().map(|version| {
        let to = |page: &str, path: &[u8]| {
            format!(
                "{page}?remote={remote}&snapshot={}&path={}",
                version.snapshot,
                encoded(path)
            )
        };
        let kind = if version.is_dir { 'd' } else { 'f' };
        let mtime = service::entry::Time {
            secs: version.secs,
            nanos: version.nanos,
        };
        VersionView {
            made: Moment::ago(lang, version.made, &context.now),
            changed: stamp(mtime).map(|at| Moment::ago(lang, at, &context.now)),
            size: if version.is_file {
                size(version.size)
            } else {
                String::new()
            },
            value: format!("{kind}{}", encoded(&path)),
            folder: to("/restore", &folder),
            preview: version.is_file.then(|| to("/preview", &path)),
            download: (version.is_file || version.is_dir).then(|| to("/download", &path)),
            snapshot: version.snapshot,
        }
    });
    FoundPath {
        versions: views.collect(),
        rail,
        path: shown(&path),
        is_dir,
    }
}
