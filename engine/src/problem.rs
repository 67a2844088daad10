//! What is not as it should be with single paths and objects, as codes and values (I-12). The caller that shows a
//! problem makes the text.

mod restore;
mod warning;

pub use restore::{MetaPart, NameFault, RestoreProblem};
pub use warning::{ClockWarning, Warning};

use crate::entry::Trouble;
use crate::error::{Error, StoreError};
use crate::platform::paths;
use chunkstore::error::{Object, TreeFault, TreePart};
pub use chunkstore::index::WrongSize;
use chunkstore::{ChunkId, PackId};

/// A path that is not, or not wholly, what it should be. The run goes on (I-12).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// Absolute path or object name, raw bytes: callers escape it when they print. Empty if neither is to be printed
    /// before the text, which then names what it is about.
    pub path: Vec<u8>,
    /// What is wrong with it.
    pub what: ProblemKind,
}

impl Problem {
    /// Of one object of the repository. Damage is only what was read and did not prove itself, or is known to be missing.
    pub fn of(object: impl Into<Object>, error: &StoreError) -> Problem {
        let object = object.into();
        let what = match error.is_damage() {
            true => ProblemKind::Damage(Damage::Object(error.clone())),
            false => ProblemKind::Unreadable(Unread::Object(error.clone().into())),
        };
        Problem::new(object, what)
    }

    /// A problem with an object of the repository.
    pub fn new(object: impl Into<Object>, what: ProblemKind) -> Problem {
        let path = match object.into() {
            Object::Named(name) => name.into_bytes(),
            Object::Path(path) => paths::to_bytes(&path).into_owned(),
            // What has no name is named by the error.
            Object::Chunk(_)
            | Object::TreeChunk(_)
            | Object::NewChunk(_)
            | Object::BundledFile(..)
            | Object::LocalIndex(_)
            | Object::RestoreTarget
            | Object::Frame
            | Object::SealedKey
            | Object::KeySlots
            | Object::Manifest
            | Object::Entry => Vec::new(),
        };
        Problem { path, what }
    }

    /// A warning about this object.
    pub fn warning(object: impl Into<Object>, warning: Warning) -> Problem {
        Problem::new(object, ProblemKind::Warning(warning))
    }

    /// A warning about the run as a whole.
    pub fn general(warning: Warning) -> Problem {
        Problem {
            path: Vec::new(),
            what: ProblemKind::Warning(warning),
        }
    }
}

/// What is found where something was saved before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lost {
    /// A directory with nothing in it.
    Empty,
    /// A directory on which no file system is mounted any more.
    Unmounted,
    /// Something that is not a directory.
    NotADirectory,
}

/// What is wrong with a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ProblemKind {
    /// A source could not be saved as it is.
    Source(Trouble),
    /// A source that is not there at all.
    SourceMissing {
        /// The error number.
        errno: i32,
    },
    /// What an earlier snapshot held of a source, or of a file system mounted below it, is not there.
    Lost {
        /// In which way.
        how: Lost,
        /// The time of the last snapshot that held it whole, in seconds since 1970.
        last_complete: i64,
    },
    /// The snapshot in which a source was read did not last until the end.
    SnapshotLost,
    /// A source that is a symbolic link, a device or a FIFO, which is saved as one and not what it leads to.
    Bare {
        /// It is a symbolic link.
        link: bool,
    },
    /// The source's entry can't be recorded: this part of it is over a limit.
    LeftOut {
        /// The part.
        part: TreePart,
        /// What is wrong with it.
        fault: TreeFault,
    },
    /// Restore could not write, or had no intact data for, this path.
    Restore(RestoreProblem),
    /// An object of the repository that is needed for this can't be read: nothing is known of its bytes.
    Unreadable(Unread),
    /// Something in the repository is damaged or missing.
    Damage(Damage),
    /// Worth reporting, harmful to nothing.
    Warning(Warning),
}

impl ProblemKind {
    /// Whether nothing is lost or incomplete because of it.
    pub fn is_warning(&self) -> bool {
        match self {
            ProblemKind::Warning(_) | ProblemKind::Bare { .. } => true,
            ProblemKind::Source(_)
            | ProblemKind::SourceMissing { .. }
            | ProblemKind::Lost { .. }
            | ProblemKind::SnapshotLost
            | ProblemKind::LeftOut { .. }
            | ProblemKind::Restore(_)
            | ProblemKind::Unreadable(_)
            | ProblemKind::Damage(_) => false,
        }
    }
}

/// What can't be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unread {
    /// The object that the problem names.
    Object(Error),
    /// An object that the path needs.
    Needed(StoreError),
    /// The record of this entry and those that follow.
    Entries(LostEntries),
}

/// Entries whose record can't be had.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LostEntries {
    /// The number of entries.
    pub entries: u64,
    /// Those of them that are files.
    pub files: u64,
    /// What is wrong with their record.
    pub error: StoreError,
}

/// What is damaged or missing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Damage {
    /// The object that the problem names.
    Object(StoreError),
    /// An object that the path needs.
    Needed(StoreError),
    /// The record of this entry and those that follow.
    Entries(LostEntries),
    /// A chunk in this pack.
    Chunk {
        /// The chunk.
        id: ChunkId,
        /// What is wrong with it.
        error: StoreError,
    },
    /// The object that the problem names; what is wrong was reported before.
    Known,
    /// The storage has it and does not list it.
    NotListed,
    /// A snapshot that is gone, though no one removed it.
    SnapshotGone,
    /// A pack's own list is not what the index has.
    ListDiffers,
    /// Segments list this pack differently.
    SegmentsDiffer {
        /// The pack.
        pack: PackId,
    },
    /// A missing pack that holds chunks which are needed.
    PackMissing {
        /// How many.
        chunks: u64,
    },
    /// Chunks that snapshots need and that no index segment lists.
    Unlisted {
        /// How many.
        chunks: u64,
    },
    /// Small files in a chunk of this pack are not what it lists.
    BundledFiles {
        /// How many.
        files: u64,
        /// The bundle.
        chunk: ChunkId,
    },
    /// Chunks in the damaged packs that are lost.
    ChunksLost {
        /// How many.
        chunks: u64,
    },
    /// Chunks that no replica has whole.
    NowhereWhole {
        /// How many.
        chunks: u64,
    },
    /// A manifest that can't be mended, as chunks that it needs are lost.
    PartLost,
    /// A drill restored this path without an error, and it is not what it should be.
    Drill(DrillFault),
}

/// In what way a restored path is not what it should be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DrillFault {
    /// It is not there.
    Missing,
    /// It is something else, such as a directory instead of a file.
    Kind,
    /// Its content is not what the snapshot records.
    Content,
    /// Its metadata is not what the snapshot records.
    Metadata(MetaPart),
    /// It is what the snapshot records, but the file that was backed up has another content, and the same size, times and
    /// inode as then.
    Live,
}
