//! One step of the walk: lists a directory, or examines a part of a large one. Runs in helpers and in the consumer.

use super::node::{Handles, Lent, Node, Way};
use super::placeholders::{Placeholders, is_placeholder};
use super::sources::{LeftOut, Source};
use super::step::{DirListing, ListOutcome, Visit, Work};
use super::{BATCH, Batch, Found, Mount, SNAPSHOTS_FOLDER};
use crate::dump::is_temporary;
use crate::entry::{DirPath, Kind, Meta, Trouble, join};
use crate::filter::{Exclusion, Filter};
use crate::fsmeta::{AsFd, Blank, FollowLinks, Hint, Names, is_gone, list_dir};
use crate::platform::errno::{NOT_A_DIRECTORY, NOT_FOUND, errno_of};
use crate::platform::paths::from_root;
use crate::restore::is_leftover;
use parking_lot::Mutex;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// A directory with more entries than this is examined in parts, as the consumer comes to them.
pub(super) const WHOLE_MAX: usize = 4096;

/// What all steps share.
pub(super) struct Lister {
    pub(super) filter: Filter,
    pub(super) left_out: LeftOut,
    pub(super) read_special: bool,
    pub(super) tells_excluded: bool,
    /// What of `left_out` was come to.
    pub(super) met: Mutex<Vec<PathBuf>>,
    /// Sources of which only a link or a node is saved.
    pub(super) bare: Mutex<Vec<(PathBuf, Kind)>>,
    pub(super) handles: Arc<Handles>,
    /// Sources that could not be examined, and those that patterns leave out.
    pub(super) missing: Mutex<Vec<(PathBuf, i32)>>,
    pub(super) excluded: Mutex<Vec<PathBuf>>,
    pub(super) placeholders: Mutex<Placeholders>,
    /// Unfinished files of restores.
    pub(super) leftovers: AtomicU64,
}

/// Buffers that a thread keeps between steps.
#[derive(Default)]
pub(super) struct Scratch {
    listing: Vec<u8>,
    pub(super) path: Vec<u8>,
    pub(super) matches: Vec<usize>,
}

/// What examining a run of names gives.
pub(super) struct Examined {
    pub(super) found: Vec<Found>,
    pub(super) dirs: Vec<Visit>,
    blank: Blank,
    /// What the filter leaves out, if that is to be told.
    pub(super) excluded: Vec<(Vec<u8>, Exclusion)>,
}

impl Lister {
    pub(super) fn perform(&self, work: Work, scratch: &mut Scratch) -> ListOutcome {
        match work {
            Work::Dir(visit) => self.list(visit, scratch),
            Work::Part { listing, start } => self.part(&listing, start, scratch),
            Work::Below(listing) => {
                let mut parts = std::mem::take(&mut *listing.found_dirs.lock());
                parts.sort_unstable_by_key(|&(start, _)| start);
                let dirs = parts.into_iter().flat_map(|(_, dirs)| dirs);
                ListOutcome {
                    batches: Vec::new(),
                    then: dirs.map(Work::Dir).collect(),
                }
            }
        }
    }

    fn list(&self, visit: Visit, scratch: &mut Scratch) -> ListOutcome {
        let dir: DirPath = visit.node.path().into();
        let handle = match self.handles.open(&visit.node) {
            Ok(handle) => handle,
            Err(e) => return self.unreadable(&visit, dir, &e),
        };
        let mut names = Names::default();
        let complete = if visit.full {
            let listed = list_dir(handle.as_fd(), &mut scratch.listing, &mut names);
            names.sort();
            listed
        } else {
            let sources = visit.sources.iter().flat_map(|s| &s.children);
            sources.for_each(|source| names.push(&source.name, Hint::Unknown));
            Ok(())
        };
        let rules = if visit.full {
            self.filter.enter(&visit.rules, handle.as_fd(), &dir, &names)
        } else {
            visit.rules.clone()
        };
        let listing = DirListing {
            visit,
            dir,
            handle,
            names,
            rules,
            open_parts: AtomicUsize::new(0),
            found_dirs: Mutex::new(Vec::new()),
        };
        self.note_vanished_sources(&listing);
        let trouble = complete
            .err()
            .map(|e| Trouble::Unreadable { errno: errno_of(&e) });
        if listing.names.len() <= WHOLE_MAX {
            return self.whole(&listing, trouble, scratch);
        }
        self.handles.keep(&listing.handle);
        self.in_parts(listing, trouble)
    }

    fn whole(&self, listing: &DirListing, trouble: Option<Trouble>, scratch: &mut Scratch) -> ListOutcome {
        let total = listing.names.len();
        let mut dirs = Vec::new();
        let mut batches = Vec::with_capacity(total.div_ceil(BATCH).max(1));
        let mut start = 0;
        loop {
            let end = (start + BATCH).min(total);
            let examined = self.examine(listing, start, end, scratch);
            let (batch, found) = self.batch_of(listing, examined, end == total);
            dirs.extend(found);
            batches.push(batch);
            if let Some(batch) = batches.last_mut() {
                batch.empty = trouble.is_none() && listing.visit.full && is_empty(&listing.names);
            }
            start = end;
            if end == total {
                break;
            }
        }
        if let Some(first) = batches.first_mut() {
            first.trouble = trouble;
        }
        if !dirs.is_empty() {
            self.handles.keep(&listing.handle);
        }
        ListOutcome {
            batches,
            then: dirs.into_iter().map(Work::Dir).collect(),
        }
    }

    fn part(&self, listing: &DirListing, start: usize, scratch: &mut Scratch) -> ListOutcome {
        let end = (start + BATCH).min(listing.names.len());
        let examined = self.examine(listing, start, end, scratch);
        let (batch, dirs) = self.batch_of(listing, examined, end == listing.names.len());
        if !dirs.is_empty() {
            listing.found_dirs.lock().push((start, dirs));
        }
        listing.open_parts.fetch_sub(1, Ordering::AcqRel);
        ListOutcome {
            batches: vec![batch],
            then: Vec::new(),
        }
    }

    /// A large directory: its parts, then the directories in it.
    fn in_parts(&self, listing: DirListing, trouble: Option<Trouble>) -> ListOutcome {
        let starts: Vec<usize> = (0..listing.names.len()).step_by(BATCH).collect();
        listing.open_parts.store(starts.len(), Ordering::Release);
        let listing = Arc::new(listing);
        let mut first = self.batch(&listing, Vec::new(), false);
        first.trouble = trouble;
        let part = |start| Work::Part {
            listing: listing.clone(),
            start,
        };
        let mut then: Vec<Work> = starts.into_iter().map(part).collect();
        then.push(Work::Below(listing.clone()));
        // An empty batch only if there is something to report.
        let batches = if first.trouble.is_some() {
            vec![first]
        } else {
            Vec::new()
        };
        ListOutcome { batches, then }
    }

    pub(super) fn batch(&self, listing: &DirListing, entries: Vec<Found>, last: bool) -> Batch {
        Batch {
            dir: listing.dir.clone(),
            handle: Some(Arc::new(Lent::new(
                &self.handles,
                &listing.visit.node,
                &listing.handle,
            ))),
            entries,
            trouble: None,
            last,
            empty: false,
            excluded: Vec::new(),
        }
    }

    fn unreadable(&self, visit: &Visit, dir: DirPath, error: &io::Error) -> ListOutcome {
        let errno = errno_of(error);
        for source in visit.sources.iter().flat_map(|s| &s.children) {
            self.note_missing(source, &join(&dir, &source.name), errno);
        }
        let batch = Batch {
            dir,
            handle: None,
            entries: Vec::new(),
            trouble: Some(Trouble::Unreadable { errno }),
            last: true,
            empty: false,
            excluded: Vec::new(),
        };
        ListOutcome {
            batches: vec![batch],
            then: Vec::new(),
        }
    }

    /// Examines names `start..end` of a listing.
    fn examine(&self, listing: &DirListing, start: usize, end: usize, scratch: &mut Scratch) -> Examined {
        let mut to = Examined {
            found: Vec::with_capacity(end.saturating_sub(start)),
            dirs: Vec::new(),
            blank: Blank::default(),
            excluded: Vec::new(),
        };
        scratch.path.clear();
        scratch.path.extend_from_slice(&listing.dir);
        if !listing.dir.is_empty() {
            scratch.path.push(b'/');
        }
        let prefix = scratch.path.len();
        for (name, hint) in (start..end).map_while(|i| listing.names.get(i)) {
            scratch.path.truncate(prefix);
            scratch.path.extend_from_slice(name);
            match listing.visit.sources.as_ref().and_then(|s| s.child(name)) {
                Some(source) => self.examine_source(listing, source, scratch, &mut to),
                None if name == SNAPSHOTS_FOLDER => {}
                None if is_leftover(name) || is_temporary(name) => {
                    self.leftovers.fetch_add(1, Ordering::Relaxed);
                }
                None => {
                    self.examine_name(listing, name, hint, None, scratch, &mut to);
                }
            }
        }
        to
    }

    /// One ordinary name, whose path is in `scratch`. True if it was found to be a directory that is entered;
    /// `sources` are those below it.
    fn examine_name(
        &self,
        listing: &DirListing,
        name: &[u8],
        hint: Hint,
        sources: Option<&Arc<Source>>,
        scratch: &mut Scratch,
        to: &mut Examined,
    ) -> bool {
        let by_name = !(self.filter.keeps_all_names() && listing.rules.is_empty());
        if by_name && hint != Hint::Unknown && self.is_excluded(listing, hint == Hint::Dir, scratch, to) {
            return false;
        }
        let (kind, meta, mount) = match self.look(listing, name, &scratch.path, FollowLinks::No, &to.blank) {
            Ok(known) => known,
            // Removed since it was listed: as if it had been removed before.
            Err(e) if is_gone(&e) => return false,
            Err(e) => {
                if sources.is_none() {
                    to.found.push(Found::unknown(name, errno_of(&e), &to.blank));
                }
                return false;
            }
        };
        let is_dir = kind == Kind::Dir;
        if by_name && hint == Hint::Unknown && self.is_excluded(listing, is_dir, scratch, to)
            || self.is_excluded_by_meta(listing, name, (&kind, &meta), scratch, to)
        {
            return false;
        }
        if is_dir && self.left_out.names(&scratch.path, &meta) {
            self.met.lock().push(from_root(&scratch.path));
            return false;
        }
        let mount = match is_dir {
            true => Mount::of(mount, meta.dev, listing.visit.own_dev),
            false => Mount::None,
        };
        let enter = is_dir && (!self.filter.one_file_system() || meta.dev == listing.visit.dev);
        if enter {
            to.dirs.push(Visit {
                node: self.node(listing, name, Way::Listed, &scratch.path),
                full: true,
                dev: listing.visit.dev,
                own_dev: meta.dev,
                sources: sources.cloned(),
                rules: listing.rules.inherited(),
            });
        }
        // What leads to a source and is not entered for its own sake is examined again as an ancestor.
        if enter || sources.is_none() {
            self.note_placeholder(listing, name, (&kind, &meta), scratch);
            to.found.push(Found {
                mount,
                ..Found::new(name, kind, meta)
            });
        }
        enter
    }

    /// A name that is a source or leads to some; its path is in `scratch`.
    fn examine_source(
        &self,
        listing: &DirListing,
        source: &Arc<Source>,
        scratch: &mut Scratch,
        to: &mut Examined,
    ) {
        let ordinary = listing.visit.full && !source.named;
        let entered = (source.named && self.examine_named(listing, source, scratch, to))
            || (ordinary
                && self.examine_name(listing, &source.name, Hint::Unknown, Some(source), scratch, to));
        if entered || source.children.is_empty() || self.examine_ancestor(listing, source, scratch, to) {
            return;
        }
        if ordinary {
            self.examine_name(listing, &source.name, Hint::Unknown, None, scratch, to);
        }
    }

    /// A source. False if there may be sources below it that are still to be reached.
    fn examine_named(
        &self,
        listing: &DirListing,
        source: &Arc<Source>,
        scratch: &Scratch,
        to: &mut Examined,
    ) -> bool {
        let follow = match source.followed {
            true => FollowLinks::Yes,
            false => FollowLinks::No,
        };
        let (mut kind, mut meta, mount) =
            match self.look(listing, &source.name, &scratch.path, follow, &to.blank) {
                Ok(known) => known,
                Err(e) => {
                    self.note_missing(source, &scratch.path, errno_of(&e));
                    return true;
                }
            };
        let is_dir = kind == Kind::Dir;
        if let Some(exclusion) = self.filter.excluding_source(&scratch.path, is_dir) {
            self.note_excluded(exclusion, scratch, to);
            self.excluded.lock().push(from_root(&scratch.path));
            return false;
        }
        let mut special = false;
        if self.read_special
            && let Ok((there, of_it, _)) =
                self.look(listing, &source.name, &scratch.path, FollowLinks::Yes, &to.blank)
            && is_special(&there)
        {
            (kind, meta, special) = (Kind::File, of_it, true);
        }
        match is_dir {
            true => to
                .dirs
                .push(self.named_dir(listing, source, &scratch.path, &meta)),
            // A link is stored as a link, so what the user reaches through it has no place.
            false => source.children.iter().for_each(|below| {
                let path = join(&scratch.path, &below.name);
                self.note_missing(below, &path, NOT_A_DIRECTORY);
            }),
        }
        if matches!(kind, Kind::Symlink { .. }) || is_special(&kind) {
            self.bare.lock().push((from_root(&scratch.path), kind.clone()));
        }
        let mount = match is_dir {
            true => Mount::of(mount, meta.dev, listing.visit.own_dev),
            false => Mount::None,
        };
        self.note_placeholder(listing, &source.name, (&kind, &meta), scratch);
        to.found.push(Found {
            mount,
            special,
            ..Found::new(&source.name, kind, meta)
        });
        true
    }

    /// A directory, or a link to one, that holds only what leads to sources. False if it is neither.
    fn examine_ancestor(
        &self,
        listing: &DirListing,
        source: &Arc<Source>,
        scratch: &Scratch,
        to: &mut Examined,
    ) -> bool {
        let examined = self.look(listing, &source.name, &scratch.path, FollowLinks::Yes, &to.blank);
        let errno = match examined {
            Ok((Kind::Dir, meta, mount)) => {
                to.dirs.push(Visit {
                    node: self.node(listing, &source.name, Way::Ancestor, &scratch.path),
                    full: false,
                    dev: meta.dev,
                    own_dev: meta.dev,
                    sources: Some(source.clone()),
                    rules: listing.rules.inherited(),
                });
                to.found.push(Found {
                    above: true,
                    mount: Mount::of(mount, meta.dev, listing.visit.own_dev),
                    ..Found::new(&source.name, Kind::Dir, meta)
                });
                return true;
            }
            Ok(_) => NOT_A_DIRECTORY,
            Err(e) => errno_of(&e),
        };
        for below in &source.children {
            self.note_missing(below, &join(&scratch.path, &below.name), errno);
        }
        false
    }

    /// A source that is a directory, to be listed.
    fn named_dir(&self, listing: &DirListing, source: &Arc<Source>, path: &[u8], meta: &Meta) -> Visit {
        let way = match source.followed {
            true => Way::Linked,
            false => Way::Listed,
        };
        Visit {
            node: self.node(listing, &source.name, way, path),
            full: true,
            dev: meta.dev,
            own_dev: meta.dev,
            sources: (!source.children.is_empty()).then(|| source.clone()),
            rules: listing.rules.inherited(),
        }
    }

    /// What a name is, or what is read in its place; `path` is its path.
    fn look(
        &self,
        listing: &DirListing,
        name: &[u8],
        path: &[u8],
        follow: FollowLinks,
        blank: &Blank,
    ) -> io::Result<(Kind, Meta, Option<bool>)> {
        let grafts = self.handles.grafts();
        grafts.examine(listing.handle.as_fd(), name, path, follow, blank)
    }

    fn node(&self, listing: &DirListing, name: &[u8], way: Way, path: &[u8]) -> Arc<Node> {
        self.handles.node(&listing.visit.node, name, way, path)
    }

    fn note_placeholder(&self, listing: &DirListing, name: &[u8], what: (&Kind, &Meta), scratch: &Scratch) {
        if is_placeholder(listing.handle.as_fd(), name, what.0, what.1) {
            self.placeholders.lock().add(&scratch.path);
        }
    }

    fn note_missing(&self, source: &Source, path: &[u8], errno: i32) {
        let mut paths = Vec::new();
        source.named_paths(path, &mut paths);
        self.missing.lock().extend(paths.into_iter().map(|p| (p, errno)));
    }

    /// Sources that existed when the walk began and are no longer listed.
    fn note_vanished_sources(&self, listing: &DirListing) {
        for source in listing.visit.sources.iter().flat_map(|s| &s.children) {
            if !listing.names.contains(&source.name) {
                let path = join(&listing.dir, &source.name);
                self.note_missing(source, &path, NOT_FOUND);
            }
        }
    }
}

/// Whether a directory has nothing in it but what making a file system puts there.
fn is_empty(names: &Names) -> bool {
    match names.get(0) {
        None => true,
        Some((name, _)) => names.len() == 1 && name == b"lost+found",
    }
}

fn is_special(kind: &Kind) -> bool {
    match kind {
        Kind::CharDevice { .. } | Kind::BlockDevice { .. } | Kind::Fifo => true,
        Kind::File | Kind::Dir | Kind::Symlink { .. } | Kind::Socket => false,
    }
}
