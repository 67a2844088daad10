//! The effective settings, and where each comes from.

use super::schema::KEYS;
use crate::catalogue::{Action, Cause};
use crate::failure::Failure;
use std::path::Path;
use toml::de::{DeTable, DeValue};

/// One key and its value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShownSetting {
    /// `sets.documents.priority`.
    pub key: String,
    /// As TOML; a default is written as the documentation does.
    pub value: String,
    /// The line in the file; `None` for a default.
    pub line: Option<usize>,
}

/// The content of the file, in its order, and then the defaults of the keys that have one place only and are not in it.
pub fn effective(file: Option<&Path>) -> Result<Vec<ShownSetting>, Failure> {
    let text = match file {
        Some(path) => std::fs::read_to_string(path).map_err(|e| Failure::system(Action::Read, path, e))?,
        None => String::new(),
    };
    of_text(&text)
}

fn of_text(text: &str) -> Result<Vec<ShownSetting>, Failure> {
    // It was checked before, but may have been changed since.
    let document = DeTable::parse(text).map_err(|e| {
        Failure::from(Cause::Syntax {
            what: e.message().to_string(),
        })
    })?;
    let mut shown = Vec::new();
    walk(text, document.get_ref(), "", &mut shown);
    let defaults = KEYS
        .iter()
        .filter(|key| !key.default.is_empty() && !key.path.contains("NAME"));
    for key in defaults {
        if !shown.iter().any(|one| one.key == key.path) {
            shown.push(ShownSetting {
                key: key.path.to_string(),
                value: key.default.replace('`', ""),
                line: None,
            });
        }
    }
    Ok(shown)
}

fn walk(text: &str, table: &DeTable<'_>, above: &str, shown: &mut Vec<ShownSetting>) {
    for (name, value) in table {
        let key = match above.is_empty() {
            true => name.get_ref().to_string(),
            false => format!("{above}.{}", name.get_ref()),
        };
        if let DeValue::Table(table) = value.get_ref() {
            walk(text, table, &key, shown);
            continue;
        }
        let before = text.get(..name.span().start).unwrap_or_default();
        shown.push(ShownSetting {
            value: match key.ends_with(".url") || key == "limits.proxy" {
                true => value.get_ref().as_str().map(|url| {
                    // It may hold a password; of a webhook or ping, the path is one.
                    let url = engine::repo::shown(url);
                    match key.starts_with("notify.") {
                        true => format!("\"{}\"", without_path(&url)),
                        false => format!("\"{url}\""),
                    }
                }),
                false => text
                    .get(value.span())
                    .map(|text| text.split_whitespace().collect::<Vec<_>>().join(" ")),
            }
            .unwrap_or_default(),
            key,
            line: Some(1 + before.matches('\n').count()),
        });
    }
}

/// Only where a URL leads: `https://hooks.example.jp/...`.
fn without_path(url: &str) -> String {
    let host = url.find("://").map_or(0, |scheme| scheme + 3);
    let rest = url.get(host..).unwrap_or_default();
    match rest.find(['/', '?', '#']) {
        Some(end) => format!("{}/...", url.get(..host + end).unwrap_or_default()),
        None => url.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_and_what_is_not() {
        let text = "[remotes.a]\nurl = 'sftp://me:secret@host/x'\n\n[limits] # slow\nupload = '1M'\n\
            [sets.b]\nsources = [\n  '/x',\n  '/y',\n]\ndestinations = ['a']\n";
        let shown = of_text(text).unwrap();
        let of = |key: &str| {
            let one = shown.iter().find(|one| one.key == key).unwrap();
            (one.value.as_str(), one.line)
        };
        assert!(!of("remotes.a.url").0.contains("secret") && of("remotes.a.url").1 == Some(2));
        assert_eq!(of("limits.upload"), ("'1M'", Some(5)));
        assert_eq!(of("sets.b.sources"), ("[ '/x', '/y', ]", Some(7)));
        assert_eq!(of("limits.download"), ("\"unlimited\"", None));
        assert_eq!(of("limits.upload-idle"), ("as upload", None));
        let text = "[notify.webhook]\nurl = 'https://u:p@hooks.example.jp/T0/token'\n[notify.ping]\nurl = 'https://x?key'\n";
        let shown = of_text(text).unwrap();
        assert!(shown[0].value.ends_with("hooks.example.jp/...\"") && !shown[0].value.contains(":p@"));
        assert_eq!(shown[1].value, "\"https://x/...\"");
        assert_eq!(
            of_text("")
                .unwrap()
                .iter()
                .filter(|one| one.line.is_some())
                .count(),
            0
        );
    }
}
