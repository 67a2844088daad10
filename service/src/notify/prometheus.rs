//! Metrics of every set and remote, in the text format of Prometheus, for the textfile collector of its node exporter. Written anew
//! whenever a run ends, and replaced whole, as the collector may read at any moment.

use crate::context::Context;
use crate::failure::Failure;
use crate::history::HistoryRow;
use crate::run_state::{self, SetState};
use crate::status::Status;
use crate::usage;
use engine::platform::files;
use engine::run::LocalDirs;
use jiff::Timestamp;
use std::path::Path;

/// `None` if the settings name no file.
pub(super) fn write(context: &Context, dirs: &LocalDirs) -> Option<Result<(), String>> {
    let table = context.settings.notify.prometheus.as_ref()?;
    let path = table.textfile.expand(&context.env);
    let done = path.map_err(|failure| failure.message()).and_then(|path| {
        let text = text(context, dirs).map_err(|failure| failure.message())?;
        put(&path, &text).map_err(|e| format!("{}: {e}", path.display()))
    });
    Some(done)
}

/// The collector is another user.
fn put(path: &Path, text: &str) -> std::io::Result<()> {
    if path.symlink_metadata().is_err() {
        // Made with the usual rights; from then on it keeps those that it has.
        std::fs::write(path, "")?;
    }
    files::rewrite(path, text.as_bytes())
}

pub(super) fn text(context: &Context, dirs: &LocalDirs) -> Result<String, Failure> {
    let mut sets = Vec::new();
    for set in context.settings.set_names() {
        if let Some(known) = run_state::load(dirs, set)? {
            sets.push((set.to_string(), known));
        }
    }
    let remotes = context.settings.remotes.iter();
    let remotes: Vec<_> = remotes
        .map(|remote| {
            (
                remote.name.as_str(),
                usage::noted(dirs, remote).used(),
                remote.quota,
            )
        })
        .collect();
    Ok(metrics(&sets) + &sizes(&remotes))
}

/// Name of a remote, what it takes up, and what it may take up.
type RemoteSize<'a> = (&'a str, Option<u64>, Option<u64>);

/// What remotes take up, and may take up. Names of remotes need no escape.
fn sizes(remotes: &[RemoteSize<'_>]) -> String {
    let mut text = String::new();
    let mut add = |name: &str, meaning: &str, value: fn(&RemoteSize<'_>) -> Option<u64>| {
        text += &format!("# HELP {name} {meaning}\n# TYPE {name} gauge\n");
        for one in remotes {
            if let Some(bytes) = value(one) {
                text += &format!("{name}{{remote=\"{}\"}} {bytes}\n", one.0);
            }
        }
    };
    add(
        "dedup_remote_used_bytes",
        "What the remote took up when it was last measured.",
        |one| one.1,
    );
    add("dedup_remote_quota_bytes", "The quota of the remote.", |one| {
        one.2
    });
    text
}

/// A metric of the last run; none where there is nothing to count.
type Metric = (&'static str, &'static str, fn(&SetState) -> Option<f64>);

const METRICS: [Metric; 7] = [
    (
        "dedup_last_start_timestamp_seconds",
        "When the last run of the set began.",
        |known| Some(seconds(last(known)?.start)),
    ),
    (
        "dedup_last_success_timestamp_seconds",
        "When the last run that made a snapshot began.",
        |known| known.last_success.map(seconds),
    ),
    (
        "dedup_last_duration_seconds",
        "How long the last run took.",
        |known| {
            let row = last(known)?;
            Some(row.end?.duration_since(row.start).as_secs_f64())
        },
    ),
    (
        "dedup_last_completed",
        "Whether the last run completed (1) or not (0).",
        |known| Some(f64::from(u8::from(is_completed(last(known)?)))),
    ),
    ("dedup_last_files", "Files in the last run's snapshot.", |known| {
        Some(last(known)?.files as f64)
    }),
    ("dedup_last_bytes", "Bytes in the last run's snapshot.", |known| {
        Some(last(known)?.bytes as f64)
    }),
    ("dedup_last_problems", "Problems of the last run.", |known| {
        Some(last(known)?.problems as f64)
    }),
];

fn last(known: &SetState) -> Option<&HistoryRow> {
    known.last.as_ref()
}

fn is_completed(row: &HistoryRow) -> bool {
    row.status == Status::Completed.word()
}

fn seconds(at: Timestamp) -> f64 {
    at.as_second() as f64
}

/// Names of sets need no escape.
fn metrics(sets: &[(String, SetState)]) -> String {
    let mut text = String::new();
    for (name, meaning, value) in METRICS {
        text += &format!("# HELP {name} {meaning}\n# TYPE {name} gauge\n");
        for (set, known) in sets {
            if let Some(value) = value(known) {
                text += &format!("{name}{{set=\"{set}\"}} {value}\n");
            }
        }
    }
    let name = "dedup_last_status";
    text += &format!("# HELP {name} Status and reason of the last run; always 1.\n# TYPE {name} gauge\n");
    for (set, known) in sets {
        if let Some(row) = last(known) {
            let (status, reason) = (&row.status, row.reason.as_deref().unwrap_or_default());
            text += &format!("{name}{{set=\"{set}\",status=\"{status}\",reason=\"{reason}\"}} 1\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_of_a_set() {
        let start: Timestamp = "2026-11-27T00:00:00Z".parse().unwrap();
        let mut known = SetState::new("manual", start);
        let mut row = HistoryRow {
            start,
            files: 3,
            bytes: 40,
            ..HistoryRow::default()
        };
        row.ended(Status::Network, "2026-11-27T00:01:30Z".parse().unwrap());
        known.last = Some(row);
        let text = metrics(&[
            ("docs".to_string(), known),
            ("new".to_string(), SetState::new("manual", start)),
        ]);
        for line in [
            "dedup_last_start_timestamp_seconds{set=\"docs\"} 1795737600",
            "dedup_last_duration_seconds{set=\"docs\"} 90",
            "dedup_last_completed{set=\"docs\"} 0",
            "dedup_last_files{set=\"docs\"} 3",
            "dedup_last_bytes{set=\"docs\"} 40",
            "dedup_last_status{set=\"docs\",status=\"incomplete\",reason=\"network\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(!text.contains("last_success_timestamp_seconds{") && !text.contains("\"new\""));
    }
}
