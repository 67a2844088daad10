//! The job `init`: makes a repository, what opens it, and a recovery phrase that is shown this once.

use crate::catalogue::{Action, Cause, SetupWarning};
use crate::context::Context;
use crate::credential::{self, Credential};
use crate::face::{Face, Notice};
use crate::failure::Failure;
use crate::history::record::recorded;
use crate::history::{JobInfo, JobKind};
use crate::key_file::KeyFile;
use crate::resolve::{self, Location};
use crate::secret::{PasswordPrompt, SecretSource};
use crate::status::Status;
use engine::repo;
pub use engine::repo::Bounds;
use engine::run::RunContext;
use engine::{Error, RepoId, StoreError, key, storage};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Folders that a creation cut short leaves behind; what else is there is somebody's.
const OURS: [&str; 2] = ["keys", "tmp"];

/// What the new repository is to be.
#[derive(Clone, Debug)]
pub struct Request {
    /// Make a recovery phrase, and show it.
    pub recovery_phrase: bool,
    pub bounds: Bounds,
    /// So many per cent of parity with each pack.
    pub parity: Option<u8>,
}

/// The repository that was made, and what opens it.
pub struct Report {
    pub id: RepoId,
    pub location: Location,
    pub key_file: Option<KeyFile>,
    pub has_password: bool,
    pub has_recovery_phrase: bool,
}

/// What will open the new repository.
#[derive(Default)]
struct Keys {
    /// Where the key file is, or will be made.
    file: Option<PathBuf>,
    password: Option<key::Secret>,
    phrase: Option<Zeroizing<String>>,
}

pub fn run(context: &Context, request: &Request, face: &dyn Face) -> Result<Report, Failure> {
    recorded(
        context,
        Some(JobInfo::of(JobKind::Init)),
        face,
        |face| perform(context, request, face),
        |_, _| Status::Completed,
    )
}

fn perform(context: &Context, request: &Request, face: &dyn Face) -> Result<Report, Failure> {
    let location = context.location()?;
    check_vacant(&context.run()?, &location)?;
    let keys = keys(context, request, &location, face)?;
    // A phrase counts only if it was seen: it is shown before anything relies on it. Who leaves then leaves no file behind,
    // also by a signal.
    if let Some(phrase) = &keys.phrase {
        face.show_phrase(phrase)?;
    }
    let file = keys.file.as_deref().map(KeyFile::read_or_make).transpose();
    let file = file.map_err(|e| unused(e, &keys))?;
    let made = make(context, request, &location, (&keys, file.as_ref()));
    let id = made.map_err(|e| unused(e, &keys)).inspect_err(|_| {
        if let Some(file) = &file {
            file.unmake();
        }
    })?;
    if face.confirms_phrase() {
        // The repository is made, and the phrase opens it: that somebody has it is only what `doctor` says.
        let _ = confirm_phrase(context, &location, &keys);
    }
    warn_of_weak_storage(context, &location.url, "init", face);
    Ok(Report {
        id,
        location,
        key_file: file,
        has_password: keys.password.is_some(),
        has_recovery_phrase: keys.phrase.is_some(),
    })
}

/// Notes in the repository that somebody typed words of the phrase back.
fn confirm_phrase(context: &Context, location: &Location, keys: &Keys) -> Result<(), Failure> {
    let Some(phrase) = &keys.phrase else { return Ok(()) };
    let phrase = key::parse_phrase(phrase).map_err(Error::from)?;
    let repo = repo::Repo::open(&location.url, &phrase, &context.run()?)?;
    key::confirm(&repo, &phrase)?;
    Ok(())
}

/// What was shown must not be kept for something that it isn't.
fn unused(failure: Failure, keys: &Keys) -> Failure {
    match &keys.phrase {
        None => failure,
        Some(_) => failure.with(Cause::PhraseOpensNothing),
    }
}

/// Whether this repository gets a recovery phrase: not one that no one would see.
fn wants_phrase(request: &Request, face: &dyn Face) -> bool {
    if request.recovery_phrase && !face.can_show_phrase() {
        face.notice(&Notice::Warning {
            during: "init",
            warning: &SetupWarning::NoPhrase,
        });
        return false;
    }
    request.recovery_phrase
}

/// Tries the storage of a new replica out.
pub(crate) fn warn_of_weak_storage(context: &Context, url: &str, during: &'static str, face: &dyn Face) {
    let warn = |warning: SetupWarning| {
        face.notice(&Notice::Warning {
            during,
            warning: &warning,
        });
    };
    let run = context.run();
    let tried = run.and_then(|run| Ok(storage::try_out(url, &run)?));
    match tried {
        Ok(storage) => {
            for weakness in storage.weaknesses() {
                warn(SetupWarning::WeakStorage { weakness });
            }
        }
        Err(failure) => warn(SetupWarning::NotTried { failure }),
    }
}

/// Before any secret is made or asked for.
pub(crate) fn check_vacant(run: &RunContext, location: &Location) -> Result<(), Failure> {
    if repo::exists(&location.url, run)? {
        let location = repo::shown(&location.url);
        return Err(Error::Store(StoreError::RepositoryExists { location }).into());
    }
    let Some(path) = repo::local_path(&location.url) else {
        return Ok(());
    };
    let list = match std::fs::read_dir(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        list => list.map_err(|e| Cause::system(Action::Use, path, e))?,
    };
    for entry in list {
        let name = entry
            .map_err(|e| Cause::system(Action::List, path, e))?
            .file_name();
        if !OURS.iter().any(|ours| name == *ours) {
            let path = path.display().to_string();
            return Err(Cause::NotEmpty { path }.into());
        }
    }
    Ok(())
}

fn keys(context: &Context, request: &Request, location: &Location, face: &dyn Face) -> Result<Keys, Failure> {
    let sources = resolve::creating(&context.options, &context.env, location)?;
    let mut keys = Keys::default();
    // Passwords first: what is asked for may be left, and no file made by then.
    let (files, others): (Vec<SecretSource>, Vec<SecretSource>) = sources
        .into_iter()
        .partition(|source| matches!(source, SecretSource::KeyFile(_)));
    for source in &others {
        if let Credential::Password(password) = credential::read(source, PasswordPrompt::First, face)? {
            keys.password = Some(key::Secret::Password(key::Password::new(password.expose())));
        }
    }
    if wants_phrase(request, face) {
        keys.phrase = Some(key::new_phrase().map_err(Error::from)?);
    }
    for source in &files {
        if let SecretSource::KeyFile(path) = source {
            check_outside(path, location)?;
            if path.exists() {
                // One that opens nothing is told before the phrase.
                credential::read_key_file(path)?;
            }
            keys.file = Some(path.clone());
        }
    }
    Ok(keys)
}

/// A key beside what it opens protects nothing.
fn check_outside(key: &Path, location: &Location) -> Result<(), Failure> {
    let Some(repository) = repo::local_path(&location.url) else {
        return Ok(());
    };
    let absolute =
        |path: &Path| std::path::absolute(path).map_err(|e| Cause::system(Action::Locate, path, e));
    match absolute(key)?.starts_with(absolute(repository)?) {
        true => Err(Cause::KeyInRepository.into()),
        false => Ok(()),
    }
}

fn make(
    context: &Context,
    request: &Request,
    location: &Location,
    (keys, file): (&Keys, Option<&KeyFile>),
) -> Result<RepoId, Failure> {
    let run = context.run()?;
    let host = run.host.as_str();
    let phrase = keys.phrase.as_ref().map(|phrase| key::parse_phrase(phrase));
    let phrase = phrase.transpose().map_err(Error::from)?;
    let mut secrets: Vec<(key::Secret, &str)> = Vec::new();
    secrets.extend(file.iter().map(|file| (file.secret.clone(), host)));
    secrets.extend(keys.password.iter().map(|password| (password.clone(), host)));
    secrets.extend(phrase.map(|phrase| (phrase, "")));
    let id = repo::create(
        &location.url,
        &run,
        request.bounds,
        &secrets,
        key::Cost::DEFAULT,
        request.parity,
    )?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Status;
    use engine::run::LocalDirs;

    #[test]
    fn a_vacant_place() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunContext::new(LocalDirs {
            cache: "/nowhere".into(),
            state: "/nowhere".into(),
        });
        let check = |path: &Path| check_vacant(&run, &Location::of(path.to_str().unwrap()));
        assert_eq!(check(dir.path()), Ok(()));
        assert_eq!(check(&dir.path().join("new")), Ok(()));
        std::fs::create_dir(dir.path().join("keys")).unwrap();
        assert_eq!(check(dir.path()), Ok(()));
        std::fs::write(dir.path().join("letter.txt"), "dear").unwrap();
        let failure = check(dir.path()).unwrap_err();
        assert!(failure.status == Status::Failed && failure.message().contains("nothing was changed"));
        assert!(check(&dir.path().join("letter.txt")).is_err());
    }
}
