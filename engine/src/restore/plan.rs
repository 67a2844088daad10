//! The planner: reads the tree in order, decides about each entry and fills windows.

use super::choose::{Chooser, contains, distinct, normalize};
use super::crew::{Crew, WAITING, work};
use super::dirs::{Place, Stack};
use super::existing::{Decision, decide};
use super::job::{Action, Failure, Job};
use super::links::{Link, Links};
use super::shared::{Fault, Shared, absolute};
use super::window::{Builder, Limits, Part};
use super::write::Hands;
use super::{Options, Source};
use crate::entry::{Content, DirPath, Entry, Extent, Kind, Trouble, join};
use crate::error::{Error, Result};
use crate::manifest::Manifest;
use crate::tree::{Cursor, Root};
use crate::trees;
use chunkstore::frame::Decoder;
use chunkstore::{ChunkId, Place as ChunkPlace};
use crossbeam_channel::bounded;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// What of a generation is restored, and what the target stands for.
pub(super) struct Scope {
    /// Path of the directory that the target stands for.
    base: Vec<u8>,
    /// In the order of the stream; `None`: all that is in `base`.
    paths: Option<Vec<Vec<u8>>>,
}

impl Scope {
    /// Fails when the generation has no such path.
    pub fn find(source: &Source<'_>, manifest: &Manifest, root: &Root, options: &Options) -> Result<Scope> {
        let mut cursor = trees::cursor(source.reader(), root)?;
        // Where the record of a path is lost, what is below it may still be there.
        let mut is_dir = |path: &[u8]| match cursor.lookup(path) {
            Ok(Some(item)) => Ok(item.entry.kind == Kind::Dir),
            Ok(None) => Err(Error::NoSuchPath {
                path: absolute(path).escape_ascii().to_string(),
                snapshot: format!("of {}", manifest.time()),
            }),
            Err(e) if is_damage(&e) => Ok(true),
            Err(e) => Err(e),
        };
        let subpath = normalize(options.subpath.as_deref().unwrap_or_default())?;
        let mut paths = distinct(&options.paths)?;
        let mut base = subpath.clone();
        if !subpath.is_empty() && !is_dir(&subpath)? {
            base = parent(&subpath).to_vec();
            if paths.is_empty() {
                paths = vec![subpath.clone()];
            }
        }
        for path in paths.iter().filter(|path| !path.is_empty()) {
            if !contains(&subpath, path) {
                let (path, subpath) = (path.escape_ascii(), subpath.escape_ascii());
                return Err(Error::Usage(format!("/{path} is not below /{subpath}")));
            }
            is_dir(path)?;
        }
        let whole = paths.is_empty() || paths.iter().any(|path| *path == base || path.is_empty());
        Ok(Scope {
            base,
            paths: (!whole).then_some(paths),
        })
    }
}

fn parent(path: &[u8]) -> &[u8] {
    let slash = path.iter().rposition(|b| *b == b'/').unwrap_or(0);
    path.get(..slash).unwrap_or_default()
}

pub(super) fn is_damage(error: &Error) -> bool {
    matches!(error, Error::Store(e) if e.is_damage())
}

pub(super) struct Planner<'r, 'a> {
    pub(super) shared: &'r Shared<'a>,
    pub(super) chooser: Chooser,
    pub(super) stack: Stack,
    pub(super) window: Builder,
    pub(super) strip: usize,
    crew: Crew<'r, 'a>,
    links: Links,
    /// Relative to `/`.
    sources: Vec<Vec<u8>>,
    path: Vec<u8>,
}

/// Restores what is in `scope`.
pub(super) fn restore(
    shared: &Shared<'_>,
    manifest: &Manifest,
    root: &Root,
    scope: &Scope,
    chooser: Chooser,
    limits: Limits,
) -> Result<()> {
    let mut cursor = trees::cursor(shared.source.reader(), root)?;
    let strip = scope.base.len();
    let stack = Stack::new(shared, &scope.base, chooser.top()).map_err(|fault| match fault {
        Fault::Fatal(e) => e,
        Fault::Path(why) => Error::Usage(format!("{}: {why}", shared.options.target.display())),
    })?;
    let sources = manifest.paths.iter().map(|path| normalize(path));
    let sources = sources.collect::<Result<Vec<_>>>()?;
    std::thread::scope(|scope_of_threads| {
        let (tasks, queue) = bounded(WAITING);
        let threads = match shared.options.dry_run {
            true => 0,
            false => shared.threads(),
        };
        for _ in 0..threads {
            let (mut hands, queue) = (Hands::new(shared, strip)?, queue.clone());
            std::thread::Builder::new()
                .name("restore".to_string())
                .spawn_scoped(scope_of_threads, move || work(&mut hands, &queue))
                .map_err(|source| Error::Io {
                    what: "start a thread",
                    path: Default::default(),
                    source,
                })?;
        }
        drop(queue);
        let mut planner = Planner {
            shared,
            chooser,
            stack,
            window: Builder::default(),
            strip,
            crew: Crew::new(shared, strip, limits, tasks)?,
            links: Links::default(),
            sources,
            path: Vec::new(),
        };
        let planned = planner.all(&mut cursor, scope);
        planner.end(planned)
    })
}

impl Planner<'_, '_> {
    fn all<L>(&mut self, cursor: &mut Cursor<L>, scope: &Scope) -> Result<()>
    where
        L: FnMut(&ChunkId, Option<&ChunkPlace>) -> Result<Vec<u8>>,
    {
        match &scope.paths {
            None => self.below(cursor, &scope.base)?,
            Some(paths) => {
                for path in paths {
                    self.above(cursor, path)?;
                    self.at(cursor, path)?;
                }
            }
        }
        self.leave_all()
    }

    fn end(mut self, planned: Result<()>) -> Result<()> {
        let ended = planned.and_then(|()| {
            self.rotate()?;
            self.crew.end_all()
        });
        if let Err(e) = &ended {
            std::mem::take(&mut self.window).abandon(&mut self.crew.hands);
            self.crew.wind_down(e);
        }
        ended
    }

    /// Hands over what was planned.
    fn rotate(&mut self) -> Result<()> {
        self.crew.submit(std::mem::take(&mut self.window))
    }

    pub(super) fn rotate_if_full(&mut self) -> Result<()> {
        match self.window.is_full(&self.crew.limits) {
            true => self.rotate(),
            false => Ok(()),
        }
    }

    /// The records of the directories between the target and `path`, in case they must be made.
    fn above<L>(&mut self, cursor: &mut Cursor<L>, path: &[u8]) -> Result<()>
    where
        L: FnMut(&ChunkId, Option<&ChunkPlace>) -> Result<Vec<u8>>,
    {
        let slashes = path.iter().enumerate().filter(|(_, b)| **b == b'/');
        for (end, _) in slashes {
            let dir = path.get(..end).unwrap_or_default();
            if end <= self.strip || self.stack.is_inside(dir) {
                continue;
            }
            match cursor.lookup(dir) {
                Ok(Some(item)) if item.entry.kind == Kind::Dir => {
                    self.enter(&item.dir)?;
                    let choice = self.chooser.choose(self.stack.choice(), dir, true);
                    let choice = super::choose::Choice {
                        selected: false,
                        ..choice
                    };
                    self.stack.add(&item.entry.name, item.entry.meta, choice, true);
                    self.enter(&dir.into())?;
                }
                Ok(_) => {}
                Err(e) if is_damage(&e) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// The entry at `path`, and what is below it.
    fn at<L>(&mut self, cursor: &mut Cursor<L>, path: &[u8]) -> Result<()>
    where
        L: FnMut(&ChunkId, Option<&ChunkPlace>) -> Result<Vec<u8>>,
    {
        match cursor.lookup(path) {
            Ok(Some(item)) => {
                let is_dir = item.entry.kind == Kind::Dir;
                self.entry(&item.dir, item.entry)?;
                if !is_dir {
                    return Ok(());
                }
            }
            Ok(None) => return Ok(()),
            Err(e) if is_damage(&e) => {}
            Err(e) => return Err(e),
        }
        self.below(cursor, path)
    }

    /// All entries in the directory `path` and below it. Pieces of the tree that can't be read are passed over.
    fn below<L>(&mut self, cursor: &mut Cursor<L>, path: &[u8]) -> Result<()>
    where
        L: FnMut(&ChunkId, Option<&ChunkPlace>) -> Result<Vec<u8>>,
    {
        let mut sought = cursor.under(path);
        loop {
            let next = sought.and_then(|()| cursor.next());
            sought = Ok(());
            match next {
                Ok(Some(item)) => {
                    self.enter(&item.dir)?;
                    if self.stack.choice().excluded {
                        // Behind everything below this directory: no name has a byte between "/" (ordered first) and 1.
                        let past = [&*item.dir, b"\x01"].concat();
                        sought = cursor.seek(&past, b"");
                        continue;
                    }
                    self.entry(&item.dir, item.entry)?;
                }
                Ok(None) => return Ok(()),
                Err(e) if is_damage(&e) => match cursor.skip_piece() {
                    Some(piece) => self.lost(&piece, &e),
                    None => return Err(e),
                },
                Err(e) => return Err(e),
            }
        }
    }

    fn lost(&self, piece: &crate::tree::SegmentRef, why: &Error) {
        let path = join(&piece.first_dir, &piece.first_name);
        let (entries, files) = (piece.entries, piece.files);
        self.shared.counts.files_failed.fetch_add(files, Relaxed);
        self.shared.counts.total_files.fetch_add(files, Relaxed);
        let why = format!("{entries} entries from this one on can't be told ({files} of them files): {why}");
        self.shared.damage(&path, why);
    }

    /// Whether there are sources below this directory and it is in none.
    fn is_above_sources(&self, path: &[u8]) -> bool {
        let leads = self.sources.iter().any(|source| {
            let rest = source.strip_prefix(path);
            matches!(rest, Some([b'/', ..]))
        });
        leads && !self.sources.iter().any(|source| contains(source, path))
    }

    fn entry(&mut self, dir: &DirPath, entry: Entry) -> Result<()> {
        self.shared.check()?;
        self.rotate_if_full()?;
        self.enter(dir)?;
        let is_dir = entry.kind == Kind::Dir;
        let above = self.stack.choice();
        let choice = match self.chooser.takes_all() {
            true => above,
            false => {
                self.path.clear();
                self.path.extend_from_slice(dir);
                if !dir.is_empty() {
                    self.path.push(b'/');
                }
                self.path.extend_from_slice(&entry.name);
                self.chooser.choose(above, &self.path, is_dir)
            }
        };
        if is_dir {
            let path = join(dir, &entry.name);
            if choice.selected && !choice.excluded && entry.trouble.is_some() {
                self.shared
                    .warn(&path, "it could not be read wholly when it was backed up");
            }
            let above = self.is_above_sources(&path);
            self.stack.add(&entry.name, entry.meta, choice, above);
            return Ok(());
        }
        match choice.selected && !choice.excluded {
            true => self.object(dir, entry),
            false => Ok(()),
        }
    }

    /// Anything but a directory that was chosen.
    fn object(&mut self, dir: &DirPath, entry: Entry) -> Result<()> {
        let shared = self.shared;
        let is_file = entry.kind == Kind::File;
        if is_file {
            shared.counts.total_files.fetch_add(1, Relaxed);
            shared.counts.total_bytes.fetch_add(entry.meta.size, Relaxed);
        }
        let failed = |why: Option<&str>| {
            if is_file {
                shared.counts.files_failed.fetch_add(1, Relaxed);
            }
            if let Some(why) = why {
                shared.problem(&join(dir, &entry.name), why);
            }
            shared.progress();
        };
        if let Some(why) = nothing_to_restore(&entry) {
            failed(Some(why));
            return Ok(());
        }
        let slot = self.links.find(&entry);
        let decision = match self.place()? {
            Place::New | Place::Absent => Ok(Decision::create(&entry)),
            Place::Existing(at) => decide(shared, at, &entry, slot.is_some()),
            Place::Failed => {
                failed(None);
                return Ok(());
            }
        };
        let (name, action) = match decision {
            Ok(Decision::Put { name, action }) => (name, action),
            Ok(Decision::Skip) => {
                if is_file {
                    shared.skipped(&entry.meta);
                }
                return Ok(());
            }
            Err(Fault::Path(why)) => {
                failed(Some(&why));
                return Ok(());
            }
            Err(Fault::Fatal(e)) => return Err(e),
        };
        if entry.trouble.is_some() {
            shared.warn(
                &join(dir, &entry.name),
                "it changed, or could not be read wholly, when it was backed up",
            );
        }
        if shared.options.dry_run {
            count_dry(shared, &entry, &action);
            return Ok(());
        }
        if let Some(slot) = slot {
            self.window.add_link(Link {
                slot,
                dir: dir.clone(),
                name,
                action,
                is_file,
            });
            return Ok(());
        }
        self.put(dir, name, action, entry)
    }

    /// Plans what is to be written itself.
    fn put(&mut self, dir: &DirPath, name: Vec<u8>, action: Action, mut entry: Entry) -> Result<()> {
        let slot = match action {
            Action::Create | Action::Replace { .. } => self.links.first(&entry, dir, &name),
            Action::Keep => None,
        };
        let content = std::mem::replace(&mut entry.content, Content::None);
        let (chunks, listed) = match &content {
            _ if action == Action::Keep => (0, false),
            Content::None => (0, false),
            Content::Bundled { .. } => (1, false),
            Content::Extents(extents) => (extents.iter().filter(|e| is_chunk(e)).count(), false),
            Content::Lists(_) => (0, true),
        };
        let mut job = Job::new(dir.clone(), name, entry, action, chunks == 1);
        job.slot = slot;
        if chunks == 0 && !listed {
            let holes = match &content {
                Content::Extents(extents) => extents.iter().map(Extent::len).sum(),
                Content::None | Content::Bundled { .. } | Content::Lists(_) => 0,
            };
            if holes != job.meta.size && job.action != Action::Keep {
                let why = Failure::Problem(SIZE_DIFFERS.to_string());
                self.crew.hands.failed(&job, why);
            } else {
                self.window.add_loose(job);
            }
            return Ok(());
        }
        self.content(&Arc::new(job), &content)
    }

    /// Plans the parts of a file's content.
    fn content(&mut self, job: &Arc<Job>, content: &Content) -> Result<()> {
        let source = self.shared.source;
        let mut feed = Feed {
            planner: self,
            job,
            number: None,
            at: 0,
        };
        let fed = match content {
            Content::None => Ok(()),
            Content::Bundled {
                bundle,
                offset,
                len,
                hash,
            } => feed.part(*bundle, *offset, *len, Some(*hash)),
            Content::Extents(extents) => extents.iter().try_for_each(|extent| feed.extent(*extent)),
            Content::Lists(_) => Decoder::new().map_err(Error::from).and_then(|mut decoder| {
                let mut each = |extent| feed.extent(extent);
                trees::for_each_extent(source.reader(), &mut decoder, content, &mut each)
            }),
        };
        let covered = feed.at;
        let end = match fed {
            Ok(()) if covered == job.meta.size => Ok(()),
            Ok(()) => {
                job.fail(Failure::Problem(SIZE_DIFFERS.to_string()));
                Ok(())
            }
            Err(e) if is_damage(&e) => {
                job.fail(Failure::Problem(e.to_string()));
                Ok(())
            }
            Err(e) => {
                job.fail(Failure::Abandoned);
                Err(e)
            }
        };
        self.crew.hands.part_done(job, None);
        end
    }
}

const SIZE_DIFFERS: &str = "its recorded size is not that of its content";

/// Adds the parts of one file to windows.
struct Feed<'f, 'r, 'a> {
    planner: &'f mut Planner<'r, 'a>,
    job: &'f Arc<Job>,
    /// The job's in the window at hand.
    number: Option<u32>,
    /// Bytes planned.
    at: u64,
}

impl Feed<'_, '_, '_> {
    fn extent(&mut self, extent: Extent) -> Result<()> {
        match extent {
            Extent::Chunk { id, len } => self.part(id, 0, len, None),
            Extent::Zero { len } => self.advance(len),
        }
    }

    fn part(
        &mut self,
        id: ChunkId,
        from: u32,
        len: u32,
        hash: Option<chunkstore::ContentHash>,
    ) -> Result<()> {
        let at = self.at;
        self.advance(len.into())?;
        // One lost part is enough: no more is read for it.
        if self.job.has_failed() {
            return Ok(());
        }
        let planner = &mut *self.planner;
        if self.number.is_some() && planner.window.is_full(&planner.crew.limits) {
            planner.shared.check()?;
            planner.rotate()?;
            self.number = None;
        }
        let job = match self.number {
            Some(job) => job,
            None => *self.number.insert(planner.window.add_job(self.job)),
        };
        planner.window.add_part(Part {
            id,
            job,
            from,
            len,
            at,
            hash,
        });
        Ok(())
    }

    /// Nothing is written past the recorded size.
    fn advance(&mut self, len: u64) -> Result<()> {
        let next = self.at.checked_add(len).filter(|at| *at <= self.job.meta.size);
        self.at = next.ok_or_else(|| chunkstore::Error::corrupt("an entry", SIZE_DIFFERS))?;
        Ok(())
    }
}

fn is_chunk(extent: &Extent) -> bool {
    match extent {
        Extent::Chunk { .. } => true,
        Extent::Zero { .. } => false,
    }
}

/// Why the generation does not hold what the source had here.
fn nothing_to_restore(entry: &Entry) -> Option<&'static str> {
    match entry.trouble {
        Some(Trouble::Unreadable { .. } | Trouble::Unknown { .. }) => {
            Some("it is not in the snapshot: it could not be read when it was backed up")
        }
        Some(Trouble::Changed | Trouble::NoXattrs { .. }) | None => None,
    }
}

fn count_dry(shared: &Shared<'_>, entry: &Entry, action: &Action) {
    match (&entry.kind, action) {
        (Kind::File, Action::Keep) => shared.skipped(&entry.meta),
        (Kind::File, _) => {
            shared.counts.files_restored.fetch_add(1, Relaxed);
            shared.counts.bytes_restored.fetch_add(entry.meta.size, Relaxed);
        }
        _ => {
            shared.counts.others.fetch_add(1, Relaxed);
        }
    }
    shared.progress();
}
