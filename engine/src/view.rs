//! Snapshots as directories that can be looked into at random: what a mounted repository is made of. Any number of
//! threads may ask.
//!
//! An entry is known by its snapshot and its number in the order in which the snapshot stores its entries, so that
//! nothing need be remembered for those who know one. What was read last is kept: lists of segments, segments, files and
//! chunks, each within bounds. Ahead of one who reads a file from front to back, chunks are opened in parallel.

mod chunks;
mod file;
mod layout;
mod recent;
pub mod tree;

use self::chunks::Chunks;
use self::file::{EachExtent, ExtentMap, FileExtents, OpenFile};
use crate::entry::{Content, DirPath, Entry, Extent, ExtentList, Kind, cmp_dirs};
use crate::error::{Error, Result};
use crate::monitor::Quiet;
use crate::repo::Repo;
use crate::restore::ChunkSource;
use crate::tree::{Root, Run, SegmentRef, Segments, cmp_keys, decode, decode_page, open_extent_list};
use chunkstore::error::{Flaw, Object};
use chunkstore::{ChunkId, Error as StoreError, Place, SessionId};
use parking_lot::Mutex;
use recent::Recent;
use std::ops::Range;
use std::sync::Arc;

/// Snapshots whose lists of segments are kept. A list of ten million entries takes about a megabyte.
const TREES: usize = 32;
/// Segments that are kept, of some 3,000 entries each.
const SEGMENTS: usize = 32;
/// Files that are kept, of at most 4,096 extents each.
const FILES: usize = 32;
/// Lists of extents that are kept.
const LISTS: usize = 64;
/// Threads that open chunks ahead of readers at most.
const AHEAD: usize = 4;

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
    trees: Mutex<Recent<SessionId, Arc<SegmentTable>>>,
    segments: Mutex<Recent<ChunkId, Arc<ReadSegment>>>,
    chunks: Chunks,
    /// By snapshot and number.
    files: Mutex<Recent<(SessionId, u64), Arc<OpenFile>>>,
    /// By id and where they begin.
    lists: Mutex<Recent<(ChunkId, u64), Arc<ExtentMap>>>,
}

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
        let threads = repo.run().threads(AHEAD);
        View {
            chunks: Chunks::new(ChunkSource::new(&repo, &QUIET), threads),
            repo,
            trees: Mutex::new(Recent::new(TREES)),
            segments: Mutex::new(Recent::new(SEGMENTS)),
            files: Mutex::new(Recent::new(FILES)),
            lists: Mutex::new(Recent::new(LISTS)),
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
            let run = segment
                .runs
                .partition_point(|run| cmp_dirs(&run.dir, dir).is_lt());
            let (Some(listing), Some(before)) = (segment.runs.get(run), segment.starts.get(run)) else {
                continue;
            };
            if *listing.dir != *dir {
                return Ok(());
            }
            let begins_at = starts_at + before;
            let skip = usize::try_from(from.saturating_sub(begins_at)).unwrap_or(usize::MAX);
            for (number, entry) in (begins_at..).zip(&listing.entries).skip(skip) {
                if !each(number, entry) {
                    return Ok(());
                }
            }
            // What comes next in the segment is of other directories.
            if run + 1 < segment.runs.len() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The file of this number, to be read.
    pub fn open(&self, snapshot: SessionId, number: u64) -> Result<Option<Arc<OpenFile>>> {
        let key = (snapshot, number);
        if let Some(known) = self.files.lock().get(&key) {
            return Ok(Some(known));
        }
        let Some(seen) = self
            .entry(snapshot, number)?
            .filter(|seen| seen.entry.kind == Kind::File)
        else {
            return Ok(None);
        };
        let file = Arc::new(OpenFile::new(seen));
        self.files.lock().put(key, file.clone());
        Ok(Some(file))
    }

    /// Up to `len` bytes of a file from `offset` on; fewer only at its end.
    pub fn read(&self, file: &OpenFile, offset: u64, len: usize) -> Result<Vec<u8>> {
        let size = file.seen.entry.meta.size;
        let len = size.saturating_sub(offset).min(len as u64) as usize;
        let mut out = Vec::with_capacity(len);
        if len == 0 {
            return Ok(out);
        }
        let wanted = offset..offset + len as u64;
        self.open_ahead(file, &file.follow(&wanted));
        match file.content {
            FileExtents::Few => {
                let bytes = self.small(&file.seen.entry.content)?;
                let part = bytes.get(offset as usize..).unwrap_or_default();
                out.extend_from_slice(part.get(..len).unwrap_or(part));
            }
            FileExtents::All(_) | FileExtents::Lists(_) => {
                self.each_extent(file, &wanted, &mut |extent, part| {
                    self.extent(extent, part, &mut out)
                })?;
            }
        }
        match out.len() == len {
            true => Ok(out),
            false => {
                let path = file.path().escape_ascii().to_string();
                Err(StoreError::corrupt(path, Flaw::Incomplete).into())
            }
        }
    }

    /// What can't be opened is opened again by whoever reads it, and reported then.
    fn open_ahead(&self, file: &OpenFile, range: &Range<u64>) {
        if range.is_empty() {
            return;
        }
        let _ = self.each_extent(file, range, &mut |extent, _| {
            if let Extent::Chunk { id, .. } = extent {
                self.chunks.want(id);
            }
            Ok(())
        });
    }

    fn each_extent(&self, file: &OpenFile, wanted: &Range<u64>, each: &mut EachExtent<'_>) -> Result<()> {
        match &file.content {
            FileExtents::Few => Ok(()),
            FileExtents::All(extents) => extents.each(wanted, each),
            FileExtents::Lists(lists) => {
                let first = lists.partition_point(|(start, _)| *start <= wanted.start);
                let here = lists.iter().skip(first.saturating_sub(1));
                for (start, list) in here.take_while(|(start, _)| *start < wanted.end) {
                    self.list_of(*start, list)?.each(wanted, each)?;
                }
                Ok(())
            }
        }
    }

    fn extent(&self, extent: &Extent, part: Range<usize>, out: &mut Vec<u8>) -> Result<()> {
        match extent {
            Extent::Chunk { id, len } => {
                let chunk = self.chunks.get(id)?;
                if chunk.len() != *len as usize {
                    return Err(StoreError::corrupt(Object::Chunk(*id), Flaw::LengthMismatch).into());
                }
                out.extend_from_slice(chunk.get(part).unwrap_or_default());
            }
            Extent::Zero { .. } => out.resize(out.len() + part.len(), 0),
        }
        Ok(())
    }

    /// The bytes of a small file.
    fn small(&self, content: &Content) -> Result<Vec<u8>> {
        let Some(file) = content.small_file() else {
            return Ok(Vec::new());
        };
        let source = self.chunks.source();
        let now = source.find(&file)?;
        let keys = source.reader().store().keys();
        if let Ok(bundle) = self.chunks.get(&now.bundle)
            && let Some(bytes) = now.slice(&bundle)
            && keys.content_hash(bytes) == file.hash
        {
            return Ok(bytes.to_vec());
        }
        // It may be in another bundle, or elsewhere.
        let mut out = Vec::new();
        self.chunks
            .with_decoder(|decoder| Ok(source.reader().file(decoder, &file, &mut out)?))?;
        Ok(out)
    }

    /// A list of extents, which begins at `start` in its file.
    fn list_of(&self, start: u64, list: &ExtentList) -> Result<Arc<ExtentMap>> {
        let key = (list.id, start);
        if let Some(known) = self.lists.lock().get(&key) {
            return Ok(known);
        }
        let plain = self.load(&list.id, None)?;
        let extents = Arc::new(ExtentMap::new(start, open_extent_list(list, &plain)?));
        self.lists.lock().put(key, extents.clone());
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
        let reader = self.chunks.source().reader();
        self.chunks
            .with_decoder(|decoder| Ok(reader.tree(decoder, id, hint)?))
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
