//! `remote`: names for remotes, and the making of replicas.

use crate::args::remotes::{RemoteAddArgs, RemoteCommand};
use crate::output::Lines;
use crate::render::text;
use crate::terminal::Terminal;
use serde_json::{Value, json};
use service::catalogue::report::remotes as report;
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
        let lang = terminal.lang;
        if added.was_named && added.found == Found::Replica {
            out.line(&report::nothing_to_make(lang, name, &shown));
            return out.finish().map(|()| Status::Completed);
        }
        out.line(&match added.found {
            Found::NewReplica => report::new_replica(lang, &shown),
            Found::Replica => report::known_replica(lang, &shown),
            Found::Repository => report::known_repository(lang, &shown),
        });
        let file = escape(added.settings.to_string_lossy().as_bytes());
        out.line(&report::named(lang, name, &file));
        match &added.set {
            _ if added.found == Found::Repository => {}
            Some(set) => out.line(&report::next_run(lang, set)),
            None => out.line(&report::next_replicate(lang, name)),
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
        out.line(&report::name_removed(terminal.lang, name, &url));
    }
    out.finish().map(|()| Status::Completed)
}

fn list(terminal: &Terminal) -> Result<Status, Failure> {
    let remotes = remotes::list(&terminal.context, terminal)?;
    let mut out = Lines::new();
    if remotes.is_empty() {
        if terminal.talks() {
            out.line(&report::no_names(terminal.lang));
        }
        return out.finish().map(|()| Status::Completed);
    }
    let mut rows = Vec::new();
    for (remote, state) in &remotes {
        if terminal.json() {
            out.object(&object(remote, state));
            continue;
        }
        let snapshots = match state {
            RemoteState::Replica { snapshots, .. } => text::grouped(*snapshots),
            _ => String::new(),
        };
        rows.push(vec![
            remote.name.clone(),
            escape(repo::shown(&remote.url).as_bytes()),
            snapshots,
            report::state(terminal.lang, state),
        ]);
    }
    if !terminal.json() {
        out.line(text::table(&report::columns(terminal.lang), &[2], &rows).trim_end());
        let is_unasked = matches!(remotes[..], [(_, RemoteState::NotCompared), _, ..]);
        if is_unasked && terminal.talks() && !terminal.context.options.names_repository() {
            out.line(&report::how_to_compare(terminal.lang));
        }
    }
    out.finish().map(|()| Status::Completed)
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
            object["error"] = json!(failure.message());
            object["behind"] = json!(noted.map(|noted| noted.behind));
        }
    }
    object
}
