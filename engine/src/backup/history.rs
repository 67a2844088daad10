//! What is known of earlier runs when one begins: the generations to compare with, and what this machine published
//! last (I-17).

use super::Options;
use crate::error::Result;
use crate::manifest::{Head, Manifest, Remembered, Snapshot};
use crate::monitor::{Monitor, Problem, ProblemKind};
use crate::repo::Repo;
use chunkstore::SessionId;

/// The generations to compare with: one, or an interrupted one and the complete one before it.
pub fn parents(
    repo: &Repo,
    snapshots: &[Snapshot],
    options: &Options,
    head: &Head,
) -> Result<Vec<(SessionId, Manifest)>> {
    if let Some(id) = options.parent {
        return Ok(vec![(id, repo.manifest(id)?)]);
    }
    let same =
        |snapshot: &&Snapshot| snapshot.manifest.host == head.host && snapshot.manifest.paths == head.paths;
    let mut chosen = Vec::new();
    for snapshot in snapshots.iter().rev().filter(same) {
        let partial = snapshot.manifest.partial;
        if partial && !chosen.is_empty() {
            continue;
        }
        chosen.push((snapshot.id, repo.manifest(snapshot.id)?));
        if !partial {
            break;
        }
    }
    Ok(chosen)
}

/// I-17: what this machine published last, and a warning when the repository no longer shows it.
pub fn newest_of_this_machine(repo: &Repo, snapshots: &[Snapshot], monitor: &dyn Monitor) -> Remembered {
    let mut remembered = repo.remembered();
    let listed = snapshots
        .iter()
        .filter(|s| s.manifest.machine == repo.machine())
        .max_by_key(|s| s.manifest.sequence);
    match listed {
        Some(newest) if newest.manifest.sequence > remembered.sequence => {
            // Our state is older than the repository: it was restored, or a crash came before it was written.
            remembered = Remembered {
                sequence: newest.manifest.sequence,
                hash: newest.hash,
                snapshot: None,
                segments: Vec::new(),
            };
        }
        _ => {
            if let Some(last) = remembered.snapshot
                && !snapshots.iter().any(|s| s.id == last)
                && !repo.store.trashed().is_ok_and(|trash| trash.contains(&last))
            {
                let why = format!(
                    "the last snapshot that this machine made ({}) is not in the repository any more; unless it was removed on purpose, the storage has lost or rolled back data",
                    &last.to_hex()[..8]
                );
                monitor.problem(&Problem {
                    path: Vec::new(),
                    what: ProblemKind::Warning { why },
                });
                remembered.snapshot = None;
            }
        }
    }
    remembered
}
