//! Garbage collection as a command: discard old trash, finish what earlier runs left, plan, move, condemn, wait,
//! sweep. The steps and why they are safe are [`chunkstore::sweep`]'s; which chunks are needed comes from here.
//!
//! Keeps I-5 and I-7 to I-9: every manifest and tree chunk is read, and one that can't be stops deletion. Nothing that
//! is already right is undone when a step fails: the next run goes on from there.

mod forecast;
mod moving;
mod summary;
mod trash;

pub use summary::PruneSummary;
pub(crate) use trash::ended;
use trash::expired_trash;

use crate::error::{Error, Refusal, Result};
use crate::generations::{Known, Listing};
use crate::machines;
use crate::monitor::{Monitor, Phase, Problem};
use crate::overview;
use crate::references;
use crate::repo::Repo;
use chunkstore::index::{Inventory, LocalIndex};
use chunkstore::live::LiveSet;
use chunkstore::reader::Reader;
use chunkstore::remote::ObjectName;
use chunkstore::session::{self, Mark, Session, View};
use chunkstore::simulation::{self, Rule};
use chunkstore::store::Store;
use chunkstore::sweep::{self, Confirm, FencePolicy, Needs, Plan, Policy};
use chunkstore::{Error as StoreError, PackId, SessionId};
use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

/// Readings of the repository's state that others may overtake.
const TRIES: usize = 10;

/// How a collection of garbage goes.
#[derive(Clone, Debug)]
pub struct PruneOptions {
    /// How much is moved to free how much.
    pub gc: Policy,
    /// Seconds for which forgotten snapshots can be undeleted.
    pub keep_trash: u64,
    /// Only plan.
    pub dry_run: bool,
    /// Generations that a dry run counts as removed: what a policy would remove.
    pub assume_gone: BTreeSet<SessionId>,
    /// A session of another machine is fenced this long after it was first seen here.
    pub stale_after: Duration,
    /// The caller guarantees that no one writes in the meantime: needed where the storage breaks promises.
    pub exclusive: bool,
}

impl PruneOptions {
    /// Usual values for the rest.
    pub fn new(gc: Policy) -> Self {
        PruneOptions {
            gc,
            keep_trash: 7 * 86_400,
            dry_run: false,
            assume_gone: BTreeSet::new(),
            stale_after: Duration::from_secs(48 * 3600),

            exclusive: false,
        }
    }
}

/// Collects garbage. [`Error::Damaged`] or [`Error::ShortListing`] when the repository must not be changed,
/// [`chunkstore::Error::NoSpace`] when it is full and nothing could be freed.
pub fn run(repo: &Repo, options: &PruneOptions, monitor: &dyn Monitor) -> Result<PruneSummary> {
    repo.store.check_upgrades()?;
    let remote = repo.store.remote();
    if !options.dry_run && !options.exclusive {
        repo.refuse_weak_storage()?;
    }
    let done = match run_once(repo, options, monitor) {
        // Not even room to end a dead session: that is what the reserve is for.
        Err(Error::Store(StoreError::NoSpace { .. })) if !options.dry_run && remote.release_reserve()? => {
            run_once(repo, options, monitor)?
        }
        done => done?,
    };
    if !options.dry_run {
        match remote.create_reserve() {
            // Later, when there is more room.
            Ok(()) | Err(StoreError::NoSpace { .. }) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(done)
}

fn run_once(repo: &Repo, options: &PruneOptions, monitor: &dyn Monitor) -> Result<PruneSummary> {
    let mut summary = PruneSummary {
        dry_run: options.dry_run,
        ..PruneSummary::default()
    };
    let store = &*repo.store;
    let expired = expired_trash(repo, options, &mut summary)?;
    if options.dry_run {
        let expired = expired.into_keys().collect();
        let forecast = Collection::new(repo, options, monitor, None).forecast(expired, &mut summary);
        forecast.or_else(|e| held_back(repo, e, &mut summary, monitor))?;
        tell_unread(repo, &mut summary, monitor);
        return Ok(summary);
    }
    store.discard(&expired.into_values().collect::<Vec<_>>())?;
    summary.staged_removed = sweep_staged(repo, options)?;
    // Shows a second collector that one is at work. Without room for it, nothing is moved, only deleted.
    let session = match Session::begin(store, &repo.owner()) {
        Err(StoreError::NoSpace { .. }) => None,
        session => Some(session?),
    };
    let own = session.as_ref().map(|session| session.id);
    let result = collect(repo, options, monitor, own, &mut summary)
        .or_else(|e| held_back(repo, e, &mut summary, monitor));
    if let Some(session) = session {
        match session.abandon(store) {
            // What it held up ends with the process.
            Err(StoreError::NoSpace { .. }) => {}
            Err(e) if result.is_ok() => return Err(e.into()),
            _ => {}
        }
    }
    result?;
    tell_unread(repo, &mut summary, monitor);
    summary.parity_removed = sweep::remove_orphaned_parity(store)?;
    summary.sessions_removed = sweep::remove_ended_sessions(store)?;
    // A hint, which the next prune or backup replaces.
    let _ = overview::tidy(&repo.store);
    // The same holds of what machines say about themselves.
    let _ = machines::tidy(repo);
    summary.pending = summary.marks_pending > 0;
    Ok(summary)
}

/// An object that can't be read, while others can, ends a collection but not the rest: what it would have told may be
/// needed (I-9).
fn held_back(repo: &Repo, error: Error, summary: &mut PruneSummary, monitor: &dyn Monitor) -> Result<()> {
    match error {
        Error::Store(e) => match repo.store.judge(e) {
            e @ StoreError::Unreadable { .. } => {
                summary.held_back = true;
                // Packs are told with the others of their kind.
                if let StoreError::Unreadable { object, .. } = &e
                    && object
                        .pack()
                        .is_none_or(|id| repo.store.unreadable_pack(&id).is_none())
                {
                    summary.objects_unreadable += 1;
                    monitor.problem(&Problem::of(object.clone(), &e));
                }
                Ok(())
            }
            e => Err(e.into()),
        },
        e => Err(e),
    }
}

/// Tells of packs that could not be read, and so were kept as they are.
fn tell_unread(repo: &Repo, summary: &mut PruneSummary, monitor: &dyn Monitor) {
    for (id, error) in repo.store.unreadable_packs() {
        summary.objects_unreadable += 1;
        monitor.problem(&Problem::of(ObjectName::pack(id), &error));
    }
}

/// Removes what writers that are gone left unpublished.
fn sweep_staged(repo: &Repo, options: &PruneOptions) -> Result<u64> {
    let store = &*repo.store;
    let mut all_ended = || {
        let open = sweep::open_sessions(store)?;
        Ok(sweep::fence_stale_sessions(store, &open, &patience(repo, options))?.is_empty())
    };
    Ok(store.remote().sweep_staged(&mut all_ended)?)
}

fn patience(repo: &Repo, options: &PruneOptions) -> FencePolicy {
    FencePolicy {
        machine: repo.machine(),
        stale: options.stale_after,
        dry_run: options.dry_run,
    }
}

/// Collects, from the beginning again when another collection replaces what this one is about to read.
fn collect(
    repo: &Repo,
    options: &PruneOptions,
    monitor: &dyn Monitor,
    own: Option<SessionId>,
    summary: &mut PruneSummary,
) -> Result<()> {
    let mut tries = 0;
    loop {
        tries += 1;
        summary.marks_pending = 0;
        let unread = repo.store.unreadable_packs().len();
        match Collection::new(repo, options, monitor, own).run(summary) {
            Err(Error::Store(e)) if overtaken(&e) && tries < TRIES => {}
            // The next plan leaves it as it is.
            Err(Error::Store(StoreError::Unreadable { .. }))
                if repo.store.unreadable_packs().len() > unread => {}
            Err(Error::Refused(Refusal::AnotherCollection(_))) if tries < TRIES => {}
            result => return result,
        }
    }
}

/// What the repository holds, read in the order that I-7 needs: marks, index, packs, manifests.
struct PruneState {
    view: View,
    packs: Inventory,
    index: LocalIndex,
    needed: Needed,
}

/// Everything that a listing's generations refer to.
struct Needed {
    listing: Listing,
    skipped: BTreeSet<SessionId>,
    live: LiveSet,
    snapshots: u64,
}

struct Collection<'a> {
    repo: &'a Repo,
    store: &'a Store,
    options: &'a PruneOptions,
    monitor: &'a dyn Monitor,
    /// The session that this collection holds.
    own: Option<SessionId>,
}

impl<'a> Collection<'a> {
    fn new(
        repo: &'a Repo,
        options: &'a PruneOptions,
        monitor: &'a dyn Monitor,
        own: Option<SessionId>,
    ) -> Self {
        Collection {
            repo,
            store: &repo.store,
            options,
            monitor,
            own,
        }
    }

    fn run(&self, summary: &mut PruneSummary) -> Result<()> {
        let marks = sweep::pending_marks(self.store)?;
        let mut made = HashSet::new();
        for mark in &marks {
            made.extend(sweep::made_before(self.store, mark));
        }
        let needed = self.finish(marks, None, &mut made, summary)?;
        let state = self.read_state(needed, BTreeSet::new())?;
        let mut confirm = Confirm::new(self.store, &made)?;
        let (plan, needs) = self.plan(&state, &mut confirm, summary)?;
        summary.plan(&plan, self.store, &state.packs, state.view.segments.len());
        if plan.unlisted_kept + plan.unlisted_gone == 0 {
            // Whatever they listed is listed by others now.
            summary.segments_removed += sweep::remove_damaged_segments(self.store)?;
        }
        let (plan, new) = self.move_frames(plan, &needs, &state, summary)?;
        made.extend(new);
        if plan.is_empty() {
            return Ok(());
        }
        self.repo.run().cancel().check()?;
        let marks = sweep::condemn(self.store, &plan)?;
        // After the marks are durable: a session that is not listed now sees them, or has published already.
        let waiting = self.others(sweep::open_sessions(self.store)?);
        for mark in &marks {
            sweep::note_waiting(self.store, mark, &waiting, &made)?;
        }
        let PruneState { index, needed, .. } = state;
        // One copy of the local index serves one opening at a time.
        drop(index);
        self.finish(marks, Some(needed), &mut made, summary).map(drop)
    }

    fn others(&self, mut sessions: Vec<SessionId>) -> Vec<SessionId> {
        sessions.retain(|id| Some(*id) != self.own);
        sessions
    }

    /// The sessions that stay open, once those that are dead were fenced; in a dry run, would be.
    fn settle(&self, sessions: Vec<SessionId>) -> Result<Vec<SessionId>> {
        let patience = patience(self.repo, self.options);
        Ok(sweep::fence_stale_sessions(
            self.store,
            &self.others(sessions),
            &patience,
        )?)
    }

    /// G0. Packs in no segment are garbage only if no session may be about to list them.
    fn plan<'s>(
        &self,
        state: &'s PruneState,
        confirm: &mut Confirm<'_>,
        summary: &mut PruneSummary,
    ) -> Result<(Plan, Needs<'s>)> {
        summary.snapshots = state.needed.snapshots;
        let open = self.settle(sweep::open_sessions(self.store)?)?;
        let owner = |id: &SessionId| Ok(session::owner(self.store, *id)?.and_then(|owner| owner.packs));
        let running = open.iter().filter(|id| Some(**id) != self.own).map(owner);
        let running = running
            .filter_map(Result::transpose)
            .collect::<Result<Vec<[u64; 2]>>>()?;
        let running = running.into_iter().flatten().collect();
        let quiet = open.is_empty() && View::read(self.store)?.segments == state.view.segments;
        let PruneState {
            view,
            packs,
            index,
            needed,
        } = state;
        let mut needs = Needs::find(self.store, view, index, &needed.live, confirm)?;
        let gc = &self.options.gc;
        let plan = sweep::plan(self.store, &mut needs, confirm, packs, gc, quiet, &running)?;
        Ok((plan, needs))
    }

    /// Those of the marks whose sessions have all ended.
    fn ready(&self, marks: Vec<Mark>, summary: &mut PruneSummary) -> Result<Vec<Mark>> {
        let mut ready = Vec::new();
        let mut waited_for = BTreeSet::new();
        for mark in marks {
            let open = self.settle(sweep::waiting_for(self.store, &mark)?)?;
            if open.is_empty() {
                ready.push(mark);
            } else {
                summary.marks_pending += 1;
                waited_for.extend(open);
            }
        }
        summary.sessions_waited_for = summary.sessions_waited_for.max(waited_for.len() as u64);
        Ok(ready)
    }

    /// Sweeps those of the marks whose sessions have all ended. Returns what was found to be needed, for reuse.
    fn finish(
        &self,
        marks: Vec<Mark>,
        mut needed: Option<Needed>,
        made: &mut HashSet<PackId>,
        summary: &mut PruneSummary,
    ) -> Result<Option<Needed>> {
        let mut ready = self.ready(marks, summary)?;
        let mut tries = 0;
        while !ready.is_empty() {
            self.repo.run().cancel().check()?;
            tries += 1;
            let mut state = self.read_state(needed.take(), BTreeSet::new())?;
            // Another collection may have finished one in the meantime.
            ready.retain(|mark| mark.packs.is_subset(&state.view.condemned));
            self.monitor.phase(Phase::Deleting);
            let (view, index, packs) = (&state.view, &state.index, &state.packs);
            let live = &mut state.needed.live;
            let (swept, mut doubtful) = match sweep::sweep(self.store, &ready, view, index, live, packs, made)
            {
                Err(e) if overtaken(&e) && tries < TRIES => continue,
                swept => swept?,
            };
            summary.packs_deleted += swept.packs;
            summary.bytes_deleted += swept.bytes;
            ready.retain(|mark| !mark.packs.is_disjoint(&swept.spared));
            if !ready.is_empty() {
                let moved = match self.own {
                    Some(_) if tries < TRIES => self.moving(0, view, |moved| {
                        sweep::move_out(self.store, &swept.spared, &mut doubtful, moved)
                    }),
                    _ => Err(StoreError::NoSpace {
                        object: "packs".into(),
                    }
                    .into()),
                };
                match moved {
                    // Readable where it is, until there is room.
                    Err(Error::Store(StoreError::NoSpace { .. })) => {
                        summary.no_space = true;
                        summary.marks_pending += ready.len() as u64;
                        ready.clear();
                    }
                    moved => made.extend(moved?),
                }
            }
            needed = Some(state.needed);
        }
        Ok(needed)
    }

    /// Reads marks, index, packs and manifests, in this order, and proves that nothing that is needed is missing.
    /// `earlier` is taken over if the generations are still the same.
    fn read_state(&self, mut earlier: Option<Needed>, skip: BTreeSet<SessionId>) -> Result<PruneState> {
        let mut failed_under: Option<View> = None;
        for _ in 1..TRIES {
            let early = match simulation::left_out(Rule::PacksLast) {
                true => Some(self.store.packs()?),
                false => None,
            };
            let view = View::read(self.store)?;
            match self.try_read_state(&view, early, earlier.take(), &skip) {
                Err(Error::Store(e)) if e.is_damage() => {
                    // A writer or another collection may have been at work between our readings, and a mark may have
                    // come and gone: it is damage only if nothing has changed and it is still there.
                    if failed_under.as_ref() == Some(&view) && View::read(self.store)? == view {
                        return Err(Error::Damaged(e));
                    }
                    failed_under = Some(view);
                }
                state => return state,
            }
        }
        match self.try_read_state(&View::read(self.store)?, None, None, &skip) {
            Err(Error::Store(e)) if e.is_damage() => Err(Error::Damaged(e)),
            state => state,
        }
    }

    fn try_read_state(
        &self,
        view: &View,
        packs: Option<Inventory>,
        earlier: Option<Needed>,
        skip: &BTreeSet<SessionId>,
    ) -> Result<PruneState> {
        let packs = match packs {
            Some(packs) => packs,
            None => self.store.packs()?,
        };
        let listing = Listing::read(self.repo)?;
        let progress = crate::repo::index_progress(self.monitor);
        let index = self
            .store
            .index_of(view, &packs, &mut |done, total| progress(done, total))?;
        // What a segment lists that can't be read is not known to be there, or to be gone.
        self.store.index_is_read()?;
        let mut needed = match earlier {
            Some(earlier) if earlier.listing == listing && earlier.skipped == *skip => earlier,
            _ => self.find_needed(listing, skip, &index)?,
        };
        sweep::all_present(self.store, &index, &mut needed.live)?;
        Ok(PruneState {
            view: view.clone(),
            packs,
            index,
            needed,
        })
    }

    fn find_needed(
        &self,
        listing: Listing,
        skip: &BTreeSet<SessionId>,
        index: &LocalIndex,
    ) -> Result<Needed> {
        self.monitor.phase(Phase::FindingReferences);
        let reader = Reader::with_index(self.repo.store.clone(), index);
        let mut live = LiveSet::new(self.store.cache())?;
        let (mut snapshots, mut there) = (0, BTreeSet::new());
        listing.for_each(self.store, skip, &mut |id, manifest| {
            if !listing.trash.contains(&id) {
                snapshots += 1;
                there.insert(id);
            }
            references::collect(&reader, &[manifest.root()?], &mut live, self.monitor)
        })?;
        let known = Known::read(self.repo)?;
        let missing = known.missing(self.store, &listing.snapshot_ids, Some(&listing.trash))?;
        known.update(self.repo, &there, Some(&listing.trash), &missing)?;
        Ok(Needed {
            listing,
            skipped: skip.clone(),
            live,
            snapshots,
        })
    }
}

/// A segment or mark went away under us: another collection. Or a segment was found damaged: from now on it is absent.
fn overtaken(error: &StoreError) -> bool {
    match error {
        StoreError::Missing { object } | StoreError::Corrupt { object, .. } => object.is_in("index"),
        StoreError::Refused(_) => true,
        _ => false,
    }
}
