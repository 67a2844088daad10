//! Settings, read from `dedup.toml`. The file is read and checked once, before anything else, even if the job needs
//! nothing from it, because a misspelt setting that is silently ignored is one that somebody relies on. Errors name the
//! file, line, column and key, and suggest what may have been meant.

pub mod cron;
pub mod diff;
pub mod edit;
pub mod form;
pub mod schedule;
pub mod schema;
pub mod show;
pub mod tables;
pub mod values;

mod check;

use crate::catalogue::{Action, Cause, SetCause, What};
use crate::env::Env;
use crate::failure::Failure;
use crate::secret::SecretSource;
use crate::status::Status;
use std::path::{Path, PathBuf};
use tables::{ConsoleTable, LimitsTable, MaintenanceTable, Named, NotifyTable, SetTable, UpdateTable};
pub use values::is_name;

/// Where the fallback is for users without a file of their own.
const OF_THE_SYSTEM: &str = "/etc/dedup";

/// Which file of settings is read instead of `dedup.toml`.
pub const PROFILE: &str = "DEDUP_PROFILE";

/// A remote that has a name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Remote {
    pub name: String,
    pub url: String,
    /// What opens it.
    pub keys: Vec<SecretSource>,
    /// The most that it may take up, in bytes.
    pub quota: Option<u64>,
    /// This machine removes nothing from it.
    pub append_only: bool,
}

/// The contents of the file.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The file, if there is one.
    pub path: Option<PathBuf>,
    /// This machine's name in snapshots.
    pub host: Option<String>,
    /// In the file's order.
    pub remotes: Vec<Remote>,
    pub sets: Named<SetTable>,
    pub maintenance: MaintenanceTable,
    pub limits: LimitsTable,
    pub notify: NotifyTable,
    pub console: ConsoleTable,
    pub update: UpdateTable,
}

impl Settings {
    /// Reads the user's file, or else the system's. Without either, everything has its default.
    pub fn read(env: &Env) -> Result<Settings, Failure> {
        let Some(path) = places(env)?.into_iter().find(|path| is_there(path)) else {
            return match env.get(PROFILE) {
                Some(_) => Err(SetCause::NoProfile {
                    path: file_in_use(env)?.display().to_string(),
                }
                .into()),
                None => Ok(Settings::default()),
            };
        };
        let bytes = std::fs::read(&path);
        let bytes = bytes.map_err(|e| Failure {
            status: Status::BadSettings,
            cause: Cause::system(Action::Read, &path, e),
        })?;
        Settings::from_bytes(&path, &bytes, env)
    }

    /// `path` is for messages.
    fn from_bytes(path: &Path, bytes: &[u8], env: &Env) -> Result<Settings, Failure> {
        let text = std::str::from_utf8(bytes).map_err(|e| {
            let (line, column) = check::position(&String::from_utf8_lossy(&bytes[..e.valid_up_to()]));
            let cause = Box::new(Cause::NotUtf8 { what: What::Text });
            let file = path.display().to_string();
            Failure::from(Cause::InFile {
                file,
                line,
                column,
                cause,
            })
        })?;
        Settings::parse(path, text, env)
    }

    /// `path` is for messages.
    pub fn parse(path: &Path, text: &str, env: &Env) -> Result<Settings, Failure> {
        check::settings(path, text, env)
    }

    pub fn remote(&self, name: &str) -> Option<&Remote> {
        self.remotes.iter().find(|remote| remote.name == name)
    }

    pub fn set(&self, name: &str) -> Option<&SetTable> {
        let mut sets = self.sets.0.iter();
        sets.find(|(known, _)| known.get_ref().0 == name)
            .map(|(_, set)| set)
    }

    /// The names under which a set's snapshots and history were recorded: its own, and those that it had before.
    pub fn names_of(&self, set: &str) -> Vec<String> {
        let table = self.set(set).map(|table| &table.former_names);
        let former = table.into_iter().flatten().map(|name| name.get_ref().0.clone());
        std::iter::once(set.to_string()).chain(former).collect()
    }

    /// The set that has this name, or had it when something was recorded, with its name of today.
    pub fn recorded_as(&self, name: &str) -> Option<(&str, &SetTable)> {
        let had = |set: &SetTable| set.former_names.iter().any(|former| former.get_ref().0 == name);
        let sets = || {
            self.sets
                .0
                .iter()
                .map(|(known, set)| (known.get_ref().0.as_str(), set))
        };
        let known = sets().find(|(known, _)| *known == name);
        known.or_else(|| sets().find(|(_, set)| had(set)))
    }

    /// The names of the sets, those of a higher priority first.
    pub fn set_names(&self) -> Vec<&str> {
        let mut sets: Vec<_> = self.sets.0.iter().collect();
        sets.sort_by_key(|(_, set)| std::cmp::Reverse(set.priority));
        sets.into_iter()
            .map(|(name, _)| name.get_ref().0.as_str())
            .collect()
    }

    /// A set that must be there.
    pub fn named_set(&self, name: &str) -> Result<&SetTable, Failure> {
        self.set(name).ok_or_else(|| {
            let near = nearest(name, &self.set_names());
            let name = name.to_string();
            Cause::NoSuchSet { name, near }.into()
        })
    }

    /// A remote that must have a name.
    pub fn named(&self, name: &str) -> Result<&Remote, Failure> {
        self.remote(name).ok_or_else(|| {
            let names: Vec<&str> = self.remotes.iter().map(|remote| remote.name.as_str()).collect();
            let (name, near) = (name.to_string(), nearest(name, &names));
            Cause::NoSuchRemote { name, near }.into()
        })
    }
}

/// Which settings file is used; empty for the usual one.
pub fn profile(env: &Env) -> Result<&str, Failure> {
    Ok(env.text(PROFILE)?.unwrap_or_default())
}

/// `dedup.toml`, or what it is called in the profile that was asked for.
fn file_name(env: &Env) -> Result<String, Failure> {
    match env.text(PROFILE)? {
        None => Ok("dedup.toml".to_string()),
        Some(name) if is_name(name) => Ok(format!("{name}.toml")),
        Some(name) => {
            let text = name.to_string();
            Err(Failure::from(Cause::NotAName { text }).of("--profile"))
        }
    }
}

/// Where the file may be: the user's, and the system's. Where there is no home directory there are no settings of the
/// user's.
fn places(env: &Env) -> Result<Vec<PathBuf>, Failure> {
    let name = file_name(env)?;
    let own = env.base("XDG_CONFIG_HOME", ".config").ok();
    let own = own.map(|base| base.join("dedup").join(&name));
    Ok(own
        .into_iter()
        .chain([Path::new(OF_THE_SYSTEM).join(&name)])
        .collect())
}

/// The file that is read, and so the one to change; the user's where there is none yet.
pub fn file_in_use(env: &Env) -> Result<PathBuf, Failure> {
    let own = || {
        Ok(env
            .base("XDG_CONFIG_HOME", ".config")?
            .join("dedup")
            .join(file_name(env)?))
    };
    match places(env)?.into_iter().find(|path| is_there(path)) {
        Some(path) => Ok(path),
        None => own(),
    }
}

/// A file in a folder that can't be entered is not there for this user: `HOME` may be another's, or no folder.
fn is_there(path: &Path) -> bool {
    use std::io::ErrorKind::{NotADirectory, NotFound, PermissionDenied};
    match std::fs::metadata(path) {
        Ok(_) => true,
        Err(e) => !matches!(e.kind(), NotFound | NotADirectory | PermissionDenied),
    }
}

/// The one of these words that may have been meant.
pub fn nearest(word: &str, known: &[&str]) -> Option<String> {
    let near = known
        .iter()
        .map(|known| (strsim::damerau_levenshtein(word, known), known))
        .min();
    match near {
        Some((distance, known)) if distance <= 2.max(word.len() / 3) => Some(known.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
