//! `undelete`: forgotten snapshots back from the trash.

use crate::args::UndeleteArgs;
use crate::output::{self, Lines};
use crate::render::text;
use crate::terminal::Terminal;
use jiff::Timestamp;
use serde_json::json;
use service::catalogue::report::snapshots as report;
use service::facts::SnapshotInfo;
use service::json;
use service::trash::{self, Request, Trashed};
use service::units::escape;
use service::{Failure, SessionId, Status};

pub fn run(terminal: &Terminal, args: &UndeleteArgs) -> Result<Status, Failure> {
    if args.snapshots.is_empty() {
        let trash = trash::list(&terminal.context, terminal)?;
        list(terminal, &trash.snapshots, trash.earlier)?;
        return Ok(trash.problems.status());
    }
    let request = Request {
        snapshots: args.snapshots.clone(),
        dry_run: args.dry_run,
    };
    let report = trash::run(&terminal.context, &request, terminal)?;
    tell(terminal, &report.snapshots, args.dry_run)?;
    Ok(report.status())
}

fn list(terminal: &Terminal, trash: &[Trashed], earlier: u64) -> Result<(), Failure> {
    let mut out = Lines::new();
    let forgotten = |trashed: &Trashed| Timestamp::from_second(trashed.forgotten).ok();
    for trashed in trash.iter().filter(|_| terminal.json()) {
        let facts = &trashed.facts;
        out.object(&json!({
            "message_type": "trash",
            "id": facts.id.to_hex(),
            "short_id": text::short(&facts.id.to_hex()),
            "time": facts.time.to_string(),
            "hostname": facts.host,
            "paths": json::names(&facts.paths),
            "tags": facts.tags,
            "forgotten": forgotten(trashed).map(|at| at.to_string()),
        }));
    }
    if terminal.json() {
        out.object(&json!({ "message_type": "summary", "snapshots": trash.len() }));
    } else if trash.is_empty() {
        out.line(&report::trash_is_empty(terminal.lang, earlier));
    } else {
        let row = |trashed: &Trashed| {
            vec![
                text::short(&trashed.facts.id.to_hex()),
                text::time(trashed.facts.time),
                escape(trashed.facts.host.as_bytes()),
                text::names(&trashed.facts.tags),
                forgotten(trashed).map(text::time).unwrap_or_default(),
                text::paths(&trashed.facts.paths),
            ]
        };
        let rows: Vec<Vec<String>> = trash.iter().map(row).collect();
        let [id, time, host, tags, paths, _] = report::columns(terminal.lang);
        let head = [id, time, host, tags, report::removed_column(terminal.lang), paths];
        out.line(text::table(&head, &[], &rows).trim_end());
    }
    out.finish()
}

fn tell(terminal: &Terminal, done: &[(SnapshotInfo, SessionId)], dry_run: bool) -> Result<(), Failure> {
    if terminal.json() {
        for (facts, new) in done {
            output::object(&json!({
                "message_type": "undeleted",
                "id": new.to_hex(),
                "original": facts.id.to_hex(),
            }))?;
        }
        return output::object(&json!({
            "message_type": "summary",
            "undeleted": done.len(),
            "dry_run": dry_run,
        }));
    }
    for (facts, new) in done.iter().filter(|_| terminal.talks()) {
        let lang = terminal.lang;
        output::line(&match dry_run {
            true => report::would_bring_back(lang, &text::snapshot_line(facts)),
            false => report::brought_back(lang, &facts.id.to_hex(), &new.to_hex()),
        })?;
    }
    Ok(())
}
