//! Which generations one replica lacks of another's.
//!
//! A generation is the same as another if both have one origin: its id, or the id that it first had. A replica is behind
//! by what is newer than the newest that it has, or has in its trash, of the same host and paths. What is older and not
//! there was forgotten on purpose, by its own retention, and does not come back by itself.

use crate::error::{Result, StoreError};
use crate::manifest::{Manifest, Snapshot};
use crate::repo::Repo;
use chunkstore::SessionId;
use jiff::Timestamp;
use std::collections::{BTreeMap, HashSet};

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

fn group(manifest: &Manifest) -> Group {
    let mut paths = manifest.paths.clone();
    paths.sort();
    (manifest.host.clone(), paths)
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
    fn add(&mut self, id: SessionId, manifest: &Manifest, in_trash: bool) {
        let origins = match in_trash {
            true => &mut self.trashed,
            false => &mut self.origins,
        };
        origins.insert(id);
        origins.extend(manifest.original);
        let newest = self.newest.entry(group(manifest));
        let newest = newest.or_insert((manifest.time(), None));
        if manifest.time() >= newest.0 {
            *newest = (manifest.time(), (!in_trash).then_some(id));
        }
    }

    fn read(repo: &Repo) -> Result<Have> {
        let mut have = Have::default();
        let (snapshots, unreadable) = repo.snapshots()?;
        // What they were can't be told, so they count as being there.
        have.origins.extend(unreadable.iter().map(|(id, _)| *id));
        have.names.clone_from(&have.origins);
        have.names.extend(snapshots.iter().map(|snapshot| snapshot.id));
        for snapshot in &snapshots {
            have.add(snapshot.id, &snapshot.manifest, false);
        }
        for id in repo.store.trashed()? {
            match repo.store.trash(id) {
                Ok((body, _)) => have.add(id, &Manifest::decode(id, &body)?, true),
                // Ended meanwhile.
                Err(StoreError::Missing { .. }) => {}
                Err(e) if e.is_damage() => {
                    have.trashed.insert(id);
                }
                Err(e) => return Err(e.into()),
            }
        }
        Ok(have)
    }

    fn lacks(&self, snapshot: &Snapshot, all: bool) -> bool {
        let origin = snapshot.manifest.original.unwrap_or(snapshot.id);
        let has = |ids: &HashSet<SessionId>| ids.contains(&origin) || ids.contains(&snapshot.id);
        if has(&self.origins) {
            return false;
        }
        let newest = self.newest.get(&group(&snapshot.manifest));
        all || !has(&self.trashed) && newest.is_none_or(|(time, _)| snapshot.manifest.time() > *time)
    }
}

/// What `to` lacks of the generations of `from`; with `all` also what it forgot.
pub fn lacking(from: &Repo, to: &Repo, all: bool) -> Result<Lacking> {
    let have = Have::read(to)?;
    let (mut snapshots, _unreadable) = from.snapshots()?;
    let mut complete = BTreeMap::<Group, Timestamp>::new();
    for snapshot in snapshots.iter().filter(|snapshot| !snapshot.manifest.partial) {
        complete.insert(group(&snapshot.manifest), snapshot.manifest.time());
    }
    snapshots.retain(|snapshot| {
        // A part of what came whole later is of no use to anybody.
        let superseded = complete.get(&group(&snapshot.manifest));
        let superseded = superseded.is_some_and(|time| *time >= snapshot.manifest.time());
        have.lacks(snapshot, all) && !(snapshot.manifest.partial && superseded)
    });
    let groups: HashSet<Group> = snapshots.iter().map(|s| group(&s.manifest)).collect();
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
