//! Reading back: what a window wrote is compared with the ids of its chunks before its files get their metadata.

use super::fault::{Fault, RestoreOutcome};
use super::job::{Failure, FileJob};
use super::window::{FilePart, Window};
use super::write::RestoreWorker;
use crate::entry::{Content, Entry, Extent, Kind};
use crate::error::{Error, Result};
use crate::fsmeta::{self, AsFd, DataRanges, TargetDir};
use crate::platform::handle::read_exact_at;
use crate::problem::RestoreProblem;
use crate::trees;
use chunkstore::compress::CHUNK_MAX;
use chunkstore::error::Operation;
use chunkstore::frame::Decoder;
use chunkstore::keys::Keys;
use chunkstore::reader::Reader;
use std::fs::File;
use std::ops::Range;

impl RestoreWorker<'_, '_> {
    /// Reads parts back; each is done by that.
    pub fn check(&mut self, window: &Window, parts: Range<usize>) {
        for (part, job) in window.jobs_of(parts) {
            if self.shared.stopping() {
                job.fail(Failure::Abandoned);
            }
            let checked = match job.has_failed() {
                true => Ok(None),
                false => self.check_part(part, job),
            };
            match checked {
                Ok(file) => self.part_done(job, file.as_ref()),
                Err(fault) => {
                    job.fail(self.failure(fault));
                    self.part_done(job, None);
                }
            }
        }
    }

    /// Gives the file if the job does not hold it open.
    fn check_part(&mut self, part: &FilePart, job: &FileJob) -> RestoreOutcome<Option<File>> {
        let open = job.state().file.clone();
        let opened = match &open {
            Some(_) => None,
            None => Some(self.dir(&job.dir)?.open_file(job.working_name())?),
        };
        let held = open.as_ref().map(|open| &open.file);
        let Some(file) = held.or(opened.as_ref()) else {
            return Ok(None);
        };
        // The window was written to disk, so this drops what the page cache has and the disk is asked.
        fsmeta::advise_done(file, part.at, part.len.into());
        let mut bytes = vec![0; part.len as usize];
        read_exact_at(file, &mut bytes, part.at).map_err(|e| Fault::target(Operation::ReadBack, e))?;
        let keys = self.shared.source.reader().store().keys();
        let same = match part.file {
            Some(file) => keys.content_hash(&bytes) == file.hash,
            None => keys.chunk_id(false, &bytes) == part.id,
        };
        match same {
            true => Ok(opened),
            false => Err(Fault::Path(RestoreProblem::ReadBack)),
        }
    }
}

/// Whether the file `name` holds exactly the entry's content. What can't be read does not.
pub(super) fn holds(reader: &Reader<'_>, dir: &TargetDir, name: &[u8], entry: &Entry) -> Result<bool> {
    match dir.open_file(name) {
        Ok(file) => file_holds(reader, &file, entry),
        Err(_) => Ok(false),
    }
}

/// The same of an open file.
pub(crate) fn file_holds(reader: &Reader<'_>, file: &File, entry: &Entry) -> Result<bool> {
    match fsmeta::stat_fd(file.as_fd()) {
        Ok((Kind::File, meta)) if meta.size == entry.meta.size => {}
        _ => return Ok(false),
    }
    let keys = reader.store().keys();
    let mut comparing = Comparing {
        keys,
        file,
        at: 0,
        buffer: Vec::new(),
        data: fsmeta::data_ranges(file, entry.meta.size),
        range: None,
    };
    if let Content::Bundled { len, hash, .. } = &entry.content {
        return Ok(u64::from(*len) == entry.meta.size
            && comparing.fill(*len as usize, 0).is_some()
            && keys.content_hash(&comparing.buffer) == *hash);
    }
    let mut same = true;
    let mut decoder = Decoder::new()?;
    let read = trees::for_each_extent(reader, &mut decoder, &entry.content, &mut |extent| {
        same = same && comparing.holds(&extent).is_some_and(|same| same);
        Ok(())
    });
    match read {
        Ok(()) => Ok(same && comparing.at == entry.meta.size),
        // Restoring it will show.
        Err(Error::Store(e)) if e.is_damage() => Ok(false),
        Err(e) => Err(e),
    }
}

/// An existing file that is compared with extents in order.
struct Comparing<'f> {
    keys: &'f Keys,
    file: &'f File,
    at: u64,
    buffer: Vec<u8>,
    data: DataRanges<&'f File>,
    /// The stretch of data that was last looked at.
    range: Option<(u64, u64)>,
}

impl Comparing<'_> {
    /// `None` where the file can't be read.
    fn holds(&mut self, extent: &Extent) -> Option<bool> {
        let same = match extent {
            Extent::Chunk { id, len } => {
                self.fill(*len as usize, self.at)?;
                self.keys.chunk_id(false, &self.buffer) == *id
            }
            Extent::Zero { len } => self.is_zero(self.at, self.at.checked_add(*len)?)?,
        };
        self.at = self.at.checked_add(extent.len())?;
        Some(same)
    }

    /// Holes are not read, however long.
    fn is_zero(&mut self, start: u64, end: u64) -> Option<bool> {
        loop {
            let (from, to) = match self.range {
                Some(range) if range.1 > start => range,
                _ => match self.data.next() {
                    Some(range) => *self.range.insert(range.ok()?),
                    None => return Some(true),
                },
            };
            let (mut at, stop) = (from.max(start), to.min(end));
            while at < stop {
                let step = (stop - at).min(1 << 20);
                self.fill(step as usize, at)?;
                if self.buffer.iter().any(|b| *b != 0) {
                    return Some(false);
                }
                at += step;
            }
            if to >= end {
                return Some(true);
            }
            self.range = None;
        }
    }

    fn fill(&mut self, len: usize, at: u64) -> Option<()> {
        if len > CHUNK_MAX {
            return None;
        }
        self.buffer.resize(len, 0);
        read_exact_at(self.file, &mut self.buffer, at).ok()
    }
}
