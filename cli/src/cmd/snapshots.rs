//! `snapshots`: what generations there are.

use crate::args::SnapshotsArgs;
use crate::output;
use crate::render::text;
use crate::terminal::Terminal;
use serde_json::json;
use service::catalogue::report::{and_more, snapshots as report};
use service::catalogue::{Lang, Noun, count};
use service::facts::{Group, GroupKey, SnapshotInfo, group_by};
use service::json;
use service::listing;
use service::manifest::Snapshot;
use service::units::{escape, format_bytes};
use service::{Failure, Status};

pub fn run(terminal: &Terminal, args: &SnapshotsArgs) -> Result<Status, Failure> {
    let filter = args.filter.filter()?;
    let repo = terminal.open()?;
    let all = listing::read_outlines(&terminal.context, &repo, terminal)?;
    let chosen = all.chosen(&args.snapshots, &filter)?;
    let latest = args.latest.map_or(usize::MAX, |n| n as usize);
    let keys = args.group_by.as_ref().map_or(&GroupKey::DEFAULT[..], |by| &by.0);
    let chosen = newest_of_each(&chosen, keys, latest);
    let groups = group_by(&chosen, args.group_by.as_ref().map_or(&[], |by| &by.0));
    let shown: Vec<(Option<&Group>, Vec<&Snapshot>)> = groups
        .iter()
        .map(|group| {
            // Oldest first: what is looked for is at the end of a long list.
            let members = group.members.iter().rev();
            let members = members.filter_map(|facts| all.snapshot(facts.id)).collect();
            (args.group_by.as_ref().map(|_| group), members)
        })
        .collect();
    match terminal.json() {
        true => print_json(&shown)?,
        false => print_text(terminal, &shown)?,
    }
    Ok(all.status())
}

/// The newest `n` of each group.
fn newest_of_each<'a>(chosen: &[&'a SnapshotInfo], keys: &[GroupKey], n: usize) -> Vec<&'a SnapshotInfo> {
    let groups = group_by(chosen, keys);
    groups
        .into_iter()
        .flat_map(|group| group.members.into_iter().take(n))
        .collect()
}

/// One array; of groups, where snapshots are grouped.
fn print_json(shown: &[(Option<&Group>, Vec<&Snapshot>)]) -> Result<(), Failure> {
    let mut all = Vec::new();
    for (group, snapshots) in shown {
        let snapshots = snapshots
            .iter()
            .map(|s| json::snapshot(s.id, &s.manifest, s.tree));
        match group {
            None => all.extend(snapshots),
            Some(group) => all.push(json!({
                "group_key": json::group_key(group),
                "snapshots": snapshots.collect::<Vec<_>>(),
            })),
        }
    }
    output::object(&all)
}

fn print_text(terminal: &Terminal, shown: &[(Option<&Group>, Vec<&Snapshot>)]) -> Result<(), Failure> {
    let (lang, mut out) = (terminal.lang, String::new());
    for (group, snapshots) in shown {
        if let Some(group) = group {
            out += &(report::group(lang, group) + "\n");
        }
        out += &table(lang, snapshots);
        if terminal.talks() {
            out += &(count(lang, snapshots.len() as u64, Noun::Snapshot) + "\n");
        }
    }
    if shown.is_empty() && terminal.talks() {
        out += &(report::no_snapshots(lang) + "\n");
    }
    output::write(out.as_bytes()).map(|_| ())
}

/// Paths of a snapshot that are shown; JSON has all of them.
const PATHS_SHOWN: usize = 10;

/// A snapshot's further paths are on lines of their own.
fn table(lang: Lang, snapshots: &[&Snapshot]) -> String {
    let with_status = snapshots
        .iter()
        .any(|s| json::status_word(&s.manifest) != "completed");
    let with_description = snapshots.iter().any(|s| !s.manifest.description.is_empty());
    let mut head = report::columns(lang).to_vec();
    head.extend(with_status.then_some(report::status_column(lang)));
    head.extend(with_description.then_some(report::description_column(lang)));
    let mut rows = Vec::new();
    for snapshot in snapshots {
        let m = &snapshot.manifest;
        let mut paths = m.paths.iter().map(|path| escape(path));
        let mut row = vec![
            snapshot.short_id(),
            text::time(m.time()),
            escape(m.host.as_bytes()),
            text::names(&m.tags),
            paths.next().unwrap_or_default(),
            format_bytes(m.summary.total_bytes_processed),
        ];
        if with_status {
            row.push(match json::status_word(m) {
                "completed" => String::new(),
                _ => report::backup_status(lang, m.partial).to_string(),
            });
        }
        if with_description {
            row.push(escape(m.description.as_bytes()));
        }
        rows.push(row);
        let below = |path| vec![String::new(), String::new(), String::new(), String::new(), path];
        rows.extend(paths.take(PATHS_SHOWN - 1).map(below));
        let more = m.paths.len().saturating_sub(PATHS_SHOWN);
        if more > 0 {
            rows.push(below(and_more(lang, more as u64).trim().to_string()));
        }
    }
    text::table(&head, &[5], &rows)
}
