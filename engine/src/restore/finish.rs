//! The last step of everything that was written: once it is on disk, it gets its name. And of directories that had to
//! be opened up: they get their permissions back; last of all, what nobody may change is locked.
//!
//! Names are given window by window, after one sync for all, so that at no moment, not even after a power failure, a
//! name leads to less than the whole file.

use super::fault::{Fault, RestoreOutcome};
use super::job::{Action, Failure, FileJob, Finished};
use super::shared::Shared;
use super::write::RestoreWorker;
use crate::entry::DirPath;
use crate::error::Result;
use crate::fsmeta::{AsFd, set_flags};
use crate::platform::errno::errno_of;
use crate::problem::{MetaPart, RestoreProblem};
use std::collections::BTreeMap;

/// What was finished so far, written to disk. What can't be is removed.
pub(super) fn on_disk(shared: &Shared<'_>, worker: &mut RestoreWorker<'_, '_>) -> Result<Vec<Finished>> {
    let mut finished = std::mem::take(&mut *shared.finished.lock());
    // They were written by where their bytes lie, which may be all over the tree: so each directory is opened once.
    finished.sort_by(|a, b| a.job.dir.cmp(&b.job.dir));
    let mut devices: BTreeMap<u64, DirPath> = BTreeMap::new();
    for Finished { job, id } in &finished {
        devices.entry(id.dev).or_insert_with(|| job.dir.clone());
    }
    match shared.sync(devices) {
        Ok(()) => Ok(finished),
        Err(e) => {
            for Finished { job, .. } in &finished {
                worker.remove(job);
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
                self.restored(job);
            }
            Err(fault) => {
                self.remove(job);
                let failure = self.failure(fault);
                self.failed(job, failure);
            }
        }
        self.shared.progress();
    }

    fn try_place(&mut self, job: &FileJob) -> RestoreOutcome<()> {
        let dir = self.dir(&job.dir)?;
        let renamed = self.shared.change_in(&job.dir, &dir, || match job.action {
            Action::Create => dir.rename_to_free(&job.temporary, &job.name),
            Action::Replace => dir.rename(&job.temporary, &job.name),
            Action::Keep { .. } => Ok(()),
        });
        Ok(renamed?)
    }
}
