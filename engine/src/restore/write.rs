//! The workers of a restore: what one thread needs to read a range, open its frames and put their bytes into files.
//! `reuse` has what is not read, as the target has it already, and `begin` how files come to be.
//!
//! Everything is made under a temporary name, readable only by its owner, and gets its metadata; its own
//! name comes last ([`super::finish`]). What fails is removed again.

use super::fault::{Fault, RestoreOutcome};
use super::job::{Failure, FileJob};
use super::open_dirs::OpenDirs;
use super::route::Route;
use super::shared::{Shared, below};
use super::window::{Builder, FilePart, Frame, Read, Window};
use crate::entry::{DirPath, Kind};
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
    pub plain: Vec<u8>,
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
    pub fn fetch(&mut self, window: &Window, read: &Read) {
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
                for frame in frames
                    .iter()
                    .filter(|frame| window.is_wanted(frame.parts.clone()))
                {
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
        if let Some(stored) = stored
            && self.proves_files(window, frame, stored, plain)
        {
            for (part, job) in window.wanted_of(frame.parts.clone()) {
                self.whole_part(part, job, slice_of(part, plain));
            }
            return;
        }
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

    /// Opens a bundle of small files, and compares each file that is wanted with its hash: that of the bundle proves
    /// nothing more, and would take as long again. Where anything is wrong the bundle is opened as every chunk, which
    /// says what.
    fn proves_files(&mut self, window: &Window, frame: &Frame, stored: &[u8], plain: &mut Vec<u8>) -> bool {
        let mut wanted = window.wanted_of(frame.parts.clone());
        if !wanted.all(|(part, _)| part.file.is_some()) {
            return false;
        }
        let keys = self.shared.source.reader().store().keys();
        let Frame { id, place, .. } = frame;
        let opened = self
            .decoder
            .expand_at(keys, Class::Data, *id, place, stored, plain);
        let mut wanted = window.wanted_of(frame.parts.clone());
        opened.is_ok() && wanted.all(|(part, _)| self.bytes_of(part, plain).is_some())
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
                for (part, job) in window.wanted_of(parts) {
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
        for (part, job) in window.wanted_of(parts) {
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
        for (_, job) in window.wanted_of(parts) {
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
            Ok(file) => self.written(job, file.as_ref()),
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
            Some(file) => slice_of(part, chunk).filter(|bytes| keys.content_hash(bytes) == file.hash),
            None => (chunk.len() == part.len as usize).then_some(chunk),
        }
    }

    /// Writes into the job's file, and gives it if the job does not hold it open.
    fn put(&mut self, job: &FileJob, at: u64, bytes: &[u8]) -> RestoreOutcome<Option<File>> {
        if job.in_one_part {
            let file = self.create(job, at + bytes.len() as u64)?;
            self.write(&file, at, bytes)?;
            return Ok(Some(file));
        }
        if let Some(open) = self.file_of(job)? {
            self.before_change(job, &open)?;
            self.write(&open.file, at, bytes)?;
        }
        Ok(None)
    }

    pub fn write(&self, file: &File, at: u64, bytes: &[u8]) -> RestoreOutcome<()> {
        let changes = self.shared.writable()?.changes();
        let written = changes.write(file, bytes, at);
        written.map_err(|e| Fault::target(Operation::Write, e))?;
        self.shared.wrote(bytes.len() as u64);
        Ok(())
    }

    /// Creates the job's file with its size. `reaches`: where the one write that is to come ends.
    fn create(&mut self, job: &FileJob, reaches: u64) -> RestoreOutcome<File> {
        let mut made = false;
        let created = self.create_locked(job, &mut made).and_then(|file| {
            if reaches != job.meta.size {
                self.set_size(&file, job)?;
            }
            Ok(file)
        });
        job.state().made = made;
        created
    }

    /// Creates the job's file.
    pub fn create_locked(&mut self, job: &FileJob, made: &mut bool) -> RestoreOutcome<File> {
        let dir = self.dir(&job.dir)?;
        let create = || dir.create_file(job.working_name());
        let file = self.shared.change_in(&job.dir, &dir, create)?;
        *made = true;
        if self.shared.sets_attributes() {
            set_first_flags(&file, job.meta.flags);
        }
        Ok(file)
    }

    /// A part was dealt with; to be read back, it is not done before that.
    pub fn written(&mut self, job: &Arc<FileJob>, file: Option<&File>) {
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
        let file = file.or(state.file.as_deref().map(|open| &open.file));
        let result = match (state.failure, file) {
            (None, Some(file)) => self.finish(job, file).map_err(|fault| self.failure(fault)),
            (None, None) => Err(Failure::Problem(RestoreProblem::NoContent)),
            (Some(failure), _) => Err(failure),
        };
        match result {
            Ok(()) => {}
            Err(failure) => {
                if state.made {
                    self.discard(job, &failure);
                }
                self.failed(job, failure);
            }
        }
        self.shared.progress();
    }

    fn finish(&mut self, job: &Arc<FileJob>, file: &File) -> RestoreOutcome<()> {
        let path = job.path();
        self.shared.monitor.current(&path);
        let (_, now) = stat_fd(file.as_fd()).map_err(|e| Fault::target(Operation::Stat, e))?;
        if now.size != job.meta.size {
            return Err(Fault::Path(RestoreProblem::WrittenSize));
        }
        let at = At::Examined(file.as_fd(), &now);
        self.shared.apply_meta(&path, &at, &job.kind, &job.meta);
        self.shared.finished(job, FileId::from(&now));
        Ok(())
    }

    /// Puts what needs no chunk into place: empty files and holes, links, devices, and metadata of what is there.
    pub fn loose(&mut self, job: &Arc<FileJob>) {
        if self.shared.stopping() {
            return;
        }
        let put = self.try_loose(job);
        if put.is_ok() && job.is_kept() {
            self.shared.dead.complete(job.sources.partial.as_deref());
        }
        match put {
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

/// Where a small file is in its bundle.
fn slice_of<'c>(part: &FilePart, chunk: &'c [u8]) -> Option<&'c [u8]> {
    let start = part.from as usize;
    chunk.get(start..start.checked_add(part.len as usize)?)
}
