//! Where a restore writes. Every call names one checked component below an open directory, and directories are opened
//! without following links, so nothing can be created outside the target: not by hostile names in a generation, and
//! not by somebody who swaps directories for links meanwhile.

use super::{Blank, Follow, stat};
use crate::entry::{Kind, Meta};
use crate::fsmeta::{TargetError, check_name};
use chunkstore::descriptors::open_patiently;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

type Result<T> = std::result::Result<T, TargetError>;

/// Device and inode: tells whether a name still leads to the object that was created there.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct FileId {
    pub dev: u64,
    pub ino: u64,
}

impl From<&Meta> for FileId {
    fn from(meta: &Meta) -> Self {
        FileId {
            dev: meta.dev,
            ino: meta.ino,
        }
    }
}

/// The directory a restore may write beneath.
pub struct Target {
    root: TargetDir,
}

impl Target {
    /// `path` is the user's own and must exist; links in it are followed.
    pub fn open(path: &Path) -> Result<Target> {
        let fd = open_patiently(|| rustix::fs::open(path, dir_flags(), Mode::empty())).map_err(io("open"))?;
        Ok(Target {
            root: TargetDir { fd },
        })
    }

    pub fn root(&self) -> &TargetDir {
        &self.root
    }

    /// The directory at `path`, components joined by `/`, relative to the target; the empty path is the target.
    pub fn dir(&self, path: &[u8]) -> Result<TargetDir> {
        if path.is_empty() {
            let fd = self
                .root
                .fd
                .try_clone()
                .map_err(|source| TargetError::Io { call: "open", source })?;
            return Ok(TargetDir { fd });
        }
        self.root.open_path(path)
    }
}

/// An open directory at or beneath a [`Target`].
pub struct TargetDir {
    fd: OwnedFd,
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
        fd.map(|fd| TargetDir { fd }).map_err(io("open"))
    }

    /// Several components at once. A link anywhere in `path` is an error.
    fn open_path(&self, path: &[u8]) -> Result<TargetDir> {
        for name in path.split(|&b| b == b'/') {
            check_name(name)?;
        }
        let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_SYMLINKS;
        let flags = dir_flags() | OFlags::NOFOLLOW;
        match open_patiently(|| openat2(&self.fd, path, flags, Mode::empty(), beneath)) {
            Ok(fd) => Ok(TargetDir { fd }),
            // Old kernel, a sandbox that does not know the call, a rename under way, a path beyond PATH_MAX:
            // the components one by one give the same guarantee.
            Err(Errno::NOSYS | Errno::PERM | Errno::AGAIN | Errno::NAMETOOLONG) => self.open_each(path),
            Err(errno) => Err(io("open")(errno)),
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
        rustix::fs::mkdirat(&self.fd, name, Mode::RWXU).map_err(io("mkdir"))?;
        self.open_dir(name)
    }

    /// Creates an empty file, readable and writable for its owner only. Whatever is there already, a link too, is an
    /// error (`AlreadyExists`).
    pub fn create_file(&self, name: &[u8]) -> Result<File> {
        check_name(name)?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let fd = open_patiently(|| openat(&self.fd, name, flags, mode)).map_err(io("create"))?;
        Ok(File::from(fd))
    }

    /// Creates anything but a regular file, with no permissions where it has any. `link` is stored as it is and
    /// nothing here ever follows it.
    pub fn create_special(&self, name: &[u8], kind: &Kind) -> Result<()> {
        check_name(name)?;
        let node = |file_type, rdev| {
            rustix::fs::mknodat(&self.fd, name, file_type, Mode::empty(), rdev).map_err(io("mknod"))
        };
        match kind {
            Kind::Symlink { target } => {
                if target.is_empty() || target.contains(&0) {
                    return Err(TargetError::HostileName {
                        name: target.clone(),
                        why: "not a link's target",
                    });
                }
                rustix::fs::symlinkat(target.as_slice(), &self.fd, name).map_err(io("symlink"))
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
        rustix::fs::linkat(&from.fd, from_name, &self.fd, name, AtFlags::empty()).map_err(io("link"))?;
        let (_, meta) = self.stat(name)?;
        if FileId::from(&meta) != expect {
            rustix::fs::unlinkat(&self.fd, name, AtFlags::empty()).map_err(io("unlink"))?;
            return Err(TargetError::Replaced {
                name: from_name.to_vec(),
            });
        }
        Ok(())
    }

    /// What is at `name`; a link is not followed.
    pub fn stat(&self, name: &[u8]) -> Result<(Kind, Meta)> {
        check_name(name)?;
        stat(self.fd.as_fd(), name, Follow::No, &Blank::default())
            .map_err(|source| TargetError::Io { call: "stat", source })
    }

    /// Opens an existing regular file, link or not is checked, for reading and writing.
    pub fn open_file(&self, name: &[u8]) -> Result<File> {
        check_name(name)?;
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let fd = open_patiently(|| openat(&self.fd, name, flags, Mode::empty())).map_err(io("open"))?;
        Ok(File::from(fd))
    }

    /// Removes anything but a directory.
    pub fn remove(&self, name: &[u8]) -> Result<()> {
        check_name(name)?;
        rustix::fs::unlinkat(&self.fd, name, AtFlags::empty()).map_err(io("unlink"))
    }

    /// Removes an empty directory.
    pub fn remove_dir(&self, name: &[u8]) -> Result<()> {
        check_name(name)?;
        rustix::fs::unlinkat(&self.fd, name, AtFlags::REMOVEDIR).map_err(io("rmdir"))
    }

    /// Gives the object at `from` the name `to` in the same directory, replacing what is there.
    pub fn rename(&self, from: &[u8], to: &[u8]) -> Result<()> {
        check_name(from)?;
        check_name(to)?;
        rustix::fs::renameat(&self.fd, from, &self.fd, to).map_err(io("rename"))
    }
}

fn dir_flags() -> OFlags {
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC
}

fn io(call: &'static str) -> impl Fn(Errno) -> TargetError {
    move |errno| TargetError::Io {
        call,
        source: errno.into(),
    }
}
