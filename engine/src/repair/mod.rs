//! Mending, which only adds (I-16): index segments for packs that none lists ([`mod@index`]), copies of what is whole in
//! damaged packs ([`mod@packs`]), and successors of snapshots that lost something ([`mod@snapshots`]). What is broken
//! stays where it is as long as it is needed, and goes with an ordinary collection.
//!
//! [`mod@parity`] comes before all that: it puts damaged packs right from their parity, and needs no key.
//!
//! In this order each makes the next find more. A damaged pack is condemned by a mark, so that a backup which still has
//! the data stores it again.

mod index;
mod packs;
mod parity;
mod snapshots;

pub use index::{IndexRepaired, index};
pub use packs::{PacksRepaired, packs};
pub use parity::{ParityRepaired, of_new_packs as parity_of_new_packs, on as parity_on, parity};
pub use snapshots::{SnapshotRepaired, SnapshotsRepaired, snapshots};

use crate::error::Result;
use crate::error::StoreError;
use crate::monitor::{Monitor, Problem, ProblemKind};
use crate::problem::Damage;
use crate::repo::Repo;
use chunkstore::error::Object;
use chunkstore::session::Session;

/// How to repair.
#[derive(Clone, Debug)]
pub struct RepairOptions {
    /// Only report what would be done.
    pub dry_run: bool,
}

/// Reports damage that stays.
fn tell(monitor: &dyn Monitor, object: impl Into<Object>, damage: Damage) {
    monitor.problem(&Problem::new(object, ProblemKind::Damage(damage)));
}

/// Reports an object that stays as it is: damaged, or not to be read.
fn tell_of(monitor: &dyn Monitor, object: impl Into<Object>, error: &StoreError) {
    monitor.problem(&Problem::of(object, error));
}

/// Does `work` under a session, so that no collection takes what it adds for garbage; without one in a dry run.
fn under_session<T>(repo: &Repo, options: &RepairOptions, work: impl FnOnce() -> Result<T>) -> Result<T> {
    if options.dry_run {
        return work();
    }
    let session = Session::begin(&repo.store, &repo.owner())?;
    let done = work();
    match session.abandon(&repo.store) {
        Err(e) if done.is_ok() => Err(e.into()),
        // The first error is the one to report; a collection will end the session.
        _ => done,
    }
}
