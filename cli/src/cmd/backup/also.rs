//! `backup --also`: the replicas that follow this backup, and what is said of them at the end.

use crate::args::backup::AlsoArgs;
use crate::cmd::remote::behind_by;
use crate::output;
use crate::render::{json, text};
use crate::terminal::Terminal;
use engine::monitor::Problem;
use engine::replicate::{Follow, Followed, Follower, Followers, Options};
use engine::repo::Repo;
use engine::units::{escape, format_bytes};
use jiff::SignedDuration;
use serde_json::{Value, json};
use service::resolve;
use service::resolve::Location;
use service::{Failure, Status};
use std::sync::Arc;
use std::time::Duration;

/// The remotes that were named, each once.
pub fn followers(terminal: &Terminal, args: &AlsoArgs, first: &Location) -> Result<Vec<Follower>, Failure> {
    let mut followers: Vec<Follower> = Vec::new();
    let first = resolve::absolute(&first.url)?;
    for name in &args.also {
        let url = terminal.context.remote(name)?.url;
        if url == first {
            let why = format!("--also {name}: that is the repository itself");
            return Err(Failure::usage(why));
        }
        if !followers.iter().any(|known| known.url == url) {
            let name = name.clone();
            followers.push(Follower { name, url });
        }
    }
    Ok(followers)
}

pub fn start(
    terminal: &Terminal,
    args: &AlsoArgs,
    first: &Arc<Repo>,
    followers: Vec<Follower>,
) -> Result<Followers, Failure> {
    let wait = SignedDuration::try_from(args.also_wait);
    let wait = wait.map_err(|e| Failure::usage(format!("--also-wait: {e}")))?;
    let follow = Follow {
        dirs: terminal.context.dirs()?,
        options: Options {
            all: false,
            dry_run: false,
            host: terminal.context.host()?,
            now: terminal.context.now_secs(),
        },
        wait: Duration::try_from(wait).unwrap_or_default(),
    };
    Ok(Followers::start(first, followers, follow)?)
}

/// Says what went wrong, on standard error.
pub fn tell_problems(terminal: &Terminal, followed: &[Followed]) {
    for one in followed {
        for problem in &one.problems {
            tell_problem(terminal, one, problem);
        }
        if let Some(failure) = &one.failure {
            let message = format!("{}: {failure}", one.name);
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

fn tell_problem(terminal: &Terminal, one: &Followed, problem: &Problem) {
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
pub fn lines(followed: &[Followed]) -> String {
    let mut out = String::new();
    for one in followed {
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

pub fn objects(followed: &[Followed]) -> Value {
    followed.iter().map(object).collect()
}

fn object(one: &Followed) -> Value {
    let mut object = json!(one.done);
    object["name"] = json!(one.name);
    object["behind"] = json!(one.behind);
    object["error"] = json!(one.failure.as_ref().map(ToString::to_string));
    object
}

/// The snapshot is saved; but who asked for several places and does not have them must not be told that all is done.
pub fn code(followed: &[Followed]) -> Status {
    match followed.iter().any(|one| one.behind > 0 || one.failure.is_some()) {
        true => Status::Incomplete,
        false => Status::Completed,
    }
}
