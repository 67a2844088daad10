//! How a file that is written in several parts begins: new, as a clone of the one that it replaces, as that file itself
//! (in place), or where a run that died has ended.
//!
//! A file that is changed in place is renamed before its first change, so that its name never leads to a part of it (I-19);
//! where nothing of it has to be changed, it keeps its name.

use super::fault::{Fault, RestoreOutcome};
use super::job::{Failure, FileJob, JobFile};
use super::partials::Writing;
use super::shared::below;
use super::write::RestoreWorker;
use crate::entry::{Kind, Meta, join};
use crate::fsmeta::{AsFd, FileId, TargetDir, TargetError, clone_file, stat_fd};
use crate::platform::process;
use crate::problem::RestoreProblem;
use chunkstore::error::Operation;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

impl RestoreWorker<'_, '_> {
    /// The file of a job with several parts, which the first to come opens; `None` once the job is given up.
    pub fn file_of(&mut self, job: &FileJob) -> RestoreOutcome<Option<Arc<JobFile>>> {
        let mut state = job.state();
        match &state.file {
            Some(open) => Ok(Some(open.clone())),
            None if state.failure.is_some() => Ok(None),
            None => {
                let open = Arc::new(self.open(job, &mut state.made)?);
                state.file = Some(open.clone());
                Ok(Some(open))
            }
        }
    }

    fn open(&mut self, job: &FileJob, made: &mut bool) -> RestoreOutcome<JobFile> {
        let (dir, sources) = (self.dir(&job.dir)?, &job.sources);
        let old = || open_regular(&dir, sources.old.then_some(&job.name)?);
        let partial = || open_regular(&dir, sources.partial.as_ref()?);
        if sources.in_place
            && let Some((file, meta)) = open_in_place(&dir, &job.name)
        {
            job.has_its_name.store(true, Release);
            if meta.size != job.meta.size {
                self.take_name(job, &file, made)?;
            }
            return Ok(JobFile {
                file,
                has_content: true,
                others: partial().into_iter().collect(),
            });
        }
        if let Some(name) = &sources.partial
            && let Some(file) = self.adopt(job, &dir, name, made)?
        {
            return Ok(JobFile {
                file,
                has_content: true,
                others: old().into_iter().collect(),
            });
        }
        let others: Vec<File> = old().into_iter().chain(partial()).collect();
        let file = self.create_locked(job, made)?;
        let changes = self.shared.writable()?.changes();
        let has_content = others
            .first()
            .is_some_and(|from| clone_file(changes, from, &file));
        self.set_size(&file, job)?;
        Ok(JobFile {
            file,
            has_content,
            others,
        })
    }

    /// Called before anything of a file is changed.
    pub fn before_change(&mut self, job: &FileJob, open: &JobFile) -> RestoreOutcome<()> {
        if !job.has_its_name.load(Acquire) {
            return Ok(());
        }
        let mut state = job.state();
        match job.has_its_name.load(Acquire) {
            true => self.take_name(job, &open.file, &mut state.made),
            // Another thread was quicker.
            false => Ok(()),
        }
    }

    /// Gives a file that is changed in place its temporary name, durably, and its size.
    fn take_name(&mut self, job: &FileJob, file: &File, made: &mut bool) -> RestoreOutcome<()> {
        let (dir, shared) = (self.dir(&job.dir)?, self.shared);
        self.note_in_place(job)?;
        if identity(&dir.stat(&job.name)?.1) != identity_of(file)? {
            let name = job.name.clone();
            return Err(Fault::Path(RestoreProblem::Replaced { name }));
        }
        shared.change_in(&job.dir, &dir, || dir.rename(&job.name, &job.temporary))?;
        job.in_place.store(true, Relaxed);
        *made = true;
        // Otherwise a power failure could leave changes in a file that still has its name.
        let synced = dir.sync_fs();
        synced.map_err(|e| Fault::Fatal(shared.not_on_disk(e)))?;
        self.set_size(file, job)?;
        job.has_its_name.store(false, Release);
        Ok(())
    }

    fn note_in_place(&self, job: &FileJob) -> RestoreOutcome<()> {
        let shared = self.shared;
        let path = join(below(&job.dir, shared.strip()), &job.name);
        let changes = shared.writable()?.changes();
        let noted = shared
            .temporaries
            .note(&job.temporary, &path, Writing::InPlace, changes);
        Ok(noted?)
    }

    /// Goes on with what a run that died has written. Not with a file that others may have open or may open, since what was
    /// verified in it could still change: only its content is used then.
    fn adopt(
        &mut self,
        job: &FileJob,
        dir: &TargetDir,
        name: &[u8],
        made: &mut bool,
    ) -> RestoreOutcome<Option<File>> {
        let shared = self.shared;
        let Some(how) = shared.dead.partials.lock().how(name) else {
            return Ok(None);
        };
        let Some((file, meta)) = open_in_place(dir, name) else {
            return Ok(None);
        };
        let is_private = meta.uid == process::user_id() && meta.mode & 0o077 == 0;
        let is_in_place = how == Writing::InPlace;
        let may_be_anyones = is_in_place && shared.options.in_place;
        if !(is_private || may_be_anyones) {
            return Ok(None);
        }
        if is_in_place {
            self.note_in_place(job)?;
        }
        shared.change_in(&job.dir, dir, || dir.rename(name, &job.temporary))?;
        job.in_place.store(is_in_place, Relaxed);
        *made = true;
        shared.dead.partials.lock().remove(name);
        if identity(&dir.stat(&job.temporary)?.1) != identity(&meta) {
            let name = name.to_vec();
            return Err(Fault::Path(RestoreProblem::Replaced { name }));
        }
        if meta.size != job.meta.size {
            self.set_size(&file, job)?;
        }
        Ok(Some(file))
    }

    /// What is not written becomes a hole.
    pub fn set_size(&self, file: &File, job: &FileJob) -> RestoreOutcome<()> {
        let changes = self.shared.writable()?.changes();
        let set = changes.make(|| file.set_len(job.meta.size));
        set.map_err(|e| Fault::target(Operation::SetSize, e))
    }

    /// Deals with what was written of a file that is given up: it is removed, unless the next run can go on with it or it
    /// is the user's own.
    pub fn discard(&mut self, job: &FileJob, failure: &Failure) {
        let shared = self.shared;
        let may_go_on = matches!(failure, Failure::Abandoned | Failure::Unreadable(_));
        if job.in_place.load(Relaxed) {
            shared.temporaries.leave();
            let name = job.temporary.clone();
            shared.problem(&job.path(), RestoreProblem::LeftInPlace { name });
        } else if job.has_its_name.load(Relaxed) {
            // Nothing of it was changed.
        } else if job.sources.resumable && may_go_on && !shared.is_full() {
            shared.temporaries.leave();
            shared.counts.partials.fetch_add(1, Relaxed);
        } else {
            self.remove(job);
        }
    }
}

/// A regular file, for reading. Nothing else is opened: that could have an effect, as with devices.
fn open_regular(dir: &TargetDir, name: &[u8]) -> Option<File> {
    let is_file = |kind: &Kind| *kind == Kind::File;
    let (kind, _) = dir.stat(name).ok()?;
    let file = is_file(&kind).then(|| dir.open_file(name).ok()).flatten()?;
    let (kind, _) = stat_fd(file.as_fd()).ok()?;
    is_file(&kind).then_some(file)
}

/// A regular file that has one name, for writing.
fn open_in_place(dir: &TargetDir, name: &[u8]) -> Option<(File, Meta)> {
    let is_it = |kind: &Kind, meta: &Meta| *kind == Kind::File && meta.nlink == 1;
    let (kind, before) = dir.stat(name).ok()?;
    let file = is_it(&kind, &before)
        .then(|| dir.open_to_lock(name).ok())
        .flatten()?;
    let (kind, meta) = stat_fd(file.as_fd()).ok()?;
    let is_same = is_it(&kind, &meta) && identity(&meta) == identity(&before);
    is_same.then_some((file, meta))
}

fn identity(meta: &Meta) -> FileId {
    FileId::from(meta)
}

fn identity_of(file: &File) -> Result<FileId, TargetError> {
    let found = stat_fd(file.as_fd());
    found
        .map(|(_, meta)| identity(&meta))
        .map_err(|e| TargetError::Io {
            operation: Operation::Stat,
            source: e.into(),
        })
}
