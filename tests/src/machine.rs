//! A machine as the engine sees it: local directories of its own, a name, and a way to a repository that may be
//! shared with others.

use chunkstore::chunker::Bounds;
use chunkstore::config::Config;
use chunkstore::remote::Remote;
use chunkstore::simulation;
use chunkstore::slot::{Cost, Secret};
use chunkstore::store::{NewStore, Store};
use chunkstore::sweep::{Policy, Unused};
use engine::backup::{self, BackupOptions, BackupReport};
use engine::monitor::{Monitor, Phase, Problem, Progress, Quiet};
use engine::prune::{self, PruneSummary};
use engine::repo::Repo;
use engine::run::{LocalDirs, RunContext};
use jiff::{SignedDuration, Timestamp};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use zeroize::Zeroizing;

/// A key file: opens at once, where a password takes most of a second.
pub fn secret() -> Secret {
    Secret::KeyFile(Zeroizing::new([7; 32]))
}

/// Another one, for changes of key.
pub fn other_secret() -> Secret {
    Secret::KeyFile(Zeroizing::new([9; 32]))
}

/// Makes a repository that [`secret`] opens.
pub fn create(remote: &dyn Remote, bounds: Bounds) -> chunkstore::Result<()> {
    Store::create(remote, &new_store(&[(secret(), "test")], bounds)).map(drop)
}

/// Chunks of a few KiB and the smallest packs there can be: much happens with little data.
pub fn create_small(remote: &dyn Remote) -> chunkstore::Result<()> {
    create_small_with(remote, None)
}

/// The same, with parity of so many percent.
pub fn create_small_with(remote: &dyn Remote, parity: Option<u8>) -> chunkstore::Result<()> {
    let bounds = Bounds {
        min: 1 << 10,
        avg: 4 << 10,
        max: 16 << 10,
    };
    let config = Config {
        pack_size: 1 << 20,
        bundle_size: 64 << 10,
        parity,
        ..Config::new(bounds, 1_700_000_000)
    };
    Store::create_with(remote, &new_store(&[(secret(), "test")], bounds), &config).map(drop)
}

fn new_store<'a>(secrets: &'a [(Secret, &'a str)], bounds: Bounds) -> NewStore<'a> {
    NewStore {
        bounds,
        secrets,
        cost: Cost::FLOOR,
        now: 1_700_000_000,
    }
}

pub struct Machine {
    pub host: String,
    threads: usize,
    home: tempfile::TempDir,
}

impl Machine {
    pub fn new(host: &str) -> Self {
        // Many machines live in one process here, each with databases of its own. The program itself is tried with few
        // descriptors elsewhere (`tests/limits.rs`).
        chunkstore::descriptors::raise_limit().unwrap();
        Machine {
            host: host.to_string(),
            threads: 2,
            home: fast_dir(),
        }
    }

    /// A machine whose index stays open between two openings of its repository, and came from a machine before it: opening
    /// one takes most of a short run's time.
    pub fn quick(host: &str) -> Self {
        let machine = Machine::new(host);
        simulation::keep_open_below(machine.home());
        machine
    }

    /// So many threads from now on.
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// What this machine does is never cancelled.
    pub fn run(&self) -> RunContext {
        RunContext {
            host: self.host.clone(),
            user: "tester".to_string(),
            threads: NonZeroUsize::new(self.threads),
            ..RunContext::new(self.dirs())
        }
    }

    pub fn dirs(&self) -> LocalDirs {
        LocalDirs {
            cache: self.home.path().join("cache"),
            state: self.home.path().join("state"),
        }
    }

    /// Another machine with the same local files: the same one, at an earlier moment.
    pub fn copy(&self) -> Self {
        self.copied_to(Machine::new(&self.host))
    }

    /// The same, [`Machine::quick`].
    pub fn quick_copy(&self) -> Self {
        let copy = self.copied_to(Machine::quick(&self.host));
        simulation::copy_below(self.home(), copy.home()).unwrap();
        copy
    }

    fn copied_to(&self, copy: Machine) -> Self {
        copy_dir(self.home.path(), copy.home.path());
        copy
    }

    pub fn open(&self, remote: Arc<dyn Remote>) -> engine::Result<Repo> {
        Repo::open_on(remote, &secret(), &self.run())
    }

    /// The same some seconds from now: by that clock no file is too young to be trusted next time.
    pub fn open_settled(&self, remote: Arc<dyn Remote>) -> engine::Result<Repo> {
        self.open_at(remote, settled_now())
    }

    /// The same at another time than now.
    pub fn open_at(&self, remote: Arc<dyn Remote>, now: Timestamp) -> engine::Result<Repo> {
        Repo::open_on(remote, &secret(), &RunContext { now, ..self.run() })
    }

    /// Opens with whichever of the two secrets fits.
    pub fn open_either(&self, remote: Arc<dyn Remote>) -> engine::Result<Repo> {
        match self.open(remote.clone()) {
            Err(engine::Error::Store(chunkstore::Error::WrongKey)) => {
                Repo::open_on(remote, &other_secret(), &self.run())
            }
            opened => opened,
        }
    }

    /// Deletes the cache, which may be done at any moment.
    pub fn lose_cache(&self) {
        simulation::close_below(self.home(), true);
        remove(&self.dirs().cache);
    }

    /// Forgets what it noted of repositories, before one of them is again as it was: else that counts as lost snapshots.
    pub fn lose_notes(&self) {
        remove(&self.dirs().state.join("repositories"));
    }

    pub fn lose_state(&self) {
        remove(&self.dirs().state);
    }

    /// Makes it so that sessions were first seen here `seconds` before now, by a clock that was or is wrong.
    pub fn shift_first_sights(&self, seconds: i64) {
        let Ok(repositories) = std::fs::read_dir(self.dirs().cache) else {
            return;
        };
        let seen = repositories.flat_map(|entry| std::fs::read_dir(entry.unwrap().path().join("seen")));
        for path in seen.flatten().map(|entry| entry.unwrap().path()) {
            let first = Timestamp::now().as_second() - seconds;
            crate::tree::set_mtime(&path, first, 0);
        }
    }

    pub fn options(&self, sources: &[&Path]) -> BackupOptions {
        BackupOptions {
            level: 1,
            ..BackupOptions::new(sources.iter().map(|path| path.to_path_buf()).collect())
        }
    }

    pub fn backup(&self, remote: Arc<dyn Remote>, source: &Path) -> engine::Result<BackupReport> {
        let repo = self.open(remote)?;
        backup::run(&repo, &self.options(&[source]), None, &Quiet)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        simulation::close_below(self.home.path(), false);
    }
}

/// In memory where there is room for that: databases that live for a second need no disk.
fn fast_dir() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}

/// Forgets everything there is to forget, moves all that is poor, waits for sessions of others as long as `stale`.
pub fn prune(repo: &Repo, stale: Duration) -> engine::Result<PruneSummary> {
    prune_leaving(repo, stale, Unused::Bytes(0))
}

/// The same, but poor packs may stay.
pub fn prune_leaving(repo: &Repo, stale: Duration, max_unused: Unused) -> engine::Result<PruneSummary> {
    let mut options = prune_options(stale);
    options.gc.max_unused = max_unused;
    prune::run(repo, &options, &Quiet)
}

/// What [`prune()`] goes by.
pub fn prune_options(stale: Duration) -> prune::PruneOptions {
    let policy = Policy {
        max_unused: Unused::Bytes(0),
        max_repack: u64::MAX,
    };
    let mut options = prune::PruneOptions::new(policy);
    options.keep_trash = 0;
    options.stale_after = stale;
    options
}

/// Some seconds from now: a backup with this clock takes no file for too young to be trusted next time.
pub fn settled_now() -> Timestamp {
    Timestamp::now() + SignedDuration::from_secs(10)
}

fn remove(dir: &Path) {
    match std::fs::remove_dir_all(dir) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => panic!("{}: {e}", dir.display()),
        _ => {}
    }
}

/// Copies regular files and directories.
pub fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Remembers the problems that are reported to it.
#[derive(Default)]
pub struct Noting {
    problems: Mutex<Vec<Problem>>,
}

impl Noting {
    pub fn problems(&self) -> Vec<Problem> {
        self.problems.lock().unwrap().clone()
    }
}

impl Monitor for Noting {
    fn phase(&self, _: Phase) {}
    fn progress(&self, _: &Progress) {}
    fn current(&self, _: &[u8]) {}
    fn problem(&self, problem: &Problem) {
        self.problems.lock().unwrap().push(problem.clone());
    }
}
