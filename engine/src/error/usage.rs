//! What can't be accepted from a caller.

use std::path::PathBuf;

/// A request that can't be carried out as it is. Nothing was done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Usage {
    NotARegularFile {
        path: String,
    },
    /// Outputs are saved in a folder of the root that the sources have, too.
    OutputsThere,
    /// A name with which a file can't be made.
    NotAFileName {
        name: String,
    },
    Pattern {
        kind: PatternKind,
        pattern: String,
        fault: PatternFault,
    },
    /// All patterns of a kind together; the library's own words.
    Patterns {
        kind: PatternKind,
        detail: String,
    },
    /// An id and a time were given.
    IdAndTime {
        text: String,
    },
    NotAPackId {
        text: String,
    },
    ParityPercent,
    /// A part of so many that does not exist.
    Part {
        n: u64,
        of: u64,
    },
    /// A source that is the repository, or in it.
    OwnRepository {
        source: PathBuf,
    },
    /// A path with `..` in it.
    ParentComponent {
        path: String,
    },
    NotBelow {
        path: String,
        subpath: String,
    },
    NotPlain {
        path: PathBuf,
    },
    NotAbsolute {
        source: PathBuf,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PatternKind {
    Exclude,
    Include,
    /// Of a search.
    Find,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PatternFault {
    /// It names nothing.
    Empty,
    /// `..` never matches.
    ParentComponent,
    /// The library's own words.
    Glob(String),
}
