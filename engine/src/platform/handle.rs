//! Open files: reading and writing at a position, and which file it is.

use super::{files, system};
use std::fs::{File, Metadata};
use std::io;
use std::path::Path;

/// Reads some bytes at `offset`, none only at the end of the file. On some systems this moves the file's position, so don't
/// mix it with reads that use the position.
pub fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    system::read_at(file, buffer, offset)
}

/// Fills `buffer` from `offset`; [`io::ErrorKind::UnexpectedEof`] where the file ends before.
pub fn read_exact_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match read_at(file, buffer, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                buffer = buffer.get_mut(read..).unwrap_or_default();
                offset += read as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Writes all of `bytes` at `offset`, as [`read_at`] reads.
pub fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    system::write_all_at(file, bytes, offset)
}

/// Whether `path` names this file itself: a regular file, not a link to it.
pub fn is_named(file: &File, path: &Path) -> bool {
    let is_file = std::fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file());
    let named = || files::identity(&open_unwaiting(path)?);
    let same = |file| named().is_ok_and(|named| named == file);
    is_file && files::identity(file).is_ok_and(same)
}

/// Opens a file for reading and writing. A symbolic link is an error, and a FIFO does not block.
pub fn open_unwaiting(path: &Path) -> io::Result<File> {
    system::open_unwaiting(path)
}

/// Gives an open file the owner and the group of another one. Only root may give files away.
pub fn give_as(file: &File, other: &Metadata) -> io::Result<()> {
    system::give_as(file, other)
}

/// Whether a path leads to an open file of a process (`/dev/fd/3`) rather than to a name that a file can be put at.
pub fn is_of_a_process(path: &Path) -> bool {
    system::OF_PROCESSES.iter().any(|folder| path.starts_with(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, "0123456789").unwrap();
        let file = open_unwaiting(&path).unwrap();
        write_all_at(&file, b"ab", 3).unwrap();
        let mut buffer = [0; 4];
        read_exact_at(&file, &mut buffer, 2).unwrap();
        assert_eq!(&buffer, b"2ab5");
        assert_eq!(read_at(&file, &mut buffer, 8).unwrap(), 2);
        assert_eq!(read_at(&file, &mut buffer, 10).unwrap(), 0);
        let short = read_exact_at(&file, &mut buffer, 8).unwrap_err();
        assert_eq!(short.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_and_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::fs::write(path("file"), "").unwrap();
        std::fs::write(path("other"), "").unwrap();
        std::os::unix::fs::symlink(path("file"), path("link")).unwrap();
        let file = open_unwaiting(&path("file")).unwrap();
        assert!(is_named(&file, &path("file")));
        assert!(!is_named(&file, &path("other")) && !is_named(&file, &path("none")));
        assert!(!is_named(&file, &path("link")) && open_unwaiting(&path("link")).is_err());
        let fifo = path("fifo");
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RWXU).unwrap();
        assert!(!is_named(&open_unwaiting(&fifo).unwrap(), &fifo));
    }
}
