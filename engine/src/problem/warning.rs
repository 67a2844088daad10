//! What is worth reporting and harms nothing.

use super::{MetaPart, WrongSize};
use crate::error::{Error, StoreError};
use chunkstore::SessionId;
use jiff::Timestamp;
use std::path::PathBuf;

/// What may interest users, and harms nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Warning {
    /// This snapshot was not copied.
    NotCopied(StoreError),
    /// Another run is replicating this snapshot.
    BeingReplicated,
    /// This snapshot was not replicated: this happened at its origin.
    NotReplicated {
        /// Where it is.
        origin: String,
        /// What happened.
        error: StoreError,
    },
    /// The local cache can't be used, so everything is read from the repository.
    CacheNotUsed(StoreError),
    /// A damaged index segment, ignored by this run.
    SegmentIgnored,
    /// An index segment or pack that can't be read: what it holds counts as not stored.
    Unread(StoreError),
    /// A damaged pack: the next backup stores again what its source still has of it.
    PackSize(WrongSize),
    /// More packs of the wrong size than are named.
    MorePacks {
        /// How many more.
        packs: usize,
    },
    /// Snapshots are gone, though no one removed them.
    SnapshotsGone(Vec<SessionId>),
    /// Whether snapshots are missing is not known.
    MissingUnknown(Box<Error>),
    /// The clock of this machine, or of another one, may be wrong.
    Clock(ClockWarning),
    /// A machine with the same id made this snapshot.
    SameMachineId {
        /// The snapshot.
        snapshot: SessionId,
        /// The name of the other machine.
        host: String,
        /// Where this machine's id is stored.
        machine_file: PathBuf,
    },
    /// A file system was mounted here, and the directory is gone.
    MountGone,
    /// More sources that are links, devices or FIFOs than are named.
    MoreBare {
        /// How many more.
        sources: usize,
    },
    /// This file's content is only at a cloud service: what was saved is what stands for it.
    Placeholder,
    /// More of these than are named.
    MorePlaceholders {
        /// How many more.
        files: u64,
    },
    /// Files of a restore or dump that has not ended, which were not backed up.
    Unfinished {
        /// How many.
        files: u64,
    },
    /// Part of the previous snapshot can't be used: its files are read again.
    ParentDamaged(StoreError),
    /// An archive has no place for what it is.
    NotArchived,
    /// This snapshot does not follow the one before.
    NotFollowing {
        /// The snapshot before.
        before: SessionId,
    },
    /// Two machines with one id made this snapshot and another.
    TwoMachines {
        /// The other snapshot.
        other: SessionId,
    },
    /// Snapshots between others are gone.
    Gaps {
        /// How many are gone.
        snapshots: u64,
        /// Of which machine.
        host: String,
    },
    /// A key slot that is not this repository's, or damaged.
    ForeignSlot,
    /// A damaged pack that no snapshot needs.
    PackUnneeded,
    /// An earlier restore did not end: so many of its files were removed.
    RestoreLeftovers {
        /// How many.
        files: u64,
    },
    /// So many files are not complete, and are kept for the next restore to go on with.
    RestorePartials {
        /// How many.
        files: u64,
    },
    /// An earlier restore of this path in place did not end, and this one did not complete it.
    LeftInPlace {
        /// Where what there is of it lies, beside the path.
        name: Vec<u8>,
    },
    /// An earlier dump did not end: so many of its files were removed.
    DumpLeftovers {
        /// How many.
        files: u64,
    },
    /// Chunks that came from another replica.
    FromReplica {
        /// How many.
        chunks: u64,
        /// The name of the replica.
        replica: String,
    },
    /// A directory that was not read completely when it was backed up.
    IncompleteAtBackup,
    /// A file that changed, or was not read completely, when it was backed up.
    ChangedAtBackup,
    /// No snapshot has these tags, which a policy keeps.
    NoSuchTags(Vec<String>),
    /// What a check has read could not be noted: a later one reads it again.
    ReadNotNoted(Box<Error>),
    /// Metadata that this user may not put back.
    Metadata(MetaPart, i32),
}

/// Times that are to come, or that do not fit to this machine's clock.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClockWarning {
    /// A time that was given.
    FutureTime(Timestamp),
    /// A snapshot is later than this machine's clock.
    Behind {
        /// This machine's clock.
        now: Timestamp,
        /// The snapshot.
        snapshot: SessionId,
        /// When it was made.
        made: Timestamp,
    },
    /// The last snapshot is more than a year older than this machine's clock.
    Ahead {
        /// This machine's clock.
        now: Timestamp,
        /// The snapshot.
        snapshot: SessionId,
    },
    /// Snapshots whose recorded time is in the future: one of them, and how many more.
    MadeInFuture {
        /// The snapshot.
        snapshot: SessionId,
        /// The time that it states.
        time: Timestamp,
        /// How many more.
        more: u64,
    },
}
