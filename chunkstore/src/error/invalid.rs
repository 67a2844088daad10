//! What can't be accepted from a caller, and what is refused because of what the repository holds.

use super::{Object, TreeFault, TreePart};
use crate::slot::Cost;

/// A value that can't be used. Nothing was changed.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)] // the names say it
pub enum Invalid {
    ChunkerBounds {
        min: u32,
        avg: u32,
        max: u32,
    },
    TooManyKeys,
    PlaintextTooLong,
    ManifestTooLong {
        bytes: usize,
    },
    SlotLabelTooLong,
    Argon2Cost(Cost),
    /// Argon2's own words.
    Argon2(String),
    Parity {
        percent: u8,
        bytes: usize,
    },
    /// The words of the library that computes parity.
    ParityCode(String),
    /// A call of zstd's that failed, and zstd's words.
    Zstd {
        call: ZstdCall,
        detail: String,
    },
    Phrase(PhraseFault),
    KeyFile,
    Url(UrlFault),
    /// Part of a tree that can't be stored, of this entry where one is known.
    Tree {
        path: Option<Vec<u8>>,
        part: TreePart,
        fault: TreeFault,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)] // the names say it
pub enum ZstdCall {
    SetUp,
    Compress,
}

/// What is wrong with a recovery phrase.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)] // the names say it
pub enum PhraseFault {
    /// The word with this number, from 1, is not in the list.
    UnknownWord {
        number: usize,
        word: String,
    },
    WordCount {
        found: usize,
        wanted: usize,
    },
    Checksum,
    /// The words of the library that makes phrases.
    Library(String),
}

/// What is wrong with a repository's URL.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)] // the names say it
pub enum UrlFault {
    Empty,
    ControlCharacter,
    /// No `://` after the scheme.
    NoSlashes,
    /// A scheme that is known elsewhere, and not for repositories.
    NotARepository {
        scheme: String,
    },
    UnknownScheme {
        scheme: String,
    },
    NotUtf8,
    UnknownParameter {
        scheme: String,
        parameter: String,
        known: Vec<String>,
    },
    RepeatedParameter {
        parameter: String,
    },
    /// No bucket, container or host.
    NoName {
        scheme: String,
    },
    /// A `.` or `..` in the path.
    DotComponent,
    NoRcloneRemote,
    /// Not a number of seconds in range.
    Seconds {
        parameter: String,
        most: u64,
    },
    Style,
    NoBucketId,
    /// A credential that is neither in the URL nor in this variable.
    NoCredential {
        variable: String,
    },
    SftpPassword,
    /// The words of a library that can't use a parameter.
    Parameter {
        parameter: String,
        detail: String,
    },
    /// The words of a library that can't use the URL.
    Other {
        detail: String,
    },
    /// The words of the library for TLS, which could not be set up.
    Tls {
        detail: String,
    },
}

/// Why an operation was refused. Nothing was changed.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)] // the names say it
pub enum Refusal {
    /// A random name was taken.
    NameTaken,
    /// Another collection has swept the mark.
    MarkSwept,
    LastSlot,
    /// Others change the repository's features.
    FeaturesChanged,
    /// It is not a replica of this repository.
    OtherRepository {
        location: String,
    },
    SameReplica {
        location: String,
        of: String,
    },
    /// The storage can't put anything in the place of an object.
    NoReplace {
        object: Object,
    },
}
