//! Why a path was not, or not wholly, restored.

use chunkstore::error::{IoError, Operation};

/// What keeps a path from being as recorded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RestoreProblem {
    /// An operation in the target failed.
    Io {
        operation: Operation,
        error: IoError,
    },
    /// A name that could lead out of its directory or can't be a file's name.
    UnsafeName {
        name: Vec<u8>,
        fault: NameFault,
    },
    /// What the name led to is not what was created there: someone else changes the target at the same time.
    Replaced {
        name: Vec<u8>,
    },
    /// A link above what is restored belongs neither to root nor to the user who restores.
    ForeignLink {
        owner: u32,
    },
    /// A symbolic link, which is not followed, is in its place.
    LinkInPlace,
    OtherInPlace,
    DirectoryInPlace,
    /// A directory that is not empty, or can't be removed, is in its place.
    FullDirectoryInPlace,
    /// So many restored files are beside it already.
    TooManyBeside {
        most: u32,
    },
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
    NoContent,
    /// A link to this path, which was not restored.
    LinkedNotRestored {
        first: Vec<u8>,
    },
    /// What was written of it could not be removed.
    NotRemoved(Box<RestoreProblem>),
    /// The generation does not hold it, and it can't be deleted.
    NotDeleted(Box<RestoreProblem>),
    /// A directory so deep below another that is to be deleted.
    TooDeep,
    /// What an earlier restore left can't be removed.
    LeftoverNotRemoved(Box<RestoreProblem>),
    /// Its permissions were changed for the restore and can't be put back.
    PermissionsNotPutBack(Box<RestoreProblem>),
    Metadata(MetaPart, i32),
    /// Not in the snapshot: it could not be read when it was backed up, or its data was lost.
    NotInSnapshot,
    /// The same of an archive.
    NotInArchive,
    /// Nothing in the snapshot matches this include pattern.
    NoMatch {
        pattern: String,
    },
    /// The same of a search in several snapshots.
    NothingFound {
        pattern: String,
    },
}

/// Why a name is not used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NameFault {
    Empty,
    /// `.` or `..`.
    Directory,
    Slash,
    Nul,
    TooLong,
    /// It can't be where a symbolic link leads.
    LinkTarget,
}

/// Metadata that could not be put back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MetaPart {
    /// All: the object could not be opened for it.
    All,
    Owner,
    Mode,
    Times,
    /// Flags of the inode.
    Flags,
    /// The list of extended attributes.
    Attributes,
    /// An extended attribute.
    Attribute(Vec<u8>),
}
