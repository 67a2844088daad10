//! Opening and reading what is backed up: directories and files.

use super::capture::options;
use super::{AsFd, BorrowedFd, OwnedFd};
use crate::fsmeta::{FollowLinks, Hint, Names, Trust};
use crate::platform::paths::name_bytes;
use chunkstore::descriptors;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// The place above all drives, for walking down from.
pub fn open_root() -> io::Result<OwnedFd> {
    Ok(OwnedFd(None))
}

/// A directory to be listed, one component below `parent`; never follows a link.
pub fn open_dir(parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<OwnedFd> {
    open_dir_at(&parent.join(name)?)
}

/// A directory to be listed, by its path; the last component is not followed.
pub fn open_dir_at(path: &Path) -> io::Result<OwnedFd> {
    directory(path.to_path_buf(), path.symlink_metadata()?.is_dir())
}

/// A directory on the way to a source, one component below `parent`: links are followed, as the user's path means them.
pub fn open_ancestor(parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<OwnedFd> {
    let path = parent.join(name)?;
    let is_dir = path.metadata()?.is_dir();
    directory(path, is_dir)
}

/// A directory to be listed that the user named through a link to it, one component below `parent`.
pub fn open_linked_dir(parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<OwnedFd> {
    open_ancestor(parent, name)
}

fn directory(path: PathBuf, is_dir: bool) -> io::Result<OwnedFd> {
    match is_dir {
        true => Ok(OwnedFd(Some(path))),
        false => Err(io::ErrorKind::NotADirectory.into()),
    }
}

/// A device or pipe to be read like a file, links to it followed.
pub fn open_special(dir: BorrowedFd<'_>, name: &[u8]) -> io::Result<File> {
    File::open(dir.join(name)?)
}

/// Bytes of a block device.
pub fn size_of_device(_: impl AsFd) -> io::Result<u64> {
    Err(io::ErrorKind::Unsupported.into())
}

/// A file to be read. Does not follow a link: callers compare the kind of what they got ([`super::stat_fd`]).
pub fn open_source(dir: BorrowedFd<'_>, name: &[u8]) -> io::Result<File> {
    let path = dir.join(name)?;
    descriptors::patiently(|| options(FollowLinks::No).read(true).open(&path))
}

/// Adds the names in `dir` to `names`, unsorted. On an error the names so far are there and the listing is not
/// complete.
pub fn list_dir(dir: BorrowedFd<'_>, _: &mut Vec<u8>, names: &mut Names) -> io::Result<()> {
    for entry in std::fs::read_dir(dir.join(b".")?)? {
        let entry = entry?;
        let hint = match entry.file_type() {
            Ok(kind) if kind.is_dir() => Hint::Dir,
            Ok(_) => Hint::Other,
            Err(_) => Hint::Unknown,
        };
        names.push(name_bytes(&entry.file_name()), hint);
    }
    Ok(())
}

/// Where `file` has data in `0..size`: all of it, as the standard library can't ask where it has holes.
pub fn data_ranges<F: AsFd>(file: F, size: u64) -> WholeRange<F> {
    WholeRange {
        _file: file,
        rest: (size > 0).then_some((0, size)),
    }
}

pub struct WholeRange<F> {
    _file: F,
    rest: Option<(u64, u64)>,
}

impl<F: AsFd> Iterator for WholeRange<F> {
    type Item = io::Result<(u64, u64)>;

    fn next(&mut self) -> Option<Self::Item> {
        self.rest.take().map(Ok)
    }
}

/// How far sizes can be relied on. Which file system it is can't be asked, so that an empty file is read again.
pub fn sizes_of(_: impl AsFd) -> Trust {
    Trust::NotEmpty
}

/// The system takes such advice only when a file is opened.
pub fn advise_sequential(_: impl AsFd) {}

pub fn advise_soon(_: impl AsFd, _: u64, _: u64) {}

pub fn advise_done(_: impl AsFd, _: u64, _: u64) {}
