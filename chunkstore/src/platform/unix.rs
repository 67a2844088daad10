//! Unix: the system calls behind the files beside this one. Another system gets a file with the same functions.

use crate::error::IoError;
use rustix::io::Errno;
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process_group, setrlimit};
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::process::{Child, Command};

/// The folder that holds devices: it is always there, and none of its entries has the name of a database file.
pub(super) const ALWAYS_THERE: &str = "/dev";
/// Where programs are looked for if PATH is not set.
pub(super) const USUAL_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// `EMFILE` and `ENFILE`.
const EXHAUSTION: [Errno; 2] = [Errno::MFILE, Errno::NFILE];

pub(super) fn is_exhaustion(number: i32) -> bool {
    EXHAUSTION.iter().any(|errno| errno.raw_os_error() == number)
}

pub(super) fn is_device_error(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::IO.raw_os_error())
}

pub(super) fn file_too_large() -> io::Error {
    Errno::FBIG.into()
}

/// The limit on descriptors that is in force; `None` where there is no limit.
pub(super) fn descriptor_limit() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// Raises that limit as far as the system lets this process, to at most `most`.
pub(super) fn raise_descriptor_limit(most: u64) -> io::Result<()> {
    let given = getrlimit(Resource::Nofile);
    let wanted = given.maximum.map_or(most, |hard| hard.min(most));
    if given.current.is_none_or(|soft| soft >= wanted) {
        return Ok(());
    }
    let raised = Rlimit {
        current: Some(wanted),
        maximum: given.maximum,
    };
    Ok(setrlimit(Resource::Nofile, raised)?)
}

pub(super) fn make_private_folder(builder: &mut DirBuilder) -> &mut DirBuilder {
    builder.mode(0o700)
}

pub(super) fn make_private_file(options: &mut OpenOptions) -> &mut OpenOptions {
    options.mode(0o600)
}

pub(super) fn tighten(path: &Path, meta: &Metadata) -> io::Result<()> {
    let mode = meta.permissions().mode() & 0o7777;
    match mode & 0o077 {
        0 => Ok(()),
        _ if meta.is_symlink() => Ok(()),
        _ => fs::set_permissions(path, PermissionsExt::from_mode(mode & 0o700)),
    }
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Locks a folder itself, as long as what is returned lives; `None` where somebody else has it locked.
pub(super) fn try_lock_folder(folder: &Path) -> io::Result<Option<File>> {
    let folder = File::open(folder)?;
    match folder.try_lock() {
        Ok(()) => Ok(Some(folder)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(e)) => Err(e),
    }
}

/// Device and inode.
pub(super) fn identity(file: &File) -> io::Result<(u64, u64)> {
    let meta = file.metadata()?;
    Ok((meta.dev(), meta.ino()))
}

/// Whether an open file has no name any more.
pub(super) fn is_unlinked(file: &File) -> io::Result<bool> {
    Ok(file.metadata()?.nlink() == 0)
}

pub(super) fn is_executable(file: &Path) -> bool {
    file.metadata()
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// The shell's program and the option before a line for it.
pub(super) const SHELL: (&str, &str) = ("sh", "-c");

/// In a process group of its own, which the terminal's signals don't reach.
pub(super) fn detach(command: &mut tokio::process::Command) {
    command.process_group(0);
}

pub(super) fn in_own_group(command: &mut Command) {
    std::os::unix::process::CommandExt::process_group(command, 0);
}

pub(super) fn kill_group(child: &mut Child) -> io::Result<()> {
    let id = i32::try_from(child.id()).ok();
    if let Some(group) = id.and_then(Pid::from_raw) {
        match kill_process_group(group, Signal::KILL) {
            // All of it has ended.
            Err(Errno::SRCH) | Ok(()) => {}
            Err(e) => return Err(e.into()),
        }
    }
    child.kill()
}

impl From<rustix::io::Errno> for IoError {
    fn from(errno: rustix::io::Errno) -> Self {
        io::Error::from(errno).into()
    }
}
