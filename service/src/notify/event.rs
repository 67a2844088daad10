//! What is worth a message: decided from the end of a run, or from how long a set has had no backup, and from what has
//! been sent already. One message per run however many problems it had, none for a retry that fails in the same way, and
//! one when the set works again. Beside these, what backups take up, once a month.

use crate::catalogue::Lang;
use crate::catalogue::report::runs::row_status;
use crate::failure::Failure;
use crate::history::{HistoryRow, moment};
use crate::settings::values::NotifyOn;
use crate::state_file;
use engine::run::LocalDirs;
use jiff::{Span, Timestamp, Zoned};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Warnings about one set without a backup: after the first time of the settings, and after the second.
const OVERDUE_MOST: u32 = 2;

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Ending {
    pub set: String,
    pub completed: bool,
    /// It repeated a run that had failed.
    pub is_retry: bool,
    pub failure: Option<Failure>,
    pub row: HistoryRow,
}

/// Something to send a message about.
#[derive(Clone, Debug)]
pub enum Event {
    Ended(Ending),
    /// A run completed after failures, or after a warning that there was none.
    Recovered(Ending),
    Overdue {
        set: String,
        /// The last backup that succeeded, or since when the set is known.
        since: Timestamp,
        /// There was never one.
        never: bool,
    },
    /// What backups take up, once a month.
    Usage {
        remotes: Vec<UsedByRemote>,
    },
    Test,
}

/// What one remote takes up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UsedByRemote {
    pub name: String,
    /// Bytes; `None` if it was never measured.
    pub used: Option<u64>,
    pub quota: Option<u64>,
    pub growth_per_week: Option<i64>,
    pub full_at: Option<Timestamp>,
}

impl Event {
    /// As programs read it.
    pub fn word(&self) -> &str {
        match self {
            Event::Ended(ending) => &ending.row.status,
            Event::Recovered(_) => "recovered",
            Event::Overdue { .. } => "overdue",
            Event::Usage { .. } => "usage",
            Event::Test => "test",
        }
    }
}

/// What has been sent about a set.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SentState {
    /// Status and reason of the failure that was sent last, if no run has completed since.
    pub failing: Option<String>,
    /// How often a message said that there was no backup since a moment.
    pub overdue: u32,
    #[serde(with = "moment::optional")]
    pub since: Option<Timestamp>,
    /// When the last one was sent.
    #[serde(with = "moment::optional")]
    pub overdue_said: Option<Timestamp>,
}

impl SentState {
    pub fn run_ended(&mut self, on: Option<NotifyOn>, ending: Ending) -> Option<Event> {
        let on = on.unwrap_or(NotifyOn::Failure);
        if ending.completed {
            let was_bad = self.failing.is_some() || self.overdue > 0;
            *self = SentState::default();
            return match (was_bad, on) {
                (_, NotifyOn::Never) | (false, NotifyOn::Failure) => None,
                (true, _) => Some(Event::Recovered(ending)),
                (false, NotifyOn::Always) => Some(Event::Ended(ending)),
            };
        }
        if on == NotifyOn::Never {
            return None;
        }
        let how = row_status(Lang::En, &ending.row);
        let is_known = self.failing.replace(how.clone()) == Some(how);
        let is_repetition = is_known && ending.is_retry && on == NotifyOn::Failure;
        (!is_repetition).then_some(Event::Ended(ending))
    }

    /// Whether to report that there was no backup since a moment, which may be the one since when the set is known.
    pub fn overdue(
        &mut self,
        set: &str,
        (since, never): (Timestamp, bool),
        (after, again): (Span, Option<Span>),
        now: &Zoned,
    ) -> Option<Event> {
        if self.since != Some(since) {
            // There has been one since.
            self.overdue = 0;
            self.overdue_said = None;
        }
        // A span that goes back beyond the calendar has not passed.
        let has_passed = |span: Span, from: Timestamp| {
            let then = now.checked_sub(span);
            then.is_ok_and(|then| then.timestamp() >= from)
        };
        let is_time = match (self.overdue_said, again) {
            (None, _) => has_passed(after, since),
            (Some(said), Some(again)) => self.overdue < OVERDUE_MOST && has_passed(again, said),
            (Some(_), None) => false,
        };
        if !is_time {
            return None;
        }
        self.overdue += 1;
        self.since = Some(since);
        self.overdue_said = Some(now.timestamp());
        let set = set.to_string();
        Some(Event::Overdue { set, since, never })
    }
}

/// In which month usage was last said: `2026-11`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct SaidUsage {
    month: String,
}

fn usage_file(dirs: &LocalDirs) -> PathBuf {
    dirs.state.join("notify/usage.json")
}

/// Whether usage is to be said now: at the first look of a month, but not of that in which it was turned on. A clock that
/// is set back does not make it said twice.
pub(super) fn is_time_for_usage(dirs: &LocalDirs, now: &Zoned) -> bool {
    let month = now.strftime("%Y-%m").to_string();
    let said: Option<SaidUsage> = state_file::read(&usage_file(dirs)).ok().flatten();
    match said {
        Some(said) if said.month >= month => false,
        // What can't be noted would be said at every look.
        said => state_file::write(&usage_file(dirs), &SaidUsage { month }).is_ok() && said.is_some(),
    }
}

fn file(dirs: &LocalDirs, set: &str) -> PathBuf {
    dirs.state.join("notify/sets").join(format!("{set}.json"))
}

/// Sending something twice is better than not sending it: what can't be read was not sent.
pub(super) fn load(dirs: &LocalDirs, set: &str) -> SentState {
    state_file::read(&file(dirs, set))
        .ok()
        .flatten()
        .unwrap_or_default()
}

/// What has been sent about a set, under the name that it is to have.
pub(crate) fn copy(dirs: &LocalDirs, from: &str, to: &str) -> Result<(), Failure> {
    save(dirs, to, &load(dirs, from))
}

pub(super) fn save(dirs: &LocalDirs, set: &str, sent: &SentState) -> Result<(), Failure> {
    state_file::write(&file(dirs, set), sent)
}
