//! The workers of a restore: what one thread needs to read a range, open its frames and put their bytes into files.
//!
//! Everything is made under a temporary name, readable only by its owner, and gets its metadata; its own
//! name comes last ([`super::finish`]). What fails is removed again.

use super::fault::{Fault, RestoreOutcome};
use super::job::{Action, Failure, FileJob};
use super::leftovers::temporary_name;
use super::links::Link;
use super::open_dirs::OpenDirs;
use super::route::Route;
use super::shared::{Shared, below};
use super::window::{Builder, FilePart, Frame, Read, Window};
use crate::entry::{DirPath, Kind, join};
use crate::error::{Result, StoreError};
use crate::fsmeta::{AsFd, At, FileId, TargetDir, set_first_flags, stat_fd};
use crate::monitor::EntryChange;
use crate::problem::{Damage, RestoreProblem};
use chunkstore::descriptors::{self, Permit};
use chunkstore::error::{Flaw, Object, Operation};
use chunkstore::frame::Decoder;
use chunkstore::pack::Class;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Directories that a thread keeps open. Bundles that a collection made hold files from all over the tree, in its order:
/// fewer than there are directories would all be opened again for each bundle.
const DIRS_LEAST: usize = 2;
const DIRS_MOST: usize = 1024;
/// Directories on the way to deep ones that are kept open.
const ROUTE_MOST: usize = 8;

pub(super) struct RestoreWorker<'r, 'a> {
    pub shared: &'r Shared<'a>,
    dirs: OpenDirs,
    /// For so many, and for those of the route.
    room: Permit,
    route: Route,
    decoder: Decoder,
    stored: Vec<u8>,
    plain: Vec<u8>,
}

impl<'r, 'a> RestoreWorker<'r, 'a> {
    pub fn new(shared: &'r Shared<'a>) -> Result<Self> {
        let room = descriptors::hold(DIRS_LEAST, DIRS_MOST);
        Ok(RestoreWorker {
            shared,
            dirs: OpenDirs::default(),
            route: Route::new((room.count() / 2).min(ROUTE_MOST)),
            room,
            decoder: Decoder::new()?,
            stored: Vec::new(),
            plain: Vec::new(),
        })
    }

    /// The directory at `path` of the generation, opened without following a link.
    pub fn dir(&mut self, path: &DirPath) -> RestoreOutcome<Arc<TargetDir>> {
        if let Some(known) = self.dirs.get(path) {
            return Ok(known);
        }
        let dir = Arc::new(self.reach(path)?);
        let room = self.room.count().saturating_sub(self.route.len());
        self.dirs.put(path, &dir, room);
        Ok(dir)
    }

    /// The same for one that is not used again soon.
    pub fn reach(&mut self, path: &[u8]) -> RestoreOutcome<TargetDir> {
        let target = self.shared.writable()?;
        Ok(self.route.dir(target, below(path, self.shared.strip()))?)
    }

    /// Gives up what is in a window that is being filled; nothing was begun but files that earlier windows had parts
    /// of.
    pub fn abandon(&mut self, window: Builder) {
        for job in window.jobs_of_parts() {
            job.fail(Failure::Abandoned);
            self.part_done(job, None);
        }
    }

    /// Reads a range of a pack and puts its chunks where they belong.
    pub fn read(&mut self, window: &Window, read: &Read) {
        let frames = window.frames.get(read.frames.clone()).unwrap_or_default();
        self.shared.rest();
        if self.shared.stopping() {
            return frames
                .iter()
                .for_each(|frame| self.give_up(window, frame, &Failure::Abandoned));
        }
        let (mut stored, mut plain) = (std::mem::take(&mut self.stored), std::mem::take(&mut self.plain));
        match self
            .shared
            .source
            .range(read.pack, read.start, read.len, &mut stored)
        {
            Ok(()) => {
                for frame in frames {
                    let start = (u64::from(frame.place.offset) - read.start) as usize;
                    let bytes = stored.get(start..start + frame.place.stored_len as usize);
                    self.frame(window, frame, bytes, &mut plain);
                }
            }
            Err(e) => {
                self.shared.fail(e);
                frames
                    .iter()
                    .for_each(|frame| self.give_up(window, frame, &Failure::Abandoned));
            }
        }
        (self.stored, self.plain) = (stored, plain);
    }

    fn frame(&mut self, window: &Window, frame: &Frame, stored: Option<&[u8]>, plain: &mut Vec<u8>) {
        let source = self.shared.source;
        let keys = source.reader().store().keys();
        let Frame { id, place, .. } = frame;
        let opened = match stored {
            Some(stored) => {
                let opened = self.decoder.open_at(keys, Class::Data, *id, place, stored, plain);
                opened.or_else(|e| source.again(&mut self.decoder, id, place, e, plain))
            }
            None => source.frame(&mut self.decoder, id, place, plain),
        };
        self.put_parts(window, frame.parts.clone(), opened, plain);
    }

    /// A chunk that the index does not know: another replica may.
    pub fn missing(&mut self, window: &Window, parts: std::ops::Range<usize>) {
        let Some(id) = window.parts.get(parts.start).map(|part| part.id) else {
            return;
        };
        let mut plain = std::mem::take(&mut self.plain);
        let read = self.shared.source.elsewhere(&mut self.decoder, &id, &mut plain);
        self.put_parts(window, parts, read, &plain);
        self.plain = plain;
    }

    /// Puts a chunk into the parts of it, if it could be read.
    fn put_parts(&mut self, window: &Window, parts: std::ops::Range<usize>, read: Result<()>, chunk: &[u8]) {
        match read {
            Ok(()) => {
                for (part, job) in window.jobs_of(parts) {
                    self.part(part, job, chunk);
                }
            }
            Err(e) => {
                let failure = self.failure(Fault::from(e));
                self.piecemeal(window, parts, &failure);
            }
        }
    }

    /// Parts of a chunk that can't be had: each small file may be in another place, too.
    fn piecemeal(&mut self, window: &Window, parts: std::ops::Range<usize>, why: &Failure) {
        let mut bytes = Vec::new();
        for (part, job) in window.jobs_of(parts) {
            let source = self.shared.source;
            let found = match &part.file {
                Some(file) if !job.has_failed() && !self.shared.stopping() => {
                    // Why the chunk can't be had is reported, not why this does not help.
                    source.reader().file(&mut self.decoder, file, &mut bytes).is_ok()
                }
                _ => false,
            };
            match found {
                true => self.whole_part(part, job, Some(&bytes)),
                false => {
                    job.fail(why.clone());
                    self.written(job, None);
                }
            }
        }
    }

    fn give_up(&mut self, window: &Window, frame: &Frame, why: &Failure) {
        self.lose(window, frame.parts.clone(), why);
    }

    /// The files of these parts can't be completed.
    pub fn lose(&mut self, window: &Window, parts: std::ops::Range<usize>, why: &Failure) {
        for (_, job) in window.jobs_of(parts) {
            job.fail(why.clone());
            self.written(job, None);
        }
    }

    fn part(&mut self, part: &FilePart, job: &Arc<FileJob>, chunk: &[u8]) {
        let bytes = self.bytes_of(part, chunk);
        let mut found = Vec::new();
        // What the chunk does not hold after all may be elsewhere.
        let found = match (bytes, &part.file) {
            (None, Some(file)) if !job.has_failed() => {
                let source = self.shared.source;
                let read = source.reader().file(&mut self.decoder, file, &mut found);
                read.is_ok().then_some(&found[..])
            }
            (bytes, _) => bytes,
        };
        self.whole_part(part, job, found);
    }

    /// Writes the bytes of a part; without any they are not to be had.
    fn whole_part(&mut self, part: &FilePart, job: &Arc<FileJob>, bytes: Option<&[u8]>) {
        let put = match bytes {
            Some(_) if job.has_failed() => Ok(None),
            Some(bytes) => self.put(job, part.at, bytes),
            None => {
                let why = StoreError::corrupt(Object::Chunk(part.id), Flaw::HashMismatch);
                job.fail(Failure::Damage(Damage::Needed(why)));
                Ok(None)
            }
        };
        match put {
            Ok(file) => self.written(job, file.as_deref()),
            Err(fault) => {
                job.fail(self.failure(fault));
                self.written(job, None);
            }
        }
    }

    /// A part's bytes, if they match the entry.
    fn bytes_of<'c>(&self, part: &FilePart, chunk: &'c [u8]) -> Option<&'c [u8]> {
        let keys = self.shared.source.reader().store().keys();
        match part.file {
            Some(file) => {
                let start = part.from as usize;
                let bytes = chunk.get(start..start.checked_add(part.len as usize)?)?;
                (keys.content_hash(bytes) == file.hash).then_some(bytes)
            }
            None => (chunk.len() == part.len as usize).then_some(chunk),
        }
    }

    /// Writes into the job's file, which the first to come creates.
    fn put(&mut self, job: &FileJob, at: u64, bytes: &[u8]) -> RestoreOutcome<Option<Arc<File>>> {
        let file = match job.in_one_part {
            true => Arc::new(self.create(job, at + bytes.len() as u64)?),
            false => {
                let mut state = job.state();
                match &state.file {
                    Some(file) => file.clone(),
                    None if state.failure.is_some() => return Ok(None),
                    None => {
                        let file = Arc::new(self.create_locked(job, &mut state.made, 0)?);
                        state.file = Some(file.clone());
                        file
                    }
                }
            }
        };
        let changes = self.shared.writable()?.changes();
        changes
            .write(&file, bytes, at)
            .map_err(|e| Fault::target(Operation::Write, e))?;
        self.shared.wrote(bytes.len() as u64);
        Ok(Some(file))
    }

    fn create(&mut self, job: &FileJob, reaches: u64) -> RestoreOutcome<File> {
        let mut made = false;
        let file = self.create_locked(job, &mut made, reaches);
        job.state().made = made;
        file
    }

    /// Creates the job's file with its size, which makes what is not written a hole. `reaches`: where the one write that
    /// is to come ends.
    fn create_locked(&mut self, job: &FileJob, made: &mut bool, reaches: u64) -> RestoreOutcome<File> {
        let dir = self.dir(&job.dir)?;
        let create = || dir.create_file(job.working_name());
        let file = self.shared.change_in(&job.dir, &dir, create)?;
        *made = true;
        if self.shared.sets_attributes() {
            set_first_flags(&file, job.meta.flags);
        }
        if reaches != job.meta.size {
            let changes = self.shared.writable()?.changes();
            changes
                .make(|| file.set_len(job.meta.size))
                .map_err(|e| Fault::target(Operation::SetSize, e))?;
        }
        Ok(file)
    }

    /// A part was dealt with; to be read back, it is not done before that.
    fn written(&mut self, job: &Arc<FileJob>, file: Option<&File>) {
        if !self.shared.options.verify {
            self.part_done(job, file);
        }
    }

    /// `file` saves opening what the job doesn't hold open.
    pub fn part_done(&mut self, job: &Arc<FileJob>, file: Option<&File>) {
        if job.part_done() {
            self.complete(job, file);
        }
    }

    /// All parts are done: finishes the file, or removes it.
    fn complete(&mut self, job: &Arc<FileJob>, file: Option<&File>) {
        let state = std::mem::take(&mut *job.state());
        let file = file.or(state.file.as_deref());
        let result = match (state.failure, file) {
            (None, Some(file)) => self.finish(job, file).map_err(|fault| self.failure(fault)),
            (None, None) => Err(Failure::Problem(RestoreProblem::NoContent)),
            (Some(failure), _) => Err(failure),
        };
        match result {
            Ok(()) => {}
            Err(failure) => {
                if state.made {
                    self.remove(job);
                }
                self.failed(job, failure);
            }
        }
        self.shared.progress();
    }

    fn finish(&mut self, job: &Arc<FileJob>, file: &File) -> RestoreOutcome<()> {
        let path = job.path();
        self.shared.monitor.current(&path);
        self.shared
            .apply_meta(&path, &At::Fd(file.as_fd()), &job.kind, &job.meta);
        let (_, now) = stat_fd(file.as_fd()).map_err(|e| Fault::target(Operation::Stat, e))?;
        if now.size != job.meta.size {
            return Err(Fault::Path(RestoreProblem::WrittenSize));
        }
        self.shared.finished(job, FileId::from(&now));
        Ok(())
    }

    /// Puts what needs no chunk into place: empty files and holes, links, devices, and metadata of what is there.
    pub fn loose(&mut self, job: &Arc<FileJob>) {
        if self.shared.stopping() {
            return;
        }
        match self.try_loose(job) {
            Ok(()) if job.is_kept() && job.kind == Kind::File => {
                self.shared.unchanged(&job.path(), &job.meta)
            }
            Ok(()) if job.is_kept() => self.restored(job),
            Ok(()) => {}
            Err(fault) => {
                if job.state().made {
                    self.remove(job);
                }
                let failure = self.failure(fault);
                self.failed(job, failure);
            }
        }
        self.shared.progress();
    }

    fn try_loose(&mut self, job: &Arc<FileJob>) -> RestoreOutcome<()> {
        if job.kind == Kind::File && !job.is_kept() {
            let file = self.create(job, 0)?;
            return self.finish(job, &file);
        }
        let dir = self.dir(&job.dir)?;
        if !job.is_kept() {
            let create = || dir.create_special(job.working_name(), &job.kind);
            self.shared.change_in(&job.dir, &dir, create)?;
            job.state().made = true;
        }
        let at = At::Name(dir.as_fd(), job.working_name());
        self.shared.apply_meta(&job.path(), &at, &job.kind, &job.meta);
        if !job.is_kept() {
            let (_, now) = dir.stat(job.working_name())?;
            self.shared.finished(job, FileId::from(&now));
        }
        Ok(())
    }

    /// What can't be removed is reported, lest half a file pass for a whole one.
    pub fn remove(&mut self, job: &FileJob) {
        let removed = self.dir(&job.dir).and_then(|dir| {
            let remove = || dir.remove(job.working_name());
            Ok(self.shared.change_in(&job.dir, &dir, remove)?)
        });
        if let Err(Fault::Path(why)) = removed {
            self.shared.temporaries.leave();
            let why = RestoreProblem::NotRemoved(Box::new(why));
            self.shared.problem(&job.path(), why);
        }
    }

    /// Puts a name beside the first of its file.
    pub fn link(&mut self, link: &Link) {
        let shared = self.shared;
        match self.try_link(link) {
            Ok(()) => {
                let counter = match link.is_file {
                    true => &shared.counts.files_restored,
                    false => &shared.counts.others,
                };
                counter.fetch_add(1, Relaxed);
                shared.verified(link.is_file);
                shared.counts.bytes_restored.fetch_add(link.size, Relaxed);
                shared.wrote(link.size);
            }
            Err(fault) => {
                if link.is_file {
                    shared.counts.files_failed.fetch_add(1, Relaxed);
                }
                self.blame(&join(&link.dir, &link.name), fault);
            }
        }
        shared.progress();
    }

    fn try_link(&mut self, link: &Link) -> RestoreOutcome<()> {
        let Some(id) = link.slot.id() else {
            let first = join(&link.slot.dir, &link.slot.name);
            return Err(Fault::Path(RestoreProblem::LinkedNotRestored { first }));
        };
        let from = self.dir(&link.slot.dir)?;
        let to = self.dir(&link.dir)?;
        let shared = self.shared;
        let put = |name: &[u8]| {
            let put = || to.hard_link(name, &from, &link.slot.name, id);
            shared.change_in(&link.dir, &to, put)
        };
        match link.action {
            Action::Create | Action::Keep { .. } => Ok(put(&link.name)?),
            Action::Replace => {
                let temporary = temporary_name(shared, &link.dir)?;
                put(&temporary)?;
                if let Err(e) = to.rename(&temporary, &link.name) {
                    discard(&to, &temporary);
                    return Err(e.into());
                }
                Ok(())
            }
        }
    }

    pub fn restored(&self, job: &FileJob) {
        let counts = &self.shared.counts;
        if job.kind == Kind::File {
            counts.files_restored.fetch_add(1, Relaxed);
            counts.bytes_restored.fetch_add(job.meta.size, Relaxed);
            self.shared.verified(true);
        } else {
            counts.others.fetch_add(1, Relaxed);
        }
        self.shared
            .entry(&job.path(), &job.kind, EntryChange::Restored, job.meta.size);
    }

    /// Counts and reports that the job is given up.
    pub fn failed(&self, job: &FileJob, failure: Failure) {
        if job.kind == Kind::File && failure != Failure::Abandoned {
            self.shared.counts.files_failed.fetch_add(1, Relaxed);
        }
        self.shared.failed(&job.path(), failure);
    }

    /// Turns what ends the run into the run's end.
    pub fn failure(&self, fault: Fault) -> Failure {
        fault.apart().unwrap_or_else(|e| {
            self.shared.fail(e);
            Failure::Abandoned
        })
    }

    pub fn blame(&self, path: &[u8], fault: Fault) {
        self.shared.failed(path, self.failure(fault));
    }
}

/// Removes a temporary name whose use has failed for a reason that is reported.
fn discard(dir: &TargetDir, temporary: &[u8]) {
    let _reported = dir.remove(temporary);
}
