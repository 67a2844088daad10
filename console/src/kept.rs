//! What was found out by jobs that take long, kept in memory with its date so that a click does not do it again: what
//! the things in a folder hold alone. It ends with the console, and with a purge, which changes it.

use crate::jobs::SpaceSpot;
use crate::locks::lock;
use jiff::Timestamp;
use service::space::{Holder, Report};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

/// Folders that are kept; the one that was looked at longest ago goes.
const FOLDERS_MAX: usize = 64;
/// Rows of one folder: the largest.
pub const ROWS_MAX: usize = 1000;

/// What is in a folder, in all snapshots.
#[derive(Debug)]
pub struct FolderSpace {
    pub asked: SpaceSpot,
    /// The folder, absolute.
    pub path: Vec<u8>,
    /// The largest first, each with what it holds alone.
    pub rows: Vec<(Holder, u64)>,
    /// Rows that are not kept, and what each of them holds alone, in all.
    pub more: u64,
    pub more_bytes: u64,
    pub together: u64,
    pub all: u64,
    pub at: Timestamp,
}

impl FolderSpace {
    pub fn of(asked: SpaceSpot, report: Report, at: Timestamp) -> FolderSpace {
        let mut rows = report.rows;
        let more = rows.split_off(ROWS_MAX.min(rows.len()));
        FolderSpace {
            path: report.path.unwrap_or_default(),
            more: more.len() as u64,
            more_bytes: more.iter().map(|(_, bytes)| bytes).sum(),
            rows,
            together: report.together,
            all: report.all,
            asked,
            at,
        }
    }

    fn is_of(&self, spot: &SpaceSpot) -> bool {
        self.asked == *spot || self.asked.remote == spot.remote && self.path == spot.path
    }
}

/// Newest last.
#[derive(Default)]
pub struct KeptSpace(Mutex<VecDeque<Arc<FolderSpace>>>);

impl KeptSpace {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<FolderSpace>>> {
        lock(&self.0)
    }

    pub fn keep(&self, found: FolderSpace) {
        let mut all = self.lock();
        all.retain(|known| !(found.is_of(&known.asked)));
        if all.len() >= FOLDERS_MAX {
            all.pop_front();
        }
        all.push_back(Arc::new(found));
    }

    pub fn find(&self, spot: &SpaceSpot) -> Option<Arc<FolderSpace>> {
        let mut all = self.lock();
        let at = all.iter().rposition(|known| known.is_of(spot))?;
        let found = all.remove(at)?;
        all.push_back(found.clone());
        Some(found)
    }

    /// What is kept of a repository that was changed.
    pub fn forget(&self, remote: &str) {
        self.lock().retain(|known| known.asked.remote != remote);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spot(remote: &str, path: &str) -> SpaceSpot {
        SpaceSpot {
            remote: remote.to_string(),
            path: path.as_bytes().to_vec(),
        }
    }

    fn folder(asked: SpaceSpot, path: &str, all: u64) -> FolderSpace {
        FolderSpace {
            asked,
            path: path.as_bytes().to_vec(),
            rows: Vec::new(),
            more: 0,
            more_bytes: 0,
            together: 0,
            all,
            at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_folder_is_kept_once_and_few_are_kept() {
        let kept = KeptSpace::default();
        kept.keep(folder(spot("a", ""), "/home", 1));
        assert_eq!(kept.find(&spot("a", "/home")).unwrap().all, 1, "by its path, too");
        assert!(kept.find(&spot("b", "/home")).is_none() && kept.find(&spot("a", "/")).is_none());
        kept.keep(folder(spot("a", ""), "/home", 2));
        assert_eq!(kept.find(&spot("a", "")).unwrap().all, 2, "the newer one");
        for nr in 0..2 * FOLDERS_MAX {
            kept.keep(folder(spot("b", &format!("/{nr}")), &format!("/{nr}"), 3));
            assert!(kept.find(&spot("a", "")).is_some(), "it is looked at");
        }
        assert_eq!(kept.lock().len(), FOLDERS_MAX);
        assert!(kept.find(&spot("b", "/0")).is_none());
        kept.forget("a");
        assert!(kept.find(&spot("a", "")).is_none() && kept.find(&spot("b", "/127")).is_some());
    }
}
