//! The strip of 30 days: what became of each day's runs, and on days without any, whether one was due.

use super::shown;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};
use service::catalogue::report::console::{self as texts, Labels};
use service::catalogue::{Lang, report::runs};
use service::history::HistoryRow;
use service::schedule::slots;
use service::settings::schedule::Schedule;

pub const DAYS: i32 = 30;
/// A run that is due may begin so late.
const GRACE: SignedDuration = SignedDuration::from_hours(1);

/// One day.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cell {
    pub class: &'static str,
    pub label: String,
}

/// What became of a day, the better before the worse.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Day {
    Quiet,
    Good,
    Skipped,
    Missed,
    Problems,
    Failed,
}

impl Day {
    fn class(self) -> &'static str {
        match self {
            Day::Quiet => "quiet",
            Day::Good => "good",
            Day::Skipped => "skipped",
            Day::Missed => "missed",
            Day::Problems => "warn",
            Day::Failed => "bad",
        }
    }

    fn words(self, t: Labels) -> &'static str {
        match self {
            Day::Quiet => t.cell_quiet(),
            Day::Good => t.cell_ok(),
            Day::Skipped => t.cell_skipped(),
            Day::Missed => t.cell_missed(),
            Day::Problems => t.cell_problems(),
            Day::Failed => t.cell_failed(),
        }
    }
}

/// The rows of one set, newest first, as one of its destinations saw them.
pub struct Past<'a> {
    pub rows: Vec<&'a HistoryRow>,
    pub destination: &'a str,
    pub schedule: &'a Schedule,
}

pub struct Strip {
    /// Oldest first.
    pub cells: Vec<Cell>,
    pub summary: String,
}

pub fn strip(lang: Lang, past: &Past<'_>, now: &Zoned) -> Strip {
    let zone = now.time_zone();
    let today = now.date();
    let first = past
        .rows
        .last()
        .map(|row| row.start.to_zoned(zone.clone()).date());
    let (mut cells, mut good, mut bad) = (Vec::new(), 0, 0);
    for back in (0..DAYS).rev() {
        let Ok(date) = today.checked_sub(back.days()) else {
            continue;
        };
        let of_day: Vec<&HistoryRow> = past
            .rows
            .iter()
            .filter(|row| !row.is_running() && row.start.to_zoned(zone.clone()).date() == date)
            .copied()
            .collect();
        let (day, why) = match of_day.is_empty() {
            true if first.is_some_and(|first| date > first) && was_due(past.schedule, date, zone, now) => {
                (Day::Missed, None)
            }
            true => (Day::Quiet, None),
            false => judged(lang, &of_day, past.destination),
        };
        match day {
            Day::Good => good += 1,
            Day::Quiet => {}
            _ => bad += 1,
        }
        let label = texts::cell(lang, &date.to_string(), day.words(Labels(lang)), why.as_deref());
        cells.push(Cell {
            class: day.class(),
            label,
        });
    }
    Strip {
        cells,
        summary: texts::strip_summary(lang, good, bad),
    }
}

/// A day is as good as its last run that was begun, and has problems if an earlier one had.
fn judged(lang: Lang, rows: &[&HistoryRow], destination: &str) -> (Day, Option<String>) {
    let days: Vec<Day> = rows.iter().map(|row| of_row(row, destination)).collect();
    let ran = |day: &&Day| !matches!(day, Day::Skipped);
    let last = days.iter().find(ran).copied();
    let worst = days.iter().filter(ran).max().copied();
    let day = match (last, worst) {
        (None, _) => Day::Skipped,
        (Some(Day::Good), Some(worst)) if worst > Day::Good => Day::Problems,
        (Some(last), _) => last,
    };
    let blamed = rows.iter().zip(&days).find(|(_, found)| match day {
        Day::Problems => **found > Day::Good && **found != Day::Skipped,
        day => **found == day,
    });
    let why = blamed
        .filter(|_| day != Day::Good)
        .map(|(row, _)| match row.told(lang) {
            Some(message) => shown(message.as_bytes()),
            None => runs::row_status(lang, row),
        });
    (day, why)
}

fn of_row(row: &HistoryRow, destination: &str) -> Day {
    let there = row.destinations.iter().find(|there| there.name == destination);
    let status = there.map_or(row.status.as_str(), |there| there.status.as_str());
    match (status, row.status.as_str()) {
        (_, "not run") => Day::Skipped,
        ("completed", "completed") => Day::Good,
        // This destination has it; that the source had problems is true of every one.
        ("completed", _) if row.snapshot.is_some() && row.problems == 0 => Day::Good,
        ("completed", _) => Day::Problems,
        (_, _) if row.snapshot.is_some() && there.is_none() => Day::Problems,
        _ => Day::Failed,
    }
}

fn was_due(schedule: &Schedule, date: Date, zone: &TimeZone, now: &Zoned) -> bool {
    let start = date.to_zoned(zone.clone()).map(|start| start.timestamp());
    let end = date.tomorrow().and_then(|next| next.to_zoned(zone.clone()));
    let (Ok(start), Ok(end), Ok(late)) = (start, end, now.checked_sub(GRACE)) else {
        return false;
    };
    let before = start
        .checked_sub(SignedDuration::from_secs(1))
        .unwrap_or(Timestamp::MIN);
    let until = match end < late {
        true => end.checked_sub(SignedDuration::from_secs(1)).unwrap_or(end),
        false => late,
    };
    slots::last_by(schedule, &until, before).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use service::history::DestinationRow;

    fn row(at: &str, status: &str, snapshot: bool) -> HistoryRow {
        HistoryRow {
            id: at.to_string(),
            start: at.parse().unwrap(),
            status: status.to_string(),
            snapshot: snapshot.then(|| "1f".to_string()),
            ..HistoryRow::default()
        }
    }

    fn classes(rows: &[HistoryRow], schedule: &str, now: &str) -> Vec<&'static str> {
        let schedule = Schedule::parse(schedule).unwrap();
        let past = Past {
            rows: rows.iter().collect(),
            destination: "main",
            schedule: &schedule,
        };
        let now = now.parse::<Timestamp>().unwrap().to_zoned(TimeZone::UTC);
        let strip = strip(Lang::En, &past, &now);
        assert_eq!(strip.cells.len(), 30);
        strip.cells.into_iter().map(|cell| cell.class).collect()
    }

    #[test]
    fn quiet_days_of_a_weekly_set_are_no_failures() {
        let rows = [
            row("2026-11-26T22:00:00Z", "completed", true),
            row("2026-11-12T22:00:00Z", "completed", true),
        ];
        let found = classes(&rows, "thu 22:00", "2026-11-27T12:00:00Z");
        // The 19th was a Thursday without a run.
        let marked: Vec<(usize, &str)> = found
            .into_iter()
            .enumerate()
            .filter(|(_, c)| *c != "quiet")
            .collect();
        assert_eq!(marked, [(14, "good"), (21, "missed"), (28, "good")]);
    }

    #[test]
    fn a_day_is_as_good_as_its_last_run() {
        let now = "2026-11-27T12:00:00Z";
        let last = |rows: &[HistoryRow]| classes(rows, "manual", now)[29];
        let at = |hour: u32, status: &str, snapshot| {
            row(&format!("2026-11-27T{hour:02}:00:00Z"), status, snapshot)
        };
        assert_eq!(last(&[at(9, "completed", true)]), "good");
        assert_eq!(last(&[at(9, "incomplete", false)]), "bad");
        assert_eq!(last(&[at(9, "incomplete", true)]), "warn");
        assert_eq!(last(&[at(9, "not run", false)]), "skipped");
        assert_eq!(
            last(&[at(10, "completed", true), at(9, "incomplete", false)]),
            "warn"
        );
        assert_eq!(
            last(&[at(10, "not run", false), at(9, "completed", true)]),
            "good"
        );
        assert_eq!(last(&[at(10, "running", false)]), "quiet");
    }

    #[test]
    fn each_destination_has_its_own() {
        let there = |name: &str, status: &str| DestinationRow {
            name: name.to_string(),
            status: status.to_string(),
            ..DestinationRow::default()
        };
        let row = HistoryRow {
            destinations: vec![there("main", "completed"), there("away", "incomplete")],
            ..row("2026-11-27T09:00:00Z", "incomplete", true)
        };
        assert_eq!(of_row(&row, "main"), Day::Good);
        assert_eq!(of_row(&row, "away"), Day::Failed);
        assert_eq!(of_row(&row, "new"), Day::Problems);
    }
}
