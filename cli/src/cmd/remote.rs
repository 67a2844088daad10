//! `remote`: names for remotes, and the making of replicas.

use crate::args::remotes::{RemoteAddArgs, RemoteCommand};
use crate::cmd::init::{check_vacant, tell_weak};
use crate::output::Lines;
use crate::render::text;
use crate::terminal::Terminal;
use engine::replicate::{self, Noted};
use engine::repo::{self, Made, Repo};
use engine::units::escape;
use engine::{Error, StoreError};
use jiff::Timestamp;
use serde_json::{Value, json};
use service::resolve::{self, Location};
use service::secret::SecretSource;
use service::settings::{self, Remote};
use service::{Failure, Status};

pub fn run(terminal: &Terminal, command: &RemoteCommand) -> Result<Status, Failure> {
    match command {
        RemoteCommand::Add(args) => add(terminal, args),
        RemoteCommand::List => list(terminal),
        RemoteCommand::Remove(args) => remove(terminal, &args.name),
    }
}

fn add(terminal: &Terminal, args: &RemoteAddArgs) -> Result<Status, Failure> {
    let name = &args.name;
    let settings = &terminal.context.settings;
    if !settings::is_name(name) {
        let what = format!("'{name}' can't be a name: write letters, digits, - and _");
        return Err(Failure::usage(what));
    }
    if let Some(known) = settings.remote(name) {
        let url = repo::shown(&known.url);
        return Err(Failure::usage(format!("'{name}' is the name of {url} already")));
    }
    let url = resolve::absolute(&args.url)?;
    if let Some(known) = settings.remotes.iter().find(|known| known.url == url) {
        let (known, url) = (&known.name, repo::shown(&url));
        return Err(Failure::usage(format!("{url} already has the name '{known}'")));
    }
    let like = match &args.like {
        Some(like) => terminal.context.remote(like)?,
        None => terminal.context.location()?,
    };
    let location = Location::of(&url);
    let same = resolve::absolute(&like.url)? == url;
    let there = repo::exists(&url)?;
    let made = if same || (there && args.like.is_none()) {
        if !there {
            let location = repo::shown(&url);
            return Err(Error::Store(StoreError::NoRepository { location }).into());
        }
        None
    } else {
        if !there {
            check_vacant(&location)?;
        }
        let first = terminal.context.open_at(&like, terminal)?;
        let made = first.make_replica(&url, terminal.context.now_secs())?;
        if made == Made::New {
            let folder = first
                .open_replica(&url, &terminal.context.dirs()?)?
                .store
                .folder();
            tell_weak(terminal, &url, &folder, "remote add");
        }
        Some(made)
    };
    let remote = Remote {
        name: name.clone(),
        url,
        keys: keys(terminal, &like)?,
    };
    let path = settings::edit::add_remote(&terminal.context.env, &remote)?;
    let mut out = Lines::new();
    if terminal.json() {
        out.object(&json!({
            "message_type": "summary",
            "name": name,
            "url": repo::shown(&remote.url),
            "made": made == Some(Made::New),
            "config": path.to_string_lossy(),
        }));
    } else if terminal.talks() {
        let shown = escape(repo::shown(&remote.url).as_bytes());
        out.line(&match made {
            Some(Made::New) => {
                format!("Made an empty replica at {shown}; it opens with the same passwords and keys")
            }
            Some(Made::Before) => format!("There is a replica at {shown}"),
            None => format!("There is a repository at {shown}"),
        });
        out.line(&format!(
            "It is called '{name}' in {}",
            escape(path.to_string_lossy().as_bytes())
        ));
        if made.is_some() {
            out.line(&format!(
                "Next: dedup replicate --to {name}, or dedup backup DIR --also {name}"
            ));
        }
    }
    out.finish().map(|()| Status::Completed)
}

/// What is written down as opening it: the secrets that were given, or those of the remote that it is like.
fn keys(terminal: &Terminal, like: &Location) -> Result<Vec<SecretSource>, Failure> {
    let sources = resolve::opening(&terminal.context.options, &terminal.context.env, like)?;
    let absolute =
        |path: std::path::PathBuf| std::path::absolute(&path).map_err(|e| Failure::io("the path", &path, &e));
    sources
        .into_iter()
        .filter(|source| match source {
            SecretSource::KeyFile(_) | SecretSource::PasswordFile(_) | SecretSource::PasswordCommand(_) => {
                true
            }
            SecretSource::Password(_)
            | SecretSource::PasswordFd(_)
            | SecretSource::PhraseFile(_)
            | SecretSource::Prompt => false,
        })
        .map(|source| match source {
            SecretSource::KeyFile(path) => Ok(SecretSource::KeyFile(absolute(path)?)),
            SecretSource::PasswordFile(path) => Ok(SecretSource::PasswordFile(absolute(path)?)),
            other => Ok(other),
        })
        .collect()
}

fn remove(terminal: &Terminal, name: &str) -> Result<Status, Failure> {
    let settings = &terminal.context.settings;
    let url = repo::shown(&settings.named(name)?.url);
    settings::edit::remove_remote(&terminal.context.env, name)?;
    let mut out = Lines::new();
    if terminal.json() {
        out.object(&json!({ "message_type": "summary", "name": name, "url": url }));
    } else if terminal.talks() {
        let url = escape(url.as_bytes());
        out.line(&format!(
            "Removed the name '{name}'; what is stored at {url} is unchanged"
        ));
    }
    out.finish().map(|()| Status::Completed)
}

/// How a remote stands to the repository that this run is about.
enum State {
    /// This is the one.
    First,
    Replica {
        snapshots: u64,
        behind: u64,
    },
    /// It holds no repository, or another one.
    Other(&'static str),
    Unreachable {
        why: String,
        noted: Option<Noted>,
    },
    /// There is nothing to compare it with.
    Unknown,
}

fn list(terminal: &Terminal) -> Result<Status, Failure> {
    let settings = &terminal.context.settings;
    let mut out = Lines::new();
    if settings.remotes.is_empty() {
        if terminal.talks() {
            out.line("No remote has a name; 'dedup remote add NAME URL' gives one");
        }
        return out.finish().map(|()| Status::Completed);
    }
    // Without a repository to compare with, the names are still worth listing.
    let location = terminal.context.location()?;
    let first = match repo::exists(&location.url) {
        Ok(true) => Some(terminal.context.open_at(&location, terminal)?),
        _ => None,
    };
    let mut rows = Vec::new();
    for remote in &settings.remotes {
        let state = state(terminal, first.as_ref(), &location, remote)?;
        if terminal.json() {
            out.object(&object(remote, &state));
            continue;
        }
        let (snapshots, words) = words(&state);
        rows.push(vec![
            remote.name.clone(),
            escape(repo::shown(&remote.url).as_bytes()),
            snapshots,
            words,
        ]);
    }
    if !terminal.json() {
        out.line(text::table(&["Name", "URL", "Snapshots", "State"], &[2], &rows).trim_end());
    }
    out.finish().map(|()| Status::Completed)
}

fn state(
    terminal: &Terminal,
    first: Option<&Repo>,
    location: &Location,
    remote: &Remote,
) -> Result<State, Failure> {
    let Some(first) = first else {
        return Ok(State::Unknown);
    };
    if remote.url == resolve::absolute(&location.url)? {
        return Ok(State::First);
    }
    let dirs = terminal.context.dirs()?;
    let asked = first.open_replica(&remote.url, &dirs).and_then(|replica| {
        let lacking = replicate::lacking(first, &replica, false, terminal.context.now.timestamp())?;
        Ok((
            lacking.snapshots.len() as u64,
            replica.snapshots()?.0.len() as u64,
        ))
    });
    Ok(match asked {
        Ok((behind, snapshots)) => {
            let reached = terminal.context.now_secs();
            // What can't be noted is not told when this one is away, and harms nothing else.
            let _ = replicate::note(&dirs, &remote.url, &Noted { behind, reached });
            State::Replica { snapshots, behind }
        }
        // A disk that is not there has nothing on it.
        Err(Error::Store(StoreError::NoRepository { .. }))
            if replicate::noted(&dirs, &remote.url).is_none() =>
        {
            State::Other("no repository")
        }
        Err(Error::Store(StoreError::Refused(_))) => State::Other("another repository"),
        Err(e) => State::Unreachable {
            why: Failure::from(e).message,
            noted: replicate::noted(&dirs, &remote.url),
        },
    })
}

fn words(state: &State) -> (String, String) {
    match state {
        State::First => (String::new(), "this repository".to_string()),
        State::Replica { snapshots, behind: 0 } => (text::grouped(*snapshots), "current".to_string()),
        State::Replica { snapshots, behind } => (text::grouped(*snapshots), behind_by(*behind)),
        State::Other(what) => (String::new(), (*what).to_string()),
        State::Unknown => (String::new(), "not compared".to_string()),
        State::Unreachable { why, noted } => {
            let was = noted.filter(|noted| noted.reached > 0).map(|noted| {
                let at = Timestamp::from_second(noted.reached)
                    .map(text::time)
                    .unwrap_or_default();
                format!("; {}, last reached {at}", behind_by(noted.behind))
            });
            (
                String::new(),
                format!("not reached: {why}{}", was.unwrap_or_default()),
            )
        }
    }
}

/// How far behind, in words.
pub fn behind_by(behind: u64) -> String {
    match behind {
        0 => "current".to_string(),
        behind => format!("behind by {}", text::count(behind, "snapshot")),
    }
}

fn object(remote: &Remote, state: &State) -> Value {
    let mut object = json!({
        "message_type": "remote",
        "name": remote.name,
        "url": repo::shown(&remote.url),
        "reachable": true,
    });
    match state {
        State::First => object["state"] = json!("first"),
        State::Replica { snapshots, behind } => {
            object["state"] = json!("replica");
            object["snapshots"] = json!(snapshots);
            object["behind"] = json!(behind);
        }
        State::Other(what) => object["state"] = json!(what),
        State::Unknown => {
            object["state"] = json!("not compared");
            object["reachable"] = Value::Null;
        }
        State::Unreachable { why, noted } => {
            object["state"] = json!("not reached");
            object["reachable"] = json!(false);
            object["error"] = json!(why);
            object["behind"] = json!(noted.map(|noted| noted.behind));
        }
    }
    object
}
