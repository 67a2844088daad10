//! Copies what is intact in damaged packs into new ones, and condemns the damaged: then a backup that still has what
//! was lost stores it again, and a collection deletes the pack once it is not needed any more.

use super::{RepairOptions, tell, tell_of, under_session};
use crate::check::{self, ReadData};
use crate::error::{Error, Result, Usage};
use crate::monitor::{self, Monitor, Phase};
use crate::problem::Damage;
use crate::repo::{Repo, index_progress};
use chunkstore::index::Inventory;
use chunkstore::pack;
use chunkstore::remote::ObjectName;
use chunkstore::session::View;
use chunkstore::store::Store;
use chunkstore::sweep::{self, Rescue, Rescued};
use chunkstore::{Error as StoreError, PackId};
use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::AtomicU64;

#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct PacksRepaired {
    /// Packs that were found damaged, or were named.
    pub packs: u64,
    /// Those of them that no snapshot needs anything of: condemned, and a collection removes them.
    pub packs_unneeded: u64,
    /// Those of them that are gone, or whose own list can't be read and that are in no index segment.
    pub packs_lost: u64,
    pub chunks_rescued: u64,
    pub bytes_rescued: u64,
    /// Chunks in these packs that are of no more use and have no other copy.
    pub chunks_lost: u64,
}

/// Rescues the packs with these ids (hexadecimal); if none is given, reads all to find the damaged ones.
pub fn packs(
    repo: &Repo,
    ids: &[String],
    options: &RepairOptions,
    monitor: &dyn Monitor,
) -> Result<PacksRepaired> {
    let mut hurt = HashSet::new();
    let mut unneeded = BTreeSet::new();
    for id in ids {
        let known =
            PackId::from_hex(id).ok_or_else(|| Error::Usage(Usage::NotAPackId { text: id.clone() }))?;
        hurt.insert(known);
    }
    if ids.is_empty() {
        let options = check::CheckOptions {
            read_data: ReadData::All,
        };
        let report = check::run(repo, &options, monitor)?;
        hurt.extend(report.hurt_packs);
        unneeded = report.unneeded_packs;
    }
    if hurt.is_empty() && unneeded.is_empty() {
        return Ok(PacksRepaired::default());
    }
    under_session(repo, options, || {
        rescue(&repo.store, &hurt, unneeded, options, monitor)
    })
}

fn rescue(
    store: &Store,
    hurt: &HashSet<PackId>,
    unneeded: BTreeSet<PackId>,
    options: &RepairOptions,
    monitor: &dyn Monitor,
) -> Result<PacksRepaired> {
    monitor.phase(Phase::Repacking);
    let mut done = PacksRepaired {
        packs: (hurt.len() + unneeded.len()) as u64,
        packs_unneeded: unneeded.len() as u64,
        ..PacksRepaired::default()
    };
    let view = View::read(store)?;
    let present = store.packs()?;
    let progress = index_progress(monitor);
    let index = store.index_of(&view, &present, &mut |done, total| progress(done, total))?;
    // What it lists would count as lost.
    store.index_is_read()?;
    let bytes = AtomicU64::new(0);
    let mut on_progress = |more| monitor::sent(monitor, store.cancel(), &bytes, more);
    let mut rescue = Rescue::begin(store, &index, hurt, options.dry_run)?;
    // Also without a rescue all that is unneeded is condemned.
    let mut condemned = unneeded;
    let result = each_pack(store, &view, &present, hurt, &mut |id, list| match list {
        Ok(list) => {
            condemned.insert(id);
            rescue.pack(&list, &mut on_progress)
        }
        Err(e) => {
            done.packs_lost += 1;
            tell_of(monitor, ObjectName::pack(id), &e);
            Ok(())
        }
    });
    let Rescued { chunks, bytes, lost } = rescue.finish(result, &mut on_progress)?;
    (done.chunks_rescued, done.bytes_rescued, done.chunks_lost) = (chunks, bytes, lost);
    if lost > 0 {
        tell(monitor, "packs", Damage::ChunksLost { chunks: lost });
    }
    // Only once the copies are listed: from now on nothing new refers to these packs.
    condemned.retain(|id| !view.condemned.contains(id));
    if !options.dry_run {
        sweep::condemn_packs(store, &condemned)?;
    }
    Ok(done)
}

type OnList<'a> = dyn FnMut(PackId, Result<pack::PackList, StoreError>) -> Result<(), StoreError> + 'a;

/// Calls `each` with the list of every damaged pack, from the index or else the pack; with the reason, if there is
/// none. Holds the lists of one index segment at a time.
fn each_pack(
    store: &Store,
    view: &View,
    present: &Inventory,
    hurt: &HashSet<PackId>,
    each: &mut OnList<'_>,
) -> Result<(), StoreError> {
    let mut left: BTreeSet<PackId> = hurt.iter().copied().collect();
    for id in &view.segments {
        let segment = match store.segment(*id) {
            Ok(segment) => segment,
            // Reported by what repairs the index.
            Err(e) if e.is_hurt() => continue,
            Err(e) => return Err(e),
        };
        let is_wanted = |pack: &PackId| left.contains(pack) && present.contains_key(pack);
        if segment.packs.iter().any(|pack| is_wanted(&pack.id)) {
            let mut lists = segment.into_lists();
            lists.retain(|list| present.contains_key(&list.id));
            for list in lists {
                if left.remove(&list.id) {
                    each(list.id, Ok(list))?;
                }
            }
        }
    }
    for id in left {
        let list = match present.contains_key(&id) {
            true => pack::read_list(store.remote(), store.keys(), id),
            false => Err(StoreError::missing(ObjectName::pack(id))),
        };
        match list {
            Err(e) if !e.is_object_local() => return Err(e),
            list => each(id, list)?,
        }
    }
    Ok(())
}
