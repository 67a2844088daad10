//! Windows, as far as the standard library goes: what is there is listed, examined and read, and nothing is restored yet
//! (docs/decisions/0057-windows-check.md).
//!
//! Windows has calls relative to an open directory too, but only unsafe code can make them. A directory is therefore known
//! by its path: whoever swaps one for a link while a backup reads it leads the backup elsewhere. Security descriptors and
//! alternate streams are not read, and [`complete`] says so of every entry (I-12).

mod apply;
mod capture;
mod content;
mod read;
mod target;

pub use apply::{UnchangedAt as At, apply_meta};
pub use capture::{NoOwners as Owners, complete, examine, has_xattr, stat, stat_fd, stat_path};
pub use content::{clear, clone_file, has_data};
pub use read::{
    WholeRange as DataRanges, advise_done, advise_sequential, advise_soon, data_ranges, list_dir,
    open_ancestor, open_dir, open_dir_at, open_linked_dir, open_root, open_source, open_special,
    size_of_device, sizes_of,
};
pub use target::{NoTarget as Target, NoTargetDir as TargetDir, sync_fs, umask};

use crate::platform::paths::{from_bytes, from_root};
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// `ERROR_SEEK` and `ERROR_SEEK_ON_DEVICE`.
const CANNOT_SEEK: [i32; 2] = [25, 132];

/// An open directory. `None` is the place above all drives, which has no path and is only gone through.
pub struct OwnedFd(Option<PathBuf>);

/// What whoever has something open lends.
#[derive(Clone, Copy)]
pub enum BorrowedFd<'a> {
    Dir(&'a OwnedFd),
    File(&'a File),
}

/// Whatever has something open.
pub trait AsFd {
    fn as_fd(&self) -> BorrowedFd<'_>;
}

impl AsFd for OwnedFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        BorrowedFd::Dir(self)
    }
}

impl AsFd for File {
    fn as_fd(&self) -> BorrowedFd<'_> {
        BorrowedFd::File(self)
    }
}

impl AsFd for BorrowedFd<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        *self
    }
}

impl<T: AsFd + ?Sized> AsFd for &T {
    fn as_fd(&self) -> BorrowedFd<'_> {
        (**self).as_fd()
    }
}

impl<T: AsFd + ?Sized> AsFd for Arc<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        (**self).as_fd()
    }
}

impl BorrowedFd<'_> {
    /// The path of a name, or of several joined by `/`, in this directory.
    fn join(&self, name: &[u8]) -> io::Result<PathBuf> {
        match self {
            BorrowedFd::Dir(OwnedFd(Some(dir))) if name == b"." => Ok(dir.clone()),
            BorrowedFd::Dir(OwnedFd(Some(dir))) => Ok(dir.join(from_bytes(name))),
            BorrowedFd::Dir(OwnedFd(None)) if name == b"." => Err(io::ErrorKind::Unsupported.into()),
            BorrowedFd::Dir(OwnedFd(None)) => Ok(from_root(name)),
            BorrowedFd::File(_) => Err(io::ErrorKind::NotADirectory.into()),
        }
    }
}

/// Whether `error` means that the name is not there any more.
pub fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

/// Whether `error` means that the file can only be read from front to back.
pub fn cannot_seek(error: &io::Error) -> bool {
    error
        .raw_os_error()
        .is_some_and(|number| CANNOT_SEEK.contains(&number))
}

/// The file system has no flags that generations record.
pub const CHEAP_FLAGS: u32 = 0;

/// Whether these keep an object from being changed.
pub fn locks(_: u32) -> bool {
    false
}

/// There are none to put back.
pub fn set_flags(_: impl AsFd, _: u32) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub fn set_first_flags(_: impl AsFd, _: u32) {}
