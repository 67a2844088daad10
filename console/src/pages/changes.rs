//! What changed in a folder between two snapshots, or since one.

use super::{shown, size};
use crate::browse::{self, Spot};
use crate::fields::encoded;
use crate::moments::PathMoments;
use crate::reply::{self, answer};
use crate::visit::{Frame, Visit};
use askama::Template;
use axum::response::Response;
use service::catalogue::Lang;
use service::catalogue::report::console::{self as texts, Labels};
use service::catalogue::report::snapshots::{self as report, Side};
use service::entry::{Entry, Kind};
use service::face::{Activity, Nobody, Step};
use service::facts::SnapshotInfo;
use service::list::{self, DiffSummary, Modifier};
use service::listing::Chosen;
use service::live;
use service::monitor::Quiet;
use service::repo::Repo;
use service::{Context, Failure, Status, text};

/// Changes on one page.
const ROWS: usize = 500;
/// Snapshots that can be chosen from.
const CHOICES: usize = 2000;

#[derive(Template)]
#[template(path = "changes.html")]
struct ChangesPage {
    f: Frame,
    remote: String,
    snapshot: String,
    path: String,
    /// The path as a form can send it.
    coded: String,
    back: String,
    choices: Vec<SnapshotChoice>,
    /// This machine made the snapshot.
    is_own: bool,
    is_now: bool,
    title: String,
    summary: Vec<String>,
    rows: Vec<ChangeRow>,
    metadata: bool,
    newer: Option<String>,
    older: Option<String>,
    notes: Vec<&'static str>,
}

struct SnapshotChoice {
    id: String,
    words: String,
    is_chosen: bool,
}

struct ChangeRow {
    class: &'static str,
    what: &'static str,
    path: String,
    was: String,
    is: String,
    to: Option<String>,
}

/// The older and the newer one; `None` is the disk.
struct Pair<'a> {
    old: &'a SnapshotInfo,
    new: Option<&'a SnapshotInfo>,
}

/// A page of what changed.
#[derive(Default)]
struct Compared {
    rows: Vec<ChangeRow>,
    has_more: bool,
    summary: DiffSummary,
    /// Something on the disk could not be examined.
    is_incomplete: bool,
}

pub async fn page(visit: Visit) -> Response {
    answer(visit, changes).await
}

fn changes(visit: &Visit, context: &Context, lang: Lang) -> Result<Response, Failure> {
    let at = PathMoments::of(visit, context)?;
    let (spot, here, of_host) = (&at.spot, &at.here, at.of_host());
    let is_own = at.is_own(context);
    let with = visit.query.text("with").unwrap_or_default();
    let pair = pair(&of_host, here, with, is_own)?;
    let metadata = visit.query.text("metadata").is_some();
    let skip = usize::try_from(visit.query.number("skip").unwrap_or_default()).unwrap_or(usize::MAX);
    let t = Labels(lang);
    let compared = match &pair {
        Some(pair) => compared(context, lang, &at.repo, spot, pair, (metadata, skip))?,
        None => Compared::default(),
    };
    let other = pair.as_ref().map(|pair| other(pair, here));
    let turn = |skip: usize| {
        let with = encoded(with.as_bytes());
        let metadata = if metadata { "&metadata=1" } else { "" };
        format!(
            "{}&with={with}{metadata}&skip={skip}",
            spot.link("/restore/changes", &spot.path)
        )
    };
    let notes = [
        pair.is_none().then_some(t.no_earlier()),
        compared.is_incomplete.then_some(t.not_all_compared()),
        (pair.is_some() && compared.rows.is_empty()).then_some(t.no_changes()),
    ];
    reply::page(&ChangesPage {
        f: visit.frame_in(Some(context), lang, "restore", t.what_changed()),
        path: shown(&spot.path),
        coded: encoded(&spot.path),
        back: spot.link("/restore", &spot.path),
        choices: choices(&of_host, here, other.flatten()),
        is_own,
        is_now: with == "now",
        title: pair
            .as_ref()
            .map_or_else(|| text::time(here.time), |pair| title(lang, pair)),
        summary: match pair.is_some() {
            true => summary(lang, &compared.summary),
            false => Vec::new(),
        },
        newer: (skip > 0).then(|| turn(skip.saturating_sub(ROWS))),
        older: compared.has_more.then(|| turn(skip.saturating_add(ROWS))),
        rows: compared.rows,
        metadata,
        notes: notes.into_iter().flatten().collect(),
        remote: spot.remote.clone(),
        snapshot: spot.snapshot.clone(),
    })
}

fn title(lang: Lang, pair: &Pair<'_>) -> String {
    let new = pair.new.map(|facts| text::time(facts.time));
    texts::from_to(lang, &text::time(pair.old.time), new.as_deref())
}

/// Snapshots that `here` can be compared with.
fn choices(
    of_host: &[&SnapshotInfo],
    here: &SnapshotInfo,
    chosen: Option<service::SessionId>,
) -> Vec<SnapshotChoice> {
    let others = of_host.iter().filter(|facts| facts.id != here.id);
    let choices = others.take(CHOICES).map(|facts| SnapshotChoice {
        id: facts.id.to_hex(),
        words: text::time(facts.time),
        is_chosen: chosen == Some(facts.id),
    });
    choices.collect()
}

/// The one that `here` is compared with.
fn other(pair: &Pair<'_>, here: &SnapshotInfo) -> Option<service::SessionId> {
    match pair.new {
        Some(new) if new.id != here.id => Some(new.id),
        Some(_) => Some(pair.old.id),
        None => None,
    }
}

/// Without a word the one before; `None` if there is none.
fn pair<'a>(
    of_host: &[&'a SnapshotInfo],
    here: &'a SnapshotInfo,
    with: &str,
    is_own: bool,
) -> Result<Option<Pair<'a>>, Failure> {
    let place = |id: &str| of_host.iter().position(|facts| facts.id.to_hex() == id);
    let own_place = place(&here.id.to_hex()).unwrap_or_default();
    Ok(match with {
        "now" if is_own => Some(Pair { old: here, new: None }),
        "now" => return Err(browse::bad("with")),
        "" => {
            let earlier = of_host.iter().skip(own_place + 1);
            // One of the same sources, if there is any: others hold other files.
            let same = earlier.clone().find(|facts| facts.paths == here.paths);
            let earlier = same.or(earlier.clone().next());
            earlier.map(|old| Pair { old, new: Some(here) })
        }
        id => {
            let place = place(id).ok_or_else(|| browse::bad("with"))?;
            let other = of_host.get(place).copied().ok_or_else(|| browse::bad("with"))?;
            let (old, new) = if place < own_place {
                (here, other)
            } else {
                (other, here)
            };
            Some(Pair { old, new: Some(new) })
        }
    })
}

fn compared(
    context: &Context,
    lang: Lang,
    repo: &Repo,
    spot: &Spot,
    pair: &Pair<'_>,
    (metadata, skip): (bool, usize),
) -> Result<Compared, Failure> {
    let mut found = Compared::default();
    let (mut rows, mut seen, mut has_more) = (Vec::new(), 0usize, false);
    let mut each = |row: list::Row<'_>| {
        if row.modifier == Modifier::Metadata && !metadata || row.path == list::relative(&spot.path) {
            return Ok(());
        }
        seen += 1;
        if seen > skip && rows.len() < ROWS {
            rows.push(change_row(lang, spot, pair, &row));
        } else {
            has_more |= seen > skip;
        }
        Ok(())
    };
    let manifest = repo.manifest(pair.old.id)?;
    let path = Some(spot.path.as_slice());
    match pair.new {
        Some(new) => {
            let new = repo.manifest(new.id)?;
            found.summary = list::diff(&repo.reader(&Quiet), &manifest, &new, path, &mut each)?;
        }
        None => {
            let request = live::Request {
                path: Some(spot.path.clone()),
                filter: live::filter_for(context, &manifest)?,
                content: false,
            };
            let chosen = Chosen {
                id: pair.old.id,
                short: text::short(&pair.old.id.to_hex()),
                time: text::time(pair.old.time),
                manifest,
                status: Status::Completed,
                is_older: false,
                other_sources: 0,
            };
            let step = Step::start(&Nobody, Activity::Diff)?;
            found.summary = live::diff(context, repo, &chosen, request, &step, &mut each)??;
            found.is_incomplete = step.finish().status() != Status::Completed;
        }
    }
    (found.rows, found.has_more) = (rows, has_more);
    Ok(found)
}

fn change_row(lang: Lang, spot: &Spot, pair: &Pair<'_>, row: &list::Row<'_>) -> ChangeRow {
    let t = Labels(lang);
    let (class, what) = match row.modifier {
        Modifier::Added => ("new", t.added()),
        Modifier::Removed => ("deleted", t.removed()),
        Modifier::Type => ("changed", t.other_type()),
        Modifier::Content => ("changed", t.modified()),
        Modifier::Metadata => ("unchanged", t.attributes()),
    };
    let bytes = |entry: Option<&Entry>| match entry {
        Some(entry) if entry.kind == Kind::File => size(entry.meta.size),
        _ => String::new(),
    };
    let is_dir = row.new.or(row.old).is_some_and(|entry| entry.kind == Kind::Dir);
    let is_file = |entry: Option<&Entry>| entry.is_some_and(|entry| entry.kind == Kind::File);
    let path = text::absolute(row.path);
    let old = spot.in_snapshot(pair.old.id);
    let to = match (row.modifier, pair.new) {
        (Modifier::Content, None) if is_file(row.old) => {
            Some(format!("{}&with=now", old.link("/restore/compare", &path)))
        }
        (Modifier::Content, Some(new)) if is_file(row.old) && is_file(row.new) => {
            let new = spot.in_snapshot(new.id);
            let with = pair.old.id.to_hex();
            Some(format!("{}&with={with}", new.link("/restore/compare", &path)))
        }
        (Modifier::Removed, _) if is_file(row.old) => Some(old.link("/restore/versions", &path)),
        (Modifier::Removed, _) if is_dir => Some(old.link("/restore", &path)),
        (Modifier::Added, Some(new)) if is_file(row.new) => {
            Some(spot.in_snapshot(new.id).link("/preview", &path))
        }
        _ => None,
    };
    ChangeRow {
        class,
        what,
        path: shown(&path) + if is_dir { "/" } else { "" },
        was: bytes(row.old),
        is: bytes(row.new),
        to,
    }
}

fn summary(lang: Lang, s: &DiffSummary) -> Vec<String> {
    let line = |which: Side, side: &list::Side| {
        report::compared(lang, which, side.files, side.dirs, side.others, side.bytes)
    };
    let sides = [
        (Side::Added, &s.added),
        (Side::Removed, &s.removed),
        (Side::Missing, &s.missing),
    ];
    let found = sides
        .into_iter()
        .filter(|(_, side)| **side != list::Side::default());
    let mut lines: Vec<String> = found.map(|(which, side)| line(which, side)).collect();
    if s.changed_files > 0 {
        lines.push(report::changed_files(lang, s.changed_files));
    }
    lines
}
