//! `replicate`: brings replicas up to the repository.

use crate::args::remotes::ReplicateArgs;
use crate::cmd::backup::behind_by;
use crate::exit;
use crate::output::{self, Lines};
use crate::render::text;
use crate::terminal::Terminal;
use serde_json::{Value, json};
use service::replicate::{self, ReplicaReport, Request};
use service::units::{escape, format_bytes};
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
            let said = Failure::new(failure.status, format!("{}: {}", one.name, failure.message));
            output::say(&exit::line(&said, terminal.json()));
        }
        if terminal.json() {
            out.object(&object(one));
        } else if terminal.talks() {
            out.line(&line(one, dry_run));
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
    object["error"] = json!(one.failure.as_ref().map(|failure| &failure.message));
    object
}

fn line(one: &ReplicaReport, dry_run: bool) -> String {
    let name = escape(one.name.as_bytes());
    let done = &one.done;
    let snapshots = text::count(done.snapshots, "snapshot");
    if dry_run {
        return format!("{name}: would bring {snapshots}");
    }
    let came = match done.snapshots {
        0 => String::new(),
        _ => format!("{snapshots} replicated, {} sent; ", format_bytes(done.bytes)),
    };
    match &one.failure {
        Some(_) if done.behind == 0 => format!("{name}: {came}failed"),
        _ => format!("{name}: {came}{}", behind_by(done.behind)),
    }
}
