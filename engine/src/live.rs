//! What changed from a generation to the files as they are now: its sources are walked again, in the order in which the
//! generation is stored, and the two are merged. Nothing is recorded.

use crate::backup::OwnPlaces;
use crate::entry::{Content, DirPath, Entry, Kind, Trouble, join};
use crate::error::Result;
use crate::filter::{Filter, FilterOptions};
use crate::fsmeta::{self, AsFd, CHEAP_FLAGS, Owners};
use crate::list::{DiffSummary, Row, is_at_or_below, one, relative};
use crate::manifest::Manifest;
use crate::monitor::{Monitor, Problem, ProblemKind};
use crate::platform::errno::errno_of;
use crate::platform::paths::from_root;
use crate::restore::file_holds;
use crate::run::RunContext;
use crate::tree::{Cursor, Differs, cmp_keys};
use crate::trees::cursor;
use crate::walk::{Found, LeftOut, Lent, Sources, Walk};
use chunkstore::reader::Reader;
use chunkstore::{ChunkId, Place};
use std::cmp::Ordering;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Clone, Debug, Default)]
pub struct LiveOptions {
    /// Absolute: only this and what is below it.
    pub path: Option<Vec<u8>>,
    /// Left out of the walk. What the backup left out would otherwise count as added.
    pub filter: FilterOptions,
    /// Read every file, also where size and times say that it is unchanged.
    pub content: bool,
    /// Places of our own, which no backup holds.
    pub own: OwnPlaces,
}

/// Calls `each` with what changed since the generation of `manifest` was made. What can't be examined is a problem of that
/// path, and what is recorded below it counts as missing.
pub fn diff(
    reader: &Reader<'_>,
    manifest: &Manifest,
    options: &LiveOptions,
    run: &RunContext,
    monitor: &dyn Monitor,
    each: &mut dyn FnMut(Row<'_>) -> Result<()>,
) -> Result<DiffSummary> {
    let top = relative(options.path.as_deref().unwrap_or_default());
    let mut comparing = LiveDiff {
        reader,
        options,
        monitor,
        owners: Owners::default(),
        live: LiveEntries::start(manifest, options, top, run)?,
        summary: DiffSummary::default(),
    };
    let mut recorded = cursor(reader, &manifest.root()?)?;
    if !top.is_empty() {
        // Its own entry is its parent's, and comes first.
        let own = recorded.lookup(top)?.map(|item| item.entry);
        comparing.top(top, own, each)?;
        recorded.under(top)?;
    }
    comparing.merge(&mut recorded, top, run, each)?;
    Ok(comparing.summary)
}

/// What is walked: the sources that lie below `top`, or `top` where it is within one.
fn sources(manifest: &Manifest, top: &[u8]) -> Vec<PathBuf> {
    let recorded = manifest.paths.iter().map(|path| relative(path));
    let within = recorded.filter_map(|source| {
        if is_at_or_below(source, top) {
            Some(source)
        } else {
            is_at_or_below(top, source).then_some(top)
        }
    });
    let mut paths: Vec<PathBuf> = within.map(from_root).collect();
    paths.sort();
    paths.dedup();
    paths
}

fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|b| *b == b'/') {
        Some(slash) => (
            path.get(..slash).unwrap_or_default(),
            path.get(slash + 1..).unwrap_or_default(),
        ),
        None => (&[], path),
    }
}

/// The walk, entry by entry.
struct LiveEntries {
    walk: Walk,
    dir: DirPath,
    handle: Option<Arc<Lent>>,
    entries: std::vec::IntoIter<Found>,
    /// Directories that could not be listed, and the one in which that is still being told.
    unread: Vec<(DirPath, Trouble)>,
}

impl LiveEntries {
    fn start(
        manifest: &Manifest,
        options: &LiveOptions,
        top: &[u8],
        run: &RunContext,
    ) -> Result<LiveEntries> {
        let sources = Sources {
            left_out: LeftOut {
                ids: options.own.ids(),
                paths: Vec::new(),
            },
            ..Sources::of(&sources(manifest, top))
        };
        let filter = Filter::build(options.filter.clone())?;
        Ok(LiveEntries {
            walk: Walk::start(&sources, filter, run.threads(4))?,
            dir: Arc::from(&b""[..]),
            handle: None,
            entries: Vec::new().into_iter(),
            unread: Vec::new(),
        })
    }

    fn next(&mut self) -> Option<(DirPath, Found)> {
        loop {
            if let Some(found) = self.entries.next() {
                return Some((self.dir.clone(), found));
            }
            let batch = self.walk.next()?;
            if let Some(trouble) = batch.trouble {
                self.unread.push((batch.dir.clone(), trouble));
            }
            (self.dir, self.handle) = (batch.dir, batch.handle);
            self.entries = batch.entries.into_iter();
        }
    }
}

struct LiveDiff<'a> {
    reader: &'a Reader<'a>,
    options: &'a LiveOptions,
    monitor: &'a dyn Monitor,
    owners: Owners,
    live: LiveEntries,
    summary: DiffSummary,
}

impl LiveDiff<'_> {
    /// Compares what is recorded with what is there, both in the same order.
    fn merge<L>(
        &mut self,
        recorded: &mut Cursor<L>,
        top: &[u8],
        run: &RunContext,
        each: &mut dyn FnMut(Row<'_>) -> Result<()>,
    ) -> Result<()>
    where
        L: FnMut(&ChunkId, Option<&Place>) -> Result<Vec<u8>>,
    {
        let mut live = self.next_below(top);
        loop {
            run.cancel().check()?;
            let order = match (recorded.peek_key(), &live) {
                (None, None) => return Ok(()),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(key), Some((dir, found))) => cmp_keys(key, (dir, &found.name)),
            };
            let old = match order {
                Ordering::Greater => None,
                Ordering::Less | Ordering::Equal => recorded.next()?,
            };
            let new = match order {
                Ordering::Less => None,
                Ordering::Greater | Ordering::Equal => live.take(),
            };
            let dir = new.as_ref().map(|(dir, _)| dir.clone());
            let Some(dir) = dir.or_else(|| old.as_ref().map(|item| item.dir.clone())) else {
                return Ok(());
            };
            let advances = new.is_some();
            let (old, new) = (old.map(|item| item.entry), new.map(|(_, found)| found));
            self.pair(&dir, old, new, each)?;
            if advances {
                live = self.next_below(top);
            }
        }
    }

    /// The next one that is at `top` or below it.
    fn next_below(&mut self, top: &[u8]) -> Option<(DirPath, Found)> {
        loop {
            let known = self.live.unread.len();
            let next = self.live.next();
            for (dir, trouble) in self.live.unread.get(known..).unwrap_or_default() {
                self.tell(dir, *trouble);
            }
            let (dir, found) = next?;
            if is_at_or_below(&dir, top) || is_at_or_below(&join(&dir, &found.name), top) {
                return Some((dir, found));
            }
        }
    }

    /// What is compared itself, as its parent lists it.
    fn top(
        &mut self,
        top: &[u8],
        own: Option<Entry>,
        each: &mut dyn FnMut(Row<'_>) -> Result<()>,
    ) -> Result<()> {
        let (dir, name) = split(top);
        let dir: DirPath = dir.into();
        let live = self.next_below(top);
        let found = live.filter(|(at, found)| *at == dir && found.name == name);
        self.pair(&dir, own, found.map(|(_, found)| found), each)
    }

    fn tell(&self, path: &[u8], trouble: Trouble) {
        let path = [b"/", path].concat();
        let what = ProblemKind::Source(trouble);
        self.monitor.problem(&Problem { path, what });
    }

    fn pair(
        &mut self,
        dir: &DirPath,
        old: Option<Entry>,
        new: Option<Found>,
        each: &mut dyn FnMut(Row<'_>) -> Result<()>,
    ) -> Result<()> {
        let name = match (&old, &new) {
            (_, Some(new)) => &new.name,
            (Some(old), None) => &old.name,
            (None, None) => return Ok(()),
        };
        let path = join(dir, name);
        self.monitor.current(&path);
        match (old, new) {
            (Some(old), None)
                if self
                    .live
                    .unread
                    .iter()
                    .any(|(above, _)| is_at_or_below(&path, above)) =>
            {
                self.summary.missing.add(&old);
                Ok(())
            }
            (old, Some(new)) if new.trouble.is_some() => {
                if let Some(trouble) = new.trouble {
                    self.tell(&path, trouble);
                }
                old.iter().for_each(|old| self.summary.missing.add(old));
                Ok(())
            }
            (Some(old), Some(new)) => {
                let (entry, differs) = self.compare(&old, new)?;
                one(&mut self.summary, &path, Some(&old), Some(&entry), differs, each)
            }
            (old, new) => {
                let entry = new.map(as_entry);
                let differs = Differs::default();
                one(
                    &mut self.summary,
                    &path,
                    old.as_ref(),
                    entry.as_ref(),
                    differs,
                    each,
                )
            }
        }
    }

    fn compare(&self, old: &Entry, new: Found) -> Result<(Entry, Differs)> {
        let mut new = as_entry(new);
        let (was, is) = (&old.meta, &new.meta);
        let untouched = std::mem::discriminant(&old.kind) == std::mem::discriminant(&new.kind)
            && (was.size, was.mtime, was.ctime, was.ino) == (is.size, is.mtime, is.ctime, is.ino)
            && was.flags & CHEAP_FLAGS == is.flags & CHEAP_FLAGS
            && old.trouble.is_none();
        if untouched && !self.options.content {
            return Ok((new, Differs::default()));
        }
        let handle = self.live.handle.as_ref().and_then(|lent| lent.open().ok());
        if let Some(handle) = &handle {
            // What can't be read of it can't be compared.
            let _unread = fsmeta::complete(
                handle.as_fd(),
                &new.name,
                None,
                &self.owners,
                &mut new.kind,
                &mut new.meta,
            );
        }
        let mut content = old.kind != new.kind || old.meta.size != new.meta.size;
        let reads = self.options.content || old.meta.mtime != new.meta.mtime || old.trouble.is_some();
        if !content && reads && old.kind == Kind::File && old.meta.size > 0 {
            content = match handle.map(|handle| fsmeta::open_source(handle.as_fd(), &new.name)) {
                Some(Ok(file)) => !file_holds(self.reader, &file, old)?,
                Some(Err(e)) => {
                    self.tell(
                        &join(&self.live.dir, &new.name),
                        Trouble::Unreadable { errno: errno_of(&e) },
                    );
                    false
                }
                None => false,
            };
        }
        let (was, is) = (&old.meta, &new.meta);
        let metadata = (was.mode, was.uid, was.gid, was.mtime) != (is.mode, is.uid, is.gid, is.mtime)
            || (&was.xattrs, was.flags) != (&is.xattrs, is.flags);
        let differs = Differs {
            content,
            metadata,
            bookkeeping: false,
        };
        Ok((new, differs))
    }
}

fn as_entry(found: Found) -> Entry {
    Entry {
        name: found.name,
        kind: found.kind,
        meta: found.meta,
        content: Content::None,
        trouble: found.trouble,
    }
}
