//! `stats`: how much the repository holds.

use crate::args::{StatsArgs, StatsMode};
use crate::output::{self, Lines};
use crate::terminal::Terminal;
use serde_json::json;
use service::catalogue::Lang;
use service::catalogue::report::damage::damaged_paths;
use service::catalogue::report::space as report;
use service::face::{Activity, Step};
use service::stats::{self, Stats};
use service::storage::Storage;
use service::text::{padded, width};
use service::{Failure, Status};

pub fn run(terminal: &Terminal, args: &StatsArgs) -> Result<Status, Failure> {
    let repo = terminal.open()?;
    let watcher = Step::start(terminal, Activity::Stats)?;
    let stats = stats::run(&repo, &watcher)?;
    let code = watcher.finish().status();
    let storage = repo.storage();
    match terminal.json() {
        true => {
            let mut object = json!(stats);
            object["message_type"] = json!("summary");
            object["total_stored_size"] = json!(stats.total_size);
            object["total_size"] = json!(match args.mode {
                StatsMode::RestoreSize => stats.total_restore_size,
                StatsMode::RawData => stats.total_size,
            });
            // All there is can be compressed.
            object["compression_progress"] = json!(100);
            object["storage_tried"] = json!(storage.as_ref().map(|storage| storage.tried));
            object["storage_weaknesses"] = json!(storage.as_ref().map(Storage::weaknesses));
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
    match stats.num_errors {
        0 => Ok(code),
        _ => Ok(Status::Damaged),
    }
}

fn tell(lang: Lang, s: &Stats, storage: Option<&Storage>) -> String {
    let weaknesses = storage.map(Storage::weaknesses);
    let storage = report::soundness(lang, weaknesses.as_deref());
    let rows = report::stats(lang, s, &storage);
    let widest = rows.iter().map(|(name, _)| width(name)).max().unwrap_or_default();
    let rows = rows
        .into_iter()
        .map(|(name, value)| format!("{} {value}\n", padded(&name, widest.max(23))));
    rows.collect()
}
