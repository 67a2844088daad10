//! What a policy decides on snapshots, as `forget` and `prune` show it: tables for people, a line each or restic's
//! array of groups for programs.

use super::text;
use crate::output::Lines;
use jiff::Timestamp;
use serde_json::{Value, json};
use service::Failure;
use service::catalogue::report::retention::{decision, simulated, timeline_heading};
use service::catalogue::report::snapshots::{columns, group as group_heading, reasons_column};
use service::catalogue::{Lang, reason};
use service::face::Decisions;
use service::json;
use service::listing::Listing;
use service::removal::{ForgetAction, PolicyDecision};
use service::units::escape;

/// Columns of a picture of snapshots.
const TIMELINE: usize = 60;

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

/// What becomes of each snapshot, and why: group by group; a dry run draws it, too. `day` is the one that is simulated.
pub fn tables(
    lang: Lang,
    decisions: &Decisions,
    now: Timestamp,
    day: Option<Timestamp>,
) -> Result<(), Failure> {
    let mut out = Lines::new();
    if let Some(day) = day {
        out.line(&simulated(lang, day, day > now));
        out.line("");
    }
    for (group, members) in decisions.groups() {
        out.line(&group_heading(lang, &group));
        for action in [ForgetAction::Keep, ForgetAction::Remove] {
            table(&mut out, lang, &members, action, decisions.dry_run);
        }
    }
    if decisions.dry_run {
        timeline(lang, decisions, day.unwrap_or(now))
            .iter()
            .for_each(|line| out.line(line));
    }
    out.finish()
}

/// A picture of what stays: a line for each group, and the scale of time.
fn timeline(lang: Lang, decisions: &Decisions, end: Timestamp) -> Vec<String> {
    let times = || decisions.all.iter().map(|d| d.facts.at);
    let (Some(first), Some(last)) = (times().min(), times().max()) else {
        return Vec::new();
    };
    let end = end.max(last);
    let day = |at: Timestamp| text::time(at).chars().take(10).collect::<String>();
    let space = TIMELINE - 2 * 10;
    let mut lines = vec![
        timeline_heading(lang),
        format!(" {}{}{}", day(first), " ".repeat(space), day(end)),
    ];
    for (group, members) in decisions.groups() {
        let kept = members.iter().filter(|d| d.action == ForgetAction::Keep).count();
        let drawn = drawn(&members, first, end);
        lines.push(format!(
            "|{drawn}| {kept}/{}  {}",
            members.len(),
            group_heading(lang, &group)
        ));
    }
    lines.push(String::new());
    lines
}

/// What becomes of the snapshots in each of the equal parts from `first` to `end`.
fn drawn(members: &[&PolicyDecision], first: Timestamp, end: Timestamp) -> String {
    let whole = end.duration_since(first).as_secs_f64().max(1.0);
    let mut marks = [' '; TIMELINE];
    for d in members {
        let part = d.facts.at.duration_since(first).as_secs_f64() / whole;
        let place = ((part * TIMELINE as f64) as usize).min(TIMELINE - 1);
        let mark = &mut marks[place];
        *mark = match (*mark, d.action) {
            (' ' | '#', ForgetAction::Keep) => '#',
            (' ' | '.', ForgetAction::Remove) => '.',
            _ => '+',
        };
    }
    marks.iter().collect()
}

/// The reasons as scripts read them.
fn words(decision: &PolicyDecision) -> Vec<String> {
    decision.reasons.iter().map(|why| reason(Lang::En, why)).collect()
}

fn reasons(lang: Lang, decision: &PolicyDecision) -> String {
    let reasons: Vec<String> = decision.reasons.iter().map(|why| reason(lang, why)).collect();
    reasons.join(lang.pick(", ", "、"))
}

fn table(out: &mut Lines, lang: Lang, members: &[&PolicyDecision], action: ForgetAction, dry_run: bool) {
    let rows: Vec<Vec<String>> = members
        .iter()
        .filter(|d| d.action == action)
        .map(|d| {
            vec![
                text::short(&d.facts.id.to_hex()),
                text::time(d.facts.time),
                escape(d.facts.host.as_bytes()),
                text::names(&d.facts.tags),
                reasons(lang, d),
                text::paths(&d.facts.paths),
            ]
        })
        .collect();
    if !rows.is_empty() {
        let keeps = action == ForgetAction::Keep;
        out.line(&decision(lang, keeps, dry_run, rows.len() as u64));
        let [id, time, host, tags, paths, _] = columns(lang);
        let head = [id, time, host, tags, reasons_column(lang), paths];
        out.line(&text::table(&head, &[], &rows));
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
