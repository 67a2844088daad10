//! Generations leave by way of the trash and come back the same way. What a policy keeps is [`crate::retain`]'s to
//! say; chunks are freed by [`crate::prune`] alone.
//!
//! Keeps I-4 where it is easiest to break: what comes back from the trash is a new generation by a new session, and
//! every chunk of it is looked up in the view of that session.

use crate::error::{Error, Refusal, Result};
use crate::facts::{GroupKey, SnapshotInfo, group_by};
use crate::generations;
pub use crate::generations::accept_loss;
use crate::manifest::{Manifest, Snapshot};
use crate::monitor::Monitor;
use crate::order;
use crate::prune;
use crate::repo::{Repo, write_replacing};
use crate::retain::{self, Policy, RetentionReason};
use crate::rewrite;
use crate::select::Filter;
use chunkstore::forgotten::Forgotten;
use chunkstore::object::cap;
use chunkstore::remote::ObjectName;
use chunkstore::session;
use chunkstore::store::SnapshotObject;
use chunkstore::{Error as StoreError, SessionId};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::path::PathBuf;

/// What becomes of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ForgetAction {
    /// It stays.
    Keep,
    /// It is removed.
    Remove,
}

/// What a policy does with one snapshot, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyDecision {
    /// The snapshot.
    pub facts: SnapshotInfo,
    /// What becomes of it.
    pub action: ForgetAction,
    /// The rules that keep it, or why none does.
    pub reasons: Vec<RetentionReason>,
}

/// Decides on every snapshot that passes the filter, group by group, each newest first.
pub fn plan(
    snapshots: &[Snapshot],
    policy: &Policy,
    keys: &[GroupKey],
    filter: &Filter,
    zone: &TimeZone,
    now: Timestamp,
) -> Vec<PolicyDecision> {
    let facts = order::facts(snapshots, now);
    let mut decisions = Vec::with_capacity(facts.len());
    for group in group_by(&filter.matching(&facts), keys) {
        for decision in retain::decide(&group.members, policy, zone, now) {
            let member = group.members.iter().find(|facts| facts.id == decision.id);
            decisions.extend(member.map(|facts| PolicyDecision {
                facts: (*facts).clone(),
                action: if decision.keep {
                    ForgetAction::Keep
                } else {
                    ForgetAction::Remove
                },
                reasons: decision.reasons,
            }));
        }
    }
    decisions
}

/// Moves snapshots to the trash. If one of them is protected none is moved.
pub fn apply(repo: &Repo, ids: &[SessionId]) -> Result<()> {
    repo.store.check_upgrades()?;
    for id in ids {
        if repo.manifest(*id)?.protected {
            return Err(Error::Refused(Refusal::Protected(*id)));
        }
    }
    repo.prove_state()?;
    for id in ids {
        repo.store.forget(*id, repo.run().now_secs())?;
    }
    generations::note_forgotten(repo, ids)
}

/// Ends a snapshot whose manifest can't be read, and which therefore stops every deletion (I-9). Its bytes are kept in
/// this machine's state, where the path that is given says. A fence takes its place: if the bytes were a fence's, who was
/// ended by it stays ended (I-8). Refused when it can be read.
pub fn end_unreadable(repo: &Repo, id: SessionId) -> Result<PathBuf> {
    let store = &repo.store;
    store.check_upgrades()?;
    let name = ObjectName::snapshot(id);
    let kept = repo.state().join("unreadable").join(id.to_hex());
    let read = store
        .snapshot_object(id)
        .map_err(Error::from)
        .and_then(|object| match object {
            SnapshotObject::Manifest { body, .. } => Manifest::decode(id, &body).map(drop),
            SnapshotObject::Fence => Ok(()),
        });
    match read {
        Ok(()) => {
            return Err(Error::Refused(Refusal::Readable(id)));
        }
        // An earlier try was cut short before the fence, where the storage replaces nothing.
        Err(Error::Store(StoreError::Missing { .. })) if kept.exists() => {}
        Err(Error::Store(StoreError::Missing { .. })) => return Err(Error::NoSnapshot(id.to_hex())),
        Err(Error::Store(e)) if e.is_damage() => {
            let mut bytes = Vec::new();
            store.remote().read(&name, 0, cap::MANIFEST, &mut bytes)?;
            write_replacing(&kept, &bytes)?;
        }
        Err(e) => return Err(e),
    }
    match session::fence_over(store, id)? {
        true => {
            store.list_forgotten(&[Forgotten::named(id)])?;
            Ok(kept)
        }
        false => Err(Error::Refused(Refusal::PublishedAgain(id))),
    }
}

/// A forgotten snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trashed {
    /// The snapshot.
    pub facts: SnapshotInfo,
    /// Seconds since 1970.
    pub forgotten: i64,
    /// [`Manifest::tree`].
    pub tree: [u8; 32],
}

/// Names of what can't be read, and why.
pub type Unreadable = Vec<(SessionId, StoreError)>;

/// What is in the trash, last forgotten first.
pub fn list_trash(repo: &Repo) -> Result<(Vec<Trashed>, Unreadable)> {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for id in repo.store.trashed()? {
        let read = repo.store.trash(id).map_err(Error::from);
        let read = read.and_then(|(body, forgotten)| Ok((Manifest::decode(id, &body)?, forgotten)));
        match read {
            Ok((manifest, forgotten)) => good.push(Trashed {
                facts: manifest.facts(id),
                forgotten,
                tree: manifest.tree(),
            }),
            // Ended between the listing and now.
            Err(Error::Store(StoreError::Missing { .. })) => {}
            Err(Error::Store(e)) if e.is_object_local() || repo.store.judge(e.clone()).is_unreadable() => {
                bad.push((id, e));
            }
            Err(e) => return Err(e),
        }
    }
    good.sort_by_key(|trashed| (std::cmp::Reverse(trashed.forgotten), trashed.facts.id));
    Ok((good, bad))
}

/// Publishes a forgotten snapshot anew and returns its new id. Refused when part of it is being collected already.
pub fn undelete(repo: &Repo, id: SessionId, monitor: &dyn Monitor) -> Result<SessionId> {
    let store = &repo.store;
    store.check_upgrades()?;
    let (body, _) = match store.trash(id) {
        Err(StoreError::Missing { .. }) => return Err(Error::NoSnapshot(id.to_hex())),
        trash => trash?,
    };
    match store.snapshot_object(id) {
        // Forgetting it was cut short, or is under way elsewhere: it goes to its end first. Were the name left as it is,
        // a client that still forgets it would take what came back.
        Ok(SnapshotObject::Manifest { .. }) => match store.forget(id, repo.run().now_secs()) {
            Ok(()) | Err(StoreError::Missing { .. }) => {}
            Err(e) => return Err(e.into()),
        },
        Ok(SnapshotObject::Fence) | Err(StoreError::Missing { .. }) => {}
        Err(e) => return Err(e.into()),
    }
    let mut manifest = Manifest::decode(id, &body)?;
    manifest.original = Some(manifest.original.unwrap_or(id));
    match rewrite::publish(repo, id, &manifest, monitor) {
        Ok(published) => {
            store.discard(&[prune::ended(id, &body)])?;
            Ok(published.id)
        }
        // It was ended for good in the meantime, and what it needs with it.
        Err(Error::Store(e)) if e.is_damage() && !store.trashed()?.contains(&id) => {
            Err(Error::NoSnapshot(id.to_hex()))
        }
        Err(e) => Err(e),
    }
}
