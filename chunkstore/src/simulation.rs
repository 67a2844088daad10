//! Hooks for simulated storage: random numbers that a seed determines, a protocol that leaves one of its rules out,
//! processes that end while they write a local file, disks that lose what was not synced when the power is cut, databases
//! that stay open, and sources that change under their reader.
//!
//! All of it is behind the feature `simulation`, which only the test kit asks for. Without the feature nothing here
//! does anything: [`left_out`] is the constant `false`, and the compiler drops what hangs on it.
//!
//! The first two hold for one thread, and for the committing thread of a writer that was begun on it.

use std::fs::File;
use std::path::Path;
#[cfg(not(feature = "simulation"))]
use {crate::error::Result, rocksdb::DB, std::sync::Arc};

/// A rule of the protocol in docs/invariants.md, without which data is lost: each must be missed by the tests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rule {
    /// A writer has a session object (I-1).
    Session,
    /// The session is there before the marks are read (I-1).
    SessionFirst,
    /// A writer reads marks before index and packs (I-4).
    MarksFirst,
    /// What a parent refers to is looked up in the view, too (I-4).
    NoTrust,
    /// A session that is taken for dead is fenced first (I-8).
    Fence,
    /// A sweep waits for the sessions that were open (I-7).
    Wait,
    /// A collection reads marks before packs, so that it sees what another one has finished (I-7).
    PacksLast,
    /// A copy in a pack that another collection has condemned is no copy (I-7).
    OthersMarks,
    /// A mark goes after what it condemns (I-5).
    MarkLast,
    /// What comes to a replica has a name that was never there (I-18).
    FreshNames,
    /// That one file of a bundle was moved does not mean that the others were (I-4, I-7).
    EachFile,
}

impl Rule {
    pub const ALL: [Rule; 11] = [
        Rule::Session,
        Rule::SessionFirst,
        Rule::MarksFirst,
        Rule::NoTrust,
        Rule::Fence,
        Rule::Wait,
        Rule::PacksLast,
        Rule::OthersMarks,
        Rule::MarkLast,
        Rule::FreshNames,
        Rule::EachFile,
    ];
}

#[cfg(feature = "simulation")]
mod databases;
#[cfg(feature = "simulation")]
mod power;

#[cfg(feature = "simulation")]
pub(crate) use databases::{close, database};
#[cfg(feature = "simulation")]
pub use databases::{close_below, copy_below, keep_open_below};
#[cfg(feature = "simulation")]
pub use on::*;
#[cfg(feature = "simulation")]
pub(crate) use power::local_step;
#[cfg(feature = "simulation")]
pub use power::{PowerCut, cut_power};

/// Whether a rule is left out: never, outside a simulation.
#[cfg(not(feature = "simulation"))]
#[inline(always)]
pub const fn left_out(_: Rule) -> bool {
    false
}

/// Random bytes by the seed, if there is one: never, outside a simulation.
#[cfg(not(feature = "simulation"))]
#[inline(always)]
pub(crate) fn fill(_: &mut [u8]) -> bool {
    false
}

/// What a thread that works for this one takes over: nothing, outside a simulation.
#[cfg(not(feature = "simulation"))]
#[inline(always)]
pub(crate) fn hand_over() -> impl FnOnce() + Send {
    || {}
}

/// A step of writing a local file (`platform/files.rs`).
#[cfg_attr(not(feature = "simulation"), allow(dead_code))]
#[derive(Clone, Copy, Debug)]
pub(crate) enum LocalStep<'a> {
    /// It was made just now.
    MakeFolder(&'a Path),
    /// All bytes of a new file.
    Write(&'a Path),
    SyncFile(&'a Path),
    /// Gives a file another name, or a second one, in the place of whatever had it.
    Name {
        from: &'a Path,
        to: &'a Path,
    },
    SyncFolder(&'a Path),
}

/// Writes a local file whole by `write`.
#[cfg(not(feature = "simulation"))]
#[inline(always)]
pub(crate) fn local_write(
    _: &Path,
    _: &[u8],
    write: impl FnOnce() -> std::io::Result<()>,
) -> std::io::Result<()> {
    write()
}

/// Takes one step of writing a local file.
#[cfg(not(feature = "simulation"))]
#[inline(always)]
pub(crate) fn local_step(
    _: LocalStep<'_>,
    step: impl FnOnce() -> std::io::Result<()>,
) -> std::io::Result<()> {
    step()
}

/// Opens the database of a directory.
#[cfg(not(feature = "simulation"))]
#[inline(always)]
pub(crate) fn database(dir: &Path, open: impl Fn(&Path) -> Result<DB>) -> Result<Arc<DB>> {
    open(dir).map(Arc::new)
}

/// Called before the files of a database are removed: nothing, outside a simulation.
#[cfg(not(feature = "simulation"))]
#[inline(always)]
pub(crate) fn close(_: &Path) {}

/// Called after a source was read: nothing, outside a simulation.
#[cfg(not(feature = "simulation"))]
#[inline(always)]
pub fn source_was_read(_: &File, _: fn(&File) -> std::io::Result<(u64, u64)>) {}

#[cfg(feature = "simulation")]
mod on {
    use super::{File, Path, Rule};
    use parking_lot::Mutex;
    use std::cell::{Cell, RefCell};
    use std::collections::BTreeSet;
    use std::io;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    use std::time::{Duration, SystemTime};

    /// Files that change each time they are read, by their identity.
    static RESTLESS: Mutex<BTreeSet<(u64, u64)>> = Mutex::new(BTreeSet::new());

    /// From now on a file changes each time a backup reads it, or does so no more.
    pub fn set_restless(identity: (u64, u64), restless: bool) {
        match restless {
            true => RESTLESS.lock().insert(identity),
            false => RESTLESS.lock().remove(&identity),
        };
    }

    pub fn source_was_read(file: &File, identity: fn(&File) -> io::Result<(u64, u64)>) {
        static ROUND: AtomicU64 = AtomicU64::new(1);
        if identity(file).is_ok_and(|file| RESTLESS.lock().contains(&file)) {
            let round = Duration::from_secs(ROUND.fetch_add(1, Ordering::Relaxed));
            // If it can't be changed, the test that asked for it fails.
            let _changed = file.set_modified(SystemTime::UNIX_EPOCH + round);
        }
    }

    /// How a process leaves the local file in whose writing it ends.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub enum Left {
        /// As it was.
        Nothing,
        /// A temporary file that is cut short.
        Temporary,
        /// What was not synced when the power went: the name, and half of the bytes.
        Torn,
        /// All of it.
        All,
    }

    /// A process that ends in one of its writes of local files.
    #[derive(Debug)]
    pub struct LocalEnd {
        at: u64,
        left: Left,
        writes: AtomicU64,
        ended: AtomicBool,
    }

    impl LocalEnd {
        pub fn new(at: u64, left: Left) -> Arc<LocalEnd> {
            Arc::new(LocalEnd {
                at,
                left,
                writes: AtomicU64::new(0),
                ended: AtomicBool::new(false),
            })
        }

        /// Whether the process came to that write, and is no more.
        pub fn ended(&self) -> bool {
            self.ended.load(Ordering::Relaxed)
        }

        fn write(&self, path: &Path, bytes: &[u8], write: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
            let over = || Err(crate::error::Cause::Crashed.into_io(io::ErrorKind::Other));
            if self.ended() {
                return over();
            }
            if self.writes.fetch_add(1, Ordering::Relaxed) != self.at {
                return write();
            }
            self.ended.store(true, Ordering::Relaxed);
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            let temporary = path.with_added_extension("crashed.new");
            let half = &bytes[..bytes.len() / 2];
            match self.left {
                Left::Nothing => {}
                Left::Temporary => std::fs::write(temporary, half)?,
                Left::Torn => {
                    std::fs::write(&temporary, half)?;
                    std::fs::rename(temporary, path)?;
                }
                Left::All => write()?,
            }
            over()
        }
    }

    /// From now on this thread's process ends in a local file, until it is `None`.
    pub fn end_in_local(end: Option<Arc<LocalEnd>>) {
        LOCAL_END.with(|current| *current.borrow_mut() = end);
    }

    pub(crate) fn local_write(
        path: &Path,
        bytes: &[u8],
        write: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        match LOCAL_END.with(|end| end.borrow().clone()) {
            Some(end) => end.write(path, bytes, write),
            None => write(),
        }
    }

    thread_local! {
        static LOCAL_END: RefCell<Option<Arc<LocalEnd>>> = const { RefCell::new(None) };
        static STREAM: RefCell<Option<blake3::OutputReader>> = const { RefCell::new(None) };
        static LEFT_OUT: Cell<Option<Rule>> = const { Cell::new(None) };
    }

    /// From now on this thread's random numbers come from `seed`, until it is `None`.
    pub fn seed(seed: Option<[u8; 32]>) {
        let stream = seed.map(|seed| blake3::Hasher::new_keyed(&seed).finalize_xof());
        STREAM.with(|current| *current.borrow_mut() = stream);
    }

    /// From now on this thread leaves a rule out.
    pub fn leave_out(rule: Option<Rule>) {
        LEFT_OUT.with(|current| current.set(rule));
    }

    pub fn left_out(rule: Rule) -> bool {
        LEFT_OUT.with(|current| current.get() == Some(rule))
    }

    pub(crate) fn fill(bytes: &mut [u8]) -> bool {
        STREAM.with(|stream| {
            let mut stream = stream.borrow_mut();
            stream.as_mut().map(|stream| stream.fill(bytes)).is_some()
        })
    }

    pub(crate) fn hand_over() -> impl FnOnce() + Send {
        let mut next = [0; 32];
        let next = fill(&mut next).then_some(next);
        let rule = LEFT_OUT.with(Cell::get);
        move || {
            seed(next);
            leave_out(rule);
        }
    }
}
