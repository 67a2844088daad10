//! Garbage collection beside running writers, without a lock and without trusting a clock (I-5, I-7, I-8, I-9).
//!
//! Mark: copy what is still needed out of poor packs, index the copies, then publish a mark that condemns packs.
//! Settle: every session listed after the mark was durable must have published or been fenced. Sweep: read marks,
//! then index and packs, then manifests; a condemned pack goes only if everything reachable in it has a copy in an
//! indexed, present pack that no mark names. docs/invariants.md has the argument, step by step.
//!
//! Condemning is final: a pack in a mark that is needed after all has its frames moved out, and never becomes good
//! again. So a collector that was stalled, and whose mark another one has finished, deletes nothing that anyone relies
//! on when it wakes up.
//!
//! Index segments may come to list packs that are gone: a fenced writer's or a second collector's late write. That
//! harms nothing, because a run that makes new references or deletes counts only packs it listed after reading the
//! marks.

mod confirm;
mod fence;
mod needs;
mod plan;
mod rebundle;
pub(crate) mod repack;
mod rescue;
pub(crate) mod run;
mod survivors;

pub use crate::session::{FencePolicy, pending_marks};
pub use confirm::Confirm;
pub use fence::fence_stale_sessions;
pub use needs::Needs;
pub use plan::{Plan, plan};
pub use repack::{move_out, repack};
pub use rescue::{Rescue, Rescued};
pub use survivors::all_present;

use crate::error::{Error, Operation, Refusal, Result};
use crate::id::{IndexId, MarkId, PackId, SessionId};
use crate::index::{Inventory, LocalIndex};
use crate::indexfile::{ENTRIES_PER_SEGMENT, IndexSegment};
use crate::live::LiveSet;
use crate::object::cap;
use crate::pack::PackList;
use crate::platform::files;
use crate::remote::{Kind, ObjectName, Remote, for_all};
use crate::session::{Mark, View};
use crate::simulation::{self, Rule};
use crate::store::{Store, write_segments};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::PathBuf;
use survivors::Survivors;

/// Segments smaller than this many entries are merged once there are more than [`SMALL_SEGMENTS`].
const SMALL: usize = ENTRIES_PER_SEGMENT / 8;
const SMALL_SEGMENTS: usize = 16;
/// Segments that are read together; each takes some 7 MB of memory.
const SEGMENTS_AT_ONCE: usize = 4;
/// Packs that one mark names at most: half of what its size allows.
const PACKS_PER_MARK: usize = cap::MARK / PackId::LEN / 2;

/// Limits for one garbage collection.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Unneeded bytes that may stay inside packs, and inside bundles, that are still needed.
    pub max_unused: Unused,
    /// Bytes moved at most.
    pub max_repack: u64,
}

/// How much unneeded data may stay.
#[derive(Clone, Copy, Debug)]
pub enum Unused {
    /// Percent of what stays.
    Percent(f64),
    /// So many bytes.
    Bytes(u64),
    /// Any amount.
    Unlimited,
}

/// What a sweep did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    pub packs: u64,
    pub bytes: u64,
    /// Condemned packs that hold the only good copy of something, and stay, as do their marks: [`move_out`] what it is and
    /// sweep again.
    pub spared: HashSet<PackId>,
}

/// Sessions that have neither published nor been fenced.
pub fn open_sessions(store: &Store) -> Result<Vec<SessionId>> {
    // Sessions first: one that ends in between is then seen as ended.
    let sessions = store.sessions_in(Kind::Session)?;
    let ended: HashSet<SessionId> = store.snapshot_ids()?.into_iter().collect();
    Ok(sessions.into_iter().filter(|id| !ended.contains(id)).collect())
}

/// Reads all segments of a view. Each reading of a collection asks the remote again: a segment that another collection
/// has replaced is missing, which ends this one, and a copy of it would hide that.
fn each_segment(
    store: &Store,
    view: &View,
    each: &mut dyn FnMut(IndexId, IndexSegment) -> Result<()>,
) -> Result<()> {
    for ids in view.segments.chunks(SEGMENTS_AT_ONCE) {
        let segments = for_all(store.remote(), ids, |id| store.segment(*id));
        for (id, segment) in ids.iter().zip(segments) {
            match segment {
                Err(Error::Missing { .. }) if simulation::left_out(Rule::PacksLast) => {}
                segment => each(*id, segment?)?,
            }
        }
    }
    Ok(())
}

/// G1: publishes the plan's mark, or marks if it condemns very many. From now on no new session refers to the packs.
pub fn condemn(store: &Store, plan: &Plan) -> Result<Vec<Mark>> {
    condemn_packs(store, &plan.unneeded.union(&plan.repack).copied().collect())
}

/// The same for any packs, however many.
pub fn condemn_packs(store: &Store, packs: &BTreeSet<PackId>) -> Result<Vec<Mark>> {
    let packs: Vec<PackId> = packs.iter().copied().collect();
    packs
        .chunks(PACKS_PER_MARK)
        .map(|packs| Mark::publish(store, &packs.iter().copied().collect()))
        .collect()
}

/// How many marks a plan takes.
pub fn marks_of(plan: &Plan) -> u64 {
    plan.unneeded.union(&plan.repack).count().div_ceil(PACKS_PER_MARK) as u64
}

/// Remembers on this machine which sessions were open right after a mark was durable: only they can refer to its packs.
/// And which packs were made before it, whose content was proven then.
pub fn note_waiting(
    store: &Store,
    mark: &Mark,
    sessions: &[SessionId],
    made: &HashSet<PackId>,
) -> Result<()> {
    let path = waiting_path(store, mark.id);
    let count = (sessions.len() as u32).to_le_bytes();
    let made: BTreeSet<&PackId> = made.iter().collect();
    let ids = count.into_iter().chain(sessions.iter().flat_map(|id| id.0));
    let ids: Vec<u8> = ids.chain(made.iter().flat_map(|id| id.0)).collect();
    let note = [&waiting_sum(store, mark.id, &ids)[..], &ids].concat();
    files::write_hint(&path, &note).map_err(|e| Error::local(Operation::Write, &path, e))
}

/// The sessions that a mark has to wait for: as noted, else all that are open now.
pub fn waiting_for(store: &Store, mark: &Mark) -> Result<Vec<SessionId>> {
    if simulation::left_out(Rule::Wait) {
        return Ok(Vec::new());
    }
    match noted(store, mark) {
        Some((sessions, _)) => Ok(sessions),
        None => open_sessions(store),
    }
}

/// Packs that this machine made before it published the mark.
pub fn made_before(store: &Store, mark: &Mark) -> HashSet<PackId> {
    noted(store, mark).map(|(_, made)| made).unwrap_or_default()
}

/// What was noted with a mark, if this machine did and it is as it was written.
fn noted(store: &Store, mark: &Mark) -> Option<(Vec<SessionId>, HashSet<PackId>)> {
    let note = std::fs::read(waiting_path(store, mark.id)).ok()?;
    let (sum, ids) = note.split_first_chunk::<32>()?;
    if waiting_sum(store, mark.id, ids) != *sum {
        return None;
    }
    let (count, ids) = ids.split_first_chunk::<4>()?;
    let sessions = (u32::from_le_bytes(*count) as usize).checked_mul(SessionId::LEN)?;
    let (sessions, made) = ids.split_at_checked(sessions)?;
    let sessions = sessions.chunks_exact(SessionId::LEN);
    let made = made.chunks_exact(PackId::LEN);
    Some((
        sessions.filter_map(SessionId::from_slice).collect(),
        made.filter_map(PackId::from_slice).collect(),
    ))
}

fn waiting_path(store: &Store, mark: MarkId) -> PathBuf {
    store.cache().join("marks").join(mark.to_hex())
}

fn waiting_sum(store: &Store, mark: MarkId, ids: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher
        .update(store.id().as_bytes())
        .update(mark.as_bytes())
        .update(ids);
    *hasher.finalize().as_bytes()
}

/// G5 and G6: deletes what may go of the marks, in the order of I-5, and then the marks. `view` (which names them),
/// `packs` and `live` were read in that order after all sessions had settled; `index` is of that view and those packs.
///
/// Goes in steps that free space for the next, so that it works on a full disk. `made` are packs whose content this
/// collection proved when it wrote them. Also returns the chunks for which packs were spared.
#[allow(clippy::too_many_arguments)]
pub fn sweep(
    store: &Store,
    marks: &[Mark],
    view: &View,
    index: &LocalIndex,
    live: &mut LiveSet,
    packs: &Inventory,
    made: &HashSet<PackId>,
) -> Result<(Swept, LiveSet)> {
    // A segment that is left must not list what is gone (I-5), and this one might.
    store.index_is_read()?;
    all_present(store, index, live)?;
    let condemned: HashSet<PackId> = marks.iter().flat_map(|mark| &mark.packs).copied().collect();
    if !condemned.is_subset(&view.condemned) {
        return Err(Error::Refused(Refusal::MarkSwept));
    }
    if simulation::left_out(Rule::MarkLast) {
        for mark in marks {
            store.remote().delete(&ObjectName::mark(mark.id))?;
        }
    }
    let no_copy = match simulation::left_out(Rule::OthersMarks) {
        true => &condemned,
        false => &view.condemned,
    };
    let survivors = Survivors::new(
        store.cache(),
        index,
        (&condemned, no_copy),
        Confirm::new(store, made)?,
    )?;
    let doubtful = survivors.find(live)?;
    let spared = match doubtful.is_empty()? {
        true => HashSet::new(),
        false => holders(store, view, &doubtful, &condemned)?,
    };
    let doomed: HashSet<PackId> = condemned.difference(&spared).copied().collect();
    let mut sweeper = Sweeper {
        store,
        packs,
        listed_in: doomed.iter().map(|pack| (*pack, 0)).collect(),
        swept: Swept {
            spared,
            ..Swept::default()
        },
    };
    let (emptied, rewrite) = sweeper.survey(view, &doomed)?;
    sweeper.delete_unlisted()?;
    sweeper.replace(&emptied, &doomed)?;
    for group in &rewrite {
        sweeper.replace(group, &doomed)?;
    }
    remove_marks(store, marks, &sweeper.swept.spared)?;
    Ok((sweeper.swept, doubtful))
}

/// Removes the marks whose packs are all gone.
fn remove_marks(store: &Store, marks: &[Mark], spared: &HashSet<PackId>) -> Result<()> {
    for mark in marks.iter().filter(|mark| mark.packs.is_disjoint(spared)) {
        store.remote().delete(&ObjectName::mark(mark.id))?;
        // A note without its mark is a few bytes in a cache.
        let _ = std::fs::remove_file(waiting_path(store, mark.id));
    }
    store.remote().barrier()
}

/// Condemned packs that hold one of these chunks.
fn holders(
    store: &Store,
    view: &View,
    doubtful: &LiveSet,
    condemned: &HashSet<PackId>,
) -> Result<HashSet<PackId>> {
    let mut holders = HashSet::new();
    each_segment(store, view, &mut |_, segment| {
        for entry in &segment.entries {
            let pack = segment.packs[entry.pack as usize].id;
            if condemned.contains(&pack) && doubtful.contains(&entry.id)? {
                holders.insert(pack);
            }
        }
        Ok(())
    })?;
    Ok(holders)
}

struct Sweeper<'a> {
    store: &'a Store,
    packs: &'a Inventory,
    /// Doomed packs that are not deleted yet, and how many segments list each.
    listed_in: HashMap<PackId, usize>,
    swept: Swept,
}

impl Sweeper<'_> {
    /// The segments that list only doomed packs, and groups of the others that are to be rewritten.
    fn survey(&mut self, view: &View, doomed: &HashSet<PackId>) -> Result<(Vec<IndexId>, Vec<Vec<IndexId>>)> {
        let (mut emptied, mut rewrite, mut small) = (Vec::new(), Vec::new(), Vec::new());
        each_segment(self.store, view, &mut |id, segment| {
            let mut gone = 0;
            for pack in &segment.packs {
                if let Some(count) = self.listed_in.get_mut(&pack.id) {
                    *count += 1;
                    gone += 1;
                }
            }
            let stays = |pack: u32| !doomed.contains(&segment.packs[pack as usize].id);
            let left = segment.entries.iter().filter(|entry| stays(entry.pack)).count();
            let moved = segment
                .parts
                .iter()
                .map(|part| &segment.entries[part.at as usize]);
            let left = left + moved.filter(|entry| stays(entry.pack)).count();
            match gone {
                0 if segment.entries.len() + segment.parts.len() < SMALL => small.push((id, left)),
                0 => {}
                _ if gone == segment.packs.len() => emptied.push(id),
                _ => rewrite.push((id, left)),
            }
            Ok(())
        })?;
        if small.len() > SMALL_SEGMENTS {
            rewrite.append(&mut small);
        }
        let mut groups: Vec<Vec<IndexId>> = Vec::new();
        let mut room = 0;
        for (id, left) in rewrite {
            match groups.last_mut() {
                Some(group) if left <= room => group.push(id),
                _ => {
                    groups.push(vec![id]);
                    room = ENTRIES_PER_SEGMENT;
                }
            }
            room = room.saturating_sub(left);
        }
        Ok((emptied, groups))
    }

    /// Replaces segments by ones without the doomed packs, then deletes the packs that no segment lists any more.
    fn replace(&mut self, old: &[IndexId], doomed: &HashSet<PackId>) -> Result<()> {
        if old.is_empty() {
            return Ok(());
        }
        let remote = self.store.remote();
        let mut lists: Vec<PackList> = Vec::new();
        for id in old {
            let segment = self.store.segment(*id)?;
            for list in segment.into_lists() {
                if !doomed.contains(&list.id) {
                    lists.push(list);
                } else if let Some(count) = self.listed_in.get_mut(&list.id) {
                    *count = count.saturating_sub(1);
                }
            }
        }
        write_segments(self.store, &mut lists)?;
        let old = old.iter().map(|id| ObjectName::index(*id)).collect();
        delete_all(remote, old)?;
        remote.barrier()?;
        self.delete_unlisted()
    }

    fn delete_unlisted(&mut self) -> Result<()> {
        let mut gone: Vec<PackId> = self
            .listed_in
            .iter()
            .filter(|(_, segments)| **segments == 0)
            .map(|(pack, _)| *pack)
            .collect();
        gone.sort_unstable();
        for pack in &gone {
            self.listed_in.remove(pack);
        }
        gone.retain(|pack| self.packs.contains_key(pack));
        delete_all(
            self.store.remote(),
            gone.iter().map(|pack| ObjectName::pack(*pack)).collect(),
        )?;
        self.swept.packs += gone.len() as u64;
        self.swept.bytes += gone.iter().filter_map(|pack| self.packs.get(pack)).sum::<u64>();
        self.store.remote().barrier()
    }
}

/// Deletes objects between which no order has to be kept, several at a time where the remote has high latency.
fn delete_all(remote: &dyn Remote, names: Vec<ObjectName>) -> Result<()> {
    let deleted = for_all(remote, &names, |name| remote.delete(name));
    deleted.into_iter().collect()
}

/// Removes the index segments that were found damaged, once everything needed is listed by others. Returns how many.
pub fn remove_damaged_segments(store: &Store) -> Result<u64> {
    let damaged = store.damaged_segments();
    for id in &damaged {
        store.remote().delete(&ObjectName::index(*id))?;
    }
    store.remote().barrier()?;
    store.forget_damaged(&damaged);
    Ok(damaged.len() as u64)
}

/// Removes parity whose pack is gone. Returns how many.
pub fn remove_orphaned_parity(store: &Store) -> Result<u64> {
    // Parity first: what was listed with its pack there, and without it now, was deleted in between.
    let parities = store.parities()?;
    if parities.is_empty() {
        return Ok(0);
    }
    let packs = store.packs()?;
    let orphaned = parities.into_keys().filter(|id| !packs.contains_key(id));
    let orphaned: Vec<ObjectName> = orphaned.map(ObjectName::parity).collect();
    let removed = orphaned.len() as u64;
    delete_all(store.remote(), orphaned)?;
    store.remote().barrier()?;
    Ok(removed)
}

/// Removes the session objects of ended sessions, and this machine's notes about them. Returns how many.
pub fn remove_ended_sessions(store: &Store) -> Result<u64> {
    let sessions = store.sessions_in(Kind::Session)?;
    let ended: HashSet<SessionId> = store.snapshot_ids()?.into_iter().collect();
    let ended: Vec<&SessionId> = sessions.iter().filter(|id| ended.contains(id)).collect();
    let names = ended.iter().map(|id| ObjectName::session(**id)).collect();
    delete_all(store.remote(), names)?;
    for id in &ended {
        let seen = store.cache().join("seen").join(id.to_hex());
        match std::fs::remove_file(&seen) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::local(Operation::Remove, seen, e));
            }
            _ => {}
        }
    }
    store.remote().barrier()?;
    Ok(ended.len() as u64)
}
