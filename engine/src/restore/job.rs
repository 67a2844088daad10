//! One thing to be put into the target, but for directories and hard links: what it is, how it takes its place, and how
//! much of it is still to come.

use crate::entry::{DirPath, Entry, Kind, Meta, join};
use crate::fsmeta::FileId;
use crate::problem::{Damage, RestoreProblem, Unread};
use parking_lot::Mutex;
use std::fs::File;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::AcqRel, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

/// How a job comes to its name. What is made is made under a temporary name first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Action {
    /// The name is free.
    Create,
    /// Something else has the name and gives way.
    Replace,
    /// It is there already, as this file; only metadata is put back.
    Keep { id: FileId },
}

/// Why a file is given up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Failure {
    Problem(RestoreProblem),
    /// What the repository holds of it is damaged or missing.
    Damage(Damage),
    /// What the repository holds of it can't be read.
    Unreadable(Unread),
    /// The run ends; the reason is reported once, not for each file.
    Abandoned,
}

/// The first name of a multiply linked file, and what was created there.
pub(super) struct EntrySlot {
    pub dir: DirPath,
    pub name: Vec<u8>,
    created: OnceLock<FileId>,
}

impl EntrySlot {
    pub fn new(dir: DirPath, name: Vec<u8>) -> EntrySlot {
        EntrySlot {
            dir,
            name,
            created: OnceLock::new(),
        }
    }

    pub fn created(&self, id: FileId) {
        // Only the one job that makes or keeps the file reports it.
        let _first = self.created.set(id);
    }

    pub fn id(&self) -> Option<FileId> {
        self.created.get().copied()
    }
}

/// Where bytes of a file may be already, at the offsets where they belong (`reuse`). All of it lies in the file's directory.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct ContentSources {
    /// A file has the name, and gives way.
    pub old: bool,
    /// That file is changed, rather than replaced by another.
    pub in_place: bool,
    /// What a run that died has written of it, by its temporary name.
    pub partial: Option<Vec<u8>>,
    /// The journal notes it: if the run ends before it is complete, the next one goes on with it.
    pub resumable: bool,
}

impl ContentSources {
    /// Files that are open while it is written.
    pub fn descriptors(&self) -> usize {
        1 + usize::from(self.old) + usize::from(self.partial.is_some())
    }
}

/// A file that is written in several parts.
pub(super) struct JobFile {
    pub file: File,
    /// It had content when it was opened: parts of it may be right.
    pub has_content: bool,
    /// Other files that may have parts of it.
    pub others: Vec<File>,
}

pub(super) struct FileJob {
    pub dir: DirPath,
    /// Its name in the end.
    pub name: Vec<u8>,
    pub kind: Kind,
    pub meta: Meta,
    pub action: Action,
    /// Its name until it is whole; unused where it is kept.
    pub temporary: Vec<u8>,
    /// Where later links find it.
    pub slot: Option<Arc<EntrySlot>>,
    /// All bytes come from one part: created, written and finished in one visit.
    pub in_one_part: bool,
    pub sources: ContentSources,
    /// It is written in place, and nothing of it was changed yet: it still has its own name.
    pub has_its_name: AtomicBool,
    /// It is written in place, under its temporary name.
    pub in_place: AtomicBool,
    /// Parts that are not done, and one more while parts are being added.
    left: AtomicU64,
    state: Mutex<JobState>,
}

#[derive(Default)]
pub(super) struct JobState {
    /// Open between the first and the last part.
    pub file: Option<Arc<JobFile>>,
    /// The file exists under its working name.
    pub made: bool,
    pub failure: Option<Failure>,
}

impl FileJob {
    /// Takes the entry's metadata; its content is turned into parts by the caller.
    pub fn new(dir: DirPath, name: Vec<u8>, entry: Entry, action: Action, in_one_part: bool) -> FileJob {
        FileJob {
            dir,
            name,
            kind: entry.kind,
            meta: entry.meta,
            action,
            temporary: Vec::new(),
            slot: None,
            in_one_part,
            sources: ContentSources::default(),
            has_its_name: AtomicBool::new(false),
            in_place: AtomicBool::new(false),
            left: AtomicU64::new(1),
            state: Mutex::default(),
        }
    }

    /// Path in the generation (of what it is in the end), for messages.
    pub fn path(&self) -> Vec<u8> {
        join(&self.dir, &self.name)
    }

    /// The name it is written under.
    pub fn working_name(&self) -> &[u8] {
        match self.action {
            Action::Create | Action::Replace if !self.has_its_name.load(Relaxed) => &self.temporary,
            Action::Create | Action::Replace | Action::Keep { .. } => &self.name,
        }
    }

    /// Memory that grows with the entry, roughly.
    pub fn text(&self) -> usize {
        let target = match &self.kind {
            Kind::Symlink { target } => target.len(),
            Kind::File
            | Kind::Dir
            | Kind::CharDevice { .. }
            | Kind::BlockDevice { .. }
            | Kind::Fifo
            | Kind::Socket => 0,
        };
        let xattrs = self.meta.xattrs.iter().map(|x| x.name.len() + x.value.len());
        self.name.len() + self.temporary.len() + target + xattrs.sum::<usize>()
    }

    pub fn state(&self) -> parking_lot::MutexGuard<'_, JobState> {
        self.state.lock()
    }

    /// Parts of it may be in the target.
    pub fn reuses(&self) -> bool {
        !self.in_one_part && (self.sources.old || self.sources.partial.is_some())
    }

    /// It is not made.
    pub fn is_kept(&self) -> bool {
        matches!(self.action, Action::Keep { .. })
    }

    /// The first reason counts.
    pub fn fail(&self, failure: Failure) {
        self.state.lock().failure.get_or_insert(failure);
    }

    pub fn has_failed(&self) -> bool {
        self.state.lock().failure.is_some()
    }

    pub fn add_part(&self) {
        self.left.fetch_add(1, AcqRel);
    }

    /// True for the one who did the last.
    pub fn part_done(&self) -> bool {
        self.left.fetch_sub(1, AcqRel) == 1
    }
}

/// Complete under its temporary name.
pub(super) struct Finished {
    pub job: Arc<FileJob>,
    pub id: FileId,
}
