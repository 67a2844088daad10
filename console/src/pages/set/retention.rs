//! What a retention policy leaves at a day, drawn on a line: the snapshots that there are, and those that the schedule
//! would make until then. Where there are none yet, as if the set had always run.

use jiff::{SignedDuration, Timestamp, Zoned};
use service::catalogue::Lang;
use service::catalogue::report::console as texts;
use service::facts::SnapshotInfo;
use service::retain::{self, Policy};
use service::runs::status::next_slots;
use service::settings::schedule::Schedule;

/// Snapshots that are thought up at most.
const IMAGINED_MAX: usize = 3000;
/// How far back a set that has not run yet is thought to have run.
const PAST_DAYS: i64 = 3 * 365;
pub const WIDTH: f64 = 800.0;
const DAY: f64 = 86_400.0;

/// One snapshot on the line.
pub struct Mark {
    pub x: String,
    pub stays: bool,
    pub is_imagined: bool,
    pub label: String,
}

/// An age with a name below the line.
pub struct AgeTick {
    pub x: String,
    pub words: String,
}

/// The picture.
pub struct Picture {
    pub marks: Vec<Mark>,
    pub ticks: Vec<AgeTick>,
    pub summary: String,
    pub day: String,
    /// Nothing was ever saved by this set.
    pub is_all_imagined: bool,
}

/// `snapshots` are those that the set has made.
pub fn picture(
    lang: Lang,
    policy: Option<&Policy>,
    schedule: &Schedule,
    snapshots: &[SnapshotInfo],
    (now, at): (&Zoned, &Zoned),
) -> Picture {
    let mut all: Vec<SnapshotInfo> = snapshots
        .iter()
        .filter(|facts| facts.at <= at.timestamp())
        .cloned()
        .collect();
    let real = all.len();
    let is_all_imagined = snapshots.is_empty();
    let from = match is_all_imagined {
        true => past(schedule, at),
        false => now.clone(),
    };
    let slots = slots(schedule, &from, at);
    let imagined = (1..)
        .zip(slots)
        .map(|(nr, slot)| SnapshotInfo::imagined(nr, slot));
    all.extend(imagined);
    let group: Vec<&SnapshotInfo> = all.iter().collect();
    let kept = kept(policy, &group, at);
    let oldest = all.iter().map(|facts| facts.at).min();
    let scale = Scale::new(at.timestamp(), oldest);
    let marks = all
        .iter()
        .zip(&kept)
        .enumerate()
        .map(|(place, (facts, stays))| Mark {
            x: scale.x(facts.at),
            stays: *stays,
            is_imagined: place >= real,
            label: label(facts.at, at),
        });
    let stay = kept.iter().filter(|stays| **stays).count() as u64;
    Picture {
        marks: marks.collect(),
        ticks: scale.ticks(lang),
        summary: texts::would_stay(lang, stay, all.len() as u64),
        day: at.strftime("%Y-%m-%d").to_string(),
        is_all_imagined,
    }
}

fn label(at: Timestamp, zone: &Zoned) -> String {
    let at = at.to_zoned(zone.time_zone().clone());
    at.strftime("%Y-%m-%d %H:%M").to_string()
}

fn kept(policy: Option<&Policy>, group: &[&SnapshotInfo], at: &Zoned) -> Vec<bool> {
    let Some(policy) = policy else {
        return vec![true; group.len()];
    };
    let decided = retain::decide(group, policy, at.time_zone(), at.timestamp());
    let keeps: std::collections::HashMap<_, _> = decided.iter().map(|one| (one.id, one.keep)).collect();
    let stays = group
        .iter()
        .map(|facts| keeps.get(&facts.id).copied().unwrap_or(true));
    stays.collect()
}

/// From when on a set that never ran is thought to have run: no further back than there is room for.
fn past(schedule: &Schedule, at: &Zoned) -> Zoned {
    let back = |days: i64| {
        let then = at.checked_sub(SignedDuration::from_hours(24 * days));
        then.unwrap_or_else(|_| at.clone())
    };
    let days = match a_day(schedule, &back(30)) {
        0 => PAST_DAYS,
        runs => PAST_DAYS.min(IMAGINED_MAX as i64 / runs),
    };
    back(days)
}

/// Runs in a day, about.
fn a_day(schedule: &Schedule, from: &Zoned) -> i64 {
    let slots = next_slots(schedule, from, 200);
    let (Some(first), Some(last)) = (slots.first(), slots.last()) else {
        return 0;
    };
    let days = last.timestamp().duration_since(first.timestamp()).as_secs_f64() / DAY;
    (slots.len() as f64 / days.max(1.0)).ceil() as i64
}

fn slots(schedule: &Schedule, from: &Zoned, until: &Zoned) -> Vec<Timestamp> {
    let daily = Schedule::parse("daily 12:00");
    let schedule = match (schedule, &daily) {
        // It is started by hand: about once a day.
        (Schedule::Manual, Ok(daily)) => daily,
        (schedule, _) => schedule,
    };
    let slots = next_slots(schedule, from, IMAGINED_MAX).into_iter();
    let slots = slots.take_while(|slot| slot <= until);
    slots.map(|slot| slot.timestamp()).collect()
}

/// Ages on a line on which the young have more room.
struct Scale {
    at: Timestamp,
    most: f64,
}

impl Scale {
    fn new(at: Timestamp, oldest: Option<Timestamp>) -> Scale {
        let age = oldest.map_or(0.0, |oldest| at.duration_since(oldest).as_secs_f64() / DAY);
        Scale {
            at,
            most: age.max(7.0),
        }
    }

    fn place(&self, days: f64) -> f64 {
        let share = (1.0 + days.max(0.0)).ln() / (1.0 + self.most).ln();
        (WIDTH - 8.0) * (1.0 - share) + 4.0
    }

    fn x(&self, at: Timestamp) -> String {
        let days = self.at.duration_since(at).as_secs_f64() / DAY;
        format!("{:.1}", self.place(days))
    }

    fn ticks(&self, lang: Lang) -> Vec<AgeTick> {
        let ages = [1.0, 7.0, 30.0, 90.0, 365.0, 1095.0, 3650.0].into_iter();
        let shown = ages.filter(|days| *days <= self.most + 1.0);
        let tick = |days: f64| AgeTick {
            // Half of a word must not be cut off.
            x: format!("{:.1}", self.place(days).clamp(16.0, WIDTH - 16.0)),
            words: texts::age_tick(lang, days as u64),
        };
        shown.map(tick).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use service::retain::{Bucket, Rule, Tier};
    use service::units::parse_span;

    fn at(text: &str) -> Zoned {
        let time: jiff::civil::DateTime = text.parse().unwrap();
        time.to_zoned(jiff::tz::TimeZone::get("Asia/Tokyo").unwrap())
            .unwrap()
    }

    fn policy() -> Policy {
        let tier = |until: Option<&str>, every| Tier {
            until: until.map(|text| parse_span(text).unwrap()),
            every,
        };
        Policy::new(vec![Rule::Tiers(vec![
            tier(Some("7d"), Bucket::DAY),
            tier(None, Bucket::MONTH),
        ])])
        .unwrap()
    }

    #[test]
    fn a_set_that_has_not_run_yet() {
        let daily = Schedule::parse("daily 12:30").unwrap();
        let now = at("2026-11-27 12:00");
        let all = picture(Lang::En, None, &daily, &[], (&now, &now));
        assert!(all.is_all_imagined && all.marks.iter().all(|mark| mark.stays));
        assert!((1094..=1096).contains(&all.marks.len()), "{}", all.marks.len());
        let some = picture(Lang::En, Some(&policy()), &daily, &[], (&now, &now));
        let stay = some.marks.iter().filter(|mark| mark.stays).count();
        assert!((40..=46).contains(&stay), "{}: {}", stay, some.summary);
        assert!(
            some.summary.starts_with(&format!("{stay} of")),
            "{}",
            some.summary
        );
        let often = Schedule::parse("every 15m").unwrap();
        assert!(picture(Lang::En, None, &often, &[], (&now, &now)).marks.len() <= IMAGINED_MAX);
    }

    #[test]
    fn what_there_is_and_what_comes() {
        let daily = Schedule::parse("daily 12:30").unwrap();
        let now = at("2026-11-27 12:00");
        let snapshots: Vec<SnapshotInfo> = (0..20)
            .map(|day| {
                let time = now.timestamp() - SignedDuration::from_hours(24 * day);
                SnapshotInfo::imagined(1_000_000 + day.unsigned_abs(), time)
            })
            .collect();
        let today = picture(Lang::En, Some(&policy()), &daily, &snapshots, (&now, &now));
        assert_eq!((today.marks.len(), today.is_all_imagined), (20, false));
        let later = at("2026-12-27 12:00");
        let later = picture(Lang::En, Some(&policy()), &daily, &snapshots, (&now, &later));
        assert_eq!(later.marks.len(), 50);
        assert!(later.marks.iter().filter(|mark| mark.is_imagined).count() == 30);
        assert_eq!(later.day, "2026-12-27");
    }
}
