//! The forms that every face and every message shares: ids, times and counts as people read them.

use engine::entry::Kind;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::time::Duration;
use unicode_width::UnicodeWidthStr;

/// The beginning of an id that is shown to people.
pub fn short(hex: &str) -> String {
    hex.chars().take(8).collect()
}

/// Local date and time, to the second.
pub fn time(at: Timestamp) -> String {
    let at = at.to_zoned(TimeZone::system());
    let (year, month, day) = (at.year(), at.month(), at.day());
    let (hour, minute, second) = (at.hour(), at.minute(), at.second());
    match year {
        // Long listings have a million of these, and a form takes three times as long.
        1000..=9999 => format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"),
        _ => at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
    }
}

/// A time that somebody asked for: where it is the end of a minute, the minute was meant.
pub fn as_of(at: Timestamp) -> String {
    let at = at.to_zoned(TimeZone::system());
    let end = at.second() == 59 && at.subsec_nanosecond() == 999_999_999;
    let form = if end {
        "%Y-%m-%d %H:%M"
    } else {
        "%Y-%m-%d %H:%M:%S"
    };
    at.strftime(form).to_string()
}

/// `1,234,567`.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `0:07`, `1:02:03`.
pub fn clock(elapsed: Duration) -> String {
    let secs = elapsed.as_secs();
    let (hours, minutes, secs) = (secs / 3600, secs / 60 % 60, secs % 60);
    match hours {
        0 => format!("{minutes}:{secs:02}"),
        hours => format!("{hours}:{minutes:02}:{secs:02}"),
    }
}

/// Columns of a terminal that a text takes; an ideograph takes two.
pub fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// `text` with spaces up to this width.
pub fn padded(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// `path` from the root, as snapshots hold it.
pub fn absolute(path: &[u8]) -> Vec<u8> {
    match path.first() {
        Some(b'/') => path.to_vec(),
        _ => [b"/", path].concat(),
    }
}

/// The path of an entry; a directory's ends with a slash.
pub fn entry_path(path: &[u8], kind: &Kind) -> Vec<u8> {
    let mut path = absolute(path);
    if *kind == Kind::Dir && path.last() != Some(&b'/') {
        path.push(b'/');
    }
    path
}

/// `drwxr-xr-x`.
pub fn mode(letter: char, bits: u32) -> String {
    let mut out = String::from(letter);
    for (shift, special, letters) in [
        (6, 0o4000, ('s', 'S')),
        (3, 0o2000, ('s', 'S')),
        (0, 0o1000, ('t', 'T')),
    ] {
        let three = bits >> shift;
        out.push(if three & 4 != 0 { 'r' } else { '-' });
        out.push(if three & 2 != 0 { 'w' } else { '-' });
        out.push(match (bits & special != 0, three & 1 != 0) {
            (true, true) => letters.0,
            (true, false) => letters.1,
            (false, true) => 'x',
            (false, false) => '-',
        });
    }
    out
}

/// What `ls -l` begins a line with.
pub fn kind_letter(kind: &Kind) -> char {
    match kind {
        Kind::File => '-',
        Kind::Dir => 'd',
        Kind::Symlink { .. } => 'l',
        Kind::CharDevice { .. } => 'c',
        Kind::BlockDevice { .. } => 'b',
        Kind::Fifo => 'p',
        Kind::Socket => 's',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (n, want) in [(0, "0"), (999, "999"), (1000, "1,000"), (1234567, "1,234,567")] {
            assert_eq!(grouped(n), want);
        }
        for (secs, want) in [(0, "0:00"), (67, "1:07"), (3723, "1:02:03")] {
            assert_eq!(clock(Duration::from_secs(secs)), want);
        }
        assert_eq!(
            (padded("日本", 5), padded("abcdef", 5)),
            ("日本 ".into(), "abcdef".into())
        );
    }

    #[test]
    fn times_are_as_strftime_makes_them() {
        for secs in [
            0,
            -1,
            1_700_000_000,
            253_402_207_200,
            -30_610_224_000,
            -62_135_596_800,
            -70_000_000_000,
        ] {
            let at = Timestamp::from_second(secs).unwrap();
            let made = at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S");
            assert_eq!(time(at), made.to_string());
        }
    }

    #[test]
    fn modes() {
        let rows = [
            ('d', 0o755, "drwxr-xr-x"),
            ('-', 0o4755, "-rwsr-xr-x"),
            ('-', 0o6644, "-rwSr-Sr--"),
            ('d', 0o1777, "drwxrwxrwt"),
            ('d', 0o1770, "drwxrwx--T"),
        ];
        for (letter, bits, want) in rows {
            assert_eq!(mode(letter, bits), want);
        }
    }
}
