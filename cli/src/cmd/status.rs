//! `status` and `set list`: what is known of the sets, without opening a repository.

use crate::output::{self, Lines};
use crate::render::running;
use crate::terminal::Terminal;
use jiff::Timestamp;
use serde_json::{Value, json};
use service::catalogue::report::runs as report;
use service::runs::status::{self, SetStatus};
use service::{Failure, Status};

pub fn run(terminal: &Terminal) -> Result<Status, Failure> {
    let sets = status::sets(&terminal.context)?;
    let remotes = status::remotes(&terminal.context)?;
    let waiting = service::notify::waiting(&terminal.context)?;
    if terminal.json() {
        let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
        let sets = sets.iter().map(|one| {
            json!({
                "name": one.name,
                "running": one.running.is_some(),
                "last_status": one.last.as_ref().map(|row| &row.status),
                "last_reason": one.last.as_ref().and_then(|row| row.reason.as_ref()),
                "last_run": one.last.as_ref().map(|row| row.start.to_string()),
                "last_success": text(one.last_success),
                "next_run": text(one.next_run),
                "overdue": one.overdue,
                "paused_until": text(one.paused_until),
            })
        });
        let remotes = remotes.iter().map(|remote| {
            json!({
                "name": remote.name,
                // It is not asked.
                "reachable": null,
                "last_reached": text(remote.reached),
                "used": null,
                "quota": null,
                "behind": remote.behind,
            })
        });
        output::object(&json!({
            "message_type": "summary",
            "sets": sets.collect::<Vec<Value>>(),
            "remotes": remotes.collect::<Vec<Value>>(),
            "notifications": {
                "waiting": waiting.messages,
                "dropped": waiting.dropped,
                "failing": waiting.channels.iter().map(|trouble| json!({
                    "name": trouble.address.name(),
                    "failed": trouble.failed.to_string(),
                    "tries": trouble.tries,
                    "error": trouble.why,
                })).collect::<Vec<Value>>(),
            },
        }))?;
        return Ok(Status::Completed);
    }
    let mut out = Lines::new();
    if sets.is_empty() {
        if terminal.talks() {
            out.line(&report::no_sets(terminal.lang));
        }
        return out.finish().map(|()| Status::Completed);
    }
    if let Some(until) = sets.first().and_then(|one| one.paused_until) {
        out.line(&report::paused(terminal.lang, until));
    }
    let destinations = |one: &SetStatus<'_>| {
        let names = one.set.destinations.iter().map(|name| name.get_ref().0.as_str());
        let shown = names.enumerate().map(|(nr, name)| {
            // Snapshots are made at the first, unless it was away.
            let remote = remotes.iter().find(|remote| remote.name == name);
            let remote = remote.filter(|remote| nr > 0 || remote.behind != Some(0));
            report::behind(terminal.lang, name, remote.and_then(|remote| remote.behind))
        });
        shown.collect::<Vec<_>>().join(", ")
    };
    out.line(running::status_table(terminal.lang, &sets, &destinations).trim_end());
    for line in service::catalogue::report::notify::waiting(terminal.lang, &waiting) {
        out.line(&line);
    }
    out.finish().map(|()| Status::Completed)
}

pub fn list_sets(terminal: &Terminal) -> Result<Status, Failure> {
    let sets = status::sets(&terminal.context)?;
    let mut out = Lines::new();
    if terminal.json() {
        for one in &sets {
            let sources: Vec<String> = one.set.sources.iter().map(ToString::to_string).collect();
            let names = one.set.destinations.iter().map(|name| name.get_ref().0.as_str());
            out.object(&json!({
                "message_type": "set",
                "name": one.name,
                "sources": sources,
                "destinations": names.collect::<Vec<_>>(),
                "priority": one.set.priority,
                "schedule": one.schedule.to_string(),
                "tags": one.set.tags,
                "next_run": one.next_run.map(|at| at.to_string()),
            }));
        }
        out.object(&json!({ "message_type": "summary", "sets": sets.len() }));
    } else if sets.is_empty() {
        if terminal.talks() {
            out.line(&report::no_sets(terminal.lang));
        }
    } else {
        out.line(running::sets(terminal.lang, &sets).trim_end());
    }
    out.finish().map(|()| Status::Completed)
}
