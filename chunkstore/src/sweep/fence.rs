//! G3: sessions that hold a collection up publish or are fenced; a clock says only when to try (I-8).

use crate::error::{Error, Result};
use crate::id::SessionId;
use crate::platform::files;
use crate::session;
use crate::simulation::{self, Rule};
use crate::store::{SnapshotObject, Store};
use std::time::{Duration, SystemTime};

/// Whose sessions may be fenced, and when to try (never whether it is safe, I-8).
#[derive(Clone, Copy, Debug)]
pub struct FencePolicy {
    pub machine: [u8; 16],
    /// A session that this machine first saw longer ago than this is fenced.
    pub stale: Duration,
    /// Fence nothing: only say who would stay open.
    pub dry_run: bool,
}

/// G3: fences those of the `sessions` that are dead as far as can be told here; returns those that are still open.
pub fn fence_stale_sessions(
    store: &Store,
    sessions: &[SessionId],
    patience: &FencePolicy,
) -> Result<Vec<SessionId>> {
    let mut open = Vec::new();
    for id in sessions {
        match store.slate(*id) {
            Ok(SnapshotObject::Manifest { .. } | SnapshotObject::Fence) => continue,
            Err(Error::Missing { .. }) => {}
            Err(e) => return Err(e),
        }
        let Some(ours_and_gone) = session::is_left(store, *id, patience)? else {
            continue;
        };
        if ours_and_gone || seen_for(store, *id)? > patience.stale {
            if !simulation::left_out(Rule::Fence) && !patience.dry_run {
                session::fence(store, *id)?;
            }
        } else {
            open.push(*id);
        }
    }
    Ok(open)
}

/// How long ago this machine first saw a session, by the age of a file it leaves in the cache.
fn seen_for(store: &Store, id: SessionId) -> Result<Duration> {
    let path = store.cache().join("seen").join(id.to_hex());
    match std::fs::metadata(&path).and_then(|meta| meta.modified()) {
        Ok(first) => Ok(SystemTime::now().duration_since(first).unwrap_or_default()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            files::write_hint(&path, b"").map_err(|e| Error::local("write", &path, e))?;
            Ok(Duration::ZERO)
        }
        Err(e) => Err(Error::local("read", &path, e)),
    }
}
