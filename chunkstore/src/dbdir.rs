//! Where a database of this process is kept, such as the local index: in the cache, in a temporary folder if the cache
//! can't be used, or in memory if nothing can be written at all. Only an index in the cache is there for the next run.

use crate::error::{Error, IndexFault, Operation, Result};
use crate::id::random;
use crate::platform::{files, lock, private};
use crate::threads;
use rocksdb::Env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

/// Processes on one machine that can each have an index of their own open at once.
pub(crate) const COPIES: usize = 16;

/// Open files of one database: it needs at least the first number, and more than the second make nothing faster.
pub(crate) const FILES_LEAST: usize = 24;
pub(crate) const FILES_MOST: usize = 512;
/// Threads that the database library starts for the process with the first database. It ends the process if it gets
/// none.
const DB_THREADS: usize = 4;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum DatabasePlace {
    /// A copy that the next run finds again.
    Cache,
    /// A folder in the cache that only this run has.
    Scratch,
    Temporary,
    Memory,
}

/// The place of one process's index.
pub enum DatabaseDir {
    /// A copy in the cache, held locked.
    Copy {
        dir: PathBuf,
        _lock: File,
    },
    /// Removed when it is dropped.
    Temporary(ScratchDir),
    Memory(Env),
}

impl DatabasePlace {
    pub(crate) fn find(self, cache: &Path) -> Result<DatabaseDir> {
        match self {
            DatabasePlace::Cache => free_copy(cache),
            DatabasePlace::Scratch => Ok(DatabaseDir::Temporary(ScratchDir::new(cache)?)),
            DatabasePlace::Temporary => Ok(DatabaseDir::Temporary(ScratchDir::elsewhere()?)),
            DatabasePlace::Memory => Ok(DatabaseDir::Memory(Env::mem_env().map_err(Error::database)?)),
        }
    }
}

impl DatabaseDir {
    /// This process's copy below `cache`, which the next run finds again.
    pub fn cached(cache: &Path) -> Result<DatabaseDir> {
        DatabasePlace::Cache.find(cache)
    }

    /// The directory on disk; in memory there is none.
    pub(crate) fn dir(&self) -> Option<&Path> {
        match self {
            DatabaseDir::Copy { dir, .. } => Some(dir),
            DatabaseDir::Temporary(dir) => Some(dir.path()),
            DatabaseDir::Memory(_) => None,
        }
    }

    /// Where the database is to be opened. The library makes the directory on disk even where it keeps everything in
    /// memory, so that it must be there, and in memory it finds no files in it.
    pub(crate) fn database(&self) -> &Path {
        self.dir().unwrap_or(Path::new(files::ALWAYS_THERE))
    }

    pub(crate) fn env(&self) -> Option<&Env> {
        match self {
            DatabaseDir::Memory(env) => Some(env),
            DatabaseDir::Copy { .. } | DatabaseDir::Temporary(_) => None,
        }
    }
}

/// The first copy of the index that no other process holds.
fn free_copy(cache: &Path) -> Result<DatabaseDir> {
    let root = cache.join("index");
    private::create_dir_all(&root).map_err(|e| Error::local(Operation::Create, &root, e))?;
    for copy in 0..COPIES {
        let path = root.join(format!("{copy}.lock"));
        let file = lock::open(&path).map_err(|e| Error::local(Operation::Open, &path, e))?;
        if lock::try_lock(&file).map_err(|e| Error::local(Operation::Lock, &path, e))? {
            return Ok(DatabaseDir::Copy {
                dir: root.join(copy.to_string()),
                _lock: file,
            });
        }
    }
    Err(Error::Index(IndexFault::AllInUse { copies: COPIES }))
}

/// To be called before a database is opened.
pub(crate) fn prepare_threads() -> Result<()> {
    static STARTED: AtomicBool = AtomicBool::new(false);
    if !STARTED.load(Relaxed) {
        threads::can_spawn(DB_THREADS)?;
        STARTED.store(true, Relaxed);
    }
    Ok(())
}

/// Younger folders may be about to be locked.
const SETTLED: Duration = Duration::from_mins(10);

/// A folder of a run's own, removed when dropped.
pub struct ScratchDir {
    path: PathBuf,
    /// Held as long as the run lives.
    _lock: Option<File>,
}

impl ScratchDir {
    /// Makes one below `cache`, or among the system's temporary files where that can't be.
    pub fn new(cache: &Path) -> Result<Self> {
        ScratchDir::below(cache).or_else(|e| ScratchDir::elsewhere().map_err(|_| e))
    }

    pub(crate) fn elsewhere() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("dedup-{}", hex::encode(random::<8>()?)));
        private::create_dir(&path).map_err(|e| Error::local(Operation::Create, &path, e))?;
        // No other process knows of it.
        Ok(ScratchDir { path, _lock: None })
    }

    pub(crate) fn below(cache: &Path) -> Result<Self> {
        let all = cache.join("scratch");
        sweep(&all);
        let path = all.join(hex::encode(random::<8>()?));
        let made = private::create_dir_all(&all).and_then(|()| private::create_dir(&path));
        made.map_err(|e| Error::local(Operation::Create, &path, e))?;
        let lock = lock::try_lock_folder(&path).map_err(|e| Error::local(Operation::Lock, &path, e))?;
        Ok(ScratchDir { path, _lock: lock })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for ScratchDir {
    fn drop(&mut self) {
        // What stays behind is only disk space in a cache, and the next run's to remove.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Removes folders that no run holds. What can't be removed now may be removed another time.
fn sweep(all: &Path) {
    let Ok(folders) = fs::read_dir(all) else { return };
    for folder in folders.flatten() {
        let made = folder.metadata().and_then(|meta| meta.modified());
        let settled = made.is_ok_and(|made| made.elapsed().is_ok_and(|age| age > SETTLED));
        if settled && matches!(lock::try_lock_folder(&folder.path()), Ok(Some(_))) {
            let _ = fs::remove_dir_all(folder.path());
        }
    }
}
