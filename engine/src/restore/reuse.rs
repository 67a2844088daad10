//! What of a file is in the target already, right where it belongs: it is not fetched. It may be in the file that is
//! replaced or changed in place, or in what a run that died has written (`begin`). It is never believed: each chunk is read
//! and must have its id.

use super::fault::{Fault, RestoreOutcome};
use super::job::{Failure, FileJob};
use super::window::{FilePart, Read, Window, ZeroPart};
use super::write::RestoreWorker;
use crate::fsmeta::{clear, has_data};
use crate::platform::handle::read_exact_at;
use chunkstore::compress::CHUNK_MAX;
use chunkstore::error::Operation;
use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

impl RestoreWorker<'_, '_> {
    /// Reads what is needed of a range of a pack, and puts its chunks where they belong.
    pub fn read(&mut self, window: &Window, read: &Read) {
        if !window.reuses {
            return self.fetch(window, read);
        }
        let frames = window.frames.get(read.frames.clone()).unwrap_or_default();
        for frame in frames {
            self.reuse(window, frame.parts.clone());
        }
        for rest in window.rest_of(read) {
            self.fetch(window, &rest);
        }
    }

    /// Marks the parts that are in the target.
    pub fn reuse(&mut self, window: &Window, parts: Range<usize>) {
        let mut bytes = std::mem::take(&mut self.plain);
        for (part, job) in window.jobs_of(parts) {
            if !job.reuses() || job.has_failed() || self.shared.stopping() {
                continue;
            }
            self.shared.rest();
            match self.find(part, job, &mut bytes) {
                Ok(true) => {
                    part.found();
                    self.shared.reused(part.len.into());
                    self.written(job, None);
                }
                Ok(false) => {}
                // The part is dealt with as that of any file that has failed.
                Err(fault) => job.fail(self.failure(fault)),
            }
        }
        self.plain = bytes;
    }

    /// Whether the part is in the file by now.
    fn find(&mut self, part: &FilePart, job: &FileJob, bytes: &mut Vec<u8>) -> RestoreOutcome<bool> {
        let Some(open) = self.file_of(job)? else {
            return Ok(false);
        };
        if open.has_content && self.holds(&open.file, part, bytes) {
            self.shared.wrote(part.len.into());
            return Ok(true);
        }
        if !open.others.iter().any(|other| self.holds(other, part, bytes)) {
            return Ok(false);
        }
        self.before_change(job, &open)?;
        self.write(&open.file, part.at, bytes)?;
        Ok(true)
    }

    /// What can't be read does not hold it.
    fn holds(&self, file: &File, part: &FilePart, bytes: &mut Vec<u8>) -> bool {
        if part.len as usize > CHUNK_MAX || !has_data(file, part.at, part.len.into()) {
            return false;
        }
        bytes.resize(part.len as usize, 0);
        let keys = self.shared.source.reader().store().keys();
        read_exact_at(file, bytes, part.at).is_ok() && keys.chunk_id(false, bytes) == part.id
    }

    /// Makes parts of files holes that may have had content there.
    pub fn clear(&mut self, window: &Window, zeros: Range<usize>) {
        for zero in window.zeros.get(zeros).unwrap_or_default() {
            let Some(job) = window.jobs.get(zero.job as usize) else {
                continue;
            };
            self.clear_part(zero, job);
        }
    }

    fn clear_part(&mut self, zero: &ZeroPart, job: &Arc<FileJob>) {
        if self.shared.stopping() {
            job.fail(Failure::Abandoned);
        }
        if !job.has_failed()
            && let Err(fault) = self.try_clear(zero, job)
        {
            job.fail(self.failure(fault));
        }
        self.part_done(job, None);
    }

    fn try_clear(&mut self, zero: &ZeroPart, job: &FileJob) -> RestoreOutcome<()> {
        let Some(open) = self.file_of(job)? else {
            return Ok(());
        };
        if !open.has_content || !has_data(&open.file, zero.at, zero.len) {
            return Ok(());
        }
        self.before_change(job, &open)?;
        let changes = self.shared.writable()?.changes();
        let cleared = changes.make(|| clear(&open.file, zero.at, zero.len));
        cleared.map_err(|e| Fault::target(Operation::Write, e))
    }
}
