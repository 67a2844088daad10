//! What the manifests of a repository say, but for their trees, from few objects: a machine with an empty cache lists the
//! snapshots of a repository on a network without asking for each of them. Written now and then by backups, and by a
//! prune that finds one that names snapshots that are gone. [`chunkstore::overview`] stores it.
//!
//! Only listings rely on it, as they do on copies of manifests that this machine keeps; deletion reads every manifest
//! itself (I-9). What it says of a name holds as long as the object there has the size that it had: then it is the same
//! manifest, or the same fence.

use crate::error::{Error, Result};
use crate::manifest::{self, Manifest, Outlines, Snapshot};
use chunkstore::SessionId;
use chunkstore::object::{cbor, from_cbor};
use chunkstore::overview::BODY_MAX;
use chunkstore::store::Store;
use minicbor::{Decode, Encode};
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

/// So many snapshots that the last overview does not name make a new one.
const EVERY: usize = 16;
/// So many manifests are asked for one by one, rather than for an overview.
const FEW: usize = 4;

#[derive(Encode, Decode)]
struct Overview {
    #[n(0)]
    rows: Vec<OverviewRow>,
}

/// One name in `snapshots/`.
#[derive(Encode, Decode)]
struct OverviewRow {
    #[n(0)]
    id: SessionId,
    /// Of the stored object.
    #[n(1)]
    size: u64,
    /// `None` for a fence.
    #[n(2)]
    manifest: Option<Outline>,
}

/// A manifest without its root.
#[derive(Encode, Decode)]
struct Outline {
    /// Of the stored object.
    #[cbor(n(0), with = "minicbor::bytes")]
    hash: [u8; 32],
    #[cbor(n(1), with = "minicbor::bytes")]
    tree: [u8; 32],
    /// The manifest with an empty root.
    #[cbor(n(2), with = "minicbor::bytes")]
    body: Vec<u8>,
}

impl OverviewRow {
    fn of(id: SessionId, size: u64, snapshot: Option<&Snapshot>) -> OverviewRow {
        let outline = |snapshot: &Snapshot| Outline {
            hash: snapshot.hash,
            tree: snapshot.tree,
            body: snapshot.manifest.encode(),
        };
        OverviewRow {
            id,
            size,
            manifest: snapshot.map(outline),
        }
    }

    /// `None` for a fence.
    fn snapshot(self) -> Result<Option<Snapshot>> {
        let Some(Outline { hash, tree, body }) = self.manifest else {
            return Ok(None);
        };
        Ok(Some(Snapshot {
            id: self.id,
            manifest: Manifest::decode(self.id, &body)?,
            hash,
            tree,
        }))
    }
}

/// The rows of an overview; none of one that is missing or can't be decoded.
fn rows(body: Option<Vec<u8>>) -> Vec<OverviewRow> {
    let decoded = body.and_then(|body| from_cbor::<Overview>(&body));
    decoded.map_or_else(Vec::new, |overview| overview.rows)
}

/// What overviews say of those names, listed just now with their sizes, of which this machine keeps no copy; `None`
/// stands for a fence. Few are not looked for.
pub(crate) fn read(store: &Store, listed: &[(SessionId, u64)]) -> Result<Outlines> {
    let mut known = Outlines::new();
    if !store.is_kept() {
        return Ok(known);
    }
    let lacking: HashMap<SessionId, u64> = listed
        .iter()
        .filter(|(id, _)| !store.keeps(*id))
        .copied()
        .collect();
    let mut take = |body| {
        for row in rows(body) {
            if lacking.get(&row.id) != Some(&row.size) {
                continue;
            }
            let id = row.id;
            // What can't be decoded is asked for itself.
            if let Ok(snapshot) = row.snapshot() {
                known.insert(id, snapshot);
            }
        }
        lacking.len() - known.len() > FEW
    };
    if lacking.len() > FEW && take(store.kept_overview()) {
        take(store.newest_overview()?);
    }
    Ok(known)
}

/// Writes an overview if many of these `snapshots`, which are there, are in none. Only of a repository on a network: one
/// nearby is read as quickly without.
pub(crate) fn renew(store: &Store, snapshots: impl IntoIterator<Item = SessionId>) -> Result<()> {
    let ids: HashSet<SessionId> = snapshots.into_iter().collect();
    if !store.is_kept() || ids.len() < EVERY {
        return Ok(());
    }
    let is_short = |body| {
        let named: HashSet<SessionId> = rows(body).into_iter().map(|row| row.id).collect();
        ids.difference(&named).count() >= EVERY
    };
    match is_short(store.kept_overview()) && is_short(store.newest_overview()?) {
        true => write(store),
        false => Ok(()),
    }
}

/// Replaces an overview that names snapshots which are gone: what was said of them shall not stay longer than they.
pub(crate) fn tidy(store: &Store) -> Result<()> {
    let rows = rows(store.newest_overview()?);
    if rows.is_empty() {
        return Ok(());
    }
    let there: HashSet<SessionId> = store.snapshot_ids()?.into_iter().collect();
    match rows.iter().any(|row| !there.contains(&row.id)) {
        true => write(store),
        false => Ok(()),
    }
}

fn write(store: &Store) -> Result<()> {
    let listed = store.snapshot_ids_with_sizes()?;
    let outlines = read(store, &listed)?;
    let ids: Vec<SessionId> = listed.iter().map(|(id, _)| *id).collect();
    let mut good: Vec<(u64, SessionId, Option<Snapshot>)> = Vec::new();
    for ((id, snapshot), (_, size)) in manifest::read_all(store, &ids, &outlines).into_iter().zip(listed) {
        match snapshot {
            Ok(snapshot) => good.push((size, id, snapshot)),
            // What can't be read is left to whoever asks for it.
            Err(Error::Store(e)) if store.judge(e.clone()).concerns_one_object() => {}
            Err(e) => return Err(e),
        }
    }
    // Should there be more than an overview holds, it names the newest.
    good.sort_by_key(|(_, _, snapshot)| Reverse(snapshot.as_ref().map(|s| s.manifest.time())));
    let (mut rows, mut room) = (Vec::new(), BODY_MAX - 16);
    for (size, id, snapshot) in &good {
        let row = OverviewRow::of(*id, *size, snapshot.as_ref());
        let Some(left) = room.checked_sub(cbor(&row).len()) else {
            break;
        };
        room = left;
        rows.push(row);
    }
    // Where another machine was quicker, its overview is as good.
    store.publish_overview(&cbor(&Overview { rows }))?;
    Ok(())
}
