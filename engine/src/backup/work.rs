//! Second stage: workers read files and put their chunks. Each runs a job to its end, so a chunk stays in the
//! processor's cache from reading to sealing; buffers are kept from job to job.

use super::Run;
use super::ahead::{Ahead, Opened};
use super::job::{BundleCell, Job, Part, State};
use super::open::{open_file, stat_file};
use super::stream::{RangeReader, chunk_stream};
use crate::entry::{Content, Entry, Extent, Kind, Meta, Trouble, join};
use crate::error::{Error, Result};
use crate::fsmeta::{self, Owners};
use crate::monitor::{Problem, ProblemKind};
use crate::tree::{ExtentListWriter, check_entry};
use crate::walk::{DirHandle, Found, Lent};
use chunkstore::ContentHash;
use chunkstore::frame::Encoder;
use chunkstore::index::KnownFile;
use chunkstore::pack::Class;
use crossbeam_channel::{Receiver, Sender, select};
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A file that moves under the reader is read at most this often.
const TRIES: usize = 3;

pub struct Worker<'a> {
    run: &'a Run<'a>,
    lane: usize,
    encoder: Encoder,
    owners: Owners,
    ahead: Ahead,
    /// Contents of the current job's small files, one behind the other.
    arena: Vec<u8>,
    bundle: Bundle,
    /// Nothing in the job was known before: then its bundle ends with it, whichever worker has it, so that two machines
    /// that store the same tree make the same bundles.
    all_new: bool,
    /// Window over a large file.
    window: Vec<u8>,
}

/// Small files gathered for one chunk.
struct Bundle {
    data: Vec<u8>,
    cell: Arc<BundleCell>,
    files: Vec<(ContentHash, u32, u32)>,
}

impl Bundle {
    fn new() -> Self {
        Bundle {
            data: Vec::new(),
            cell: BundleCell::new(),
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
struct Small {
    slot: usize,
    start: usize,
    len: usize,
    hash: ContentHash,
}

impl<'a> Worker<'a> {
    pub fn new(run: &'a Run<'a>, lane: usize) -> Result<Self> {
        Ok(Worker {
            run,
            lane,
            encoder: Encoder::new(run.level)?,
            owners: Owners::default(),
            ahead: Ahead::new(),
            arena: Vec::new(),
            bundle: Bundle::new(),
            all_new: false,
            window: Vec::new(),
        })
    }

    pub fn work(mut self, jobs: &Receiver<Job>, done: &Sender<Job>) -> Result<()> {
        let worked = self.work_until_stopped(jobs, done);
        // Also when the user stopped the run: entries that are done wait for this bundle.
        match worked {
            Ok(()) | Err(Error::Interrupted) => self.seal_bundle().and(worked),
            failed => failed,
        }
    }

    fn work_until_stopped(&mut self, jobs: &Receiver<Job>, done: &Sender<Job>) -> Result<()> {
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
    fn help_until_next(&mut self, jobs: &Receiver<Job>) -> Result<Option<Job>> {
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

    fn job(&mut self, mut job: Job) -> Result<Job> {
        let mut small = Vec::new();
        self.all_new = job
            .slots
            .iter()
            .all(|slot| matches!(slot.state, State::Todo { .. }));
        self.arena.clear();
        self.ahead.begin();
        for number in 0..job.slots.len() {
            if !matches!(job.slots[number].state, State::Todo { .. }) {
                continue;
            }
            let opened = self.ahead.take(&job.slots, number, self.run.small_file);
            let slot = &mut job.slots[number];
            if self.run.stopping() {
                return Err(Error::Interrupted);
            }
            let state = std::mem::replace(&mut slot.state, State::LeftOut);
            let State::Todo { found, dir } = state else {
                continue;
            };
            let path = join(&slot.dir, &found.name);
            self.run.monitor.current(&path);
            let entry = self.draft(found, dir.as_deref(), opened, number, &mut small)?;
            if let Err(e) = check_entry(&slot.dir, &entry) {
                let why = format!("it is left out: {e}");
                let path = [b"/", &path[..]].concat();
                self.run.problem(&Problem {
                    path,
                    what: ProblemKind::LeftOut { why },
                });
                small.retain(|file| file.slot != number);
                slot.state = State::LeftOut;
                continue;
            }
            if let Some(trouble) = entry.trouble {
                trouble.of_the_source(&path)?;
                let path = [b"/", &path[..]].concat();
                self.run.problem(&Problem {
                    path,
                    what: ProblemKind::Source(trouble),
                });
            }
            if entry.kind == Kind::File {
                self.run.counts.files.add(1);
                self.run.counts.bytes.add(entry.meta.size);
            }
            slot.state = State::Drafted(entry, None);
            self.run.progress();
        }
        self.place_small(&mut job, &small)?;
        Ok(job)
    }

    /// Examines and reads one entry. Small files end in the arena and are placed later, all at once.
    fn draft(
        &mut self,
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
        let dir = dir.map_or_else(|| Err(io::Error::from_raw_os_error(0)), Lent::open);
        if let Err(e) = &dir {
            let errno = fsmeta::errno_of(e);
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
            | Kind::Socket => {
                entry.trouble = fsmeta::complete(
                    dir.as_fd(),
                    &entry.name,
                    None,
                    &self.owners,
                    &mut entry.kind,
                    &mut entry.meta,
                );
            }
        }
        Ok(entry)
    }

    fn file(
        &mut self,
        dir: &DirHandle,
        opened: Option<Opened>,
        entry: &mut Entry,
        slot: usize,
        small: &mut Vec<Small>,
    ) -> Result<()> {
        let (file, before) = match opened.unwrap_or_else(|| open_file(dir, &entry.name)) {
            Ok(opened) => opened,
            Err(e) => {
                entry.trouble = Some(Trouble::Unreadable {
                    errno: fsmeta::errno_of(&e),
                });
                entry.meta.size = 0;
                return Ok(());
            }
        };
        let read = self.read_settled(&file, before, entry, slot, small)?;
        if let Err(e) = read {
            entry.trouble = Some(Trouble::Unreadable {
                errno: fsmeta::errno_of(&e),
            });
            entry.content = Content::None;
            entry.meta.size = 0;
            return Ok(());
        }
        let (mut kind, fd) = (Kind::File, Some(file.as_fd()));
        let failed = fsmeta::complete(
            dir.as_fd(),
            &entry.name,
            fd,
            &self.owners,
            &mut kind,
            &mut entry.meta,
        );
        entry.trouble = entry.trouble.or(failed);
        Ok(())
    }

    /// Reads until the file did not move meanwhile, or says that it did. The inner error is the source's (I-12), the
    /// outer one the repository's (I-11).
    fn read_settled(
        &mut self,
        file: &File,
        mut before: Meta,
        entry: &mut Entry,
        slot: usize,
        small: &mut Vec<Small>,
    ) -> Result<io::Result<()>> {
        for attempt in 1..=TRIES {
            let start = self.arena.len();
            let read = if before.size < self.run.small_file {
                let began = Instant::now();
                let read = self.read_small(file, before.size);
                self.ahead.took(began.elapsed());
                read
            } else {
                let read = self.read_large(file, before.size)?;
                self.run.large_file_done(self.lane);
                match read {
                    Ok((content, bytes)) => {
                        entry.content = content;
                        Ok(bytes)
                    }
                    Err(e) => Err(e),
                }
            };
            let (bytes, after) = match read.and_then(|bytes| Ok((bytes, stat_file(file)?))) {
                Ok(read) => read,
                Err(e) => {
                    self.arena.truncate(start);
                    return Ok(Err(e));
                }
            };
            let settled = after.size == before.size
                && after.mtime == before.mtime
                && after.ctime == before.ctime
                && bytes == before.size;
            if settled || attempt == TRIES {
                entry.meta = Meta {
                    size: bytes,
                    ..before
                };
                if !settled {
                    entry.trouble = Some(Trouble::Changed);
                }
                if self.arena.len() > start {
                    let hash = self.run.writer_keys().content_hash(&self.arena[start..]);
                    small.push(Small {
                        slot,
                        start,
                        len: self.arena.len() - start,
                        hash,
                    });
                }
                return Ok(Ok(()));
            }
            self.arena.truncate(start);
            entry.content = Content::None;
            before = after;
        }
        Ok(Ok(()))
    }

    /// Appends a small file's bytes to the arena: at most what it had when it was examined.
    fn read_small(&mut self, file: &File, size: u64) -> io::Result<u64> {
        let start = self.arena.len();
        self.arena.resize(start + size as usize, 0);
        let mut filled = 0;
        while filled < size as usize {
            match file.read_at(&mut self.arena[start + filled..], filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => {
                    self.arena.truncate(start);
                    return Err(e);
                }
            }
        }
        self.arena.truncate(start + filled);
        Ok(filled as u64)
    }

    /// Chunks of a large file and the bytes they cover. Holes are extents and are not read.
    fn read_large(&mut self, file: &File, size: u64) -> Result<io::Result<(Content, u64)>> {
        let run = self.run;
        let lane = self.lane;
        fsmeta::advise_sequential(file);
        let (encoder, window) = (&mut self.encoder, &mut self.window);
        // Two encoders: one is busy with lists only when a file has thousands of chunks.
        let mut list_encoder: Option<Encoder> = None;
        let mut extents = ExtentListWriter::new(|plain: &[u8]| {
            let encoder = match &mut list_encoder {
                Some(encoder) => encoder,
                None => list_encoder.insert(Encoder::new(run.level)?),
            };
            Ok((run.writer.put(lane, encoder, Class::Tree, plain)?.id, None))
        });
        let mut at = 0;
        for range in fsmeta::data_ranges(file, size) {
            let (start, end) = match range {
                Ok(range) => range,
                Err(e) => return Ok(Err(e)),
            };
            if start > at {
                extents.push(Extent::Zero { len: start - at })?;
            }
            let mut reader = RangeReader { file, at: start, end };
            let read = chunk_stream(run, lane, encoder, window, &mut reader, &mut |extent| {
                extents.push(extent)
            })?;
            match read {
                Ok(bytes) => at = start + bytes,
                Err(e) => return Ok(Err(e)),
            }
            if at < end {
                // Shorter than it was: what is there has been read.
                return Ok(Ok((extents.finish()?, at)));
            }
        }
        if size > at {
            extents.push(Extent::Zero { len: size - at })?;
        }
        Ok(Ok((extents.finish()?, size)))
    }

    /// Finds the job's small files among what is known, and adds the others to the open bundle.
    fn place_small(&mut self, job: &mut Job, small: &[Small]) -> Result<()> {
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
            let State::Drafted(entry, part) = &mut job.slots[file.slot].state else {
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
            *part = Some(Part {
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
        self.bundle.cell.seal(id);
        self.bundle.data.clear();
        self.bundle.cell = BundleCell::new();
        Ok(())
    }
}
