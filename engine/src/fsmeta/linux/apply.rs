//! Puts recorded metadata back on a restored object. The order matters: giving a file away clears its set-id bits, and
//! every change but the last moves its times.

use super::flags::{self, FlagsToSet};
use super::xattr::{self, Object, magic_path};
use super::{Owners, stat_fd};
use crate::entry::{Kind, Meta, Time};
use crate::fsmeta::{ApplyOptions, ApplyProblem, Owner, check_name};
use crate::problem::MetaPart;
use chunkstore::platform::opening::open_patiently;
use rustix::fs::{AtFlags, CWD, Gid, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT, Uid};
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The object that was restored.
pub enum At<'a> {
    /// Its own descriptor, from creating it: nothing can come between.
    Fd(BorrowedFd<'a>),
    /// The same of a file, and how it is now.
    Examined(BorrowedFd<'a>, &'a Meta),
    /// A name in a directory, for what can't be opened. It is checked to lead to the right kind of object.
    Name(BorrowedFd<'a>, &'a [u8]),
}

impl ApplyOptions {
    /// What this process may do: all of it as root, its own files and attributes otherwise.
    pub fn for_this_process() -> Self {
        let root = rustix::process::geteuid().is_root();
        ApplyOptions {
            owner: if root { Owner::Numeric } else { Owner::Keep },
            xattrs: true,
            privileged: root,
        }
    }
}

/// Owner, mode, attributes, times: each is tried whatever became of the others. Empty: all is as recorded.
///
/// Set-id bits are left out where the owner they would act for could not be given.
pub fn apply_meta(
    at: &At<'_>,
    kind: &Kind,
    meta: &Meta,
    options: &ApplyOptions,
    owners: &Owners,
) -> Vec<ApplyProblem> {
    let mut problems = Problems(Vec::new());
    match Handle::open(at, kind) {
        Ok(handle) => {
            unlock(&handle, options, &mut problems);
            let owner = apply_owner(&handle, meta, options, owners, &mut problems);
            apply_mode(&handle, kind, meta, owner, &mut problems);
            if options.xattrs {
                apply_xattrs(&handle, meta, options, &mut problems);
            }
            apply_times(&handle, meta, &mut problems);
            if options.xattrs {
                apply_flags(&handle, kind, meta, &mut problems);
            }
        }
        Err(errno) => problems.note(MetaPart::All, errno),
    }
    problems.0
}

struct Problems(Vec<ApplyProblem>);

impl Problems {
    fn note(&mut self, part: MetaPart, errno: Errno) {
        self.0.push(ApplyProblem {
            part,
            errno: errno.raw_os_error(),
        });
    }

    fn check(&mut self, part: MetaPart, result: Result<(), Errno>) {
        if let Err(errno) = result {
            self.note(part, errno);
        }
    }
}

/// A descriptor that pins the object, and how to reach what O_PATH descriptors don't allow.
struct Handle<'a> {
    pinned: Pinned<'a>,
    /// As it is now, before anything is changed.
    now: Meta,
}

enum Pinned<'a> {
    Open(BorrowedFd<'a>),
    /// O_PATH.
    Path(OwnedFd),
    /// O_PATH of a symbolic link, and where it is: its times and attributes can be set only by name.
    Link(OwnedFd, BorrowedFd<'a>, &'a [u8]),
}

impl<'a> Handle<'a> {
    fn open(at: &At<'a>, kind: &Kind) -> Result<Handle<'a>, Errno> {
        let pinned = match *at {
            At::Fd(fd) => Pinned::Open(fd),
            At::Examined(fd, now) => {
                let pinned = Pinned::Open(fd);
                let now = now.clone();
                return Ok(Handle { pinned, now });
            }
            At::Name(dir, name) => {
                check_name(name).map_err(|_| Errno::INVAL)?;
                let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let fd = open_patiently(|| rustix::fs::openat(dir, name, flags, Mode::empty()))?;
                match kind {
                    Kind::Symlink { .. } => Pinned::Link(fd, dir, name),
                    Kind::File
                    | Kind::Dir
                    | Kind::CharDevice { .. }
                    | Kind::BlockDevice { .. }
                    | Kind::Fifo
                    | Kind::Socket => Pinned::Path(fd),
                }
            }
        };
        let (found, now) = stat_fd(pinned.fd()).map_err(|e| Errno::from_io_error(&e).unwrap_or(Errno::IO))?;
        let same = match (&found, kind) {
            (Kind::Symlink { .. }, Kind::Symlink { .. }) => true,
            (found, kind) => found == kind,
        };
        if !same {
            return Err(Errno::STALE);
        }
        Ok(Handle { pinned, now })
    }
}

impl Pinned<'_> {
    fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Pinned::Open(fd) => *fd,
            Pinned::Path(fd) | Pinned::Link(fd, ..) => fd.as_fd(),
        }
    }

    fn attributes(&self) -> Object<'_> {
        match self {
            Pinned::Open(fd) => Object::Fd(*fd),
            Pinned::Path(fd) => Object::magic(fd.as_fd()),
            Pinned::Link(_, dir, name) => Object::named(*dir, name),
        }
    }
}

/// What is there already may be immutable. It gets that back with all that is recorded ([`super::set_flags`]).
fn unlock(handle: &Handle<'_>, options: &ApplyOptions, problems: &mut Problems) {
    if flags::locks(handle.now.flags) && options.privileged {
        problems.check(MetaPart::Flags, flags::unlock(handle.pinned.fd()));
    }
}

/// All but those that would keep it from getting its name.
fn apply_flags(handle: &Handle<'_>, kind: &Kind, meta: &Meta, problems: &mut Problems) {
    if !matches!(kind, Kind::File | Kind::Dir) || meta.flags == 0 && handle.now.flags == 0 {
        return;
    }
    let which = FlagsToSet::Harmless;
    let result = match &handle.pinned {
        Pinned::Open(fd) => flags::set(fd, meta.flags, which),
        Pinned::Path(fd) => {
            let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
            open_patiently(|| rustix::fs::open(magic_path(fd.as_fd()), flags, Mode::empty()))
                .and_then(|file| flags::set(&file, meta.flags, which))
        }
        Pinned::Link(..) => Ok(()),
    };
    problems.check(MetaPart::Flags, result);
}

/// Whether user and group are the recorded ones afterwards.
#[derive(Clone, Copy)]
struct Given {
    user: bool,
    group: bool,
}

fn apply_owner(
    handle: &Handle<'_>,
    meta: &Meta,
    options: &ApplyOptions,
    owners: &Owners,
    problems: &mut Problems,
) -> Given {
    let (uid, gid) = match options.owner {
        Owner::Keep => {
            return Given {
                user: meta.uid == handle.now.uid,
                group: meta.gid == handle.now.gid,
            };
        }
        Owner::Numeric => (meta.uid, meta.gid),
        Owner::ByName => (
            owners.uid_of(&meta.user).unwrap_or(meta.uid),
            owners.gid_of(&meta.group).unwrap_or(meta.gid),
        ),
    };
    // All ones means "leave it" to the kernel and is no user's number.
    if uid == u32::MAX || gid == u32::MAX {
        problems.note(MetaPart::Owner, Errno::INVAL);
        return Given {
            user: false,
            group: false,
        };
    }
    let user = (uid != handle.now.uid).then(|| Uid::from_raw(uid));
    let group = (gid != handle.now.gid).then(|| Gid::from_raw(gid));
    if user.is_none() && group.is_none() {
        return Given {
            user: true,
            group: true,
        };
    }
    let fd = handle.pinned.fd();
    let give = |user, group| rustix::fs::chownat(fd, c"", user, group, AtFlags::EMPTY_PATH);
    match give(user, group) {
        Ok(()) => Given {
            user: true,
            group: true,
        },
        Err(errno) => {
            problems.note(MetaPart::Owner, errno);
            // Without privilege a group one is a member of can still be given.
            let grouped = user.is_some() && group.is_some() && give(None, group).is_ok();
            Given {
                user: user.is_none(),
                group: group.is_none() || grouped,
            }
        }
    }
}

fn apply_mode(handle: &Handle<'_>, kind: &Kind, meta: &Meta, given: Given, problems: &mut Problems) {
    let mut mode = meta.mode & 0o7777;
    // On a directory these bits grant nothing to those who run something.
    if *kind != Kind::Dir {
        if !given.user {
            mode &= !0o4000;
        }
        if !given.group {
            mode &= !0o2000;
        }
    }
    let bits = Mode::from_raw_mode(mode);
    let result = match &handle.pinned {
        // Giving it away may have cleared bits.
        _ if handle.now.mode & 0o7777 == mode && mode & 0o6000 == 0 => Ok(()),
        Pinned::Open(fd) => rustix::fs::fchmod(fd, bits),
        Pinned::Path(fd) => rustix::fs::chmodat(CWD, magic_path(fd.as_fd()), bits, AtFlags::empty()),
        // Links have no permissions.
        Pinned::Link(..) => Ok(()),
    };
    problems.check(MetaPart::Mode, result);
    if mode != meta.mode & 0o7777 {
        problems.note(MetaPart::Mode, Errno::PERM);
    }
}

fn apply_xattrs(handle: &Handle<'_>, meta: &Meta, options: &ApplyOptions, problems: &mut Problems) {
    let object = handle.pinned.attributes();
    // What the object inherited from where it was created, such as a default ACL, is not part of the record.
    // Labels that the system itself gives (security.*) stay.
    let inherited = match xattr::names(&object) {
        Ok(names) => names,
        Err(errno) => {
            problems.note(MetaPart::Attributes, errno);
            Vec::new()
        }
    };
    for name in inherited {
        let ours = name.starts_with(b"user.") || name.starts_with(b"system.posix_acl_");
        if !ours || meta.xattrs.iter().any(|x| x.name == name) {
            continue;
        }
        match object.remove(&name) {
            Ok(()) | Err(Errno::NODATA) => {}
            Err(errno) => problems.note(MetaPart::Attribute(name.to_vec()), errno),
        }
    }
    for x in meta.xattrs.iter() {
        let privileged = x.name.starts_with(b"security.") || x.name.starts_with(b"trusted.");
        let result = if x.name.is_empty() || x.name.contains(&0) {
            Err(Errno::INVAL)
        } else if privileged && !options.privileged {
            Err(Errno::PERM)
        } else {
            object.set(&x.name, &x.value)
        };
        if let Err(errno) = result {
            problems.note(MetaPart::Attribute(x.name.clone()), errno);
        }
    }
}

fn apply_times(handle: &Handle<'_>, meta: &Meta, problems: &mut Problems) {
    let Some(modified) = timespec(meta.mtime) else {
        problems.note(MetaPart::Times, Errno::INVAL);
        return;
    };
    let times = Timestamps {
        last_access: Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_OMIT as _,
        },
        last_modification: modified,
    };
    let result = match &handle.pinned {
        // Nothing else that is put back moves it.
        _ if handle.now.mtime == meta.mtime => Ok(()),
        Pinned::Open(fd) => rustix::fs::futimens(fd, &times),
        Pinned::Path(fd) => rustix::fs::utimensat(CWD, magic_path(fd.as_fd()), &times, AtFlags::empty()),
        Pinned::Link(_, dir, name) => rustix::fs::utimensat(dir, *name, &times, AtFlags::SYMLINK_NOFOLLOW),
    };
    problems.check(MetaPart::Times, result);
}

/// Nanoseconds beyond a second have meanings of their own to the kernel ("now", "leave it").
fn timespec(time: Time) -> Option<Timespec> {
    (time.nanos < 1_000_000_000).then(|| Timespec {
        tv_sec: time.secs,
        tv_nsec: time.nanos.into(),
    })
}
