//! Lists again the packs that no sound index segment lists, by the packs' own lists.

use super::{RepairOptions, tell_of, under_session};
use crate::error::Result;
use crate::monitor::{Monitor, Phase, Progress};
use crate::repo::Repo;
use chunkstore::indexfile::ENTRIES_PER_SEGMENT;
use chunkstore::pack::{self, PackList};
use chunkstore::remote::ObjectName;
use chunkstore::session::View;
use chunkstore::store::{Store, write_segments};
use chunkstore::{Error as StoreError, PackId};
use std::collections::HashSet;

#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct IndexRepaired {
    /// Index segments that are damaged, and count as absent.
    pub segments_damaged: u64,
    /// Index segments that can't be read; what they list is listed again.
    pub segments_unreadable: u64,
    /// Packs that no segment listed and that are listed now, and the chunks in them.
    pub packs_listed: u64,
    pub chunks_listed: u64,
    /// Packs whose own list can't be read.
    pub packs_unreadable: u64,
}

pub fn index(repo: &Repo, options: &RepairOptions, monitor: &dyn Monitor) -> Result<IndexRepaired> {
    under_session(repo, options, || list_unlisted(&repo.store, options, monitor))
}

fn list_unlisted(store: &Store, options: &RepairOptions, monitor: &dyn Monitor) -> Result<IndexRepaired> {
    monitor.phase(Phase::CheckingStructure);
    let mut done = IndexRepaired::default();
    // Marks, then the index, then the packs: what is being deleted is not listed anew.
    let view = View::read(store)?;
    let listed = listed(store, &view, monitor)?;
    done.segments_damaged = store.damaged_segments().len() as u64;
    done.segments_unreadable = store.unreadable_segments().len() as u64;
    if done.segments_damaged > 0 {
        // Or the next collection takes the segment for sound, and leaves it there.
        chunkstore::index::discard(store.cache())?;
    }
    let mut unlisted: Vec<PackId> = store.packs()?.into_keys().collect();
    unlisted.retain(|id| !listed.contains(id) && !view.condemned.contains(id));
    unlisted.sort_unstable();
    let mut lists: Vec<PackList> = Vec::new();
    let mut waiting = 0;
    for (number, id) in unlisted.iter().enumerate() {
        store.cancel().check()?;
        monitor.progress(&Progress {
            files_done: number as u64,
            files_total: unlisted.len() as u64,
            ..Progress::default()
        });
        match pack::read_list(store.remote(), store.keys(), *id) {
            Ok(list) => {
                done.packs_listed += 1;
                done.chunks_listed += list.frames.len() as u64;
                waiting += list.rows();
                lists.push(list);
            }
            // Collected since it was listed.
            Err(StoreError::Missing { .. }) => {}
            Err(e) => match store.judge(e) {
                e if e.is_hurt() || e.is_unreadable() => {
                    done.packs_unreadable += 1;
                    tell_of(monitor, ObjectName::pack(*id), &e);
                }
                e => return Err(e.into()),
            },
        }
        if waiting >= ENTRIES_PER_SEGMENT {
            write(store, options, &mut lists)?;
            waiting = 0;
        }
    }
    write(store, options, &mut lists)?;
    Ok(done)
}

fn write(store: &Store, options: &RepairOptions, lists: &mut Vec<PackList>) -> Result<()> {
    match options.dry_run {
        true => lists.clear(),
        false => write_segments(store, lists)?,
    }
    Ok(())
}

/// The packs that sound segments list; reports segments that are damaged or can't be read.
fn listed(store: &Store, view: &View, monitor: &dyn Monitor) -> Result<HashSet<PackId>> {
    let mut listed = HashSet::new();
    for id in &view.segments {
        match store.segment(*id) {
            Ok(segment) => listed.extend(segment.packs.iter().map(|pack| pack.id)),
            // Replaced by a collection since.
            Err(StoreError::Missing { .. }) => {}
            Err(e) if e.is_hurt() || e.is_unreadable() => tell_of(monitor, ObjectName::index(*id), &e),
            Err(e) => return Err(e.into()),
        }
    }
    Ok(listed)
}
