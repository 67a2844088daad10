//! The file of settings, `dedup.toml`: which remotes have names. What is not known in it is an error that says where,
//! and what may have been meant: a misspelt setting that is passed over is one that somebody relies on.

use crate::env::Env;
use crate::exit::{Code, Failure};
use crate::secret::Source;
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml_edit::{Document, DocumentMut, Item, Key, Table, TableLike, value};

/// Where it is looked for if the user has none.
const OF_THE_SYSTEM: &str = "/etc/dedup/dedup.toml";
const REMOTES: &str = "remotes";
const KEYS: [&str; 4] = ["url", "password-file", "password-command", "key-file"];

/// A remote that has a name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Remote {
    pub name: String,
    pub url: String,
    /// What opens it.
    pub keys: Vec<Source>,
}

/// What the file says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    pub path: PathBuf,
    /// In the file's order.
    pub remotes: Vec<Remote>,
}

/// The user's file.
fn own(env: &Env) -> Result<PathBuf, Failure> {
    Ok(env.base("XDG_CONFIG_HOME", ".config")?.join("dedup/dedup.toml"))
}

impl Config {
    /// Reads the user's file, or the system's if there is none; no file says nothing.
    pub fn read(env: &Env) -> Result<Config, Failure> {
        // Where there is no home directory there are no settings of the user's.
        let own = own(env).ok();
        for path in own.iter().map(PathBuf::as_path).chain([Path::new(OF_THE_SYSTEM)]) {
            if !is_there(path) {
                continue;
            }
            let bytes = std::fs::read(path);
            let bytes = bytes.map_err(|e| Failure::usage(format!("can't read {}: {e}", path.display())))?;
            let text = std::str::from_utf8(&bytes).map_err(|e| {
                let (line, column) = position(&String::from_utf8_lossy(&bytes[..e.valid_up_to()]));
                Failure::usage(format!("{}:{line}:{column}: this is not UTF-8", path.display()))
            })?;
            return Config::parse(path, text, env);
        }
        Ok(Config {
            path: own.unwrap_or_else(|| PathBuf::from(OF_THE_SYSTEM)),
            remotes: Vec::new(),
        })
    }

    /// `path` is for messages.
    pub fn parse(path: &Path, text: &str, env: &Env) -> Result<Config, Failure> {
        let file = File { path, text, env };
        let document = Document::parse(text).map_err(|e| file.wrong(e.span(), e.message()))?;
        let mut remotes = Vec::new();
        for (key, item) in entries(document.as_table()) {
            if key.get() != REMOTES {
                return Err(file.unknown(key, &[REMOTES]));
            }
            let named = item.as_table_like();
            let named = named.ok_or_else(|| file.wrong(key.span(), "write [remotes.NAME], one for each"))?;
            for (name, settings) in entries(named) {
                remotes.push(file.remote(name, settings)?);
            }
        }
        Ok(Config {
            path: path.to_path_buf(),
            remotes,
        })
    }

    pub fn remote(&self, name: &str) -> Option<&Remote> {
        self.remotes.iter().find(|remote| remote.name == name)
    }

    /// The name closest to one that nothing has.
    pub fn suggestion(&self, name: &str) -> String {
        let names: Vec<&str> = self.remotes.iter().map(|remote| remote.name.as_str()).collect();
        did_you_mean(name, &names)
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

/// Line and column of the end of a text, from 1.
fn position(before: &str) -> (usize, usize) {
    let line = 1 + before.matches('\n').count();
    let column = 1 + before.rsplit('\n').next().unwrap_or_default().chars().count();
    (line, column)
}

/// Whether a text can be the name of a remote: then it is looked up before it is taken for a path.
pub fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(plain)
}

fn entries(table: &dyn TableLike) -> impl Iterator<Item = (&Key, &Item)> {
    table.iter().filter_map(|(key, _)| table.get_key_value(key))
}

/// The text that is being read, for messages.
struct File<'a> {
    path: &'a Path,
    text: &'a str,
    env: &'a Env,
}

impl File<'_> {
    fn wrong(&self, at: Option<Range<usize>>, what: &str) -> Failure {
        let before = at.and_then(|at| self.text.get(..at.start)).unwrap_or_default();
        let (line, column) = position(before);
        let what = what.lines().collect::<Vec<_>>().join(", ");
        Failure::usage(format!("{}:{line}:{column}: {what}", self.path.display()))
    }

    fn unknown(&self, key: &Key, known: &[&str]) -> Failure {
        let hint = did_you_mean(key.get(), known);
        let known = known.join(", ");
        let what = format!("unknown key '{}'{hint} (allowed here: {known})", key.get());
        self.wrong(key.span(), &what)
    }

    fn remote(&self, name: &Key, settings: &Item) -> Result<Remote, Failure> {
        if !is_name(name.get()) {
            let what = format!("'{}' can't be a name: write letters, digits, - and _", name.get());
            return Err(self.wrong(name.span(), &what));
        }
        let table = settings.as_table_like();
        let table =
            table.ok_or_else(|| self.wrong(name.span(), "write [remotes.NAME] and what belongs to it"))?;
        let (mut url, mut password, mut keys) = (None, None, Vec::new());
        for (key, item) in entries(table) {
            let known = KEYS.contains(&key.get());
            let value = match item.as_str() {
                Some(text) if known => Value { key, item, text },
                _ if !known => return Err(self.unknown(key, &KEYS)),
                _ => {
                    let what = format!("'{}' must be a string", key.get());
                    return Err(self.wrong(item.span().or(key.span()), &what));
                }
            };
            let secret = match key.get() {
                "url" => {
                    url = Some(self.place(&value)?);
                    continue;
                }
                "key-file" => {
                    keys.push(Source::KeyFile(self.file(&value)?));
                    continue;
                }
                "password-file" => Source::PasswordFile(self.file(&value)?),
                _ => Source::PasswordCommand(OsString::from(value.text)),
            };
            if password.replace(secret).is_some() {
                let what = "give 'password-file' or 'password-command', not both";
                return Err(self.wrong(key.span(), what));
            }
        }
        let url =
            url.ok_or_else(|| self.wrong(name.span(), &format!("remote '{}' has no url", name.get())))?;
        keys.extend(password);
        Ok(Remote {
            name: name.get().to_string(),
            url,
            keys,
        })
    }

    /// A directory must not depend on where the program is started.
    fn place(&self, value: &Value<'_>) -> Result<String, Failure> {
        let text = value.text;
        if engine::repo::local_path(text).is_none() || text.starts_with("file:") {
            engine::repo::check_location(text).map_err(|e| self.invalid(value, &e.to_string()))?;
            return Ok(text.to_string());
        }
        let path = self.file(value)?.into_os_string();
        path.into_string()
            .map_err(|_| self.invalid(value, "the path is not UTF-8"))
    }

    fn file(&self, value: &Value<'_>) -> Result<PathBuf, Failure> {
        let path = match value.text.starts_with('~') {
            true => {
                let expanded = self.env.expand(OsStr::new(value.text));
                expanded.map_err(|e| self.invalid(value, &e.message))?
            }
            false => PathBuf::from(value.text),
        };
        match path.is_absolute() {
            true => Ok(path),
            false => {
                let what = format!(
                    "'{}' is not an absolute path, or one that begins with ~/",
                    value.text
                );
                Err(self.invalid(value, &what))
            }
        }
    }

    fn invalid(&self, value: &Value<'_>, why: &str) -> Failure {
        let at = value.item.span().or(value.key.span());
        self.wrong(at, &format!("'{}': {why}", value.key.get()))
    }
}

/// A string in the file.
struct Value<'a> {
    key: &'a Key,
    item: &'a Item,
    text: &'a str,
}

/// ", did you mean ...?" where one of the words is close.
fn did_you_mean(word: &str, known: &[&str]) -> String {
    let near = known.iter().map(|known| (distance(word, known), known)).min();
    match near {
        Some((distance, known)) if distance <= 2.max(word.len() / 3) => format!("; did you mean '{known}'?"),
        _ => String::new(),
    }
}

/// Levenshtein's.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let changed = corner + usize::from(x != *y);
            corner = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}

/// Puts a remote into the user's file; everything else in it stays as it is.
pub fn add(env: &Env, remote: &Remote) -> Result<PathBuf, Failure> {
    edit(env, |remotes| {
        let mut table = Table::new();
        table.insert("url", value(&remote.url));
        for key in &remote.keys {
            let (name, text) = match key {
                Source::KeyFile(path) => ("key-file", path.as_os_str()),
                Source::PasswordFile(path) => ("password-file", path.as_os_str()),
                Source::PasswordCommand(command) => ("password-command", command.as_os_str()),
                // What can't be written down is asked for, or in the environment again.
                Source::Password(_) | Source::PasswordFd(_) | Source::PhraseFile(_) | Source::Prompt => {
                    continue;
                }
            };
            let text = text.to_str();
            let text = text.ok_or_else(|| Failure::usage(format!("{name} is not UTF-8")))?;
            table.insert(name, value(text));
        }
        remotes.insert(&remote.name, Item::Table(table));
        Ok(())
    })
}

/// Takes a remote out of the user's file.
pub fn remove(env: &Env, name: &str) -> Result<PathBuf, Failure> {
    edit(env, |remotes| match remotes.remove(name) {
        Some(_) => Ok(()),
        None => Err(Failure::usage(format!("no remote is called '{name}' there"))),
    })
}

fn edit(
    env: &Env,
    change: impl FnOnce(&mut dyn TableLike) -> Result<(), Failure>,
) -> Result<PathBuf, Failure> {
    let path = own(env)?;
    let text = match std::fs::read_to_string(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        text => text.map_err(|e| Failure::io("can't read", &path, &e))?,
    };
    let wrong = |e: &dyn std::fmt::Display| Failure::usage(format!("{}: {e}", path.display()));
    let mut document: DocumentMut = text
        .parse()
        .map_err(|e: toml_edit::TomlError| wrong(&e.message()))?;
    let mut remotes = Table::new();
    remotes.set_implicit(true);
    let remotes = document.entry(REMOTES).or_insert(Item::Table(remotes));
    let remotes = remotes.as_table_like_mut();
    change(remotes.ok_or_else(|| wrong(&"'remotes' is no table"))?)?;
    write(&path, document.to_string().as_bytes()).map_err(|e| Failure::io("can't write", &path, &e))?;
    Ok(path)
}

/// Replaces the file whole. A URL in it may hold a password, so a new one is only for its owner.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("/"));
    crate::keyfile::make_folder(dir)?;
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(bytes)?;
    if let Ok(meta) = std::fs::metadata(path) {
        file.as_file().set_permissions(meta.permissions())?;
    }
    file.as_file().sync_all()?;
    file.persist(path).map_err(|e| e.error).map(drop)
}

/// A remote that must have a name.
pub fn named<'a>(config: &'a Config, name: &str) -> Result<&'a Remote, Failure> {
    config.remote(name).ok_or_else(|| {
        let hint = config.suggestion(name);
        Failure::new(Code::Usage, format!("no remote is called '{name}'{hint}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, Failure> {
        Config::parse(Path::new("/x/dedup.toml"), text, &Env::of(&[]))
    }

    #[test]
    fn remotes_and_what_opens_them() {
        let config = parse(
            "# mine\n[remotes.main]\nurl = '/mnt/backup'\npassword-file = '~/pass'\n\
             [remotes.okinawa]\nurl = 's3://office/pc1'\nkey-file = '/k'\npassword-command = 'pass show x'\n",
        );
        let config = config.unwrap();
        assert_eq!(config.remotes.len(), 2);
        let main = config.remote("main").unwrap();
        assert_eq!(main.keys, [Source::PasswordFile("/home/u/pass".into())]);
        let other = config.remote("okinawa").unwrap();
        let keys = [
            Source::KeyFile("/k".into()),
            Source::PasswordCommand("pass show x".into()),
        ];
        assert_eq!(
            (other.url.as_str(), &other.keys[..]),
            ("s3://office/pc1", &keys[..])
        );
        assert!(parse("").unwrap().remotes.is_empty());
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let rows = [
            (
                "\n[remote.main]\nurl='/a'",
                "dedup.toml:2:2: unknown key 'remote'; did you mean 'remotes'?",
            ),
            (
                "[remotes.a]\nurl='/a'\npasword-file='/x'",
                ":3:1: unknown key 'pasword-file'; did you mean 'password-file'?",
            ),
            (
                "[remotes.a]\nurl='/a'\nzzzzzzzz=1",
                ":3:1: unknown key 'zzzzzzzz' (allowed here: url, ",
            ),
            ("[remotes.a]\nurl=1", ":2:5: 'url' must be a string"),
            (
                "[remotes.a]\n url = 'a/b'",
                ":2:8: 'url': 'a/b' is not an absolute path",
            ),
            (
                "[remotes.a]\nurl='ftp://h/x'",
                ":2:5: 'url': invalid repository URL: 'ftp:' is not known",
            ),
            (
                "[remotes.a]\nurl='s3://b?endpiont=x'",
                "has no parameter 'endpiont'",
            ),
            ("[remotes.a]\nurl=''", ":2:5: 'url': "),
            ("[remotes.a]\nkey-file='/x'", ":1:10: remote 'a' has no url"),
            ("[remotes.\"a/b\"]\nurl='/x'", ":1:10: 'a/b' can't be a name"),
            (
                "[remotes.a]\nurl='/x'\npassword-file='/p'\npassword-command='q'",
                ":4:1: give 'password-file' or 'password-command'",
            ),
            ("[remotes.a]\nurl='/x'\nurl='/y'", ":3:1: "),
            ("remotes = 3", ":1:1: write [remotes.NAME]"),
            ("[remotes.a\n", ":1:11: "),
        ];
        for (text, want) in rows {
            let failure = parse(text).unwrap_err();
            assert_eq!(failure.code, Code::Usage);
            assert!(failure.message.contains(want), "{text}\n{}", failure.message);
        }
    }

    #[test]
    fn names() {
        for good in ["main", "a", "nas-2", "x_y", "2nd"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "-a", "a/b", "./a", "s3:", "a b", "a.b", "ä"] {
            assert!(!is_name(bad), "{bad}");
        }
        assert_eq!(
            did_you_mean("man", &["main", "okinawa"]),
            "; did you mean 'main'?"
        );
        assert_eq!(did_you_mean("tokyo", &["main", "okinawa"]), "");
    }
}
