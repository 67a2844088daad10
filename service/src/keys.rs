//! The jobs `key`: what opens the repository. A slot that is added is proven to open before anything is removed.

use crate::context::Context;
use crate::face::{Face, confirm};
use crate::failure::Failure;
use crate::key_file::{self, KeyFile};
use crate::resolve::{self, NewSecretOptions};
use crate::secret::{self, Credential, PasswordPrompt};
use crate::status::Status;
use crate::text;
use engine::key;
pub use engine::key::{SlotInfo, SlotKind, forget_kept};
use engine::platform::files;
use engine::repo::Repo;
use engine::{Error, tar};
use std::path::{Path, PathBuf};

/// A slot that was added.
#[derive(Clone, Debug)]
pub struct AddedKey {
    pub id: String,
    pub kind: SlotKind,
    /// The key file, if it is one.
    pub key_file: Option<PathBuf>,
    /// The slot whose place it takes.
    pub replaced: Option<String>,
}

/// A new secret, and the key file it is in if it is one.
struct NewKey {
    secret: key::Secret,
    file: Option<KeyFile>,
}

fn new_key(context: &Context, options: &NewSecretOptions, face: &dyn Face) -> Result<NewKey, Failure> {
    let source = resolve::new_secret(options, &context.env)?;
    match secret::read(&source, PasswordPrompt::New, face)? {
        Credential::Password(password) => Ok(NewKey {
            secret: key::Secret::Password(key::Password::new(password.expose())),
            file: None,
        }),
        Credential::KeyFile(path) => {
            let file = KeyFile::read_or_make(&path)?;
            Ok(NewKey {
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
fn put(context: &Context, repo: &Repo, new: &NewKey) -> Result<AddedKey, Failure> {
    let label = context.host().unwrap_or_default();
    let added = key::add(repo, &new.secret, &label, context.now_secs());
    let id = added.inspect_err(|_| {
        if let Some(file) = &new.file {
            file.unmake();
        }
    })?;
    Ok(AddedKey {
        id: id.to_hex(),
        kind: new.secret.kind(),
        key_file: new.file.as_ref().map(|file| file.path.clone()),
        replaced: None,
    })
}

/// Adds a password or key file.
pub fn add(context: &Context, options: &NewSecretOptions, face: &dyn Face) -> Result<AddedKey, Failure> {
    let repo = context.open(face)?;
    let new = new_key(context, options, face)?;
    put(context, &repo, &new)
}

/// Every slot, damaged ones too.
pub fn list(context: &Context, face: &dyn Face) -> Result<Vec<SlotInfo>, Failure> {
    Ok(key::list(&context.open(face)?)?)
}

/// What a slot is, in a word.
pub fn kind_word(slot: &SlotInfo) -> &'static str {
    slot.kind.map_or("damaged", SlotKind::word)
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

/// A slot that was removed.
#[derive(Clone, Debug)]
pub struct RemovedKey {
    pub id: String,
    pub kind: &'static str,
}

/// Removes the slot whose id begins with `slot`.
pub fn remove(context: &Context, slot: &str, yes: bool, face: &dyn Face) -> Result<RemovedKey, Failure> {
    let repo = context.open(face)?;
    let slots = key::list(&repo)?;
    let slot = find(&slots, slot)?;
    let (id, kind) = (slot.id.to_hex(), kind_word(slot));
    let short = text::short(&id);
    if slot.current {
        let why = format!(
            "key {short} is in use: this command opened the repository with it. Open the repository with another key to \
             remove this one, or replace it with 'dedup key passwd'; nothing was removed"
        );
        return Err(Failure::new(Status::Failed, why));
    }
    confirm(face, yes, &format!("Remove {kind} {short}"))?;
    key::remove(&repo, slot.id)?;
    Ok(RemovedKey { id, kind })
}

/// Replaces the slot that the repository was opened with.
pub fn replace(context: &Context, options: &NewSecretOptions, face: &dyn Face) -> Result<AddedKey, Failure> {
    let repo = context.open(face)?;
    let slots = key::list(&repo)?;
    let old = slots.iter().find(|slot| slot.current);
    if old.is_some_and(|slot| slot.kind == Some(SlotKind::Recovery)) {
        return Err(Failure::usage(
            "the repository was opened with the recovery phrase, which stays: add a password with 'dedup key add'",
        ));
    }
    let new = new_key(context, options, face)?;
    let added = put(context, &repo, &new)?;
    key::retire(&repo)?;
    Ok(AddedKey {
        replaced: old.map(|slot| slot.id.to_hex()),
        ..added
    })
}

/// Writes a tar archive of the sealed keys, and returns how many they are. Unpacked over a repository that lost its
/// keys, it makes it open again.
pub fn export(context: &Context, file: &Path, face: &dyn Face) -> Result<usize, Failure> {
    let repo = context.open(face)?;
    let objects = key::export(&repo)?;
    let archive =
        tar::of_small_files(&objects, context.now_secs()).map_err(|e| Failure::io("write", file, &e))?;
    files::create(file, &archive).map_err(|e| match e.kind() {
        std::io::ErrorKind::AlreadyExists => key_file::exists(file),
        _ => Failure::io("write", file, &e),
    })?;
    Ok(objects.len().saturating_sub(1))
}

/// Makes a recovery phrase and shows it, this once.
pub fn recovery(context: &Context, face: &dyn Face) -> Result<AddedKey, Failure> {
    let repo = context.open(face)?;
    let phrase = key::new_phrase().map_err(Error::from)?;
    let secret = key::parse_phrase(&phrase).map_err(Error::from)?;
    // A slot whose phrase nobody saw would be taken for one that somebody has.
    face.show_phrase(&phrase)?;
    let added = key::add(&repo, &secret, "", context.now_secs());
    let id = added.map_err(|e| Failure::from(e).with("the recovery phrase above opens nothing"))?;
    Ok(AddedKey {
        id: id.to_hex(),
        kind: SlotKind::Recovery,
        key_file: None,
        replaced: None,
    })
}
