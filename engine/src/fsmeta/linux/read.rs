//! Opening and reading what is backed up: directories, files, and where a file has data.

use crate::fsmeta::{Hint, Names};
use chunkstore::descriptors;
use rustix::fs::{Advice, CWD, FileType, Mode, OFlags, RawDir, SeekFrom, openat};
use rustix::io::{Errno, retry_on_intr};
use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// One getdents call's worth: about 4000 names of usual length.
const LISTING_BUFFER: usize = 128 << 10;

/// `/` itself, for walking down from.
pub fn open_root() -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(c"/", flags, Mode::empty())?)
}

/// A directory to be listed, one component below `parent`; never follows a symbolic link.
pub fn open_dir(parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<OwnedFd> {
    open_quietly(parent, name, OFlags::DIRECTORY)
}

/// A directory to be listed, by its path; the last component is not followed.
pub fn open_dir_at(path: &Path) -> io::Result<OwnedFd> {
    open_quietly(CWD, path.as_os_str().as_bytes(), OFlags::DIRECTORY)
}

/// A directory on the way to a source, one component below `parent`: links are followed, as the user's path means
/// them, and permission to list is not needed.
pub fn open_ancestor(parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(retry_on_intr(|| openat(parent, name, flags, Mode::empty()))?)
}

/// A directory to be listed that the user named through a link to it, one component below `parent`.
pub fn open_linked_dir(parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(retry_on_intr(|| openat(parent, name, flags, Mode::empty()))?)
}

/// A device or FIFO to be read like a file, links to it followed. A FIFO is waited for until somebody writes to it.
pub fn open_special(dir: BorrowedFd<'_>, name: &[u8]) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY;
    Ok(File::from(retry_on_intr(|| {
        openat(dir, name, flags, Mode::empty())
    })?))
}

/// Bytes of a block device.
pub fn size_of_device(device: impl AsFd) -> io::Result<u64> {
    Ok(rustix::fs::seek(device, SeekFrom::End(0))?)
}

/// A file to be read. Does not follow a link and does not wait if the name has become a FIFO: callers compare the
/// kind of what they got ([`super::stat_fd`]).
pub fn open_source(dir: BorrowedFd<'_>, name: &[u8]) -> io::Result<File> {
    descriptors::patiently(|| open_quietly(dir, name, OFlags::NONBLOCK)).map(File::from)
}

/// Reading must not touch access times; only the owner may ask for that.
fn open_quietly(dir: BorrowedFd<'_>, name: &[u8], more: OFlags) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | more;
    let open = |flags| retry_on_intr(|| openat(dir, name, flags, Mode::empty()));
    match open(flags | OFlags::NOATIME) {
        Err(Errno::PERM) => Ok(open(flags)?),
        other => Ok(other?),
    }
}

/// Adds the names in `dir` to `names`, unsorted. On an error the names so far are there and the listing is not
/// complete. `buffer` is scratch that a caller keeps between calls.
pub fn list_dir(dir: BorrowedFd<'_>, buffer: &mut Vec<u8>, names: &mut Names) -> io::Result<()> {
    buffer.clear();
    buffer.reserve(LISTING_BUFFER);
    let mut entries = RawDir::new(dir, buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(Errno::INTR) => continue,
            Err(errno) => return Err(errno.into()),
        };
        let name = entry.file_name().to_bytes();
        if name == b"." || name == b".." {
            continue;
        }
        let hint = match entry.file_type() {
            FileType::Directory => Hint::Dir,
            FileType::Unknown => Hint::Unknown,
            _ => Hint::Other,
        };
        names.push(name, hint);
    }
    Ok(())
}

/// Where `file` has data in `0..size`: ascending, not touching, not empty. One range for everything where the file
/// system doesn't know. Moves the file's position: read with `pread`.
pub fn data_ranges<F: AsFd>(file: F, size: u64) -> DataRanges<F> {
    DataRanges { file, size, at: 0 }
}

pub struct DataRanges<F> {
    file: F,
    size: u64,
    at: u64,
}

impl<F: AsFd> DataRanges<F> {
    fn step(&mut self) -> Result<Option<(u64, u64)>, Errno> {
        if self.at >= self.size {
            return Ok(None);
        }
        let start = match rustix::fs::seek(&self.file, SeekFrom::Data(self.at)) {
            Ok(start) => start.max(self.at),
            Err(Errno::NXIO) => return Ok(None),
            Err(Errno::INVAL | Errno::NOTSUP) => self.at,
            Err(errno) => return Err(errno),
        };
        if start >= self.size {
            return Ok(None);
        }
        let end = match rustix::fs::seek(&self.file, SeekFrom::Hole(start)) {
            Ok(end) if end > start => end.min(self.size),
            // No progress or no answer: the rest is data, which is always true enough.
            Ok(_) | Err(Errno::NXIO | Errno::INVAL | Errno::NOTSUP) => self.size,
            Err(errno) => return Err(errno),
        };
        self.at = end;
        Ok(Some((start, end)))
    }
}

impl<F: AsFd> Iterator for DataRanges<F> {
    type Item = io::Result<(u64, u64)>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.step() {
            Ok(range) => range.map(Ok),
            Err(errno) => {
                self.at = self.size;
                Some(Err(errno.into()))
            }
        }
    }
}

/// The whole file will be read from front to back. Advice only: failure changes nothing.
pub fn advise_sequential(file: impl AsFd) {
    advise(file, 0, 0, Advice::Sequential);
}

/// `len` bytes (0: to the end) at `offset` will be read soon.
pub fn advise_soon(file: impl AsFd, offset: u64, len: u64) {
    advise(file, offset, len, Advice::WillNeed);
}

/// `len` bytes (0: to the end) at `offset` were read and need not stay in the page cache.
pub fn advise_done(file: impl AsFd, offset: u64, len: u64) {
    advise(file, offset, len, Advice::DontNeed);
}

fn advise(file: impl AsFd, offset: u64, len: u64, advice: Advice) {
    // Special files refuse advice, and nothing is wrong with that.
    let _refused = rustix::fs::fadvise(file, offset, NonZeroU64::new(len), advice);
}
