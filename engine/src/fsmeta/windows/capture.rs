//! Metadata of a source's entry: what the standard library knows of it, and which file it is.

use super::{BorrowedFd, OwnedFd};
use crate::entry::{Kind, Meta, Time, Trouble};
use crate::fsmeta::{Blank, FollowLinks};
use crate::platform::errno::{NOT_SUPPORTED, errno_of};
use crate::platform::paths::to_bytes;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

const FILE_READ_ATTRIBUTES: u32 = 0x80;
const FILE_SHARE_ALL: u32 = 7;
/// Opens directories too.
const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;
/// Opens a link itself.
const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;

/// From 1601 to 1970.
const SECONDS_BEFORE_1970: i64 = 11_644_473_600;
const TICKS_PER_SECOND: u64 = 10_000_000;

const MODE_DIR: u32 = 0o755;
const MODE_FILE: u32 = 0o644;
const MODE_READ_ONLY: u32 = 0o444;

/// Users and groups have no numbers and are not recorded.
#[derive(Default)]
pub struct NoOwners {
    none: Arc<str>,
}

impl NoOwners {
    pub fn user(&self, _: u32) -> Arc<str> {
        self.none.clone()
    }

    pub fn group(&self, _: u32) -> Arc<str> {
        self.none.clone()
    }

    pub fn uid_of(&self, _: &Arc<str>) -> Option<u32> {
        None
    }

    pub fn gid_of(&self, _: &Arc<str>) -> Option<u32> {
        None
    }
}

/// For opening something where others may go on using it; the last component is not followed.
pub(super) fn options(follow: FollowLinks) -> OpenOptions {
    let link = match follow {
        FollowLinks::No => FILE_FLAG_OPEN_REPARSE_POINT,
        FollowLinks::Yes => 0,
    };
    let mut options = OpenOptions::new();
    options
        .share_mode(FILE_SHARE_ALL)
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS | link);
    options
}

/// Kind and metadata of `name` in `dir`, without a link's target ([`complete`] adds it).
pub fn stat(
    dir: BorrowedFd<'_>,
    name: &[u8],
    follow: FollowLinks,
    blank: &Blank,
) -> io::Result<(Kind, Meta)> {
    of_path(&dir.join(name)?, follow, blank)
}

/// As [`stat`]. Mounted volumes are links here, so that nothing is said of them.
pub fn examine(
    dir: BorrowedFd<'_>,
    name: &[u8],
    follow: FollowLinks,
    blank: &Blank,
) -> io::Result<(Kind, Meta, Option<bool>)> {
    stat(dir, name, follow, blank).map(|(kind, meta)| (kind, meta, None))
}

/// As [`stat`], of an open file.
pub fn stat_fd(fd: BorrowedFd<'_>) -> io::Result<(Kind, Meta)> {
    match fd {
        BorrowedFd::File(file) => of_file(file, &Blank::default()),
        BorrowedFd::Dir(OwnedFd(Some(path))) => of_path(path, FollowLinks::No, &Blank::default()),
        BorrowedFd::Dir(OwnedFd(None)) => Ok((Kind::Dir, Blank::default().meta())),
    }
}

/// As [`stat`], by path; the last component is not followed.
pub fn stat_path(path: &Path) -> io::Result<(Kind, Meta)> {
    of_path(path, FollowLinks::No, &Blank::default())
}

fn of_path(path: &Path, follow: FollowLinks, blank: &Blank) -> io::Result<(Kind, Meta)> {
    of_file(
        &options(follow).access_mode(FILE_READ_ATTRIBUTES).open(path)?,
        blank,
    )
}

fn of_file(file: &File, blank: &Blank) -> io::Result<(Kind, Meta)> {
    let found = file.metadata()?;
    let numbers = winapi_util::file::information(file)?;
    let kind = match found.file_type() {
        kind if kind.is_symlink() => Kind::Symlink { target: Vec::new() },
        kind if kind.is_dir() => Kind::Dir,
        _ => Kind::File,
    };
    let mode = match kind {
        Kind::Dir => MODE_DIR,
        _ if found.permissions().readonly() => MODE_READ_ONLY,
        _ => MODE_FILE,
    };
    let modified = time(found.last_write_time());
    let meta = Meta {
        mode,
        size: if kind == Kind::File { found.len() } else { 0 },
        mtime: modified,
        // The time of the last change of any kind is out of reach.
        ctime: modified,
        btime: Some(time(found.creation_time())),
        dev: numbers.volume_serial_number(),
        ino: numbers.file_index(),
        nlink: numbers.number_of_links(),
        ..blank.meta()
    };
    Ok((kind, meta))
}

/// Of tenths of microseconds since 1601.
fn time(ticks: u64) -> Time {
    Time {
        secs: (ticks / TICKS_PER_SECOND).cast_signed() - SECONDS_BEFORE_1970,
        nanos: (ticks % TICKS_PER_SECOND) as u32 * 100,
    }
}

/// Adds a link's target. What else an entry has is not read, so there is always something to report.
pub fn complete(
    dir: BorrowedFd<'_>,
    name: &[u8],
    _: Option<BorrowedFd<'_>>,
    _: &NoOwners,
    kind: &mut Kind,
    _: &mut Meta,
) -> Option<Trouble> {
    if let Kind::Symlink { target } = kind {
        match dir.join(name).and_then(std::fs::read_link) {
            Ok(to) => *target = to_bytes(&to).into_owned(),
            Err(e) => return Some(Trouble::Unreadable { errno: errno_of(&e) }),
        }
    }
    Some(Trouble::NoXattrs { errno: NOT_SUPPORTED })
}

/// There are no such attributes.
pub fn has_xattr(_: BorrowedFd<'_>, _: &[u8], _: &[u8], _: Option<&[u8]>) -> bool {
    false
}
