//! From options and environment to what a run uses: which repository, what opens it, which directories, which name.
//! An option beats its variable; an empty value clears (what follows is then as if neither were given); an invalid
//! one is an error. Reads no secret ([`crate::secret`] does), so that a missing repository is told before a prompt.
//!
//! Where nothing says which repository, it is the embedded one: `$XDG_DATA_HOME/dedup/repository`, opened by the key
//! file `$XDG_CONFIG_HOME/dedup/default.key`, unless a password or another key was given.

use crate::args::remotes::CopyArgs;
use crate::args::{Global, NewSecretArgs};
use crate::config::{self, Config};
use crate::env::Env;
use crate::exit::Failure;
use crate::secret::{Hidden, Source, read_first_line};
use engine::units::parse_span;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The kernel keeps a key no longer.
const KEY_CACHE_MOST: Duration = Duration::from_secs(24 * 3600);

/// Below it nothing is ever there, and nobody can make anything.
pub const NOWHERE: &str = "/proc/nowhere";

/// Which repository, and whether it is the embedded one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Location {
    pub url: String,
    pub embedded: bool,
    /// What the settings say opens it.
    pub keys: Vec<Source>,
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
}

/// Which repository this run is about.
pub fn location(global: &Global, env: &Env) -> Result<Location, Failure> {
    match (&global.repo, &global.repository_file) {
        (None, None) => usual(env),
        (url, file) => given(filled(url), filled(file), env),
    }
}

/// Which repository a run is about whose options name none.
pub fn usual(env: &Env) -> Result<Location, Failure> {
    let url = env.get("DEDUP_REPOSITORY");
    let file = env.get("DEDUP_REPOSITORY_FILE");
    match url.is_some() && file.is_some() {
        true => Err(both("DEDUP_REPOSITORY", "DEDUP_REPOSITORY_FILE")),
        false => given(url, file, env),
    }
}

fn given(url: Option<&OsStr>, file: Option<&OsStr>, env: &Env) -> Result<Location, Failure> {
    let url = match (url, file) {
        (Some(url), _) => url
            .to_str()
            .ok_or_else(|| Failure::usage("the repository's place is not UTF-8"))?
            .to_string(),
        (None, Some(file)) => read_first_line("the repository's place", Path::new(file))?
            .expose()
            .trim()
            .to_string(),
        (None, None) => {
            let path = env
                .base("XDG_DATA_HOME", ".local/share")?
                .join("dedup/repository");
            let url = path.into_os_string().into_string();
            let url = url.map_err(|_| {
                Failure::usage("the path of the default repository is not UTF-8; give --repo")
            })?;
            let embedded = true;
            return Ok(Location {
                embedded,
                ..Location::of(&url)
            });
        }
    };
    place(&url, env)
}

/// A remote by its name, if one is called so, or else by its URL.
fn place(text: &str, env: &Env) -> Result<Location, Failure> {
    if text.starts_with('~') {
        let path = env.expand(OsStr::new(text))?.into_os_string().into_string();
        let path = path.map_err(|_| Failure::usage("the path of the home directory is not UTF-8"))?;
        return Ok(Location::of(&path));
    }
    if !config::is_name(text) {
        return Ok(Location::of(text));
    }
    let config = Config::read(env)?;
    Ok(config.remote(text).map_or_else(
        || Location::of(text),
        |remote| Location {
            keys: remote.keys.clone(),
            ..Location::of(&remote.url)
        },
    ))
}

/// A remote beside the one that this run is about. A word that is no name must at least be a directory.
pub fn remote(text: &str, env: &Env) -> Result<Location, Failure> {
    let location = place(text, env)?;
    if location.url == text && config::is_name(text) && !Path::new(text).exists() {
        config::named(&Config::read(env)?, text)?;
    }
    let url = absolute(&location.url)?;
    Ok(Location { url, ..location })
}

/// A directory as it is called from everywhere; any other URL as it is.
pub fn absolute(url: &str) -> Result<String, Failure> {
    let Some(path) = engine::repo::local_path(url) else {
        return Ok(url.to_string());
    };
    let path = std::path::absolute(path).map_err(|e| Failure::io("the path", path, &e))?;
    let path = path.into_os_string().into_string();
    path.map_err(|_| Failure::usage("the path is not UTF-8"))
}

/// The key file of the embedded repository.
pub fn default_key(env: &Env) -> Result<PathBuf, Failure> {
    Ok(env.base("XDG_CONFIG_HOME", ".config")?.join("dedup/default.key"))
}

/// What may open an existing repository, to be tried in this order. If an option names a secret, the environment's
/// are not tried: an explicit wrong password is wrong.
pub fn opening(global: &Global, env: &Env, location: &Location) -> Result<Vec<Source>, Failure> {
    let phrase = filled(&global.recovery_phrase_file).map(|file| Source::PhraseFile(file.into()));
    let key = filled(&global.key_file).map(|file| Source::KeyFile(file.into()));
    let options: Vec<Source> = phrase
        .into_iter()
        .chain(key)
        .chain(password_option(global).flatten())
        .collect();
    if !options.is_empty() {
        return Ok(options);
    }
    let sources: Vec<Source> = key_file(global, env)
        .into_iter()
        .chain(password(global, env)?)
        .collect();
    if !sources.is_empty() {
        return Ok(sources);
    }
    if !location.keys.is_empty() {
        return Ok(location.keys.clone());
    }
    let default = default_key(env);
    match default {
        Ok(key) if location.embedded && key.exists() => Ok(vec![Source::KeyFile(key)]),
        _ => Ok(vec![Source::Prompt]),
    }
}

/// What may open the repository that `copy` reads. The options and variables of the target say nothing of it.
pub fn opening_source(args: &CopyArgs, env: &Env, location: &Location) -> Result<Vec<Source>, Failure> {
    let key = filled(&args.from_key_file).map(|file| Source::KeyFile(file.into()));
    let password = filled(&args.from_password_file).map(file);
    let password = password.or(filled(&args.from_password_command).map(command));
    let options: Vec<Source> = key.into_iter().chain(password).collect();
    if !options.is_empty() {
        return Ok(options);
    }
    let key = env
        .get("DEDUP_FROM_KEY_FILE")
        .map(|file| Source::KeyFile(file.into()));
    let password = password_variable(env, "DEDUP_FROM_PASSWORD")?;
    let variables: Vec<Source> = key.into_iter().chain(password).collect();
    Ok(match (variables.is_empty(), location.keys.is_empty()) {
        (false, _) => variables,
        (true, false) => location.keys.clone(),
        (true, true) => vec![Source::Prompt],
    })
}

/// What will open a repository that is made now: a key file, a password, or both. The embedded one gets the default
/// key file if neither was given, any other a password that is asked for.
pub fn creating(global: &Global, env: &Env, location: &Location) -> Result<Vec<Source>, Failure> {
    if filled(&global.recovery_phrase_file).is_some() {
        return Err(Failure::usage(
            "--recovery-phrase-file opens a repository; init makes a new phrase and prints it",
        ));
    }
    let sources: Vec<Source> = key_file(global, env)
        .into_iter()
        .chain(password(global, env)?)
        .collect();
    match sources.is_empty() {
        false => Ok(sources),
        true if location.embedded => Ok(vec![Source::KeyFile(default_key(env)?)]),
        true => Ok(vec![Source::Prompt]),
    }
}

/// The secret that `key add` and `key passwd` put in.
pub fn new_secret(args: &NewSecretArgs, env: &Env) -> Result<Source, Failure> {
    let option = [
        args.new_password_file
            .as_ref()
            .map(|_| filled(&args.new_password_file).map(file)),
        args.new_password_command
            .as_ref()
            .map(|_| filled(&args.new_password_command).map(command)),
        args.new_key_file
            .as_ref()
            .map(|_| filled(&args.new_key_file).map(|f| Source::KeyFile(f.into()))),
    ];
    if let Some(source) = option.into_iter().flatten().next() {
        return Ok(source.unwrap_or(Source::Prompt));
    }
    let key = env
        .get("DEDUP_NEW_KEY_FILE")
        .map(|file| Source::KeyFile(file.into()));
    match (password_variable(env, "DEDUP_NEW_PASSWORD")?, key) {
        (Some(_), Some(_)) => Err(both("a DEDUP_NEW_PASSWORD variable", "DEDUP_NEW_KEY_FILE")),
        (password, key) => Ok(password.or(key).unwrap_or(Source::Prompt)),
    }
}

fn key_file(global: &Global, env: &Env) -> Option<Source> {
    let file = match &global.key_file {
        Some(_) => filled(&global.key_file),
        None => env.get("DEDUP_KEY_FILE"),
    };
    file.map(|file| Source::KeyFile(file.into()))
}

fn password(global: &Global, env: &Env) -> Result<Option<Source>, Failure> {
    match password_option(global) {
        Some(source) => Ok(source),
        None => password_variable(env, "DEDUP_PASSWORD"),
    }
}

/// `Some(None)` where an option was given and is empty.
fn password_option(global: &Global) -> Option<Option<Source>> {
    match (&global.password_file, &global.password_command) {
        (None, None) => None,
        (given, other) => Some(filled(given).map(file).or(filled(other).map(command))),
    }
}

fn password_variable(env: &Env, name: &str) -> Result<Option<Source>, Failure> {
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
            Some(number) => Source::PasswordFd(number),
            None => return Ok(None),
        },
        _ => Source::Password(Hidden::new(env.text(first)?.unwrap_or_default())),
    };
    Ok(Some(source))
}

/// The number of an open file.
pub fn descriptor(env: &Env, name: &str) -> Result<Option<u32>, Failure> {
    let Some(text) = env.text(name)? else {
        return Ok(None);
    };
    let number = text.parse().map_err(|_| {
        Failure::usage(format!(
            "{name} is '{text}', not the number of an open file, such as 3"
        ))
    })?;
    Ok(Some(number))
}

fn file(value: &OsStr) -> Source {
    Source::PasswordFile(value.into())
}

fn command(value: &OsStr) -> Source {
    Source::PasswordCommand(value.into())
}

fn filled(option: &Option<OsString>) -> Option<&OsStr> {
    option.as_deref().filter(|value| !value.is_empty())
}

fn both(a: &str, b: &str) -> Failure {
    Failure::usage(format!("{a} and {b} are both set: clear one, or give an option"))
}

/// The directory of the local cache, absolute. It need not be there, nor be one that can be made.
pub fn cache_dir(env: &Env) -> Result<PathBuf, Failure> {
    directory(env, "DEDUP_CACHE_DIR", "XDG_CACHE_HOME", ".cache")
}

/// The directory of local state that is not a cache, absolute.
pub fn state_dir(env: &Env) -> Result<PathBuf, Failure> {
    directory(env, "DEDUP_STATE_DIR", "XDG_STATE_HOME", ".local/state")
}

fn directory(env: &Env, own: &str, xdg: &str, below: &str) -> Result<PathBuf, Failure> {
    match env.get(own) {
        Some(path) => {
            let path = env.expand(path)?;
            std::path::absolute(path).map_err(|e| Failure::usage(format!("{own} is not a path: {e}")))
        }
        None => {
            let base = env.base(xdg, below).unwrap_or_else(|_| PathBuf::from(NOWHERE));
            Ok(base.join("dedup"))
        }
    }
}

/// A directory, unless it would be in a home directory that is not there: that is made by whoever gives it to a user.
pub fn or_nowhere(directory: PathBuf, env: &Env) -> PathBuf {
    match env.home() {
        Ok(home) if directory.starts_with(home) && !home.is_dir() => Path::new(NOWHERE).join("dedup"),
        _ => directory,
    }
}

/// The name that this machine has in snapshots.
pub fn host(option: Option<&str>, env: &Env) -> Result<String, Failure> {
    let given = match option {
        Some(name) => Some(name).filter(|name| !name.is_empty()),
        None => env.text("DEDUP_HOST")?,
    };
    let name = given.map_or_else(system_host, String::from);
    if name.is_empty() {
        return Err(Failure::usage(
            "this machine has no name: give --host or set DEDUP_HOST",
        ));
    }
    Ok(name)
}

#[cfg(unix)]
fn system_host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(windows)]
fn system_host() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_default()
}

/// Time between two drawings of progress.
pub fn progress_interval(env: &Env) -> Result<Duration, Failure> {
    let Some(text) = env.text("DEDUP_PROGRESS_FPS")? else {
        return Ok(Duration::from_millis(100));
    };
    let fps = text
        .parse::<f64>()
        .ok()
        .filter(|fps| (0.001..=60.0).contains(fps));
    let fps = fps.ok_or_else(|| {
        Failure::usage(format!(
            "DEDUP_PROGRESS_FPS is '{text}', not a number of drawings a second from 0.001 to 60"
        ))
    })?;
    Ok(Duration::from_secs_f64(1.0 / fps))
}

/// How long the kernel keeps what opening made of a password, after each use.
pub fn key_cache(env: &Env) -> Result<Duration, Failure> {
    let Some(text) = env.text("DEDUP_KEY_CACHE")? else {
        return Ok(Duration::from_secs(2 * 3600));
    };
    let time = parse_span(text).ok().and_then(|span| {
        let exact = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).ok()?;
        Duration::try_from(exact).ok()
    });
    time.filter(|time| *time <= KEY_CACHE_MOST).ok_or_else(|| {
        Failure::usage(format!(
            "DEDUP_KEY_CACHE is '{text}', not a time such as 30m or 2h, a day at most, or 0s"
        ))
    })
}

/// Another time between checkpoints than the default: tests shorten it.
pub fn checkpoint(env: &Env) -> Result<Option<Duration>, Failure> {
    let name = "DEDUP_CHECKPOINT_SECS";
    let Some(text) = env.text(name)? else {
        return Ok(None);
    };
    let secs = text.parse::<f64>().ok().filter(|secs| (0.0..=1e9).contains(secs));
    secs.map(|secs| Some(Duration::from_secs_f64(secs)))
        .ok_or_else(|| Failure::usage(format!("{name} is '{text}', not a number of seconds")))
}

/// Whether all that the environment and the file of settings say is valid. Looked at before a command begins, even one
/// that needs nothing of it: what is wrong and passed over is something that somebody relies on.
pub fn check_all(env: &Env) -> Result<(), Failure> {
    for name in ["DEDUP_REPOSITORY", "DEDUP_FROM_REPOSITORY"] {
        if let Some(url) = env.text(name)? {
            let checked = engine::repo::check_location(url);
            checked.map_err(|e| Failure::usage(format!("{name}: {e}")))?;
        }
    }
    for name in ["DEDUP_PASSWORD", "DEDUP_NEW_PASSWORD", "DEDUP_FROM_PASSWORD"] {
        env.text(name)?;
        descriptor(env, &format!("{name}_FD"))?;
    }
    env.text("DEDUP_HOST")?;
    progress_interval(env)?;
    key_cache(env)?;
    checkpoint(env)?;
    Config::read(env).map(drop)
}

#[cfg(test)]
mod tests;
