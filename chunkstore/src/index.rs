//! The local chunk index in RocksDB: a hint that can be thrown away at any moment (I-6).
//!
//! It mirrors exactly the index segments of one listing. A segment that is gone, an unknown schema or any error on
//! opening ends in a rebuild from the segments. `chunks` maps a chunk id to its frame, `copies` has its further copies,
//! `packs` maps 8 bytes to what a segment says of a pack, `segments` lists what was ingested, `parts` maps the content
//! hash of a moved file to the bundle that it is in now, and `files` remembers where this machine put small files.
//! An entry whose pack is not in `packs` counts as absent, so no order of lost writes can make a chunk look present
//! when its segment was not read. The key in `packs` is a hash of all that is said of a pack: segments that say
//! different things of one do not get in each other's way.
//!
//! Segments may list packs that are gone: damage, or what a writer or collector wrote late, after it was fenced.
//! Entries in packs that are not there are left out, so that a new reference never rests on them (I-4, I-7), a lost
//! chunk is stored again, and a reader is led to the copy that is there. A pack whose listed size is not that which
//! the index has for it counts as condemned ([`presence`]).

mod add;
mod copies;
mod files;
mod locate;
mod presence;

pub use copies::{Moved, Presence};
pub use presence::{WrongSize, WrongSizes, fingerprint, trace};

pub use crate::dbdir::DatabaseDir;
use crate::dbdir::{COPIES, FILES_LEAST, FILES_MOST, prepare_threads};
use crate::descriptors::{self, Permit};
use crate::error::{Error, IndexFault, Operation, Result};
use crate::families::FAMILIES;
use crate::id::{ChunkId, ContentHash, IndexId, PackId, RepoId};
use crate::indexfile::{IndexEntry, IndexSegment, PackRecord};
use crate::pack::Class;
use crate::place::Place;
use crate::platform::lock;
use crate::simulation;
use crate::smallfile::Part;
use parking_lot::Mutex;
use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamilyDescriptor, DB, Env, Options, SliceTransform, WriteBatch,
};
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

const SCHEMA: &[u8] = b"dedup index 4";
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
    home: DatabaseDir,
    /// Notes on small files that are not in the database yet.
    fresh: Mutex<files::Fresh>,
    /// No segment was ingested yet, so no chunk need be looked up.
    empty: AtomicBool,
    /// Packs whose listed size is not that of the index: readable, but not to be referenced anew.
    wrong: WrongSizes,
    /// The [`fingerprint`] of the packs that were listed.
    seen: Option<u64>,
    /// What the database may keep open.
    _files: Permit,
}

/// The packs of a view that must not be referenced anew.
pub type Condemned = HashSet<PackId>;

impl LocalIndex {
    /// Opens the index there and brings it to exactly the `listed` segments, without what they list in packs
    /// that are not `present`. `progress` is called with (segments done, segments to do).
    pub fn open(
        home: DatabaseDir,
        repo: &RepoId,
        listed: &[IndexId],
        condemned: &Condemned,
        present: Option<&Inventory>,
        load: &mut dyn FnMut(IndexId) -> Result<IndexSegment>,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Self> {
        let listed_set: HashSet<IndexId> = listed.iter().copied().collect();
        let files = descriptors::hold(FILES_LEAST, FILES_MOST);
        let opened = match open_db(&home, repo, files.count()) {
            // What stands there may be sound.
            Err(e @ (Error::TooManyOpen { .. } | Error::Thread(_))) => return Err(e),
            opened => opened.ok(),
        };
        let usable = opened.filter(|db| {
            ingested(db).is_ok_and(|have| have.iter().all(|id| listed_set.contains(id)))
                && present.is_none_or(|present| presence::still_hold(db, present).unwrap_or(false))
        });
        let db = match usable {
            Some(db) => db,
            None => {
                if let Some(dir) = home.dir() {
                    wipe(dir)?;
                }
                open_db(&home, repo, files.count())?
            }
        };
        let mut index = LocalIndex {
            wrong: presence::wrong_sizes(&db)?,
            seen: present.map(fingerprint),
            db,
            home,
            fresh: Mutex::default(),
            empty: AtomicBool::new(false),
            _files: files,
        };
        let have = ingested(&index.db)?;
        index.empty.store(have.is_empty(), Relaxed);
        let missing: Vec<IndexId> = listed.iter().copied().filter(|id| !have.contains(id)).collect();
        for (done, id) in missing.iter().enumerate() {
            progress(done, missing.len());
            let mut segment = load(*id)?;
            index.leave_out_absent(&mut segment, present)?;
            if let Some(present) = present {
                index.note_wrong_sizes(&segment, present)?;
            }
            index.ingest(*id, &segment, condemned)?;
        }
        progress(missing.len(), missing.len());
        Ok(index)
    }

    /// The [`fingerprint`] of the packs that were listed when this was opened.
    pub fn seen(&self) -> Option<u64> {
        self.seen
    }

    /// Whether some of the segments list packs that were not there.
    pub fn lists_absent(&self) -> Result<bool> {
        Ok(!presence::absent(&self.db)?.is_empty())
    }

    /// Adds one segment. Entries in condemned packs never displace others.
    pub fn ingest(&self, id: IndexId, segment: &IndexSegment, condemned: &Condemned) -> Result<()> {
        self.add(
            id,
            segment,
            condemned,
            WriteBatch::default(),
            &presence::absent(&self.db)?,
        )
    }

    /// The same for a segment of packs that were just put: one that was noted as absent is there again.
    pub fn ingest_new(&self, id: IndexId, segment: &IndexSegment, condemned: &Condemned) -> Result<()> {
        let mut noted = presence::absent(&self.db)?;
        let before = noted.len();
        noted.retain(|id| segment.packs.iter().all(|pack| pack.id != *id));
        let mut batch = WriteBatch::default();
        if noted.len() < before {
            let (key, value) = presence::absent_value(&noted);
            batch.put(key, value);
        }
        self.add(id, segment, condemned, batch, &noted)
    }

    fn cf(&self, name: &str) -> Result<&rocksdb::ColumnFamily> {
        self.db
            .cf_handle(name)
            .ok_or(Error::Index(IndexFault::NoColumnFamily))
    }
}

/// Throws away all copies of the index that no process has open: they hold what was read of a segment before it was
/// damaged, and who goes by them does not see the damage.
pub fn discard(cache: &Path) -> Result<()> {
    let root = cache.join("index");
    for copy in 0..COPIES {
        let path = root.join(format!("{copy}.lock"));
        let file = match File::options().write(true).open(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
            file => file.map_err(|e| Error::local(Operation::Open, &path, e))?,
        };
        if lock::try_lock(&file).map_err(|e| Error::local(Operation::Lock, &path, e))? {
            wipe(&root.join(copy.to_string()))?;
        }
    }
    Ok(())
}

fn wipe(dir: &Path) -> Result<()> {
    simulation::close(dir);
    match std::fs::remove_dir_all(dir) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::local(Operation::Remove, dir, e)),
        _ => Ok(()),
    }
}

fn open_db(home: &DatabaseDir, repo: &RepoId, files: usize) -> Result<Arc<DB>> {
    prepare_threads()?;
    let db = simulation::database(home.database(), |dir| open_at(dir, home.env(), files))?;
    let stamp = [SCHEMA, repo.as_bytes()].concat();
    match db.get(b"schema").map_err(failed)? {
        None => db.put(b"schema", &stamp).map_err(failed)?,
        Some(found) if found == stamp => {}
        Some(_) => return Err(Error::Index(IndexFault::OtherSchema)),
    }
    Ok(db)
}

fn open_at(dir: &Path, env: Option<&Env>, files: usize) -> Result<DB> {
    let cache = Cache::new_lru_cache(CACHE_BYTES);
    let mut options = table_options(&cache);
    if let Some(env) = env {
        options.set_env(env);
    }
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_max_open_files(files as i32);
    // Two threads less.
    options.set_stats_dump_period_sec(0);
    options.set_stats_persist_period_sec(0);
    options.set_keep_log_file_num(1);
    options.set_max_background_jobs(2);
    // They are started for each family however few files it has: 16 by default, which takes longer than to open.
    options.set_max_file_opening_threads(1);
    options.set_skip_stats_update_on_db_open(true);
    options.set_db_write_buffer_size(16 << 20);
    options.set_max_total_wal_size(16 << 20);
    options.set_manifest_preallocation_size(64 << 10);
    let families = FAMILIES.map(|name| ColumnFamilyDescriptor::new(name, family_options(name, &cache)));
    DB::open_cf_descriptors(&options, dir, families).map_err(failed)
}

/// What is looked up by the beginning of its key has its filter by that.
fn family_options(name: &str, cache: &Cache) -> Options {
    let mut options = table_options(cache);
    let prefix = match name {
        "copies" => ChunkId::LEN,
        "parts" => ContentHash::LEN,
        _ => return options,
    };
    options.set_prefix_extractor(SliceTransform::create_fixed_prefix(prefix));
    options
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
        .ok_or(Error::Index(IndexFault::NoColumnFamily))?;
    db.iterator_cf(cf, rocksdb::IteratorMode::Start)
        .map(|row| {
            let (key, _) = row.map_err(failed)?;
            IndexId::from_slice(&key).ok_or(Error::Index(IndexFault::Undecodable))
        })
        .collect()
}

/// The key in `packs`.
fn record_key(pack: &PackRecord) -> [u8; 8] {
    let mut key = [0; 8];
    key.copy_from_slice(&blake3::hash(&pack_value(pack)).as_bytes()[..8]);
    key
}

/// The key in `copies` of a chunk's stored entry.
fn copy_key(id: &ChunkId, value: &[u8]) -> Vec<u8> {
    [&id.0[..], value.get(..12).unwrap_or_default()].concat()
}

/// Key and value in `parts` of a moved file in the bundle of this entry.
fn part_row(part: &Part, entry: &IndexEntry, record: &[u8; 8]) -> ([u8; 28], [u8; 40]) {
    let (mut key, mut value) = ([0; 28], [0; 40]);
    key[..16].copy_from_slice(&part.hash.0);
    key[16..24].copy_from_slice(record);
    key[24..].copy_from_slice(&entry.offset.to_le_bytes());
    value[..32].copy_from_slice(&entry.id.0);
    value[32..36].copy_from_slice(&part.offset.to_le_bytes());
    value[36..].copy_from_slice(&part.len.to_le_bytes());
    (key, value)
}

fn entry_value(record: &[u8; 8], entry: &IndexEntry) -> [u8; 23] {
    let mut value = [0; 23];
    value[..8].copy_from_slice(record);
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
    Error::database(error)
}

#[cfg(test)]
mod tests;
