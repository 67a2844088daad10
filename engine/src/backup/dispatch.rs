//! First stage: the walk joined with the parent generation, cut into jobs. One thread; reads no file.
//!
//! Jobs end where a keyed hash of a file's name says so once enough bytes of small files have gathered, so two
//! machines that store the same tree for the first time make the same bundles.

use super::job::{Job, Slot, State};
use super::parent::{Known, Parent};
use super::{Counts, Run};
use crate::entry::{Content, Extent, Kind, Trouble, join};
use crate::error::{Error, Result};
use crate::fsmeta::errno_of;
use crate::monitor::{Problem, ProblemKind};
use crate::trees;
use crate::walk::{Batch, Found, Lent, Walk};
use chunkstore::frame::Decoder;
use chunkstore::index::Presence;
use chunkstore::reader::Reader;
use chunkstore::{ChunkId, Place};
use crossbeam_channel::{Receiver, Sender};

/// Entries of a job at most; with [`super::WINDOW`] this bounds what the pipeline holds.
const ENTRIES: usize = 1024;

pub struct Dispatcher<'a, L> {
    pub run: &'a Run<'a>,
    pub parent: Parent<L>,
    pub reader: &'a Reader<'a>,
    pub to_workers: Sender<Job>,
    pub to_assembler: Sender<Job>,
    /// Room for a job's slots; as many as may be on their way, since the assembler gives them back.
    pub rooms: Receiver<Vec<Slot>>,
    job: Vec<Slot>,
    small_bytes: u64,
    todo: bool,
    number: u64,
    decoder: Decoder,
    /// Of the small files of the parent generation.
    presence: Presence,
    /// Sources, relative to `/`, that lie on another file system than in the parent generation.
    moved_sources: Vec<Vec<u8>>,
}

impl<'a, L: FnMut(&ChunkId, Option<&Place>) -> Result<Vec<u8>>> Dispatcher<'a, L> {
    pub fn new(
        run: &'a Run<'a>,
        parent: Parent<L>,
        reader: &'a Reader<'a>,
        to_workers: Sender<Job>,
        to_assembler: Sender<Job>,
        rooms: Receiver<Vec<Slot>>,
    ) -> Result<Self> {
        let decoder = Decoder::new()?;
        let (job, small_bytes, todo, number, presence, moved_sources) = Default::default();
        Ok(Dispatcher {
            run,
            parent,
            reader,
            to_workers,
            to_assembler,
            rooms,
            job,
            small_bytes,
            todo,
            number,
            decoder,
            presence,
            moved_sources,
        })
    }

    pub fn walk(mut self, walk: &mut Walk) -> Result<()> {
        for batch in walk.by_ref() {
            if self.run.monitor.interrupted() {
                return Err(Error::Interrupted);
            }
            self.batch(batch)?;
        }
        self.send()?;
        let missing = walk.missing_sources();
        if missing.len() + walk.excluded_sources().len() >= self.run.head.paths.len() {
            // What leads to the sources was found, and none of them: no generation is to say so.
            let why = "each of them is excluded, or vanished";
            return Err(Error::NoSource(why.to_string()));
        }
        for (path, errno) in missing {
            let path = std::os::unix::ffi::OsStringExt::into_vec(path.into_os_string());
            self.problem(path, ProblemKind::SourceMissing { errno });
        }
        Ok(())
    }

    fn problem(&self, path: Vec<u8>, what: ProblemKind) {
        self.run.problem(&Problem { path, what });
    }

    fn batch(&mut self, mut batch: Batch) -> Result<()> {
        if let Some(trouble) = batch.trouble {
            let path = [b"/", &batch.dir[..]].concat();
            self.run.unreadable_dir(&path);
            self.problem(path, ProblemKind::Source(trouble));
        }
        if batch.last && batch.entries.is_empty() {
            self.check_unmounted(&batch.dir)?;
        }
        for found in batch.entries {
            self.entry(&batch.dir, &mut batch.handle, found)?;
        }
        Ok(())
    }

    /// A source that held files, is empty now and lies on another file system than then: its disk is not mounted, and
    /// an empty generation would look like a backup.
    fn check_unmounted(&mut self, dir: &[u8]) -> Result<()> {
        if !self.moved_sources.iter().any(|source| source == dir) || !self.parent.has_entries_in(dir)? {
            return Ok(());
        }
        let path = [b"/", dir].concat();
        if self.run.head.paths.len() == 1 {
            let path = String::from_utf8_lossy(&path).into_owned();
            return Err(Error::NoSource(format!(
                "{path} is empty, and was not in the snapshot before"
            )));
        }
        let what = ProblemKind::SourceMissing {
            errno: rustix::io::Errno::NODEV.raw_os_error(),
        };
        self.problem(path, what);
        Ok(())
    }

    fn note_moved_source(&mut self, dir: &[u8], found: &Found, known: Option<&Known>) {
        let moved = known.is_some_and(|known| known.item.entry.meta.dev != found.meta.dev);
        if moved && found.kind == Kind::Dir {
            let path = join(dir, &found.name);
            if self
                .run
                .head
                .paths
                .iter()
                .any(|source| source.strip_prefix(b"/") == Some(&path[..]))
            {
                self.moved_sources.push(path);
            }
        }
    }

    fn entry(&mut self, dir: &crate::entry::DirPath, handle: &mut Option<Lent>, found: Found) -> Result<()> {
        let known = self.parent.take(dir, &found)?;
        for damage in std::mem::take(&mut self.parent.damage) {
            let why = format!("the snapshot before is damaged ({damage}); what it can't tell is read anew");
            let (path, what) = (Vec::new(), ProblemKind::Warning { why });
            self.run.monitor.problem(&Problem { path, what });
        }
        self.note_moved_source(dir, &found, known.as_ref());
        let counts = &self.run.counts;
        let is_dir = found.kind == Kind::Dir;
        let mut standing = if known.is_some() {
            Standing::Changed
        } else {
            Standing::New
        };
        let mut state = None;
        if let Some(Known {
            item,
            trusted,
            unchanged: true,
        }) = known
            && (trusted || self.references_present(&item.entry.content)?)
        {
            standing = Standing::Unmodified;
            counts.bytes.add(item.entry.meta.size);
            counts.files.add(u64::from(item.entry.kind == Kind::File));
            state = Some(State::Same(item.entry, trusted.then_some(item.pos)));
        }
        count(counts, is_dir, &found.kind, standing);
        let size = if found.kind == Kind::File {
            found.meta.size
        } else {
            0
        };
        let large = state.is_none() && size >= self.run.small_file;
        if large {
            // A large file is a job of its own, so that nothing waits behind it.
            self.send()?;
        }
        let mut cut_here = false;
        let state = state.unwrap_or_else(|| {
            self.todo = true;
            if !large && size > 0 {
                self.small_bytes += size;
                cut_here = self.run.ends_job(&found.name);
            }
            to_read(found, handle.as_mut())
        });
        self.job.push(Slot {
            dir: dir.clone(),
            state,
        });
        let target = u64::from(self.run.bundle_size);
        let full = (cut_here && self.small_bytes >= target / 2) || self.small_bytes >= 2 * target;
        if large || full || self.job.len() >= ENTRIES {
            self.send()?;
        }
        Ok(())
    }

    /// I-4 for a parent that proves nothing by itself: every chunk and small file must be in this session's view.
    fn references_present(&mut self, content: &Content) -> Result<bool> {
        let writer = self.run.writer;
        match content {
            Content::None => Ok(true),
            Content::Bundled { .. } => match content.small_file() {
                Some(file) => Ok(writer.present_file(&mut self.presence, &file)?),
                None => Ok(true),
            },
            Content::Extents(_) | Content::Lists(_) => {
                if let Content::Lists(lists) = content {
                    for list in lists {
                        if !writer.present(&list.id)? {
                            return Ok(false);
                        }
                    }
                }
                let mut present = true;
                trees::for_each_extent(self.reader, &mut self.decoder, content, &mut |extent| {
                    if let Extent::Chunk { id, .. } = extent {
                        present = present && writer.present(&id)?;
                    }
                    Ok(())
                })?;
                Ok(present)
            }
        }
    }

    fn send(&mut self) -> Result<()> {
        if self.job.is_empty() {
            return Ok(());
        }
        // A closed channel means that another stage failed; its error is the one to report.
        let stopped = || Error::Store(chunkstore::Error::WriterFailed);
        let room = self.rooms.recv().map_err(|_| stopped())?;
        let job = Job {
            number: self.number,
            slots: std::mem::replace(&mut self.job, room),
        };
        self.number += 1;
        self.small_bytes = 0;
        let to = if std::mem::take(&mut self.todo) {
            &self.to_workers
        } else {
            &self.to_assembler
        };
        to.send(job).map_err(|_| stopped())
    }
}

/// An entry that is to be read, with its open directory. One that can't be opened any more is trouble with the entry.
fn to_read(mut found: Found, handle: Option<&mut Lent>) -> State {
    let handle = match handle.map(Lent::open) {
        Some(Ok(handle)) => Some(handle.clone()),
        Some(Err(e)) => {
            let errno = errno_of(&e);
            found.trouble = found.trouble.or(Some(Trouble::Unreadable { errno }));
            None
        }
        None => None,
    };
    State::Todo { found, handle }
}

/// How an entry relates to the parent generation, for the summary.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    New,
    Changed,
    Unmodified,
}

fn count(counts: &Counts, is_dir: bool, kind: &Kind, standing: Standing) {
    let counter = match (is_dir, standing) {
        (true, Standing::New) => &counts.dirs_new,
        (true, Standing::Changed) => &counts.dirs_changed,
        (true, Standing::Unmodified) => &counts.dirs_unmodified,
        (false, _) if *kind != Kind::File => return,
        (false, Standing::New) => &counts.files_new,
        (false, Standing::Changed) => &counts.files_changed,
        (false, Standing::Unmodified) => &counts.files_unmodified,
    };
    counter.add(1);
}
