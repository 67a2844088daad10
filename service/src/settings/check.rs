//! Parses and checks the file. Errors that concern every version come first (syntax, unknown keys, invalid values,
//! references to remotes that do not exist), then keys that this version does not support yet.

use super::schema;
use super::tables::{Named, RemoteTable, SetTable, Tables};
use super::values::AbsolutePath;
use super::{Remote, Settings, did_you_mean};
use crate::catalogue::en;
use crate::env::Env;
use crate::failure::Failure;
use crate::secret::SecretSource;
use engine::retain::{Policy, Rule, Tier};
use serde::Deserialize;
use std::ffi::OsString;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

type Document<'a> = Spanned<DeTable<'a>>;

pub fn settings(path: &Path, text: &str, env: &Env) -> Result<Settings, Failure> {
    let file = File { path, text, env };
    let document = DeTable::parse(text).map_err(|e| file.wrong(e.span(), e.message()))?;
    file.check_keys(document.get_ref(), &mut Vec::new())?;
    let tables = Tables::deserialize(toml::de::Deserializer::from(document.clone()));
    let tables = tables.map_err(|e| file.wrong_value(&document, &e))?;
    let remotes = file.remotes(&tables.remotes)?;
    file.check_sets(&tables.sets, &remotes)?;
    if let Some(mail) = &tables.notify.mail
        && mail.to.get_ref().is_empty()
    {
        return Err(file.wrong(Some(mail.to.span()), "'to' names nobody"));
    }
    file.check_support(document.get_ref(), &mut Vec::new())?;
    Ok(Settings {
        path: Some(path.to_path_buf()),
        remotes,
        sets: tables.sets,
        maintenance: tables.maintenance,
        limits: tables.limits,
        notify: tables.notify,
        console: tables.console,
    })
}

/// Line and column of the end of a text, from 1.
pub fn position(before: &str) -> (usize, usize) {
    let line = 1 + before.matches('\n').count();
    let column = 1 + before.rsplit('\n').next().unwrap_or_default().chars().count();
    (line, column)
}

/// The tables below a value: itself, or those in an array.
fn tables_in<'a, 'i>(value: &'a DeValue<'i>) -> Vec<&'a DeTable<'i>> {
    match value {
        DeValue::Table(table) => vec![table],
        DeValue::Array(array) => array
            .iter()
            .filter_map(|value| value.get_ref().as_table())
            .collect(),
        _ => Vec::new(),
    }
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

    /// Unknown keys, with what may have been meant.
    fn check_keys<'k>(&self, table: &'k DeTable<'_>, place: &mut Vec<&'k str>) -> Result<(), Failure> {
        let known = schema::below(place);
        for (key, value) in table {
            let name: &str = key.get_ref();
            let part = match known[..] {
                ["NAME"] => "NAME",
                _ if known.contains(&name) => name,
                _ => {
                    let hint = did_you_mean(name, &known);
                    let what = format!("unknown key '{name}'{hint} (allowed here: {})", known.join(", "));
                    return Err(self.wrong(Some(key.span()), &what));
                }
            };
            place.push(part);
            // A table where a value should be is said by the value's type.
            if !schema::below(place).is_empty() {
                for table in tables_in(value.get_ref()) {
                    self.check_keys(table, place)?;
                }
            }
            place.pop();
        }
        Ok(())
    }

    /// What serde refused: the key whose value it is, and why.
    fn wrong_value(&self, document: &Document<'_>, error: &toml::de::Error) -> Failure {
        let at = error.span();
        let key = at.as_ref().and_then(|at| key_of(document.get_ref(), at));
        let message = error.message();
        let what = match (key, message.strip_prefix("invalid type: ")) {
            (Some(key), Some(found)) => match found.split_once(", expected ").map(in_words) {
                // A text may be a secret that was put under the wrong key.
                Some((found, wanted)) if found.starts_with("string ") => {
                    format!("'{key}' must be {wanted} (found a string)")
                }
                Some((found, wanted)) => format!("'{key}' must be {wanted} (found {found})"),
                None => format!("'{key}': {message}"),
            },
            (Some(key), None) => match missing(message) {
                Some(field) => format!("[{key}] has no '{field}', which is required"),
                None => format!("'{key}': {message}"),
            },
            (None, _) => message.to_string(),
        };
        self.wrong(at, &what)
    }

    fn remotes(&self, tables: &Named<RemoteTable>) -> Result<Vec<Remote>, Failure> {
        let remote = |(name, table): &(Spanned<super::values::Name>, RemoteTable)| {
            let Some(url) = &table.url else {
                let what = format!("remote '{}' has no url", name.get_ref().0);
                return Err(self.wrong(Some(name.span()), &what));
            };
            Ok(Remote {
                name: name.get_ref().0.clone(),
                url: self.url(url)?,
                keys: self.keys(table)?,
            })
        };
        tables.0.iter().map(remote).collect()
    }

    /// A directory must not depend on where the program is started.
    fn url(&self, url: &Spanned<String>) -> Result<String, Failure> {
        let invalid = |why: &str| self.wrong(Some(url.span()), &format!("'url': {why}"));
        let text = url.get_ref();
        if engine::repo::local_path(text).is_none() || text.starts_with("file:") {
            engine::repo::check_location(text).map_err(|e| invalid(&en::engine_error(&e)))?;
            return Ok(text.clone());
        }
        let path = AbsolutePath::parse(text).map_err(|why| invalid(&why))?;
        let path = path.expand(self.env).map_err(|e| invalid(&e.message))?;
        path.into_os_string()
            .into_string()
            .map_err(|_| invalid("the path is not UTF-8"))
    }

    /// What opens a remote, in the order in which it is tried.
    fn keys(&self, table: &RemoteTable) -> Result<Vec<SecretSource>, Failure> {
        let path = |key: &str, path: &Spanned<AbsolutePath>| -> Result<PathBuf, Failure> {
            let expanded = path.get_ref().expand(self.env);
            expanded.map_err(|e| self.wrong(Some(path.span()), &format!("'{key}': {}", e.message)))
        };
        let mut keys = Vec::new();
        if let Some(file) = &table.key_file {
            keys.push(SecretSource::KeyFile(path("key-file", file)?));
        }
        match (&table.password_file, &table.password_command) {
            (Some(file), Some(command)) => {
                let later = file.span().start.max(command.span().start);
                let what = "give 'password-file' or 'password-command', not both";
                return Err(self.wrong(Some(later..later), what));
            }
            (Some(file), None) => keys.push(SecretSource::PasswordFile(path("password-file", file)?)),
            (None, Some(command)) => {
                keys.push(SecretSource::PasswordCommand(OsString::from(command.get_ref())));
            }
            (None, None) => {}
        }
        Ok(keys)
    }

    fn check_sets(&self, sets: &Named<SetTable>, remotes: &[Remote]) -> Result<(), Failure> {
        let names: Vec<&str> = remotes.iter().map(|remote| remote.name.as_str()).collect();
        for (name, set) in &sets.0 {
            let lacking = match (set.sources.is_empty(), set.destinations.is_empty()) {
                (true, _) => Some("sources"),
                (_, true) => Some("destinations"),
                _ => None,
            };
            if let Some(key) = lacking {
                let what = format!("set '{}' has no {key}", name.get_ref().0);
                return Err(self.wrong(Some(name.span()), &what));
            }
            for destination in &set.destinations {
                let wanted = destination.get_ref().0.as_str();
                if !names.contains(&wanted) {
                    let hint = did_you_mean(wanted, &names);
                    let what = format!("'destinations': no remote is called '{wanted}'{hint}");
                    return Err(self.wrong(Some(destination.span()), &what));
                }
            }
            if let Some(tiers) = &set.retention.tiers {
                let each = tiers.get_ref().iter().map(|tier| Tier {
                    until: tier.until.map(|age| age.0),
                    every: tier.keep_every.0,
                });
                let policy = Policy::new(vec![Rule::Tiers(each.collect())]);
                policy.map_err(|e| {
                    let why = format!("'tiers': {}", en::policy_error(&e));
                    self.wrong(Some(tiers.span()), &why)
                })?;
            }
        }
        Ok(())
    }

    /// The first key that this version does nothing with.
    fn check_support<'k>(&self, table: &'k DeTable<'_>, place: &mut Vec<&'k str>) -> Result<(), Failure> {
        let known = schema::below(place);
        for (key, value) in table {
            let name: &str = key.get_ref();
            place.push(if known[..] == ["NAME"] { "NAME" } else { name });
            if !schema::is_supported(place) {
                let version = env!("CARGO_PKG_VERSION");
                let what =
                    format!("'{name}' is not supported yet by this version of dedup ({version}): remove it");
                return Err(self.wrong(Some(key.span()), &what));
            }
            for table in tables_in(value.get_ref()) {
                self.check_support(table, place)?;
            }
            place.pop();
        }
        Ok(())
    }
}

/// What serde expected, as TOML calls it.
fn in_words<'m>((found, wanted): (&'m str, &'m str)) -> (&'m str, &'m str) {
    let wanted = match wanted {
        "a sequence" => "an array",
        "a boolean" => "true or false",
        wanted => wanted,
    };
    (found, wanted)
}

/// The name of the field that serde misses.
fn missing(message: &str) -> Option<&str> {
    message.strip_prefix("missing field `")?.strip_suffix('`')
}

/// The innermost key at which, or in whose value, a place lies.
fn key_of<'a>(table: &'a DeTable<'_>, at: &Range<usize>) -> Option<&'a str> {
    let holds = |span: Range<usize>| span.start <= at.start && at.end <= span.end;
    for (key, value) in table {
        let inner = tables_in(value.get_ref())
            .into_iter()
            .find_map(|table| key_of(table, at));
        if inner.is_some() {
            return inner;
        }
        if holds(key.span()) || holds(value.span()) {
            return Some(key.get_ref());
        }
    }
    None
}
