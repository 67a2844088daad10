//! `restore`: files back from one generation.

use crate::args::{self, RestoreArgs};
use crate::output;
use crate::terminal::Terminal;
use serde_json::{Value, json};
use service::catalogue::Lang;
use service::catalogue::report::backup::{self as report, Restored};
use service::paths::SnapshotSpec;
use service::restore::{self, Overwrite, Patterns, Permissions, Report, Request, RestorePlace};
use service::units::escape;
use service::{Failure, Status, when};
use std::time::Duration;

pub fn run(terminal: &Terminal, args: &RestoreArgs) -> Result<Status, Failure> {
    let report = restore::run(&terminal.context, &request(terminal, args)?, terminal)?;
    match terminal.json() {
        true => output::object(&object(&report, args))?,
        false if terminal.talks() => tell(terminal.lang, &report, args)?,
        false => {}
    }
    Ok(report.status())
}

fn request(terminal: &Terminal, args: &RestoreArgs) -> Result<Request, Failure> {
    let now = &terminal.context.now;
    let since = args.deleted_since.as_deref().filter(|text| !text.is_empty());
    Ok(Request {
        spec: SnapshotSpec::parse(&args.args, args.choice.at.is_some()),
        among: args.choice.among(&terminal.context.now)?,
        target: match (&args.to, &args.target) {
            (Some(to), _) => RestorePlace::parse(to),
            (None, target) => RestorePlace::Folder(target.clone().unwrap_or_default()),
        },
        include: Patterns {
            patterns: args.include.clone(),
            either_case: args.iinclude.clone(),
            files: args.include_file.clone(),
            either_case_files: args.iinclude_file.clone(),
        },
        exclude: Patterns {
            patterns: args.exclude.clone(),
            either_case: args.iexclude.clone(),
            files: args.exclude_file.clone(),
            either_case_files: args.iexclude_file.clone(),
        },
        deleted_since: since.map(|text| when::start_of(text, now)).transpose()?,
        delete: args.delete,
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
        in_place: args.in_place,
        dry_run: args.dry_run,
    })
}

fn object(report: &Report, args: &RestoreArgs) -> Value {
    let mut object = json!(report.summary);
    let chosen = &report.snapshot;
    object["message_type"] = json!("summary");
    object["snapshot_id"] = json!(chosen.id.to_hex());
    object["snapshot_time"] = json!(chosen.manifest.time().to_string());
    object["target"] = json!(report.target.to_string_lossy());
    if args.deleted_since.is_some() {
        object["files_deleted_earlier"] = json!(report.deleted.files);
    }
    object["dry_run"] = json!(args.dry_run);
    object
}

fn tell(lang: Lang, done: &Report, args: &RestoreArgs) -> Result<(), Failure> {
    let (s, chosen) = (&done.summary, &done.snapshot);
    let (deleted, problems) = (&done.deleted, &done.problems);
    let restored = Restored {
        files: s.files_restored,
        bytes: s.bytes_restored,
        id: &chosen.short,
        time: &chosen.time,
        target: &escape(done.target.as_os_str().as_encoded_bytes()),
    };
    let took = Duration::try_from_secs_f64(s.seconds_elapsed).unwrap_or_default();
    let mut lines = vec![match args.dry_run {
        true => report::would_restore(lang, &restored),
        false => report::restored(lang, &restored, took),
    }];
    if deleted.files > 0 {
        lines.push(report::deleted_earlier(lang, deleted.files, deleted.snapshots));
    }
    if s.files_deleted > 0 {
        lines.push(report::deleted(lang, s.files_deleted, args.dry_run));
    }
    if s.files_unchanged > 0 {
        let (files, bytes) = (s.files_unchanged, s.bytes_unchanged);
        lines.push(report::skipped_equal(lang, files, bytes, args.dry_run));
    }
    let left = s.files_skipped.saturating_sub(s.files_unchanged);
    if left > 0 {
        let bytes = s.bytes_skipped.saturating_sub(s.bytes_unchanged);
        lines.push(report::left_as_is(lang, left, bytes));
    }
    if s.bytes_reused > 0 {
        lines.push(report::reused(lang, s.bytes_reused));
    }
    if args.verify && !args.dry_run {
        lines.push(report::verified(lang, s.files_verified));
    }
    let all = problems.paths + problems.unreadable + problems.damage;
    if all > 0 {
        let (damage, unreadable) = (problems.damage, problems.unreadable);
        lines.push(report::not_all_restored(lang, all, damage, unreadable));
    }
    output::write((lines.join("\n") + "\n").as_bytes()).map(|_| ())
}
