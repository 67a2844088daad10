//! `diff`: what changed between two generations.

use crate::args::DiffArgs;
use crate::output::Lines;
use crate::render::text;
use crate::terminal::Terminal;
use serde_json::json;
use service::catalogue::report::snapshots::{self as report, Side};
use service::catalogue::{Cause, Lang};
use service::entry::Kind;
use service::json;
use service::list::{self, DiffSummary, Modifier, Row};
use service::listing;
use service::listing::Among;
use service::monitor::Quiet;
use service::paths::{from_root, split};
use service::units::escape;
use service::{Failure, Status};
use std::ffi::OsStr;

pub fn run(terminal: &Terminal, args: &DiffArgs) -> Result<Status, Failure> {
    let (before, from) = snapshot(&args.before)?;
    let (after, to) = snapshot(&args.after)?;
    if from != to {
        return Err(Cause::DifferentSubpaths.into());
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
            false if terminal.talks() => {
                tell(terminal.lang, summary)
                    .iter()
                    .for_each(|line| out.line(line));
            }
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
        let text = arg.to_string_lossy().into_owned();
        Cause::NotASnapshot { text }
    })?;
    Ok((name, subpath.as_deref().map(from_root)))
}

fn tell(lang: Lang, s: &DiffSummary) -> Vec<String> {
    let line = |which: Side, side: &list::Side| {
        report::compared(lang, which, side.files, side.dirs, side.others, side.bytes)
    };
    let mut lines = vec![
        line(Side::Added, &s.added),
        line(Side::Removed, &s.removed),
        report::changed_files(lang, s.changed_files),
    ];
    if s.missing != list::Side::default() {
        lines.push(line(Side::Missing, &s.missing));
    }
    lines
}
