//! The versions of one file: which there were, which snapshots hold each, when it was deleted; and what can be done with
//! one.

use super::basket::{BasketRow, basket};
use super::rows::pick_value;
use super::{Moment, Sign, shown, size, stamp};
use crate::browse::Spot;
use crate::moments::PathMoments;
use crate::reply::{self, answer};
use crate::visit::{Frame, Visit};
use askama::Template;
use axum::response::Response;
use service::catalogue::report::console::{self as texts, Labels};
use service::catalogue::{Cause, Lang};
use service::entry::Kind;
use service::facts::SnapshotInfo;
use service::monitor::Quiet;
use service::versions::{self, Holding, PathHistory, Version, VersionChange};
use service::{Context, Failure, SessionId, text};
use std::collections::HashMap;

/// Versions that are shown; a log file that changes with each snapshot has as many as there are.
const VERSIONS_MAX: usize = 200;
/// Snapshots of one version that are named.
const HOLDINGS_MAX: usize = 100;

#[derive(Template)]
#[template(path = "versions.html")]
struct VersionsPage {
    f: Frame,
    remote: String,
    path: String,
    name: String,
    folder: String,
    folder_link: String,
    summary: String,
    /// It is not in the newest snapshot.
    deleted: Option<String>,
    versions: Vec<VersionRow>,
    /// Versions that are not shown.
    more: String,
    basket: Vec<BasketRow>,
    basket_title: String,
}

struct VersionRow {
    /// Of the newest snapshot that holds it.
    snapshot: String,
    value: String,
    changed: Option<Moment>,
    size: String,
    held: String,
    holdings: Vec<HoldingRow>,
    more_holdings: String,
    is_newest: bool,
    is_file: bool,
    preview: String,
    download: String,
    with_now: Option<String>,
    with_previous: Option<String>,
}

/// A snapshot that holds the version.
struct HoldingRow {
    time: String,
    change: &'static str,
    sign: Sign,
    to: String,
}

pub async fn page(visit: Visit) -> Response {
    answer(visit, rail).await
}

fn rail(visit: &Visit, context: &Context, lang: Lang) -> Result<Response, Failure> {
    let at = PathMoments::of(visit, context)?;
    let (spot, repo, of_host) = (&at.spot, &at.repo, at.of_host());
    let ids: Vec<SessionId> = of_host.iter().rev().map(|facts| facts.id).collect();
    let history = versions::of_path(repo, &repo.reader(&Quiet), &ids, &spot.path, &Quiet)?;
    if history.versions.is_empty() {
        let path = String::from_utf8_lossy(&spot.path).into_owned();
        return Err(Cause::PathNowhere { path }.into());
    }
    let facts: HashMap<SessionId, &SnapshotInfo> = of_host.iter().map(|facts| (facts.id, *facts)).collect();
    let rail = Rail {
        context,
        lang,
        spot,
        facts: &facts,
        order: ids.iter().enumerate().map(|(at, id)| (*id, at)).collect(),
        is_own: at.is_own(context),
    };
    let count = history.versions.len();
    let folder = spot.parent().unwrap_or_else(|| b"/".to_vec());
    let basket = basket(visit);
    let page = VersionsPage {
        f: visit.frame_in(Some(context), lang, "restore", &shown(spot.name())),
        path: shown(&spot.path),
        name: shown(spot.name()),
        folder: shown(&folder),
        folder_link: spot.link("/restore", &folder),
        summary: texts::versions_in(lang, count as u64, ids.len() as u64),
        deleted: rail.deleted(&history),
        more: match count.saturating_sub(VERSIONS_MAX) {
            0 => String::new(),
            more => texts::more_versions(lang, more as u64),
        },
        versions: rail.rows(&history),
        remote: spot.remote.clone(),
        basket_title: texts::basket_items(lang, basket.len() as u64),
        basket,
    };
    reply::page(&page)
}

struct Rail<'a> {
    context: &'a Context,
    lang: Lang,
    spot: &'a Spot,
    facts: &'a HashMap<SessionId, &'a SnapshotInfo>,
    /// Oldest first.
    order: HashMap<SessionId, usize>,
    /// This machine made the snapshots.
    is_own: bool,
}

impl Rail<'_> {
    fn time(&self, id: SessionId) -> String {
        let facts = self.facts.get(&id);
        facts.map(|facts| text::time(facts.time)).unwrap_or_default()
    }

    fn place(&self, id: SessionId) -> usize {
        self.order.get(&id).copied().unwrap_or_default()
    }

    /// Where in the order the newest snapshot that holds it is.
    fn newest(&self, version: &Version) -> usize {
        let holdings = version.holdings.iter();
        holdings
            .map(|holding| self.place(holding.snapshot))
            .max()
            .unwrap_or_default()
    }

    /// After which snapshot it was gone, if it is.
    fn deleted(&self, history: &PathHistory) -> Option<String> {
        let last = history
            .versions
            .iter()
            .map(|version| self.newest(version))
            .max()?;
        let gone = history.absent.iter().filter(|id| self.place(**id) > last);
        let first = gone.min_by_key(|id| self.place(**id))?;
        let holder = self.order.iter().find(|(_, place)| **place == last);
        let holder = holder.map(|(id, _)| self.time(*id)).unwrap_or_default();
        Some(texts::deleted_between(self.lang, &holder, &self.time(*first)))
    }

    /// The one that was there last comes first.
    fn rows(&self, history: &PathHistory) -> Vec<VersionRow> {
        let mut versions: Vec<&Version> = history.versions.iter().collect();
        versions.sort_by_key(|version| std::cmp::Reverse(self.newest(version)));
        let newest = self.order.len().saturating_sub(1);
        let with_older = versions
            .iter()
            .zip(versions.iter().skip(1).map(Some).chain([None]));
        let rows = with_older.take(VERSIONS_MAX).map(|(version, older)| {
            let is_newest = self.newest(version) == newest;
            self.row(version, older.copied(), is_newest)
        });
        rows.collect()
    }

    fn row(&self, version: &Version, older: Option<&Version>, is_newest: bool) -> VersionRow {
        let (lang, path) = (self.lang, &self.spot.path);
        let mut holdings: Vec<&Holding> = version.holdings.iter().collect();
        holdings.sort_by_key(|holding| std::cmp::Reverse(self.place(holding.snapshot)));
        let (last, first) = (holdings.first(), holdings.last());
        let time =
            |holding: Option<&&Holding>| holding.map(|one| self.time(one.snapshot)).unwrap_or_default();
        let there = match last {
            Some(holding) => self.spot.in_snapshot(holding.snapshot),
            None => self.spot.clone(),
        };
        let compare = there.link("/restore/compare", path);
        let is_file = version.entry.kind == Kind::File;
        let older = older.and_then(|older| older.holdings.last());
        let more = holdings.len().saturating_sub(HOLDINGS_MAX);
        let named = holdings.iter().take(HOLDINGS_MAX);
        VersionRow {
            value: pick_value(path, version.entry.kind == Kind::Dir, None),
            changed: stamp(version.entry.meta.mtime).map(|at| Moment::ago(lang, at, &self.context.now)),
            size: if is_file {
                size(version.entry.meta.size)
            } else {
                String::new()
            },
            held: texts::held_by(lang, holdings.len() as u64, &time(last), &time(first)),
            holdings: named.map(|holding| self.holding(holding)).collect(),
            more_holdings: match more {
                0 => String::new(),
                more => texts::and_more(lang, more as u64),
            },
            is_newest,
            is_file,
            preview: there.link("/preview", path),
            download: there.link("/download", path),
            with_now: (is_file && self.is_own).then(|| format!("{compare}&with=now")),
            with_previous: older
                .filter(|_| is_file)
                .map(|older| format!("{compare}&with={}", older.snapshot.to_hex())),
            snapshot: there.snapshot,
        }
    }

    fn holding(&self, holding: &Holding) -> HoldingRow {
        let t = Labels(self.lang);
        let (change, sign) = match holding.change {
            VersionChange::First => (t.change_first(), Sign::Good),
            VersionChange::Content => (t.change_content(), Sign::Busy),
            VersionChange::Metadata => (t.change_metadata(), Sign::Idle),
            VersionChange::Unchanged => (t.change_none(), Sign::Idle),
        };
        let folder = self.spot.parent().unwrap_or_else(|| b"/".to_vec());
        HoldingRow {
            time: self.time(holding.snapshot),
            change,
            sign,
            to: self.spot.in_snapshot(holding.snapshot).link("/restore", &folder),
        }
    }
}
