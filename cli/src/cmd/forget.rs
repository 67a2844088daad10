//! `forget`: snapshots to the trash, by id or by a policy. Their data goes with a later prune.

use crate::args::ForgetArgs;
use crate::cmd::prune;
use crate::output;
use crate::render::decisions;
use crate::terminal::Terminal;
use serde_json::json;
use service::catalogue::report::retention as say;
use service::expire::Expired;
use service::forget::{self, GiveUpRequest, GivenUp, LossRequest, Request, Which};
use service::units::escape;
use service::{Failure, Status};

pub fn run(terminal: &Terminal, args: &ForgetArgs) -> Result<Status, Failure> {
    let retention = args.keep.retention()?;
    let simulates = terminal.context.simulate.is_some();
    let dry_run = args.dry_run || simulates;
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
        dry_run,
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
    if args.prune && !simulates {
        let collected = report.collect_garbage(&terminal.context, args.ask.yes, terminal)?;
        let removed = (&report.removed, &Expired::default());
        prune::tell(terminal, Some(&collected.summary), removed, args.dry_run)?;
        status = status.max(collected.problems.status());
    } else if terminal.talks() && (report.removed.count > 0 || report.removed.failed == 0) {
        // What was refused has been told.
        let removed = report.removed.count;
        // A misspelled tag or host looks just like a policy that keeps everything.
        let none_matches = report.decisions.all.is_empty() && !report.listing.facts.is_empty();
        output::line(&match none_matches {
            true => say::none_matches(terminal.lang),
            false => say::forgotten(terminal.lang, removed, dry_run),
        })?;
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
    if terminal.json() {
        output::object(&json!({
            "message_type": "summary",
            "accepted": lost.iter().map(|id| id.to_hex()).collect::<Vec<_>>(),
            "dry_run": args.dry_run,
        }))?;
        return Ok(Status::Completed);
    }
    output::line(&say::loss_accepted(
        terminal.lang,
        lost.len() as u64,
        args.dry_run,
    ))?;
    Ok(Status::Completed)
}

/// Ends snapshots that can't be read, so that a prune is possible again.
fn give_up(terminal: &Terminal, args: &ForgetArgs) -> Result<Status, Failure> {
    let request = GiveUpRequest {
        snapshots: args.snapshots.clone(),
        yes: args.ask.yes,
        dry_run: args.dry_run,
    };
    let mut each = |one: &GivenUp| match (terminal.json(), &one.kept_at) {
        (true, kept) => output::object(&json!({
            "message_type": "given_up",
            "id": one.id.to_hex(),
            "kept_at": kept.as_ref().map(|path| path.to_string_lossy()),
            "dry_run": args.dry_run,
        })),
        (false, kept) => {
            let kept = kept
                .as_ref()
                .map(|path| escape(path.as_os_str().as_encoded_bytes()));
            output::line(&say::given_up(terminal.lang, &one.id.to_hex(), kept.as_deref()))
        }
    };
    forget::give_up(&terminal.context, &request, terminal, &mut each)?;
    Ok(Status::Completed)
}
