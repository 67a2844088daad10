//! The one place where processes are started: `rclone` and `ssh` here, the user's own commands in `cli`.
//!
//! A child gets none of this program's variables, which may hold passwords, and it ends when this process does, even by
//! SIGKILL. For that the program, where it has called [`launch`], starts its own binary, which asks the kernel for the
//! signal (`PR_SET_PDEATHSIG`) and then becomes the child: no code of ours has to run between fork and exec.

use crate::error::Cause;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};

/// Variables of this program begin so.
const OURS: &str = "DEDUP_";
/// Where programs are looked for if nothing says where.
const USUAL_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// A command that sees no variable of ours and ends with us. An error where there is no such program.
pub fn command(program: impl AsRef<OsStr>) -> io::Result<Command> {
    let program = program.as_ref();
    let path = find(program, std::env::var_os("PATH").as_deref())?;
    let mut command = launcher::command(program, &path);
    hide(&mut command, std::env::vars_os().map(|(name, _)| name));
    Ok(command)
}

fn hide(command: &mut Command, names: impl Iterator<Item = OsString>) {
    for name in names.filter(|name| name.to_string_lossy().starts_with(OURS)) {
        command.env_remove(name);
    }
}

/// The file that a program's name means, so that a missing one is told before anything is started.
fn find(program: &OsStr, path: Option<&OsStr>) -> io::Result<PathBuf> {
    let named = Path::new(program);
    if named.components().count() > 1 || !cfg!(unix) {
        return match named.metadata() {
            Err(e) if cfg!(unix) => Err(e),
            _ => Ok(named.to_path_buf()),
        };
    }
    let folders = std::env::split_paths(path.unwrap_or(OsStr::new(USUAL_PATH)));
    let mut files = folders.map(|folder| folder.join(named));
    files
        .find(|file| is_executable(file))
        .ok_or_else(|| Cause::NotInstalled.into_io(io::ErrorKind::NotFound))
}

#[cfg(unix)]
fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata()
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(file: &Path) -> bool {
    file.is_file()
}

/// Starts a child and returns what `start` makes of it. The kernel sends the signal when the *thread* that started the
/// child ends, so all are started by one thread, which ends with the process.
pub fn start<T: Send + 'static>(start: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    let gone = || Cause::StarterEnded.into_io(io::ErrorKind::Other);
    let (answer, answered) = sync_channel(1);
    let task: Task = Box::new(move || {
        // Whoever asked waits for it, or has ended.
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
    // It holds a sender or none, whoever panicked.
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

pub use launcher::launch;

#[cfg(target_os = "linux")]
mod launcher {
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
        // A closed standard error leaves nobody to tell.
        let _ = writeln!(std::io::stderr(), "{}: {error}", path.display());
        ExitCode::from(127)
    }
}

#[cfg(not(target_os = "linux"))]
mod launcher {
    use std::ffi::OsStr;
    use std::path::Path;
    use std::process::{Command, ExitCode};

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
