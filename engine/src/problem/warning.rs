//! What is worth reporting and harms nothing.

use super::{MetaPart, WrongSize};
use crate::error::{Error, StoreError};
use chunkstore::SessionId;
use jiff::Timestamp;
use std::path::PathBuf;

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Warning {
    /// This snapshot was not copied.
    NotCopied(StoreError),
    /// Another run is replicating this snapshot.
    BeingReplicated,
    /// This snapshot was not replicated: this happened at its origin.
    NotReplicated {
        origin: String,
        error: StoreError,
    },
    CacheNotUsed(StoreError),
    /// A damaged index segment, ignored by this run.
    SegmentIgnored,
    /// An index segment that can't be read: what it lists counts as not stored.
    SegmentUnread(StoreError),
    /// A damaged pack: the next backup stores again what its source still has of it.
    PackSize(WrongSize),
    /// More packs of the wrong size than are named.
    MorePacks {
        packs: usize,
    },
    /// Snapshots are gone, though no one removed them.
    SnapshotsGone(Vec<SessionId>),
    /// Whether snapshots are missing is not known.
    MissingUnknown(Box<Error>),
    Clock(ClockWarning),
    /// A machine with the same id made this snapshot.
    SameMachineId {
        snapshot: SessionId,
        host: String,
        machine_file: PathBuf,
    },
    /// A file system was mounted here, and the directory is gone.
    MountGone,
    /// More sources that are links, devices or FIFOs than are named.
    MoreBare {
        sources: usize,
    },
    /// Files of a restore or dump that has not ended, which were not backed up.
    Unfinished {
        files: u64,
    },
    /// Part of the previous snapshot can't be used: its files are read again.
    ParentDamaged(StoreError),
    /// An archive has no place for what it is.
    NotArchived,
    /// This snapshot does not follow the one before.
    NotFollowing {
        before: SessionId,
    },
    /// Two machines with one id made this snapshot and another.
    TwoMachines {
        other: SessionId,
    },
    /// Snapshots between others are gone.
    Gaps {
        snapshots: u64,
        host: String,
    },
    /// A key slot that is not this repository's, or damaged.
    ForeignSlot,
    /// A damaged pack that no snapshot needs.
    PackUnneeded,
    /// An earlier restore did not end: so many of its files were removed.
    RestoreLeftovers {
        files: u64,
    },
    /// The same of an earlier dump.
    DumpLeftovers {
        files: u64,
    },
    /// Chunks that came from another replica.
    FromReplica {
        chunks: u64,
        replica: String,
    },
    /// A directory that was not read completely when it was backed up.
    IncompleteAtBackup,
    /// A file that changed, or was not read completely, when it was backed up.
    ChangedAtBackup,
    /// No snapshot has these tags, which a policy keeps.
    NoSuchTags(Vec<String>),
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
        now: Timestamp,
        snapshot: SessionId,
        made: Timestamp,
    },
    /// The last snapshot is more than a year older than this machine's clock.
    Ahead { now: Timestamp, snapshot: SessionId },
    /// Snapshots whose recorded time is in the future: one of them, and how many more.
    MadeInFuture {
        snapshot: SessionId,
        time: Timestamp,
        more: u64,
    },
}
