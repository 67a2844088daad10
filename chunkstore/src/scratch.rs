//! Maps on disk for one run: what would otherwise grow in memory ([`crate::place`] says where they lie).

pub use crate::dbdir::ScratchDir;
use crate::dbdir::{DatabaseDir, DatabasePlace, FILES_LEAST, FILES_MOST, prepare_threads};
use crate::descriptors::{self, Permit};
use crate::error::{Error, IndexFault, Result};
use rocksdb::{BlockBasedOptions, DB, IteratorMode, Options, WriteBatch, WriteOptions};
use std::path::{Path, PathBuf};

/// Where a map may be, each instead of the one before where that has no room for it.
const PLACES: [DatabasePlace; 3] = [
    DatabasePlace::Scratch,
    DatabasePlace::Temporary,
    DatabasePlace::Memory,
];
/// Bytes of keys and values that go to another place together.
const MOVED: usize = 1 << 20;

/// Called with a key and its value.
pub type OnRow<'a> = dyn FnMut(&[u8], &[u8]) -> Result<()> + 'a;

/// A map.
pub struct Scratch {
    /// Opened when first written to: most stay empty. Closed before its folder goes, with what it may keep open.
    db: Option<(DB, DatabaseDir, Permit)>,
    cache: PathBuf,
    /// Places that turned out to have no room.
    full: usize,
}

impl Scratch {
    /// An empty map, which goes to a folder below `cache`; to one among the system's temporary files, or into memory,
    /// where there is no room for it.
    pub fn new(cache: &Path) -> Self {
        Scratch {
            db: None,
            cache: cache.to_path_buf(),
            full: 0,
        }
    }

    /// Nothing was ever written.
    pub fn is_unused(&self) -> bool {
        self.db.is_none()
    }

    fn open(&self) -> Result<(DB, DatabaseDir, Permit)> {
        let place = PLACES.get(self.full).unwrap_or(&DatabasePlace::Memory);
        let home = place.find(&self.cache)?;
        let files = descriptors::hold(FILES_LEAST, FILES_MOST);
        prepare_threads()?;
        let mut table = BlockBasedOptions::default();
        table.set_ribbon_filter(10.0);
        let mut options = Options::default();
        if let Some(env) = home.env() {
            options.set_env(env);
        }
        options.create_if_missing(true);
        options.set_block_based_table_factory(&table);
        options.set_compression_type(rocksdb::DBCompressionType::None);
        options.set_write_buffer_size(8 << 20);
        options.set_keep_log_file_num(1);
        options.set_max_open_files(files.count() as i32);
        options.set_stats_dump_period_sec(0);
        options.set_stats_persist_period_sec(0);
        let db = DB::open(&options, home.database()).map_err(failed)?;
        Ok((db, home, files))
    }

    fn db(&mut self) -> Result<&DB> {
        if self.db.is_none() {
            self.db = Some(self.open()?);
        }
        let db = self.db.as_ref().map(|(db, ..)| db);
        db.ok_or(Error::Index(IndexFault::Closed))
    }

    pub fn write<K: AsRef<[u8]>, V: AsRef<[u8]>>(
        &mut self,
        rows: impl IntoIterator<Item = (K, V)>,
    ) -> Result<()> {
        let mut batch = WriteBatch::default();
        rows.into_iter().for_each(|(key, value)| batch.put(key, value));
        loop {
            let again = WriteBatch::from_data(batch.data());
            let written = self
                .db()
                .and_then(|db| db.write_opt(again, &unlogged()).map_err(failed));
            match written {
                Err(e) if self.may_move_on(&e) => match self.move_on() {
                    Err(e) if !self.may_move_on(&e) => return Err(e),
                    _ => {}
                },
                written => return written,
            }
        }
    }

    fn may_move_on(&self, error: &Error) -> bool {
        error.is_about_room() && self.full + 1 < PLACES.len()
    }

    /// Goes on at the next place, with all that is here: what was written can be read, also where there is no more room.
    fn move_on(&mut self) -> Result<()> {
        self.full += 1;
        let Some((old, ..)) = &self.db else { return Ok(()) };
        let new = self.open()?;
        let mut batch = WriteBatch::default();
        for row in old.iterator(IteratorMode::Start) {
            let (key, value) = row.map_err(failed)?;
            batch.put(key, value);
            if batch.size_in_bytes() > MOVED {
                new.0
                    .write_opt(std::mem::take(&mut batch), &unlogged())
                    .map_err(failed)?;
            }
        }
        new.0.write_opt(batch, &unlogged()).map_err(failed)?;
        self.db = Some(new);
        Ok(())
    }

    pub fn contains(&self, key: &[u8]) -> Result<bool> {
        match &self.db {
            Some((db, ..)) => Ok(db.get_pinned(key).map_err(failed)?.is_some()),
            None => Ok(false),
        }
    }

    /// Whether a key begins with `prefix`.
    pub fn any_with(&self, prefix: &[u8]) -> Result<bool> {
        let Some((db, ..)) = &self.db else {
            return Ok(false);
        };
        let mut from = db.iterator(IteratorMode::From(prefix, rocksdb::Direction::Forward));
        let next = from.next().transpose().map_err(failed)?;
        Ok(next.is_some_and(|(key, _)| key.starts_with(prefix)))
    }

    /// The value of a key.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let Some((db, ..)) = &self.db else { return Ok(None) };
        db.get(key).map_err(failed)
    }

    /// Takes a value out.
    pub fn take(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let Some((db, ..)) = &self.db else { return Ok(None) };
        let value = db.get(key).map_err(failed)?;
        if value.is_some() {
            db.delete_opt(key, &unlogged()).map_err(failed)?;
        }
        Ok(value)
    }

    /// Calls `each` with the keys in order.
    pub fn keys(&self, each: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        self.keys_with(&[], each)
    }

    /// Calls `each` with the keys in order, and their values.
    pub fn rows(&self, each: &mut OnRow<'_>) -> Result<()> {
        let Some((db, ..)) = &self.db else { return Ok(()) };
        for row in db.iterator(IteratorMode::Start) {
            let (key, value) = row.map_err(failed)?;
            each(&key, &value)?;
        }
        Ok(())
    }

    /// Calls `each` with the keys that begin with `prefix`, in order.
    pub fn keys_with(&self, prefix: &[u8], each: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let Some((db, ..)) = &self.db else { return Ok(()) };
        for row in db.iterator(IteratorMode::From(prefix, rocksdb::Direction::Forward)) {
            let (key, _) = row.map_err(failed)?;
            if !key.starts_with(prefix) {
                break;
            }
            each(&key)?;
        }
        Ok(())
    }
}

fn unlogged() -> WriteOptions {
    let mut options = WriteOptions::default();
    options.disable_wal(true);
    options
}

fn failed(error: rocksdb::Error) -> Error {
    Error::database(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};

    #[test]
    fn a_map_for_one_run() {
        let cache = tempfile::tempdir().unwrap();
        let mut map = Scratch::new(cache.path());
        assert!(map.is_unused() && map.take(&[1; 32]).unwrap().is_none());
        map.write([([1; 32], b"one"), ([2; 32], b"two")]).unwrap();
        assert!(!map.is_unused() && map.contains(&[1; 32]).unwrap());
        assert_eq!(map.take(&[1; 32]).unwrap().unwrap(), b"one");
        assert!(map.take(&[1; 32]).unwrap().is_none());
        let mut keys = Vec::new();
        map.keys(&mut |key| {
            keys.push(key[0]);
            Ok(())
        })
        .unwrap();
        assert_eq!(keys, [2]);
        drop(map);
        assert_eq!(fs::read_dir(cache.path().join("scratch")).unwrap().count(), 0);
    }

    /// Where there is no room any more, all that was written goes on elsewhere.
    #[test]
    fn a_map_moves_on_with_all_it_has() {
        let cache = tempfile::tempdir().unwrap();
        let mut map = Scratch::new(cache.path());
        let row = |n: u32| (n.to_le_bytes(), vec![n as u8; 1000]);
        let mut written = 0;
        for places in 1..=PLACES.len() {
            map.write((written..written + 3000).map(row)).unwrap();
            written += 3000;
            let (_, home, _) = map.db.as_ref().unwrap();
            assert_eq!(home.dir().is_some(), places < PLACES.len());
            for n in (0..written).step_by(97) {
                assert_eq!(map.get(&row(n).0).unwrap(), Some(row(n).1), "{places}");
            }
            let full = Error::NoSpace { object: "x".into() };
            assert_eq!(map.may_move_on(&full), places < PLACES.len());
            if places < PLACES.len() {
                map.move_on().unwrap();
            }
        }
        let left = fs::read_dir(cache.path().join("scratch")).unwrap().count();
        assert_eq!(left, 0, "what it left is removed");
    }

    #[test]
    fn what_a_killed_run_left_goes_and_what_a_run_has_stays() {
        let cache = tempfile::tempdir().unwrap();
        let left = cache.path().join("scratch/left");
        fs::create_dir_all(&left).unwrap();
        let held = ScratchDir::new(cache.path()).unwrap();
        for dir in [&left, held.path()] {
            let long_ago = fs::FileTimes::new().set_modified(std::time::UNIX_EPOCH);
            File::open(dir).unwrap().set_times(long_ago).unwrap();
        }
        let young = cache.path().join("scratch/young");
        fs::create_dir(&young).unwrap();
        let _next = ScratchDir::new(cache.path()).unwrap();
        assert!(!left.exists() && held.path().exists() && young.exists());
    }
}
