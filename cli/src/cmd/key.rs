//! `key`: what opens the repository.

use crate::args::{KeyCommand, KeyExportArgs, KeyRemoveArgs, NewSecretArgs};
use crate::output;
use crate::render::{json, text};
use crate::terminal::Terminal;
use jiff::Timestamp;
use serde_json::{Value, json};
use service::keys::{self, AddedKey, SlotInfo, kind_word};
use service::units::escape;
use service::{Failure, Status};

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
    let line = format!("Added {} {}", added.kind.word(), text::short(&added.id));
    tell_added(terminal, &added, &line)
}

fn passwd(terminal: &Terminal, args: &NewSecretArgs) -> Result<Status, Failure> {
    let added = keys::replace(&terminal.context, &args.into(), terminal)?;
    let line = format!(
        "The {} {} opens the repository now; {} no longer does",
        added.kind.word(),
        text::short(&added.id),
        text::short(added.replaced.as_deref().unwrap_or_default())
    );
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
            output::line(&format!("Key file: {}", escape(file.as_bytes())))?;
        }
    }
    Ok(Status::Completed)
}

fn list(terminal: &Terminal) -> Result<Status, Failure> {
    let slots = keys::list(&terminal.context, terminal)?;
    if terminal.json() {
        output::object(&slots.iter().map(slot_json).collect::<Vec<_>>())?;
    } else {
        let rows: Vec<Vec<String>> = slots.iter().map(slot_row).collect();
        output::write(text::table(&["ID", "Kind", "Host", "Created", ""], &[], &rows).as_bytes())?;
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

fn slot_row(slot: &SlotInfo) -> Vec<String> {
    let label = slot.note.as_ref().map_or("", |note| &note.label);
    vec![
        text::short(&slot.id.to_hex()),
        kind_word(slot).to_string(),
        escape(label.as_bytes()),
        created(slot).map_or(String::new(), text::time),
        if slot.current { "opened with this" } else { "" }.to_string(),
    ]
}

fn remove(terminal: &Terminal, args: &KeyRemoveArgs) -> Result<Status, Failure> {
    let removed = keys::remove(&terminal.context, &args.slot, args.ask.yes, terminal)?;
    let short = text::short(&removed.id);
    tell(
        terminal,
        json!({ "id": removed.id, "kind": removed.kind, "removed": true }),
        &format!(
            "Removed {} {short}. Whoever kept a copy of the slot and its secret can still open the repository",
            removed.kind
        ),
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
        &format!(
            "Saved {} to {}. Should the repository lose its own, unpack it there: tar -xf FILE -C REPOSITORY",
            text::count(keys as u64, "sealed key"),
            escape(file.as_bytes())
        ),
    )
}

fn recovery(terminal: &Terminal) -> Result<Status, Failure> {
    let added = keys::recovery(&terminal.context, terminal)?;
    let (id, kind) = (added.id, added.kind.word());
    match terminal.json() {
        true => output::object(&json::object("summary", json!({ "id": id, "kind": kind })))?,
        false => output::line(&format!("Added recovery phrase {}", text::short(&id)))?,
    }
    Ok(Status::Completed)
}
