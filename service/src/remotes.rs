//! The jobs `remote`: names for remotes, and the making of replicas.

use crate::catalogue::{Action, Cause, ReplicaCause};
use crate::context::Context;
use crate::face::Face;
use crate::failure::Failure;
use crate::following;
use crate::init::{check_vacant, warn_of_weak_storage};
use crate::resolve::{self, Location};
use crate::secret::SecretSource;
use crate::settings::{Remote, edit, file_in_use, is_name};
use engine::error::store::Refusal;
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
    /// It had its name before.
    pub was_named: bool,
    /// The set that replicates to it.
    pub set: Option<String>,
    /// The file in which it has its name.
    pub settings: PathBuf,
}

pub fn add(context: &Context, request: &AddRequest, face: &dyn Face) -> Result<AddedRemote, Failure> {
    let (url, known) = place(context, request)?;
    let like = match &request.like {
        Some(like) => context.remote(like)?,
        None => context.location()?,
    };
    let is_new = known.is_none();
    let found = find_or_make(context, (&url, is_new), (&like, request.like.is_some()), face)?;
    let (remote, settings) = match known {
        Some(known) => (known.clone(), file_in_use(&context.env)?),
        None => {
            let remote = Remote {
                name: request.name.clone(),
                url,
                keys: keys(context, &like)?,
                quota: None,
                append_only: false,
            };
            let settings = edit::add_remote(&context.env, &remote)?;
            (remote, settings)
        }
    };
    Ok(AddedRemote {
        set: following::followed(&context.settings, &remote.name).map(|(set, _)| set.to_string()),
        remote,
        found,
        was_named: !is_new,
        settings,
    })
}

/// What is at a URL, where a replica is made if nothing is. What has its name already is to be a replica; what gets one may be
/// any repository, unless it was said what it is to be `like`.
fn find_or_make(
    context: &Context,
    (url, is_new): (&str, bool),
    (like, is_said): (&Location, bool),
    face: &dyn Face,
) -> Result<Found, Failure> {
    let same = resolve::absolute(&like.url)? == url;
    let there = repo::exists(url, &context.run()?)?;
    if same && !there {
        context.look(like)?;
    }
    if same || (there && is_new && !is_said) {
        return Ok(Found::Repository);
    }
    if !there {
        check_vacant(&context.run()?, &Location::of(url))?;
    }
    let first = context.open_at(like, face)?;
    // A note that can't be kept only means that the replica can't take the place of this one.
    let _ = replicate::note_place(&first, &resolve::absolute(&like.url)?);
    let made = first.make_replica(url).map_err(|e| match e {
        Error::Store(StoreError::Refused(Refusal::OtherRepository { .. })) => {
            Failure::from(e).with(ReplicaCause::OtherThere.into())
        }
        e => e.into(),
    })?;
    if made == Made::Before && is_new {
        return Ok(Found::Replica);
    }
    let replica = first.open_replica(url)?;
    // Without it, only less can be said when it is gone.
    let _ = replicate::note_place(&replica, url);
    match made {
        Made::New => {
            warn_of_weak_storage(context, url, "remote add", face);
            Ok(Found::NewReplica)
        }
        Made::Before => Ok(Found::Replica),
    }
}

/// The URL, made absolute, and the remote that has this name and URL already. Refuses a name of another URL, and a URL that
/// has another name.
fn place<'c>(context: &'c Context, request: &AddRequest) -> Result<(String, Option<&'c Remote>), Failure> {
    let name = &request.name;
    if !is_name(name) {
        let text = name.clone();
        return Err(Cause::NotAName { text }.into());
    }
    let url = resolve::absolute(&request.url)?;
    if let Some(known) = context.settings.remote(name) {
        if is_same(&known.url, &url) {
            return Ok((known.url.clone(), Some(known)));
        }
        let url = repo::shown(&known.url);
        let name = name.clone();
        return Err(Cause::NameTaken { name, url }.into());
    }
    let remotes = &context.settings.remotes;
    if let Some(known) = remotes.iter().find(|known| known.url == url) {
        let (name, url) = (known.name.clone(), repo::shown(&url));
        return Err(Cause::UrlTaken { name, url }.into());
    }
    Ok((url, None))
}

/// A directory may be written with a slash at its end, or as a URL.
fn is_same(known: &str, url: &str) -> bool {
    match (repo::local_path(known), repo::local_path(url)) {
        (Some(known), Some(path)) => known == path,
        _ => known == url,
    }
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
    let sets = context.settings.set_names().into_iter();
    let sets: Vec<_> = sets.filter_map(|set| others_of(context, set, name)).collect();
    if !sets.is_empty() {
        let name = name.to_string();
        return Err(ReplicaCause::InUse { name, sets }.into());
    }
    edit::remove_remote(&context.env, name)?;
    Ok(remote)
}

/// A set that is saved at a remote, and its other destinations.
fn others_of(context: &Context, set: &str, remote: &str) -> Option<(String, Vec<String>)> {
    let names = &context.settings.set(set)?.destinations;
    let names = names.iter().map(|name| name.get_ref().0.clone());
    let (here, others): (Vec<String>, Vec<String>) = names.partition(|name| name == remote);
    (!here.is_empty()).then(|| (set.to_string(), others))
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
    let url = resolve::absolute(&location.url)?;
    if remote.url == url {
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
        // A disk that is not there has nothing on it. What was never there is noted as behind, too.
        Err(Error::Store(StoreError::NoRepository { .. }))
            if replicate::noted(&dirs, &remote.url).is_none_or(|noted| noted.reached == 0) =>
        {
            RemoteState::Empty
        }
        Err(Error::Store(StoreError::Refused(_))) => RemoteState::OtherRepository,
        Err(e) => RemoteState::Unreachable {
            failure: following::Follower {
                of: following::option_for(&context.settings, location, &url).as_deref(),
                name: &remote.name,
                url: &remote.url,
            }
            .explained(&dirs, e.into()),
            noted: replicate::noted(&dirs, &remote.url),
        },
    })
}
