//! Restore, time first: a calendar of the snapshots, the tree as it was at one of them, and the basket, which keeps what
//! was picked while the date changes.

use super::calendar::{self, Calendar};
use super::{Moment, shown, size};
use crate::browse::{self, Spot};
use crate::fields::encoded;
use crate::guard::Visit;
use crate::reply::{self, Frame, answer, own_place, see_other};
use crate::sessions::Picked;
use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use percent_encoding::percent_decode_str;
use service::catalogue::Lang;
use service::catalogue::report::console::{self as texts, Labels};
use service::entry::{Entry, Kind, Time};
use service::facts::SnapshotInfo;
use service::manifest::Manifest;
use service::repo::Repo;
use service::{Context, Failure, text};

/// Entries that are sent at once; more are loaded when somebody comes to the end.
const ROWS: usize = 500;
/// Folders below one in the tree.
const FOLDERS: usize = 500;
/// Entries among which they are looked for.
const LOOKED_AT: usize = 20_000;

#[derive(Template)]
#[template(path = "restore.html")]
struct RestorePage {
    f: Frame,
    remote: String,
    remotes: Vec<RemoteLink>,
    found: Option<Found>,
    basket: Vec<BasketRow>,
    basket_title: String,
    is_full: bool,
}

struct RemoteLink {
    words: String,
    to: String,
    is_current: bool,
}

/// A snapshot and one of its folders.
struct Found {
    calendar: Calendar,
    of_day: Vec<SnapshotLink>,
    snapshot: String,
    as_of: String,
    crumbs: Vec<Crumb>,
    roots: Vec<Folder>,
    rows: Vec<Row>,
    more: Option<String>,
    up: Option<String>,
    download: String,
}

struct SnapshotLink {
    words: String,
    hint: String,
    to: String,
    is_current: bool,
}

struct Crumb {
    name: String,
    to: String,
}

struct Folder {
    name: String,
    to: String,
    /// Where its own folders are loaded from.
    tree: String,
}

struct Row {
    name: String,
    full: String,
    value: String,
    is_dir: bool,
    to: Option<String>,
    download: Option<String>,
    changed: Option<Moment>,
    size: String,
    problem: bool,
}

#[derive(Template)]
#[template(path = "tree_part.html")]
struct TreePart {
    f: Frame,
    folders: Vec<Folder>,
}

#[derive(Template)]
#[template(path = "rows_part.html")]
struct RowsPart {
    f: Frame,
    rows: Vec<Row>,
    more: Option<String>,
}

/// A path in the basket.
pub struct BasketRow {
    pub path: String,
    pub time: String,
    pub nr: usize,
    pub is_dir: bool,
}

pub fn basket(visit: &Visit) -> Vec<BasketRow> {
    let Some(session) = &visit.session else {
        return Vec::new();
    };
    session
        .basket()
        .iter()
        .enumerate()
        .map(|(nr, picked)| BasketRow {
            path: shown(&picked.path),
            time: picked.time.clone(),
            nr,
            is_dir: picked.is_dir,
        })
        .collect()
}

pub fn link(page: &str, spot: &Spot, path: &[u8]) -> String {
    format!(
        "{page}?remote={}&snapshot={}&path={}",
        encoded(spot.remote.as_bytes()),
        spot.snapshot,
        encoded(path)
    )
}

pub async fn page(visit: Visit) -> Response {
    answer(visit, restore).await
}

fn restore(visit: &Visit, context: &Context, lang: Lang) -> Result<Response, Failure> {
    let mut spot = Spot::of(&visit.query);
    let names = browse::remotes(context);
    if spot.remote.is_empty() {
        spot.remote = names.first().cloned().unwrap_or_default();
    }
    let repo = visit.app.repos.open(&visit.app, &spot.remote)?;
    let listing = browse::snapshots(context, &repo)?;
    let newest = browse::newest_first(&listing);
    let remotes = names.iter().map(|name| RemoteLink {
        words: if name.is_empty() {
            repo.location()
        } else {
            name.clone()
        },
        to: format!("/restore?remote={}", encoded(name.as_bytes())),
        is_current: *name == spot.remote,
    });
    let basket = basket(visit);
    let page = RestorePage {
        f: visit.frame_in(Some(context), lang, "restore", Labels(lang).restore()),
        remotes: remotes.collect(),
        found: found(visit, context, lang, &repo, &mut spot, &newest)?,
        remote: spot.remote,
        basket_title: texts::basket_items(lang, basket.len() as u64),
        basket,
        is_full: visit.query.text("full").is_some(),
    };
    reply::page(&page)
}

/// The snapshot that was asked for, or else the newest of the day or of all.
fn chosen<'a>(
    visit: &Visit,
    spot: &Spot,
    newest: &[&'a SnapshotInfo],
    zone: &TimeZone,
) -> Option<&'a SnapshotInfo> {
    let of_day = || {
        let day: Date = visit.query.text("day")?.parse().ok()?;
        newest.iter().find(|facts| local(facts.time, zone).date() == day)
    };
    let by_id = newest.iter().find(|facts| facts.id.to_hex() == spot.snapshot);
    by_id.or_else(of_day).or(newest.first()).copied()
}

pub fn local(at: Timestamp, zone: &TimeZone) -> Zoned {
    at.to_zoned(zone.clone())
}

fn found(
    visit: &Visit,
    context: &Context,
    lang: Lang,
    repo: &Repo,
    spot: &mut Spot,
    newest: &[&SnapshotInfo],
) -> Result<Option<Found>, Failure> {
    let zone = context.now.time_zone();
    let Some(facts) = chosen(visit, spot, newest, zone) else {
        return Ok(None);
    };
    spot.snapshot = facts.id.to_hex();
    let manifest = repo.manifest(facts.id)?;
    // A path of another day may not be there: then its sources.
    let is_there = visit.query.bytes("path").is_some()
        && matches!(
            browse::entry(repo, &manifest, &spot.path)?,
            Some(Entry { kind: Kind::Dir, .. })
        )
        || spot.path == b"/" && visit.query.bytes("path").is_some();
    let top = sources_folder(repo, &manifest)?;
    if !is_there {
        spot.path = top.clone();
    }
    let (entries, has_more) = browse::folder(repo, &manifest, &spot.path, (0, ROWS))?;
    let at = local(facts.time, zone);
    let day = at.date();
    let of_day = newest
        .iter()
        .filter(|facts| local(facts.time, zone).date() == day);
    let of_day = of_day.map(|one| SnapshotLink {
        words: local(one.time, zone).strftime("%H:%M").to_string(),
        hint: format!("{} {}", text::time(one.time), one.host),
        to: link(
            "/restore",
            &Spot {
                snapshot: one.id.to_hex(),
                ..spot.clone()
            },
            &spot.path,
        ),
        is_current: one.id == facts.id,
    });
    let mut of_day: Vec<SnapshotLink> = of_day.collect();
    of_day.reverse();
    let month = visit
        .query
        .text("month")
        .and_then(|month| format!("{month}-01").parse().ok());
    let up = parent(&spot.path).map(|above| link("/restore", spot, &above));
    Ok(Some(Found {
        calendar: calendar::calendar(lang, newest, month.unwrap_or(day), day, spot, zone),
        of_day,
        snapshot: spot.snapshot.clone(),
        as_of: texts::as_of(lang, &text::time(facts.time)),
        crumbs: crumbs(spot),
        roots: folders(repo, &manifest, spot, &top)?,
        rows: entries
            .iter()
            .map(|(path, entry)| row(context, lang, spot, path, entry))
            .collect(),
        more: has_more.then(|| format!("{}&skip={ROWS}", link("/restore/rows", spot, &spot.path))),
        up,
        download: link("/download", spot, &spot.path),
    }))
}

fn parent(path: &[u8]) -> Option<Vec<u8>> {
    let slash = path.iter().rposition(|byte| *byte == b'/')?;
    match (path.len(), slash) {
        (1, _) => None,
        (_, 0) => Some(b"/".to_vec()),
        (_, slash) => path.get(..slash).map(<[u8]>::to_vec),
    }
}

/// The deepest folder that holds all sources: what is above it has nothing else in it.
fn sources_folder(repo: &Repo, manifest: &Manifest) -> Result<Vec<u8>, Failure> {
    let mut common: Option<Vec<u8>> = None;
    for source in &manifest.paths {
        let source = browse::clean(source);
        common = Some(match common {
            None => source,
            Some(known) => shared(&known, &source),
        });
    }
    let mut path = common.unwrap_or_else(|| b"/".to_vec());
    // A source may be a file, or not be there any more.
    loop {
        let is_folder = path == b"/"
            || matches!(browse::entry(repo, manifest, &path)?, Some(entry) if entry.kind == Kind::Dir);
        match parent(&path) {
            Some(above) if !is_folder => path = above,
            _ => return Ok(path),
        }
    }
}

fn shared(a: &[u8], b: &[u8]) -> Vec<u8> {
    let names = a.split(|byte| *byte == b'/').zip(b.split(|byte| *byte == b'/'));
    let same: Vec<&[u8]> = names.take_while(|(a, b)| a == b).map(|(a, _)| a).collect();
    browse::clean(&same.join(&b'/'))
}

fn crumbs(spot: &Spot) -> Vec<Crumb> {
    let mut crumbs = vec![Crumb {
        name: "/".to_string(),
        to: link("/restore", spot, b"/"),
    }];
    let mut path = Vec::new();
    for name in spot
        .path
        .split(|byte| *byte == b'/')
        .filter(|name| !name.is_empty())
    {
        path.push(b'/');
        path.extend_from_slice(name);
        crumbs.push(Crumb {
            name: shown(name),
            to: link("/restore", spot, &path),
        });
    }
    crumbs
}

fn row(context: &Context, lang: Lang, spot: &Spot, path: &[u8], entry: &Entry) -> Row {
    let path = text::absolute(path);
    let is_dir = entry.kind == Kind::Dir;
    let is_file = entry.kind == Kind::File;
    let kind = if is_dir { 'd' } else { 'f' };
    let changed = stamp(entry.meta.mtime).map(|at| Moment::ago(lang, at, &context.now));
    Row {
        name: shown(&entry.name),
        full: shown(&path),
        value: format!("{kind}{}", encoded(&path)),
        is_dir,
        to: is_dir.then(|| link("/restore", spot, &path)),
        download: (is_file || is_dir).then(|| link("/download", spot, &path)),
        changed,
        size: if is_file {
            size(entry.meta.size)
        } else {
            String::new()
        },
        problem: entry.trouble.is_some(),
    }
}

pub fn stamp(time: Time) -> Option<Timestamp> {
    Timestamp::new(time.secs, 0).ok()
}

fn folders(repo: &Repo, manifest: &Manifest, spot: &Spot, path: &[u8]) -> Result<Vec<Folder>, Failure> {
    let (entries, _) = browse::folder(repo, manifest, path, (0, LOOKED_AT))?;
    let dirs = entries.iter().filter(|(_, entry)| entry.kind == Kind::Dir);
    let folders = dirs.take(FOLDERS).map(|(path, entry)| {
        let path = text::absolute(path);
        Folder {
            name: shown(&entry.name),
            to: link("/restore", spot, &path),
            tree: link("/restore/tree", spot, &path),
        }
    });
    Ok(folders.collect())
}

/// The folders below one, when somebody opens it in the tree.
pub async fn tree(visit: Visit) -> Response {
    answer(visit, |visit, _, lang| {
        let spot = Spot::of(&visit.query);
        let repo = visit.app.repos.open(&visit.app, &spot.remote)?;
        let manifest = repo.manifest(browse::id(&spot.snapshot)?)?;
        let folders = folders(&repo, &manifest, &spot, &spot.path)?;
        let f = visit.frame_in(None, lang, "restore", "");
        reply::page(&TreePart { f, folders })
    })
    .await
}

/// More of a folder.
pub async fn rows(visit: Visit) -> Response {
    answer(visit, |visit, context, lang| {
        let spot = Spot::of(&visit.query);
        let skip = usize::try_from(visit.query.number("skip").unwrap_or_default()).unwrap_or(usize::MAX);
        let repo = visit.app.repos.open(&visit.app, &spot.remote)?;
        let manifest = repo.manifest(browse::id(&spot.snapshot)?)?;
        let (entries, has_more) = browse::folder(&repo, &manifest, &spot.path, (skip, ROWS))?;
        let after = skip.saturating_add(ROWS);
        reply::page(&RowsPart {
            f: visit.frame_in(None, lang, "restore", ""),
            rows: entries
                .iter()
                .map(|(path, entry)| row(context, lang, &spot, path, entry))
                .collect(),
            more: has_more.then(|| format!("{}&skip={after}", link("/restore/rows", &spot, &spot.path))),
        })
    })
    .await
}

/// What was ticked goes into the basket.
pub async fn add(visit: Visit) -> Response {
    answer(visit, |visit, _, _| {
        let spot = Spot::of(&visit.form);
        let repo = visit.app.repos.open(&visit.app, &spot.remote)?;
        let manifest = repo.manifest(browse::id(&spot.snapshot)?)?;
        let time = text::time(manifest.time());
        let mut has_room = true;
        for value in visit.form.all("pick") {
            let value = std::str::from_utf8(value).map_err(|_| browse::bad("pick"))?;
            let (kind, path) = value.split_at_checked(1).ok_or_else(|| browse::bad("pick"))?;
            let path: Vec<u8> = percent_decode_str(path).collect();
            let picked = Picked {
                remote: spot.remote.clone(),
                snapshot: spot.snapshot.clone(),
                time: time.clone(),
                path: browse::clean(&path),
                is_dir: kind == "d",
            };
            has_room &= visit.session.as_ref().is_some_and(|session| session.pick(picked));
        }
        let back = own_place(visit.form.text("back"));
        Ok(match has_room {
            true => see_other(back),
            false if back.contains('?') => see_other(&format!("{back}&full=1")),
            false => see_other(&format!("{back}?full=1")),
        })
    })
    .await
}

/// One path, or all of them.
pub async fn remove(visit: Visit) -> Response {
    if let Some(session) = &visit.session {
        let mut basket = session.basket();
        match visit.form.number("nr").and_then(|nr| usize::try_from(nr).ok()) {
            None => basket.clear(),
            Some(nr) if nr < basket.len() => drop(basket.remove(nr)),
            Some(_) => {}
        }
    }
    let mut answer = see_other(own_place(visit.form.text("back")));
    *answer.status_mut() = StatusCode::SEE_OTHER;
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_above() {
        assert_eq!(parent(b"/a/b"), Some(b"/a".to_vec()));
        assert_eq!(parent(b"/a"), Some(b"/".to_vec()));
        assert_eq!(parent(b"/"), None);
        assert_eq!(shared(b"/a/b/c", b"/a/b/d"), b"/a/b");
        assert_eq!(shared(b"/a", b"/b"), b"/");
        assert_eq!(shared(b"/a/bc", b"/a/b"), b"/a");
    }
}
