//! The content of files that a restore builds on: sharing the blocks of another file, and where a file has none.

use crate::fsmeta::Changes;
use crate::platform::handle::{read_at, write_all_at};
use rustix::fs::{FallocateFlags, SeekFrom, fallocate, ioctl_ficlone};
use rustix::io::{Errno, retry_on_intr};
use std::fs::File;
use std::io;

/// Bytes that are looked at and overwritten at once where a file system can't punch holes.
const STEP: usize = 1 << 20;

/// Makes `to` share all blocks of `from`, whose size it gets too. False where the file system can't do that, and then `to`
/// is as it was.
pub fn clone_file(changes: &Changes, from: &File, to: &File) -> bool {
    let cloned = changes.clone_file(from, to, || Ok(ioctl_ficlone(to, from)?));
    // Then its content is copied, or fetched.
    cloned.is_ok()
}

/// Whether `file` may have anything but zeros within these bytes: true where the file system doesn't know. Moves the file's
/// position.
pub fn has_data(file: &File, at: u64, len: u64) -> bool {
    match rustix::fs::seek(file, SeekFrom::Data(at)) {
        Ok(data) => data < at.saturating_add(len),
        Err(Errno::NXIO) => false,
        Err(_) => true,
    }
}

/// Makes these bytes of `file`, which must lie within its size, zeros: a hole if possible.
pub fn clear(file: &File, at: u64, len: u64) -> io::Result<()> {
    let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    match retry_on_intr(|| fallocate(file, punch, at, len)) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => overwrite(file, at, len),
        punched => Ok(punched?),
    }
}

/// What is zero already is not written again.
pub(super) fn overwrite(file: &File, mut at: u64, len: u64) -> io::Result<()> {
    let end = at.saturating_add(len);
    let mut bytes = vec![0; STEP];
    while at < end {
        let step = usize::try_from(end - at).unwrap_or(STEP).min(STEP);
        let part = bytes.get_mut(..step).unwrap_or_default();
        let read = read_at(file, part, at)?;
        if read == 0 {
            break;
        }
        let part = bytes.get_mut(..read).unwrap_or_default();
        if part.iter().any(|byte| *byte != 0) {
            part.fill(0);
            write_all_at(file, part, at)?;
        }
        at += read as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    const SIZE: u64 = 3 << 20;

    fn file() -> File {
        let file = tempfile::tempfile().unwrap();
        write_all_at(&file, &vec![7; SIZE as usize], 0).unwrap();
        file
    }

    fn content(file: &File) -> Vec<u8> {
        let mut bytes = vec![0; SIZE as usize];
        crate::platform::handle::read_exact_at(file, &mut bytes, 0).unwrap();
        bytes
    }

    #[test]
    fn cleared_bytes_are_zeros_and_the_others_are_as_before() {
        let (at, len) = ((1 << 20) - 5, (1 << 20) + 10_000);
        let mut wanted = vec![7; SIZE as usize];
        wanted[at..at + len].fill(0);
        for clear in [clear as fn(&File, u64, u64) -> io::Result<()>, overwrite] {
            let file = file();
            clear(&file, at as u64, len as u64).unwrap();
            assert!(content(&file) == wanted);
            assert_eq!(file.metadata().unwrap().len(), SIZE);
        }
    }

    #[test]
    fn holes_have_no_data() {
        let file = file();
        assert!(has_data(&file, 0, SIZE) && has_data(&file, SIZE - 1, 1));
        file.set_len(10 * SIZE).unwrap();
        let has_holes = file.metadata().unwrap().blocks() * 512 < 10 * SIZE;
        if has_holes {
            assert!(!has_data(&file, 5 * SIZE, SIZE));
            assert!(!has_data(&file, 20 * SIZE, SIZE), "beyond its end");
        }
        assert!(has_data(&file, SIZE - 1, 2 * SIZE));
    }

    #[test]
    fn a_clone_is_equal_or_not_made() {
        let (from, to) = (file(), tempfile::tempfile().unwrap());
        match clone_file(&Changes::default(), &from, &to) {
            true => assert!(content(&to) == content(&from)),
            false => assert_eq!(to.metadata().unwrap().len(), 0),
        }
    }
}
