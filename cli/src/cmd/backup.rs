//! `backup`: one generation of files, or of a stream.

mod replicas;

use crate::args::BackupArgs;
use crate::args::backup::SelectArgs;
use crate::output;
use crate::terminal::Terminal;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use service::backup::{self, FilterOptions, Ignore, Input, Report, Request, patterns};
use service::catalogue::Cause;
use service::catalogue::report::backup as say;
use service::catalogue::report::nothing_written;
use service::json;
use service::units::escape;
use service::{Failure, Status, when};
use std::io::{self, IsTerminal};

pub fn run(terminal: &Terminal, args: &BackupArgs) -> Result<Status, Failure> {
    let report = backup::run(&terminal.context, request(terminal, args)?, terminal)?;
    tell_replicas(terminal, &report);
    let start = terminal.context.now.timestamp();
    match terminal.json() {
        true => output::object(&fields(start, &report, args.dry_run))?,
        false if terminal.talks() => {
            output::write(told(terminal, &report, args.dry_run, say::MadeBy::Command).as_bytes())?;
        }
        false => {}
    }
    Ok(report.status())
}

fn request(terminal: &Terminal, args: &BackupArgs) -> Result<Request, Failure> {
    let describe = &args.describe;
    let time = describe.time.as_deref().filter(|text| !text.is_empty());
    let time = time.map(|text| when::start_of(text, &terminal.context.now));
    Ok(Request {
        input: input(args)?,
        filter: filter(&args.select),
        source_snapshot: args.source_snapshot,
        host: describe.host.clone(),
        tags: describe.tags(),
        description: describe.description.clone().unwrap_or_default(),
        set: String::new(),
        standard_excludes: args.select.standard_excludes,
        commands: Vec::new(),
        time: time.transpose()?,
        dry_run: args.dry_run,
        force: args.force,
        parent: args.parent.clone(),
        ignore: Ignore {
            inode: args.ignore_inode,
            ctime: args.ignore_ctime,
        },
        skip_if_unchanged: args.skip_if_unchanged,
        allow_empty: args.allow_empty,
        read_special: args.select.read_special,
        level: args.compression,
        also: args.also.also.clone(),
        also_wait: args.also.also_wait,
    })
}

fn input(args: &BackupArgs) -> Result<Input, Failure> {
    let name = args.stdin.stdin_filename.clone();
    Ok(match (args.stdin.stdin, args.stdin.stdin_from_command) {
        (true, _) if io::stdin().is_terminal() => {
            return Err(Cause::StdinIsTerminal.into());
        }
        (true, _) => Input::Stream {
            name,
            from: Box::new(io::stdin()),
        },
        (_, true) => Input::Command {
            name,
            command: args.paths.clone(),
        },
        (false, false) => Input::Files {
            paths: args.paths.clone(),
            lists: args.select.lists(),
        },
    })
}

fn filter(select: &SelectArgs) -> FilterOptions {
    FilterOptions {
        excludes: patterns(&select.exclude),
        iexcludes: patterns(&select.iexclude),
        exclude_files: select.exclude_file.clone(),
        iexclude_files: select.iexclude_file.clone(),
        exclude_caches: select.exclude_caches,
        exclude_if_present: select.exclude_if_present.clone(),
        exclude_larger_than: select.exclude_larger_than,
        one_file_system: select.one_file_system,
        exclude_extensions: select.exclude_extension.clone(),
        hidden: !select.no_hidden,
        ignore_files: select.ignore_file.clone(),
        exclude_if_xattr: select.exclude_if_xattr.clone(),
    }
}

/// What went wrong at the replicas, to standard error.
pub fn tell_replicas(terminal: &Terminal, report: &Report) {
    replicas::tell_problems(terminal, &report.replicas);
}

/// The report for people.
pub fn told(terminal: &Terminal, report: &Report, dry_run: bool, by: say::MadeBy) -> String {
    let (lang, done) = (terminal.lang, &report.backup);
    let mut out = String::new();
    if let Some(parent) = done.parent {
        out += &line(say::compared_with(lang, &parent.to_hex()));
    }
    out += &say::summary(lang, &done.summary, done.elapsed, dry_run);
    out += &line(match (&done.snapshot, done.unchanged) {
        (Some(id), _) => match &report.saved_at {
            Some(name) => say::saved_at(lang, &id.to_hex(), &escape(name.as_bytes())),
            None => say::saved(lang, &id.to_hex()),
        },
        (None, true) => say::nothing_new(lang),
        (None, false) => nothing_written(lang),
    });
    match terminal.global.verbose {
        0 if !done.left_out.is_empty() => out += &line(say::left_out(lang, done.left_out.len() as u64)),
        0 => {}
        _ => done
            .left_out
            .iter()
            .for_each(|path| out += &line(say::left_out_path(lang, &escape(path)))),
    }
    let rules = done
        .excluded
        .iter()
        .filter(|_| dry_run || terminal.global.verbose > 0);
    for hits in rules {
        let value = escape(hits.rule.value.as_bytes());
        out += &line(say::excluded_by(lang, hits.rule.option, &value, hits.entries));
    }
    out += &replicas::lines(lang, &report.replicas, by);
    if report.problems.paths > 0 {
        out += &line(say::not_all_saved(lang, report.problems.paths));
    }
    out
}

fn line(text: String) -> String {
    text + "\n"
}

/// The report for programs.
pub fn fields(start: Timestamp, report: &Report, dry_run: bool) -> Map<String, Value> {
    let mut object = json::summary(&report.backup.summary);
    let end = backup::ended(start, report.backup.elapsed);
    object.insert("message_type".into(), json!("summary"));
    object.insert("backup_start".into(), json!(start.to_string()));
    object.insert("backup_end".into(), json!(end.map(|end| end.to_string())));
    object.insert(
        "total_duration".into(),
        json!(report.backup.elapsed.as_secs_f64()),
    );
    object.insert("dry_run".into(), json!(dry_run));
    object.insert("unchanged".into(), json!(report.backup.unchanged));
    object.insert("left_out".into(), json!(json::names(&report.backup.left_out)));
    let rules =
        report.backup.excluded.iter().map(
            |hits| json!({ "rule": hits.rule.option, "value": hits.rule.value, "entries": hits.entries }),
        );
    object.insert("excluded".into(), rules.collect());
    object.insert("placeholders".into(), json!(report.backup.placeholders));
    if let Some(id) = report.backup.parent {
        object.insert("parent".into(), json!(id.to_hex()));
    }
    if !report.replicas.is_empty() {
        object.insert("replicas".into(), replicas::objects(&report.replicas));
    }
    if let Some(name) = &report.saved_at {
        object.insert("saved_at".into(), json!(name));
    }
    if let Some(id) = report.backup.snapshot {
        object.insert("snapshot_id".into(), json!(id.to_hex()));
    }
    object
}
