//! G3: sessions that delay a collection publish or are fenced; a clock decides only when to try (I-8).

use crate::error::{Error, Operation, Result};
use crate::id::SessionId;
use crate::platform::files;
use crate::session::{self, FencePolicy};
use crate::simulation::{self, Rule};
use crate::store::{SnapshotObject, Store};
use std::time::{Duration, SystemTime};

/// G3: fences those of the `sessions` that are dead as far as is known here; returns those that are still open.
pub fn fence_stale_sessions(
    store: &Store,
    sessions: &[SessionId],
    patience: &FencePolicy,
) -> Result<Vec<SessionId>> {
    let mut open = Vec::new();
    for id in sessions {
        match store.snapshot_object(*id) {
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
            files::write_hint(&path, b"").map_err(|e| Error::local(Operation::Write, &path, e))?;
            Ok(Duration::ZERO)
        }
        Err(e) => Err(Error::local(Operation::Read, &path, e)),
    }
}
