//! What this machine knows of each set's runs, and the lock that a run of a set holds.
//!
//! ```text
//! runs/tick.json         when 'run --due' was last called
//! runs/pause.json        until when nothing runs by itself
//! runs/sets/NAME.json    what is known of a set
//! runs/sets/NAME.lock    locked while the set runs
//! ```

use crate::catalogue::Action;
use crate::failure::Failure;
use crate::history::HistoryRow;
use crate::history::moment;
use crate::schedule::{FailedAttempts, Past};
use crate::state_file::{FileLock, read, try_lock as try_lock_file, write, write_hint};
use engine::run::LocalDirs;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::PathBuf;

/// How far the clock may be set back without ending a pause.
const SET_BACK: SignedDuration = SignedDuration::from_mins(5);

/// What is known of a set.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SetState {
    /// As it was when the set was last looked at.
    pub schedule: String,
    /// Since when it is so.
    #[serde(with = "moment")]
    pub since: Timestamp,
    /// The newest slot that was run, or is running.
    #[serde(default, with = "moment::optional")]
    pub slot: Option<Timestamp>,
    /// Attempts for that slot that failed, and when the last of them ended.
    #[serde(default)]
    pub attempts: u32,
    #[serde(default, with = "moment::optional")]
    pub failed: Option<Timestamp>,
    /// The attempt that runs; 0 for one that somebody asked for.
    #[serde(default)]
    pub running: Option<u32>,
    /// Why the set was due and did not run, if it has not run since and that is in the history.
    #[serde(default)]
    pub held: Option<String>,
    /// The row of the last run.
    #[serde(default)]
    pub last: Option<HistoryRow>,
    #[serde(default, with = "moment::optional")]
    pub last_success: Option<Timestamp>,
    /// How many files the source had before nearly all were gone, which nobody has accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<u64>,
}

impl SetState {
    pub fn new(schedule: &str, now: Timestamp) -> SetState {
        SetState {
            schedule: schedule.to_string(),
            since: now,
            slot: None,
            attempts: 0,
            failed: None,
            running: None,
            held: None,
            last: None,
            last_success: None,
            lost: None,
        }
    }

    /// With the schedule that the set has now. True if it was another.
    pub fn brought_up(&mut self, schedule: &str, now: Timestamp) -> bool {
        let is_changed = self.schedule != schedule;
        if is_changed {
            self.schedule = schedule.to_string();
            self.since = now;
        }
        is_changed
    }

    /// Forgets what is still to come by the clock.
    pub fn set_back(&mut self, now: Timestamp) {
        self.since = now;
        self.slot = None;
        self.attempts = 0;
        self.failed = None;
    }

    pub fn past(&self) -> Past {
        let attempts = self.attempts;
        Past {
            since: self.since,
            slot: self.slot,
            failed: self.failed.map(|ended| FailedAttempts { attempts, ended }),
        }
    }

    /// The run that is recorded here as running is not: its process was killed.
    pub fn found_dead(&mut self, now: Timestamp) {
        match self.running.take() {
            Some(0) | None => {}
            Some(attempt) => {
                self.attempts = attempt;
                self.failed = Some(now);
            }
        }
    }
}

/// What is known of a set; `None` if it was never looked at, or if that was lost.
pub fn load(dirs: &LocalDirs, set: &str) -> Result<Option<SetState>, Failure> {
    read(&file(dirs, set, "json"))
}

/// Durably: a run that was begun is not begun again, even after a power cut.
pub fn save(dirs: &LocalDirs, set: &str, state: &SetState) -> Result<(), Failure> {
    write(&file(dirs, set, "json"), state)
}

/// Forgets a set that is no more.
pub fn forget(dirs: &LocalDirs, set: &str) -> Result<(), Failure> {
    let path = file(dirs, set, "json");
    match std::fs::remove_file(&path) {
        Err(e) if !matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Err(Failure::system(Action::Write, &path, e))
        }
        _ => Ok(()),
    }
}

/// What is known of a set, under the name that it is to have.
pub(crate) fn copy(dirs: &LocalDirs, from: &str, to: &str) -> Result<(), Failure> {
    match load(dirs, from)? {
        Some(state) => save(dirs, to, &state),
        None => forget(dirs, to),
    }
}

fn file(dirs: &LocalDirs, set: &str, extension: &str) -> PathBuf {
    dirs.state.join("runs/sets").join(format!("{set}.{extension}"))
}

/// `None` if the set is running. Where no lock can be made, because nothing can be written, there is none.
pub fn try_lock(dirs: &LocalDirs, set: &str) -> Result<Option<FileLock>, io::Error> {
    try_lock_file(&file(dirs, set, "lock"))
}

/// A look at what is due.
#[derive(Serialize, Deserialize)]
struct Tick {
    #[serde(with = "moment")]
    at: Timestamp,
}

fn tick_file(dirs: &LocalDirs) -> PathBuf {
    dirs.state.join("runs/tick.json")
}

/// Notes that `run --due` was called. Not durably: it is called every few minutes, and costs next to nothing.
pub(crate) fn note_tick(dirs: &LocalDirs, at: Timestamp) {
    // Where it can't be kept, `doctor` says that nothing can.
    let _ = write_hint(&tick_file(dirs), &Tick { at });
}

/// When `run --due` was last called.
pub fn last_tick(dirs: &LocalDirs) -> Option<Timestamp> {
    // What can't be read is not known.
    read::<Tick>(&tick_file(dirs)).ok().flatten().map(|tick| tick.at)
}

/// Until when nothing runs by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Pause {
    #[serde(with = "moment")]
    pub from: Timestamp,
    #[serde(with = "moment")]
    pub until: Timestamp,
}

impl Pause {
    /// Whether it is in force. A clock that was set back must not make it longer.
    pub fn holds(&self, now: Timestamp) -> bool {
        now < self.until && self.from.duration_since(now) <= SET_BACK
    }
}

/// The end of the pause that is in force.
pub fn paused(dirs: &LocalDirs, now: Timestamp) -> Result<Option<Timestamp>, Failure> {
    let pause: Option<Pause> = read(&pause_file(dirs))?;
    Ok(pause.filter(|pause| pause.holds(now)).map(|pause| pause.until))
}

pub fn pause(dirs: &LocalDirs, pause: &Pause) -> Result<(), Failure> {
    write(&pause_file(dirs), pause)
}

/// Ends a pause. False if there is none.
pub fn resume(dirs: &LocalDirs) -> Result<bool, Failure> {
    let path = pause_file(dirs);
    match std::fs::remove_file(&path) {
        Ok(()) => Ok(true),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
        Err(e) => Err(Failure::system(Action::Use, &path, e)),
    }
}

fn pause_file(dirs: &LocalDirs) -> PathBuf {
    dirs.state.join("runs/pause.json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn dirs(dir: &Path) -> LocalDirs {
        LocalDirs {
            cache: dir.join("cache"),
            state: dir.join("state"),
        }
    }

    #[test]
    fn pauses() {
        let dir = tempfile::tempdir().unwrap();
        let dirs = dirs(dir.path());
        let (from, until) = (at("2026-11-27T12:00:00Z"), at("2026-11-27T16:00:00Z"));
        assert_eq!(paused(&dirs, from), Ok(None));
        assert_eq!(resume(&dirs), Ok(false));
        pause(&dirs, &Pause { from, until }).unwrap();
        let held = |text: &str| paused(&dirs, at(text)).unwrap().is_some();
        assert!(held("2026-11-27T12:00:00Z") && held("2026-11-27T15:59:59Z"));
        assert!(!held("2026-11-27T16:00:00Z"));
        // The clock was set back: a little, and by a month.
        assert!(held("2026-11-27T11:58:00Z") && !held("2026-10-27T12:00:00Z"));
        assert_eq!(resume(&dirs), Ok(true));
        assert_eq!(paused(&dirs, from), Ok(None));
    }

    #[test]
    fn states_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let dirs = dirs(dir.path());
        let now = at("2026-11-27T12:00:00Z");
        assert_eq!(load(&dirs, "a"), Ok(None));
        let mut state = SetState::new("daily 12:30", now);
        state.slot = Some(now);
        save(&dirs, "a", &state).unwrap();
        assert_eq!(load(&dirs, "a"), Ok(Some(state.clone())));
        assert!(!state.brought_up("daily 12:30", at("2026-11-28T12:00:00Z")));
        assert!(state.brought_up("daily 12:31", at("2026-11-28T12:00:00Z")));
        assert_eq!((state.since, state.slot), (at("2026-11-28T12:00:00Z"), Some(now)));
        std::fs::write(dir.path().join("state/runs/sets/a.json"), "{").unwrap();
        assert_eq!(load(&dirs, "a"), Ok(None));
    }

    #[test]
    fn a_run_that_was_killed_has_failed() {
        let now = at("2026-11-27T12:00:00Z");
        let mut state = SetState::new("daily 12:30", now);
        state.running = Some(2);
        state.found_dead(now);
        let failed = state.past().failed.unwrap();
        assert_eq!((failed.attempts, failed.ended, state.running), (2, now, None));
        let mut state = SetState::new("daily 12:30", now);
        state.running = Some(0);
        state.found_dead(now);
        assert_eq!(state.past().failed, None);
    }

    #[test]
    fn one_run_of_a_set_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let dirs = dirs(dir.path());
        let first = try_lock(&dirs, "a").unwrap();
        assert!(first.is_some() && try_lock(&dirs, "a").unwrap().is_none());
        assert!(try_lock(&dirs, "b").unwrap().is_some());
        drop(first);
        assert!(try_lock(&dirs, "a").unwrap().is_some());
    }
}
