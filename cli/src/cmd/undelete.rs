//! `undelete`: forgotten snapshots back from the trash.

use crate::args::UndeleteArgs;
use crate::context::Context;
use crate::exit::{Code, Failure};
use crate::output::{self, Lines};
use crate::progress::Watcher;
use crate::render::{json, text};
use crate::resolve;
use engine::facts::Facts;
use engine::forget::{self, Trashed};
use engine::manifest::Snapshot;
use engine::monitor::{Monitor, Problem};
use engine::repo::Repo;
use engine::select::{self, Filter};
use engine::{Error, StoreError};
use jiff::Timestamp;
use serde_json::json;

pub fn run(context: &Context, args: &UndeleteArgs) -> Result<Code, Failure> {
    let repo = context.open()?;
    let watcher = Watcher::start(context, "undelete")?;
    let (trash, earlier) = read(&repo, &watcher)?;
    if args.snapshots.is_empty() {
        let tally = watcher.finish();
        list(context, &trash, earlier)?;
        return Ok(tally.code());
    }
    let facts: Vec<Facts> = trash.iter().map(|trashed| trashed.facts.clone()).collect();
    let chosen = select::choose_all(&facts, &args.snapshots, &Filter::default()).map_err(|e| match e {
        Error::NoSnapshot(text) => Failure::new(
            Code::Failed,
            format!("no snapshot in the trash matches '{text}'; 'dedup undelete' lists those that do"),
        ),
        e => e.into(),
    })?;
    let host = resolve::host(None, &context.env)?;
    let mut code = Code::Ok;
    let mut done = Vec::new();
    for facts in chosen {
        if args.dry_run {
            done.push((facts.clone(), facts.id));
            continue;
        }
        match forget::undelete(&repo, facts.id, &host, context.now_secs(), &watcher) {
            Ok(new) => done.push((facts.clone(), new)),
            Err(Error::Store(e @ StoreError::Refused(_))) => {
                code = Code::Incomplete;
                output::say(&Failure::from(e).line(context.json()));
            }
            Err(e) => return Err(e.into()),
        }
    }
    code = code.max(watcher.finish().code());
    tell(context, &done, args.dry_run)?;
    Ok(code)
}

/// Without what is there in another form: changing a snapshot's tags leaves its old form in the trash. Of several
/// forms in the trash, the one that was removed last. And how many there are without being listed.
fn read(repo: &Repo, monitor: &dyn Monitor) -> Result<(Vec<Trashed>, u64), Failure> {
    let (trash, damaged) = forget::list_trash(repo)?;
    for (id, error) in damaged {
        monitor.problem(&Problem::of(format!("trash/{id}"), &error));
    }
    let (snapshots, _) = repo.snapshots()?;
    let same = |a: &Facts, b: &Facts| a.time == b.time && a.host == b.host && a.paths == b.paths;
    let restated: Vec<Facts> = snapshots
        .iter()
        .filter(|snapshot| snapshot.manifest.original.is_some())
        .map(Snapshot::facts)
        .collect();
    let mut newest: Vec<Trashed> = Vec::new();
    let mut earlier = 0;
    // Last forgotten first.
    for trashed in trash {
        let there = restated.iter().any(|facts| same(facts, &trashed.facts));
        if !there && !newest.iter().any(|known| same(&known.facts, &trashed.facts)) {
            newest.push(trashed);
        } else {
            earlier += 1;
        }
    }
    Ok((newest, earlier))
}

fn list(context: &Context, trash: &[Trashed], earlier: u64) -> Result<(), Failure> {
    let mut out = Lines::new();
    let forgotten = |trashed: &Trashed| Timestamp::from_second(trashed.forgotten).ok();
    for trashed in trash.iter().filter(|_| context.json()) {
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
    if context.json() {
        out.object(&json!({ "message_type": "summary", "snapshots": trash.len() }));
    } else if trash.is_empty() && earlier == 0 {
        out.line("The trash is empty");
    } else if trash.is_empty() {
        let forms = text::count(earlier, "earlier form");
        out.line(&format!(
            "The trash is empty, but for {forms} of snapshots that are still there"
        ));
    } else {
        let row = |trashed: &Trashed| {
            vec![
                text::short(&trashed.facts.id.to_hex()),
                text::time(trashed.facts.time),
                engine::units::escape(trashed.facts.host.as_bytes()),
                text::names(&trashed.facts.tags),
                forgotten(trashed).map(text::time).unwrap_or_default(),
                text::paths(&trashed.facts.paths),
            ]
        };
        let rows: Vec<Vec<String>> = trash.iter().map(row).collect();
        let head = ["ID", "Time", "Host", "Tags", "Removed", "Paths"];
        out.line(text::table(&head, &[], &rows).trim_end());
    }
    out.finish()
}

fn tell(context: &Context, done: &[(Facts, engine::SessionId)], dry_run: bool) -> Result<(), Failure> {
    if context.json() {
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
    for (facts, new) in done.iter().filter(|_| context.talks()) {
        let old = text::short(&facts.id.to_hex());
        output::line(&match dry_run {
            true => format!("Would bring back {}", text::snapshot_line(facts)),
            false => format!("Brought back {old} as {}", text::short(&new.to_hex())),
        })?;
    }
    Ok(())
}
