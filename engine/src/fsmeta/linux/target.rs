//! Where a restore writes. Every call names one checked component below an open directory, and directories are opened
//! without following links, so nothing can be created outside the target: not by hostile names in a generation, and
//! not by someone who swaps directories for links in the meantime.
//!
//! The exception are links above what was backed up when the target is `/`: they are the user's own, and a backup goes
//! through them ([`TargetDir::follow`]).

use super::xattr::magic_path;
use super::{list_dir, stat, stat_fd, sync_fs};
use crate::entry::{Kind, Meta};
use crate::fsmeta::{Blank, Changes, FileId, FollowLinks, Names, TargetError, check_name};
use crate::problem::NameFault;
use chunkstore::error::{IoError, Operation};
use chunkstore::platform::opening::open_patiently;
use parking_lot::RwLock;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RenameFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

type Result<T> = std::result::Result<T, TargetError>;

/// The directory a restore may write beneath.
pub struct Target {
    root: TargetDir,
    /// Paths at which a link of the user's was followed, and where it led.
    followed: RwLock<Vec<(Vec<u8>, TargetDir)>>,
}

impl Target {
    /// `path` is the user's own and must exist; links in it are followed.
    pub fn open(path: &Path) -> Result<Target> {
        Target::open_with(path, Changes::default())
    }

    pub fn open_with(path: &Path, changes: Changes) -> Result<Target> {
        let fd = open_patiently(|| rustix::fs::open(path, dir_flags(), Mode::empty()))
            .map_err(failed(Operation::Open))?;
        Ok(Target {
            root: TargetDir { fd, changes },
            followed: RwLock::default(),
        })
    }

    pub fn root(&self) -> &TargetDir {
        &self.root
    }

    /// It is the root of the file system: paths in it are those that a backup sees.
    pub fn is_system_root(&self) -> bool {
        let id = |stat: rustix::fs::Stat| (stat.st_dev, stat.st_ino);
        match (rustix::fs::fstat(&self.root.fd), rustix::fs::stat("/")) {
            (Ok(target), Ok(root)) => id(target) == id(root),
            _ => false,
        }
    }

    pub fn changes(&self) -> &Changes {
        &self.root.changes
    }

    /// The directory at `path`, components joined by `/`, relative to the target; the empty path is the target.
    pub fn dir(&self, path: &[u8]) -> Result<TargetDir> {
        self.dir_from(None, path)
    }

    /// The same. `open` is a directory on the way that is open, and the length of its path.
    pub fn dir_from(&self, open: Option<(usize, &TargetDir)>, path: &[u8]) -> Result<TargetDir> {
        let followed = self.followed.read();
        let (mut start, mut from) = open.unwrap_or((0, &self.root));
        for (link, dir) in followed.iter() {
            // The last one that fits is the deepest: a link below another was followed after it.
            let leads = matches!(path.strip_prefix(link.as_slice()), Some([] | [b'/', ..]));
            if leads && link.len() >= start {
                (start, from) = (link.len(), dir);
            }
        }
        match path.get(start..).unwrap_or_default() {
            [] => from.try_clone(),
            [b'/', rest @ ..] if start > 0 => from.open_path(rest),
            rest => from.open_path(rest),
        }
    }

    /// From now on `path` leads to `dir`.
    pub fn lead(&self, path: &[u8], dir: &TargetDir) -> Result<()> {
        let dir = dir.try_clone()?;
        self.followed.write().push((path.to_vec(), dir));
        Ok(())
    }
}

/// An open directory at or beneath a [`Target`].
pub struct TargetDir {
    fd: OwnedFd,
    changes: Changes,
}

impl AsFd for TargetDir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl TargetDir {
    pub fn open_dir(&self, name: &[u8]) -> Result<TargetDir> {
        check_name(name)?;
        let fd = open_patiently(|| openat(&self.fd, name, dir_flags() | OFlags::NOFOLLOW, Mode::empty()));
        fd.map(|fd| self.beneath(fd)).map_err(failed(Operation::Open))
    }

    fn beneath(&self, fd: OwnedFd) -> TargetDir {
        let changes = self.changes.clone();
        TargetDir { fd, changes }
    }

    pub fn try_clone(&self) -> Result<TargetDir> {
        let cloned = self.fd.try_clone();
        cloned
            .map(|fd| self.beneath(fd))
            .map_err(|e| io_error(Operation::Open, e))
    }

    /// The directory that the link `name` leads to. Only for what lies above that which is restored, and only through
    /// links of root or of the user who restores: another user's link could lead anywhere.
    pub fn follow(&self, name: &[u8]) -> Result<TargetDir> {
        check_name(name)?;
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let link = openat(&self.fd, name, flags, Mode::empty()).map_err(failed(Operation::Open))?;
        let owner = rustix::fs::fstat(&link).map_err(failed(Operation::Stat))?.st_uid;
        if owner != 0 && owner != rustix::process::geteuid().as_raw() {
            return Err(TargetError::ForeignLink { owner });
        }
        let to = rustix::fs::readlinkat(&link, c"", Vec::new()).map_err(failed(Operation::ReadLink))?;
        let fd = open_patiently(|| openat(&self.fd, to.as_c_str(), dir_flags(), Mode::empty()));
        fd.map(|fd| self.beneath(fd)).map_err(failed(Operation::Open))
    }

    /// Writes all that is not yet on the disk of the file system that it is on.
    pub fn sync_fs(&self) -> io::Result<()> {
        self.changes.sync(|| sync_fs(&self.fd))
    }

    /// The names in it, sorted.
    pub fn names(&self) -> Result<Names> {
        let mut names = Names::default();
        // A descriptor of its own: reading moves the position, which clones share.
        let dir = openat(&self.fd, c".", dir_flags(), Mode::empty()).map_err(failed(Operation::Open))?;
        list_dir(dir.as_fd(), &mut Vec::new(), &mut names).map_err(|e| io_error(Operation::List, e))?;
        names.sort();
        Ok(names)
    }

    /// Lets its owner, if that is this process, create and remove names in it; gives the permissions that it had.
    pub fn open_up(&self) -> Result<Option<u32>> {
        let (_, meta) = stat_fd(self.fd.as_fd()).map_err(|e| io_error(Operation::Stat, e))?;
        let Some(mode) = opened_up(&meta) else {
            return Ok(None);
        };
        self.set_mode(mode)?;
        Ok(Some(meta.mode & 0o7777))
    }

    /// The same for the directory `name` in it, which can't be opened.
    pub fn open_up_dir(&self, name: &[u8]) -> Result<Option<u32>> {
        check_name(name)?;
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = openat(&self.fd, name, flags, Mode::empty()).map_err(failed(Operation::Open))?;
        let (_, meta) = stat_fd(dir.as_fd()).map_err(|e| io_error(Operation::Stat, e))?;
        let Some(mode) = opened_up(&meta) else {
            return Ok(None);
        };
        let path = magic_path(dir.as_fd());
        self.change(Operation::Chmod, || {
            rustix::fs::chmodat(CWD, path, Mode::from_raw_mode(mode), AtFlags::empty())
        })?;
        Ok(Some(meta.mode & 0o7777))
    }

    pub fn set_mode(&self, mode: u32) -> Result<()> {
        self.change(Operation::Chmod, || {
            rustix::fs::fchmod(&self.fd, Mode::from_raw_mode(mode))
        })
    }

    /// Makes one change to the target.
    fn change<T>(&self, operation: Operation, change: impl FnOnce() -> rustix::io::Result<T>) -> Result<T> {
        let changed = self.changes.make(|| Ok(change()?));
        changed.map_err(|e| io_error(operation, e))
    }

    /// Several components at once. A link anywhere in `path` is an error.
    fn open_path(&self, path: &[u8]) -> Result<TargetDir> {
        for name in path.split(|&b| b == b'/') {
            check_name(name)?;
        }
        let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_SYMLINKS;
        let flags = dir_flags() | OFlags::NOFOLLOW;
        self.changes.walked(path.split(|&b| b == b'/').count());
        match open_patiently(|| openat2(&self.fd, path, flags, Mode::empty(), beneath)) {
            Ok(fd) => Ok(self.beneath(fd)),
            // A path beyond PATH_MAX.
            Err(Errno::NAMETOOLONG) if let Some((high, low)) = halves(path) => {
                self.open_path(high)?.open_path(low)
            }
            // Old kernel, a sandbox that does not know the call, a rename under way: the components one by one give the
            // same guarantee.
            Err(Errno::NOSYS | Errno::PERM | Errno::AGAIN) => self.open_each(path),
            Err(errno) => Err(failed(Operation::Open)(errno)),
        }
    }

    pub(super) fn open_each(&self, path: &[u8]) -> Result<TargetDir> {
        let mut names = path.split(|&b| b == b'/');
        let mut dir = self.open_dir(names.next().unwrap_or_default())?;
        for name in names {
            dir = dir.open_dir(name)?;
        }
        Ok(dir)
    }

    /// Creates a directory only its owner may enter until metadata is applied. An existing one is an error
    /// (`AlreadyExists`).
    pub fn create_dir(&self, name: &[u8]) -> Result<TargetDir> {
        check_name(name)?;
        self.change(Operation::Mkdir, || {
            rustix::fs::mkdirat(&self.fd, name, Mode::RWXU)
        })?;
        self.open_dir(name)
    }

    /// Creates an empty file, readable and writable for its owner only. Whatever is there already, a link too, is an
    /// error (`AlreadyExists`).
    pub fn create_file(&self, name: &[u8]) -> Result<File> {
        check_name(name)?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let create = || open_patiently(|| openat(&self.fd, name, flags, mode));
        Ok(File::from(self.change(Operation::Create, create)?))
    }

    /// Creates anything but a regular file, with no permissions where it has any. `link` is stored as it is and
    /// nothing here ever follows it.
    pub fn create_special(&self, name: &[u8], kind: &Kind) -> Result<()> {
        check_name(name)?;
        let node = |file_type, rdev| {
            self.change(Operation::Mknod, || {
                rustix::fs::mknodat(&self.fd, name, file_type, Mode::empty(), rdev)
            })
        };
        match kind {
            Kind::Symlink { target } => {
                if target.is_empty() || target.contains(&0) {
                    return Err(TargetError::HostileName {
                        name: target.clone(),
                        fault: NameFault::LinkTarget,
                    });
                }
                self.change(Operation::Symlink, || {
                    rustix::fs::symlinkat(target.as_slice(), &self.fd, name)
                })
            }
            Kind::CharDevice { rdev } => node(FileType::CharacterDevice, *rdev),
            Kind::BlockDevice { rdev } => node(FileType::BlockDevice, *rdev),
            Kind::Fifo => node(FileType::Fifo, 0),
            Kind::Socket => node(FileType::Socket, 0),
            Kind::Dir => self.create_dir(name).map(drop),
            Kind::File => self.create_file(name).map(drop),
        }
    }

    /// Another name for the object that was created at `from_name` in `from`. `expect` is that object: a name that
    /// leads elsewhere by now does not become a link.
    pub fn hard_link(&self, name: &[u8], from: &TargetDir, from_name: &[u8], expect: FileId) -> Result<()> {
        check_name(name)?;
        check_name(from_name)?;
        self.change(Operation::Link, || {
            rustix::fs::linkat(&from.fd, from_name, &self.fd, name, AtFlags::empty())
        })?;
        let (_, meta) = self.stat(name)?;
        if FileId::from(&meta) != expect {
            self.remove(name)?;
            return Err(TargetError::Replaced {
                name: from_name.to_vec(),
            });
        }
        Ok(())
    }

    /// What is at `name`; a link is not followed.
    pub fn stat(&self, name: &[u8]) -> Result<(Kind, Meta)> {
        check_name(name)?;
        stat(self.fd.as_fd(), name, FollowLinks::No, &Blank::default())
            .map_err(|e| io_error(Operation::Stat, e))
    }

    /// Opens what is at `name` for reading; a link is not followed.
    pub fn open_file(&self, name: &[u8]) -> Result<File> {
        check_name(name)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let fd = open_patiently(|| openat(&self.fd, name, flags, Mode::empty()))
            .map_err(failed(Operation::Open))?;
        Ok(File::from(fd))
    }

    /// Opens what is at `name` for reading and writing, as a lock needs it on some file systems; a link is not followed.
    pub fn open_to_lock(&self, name: &[u8]) -> Result<File> {
        check_name(name)?;
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let fd = open_patiently(|| openat(&self.fd, name, flags, Mode::empty()))
            .map_err(failed(Operation::Open))?;
        Ok(File::from(fd))
    }

    /// Removes anything but a directory.
    pub fn remove(&self, name: &[u8]) -> Result<()> {
        check_name(name)?;
        self.change(Operation::Unlink, || {
            rustix::fs::unlinkat(&self.fd, name, AtFlags::empty())
        })
    }

    /// Removes an empty directory.
    pub fn remove_dir(&self, name: &[u8]) -> Result<()> {
        check_name(name)?;
        self.change(Operation::Rmdir, || {
            rustix::fs::unlinkat(&self.fd, name, AtFlags::REMOVEDIR)
        })
    }

    /// Gives the object at `from` the name `to` in the same directory, replacing what is there.
    pub fn rename(&self, from: &[u8], to: &[u8]) -> Result<()> {
        check_name(from)?;
        check_name(to)?;
        self.change(Operation::Rename, || {
            rustix::fs::renameat(&self.fd, from, &self.fd, to)
        })
    }

    /// The same, but whatever is there already is an error (`AlreadyExists`).
    pub fn rename_to_free(&self, from: &[u8], to: &[u8]) -> Result<()> {
        check_name(from)?;
        check_name(to)?;
        self.change(Operation::Rename, || {
            match rustix::fs::renameat_with(&self.fd, from, &self.fd, to, RenameFlags::NOREPLACE) {
                Err(Errno::INVAL | Errno::NOSYS) => self.link_to_free(from, to),
                renamed => renamed,
            }
        })
    }

    /// For file systems that can't rename so: a second name is refused where it is taken. Where there are no second
    /// names either, nothing better is left than to look first.
    fn link_to_free(&self, from: &[u8], to: &[u8]) -> rustix::io::Result<()> {
        match rustix::fs::linkat(&self.fd, from, &self.fd, to, AtFlags::empty()) {
            Ok(()) => rustix::fs::unlinkat(&self.fd, from, AtFlags::empty()),
            Err(Errno::PERM | Errno::NOSYS | Errno::OPNOTSUPP) => {
                match rustix::fs::statat(&self.fd, to, AtFlags::SYMLINK_NOFOLLOW) {
                    Err(Errno::NOENT) => rustix::fs::renameat(&self.fd, from, &self.fd, to),
                    Ok(_) => Err(Errno::EXIST),
                    Err(errno) => Err(errno),
                }
            }
            Err(errno) => Err(errno),
        }
    }
}

/// The permissions with which its owner may use a directory; `None` where that is somebody else or they suffice.
fn opened_up(meta: &Meta) -> Option<u32> {
    let mode = meta.mode & 0o7777;
    let ours = meta.uid == rustix::process::geteuid().as_raw();
    (ours && mode & 0o700 != 0o700).then_some(mode | 0o700)
}

/// A path of several components as two.
fn halves(path: &[u8]) -> Option<(&[u8], &[u8])> {
    let (first, second) = path.split_at(path.len() / 2);
    let middle = match second.iter().position(|b| *b == b'/') {
        Some(at) => first.len() + at,
        None => first.iter().rposition(|b| *b == b'/')?,
    };
    Some((path.get(..middle)?, path.get(middle + 1..)?))
}

fn dir_flags() -> OFlags {
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC
}

fn failed(operation: Operation) -> impl Fn(Errno) -> TargetError {
    move |errno| io_error(operation, errno)
}

fn io_error(operation: Operation, source: impl Into<IoError>) -> TargetError {
    TargetError::Io {
        operation,
        source: source.into(),
    }
}
