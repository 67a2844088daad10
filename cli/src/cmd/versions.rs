//! `versions`: what one file was in every snapshot.

use crate::args::VersionsArgs;
use crate::output::{self, Lines};
use crate::render::text;
use crate::terminal::Terminal;
use serde_json::{Value, json};
use service::catalogue::Lang;
use service::catalogue::report::browse as report;
use service::facts::SnapshotInfo;
use service::json;
use service::units::{escape, format_bytes};
use service::versions::{self, FoundVersions, Report, Request, Version, VersionChange};
use service::{Failure, SessionId, Status};
use std::path::Path;

pub fn run(terminal: &Terminal, args: &VersionsArgs) -> Result<Status, Failure> {
    let request = Request {
        path: args.path.clone(),
        filter: args.filter.filter()?,
        all_hosts: args.all_hosts,
    };
    let found = versions::run(&terminal.context, &request, terminal)?;
    if let Some(target) = &args.restore_all {
        let report = versions::restore_all(&terminal.context, &found, target, args.dry_run, terminal)?;
        tell_restored(terminal, &report, target, args.dry_run)?;
        return Ok(report.status);
    }
    match terminal.json() {
        true => print_json(&found)?,
        false => print_text(terminal, &found)?,
    }
    Ok(found.status)
}

/// English words of JSON.
fn change_word(change: VersionChange) -> &'static str {
    match change {
        VersionChange::First => "new",
        VersionChange::Content => "modified",
        VersionChange::Metadata => "metadata",
        VersionChange::Unchanged => "unchanged",
    }
}

fn holders<'a>(
    found: &'a FoundVersions,
    version: &'a Version,
) -> impl DoubleEndedIterator<Item = (&'a SnapshotInfo, VersionChange)> {
    let holdings = version.holdings.iter();
    holdings.filter_map(|holding| Some((found.snapshot(holding.snapshot)?, holding.change)))
}

/// Newest first, as in the text.
fn print_json(found: &FoundVersions) -> Result<(), Failure> {
    let mut out = Lines::new();
    for version in found.history.versions.iter().rev() {
        let snapshots = holders(found, version).rev().map(|(facts, change)| {
            json!({
                "id": facts.id.to_hex(),
                "short_id": text::short(&facts.id.to_hex()),
                "time": facts.time.to_string(),
                "hostname": facts.host,
                "changed": matches!(change, VersionChange::First | VersionChange::Content),
                "change": change_word(change),
            })
        });
        let snapshots: Vec<Value> = snapshots.collect();
        let mut object = json::object("version", json::entry(&found.path, &version.entry));
        object["snapshots"] = json!(snapshots);
        out.object(&object);
    }
    let absent = found.history.absent.iter().map(|id| id.to_hex());
    out.object(&json!({
        "message_type": "summary",
        "path": json::name(&found.path),
        "versions": found.history.versions.len(),
        "snapshots": found.holders(),
        "absent": absent.collect::<Vec<_>>(),
    }));
    out.finish()
}

fn print_text(terminal: &Terminal, found: &FoundVersions) -> Result<(), Failure> {
    let (lang, mut out) = (terminal.lang, Lines::new());
    let rows: Vec<Vec<String>> = found
        .history
        .versions
        .iter()
        .rev()
        .map(|version| row(found, version))
        .collect();
    let table = text::table(&report::version_columns(lang), &[1, 2], &rows);
    let mut lines = table.lines();
    if let Some(head) = lines.next() {
        out.line(head);
    }
    for (line, version) in lines.zip(found.history.versions.iter().rev()) {
        out.line(line);
        if terminal.global.verbose > 0 {
            for (facts, change) in holders(found, version).rev() {
                out.line(&holder(lang, facts, change));
            }
        }
    }
    if terminal.talks() {
        let versions = found.history.versions.len() as u64;
        out.line(&report::versions(lang, versions, found.holders()));
        let absent = found.history.absent.len() as u64;
        if absent > 0 {
            out.line(&report::not_held(lang, absent));
        }
    }
    out.finish()
}

fn row(found: &FoundVersions, version: &Version) -> Vec<String> {
    let name = |id: Option<SessionId>| match id.and_then(|id| found.snapshot(id)) {
        Some(facts) => format!("{} {}", text::short(&facts.id.to_hex()), text::time(facts.time)),
        None => String::new(),
    };
    let holdings = &version.holdings;
    vec![
        text::file_time(version.entry.meta.mtime),
        format_bytes(version.entry.meta.size),
        text::grouped(holdings.len() as u64),
        name(holdings.last().map(|last| last.snapshot)),
        name(holdings.first().map(|first| first.snapshot)),
    ]
}

fn holder(lang: Lang, facts: &SnapshotInfo, change: VersionChange) -> String {
    let id = text::short(&facts.id.to_hex());
    let (time, host) = (text::time(facts.time), escape(facts.host.as_bytes()));
    format!(
        "    {id}  {time}  {host}  {}",
        report::version_change(lang, change)
    )
}

fn tell_restored(terminal: &Terminal, done: &Report, target: &Path, dry_run: bool) -> Result<(), Failure> {
    if terminal.json() {
        let mut out = Lines::new();
        for file in &done.files {
            out.object(&json!({
                "message_type": "version",
                "name": json::name(&file.name),
                "snapshot_id": file.snapshot.to_hex(),
                "size": file.size,
                "skipped": file.was_there,
            }));
        }
        out.object(&json!({
            "message_type": "summary",
            "files_restored": done.files_restored,
            "bytes_restored": done.bytes_restored,
            "files_skipped": done.files_skipped,
            "target": target.to_string_lossy(),
            "dry_run": dry_run,
        }));
        return out.finish();
    }
    if !terminal.talks() {
        return Ok(());
    }
    let lang = terminal.lang;
    let mut lines = Vec::new();
    for file in &done.files {
        let name = escape(&file.name);
        lines.push(report::version_restored(lang, &name, file.was_there, dry_run));
    }
    let target = escape(target.as_os_str().as_encoded_bytes());
    let (files, bytes) = (done.files_restored, done.bytes_restored);
    lines.push(report::versions_restored(lang, files, bytes, &target, dry_run));
    output::write((lines.join("\n") + "\n").as_bytes()).map(|_| ())
}
