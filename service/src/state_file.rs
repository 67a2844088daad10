//! Small JSON files in which this machine notes something for the next run, and lock files beside them.

use crate::catalogue::{Action, Cause};
use crate::failure::Failure;
use engine::platform::{files, lock, private};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// A state file is no larger.
const STATE_MAX: u64 = 64 << 10;

/// A file that does not make sense is as good as none: it is only this machine's note.
pub(crate) fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Option<T>, Failure> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(STATE_MAX).read_to_end(&mut bytes));
    match read {
        Ok(_) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(e) => Err(Failure::system(Action::Read, path, e)),
    }
}

/// Durably and in one step.
pub(crate) fn write(path: &Path, value: &impl Serialize) -> Result<(), Failure> {
    files::atomic_write(path, &to_bytes(value)?).map_err(|e| Failure::system(Action::Write, path, e))
}

/// The same, not durably: for what costs nothing to lose.
pub(crate) fn write_hint(path: &Path, value: &impl Serialize) -> Result<(), Failure> {
    files::write_hint(path, &to_bytes(value)?).map_err(|e| Failure::system(Action::Write, path, e))
}

fn to_bytes(value: &impl Serialize) -> Result<Vec<u8>, Failure> {
    let bytes = serde_json::to_vec_pretty(value);
    bytes.map_err(|e| Failure::from(Cause::WritingJson { why: e.to_string() }))
}

/// Held until it is dropped.
pub struct FileLock {
    _file: Option<File>,
}

impl FileLock {
    /// Where no lock can be made, because nothing can be written.
    pub fn none() -> FileLock {
        FileLock { _file: None }
    }
}

/// `None` if another process holds it.
pub(crate) fn try_lock(path: &Path) -> Result<Option<FileLock>, io::Error> {
    private::create_dir_all(files::folder_of(path))?;
    let file = lock::open(path)?;
    Ok(lock::try_lock_soon(&file)?.then_some(FileLock { _file: Some(file) }))
}
