//! `copy`: generations into a repository with other keys.

use crate::args::remotes::CopyArgs;
use crate::output::Lines;
use crate::terminal::Terminal;
use serde_json::{Value, json};
use service::catalogue::report::{nothing_written, snapshots as report};
use service::copy::{self, Copied, Request};
use service::{Failure, Status};

pub fn run(terminal: &Terminal, args: &CopyArgs) -> Result<Status, Failure> {
    let request = Request {
        from: args.from.clone(),
        opening: args.into(),
        snapshots: args.snapshots.clone(),
        filter: args.filter.filter()?,
        all: args.all,
        level: args.compression,
        dry_run: args.dry_run,
    };
    let report = copy::run(&terminal.context, &request, terminal)?;
    tell(terminal, args, &report.copied)?;
    Ok(report.status())
}

fn tell(terminal: &Terminal, args: &CopyArgs, copied: &Copied) -> Result<(), Failure> {
    let mut out = Lines::new();
    for copy in &copied.snapshots {
        let (from, to) = (copy.from.to_hex(), copy.to.map(|id| id.to_hex()));
        if terminal.json() {
            out.object(&json!({ "message_type": "copied", "source_id": from, "snapshot_id": to }));
        } else if terminal.talks() {
            out.line(&report::copied(terminal.lang, &from, to.as_deref()));
        }
    }
    let lang = terminal.lang;
    if terminal.json() {
        out.object(&summary(args, copied));
    } else if terminal.talks() {
        out.line(&match copied.snapshots.len() as u64 {
            0 => report::nothing_to_copy(lang, copied.damaged + copied.unreadable > 0),
            n => report::copy_summary(
                lang,
                n,
                copied.bytes_read,
                copied.data_added,
                copied.data_added_packed,
                args.dry_run,
            ),
        });
        if args.dry_run {
            out.line(&nothing_written(lang));
        }
    }
    out.finish()
}

fn summary(args: &CopyArgs, copied: &Copied) -> Value {
    json!({
        "message_type": "summary",
        "dry_run": args.dry_run,
        "snapshots": copied.snapshots.len(),
        "damaged": copied.damaged,
        "unreadable": copied.unreadable,
        "data_blobs": copied.chunks,
        "data_added": copied.data_added,
        "data_added_packed": copied.data_added_packed,
        "total_bytes_processed": copied.bytes_read,
    })
}
