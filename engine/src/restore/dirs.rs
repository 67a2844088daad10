//! Directories on the way: the planner's stack from the target down to the directory whose entries come now.
//!
//! A directory's entry comes with its parent's listing, long before its own: until then it waits in its parent's queue.
//! It is made when it is entered, or passed by, so that one in which nothing is wanted is not made at all, and it gets
//! its metadata when the window in which it was left has been written: nothing is put into it any more.

use super::Overwrite;
use super::choose::Choice;
use super::fault::{Fault, RestoreOutcome};
use super::job::Failure;
use super::plan::Planner;
use super::route::Route;
use super::shared::{Shared, below};
use super::window::DoneDir;
use crate::entry::{DirPath, Kind, Meta, Time, common_path, join};
use crate::error::Result;
use crate::fsmeta::{Target, TargetDir, TargetError};
use crate::problem::RestoreProblem;
use chunkstore::descriptors::{self, Permit};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Directories of the stack that are kept open.
const OPEN_LEAST: usize = 4;
const OPEN_MOST: usize = 32;

/// What is recorded of a directory. Siblings mostly share all but the time.
pub(super) struct Record {
    look: Arc<Meta>,
    mtime: Time,
    above: Above,
}

/// What a directory is above of: then what is there already keeps its metadata and is not replaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Above {
    Nothing,
    /// What is restored.
    Chosen,
    /// What was backed up: the backup went through links in its place.
    Sources,
}

struct Child {
    name: Box<[u8]>,
    choice: Choice,
    record: Record,
}

enum DirState {
    NotMade,
    Made {
        /// Closed again when the stack is deep.
        open: Option<TargetDir>,
        /// By this run.
        new: bool,
    },
    /// Would be made, in a dry run.
    Absent,
    /// Could not be made. That was reported, and nothing below it is tried.
    Failed,
}

struct Level {
    /// Length of its path.
    end: usize,
    choice: Choice,
    state: DirState,
    /// `None` for what the target stands for, and where the entry is lost.
    record: Option<Record>,
    /// Directories in it that were not entered yet, by name.
    queue: VecDeque<Child>,
}

impl Level {
    fn is_closed(&self) -> bool {
        matches!(self.state, DirState::Made { open: None, new } if !new)
    }
}

/// Never empty: the first level is the target.
pub(super) struct Stack {
    /// Of the deepest directory entered last; the levels' paths are beginnings of it.
    path: DirPath,
    levels: Vec<Level>,
    /// Last one, to be shared.
    look: Option<Arc<Meta>>,
    /// For so many open directories, and for those of the route.
    room: Permit,
    /// To those that were closed in the meantime.
    route: Route,
}

/// The directory that entries go to.
pub(super) enum Place<'s> {
    /// Made by this run: its names are free.
    New,
    Existing(&'s TargetDir),
    /// Would be made, in a dry run.
    Absent,
    Failed,
}

impl Stack {
    /// `base` is the path in the generation that the target stands for.
    pub fn new(shared: &Shared<'_>, base: &[u8], choice: Choice) -> RestoreOutcome<Stack> {
        let state = match shared.target() {
            Some(target) => DirState::Made {
                open: Some(target.dir(b"")?),
                new: false,
            },
            None => DirState::Absent,
        };
        let level = Level {
            end: base.len(),
            choice,
            state,
            record: None,
            queue: VecDeque::new(),
        };
        let room = descriptors::hold(OPEN_LEAST, OPEN_MOST);
        Ok(Stack {
            path: base.into(),
            levels: vec![level],
            look: None,
            route: Route::new(room.count() / 4),
            room,
        })
    }

    fn top(&mut self) -> Option<&mut Level> {
        self.levels.last_mut()
    }

    /// What was decided about the directory at hand.
    pub fn choice(&self) -> Choice {
        self.levels.last().map_or(
            Choice {
                selected: false,
                excluded: true,
            },
            |level| level.choice,
        )
    }

    /// The directory at hand is there.
    pub fn is_made(&self) -> bool {
        matches!(self.levels.last().map(|l| &l.state), Some(DirState::Made { .. }))
    }

    /// Whether the directory at `path` is on the stack.
    pub fn is_inside(&self, path: &[u8]) -> bool {
        let at = self.levels.iter().any(|level| level.end == path.len());
        at && self.path.starts_with(path)
    }

    /// A directory listed in the one at hand.
    pub fn add(&mut self, name: &[u8], meta: Meta, choice: Choice, above: Above) {
        let mtime = meta.mtime;
        let blank = Meta {
            size: 0,
            mtime: Time::default(),
            ctime: Time::default(),
            btime: None,
            dev: 0,
            ino: 0,
            nlink: 0,
            ..meta
        };
        let look = match &self.look {
            Some(look) if **look == blank => look.clone(),
            _ => self.look.insert(Arc::new(blank)).clone(),
        };
        let record = Record { look, mtime, above };
        if let Some(top) = self.top() {
            top.queue.push_back(Child {
                name: name.into(),
                choice,
                record,
            });
        }
    }

    /// Makes the level at `depth` below the one above it, which is made.
    fn make(&mut self, shared: &Shared<'_>, depth: usize) -> RestoreOutcome<()> {
        let levels = self.levels.get_mut(..=depth).and_then(|l| l.split_last_mut());
        let Some((level, [.., parent])) = levels else {
            return Ok(());
        };
        let start = parent.end + usize::from(parent.end > 0);
        let path = self.path.get(..level.end).unwrap_or_default();
        let name = path.get(start..).unwrap_or_default();
        let above = level.record.as_ref().map(|record| record.above);
        level.state = match &mut parent.state {
            DirState::Made { open, .. } => {
                let dir = match open {
                    Some(dir) => dir,
                    None => {
                        let path = self.path.get(..parent.end).unwrap_or_default();
                        open.insert(self.route.dir(shared.writable()?, below(path, shared.strip()))?)
                    }
                };
                make(shared, dir, path, name, above)?
            }
            DirState::Absent => DirState::Absent,
            DirState::Failed | DirState::NotMade => DirState::Failed,
        };
        // A deep stack keeps only its lowest directories open.
        if let Some(far) = depth
            .checked_sub(self.room.count() - self.room.count() / 4)
            .and_then(|far| self.levels.get_mut(far))
            && let DirState::Made { open, .. } = &mut far.state
        {
            *open = None;
        }
        Ok(())
    }
}

/// Makes `name` in `parent`, or opens what is there: the directory at `path` of the generation. `above`, if it is
/// recorded at all.
fn make(
    shared: &Shared<'_>,
    parent: &TargetDir,
    path: &[u8],
    name: &[u8],
    above: Option<Above>,
) -> RestoreOutcome<DirState> {
    let made = |dir, new| DirState::Made { open: Some(dir), new };
    let replaces = above == Some(Above::Nothing) && shared.options.overwrite == Overwrite::Always;
    let within = path.strip_suffix(name).unwrap_or_default();
    let within = below(within.strip_suffix(b"/").unwrap_or(within), shared.strip());
    if shared.options.dry_run {
        return match parent.open_dir(name) {
            Ok(dir) => Ok(made(dir, false)),
            Err(e) if replaces || e.io_kind() == Some(io::ErrorKind::NotFound) => Ok(DirState::Absent),
            Err(_) if may_follow(shared, above) => Ok(made(parent.follow(name)?, false)),
            Err(e) => Err(e.into()),
        };
    }
    match shared.opened.change(within, parent, || parent.create_dir(name)) {
        Err(e) if is_taken(&e) => {}
        created => return Ok(made(created?, true)),
    }
    let (kind, _) = parent.stat(name)?;
    match kind {
        Kind::Dir => {
            let dir = shared.opened.enter(within, parent, name)?;
            shared.dead.sweep(shared, below(path, shared.strip()), &dir)?;
            Ok(made(dir, false))
        }
        Kind::Symlink { .. } if may_follow(shared, above) => {
            let dir = parent.follow(name)?;
            shared.writable()?.lead(below(path, shared.strip()), &dir)?;
            Ok(made(dir, false))
        }
        _ if replaces => {
            shared.opened.change(within, parent, || parent.remove(name))?;
            Ok(made(parent.create_dir(name)?, true))
        }
        Kind::Symlink { .. } => Err(Fault::Path(RestoreProblem::LinkInPlace)),
        _ => Err(Fault::Path(RestoreProblem::OtherInPlace)),
    }
}

/// A link in the place of such a directory is the user's own, as long as paths in the target are the machine's own paths.
fn may_follow(shared: &Shared<'_>, above: Option<Above>) -> bool {
    above == Some(Above::Sources) && shared.target().is_some_and(Target::is_system_root)
}

/// There is something of this name.
fn is_taken(error: &TargetError) -> bool {
    error.io_kind() == Some(io::ErrorKind::AlreadyExists)
}

impl Planner<'_, '_> {
    /// Goes to the directory at `dir`, which comes after the one at hand.
    pub fn enter(&mut self, dir: &DirPath) -> Result<()> {
        if Arc::ptr_eq(&self.stack.path, dir) && self.stack.levels.last().is_some_and(|l| l.end == dir.len())
        {
            return Ok(());
        }
        let common = common_path(&self.stack.path, dir);
        while self.stack.levels.len() > 1 && self.stack.levels.last().is_some_and(|l| l.end > common) {
            self.leave()?;
        }
        self.stack.path = dir.clone();
        while let Some(from) = self
            .stack
            .levels
            .last()
            .map(|l| l.end)
            .filter(|end| *end < dir.len())
        {
            let start = from + usize::from(from > 0);
            let rest = dir.get(start..).unwrap_or_default();
            let len = rest.iter().position(|b| *b == b'/').unwrap_or(rest.len());
            self.descend(start, start + len)?;
        }
        Ok(())
    }

    /// One level down, to the directory at `path[..end]`, whose name begins at `start`.
    fn descend(&mut self, start: usize, end: usize) -> Result<()> {
        let path = self.stack.path.clone();
        let name = path.get(start..end).unwrap_or_default();
        let mut found = None;
        while let Some(child) = self.stack.top().and_then(|top| top.queue.pop_front()) {
            if &*child.name < name {
                self.pass(child)?;
                continue;
            }
            if *child.name == *name {
                found = Some(child);
            } else if let Some(top) = self.stack.top() {
                top.queue.push_front(child);
            }
            break;
        }
        let above = self.stack.choice();
        let (choice, record) = match found {
            Some(child) => (child.choice, Some(child.record)),
            None => {
                let whole = path.get(..end).unwrap_or_default();
                (self.chooser.choose(above, whole, true), None)
            }
        };
        self.stack.levels.push(Level {
            end,
            choice,
            state: DirState::NotMade,
            record,
            queue: VecDeque::new(),
        });
        Ok(())
    }

    /// A directory without entries, or none that were read.
    fn pass(&mut self, child: Child) -> Result<()> {
        let Some(end) = self.stack.levels.last().map(|level| level.end) else {
            return Ok(());
        };
        if !child.choice.selected || child.choice.excluded {
            return Ok(());
        }
        // As if it were entered; its path is not that of the stack.
        let shared = self.shared;
        let path = join(self.stack.path.get(..end).unwrap_or_default(), &child.name);
        let made = match self.place()? {
            Place::New | Place::Existing(_) => self.make_child(&path, &child),
            Place::Absent => Ok(DirState::Absent),
            Place::Failed => return Ok(()),
        };
        match made {
            Ok(DirState::Made { new, open }) => {
                shared.counts.dirs.fetch_add(1, Relaxed);
                self.empty(open.filter(|_| !new), &path, child.choice)?;
                self.done(end, Some(child.name), child.record, new)?;
            }
            Ok(DirState::Absent) => {
                shared.counts.dirs.fetch_add(1, Relaxed);
            }
            Ok(DirState::NotMade | DirState::Failed) => {}
            Err(fault) => shared.failed(&path, fault.apart()?),
        }
        Ok(())
    }

    fn make_child(&mut self, path: &[u8], child: &Child) -> RestoreOutcome<DirState> {
        let above = Some(child.record.above);
        match self.stack.levels.last().map(|level| &level.state) {
            Some(DirState::Made { open: Some(dir), .. }) => make(self.shared, dir, path, &child.name, above),
            _ => {
                let parent = path.get(..path.len() - child.name.len()).unwrap_or_default();
                let parent = parent.strip_suffix(b"/").unwrap_or(parent);
                let target = self.shared.writable()?;
                let dir = self.stack.route.dir(target, below(parent, self.shared.strip()))?;
                make(self.shared, &dir, path, &child.name, above)
            }
        }
    }

    /// Ends the directory at hand: nothing more comes into it.
    pub fn leave(&mut self) -> Result<()> {
        while let Some(child) = self.stack.top().and_then(|top| top.queue.pop_front()) {
            self.pass(child)?;
        }
        if self.stack.choice().selected && !self.stack.choice().excluded {
            self.place()?;
        }
        let Some(level) = self.stack.levels.pop() else {
            return Ok(());
        };
        if let (DirState::Made { new, .. }, Some(record)) = (level.state, level.record) {
            self.done(level.end, None, record, new)?;
        }
        Ok(())
    }

    /// Leaves everything, the target last.
    pub fn leave_all(&mut self) -> Result<()> {
        while !self.stack.levels.is_empty() {
            self.leave()?;
        }
        Ok(())
    }

    /// Nothing more comes into a directory. One that was there before this run may keep what it has.
    fn done(&mut self, end: usize, name: Option<Box<[u8]>>, record: Record, new: bool) -> Result<()> {
        let shared = self.shared;
        let Record { look, mtime, above } = record;
        let is_as_recorded = new || (above == Above::Nothing && shared.updates_dirs());
        if shared.options.dry_run || !is_as_recorded && shared.opens_all_dirs() {
            return Ok(());
        }
        let path = self.stack.path.clone();
        self.window.add_dir(DoneDir {
            path,
            end,
            name,
            look: is_as_recorded.then_some(look),
            mtime,
        });
        self.rotate_if_full()
    }

    /// The directory at hand, made with those above it if they are not yet.
    pub fn place(&mut self) -> Result<Place<'_>> {
        let depth = self.stack.levels.len();
        let up = self.stack.levels.iter().rev();
        let to_make = up.take_while(|l| matches!(l.state, DirState::NotMade)).count();
        for depth in depth - to_make..depth {
            self.make_level(depth)?;
        }
        if self.stack.levels.last().is_some_and(Level::is_closed) {
            self.reopen()?;
        }
        Ok(match self.stack.levels.last().map(|level| &level.state) {
            Some(DirState::Made { new: true, .. }) => Place::New,
            Some(DirState::Made { open: Some(dir), .. }) => Place::Existing(dir),
            Some(DirState::Absent) => Place::Absent,
            Some(DirState::Made { .. } | DirState::NotMade | DirState::Failed) | None => Place::Failed,
        })
    }

    fn make_level(&mut self, depth: usize) -> Result<()> {
        let made = self.stack.make(self.shared, depth);
        let Some(level) = self.stack.levels.get_mut(depth) else {
            return Ok(());
        };
        let path = self.stack.path.get(..level.end).unwrap_or_default();
        match made {
            Ok(()) => {
                if matches!(level.state, DirState::Made { .. } | DirState::Absent) {
                    self.shared.counts.dirs.fetch_add(1, Relaxed);
                    if level.record.is_none() {
                        self.shared.problem(path, RestoreProblem::NoRecord);
                    }
                }
            }
            Err(fault) => {
                level.state = DirState::Failed;
                let failure = match fault.apart()? {
                    Failure::Problem(why) => Failure::Problem(RestoreProblem::NothingBelow(Box::new(why))),
                    failure => failure,
                };
                self.shared.failed(path, failure);
            }
        }
        Ok(())
    }

    /// The directory at hand, an existing one, after a return from far below.
    fn reopen(&mut self) -> Result<()> {
        let (shared, stack) = (self.shared, &mut self.stack);
        let Some(level) = stack.levels.last_mut() else {
            return Ok(());
        };
        let path = stack.path.get(..level.end).unwrap_or_default();
        let opened = shared.writable().and_then(|target| {
            let path = below(path, shared.strip());
            Ok(stack.route.dir(target, path)?)
        });
        level.state = match opened {
            Ok(dir) => DirState::Made {
                open: Some(dir),
                new: false,
            },
            Err(fault) => {
                shared.failed(path, fault.apart()?);
                DirState::Failed
            }
        };
        Ok(())
    }
}
