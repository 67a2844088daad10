//! Text about sets, their runs and the history: values in, text out, so that another language can be put beside it.

use super::text::{self, grouped};
use jiff::Timestamp;
use service::history::words::{status, what};
use service::history::{HistoryRow, files::FileStatus};
use service::runs::status::SetStatus;
use service::runs::{SetReport, WhichSets};
use service::schedule::RunCause;
use service::text::clock;
use service::units::{escape, format_bytes};
use std::time::Duration;

/// `1 file`, `2 files`.
fn count(n: u64, one: &str) -> String {
    match n {
        1 => format!("1 {one}"),
        n => format!("{} {one}s", grouped(n)),
    }
}

pub fn row_status(row: &HistoryRow) -> String {
    status(&row.status, row.reason.as_deref())
}

fn took(row: &HistoryRow) -> String {
    let end = row.end.unwrap_or(row.start);
    let time = Duration::try_from(end.duration_since(row.start)).unwrap_or_default();
    match row.end {
        Some(_) => clock(time),
        None => String::new(),
    }
}

/// The list of jobs.
pub fn history(rows: &[HistoryRow]) -> String {
    let cells = rows.iter().map(|row| {
        vec![
            row.id.clone(),
            text::time(row.start),
            took(row),
            row.kind.clone(),
            escape(what(row).as_bytes()),
            grouped(row.files),
            format_bytes(row.bytes),
            row_status(row),
        ]
    });
    let head = ["Job", "Start", "Took", "Kind", "What", "Files", "Size", "Status"];
    text::table(&head, &[2, 5, 6], &cells.collect::<Vec<_>>())
}

pub fn no_history() -> &'static str {
    "No jobs"
}

pub fn more_history(limit: u32) -> String {
    format!(
        "These are the newest {}; --limit shows more",
        grouped(u64::from(limit))
    )
}

/// One job, a field a line.
pub fn job(row: &HistoryRow) -> String {
    let mut lines = vec![("Job", row.id.clone()), ("Kind", row.kind.clone())];
    let mut add = |name, value: Option<String>| lines.extend(value.map(|value| (name, value)));
    add("Set", row.set.clone());
    add("RunCause", Some(row.cause.clone()));
    add("Due", row.slot.map(text::time));
    add("Start", Some(text::time(row.start)));
    add("End", row.end.map(text::time));
    let sources = row.sources.iter().map(|source| escape(source.as_bytes()));
    let mut sources: Vec<String> = sources.collect();
    if row.more_sources > 0 {
        sources.push(format!("{} more", grouped(row.more_sources)));
    }
    add(
        "Sources",
        Some(sources.join(", ")).filter(|sources| !sources.is_empty()),
    );
    add(
        "Target",
        row.target.as_ref().map(|target| escape(target.as_bytes())),
    );
    add("Files", Some(grouped(row.files)));
    add("Size", Some(format_bytes(row.bytes)));
    add(
        "Removed",
        (row.snapshots > 0).then(|| count(row.snapshots, "snapshot")),
    );
    add("Snapshot", row.snapshot.as_deref().map(text::short));
    add("Status", Some(row_status(row)));
    add(
        "Message",
        row.message.as_ref().map(|message| escape(message.as_bytes())),
    );
    for destination in &row.destinations {
        let behind = match destination.behind {
            0 => String::new(),
            n => format!(", behind by {}", count(n, "snapshot")),
        };
        let status = status(&destination.status, destination.reason.as_deref());
        let name = escape(destination.name.as_bytes());
        add("Destination", Some(format!("{name}: {status}{behind}")));
    }
    add("Problems", (row.problems > 0).then(|| grouped(row.problems)));
    let mut out = String::new();
    for (name, value) in lines {
        out += &format!("{name:<12}{value}\n");
    }
    out
}

pub fn more_problems(left: u64) -> String {
    format!("{} not kept", count(left, "more problem"))
}

pub fn file(file: FileStatus, size: u64, path: &[u8]) -> String {
    format!(
        "{:<9} {:>12} {}",
        file.word(),
        format_bytes(size),
        escape(&text::absolute(path))
    )
}

pub fn pages(page: u64, all: u64, per_page: u64) -> String {
    let last = all.div_ceil(per_page).max(1);
    format!(
        "{}, page {} of {}",
        count(all, "file"),
        grouped(page),
        grouped(last)
    )
}

pub fn no_parent() -> &'static str {
    "There is no snapshot to compare with any more, or there never was: every file is shown as new"
}

fn because(cause: RunCause) -> &'static str {
    cause.word()
}

/// What is printed before the report of a set.
pub fn set_head(report: &SetReport) -> String {
    format!("Set {} ({})\n", report.set, because(report.cause))
}

/// What is printed after it.
pub fn set_end(report: &SetReport) -> String {
    let (status, id) = match &report.row {
        Some(row) => (row_status(row), row.id.clone()),
        None => (
            status(report.status.word(), report.status.reason()),
            String::new(),
        ),
    };
    match id.is_empty() {
        true => format!("Set {}: {status}\n", report.set),
        false => format!(
            "Set {}: {status}; 'dedup history {id}' has the details\n",
            report.set
        ),
    }
}

pub fn would_run(report: &SetReport, sources: &[String], destinations: &[String]) -> String {
    let held = match report.status {
        service::Status::NotRun => ", but runs are paused",
        _ => "",
    };
    let sources: Vec<String> = sources.iter().map(|source| escape(source.as_bytes())).collect();
    format!(
        "Would run set {} ({}{held}): {} to {}",
        report.set,
        because(report.cause),
        sources.join(", "),
        destinations.join(", ")
    )
}

pub fn nothing_to_run(which: &WhichSets) -> Option<&'static str> {
    match which {
        WhichSets::Due => Some("Nothing is due"),
        WhichSets::Named(_) | WhichSets::All => None,
    }
}

pub fn paused(until: Timestamp) -> String {
    format!("Paused until {}; 'dedup resume' ends that", text::time(until))
}

pub fn resumed(was_paused: bool) -> &'static str {
    match was_paused {
        true => "Resumed; what is due runs at the next tick of the scheduler",
        false => "Nothing was paused",
    }
}

pub fn stopped(row: &HistoryRow) -> String {
    format!("Stopped {} of {}", row.kind, escape(what(row).as_bytes()))
}

pub fn still_running(row: &HistoryRow) -> String {
    format!(
        "The {} of {} was asked to stop and still runs: it ends at its next safe point",
        row.kind,
        escape(what(row).as_bytes())
    )
}

pub fn nothing_runs() -> &'static str {
    "Nothing is running"
}

pub fn no_sets() -> &'static str {
    "There are no sets; docs/running.md shows how to add one to dedup.toml"
}

pub fn sets(sets: &[SetStatus<'_>]) -> String {
    let cells = sets.iter().map(|one| {
        let names = one.set.destinations.iter().map(|name| name.get_ref().0.clone());
        vec![
            one.name.to_string(),
            one.schedule.to_string(),
            one.next_run.map_or_else(String::new, text::time),
            one.set.priority.to_string(),
            names.collect::<Vec<_>>().join(","),
            one.set.sources.len().to_string(),
        ]
    });
    let head = [
        "Set",
        "Schedule",
        "Next run",
        "Priority",
        "Destinations",
        "Sources",
    ];
    text::table(&head, &[3, 5], &cells.collect::<Vec<_>>())
}

/// The mark of a set, and its last run in words.
pub fn set_state(one: &SetStatus<'_>) -> (&'static str, String) {
    if let Some(running) = &one.running {
        return ("*", format!("running since {}", text::time(running.start)));
    }
    let Some(last) = &one.last else {
        return (if one.overdue { "!" } else { "-" }, "never ran".to_string());
    };
    let is_good = last.status == service::Status::Completed.word();
    let mark = if one.overdue || !is_good { "!" } else { "+" };
    (mark, row_status(last))
}

pub fn status_table(sets: &[SetStatus<'_>], destinations: &dyn Fn(&SetStatus<'_>) -> String) -> String {
    let time = |at: Option<Timestamp>| at.map_or_else(String::new, text::time);
    let cells = sets.iter().map(|one| {
        let (mark, state) = set_state(one);
        let overdue = if one.overdue { ", overdue" } else { "" };
        vec![
            mark.to_string(),
            one.name.to_string(),
            format!("{state}{overdue}"),
            time(one.last_success),
            time(one.next_run),
            destinations(one),
        ]
    });
    let head = ["", "Set", "State", "Last success", "Next run", "Destinations"];
    text::table(&head, &[], &cells.collect::<Vec<_>>())
}

/// A destination, and what it was last known to be behind by.
pub fn behind(name: &str, behind: Option<u64>) -> String {
    match behind {
        None => name.to_string(),
        Some(0) => format!("{name} (current)"),
        Some(behind) => format!("{name} (behind by {})", count(behind, "snapshot")),
    }
}

pub fn installed(dir: &str, dry_run: bool) -> String {
    match dry_run {
        true => format!("Would write dedup.service and dedup.timer to {dir} and start the timer"),
        false => format!(
            "Wrote dedup.service and dedup.timer to {dir}, and started the timer\n\
             It runs while you are logged in; 'loginctl enable-linger' makes it run always"
        ),
    }
}

pub fn removed(removed: bool, dry_run: bool) -> &'static str {
    match (removed, dry_run) {
        (false, _) => "No timer is installed",
        (true, true) => "Would stop and remove dedup.timer and dedup.service",
        (true, false) => "Stopped and removed dedup.timer and dedup.service",
    }
}

pub fn settings_are_right(path: Option<&str>, remotes: u64, sets: u64) -> String {
    match path {
        None => "There is no dedup.toml, so every setting has its default".to_string(),
        Some(path) => format!(
            "{path}: no errors, {}, {}",
            count(remotes, "remote"),
            count(sets, "set")
        ),
    }
}
