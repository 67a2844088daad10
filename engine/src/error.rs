//! What ends a run. Trouble with single paths is not here: it is data ([`crate::monitor::Problem`], I-12).

use std::io;
use std::path::PathBuf;

/// What lies under [`Error::Store`], for callers that tell its kinds apart.
pub use chunkstore::Error as StoreError;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Store(chunkstore::Error),
    #[error("{0}")]
    Usage(String),
    #[error("no snapshot matches '{0}'")]
    NoSnapshot(String),
    #[error("'{text}' matches {matches} snapshots")]
    Ambiguous { text: String, matches: usize },
    #[error("no snapshot by {at}; the oldest is {}, {oldest}", &id.to_hex()[..8])]
    NoSnapshotAt {
        at: jiff::Timestamp,
        id: chunkstore::SessionId,
        oldest: jiff::Timestamp,
    },
    #[error("{path} is not in snapshot {snapshot}")]
    NoSuchPath { path: String, snapshot: String },
    #[error("no source could be read: {0}")]
    NoSource(String),
    /// A stream that was to be saved under this name ended without a byte.
    #[error("nothing was read that could be saved as {0}")]
    EmptyStream(String),
    #[error("{what} {}: {source}", path.display())]
    Io {
        what: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// What this machine must note could not be.
    #[error("this machine's notes on the repository can't be kept in {}: {source}", path.display())]
    NoState { path: PathBuf, source: io::Error },
    /// What a checkpoint was based on is being collected: the backup starts again from the checkpoint.
    #[error("garbage collection overtook this backup")]
    ViewChanged,
    /// Something that generations may refer to is missing or unreadable, so nothing may be deleted (I-9).
    #[error("nothing more was deleted, because the repository is damaged: {0}")]
    Damaged(chunkstore::Error),
    /// A listing lacks what is there (I-9).
    #[error(
        "nothing more was deleted: the storage listed its objects incompletely ({0} is there and not listed)"
    )]
    ShortListing(String),
    /// Generations that this machine made or saw are gone, and nobody forgot them (I-9, I-17).
    #[error("nothing more was deleted: {}", lost(.0))]
    Lost(Vec<chunkstore::SessionId>),
    #[error("interrupted")]
    Interrupted,
    /// A follower did not end in its time.
    #[error("its time ran out before everything was replicated")]
    Late,
}

/// What is said of generations that are gone though nobody forgot them.
pub fn lost(ids: &[chunkstore::SessionId]) -> String {
    let short = |id: &chunkstore::SessionId| id.to_hex()[..8].to_string();
    let mut names: Vec<String> = ids.iter().take(3).map(short).collect();
    if ids.len() > names.len() {
        names.push(format!("{} more", ids.len() - names.len()));
    }
    let (snapshots, are) = match ids.len() {
        1 => ("snapshot", "is"),
        _ => ("snapshots", "are"),
    };
    let names = names.join(", ");
    format!(
        "{snapshots} {names} {are} gone from the storage, though nobody removed {}",
        match ids.len() {
            1 => "it",
            _ => "them",
        }
    )
}

impl Error {
    /// A collection was quicker than a session: it took it for dead, condemned what was put, or replaced an index segment
    /// between its listing and its reading.
    pub(crate) fn is_overtaken(&self) -> bool {
        match self {
            Error::ViewChanged | Error::Store(StoreError::Fenced) => true,
            Error::Store(StoreError::Missing { object }) => object.starts_with("index/"),
            _ => false,
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

pub type Result<T, E = Error> = std::result::Result<T, E>;
