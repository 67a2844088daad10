//! The versions of one path over many generations. In each, only the piece of the tree that the path would be in is
//! read, and of that the names and one entry; a piece that generations share is read once.

use crate::entry::{Entry, Kind};
use crate::error::{Error, Result};
use crate::list::relative;
use crate::manifest::Manifest;
use crate::monitor::{Monitor, Problem, ProblemKind};
use crate::problem::{Damage, Unread};
use crate::repo::Repo;
use crate::tree::Differs;
use crate::trees::cursor;
use chunkstore::reader::Reader;
use chunkstore::{ChunkId, SessionId};
use std::collections::HashMap;

/// Pieces whose answer is remembered.
const MEMO: usize = 4096;

/// How an entry in one generation differs from the one in the generation before that holds the path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum VersionChange {
    /// None before holds it.
    First,
    Content,
    /// The same content, other times, permissions, owners or attributes.
    Metadata,
    Unchanged,
}

/// A generation that holds a version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Holding {
    pub snapshot: SessionId,
    pub change: VersionChange,
}

/// One distinct content that a path had.
#[derive(Clone, PartialEq, Debug)]
pub struct Version {
    /// As the newest generation that holds it has it.
    pub entry: Entry,
    /// Oldest first.
    pub holdings: Vec<Holding>,
}

/// Collects the versions of a path from its entries, oldest generation first.
#[derive(Clone, Debug, Default)]
pub struct Versions {
    versions: Vec<Version>,
    /// The version that the last generation had.
    last: Option<usize>,
}

impl Versions {
    pub fn add(&mut self, snapshot: SessionId, entry: &Entry) {
        let before = self.last.and_then(|last| self.versions.get(last));
        let differs = before.map(|before| Differs::between(&before.entry, entry));
        let change = match differs {
            None => VersionChange::First,
            Some(differs) if differs.content => VersionChange::Content,
            Some(differs) if differs.metadata => VersionChange::Metadata,
            Some(_) => VersionChange::Unchanged,
        };
        let same = |version: &Version| !Differs::between(&version.entry, entry).content;
        let at = match (change, self.last) {
            (VersionChange::Metadata | VersionChange::Unchanged, Some(last)) => last,
            // An earlier content may come back.
            _ => match self.versions.iter().rposition(same) {
                Some(at) => at,
                None => {
                    self.versions.push(Version {
                        entry: entry.clone(),
                        holdings: Vec::new(),
                    });
                    self.versions.len() - 1
                }
            },
        };
        if let Some(version) = self.versions.get_mut(at) {
            if change != VersionChange::Unchanged {
                version.entry = entry.clone();
            }
            version.holdings.push(Holding { snapshot, change });
        }
        self.last = Some(at);
    }

    /// In the order in which they first appeared.
    pub fn into_vec(self) -> Vec<Version> {
        self.versions
    }
}

/// What generations say of a path.
#[derive(Clone, Debug, Default)]
pub struct PathHistory {
    /// In the order in which they first appeared.
    pub versions: Vec<Version>,
    /// Generations that have nothing there, though they looked: it did not exist, or was left out.
    pub absent: Vec<SessionId>,
    /// It is a directory in all of them.
    pub is_dir: bool,
}

/// The versions of the entry at `path` (absolute) in these generations, oldest first. A generation whose record of it
/// can't be read is a problem of that one.
pub fn versions(
    repo: &Repo,
    reader: &Reader<'_>,
    snapshots: &[SessionId],
    path: &[u8],
    monitor: &dyn Monitor,
) -> Result<PathHistory> {
    let top = relative(path);
    let mut collected = Versions::default();
    let mut history = PathHistory::default();
    let mut memo: HashMap<ChunkId, Option<Entry>> = HashMap::new();
    let mut others = false;
    for id in snapshots {
        repo.run().cancel().check()?;
        let manifest = repo.manifest(*id)?;
        match entry_at(reader, &manifest, top, &mut memo) {
            Ok(Some(entry)) => {
                others |= entry.kind != Kind::Dir;
                collected.add(*id, &entry);
            }
            // Where it could not look, it says nothing.
            Ok(None) if is_unknown(&manifest, top) => {}
            Ok(None) => history.absent.push(*id),
            Err(Error::Store(e)) if e.concerns_one_object() => {
                let what = match e.is_damage() {
                    true => ProblemKind::Damage(Damage::Needed(e)),
                    false => ProblemKind::Unreadable(Unread::Needed(e)),
                };
                let path = [b"/", top].concat();
                monitor.problem(&Problem { path, what });
            }
            Err(e) => return Err(e),
        }
    }
    history.versions = collected.into_vec();
    history.is_dir = !others && !history.versions.is_empty();
    Ok(history)
}

fn entry_at(
    reader: &Reader<'_>,
    manifest: &Manifest,
    path: &[u8],
    memo: &mut HashMap<ChunkId, Option<Entry>>,
) -> Result<Option<Entry>> {
    let mut cursor = cursor(reader, &manifest.root()?)?;
    let Some(piece) = cursor.segment_of(path)? else {
        return Ok(None);
    };
    if let Some(known) = memo.get(&piece) {
        return Ok(known.clone());
    }
    let entry = cursor.entry_at(path)?;
    if memo.len() < MEMO {
        memo.insert(piece, entry.clone());
    }
    Ok(entry)
}

/// The backup could not look there.
pub(crate) fn is_unknown(manifest: &Manifest, path: &[u8]) -> bool {
    let missing = manifest.missing.iter().map(|missing| &missing.path);
    missing.chain(&manifest.unreadable_dirs).any(|above| {
        let above = relative(above);
        matches!(path.strip_prefix(above), Some([] | [b'/', ..])) || above.is_empty()
    })
}

#[cfg(test)]
mod tests;
