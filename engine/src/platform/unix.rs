//! Unix: the system calls behind the files beside this one. Another system gets a file with the same functions.

use super::space::DiskSpace;
use rustix::fs::{Access, FileType, OFlags, access};
use rustix::process::{Resource, geteuid, getrlimit};
use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Folders whose entries are open files of processes.
pub(super) const OF_PROCESSES: [&str; 2] = ["/proc", "/dev/fd"];

pub(super) fn errno_of(error: &io::Error) -> Option<i32> {
    error.raw_os_error()
}

pub(super) fn error(errno: i32) -> io::Error {
    io::Error::from_raw_os_error(errno)
}

pub(super) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    file.read_at(buffer, offset)
}

pub(super) fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    file.write_all_at(bytes, offset)
}

pub(super) fn open_unwaiting(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let mut options = File::options();
    options.read(true).write(true);
    options.custom_flags(flags.bits().cast_signed()).open(path)
}

pub(super) fn give_as(file: &File, other: &Metadata) -> io::Result<()> {
    fchown(file, Some(other.uid()), Some(other.gid()))
}

pub(super) fn to_bytes(path: &Path) -> Cow<'_, [u8]> {
    Cow::Borrowed(path.as_os_str().as_bytes())
}

pub(super) fn from_bytes(bytes: &[u8]) -> Cow<'_, Path> {
    Cow::Borrowed(Path::new(OsStr::from_bytes(bytes)))
}

pub(super) fn from_root(path: &[u8]) -> PathBuf {
    Path::new("/").join(from_bytes(path))
}

pub(super) fn user_name() -> String {
    let uid = geteuid().as_raw();
    let user = uzers::get_user_by_uid(uid);
    user.map_or_else(
        || uid.to_string(),
        |user| user.name().to_string_lossy().into_owned(),
    )
}

pub(super) fn cpu_time() -> Option<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).ok()?;
    Some(Duration::new(seconds, u32::try_from(time.tv_nsec).ok()?))
}

/// As much as other background services.
const NICENESS: i32 = 10;

pub(super) fn be_nice() {
    let is_nicer = rustix::process::getpriority_process(None).is_ok_and(|nice| nice >= NICENESS);
    if !is_nicer {
        // It would only be quicker than it should.
        let _ = rustix::process::setpriority_process(None, NICENESS);
    }
}

pub(super) fn user_id() -> u32 {
    geteuid().as_raw()
}

pub(super) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

pub(super) fn owns(meta: &Metadata) -> bool {
    geteuid().as_raw() == meta.uid()
}

/// Of an access list, the group's bits show the most that it allows.
pub(super) fn only_we_may_change(folder: &Metadata) -> bool {
    owns(folder) && folder.mode() & 0o022 == 0
}

pub(super) fn owner_of(meta: &Metadata) -> (u32, u32) {
    (meta.uid(), meta.gid())
}

pub(super) fn may_write_in(folder: &Path) -> bool {
    access(folder, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}

pub(super) fn space(path: &Path) -> io::Result<DiskSpace> {
    let found = rustix::fs::statvfs(path)?;
    let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
    Ok(DiskSpace {
        free: bytes(found.f_bavail),
        total: bytes(found.f_blocks),
    })
}

pub(super) fn address_space_limit() -> Option<u64> {
    getrlimit(Resource::As).current
}

#[cfg(target_os = "linux")]
pub(super) fn avoid_huge_pages() {
    // Kernels before 3.15 don't know it.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

#[cfg(not(target_os = "linux"))]
pub(super) fn avoid_huge_pages() {}

pub(super) fn output_leads_nowhere() -> bool {
    let null = std::fs::metadata("/dev/null");
    let (Ok(out), Ok(null)) = (rustix::fs::fstat(io::stdout()), null) else {
        return false;
    };
    let is_device = FileType::from_raw_mode(out.st_mode).is_char_device();
    is_device && null.file_type().is_char_device() && out.st_rdev == null.rdev()
}

pub(super) fn path_of_descriptor(number: u32) -> Option<PathBuf> {
    Some(PathBuf::from(format!("/dev/fd/{number}")))
}
