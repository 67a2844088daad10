//! Why a path could not be restored, and which of its causes end the run instead (I-11, I-12).

use super::job::Failure;
use crate::error::{Error, Result, StoreError};
use crate::fsmeta::TargetError;
use crate::problem::{Damage, RestoreProblem, Unread};
use chunkstore::descriptors;
use chunkstore::error::{IoError, Object, Operation};
use std::io;

/// Why a path could not be restored: the path's own trouble, or what ends the run.
#[derive(Debug)]
pub(super) enum Fault {
    Path(RestoreProblem),
    /// What the repository holds of it is damaged or missing.
    Damage(StoreError),
    /// An object of the repository that it needs can't be read.
    Unreadable(StoreError),
    Fatal(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error {
            Error::Store(e) if e.is_damage() => Fault::Damage(e),
            Error::Store(e) if e.concerns_one_object() => Fault::Unreadable(e),
            error => Fault::Fatal(error),
        }
    }
}

impl From<TargetError> for Fault {
    fn from(error: TargetError) -> Self {
        match error {
            TargetError::Io { operation, source } => Fault::target(operation, source),
            other => Fault::Path(other.into()),
        }
    }
}

impl From<TargetError> for RestoreProblem {
    fn from(error: TargetError) -> Self {
        match error {
            TargetError::HostileName { name, fault } => RestoreProblem::UnsafeName { name, fault },
            TargetError::Replaced { name } => RestoreProblem::Replaced { name },
            TargetError::ForeignLink { owner } => RestoreProblem::ForeignLink { owner },
            TargetError::Io { operation, source } => RestoreProblem::Io {
                operation,
                error: source,
            },
        }
    }
}

impl Fault {
    /// What to report of the path, or what ends the run.
    pub fn apart(self) -> Result<Failure> {
        match self {
            Fault::Path(why) => Ok(Failure::Problem(why)),
            Fault::Damage(why) => Ok(Failure::Damage(Damage::Needed(why))),
            Fault::Unreadable(why) => Ok(Failure::Unreadable(Unread::Needed(why))),
            Fault::Fatal(e) => Err(e),
        }
    }

    /// A full disk and a lack of descriptors are everybody's trouble; all else is this path's.
    pub fn target(operation: Operation, error: impl Into<IoError>) -> Fault {
        let (error, object) = (error.into(), Object::RestoreTarget);
        if descriptors::are_exhausted(&error) {
            return Fault::Fatal(StoreError::too_many_open(object).into());
        }
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Fault::Fatal(StoreError::NoSpace { object }.into())
            }
            _ => Fault::Path(RestoreProblem::Io { operation, error }),
        }
    }
}

pub(super) type RestoreOutcome<T> = std::result::Result<T, Fault>;
