//! All generations there are, forgotten ones included, as garbage collection must see them: none unread, none
//! unlisted (I-9).

use crate::error::{Error, Result};
use crate::manifest::Manifest;
use crate::repo::{Repo, write_replacing};
use chunkstore::remote::ObjectName;
use chunkstore::store::{Slate, Store};
use chunkstore::{Error as StoreError, SessionId, sweep};
use std::collections::BTreeSet;

/// Names of what counts: manifests and fences, and what is in the trash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listing {
    pub slates: BTreeSet<SessionId>,
    pub trash: BTreeSet<SessionId>,
}

impl Listing {
    /// Lists, and proves the listing by what must be in it: whatever this machine saw before and whatever sessions
    /// have ended must be listed, or be gone when asked for by name.
    pub fn read(repo: &Repo) -> Result<Listing> {
        let store = &repo.store;
        let mut unlisted: BTreeSet<SessionId> = sweep::open_sessions(store)?.into_iter().collect();
        unlisted.extend(known(repo)?);
        // Snapshots first: what is forgotten meanwhile is then in the trash.
        let listing = Listing {
            slates: store.slates()?.into_iter().collect(),
            trash: store.trashed()?.into_iter().collect(),
        };
        for id in unlisted {
            if listing.slates.contains(&id) || listing.trash.contains(&id) {
                continue;
            }
            // A session may have ended since: then a listing of now shows it. Or it was forgotten while we look.
            let snapshot = ObjectName::snapshot(id);
            if still_there(store, &snapshot, &|| Ok(store.slates()?.contains(&id)))? {
                return Err(Error::ShortListing(snapshot.to_string()));
            }
            let trash = ObjectName::trash(id);
            if still_there(store, &trash, &|| Ok(store.trashed()?.contains(&id)))? {
                return Err(Error::ShortListing(trash.to_string()));
            }
        }
        remember(repo, &listing)?;
        Ok(listing)
    }

    /// Calls `each` with every generation's manifest, but for those in the trash that `skip` names.
    pub fn for_each(
        &self,
        store: &Store,
        skip: &BTreeSet<SessionId>,
        each: &mut dyn FnMut(SessionId, Manifest) -> Result<()>,
    ) -> Result<()> {
        for id in self.slates.iter().copied() {
            match store.slate(id) {
                Ok(Slate::Fence) => {}
                Ok(Slate::Manifest { body, .. }) => each(id, Manifest::decode(id, &body)?)?,
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

/// Generations that this machine listed last time. A note that was lost proves less, and harms nothing.
fn known(repo: &Repo) -> Result<Vec<SessionId>> {
    let path = repo.state().join("generations");
    match std::fs::read(&path) {
        Ok(ids) => Ok(ids
            .chunks_exact(SessionId::LEN)
            .filter_map(SessionId::from_slice)
            .collect()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(Error::Io {
            what: "read",
            path,
            source,
        }),
    }
}

/// Adds what this machine knows to be there to what it listed.
pub(crate) fn note(repo: &Repo, ids: &[SessionId]) -> Result<()> {
    let mut all: BTreeSet<SessionId> = known(repo)?.into_iter().collect();
    all.extend(ids);
    write(repo, &all)
}

fn remember(repo: &Repo, listing: &Listing) -> Result<()> {
    write(repo, &listing.slates.union(&listing.trash).copied().collect())
}

fn write(repo: &Repo, ids: &BTreeSet<SessionId>) -> Result<()> {
    let bytes: Vec<u8> = ids.iter().flat_map(|id| id.0).collect();
    write_replacing(&repo.state().join("generations"), &bytes)
}
