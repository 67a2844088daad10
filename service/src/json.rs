//! JSON for programs, with restic's field names where it has them. Names that are no UTF-8 are written with U+FFFD for
//! what can't be; times are RFC 3339.

mod entries;

pub use entries::{entry, entry_text, node, node_line};

use crate::catalogue::report::backup::change as change_word;
use crate::catalogue::{Lang, SetupWarning, faults, share_done};
use crate::text;
use engine::SessionId;
use engine::entry::Kind;
use engine::facts::Group;
use engine::manifest::{Manifest, Summary};
use engine::monitor::{EntryChange, ExcludeRule, Problem, Progress};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::fmt::Write;
use std::time::Duration;

const TYPE: &str = "message_type";

/// `fields` as an object of this type.
pub fn object(message_type: &str, fields: Value) -> Value {
    let mut object = fields;
    object[TYPE] = json!(message_type);
    object
}

/// One line, in which an object's type comes before all else: readers compare the beginning of the line.
pub fn line(value: &Value) -> String {
    let (Some(fields), Some(kind)) = (value.as_object(), value.get(TYPE)) else {
        return value.to_string();
    };
    let rest = fields.iter().filter(|(name, _)| *name != TYPE);
    let mut line = format!("{{\"{TYPE}\":{kind}");
    for (name, value) in rest {
        // Writing to a String can't fail.
        let _ = write!(line, ",{}:{value}", json!(name));
    }
    line.push('}');
    line
}

/// Bytes as text.
pub fn name(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub fn names(list: &[Vec<u8>]) -> Vec<String> {
    list.iter().map(|bytes| name(bytes)).collect()
}

/// A progress line of `backup` and others.
pub fn status(p: &Progress, elapsed: Duration, left: Option<Duration>, current: &[u8]) -> Value {
    let current: Vec<String> = match current.is_empty() {
        true => Vec::new(),
        false => vec![name(&text::absolute(current))],
    };
    let mut status = json!({
        TYPE: "status",
        "percent_done": share_done(p),
        "total_files": p.files_total,
        "files_done": p.files_done,
        "total_bytes": p.bytes_total,
        "bytes_done": p.bytes_done,
        "seconds_elapsed": elapsed.as_secs(),
        "error_count": p.errors,
        "current_files": current,
    });
    if let Some(left) = left {
        status["seconds_remaining"] = json!(left.as_secs());
    }
    status
}

/// The same with the names that it has in a restore.
pub fn restoring(mut status: Value) -> Value {
    for (name, other) in [("files_done", "files_restored"), ("bytes_done", "bytes_restored")] {
        if let Some(value) = status.as_object_mut().and_then(|status| status.remove(name)) {
            status[other] = value;
        }
    }
    status
}

/// What became of an entry, with restic's words for it.
pub fn change(path: &[u8], kind: &Kind, change: EntryChange, size: u64) -> Value {
    let mut object = json!({
        TYPE: "verbose_status",
        "action": change_word(Lang::En, change),
        "item": name(&text::entry_path(path, kind)),
    });
    let field = match change {
        EntryChange::New | EntryChange::Modified | EntryChange::Unchanged | EntryChange::Removed => {
            "data_size"
        }
        EntryChange::Restored | EntryChange::Skipped | EntryChange::Deleted => "size",
    };
    object[field] = json!(size);
    object
}

/// An entry that a rule of the filter left out.
pub fn excluded(path: &[u8], rule: &ExcludeRule, line: Option<&str>) -> Value {
    let mut object = json!({
        TYPE: "verbose_status",
        "action": "excluded",
        "item": name(path),
        "rule": rule.option,
        "value": rule.value,
    });
    if let Some(line) = line {
        object["line"] = json!(line);
    }
    object
}

/// For standard error.
pub fn problem(problem: &Problem, during: &str) -> Value {
    problem_saying(problem, during, &faults::problem(Lang::En, problem))
}

/// The same of an object that a listing leaves out.
pub fn listed_problem(problem: &Problem) -> Value {
    problem_saying(problem, "list", &faults::listed_problem(Lang::En, problem))
}

fn problem_saying(problem: &Problem, during: &str, message: &str) -> Value {
    problem_object(&name(&problem.path), problem.what.is_warning(), message, during)
}

pub fn problem_object(item: &str, is_warning: bool, message: &str, during: &str) -> Value {
    json!({
        "message_type": if is_warning { "warning" } else { "error" },
        "error": { "message": message },
        "during": during,
        "item": item,
    })
}

/// The same of what harms nothing.
pub fn warning(warning: &SetupWarning, during: &str) -> Value {
    json!({
        TYPE: "warning",
        "error": { "message": warning.text(Lang::En) },
        "during": during,
        "item": "",
    })
}

/// A snapshot as `snapshots`, `forget` and `ls` show it. What is empty is left out.
pub fn snapshot(id: SessionId, m: &Manifest, tree: [u8; 32]) -> Value {
    let hex = id.to_hex();
    let mut object = json!({
        "time": m.time().to_string(),
        "tree": digits(&tree),
        "paths": names(&m.paths),
        "hostname": m.host,
        "username": m.user,
        "program_version": m.program,
        "summary": times(summary(&m.summary), m.walk_secs(), m.seconds_taken),
        "id": hex,
        "short_id": text::short(&hex),
        "status": status_word(m),
        "protected": m.protected,
    });
    let ids = [("parent", m.parent), ("original", m.original)];
    for (name, id) in ids.into_iter().filter_map(|(name, id)| Some((name, id?))) {
        object[name] = json!(id.to_hex());
    }
    if !m.tags.is_empty() {
        object["tags"] = json!(m.tags);
    }
    if let Some(set) = &m.set {
        object["set"] = json!(set);
    }
    if !m.description.is_empty() {
        object["description"] = json!(m.description);
    }
    object
}

fn digits(bytes: &[u8]) -> String {
    let pairs = bytes.iter().map(|byte| format!("{byte:02x}"));
    pairs.collect()
}

/// What the members of a group have in common; what they were not grouped by is empty.
pub fn group_key(group: &Group) -> Value {
    let mut object = json!({
        "hostname": group.host.as_deref().unwrap_or_default(),
        "paths": group.paths.as_deref().map(names),
        "tags": group.tags,
    });
    if let Some(set) = &group.set {
        object["set"] = json!(set);
    }
    object
}

/// How the backup that made it ended.
pub fn status_word(manifest: &Manifest) -> &'static str {
    match (manifest.partial, manifest.summary.errors) {
        (true, _) => "partial",
        (false, 0) => "completed",
        (false, _) => "incomplete",
    }
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
    use engine::monitor::ProblemKind;

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
        let status = status(&Progress::default(), Duration::from_secs(3), None, b"a\xff");
        assert_eq!(status["percent_done"], 0.0);
        assert_eq!(status["seconds_elapsed"], 3);
        assert_eq!(status["current_files"][0], "/a\u{fffd}");
        let line = line(&restoring(status));
        assert!(
            line.starts_with("{\"message_type\":\"status\",\"bytes_restored\":0,"),
            "{line}"
        );
        assert!(serde_json::from_str::<Value>(&line).is_ok_and(|read| read["files_restored"] == 0));
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
