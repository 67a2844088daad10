//! When a set runs by itself: `daily 12:30`, `mon,thu 22:00`, `every 15m mon..fri 09:00-18:00`, `cron 0 3 * * *`,
//! `manual`. This is only what is written; [`crate::schedule`] decides when that is due.

use super::cron::Cron;
use super::values::from_text;
use crate::catalogue::ValueFault;
use jiff::civil::{Time, Weekday};
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use std::fmt;

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Schedule {
    /// Only when somebody asks.
    Manual,
    /// Once on each of these days.
    At {
        days: Days,
        time: Time,
    },
    /// Again and again, within a window if there is one.
    Every {
        minutes: u32,
        days: Days,
        window: Option<(Time, Time)>,
    },
    Cron(Cron),
}

/// Days of the week, Monday first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Days([bool; 7]);

const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Days {
    const ALL: Days = Days([true; 7]);

    pub fn has(self, day: Weekday) -> bool {
        let place = usize::from(day.to_monday_zero_offset().unsigned_abs());
        self.0.get(place).copied().unwrap_or_default()
    }

    /// `mon,thu`, `mon..fri`.
    fn parse(text: &str) -> Option<Days> {
        let place = |name: &str| NAMES.iter().position(|known| *known == name);
        let mut days = [false; 7];
        for part in text.split(',') {
            let (first, last) = match part.split_once("..") {
                Some((first, last)) => (place(first)?, place(last)?),
                None => (place(part)?, place(part)?),
            };
            let mut at = first;
            loop {
                *days.get_mut(at)? = true;
                if at == last {
                    break;
                }
                at = (at + 1) % 7;
            }
        }
        Some(Days(days))
    }
}

impl Schedule {
    pub fn parse(text: &str) -> Result<Schedule, ValueFault> {
        let wrong = || ValueFault::Schedule {
            text: text.to_string(),
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        match words[..] {
            ["manual"] => Ok(Schedule::Manual),
            ["daily", time] => Ok(Schedule::At {
                days: Days::ALL,
                time: clock(time).ok_or_else(wrong)?,
            }),
            ["every", interval, ref rest @ ..] => every(interval, rest).ok_or_else(wrong),
            ["cron", ref fields @ ..] => Cron::parse(fields).map(Schedule::Cron).ok_or_else(wrong),
            [days, time] => Ok(Schedule::At {
                days: Days::parse(days).ok_or_else(wrong)?,
                time: clock(time).ok_or_else(wrong)?,
            }),
            _ => Err(wrong()),
        }
    }
}

/// The schedule as it would be written, in one form only: whether it was changed is seen by that.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clock = |time: &Time| format!("{:02}:{:02}", time.hour(), time.minute());
        match self {
            Schedule::Manual => f.write_str("manual"),
            Schedule::At { days, time } if *days == Days::ALL => write!(f, "daily {}", clock(time)),
            Schedule::At { days, time } => write!(f, "{days} {}", clock(time)),
            Schedule::Every {
                minutes,
                days,
                window,
            } => {
                match minutes % 60 {
                    0 => write!(f, "every {}h", minutes / 60)?,
                    _ => write!(f, "every {minutes}m")?,
                }
                if *days != Days::ALL {
                    write!(f, " {days}")?;
                }
                match window {
                    Some((from, to)) => write!(f, " {}-{}", clock(from), clock(to)),
                    None => Ok(()),
                }
            }
            Schedule::Cron(cron) => write!(f, "cron {cron}"),
        }
    }
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = NAMES.iter().zip(self.0);
        let names: Vec<&str> = named.filter_map(|(name, has)| has.then_some(*name)).collect();
        f.write_str(&names.join(","))
    }
}

from_text!(Schedule, "a string such as \"daily 12:30\"", Schedule::parse);

fn every(interval: &str, rest: &[&str]) -> Option<Schedule> {
    let number = interval.get(..interval.len().checked_sub(1)?)?;
    let number = number.parse::<u32>().ok()?;
    let minutes = match interval.get(interval.len() - 1..)? {
        "m" => number,
        "h" => number.checked_mul(60)?,
        _ => return None,
    };
    let window = |text: &str| {
        let (from, to) = text.split_once('-')?;
        let (from, to) = (clock(from)?, clock(to)?);
        (from != to).then_some((from, to))
    };
    let (days, window) = match rest {
        [] => (Days::ALL, None),
        [one] => match window(one) {
            Some(window) => (Days::ALL, Some(window)),
            None => (Days::parse(one)?, None),
        },
        [days, hours] => (Days::parse(days)?, Some(window(hours)?)),
        _ => return None,
    };
    (1..=24 * 60).contains(&minutes).then_some(Schedule::Every {
        minutes,
        days,
        window,
    })
}

/// `09:05`.
fn clock(text: &str) -> Option<Time> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |text: &str| {
        let digits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse::<i8>().ok()).flatten()
    };
    Time::new(number(hours)?, number(minutes)?, 0, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let at = |hour, minute| Time::constant(hour, minute, 0, 0);
        let days = |text: &str| Days::parse(text).unwrap();
        let cron = |text: &str| Cron::parse(&text.split(' ').collect::<Vec<_>>()).unwrap();
        let rows = [
            ("manual", Schedule::Manual),
            (
                "daily 12:30",
                Schedule::At {
                    days: Days::ALL,
                    time: at(12, 30),
                },
            ),
            (
                "mon,thu 22:00",
                Schedule::At {
                    days: days("mon,thu"),
                    time: at(22, 0),
                },
            ),
            (
                "every 15m",
                Schedule::Every {
                    minutes: 15,
                    days: Days::ALL,
                    window: None,
                },
            ),
            (
                "every 2h 09:00-18:00",
                Schedule::Every {
                    minutes: 120,
                    days: Days::ALL,
                    window: Some((at(9, 0), at(18, 0))),
                },
            ),
            (
                "every 15m mon..fri 22:00-06:00",
                Schedule::Every {
                    minutes: 15,
                    days: days("mon,tue,wed,thu,fri"),
                    window: Some((at(22, 0), at(6, 0))),
                },
            ),
            ("cron 0 3 * * 1-5", Schedule::Cron(cron("0 3 * * 1-5"))),
            (
                "cron */15 0-6,20 1 1-12/2 7",
                Schedule::Cron(cron("*/15 0-6,20 1 1-12/2 7")),
            ),
        ];
        for (text, want) in rows {
            assert_eq!(Schedule::parse(&want.to_string()), Ok(want.clone()), "{want}");
            assert_eq!(Schedule::parse(text), Ok(want), "{text}");
        }
        let weekend = days("sat..sun");
        assert!(weekend.has(Weekday::Sunday) && !weekend.has(Weekday::Monday));
        assert_eq!(days("sat..mon"), days("mon,sat,sun"));
    }

    #[test]
    fn what_is_no_schedule() {
        for text in [
            "",
            "daily",
            "daily 24:00",
            "daily 9:00",
            "monday 10:00",
            "mon 10:00 x",
            "every",
            "every 0m",
            "every m",
            "every 15",
            "every 15s",
            "every 25h",
            "every 15m 09:00",
            "every 15m 09:00-09:00",
            "every é",
            "cron 0 3 * *",
            "cron 60 3 * * *",
            "cron 0 3 * * 8",
            "cron 5-1 * * * *",
            "cron */0 * * * *",
            "hourly",
        ] {
            let why = Schedule::parse(text).unwrap_err().to_string();
            assert!(why.contains("not a schedule"), "{text}: {why}");
        }
    }
}
