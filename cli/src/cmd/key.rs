//! `key`: what opens the repository. A slot that is added is proven to open before anything is removed.

use crate::args::{KeyCommand, KeyExportArgs, KeyRemoveArgs, NewSecretArgs};
use crate::cmd::init::{phrase_text, show_phrase_json};
use crate::output;
use crate::render::{json, text};
use crate::terminal::Terminal;
use engine::key::{self, SlotInfo, SlotKind};
use engine::repo::Repo;
use engine::units::escape;
use engine::{Error, tar};
use jiff::Timestamp;
use serde_json::{Value, json};
use service::face::confirm;
use service::key_file::{self, KeyFile};
use service::resolve;
use service::secret::{self, Credential, PasswordPrompt};
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

/// A new secret, and the key file it is in if it is one.
struct New {
    secret: key::Secret,
    file: Option<KeyFile>,
}

fn new_secret(terminal: &Terminal, args: &NewSecretArgs) -> Result<New, Failure> {
    let source = resolve::new_secret(&args.into(), &terminal.context.env)?;
    match secret::read(&source, PasswordPrompt::New, terminal)? {
        Credential::Password(password) => Ok(New {
            secret: key::Secret::Password(key::Password::new(password.expose())),
            file: None,
        }),
        Credential::KeyFile(path) => {
            let file = KeyFile::read_or_make(&path)?;
            Ok(New {
                secret: file.secret.clone(),
                file: Some(file),
            })
        }
        Credential::Phrase(_) => Err(Failure::usage(
            "a recovery phrase is made by 'dedup key recovery'",
        )),
    }
}

/// Adds the slot; a key file made for it is taken back where that fails.
fn put(terminal: &Terminal, repo: &Repo, new: &New) -> Result<String, Failure> {
    let label = terminal.context.host().unwrap_or_default();
    let added = key::add(repo, &new.secret, &label, terminal.context.now_secs());
    let id = added.inspect_err(|_| {
        if let Some(file) = &new.file {
            file.unmake();
        }
    })?;
    Ok(id.to_hex())
}

fn add(terminal: &Terminal, args: &NewSecretArgs) -> Result<Status, Failure> {
    let repo = terminal.open()?;
    let new = new_secret(terminal, args)?;
    let id = put(terminal, &repo, &new)?;
    let kind = new.secret.kind().word();
    tell_added(
        terminal,
        &id,
        kind,
        &new,
        &format!("Added {kind} {}", text::short(&id)),
    )
}

fn tell_added(terminal: &Terminal, id: &str, kind: &str, new: &New, line: &str) -> Result<Status, Failure> {
    let file = new.file.as_ref().map(|file| file.path.display().to_string());
    if terminal.json() {
        let fields = json!({ "id": id, "kind": kind, "key_file": file });
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
    let repo = terminal.open()?;
    let slots = key::list(&repo)?;
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

fn kind_word(slot: &SlotInfo) -> &'static str {
    slot.kind.map_or("damaged", SlotKind::word)
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

/// The slot whose id begins with `text`.
fn find<'a>(slots: &'a [SlotInfo], text: &str) -> Result<&'a SlotInfo, Failure> {
    let prefix = text.to_ascii_lowercase();
    let mut found = slots
        .iter()
        .filter(|slot| !prefix.is_empty() && slot.id.to_hex().starts_with(&prefix));
    match (found.next(), found.next()) {
        (Some(slot), None) => Ok(slot),
        (None, _) => Err(Failure::new(
            Status::Failed,
            format!("there is no key '{text}'; 'dedup key list' shows what there is"),
        )),
        (Some(_), Some(_)) => Err(Failure::new(
            Status::Failed,
            format!("several keys begin with '{text}'; write more of the id"),
        )),
    }
}

fn remove(terminal: &Terminal, args: &KeyRemoveArgs) -> Result<Status, Failure> {
    let repo = terminal.open()?;
    let slots = key::list(&repo)?;
    let slot = find(&slots, &args.slot)?;
    let (id, kind) = (slot.id.to_hex(), kind_word(slot));
    let short = text::short(&id);
    if slot.current {
        let why = format!(
            "key {short} is in use: this command opened the repository with it. Open the repository with another key to \
             remove this one, or replace it with 'dedup key passwd'; nothing was removed"
        );
        return Err(Failure::new(Status::Failed, why));
    }
    confirm(terminal, args.yes, &format!("Remove {kind} {short}"))?;
    key::remove(&repo, slot.id)?;
    tell(
        terminal,
        json!({ "id": id, "kind": kind, "removed": true }),
        &format!(
            "Removed {kind} {short}. Whoever kept a copy of the slot and its secret can still open the repository"
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

fn passwd(terminal: &Terminal, args: &NewSecretArgs) -> Result<Status, Failure> {
    let repo = terminal.open()?;
    let old = repo.store.opened_with();
    let slots = key::list(&repo)?;
    let recovery = |slot: &&SlotInfo| slot.id == old && slot.kind == Some(SlotKind::Recovery);
    if slots.iter().find(recovery).is_some() {
        return Err(Failure::usage(
            "the repository was opened with the recovery phrase, which stays: add a password with 'dedup key add'",
        ));
    }
    let new = new_secret(terminal, args)?;
    let id = put(terminal, &repo, &new)?;
    key::retire(&repo)?;
    let kind = new.secret.kind().word();
    let line = format!(
        "The {kind} {} opens the repository now; {} no longer does",
        text::short(&id),
        text::short(&old.to_hex())
    );
    tell_added(terminal, &id, kind, &new, &line)
}

/// A tar archive of sealed objects: unpacked over a repository that lost its keys, it makes it open again.
fn export(terminal: &Terminal, args: &KeyExportArgs) -> Result<Status, Failure> {
    let repo = terminal.open()?;
    let objects = key::export(&repo)?;
    let archive = tar::of_small_files(&objects, terminal.context.now_secs())
        .map_err(|e| Failure::io("write", &args.file, &e))?;
    key_file::create_private(&args.file, &archive).map_err(|e| match e.kind() {
        std::io::ErrorKind::AlreadyExists => key_file::exists(&args.file),
        _ => Failure::io("write", &args.file, &e),
    })?;
    let file = args.file.display().to_string();
    let slots = objects.len().saturating_sub(1);
    tell(
        terminal,
        json!({ "file": file, "keys": slots }),
        &format!(
            "Saved {} to {}. Should the repository lose its own, unpack it there: tar -xf FILE -C REPOSITORY",
            text::count(slots as u64, "sealed key"),
            escape(file.as_bytes())
        ),
    )
}

fn recovery(terminal: &Terminal) -> Result<Status, Failure> {
    let repo = terminal.open()?;
    let phrase = key::new_phrase().map_err(Error::from)?;
    let secret = key::parse_phrase(&phrase).map_err(Error::from)?;
    // A slot whose phrase nobody saw would be taken for one that somebody has.
    match terminal.json() {
        true => show_phrase_json(&phrase)?,
        false => output::show(phrase_text(&phrase).as_bytes())?,
    }
    let added = key::add(&repo, &secret, "", terminal.context.now_secs());
    let id = added.map_err(|e| Failure::from(e).with("the recovery phrase above opens nothing"))?;
    let (id, kind) = (id.to_hex(), SlotKind::Recovery.word());
    match terminal.json() {
        true => output::object(&json::object("summary", json!({ "id": id, "kind": kind })))?,
        false => output::line(&format!("Added recovery phrase {}", text::short(&id)))?,
    }
    Ok(Status::Completed)
}
