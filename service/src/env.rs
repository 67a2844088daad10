//! The environment as one value, read once: what follows from it is then a function that tests can call.

use crate::catalogue::{Cause, What};
use crate::failure::Failure;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Every variable that is read, as `dedup help env` prints it. A variable that is empty counts as not set.
pub const VARIABLES: [(&str, &str); 34] = [
    ("DEDUP_REPOSITORY", "where the repository is (--repo)"),
    (
        "DEDUP_REPOSITORY_FILE",
        "a file whose first line says where the repository is (--repository-file)",
    ),
    ("DEDUP_PASSWORD", "the repository's password"),
    (
        "DEDUP_PASSWORD_FILE",
        "a file whose first line is the password (--password-file)",
    ),
    (
        "DEDUP_PASSWORD_COMMAND",
        "a command whose first line of output is the password (--password-command)",
    ),
    (
        "DEDUP_PASSWORD_FD",
        "the number of an open file whose first line is the password",
    ),
    ("DEDUP_KEY_FILE", "a key file (--key-file)"),
    (
        "DEDUP_NEW_PASSWORD",
        "for 'key add' and 'key passwd': the new password",
    ),
    (
        "DEDUP_NEW_PASSWORD_FILE",
        "the same, from a file (--new-password-file)",
    ),
    (
        "DEDUP_NEW_PASSWORD_COMMAND",
        "the same, from a command (--new-password-command)",
    ),
    ("DEDUP_NEW_PASSWORD_FD", "the same, from an open file"),
    (
        "DEDUP_NEW_KEY_FILE",
        "for 'key add' and 'key passwd': the new key file (--new-key-file)",
    ),
    ("DEDUP_FROM_REPOSITORY", "for 'copy': where to copy from (--from)"),
    (
        "DEDUP_FROM_PASSWORD",
        "its password; also DEDUP_FROM_PASSWORD_FILE, _COMMAND and _FD",
    ),
    ("DEDUP_FROM_KEY_FILE", "its key file (--from-key-file)"),
    (
        "DEDUP_PROFILE",
        "read the settings from NAME.toml instead of dedup.toml (--profile)",
    ),
    (
        "DEDUP_CACHE_DIR",
        "the local cache (default: $XDG_CACHE_HOME/dedup)",
    ),
    (
        "DEDUP_KEY_CACHE",
        "how long after each use the kernel keeps the key that a password in a file or variable gave (default: 2h; 0s: not at all)",
    ),
    (
        "DEDUP_STATE_DIR",
        "local state that is no cache (default: $XDG_STATE_HOME/dedup)",
    ),
    ("DEDUP_HOST", "this machine's name in snapshots (backup --host)"),
    (
        "DEDUP_LOG",
        "what is logged: off, error, warning, info or debug (default: info)",
    ),
    (
        "DEDUP_PROGRESS_FPS",
        "how often a second progress is drawn, at most 60 (default: 10)",
    ),
    (
        "XDG_DATA_HOME",
        "holds dedup/repository, used where no other is given (default: ~/.local/share)",
    ),
    (
        "XDG_CONFIG_HOME",
        "holds dedup/dedup.toml, the settings, and dedup/default.key, which opens that repository (default: ~/.config)",
    ),
    ("XDG_CACHE_HOME", "where caches go (default: ~/.cache)"),
    ("XDG_STATE_HOME", "where state goes (default: ~/.local/state)"),
    (
        "AWS_ACCESS_KEY_ID",
        "for s3: who asks; also AWS_SESSION_TOKEN, AWS_REGION, AWS_PROFILE and what else the usual programs read",
    ),
    ("AWS_SECRET_ACCESS_KEY", "for s3: the secret that belongs to it"),
    (
        "AZURE_STORAGE_ACCOUNT_NAME",
        "for azblob: the account; AZURE_STORAGE_ACCOUNT_KEY its key",
    ),
    (
        "B2_APPLICATION_KEY_ID",
        "for b2: who asks; B2_APPLICATION_KEY the key that belongs to it",
    ),
    (
        "DEDUP_SYSTEM_ROOT",
        "where [limits] finds the machine's sys, proc and run, for instance in a container that mounts its host's (default: /)",
    ),
    (
        "DBUS_SYSTEM_BUS_ADDRESS",
        "the system's D-Bus, where [limits] asks NetworkManager and logind",
    ),
    (
        "DBUS_SESSION_BUS_ADDRESS",
        "the session's D-Bus, where [notify] desktop shows messages (default: $XDG_RUNTIME_DIR/bus)",
    ),
    ("NO_COLOR", "print without colour"),
];

/// The text of `dedup help env`.
pub fn help() -> String {
    let width = VARIABLES.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut text = String::from(
        "Environment variables (an option beats its variable; an empty one counts as not set; an invalid one is an error):\n\n",
    );
    for (name, meaning) in VARIABLES {
        // Writing to a String can't fail.
        let _ = writeln!(text, "  {name:width$}  {meaning}");
    }
    text
}

/// Variables and the home directory.
#[derive(Clone)]
pub struct Env {
    vars: BTreeMap<OsString, OsString>,
    home: Option<PathBuf>,
}

impl Env {
    pub fn of_process() -> Env {
        Env {
            vars: std::env::vars_os().collect(),
            home: std::env::home_dir(),
        }
    }

    /// These and no others, for tests.
    pub fn of(vars: &[(&str, &str)]) -> Env {
        let vars = vars.iter().map(|(name, value)| (name.into(), value.into()));
        Env {
            vars: vars.collect(),
            home: Some(PathBuf::from("/home/u")),
        }
    }

    /// Directories alone: what no variable of ours says.
    pub fn without_variables(env: &Env) -> Env {
        let is_other = |name: &OsString| !name.to_string_lossy().starts_with("DEDUP_");
        let vars = env.vars.clone().into_iter();
        Env {
            vars: vars.filter(|(name, _)| is_other(name)).collect(),
            home: env.home.clone(),
        }
    }

    /// With another value for a variable, which an option gave.
    pub fn with(mut self, name: &str, value: &OsStr) -> Env {
        self.vars.insert(name.into(), value.into());
        self
    }

    /// With this home directory and no variables, for tests.
    #[cfg(test)]
    pub fn at(home: &Path) -> Env {
        Env {
            vars: BTreeMap::new(),
            home: Some(home.to_path_buf()),
        }
    }

    /// Every variable.
    pub fn all(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.vars
            .iter()
            .map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }

    /// `None` for what is not set or empty.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.vars
            .get(OsStr::new(name))
            .map(OsString::as_os_str)
            .filter(|value| !value.is_empty())
    }

    /// Like [`Env::get`]; what is no UTF-8 is an error that doesn't show the value.
    pub fn text(&self, name: &str) -> Result<Option<&str>, Failure> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        value.to_str().map(Some).ok_or_else(|| not_utf8(name))
    }

    /// The home directory.
    pub fn home(&self) -> Result<&Path, Failure> {
        let home = self.home.as_deref().filter(|home| home.is_absolute());
        home.ok_or_else(|| Cause::NoHome.into())
    }

    /// A path of which `~/` at its beginning is the home directory: who sets a variable or a unit need not have a shell.
    pub fn expand(&self, path: &OsStr) -> Result<PathBuf, Failure> {
        let bytes = path.as_encoded_bytes();
        match bytes {
            b"~" => Ok(self.home()?.to_path_buf()),
            [b'~', b'/', ..] => {
                let below = Path::new(path).strip_prefix("~").unwrap_or(Path::new(path));
                Ok(self.home()?.join(below))
            }
            // A file may be called so.
            [b'~', ..] if !Path::new(path).exists() => {
                let path = path.to_string_lossy().into_owned();
                Err(Cause::OtherUsersHome { path }.into())
            }
            _ => Ok(PathBuf::from(path)),
        }
    }

    /// `$variable`, or `below` the home directory. By the XDG rules a relative path counts as not set.
    pub fn base(&self, variable: &str, below: &str) -> Result<PathBuf, Failure> {
        let set = self
            .get(variable)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute());
        let home = || {
            self.home
                .as_ref()
                .filter(|home| home.is_absolute())
                .map(|home| home.join(below))
        };
        set.or_else(home).ok_or_else(|| {
            let variable = variable.to_string();
            Cause::NoHomeFor { variable }.into()
        })
    }
}

/// The variable or key of this name holds something that is not UTF-8.
pub(crate) fn not_utf8(name: &str) -> Failure {
    let what = What::Named(name.to_string());
    Cause::NotUtf8 { what }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_is_not_set() {
        let env = Env::of(&[("A", ""), ("B", "x")]);
        assert_eq!(
            (env.get("A"), env.get("B"), env.get("C")),
            (None, Some(OsStr::new("x")), None)
        );
        assert_eq!(env.text("B").unwrap(), Some("x"));
    }

    #[cfg(unix)]
    #[test]
    fn bad_text_is_an_error_that_does_not_show_it() {
        use std::os::unix::ffi::OsStringExt;
        let mut env = Env::of(&[]);
        env.vars
            .insert("A".into(), OsString::from_vec(b"secret\xff".to_vec()));
        let failure = env.text("A").unwrap_err();
        assert!(failure.message().contains('A') && !failure.message().contains("secret"));
    }

    #[test]
    fn bases() {
        let env = Env::of(&[("XDG_CACHE_HOME", "/c"), ("XDG_DATA_HOME", "relative")]);
        assert_eq!(env.base("XDG_CACHE_HOME", ".cache").unwrap(), PathBuf::from("/c"));
        assert_eq!(
            env.base("XDG_DATA_HOME", ".local/share").unwrap(),
            PathBuf::from("/home/u/.local/share")
        );
        let homeless = Env {
            vars: BTreeMap::new(),
            home: None,
        };
        assert!(
            homeless
                .base("XDG_DATA_HOME", ".local/share")
                .unwrap_err()
                .message()
                .contains("XDG_DATA_HOME")
        );
    }

    #[test]
    fn help_names_every_variable() {
        assert!(
            VARIABLES
                .iter()
                .all(|(name, meaning)| help().contains(name) && help().contains(meaning))
        );
    }
}
