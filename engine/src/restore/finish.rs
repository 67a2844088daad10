//! The last step of everything that was written: once it is on disk, it gets its name, and then its other names. And of
//! directories that had to be opened up: they get their permissions back; last of all, what nobody may change is locked.
//!
//! Names are given window by window, after one sync for all, so that at no moment, not even after a power failure, a
//! name leads to less than the whole file.

use super::fault::{Fault, RestoreOutcome};
use super::job::{Action, Failure, FileJob, Finished};
use super::leftovers::temporary_name;
use super::links::Link;
use super::shared::Shared;
use super::write::RestoreWorker;
use crate::entry::join;
use crate::error::Result;
use crate::fsmeta::{AsFd, TargetDir, set_flags};
use crate::platform::errno::errno_of;
use crate::problem::{MetaPart, RestoreProblem};
use chunkstore::error::Operation;
use std::io;
use std::sync::atomic::Ordering::Relaxed;

/// What was finished so far, written to disk. What can't be is removed.
pub(super) fn on_disk(shared: &Shared<'_>, worker: &mut RestoreWorker<'_, '_>) -> Result<Vec<Finished>> {
    let mut finished = std::mem::take(&mut *shared.finished.lock());
    // They were written by where their bytes lie, which may be all over the tree: so each directory is opened once.
    finished.sort_by(|a, b| a.job.dir.cmp(&b.job.dir));
    match shared.sync(&finished) {
        Ok(unreached) => {
            for Finished { job, .. } in finished.extract_if(.., |one| unreached.contains(&one.id.dev)) {
                let failure = Failure::Problem(RestoreProblem::Io {
                    operation: Operation::SyncRestored,
                    error: io::Error::from(io::ErrorKind::NotFound).into(),
                });
                worker.discard(&job, &failure);
                worker.failed(&job, failure);
            }
            Ok(finished)
        }
        Err(e) => {
            shared.note_space(&e);
            for Finished { job, .. } in &finished {
                worker.discard(job, &Failure::Abandoned);
                worker.failed(job, Failure::Abandoned);
            }
            Err(e)
        }
    }
}

/// Gives directories that were opened up their permissions back.
pub(super) fn put_back(shared: &Shared<'_>) {
    for (path, mode) in shared.opened.take_all() {
        let put_back = || -> RestoreOutcome<()> { Ok(shared.writable()?.dir(&path)?.set_mode(mode)?) };
        if let Err(Fault::Path(why)) = put_back() {
            let why = Box::new(why);
            shared.problem_in_target(&path, RestoreProblem::PermissionsNotPutBack(why));
        }
    }
}

/// Sets the flags of what nobody may change from now on, what is lowest first.
pub(super) fn lock(shared: &Shared<'_>) {
    for (path, is_dir, flags) in shared.locked.take_all() {
        match set_flags_of(shared, &path, is_dir, flags) {
            Ok(()) => {}
            Err(Fault::Path(RestoreProblem::Metadata(part, errno))) => {
                shared.meta_problem(&path, &part, errno);
            }
            Err(fault) => match fault.apart() {
                Ok(failure) => shared.failed(&path, failure),
                Err(e) => {
                    shared.fail(e);
                    shared.failed(&path, Failure::Abandoned);
                }
            },
        }
    }
}

fn set_flags_of(shared: &Shared<'_>, path: &[u8], is_dir: bool, flags: u32) -> RestoreOutcome<()> {
    let done = match is_dir {
        true => set_flags(shared.dir(path)?.as_fd(), flags),
        false => {
            let slash = path.iter().rposition(|b| *b == b'/');
            let (dir, name) = match slash {
                Some(slash) => (path.get(..slash), path.get(slash + 1..)),
                None => (path.get(..0), Some(path)),
            };
            let dir = shared.dir(dir.unwrap_or_default())?;
            let file = dir.open_file(name.unwrap_or_default())?;
            set_flags(&file, flags)
        }
    };
    done.map_err(|e| Fault::Path(RestoreProblem::Metadata(MetaPart::Flags, errno_of(&e))))
}

impl RestoreWorker<'_, '_> {
    /// Gives what was finished its name.
    pub fn place(&mut self, Finished { job, id }: &Finished) {
        match self.try_place(job) {
            Ok(()) => {
                if let Some(slot) = &job.slot {
                    slot.created(*id);
                }
                self.shared.dead.complete(job.sources.partial.as_deref());
                self.restored(job);
            }
            Err(fault) => {
                let failure = self.failure(fault);
                self.discard(job, &failure);
                self.failed(job, failure);
            }
        }
        self.shared.progress();
    }

    fn try_place(&mut self, job: &FileJob) -> RestoreOutcome<()> {
        let dir = self.dir(&job.dir)?;
        let renamed = self.shared.change_in(&job.dir, &dir, || match job.action {
            _ if job.has_its_name.load(Relaxed) => Ok(()),
            Action::Create => dir.rename_to_free(&job.temporary, &job.name),
            Action::Replace => dir.rename(&job.temporary, &job.name),
            Action::Keep { .. } => Ok(()),
        });
        Ok(renamed?)
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
}

/// Removes a temporary name whose use has failed for a reason that is reported.
fn discard(dir: &TargetDir, temporary: &[u8]) {
    let _reported = dir.remove(temporary);
}
