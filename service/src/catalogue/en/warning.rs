//! What is worth saying and harms nothing, to be said after "warning:" and the name of what it is about.

use super::engine::lost_snapshots;
use super::engine_error;
use super::problem::metadata;
use super::store::store_error;
use crate::catalogue::{Lang, Noun, count};
use crate::text::{short, time};
use engine::SessionId;
use engine::problem::{ClockWarning, Warning};

pub(super) fn warning(warning: &Warning) -> String {
    let text = match warning {
        Warning::NotCopied(error) => return format!("not copied: {}", store_error(error)),
        Warning::BeingReplicated => "another run is replicating it",
        Warning::NotReplicated { origin, error } => {
            return format!("not replicated: at {origin}, {}", store_error(error));
        }
        Warning::CacheNotUsed(error) => return format!("the cache is not used: {}", store_error(error)),
        Warning::SegmentIgnored => "damaged, and ignored by this run; 'dedup repair index' repairs it",
        Warning::PackSize(size) => {
            return format!(
                "it is damaged: it has {} bytes, but the index says {}. A backup stores again what the source still \
                 has of it",
                size.listed, size.indexed
            );
        }
        Warning::MorePacks { packs } => {
            return format!("{packs} more are damaged; 'dedup check' names them");
        }
        Warning::SnapshotsGone(ids) => {
            return format!("{}; 'dedup check' shows details", lost_snapshots(ids));
        }
        Warning::MissingUnknown(error) => {
            return format!(
                "can't tell whether snapshots are missing: {}",
                engine_error(error)
            );
        }
        Warning::MountGone => "a file system was mounted here, and the directory is gone",
        Warning::MoreBare { sources } => {
            return format!("{sources} more sources are symbolic links, devices or FIFOs, and saved as such");
        }
        Warning::Unfinished { files } => {
            return format!(
                "{files} files named .dedup-restore-... or .dedup-dump-... were not backed up: a restore or dump \
                 there has not ended; the next one there removes what one that died has left"
            );
        }
        Warning::ParentDamaged(error) => {
            return format!(
                "part of the previous snapshot can't be used ({}); the files in it are read again",
                store_error(error)
            );
        }
        Warning::SocketNotArchived => "not in the archive: sockets can't be",
        Warning::NotFollowing { before } => {
            return format!("it does not follow {before}, which has the number before");
        }
        Warning::TwoMachines { other } => {
            return format!(
                "it and {other} were made by two machines with the same id: if one is a clone of the other, delete \
                 dedup's file 'machine' in the state directory of one of them"
            );
        }
        Warning::Gaps { snapshots, host } => {
            return format!(
                "{snapshots} snapshots of host {host} between others are gone, and nobody removed them"
            );
        }
        Warning::ForeignSlot => {
            "no slot of this repository: left by an 'init' that was interrupted, or damaged"
        }
        Warning::PackUnneeded => "it is damaged, and no snapshot needs it: a collection removes it",
        Warning::RestoreLeftovers { files } => {
            return format!("an earlier restore did not end: {files} unfinished files of it were removed");
        }
        Warning::DumpLeftovers { files } => {
            return format!("an earlier dump did not end: {files} unfinished files of it were removed");
        }
        Warning::FromReplica { chunks, replica } => {
            return format!(
                "{chunks} chunks that are lost, damaged or out of reach here came from {replica}"
            );
        }
        Warning::IncompleteAtBackup => "it could not be read completely when it was backed up",
        Warning::ChangedAtBackup => "it changed, or could not be read completely, when it was backed up",
        Warning::NoSuchTags(tags) => {
            return format!("--keep-tag {}: no snapshot has these tags", tags.join(","));
        }
        Warning::Metadata(part, errno) => return metadata(part, *errno),
        Warning::Clock(warning) => return clock_warning(warning),
        Warning::SameMachineId {
            snapshot,
            host,
            machine_file,
        } => {
            return format!(
                "snapshot {} of host {host} was made by a machine with the same id as this one. If one is a clone of \
                 the other, delete {} on one of them; if this machine's files were restored from a backup, nothing is \
                 wrong",
                id(*snapshot),
                machine_file.display()
            );
        }
    };
    text.to_string()
}

fn id(id: SessionId) -> String {
    short(&id.to_hex())
}

fn clock_warning(warning: &ClockWarning) -> String {
    match warning {
        ClockWarning::FutureTime(at) => format!(
            "the time {} is in the future: until then this snapshot is not 'latest', and no --keep-* rule removes it",
            time(*at)
        ),
        ClockWarning::Behind { now, snapshot, made } => format!(
            "the clock of this machine says {}, but snapshot {} was made at {}: is the clock right? Snapshots count in \
             the order in which they are made",
            time(*now),
            id(*snapshot),
            time(*made)
        ),
        ClockWarning::Ahead { now, snapshot } => format!(
            "the clock of this machine says {}, more than a year after the last snapshot {}: is the clock right?",
            time(*now),
            id(*snapshot)
        ),
        ClockWarning::MadeInFuture {
            snapshot,
            time: at,
            more,
        } => {
            let short = id(*snapshot);
            let others = match more {
                0 => String::new(),
                more => format!(" and {} like it", count(Lang::En, *more, Noun::Snapshot)),
            };
            format!(
                "snapshot {short} says that it was made in the future, at {}{others}: until then it is not 'latest', \
                 and no --keep-* rule removes it; 'dedup forget {short}' does",
                time(*at)
            )
        }
    }
}
