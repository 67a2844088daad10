//! In what order generations were made, and which time each of them counts as. Clocks may be wrong, for one run or for
//! good, and `--time` takes any time; what can't be wrong is the order in which a machine published its manifests, which
//! it numbers (I-17). docs/decisions/0022-order-of-generations.md explains why.
//!
//! Along each machine's chain the clock should only go forward. The most generations for which it does are believed; one
//! that breaks the order counts as made when the one before it was. A time that is still to come is never the newest.

use crate::facts::{Dated, SnapshotInfo};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, HashSet};

/// Clocks that differ by less are taken to agree.
pub const SLACK: SignedDuration = SignedDuration::from_hours(1);

/// What is known of all these snapshots, which must be all that there are: the order needs the whole chains.
pub fn facts<'s, S>(snapshots: &'s [S], now: Timestamp) -> Vec<SnapshotInfo>
where
    SnapshotInfo: From<&'s S>,
{
    let mut facts: Vec<SnapshotInfo> = snapshots.iter().map(SnapshotInfo::from).collect();
    settle(&mut facts, now);
    facts
}

/// Decides which time each of all generations counts as.
pub fn settle(all: &mut [SnapshotInfo], now: Timestamp) {
    let mut chains: BTreeMap<[u8; 16], Vec<usize>> = BTreeMap::new();
    for (i, facts) in all.iter_mut().enumerate() {
        (facts.at, facts.dated) = (facts.time, Dated::Believed);
        if facts.made.sequence > 0 {
            chains.entry(facts.made.machine).or_default().push(i);
        }
    }
    let end = later(now);
    for chain in chains.values_mut() {
        chain.sort_by_key(|&i| (all[i].made.sequence, all[i].made.ended, all[i].id));
        settle_chain(all, chain, end);
    }
    for facts in all.iter_mut().filter(|facts| facts.time > end) {
        facts.dated = Dated::Future;
    }
}

/// `chain` in the order of the numbers. Nothing that happened can be later than `end`.
fn settle_chain(all: &mut [SnapshotInfo], chain: &[usize], end: Timestamp) {
    let mut end = end;
    let mut possible: Vec<usize> = chain
        .iter()
        .copied()
        .filter(|&i| all[i].made.ended <= end)
        .collect();
    if possible.is_empty() {
        // All of it is in the future: it is the reader's clock that is wrong.
        (possible, end) = (chain.to_vec(), Timestamp::MAX);
    }
    let clocks: Vec<Timestamp> = possible.iter().map(|&i| all[i].made.ended).collect();
    let rising: Vec<usize> = longest_rising(&clocks).into_iter().map(|n| possible[n]).collect();
    let Some(&first) = rising.first() else { return };
    let rising: HashSet<usize> = rising.into_iter().collect();
    // What the clock shows at the next one that is believed.
    let mut next = end;
    let mut nexts: Vec<Timestamp> = Vec::with_capacity(chain.len());
    for &i in chain.iter().rev() {
        nexts.push(next);
        if rising.contains(&i) {
            next = all[i].made.ended;
        }
    }
    let mut anchor = all[first].made.started;
    let mut clock = Timestamp::MIN;
    for (&i, next) in chain.iter().zip(nexts.into_iter().rev()) {
        let made = all[i].made;
        let fits = later(made.ended) >= clock && made.ended <= later(next);
        if !fits {
            all[i].dated = Dated::Doubtful;
            all[i].at = anchor;
            continue;
        }
        clock = clock.max(made.ended);
        // A time given by `--time` that had not come yet is not taken.
        if all[i].time > later(made.started) {
            // Its machine counts seconds, and the one before may have been made within the same.
            all[i].at = anchor.max(made.started);
        }
        anchor = anchor.max(made.started).max(all[i].at);
    }
}

/// An instant by its seconds since 1970.
pub fn at(secs: i64) -> Timestamp {
    Timestamp::from_second(secs).unwrap_or(if secs < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

pub(crate) fn later(time: Timestamp) -> Timestamp {
    time.saturating_add(SLACK).unwrap_or(Timestamp::MAX)
}

/// Places of a longest part of `values` that never falls.
fn longest_rising(values: &[Timestamp]) -> Vec<usize> {
    // The place of the least value that ends a part of each length, and for each place the one before it in its part.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(values.len());
    for (i, value) in values.iter().enumerate() {
        let len = ends.partition_point(|&end| values[end] <= *value);
        before.push(len.checked_sub(1).map(|shorter| ends[shorter]));
        match ends.get_mut(len) {
            Some(end) => *end = i,
            None => ends.push(i),
        }
    }
    let mut part: Vec<usize> = std::iter::successors(ends.last().copied(), |&i| before[i]).collect();
    part.reverse();
    part
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Made, newest_first};
    use crate::retain::{self, Bucket, Count, Policy, Rule};
    use crate::select::{self, Filter};
    use chunkstore::SessionId;
    use jiff::tz::TimeZone;

    const DAY: i64 = 86_400;
    const NOW: i64 = 20_000 * DAY;

    /// Snapshots in the order in which one machine made them, by day of its clock; a second number is the `--time`
    /// given.
    fn chain(days: &[(i64, Option<i64>)]) -> Vec<SnapshotInfo> {
        let facts = |(nr, (clock, said)): (usize, &(i64, Option<i64>))| {
            let (made, said) = (at(clock * DAY), at(said.unwrap_or(*clock) * DAY));
            SnapshotInfo {
                id: SessionId([nr as u8 + 1; 16]),
                time: said,
                at: said,
                dated: Dated::Believed,
                made: Made {
                    machine: [7; 16],
                    sequence: nr as u64 + 1,
                    started: made,
                    ended: made,
                },
                host: String::new(),
                paths: Vec::new(),
                tags: Vec::new(),
                set: String::new(),
                protected: false,
                partial: false,
                original: None,
            }
        };
        days.iter().enumerate().map(facts).collect()
    }

    fn settled(days: &[(i64, Option<i64>)]) -> Vec<SnapshotInfo> {
        let mut facts = chain(days);
        settle(&mut facts, at(NOW));
        facts
    }

    fn ids(facts: &[&SnapshotInfo]) -> Vec<u8> {
        facts.iter().map(|facts| facts.id.0[0]).collect()
    }

    fn kept(facts: &[SnapshotInfo], rule: Rule) -> Vec<u8> {
        let group: Vec<&SnapshotInfo> = facts.iter().collect();
        let policy = Policy::new(vec![rule]).unwrap();
        let decided = retain::decide(&group, &policy, &TimeZone::UTC, at(NOW));
        let mut kept: Vec<u8> = decided.iter().filter(|d| d.keep).map(|d| d.id.0[0]).collect();
        kept.sort_unstable();
        kept
    }

    const NONE: Option<i64> = None;

    #[test]
    fn what_is_newest() {
        // Days of the clock and of --time in the order of making; newest first; days that they count as; `latest`.
        type Row<'a> = (&'a str, &'a [(i64, Option<i64>)], &'a [u8], &'a [i64], u8);
        let rows: &[Row<'_>] = &[
            (
                "in order",
                &[(1, NONE), (2, NONE), (3, NONE)],
                &[3, 2, 1],
                &[1, 2, 3],
                3,
            ),
            (
                "set back once",
                &[(400, NONE), (401, NONE), (36, NONE)],
                &[3, 2, 1],
                &[400, 401, 401],
                3,
            ),
            (
                "set back and right again",
                &[(400, NONE), (401, NONE), (36, NONE), (403, NONE)],
                &[4, 3, 2, 1],
                &[400, 401, 401, 403],
                4,
            ),
            (
                "set back for good",
                &[(400, NONE), (36, NONE), (37, NONE), (38, NONE)],
                &[4, 3, 2, 1],
                &[36, 36, 37, 38],
                4,
            ),
            (
                "ahead once, and that day has come",
                &[(400, NONE), (500, NONE), (401, NONE), (402, NONE)],
                &[4, 3, 2, 1],
                &[400, 400, 401, 402],
                4,
            ),
            (
                "ahead of now",
                &[(400, NONE), (30_000, NONE), (401, NONE)],
                &[3, 2, 1],
                &[400, 400, 401],
                3,
            ),
            (
                "ahead of now, and last",
                &[(400, NONE), (30_000, NONE)],
                &[2, 1],
                &[400, 400],
                1,
            ),
            (
                "nothing but the future",
                &[(30_000, NONE), (30_001, NONE)],
                &[2, 1],
                &[30_000, 30_001],
                2,
            ),
            (
                "--time in the future",
                &[(400, NONE), (401, Some(30_000))],
                &[2, 1],
                &[400, 401],
                1,
            ),
            (
                "--time in the future, and later ones",
                &[(400, NONE), (401, Some(30_000)), (402, NONE)],
                &[3, 2, 1],
                &[400, 401, 402],
                3,
            ),
            (
                "--time that has come",
                &[(400, Some(500)), (401, NONE)],
                &[2, 1],
                &[400, 401],
                2,
            ),
            (
                "--time in the past",
                &[(400, NONE), (401, Some(9))],
                &[1, 2],
                &[400, 9],
                1,
            ),
        ];
        for (what, days, order, counts_as, latest) in rows {
            let facts = settled(days);
            let mut sorted: Vec<&SnapshotInfo> = facts.iter().collect();
            sorted.sort_by(|a, b| newest_first(a, b));
            assert_eq!(ids(&sorted), *order, "{what}");
            let days: Vec<i64> = facts.iter().map(|f| f.at.as_second() / DAY).collect();
            assert_eq!(days, *counts_as, "{what}");
            let chosen = select::choose(&facts, "latest", &Filter::default(), None).unwrap();
            assert_eq!(chosen.id.0[0], *latest, "{what}");
        }
    }

    #[test]
    fn a_wrong_time_pushes_nothing_out() {
        let newest = |bucket, n| Rule::Newest {
            bucket,
            count: Count::Limited(n),
        };
        // Ahead of now: kept, without taking the place of another.
        let future = settled(&[(400, NONE), (401, NONE), (30_000, NONE)]);
        assert_eq!(kept(&future, newest(Bucket::EACH, 1)), [2, 3]);
        assert_eq!(kept(&future, newest(Bucket::DAY, 2)), [1, 2, 3]);
        // The clock set back: the last one made counts among all, and takes no day from those of the right clock.
        let back = settled(&[(400, NONE), (401, NONE), (36, NONE)]);
        assert_eq!(kept(&back, newest(Bucket::EACH, 1)), [3]);
        assert_eq!(kept(&back, newest(Bucket::DAY, 2)), [1, 2]);
        let ahead = settled(&[(400, NONE), (500, NONE), (401, NONE), (402, NONE)]);
        assert_eq!(kept(&ahead, newest(Bucket::DAY, 3)), [1, 3, 4]);
    }

    #[test]
    fn clocks_that_nearly_agree() {
        let mut facts = chain(&[(1, NONE), (2, NONE), (3, NONE)]);
        // Overlapping runs, and a clock that was put right by a minute.
        facts[1].made.ended = later(facts[1].made.ended);
        facts[2].time = at(2 * DAY + 60);
        (facts[2].at, facts[2].made.started) = (facts[2].time, facts[2].time);
        facts[2].made.ended = facts[2].time;
        settle(&mut facts, at(NOW));
        assert!(facts.iter().all(|facts| facts.dated == Dated::Believed));
        // Two machines know nothing of each other.
        let mut facts = chain(&[(400, NONE), (36, NONE)]);
        facts[1].made.machine = [8; 16];
        settle(&mut facts, at(NOW));
        assert_eq!(facts[1].at, at(36 * DAY));
    }

    #[test]
    fn the_longest_part_that_never_falls() {
        let rising = |values: &[i64]| {
            let values: Vec<Timestamp> = values.iter().map(|v| at(*v)).collect();
            longest_rising(&values)
                .into_iter()
                .map(|i| values[i].as_second())
                .collect::<Vec<_>>()
        };
        assert!(rising(&[]).is_empty());
        assert_eq!(rising(&[1, 1, 1]), [1, 1, 1]);
        assert_eq!(rising(&[5, 1, 6, 2, 3]), [1, 2, 3]);
        assert_eq!(rising(&[1, 9, 2, 3, 8, 4]), [1, 2, 3, 4]);
    }
}
