//! Points in time as people write them. `now` is an argument, so that one run has one "now" and tests have theirs.
//!
//! A text without a fraction of a second names a stretch: a day, a minute, a second. Where it is a *beginning*
//! (`backup --time 2026-11-01`) its first instant is meant; where it means "as of" (`restore --at 2026-11-01`) its
//! last one, so that `--at DAY` holds all that was saved on that day and a time copied from a listing finds its
//! snapshot. `2h`, `3d ago` and `now` are instants in both.

use crate::units;
use jiff::civil::{Date, DateTime, Time};
use jiff::{Span, Timestamp, ToSpan, Zoned};

/// The text is not a time; the message explains what is.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WhenError {
    #[error("bad time: '{0}'")]
    Unknown(String),
    /// Outside the range of years that is supported.
    #[error("time out of range: '{0}'")]
    OutOfRange(String),
}

/// The first instant that `text` names, local where it has no offset. In the hour that a clock set back shows
/// twice, the first; in the one it skips, as much later.
pub fn start_of(text: &str, now: &Zoned) -> Result<Timestamp, WhenError> {
    parse(text, now, Edge::Start)
}

/// The last instant that `text` names; in the hour that a clock set back shows twice, the second.
pub fn as_of(text: &str, now: &Zoned) -> Result<Timestamp, WhenError> {
    parse(text, now, Edge::End)
}

#[derive(Clone, Copy, PartialEq)]
enum Edge {
    Start,
    End,
}

fn parse(text: &str, now: &Zoned, edge: Edge) -> Result<Timestamp, WhenError> {
    let trimmed = text.trim();
    let lower = trimmed.to_ascii_lowercase();
    let unknown = || WhenError::Unknown(text.to_string());
    let out_of_range = |_| WhenError::OutOfRange(text.to_string());
    if lower == "now" {
        return Ok(now.timestamp());
    }
    if let Some((word, clock)) = day_word(&lower) {
        let back = if word == "yesterday" { 1 } else { 0 };
        let day = now.date().checked_sub(back.days()).map_err(out_of_range)?;
        let clock = clock.map(|c| parse_clock(c).ok_or_else(unknown)).transpose()?;
        return local(day, clock, now, edge).map_err(out_of_range);
    }
    if let Some((day, clock)) = parse_civil(trimmed) {
        return local(day, clock, now, edge).map_err(out_of_range);
    }
    if let Some(instant) = parse_rfc3339(trimmed) {
        let whole_second = !trimmed.contains('.') && edge == Edge::End;
        let rest = if whole_second {
            LAST_NANOSECOND.nanoseconds()
        } else {
            Span::new()
        };
        return instant.checked_add(rest).map_err(out_of_range);
    }
    let age = trimmed.strip_suffix("ago").map_or(trimmed, str::trim_end);
    let span = units::parse_span(age).map_err(|e| match e {
        units::UnitError::DurationTooLong(_) => WhenError::OutOfRange(text.to_string()),
        _ => unknown(),
    })?;
    Ok(now.checked_sub(span).map_err(out_of_range)?.timestamp())
}

const LAST_NANOSECOND: i64 = 999_999_999;

/// `today`, `yesterday 18:00` and the like, split into word and time of day.
fn day_word(lower: &str) -> Option<(&str, Option<&str>)> {
    let (word, clock) = match lower.split_once(' ') {
        Some((word, clock)) => (word, Some(clock.trim_start())),
        None => (lower, None),
    };
    matches!(word, "today" | "yesterday").then_some((word, clock))
}

/// A time of day and the seconds-wide stretch it names: a minute or a second.
#[derive(Clone, Copy)]
struct Clock {
    time: Time,
    seconds: i8,
}

fn parse_civil(text: &str) -> Option<(Date, Option<Clock>)> {
    let (day, clock) = match text.split_once([' ', 'T', 't']) {
        Some((day, clock)) => (day, Some(parse_clock(clock.trim_start())?)),
        None => (text, None),
    };
    let mut parts = day.split('-');
    let (year, month, dom) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || year.len() != 4 {
        return None;
    }
    let date = Date::new(
        number(year, 4)?,
        number(month, 2)?.try_into().ok()?,
        number(dom, 2)?.try_into().ok()?,
    );
    Some((date.ok()?, clock))
}

/// `HH:MM` or `HH:MM:SS`.
fn parse_clock(text: &str) -> Option<Clock> {
    let mut parts = text.split(':');
    let (hour, minute) = (number(parts.next()?, 2)?, parts.next()?);
    let second = parts.next();
    if parts.next().is_some() || minute.len() != 2 || second.is_some_and(|s| s.len() != 2) {
        return None;
    }
    let (minute, sec) = (number(minute, 2)?, number(second.unwrap_or("0"), 2)?);
    let time = Time::new(
        hour.try_into().ok()?,
        minute.try_into().ok()?,
        sec.try_into().ok()?,
        0,
    )
    .ok()?;
    let seconds = if second.is_some() { 1 } else { 60 };
    Some(Clock { time, seconds })
}

fn number(text: &str, most: usize) -> Option<i16> {
    let digits = !text.is_empty() && text.len() <= most && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// A date, a time and an offset; jiff reads more forms than we want to promise, so the shape is looked at first.
fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    let (day, rest) = text.split_once(['T', 't', ' '])?;
    let offset = rest.ends_with(['Z', 'z']) || rest.contains(['+', '-']);
    (day.len() == 10 && offset && rest.contains(':') && !rest.contains('['))
        .then(|| text.parse().ok())
        .flatten()
}

fn local(day: Date, clock: Option<Clock>, now: &Zoned, edge: Edge) -> Result<Timestamp, jiff::Error> {
    let zone = now.time_zone();
    match (clock, edge) {
        (None, Edge::Start) => Ok(day.to_zoned(zone.clone())?.timestamp()),
        (None, Edge::End) => {
            let next = day.checked_add(1.day())?.to_zoned(zone.clone())?;
            next.timestamp().checked_sub(1.nanosecond())
        }
        (Some(clock), Edge::Start) => {
            let at = DateTime::from_parts(day, clock.time);
            Ok(zone.to_ambiguous_zoned(at).compatible()?.timestamp())
        }
        (Some(clock), Edge::End) => {
            let at = DateTime::from_parts(day, clock.time);
            let last = i64::from(clock.seconds) * 1_000_000_000 - 1;
            zone.to_ambiguous_zoned(at)
                .later()?
                .timestamp()
                .checked_add(last.nanoseconds())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn now(zone: &str) -> Zoned {
        let at: Timestamp = "2026-11-04T03:30:15.5Z".parse().unwrap();
        at.in_tz(zone).unwrap()
    }

    fn check(zone: &str, rows: &[(&str, &str, &str)]) {
        let now = now(zone);
        for (text, start, end) in rows {
            let want: Timestamp = start.parse().unwrap();
            assert_eq!(start_of(text, &now), Ok(want), "start of {text}");
            let want: Timestamp = end.parse().unwrap();
            assert_eq!(as_of(text, &now), Ok(want), "as of {text}");
        }
    }

    #[test]
    fn in_tokyo() {
        // Now is 2026-11-04 12:30:15.5 there.
        check(
            "Asia/Tokyo",
            &[
                ("now", "2026-11-04T03:30:15.5Z", "2026-11-04T03:30:15.5Z"),
                ("2h", "2026-11-04T01:30:15.5Z", "2026-11-04T01:30:15.5Z"),
                ("2h ago", "2026-11-04T01:30:15.5Z", "2026-11-04T01:30:15.5Z"),
                ("3d ago", "2026-11-01T03:30:15.5Z", "2026-11-01T03:30:15.5Z"),
                ("1M", "2026-10-04T03:30:15.5Z", "2026-10-04T03:30:15.5Z"),
                ("today", "2026-11-03T15:00:00Z", "2026-11-04T14:59:59.999999999Z"),
                (
                    "Yesterday",
                    "2026-11-02T15:00:00Z",
                    "2026-11-03T14:59:59.999999999Z",
                ),
                (
                    "yesterday 18:00",
                    "2026-11-03T09:00:00Z",
                    "2026-11-03T09:00:59.999999999Z",
                ),
                (
                    "today 9:00",
                    "2026-11-04T00:00:00Z",
                    "2026-11-04T00:00:59.999999999Z",
                ),
                (
                    "2026-11-01",
                    "2026-10-31T15:00:00Z",
                    "2026-11-01T14:59:59.999999999Z",
                ),
                (
                    "2026-11-01 09:00",
                    "2026-11-01T00:00:00Z",
                    "2026-11-01T00:00:59.999999999Z",
                ),
                (
                    "2026-11-01T09:00:30",
                    "2026-11-01T00:00:30Z",
                    "2026-11-01T00:00:30.999999999Z",
                ),
                (
                    "2026-11-01T09:00:00Z",
                    "2026-11-01T09:00:00Z",
                    "2026-11-01T09:00:00.999999999Z",
                ),
                (
                    "2026-11-01T09:00:00.25Z",
                    "2026-11-01T09:00:00.25Z",
                    "2026-11-01T09:00:00.25Z",
                ),
                (
                    "2026-11-01 09:00:00+09:00",
                    "2026-11-01T00:00:00Z",
                    "2026-11-01T00:00:00.999999999Z",
                ),
            ],
        );
    }

    #[test]
    fn where_clocks_change() {
        // New York: 2026-03-08 has 23 hours, 2026-11-01 has 25 and shows 01:30 twice.
        check(
            "America/New_York",
            &[
                (
                    "2026-11-01",
                    "2026-11-01T04:00:00Z",
                    "2026-11-02T04:59:59.999999999Z",
                ),
                (
                    "2026-11-01 01:30",
                    "2026-11-01T05:30:00Z",
                    "2026-11-01T06:30:59.999999999Z",
                ),
                (
                    "2026-03-08",
                    "2026-03-08T05:00:00Z",
                    "2026-03-09T03:59:59.999999999Z",
                ),
                (
                    "2026-03-08 02:30",
                    "2026-03-08T07:30:00Z",
                    "2026-03-08T07:30:59.999999999Z",
                ),
                // A day back is the same time of day, whatever the clocks did between.
                ("4d", "2026-10-31T02:30:15.5Z", "2026-10-31T02:30:15.5Z"),
            ],
        );
    }

    #[test]
    fn what_is_no_time() {
        let texts = [
            "",
            "soon",
            "2026",
            "2026-11",
            "2026-13-01",
            "2026-02-30",
            "26-11-01",
            "2026-11-01 25:00",
            "2026-11-01 9",
            "2026-11-01 09:0",
            "2026-11-01 09:00:60",
            "2026-11-01 09:00 x",
            "yesterday 18",
            "yesterday noon",
            "today x",
            "tomorrow",
            "2x ago",
            "ago",
            "-2h",
            "18:00",
            "20261101",
            "2026-11-01T09:00:00[Asia/Tokyo]",
            "+2026-11-01",
            "2026-11-01-02",
        ];
        for text in texts {
            let want = Err(WhenError::Unknown(text.into()));
            assert_eq!(start_of(text, &now("Asia/Tokyo")), want, "{text}");
            assert_eq!(as_of(text, &now("Asia/Tokyo")), want, "{text}");
        }
        for text in ["19000y", "13000y ago", "99999999999999999999d"] {
            let want = Err(WhenError::OutOfRange(text.into()));
            assert_eq!(as_of(text, &now("Asia/Tokyo")), want, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_a_stretch_is_no_point(text in "\\PC{0,30}", digits in "[0-9T: Zz.+-]{0,30}") {
            for text in [&text, &digits] {
                for zone in ["America/New_York", "Australia/Lord_Howe"] {
                    if let (Ok(a), Ok(b)) = (start_of(text, &now(zone)), as_of(text, &now(zone))) {
                        prop_assert!(a <= b);
                    }
                }
            }
        }
    }
}
