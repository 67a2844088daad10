//! Where the local index is kept: in the cache, in a temporary folder where the cache can't be used, or in memory where
//! nothing can be written at all. Only an index in the cache is there for the next run.

use crate::error::{Error, Result};
use crate::platform::{files, lock, private};
use crate::scratch::ScratchDir;
use rocksdb::Env;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Processes on one machine that can each have an index of their own open at once.
pub(super) const COPIES: usize = 16;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lodging {
    /// A copy that the next run finds again.
    Cache,
    /// A folder in the cache that only this run has.
    Scratch,
    Temporary,
    Memory,
}

/// Room for one process's index.
pub enum Room {
    /// A copy in the cache, held locked.
    Copy {
        dir: PathBuf,
        _lock: File,
    },
    /// Removed when it is dropped.
    Temporary(ScratchDir),
    Memory(Env),
}

impl Lodging {
    pub(crate) fn find(self, cache: &Path) -> Result<Room> {
        match self {
            Lodging::Cache => free_copy(cache),
            Lodging::Scratch => Ok(Room::Temporary(ScratchDir::new(cache)?)),
            Lodging::Temporary => Ok(Room::Temporary(ScratchDir::elsewhere()?)),
            Lodging::Memory => Ok(Room::Memory(Env::mem_env().map_err(super::failed)?)),
        }
    }
}

impl Room {
    /// This process's copy below `cache`, which the next run finds again.
    pub fn cached(cache: &Path) -> Result<Room> {
        Lodging::Cache.find(cache)
    }

    /// The directory on disk; in memory there is none.
    pub(crate) fn dir(&self) -> Option<&Path> {
        match self {
            Room::Copy { dir, .. } => Some(dir),
            Room::Temporary(dir) => Some(dir.path()),
            Room::Memory(_) => None,
        }
    }

    /// Where the database is to be opened. The library makes the directory on disk even where it keeps everything in
    /// memory, so that it must be there, and in memory it finds no files in it.
    pub(crate) fn database(&self) -> &Path {
        self.dir().unwrap_or(Path::new(files::ALWAYS_THERE))
    }

    pub(crate) fn env(&self) -> Option<&Env> {
        match self {
            Room::Memory(env) => Some(env),
            Room::Copy { .. } | Room::Temporary(_) => None,
        }
    }
}

/// The first copy of the index that no other process holds.
fn free_copy(cache: &Path) -> Result<Room> {
    let root = cache.join("index");
    private::create_dir_all(&root).map_err(|e| Error::local("create", &root, e))?;
    for copy in 0..COPIES {
        let path = root.join(format!("{copy}.lock"));
        let file = lock::open(&path).map_err(|e| Error::local("open", &path, e))?;
        if lock::try_lock(&file).map_err(|e| Error::local("lock", &path, e))? {
            return Ok(Room::Copy {
                dir: root.join(copy.to_string()),
                _lock: file,
            });
        }
    }
    Err(Error::Index(format!(
        "{COPIES} other processes use this repository's cache; try again later"
    )))
}
