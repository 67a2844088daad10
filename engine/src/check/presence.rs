//! Whether everything that generations refer to is there: in the index, in a pack that is there and long enough. What only
//! condemned packs hold is read: a repair condemns what it had to give up, and that is lost as long as it is needed.

use super::Findings;
use super::structure::{Structure, of_chunk};
use super::triage::Triage;
use crate::error::Result;
use crate::problem::Damage;
use chunkstore::frame::Decoder;
use chunkstore::index::{Condemned, Located, Presence};
use chunkstore::live::LiveSet;
use chunkstore::pack::Class;
use chunkstore::remote::ObjectName;
use chunkstore::store::Store;
use chunkstore::{ChunkId, Error as StoreError, PackId, SmallFile};
use std::collections::{BTreeMap, BTreeSet};

/// Whether every chunk and small file that is referred to is in the index, inside a pack that is there.
pub(super) fn check(
    store: &Store,
    triage: &Triage<'_>,
    structure: &mut Structure,
    live: &mut LiveSet,
    read_condemned: bool,
    findings: &mut Findings,
) -> Result<()> {
    let mut decoder = Decoder::new()?;
    let mut lost = LiveSet::new(store.cache())?;
    let mut read = |id: &ChunkId, at: &Located, findings: &mut Findings| match read_condemned {
        true => read_condemned_frame(triage, &mut decoder, id, at, findings),
        false => Ok(()),
    };
    let chunks_lost = check_chunks(structure, live, &mut lost, &mut read, findings)?;
    let files_lost = check_files(structure, live, &mut lost, &mut read, findings)?;
    if chunks_lost || files_lost {
        findings.hurts_paths = true;
        name_lost(store, triage, structure, &mut lost, findings)?;
    }
    Ok(())
}

/// Reads a frame that only a condemned pack holds, if that is asked for.
type ReadCondemned<'a> = dyn FnMut(&ChunkId, &Located, &mut Findings) -> Result<(), StoreError> + 'a;

/// Looks for the chunks that are needed whole. Whether some are lost.
fn check_chunks(
    structure: &mut Structure,
    live: &mut LiveSet,
    lost: &mut LiveSet,
    read: &mut ReadCondemned<'_>,
    findings: &mut Findings,
) -> Result<bool> {
    let mut any_lost = false;
    live.scan(&mut |ids| {
        structure.chunks += ids.len() as u64;
        for (id, located) in ids.iter().zip(structure.index.locate_sorted(ids)?) {
            let Some(located) = located else {
                lost.insert(*id)?;
                any_lost = true;
                continue;
            };
            let pack = located.place.pack;
            structure.needed.insert(pack);
            let end = u64::from(located.place.offset) + u64::from(located.place.stored_len);
            // A pack of the wrong size was named already.
            if structure.packs.get(&pack).is_some_and(|size| end > *size) {
                findings.bad.insert(*id)?;
                findings.hurts_paths = true;
            } else if located.class == Class::Data && structure.condemned.contains(&pack) {
                read(id, &located, findings)?;
            }
        }
        Ok(())
    })?;
    Ok(any_lost)
}

/// Looks for small files, in the bundles that trees name or where collections moved them. Whether some are lost.
fn check_files(
    structure: &mut Structure,
    live: &mut LiveSet,
    lost: &mut LiveSet,
    read: &mut ReadCondemned<'_>,
    findings: &mut Findings,
) -> Result<bool> {
    let Structure {
        index,
        condemned,
        needed,
        chunks,
        ..
    } = structure;
    let none = Condemned::new();
    let mut any_lost = false;
    let mut presence = Presence::default();
    let bundle = &mut |id: &ChunkId| {
        *chunks += 1;
        let Some(located) = index.locate(id)? else {
            return Ok(false);
        };
        let pack = located.place.pack;
        needed.insert(pack);
        if condemned.contains(&pack) {
            read(id, &located, findings)?;
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
    Ok(any_lost)
}

/// What a repair had to give up is in a condemned pack, and damaged.
fn read_condemned_frame(
    triage: &Triage<'_>,
    decoder: &mut Decoder,
    id: &ChunkId,
    at: &Located,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let pack = at.place.pack;
    match triage.frame(decoder, id, at)? {
        Ok(_) => return Ok(()),
        Err(e) if e.is_damage() => {
            findings.hurt_pack(pack, of_chunk(id, &e));
            findings.bad.insert(*id)?;
        }
        Err(e) => {
            findings.trouble(ObjectName::pack(pack), &e);
            findings.unproven.insert(*id)?;
        }
    }
    findings.hurts_paths = true;
    Ok(())
}

/// Names the missing packs that held lost chunks, and counts what no segment lists at all. A segment that can't be read
/// may list those.
fn name_lost(
    store: &Store,
    triage: &Triage<'_>,
    structure: &mut Structure,
    lost: &mut LiveSet,
    findings: &mut Findings,
) -> Result<()> {
    let mut seen = LiveSet::new(store.cache())?;
    let mut missing: BTreeMap<PackId, u64> = BTreeMap::new();
    triage.each_segment(structure.segments(), &mut |segment| {
        for entry in &segment.entries {
            if lost.contains(&entry.id)? {
                seen.insert(entry.id)?;
                *missing.entry(segment.packs[entry.pack as usize].id).or_default() += 1;
            }
        }
        Ok(())
    })?;
    for (pack, count) in missing {
        findings.hurt_pack(pack, Damage::PackMissing { chunks: count });
    }
    let mut unlisted = 0;
    lost.scan(&mut |ids| {
        for id in ids {
            let is_seen = seen.contains(id)?;
            match is_seen || !triage.index_is_unread() {
                true => findings.bad.insert(*id)?,
                false => findings.unproven.insert(*id)?,
            };
            unlisted += u64::from(!is_seen);
        }
        Ok(())
    })?;
    if unlisted > 0 {
        structure.needs_more = true;
    }
    if unlisted > 0 && !triage.index_is_unread() {
        findings.damage("index", Damage::Unlisted { chunks: unlisted });
        findings.index_is_short = true;
    }
    Ok(())
}
