//! Which snapshots a policy keeps: a pure function from facts to decisions, each with its reasons. `prune` and
//! `forget` act on it; nothing here reads a repository or a clock.
//!
//! Rules unite: what any rule keeps is kept. They look at one group (see [`crate::facts::group_by`]) newest first. A counted rule
//! keeps the newest snapshot of each calendar period until its count is used up, and while it is not, also the
//! oldest of all. Spans count back from the newest snapshot that is not in the future, so that a machine that
//! stopped backing up keeps what it has. This is the meaning restic's `--keep-*` have; beyond it:
//!
//! - A protected snapshot is always kept.
//! - A partial snapshot (the checkpoint of a backup that did not finish) uses no slot, so it can't displace a
//!   complete one. It is kept while no complete snapshot of its group is as new, or for its tags.
//! - A snapshot whose time is in the future uses no slot either, and is kept until its time comes or it is named.
//! - One whose clock was wrong (see [`crate::order`]) counts where it was made, and uses no calendar period's slot.
//! - [`Rule::MaxGenerations`] takes away: the oldest of those that the other rules keep, never tagged or protected
//!   ones. Alone it keeps the newest.

use crate::facts::{Dated, SnapshotInfo, newest_first};
use crate::units;
use chunkstore::SessionId;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Zoned};
use std::cmp::Ordering;
use std::num::NonZeroU32;

/// What a [`Bucket`] counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// Every snapshot is a period of its own.
    Each,
    /// Seconds.
    Seconds,
    /// Calendar days.
    Days,
    /// ISO weeks.
    Weeks,
    /// Calendar months.
    Months,
    /// Calendar years.
    Years,
}

/// The calendar periods of which a rule keeps one snapshot each, in the policy's time zone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bucket {
    /// The kind of period.
    pub unit: Unit,
    /// Units in a period, at least 1.
    pub n: u32,
}

impl Bucket {
    /// Every snapshot is a period of its own.
    pub const EACH: Bucket = Bucket {
        unit: Unit::Each,
        n: 1,
    };
    /// One hour of the clock on the wall: both passes of an hour that a clock set back shows twice.
    pub const HOUR: Bucket = Bucket {
        unit: Unit::Seconds,
        n: 3600,
    };
    /// One calendar day.
    pub const DAY: Bucket = Bucket {
        unit: Unit::Days,
        n: 1,
    };
    /// ISO weeks, Monday to Sunday across the turn of the year.
    pub const WEEK: Bucket = Bucket {
        unit: Unit::Weeks,
        n: 1,
    };
    /// One calendar month.
    pub const MONTH: Bucket = Bucket {
        unit: Unit::Months,
        n: 1,
    };
    /// One calendar year.
    pub const YEAR: Bucket = Bucket {
        unit: Unit::Years,
        n: 1,
    };

    /// Periods of `span`, which must be of one kind: hours to seconds, or days, weeks, months or years alone.
    pub fn every(span: &Span) -> Result<Bucket, PolicyError> {
        let seconds = i64::from(span.get_hours()) * 3600 + span.get_minutes() * 60 + span.get_seconds();
        let kinds = [
            (seconds, Unit::Seconds),
            (i64::from(span.get_days()), Unit::Days),
            (i64::from(span.get_weeks()), Unit::Weeks),
            (i64::from(span.get_months()), Unit::Months),
            (i64::from(span.get_years()), Unit::Years),
        ];
        let mut used = kinds.into_iter().filter(|(n, _)| *n != 0);
        match (used.next(), used.next()) {
            (Some((n, unit)), None) => u32::try_from(n).ok().map(|n| Bucket { unit, n }),
            _ => None,
        }
        .ok_or_else(|| PolicyError::Every(units::format_span(span)))
    }

    /// The number of the period that `at` falls in; `nr` is the snapshot's place in its list.
    fn key(self, at: &Zoned, nr: usize) -> i64 {
        let n = i64::from(self.n.max(1));
        // What the clock on the wall shows, as if it were UTC: its days and hours are the local ones.
        let wall = at.timestamp().as_second() + i64::from(at.offset().seconds());
        let days = wall.div_euclid(86_400);
        let year = i64::from(at.year());
        match self.unit {
            Unit::Each => nr as i64,
            Unit::Seconds => wall.div_euclid(n),
            Unit::Days => days.div_euclid(n),
            // 1970-01-01 was a Thursday, three days after a Monday.
            Unit::Weeks => (days + 3).div_euclid(7 * n),
            Unit::Months => (year * 12 + i64::from(at.month()) - 1).div_euclid(n),
            Unit::Years => year.div_euclid(n),
        }
    }
}

/// How many periods a rule is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Count {
    /// At most so many.
    Limited(u32),
    /// All there are.
    Unlimited,
}

/// Between the tier before and the age `until` (without one: for ever), one snapshot of each `every`.
#[derive(Clone, Debug)]
pub struct Tier {
    /// The age at which the tier ends.
    pub until: Option<Span>,
    /// The periods of which one snapshot each is kept.
    pub every: Bucket,
}

/// A rule that keeps snapshots, or in one case takes away.
#[derive(Clone, Debug)]
pub enum Rule {
    /// The newest snapshot of each of the last `count` periods that have one.
    Newest {
        /// The kind of period.
        bucket: Bucket,
        /// How many periods.
        count: Count,
    },
    /// One of each period as far back as `span` reaches from the newest snapshot.
    Within {
        /// The kind of period.
        bucket: Bucket,
        /// How far back.
        span: Span,
    },
    /// Whatever carries all of these tags.
    Tags(Vec<String>),
    /// By age, in ascending order.
    Tiers(Vec<Tier>),
    /// At most so many complete snapshots.
    MaxGenerations(NonZeroU32),
}

impl Rule {
    /// False for a rule that can't keep anything, such as a count of 0: it counts as not given.
    fn says_something(&self) -> bool {
        match self {
            Rule::Newest { count, .. } => *count != Count::Limited(0),
            Rule::Within { span, .. } => span.is_positive(),
            Rule::Tags(tags) => !tags.is_empty(),
            Rule::Tiers(_) | Rule::MaxGenerations(_) => true,
        }
    }
}

/// Why rules are not a policy.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PolicyError {
    /// It keeps nothing.
    #[error("empty policy")]
    Empty,
    /// Ages must ascend, and only the last tier may be without one.
    #[error("bad tiers")]
    Tiers,
    /// Not a period of one kind.
    #[error("bad period: '{0}'")]
    Every(String),
}

/// Rules of which at least one can keep something.
#[derive(Clone, Debug)]
pub struct Policy {
    rules: Vec<Rule>,
}

impl Policy {
    /// Checks the rules.
    pub fn new(rules: Vec<Rule>) -> Result<Policy, PolicyError> {
        for rule in &rules {
            if let Rule::Tiers(tiers) = rule {
                check_tiers(tiers)?;
            }
        }
        let rules: Vec<Rule> = rules.into_iter().filter(Rule::says_something).collect();
        if rules.is_empty() {
            return Err(PolicyError::Empty);
        }
        Ok(Policy { rules })
    }
}

fn check_tiers(tiers: &[Tier]) -> Result<(), PolicyError> {
    let Some((last, before)) = tiers.split_last() else {
        return Err(PolicyError::Tiers);
    };
    let mut spans: Vec<&Span> = Vec::new();
    for tier in before {
        spans.push(tier.until.as_ref().ok_or(PolicyError::Tiers)?);
    }
    spans.extend(&last.until);
    let positive = spans.iter().all(|span| span.is_positive());
    // Months have no length of their own: counted from a fixed day.
    let ascending = spans.windows(2).all(|pair| match pair {
        [a, b] => a
            .compare((*b, Date::constant(2001, 1, 1)))
            .is_ok_and(Ordering::is_lt),
        _ => false,
    });
    if positive && ascending {
        Ok(())
    } else {
        Err(PolicyError::Tiers)
    }
}

/// What becomes of one snapshot, and why: the rules that keep it, or why none does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decision {
    /// The snapshot.
    pub id: SessionId,
    /// Whether it stays.
    pub keep: bool,
    /// The rules that keep it, or why none does.
    pub reasons: Vec<RetentionReason>,
}

/// Why a snapshot is kept or not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RetentionReason {
    /// It is protected.
    Protected,
    /// Its time is in the future.
    Future,
    /// Incomplete, and no complete snapshot is as new.
    NewestPartial,
    /// It has these tags.
    Tags(Vec<String>),
    /// The newest of its period, or the oldest of all, within this time of the newest snapshot.
    Period {
        /// The kind of period.
        bucket: Bucket,
        /// It is the oldest of all, rather than the newest of its period.
        oldest: bool,
        /// The span, if the rule has one.
        within: Option<String>,
    },
    /// By a tier, up to this age.
    Tier {
        /// The periods of the tier.
        every: Bucket,
        /// The age at which the tier ends.
        until: Option<String>,
    },
    /// Incomplete, and a complete snapshot is as new.
    Superseded,
    /// No rule keeps it.
    NoRule,
    /// The user named it.
    Named,
}

/// Decides on every snapshot of one group, newest first. Calendar periods are those of `zone`.
pub fn decide(group: &[&SnapshotInfo], policy: &Policy, zone: &TimeZone, now: Timestamp) -> Vec<Decision> {
    let mut list = group.to_vec();
    list.sort_by(|a, b| newest_first(a, b));
    // One that is there twice must not take the places of others, nor count as removed beside itself.
    list.dedup_by_key(|facts| facts.id);
    let complete: Vec<usize> = (0..list.len())
        .filter(|&i| !list[i].partial && !list[i].is_in_future())
        .collect();
    let mut run = PolicyRun {
        local: list.iter().map(|f| f.at.to_zoned(zone.clone())).collect(),
        newest: complete
            .iter()
            .map(|&i| &list[i])
            .find(|f| f.at <= now)
            .map(|f| f.at.to_zoned(zone.clone())),
        counted: vec![Vec::new(); list.len()],
        firm: vec![Vec::new(); list.len()],
        list,
        complete,
    };
    run.always();
    for rule in &policy.rules {
        run.apply(rule);
    }
    run.cap(&policy.rules);
    run.decisions()
}

/// One evaluation. Indices are places in `list`, which is newest first.
struct PolicyRun<'a> {
    list: Vec<&'a SnapshotInfo>,
    local: Vec<Zoned>,
    complete: Vec<usize>,
    /// From where ages and spans count back; `None` if everything lies in the future.
    newest: Option<Zoned>,
    /// Reasons that [`Rule::MaxGenerations`] may overrule, and those that it may not.
    counted: Vec<Vec<RetentionReason>>,
    firm: Vec<Vec<RetentionReason>>,
}

impl PolicyRun<'_> {
    fn always(&mut self) {
        let newest_complete = self.complete.first().map(|&i| self.list[i].at);
        for (facts, firm) in self.list.iter().zip(&mut self.firm) {
            if facts.protected {
                firm.push(RetentionReason::Protected);
            }
            if facts.is_in_future() {
                firm.push(RetentionReason::Future);
            }
            if facts.partial && newest_complete.is_none_or(|newest| facts.at > newest) {
                firm.push(RetentionReason::NewestPartial);
            }
        }
    }

    fn apply(&mut self, rule: &Rule) {
        match rule {
            Rule::Newest { bucket, count } => self.newest(*bucket, *count, None),
            Rule::Within { bucket, span } => self.newest(*bucket, Count::Unlimited, Some(span)),
            Rule::Tags(tags) => {
                for (facts, firm) in self.list.iter().zip(&mut self.firm) {
                    if facts.has_tags(tags) {
                        firm.push(RetentionReason::Tags(tags.clone()));
                    }
                }
            }
            Rule::Tiers(tiers) => self.tiers(tiers),
            Rule::MaxGenerations(_) => {}
        }
    }

    /// The newest of each period, `count` times or as far as `within` reaches, and the oldest of all if it still may.
    fn newest(&mut self, bucket: Bucket, count: Count, within: Option<&Span>) {
        let after = within.map(|span| self.cut_off(span));
        let tail = within.map(units::format_span);
        let mut left = count;
        let mut last = None;
        for (place, &i) in self.complete.iter().enumerate() {
            if left == Count::Limited(0) || after.is_some_and(|after| self.list[i].at <= after) {
                break;
            }
            if bucket != Bucket::EACH && self.list[i].dated == Dated::Doubtful {
                continue;
            }
            let key = bucket.key(&self.local[i], i);
            let new = last != Some(key);
            if !new && place + 1 != self.complete.len() {
                continue;
            }
            last = Some(key);
            if let Count::Limited(n) = &mut left {
                *n -= 1;
            }
            self.counted[i].push(RetentionReason::Period {
                bucket,
                oldest: !new,
                within: tail.clone(),
            });
        }
    }

    fn tiers(&mut self, tiers: &[Tier]) {
        let cut_offs: Vec<_> = tiers
            .iter()
            .map(|t| {
                t.until
                    .as_ref()
                    .map_or(Timestamp::MIN, |until| self.cut_off(until))
            })
            .collect();
        let mut last = None;
        for &i in &self.complete {
            let time = self.list[i].at;
            let inside = |nr: &usize| tiers[*nr].until.is_none() || time > cut_offs[*nr];
            let Some(nr) = (0..tiers.len()).find(inside) else {
                break;
            };
            let tier = &tiers[nr];
            if tier.every != Bucket::EACH && self.list[i].dated == Dated::Doubtful {
                continue;
            }
            let key = (nr, tier.every.key(&self.local[i], i));
            if last != Some(key) {
                last = Some(key);
                self.counted[i].push(RetentionReason::Tier {
                    every: tier.every,
                    until: tier.until.as_ref().map(units::format_span),
                });
            }
        }
    }

    /// What is not newer than this is not within `span`. Too far back for a calendar is before everything.
    fn cut_off(&self, span: &Span) -> Timestamp {
        let newest = self.newest.as_ref();
        newest
            .and_then(|newest| newest.checked_sub(*span).ok())
            .map_or(Timestamp::MIN, |at| at.timestamp())
    }

    fn cap(&mut self, rules: &[Rule]) {
        let max = |rule: &Rule| {
            if let Rule::MaxGenerations(n) = rule {
                Some(n.get())
            } else {
                None
            }
        };
        let Some(most) = rules.iter().filter_map(max).min() else {
            return;
        };
        if rules.iter().all(|rule| max(rule).is_some()) {
            self.newest(Bucket::EACH, Count::Unlimited, None);
        }
        let mut kept = 0;
        for &i in &self.complete {
            if self.counted[i].is_empty() && self.firm[i].is_empty() {
                continue;
            }
            kept += 1;
            if kept > most {
                self.counted[i].clear();
            }
        }
    }

    fn decisions(self) -> Vec<Decision> {
        let why_not = |facts: &SnapshotInfo| match facts.partial {
            true => RetentionReason::Superseded,
            false => RetentionReason::NoRule,
        };
        let reasons = self
            .firm
            .into_iter()
            .zip(self.counted)
            .map(|(firm, counted)| [firm, counted].concat());
        let decide = |(facts, mut reasons): (&&SnapshotInfo, Vec<RetentionReason>)| {
            let keep = !reasons.is_empty();
            if !keep {
                reasons.push(why_not(facts));
            }
            Decision {
                id: facts.id,
                keep,
                reasons,
            }
        };
        self.list.iter().zip(reasons).map(decide).collect()
    }
}

#[cfg(test)]
mod tests;
