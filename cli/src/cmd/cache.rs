//! `cache`: what is kept on this machine to be fast.

use crate::args::CacheCommand;
use crate::context::Context;
use crate::exit::{Code, Failure};
use crate::render::text;
use crate::{output, resolve};
use engine::units::{escape, format_bytes};
use engine::{cache, key};
use serde_json::json;
use std::path::Path;

pub fn run(context: &Context, command: &CacheCommand) -> Result<Code, Failure> {
    let root = resolve::cache_dir(&context.env)?;
    match command {
        CacheCommand::Info => info(context, &root),
        CacheCommand::Clear => clear(context, &root),
    }
}

fn info(context: &Context, root: &Path) -> Result<Code, Failure> {
    let folders = cache::folders(root)?;
    let total: u64 = folders.iter().map(|folder| folder.bytes).sum();
    let path = root.display().to_string();
    if context.json() {
        for folder in &folders {
            output::object(&json!({
                "message_type": "cache",
                "repository": folder.repository,
                "path": folder.path.display().to_string(),
                "bytes": folder.bytes,
            }))?;
        }
        output::object(&json!({ "message_type": "summary", "path": path, "bytes": total }))?;
        return Ok(Code::Ok);
    }
    let rows: Vec<Vec<String>> = folders
        .iter()
        .map(|folder| vec![text::short(&folder.repository), format_bytes(folder.bytes)])
        .collect();
    let mut out = format!("Cache at {}\n", escape(path.as_bytes()));
    if !rows.is_empty() {
        out += &text::table(&["Repository", "Size"], &[1], &rows);
    }
    out += &format!("Total: {}\n", format_bytes(total));
    output::write(out.as_bytes())
}

fn clear(context: &Context, root: &Path) -> Result<Code, Failure> {
    let cleared = cache::clear(root)?;
    let keys = key::forget_kept();
    if context.json() {
        output::object(&json!({
            "message_type": "summary",
            "bytes_removed": cleared.bytes,
            "in_use": cleared.busy,
            "keys_forgotten": keys,
        }))?;
    } else if context.talks() {
        output::line(&format!("Removed {}", format_bytes(cleared.bytes)))?;
    }
    match cleared.busy.is_empty() {
        true => Ok(Code::Ok),
        false => {
            let busy: Vec<String> = cleared.busy.iter().map(|id| text::short(id)).collect();
            let message = format!("the cache of {} is in use and was left", busy.join(", "));
            Err(Failure::new(Code::Busy, message))
        }
    }
}
