//! JSON for programs, with restic's field names where it has them. Names that are no UTF-8 are written with U+FFFD for
//! what can't be; times are RFC 3339.

use super::text;
use engine::entry::{Entry, Kind, Time};
use engine::manifest::{Snapshot, Summary};
use engine::monitor::{Problem, ProblemKind, Progress};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// Bytes as text.
pub fn name(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub fn names(list: &[Vec<u8>]) -> Vec<String> {
    list.iter().map(|bytes| name(bytes)).collect()
}

/// A progress line of `backup` and `restore`.
pub fn status(p: &Progress, elapsed: Duration, current: &[u8]) -> Value {
    let current: Vec<String> = match current.is_empty() {
        true => Vec::new(),
        false => vec![name(&text::absolute(current))],
    };
    json!({
        "message_type": "status",
        "percent_done": text::share_done(p),
        "total_files": p.files_total,
        "files_done": p.files_done,
        "total_bytes": p.bytes_total,
        "bytes_done": p.bytes_done,
        "seconds_elapsed": elapsed.as_secs(),
        "error_count": p.errors,
        "current_files": current,
    })
}

/// For standard error.
pub fn problem(problem: &Problem, during: &str) -> Value {
    let kind = match problem.what {
        ProblemKind::Warning { .. } | ProblemKind::Bare { .. } => "warning",
        _ => "error",
    };
    json!({
        "message_type": kind,
        "error": { "message": text::why(&problem.what) },
        "during": during,
        "item": name(&problem.path),
    })
}

/// A line of `snapshots`.
pub fn snapshot(snapshot: &Snapshot) -> Value {
    let m = &snapshot.manifest;
    json!({
        "id": snapshot.id.to_hex(),
        "short_id": snapshot.short_id(),
        "time": m.time().to_string(),
        "hostname": m.host,
        "username": m.user,
        "paths": names(&m.paths),
        "tags": m.tags,
        "description": m.description,
        "set": Value::Null,
        "status": status_word(snapshot),
        "protected": m.protected,
        "parent": m.parent.map(|id| id.to_hex()),
        "original": m.original.map(|id| id.to_hex()),
        "program_version": m.program,
        "summary": times(summary(&m.summary), m.walk_secs(), m.seconds_taken),
    })
}

/// How the backup that made it ended.
pub fn status_word(snapshot: &Snapshot) -> &'static str {
    match (snapshot.manifest.partial, snapshot.manifest.summary.errors) {
        (true, _) => "partial",
        (false, 0) => "completed",
        (false, _) => "incomplete",
    }
}

/// restic's word for what an entry is.
pub fn kind_word(kind: &Kind) -> &'static str {
    match kind {
        Kind::File => "file",
        Kind::Dir => "dir",
        Kind::Symlink { .. } => "symlink",
        Kind::CharDevice { .. } => "chardev",
        Kind::BlockDevice { .. } => "dev",
        Kind::Fifo => "fifo",
        Kind::Socket => "socket",
    }
}

/// A line of `ls`.
pub fn node(path: &[u8], entry: &Entry) -> Value {
    let meta = &entry.meta;
    let mut object = json!({
        "message_type": "node",
        "path": name(&text::absolute(path)),
        "name": name(&entry.name),
        "type": kind_word(&entry.kind),
        "size": meta.size,
        "mtime": time(meta.mtime),
        "mode": meta.mode,
        "permissions": text::mode(text::kind_letter(&entry.kind), meta.mode),
        "uid": meta.uid,
        "gid": meta.gid,
        "user": &*meta.user,
        "group": &*meta.group,
    });
    if let Kind::Symlink { target } = &entry.kind {
        object["linktarget"] = json!(name(target));
    }
    if let Some(trouble) = entry.trouble {
        object["problem"] = json!(text::why(&ProblemKind::Source(trouble)));
    }
    object
}

/// RFC 3339; nothing for a time that no calendar has.
pub fn time(time: Time) -> Option<String> {
    let at = Timestamp::new(time.secs, time.nanos.min(999_999_999).cast_signed()).ok()?;
    Some(at.to_string())
}

/// The counters of a backup, as an object that more can be added to.
pub fn summary(summary: &Summary) -> Map<String, Value> {
    match serde_json::to_value(summary) {
        Ok(Value::Object(fields)) => fields,
        // A struct of numbers is an object.
        _ => Map::new(),
    }
}

fn times(mut summary: Map<String, Value>, start: i64, seconds: u64) -> Value {
    let at = |secs: i64| Timestamp::from_second(secs).map(|at| at.to_string()).ok();
    summary.insert("backup_start".into(), json!(at(start)));
    summary.insert(
        "backup_end".into(),
        json!(at(start.saturating_add_unsigned(seconds))),
    );
    Value::Object(summary)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restics_names() {
        let fields = summary(&Summary::default());
        for name in [
            "files_new",
            "files_changed",
            "files_unmodified",
            "dirs_new",
            "dirs_changed",
            "dirs_unmodified",
            "data_blobs",
            "tree_blobs",
            "data_added",
            "data_added_packed",
            "total_files_processed",
            "total_bytes_processed",
        ] {
            assert!(fields.contains_key(name), "{name}");
        }
        let status = status(&Progress::default(), Duration::from_secs(3), b"a\xff");
        assert_eq!(status["percent_done"], 0.0);
        assert_eq!(status["seconds_elapsed"], 3);
        assert_eq!(status["current_files"][0], "/a\u{fffd}");
    }

    #[test]
    fn problems() {
        let value = problem(
            &Problem {
                path: b"/a".to_vec(),
                what: ProblemKind::SourceMissing { errno: 2 },
            },
            "backup",
        );
        assert_eq!(value["message_type"], "error");
        assert_eq!(value["item"], "/a");
        assert!(
            value["error"]["message"]
                .as_str()
                .is_some_and(|m| m.contains("no such file"))
        );
    }
}
