//! What one run has of its own: a command, or a job of a scheduler beside others in the same process.

pub use chunkstore::cancel::CancelToken;
pub use chunkstore::remote::{Bandwidth, Link};
use std::path::PathBuf;

/// Where local files go: `cache` may be deleted at any moment, `state` should be kept.
#[derive(Clone, Debug)]
pub struct LocalDirs {
    pub cache: PathBuf,
    pub state: PathBuf,
}

/// Passed to whatever opens a repository. Everything that is opened with it obeys its cancel token and shares its
/// bandwidth; two runs in one process have nothing in common but the machine.
#[derive(Clone, Debug)]
pub struct RunContext {
    pub dirs: LocalDirs,
    pub link: Link,
}

impl RunContext {
    /// A run that nobody cancels, with unlimited bandwidth.
    pub fn new(dirs: LocalDirs) -> Self {
        RunContext {
            dirs,
            link: Link::default(),
        }
    }

    pub fn cancel(&self) -> &CancelToken {
        &self.link.cancel
    }
}
