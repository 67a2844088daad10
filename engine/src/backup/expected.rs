//! What a backup must find because the last generation that held it whole had it: sources that were not empty, and
//! file systems that were mounted in, below or above sources. A disk that is not mounted leaves an empty directory
//! behind, and a generation of that must not pass for a backup of the disk (I-12), tonight or any later night.
//!
//! The evidence is in the manifests: their trees, what was mounted ([`Manifest::mounts`]), and what was missing already
//! ([`Manifest::missing`]), which goes on from one to the next until it is there again or the user accepts that it is
//! not. Asked by the dispatcher, in the order of the stream.
//!
//! [`Manifest::mounts`]: crate::manifest::Manifest::mounts
//! [`Manifest::missing`]: crate::manifest::Manifest::missing

use crate::entry::Kind;
use crate::error::{Error, Result};
use crate::manifest::{Head, Held, MISSING_MAX, Missing, Snapshot};
use crate::monitor::{Lost, Problem, ProblemKind};
use crate::platform::paths::{from_root, to_bytes};
use crate::problem::Warning;
use crate::repo::Repo;
use crate::tree::Cursor;
use crate::walk::{Found, Mount};
use chunkstore::frame::Decoder;
use chunkstore::reader::Reader;
use chunkstore::{ChunkId, Place, SessionId};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io;
use std::path::PathBuf;

type TreeLoad<'a> = Box<dyn FnMut(&ChunkId, Option<&Place>) -> Result<Vec<u8>> + Send + 'a>;

/// How far back sources that no generation names are searched for, in sources of generations.
const PATHS_LOOKED_AT: usize = 1_000_000;

pub(super) struct Expected<'a> {
    repo: &'a Repo,
    reader: &'a Reader<'a>,
    /// The user accepts what is there.
    allow_empty: bool,
    /// By path relative to `/`.
    paths: BTreeMap<Vec<u8>, Expectation>,
    /// The directories that these are in.
    dirs: HashSet<Vec<u8>>,
    cursors: HashMap<SessionId, Cursor<TreeLoad<'a>>>,
    /// Sources with nothing in them that is worth a generation.
    pub empty_sources: usize,
}

struct Expectation {
    /// When it was last held whole, seconds since 1970.
    last_complete: i64,
    /// What was there; `None` where the tree of `generation` must be asked.
    held: Option<Held>,
    generation: SessionId,
    is_source: bool,
    state: ExpectedState,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ExpectedState {
    /// Not come to yet.
    Unseen,
    /// A directory whose listing shows it.
    Open,
    Found,
    /// Not there, or not as it was: reported, and remembered.
    Missing,
}

impl<'a> Expected<'a> {
    /// What `snapshots`, oldest first, hold of the sources in `head`.
    pub fn new(
        repo: &'a Repo,
        reader: &'a Reader<'a>,
        snapshots: &[Snapshot],
        head: &Head,
        allow_empty: bool,
    ) -> Self {
        let mut expected = Expected {
            repo,
            reader,
            allow_empty,
            paths: BTreeMap::new(),
            dirs: HashSet::new(),
            cursors: HashMap::new(),
            empty_sources: 0,
        };
        let mut sources: BTreeSet<&[u8]> = head.paths.iter().map(|path| relative(path)).collect();
        let is_complete =
            |snapshot: &&Snapshot| !snapshot.manifest.partial && snapshot.manifest.host == head.host;
        let mut looked_at = 0;
        for snapshot in snapshots.iter().rev().filter(is_complete) {
            if sources.is_empty() || looked_at > PATHS_LOOKED_AT {
                break;
            }
            looked_at += snapshot.manifest.paths.len();
            let paths = snapshot.manifest.paths.iter().map(|path| relative(path));
            let its: BTreeSet<&[u8]> = paths.filter(|path| sources.remove(path)).collect();
            expected.learn(snapshot, &its);
        }
        expected
    }

    /// Takes over what a generation holds of those sources for which it is the newest.
    fn learn(&mut self, snapshot: &Snapshot, sources: &BTreeSet<&[u8]>) {
        if sources.is_empty() {
            return;
        }
        let manifest = &snapshot.manifest;
        let time = manifest.time().as_second();
        let mut add = |path: &[u8], last_complete, held| {
            let expectation = Expectation {
                last_complete,
                held,
                generation: snapshot.id,
                is_source: sources.contains(path),
                state: ExpectedState::Unseen,
            };
            let slash = path.iter().rposition(|byte| *byte == b'/');
            self.dirs.insert(path[..slash.unwrap_or(0)].to_vec());
            self.paths.entry(path.to_vec()).or_insert(expectation);
        };
        for missing in &manifest.missing {
            let path = relative(&missing.path);
            if is_near(path, sources) {
                add(path, missing.last_complete, Some(missing.held));
            }
        }
        for mount in &manifest.mounts {
            let path = relative(&mount.path);
            if is_near(path, sources) {
                add(path, time, Some(mount.held));
            }
        }
        for source in sources {
            add(source, time, None);
        }
    }

    /// Whether [`Expected::entry`] has to be asked about what is in `dir`.
    pub fn looks_into(&self, dir: &[u8]) -> bool {
        self.dirs.contains(dir)
    }

    /// The walk found `found` at `path`. `then` is what the generation `parent` has there.
    pub fn entry(
        &mut self,
        path: &[u8],
        found: &Found,
        then: Option<&Kind>,
        parent: Option<SessionId>,
    ) -> Result<Option<Problem>> {
        let Some(expectation) = self.paths.get_mut(path) else {
            return Ok(None);
        };
        let was_no_dir = then.is_some_and(|kind| *kind != Kind::Dir);
        if expectation.held.is_none() && parent == Some(expectation.generation) && was_no_dir {
            expectation.held = Some(Held::Entry);
        }
        if found.trouble.is_some() {
            self.missing(path)?;
            return Ok(None);
        }
        if found.kind != Kind::Dir {
            return self.judge(path, Lost::NotADirectory);
        }
        if expectation.held == Some(Held::Mount) && found.mount != Mount::Device {
            return self.judge(path, Lost::Unmounted);
        }
        expectation.state = ExpectedState::Open;
        Ok(None)
    }

    /// The directory `dir` was listed to its end; `empty` if there is nothing in it.
    pub fn listed(&mut self, dir: &[u8], empty: bool) -> Result<Option<Problem>> {
        match self.paths.get_mut(dir) {
            Some(expectation) if expectation.state == ExpectedState::Open || dir.is_empty() => {
                if empty {
                    return self.judge(dir, Lost::Empty);
                }
                expectation.state = ExpectedState::Found;
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    /// `path` could not be found or read, which has been reported.
    pub fn missing(&mut self, path: &[u8]) -> Result<()> {
        if self.paths.contains_key(path) {
            self.held(path)?;
            if let Some(expectation) = self.paths.get_mut(path) {
                expectation.state = ExpectedState::Missing;
            }
        }
        Ok(())
    }

    /// The walk is over: what it did not come to. Gives what to report of mount points that are gone themselves.
    pub fn end(&mut self, missing_sources: &[(PathBuf, i32)]) -> Result<Vec<Problem>> {
        for (path, _) in missing_sources {
            self.missing(relative(&to_bytes(path)))?;
        }
        let lost: BTreeSet<Vec<u8>> = self
            .paths
            .iter()
            .filter(|(_, expectation)| expectation.state == ExpectedState::Missing)
            .map(|(path, _)| path.clone())
            .collect();
        let lost: BTreeSet<&[u8]> = lost.iter().map(Vec::as_slice).collect();
        let mut problems = Vec::new();
        for (path, expectation) in &mut self.paths {
            if expectation.state != ExpectedState::Unseen || expectation.is_source {
                continue;
            }
            let absolute = from_root(path);
            match std::fs::symlink_metadata(&absolute) {
                _ if is_near(path, &lost) => expectation.state = ExpectedState::Missing,
                // Left out by the user.
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::NotFound => {
                    problems.push(Problem {
                        path: [b"/", &path[..]].concat(),
                        what: ProblemKind::Warning(Warning::MountGone),
                    });
                }
                Err(_) => expectation.state = ExpectedState::Missing,
            }
        }
        Ok(problems)
    }

    /// What the generation will list as missing.
    pub fn list(&self) -> Vec<Missing> {
        let missing = |(path, expectation): (&Vec<u8>, &Expectation)| {
            (expectation.state == ExpectedState::Missing).then(|| Missing {
                path: [b"/", &path[..]].concat(),
                last_complete: expectation.last_complete,
                held: expectation.held.unwrap_or(Held::Entry),
            })
        };
        let mut list: Vec<Missing> = self.paths.iter().filter_map(missing).collect();
        list.sort_by(|a, b| b.held.cmp(&a.held).then_with(|| a.path.cmp(&b.path)));
        list.truncate(MISSING_MAX);
        list
    }

    fn judge(&mut self, path: &[u8], how: Lost) -> Result<Option<Problem>> {
        let is_lost = !self.allow_empty && self.held(path)? != Held::Entry;
        let Some(expectation) = self.paths.get_mut(path) else {
            return Ok(None);
        };
        if !is_lost {
            expectation.state = ExpectedState::Found;
            return Ok(None);
        }
        expectation.state = ExpectedState::Missing;
        let last_complete = expectation.last_complete;
        self.empty_sources += usize::from(expectation.is_source && how == Lost::Empty);
        Ok(Some(Problem {
            path: [b"/", path].concat(),
            what: ProblemKind::Lost { how, last_complete },
        }))
    }

    fn held(&mut self, path: &[u8]) -> Result<Held> {
        let Some(expectation) = self.paths.get(path) else {
            return Ok(Held::Entry);
        };
        if let Some(held) = expectation.held {
            return Ok(held);
        }
        let held = match self.look_up(expectation.generation, path) {
            // What can't be read proves nothing; that it is damaged is reported where it matters.
            Err(Error::Store(e)) if e.concerns_one_object() => Held::Entry,
            held => held?,
        };
        if let Some(expectation) = self.paths.get_mut(path) {
            expectation.held = Some(held);
        }
        Ok(held)
    }

    fn look_up(&mut self, generation: SessionId, path: &[u8]) -> Result<Held> {
        if !self.cursors.contains_key(&generation) {
            let (reader, mut decoder) = (self.reader, Decoder::new()?);
            let load: TreeLoad<'a> = Box::new(move |id, hint| Ok(reader.tree(&mut decoder, id, hint)?));
            let root = self.repo.manifest(generation)?.root()?;
            self.cursors.insert(generation, Cursor::new(&root, load));
        }
        let Some(cursor) = self.cursors.get_mut(&generation) else {
            return Ok(Held::Entry);
        };
        cursor.seek(path, b"")?;
        Ok(match cursor.peek_key() {
            Some((dir, _)) if dir == path => Held::Directory,
            _ => Held::Entry,
        })
    }
}

/// A path of a manifest as the walk has it.
fn relative(path: &[u8]) -> &[u8] {
    path.strip_prefix(b"/").unwrap_or(path)
}

/// Whether `path` is one of `paths`, or above or below one.
fn is_near(path: &[u8], paths: &BTreeSet<&[u8]>) -> bool {
    let below = [path, b"/"].concat();
    let mut ends = path
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'/')
        .map(|(at, _)| at);
    paths.contains(path)
        || paths.contains(&b""[..])
        || path.is_empty()
        || ends.any(|end| paths.contains(&path[..end]))
        || paths
            .range(&below[..]..)
            .next()
            .is_some_and(|next| next.starts_with(&below))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near() {
        let sources: BTreeSet<&[u8]> = [&b"a/b"[..], b"c"].into();
        for (path, want) in [
            ("a/b", true),
            ("a", true),
            ("a/b/x/y", true),
            ("a/bb", false),
            ("a/", false),
            ("", true),
            ("c/d", true),
            ("cc", false),
            ("b", false),
        ] {
            assert_eq!(is_near(path.as_bytes(), &sources), want, "{path}");
        }
    }
}
