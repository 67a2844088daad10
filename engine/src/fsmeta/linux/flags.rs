//! Flags of inodes, which chattr(1) sets: those that somebody decided on, not those in which a file system keeps its books.

use super::read::open_source;
use super::xattr::magic_path;
use chunkstore::platform::opening::open_patiently;
use rustix::fs::{IFlags, Mode, OFlags, StatxAttributes, ioctl_getflags, ioctl_setflags};
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// `FS_NOCOMP_FL` and `FS_DAX_FL`.
const NO_COMPRESSION: IFlags = IFlags::from_bits_retain(0x400);
const DAX: IFlags = IFlags::from_bits_retain(0x0200_0000);

/// What is recorded.
const KEPT: IFlags = IFlags::APPEND
    .union(IFlags::COMPRESSED)
    .union(IFlags::DIRSYNC)
    .union(IFlags::IMMUTABLE)
    .union(IFlags::JOURNALING)
    .union(IFlags::NOATIME)
    .union(IFlags::NOCOW)
    .union(IFlags::NODUMP)
    .union(IFlags::NOTAIL)
    .union(IFlags::PROJECT_INHERIT)
    .union(IFlags::SECURE_REMOVAL)
    .union(IFlags::SYNC)
    .union(IFlags::TOPDIR)
    .union(IFlags::UNRM)
    .union(NO_COMPRESSION)
    .union(DAX);

/// Those that statx(2) tells, which cost nothing.
pub const CHEAP_FLAGS: u32 = IFlags::COMPRESSED
    .union(IFlags::IMMUTABLE)
    .union(IFlags::APPEND)
    .union(IFlags::NODUMP)
    .bits();

/// While one of these is set nothing else can be changed, not even a name.
const LOCKS: IFlags = IFlags::IMMUTABLE.union(IFlags::APPEND);

/// Those that statx(2) tells.
pub(super) fn of(attributes: StatxAttributes) -> u32 {
    let told = [
        (StatxAttributes::COMPRESSED, IFlags::COMPRESSED),
        (StatxAttributes::IMMUTABLE, IFlags::IMMUTABLE),
        (StatxAttributes::APPEND, IFlags::APPEND),
        (StatxAttributes::NODUMP, IFlags::NODUMP),
    ];
    let set = told.into_iter().filter(|(told, _)| attributes.contains(*told));
    set.fold(IFlags::empty(), |all, (_, flag)| all | flag).bits()
}

/// All of the file or directory `name`; `None` where the file system has none, or where it can't be opened.
pub(super) fn read(dir: BorrowedFd<'_>, name: &[u8], opened: Option<BorrowedFd<'_>>) -> Option<u32> {
    let found = match opened {
        Some(fd) => ioctl_getflags(fd),
        None => ioctl_getflags(open_source(dir, name).ok()?),
    };
    Some((found.ok()? & KEPT).bits())
}

/// Whether these keep an object from being changed.
pub fn locks(flags: u32) -> bool {
    IFlags::from_bits_retain(flags).intersects(LOCKS)
}

/// Lets an object be changed that its flags keep from it. `fd` may be one that only leads to it.
pub(super) fn unlock(fd: BorrowedFd<'_>) -> Result<(), Errno> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = open_patiently(|| rustix::fs::open(magic_path(fd), flags, Mode::empty()))?;
    let now = ioctl_getflags(&file)?;
    ioctl_setflags(&file, now.difference(LOCKS))
}

/// Which of the recorded flags are put back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum FlagsToSet {
    /// Those that leave it changeable.
    Harmless,
    /// All, last of all.
    All,
}

/// Puts all flags back on an open file or directory. Those that it can't have are left out and the first failure is given.
pub fn set_flags(file: impl AsFd, flags: u32) -> io::Result<()> {
    Ok(set(file, flags, FlagsToSet::All)?)
}

pub(super) fn set(file: impl AsFd, flags: u32, which: FlagsToSet) -> Result<(), Errno> {
    let wanted = IFlags::from_bits_retain(flags) & KEPT;
    let wanted = match which {
        FlagsToSet::Harmless => wanted.difference(LOCKS),
        FlagsToSet::All => wanted,
    };
    let now = match ioctl_getflags(&file) {
        // A file system without flags: then it has none.
        Err(_) if wanted.is_empty() => return Ok(()),
        now => now?,
    };
    if now & KEPT == wanted {
        return Ok(());
    }
    let whole = ioctl_setflags(&file, now.difference(KEPT) | wanted);
    if whole.is_ok() || wanted.is_empty() {
        // What the directory gave it may stay.
        return Ok(());
    }
    let mut failed = Ok(());
    for flag in wanted.difference(now).iter() {
        let set = ioctl_getflags(&file).and_then(|now| ioctl_setflags(&file, now | flag));
        failed = failed.and(set);
    }
    failed
}

/// Gives a new and empty file what it can get only now: not to be copied on write.
pub fn set_first_flags(file: impl AsFd, flags: u32) {
    if IFlags::from_bits_retain(flags).contains(IFlags::NOCOW) {
        // Whether it has it is seen, and told, when all are set.
        let _unsupported = ioctl_getflags(&file).and_then(|now| ioctl_setflags(&file, now | IFlags::NOCOW));
    }
}
