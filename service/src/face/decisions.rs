//! The decisions of a policy, which a face shows before anything is removed.

use super::Activity;
use engine::SessionId;
use engine::facts::{Group, GroupKey, SnapshotInfo, group_by};
use engine::forget::{ForgetAction, PolicyDecision};
use std::collections::BTreeSet;

/// What becomes of each snapshot, and why.
#[derive(Debug)]
pub struct Decisions {
    pub all: Vec<PolicyDecision>,
    pub group_by: Vec<GroupKey>,
    pub during: Activity,
    pub dry_run: bool,
}

impl Decisions {
    /// Those that go.
    pub fn removals(&self) -> impl Iterator<Item = &PolicyDecision> {
        self.all.iter().filter(|d| d.action == ForgetAction::Remove)
    }

    /// The ids of those that go.
    pub(crate) fn removed_ids(&self) -> BTreeSet<SessionId> {
        self.removals().map(|gone| gone.facts.id).collect()
    }

    /// What the snapshots that were decided on have in common, and each group's decisions, newest first.
    pub fn groups<'a>(&'a self) -> Vec<(Group<'a>, Vec<&'a PolicyDecision>)> {
        let facts: Vec<&SnapshotInfo> = self.all.iter().map(|d| &d.facts).collect();
        let with_members = |group: Group<'a>| {
            let members = group.members.iter();
            let members = members.filter_map(|facts| self.all.iter().find(|d| d.facts.id == facts.id));
            let members = members.collect();
            (group, members)
        };
        let groups = group_by(&facts, &self.group_by);
        groups.into_iter().map(with_members).collect()
    }
}
