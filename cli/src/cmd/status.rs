//! `status` and `set list`: what is known of sets and remotes, and of every machine of a repository.

use crate::args::runs::StatusArgs;
use crate::output::{self, Lines};
use crate::render::running;
use crate::terminal::Terminal;
use serde_json::{Value, json};
use service::catalogue::report::runs as report;
use service::doctor::nothing_starts_sets;
use service::notify::queue::Waiting;
use service::runs::status::{self, RemoteStatus, SetStatus};
use service::{Failure, Status, hosts, objects};

pub fn run(terminal: &Terminal, args: &StatusArgs) -> Result<Status, Failure> {
    if args.all_hosts {
        return all_hosts(terminal);
    }
    let sets = status::sets(&terminal.context)?;
    let remotes = status::remotes(&terminal.context, args.refresh)?;
    let waiting = service::notify::waiting(&terminal.context)?;
    match terminal.json() {
        true => object(terminal, &sets, &remotes, &waiting)?,
        false => text(terminal, &sets, &remotes, &waiting)?,
    }
    Ok(Status::Completed)
}

fn object(
    terminal: &Terminal,
    sets: &[SetStatus<'_>],
    remotes: &[RemoteStatus<'_>],
    waiting: &Waiting,
) -> Result<(), Failure> {
    let sets = sets.iter().map(objects::set_status);
    let remotes = remotes.iter().map(objects::remote_status);
    let failing = waiting.channels.iter().map(|trouble| {
        json!({
            "name": trouble.address.name(),
            "failed": trouble.failed.to_string(),
            "tries": trouble.tries,
            "error": trouble.why,
        })
    });
    output::object(&json!({
        "message_type": "summary",
        "sets": sets.collect::<Vec<Value>>(),
        "remotes": remotes.collect::<Vec<Value>>(),
        "scheduled": !nothing_starts_sets(&terminal.context),
        "notifications": {
            "waiting": waiting.messages,
            "dropped": waiting.dropped,
            "failing": failing.collect::<Vec<Value>>(),
        },
    }))
}

fn text(
    terminal: &Terminal,
    sets: &[SetStatus<'_>],
    remotes: &[RemoteStatus<'_>],
    waiting: &Waiting,
) -> Result<(), Failure> {
    let mut out = Lines::new();
    if sets.is_empty() {
        if terminal.talks() {
            out.line(&report::no_sets(terminal.lang));
        }
        if remotes.is_empty() {
            return out.finish();
        }
    }
    if let Some(until) = sets.first().and_then(|one| one.paused_until) {
        out.line(&report::paused(terminal.lang, until));
    }
    let destinations = |one: &SetStatus<'_>| {
        let has_snapshots = one.has_snapshots();
        let names = one.set.destinations.iter().map(|name| name.get_ref().0.as_str());
        let shown = names.enumerate().map(|(nr, name)| {
            // Snapshots are made at the first, unless it was away.
            let remote = remotes.iter().find(|remote| remote.name == name);
            // Nor is anything current of a set without any.
            let remote = remote.filter(|remote| (nr > 0 && has_snapshots) || remote.behind != Some(0));
            report::behind(terminal.lang, name, remote.and_then(|remote| remote.behind))
        });
        shown.collect::<Vec<_>>().join(", ")
    };
    if nothing_starts_sets(&terminal.context) {
        out.line(report::nothing_starts_sets(terminal.lang));
    }
    if !sets.is_empty() {
        out.line(running::status_table(terminal.lang, sets, &destinations).trim_end());
    }
    if !remotes.is_empty() {
        out.line("");
        out.line(running::remotes(terminal.lang, remotes).trim_end());
    }
    for line in service::catalogue::report::notify::waiting(terminal.lang, waiting) {
        out.line(&line);
    }
    out.finish()
}

/// Every machine of the repositories.
fn all_hosts(terminal: &Terminal) -> Result<Status, Failure> {
    let report = hosts::run(&terminal.context, terminal)?;
    let now = terminal.context.now.timestamp();
    let mut out = Lines::new();
    if terminal.json() {
        for one in &report.hosts {
            out.object(&json!({
                "message_type": "host",
                "repository": one.repository,
                "host": one.host,
                "here": one.is_here,
                "paths": service::json::names(&one.paths),
                "tags": one.tags,
                "snapshots": one.snapshots,
                "newest": one.newest.to_string(),
                "age_seconds": now.duration_since(one.newest).as_secs(),
                "complete": one.is_complete(),
                "errors": one.errors,
                "last_complete": one.last_complete.map(|at| at.to_string()),
            }));
        }
        report
            .states
            .iter()
            .for_each(|state| out.object(&objects::recorded_state(state)));
        out.object(&json!({
            "message_type": "summary",
            "hosts": report.hosts.len(),
            "machines": report.states.len(),
        }));
    } else if report.hosts.is_empty() && report.states.is_empty() {
        if terminal.talks() {
            out.line(&service::catalogue::report::status::no_snapshots(terminal.lang));
        }
    } else {
        if !report.hosts.is_empty() {
            out.line(running::hosts(terminal.lang, &report.hosts, now).trim_end());
        }
        if !report.states.is_empty() {
            out.line("");
            out.line(running::recorded_states(terminal.lang, &report.states).trim_end());
        }
    }
    out.finish().map(|()| report.status)
}

pub fn list_sets(terminal: &Terminal) -> Result<Status, Failure> {
    let sets = status::sets(&terminal.context)?;
    let mut out = Lines::new();
    if terminal.json() {
        for one in &sets {
            out.object(&objects::set(one));
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
