//! How much each remote takes up: measured when something was written there or when somebody asks, and kept on this
//! machine, so that `status`, messages and the console can tell usage and growth without contacting anybody.
//!
//! ```text
//! usage/NAME.json    what is known of the remote NAME
//! ```
//!
//! Losing these notes harms nothing: they begin anew.

use crate::context::Context;
use crate::failure::Failure;
use crate::history::moment;
use crate::resolve;
use crate::settings::Remote;
use crate::state_file;
use crate::status::Status;
use engine::repo;
use engine::run::LocalDirs;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Samples that are kept of a remote, one a day.
const SAMPLES_MAX: usize = 400;
/// Two samples are at least so far apart; of those that are closer the newer counts.
const APART: SignedDuration = SignedDuration::from_hours(20);
/// Growth is told from so much of the past.
const GROWTH_OF: SignedDuration = SignedDuration::from_hours(24 * 7 * 12);
/// And not from less than this.
const GROWTH_LEAST: SignedDuration = SignedDuration::from_hours(48);
const WEEK_SECS: f64 = 7.0 * 24.0 * 3600.0;
/// A date that is further away is none.
const FULL_WEEKS_MAX: f64 = 52.0 * 50.0;

/// How much was used at a moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Sample {
    #[serde(with = "moment")]
    pub at: Timestamp,
    pub used: u64,
}

/// What is known of a remote.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct UsageNote {
    /// Where it was, without passwords: what is known of another place says nothing.
    pub place: String,
    /// When it was last asked, and whether it answered.
    #[serde(with = "moment::optional")]
    pub asked: Option<Timestamp>,
    pub reachable: Option<bool>,
    /// Oldest first.
    pub samples: Vec<Sample>,
}

impl UsageNote {
    pub fn used(&self) -> Option<u64> {
        self.samples.last().map(|sample| sample.used)
    }

    fn add(&mut self, sample: Sample) {
        // A clock that was set back must not leave samples of the future.
        self.samples.retain(|known| known.at < sample.at);
        let before = self
            .samples
            .len()
            .checked_sub(2)
            .and_then(|nr| self.samples.get(nr));
        if before.is_some_and(|before| sample.at.duration_since(before.at) < APART) {
            self.samples.pop();
        }
        self.samples.push(sample);
        let extra = self.samples.len().saturating_sub(SAMPLES_MAX);
        self.samples.drain(..extra);
    }

    /// Bytes that it grows by in a week: the slope of the line that fits the samples best. `None` where too little is
    /// known.
    pub fn growth_per_week(&self) -> Option<i64> {
        let last = self.samples.last()?;
        let known: Vec<(f64, f64)> = self
            .samples
            .iter()
            .filter(|sample| last.at.duration_since(sample.at) <= GROWTH_OF)
            .map(|sample| {
                let weeks = sample.at.duration_since(last.at).as_secs_f64() / WEEK_SECS;
                (weeks, sample.used as f64 - last.used as f64)
            })
            .collect();
        let span = known.first().map_or(0.0, |(weeks, _)| -weeks) * WEEK_SECS;
        if known.len() < 2 || span < GROWTH_LEAST.as_secs_f64() {
            return None;
        }
        let count = known.len() as f64;
        let (mean_x, mean_y) = known
            .iter()
            .fold((0.0, 0.0), |(x, y), one| (x + one.0 / count, y + one.1 / count));
        let (above, below) = known.iter().fold((0.0, 0.0), |(above, below), (x, y)| {
            (
                above + (x - mean_x) * (y - mean_y),
                below + (x - mean_x) * (x - mean_x),
            )
        });
        // A float beyond the range becomes the nearest number.
        (below > 0.0).then(|| (above / below).round() as i64)
    }

    /// When it will have used up so many further bytes. `None` if it does not grow, or only slowly.
    pub fn full_at(&self, room: u64) -> Option<Timestamp> {
        let growth = self.growth_per_week().filter(|growth| *growth > 0)?;
        let weeks = room as f64 / growth as f64;
        let last = self.samples.last()?;
        (weeks < FULL_WEEKS_MAX)
            .then(|| SignedDuration::from_secs_f64(weeks * WEEK_SECS))
            .and_then(|after| last.at.checked_add(after).ok())
    }
}

fn file(dirs: &LocalDirs, remote: &str) -> PathBuf {
    dirs.state.join("usage").join(format!("{remote}.json"))
}

/// What is known of a remote.
pub fn noted(dirs: &LocalDirs, remote: &Remote) -> UsageNote {
    let place = repo::shown(&remote.url);
    // What can't be read is not known.
    let known: Option<UsageNote> = state_file::read(&file(dirs, &remote.name)).ok().flatten();
    known
        .filter(|known| known.place == place)
        .unwrap_or_else(|| UsageNote {
            place,
            ..UsageNote::default()
        })
}

/// Asks a remote how much it takes up, and notes the answer. Needs no password.
pub fn measure(context: &Context, remote: &Remote) -> Result<UsageNote, Failure> {
    let dirs = context.dirs()?;
    let mut note = noted(&dirs, remote);
    let at = Timestamp::now();
    note.asked = Some(at);
    let used = engine::usage::used(&remote.url, &context.run()?).map_err(Failure::from);
    match &used {
        Ok(used) => {
            note.reachable = Some(true);
            note.add(Sample { at, used: *used });
        }
        Err(failure) => note.reachable = Some(failure.status != Status::Network),
    }
    // A note that can't be kept is only missed later.
    let _ = state_file::write(&file(&dirs, &remote.name), &note);
    used.map(|_| note)
}

/// When a remote will have reached its quota or, without one, filled its disk.
pub fn full_at(remote: &Remote, note: &UsageNote) -> Option<Timestamp> {
    let room = match remote.quota {
        Some(quota) => quota.saturating_sub(note.used()?),
        None => engine::usage::disk_of(&remote.url)?.free,
    };
    note.full_at(room)
}

/// After something was written to or removed from these places: measures those that have a name, if that was not done
/// today, if they have a quota, or if they are directories, where it costs no request. What can't be measured is left to the
/// next time.
pub(crate) fn note_after<'a>(context: &Context, urls: impl Iterator<Item = &'a str>, always: bool) {
    let Ok(dirs) = context.dirs() else { return };
    let named = |url: &str| {
        context.settings.remotes.iter().find(|remote| {
            remote.url == url || resolve::absolute(&remote.url).is_ok_and(|absolute| absolute == url)
        })
    };
    for remote in urls.filter_map(named) {
        let last = noted(&dirs, remote).samples.last().map(|sample| sample.at);
        let is_fresh = last.is_some_and(|last| {
            let passed = Timestamp::now().duration_since(last);
            passed >= SignedDuration::ZERO && passed < APART
        });
        let is_directory = repo::local_path(&remote.url).is_some();
        if always || is_directory || remote.quota.is_some() || !is_fresh {
            let _ = measure(context, remote);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: i64) -> Timestamp {
        let start: Timestamp = "2026-11-01T00:00:00Z".parse().unwrap();
        start + SignedDuration::from_hours(24 * day)
    }

    fn of(samples: &[(i64, u64)]) -> UsageNote {
        let mut note = UsageNote::default();
        for (day, used) in samples {
            note.add(Sample {
                at: at(*day),
                used: *used,
            });
        }
        note
    }

    #[test]
    fn growth_and_the_date_full() {
        assert_eq!(of(&[]).growth_per_week(), None);
        assert_eq!(
            of(&[(0, 100), (1, 200)]).growth_per_week(),
            None,
            "a day says little"
        );
        let steady = of(&[(0, 100), (7, 800), (14, 1500)]);
        assert_eq!(steady.growth_per_week(), Some(700));
        assert_eq!(steady.full_at(700), Some(at(21)));
        let shrinks = of(&[(0, 1500), (7, 800)]);
        assert_eq!(
            (shrinks.growth_per_week(), shrinks.full_at(9)),
            (Some(-700), None)
        );
        let still = of(&[(0, 100), (7, 100)]);
        assert_eq!((still.growth_per_week(), still.full_at(9)), (Some(0), None));
        assert_eq!(
            of(&[(0, 1 << 60), (7, (1 << 60) + 1)]).full_at(u64::MAX),
            None,
            "not in this life"
        );
        // What was long ago says nothing of now.
        let moved = of(&[(0, 1 << 40), (200, 100), (207, 800)]);
        assert_eq!(moved.growth_per_week(), Some(700));
    }

    #[test]
    fn samples_are_few_and_in_order() {
        let mut note = UsageNote::default();
        for hour in 0..24 * 500 {
            note.add(Sample {
                at: at(0) + SignedDuration::from_hours(hour),
                used: hour.unsigned_abs(),
            });
        }
        assert_eq!(
            (note.samples.len(), note.used()),
            (SAMPLES_MAX, Some(24 * 500 - 1))
        );
        assert!(serde_json::to_vec_pretty(&note).unwrap().len() < 64 << 10);
        // The clock was set back.
        note.add(Sample { at: at(1), used: 5 });
        assert_eq!((note.samples.len(), note.used()), (1, Some(5)));
    }
}
