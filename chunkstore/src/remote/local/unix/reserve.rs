//! Room set aside in a repository's directory, so that a collection can begin on a disk without a free byte: a file
//! among the unpublished writes, of bytes that no file system compresses.

use super::sharing::Sharing;
use crate::id::random;
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::BorrowedFd;

pub(super) const PATH: &str = "tmp/reserve";
/// Enough for a session, a fence, a mark and an index segment, each in blocks of its own.
const BYTES: usize = 256 << 10;

/// Makes the file where there is none.
pub(super) fn create_reserve(root: BorrowedFd<'_>, sharing: &Sharing) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = match rustix::fs::openat(root, PATH, flags, Mode::from_raw_mode(0o600)) {
        Err(Errno::EXIST) => return Ok(()),
        file => File::from(file?),
    };
    sharing.hand_over(&file, sharing.file);
    let written = write(file);
    if written.is_err() {
        // Half a reserve would be in the way of a whole one later.
        free(root)?;
    }
    match written {
        // This process may write only short files; the next one that may write longer ones makes the reserve.
        Err(e) if e.kind() == io::ErrorKind::FileTooLarge => Ok(()),
        written => written,
    }
}

fn write(mut file: File) -> io::Result<()> {
    let seed: [u8; 32] = random().map_err(io::Error::other)?;
    let mut bytes = vec![0; BYTES];
    blake3::Hasher::new()
        .update(&seed)
        .finalize_xof()
        .fill(&mut bytes);
    file.write_all(&bytes)?;
    file.sync_all()
}

/// Gives the room back; false where there is none.
pub(super) fn free(root: BorrowedFd<'_>) -> io::Result<bool> {
    match rustix::fs::unlinkat(root, PATH, AtFlags::empty()) {
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(false),
        done => done.map(|()| true).map_err(io::Error::from),
    }
}
