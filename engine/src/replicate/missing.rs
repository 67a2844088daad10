//! Which generations one replica lacks of another's.
//!
//! A generation is the same as another if both have one origin: its id, or the id that it first had. A replica is behind
//! by what is newer than the newest that it has, or has in its trash, of the same host and paths. What is older and not
//! there was forgotten on purpose, by its own retention, and does not come back by itself.

use crate::error::{Result, StoreError};
use crate::facts::Facts;
use crate::manifest::{Manifest, Snapshot};
use crate::order;
use crate::repo::Repo;
use chunkstore::SessionId;
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap, HashSet};

/// What a replica lacks, and what it has.
pub struct Lacking {
    /// Oldest first.
    pub snapshots: Vec<Snapshot>,
    /// The newest at the replica of each host and paths that something comes for.
    pub newest: Vec<SessionId>,
    /// Names of what the replica has.
    pub there: HashSet<SessionId>,
}

type Group = (String, Vec<Vec<u8>>);

fn group(facts: &Facts) -> Group {
    let mut paths = facts.paths.clone();
    paths.sort();
    (facts.host.clone(), paths)
}

/// What is known of a replica's generations.
#[derive(Default)]
struct Have {
    origins: HashSet<SessionId>,
    trashed: HashSet<SessionId>,
    names: HashSet<SessionId>,
    newest: BTreeMap<Group, (Timestamp, Option<SessionId>)>,
}

impl Have {
    fn add(&mut self, facts: &Facts, in_trash: bool) {
        let origins = match in_trash {
            true => &mut self.trashed,
            false => &mut self.origins,
        };
        origins.insert(facts.id);
        origins.extend(facts.original);
        if facts.is_in_future() {
            // Or nothing that is made from now on would count as newer.
            return;
        }
        let newest = self.newest.entry(group(facts));
        let newest = newest.or_insert((facts.at, None));
        if facts.at >= newest.0 {
            *newest = (facts.at, (!in_trash).then_some(facts.id));
        }
    }

    fn read(repo: &Repo, now: Timestamp) -> Result<Have> {
        let mut have = Have::default();
        let (snapshots, unreadable) = repo.snapshots()?;
        // What they were can't be told, so they count as being there.
        have.origins.extend(unreadable.iter().map(|(id, _)| *id));
        have.names.clone_from(&have.origins);
        have.names.extend(snapshots.iter().map(|snapshot| snapshot.id));
        let mut all: Vec<Facts> = snapshots.iter().map(Snapshot::facts).collect();
        for id in repo.store.trashed()? {
            match repo.store.trash(id) {
                Ok((body, _)) => all.push(Manifest::decode(id, &body)?.facts(id)),
                // Ended meanwhile.
                Err(StoreError::Missing { .. }) => {}
                Err(e) if e.is_damage() => {
                    have.trashed.insert(id);
                }
                Err(e) => return Err(e.into()),
            }
        }
        order::settle(&mut all, now);
        for (number, facts) in all.iter().enumerate() {
            have.add(facts, number >= snapshots.len());
        }
        Ok(have)
    }

    fn lacks(&self, facts: &Facts, all: bool) -> bool {
        let origin = facts.original.unwrap_or(facts.id);
        let has = |ids: &HashSet<SessionId>| ids.contains(&origin) || ids.contains(&facts.id);
        if has(&self.origins) {
            return false;
        }
        let newest = self.newest.get(&group(facts));
        all || !has(&self.trashed) && newest.is_none_or(|(at, _)| facts.is_in_future() || facts.at > *at)
    }
}

/// What `to` lacks of the generations of `from`; with `all` also what it forgot.
pub fn lacking(from: &Repo, to: &Repo, all: bool, now: Timestamp) -> Result<Lacking> {
    let have = Have::read(to, now)?;
    let (mut snapshots, _unreadable) = from.snapshots()?;
    let facts = order::facts(&snapshots, now);
    let facts: HashMap<SessionId, Facts> = facts.into_iter().map(|facts| (facts.id, facts)).collect();
    let mut complete = BTreeMap::<Group, Timestamp>::new();
    for facts in facts
        .values()
        .filter(|facts| !facts.partial && !facts.is_in_future())
    {
        let newest = complete.entry(group(facts)).or_insert(facts.at);
        *newest = facts.at.max(*newest);
    }
    snapshots.retain(|snapshot| {
        let Some(facts) = facts.get(&snapshot.id) else {
            return false;
        };
        // A part of what came whole later is of no use to anybody.
        let superseded = complete.get(&group(facts)).is_some_and(|at| *at >= facts.at);
        have.lacks(facts, all) && !(facts.partial && superseded)
    });
    let groups: HashSet<Group> = snapshots
        .iter()
        .filter_map(|s| facts.get(&s.id))
        .map(group)
        .collect();
    let newest = have.newest.iter().filter(|(group, _)| groups.contains(*group));
    let newest = newest
        .filter_map(|(_, (_, id))| *id)
        .take(super::PARENTS)
        .collect();
    Ok(Lacking {
        snapshots,
        newest,
        there: have.names,
    })
}
