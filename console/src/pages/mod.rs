//! The pages, one file each, and what they share: how times, sizes and states are shown.

pub mod basket;
pub mod calendar;
pub mod changes;
pub mod compare;
pub mod destinations;
pub mod door;
pub mod history;
pub mod home;
pub mod keys;
pub mod machines;
pub mod preview;
pub mod rail;
pub mod restore;
pub mod rows;
pub mod search;
pub mod set;
pub mod sets;
pub mod settings;
pub mod space;
pub mod storage;
pub mod strip;
pub mod support;
pub mod target;
pub mod upkeep;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use service::catalogue::report::console as texts;
use service::catalogue::{Lang, report::runs};
use service::entry::Time;
use service::history::HistoryRow;
use service::text;
use service::units::{escape, format_bytes};

/// A point in time: in words, and exactly.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Moment {
    pub words: String,
    pub exact: String,
    /// RFC 3339, for programs.
    pub iso: String,
}

impl Moment {
    /// `12 minutes ago`.
    pub fn ago(lang: Lang, at: Timestamp, now: &Zoned) -> Moment {
        Moment {
            words: texts::relative(lang, at, now.timestamp()),
            exact: text::time(at),
            iso: at.to_string(),
        }
    }

    /// `today 22:15`.
    pub fn day(lang: Lang, at: Timestamp, now: &Zoned) -> Moment {
        Moment {
            words: texts::day_and_time(lang, at, now),
            ..Moment::ago(lang, at, now)
        }
    }
}

/// How a state looks beside its words: never by colour alone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Sign {
    Good,
    Idle,
    Busy,
    Warn,
    Bad,
}

impl Sign {
    /// The class in the style sheet.
    pub fn class(&self) -> &'static str {
        match self {
            Sign::Good => "good",
            Sign::Idle => "idle",
            Sign::Busy => "busy",
            Sign::Warn => "warn",
            Sign::Bad => "bad",
        }
    }

    pub fn symbol(&self) -> &'static str {
        match self {
            Sign::Good => "●",
            Sign::Idle => "○",
            Sign::Busy => "◐",
            Sign::Warn => "▲",
            Sign::Bad => "■",
        }
    }

    /// Of a row of the history: one that has a snapshot saved something.
    pub fn of(status: &str, has_snapshot: bool) -> Sign {
        match (status, has_snapshot) {
            ("running", _) => Sign::Busy,
            ("completed", _) => Sign::Good,
            ("not run", _) => Sign::Idle,
            (_, true) => Sign::Warn,
            (_, false) => Sign::Bad,
        }
    }
}

/// A row of the history as lists show it.
pub struct JobRow {
    pub id: String,
    pub sign: Sign,
    pub kind: String,
    pub what: String,
    pub status: String,
    pub start: Moment,
    pub took: String,
    pub files: String,
    pub size: String,
    pub message: Option<String>,
}

impl JobRow {
    pub fn of(lang: Lang, row: &HistoryRow, now: &Zoned) -> JobRow {
        let has_count = row.files > 0 || row.bytes > 0;
        JobRow {
            id: row.id.clone(),
            sign: Sign::of(&row.status, row.snapshot.is_some()),
            kind: runs::job_kind(lang, &row.kind).to_string(),
            what: runs::what(lang, row),
            status: runs::row_status(lang, row),
            start: Moment::ago(lang, row.start, now),
            took: took(row),
            files: if has_count {
                text::grouped(row.files)
            } else {
                String::new()
            },
            size: if has_count { size(row.bytes) } else { String::new() },
            message: row.told(lang).map(|message| shown(message.as_bytes())),
        }
    }
}

pub fn took(row: &HistoryRow) -> String {
    let took = row.end.map(|end| end.duration_since(row.start));
    let took = took.and_then(|took| std::time::Duration::try_from(took).ok());
    took.map(text::clock).unwrap_or_default()
}

/// `1.2 GiB`: two digits are enough to compare by eye.
pub fn size(bytes: u64) -> String {
    let exact = format_bytes(bytes);
    let Some((number, unit)) = exact.split_once(' ') else {
        return exact;
    };
    match number.split_once('.') {
        Some((whole, fraction)) if whole.len() < 2 => {
            format!("{whole}.{} {unit}", fraction.get(..1).unwrap_or_default())
        }
        Some((whole, _)) => format!("{whole} {unit}"),
        None => exact,
    }
}

/// When a file was changed, as far as calendars go.
pub fn stamp(time: Time) -> Option<Timestamp> {
    Timestamp::new(time.secs, 0).ok()
}

pub fn local(at: Timestamp, zone: &TimeZone) -> Zoned {
    at.to_zoned(zone.clone())
}

/// A name or a path as pages show it.
pub fn shown(bytes: &[u8]) -> String {
    escape(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (bytes, want) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1536, "1.5 KiB"),
            (48 << 10, "48 KiB"),
            (500 << 30, "500 GiB"),
        ] {
            assert_eq!(size(bytes), want);
        }
    }

    #[test]
    fn signs() {
        assert!(Sign::Bad > Sign::Warn && Sign::Warn > Sign::Busy && Sign::Idle > Sign::Good);
        assert_eq!(Sign::of("incomplete", true), Sign::Warn);
        assert_eq!(Sign::of("incomplete", false), Sign::Bad);
        assert_eq!(Sign::of("of a later version", false), Sign::Bad);
    }
}
