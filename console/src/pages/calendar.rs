//! The calendar of the snapshots: a month, in which each day leads to its newest one and shows how many it has.

use super::local;
use crate::browse::Spot;
use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use service::catalogue::Lang;
use service::catalogue::report::console as texts;
use service::facts::SnapshotInfo;
use std::collections::BTreeMap;

/// A month.
pub struct Calendar {
    pub title: String,
    pub weekdays: Vec<&'static str>,
    /// Empty days before the first.
    pub weeks: Vec<Vec<Option<DayLink>>>,
    pub previous: Option<String>,
    pub next: Option<String>,
}

pub struct DayLink {
    pub number: i8,
    pub label: String,
    /// 0 to 4.
    pub density: u8,
    pub to: Option<String>,
    pub is_current: bool,
}

pub fn calendar(
    lang: Lang,
    newest: &[&SnapshotInfo],
    month: Date,
    current: Date,
    spot: &Spot,
    zone: &TimeZone,
) -> Calendar {
    let mut counts: BTreeMap<Date, u64> = BTreeMap::new();
    for facts in newest {
        *counts.entry(local(facts.time, zone).date()).or_default() += 1;
    }
    let first = month.first_of_month();
    let to = |date: Date| {
        // Without a snapshot, the day says which.
        let spot = Spot {
            snapshot: String::new(),
            ..spot.clone()
        };
        format!("{}&day={date}", spot.link("/restore", &spot.path))
    };
    let weeks = weeks(first, |date, number| {
        let count = counts.get(&date).copied().unwrap_or_default();
        DayLink {
            number,
            label: texts::snapshots_on(lang, &date.to_string(), count),
            density: density(count),
            to: (count > 0).then(|| to(date)),
            is_current: date == current,
        }
    });
    let turn = |date: Date| {
        let month = date.strftime("%Y-%m").to_string();
        format!("{}&month={month}", spot.link("/restore", &spot.path))
    };
    let is_before = counts.keys().next().is_some_and(|oldest| *oldest < first);
    let is_after = counts
        .keys()
        .next_back()
        .is_some_and(|newest| *newest > month.last_of_month());
    let before = first.checked_sub(1.day()).ok().filter(|_| is_before);
    let after = month
        .last_of_month()
        .checked_add(1.day())
        .ok()
        .filter(|_| is_after);
    Calendar {
        title: texts::month(lang, month.year(), month.month()),
        weekdays: jiff::civil::Weekday::Monday
            .cycle_forward()
            .take(7)
            .map(|day| texts::weekday(lang, day))
            .collect(),
        weeks,
        previous: before.map(turn),
        next: after.map(turn),
    }
}

/// How dark a day is.
fn density(count: u64) -> u8 {
    match count {
        0 => 0,
        1 => 1,
        2..=3 => 2,
        4..=9 => 3,
        _ => 4,
    }
}

/// A month's days by weeks, which begin on Monday.
fn weeks(first: Date, day: impl Fn(Date, i8) -> DayLink) -> Vec<Vec<Option<DayLink>>> {
    let mut days: Vec<Option<DayLink>> = Vec::new();
    days.resize_with(
        usize::from(first.weekday().to_monday_zero_offset().unsigned_abs()),
        || None,
    );
    for number in 1..=first.days_in_month() {
        if let Ok(date) = first.checked_add((i64::from(number) - 1).days()) {
            days.push(Some(day(date, number)));
        }
    }
    while !days.len().is_multiple_of(7) {
        days.push(None);
    }
    let mut weeks = Vec::new();
    let mut days = days.into_iter().peekable();
    while days.peek().is_some() {
        weeks.push(days.by_ref().take(7).collect());
    }
    weeks
}
