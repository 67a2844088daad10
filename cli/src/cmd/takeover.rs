//! `takeover`: the settings that another machine recorded become this one's.

use crate::args::TakeoverArgs;
use crate::output::{self, Lines};
use crate::terminal::Terminal;
use serde_json::json;
use service::catalogue::Lang;
use service::catalogue::report::{nothing_changed, takeover as say};
use service::takeover::{self, Needed, RemoteNeed, Report, Request};
use service::{Failure, Status};

pub fn run(terminal: &Terminal, args: &TakeoverArgs) -> Result<Status, Failure> {
    let request = Request {
        host: args.host.clone(),
        yes: args.ask.yes,
        dry_run: args.dry_run,
    };
    let report = takeover::run(&terminal.context, &request, terminal)?;
    match terminal.json() {
        true => tell_programs(&report, args.dry_run),
        false => tell(terminal, &report, args.dry_run),
    }?;
    Ok(Status::Completed)
}

fn tell(terminal: &Terminal, report: &Report, dry_run: bool) -> Result<(), Failure> {
    let lang = terminal.lang;
    let mut out = Lines::new();
    if dry_run {
        // What would change is the answer.
        output::write(report.draft.diff().as_bytes())?;
    }
    if terminal.talks() {
        out.line(&say::outcome(lang, report));
        out.line(&say::taken(lang, report));
    }
    if !report.needed.is_empty() {
        out.line(&say::still_needed(lang));
        for needed in &report.needed {
            out.line(&format!("  {}", say::needed(lang, needed)));
        }
    }
    if terminal.talks() {
        out.line(&match dry_run {
            true => nothing_changed(lang),
            false => say::next(lang),
        });
    }
    out.finish()
}

fn tell_programs(report: &Report, dry_run: bool) -> Result<(), Failure> {
    for needed in &report.needed {
        let (kind, name, path) = match needed {
            Needed::ForRemote { remote, what } => match what {
                RemoteNeed::KeyFile { path } => ("key-file", remote, Some(path)),
                RemoteNeed::PasswordFile { path } => ("password-file", remote, Some(path)),
                RemoteNeed::PasswordCommand { .. } => ("password-command", remote, None),
                RemoteNeed::Password => ("password", remote, None),
                RemoteNeed::Repository { .. } => ("repository", remote, None),
            },
            Needed::OtherPlace { url } => ("remote", url, None),
            Needed::MailPassword { path } => ("mail-password", &report.host, Some(path)),
            Needed::Secret { key, .. } => ("secret", key, None),
            Needed::Source { set, path } => ("source", set, Some(path)),
        };
        let path = path.map(|path| path.to_string_lossy());
        output::object(&json!({
            "message_type": "needed",
            "kind": kind,
            "name": name,
            "path": path,
            "message": say::needed(Lang::En, needed),
        }))?;
    }
    output::object(&json!({
        "message_type": "summary",
        "host": report.host,
        "recorded": report.recorded.to_string(),
        "file": report.draft.path.to_string_lossy(),
        "changed": report.draft.is_change(),
        "written": report.written,
        "diff": report.draft.diff(),
        "sets": report.sets,
        "snapshots": report.snapshots,
        "needed": report.needed.len(),
        "dry_run": dry_run,
    }))
}
