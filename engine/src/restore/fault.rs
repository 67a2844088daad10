//! Why a path could not be restored, and which of its causes end the run instead (I-11, I-12).

use super::job::Failure;
use crate::error::{Error, Result};
use crate::fsmeta::TargetError;
use chunkstore::descriptors;
use std::io;

/// Why a path could not be restored: the path's own trouble, or what ends the run.
#[derive(Debug)]
pub(super) enum Fault {
    Path(String),
    /// What the repository holds of it is damaged or missing.
    Damage(String),
    /// An object of the repository that it needs can't be read.
    Unreadable(String),
    Fatal(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error {
            Error::Store(e) if e.is_damage() => Fault::Damage(e.to_string()),
            Error::Store(e) if e.concerns_one_object() => Fault::Unreadable(e.to_string()),
            error => Fault::Fatal(error),
        }
    }
}

impl From<TargetError> for Fault {
    fn from(error: TargetError) -> Self {
        match error {
            TargetError::Io { call, source } => Fault::target(call, source),
            other => Fault::Path(other.to_string()),
        }
    }
}

impl Fault {
    /// What to say of the path, or what ends the run.
    pub fn apart(self) -> Result<Failure> {
        match self {
            Fault::Path(why) => Ok(Failure::Problem(why)),
            Fault::Damage(why) => Ok(Failure::Damage(why)),
            Fault::Unreadable(why) => Ok(Failure::Unreadable(why)),
            Fault::Fatal(e) => Err(e),
        }
    }

    /// A full disk and a lack of descriptors are everybody's trouble; all else is this path's.
    pub fn target(call: &'static str, source: io::Error) -> Fault {
        if descriptors::are_exhausted(&source) {
            return Fault::Fatal(chunkstore::Error::too_many_open("a file of the restore target").into());
        }
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Fault::Fatal(chunkstore::Error::local(call, "the restore target", source).into())
            }
            _ => Fault::Path(format!("{call}: {source}")),
        }
    }
}

pub(super) type RestoreOutcome<T> = std::result::Result<T, Fault>;
