//! `restore`: files back from one generation.

use crate::args::{self, RestoreArgs};
use crate::output;
use crate::render::text;
use crate::terminal::Terminal;
use serde_json::{Value, json};
use service::face::ProblemCounts;
use service::listing::Chosen;
use service::paths::SnapshotSpec;
use service::restore::{self, Overwrite, Permissions, Request, Summary};
use service::units::{escape, format_bytes};
use service::{Failure, Status};
use std::time::Duration;

pub fn run(terminal: &Terminal, args: &RestoreArgs) -> Result<Status, Failure> {
    let report = restore::run(&terminal.context, &request(terminal, args)?, terminal)?;
    match terminal.json() {
        true => output::object(&object(&report.summary, &report.snapshot, args))?,
        false if terminal.talks() => tell(&report.summary, &report.snapshot, args, &report.problems)?,
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

fn tell(s: &Summary, chosen: &Chosen, args: &RestoreArgs, problems: &ProblemCounts) -> Result<(), Failure> {
    let target = escape(args.target.as_os_str().as_encoded_bytes());
    let took = text::took(Duration::try_from_secs_f64(s.seconds_elapsed).unwrap_or_default());
    let files = text::count(s.files_restored, "file");
    let bytes = format_bytes(s.bytes_restored);
    let from = format!("snapshot {} of {}", chosen.short, chosen.time);
    let mut out = match args.dry_run {
        true => format!("Would restore {files}, {bytes} from {from} to {target}\n"),
        false => format!("Restored {files}, {bytes} from {from} to {target} in {took}\n"),
    };
    if s.files_unchanged > 0 {
        let equal = text::grouped(s.files_unchanged);
        let bytes = format_bytes(s.bytes_unchanged);
        out += &match args.dry_run {
            true => format!("Would skip {equal} equal, {bytes}\n"),
            false => format!("Skipped {equal} equal, {bytes}\n"),
        };
    }
    let left = s.files_skipped - s.files_unchanged.min(s.files_skipped);
    if left > 0 {
        let bytes = format_bytes(s.bytes_skipped - s.bytes_unchanged.min(s.bytes_skipped));
        let left = text::count(left, "file");
        out += &format!("Left {left}, {bytes} as they are\n");
    }
    if args.verify && !args.dry_run {
        let verified = text::count(s.files_verified, "file");
        out += &format!("Verified {verified}: read again from the target, and as they were saved\n");
    }
    let problems = problems.paths + problems.unreadable + problems.damage;
    if problems > 0 {
        let problems = text::count(problems, "problem");
        out += &format!("{problems}: the paths named above were not restored, or not completely\n");
    }
    output::write(out.as_bytes()).map(|_| ())
}
