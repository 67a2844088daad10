//! How the planner goes from directory to directory, and makes on its way those that are wanted.

use super::Planner;
use crate::entry::{DirPath, common_path, join};
use crate::error::Result;
use crate::problem::RestoreProblem;
use crate::restore::dirs::{Above, Child, DirState, Level, Place, Record, make};
use crate::restore::fault::RestoreOutcome;
use crate::restore::job::Failure;
use crate::restore::shared::below;
use crate::restore::window::DoneDir;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

impl Planner<'_, '_> {
    /// Goes to the directory at `dir`, which comes after the one at hand.
    pub(super) fn enter(&mut self, dir: &DirPath) -> Result<()> {
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
                let full = path.get(..end).unwrap_or_default();
                (self.chooser.choose(above, full, true), None)
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
    pub(super) fn leave(&mut self) -> Result<()> {
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
    pub(super) fn leave_all(&mut self) -> Result<()> {
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
    pub(super) fn place(&mut self) -> Result<Place<'_>> {
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
