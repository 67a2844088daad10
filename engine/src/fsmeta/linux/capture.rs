//! Metadata of a source's entry: the cheap part by one statx, the rest only for entries that changed.

use super::{Owners, flags, xattr};
use crate::entry::{Kind, Meta, Time, Trouble};
use crate::fsmeta::{Blank, FollowLinks};
use crate::platform::errno::errno_of;
use rustix::fs::{AtFlags, CWD, FileType, Statx, StatxAttributes, StatxFlags, StatxTimestamp};
use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;

/// Kind and metadata of `name` in `dir`, without a link's target, attributes and names of owners
/// ([`complete`] adds these). Never mounts an automount.
pub fn stat(
    dir: BorrowedFd<'_>,
    name: &[u8],
    follow: FollowLinks,
    blank: &Blank,
) -> io::Result<(Kind, Meta)> {
    examine(dir, name, follow, blank).map(|(kind, meta, _)| (kind, meta))
}

/// As [`stat`], and whether a file system is mounted there; `None` if the system can't tell (before Linux 5.8).
pub fn examine(
    dir: BorrowedFd<'_>,
    name: &[u8],
    follow: FollowLinks,
    blank: &Blank,
) -> io::Result<(Kind, Meta, Option<bool>)> {
    let link = match follow {
        FollowLinks::No => AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT,
        FollowLinks::Yes => AtFlags::empty(),
    };
    let stat = rustix::fs::statx(dir, name, link | AtFlags::STATX_DONT_SYNC, wanted())?;
    let mount = stat
        .stx_attributes_mask
        .contains(StatxAttributes::MOUNT_ROOT)
        .then(|| stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT));
    let (kind, meta) = convert(&stat, blank)?;
    Ok((kind, meta, mount))
}

/// As [`stat`], of an open file.
pub fn stat_fd(fd: BorrowedFd<'_>) -> io::Result<(Kind, Meta)> {
    let stat = rustix::fs::statx(fd, c"", AtFlags::EMPTY_PATH, wanted())?;
    convert(&stat, &Blank::default())
}

/// As [`stat`], by path; the last component is not followed.
pub fn stat_path(path: &Path) -> io::Result<(Kind, Meta)> {
    let stat = rustix::fs::statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, wanted())?;
    convert(&stat, &Blank::default())
}

fn wanted() -> StatxFlags {
    StatxFlags::BASIC_STATS | StatxFlags::BTIME
}

fn convert(stat: &Statx, blank: &Blank) -> io::Result<(Kind, Meta)> {
    let mode = u32::from(stat.stx_mode);
    let rdev = || rustix::fs::makedev(stat.stx_rdev_major, stat.stx_rdev_minor);
    let kind = match FileType::from_raw_mode(mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Dir,
        FileType::Symlink => Kind::Symlink { target: Vec::new() },
        FileType::CharacterDevice => Kind::CharDevice { rdev: rdev() },
        FileType::BlockDevice => Kind::BlockDevice { rdev: rdev() },
        FileType::Fifo => Kind::Fifo,
        FileType::Socket => Kind::Socket,
        FileType::Unknown => return Err(rustix::io::Errno::NOTSUP.into()),
    };
    let btime = (stat.stx_mask & StatxFlags::BTIME.bits() != 0).then(|| time(&stat.stx_btime));
    let meta = Meta {
        mode: mode & 0o7777,
        uid: stat.stx_uid,
        gid: stat.stx_gid,
        size: if kind == Kind::File { stat.stx_size } else { 0 },
        mtime: time(&stat.stx_mtime),
        ctime: time(&stat.stx_ctime),
        btime,
        dev: rustix::fs::makedev(stat.stx_dev_major, stat.stx_dev_minor),
        ino: stat.stx_ino,
        nlink: u64::from(stat.stx_nlink),
        flags: flags::of(stat.stx_attributes),
        ..blank.meta()
    };
    Ok((kind, meta))
}

fn time(t: &StatxTimestamp) -> Time {
    Time {
        secs: t.tv_sec,
        nanos: t.tv_nsec,
    }
}

/// Adds what [`stat`] leaves out: a link's target, names of owners, extended attributes, flags that it does not tell. `opened` is the entry's own
/// descriptor where it is open anyway; it saves resolving the name again.
///
/// What could be read is kept also when something is returned.
pub fn complete(
    dir: BorrowedFd<'_>,
    name: &[u8],
    opened: Option<BorrowedFd<'_>>,
    owners: &Owners,
    kind: &mut Kind,
    meta: &mut Meta,
) -> Option<Trouble> {
    meta.user = owners.user(meta.uid);
    meta.group = owners.group(meta.gid);
    let (xattrs, failed) = match opened {
        Some(fd) => xattr::read_all(&xattr::Object::Fd(fd)),
        None => xattr::read_all(&xattr::Object::named(dir, name)),
    };
    meta.xattrs = xattrs.into();
    if let Kind::File | Kind::Dir = kind
        && let Some(all) = flags::read(dir, name, opened)
    {
        meta.flags = all;
    }
    if let Kind::Symlink { target } = kind {
        match rustix::fs::readlinkat(dir, name, Vec::new()) {
            Ok(text) => *target = text.into_bytes(),
            Err(errno) => {
                return Some(Trouble::Unreadable {
                    errno: errno.raw_os_error(),
                });
            }
        }
    }
    failed.map(|e| Trouble::NoXattrs { errno: errno_of(&e) })
}
