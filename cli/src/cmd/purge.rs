//! `purge`: paths out of all snapshots, each of which gets a new id.

use crate::args::paths::PurgeArgs;
use crate::output;
use crate::terminal::Terminal;
use serde_json::json;
use service::catalogue::report::purge::{self as say, PurgeEnd, PurgeOutcome};
use service::purge::{self, Purged, PurgedSnapshot, Report, Request};
use service::{Failure, Status};

pub fn run(terminal: &Terminal, args: &PurgeArgs) -> Result<Status, Failure> {
    let request = Request {
        paths: args.paths.clone(),
        force_protected: args.force_protected,
        end_now: args.keep_trash.is_some(),
        yes: args.ask.yes,
        dry_run: args.dry_run,
    };
    let mut each = |one: &PurgedSnapshot<'_>| tell(terminal, one);
    let report = purge::run(&terminal.context, &request, terminal, &mut each)?;
    if terminal.json() {
        output::object(&summary(&request, &report))?;
    } else if terminal.talks() {
        let end = PurgeEnd {
            changed: report.changed,
            dry_run: request.dry_run,
            for_good: request.end_now,
            protected: report.protected,
            failed: report.failed,
            in_trash: report.in_trash,
            unmatched: &report.unmatched,
            elsewhere: &report.elsewhere,
        };
        for line in say::ended(terminal.lang, &end) {
            output::line(&line)?;
        }
    }
    Ok(report.status())
}

fn tell(terminal: &Terminal, one: &PurgedSnapshot<'_>) -> Result<(), Failure> {
    let old = one.old.id.to_hex();
    let new = match one.done {
        Some(Purged::Replaced(new)) => Some(new.to_hex()),
        Some(Purged::Emptied) | None => None,
    };
    let held = &one.held;
    if terminal.json() {
        return output::object(&json!({
            "message_type": "changed",
            "old_snapshot_id": old,
            "new_snapshot_id": new,
            "removed": one.done == Some(Purged::Emptied),
            "entries": held.entries,
            "files": held.files,
            "bytes": held.bytes,
        }));
    }
    if !terminal.talks() {
        return Ok(());
    }
    let outcome = match (&one.done, &new) {
        (None, _) => PurgeOutcome::DryRun,
        (_, Some(new)) => PurgeOutcome::Replaced(new),
        (_, None) => PurgeOutcome::Emptied,
    };
    output::line(&say::purged(terminal.lang, &old, outcome, held.files, held.bytes))
}

fn summary(request: &Request, report: &Report) -> serde_json::Value {
    json!({
        "message_type": "summary",
        "changed_snapshots": report.changed,
        "removed_snapshots": report.emptied,
        "protected_snapshots": report.protected,
        "failed_snapshots": report.failed,
        "files": report.held.files,
        "bytes": report.held.bytes,
        "unmatched": report.unmatched,
        "other_remotes": report.elsewhere,
        "dry_run": request.dry_run,
    })
}
