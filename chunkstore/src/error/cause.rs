//! Why an operation of a storage or of this machine failed.

use super::Error;
use crate::platform::errors;
use std::fmt;
use std::io;
use std::ops::Deref;
use std::sync::Arc;

/// A system's or library's error: what it says stays as it is, in its own words. What this program found is a [`Cause`].
#[derive(Clone, Debug)]
pub struct IoError(Arc<io::Error>);

impl IoError {
    /// What this program found, as opposed to the system or a library.
    pub fn cause(&self) -> Option<&Cause> {
        Cause::of(&self.0)
    }
}

impl From<io::Error> for IoError {
    fn from(error: io::Error) -> Self {
        IoError(Arc::new(error))
    }
}

impl Deref for IoError {
    type Target = io::Error;
    fn deref(&self) -> &io::Error {
        &self.0
    }
}

impl fmt::Display for IoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for IoError {}

/// The same failure, as far as the two can be compared.
impl PartialEq for IoError {
    fn eq(&self, other: &Self) -> bool {
        let same_kind = self.kind() == other.kind() && errors::number(self) == errors::number(other);
        same_kind && self.to_string() == other.to_string()
    }
}

impl Eq for IoError {}

/// What lies in an [`io::Error`] that this program made.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)] // the names say it
pub enum Cause {
    /// Words of a system, a server, a program or a library.
    Detail(String),
    /// Somebody else owns what is in the way.
    Foreign(Foreign),
    /// A program that PATH does not find.
    NotInstalled,
    /// The thread that starts children has ended.
    StarterEnded,
    NotStarted {
        program: &'static str,
        error: IoError,
    },
    /// A program that was started without the pipes that were asked for.
    NoPipes {
        program: &'static str,
    },
    /// A program that did not get ready in its time.
    NotReady {
        program: &'static str,
    },
    /// The last words of a program that ended.
    Program {
        program: &'static str,
        said: Box<Cause>,
    },
    NotARegularFile,
    /// A symbolic link to nothing, or to itself.
    BrokenLink,
    /// An earlier sync of a folder failed; what it covered may be lost.
    SyncFailed,
    /// What is written in the staging folder is removed at once.
    StagingVolatile,
    /// Somebody else removed what was being written.
    StagedRemoved,
    /// The name is taken.
    Exists,
    /// The storage's disk is full.
    ServerFull,
    /// The repository's folder is not there.
    FolderMissing,
    /// The server does not say how long an object is.
    NoLength,
    AnswerTooLong,
    ListingUnparsable {
        detail: String,
    },
    /// The listing was cut, or another document came in its place.
    ListingIncomplete,
    /// The server gave other bytes than those that were asked for.
    WrongRange,
    /// The server sends its clients to another address.
    Redirected {
        to: String,
    },
    /// An HTTP status, and what else the server said.
    Answered {
        status: String,
        detail: String,
    },
    ConnectionClosed,
    Stalled {
        seconds: u64,
    },
    NotConnected {
        host: String,
        port: u16,
        detail: String,
    },
    /// The storage wants credentials, and none were given.
    NoCredentials,
    /// The server's certificate is not one that this machine trusts.
    NotTrusted {
        host: String,
        port: u16,
        detail: String,
    },
    /// This machine's clock and the server's differ.
    ClockSkew {
        detail: String,
    },
    /// The last failure of a request that was tried several times.
    Retried {
        tries: u32,
        seconds: u64,
        last: IoError,
    },
    /// The threads for the network could not be started.
    NetworkThreads(Box<Cause>),
    Store(Box<Error>),
    Interrupted,
    /// A simulated crash.
    Crashed,
}

impl Cause {
    /// The cause in an error that this program made.
    pub fn of(error: &io::Error) -> Option<&Cause> {
        error.get_ref()?.downcast_ref()
    }

    /// What an error says, without its kind.
    pub(crate) fn detailed(error: &io::Error) -> Cause {
        match Cause::of(error) {
            Some(cause) => cause.clone(),
            None => Cause::Detail(error.to_string()),
        }
    }

    /// The same with everything that others said passed through `clean`.
    pub(crate) fn cleaned(mut self, clean: &dyn Fn(&str) -> String) -> Cause {
        if let Some(said) = self.said() {
            *said = clean(said);
            return self;
        }
        let boxed = |cause: Box<Cause>| Box::new(cause.cleaned(clean));
        match self {
            Cause::NotStarted { program, error } => Cause::NotStarted {
                program,
                error: cleaned(&error, clean).into(),
            },
            Cause::Program { program, said } => Cause::Program {
                program,
                said: boxed(said),
            },
            Cause::Retried { tries, seconds, last } => Cause::Retried {
                tries,
                seconds,
                last: cleaned(&last, clean).into(),
            },
            Cause::NetworkThreads(cause) => Cause::NetworkThreads(boxed(cause)),
            cause => cause,
        }
    }

    /// What somebody else said, in their own words.
    fn said(&mut self) -> Option<&mut String> {
        match self {
            Cause::Detail(said)
            | Cause::ListingUnparsable { detail: said }
            | Cause::Redirected { to: said }
            | Cause::Answered { detail: said, .. }
            | Cause::NotConnected { detail: said, .. }
            | Cause::NotTrusted { detail: said, .. }
            | Cause::ClockSkew { detail: said } => Some(said),
            // What another cause says.
            Cause::NotStarted { .. }
            | Cause::Program { .. }
            | Cause::Retried { .. }
            | Cause::NetworkThreads(_) => None,
            Cause::Foreign(_)
            | Cause::NotInstalled
            | Cause::StarterEnded
            | Cause::NoPipes { .. }
            | Cause::NotReady { .. }
            | Cause::NoCredentials
            | Cause::NotARegularFile
            | Cause::BrokenLink
            | Cause::SyncFailed
            | Cause::StagingVolatile
            | Cause::StagedRemoved
            | Cause::Exists
            | Cause::ServerFull
            | Cause::FolderMissing
            | Cause::NoLength
            | Cause::AnswerTooLong
            | Cause::ListingIncomplete
            | Cause::WrongRange
            | Cause::ConnectionClosed
            | Cause::Stalled { .. }
            | Cause::Store(_)
            | Cause::Interrupted
            | Cause::Crashed => None,
        }
    }
}

/// A failure of a storage whose words hold no secrets any more.
pub(crate) fn cleaned(error: &io::Error, clean: &dyn Fn(&str) -> String) -> io::Error {
    match (Cause::of(error), errors::number(error)) {
        (Some(cause), _) => cause.clone().cleaned(clean).into_io(error.kind()),
        (None, Some(number)) => errors::of_number(number),
        (None, None) => Cause::Detail(clean(&error.to_string())).into_io(error.kind()),
    }
}

impl Cause {
    /// As an error of that kind.
    pub fn into_io(self, kind: io::ErrorKind) -> io::Error {
        io::Error::new(kind, self)
    }
}

impl From<String> for Cause {
    fn from(detail: String) -> Cause {
        Cause::Detail(detail)
    }
}

impl From<Error> for Cause {
    fn from(error: Error) -> Cause {
        Cause::Store(Box::new(error))
    }
}

impl std::error::Error for Cause {}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Detail(detail) => f.write_str(detail),
            cause => write!(f, "{cause:?}"),
        }
    }
}

/// Why the system refused an operation in a repository's directory: somebody else owns what is in the way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Foreign {
    /// What is in the way.
    pub place: Obstacle,
    /// The number of its owner.
    pub owner: u32,
    /// Whom this process runs as.
    pub user: u32,
}

/// What is in the way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Obstacle {
    /// The object that the error is about.
    Itself,
    /// The repository's folder.
    Root,
    /// Relative to the repository.
    Path(String),
}
