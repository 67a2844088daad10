//! `forget`: snapshots to the trash, by id or by a policy. Their data goes with a later prune.

use crate::args::ForgetArgs;
use crate::cmd::prune;
use crate::output;
use crate::render::{decisions, text};
use crate::terminal::Terminal;
use serde_json::json;
use service::forget::{self, GiveUpRequest, GivenUp, LossRequest, Request, Which};
use service::removal::Removed;
use service::units::escape;
use service::{Failure, Status};

pub fn run(terminal: &Terminal, args: &ForgetArgs) -> Result<Status, Failure> {
    let retention = args.keep.retention()?;
    let request = Request {
        filter: args.filter.filter()?,
        which: match retention {
            Some(retention) => Which::NotKept(retention),
            None => Which::Named {
                snapshots: args.snapshots.clone(),
                group_by: args.keep.group_by.0.clone(),
            },
        },
        yes: args.ask.yes,
        dry_run: args.dry_run,
    };
    if args.lost {
        return accept_loss(terminal, args);
    }
    if args.unreadable {
        return give_up(terminal, args);
    }
    let report = forget::run(&terminal.context, &request, terminal)?;
    if terminal.json() {
        output::object(&decisions::groups(&report.listing, &report.decisions))?;
    }
    let mut status = report.status();
    if args.prune {
        let collected = report.collect_garbage(&terminal.context, args.ask.yes, terminal)?;
        prune::tell(terminal, Some(&collected.summary), &report.removed, args.dry_run)?;
        status = status.max(collected.problems.status());
    } else if terminal.talks() {
        summary(&report.removed, args.dry_run)?;
    }
    Ok(status)
}

/// Stops expecting snapshots that are gone from the storage.
fn accept_loss(terminal: &Terminal, args: &ForgetArgs) -> Result<Status, Failure> {
    let request = LossRequest {
        snapshots: args.snapshots.clone(),
        yes: args.ask.yes,
        dry_run: args.dry_run,
    };
    let lost = forget::accept_loss(&terminal.context, &request, terminal)?;
    let what = text::count(lost.len() as u64, "snapshot");
    if terminal.json() {
        output::object(&json!({
            "message_type": "summary",
            "accepted": lost.iter().map(|id| id.to_hex()).collect::<Vec<_>>(),
            "dry_run": args.dry_run,
        }))?;
        return Ok(Status::Completed);
    }
    output::line(&match (lost.len(), args.dry_run) {
        (0, _) => "No snapshot that this machine knows is gone".to_string(),
        (_, true) => format!("Dry run: the loss of {what} would be accepted; nothing was changed"),
        (_, false) => format!("Accepted the loss of {what}"),
    })?;
    Ok(Status::Completed)
}

/// Ends snapshots that can't be read, so that a prune is possible again.
fn give_up(terminal: &Terminal, args: &ForgetArgs) -> Result<Status, Failure> {
    let request = GiveUpRequest {
        snapshots: args.snapshots.clone(),
        yes: args.ask.yes,
        dry_run: args.dry_run,
    };
    let mut each = |one: &GivenUp| {
        let short = text::short(&one.id.to_hex());
        match (terminal.json(), &one.kept_at) {
            (true, kept) => output::object(&json!({
                "message_type": "given_up",
                "id": one.id.to_hex(),
                "kept_at": kept.as_ref().map(|path| path.to_string_lossy()),
                "dry_run": args.dry_run,
            })),
            (false, Some(kept)) => output::line(&format!(
                "Gave up {short}. What is left of it is kept in {}",
                escape(kept.as_os_str().as_encoded_bytes())
            )),
            (false, None) => output::line(&format!(
                "Dry run: {short} would be given up; nothing was changed"
            )),
        }
    };
    forget::give_up(&terminal.context, &request, terminal, &mut each)?;
    Ok(Status::Completed)
}

fn summary(removed: &Removed, dry_run: bool) -> Result<(), Failure> {
    let what = text::count(removed.count, "snapshot");
    let them = if removed.count == 1 { "it" } else { "them" };
    match (removed.count, dry_run) {
        (0, _) => output::line("Nothing to remove"),
        (_, true) => output::line(&format!("Dry run: {what} would be removed; nothing was changed")),
        (_, false) => output::line(&format!(
            "Removed {what}. 'dedup undelete' brings {them} back until a 'dedup prune' a week from now or later"
        )),
    }
}
