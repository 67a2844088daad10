//! The same for programs: JSON with the fields that the commands have under `--json`, one object with a list where a
//! command prints lines. `docs/console-api.md` documents each address.

use crate::browse::{self, Spot, below};
use crate::pages::home;
use crate::reply::{answer, json as reply};
use crate::visit::Visit;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use service::catalogue::{Action, Cause, Lang};
use service::face::Nobody;
use service::history::HistoryRow;
use service::history::files::{BackupFiles, FileStatus, PAGE};
use service::history::journal::Journal;
use service::history::read::HistoryQuery;
use service::runs::{control, status as runs};
use service::{Context, Failure, json, list, objects};

/// Rows that may be asked for at once.
const ROWS_MAX: u64 = 1000;
const ENTRIES: usize = 500;

/// Every address, its method and what it gives: `docs/console-api.md` has a row for each.
#[cfg(test)]
pub const ADDRESSES: [(&str, &str); 12] = [
    ("GET", "/api/status"),
    ("GET", "/api/sets"),
    ("GET", "/api/history"),
    ("GET", "/api/history/{id}"),
    ("GET", "/api/history/{id}/files"),
    ("GET", "/api/snapshots"),
    ("GET", "/api/entries"),
    ("POST", "/api/run"),
    ("POST", "/api/stop"),
    ("POST", "/api/pause"),
    ("POST", "/api/resume"),
    ("GET", "/api/openapi.json"),
];

async fn object(
    visit: Visit,
    make: impl FnOnce(&Visit, &Context) -> Result<Value, Failure> + Send + 'static,
) -> Response {
    answer(visit, move |visit, context, _| {
        Ok(reply(StatusCode::OK, &make(visit, context)?))
    })
    .await
}

pub async fn status(visit: Visit) -> Response {
    object(visit, |_, context| {
        let sets = runs::sets(context)?;
        let sets = sets.iter().map(objects::set_status);
        let remotes = runs::remotes(context, false)?;
        let remotes = remotes.iter().map(objects::remote_status);
        Ok(json!({
            "message_type": "summary",
            "sets": sets.collect::<Vec<Value>>(),
            "remotes": remotes.collect::<Vec<Value>>(),
        }))
    })
    .await
}

pub async fn sets(visit: Visit) -> Response {
    object(visit, |_, context| {
        let sets = runs::sets(context)?;
        let sets = sets.iter().map(objects::set);
        Ok(json!({ "message_type": "summary", "sets": sets.collect::<Vec<Value>>() }))
    })
    .await
}

fn row(row: &HistoryRow) -> Value {
    json::object("history", row.for_programs())
}

pub async fn history(visit: Visit) -> Response {
    object(visit, |visit, context| {
        let text = |name| visit.query.text(name).map(String::from);
        if let Some(status) = visit.query.text("status") {
            HistoryQuery::check_status(status)?;
        }
        let sets = text("set").map(|set| context.settings.names_of(&set));
        let page = Journal::of(&context.dirs()?).rows(&HistoryQuery {
            limit: visit.query.number("limit").unwrap_or(100).clamp(1, ROWS_MAX) as usize,
            id: String::new(),
            sets: sets.unwrap_or_default(),
            kind: text("kind"),
            status: text("status"),
        })?;
        Ok(json!({
            "message_type": "summary",
            "jobs": page.rows.iter().map(row).collect::<Vec<Value>>(),
            "more": page.more,
        }))
    })
    .await
}

pub async fn job(visit: Visit, id: String) -> Response {
    object(visit, move |_, context| {
        let journal = Journal::of(&context.dirs()?);
        let found = journal.row(&id)?;
        let kept = journal.problems_of(&found.id);
        let kept = kept.map_err(|e| Failure::from(Cause::system(Action::Read, journal.dir(), e)))?;
        let problems = kept.iter().map(|problem| {
            let text = problem.text(Lang::En);
            json::problem_object(&problem.item, problem.is_warning, text, &found.kind)
        });
        Ok(json!({
            "message_type": "summary",
            "job": row(&found),
            "problems": problems.collect::<Vec<Value>>(),
        }))
    })
    .await
}

pub async fn files(visit: Visit, id: String) -> Response {
    object(visit, move |visit, context| {
        let row = Journal::of(&context.dirs()?).row(&id)?;
        let status = visit.query.text("status");
        let known = FileStatus::ALL.map(FileStatus::word);
        if status.is_some_and(|status| !known.contains(&status)) {
            return Err(browse::bad("status"));
        }
        let page = visit.query.number("page").unwrap_or(1).max(1);
        let first = (page - 1).saturating_mul(PAGE);
        let files = BackupFiles::open(context, &row, &Nobody)?;
        let (mut found, mut rows) = (0u64, Vec::new());
        files.each(&mut |file| {
            let is_wanted = match status {
                Some(word) => file.status.word() == word,
                None => file.status != FileStatus::Unchanged,
            };
            if is_wanted {
                if (first..first.saturating_add(PAGE)).contains(&found) {
                    rows.push(file.for_programs());
                }
                found += 1;
            }
            Ok(())
        })?;
        Ok(json!({
            "message_type": "summary",
            "rows": rows,
            "files": found,
            "page": page,
            "pages": found.div_ceil(PAGE).max(1),
            "compared": !files.is_first(),
        }))
    })
    .await
}

pub async fn snapshots(visit: Visit) -> Response {
    object(visit, |visit, context| {
        let spot = Spot::of(&visit.query);
        let repo = visit.app.open(&spot.remote)?;
        let listing = browse::snapshots(context, &repo)?;
        let snapshots = listing.snapshots.iter();
        let objects = snapshots.map(|one| json::snapshot(one.id, &one.manifest, one.tree));
        Ok(json!({ "message_type": "summary", "snapshots": objects.collect::<Vec<Value>>() }))
    })
    .await
}

pub async fn entries(visit: Visit) -> Response {
    object(visit, |visit, _| {
        let spot = Spot::of(&visit.query);
        let spot = Spot { hidden: true, ..spot };
        let number = |name| {
            visit
                .query
                .number(name)
                .map(|n| usize::try_from(n).unwrap_or(usize::MAX))
        };
        // `skip` is what `from` was called first.
        let from = number("from").or(number("skip")).unwrap_or_default();
        let count = number("count").unwrap_or(ENTRIES).min(ENTRIES);
        let snapshot = visit.app.snapshot(&spot.remote, &spot.snapshot)?;
        let (entries, total) = snapshot.range(&spot, from, count)?;
        if total == 0 && spot.path != b"/" {
            // An empty folder, or none.
            browse::must_exist(&snapshot.repo, &snapshot.manifest, &spot.path)?;
        }
        let nodes = entries.iter();
        let nodes = nodes.map(|entry| json::node(list::relative(&below(&spot.path, &entry.name)), entry));
        Ok(json!({
            "message_type": "summary",
            "entries": nodes.collect::<Vec<Value>>(),
            "total": total,
            "more": from.saturating_add(entries.len()) < total,
        }))
    })
    .await
}

fn done() -> Value {
    json!({ "message_type": "summary" })
}

pub async fn run(visit: Visit) -> Response {
    object(visit, |visit, _| home::run_set(visit).map(|()| done())).await
}

pub async fn stop(visit: Visit) -> Response {
    object(visit, |visit, context| {
        home::stop_job(visit, context).map(|()| done())
    })
    .await
}

pub async fn pause(visit: Visit) -> Response {
    object(visit, |visit, context| {
        let until = home::pause_for(visit, context)?;
        Ok(json!({ "message_type": "summary", "paused_until": until.to_string() }))
    })
    .await
}

pub async fn resume(visit: Visit) -> Response {
    object(visit, |_, context| {
        let was_paused = control::resume(context)?;
        Ok(json!({ "message_type": "summary", "was_paused": was_paused }))
    })
    .await
}
