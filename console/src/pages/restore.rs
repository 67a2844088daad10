//! Restore, time first: a calendar of the snapshots, the tree as it was at one of them, and the basket, which keeps what
//! was picked while the date changes.

use super::basket::{BasketRow, basket};
use super::calendar::{self, Calendar};
use super::rows::{self, DeletedRow, Row};
use super::{local, shown};
use crate::browse::{self, Spot, below, shared};
use crate::fields::encoded;
use crate::reply::{self, answer};
use crate::visit::{Frame, Visit};
use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use service::catalogue::Lang;
use service::catalogue::report::console::{self as texts, Labels};
use service::entry::{Entry, Kind};
use service::facts::SnapshotInfo;
use service::manifest::Manifest;
use service::repo::Repo;
use service::{Context, Failure, text};

/// Entries that the page itself has. Of a larger folder, a grid asks for those that are in sight.
const ROWS: usize = 100;
/// Entries that a grid may ask for at once.
const RANGE: usize = 500;
/// Folders below one in the tree.
const FOLDERS: usize = 500;
/// Entries among which they are looked for.
const LOOKED_AT: usize = 10_000;
/// Snapshots of one day that are named.
const OF_DAY: usize = 200;

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

/// A repository that can be looked into.
pub struct RemoteLink {
    pub words: String,
    pub to: String,
    pub is_current: bool,
}

/// Where each of them leads to; the one without a name is called `unnamed`.
pub fn remote_links(page: &str, names: &[String], current: &str, unnamed: &str) -> Vec<RemoteLink> {
    let link = |name: &String| RemoteLink {
        words: match name.is_empty() {
            true => unnamed.to_string(),
            false => name.clone(),
        },
        to: format!("{page}?remote={}", encoded(name.as_bytes())),
        is_current: name == current,
    };
    names.iter().map(link).collect()
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
    /// The next entries, without the script, and where a grid gets any of them.
    more: Option<String>,
    source: String,
    up: Option<String>,
    download: String,
    hidden: Toggle,
    deleted: Toggle,
    /// Names that begin with a dot were left out.
    has_hidden: bool,
    gone: Vec<DeletedRow>,
    has_more_gone: bool,
    changes: String,
}

/// Something that is shown or not, and the link that changes that.
struct Toggle {
    is_on: bool,
    to: String,
}

struct SnapshotLink {
    words: String,
    hint: String,
    to: String,
    is_current: bool,
}

/// A folder above, or the folder itself.
pub struct Crumb {
    pub name: String,
    pub to: String,
}

struct Folder {
    name: String,
    to: String,
    /// Where its own folders are loaded from.
    tree: String,
}

#[derive(Template)]
#[template(path = "tree_part.html")]
struct TreePart {
    f: Frame,
    folders: Vec<Folder>,
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
    let repo = visit.app.open(&spot.remote)?;
    let listing = browse::outlines(context, &repo)?;
    let newest = browse::newest_first(&listing);
    let basket = basket(visit);
    let page = RestorePage {
        f: visit.frame_in(Some(context), lang, "restore", Labels(lang).restore()),
        remotes: remote_links("/restore", &names, &spot.remote, &repo.location()),
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
    let snapshot = visit.app.snapshot(&spot.remote, &spot.snapshot)?;
    let manifest = &snapshot.manifest;
    let top = sources_folder(repo, manifest)?;
    if !is_folder(visit, repo, manifest, spot)? {
        spot.path = top.clone();
    }
    let after = visit.query.bytes("after").unwrap_or_default();
    let page = browse::page(repo, manifest, spot, after, ROWS)?;
    let (gone, has_more_gone) = match spot.deleted {
        true => rows::deleted(context, lang, repo, manifest, spot, (facts, newest))?,
        false => (Vec::new(), false),
    };
    let day = local(facts.time, zone).date();
    let month = visit
        .query
        .text("month")
        .and_then(|month| format!("{month}-01").parse().ok());
    let rows = page.entries.iter();
    Ok(Some(Found {
        calendar: calendar::calendar(lang, newest, month.unwrap_or(day), day, spot, zone),
        of_day: of_day(newest, facts, spot, zone),
        snapshot: spot.snapshot.clone(),
        as_of: texts::as_of(lang, &text::time(facts.time)),
        crumbs: crumbs("/restore", spot),
        roots: folders(repo, manifest, spot, &top)?,
        rows: rows.map(|entry| rows::row(context, lang, spot, entry)).collect(),
        more: page.next.map(|after| more(spot, &after)),
        source: spot.link("/restore/rows", &spot.path),
        up: spot.parent().map(|above| spot.link("/restore", &above)),
        download: spot.link("/download", &spot.path),
        hidden: toggle(spot, |spot| &mut spot.hidden),
        deleted: toggle(spot, |spot| &mut spot.deleted),
        has_hidden: page.has_hidden,
        gone,
        has_more_gone,
        changes: spot.link("/restore/changes", &spot.path),
    }))
}

/// A path of another day may not be there: then its sources are shown.
fn is_folder(visit: &Visit, repo: &Repo, manifest: &Manifest, spot: &Spot) -> Result<bool, Failure> {
    if visit.query.bytes("path").is_none() {
        return Ok(false);
    }
    if spot.path == b"/" {
        return Ok(true);
    }
    let entry = browse::entry(repo, manifest, &spot.path)?;
    Ok(entry.is_some_and(|entry| entry.kind == Kind::Dir))
}

fn of_day(
    newest: &[&SnapshotInfo],
    current: &SnapshotInfo,
    spot: &Spot,
    zone: &TimeZone,
) -> Vec<SnapshotLink> {
    let day = local(current.time, zone).date();
    let same = newest
        .iter()
        .filter(|facts| local(facts.time, zone).date() == day);
    let links = same.take(OF_DAY).map(|one| SnapshotLink {
        words: local(one.time, zone).strftime("%H:%M").to_string(),
        hint: format!("{} {}", text::time(one.time), one.host),
        to: spot.in_snapshot(one.id).link("/restore", &spot.path),
        is_current: one.id == current.id,
    });
    let mut links: Vec<SnapshotLink> = links.collect();
    links.reverse();
    links
}

fn toggle(spot: &Spot, of: impl Fn(&mut Spot) -> &mut bool) -> Toggle {
    let mut other = spot.clone();
    let switch = of(&mut other);
    let is_on = *switch;
    *switch = !is_on;
    Toggle {
        is_on,
        to: other.link("/restore", &spot.path),
    }
}

fn more(spot: &Spot, after: &[u8]) -> String {
    format!("{}&after={}", spot.link("/restore", &spot.path), encoded(after))
}

/// The deepest folder that holds all sources: what is above it has nothing else in it.
fn sources_folder(repo: &Repo, manifest: &Manifest) -> Result<Vec<u8>, Failure> {
    let sources = manifest.paths.iter().map(|source| browse::clean(source));
    let common = sources.reduce(|known, source| shared(&known, &source));
    let mut path = common.unwrap_or_else(|| b"/".to_vec());
    // A source may be a file, or not be there any more.
    loop {
        let is_folder = path == b"/"
            || matches!(browse::entry(repo, manifest, &path)?, Some(entry) if entry.kind == Kind::Dir);
        match browse::parent(&path) {
            Some(above) if !is_folder => path = above,
            _ => return Ok(path),
        }
    }
}

/// The way from the root to a folder, each with its page.
pub fn crumbs(page: &str, spot: &Spot) -> Vec<Crumb> {
    let mut crumbs = vec![Crumb {
        name: "/".to_string(),
        to: spot.link(page, b"/"),
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
            to: spot.link(page, &path),
        });
    }
    crumbs
}

fn folders(repo: &Repo, manifest: &Manifest, spot: &Spot, path: &[u8]) -> Result<Vec<Folder>, Failure> {
    let spot = Spot {
        path: path.to_vec(),
        ..spot.clone()
    };
    let (mut found, mut looked_at) = (Vec::new(), 0);
    browse::each(repo, manifest, &spot, &mut |entry: &Entry| {
        looked_at += 1;
        if entry.kind == Kind::Dir {
            let path = below(&spot.path, &entry.name);
            found.push(Folder {
                name: shown(&entry.name),
                to: spot.link("/restore", &path),
                tree: spot.link("/restore/tree", &path),
            });
        }
        looked_at < LOOKED_AT && found.len() < FOLDERS
    })?;
    Ok(found)
}

/// The folders below one, when somebody opens it in the tree.
pub async fn tree(visit: Visit) -> Response {
    answer(visit, |visit, _, lang| {
        let spot = Spot::of(&visit.query);
        let snapshot = visit.app.snapshot(&spot.remote, &spot.snapshot)?;
        let folders = folders(&snapshot.repo, &snapshot.manifest, &spot, &spot.path)?;
        let f = visit.frame_in(None, lang, "restore", "");
        reply::page(&TreePart { f, folders })
    })
    .await
}

/// A range of a folder, for a grid.
pub async fn rows(visit: Visit) -> Response {
    answer(visit, |visit, context, lang| {
        let spot = Spot::of(&visit.query);
        let number = |name| visit.query.number(name).and_then(|n| usize::try_from(n).ok());
        let from = number("from").unwrap_or_default();
        let count = number("count").unwrap_or(RANGE).min(RANGE);
        let snapshot = visit.app.snapshot(&spot.remote, &spot.snapshot)?;
        let (entries, total) = snapshot.range(&spot, from, count)?;
        let rows = entries.iter();
        let rows = rows.map(|entry| rows::row(context, lang, &spot, entry).for_grid());
        let rows: Vec<Value> = rows.collect();
        let answer = json!({ "total": total, "from": from, "rows": rows });
        Ok(reply::json(StatusCode::OK, &answer))
    })
    .await
}
