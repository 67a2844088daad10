//! Sizes, durations and file names as people write and read them. Pure text; the configuration, the command line
//! and every message use these, so that what one prints the other accepts.

use jiff::Span;
use std::fmt::Write;
use std::time::Duration;

/// What a text is not. The message names the text and what would be accepted.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UnitError {
    #[error("bad size: '{0}'")]
    Size(String),
    /// The most is 16 EiB less one byte.
    #[error("size too large: '{0}'")]
    SizeTooLarge(String),
    #[error("bad duration: '{0}'")]
    Duration(String),
    #[error("duration too long: '{0}'")]
    DurationTooLong(String),
}

const SIZE_UNITS: [(char, u32); 6] = [('K', 10), ('M', 20), ('G', 30), ('T', 40), ('P', 50), ('E', 60)];

/// Parses `512`, `64K`, `1.5G`, `10MiB`, `10 MB`: bytes, base 1024 whatever the spelling, case ignored, a fraction
/// of a unit rounded down to whole bytes.
pub fn parse_size(text: &str) -> Result<u64, UnitError> {
    let junk = || UnitError::Size(text.to_string());
    let trimmed = text.trim();
    let split = trimmed
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(split);
    let shift = size_shift(unit.trim_start()).ok_or_else(junk)?;
    let (whole, fraction) = match number.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (number, None),
    };
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !fraction.is_none_or(digits) || (fraction.is_some() && shift == 0) {
        return Err(junk());
    }
    let too_large = || UnitError::SizeTooLarge(text.to_string());
    let whole: u64 = whole.parse().map_err(|_| too_large())?;
    let bytes = u128::from(whole) << shift;
    // More than 18 digits after the point are below one byte of any unit (2^60 < 10^19).
    let fraction: String = fraction.unwrap_or("0").chars().take(18).collect();
    let scale = 10u128.pow(fraction.len() as u32);
    let part = (u128::from(fraction.parse::<u64>().map_err(|_| junk())?) << shift) / scale;
    u64::try_from(bytes + part).map_err(|_| too_large())
}

/// The power of two of `""`, `B`, `K`, `KB`, `KiB`, ...; `None` for anything else.
fn size_shift(unit: &str) -> Option<u32> {
    let mut chars = unit.chars();
    let Some(first) = chars.next() else { return Some(0) };
    let rest = chars.as_str();
    if first.eq_ignore_ascii_case(&'B') {
        return rest.is_empty().then_some(0);
    }
    let known = ["", "b", "i", "ib"].iter().any(|r| rest.eq_ignore_ascii_case(r));
    let shift = |(letter, shift): &(char, u32)| first.eq_ignore_ascii_case(letter).then_some(*shift);
    known.then(|| SIZE_UNITS.iter().find_map(shift)).flatten()
}

/// `512 B`, `1.234 GiB`: rounded to three decimals, never `1024.000` of a unit that has a larger neighbour.
pub fn format_bytes(bytes: u64) -> String {
    for (letter, shift) in SIZE_UNITS {
        let one = 1u128 << shift;
        let thousandths = (u128::from(bytes) * 1000 + one / 2) / one;
        if u128::from(bytes) < one && shift == 10 {
            return format!("{bytes} B");
        }
        if thousandths < 1024 * 1000 || letter == 'E' {
            return format!("{}.{:03} {letter}iB", thousandths / 1000, thousandths % 1000);
        }
    }
    format!("{bytes} B")
}

/// Parses `1y2M3d`, `2h30m`, `90d`, `0s`: a calendar span, months as months.
pub fn parse_span(text: &str) -> Result<Span, UnitError> {
    let junk = || UnitError::Duration(text.to_string());
    let too_long = || UnitError::DurationTooLong(text.to_string());
    let mut rest = text.trim();
    let mut span = Span::new();
    let mut units = "yMwdhms".chars();
    if rest.is_empty() {
        return Err(junk());
    }
    while !rest.is_empty() {
        let split = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(junk)?;
        let (number, tail) = rest.split_at(split);
        let unit = tail.chars().next().ok_or_else(junk)?;
        if number.is_empty() || !units.any(|u| u == unit) {
            return Err(junk());
        }
        let n: i64 = number.parse().map_err(|_| too_long())?;
        span = match unit {
            'y' => span.try_years(n),
            'M' => span.try_months(n),
            'w' => span.try_weeks(n),
            'd' => span.try_days(n),
            'h' => span.try_hours(n),
            'm' => span.try_minutes(n),
            _ => span.try_seconds(n),
        }
        .map_err(|_| too_long())?;
        rest = &tail[unit.len_utf8()..];
    }
    Ok(span)
}

/// The form that [`parse_span`] reads; `0s` for nothing.
pub fn format_span(span: &Span) -> String {
    let parts = [
        (i64::from(span.get_years()), 'y'),
        (i64::from(span.get_months()), 'M'),
        (i64::from(span.get_weeks()), 'w'),
        (i64::from(span.get_days()), 'd'),
        (i64::from(span.get_hours()), 'h'),
        (span.get_minutes(), 'm'),
        (span.get_seconds(), 's'),
    ];
    let mut text = String::new();
    for (n, unit) in parts.into_iter().filter(|(n, _)| *n != 0) {
        let _ = write!(text, "{n}{unit}");
    }
    if text.is_empty() { "0s".to_string() } else { text }
}

/// Time that something took: `120ms`, `4.2s`, `3m05s`, `2h07m`, `3d04h`.
pub fn format_duration(time: Duration) -> String {
    let secs = time.as_secs();
    match secs {
        0 => format!("{}ms", time.subsec_millis()),
        1..60 => format!("{secs}.{}s", time.subsec_millis() / 100),
        60..3600 => format!("{}m{:02}s", secs / 60, secs % 60),
        3600..86400 => format!("{}h{:02}m", secs / 3600, secs / 60 % 60),
        _ => format!("{}d{:02}h", secs / 86400, secs / 3600 % 24),
    }
}

/// A file name that is safe to print: bytes that are no UTF-8 and ASCII controls become `\xNN`, other controls and
/// what reorders or breaks a line `\u{NNNN}`. A backslash stays itself, so that ordinary names can be pasted back.
pub fn escape(name: &[u8]) -> String {
    // Nearly all names: nothing to look at one by one.
    if let Ok(text) = std::str::from_utf8(name)
        && name.iter().all(|byte| matches!(byte, b' '..=b'~'))
    {
        return text.to_string();
    }
    let mut out = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        for c in chunk.valid().chars() {
            // Writing to a String can't fail.
            let _ = match c {
                '\0'..='\x1f' | '\x7f' => write!(out, "\\x{:02x}", u32::from(c)),
                c if reorders(c) => write!(out, "\\u{{{:x}}}", u32::from(c)),
                c => out.write_char(c),
            };
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

/// C1 controls, bidirectional controls, line and paragraph separators, the byte order mark: invisible, and able to
/// make a terminal show another name than the one on disk.
fn reorders(c: char) -> bool {
    matches!(c,
        '\u{80}'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes() {
        let good: &[(&str, u64)] = &[
            ("0", 0),
            ("512", 512),
            ("512B", 512),
            ("1K", 1024),
            ("1k", 1024),
            ("1KB", 1024),
            ("1KiB", 1024),
            ("1kib", 1024),
            ("1Ki", 1024),
            ("1.5G", 3 << 29),
            ("1.5 GiB", 3 << 29),
            (" 10M ", 10 << 20),
            ("0.5K", 512),
            ("0.0001K", 0),
            ("2T", 2 << 40),
            ("3P", 3 << 50),
            ("15E", 15 << 60),
            ("15.999999999999999999999E", u64::MAX - 1),
            ("18446744073709551615", u64::MAX),
        ];
        for (text, want) in good {
            let got = parse_size(text);
            // The last bits below 18 decimals are cut: within two bytes of what was meant.
            assert!(
                got.as_ref().is_ok_and(|g| g.abs_diff(*want) < 2),
                "{text}: {got:?}"
            );
        }
        for text in [
            "16E",
            "18446744073709551616",
            "99999999999999999999999K",
            "20000P",
        ] {
            assert_eq!(
                parse_size(text),
                Err(UnitError::SizeTooLarge(text.into())),
                "{text}"
            );
        }
        for text in [
            "", " ", "K", "B", "-1", "+1", "1.5", "1.K", ".5K", "1..5K", "1X", "1KK", "1 0", "1e3", "１K",
            "1K!", "5%",
        ] {
            assert_eq!(parse_size(text), Err(UnitError::Size(text.into())), "{text}");
        }
    }

    #[test]
    fn bytes_are_readable() {
        let rows: &[(u64, &str)] = &[
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.000 KiB"),
            (1536, "1.500 KiB"),
            ((1 << 20) - 1, "1023.999 KiB"),
            ((1 << 30) - 1, "1.000 GiB"),
            (1_325_000_000, "1.234 GiB"),
            (u64::MAX, "16.000 EiB"),
        ];
        for (bytes, want) in rows {
            assert_eq!(format_bytes(*bytes), *want);
        }
    }

    #[test]
    fn spans() {
        let good: &[(&str, Span)] = &[
            ("1y2M3d", Span::new().years(1).months(2).days(3)),
            ("2h30m", Span::new().hours(2).minutes(30)),
            ("5M", Span::new().months(5)),
            ("5m", Span::new().minutes(5)),
            ("1w", Span::new().weeks(1)),
            ("0s", Span::new()),
            ("007d", Span::new().days(7)),
        ];
        for (text, want) in good {
            assert!(
                parse_span(text).is_ok_and(|s| s.fieldwise() == want.fieldwise()),
                "{text}"
            );
        }
        for text in [
            "", " ", "5", "d", "d5", "5x", "1d1d", "1d1y", "1y5m7d", "-1d", "+1d", "1.5d", "1d ", "５d", "1D",
        ] {
            let got = parse_span(text);
            // Trailing blanks are trimmed, all else is refused.
            assert_eq!(got.is_ok(), text == "1d ", "{text}: {got:?}");
        }
        for text in ["99999y", "99999999999999999999s", "9223372036854775807s"] {
            assert_eq!(
                parse_span(text).map(|_| ()),
                Err(UnitError::DurationTooLong(text.into()))
            );
        }
    }

    #[test]
    fn elapsed() {
        let rows = [
            (120, "120ms"),
            (4_250, "4.2s"),
            (185_000, "3m05s"),
            (7_620_000, "2h07m"),
            (273_600_000, "3d04h"),
        ];
        for (millis, want) in rows {
            assert_eq!(format_duration(Duration::from_millis(millis)), want);
        }
    }

    #[test]
    fn names_are_escaped() {
        let rows: &[(&[u8], &str)] = &[
            (b"plain name.txt", "plain name.txt"),
            ("日本語 é".as_bytes(), "日本語 é"),
            (b"back\\slash", "back\\slash"),
            (b"a\nb\tc\x1b[31m\x7f", "a\\x0ab\\x09c\\x1b[31m\\x7f"),
            (b"bad\xff\xfeutf\xc3", "bad\\xff\\xfeutf\\xc3"),
            ("c1\u{85}\u{9b}".as_bytes(), "c1\\u{85}\\u{9b}"),
            (
                "\u{202e}gpj.exe\u{2066}\u{61c}".as_bytes(),
                "\\u{202e}gpj.exe\\u{2066}\\u{61c}",
            ),
            ("a\u{2028}b\u{feff}".as_bytes(), "a\\u{2028}b\\u{feff}"),
        ];
        for (name, want) in rows {
            assert_eq!(escape(name), *want);
        }
    }

    proptest! {
        #[test]
        fn printed_sizes_parse_back_closely(bytes in 0..u64::MAX - (1 << 53)) {
            let back = parse_size(&format_bytes(bytes)).unwrap();
            prop_assert!(back.abs_diff(bytes) <= bytes / 1000 + 1);
        }

        #[test]
        fn printed_spans_parse_back(y in 0..9999i64, mo in 0..11i64, d in 0..30i64, h in 0..99i64, s in 0..99i64) {
            let span = Span::new().years(y).months(mo).days(d).hours(h).seconds(s);
            prop_assert_eq!(parse_span(&format_span(&span)).unwrap().fieldwise(), span.fieldwise());
        }

        #[test]
        fn no_text_makes_a_parser_panic(text in "\\PC*", digits in "[0-9.]{0,30}[A-Za-z]{0,4}") {
            let _ = (parse_size(&text), parse_span(&text), parse_size(&digits), parse_span(&digits));
        }

        #[test]
        fn escaped_names_hold_nothing_that_moves_the_cursor(name in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(escape(&name).chars().all(|c| !c.is_control() && !reorders(c)));
        }
    }
}
