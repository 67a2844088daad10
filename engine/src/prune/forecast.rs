//! What a collection would do, with the figures that it has when it is run: a dry run takes every decision that the run
//! takes, on a state from which the run's own deletions are left out.

use super::{Collection, PruneSummary};
use crate::error::Result;
use chunkstore::remote::{self, Kind};
use chunkstore::sweep::{self, Confirm};
use chunkstore::{PackId, SessionId};
use std::collections::{BTreeSet, HashSet};

impl Collection<'_> {
    /// `expired` is what leaves the trash.
    pub(super) fn forecast(
        &self,
        mut expired: BTreeSet<SessionId>,
        summary: &mut PruneSummary,
    ) -> Result<()> {
        // What a policy removes goes to the trash, and from there at once where nothing is kept in it.
        let removed = self.options.assume_gone.len() as u64;
        match self.options.keep_trash {
            0 => {
                summary.trash_discarded += removed;
                expired.extend(&self.options.assume_gone);
            }
            _ => summary.trash_kept += removed,
        }
        let mut gone = self.earlier_marks(summary)?;
        let mut state = self.read_state(None, expired)?;
        gone.retain(|pack| state.packs.contains_key(pack));
        summary.packs_deleted = gone.len() as u64;
        summary.bytes_deleted = gone.iter().filter_map(|pack| state.packs.remove(pack)).sum();
        let made = HashSet::new();
        let mut confirm = Confirm::new(self.store, &made)?;
        let (plan, _) = self.plan(&state, &mut confirm, summary)?;
        // In the trash they still need their chunks, and are no snapshots.
        let still = self.options.assume_gone.difference(&state.needed.skipped).count() as u64;
        summary.snapshots = summary.snapshots.saturating_sub(still);
        summary.plan(&plan, self.store, &state.packs, state.view.segments.len());
        if plan.unlisted_kept + plan.unlisted_gone == 0 {
            summary.segments_removed = self.store.damaged_segments().len() as u64;
        }
        let open = self.settle(sweep::open_sessions(self.store)?)?;
        if !plan.is_empty() && open.is_empty() {
            gone.extend(plan.unneeded.union(&plan.repack));
            summary.packs_deleted = gone.len() as u64;
            summary.bytes_deleted += plan.bytes_deleted;
        } else if !plan.is_empty() {
            summary.marks_pending += sweep::marks_of(&plan);
            summary.sessions_waited_for = summary.sessions_waited_for.max(open.len() as u64);
        }
        summary.pending = summary.marks_pending > 0;
        self.tidied_up(&gone, &open, summary)
    }

    /// The packs of marks that earlier runs left and that can be swept now; counts the marks that go on waiting.
    fn earlier_marks(&self, summary: &mut PruneSummary) -> Result<HashSet<PackId>> {
        let (mut gone, mut waited_for) = (HashSet::new(), BTreeSet::new());
        for mark in sweep::pending_marks(self.store)? {
            let open = self.settle(sweep::waiting_for(self.store, &mark)?)?;
            match open.is_empty() {
                true => gone.extend(mark.packs),
                false => {
                    summary.marks_pending += 1;
                    waited_for.extend(open);
                }
            }
        }
        summary.sessions_waited_for = waited_for.len() as u64;
        Ok(gone)
    }

    /// Sessions and parity that would be tidied up.
    fn tidied_up(
        &self,
        gone: &HashSet<PackId>,
        open: &[SessionId],
        summary: &mut PruneSummary,
    ) -> Result<()> {
        let sessions = remote::ids(self.store.remote(), Kind::Session, SessionId::from_hex)?;
        // Forgetting takes a snapshot's along.
        let ended = |id: &&SessionId| !open.contains(id) && !self.options.assume_gone.contains(*id);
        summary.sessions_removed = sessions.iter().filter(ended).count() as u64;
        let parities = self.store.parities()?;
        if !parities.is_empty() {
            let packs = self.store.packs()?;
            let stays = |pack: &PackId| packs.contains_key(pack) && !gone.contains(pack);
            summary.parity_removed = parities.keys().filter(|pack| !stays(pack)).count() as u64;
        }
        Ok(())
    }
}
