//! The forms that every face and every message shares: ids, times and counts as people read them.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The beginning of an id that is shown to people.
pub fn short(hex: &str) -> String {
    hex.chars().take(8).collect()
}

/// Local date and time, to the second.
pub fn time(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system())
        .strftime("%Y-%m-%d %H:%M:%S")
        .to_string()
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

/// `1 snapshot`, `2 snapshots`.
pub fn count(n: u64, one: &str) -> String {
    match n {
        1 => format!("1 {one}"),
        n => format!("{} {one}s", grouped(n)),
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
        assert_eq!(
            (count(1, "file"), count(2000, "file")),
            ("1 file".into(), "2,000 files".into())
        );
    }
}
