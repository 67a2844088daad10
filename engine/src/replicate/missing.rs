//! Which generations one replica lacks of another's.
//!
//! A generation is the same as another if both have one origin: its id, or the id that it first had. A replica is behind
//! by what is newer than the newest that it has, or has in its trash, of the same host and paths, and by what this machine
//! could not bring when it was made ([`super::debts`]). What else is older and not there was forgotten on purpose, by its
//! own retention, and does not come back by itself.
//!
//! "Newer" is meant among the generations of both sides together ([`crate::order`]): a replica that has only the older
//! ones can't know yet which clock was wrong.

use super::debts;
use crate::error::{Error, Result, StoreError};
use crate::facts::{SnapshotInfo, newest_first};
use crate::manifest::{Manifest, Snapshot};
use crate::order;
use crate::repo::{Repo, Survey};
use chunkstore::SessionId;
use jiff::Timestamp;
use std::cmp::Ordering;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

/// What a replica lacks, and what it has.
pub struct Lacking {
    /// Oldest first.
    pub snapshots: Vec<Snapshot>,
    /// Names at the other whose manifests can't be read there, and why: as far as is known, they are lacking, too.
    pub unread: Vec<(SessionId, Error)>,
    /// The newest at the replica of each host and paths that something comes for.
    pub newest: Vec<SessionId>,
    /// Names of what the replica has.
    pub there: HashSet<SessionId>,
}

type OriginGroup = (String, Vec<Vec<u8>>);

fn group(facts: &SnapshotInfo) -> OriginGroup {
    let mut paths = facts.paths.clone();
    paths.sort();
    (facts.host.clone(), paths)
}

fn origin(facts: &SnapshotInfo) -> SessionId {
    facts.original.unwrap_or(facts.id)
}

/// The newest that a replica has of one host and paths.
struct Newest {
    at: Timestamp,
    /// Not of what is in the trash.
    id: Option<SessionId>,
    /// The highest number of each machine.
    numbers: HashMap<[u8; 16], u64>,
}

impl Newest {
    fn add(&mut self, facts: &SnapshotInfo, id: Option<SessionId>) {
        if facts.at >= self.at {
            (self.at, self.id) = (facts.at, id);
        }
        if facts.made.sequence > 0 {
            let number = self.numbers.entry(facts.made.machine).or_default();
            *number = facts.made.sequence.max(*number);
        }
    }

    /// Whether `facts` is newer. If the times hardly differ, the order in which its machine made them decides.
    fn is_before(&self, facts: &SnapshotInfo) -> bool {
        let made = facts.made;
        let number = self.numbers.get(&made.machine).filter(|_| made.sequence > 0);
        facts.at > self.at
            || match number {
                Some(number) => made.sequence > *number && order::later(facts.at) >= self.at,
                None => facts.at == self.at,
            }
    }
}

/// What is known of a replica's generations.
#[derive(Default)]
struct Have {
    origins: HashSet<SessionId>,
    trashed: HashSet<SessionId>,
    names: HashSet<SessionId>,
    newest: BTreeMap<OriginGroup, Newest>,
}

impl Have {
    /// `ours` is all that the other has. Settles the order of all of them.
    fn read(repo: &Repo, ours: &mut Vec<SnapshotInfo>, now: Timestamp) -> Result<Have> {
        let mut have = Have::default();
        let (snapshots, unreadable) = repo.outlines()?;
        // What they were is not known, so they count as being there.
        have.origins.extend(unreadable.iter().map(|(id, _)| *id));
        have.names.clone_from(&have.origins);
        have.names.extend(snapshots.iter().map(|snapshot| snapshot.id));
        let mut theirs: Vec<SnapshotInfo> = snapshots.iter().map(Snapshot::facts).collect();
        for id in repo.store.trashed()? {
            match repo.store.trash(id) {
                Ok((body, _)) => theirs.push(Manifest::decode(id, &body)?.facts(id)),
                // Ended in the meantime.
                Err(StoreError::Missing { .. }) => {}
                Err(e) if e.is_damage() => {
                    have.trashed.insert(id);
                }
                Err(e) => return Err(e.into()),
            }
        }
        let count = ours.len();
        let mut places: HashMap<SessionId, usize> = (0..count).map(|n| (origin(&ours[n]), n)).collect();
        for facts in &theirs {
            if let Entry::Vacant(place) = places.entry(origin(facts)) {
                place.insert(ours.len());
                ours.push(facts.clone());
            }
        }
        order::settle(ours, now);
        for (number, facts) in theirs.iter().enumerate() {
            let settled = places.get(&origin(facts)).map_or(facts, |place| &ours[*place]);
            have.add(facts, settled, number >= snapshots.len());
        }
        ours.truncate(count);
        Ok(have)
    }

    /// `settled` is the same generation with the time that it counts as; a copy does not have its number.
    fn add(&mut self, facts: &SnapshotInfo, settled: &SnapshotInfo, in_trash: bool) {
        let origins = match in_trash {
            true => &mut self.trashed,
            false => &mut self.origins,
        };
        origins.insert(facts.id);
        origins.extend(facts.original);
        if settled.is_in_future() {
            // Or nothing that is made from now on would count as newer.
            return;
        }
        let newest = self.newest.entry(group(facts)).or_insert_with(|| Newest {
            at: settled.at,
            id: None,
            numbers: HashMap::new(),
        });
        newest.add(settled, (!in_trash).then_some(facts.id));
    }

    /// Whether it has, or has in its trash, what the other lists under this name. What that restates is not known.
    fn knows(&self, id: SessionId) -> bool {
        self.origins.contains(&id) || self.trashed.contains(&id)
    }

    /// `owed` are those that could not be brought when they were made.
    fn lacks(&self, facts: &SnapshotInfo, all: bool, owed: &HashSet<SessionId>) -> bool {
        let has = |ids: &HashSet<SessionId>| ids.contains(&origin(facts)) || ids.contains(&facts.id);
        if has(&self.origins) {
            return false;
        }
        let newest = self.newest.get(&group(facts));
        let is_newer = newest.is_none_or(|newest| facts.is_in_future() || newest.is_before(facts));
        all || !has(&self.trashed) && (is_newer || has(owed))
    }
}

/// What `to` lacks of the generations of `from`; with `all` also what it forgot.
pub fn lacking(from: &Repo, to: &Repo, all: bool, now: Timestamp) -> Result<Lacking> {
    let Survey {
        mut snapshots,
        unreadable: mut unread,
        lost,
    } = from.survey_outlines()?;
    if let Err(e @ Error::ShortListing(_)) = lost {
        // What it lacks would be hidden by the later ones that it has.
        return Err(e);
    }
    let mut facts: Vec<SnapshotInfo> = snapshots.iter().map(Snapshot::facts).collect();
    let have = Have::read(to, &mut facts, now)?;
    let owed = debts::of(to, from);
    let mut complete = BTreeMap::<OriginGroup, &SnapshotInfo>::new();
    for facts in facts
        .iter()
        .filter(|facts| !facts.partial && !facts.is_in_future())
    {
        let newest = complete.entry(group(facts)).or_insert(facts);
        if newest_first(facts, newest) == Ordering::Less {
            *newest = facts;
        }
    }
    let wanted = |facts: &&SnapshotInfo| {
        // A part of what came whole later is of no use to anybody.
        let superseded = |by: &&SnapshotInfo| newest_first(by, facts) == Ordering::Less;
        have.lacks(facts, all, &owed)
            && !(facts.partial && complete.get(&group(facts)).is_some_and(superseded))
    };
    let mut wanted: HashMap<SessionId, OriginGroup> = facts
        .iter()
        .filter(wanted)
        .map(|facts| (facts.id, group(facts)))
        .collect();
    unread.retain(|(id, _)| !have.knows(*id));
    if !all && (!wanted.is_empty() || !unread.is_empty()) {
        // Where only the name is listed, the storage lost or damaged it, and it may come again.
        let forgotten = to.store.forgotten()?;
        let known = forgotten.iter().filter(|f| f.machine != [0; 16]);
        let gone: HashSet<SessionId> = known.flat_map(|f| [f.id, f.original.unwrap_or(f.id)]).collect();
        for facts in facts.iter().filter(|facts| gone.contains(&origin(facts))) {
            wanted.remove(&facts.id);
        }
        unread.retain(|(id, _)| !gone.contains(id));
    }
    snapshots.retain(|snapshot| wanted.contains_key(&snapshot.id));
    let groups: HashSet<&OriginGroup> = wanted.values().collect();
    let newest = have.newest.iter().filter(|(group, _)| groups.contains(group));
    let newest = newest
        .filter_map(|(_, newest)| newest.id)
        .take(super::PARENTS)
        .collect();
    Ok(Lacking {
        snapshots,
        unread,
        newest,
        there: have.names,
    })
}
