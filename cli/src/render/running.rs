//! Tables about sets, their runs and the history.

use super::text::{self, grouped};
use jiff::Timestamp;
use service::catalogue::report::runs::{self as say, Field, row_status, what};
use service::catalogue::report::space::per_week;
use service::catalogue::report::status;
use service::catalogue::{Lang, Noun, count};
use service::history::{HistoryRow, files::FileRow};
use service::hosts::{HostStatus, RecordedSet, RecordedState};
use service::runs::SetReport;
use service::runs::status::{RemoteStatus, SetStatus};
use service::text::{clock, padded, width};
use service::units::{escape, format_bytes};
use std::time::Duration;

fn took(row: &HistoryRow) -> String {
    let end = row.end.unwrap_or(row.start);
    let time = Duration::try_from(end.duration_since(row.start)).unwrap_or_default();
    match row.end {
        Some(_) => clock(time),
        None => String::new(),
    }
}

/// The list of jobs.
pub fn history(lang: Lang, rows: &[HistoryRow]) -> String {
    let cells = rows.iter().map(|row| {
        vec![
            row.id.clone(),
            text::time(row.start),
            took(row),
            say::job_kind(lang, &row.kind).to_string(),
            what(lang, row),
            grouped(row.files),
            format_bytes(row.bytes),
            row_status(lang, row),
        ]
    });
    let head = say::history_columns(lang);
    text::table(&head, &[2, 5, 6], &cells.collect::<Vec<_>>())
}

/// One job, a field a line.
pub fn job(lang: Lang, row: &HistoryRow) -> String {
    let mut lines = Vec::new();
    let mut add = |field, value: Option<String>| lines.extend(value.map(|value| (field, value)));
    let shown = |text: &String| escape(text.as_bytes()).to_string();
    add(Field::Job, Some(row.id.clone()));
    add(Field::Kind, Some(say::job_kind(lang, &row.kind).to_string()));
    add(Field::Set, row.set.clone());
    add(Field::Cause, Some(say::run_cause(lang, &row.cause).to_string()));
    add(Field::Due, row.slot.map(text::time));
    add(Field::Start, Some(text::time(row.start)));
    add(Field::End, row.end.map(text::time));
    let mut sources: Vec<String> = row.sources.iter().map(shown).collect();
    if row.more_sources > 0 {
        sources.push(say::more(lang, row.more_sources));
    }
    add(
        Field::Sources,
        Some(sources.join(", ")).filter(|sources| !sources.is_empty()),
    );
    add(Field::Target, row.target.as_ref().map(shown));
    add(Field::Repository, row.repository.as_ref().map(shown));
    add(Field::Files, Some(grouped(row.files)));
    add(Field::Size, Some(format_bytes(row.bytes)));
    let removed = (row.snapshots > 0).then(|| count(lang, row.snapshots, Noun::Snapshot));
    add(Field::Removed, removed);
    add(Field::Snapshot, row.snapshot.as_deref().map(text::short));
    add(Field::Status, Some(row_status(lang, row)));
    add(Field::Message, row.told(lang).map(shown));
    for one in &row.destinations {
        let status = say::status(lang, &one.status, one.reason.as_deref());
        add(
            Field::Destination,
            Some(say::destination(lang, &one.name, &status, one.behind)),
        );
        add(
            Field::Message,
            one.told(lang)
                .map(|text| format!("{}: {}", shown(&one.name), shown(text))),
        );
    }
    add(Field::Problems, (row.problems > 0).then(|| grouped(row.problems)));
    let named = lines.iter().map(|(field, _)| width(field.name(lang)));
    let widest = named.max().unwrap_or_default().max(11);
    let lines = lines
        .iter()
        .map(|(field, value)| format!("{} {value}\n", padded(field.name(lang), widest)));
    lines.collect()
}

pub fn file(lang: Lang, file: &FileRow<'_>) -> String {
    let why = file.why.map(|why| why.text(lang));
    let why = why.map(|why| format!(": {}", escape(why.as_bytes())));
    format!(
        "{} {:>12} {}{}",
        padded(say::file_status(lang, file.status), 9),
        format_bytes(file.size),
        escape(&text::absolute(file.path)),
        why.unwrap_or_default()
    )
}

/// What is printed after the report of a set.
pub fn set_end(lang: Lang, report: &SetReport) -> String {
    let (status, id) = match &report.row {
        Some(row) => (row_status(lang, row), row.kept_id()),
        None => (
            say::status(lang, report.status.word(), report.status.reason()),
            None,
        ),
    };
    say::set_end(lang, &report.set, &status, id)
}

pub fn would_run(lang: Lang, report: &SetReport, sources: &[String], destinations: &[String]) -> String {
    let sources: Vec<String> = sources
        .iter()
        .map(|source| escape(source.as_bytes()).to_string())
        .collect();
    let is_held = report.status == service::Status::NotRun;
    let (from, to) = (sources.join(", "), destinations.join(", "));
    say::would_run(lang, &report.set, report.cause.word(), is_held, &from, &to)
}

pub fn sets(lang: Lang, sets: &[SetStatus<'_>]) -> String {
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
    let head = say::set_columns(lang);
    text::table(&head, &[3, 5], &cells.collect::<Vec<_>>())
}

/// The mark of a set, and its last run in words.
pub fn set_state(lang: Lang, one: &SetStatus<'_>) -> (&'static str, String) {
    if let Some(running) = &one.running {
        return ("*", say::running_since(lang, running.start));
    }
    let Some(last) = &one.last else {
        return (if one.overdue { "!" } else { "-" }, say::never_ran(lang));
    };
    let is_good = last.status == service::Status::Completed.word();
    let mark = if one.overdue || !is_good { "!" } else { "+" };
    (mark, row_status(lang, last))
}

pub fn status_table(
    lang: Lang,
    sets: &[SetStatus<'_>],
    destinations: &dyn Fn(&SetStatus<'_>) -> String,
) -> String {
    let time = |at: Option<Timestamp>| at.map_or_else(String::new, text::time);
    let cells = sets.iter().map(|one| {
        let (mark, state) = set_state(lang, one);
        let state = match one.overdue {
            true => say::overdue(lang, &state),
            false => state,
        };
        vec![
            mark.to_string(),
            one.name.to_string(),
            state,
            time(one.last_success),
            time(one.next_run),
            destinations(one),
        ]
    });
    let head = say::status_columns(lang);
    text::table(&head, &[], &cells.collect::<Vec<_>>())
}

/// What the remotes take up, and when what is there was last proven.
pub fn remotes(lang: Lang, remotes: &[RemoteStatus<'_>]) -> String {
    let day =
        |at: Option<Timestamp>| at.map_or_else(String::new, |at| text::time(at).chars().take(10).collect());
    let size = |bytes: Option<u64>| bytes.map_or_else(String::new, format_bytes);
    let name = |one: &RemoteStatus<'_>| {
        let name = escape(one.name.as_bytes());
        match one.append_only {
            true => status::append_only(lang, &name),
            false => name,
        }
    };
    let cells = remotes.iter().map(|one| {
        let mark = match (one.reachable, &one.failure) {
            (Some(false), _) | (_, Some(_)) => "!",
            (Some(true), None) => "+",
            (None, None) => "-",
        };
        vec![
            mark.to_string(),
            name(one),
            size(one.used),
            size(one.quota),
            one.growth_per_week
                .map_or_else(String::new, |bytes| per_week(lang, bytes)),
            day(one.full_at),
            day(one.proofs.check),
            day(one.proofs.read),
            day(one.proofs.restore),
            match one.proofs.failed_drill {
                Some(at) => status::failed_drill(lang, &day(Some(at))),
                None => day(one.proofs.drill),
            },
            status::asked(lang, one.asked, one.failure.as_ref()),
        ]
    });
    let head = status::remote_columns(lang);
    text::table(&head, &[2, 3], &cells.collect::<Vec<_>>())
}

/// The newest snapshot of each machine and its sources.
pub fn recorded_states(lang: Lang, states: &[RecordedState]) -> String {
    let time = |at: Option<Timestamp>| at.map_or_else(String::new, text::time);
    let row = |one: &RecordedState, set: &RecordedSet| {
        let (mark, status) = match set.status.as_str() {
            "" => ("-", say::never_ran(lang)),
            "completed" => ("+", say::status(lang, &set.status, None)),
            word => ("!", say::status(lang, word, set.reason.as_deref())),
        };
        vec![
            mark.to_string(),
            escape(one.host.as_bytes()),
            escape(set.name.as_bytes()),
            status,
            time(set.last_run),
            time(set.last_success),
            time(set.next_run),
            text::time(one.recorded),
        ]
    };
    let cells = states
        .iter()
        .flat_map(|one| one.sets.iter().map(|set| row(one, set)));
    let head = status::recorded_columns(lang);
    text::table(&head, &[], &cells.collect::<Vec<_>>())
}

/// The newest snapshots of every machine.
pub fn hosts(lang: Lang, hosts: &[HostStatus], now: Timestamp) -> String {
    let cells = hosts.iter().map(|one| {
        let mark = if one.is_complete() { "+" } else { "!" };
        let host = match one.is_here {
            true => status::here(lang, &escape(one.host.as_bytes())),
            false => escape(one.host.as_bytes()),
        };
        vec![
            mark.to_string(),
            host,
            text::time(one.newest),
            status::age(lang, now.duration_since(one.newest)),
            status::whole(lang, one.partial, one.errors),
            grouped(one.snapshots),
            escape(one.repository.as_bytes()),
            text::paths(&one.paths),
        ]
    });
    let head = status::host_columns(lang);
    text::table(&head, &[5], &cells.collect::<Vec<_>>())
}
