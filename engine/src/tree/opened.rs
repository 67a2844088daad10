//! A segment that a cursor has loaded, and what of it is still to come.

use super::page::{PageRef, SegmentRef};
use super::{Run, cmp_keys};
use crate::entry::{DirPath, Entry};
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

pub(super) type Key<'a> = (&'a [u8], &'a [u8]);

/// The entries of a loaded segment that are still to come.
pub(super) struct OpenSegment {
    segment: Arc<ParentSegment>,
    /// Of `entries`, unless they are all taken.
    dir: DirPath,
    entries: vec::IntoIter<Entry>,
    runs: vec::IntoIter<Run>,
    first: bool,
}

impl OpenSegment {
    /// `None` for a segment without entries, which a decoder never gives.
    pub(super) fn new(segment: Arc<ParentSegment>, runs: Vec<Run>) -> Option<Self> {
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

    pub(super) fn peek(&self) -> Option<(&DirPath, &Entry)> {
        Some((&self.dir, self.entries.as_slice().first()?))
    }

    pub(super) fn key(&self) -> Option<Key<'_>> {
        self.peek().map(|(dir, entry)| (&**dir, entry.name.as_slice()))
    }

    pub(super) fn next(&mut self) -> Option<Item> {
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

    /// The rest of the listing at hand.
    pub(super) fn next_run(&mut self) -> (DirPath, vec::IntoIter<Entry>) {
        let rest = (self.dir.clone(), std::mem::take(&mut self.entries));
        self.first = false;
        self.enter_next_dir();
        rest
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
    pub(super) fn skip_to(&mut self, key: Key<'_>) {
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
