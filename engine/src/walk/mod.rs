//! Lists the sources as one ordered tree of metadata, read ahead by helper threads.
//!
//! Downstream: backup, which merges the batches with the parent generation. Upstream: `filter` (what is left out),
//! `fsmeta` (how to ask the system). Keeps I-12: nothing that could not be read goes unsaid, and no short listing
//! looks like a complete one.
//!
//! Order: the whole listing of a directory, by byte order of names, then its directories in that order, each with all
//! beneath it. Directories so come in the order of [`cmp_dirs`](crate::entry::cmp_dirs).

mod excluding;
mod grafts;
mod list;
mod node;
mod placeholders;
mod queue;
mod sources;
mod step;
#[cfg(test)]
mod tests;

pub use grafts::Grafts;
pub use node::{DirHandle, Lent};
pub use placeholders::Placeholders;
pub(crate) use sources::check_sources;
pub use sources::{LeftOut, Sources};

use crate::entry::{DirPath, Kind, Meta, Trouble};
use crate::error::{Error, Result};
use crate::filter::{DirRules, ExcludeRule, Exclusion, Filter, RuleHits};
use crate::fsmeta::{Blank, stat_path};
use chunkstore::error::Operation;
use chunkstore::threads;
use list::{Lister, Scratch};
use node::{Handles, Node, Way};
use parking_lot::{Condvar, Mutex};
use queue::{Queue, Top};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use step::{Visit, Work};

/// The folder in which snapshots of a file system are while a backup reads them. It is never backed up.
pub const SNAPSHOTS_FOLDER: &[u8] = b".dedup-snapshots";

/// Most entries of a batch.
pub const BATCH: usize = 512;

/// A run of one directory's entries. Every directory that is entered has at least one batch, an empty one if need be;
/// one that is not entered (another file system) has none.
pub struct Batch {
    pub dir: DirPath,
    /// For opening the entries; `None` only where the directory could not be opened.
    pub handle: Option<Arc<Lent>>,
    /// Sorted by name, and after those of the directory's earlier batches. May be empty.
    pub entries: Vec<Found>,
    /// On a directory's first batch: it could not be opened, or its listing is not complete.
    pub trouble: Option<Trouble>,
    /// No more batches of this directory follow.
    pub last: bool,
    /// There is nothing in the directory, not even something that is left out.
    pub empty: bool,
    /// Paths that the filter left out, if that is to be told.
    pub excluded: Vec<(Vec<u8>, Exclusion)>,
}

/// An entry, as far as it is known from listing and examining: see [`crate::fsmeta::stat`].
#[derive(Clone, PartialEq, Debug)]
pub struct Found {
    pub name: Vec<u8>,
    pub kind: Kind,
    pub meta: Meta,
    /// `Unknown`, or none.
    pub trouble: Option<Trouble>,
    /// A directory of which only what leads to sources is listed.
    pub above: bool,
    pub mount: Mount,
    /// A device or FIFO that is to be read like a file; its kind is `File`.
    pub special: bool,
}

/// Whether a file system is mounted on a directory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mount {
    None,
    /// The one that the directory above is on: a second name for part of it.
    Bound,
    /// Another one.
    Device,
}

impl Mount {
    /// `is_root`: whether a directory is a mount's root, if the system knows; otherwise another device shows it.
    fn of(is_root: Option<bool>, device: u64, above: u64) -> Mount {
        match is_root.unwrap_or(device != above) {
            false => Mount::None,
            true if device == above => Mount::Bound,
            true => Mount::Device,
        }
    }
}

impl Found {
    fn new(name: &[u8], kind: Kind, meta: Meta) -> Found {
        Found {
            name: name.to_vec(),
            kind,
            meta,
            trouble: None,
            above: false,
            mount: Mount::None,
            special: false,
        }
    }

    fn unknown(name: &[u8], errno: i32, blank: &Blank) -> Found {
        Found {
            trouble: Some(Trouble::Unknown { errno }),
            ..Found::new(name, Kind::File, blank.meta())
        }
    }
}

/// The walk; an iterator of batches for one consumer. Dropping it stops it.
pub struct Walk {
    shared: Arc<Shared>,
    helpers: Vec<JoinHandle<()>>,
    current: std::vec::IntoIter<Batch>,
    scratch: Scratch,
}

struct Shared {
    lister: Lister,
    stop: AtomicBool,
    state: Mutex<Progress>,
    /// There is work, or the walk stops.
    work: Condvar,
    /// A step is done, or a helper died.
    done: Condvar,
}

struct Progress {
    queue: Queue,
    idle_helpers: usize,
    consumer_waits: bool,
    /// A helper ended by a panic: its step will never be done.
    died: bool,
}

impl Walk {
    /// Walks `sources`, absolute paths, with `threads` threads of which the consumer's is one.
    ///
    /// The tree begins at `/`. A directory above a source appears, links to it followed, with nothing but what leads
    /// to sources. A source that is a link is stored as a link unless it is to be followed. A source within another adds nothing, except where
    /// the outer one would not come to it. Sources that don't exist are no error here: [`Walk::missing_sources`].
    pub fn start(sources: &Sources, filter: Filter, threads: usize) -> Result<Walk> {
        let (tree, missing) = sources::collect(sources)?;
        let list_root = tree.named;
        let way = match list_root {
            true => Way::Listed,
            false => Way::Ancestor,
        };
        let dev = root_device()?;
        let first = Visit {
            node: Node::new(None, b"", way),
            full: list_root,
            dev,
            own_dev: dev,
            sources: Some(tree),
            rules: DirRules::default(),
        };
        let shared = Arc::new(Shared {
            lister: Lister {
                filter,
                left_out: sources.left_out.clone(),
                read_special: sources.read_special,
                tells_excluded: sources.tells_excluded,
                met: Mutex::default(),
                bare: Mutex::default(),
                handles: Arc::new(Handles::new(list_root, sources.grafts.clone())),
                missing: Mutex::new(missing),
                excluded: Mutex::new(Vec::new()),
                placeholders: Mutex::default(),
                leftovers: AtomicU64::new(0),
            },
            stop: AtomicBool::new(false),
            state: Mutex::new(Progress {
                queue: Queue::new(Work::Dir(first)),
                idle_helpers: 0,
                consumer_waits: false,
                died: false,
            }),
            work: Condvar::new(),
            done: Condvar::new(),
        });
        let mut walk = Walk {
            shared,
            helpers: Vec::new(),
            current: Vec::new().into_iter(),
            scratch: Scratch::default(),
        };
        for _ in 1..threads {
            match spawn_helper(&walk.shared) {
                Ok(helper) => walk.helpers.push(helper),
                // The consumer does what no helper does.
                Err(_) => break,
            }
        }
        Ok(walk)
    }

    /// Sources that were not found, or not on the way there, with the failed call's number: those missing from the
    /// start, and at the end of the walk also those that vanished before their turn.
    pub fn missing_sources(&self) -> Vec<(PathBuf, i32)> {
        self.shared.lister.missing.lock().clone()
    }

    /// Sources that exclude patterns left out; complete at the end of the walk.
    pub fn excluded_sources(&self) -> Vec<PathBuf> {
        self.shared.lister.excluded.lock().clone()
    }

    /// The rule that left something out.
    pub fn rule(&self, exclusion: &Exclusion) -> Option<&ExcludeRule> {
        self.shared.lister.filter.rule(exclusion)
    }

    /// What each rule of the filter has left out; complete at the end of the walk.
    pub fn rule_hits(&self) -> Vec<RuleHits> {
        self.shared.lister.filter.hits()
    }

    /// Files that restores had not finished, which are left out; complete at the end of the walk.
    pub fn leftovers(&self) -> u64 {
        self.shared.lister.leftovers.load(Ordering::Relaxed)
    }

    /// Files that stand for content that is only at a cloud service; complete at the end of the walk.
    pub fn placeholders(&self) -> Placeholders {
        self.shared.lister.placeholders.lock().clone()
    }

    /// Directories of [`LeftOut`] that the walk came to and did not enter, absolute; complete at its end.
    pub fn left_out(&self) -> Vec<PathBuf> {
        self.shared.lister.met.lock().clone()
    }

    /// Sources that are links, devices or FIFOs, and saved as such; complete at the end of the walk.
    pub fn bare_sources(&self) -> Vec<(PathBuf, Kind)> {
        self.shared.lister.bare.lock().clone()
    }

    /// The next step's batches; `None` at the end. Does itself what no helper has begun.
    fn advance(&mut self) -> Option<Vec<Batch>> {
        let shared = self.shared.clone();
        let mut state = shared.state.lock();
        loop {
            if state.died {
                drop(state);
                self.pass_on_panic();
                return None;
            }
            match state.queue.pop() {
                Top::Empty => return None,
                Top::Ready(batches) => {
                    shared.call_helpers(&state);
                    return Some(batches);
                }
                Top::NotReady => {}
            }
            match state.queue.begin() {
                Some((id, work)) => {
                    shared.call_helpers(&state);
                    drop(state);
                    let outcome = shared.lister.perform(work, &mut self.scratch);
                    state = shared.state.lock();
                    state.queue.finish(id, outcome);
                }
                None => {
                    state.consumer_waits = true;
                    shared.done.wait(&mut state);
                    state.consumer_waits = false;
                }
            }
        }
    }

    /// A walk cut short must not look like one that ended: the consumer gets the helper's panic.
    fn pass_on_panic(&mut self) {
        self.shared.stop();
        for helper in self.helpers.drain(..) {
            if let Err(panic) = helper.join() {
                std::panic::resume_unwind(panic);
            }
        }
    }
}

impl Iterator for Walk {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        loop {
            if let Some(batch) = self.current.next() {
                return Some(batch);
            }
            self.current = self.advance()?.into_iter();
        }
    }
}

impl Drop for Walk {
    fn drop(&mut self) {
        self.shared.stop();
        for helper in self.helpers.drain(..) {
            // Its panic, if any, ended the walk already.
            let _panic = helper.join();
        }
    }
}

impl Shared {
    fn stop(&self) {
        // Under the lock, so that no helper is between looking and waiting.
        let _state = self.state.lock();
        self.stop.store(true, Ordering::Relaxed);
        self.work.notify_all();
    }

    fn call_helpers(&self, state: &Progress) {
        if state.idle_helpers > 0 && state.queue.has_room() {
            self.work.notify_one();
        }
    }

    fn help(&self) {
        let mut scratch = Scratch::default();
        let mut state = self.state.lock();
        while !self.stop.load(Ordering::Relaxed) {
            let Some((id, work)) = state.queue.begin() else {
                state.idle_helpers += 1;
                self.work.wait(&mut state);
                state.idle_helpers -= 1;
                continue;
            };
            self.call_helpers(&state);
            drop(state);
            let outcome = self.lister.perform(work, &mut scratch);
            state = self.state.lock();
            state.queue.finish(id, outcome);
            if state.consumer_waits {
                self.done.notify_one();
            }
        }
    }
}

/// Notifies the consumer when a helper unwinds.
struct Watch<'a>(&'a Shared);

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.state.lock().died = true;
            self.0.done.notify_one();
        }
    }
}

fn spawn_helper(shared: &Arc<Shared>) -> Result<JoinHandle<()>> {
    let shared = shared.clone();
    let run = move || {
        let _watch = Watch(&shared);
        shared.help();
    };
    Ok(threads::spawn("walk", run)?)
}

fn root_device() -> Result<u64> {
    let (_, meta) = stat_path(Path::new("/")).map_err(|e| Error::io(Operation::Examine, "/", e))?;
    Ok(meta.dev)
}
