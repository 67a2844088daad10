//! What leaves the trash for good.

use super::{PruneOptions, PruneSummary};
use crate::error::{Error, Result};
use crate::manifest::Manifest;
use crate::repo::Repo;
use chunkstore::forgotten::Forgotten;
use chunkstore::session;
use chunkstore::{Error as StoreError, SessionId};
use std::collections::BTreeMap;

/// Trash that was kept long enough.
pub(super) fn expired_trash(
    repo: &Repo,
    options: &PruneOptions,
    summary: &mut PruneSummary,
) -> Result<BTreeMap<SessionId, Forgotten>> {
    let (store, now) = (&*repo.store, repo.run().now_secs());
    let mut expired = BTreeMap::new();
    for id in store.trashed()? {
        match store.trash(id) {
            Ok((body, forgotten)) => {
                // A grace of none needs no clock.
                let since = match options.keep_trash {
                    0 => forgotten.min(now),
                    _ => forgotten.max(session::trashed_since(store, id, now)),
                };
                let until = since.saturating_add_unsigned(options.keep_trash);
                if until <= now {
                    expired.insert(id, ended(id, &body));
                } else {
                    summary.trash_kept += 1;
                    summary.trash_until = match summary.trash_until {
                        0 => until,
                        first => first.min(until),
                    };
                }
            }
            // Ended by somebody else.
            Err(StoreError::Missing { .. }) => {}
            Err(e) if e.is_damage() => return Err(Error::Damaged(e)),
            Err(e) => match store.judge(e) {
                // It stays, and so does what it may need: the collection finds that out.
                e if e.is_unreadable() => summary.trash_kept += 1,
                e => return Err(e.into()),
            },
        }
    }
    summary.trash_discarded = expired.len() as u64;
    Ok(expired)
}

/// What stays known of a generation that ends for good.
pub(crate) fn ended(id: SessionId, body: &[u8]) -> Forgotten {
    match Manifest::decode(id, body) {
        Ok(manifest) => Forgotten {
            id,
            machine: manifest.machine,
            sequence: manifest.sequence,
            original: manifest.original,
        },
        // It could not have been brought back either.
        Err(_) => Forgotten::named(id),
    }
}
