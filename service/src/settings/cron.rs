//! The five fields of a cron expression: minute, hour, day of the month, month, day of the week. Each is a list of `*`,
//! `5` or `1-5`, each of which may be followed by `/2`. As in Vixie cron, a day has to match one of the two day fields if
//! both are restricted, and both fields otherwise.

use jiff::civil::Date;
use std::fmt;

/// Minute, hour, day of the month, month, day of the week.
const RANGES: [(u32, u32); 5] = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)];

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cron {
    text: String,
    /// One bit for each value.
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// The two day fields exclude each other's days unless one of them begins with `*`.
    either_day: bool,
    /// The hour field begins with `*`: the expression is about an interval rather than a time of day.
    pub every_hour: bool,
}

impl Cron {
    /// `None` if this is not a cron expression.
    pub fn parse(fields: &[&str]) -> Option<Cron> {
        let [minutes, hours, days, months, weekdays] = fields else {
            return None;
        };
        let bits = |text: &str, field: usize| bits(text, *RANGES.get(field)?);
        let sundays = bits(weekdays, 4)?;
        Some(Cron {
            text: fields.join(" "),
            minutes: bits(minutes, 0)?,
            hours: bits(hours, 1)?,
            days: bits(days, 2)?,
            months: bits(months, 3)?,
            // Sunday is 0 or 7.
            weekdays: sundays | sundays >> 7,
            either_day: !days.starts_with('*') && !weekdays.starts_with('*'),
            every_hour: hours.starts_with('*'),
        })
    }

    /// Whether there is a slot on this day.
    pub fn has_day(&self, date: Date) -> bool {
        let has = |bits: u64, value: i8| bits >> value.unsigned_abs() & 1 == 1;
        let day = has(self.days, date.day());
        let weekday = has(self.weekdays, date.weekday().to_sunday_zero_offset());
        has(self.months, date.month())
            && match self.either_day {
                true => day || weekday,
                false => day && weekday,
            }
    }

    /// Hours and minutes of the slots of a day, in their order.
    pub fn times(&self) -> impl Iterator<Item = (i8, i8)> {
        let values = |bits: u64, below: i8| (0..below).filter(move |n| bits >> n & 1 == 1);
        let (hours, minutes) = (self.hours, self.minutes);
        values(hours, 24).flat_map(move |hour| values(minutes, 60).map(move |minute| (hour, minute)))
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn bits(text: &str, range: (u32, u32)) -> Option<u64> {
    text.split(',')
        .try_fold(0, |bits, part| Some(bits | part_bits(part, range)?))
}

fn part_bits(text: &str, (least, most): (u32, u32)) -> Option<u64> {
    let number = |text: &str| text.parse::<u32>().ok().filter(|n| (least..=most).contains(n));
    let (range, step) = match text.split_once('/') {
        Some((range, step)) => (range, Some(step.parse::<u32>().ok()?)),
        None => (text, None),
    };
    let (from, to) = match range.split_once('-') {
        Some((from, to)) => (number(from)?, number(to)?),
        None if range == "*" => (least, most),
        // `5/15` is 5, 20, 35 and so on.
        None => (number(range)?, step.map_or(number(range)?, |_| most)),
    };
    let step = step.unwrap_or(1);
    let valid = from <= to && (1..=most).contains(&step);
    valid.then(|| {
        (from..=to)
            .step_by(step as usize)
            .fold(0, |bits, n| bits | 1 << n)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn cron(text: &str) -> Cron {
        Cron::parse(&text.split(' ').collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn times_of_a_day() {
        let times = |text: &str| cron(text).times().collect::<Vec<_>>();
        assert_eq!(times("0 3 * * *"), [(3, 0)]);
        assert_eq!(
            times("5,*/30 1-5/2 * * *"),
            [
                (1, 0),
                (1, 5),
                (1, 30),
                (3, 0),
                (3, 5),
                (3, 30),
                (5, 0),
                (5, 5),
                (5, 30)
            ]
        );
        assert_eq!(times("50/5 0 * * *"), [(0, 50), (0, 55)]);
        assert_eq!(times("* * * * *").len(), 1440);
        assert!(cron("0 */2 * * *").every_hour && !cron("0 1-23/2 * * *").every_hour);
    }

    #[test]
    fn days() {
        let rows = [
            ("0 0 * * *", date(2026, 11, 27), true),
            ("0 0 29 2 *", date(2028, 2, 29), true),
            ("0 0 29 2 *", date(2027, 3, 1), false),
            ("0 0 31 * *", date(2026, 11, 30), false),
            // 2026-11-27 is a Friday, 2026-11-29 a Sunday.
            ("0 0 * * 5", date(2026, 11, 27), true),
            ("0 0 * * 0", date(2026, 11, 29), true),
            ("0 0 * * 7", date(2026, 11, 29), true),
            ("0 0 * * 5-7", date(2026, 11, 29), true),
            ("0 0 * * 1-5", date(2026, 11, 29), false),
            ("0 0 1 * 5", date(2026, 11, 27), true),
            ("0 0 1 * 5", date(2026, 12, 1), true),
            ("0 0 1 * 5", date(2026, 12, 2), false),
            ("0 0 */2 * 5", date(2026, 11, 27), true),
            ("0 0 */2 * 5", date(2026, 12, 4), false),
            ("0 0 * 1-10 *", date(2026, 11, 27), false),
        ];
        for (text, day, want) in rows {
            assert_eq!(cron(text).has_day(day), want, "{text} {day}");
        }
    }
}
