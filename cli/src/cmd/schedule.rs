//! `schedule`: when sets run next, and what makes the operating system look for what is due.

use crate::args::runs::{ScheduleCommand, ScheduleInstallArgs, SchedulerArgs};
use crate::output::{self, Lines};
use crate::render::text;
use crate::terminal::Terminal;
use serde_json::json;
use service::catalogue::Cause;
use service::catalogue::report::runs::no_sets;
use service::catalogue::report::schedule as report;
use service::platform::process::user_name;
use service::runs::status;
use service::scheduler::{self, SchedulerKind, launchd, systemd, task};
use service::units::escape;
use service::{Failure, Status};
use std::path::PathBuf;

pub fn run(terminal: &Terminal, command: &ScheduleCommand) -> Result<Status, Failure> {
    match command {
        ScheduleCommand::List(args) => list(terminal, usize::from(args.next)),
        ScheduleCommand::Show(args) => show(terminal, args),
        ScheduleCommand::Install(args) => install(terminal, args),
        ScheduleCommand::Remove(args) => remove(terminal, args),
    }
}

fn list(terminal: &Terminal, count: usize) -> Result<Status, Failure> {
    let sets = status::sets(&terminal.context)?;
    let mut out = Lines::new();
    if sets.is_empty() && terminal.talks() {
        out.line(&no_sets(terminal.lang));
    }
    for one in &sets {
        let next = status::next_slots(&one.schedule, &terminal.context.now, count);
        let next: Vec<_> = next.iter().map(|slot| slot.timestamp()).collect();
        if terminal.json() {
            let next: Vec<String> = next.iter().map(ToString::to_string).collect();
            out.object(&json!({
                "message_type": "schedule",
                "set": one.name,
                "schedule": one.schedule.to_string(),
                "next": next,
            }));
            continue;
        }
        out.line(&format!("{}: {}", one.name, one.schedule));
        next.iter()
            .for_each(|slot| out.line(&format!("  {}", text::time(*slot))));
    }
    if terminal.json() {
        out.object(&json!({ "message_type": "summary", "sets": sets.len() }));
    }
    out.finish().map(|()| Status::Completed)
}

pub fn program() -> Result<PathBuf, Failure> {
    let program = std::env::current_exe();
    program.map_err(|e| Cause::ProgramUnknown { why: e.into() }.into())
}

fn show(terminal: &Terminal, args: &SchedulerArgs) -> Result<Status, Failure> {
    let kind = args
        .scheduler
        .map_or_else(SchedulerKind::here, SchedulerKind::from);
    let parts = scheduler::entry(kind, &program()?, &terminal.context.env)?;
    let mut out = Lines::new();
    if terminal.json() {
        let mut object = json!({ "message_type": "summary" });
        for part in &parts {
            object[field(part.name)] = json!(part.text);
        }
        out.object(&object);
    } else if let [part] = &parts[..] {
        out.line(part.text.trim_end());
    } else {
        let text = parts.iter().map(|part| format!("# {}\n{}", part.name, part.text));
        out.line(text.collect::<Vec<_>>().join("\n").trim_end());
    }
    out.finish().map(|()| Status::Completed)
}

/// What a part is called in JSON.
fn field(name: &str) -> &str {
    match name {
        systemd::SERVICE => "service",
        systemd::TIMER => "timer",
        launchd::FILE => "plist",
        task::NAME => "task",
        name => name,
    }
}

fn install(terminal: &Terminal, args: &ScheduleInstallArgs) -> Result<Status, Failure> {
    let (env, kind) = (&terminal.context.env, SchedulerKind::here());
    let place = match args.dry_run {
        true => scheduler::place(kind, env)?,
        false => scheduler::install(kind, &program()?, env)?,
    };
    let user = user_name();
    let lingers = terminal.context.machine().lingers(&user);
    if terminal.json() {
        output::object(&json!({
            "message_type": "summary",
            "directory": place.to_string_lossy(),
            "lingers": lingers,
            "dry_run": args.dry_run,
        }))?;
        return Ok(Status::Completed);
    }
    let shown = escape(place.as_os_str().as_encoded_bytes());
    terminal.line(&report::installed(terminal.lang, kind, &shown, args.dry_run))?;
    terminal.line(&report::ticks(terminal.lang, lingers, &user))?;
    Ok(Status::Completed)
}

fn remove(terminal: &Terminal, args: &ScheduleInstallArgs) -> Result<Status, Failure> {
    let (env, kind) = (&terminal.context.env, SchedulerKind::here());
    let removed = match args.dry_run {
        true => scheduler::is_installed(kind, env)?,
        false => scheduler::remove(kind, env)?,
    };
    match terminal.json() {
        true => output::object(&json!({
            "message_type": "summary",
            "removed": removed,
            "dry_run": args.dry_run,
        }))?,
        false => terminal.line(&report::removed(terminal.lang, kind, removed, args.dry_run))?,
    }
    Ok(Status::Completed)
}
