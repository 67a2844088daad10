//! Opening and examining a regular file that is about to be read; it may have become something else in the meantime.

use crate::entry::{Kind, Meta};
use crate::fsmeta::{self, AsFd};
use crate::platform::errno;
use crate::walk::DirHandle;
use std::fs::File;
use std::io;

pub(super) fn stat_file(file: &File) -> io::Result<Meta> {
    let (_, meta) = fsmeta::stat_fd(file.as_fd())?;
    Ok(meta)
}

/// Opens a regular file, and examines it before it is read; one that has become something else is as good as
/// unreadable.
pub(super) fn open_file(dir: &DirHandle, name: &[u8]) -> io::Result<(File, Meta)> {
    let file = fsmeta::open_source(dir.as_fd(), name)?;
    match fsmeta::stat_fd(file.as_fd())? {
        (Kind::File, meta) => Ok((file, dir.original(meta))),
        _ => Err(errno::error(errno::STALE)),
    }
}
