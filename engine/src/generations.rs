//! All generations there are, forgotten ones included, as garbage collection must see them: none unread, none
//! unlisted (I-9).

mod known;

use crate::error::{Error, Result};
use crate::manifest::Manifest;
use crate::repo::{By, Repo, Survey};
use chunkstore::remote::ObjectName;
use chunkstore::store::{SnapshotObject, Store};
use chunkstore::{Error as StoreError, SessionId, sweep};
pub use known::accept_loss;
pub(crate) use known::{Known, MissingSnapshots, note_forgotten};
use std::collections::BTreeSet;

/// Names of what counts: manifests and fences, and what is in the trash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listing {
    pub snapshot_ids: BTreeSet<SessionId>,
    pub trash: BTreeSet<SessionId>,
}

impl Listing {
    /// Lists, and proves the listing by what must be in it. What this machine knows to be there, and what a session has
    /// published, must be listed or be gone when asked for by name; and a generation that is gone must be one that
    /// somebody forgot.
    pub fn read(repo: &Repo) -> Result<Listing> {
        let store = &repo.store;
        let known = Known::read(repo)?;
        let mut expected: BTreeSet<SessionId> = sweep::open_sessions(store)?.into_iter().collect();
        expected.extend(&known.trash);
        // Snapshots first: what is forgotten in between is then in the trash.
        let snapshot_ids: BTreeSet<SessionId> = store.snapshot_ids()?.into_iter().collect();
        let listing = Listing {
            trash: store.trashed()?.into_iter().collect(),
            snapshot_ids,
        };
        for id in expected {
            if !listing.snapshot_ids.contains(&id) && !listing.trash.contains(&id) {
                refuse_short_listing(store, id)?;
            }
        }
        let MissingSnapshots { lost, .. } =
            known.missing(store, &listing.snapshot_ids, Some(&listing.trash))?;
        match lost.is_empty() {
            true => Ok(listing),
            false => Err(Error::Lost(lost)),
        }
    }

    /// Calls `each` with every generation's manifest, but for those that `skip` names.
    pub fn for_each(
        &self,
        store: &Store,
        skip: &BTreeSet<SessionId>,
        each: &mut dyn FnMut(SessionId, Manifest) -> Result<()>,
    ) -> Result<()> {
        for id in self.snapshot_ids.difference(skip).copied() {
            match store.snapshot_object(id) {
                Ok(SnapshotObject::Fence) => {}
                Ok(SnapshotObject::Manifest { body, .. }) => each(id, Manifest::decode(id, &body)?)?,
                // Forgotten since: its place is the trash now.
                Err(StoreError::Missing { .. }) => forgotten(store, id, each)?,
                Err(e) => return Err(e.into()),
            }
        }
        for id in self.trash.difference(skip) {
            forgotten(store, *id, each)?;
        }
        Ok(())
    }
}

/// [`Error::ShortListing`] for a generation that a listing lacked and that is there.
fn refuse_short_listing(store: &Store, id: SessionId) -> Result<()> {
    // A session may have ended since: then a listing of now shows it. Or it was forgotten while we look.
    let snapshot = ObjectName::snapshot(id);
    if still_there(store, &snapshot, &|| Ok(store.snapshot_ids()?.contains(&id)))? {
        return Err(Error::ShortListing(snapshot.into()));
    }
    let trash = ObjectName::trash(id);
    match still_there(store, &trash, &|| Ok(store.trashed()?.contains(&id)))? {
        true => Err(Error::ShortListing(trash.into())),
        false => Ok(()),
    }
}

/// Whether an object is there before a listing that lacks it, and after.
fn still_there(store: &Store, name: &ObjectName, listed: &dyn Fn() -> Result<bool>) -> Result<bool> {
    let is_there = || Ok::<_, Error>(store.remote().size(name)?.is_some());
    Ok(is_there()? && !listed()? && is_there()?)
}

/// What is neither a snapshot nor in the trash any more was ended for good, and protects nothing.
fn forgotten(
    store: &Store,
    id: SessionId,
    each: &mut dyn FnMut(SessionId, Manifest) -> Result<()>,
) -> Result<()> {
    match store.trash(id) {
        Ok((body, _)) => each(id, Manifest::decode(id, &body)?),
        Err(StoreError::Missing { .. }) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

impl Repo {
    /// As [`Repo::snapshots`], and what this machine misses among them (I-9, I-17).
    pub fn survey(&self) -> Result<Survey> {
        self.survey_by(By::Manifests)
    }

    /// As [`Repo::outlines`], and what this machine misses among them (I-9, I-17).
    pub fn survey_outlines(&self) -> Result<Survey> {
        self.survey_by(By::Overview)
    }

    fn survey_by(&self, by: By) -> Result<Survey> {
        // To be read before what it is compared with.
        let known = Known::read(self);
        let (listed, (snapshots, unreadable)) = self.read_listed(by)?;
        let bad = unreadable.iter().map(|(id, _)| *id);
        let there = snapshots.iter().map(|snapshot| snapshot.id).chain(bad).collect();
        // Trouble here keeps no one from what is there.
        let lost = known.and_then(|known| {
            let missing = known.missing(&self.store, &listed, None)?;
            // A reader may have no place to write: then this machine goes on knowing what it knew.
            let _ = known.update(self, &there, None, &missing);
            Ok(missing.lost)
        });
        Ok(Survey {
            snapshots,
            unreadable,
            lost,
        })
    }
}
