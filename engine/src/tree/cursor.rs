//! A [`Root`] in, entries out, in the order of the stream. Loads a segment when its first entry is wanted, so what a
//! caller skips by [`Cursor::seek`] or [`Cursor::skip_piece`] is never fetched. Above it are the backup (its parent
//! generation), restore, listings and [`mod@super::diff`].
//!
//! What is loaded must fit what lists it: counts, first entry, and nothing at or past the next segment's first.

use super::page::{PageRef, Root, SegmentRef, Segments, Tally, decode_page};
use super::{Run, cmp_keys, decode};
use crate::Result;
use crate::entry::{DirPath, Entry};
use chunkstore::error::{Flaw, Object};
use chunkstore::{ChunkId, Error, Place};
use std::sync::Arc;
use std::vec;

/// A segment of the generation that a cursor reads, and its place among its page's where there are pages.
#[derive(Debug)]
pub struct ParentSegment {
    pub segment: SegmentRef,
    pub(super) page: Option<(Arc<PageRef>, u32)>,
}

/// Where an entry stands in the generation it was read from.
#[derive(Clone, Debug)]
pub struct ParentPos {
    pub segment: Arc<ParentSegment>,
    /// First, last entry of the segment.
    pub first: bool,
    pub last: bool,
}

#[derive(Clone, Debug)]
pub struct Item {
    pub dir: DirPath,
    pub entry: Entry,
    pub pos: ParentPos,
}

/// Reads one generation. `load` gives the plaintext of the tree chunk with an id; the place is where it may lie.
pub struct Cursor<L> {
    load: L,
    /// Empty when the root lists segments itself.
    pages: Vec<Arc<PageRef>>,
    /// Page whose segments are listed below; they are its, or the root's.
    page: Option<usize>,
    segments: Vec<Arc<ParentSegment>>,
    /// Segment to be opened next.
    ahead: usize,
    open: Option<OpenSegment>,
    /// Only what lies in this directory and below it.
    scope: Option<DirPath>,
}

impl<L: FnMut(&ChunkId, Option<&Place>) -> Result<Vec<u8>>> Cursor<L> {
    pub fn new(root: &Root, load: L) -> Self {
        let (pages, segments) = match &root.segments {
            Segments::Inline(rows) => (Vec::new(), rows.iter().map(inline).collect()),
            Segments::Pages(pages) => (pages.iter().cloned().map(Arc::new).collect(), Vec::new()),
        };
        Self {
            load,
            pages,
            page: None,
            segments,
            ahead: 0,
            open: None,
            scope: None,
        }
    }

    /// Directory and name of what [`Cursor::next`] gives, without loading its segment.
    pub fn peek_key(&self) -> Option<(&[u8], &[u8])> {
        let key = match &self.open {
            Some(open) => open.key()?,
            None => match self.segments.get(self.ahead) {
                Some(segment) => segment.segment.first(),
                None => self.pages.get(self.next_page())?.span.first(),
            },
        };
        self.in_scope(key.0).then_some(key)
    }

    /// What [`Cursor::next`] gives, loaded and left there.
    pub fn peek(&mut self) -> Result<Option<(&DirPath, &Entry)>> {
        if self.peek_key().is_none() {
            return Ok(None);
        }
        self.open_ahead()?;
        Ok(self.open.as_ref().and_then(OpenSegment::peek))
    }

    /// The next entry; `None` at the end of the generation or of what [`Cursor::under`] left of it.
    #[allow(clippy::should_implement_trait)] // a Result around the Option, so that `?` reads well
    pub fn next(&mut self) -> Result<Option<Item>> {
        if self.peek_key().is_none() {
            return Ok(None);
        }
        self.open_ahead()?;
        let Some(open) = &mut self.open else {
            return Ok(None);
        };
        let item = open.next();
        if open.key().is_none() {
            self.open = None;
        }
        Ok(item)
    }

    /// Goes to the first entry at or after (`dir`, `name`), forward or back; at most one page and one segment are loaded.
    pub fn seek(&mut self, dir: &[u8], name: &[u8]) -> Result<()> {
        let key = (dir, name);
        let is_before = |first: (&[u8], &[u8])| cmp_keys(first, key).is_le();
        let segment = self.segment_at(key)?;
        let stays = |open: &OpenSegment| open.key().is_some_and(is_before);
        if segment + 1 != self.ahead || !self.open.as_ref().is_some_and(stays) {
            self.open = None;
            self.ahead = segment;
        }
        if self.open.is_none()
            && self
                .segments
                .get(segment)
                .is_none_or(|s| cmp_keys(s.segment.first(), key).is_ge())
        {
            return Ok(());
        }
        self.open_ahead()?;
        if let Some(open) = &mut self.open {
            open.skip_to(key);
            if open.key().is_none() {
                self.open = None;
            }
        }
        Ok(())
    }

    /// The number, among those listed, of the segment that `key` is in if it is in any; at most a page is loaded.
    fn segment_at(&mut self, key: Key<'_>) -> Result<usize> {
        let is_before = |first: Key<'_>| cmp_keys(first, key).is_le();
        let page = self.pages.partition_point(|page| is_before(page.span.first()));
        let page = page.saturating_sub(1);
        // A page that was passed over is current and has no segments listed.
        if !self.pages.is_empty() && (self.page != Some(page) || self.segments.is_empty()) {
            self.load_page(page)?;
        }
        let after = self
            .segments
            .partition_point(|segment| is_before(segment.segment.first()));
        Ok(after.saturating_sub(1))
    }

    /// The segment that the entry at `path` is in if there is one, unread. In every generation with that segment there the
    /// answer is the same. Moves the cursor nowhere in particular.
    pub fn segment_of(&mut self, path: &[u8]) -> Result<Option<ChunkId>> {
        let at = self.segment_at(split(path))?;
        Ok(self.segments.get(at).map(|segment| segment.segment.id))
    }

    /// Leaves only what lies in the directory `path` and below it (all, for the empty path), and goes to its
    /// beginning. The directory's own entry is its parent's and not among it.
    pub fn under(&mut self, path: &[u8]) -> Result<()> {
        self.scope = None;
        let sought = self.seek(path, b"");
        // Also after an error, from which a caller may go on.
        self.scope = (!path.is_empty()).then(|| path.into());
        sought
    }

    /// The entry at `path`; `None` when there is none, and for the root, which has no entry. Ends what
    /// [`Cursor::under`] began.
    pub fn lookup(&mut self, path: &[u8]) -> Result<Option<Item>> {
        self.scope = None;
        let (dir, name) = split(path);
        self.seek(dir, name)?;
        if self.peek_key() == Some((dir, name)) {
            self.next()
        } else {
            Ok(None)
        }
    }

    /// The segment that would be opened next, when the cursor stands between two; loads the page that lists it.
    pub fn segment_ahead(&mut self) -> Result<Option<&Arc<ParentSegment>>> {
        if self.open.is_some() {
            return Ok(None);
        }
        if self.ahead == self.segments.len() && self.next_page() < self.pages.len() {
            self.load_page(self.next_page())?;
        }
        Ok(self.segments.get(self.ahead))
    }

    /// The page that would be loaded next, when the cursor stands between two.
    pub fn page_ahead(&self) -> Option<&PageRef> {
        let between = self.open.is_none() && self.ahead == self.segments.len();
        let page = between.then(|| self.pages.get(self.next_page()))?;
        page.map(|page| &**page)
    }

    /// Passes over the segment ahead, or the page ahead where its segments are not listed yet, without loading it; gives
    /// what was passed over. Also the way on after an error: the cursor then stands before the piece that gave it.
    pub fn skip_piece(&mut self) -> Option<SegmentRef> {
        if self.open.is_some() {
            return None;
        }
        if let Some(segment) = self.segments.get(self.ahead) {
            self.ahead += 1;
            return Some(segment.segment.clone());
        }
        let page = self.next_page();
        let span = self.pages.get(page)?.span.clone();
        self.page = Some(page);
        self.segments.clear();
        self.ahead = 0;
        Some(span)
    }

    fn next_page(&self) -> usize {
        self.page.map_or(0, |page| page + 1)
    }

    fn in_scope(&self, dir: &[u8]) -> bool {
        let Some(scope) = &self.scope else {
            return true;
        };
        dir.strip_prefix(&**scope)
            .is_some_and(|rest| matches!(rest, [] | [b'/', ..]))
    }

    fn open_ahead(&mut self) -> Result<()> {
        let Some(segment) = self.segment_ahead()?.cloned() else {
            return Ok(());
        };
        let plain = (self.load)(&segment.segment.id, segment.segment.place.as_ref())?;
        let runs = decode(&plain).map_err(|e| e.of(&segment.segment.id))?;
        let limit = match self.segments.get(self.ahead + 1) {
            Some(next) => Some(next.segment.first()),
            None => self.pages.get(self.next_page()).map(|page| page.span.first()),
        };
        check_runs(&segment.segment, &runs, limit)?;
        self.ahead += 1;
        self.open = OpenSegment::new(segment, runs);
        Ok(())
    }

    /// Lists the segments of a page in place of those at hand, and stands before the first.
    fn load_page(&mut self, index: usize) -> Result<()> {
        let Some(page) = self.pages.get(index) else {
            return Ok(());
        };
        let span = &page.span;
        let plain = (self.load)(&span.id, span.place.as_ref())?;
        let rows = decode_page(&plain).map_err(|e| e.of(&span.id))?;
        let limit = self.pages.get(index + 1).map(|next| next.span.first());
        check_page(page, &rows, limit)?;
        let listed = rows.into_iter().enumerate().map(|(i, segment)| ParentSegment {
            segment,
            page: Some((page.clone(), i as u32)),
        });
        self.segments = listed.map(Arc::new).collect();
        self.page = Some(index);
        self.ahead = 0;
        self.open = None;
        Ok(())
    }
}

fn inline(segment: &SegmentRef) -> Arc<ParentSegment> {
    Arc::new(ParentSegment {
        segment: segment.clone(),
        page: None,
    })
}

type Key<'a> = (&'a [u8], &'a [u8]);

/// The directory that `path` is in, and its name there.
fn split(path: &[u8]) -> Key<'_> {
    match path.iter().rposition(|b| *b == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (&path[..0], path),
    }
}

/// Whether `last` comes before the first of what follows.
fn ends_before(last: Option<Key<'_>>, limit: Option<Key<'_>>) -> bool {
    match (last, limit) {
        (Some(last), Some(limit)) => cmp_keys(last, limit).is_lt(),
        (_, None) => true,
        (None, _) => false,
    }
}

fn check_runs(segment: &SegmentRef, runs: &[Run], limit: Option<Key<'_>>) -> Result<()> {
    let entries: usize = runs.iter().map(|run| run.entries.len()).sum();
    let first = runs
        .first()
        .and_then(|run| Some((&*run.dir, run.entries.first()?.name.as_slice())));
    let last = runs
        .last()
        .and_then(|run| Some((&*run.dir, run.entries.last()?.name.as_slice())));
    let fits =
        entries as u64 == segment.entries && first == Some(segment.first()) && ends_before(last, limit);
    if fits { Ok(()) } else { Err(misfit(&segment.id)) }
}

fn check_page(page: &PageRef, rows: &[SegmentRef], limit: Option<Key<'_>>) -> Result<()> {
    let span = &page.span;
    let stated = Tally {
        entries: span.entries,
        files: span.files,
        bytes: span.bytes,
    };
    let fits = rows.len() == page.segments as usize
        && Tally::of(rows) == stated
        && rows.first().map(SegmentRef::first) == Some(span.first())
        && ends_before(rows.last().map(SegmentRef::first), limit);
    if fits { Ok(()) } else { Err(misfit(&span.id)) }
}

fn misfit(id: &ChunkId) -> crate::Error {
    Error::corrupt(Object::TreeChunk(*id), Flaw::NotAsListed).into()
}

/// The entries of a loaded segment that are still to come.
struct OpenSegment {
    segment: Arc<ParentSegment>,
    /// Of `entries`, unless they are all taken.
    dir: DirPath,
    entries: vec::IntoIter<Entry>,
    runs: vec::IntoIter<Run>,
    first: bool,
}

impl OpenSegment {
    /// `None` for a segment without entries, which a decoder never gives.
    fn new(segment: Arc<ParentSegment>, runs: Vec<Run>) -> Option<Self> {
        let mut runs = runs.into_iter();
        let run = runs.next()?;
        Some(Self {
            segment,
            dir: run.dir,
            entries: run.entries.into_iter(),
            runs,
            first: true,
        })
    }

    fn peek(&self) -> Option<(&DirPath, &Entry)> {
        Some((&self.dir, self.entries.as_slice().first()?))
    }

    fn key(&self) -> Option<Key<'_>> {
        self.peek().map(|(dir, entry)| (&**dir, entry.name.as_slice()))
    }

    fn next(&mut self) -> Option<Item> {
        let entry = self.entries.next()?;
        let dir = self.dir.clone();
        self.enter_next_dir();
        let pos = ParentPos {
            segment: self.segment.clone(),
            first: std::mem::take(&mut self.first),
            last: self.entries.as_slice().is_empty(),
        };
        Some(Item { dir, entry, pos })
    }

    /// Keeps `entries` from being empty before the segment is.
    fn enter_next_dir(&mut self) {
        if self.entries.as_slice().is_empty()
            && let Some(run) = self.runs.next()
        {
            self.dir = run.dir;
            self.entries = run.entries.into_iter();
        }
    }

    /// Drops what comes before `key`.
    fn skip_to(&mut self, key: Key<'_>) {
        while let Some((dir, entry)) = self.peek() {
            if cmp_keys((dir, &entry.name), key).is_ge() {
                return;
            }
            self.first = false;
            let listing = self.entries.as_slice();
            let before = match *self.dir == *key.0 {
                true => listing.partition_point(|entry| entry.name.as_slice() < key.1),
                false => listing.len(),
            };
            self.entries.by_ref().take(before).for_each(drop);
            self.enter_next_dir();
        }
    }
}
