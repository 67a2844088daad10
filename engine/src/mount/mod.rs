//! Shows snapshots as a file system of this machine, read-only. [`crate::view`] has the tree; each system's way to show it
//! is a file here.

#[cfg(target_os = "linux")]
mod fuse;

use crate::view::tree::SnapshotTree;
use std::io;
use std::path::Path;

/// Why nothing is shown.
#[derive(Debug)]
pub enum MountError {
    /// The system can't show what programs make up, or not to this user.
    NotSupported,
    Refused(io::Error),
}

/// A tree that is shown. Dropping it unmounts it as far as that can be done.
pub struct MountedTree(#[cfg(target_os = "linux")] fuse::Session);

/// Shows the tree in the place of an empty directory: to this user, or also to others as far as recorded permissions let
/// them.
#[cfg(target_os = "linux")]
pub fn mount(tree: SnapshotTree, at: &Path, others: bool) -> Result<MountedTree, MountError> {
    fuse::start(tree, at, others).map(MountedTree)
}

#[cfg(not(target_os = "linux"))]
pub fn mount(_: SnapshotTree, _: &Path, _: bool) -> Result<MountedTree, MountError> {
    Err(MountError::NotSupported)
}

impl MountedTree {
    /// Somebody else unmounted it.
    #[cfg(target_os = "linux")]
    pub fn is_over(&self) -> bool {
        self.0.is_over()
    }

    #[cfg(not(target_os = "linux"))]
    pub fn is_over(&self) -> bool {
        true
    }

    /// Unmounts it; refused while somebody uses it.
    #[cfg(target_os = "linux")]
    pub fn end(self) -> io::Result<()> {
        self.0.end()
    }

    #[cfg(not(target_os = "linux"))]
    pub fn end(self) -> io::Result<()> {
        Ok(())
    }
}
