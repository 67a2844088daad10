//! Deleted files that `prune` drops from older snapshots: a list for people, an object each for programs.

use super::text;
use crate::output::Lines;
use serde_json::json;
use service::Failure;
use service::catalogue::Lang;
use service::catalogue::report::expiry::{expiring, expiring_path, more_expiring};
use service::catalogue::report::purge::{PurgeOutcome, purged};
use service::face::{ExpiringSet, ExpiryNews};
use service::json;
use service::purge::Purged;

/// A dry run lists the files, and so does a verbose one.
pub fn lines(lang: Lang, news: &ExpiryNews<'_>, verbose: bool) -> Result<(), Failure> {
    let mut out = Lines::new();
    match news {
        ExpiryNews::Found(set) => {
            out.line(&expiring(lang, set));
            if set.dry_run || verbose {
                for (path, one) in set.found.tops() {
                    out.line(&expiring_path(lang, path, one));
                }
                if set.found.more {
                    out.line(&more_expiring(lang));
                }
            }
        }
        ExpiryNews::Changed { old, held, done } if verbose => {
            let new = new_id(*done);
            let outcome = new
                .as_deref()
                .map_or(PurgeOutcome::Emptied, PurgeOutcome::Replaced);
            out.line(&purged(lang, &old.id.to_hex(), outcome, held.files, held.bytes));
        }
        ExpiryNews::Changed { .. } => {}
    }
    out.finish()
}

pub fn objects(news: &ExpiryNews<'_>) -> Result<(), Failure> {
    let mut out = Lines::new();
    match news {
        ExpiryNews::Found(set) => found(set, &mut out),
        ExpiryNews::Changed { old, held, done } => out.object(&json!({
            "message_type": "changed",
            "old_snapshot_id": old.id.to_hex(),
            "new_snapshot_id": new_id(*done),
            "removed": *done == Purged::Emptied,
            "entries": held.entries,
            "files": held.files,
            "bytes": held.bytes,
        })),
    }
    out.finish()
}

fn found(set: &ExpiringSet, out: &mut Lines) {
    for (path, one) in &set.found.paths {
        out.object(&json!({
            "message_type": "deleted_file",
            "set": set.set,
            "path": json::name(&text::absolute(path)),
            "type": if one.is_dir { "dir" } else if one.size.is_some() { "file" } else { "other" },
            "size": one.size,
            "last_snapshot": one.held_by.to_hex(),
        }));
    }
    let (files, bytes) = set.found.files();
    let snapshots: Vec<String> = set.snapshots.iter().map(|(facts, _)| facts.id.to_hex()).collect();
    out.object(&json!({
        "message_type": "deleted_files",
        "set": set.set,
        "files": files,
        "bytes": bytes,
        "snapshots": snapshots,
        "more": set.found.more,
        "dry_run": set.dry_run,
    }));
}

fn new_id(done: Purged) -> Option<String> {
    match done {
        Purged::Replaced(new) => Some(new.to_hex()),
        Purged::Emptied => None,
    }
}
