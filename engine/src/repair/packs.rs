//! Copies what is whole in hurt packs into new ones, and condemns the hurt: then a backup that still has what was lost
//! stores it again, and a collection deletes the pack once nobody needs it.

use super::{Options, tell, under_session};
use crate::check::{self, ReadData};
use crate::error::{Error, Result};
use crate::monitor::{self, Monitor, Phase};
use crate::repo::{Repo, index_progress};
use chunkstore::pack::{self, PackList};
use chunkstore::remote::ObjectName;
use chunkstore::session::{Mark, View};
use chunkstore::store::Store;
use chunkstore::{Error as StoreError, PackId, sweep};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::atomic::AtomicU64;

#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct PacksRepaired {
    /// Packs that were found hurt, or were named.
    pub packs: u64,
    /// Those of them that are gone, or do not say what is in them and are in no index segment.
    pub packs_lost: u64,
    pub chunks_rescued: u64,
    pub bytes_rescued: u64,
    /// Chunks in these packs that are of no more use and have no other copy.
    pub chunks_lost: u64,
}

/// Rescues the packs with these ids (hexadecimal); where none is given, reads all to find the hurt ones.
pub fn packs(repo: &Repo, ids: &[String], options: &Options, monitor: &dyn Monitor) -> Result<PacksRepaired> {
    let mut hurt = BTreeSet::new();
    for id in ids {
        let known = PackId::from_hex(id).ok_or_else(|| Error::Usage(format!("'{id}' is no pack's id")))?;
        hurt.insert(known);
    }
    if ids.is_empty() {
        let options = check::Options {
            read_data: ReadData::All,
            threads: options.threads,
        };
        let report = check::run(repo, &options, monitor)?;
        hurt.extend(report.broken_packs.iter().filter_map(|id| PackId::from_hex(id)));
    }
    if hurt.is_empty() {
        return Ok(PacksRepaired::default());
    }
    under_session(repo, options, || rescue(&repo.store, &hurt, options, monitor))
}

fn rescue(
    store: &Store,
    hurt: &BTreeSet<PackId>,
    options: &Options,
    monitor: &dyn Monitor,
) -> Result<PacksRepaired> {
    monitor.phase(Phase::Repacking);
    let mut done = PacksRepaired {
        packs: hurt.len() as u64,
        ..PacksRepaired::default()
    };
    let view = View::read(store)?;
    let present = store.packs()?;
    let lists = lists(store, &view, hurt)?;
    let mut found: Vec<PackList> = Vec::new();
    for id in hurt {
        let list = match lists.get(id) {
            _ if !present.contains_key(id) => Err(StoreError::Missing {
                object: ObjectName::pack(*id).to_string(),
            }),
            Some(list) => Ok(list.clone()),
            None => pack::read_list(store.remote(), store.keys(), *id),
        };
        match list {
            Ok(list) => found.push(list),
            Err(e) if e.is_hurt() => {
                done.packs_lost += 1;
                tell(monitor, ObjectName::pack(*id), e);
            }
            Err(e) => return Err(e.into()),
        }
    }
    let progress = index_progress(monitor);
    let index = store.index_of(&view, &present, &mut |done, total| progress(done, total))?;
    let bytes = AtomicU64::new(0);
    let mut told = |more| monitor::sent(monitor, &bytes, more);
    let rescued = sweep::rescue(store, &index, &found, options.dry_run, &mut told)?;
    (done.chunks_rescued, done.bytes_rescued) = (rescued.chunks, rescued.bytes);
    done.chunks_lost = rescued.lost;
    if rescued.lost > 0 {
        let why = format!("{} chunks in the hurt packs are lost", rescued.lost);
        tell(monitor, "packs", why);
    }
    // Only once the copies are listed: from now on nobody refers to these packs anew.
    let condemned: HashSet<PackId> = found.iter().map(|list| list.id).collect();
    let new: HashSet<PackId> = condemned.difference(&view.condemned).copied().collect();
    if !options.dry_run && !new.is_empty() {
        Mark::publish(store, &new)?;
    }
    Ok(done)
}

/// What the index says of these packs.
fn lists(store: &Store, view: &View, hurt: &BTreeSet<PackId>) -> Result<BTreeMap<PackId, PackList>> {
    let mut lists = BTreeMap::new();
    for id in &view.segments {
        let segment = match store.segment(*id) {
            Ok(segment) => segment,
            // Told by what repairs the index.
            Err(e) if e.is_hurt() => continue,
            Err(e) => return Err(e.into()),
        };
        if segment.packs.iter().any(|pack| hurt.contains(&pack.id)) {
            let wanted = segment
                .into_lists()
                .into_iter()
                .filter(|list| hurt.contains(&list.id));
            lists.extend(wanted.map(|list| (list.id, list)));
        }
    }
    Ok(lists)
}
