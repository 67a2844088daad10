//! What can go wrong below the engine. Repository errors end a run (I-11); advice to people is the caller's.

use std::io;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{object} is missing")]
    Missing { object: String },
    #[error("{object} is damaged: {what}")]
    Corrupt { object: String, what: String },
    #[error("no repository at {location}")]
    NoRepository { location: String },
    #[error("a repository already exists at {location}")]
    RepositoryExists { location: String },
    #[error("wrong password or key")]
    WrongKey,
    #[error("the repository needs {feature}, which this version does not know")]
    NewerFormat { feature: String },
    #[error("no space left while writing {object}")]
    NoSpace { object: String },
    #[error("{operation} {object}: {source}")]
    Remote {
        operation: &'static str,
        object: String,
        source: io::Error,
    },
    #[error("{what} {}: {source}", path.display())]
    Local {
        what: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("local index: {0}")]
    Index(String),
    #[error("invalid {what}: {why}")]
    Invalid { what: &'static str, why: String },
    #[error("this session was ended by garbage collection")]
    Fenced,
    #[error("interrupted")]
    Interrupted,
    #[error("an earlier write failed")]
    WriterFailed,
    #[error("refused: {0}")]
    Refused(String),
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub fn corrupt(object: impl ToString, what: impl ToString) -> Self {
        Error::Corrupt {
            object: object.to_string(),
            what: what.to_string(),
        }
    }

    /// A remote operation failed; a full disk becomes [`Error::NoSpace`] whatever the operation was.
    pub fn remote(operation: &'static str, object: impl ToString, source: io::Error) -> Self {
        let object = object.to_string();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::NoSpace { object },
            _ => Error::Remote {
                operation,
                object,
                source,
            },
        }
    }

    pub fn local(what: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        let path = path.into();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::NoSpace {
                object: path.display().to_string(),
            },
            _ => Error::Local { what, path, source },
        }
    }

    /// One object is of no use, and others may be: it is damaged, of another version (or its version is damaged), or its
    /// sector can't be read.
    pub fn is_of_one_object(&self) -> bool {
        match self {
            Error::Remote { source, .. } => {
                source.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
            }
            Error::NewerFormat { .. } | Error::Invalid { .. } => true,
            error => error.is_damage(),
        }
    }

    /// The same without what a later version may have written, which is to be left alone: for who mends or replaces.
    pub fn is_hurt(&self) -> bool {
        !matches!(self, Error::NewerFormat { .. }) && self.is_of_one_object()
    }

    /// The object itself is wrong or gone, as opposed to a remote that could not be asked.
    pub fn is_damage(&self) -> bool {
        matches!(self, Error::Missing { .. } | Error::Corrupt { .. })
    }
}
