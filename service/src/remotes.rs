//! The jobs `remote`: names for remotes, and the making of replicas.

use crate::catalogue::{Action, Cause};
use crate::context::Context;
use crate::face::Face;
use crate::failure::Failure;
use crate::init::{check_vacant, warn_of_weak_storage};
use crate::resolve::{self, Location};
use crate::secret::SecretSource;
use crate::settings::{Remote, edit, is_name};
use engine::replicate;
pub use engine::replicate::Noted;
use engine::repo::{self, Made, Repo};
use engine::{Error, StoreError};
use std::path::PathBuf;

/// A name for a remote; where nothing is yet, a replica is made.
#[derive(Clone, Debug)]
pub struct AddRequest {
    pub name: String,
    pub url: String,
    /// The remote to make a replica of, by name or URL; without one, the repository that was asked for.
    pub like: Option<String>,
}

/// What is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found {
    /// An empty replica, made now.
    NewReplica,
    Replica,
    Repository,
}

/// A remote that has a name now.
#[derive(Clone, Debug)]
pub struct AddedRemote {
    pub remote: Remote,
    pub found: Found,
    /// The file in which it has its name.
    pub settings: PathBuf,
}

pub fn add(context: &Context, request: &AddRequest, face: &dyn Face) -> Result<AddedRemote, Failure> {
    let url = vacant_name(context, request)?;
    let like = match &request.like {
        Some(like) => context.remote(like)?,
        None => context.location()?,
    };
    let same = resolve::absolute(&like.url)? == url;
    let there = repo::exists(&url, &context.run()?)?;
    let found = if same || (there && request.like.is_none()) {
        if !there {
            let location = repo::shown(&url);
            return Err(Error::Store(StoreError::NoRepository { location }).into());
        }
        Found::Repository
    } else {
        if !there {
            check_vacant(&context.run()?, &Location::of(&url))?;
        }
        let first = context.open_at(&like, face)?;
        // A note that can't be kept only means that the replica can't take the place of this one.
        let _ = replicate::note_place(&first, &resolve::absolute(&like.url)?);
        match first.make_replica(&url)? {
            Made::New => {
                warn_of_weak_storage(context, &url, "remote add", face);
                Found::NewReplica
            }
            Made::Before => Found::Replica,
        }
    };
    let remote = Remote {
        name: request.name.clone(),
        url,
        keys: keys(context, &like)?,
        quota: None,
        append_only: false,
    };
    let settings = edit::add_remote(&context.env, &remote)?;
    Ok(AddedRemote {
        remote,
        found,
        settings,
    })
}

/// The URL, made absolute, if neither it nor the name is in use.
fn vacant_name(context: &Context, request: &AddRequest) -> Result<String, Failure> {
    let name = &request.name;
    if !is_name(name) {
        let text = name.clone();
        return Err(Cause::NotAName { text }.into());
    }
    if let Some(known) = context.settings.remote(name) {
        let url = repo::shown(&known.url);
        let name = name.clone();
        return Err(Cause::NameTaken { name, url }.into());
    }
    let url = resolve::absolute(&request.url)?;
    let remotes = &context.settings.remotes;
    if let Some(known) = remotes.iter().find(|known| known.url == url) {
        let (name, url) = (known.name.clone(), repo::shown(&url));
        return Err(Cause::UrlTaken { name, url }.into());
    }
    Ok(url)
}

/// What is written down as opening it: the secrets that were given, or those of the remote that it is like.
fn keys(context: &Context, like: &Location) -> Result<Vec<SecretSource>, Failure> {
    let sources = resolve::opening(&context.options, &context.env, like)?;
    let absolute = |path: PathBuf| {
        let absolute = std::path::absolute(&path);
        absolute.map_err(|e| Failure::from(Cause::system(Action::Locate, &path, e)))
    };
    let written = sources.into_iter().filter_map(|source| match source {
        SecretSource::KeyFile(path) => Some(absolute(path).map(SecretSource::KeyFile)),
        SecretSource::PasswordFile(path) => Some(absolute(path).map(SecretSource::PasswordFile)),
        SecretSource::PasswordCommand(command) => Some(Ok(SecretSource::PasswordCommand(command))),
        SecretSource::Password(_)
        | SecretSource::PasswordFd(_)
        | SecretSource::PhraseFile(_)
        | SecretSource::Prompt => None,
    });
    written.collect()
}

/// Takes a remote's name back, and returns what it was.
pub fn remove(context: &Context, name: &str) -> Result<Remote, Failure> {
    let remote = context.settings.named(name)?.clone();
    edit::remove_remote(&context.env, name)?;
    Ok(remote)
}

/// How a remote stands to the repository that was asked for.
#[derive(Debug)]
pub enum RemoteState {
    /// This is the one.
    First,
    Replica {
        snapshots: u64,
        behind: u64,
    },
    /// It holds no repository.
    Empty,
    OtherRepository,
    Unreachable {
        failure: Failure,
        noted: Option<Noted>,
    },
    /// There is nothing to compare it with.
    NotCompared,
}

/// Every remote that has a name, and how it stands.
pub fn list<'a>(context: &'a Context, face: &dyn Face) -> Result<Vec<(&'a Remote, RemoteState)>, Failure> {
    let remotes = &context.settings.remotes;
    if remotes.is_empty() {
        return Ok(Vec::new());
    }
    // Without a repository to compare with, the names are still worth listing.
    let location = context.location()?;
    let first = match repo::exists(&location.url, &context.run()?) {
        Ok(true) => Some(context.open_at(&location, face)?),
        _ => None,
    };
    let with_state = |remote| Ok((remote, state(context, first.as_ref(), &location, remote)?));
    remotes.iter().map(with_state).collect()
}

fn state(
    context: &Context,
    first: Option<&Repo>,
    location: &Location,
    remote: &Remote,
) -> Result<RemoteState, Failure> {
    let Some(first) = first else {
        return Ok(RemoteState::NotCompared);
    };
    if remote.url == resolve::absolute(&location.url)? {
        return Ok(RemoteState::First);
    }
    let dirs = context.dirs()?;
    let asked = first.open_replica(&remote.url).and_then(|replica| {
        let lacking = replicate::lacking(first, &replica, false, context.now.timestamp())?;
        let behind = lacking.snapshots.len() + lacking.unread.len();
        Ok((behind as u64, replica.outlines()?.0.len() as u64))
    });
    Ok(match asked {
        Ok((behind, snapshots)) => {
            let reached = context.now_secs();
            // What can't be noted is not shown when this one is away, and harms nothing else.
            let _ = replicate::note(&dirs, &remote.url, &Noted { behind, reached });
            RemoteState::Replica { snapshots, behind }
        }
        // A disk that is not there has nothing on it.
        Err(Error::Store(StoreError::NoRepository { .. }))
            if replicate::noted(&dirs, &remote.url).is_none() =>
        {
            RemoteState::Empty
        }
        Err(Error::Store(StoreError::Refused(_))) => RemoteState::OtherRepository,
        Err(e) => RemoteState::Unreachable {
            failure: e.into(),
            noted: replicate::noted(&dirs, &remote.url),
        },
    })
}
