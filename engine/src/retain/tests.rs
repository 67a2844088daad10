use super::*;
use crate::facts::Made;
use proptest::prelude::*;
use std::fmt;

/// A snapshot whose id is sixteen times one byte, from `ID TIME [word...]`: words are `partial`, `protected` or tags.
fn facts(line: &str, zone: &TimeZone) -> SnapshotInfo {
    let mut words = line.split_whitespace();
    let id = u8::from_str_radix(words.next().unwrap(), 16).unwrap();
    let time = words.next().unwrap();
    let time = match time.parse::<Timestamp>() {
        Ok(time) => time,
        Err(_) => time
            .parse::<jiff::civil::DateTime>()
            .unwrap()
            .to_zoned(zone.clone())
            .unwrap()
            .timestamp(),
    };
    let words: Vec<&str> = words.collect();
    let tags = words.iter().filter(|w| !["partial", "protected"].contains(w));
    SnapshotInfo {
        id: SessionId([id; 16]),
        time,
        at: time,
        dated: Dated::default(),
        made: Made::default(),
        host: "h".into(),
        paths: vec![b"/p".to_vec()],
        tags: tags.map(|t| t.to_string()).collect(),
        set: String::new(),
        protected: words.contains(&"protected"),
        partial: words.contains(&"partial"),
        original: None,
    }
}

fn span(text: &str) -> Span {
    units::parse_span(text).unwrap()
}

fn bucket(word: &str) -> Bucket {
    match word {
        "last" | "within" => Bucket::EACH,
        "hourly" => Bucket::HOUR,
        "daily" => Bucket::DAY,
        "weekly" => Bucket::WEEK,
        "monthly" => Bucket::MONTH,
        "yearly" => Bucket::YEAR,
        _ => Bucket::every(&span(word)).unwrap(),
    }
}

/// `daily 3`, `last all`, `within 7d`, `daily within 7d`, `tags a,b`, `tiers 7d:hourly 90d:daily :monthly`, `max 5`.
fn rule(text: &str) -> Rule {
    let words: Vec<&str> = text.split(' ').collect();
    match words[..] {
        ["max", n] => Rule::MaxGenerations(n.parse().unwrap()),
        ["tags", tags] => Rule::Tags(tags.split(',').map(String::from).collect()),
        ["within", s] => Rule::Within {
            bucket: Bucket::EACH,
            span: span(s),
        },
        [b, "within", s] => Rule::Within {
            bucket: bucket(b),
            span: span(s),
        },
        ["tiers", ref tiers @ ..] => {
            let tier = |t: &&str| {
                let (until, every) = t.split_once(':').unwrap();
                Tier {
                    until: (!until.is_empty()).then(|| span(until)),
                    every: bucket(every),
                }
            };
            Rule::Tiers(tiers.iter().map(tier).collect())
        }
        [b, "all"] => Rule::Newest {
            bucket: bucket(b),
            count: Count::Unlimited,
        },
        [b, n] => Rule::Newest {
            bucket: bucket(b),
            count: Count::Limited(n.parse().unwrap()),
        },
        _ => panic!("no rule: {text}"),
    }
}

struct Row {
    what: &'static str,
    zone: &'static str,
    snapshots: &'static [&'static str],
    rules: &'static [&'static str],
    /// `ID reason; reason` of what is kept, newest first.
    keep: &'static [&'static str],
}

const NOW: &str = "2027-01-01T00:00:00Z";

// Words that make the tables readable; those that people read are in the catalogue of `service`.
impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.n;
        match (self.unit, n) {
            (Unit::Each, _) => f.write_str("last"),
            (Unit::Seconds, 3600) => f.write_str("hourly"),
            (Unit::Days, 1) => f.write_str("daily"),
            (Unit::Weeks, 1) => f.write_str("weekly"),
            (Unit::Months, 1) => f.write_str("monthly"),
            (Unit::Years, 1) => f.write_str("yearly"),
            (Unit::Seconds, n) if n % 3600 == 0 => write!(f, "{}-hourly", n / 3600),
            (Unit::Seconds, n) if n % 60 == 0 => write!(f, "{}-minutely", n / 60),
            (Unit::Seconds, _) => write!(f, "{n}-secondly"),
            (Unit::Days, _) => write!(f, "{n}-daily"),
            (Unit::Weeks, _) => write!(f, "{n}-weekly"),
            (Unit::Months, _) => write!(f, "{n}-monthly"),
            (Unit::Years, _) => write!(f, "{n}-yearly"),
        }
    }
}

impl fmt::Display for RetentionReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RetentionReason::Protected => f.write_str("protected"),
            RetentionReason::Future => f.write_str("its time is in the future"),
            RetentionReason::NewestPartial => f.write_str("incomplete, and no complete snapshot is as new"),
            RetentionReason::Tags(tags) => write!(f, "has tags [{}]", tags.join(", ")),
            RetentionReason::Period {
                bucket,
                oldest,
                within,
            } => {
                let oldest = if *oldest { "oldest " } else { "" };
                match within {
                    None => write!(f, "{oldest}{bucket} snapshot"),
                    Some(within) if *bucket == Bucket::EACH => write!(f, "within {within}"),
                    Some(within) => write!(f, "{oldest}{bucket} within {within}"),
                }
            }
            RetentionReason::Tier { every, until } => {
                match *every == Bucket::EACH {
                    true => f.write_str("every snapshot ")?,
                    false => write!(f, "{every} snapshot ")?,
                }
                match until {
                    Some(until) => write!(f, "up to {until} old"),
                    None => f.write_str("of any age"),
                }
            }
            RetentionReason::Superseded => f.write_str("incomplete, and a complete snapshot is as new"),
            RetentionReason::NoRule => f.write_str("no rule keeps it"),
            RetentionReason::Named => f.write_str("named"),
        }
    }
}

fn words(reasons: &[RetentionReason]) -> String {
    let words: Vec<String> = reasons.iter().map(RetentionReason::to_string).collect();
    words.join("; ")
}

fn check(rows: &[Row]) {
    for row in rows {
        let zone = TimeZone::get(row.zone).unwrap();
        let list: Vec<SnapshotInfo> = row.snapshots.iter().map(|line| facts(line, &zone)).collect();
        let policy = Policy::new(row.rules.iter().map(|text| rule(text)).collect()).unwrap();
        let group: Vec<&SnapshotInfo> = list.iter().collect();
        let decisions = decide(&group, &policy, &zone, NOW.parse().unwrap());
        assert_eq!(decisions.len(), list.len(), "{}", row.what);
        assert!(decisions.iter().all(|d| !d.reasons.is_empty()), "{}", row.what);
        let kept = decisions.iter().filter(|d| d.keep);
        let kept: Vec<String> = kept
            .map(|d| format!("{:02x} {}", d.id.0[0], words(&d.reasons)))
            .collect();
        assert_eq!(kept, row.keep, "{}", row.what);
    }
}

const WEEK: &[&str] = &[
    "01 2026-06-07T08:00",
    "02 2026-06-07T20:00",
    "03 2026-06-06T20:00",
    "04 2026-06-05T08:00",
    "05 2026-06-05T09:00",
    "06 2026-06-01T20:00",
    "07 2026-06-01T08:00",
];

#[test]
fn counted_rules() {
    let row = |what, rules, keep| Row {
        what,
        zone: "UTC",
        snapshots: WEEK,
        rules,
        keep,
    };
    check(&[
        row("last", &["last 2"], &["02 last snapshot", "01 last snapshot"]),
        row(
            "daily takes the newest of a day",
            &["daily 2"],
            &["02 daily snapshot", "03 daily snapshot"],
        ),
        row(
            "free slots keep the oldest of all, once",
            &["daily 9"],
            &[
                "02 daily snapshot",
                "03 daily snapshot",
                "05 daily snapshot",
                "06 daily snapshot",
                "07 oldest daily snapshot",
            ],
        ),
        row(
            "a last slot that is just free keeps it too",
            &["daily 5"],
            &[
                "02 daily snapshot",
                "03 daily snapshot",
                "05 daily snapshot",
                "06 daily snapshot",
                "07 oldest daily snapshot",
            ],
        ),
        row(
            "no slot left",
            &["daily 4"],
            &[
                "02 daily snapshot",
                "03 daily snapshot",
                "05 daily snapshot",
                "06 daily snapshot",
            ],
        ),
        row("one week", &["weekly 1"], &["02 weekly snapshot"]),
        row(
            "one week and a free slot",
            &["weekly 2"],
            &["02 weekly snapshot", "07 oldest weekly snapshot"],
        ),
        row(
            "unlimited is never used up",
            &["yearly all"],
            &["02 yearly snapshot", "07 oldest yearly snapshot"],
        ),
        row(
            "rules unite and all their reasons are told",
            &["last 1", "hourly 2", "monthly 1"],
            &[
                "02 last snapshot; hourly snapshot; monthly snapshot",
                "01 hourly snapshot",
            ],
        ),
        row(
            "a count of nothing counts as not given",
            &["daily 0", "last 1"],
            &["02 last snapshot"],
        ),
        row(
            "two-day periods",
            &["2d 2"],
            // 2026-06-06 and -07 are days 20610 and 20611 since 1970: one period.
            &["02 2-daily snapshot", "05 2-daily snapshot"],
        ),
    ]);
}

#[test]
fn spans_count_from_the_newest() {
    let row = |what, rules, keep| Row {
        what,
        zone: "UTC",
        snapshots: WEEK,
        rules,
        keep,
    };
    check(&[
        row(
            "within",
            &["within 1d1h"],
            &["02 within 1d1h", "01 within 1d1h", "03 within 1d1h"],
        ),
        row(
            "exactly as old is no longer within",
            &["within 1d"],
            &["02 within 1d", "01 within 1d"],
        ),
        row(
            "daily within",
            &["daily within 2d"],
            &["02 daily within 2d", "03 daily within 2d"],
        ),
        row(
            "and the oldest, if it is within",
            &["monthly within 1y"],
            &["02 monthly within 1y", "07 oldest monthly within 1y"],
        ),
        row(
            "not if it is not",
            &["monthly within 5d"],
            &["02 monthly within 5d"],
        ),
        row(
            "further back than the calendar",
            &["weekly within 19000y"],
            &["02 weekly within 19000y", "07 oldest weekly within 19000y"],
        ),
        Row {
            what: "a snapshot of the future is within, and does not move the end of the span",
            zone: "UTC",
            snapshots: &[
                "01 2099-01-01T00:00",
                "02 2026-06-07T00:00",
                "03 2026-06-06T01:00",
                "04 2026-06-05T00:00",
            ],
            rules: &["within 1d"],
            keep: &["01 within 1d", "02 within 1d", "03 within 1d"],
        },
        Row {
            what: "months end where the calendar says, short ones on their last day",
            zone: "UTC",
            snapshots: &[
                "01 2026-03-31T12:00",
                "02 2026-02-28T12:01",
                "03 2026-02-28T12:00",
            ],
            rules: &["within 1M"],
            keep: &["01 within 1M", "02 within 1M"],
        },
        Row {
            what: "all in the future",
            zone: "UTC",
            snapshots: &["01 2099-01-01T00:00", "02 2098-01-01T00:00"],
            rules: &["within 1d"],
            keep: &["01 within 1d", "02 within 1d"],
        },
    ]);
}

#[test]
fn calendars() {
    check(&[
        Row {
            what: "ISO weeks run over the turn of the year: 2026-12-28 is in 2026-W53, so is 2027-01-03",
            zone: "UTC",
            snapshots: &[
                "01 2026-12-31T10:00",
                "02 2026-12-28T10:00",
                "03 2026-12-27T10:00",
                "04 2026-01-01T10:00",
                "05 2025-12-29T10:00",
                "06 2025-12-28T10:00",
                "07 2025-12-01T10:00",
            ],
            rules: &["weekly 4"],
            keep: &[
                "01 weekly snapshot",
                "03 weekly snapshot",
                "04 weekly snapshot",
                "06 weekly snapshot",
            ],
        },
        Row {
            what: "years are the calendar's, not the ISO weeks'",
            zone: "UTC",
            snapshots: &[
                "01 2026-01-01T00:00",
                "02 2025-12-31T23:59",
                "03 2025-12-29T00:00",
            ],
            rules: &["yearly 2"],
            keep: &["01 yearly snapshot", "02 yearly snapshot"],
        },
        Row {
            what: "days are local",
            zone: "Asia/Tokyo",
            snapshots: &[
                "01 2026-06-01T15:00:00Z",
                "02 2026-06-01T14:59:59Z",
                "03 2026-05-31T15:00:00Z",
            ],
            rules: &["daily 2"],
            keep: &["01 daily snapshot", "02 daily snapshot"],
        },
        Row {
            what: "before 1970",
            zone: "UTC",
            snapshots: &[
                "01 1969-12-31T23:00",
                "02 1969-12-31T01:00",
                "03 1969-12-28T23:00",
                "04 1969-12-28T01:00",
            ],
            rules: &["daily 2", "weekly 2"],
            keep: &[
                "01 daily snapshot; weekly snapshot",
                "03 daily snapshot; weekly snapshot",
            ],
        },
        Row {
            what: "clock set back in New York: both passes of 01:xx are one hour, the day has 25",
            zone: "America/New_York",
            snapshots: &[
                "01 2026-11-01T07:10:00Z", // 02:10
                "02 2026-11-01T06:30:00Z", // 01:30, second pass
                "03 2026-11-01T05:30:00Z", // 01:30, first pass
                "04 2026-11-01T04:30:00Z", // 00:30
                "05 2026-11-01T03:59:59Z", // 23:59 of the day before
                "06 2026-10-31T04:00:00Z", // its midnight
                "07 2026-10-30T04:00:00Z",
            ],
            rules: &["hourly 4", "daily 2"],
            keep: &[
                "01 hourly snapshot; daily snapshot",
                "02 hourly snapshot",
                "04 hourly snapshot",
                "05 hourly snapshot; daily snapshot",
            ],
        },
        Row {
            what: "clock set forward in New York: 01:59 and 03:00 are a second apart and two hours",
            zone: "America/New_York",
            snapshots: &[
                "01 2026-03-08T07:00:00Z",
                "02 2026-03-08T06:59:59Z",
                "03 2026-03-08T06:00:00Z",
                "04 2026-03-08T05:00:00Z",
            ],
            rules: &["hourly 2"],
            keep: &["01 hourly snapshot", "02 hourly snapshot"],
        },
        Row {
            what: "a day within is a calendar day: 23 hours over the change",
            zone: "America/New_York",
            snapshots: &[
                "01 2026-03-08T12:00",
                "02 2026-03-07T12:00:01",
                "03 2026-03-07T12:00:00",
            ],
            rules: &["within 1d"],
            keep: &["01 within 1d", "02 within 1d"],
        },
        Row {
            what: "one second, by id",
            zone: "UTC",
            snapshots: &[
                "03 2026-06-01T10:00:00",
                "01 2026-06-01T10:00:00",
                "02 2026-06-01T10:00:00",
            ],
            rules: &["last 1", "hourly 2"],
            keep: &["01 last snapshot; hourly snapshot", "03 oldest hourly snapshot"],
        },
        Row {
            what: "parts of a second order too",
            zone: "UTC",
            snapshots: &["01 2026-06-01T10:00:00.1Z", "02 2026-06-01T10:00:00.2Z"],
            rules: &["last 1"],
            keep: &["02 last snapshot"],
        },
    ]);
}

#[test]
fn tags_and_protection() {
    let snapshots = &[
        "01 2026-06-05T10:00",
        "02 2026-06-04T10:00 a",
        "03 2026-06-03T10:00 a b",
        "04 2026-06-02T10:00 protected",
        "05 2026-06-01T10:00 b",
    ];
    let row = |what, rules, keep| Row {
        what,
        zone: "UTC",
        snapshots,
        rules,
        keep,
    };
    check(&[
        row(
            "any list, all tags of it, told once a list",
            &["tags a", "tags a,b"],
            &[
                "02 has tags [a]",
                "03 has tags [a]; has tags [a, b]",
                "04 protected",
            ],
        ),
        row(
            "the empty tag is no tag at all",
            &["tags "],
            &["01 has tags []", "04 protected; has tags []"],
        ),
        row(
            "protected uses its slot",
            &["last 4"],
            &[
                "01 last snapshot",
                "02 last snapshot",
                "03 last snapshot",
                "04 protected; last snapshot",
            ],
        ),
        row(
            "protected without a rule",
            &["last 1"],
            &["01 last snapshot", "04 protected"],
        ),
    ]);
}

#[test]
fn partial_snapshots_displace_nothing() {
    check(&[
        Row {
            what: "newer than every complete one: kept, and it took no slot",
            zone: "UTC",
            snapshots: &[
                "01 2026-06-05T12:00 partial",
                "02 2026-06-05T11:00 partial",
                "03 2026-06-05T10:00",
                "04 2026-06-04T12:00 partial",
                "05 2026-06-04T10:00",
                "06 2026-06-03T10:00 partial",
            ],
            rules: &["daily 2", "last 1"],
            keep: &[
                "01 incomplete, and no complete snapshot is as new",
                "02 incomplete, and no complete snapshot is as new",
                "03 daily snapshot; last snapshot",
                "05 daily snapshot",
            ],
        },
        Row {
            what: "nothing complete yet",
            zone: "UTC",
            snapshots: &["01 2026-06-05T12:00 partial", "02 2026-06-04T12:00 partial"],
            rules: &["last 1"],
            keep: &[
                "01 incomplete, and no complete snapshot is as new",
                "02 incomplete, and no complete snapshot is as new",
            ],
        },
        Row {
            what: "tagged or protected",
            zone: "UTC",
            snapshots: &[
                "01 2026-06-05T12:00",
                "02 2026-06-04T12:00 partial a",
                "03 2026-06-04T11:00 partial protected",
                "04 2026-06-04T11:00 partial",
            ],
            rules: &["last 9", "tags a"],
            keep: &["01 last snapshot", "02 has tags [a]", "03 protected"],
        },
        Row {
            what: "the oldest that a free slot keeps is a complete one",
            zone: "UTC",
            snapshots: &[
                "01 2026-06-05T12:00",
                "02 2026-06-05T11:00",
                "03 2026-06-05T10:00",
                "04 2026-06-05T09:00 partial",
            ],
            rules: &["daily 2"],
            keep: &["01 daily snapshot", "03 oldest daily snapshot"],
        },
    ]);
}

#[test]
fn tiers_and_generations() {
    let snapshots = &[
        "01 2026-06-30T12:00",
        "02 2026-06-30T11:00",
        "03 2026-06-30T10:30",
        "04 2026-06-30T10:00",
        "05 2026-06-22T20:00",
        "06 2026-06-22T10:00",
        "07 2026-06-21T10:00",
        "08 2026-02-15T10:00",
        "09 2026-02-01T10:00 keep",
        "0a 2025-12-01T10:00 protected",
    ];
    let row = |what, rules, keep| Row {
        what,
        zone: "UTC",
        snapshots,
        rules,
        keep,
    };
    check(&[
        row(
            "by age",
            &["tiers 7d:hourly 90d:daily :monthly"],
            &[
                "01 hourly snapshot up to 7d old",
                "02 hourly snapshot up to 7d old",
                "03 hourly snapshot up to 7d old",
                "05 daily snapshot up to 90d old",
                "07 daily snapshot up to 90d old",
                "08 monthly snapshot of any age",
                "0a protected; monthly snapshot of any age",
            ],
        ),
        row(
            "an end",
            &["tiers 7d:last 90d:2w"],
            &[
                "01 every snapshot up to 7d old",
                "02 every snapshot up to 7d old",
                "03 every snapshot up to 7d old",
                "04 every snapshot up to 7d old",
                // The weeks of 06-15 and 06-22 are one period.
                "05 2-weekly snapshot up to 90d old",
                "0a protected",
            ],
        ),
        row(
            "a cap spares what is tagged or protected",
            &["tiers :monthly", "tags keep", "max 2"],
            &[
                "01 monthly snapshot of any age",
                "08 monthly snapshot of any age",
                "09 has tags [keep]",
                "0a protected",
            ],
        ),
        row(
            "a cap alone keeps the newest",
            &["max 2"],
            &["01 last snapshot", "02 last snapshot", "0a protected"],
        ),
        row(
            "the smaller cap",
            &["max 3", "max 1", "last 5"],
            &["01 last snapshot", "0a protected"],
        ),
    ]);
}

#[test]
fn tiers_by_the_local_calendar() {
    check(&[
        Row {
            what: "two days over a clock that goes forward are 47 hours, and months are local",
            zone: "Europe/Berlin",
            snapshots: &[
                "01 2026-03-30T10:00:00Z", // 12:00
                "02 2026-03-29T10:30:00Z", // 12:30, of 23 hours
                "03 2026-03-28T11:30:00Z", // 12:30
                "04 2026-03-28T10:30:00Z", // 11:30: over two days old, by the calendar
                "05 2026-02-28T23:30:00Z", // 00:30 on March 1
                "06 2026-02-28T22:30:00Z", // 23:30 on February 28
            ],
            rules: &["tiers 2d:daily :monthly"],
            keep: &[
                "01 daily snapshot up to 2d old",
                "02 daily snapshot up to 2d old",
                "03 daily snapshot up to 2d old",
                "04 monthly snapshot of any age",
                "06 monthly snapshot of any age",
            ],
        },
        Row {
            what: "a month before the end of March ends with February",
            zone: "UTC",
            snapshots: &[
                "01 2026-03-31T12:00",
                "02 2026-02-28T13:00",
                "03 2026-02-28T11:00",
                "04 2026-02-27T11:00",
            ],
            rules: &["tiers 1M:daily :monthly"],
            keep: &[
                "01 daily snapshot up to 1M old",
                "02 daily snapshot up to 1M old",
                "03 monthly snapshot of any age",
            ],
        },
    ]);
}

#[test]
fn policies_that_are_refused() {
    let err = |rules: &[&str]| Policy::new(rules.iter().map(|text| rule(text)).collect()).map(|_| ());
    assert_eq!(err(&[]), Err(PolicyError::Empty));
    assert_eq!(err(&["daily 0", "within 0s"]), Err(PolicyError::Empty));
    assert_eq!(
        Policy::new(vec![Rule::Tags(Vec::new())]).map(|_| ()),
        Err(PolicyError::Empty)
    );
    for tiers in [
        "tiers 90d:daily 7d:hourly",
        "tiers :daily 7d:hourly",
        "tiers 7d:daily 7d:hourly",
        "tiers 0s:daily",
    ] {
        assert_eq!(err(&[tiers]), Err(PolicyError::Tiers), "{tiers}");
    }
    assert_eq!(
        err(&["last 1", "tiers 5w:daily 1M:hourly"]),
        Err(PolicyError::Tiers)
    );
    assert_eq!(
        Policy::new(vec![Rule::Tiers(Vec::new())]).map(|_| ()),
        Err(PolicyError::Tiers)
    );
    for text in ["0s", "1d12h", "1y1M"] {
        assert_eq!(Bucket::every(&span(text)), Err(PolicyError::Every(text.into())));
    }
    assert_eq!(Bucket::every(&span("1h")), Ok(Bucket::HOUR));
    assert_eq!(Bucket::every(&span("60m")), Ok(Bucket::HOUR));
    assert!(Bucket::every(&span("99999999999s")).is_err());
}

fn any_facts() -> impl Strategy<Value = Vec<SnapshotInfo>> {
    // Five years around two clock changes; small steps so that seconds and hours collide.
    let time = prop_oneof![
        1_700_000_000..1_860_000_000i64,
        1_793_500_000..1_793_520_000i64,
        0..5i64
    ];
    let one = (
        time,
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.1),
        any::<bool>(),
    );
    proptest::collection::vec(one, 0..60).prop_map(|list| {
        let facts = |(nr, (time, protected, partial, tag)): (usize, (i64, bool, bool, bool))| SnapshotInfo {
            id: SessionId([nr as u8; 16]),
            time: Timestamp::from_second(time).unwrap(),
            at: Timestamp::from_second(time).unwrap(),
            dated: Dated::default(),
            made: Made::default(),
            host: String::new(),
            paths: Vec::new(),
            tags: if tag { vec!["a".into()] } else { Vec::new() },
            set: String::new(),
            protected,
            partial,
            original: None,
        };
        list.into_iter().enumerate().map(facts).collect()
    })
}

const BUCKETS: [Bucket; 6] = [
    Bucket::EACH,
    Bucket::HOUR,
    Bucket::DAY,
    Bucket::WEEK,
    Bucket::MONTH,
    Bucket::YEAR,
];

fn kept(list: &[SnapshotInfo], rules: Vec<Rule>) -> Vec<SessionId> {
    let zone = TimeZone::get("America/New_York").unwrap();
    let group: Vec<&SnapshotInfo> = list.iter().collect();
    let decisions = decide(&group, &Policy::new(rules).unwrap(), &zone, NOW.parse().unwrap());
    decisions.into_iter().filter(|d| d.keep).map(|d| d.id).collect()
}

proptest! {
    #[test]
    fn more_slots_keep_more(list in any_facts(), which in 0..6usize, n in 1..20u32, more in 0..20u32) {
        let with = |n| kept(&list, vec![Rule::Newest { bucket: BUCKETS[which], count: Count::Limited(n) }]);
        let (few, many) = (with(n), with(n + more));
        prop_assert!(few.iter().all(|id| many.contains(id)));
        let unlimited = kept(&list, vec![Rule::Newest { bucket: BUCKETS[which], count: Count::Unlimited }]);
        prop_assert!(many.iter().all(|id| unlimited.contains(id)));
        // A count is a promise: so many periods are kept, if there are so many snapshots in it.
        let complete = list.iter().filter(|f| !f.partial && !f.protected).count();
        if which == 0 {
            let counted = list.iter().filter(|f| !f.partial && !f.protected && many.contains(&f.id)).count();
            prop_assert!(counted <= (n + more) as usize && (counted == complete || many.len() >= (n + more) as usize));
        }
    }

    #[test]
    fn the_newest_always_stays(list in any_facts(), which in 0..6usize, n in 1..5u32, cap in 1..5u32) {
        let rule = Rule::Newest { bucket: BUCKETS[which], count: Count::Limited(n) };
        let kept = kept(&list, vec![rule, Rule::MaxGenerations(NonZeroU32::new(cap).unwrap())]);
        let newest = |all: bool| list.iter().filter(|f| all || !f.partial).min_by(|a, b| newest_first(a, b));
        prop_assert!(newest(false).is_none_or(|f| kept.contains(&f.id)));
        let newest_time = newest(true).map(|f| f.time);
        let stays = list.iter().any(|f| Some(f.time) == newest_time && kept.contains(&f.id));
        prop_assert!(stays || list.is_empty());
        prop_assert!(list.iter().all(|f| !f.protected || kept.contains(&f.id)));
    }

    #[test]
    fn the_order_of_listing_says_nothing(list in any_facts().prop_flat_map(|l| (Just(l.clone()), Just(l).prop_shuffle()))) {
        let rules = || vec![
            rule("last 2"), rule("hourly 3"), rule("daily within 3M"), rule("tags a"),
            rule("tiers 7d:hourly 1y:weekly :yearly"), rule("max 20"),
        ];
        prop_assert_eq!(kept(&list.0, rules()), kept(&list.1, rules()));
    }

    #[test]
    fn partial_ones_change_nothing_for_the_others(list in any_facts(), which in 0..6usize, n in 1..9u32) {
        let complete: Vec<SnapshotInfo> = list.iter().filter(|f| !f.partial).cloned().collect();
        let rules = || vec![Rule::Newest { bucket: BUCKETS[which], count: Count::Limited(n) }, rule("within 1M")];
        let with: Vec<_> = kept(&list, rules());
        let without = kept(&complete, rules());
        let of_complete = |id: &SessionId| complete.iter().any(|f| f.id == *id);
        prop_assert_eq!(with.into_iter().filter(of_complete).collect::<Vec<_>>(), without);
    }

    #[test]
    fn applying_a_policy_twice_removes_nothing_more(list in any_facts(), n in 1..9u32) {
        // Holds for newest-of-period counts: what they kept is what they would choose again.
        let rules = || vec![rule(&format!("daily {n}")), rule(&format!("monthly {n}")), rule("weekly within 1y")];
        let first = kept(&list, rules());
        let left: Vec<SnapshotInfo> = list.iter().filter(|f| first.contains(&f.id)).cloned().collect();
        prop_assert_eq!(kept(&left, rules()), first);
    }
}
