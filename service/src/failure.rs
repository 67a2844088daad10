//! Why a job ended early, in one line that says what happened, to what, and what to do about it. The advice is here:
//! the engine only says what happened, and the faces only print.

use crate::status::Status;
use crate::text;
use engine::retain::PolicyError;
use engine::units::UnitError;
use engine::when::WhenError;
use engine::{Error, StoreError};
use std::io;

/// Why a job ended early: its status and one line for people, without the program's name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    pub status: Status,
    pub message: String,
}

impl Failure {
    pub fn new(status: Status, message: impl Into<String>) -> Failure {
        Failure {
            status,
            message: message.into(),
        }
    }

    pub fn usage(message: impl Into<String>) -> Failure {
        Failure::new(Status::BadSettings, message)
    }

    /// The same, and what else is to be said.
    pub fn with(self, more: &str) -> Failure {
        Failure::new(self.status, format!("{}; {more}", self.message))
    }

    /// An operation on a local file failed; a full disk has its own status, and a limit on the size of files its remedy.
    pub fn io(what: &str, path: &std::path::Path, error: &io::Error) -> Failure {
        let status = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Status::OutOfSpace,
            io::ErrorKind::Interrupted => Status::Interrupted,
            io::ErrorKind::PermissionDenied => Status::AccessDenied,
            _ => Status::Failed,
        };
        let failure = Failure::new(status, format!("{what} {}: {error}", path.display()));
        match error.kind() {
            io::ErrorKind::FileTooLarge => failure.with(TOO_LARGE),
            _ => failure,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let said = error.to_string();
        match error {
            Error::Store(error) => error.into(),
            Error::Usage(_) => Failure::usage(said),
            Error::NoSnapshot(_) => Failure::new(
                Status::Failed,
                format!("{said}; 'dedup snapshots' lists what there is"),
            ),
            Error::Ambiguous { .. } => Failure::new(Status::Failed, format!("{said}; write more of the id")),
            Error::NoSnapshotAt { at, id, oldest } => {
                let (id, oldest) = (text::short(&id.to_hex()), text::time(oldest));
                let at = text::as_of(at);
                Failure::new(
                    Status::Failed,
                    format!("no snapshot by {at}; the oldest is {id}, {oldest}"),
                )
            }
            Error::NoSuchPath { .. } => {
                Failure::new(Status::Failed, format!("{said}; 'dedup ls' shows what is"))
            }
            Error::NoSource(_) => {
                let advice = "no snapshot was made; is a disk not mounted, or a path misspelt?";
                Failure::new(Status::Incomplete, format!("{said}; {advice}"))
            }
            Error::EmptyStream(_) => Failure::new(
                Status::Failed,
                format!(
                    "{said}: standard input was empty, or the command printed nothing; no snapshot was made. \
                     --allow-empty saves an empty file"
                ),
            ),
            Error::Io { what, path, source } => Failure::io(what, &path, &source),
            Error::NoState { path, .. } if path.starts_with(crate::machine::NOWHERE) => Failure::new(
                Status::Failed,
                "there is no home directory in which this machine's notes could be kept: set HOME, or \
                     DEDUP_STATE_DIR to a directory that can be written",
            ),
            Error::NoState { source, .. } => Failure::new(
                match source.kind() {
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Status::OutOfSpace,
                    _ => Status::Failed,
                },
                format!("{said}; set DEDUP_STATE_DIR to a directory that can be written"),
            ),
            Error::ViewChanged => Failure::new(
                Status::Busy,
                format!("{said}, again and again; run it once more when 'dedup prune' is done"),
            ),
            Error::Damaged(_) => Failure::new(
                Status::Damaged,
                format!(
                    "{said}; run 'dedup check' to see what is affected, and repair it first; 'dedup forget \
                     --unreadable' gives up a snapshot that can't be read"
                ),
            ),
            Error::Lost(_) => Failure::new(
                Status::Damaged,
                format!(
                    "{said}: the storage has lost them, or was set back. Bring them back there, or accept the loss with \
                     'dedup forget --lost'"
                ),
            ),
            Error::ShortListing(_) => Failure::new(
                Status::Failed,
                format!("{said}; try again, and if it stays so, don't trust this storage"),
            ),
            Error::Late => Failure::new(Status::Incomplete, said),
            Error::Interrupted => interrupted(),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        let said = error.to_string();
        let with = |status, advice: &str| Failure::new(status, format!("{said}; {advice}"));
        match error {
            StoreError::Unreadable { .. } => {
                with(Status::AccessDenied, "make it readable and run the command again")
            }
            StoreError::Missing { object } | StoreError::Corrupt { object, .. } => {
                let advice = match object.split('/').next() {
                    Some("keys") => {
                        "without a key nothing can be opened: unpack what 'dedup key export' saved, or use a replica"
                    }
                    _ => "'dedup check' shows what else is damaged; the rest can be restored",
                };
                Failure::new(Status::Damaged, format!("{said}; {advice}"))
            }
            StoreError::NoRepository { .. } => with(
                Status::NoRepository,
                "is a disk not mounted, or --repo wrong? 'dedup init' makes a new repository",
            ),
            StoreError::RepositoryExists { .. } => {
                with(Status::Failed, "nothing was changed; 'dedup backup' can use it")
            }
            StoreError::WrongKey => with(Status::WrongKey, "no key of this repository opens with it"),
            StoreError::NewerFormat { .. } => with(Status::Failed, "install a newer dedup"),
            StoreError::NoSpace { object } if is_of_this_machine(&object) => Failure::new(
                Status::OutOfSpace,
                format!("{said}; free some space there and run the command again"),
            ),
            StoreError::NoSpace { .. } => with(
                Status::OutOfSpace,
                "free some space and run the command again; 'dedup prune --gc-only' works on a full disk",
            ),
            StoreError::Remote { ref source, .. } => {
                with(refusal(source.kind()), remedy(source.kind(), error.is_foreign()))
            }
            StoreError::Local { what, path, source } => Failure::io(what, &path, &source),
            StoreError::TooManyOpen { .. } => with(
                Status::Failed,
                "raise the limit on open files (ulimit -n), or run fewer programs at once",
            ),
            StoreError::Thread(_) => with(
                Status::Failed,
                "raise the limit on processes (ulimit -u, a service's TasksMax), or run fewer programs at once",
            ),
            StoreError::NoMemory { .. } => with(
                Status::OutOfMemory,
                "raise the limit on memory (ulimit -v), or run fewer programs at once",
            ),
            StoreError::Index(_) => with(
                Status::Failed,
                "'dedup cache clear' removes it, and it is made again",
            ),
            StoreError::Invalid { .. } => Failure::usage(said),
            StoreError::Fenced => with(
                Status::Failed,
                "it took too long or was asleep; run the command again",
            ),
            StoreError::Interrupted => interrupted(),
            StoreError::WriterFailed => with(Status::Failed, "no snapshot was made; run the command again"),
            StoreError::Refused(_) => Failure::new(Status::Failed, said),
        }
    }
}

/// What to do about an object that can't be read, while the others are used.
pub fn advice(error: &StoreError) -> Option<&'static str> {
    match error {
        StoreError::Remote { source, .. } => Some(remedy(source.kind(), error.is_foreign())),
        StoreError::NewerFormat { .. } => Some("install a newer dedup"),
        _ => None,
    }
}

/// A restore's target or the cache, given as a path or described in words, as opposed to an object in the repository:
/// collecting garbage frees nothing there.
pub fn is_of_this_machine(object: &str) -> bool {
    object.starts_with('/') || object.contains(' ')
}

/// What to do where a file may not grow as long as it must be.
const TOO_LARGE: &str =
    "raise the limit on the size of files (ulimit -f), or use a file system that holds larger ones";

/// What it means that storage refused something.
fn refusal(kind: io::ErrorKind) -> Status {
    use io::ErrorKind as Kind;
    match kind {
        Kind::PermissionDenied => Status::AccessDenied,
        Kind::HostUnreachable
        | Kind::NetworkUnreachable
        | Kind::NetworkDown
        | Kind::NotConnected
        | Kind::StaleNetworkFileHandle
        | Kind::AddrNotAvailable
        | Kind::TimedOut
        | Kind::ConnectionAborted
        | Kind::ConnectionRefused
        | Kind::ConnectionReset => Status::Network,
        _ => Status::Failed,
    }
}

/// What to do about storage that refused something.
fn remedy(kind: io::ErrorKind, is_foreign: bool) -> &'static str {
    use io::ErrorKind as Kind;
    match kind {
        Kind::PermissionDenied if is_foreign => {
            "give it to the owner of the repository's folder with 'chown', or run dedup as the user it belongs to"
        }
        Kind::PermissionDenied => {
            "check the user, keys and passwords for this storage, and what they are allowed to do there"
        }
        Kind::ReadOnlyFilesystem => "the storage is mounted read-only: mount it writable",
        Kind::FileTooLarge => TOO_LARGE,
        Kind::Unsupported => "install the program, or put it where PATH finds it",
        Kind::InvalidInput | Kind::NotADirectory => {
            "check the repository's URL and the settings of its storage"
        }
        Kind::HostUnreachable | Kind::AddrNotAvailable => "check the host's name in the URL, and the network",
        Kind::TimedOut
        | Kind::NetworkUnreachable
        | Kind::NetworkDown
        | Kind::NotConnected
        | Kind::StaleNetworkFileHandle
        | Kind::ConnectionAborted
        | Kind::ConnectionRefused
        | Kind::ConnectionReset => {
            "check the network and the server and run the command again; what is already stored is safe"
        }
        _ => "run the command again; what is already stored is safe",
    }
}

fn interrupted() -> Failure {
    Failure::new(
        Status::Interrupted,
        "interrupted; what is already stored is safe, and the next run continues from there",
    )
}

impl From<UnitError> for Failure {
    fn from(error: UnitError) -> Failure {
        Failure::usage(error.to_string())
    }
}

impl From<WhenError> for Failure {
    fn from(error: WhenError) -> Failure {
        Failure::usage(error.to_string())
    }
}

impl From<PolicyError> for Failure {
    fn from(error: PolicyError) -> Failure {
        let said = error.to_string();
        match error {
            PolicyError::Empty => Failure::usage(format!(
                "{said}: that would remove every snapshot; give a --keep-* rule"
            )),
            PolicyError::Tiers | PolicyError::Every(_) => Failure::usage(said),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn other() -> io::Error {
        io::Error::new(io::ErrorKind::PermissionDenied, "permission denied")
    }

    #[test]
    fn collecting_is_advised_only_where_it_frees_space() {
        for (object, is_advised) in [
            ("tmp/1f", true),
            ("config", true),
            ("/home/u/out", false),
            ("the local index (IO error)", false),
            ("the restore target", false),
        ] {
            let object = object.to_string();
            let failure = Failure::from(StoreError::NoSpace { object });
            assert_eq!(failure.message.contains("prune"), is_advised, "{failure:?}");
        }
    }

    #[test]
    fn store_errors() {
        let text = || "x".to_string();
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let local = |source| StoreError::Local {
            what: "writing",
            path: PathBuf::from("/c"),
            source,
        };
        let rows = [
            (StoreError::Missing { object: text() }, Status::Damaged),
            (
                StoreError::Corrupt {
                    object: text(),
                    what: text(),
                },
                Status::Damaged,
            ),
            (
                StoreError::Unreadable {
                    object: text(),
                    why: text(),
                },
                Status::AccessDenied,
            ),
            (
                StoreError::NoRepository { location: text() },
                Status::NoRepository,
            ),
            (StoreError::RepositoryExists { location: text() }, Status::Failed),
            (StoreError::WrongKey, Status::WrongKey),
            (StoreError::NewerFormat { feature: text() }, Status::Failed),
            (StoreError::NoSpace { object: text() }, Status::OutOfSpace),
            (
                StoreError::Remote {
                    operation: "read",
                    object: text(),
                    source: other(),
                },
                Status::AccessDenied,
            ),
            (local(other()), Status::AccessDenied),
            (local(full()), Status::OutOfSpace),
            (StoreError::too_many_open("/f"), Status::Failed),
            (StoreError::Thread(other()), Status::Failed),
            (
                StoreError::NoMemory {
                    what: "derive the key",
                    needed: "256 MiB".to_string(),
                },
                Status::OutOfMemory,
            ),
            (StoreError::Index(text()), Status::Failed),
            (
                StoreError::Invalid {
                    what: "URL",
                    why: text(),
                },
                Status::BadSettings,
            ),
            (StoreError::Fenced, Status::Failed),
            (StoreError::Interrupted, Status::Interrupted),
            (StoreError::WriterFailed, Status::Failed),
            (StoreError::Refused(text()), Status::Failed),
        ];
        for (error, status) in rows {
            let said = error.to_string();
            let failure = Failure::from(Error::Store(error));
            assert_eq!(failure.status, status, "{said}");
            assert!(failure.message.starts_with(&said), "{said}: {}", failure.message);
            assert!(!failure.message.contains('\n'), "{said}");
        }
    }

    /// Each cause has its own remedy, and none that can't help.
    #[test]
    fn storage_that_refuses() {
        use io::ErrorKind as Kind;
        let message = |source: io::Error| {
            let kind = source.kind();
            let failure = Failure::from(StoreError::Remote {
                operation: "read",
                object: "snapshots/x".to_string(),
                source,
            });
            assert_eq!(failure.status, refusal(kind));
            failure.message
        };
        assert!(message(other()).contains("keys and passwords"));
        assert!(message(Kind::ReadOnlyFilesystem.into()).contains("writable"));
        assert!(message(Kind::TimedOut.into()).contains("network"));
        assert!(message(Kind::Unsupported.into()).contains("install"));
        assert!(message(Kind::Other.into()).contains("again"));
        assert!(!message(other()).contains("again"));
        let lost = |object: &str| {
            let object = object.to_string();
            Failure::from(StoreError::Missing { object }).message
        };
        assert!(lost("keys/00").contains("key export") && !lost("keys/00").contains("restored"));
        assert!(lost("packs/00").contains("dedup check"));
    }

    #[test]
    fn engine_errors() {
        let text = || "x".to_string();
        let rows = [
            (Error::Usage(text()), Status::BadSettings),
            (Error::NoSnapshot(text()), Status::Failed),
            (
                Error::Ambiguous {
                    text: text(),
                    matches: 2,
                },
                Status::Failed,
            ),
            (
                Error::NoSuchPath {
                    path: text(),
                    snapshot: text(),
                },
                Status::Failed,
            ),
            (Error::NoSource(text()), Status::Incomplete),
            (Error::EmptyStream(text()), Status::Failed),
            (
                Error::Io {
                    what: "open",
                    path: PathBuf::from("/x"),
                    source: other(),
                },
                Status::AccessDenied,
            ),
            (
                Error::Damaged(StoreError::Missing { object: text() }),
                Status::Damaged,
            ),
            (Error::ShortListing(text()), Status::Failed),
            (Error::Interrupted, Status::Interrupted),
        ];
        for (error, status) in rows {
            let said = error.to_string();
            let failure = Failure::from(error);
            assert_eq!(failure.status, status, "{said}");
            assert!(failure.message.starts_with(&said), "{said}: {}", failure.message);
        }
    }

    #[test]
    fn times_are_told_as_they_are_given() {
        let time = |text: &str| {
            let zone = jiff::tz::TimeZone::system();
            let local: jiff::civil::DateTime = text.parse().unwrap();
            local.to_zoned(zone).unwrap().timestamp()
        };
        let failure = Failure::from(Error::NoSnapshotAt {
            at: time("2026-11-01T09:00:59.999999999"),
            id: engine::SessionId([0xab; 16]),
            oldest: time("2026-11-26T17:28:03.5"),
        });
        let want = "no snapshot by 2026-11-01 09:00; the oldest is abababab, 2026-11-26 17:28:03";
        assert_eq!((failure.status, failure.message.as_str()), (Status::Failed, want));
    }

    #[test]
    fn values_are_usage() {
        assert_eq!(
            Failure::from(UnitError::Size("x".into())).status,
            Status::BadSettings
        );
        assert_eq!(
            Failure::from(WhenError::Unknown("x".into())).status,
            Status::BadSettings
        );
        assert_eq!(Failure::from(PolicyError::Tiers).status, Status::BadSettings);
        let empty = Failure::from(PolicyError::Empty);
        assert!(empty.status == Status::BadSettings && empty.message.contains("--keep-"));
    }
}
