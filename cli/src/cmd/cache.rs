//! `cache`: what is kept on this machine to be fast.

use crate::args::CacheCommand;
use crate::output;
use crate::render::text;
use crate::terminal::Terminal;
use serde_json::json;
use service::cache;
use service::catalogue::report::space as say;
use service::units::{escape, format_bytes};
use service::{Failure, Status};

pub fn run(terminal: &Terminal, command: &CacheCommand) -> Result<Status, Failure> {
    match command {
        CacheCommand::Info => info(terminal),
        CacheCommand::Clear => clear(terminal),
    }
}

fn info(terminal: &Terminal) -> Result<Status, Failure> {
    let report = cache::info(&terminal.context)?;
    let total = report.bytes();
    let path = report.path.display().to_string();
    if terminal.json() {
        for folder in &report.folders {
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
    let rows: Vec<Vec<String>> = report
        .folders
        .iter()
        .map(|folder| vec![text::short(&folder.repository), format_bytes(folder.bytes)])
        .collect();
    let lang = terminal.lang;
    let mut out = say::cache_at(lang, &escape(path.as_bytes())) + "\n";
    if !rows.is_empty() {
        out += &text::table(&say::cache_columns(lang), &[1], &rows);
    }
    out += &(say::total(lang, total) + "\n");
    output::write(out.as_bytes())
}

fn clear(terminal: &Terminal) -> Result<Status, Failure> {
    let report = cache::clear(&terminal.context)?;
    let cleared = &report.cleared;
    if terminal.json() {
        output::object(&json!({
            "message_type": "summary",
            "bytes_removed": cleared.bytes,
            "in_use": cleared.busy,
            "keys_forgotten": report.keys_forgotten,
        }))?;
    } else if terminal.talks() {
        output::line(&say::cleared(terminal.lang, cleared.bytes))?;
    }
    match report.failure() {
        None => Ok(Status::Completed),
        Some(failure) => Err(failure),
    }
}
