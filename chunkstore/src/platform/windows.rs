//! Windows: the calls behind the files beside this one, as far as the standard library has them.

use std::fs::{DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Nothing has to be found here; it only must not be the name of a database file.
pub(super) const ALWAYS_THERE: &str = "C:\\";
/// Where programs are looked for if PATH is not set.
pub(super) const USUAL_PATH: &str = "C:\\Windows\\System32;C:\\Windows";

/// `ERROR_TOO_MANY_OPEN_FILES` and `ERROR_NO_SYSTEM_RESOURCES`.
const EXHAUSTION: [i32; 2] = [4, 1450];
/// `ERROR_CRC`, `ERROR_SECTOR_NOT_FOUND`, `ERROR_WRITE_FAULT`, `ERROR_READ_FAULT`, `ERROR_IO_DEVICE`.
const DEVICE_ERRORS: [i32; 5] = [23, 27, 29, 30, 1117];
/// `ERROR_FILE_TOO_LARGE`.
const FILE_TOO_LARGE: i32 = 223;

const FILE_SHARE_ALL: u32 = 7;
const GENERIC_WRITE: u32 = 0x4000_0000;
const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;
const CREATE_NEW_PROCESS_GROUP: u32 = 0x200;

pub(super) fn is_exhaustion(number: i32) -> bool {
    EXHAUSTION.contains(&number)
}

pub(super) fn is_device_error(error: &io::Error) -> bool {
    error
        .raw_os_error()
        .is_some_and(|number| DEVICE_ERRORS.contains(&number))
}

pub(super) fn file_too_large() -> io::Error {
    io::Error::from_raw_os_error(FILE_TOO_LARGE)
}

/// Handles are limited by memory only.
pub(super) fn descriptor_limit() -> Option<u64> {
    None
}

pub(super) fn raise_descriptor_limit(_: u64) -> io::Result<()> {
    Ok(())
}

/// Folders below a user's profile are that user's by inheritance.
pub(super) fn make_private_folder(builder: &mut DirBuilder) -> &mut DirBuilder {
    builder
}

pub(super) fn make_private_file(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

pub(super) fn tighten(_: &Path, _: &Metadata) -> io::Result<()> {
    Ok(())
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options
        .access_mode(GENERIC_WRITE)
        .share_mode(FILE_SHARE_ALL)
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS);
    options.open(folder)?.sync_all()
}

/// Folders can't be locked: a file beside it is, as long as what is returned lives.
pub(super) fn try_lock_folder(folder: &Path) -> io::Result<Option<File>> {
    // Only one that exists.
    folder.metadata()?;
    let mut name = folder.as_os_str().to_os_string();
    name.push(".lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(name)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(e)) => Err(e),
    }
}

/// Volume and file index.
pub(super) fn identity(file: &File) -> io::Result<(u64, u64)> {
    let found = winapi_util::file::information(file)?;
    Ok((found.volume_serial_number(), found.file_index()))
}

/// Whether an open file has no name any more.
pub(super) fn is_unlinked(file: &File) -> io::Result<bool> {
    Ok(winapi_util::file::information(file)?.number_of_links() == 0)
}

pub(super) fn is_executable(file: &Path) -> bool {
    let of_program = |extension: &str| ["exe", "com", "bat", "cmd"].contains(&extension);
    let extension = file.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| of_program(&extension.to_ascii_lowercase())) && file.is_file()
}

/// The shell's program and the option before a line for it.
pub(super) const SHELL: (&str, &str) = ("cmd.exe", "/C");

/// In a process group of its own, which the terminal's signals don't reach.
pub(super) fn detach(command: &mut tokio::process::Command) {
    command.creation_flags(CREATE_NEW_PROCESS_GROUP);
}

pub(super) fn in_own_group(command: &mut Command) {
    command.creation_flags(CREATE_NEW_PROCESS_GROUP);
}

/// Windows knows no call that ends a process with all that it started; its own program for that walks the tree.
pub(super) fn kill_group(child: &mut Child) -> io::Result<()> {
    let mut command = Command::new("taskkill");
    command.args(["/F", "/T", "/PID"]).arg(child.id().to_string());
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // It fails where all of it has ended.
    let _ = command.status()?;
    child.kill()
}
