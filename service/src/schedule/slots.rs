//! The slots of a schedule: the moments at which a run is due. Everything here follows from the schedule, the time zone
//! and a moment.
//!
//! A time of day that the zone skips (the clock is set forward) moves forward by what is skipped, and one that it has twice
//! counts once, at its first occurrence. What repeats within the day (`every 15m`, or `cron */15 * * * *`) goes by elapsed
//! time instead: nothing is due in an hour that does not exist, and an hour that the day has twice is served twice.

use crate::settings::schedule::Schedule;
use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp, Zoned};

/// A schedule that has no slot for so many days has none at all: 29 February is eight years away at most.
const HORIZON_DAYS: usize = 8 * 366 + 2;

/// More slots than this are not counted.
pub const COUNTED_MAX: u32 = 1000;

/// The first slot after a moment.
pub fn next_after(schedule: &Schedule, moment: &Zoned) -> Option<Zoned> {
    // A window that began yesterday may still be open.
    let mut date = moment.date().yesterday().ok()?;
    for _ in 0..HORIZON_DAYS {
        let slots = of_day(schedule, date, moment.time_zone());
        if let Some(slot) = slots.into_iter().find(|slot| slot > moment) {
            return Some(slot);
        }
        date = date.tomorrow().ok()?;
    }
    None
}

/// The newest slot up to a moment, if it is later than `after`.
pub fn last_by(schedule: &Schedule, moment: &Zoned, after: Timestamp) -> Option<Zoned> {
    let first = first_day(after, moment.time_zone())?;
    let mut date = moment.date();
    for _ in 0..HORIZON_DAYS {
        if date < first {
            return None;
        }
        let slots = of_day(schedule, date, moment.time_zone());
        if let Some(slot) = slots.into_iter().rev().find(|slot| slot <= moment) {
            return Some(slot).filter(|slot| slot.timestamp() > after);
        }
        date = date.yesterday().ok()?;
    }
    None
}

/// How many slots lie between two moments, neither included; at most [`COUNTED_MAX`].
pub fn between(schedule: &Schedule, after: Timestamp, before: &Zoned) -> u32 {
    let mut count = 0;
    let mut date = before.date();
    let Some(first) = first_day(after, before.time_zone()) else {
        return 0;
    };
    for _ in 0..HORIZON_DAYS {
        if date < first || count >= COUNTED_MAX {
            break;
        }
        let slots = of_day(schedule, date, before.time_zone());
        let counted = slots
            .iter()
            .filter(|slot| slot.timestamp() > after && *slot < before);
        count += u32::try_from(counted.count()).unwrap_or(COUNTED_MAX);
        match date.yesterday() {
            Ok(yesterday) => date = yesterday,
            Err(_) => break,
        }
    }
    count.min(COUNTED_MAX)
}

/// Whether runs are allowed at a moment: always, except for a schedule that repeats on certain days or in a window.
pub fn is_open(schedule: &Schedule, moment: &Zoned) -> bool {
    let Schedule::Every { .. } = schedule else {
        return true;
    };
    let today = moment.date();
    let days = [Some(today), today.yesterday().ok()];
    let mut windows = days
        .into_iter()
        .flatten()
        .filter_map(|date| window(schedule, date, moment.time_zone()));
    windows.any(|(from, to)| from <= *moment && *moment < to)
}

/// The day on which a slot after this moment may be, at the earliest: a window may have begun on the day before.
fn first_day(after: Timestamp, zone: &TimeZone) -> Option<Date> {
    let day = after.to_zoned(zone.clone()).date();
    Some(day.yesterday().unwrap_or(day))
}

/// The slots that belong to a day, in their order.
fn of_day(schedule: &Schedule, date: Date, zone: &TimeZone) -> Vec<Zoned> {
    match schedule {
        Schedule::Manual => Vec::new(),
        Schedule::At { days, time } => match days.has(date.weekday()) {
            true => at(date.to_datetime(*time), zone).into_iter().collect(),
            false => Vec::new(),
        },
        Schedule::Every { minutes, .. } => match window(schedule, date, zone) {
            Some((from, to)) => repeated(from, &to, *minutes),
            None => Vec::new(),
        },
        Schedule::Cron(cron) if cron.has_day(date) => {
            let mut slots: Vec<Zoned> = cron
                .times()
                .flat_map(|(hour, minute)| {
                    let time = date.at(hour, minute, 0, 0);
                    match cron.every_hour {
                        true => each(time, zone),
                        false => at(time, zone).into_iter().collect(),
                    }
                })
                .collect();
            // A time that moved forward may be another's, and a day that has an hour twice has them in turn.
            slots.sort();
            slots.dedup_by_key(|slot| slot.timestamp());
            slots
        }
        Schedule::Cron(_) => Vec::new(),
    }
}

/// From when to when `every` runs on a day; without a window, from midnight to midnight.
fn window(schedule: &Schedule, date: Date, zone: &TimeZone) -> Option<(Zoned, Zoned)> {
    let Schedule::Every { days, window, .. } = schedule else {
        return None;
    };
    if !days.has(date.weekday()) {
        return None;
    }
    let next = date.tomorrow().ok()?;
    let (from, to) = match window {
        None => (date.at(0, 0, 0, 0), next.at(0, 0, 0, 0)),
        Some((from, to)) if from < to => (date.to_datetime(*from), date.to_datetime(*to)),
        Some((from, to)) => (date.to_datetime(*from), next.to_datetime(*to)),
    };
    Some((at(from, zone)?, at(to, zone)?))
}

fn repeated(from: Zoned, to: &Zoned, minutes: u32) -> Vec<Zoned> {
    let step = SignedDuration::from_mins(i64::from(minutes).max(1));
    let mut slots = Vec::new();
    let mut slot = from;
    while slot < *to {
        let Ok(next) = slot.checked_add(step) else { break };
        slots.push(std::mem::replace(&mut slot, next));
    }
    slots
}

/// The moment of a civil time: moved forward if it is skipped, its first occurrence if there are two. Nothing at the end
/// of the calendar.
fn at(time: DateTime, zone: &TimeZone) -> Option<Zoned> {
    zone.to_ambiguous_zoned(time).compatible().ok()
}

/// Every moment that has this civil time.
fn each(time: DateTime, zone: &TimeZone) -> Vec<Zoned> {
    let found = zone.to_ambiguous_zoned(time);
    match found.offset() {
        AmbiguousOffset::Gap { .. } => Vec::new(),
        AmbiguousOffset::Unambiguous { .. } => found.compatible().into_iter().collect(),
        AmbiguousOffset::Fold { .. } => {
            let both = [found.clone().earlier(), found.later()];
            both.into_iter().flatten().collect()
        }
    }
}
