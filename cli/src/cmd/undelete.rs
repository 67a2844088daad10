//! `undelete`: forgotten snapshots back from the trash.

use crate::args::UndeleteArgs;
use crate::exit;
use crate::output::{self, Lines};
use crate::render::{json, text};
use crate::terminal::Terminal;
use engine::facts::Facts;
use engine::forget::{self, Trashed};
use engine::manifest::Snapshot;
use engine::monitor::{Monitor, Problem, ProblemKind};
use engine::repo::Repo;
use engine::select::{self, Filter};
use engine::{Error, StoreError};
use jiff::Timestamp;
use serde_json::json;
use service::face::{Activity, Step};
use service::resolve;
use service::{Failure, Status};

pub fn run(terminal: &Terminal, args: &UndeleteArgs) -> Result<Status, Failure> {
    let repo = terminal.open()?;
    let watcher = Step::start(terminal, Activity::Undelete)?;
    let (trash, earlier) = read(&repo, &watcher)?;
    if args.snapshots.is_empty() {
        let tally = watcher.finish();
        list(terminal, &trash, earlier)?;
        return Ok(tally.status());
    }
    let facts: Vec<Facts> = trash.iter().map(|trashed| trashed.facts.clone()).collect();
    let chosen = select::choose_all(&facts, &args.snapshots, &Filter::default()).map_err(|e| match e {
        Error::NoSnapshot(text) => Failure::new(
            Status::Failed,
            format!("no snapshot in the trash matches '{text}'; 'dedup undelete' lists those that do"),
        ),
        e => e.into(),
    })?;
    let host = terminal.context.host()?;
    let mut code = Status::Completed;
    let mut done = Vec::new();
    for facts in chosen {
        if args.dry_run {
            done.push((facts.clone(), facts.id));
            continue;
        }
        match forget::undelete(&repo, facts.id, &host, terminal.context.now_secs(), &watcher) {
            Ok(new) => done.push((facts.clone(), new)),
            Err(Error::Store(e @ StoreError::Refused(_))) => {
                code = Status::Incomplete;
                output::say(&exit::line(&Failure::from(e), terminal.json()));
            }
            Err(e) => return Err(e.into()),
        }
    }
    code = code.max(watcher.finish().status());
    tell(terminal, &done, args.dry_run)?;
    Ok(code)
}

/// Without what is there in another form: changing a snapshot's tags leaves its old form in the trash. Of several
/// forms in the trash, the one that was removed last. And how many there are without being listed.
fn read(repo: &Repo, monitor: &dyn Monitor) -> Result<(Vec<Trashed>, u64), Failure> {
    let (trash, damaged) = forget::list_trash(repo)?;
    for (id, error) in damaged {
        let why = error.to_string();
        monitor.problem(&Problem {
            path: format!("trash/{id}").into_bytes(),
            what: ProblemKind::Damage { why },
        });
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

fn tell(terminal: &Terminal, done: &[(Facts, engine::SessionId)], dry_run: bool) -> Result<(), Failure> {
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
        let old = text::short(&facts.id.to_hex());
        output::line(&match dry_run {
            true => format!("Would bring back {}", text::snapshot_line(facts)),
            false => format!("Brought back {old} as {}", text::short(&new.to_hex())),
        })?;
    }
    Ok(())
}
