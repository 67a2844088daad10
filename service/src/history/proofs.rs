//! When a check, a restore or a drill last completed, and since when all data has been read, for each repository: so that
//! nobody has to search the history for it.
//!
//! `history/proofs.json` is only a note: without it, proofs begin anew.

use super::HistoryRow;
use super::journal::Journal;
use super::moment;
use crate::state_file;
use crate::status::Status;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Repositories that are kept; each has a name or a URL of its own.
const PLACES_MAX: usize = 200;

/// What was proven of one repository, and when.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Proofs {
    #[serde(with = "moment::optional")]
    pub check: Option<Timestamp>,
    /// A restore, or a drill, which restores for the sake of the proof.
    #[serde(with = "moment::optional")]
    pub restore: Option<Timestamp>,
    /// A drill without a difference. What could not be read when it was backed up is none.
    #[serde(with = "moment::optional")]
    pub drill: Option<Timestamp>,
    /// A drill that found differences, if none has completed since.
    #[serde(with = "moment::optional")]
    pub failed_drill: Option<Timestamp>,
    /// Every byte that was stored by then has been read since.
    #[serde(with = "moment::optional")]
    pub read: Option<Timestamp>,
}

type Places = BTreeMap<String, Proofs>;

impl Journal {
    fn proofs_file(&self) -> PathBuf {
        self.dir().join("proofs.json")
    }

    fn all_proofs(&self) -> Places {
        // What can't be read proves nothing.
        state_file::read(&self.proofs_file())
            .ok()
            .flatten()
            .unwrap_or_default()
    }

    /// What was proven of a repository, by the name that its rows have.
    pub fn proofs(&self, repository: &str) -> Proofs {
        self.all_proofs().get(repository).copied().unwrap_or_default()
    }

    /// Notes a job that proves something.
    pub(super) fn note_proof(&self, row: &HistoryRow) {
        let (Some(repository), Some(end)) = (&row.repository, row.end) else {
            return;
        };
        let is_good = row.status == Status::Completed.word() || row.proves;
        let is_damage = row.reason.as_deref() == Status::Damaged.reason();
        match (row.kind.as_str(), is_good) {
            // One that was named is no proof of the whole.
            ("check", true) if row.snapshot.is_none() => {
                self.change_proofs(repository, |proofs| proofs.check = Some(end));
            }
            ("restore", true) => self.change_proofs(repository, |proofs| proofs.restore = Some(end)),
            ("drill", true) => self.change_proofs(repository, |proofs| {
                (proofs.restore, proofs.drill) = (Some(end), Some(end));
                proofs.failed_drill = None;
            }),
            ("drill", false) if is_damage => {
                self.change_proofs(repository, |proofs| proofs.failed_drill = Some(end));
            }
            _ => {}
        }
    }

    /// Notes since when every byte of a repository has been read, as a check found.
    pub(crate) fn note_read(&self, repository: &str, since: Option<Timestamp>) {
        if self.proofs(repository).read != since {
            self.change_proofs(repository, |proofs| proofs.read = since);
        }
    }

    fn change_proofs(&self, repository: &str, change: impl FnOnce(&mut Proofs)) {
        let mut places = self.all_proofs();
        let is_full = places.len() >= PLACES_MAX && !places.contains_key(repository);
        if is_full && let Some(first) = places.keys().next().cloned() {
            places.remove(&first);
        }
        change(places.entry(repository.to_string()).or_default());
        // Only a note: if it can't be kept, the row is still in the history.
        let _ = state_file::write(&self.proofs_file(), &places);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{JobInfo, JobKind};
    use engine::run::LocalDirs;

    #[test]
    fn only_what_completed_proves_something() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::of(&LocalDirs {
            cache: dir.path().join("cache"),
            state: dir.path().to_path_buf(),
        });
        let at = |text: &str| -> Timestamp { text.parse().unwrap() };
        let ended = |kind: JobKind, place: Option<&str>, status, end: &str| {
            let job = JobInfo {
                repository: place.map(String::from),
                ..JobInfo::of(kind)
            };
            let mut row = job.row(at(end));
            row.ended(status, at(end));
            journal.note_proof(&row);
        };
        let (first, second) = ("2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z");
        ended(JobKind::Check, Some("main"), Status::Completed, first);
        ended(JobKind::Check, Some("main"), Status::Damaged, second);
        ended(JobKind::Restore, Some("other"), Status::Completed, second);
        ended(JobKind::Backup, Some("main"), Status::Completed, second);
        ended(JobKind::Restore, None, Status::Completed, second);
        let main = journal.proofs("main");
        assert_eq!((main.check, main.restore), (Some(at(first)), None));
        ended(JobKind::Drill, Some("main"), Status::Completed, first);
        ended(JobKind::Drill, Some("main"), Status::Damaged, second);
        ended(JobKind::Drill, Some("main"), Status::Failed, second);
        let main = journal.proofs("main");
        assert_eq!((main.drill, main.restore), (Some(at(first)), Some(at(first))));
        assert_eq!(main.failed_drill, Some(at(second)));
        ended(JobKind::Drill, Some("main"), Status::Completed, second);
        assert_eq!(journal.proofs("main").failed_drill, None);
        journal.note_read("main", Some(at(first)));
        let main = journal.proofs("main");
        assert_eq!((main.read, main.check), (Some(at(first)), Some(at(first))));
        assert_eq!(journal.proofs("other").restore, Some(at(second)));
        for nr in 0..300 {
            ended(JobKind::Check, Some(&format!("m{nr}")), Status::Completed, first);
        }
        assert!(journal.all_proofs().len() <= PLACES_MAX);
        assert_eq!(journal.proofs("m299").check, Some(at(first)));
    }
}
