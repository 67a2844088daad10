//! From a file's content to parts in windows.

use super::fault::{Fault, RestoreOutcome};
use super::job::{Action, ContentSources, Failure, FileJob};
use super::leftovers::temporary_name;
use super::partials::Writing;
use super::plan::Planner;
use super::shared::below;
use super::window::{FilePart, ZeroPart};
use crate::entry::{Content, DirPath, Entry, Extent, join};
use crate::error::{Error, Result};
use crate::problem::RestoreProblem;
use crate::trees;
use chunkstore::error::{Flaw, Object};
use chunkstore::frame::Decoder;
use chunkstore::{ChunkId, SmallFile};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

impl Planner<'_, '_> {
    /// Plans what is to be written itself.
    pub(super) fn put(
        &mut self,
        dir: &DirPath,
        name: Vec<u8>,
        action: Action,
        mut entry: Entry,
    ) -> Result<()> {
        let temporary = match action {
            Action::Keep { .. } => Ok(Vec::new()),
            Action::Create | Action::Replace => temporary_name(self.shared, dir),
        };
        let temporary = match temporary.map_err(Fault::apart) {
            Ok(temporary) => temporary,
            Err(Ok(failure)) => {
                self.give_up(dir, &entry, failure);
                return Ok(());
            }
            Err(Err(e)) => return Err(e),
        };
        let slot = self.links.first(&entry, dir, &name)?;
        if let (Action::Keep { id }, Some(slot)) = (action, &slot) {
            slot.created(id);
        }
        let content = std::mem::replace(&mut entry.content, Content::None);
        let (chunks, listed) = match &content {
            _ if matches!(action, Action::Keep { .. }) => (0, false),
            Content::None => (0, false),
            Content::Bundled { .. } => (1, false),
            Content::Extents(extents) => (extents.iter().filter(|e| is_chunk(e)).count(), false),
            Content::Lists(_) => (0, true),
        };
        let mut job = FileJob::new(dir.clone(), name, entry, action, chunks == 1);
        (job.slot, job.temporary) = (slot, temporary);
        job.sources = match self.sources(&job, chunks > 1 || listed).map_err(Fault::apart) {
            Ok(sources) => sources,
            Err(Ok(failure)) => {
                self.pool.worker.failed(&job, failure);
                return Ok(());
            }
            Err(Err(e)) => return Err(e),
        };
        if chunks == 0 && !listed {
            let holes = match &content {
                Content::Extents(extents) => extents.iter().map(Extent::len).sum(),
                Content::None | Content::Bundled { .. } | Content::Lists(_) => 0,
            };
            if holes != job.meta.size && !job.is_kept() {
                let why = Failure::Problem(RestoreProblem::RecordedSize);
                self.pool.worker.failed(&job, why);
            } else {
                self.window.add_loose(job);
            }
            return Ok(());
        }
        self.content(&Arc::new(job), &content)
    }

    /// Where the content of a file may be already, which is looked at if it has several parts.
    fn sources(&self, job: &FileJob, in_parts: bool) -> RestoreOutcome<ContentSources> {
        let (shared, old) = (self.shared, in_parts && job.action == Action::Replace);
        if !in_parts && shared.dead.partials.lock().is_empty() {
            return Ok(ContentSources::default());
        }
        let path = join(below(&job.dir, shared.strip()), &job.name);
        let partial = shared.dead.partials.lock().of(&path).cloned();
        let resumable = in_parts && job.meta.size >= self.pool.limits.resume;
        if resumable {
            let changes = shared.writable()?.changes();
            let temporaries = &shared.temporaries;
            temporaries.note(&job.temporary, &path, Writing::New, changes)?;
        }
        Ok(ContentSources {
            old,
            in_place: old && resumable && shared.options.in_place,
            partial,
            resumable,
        })
    }

    /// Plans the parts of a file's content.
    fn content(&mut self, job: &Arc<FileJob>, content: &Content) -> Result<()> {
        let source = self.shared.source;
        let mut feed = Feed {
            planner: self,
            job,
            number: None,
            at: 0,
        };
        let fed = match content {
            Content::None => Ok(()),
            Content::Bundled { .. } => match content.small_file() {
                Some(file) => feed.part(file.bundle, file.offset, file.len, Some(file)),
                None => Ok(()),
            },
            Content::Extents(extents) => extents.iter().try_for_each(|extent| feed.extent(*extent)),
            Content::Lists(_) => Decoder::new().map_err(Error::from).and_then(|mut decoder| {
                let mut each = |extent| feed.extent(extent);
                trees::for_each_extent(source.reader(), &mut decoder, content, &mut each)
            }),
        };
        let covered = feed.at;
        let end = match fed {
            Ok(()) if covered == job.meta.size => Ok(()),
            Ok(()) => {
                job.fail(Failure::Problem(RestoreProblem::RecordedSize));
                Ok(())
            }
            Err(e) => match Fault::from(e).apart() {
                Ok(failure) => {
                    job.fail(failure);
                    Ok(())
                }
                Err(e) => {
                    job.fail(Failure::Abandoned);
                    Err(e)
                }
            },
        };
        self.pool.worker.part_done(job, None);
        end
    }
}

/// Adds the parts of one file to windows.
struct Feed<'f, 'r, 'a> {
    planner: &'f mut Planner<'r, 'a>,
    job: &'f Arc<FileJob>,
    /// The job's in the window at hand.
    number: Option<u32>,
    /// Bytes planned.
    at: u64,
}

impl Feed<'_, '_, '_> {
    fn extent(&mut self, extent: Extent) -> Result<()> {
        match extent {
            Extent::Chunk { id, len } => self.part(id, 0, len, None),
            Extent::Zero { len } if !self.job.reuses() => self.advance(len),
            Extent::Zero { len } => self.zeros(len),
        }
    }

    fn zeros(&mut self, len: u64) -> Result<()> {
        let at = self.at;
        self.advance(len)?;
        if self.job.has_failed() {
            return Ok(());
        }
        let job = self.number()?;
        self.planner.window.add_zero(ZeroPart { job, at, len });
        Ok(())
    }

    fn part(&mut self, id: ChunkId, from: u32, len: u32, file: Option<SmallFile>) -> Result<()> {
        let at = self.at;
        self.advance(len.into())?;
        // One lost part is enough: no more is read for it.
        if self.job.has_failed() {
            return Ok(());
        }
        let job = self.number()?;
        self.planner.window.add_part(FilePart {
            id,
            job,
            from,
            len,
            at,
            file,
            is_found: AtomicBool::new(false),
        });
        Ok(())
    }

    /// The job's in a window that has room.
    fn number(&mut self) -> Result<u32> {
        let planner = &mut *self.planner;
        if self.number.is_some() && planner.window.is_full(&planner.pool.limits) {
            planner.shared.check()?;
            planner.rotate()?;
            self.number = None;
        }
        Ok(match self.number {
            Some(job) => job,
            None => *self.number.insert(planner.window.add_job(self.job)),
        })
    }

    /// Nothing is written past the recorded size.
    fn advance(&mut self, len: u64) -> Result<()> {
        let next = self.at.checked_add(len).filter(|at| *at <= self.job.meta.size);
        self.at = next.ok_or_else(|| chunkstore::Error::corrupt(Object::Entry, Flaw::LengthMismatch))?;
        Ok(())
    }
}

fn is_chunk(extent: &Extent) -> bool {
    match extent {
        Extent::Chunk { .. } => true,
        Extent::Zero { .. } => false,
    }
}
