//! Snapshots that are looked into, each opened once and kept for a while, with marks in their large folders, so that any
//! range of a folder is read at once and not from its beginning.

use crate::browse::{self, Spot};
use crate::locks::lock;
use service::entry::Entry;
use service::manifest::Manifest;
use service::repo::Repo;
use service::{Failure, SessionId};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// At once.
const SNAPSHOTS_MAX: usize = 16;
/// Folders of one snapshot whose marks are kept.
const FOLDERS_MAX: usize = 8;
/// One that nobody looked into for so long is closed.
const IDLE: Duration = Duration::from_secs(600);
/// Entries from mark to mark: what is read in vain, at most, to get to one.
const STEP: usize = 256;

/// A snapshot, and what is known of its folders.
pub struct OpenedSnapshot {
    pub repo: Arc<Repo>,
    pub manifest: Manifest,
    id: SessionId,
    folders: Mutex<VecDeque<Arc<FolderMarks>>>,
}

/// Names in a folder, one of each [`STEP`].
struct FolderMarks {
    path: Vec<u8>,
    hidden: bool,
    total: usize,
    /// The last name before each step.
    names: Vec<Vec<u8>>,
}

impl FolderMarks {
    fn of(repo: &Repo, manifest: &Manifest, spot: &Spot) -> Result<FolderMarks, Failure> {
        let (mut total, mut names) = (0, vec![Vec::new()]);
        browse::each(repo, manifest, spot, &mut |entry| {
            total += 1;
            if total % STEP == 0 {
                names.push(entry.name.clone());
            }
            true
        })?;
        Ok(FolderMarks {
            path: spot.path.clone(),
            hidden: spot.hidden,
            total,
            names,
        })
    }
}

impl OpenedSnapshot {
    fn marks(&self, spot: &Spot) -> Result<Arc<FolderMarks>, Failure> {
        let is_it = |known: &&Arc<FolderMarks>| known.path == spot.path && known.hidden == spot.hidden;
        if let Some(known) = lock(&self.folders).iter().find(is_it) {
            return Ok(known.clone());
        }
        let marks = Arc::new(FolderMarks::of(&self.repo, &self.manifest, spot)?);
        let mut all = lock(&self.folders);
        if all.len() >= FOLDERS_MAX {
            all.pop_front();
        }
        all.push_back(marks.clone());
        Ok(marks)
    }

    /// So many entries of a folder from a number on, and how many there are.
    pub fn range(&self, spot: &Spot, from: usize, count: usize) -> Result<(Vec<Entry>, usize), Failure> {
        let marks = self.marks(spot)?;
        let mut found = Vec::new();
        if from >= marks.total || count == 0 {
            return Ok((found, marks.total));
        }
        let after = marks
            .names
            .get(from / STEP)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let mut to_skip = from % STEP;
        browse::each_after(&self.repo, &self.manifest, spot, after, &mut |entry| {
            if to_skip > 0 {
                to_skip -= 1;
                return true;
            }
            found.push(entry.clone());
            found.len() < count
        })?;
        Ok((found, marks.total))
    }
}

/// The one that was used last comes last.
#[derive(Default)]
pub struct Opened(Mutex<VecDeque<(Arc<OpenedSnapshot>, Instant)>>);

impl Opened {
    pub fn open(&self, repo: Arc<Repo>, id: SessionId, now: Instant) -> Result<Arc<OpenedSnapshot>, Failure> {
        {
            let mut all = lock(&self.0);
            all.retain(|(_, used)| now.saturating_duration_since(*used) < IDLE);
            let is_it = |(known, _): &(Arc<OpenedSnapshot>, Instant)| {
                known.id == id && Arc::ptr_eq(&known.repo, &repo)
            };
            if let Some((known, _)) = all.iter().position(is_it).and_then(|at| all.remove(at)) {
                all.push_back((known.clone(), now));
                return Ok(known);
            }
        }
        let opened = Arc::new(OpenedSnapshot {
            manifest: repo.manifest(id)?,
            repo,
            id,
            folders: Mutex::default(),
        });
        let mut all = lock(&self.0);
        if all.len() >= SNAPSHOTS_MAX {
            all.pop_front();
        }
        all.push_back((opened.clone(), now));
        Ok(opened)
    }
}
