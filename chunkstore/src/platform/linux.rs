//! Linux: a child that ends with its parent ([`super::child`]).

use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// First argument of the program when it is to become a child of itself.
const BECOME: &str = "--become-child";
const SELF: &str = "/proc/self/exe";

static LAUNCHES: AtomicBool = AtomicBool::new(false);

pub(super) fn command(name: &OsStr, path: &Path) -> Command {
    // Without /proc a child may outlive us, which is better than none.
    if LAUNCHES.load(Relaxed) && Path::new(SELF).exists() {
        let mut command = Command::new(SELF);
        command.args([BECOME, &std::process::id().to_string()]);
        command.arg(path).arg(name);
        return command;
    }
    let mut command = Command::new(path);
    command.arg0(name);
    command
}

/// To be called first in `main`: where this process was started to become a child, it does. An exit code where that
/// failed, and nothing where it is the program itself.
pub fn launch() -> Option<ExitCode> {
    LAUNCHES.store(true, Relaxed);
    let mut arguments = std::env::args_os().skip(1);
    (arguments.next()? == BECOME).then(|| become_child(arguments))
}

fn become_child(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let (Some(parent), Some(path), Some(name)) = (arguments.next(), arguments.next(), arguments.next())
    else {
        return ExitCode::FAILURE;
    };
    let asked = set_parent_process_death_signal(Some(Signal::KILL));
    // It may have ended before it was asked for.
    let is_there = getppid().is_some_and(|pid| parent == pid.as_raw_nonzero().to_string().as_str());
    if asked.is_err() || !is_there {
        return ExitCode::FAILURE;
    }
    let error = Command::new(&path).arg0(&name).args(arguments).exec();
    // If standard error is closed, there is no one to report it to.
    let _ = writeln!(std::io::stderr(), "can't start {}: {error}", path.display());
    ExitCode::from(127)
}
