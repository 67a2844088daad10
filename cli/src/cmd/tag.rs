//! `tag`, `protect`, `unprotect`: what is said of snapshots, which get new ids by it, and tags of paths, which nothing else
//! changes for.

use crate::args::values::TagList;
use crate::args::{ProtectArgs, TagArgs};
use crate::output::{self, Lines};
use crate::render::text;
use crate::terminal::Terminal;
use serde_json::json;
use service::catalogue::report::snapshots as say;
use service::json;
use service::path_tags::{self, PathTagEdit, TaggedPath};
use service::paths::absolute;
use service::select::Filter;
use service::tags::{self, Request, TagChange, TaggedSnapshot};
use service::{Failure, Status};

pub fn run(terminal: &Terminal, args: &TagArgs) -> Result<Status, Failure> {
    if args.list {
        return list(terminal, args);
    }
    if !args.on.is_empty() {
        return tag_paths(terminal, args);
    }
    let request = Request {
        snapshots: args.snapshots.clone(),
        filter: args.filter.filter()?,
        change: change(args),
        dry_run: args.dry_run,
    };
    let mut each = |one: &TaggedSnapshot<'_>| tell(terminal, one);
    let report = tags::run(&terminal.context, &request, terminal, &mut each)?;
    if terminal.json() {
        output::object(&json!({
            "message_type": "summary",
            "changed_snapshots": report.changed,
            "dry_run": args.dry_run,
        }))?;
    } else if terminal.talks() {
        output::line(&say::tagged(terminal.lang, report.changed, args.dry_run))?;
    }
    Ok(report.status)
}

fn tell(terminal: &Terminal, one: &TaggedSnapshot<'_>) -> Result<(), Failure> {
    let old = one.old.id.to_hex();
    if terminal.json() {
        return output::object(&json!({
            "message_type": "changed",
            "old_snapshot_id": old,
            "new_snapshot_id": one.new.map(|id| id.to_hex()),
            "tags": one.tags,
        }));
    }
    if !terminal.talks() {
        return Ok(());
    }
    let new = one.new.map(|id| id.to_hex());
    output::line(&say::new_tags(
        terminal.lang,
        &old,
        new.as_deref(),
        &text::names(&one.tags),
    ))
}

pub fn protect(terminal: &Terminal, args: &ProtectArgs, protect: bool) -> Result<Status, Failure> {
    let request = Request {
        snapshots: args.snapshots.clone(),
        filter: Filter::default(),
        change: TagChange::Protect(protect),
        dry_run: args.dry_run,
    };
    let mut each = |one: &TaggedSnapshot<'_>| {
        if terminal.json() || !terminal.talks() {
            return tell(terminal, one);
        }
        let (old, new) = (one.old.id.to_hex(), one.new.map(|id| id.to_hex()));
        output::line(&say::protected(terminal.lang, &old, new.as_deref(), protect))
    };
    let report = tags::run(&terminal.context, &request, terminal, &mut each)?;
    if terminal.json() {
        output::object(&json!({
            "message_type": "summary",
            "changed_snapshots": report.changed,
            "protected": protect,
            "dry_run": args.dry_run,
        }))?;
    } else if terminal.talks() {
        output::line(&say::tagged(terminal.lang, report.changed, args.dry_run))?;
    }
    Ok(report.status)
}

fn list(terminal: &Terminal, args: &TagArgs) -> Result<Status, Failure> {
    let repo = terminal.open()?;
    let filter = args.filter.filter()?;
    let found = path_tags::list(&path_tags::read(&repo)?, &filter.tags, &filter.hosts);
    let mut out = Lines::new();
    for one in &found {
        tell_path(terminal, one, &mut out);
    }
    if terminal.json() {
        out.object(&json!({ "message_type": "summary", "paths": found.len() }));
    } else if found.is_empty() && terminal.talks() {
        out.line(&say::no_tagged_paths(terminal.lang));
    }
    out.finish().map(|()| Status::Completed)
}

fn tag_paths(terminal: &Terminal, args: &TagArgs) -> Result<Status, Failure> {
    let paths = args.on.iter().map(|path| absolute(path));
    let request = path_tags::Request {
        paths: paths.collect::<Result<_, _>>()?,
        host: args.filter.host.first().cloned(),
        change: match args.set.is_empty() {
            true => PathTagEdit::Edit {
                add: named(&args.add),
                remove: named(&args.remove),
            },
            false => PathTagEdit::Replace(named(&args.set)),
        },
        dry_run: args.dry_run,
    };
    let report = path_tags::change(&terminal.context, &request, terminal)?;
    let mut out = Lines::new();
    if terminal.json() || terminal.talks() {
        for one in &report.paths {
            tell_path(terminal, one, &mut out);
        }
    }
    if terminal.json() {
        out.object(&json!({
            "message_type": "summary",
            "changed_paths": report.changed,
            "dry_run": args.dry_run,
        }));
    } else if terminal.talks() {
        out.line(&say::paths_tagged(terminal.lang, report.changed, args.dry_run));
    }
    out.finish().map(|()| Status::Completed)
}

fn tell_path(terminal: &Terminal, one: &TaggedPath, out: &mut Lines) {
    match terminal.json() {
        true => out.object(&json!({
            "message_type": "tagged_path",
            "host": one.host,
            "path": json::name(&one.path),
            "tags": one.tags,
        })),
        false => out.line(&say::tagged_path(terminal.lang, &one.host, &one.path, &one.tags)),
    }
}

/// Without empty ones.
fn named(lists: &[TagList]) -> Vec<String> {
    let all = lists.iter().flat_map(|list| list.0.iter());
    all.filter(|tag| !tag.is_empty()).cloned().collect()
}

fn change(args: &TagArgs) -> TagChange {
    match args.set.is_empty() {
        true => TagChange::Edit {
            add: named(&args.add),
            remove: named(&args.remove),
        },
        false => TagChange::Replace(named(&args.set)),
    }
}
