//! What is printed about the replicas that followed a backup.

use crate::output;
use crate::terminal::Terminal;
use serde_json::{Value, json};
use service::backup::FollowerReport;
use service::catalogue::report::backup::{self as report, MadeBy};
use service::catalogue::{Lang, problem as problem_line};
use service::json;
use service::monitor::Problem;
use service::units::escape;

/// Reports what went wrong, on standard error.
pub fn tell_problems(terminal: &Terminal, replicas: &[FollowerReport]) {
    for one in replicas {
        for problem in &one.problems {
            tell_problem(terminal, one, problem);
        }
        if let Some(failure) = &one.failure {
            let message = |lang| format!("{}: {}", one.name, failure.text(lang));
            output::say(&match terminal.json() {
                true => json!({
                    "message_type": "error",
                    "error": { "message": message(Lang::En) },
                    "during": "replicate",
                    "item": one.name,
                })
                .to_string(),
                false => format!("dedup: {}", escape(message(terminal.lang).as_bytes())),
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
            problem_line(terminal.lang, problem)
        ),
    });
}

/// One line for each.
pub fn lines(lang: Lang, replicas: &[FollowerReport], by: MadeBy) -> String {
    let line = |one: &FollowerReport| {
        let name = escape(one.name.as_bytes());
        report::replica(lang, &name, one.done.bytes, one.behind, by) + "\n"
    };
    replicas.iter().map(line).collect()
}

pub fn objects(replicas: &[FollowerReport]) -> Value {
    replicas.iter().map(object).collect()
}

fn object(one: &FollowerReport) -> Value {
    let mut object = json!(one.done);
    object["name"] = json!(one.name);
    object["behind"] = json!(one.behind);
    object["error"] = json!(one.failure.as_ref().map(|failure| failure.message()));
    object
}
