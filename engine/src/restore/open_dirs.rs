//! Directories of the target that a thread of a restore keeps open, as many as there are descriptors for.

use crate::entry::DirPath;
use crate::fsmeta::TargetDir;
use std::collections::HashMap;
use std::sync::Arc;

/// Bytes that their paths may take.
const DIRS_TEXT: usize = 4 << 20;

/// Directories that are open, by their paths in the generation.
#[derive(Default)]
pub(super) struct OpenDirs {
    /// With the number of the last use.
    open: HashMap<DirPath, (u64, Arc<TargetDir>)>,
    uses: u64,
    text: usize,
}

impl OpenDirs {
    pub fn get(&mut self, path: &DirPath) -> Option<Arc<TargetDir>> {
        self.uses += 1;
        let (used, dir) = self.open.get_mut(path)?;
        *used = self.uses;
        Some(dir.clone())
    }

    /// Closes those that were not used for longest, so that there are no more than `room`.
    pub fn put(&mut self, path: &DirPath, dir: &Arc<TargetDir>, room: usize) {
        while !self.open.is_empty() && (self.open.len() >= room || self.text + path.len() > DIRS_TEXT) {
            self.close_oldest();
        }
        if room > 0 {
            self.text += path.len();
            self.open.insert(path.clone(), (self.uses, dir.clone()));
        }
    }

    /// Closes an eighth at a time, so that not every new directory has to look at all that are open.
    fn close_oldest(&mut self) {
        let mut uses: Vec<u64> = self.open.values().map(|(used, _)| *used).collect();
        let eighth = uses.len() / 8;
        let (_, &mut last, _) = uses.select_nth_unstable(eighth);
        let text = &mut self.text;
        self.open.retain(|path, (used, _)| {
            let keep = *used > last;
            *text -= if keep { 0 } else { path.len() };
            keep
        });
    }
}
