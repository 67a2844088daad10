//! What a collection would do and what that costs: G0. Reads the index segments once and writes nothing.

use super::{Confirm, Needs, Policy, Unused, each_segment};
use crate::error::Result;
use crate::id::PackId;
use crate::index::Inventory;
use crate::indexfile::PackRecord;
use crate::pack::Class;
use crate::remote::ObjectName;
use crate::session::packs_under;
use crate::store::Store;
use std::collections::{HashMap, HashSet};

/// Packs smaller than this part of the configured size are merged once a class has more than [`FEW`] of them.
const SMALL_PART: u64 = 4;
const FEW: usize = 16;

/// What a collection would do, with its cost. All sizes are stored bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Packs without anything that is needed.
    pub unneeded: HashSet<PackId>,
    /// Packs whose needed frames are moved first.
    pub repack: HashSet<PackId>,
    /// Packs that are there and in no mark yet, and their bytes.
    pub packs: u64,
    pub bytes: u64,
    /// Bytes that are needed: of a bundle, what its needed files take.
    pub needed: u64,
    /// Bytes of the packs that go; what is freed is this less `bytes_moved`.
    pub bytes_deleted: u64,
    pub bytes_moved: u64,
    /// Unneeded bytes that stay, inside bundles too.
    pub bytes_kept_unused: u64,
    /// Packs in no index segment that stay because a running writer may be about to list them.
    pub unlisted_kept: u64,
    /// Packs that a running writer has listed and that stay whatever is in them.
    pub running_kept: u64,
    /// Packs in no index segment that go.
    pub unlisted_gone: u64,
}

impl Plan {
    pub fn is_empty(&self) -> bool {
        self.unneeded.is_empty() && self.repack.is_empty()
    }

    /// The same without moving anything, for a remote that has no room.
    pub fn without_repack(mut self, packs: &Inventory) -> Plan {
        self.bytes_moved = 0;
        for id in self.repack.drain() {
            self.bytes_deleted -= packs.get(&id).copied().unwrap_or(0);
        }
        self
    }
}

/// One pack by the index. `needed` counts what a collection must keep of it.
#[derive(Default)]
struct SegmentUse {
    class: Option<Class>,
    total: u64,
    needed: u64,
}

/// G0: which packs are unneeded, and which are worth repacking. Packs that no segment lists are unneeded only if
/// `unlisted_are_garbage`, and packs of `running` sessions ([`packs_under`]) are left alone: condemned, they would have to
/// be stored again. So are packs that can't be read. No copy of a chunk goes before the one that stays was found sound.
pub fn plan(
    store: &Store,
    needs: &mut Needs<'_>,
    confirm: &mut Confirm<'_>,
    packs: &Inventory,
    policy: &Policy,
    unlisted_are_garbage: bool,
    running: &HashSet<u64>,
) -> Result<Plan> {
    loop {
        let plan = draw_up(store, needs, packs, policy, (unlisted_are_garbage, running))?;
        let goes = |pack: &PackId| plan.unneeded.contains(pack) || plan.repack.contains(pack);
        if !needs.doubt(&goes, confirm)? {
            return Ok(plan);
        }
    }
}

/// What each pack holds and what of that is needed; and the packs of running sessions.
fn uses(
    store: &Store,
    needs: &Needs<'_>,
    running: &HashSet<u64>,
) -> Result<(HashMap<PackId, SegmentUse>, HashSet<PackId>)> {
    let mut uses: HashMap<PackId, SegmentUse> = HashMap::new();
    let mut of_running: HashSet<PackId> = HashSet::new();
    each_segment(store, needs.view, &mut |_, segment| {
        if !running.is_empty() {
            let is_running = |pack: &&PackRecord| {
                pack.sealed_keys
                    .iter()
                    .any(|key| running.contains(&packs_under(key)))
            };
            of_running.extend(segment.packs.iter().filter(is_running).map(|pack| pack.id));
        }
        for (number, entry) in segment.entries.iter().enumerate() {
            let pack = &segment.packs[entry.pack as usize];
            let parts = segment.parts_of(number);
            let needed = needs.use_of(&entry.id, &pack.id, entry.offset, parts)?;
            let used = uses.entry(pack.id).or_default();
            used.class = Some(pack.class);
            used.total += u64::from(entry.stored_len);
            used.needed += needed.worth(entry.stored_len, entry.plain_len).needed;
        }
        Ok(())
    })?;
    Ok((uses, of_running))
}

/// A listing shows what is no file, such as a folder, as an empty pack. If segments list it, it was examined when the
/// index was opened.
fn examine_empty(store: &Store, packs: &Inventory, uses: &HashMap<PackId, SegmentUse>) -> Result<()> {
    for (id, _) in packs
        .iter()
        .filter(|(id, size)| **size == 0 && !uses.contains_key(id))
    {
        if let Err(e) = store.remote().size(&ObjectName::pack(*id)) {
            let judged = store.judge_pack(*id, e);
            if !judged.is_unreadable() {
                return Err(judged);
            }
        }
    }
    Ok(())
}

fn draw_up(
    store: &Store,
    needs: &Needs<'_>,
    packs: &Inventory,
    policy: &Policy,
    (unlisted_are_garbage, running): (bool, &HashSet<u64>),
) -> Result<Plan> {
    let (uses, of_running) = uses(store, needs, running)?;
    examine_empty(store, packs, &uses)?;
    let unread = store.unreadable_packs();
    let mut plan = Plan::default();
    let mut partial = Vec::new();
    let mut small: [Vec<(u64, u64, PackId)>; 2] = Default::default();
    for (id, size) in packs.iter().filter(|(id, _)| !needs.view.condemned.contains(id)) {
        plan.packs += 1;
        plan.bytes += size;
        match uses.get(id) {
            used if of_running.contains(id) => {
                plan.needed += used.map_or(0, |used| used.needed);
                plan.running_kept += 1;
            }
            used if unread.contains_key(id) => plan.needed += used.map_or(0, |used| used.needed),
            Some(used) if used.needed > 0 => {
                plan.needed += used.needed;
                if used.needed < used.total {
                    partial.push((*id, used.total - used.needed, used.needed));
                }
                if *size < u64::from(store.config().pack_size) / SMALL_PART {
                    small[usize::from(used.class == Some(Class::Tree))].push((*size, used.needed, *id));
                }
            }
            None if !unlisted_are_garbage => plan.unlisted_kept += 1,
            used => {
                plan.unlisted_gone += u64::from(used.is_none());
                plan.unneeded.insert(*id);
                plan.bytes_deleted += size;
            }
        }
    }
    choose(&mut plan, partial, policy, packs);
    for class in small {
        merge(&mut plan, class, policy, store.config().pack_size.into());
    }
    Ok(plan)
}

/// Most garbage per byte moved first, until little enough is left.
fn choose(plan: &mut Plan, mut partial: Vec<(PackId, u64, u64)>, policy: &Policy, packs: &Inventory) {
    let allowed = match policy.max_unused {
        Unused::Percent(percent) if percent >= 100.0 => u64::MAX,
        // Of all that stays, as restic has it.
        Unused::Percent(percent) => (plan.needed as f64 * percent / (100.0 - percent)) as u64,
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

/// Adds small packs of one class, given as (size, needed, id), when there are many: a thousand little generations
/// should not leave a thousand packs.
fn merge(plan: &mut Plan, mut small: Vec<(u64, u64, PackId)>, policy: &Policy, pack_size: u64) {
    small.sort_unstable();
    let bytes: u64 = small.iter().map(|(_, needed, _)| needed).sum();
    if small.len() <= FEW || bytes / pack_size.max(1) + 1 > small.len() as u64 / 2 {
        return;
    }
    for (size, needed, id) in small {
        if plan.bytes_moved.saturating_add(needed) > policy.max_repack {
            return;
        }
        if plan.repack.insert(id) {
            plan.bytes_moved += needed;
            plan.bytes_deleted += size;
        }
    }
}
