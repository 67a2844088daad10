//! Why a path was not, or not wholly, restored.

use crate::platform::errno;
use chunkstore::error::{IoError, Operation};

/// What keeps a path from being as recorded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RestoreProblem {
    /// An operation in the target failed.
    Io {
        /// What was tried.
        operation: Operation,
        /// Why it failed.
        error: IoError,
    },
    /// A name that could lead out of its directory or can't be a file's name.
    UnsafeName {
        /// The name.
        name: Vec<u8>,
        /// What is wrong with it.
        fault: NameFault,
    },
    /// What the name led to is not what was created there: someone else changes the target at the same time.
    Replaced {
        /// The name.
        name: Vec<u8>,
    },
    /// A link above what is restored belongs neither to root nor to the user who restores.
    ForeignLink {
        /// The number of its owner.
        owner: u32,
    },
    /// A symbolic link, which is not followed, is in its place.
    LinkInPlace,
    /// Something else is in its place, which is left there.
    OtherInPlace,
    /// A directory is in its place, which is left there.
    DirectoryInPlace,
    /// A directory that is not empty, or can't be removed, is in its place.
    FullDirectoryInPlace,
    /// So many restored files are beside it already.
    TooManyBeside {
        /// How many there are.
        most: u32,
    },
    /// It would be restored, and nothing was written.
    DryRun,
    /// The record of this directory is lost.
    NoRecord,
    /// A directory for this reason, so that nothing below it was restored.
    NothingBelow(Box<RestoreProblem>),
    /// Its recorded size is not that of its content.
    RecordedSize,
    /// Its size is not what was written.
    WrittenSize,
    /// What was read back is not what was written.
    ReadBack,
    /// The snapshot has no content for it.
    NoContent,
    /// A link to this path, which was not restored.
    LinkedNotRestored {
        /// The first path of the file.
        first: Vec<u8>,
    },
    /// What was written of it could not be removed.
    NotRemoved(Box<RestoreProblem>),
    /// It was restored in place and is not complete: this is its name now.
    LeftInPlace {
        /// Beside the path.
        name: Vec<u8>,
    },
    /// The generation does not hold it, and it can't be deleted.
    NotDeleted(Box<RestoreProblem>),
    /// A directory so deep below another that is to be deleted.
    TooDeep,
    /// What an earlier restore left can't be removed.
    LeftoverNotRemoved(Box<RestoreProblem>),
    /// Its permissions were changed for the restore and can't be put back.
    PermissionsNotPutBack(Box<RestoreProblem>),
    /// Metadata could not be put back: which, and the error number.
    Metadata(MetaPart, i32),
    /// Not in the snapshot: it could not be read when it was backed up, or its data was lost.
    NotInSnapshot,
    /// The same of an archive.
    NotInArchive,
    /// Nothing in the snapshot matches this include pattern.
    NoMatch {
        /// The pattern.
        pattern: String,
    },
    /// The same of a search in several snapshots.
    NothingFound {
        /// The pattern.
        pattern: String,
    },
}

impl RestoreProblem {
    /// Whether the target can't store the name: its file system refuses it, as one of Windows does `a:b`, or it could not be
    /// a file's name anywhere.
    pub fn refuses_name(&self) -> bool {
        match self.origin() {
            RestoreProblem::UnsafeName { .. } => true,
            RestoreProblem::Io { operation, error } => {
                names_something(*operation) && errno::is_bad_name(error)
            }
            _ => false,
        }
    }

    /// The failed call behind it, if there is one.
    pub fn io(&self) -> Option<&IoError> {
        match self.origin() {
            RestoreProblem::Io { error, .. } => Some(error),
            _ => None,
        }
    }

    /// What this followed from.
    fn origin(&self) -> &RestoreProblem {
        match self {
            RestoreProblem::NothingBelow(why)
            | RestoreProblem::NotRemoved(why)
            | RestoreProblem::NotDeleted(why)
            | RestoreProblem::LeftoverNotRemoved(why)
            | RestoreProblem::PermissionsNotPutBack(why) => why.origin(),
            itself => itself,
        }
    }
}

/// Whether an operation gives a name to something, or looks for one.
fn names_something(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::Create
            | Operation::Examine
            | Operation::Link
            | Operation::LookUp
            | Operation::Mkdir
            | Operation::Mknod
            | Operation::Open
            | Operation::Race
            | Operation::Rename
            | Operation::Replace
            | Operation::Stat
            | Operation::Symlink
    )
}

/// Why a name is not used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NameFault {
    /// It is empty.
    Empty,
    /// `.` or `..`.
    Directory,
    /// It has a `/`.
    Slash,
    /// It has a zero byte.
    Nul,
    /// It is too long.
    TooLong,
    /// It can't be where a symbolic link leads.
    LinkTarget,
}

/// Metadata that could not be put back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MetaPart {
    /// All: the object could not be opened for it.
    All,
    /// Its owner and group.
    Owner,
    /// Its permissions.
    Mode,
    /// Its times.
    Times,
    /// Flags of the inode.
    Flags,
    /// The list of extended attributes.
    Attributes,
    /// An extended attribute.
    Attribute(Vec<u8>),
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn names_that_a_file_system_refuses() {
        let io = |operation, errno| RestoreProblem::Io {
            operation,
            error: io::Error::from_raw_os_error(errno).into(),
        };
        // EINVAL, ENAMETOOLONG, EILSEQ; EACCES.
        for errno in [22, 36, 84] {
            assert!(io(Operation::Rename, errno).refuses_name(), "{errno}");
            assert!(!io(Operation::Write, errno).refuses_name(), "{errno}");
        }
        assert!(!io(Operation::Create, 13).refuses_name());
        assert!(RestoreProblem::NothingBelow(Box::new(io(Operation::Mkdir, 22))).refuses_name());
        let name = RestoreProblem::UnsafeName {
            name: b"a/b".to_vec(),
            fault: NameFault::Slash,
        };
        assert!(name.refuses_name() && name.io().is_none());
        assert!(!RestoreProblem::ReadBack.refuses_name());
    }
}
