//! What people read about history: values in, text out, so that another language can be put beside it.

use super::HistoryRow;

/// `incomplete (network)`.
pub fn status(word: &str, reason: Option<&str>) -> String {
    match reason {
        Some(reason) => format!("{word} ({reason})"),
        None => word.to_string(),
    }
}

/// A set's name, or the sources or the target of a job without one.
pub fn what(row: &HistoryRow) -> String {
    let sources = || match (row.sources.first(), row.sources.len() as u64 + row.more_sources) {
        (Some(first), 1) => first.clone(),
        (Some(first), all) => format!("{first} and {} more", all - 1),
        (None, _) => String::new(),
    };
    let named = row.set.clone().or_else(|| row.target.clone());
    named.unwrap_or_else(sources)
}

pub fn not_one_row(id: &str, found: usize) -> String {
    match found {
        0 => format!("no row of the history matches '{id}'; 'dedup history' lists them"),
        _ => format!("'{id}' matches several rows of the history; write more of the id"),
    }
}

pub fn in_dir(dir: &std::path::Path, error: &dyn std::fmt::Display) -> String {
    format!("can't write in {}: {error}", dir.display())
}

pub fn not_kept(error: &dyn std::fmt::Display) -> String {
    format!(
        "this run is not in the history: {error}; is the state directory (DEDUP_STATE_DIR) full or read-only?"
    )
}

pub fn stopped() -> &'static str {
    "stopped by 'dedup stop'; what is already stored is safe, and the next run continues from there"
}

pub fn no_snapshot(id: &str) -> String {
    format!("the job {id} made no snapshot, so there is no list of its files")
}

pub fn snapshot_gone(snapshot: &str) -> String {
    format!("snapshot {snapshot} has been removed, so the list of its files is gone too")
}

pub fn cannot_rerun(id: &str, kind: &str) -> String {
    format!(
        "the {kind} {id} was not the run of a set, so what it was asked to do is not known: run its command again"
    )
}
