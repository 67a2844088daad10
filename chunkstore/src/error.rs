//! What can go wrong below the engine. Repository errors end a run (I-11); advice to people is the caller's.

use crate::descriptors;
use crate::platform::errors;
use std::fmt;
use std::io;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{object} is missing")]
    Missing { object: String },
    #[error("{object} is damaged: {what}")]
    Corrupt { object: String, what: String },
    /// One object, while the storage gives others: nothing is known of its bytes.
    #[error("{object} can't be read: {why}")]
    Unreadable { object: String, why: String },
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
    #[error("too many open files: {object} could not be opened (the limit is {limit})")]
    TooManyOpen { object: String, limit: usize },
    #[error("no thread could be started: {0}")]
    Thread(io::Error),
    #[error("not enough memory to {what}: it needs {needed}")]
    NoMemory { what: &'static str, needed: String },
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

/// Why the system refused an operation in a repository's directory: somebody else owns what is in the way. The source of
/// an [`Error::Remote`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Foreign {
    /// The object or folder, relative to the repository; "it" where that is named already.
    pub path: String,
    pub owner: u32,
    /// Whom this process runs as.
    pub user: u32,
}

impl std::error::Error for Foreign {}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |id| match id {
            0 => "root".to_string(),
            id => format!("user {id}"),
        };
        let (owner, user) = (name(self.owner), name(self.user));
        write!(
            f,
            "permission denied: {} belongs to {owner}, not to {user}",
            self.path
        )
    }
}

/// What the database could not write, as far as it says so.
fn database_object(said: &str) -> String {
    match file_of(said) {
        path if path.starts_with('/') => format!("the local index, {path}"),
        _ => "the local index".to_string(),
    }
}

/// What the system's words for it are, in which the database tells it.
const FILE_TOO_LARGE: &str = "File too large";

/// The file that the database speaks of: "IO error: While appending to file: /a/b: File too large".
fn file_of(said: &str) -> &str {
    let path = said
        .split_once(": /")
        .map(|(before, _)| &said[before.len() + 2..]);
    let path = path.and_then(|path| path.rsplit_once(": "));
    path.map_or("of the cache", |(path, _)| path)
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub fn corrupt(object: impl ToString, what: impl ToString) -> Self {
        Error::Corrupt {
            object: object.to_string(),
            what: what.to_string(),
        }
    }

    /// A remote operation failed; a full disk becomes [`Error::NoSpace`] whatever the operation was, and a lack of
    /// descriptors [`Error::TooManyOpen`].
    pub fn remote(operation: &'static str, object: impl ToString, mut source: io::Error) -> Self {
        let object = object.to_string();
        if let Some(foreign) = source.get_mut().and_then(|e| e.downcast_mut::<Foreign>())
            && foreign.path == object
        {
            foreign.path = "it".to_string();
        }
        if descriptors::are_exhausted(&source) {
            return Error::too_many_open(object);
        }
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
        if descriptors::are_exhausted(&source) {
            return Error::too_many_open(path.display());
        }
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::NoSpace {
                object: path.display().to_string(),
            },
            _ => Error::Local { what, path, source },
        }
    }

    /// The system gives no more descriptors: nothing is wrong with what was to be opened.
    pub fn too_many_open(object: impl ToString) -> Self {
        Error::TooManyOpen {
            object: object.to_string(),
            limit: descriptors::limit_in_force(),
        }
    }

    /// What the database said, which opens files and writes to disk as we do.
    pub(crate) fn database(error: rocksdb::Error) -> Self {
        let said = error.into_string();
        match said {
            said if said.contains("Too many open files") => Error::too_many_open("the local index"),
            said if said.contains(FILE_TOO_LARGE) => Error::Local {
                what: "write the local index",
                path: file_of(&said).into(),
                source: errors::file_too_large(),
            },
            said if ["No space left on device", "Disk quota exceeded"]
                .iter()
                .any(|text| said.contains(text)) =>
            {
                Error::NoSpace {
                    object: database_object(&said),
                }
            }
            said => Error::Index(said),
        }
    }

    /// One object is of no use, and others may be: it is damaged, of another version (or its version is damaged), or its
    /// sector can't be read.
    pub fn is_object_local(&self) -> bool {
        match self {
            Error::NewerFormat { .. } | Error::Invalid { .. } => true,
            error => error.is_bad_sector() || error.is_damage(),
        }
    }

    /// What is wrong with this object, to be said after its name. Of another one, the name of that is in it.
    pub fn about(&self, object: &str) -> String {
        match self {
            Error::Missing { object: of } if of == object => "missing".to_string(),
            Error::Corrupt { object: of, what } if of == object => what.clone(),
            Error::Unreadable { object: of, why } if of == object => format!("can't be read: {why}"),
            Error::Remote {
                object: of, source, ..
            } if of == object => format!("can't be read: {source}"),
            Error::NewerFormat { feature } => {
                format!("can't be read: it needs {feature}, which this version does not know")
            }
            error => error.to_string(),
        }
    }

    /// Trouble with one object, of whatever kind, while others can be used.
    pub fn concerns_one_object(&self) -> bool {
        self.is_object_local() || self.is_unreadable()
    }

    /// One object can't be read, and others can: nothing is known of its bytes.
    pub fn is_unreadable(&self) -> bool {
        matches!(self, Error::Unreadable { .. })
    }

    /// A place on this machine has no room, or does not let this process write: another may do.
    pub(crate) fn is_about_room(&self) -> bool {
        match self {
            Error::NoSpace { .. } => true,
            Error::Local { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::PermissionDenied
                    | io::ErrorKind::ReadOnlyFilesystem
                    | io::ErrorKind::NotFound
                    | io::ErrorKind::FileTooLarge
            ),
            _ => false,
        }
    }

    /// The storage failed to read a sector. Whether what is stored there is lost, nobody knows yet.
    pub fn is_bad_sector(&self) -> bool {
        matches!(self, Error::Remote { source, .. } if errors::is_device_error(source))
    }

    /// The same without what a later version may have written, which is to be left alone: for who mends or replaces.
    pub fn is_hurt(&self) -> bool {
        !matches!(self, Error::NewerFormat { .. }) && self.is_object_local()
    }

    /// This process or its machine lacks something, or is asked to stop: it says nothing of any object, and no other
    /// object or replica would do better.
    pub fn is_of_this_process(&self) -> bool {
        matches!(
            self,
            Error::Thread(_)
                | Error::TooManyOpen { .. }
                | Error::NoMemory { .. }
                | Error::NoSpace { .. }
                | Error::Interrupted
        )
    }

    /// The same error once more, for whoever meets its cause again.
    pub fn again(&self) -> Error {
        let io = errors::again;
        match self {
            Error::Missing { object } => Error::Missing {
                object: object.clone(),
            },
            Error::Corrupt { object, what } => Error::corrupt(object, what),
            Error::Unreadable { object, why } => Error::Unreadable {
                object: object.clone(),
                why: why.clone(),
            },
            Error::NoRepository { location } => Error::NoRepository {
                location: location.clone(),
            },
            Error::RepositoryExists { location } => Error::RepositoryExists {
                location: location.clone(),
            },
            Error::WrongKey => Error::WrongKey,
            Error::NewerFormat { feature } => Error::NewerFormat {
                feature: feature.clone(),
            },
            Error::NoSpace { object } => Error::NoSpace {
                object: object.clone(),
            },
            Error::TooManyOpen { object, limit } => Error::TooManyOpen {
                object: object.clone(),
                limit: *limit,
            },
            Error::Thread(source) => Error::Thread(io(source)),
            Error::NoMemory { what, needed } => Error::NoMemory {
                what,
                needed: needed.clone(),
            },
            Error::Remote {
                operation,
                object,
                source,
            } => Error::Remote {
                operation,
                object: object.clone(),
                source: io(source),
            },
            Error::Local { what, path, source } => Error::Local {
                what,
                path: path.clone(),
                source: io(source),
            },
            Error::Index(why) => Error::Index(why.clone()),
            Error::Invalid { what, why } => Error::Invalid {
                what,
                why: why.clone(),
            },
            Error::Fenced => Error::Fenced,
            Error::Interrupted => Error::Interrupted,
            Error::WriterFailed => Error::WriterFailed,
            Error::Refused(why) => Error::Refused(why.clone()),
        }
    }

    /// The storage does not let this user do it, because it belongs to somebody else.
    pub fn is_foreign(&self) -> bool {
        let Error::Remote { source, .. } = self else {
            return false;
        };
        source.get_ref().is_some_and(|source| source.is::<Foreign>())
    }

    /// The object itself is wrong or gone, as opposed to a remote that could not be asked.
    pub fn is_damage(&self) -> bool {
        matches!(self, Error::Missing { .. } | Error::Corrupt { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of an object after its name does not say the name again.
    #[test]
    fn about_an_object() {
        let name = || "index/ab".to_string();
        let remote = |source| Error::remote("read", name(), source);
        let foreign = Foreign {
            path: name(),
            owner: 0,
            user: 1000,
        };
        let rows = [
            (Error::corrupt(name(), "its seal is broken"), "its seal is broken"),
            (Error::Missing { object: name() }, "missing"),
            (
                remote(rustix::io::Errno::IO.into()),
                "can't be read: Input/output error (os error 5)",
            ),
            (
                remote(io::Error::new(io::ErrorKind::PermissionDenied, foreign)),
                "can't be read: permission denied: it belongs to root, not to user 1000",
            ),
            (
                Error::Unreadable {
                    object: name(),
                    why: "no answer".to_string(),
                },
                "can't be read: no answer",
            ),
            (
                Error::NewerFormat {
                    feature: "format 9".to_string(),
                },
                "can't be read: it needs format 9, which this version does not know",
            ),
            (
                Error::corrupt("packs/cd", "cut short"),
                "packs/cd is damaged: cut short",
            ),
        ];
        for (error, want) in rows {
            assert_eq!(error.about("index/ab"), want);
        }
    }

    /// The database says the same thing three times.
    #[test]
    fn a_full_disk_is_told_with_its_place() {
        let said = "IO error: No space left on device: While appending to file: /c/index/0/4.log: No space left on device";
        let object = database_object(said);
        assert_eq!(object, "the local index, /c/index/0/4.log");
        assert_eq!(database_object("No space left on device"), "the local index");
    }
    #[test]
    fn the_database_names_a_file() {
        for (said, file) in [
            (
                "IO error: File too large: While appending to file: /a/b: c/0/LOG: File too large",
                "/a/b: c/0/LOG",
            ),
            (
                "IO error: While open a file for appending: /x: File too large",
                "/x",
            ),
            ("File too large", "of the cache"),
            ("", "of the cache"),
        ] {
            assert_eq!(file_of(said), file);
        }
    }
}
