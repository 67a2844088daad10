//! `repair`: mends what `check` found, by adding only.

use crate::args::repair::{
    RepairArgs, RepairCommand, RepairPacksArgs, RepairParityArgs, RepairSnapshotsArgs,
};
use crate::cmd::check::{damaged_path, hurt_line};
use crate::output::Lines;
use crate::render::text;
use crate::terminal::Terminal;
use serde_json::{Value, json};
use service::repair::{
    self, IndexRepaired, PacksRepaired, PacksRequest, ParityRequest, SnapshotsRepaired, SnapshotsRequest,
};
use service::units::format_bytes;
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
    let mut lines = vec![format!(
        "{} with parity: {} repaired, {} of parity made anew, {} beyond repair by it",
        text::count(done.packs, "pack"),
        text::grouped(done.packs_repaired),
        text::grouped(done.parity_repaired),
        text::grouped(done.packs_beyond),
    )];
    if done.packs_protected > 0 {
        let packs = text::count(done.packs_protected, "more pack");
        lines.push(match args.how.dry_run {
            true => format!("Would give parity to {packs}"),
            false => format!("Gave parity to {packs}: {}", format_bytes(done.bytes_added)),
        });
    }
    if report.done.turned_on {
        lines.push("New packs get parity from now on".to_string());
    }
    let beyond = done.packs_beyond;
    if beyond > 0 {
        lines.push("'dedup repair packs' saves what is whole in the others".to_string());
    }
    end(terminal, &args.how, &[], json!(done), lines)?;
    Ok(report.status())
}

fn index(terminal: &Terminal, args: &RepairArgs) -> Result<Status, Failure> {
    let report = repair::index(&terminal.context, args.dry_run, terminal)?;
    let done = &report.done;
    let &IndexRepaired {
        segments_damaged,
        packs_listed,
        chunks_listed,
        packs_unreadable: _,
    } = done;
    let mut lines = Vec::new();
    if segments_damaged > 0 {
        let segments = text::count(segments_damaged, "damaged index segment");
        lines.push(format!("{segments}: 'dedup prune' removes what nobody needs"));
    }
    lines.push(match packs_listed {
        0 => "Every readable pack is in the index".to_string(),
        packs => format!(
            "{} {} again, with {}",
            if args.dry_run { "Would list" } else { "Listed" },
            text::count(packs, "pack"),
            text::count(chunks_listed, "chunk"),
        ),
    });
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
    let &PacksRepaired {
        packs,
        packs_unneeded,
        packs_lost,
        chunks_rescued,
        bytes_rescued,
        chunks_lost,
    } = done;
    let mut lines = Vec::new();
    if packs == 0 {
        lines.push("No damaged pack found".to_string());
    } else {
        let would = if args.how.dry_run {
            "Would rescue"
        } else {
            "Rescued"
        };
        let from = text::count(packs - packs_unneeded, "damaged pack");
        let chunks = text::count(chunks_rescued, "chunk");
        lines.push(format!(
            "{would} {chunks}, {}, from {from}",
            format_bytes(bytes_rescued)
        ));
    }
    if packs_unneeded > 0 {
        let packs = text::count(packs_unneeded, "damaged pack");
        lines.push(format!(
            "{packs} that no snapshot needs: 'dedup prune' removes them"
        ));
    }
    if packs_lost + chunks_lost > 0 {
        let lost = [(packs_lost, "whole pack"), (chunks_lost, "chunk")];
        let lost = lost.into_iter().filter(|(n, _)| *n > 0);
        let lost: Vec<String> = lost.map(|(n, what)| text::count(n, what)).collect();
        lines.push(format!(
            "Lost: {}. A backup of what is still at its source brings it back; 'dedup repair snapshots' \
             repairs the snapshots as far as possible",
            lost.join(" and "),
        ));
    }
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
    let (objects, lines) = told(terminal, done);
    let summary = json!({
        "snapshots": done.snapshots,
        "repaired": done.repaired.len(),
        "unreadable": done.unreadable,
    });
    end(terminal, &args.how, &objects, summary, lines)?;
    Ok(report.status())
}

/// What is said of each snapshot: as objects, and as lines.
fn told(terminal: &Terminal, done: &SnapshotsRepaired) -> (Vec<Value>, Vec<String>) {
    let (mut objects, mut lines) = (Vec::new(), Vec::new());
    for hurt in &done.repaired {
        let old = hurt.id.to_hex();
        let new = hurt.successor.map(|id| id.to_hex());
        if terminal.json() {
            objects.extend(hurt.lost.iter().map(damaged_path));
            objects.push(json!({
                "message_type": "repaired",
                "old_snapshot_id": old,
                "new_snapshot_id": new,
                "lost_entries": hurt.lost_entries,
            }));
            continue;
        }
        let lost = text::count(hurt.lost_entries, "path");
        lines.push(match &new {
            Some(new) => format!(
                "{} is repaired as {}, without {lost}:",
                text::short(&old),
                text::short(new)
            ),
            None => format!("{} would be repaired, without {lost}:", text::short(&old)),
        });
        lines.extend(hurt.lost.iter().map(hurt_line));
        let more = hurt
            .lost_entries
            .saturating_sub(hurt.lost.iter().map(|path| path.entries).sum());
        if more > 0 {
            lines.push(format!("  and {} more", text::grouped(more)));
        }
    }
    lines.push(match done.repaired.len() as u64 {
        0 => "No snapshot needs repair".to_string(),
        _ => "The old ones stay: 'dedup forget' removes them".to_string(),
    });
    (objects, lines)
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
            out.line("Dry run: nothing was changed");
        }
    }
    out.finish()
}
