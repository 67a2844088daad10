//! What generations hold, path by path: listings, search across generations, and what changed between two.

use crate::entry::{Entry, Kind, join};
use crate::error::{Error, NamedSnapshot, PatternFault, PatternKind, Result, Usage};
use crate::manifest::{Manifest, Snapshot};
use crate::repo::Repo;
use crate::tree::{self, Change, Differs};
use crate::trees::cursor;
use chunkstore::ChunkId;
use chunkstore::reader::Reader;
use globset::{Candidate, GlobBuilder, GlobSet, GlobSetBuilder};
use std::collections::HashMap;

/// Segments whose matches are remembered, and matches remembered in all, so that memory stays bounded.
const MEMO_SEGMENTS: usize = 64 << 10;
const MEMO_MATCHES: usize = 16 << 10;

/// `path` without `/` at its ends, as generations have it; empty for the root.
pub fn relative(path: &[u8]) -> &[u8] {
    let start = path.iter().position(|b| *b != b'/').unwrap_or(path.len());
    let end = path
        .iter()
        .rposition(|b| *b != b'/')
        .map_or(start, |last| last + 1);
    &path[start..end]
}

/// Calls `each` with the paths (relative to `/`) of a generation and their entries, in the order of the stream: all,
/// or the one at `path` and, where it is a directory, what is in it (and below it if `recursive`).
///
/// [`Error::NoSuchPath`] where there is nothing.
pub fn entries(
    reader: &Reader<'_>,
    manifest: &Manifest,
    path: Option<&[u8]>,
    recursive: bool,
    each: &mut dyn FnMut(&[u8], &Entry) -> Result<()>,
) -> Result<()> {
    let mut cursor = cursor(reader, &manifest.root()?)?;
    let top = relative(path.unwrap_or_default());
    let mut found = top.is_empty();
    if !top.is_empty()
        && let Some(item) = cursor.lookup(top)?
    {
        found = true;
        each(top, &item.entry)?;
        if item.entry.kind != Kind::Dir {
            return Ok(());
        }
    }
    cursor.under(top)?;
    while let Some(item) = cursor.next()? {
        found = true;
        if !recursive && *item.dir != *top {
            // A directory's own listing comes before those of its subdirectories.
            break;
        }
        each(&join(&item.dir, &item.entry.name), &item.entry)?;
    }
    if found {
        Ok(())
    } else {
        Err(Error::NoSuchPath {
            path: String::from_utf8_lossy(top).into_owned(),
            snapshot: NamedSnapshot::This,
        })
    }
}

/// Whether the entry at `path` is a directory. [`Error::NoSuchPath`] where there is nothing.
pub fn is_dir(reader: &Reader<'_>, manifest: &Manifest, path: &[u8]) -> Result<bool> {
    let top = relative(path);
    if top.is_empty() {
        return Ok(true);
    }
    match cursor(reader, &manifest.root()?)?.lookup(top)? {
        Some(item) => Ok(item.entry.kind == Kind::Dir),
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
    match cursor(reader, &manifest.root()?).and_then(|mut cursor| cursor.lookup(top)) {
        Ok(found) => Ok(found.is_some()),
        Err(Error::Store(e)) if e.concerns_one_object() => Ok(true),
        Err(e) => Err(e),
    }
}

/// What a search looks for.
#[derive(Clone, Debug)]
pub struct FindQuery {
    globs: GlobSet,
    patterns: Vec<String>,
}

impl FindQuery {
    /// Any of these globs. `*` and `?` stay within a component, `**` does not. One without `/` is compared with names,
    /// one with `/` with whole paths.
    pub fn new(patterns: &[String], ignore_case: bool) -> Result<FindQuery> {
        let mut set = GlobSetBuilder::new();
        for pattern in patterns {
            let bad = |e: globset::Error| {
                Error::Usage(Usage::Pattern {
                    kind: PatternKind::Find,
                    pattern: pattern.clone(),
                    fault: PatternFault::Glob(e.kind().to_string()),
                })
            };
            let glob = match pattern.strip_prefix('/') {
                Some(anchored) => anchored.to_string(),
                None => format!("**/{pattern}"),
            };
            let glob = GlobBuilder::new(&glob)
                .literal_separator(true)
                .backslash_escape(true)
                .case_insensitive(ignore_case)
                .build();
            set.add(glob.map_err(bad)?);
        }
        let globs = set.build().map_err(|e| {
            Error::Usage(Usage::Patterns {
                kind: PatternKind::Find,
                detail: e.to_string(),
            })
        })?;
        let patterns = patterns.to_vec();
        Ok(FindQuery { globs, patterns })
    }

    /// The patterns, in the order given.
    pub fn patterns(&self) -> &[String] {
        &self.patterns
    }

    /// The numbers of those that match `path`.
    pub fn matching(&self, path: &[u8]) -> Vec<usize> {
        self.globs.matches_candidate(&Candidate::from_bytes(path))
    }

    /// `path` is relative to `/`.
    pub fn matches(&self, path: &[u8]) -> bool {
        self.globs.is_match_candidate(&Candidate::from_bytes(path))
    }
}

/// Called for a match: the snapshot, its path relative to `/`, its entry.
pub type OnMatch<'a> = dyn FnMut(&Snapshot, &[u8], &Entry) -> Result<()> + 'a;

/// Calls `each` with every match in every one of `snapshots`. Segments that generations share are read once.
pub fn find(
    repo: &Repo,
    reader: &Reader<'_>,
    snapshots: &[Snapshot],
    wanted: &FindQuery,
    each: &mut OnMatch<'_>,
) -> Result<()> {
    let mut memo = Memo::default();
    for snapshot in snapshots {
        let mut cursor = cursor(reader, &repo.manifest(snapshot.id)?.root()?)?;
        let mut matches = Vec::new();
        let mut current = None;
        loop {
            repo.run().cancel().check()?;
            if let Some(ahead) = cursor.segment_ahead()? {
                let id = ahead.segment.id;
                if let Some(known) = memo.segments.get(&id) {
                    known
                        .iter()
                        .try_for_each(|(path, entry)| each(snapshot, path, entry))?;
                    cursor.skip_piece();
                    continue;
                }
                current = Some(id);
            }
            let Some(item) = cursor.next()? else { break };
            let path = join(&item.dir, &item.entry.name);
            if wanted.matches(&path) {
                each(snapshot, &path, &item.entry)?;
                matches.push((path, item.entry));
            }
            if item.pos.last
                && let Some(id) = current.take()
            {
                memo.add(id, std::mem::take(&mut matches));
            }
        }
    }
    Ok(())
}

type Match = (Vec<u8>, Entry);

#[derive(Default)]
struct Memo {
    segments: HashMap<ChunkId, Vec<Match>>,
    matches: usize,
}

impl Memo {
    fn add(&mut self, id: ChunkId, matches: Vec<Match>) {
        if self.segments.len() < MEMO_SEGMENTS && self.matches + matches.len() <= MEMO_MATCHES {
            self.matches += matches.len();
            self.segments.insert(id, matches);
        }
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
    fn add(&mut self, entry: &Entry) {
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
    let missing = new.missing.iter().map(|missing| &missing.path);
    let unknown: Vec<&[u8]> = missing
        .chain(&new.unreadable_dirs)
        .map(|path| relative(path))
        .collect();
    let mut old = cursor(reader, &old.root()?)?;
    let mut new = cursor(reader, &new.root()?)?;
    let top = relative(path.unwrap_or_default());
    let mut summary = DiffSummary::default();
    let is_unknown = |path: &[u8]| unknown.iter().any(|above| is_at_or_below(path, above));
    if !top.is_empty() {
        let (was, is) = (old.lookup(top)?, new.lookup(top)?);
        let was = was.map(|item| item.entry);
        let is = is.map(|item| item.entry);
        let differs = match (&was, &is) {
            (Some(was), Some(is)) => Differs::between(was, is),
            _ => Differs::default(),
        };
        match (&was, &is) {
            (Some(was), None) if is_unknown(top) => summary.missing.add(was),
            _ => one(&mut summary, top, was.as_ref(), is.as_ref(), differs, each)?,
        }
        old.under(top)?;
        new.under(top)?;
    }
    for change in tree::diff(old, new) {
        match change? {
            Change::Added(item) => {
                let path = join(&item.dir, &item.entry.name);
                one(
                    &mut summary,
                    &path,
                    None,
                    Some(&item.entry),
                    Differs::default(),
                    each,
                )?;
            }
            Change::Removed(item) => {
                let path = join(&item.dir, &item.entry.name);
                if is_unknown(&path) {
                    summary.missing.add(&item.entry);
                    continue;
                }
                one(
                    &mut summary,
                    &path,
                    Some(&item.entry),
                    None,
                    Differs::default(),
                    each,
                )?;
            }
            Change::Changed {
                dir,
                old,
                new,
                differs,
            } => {
                let path = join(&dir, &new.name);
                one(&mut summary, &path, Some(&old), Some(&new), differs, each)?;
            }
        }
    }
    Ok(summary)
}

fn is_at_or_below(path: &[u8], above: &[u8]) -> bool {
    let rest = path.strip_prefix(above);
    above.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

fn one(
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
