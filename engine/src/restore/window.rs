//! What is restored at one go: a bounded stretch of the generation with its parts sorted by where they lie.

use super::job::FileJob;
use super::left::Left;
use super::links::Link;
use super::placing::Placing;
use crate::entry::{DirPath, Meta, Time};
use crate::error::Result;
use chunkstore::index::LocalIndex;
use chunkstore::pack::Class;
use chunkstore::{ChunkId, PackId, Place, SmallFile};
use std::collections::HashSet;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

/// Chunks looked up at once.
const LOOK_UPS: usize = 1024;

/// Bounds of a window and of its reads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Files, links and directories.
    pub entries: usize,
    pub parts: usize,
    /// Plaintext bytes of the parts. They pass through and take no memory, so there may be many: a bundle that holds files
    /// from all over the tree, as a collection leaves them, is read once in each window.
    pub bytes: u64,
    /// Bytes of names, link targets and attributes.
    pub text: usize,
    /// Files that are written in several parts, and so stay open; fewer if descriptors are few.
    pub open: usize,
    /// Bytes of one read, unless a single frame is longer.
    pub read: u64,
    /// Bytes between two frames that are read along rather than asked for apart.
    pub gap: u64,
    /// Multiply linked files in memory.
    pub links: usize,
    /// Files of this size are written in place if that was asked for, and the next run goes on with them.
    pub resume: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            entries: 16 << 10,
            parts: 32 << 10,
            bytes: 512 << 20,
            text: 8 << 20,
            open: 100,
            read: 4 << 20,
            gap: 128 << 10,
            links: 32 << 10,
            resume: 16 << 20,
        }
    }
}

/// Bytes of a chunk that go into a file.
pub(super) struct FilePart {
    pub id: ChunkId,
    /// Counts in the window's jobs.
    pub job: u32,
    /// Where in the chunk.
    pub from: u32,
    pub len: u32,
    /// Where in the file.
    pub at: u64,
    /// The file that they are, in the bundle that its entry names; otherwise they are the whole chunk.
    pub file: Option<SmallFile>,
    /// It was in the target already.
    pub is_found: AtomicBool,
}

impl FilePart {
    pub fn found(&self) {
        self.is_found.store(true, Relaxed);
    }

    pub fn is_found(&self) -> bool {
        self.is_found.load(Relaxed)
    }
}

/// A stretch of zeros in a file that may have had something else there.
pub(super) struct ZeroPart {
    /// Counts in the window's jobs.
    pub job: u32,
    pub at: u64,
    pub len: u64,
}

/// A chunk that was located, and the parts of it.
pub(super) struct Frame {
    pub id: ChunkId,
    pub place: Place,
    pub parts: Range<usize>,
}

/// Frames that are read at once.
pub(super) struct Read {
    pub pack: PackId,
    pub start: u64,
    pub len: usize,
    pub frames: Range<usize>,
}

/// A directory whose content is complete with this window: `path[..end]`, or `name` in it. Sharing `path` keeps a deep
/// chain of directories from taking memory by the square.
pub(super) struct DoneDir {
    pub path: DirPath,
    pub end: usize,
    pub name: Option<Box<[u8]>>,
    /// `None`: it keeps what it has.
    pub look: Option<Arc<Meta>>,
    pub mtime: Time,
}

/// A window that is being filled.
#[derive(Default)]
pub(super) struct Builder {
    jobs: Vec<Arc<FileJob>>,
    parts: Vec<FilePart>,
    zeros: Vec<ZeroPart>,
    loose: Vec<Arc<FileJob>>,
    links: Vec<Link>,
    dirs: Vec<DoneDir>,
    bytes: u64,
    text: usize,
    open: usize,
    reuses: bool,
    /// The directory last counted in `text`.
    dir: Option<DirPath>,
}

impl Builder {
    pub fn is_full(&self, limits: &Limits) -> bool {
        let entries = self.jobs.len() + self.loose.len() + self.links.len() + self.dirs.len();
        entries >= limits.entries
            || self.parts.len() + self.zeros.len() >= limits.parts
            || self.bytes >= limits.bytes
            || self.text >= limits.text
            || self.open >= limits.open
    }

    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty() && self.loose.is_empty() && self.links.is_empty() && self.dirs.is_empty()
    }

    /// A file of which parts follow; gives its number in this window.
    pub fn add_job(&mut self, job: &Arc<FileJob>) -> u32 {
        self.count(&job.dir, job.text());
        if !job.in_one_part {
            self.open += job.sources.descriptors();
        }
        self.reuses |= job.reuses();
        self.jobs.push(job.clone());
        // Bounded by the limit of entries.
        (self.jobs.len() - 1) as u32
    }

    pub fn add_part(&mut self, part: FilePart) {
        if let Some(job) = self.jobs.get(part.job as usize) {
            job.add_part();
            self.bytes += u64::from(part.len);
            self.parts.push(part);
        }
    }

    pub fn add_zero(&mut self, zero: ZeroPart) {
        if let Some(job) = self.jobs.get(zero.job as usize) {
            job.add_part();
            self.zeros.push(zero);
        }
    }

    /// Something that needs no chunk.
    pub fn add_loose(&mut self, job: FileJob) {
        self.count(&job.dir, job.text());
        self.loose.push(Arc::new(job));
    }

    pub fn add_link(&mut self, link: Link) {
        self.count(&link.dir, link.name.len());
        self.links.push(link);
    }

    pub fn add_dir(&mut self, dir: DoneDir) {
        self.count(&dir.path, dir.name.as_ref().map_or(0, |name| name.len()));
        self.dirs.push(dir);
    }

    /// Entries of one directory share its path.
    fn count(&mut self, dir: &DirPath, text: usize) {
        self.text += text;
        if !self.dir.as_ref().is_some_and(|last| Arc::ptr_eq(last, dir)) {
            self.text += dir.len();
            self.dir = Some(dir.clone());
        }
    }

    /// The file that each part belongs to.
    pub fn jobs_of_parts(&self) -> impl Iterator<Item = &Arc<FileJob>> {
        let of_parts = self.parts.iter().map(|part| part.job);
        let all = of_parts.chain(self.zeros.iter().map(|zero| zero.job));
        all.filter_map(|job| self.jobs.get(job as usize))
    }

    /// By chunk; files that share one by where they are in the tree, so that neighbours are written one after another.
    fn sort_parts(&mut self) {
        self.parts.sort_unstable_by_key(|part| (part.id, part.job));
    }

    /// Looks up where the parts lie and orders them by it. Without an index they lie nowhere.
    pub fn locate(&mut self, index: Option<&LocalIndex>) -> Result<Located> {
        self.sort_parts();
        if let Some(index) = index.filter(|index| index.has_moved().unwrap_or(true)) {
            self.follow_moved(index)?;
        }
        let mut groups: Vec<(ChunkId, Range<usize>)> = Vec::new();
        for (i, part) in self.parts.iter().enumerate() {
            match groups.last_mut() {
                Some((id, parts)) if *id == part.id => parts.end = i + 1,
                _ => groups.push((part.id, i..i + 1)),
            }
        }
        let mut found = Located {
            frames: Vec::with_capacity(groups.len()),
            lost: Vec::new(),
        };
        for slice in groups.chunks(LOOK_UPS) {
            let ids: Vec<ChunkId> = slice.iter().map(|(id, _)| *id).collect();
            let places = match index {
                Some(index) => index.locate_sorted(&ids)?,
                None => vec![None; ids.len()],
            };
            for ((id, parts), located) in slice.iter().zip(places) {
                let (id, parts) = (*id, parts.clone());
                match located.filter(|l| l.class == Class::Data) {
                    Some(located) => found.frames.push(Frame {
                        id,
                        place: located.place,
                        parts,
                    }),
                    None => found.lost.push(parts),
                }
            }
        }
        found
            .frames
            .sort_unstable_by_key(|frame| (frame.place.pack, frame.place.offset));
        Ok(found)
    }

    /// Leads small files whose bundle is gone to the one that a collection moved them to.
    fn follow_moved(&mut self, index: &LocalIndex) -> Result<()> {
        let mut bundles: Vec<ChunkId> = Vec::new();
        for part in self.parts.iter().filter(|part| part.file.is_some()) {
            if bundles.last() != Some(&part.id) {
                bundles.push(part.id);
            }
        }
        let mut gone: HashSet<ChunkId> = HashSet::new();
        for ids in bundles.chunks(LOOK_UPS) {
            let located = index.locate_sorted(ids)?;
            let lacking = ids.iter().zip(located).filter(|(_, located)| located.is_none());
            gone.extend(lacking.map(|(id, _)| *id));
        }
        let is_moved = |part: &FilePart| part.file.filter(|file| gone.contains(&file.bundle));
        let files: Vec<SmallFile> = self.parts.iter().filter_map(is_moved).collect();
        let mut found = index.find_all_moved(&files)?.into_iter();
        for part in &mut self.parts {
            if is_moved(part).is_some()
                && let Some(now) = found.next().flatten()
            {
                (part.id, part.from) = (now.bundle, now.offset);
            }
        }
        self.sort_parts();
        Ok(())
    }

    pub fn build(self, located: Located, limits: &Limits) -> Window {
        Window {
            jobs: self.jobs,
            parts: self.parts,
            zeros: self.zeros,
            reuses: self.reuses,
            reads: coalesce(located.frames.iter().enumerate(), limits),
            limits: *limits,
            frames: located.frames,
            lost: located.lost,
            placing: OnceLock::new(),
            loose: self.loose,
            links: self.links,
            dirs: self.dirs,
            left: Left::default(),
        }
    }
}

/// Where a builder's parts lie.
pub(super) struct Located {
    frames: Vec<Frame>,
    lost: Vec<Range<usize>>,
}

/// Reads of these frames, each with its number; a read may have others between them.
fn coalesce<'f>(frames: impl Iterator<Item = (usize, &'f Frame)>, limits: &Limits) -> Vec<Read> {
    let mut reads: Vec<Read> = Vec::new();
    for (i, Frame { place, .. }) in frames {
        let start = u64::from(place.offset);
        let end = start + u64::from(place.stored_len);
        if let Some(read) = reads.last_mut()
            && read.pack == place.pack
            && start <= read.start + read.len as u64 + limits.gap
            && end - read.start <= limits.read
        {
            read.len = read.len.max((end - read.start) as usize);
            read.frames.end = i + 1;
            continue;
        }
        reads.push(Read {
            pack: place.pack,
            start,
            len: (end - start) as usize,
            frames: i..i + 1,
        });
    }
    reads
}

/// A window under way.
pub(super) struct Window {
    pub jobs: Vec<Arc<FileJob>>,
    /// By chunk id.
    pub parts: Vec<FilePart>,
    pub zeros: Vec<ZeroPart>,
    /// Some parts may be in the target already.
    pub reuses: bool,
    /// By place.
    pub frames: Vec<Frame>,
    pub reads: Vec<Read>,
    limits: Limits,
    /// Parts of chunks that the index does not know, chunk by chunk.
    pub lost: Vec<Range<usize>>,
    /// Once all of it is on disk.
    pub placing: OnceLock<Placing>,
    pub loose: Vec<Arc<FileJob>>,
    pub links: Vec<Link>,
    pub dirs: Vec<DoneDir>,
    pub left: Left,
}

impl Window {
    /// Calls `each` with the jobs of some parts.
    pub fn jobs_of(&self, parts: Range<usize>) -> impl Iterator<Item = (&FilePart, &Arc<FileJob>)> {
        let parts = self.parts.get(parts).unwrap_or_default();
        parts
            .iter()
            .filter_map(|part| Some((part, self.jobs.get(part.job as usize)?)))
    }

    /// The same of those that are not in the target.
    pub fn wanted_of(&self, parts: Range<usize>) -> impl Iterator<Item = (&FilePart, &Arc<FileJob>)> {
        self.jobs_of(parts).filter(|(part, _)| !part.is_found())
    }

    pub fn is_wanted(&self, parts: Range<usize>) -> bool {
        !self.reuses || self.wanted_of(parts).next().is_some()
    }

    /// Reads of what is still wanted of a read.
    pub fn rest_of(&self, read: &Read) -> Vec<Read> {
        let frames = self.frames.iter().enumerate();
        let of_read = frames.skip(read.frames.start).take(read.frames.len());
        coalesce(
            of_read.filter(|(_, frame)| self.is_wanted(frame.parts.clone())),
            &self.limits,
        )
    }
}
