//! The shapes that columns of a segment have, each written and read here side by side (`meta` fills them).
//!
//! What is nearly always the same is sparse (only entries that differ are listed, by the gap to the one before), what
//! repeats is a dictionary in order of first use, what grows slowly is a difference from the entry before.

use super::bytes::{Reader, put_varint, unzigzag, zigzag};
use super::fault::{CodecError, TreeFault, TreePart, damaged};
use super::limits;
use crate::entry::Time;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;

/// Rows in order of first use, for encoding.
pub(super) struct Dictionary<K> {
    pub(super) rows: Vec<K>,
    known: HashMap<K, usize>,
}

impl<K: Clone + Eq + Hash> Dictionary<K> {
    pub(super) fn new() -> Self {
        Self {
            rows: Vec::new(),
            known: HashMap::new(),
        }
    }

    pub(super) fn row(&mut self, key: K) -> usize {
        if let Some(row) = self.known.get(&key) {
            return *row;
        }
        let row = self.rows.len();
        self.rows.push(key.clone());
        self.known.insert(key, row);
        row
    }

    /// Number of rows, then the rows.
    pub(super) fn put(&self, put_row: impl Fn(&K, &mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        put_varint(&mut out, self.rows.len() as u64);
        for row in &self.rows {
            put_row(row, &mut out);
        }
        out
    }
}

/// The same, for decoding: refuses rows out of order of first use, repeated or unused.
pub(super) struct Lookup<K> {
    pub(super) rows: Vec<K>,
    pub(super) used: usize,
}

impl<K: Eq + Hash> Lookup<K> {
    pub(super) fn read<'a>(
        reader: &mut Reader<'a>,
        most: usize,
        mut row: impl FnMut(&mut Reader<'a>) -> Result<K, CodecError>,
    ) -> Result<Self, CodecError> {
        let count = reader.up_to(most, (TreePart::Table, TreeFault::TooLong))?;
        let mut rows = Vec::new();
        for _ in 0..count {
            rows.push(row(reader)?);
        }
        let mut distinct = HashSet::with_capacity(count);
        if !rows.iter().all(|row| distinct.insert(row)) {
            return damaged(TreePart::Table, TreeFault::NotCanonical);
        }
        Ok(Self { rows, used: 0 })
    }

    pub(super) fn empty() -> Self {
        Self {
            rows: Vec::new(),
            used: 0,
        }
    }

    #[inline]
    pub(super) fn get(&mut self, row: usize) -> Result<&K, CodecError> {
        match self.rows.get(row) {
            Some(found) if row <= self.used => {
                self.used = self.used.max(row + 1);
                Ok(found)
            }
            _ => damaged(TreePart::Table, TreeFault::OutOfRange),
        }
    }

    #[inline]
    pub(super) fn follow(&mut self, reader: &mut Reader<'_>) -> Result<&K, CodecError> {
        let row = reader.up_to(usize::MAX, (TreePart::Table, TreeFault::OutOfRange))?;
        self.get(row)
    }

    pub(super) fn end(&self) -> Result<(), CodecError> {
        if self.used == self.rows.len() {
            Ok(())
        } else {
            damaged(TreePart::Table, TreeFault::NotCanonical)
        }
    }
}

/// A column of which only some entries have a value.
#[derive(Default)]
pub(super) struct Sparse {
    pub(super) out: Vec<u8>,
    /// Entry after the last one listed.
    next: usize,
}

impl Sparse {
    /// Lists entry `at`; its value is to be written to what is returned.
    pub(super) fn at(&mut self, at: usize) -> &mut Vec<u8> {
        put_varint(&mut self.out, (at - self.next) as u64);
        self.next = at + 1;
        &mut self.out
    }
}

pub(super) struct SparseReader<'a> {
    reader: Reader<'a>,
    /// Entry listed next; past the last entry when there is none.
    next: usize,
}

impl<'a> SparseReader<'a> {
    pub(super) fn new(mut reader: Reader<'a>) -> Result<Self, CodecError> {
        let next = Self::after(0, &mut reader)?;
        Ok(Self { reader, next })
    }

    pub(super) fn after(from: usize, reader: &mut Reader<'a>) -> Result<usize, CodecError> {
        if reader.is_empty() {
            return Ok(usize::MAX);
        }
        Ok(from + reader.up_to(limits::ENTRIES, (TreePart::Entry, TreeFault::OutOfRange))?)
    }

    /// The value of entry `at` if it is listed; entries are asked for in order, each once.
    #[inline]
    pub(super) fn take<T>(
        &mut self,
        at: usize,
        read: impl FnOnce(&mut Reader<'a>) -> Result<T, CodecError>,
    ) -> Result<Option<T>, CodecError> {
        if at != self.next {
            return Ok(None);
        }
        let value = read(&mut self.reader)?;
        self.next = Self::after(at + 1, &mut self.reader)?;
        Ok(Some(value))
    }

    pub(super) fn end(&self) -> Result<(), CodecError> {
        if self.next == usize::MAX {
            Ok(())
        } else {
            damaged(TreePart::Entry, TreeFault::OutOfRange)
        }
    }
}

/// Seconds as differences; then all nanoseconds, four bytes each, less those of a time that is often the same.
#[derive(Default)]
pub(super) struct Times {
    pub(super) secs: Vec<u8>,
    last: i64,
    pub(super) nanos: Vec<u8>,
}

impl Times {
    pub(super) fn push(&mut self, time: Time, like: Time) {
        put_varint(&mut self.secs, zigzag(time.secs.wrapping_sub(self.last)));
        self.last = time.secs;
        self.nanos
            .extend_from_slice(&(time.nanos ^ like.nanos).to_le_bytes());
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.secs.append(&mut self.nanos);
        self.secs
    }
}

pub(super) struct TimesReader<'a> {
    pub(super) secs: Reader<'a>,
    last: i64,
    pub(super) nanos: Reader<'a>,
}

impl<'a> TimesReader<'a> {
    pub(super) fn open(section: &'a [u8], count: usize) -> Result<Self, CodecError> {
        let split = section.len().checked_sub(count * 4);
        let Some((secs, nanos)) = split.and_then(|at| section.split_at_checked(at)) else {
            return damaged(TreePart::Time, TreeFault::Truncated);
        };
        Ok(Self {
            secs: Reader::new(secs),
            last: 0,
            nanos: Reader::new(nanos),
        })
    }

    #[inline]
    pub(super) fn next(&mut self, like: Time) -> Result<Time, CodecError> {
        self.last = self.last.wrapping_add(unzigzag(self.secs.varint()?));
        let time = Time {
            secs: self.last,
            nanos: u32::from_le_bytes(self.nanos.array()?) ^ like.nanos,
        };
        limits::check_time(time)?;
        Ok(time)
    }
}
