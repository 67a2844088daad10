//! `heal`: mends one replica from others.

use crate::args::remotes::HealArgs;
use crate::output::Lines;
use crate::render::text;
use crate::terminal::Terminal;
use serde_json::json;
use service::heal::{self, Healed, Request};
use service::units::{escape, format_bytes};
use service::{Failure, Status};

pub fn run(terminal: &Terminal, args: &HealArgs) -> Result<Status, Failure> {
    let request = Request {
        from: args.from.clone(),
        read_data: args.read_data,
        dry_run: args.dry_run,
    };
    let report = heal::run(&terminal.context, &request, terminal)?;
    tell(terminal, args, &report.healed)?;
    Ok(report.status())
}

fn tell(terminal: &Terminal, args: &HealArgs, healed: &Healed) -> Result<(), Failure> {
    let mut out = Lines::new();
    if terminal.json() {
        let mut object = json!(healed);
        object["message_type"] = json!("summary");
        object["dry_run"] = json!(args.dry_run);
        object["whole"] = json!(healed.is_whole());
        out.object(&object);
    } else if terminal.talks() {
        lines(healed, args).iter().for_each(|line| out.line(line));
    }
    out.finish()
}

fn lines(healed: &Healed, args: &HealArgs) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(
        healed
            .mended
            .iter()
            .map(|name| format!("Mended {}", escape(name.as_bytes()))),
    );
    let packs = text::count(healed.packs_listed, "pack");
    match (healed.segments_damaged, healed.packs_listed) {
        (0, 0) => {}
        (0, _) => lines.push(format!("{packs} that no index segment listed: listed again")),
        (segments, _) => {
            let segments = text::count(segments, "damaged index segment");
            lines.push(format!("{segments}: {packs} listed again"));
        }
    }
    if healed.packs_damaged > 0 {
        let packs = text::count(healed.packs_damaged, "damaged pack");
        lines.push(format!(
            "{packs}, {} replaced by a good copy",
            text::grouped(healed.packs_mended)
        ));
    }
    if healed.chunks_brought > 0 {
        let chunks = text::count(healed.chunks_brought, "chunk");
        let came = if args.dry_run { "would come" } else { "came" };
        lines.push(format!(
            "{chunks} {came} from other replicas, {} sent",
            format_bytes(healed.bytes)
        ));
    }
    if healed.packs_unneeded > 0 {
        let packs = text::count(healed.packs_unneeded, "damaged pack");
        lines.push(format!(
            "{packs} that no snapshot needs: 'dedup prune' removes them"
        ));
    }
    lines.push(end(healed, args));
    if !args.read_data {
        lines.push("Only trees and what is missing was looked at: --read-data reads everything".to_string());
    }
    if args.dry_run {
        lines.push("Dry run: nothing was changed".to_string());
    }
    lines
}

/// What can be said in the end, and no more.
fn end(healed: &Healed, args: &HealArgs) -> String {
    match (healed.is_whole(), healed.was_whole()) {
        (true, true) => "Nothing that any snapshot needs was found lost or damaged".to_string(),
        (true, false) if args.dry_run => {
            "The replicas hold everything that is lost or damaged here".to_string()
        }
        (true, false) if args.read_data => "All that any snapshot needs is there again".to_string(),
        (true, false) => "All that was found lost or damaged is there again".to_string(),
        (false, _) if !healed.is_lacking() => format!(
            "{} could not be read, so nothing is known of their content. Run 'dedup heal' again when that is mended",
            text::count(healed.packs_unreadable, "pack")
        ),
        (false, _) => format!(
            "Still lost: {} and {}, {} damaged. A backup stores again what its source still has; 'dedup repair' \
             recovers what it can of the rest",
            text::count(healed.chunks_lost, "chunk"),
            text::count(healed.snapshots_lost, "snapshot"),
            text::count(healed.damaged_paths, "path"),
        ),
    }
}
