//! How much a repository takes up where it is stored, and what room is left there.

use crate::error::{Result, StoreError};
use crate::platform::space::{self, DiskSpace};
use crate::repo;
use crate::run::RunContext;
use chunkstore::remote::{self, ObjectName};

/// Bytes of all objects of the repository at `location`. Needs no secret.
pub fn used(location: &str, run: &RunContext) -> Result<u64> {
    let remote = run.storage(location)?;
    match remote.size(&ObjectName::config())? {
        Some(_) => Ok(remote::total(&*remote)?),
        None => {
            let location = remote.location();
            Err(StoreError::NoRepository { location }.into())
        }
    }
}

/// The file system that a repository lies on; `None` for one on a network.
pub fn disk_of(location: &str) -> Option<DiskSpace> {
    space::of(repo::local_path(location)?).ok()
}
