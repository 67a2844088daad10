//! Edits of the settings file that keep comments, order and formatting. A change is a draft first, which can be shown as
//! a difference; it is written only if the result is valid and nobody changed the file meanwhile.

use super::diff;
use super::{Remote, Settings, file_in_use};
use crate::catalogue::{Action, Cause, SetCause, What};
use crate::env::{Env, not_utf8};
use crate::failure::Failure;
use crate::secret::SecretSource;
use engine::platform::files;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, TableLike, Value, value};

const REMOTES: &str = "remotes";
const SETS: &str = "sets";
const FORMER_NAMES: &str = "former-names";

/// A change of the settings file that was not made yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Draft {
    pub path: PathBuf,
    /// What the file holds; empty if there is none.
    pub before: String,
    pub after: String,
}

impl Draft {
    /// The file as it is.
    pub fn open(env: &Env) -> Result<Draft, Failure> {
        let path = file_in_use(env)?;
        let text = match std::fs::read(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            text => text.map_err(|e| Cause::system(Action::Read, &path, e))?,
        };
        let before = String::from_utf8(text).map_err(|_| {
            let what = What::Text;
            Failure::from(Cause::NotUtf8 { what }).of(path.display().to_string())
        })?;
        Ok(Draft {
            path,
            after: before.clone(),
            before,
        })
    }

    /// The file with a change.
    pub fn of(
        env: &Env,
        change: impl FnOnce(&mut DocumentMut) -> Result<(), Failure>,
    ) -> Result<Draft, Failure> {
        let mut draft = Draft::open(env)?;
        let wrong = |cause: Cause| Failure::from(cause).of(draft.path.display().to_string());
        let mut document: DocumentMut = draft.before.parse().map_err(|e: toml_edit::TomlError| {
            let what = e.message().to_string();
            wrong(Cause::Syntax { what })
        })?;
        change(&mut document)?;
        draft.after = document.to_string();
        Ok(draft)
    }

    /// The same with a set under another name, which remembers the one that it had.
    pub fn renamed(mut self, from: &str, to: &str) -> Result<Draft, Failure> {
        let mut document: DocumentMut = self.after.parse().map_err(|e: toml_edit::TomlError| {
            let what = e.message().to_string();
            Failure::from(Cause::Syntax { what }).of(self.path.display().to_string())
        })?;
        let sets = tables(&mut document, SETS)?;
        if sets.contains_key(to) {
            let name = to.to_string();
            return Err(SetCause::NameTaken { name }.into());
        }
        let mut set = sets.remove(from).ok_or_else(|| no_set(from))?;
        let table = set.as_table_like_mut().ok_or_else(|| no_set(from))?;
        let known = table.get(FORMER_NAMES).and_then(Item::as_array);
        let known = known.into_iter().flatten().filter_map(Value::as_str);
        let mut names: Vec<String> = known.filter(|name| *name != to).map(String::from).collect();
        names.push(from.to_string());
        put(table, &vec![(FORMER_NAMES, KeyValue::Texts(names))]);
        sets.insert(to, set);
        self.after = document.to_string();
        Ok(self)
    }

    pub fn is_change(&self) -> bool {
        self.before != self.after
    }

    /// Says which text the change was made of: another mark means that the file was changed since.
    pub fn mark(&self) -> String {
        let mut mark = DefaultHasher::new();
        self.before.hash(&mut mark);
        format!("{:016x}", mark.finish())
    }

    /// The file with another text.
    pub fn replaced(env: &Env, text: &str) -> Result<Draft, Failure> {
        let mut draft = Draft::open(env)?;
        draft.after = text.to_string();
        Ok(draft)
    }

    /// The change as a unified diff; empty if there is none.
    pub fn diff(&self) -> String {
        diff::unified(&self.path.display().to_string(), &self.before, &self.after)
    }

    /// The settings as they would be.
    pub fn check(&self, env: &Env) -> Result<Settings, Failure> {
        Settings::parse(&self.path, &self.after, env)
    }

    /// Replaces the file atomically, unless the result is not valid or the file is not what it was.
    pub fn write(&self, env: &Env) -> Result<(), Failure> {
        self.check(env)
            .map_err(|failure| failure.with(SetCause::NothingWritten.into()))?;
        if Draft::open(env)?.before != self.before {
            let path = self.path.display().to_string();
            return Err(SetCause::ChangedMeanwhile { path }.into());
        }
        // A URL in it may hold a password, so a new file is only for its owner.
        let written = files::rewrite(&self.path, self.after.as_bytes());
        written.map_err(|e| Cause::system(Action::Write, &self.path, e).into())
    }
}

/// The value of a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeyValue {
    Text(String),
    Texts(Vec<String>),
    Number(i64),
    Flag(bool),
    /// Tables in one line, in their order.
    Tables(Vec<Vec<(&'static str, String)>>),
    /// The key is taken out, so that its default holds.
    Unset,
}

impl KeyValue {
    fn item(&self) -> Option<Item> {
        Some(match self {
            KeyValue::Text(text) => value(text),
            KeyValue::Texts(texts) => value(texts.iter().collect::<Array>()),
            KeyValue::Number(number) => value(*number),
            KeyValue::Flag(flag) => value(*flag),
            KeyValue::Tables(tables) => value(tables.iter().map(inline).collect::<Array>()),
            KeyValue::Unset => return None,
        })
    }
}

fn inline(keys: &Vec<(&'static str, String)>) -> InlineTable {
    keys.iter().map(|(key, text)| (*key, text.as_str())).collect()
}

/// Keys of a set with their new values; others stay as they are.
pub type KeyValues = Vec<(&'static str, KeyValue)>;

/// A new set, or other values for keys of one, with those of its retention.
pub fn save_set(
    env: &Env,
    name: &str,
    is_new: bool,
    (keys, retention): &(KeyValues, KeyValues),
) -> Result<Draft, Failure> {
    Draft::of(env, |document| {
        let sets = tables(document, SETS)?;
        if is_new {
            if sets.contains_key(name) {
                let name = name.to_string();
                return Err(SetCause::NameTaken { name }.into());
            }
            let mut table = Table::new();
            table.decor_mut().set_prefix("\n");
            sets.insert(name, Item::Table(table));
        }
        let set = sets.get_mut(name).and_then(Item::as_table_like_mut);
        let set = set.ok_or_else(|| no_set(name))?;
        put(set, keys);
        if retention.is_empty() {
            return Ok(());
        }
        let key = "retention";
        let table = set.entry(key).or_insert(Item::Table(Table::new()));
        let table = table.as_table_like_mut().ok_or(Cause::NotATable { key })?;
        put(table, retention);
        if table.is_empty() {
            set.remove(key);
        }
        Ok(())
    })
}

/// Without a set.
pub fn remove_set(env: &Env, name: &str) -> Result<Draft, Failure> {
    Draft::of(env, |document| {
        let sets = tables(document, SETS)?;
        sets.remove(name).map(drop).ok_or_else(|| no_set(name))
    })
}

fn no_set(name: &str) -> Failure {
    let (name, near) = (name.to_string(), None);
    Cause::NoSuchSet { name, near }.into()
}

fn put(table: &mut dyn TableLike, keys: &KeyValues) {
    for (key, new) in keys {
        let Some(mut item) = new.item() else {
            table.remove(key);
            continue;
        };
        // A comment behind the value stays.
        if let (Some(old), Item::Value(new)) = (table.get(key).and_then(Item::as_value), &mut item) {
            *new.decor_mut() = old.decor().clone();
        }
        match table.get_mut(key) {
            Some(place) => *place = item,
            None => {
                table.insert(key, item);
            }
        }
    }
}

/// Puts a remote into the settings; everything else in them stays as it is.
pub fn add_remote(env: &Env, remote: &Remote) -> Result<PathBuf, Failure> {
    let draft = draft_remote(env, remote)?;
    draft.write(env)?;
    Ok(draft.path)
}

fn draft_remote(env: &Env, remote: &Remote) -> Result<Draft, Failure> {
    Draft::of(env, |document| {
        let mut table = Table::new();
        table.insert("url", value(&remote.url));
        for key in &remote.keys {
            let (name, text) = match key {
                SecretSource::KeyFile(path) => ("key-file", path.as_os_str()),
                SecretSource::PasswordFile(path) => ("password-file", path.as_os_str()),
                SecretSource::PasswordCommand(command) => ("password-command", command.as_os_str()),
                // What can't be written down is asked for, or in the environment again.
                SecretSource::Password(_)
                | SecretSource::PasswordFd(_)
                | SecretSource::PhraseFile(_)
                | SecretSource::Prompt => {
                    continue;
                }
            };
            let text = text.to_str();
            let text = text.ok_or_else(|| not_utf8(name))?;
            table.insert(name, value(text));
        }
        tables(document, REMOTES)?.insert(&remote.name, Item::Table(table));
        Ok(())
    })
}

/// Takes a remote out of the settings.
pub fn remove_remote(env: &Env, name: &str) -> Result<PathBuf, Failure> {
    let draft = Draft::of(env, |document| match tables(document, REMOTES)?.remove(name) {
        Some(_) => Ok(()),
        None => {
            let name = name.to_string();
            Err(Cause::NoSuchRemoteThere { name }.into())
        }
    })?;
    draft.write(env)?;
    Ok(draft.path)
}

/// Sets the keys of one table, such as `notify.mail`, which is made if it is not there.
pub fn set_table(env: &Env, path: &[&'static str], keys: &KeyValues) -> Result<Draft, Failure> {
    Draft::of(env, |document| {
        let mut table: &mut dyn TableLike = document.as_table_mut();
        for (depth, part) in path.iter().enumerate() {
            let mut new = Table::new();
            new.set_implicit(depth + 1 < path.len());
            let item = table.entry(part).or_insert(Item::Table(new));
            table = item.as_table_like_mut().ok_or(Cause::NotATable { key: part })?;
        }
        put(table, keys);
        Ok(())
    })
}

/// Without a table that has no subtables of another use.
pub fn remove_table(env: &Env, path: &[&'static str]) -> Result<Draft, Failure> {
    Draft::of(env, |document| {
        let Some((last, above)) = path.split_last() else {
            return Ok(());
        };
        let mut table: &mut dyn TableLike = document.as_table_mut();
        for part in above {
            let Some(below) = table.get_mut(part).and_then(Item::as_table_like_mut) else {
                return Ok(());
            };
            table = below;
        }
        table.remove(last);
        Ok(())
    })
}

/// The table of the tables with names of the user's choice, which is made if there is none.
fn tables<'d>(document: &'d mut DocumentMut, key: &'static str) -> Result<&'d mut dyn TableLike, Failure> {
    let mut table = Table::new();
    table.set_implicit(true);
    let item = document.entry(key).or_insert(Item::Table(table));
    // `sets = {}` could not take a table of its own lines.
    if let Item::Value(Value::InlineTable(inline)) = item {
        *item = Item::Table(std::mem::take(inline).into_table());
    }
    item.as_table_like_mut()
        .ok_or_else(|| Cause::NotATable { key }.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add_set(env: &Env, name: &str, keys: &KeyValues) -> Result<Draft, Failure> {
        save_set(env, name, true, &(keys.clone(), KeyValues::new()))
    }

    fn change_set(env: &Env, name: &str, keys: &KeyValues) -> Result<Draft, Failure> {
        save_set(env, name, false, &(keys.clone(), KeyValues::new()))
    }

    fn home() -> (tempfile::TempDir, Env, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let env = Env::of(&[("XDG_CONFIG_HOME", dir.path().to_str().unwrap())]);
        let file = dir.path().join("dedup/dedup.toml");
        std::fs::create_dir(dir.path().join("dedup")).unwrap();
        (dir, env, file)
    }

    const MINE: &str = "# mine\n[remotes.a] # first\nurl   = '/a'\n\n# papers\n[sets.docs]\nsources = ['/d'] # all\n\
        destinations = ['a']\npriority=3 # low\n[sets.docs.retention]\nmax-generations = 3\n\n[limits]\nupload = '1M' # slow\n";

    /// Comments, order and spelling of what is not changed stay.
    #[test]
    fn the_rest_stays_as_it_is() {
        let (dir, env, file) = home();
        let remote = Remote {
            name: "b".to_string(),
            url: "/b".to_string(),
            keys: vec![SecretSource::KeyFile("/k".into())],
            quota: None,
            append_only: false,
        };
        assert_eq!(add_remote(&env, &remote).unwrap(), file);
        remove_remote(&env, "b").unwrap();
        let kept = dir.path().join("kept.toml");
        std::fs::write(&kept, MINE).unwrap();
        std::fs::remove_file(&file).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(&kept, &file).unwrap();
        add_remote(&env, &remote).unwrap();
        let added = std::fs::read_to_string(&kept).unwrap();
        assert!(
            added.contains("[remotes.b]\nurl = \"/b\"\nkey-file = \"/k\"\n"),
            "{added}"
        );
        assert!(MINE.lines().all(|line| added.contains(line)), "{added}");
        remove_remote(&env, "b").unwrap();
        assert_eq!(std::fs::read_to_string(&kept).unwrap(), MINE);
        assert!(file.symlink_metadata().unwrap().is_symlink());
        assert!(remove_remote(&env, "b").unwrap_err().message().contains("'b'"));
    }

    #[test]
    fn sets_are_added_changed_and_removed() {
        let (_dir, env, file) = home();
        std::fs::write(&file, MINE).unwrap();
        let keys = vec![
            ("sources", KeyValue::Texts(vec!["/x".into(), "/y z".into()])),
            ("destinations", KeyValue::Texts(vec!["a".into()])),
            ("hidden", KeyValue::Flag(false)),
        ];
        let draft = add_set(&env, "new", &keys).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), MINE, "not written yet");
        draft.write(&env).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        let table = "\n[sets.new]\nsources = [\"/x\", \"/y z\"]\ndestinations = [\"a\"]\nhidden = false\n";
        assert!(text.contains(table), "{text}");
        assert!(MINE.lines().all(|line| text.contains(line)), "{text}");
        assert!(
            add_set(&env, "new", &keys)
                .unwrap_err()
                .message()
                .contains("'new'")
        );
        let keys = vec![
            ("priority", KeyValue::Number(9)),
            ("sources", KeyValue::Unset),
            ("sources", KeyValue::Texts(vec!["/e".into()])),
            ("hidden", KeyValue::Unset),
        ];
        let draft = change_set(&env, "docs", &keys).unwrap();
        assert!(
            draft.after.contains("priority= 9 # low") || draft.after.contains("priority=9 # low"),
            "{}",
            draft.after
        );
        assert!(
            draft.diff().contains("-priority=3 # low\n+priority"),
            "{}",
            draft.diff()
        );
        let draft = remove_set(&env, "docs").unwrap();
        draft.write(&env).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(
            !text.contains("docs") && !text.contains("max-generations"),
            "{text}"
        );
        assert!(
            text.contains("# mine") && text.contains("[limits]\nupload = '1M' # slow"),
            "{text}"
        );
        assert!(remove_set(&env, "docs").is_err() && change_set(&env, "docs", &keys).is_err());
    }

    /// What would not be valid is never written, and neither is what somebody else changed meanwhile.
    #[test]
    fn a_bad_result_is_not_written() {
        let (_dir, env, file) = home();
        std::fs::write(&file, MINE).unwrap();
        let bad = vec![("schedule", KeyValue::Text("sometimes".into()))];
        let failure = change_set(&env, "docs", &bad).unwrap().write(&env).unwrap_err();
        assert!(
            failure.message().contains("schedule") && failure.message().contains("nothing was changed"),
            "{}",
            failure.message()
        );
        let draft = change_set(&env, "docs", &vec![("priority", KeyValue::Number(1))]).unwrap();
        let other = format!("{MINE}# another\n");
        std::fs::write(&file, &other).unwrap();
        let failure = draft.write(&env).unwrap_err();
        assert!(failure.message().contains("changed"), "{}", failure.message());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), other);
    }

    #[test]
    fn a_table_deep_in_the_file() {
        let (_dir, env, file) = home();
        std::fs::write(&file, MINE).unwrap();
        let keys = vec![("server", KeyValue::Text("h".into()))];
        let draft = set_table(&env, &["notify", "mail"], &keys).unwrap();
        assert!(
            draft.after.contains("[notify.mail]\nserver = \"h\"\n"),
            "{}",
            draft.after
        );
        assert!(!draft.after.contains("[notify]\n"), "{}", draft.after);
        let draft = set_table(&env, &["sets", "docs", "retention"], &keys).unwrap();
        assert!(
            draft.after.contains("max-generations = 3\nserver = \"h\"\n"),
            "{}",
            draft.after
        );
    }
}
