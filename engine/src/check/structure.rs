//! Everything but the data packs: control objects, index segments, packs' sizes, manifests and trees.

use super::chain::Chained;
use super::listed::ListedPacks;
use super::triage::Triage;
use super::{CheckReport, Findings};
use crate::error::{Error, Result};
use crate::manifest::Manifest;
use crate::monitor::Monitor;
use crate::problem::{Damage, Warning};
use crate::references::Walk;
use crate::repo::Repo;
use crate::tree::{self, CodecError, Reference, Root};
use chunkstore::error::{Flaw, Object, Unreadable};
use chunkstore::frame::Decoder;
use chunkstore::id::RecordName;
use chunkstore::index::{Condemned, Inventory, LocalIndex};
use chunkstore::live::LiveSet;
use chunkstore::pack::Class;
use chunkstore::remote::{self, Kind, ObjectName};
use chunkstore::session::{self, Mark};
use chunkstore::slot::is_named_in;
use chunkstore::store::{SnapshotObject, Store};
use chunkstore::{ChunkId, Error as StoreError, IndexId, ListId, MarkId, PackId, Place, SessionId};
use std::collections::{BTreeSet, HashMap, HashSet};

/// Names that a reading started from; if they are the same afterwards, nothing went away under it.
#[derive(Default, PartialEq, Eq)]
pub(super) struct ObjectNames {
    pub snapshot_ids: Vec<SessionId>,
    pub trash: Vec<SessionId>,
    pub segments: Vec<IndexId>,
}

impl ObjectNames {
    pub fn read(store: &Store) -> Result<ObjectNames> {
        // Manifests before the index: what they refer to was indexed earlier (I-1).
        Ok(ObjectNames {
            snapshot_ids: store.snapshot_ids()?,
            trash: store.trashed()?,
            segments: named(store, Kind::Index)?
                .iter()
                .filter_map(|id| IndexId::from_hex(id))
                .collect(),
        })
    }

    /// The same without all snapshots but these.
    pub fn only(mut self, snapshots: Option<&[SessionId]>) -> ObjectNames {
        if let Some(wanted) = snapshots {
            self.snapshot_ids.retain(|id| wanted.contains(id));
            self.trash.clear();
        }
        self
    }
}

fn named(store: &Store, kind: Kind) -> Result<Vec<String>> {
    Ok(remote::ids(store.remote(), kind, |id| Some(id.to_string()))?)
}

pub(super) struct Structure {
    pub names: ObjectNames,
    pub packs: Inventory,
    pub listed: HashMap<PackId, ListedPacks>,
    pub index: LocalIndex,
    pub condemned: Condemned,
    /// What generations refer to, once it is known.
    pub live: Option<LiveSet>,
    /// Packs that hold it, by the index.
    pub needed: HashSet<PackId>,
    /// Some manifest or tree chunk can't be read, so that more may be needed.
    pub needs_more: bool,
    pub generations: Vec<SessionId>,
    /// Manifests that can't be read.
    unreadable: u64,
    entries: u64,
    trash: u64,
    pub chunks: u64,
    tree_chunks: u64,
}

impl Structure {
    pub fn new(
        names: ObjectNames,
        packs: Inventory,
        listed: HashMap<PackId, ListedPacks>,
        index: LocalIndex,
        condemned: Condemned,
        entries: u64,
    ) -> Structure {
        Structure {
            names,
            packs,
            listed,
            index,
            condemned,
            live: None,
            needed: HashSet::new(),
            needs_more: false,
            generations: Vec::new(),
            unreadable: 0,
            entries,
            trash: 0,
            chunks: 0,
            tree_chunks: 0,
        }
    }
}

/// Config, slots, sessions and marks; gives the packs that marks condemn.
pub(super) fn control_objects(
    store: &Store,
    triage: &Triage<'_>,
    findings: &mut Findings,
) -> Result<Condemned> {
    let config = ObjectName::config();
    if let Err(e) = triage.sound(&config, store.check_config())? {
        findings.trouble(config, &e);
    }
    slots(store, triage, findings)?;
    for id in named(store, Kind::Session)?
        .iter()
        .filter_map(|id| SessionId::from_hex(id))
    {
        let name = ObjectName::session(id);
        if let Err(e) = triage.sound(&name, session::owner(store, id))? {
            findings.trouble(name, &e);
        }
    }
    for id in named(store, Kind::Forgotten)?
        .iter()
        .filter_map(|id| ListId::from_hex(id))
    {
        let name = ObjectName::forgotten(id);
        match triage.sound(&name, store.forgotten_list(id))? {
            // Merged in the meantime.
            Ok(_) | Err(StoreError::Missing { .. }) => {}
            Err(e) => findings.trouble(name, &e),
        }
    }
    machine_records(store, triage, findings)?;
    let mut condemned = Condemned::new();
    for id in named(store, Kind::Mark)?
        .iter()
        .filter_map(|id| MarkId::from_hex(id))
    {
        let name = ObjectName::mark(id);
        match triage.sound(&name, Mark::load(store, id))? {
            Ok(mark) => condemned.extend(mark.packs),
            // Its collection ended.
            Err(StoreError::Missing { .. }) => {}
            Err(e) => findings.trouble(name, &e),
        }
    }
    Ok(condemned)
}

fn machine_records(store: &Store, triage: &Triage<'_>, findings: &mut Findings) -> Result<()> {
    let names = named(store, Kind::Machine)?;
    for record in names.iter().filter_map(|id| RecordName::from_hex(id)) {
        let name = ObjectName::machine(record);
        match triage.sound(&name, store.read_record(record))? {
            // A later one took its place.
            Ok(_) | Err(StoreError::Missing { .. }) => {}
            Err(e) => findings.trouble(name, &e),
        }
    }
    Ok(())
}

fn slots(store: &Store, triage: &Triage<'_>, findings: &mut Findings) -> Result<()> {
    let slots = match triage.sound("keys", store.slots())? {
        Ok(slots) => slots,
        Err(e) => {
            findings.trouble("keys", &e);
            return Ok(());
        }
    };
    for slot in slots {
        let sound = slot.kind.is_some() && slot.note.is_some();
        if !sound && slot.kind.is_some() && !is_named_in(store.id(), &slot.id) {
            findings.warn(ObjectName::key(slot.id), Warning::ForeignSlot);
        } else if !sound {
            let name = ObjectName::key(slot.id);
            let flaw = StoreError::corrupt(&name, Flaw::NotAsWritten);
            findings.damage(name, Damage::Object(flaw));
        }
    }
    Ok(())
}

pub(super) fn sizes(structure: &Structure, findings: &mut Findings) {
    for (id, pack) in &structure.listed {
        if let Some(size) = structure.packs.get(id).filter(|size| **size != pack.size) {
            let flaw = Flaw::SizeMismatch {
                indexed: pack.size,
                found: *size,
            };
            let error = StoreError::corrupt(ObjectName::pack(*id), flaw);
            structure.hurt(findings, *id, Damage::Object(error));
        }
    }
}

/// Opens every manifest and reads every tree chunk once.
pub(super) fn generations(
    repo: &Repo,
    triage: &Triage<'_>,
    structure: &mut Structure,
    live: &mut LiveSet,
    findings: &mut Findings,
    monitor: &dyn Monitor,
) -> Result<Vec<Chained>> {
    let store = &*repo.store;
    let mut chained = Vec::new();
    let Structure {
        names,
        index,
        generations,
        trash,
        tree_chunks,
        needs_more,
        unreadable,
        ..
    } = structure;
    let load =
        |decoder: &mut Decoder, id: &ChunkId, _: Option<&Place>| tree_chunk(triage, index, decoder, id);
    let mut walk = Walk::new(&load, whole, live, (monitor, repo.run().cancel()))?;
    for (id, forgotten) in names
        .snapshot_ids
        .iter()
        .map(|id| (*id, false))
        // One whose forgetting was interrupted is in both, and is one generation.
        .chain(names.trash.iter().map(|id| (*id, true)))
    {
        let twice = forgotten && names.snapshot_ids.binary_search(&id).is_ok() && generations.contains(&id);
        let (root, manifest, hash) = match generation(store, triage, id, forgotten)? {
            StructureReport::Whole(root, manifest, hash) => (root, *manifest, hash),
            StructureReport::Nothing => continue,
            StructureReport::Trouble(error) => {
                findings.trouble(generation_name(id, forgotten), &error);
                *unreadable += 1;
                continue;
            }
        };
        if twice {
            continue;
        }
        generations.push(id);
        *trash += u64::from(forgotten);
        walk.root(&root, &mut |chunk, error| {
            *needs_more = true;
            note_tree_chunk(findings, index, chunk, error)
        })?;
        chained.push(Chained::new(id, manifest, hash));
    }
    *tree_chunks = walk.visited;
    *needs_more |= *unreadable > 0;
    Ok(chained)
}

/// A tree chunk could not be read, or not understood.
fn note_tree_chunk(findings: &mut Findings, index: &LocalIndex, chunk: ChunkId, error: Error) -> Result<()> {
    let Error::Store(error) = error else {
        return Err(error);
    };
    let pack = index.locate(&chunk)?.map(|located| located.place.pack);
    match (&error, pack) {
        // The index segment that may list it was named.
        (StoreError::Unreadable { .. }, None) => return findings.unproven_chunk(chunk),
        (StoreError::Unreadable { object, .. }, Some(_)) => {
            findings.unread(object.clone(), &error);
            return findings.unproven_chunk(chunk);
        }
        (StoreError::NewerFormat(feature), _) => {
            let (object, cause) = (Object::TreeChunk(chunk), Unreadable::NewerFormat(feature.clone()));
            let error = StoreError::Unreadable { object, cause };
            findings.unread(Object::TreeChunk(chunk), &error);
            return findings.unproven_chunk(chunk);
        }
        (error, _) if !error.is_damage() => return Err(Error::Store(error.clone())),
        (error, Some(pack)) => findings.hurt_pack(pack, of_chunk(&chunk, error)),
        // With all that the index lacks, it is looked for below.
        (_, None) => {}
    }
    findings.bad_chunk(chunk)
}

/// What is wrong with a chunk, to be reported of its pack.
pub(super) fn of_chunk(id: &ChunkId, error: &StoreError) -> Damage {
    Damage::Chunk {
        id: *id,
        error: error.clone(),
    }
}

/// What lies under a generation's name.
enum StructureReport {
    /// The hash is of the stored bytes, where it is not in the trash.
    Whole(Root, Box<Manifest>, Option<[u8; 32]>),
    /// A fence, or it went in the meantime.
    Nothing,
    Trouble(StoreError),
}

fn generation_name(id: SessionId, forgotten: bool) -> ObjectName {
    match forgotten {
        true => ObjectName::trash(id),
        false => ObjectName::snapshot(id),
    }
}

fn generation(store: &Store, triage: &Triage<'_>, id: SessionId, forgotten: bool) -> Result<StructureReport> {
    let read = match forgotten {
        true => store.trash(id).map(|(body, _)| Some((body, None))),
        false => store.snapshot_object(id).map(|object| match object {
            SnapshotObject::Manifest { body, hash } => Some((body, Some(hash))),
            SnapshotObject::Fence => None,
        }),
    };
    let name = generation_name(id, forgotten);
    let (body, hash) = match triage.sound(name, read)? {
        Ok(Some(read)) => read,
        Ok(None) | Err(StoreError::Missing { .. }) => return Ok(StructureReport::Nothing),
        Err(e) => return Ok(StructureReport::Trouble(e)),
    };
    let decoded = Manifest::decode(id, &body).and_then(|manifest| Ok((manifest.root()?, manifest)));
    match decoded {
        Ok((root, manifest)) => Ok(StructureReport::Whole(root, Box::new(manifest), hash)),
        Err(Error::Store(e)) if e.is_damage() => Ok(StructureReport::Trouble(e)),
        Err(e) => Err(e),
    }
}

/// A tree chunk by the index, which is what counts: the hints in the trees are not relied on.
pub(super) fn tree_chunk(
    triage: &Triage<'_>,
    index: &LocalIndex,
    decoder: &mut Decoder,
    id: &ChunkId,
) -> Result<Vec<u8>> {
    let mut error = triage.unlisted(id);
    let mut is_listed = false;
    for at in index.copies(id)?.iter().filter(|at| at.class == Class::Tree) {
        match triage.frame(decoder, id, at)? {
            Ok(plain) => return Ok(plain),
            // A copy that can't be read may be sound.
            Err(e) if !is_listed || !error.is_unreadable() => error = e,
            Err(_) => {}
        }
        is_listed = true;
    }
    Err(error.into())
}

/// Decodes all of a piece, not only its references.
fn whole(plain: &[u8]) -> Result<Vec<Reference>, CodecError> {
    match plain.first() {
        Some(&tree::piece::SEGMENT) => drop(tree::decode(plain)?),
        _ => drop(tree::decode_extent_list(plain)?),
    }
    tree::references(plain)
}

impl Structure {
    pub fn report(&self) -> CheckReport {
        CheckReport {
            snapshots: self.generations.len() as u64 - self.trash,
            trash: self.trash,
            snapshots_unreadable: self.unreadable,
            index_segments: self.names.segments.len() as u64,
            index_entries: self.entries,
            packs: self.packs.len() as u64,
            packs_size: self.packs.values().sum(),
            packs_unlisted: self
                .packs
                .keys()
                .filter(|id| !self.listed.contains_key(id))
                .count() as u64,
            chunks: self.chunks,
            tree_chunks: self.tree_chunks,
            ..CheckReport::default()
        }
    }

    /// Packs that no segment lists, and that no collection is about to delete.
    pub fn has_packs_to_list(&self) -> bool {
        let is_new = |id: &PackId| !self.listed.contains_key(id) && !self.condemned.contains(id);
        self.packs.keys().any(is_new)
    }

    /// Notes that a pack is damaged; of one that may only wait for a collection, to be judged when all is known.
    pub fn hurt(&self, findings: &mut Findings, pack: PackId, why: Damage) {
        match self.condemned.contains(&pack) && !self.needed.contains(&pack) {
            true => {
                findings.abandoned.insert(pack);
            }
            false => findings.hurt_pack(pack, why),
        }
    }

    /// Which of the `hurt` packs hold nothing that a generation needs: of everything that one refers to there is a copy
    /// in an intact pack. None while some of what is needed can't be known.
    pub fn unneeded(&self, triage: &Triage<'_>, hurt: &BTreeSet<PackId>) -> Result<BTreeSet<PackId>> {
        let mut left = hurt.clone();
        left.retain(|id| !self.needed.contains(id));
        let Some(live) = self.live.as_ref().filter(|_| !self.needs_more) else {
            return Ok(BTreeSet::new());
        };
        if left.is_empty() {
            return Ok(left);
        }
        triage.each_segment(&self.names.segments, &mut |segment| {
            for entry in &segment.entries {
                let pack = segment.packs[entry.pack as usize].id;
                if left.contains(&pack) && live.contains(&entry.id)? {
                    let copy = self.index.locate(&entry.id)?;
                    if copy.is_none_or(|copy| hurt.contains(&copy.place.pack)) {
                        left.remove(&pack);
                    }
                }
            }
            Ok(())
        })?;
        Ok(left)
    }

    /// Notes the chunks of which nothing is known, as each copy is in a pack that can't be read or is damaged, and one in a
    /// pack that can't be read.
    pub fn add_unproven(&self, triage: &Triage<'_>, findings: &mut Findings) -> Result<()> {
        if !triage.any_unreadable_pack() {
            return Ok(());
        }
        triage.each_segment(&self.names.segments, &mut |segment| {
            for entry in &segment.entries {
                let pack = segment.packs[entry.pack as usize].id;
                if !triage.is_unreadable(&pack) {
                    continue;
                }
                let is_of_no_use =
                    |pack: &PackId| triage.is_unreadable(pack) || findings.hurt_packs.contains(pack);
                let copies = self.index.copies(&entry.id)?;
                if copies.iter().all(|at| is_of_no_use(&at.place.pack)) {
                    findings.unproven_chunk(entry.id)?;
                }
            }
            Ok(())
        })
    }

    /// The index segments that this reading was made of.
    pub fn segments(&self) -> &[IndexId] {
        &self.names.segments
    }
}
