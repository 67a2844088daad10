//! The planner: reads the tree in order, decides about each entry and fills windows.

mod dirs;
mod extra;

use super::choose::{Chooser, contains, normalize};
use super::dirs::{Above, Place, Stack};
use super::existing::{ConflictDecision, decide};
use super::fault::Fault;
use super::job::{Action, EntrySlot, Failure};
use super::links::{Link, Links};
use super::pool::{WAITING, WorkerPool, work};
use super::scope::{Scope, is_of_one_piece};
use super::shared::Shared;
use super::window::{Builder, Limits};
use super::write::RestoreWorker;
use crate::entry::{DirPath, Entry, Kind, join};
use crate::error::{Error, Result};
use crate::manifest::Manifest;
use crate::monitor::EntryChange;
use crate::problem::{Damage, LostEntries, RestoreProblem, Unread, Warning};
use crate::tree::{Cursor, Root};
use crate::trees;
use chunkstore::{ChunkId, Place as ChunkPlace, threads};
use crossbeam_channel::bounded;
use extra::Extras;
use std::sync::atomic::Ordering::Relaxed;

/// Of the target itself.
fn in_target(shared: &Shared<'_>, fault: Fault) -> Error {
    match fault {
        Fault::Path(problem) => Error::Target {
            path: shared.options.target.clone(),
            problem,
        },
        Fault::Damage(e) | Fault::Unreadable(e) => Error::Store(e),
        Fault::Fatal(e) => e,
    }
}

pub(super) struct Planner<'r, 'a> {
    pub(super) shared: &'r Shared<'a>,
    pub(super) chooser: Chooser,
    pub(super) stack: Stack,
    pub(super) window: Builder,
    pub(super) pool: WorkerPool<'r, 'a>,
    pub(super) links: Links,
    extras: Extras,
    /// Relative to `/`.
    sources: Vec<Vec<u8>>,
    path: Vec<u8>,
}

/// Restores what is in `scope`.
pub(super) fn restore(
    shared: &Shared<'_>,
    manifest: &Manifest,
    root: &Root,
    scope: &Scope,
    chooser: Chooser,
    limits: Limits,
) -> Result<()> {
    let mut cursor = trees::cursor(shared.source.reader(), root)?;
    let stack = Stack::new(shared, &scope.base, chooser.top()).map_err(|fault| in_target(shared, fault))?;
    let sources = manifest.paths.iter().map(|path| normalize(path));
    let sources = sources.collect::<Result<Vec<_>>>()?;
    std::thread::scope(|scope_of_threads| {
        let (tasks, queue) = bounded(WAITING);
        let count = match shared.options.dry_run {
            true => 0,
            false => shared.threads(),
        };
        for number in 0..count {
            let (mut worker, queue) = (RestoreWorker::new(shared)?, queue.clone());
            let started = threads::spawn_in(scope_of_threads, "restore", move || work(&mut worker, &queue));
            match started {
                // One does what several would.
                Err(_) if number > 0 => break,
                started => drop(started?),
            }
        }
        drop(queue);
        let mut planner = Planner {
            shared,
            chooser,
            stack,
            window: Builder::default(),
            pool: WorkerPool::new(shared, limits, tasks)?,
            links: Links::new(shared.source.reader().store().cache(), limits.links),
            extras: Extras::new(shared.options, manifest),
            sources,
            path: Vec::new(),
        };
        let planned = planner.all(&mut cursor, scope);
        planner.end(planned)
    })
}

impl Planner<'_, '_> {
    fn all<L>(&mut self, cursor: &mut Cursor<L>, scope: &Scope) -> Result<()>
    where
        L: FnMut(&ChunkId, Option<&ChunkPlace>) -> Result<Vec<u8>>,
    {
        match &scope.paths {
            None => self.below(cursor, &scope.base)?,
            Some(paths) => {
                for path in paths {
                    self.above(cursor, path)?;
                    self.at(cursor, path)?;
                }
            }
        }
        self.leave_all()?;
        for pattern in self.chooser.unmatched() {
            self.shared.matched_nothing(pattern);
        }
        Ok(())
    }

    fn end(mut self, planned: Result<()>) -> Result<()> {
        let ended = planned.and_then(|()| {
            self.rotate()?;
            self.pool.end_all()
        });
        if ended.is_err() {
            self.pool.worker.abandon(std::mem::take(&mut self.window));
            self.pool.wind_down();
        }
        ended
    }

    /// Hands over what was planned.
    pub(super) fn rotate(&mut self) -> Result<()> {
        self.pool.submit(std::mem::take(&mut self.window))
    }

    pub(super) fn rotate_if_full(&mut self) -> Result<()> {
        match self.window.is_full(&self.pool.limits) {
            true => self.rotate(),
            false => Ok(()),
        }
    }

    /// The records of the directories between the target and `path`, in case they must be made.
    fn above<L>(&mut self, cursor: &mut Cursor<L>, path: &[u8]) -> Result<()>
    where
        L: FnMut(&ChunkId, Option<&ChunkPlace>) -> Result<Vec<u8>>,
    {
        let slashes = path.iter().enumerate().filter(|(_, b)| **b == b'/');
        for (end, _) in slashes {
            let dir = path.get(..end).unwrap_or_default();
            if end <= self.shared.strip() || self.stack.is_inside(dir) {
                continue;
            }
            match cursor.lookup(dir) {
                Ok(Some(item)) if item.entry.kind == Kind::Dir => {
                    self.enter(&item.dir)?;
                    let choice = self.chooser.choose(self.stack.choice(), dir, true);
                    let above = match self.is_above_sources(dir) {
                        true => Above::Sources,
                        false => Above::Chosen,
                    };
                    self.stack.add(&item.entry.name, item.entry.meta, choice, above);
                    self.enter(&dir.into())?;
                }
                Ok(_) => {}
                Err(e) if is_of_one_piece(&e) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// The entry at `path`, and what is below it.
    fn at<L>(&mut self, cursor: &mut Cursor<L>, path: &[u8]) -> Result<()>
    where
        L: FnMut(&ChunkId, Option<&ChunkPlace>) -> Result<Vec<u8>>,
    {
        match cursor.lookup(path) {
            Ok(Some(mut item)) => {
                let is_dir = item.entry.kind == Kind::Dir;
                if let Some(name) = self.shared.options.name.as_ref().filter(|_| !is_dir) {
                    item.entry.name.clone_from(name);
                }
                self.entry(&item.dir, item.entry)?;
                if !is_dir {
                    return Ok(());
                }
            }
            Ok(None) => return Ok(()),
            Err(e) if is_of_one_piece(&e) => self.extras.give_up(),
            Err(e) => return Err(e),
        }
        self.below(cursor, path)
    }

    /// All entries in the directory `path` and below it. Pieces of the tree that can't be read are passed over.
    fn below<L>(&mut self, cursor: &mut Cursor<L>, path: &[u8]) -> Result<()>
    where
        L: FnMut(&ChunkId, Option<&ChunkPlace>) -> Result<Vec<u8>>,
    {
        let mut sought = cursor.under(path);
        loop {
            let next = sought.and_then(|()| cursor.next());
            sought = Ok(());
            match next {
                Ok(Some(item)) => {
                    self.listed(&item.dir, &item.entry.name)?;
                    self.enter(&item.dir)?;
                    if self.stack.choice().excluded {
                        // Behind everything below this directory: no name has a byte between "/" (ordered first) and 1.
                        let past = [&*item.dir, b"\x01"].concat();
                        sought = cursor.seek(&past, b"");
                        continue;
                    }
                    self.entry(&item.dir, item.entry)?;
                }
                Ok(None) => return self.listed_all(),
                Err(e) if is_of_one_piece(&e) => match cursor.skip_piece() {
                    Some(piece) => {
                        self.extras.give_up();
                        self.lost(&piece, e)?;
                    }
                    None => return Err(e),
                },
                Err(e) => return Err(e),
            }
        }
    }

    fn lost(&self, piece: &crate::tree::SegmentRef, why: Error) -> Result<()> {
        let path = join(&piece.first_dir, &piece.first_name);
        let (entries, files) = (piece.entries, piece.files);
        self.shared.counts.files_failed.fetch_add(files, Relaxed);
        self.shared.counts.total_files.fetch_add(files, Relaxed);
        let lost = |error| LostEntries {
            entries,
            files,
            error,
        };
        let failure = match Fault::from(why) {
            Fault::Unreadable(why) => Failure::Unreadable(Unread::Entries(lost(why))),
            Fault::Damage(why) => Failure::Damage(Damage::Entries(lost(why))),
            fault @ (Fault::Path(_) | Fault::Fatal(_)) => fault.apart()?,
        };
        self.shared.failed(&path, failure);
        Ok(())
    }

    /// Whether there are sources below this directory and it is in none.
    pub(super) fn is_above_sources(&self, path: &[u8]) -> bool {
        let leads = self.sources.iter().any(|source| {
            let rest = source.strip_prefix(path);
            matches!(rest, Some([b'/', ..]))
        });
        leads && !self.sources.iter().any(|source| contains(source, path))
    }

    /// Whether this is one of the sources.
    pub(super) fn is_source(&self, path: &[u8]) -> bool {
        self.sources.iter().any(|source| source == path)
    }

    fn entry(&mut self, dir: &DirPath, entry: Entry) -> Result<()> {
        self.shared.check()?;
        self.rotate_if_full()?;
        self.enter(dir)?;
        let is_dir = entry.kind == Kind::Dir;
        let above = self.stack.choice();
        let choice = match self.chooser.takes_all() {
            true => above,
            false => {
                self.path.clear();
                self.path.extend_from_slice(dir);
                if !dir.is_empty() {
                    self.path.push(b'/');
                }
                self.path.extend_from_slice(&entry.name);
                self.chooser.choose(above, &self.path, is_dir)
            }
        };
        if is_dir {
            let path = join(dir, &entry.name);
            if entry.trouble.is_some() {
                self.extras.keep_all_in(&path);
            }
            if choice.selected && !choice.excluded && entry.trouble.is_some() {
                self.shared.warn(&path, Warning::IncompleteAtBackup);
            }
            let above = match self.is_above_sources(&path) {
                true => Above::Sources,
                false => Above::Nothing,
            };
            self.stack.add(&entry.name, entry.meta, choice, above);
            return Ok(());
        }
        match choice.selected && !choice.excluded {
            true => self.object(dir, entry),
            false => Ok(()),
        }
    }

    /// Anything but a directory that was chosen.
    fn object(&mut self, dir: &DirPath, entry: Entry) -> Result<()> {
        let shared = self.shared;
        let is_file = entry.kind == Kind::File;
        if is_file {
            shared.counts.total_files.fetch_add(1, Relaxed);
            shared.counts.total_bytes.fetch_add(entry.meta.size, Relaxed);
        }
        if let Some(why) = nothing_to_restore(&entry) {
            self.give_up(dir, &entry, Failure::Problem(why));
            return Ok(());
        }
        let slot = self.links.find(&entry)?;
        let Some((name, action)) = self.decided(dir, &entry, slot.as_deref())? else {
            return Ok(());
        };
        self.extras.put(&name, &entry.name);
        if entry.trouble.is_some() {
            shared.warn(&join(dir, &entry.name), Warning::ChangedAtBackup);
        }
        if shared.options.dry_run {
            count_dry(shared, dir, &entry, &action);
            return Ok(());
        }
        let Some(slot) = slot else {
            return self.put(dir, name, action, entry);
        };
        self.window.add_link(Link {
            slot,
            dir: dir.clone(),
            name,
            action,
            is_file,
            size: entry.meta.size,
        });
        Ok(())
    }

    /// Name and way of an entry that is restored; `first` is an earlier name of it.
    fn decided(
        &mut self,
        dir: &DirPath,
        entry: &Entry,
        first: Option<&EntrySlot>,
    ) -> Result<Option<(Vec<u8>, Action)>> {
        let shared = self.shared;
        let decision = match self.place()? {
            Place::New | Place::Absent => Ok(ConflictDecision::create(entry)),
            Place::Existing(at) => decide(shared, at, entry, first),
            Place::Failed => {
                // The reason was reported already.
                self.give_up(dir, entry, Failure::Abandoned);
                return Ok(None);
            }
        };
        match decision {
            Ok(ConflictDecision::Put { name, action }) => return Ok(Some((name, action))),
            Ok(ConflictDecision::Skip) if entry.kind == Kind::File => {
                shared.skipped(&join(dir, &entry.name), &entry.meta);
            }
            Ok(ConflictDecision::Equal) if entry.kind == Kind::File => {
                shared.verified(true);
                shared.unchanged(&join(dir, &entry.name), &entry.meta);
            }
            Ok(ConflictDecision::Skip | ConflictDecision::Equal) => {}
            Err(fault) => self.give_up(dir, entry, fault.apart()?),
        }
        Ok(None)
    }

    pub(super) fn give_up(&self, dir: &[u8], entry: &Entry, failure: Failure) {
        if entry.kind == Kind::File {
            self.shared.counts.files_failed.fetch_add(1, Relaxed);
        }
        self.shared.failed(&join(dir, &entry.name), failure);
        self.shared.progress();
    }
}

/// Why the generation does not hold what the source had here.
fn nothing_to_restore(entry: &Entry) -> Option<RestoreProblem> {
    (!entry.is_saved()).then_some(RestoreProblem::NotInSnapshot)
}

fn count_dry(shared: &Shared<'_>, dir: &[u8], entry: &Entry, action: &Action) {
    let path = join(dir, &entry.name);
    match (&entry.kind, action) {
        (Kind::File, Action::Keep { .. }) => return shared.unchanged(&path, &entry.meta),
        (Kind::File, _) => {
            shared.counts.files_restored.fetch_add(1, Relaxed);
            shared.counts.bytes_restored.fetch_add(entry.meta.size, Relaxed);
        }
        _ => {
            shared.counts.others.fetch_add(1, Relaxed);
        }
    }
    shared.entry(&path, &entry.kind, EntryChange::Restored, entry.meta.size);
    shared.progress();
}
