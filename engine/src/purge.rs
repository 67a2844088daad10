//! Takes paths out of generations. A generation that holds one of them is published again without it, by a session of its
//! own ([`crate::rewrite`]); then its old form goes to the trash, from where it can come back like any generation that
//! was forgotten. Chunks are freed by [`crate::prune`] alone.
//!
//! A crash between the two leaves both forms. The next purge finds that the new one is there already, and only removes
//! the old one.

use crate::backup::{fill_places, same_tree};
use crate::entry::{DirPath, Entry, Kind, join};
use crate::error::{Error, Refusal, Result, StoreError};
use crate::list::relative;
use crate::manifest::{Manifest, Snapshot};
use crate::monitor::Monitor;
use crate::prune;
use crate::repo::{Repo, index_progress};
use crate::rewrite::{self, Remade, Restated};
use crate::tree::{Root, TreeWriter};
use crate::trees::cursor;
use chunkstore::frame::{Encoder, LEVEL};
use chunkstore::live::LiveSet;
use chunkstore::pack::Class;
use chunkstore::reader::Reader;
use chunkstore::writer::Writer;
use chunkstore::{ChunkId, SessionId};
use std::collections::HashMap;

/// Segments whose counts are remembered, so that memory stays bounded.
const MEMO_SEGMENTS: usize = 64 << 10;

/// Whether this path, relative to `/`, is one of those that go. What lies below it goes with it.
pub type IsNamed<'a> = dyn Fn(&[u8]) -> bool + 'a;

/// What a generation holds of the paths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PurgeCount {
    /// Files, directories and all else.
    pub entries: u64,
    /// Regular files, and their bytes.
    pub files: u64,
    pub bytes: u64,
}

impl PurgeCount {
    fn count(&mut self, entry: &Entry) {
        self.entries += 1;
        if entry.kind == Kind::File {
            self.files += 1;
            self.bytes = self.bytes.saturating_add(entry.meta.size);
        }
    }

    pub fn add(&mut self, other: &PurgeCount) {
        self.entries = self.entries.saturating_add(other.entries);
        self.files = self.files.saturating_add(other.files);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// How a generation was rid of the paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purged {
    /// It has this id now.
    Replaced(SessionId),
    /// It held nothing else, and is in the trash.
    Emptied,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct PurgeOptions {
    /// Change protected generations, too. They stay protected.
    pub force_protected: bool,
    /// Remove the old forms for good, instead of when the trash is emptied.
    pub end_now: bool,
}

/// A purge of many generations. What one segment holds is found out once, however many of them share it.
pub struct Purge<'a> {
    repo: &'a Repo,
    named: &'a IsNamed<'a>,
    options: PurgeOptions,
    /// Segments that hold nothing of the paths.
    clean: LiveSet,
    counted: HashMap<ChunkId, PurgeCount>,
}

impl<'a> Purge<'a> {
    pub fn new(repo: &'a Repo, named: &'a IsNamed<'a>, options: PurgeOptions) -> Result<Purge<'a>> {
        repo.store.check_upgrades()?;
        Ok(Purge {
            repo,
            named,
            options,
            clean: LiveSet::new(repo.store.cache())?,
            counted: HashMap::new(),
        })
    }

    /// What the generation `id` holds of the paths.
    pub fn held(&mut self, reader: &Reader<'_>, id: SessionId) -> Result<PurgeCount> {
        let mut cursor = cursor(reader, &self.repo.manifest(id)?.root()?)?;
        let mut paths = Paths::new(self.named);
        let (mut held, mut part, mut current) = (PurgeCount::default(), PurgeCount::default(), None);
        loop {
            self.repo.run().cancel().check()?;
            if let Some(ahead) = cursor.segment_ahead()? {
                let segment = ahead.segment.id;
                if let Some(known) = self.counted.get(&segment) {
                    held.add(known);
                    cursor.skip_piece();
                    continue;
                }
                if self.clean.contains(&segment)? {
                    cursor.skip_piece();
                    continue;
                }
                current = Some(segment);
            }
            let Some(item) = cursor.next()? else { break };
            if paths.go(&item.dir, &item.entry.name) {
                part.count(&item.entry);
            }
            if item.pos.last {
                let part = std::mem::take(&mut part);
                held.add(&part);
                if let Some(segment) = current.take() {
                    self.note(segment, part)?;
                }
            }
        }
        Ok(held)
    }

    fn note(&mut self, segment: ChunkId, part: PurgeCount) -> Result<()> {
        if part.entries == 0 {
            self.clean.insert(segment)?;
        } else if self.counted.len() < MEMO_SEGMENTS {
            self.counted.insert(segment, part);
        }
        Ok(())
    }

    /// Rids the generation `id`, which is among `all`, of the paths.
    pub fn remove(&self, id: SessionId, all: &[Snapshot], monitor: &dyn Monitor) -> Result<Purged> {
        let manifest = self.repo.manifest(id)?;
        if manifest.protected && !self.options.force_protected {
            return Err(Error::Refused(Refusal::Protected(id)));
        }
        let origin = manifest.original.unwrap_or(id);
        let others: Vec<&Snapshot> = all
            .iter()
            .filter(|other| other.id != id && other.manifest.original == Some(origin))
            .collect();
        let make = |writer: &Writer| self.make(writer, id, &others, monitor);
        let purged = match rewrite::publish_made(self.repo, id, &make, monitor)? {
            Restated::Published(published) => {
                rewrite::follow(self.repo, id, &published)?;
                Purged::Replaced(published.id)
            }
            Restated::Nothing(Some(other)) => {
                rewrite::follow_other(self.repo, id, other.hash)?;
                Purged::Replaced(other.id)
            }
            Restated::Nothing(None) => Purged::Emptied,
        };
        rewrite::retire(self.repo, id)?;
        if self.options.end_now {
            self.end(id)?;
        }
        Ok(purged)
    }

    /// The generation without the paths; or which other one is that already; or that nothing is left of it.
    fn make(
        &self,
        writer: &Writer,
        id: SessionId,
        others: &[&Snapshot],
        monitor: &dyn Monitor,
    ) -> Result<Remade<Option<OtherForm>>> {
        let mut manifest = self.repo.manifest(id)?;
        let mut root = self.tree(writer, &manifest.root()?, monitor)?;
        if root.entries == 0 {
            return Ok(Remade::Nothing(None));
        }
        for other in others {
            let known = self.repo.manifest(other.id)?;
            if says_the_same(&known, &manifest) && same_tree(&known.root()?, &root) {
                return Ok(Remade::Nothing(Some(OtherForm {
                    id: other.id,
                    hash: other.hash,
                })));
            }
        }
        let flushed = writer.flush()?;
        fill_places(writer, &mut root)?;
        manifest.set_root(&root);
        manifest.original = Some(manifest.original.unwrap_or(id));
        let paths = Paths::new(self.named);
        let stays = |path: &[u8]| !paths.reach(relative(path));
        manifest.unreadable_dirs.retain(|path| stays(path));
        manifest.mounts.retain(|mount| stays(&mount.path));
        manifest.missing.retain(|missing| stays(&missing.path));
        Ok(Remade::Manifest(Box::new(manifest), flushed))
    }

    /// Writes a tree again without the paths. Segments that hold nothing of them are taken over as they are.
    fn tree(&self, writer: &Writer, root: &Root, monitor: &dyn Monitor) -> Result<Root> {
        let mut encoder = Encoder::new(LEVEL)?;
        let mut tree = TreeWriter::new(*self.repo.store.keys().tree_cuts(), |plain: &[u8]| {
            Ok((writer.put(0, &mut encoder, Class::Tree, plain)?.id, None))
        });
        let reader = Reader::beside(self.repo.store.clone(), writer, index_progress(monitor));
        let mut cursor = cursor(&reader, root)?;
        let mut paths = Paths::new(self.named);
        while let Some(item) = cursor.next()? {
            self.repo.run().cancel().check()?;
            if !paths.go(&item.dir, &item.entry.name) {
                tree.push_same(&item.dir, item.entry, &item.pos)?;
            }
        }
        tree.finish()
    }

    /// Removes what was moved to the trash for good.
    fn end(&self, id: SessionId) -> Result<()> {
        let store = &self.repo.store;
        match store.trash(id) {
            Ok((body, _)) => Ok(store.discard(&[prune::ended(id, &body)])?),
            // Somebody else was quicker.
            Err(StoreError::Missing { .. }) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }
}

/// A generation that is the same without the paths, published by an earlier try.
struct OtherForm {
    id: SessionId,
    /// Of its stored manifest.
    hash: [u8; 32],
}

/// Whether two forms of one generation differ in nothing but perhaps their trees.
fn says_the_same(a: &Manifest, b: &Manifest) -> bool {
    (&a.tags, &a.description, a.protected, a.partial) == (&b.tags, &b.description, b.protected, b.partial)
        && (&a.host, &a.paths, a.time()) == (&b.host, &b.paths, b.time())
}

/// Which paths go: those that are named, and what lies below them. Asked in the order of a tree, mostly.
struct Paths<'a> {
    named: &'a IsNamed<'a>,
    /// The directory that was asked about last, and whether it goes.
    dir: Option<(DirPath, bool)>,
}

impl<'a> Paths<'a> {
    fn new(named: &'a IsNamed<'a>) -> Self {
        Paths { named, dir: None }
    }

    fn go(&mut self, dir: &DirPath, name: &[u8]) -> bool {
        let goes = match &self.dir {
            Some((known, goes)) if known == dir => *goes,
            _ => {
                let goes = self.reach(dir);
                self.dir = Some((dir.clone(), goes));
                goes
            }
        };
        goes || (self.named)(&join(dir, name))
    }

    /// Whether a path is named, or one that it is below.
    fn reach(&self, path: &[u8]) -> bool {
        let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        let mut ends = slashes.map(|(at, _)| at).chain([path.len()]);
        !path.is_empty() && ends.any(|end| path.get(..end).is_some_and(self.named))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_below_a_path_goes_with_it() {
        let named = |path: &[u8]| path == b"a/b";
        let mut paths = Paths::new(&named);
        let rows: [(&str, &str, bool); 8] = [
            ("", "a", false),
            ("a", "b", true),
            ("a", "bb", false),
            ("a/b", "c", true),
            ("a/b/c", "d", true),
            ("a/bb", "b", false),
            ("a/c", "a", false),
            ("", "b", false),
        ];
        for (dir, name, want) in rows {
            let dir: DirPath = dir.as_bytes().into();
            assert_eq!(paths.go(&dir, name.as_bytes()), want, "{dir:?} {name}");
        }
        assert!(!paths.reach(b"") && paths.reach(b"a/b/x") && !paths.reach(b"a"));
    }
}
