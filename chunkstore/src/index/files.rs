//! Where small files' content was put before. New notes gather in memory and go to the database as one sorted file:
//! inserting each by itself took a thirtieth of a whole backup. Losing them costs an upload and nothing else (I-6).

use super::{KnownFile, LocalIndex, failed, table_options};
use crate::error::Result;
use crate::id::{ChunkId, ContentHash};
use crate::varint::Bytes;
use rocksdb::{Cache, IngestExternalFileOptions, SstFileWriter};
use std::collections::HashMap;

/// Notes in memory at most, some 5 MiB.
const FRESH_MAX: usize = 64 << 10;

pub(super) type Fresh = HashMap<ContentHash, KnownFile>;

impl LocalIndex {
    /// Where bytes with this hash were put before. The bundle may be gone: the caller checks that it is present.
    pub fn known_files(&self, sorted: &[ContentHash]) -> Result<Vec<Option<KnownFile>>> {
        let mut known: Vec<Option<KnownFile>> = {
            let fresh = self.fresh.lock();
            sorted.iter().map(|hash| fresh.get(hash).copied()).collect()
        };
        let older: Vec<usize> = (0..sorted.len()).filter(|at| known[*at].is_none()).collect();
        let keys = older.iter().map(|at| &sorted[*at].0);
        let values = self.db.batched_multi_get_cf(self.cf("files")?, keys, true);
        for (at, value) in older.iter().zip(values) {
            known[*at] = value.map_err(failed)?.and_then(|value| decode(&value));
        }
        Ok(known)
    }

    pub fn remember_files(&self, files: &[(ContentHash, KnownFile)]) -> Result<()> {
        let full = {
            let mut fresh = self.fresh.lock();
            fresh.extend(files.iter().copied());
            match fresh.len() < FRESH_MAX {
                true => return Ok(()),
                false => std::mem::take(&mut *fresh),
            }
        };
        self.keep(full)
    }

    /// Writes what is only in memory.
    pub fn flush(&self) -> Result<()> {
        let fresh = std::mem::take(&mut *self.fresh.lock());
        self.keep(fresh)
    }

    fn keep(&self, fresh: Fresh) -> Result<()> {
        // Notes on small files are for the next run, which finds nothing of what is in memory.
        let Some(dir) = self.home.dir().filter(|_| !fresh.is_empty()) else {
            return Ok(());
        };
        let mut files: Vec<(ContentHash, KnownFile)> = fresh.into_iter().collect();
        files.sort_unstable_by_key(|(hash, _)| hash.0);
        let path = dir.join(format!("files-{}.sst", hex::encode(&files[0].0.0[..8])));
        let options = table_options(&Cache::new_lru_cache(1 << 20));
        let mut table = SstFileWriter::create(&options);
        table.open(&path).map_err(failed)?;
        for (hash, file) in &files {
            table.put(hash.0, encode(file)).map_err(failed)?;
        }
        table.finish().map_err(failed)?;
        let mut options = IngestExternalFileOptions::default();
        options.set_move_files(true);
        self.db
            .ingest_external_file_cf_opts(self.cf("files")?, &options, vec![path])
            .map_err(failed)
    }
}

impl Drop for LocalIndex {
    fn drop(&mut self) {
        // A hint: the next run just reads and stores these once more.
        let _ = self.flush();
    }
}

fn encode(file: &KnownFile) -> [u8; 40] {
    let mut value = [0; 40];
    value[..32].copy_from_slice(&file.bundle.0);
    value[32..36].copy_from_slice(&file.offset.to_le_bytes());
    value[36..].copy_from_slice(&file.len.to_le_bytes());
    value
}

fn decode(value: &[u8]) -> Option<KnownFile> {
    let mut bytes = Bytes(value);
    let bundle = ChunkId(bytes.array().ok()?);
    Some(KnownFile {
        bundle,
        offset: bytes.u32().ok()?,
        len: bytes.u32().ok()?,
    })
}
