//! Snapshots as directories that can be looked into at random: what a mounted repository is made of. Any number of
//! threads may ask.
//!
//! An entry is known by its snapshot and its number in the order in which the snapshot stores its entries, so that
//! nothing need be remembered for those who know one. What was read last is kept: lists of segments, segments and chunks,
//! each within bounds.

mod layout;
mod recent;
pub mod tree;

use crate::entry::{Content, DirPath, Entry, Extent, Kind, cmp_dirs, join};
use crate::error::{Error, Result};
use crate::monitor::Quiet;
use crate::repo::Repo;
use crate::restore::ChunkSource;
use crate::tree::{Root, Run, SegmentRef, Segments, cmp_keys, decode, decode_page, open_extent_list};
use chunkstore::error::{Flaw, Object};
use chunkstore::frame::Decoder;
use chunkstore::{ChunkId, Error as StoreError, Place, SessionId};
use parking_lot::Mutex;
use recent::Recent;
use std::cmp::Ordering;
use std::sync::Arc;

/// Snapshots whose lists of segments are kept. A list of ten million entries takes about a megabyte.
const TREES: usize = 32;
/// Segments that are kept, of some 3,000 entries each.
const SEGMENTS: usize = 32;
/// Chunks that are kept, of some 512 KiB each.
const CHUNKS: usize = 64;
/// Lists of extents that are kept.
const LISTS: usize = 64;

static QUIET: Quiet = Quiet;

/// An entry and where it is.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its number in its snapshot.
    pub number: u64,
    pub dir: DirPath,
    pub entry: Entry,
}

pub struct View {
    repo: Arc<Repo>,
    source: ChunkSource<'static>,
    trees: Mutex<Recent<SessionId, Arc<SegmentTable>>>,
    segments: Mutex<Recent<ChunkId, Arc<ReadSegment>>>,
    chunks: Mutex<Recent<ChunkId, Arc<Slot>>>,
    lists: Mutex<Recent<ChunkId, Arc<Vec<Extent>>>>,
    /// Not in use.
    decoders: Mutex<Vec<Decoder>>,
}

/// A chunk that is there, or that whoever holds the lock reads just now.
type Slot = Mutex<Option<Arc<Vec<u8>>>>;

/// The segments of a snapshot.
struct SegmentTable {
    segments: Vec<SegmentRef>,
    /// Number of the first entry of each, and of all entries.
    starts: Vec<u64>,
}

struct ReadSegment {
    runs: Vec<Run>,
    /// Entries before each run.
    starts: Vec<u64>,
}

impl View {
    pub fn new(repo: Arc<Repo>) -> View {
        View {
            source: ChunkSource::new(&repo, &QUIET),
            repo,
            trees: Mutex::new(Recent::new(TREES)),
            segments: Mutex::new(Recent::new(SEGMENTS)),
            chunks: Mutex::new(Recent::new(CHUNKS)),
            lists: Mutex::new(Recent::new(LISTS)),
            decoders: Mutex::default(),
        }
    }

    /// The entry `name` in the directory at `dir` (relative to `/`).
    pub fn lookup(&self, snapshot: SessionId, dir: &[u8], name: &[u8]) -> Result<Option<Seen>> {
        let tree = self.tree(snapshot)?;
        let Some(at) = tree.covering((dir, name)) else {
            return Ok(None);
        };
        let segment = self.segment(&tree, at)?;
        let run = segment.runs.binary_search_by(|run| cmp_dirs(&run.dir, dir));
        let Some((number, run)) = run.ok().and_then(|n| Some((n, segment.runs.get(n)?))) else {
            return Ok(None);
        };
        let found = run
            .entries
            .binary_search_by(|entry| entry.name.as_slice().cmp(name));
        Ok(found.ok().and_then(|n| {
            let before = tree.starts.get(at)? + segment.starts.get(number)?;
            Some(Seen {
                number: before + n as u64,
                dir: run.dir.clone(),
                entry: run.entries.get(n)?.clone(),
            })
        }))
    }

    /// The entry of this number.
    pub fn entry(&self, snapshot: SessionId, number: u64) -> Result<Option<Seen>> {
        let tree = self.tree(snapshot)?;
        let Some(at) = tree.holding(number) else {
            return Ok(None);
        };
        let segment = self.segment(&tree, at)?;
        let within = number - tree.starts.get(at).copied().unwrap_or_default();
        let run = segment.starts.partition_point(|start| *start <= within) - 1;
        Ok(segment.runs.get(run).and_then(|found| {
            let before = segment.starts.get(run)?;
            Some(Seen {
                number,
                dir: found.dir.clone(),
                entry: found.entries.get((within - before) as usize)?.clone(),
            })
        }))
    }

    /// Calls `each` with what is in the directory at `dir` (relative to `/`), in order, from the entry with this number
    /// on, until it says that this is enough.
    pub fn list(
        &self,
        snapshot: SessionId,
        dir: &[u8],
        from: u64,
        each: &mut dyn FnMut(u64, &Entry) -> bool,
    ) -> Result<()> {
        let tree = self.tree(snapshot)?;
        let first = tree.covering((dir, b"")).unwrap_or_default();
        let from_at = tree.holding(from).unwrap_or(tree.segments.len());
        for at in first.max(from_at)..tree.segments.len() {
            let starts_at = tree.starts.get(at).copied().unwrap_or_default();
            let segment = self.segment(&tree, at)?;
            for (run, before) in segment.runs.iter().zip(&segment.starts) {
                match cmp_dirs(&run.dir, dir) {
                    Ordering::Less => continue,
                    Ordering::Greater => return Ok(()),
                    Ordering::Equal => {}
                }
                for (n, entry) in run.entries.iter().enumerate() {
                    let number = starts_at + before + n as u64;
                    if number >= from && !each(number, entry) {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// Up to `len` bytes of a file from `offset` on; fewer only at its end.
    pub fn read(&self, seen: &Seen, offset: u64, len: usize) -> Result<Vec<u8>> {
        let size = seen.entry.meta.size;
        let len = size.saturating_sub(offset).min(len as u64) as usize;
        let mut out = Vec::with_capacity(len);
        if len == 0 || seen.entry.kind != Kind::File {
            return Ok(out);
        }
        let mut wanted = Stretch {
            from: offset,
            end: offset + len as u64,
            at: 0,
        };
        match &seen.entry.content {
            Content::None => {}
            Content::Bundled { .. } => {
                let bytes = self.small(&seen.entry.content)?;
                out.extend_from_slice(wanted.part(&bytes));
            }
            Content::Extents(extents) => self.extents(extents, &mut wanted, &mut out)?,
            Content::Lists(lists) => {
                for list in lists {
                    if wanted.at + list.bytes <= wanted.from {
                        wanted.at += list.bytes;
                        continue;
                    }
                    if wanted.at >= wanted.end {
                        break;
                    }
                    let extents = self.list_of(list)?;
                    self.extents(&extents, &mut wanted, &mut out)?;
                }
            }
        }
        match out.len() == len {
            true => Ok(out),
            false => {
                let path = join(&seen.dir, &seen.entry.name).escape_ascii().to_string();
                Err(StoreError::corrupt(path, Flaw::Incomplete).into())
            }
        }
    }

    fn extents(&self, extents: &[Extent], wanted: &mut Stretch, out: &mut Vec<u8>) -> Result<()> {
        for extent in extents {
            if wanted.at >= wanted.end {
                break;
            }
            if wanted.at + extent.len() <= wanted.from {
                wanted.at += extent.len();
                continue;
            }
            match extent {
                Extent::Chunk { id, len } => {
                    let chunk = self.chunk(id)?;
                    if chunk.len() != *len as usize {
                        return Err(StoreError::corrupt(Object::Chunk(*id), Flaw::LengthMismatch).into());
                    }
                    out.extend_from_slice(wanted.part(&chunk));
                }
                Extent::Zero { len } => {
                    let zeros = wanted.overlap(*len);
                    out.resize(out.len() + zeros.len(), 0);
                }
            }
            wanted.at += extent.len();
        }
        Ok(())
    }

    /// The bytes of a small file.
    fn small(&self, content: &Content) -> Result<Vec<u8>> {
        let Some(file) = content.small_file() else {
            return Ok(Vec::new());
        };
        let now = self.source.find(&file)?;
        let keys = self.source.reader().store().keys();
        if let Ok(bundle) = self.chunk(&now.bundle)
            && let Some(bytes) = now.slice(&bundle)
            && keys.content_hash(bytes) == file.hash
        {
            return Ok(bytes.to_vec());
        }
        // It may be in another bundle, or elsewhere.
        let mut out = Vec::new();
        self.with_decoder(|decoder| Ok(self.source.reader().file(decoder, &file, &mut out)?))?;
        Ok(out)
    }

    /// A chunk. Whoever asks for one that is being read waits for it.
    fn chunk(&self, id: &ChunkId) -> Result<Arc<Vec<u8>>> {
        let slot = self.chunks.lock().get_or(id, Default::default);
        let mut slot = slot.lock();
        if let Some(chunk) = &*slot {
            return Ok(chunk.clone());
        }
        let mut plain = Vec::new();
        self.with_decoder(|decoder| self.source.chunk(decoder, id, &mut plain))?;
        Ok(slot.insert(Arc::new(plain)).clone())
    }

    fn list_of(&self, list: &crate::entry::ExtentList) -> Result<Arc<Vec<Extent>>> {
        if let Some(known) = self.lists.lock().get(&list.id) {
            return Ok(known);
        }
        let plain = self.load(&list.id, None)?;
        let extents = Arc::new(open_extent_list(list, &plain)?);
        self.lists.lock().put(list.id, extents.clone());
        Ok(extents)
    }

    fn tree(&self, snapshot: SessionId) -> Result<Arc<SegmentTable>> {
        if let Some(known) = self.trees.lock().get(&snapshot) {
            return Ok(known);
        }
        let root = self.repo.manifest(snapshot)?.root()?;
        let tree = Arc::new(self.tree_of(root)?);
        self.trees.lock().put(snapshot, tree.clone());
        Ok(tree)
    }

    fn tree_of(&self, root: Root) -> Result<SegmentTable> {
        let segments = match root.segments {
            Segments::Inline(rows) => rows,
            Segments::Pages(pages) => {
                let mut rows = Vec::new();
                for page in pages {
                    let plain = self.load(&page.span.id, page.span.place.as_ref())?;
                    rows.extend(decode_page(&plain).map_err(|e| e.of(&page.span.id))?);
                }
                rows
            }
        };
        let mut starts = vec![0u64];
        for segment in &segments {
            let before = starts.last().copied().unwrap_or_default();
            starts.push(before.saturating_add(segment.entries));
        }
        Ok(SegmentTable { segments, starts })
    }

    fn segment(&self, tree: &SegmentTable, at: usize) -> Result<Arc<ReadSegment>> {
        let Some(wanted) = tree.segments.get(at) else {
            return Err(Error::Interrupted);
        };
        if let Some(known) = self.segments.lock().get(&wanted.id) {
            return Ok(known);
        }
        let plain = self.load(&wanted.id, wanted.place.as_ref())?;
        let runs = decode(&plain).map_err(|e| e.of(&wanted.id))?;
        let mut entries = 0;
        let mut starts = Vec::with_capacity(runs.len());
        for run in &runs {
            starts.push(entries);
            entries += run.entries.len() as u64;
        }
        if entries != wanted.entries {
            return Err(StoreError::corrupt(Object::TreeChunk(wanted.id), Flaw::NotAsListed).into());
        }
        let segment = Arc::new(ReadSegment { runs, starts });
        self.segments.lock().put(wanted.id, segment.clone());
        Ok(segment)
    }

    fn load(&self, id: &ChunkId, hint: Option<&Place>) -> Result<Vec<u8>> {
        self.with_decoder(|decoder| Ok(self.source.reader().tree(decoder, id, hint)?))
    }

    fn with_decoder<T>(&self, run: impl FnOnce(&mut Decoder) -> Result<T>) -> Result<T> {
        let idle = self.decoders.lock().pop();
        let mut decoder = match idle {
            Some(decoder) => decoder,
            None => Decoder::new()?,
        };
        let done = run(&mut decoder);
        self.decoders.lock().push(decoder);
        done
    }
}

impl SegmentTable {
    /// The segment that a key is in, if it is in any.
    fn covering(&self, key: (&[u8], &[u8])) -> Option<usize> {
        if self.segments.is_empty() {
            return None;
        }
        let after = self
            .segments
            .partition_point(|segment| cmp_keys(segment.first(), key).is_le());
        Some(after.saturating_sub(1))
    }

    fn holding(&self, number: u64) -> Option<usize> {
        let after = self.starts.partition_point(|start| *start <= number);
        let at = after.checked_sub(1)?;
        (at < self.segments.len()).then_some(at)
    }
}

/// The stretch of a file that is wanted, and how far reading has come.
struct Stretch {
    from: u64,
    end: u64,
    at: u64,
}

impl Stretch {
    /// What of the next `len` bytes of the file is wanted.
    fn overlap(&self, len: u64) -> std::ops::Range<usize> {
        let start = self.from.saturating_sub(self.at).min(len);
        let end = self.end.saturating_sub(self.at).min(len);
        start as usize..end.max(start) as usize
    }

    fn part<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        let range = self.overlap(bytes.len() as u64);
        bytes.get(range).unwrap_or_default()
    }
}
