//! Repositories that are looked into: opened once and kept for a while, since opening may take a second of deriving keys;
//! and the few questions that pages ask of a snapshot.

use crate::fields::{Fields, encoded};
use crate::locks::lock;
use percent_encoding::percent_decode;
use service::catalogue::{Cause, ConsoleFault};
use service::entry::Entry;
use service::face::Nobody;
use service::facts::SnapshotInfo;
use service::listing::{self, Listing};
use service::manifest::Manifest;
use service::monitor::Quiet;
use service::repo::Repo;
use service::resolve::Location;
use service::{Context, Error, Failure, SessionId, dump, list};
use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
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
    pub fn open(&self, context: &Context, remote: &str) -> Result<Arc<Repo>, Failure> {
        let location = location(context, remote)?;
        let now = Instant::now();
        {
            let mut all = lock(&self.0);
            all.retain(|_, (_, used)| now.saturating_duration_since(*used) < IDLE);
            if let Some((repo, used)) = all.get_mut(&location.url) {
                *used = now;
                return Ok(repo.clone());
            }
        }
        let repo = Arc::new(context.open_at(&location, &Nobody)?);
        let mut all = lock(&self.0);
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
    /// Also names that begin with a dot.
    pub hidden: bool,
    /// Also what earlier snapshots hold.
    pub deleted: bool,
}

impl Spot {
    pub fn of(fields: &Fields) -> Spot {
        // A form can only send text, so there it is percent-encoded.
        let coded = || percent_decode(fields.bytes("coded").unwrap_or_default()).collect();
        let path: Vec<u8> = fields.bytes("path").map_or_else(coded, <[u8]>::to_vec);
        Spot {
            remote: fields.text("remote").unwrap_or_default().to_string(),
            snapshot: fields.text("snapshot").unwrap_or_default().to_string(),
            path: clean(&path),
            hidden: fields.text("hidden").is_some(),
            deleted: fields.text("deleted").is_some(),
        }
    }

    /// A page about a path here, as a link leads there.
    pub fn link(&self, page: &str, path: &[u8]) -> String {
        let mut to = format!(
            "{page}?remote={}&snapshot={}&path={}",
            encoded(self.remote.as_bytes()),
            self.snapshot,
            encoded(path)
        );
        if self.hidden {
            to += "&hidden=1";
        }
        if self.deleted {
            to += "&deleted=1";
        }
        to
    }

    /// The same path in another snapshot.
    pub fn in_snapshot(&self, id: SessionId) -> Spot {
        Spot {
            snapshot: id.to_hex(),
            ..self.clone()
        }
    }

    /// With the folder above it, if there is one.
    pub fn parent(&self) -> Option<Vec<u8>> {
        parent(&self.path)
    }

    /// The last name of the path.
    pub fn name(&self) -> &[u8] {
        self.path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
    }
}

pub fn parent(path: &[u8]) -> Option<Vec<u8>> {
    let slash = path.iter().rposition(|byte| *byte == b'/')?;
    match (path.len(), slash) {
        (1, _) => None,
        (_, 0) => Some(b"/".to_vec()),
        (_, slash) => path.get(..slash).map(<[u8]>::to_vec),
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

/// The same without their trees, which takes few requests.
pub fn outlines(context: &Context, repo: &Repo) -> Result<Listing, Failure> {
    listing::read_outlines(context, repo, &Nobody)
}

/// Snapshots that may hold a path and were made by the machine that made this one, newest first: what another machine has
/// at the same path is another file.
pub fn of_same_host<'a>(
    newest: &[&'a SnapshotInfo],
    facts: &SnapshotInfo,
    path: &[u8],
) -> Vec<&'a SnapshotInfo> {
    let same = newest
        .iter()
        .filter(|one| one.host == facts.host && one.may_hold(path));
    same.copied().collect()
}

/// The one with this id, or else the newest; what is not there is told as what it is.
pub fn named<'a>(newest: &[&'a SnapshotInfo], id: &str) -> Result<&'a SnapshotInfo, Failure> {
    let found = match id {
        "" => newest.first(),
        id => newest.iter().find(|facts| facts.id.to_hex() == id),
    };
    found.copied().ok_or_else(|| bad("snapshot"))
}

/// The first bytes of a file, and whether there are more.
pub fn head(repo: &Repo, manifest: &Manifest, path: &[u8], most: usize) -> Result<(Vec<u8>, bool), Failure> {
    let mut head = Head {
        bytes: Vec::new(),
        most,
        is_cut: false,
    };
    match dump::file(repo, manifest, path, &mut head, &Quiet) {
        Err(_) if head.is_cut => {}
        read => drop(read?),
    }
    Ok((head.bytes, head.is_cut))
}

/// Takes so many bytes and no more.
struct Head {
    bytes: Vec<u8>,
    most: usize,
    is_cut: bool,
}

impl Write for Head {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.most.saturating_sub(self.bytes.len());
        let taken = bytes.get(..room.min(bytes.len())).unwrap_or_default();
        if taken.is_empty() && !bytes.is_empty() {
            self.is_cut = true;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.bytes.extend_from_slice(taken);
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
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

/// Fails where nothing is at a path.
pub fn must_exist(repo: &Repo, manifest: &Manifest, path: &[u8]) -> Result<(), Failure> {
    let reader = repo.reader(&Quiet);
    let mut end = |_: &[u8], _: &Entry| Err(Error::Interrupted);
    match list::entries(&reader, manifest, Some(path), false, &mut end) {
        Ok(()) | Err(Error::Interrupted) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

/// A page of a folder.
#[derive(Default)]
pub struct FolderPage {
    pub entries: Vec<Entry>,
    /// Where the next one begins.
    pub next: Option<Vec<u8>>,
    /// Names that begin with a dot were left out.
    pub has_hidden: bool,
}

/// Calls `each` with the entries of a folder until it gives false; those that begin with a dot only if they are wanted.
pub fn each(
    repo: &Repo,
    manifest: &Manifest,
    spot: &Spot,
    each: &mut dyn FnMut(&Entry) -> bool,
) -> Result<(), Failure> {
    each_after(repo, manifest, spot, b"", each)
}

/// The same from behind a name on.
pub fn each_after(
    repo: &Repo,
    manifest: &Manifest,
    spot: &Spot,
    after: &[u8],
    each: &mut dyn FnMut(&Entry) -> bool,
) -> Result<(), Failure> {
    let reader = repo.reader(&Quiet);
    list::directory(&reader, manifest, &spot.path, after, &mut |entry| {
        Ok(!spot.hidden && entry.name.starts_with(b".") || each(entry))
    })?;
    Ok(())
}

/// So many entries of a folder that come after a name.
pub fn page(
    repo: &Repo,
    manifest: &Manifest,
    spot: &Spot,
    after: &[u8],
    most: usize,
) -> Result<FolderPage, Failure> {
    let mut page = FolderPage::default();
    let reader = repo.reader(&Quiet);
    list::directory(&reader, manifest, &spot.path, after, &mut |entry| {
        if entry.name.starts_with(b".") && !spot.hidden {
            page.has_hidden = true;
            return Ok(true);
        }
        if page.entries.len() == most {
            page.next = page.entries.last().map(|last| last.name.clone());
            return Ok(false);
        }
        page.entries.push(entry.clone());
        Ok(true)
    })?;
    Ok(page)
}

/// A name in a folder, as a path.
pub fn below(folder: &[u8], name: &[u8]) -> Vec<u8> {
    clean(&[folder, b"/", name].concat())
}

/// The deepest folder that both paths are in.
pub fn shared(a: &[u8], b: &[u8]) -> Vec<u8> {
    let names = a.split(|byte| *byte == b'/').zip(b.split(|byte| *byte == b'/'));
    let same: Vec<&[u8]> = names.take_while(|(a, b)| a == b).map(|(a, _)| a).collect();
    clean(&same.join(&b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_above() {
        assert_eq!(parent(b"/a/b"), Some(b"/a".to_vec()));
        assert_eq!(parent(b"/a"), Some(b"/".to_vec()));
        assert_eq!(parent(b"/"), None);
        assert_eq!(shared(b"/a/b/c", b"/a/b/d"), b"/a/b");
        assert_eq!(shared(b"/a", b"/b"), b"/");
        assert_eq!(shared(b"/a/bc", b"/a/b"), b"/a");
    }

    #[test]
    fn the_beginning_of_a_file() {
        let mut head = Head {
            bytes: Vec::new(),
            most: 5,
            is_cut: false,
        };
        assert!(head.write_all(b"abc").is_ok() && head.write_all(b"de").is_ok() && !head.is_cut);
        assert!(head.write_all(b"f").is_err() && head.is_cut);
        assert_eq!(head.bytes, b"abcde");
    }

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
