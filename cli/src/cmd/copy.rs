//! `copy`: generations into a repository with other keys.

use crate::args::remotes::CopyArgs;
use crate::output::Lines;
use crate::render::text;
use crate::terminal::Terminal;
use serde_json::{Value, json};
use service::copy::{self, Copied, Request};
use service::units::format_bytes;
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
            out.line(&match to {
                Some(to) => format!(
                    "Snapshot {} is copied as {}",
                    text::short(&from),
                    text::short(&to)
                ),
                None => format!("Snapshot {} would be copied", text::short(&from)),
            });
        }
    }
    if terminal.json() {
        out.object(&summary(args, copied));
    } else if terminal.talks() {
        out.line(&match copied.snapshots.len() as u64 {
            0 if copied.hurt + copied.unread > 0 => "No snapshot was copied".to_string(),
            0 => "Nothing to copy: every snapshot is there already".to_string(),
            n => format!(
                "{} {}: {} read, {} new at the target ({} stored)",
                text::count(n, "snapshot"),
                if args.dry_run { "to copy" } else { "copied" },
                format_bytes(copied.bytes_read),
                format_bytes(copied.data_added),
                format_bytes(copied.data_added_packed),
            ),
        });
        if args.dry_run {
            out.line("Dry run: nothing was written");
        }
    }
    out.finish()
}

fn summary(args: &CopyArgs, copied: &Copied) -> Value {
    json!({
        "message_type": "summary",
        "dry_run": args.dry_run,
        "snapshots": copied.snapshots.len(),
        "hurt": copied.hurt,
        "unread": copied.unread,
        "data_blobs": copied.chunks,
        "data_added": copied.data_added,
        "data_added_packed": copied.data_added_packed,
        "total_bytes_processed": copied.bytes_read,
    })
}
