//! Second stage: workers read files and put their chunks. Each runs a job to its end, so a chunk stays in the
//! processor's cache from reading to sealing; buffers are kept from job to job. How a file is read is in `read`.

use super::BackupRun;
use super::ahead::{Ahead, Opened};
use super::job::{BackupJob, ChunkCell, EntryState, JobPart};
use crate::entry::{Content, Entry, Kind, Trouble, join};
use crate::error::{Error, Result};
use crate::fsmeta::{self, AsFd, Owners};
use crate::monitor::{EntryChange, Problem, ProblemKind};
use crate::platform::errno;
use crate::tree::{CodecError, Differs, check_entry};
use crate::walk::{DirHandle, Found, Lent};
use chunkstore::frame::Encoder;
use chunkstore::index::{KnownFile, Presence};
use chunkstore::pack::Class;
use chunkstore::{ContentHash, SmallFile};
use crossbeam_channel::{Receiver, Sender, select};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

pub struct Worker<'a> {
    pub(super) run: &'a BackupRun<'a>,
    pub(super) lane: usize,
    pub(super) encoder: Encoder,
    pub(super) owners: Owners,
    pub(super) ahead: Ahead,
    /// Contents of the current job's small files, one behind the other.
    pub(super) arena: Vec<u8>,
    bundle: Bundle,
    /// Nothing in the job was known before: then its bundle ends with it, whichever worker has it, so that two machines
    /// that store the same tree make the same bundles.
    all_new: bool,
    /// Bytes that the job's small files may yet have beyond their examined sizes.
    pub(super) surplus: u64,
    /// Window over a large file.
    pub(super) window: Vec<u8>,
}

/// Small files gathered for one chunk.
struct Bundle {
    data: Vec<u8>,
    cell: Arc<ChunkCell>,
    files: Vec<(ContentHash, u32, u32)>,
}

impl Bundle {
    fn new() -> Self {
        Bundle {
            data: Vec::new(),
            cell: ChunkCell::new(),
            files: Vec::new(),
        }
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        self.cell.fail();
    }
}

/// A small file read into the arena.
pub(super) struct Small {
    pub(super) slot: usize,
    pub(super) start: usize,
    pub(super) len: usize,
    pub(super) hash: ContentHash,
}

/// What became of an entry since the parent generation: one that was read again and is as it was is unmodified.
pub(super) fn change_since(known: Option<&Entry>, entry: &Entry, part: Option<&JobPart>) -> EntryChange {
    let Some(known) = known else {
        return EntryChange::New;
    };
    let differs = Differs::between(known, entry);
    let content = match (part, &known.content) {
        (None, _) => differs.content,
        (Some(part), Content::Bundled { len, hash, .. }) => (*len, *hash) != (part.len, part.hash),
        (Some(_), Content::None | Content::Extents(_) | Content::Lists(_)) => true,
    };
    match entry.trouble.is_some() || known.kind != entry.kind || content || differs.metadata {
        true => EntryChange::Modified,
        false => EntryChange::Unchanged,
    }
}

impl<'a> Worker<'a> {
    pub fn new(run: &'a BackupRun<'a>, lane: usize) -> Result<Self> {
        Ok(Worker {
            run,
            lane,
            encoder: Encoder::new(run.level)?,
            owners: Owners::default(),
            ahead: Ahead::new(),
            arena: Vec::new(),
            bundle: Bundle::new(),
            all_new: false,
            surplus: 0,
            window: Vec::new(),
        })
    }

    pub fn work(mut self, jobs: &Receiver<BackupJob>, done: &Sender<BackupJob>) -> Result<()> {
        let worked = self.work_until_stopped(jobs, done);
        // Also when the user stopped the run: entries that are done wait for this bundle.
        match worked {
            Ok(()) | Err(Error::Interrupted) => self.seal_bundle().and(worked),
            failed => failed,
        }
    }

    fn work_until_stopped(&mut self, jobs: &Receiver<BackupJob>, done: &Sender<BackupJob>) -> Result<()> {
        loop {
            let job = match jobs.try_recv() {
                Ok(job) => job,
                Err(_) => {
                    // Nothing to add to the open bundle, and others may be waiting for it.
                    self.seal_bundle()?;
                    match self.help_until_next(jobs)? {
                        Some(job) => job,
                        None => return Ok(()),
                    }
                }
            };
            self.run.share.enter();
            let job = self.job(job);
            self.run.share.leave();
            let job = job?;
            if self.all_new || self.bundle.data.len() >= self.run.bundle_size as usize / 4 {
                self.seal_bundle()?;
            }
            if done.send(job).is_err() {
                return Err(Error::Store(chunkstore::Error::WriterFailed));
            }
        }
    }

    /// Stores chunks of other workers' files until there is a job; `None` when there will be none.
    fn help_until_next(&mut self, jobs: &Receiver<BackupJob>) -> Result<Option<BackupJob>> {
        let share = &self.run.share;
        loop {
            select! {
                recv(share.tasks()) -> task => {
                    if let Ok(task) = task {
                        share.store(self.run, self.lane, &mut self.encoder, task)?;
                    }
                }
                recv(jobs) -> job => match job {
                    Ok(job) => return Ok(Some(job)),
                    Err(_) => break,
                },
            }
        }
        while !share.all_idle() {
            if let Ok(task) = share.tasks().recv_timeout(Duration::from_millis(2)) {
                share.store(self.run, self.lane, &mut self.encoder, task)?;
            }
        }
        Ok(None)
    }

    fn job(&mut self, mut job: BackupJob) -> Result<BackupJob> {
        let mut small = Vec::new();
        self.all_new = job
            .slots
            .iter()
            .all(|slot| matches!(slot.state, EntryState::Todo { .. }));
        let mut knowns = Vec::new();
        self.arena.clear();
        self.surplus = u64::from(self.run.bundle_size) / 4;
        self.ahead.begin();
        for number in 0..job.slots.len() {
            if matches!(job.slots[number].state, EntryState::Output { .. }) {
                self.output(&mut job.slots[number])?;
            }
            if !matches!(job.slots[number].state, EntryState::Todo { .. }) {
                continue;
            }
            let opened = self.ahead.take(&job.slots, number, self.run.small_file);
            let slot = &mut job.slots[number];
            self.run.step()?;
            let state = std::mem::replace(&mut slot.state, EntryState::LeftOut);
            let EntryState::Todo { found, dir, known } = state else {
                continue;
            };
            let path = join(&slot.dir, &found.name);
            self.run.monitor.current(&path);
            let entry = match &dir {
                Some(dir) if found.special => self.special(found, dir)?,
                dir => self.draft(&path, found, dir.as_deref(), opened, number, &mut small)?,
            };
            if !self.is_accepted(&path, &slot.dir, &entry)? {
                small.retain(|file| file.slot != number);
                continue;
            }
            if entry.kind == Kind::File {
                self.run.counts.files.add(1);
                self.run.counts.bytes.add(entry.meta.size);
            }
            slot.state = EntryState::Drafted(entry, None, EntryChange::New);
            knowns.push((number, known));
            self.run.progress();
        }
        self.keep_places(&mut job, &mut small, &knowns)?;
        self.place_small(&mut job, &small)?;
        for (number, known) in knowns {
            if let EntryState::Drafted(entry, part, change) = &mut job.slots[number].state {
                *change = change_since(known.as_deref(), entry, part.as_ref());
                self.run.counts.count(&entry.kind, *change);
            }
        }
        Ok(job)
    }

    /// Whether an entry can be stored. Reports why not, and what its source reported of it.
    fn is_accepted(&self, path: &[u8], dir: &[u8], entry: &Entry) -> Result<bool> {
        let shown = || [b"/", path].concat();
        if let Err(e) = check_entry(dir, entry) {
            let CodecError::Damaged(part, fault) = e else {
                return Err(e.of_entry(dir, &entry.name));
            };
            let (path, what) = (shown(), ProblemKind::LeftOut { part, fault });
            self.run.problem(&Problem { path, what });
            return Ok(false);
        }
        if let Some(trouble) = entry.trouble {
            trouble.of_the_source(path)?;
            let (path, what) = (shown(), ProblemKind::Source(trouble));
            self.run.problem(&Problem { path, what });
        }
        Ok(true)
    }

    /// Examines and reads the entry at `path`. Small files end in the arena and are placed later, all at once.
    fn draft(
        &mut self,
        path: &[u8],
        found: Found,
        dir: Option<&Lent>,
        opened: Option<Opened>,
        slot: usize,
        small: &mut Vec<Small>,
    ) -> Result<Entry> {
        let mut entry = Entry {
            name: found.name,
            kind: found.kind,
            meta: found.meta,
            content: Content::None,
            trouble: found.trouble,
        };
        let dir = dir.map_or_else(|| Err(errno::error(0)), Lent::open);
        if let Err(e) = &dir {
            let errno = errno::errno_of(e);
            entry.trouble = entry.trouble.or(Some(Trouble::Unreadable { errno }));
        }
        let (Ok(dir), None) = (dir, entry.trouble) else {
            entry.meta.size = 0;
            return Ok(entry);
        };
        match entry.kind {
            Kind::File => self.file(&dir, opened, &mut entry, slot, small)?,
            Kind::Dir
            | Kind::Symlink { .. }
            | Kind::CharDevice { .. }
            | Kind::BlockDevice { .. }
            | Kind::Fifo
            | Kind::Socket => self.complete_unread(&dir, path, &mut entry),
        }
        Ok(entry)
    }

    /// The rest of the metadata of an entry without content: of a directory that is read elsewhere, from there.
    fn complete_unread(&self, dir: &DirHandle, path: &[u8], entry: &mut Entry) {
        let instead = match entry.kind == Kind::Dir {
            true => dir.instead(path),
            false => Ok(None),
        };
        entry.trouble = match instead {
            Ok(instead) => fsmeta::complete(
                dir.as_fd(),
                &entry.name,
                instead.as_ref().map(AsFd::as_fd),
                &self.owners,
                &mut entry.kind,
                &mut entry.meta,
            ),
            Err(e) => Some(Trouble::Unreadable {
                errno: errno::errno_of(&e),
            }),
        };
    }

    /// Leaves small files that were read again, and are as they were, where they are: of several places of the same content
    /// another could be found, and the tree would not be the same (`--skip-if-unchanged`).
    fn keep_places(
        &self,
        job: &mut BackupJob,
        small: &mut Vec<Small>,
        knowns: &[(usize, Option<Box<Entry>>)],
    ) -> Result<()> {
        let mut presence = Presence::default();
        let mut failure = None;
        small.retain(|file| {
            let at = knowns.binary_search_by_key(&file.slot, |(slot, _)| *slot);
            let known = at.ok().and_then(|at| knowns[at].1.as_deref());
            let EntryState::Drafted(entry, ..) = &mut job.slots[file.slot].state else {
                return true;
            };
            let place = known.and_then(|known| known.content.small_file());
            let is_same = |place: &SmallFile| place.hash == file.hash && place.len as usize == file.len;
            let Some(place) = place.filter(is_same) else {
                return true;
            };
            match self.run.writer.present_file(&mut presence, &place) {
                Ok(true) => entry.content = Content::from(place),
                Ok(false) => return true,
                Err(e) => failure = Some(e),
            }
            false
        });
        failure.map_or(Ok(()), |e| Err(e.into()))
    }

    /// Finds the job's small files among what is known, and adds the others to the open bundle.
    fn place_small(&mut self, job: &mut BackupJob, small: &[Small]) -> Result<()> {
        if small.is_empty() {
            return Ok(());
        }
        let mut hashes: Vec<ContentHash> = small.iter().map(|file| file.hash).collect();
        hashes.sort_unstable();
        hashes.dedup();
        let known: HashMap<ContentHash, KnownFile> = hashes
            .iter()
            .copied()
            .zip(self.run.writer.known_files(&hashes)?)
            .filter_map(|(h, k)| Some((h, k?)))
            .collect();
        self.all_new &= known.is_empty();
        let mut here: HashMap<ContentHash, u32> = HashMap::new();
        for file in small {
            let EntryState::Drafted(entry, part, _) = &mut job.slots[file.slot].state else {
                continue;
            };
            let (hash, len) = (file.hash, file.len as u32);
            if let Some(known) = known.get(&hash).filter(|known| known.len == len) {
                entry.content = Content::Bundled {
                    bundle: known.bundle,
                    offset: known.offset,
                    len,
                    hash,
                };
                continue;
            }
            let offset = *here.entry(hash).or_insert_with(|| {
                let offset = self.bundle.data.len() as u32;
                self.bundle
                    .data
                    .extend_from_slice(&self.arena[file.start..file.start + file.len]);
                self.bundle.files.push((hash, offset, len));
                offset
            });
            *part = Some(JobPart {
                bundle: self.bundle.cell.clone(),
                offset,
                len,
                hash,
            });
        }
        Ok(())
    }

    fn seal_bundle(&mut self) -> Result<()> {
        if self.bundle.data.is_empty() {
            return Ok(());
        }
        let id = self
            .run
            .writer
            .put(self.lane, &mut self.encoder, Class::Data, &self.bundle.data)?
            .id;
        let files = std::mem::take(&mut self.bundle.files);
        let known: Vec<(ContentHash, KnownFile)> = files
            .into_iter()
            .map(|(hash, offset, len)| {
                (
                    hash,
                    KnownFile {
                        bundle: id,
                        offset,
                        len,
                    },
                )
            })
            .collect();
        self.run.writer.remember_files(&known)?;
        self.bundle.cell.fill(id);
        self.bundle.data.clear();
        self.bundle.cell = ChunkCell::new();
        Ok(())
    }
}
