//! `check`: what is damaged in the repository, and which files that affects.

use crate::args::CheckArgs;
use crate::args::values::Subset;
use crate::output::Lines;
use crate::terminal::Terminal;
use serde_json::json;
use service::catalogue::report::damage as report;
use service::check::{self, DamagedPath, DueLimit, ReadData, Report, Request};
use service::json;
use service::{Failure, Status};

pub fn run(terminal: &Terminal, args: &CheckArgs) -> Result<Status, Failure> {
    let request = Request {
        read_data: read_data(terminal, args),
        snapshots: args.snapshots.clone(),
    };
    let report = check::run(&terminal.context, &request, terminal)?;
    match terminal.json() {
        true => print_json(&report)?,
        false => print_text(terminal, &report)?,
    }
    Ok(report.status())
}

fn read_data(terminal: &Terminal, args: &CheckArgs) -> ReadData {
    let percent = |hundredths: u32| f64::from(hundredths) / 100.0;
    if let Some(max_age) = args.max_age {
        let limit = args.read_data_subset.map(|subset| match subset {
            Subset::Part { part, of } => DueLimit::Subset {
                n: part.into(),
                of: of.into(),
            },
            Subset::Share(hundredths) => DueLimit::Percent(percent(hundredths)),
            Subset::Bytes(bytes) => DueLimit::Size(bytes),
        });
        return check::due(&terminal.context, max_age, limit);
    }
    match args.read_data_subset {
        None if args.read_data => ReadData::All,
        None => ReadData::None,
        Some(Subset::Part { part, of }) => ReadData::Subset {
            n: part.into(),
            of: of.into(),
        },
        Some(Subset::Share(hundredths)) => ReadData::Percent(percent(hundredths)),
        Some(Subset::Bytes(bytes)) => ReadData::Size(bytes),
    }
}

fn print_json(done: &Report) -> Result<(), Failure> {
    let mut out = Lines::new();
    let report = &done.found;
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
    object["read_since"] = json!(done.proven().map(|at| at.to_string()));
    let snapshots = done.snapshots.iter().map(|id| id.to_hex());
    object["checked_snapshots"] = json!(snapshots.collect::<Vec<_>>());
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

fn print_text(terminal: &Terminal, done: &Report) -> Result<(), Failure> {
    let (lang, mut out) = (terminal.lang, Lines::new());
    let r = &done.found;
    report::found_paths(lang, r)
        .iter()
        .for_each(|line| out.line(line));
    if terminal.talks() {
        report::checked(lang, r).iter().for_each(|line| out.line(line));
        report::read_since(lang, r, done.proven())
            .iter()
            .for_each(|line| out.line(line));
    }
    if terminal.talks() || r.num_errors + r.num_unreadable > 0 {
        out.line(&report::verdict(lang, r));
    }
    out.finish()
}
