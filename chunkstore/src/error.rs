//! What can go wrong below the engine, as codes and values: the caller that shows them makes texts for people from
//! them. Repository errors end a run (I-11).

mod cause;
mod flaw;
mod invalid;
mod object;

pub(crate) use cause::cleaned;
pub use cause::{Cause, Foreign, IoError, Obstacle};
pub use flaw::{Feature, Flaw, TreeFault, TreeFeature, TreePart};
pub use invalid::{Invalid, PhraseFault, Refusal, UrlFault, ZstdCall};
pub use object::Object;

use crate::descriptors;
use crate::platform::errors;
use std::io;
use std::path::{Path, PathBuf};

/// [`std::fmt::Display`] is for developers.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[allow(missing_docs)] // the names say it
pub enum Error {
    /// The object is not there.
    #[error("{object}: missing")]
    Missing { object: Object },
    /// The object was read, and is damaged.
    #[error("{object}: corrupt ({flaw:?})")]
    Corrupt { object: Object, flaw: Flaw },
    /// One object, while the storage gives others: nothing is known of its bytes.
    #[error("{object}: unreadable ({cause})")]
    Unreadable { object: Object, cause: Unreadable },
    /// There is no repository at this location.
    #[error("no repository: {location}")]
    NoRepository { location: String },
    /// There is a repository at this location already.
    #[error("repository exists: {location}")]
    RepositoryExists { location: String },
    /// The secret opens none of the key slots.
    #[error("wrong key")]
    WrongKey,
    /// A later version wrote it.
    #[error("newer format ({0:?})")]
    NewerFormat(Feature),
    /// There is no room for the object.
    #[error("{object}: no space")]
    NoSpace { object: Object },
    /// A quota leaves no room for another pack. Bytes.
    #[error("over quota ({used} of {quota})")]
    OverQuota { used: u64, quota: u64 },
    /// The storage of the repository failed.
    #[error("{operation:?} {object}: {source}")]
    Remote {
        operation: Operation,
        object: Object,
        source: IoError,
    },
    /// A local file or directory failed.
    #[error("{operation:?} {}: {source}", path.display())]
    Local {
        operation: Operation,
        path: PathBuf,
        source: IoError,
    },
    /// This process may open no more files.
    #[error("{object}: too many open files ({limit})")]
    TooManyOpen { object: Object, limit: usize },
    /// No thread could be started.
    #[error("no thread: {0}")]
    Thread(IoError),
    /// The system gave no random numbers.
    #[error("no random numbers: {0}")]
    Random(IoError),
    /// There is not enough memory.
    #[error("no memory ({task:?}, {needed} bytes)")]
    NoMemory { task: Task, needed: u64 },
    /// The local index can't be used.
    #[error("local index ({0:?})")]
    Index(IndexFault),
    /// A value that can't be used.
    #[error("invalid ({0:?})")]
    Invalid(Invalid),
    /// Garbage collection ended this session.
    #[error("fenced")]
    Fenced,
    /// The run was cancelled.
    #[error("interrupted")]
    Interrupted,
    /// An earlier write failed.
    #[error("writer failed")]
    WriterFailed,
    /// It was refused, and nothing was changed.
    #[error("refused ({0:?})")]
    Refused(Refusal),
}

/// Why an object can't be read while others can.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[allow(missing_docs)] // the names say it
pub enum Unreadable {
    #[error("{0}")]
    Io(IoError),
    /// The index segment that may list it can't be read.
    #[error("unknown location: {0}")]
    UnknownLocation(Box<Error>),
    #[error("newer format ({0:?})")]
    NewerFormat(Feature),
    #[error("invalid ({0:?})")]
    Invalid(Box<Invalid>),
    /// It may be in an index segment that can't be read.
    #[error("not indexed")]
    NotIndexed,
}

/// What failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)] // the names say it
pub enum Operation {
    Chmod,
    Create,
    /// The folder that a file goes into.
    CreateFolder,
    Delete,
    Examine,
    /// Room that was set aside.
    Free,
    List,
    Lock,
    /// Make a hard link.
    Link,
    LookUp,
    Mkdir,
    Mknod,
    Open,
    Publish,
    /// Of two who create one name.
    Race,
    Read,
    ReadBack,
    ReadExcludeFile,
    ReadLink,
    Remove,
    Rename,
    Replace,
    Rmdir,
    /// Room for a collection.
    SetAside,
    SetSize,
    Stat,
    Sweep,
    Symlink,
    Sync,
    /// What was restored.
    SyncRestored,
    Unlink,
    Write,
    /// The local index.
    WriteIndex,
    WriteTo,
}

/// What memory was needed for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)] // the names say it
pub enum Task {
    DeriveKey,
    GatherPack,
}

/// What is wrong with the local index, which is made anew from the repository.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)] // the names say it
pub enum IndexFault {
    /// The words of the database.
    Database(String),
    /// It is of another version, or of another repository.
    OtherSchema,
    NoColumnFamily,
    Undecodable,
    /// All copies are in use by other processes.
    AllInUse {
        copies: usize,
    },
    /// The map on disk was closed.
    Closed,
    NoRoom,
}

/// A result whose error is [`Error`] unless stated otherwise.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the database could not write, as far as its message tells.
fn database_object(said: &str) -> Object {
    Object::LocalIndex(
        file_of(said)
            .filter(|path| path.starts_with('/'))
            .map(PathBuf::from),
    )
}

/// The system's own words for it, which the database repeats.
const FILE_TOO_LARGE: &str = "File too large";

/// The file that the database speaks of: "IO error: While appending to file: /a/b: File too large".
fn file_of(said: &str) -> Option<&str> {
    let path = said
        .split_once(": /")
        .map(|(before, _)| &said[before.len() + 2..]);
    Some(path?.rsplit_once(": ")?.0)
}

impl Error {
    /// [`Error::Missing`] for this object.
    pub fn missing(object: impl Into<Object>) -> Self {
        Error::Missing {
            object: object.into(),
        }
    }

    /// [`Error::Corrupt`] for this object.
    pub fn corrupt(object: impl Into<Object>, flaw: Flaw) -> Self {
        Error::Corrupt {
            object: object.into(),
            flaw,
        }
    }

    /// A remote operation failed; a full disk becomes [`Error::NoSpace`] whatever the operation was, and a lack of
    /// descriptors [`Error::TooManyOpen`].
    pub fn remote(operation: Operation, object: impl Into<Object>, mut source: io::Error) -> Self {
        let object = object.into();
        if let Some(Cause::Foreign(foreign)) = source.get_mut().and_then(|e| e.downcast_mut::<Cause>())
            && matches!(&foreign.place, Obstacle::Path(path) if object.name() == Some(path))
        {
            foreign.place = Obstacle::Itself;
        }
        if descriptors::are_exhausted(&source) {
            return Error::too_many_open(object);
        }
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::NoSpace { object },
            _ => Error::Remote {
                operation,
                object,
                source: source.into(),
            },
        }
    }

    /// An operation on a file of this machine failed.
    pub fn local(operation: Operation, path: impl AsRef<Path>, source: io::Error) -> Self {
        let path = path.as_ref();
        if descriptors::are_exhausted(&source) {
            return Error::too_many_open(path);
        }
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Error::NoSpace { object: path.into() }
            }
            _ => Error::Local {
                operation,
                path: path.to_path_buf(),
                source: source.into(),
            },
        }
    }

    /// The system gives no more descriptors: nothing is wrong with what was to be opened.
    pub fn too_many_open(object: impl Into<Object>) -> Self {
        Error::TooManyOpen {
            object: object.into(),
            limit: descriptors::limit_in_force(),
        }
    }

    /// The message of the database, which opens files and writes to disk as we do.
    pub(crate) fn database(error: rocksdb::Error) -> Self {
        let said = error.into_string();
        match said {
            said if said.contains("Too many open files") => Error::too_many_open(Object::LocalIndex(None)),
            said if said.contains(FILE_TOO_LARGE) => Error::Local {
                operation: Operation::WriteIndex,
                path: file_of(&said).unwrap_or_default().into(),
                source: errors::file_too_large().into(),
            },
            said if ["No space left on device", "Disk quota exceeded"]
                .iter()
                .any(|text| said.contains(text)) =>
            {
                Error::NoSpace {
                    object: database_object(&said),
                }
            }
            said => Error::Index(IndexFault::Database(said)),
        }
    }

    /// One object is of no use, and others may be: it is damaged, of another version (or its version is damaged), or its
    /// sector can't be read.
    pub fn is_object_local(&self) -> bool {
        match self {
            Error::NewerFormat(_) | Error::Invalid(_) => true,
            error => error.is_bad_sector() || error.is_damage(),
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

    /// The storage failed to read a sector. Whether what is stored there is lost is not known yet.
    pub fn is_bad_sector(&self) -> bool {
        matches!(self, Error::Remote { source, .. } if errors::is_device_error(source))
    }

    /// The storage gave an answer that concerns the object it was asked for: others may be readable.
    pub(crate) fn is_about_one_object(&self) -> bool {
        use io::ErrorKind as Kind;
        let is_answer = |kind| {
            matches!(
                kind,
                Kind::PermissionDenied | Kind::IsADirectory | Kind::NotADirectory | Kind::InvalidData
            )
        };
        matches!(self, Error::Remote { source, .. } if is_answer(source.kind())) || self.is_bad_sector()
    }

    /// The same without what a later version may have written, which is to be left alone: for who mends or replaces.
    pub fn is_hurt(&self) -> bool {
        !matches!(self, Error::NewerFormat(_)) && self.is_object_local()
    }

    /// This process or its machine lacks something, or is asked to stop: that concerns no single object, and no other
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

    /// The object itself is wrong or gone, as opposed to a remote that could not be asked.
    pub fn is_damage(&self) -> bool {
        matches!(self, Error::Missing { .. } | Error::Corrupt { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of what is in the way, distinguishes the object itself from a folder above it.
    #[test]
    fn the_object_itself_is_in_the_way() {
        let foreign = |place| {
            Cause::Foreign(Foreign {
                place,
                owner: 0,
                user: 1000,
            })
        };
        for (path, want) in [
            ("index/ab", Obstacle::Itself),
            ("index", Obstacle::Path("index".to_string())),
        ] {
            let source = foreign(Obstacle::Path(path.to_string())).into_io(io::ErrorKind::PermissionDenied);
            let error = Error::remote(Operation::Read, "index/ab", source);
            let Error::Remote { source, .. } = error else {
                panic!("{error}");
            };
            assert_eq!(source.cause(), Some(&foreign(want)));
        }
    }

    /// The database has three forms for the same thing.
    #[test]
    fn a_full_disk_is_told_with_its_place() {
        let said = "IO error: No space left on device: While appending to file: /c/index/0/4.log: No space left on device";
        let object = database_object(said);
        assert_eq!(object, Object::LocalIndex(Some("/c/index/0/4.log".into())));
        assert_eq!(
            database_object("No space left on device"),
            Object::LocalIndex(None)
        );
    }

    #[test]
    fn the_database_names_a_file() {
        for (said, file) in [
            (
                "IO error: File too large: While appending to file: /a/b: c/0/LOG: File too large",
                Some("/a/b: c/0/LOG"),
            ),
            (
                "IO error: While open a file for appending: /x: File too large",
                Some("/x"),
            ),
            ("File too large", None),
            ("", None),
        ] {
            assert_eq!(file_of(said), file);
        }
    }
}
