//! A map on disk for one run: what would otherwise grow in memory. Nothing outlives the run that made it.

use crate::error::{Error, Result};
use crate::id::random;
use rocksdb::{BlockBasedOptions, DB, IteratorMode, Options, WriteBatch, WriteOptions};
use std::path::{Path, PathBuf};

pub struct Scratch {
    /// Opened when first written to: most stay empty.
    db: Option<DB>,
    dir: PathBuf,
}

impl Scratch {
    /// An empty map that goes to a folder of its own below `cache`, removed when dropped. `what` begins its name.
    pub fn new(cache: &Path, what: &str) -> Result<Self> {
        Ok(Scratch {
            db: None,
            dir: cache.join(format!("{what}-{}", hex::encode(random::<8>()?))),
        })
    }

    /// Nothing was ever written.
    pub fn is_unused(&self) -> bool {
        self.db.is_none()
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
            .ok_or_else(|| Error::Index("the map on disk is closed".to_string()))
    }

    pub fn write<V: AsRef<[u8]>>(&mut self, rows: impl IntoIterator<Item = ([u8; 32], V)>) -> Result<()> {
        let mut batch = WriteBatch::default();
        rows.into_iter().for_each(|(key, value)| batch.put(key, value));
        self.open()?.write_opt(batch, &unlogged()).map_err(failed)
    }

    pub fn contains(&self, key: &[u8; 32]) -> Result<bool> {
        match &self.db {
            Some(db) => Ok(db.get_pinned(key).map_err(failed)?.is_some()),
            None => Ok(false),
        }
    }

    /// Takes a value out.
    pub fn take(&mut self, key: &[u8; 32]) -> Result<Option<Vec<u8>>> {
        let Some(db) = &self.db else { return Ok(None) };
        let value = db.get(key).map_err(failed)?;
        if value.is_some() {
            db.delete_opt(key, &unlogged()).map_err(failed)?;
        }
        Ok(value)
    }

    /// Calls `each` with the keys in order.
    pub fn keys(&self, each: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let Some(db) = &self.db else { return Ok(()) };
        db.iterator(IteratorMode::Start).try_for_each(|row| {
            let (key, _) = row.map_err(failed)?;
            each(&key)
        })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.db = None;
        // What stays behind is only disk space in a cache.
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn unlogged() -> WriteOptions {
    let mut options = WriteOptions::default();
    options.disable_wal(true);
    options
}

fn failed(error: rocksdb::Error) -> Error {
    Error::Index(error.into_string())
}
