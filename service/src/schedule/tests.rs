//! A table of cases: what is known, what time it is, and what is due.

use super::*;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

const TOKYO: &str = "Asia/Tokyo";
const BERLIN: &str = "Europe/Berlin";
const NEW_YORK: &str = "America/New_York";

/// What is known of the past, in local time.
#[derive(Clone, Copy, Default)]
struct Known<'a> {
    since: &'a str,
    slot: &'a str,
    /// Attempts, and when the last ended.
    failed: Option<(u32, &'a str)>,
    paused: &'a str,
}

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

/// `2026-11-27 12:30`; of a time that the day has twice, `second` is the later one.
fn moment(text: &str, zone: &TimeZone) -> Zoned {
    let (text, second) = match text.strip_suffix(" second") {
        Some(text) => (text, true),
        None => (text, false),
    };
    let time: DateTime = text.replace(' ', "T").parse().unwrap();
    let found = zone.to_ambiguous_zoned(time);
    match second {
        true => found.later().unwrap(),
        false => found.compatible().unwrap(),
    }
}

fn shown(at: Timestamp, zone: &TimeZone) -> String {
    let at = at.to_zoned(zone.clone());
    let second = zone.to_ambiguous_zoned(at.datetime());
    let is_second = second.is_ambiguous() && second.later().is_ok_and(|later| later == at);
    format!(
        "{}{}",
        at.strftime("%Y-%m-%d %H:%M"),
        if is_second { " second" } else { "" }
    )
}

fn words(verdict: &Verdict, zone: &TimeZone) -> String {
    let next = |next: &Option<Timestamp>| next.map_or("never".to_string(), |at| shown(at, zone));
    let run = |run: &DueRun| {
        let mut words = format!("{} {}", run.cause.word(), shown(run.slot, zone));
        if run.attempt > 1 {
            words += &format!(" attempt {}", run.attempt);
        }
        if run.missed > 0 {
            words += &format!(" missed {}", run.missed);
        }
        words
    };
    match verdict {
        Verdict::ByHand => "by hand".to_string(),
        Verdict::NotDue { next: at } => format!("next {}", next(at)),
        Verdict::Due(due) => run(due),
        Verdict::Paused { until, run: due } => format!("paused until {}: {}", shown(*until, zone), run(due)),
        Verdict::SetBack { next: at } => format!("set back, next {}", next(at)),
    }
}

#[track_caller]
fn check(schedule: &str, place: &str, known: Known, now: &str, want: &str) {
    let zone = zone(place);
    let at = |text: &str| moment(text, &zone).timestamp();
    let given = |text: &str| (!text.is_empty()).then(|| at(text));
    let past = Past {
        since: at(known.since),
        slot: given(known.slot),
        failed: known.failed.map(|(attempts, ended)| FailedAttempts {
            attempts,
            ended: at(ended),
        }),
    };
    let parsed = Schedule::parse(schedule).unwrap();
    let got = verdict(&parsed, &past, given(known.paused), &moment(now, &zone));
    assert_eq!(words(&got, &zone), want, "{schedule} at {now} in {place}");
}

/// Known for long, and last run for this slot.
fn ran(slot: &str) -> Known<'_> {
    Known {
        since: "2020-01-01 00:00",
        slot,
        ..Known::default()
    }
}

fn new(since: &str) -> Known<'_> {
    Known {
        since,
        ..Known::default()
    }
}

#[test]
fn regular() {
    let rows = [
        (
            "daily 12:30",
            ran("2026-11-26 12:30"),
            "2026-11-27 12:29:59",
            "next 2026-11-27 12:30",
        ),
        (
            "daily 12:30",
            ran("2026-11-26 12:30"),
            "2026-11-27 12:30",
            "regular 2026-11-27 12:30",
        ),
        (
            "daily 12:30",
            ran("2026-11-26 12:30"),
            "2026-11-27 13:00",
            "regular 2026-11-27 12:30",
        ),
        (
            "daily 12:30",
            ran("2026-11-26 12:30"),
            "2026-11-27 13:00:01",
            "catch-up 2026-11-27 12:30",
        ),
        // The slot that is running or was run: a second scheduler, or the next tick.
        (
            "daily 12:30",
            ran("2026-11-27 12:30"),
            "2026-11-27 12:30",
            "next 2026-11-28 12:30",
        ),
        // 2026-11-27 is a Friday.
        (
            "mon,thu 22:00",
            ran("2026-11-26 22:00"),
            "2026-11-27 09:00",
            "next 2026-11-30 22:00",
        ),
        (
            "mon..fri 22:00",
            ran("2026-11-26 22:00"),
            "2026-11-28 00:00",
            "catch-up 2026-11-27 22:00",
        ),
        ("manual", new("2020-01-01 00:00"), "2026-11-27 09:00", "by hand"),
        (
            "cron 0 3 * * *",
            ran("2026-11-26 03:00"),
            "2026-11-27 03:10",
            "regular 2026-11-27 03:00",
        ),
        (
            "cron */20 9-10 * * 1-5",
            ran("2026-11-27 10:40"),
            "2026-11-27 12:00",
            "next 2026-11-30 09:00",
        ),
    ];
    for (schedule, known, now, want) in rows {
        check(schedule, TOKYO, known, now, want);
    }
}

#[test]
fn caught_up() {
    let rows = [
        // The regular slot stays where it is: a catch-up just before it is followed by it.
        (
            "daily 12:30",
            ran("2026-11-26 12:30"),
            "2026-11-28 12:29",
            "catch-up 2026-11-27 12:30",
        ),
        (
            "daily 12:30",
            ran("2026-11-27 12:30"),
            "2026-11-28 12:29:59",
            "next 2026-11-28 12:30",
        ),
        (
            "daily 12:30",
            ran("2026-11-27 12:30"),
            "2026-11-28 12:31",
            "regular 2026-11-28 12:30",
        ),
        // Off for a week: one run for all.
        (
            "daily 12:30",
            ran("2026-11-20 12:30"),
            "2026-11-28 09:00",
            "catch-up 2026-11-27 12:30 missed 6",
        ),
        (
            "mon 22:00",
            ran("2026-11-16 22:00"),
            "2026-11-28 09:00",
            "catch-up 2026-11-23 22:00",
        ),
        (
            "every 15m",
            ran("2026-11-20 12:30"),
            "2026-11-27 12:31",
            "regular 2026-11-27 12:30 missed 671",
        ),
        (
            "every 1m",
            ran("2026-01-20 12:30"),
            "2026-11-27 12:30",
            "regular 2026-11-27 12:30 missed 1000",
        ),
        (
            "every 4h",
            ran("2026-11-27 08:00"),
            "2026-11-27 15:00",
            "catch-up 2026-11-27 12:00",
        ),
    ];
    for (schedule, known, now, want) in rows {
        check(schedule, TOKYO, known, now, want);
    }
}

#[test]
fn retried() {
    let failed = |attempts, ended| Known {
        failed: Some((attempts, ended)),
        ..ran("2026-11-27 12:30")
    };
    let rows = [
        (
            "daily 12:30",
            failed(1, "2026-11-27 12:40"),
            "2026-11-27 12:44:59",
            "next 2026-11-27 12:45",
        ),
        (
            "daily 12:30",
            failed(1, "2026-11-27 12:40"),
            "2026-11-27 12:45",
            "retry 2026-11-27 12:30 attempt 2",
        ),
        (
            "daily 12:30",
            failed(2, "2026-11-27 12:50"),
            "2026-11-27 13:19",
            "next 2026-11-27 13:20",
        ),
        (
            "daily 12:30",
            failed(2, "2026-11-27 12:50"),
            "2026-11-27 13:20",
            "retry 2026-11-27 12:30 attempt 3",
        ),
        (
            "daily 12:30",
            failed(3, "2026-11-27 13:30"),
            "2026-11-27 15:29",
            "next 2026-11-27 15:30",
        ),
        (
            "daily 12:30",
            failed(3, "2026-11-27 13:30"),
            "2026-11-27 18:00",
            "retry 2026-11-27 12:30 attempt 4",
        ),
        (
            "daily 12:30",
            failed(4, "2026-11-27 15:30"),
            "2026-11-27 23:00",
            "next 2026-11-28 12:30",
        ),
        // The next slot begins anew, and is not waited past.
        (
            "daily 12:30",
            failed(4, "2026-11-27 15:30"),
            "2026-11-28 12:30",
            "regular 2026-11-28 12:30",
        ),
        (
            "daily 12:30",
            failed(3, "2026-11-28 11:30"),
            "2026-11-28 12:00",
            "next 2026-11-28 12:30",
        ),
        (
            "daily 12:30",
            failed(1, "2026-11-27 12:40"),
            "2026-11-28 12:31",
            "regular 2026-11-28 12:30",
        ),
        (
            "every 15m",
            failed(1, "2026-11-27 12:44"),
            "2026-11-27 12:44:30",
            "next 2026-11-27 12:45",
        ),
        // No retry outside the window, though one is left.
        (
            "every 1h 09:00-12:45",
            failed(2, "2026-11-27 12:40"),
            "2026-11-27 13:10",
            "next 2026-11-28 09:00",
        ),
        // It failed before the clock was set back by an hour.
        (
            "daily 12:30",
            failed(1, "2026-11-27 14:40"),
            "2026-11-27 13:40",
            "retry 2026-11-27 12:30 attempt 2",
        ),
    ];
    for (schedule, known, now, want) in rows {
        check(schedule, TOKYO, known, now, want);
    }
}

#[test]
fn windows() {
    let day = "every 1h mon..fri 09:00-18:00";
    let night = "every 2h mon..fri 22:00-06:00";
    let rows = [
        (
            day,
            ran("2026-11-26 17:00"),
            "2026-11-27 08:59",
            "next 2026-11-27 09:00",
        ),
        (
            day,
            ran("2026-11-26 17:00"),
            "2026-11-27 09:00",
            "regular 2026-11-27 09:00",
        ),
        (
            day,
            ran("2026-11-27 17:00"),
            "2026-11-27 17:59",
            "next 2026-11-30 09:00",
        ),
        // A slot that was missed is not caught up when the window has closed.
        (
            day,
            ran("2026-11-27 16:00"),
            "2026-11-27 18:00",
            "next 2026-11-30 09:00",
        ),
        (
            day,
            ran("2026-11-27 16:00"),
            "2026-11-30 09:00",
            "regular 2026-11-30 09:00 missed 1",
        ),
        (
            day,
            ran("2026-11-27 16:00"),
            "2026-11-28 12:00",
            "next 2026-11-30 09:00",
        ),
        // Over midnight: Friday's window is open on Saturday morning, Sunday's never.
        (
            night,
            ran("2026-11-27 22:00"),
            "2026-11-28 00:10",
            "regular 2026-11-28 00:00",
        ),
        (
            night,
            ran("2026-11-28 02:00"),
            "2026-11-28 05:59",
            "catch-up 2026-11-28 04:00",
        ),
        (
            night,
            ran("2026-11-28 04:00"),
            "2026-11-28 05:59",
            "next 2026-11-30 22:00",
        ),
        (
            night,
            ran("2026-11-28 04:00"),
            "2026-11-28 23:00",
            "next 2026-11-30 22:00",
        ),
        (
            night,
            ran("2026-11-28 04:00"),
            "2026-11-30 03:00",
            "next 2026-11-30 22:00",
        ),
        (
            "every 30m sat",
            ran("2026-11-21 23:30"),
            "2026-11-28 00:00",
            "regular 2026-11-28 00:00",
        ),
        (
            "every 30m sat",
            ran("2026-11-28 23:30"),
            "2026-11-29 00:00",
            "next 2026-12-05 00:00",
        ),
    ];
    for (schedule, known, now, want) in rows {
        check(schedule, TOKYO, known, now, want);
    }
}

#[test]
fn calendar() {
    let rows = [
        (
            "daily 23:50",
            ran("2026-11-29 23:50"),
            "2026-12-01 00:05",
            "regular 2026-11-30 23:50",
        ),
        (
            "daily 00:00",
            ran("2026-12-31 00:00"),
            "2027-01-01 00:00",
            "regular 2027-01-01 00:00",
        ),
        (
            "cron 0 3 31 * *",
            ran("2026-10-31 03:00"),
            "2026-11-30 12:00",
            "next 2026-12-31 03:00",
        ),
        (
            "cron 0 3 29 2 *",
            ran("2024-02-29 03:00"),
            "2027-03-01 00:00",
            "next 2028-02-29 03:00",
        ),
        (
            "cron 0 3 29 2 *",
            ran("2024-02-29 03:00"),
            "2028-02-29 03:00",
            "regular 2028-02-29 03:00",
        ),
        (
            "daily 03:00",
            ran("2028-02-28 03:00"),
            "2028-02-29 03:00",
            "regular 2028-02-29 03:00",
        ),
        (
            "cron 0 3 30 2 *",
            ran("2026-11-01 03:00"),
            "2026-11-30 12:00",
            "next never",
        ),
    ];
    for (schedule, known, now, want) in rows {
        check(schedule, TOKYO, known, now, want);
    }
    // 1900 and 2100 are no leap years.
    let known = Known {
        since: "2096-01-01 00:00",
        slot: "2096-02-29 03:00",
        ..Known::default()
    };
    check(
        "cron 0 3 29 2 *",
        TOKYO,
        known,
        "2096-03-01 00:00",
        "next 2104-02-29 03:00",
    );
}

/// In Berlin the clock goes from 02:00 to 03:00 on 2027-03-28, and from 03:00 to 02:00 on 2026-10-25.
#[test]
fn summer_time() {
    let rows = [
        // Skipped: an hour later, by the clock.
        (
            "daily 02:30",
            ran("2027-03-27 02:30"),
            "2027-03-28 01:59",
            "next 2027-03-28 03:30",
        ),
        (
            "daily 02:30",
            ran("2027-03-27 02:30"),
            "2027-03-28 03:30",
            "regular 2027-03-28 03:30",
        ),
        (
            "daily 02:30",
            ran("2027-03-28 03:30"),
            "2027-03-28 12:00",
            "next 2027-03-29 02:30",
        ),
        (
            "cron 30 2 * * *",
            ran("2027-03-27 02:30"),
            "2027-03-28 03:31",
            "regular 2027-03-28 03:30",
        ),
        (
            "every 30m",
            ran("2027-03-28 01:30"),
            "2027-03-28 03:00",
            "regular 2027-03-28 03:00",
        ),
        (
            "cron */30 * * * *",
            ran("2027-03-28 01:30"),
            "2027-03-28 01:45",
            "next 2027-03-28 03:00",
        ),
        (
            "cron */30 * * * *",
            ran("2027-03-28 03:00"),
            "2027-03-28 03:10",
            "next 2027-03-28 03:30",
        ),
        // Twice: once, but for what repeats.
        (
            "daily 02:30",
            ran("2026-10-24 02:30"),
            "2026-10-25 02:30",
            "regular 2026-10-25 02:30",
        ),
        (
            "daily 02:30",
            ran("2026-10-25 02:30"),
            "2026-10-25 02:30 second",
            "next 2026-10-26 02:30",
        ),
        (
            "cron 30 2 * * *",
            ran("2026-10-25 02:30"),
            "2026-10-25 02:30 second",
            "next 2026-10-26 02:30",
        ),
        (
            "every 30m",
            ran("2026-10-25 02:30"),
            "2026-10-25 02:00 second",
            "regular 2026-10-25 02:00 second",
        ),
        (
            "cron */30 * * * *",
            ran("2026-10-25 02:30"),
            "2026-10-25 02:30 second",
            "regular 2026-10-25 02:30 second missed 1",
        ),
        // A window that is an hour shorter or longer.
        (
            "every 1h 00:00-04:00",
            ran("2027-03-28 01:00"),
            "2027-03-28 03:00",
            "regular 2027-03-28 03:00",
        ),
        (
            "every 1h 00:00-04:00",
            ran("2027-03-28 03:00"),
            "2027-03-28 04:00",
            "next 2027-03-29 00:00",
        ),
        (
            "every 1h 00:00-04:00",
            ran("2026-10-25 02:00 second"),
            "2026-10-25 03:00",
            "regular 2026-10-25 03:00",
        ),
    ];
    for (schedule, known, now, want) in rows {
        check(schedule, BERLIN, known, now, want);
    }
    // A day with 25 hours is not a day off.
    check(
        "daily 12:30",
        NEW_YORK,
        ran("2026-10-31 12:30"),
        "2026-11-01 12:29",
        "next 2026-11-01 12:30",
    );
    // The traveller's slot is that of the zone in which the machine is now.
    let known = Known {
        since: "2020-01-01 00:00",
        slot: "2026-11-26 22:30",
        ..Known::default()
    };
    check(
        "daily 12:30",
        NEW_YORK,
        known,
        "2026-11-27 12:29",
        "next 2026-11-27 12:30",
    );
}

#[test]
fn clock_set_back() {
    let rows = [
        // By a month: what is known is in the future, and would be for a month.
        (
            "daily 12:30",
            ran("2026-11-27 12:30"),
            "2026-10-27 13:00",
            "set back, next 2026-10-28 12:30",
        ),
        (
            "every 15m",
            ran("2026-11-27 12:30"),
            "2026-11-27 12:00",
            "set back, next 2026-11-27 12:15",
        ),
        (
            "daily 12:30",
            new("2026-11-27 12:00"),
            "2026-10-27 13:00",
            "set back, next 2026-10-28 12:30",
        ),
        // The caller then begins anew.
        (
            "daily 12:30",
            new("2026-10-27 13:00"),
            "2026-10-28 12:30",
            "regular 2026-10-28 12:30",
        ),
        // By so little that the slot would come again: it does not run twice.
        (
            "daily 12:30",
            ran("2026-11-27 12:30"),
            "2026-11-27 12:29",
            "next 2026-11-28 12:30",
        ),
        (
            "daily 12:30",
            ran("2026-11-27 12:30"),
            "2026-11-26 13:00",
            "next 2026-11-28 12:30",
        ),
    ];
    for (schedule, known, now, want) in rows {
        check(schedule, TOKYO, known, now, want);
    }
}

#[test]
fn paused() {
    let until = |paused| Known {
        paused,
        ..ran("2026-11-26 12:30")
    };
    let rows = [
        (
            "daily 12:30",
            until("2026-11-27 14:00"),
            "2026-11-27 12:00",
            "next 2026-11-27 12:30",
        ),
        (
            "daily 12:30",
            until("2026-11-27 14:00"),
            "2026-11-27 12:35",
            "paused until 2026-11-27 14:00: regular 2026-11-27 12:30",
        ),
        // Resumed, or the pause has ended.
        (
            "daily 12:30",
            ran("2026-11-26 12:30"),
            "2026-11-27 14:00",
            "catch-up 2026-11-27 12:30",
        ),
    ];
    for (schedule, known, now, want) in rows {
        check(schedule, TOKYO, known, now, want);
    }
}

#[test]
fn new_and_changed_schedules_begin_with_their_next_slot() {
    let changed = Known {
        since: "2026-11-27 10:00",
        ..ran("2026-11-26 12:30")
    };
    let rows = [
        (
            "daily 12:30",
            new("2026-11-27 12:31"),
            "2026-11-27 13:00",
            "next 2026-11-28 12:30",
        ),
        (
            "daily 12:30",
            new("2026-11-27 12:29"),
            "2026-11-27 12:30",
            "regular 2026-11-27 12:30",
        ),
        (
            "daily 12:30",
            new("2026-11-27 12:29"),
            "2026-11-29 09:00",
            "catch-up 2026-11-28 12:30 missed 1",
        ),
        (
            "daily 09:00",
            changed,
            "2026-11-27 10:15",
            "next 2026-11-28 09:00",
        ),
        (
            "daily 11:00",
            changed,
            "2026-11-27 11:00",
            "regular 2026-11-27 11:00",
        ),
        (
            "every 15m",
            changed,
            "2026-11-27 10:15",
            "regular 2026-11-27 10:15",
        ),
    ];
    for (schedule, known, now, want) in rows {
        check(schedule, TOKYO, known, now, want);
    }
}

/// A scheduler that follows it to the minute runs each slot once, whatever the schedule.
#[test]
fn each_slot_once() {
    let zone = zone(BERLIN);
    for text in [
        "daily 02:30",
        "every 7m",
        "every 1h sat..mon 22:00-03:00",
        "cron */25 1-4 * * *",
    ] {
        let schedule = Schedule::parse(text).unwrap();
        let start = moment("2026-10-23 00:00", &zone);
        let mut past = Past {
            since: start.timestamp(),
            slot: None,
            failed: None,
        };
        let mut served = Vec::new();
        for minute in 1..=(4 * 24 * 60) {
            let now = start.checked_add(SignedDuration::from_mins(minute)).unwrap();
            if let Verdict::Due(run) = verdict(&schedule, &past, None, &now) {
                assert_eq!((run.cause, run.missed), (RunCause::Regular, 0), "{text} {now}");
                served.push(run.slot);
                past.slot = Some(run.slot);
            }
        }
        let mut wanted = Vec::new();
        let end = start.checked_add(SignedDuration::from_mins(4 * 24 * 60)).unwrap();
        let mut at = start;
        while let Some(slot) = slots::next_after(&schedule, &at).filter(|slot| *slot <= end) {
            wanted.push(slot.timestamp());
            at = slot;
        }
        assert!(
            served.len() >= 4 && served == wanted,
            "{text}: {served:?} {wanted:?}"
        );
    }
}
