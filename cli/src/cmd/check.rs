//! `check`: what is damaged in the repository, and which files that hurts.

use crate::args::CheckArgs;
use crate::args::values::Subset;
use crate::context::Context;
use crate::exit::{Code, Failure};
use crate::output::{self, Lines};
use crate::progress::Watcher;
use crate::render::{json, text};
use engine::check::{self, CheckReport, DamagedPath, Options, ReadData};
use engine::units::{escape, format_bytes};
use serde_json::json;

pub fn run(context: &Context, args: &CheckArgs) -> Result<Code, Failure> {
    let options = Options {
        read_data: match args.read_data_subset {
            None if args.read_data => ReadData::All,
            None => ReadData::None,
            Some(Subset::Part { part, of }) => ReadData::Subset {
                n: part.into(),
                of: of.into(),
            },
            Some(Subset::Share(hundredths)) => ReadData::Percent(f64::from(hundredths) / 100.0),
            Some(Subset::Bytes(bytes)) => ReadData::Size(bytes),
        },
        threads: std::thread::available_parallelism().map_or(1, |n| n.get().min(8)),
    };
    let repo = context.open()?;
    let watcher = Watcher::start(context, "check")?;
    let report = check::run(&repo, &options, &watcher)?;
    let tally = watcher.finish();
    match context.json() {
        true => print_json(&report)?,
        false => print_text(context, &report)?,
    }
    match report.num_errors {
        0 => Ok(tally.code()),
        _ => Ok(Code::Damage),
    }
}

fn print_json(report: &CheckReport) -> Result<(), Failure> {
    let mut out = Lines::new();
    report
        .paths
        .iter()
        .for_each(|hurt| out.object(&damaged_path(hurt)));
    let mut object = json!(report);
    object["message_type"] = json!("summary");
    let index_is_hurt = report
        .broken_objects
        .iter()
        .any(|name| name.starts_with("index/"));
    object["suggest_repair_index"] = json!(index_is_hurt);
    object["suggest_prune"] = json!(report.num_errors == 0 && report.packs_unlisted > 0);
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
        n => format!(" and what follows it, {}", text::count(n, "name")),
    };
    format!("  {}  {}{more}", hurt.snapshot, escape(&hurt.path))
}

fn print_text(context: &Context, r: &CheckReport) -> Result<(), Failure> {
    let mut out = Lines::new();
    if !r.paths.is_empty() {
        out.line("Can't be restored whole:");
        r.paths.iter().for_each(|hurt| out.line(&hurt_line(hurt)));
        let more = r.damaged_paths.saturating_sub(r.paths.len() as u64);
        if more > 0 {
            out.line(&format!("  and {} more", text::grouped(more)));
        }
    }
    if context.talks() {
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
        if r.packs_unlisted > 0 {
            let packs = text::count(r.packs_unlisted, "pack");
            out.line(&format!(
                "{packs} of backups that did not end: 'dedup prune' removes them"
            ));
        }
        out.line(&match r.num_errors {
            0 => "No damage found".to_string(),
            n => format!(
                "{} found: everything else can be restored",
                text::count(n, "damage")
            ),
        });
    }
    out.finish()
        .and_then(|()| match context.talks() || r.num_errors == 0 {
            true => Ok(()),
            false => output::line(&format!("{} found", text::count(r.num_errors, "damage"))),
        })
}
