//! The jobs `set add`, `set edit` and `set remove`: changes of the tables `[sets.NAME]` of the settings file. Each is a
//! [`Draft`], which the caller shows or writes.

use crate::catalogue::{Action, Cause, Question, SetCause, SetupWarning, What};
use crate::context::Context;
use crate::face::{Face, Notice, confirm_if_possible};
use crate::failure::Failure;
use crate::notify::event;
use crate::run_state;
use crate::settings::edit::{self, Draft, KeyValue, KeyValues};
use crate::settings::is_name;
use crate::settings::values::AbsolutePath;
use std::ffi::OsStr;

/// A new set. Without destinations it is saved at the only remote that has a name.
pub fn add(
    context: &Context,
    name: &str,
    (mut keys, retention): (KeyValues, KeyValues),
    face: &dyn Face,
) -> Result<Draft, Failure> {
    if !is_name(name) {
        let text = name.to_string();
        return Err(Cause::NotAName { text }.into());
    }
    let given = |wanted: &str| keys.iter().any(|(key, _)| *key == wanted);
    if !given("sources") {
        return Err(SetCause::NoSource.into());
    }
    if !given("destinations") {
        let [only] = &context.settings.remotes[..] else {
            let remotes = context.settings.remotes.len();
            return Err(SetCause::NoDestination { remotes }.into());
        };
        let only = KeyValue::Texts(vec![only.name.clone()]);
        keys.insert(1, ("destinations", only));
    }
    let changes = (keys, retention);
    let draft = edit::save_set(&context.env, name, true, &changes)?;
    warn_of_missing(context, &changes.0, face);
    Ok(draft)
}

/// Other values for keys of a set and of its retention.
pub fn change(
    context: &Context,
    name: &str,
    changes: &(KeyValues, KeyValues),
    face: &dyn Face,
) -> Result<Draft, Failure> {
    context.settings.named_set(name)?;
    warn_of_missing(context, &changes.0, face);
    edit::save_set(&context.env, name, false, changes)
}

/// The settings without a set. Its snapshots stay.
pub fn remove(context: &Context, name: &str) -> Result<Draft, Failure> {
    context.settings.named_set(name)?;
    edit::remove_set(&context.env, name)
}

/// Writes the draft of a removal, which is asked for, and forgets when the set ran: another one of that name is new.
pub fn write_removal(
    context: &Context,
    name: &str,
    draft: &Draft,
    yes: bool,
    face: &dyn Face,
) -> Result<(), Failure> {
    let question = Question::RemoveSet {
        name: name.to_string(),
    };
    confirm_if_possible(face, yes, &question)?;
    draft.write(&context.env)?;
    run_state::forget(&context.dirs()?, name)
}

/// Writes a draft in which a set has another name. What is known of its runs goes with it: first to the new name, so that a
/// crash leaves it known under the name that the settings have.
pub fn write_renamed(context: &Context, from: &str, to: &str, draft: &Draft) -> Result<(), Failure> {
    draft.check(&context.env)?;
    let dirs = context.dirs()?;
    let lock = run_state::try_lock(&dirs, from);
    let lock = lock.map_err(|e| Failure::system(Action::Write, &dirs.state, e))?;
    let Some(_lock) = lock else {
        let name = from.to_string();
        return Err(SetCause::RunsNow { name }.into());
    };
    run_state::copy(&dirs, from, to)?;
    event::copy(&dirs, from, to)?;
    draft.write(&context.env)?;
    run_state::forget(&dirs, from)
}

/// A source that is not there may be on a disk that is not plugged in, or be misspelt.
fn warn_of_missing(context: &Context, keys: &KeyValues, face: &dyn Face) {
    let sources = keys.iter().filter(|(key, _)| *key == "sources");
    for (_, value) in sources {
        let KeyValue::Texts(paths) = value else { continue };
        for path in paths {
            // One that can't be expanded is refused when the draft is checked.
            let expanded = context.env.expand(OsStr::new(path));
            if expanded.is_ok_and(|path| path.symlink_metadata().is_err()) {
                let path = path.clone();
                face.notice(&Notice::Warning {
                    during: "set",
                    warning: &SetupWarning::SourceNotThere { path },
                });
            }
        }
    }
}

/// A source as it is written into the settings: absolute, or below the home directory.
pub fn source(text: &OsStr) -> Result<String, Failure> {
    let given = text.to_str().ok_or(Cause::NotUtf8 { what: What::Path })?;
    if given.starts_with("~/") || given == "~" {
        return Ok(given.to_string());
    }
    let path = std::path::absolute(given).map_err(|e| Cause::NotAPath {
        text: given.to_string(),
        why: e.into(),
    })?;
    let path = path.into_os_string().into_string();
    let path = path.map_err(|_| Cause::NotUtf8 { what: What::Path })?;
    AbsolutePath::parse(&path).map_err(|fault| Cause::Value { fault })?;
    Ok(path)
}
