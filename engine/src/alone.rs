//! What each of several owners holds alone: the stored bytes that nobody else needs, and that dropping it would free.
//! Owners are snapshots, groups of them, or what is in a directory in all of them.
//!
//! Each chunk and small file is marked with who needs it ([`Marks`]); marks go to the disk when there are many, so memory
//! does not grow with the repository. A segment is read once for each owner, up to two, however many snapshots share it.
//!
//! Approximate in two ways: of a bundle, a small file counts for its share; and the new tree that a purge writes is not
//! counted against what it frees. The trash owns nothing, since what it holds goes by itself.

mod marks;

use crate::entry::{Content, Entry, Extent, ExtentList, Kind};
use crate::error::Result;
use crate::list::relative;
use crate::manifest::Snapshot;
use crate::monitor::{Monitor, Phase, Progress};
use crate::repo::Repo;
use crate::tree::{Reference, Root, SegmentRef, Segments, decode_page, open_extent_list, references};
use crate::trees::cursor;
use chunkstore::frame::Decoder;
use chunkstore::live::LiveSet;
use chunkstore::reader::Reader;
use chunkstore::{ChunkId, Place, SessionId, SmallFile};
use marks::{Mark, Marks};
use std::collections::{HashMap, HashSet};

/// Chunks that are looked up together.
const LOOKED_UP: usize = 1024;
/// Things in a directory that are told apart; the rest counts as one.
const CHILDREN_MAX: usize = 100_000;

/// What the owners hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    /// Bytes that only this owner needs, by its number.
    pub alone: Vec<u64>,
    /// Bytes that several owners need, and nothing else.
    pub together: u64,
    /// Of the owners together, what is needed outside too.
    pub outside: u64,
}

impl Holdings {
    fn add(&mut self, mark: Mark, bytes: u64) {
        let sum = match mark {
            Mark::Outside => return,
            Mark::Both => &mut self.outside,
            Mark::Several => &mut self.together,
            Mark::One(owner) => {
                let owner = owner as usize;
                if self.alone.len() <= owner {
                    self.alone.resize(owner + 1, 0);
                }
                &mut self.alone[owner]
            }
        };
        *sum = sum.saturating_add(bytes);
    }

    /// What goes if all owners are dropped.
    pub fn all(&self) -> u64 {
        self.alone
            .iter()
            .fold(self.together, |sum, bytes| sum.saturating_add(*bytes))
    }
}

/// What is in a directory, in all snapshots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathHoldings {
    /// Names in the directory, by number of the owner. Empty for what is at the path itself, if that is a file; `None`
    /// for what is too much to be told apart.
    pub names: Vec<Option<Vec<u8>>>,
    /// Numbers of those that are directories in any of the snapshots.
    pub folders: HashSet<u32>,
    pub holdings: Holdings,
    /// There is anything at the path.
    pub is_found: bool,
}

/// The directory that all sources are in, relative to `/`; a source if there is no other.
pub fn top(snapshots: &[Snapshot]) -> Vec<u8> {
    let mut paths = snapshots.iter().flat_map(|snapshot| &snapshot.manifest.paths);
    let Some(first) = paths.next() else {
        return Vec::new();
    };
    let mut common: Vec<&[u8]> = relative(first).split(|byte| *byte == b'/').collect();
    for path in paths {
        let parts = relative(path).split(|byte| *byte == b'/');
        let same = common.iter().zip(parts).take_while(|(a, b)| *a == b).count();
        common.truncate(same);
    }
    common.join(&b'/')
}

/// What each thing in the directory `path` (relative to `/`) holds alone, in all of `snapshots` together.
pub fn by_path(
    repo: &Repo,
    reader: &Reader<'_>,
    snapshots: &[Snapshot],
    path: &[u8],
    monitor: &dyn Monitor,
) -> Result<PathHoldings> {
    monitor.phase(Phase::FindingReferences);
    let mut children = Children::new(path);
    let mut survey = Attribution::new(repo, reader)?;
    let mut seen = LiveSet::new(repo.store.cache())?;
    for (done, snapshot) in snapshots.iter().enumerate() {
        let mut cursor = cursor(reader, &repo.manifest(snapshot.id)?.root()?)?;
        let mut segment: Option<(ChunkId, Option<Mark>)> = None;
        loop {
            repo.run().cancel().check()?;
            if let Some(ahead) = cursor.segment_ahead()? {
                let id = ahead.segment.id;
                if !seen.insert(id)? {
                    cursor.skip_piece();
                    continue;
                }
                segment = Some((id, None));
            }
            let Some(item) = cursor.next()? else { break };
            let is_dir = item.entry.kind == Kind::Dir;
            let mark = children.mark(&item.dir, &item.entry.name, is_dir);
            if let Some((id, last)) = &mut segment
                && *last != Some(mark)
            {
                survey.chunks.add(id.0, mark)?;
                *last = Some(mark);
            }
            survey.content(&item.entry, mark)?;
        }
        told(monitor, done + 1, snapshots.len());
    }
    let mut holdings = survey.sum()?;
    holdings.alone.resize(children.names.len(), 0);
    Ok(PathHoldings {
        names: children.names,
        folders: children.folders,
        holdings,
        is_found: children.is_found,
    })
}

/// What each group of snapshots holds alone: `groups` has the number of each snapshot's, from 0 on.
pub fn by_group(
    repo: &Repo,
    reader: &Reader<'_>,
    groups: &[(SessionId, u32)],
    monitor: &dyn Monitor,
) -> Result<Holdings> {
    monitor.phase(Phase::FindingReferences);
    let mut survey = Attribution::new(repo, reader)?;
    for (done, (id, group)) in groups.iter().enumerate() {
        survey.root(&repo.manifest(*id)?.root()?, Mark::One(*group))?;
        told(monitor, done + 1, groups.len());
    }
    let mut holdings = survey.sum()?;
    let count = groups.iter().map(|(_, group)| *group as usize + 1).max();
    holdings.alone.resize(count.unwrap_or(0), 0);
    Ok(holdings)
}

fn told(monitor: &dyn Monitor, done: usize, all: usize) {
    monitor.progress(&Progress {
        files_done: done as u64,
        files_total: all as u64,
        ..Progress::default()
    });
}

/// What is in a directory, numbered as it comes.
struct Children<'a> {
    path: &'a [u8],
    names: Vec<Option<Vec<u8>>>,
    numbers: HashMap<Vec<u8>, u32>,
    folders: HashSet<u32>,
    is_found: bool,
}

impl<'a> Children<'a> {
    fn new(path: &'a [u8]) -> Self {
        Children {
            path,
            names: Vec::new(),
            numbers: HashMap::new(),
            folders: HashSet::new(),
            is_found: path.is_empty(),
        }
    }

    /// Whose the entry `name` of `dir` is.
    fn mark(&mut self, dir: &[u8], name: &[u8], is_dir: bool) -> Mark {
        let below = match self.path {
            b"" => Some(dir),
            path => match dir.strip_prefix(path) {
                Some([]) => Some(&b""[..]),
                Some([b'/', rest @ ..]) => Some(rest),
                _ => None,
            },
        };
        let (child, is_folder) = match below {
            Some(b"") => (name, is_dir),
            Some(below) => (below.split(|byte| *byte == b'/').next().unwrap_or(below), true),
            None if is_joined(self.path, dir, name) => (&b""[..], false),
            None => return Mark::Outside,
        };
        self.is_found = true;
        let number = self.number(child);
        if is_folder && number < CHILDREN_MAX as u32 {
            self.folders.insert(number);
        }
        Mark::One(number)
    }

    fn number(&mut self, child: &[u8]) -> u32 {
        if let Some(number) = self.numbers.get(child) {
            return *number;
        }
        let number = self.names.len() as u32;
        match self.numbers.len() < CHILDREN_MAX {
            true => {
                self.numbers.insert(child.to_vec(), number);
                self.names.push(Some(child.to_vec()));
                number
            }
            // The last number is that of the rest.
            false => {
                if self.names.len() == CHILDREN_MAX {
                    self.names.push(None);
                }
                CHILDREN_MAX as u32
            }
        }
    }
}

/// Whether `path` is what `name` in `dir` is.
fn is_joined(path: &[u8], dir: &[u8], name: &[u8]) -> bool {
    match dir {
        b"" => path == name,
        dir => {
            let rest = path.strip_prefix(dir).and_then(|rest| rest.strip_prefix(b"/"));
            rest == Some(name)
        }
    }
}

struct Attribution<'a> {
    repo: &'a Repo,
    reader: &'a Reader<'a>,
    decoder: Decoder,
    chunks: Marks<32>,
    files: Marks<{ SmallFile::LEN }>,
}

impl<'a> Attribution<'a> {
    fn new(repo: &'a Repo, reader: &'a Reader<'a>) -> Result<Self> {
        let cache = repo.store.cache();
        Ok(Attribution {
            repo,
            reader,
            decoder: Decoder::new()?,
            chunks: Marks::new(cache),
            files: Marks::new(cache),
        })
    }

    /// Marks a whole snapshot.
    fn root(&mut self, root: &Root, mark: Mark) -> Result<()> {
        match &root.segments {
            Segments::Inline(rows) => self.segments(rows, mark),
            Segments::Pages(pages) => {
                for page in pages {
                    let span = &page.span;
                    if let Some(mark) = self.chunks.add(span.id.0, mark)? {
                        let plain = self.load(&span.id, span.place.as_ref())?;
                        let rows = decode_page(&plain).map_err(|e| e.of(&span.id))?;
                        self.segments(&rows, mark)?;
                    }
                }
                Ok(())
            }
        }
    }

    fn segments(&mut self, rows: &[SegmentRef], mark: Mark) -> Result<()> {
        for row in rows {
            self.repo.run().cancel().check()?;
            if let Some(mark) = self.chunks.add(row.id.0, mark)? {
                self.piece(&row.id, row.place.as_ref(), mark)?;
            }
        }
        Ok(())
    }

    /// Marks what a segment or a list of extents refers to.
    fn piece(&mut self, id: &ChunkId, place: Option<&Place>, mark: Mark) -> Result<()> {
        let plain = self.load(id, place)?;
        for reference in references(&plain).map_err(|e| e.of(id))? {
            match reference {
                Reference::Bundle { files, .. } => {
                    for file in &files {
                        self.files.add(file.to_bytes(), mark)?;
                    }
                }
                Reference::Chunk { id, .. } => {
                    self.chunks.add(id.0, mark)?;
                }
                // Lists do not list lists.
                Reference::ExtentList { id, .. } => {
                    if let Some(mark) = self.chunks.add(id.0, mark)? {
                        self.piece(&id, None, mark)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Marks the content of an entry.
    fn content(&mut self, entry: &Entry, mark: Mark) -> Result<()> {
        match &entry.content {
            Content::None => Ok(()),
            Content::Bundled { .. } => match entry.content.small_file() {
                Some(file) => self.files.add(file.to_bytes(), mark).map(drop),
                None => Ok(()),
            },
            Content::Extents(extents) => self.extents(extents, mark),
            Content::Lists(lists) => lists.iter().try_for_each(|list| self.list(list, mark)),
        }
    }

    fn list(&mut self, list: &ExtentList, mark: Mark) -> Result<()> {
        match self.chunks.add(list.id.0, mark)? {
            Some(mark) => {
                let plain = self.load(&list.id, None)?;
                self.extents(&open_extent_list(list, &plain)?, mark)
            }
            None => Ok(()),
        }
    }

    fn extents(&mut self, extents: &[Extent], mark: Mark) -> Result<()> {
        for extent in extents {
            if let Extent::Chunk { id, .. } = extent {
                self.chunks.add(id.0, mark)?;
            }
        }
        Ok(())
    }

    fn load(&mut self, id: &ChunkId, place: Option<&Place>) -> Result<Vec<u8>> {
        Ok(self.reader.tree(&mut self.decoder, id, place)?)
    }

    /// Adds up what is stored for each mark.
    fn sum(mut self) -> Result<Holdings> {
        let reader = self.reader;
        let index = reader.index()?;
        let mut holdings = Holdings::default();
        let mut run: Vec<(ChunkId, Mark)> = Vec::with_capacity(LOOKED_UP);
        let look_up = |run: &mut Vec<(ChunkId, Mark)>, holdings: &mut Holdings| -> Result<()> {
            let ids: Vec<ChunkId> = run.iter().map(|(id, _)| *id).collect();
            for ((_, mark), located) in run.drain(..).zip(index.locate_sorted(&ids)?) {
                holdings.add(mark, located.map_or(0, |at| at.place.stored_len.into()));
            }
            Ok(())
        };
        self.chunks.scan(&mut |key, mark| {
            run.push((ChunkId(key), mark));
            match run.len() < LOOKED_UP {
                true => Ok(()),
                false => look_up(&mut run, &mut holdings),
            }
        })?;
        look_up(&mut run, &mut holdings)?;
        let mut bundle: Option<(ChunkId, Option<Place>)> = None;
        self.files.scan(&mut |key, mark| {
            let Some(file) = SmallFile::from_bytes(&key) else {
                return Ok(());
            };
            let place = match &bundle {
                Some((id, place)) if *id == file.bundle => *place,
                _ => {
                    let place = index.locate(&file.bundle)?.map(|at| at.place);
                    bundle = Some((file.bundle, place));
                    place
                }
            };
            let place = match place {
                Some(place) => Some(place),
                None => index.find_moved(&file)?.map(|(_, at)| at.place),
            };
            holdings.add(mark, place.map_or(0, |place| share(&file, &place)));
            Ok(())
        })?;
        Ok(holdings)
    }
}

/// The stored bytes of a bundle that are a file's.
fn share(file: &SmallFile, bundle: &Place) -> u64 {
    let (stored, plain) = (u64::from(bundle.stored_len), u64::from(bundle.plain_len));
    (stored * u64::from(file.len)).div_ceil(plain.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_in_a_directory() {
        let mut children = Children::new(b"a/b");
        assert!(!children.is_found);
        let rows = [
            ("", "a", Mark::Outside),
            ("a", "b", Mark::One(0)),
            ("a", "bc", Mark::Outside),
            ("a/b", "c", Mark::One(1)),
            ("a/b", "d", Mark::One(2)),
            ("a/b/c", "x", Mark::One(1)),
            ("a/b/d/e", "f", Mark::One(2)),
            ("a/bc", "c", Mark::Outside),
        ];
        for (dir, name, want) in rows {
            assert_eq!(
                children.mark(dir.as_bytes(), name.as_bytes(), name == "d"),
                want,
                "{dir} {name}"
            );
        }
        assert!(children.is_found);
        let names = ["", "c", "d"].map(|name| Some(name.as_bytes().to_vec()));
        assert_eq!(children.names, names);
        assert_eq!(
            children.folders,
            HashSet::from([1, 2]),
            "one by what is in it, one by itself"
        );
        let mut all = Children::new(b"");
        assert_eq!(all.mark(b"", b"a", true), Mark::One(0));
        assert_eq!(all.mark(b"a/b", b"c", false), Mark::One(0));
        assert_eq!(all.mark(b"", b"b", false), Mark::One(1));
    }
}
