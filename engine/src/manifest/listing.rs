//! Generations as they are listed: manifests without their roots, in the order in which they were made.

use super::Manifest;
use crate::error::{Error, Result};
use crate::facts::{SnapshotInfo, newest_first};
use crate::monitor::{Problem, ProblemKind};
use crate::order;
use crate::problem::Unread;
use chunkstore::SessionId;
use chunkstore::remote::{ObjectName, for_all};
use chunkstore::store::{SnapshotObject, Store};
use jiff::Timestamp;
use std::collections::HashMap;

/// One generation as listed: its manifest without the root, so that long lists stay small.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Its id.
    pub id: SessionId,
    /// The manifest, with an empty root.
    pub manifest: Manifest,
    /// BLAKE3 of the stored manifest.
    pub hash: [u8; 32],
    /// [`Manifest::tree`].
    pub tree: [u8; 32],
}

impl Snapshot {
    /// What selection and retention need to know of it.
    pub fn facts(&self) -> SnapshotInfo {
        self.manifest.facts(self.id)
    }

    /// The first digits of the id, as people see them.
    pub fn short_id(&self) -> String {
        self.id.to_hex()[..8].to_string()
    }
}

impl From<&Snapshot> for SnapshotInfo {
    fn from(snapshot: &Snapshot) -> SnapshotInfo {
        snapshot.facts()
    }
}

/// The manifest of one generation, root and all.
pub fn load(store: &Store, id: SessionId) -> Result<Manifest> {
    match store.recall(id)? {
        SnapshotObject::Manifest { body, .. } => Manifest::decode(id, &body),
        SnapshotObject::Fence => Err(Error::NoSnapshot(id.to_hex())),
    }
}

/// Generations that can be read, oldest first, and the names of those that can't with why.
pub type Listed = (Vec<Snapshot>, Vec<(SessionId, Error)>);

/// What overviews say of names in `snapshots/`: `None` stands for a fence.
pub(crate) type Outlines = HashMap<SessionId, Option<Snapshot>>;

/// What each of these names, which were listed just now, stands for: a generation, or `None` for a fence. Those that
/// `outlines` names are not read.
pub(crate) fn read_all(
    store: &Store,
    ids: &[SessionId],
    outlines: &Outlines,
) -> Vec<(SessionId, Result<Option<Snapshot>>)> {
    let read = for_all(store.remote(), ids, |id| match outlines.get(id) {
        Some(snapshot) => Ok(snapshot.clone()),
        None => read_snapshot(store, *id),
    });
    ids.iter().copied().zip(read).collect()
}

/// All generations among these names, which were listed just now. Those that `outlines` names are not read.
pub(crate) fn list(store: &Store, ids: &[SessionId], outlines: &Outlines) -> Result<Listed> {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for (id, read) in read_all(store, ids, outlines) {
        match read {
            Ok(snapshot) => good.extend(snapshot),
            // Forgotten between the listing and now.
            Err(Error::Store(chunkstore::Error::Missing { .. })) => {}
            // Damaged, of a newer version, on a bad sector, or somebody else's: the others can be used.
            Err(Error::Store(e)) if e.is_object_local() || store.judge(e.clone()).is_unreadable() => {
                bad.push((id, Error::Store(e)));
            }
            Err(e) => return Err(e),
        }
    }
    // Without a clock at hand nothing is in the future; who has one asks `order` again.
    let mut places: Vec<(SnapshotInfo, Snapshot)> = order::facts(&good, Timestamp::MAX)
        .into_iter()
        .zip(good)
        .collect();
    places.sort_by(|(a, _), (b, _)| newest_first(b, a));
    let good = places.into_iter().map(|(_, snapshot)| snapshot).collect();
    Ok((good, bad))
}

/// What is to be said of a manifest in the second part of [`Listed`].
pub fn problem(id: SessionId, error: &Error) -> Problem {
    let name = ObjectName::snapshot(id);
    match error {
        Error::Store(error) => Problem::of(name, error),
        error => Problem::new(name, ProblemKind::Unreadable(Unread::Object(error.clone()))),
    }
}

/// `None` for a fence.
fn read_snapshot(store: &Store, id: SessionId) -> Result<Option<Snapshot>> {
    match store.recall(id)? {
        SnapshotObject::Fence => Ok(None),
        SnapshotObject::Manifest { body, hash } => {
            let manifest = Manifest::decode(id, &body)?;
            let tree = manifest.tree();
            let manifest = manifest.without_root();
            Ok(Some(Snapshot {
                id,
                manifest,
                hash,
                tree,
            }))
        }
    }
}
