//! `repair`: mends what `check` found, by adding only.

use crate::args::repair::{
    RepairArgs, RepairCommand, RepairPacksArgs, RepairParityArgs, RepairSnapshotsArgs,
};
use crate::cmd::check::damaged_path;
use crate::output::Lines;
use crate::terminal::Terminal;
use serde_json::{Value, json};
use service::catalogue::report::{damage as report_of, nothing_changed};
use service::repair::{self, PacksRequest, ParityRequest, SnapshotsRepaired, SnapshotsRequest};
use service::{Failure, Status};

pub fn run(terminal: &Terminal, command: &RepairCommand) -> Result<Status, Failure> {
    match command {
        RepairCommand::Parity(args) => parity(terminal, args),
        RepairCommand::Index(args) => index(terminal, args),
        RepairCommand::Packs(args) => packs(terminal, args),
        RepairCommand::Snapshots(args) => snapshots(terminal, args),
    }
}

fn parity(terminal: &Terminal, args: &RepairParityArgs) -> Result<Status, Failure> {
    let request = ParityRequest {
        add: args.add,
        new_packs: args.new_packs,
        dry_run: args.how.dry_run,
    };
    let report = repair::parity(&terminal.context, request, terminal)?;
    let done = &report.done.repaired;
    let lines = report_of::parity_repaired(terminal.lang, done, report.done.turned_on, args.how.dry_run);
    end(terminal, &args.how, &[], json!(done), lines)?;
    Ok(report.status())
}

fn index(terminal: &Terminal, args: &RepairArgs) -> Result<Status, Failure> {
    let report = repair::index(&terminal.context, args.dry_run, terminal)?;
    let done = &report.done;
    let lines = report_of::index_repaired(terminal.lang, done, args.dry_run);
    end(terminal, args, &[], json!(done), lines)?;
    Ok(report.status())
}

fn packs(terminal: &Terminal, args: &RepairPacksArgs) -> Result<Status, Failure> {
    let request = PacksRequest {
        packs: args.packs.clone(),
        dry_run: args.how.dry_run,
    };
    let report = repair::packs(&terminal.context, &request, terminal)?;
    let done = &report.done;
    let lines = report_of::packs_repaired(terminal.lang, done, args.how.dry_run);
    end(terminal, &args.how, &[], json!(done), lines)?;
    Ok(report.status())
}

fn snapshots(terminal: &Terminal, args: &RepairSnapshotsArgs) -> Result<Status, Failure> {
    let request = SnapshotsRequest {
        snapshots: args.snapshots.clone(),
        dry_run: args.how.dry_run,
    };
    let report = repair::snapshots(&terminal.context, &request, terminal)?;
    let done = &report.done;
    let objects = objects(done);
    let lines = report_of::snapshots_repaired(terminal.lang, done);
    let summary = json!({
        "snapshots": done.snapshots,
        "repaired": done.repaired.len(),
        "unreadable": done.unreadable,
    });
    end(terminal, &args.how, &objects, summary, lines)?;
    Ok(report.status())
}

fn objects(done: &SnapshotsRepaired) -> Vec<Value> {
    let mut objects = Vec::new();
    for hurt in &done.repaired {
        objects.extend(hurt.lost.iter().map(damaged_path));
        objects.push(json!({
            "message_type": "repaired",
            "old_snapshot_id": hurt.id.to_hex(),
            "new_snapshot_id": hurt.successor.map(|id| id.to_hex()),
            "lost_entries": hurt.lost_entries,
        }));
    }
    objects
}

fn end(
    terminal: &Terminal,
    args: &RepairArgs,
    objects: &[Value],
    mut summary: Value,
    lines: Vec<String>,
) -> Result<(), Failure> {
    let mut out = Lines::new();
    if terminal.json() {
        objects.iter().for_each(|object| out.object(object));
        summary["message_type"] = json!("summary");
        summary["dry_run"] = json!(args.dry_run);
        out.object(&summary);
    } else if terminal.talks() {
        lines.iter().for_each(|line| out.line(line));
        if args.dry_run {
            out.line(&nothing_changed(terminal.lang));
        }
    }
    out.finish()
}
