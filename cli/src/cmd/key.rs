//! `key`: what opens the repository.

use crate::args::{KeyCommand, KeyExportArgs, KeyRemoveArgs, NewSecretArgs};
use crate::output;
use crate::phrase::Confirming;
use crate::render::text;
use crate::terminal::Terminal;
use jiff::Timestamp;
use serde_json::{Value, json};
use service::catalogue::Lang;
use service::catalogue::report::keys as report;
use service::face::Face;
use service::json;
use service::keys::{self, AddedKey, SlotInfo, kind_word};
use service::units::escape;
use service::{Failure, Status};
use std::io::IsTerminal;

pub fn run(terminal: &Terminal, command: &KeyCommand) -> Result<Status, Failure> {
    match command {
        KeyCommand::Add(args) => add(terminal, args),
        KeyCommand::List => list(terminal),
        KeyCommand::Remove(args) => remove(terminal, args),
        KeyCommand::Passwd(args) => passwd(terminal, args),
        KeyCommand::Export(args) => export(terminal, args),
        KeyCommand::Recovery => recovery(terminal),
    }
}

fn add(terminal: &Terminal, args: &NewSecretArgs) -> Result<Status, Failure> {
    let added = keys::add(&terminal.context, &args.into(), terminal)?;
    let line = report::added(terminal.lang, added.kind.word(), &added.id);
    tell_added(terminal, &added, &line)
}

fn passwd(terminal: &Terminal, args: &NewSecretArgs) -> Result<Status, Failure> {
    let added = keys::replace(&terminal.context, &args.into(), terminal)?;
    let old = added.replaced.as_deref().unwrap_or_default();
    let line = report::replaced(terminal.lang, added.kind.word(), &added.id, old);
    tell_added(terminal, &added, &line)
}

fn tell_added(terminal: &Terminal, added: &AddedKey, line: &str) -> Result<Status, Failure> {
    let file = added.key_file.as_ref().map(|file| file.display().to_string());
    if terminal.json() {
        let fields = json!({ "id": added.id, "kind": added.kind.word(), "key_file": file });
        output::object(&json::object("summary", fields))?;
    } else if terminal.talks() {
        output::line(line)?;
        if let Some(file) = file {
            output::line(&report::key_file(terminal.lang, &escape(file.as_bytes())))?;
        }
    }
    Ok(Status::Completed)
}

fn list(terminal: &Terminal) -> Result<Status, Failure> {
    let slots = keys::list(&terminal.context, terminal)?;
    if terminal.json() {
        output::object(&slots.iter().map(slot_json).collect::<Vec<_>>())?;
    } else {
        let rows = slots.iter().map(|slot| slot_row(terminal.lang, slot));
        let rows: Vec<Vec<String>> = rows.collect();
        let table = text::table(&report::columns(terminal.lang), &[], &rows);
        output::write(table.as_bytes())?;
    }
    match slots.iter().all(|slot| slot.kind.is_some()) {
        true => Ok(Status::Completed),
        false => Ok(Status::Damaged),
    }
}

fn created(slot: &SlotInfo) -> Option<Timestamp> {
    let note = slot.note.as_ref()?;
    Timestamp::from_second(note.created).ok()
}

fn slot_json(slot: &SlotInfo) -> Value {
    json!({
        "current": slot.current,
        "id": slot.id.to_hex(),
        "userName": "",
        "hostName": slot.note.as_ref().map_or("", |note| &note.label),
        "created": created(slot).map_or(String::new(), text::time),
        "kind": kind_word(slot),
    })
}

fn slot_row(lang: Lang, slot: &SlotInfo) -> Vec<String> {
    let label = slot.note.as_ref().map_or("", |note| &note.label);
    vec![
        text::short(&slot.id.to_hex()),
        kind_word(slot).to_string(),
        escape(label.as_bytes()),
        created(slot).map_or(String::new(), text::time),
        match slot.current {
            true => report::current(lang),
            false => String::new(),
        },
    ]
}

fn remove(terminal: &Terminal, args: &KeyRemoveArgs) -> Result<Status, Failure> {
    let removed = keys::remove(&terminal.context, &args.slot, args.ask.yes, terminal)?;
    tell(
        terminal,
        json!({ "id": removed.id, "kind": removed.kind, "removed": true }),
        &report::removed(terminal.lang, removed.kind, &removed.id),
    )
}

fn tell(terminal: &Terminal, fields: Value, line: &str) -> Result<Status, Failure> {
    if terminal.json() {
        output::object(&json::object("summary", fields))?;
    } else if terminal.talks() {
        output::line(line)?;
    }
    Ok(Status::Completed)
}

fn export(terminal: &Terminal, args: &KeyExportArgs) -> Result<Status, Failure> {
    let keys = keys::export(&terminal.context, &args.file, terminal)?;
    let file = args.file.display().to_string();
    tell(
        terminal,
        json!({ "file": file, "keys": keys }),
        &report::exported(terminal.lang, keys as u64, &escape(file.as_bytes())),
    )
}

fn recovery(terminal: &Terminal) -> Result<Status, Failure> {
    let added = match terminal.can_confirm() && std::io::stdout().is_terminal() {
        true => keys::recovery(&terminal.context, &Confirming::new(terminal)),
        false => keys::recovery(&terminal.context, terminal),
    }?;
    let (id, kind) = (added.id, added.kind.word());
    match terminal.json() {
        true => output::object(&json::object("summary", json!({ "id": id, "kind": kind })))?,
        false => output::line(&report::phrase_added(terminal.lang, &id))?,
    }
    Ok(Status::Completed)
}
