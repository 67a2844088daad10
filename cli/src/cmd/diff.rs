//! `diff`: what changed between two generations, or since one.

use crate::args::DiffArgs;
use crate::output::Lines;
use crate::render::text;
use crate::terminal::Terminal;
use serde_json::json;
use service::backup::patterns;
use service::catalogue::report::snapshots::{self as report, Side};
use service::catalogue::{Cause, Lang};
use service::entry::Kind;
use service::face::{Activity, Step};
use service::json;
use service::list::{self, DiffSummary, Modifier, Row};
use service::listing;
use service::listing::Among;
use service::live::{self, FilterOptions};
use service::monitor::Quiet;
use service::paths::{from_root, split};
use service::units::escape;
use service::{Failure, Status};
use std::ffi::OsStr;

pub fn run(terminal: &Terminal, args: &DiffArgs) -> Result<Status, Failure> {
    let (before, from) = snapshot(&args.before)?;
    let after = args.after.as_deref().map(snapshot).transpose()?;
    if after.as_ref().is_some_and(|(_, to)| *to != from) {
        return Err(Cause::DifferentSubpaths.into());
    }
    let repo = terminal.open()?;
    let everything = Among::default();
    let before = listing::choose(&terminal.context, &repo, &before, &everything, terminal)?;
    let mut out = Lines::new();
    let mut each = |row: Row<'_>| {
        if row.modifier != Modifier::Metadata || args.metadata {
            show(terminal, &row, &mut out);
        }
        out.go_on()
    };
    let (changes, target, status) = match after {
        Some((after, _)) => {
            let after = listing::choose(&terminal.context, &repo, &after, &everything, terminal)?;
            let reader = repo.reader(&Quiet);
            let path = from.as_deref();
            let changes = list::diff(&reader, &before.manifest, &after.manifest, path, &mut each);
            (changes, Some(after.id), after.status)
        }
        None => {
            let step = Step::start(terminal, Activity::Diff)?;
            let request = live_request(from, args);
            let changes = live::diff(&terminal.context, &repo, &before, request, &step, &mut each)?;
            (changes, None, step.finish().status())
        }
    };
    if let Ok(summary) = &changes {
        match terminal.json() {
            true => {
                let mut object = json!(summary);
                object["message_type"] = json!("statistics");
                object["source_snapshot"] = json!(before.id.to_hex());
                if let Some(target) = target {
                    object["target_snapshot"] = json!(target.to_hex());
                }
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
    Ok(before.status.max(status))
}

fn live_request(path: Option<Vec<u8>>, args: &DiffArgs) -> live::Request {
    live::Request {
        path,
        filter: FilterOptions {
            excludes: patterns(&args.exclude),
            exclude_files: args.exclude_file.clone(),
            ignore_files: args.ignore_file.clone(),
            exclude_if_xattr: args.exclude_if_xattr.clone(),
            ..FilterOptions::default()
        },
        content: args.content,
    }
}

fn show(terminal: &Terminal, row: &Row<'_>, out: &mut Lines) {
    match terminal.json() {
        true => out.object(&json!({
            "message_type": "change",
            "path": json::name(&shown(row)),
            "modifier": row.modifier.sign(),
        })),
        false => out.line(&format!(
            "{:<4} {}",
            row.modifier.sign(),
            escape(&text::absolute(row.path))
        )),
    }
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
