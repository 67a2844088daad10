//! Writing to disk what a restore has written so far, before it gets its names.

use super::fault::Fault;
use super::job::Finished;
use super::shared::Shared;
use crate::error::{Error, Result};
use chunkstore::error::Operation;
use std::collections::BTreeSet;
use std::io;

impl Shared<'_> {
    /// Writes these files to disk: all of each file system that they are on. Gives the file systems of which none of their
    /// directories can be reached any more.
    pub fn sync(&self, finished: &[Finished]) -> Result<BTreeSet<u64>> {
        let mut devices = self.devices.lock();
        let mut used = BTreeSet::new();
        for Finished { job, id } in finished {
            used.insert(id.dev);
            if devices.contains_key(&id.dev) {
                continue;
            }
            match self.dir(&job.dir) {
                Ok(dir) => drop(devices.insert(id.dev, dir)),
                Err(Fault::Fatal(e)) => return Err(e),
                // It was moved away meanwhile; the next one may not have been.
                Err(_) => {}
            }
        }
        let mut unreached = BTreeSet::new();
        for device in used {
            match devices.get(&device) {
                Some(dir) => dir.sync_fs().map_err(|source| self.not_on_disk(source))?,
                None => drop(unreached.insert(device)),
            }
        }
        Ok(unreached)
    }

    /// The same for all that this run has written to.
    pub fn sync_all(&self) -> Result<()> {
        let devices = self.devices.lock();
        let roots = self.target().map(|target| target.root());
        for dir in devices.values().chain(roots) {
            dir.sync_fs().map_err(|source| self.not_on_disk(source))?;
        }
        Ok(())
    }

    pub fn not_on_disk(&self, source: io::Error) -> Error {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                chunkstore::Error::local(Operation::SyncRestored, &self.options.target, source).into()
            }
            _ => Error::io(Operation::SyncRestored, &self.options.target, source),
        }
    }
}
