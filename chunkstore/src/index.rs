//! The local chunk index in RocksDB: a hint that can be thrown away at any moment (I-6).
//!
//! It mirrors exactly the index segments of one listing. A segment that is gone, an unknown schema or any error on
//! opening ends in a rebuild from the segments. `chunks` maps a chunk id to its frame, `packs` the first 8 bytes of
//! a pack's id to the pack, `segments` lists what was ingested, `files` maps small files' content hashes to the
//! bundle that holds them. An entry whose pack is not in `packs` counts as absent, so no order of lost writes can
//! make a chunk look present when its segment was not read.
//!
//! Segments may list packs that are gone: damage, or what a writer or collector wrote late, after it was fenced.
//! Entries in packs that are not there are left out, so that a new reference never rests on them (I-4, I-7), a lost
//! chunk is stored again, and a reader is led to the copy that is there.

mod files;
mod locate;

use crate::error::{Error, Result};
use crate::id::{ChunkId, IndexId, PackId, RepoId};
use crate::indexfile::{IndexEntry, IndexSegment, PackRecord};
use crate::pack::Class;
use crate::place::Place;
use crate::simulation;
use parking_lot::Mutex;
use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamilyDescriptor, DB, IngestExternalFileOptions, Options, SstFileWriter,
    WriteBatch,
};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const SCHEMA: &[u8] = b"dedup index 2";
/// Key of the packs that were left out, sorted ids one after the other.
const ABSENT: &[u8] = b"absent";
/// Processes on one machine that can each have an index of their own open at once.
const COPIES: usize = 16;
/// Segments from this size on are ingested as one sorted file.
const BULK: usize = 4096;
const CACHE_BYTES: usize = 24 << 20;

/// Where a chunk is, with what reading and checking it needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Located {
    pub place: Place,
    pub class: Class,
}

/// A small file's bytes inside a bundle.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KnownFile {
    pub bundle: ChunkId,
    pub offset: u32,
    pub len: u32,
}

/// Names of the packs that are there, listed after the view was read, and their sizes.
pub type Inventory = HashMap<PackId, u64>;

pub struct LocalIndex {
    db: Arc<DB>,
    dir: PathBuf,
    /// Notes on small files that are not in the database yet.
    fresh: Mutex<files::Fresh>,
    /// Held locked while this process uses the directory.
    _lock: File,
}

/// The packs of a view that must not be referenced anew.
pub type Condemned = HashSet<PackId>;

impl LocalIndex {
    /// Opens this process's copy below `cache` and brings it to exactly the `listed` segments, without what they list in
    /// packs that are not `present`. `progress` is told (segments done, segments to do).
    pub fn open(
        cache: &Path,
        repo: &RepoId,
        listed: &[IndexId],
        condemned: &Condemned,
        present: Option<&Inventory>,
        load: &mut dyn FnMut(IndexId) -> Result<IndexSegment>,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Self> {
        let (dir, lock) = free_copy(cache)?;
        let listed_set: HashSet<IndexId> = listed.iter().copied().collect();
        let usable = open_db(&dir, repo).ok().filter(|db| {
            ingested(db).is_ok_and(|have| have.iter().all(|id| listed_set.contains(id)))
                && present.is_none_or(|present| absent_still_holds(db, present).unwrap_or(false))
        });
        let db = match usable {
            Some(db) => db,
            None => {
                wipe(&dir)?;
                open_db(&dir, repo)?
            }
        };
        let index = LocalIndex {
            db,
            dir,
            fresh: Mutex::default(),
            _lock: lock,
        };
        let have = ingested(&index.db)?;
        let missing: Vec<IndexId> = listed.iter().copied().filter(|id| !have.contains(id)).collect();
        for (done, id) in missing.iter().enumerate() {
            progress(done, missing.len());
            let mut segment = load(*id)?;
            index.leave_out_absent(&mut segment, present)?;
            index.ingest(*id, &segment, condemned)?;
        }
        progress(missing.len(), missing.len());
        Ok(index)
    }

    /// Drops entries in packs that are not there, and notes the packs: should one come back, the index is rebuilt.
    fn leave_out_absent(&self, segment: &mut IndexSegment, present: Option<&Inventory>) -> Result<()> {
        let mut noted = absent(&self.db)?;
        let is_gone = |pack: &PackRecord| match present {
            Some(present) => !present.contains_key(&pack.id),
            None => noted.contains(&pack.id),
        };
        let gone: Vec<bool> = segment.packs.iter().map(is_gone).collect();
        if !gone.contains(&true) {
            return Ok(());
        }
        let packs = segment.packs.iter().zip(&gone);
        noted.extend(packs.filter(|(_, gone)| **gone).map(|(pack, _)| pack.id));
        let value: Vec<u8> = noted.iter().flat_map(|id| id.0).collect();
        self.db.put(ABSENT, value).map_err(failed)?;
        segment.entries.retain(|entry| !gone[entry.pack as usize]);
        Ok(())
    }

    /// Adds one segment. Entries in condemned packs never displace others.
    pub fn ingest(&self, id: IndexId, segment: &IndexSegment, condemned: &Condemned) -> Result<()> {
        self.add(id, segment, condemned, WriteBatch::default(), &absent(&self.db)?)
    }

    /// The same for a segment of packs that were just put: one that was noted as absent is there again.
    pub fn ingest_new(&self, id: IndexId, segment: &IndexSegment, condemned: &Condemned) -> Result<()> {
        let mut noted = absent(&self.db)?;
        let before = noted.len();
        noted.retain(|id| segment.packs.iter().all(|pack| pack.id != *id));
        let mut batch = WriteBatch::default();
        if noted.len() < before {
            let value: Vec<u8> = noted.iter().flat_map(|id| id.0).collect();
            batch.put(ABSENT, value);
        }
        self.add(id, segment, condemned, batch, &noted)
    }

    fn add(
        &self,
        id: IndexId,
        segment: &IndexSegment,
        condemned: &Condemned,
        mut batch: WriteBatch,
        absent: &BTreeSet<PackId>,
    ) -> Result<()> {
        let good = |entry: &&IndexEntry| !condemned.contains(&segment.packs[entry.pack as usize].id);
        let (fresh, doomed): (Vec<&IndexEntry>, Vec<&IndexEntry>) = segment.entries.iter().partition(good);
        if fresh.len() >= BULK {
            self.ingest_sorted(id, segment, &fresh)?;
        }
        let chunks = self.cf("chunks")?;
        if fresh.len() < BULK {
            fresh
                .iter()
                .for_each(|entry| batch.put_cf(chunks, entry.id.0, entry_value(segment, entry)));
        }
        for entry in doomed {
            if self
                .db
                .get_pinned_cf(chunks, entry.id.0)
                .map_err(failed)?
                .is_none()
            {
                batch.put_cf(chunks, entry.id.0, entry_value(segment, entry));
            }
        }
        for pack in segment.packs.iter().filter(|pack| !absent.contains(&pack.id)) {
            batch.put_cf(self.cf("packs")?, short(&pack.id), pack_value(pack));
        }
        batch.put_cf(
            self.cf("segments")?,
            id.0,
            (segment.entries.len() as u64).to_le_bytes(),
        );
        self.db.write(batch).map_err(failed)
    }

    fn ingest_sorted(&self, id: IndexId, segment: &IndexSegment, entries: &[&IndexEntry]) -> Result<()> {
        let path = self.dir.join(format!("{}.sst", &id.to_hex()[..16]));
        let options = table_options(&Cache::new_lru_cache(1 << 20));
        let mut writer = SstFileWriter::create(&options);
        writer.open(&path).map_err(failed)?;
        let mut last = None;
        for entry in entries {
            // The same chunk in two packs: any copy will do, and a sorted file takes each key once.
            if last.replace(entry.id) != Some(entry.id) {
                writer
                    .put(entry.id.0, entry_value(segment, entry))
                    .map_err(failed)?;
            }
        }
        writer.finish().map_err(failed)?;
        let mut options = IngestExternalFileOptions::default();
        options.set_move_files(true);
        self.db
            .ingest_external_file_cf_opts(self.cf("chunks")?, &options, vec![path])
            .map_err(failed)
    }

    fn cf(&self, name: &str) -> Result<&rocksdb::ColumnFamily> {
        self.db
            .cf_handle(name)
            .ok_or_else(|| Error::Index(format!("no column family {name}")))
    }

    /// Whether a chunk is present, in a pack that may be referenced anew.
    pub fn contains(&self, id: &ChunkId, condemned: &Condemned) -> Result<bool> {
        if condemned.is_empty() {
            let Some(value) = self.db.get_pinned_cf(self.cf("chunks")?, id.0).map_err(failed)? else {
                return Ok(false);
            };
            return Ok(value.get(..8).is_some() && self.pack(&value[..8])?.is_some());
        }
        Ok(self
            .locate(id)?
            .is_some_and(|located| !condemned.contains(&located.place.pack)))
    }
}

/// Throws away all copies of the index that nobody has open: they hold what was read of a segment before it was damaged,
/// and who goes by them does not see the damage.
pub fn discard(cache: &Path) -> Result<()> {
    let root = cache.join("index");
    for copy in 0..COPIES {
        let path = root.join(format!("{copy}.lock"));
        let lock = match File::options().write(true).open(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
            lock => lock.map_err(|e| Error::local("open", &path, e))?,
        };
        match rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => wipe(&root.join(copy.to_string()))?,
            Err(rustix::io::Errno::WOULDBLOCK) => {}
            Err(e) => return Err(Error::local("lock", &path, e.into())),
        }
    }
    Ok(())
}

/// The first copy of the index that no other process holds.
fn free_copy(cache: &Path) -> Result<(PathBuf, File)> {
    let root = cache.join("index");
    std::fs::create_dir_all(&root).map_err(|e| Error::local("create", &root, e))?;
    for copy in 0..COPIES {
        let path = root.join(format!("{copy}.lock"));
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path);
        let lock = lock.map_err(|e| Error::local("open", &path, e))?;
        match rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok((root.join(copy.to_string()), lock)),
            Err(rustix::io::Errno::WOULDBLOCK) => continue,
            Err(e) => return Err(Error::local("lock", &path, e.into())),
        }
    }
    Err(Error::Index(format!(
        "{COPIES} other processes use this repository's cache; try again later"
    )))
}

fn wipe(dir: &Path) -> Result<()> {
    simulation::close(dir);
    match std::fs::remove_dir_all(dir) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::local("remove", dir, e)),
        _ => Ok(()),
    }
}

fn open_db(dir: &Path, repo: &RepoId) -> Result<Arc<DB>> {
    if let Some(db) = simulation::still_open(dir) {
        return Ok(db);
    }
    let cache = Cache::new_lru_cache(CACHE_BYTES);
    let mut options = table_options(&cache);
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_max_open_files(512);
    options.set_keep_log_file_num(1);
    options.set_max_background_jobs(2);
    // They are started for each family however few files it has: 16 by default, which takes longer than to open.
    options.set_max_file_opening_threads(1);
    options.set_skip_stats_update_on_db_open(true);
    options.set_db_write_buffer_size(16 << 20);
    options.set_max_total_wal_size(16 << 20);
    options.set_manifest_preallocation_size(64 << 10);
    let families = ["default", "chunks", "packs", "segments", "files"]
        .map(|name| ColumnFamilyDescriptor::new(name, table_options(&cache)));
    let db = Arc::new(DB::open_cf_descriptors(&options, dir, families).map_err(failed)?);
    let stamp = [SCHEMA, repo.as_bytes()].concat();
    match db.get(b"schema").map_err(failed)? {
        None => db.put(b"schema", &stamp).map_err(failed)?,
        Some(found) if found == stamp => {}
        Some(_) => return Err(Error::Index("another schema or repository".to_string())),
    }
    simulation::keep_open(dir, &db);
    Ok(db)
}

fn table_options(cache: &Cache) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_size(8 << 10);
    table.set_format_version(6);
    table.set_ribbon_filter(10.0);
    table.set_whole_key_filtering(true);
    table.set_index_type(rocksdb::BlockBasedIndexType::TwoLevelIndexSearch);
    table.set_partition_filters(true);
    table.set_metadata_block_size(4096);
    table.set_block_cache(cache);
    table.set_cache_index_and_filter_blocks(true);
    table.set_cache_index_and_filter_blocks_with_high_priority(true);
    table.set_pin_top_level_index_and_filter(true);
    table.set_data_block_index_type(rocksdb::DataBlockIndexType::BinaryAndHash);
    table.set_data_block_hash_ratio(0.75);
    let mut options = Options::default();
    options.set_block_based_table_factory(&table);
    // Keys are random and values small: nothing compresses.
    options.set_compression_type(rocksdb::DBCompressionType::None);
    options.set_write_buffer_size(4 << 20);
    options.set_level_compaction_dynamic_level_bytes(true);
    options
}

fn ingested(db: &DB) -> Result<HashSet<IndexId>> {
    let cf = db
        .cf_handle("segments")
        .ok_or_else(|| Error::Index("no column family segments".to_string()))?;
    db.iterator_cf(cf, rocksdb::IteratorMode::Start)
        .map(|row| {
            let (key, _) = row.map_err(failed)?;
            IndexId::from_slice(&key).ok_or_else(|| Error::Index("a key of wrong length".to_string()))
        })
        .collect()
}

/// Packs that segments list and that were not there when they were ingested.
fn absent(db: &DB) -> Result<BTreeSet<PackId>> {
    let value = db.get(ABSENT).map_err(failed)?.unwrap_or_default();
    Ok(value
        .chunks_exact(PackId::LEN)
        .filter_map(PackId::from_slice)
        .collect())
}

/// Whether exactly the packs that were absent are absent now.
fn absent_still_holds(db: &DB, present: &Inventory) -> Result<bool> {
    if absent(db)?.iter().any(|id| present.contains_key(id)) {
        return Ok(false);
    }
    let cf = db
        .cf_handle("packs")
        .ok_or_else(|| Error::Index("no column family packs".to_string()))?;
    for row in db.iterator_cf(cf, rocksdb::IteratorMode::Start) {
        let (_, value) = row.map_err(failed)?;
        let id = value.get(..PackId::LEN).and_then(PackId::from_slice);
        if id.is_none_or(|id| !present.contains_key(&id)) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn short(pack: &PackId) -> [u8; 8] {
    let mut short = [0; 8];
    short.copy_from_slice(&pack.0[..8]);
    short
}

fn entry_value(segment: &IndexSegment, entry: &IndexEntry) -> [u8; 23] {
    let mut value = [0; 23];
    value[..8].copy_from_slice(&short(&segment.packs[entry.pack as usize].id));
    value[8..12].copy_from_slice(&entry.offset.to_le_bytes());
    value[12..16].copy_from_slice(&entry.stored_len.to_le_bytes());
    value[16..20].copy_from_slice(&entry.plain_len.to_le_bytes());
    value[20] = entry.codec as u8;
    value[21..].copy_from_slice(&entry.key.to_le_bytes());
    value
}

fn pack_value(pack: &PackRecord) -> Vec<u8> {
    let mut value = pack.id.0.to_vec();
    value.push(pack.class as u8);
    value.extend_from_slice(&pack.size.to_le_bytes());
    pack.sealed_keys
        .iter()
        .for_each(|key| value.extend_from_slice(key.as_bytes()));
    value
}

fn failed(error: rocksdb::Error) -> Error {
    Error::Index(error.into_string())
}

#[cfg(test)]
mod tests;
