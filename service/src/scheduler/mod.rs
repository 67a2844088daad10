//! What the operating system's scheduler needs to call `dedup run --due`: one entry per user, whatever the sets are; which
//! set runs when is decided by [`crate::schedule`]. What an entry says is made here for every system, and installed by the
//! scheduler of this one.

pub mod cron;
pub mod launchd;
pub mod systemd;
pub mod task;

use crate::catalogue::{Action, Cause, CommandEnd};
use crate::env::Env;
use crate::failure::Failure;
use engine::platform::{child, files};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// What the entry runs, after the program.
const ARGUMENTS: [&str; 3] = ["--quiet", "run", "--due"];

/// Variables that say where things are and which language is read, and hold no secret: the scheduler must find the same.
const CARRIED: [&str; 12] = [
    "DEDUP_CACHE_DIR",
    "DEDUP_STATE_DIR",
    "DEDUP_HOST",
    "DEDUP_PROFILE",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
    "TZ",
    "LC_ALL",
    "LC_MESSAGES",
    "LANG",
];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SchedulerKind {
    Systemd,
    Cron,
    Launchd,
    TaskScheduler,
}

impl SchedulerKind {
    /// The one that `schedule install` uses on this system.
    pub fn here() -> SchedulerKind {
        match std::env::consts::OS {
            "macos" => SchedulerKind::Launchd,
            "windows" => SchedulerKind::TaskScheduler,
            _ => SchedulerKind::Systemd,
        }
    }
}

/// One file, or what takes its place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EntryPart {
    /// Its name; of a line for cron and of a task, what it is called in JSON.
    pub name: &'static str,
    pub text: String,
}

/// What makes a scheduler run `program`.
pub fn entry(kind: SchedulerKind, program: &Path, env: &Env) -> Result<Vec<EntryPart>, Failure> {
    let part = |name, text| EntryPart { name, text };
    Ok(match kind {
        SchedulerKind::Systemd => {
            let units = systemd::units(program, env)?;
            vec![
                part(systemd::SERVICE, units.service),
                part(systemd::TIMER, units.timer),
            ]
        }
        SchedulerKind::Cron => vec![part("crontab", cron::line(program)?)],
        SchedulerKind::Launchd => vec![part(launchd::FILE, launchd::plist(program, env)?)],
        SchedulerKind::TaskScheduler => vec![part(task::NAME, task::xml(program)?)],
    })
}

/// Where an entry is, or is to be: a directory, a file, or the name of a task.
pub fn place(kind: SchedulerKind, env: &Env) -> Result<PathBuf, Failure> {
    match kind {
        SchedulerKind::Systemd | SchedulerKind::Cron => systemd::unit_dir(env),
        SchedulerKind::Launchd => launchd::file(env),
        SchedulerKind::TaskScheduler => Ok(task::NAME.into()),
    }
}

/// Installs an entry that runs `program`, and says where.
pub fn install(kind: SchedulerKind, program: &Path, env: &Env) -> Result<PathBuf, Failure> {
    match kind {
        SchedulerKind::Systemd | SchedulerKind::Cron => {
            systemd::install(&systemd::units(program, env)?, env)?
        }
        SchedulerKind::Launchd => launchd::install(&launchd::plist(program, env)?, env, &call)?,
        SchedulerKind::TaskScheduler => task::install(&task::xml(program)?, &call)?,
    }
    place(kind, env)
}

/// Whether there is an entry, as far as that shows without asking the scheduler.
pub fn is_installed(kind: SchedulerKind, env: &Env) -> Result<bool, Failure> {
    match kind {
        SchedulerKind::Systemd | SchedulerKind::Cron => systemd::is_installed(env),
        SchedulerKind::Launchd => Ok(launchd::file(env)?.exists()),
        SchedulerKind::TaskScheduler => Ok(task::is_installed(&call)),
    }
}

/// Removes it. False if there is none.
pub fn remove(kind: SchedulerKind, env: &Env) -> Result<bool, Failure> {
    if !is_installed(kind, env)? {
        return Ok(false);
    }
    match kind {
        SchedulerKind::Systemd | SchedulerKind::Cron => systemd::remove(env)?,
        SchedulerKind::Launchd => launchd::remove(env, &call)?,
        SchedulerKind::TaskScheduler => task::remove(&call)?,
    }
    Ok(true)
}

/// The program's path as a file of text can have it.
fn text_of(program: &Path) -> Result<&str, Failure> {
    let text = program
        .to_str()
        .ok_or_else(|| Failure::from(Cause::ProgramNotUtf8))?;
    match text.contains(|c: char| c.is_control()) {
        true => Err(not_in_a_unit(text)),
        false => Ok(text),
    }
}

fn not_in_a_unit(text: &str) -> Failure {
    let text = text.escape_debug().to_string();
    Cause::NotInAUnit { text }.into()
}

/// Text in XML.
fn in_xml(text: &str) -> String {
    let escaped = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    escaped.replace('"', "&quot;")
}

/// A program of the system with its arguments.
type Call<'a> = &'a dyn Fn(&str, &[&str]) -> Result<(), Failure>;

fn call(program: &str, args: &[&str]) -> Result<(), Failure> {
    let failed = |why| {
        let command = format!("{program} {}", args.join(" "));
        Failure::from(Cause::Systemctl { command, why })
    };
    let refused = |e: std::io::Error| failed(CommandEnd::System(e.into()));
    let mut command = child::command(program).map_err(refused)?;
    command
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let child = child::start(move || command.spawn()).map_err(refused)?;
    let output = child.wait_with_output().map_err(refused)?;
    match output.status.success() {
        true => Ok(()),
        false => {
            let said = String::from_utf8_lossy(&output.stderr);
            let said = said.lines().next().unwrap_or_default();
            Err(failed(match said.is_empty() {
                true => CommandEnd::Status(output.status),
                false => CommandEnd::Said(said.to_string()),
            }))
        }
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    files::rewrite(path, bytes).map_err(|e| Failure::system(Action::Write, path, e))
}

fn delete(path: &Path) -> Result<(), Failure> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(Failure::system(Action::Use, path, e)),
        _ => Ok(()),
    }
}
