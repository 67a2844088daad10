//! What the stages of one run share: settings, counters, and the word to stop.

use super::share::Share;
use crate::entry::Kind;
use crate::error::{Error, Result};
use crate::filter::RuleHits;
use crate::manifest::{Head, MOUNTS_MAX, Missing, Mounted, Summary, UNREADABLE_MAX};
use crate::monitor::{EntryChange, Monitor, Problem, Progress};
use crate::repo::Repo;
use chunkstore::chunker::Chunker;
use chunkstore::keys::Keys;
use chunkstore::writer::{Writer, Written};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

#[derive(Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Sizes are what file systems say: a few sparse files can have more together than a number holds.
    pub(super) fn add(&self, n: u64) {
        let add = |count: u64| Some(count.saturating_add(n));
        let _always = self.0.fetch_update(Relaxed, Relaxed, add);
    }
    pub(super) fn set(&self, n: u64) {
        self.0.store(n, Relaxed);
    }
    pub(super) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// What the stages count together.
#[derive(Default)]
pub(super) struct BackupCounts {
    pub(super) files_new: Counter,
    pub(super) files_changed: Counter,
    pub(super) files_unmodified: Counter,
    pub(super) dirs_new: Counter,
    pub(super) dirs_changed: Counter,
    pub(super) dirs_unmodified: Counter,
    pub(super) tree_blobs: Counter,
    pub(super) files: Counter,
    pub(super) bytes: Counter,
    pub(super) errors: Counter,
}

impl BackupCounts {
    pub(super) fn count(&self, kind: &Kind, change: EntryChange) {
        let counter = match (kind, change) {
            (Kind::Dir, EntryChange::New) => &self.dirs_new,
            (Kind::Dir, EntryChange::Modified) => &self.dirs_changed,
            (Kind::Dir, EntryChange::Unchanged) => &self.dirs_unmodified,
            (Kind::File, EntryChange::New) => &self.files_new,
            (Kind::File, EntryChange::Modified) => &self.files_changed,
            (Kind::File, EntryChange::Unchanged) => &self.files_unmodified,
            (
                Kind::Symlink { .. }
                | Kind::CharDevice { .. }
                | Kind::BlockDevice { .. }
                | Kind::Fifo
                | Kind::Socket,
                _,
            )
            | (
                _,
                EntryChange::Removed | EntryChange::Restored | EntryChange::Skipped | EntryChange::Deleted,
            ) => return,
        };
        counter.add(1);
    }
}

/// Files and bytes that there will be; 0 where that is not known.
pub(super) struct Totals {
    pub(super) files: Counter,
    pub(super) bytes: Counter,
    /// As the previous snapshot has them.
    are_guessed: bool,
}

impl Totals {
    /// What was counted.
    pub(super) fn set(&self, files: u64, bytes: u64) {
        self.files.set(files);
        self.bytes.set(bytes);
    }

    pub(super) fn of(guess: Option<(u64, u64)>) -> Self {
        let (files, bytes) = guess.unwrap_or_default();
        Totals {
            files: Counter(files.into()),
            bytes: Counter(bytes.into()),
            are_guessed: guess.is_some(),
        }
    }
}

/// What every stage needs of this run.
pub struct BackupRun<'a> {
    pub(super) repo: &'a Repo,
    pub(super) writer: &'a Writer,
    pub(super) monitor: &'a dyn Monitor,
    pub(super) head: Head,
    pub(super) counts: BackupCounts,
    /// Bytes of large files that are being read, by lane.
    pub(super) reading: Vec<Counter>,
    pub(super) totals: Totals,
    pub(super) small_file: u64,
    pub(super) bundle_size: u32,
    pub(super) level: i32,
    pub(super) tree_lane: usize,
    pub(super) share: Share,
    pub(super) stop: AtomicBool,
    /// The walk has ended.
    pub(super) walked: AtomicBool,
    pub(super) unreadable: Mutex<Vec<Vec<u8>>>,
    /// For the manifest.
    pub(super) mounts: Mutex<Vec<Mounted>>,
    pub(super) missing: Mutex<Vec<Missing>>,
    /// Places of our own that the walk came to.
    pub(super) left_out: Mutex<Vec<Vec<u8>>>,
    /// What each rule of the filter left out.
    pub(super) excluded: Mutex<Vec<RuleHits>>,
    /// Files whose content is only at a cloud service.
    pub(super) placeholders: Mutex<u64>,
}

impl<'a> BackupRun<'a> {
    /// `totals` are those of the previous snapshot.
    pub(super) fn new(
        (repo, writer): (&'a Repo, &'a Writer),
        monitor: &'a dyn Monitor,
        head: Head,
        totals: Option<(u64, u64)>,
        level: i32,
    ) -> Self {
        let (config, workers) = (repo.store.config(), super::threads_of(repo.run()));
        BackupRun {
            repo,
            writer,
            monitor,
            head,
            counts: BackupCounts::default(),
            reading: (0..=workers).map(|_| Counter::default()).collect(),
            totals: Totals::of(totals),
            small_file: config.small_file(),
            bundle_size: config.bundle_size,
            level,
            tree_lane: workers,
            share: Share::new(),
            stop: AtomicBool::new(false),
            walked: AtomicBool::new(false),
            unreadable: Mutex::default(),
            mounts: Mutex::default(),
            missing: Mutex::default(),
            left_out: Mutex::default(),
            excluded: Mutex::default(),
            placeholders: Mutex::default(),
        }
    }

    pub(super) fn writer_keys(&self) -> &Keys {
        self.repo.store.keys()
    }

    pub(super) fn chunker(&self) -> &Chunker {
        self.repo.store.chunker()
    }

    pub(super) fn stopping(&self) -> bool {
        self.stop.load(Relaxed) || self.repo.run().cancel().is_cancelled()
    }

    /// Between two steps of a worker: rests if it has to, and is [`Error::Interrupted`] when the run stops.
    pub(super) fn step(&self) -> Result<()> {
        self.repo.run().rest();
        match self.stopping() {
            true => Err(Error::Interrupted),
            false => Ok(()),
        }
    }

    pub(super) fn is_walked(&self) -> bool {
        self.walked.load(Relaxed)
    }

    /// After how long totals are worth a walk of their own; None where the previous snapshot gives them, or nobody looks.
    pub(super) fn wants_totals_after(&self) -> Option<Duration> {
        match self.totals.are_guessed {
            true => None,
            false => self.monitor.wants_totals_after(),
        }
    }

    pub(super) fn problem(&self, problem: &Problem) {
        self.counts.errors.add(1);
        self.monitor.problem(problem);
    }

    pub(super) fn unreadable_dir(&self, path: &[u8]) {
        let mut list = self.unreadable.lock();
        if list.len() < UNREADABLE_MAX {
            list.push(path.to_vec());
        }
    }

    pub(super) fn mounted(&self, mounted: Mounted) {
        let mut list = self.mounts.lock();
        if list.len() < MOUNTS_MAX {
            list.push(mounted);
        }
    }

    pub(super) fn unreadable_dirs(&self) -> Vec<Vec<u8>> {
        self.unreadable.lock().clone()
    }

    /// Whether a bundle may end after the small file of this name: one in 32, by the repository's key.
    pub(super) fn ends_job(&self, name: &[u8]) -> bool {
        blake3::keyed_hash(self.writer_keys().tree_cuts(), name).as_bytes()[0] & 31 == 0
    }

    pub(super) fn bytes_read(&self, lane: usize, bytes: u64) {
        self.reading[lane].add(bytes);
        self.progress();
    }

    pub(super) fn large_file_done(&self, lane: usize) {
        self.reading[lane].0.store(0, Relaxed);
    }

    pub(super) fn progress(&self) {
        let reading = self.reading.iter().map(Counter::get).fold(0, u64::saturating_add);
        let (files, bytes) = (
            self.counts.files.get(),
            self.counts.bytes.get().saturating_add(reading),
        );
        // More than there was before can only be more than was guessed.
        let total = |guess: u64, done: u64| if guess > 0 { guess.max(done) } else { 0 };
        self.monitor.progress(&Progress {
            files_done: files,
            files_total: total(self.totals.files.get(), files),
            bytes_done: bytes,
            bytes_total: total(self.totals.bytes.get(), bytes),
            errors: self.counts.errors.get(),
        });
    }

    pub(super) fn summary(&self) -> Summary {
        let Written {
            chunks,
            plain,
            stored,
            ..
        } = self.writer.written();
        let c = &self.counts;
        Summary {
            files_new: c.files_new.get(),
            files_changed: c.files_changed.get(),
            files_unmodified: c.files_unmodified.get(),
            dirs_new: c.dirs_new.get(),
            dirs_changed: c.dirs_changed.get(),
            dirs_unmodified: c.dirs_unmodified.get(),
            data_blobs: chunks.saturating_sub(c.tree_blobs.get()),
            tree_blobs: c.tree_blobs.get(),
            data_added: plain,
            data_added_packed: stored,
            total_files_processed: c.files.get(),
            total_bytes_processed: c.bytes.get(),
            errors: c.errors.get(),
        }
    }
}
