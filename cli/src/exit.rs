//! How a run ends: the exit codes, and for everything that ends one early the one line that says what happened, to
//! what, and what to do about it. The advice lives here; the libraries only say what happened.

use crate::render::{json, text};
use engine::retain::PolicyError;
use engine::units::{self, UnitError};
use engine::when::WhenError;
use engine::{Error, StoreError};
use std::fmt::Write;
use std::io;
use std::process::ExitCode;

/// The whole vocabulary of exit codes; wrappers rely on the numbers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
#[repr(u8)]
pub enum Code {
    #[default]
    Ok = 0,
    Failed = 1,
    Usage = 2,
    Incomplete = 3,
    Paused = 4,
    NoRepository = 10,
    Busy = 11,
    WrongKey = 12,
    Damage = 13,
    NoSpace = 14,
    Interrupted = 130,
}

/// Every code with its meaning, as `dedup help exit-codes` prints it.
pub const CODES: [(Code, &str); 11] = [
    (Code::Ok, "all was done"),
    (
        Code::Failed,
        "it failed; the message says why. What was stored before is safe",
    ),
    (
        Code::Usage,
        "the command line, a value or a setting is wrong; nothing was done",
    ),
    (
        Code::Incomplete,
        "done in part: some source could not be read, some snapshot not removed, or some replica is behind; the rest is saved",
    ),
    (Code::Paused, "not done: paused, or outside its window"),
    (Code::NoRepository, "there is no repository at that place"),
    (Code::Busy, "the repository or the cache is in use by another run"),
    (
        Code::WrongKey,
        "the password, key file or recovery phrase does not open the repository",
    ),
    (
        Code::Damage,
        "something in the repository is damaged or missing; the messages name it",
    ),
    (
        Code::NoSpace,
        "no space left, at the source, in the cache or in the repository",
    ),
    (
        Code::Interrupted,
        "interrupted by a signal; what is already stored is safe",
    ),
];

impl From<Code> for ExitCode {
    fn from(code: Code) -> ExitCode {
        ExitCode::from(code as u8)
    }
}

/// The text of `dedup help exit-codes`.
pub fn help() -> String {
    let mut text = String::from("Exit codes:\n\n");
    for (code, meaning) in CODES {
        // Writing to a String can't fail.
        let _ = writeln!(text, "  {:>3}  {meaning}", code as u8);
    }
    text
}

/// Why a run ended early: its code and one line for people, without the program's name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    pub code: Code,
    pub message: String,
}

impl Failure {
    pub fn new(code: Code, message: impl Into<String>) -> Failure {
        Failure {
            code,
            message: message.into(),
        }
    }

    pub fn usage(message: impl Into<String>) -> Failure {
        Failure::new(Code::Usage, message)
    }

    /// The same, and what else is to be said.
    pub fn with(self, more: &str) -> Failure {
        Failure::new(self.code, format!("{}; {more}", self.message))
    }

    /// An operation on a local file failed; a full disk has its own code, and a limit on the size of files its remedy.
    pub fn io(what: &str, path: &std::path::Path, error: &io::Error) -> Failure {
        let code = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Code::NoSpace,
            io::ErrorKind::Interrupted => Code::Interrupted,
            _ => Code::Failed,
        };
        let said = Failure::new(code, format!("{what} {}: {error}", path.display()));
        match error.kind() {
            io::ErrorKind::FileTooLarge => said.with(TOO_LARGE),
            _ => said,
        }
    }

    /// The line for standard error: escaped, so that no name in it can steer a terminal.
    pub fn line(&self, json: bool) -> String {
        if json {
            let code = self.code as u8;
            let fields = serde_json::json!({ "code": code, "message": self.message });
            return json::line(&json::object("exit_error", fields));
        }
        format!("dedup: {}", units::escape(self.message.as_bytes()))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let said = error.to_string();
        match error {
            Error::Store(error) => error.into(),
            Error::Usage(_) => Failure::usage(said),
            Error::NoSnapshot(_) => Failure::new(
                Code::Failed,
                format!("{said}; 'dedup snapshots' lists what there is"),
            ),
            Error::Ambiguous { .. } => Failure::new(Code::Failed, format!("{said}; write more of the id")),
            Error::NoSnapshotAt { at, id, oldest } => {
                let (id, oldest) = (text::short(&id.to_hex()), text::time(oldest));
                let at = text::as_of(at);
                Failure::new(
                    Code::Failed,
                    format!("no snapshot by {at}; the oldest is {id}, {oldest}"),
                )
            }
            Error::NoSuchPath { .. } => {
                Failure::new(Code::Failed, format!("{said}; 'dedup ls' shows what is"))
            }
            Error::NoSource(_) => {
                let advice = "no snapshot was made; is a disk not mounted, or a path misspelt?";
                Failure::new(Code::Incomplete, format!("{said}; {advice}"))
            }
            Error::EmptyStream(_) => Failure::new(
                Code::Failed,
                format!(
                    "{said}: standard input was empty, or the command printed nothing; no snapshot was made. \
                     --allow-empty saves an empty file"
                ),
            ),
            Error::Io { what, path, source } => Failure::io(what, &path, &source),
            Error::NoState { path, .. } if path.starts_with(crate::resolve::NOWHERE) => Failure::new(
                Code::Failed,
                "there is no home directory in which this machine's notes could be kept: set HOME, or \
                     DEDUP_STATE_DIR to a directory that can be written",
            ),
            Error::NoState { source, .. } => Failure::new(
                match source.kind() {
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Code::NoSpace,
                    _ => Code::Failed,
                },
                format!("{said}; set DEDUP_STATE_DIR to a directory that can be written"),
            ),
            Error::ViewChanged => Failure::new(
                Code::Busy,
                format!("{said}, again and again; run it once more when 'dedup prune' is done"),
            ),
            Error::Damaged(_) => Failure::new(
                Code::Damage,
                format!(
                    "{said}; run 'dedup check' to see what is affected, and repair it first; 'dedup forget \
                     --unreadable' gives up a snapshot that can't be read"
                ),
            ),
            Error::Lost(_) => Failure::new(
                Code::Damage,
                format!(
                    "{said}: the storage has lost them, or was set back. Bring them back there, or accept the loss with \
                     'dedup forget --lost'"
                ),
            ),
            Error::ShortListing(_) => Failure::new(
                Code::Failed,
                format!("{said}; try again, and if it stays so, don't trust this storage"),
            ),
            Error::Late => Failure::new(Code::Incomplete, said),
            Error::Interrupted => interrupted(),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        let said = error.to_string();
        let with = |code, advice: &str| Failure::new(code, format!("{said}; {advice}"));
        match error {
            StoreError::Unreadable { .. } => with(Code::Failed, "make it readable and run the command again"),
            StoreError::Missing { object } | StoreError::Corrupt { object, .. } => {
                let advice = match object.split('/').next() {
                    Some("keys") => {
                        "without a key nothing can be opened: unpack what 'dedup key export' saved, or use a replica"
                    }
                    _ => "'dedup check' shows what else is damaged; the rest can be restored",
                };
                Failure::new(Code::Damage, format!("{said}; {advice}"))
            }
            StoreError::NoRepository { .. } => with(
                Code::NoRepository,
                "is a disk not mounted, or --repo wrong? 'dedup init' makes a new repository",
            ),
            StoreError::RepositoryExists { .. } => {
                with(Code::Failed, "nothing was changed; 'dedup backup' can use it")
            }
            StoreError::WrongKey => with(Code::WrongKey, "no key of this repository opens with it"),
            StoreError::NewerFormat { .. } => with(Code::Failed, "install a newer dedup"),
            StoreError::NoSpace { object } if is_of_this_machine(&object) => Failure::new(
                Code::NoSpace,
                format!("{said}; free some space there and run the command again"),
            ),
            StoreError::NoSpace { .. } => with(
                Code::NoSpace,
                "free some space and run the command again; 'dedup prune --gc-only' works on a full disk",
            ),
            StoreError::Remote { ref source, .. } => {
                with(Code::Failed, remedy(source.kind(), error.is_foreign()))
            }
            StoreError::Local { what, path, source } => Failure::io(what, &path, &source),
            StoreError::TooManyOpen { .. } => with(
                Code::Failed,
                "raise the limit on open files (ulimit -n), or run fewer programs at once",
            ),
            StoreError::Thread(_) => with(
                Code::Failed,
                "raise the limit on processes (ulimit -u, a service's TasksMax), or run fewer programs at once",
            ),
            StoreError::NoMemory { .. } => with(
                Code::Failed,
                "raise the limit on memory (ulimit -v), or run fewer programs at once",
            ),
            StoreError::Index(_) => with(
                Code::Failed,
                "'dedup cache clear' removes it, and it is made again",
            ),
            StoreError::Invalid { .. } => Failure::usage(said),
            StoreError::Fenced => with(
                Code::Failed,
                "it took too long or was asleep; run the command again",
            ),
            StoreError::Interrupted => interrupted(),
            StoreError::WriterFailed => with(Code::Failed, "no snapshot was made; run the command again"),
            StoreError::Refused(_) => Failure::new(Code::Failed, said),
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
        Kind::TimedOut | Kind::ConnectionAborted | Kind::ConnectionRefused | Kind::ConnectionReset => {
            "check the network and the server and run the command again; what is already stored is safe"
        }
        _ => "run the command again; what is already stored is safe",
    }
}

fn interrupted() -> Failure {
    Failure::new(
        Code::Interrupted,
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
    fn numbers_are_the_contract() {
        let numbers: Vec<u8> = CODES.iter().map(|(code, _)| *code as u8).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4, 10, 11, 12, 13, 14, 130]);
        assert!(CODES.iter().all(|(_, meaning)| help().contains(meaning)));
        assert!(help().contains("   12  the password") && help().contains("  130  interrupted"));
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
            (StoreError::Missing { object: text() }, 13),
            (
                StoreError::Corrupt {
                    object: text(),
                    what: text(),
                },
                13,
            ),
            (
                StoreError::Unreadable {
                    object: text(),
                    why: text(),
                },
                1,
            ),
            (StoreError::NoRepository { location: text() }, 10),
            (StoreError::RepositoryExists { location: text() }, 1),
            (StoreError::WrongKey, 12),
            (StoreError::NewerFormat { feature: text() }, 1),
            (StoreError::NoSpace { object: text() }, 14),
            (
                StoreError::Remote {
                    operation: "read",
                    object: text(),
                    source: other(),
                },
                1,
            ),
            (local(other()), 1),
            (local(full()), 14),
            (StoreError::too_many_open("/f"), 1),
            (StoreError::Thread(other()), 1),
            (
                StoreError::NoMemory {
                    what: "derive the key",
                    needed: "256 MiB".to_string(),
                },
                1,
            ),
            (StoreError::Index(text()), 1),
            (
                StoreError::Invalid {
                    what: "URL",
                    why: text(),
                },
                2,
            ),
            (StoreError::Fenced, 1),
            (StoreError::Interrupted, 130),
            (StoreError::WriterFailed, 1),
            (StoreError::Refused(text()), 1),
        ];
        for (error, code) in rows {
            let said = error.to_string();
            let failure = Failure::from(Error::Store(error));
            assert_eq!(failure.code as u8, code, "{said}");
            assert!(failure.message.starts_with(&said), "{said}: {}", failure.message);
            assert!(!failure.message.contains('\n'), "{said}");
        }
    }

    /// Each cause has its own remedy, and none that can't help.
    #[test]
    fn storage_that_refuses() {
        use io::ErrorKind as Kind;
        let message = |source: io::Error| {
            let failure = Failure::from(StoreError::Remote {
                operation: "read",
                object: "snapshots/x".to_string(),
                source,
            });
            assert_eq!(failure.code, Code::Failed);
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
            (Error::Usage(text()), 2),
            (Error::NoSnapshot(text()), 1),
            (
                Error::Ambiguous {
                    text: text(),
                    matches: 2,
                },
                1,
            ),
            (
                Error::NoSuchPath {
                    path: text(),
                    snapshot: text(),
                },
                1,
            ),
            (Error::NoSource(text()), 3),
            (Error::EmptyStream(text()), 1),
            (
                Error::Io {
                    what: "open",
                    path: PathBuf::from("/x"),
                    source: other(),
                },
                1,
            ),
            (Error::Damaged(StoreError::Missing { object: text() }), 13),
            (Error::ShortListing(text()), 1),
            (Error::Interrupted, 130),
        ];
        for (error, code) in rows {
            let said = error.to_string();
            let failure = Failure::from(error);
            assert_eq!(failure.code as u8, code, "{said}");
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
        assert_eq!((failure.code, failure.message.as_str()), (Code::Failed, want));
    }

    #[test]
    fn values_are_usage() {
        assert_eq!(Failure::from(UnitError::Size("x".into())).code, Code::Usage);
        assert_eq!(Failure::from(WhenError::Unknown("x".into())).code, Code::Usage);
        assert_eq!(Failure::from(PolicyError::Tiers).code, Code::Usage);
        let empty = Failure::from(PolicyError::Empty);
        assert!(empty.code == Code::Usage && empty.message.contains("--keep-"));
    }

    #[test]
    fn lines() {
        let failure = Failure::new(Code::Failed, "open /a\n\x1b[2Jb: no \"such\" file");
        assert_eq!(
            failure.line(false),
            "dedup: open /a\\x0a\\x1b[2Jb: no \"such\" file"
        );
        let json: serde_json::Value = serde_json::from_str(&failure.line(true)).unwrap();
        assert_eq!(json["message_type"], "exit_error");
        assert_eq!(json["code"], 1);
        assert_eq!(json["message"], failure.message);
        assert!(!failure.line(true).contains('\n'));
    }
}
