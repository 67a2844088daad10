//! A [`Root`] in, entries out, in the order of the stream. Loads a segment when its first entry is wanted, so what a
//! caller skips by [`Cursor::seek`] or [`Cursor::skip_piece`] is never fetched. Above it are the backup (its parent
//! generation), restore, listings and [`mod@super::diff`].
//!
//! What is loaded must fit what lists it: counts, first entry, and nothing at or past the next segment's first.

use super::opened::{Item, Key, OpenSegment, ParentSegment};
use super::page::{PageRef, Root, SegmentRef, Segments, Tally, decode_page};
use super::{Run, cmp_keys, decode, select};
use crate::Result;
use crate::entry::{DirPath, Entry};
use chunkstore::error::{Flaw, Object};
use chunkstore::{ChunkId, Error, Place};
use std::sync::Arc;
use std::vec;

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
    /// What [`Cursor::next`] gave last, as long as nothing lies between it and where the cursor stands.
    behind: Option<(DirPath, Vec<u8>)>,
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
            behind: None,
            scope: None,
        }
    }

    /// Directory and name of what [`Cursor::next`] gives, without loading its segment.
    pub fn peek_key(&self) -> Option<(&[u8], &[u8])> {
        self.upcoming().filter(|(dir, _)| self.in_scope(dir))
    }

    /// The same in the whole generation.
    fn upcoming(&self) -> Option<Key<'_>> {
        match &self.open {
            Some(open) => open.key(),
            None => match self.segments.get(self.ahead) {
                Some(segment) => Some(segment.segment.first()),
                None => Some(self.pages.get(self.next_page())?.span.first()),
            },
        }
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
        if let Some(item) = &item {
            self.pass(&item.dir, &item.entry.name);
        }
        Ok(item)
    }

    /// What is still to come of the listing that the next entry is in, as far as it is in one segment.
    pub fn next_run(&mut self) -> Result<Option<vec::IntoIter<Entry>>> {
        if self.peek_key().is_none() {
            return Ok(None);
        }
        self.open_ahead()?;
        let Some(open) = &mut self.open else {
            return Ok(None);
        };
        let (dir, entries) = open.next_run();
        if open.key().is_none() {
            self.open = None;
        }
        if let Some(last) = entries.as_slice().last() {
            self.pass(&dir, &last.name);
        }
        Ok(Some(entries))
    }

    /// Goes to the first entry at or after (`dir`, `name`), forward or back; at most one page and one segment are loaded,
    /// and none where the cursor stands there already.
    pub fn seek(&mut self, dir: &[u8], name: &[u8]) -> Result<()> {
        let key = (dir, name);
        if self.stands_at(key) {
            return Ok(());
        }
        self.behind = None;
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

    /// Nothing lies between what was given last, which comes before `key`, and where the cursor stands, at or after it.
    fn stands_at(&self, key: Key<'_>) -> bool {
        let is_before = |(dir, name): &(DirPath, Vec<u8>)| cmp_keys((dir, name), key).is_lt();
        self.behind.as_ref().is_some_and(is_before)
            && self.upcoming().is_none_or(|next| cmp_keys(next, key).is_ge())
    }

    /// Notes what was given last.
    fn pass(&mut self, dir: &DirPath, name: &[u8]) {
        match &mut self.behind {
            Some((last_dir, last_name)) => {
                if !Arc::ptr_eq(last_dir, dir) {
                    last_dir.clone_from(dir);
                }
                last_name.clear();
                last_name.extend_from_slice(name);
            }
            None => self.behind = Some((dir.clone(), name.to_vec())),
        }
    }

    /// Goes between two segments: before the one that (`dir`, `name`) is in if it is in any. Loads a page at most.
    pub fn stand_before(&mut self, dir: &[u8], name: &[u8]) -> Result<()> {
        let at = self.segment_at((dir, name))?;
        (self.open, self.behind, self.ahead) = (None, None, at);
        Ok(())
    }

    /// The entries of the segment ahead that `wanted` accepts by directory and name ([`select`]), with their directories;
    /// passes over the segment. The cursor must stand between two, as after [`Cursor::segment_ahead`] gave one.
    pub fn select(&mut self, wanted: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<Vec<(DirPath, Entry)>> {
        let Some(segment) = self.segment_ahead()?.cloned() else {
            return Ok(Vec::new());
        };
        let listed = &segment.segment;
        let plain = (self.load)(&listed.id, listed.place.as_ref())?;
        let mut first = None;
        let selected = select(&plain, &mut |dir, name| {
            first.get_or_insert_with(|| (dir, name) == listed.first());
            wanted(dir, name)
        });
        let selected = selected.map_err(|e| e.of(&listed.id))?;
        let last = (selected.last.0.as_slice(), selected.last.1.as_slice());
        let fits = selected.entries as u64 == listed.entries
            && first == Some(true)
            && ends_before(Some(last), self.limit_ahead());
        if !fits {
            return Err(misfit(&listed.id));
        }
        self.ahead += 1;
        self.behind = None;
        Ok(selected.found)
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

    /// Goes before the segment that the entry at `path` is in if there is one, and gives its id. In every generation with
    /// that segment there, the answer to whether there is one is the same.
    pub fn segment_of(&mut self, path: &[u8]) -> Result<Option<ChunkId>> {
        self.scope = None;
        let key = split(path);
        self.stand_before(key.0, key.1)?;
        let segment = self.segments.get(self.ahead);
        let segment = segment.filter(|segment| cmp_keys(segment.segment.first(), key).is_le());
        Ok(segment.map(|segment| segment.segment.id))
    }

    /// The entry at `path`, by the names of the one segment that it can be in. Ends what [`Cursor::under`] began.
    pub fn entry_at(&mut self, path: &[u8]) -> Result<Option<Entry>> {
        if self.segment_of(path)?.is_none() {
            return Ok(None);
        }
        let key = split(path);
        let found = self.select(&mut |dir, name| name == key.1 && dir == key.0)?;
        Ok(found.into_iter().next().map(|(_, entry)| entry))
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
        self.behind = None;
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
        check_runs(&segment.segment, &runs, self.limit_ahead())?;
        self.ahead += 1;
        self.open = OpenSegment::new(segment, runs);
        Ok(())
    }

    /// What the segment ahead ends before.
    fn limit_ahead(&self) -> Option<Key<'_>> {
        match self.segments.get(self.ahead + 1) {
            Some(next) => Some(next.segment.first()),
            None => self.pages.get(self.next_page()).map(|page| page.span.first()),
        }
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
