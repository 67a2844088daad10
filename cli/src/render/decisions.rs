//! What a policy decides on snapshots, as `forget` and `prune` show it: tables for people, a line each or restic's
//! array of groups for programs.

use super::{json, text};
use crate::output::Lines;
use serde_json::{Value, json};
use service::Failure;
use service::catalogue::en;
use service::listing::Listing;
use service::removal::{Decisions, ForgetAction, PolicyDecision, in_common};
use service::retain::Reason;
use service::units::escape;

/// One line for each snapshot.
pub fn objects(decisions: &Decisions) -> Result<(), Failure> {
    let mut out = Lines::new();
    for d in &decisions.all {
        out.object(&json!({
            "message_type": "policy",
            "id": d.facts.id.to_hex(),
            "action": d.action,
            "reasons": words(d),
        }));
    }
    out.finish()
}

/// What becomes of each snapshot, and why: group by group.
pub fn tables(decisions: &Decisions) -> Result<(), Failure> {
    let mut out = Lines::new();
    for (group, members) in decisions.groups() {
        match in_common(&group) {
            all if all.is_empty() => out.line("All snapshots"),
            what => out.line(&format!("Snapshots of {what}")),
        }
        let remove = if decisions.dry_run {
            "Would remove"
        } else {
            "Remove"
        };
        for (action, word) in [(ForgetAction::Keep, "Keep"), (ForgetAction::Remove, remove)] {
            table(&mut out, &members, action, word);
        }
    }
    out.finish()
}

/// The reasons as scripts read them.
fn words(decision: &PolicyDecision) -> Vec<String> {
    decision.reasons.iter().map(Reason::to_string).collect()
}

fn reasons(decision: &PolicyDecision) -> String {
    let reasons: Vec<String> = decision.reasons.iter().map(en::reason).collect();
    reasons.join(", ")
}

fn table(out: &mut Lines, members: &[&PolicyDecision], action: ForgetAction, word: &str) {
    let rows: Vec<Vec<String>> = members
        .iter()
        .filter(|d| d.action == action)
        .map(|d| {
            vec![
                text::short(&d.facts.id.to_hex()),
                text::time(d.facts.time),
                escape(d.facts.host.as_bytes()),
                text::names(&d.facts.tags),
                reasons(d),
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

/// The array of groups that restic prints.
pub fn groups(all: &Listing, decisions: &Decisions) -> Value {
    let groups = decisions.groups();
    let groups = groups.iter().map(|(group, members)| {
        let snapshot = |d: &&PolicyDecision| {
            let snapshot = all.snapshot(d.facts.id);
            snapshot.map(|s| json::snapshot(s.id, &s.manifest, s.tree))
        };
        let of = |action: ForgetAction| members.iter().copied().filter(move |d| d.action == action);
        let reasons =
            of(ForgetAction::Keep).map(|d| json!({ "snapshot": snapshot(&d), "matches": words(d) }));
        let key = json::group_key(group);
        json!({
            "tags": key["tags"],
            "host": key["hostname"],
            "paths": key["paths"],
            "keep": of(ForgetAction::Keep).map(|d| snapshot(&d)).collect::<Vec<_>>(),
            "remove": of(ForgetAction::Remove).map(|d| snapshot(&d)).collect::<Vec<_>>(),
            "reasons": reasons.collect::<Vec<_>>(),
        })
    });
    groups.collect()
}
