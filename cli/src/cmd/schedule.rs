//! `schedule`: when sets run next, and what makes the operating system look for what is due.

use crate::args::runs::{ScheduleCommand, ScheduleInstallArgs, Scheduler, SchedulerArgs};
use crate::output::{self, Lines};
use crate::render::text;
use crate::terminal::Terminal;
use serde_json::json;
use service::catalogue::Cause;
use service::catalogue::report::runs as report;
use service::runs::status;
use service::scheduler::{self, SERVICE, TIMER};
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
        out.line(&report::no_sets(terminal.lang));
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

fn program() -> Result<PathBuf, Failure> {
    let program = std::env::current_exe();
    program.map_err(|e| Cause::ProgramUnknown { why: e.into() }.into())
}

fn show(terminal: &Terminal, args: &SchedulerArgs) -> Result<Status, Failure> {
    let (program, mut out) = (program()?, Lines::new());
    match args.scheduler {
        Scheduler::Cron => {
            let line = scheduler::cron_line(&program)?;
            match terminal.json() {
                true => out.object(&json!({ "message_type": "summary", "crontab": line })),
                false => out.line(&line),
            }
        }
        Scheduler::Systemd => {
            let units = scheduler::systemd(&program, &terminal.context.env)?;
            match terminal.json() {
                true => out.object(&json!({
                    "message_type": "summary",
                    "service": units.service,
                    "timer": units.timer,
                })),
                false => {
                    out.line(&format!("# {SERVICE}\n{}", units.service));
                    out.line(format!("# {TIMER}\n{}", units.timer).trim_end());
                }
            }
        }
    }
    out.finish().map(|()| Status::Completed)
}

fn install(terminal: &Terminal, args: &ScheduleInstallArgs) -> Result<Status, Failure> {
    let env = &terminal.context.env;
    let units = scheduler::systemd(&program()?, env)?;
    let dir = match args.dry_run {
        true => scheduler::unit_dir(env)?,
        false => scheduler::install(&units, env)?,
    };
    let shown = escape(dir.as_os_str().as_encoded_bytes());
    match terminal.json() {
        true => output::object(&json!({
            "message_type": "summary",
            "directory": dir.to_string_lossy(),
            "dry_run": args.dry_run,
        }))?,
        false => terminal.line(&report::installed(terminal.lang, &shown, args.dry_run))?,
    }
    Ok(Status::Completed)
}

fn remove(terminal: &Terminal, args: &ScheduleInstallArgs) -> Result<Status, Failure> {
    let env = &terminal.context.env;
    let removed = match args.dry_run {
        true => scheduler::unit_dir(env)?.join(TIMER).exists(),
        false => scheduler::remove(env)?,
    };
    match terminal.json() {
        true => output::object(&json!({
            "message_type": "summary",
            "removed": removed,
            "dry_run": args.dry_run,
        }))?,
        false => terminal.line(&report::removed(terminal.lang, removed, args.dry_run))?,
    }
    Ok(Status::Completed)
}
