//! What one run has of its own: a command, or a job of a scheduler beside others in the same process.

pub use crate::cpu::CpuShare;
pub use chunkstore::cancel::CancelToken;
use chunkstore::remote::{self, Remote};
pub use chunkstore::remote::{Bandwidth, Link};
use jiff::Timestamp;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where local files go: `cache` may be deleted at any moment, `state` should be kept.
#[derive(Clone, Debug)]
pub struct LocalDirs {
    /// Copies of what is in repositories, which save requests. May be deleted at any moment.
    pub cache: PathBuf,
    /// The machine's id and its notes on repositories, which should be kept.
    pub state: PathBuf,
}

impl LocalDirs {
    /// Both below one directory, for a program that keeps them for itself.
    pub fn below(dir: impl AsRef<Path>) -> LocalDirs {
        LocalDirs {
            cache: dir.as_ref().join("cache"),
            state: dir.as_ref().join("state"),
        }
    }
}

/// Passed to whatever opens a repository. Everything that is opened with it obeys its cancel token and shares its
/// bandwidth; two runs in one process have nothing in common but the machine.
#[derive(Clone, Debug)]
pub struct RunContext {
    /// Where local files go.
    pub dirs: LocalDirs,
    /// The cancel token of the run, and its bandwidth.
    pub link: Link,
    /// This machine's name in snapshots and sessions.
    pub host: String,
    /// The name of the user in snapshots.
    pub user: String,
    /// The start of the run, as this machine's clock has it: shown to people, and never what safety depends on.
    pub now: Timestamp,
    /// Threads that work side by side at most; without a number, as many as suit the machine and the storage.
    pub threads: Option<NonZeroUsize>,
    /// How much of the processors it may use.
    pub cpu: CpuShare,
}

impl RunContext {
    /// A run that is never cancelled, with unlimited bandwidth.
    pub fn new(dirs: LocalDirs) -> Self {
        RunContext {
            dirs,
            link: Link::default(),
            host: String::new(),
            user: String::new(),
            now: Timestamp::now(),
            threads: None,
            cpu: CpuShare::default(),
        }
    }

    /// The start of the run in seconds since 1970.
    pub fn now_secs(&self) -> i64 {
        self.now.as_second()
    }

    /// Threads for work that more processors than `most` would not make quicker.
    pub fn threads(&self, most: usize) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, |n| n.get().min(most));
        self.threads.map_or_else(cores, NonZeroUsize::get)
    }

    /// The same run for a part of it, which can be cancelled alone.
    pub fn part(&self) -> RunContext {
        let cancel = self.cancel().child();
        RunContext {
            link: Link {
                cancel,
                ..self.link.clone()
            },
            ..self.clone()
        }
    }

    /// Between two steps of work on local files: rests for as long as more than the share of the processors was used. What
    /// works on storage rests before each request ([`RunContext::storage`]).
    pub fn rest(&self) {
        self.cpu.rest(self.cancel());
    }

    /// The storage at a location, as this run uses it: with its bandwidth and quotas, and its share of the processors.
    pub(crate) fn storage(&self, location: &str) -> chunkstore::Result<Arc<dyn Remote>> {
        Ok(self.resting(remote::open(location, &self.link)?))
    }

    /// The same storage, whose requests wait until there is time left of the share of the processors.
    pub(crate) fn resting(&self, remote: Arc<dyn Remote>) -> Arc<dyn Remote> {
        let (cpu, cancel) = (self.cpu.clone(), self.cancel().clone());
        remote::resting(remote, Box::new(move || cpu.rest(&cancel)))
    }

    /// Ends everything that was opened with this run, at its next safe point.
    pub fn cancel(&self) -> &CancelToken {
        &self.link.cancel
    }
}
