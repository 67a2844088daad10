//! Moves what is needed out of packs that go: before they are condemned, or after, where a pack turns out to hold the only
//! good copy of something.

use super::{Collection, PruneState};
use crate::error::{Error, Result};
use crate::monitor::{Phase, Progress};
use crate::prune::PruneSummary;
use chunkstore::session::View;
use chunkstore::sweep::{self, Needs, Plan};
use chunkstore::{Error as StoreError, PackId};
use std::collections::HashSet;

impl Collection<'_> {
    /// Moves frames out of poor packs. On a full remote the plan shrinks to what can go as it is.
    pub(super) fn move_frames(
        &self,
        plan: Plan,
        needs: &Needs<'_>,
        state: &PruneState,
        summary: &mut PruneSummary,
    ) -> Result<(Plan, HashSet<PackId>)> {
        if plan.repack.is_empty() {
            return Ok((plan, HashSet::new()));
        }
        let result = match self.own {
            Some(_) => self.moving(plan.bytes_moved, &state.view, |moved| {
                sweep::repack(self.store, needs, &plan.repack, moved)
            }),
            None => Err(StoreError::NoSpace {
                object: "sessions".to_string(),
            }
            .into()),
        };
        match result {
            Err(Error::Store(StoreError::NoSpace { object })) => {
                summary.no_space = true;
                let plan = plan.without_repack(&state.packs);
                if plan.is_empty() && summary.packs_deleted == 0 {
                    return Err(StoreError::NoSpace { object }.into());
                }
                summary.plan(&plan, self.store, &state.packs, state.view.segments.len());
                Ok((plan, HashSet::new()))
            }
            result => result.map(|made| (plan, made)),
        }
    }

    /// Moves what is needed to new packs, which it returns.
    pub(super) fn moving(
        &self,
        bytes: u64,
        view: &View,
        work: impl FnOnce(&mut dyn FnMut(u64) -> chunkstore::Result<()>) -> chunkstore::Result<HashSet<PackId>>,
    ) -> Result<HashSet<PackId>> {
        self.monitor.phase(Phase::Repacking);
        let mut bytes_done = 0;
        let moved = &mut |more| {
            bytes_done += more;
            self.monitor.progress(&Progress {
                bytes_done,
                bytes_total: bytes,
                ..Progress::default()
            });
            self.store.cancel().check()
        };
        match work(moved) {
            // Another collection moved it first: ours begins again with what there is now.
            Err(e) if e.is_damage() && View::read(self.store)? != *view => {
                Err(StoreError::Refused(format!("another collection is at work ({e})")).into())
            }
            Err(e) if e.is_damage() => Err(Error::Damaged(e)),
            result => Ok(result?),
        }
    }
}
