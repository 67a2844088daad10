//! `restore`: files back from one generation.

use crate::args::{self, RestoreArgs};
use crate::output;
use crate::terminal::Terminal;
use serde_json::{Value, json};
use service::catalogue::Lang;
use service::catalogue::report::backup::{self as report, Restored};
use service::face::ProblemCounts;
use service::listing::Chosen;
use service::paths::SnapshotSpec;
use service::restore::{self, Overwrite, Permissions, Request, Summary};
use service::units::escape;
use service::{Failure, Status};
use std::time::Duration;

pub fn run(terminal: &Terminal, args: &RestoreArgs) -> Result<Status, Failure> {
    let report = restore::run(&terminal.context, &request(terminal, args)?, terminal)?;
    match terminal.json() {
        true => output::object(&object(&report.summary, &report.snapshot, args))?,
        false if terminal.talks() => tell(
            terminal.lang,
            &report.summary,
            &report.snapshot,
            args,
            &report.problems,
        )?,
        false => {}
    }
    Ok(report.status())
}

fn request(terminal: &Terminal, args: &RestoreArgs) -> Result<Request, Failure> {
    Ok(Request {
        spec: SnapshotSpec::parse(&args.args, args.choice.at.is_some()),
        among: args.choice.among(&terminal.context.now)?,
        target: args.target.clone(),
        include: args.include.clone(),
        exclude: args.exclude.clone(),
        overwrite: match args.overwrite {
            args::Overwrite::Always => Overwrite::Always,
            args::Overwrite::IfChanged => Overwrite::IfChanged,
            args::Overwrite::IfNewer => Overwrite::IfNewer,
            args::Overwrite::Never => Overwrite::Never,
            args::Overwrite::Rename => Overwrite::Rename,
        },
        permissions: match args.permissions {
            args::Permissions::Original => Permissions::Original,
            args::Permissions::Current => Permissions::Current,
        },
        also: args.also.clone(),
        verify: args.verify,
        dry_run: args.dry_run,
    })
}

fn object(summary: &Summary, chosen: &Chosen, args: &RestoreArgs) -> Value {
    let mut object = json!(summary);
    object["message_type"] = json!("summary");
    object["snapshot_id"] = json!(chosen.id.to_hex());
    object["snapshot_time"] = json!(chosen.manifest.time().to_string());
    object["target"] = json!(args.target.to_string_lossy());
    object["dry_run"] = json!(args.dry_run);
    object
}

fn tell(
    lang: Lang,
    s: &Summary,
    chosen: &Chosen,
    args: &RestoreArgs,
    problems: &ProblemCounts,
) -> Result<(), Failure> {
    let done = Restored {
        files: s.files_restored,
        bytes: s.bytes_restored,
        id: &chosen.short,
        time: &chosen.time,
        target: &escape(args.target.as_os_str().as_encoded_bytes()),
    };
    let took = Duration::try_from_secs_f64(s.seconds_elapsed).unwrap_or_default();
    let mut lines = vec![match args.dry_run {
        true => report::would_restore(lang, &done),
        false => report::restored(lang, &done, took),
    }];
    if s.files_unchanged > 0 {
        let (files, bytes) = (s.files_unchanged, s.bytes_unchanged);
        lines.push(report::skipped_equal(lang, files, bytes, args.dry_run));
    }
    let left = s.files_skipped.saturating_sub(s.files_unchanged);
    if left > 0 {
        let bytes = s.bytes_skipped.saturating_sub(s.bytes_unchanged);
        lines.push(report::left_as_is(lang, left, bytes));
    }
    if args.verify && !args.dry_run {
        lines.push(report::verified(lang, s.files_verified));
    }
    let problems = problems.paths + problems.unreadable + problems.damage;
    if problems > 0 {
        lines.push(report::not_all_restored(lang, problems));
    }
    output::write((lines.join("\n") + "\n").as_bytes()).map(|_| ())
}
