//! Directories that their owner may not write in, or not even read, and that a restore changes: they are opened up for
//! as long as it takes and then get their permissions back.

use crate::entry::join;
use crate::fsmeta::{TargetDir, TargetError};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::io;

type Result<T> = std::result::Result<T, TargetError>;

/// By their path in the target, with the permissions that they had.
#[derive(Default)]
pub(super) struct OpenTarget {
    modes: Mutex<HashMap<Vec<u8>, u32>>,
}

impl OpenTarget {
    /// Makes a change in `dir`, which is opened up for it if need be and if this process owns it.
    pub fn change<T>(
        &self,
        path: &[u8],
        dir: &TargetDir,
        mut change: impl FnMut() -> Result<T>,
    ) -> Result<T> {
        let refused = match change() {
            Err(e) if e.io_kind() == Some(io::ErrorKind::PermissionDenied) => e,
            made => return made,
        };
        {
            let mut modes = self.modes.lock();
            match dir.open_up() {
                Ok(Some(mode)) => {
                    modes.entry(path.to_vec()).or_insert(mode);
                }
                // Another thread was quicker.
                Ok(None) if modes.contains_key(path) => {}
                Ok(None) | Err(_) => return Err(refused),
            }
        }
        change()
    }

    /// The directory `name` in `dir`, opened up if it can't be opened otherwise.
    pub fn enter(&self, path: &[u8], dir: &TargetDir, name: &[u8]) -> Result<TargetDir> {
        match dir.open_dir(name) {
            Err(e) if e.io_kind() == Some(io::ErrorKind::PermissionDenied) => {
                let Ok(Some(mode)) = dir.open_up_dir(name) else {
                    return Err(e);
                };
                let mut modes = self.modes.lock();
                modes.entry(join(path, name)).or_insert(mode);
                dir.open_dir(name)
            }
            entered => entered,
        }
    }

    pub fn has(&self, path: &[u8]) -> bool {
        self.modes.lock().contains_key(path)
    }

    /// `dir` has got what is recorded of it.
    pub fn forget(&self, path: &[u8]) {
        self.modes.lock().remove(path);
    }

    /// Nothing more changes in `dir`, which gets nothing that is recorded.
    pub fn put_back(&self, path: &[u8], dir: &TargetDir) -> Result<()> {
        match self.modes.lock().remove(path) {
            Some(mode) => dir.set_mode(mode),
            None => Ok(()),
        }
    }

    /// The run ends: all of them, with the permissions that they had. The lowest come first, since those above may not
    /// be entered afterwards.
    pub fn take_all(&self) -> Vec<(Vec<u8>, u32)> {
        let modes = std::mem::take(&mut *self.modes.lock());
        let mut modes: Vec<(Vec<u8>, u32)> = modes.into_iter().collect();
        modes.sort_unstable_by(|(a, _), (b, _)| b.cmp(a));
        modes
    }
}
