//! What `forget` and `prune` share: a policy's decisions on snapshots, said and carried out.

use crate::args::retention::KeepArgs;
use crate::exit;
use crate::output::{self, Lines};
use crate::render::{json, text};
use crate::terminal::Terminal;
use engine::SessionId;
use engine::facts::{Facts, Group, group_by};
use engine::forget::{self, Action, PolicyDecision};
use engine::repo::Repo;
use engine::retain::Policy;
use engine::select::Filter;
use engine::units::escape;
use engine::{Error, StoreError};
use serde_json::{Value, json};
use service::face::confirm_if_possible;
use service::listing::{self, Listing};
use service::{Failure, Status};
use std::collections::HashSet;

/// What a policy decides on the snapshots that pass the filter.
pub fn by_policy(
    terminal: &Terminal,
    all: &Listing,
    policy: &Policy,
    keep: &KeepArgs,
    filter: &Filter,
) -> Vec<PolicyDecision> {
    let zone = terminal.context.now.time_zone();
    let now = terminal.context.now.timestamp();
    forget::plan(&all.snapshots, policy, &keep.group_by.0, filter, zone, now)
}

/// Tells of a tag to keep that no snapshot has, and refuses a policy that leaves nothing of a group, which is a mistake
/// more often than not.
pub fn check(terminal: &Terminal, decisions: &[PolicyDecision], keep: &KeepArgs) -> Result<(), Failure> {
    for tags in &keep.keep_tag {
        if !decisions.iter().any(|d| d.facts.has_tags(&tags.0)) {
            let why = format!("--keep-tag {}: no snapshot has these tags", tags.0.join(","));
            listing::warn(terminal, why);
        }
    }
    if keep.allow_empty {
        return Ok(());
    }
    let facts: Vec<&Facts> = decisions.iter().map(|d| &d.facts).collect();
    let kept: HashSet<SessionId> = decisions
        .iter()
        .filter(|d| d.action == Action::Keep)
        .map(|d| d.facts.id)
        .collect();
    let groups = group_by(&facts, &keep.group_by.0);
    match groups
        .iter()
        .find(|group| !group.members.iter().any(|facts| kept.contains(&facts.id)))
    {
        None => Ok(()),
        Some(group) => Err(Failure::usage(format!(
            "the policy keeps nothing of {}, {}; nothing was removed. Give another --keep-* rule, or --allow-empty if \
             all of them are to go",
            text::group(group),
            text::count(group.members.len() as u64, "snapshot"),
        ))),
    }
}

/// Those that go.
pub fn removals(decisions: &[PolicyDecision]) -> impl Iterator<Item = &PolicyDecision> {
    decisions.iter().filter(|d| d.action == Action::Remove)
}

/// Says of each snapshot what becomes of it, and why: group by group.
pub fn print(
    terminal: &Terminal,
    decisions: &[PolicyDecision],
    keep: &KeepArgs,
    dry_run: bool,
) -> Result<(), Failure> {
    let mut out = Lines::new();
    if terminal.json() {
        for d in decisions {
            out.object(&json!({
                "message_type": "policy",
                "id": d.facts.id.to_hex(),
                "action": d.action,
                "reasons": d.reasons,
            }));
        }
    } else if terminal.talks() {
        let facts: Vec<&Facts> = decisions.iter().map(|d| &d.facts).collect();
        for group in group_by(&facts, &keep.group_by.0) {
            let members = members(&group, decisions);
            match text::group(&group) {
                all if all.is_empty() => out.line("All snapshots"),
                what => out.line(&format!("Snapshots of {what}")),
            }
            for (action, word) in [(Action::Keep, "Keep"), (Action::Remove, "Remove")] {
                let word = if dry_run && action == Action::Remove {
                    "Would remove"
                } else {
                    word
                };
                table(&mut out, &members, action, word);
            }
        }
    }
    out.finish()
}

/// The decisions on a group, newest first.
fn members<'a>(group: &Group, decisions: &'a [PolicyDecision]) -> Vec<&'a PolicyDecision> {
    let members = group
        .members
        .iter()
        .filter_map(|facts| decisions.iter().find(|d| d.facts.id == facts.id));
    members.collect()
}

/// The array of groups that restic prints.
pub fn groups(all: &Listing, decisions: &[PolicyDecision], keep: &KeepArgs) -> Value {
    let facts: Vec<&Facts> = decisions.iter().map(|d| &d.facts).collect();
    let groups = group_by(&facts, &keep.group_by.0);
    let groups = groups.iter().map(|group| {
        let members = members(group, decisions);
        let snapshot = |d: &&PolicyDecision| {
            let snapshot = all.snapshot(d.facts.id);
            snapshot.map(|s| json::snapshot(s.id, &s.manifest, s.tree))
        };
        let of = |action: Action| members.iter().copied().filter(move |d| d.action == action);
        let reasons = of(Action::Keep).map(|d| json!({ "snapshot": snapshot(&d), "matches": d.reasons }));
        let key = json::group_key(group);
        json!({
            "tags": key["tags"],
            "host": key["hostname"],
            "paths": key["paths"],
            "keep": of(Action::Keep).map(|d| snapshot(&d)).collect::<Vec<_>>(),
            "remove": of(Action::Remove).map(|d| snapshot(&d)).collect::<Vec<_>>(),
            "reasons": reasons.collect::<Vec<_>>(),
        })
    });
    groups.collect()
}

fn table(out: &mut Lines, members: &[&PolicyDecision], action: Action, word: &str) {
    let rows: Vec<Vec<String>> = members
        .iter()
        .filter(|d| d.action == action)
        .map(|d| {
            vec![
                text::short(&d.facts.id.to_hex()),
                text::time(d.facts.time),
                escape(d.facts.host.as_bytes()),
                text::names(&d.facts.tags),
                d.reasons.join(", "),
                text::paths(&d.facts.paths),
            ]
        })
        .collect();
    if !rows.is_empty() {
        out.line(&format!("{word} {}:", text::count(rows.len() as u64, "snapshot")));
        let table = text::table(&["ID", "Time", "Host", "Tags", "Reasons", "Paths"], &[], &rows);
        out.line(&table);
    }
}

/// What [`remove`] did.
#[derive(Default)]
pub struct Removed {
    pub count: u64,
    pub failed: u64,
    pub status: Status,
}

/// Asks, and moves what was decided to the trash. What can't be removed is said; the rest is removed.
pub fn remove(
    terminal: &Terminal,
    repo: &Repo,
    decisions: &[PolicyDecision],
    dry_run: bool,
    yes: bool,
) -> Result<Removed, Failure> {
    let mut removed = Removed::default();
    let wanted = removals(decisions).count() as u64;
    if wanted == 0 {
        return Ok(removed);
    }
    if dry_run {
        removed.count = wanted;
        return Ok(removed);
    }
    confirm_if_possible(
        terminal,
        yes,
        &format!("Remove {}", text::count(wanted, "snapshot")),
    )?;
    for decision in removals(decisions) {
        match forget::apply(repo, &[decision.facts.id], terminal.context.now_secs()) {
            Ok(()) => removed.count += 1,
            Err(Error::Store(e @ (StoreError::Refused(_) | StoreError::Corrupt { .. }))) => {
                removed.failed += 1;
                removed.status = Status::Incomplete;
                let failure = Failure::from(e);
                output::say(&exit::line(&failure, terminal.json()));
            }
            // Somebody else removed it meanwhile.
            Err(Error::Store(StoreError::Missing { .. }) | Error::NoSnapshot(_)) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(removed)
}
