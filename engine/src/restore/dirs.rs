//! Directories on the way: the planner's stack from the target down to the directory whose entries come now. `plan/dirs`
//! moves along it.
//!
//! A directory's entry comes with its parent's listing, long before its own: until then it waits in its parent's queue.
//! It is made when it is entered, or passed by, so that one in which nothing is wanted is not made at all, and it gets
//! its metadata when the window in which it was left has been written: nothing is put into it any more.

use super::Overwrite;
use super::choose::Choice;
use super::fault::{Fault, RestoreOutcome};
use super::leftovers::sweep;
use super::route::Route;
use super::shared::{Shared, below};
use crate::entry::{DirPath, Kind, Meta, Time};
use crate::fsmeta::{Target, TargetDir, TargetError};
use crate::problem::RestoreProblem;
use chunkstore::descriptors::{self, Permit};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

/// Directories of the stack that are kept open.
const OPEN_LEAST: usize = 4;
const OPEN_MOST: usize = 32;

/// What is recorded of a directory. Siblings mostly share all but the time.
pub(super) struct Record {
    pub look: Arc<Meta>,
    pub mtime: Time,
    pub above: Above,
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

/// A directory that waits in its parent's queue.
pub(super) struct Child {
    pub name: Box<[u8]>,
    pub choice: Choice,
    pub record: Record,
}

pub(super) enum DirState {
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

pub(super) struct Level {
    /// Length of its path.
    pub end: usize,
    pub choice: Choice,
    pub state: DirState,
    /// `None` for what the target stands for, and where the entry is lost.
    pub record: Option<Record>,
    /// Directories in it that were not entered yet, by name.
    pub queue: VecDeque<Child>,
}

impl Level {
    pub fn is_closed(&self) -> bool {
        matches!(self.state, DirState::Made { open: None, new } if !new)
    }
}

/// Never empty: the first level is the target.
pub(super) struct Stack {
    /// Of the deepest directory entered last; the levels' paths are beginnings of it.
    pub path: DirPath,
    pub levels: Vec<Level>,
    /// Last one, to be shared.
    look: Option<Arc<Meta>>,
    /// For so many open directories, and for those of the route.
    room: Permit,
    /// To those that were closed in the meantime.
    pub route: Route,
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

    pub fn top(&mut self) -> Option<&mut Level> {
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
    pub fn make(&mut self, shared: &Shared<'_>, depth: usize) -> RestoreOutcome<()> {
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
pub(super) fn make(
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
            sweep(shared, below(path, shared.strip()), &dir)?;
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
