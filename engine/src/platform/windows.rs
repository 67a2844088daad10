//! Windows: the calls behind the files beside this one, as far as the standard library has them.

use super::errno::{INPUT_OUTPUT, NOT_A_DIRECTORY, NOT_FOUND, NOT_PERMITTED, NOT_SUPPORTED};
use super::space::DiskSpace;
use std::borrow::Cow;
use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io;
use std::os::windows::ffi::OsStringExt;
use std::os::windows::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use winapi_util::sysinfo::{ComputerNameKind, get_computer_name};

/// Opens a link itself.
const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;

/// No name leads to an open file of a process.
pub(super) const OF_PROCESSES: [&str; 0] = [];

/// What Windows reports, and the number of Linux that is recorded for it. The first one stands for the number when that
/// is read.
const NUMBERS: [(i32, i32); 36] = [
    (2, NOT_FOUND),         // ERROR_FILE_NOT_FOUND
    (3, NOT_FOUND),         // ERROR_PATH_NOT_FOUND
    (1314, NOT_PERMITTED),  // ERROR_PRIVILEGE_NOT_HELD
    (1117, INPUT_OUTPUT),   // ERROR_IO_DEVICE
    (23, INPUT_OUTPUT),     // ERROR_CRC
    (27, INPUT_OUTPUT),     // ERROR_SECTOR_NOT_FOUND
    (29, INPUT_OUTPUT),     // ERROR_WRITE_FAULT
    (30, INPUT_OUTPUT),     // ERROR_READ_FAULT
    (267, NOT_A_DIRECTORY), // ERROR_DIRECTORY
    (50, NOT_SUPPORTED),    // ERROR_NOT_SUPPORTED
    (1, NOT_SUPPORTED),     // ERROR_INVALID_FUNCTION
    (8, 12),                // ERROR_NOT_ENOUGH_MEMORY: ENOMEM
    (14, 12),               // ERROR_OUTOFMEMORY
    (5, 13),                // ERROR_ACCESS_DENIED: EACCES
    (32, 16),               // ERROR_SHARING_VIOLATION: EBUSY
    (33, 16),               // ERROR_LOCK_VIOLATION
    (170, 16),              // ERROR_BUSY
    (80, 17),               // ERROR_FILE_EXISTS: EEXIST
    (183, 17),              // ERROR_ALREADY_EXISTS
    (17, 18),               // ERROR_NOT_SAME_DEVICE: EXDEV
    (336, 21),              // ERROR_DIRECTORY_NOT_SUPPORTED: EISDIR
    (87, 22),               // ERROR_INVALID_PARAMETER: EINVAL
    (123, 22),              // ERROR_INVALID_NAME
    (1450, 23),             // ERROR_NO_SYSTEM_RESOURCES: ENFILE
    (4, 24),                // ERROR_TOO_MANY_OPEN_FILES: EMFILE
    (223, 27),              // ERROR_FILE_TOO_LARGE: EFBIG
    (112, 28),              // ERROR_DISK_FULL: ENOSPC
    (39, 28),               // ERROR_HANDLE_DISK_FULL
    (19, 30),               // ERROR_WRITE_PROTECT: EROFS
    (206, 36),              // ERROR_FILENAME_EXCED_RANGE: ENAMETOOLONG
    (145, 39),              // ERROR_DIR_NOT_EMPTY: ENOTEMPTY
    (1295, 122),            // ERROR_DISK_QUOTA_EXCEEDED: EDQUOT
    (121, 110),             // ERROR_SEM_TIMEOUT: ETIMEDOUT
    (53, 113),              // ERROR_BAD_NETPATH: EHOSTUNREACH
    (64, 104),              // ERROR_NETNAME_DELETED: ECONNRESET
    (67, 113),              // ERROR_BAD_NET_NAME
];

pub(super) fn errno_of(error: &io::Error) -> Option<i32> {
    let number = error.raw_os_error()?;
    NUMBERS
        .iter()
        .find(|(windows, _)| *windows == number)
        .map(|(_, linux)| *linux)
}

pub(super) fn error(errno: i32) -> io::Error {
    let known = NUMBERS.iter().find(|(_, linux)| *linux == errno);
    known.map_or_else(
        || io::ErrorKind::Other.into(),
        |(windows, _)| io::Error::from_raw_os_error(*windows),
    )
}

pub(super) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    file.seek_read(buffer, offset)
}

pub(super) fn write_all_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.seek_write(bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                bytes = bytes.get(written..).unwrap_or_default();
                offset += written as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

pub(super) fn open_unwaiting(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true);
    let file = options.custom_flags(FILE_FLAG_OPEN_REPARSE_POINT).open(path)?;
    match file.metadata()?.is_symlink() {
        true => Err(io::ErrorKind::InvalidInput.into()),
        false => Ok(file),
    }
}

/// Files have owners that numbers don't name.
pub(super) fn give_as(_: &File, _: &Metadata) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// `C:\a\b` is `/C/a/b`, and `\\server\share\a` is `//server/share/a`.
pub(super) fn to_bytes(path: &Path) -> Cow<'_, [u8]> {
    let bytes: Vec<u8> = path
        .as_os_str()
        .as_encoded_bytes()
        .iter()
        .map(|byte| if *byte == b'\\' { b'/' } else { *byte })
        .collect();
    if let Some(share) = bytes.strip_prefix(b"//?/UNC/") {
        return Cow::Owned([b"//".as_slice(), share].concat());
    }
    match bytes.strip_prefix(b"//?/").unwrap_or(&bytes) {
        [drive, b':'] if drive.is_ascii_alphabetic() => Cow::Owned(vec![b'/', *drive]),
        [drive, b':', below @ ..] if drive.is_ascii_alphabetic() && below.starts_with(b"/") => {
            Cow::Owned([b"/".as_slice(), &[*drive], below].concat())
        }
        plain => Cow::Owned(plain.to_vec()),
    }
}

pub(super) fn from_bytes(bytes: &[u8]) -> Cow<'_, Path> {
    let (drive, below) = match bytes {
        [b'/', drive] if drive.is_ascii_alphabetic() => (format!("{}:\\", char::from(*drive)), &[][..]),
        [b'/', drive, below @ ..] if drive.is_ascii_alphabetic() && below.starts_with(b"/") => {
            (format!("{}:", char::from(*drive)), below)
        }
        plain => (String::new(), plain),
    };
    let mut wide: Vec<u16> = Vec::with_capacity(bytes.len() + 2);
    wide.extend(drive.encode_utf16());
    push_wide(&mut wide, below);
    Cow::Owned(PathBuf::from(OsString::from_wide(&wide)))
}

pub(super) fn from_root(path: &[u8]) -> PathBuf {
    from_bytes(&[b"/".as_slice(), path].concat()).into_owned()
}

/// Appends names in WTF-8, joined by `\`. What is none becomes U+FFFD.
fn push_wide(wide: &mut Vec<u16>, mut bytes: &[u8]) {
    let separator = |unit: u16| {
        if unit == u16::from(b'/') {
            u16::from(b'\\')
        } else {
            unit
        }
    };
    while let Some(chunk) = bytes.utf8_chunks().next() {
        wide.extend(chunk.valid().encode_utf16().map(separator));
        bytes = bytes.get(chunk.valid().len()..).unwrap_or_default();
        match *bytes {
            [] => {}
            // Half of a surrogate pair.
            [0xed, high @ 0xa0..=0xbf, low @ 0x80..=0xbf, ..] => {
                wide.push(0xd000 | u16::from(high & 0x3f) << 6 | u16::from(low & 0x3f));
                bytes = bytes.get(3..).unwrap_or_default();
            }
            _ => {
                wide.push(0xfffd);
                bytes = bytes.get(chunk.invalid().len()..).unwrap_or_default();
            }
        }
    }
}

pub(super) fn user_name() -> String {
    std::env::var("USERNAME").unwrap_or_default()
}

pub(super) fn host_name() -> String {
    let name = get_computer_name(ComputerNameKind::PhysicalDnsHostname);
    // Empty where it has none.
    name.map_or_else(|_| String::new(), |name| name.to_string_lossy().into_owned())
}

pub(super) fn cpu_time() -> Option<Duration> {
    None
}

/// Only an unsafe call does this.
pub(super) fn be_nice() {}

/// Users have no numbers. This one is nobody in particular, and not root.
pub(super) fn user_id() -> u32 {
    u32::MAX
}

/// Whose something is can't be asked, so nothing is taken for one's own.
pub(super) fn owns(_: &Metadata) -> bool {
    false
}

/// Folders below a user's profile are that user's by inheritance; of others it can't be asked.
pub(super) fn only_we_may_change(_: &Metadata) -> bool {
    true
}

pub(super) fn owner_of(_: &Metadata) -> (u32, u32) {
    (u32::MAX, u32::MAX)
}

/// Whether it is a folder: rights show only when something is made in it.
pub(super) fn may_write_in(folder: &Path) -> bool {
    folder.is_dir()
}

/// Only an unsafe call asks this.
pub(super) fn space(_: &Path) -> io::Result<DiskSpace> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn address_space_limit() -> Option<u64> {
    None
}

pub(super) fn avoid_huge_pages() {}

pub(super) fn output_leads_nowhere() -> bool {
    false
}

pub(super) fn path_of_descriptor(_: u32) -> Option<PathBuf> {
    None
}
