//! A set of chunk ids on disk: what generations still refer to. Memory does not grow with it.

use crate::error::{Error, Result};
use crate::id::{ChunkId, random};
use rocksdb::{BlockBasedOptions, DB, Options, WriteBatch, WriteOptions};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Ids gathered before they are written out together.
const BATCH: usize = 32 << 10;

pub struct LiveSet {
    /// Opened when the first batch is full: most sets stay small.
    db: Option<DB>,
    dir: PathBuf,
    fresh: BTreeSet<ChunkId>,
}

impl LiveSet {
    /// An empty set that goes to a folder of its own below `cache`, removed when dropped.
    pub fn new(cache: &Path) -> Result<Self> {
        Ok(LiveSet {
            db: None,
            dir: cache.join(format!("live-{}", hex::encode(random::<8>()?))),
            fresh: BTreeSet::new(),
        })
    }

    fn open(&mut self) -> Result<&DB> {
        if self.db.is_none() {
            std::fs::create_dir_all(&self.dir).map_err(|e| Error::local("create", &self.dir, e))?;
            let mut table = BlockBasedOptions::default();
            table.set_ribbon_filter(10.0);
            let mut options = Options::default();
            options.create_if_missing(true);
            options.set_block_based_table_factory(&table);
            options.set_compression_type(rocksdb::DBCompressionType::None);
            options.set_write_buffer_size(8 << 20);
            options.set_keep_log_file_num(1);
            self.db = Some(DB::open(&options, &self.dir).map_err(failed)?);
        }
        self.db
            .as_ref()
            .ok_or_else(|| Error::Index("the set of references is closed".to_string()))
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
        if self.fresh.contains(id) {
            return Ok(true);
        }
        match &self.db {
            Some(db) => Ok(db.get_pinned(id.0).map_err(failed)?.is_some()),
            None => Ok(false),
        }
    }

    fn spill(&mut self) -> Result<()> {
        let mut batch = WriteBatch::default();
        std::mem::take(&mut self.fresh)
            .into_iter()
            .for_each(|id| batch.put(id.0, []));
        let mut options = WriteOptions::default();
        options.disable_wal(true);
        self.open()?.write_opt(batch, &options).map_err(failed)
    }

    /// Calls `each` with sorted runs of at most 1024 ids.
    pub fn scan(&mut self, each: &mut dyn FnMut(&[ChunkId]) -> Result<()>) -> Result<()> {
        if self.db.is_none() {
            let all: Vec<ChunkId> = self.fresh.iter().copied().collect();
            return all.chunks(1024).try_for_each(each);
        }
        self.spill()?;
        let mut run = Vec::with_capacity(1024);
        for row in self.open()?.iterator(rocksdb::IteratorMode::Start) {
            let (key, _) = row.map_err(failed)?;
            run.extend(ChunkId::from_slice(&key));
            if run.len() == run.capacity() {
                each(&run)?;
                run.clear();
            }
        }
        each(&run)
    }
}

impl Drop for LiveSet {
    fn drop(&mut self) {
        self.db = None;
        // What stays behind is only disk space in a cache.
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn failed(error: rocksdb::Error) -> Error {
    Error::Index(error.into_string())
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
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
