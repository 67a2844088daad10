//! The jobs `key`: what opens the repository. A slot that is added is proven to open before anything is removed.

use crate::catalogue::{Action, Cause, Question};
use crate::context::Context;
use crate::credential::{self, Credential};
use crate::face::{Face, confirm};
use crate::failure::Failure;
use crate::history::record::recorded;
use crate::history::{HistoryRow, JobInfo, JobKind};
use crate::key_file::{self, KeyFile};
use crate::resolve::{self, NewSecretOptions};
use crate::secret::{Hidden, PasswordPrompt};
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
    match credential::read(&source, PasswordPrompt::New, face)? {
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
        Credential::Phrase(_) => Err(Cause::PhraseIsMadeByRecovery.into()),
    }
}

/// Adds the slot; a key file made for it is taken back where that fails.
fn put(repo: &Repo, new: &NewKey) -> Result<AddedKey, Failure> {
    let added = key::add(repo, &new.secret, &repo.run().host);
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

/// A change with its row in the history.
fn noted<R>(
    context: &Context,
    kind: JobKind,
    face: &dyn Face,
    change: impl FnOnce(&dyn Face) -> Result<R, Failure>,
) -> Result<R, Failure> {
    let completed = |_: &R, _: &mut HistoryRow| Status::Completed;
    recorded(context, Some(JobInfo::of(kind)), face, change, completed)
}

/// Adds a password or key file.
pub fn add(context: &Context, options: &NewSecretOptions, face: &dyn Face) -> Result<AddedKey, Failure> {
    noted(context, JobKind::KeyAdd, face, |face| {
        let repo = context.open(face)?;
        let new = new_key(context, options, face)?;
        put(&repo, &new)
    })
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
        (None, _) => Err(Cause::NoKey {
            text: text.to_string(),
        }
        .into()),
        (Some(_), Some(_)) => Err(Cause::SeveralKeys {
            text: text.to_string(),
        }
        .into()),
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
    noted(context, JobKind::KeyRemove, face, |face| {
        remove_slot(context, slot, yes, face)
    })
}

fn remove_slot(context: &Context, slot: &str, yes: bool, face: &dyn Face) -> Result<RemovedKey, Failure> {
    let repo = context.open(face)?;
    let slots = key::list(&repo)?;
    let slot = find(&slots, slot)?;
    let (id, kind) = (slot.id.to_hex(), kind_word(slot));
    let short = text::short(&id);
    if slot.current {
        return Err(Cause::KeyInUse { id: short }.into());
    }
    confirm(face, yes, &Question::RemoveKey { kind, id: short })?;
    key::remove(&repo, slot.id)?;
    Ok(RemovedKey { id, kind })
}

/// Replaces the slot that the repository was opened with.
pub fn replace(context: &Context, options: &NewSecretOptions, face: &dyn Face) -> Result<AddedKey, Failure> {
    noted(context, JobKind::KeyReplace, face, |face| {
        replace_slot(context, options, face)
    })
}

fn replace_slot(context: &Context, options: &NewSecretOptions, face: &dyn Face) -> Result<AddedKey, Failure> {
    let repo = context.open(face)?;
    let slots = key::list(&repo)?;
    let old = slots.iter().find(|slot| slot.current);
    if old.is_some_and(|slot| slot.kind == Some(SlotKind::Recovery)) {
        return Err(Cause::OpenedByPhrase.into());
    }
    let new = new_key(context, options, face)?;
    let added = put(&repo, &new)?;
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
    let archive = tar::of_small_files(&objects, context.now_secs())
        .map_err(|e| Cause::system(Action::Write, file, e))?;
    files::create(file, &archive).map_err(|e| match e.kind() {
        std::io::ErrorKind::AlreadyExists => key_file::exists(file),
        _ => Cause::system(Action::Write, file, e).into(),
    })?;
    Ok(objects.len().saturating_sub(1))
}

/// Makes a recovery phrase and shows it, this once.
pub fn recovery(context: &Context, face: &dyn Face) -> Result<AddedKey, Failure> {
    noted(context, JobKind::KeyRecovery, face, |face| {
        make_phrase(context, face)
    })
}

/// Whether somebody has the right phrase: it is tried, and nothing else is done with what it opens.
pub fn check_phrase(context: &Context, phrase: &Hidden) -> Result<(), Failure> {
    let secret = credential::unlocking(&Credential::Phrase(phrase.clone()))?;
    let found = Repo::look(&context.location()?.url, &context.run()?)?;
    Ok(found.open(&secret).map(drop)?)
}

fn make_phrase(context: &Context, face: &dyn Face) -> Result<AddedKey, Failure> {
    let repo = context.open(face)?;
    let phrase = key::new_phrase().map_err(Error::from)?;
    let secret = key::parse_phrase(&phrase).map_err(Error::from)?;
    // A slot whose phrase no one saw would be taken for one that someone has.
    face.show_phrase(&phrase)?;
    let added = match face.confirms_phrase() {
        true => key::add_confirmed(&repo, &secret),
        false => key::add(&repo, &secret, ""),
    };
    let id = added.map_err(|e| Failure::from(e).with(Cause::PhraseOpensNothing))?;
    Ok(AddedKey {
        id: id.to_hex(),
        kind: SlotKind::Recovery,
        key_file: None,
        replaced: None,
    })
}
