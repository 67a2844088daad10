//! What is said of the replicas that followed a backup.

use crate::output;
use crate::render::{json, text};
use crate::terminal::Terminal;
use serde_json::{Value, json};
use service::backup::FollowerReport;
use service::monitor::Problem;
use service::units::{escape, format_bytes};

/// Says what went wrong, on standard error.
pub fn tell_problems(terminal: &Terminal, replicas: &[FollowerReport]) {
    for one in replicas {
        for problem in &one.problems {
            tell_problem(terminal, one, problem);
        }
        if let Some(failure) = &one.failure {
            let message = format!("{}: {}", one.name, failure.message);
            output::say(&match terminal.json() {
                true => json!({
                    "message_type": "error",
                    "error": { "message": message },
                    "during": "replicate",
                    "item": one.name,
                })
                .to_string(),
                false => format!("dedup: {}", escape(message.as_bytes())),
            });
        }
    }
}

fn tell_problem(terminal: &Terminal, one: &FollowerReport, problem: &Problem) {
    output::say(&match terminal.json() {
        true => json::line(&json::problem(problem, "replicate")),
        false => format!(
            "dedup: {}: {}",
            escape(one.name.as_bytes()),
            text::problem(problem)
        ),
    });
}

/// One line for each.
pub fn lines(replicas: &[FollowerReport]) -> String {
    let mut out = String::new();
    for one in replicas {
        let sent = match one.done.bytes {
            0 => String::new(),
            bytes => format!(", {} sent", format_bytes(bytes)),
        };
        let catches_up = match one.behind {
            0 => "",
            _ => ": the next run with --also, or 'dedup replicate', goes on from there",
        };
        let name = escape(one.name.as_bytes());
        out += &format!("Replica {name}: {}{sent}{catches_up}\n", behind_by(one.behind));
    }
    out
}

pub fn objects(replicas: &[FollowerReport]) -> Value {
    replicas.iter().map(object).collect()
}

fn object(one: &FollowerReport) -> Value {
    let mut object = json!(one.done);
    object["name"] = json!(one.name);
    object["behind"] = json!(one.behind);
    object["error"] = json!(one.failure.as_ref().map(|failure| &failure.message));
    object
}

/// How far behind, in words.
pub fn behind_by(behind: u64) -> String {
    match behind {
        0 => "current".to_string(),
        behind => format!("behind by {}", text::count(behind, "snapshot")),
    }
}
