//! A set's own commands, run by the shell: each once per run, however many destinations there are. Their output goes to
//! standard error, as standard output is the answer's.

use crate::catalogue::{Cause, CommandEnd, HookEnd};
use crate::failure::Failure;
use crate::settings::tables::SetTable;
use crate::status::Status;
use engine::platform::child;
use std::io;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long a command may take unless the settings set it.
const TIMEOUT: Duration = Duration::from_secs(3600);
/// How often it is looked whether it has ended.
const LOOK: Duration = Duration::from_millis(20);
/// `EX_TEMPFAIL`: a command before the backup that ends with it means "not now" (a disk that is not plugged in).
const NOT_NOW: i32 = 75;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hook {
    Before,
    After,
    Failed,
    Finally,
}

impl Hook {
    /// Its key in the settings.
    pub fn key(self) -> &'static str {
        match self {
            Hook::Before => "run-before",
            Hook::After => "run-after",
            Hook::Failed => "run-failed",
            Hook::Finally => "run-finally",
        }
    }

    fn command(self, set: &SetTable) -> Option<&str> {
        let command = match self {
            Hook::Before => &set.run_before,
            Hook::After => &set.run_after,
            Hook::Failed => &set.run_failed,
            Hook::Finally => &set.run_finally,
        };
        command.as_deref().filter(|command| !command.trim().is_empty())
    }
}

/// What a command learns of its run, in its environment.
pub struct HookInfo<'a> {
    pub set: &'a str,
    pub cause: &'a str,
    /// How the run ended so far.
    pub status: Option<Status>,
    pub snapshot: Option<&'a str>,
}

/// How long each of a set's commands may take.
pub fn limit(set: &SetTable) -> Duration {
    set.run_timeout.map_or(TIMEOUT, |lapse| lapse.0)
}

/// Runs a hook if the set has one. `stop` ends it.
pub fn run(hook: Hook, set: &SetTable, info: &HookInfo<'_>, stop: &dyn Fn() -> bool) -> Result<(), Failure> {
    let Some(text) = hook.command(set) else {
        return Ok(());
    };
    let limit = limit(set);
    let failed = |end| Failure::from(Cause::HookFailed { hook, end });
    let ended = |end| failed(HookEnd::Command(end));
    let started = start(text, info).and_then(|child| wait(child, limit, stop));
    match started.map_err(|e| ended(CommandEnd::System(e.into())))? {
        Ended::Exit(status) if status.success() => Ok(()),
        Ended::Exit(status) if hook == Hook::Before && status.code() == Some(NOT_NOW) => {
            Err(Cause::NotNow { hook }.into())
        }
        Ended::Exit(status) => Err(ended(CommandEnd::Status(status))),
        Ended::TimedOut => Err(failed(HookEnd::TimedOut(limit))),
        Ended::Stopped => Err(engine::Error::Interrupted.into()),
    }
}

enum Ended {
    Exit(ExitStatus),
    TimedOut,
    Stopped,
}

fn start(text: &str, info: &HookInfo<'_>) -> io::Result<Child> {
    let mut command = child::shell(text.as_ref())?;
    command.stdin(Stdio::null()).stdout(io::stderr());
    command.env("DEDUP_SET", info.set).env("DEDUP_CAUSE", info.cause);
    if let Some(status) = info.status {
        command.env("DEDUP_STATUS", status.word());
        command.env("DEDUP_REASON", status.reason().unwrap_or_default());
    }
    if let Some(snapshot) = info.snapshot {
        command.env("DEDUP_SNAPSHOT", snapshot);
    }
    // What it starts in turn is killed with it.
    child::in_own_group(&mut command);
    child::start(move || command.spawn())
}

fn wait(mut child: Child, limit: Duration, stop: &dyn Fn() -> bool) -> io::Result<Ended> {
    let end = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Ended::Exit(status));
        }
        let is_late = Instant::now() >= end;
        if is_late || stop() {
            child::kill_group(&mut child)?;
            child.wait()?;
            return Ok(if is_late { Ended::TimedOut } else { Ended::Stopped });
        }
        std::thread::sleep(LOOK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::values::Lapse;

    fn run_before(text: &str, limit: Duration, stop: &dyn Fn() -> bool) -> Result<(), Failure> {
        let set = SetTable {
            run_before: Some(text.to_string()),
            run_timeout: Some(Lapse(limit)),
            ..SetTable::default()
        };
        let info = HookInfo {
            set: "a",
            cause: "manual",
            status: None,
            snapshot: None,
        };
        run(Hook::Before, &set, &info, stop)
    }

    #[test]
    fn endings() {
        let minute = Duration::from_secs(60);
        let status = |text: &str| run_before(text, minute, &|| false).map_err(|failure| failure.status);
        assert_eq!(status("[ $DEDUP_SET-$DEDUP_CAUSE = a-manual ]"), Ok(()));
        assert_eq!(status("exit 3"), Err(Status::Failed));
        assert_eq!(status("exit 75"), Err(Status::NotRun));
        assert_eq!(status(""), Ok(()));
        let failure = run_before("exit 3", minute, &|| false).unwrap_err();
        assert!(
            failure.message().contains("run-before") && failure.message().contains('3'),
            "{failure:?}"
        );
    }

    /// With what it has started: the shell's child holds the file open for an hour otherwise.
    #[test]
    fn one_that_hangs_is_killed() {
        let dir = tempfile::tempdir().unwrap();
        let mark = dir.path().join("mark");
        let text = format!("(sleep 2; touch '{}') & sleep 3600", mark.display());
        let failure = run_before(&text, Duration::from_millis(300), &|| false).unwrap_err();
        assert!(
            failure.status == Status::Failed && failure.message().contains("longer"),
            "{failure:?}"
        );
        let failure = run_before("sleep 3600", Duration::from_secs(3600), &|| true).unwrap_err();
        assert_eq!(failure.status, Status::Interrupted);
        std::thread::sleep(Duration::from_secs(2));
        assert!(!mark.exists());
    }
}
