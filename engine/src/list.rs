//! What a generation holds, path by path: listings, and what changed between two.

use crate::entry::{Entry, Kind, cmp_dirs, join};
use crate::error::{Error, NamedSnapshot, Result};
use crate::manifest::Manifest;
use crate::tree::{self, Change, Cursor, Differs};
use crate::trees::ahead::{Want, fetching};
use crate::trees::cursor;
use chunkstore::reader::Reader;
use chunkstore::{ChunkId, Place};
use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::vec;

/// Entries of one directory from which on a listing reads no further ahead, so that memory stays bounded in a very wide
/// one.
const AHEAD: usize = 8 << 10;

/// `path` without `/` at its ends, as generations have it; empty for the root.
pub fn relative(path: &[u8]) -> &[u8] {
    let start = path.iter().position(|b| *b != b'/').unwrap_or(path.len());
    let end = path
        .iter()
        .rposition(|b| *b != b'/')
        .map_or(start, |last| last + 1);
    &path[start..end]
}

/// Calls `each` with the paths (relative to `/`) of a generation and their entries: all, or the one at `path` and, where
/// it is a directory, what is in it (and below it if `recursive`). A directory comes before what is in it, and all of
/// that before the next name.
///
/// [`Error::NoSuchPath`] where there is nothing.
pub fn entries(
    reader: &Reader<'_>,
    manifest: &Manifest,
    path: Option<&[u8]>,
    recursive: bool,
    each: &mut dyn FnMut(&[u8], &Entry) -> Result<()>,
) -> Result<()> {
    let root = manifest.root()?;
    let top = relative(path.unwrap_or_default());
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let order = |want: &mut Want<'_>| {
        let mut pieces = cursor(reader, &root)?;
        pieces.stand_before(top, b"")?;
        let is_listed = |dir: &[u8]| cmp_dirs(dir, top).is_le() || is_at_or_below(dir, top);
        while pieces.peek_key().is_some_and(|(dir, _)| is_listed(dir)) {
            match pieces.segment_ahead()? {
                Some(piece) if want(&piece.segment) => pieces.skip_piece(),
                _ => break,
            };
        }
        Ok(())
    };
    // A single directory is read in less time than a thread takes to start.
    let threads = if recursive { threads } else { 1 };
    let found = fetching(reader, threads, order, |mut loader| {
        let mut tree = Cursor::new(&root, |id, hint| loader.load(id, hint));
        depth_first(&mut tree, top, recursive, each)
    })?;
    if found {
        Ok(())
    } else {
        Err(Error::NoSuchPath {
            path: String::from_utf8_lossy(top).into_owned(),
            snapshot: NamedSnapshot::This,
        })
    }
}

/// [`entries`] of a tree; false where there is nothing.
fn depth_first<L>(
    cursor: &mut Cursor<L>,
    top: &[u8],
    recursive: bool,
    each: &mut dyn FnMut(&[u8], &Entry) -> Result<()>,
) -> Result<bool>
where
    L: FnMut(&ChunkId, Option<&Place>) -> Result<Vec<u8>>,
{
    let mut found = top.is_empty();
    if !top.is_empty()
        && let Some(item) = cursor.lookup(top)?
    {
        found = true;
        each(top, &item.entry)?;
        if item.entry.kind != Kind::Dir {
            return Ok(true);
        }
    }
    let mut open = vec![DirReader::of(top)];
    while let Some(listing) = open.last_mut() {
        let Some(entry) = listing.next(cursor)? else {
            open.pop();
            continue;
        };
        found = true;
        let path = join(&listing.dir, &entry.name);
        each(&path, &entry)?;
        if recursive && entry.kind == Kind::Dir {
            open.push(DirReader::of(&path));
        }
    }
    Ok(found)
}

/// Calls `each` with what is in the directory at `path`, by name, from the first name after `after` on (with an empty one,
/// from the beginning), until it returns false. What comes before is not read, so that a page of a wide directory costs
/// no more than the page. A path that is not there is empty.
pub fn directory(
    reader: &Reader<'_>,
    manifest: &Manifest,
    path: &[u8],
    after: &[u8],
    each: &mut dyn FnMut(&Entry) -> Result<bool>,
) -> Result<()> {
    let mut cursor = cursor(reader, &manifest.root()?)?;
    let dir = relative(path);
    match after {
        [] => cursor.seek(dir, b"")?,
        after => cursor.seek(dir, &[after, b"\0"].concat())?,
    }
    while cursor.peek_key().is_some_and(|(at, _)| at == dir) {
        match cursor.next()? {
            Some(item) if each(&item.entry)? => {}
            _ => break,
        }
    }
    Ok(())
}

/// Calls `each` with all paths and entries in the order in which they are stored: a directory's whole listing before
/// those of its subdirectories.
pub fn in_stored_order(
    reader: &Reader<'_>,
    manifest: &Manifest,
    each: &mut dyn FnMut(&[u8], &Entry) -> Result<()>,
) -> Result<()> {
    let mut cursor = cursor(reader, &manifest.root()?)?;
    while let Some(item) = cursor.next()? {
        each(&join(&item.dir, &item.entry.name), &item.entry)?;
    }
    Ok(())
}

/// What is still to come of one directory.
struct DirReader {
    dir: Vec<u8>,
    /// What was read, segment by segment.
    ahead: VecDeque<vec::IntoIter<Entry>>,
    /// Where reading goes on, while there is more: at or behind this name.
    from: Option<Vec<u8>>,
}

impl DirReader {
    fn of(dir: &[u8]) -> DirReader {
        DirReader {
            dir: dir.to_vec(),
            ahead: VecDeque::new(),
            from: Some(Vec::new()),
        }
    }

    fn next<L>(&mut self, cursor: &mut Cursor<L>) -> Result<Option<Entry>>
    where
        L: FnMut(&ChunkId, Option<&Place>) -> Result<Vec<u8>>,
    {
        loop {
            while let Some(listing) = self.ahead.front_mut() {
                if let Some(entry) = listing.next() {
                    return Ok(Some(entry));
                }
                self.ahead.pop_front();
            }
            match self.from.take() {
                Some(from) => self.read(cursor, &from)?,
                None => return Ok(None),
            }
        }
    }

    /// Reads on, up to the end of the directory or about [`AHEAD`] entries.
    fn read<L>(&mut self, cursor: &mut Cursor<L>, from: &[u8]) -> Result<()>
    where
        L: FnMut(&ChunkId, Option<&Place>) -> Result<Vec<u8>>,
    {
        // Nothing to do where the directories below were read meanwhile, or are empty.
        cursor.seek(&self.dir, from)?;
        let mut read = 0;
        while cursor.peek_key().is_some_and(|(dir, _)| dir == self.dir) {
            if read >= AHEAD {
                let next = cursor.peek_key().map(|(_, name)| name.to_vec());
                self.from = next;
                break;
            }
            let Some(listing) = cursor.next_run()? else { break };
            read += listing.len();
            self.ahead.push_back(listing);
        }
        Ok(())
    }
}

/// Whether the entry at `path` is a directory. [`Error::NoSuchPath`] where there is nothing.
pub fn is_dir(reader: &Reader<'_>, manifest: &Manifest, path: &[u8]) -> Result<bool> {
    let top = relative(path);
    if top.is_empty() {
        return Ok(true);
    }
    match cursor(reader, &manifest.root()?)?.entry_at(top)? {
        Some(entry) => Ok(entry.kind == Kind::Dir),
        None => Err(Error::NoSuchPath {
            path: format!("/{}", String::from_utf8_lossy(top)),
            snapshot: NamedSnapshot::Of(manifest.time()),
        }),
    }
}

/// Whether there is something at `path`. Where its record is damaged, or can't be read, there may be.
pub fn may_hold(reader: &Reader<'_>, manifest: &Manifest, path: &[u8]) -> Result<bool> {
    let top = relative(path);
    if top.is_empty() {
        return Ok(true);
    }
    match cursor(reader, &manifest.root()?).and_then(|mut cursor| cursor.entry_at(top)) {
        Ok(found) => Ok(found.is_some()),
        Err(Error::Store(e)) if e.concerns_one_object() => Ok(true),
        Err(e) => Err(e),
    }
}

/// How a path differs between two generations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Modifier {
    Added,
    Removed,
    /// Another kind of object.
    Type,
    /// Other bytes, link target or device.
    Content,
    /// The same bytes, other metadata.
    Metadata,
}

impl Modifier {
    /// restic's sign for it.
    pub fn sign(self) -> &'static str {
        match self {
            Modifier::Added => "+",
            Modifier::Removed => "-",
            Modifier::Type => "T",
            Modifier::Content => "M",
            Modifier::Metadata => "U",
        }
    }

    fn between(old: &Entry, new: &Entry, differs: Differs) -> Option<Modifier> {
        let kind = |entry: &Entry| std::mem::discriminant(&entry.kind);
        if kind(old) != kind(new) {
            Some(Modifier::Type)
        } else if differs.content {
            Some(Modifier::Content)
        } else {
            differs.metadata.then_some(Modifier::Metadata)
        }
    }
}

/// Entries that one side has and the other has not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Side {
    pub files: u64,
    pub dirs: u64,
    pub others: u64,
    pub bytes: u64,
}

impl Side {
    pub(crate) fn add(&mut self, entry: &Entry) {
        match entry.kind {
            Kind::File => {
                self.files += 1;
                self.bytes = self.bytes.saturating_add(entry.meta.size);
            }
            Kind::Dir => self.dirs += 1,
            Kind::Symlink { .. }
            | Kind::CharDevice { .. }
            | Kind::BlockDevice { .. }
            | Kind::Fifo
            | Kind::Socket => self.others += 1,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct DiffSummary {
    /// Files whose bytes changed.
    pub changed_files: u64,
    pub added: Side,
    pub removed: Side,
    /// Entries that the new generation lacks because it could not look where they were.
    pub missing: Side,
}

/// One path that changed; an added one has only a new entry, a removed one only an old.
pub struct Row<'a> {
    pub path: &'a [u8],
    pub modifier: Modifier,
    pub old: Option<&'a Entry>,
    pub new: Option<&'a Entry>,
}

/// Calls `each` with what changed from `old` to `new`, at `path` and below it or anywhere. Changes that only the file
/// system's bookkeeping shows are left out. Costs as much as what differs.
pub fn diff(
    reader: &Reader<'_>,
    old: &Manifest,
    new: &Manifest,
    path: Option<&[u8]>,
    each: &mut dyn FnMut(Row<'_>) -> Result<()>,
) -> Result<DiffSummary> {
    let mut comparison = TreeDiff {
        unknown: new
            .missing
            .iter()
            .map(|missing| &missing.path)
            .chain(&new.unreadable_dirs)
            .map(|path| relative(path))
            .collect(),
        summary: DiffSummary::default(),
        each,
    };
    let mut old = cursor(reader, &old.root()?)?;
    let mut new = cursor(reader, &new.root()?)?;
    let top = relative(path.unwrap_or_default());
    if !top.is_empty() {
        let was = old.lookup(top)?.map(|item| item.entry);
        let is = new.lookup(top)?.map(|item| item.entry);
        let differs = match (&was, &is) {
            (Some(was), Some(is)) => Differs::between(was, is),
            _ => Differs::default(),
        };
        comparison.pair(top, was.as_ref(), is.as_ref(), differs)?;
        old.under(top)?;
        new.under(top)?;
    }
    for change in tree::diff(old, new) {
        match change? {
            Change::Added(item) => {
                let path = join(&item.dir, &item.entry.name);
                comparison.pair(&path, None, Some(&item.entry), Differs::default())?;
            }
            Change::Removed(item) => {
                let path = join(&item.dir, &item.entry.name);
                comparison.pair(&path, Some(&item.entry), None, Differs::default())?;
            }
            Change::Changed {
                dir,
                old,
                new,
                differs,
            } => {
                let path = join(&dir, &new.name);
                comparison.pair(&path, Some(&old), Some(&new), differs)?;
            }
        }
    }
    Ok(comparison.summary)
}

/// Two generations that are being compared.
struct TreeDiff<'a> {
    /// Where the new generation could not look.
    unknown: Vec<&'a [u8]>,
    summary: DiffSummary,
    each: &'a mut dyn FnMut(Row<'_>) -> Result<()>,
}

impl TreeDiff<'_> {
    fn pair(
        &mut self,
        path: &[u8],
        old: Option<&Entry>,
        new: Option<&Entry>,
        differs: Differs,
    ) -> Result<()> {
        match (old, new) {
            (Some(old), None) if self.unknown.iter().any(|above| is_at_or_below(path, above)) => {
                self.summary.missing.add(old);
                Ok(())
            }
            _ => one(&mut self.summary, path, old, new, differs, self.each),
        }
    }
}

pub(crate) fn is_at_or_below(path: &[u8], above: &[u8]) -> bool {
    let rest = path.strip_prefix(above);
    above.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

/// Counts one path, and tells of it if it differs.
pub(crate) fn one(
    summary: &mut DiffSummary,
    path: &[u8],
    old: Option<&Entry>,
    new: Option<&Entry>,
    differs: Differs,
    each: &mut dyn FnMut(Row<'_>) -> Result<()>,
) -> Result<()> {
    let modifier = match (old, new) {
        (None, Some(new)) => {
            summary.added.add(new);
            Some(Modifier::Added)
        }
        (Some(old), None) => {
            summary.removed.add(old);
            Some(Modifier::Removed)
        }
        (Some(old), Some(new)) => {
            let modifier = Modifier::between(old, new, differs);
            summary.changed_files += u64::from(modifier == Some(Modifier::Content) && new.kind == Kind::File);
            modifier
        }
        (None, None) => None,
    };
    modifier.map_or(Ok(()), |modifier| {
        each(Row {
            path,
            modifier,
            old,
            new,
        })
    })
}
