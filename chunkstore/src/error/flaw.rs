//! What is wrong with an object that can't be used, and what a newer version has put into one.

use super::Error;

/// What is wrong with a damaged object.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)] // the names say it
pub enum Flaw {
    /// It ends early.
    Truncated,
    /// It does not begin as an object of this repository does.
    BadMagic,
    /// It is of another kind than its name says.
    WrongKind,
    /// It does not authenticate.
    SealBroken,
    /// Its bytes are not those of its name, id or checksum.
    HashMismatch,
    /// It authenticates, or needs no seal, and its fields do not decode.
    Undecodable,
    /// A number in it, or its size, is out of range.
    OutOfRange,
    /// It is longer than an object of its kind may be.
    TooLarge { cap: u64 },
    /// It has another size than the index has for it.
    SizeMismatch { indexed: u64, found: u64 },
    /// What is in it has another length than was recorded.
    LengthMismatch,
    /// Rows that must be in order are not.
    Unsorted,
    /// It repeats something, or holds what nothing uses.
    NotCanonical,
    /// A pack without a footer at its end.
    NoFooter,
    /// What it holds is not what another object lists.
    NotAsListed,
    /// A key, or a codec, that a frame needs is not listed.
    KeyNotListed,
    /// A repository without key slots.
    NoKeySlot,
    /// A session key that no known key has sealed.
    UnknownSealer,
    /// A manifest without the key of its session.
    NoSessionKey,
    /// A fence where a manifest should be.
    NoManifest,
    /// Its clear head is not as it was written.
    HeadDamaged,
    /// No upgrade can have a higher number.
    NoSuccessor,
    /// It is not as it was written a moment ago.
    NotAsWritten,
    /// What was just sealed does not give what was read: this machine's memory may be bad.
    NotReproduced(Box<Error>),
    /// Both heads of the parity are damaged.
    ParityHeads,
    /// More parts are damaged than the parity can replace.
    ParityExceeded {
        damaged: usize,
        parts: usize,
        spare: usize,
    },
    /// The parity does not give the bytes of the pack's name.
    ParityMismatch,
    /// A part of a tree chunk that no version writes.
    Tree(TreePart, TreeFault),
    /// A file that was not, or not wholly, read when it was backed up, or whose data was lost.
    Incomplete,
}

/// Something that a later version has defined.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs)] // the names say it
pub enum Feature {
    RepositoryFormat(u64),
    CipherSuite(u64),
    Chunker(u64),
    ObjectFormat {
        format: u8,
        suite: u8,
    },
    KeyDomain {
        domain: u8,
        generation: u8,
    },
    PackFormat {
        format: u8,
        suite: u8,
    },
    PackHeader([u8; 3]),
    PackClass(u8),
    Codec(u8),
    SealedKeyKind(u8),
    SlotKind(u8),
    ParityVersion(u8),
    /// The subject of a machine's record.
    RecordSubject(u8),
    /// By its name in the configuration or in an upgrade.
    Named(String),
    Tree(TreeFeature),
}

/// Something in a tree chunk that a later version has defined. Trees are the engine's; it reads them through chunks, whose
/// errors say this.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs)] // the names say it
pub enum TreeFeature {
    EntryType(u64),
    ContentType(u64),
    TroubleType(u64),
    /// A number that says of errno why it is there.
    ErrnoReason {
        reason: u64,
        errno: u64,
    },
    Section(u64),
    SegmentLayout(u64),
    PageLayout(u64),
    ExtentListLayout(u64),
    RowLength {
        found: u64,
        known: u64,
    },
}

/// A part of a tree chunk. Trees belong to the engine, which reports these for the chunks that it reads.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs)] // the names say it
pub enum TreePart {
    /// A tree chunk as a whole.
    Piece,
    Integer,
    Section,
    /// A table whose rows others refer to.
    Table,
    Directory,
    Entry,
    Path,
    Name,
    Owner,
    Mode,
    Time,
    Errno,
    LinkTarget,
    Xattrs,
    Xattr,
    XattrName,
    Content,
    BundlePart,
    Extents,
    ExtentList,
    SegmentList,
}

/// What is wrong with it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs)] // the names say it
pub enum TreeFault {
    Truncated,
    Empty,
    TooLong,
    TooMany,
    TooDeep,
    OutOfRange,
    OutOfOrder,
    /// Not in the one form that it can have.
    NotCanonical,
    /// Of another kind than it must be here.
    WrongKind,
    Undecodable,
    /// It could lead elsewhere, or can't be a name.
    Unsafe,
}
