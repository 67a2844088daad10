//! Garbage collection beside running writers, without a lock and without trusting a clock (I-5, I-7, I-8, I-9).
//!
//! Mark: copy what is still needed out of poor packs, index the copies, then publish a mark that condemns packs.
//! Settle: every session listed after the mark was durable must have published or been fenced. Sweep: read marks,
//! then index and packs, then manifests; a condemned pack goes only if everything reachable in it has a copy in an
//! indexed, present pack that no mark names. docs/invariants.md has the argument, step by step.

use crate::error::{Error, Result};
use crate::frame::Decoder;
use crate::id::{ChunkId, IndexId, PackId, SessionId};
use crate::index::LocalIndex;
use crate::indexfile::{ENTRIES_PER_SEGMENT, IndexSegment};
use crate::keys::SealedSessionKey;
use crate::live::LiveSet;
use crate::pack::{Class, Frame, PackList, PackWriter};
use crate::place::Place;
use crate::remote::{Kind, ObjectName};
use crate::session::{self, Mark, View};
use crate::store::{Slate, Store};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, SystemTime};

/// Bytes read at once when frames are moved.
const READ: usize = 8 << 20;
/// Sealed keys of one repacked pack.
const KEYS: usize = 256;
/// Segments smaller than this many entries are merged once there are more than [`SMALL_SEGMENTS`].
const SMALL: usize = ENTRIES_PER_SEGMENT / 8;
const SMALL_SEGMENTS: usize = 16;

/// How far a collection goes.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Unneeded bytes that may stay inside packs that are still needed.
    pub max_unused: Unused,
    /// Bytes moved at most.
    pub max_repack: u64,
}

#[derive(Clone, Copy, Debug)]
pub enum Unused {
    /// Percent of the bytes needed.
    Percent(f64),
    Bytes(u64),
    Unlimited,
}

/// What a collection would do, with its cost. All sizes are stored bytes.
#[derive(Default)]
pub struct Plan {
    /// Packs nobody needs.
    pub unneeded: HashSet<PackId>,
    /// Packs whose needed frames are moved first.
    pub repack: HashSet<PackId>,
    pub packs: u64,
    pub bytes: u64,
    pub needed: u64,
    pub bytes_deleted: u64,
    pub bytes_moved: u64,
    /// Unneeded bytes that stay.
    pub bytes_kept_unused: u64,
}

impl Plan {
    pub fn is_empty(&self) -> bool {
        self.unneeded.is_empty() && self.repack.is_empty()
    }
}

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    pub packs: u64,
    pub bytes: u64,
    /// Condemned packs that turned out to be needed again, and stay.
    pub spared: u64,
}

#[derive(Default)]
struct Use {
    class: Option<Class>,
    total: u64,
    needed: u64,
}

/// Sessions that have neither published nor been fenced.
pub fn open_sessions(store: &Store) -> Result<Vec<SessionId>> {
    // Sessions first: one that ends meanwhile is then seen as ended.
    let sessions = store.sessions_in(Kind::Session)?;
    let ended: HashSet<SessionId> = store.slates()?.into_iter().collect();
    Ok(sessions.into_iter().filter(|id| !ended.contains(id)).collect())
}

/// Present packs and their sizes.
pub fn inventory(store: &Store) -> Result<HashMap<PackId, u64>> {
    let mut packs = HashMap::new();
    store.remote().list(Kind::Pack, &mut |name, size| {
        if let Some(id) = PackId::from_hex(name.id()) {
            packs.insert(id, size);
        }
        Ok(())
    })?;
    Ok(packs)
}

/// Proves that everything referenced is where the index says, in a pack that is there. Anything else stops deletion
/// (I-9): it means damage, and a collection would make it worse.
pub fn all_present(index: &LocalIndex, live: &mut LiveSet, packs: &HashMap<PackId, u64>) -> Result<()> {
    live.scan(&mut |ids| {
        for (id, located) in ids.iter().zip(index.locate_sorted(ids)?) {
            match located {
                Some(located) if packs.contains_key(&located.place.pack) => {}
                Some(located) => {
                    return Err(Error::Missing {
                        object: ObjectName::pack(located.place.pack).to_string(),
                    });
                }
                None => {
                    return Err(Error::Missing {
                        object: format!("chunk {id}"),
                    });
                }
            }
        }
        Ok(())
    })
}

/// G0: which packs are unneeded, and which are worth repacking.
pub fn plan(
    store: &Store,
    view: &View,
    index: &LocalIndex,
    live: &LiveSet,
    packs: &HashMap<PackId, u64>,
    policy: &Policy,
) -> Result<Plan> {
    let mut uses: HashMap<PackId, Use> = HashMap::new();
    each_segment(store, view, &mut |_, segment| {
        for_entries(index, live, &segment, &mut |pack, frame, needed| {
            let used = uses.entry(pack.id).or_default();
            used.class = Some(pack.class);
            used.total += u64::from(frame.stored_len);
            used.needed += if needed { u64::from(frame.stored_len) } else { 0 };
        })
    })?;
    let mut plan = Plan::default();
    let mut partial = Vec::new();
    for (id, size) in packs {
        if view.condemned.contains(id) {
            continue;
        }
        plan.packs += 1;
        plan.bytes += size;
        match uses.get(id) {
            Some(used) if used.needed > 0 => {
                plan.needed += used.needed;
                if used.needed < used.total {
                    partial.push((*id, used.total - used.needed, used.needed));
                }
            }
            // No segment lists it, or nothing listed in it is needed.
            _ => {
                plan.unneeded.insert(*id);
                plan.bytes_deleted += size;
            }
        }
    }
    choose(&mut plan, partial, policy, packs);
    Ok(plan)
}

/// Most garbage per byte moved first, until little enough is left.
fn choose(
    plan: &mut Plan,
    mut partial: Vec<(PackId, u64, u64)>,
    policy: &Policy,
    packs: &HashMap<PackId, u64>,
) {
    let allowed = match policy.max_unused {
        Unused::Percent(percent) => (plan.needed as f64 * percent / 100.0) as u64,
        Unused::Bytes(bytes) => bytes,
        Unused::Unlimited => u64::MAX,
    };
    let mut unused: u64 = partial.iter().map(|(_, unused, _)| unused).sum();
    partial.sort_by(|a, b| {
        (b.1 as f64 / b.2 as f64)
            .total_cmp(&(a.1 as f64 / a.2 as f64))
            .then(a.0.cmp(&b.0))
    });
    for (id, garbage, needed) in partial {
        if unused <= allowed || plan.bytes_moved.saturating_add(needed) > policy.max_repack {
            continue;
        }
        unused -= garbage;
        plan.bytes_moved += needed;
        plan.bytes_deleted += packs.get(&id).copied().unwrap_or(0);
        plan.repack.insert(id);
    }
    plan.bytes_kept_unused = unused;
}

fn each_segment(
    store: &Store,
    view: &View,
    each: &mut dyn FnMut(IndexId, IndexSegment) -> Result<()>,
) -> Result<()> {
    for id in &view.segments {
        each(*id, IndexSegment::load(store.remote(), store.keys(), *id)?)?;
    }
    Ok(())
}

/// Calls `each` with every frame of a segment and whether it is the copy that is needed: of several copies of a
/// chunk exactly the one that the local index names.
fn for_entries(
    index: &LocalIndex,
    live: &LiveSet,
    segment: &IndexSegment,
    each: &mut dyn FnMut(&crate::indexfile::PackRecord, &crate::indexfile::IndexEntry, bool),
) -> Result<()> {
    for entries in segment.entries.chunks(1024) {
        let ids: Vec<ChunkId> = entries.iter().map(|entry| entry.id).collect();
        for (entry, located) in entries.iter().zip(index.locate_sorted(&ids)?) {
            let pack = &segment.packs[entry.pack as usize];
            let here = located.is_some_and(|at| at.place.pack == pack.id && at.place.offset == entry.offset);
            each(pack, entry, here && live.contains(&entry.id)?);
        }
    }
    Ok(())
}

/// Moves the needed frames of the plan's poor packs into new, indexed packs. `moved` is told bytes as they go.
pub fn repack(
    store: &Store,
    view: &View,
    index: &LocalIndex,
    live: &LiveSet,
    plan: &Plan,
    moved: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<()> {
    if plan.repack.is_empty() {
        return Ok(());
    }
    let mut frames: BTreeMap<(u8, PackId), Vec<(ChunkId, Place)>> = BTreeMap::new();
    each_segment(store, view, &mut |_, segment| {
        for_entries(index, live, &segment, &mut |pack, entry, needed| {
            if needed && plan.repack.contains(&pack.id) {
                frames
                    .entry((pack.class as u8, pack.id))
                    .or_default()
                    .push((entry.id, segment.place(entry)));
            }
        })
    })?;
    let mut mover = Mover {
        store,
        decoder: Decoder::new()?,
        open: None,
        lists: Vec::new(),
    };
    for ((class, _), mut places) in frames {
        let class = Class::from_tag(class).ok_or_else(|| Error::Index("an unknown class".to_string()))?;
        places.sort_unstable_by_key(|(_, place)| place.offset);
        mover.move_pack(class, &places, moved)?;
    }
    mover.finish()
}

struct Mover<'a> {
    store: &'a Store,
    decoder: Decoder,
    open: Option<(Class, Vec<SealedSessionKey>, PackWriter)>,
    lists: Vec<PackList>,
}

impl Mover<'_> {
    fn move_pack(
        &mut self,
        class: Class,
        places: &[(ChunkId, Place)],
        moved: &mut dyn FnMut(u64) -> Result<()>,
    ) -> Result<()> {
        let mut keys: Vec<SealedSessionKey> = places.iter().map(|(_, place)| place.sealed_key).collect();
        keys.sort_unstable();
        keys.dedup();
        let mut rest = places;
        while let Some((_, first)) = rest.first() {
            let end = |place: &Place| place.offset as usize + place.stored_len as usize;
            let run = rest
                .iter()
                .take_while(|(_, place)| end(place) - first.offset as usize <= READ)
                .count()
                .max(1);
            let (batch, later) = rest.split_at(run);
            rest = later;
            let len = batch.last().map_or(0, |(_, last)| end(last)) - first.offset as usize;
            let mut bytes = Vec::new();
            self.store.remote().read(
                &ObjectName::pack(first.pack),
                first.offset.into(),
                len,
                &mut bytes,
            )?;
            for (id, place) in batch {
                let at = (place.offset - first.offset) as usize;
                let stored = bytes.get(at..at + place.stored_len as usize);
                let stored =
                    stored.ok_or_else(|| Error::corrupt(ObjectName::pack(place.pack), "cut short"))?;
                self.append(class, &keys, *id, place, stored)?;
            }
            moved(len as u64)?;
        }
        Ok(())
    }

    /// Copies one frame bytewise, once it is proven whole: a copy must not give damage a fresh, valid name.
    fn append(
        &mut self,
        class: Class,
        keys: &[SealedSessionKey],
        id: ChunkId,
        place: &Place,
        stored: &[u8],
    ) -> Result<()> {
        let mut plain = Vec::new();
        self.decoder
            .open_at(self.store.keys(), class, id, place, stored, &mut plain)?;
        let fits = self.open.as_ref().is_some_and(|(open, table, pack)| {
            *open == class
                && pack.len() < self.store.config().pack_size as usize
                && table.contains(&place.sealed_key)
        });
        if !fits {
            self.close()?;
            if keys.len() > KEYS && !keys.contains(&place.sealed_key) {
                return Err(Error::Index(
                    "a frame under a key that its pack does not list".to_string(),
                ));
            }
            // The keys of this frame's pack first; those of later packs open a pack of their own.
            let mut table = vec![place.sealed_key];
            table.extend(keys.iter().filter(|key| **key != place.sealed_key).take(KEYS - 1));
            let pack = PackWriter::begin(self.store.remote(), self.store.id(), class, table.clone())?;
            self.open = Some((class, table, pack));
        }
        let Some((_, table, pack)) = &mut self.open else {
            return Err(Error::WriterFailed);
        };
        let key = table.iter().position(|key| *key == place.sealed_key).unwrap_or(0) as u16;
        let codec = crate::compress::Codec::from_tag(place.codec)
            .ok_or_else(|| Error::corrupt(id, "unknown codec"))?;
        let Place {
            stored_len,
            plain_len,
            ..
        } = *place;
        pack.append(
            Frame {
                id,
                offset: 0,
                stored_len,
                plain_len,
                codec,
                key,
            },
            stored,
        )
    }

    fn close(&mut self) -> Result<()> {
        if let Some((_, _, pack)) = self.open.take() {
            self.lists.push(pack.finish(self.store.keys())?.publish()?);
        }
        Ok(())
    }

    /// Packs durable, then their index (I-1).
    fn finish(mut self) -> Result<()> {
        self.close()?;
        self.store.remote().barrier()?;
        write_segments(self.store, &mut self.lists).map(drop)
    }
}

/// Writes index segments for `lists`, which is emptied; returns their ids.
fn write_segments(store: &Store, lists: &mut Vec<PackList>) -> Result<Vec<IndexId>> {
    let mut ids = Vec::new();
    let mut group = Vec::new();
    let mut entries = 0;
    for list in lists.drain(..) {
        if entries + list.frames.len() > ENTRIES_PER_SEGMENT && !group.is_empty() {
            ids.push(put_segment(store, &group)?);
            group.clear();
            entries = 0;
        }
        entries += list.frames.len();
        group.push(list);
    }
    if !group.is_empty() {
        ids.push(put_segment(store, &group)?);
    }
    Ok(ids)
}

fn put_segment(store: &Store, lists: &[PackList]) -> Result<IndexId> {
    let (id, bytes) = IndexSegment::of_packs(lists).seal(store.keys())?;
    store.remote().put(&ObjectName::index(id), &bytes)?;
    Ok(id)
}

/// G1: publishes the mark. From now on no new session refers to the plan's packs.
pub fn condemn(store: &Store, plan: &Plan) -> Result<Mark> {
    let packs: HashSet<PackId> = plan.unneeded.union(&plan.repack).copied().collect();
    Mark::publish(store, &packs)
}

/// Marks of earlier collections that were not swept yet.
pub fn pending_marks(store: &Store) -> Result<Vec<Mark>> {
    store
        .marks()?
        .into_iter()
        .map(|id| Mark::load(store, id))
        .collect()
}

/// Whose sessions may be fenced, and when to try (never whether it is safe, I-8).
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    pub machine: [u8; 16],
    /// A session that this machine first saw longer ago than this is fenced.
    pub stale: Duration,
}

/// G3: fences those of the `sessions` that are dead as far as can be told here; returns those that are still open.
pub fn settle(store: &Store, sessions: &[SessionId], patience: &Patience) -> Result<Vec<SessionId>> {
    let mut open = Vec::new();
    for id in sessions {
        match store.slate(*id) {
            Ok(Slate::Manifest { .. } | Slate::Fence) => continue,
            Err(Error::Missing { .. }) => {}
            Err(e) => return Err(e),
        }
        let Some(owner) = session::owner(store, *id)? else {
            continue;
        };
        let ours_and_gone = owner.machine == patience.machine && !session::held_here(store, *id);
        if ours_and_gone || seen_for(store, *id)? > patience.stale {
            session::fence(store, *id)?;
        } else {
            open.push(*id);
        }
    }
    Ok(open)
}

/// How long ago this machine first saw a session, by the age of a file it leaves in the cache.
fn seen_for(store: &Store, id: SessionId) -> Result<Duration> {
    let dir = store.cache().join("seen");
    std::fs::create_dir_all(&dir).map_err(|e| Error::local("create", &dir, e))?;
    let path = dir.join(id.to_hex());
    match std::fs::metadata(&path).and_then(|meta| meta.modified()) {
        Ok(first) => Ok(SystemTime::now().duration_since(first).unwrap_or_default()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            std::fs::write(&path, b"").map_err(|e| Error::local("write", &path, e))?;
            Ok(Duration::ZERO)
        }
        Err(e) => Err(Error::local("read", &path, e)),
    }
}

/// G5 and G6: deletes what may go of one mark, in the order of I-5. `view`, `packs` and `live` were read in that
/// order after all sessions had settled.
pub fn sweep(
    store: &Store,
    mark: &Mark,
    view: &View,
    index: &LocalIndex,
    live: &mut LiveSet,
    packs: &HashMap<PackId, u64>,
) -> Result<Swept> {
    all_present(index, live, packs)?;
    let mut spared = HashSet::new();
    let mut rewrite = Vec::new();
    let mut small = Vec::new();
    each_segment(store, view, &mut |id, segment| {
        for entry in &segment.entries {
            let pack = segment.packs[entry.pack as usize].id;
            if mark.packs.contains(&pack)
                && live.contains(&entry.id)?
                && !index.contains(&entry.id, &view.condemned)?
            {
                spared.insert(pack);
            }
        }
        if segment.packs.iter().any(|pack| mark.packs.contains(&pack.id)) {
            rewrite.push(id);
        } else if segment.entries.len() < SMALL {
            small.push(id);
        }
        Ok(())
    })?;
    let doomed: HashSet<PackId> = mark.packs.difference(&spared).copied().collect();
    if small.len() > SMALL_SEGMENTS {
        rewrite.append(&mut small);
    }
    supersede(store, &rewrite, &doomed)?;
    let mut swept = Swept {
        spared: spared.len() as u64,
        ..Swept::default()
    };
    for pack in &doomed {
        if let Some(size) = packs.get(pack) {
            store.remote().delete(&ObjectName::pack(*pack))?;
            swept.packs += 1;
            swept.bytes += size;
        }
    }
    store.remote().barrier()?;
    store.remote().delete(&ObjectName::mark(mark.id))?;
    store.remote().barrier()?;
    Ok(swept)
}

/// Writes segments without the doomed packs, then deletes the old ones.
fn supersede(store: &Store, old: &[IndexId], doomed: &HashSet<PackId>) -> Result<()> {
    let mut lists: Vec<PackList> = Vec::new();
    let mut new = HashSet::new();
    for id in old {
        let segment = IndexSegment::load(store.remote(), store.keys(), *id)?;
        lists.extend(
            segment
                .into_lists()
                .into_iter()
                .filter(|list| !doomed.contains(&list.id)),
        );
        if lists.iter().map(|list| list.frames.len()).sum::<usize>() >= ENTRIES_PER_SEGMENT {
            new.extend(write_segments(store, &mut lists)?);
        }
    }
    new.extend(write_segments(store, &mut lists)?);
    store.remote().barrier()?;
    for id in old {
        // Content names: a segment that came out unchanged is its own successor.
        if !new.contains(id) {
            store.remote().delete(&ObjectName::index(*id))?;
        }
    }
    store.remote().barrier()
}

/// Removes the session objects of ended sessions, and this machine's notes about them.
pub fn remove_ended_sessions(store: &Store) -> Result<()> {
    let open: HashSet<SessionId> = open_sessions(store)?.into_iter().collect();
    let ended: HashSet<SessionId> = store.slates()?.into_iter().collect();
    for id in store.sessions_in(Kind::Session)? {
        if !open.contains(&id) && ended.contains(&id) {
            store.remote().delete(&ObjectName::session(id))?;
            let seen = store.cache().join("seen").join(id.to_hex());
            match std::fs::remove_file(&seen) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::local("remove", seen, e));
                }
                _ => {}
            }
        }
    }
    store.remote().barrier()
}
