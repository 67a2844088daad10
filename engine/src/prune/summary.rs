//! What a collection reports, before and after.

use chunkstore::index::Inventory;
use chunkstore::store::Store;
use chunkstore::sweep::Plan;

/// What a collection did, or with `dry_run` would do. Bytes are stored bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct PruneSummary {
    /// Nothing was changed.
    pub dry_run: bool,
    /// Snapshots that are kept.
    pub snapshots: u64,
    /// Forgotten snapshots that ended, and those that can still be undeleted.
    pub trash_discarded: u64,
    /// Forgotten snapshots that can still be undeleted.
    pub trash_kept: u64,
    /// When the first of these can end, in seconds since 1970; 0 where there is none.
    pub trash_until: i64,
    /// Before the collection.
    pub packs_total: u64,
    /// Stored bytes before the collection.
    pub bytes_total: u64,
    /// Bytes of chunks that snapshots need.
    pub bytes_needed: u64,
    /// The plan: packs that go as they are, packs whose needed part is moved first.
    pub packs_unneeded: u64,
    /// Packs whose needed part is moved first.
    pub packs_repack: u64,
    /// Bytes that are moved.
    pub bytes_moved: u64,
    /// Bytes that the plan frees once it is carried out.
    pub bytes_freed: u64,
    /// Unneeded bytes that stay.
    pub bytes_kept_unused: u64,
    /// Packs that no index lists and that stay while a backup is running.
    pub packs_unlisted: u64,
    /// Requests to the remote, about.
    pub requests: u64,
    /// Bytes that the remote needs during the collection beyond what it has now, about.
    pub bytes_peak_extra: u64,
    /// What was deleted, of this plan and of earlier ones.
    pub packs_deleted: u64,
    /// Bytes of the packs that were deleted.
    pub bytes_deleted: u64,
    /// The plan was carried out without moving anything, because the remote is full.
    pub no_space: bool,
    /// Marks that wait, and the running sessions that they wait for: a later run finishes them.
    pub pending: bool,
    /// Marks that wait.
    pub marks_pending: u64,
    /// Running sessions that they wait for.
    pub sessions_waited_for: u64,
    /// Ended sessions and abandoned writes that were tidied up.
    pub sessions_removed: u64,
    /// Damaged index segments that were of no more use.
    pub segments_removed: u64,
    /// Parity of packs that are gone.
    pub parity_removed: u64,
    /// Abandoned writes that were removed.
    pub staged_removed: u64,
    /// Objects that could not be read: packs among them were kept as they are.
    pub objects_unreadable: u64,
    /// One of them ended the collection, as more may be needed than could be found.
    pub held_back: bool,
}

impl PruneSummary {
    pub(super) fn plan(&mut self, plan: &Plan, store: &Store, packs: &Inventory, segments: usize) {
        let pack_size = u64::from(store.config().pack_size).max(1);
        self.packs_total = packs.len() as u64;
        self.bytes_total = packs.values().sum();
        self.bytes_needed = plan.needed;
        self.packs_unneeded = plan.unneeded.len() as u64;
        self.packs_repack = plan.repack.len() as u64;
        self.bytes_moved = plan.bytes_moved;
        self.bytes_freed = plan.bytes_deleted.saturating_sub(plan.bytes_moved);
        self.bytes_kept_unused = plan.bytes_kept_unused;
        self.packs_unlisted = plan.unlisted_kept;
        if plan.is_empty() {
            return;
        }
        let new_packs = plan.bytes_moved.div_ceil(pack_size);
        // Four reads of a poor pack's list and at least one of its frames; two writes of a new pack; each condemned
        // pack is deleted; each segment is read four times at most, replaced and deleted.
        self.requests =
            6 * self.packs_repack + 2 * new_packs + self.packs_unneeded + 6 * segments as u64 + 20;
        self.bytes_peak_extra = plan.bytes_moved + plan.bytes_moved / 64 + (64 << 10);
    }
}
