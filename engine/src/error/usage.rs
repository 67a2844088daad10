//! What can't be accepted from a caller.

use std::path::PathBuf;

/// A request that can't be carried out as it is. Nothing was done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Usage {
    /// Only regular files have content.
    NotARegularFile {
        /// Where it is in the snapshot.
        path: String,
    },
    /// Outputs are saved in a folder of the root that the sources have, too.
    OutputsThere,
    /// A name with which a file can't be made.
    NotAFileName {
        /// The name.
        name: String,
    },
    /// Text that does not name an extended attribute.
    NotAnAttribute {
        /// The text.
        text: String,
    },
    /// A pattern is invalid.
    Pattern {
        /// What it is for.
        kind: PatternKind,
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        fault: PatternFault,
    },
    /// All patterns of a kind together; the library's own words.
    Patterns {
        /// What they are for.
        kind: PatternKind,
        /// Why they can't be used.
        detail: String,
    },
    /// An id and a time were given.
    IdAndTime {
        /// The id.
        text: String,
    },
    /// Text that is not the id of a pack.
    NotAPackId {
        /// The text.
        text: String,
    },
    /// Parity of less than 1 or more than 100 percent.
    ParityPercent,
    /// A part of so many that does not exist.
    Part {
        /// Which part.
        n: u64,
        /// How many there are.
        of: u64,
    },
    /// A source that is the repository, or in it.
    OwnRepository {
        /// The source.
        source: PathBuf,
    },
    /// A path with `..` in it.
    ParentComponent {
        /// The path.
        path: String,
    },
    /// A path outside the directory that is restored.
    NotBelow {
        /// The path.
        path: String,
        /// The directory.
        subpath: String,
    },
    /// A path with `.`, `..` or empty components.
    NotPlain {
        /// The path.
        path: PathBuf,
    },
    /// A source that is not absolute.
    NotAbsolute {
        /// The source.
        source: PathBuf,
    },
}

/// What a pattern is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PatternKind {
    /// Leaving out.
    Exclude,
    /// Choosing.
    Include,
    /// Of a search.
    Find,
}

/// Why a pattern is invalid.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PatternFault {
    /// It names nothing.
    Empty,
    /// `..` never matches.
    ParentComponent,
    /// The library's own words.
    Glob(String),
}
