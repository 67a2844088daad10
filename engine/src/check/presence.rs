//! Whether everything that generations refer to is there: in the index, in a pack that is there and long enough. What only
//! condemned packs hold is read: a repair condemns what it had to give up, and that is lost until nobody needs it.

use super::structure::Structure;
use super::{Findings, sound};
use crate::error::Result;
use chunkstore::frame::Decoder;
use chunkstore::index::{Condemned, Located, Presence};
use chunkstore::indexfile::IndexSegment;
use chunkstore::live::LiveSet;
use chunkstore::pack::Class;
use chunkstore::store::Store;
use chunkstore::{ChunkId, Error as StoreError, PackId, SmallFile};
use std::collections::{BTreeMap, BTreeSet};

/// Whether every chunk and small file that is referred to is in the index, inside a pack that is there.
pub(super) fn check(
    store: &Store,
    structure: &mut Structure,
    live: &mut LiveSet,
    read_condemned: bool,
    findings: &mut Findings,
) -> Result<()> {
    let mut lost = LiveSet::new(store.cache())?;
    let mut any_lost = false;
    let mut decoder = Decoder::new()?;
    let Structure {
        index,
        packs,
        condemned,
        needed,
        chunks,
        ..
    } = structure;
    live.scan(&mut |ids| {
        *chunks += ids.len() as u64;
        for (id, located) in ids.iter().zip(index.locate_sorted(ids)?) {
            let Some(located) = located else {
                lost.insert(*id)?;
                findings.bad.insert(*id)?;
                any_lost = true;
                continue;
            };
            let pack = located.place.pack;
            needed.insert(pack);
            let end = u64::from(located.place.offset) + u64::from(located.place.stored_len);
            // A pack of the wrong size was named already.
            if packs.get(&pack).is_some_and(|size| end > *size) {
                findings.bad.insert(*id)?;
                findings.hurts_paths = true;
            } else if read_condemned && located.class == Class::Data && condemned.contains(&pack) {
                let read = read_frame(store, &mut decoder, id, &located);
                if let Err(e) = split(read)? {
                    findings.hurt_pack(pack, format!("chunk {id}: {e}"));
                    findings.bad.insert(*id)?;
                    findings.hurts_paths = true;
                }
            }
        }
        Ok(())
    })?;
    let none = Condemned::new();
    let mut presence = Presence::default();
    let bundle = &mut |id: &ChunkId| {
        *chunks += 1;
        let Some(located) = index.locate(id)? else {
            return Ok(false);
        };
        let pack = located.place.pack;
        needed.insert(pack);
        if read_condemned && condemned.contains(&pack) {
            let read = read_frame(store, &mut decoder, id, &located);
            if let Err(e) = split(read)? {
                findings.hurt_pack(pack, format!("chunk {id}: {e}"));
                findings.bad.insert(*id)?;
                findings.hurts_paths = true;
            }
        }
        Ok(true)
    };
    let mut moved = BTreeSet::new();
    let to = &mut |file: &SmallFile| {
        let to = index.moved_to(file, &none)?;
        moved.extend(to.map(|to| to.pack));
        Ok(to.is_some())
    };
    live.scan_files(&mut |file| {
        if !presence.of(file, bundle, to)? {
            lost.insert(file.bundle)?;
            any_lost = true;
        }
        Ok(())
    })?;
    needed.extend(moved);
    lost.scan(&mut |ids| ids.iter().try_for_each(|id| findings.bad.insert(*id).map(drop)))?;
    if any_lost {
        findings.hurts_paths = true;
        name_lost(store, structure, &mut lost, findings)?;
    }
    Ok(())
}

pub(super) fn read_frame(
    store: &Store,
    decoder: &mut Decoder,
    id: &ChunkId,
    at: &Located,
) -> Result<Vec<u8>, StoreError> {
    let mut out = Vec::new();
    decoder.read(store.remote(), store.keys(), at.class, *id, &at.place, &mut out)?;
    Ok(out)
}

/// As [`sound`], below the engine.
fn split<T>(result: Result<T, StoreError>) -> Result<Result<T, StoreError>, StoreError> {
    match result {
        Err(e) if !e.is_of_one_object() => Err(e),
        result => Ok(result),
    }
}

/// Names the missing packs that held lost chunks, and counts what no segment lists at all.
fn name_lost(
    store: &Store,
    structure: &mut Structure,
    lost: &mut LiveSet,
    findings: &mut Findings,
) -> Result<()> {
    let mut seen = LiveSet::new(store.cache())?;
    let mut missing: BTreeMap<PackId, u64> = BTreeMap::new();
    for id in structure.segments() {
        let Ok(segment) = sound(IndexSegment::load(store.remote(), store.keys(), *id))? else {
            continue;
        };
        for entry in &segment.entries {
            if lost.contains(&entry.id)? {
                seen.insert(entry.id)?;
                *missing.entry(segment.packs[entry.pack as usize].id).or_default() += 1;
            }
        }
    }
    for (pack, count) in missing {
        let why = format!("it is missing, and {count} chunks in it are needed");
        findings.hurt_pack(pack, why);
    }
    let mut unlisted = 0;
    lost.scan(&mut |ids| {
        for id in ids {
            unlisted += u64::from(!seen.contains(id)?);
        }
        Ok(())
    })?;
    if unlisted > 0 {
        let why = format!("{unlisted} chunks that snapshots need are in no index segment");
        findings.damage("index", why);
        findings.index_is_short = true;
        structure.needs_more = true;
    }
    Ok(())
}
