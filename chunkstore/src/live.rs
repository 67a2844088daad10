//! A set of chunk ids on disk: what generations still refer to. Memory does not grow with it.

use crate::error::Result;
use crate::id::ChunkId;
use crate::scratch::Scratch;
use std::collections::BTreeSet;
use std::path::Path;

/// Ids gathered before they are written out together.
const BATCH: usize = 32 << 10;

pub struct LiveSet {
    written: Scratch,
    fresh: BTreeSet<ChunkId>,
}

impl LiveSet {
    /// An empty set, which goes to the disk below `cache` when it grows.
    pub fn new(cache: &Path) -> Result<Self> {
        Ok(LiveSet {
            written: Scratch::new(cache),
            fresh: BTreeSet::new(),
        })
    }

    /// True when the id is new.
    pub fn insert(&mut self, id: ChunkId) -> Result<bool> {
        if self.contains(&id)? {
            return Ok(false);
        }
        self.fresh.insert(id);
        if self.fresh.len() >= BATCH {
            self.spill()?;
        }
        Ok(true)
    }

    pub fn contains(&self, id: &ChunkId) -> Result<bool> {
        Ok(self.fresh.contains(id) || self.written.contains(&id.0)?)
    }

    fn spill(&mut self) -> Result<()> {
        let fresh = std::mem::take(&mut self.fresh);
        self.written.write(fresh.into_iter().map(|id| (id.0, [])))
    }

    /// Calls `each` with sorted runs of at most 1024 ids.
    pub fn scan(&mut self, each: &mut dyn FnMut(&[ChunkId]) -> Result<()>) -> Result<()> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
