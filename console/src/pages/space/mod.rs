//! What uses the space: what each thing in a folder holds alone, over all snapshots, the largest first. It is found out by
//! a job and kept with its date; a page only shows what is kept. From here a path is excluded from now on, or purged.

pub mod exclude;
pub mod purge;

use super::restore::{Crumb, RemoteLink, crumbs, remote_links};
use super::target::percent;
use super::{Moment, shown, size};
use crate::browse::{self, Spot};
use crate::fields::{Fields, encoded};
use crate::jobs::{Outcome, SpaceSpot, Standing, What};
use crate::kept::FolderSpace;
use crate::reply::{self, answer, see_other};
use crate::runner;
use crate::visit::{Frame, Visit};
use askama::Template;
use axum::response::Response;
use percent_encoding::percent_decode;
use service::catalogue::report::alone;
use service::catalogue::report::console::{self as texts, Labels};
use service::catalogue::{Cause, Lang, What as Kind};
use service::platform::paths::from_bytes;
use service::space::{Holder, Request};
use service::{Context, Failure, space};
use std::time::Instant;

#[derive(Template)]
#[template(path = "space.html")]
struct SpacePage {
    f: Frame,
    remotes: Vec<RemoteLink>,
    remote: String,
    /// The folder as a form can send it; empty for the usual one.
    coded: String,
    crumbs: Vec<Crumb>,
    found: Option<SpaceView>,
    /// Something is being looked for in this repository.
    is_running: bool,
    is_stopping: bool,
    nr: u64,
    standing: Standing,
    /// Why the last look at this folder failed.
    failed: String,
    /// What was just done.
    told: String,
}

impl SpacePage {
    fn percent(&self) -> String {
        percent(&self.standing)
    }
}

struct SpaceView {
    as_of: String,
    exact: String,
    rows: Vec<SpaceRow>,
    notes: Vec<String>,
}

struct SpaceRow {
    name: String,
    full: String,
    frees: String,
    /// Of the largest, for the bar.
    share: u64,
    is_folder: bool,
    to: Option<String>,
    exclude: Option<String>,
    purge: Option<String>,
}

/// The folder that a query or form names; empty where it names none.
pub fn spot_of(context: &Context, fields: &Fields) -> SpaceSpot {
    let coded = || percent_decode(fields.bytes("coded").unwrap_or_default()).collect();
    let path: Vec<u8> = fields.bytes("path").map_or_else(coded, <[u8]>::to_vec);
    let first = || browse::remotes(context).into_iter().next().unwrap_or_default();
    SpaceSpot {
        remote: fields.text("remote").map_or_else(first, String::from),
        path: match path.is_empty() {
            true => path,
            false => browse::clean(&path),
        },
    }
}

/// A page about a path here.
fn link(page: &str, remote: &str, path: &[u8]) -> String {
    format!(
        "{page}?remote={}&path={}",
        encoded(remote.as_bytes()),
        encoded(path)
    )
}

/// A path that is text, as patterns are.
fn as_text(path: &[u8]) -> Result<&str, Failure> {
    std::str::from_utf8(path).map_err(|_| Cause::NotUtf8 { what: Kind::Path }.into())
}

pub async fn page(visit: Visit) -> Response {
    answer(visit, show).await
}

fn show(visit: &Visit, context: &Context, lang: Lang) -> Result<Response, Failure> {
    let spot = spot_of(context, &visit.query);
    browse::location(context, &spot.remote)?;
    let names = browse::remotes(context);
    let found = visit.app.space.find(&spot);
    let job = visit.app.jobs.of_space(&spot.remote);
    let outcome = job.as_ref().and_then(|job| job.outcome());
    let is_of_here = job
        .as_ref()
        .is_some_and(|job| job.what == What::Space(spot.clone()));
    let running = job.filter(|job| job.outcome().is_none());
    let failure = outcome.and_then(|outcome| outcome.failure).filter(|_| is_of_here);
    let path = found.as_ref().map_or(&spot.path, |found| &found.path);
    let folder = Spot {
        remote: spot.remote.clone(),
        snapshot: String::new(),
        path: path.clone(),
        hidden: false,
        deleted: false,
    };
    let told = visit.query.text("excluded").map(|set| {
        let path = visit.query.text("of").unwrap_or_default();
        texts::excluded_from(lang, path, set)
    });
    reply::page(&SpacePage {
        f: visit.frame_in(Some(context), lang, "destinations", Labels(lang).space()),
        remotes: remote_links(
            "/space",
            &names,
            &spot.remote,
            &context.repository_name().unwrap_or_default(),
        ),
        coded: encoded(&spot.path),
        crumbs: match path.is_empty() {
            true => Vec::new(),
            false => crumbs("/space", &folder),
        },
        found: found.map(|found| view(context, lang, &spot, &found)),
        is_running: running.is_some(),
        is_stopping: running.as_ref().is_some_and(|job| job.is_stopping()),
        nr: running.as_ref().map_or(0, |job| job.nr),
        standing: running
            .map(|job| job.standing(lang, Instant::now()))
            .unwrap_or_default(),
        failed: failure
            .map(|failure| shown(failure.text(lang).as_bytes()))
            .unwrap_or_default(),
        told: told.unwrap_or_default(),
        remote: spot.remote,
    })
}

fn view(context: &Context, lang: Lang, spot: &SpaceSpot, found: &FolderSpace) -> SpaceView {
    let at = Moment::ago(lang, found.at, &context.now);
    let largest = found.rows.first().map_or(0, |(_, bytes)| *bytes);
    let rows = found.rows.iter();
    let rows = rows.map(|(holder, bytes)| row(lang, spot, found, holder, (*bytes, largest)));
    let mut notes = Vec::new();
    if found.more > 0 {
        notes.push(texts::smaller(lang, found.more, found.more_bytes));
    }
    if found.together > 0 {
        notes.push(alone::together(lang, found.together));
    }
    notes.push(alone::all_of(lang, &shown(&found.path), found.all));
    SpaceView {
        as_of: texts::space_as_of(lang, &at.words),
        exact: at.exact,
        rows: rows.collect(),
        notes,
    }
}

fn row(
    lang: Lang,
    spot: &SpaceSpot,
    found: &FolderSpace,
    holder: &Holder,
    (bytes, largest): (u64, u64),
) -> SpaceRow {
    let share = u128::from(bytes) * 100 / u128::from(largest.max(1));
    let mut row = SpaceRow {
        name: alone::rest(lang),
        full: String::new(),
        frees: size(bytes),
        share: share as u64,
        is_folder: false,
        to: None,
        exclude: None,
        purge: None,
    };
    if let Holder::Path { path, is_folder } = holder {
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let dir = if *is_folder { "&dir=1" } else { "" };
        let act = |page| Some(link(page, &spot.remote, path) + dir);
        row.name = shown(name);
        row.full = shown(path);
        row.is_folder = *is_folder;
        row.to = (*is_folder && *path != found.path).then(|| link("/space", &spot.remote, path));
        (row.exclude, row.purge) = (act("/space/exclude"), act("/space/purge"));
    }
    row
}

/// Looks what is in a folder, unless that is being done.
pub async fn start(visit: Visit) -> Response {
    answer(visit, |visit, context, _| {
        let spot = spot_of(context, &visit.form);
        let back = match spot.path.is_empty() {
            true => format!("/space?remote={}", encoded(spot.remote.as_bytes())),
            false => link("/space", &spot.remote, &spot.path),
        };
        let last = visit.app.jobs.of_space(&spot.remote);
        if last.is_some_and(|job| job.outcome().is_none()) {
            return Ok(see_other(&back));
        }
        let cancel = visit.app.cancel().child();
        let own = visit.app.context_at(&spot.remote, cancel.clone())?;
        let app = visit.app.clone();
        let what = What::Space(spot.clone());
        runner::begin(&visit.app, what, cancel, move |face, _| {
            let path = (!spot.path.is_empty()).then(|| from_bytes(&spot.path).into_owned());
            let found = space::run(&own, &Request::Path(path), face);
            own.tighten();
            let found = found?;
            let status = found.status();
            app.space.keep(FolderSpace::of(spot, found, own.now.timestamp()));
            Ok(Outcome::of(status))
        })?;
        Ok(see_other(&back))
    })
    .await
}
