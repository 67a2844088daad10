//! What a policy would keep on another day. Of a day that is past, only the snapshots that were made by then count. Until a
//! day that is to come, each group is taken to get further snapshots, as often as it did lately: policies count back from
//! the newest one, so that without them nothing would ever grow old.

use crate::expire::ExpiryPlan;
use crate::facts::{Dated, GroupKey, SnapshotInfo, group_by};
use crate::forget::{ForgetAction, PolicyDecision};
use crate::manifest::Snapshot;
use crate::order;
use crate::retain::{self, Policy};
use crate::select::Filter;
use chunkstore::SessionId;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// So many of the newest snapshots show how often there is one.
const LATELY: usize = 20;
/// Where there is only one snapshot.
const USUAL: SignedDuration = SignedDuration::from_hours(24);
const SHORTEST: SignedDuration = SignedDuration::from_secs(60);
/// Further snapshots of a group at most: beyond, they are taken to be rarer.
const MOST: i64 = 10_000;

/// Decides as [`crate::forget::plan`] would on that day, about the snapshots that exist today.
pub fn plan(
    snapshots: &[Snapshot],
    policy: &Policy,
    keys: &[GroupKey],
    filter: &Filter,
    zone: &TimeZone,
    (now, day): (Timestamp, Timestamp),
) -> Vec<PolicyDecision> {
    let mut facts = order::facts(snapshots, now.max(day));
    facts.retain(|facts| facts.at <= day);
    let mut decisions = Vec::with_capacity(facts.len());
    for group in group_by(&filter.matching(&facts), keys) {
        let further = further(&group.members, now, day);
        let all: Vec<&SnapshotInfo> = group.members.iter().copied().chain(&further).collect();
        let decided = retain::decide(&all, policy, zone, day);
        for decision in decided {
            let member = group.members.iter().find(|facts| facts.id == decision.id);
            decisions.extend(member.map(|facts| PolicyDecision {
                facts: (*facts).clone(),
                action: match decision.keep {
                    true => ForgetAction::Keep,
                    false => ForgetAction::Remove,
                },
                reasons: decision.reasons,
            }));
        }
    }
    decisions
}

/// When the newest complete snapshot of a group will have been made on that day. `members` are those made by then, the newest
/// first.
pub fn newest_at(members: &[&SnapshotInfo], now: Timestamp, day: Timestamp) -> Option<Timestamp> {
    let further = further(members, now, day);
    let all: Vec<&SnapshotInfo> = members.iter().copied().chain(&further).collect();
    ExpiryPlan::newest_at(&all)
}

/// The snapshots that a group will have got from `now` until `day`. `members` are the newest first.
fn further(members: &[&SnapshotInfo], now: Timestamp, day: Timestamp) -> Vec<SnapshotInfo> {
    let complete: Vec<&SnapshotInfo> = members.iter().copied().filter(|facts| !facts.partial).collect();
    let Some(newest) = complete.first() else {
        return Vec::new();
    };
    let mut gaps: Vec<SignedDuration> = complete
        .windows(2)
        .take(LATELY)
        .filter_map(|pair| match pair {
            [later, earlier] => Some(later.at.duration_since(earlier.at)),
            _ => None,
        })
        .collect();
    gaps.sort_unstable();
    let usual = gaps.get(gaps.len() / 2).copied().unwrap_or(USUAL);
    let first = newest.at.max(now);
    let fewest = SignedDuration::from_secs(day.duration_since(first).as_secs() / MOST);
    let gap = usual.max(SHORTEST).max(fewest);
    let mut found = Vec::new();
    let mut next = first.checked_add(gap);
    while let Ok(at) = next
        && at <= day
    {
        found.push(SnapshotInfo {
            id: numbered(found.len() as u64),
            time: at,
            at,
            dated: Dated::Believed,
            tags: Vec::new(),
            protected: false,
            original: None,
            ..(*newest).clone()
        });
        next = at.checked_add(gap);
    }
    found
}

/// An id that no session gets, which are random.
fn numbered(number: u64) -> SessionId {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.to_le_bytes());
    SessionId(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Made;

    fn day(nr: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + nr * 86_400).unwrap()
    }

    fn made(nr: i64) -> SnapshotInfo {
        SnapshotInfo {
            id: SessionId([nr as u8 + 1; 16]),
            time: day(nr),
            at: day(nr),
            dated: Dated::Believed,
            made: Made::default(),
            host: "h".into(),
            paths: Vec::new(),
            tags: Vec::new(),
            set: String::new(),
            protected: false,
            partial: false,
            original: None,
        }
    }

    #[test]
    fn backups_go_on_as_often_as_before() {
        let list: Vec<SnapshotInfo> = [4, 2, 0].map(made).into();
        let members: Vec<&SnapshotInfo> = list.iter().collect();
        let found = further(&members, day(5), day(11));
        assert_eq!(
            found.iter().map(|facts| facts.at).collect::<Vec<_>>(),
            [day(7), day(9), day(11)]
        );
        assert!(further(&members, day(5), day(3)).is_empty());
        // One snapshot, and a day that is far away.
        assert_eq!(further(&members[..1], day(4), day(14)).len(), 10);
        let far = further(&members[..1], day(4), day(4 + 365 * 50));
        assert!((9_000..=10_001).contains(&far.len()), "{}", far.len());
    }
}
