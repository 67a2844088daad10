//! `init`: makes a repository, what opens it, and a recovery phrase that is shown this once.

use crate::args::{Chunker, InitArgs};
use crate::output;
use crate::render::{json, text};
use crate::terminal::Terminal;
use engine::repo::{self, Bounds};
use engine::{Error, RepoId, StoreError, key, storage};
use serde_json::json;
use service::key_file::KeyFile;
use service::resolve::{self, Location};
use service::secret::{self, Credential, PasswordPrompt, SecretSource};
use service::{Failure, Status};
use std::path::Path;
use zeroize::Zeroizing;

/// Folders that a creation cut short leaves behind; what else is there is somebody's.
const OURS: [&str; 2] = ["keys", "tmp"];

/// What will open the new repository.
#[derive(Default)]
struct Keys {
    file: Option<KeyFile>,
    password: Option<key::Secret>,
    phrase: Option<Zeroizing<String>>,
}

pub fn run(terminal: &Terminal, args: &InitArgs) -> Result<Status, Failure> {
    let location = terminal.context.location()?;
    check_vacant(&location)?;
    let keys = keys(terminal, args, &location)?;
    // A phrase counts only if it was seen: it is shown before anything relies on it.
    let shown = show_phrase(terminal, &keys);
    let made = shown.and_then(|()| make(terminal, args, &location, &keys).map_err(|e| unused(e, &keys)));
    let id = made.inspect_err(|_| {
        if let Some(file) = &keys.file {
            file.unmake();
        }
    })?;
    tell_weak(terminal, &location.url, &id.to_hex(), "init");
    match terminal.json() {
        true => tell_json(&location, id, &keys)?,
        false => output::write(tell(terminal, &location, id, &keys).as_bytes()).map(|_| ())?,
    }
    Ok(Status::Completed)
}

fn show_phrase(terminal: &Terminal, keys: &Keys) -> Result<(), Failure> {
    match &keys.phrase {
        None => Ok(()),
        Some(phrase) if terminal.json() => show_phrase_json(phrase),
        Some(phrase) => output::show(phrase_text(phrase).as_bytes()),
    }
}

pub fn show_phrase_json(phrase: &str) -> Result<(), Failure> {
    let object = json::object("recovery_phrase", json!({ "recovery_phrase": phrase }));
    output::show(Zeroizing::new(json::line(&object) + "\n").as_bytes())
}

/// What was shown must not be kept for something that it isn't.
fn unused(failure: Failure, keys: &Keys) -> Failure {
    match &keys.phrase {
        None => failure,
        Some(_) => failure.with("the recovery phrase above opens nothing"),
    }
}

/// Whether this repository gets a recovery phrase: not one that nobody would see, or that a program would keep.
fn wants_phrase(terminal: &Terminal, args: &InitArgs) -> bool {
    if args.no_recovery || (terminal.json() && !args.print_recovery_phrase) {
        return false;
    }
    if output::leads_nowhere() {
        let what = "no recovery phrase was made, because standard output is closed or leads to /dev/null; \
                    'dedup key recovery' makes one";
        warn(terminal, what, "init");
        return false;
    }
    true
}

/// Tries the storage of a new replica out, whose local folders are called `folder`.
pub fn tell_weak(terminal: &Terminal, url: &str, folder: &str, during: &str) {
    let dirs = terminal.context.dirs();
    let tried = dirs.and_then(|dirs| Ok(storage::try_out(url, folder, &dirs, terminal.context.now_secs())?));
    match tried {
        Ok(storage) => {
            for what in storage.weaknesses() {
                warn(terminal, &format!("this storage is weak: {what}"), during);
            }
        }
        Err(e) => {
            let why = format!("the storage could not be tried out: {}", e.message);
            warn(terminal, &why, during);
        }
    }
}

fn warn(terminal: &Terminal, what: &str, during: &str) {
    output::say(&match terminal.json() {
        true => json::line(&json::object(
            "warning",
            json!({ "error": { "message": what }, "during": during }),
        )),
        false => format!("dedup: warning: {}", engine::units::escape(what.as_bytes())),
    });
}

/// Before any secret is made or asked for.
pub fn check_vacant(location: &Location) -> Result<(), Failure> {
    if repo::exists(&location.url)? {
        let location = repo::shown(&location.url);
        return Err(Error::Store(StoreError::RepositoryExists { location }).into());
    }
    let Some(path) = repo::local_path(&location.url) else {
        return Ok(());
    };
    let list = match std::fs::read_dir(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        list => list.map_err(|e| Failure::io("can't use", path, &e))?,
    };
    for entry in list {
        let name = entry.map_err(|e| Failure::io("list", path, &e))?.file_name();
        if !OURS.iter().any(|ours| name == *ours) {
            let path = path.display();
            return Err(Failure::new(
                Status::Failed,
                format!(
                    "{path} holds other files and is no repository; nothing was changed: choose an empty or \
                     new directory, such as {path}/dedup"
                ),
            ));
        }
    }
    Ok(())
}

fn keys(terminal: &Terminal, args: &InitArgs, location: &Location) -> Result<Keys, Failure> {
    let sources = resolve::creating(&terminal.context.options, &terminal.context.env, location)?;
    let mut keys = Keys::default();
    // Passwords first: what is asked for may be left, and no file made by then.
    let (files, others): (Vec<SecretSource>, Vec<SecretSource>) = sources
        .into_iter()
        .partition(|source| matches!(source, SecretSource::KeyFile(_)));
    for source in &others {
        if let Credential::Password(password) = secret::read(source, PasswordPrompt::First, terminal)? {
            keys.password = Some(key::Secret::Password(key::Password::new(password.expose())));
        }
    }
    if wants_phrase(terminal, args) {
        keys.phrase = Some(key::new_phrase().map_err(Error::from)?);
    }
    for source in &files {
        if let SecretSource::KeyFile(path) = source {
            check_outside(path, location)?;
            keys.file = Some(KeyFile::read_or_make(path)?);
        }
    }
    Ok(keys)
}

/// A key beside what it opens protects nothing.
fn check_outside(key: &Path, location: &Location) -> Result<(), Failure> {
    let Some(repository) = repo::local_path(&location.url) else {
        return Ok(());
    };
    let absolute = |path: &Path| std::path::absolute(path).map_err(|e| Failure::io("the path", path, &e));
    match absolute(key)?.starts_with(absolute(repository)?) {
        true => Err(Failure::usage(
            "the key file would lie in the repository that it opens: choose another place",
        )),
        false => Ok(()),
    }
}

fn make(terminal: &Terminal, args: &InitArgs, location: &Location, keys: &Keys) -> Result<RepoId, Failure> {
    let host = terminal.context.host().unwrap_or_default();
    let phrase = keys.phrase.as_ref().map(|phrase| key::parse_phrase(phrase));
    let phrase = phrase.transpose().map_err(Error::from)?;
    let bounds = match args.chunker {
        Chunker::Default => Bounds::DEFAULT,
        Chunker::Fine => Bounds::FINE,
    };
    let mut secrets: Vec<(&key::Secret, &str)> = Vec::new();
    secrets.extend(keys.file.iter().map(|file| (&file.secret, host.as_str())));
    secrets.extend(keys.password.iter().map(|password| (password, host.as_str())));
    secrets.extend(phrase.iter().map(|phrase| (phrase, "")));
    let secrets: Vec<(key::Secret, &str)> = secrets
        .into_iter()
        .map(|(secret, label)| (secret.clone(), label))
        .collect();
    let id = repo::create(
        &location.url,
        bounds,
        &secrets,
        key::Cost::DEFAULT,
        terminal.context.now_secs(),
        args.parity,
    )?;
    Ok(id)
}

fn tell_json(location: &Location, id: RepoId, keys: &Keys) -> Result<(), Failure> {
    let object = json!({
        "id": id.to_hex(),
        "repository": repo::shown(&location.url),
        "key_file": keys.file.as_ref().map(|file| file.path.display().to_string()),
        "recovery": keys.phrase.is_some(),
    });
    output::object(&json::object("initialized", object.clone()))?;
    output::object(&json::object("summary", object))
}

fn tell(terminal: &Terminal, location: &Location, id: RepoId, keys: &Keys) -> String {
    let shown = |text: &str| engine::units::escape(text.as_bytes());
    let mut out = String::new();
    let id = text::short(&id.to_hex());
    out.push_str(&format!(
        "Created repository {id} at {}\n",
        shown(&repo::shown(&location.url))
    ));
    if let Some(file) = &keys.file {
        let path = shown(&file.path.display().to_string());
        let made = if file.made {
            "Made the key file"
        } else {
            "Opened by the key file"
        };
        out.push_str(&format!(
            "{made} {path}: keep a copy of it elsewhere, it opens the repository\n"
        ));
    }
    if keys.phrase.is_none() && (keys.file.is_none() || keys.password.is_none()) {
        out.push_str(
            "There is no recovery phrase: without this password or key file nothing can be restored.\n",
        );
    }
    if !terminal.global.quiet {
        let option = match location.embedded {
            true => String::new(),
            false => format!("-r {} ", shown(&repo::shown(&location.url))),
        };
        out.push_str(&format!("\nNext: dedup {option}backup DIR\n"));
    }
    out
}

/// The phrase as it is shown, this once: six words a line, so that it can be copied by hand.
pub fn phrase_text(phrase: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(1024));
    out.push_str(
        "Recovery phrase. It opens the repository when password and key file are lost, and is not shown\n\
         again: write it down and keep it away from this machine.\n\n",
    );
    let words: Vec<&str> = phrase.split(' ').collect();
    for line in words.chunks(6) {
        out.push_str("    ");
        out.push_str(&line.join(" "));
        out.push('\n');
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vacant_place() {
        let dir = tempfile::tempdir().unwrap();
        let check = |path: &Path| check_vacant(&Location::of(path.to_str().unwrap()));
        assert_eq!(check(dir.path()), Ok(()));
        assert_eq!(check(&dir.path().join("new")), Ok(()));
        std::fs::create_dir(dir.path().join("keys")).unwrap();
        assert_eq!(check(dir.path()), Ok(()));
        std::fs::write(dir.path().join("letter.txt"), "dear").unwrap();
        let failure = check(dir.path()).unwrap_err();
        assert!(failure.status == Status::Failed && failure.message.contains("nothing was changed"));
        assert!(check(&dir.path().join("letter.txt")).is_err());
    }

    #[test]
    fn the_phrase_is_whole() {
        let phrase = key::new_phrase().unwrap();
        let shown = phrase_text(&phrase);
        let words: Vec<&str> = shown
            .lines()
            .filter(|l| l.starts_with("    "))
            .flat_map(str::split_whitespace)
            .collect();
        assert_eq!(words.join(" "), *phrase);
    }
}
