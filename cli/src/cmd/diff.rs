//! `diff`: what changed between two generations.

use crate::args::DiffArgs;
use crate::output::Lines;
use crate::render::{json, text};
use crate::terminal::Terminal;
use serde_json::json;
use service::entry::Kind;
use service::list::{self, DiffSummary, Modifier, Row};
use service::listing;
use service::listing::Among;
use service::monitor::Quiet;
use service::paths::{from_root, split};
use service::units::{escape, format_bytes};
use service::{Failure, Status};
use std::ffi::OsStr;

pub fn run(terminal: &Terminal, args: &DiffArgs) -> Result<Status, Failure> {
    let (before, from) = snapshot(&args.before)?;
    let (after, to) = snapshot(&args.after)?;
    if from != to {
        return Err(Failure::usage(
            "both snapshots must be given with the same :SUBPATH, or none",
        ));
    }
    let repo = terminal.open()?;
    let everything = Among::default();
    let before = listing::choose(&terminal.context, &repo, &before, &everything, terminal)?;
    let after = listing::choose(&terminal.context, &repo, &after, &everything, terminal)?;
    let reader = repo.reader(&Quiet);
    let mut out = Lines::new();
    let changes = list::diff(
        &reader,
        &before.manifest,
        &after.manifest,
        from.as_deref(),
        &mut |row| {
            if row.modifier != Modifier::Metadata || args.metadata {
                match terminal.json() {
                    true => out.object(&json!({
                        "message_type": "change",
                        "path": json::name(&shown(&row)),
                        "modifier": row.modifier.sign(),
                    })),
                    false => out.line(&format!(
                        "{:<4} {}",
                        row.modifier.sign(),
                        escape(&text::absolute(row.path))
                    )),
                }
            }
            out.go_on()
        },
    );
    if let Ok(summary) = &changes {
        match terminal.json() {
            true => {
                let mut object = json!(summary);
                object["message_type"] = json!("statistics");
                object["source_snapshot"] = json!(before.id.to_hex());
                object["target_snapshot"] = json!(after.id.to_hex());
                out.object(&object);
            }
            false if terminal.talks() => out.line(&tell(summary)),
            false => {}
        }
    }
    out.end(changes)?;
    Ok(before.status.max(after.status))
}

/// A directory's path ends with a slash.
fn shown(row: &Row<'_>) -> Vec<u8> {
    let mut path = text::absolute(row.path);
    if row.new.or(row.old).is_some_and(|entry| entry.kind == Kind::Dir) {
        path.push(b'/');
    }
    path
}

/// `SNAP` or `SNAP:SUBPATH`.
fn snapshot(arg: &OsStr) -> Result<(String, Option<Vec<u8>>), Failure> {
    let (name, subpath) = split(arg, false).ok_or_else(|| {
        let arg = escape(arg.as_encoded_bytes());
        Failure::usage(format!(
            "'{arg}' is not a snapshot: write latest, latest~N or the beginning of an id"
        ))
    })?;
    Ok((name, subpath.as_deref().map(from_root)))
}

fn tell(s: &DiffSummary) -> String {
    let side = |word: &str, side: &list::Side| {
        format!(
            "{word}: {}, {}, {}, {}",
            text::count(side.files, "file"),
            text::count(side.dirs, "folder"),
            text::count(side.others, "other"),
            format_bytes(side.bytes)
        )
    };
    let mut told = format!(
        "{}\n{}\nChanged: {}",
        side("Added", &s.added),
        side("Removed", &s.removed),
        text::count(s.changed_files, "file")
    );
    if s.missing != list::Side::default() {
        let missing = side("Missing", &s.missing);
        told += &format!("\n{missing} (the second snapshot could not read where they were)");
    }
    told
}
