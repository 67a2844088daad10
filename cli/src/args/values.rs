//! Values that an option can have and that are more than a word: shares, parts, counts, spans. Each parser is given
//! to clap, so that a bad value is a usage error before anything is opened.

use jiff::Span;
use service::backup::LEVEL;
use service::catalogue::ValueFault;
use service::facts::GroupKey;
use service::retain::Count;
use service::settings::values::SourceSnapshot;
use service::units::{self, UnitError};
use std::str::FromStr;

/// Bytes.
pub fn size(text: &str) -> Result<u64, ValueFault> {
    Ok(units::parse_size(text)?)
}

/// A duration.
pub fn span(text: &str) -> Result<Span, ValueFault> {
    Ok(units::parse_span(text)?)
}

/// How many: `-1` and `unlimited` are without end.
pub fn count(text: &str) -> Result<Count, ValueFault> {
    match text {
        "unlimited" | "-1" => Ok(Count::Unlimited),
        n => n.parse().map(Count::Limited).map_err(|_| ValueFault::Count),
    }
}

/// When sources are read in a snapshot of their file system.
pub fn source_snapshot(text: &str) -> Result<SourceSnapshot, ValueFault> {
    match text {
        "auto" => Ok(SourceSnapshot::Auto),
        "required" => Ok(SourceSnapshot::Required),
        "off" => Ok(SourceSnapshot::Off),
        _ => Err(ValueFault::NotOneOf {
            word: text.to_string(),
            known: SourceSnapshot::WORDS,
            near: None,
        }),
    }
}

/// zstd's level by name or number.
pub fn compression(text: &str) -> Result<i32, ValueFault> {
    match text {
        "auto" => Ok(LEVEL),
        "fastest" => Ok(1),
        "better" => Ok(9),
        "max" => Ok(19),
        n => n
            .parse()
            .ok()
            .filter(|n| (1..=19).contains(n))
            .ok_or(ValueFault::Compression),
    }
}

/// A span for `--keep-within*`. Elsewhere `m` is often months, and a policy of minutes where months were meant would
/// remove nearly everything: minutes need hours before them.
pub fn keep_span(text: &str) -> Result<Span, ValueFault> {
    if text.contains('m') && !text.contains('h') {
        return Err(ValueFault::MinutesOrMonths);
    }
    Ok(units::parse_span(text)?)
}

/// Hundredths of a per cent, from `5%` or `2.5%`, at most 100 %.
fn percent(text: &str) -> Option<u32> {
    let number = text.strip_suffix('%')?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > 2 || number.ends_with('.')
    {
        return None;
    }
    let fraction = format!("{fraction:0<2}").parse::<u32>().ok()?;
    let hundredths = whole
        .parse::<u32>()
        .ok()?
        .checked_mul(100)?
        .checked_add(fraction)?;
    (hundredths <= 10_000).then_some(hundredths)
}

/// How much unused data may stay in the packs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MaxUnused {
    Bytes(u64),
    /// Hundredths of a per cent of what is used.
    Share(u32),
    Unlimited,
}

impl FromStr for MaxUnused {
    type Err = ValueFault;

    fn from_str(text: &str) -> Result<Self, ValueFault> {
        if text == "unlimited" {
            return Ok(MaxUnused::Unlimited);
        }
        if text.ends_with('%') {
            return percent(text).map(MaxUnused::Share).ok_or(ValueFault::MaxUnused);
        }
        units::parse_size(text)
            .map(MaxUnused::Bytes)
            .map_err(|e| match e {
                UnitError::Size(_) => ValueFault::MaxUnused,
                e => e.into(),
            })
    }
}

/// Which part of the stored data a check reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Subset {
    /// The `part`th of `of` fixed parts, counted from 1: `of` runs with each part read everything.
    Part { part: u32, of: u32 },
    /// So many hundredths of a per cent, chosen at random.
    Share(u32),
    /// So many bytes, chosen at random.
    Bytes(u64),
}

impl FromStr for Subset {
    type Err = ValueFault;

    fn from_str(text: &str) -> Result<Self, ValueFault> {
        let natural = |s: &str| {
            s.bytes()
                .all(|b| b.is_ascii_digit())
                .then(|| s.parse::<u32>().ok())
                .flatten()
        };
        if let Some((part, of)) = text.split_once('/') {
            return match (natural(part), natural(of)) {
                (Some(part), Some(of)) if 1 <= part && part <= of => Ok(Subset::Part { part, of }),
                _ => Err(ValueFault::Subset),
            };
        }
        if text.ends_with('%') {
            return percent(text)
                .filter(|&share| share > 0)
                .map(Subset::Share)
                .ok_or(ValueFault::Subset);
        }
        match units::parse_size(text) {
            Ok(0) | Err(UnitError::Size(_)) => Err(ValueFault::Subset),
            Ok(bytes) => Ok(Subset::Bytes(bytes)),
            Err(e) => Err(e.into()),
        }
    }
}

/// How much a drill restores.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SampleSize {
    Files(u64),
    /// So many hundredths of a per cent of the files.
    Share(u32),
    Bytes(u64),
}

impl FromStr for SampleSize {
    type Err = ValueFault;

    fn from_str(text: &str) -> Result<Self, ValueFault> {
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            let files = text.parse().ok().filter(|&files| files > 0);
            return files.map(SampleSize::Files).ok_or(ValueFault::Sample);
        }
        match text.parse() {
            Ok(Subset::Share(share)) => Ok(SampleSize::Share(share)),
            Ok(Subset::Bytes(bytes)) => Ok(SampleSize::Bytes(bytes)),
            Ok(Subset::Part { .. }) | Err(ValueFault::Subset) => Err(ValueFault::Sample),
            Err(e) => Err(e),
        }
    }
}

/// By what snapshots are grouped; an empty text is one group of all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupBy(pub Vec<GroupKey>);

impl FromStr for GroupBy {
    type Err = ValueFault;

    fn from_str(text: &str) -> Result<Self, ValueFault> {
        Ok(GroupBy(GroupKey::parse_list(text)?))
    }
}

/// Tags of one option, separated by commas. An empty text is one empty tag: "without tags".
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TagList(pub Vec<String>);

impl FromStr for TagList {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(TagList(
            text.split(',').map(|tag| tag.trim().to_string()).collect(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts() {
        assert_eq!(count("7"), Ok(Count::Limited(7)));
        assert_eq!(count("0"), Ok(Count::Limited(0)));
        assert_eq!(count("-1"), Ok(Count::Unlimited));
        assert_eq!(count("unlimited"), Ok(Count::Unlimited));
        for text in ["", "-2", "x", "1.5", "99999999999", "all"] {
            assert_eq!(count(text), Err(ValueFault::Count), "{text}");
        }
    }

    #[test]
    fn compression_levels() {
        assert_eq!(
            (compression("auto"), compression("max"), compression("7")),
            (Ok(3), Ok(19), Ok(7))
        );
        for text in ["", "0", "20", "-1", "off", "x"] {
            assert_eq!(compression(text), Err(ValueFault::Compression), "{text}");
        }
    }

    #[test]
    fn months_are_not_taken_for_minutes() {
        for text in ["6m", "1y6m", "1y6m3d"] {
            assert_eq!(
                keep_span(text).map(|_| ()),
                Err(ValueFault::MinutesOrMonths),
                "{text}"
            );
        }
        for text in ["6M", "0h6m", "2h30m", "1y2M3d", "90s"] {
            assert!(keep_span(text).is_ok(), "{text}");
        }
        assert!(matches!(keep_span("soon"), Err(ValueFault::Unit(_))));
    }

    #[test]
    fn unused() {
        let rows = [
            ("5%", MaxUnused::Share(500)),
            ("0%", MaxUnused::Share(0)),
            ("100%", MaxUnused::Share(10_000)),
            ("2.5%", MaxUnused::Share(250)),
            ("0.25%", MaxUnused::Share(25)),
            ("0", MaxUnused::Bytes(0)),
            ("2G", MaxUnused::Bytes(2 << 30)),
            ("unlimited", MaxUnused::Unlimited),
        ];
        for (text, want) in rows {
            assert_eq!(text.parse(), Ok(want), "{text}");
        }
        for text in [
            "",
            "%",
            "-1%",
            "101%",
            "5 %",
            "5.%",
            ".5%",
            "1.234%",
            "5%%",
            "99999999999%",
            "42949672.99%",
            "many",
        ] {
            assert_eq!(text.parse::<MaxUnused>(), Err(ValueFault::MaxUnused), "{text}");
        }
        assert!(matches!(
            "99999P".parse::<MaxUnused>(),
            Err(ValueFault::Unit(UnitError::SizeTooLarge(_)))
        ));
    }

    #[test]
    fn subsets() {
        let rows = [
            ("1/7", Subset::Part { part: 1, of: 7 }),
            ("7/7", Subset::Part { part: 7, of: 7 }),
            ("10%", Subset::Share(1000)),
            ("50G", Subset::Bytes(50 << 30)),
        ];
        for (text, want) in rows {
            assert_eq!(text.parse(), Ok(want), "{text}");
        }
        for text in [
            "", "0/7", "8/7", "1/0", "/", "1/", "a/b", "+1/7", "0%", "101%", "0", "some",
        ] {
            assert_eq!(text.parse::<Subset>(), Err(ValueFault::Subset), "{text}");
        }
    }

    #[test]
    fn samples() {
        assert_eq!("50".parse(), Ok(SampleSize::Files(50)));
        assert_eq!("2.5%".parse(), Ok(SampleSize::Share(250)));
        assert_eq!("2G".parse(), Ok(SampleSize::Bytes(2 << 30)));
        for text in ["", "0", "0%", "1/7", "x", "-1", "1.5"] {
            assert!(text.parse::<SampleSize>().is_err(), "{text}");
        }
    }

    #[test]
    fn tags() {
        assert_eq!("a, b".parse(), Ok(TagList(vec!["a".into(), "b".into()])));
        assert_eq!("".parse(), Ok(TagList(vec![String::new()])));
    }
}
