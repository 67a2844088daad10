//! What generations still refer to, on disk: chunks by their ids, and small files by the bundle that trees name and
//! where they lie in it. Memory does not grow with either.

use crate::error::Result;
use crate::id::ChunkId;
use crate::scratch::Scratch;
use crate::smallfile::SmallFile;
use std::collections::BTreeSet;
use std::path::Path;

/// Ids gathered before they are written out together.
const BATCH: usize = 32 << 10;

pub struct LiveSet {
    chunks: Ids,
    files: Files,
}

struct Ids {
    written: Scratch,
    fresh: BTreeSet<ChunkId>,
}

struct Files {
    written: Scratch,
    fresh: BTreeSet<SmallFile>,
}

impl LiveSet {
    /// An empty set, which goes to the disk below `cache` when it grows.
    pub fn new(cache: &Path) -> Result<Self> {
        Ok(LiveSet {
            chunks: Ids {
                written: Scratch::new(cache),
                fresh: BTreeSet::new(),
            },
            files: Files {
                written: Scratch::new(cache),
                fresh: BTreeSet::new(),
            },
        })
    }

    /// Adds a chunk that is needed whole. True when the id is new.
    pub fn insert(&mut self, id: ChunkId) -> Result<bool> {
        if self.contains(&id)? {
            return Ok(false);
        }
        self.chunks.fresh.insert(id);
        if self.chunks.fresh.len() >= BATCH {
            self.chunks.spill()?;
        }
        Ok(true)
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> Result<bool> {
        let written = |scratch: &Scratch| scratch.any_with(&[]);
        let fresh = !self.chunks.fresh.is_empty() || !self.files.fresh.is_empty();
        Ok(!fresh && !written(&self.chunks.written)? && !written(&self.files.written)?)
    }

    /// Adds a small file.
    pub fn insert_file(&mut self, file: SmallFile) -> Result<()> {
        self.files.fresh.insert(file);
        match self.files.fresh.len() >= BATCH {
            true => self.files.spill(),
            false => Ok(()),
        }
    }

    /// Whether a chunk is needed whole.
    pub fn contains(&self, id: &ChunkId) -> Result<bool> {
        Ok(self.chunks.fresh.contains(id) || self.chunks.written.contains(&id.0)?)
    }

    /// Calls `each` with sorted runs of at most 1024 ids of chunks that are needed whole.
    pub fn scan(&mut self, each: &mut dyn FnMut(&[ChunkId]) -> Result<()>) -> Result<()> {
        self.chunks.scan(each)
    }

    /// Calls `each` with the small files, sorted: those of one bundle one after the other.
    pub fn scan_files(&self, each: &mut dyn FnMut(&SmallFile) -> Result<()>) -> Result<()> {
        self.files.below(&[], each)
    }

    /// Calls `each` with the small files of which trees say that they are in this bundle, by offset.
    pub fn files_of(&self, bundle: &ChunkId, each: &mut dyn FnMut(&SmallFile) -> Result<()>) -> Result<()> {
        self.files.below(&bundle.0, each)
    }

    /// Whether trees say of any small file that it is in this bundle.
    pub fn names(&self, bundle: &ChunkId) -> Result<bool> {
        let fresh = self.files.fresh_below(&bundle.0).next().is_some();
        Ok(fresh || self.files.written.any_with(&bundle.0)?)
    }
}

impl Ids {
    fn spill(&mut self) -> Result<()> {
        let fresh = std::mem::take(&mut self.fresh);
        self.written.write(fresh.into_iter().map(|id| (id.0, [])))
    }

    fn scan(&mut self, each: &mut dyn FnMut(&[ChunkId]) -> Result<()>) -> Result<()> {
        if self.written.is_unused() {
            let all: Vec<ChunkId> = self.fresh.iter().copied().collect();
            return all.chunks(1024).try_for_each(each);
        }
        self.spill()?;
        let mut run = Vec::with_capacity(1024);
        self.written.keys(&mut |key| {
            run.extend(ChunkId::from_slice(key));
            if run.len() == run.capacity() {
                each(&run)?;
                run.clear();
            }
            Ok(())
        })?;
        each(&run)
    }
}

impl Files {
    fn spill(&mut self) -> Result<()> {
        let fresh = std::mem::take(&mut self.fresh);
        self.written
            .write(fresh.into_iter().map(|file| (file.to_bytes(), [])))
    }

    fn fresh_below<'s>(&'s self, prefix: &'s [u8]) -> impl Iterator<Item = &'s SmallFile> {
        let mut first = [0; SmallFile::LEN];
        first[..prefix.len()].copy_from_slice(prefix);
        let from = SmallFile::from_bytes(&first);
        let range = from.map(|from| self.fresh.range(from..));
        let range = range.into_iter().flatten();
        range.take_while(move |file| file.to_bytes().starts_with(prefix))
    }

    /// Those whose bytes begin with `prefix`, written and fresh ones in one order.
    fn below(&self, prefix: &[u8], each: &mut dyn FnMut(&SmallFile) -> Result<()>) -> Result<()> {
        let mut fresh = self.fresh_below(prefix).peekable();
        self.written.keys_with(prefix, &mut |key| {
            let Some(file) = SmallFile::from_bytes(key) else {
                return Ok(());
            };
            while let Some(earlier) = fresh.next_if(|earlier| **earlier < file) {
                each(earlier)?;
            }
            fresh.next_if(|same| **same == file);
            each(&file)
        })?;
        fresh.try_for_each(each)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ContentHash;

    #[test]
    fn holds_what_was_inserted_across_spills() {
        let dir = tempfile::tempdir().unwrap();
        let mut set = LiveSet::new(dir.path()).unwrap();
        let id = |n: u32| ChunkId(*blake3::hash(&n.to_le_bytes()).as_bytes());
        for n in 0..100_000 {
            assert!(set.insert(id(n)).unwrap());
            if n == 2000 {
                let mut small = Vec::new();
                set.scan(&mut |run| {
                    small.extend_from_slice(run);
                    Ok(())
                })
                .unwrap();
                assert!(small.len() == 2001 && small.is_sorted(), "in memory");
            }
        }
        assert!(!set.insert(id(7)).unwrap());
        assert!(!set.contains(&id(100_000)).unwrap());
        let mut all = Vec::new();
        set.scan(&mut |run| {
            all.extend_from_slice(run);
            Ok(())
        })
        .unwrap();
        assert!(all.len() == 100_000 && all.is_sorted());
        drop(set);
        assert_eq!(std::fs::read_dir(dir.path().join("scratch")).unwrap().count(), 0);
    }

    #[test]
    fn files_come_by_bundle_and_offset_across_spills() {
        let dir = tempfile::tempdir().unwrap();
        let mut set = LiveSet::new(dir.path()).unwrap();
        let bundle = |n: u32| ChunkId(*blake3::hash(&n.to_le_bytes()).as_bytes());
        let file = |n: u32| SmallFile {
            bundle: bundle(n % 7),
            offset: n,
            len: 1,
            hash: ContentHash([n as u8; 16]),
        };
        // The last ones stay in memory, and the first come twice.
        for n in (0..50_000).rev().chain(0..300) {
            set.insert_file(file(n)).unwrap();
        }
        let mut of_three = Vec::new();
        set.files_of(&bundle(3), &mut |file| {
            of_three.push(file.offset);
            Ok(())
        })
        .unwrap();
        let expected: Vec<u32> = (0..50_000).filter(|n| n % 7 == 3).collect();
        assert_eq!(of_three, expected);
        let mut all = Vec::new();
        set.scan_files(&mut |file| {
            all.push(*file);
            Ok(())
        })
        .unwrap();
        assert!(all.len() == 50_000 && all.is_sorted());
        assert!(set.names(&bundle(6)).unwrap() && !set.names(&bundle(7)).unwrap());
    }
}
