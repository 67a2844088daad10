//! Entries in, a [`Root`] out: cuts the stream, encodes the segments and hands them to the store.
//!
//! Up the flow is the backup, which pushes entries in order; down is the store's closure. A segment of the parent
//! generation that comes by whole, from one of our cuts to its own end, is taken over by reference: nothing is
//! encoded, hashed or stored. Memory holds one open segment and at most two thousand segments' references.

use super::cut::{self, Cutter, Params};
use super::fault::{CodecError, TreeFault, TreePart};
use super::page::{INLINE_MAX, PageRef, Root, SegmentRef, Segments, Tally, encode_page};
use super::{ParentPos, ParentSegment, Run, cmp_keys, encode, limits};
use crate::Result;
use crate::entry::{DirPath, Entry, Kind};
use chunkstore::{ChunkId, Place};
use std::sync::Arc;

/// References kept before full pages are stored; twice what a root holds, so that the first page is never premature.
const BUFFERED: usize = 2 * INLINE_MAX;
/// Emptied runs kept for the next segment.
const SPARE: usize = 256;

pub(super) fn invalid(part: TreePart, fault: TreeFault) -> crate::Error {
    CodecError::Damaged(part, fault).of_stored(None)
}

/// Writes one generation's stream. `store` keeps a piece's plaintext as a tree chunk and gives its id.
pub struct TreeWriter<F> {
    store: F,
    cutter: Cutter,
    open: SegmentBuilder,
    /// The parent's segment that the open one is so far equal to, and how many of its entries have come.
    same: Option<(Arc<ParentSegment>, u64)>,
    list: SegmentList,
}

impl<F: FnMut(&[u8]) -> Result<(ChunkId, Option<Place>)>> TreeWriter<F> {
    /// `cut_key` decides where segments end: one key a repository, or generations share nothing.
    pub fn new(cut_key: [u8; 32], store: F) -> Self {
        Self::with_params(cut_key, Params::default(), store)
    }

    /// With other bounds than the format's; the result is read the same.
    pub fn with_params(cut_key: [u8; 32], params: Params, store: F) -> Self {
        Self {
            store,
            cutter: Cutter::new(cut_key, params),
            open: SegmentBuilder::default(),
            same: None,
            list: SegmentList::default(),
        }
    }

    /// Adds an entry. Fails when it does not come after the last one or [`super::check_entry`] refuses it, and then
    /// nothing was added; also when `store` fails, and then the writer is of no more use.
    pub fn push(&mut self, dir: &DirPath, entry: Entry) -> Result<()> {
        limits::check_fields(&entry).map_err(|e| e.of_entry(dir, &entry.name))?;
        self.open.check_order(dir, &entry)?;
        self.same = None;
        self.add(dir, entry);
        self.cut_where_due()
    }

    /// Adds an entry that is equal to the one the parent's cursor gave with `at`. Errors as [`TreeWriter::push`].
    pub fn push_same(&mut self, dir: &DirPath, entry: Entry, at: &ParentPos) -> Result<()> {
        self.open.check_order(dir, &entry)?;
        self.same = match self.same.take() {
            _ if self.open.is_empty() => at.first.then(|| (at.segment.clone(), 1)),
            Some((segment, count)) if Arc::ptr_eq(&segment, &at.segment) => Some((segment, count + 1)),
            _ => None,
        };
        self.add(dir, entry);
        // Inside a segment that began where ours did the parent found no cut, so there is none to look for.
        if self.same.is_some() && !at.last {
            return Ok(());
        }
        self.cut_where_due()
    }

    fn add(&mut self, dir: &DirPath, entry: Entry) {
        let mut cost = cut::cost(&entry);
        if self.open.add(dir, entry) {
            cost += cut::dir_cost(dir);
        }
        self.cutter.add(cost);
    }

    fn cut_where_due(&mut self) -> Result<()> {
        let due = match self.open.last() {
            Some((dir, name)) => self.cutter.ends(dir, name),
            None => false,
        };
        if due { self.close() } else { Ok(()) }
    }

    /// Ends the open segment here.
    fn close(&mut self) -> Result<()> {
        let Some((segment, origin)) = self.describe_open()? else {
            return Ok(());
        };
        self.open.clear();
        self.same = None;
        self.cutter.restart();
        self.list.push(segment, origin, &mut self.store)
    }

    /// The open segment as if it ended here: the parent's when that is whole, else stored now; `None` when empty.
    fn describe_open(&mut self) -> Result<Option<(SegmentRef, Origin)>> {
        match &self.same {
            Some((parent, count)) if *count == parent.segment.entries => {
                Ok(Some((parent.segment.clone(), parent.page.clone())))
            }
            _ => Ok(self.open.store(&mut self.store)?.map(|segment| (segment, None))),
        }
    }

    /// Everything pushed so far as a generation of its own. The stream goes on as if this had not been asked for: the
    /// open segment is stored as it is and stays open.
    pub fn checkpoint(&mut self) -> Result<Root> {
        let tail = self.describe_open()?;
        self.list.root(tail, &mut self.store)
    }

    pub fn finish(mut self) -> Result<Root> {
        self.close()?;
        self.list.root(None, &mut self.store)
    }
}

/// Entries since the last cut.
#[derive(Default)]
struct SegmentBuilder {
    runs: Vec<Run>,
    tally: Tally,
    /// Last entry of the segment before.
    floor: Option<(DirPath, Vec<u8>)>,
    /// Room for entries, from runs of segments that are done.
    spare: Vec<Vec<Entry>>,
}

impl SegmentBuilder {
    fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    fn last(&self) -> Option<(&DirPath, &[u8])> {
        let run = self.runs.last()?;
        Some((&run.dir, &run.entries.last()?.name))
    }

    fn check_order(&self, dir: &DirPath, entry: &Entry) -> Result<()> {
        let floor = || self.floor.as_ref().map(|(dir, name)| (dir, name.as_slice()));
        let Some((last_dir, last_name)) = self.last().or_else(floor) else {
            return limits::check_dir(dir).map_err(|e| e.of_entry(dir, &entry.name));
        };
        // A directory's entries mostly come with one and the same path, already checked.
        let (ordered, same_dir) = match Arc::ptr_eq(last_dir, dir) || last_dir == dir {
            true => (last_name < entry.name.as_slice(), true),
            false => (cmp_keys((last_dir, last_name), (dir, &entry.name)).is_lt(), false),
        };
        if !ordered {
            let path = crate::entry::join(dir, &entry.name);
            return Err(CodecError::Damaged(TreePart::Entry, TreeFault::OutOfOrder).of_stored(Some(path)));
        }
        if same_dir {
            return Ok(());
        }
        limits::check_dir(dir).map_err(|e| e.of_entry(dir, &entry.name))
    }

    /// Whether the entry begins its directory in this segment.
    fn add(&mut self, dir: &DirPath, entry: Entry) -> bool {
        self.tally.entries += 1;
        if entry.kind == Kind::File {
            self.tally.files += 1;
            self.tally.bytes = self.tally.bytes.saturating_add(entry.meta.size);
        }
        match self.runs.last_mut() {
            Some(run) if Arc::ptr_eq(&run.dir, dir) || run.dir == *dir => {
                run.entries.push(entry);
                false
            }
            _ => {
                let mut entries = self.spare.pop().unwrap_or_default();
                entries.push(entry);
                self.runs.push(Run {
                    dir: dir.clone(),
                    entries,
                });
                true
            }
        }
    }

    /// Encodes and stores the segment, and keeps it.
    fn store<F>(&self, store: &mut F) -> Result<Option<SegmentRef>>
    where
        F: FnMut(&[u8]) -> Result<(ChunkId, Option<Place>)>,
    {
        let Some(first) = self.runs.first() else {
            return Ok(None);
        };
        let Some(first_entry) = first.entries.first() else {
            return Ok(None);
        };
        let plain = encode(&self.runs);
        if plain.len() > limits::PLAIN {
            return Err(invalid(TreePart::Piece, TreeFault::TooLong));
        }
        let (id, place) = store(&plain)?;
        Ok(Some(SegmentRef {
            first_dir: first.dir.clone(),
            first_name: first_entry.name.clone(),
            id,
            entries: self.tally.entries,
            files: self.tally.files,
            bytes: self.tally.bytes,
            plain_len: plain.len() as u32,
            place,
        }))
    }

    fn clear(&mut self) {
        let last = self
            .runs
            .last_mut()
            .and_then(|run| Some((run.dir.clone(), run.entries.pop()?.name)));
        self.floor = last.or(self.floor.take());
        for mut run in self.runs.drain(..) {
            run.entries.clear();
            if self.spare.len() < SPARE {
                self.spare.push(run.entries);
            }
        }
        self.tally = Tally::default();
    }
}

/// The parent's page that lists a segment, and which of its segments it is.
pub(super) type Origin = Option<(Arc<PageRef>, u32)>;

/// Closed segments: full pages are stored, the rest waits here.
#[derive(Default)]
struct SegmentList {
    /// Every one before those in `open`.
    pages: Vec<PageRef>,
    open: Vec<(SegmentRef, Origin)>,
    segments: usize,
}

impl SegmentList {
    fn push<F>(&mut self, segment: SegmentRef, origin: Origin, store: &mut F) -> Result<()>
    where
        F: FnMut(&[u8]) -> Result<(ChunkId, Option<Place>)>,
    {
        self.open.push((segment, origin));
        self.segments += 1;
        if self.open.len() >= BUFFERED {
            self.store_full(store)?;
        }
        Ok(())
    }

    /// Stores the pages that end within `open`; which, depends on the segments alone.
    fn store_full<F>(&mut self, store: &mut F) -> Result<()>
    where
        F: FnMut(&[u8]) -> Result<(ChunkId, Option<Place>)>,
    {
        while let Some(count) = full_page(&self.open) {
            self.pages.push(page_of(&self.open[..count], store)?);
            self.open.drain(..count);
        }
        Ok(())
    }

    /// All segments and `tail`.
    fn root<F>(&mut self, tail: Option<(SegmentRef, Origin)>, store: &mut F) -> Result<Root>
    where
        F: FnMut(&[u8]) -> Result<(ChunkId, Option<Place>)>,
    {
        let total = self.segments + usize::from(tail.is_some());
        let segments = if total <= INLINE_MAX {
            let open = self.open.iter().chain(&tail);
            Segments::Inline(open.map(|(segment, _)| segment.clone()).collect())
        } else {
            self.store_full(store)?;
            let mut last = SegmentList {
                pages: self.pages.clone(),
                open: self.open.iter().cloned().chain(tail).collect(),
                segments: total,
            };
            last.store_full(store)?;
            if !last.open.is_empty() {
                last.pages.push(page_of(&last.open, store)?);
            }
            Segments::Pages(last.pages)
        };
        Ok(Root::new(segments))
    }
}

fn full_page(open: &[(SegmentRef, Origin)]) -> Option<usize> {
    let ends = |(i, (segment, _)): (usize, &(SegmentRef, Origin))| cut::page_ends(i + 1, &segment.id);
    open.iter().enumerate().position(ends).map(|i| i + 1)
}

/// The page that lists `segments`, at least one: the parent's when it lists the same, else stored now.
fn page_of<F>(segments: &[(SegmentRef, Origin)], store: &mut F) -> Result<PageRef>
where
    F: FnMut(&[u8]) -> Result<(ChunkId, Option<Place>)>,
{
    if let Some(page) = whole_page(segments) {
        return Ok(PageRef::clone(page));
    }
    let rows = segments.iter().map(|(segment, _)| segment);
    let Some(first) = rows.clone().next() else {
        return Err(invalid(TreePart::SegmentList, TreeFault::Empty));
    };
    let tally = Tally::of(rows.clone());
    let plain = encode_page(rows).map_err(|e| e.of_stored(None))?;
    let (id, place) = store(&plain)?;
    Ok(PageRef {
        segments: segments.len() as u32,
        span: SegmentRef {
            first_dir: first.first_dir.clone(),
            first_name: first.first_name.clone(),
            id,
            entries: tally.entries,
            files: tally.files,
            bytes: tally.bytes,
            plain_len: plain.len() as u32,
            place,
        },
    })
}

fn whole_page(segments: &[(SegmentRef, Origin)]) -> Option<&Arc<PageRef>> {
    let (page, _) = segments.first()?.1.as_ref()?;
    let follows = |(i, (_, origin)): (usize, &(SegmentRef, Origin))| {
        origin
            .as_ref()
            .is_some_and(|(other, at)| Arc::ptr_eq(page, other) && *at as usize == i)
    };
    let whole = segments.len() == page.segments as usize && segments.iter().enumerate().all(follows);
    whole.then_some(page)
}
