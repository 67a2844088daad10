//! What changed between two generations, in the order of the stream. Pages and segments that both share are passed
//! over unread, so the cost is that of what differs.

use super::cmp_keys;
use super::cursor::Cursor;
use super::opened::Item;
use crate::Result;
use crate::entry::{Content, DirPath, Entry, Meta};
use chunkstore::{ChunkId, Place};
use std::cmp::Ordering;

/// One path that is not the same in both.
#[derive(Clone, Debug)]
pub enum Change {
    Added(Item),
    Removed(Item),
    Changed {
        dir: DirPath,
        old: Box<Entry>,
        new: Box<Entry>,
        differs: Differs,
    },
}

/// In what two entries of one path differ; at least one is set in a [`Change`].
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Differs {
    /// Type, bytes, link target or device number.
    pub content: bool,
    /// Mode, owner, mtime, time of birth, extended attributes, flags, or trouble in reading it.
    pub metadata: bool,
    /// Only where the system keeps it and when it last touched that: ctime, device, inode, links; or in which bundle
    /// the same bytes are.
    pub bookkeeping: bool,
}

impl Differs {
    pub fn between(old: &Entry, new: &Entry) -> Self {
        let content =
            old.kind != new.kind || old.meta.size != new.meta.size || !same_bytes(&old.content, &new.content);
        let metadata = old.trouble != new.trouble || visible(&old.meta) != visible(&new.meta);
        Self {
            content,
            metadata,
            bookkeeping: old.content != new.content && !content || hidden(&old.meta) != hidden(&new.meta),
        }
    }

    pub fn any(self) -> bool {
        self.content || self.metadata || self.bookkeeping
    }
}

fn same_bytes(old: &Content, new: &Content) -> bool {
    match (old, new) {
        // Where the bundle lies does not depend on the bytes.
        (Content::Bundled { len: a, hash: x, .. }, Content::Bundled { len: b, hash: y, .. }) => {
            (a, x) == (b, y)
        }
        _ => old == new,
    }
}

fn visible(meta: &Meta) -> impl PartialEq + '_ {
    let owner = (meta.uid, meta.gid, &meta.user, &meta.group);
    let attributes = (&meta.xattrs, meta.flags);
    (meta.mode, owner, meta.mtime, meta.btime, attributes)
}

fn hidden(meta: &Meta) -> impl PartialEq {
    (meta.ctime, meta.dev, meta.ino, meta.nlink)
}

/// Changes from `old` to `new`, which stand at their beginnings, or both [`Cursor::under`] the same path. Ends after
/// the first error.
pub fn diff<A, B>(old: Cursor<A>, new: Cursor<B>) -> Diff<A, B> {
    Diff {
        old,
        new,
        failed: false,
    }
}

pub struct Diff<A, B> {
    old: Cursor<A>,
    new: Cursor<B>,
    failed: bool,
}

impl<A, B> Iterator for Diff<A, B>
where
    A: FnMut(&ChunkId, Option<&Place>) -> Result<Vec<u8>>,
    B: FnMut(&ChunkId, Option<&Place>) -> Result<Vec<u8>>,
{
    type Item = Result<Change>;

    fn next(&mut self) -> Option<Result<Change>> {
        if self.failed {
            return None;
        }
        let change = self.step().transpose();
        self.failed = matches!(change, Some(Err(_)));
        change
    }
}

impl<A, B> Diff<A, B>
where
    A: FnMut(&ChunkId, Option<&Place>) -> Result<Vec<u8>>,
    B: FnMut(&ChunkId, Option<&Place>) -> Result<Vec<u8>>,
{
    fn step(&mut self) -> Result<Option<Change>> {
        loop {
            let order = match (self.old.peek_key(), self.new.peek_key()) {
                (None, None) => return Ok(None),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(old), Some(new)) => cmp_keys(old, new),
            };
            match order {
                Ordering::Less => return Ok(self.old.next()?.map(Change::Removed)),
                Ordering::Greater => return Ok(self.new.next()?.map(Change::Added)),
                Ordering::Equal if self.skip_shared()? => {}
                Ordering::Equal => {
                    if let Some(change) = self.compare()? {
                        return Ok(Some(change));
                    }
                }
            }
        }
    }

    /// Passes over a page or segment that both have ahead of them.
    fn skip_shared(&mut self) -> Result<bool> {
        if let (Some(old), Some(new)) = (self.old.page_ahead(), self.new.page_ahead())
            && old.span.id == new.span.id
        {
            self.old.skip_piece();
            self.new.skip_piece();
            return Ok(true);
        }
        let (Some(old), Some(new)) = (self.old.segment_ahead()?, self.new.segment_ahead()?) else {
            return Ok(false);
        };
        let shared = old.segment.id == new.segment.id;
        if shared {
            self.old.skip_piece();
            self.new.skip_piece();
        }
        Ok(shared)
    }

    fn compare(&mut self) -> Result<Option<Change>> {
        let (Some(old), Some(new)) = (self.old.next()?, self.new.next()?) else {
            return Ok(None);
        };
        let differs = Differs::between(&old.entry, &new.entry);
        Ok(differs.any().then(|| Change::Changed {
            dir: new.dir,
            old: Box::new(old.entry),
            new: Box::new(new.entry),
            differs,
        }))
    }
}
