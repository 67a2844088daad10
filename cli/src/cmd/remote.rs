//! `remote`: names for remotes, and the making of replicas.

use crate::args::remotes::{RemoteAddArgs, RemoteCommand};
use crate::cmd::backup::behind_by;
use crate::output::Lines;
use crate::render::text;
use crate::terminal::Terminal;
use jiff::Timestamp;
use serde_json::{Value, json};
use service::remotes::{self, AddRequest, Found, RemoteState};
use service::repo;
use service::settings::Remote;
use service::units::escape;
use service::{Failure, Status};

pub fn run(terminal: &Terminal, command: &RemoteCommand) -> Result<Status, Failure> {
    match command {
        RemoteCommand::Add(args) => add(terminal, args),
        RemoteCommand::List => list(terminal),
        RemoteCommand::Remove(args) => remove(terminal, &args.name),
    }
}

fn add(terminal: &Terminal, args: &RemoteAddArgs) -> Result<Status, Failure> {
    let name = &args.name;
    let request = AddRequest {
        name: name.clone(),
        url: args.url.clone(),
        like: args.like.clone(),
    };
    let added = remotes::add(&terminal.context, &request, terminal)?;
    let url = repo::shown(&added.remote.url);
    let mut out = Lines::new();
    if terminal.json() {
        out.object(&json!({
            "message_type": "summary",
            "name": name,
            "url": url,
            "made": added.found == Found::NewReplica,
            "config": added.settings.to_string_lossy(),
        }));
    } else if terminal.talks() {
        let shown = escape(url.as_bytes());
        out.line(&match added.found {
            Found::NewReplica => {
                format!("Made an empty replica at {shown}; it opens with the same passwords and keys")
            }
            Found::Replica => format!("There is a replica at {shown}"),
            Found::Repository => format!("There is a repository at {shown}"),
        });
        out.line(&format!(
            "It is called '{name}' in {}",
            escape(added.settings.to_string_lossy().as_bytes())
        ));
        if added.found != Found::Repository {
            out.line(&format!(
                "Next: dedup replicate --to {name}, or dedup backup DIR --also {name}"
            ));
        }
    }
    out.finish().map(|()| Status::Completed)
}

fn remove(terminal: &Terminal, name: &str) -> Result<Status, Failure> {
    let url = repo::shown(&remotes::remove(&terminal.context, name)?.url);
    let mut out = Lines::new();
    if terminal.json() {
        out.object(&json!({ "message_type": "summary", "name": name, "url": url }));
    } else if terminal.talks() {
        let url = escape(url.as_bytes());
        out.line(&format!(
            "Removed the name '{name}'; what is stored at {url} is unchanged"
        ));
    }
    out.finish().map(|()| Status::Completed)
}

fn list(terminal: &Terminal) -> Result<Status, Failure> {
    let remotes = remotes::list(&terminal.context, terminal)?;
    let mut out = Lines::new();
    if remotes.is_empty() {
        if terminal.talks() {
            out.line("No remote has a name; 'dedup remote add NAME URL' gives one");
        }
        return out.finish().map(|()| Status::Completed);
    }
    let mut rows = Vec::new();
    for (remote, state) in &remotes {
        if terminal.json() {
            out.object(&object(remote, state));
            continue;
        }
        let (snapshots, words) = words(state);
        rows.push(vec![
            remote.name.clone(),
            escape(repo::shown(&remote.url).as_bytes()),
            snapshots,
            words,
        ]);
    }
    if !terminal.json() {
        out.line(text::table(&["Name", "URL", "Snapshots", "State"], &[2], &rows).trim_end());
    }
    out.finish().map(|()| Status::Completed)
}

fn words(state: &RemoteState) -> (String, String) {
    let without = |words: &str| (String::new(), words.to_string());
    match state {
        RemoteState::First => without("this repository"),
        RemoteState::Replica { snapshots, behind } => (text::grouped(*snapshots), behind_by(*behind)),
        RemoteState::Empty => without("no repository"),
        RemoteState::OtherRepository => without("another repository"),
        RemoteState::NotCompared => without("not compared"),
        RemoteState::Unreachable { failure, noted } => {
            let was = noted.filter(|noted| noted.reached > 0).map(|noted| {
                let at = Timestamp::from_second(noted.reached)
                    .map(text::time)
                    .unwrap_or_default();
                format!("; {}, last reached {at}", behind_by(noted.behind))
            });
            without(&format!(
                "not reached: {}{}",
                failure.message,
                was.unwrap_or_default()
            ))
        }
    }
}

fn object(remote: &Remote, state: &RemoteState) -> Value {
    let mut object = json!({
        "message_type": "remote",
        "name": remote.name,
        "url": repo::shown(&remote.url),
        "reachable": true,
    });
    match state {
        RemoteState::First => object["state"] = json!("first"),
        RemoteState::Replica { snapshots, behind } => {
            object["state"] = json!("replica");
            object["snapshots"] = json!(snapshots);
            object["behind"] = json!(behind);
        }
        RemoteState::Empty => object["state"] = json!("no repository"),
        RemoteState::OtherRepository => object["state"] = json!("another repository"),
        RemoteState::NotCompared => {
            object["state"] = json!("not compared");
            object["reachable"] = Value::Null;
        }
        RemoteState::Unreachable { failure, noted } => {
            object["state"] = json!("not reached");
            object["reachable"] = json!(false);
            object["error"] = json!(failure.message);
            object["behind"] = json!(noted.map(|noted| noted.behind));
        }
    }
    object
}
