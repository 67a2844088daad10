//! `cache`: what is kept on this machine to be fast.

use crate::args::CacheCommand;
use crate::output;
use crate::render::text;
use crate::terminal::Terminal;
use serde_json::json;
use service::catalogue::Cause;
use service::catalogue::report::space as report;
use service::machine;
use service::units::{escape, format_bytes};
use service::{Failure, Status};
use service::{cache, keys};
use std::path::Path;

pub fn run(terminal: &Terminal, command: &CacheCommand) -> Result<Status, Failure> {
    let root = machine::cache_dir(&terminal.context.env)?;
    match command {
        CacheCommand::Info => info(terminal, &root),
        CacheCommand::Clear => clear(terminal, &root),
    }
}

fn info(terminal: &Terminal, root: &Path) -> Result<Status, Failure> {
    let folders = cache::folders(root)?;
    let total: u64 = folders.iter().map(|folder| folder.bytes).sum();
    let path = root.display().to_string();
    if terminal.json() {
        for folder in &folders {
            output::object(&json!({
                "message_type": "cache",
                "repository": folder.repository,
                "path": folder.path.display().to_string(),
                "bytes": folder.bytes,
            }))?;
        }
        output::object(&json!({ "message_type": "summary", "path": path, "bytes": total }))?;
        return Ok(Status::Completed);
    }
    let rows: Vec<Vec<String>> = folders
        .iter()
        .map(|folder| vec![text::short(&folder.repository), format_bytes(folder.bytes)])
        .collect();
    let lang = terminal.lang;
    let mut out = report::cache_at(lang, &escape(path.as_bytes())) + "\n";
    if !rows.is_empty() {
        out += &text::table(&report::cache_columns(lang), &[1], &rows);
    }
    out += &(report::total(lang, total) + "\n");
    output::write(out.as_bytes())
}

fn clear(terminal: &Terminal, root: &Path) -> Result<Status, Failure> {
    let cleared = cache::clear(root)?;
    let keys = keys::forget_kept();
    if terminal.json() {
        output::object(&json!({
            "message_type": "summary",
            "bytes_removed": cleared.bytes,
            "in_use": cleared.busy,
            "keys_forgotten": keys,
        }))?;
    } else if terminal.talks() {
        output::line(&report::cleared(terminal.lang, cleared.bytes))?;
    }
    match cleared.busy.is_empty() {
        true => Ok(Status::Completed),
        false => {
            let caches = cleared.busy.iter().map(|id| text::short(id)).collect();
            Err(Cause::CacheInUse { caches }.into())
        }
    }
}
