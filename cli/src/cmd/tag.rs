//! `tag`, `protect`, `unprotect`: what is said of snapshots. A snapshot gets a new id by it.

use crate::args::values::TagList;
use crate::args::{ProtectArgs, TagArgs};
use crate::output;
use crate::render::text;
use crate::terminal::Terminal;
use serde_json::json;
use service::catalogue::report::snapshots as say;
use service::select::Filter;
use service::tags::{self, Request, TagChange, TaggedSnapshot};
use service::{Failure, Status};

pub fn run(terminal: &Terminal, args: &TagArgs) -> Result<Status, Failure> {
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

fn change(args: &TagArgs) -> TagChange {
    let named = |lists: &[TagList]| -> Vec<String> {
        let all = lists.iter().flat_map(|list| list.0.iter());
        all.filter(|tag| !tag.is_empty()).cloned().collect()
    };
    match args.set.is_empty() {
        true => TagChange::Edit {
            add: named(&args.add),
            remove: named(&args.remove),
        },
        false => TagChange::Replace(named(&args.set)),
    }
}
