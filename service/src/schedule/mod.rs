//! What is due: a pure function of a set's schedule, of what is known of its past runs, of a pause, and of now. The
//! operating system's scheduler only asks again and again (`dedup run --due`), so sets can change without anything being
//! installed again, and nothing here has to be right about timers, sleep or reboots.
//!
//! - A slot is served once. Who runs it notes that first ([`Past::slot`]), so a second scheduler finds nothing due.
//! - A slot that was missed is caught up, but only the newest, and the next regular slot stays where it is.
//! - A failed run is retried after 5 minutes, 30 minutes and 2 hours, until the next slot.
//! - A schedule with a window or with certain days never runs outside.
//! - A schedule that is new or was changed begins with its next slot.

pub mod slots;

#[cfg(test)]
mod tests;

use crate::settings::schedule::Schedule;
use jiff::{SignedDuration, Timestamp, Zoned};

/// Waits between a failed attempt and the next.
const LADDER: [SignedDuration; 3] = [
    SignedDuration::from_mins(5),
    SignedDuration::from_mins(30),
    SignedDuration::from_hours(2),
];

/// A run that begins later than this after its slot catches it up. Ticks may be a quarter of an hour apart.
const ON_TIME: SignedDuration = SignedDuration::from_mins(30);

/// Why a run began.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RunCause {
    /// At its time.
    Regular,
    /// After its time: the machine was off or asleep, or runs were paused.
    CatchUp,
    /// After a run of the same slot that failed.
    Retry,
    /// Somebody asked for it.
    Manual,
}

impl RunCause {
    pub const ALL: [RunCause; 4] = [
        RunCause::Regular,
        RunCause::CatchUp,
        RunCause::Retry,
        RunCause::Manual,
    ];

    pub fn word(self) -> &'static str {
        match self {
            RunCause::Regular => "regular",
            RunCause::CatchUp => "catch-up",
            RunCause::Retry => "retry",
            RunCause::Manual => "manual",
        }
    }
}

/// What is known of a set's past.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Past {
    /// Since when its schedule is known. Earlier slots do not count.
    pub since: Timestamp,
    /// The newest slot that was run, or is running.
    pub slot: Option<Timestamp>,
    /// That slot's runs have failed so far.
    pub failed: Option<FailedAttempts>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FailedAttempts {
    pub attempts: u32,
    /// When the last one ended.
    pub ended: Timestamp,
}

/// Whether a set is due.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It runs only when somebody asks.
    ByHand,
    NotDue {
        /// `None` if there is no such day.
        next: Option<Timestamp>,
    },
    Due(DueRun),
    /// It is due, but runs are paused.
    Paused {
        until: Timestamp,
        run: DueRun,
    },
    /// The clock was set back behind what is known of the past: that must be forgotten, or nothing would be due until
    /// the clock is there again. The set is due at its next slot.
    SetBack {
        next: Option<Timestamp>,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DueRun {
    pub cause: RunCause,
    pub slot: Timestamp,
    /// 1 for the first run of the slot.
    pub attempt: u32,
    /// Slots before this one that had no run.
    pub missed: u32,
}

/// Whether a set is due. `paused` is when a pause ends that is in force now. Whether the set is running is another
/// question, which its lock answers.
pub fn verdict(schedule: &Schedule, past: &Past, paused: Option<Timestamp>, now: &Zoned) -> Verdict {
    if *schedule == Schedule::Manual {
        return Verdict::ByHand;
    }
    if is_set_back(schedule, past, now) {
        let next = slots::next_after(schedule, now).map(|slot| slot.timestamp());
        return Verdict::SetBack { next };
    }
    match (due(schedule, past, now), paused) {
        (None, _) => Verdict::NotDue {
            next: next(schedule, past, now),
        },
        (Some(run), None) => Verdict::Due(run),
        (Some(run), Some(until)) => Verdict::Paused { until, run },
    }
}

/// When a set will be due that is not due now.
pub fn next(schedule: &Schedule, past: &Past, now: &Zoned) -> Option<Timestamp> {
    let known = past.slot.unwrap_or(past.since).max(now.timestamp());
    let known = known.to_zoned(now.time_zone().clone());
    let slot = slots::next_after(schedule, &known).map(|slot| slot.timestamp());
    let retry = retry_at(past).filter(|retry| {
        let is_open = slots::is_open(schedule, &retry.to_zoned(now.time_zone().clone()));
        is_open && *retry > now.timestamp() && slot.is_none_or(|slot| *retry < slot)
    });
    retry.or(slot)
}

/// What is known lies in the future, and not just by so little that the next slot was served already.
fn is_set_back(schedule: &Schedule, past: &Past, now: &Zoned) -> bool {
    let at = now.timestamp();
    let is_skipped = |slot: Timestamp| {
        slot > at && slots::next_after(schedule, now).is_some_and(|next| next.timestamp() < slot)
    };
    past.since > at || past.slot.is_some_and(is_skipped)
}

fn due(schedule: &Schedule, past: &Past, now: &Zoned) -> Option<DueRun> {
    if !slots::is_open(schedule, now) {
        return None;
    }
    let at = now.timestamp();
    let known = past.slot.map_or(past.since, |slot| slot.max(past.since));
    if let Some(slot) = slots::last_by(schedule, now, known) {
        return Some(DueRun {
            cause: match at.duration_since(slot.timestamp()) <= ON_TIME {
                true => RunCause::Regular,
                false => RunCause::CatchUp,
            },
            slot: slot.timestamp(),
            attempt: 1,
            missed: slots::between(schedule, known, &slot),
        });
    }
    let failed = past.failed?;
    // A failure that is still to come was before the clock was set back.
    let is_time = retry_at(past).is_some_and(|retry| retry <= at || failed.ended > at);
    is_time.then_some(DueRun {
        cause: RunCause::Retry,
        slot: past.slot.unwrap_or(past.since),
        attempt: failed.attempts + 1,
        missed: 0,
    })
}

fn retry_at(past: &Past) -> Option<Timestamp> {
    let failed = past.failed?;
    let nr = failed.attempts.checked_sub(1)?;
    let wait = LADDER.get(usize::try_from(nr).ok()?)?;
    failed.ended.checked_add(*wait).ok()
}
