//! Locks between processes, on files. A lock ends with the last descriptor of the file that holds it, and so with its
//! process, however that ends.
//!
//! On Unix they are advisory, belong to the open file rather than the process (`flock`), and are shared with children for
//! the moment between their start and their program. A file system may know no locks, or only within one machine.

use super::descriptors::patiently;
use super::{private, system};
use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

/// How often [`try_lock_soon`] tries, and how long it waits in between.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(10);

/// Opens a file that is only there to be locked, and makes it where there is none. Its folder must exist.
pub fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.create(true).truncate(false).write(true);
    patiently(|| private::for_the_owner(&mut options).open(path))
}

/// Locks a file for this open file alone; false where another has it locked. An error where the file system knows no
/// locks.
pub fn try_lock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(e)) => Err(e),
    }
}

/// The same, where false is told to people or ends a job: waits a moment for a lock that only a child of this process
/// holds, between its start and its program.
pub fn try_lock_soon(file: &File) -> io::Result<bool> {
    for _ in 0..TRIES {
        if try_lock(file)? {
            return Ok(true);
        }
        std::thread::sleep(PAUSE);
    }
    try_lock(file)
}

/// The same, but waits until no one else holds the lock.
pub fn lock(file: &File) -> io::Result<()> {
    loop {
        match file.lock() {
            // By a signal that only set a flag.
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            locked => return locked,
        }
    }
}

/// Locks a folder that exists, as long as what is returned lives; `None` where another process has it locked. Where the
/// system locks no folders, a file beside it is locked instead.
pub fn try_lock_folder(folder: &Path) -> io::Result<Option<File>> {
    patiently(|| system::try_lock_folder(folder))
}

/// Locks a file that was just made under a temporary name, so that no one takes it for what a dead process left. False
/// where somebody has done so already, and it must be made again under another name. Where the file system knows no
/// locks nobody is ever taken for dead, and it is true.
pub fn hold_new(file: &File) -> bool {
    let is_anothers = matches!(try_lock(file), Ok(false));
    !is_anothers && !system::is_unlinked(file).is_ok_and(|unlinked| unlinked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_open_file_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let (one, other) = (open(&path).unwrap(), open(&path).unwrap());
        assert!(try_lock(&one).unwrap() && !try_lock(&other).unwrap());
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| lock(&other));
            drop(one);
            waiting.join().unwrap().unwrap();
        });
        let folder = try_lock_folder(dir.path()).unwrap();
        assert!(folder.is_some() && try_lock_folder(dir.path()).unwrap().is_none());
        drop(folder);
        assert!(try_lock_folder(dir.path()).unwrap().is_some());
    }

    #[test]
    fn one_that_is_held_for_a_moment_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let (one, other) = (open(&path).unwrap(), open(&path).unwrap());
        assert!(try_lock(&one).unwrap());
        assert!(!try_lock_soon(&other).unwrap());
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| try_lock_soon(&other));
            std::thread::sleep(PAUSE);
            drop(one);
            assert!(waiting.join().unwrap().unwrap());
        });
    }

    #[test]
    fn what_was_taken_for_dead_is_made_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new");
        let file = File::create(&path).unwrap();
        let other = File::open(&path).unwrap();
        assert!(hold_new(&file) && !hold_new(&other));
        drop(file);
        assert!(hold_new(&other));
        std::fs::remove_file(&path).unwrap();
        assert!(!hold_new(&other));
    }
}
