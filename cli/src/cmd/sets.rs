//! `set`: lists the sets of the settings, and adds, changes and removes them.

use crate::args::sets::{SetAddArgs, SetCommand, SetEditArgs, SetRemoveArgs, with_sources};
use crate::output;
use crate::terminal::Terminal;
use serde_json::json;
use service::catalogue::report::sets as report;
use service::sets;
use service::settings::edit::Draft;
use service::units::escape;
use service::{Failure, Status};

pub fn run(terminal: &Terminal, command: &SetCommand) -> Result<Status, Failure> {
    match command {
        SetCommand::List => super::status::list_sets(terminal),
        SetCommand::Add(args) => add(terminal, args),
        SetCommand::Edit(args) if args.keys.is_empty() && args.source.is_empty() => {
            // In a file that can't be read, no set is known: it is opened to be mended.
            if terminal.context.unusable_settings.is_none() {
                terminal.context.settings.named_set(&args.name)?;
            }
            super::edit::run(terminal)
        }
        SetCommand::Edit(args) => edit(terminal, args),
        SetCommand::Remove(args) => remove(terminal, args),
    }
}

fn add(terminal: &Terminal, args: &SetAddArgs) -> Result<Status, Failure> {
    let keys = with_sources(&args.sources, args.keys.values()?)?;
    let changes = (keys, args.keys.retention.values());
    let draft = sets::add(&terminal.context, &args.name, changes, terminal)?;
    draft.check(&terminal.context.env)?;
    if !args.dry_run {
        draft.write(&terminal.context.env)?;
    }
    let told = report::added(terminal.lang, &args.name, &shown(&draft));
    tell(terminal, &args.name, &draft, args.dry_run, &told)
}

fn edit(terminal: &Terminal, args: &SetEditArgs) -> Result<Status, Failure> {
    let keys = with_sources(&args.source, args.keys.values()?)?;
    let changes = (keys, args.keys.retention.values());
    let draft = sets::change(&terminal.context, &args.name, &changes, terminal)?;
    draft.check(&terminal.context.env)?;
    if !args.dry_run && draft.is_change() {
        draft.write(&terminal.context.env)?;
    }
    let told = match draft.is_change() {
        true => report::changed(terminal.lang, &args.name, &shown(&draft)),
        false => report::unchanged(terminal.lang),
    };
    tell(terminal, &args.name, &draft, args.dry_run, &told)
}

fn remove(terminal: &Terminal, args: &SetRemoveArgs) -> Result<Status, Failure> {
    let draft = sets::remove(&terminal.context, &args.name)?;
    draft.check(&terminal.context.env)?;
    if !args.dry_run {
        sets::write_removal(&terminal.context, &args.name, &draft, args.yes, terminal)?;
    }
    let told = report::removed(terminal.lang, &args.name);
    tell(terminal, &args.name, &draft, args.dry_run, &told)
}

fn shown(draft: &Draft) -> String {
    escape(draft.path.display().to_string().as_bytes())
}

fn tell(
    terminal: &Terminal,
    name: &str,
    draft: &Draft,
    dry_run: bool,
    told: &str,
) -> Result<Status, Failure> {
    if terminal.json() {
        output::object(&json!({
            "message_type": "summary",
            "set": name,
            "file": draft.path.display().to_string(),
            "changed": draft.is_change(),
            "diff": draft.diff(),
            "dry_run": dry_run,
        }))?;
        return Ok(Status::Completed);
    }
    match dry_run {
        // The diff is the answer.
        true => output::write(draft.diff().as_bytes()).map(drop)?,
        false => terminal.line(told)?,
    }
    Ok(Status::Completed)
}
