//! Where a restore writes: nowhere yet. [`NoTarget::open`] is refused, and as there is no other way to a [`NoTargetDir`], its
//! functions are never called: the compiler knows that, by [`Infallible`].
//!
//! A restore has to create things relative to open directories, without following links, and to know when they are on the
//! disk. The standard library offers neither on Windows.

use super::{AsFd, BorrowedFd};
use crate::entry::{Kind, Meta};
use crate::fsmeta::{Changes, FileId, Names, TargetError};
use chunkstore::error::Operation;
use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::path::Path;

type Result<T> = std::result::Result<T, TargetError>;

/// Permission bits that new files of this process do not get: there are none to take away.
pub fn umask() -> u32 {
    0o022
}

/// Writes all that is not yet on the disk of the file system that `dir` is on. Only an administrator may.
pub fn sync_fs(_: impl AsFd) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The directory a restore may write beneath.
pub struct NoTarget(Infallible);

impl NoTarget {
    pub fn open(path: &Path) -> Result<NoTarget> {
        NoTarget::open_with(path, Changes::default())
    }

    pub fn open_with(_: &Path, _: Changes) -> Result<NoTarget> {
        Err(TargetError::Io {
            operation: Operation::Open,
            source: io::Error::from(io::ErrorKind::Unsupported).into(),
        })
    }

    pub fn root(&self) -> &NoTargetDir {
        match self.0 {}
    }

    pub fn is_system_root(&self) -> bool {
        match self.0 {}
    }

    pub fn changes(&self) -> &Changes {
        match self.0 {}
    }

    pub fn dir(&self, _: &[u8]) -> Result<NoTargetDir> {
        match self.0 {}
    }

    pub fn dir_from(&self, _: Option<(usize, &NoTargetDir)>, _: &[u8]) -> Result<NoTargetDir> {
        match self.0 {}
    }

    pub fn lead(&self, _: &[u8], _: &NoTargetDir) -> Result<()> {
        match self.0 {}
    }
}

/// An open directory at or beneath a [`NoTarget`].
pub struct NoTargetDir(Infallible);

impl AsFd for NoTargetDir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self.0 {}
    }
}

impl NoTargetDir {
    pub fn open_dir(&self, _: &[u8]) -> Result<NoTargetDir> {
        match self.0 {}
    }

    pub fn try_clone(&self) -> Result<NoTargetDir> {
        match self.0 {}
    }

    pub fn follow(&self, _: &[u8]) -> Result<NoTargetDir> {
        match self.0 {}
    }

    pub fn sync_fs(&self) -> io::Result<()> {
        match self.0 {}
    }

    pub fn names(&self) -> Result<Names> {
        match self.0 {}
    }

    pub fn open_up(&self) -> Result<Option<u32>> {
        match self.0 {}
    }

    pub fn open_up_dir(&self, _: &[u8]) -> Result<Option<u32>> {
        match self.0 {}
    }

    pub fn set_mode(&self, _: u32) -> Result<()> {
        match self.0 {}
    }

    pub fn create_dir(&self, _: &[u8]) -> Result<NoTargetDir> {
        match self.0 {}
    }

    pub fn create_file(&self, _: &[u8]) -> Result<File> {
        match self.0 {}
    }

    pub fn create_special(&self, _: &[u8], _: &Kind) -> Result<()> {
        match self.0 {}
    }

    pub fn hard_link(&self, _: &[u8], _: &NoTargetDir, _: &[u8], _: FileId) -> Result<()> {
        match self.0 {}
    }

    pub fn stat(&self, _: &[u8]) -> Result<(Kind, Meta)> {
        match self.0 {}
    }

    pub fn open_file(&self, _: &[u8]) -> Result<File> {
        match self.0 {}
    }

    pub fn open_to_lock(&self, _: &[u8]) -> Result<File> {
        match self.0 {}
    }

    pub fn remove(&self, _: &[u8]) -> Result<()> {
        match self.0 {}
    }

    pub fn remove_dir(&self, _: &[u8]) -> Result<()> {
        match self.0 {}
    }

    pub fn rename(&self, _: &[u8], _: &[u8]) -> Result<()> {
        match self.0 {}
    }

    pub fn rename_to_free(&self, _: &[u8], _: &[u8]) -> Result<()> {
        match self.0 {}
    }
}
