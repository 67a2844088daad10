//! `replicate`: brings replicas up to the repository.

use crate::args::remotes::ReplicateArgs;
use crate::exit;
use crate::output::{self, Lines};
use crate::terminal::Terminal;
use serde_json::{Value, json};
use service::catalogue::Lang;
use service::catalogue::report::remotes as report;
use service::replicate::{self, ReplicaReport, Request};
use service::units::escape;
use service::{Failure, Status};

pub fn run(terminal: &Terminal, args: &ReplicateArgs) -> Result<Status, Failure> {
    let request = Request {
        to: args.to.clone(),
        all: args.all,
        dry_run: args.dry_run,
    };
    let report = replicate::run(&terminal.context, &request, terminal)?;
    tell(terminal, &report.replicas, args.dry_run)?;
    Ok(report.status())
}

fn tell(terminal: &Terminal, ended: &[ReplicaReport], dry_run: bool) -> Result<(), Failure> {
    let mut out = Lines::new();
    for one in ended {
        if let Some(failure) = &one.failure {
            let failure = failure.clone().of(&one.name);
            output::say(&exit::line(&failure, terminal.lang, terminal.json()));
        }
        if terminal.json() {
            out.object(&object(one));
        } else if terminal.talks() {
            out.line(&line(terminal.lang, one, dry_run));
        }
    }
    if terminal.json() {
        let replicas: Vec<Value> = ended.iter().map(object).collect();
        out.object(&json!({ "message_type": "summary", "dry_run": dry_run, "replicas": replicas }));
    }
    out.finish()
}

fn object(one: &ReplicaReport) -> Value {
    let mut object = json!(one.done);
    object["message_type"] = json!("replica");
    object["name"] = json!(one.name);
    object["records"] = json!(one.records);
    object["error"] = json!(one.failure.as_ref().map(Failure::message));
    object
}

fn line(lang: Lang, one: &ReplicaReport, dry_run: bool) -> String {
    let (name, done) = (escape(one.name.as_bytes()), &one.done);
    if dry_run {
        return report::would_bring(lang, &name, done.snapshots);
    }
    let is_known = one.failure.is_none() || done.behind > 0;
    report::brought(
        lang,
        &name,
        done.snapshots,
        done.bytes,
        is_known.then_some(done.behind),
    )
}
