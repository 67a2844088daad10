//! The one place where processes are started: `rclone` and `ssh` here, the user's own commands in `cli`.
//!
//! A child gets none of this program's variables, which may hold passwords, and unless it is [`lasting`] it ends when this
//! process does, even by SIGKILL. For that the program, where it has called [`launch`], starts its own binary, which asks
//! the kernel for the signal (`PR_SET_PDEATHSIG`) and then becomes the child: no code of ours has to run between fork and
//! exec.

use super::system;
use crate::error::Cause;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};

/// Variables of this program begin so.
const OURS: &str = "DEDUP_";

/// A command that sees no variable of ours and ends with us. An error where there is no such program.
pub fn command(program: impl AsRef<OsStr>) -> io::Result<Command> {
    made_by(launcher::command, program.as_ref())
}

/// The same of one that goes on when this process is killed, because something would be left half done.
pub fn lasting(program: impl AsRef<OsStr>) -> io::Result<Command> {
    made_by(|_, path| Command::new(path), program.as_ref())
}

fn made_by(make: impl FnOnce(&OsStr, &Path) -> Command, program: &OsStr) -> io::Result<Command> {
    let path = find(program, std::env::var_os("PATH").as_deref())?;
    let mut command = make(program, &path);
    hide(&mut command, std::env::vars_os().map(|(name, _)| name));
    Ok(command)
}

fn hide(command: &mut Command, names: impl Iterator<Item = OsString>) {
    for name in names.filter(|name| name.to_string_lossy().starts_with(OURS)) {
        command.env_remove(name);
    }
}

/// The file that a program's name means, so that a missing one is reported before anything is started.
fn find(program: &OsStr, path: Option<&OsStr>) -> io::Result<PathBuf> {
    let named = Path::new(program);
    if named.components().count() > 1 {
        return named.metadata().map(|_| named.to_path_buf());
    }
    let folders = std::env::split_paths(path.unwrap_or(OsStr::new(system::USUAL_PATH)));
    let mut files = folders.map(|folder| folder.join(named));
    files
        .find(|file| system::is_executable(file))
        .ok_or_else(|| Cause::NotInstalled.into_io(io::ErrorKind::NotFound))
}

/// Starts a child and returns what `start` makes of it. The kernel sends the signal when the *thread* that started the
/// child ends, so all are started by one thread, which ends with the process.
pub fn start<T: Send + 'static>(start: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    let gone = || Cause::StarterEnded.into_io(io::ErrorKind::Other);
    let (answer, answered) = sync_channel(1);
    let task: Task = Box::new(move || {
        // The thread that asked waits for it, or has ended.
        let _ = answer.send(start());
    });
    starter()?.send(task).map_err(|_| gone())?;
    answered.recv().map_err(|_| gone())?
}

/// The same for a child of the asynchronous runtime that this is called in.
pub fn start_async(mut command: tokio::process::Command) -> io::Result<tokio::process::Child> {
    let runtime = tokio::runtime::Handle::try_current().map_err(io::Error::other)?;
    start(move || {
        let _entered = runtime.enter();
        command.spawn()
    })
}

type Task = Box<dyn FnOnce() + Send>;

fn starter() -> io::Result<SyncSender<Task>> {
    static STARTER: Mutex<Option<SyncSender<Task>>> = Mutex::new(None);
    // It holds a sender or none, whichever thread panicked.
    let mut starter = STARTER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(starter) = &*starter {
        return Ok(starter.clone());
    }
    let (sender, tasks) = sync_channel::<Task>(1);
    std::thread::Builder::new()
        .name("children".into())
        .spawn(move || tasks.into_iter().for_each(|task| task()))?;
    Ok(starter.insert(sender).clone())
}

/// A command that runs a line in the user's shell.
pub fn shell(line: &OsStr) -> io::Result<Command> {
    let (program, option) = system::SHELL;
    let mut command = command(program)?;
    command.arg(option).arg(line);
    Ok(command)
}

/// Has a child, and what it starts in turn, be one group, which [`kill_group`] ends.
pub fn in_own_group(command: &mut Command) {
    system::in_own_group(command);
}

/// Ends a child that was started [`in_own_group`], and what it started, at once.
pub fn kill_group(child: &mut Child) -> io::Result<()> {
    system::kill_group(child)
}

/// Keeps the terminal's signals from a child: a key typed there is for this program, which then ends in good order.
pub(crate) fn detach(command: &mut tokio::process::Command) {
    system::detach(command);
}

pub use launcher::launch;

#[cfg(target_os = "linux")]
use super::linux as launcher;

#[cfg(not(target_os = "linux"))]
mod launcher {
    use std::ffi::OsStr;
    use std::path::Path;
    use std::process::{Command, ExitCode};

    /// Where the system does not end children with their parent, one may outlive this process.
    pub(super) fn command(_: &OsStr, path: &Path) -> Command {
        Command::new(path)
    }

    pub fn launch() -> Option<ExitCode> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_see_no_variable_of_ours() {
        let mut command = Command::new("true");
        let names = ["DEDUP_PASSWORD", "DEDUP_FROM_KEY_FILE", "PATH", "XDEDUP_"];
        hide(&mut command, names.map(OsString::from).into_iter());
        let removed: Vec<_> = command.get_envs().collect();
        assert_eq!(
            removed,
            [
                (OsStr::new("DEDUP_FROM_KEY_FILE"), None),
                (OsStr::new("DEDUP_PASSWORD"), None)
            ]
        );
    }

    #[cfg(unix)]
    #[test]
    fn programs_are_found_as_a_shell_finds_them() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("tool");
        std::fs::write(&file, "#!/bin/sh\n").unwrap();
        let path = std::env::join_paths([Path::new("/no/such"), dir.path()]).unwrap();
        let find = |program: &str| find(program.as_ref(), Some(&path)).map_err(|e| e.kind());
        assert_eq!(find("tool"), Err(io::ErrorKind::NotFound), "it can't be run");
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o700)).unwrap();
        assert_eq!(find("tool"), Ok(file.clone()));
        assert_eq!(find(file.to_str().unwrap()), Ok(file.clone()));
        assert_eq!(find("other"), Err(io::ErrorKind::NotFound));
        assert_eq!(find("/no/such/tool"), Err(io::ErrorKind::NotFound));
    }

    #[test]
    fn started_by_one_thread_that_stays() {
        let thread = || start(|| Ok(std::thread::current().id())).unwrap();
        let first = std::thread::spawn(thread).join().unwrap();
        assert_eq!(first, thread());
        assert!(start(|| Err::<(), _>(io::Error::other("no"))).is_err());
    }
}
