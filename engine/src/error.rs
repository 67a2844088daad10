//! Fatal errors, as codes and values. Problems with single paths are data ([`crate::problem::Problem`], I-12), not errors.
//! Texts for people are made by the caller that shows an error.

mod usage;

pub use usage::{PatternFault, PatternKind, Usage};

use crate::problem::RestoreProblem;
use crate::storage::Weakness;
use chunkstore::SessionId;
use chunkstore::error::{IoError, Object, Operation};
use std::path::PathBuf;

/// What lies under [`Error::Store`], for callers that distinguish its kinds.
pub use chunkstore::Error as StoreError;
/// What errors of the store are made of.
pub use chunkstore::error as store;

/// [`std::fmt::Display`] is for developers.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    /// The storage of the repository, or the local files that belong to it.
    #[error(transparent)]
    Store(StoreError),
    /// The request is invalid.
    #[error("usage ({0:?})")]
    Usage(Usage),
    /// The request was refused, and nothing was changed.
    #[error("refused ({0:?})")]
    Refused(Refusal),
    /// No snapshot is called this.
    #[error("no snapshot: {0}")]
    NoSnapshot(String),
    /// Several snapshots have an id that begins with this.
    #[error("ambiguous: {text} ({matches})")]
    Ambiguous {
        /// The beginning of an id.
        text: String,
        /// How many have it.
        matches: usize,
    },
    /// There is no snapshot as old as was asked for.
    #[error("no snapshot by {at}: the oldest is {id}, {oldest}")]
    NoSnapshotAt {
        /// The time that was asked for.
        at: jiff::Timestamp,
        /// The oldest snapshot.
        id: SessionId,
        /// When that one was made.
        oldest: jiff::Timestamp,
    },
    /// The snapshot has nothing at this path.
    #[error("no such path: {path} ({snapshot:?})")]
    NoSuchPath {
        /// The path.
        path: String,
        /// The snapshot.
        snapshot: NamedSnapshot,
    },
    /// The snapshot holds no content of this path: it could not be read when it was backed up, or its data was lost.
    #[error("not saved: {path}")]
    NotSaved {
        /// The path.
        path: String,
    },
    /// There is nothing to back up.
    #[error("no source ({0:?})")]
    NoSource(NoSource),
    /// A stream that was to be saved under this name ended without a byte.
    #[error("empty stream: {0}")]
    EmptyStream(String),
    /// A local file or directory could not be used.
    #[error("{operation:?} {}: {source}", path.display())]
    Io {
        /// What was tried.
        operation: Operation,
        /// With what.
        path: PathBuf,
        /// Why it failed.
        source: IoError,
    },
    /// What is written out, such as a dump, could not be.
    #[error("output: {0}")]
    Output(IoError),
    /// The target of a restore can't be used.
    #[error("restore target {}: {problem:?}", path.display())]
    Target {
        /// The target.
        path: PathBuf,
        /// What is wrong with it.
        problem: RestoreProblem,
    },
    /// What this machine must note could not be.
    #[error("no state: {}: {source}", path.display())]
    NoState {
        /// The note.
        path: PathBuf,
        /// Why it could not be written.
        source: IoError,
    },
    /// What a checkpoint was based on is being collected: the backup starts again from the checkpoint.
    #[error("view changed")]
    ViewChanged,
    /// Something that generations may refer to is missing or unreadable, so nothing may be deleted (I-9).
    #[error("damaged: {0}")]
    Damaged(StoreError),
    /// A listing lacks what is there (I-9).
    #[error("short listing: {0}")]
    ShortListing(Object),
    /// Generations that this machine made or saw are gone, and no one forgot them (I-9, I-17).
    #[error("lost: {0:?}")]
    Lost(Vec<SessionId>),
    /// The run was cancelled.
    #[error("interrupted")]
    Interrupted,
    /// A follower did not end in its time.
    #[error("late")]
    Late,
}

/// Which snapshot an error is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NamedSnapshot {
    /// As the user named it.
    Text(String),
    /// By its time.
    Of(jiff::Timestamp),
    /// There is only one that can be meant.
    This,
}

/// Why there is nothing to back up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NoSource {
    /// All are missing; the first of them.
    Missing {
        /// The path.
        path: PathBuf,
        /// The error number.
        errno: i32,
    },
    /// Each is missing, excluded, or empty where it was not before.
    NoneUsable,
    /// Nothing was found in them.
    Nothing,
}

/// Why an operation was refused. Nothing was changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The snapshot is protected against being removed.
    Protected(SessionId),
    /// A snapshot that was to be given up as unreadable.
    Readable(SessionId),
    /// A snapshot that was to be given up was published again meanwhile.
    PublishedAgain(SessionId),
    /// Part of this snapshot is gone or being removed.
    PartGone(SessionId),
    /// The repository at this location is not a replica of the other one.
    NotAReplica {
        /// Where it is.
        location: String,
        /// Where the other one is.
        of: String,
    },
    /// They are replicas of one repository: replicated, not copied.
    Replicas,
    /// The repository was opened with this key.
    KeyInUse,
    /// Another collection has moved what this one was about to read.
    AnotherCollection(StoreError),
    /// The storage does not keep what a collection of garbage relies on.
    WeakStorage(Vec<Weakness>),
    /// This machine has put more tags on paths than a record has room for.
    TooManyPathTags,
    /// Other processes of this machine changed tags of paths again and again.
    PathTagsBusy,
    /// What is in this folder may be changed by other users, who could lead elsewhere what is written there.
    OpenToOthers {
        /// The folder, or what is in its place.
        folder: PathBuf,
    },
}

impl Error {
    /// A collection was quicker than a session: it took it for dead, condemned what was put, or replaced an index segment
    /// between its listing and its reading.
    pub(crate) fn is_overtaken(&self) -> bool {
        match self {
            Error::ViewChanged | Error::Store(StoreError::Fenced) => true,
            Error::Store(StoreError::Missing { object }) => object.is_in("index"),
            _ => false,
        }
    }

    pub(crate) fn io(operation: Operation, path: impl Into<PathBuf>, source: impl Into<IoError>) -> Error {
        Error::Io {
            operation,
            path: path.into(),
            source: source.into(),
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Interrupted => Error::Interrupted,
            error => Error::Store(error),
        }
    }
}

/// A result whose error is [`Error`] unless stated otherwise.
pub type Result<T, E = Error> = std::result::Result<T, E>;
