//! What a writer's references rest on (I-4): its view, the packs that were there, and what became of both since.

use super::{Writer, WriterState};
use crate::error::Result;
use crate::index::{self, LocalIndex};
use crate::session::View;
use std::sync::atomic::Ordering::Relaxed;

impl Writer {
    /// Whether the view under the session that a checkpoint left open still covers what was checked before. If not,
    /// the caller starts a new run (with the checkpoint as its parent).
    pub fn is_covered(&self) -> Result<bool> {
        let WriterState {
            store,
            view,
            segments,
            own_packs,
            ..
        } = &*self.shared;
        let now = View::read(store)?;
        Ok(now.extends(view)
            && segments
                .lock()
                .iter()
                .all(|id| now.segments.binary_search(id).is_ok())
            && own_packs.lock().is_disjoint(&now.condemned))
    }

    /// Whether ids that were checked under the `earlier` view, when the packs had the fingerprint `packs`, may be used
    /// without a look into the index (I-4). Where listing is cheap it is also seen that every pack is still there and has
    /// its size; on a far remote that is left to `check`.
    pub fn trusts(&self, earlier: &View, packs: Option<u64>) -> Result<bool> {
        let WriterState {
            store, view, trusted, ..
        } = &*self.shared;
        if !view.extends(earlier) || store.remote().is_high_latency() {
            return Ok(view.extends(earlier));
        }
        let now = index::fingerprint(&store.packs()?);
        // Set once: a writer asks this when it begins.
        Ok(packs == Some(*trusted.get_or_init(|| now)))
    }

    /// The fingerprint of the packs that were there when this run looked, and of those that it put. `None` where it never
    /// looked.
    pub fn packs_seen(&self) -> Option<u64> {
        let shared = &*self.shared;
        let seen = shared.index.get().and_then(LocalIndex::seen);
        let seen = seen.or(shared.trusted.get().copied())?;
        Some(seen.wrapping_add(shared.own_traces.load(Relaxed)))
    }

    /// The view that covers everything this run refers to, as of its end.
    pub fn final_view(&self) -> View {
        let mut view = self.shared.view.clone();
        view.segments.extend(self.shared.segments.lock().iter());
        view.segments.sort_unstable();
        view
    }
}
