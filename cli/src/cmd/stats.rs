//! `stats`: how much the repository holds.

use crate::args::{StatsArgs, StatsMode};
use crate::output::{self, Lines};
use crate::terminal::Terminal;
use serde_json::json;
use service::catalogue::report::damage::damaged_paths;
use service::catalogue::report::space as report;
use service::catalogue::{Lang, weakness};
use service::select::Filter;
use service::stats::{self, Stats};
use service::storage::Storage;
use service::text::{padded, width};
use service::{Failure, Status};

pub fn run(terminal: &Terminal, args: &StatsArgs) -> Result<Status, Failure> {
    let filter = args.filter.filter()?;
    match args.snapshots.is_empty() && filter.is_empty() {
        true => whole(terminal, args.mode),
        false => chosen(terminal, args, &filter),
    }
}

fn whole(terminal: &Terminal, mode: StatsMode) -> Result<Status, Failure> {
    let repo = terminal.open()?;
    let (stats, status) = stats::whole(&repo, terminal)?;
    let storage = repo.storage();
    match terminal.json() {
        true => {
            let mut object = json!(stats);
            object["message_type"] = json!("summary");
            object["total_stored_size"] = json!(stats.total_size);
            object["total_size"] = json!(total(mode, stats.total_restore_size, stats.total_size));
            // All there is can be compressed.
            object["compression_progress"] = json!(100);
            object["storage_tried"] = json!(storage.as_ref().map(|storage| storage.tried));
            object["storage_weaknesses"] = json!(storage.as_ref().map(weaknesses));
            output::object(&object)?;
        }
        false => {
            let mut out = Lines::new();
            damaged_paths(terminal.lang, &stats.paths, stats.damaged_paths)
                .iter()
                .for_each(|line| out.line(line));
            out.finish()?;
            output::write(tell(terminal.lang, &stats, storage.as_ref()).as_bytes()).map(|_| ())?;
        }
    }
    Ok(status)
}

fn chosen(terminal: &Terminal, args: &StatsArgs, filter: &Filter) -> Result<Status, Failure> {
    let (held, status) = stats::chosen(&terminal.context, &args.snapshots, filter, terminal)?;
    match terminal.json() {
        true => output::object(&json!({
            "message_type": "summary",
            "snapshots_count": held.snapshots,
            "total_file_count": held.files,
            "total_size": total(args.mode, held.bytes, held.stored),
            "total_restore_size": held.bytes,
            "total_stored_size": held.stored,
        }))?,
        false => {
            let rows = table(report::held(terminal.lang, &held));
            output::write(rows.as_bytes()).map(|_| ())?;
        }
    }
    Ok(status)
}

fn total(mode: StatsMode, restored: u64, stored: u64) -> u64 {
    match mode {
        StatsMode::RestoreSize => restored,
        StatsMode::RawData => stored,
    }
}

/// In English, as everything in JSON.
fn weaknesses(storage: &Storage) -> Vec<&'static str> {
    let found = storage.weaknesses().into_iter();
    found.map(|found| weakness(Lang::En, found)).collect()
}

fn tell(lang: Lang, s: &Stats, storage: Option<&Storage>) -> String {
    let weaknesses = storage.map(Storage::weaknesses);
    let storage = report::soundness(lang, weaknesses.as_deref());
    table(report::stats(lang, s, &storage))
}

fn table(rows: Vec<(String, String)>) -> String {
    let widest = rows.iter().map(|(name, _)| width(name)).max().unwrap_or_default();
    let rows = rows
        .into_iter()
        .map(|(name, value)| format!("{} {value}\n", padded(&name, widest.max(23))));
    rows.collect()
}
