//! `check`: what is damaged in the repository, and which files that hurts.

use crate::args::CheckArgs;
use crate::args::values::Subset;
use crate::output::Lines;
use crate::render::{json, text};
use crate::terminal::Terminal;
use serde_json::json;
use service::check::{self, CheckReport, DamagedPath, ReadData, Request};
use service::units::{escape, format_bytes};
use service::{Failure, Status};

pub fn run(terminal: &Terminal, args: &CheckArgs) -> Result<Status, Failure> {
    let read_data = match args.read_data_subset {
        None if args.read_data => ReadData::All,
        None => ReadData::None,
        Some(Subset::Part { part, of }) => ReadData::Subset {
            n: part.into(),
            of: of.into(),
        },
        Some(Subset::Share(hundredths)) => ReadData::Percent(f64::from(hundredths) / 100.0),
        Some(Subset::Bytes(bytes)) => ReadData::Size(bytes),
    };
    let report = check::run(&terminal.context, Request { read_data }, terminal)?;
    match terminal.json() {
        true => print_json(&report.found)?,
        false => print_text(terminal, &report.found)?,
    }
    Ok(report.status())
}

fn print_json(report: &CheckReport) -> Result<(), Failure> {
    let mut out = Lines::new();
    report
        .paths
        .iter()
        .for_each(|hurt| out.object(&damaged_path(hurt)));
    for path in &report.unproven {
        let mut object = damaged_path(path);
        object["message_type"] = json!("unproven_path");
        out.object(&object);
    }
    let mut object = json!(report);
    object["message_type"] = json!("summary");
    let index_is_hurt = report
        .broken_objects
        .iter()
        .any(|name| name.starts_with("index/"));
    object["suggest_repair_index"] = json!(index_is_hurt);
    object["suggest_prune"] =
        json!(report.num_errors == 0 && report.suggest_prune && report.packs_unlisted > 0);
    out.object(&object);
    out.finish()
}

pub fn damaged_path(hurt: &DamagedPath) -> serde_json::Value {
    json!({
        "message_type": "damaged_path",
        "snapshot": hurt.snapshot,
        "path": json::name(&hurt.path),
        "entries": hurt.entries,
    })
}

pub fn hurt_line(hurt: &DamagedPath) -> String {
    let more = match hurt.entries {
        0 | 1 => String::new(),
        n => format!(" and {} after it", entries(n - 1)),
    };
    format!("  {}  {}{more}", hurt.snapshot, escape(&hurt.path))
}

fn entries(n: u64) -> String {
    match n {
        1 => "1 entry".to_string(),
        n => format!("{} entries", text::grouped(n)),
    }
}

/// What can't be restored whole, named as far as a report does; nothing where all can.
pub fn hurt_lines(paths: &[DamagedPath], all: u64) -> Vec<String> {
    path_lines("Can't be restored whole:", paths, all)
}

fn path_lines(head: &str, paths: &[DamagedPath], all: u64) -> Vec<String> {
    if paths.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![head.to_string()];
    lines.extend(paths.iter().map(hurt_line));
    let more = all.saturating_sub(paths.iter().map(|path| path.entries.max(1)).sum());
    if more > 0 {
        lines.push(format!("  and {} more", text::grouped(more)));
    }
    lines
}

fn print_text(terminal: &Terminal, r: &CheckReport) -> Result<(), Failure> {
    let mut out = Lines::new();
    let unproven = "Not checked, because an object that they need can't be read:";
    hurt_lines(&r.paths, r.damaged_paths)
        .iter()
        .chain(&path_lines(unproven, &r.unproven, r.unproven_paths))
        .for_each(|line| out.line(line));
    if terminal.talks() {
        out.line(&format!(
            "Checked {}, {}, {}, {} with {}",
            text::count(r.snapshots, "snapshot"),
            text::count(r.chunks, "chunk"),
            text::count(r.index_segments, "index segment"),
            text::count(r.packs, "pack"),
            format_bytes(r.packs_size),
        ));
        if r.packs_read > 0 {
            let packs = text::count(r.packs_read, "pack");
            out.line(&format!("Read {packs}, {}", format_bytes(r.bytes_read)));
        }
        advice(r).iter().for_each(|line| out.line(line));
    }
    if terminal.talks() || r.num_errors + r.num_unreadable > 0 {
        out.line(&verdict(r));
    }
    out.finish()
}

/// What was found, and no more than was looked at.
fn verdict(r: &CheckReport) -> String {
    let errors = text::count(r.num_errors, "error");
    let unreadable = text::count(r.num_unreadable, "object");
    match (r.num_errors, r.num_unreadable) {
        (0, 0) => "No damage found".to_string(),
        (_, 0) => format!("{errors} found"),
        (n, _) => format!(
            "{} found, but the check is incomplete: {unreadable} could not be read. Run 'dedup check' again when that \
             is mended",
            if n == 0 { "No errors".to_string() } else { errors }
        ),
    }
}

/// What to do about what was found.
fn advice(r: &CheckReport) -> Vec<String> {
    let mut lines = Vec::new();
    let packs = text::count(r.packs_unlisted, "pack");
    if r.suggest_repair_index {
        lines.push(format!(
            "The index is incomplete: snapshots need chunks that no index segment lists, and {packs} can be listed. Run \
             'dedup repair index', then 'dedup check' again"
        ));
    } else if r.packs_unlisted > 0 && r.suggest_prune {
        lines.push(format!(
            "{packs} of unfinished backups: 'dedup prune' removes those that no running backup needs"
        ));
    }
    if r.packs_abandoned > 0 {
        let packs = text::count(r.packs_abandoned, "damaged pack");
        lines.push(format!(
            "{packs} that no snapshot needs: 'dedup prune' removes them"
        ));
    }
    if r.num_errors > 0 && !r.suggest_repair_index {
        lines.push(
            "What is not named above can be restored. 'dedup heal' mends the rest from a replica, 'dedup repair' from \
             what is left"
                .to_string(),
        );
    }
    lines
}
