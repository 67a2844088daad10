//! The jobs of `cache`: what this machine keeps in order to be fast, and its removal.

use crate::catalogue::Cause;
use crate::context::Context;
use crate::failure::Failure;
use crate::{keys, machine, text};
use engine::cache::{self, Cleared, Folder};
use std::path::PathBuf;

/// What the cache holds.
pub struct InfoReport {
    pub path: PathBuf,
    /// One for each repository.
    pub folders: Vec<Folder>,
}

impl InfoReport {
    pub fn bytes(&self) -> u64 {
        self.folders.iter().map(|folder| folder.bytes).sum()
    }
}

/// What was removed.
pub struct ClearReport {
    pub cleared: Cleared,
    /// Keys that the kernel had kept.
    pub keys_forgotten: usize,
}

impl ClearReport {
    /// Why not all of it was removed.
    pub fn failure(&self) -> Option<Failure> {
        let busy = &self.cleared.busy;
        let caches = || busy.iter().map(|id| text::short(id)).collect();
        (!busy.is_empty()).then(|| Cause::CacheInUse { caches: caches() }.into())
    }
}

pub fn info(context: &Context) -> Result<InfoReport, Failure> {
    let path = machine::cache_dir(&context.env)?;
    let folders = cache::folders(&path)?;
    Ok(InfoReport { path, folders })
}

/// Removes the caches of repositories that no process uses, and keys that the kernel keeps.
pub fn clear(context: &Context) -> Result<ClearReport, Failure> {
    let cleared = cache::clear(&machine::cache_dir(&context.env)?)?;
    let keys_forgotten = keys::forget_kept();
    Ok(ClearReport {
        cleared,
        keys_forgotten,
    })
}
