//! Why a job ended early: its status, and its cause as data. What people read is made of it by the catalogue.

use crate::catalogue::{Action, Cause, Lang};
use crate::status::Status;
use engine::retain::PolicyError;
use engine::units::UnitError;
use engine::when::WhenError;
use engine::{Error, StoreError};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Why a job ended early.
#[derive(Clone, Debug)]
pub struct Failure {
    pub status: Status,
    pub cause: Cause,
}

impl Failure {
    /// One line for people, without the program's name: what happened, to what, and what to do about it.
    pub fn text(&self, lang: Lang) -> String {
        self.cause.text(lang)
    }

    /// Why a job that ends with it is incomplete: also where its status is that of something done in part.
    pub fn reason(&self) -> Option<&'static str> {
        let mut cause = &self.cause;
        loop {
            match cause {
                Cause::Of { cause: inner, .. } | Cause::Followed { cause: inner, .. } => cause = inner,
                Cause::Engine { error } if matches!(**error, Error::NoSource(_)) => {
                    return Status::BadSettings.reason();
                }
                _ => return self.status.reason(),
            }
        }
    }

    /// The same for programs, whose language is English.
    pub fn message(&self) -> String {
        self.text(Lang::En)
    }

    /// The system refused something.
    pub(crate) fn system(action: Action, path: &Path, error: io::Error) -> Failure {
        Cause::system(action, path, error).into()
    }

    /// The same, and what follows from it.
    pub fn with(self, by: Cause) -> Failure {
        Failure {
            status: self.status,
            cause: self.cause.followed_by(by),
        }
    }

    /// The same, with what it happened to.
    pub fn of(self, name: impl Into<String>) -> Failure {
        Failure {
            status: self.status,
            cause: Cause::Of {
                name: name.into(),
                cause: Box::new(self.cause),
            },
        }
    }
}

/// Equal if a person could not distinguish them.
impl PartialEq for Failure {
    fn eq(&self, other: &Failure) -> bool {
        self.status == other.status && self.message() == other.message()
    }
}

impl From<Cause> for Failure {
    fn from(cause: Cause) -> Failure {
        Failure {
            status: cause.status(),
            cause,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let error = Arc::new(error);
        Cause::Engine { error }.into()
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        Error::from(error).into()
    }
}

impl From<UnitError> for Failure {
    fn from(error: UnitError) -> Failure {
        Cause::Unit { error }.into()
    }
}

impl From<WhenError> for Failure {
    fn from(error: WhenError) -> Failure {
        Cause::When { error }.into()
    }
}

impl From<PolicyError> for Failure {
    fn from(error: PolicyError) -> Failure {
        Cause::Policy { error }.into()
    }
}
#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{faults, storage_status as refusal};
    use engine::error::store::{
        Feature, Flaw, IndexFault, Invalid, Object, Operation, Refusal, Task, Unreadable, UrlFault,
    };
    use engine::error::{NamedSnapshot, NoSource, Usage};
    use std::io;
    use std::path::{Path, PathBuf};

    fn other() -> io::Error {
        io::Error::new(io::ErrorKind::PermissionDenied, "permission denied")
    }

    #[test]
    fn collecting_is_advised_only_where_it_frees_space() {
        for (object, is_advised) in [
            (Object::from("tmp/1f"), true),
            ("config".into(), true),
            (Path::new("/home/u/out").into(), false),
            (Object::LocalIndex(None), false),
            (Object::RestoreTarget, false),
        ] {
            let failure = Failure::from(StoreError::NoSpace { object });
            assert_eq!(failure.message().contains("prune"), is_advised, "{failure:?}");
        }
    }

    #[test]
    fn store_errors() {
        let text = || "x".to_string();
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let local = |source: io::Error| StoreError::Local {
            operation: Operation::Write,
            path: PathBuf::from("/c"),
            source: source.into(),
        };
        let object = || Object::from("x");
        let rows = [
            (StoreError::missing("x"), Status::Damaged),
            (StoreError::corrupt("x", Flaw::Truncated), Status::Damaged),
            (
                StoreError::Unreadable {
                    object: object(),
                    cause: Unreadable::Io(other().into()),
                },
                Status::AccessDenied,
            ),
            (
                StoreError::NoRepository { location: text() },
                Status::NoRepository,
            ),
            (StoreError::RepositoryExists { location: text() }, Status::Failed),
            (StoreError::WrongKey, Status::WrongKey),
            (StoreError::NewerFormat(Feature::Codec(7)), Status::Failed),
            (StoreError::NoSpace { object: object() }, Status::OutOfSpace),
            (
                StoreError::remote(Operation::Read, object(), other()),
                Status::AccessDenied,
            ),
            (local(other()), Status::AccessDenied),
            (local(full()), Status::OutOfSpace),
            (StoreError::too_many_open(Path::new("/f")), Status::Failed),
            (StoreError::Thread(other().into()), Status::Failed),
            (
                StoreError::NoMemory {
                    task: Task::DeriveKey,
                    needed: 256 << 20,
                },
                Status::OutOfMemory,
            ),
            (StoreError::Index(IndexFault::OtherSchema), Status::Failed),
            (
                StoreError::Invalid(Invalid::Url(UrlFault::Empty)),
                Status::BadSettings,
            ),
            (StoreError::Fenced, Status::Failed),
            (StoreError::Interrupted, Status::Interrupted),
            (StoreError::WriterFailed, Status::Failed),
            (StoreError::Refused(Refusal::LastSlot), Status::Failed),
        ];
        for (error, status) in rows {
            let said = faults::store_error(Lang::En, &error);
            let failure = Failure::from(Error::Store(error));
            assert_eq!(failure.status, status, "{said}");
            assert!(
                failure.message().starts_with(&said),
                "{said}: {}",
                failure.message()
            );
            assert!(!failure.message().contains('\n'), "{said}");
        }
    }

    /// Each cause has its own remedy, and none that can't help.
    #[test]
    fn storage_that_refuses() {
        use std::io::ErrorKind as Kind;
        let message = |source: io::Error| {
            let kind = source.kind();
            let failure = Failure::from(StoreError::remote(Operation::Read, "snapshots/x", source));
            assert_eq!(failure.status, refusal(kind));
            failure.message()
        };
        assert!(message(other()).contains("keys and passwords"));
        assert!(message(Kind::ReadOnlyFilesystem.into()).contains("writable"));
        assert!(message(Kind::TimedOut.into()).contains("network"));
        assert!(message(Kind::Unsupported.into()).contains("install"));
        assert!(message(Kind::Other.into()).contains("again"));
        assert!(!message(other()).contains("again"));
        let lost = |object: &str| Failure::from(StoreError::missing(object)).message();
        assert!(lost("keys/00").contains("key export") && !lost("keys/00").contains("restored"));
        assert!(lost("packs/00").contains("dedup check"));
    }

    #[test]
    fn engine_errors() {
        let text = || "x".to_string();
        let rows = [
            (Error::Usage(Usage::ParityPercent), Status::BadSettings),
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
                    snapshot: NamedSnapshot::Text(text()),
                },
                Status::Failed,
            ),
            (Error::NotSaved { path: text() }, Status::Incomplete),
            (Error::NoSource(NoSource::Nothing), Status::Incomplete),
            (Error::EmptyStream(text()), Status::Failed),
            (
                Error::Io {
                    operation: Operation::Open,
                    path: PathBuf::from("/x"),
                    source: other().into(),
                },
                Status::AccessDenied,
            ),
            (Error::Damaged(StoreError::missing("x")), Status::Damaged),
            (Error::ShortListing("x".into()), Status::Failed),
            (Error::Interrupted, Status::Interrupted),
        ];
        for (error, status) in rows {
            let said = faults::engine_error(Lang::En, &error);
            let failure = Failure::from(error);
            assert_eq!(failure.status, status, "{said}");
            assert!(
                failure.message().starts_with(&said),
                "{said}: {}",
                failure.message()
            );
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
        let want = "no snapshot was made by 2026-11-01 09:00; the oldest is abababab of 2026-11-26 17:28:03";
        assert_eq!(
            (failure.status, failure.message().as_str()),
            (Status::Failed, want)
        );
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
        assert!(empty.status == Status::BadSettings && empty.message().contains("--keep-"));
    }
}
