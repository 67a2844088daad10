//! `stats`: how much the repository holds.

use crate::args::{StatsArgs, StatsMode};
use crate::cmd::check::hurt_lines;
use crate::output::{self, Lines};
use crate::render::text;
use crate::terminal::Terminal;
use serde_json::json;
use service::catalogue::en;
use service::face::{Activity, Step};
use service::stats::{self, Stats};
use service::storage::Storage;
use service::units::format_bytes;
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
            object["storage_weaknesses"] = json!(storage.as_ref().map(weaknesses));
            output::object(&object)?;
        }
        false => {
            let mut out = Lines::new();
            hurt_lines(&stats.paths, stats.damaged_paths)
                .iter()
                .for_each(|line| out.line(line));
            out.finish()?;
            output::write(tell(&stats, storage.as_ref()).as_bytes()).map(|_| ())?;
        }
    }
    match stats.num_errors {
        0 => Ok(code),
        _ => Ok(Status::Damaged),
    }
}

fn tell(s: &Stats, storage: Option<&Storage>) -> String {
    let mut rows = vec![
        ("Snapshots", text::grouped(s.snapshots_count)),
        (
            "Newest",
            format!(
                "{}, {}",
                text::count(s.latest_file_count, "file"),
                format_bytes(s.latest_size)
            ),
        ),
        (
            "All together",
            format!(
                "{}, {}",
                text::count(s.total_file_count, "file"),
                format_bytes(s.total_restore_size)
            ),
        ),
        (
            "Distinct data",
            format!(
                "{}, {}",
                text::count(s.total_blob_count, "chunk"),
                format_bytes(s.total_uncompressed_size)
            ),
        ),
        (
            "Stored",
            format!(
                "{} (compression saves {:.1}%)",
                format_bytes(s.total_size),
                s.compression_space_saving
            ),
        ),
        (
            "On the storage",
            format!(
                "{}, {}",
                text::count(s.packs_count, "pack"),
                format_bytes(s.packs_size)
            ),
        ),
    ];
    rows.push(("The storage is", soundness(storage)));
    let some = |n: u64, name: &'static str| (n > 0).then(|| (name, text::grouped(n)));
    rows.extend(some(s.num_errors, "Errors ('dedup check')"));
    rows.extend(some(s.snapshots_unreadable, "Unreadable snapshots"));
    rows.extend((s.trash_count > 0).then(|| {
        let entries = text::grouped(s.trash_count);
        (
            "In the trash",
            format!("{entries} (removed snapshots, and earlier forms of those there are)"),
        )
    }));
    rows.extend(some(s.open_sessions_count, "Open sessions"));
    rows.extend(some(s.condemned_packs_count, "Packs to be deleted"));
    let rows = rows
        .into_iter()
        .map(|(name, value)| format!("{name:<23} {value}\n"));
    rows.collect()
}

fn weaknesses(storage: &Storage) -> Vec<&'static str> {
    storage.weaknesses().into_iter().map(en::weakness).collect()
}

/// What was seen of the storage when this machine tried it out.
fn soundness(storage: Option<&Storage>) -> String {
    match storage.map(weaknesses) {
        None => "not tested by this machine".to_string(),
        Some(weak) if weak.is_empty() => "sound".to_string(),
        Some(weak) => format!("weak: {}", weak.join("; ")),
    }
}
