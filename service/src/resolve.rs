//! From options, environment and settings to the repository that a run is about and what opens it. An option beats its
//! variable; an empty value clears (what follows is then as if neither were given); an invalid one is an error. `~/` at
//! the beginning of a path is the home directory wherever it is given. Reads no secret ([`crate::secret`] does), so
//! that a missing repository is reported before a prompt.
//!
//! If nothing names a repository, it is the embedded one: `$XDG_DATA_HOME/dedup/repository`, opened by the key
//! file `$XDG_CONFIG_HOME/dedup/default.key`, unless a password or another key was given. Where that does not exist and the
//! settings have a single remote, it is that one: what was set up is what commands are about.

use crate::catalogue::{Action, Cause, Expected, What};
use crate::env::Env;
use crate::failure::Failure;
use crate::machine;
use crate::secret::{Hidden, SecretSource, read_first_line};
use crate::settings::{self, Remote, Settings};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// What a face was given about the repository and what opens it. An empty value overrides the environment.
#[derive(Clone, Debug, Default)]
pub struct RepositoryOptions {
    pub repo: Option<OsString>,
    pub repository_file: Option<OsString>,
    pub password_file: Option<OsString>,
    pub password_command: Option<OsString>,
    pub key_file: Option<OsString>,
    pub recovery_phrase_file: Option<OsString>,
}

impl RepositoryOptions {
    /// Whether they name a repository.
    pub fn names_repository(&self) -> bool {
        filled(&self.repo).is_some() || filled(&self.repository_file).is_some()
    }
}

/// What opens the repository that `copy` reads.
#[derive(Clone, Debug, Default)]
pub struct CopySourceOptions {
    pub password_file: Option<OsString>,
    pub password_command: Option<OsString>,
    pub key_file: Option<OsString>,
}

/// The secret that `key add` and `key passwd` put in.
#[derive(Clone, Debug, Default)]
pub struct NewSecretOptions {
    pub password_file: Option<OsString>,
    pub password_command: Option<OsString>,
    pub key_file: Option<OsString>,
}

/// Which repository, and whether it is the embedded one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Location {
    pub url: String,
    pub embedded: bool,
    /// What opens it according to the settings.
    pub keys: Vec<SecretSource>,
}

impl Location {
    /// A place of which no more is known.
    pub fn of(url: &str) -> Location {
        Location {
            url: url.to_string(),
            embedded: false,
            keys: Vec::new(),
        }
    }

    fn at(remote: &Remote) -> Location {
        Location {
            keys: remote.keys.clone(),
            ..Location::of(&remote.url)
        }
    }
}

/// Which repository this run is about.
pub fn location(options: &RepositoryOptions, env: &Env, settings: &Settings) -> Result<Location, Failure> {
    match (&options.repo, &options.repository_file) {
        (None, None) => usual(env, settings),
        (url, file) => given(filled(url), filled(file), env, settings),
    }
}

/// Which repository a run is about whose options name none.
pub fn usual(env: &Env, settings: &Settings) -> Result<Location, Failure> {
    let url = env.get("DEDUP_REPOSITORY");
    let file = env.get("DEDUP_REPOSITORY_FILE");
    match url.is_some() && file.is_some() {
        true => Err(both("DEDUP_REPOSITORY", "DEDUP_REPOSITORY_FILE")),
        false => given(url, file, env, settings),
    }
}

fn given(
    url: Option<&OsStr>,
    file: Option<&OsStr>,
    env: &Env,
    settings: &Settings,
) -> Result<Location, Failure> {
    let url = match (url, file) {
        (Some(url), _) => url
            .to_str()
            .ok_or(Cause::NotUtf8 { what: What::Location })?
            .to_string(),
        (None, Some(file)) => read_first_line(What::Location, &env.expand(file)?)?
            .expose()
            .trim()
            .to_string(),
        (None, None) => {
            let path = env
                .base("XDG_DATA_HOME", ".local/share")?
                .join("dedup/repository");
            let url = path.into_os_string().into_string();
            let what = What::DefaultLocation;
            let url = url.map_err(|_| Cause::NotUtf8 { what })?;
            if let Some(remote) = the_remote(settings, &url) {
                return Ok(Location::at(remote));
            }
            let embedded = true;
            return Ok(Location {
                embedded,
                ..Location::of(&url)
            });
        }
    };
    place(&url, env, settings)
}

/// A remote by its name, if one is called so, or else by its URL.
fn place(text: &str, env: &Env, settings: &Settings) -> Result<Location, Failure> {
    if text.starts_with('~') {
        let path = env.expand(OsStr::new(text))?.into_os_string().into_string();
        let path = path.map_err(|_| Cause::NotUtf8 { what: What::HomePath })?;
        return Ok(Location::of(&path));
    }
    if !settings::is_name(text) {
        return Ok(Location::of(text));
    }
    let remote = settings.remote(text);
    Ok(remote.map_or_else(|| Location::of(text), Location::at))
}

/// The remote that is the embedded repository, as `setup` may have made it, or that takes its place.
fn the_remote<'s>(settings: &'s Settings, embedded: &str) -> Option<&'s Remote> {
    let same = settings.remotes.iter().find(|remote| remote.url == embedded);
    match (same, &settings.remotes[..]) {
        // Without keys of its own it is opened by the default key, like every embedded one.
        (Some(same), _) => Some(same).filter(|remote| !remote.keys.is_empty()),
        (None, [only]) if !is_there(Path::new(embedded)) => Some(only),
        (None, _) => None,
    }
}

/// Also a link that leads to a disk that is not mounted is the user's repository.
fn is_there(repository: &Path) -> bool {
    repository.symlink_metadata().is_ok()
}

/// A remote beside the one that this run is about. A word that is no name must at least be a directory.
pub fn remote(text: &str, env: &Env, settings: &Settings) -> Result<Location, Failure> {
    let location = place(text, env, settings)?;
    if location.url == text && settings::is_name(text) && !Path::new(text).exists() {
        settings.named(text)?;
    }
    let url = absolute(&location.url)?;
    Ok(Location { url, ..location })
}

/// A directory as it is called from everywhere; any other URL as it is.
pub fn absolute(url: &str) -> Result<String, Failure> {
    let Some(path) = engine::repo::local_path(url) else {
        return Ok(url.to_string());
    };
    let path = std::path::absolute(path).map_err(|e| Cause::system(Action::Locate, path, e))?;
    let path = path.into_os_string().into_string();
    path.map_err(|_| Cause::NotUtf8 { what: What::Path }.into())
}

/// The key file of the embedded repository.
pub fn default_key(env: &Env) -> Result<PathBuf, Failure> {
    Ok(env.base("XDG_CONFIG_HOME", ".config")?.join("dedup/default.key"))
}

/// What may open an existing repository, to be tried in this order. If an option names a secret, the environment's
/// are not tried: an explicit wrong password is wrong.
pub fn opening(
    options: &RepositoryOptions,
    env: &Env,
    location: &Location,
) -> Result<Vec<SecretSource>, Failure> {
    expanded(openers(options, env, location)?, env)
}

fn openers(
    options: &RepositoryOptions,
    env: &Env,
    location: &Location,
) -> Result<Vec<SecretSource>, Failure> {
    let phrase = filled(&options.recovery_phrase_file).map(|file| SecretSource::PhraseFile(file.into()));
    let key = filled(&options.key_file).map(|file| SecretSource::KeyFile(file.into()));
    let given: Vec<SecretSource> = phrase
        .into_iter()
        .chain(key)
        .chain(password_option(options).flatten())
        .collect();
    if !given.is_empty() {
        return Ok(given);
    }
    let sources: Vec<SecretSource> = key_file(options, env)
        .into_iter()
        .chain(password(options, env)?)
        .collect();
    if !sources.is_empty() {
        return Ok(sources);
    }
    if !location.keys.is_empty() {
        return Ok(location.keys.clone());
    }
    let default = default_key(env);
    match default {
        Ok(key) if location.embedded && key.exists() => Ok(vec![SecretSource::KeyFile(key)]),
        _ => Ok(vec![SecretSource::Prompt]),
    }
}

/// What may open the repository that `copy` reads. The options and variables of the target do not apply to it.
pub fn opening_source(
    options: &CopySourceOptions,
    env: &Env,
    location: &Location,
) -> Result<Vec<SecretSource>, Failure> {
    let key = filled(&options.key_file).map(|file| SecretSource::KeyFile(file.into()));
    let password = filled(&options.password_file).map(file);
    let password = password.or(filled(&options.password_command).map(command));
    let given: Vec<SecretSource> = key.into_iter().chain(password).collect();
    if !given.is_empty() {
        return expanded(given, env);
    }
    let key = env
        .get("DEDUP_FROM_KEY_FILE")
        .map(|file| SecretSource::KeyFile(file.into()));
    let password = password_variable(env, "DEDUP_FROM_PASSWORD")?;
    let variables: Vec<SecretSource> = key.into_iter().chain(password).collect();
    match (variables.is_empty(), location.keys.is_empty()) {
        (false, _) => expanded(variables, env),
        (true, false) => Ok(location.keys.clone()),
        (true, true) => Ok(vec![SecretSource::Prompt]),
    }
}

/// What will open a repository that is made now: a key file, a password, or both. If neither was given, it is what the
/// settings have for this remote, which later commands will open it with. Else the embedded one gets the default key
/// file, and any other a password that is asked for.
pub fn creating(
    options: &RepositoryOptions,
    env: &Env,
    location: &Location,
) -> Result<Vec<SecretSource>, Failure> {
    if filled(&options.recovery_phrase_file).is_some() {
        return Err(Cause::PhraseIsMadeByInit.into());
    }
    let sources: Vec<SecretSource> = key_file(options, env)
        .into_iter()
        .chain(password(options, env)?)
        .collect();
    match sources.is_empty() {
        false => expanded(sources, env),
        true if !location.keys.is_empty() => expanded(location.keys.clone(), env),
        true if location.embedded => Ok(vec![SecretSource::KeyFile(default_key(env)?)]),
        true => Ok(vec![SecretSource::Prompt]),
    }
}

/// The secret that `key add` and `key passwd` put in.
pub fn new_secret(options: &NewSecretOptions, env: &Env) -> Result<SecretSource, Failure> {
    let option = [
        options
            .password_file
            .as_ref()
            .map(|_| filled(&options.password_file).map(file)),
        options
            .password_command
            .as_ref()
            .map(|_| filled(&options.password_command).map(command)),
        options
            .key_file
            .as_ref()
            .map(|_| filled(&options.key_file).map(|f| SecretSource::KeyFile(f.into()))),
    ];
    if let Some(source) = option.into_iter().flatten().next() {
        return expand(source.unwrap_or(SecretSource::Prompt), env);
    }
    let key = env
        .get("DEDUP_NEW_KEY_FILE")
        .map(|file| SecretSource::KeyFile(file.into()));
    match (password_variable(env, "DEDUP_NEW_PASSWORD")?, key) {
        (Some(_), Some(_)) => Err(both("a DEDUP_NEW_PASSWORD variable", "DEDUP_NEW_KEY_FILE")),
        (password, key) => expand(password.or(key).unwrap_or(SecretSource::Prompt), env),
    }
}

/// `~/` at the beginning of a path is the home directory: a unit or a crontab has no shell that would see to it.
fn expand(source: SecretSource, env: &Env) -> Result<SecretSource, Failure> {
    Ok(match source {
        SecretSource::PasswordFile(path) => SecretSource::PasswordFile(env.expand(path.as_os_str())?),
        SecretSource::KeyFile(path) => SecretSource::KeyFile(env.expand(path.as_os_str())?),
        SecretSource::PhraseFile(path) => SecretSource::PhraseFile(env.expand(path.as_os_str())?),
        SecretSource::Password(_)
        | SecretSource::PasswordCommand(_)
        | SecretSource::PasswordFd(_)
        | SecretSource::Prompt => source,
    })
}

fn expanded(sources: Vec<SecretSource>, env: &Env) -> Result<Vec<SecretSource>, Failure> {
    sources.into_iter().map(|source| expand(source, env)).collect()
}

fn key_file(options: &RepositoryOptions, env: &Env) -> Option<SecretSource> {
    let file = match &options.key_file {
        Some(_) => filled(&options.key_file),
        None => env.get("DEDUP_KEY_FILE"),
    };
    file.map(|file| SecretSource::KeyFile(file.into()))
}

fn password(options: &RepositoryOptions, env: &Env) -> Result<Option<SecretSource>, Failure> {
    match password_option(options) {
        Some(source) => Ok(source),
        None => password_variable(env, "DEDUP_PASSWORD"),
    }
}

/// `Some(None)` where an option was given and is empty.
fn password_option(options: &RepositoryOptions) -> Option<Option<SecretSource>> {
    match (&options.password_file, &options.password_command) {
        (None, None) => None,
        (given, other) => Some(filled(given).map(file).or(filled(other).map(command))),
    }
}

fn password_variable(env: &Env, name: &str) -> Result<Option<SecretSource>, Failure> {
    let names = ["", "_FILE", "_COMMAND", "_FD"].map(|end| format!("{name}{end}"));
    let mut set = names.iter().filter(|name| env.get(name).is_some());
    let Some(first) = set.next() else { return Ok(None) };
    if let Some(second) = set.next() {
        return Err(both(first, second));
    }
    let Some(value) = env.get(first) else {
        return Ok(None);
    };
    let source = match first.strip_prefix(name) {
        Some("_FILE") => file(value),
        Some("_COMMAND") => command(value),
        Some("_FD") => match descriptor(env, first)? {
            Some(number) => SecretSource::PasswordFd(number),
            None => return Ok(None),
        },
        _ => SecretSource::Password(Hidden::new(env.text(first)?.unwrap_or_default())),
    };
    Ok(Some(source))
}

/// The number of an open file.
pub(crate) fn descriptor(env: &Env, name: &str) -> Result<Option<u32>, Failure> {
    let Some(text) = env.text(name)? else {
        return Ok(None);
    };
    let number = text.parse();
    let number = number.map_err(|_| machine::bad(name, text, Expected::OpenFile))?;
    Ok(Some(number))
}

fn file(value: &OsStr) -> SecretSource {
    SecretSource::PasswordFile(value.into())
}

fn command(value: &OsStr) -> SecretSource {
    SecretSource::PasswordCommand(value.into())
}

fn filled(option: &Option<OsString>) -> Option<&OsStr> {
    option.as_deref().filter(|value| !value.is_empty())
}

fn both(a: &str, b: &str) -> Failure {
    let (one, other) = (a.to_string(), b.to_string());
    Cause::BothSet { one, other }.into()
}

#[cfg(test)]
mod tests;
