//! Parses and checks the file: its syntax, unknown keys, invalid values, and references to remotes that do not exist.

use super::schema;
use super::tables::{Named, RemoteTable, SetTable, Tables};
use super::values::AbsolutePath;
use super::{Remote, Settings, nearest};
use crate::catalogue::{Cause, Lang, NetworkFault, SetCause, Texts, What};
use crate::env::Env;
use crate::failure::Failure;
use crate::secret::SecretSource;
use serde::Deserialize;
use std::collections::HashMap;
use std::ffi::OsString;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

type Document<'a> = Spanned<DeTable<'a>>;

pub fn settings(path: &Path, text: &str, env: &Env) -> Result<Settings, Failure> {
    let file = File { path, text, env };
    let document = DeTable::parse(text).map_err(|e| file.wrong(e.span(), said(e.message())))?;
    file.check_keys(document.get_ref(), &mut Vec::new())?;
    let tables = Tables::deserialize(toml::de::Deserializer::from(document.clone()));
    let tables = tables.map_err(|e| file.wrong_value(&document, &e))?;
    if let Some(host) = tables
        .host
        .as_ref()
        .filter(|host| host.get_ref().trim().is_empty())
    {
        return Err(file.wrong(Some(host.span()), Cause::NoHostName));
    }
    let remotes = file.remotes(&tables.remotes)?;
    file.check_sets(&tables.sets, &remotes)?;
    if let Some(mail) = &tables.notify.mail
        && mail.to.get_ref().is_empty()
    {
        return Err(file.wrong(Some(mail.to.span()), Cause::NobodyToMail));
    }
    if let (None, Some(key)) = (&tables.console.tls_certificate, &tables.console.tls_key) {
        let fault = NetworkFault::KeyAlone.into();
        return Err(file.wrong(Some(key.span()), Cause::Console { fault }));
    }
    Ok(Settings {
        path: Some(path.to_path_buf()),
        host: tables.host.map(|host| host.into_inner().trim().to_string()),
        remotes,
        sets: tables.sets,
        maintenance: tables.maintenance,
        limits: tables.limits,
        notify: tables.notify,
        console: tables.console,
        update: tables.update,
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
    fn wrong(&self, at: Option<Range<usize>>, cause: Cause) -> Failure {
        let before = at.and_then(|at| self.text.get(..at.start)).unwrap_or_default();
        let (line, column) = position(before);
        Failure::from(Cause::InFile {
            file: self.path.display().to_string(),
            line,
            column,
            cause: Box::new(cause),
        })
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
                    let cause = Cause::UnknownKey {
                        name: name.to_string(),
                        near: nearest(name, &known),
                        known,
                    };
                    return Err(self.wrong(Some(key.span()), cause));
                }
            };
            place.push(part);
            // A table where a value should be is reported by the value's type.
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
        let bad = |key: &str| Cause::BadValue {
            key: key.to_string(),
            why: Texts::of_message(&in_one_line(message)),
        };
        let cause = match (key, message.strip_prefix("invalid type: ")) {
            (Some(key), Some(found)) => match found.split_once(", expected ").map(in_words) {
                Some((found, wanted)) => Cause::WrongType {
                    key: key.to_string(),
                    wanted: wanted.to_string(),
                    // A string may be a secret that was put under the wrong key.
                    found: match found.starts_with("string ") {
                        true => "a string".to_string(),
                        false => found.to_string(),
                    },
                },
                None => bad(key),
            },
            (Some(key), None) => match missing(message) {
                Some(field) => Cause::NoField {
                    key: key.to_string(),
                    field: field.to_string(),
                },
                None => bad(key),
            },
            (None, _) => said(message),
        };
        self.wrong(at, cause)
    }

    fn remotes(&self, tables: &Named<RemoteTable>) -> Result<Vec<Remote>, Failure> {
        let remote = |(name, table): &(Spanned<super::values::Name>, RemoteTable)| {
            let Some(url) = &table.url else {
                let cause = Cause::RemoteWithoutUrl {
                    name: name.get_ref().0.clone(),
                };
                return Err(self.wrong(Some(name.span()), cause));
            };
            Ok(Remote {
                name: name.get_ref().0.clone(),
                url: self.url(url)?,
                keys: self.keys(table)?,
                quota: table.quota.as_ref().map(|quota| quota.0),
                append_only: table.append_only,
            })
        };
        tables.0.iter().map(remote).collect()
    }

    /// A directory must not depend on where the program is started.
    fn url(&self, url: &Spanned<String>) -> Result<String, Failure> {
        let invalid = |why: Texts| {
            let key = "url".to_string();
            self.wrong(Some(url.span()), Cause::BadValue { key, why })
        };
        let text = url.get_ref();
        if engine::repo::local_path(text).is_none() || text.starts_with("file:") {
            engine::repo::check_location(text).map_err(|e| invalid(texts(&Failure::from(e))))?;
            return Ok(text.clone());
        }
        let path = AbsolutePath::parse(text).map_err(|fault| invalid(fault.into()))?;
        let path = path.expand(self.env).map_err(|e| invalid(texts(&e)))?;
        path.into_os_string()
            .into_string()
            .map_err(|_| self.wrong(Some(url.span()), Cause::NotUtf8 { what: What::Path }))
    }

    /// What opens a remote, in the order in which it is tried.
    fn keys(&self, table: &RemoteTable) -> Result<Vec<SecretSource>, Failure> {
        let path = |key: &str, path: &Spanned<AbsolutePath>| -> Result<PathBuf, Failure> {
            let expanded = path.get_ref().expand(self.env);
            expanded.map_err(|e| self.wrong(Some(path.span()), e.of(format!("'{key}'")).cause))
        };
        let mut keys = Vec::new();
        if let Some(file) = &table.key_file {
            keys.push(SecretSource::KeyFile(path("key-file", file)?));
        }
        match (&table.password_file, &table.password_command) {
            (Some(file), Some(command)) => {
                let later = file.span().start.max(command.span().start);
                return Err(self.wrong(Some(later..later), Cause::TwoPasswords));
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
            let has_none = set.sources.is_empty() && set.commands.0.is_empty();
            let lacking = match (has_none, set.destinations.is_empty()) {
                (true, _) => Some("sources"),
                (_, true) => Some("destinations"),
                _ => None,
            };
            if let Some(key) = lacking {
                let cause = Cause::SetLacks {
                    name: name.get_ref().0.clone(),
                    key,
                };
                return Err(self.wrong(Some(name.span()), cause));
            }
            for destination in &set.destinations {
                let wanted = destination.get_ref().0.as_str();
                if !names.contains(&wanted) {
                    let unknown = Failure::from(Cause::NoSuchRemote {
                        name: wanted.to_string(),
                        near: nearest(wanted, &names),
                    });
                    return Err(self.wrong(Some(destination.span()), unknown.of("'destinations'").cause));
                }
            }
            if let Some(tiers) = &set.retention.tiers {
                set.retention.policy().map_err(|e| {
                    let wrong = Failure::from(e).of("'tiers'");
                    self.wrong(Some(tiers.span()), wrong.cause)
                })?;
            }
        }
        self.check_former_names(sets)
    }

    /// What was recorded under a name belongs to one set.
    fn check_former_names(&self, sets: &Named<SetTable>) -> Result<(), Failure> {
        let mut owners: HashMap<&str, &str> = HashMap::new();
        for (name, _) in &sets.0 {
            owners.insert(&name.get_ref().0, &name.get_ref().0);
        }
        for (set, table) in &sets.0 {
            let set = set.get_ref().0.as_str();
            for former in &table.former_names {
                if let Some(owner) = owners.insert(&former.get_ref().0, set) {
                    let cause = SetCause::FormerNameTaken {
                        name: former.get_ref().0.clone(),
                        owner: owner.to_string(),
                    };
                    let failure = Failure::from(cause).of("'former-names'");
                    return Err(self.wrong(Some(former.span()), failure.cause));
                }
            }
        }
        Ok(())
    }
}

/// The parser's message, which has no translation here.
fn said(message: &str) -> Cause {
    let what = in_one_line(message);
    Cause::Syntax { what }
}

fn texts(failure: &Failure) -> Texts {
    Texts {
        en: failure.text(Lang::En),
        ja: failure.text(Lang::Ja),
    }
}

fn in_one_line(message: &str) -> String {
    message.lines().collect::<Vec<_>>().join(", ")
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
