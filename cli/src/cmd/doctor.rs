//! `doctor` and `support-bundle`: whether backups can be relied on, and what helps to find a fault.

use crate::args::program::SupportBundleArgs;
use crate::output::{self, Lines};
use crate::terminal::Terminal;
use serde_json::json;
use service::catalogue::report::{bundle as bundle_words, doctor as words};
use service::doctor::{Finding, Mark};
use service::{Failure, Status, bundle, doctor, objects};

pub fn run(terminal: &Terminal) -> Result<Status, Failure> {
    let mut out = Lines::new();
    let report = doctor::run(&terminal.context, &mut |finding| {
        match terminal.json() {
            true => out.object(&objects::finding(finding)),
            false => lines(terminal, finding, &mut out),
        }
        // Each as it is found: a remote may take its time.
        out.flush();
        Ok(())
    })?;
    match terminal.json() {
        true => out.object(&json!({
            "message_type": "summary",
            "findings": report.findings.len(),
            "ok": report.count(Mark::Good),
            "warnings": report.count(Mark::Warning),
            "problems": report.count(Mark::Problem),
        })),
        false => out.line(&words::summary(terminal.lang, &report)),
    }
    out.finish().map(|()| report.status())
}

/// What is well is left out with --quiet.
fn lines(terminal: &Terminal, finding: &Finding, out: &mut Lines) {
    let (lang, mark) = (terminal.lang, finding.what.mark());
    if mark == Mark::Good && !terminal.talks() {
        return;
    }
    out.line(&format!("{} {}", mark.sign(), words::meaning(lang, finding)));
    if let Some(advice) = words::advice(lang, finding) {
        out.line(&format!("    {advice}"));
    }
}

pub fn support_bundle(terminal: &Terminal, args: &SupportBundleArgs) -> Result<Status, Failure> {
    let report = bundle::run(&terminal.context, args.file.as_deref())?;
    if terminal.json() {
        let files = report.files.iter();
        output::object(&json!({
            "message_type": "summary",
            "file": report.path,
            "files": files.map(|(name, bytes)| json!({ "name": name, "size": bytes })).collect::<Vec<_>>(),
            "removed": report.removed,
        }))?;
    } else if terminal.talks() {
        output::line(&bundle_words::written(terminal.lang, &report))?;
    }
    Ok(Status::Completed)
}
