//! Repositories that are looked into: opened once and kept for a while, since opening may take a second of deriving keys;
//! and the few questions that pages ask of a snapshot.

use crate::app::App;
use crate::fields::Fields;
use service::catalogue::{Cause, ConsoleFault};
use service::entry::Entry;
use service::face::Nobody;
use service::facts::SnapshotInfo;
use service::listing::{self, Listing};
use service::manifest::Manifest;
use service::monitor::Quiet;
use service::repo::Repo;
use service::resolve::Location;
use service::{Context, Error, Failure, SessionId, list};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// One that nobody looked into for so long is closed.
const IDLE: Duration = Duration::from_secs(600);
/// At once.
const REPOS_MAX: usize = 4;

/// Opened repositories by location.
#[derive(Default)]
pub struct Repos(Mutex<HashMap<String, (Arc<Repo>, Instant)>>);

/// A remote's name, or nothing for the default repository.
pub fn location(context: &Context, remote: &str) -> Result<Location, Failure> {
    match remote {
        "" => context.location(),
        // Only what the settings name: an address of somebody's choice is not contacted.
        name => {
            context.settings.named(name)?;
            context.remote(name)
        }
    }
}

/// Names of the repositories that can be looked into; the first is the usual one.
pub fn remotes(context: &Context) -> Vec<String> {
    let named = context.settings.remotes.iter();
    let names: Vec<String> = named.map(|remote| remote.name.clone()).collect();
    match names.is_empty() || context.options.names_repository() {
        true => [String::new()].into_iter().chain(names).collect(),
        false => names,
    }
}

impl Repos {
    pub fn open(&self, app: &App, remote: &str) -> Result<Arc<Repo>, Failure> {
        // It outlives the request, and ends with the console.
        let context = app.context_with(app.cancel().child())?;
        let location = location(&context, remote)?;
        let now = Instant::now();
        {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.retain(|_, (_, used)| now.saturating_duration_since(*used) < IDLE);
            if let Some((repo, used)) = all.get_mut(&location.url) {
                *used = now;
                return Ok(repo.clone());
            }
        }
        let repo = Arc::new(context.open_at(&location, &Nobody)?);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= REPOS_MAX {
            let idlest = all
                .iter()
                .min_by_key(|(_, (_, used))| *used)
                .map(|(url, _)| url.clone());
            idlest.map(|url| all.remove(&url));
        }
        all.insert(location.url, (repo.clone(), now));
        Ok(repo)
    }
}

/// A place in a repository, as queries name it.
#[derive(Clone, Debug)]
pub struct Spot {
    pub remote: String,
    /// Its whole id; empty where the newest is meant.
    pub snapshot: String,
    /// From the root.
    pub path: Vec<u8>,
}

impl Spot {
    pub fn of(fields: &Fields) -> Spot {
        let path = fields.bytes("path").unwrap_or_default();
        Spot {
            remote: fields.text("remote").unwrap_or_default().to_string(),
            snapshot: fields.text("snapshot").unwrap_or_default().to_string(),
            path: clean(path),
        }
    }
}

/// From the root, without `.`, `..` and what else is no name.
pub fn clean(path: &[u8]) -> Vec<u8> {
    let mut names: Vec<&[u8]> = Vec::new();
    for name in path.split(|byte| *byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    [b"/".as_slice(), &names.join(&b'/')].concat()
}

pub fn bad(name: &'static str) -> Failure {
    let fault = ConsoleFault::BadRequest { name };
    Cause::Console { fault }.into()
}

pub fn id(hex: &str) -> Result<SessionId, Failure> {
    SessionId::from_hex(hex).ok_or_else(|| bad("snapshot"))
}

/// All snapshots of a repository. Those that can't be read are left out, and the check page of the command line says so.
pub fn snapshots(context: &Context, repo: &Repo) -> Result<Listing, Failure> {
    listing::read(context, repo, &Nobody)
}

/// Newest first, and none that is still to come.
pub fn newest_first(listing: &Listing) -> Vec<&SnapshotInfo> {
    let filter = service::select::Filter::default();
    let all = filter.matching(&listing.facts);
    all.into_iter().filter(|facts| !facts.is_in_future()).collect()
}

/// The entry at a path; `None` for the root, which has none.
pub fn entry(repo: &Repo, manifest: &Manifest, path: &[u8]) -> Result<Option<Entry>, Failure> {
    let mut found = None;
    let reader = repo.reader(&Quiet);
    let wanted = list::relative(path);
    if wanted.is_empty() {
        return Ok(None);
    }
    let looked = list::entries(&reader, manifest, Some(path), false, &mut |at, entry| {
        if at == wanted {
            found = Some(entry.clone());
        }
        Err(Error::Interrupted)
    });
    match (looked, found) {
        (_, Some(entry)) => Ok(Some(entry)),
        (Err(Error::Interrupted | Error::NoSuchPath { .. }) | Ok(()), None) => Ok(None),
        (Err(e), None) => Err(e.into()),
    }
}

/// With its path.
pub type FoundEntry = (Vec<u8>, Entry);

/// So many entries of a folder after the first `skip`, and whether there are more.
pub fn folder(
    repo: &Repo,
    manifest: &Manifest,
    path: &[u8],
    (skip, most): (usize, usize),
) -> Result<(Vec<FoundEntry>, bool), Failure> {
    let reader = repo.reader(&Quiet);
    let (mut found, mut seen, mut has_more) = (Vec::new(), 0, false);
    let top = list::relative(path).to_vec();
    let listed = list::entries(&reader, manifest, Some(path), false, &mut |at, entry| {
        if at == top {
            return Ok(());
        }
        seen += 1;
        if seen <= skip {
            return Ok(());
        }
        if found.len() == most {
            has_more = true;
            return Err(Error::Interrupted);
        }
        found.push((at.to_vec(), entry.clone()));
        Ok(())
    });
    match listed {
        Err(Error::Interrupted) if has_more => {}
        listed => listed?,
    }
    Ok((found, has_more))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_below_the_root() {
        for (path, want) in [
            ("", "/"),
            ("/", "/"),
            ("a//b/", "/a/b"),
            ("/a/../../../etc/passwd", "/etc/passwd"),
            ("/../..", "/"),
            ("./a/.", "/a"),
        ] {
            assert_eq!(clean(path.as_bytes()), want.as_bytes(), "{path}");
        }
    }
}
