//! Edits of the settings file that keep comments, order and formatting.

use super::{Remote, own_file};
use crate::catalogue::{Action, Cause};
use crate::env::{Env, not_utf8};
use crate::failure::Failure;
use crate::secret::SecretSource;
use engine::platform::files;
use std::path::PathBuf;
use toml_edit::{DocumentMut, Item, Table, TableLike, value};

const REMOTES: &str = "remotes";

/// Puts a remote into the user's file; everything else in it stays as it is.
pub fn add_remote(env: &Env, remote: &Remote) -> Result<PathBuf, Failure> {
    edit(env, |remotes| {
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
        remotes.insert(&remote.name, Item::Table(table));
        Ok(())
    })
}

/// Takes a remote out of the user's file.
pub fn remove_remote(env: &Env, name: &str) -> Result<PathBuf, Failure> {
    edit(env, |remotes| match remotes.remove(name) {
        Some(_) => Ok(()),
        None => {
            let name = name.to_string();
            Err(Cause::NoSuchRemoteThere { name }.into())
        }
    })
}

fn edit(
    env: &Env,
    change: impl FnOnce(&mut dyn TableLike) -> Result<(), Failure>,
) -> Result<PathBuf, Failure> {
    let path = own_file(env)?;
    let text = match std::fs::read_to_string(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        text => text.map_err(|e| Cause::system(Action::Read, &path, e))?,
    };
    let wrong = |cause: Cause| Failure::from(cause).of(path.display().to_string());
    let mut document: DocumentMut = text.parse().map_err(|e: toml_edit::TomlError| {
        let what = e.message().to_string();
        wrong(Cause::Said { what })
    })?;
    let mut remotes = Table::new();
    remotes.set_implicit(true);
    let remotes = document.entry(REMOTES).or_insert(Item::Table(remotes));
    let remotes = remotes.as_table_like_mut();
    change(remotes.ok_or_else(|| wrong(Cause::NotATable { key: REMOTES }))?)?;
    // A URL in it may hold a password, so a new one is only for its owner.
    let written = files::rewrite(&path, document.to_string().as_bytes());
    written.map_err(|e| Cause::system(Action::Write, &path, e))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Comments, order and spelling of what is not changed stay.
    #[test]
    fn the_rest_stays_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let env = Env::of(&[("XDG_CONFIG_HOME", dir.path().to_str().unwrap())]);
        let file = dir.path().join("dedup/dedup.toml");
        let remote = Remote {
            name: "b".to_string(),
            url: "/b".to_string(),
            keys: vec![SecretSource::KeyFile("/k".into())],
            quota: None,
        };
        assert_eq!(add_remote(&env, &remote).unwrap(), file);
        remove_remote(&env, "b").unwrap();
        let mine = "# mine\n[remotes.a] # first\nurl   = '/a'\n\n[limits]\nupload = '1M' # slow\n";
        let kept = dir.path().join("kept.toml");
        std::fs::write(&kept, mine).unwrap();
        std::fs::remove_file(&file).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(&kept, &file).unwrap();
        add_remote(&env, &remote).unwrap();
        let added = std::fs::read_to_string(&kept).unwrap();
        assert!(
            added.contains("[remotes.b]\nurl = \"/b\"\nkey-file = \"/k\"\n"),
            "{added}"
        );
        assert!(mine.lines().all(|line| added.contains(line)), "{added}");
        remove_remote(&env, "b").unwrap();
        assert_eq!(std::fs::read_to_string(&kept).unwrap(), mine);
        assert!(file.symlink_metadata().unwrap().is_symlink());
        assert!(remove_remote(&env, "b").unwrap_err().message().contains("'b'"));
    }
}
