//! A set as a form has it: every value as it is written, so that what nobody touches stays as it is in the file. What
//! differs from the file becomes a change of its keys, and the command that would make the same change.

use super::edit::{Draft, KeyValue, KeyValues};
use crate::catalogue::{Cause, SetCause};
use crate::failure::Failure;
use toml_edit::{DocumentMut, Item, TableLike, Value};

/// The values of a set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SetForm {
    pub sources: Vec<String>,
    pub exclude: Vec<String>,
    pub exclude_extensions: Vec<String>,
    pub standard_excludes: bool,
    pub hidden: bool,
    pub destinations: Vec<String>,
    pub priority: String,
    pub schedule: String,
    pub tags: Vec<String>,
    pub run_before: String,
    pub run_after: String,
    pub run_failed: String,
    pub run_finally: String,
    pub run_timeout: String,
    /// `until` and `keep-every`.
    pub tiers: Vec<(String, String)>,
    pub deleted_files: String,
    pub max_generations: String,
    pub keep_tags: Vec<String>,
}

impl Default for SetForm {
    fn default() -> SetForm {
        let (lines, text) = (Vec::new, String::new);
        SetForm {
            sources: lines(),
            exclude: lines(),
            exclude_extensions: lines(),
            standard_excludes: true,
            hidden: true,
            destinations: lines(),
            priority: text(),
            schedule: text(),
            tags: lines(),
            run_before: text(),
            run_after: text(),
            run_failed: text(),
            run_finally: text(),
            run_timeout: text(),
            tiers: Vec::new(),
            deleted_files: text(),
            max_generations: text(),
            keep_tags: lines(),
        }
    }
}

impl SetForm {
    /// As the file has it.
    pub fn of(draft: &Draft, name: &str) -> Option<SetForm> {
        let document: DocumentMut = draft.before.parse().ok()?;
        let set = document.get("sets")?.get(name)?.as_table_like()?;
        let retention = set.get("retention").and_then(Item::as_table_like);
        let below = |key: &str| retention.and_then(|table| table.get(key));
        let flag = |key: &str| set.get(key).and_then(Item::as_bool).unwrap_or(true);
        let text = |key: &str| set.get(key).map(text).unwrap_or_default();
        let list = |key: &str| set.get(key).map(texts).unwrap_or_default();
        Some(SetForm {
            sources: list("sources"),
            exclude: list("exclude"),
            exclude_extensions: list("exclude-extensions"),
            standard_excludes: flag("standard-excludes"),
            hidden: flag("hidden"),
            destinations: list("destinations"),
            priority: text("priority"),
            schedule: text("schedule"),
            tags: list("tags"),
            run_before: text("run-before"),
            run_after: text("run-after"),
            run_failed: text("run-failed"),
            run_finally: text("run-finally"),
            run_timeout: text("run-timeout"),
            tiers: below("tiers").map(tiers).unwrap_or_default(),
            deleted_files: below("deleted-files").map(self::text).unwrap_or_default(),
            max_generations: below("max-generations").map(self::text).unwrap_or_default(),
            keep_tags: below("keep-tags").map(texts).unwrap_or_default(),
        })
    }

    /// The keys that differ from another form, and those of the retention.
    pub fn changes(&self, from: &SetForm) -> (KeyValues, KeyValues) {
        let mut keys = KeyValues::new();
        let mut list = |key, old: &Vec<String>, new: &Vec<String>| {
            if old != new {
                let value = KeyValue::Texts(new.clone());
                keys.push((key, if new.is_empty() { KeyValue::Unset } else { value }));
            }
        };
        list("sources", &from.sources, &self.sources);
        list("exclude", &from.exclude, &self.exclude);
        list(
            "exclude-extensions",
            &from.exclude_extensions,
            &self.exclude_extensions,
        );
        list("destinations", &from.destinations, &self.destinations);
        list("tags", &from.tags, &self.tags);
        let flags = [
            (
                "standard-excludes",
                from.standard_excludes,
                self.standard_excludes,
            ),
            ("hidden", from.hidden, self.hidden),
        ];
        for (key, old, new) in flags {
            if old != new {
                // On is the default.
                keys.push((
                    key,
                    if new {
                        KeyValue::Unset
                    } else {
                        KeyValue::Flag(false)
                    },
                ));
            }
        }
        if from.priority != self.priority {
            keys.push(("priority", number(&self.priority)));
        }
        for (key, old, new) in self.texts(from) {
            if old != new {
                let value = KeyValue::Text(new.clone());
                keys.push((key, if new.is_empty() { KeyValue::Unset } else { value }));
            }
        }
        (keys, self.retention(from))
    }

    fn retention(&self, from: &SetForm) -> KeyValues {
        let mut keys = KeyValues::new();
        if from.tiers != self.tiers {
            let table = |(until, every): &(String, String)| {
                let until = (!until.is_empty()).then(|| ("until", until.clone()));
                until.into_iter().chain([("keep-every", every.clone())]).collect()
            };
            let tables = KeyValue::Tables(self.tiers.iter().map(table).collect());
            keys.push((
                "tiers",
                if self.tiers.is_empty() {
                    KeyValue::Unset
                } else {
                    tables
                },
            ));
        }
        if from.deleted_files != self.deleted_files {
            let text = KeyValue::Text(self.deleted_files.clone());
            keys.push((
                "deleted-files",
                if self.deleted_files.is_empty() {
                    KeyValue::Unset
                } else {
                    text
                },
            ));
        }
        if from.max_generations != self.max_generations {
            keys.push(("max-generations", number(&self.max_generations)));
        }
        if from.keep_tags != self.keep_tags {
            let tags = KeyValue::Texts(self.keep_tags.clone());
            keys.push((
                "keep-tags",
                if self.keep_tags.is_empty() {
                    KeyValue::Unset
                } else {
                    tags
                },
            ));
        }
        keys
    }

    fn texts<'a>(&'a self, from: &'a SetForm) -> [(&'static str, &'a String, &'a String); 6] {
        [
            ("schedule", &from.schedule, &self.schedule),
            ("run-before", &from.run_before, &self.run_before),
            ("run-after", &from.run_after, &self.run_after),
            ("run-failed", &from.run_failed, &self.run_failed),
            ("run-finally", &from.run_finally, &self.run_finally),
            ("run-timeout", &from.run_timeout, &self.run_timeout),
        ]
    }
}

/// The values of a table's keys as they are written, lists with commas between.
pub fn values(draft: &Draft, table: &[&str], keys: &[&str]) -> Vec<String> {
    let document: Option<DocumentMut> = draft.before.parse().ok();
    let mut at = document.as_ref().map(|document| document.as_item());
    for part in table {
        at = at.and_then(|item| item.get(part));
    }
    let value = |key: &&str| {
        let item = at.and_then(|item| item.get(*key));
        item.map(|item| match item.is_array() {
            true => texts(item).join(", "),
            false => text(item),
        })
    };
    keys.iter().map(|key| value(key).unwrap_or_default()).collect()
}

/// The command that changes a set in the same way.
pub fn command(name: &str, is_new: bool, (keys, retention): &(KeyValues, KeyValues)) -> String {
    let verb = if is_new { "add" } else { "edit" };
    let mut words = vec![format!("dedup set {verb}"), quoted(name)];
    for (key, value) in keys.iter().chain(retention) {
        add_words(&mut words, key, value, is_new);
    }
    words.join(" ")
}

/// What a key is called as an option.
fn option_of(key: &str) -> String {
    match key {
        "sources" => "--source".to_string(),
        "destinations" => "--destination".to_string(),
        "exclude-extensions" => "--exclude-extension".to_string(),
        "tags" => "--tag".to_string(),
        "tiers" => "--tier".to_string(),
        "keep-tags" => "--keep-tag".to_string(),
        other => format!("--{other}"),
    }
}

fn add_words(words: &mut Vec<String>, key: &str, value: &KeyValue, is_new: bool) {
    let option = option_of(key);
    let word = |text: &str| match (key, is_new) {
        // Where they are written without an option.
        ("sources", true) => quoted(text),
        _ => format!("{option} {}", quoted(text)),
    };
    match value {
        // Switches have no value: on is their default.
        KeyValue::Unset if matches!(key, "standard-excludes" | "hidden") => words.push(option),
        KeyValue::Flag(true) => words.push(option),
        KeyValue::Flag(false) => words.push(format!("--no-{key}")),
        KeyValue::Text(text) => words.push(word(text)),
        KeyValue::Texts(texts) => words.extend(texts.iter().map(|text| word(text))),
        KeyValue::Number(number) => words.push(word(&number.to_string())),
        KeyValue::Unset => words.push(word("")),
        KeyValue::Tables(tables) => words.extend(tables.iter().map(|tier| word(&tier_text(tier)))),
    }
}

/// A tier as an option has it: `7d=1h`, or `1M` without an age.
fn tier_text(tier: &[(&'static str, String)]) -> String {
    let values: Vec<&str> = tier.iter().map(|(_, value)| value.as_str()).collect();
    values.join("=")
}

/// The keys of a tier that is written as an option.
pub fn tier_of(text: &str) -> Vec<(&'static str, String)> {
    let (until, every) = match text.split_once('=') {
        Some((until, every)) => (Some(until), every),
        None => (None, text),
    };
    let until = until.map(|until| ("until", until.trim().to_string()));
    until
        .into_iter()
        .chain([("keep-every", every.trim().to_string())])
        .collect()
}

/// A word as a shell reads it.
pub fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,=".contains(c);
    // The shell makes the home directory of it only outside quotes.
    let (home, rest) = match word.strip_prefix("~/") {
        Some(rest) => ("~/", rest),
        None => ("", word),
    };
    match !word.is_empty() && rest.chars().all(is_plain) {
        true => word.to_string(),
        false => format!("{home}'{}'", rest.replace('\'', "'\\''")),
    }
}

/// The key that a failure of the settings is about, and what is wrong with it, without the place in the file.
pub fn fault(failure: &Failure) -> (Option<String>, Failure) {
    let (key, cause) = key_of(&failure.cause);
    let status = failure.status;
    (key, Failure { status, cause })
}

fn key_of(cause: &Cause) -> (Option<String>, Cause) {
    let key = match cause {
        Cause::InFile { cause, .. } | Cause::Followed { cause, .. } => return key_of(cause),
        Cause::Of { name, cause } => match key_of(cause) {
            (Some(key), _) => Some(key),
            (None, _) => Some(name.trim_matches('\'').to_string()),
        },
        Cause::BadValue { key, .. } | Cause::WrongType { key, .. } | Cause::NoField { key, .. } => {
            Some(key.clone())
        }
        Cause::SetLacks { key, .. } => Some((*key).to_string()),
        Cause::Sets { what } => match what {
            SetCause::NameTaken { .. } | SetCause::FormerNameTaken { .. } => Some("name".to_string()),
            SetCause::NoSource => Some("sources".to_string()),
            SetCause::NoDestination { .. } => Some("destinations".to_string()),
            _ => None,
        },
        Cause::NotAName { .. } => Some("name".to_string()),
        _ => None,
    };
    (key, cause.clone())
}

fn text(item: &Item) -> String {
    match item.as_value() {
        Some(Value::String(text)) => text.value().clone(),
        Some(other) => other.clone().decorated("", "").to_string(),
        None => String::new(),
    }
}

fn texts(item: &Item) -> Vec<String> {
    let values = item.as_array().into_iter().flatten();
    values
        .filter_map(|value| value.as_str().map(String::from))
        .collect()
}

fn tiers(item: &Item) -> Vec<(String, String)> {
    let of = |table: &dyn TableLike| {
        let get = |key: &str| table.get(key).map(text).unwrap_or_default();
        (get("until"), get("keep-every"))
    };
    match item {
        Item::ArrayOfTables(tables) => tables.iter().map(|table| of(table)).collect(),
        item => {
            let values = item.as_array().into_iter().flatten();
            let tables = values.filter_map(Value::as_inline_table);
            tables.map(|table| of(table)).collect()
        }
    }
}

fn number(text: &str) -> KeyValue {
    match (text.is_empty(), text.parse()) {
        (true, _) => KeyValue::Unset,
        (_, Ok(number)) => KeyValue::Number(number),
        // Refused with the words of the settings' check.
        (_, Err(_)) => KeyValue::Text(text.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::Env;
    use crate::settings::edit::save_set;

    const FILE: &str = "[remotes.a]\nurl = '/a'\n\n[sets.docs]\nsources = ['~/d', '/x y'] # mine\ndestinations = ['a']\n\
        schedule = 'every 15m mon..fri'\npriority = 3\n\n[sets.docs.retention]\ntiers = [{ until = '7d', keep-every = '1h' }, \
        { keep-every = '1M' }] # tiers\nmax-generations = 9\n";

    fn home(text: &str) -> (tempfile::TempDir, Env) {
        let dir = tempfile::tempdir().unwrap();
        let env = Env::of(&[("XDG_CONFIG_HOME", dir.path().to_str().unwrap())]);
        std::fs::create_dir(dir.path().join("dedup")).unwrap();
        std::fs::write(dir.path().join("dedup/dedup.toml"), text).unwrap();
        (dir, env)
    }

    #[test]
    fn what_is_not_touched_stays() {
        let (_dir, env) = home(FILE);
        let before = SetForm::of(&Draft::open(&env).unwrap(), "docs").unwrap();
        assert_eq!(before.schedule, "every 15m mon..fri");
        assert_eq!(
            before.tiers,
            [("7d".into(), "1h".into()), (String::new(), "1M".into())]
        );
        assert_eq!(
            (before.priority.as_str(), before.max_generations.as_str()),
            ("3", "9")
        );
        let none = before.changes(&before);
        assert!(none.0.is_empty() && none.1.is_empty());
        let draft = save_set(&env, "docs", false, &none).unwrap();
        assert!(!draft.is_change(), "{}", draft.diff());
        let after = SetForm {
            hidden: false,
            priority: String::new(),
            tiers: vec![("30d".into(), "1d".into())],
            max_generations: String::new(),
            ..before.clone()
        };
        let changes = after.changes(&before);
        let draft = save_set(&env, "docs", false, &changes).unwrap();
        draft.check(&env).unwrap();
        assert!(
            draft.after.contains("sources = ['~/d', '/x y'] # mine"),
            "{}",
            draft.after
        );
        assert!(
            draft
                .after
                .contains("tiers = [{ until = \"30d\", keep-every = \"1d\" }] # tiers"),
            "{}",
            draft.after
        );
        assert!(!draft.after.contains("priority") && !draft.after.contains("max-generations"));
        assert_eq!(
            command("docs", false, &changes),
            "dedup set edit docs --no-hidden --priority '' --tier 30d=1d --max-generations ''"
        );
    }

    #[test]
    fn a_new_set_and_its_command() {
        let (_dir, env) = home("[remotes.a]\nurl = '/a'\n");
        let form = SetForm {
            sources: vec!["~/my files".into(), "/d".into()],
            destinations: vec!["a".into()],
            schedule: "daily 12:30".into(),
            exclude: vec!["!it's".into()],
            tiers: vec![("7d".into(), "1h".into())],
            ..SetForm::default()
        };
        let changes = form.changes(&SetForm::default());
        let draft = save_set(&env, "new", true, &changes).unwrap();
        draft.check(&env).unwrap();
        draft.write(&env).unwrap();
        assert_eq!(SetForm::of(&Draft::open(&env).unwrap(), "new").unwrap(), form);
        assert_eq!(
            command("new", true, &changes),
            "dedup set add new ~/'my files' /d --exclude '!it'\\''s' --destination a --schedule 'daily 12:30' --tier 7d=1h"
        );
        let back = SetForm::default().changes(&form);
        let draft = save_set(&env, "new", false, &back).unwrap();
        assert!(!draft.after.contains("retention"), "{}", draft.after);
    }

    #[test]
    fn the_field_is_named() {
        let (_dir, env) = home(FILE);
        let before = SetForm::of(&Draft::open(&env).unwrap(), "docs").unwrap();
        let field = |form: SetForm| {
            let draft = save_set(&env, "docs", false, &form.changes(&before)).unwrap();
            fault(&draft.check(&env).unwrap_err()).0.unwrap()
        };
        let form = || before.clone();
        let text = || "x".to_string();
        assert_eq!(
            field(SetForm {
                schedule: text(),
                ..form()
            }),
            "schedule"
        );
        assert_eq!(
            field(SetForm {
                priority: text(),
                ..form()
            }),
            "priority"
        );
        assert_eq!(
            field(SetForm {
                sources: vec![text()],
                ..form()
            }),
            "sources"
        );
        assert_eq!(
            field(SetForm {
                sources: Vec::new(),
                ..form()
            }),
            "sources"
        );
        assert_eq!(
            field(SetForm {
                destinations: vec![text()],
                ..form()
            }),
            "destinations"
        );
        assert_eq!(
            field(SetForm {
                run_timeout: text(),
                ..form()
            }),
            "run-timeout"
        );
        assert_eq!(
            field(SetForm {
                max_generations: "0".into(),
                ..form()
            }),
            "max-generations"
        );
        assert_eq!(
            field(SetForm {
                deleted_files: text(),
                ..form()
            }),
            "deleted-files"
        );
        let tiers = vec![("7d".into(), "1h".into()), ("1d".into(), "1h".into())];
        assert_eq!(field(SetForm { tiers, ..form() }), "tiers");
        assert_eq!(
            field(SetForm {
                tiers: vec![(text(), "1h".into())],
                ..form()
            }),
            "until"
        );
        let taken = save_set(&env, "docs", true, &form().changes(&SetForm::default())).unwrap_err();
        assert_eq!(fault(&taken).0.unwrap(), "name");
    }
}
