//! Rates by the time of day: `--limit-upload`, `--limit-download` and the keys of `[limits]`.

use crate::catalogue::ValueFault;
use jiff::civil::Time;

/// Bytes in a second; `None` is no bound.
pub type Rate = Option<u64>;

/// One rate, or several, each from a time of day on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateSchedule(Vec<(Time, Rate)>);

impl RateSchedule {
    /// `10M`, or `08:00=1M,18:00=unlimited`; before the first time the last one applies.
    pub fn parse(text: &str) -> Result<RateSchedule, ValueFault> {
        if !text.contains('=') {
            return Ok(RateSchedule(vec![(Time::midnight(), rate(text)?)]));
        }
        let mut rates = Vec::new();
        for part in text.split(',') {
            let wrong = || ValueFault::RatePart {
                part: part.to_string(),
            };
            let (time, of) = part.trim().split_once('=').ok_or_else(wrong)?;
            rates.push((time_of_day(time).ok_or_else(wrong)?, rate(of)?));
        }
        rates.sort_unstable();
        match rates.windows(2).find(|two| two[0].0 == two[1].0) {
            Some(two) => Err(ValueFault::RateTwice {
                time: two[0].0.strftime("%H:%M").to_string(),
            }),
            None => Ok(RateSchedule(rates)),
        }
    }

    pub fn at(&self, time: Time) -> Rate {
        let past = self.0.iter().rev().find(|(from, _)| *from <= time);
        past.or(self.0.last()).and_then(|(_, rate)| *rate)
    }

    /// Whether it is another at another time of day.
    pub fn changes(&self) -> bool {
        self.0.len() > 1
    }
}

fn time_of_day(text: &str) -> Option<Time> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |text: &str| (text.len() == 2).then(|| text.parse::<i8>().ok()).flatten();
    Time::new(number(hours)?, number(minutes)?, 0, 0).ok()
}

/// At 0 nothing could be moved.
fn rate(text: &str) -> Result<Rate, ValueFault> {
    if text.eq_ignore_ascii_case("unlimited") {
        return Ok(None);
    }
    match engine::units::parse_size(text) {
        Ok(0) => Err(ValueFault::RateZero),
        size => Ok(Some(size?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_hold_from_their_time_on() {
        let rates = RateSchedule::parse("18:00=unlimited,08:00=1M, 12:30=512K").unwrap();
        for (hour, minute, rate) in [
            (0, 0, None),
            (7, 59, None),
            (8, 0, Some(1 << 20)),
            (12, 29, Some(1 << 20)),
            (12, 30, Some(512 << 10)),
            (18, 0, None),
            (23, 59, None),
        ] {
            assert_eq!(
                rates.at(Time::constant(hour, minute, 0, 0)),
                rate,
                "{hour}:{minute}"
            );
        }
        assert_eq!(
            RateSchedule::parse("10M").unwrap().at(Time::midnight()),
            Some(10 << 20)
        );
        assert!(!RateSchedule::parse("10M").unwrap().changes());
        assert_eq!(
            RateSchedule::parse("unlimited").unwrap().at(Time::midnight()),
            None
        );
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, word) in [
            ("0", "at least"),
            ("fast", "fast"),
            ("8:00=1M", "8:00=1M"),
            ("24:00=1M", "24:00"),
            ("08:00=0", "at least"),
            ("08:00=1M,08:00=2M", "twice"),
            ("08:00=1M,", "''"),
        ] {
            let said = RateSchedule::parse(text).unwrap_err().to_string();
            assert!(said.contains(word), "{text}: {said}");
        }
    }
}
