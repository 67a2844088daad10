//! `run`, and what holds runs back or ends them: `pause`, `resume`, `stop`.

use crate::args::runs::{PauseArgs, RunArgs, StopArgs};
use crate::output::{self, Lines};
use crate::render::running;
use crate::terminal::Terminal;
use serde_json::{Value, json};
use service::catalogue::report::backup::MadeBy;
use service::catalogue::report::runs as report;
use service::maintenance;
use service::runs::control::{self, StopRequest};
use service::runs::{self, Request, SetReport, WhichSets};
use service::{Failure, Status};
use std::time::Duration;

/// How long `stop` waits.
const STOP_WAIT: Duration = Duration::from_secs(60);

pub fn run(terminal: &Terminal, args: &RunArgs) -> Result<Status, Failure> {
    let request = Request {
        which: match (args.due, args.all) {
            (true, _) => WhichSets::Due,
            (_, true) => WhichSets::All,
            _ => WhichSets::Named(args.sets.clone()),
        },
        wait: args.wait,
        dry_run: args.dry_run,
        allow_empty: args.allow_empty,
    };
    call(terminal, &request)
}

pub fn call(terminal: &Terminal, request: &Request) -> Result<Status, Failure> {
    // Before any thread is started, since each has a priority of its own.
    if request.which == WhichSets::Due && !request.dry_run {
        service::platform::process::be_nice();
    }
    // A user who interrupts a command of the set is to have those that clean up after it, too.
    crate::signals::catch()?;
    let report = runs::run(&terminal.context, request, terminal, &mut |set| {
        if let Some(failure) = &set.failure {
            output::say(&crate::exit::line(failure, terminal.lang, terminal.json()));
        }
        match (terminal.json(), request.dry_run) {
            (true, _) => output::object(&object(terminal, set, request.dry_run)),
            (false, true) => would_run(terminal, set),
            (false, false) => tell(terminal, set),
        }
    })?;
    for done in &report.maintenance {
        tell_maintenance(terminal, done)?;
    }
    if terminal.json() {
        output::object(&json!({
            "message_type": "summary",
            "sets": report.sets,
            "completed": report.completed,
            "status": report.status.word(),
            "reason": report.status.reason(),
            "dry_run": request.dry_run,
        }))?;
    } else if report.sets == 0
        && (terminal.global.verbose > 0 || request.dry_run)
        && request.which == WhichSets::Due
    {
        // A scheduler asks every few minutes, and cron mails whatever is printed.
        terminal.line(&report::nothing_due(terminal.lang))?;
    }
    Ok(report.status)
}

fn tell_maintenance(terminal: &Terminal, done: &maintenance::Report) -> Result<(), Failure> {
    if let Some(failure) = &done.failure {
        output::say(&crate::exit::line(failure, terminal.lang, terminal.json()));
    }
    let id = done.row.as_ref().and_then(|row| row.kept_id());
    if terminal.json() {
        return output::object(&json!({
            "message_type": "maintenance",
            "remote": done.remote,
            "kind": done.kind.word(),
            "status": done.status.word(),
            "reason": done.status.reason(),
            "id": id,
        }));
    }
    let (lang, kind) = (terminal.lang, done.kind.word());
    let status = report::status(lang, done.status.word(), done.status.reason());
    terminal.line(&report::maintained(lang, &done.remote, kind, &status, id))
}

fn tell(terminal: &Terminal, set: &SetReport) -> Result<(), Failure> {
    if !terminal.talks() || (set.row.is_none() && set.failure.is_none()) {
        return Ok(());
    }
    let lang = terminal.lang;
    let mut out = report::set_head(lang, &set.set, set.cause.word()) + "\n";
    if let Some(backup) = &set.backup {
        super::backup::tell_replicas(terminal, backup);
        out += &super::backup::told(terminal, backup, false, MadeBy::Set);
    } else if let Some(message) = set.row.as_ref().and_then(|row| row.told(lang))
        && set.failure.is_none()
    {
        out += &format!("{}\n", service::units::escape(message.as_bytes()));
    }
    out += &(running::set_end(lang, set) + "\n");
    output::write(out.as_bytes()).map(drop)
}

fn would_run(terminal: &Terminal, set: &SetReport) -> Result<(), Failure> {
    let (sources, destinations) = names(terminal, set);
    output::line(&running::would_run(terminal.lang, set, &sources, &destinations))
}

/// The sources and destinations of a set, as they are in the settings.
fn names(terminal: &Terminal, set: &SetReport) -> (Vec<String>, Vec<String>) {
    let Some(table) = terminal.context.settings.set(&set.set) else {
        return (Vec::new(), Vec::new());
    };
    let sources = table.sources.iter().map(|source| source.to_string());
    let destinations = table.destinations.iter().map(|name| name.get_ref().0.clone());
    (sources.collect(), destinations.collect())
}

fn object(terminal: &Terminal, set: &SetReport, dry_run: bool) -> Value {
    let mut object = json!({
        "message_type": "set",
        "set": set.set,
        "cause": set.cause.word(),
        "status": set.status.word(),
        "reason": set.status.reason(),
        "dry_run": dry_run,
    });
    if dry_run {
        let (sources, destinations) = names(terminal, set);
        object["sources"] = json!(sources);
        object["destinations"] = json!(destinations);
    }
    if let Some(row) = &set.row {
        object["id"] = json!(row.kept_id());
        object["status"] = json!(row.status);
        object["reason"] = json!(row.reason);
        object["message"] = json!(row.message);
    }
    if let Some(backup) = &set.backup {
        let mut fields = super::backup::fields(set.start, backup, false);
        fields.remove("message_type");
        object["backup"] = Value::Object(fields);
    }
    object
}

pub fn pause(terminal: &Terminal, args: &PauseArgs) -> Result<Status, Failure> {
    let until = control::pause(&terminal.context, args.duration)?.timestamp();
    match terminal.json() {
        true => output::object(&json!({ "message_type": "summary", "paused_until": until.to_string() }))?,
        false => terminal.line(&report::paused(terminal.lang, until))?,
    }
    Ok(Status::Completed)
}

pub fn resume(terminal: &Terminal) -> Result<Status, Failure> {
    let was_paused = control::resume(&terminal.context)?;
    match terminal.json() {
        true => output::object(&json!({ "message_type": "summary", "was_paused": was_paused }))?,
        false => terminal.line(&report::resumed(terminal.lang, was_paused))?,
    }
    Ok(Status::Completed)
}

pub fn stop(terminal: &Terminal, args: &StopArgs) -> Result<Status, Failure> {
    let request = StopRequest {
        names: args.names.clone(),
        wait: match args.no_wait {
            true => Duration::ZERO,
            false => STOP_WAIT,
        },
    };
    let report = control::stop(&terminal.context, &request)?;
    let mut out = Lines::new();
    if terminal.json() {
        let ids = |rows: &[service::history::HistoryRow]| -> Vec<String> {
            rows.iter().map(|row| row.id.clone()).collect()
        };
        out.object(&json!({
            "message_type": "summary",
            "stopped": ids(&report.stopped),
            "running": ids(&report.running),
        }));
    } else if terminal.talks() {
        report
            .stopped
            .iter()
            .for_each(|row| out.line(&report::stopped(terminal.lang, row)));
        report
            .running
            .iter()
            .for_each(|row| out.line(&report::still_running(terminal.lang, row)));
        if report.stopped.is_empty() && report.running.is_empty() {
            out.line(&report::nothing_runs(terminal.lang));
        }
    }
    out.finish()?;
    // A caller that does not wait has what was asked for.
    Ok(match args.no_wait {
        true => Status::Completed,
        false => report.status(),
    })
}
