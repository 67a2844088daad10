//! `repair`: mends what `check` found, by adding only.

use crate::args::repair::{
    RepairArgs, RepairCommand, RepairPacksArgs, RepairParityArgs, RepairSnapshotsArgs,
};
use crate::cmd::check::{damaged_path, hurt_line};
use crate::context::Context;
use crate::exit::{Code, Failure};
use crate::output::Lines;
use crate::progress::{Tally, Watcher};
use crate::render::text;
use crate::{listing, resolve};
use engine::SessionId;
use engine::repair::{self, IndexRepaired, Options, PacksRepaired, SnapshotsRepaired};
use engine::select::{self, Filter};
use engine::units::format_bytes;
use serde_json::{Value, json};

pub fn run(context: &Context, command: &RepairCommand) -> Result<Code, Failure> {
    match command {
        RepairCommand::Parity(args) => parity(context, args),
        RepairCommand::Index(args) => index(context, args),
        RepairCommand::Packs(args) => packs(context, args),
        RepairCommand::Snapshots(args) => snapshots(context, args),
    }
}

fn options(context: &Context, args: &RepairArgs) -> Result<Options, Failure> {
    Ok(Options {
        dry_run: args.dry_run,
        threads: std::thread::available_parallelism().map_or(1, |n| n.get().min(8)),
        host: resolve::host(None, &context.env)?,
        now: context.now_secs(),
    })
}

fn parity(context: &Context, args: &RepairParityArgs) -> Result<Code, Failure> {
    let location = context.location()?;
    // First: what a backup makes meanwhile is given its own.
    let turned_on = match args.add {
        Some(percent) if args.new_packs && !args.how.dry_run => {
            repair::parity_of_new_packs(&context.open()?, Some(percent), context.now_secs())?
        }
        _ => false,
    };
    let watcher = Watcher::start(context, "repair")?;
    let done = repair::parity(
        &location.url,
        &context.run()?,
        args.add,
        args.how.dry_run,
        &watcher,
    )?;
    let tally = watcher.finish();
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
    if turned_on {
        lines.push("New packs get parity from now on".to_string());
    }
    let beyond = done.packs_beyond;
    if beyond > 0 {
        lines.push("'dedup repair packs' saves what is whole in the others".to_string());
    }
    end(context, &args.how, &[], json!(done), lines)?;
    Ok(code(beyond.min(tally.damage), &tally))
}

fn index(context: &Context, args: &RepairArgs) -> Result<Code, Failure> {
    let options = options(context, args)?;
    let repo = context.open()?;
    let watcher = Watcher::start(context, "repair")?;
    let done = repair::index(&repo, &options, &watcher)?;
    let tally = watcher.finish();
    let IndexRepaired {
        segments_damaged,
        packs_listed,
        chunks_listed,
        packs_unreadable,
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
    end(context, args, &[], json!(done), lines)?;
    Ok(code(packs_unreadable.min(tally.damage), &tally))
}

fn packs(context: &Context, args: &RepairPacksArgs) -> Result<Code, Failure> {
    let options = options(context, &args.how)?;
    let repo = context.open()?;
    let watcher = Watcher::start(context, "repair")?;
    let done = repair::packs(&repo, &args.packs, &options, &watcher)?;
    let tally = watcher.finish();
    let PacksRepaired {
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
    end(context, &args.how, &[], json!(done), lines)?;
    Ok(code(packs_lost + chunks_lost, &tally))
}

fn snapshots(context: &Context, args: &RepairSnapshotsArgs) -> Result<Code, Failure> {
    let options = options(context, &args.how)?;
    let repo = context.open()?;
    let ids: Vec<SessionId> = match args.snapshots.is_empty() {
        true => Vec::new(),
        false => {
            let all = listing::read(context, &repo)?;
            let chosen = select::choose_all(&all.facts, &args.snapshots, &Filter::default())?;
            chosen.iter().map(|facts| facts.id).collect()
        }
    };
    let watcher = Watcher::start(context, "repair")?;
    let done = repair::snapshots(&repo, &ids, &options, &watcher)?;
    let tally = watcher.finish();
    let (objects, lines) = told(context, &done);
    let summary = json!({
        "snapshots": done.snapshots,
        "repaired": done.repaired.len(),
        "unreadable": done.unreadable,
    });
    end(context, &args.how, &objects, summary, lines)?;
    Ok(code(tally.damage, &tally))
}

/// What is said of each snapshot: as objects, and as lines.
fn told(context: &Context, done: &SnapshotsRepaired) -> (Vec<Value>, Vec<String>) {
    let (mut objects, mut lines) = (Vec::new(), Vec::new());
    for hurt in &done.repaired {
        let old = hurt.id.to_hex();
        let new = hurt.successor.map(|id| id.to_hex());
        if context.json() {
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
    context: &Context,
    args: &RepairArgs,
    objects: &[Value],
    mut summary: Value,
    lines: Vec<String>,
) -> Result<(), Failure> {
    let mut out = Lines::new();
    if context.json() {
        objects.iter().for_each(|object| out.object(object));
        summary["message_type"] = json!("summary");
        summary["dry_run"] = json!(args.dry_run);
        out.object(&summary);
    } else if context.talks() {
        lines.iter().for_each(|line| out.line(line));
        if args.dry_run {
            out.line("Dry run: nothing was changed");
        }
    }
    out.finish()
}

/// Damage that was mended is none; what is lost is. What could not be read is known to be neither.
fn code(lost: u64, tally: &Tally) -> Code {
    match (lost, tally.unreadable) {
        (0, 0) => Code::Ok,
        (0, _) => Code::Failed,
        _ => Code::Damage,
    }
}
