//! What is not as it should be with a path or an object, to be said after its name.

use super::engine_error;
use super::io::{errno, io_error};
use super::store::{about, operation, store_error};
use super::tree::tree_fault;
use super::warning::warning;
use crate::catalogue::{Lang, Noun, count, object_advice};
use crate::text;
use ::engine::Error;
use ::engine::entry::Trouble;
use ::engine::problem::{
    Damage, Lost, LostEntries, MetaPart, NameFault, Problem, ProblemKind, RestoreProblem, Unread,
};
use jiff::Timestamp;

/// What is wrong, without the path.
pub fn problem(problem: &Problem) -> String {
    let name = &problem.path[..];
    match &problem.what {
        ProblemKind::Source(trouble) => self::trouble(*trouble),
        ProblemKind::SourceMissing { errno } => format!("not backed up: {}", self::errno(*errno)),
        ProblemKind::Lost { how, whole } => lost(*how, *whole),
        ProblemKind::Bare { link: true } => {
            "only the symbolic link itself is saved; for the directory that it leads to, write a slash after it"
                .to_string()
        }
        ProblemKind::Bare { link: false } => {
            "only the device or FIFO itself is saved; --read-special saves what can be read from it".to_string()
        }
        ProblemKind::LeftOut { part, fault } => format!("not backed up: {}", tree_fault(*part, *fault)),
        ProblemKind::Restore(problem) => restore_problem(problem),
        ProblemKind::Unreadable(unread) => self::unread(unread, name),
        ProblemKind::Damage(damage) => self::damage(damage, name),
        ProblemKind::Warning(warning) => self::warning(warning),
    }
}

/// Why an entry is not what its source held.
pub fn trouble(trouble: Trouble) -> String {
    match trouble {
        Trouble::Unreadable { errno } => format!("can't be read: {}", self::errno(errno)),
        Trouble::Unknown { errno } => format!("can't be examined: {}", self::errno(errno)),
        Trouble::Changed => {
            "changed each time it was read; what is saved may be half old, half new".to_string()
        }
        Trouble::NoXattrs { errno } => {
            format!("its extended attributes can't be read: {}", self::errno(errno))
        }
    }
}

/// The same of an object that a listing leaves out, and what to do about it.
pub fn listed_problem(problem: &Problem) -> String {
    let text = self::problem(problem);
    let advice = match &problem.what {
        ProblemKind::Unreadable(Unread::Object(Error::Store(error))) => object_advice(Lang::En, error),
        _ => None,
    };
    match advice {
        Some(advice) => format!("{text}; {advice}"),
        None => text,
    }
}

fn lost(how: Lost, whole: i64) -> String {
    let found = match how {
        Lost::Empty => "empty",
        Lost::Unmounted => "not a mounted file system any more",
        Lost::NotADirectory => "not a directory any more",
    };
    let then = Timestamp::from_second(whole).map_or_else(|_| "before".to_string(), text::time);
    format!(
        "it is {found}, and the snapshot of {then} has files there; if that is as it should be, accept it once with \
         --allow-empty"
    )
}

fn unread(unread: &Unread, name: &[u8]) -> String {
    match unread {
        Unread::Object(Error::Store(error)) => about(error, name),
        Unread::Object(error) => engine_error(error),
        Unread::Needed(error) => store_error(error),
        Unread::Entries(entries) => self::entries(entries),
    }
}

fn entries(lost: &LostEntries) -> String {
    format!(
        "this entry and those that follow, {} in all ({} of them files), can't be read: {}",
        lost.entries,
        lost.files,
        store_error(&lost.error)
    )
}

fn damage(damage: &Damage, name: &[u8]) -> String {
    let text = match damage {
        Damage::Object(error) => about(error, name),
        Damage::Needed(error) => store_error(error),
        Damage::Entries(entries) => self::entries(entries),
        Damage::Chunk { id, error } => {
            let chunk = format!("chunk {id}");
            format!("{chunk}: {}", about(error, chunk.as_bytes()))
        }
        Damage::Known => "it is damaged".to_string(),
        Damage::NotListed => "the storage has it and does not list it".to_string(),
        Damage::SnapshotGone => {
            "this snapshot is gone, though nobody removed it: the storage has lost it, or was set back. \
             'dedup forget --lost' accepts that"
                .to_string()
        }
        Damage::ListDiffers => "its list of frames differs from the index".to_string(),
        Damage::SegmentsDiffer { pack } => {
            format!("its entries for pack {pack} differ from those of another segment")
        }
        Damage::PackMissing { chunks: 1 } => "missing, but 1 chunk in it is needed".to_string(),
        Damage::PackMissing { chunks } => format!("missing, but {chunks} chunks in it are needed"),
        Damage::Unlisted { chunks } => {
            format!("{chunks} chunks that snapshots need are in no index segment")
        }
        Damage::BundledFiles { files, chunk } => {
            format!("{files} files in chunk {chunk} are not what it lists")
        }
        Damage::ChunksLost { chunks } => format!("{chunks} chunks in the damaged packs are lost"),
        Damage::NowhereWhole { chunks } => {
            format!(
                "no replica that was asked has {} whole",
                count(Lang::En, *chunks, Noun::Chunk)
            )
        }
        Damage::PartLost => "part of it is lost".to_string(),
    };
    // "missing" alone, or with what is missing for whom.
    match text.starts_with("missing") {
        true => text,
        false => format!("damaged: {text}"),
    }
}

/// What keeps a path from being restored.
pub(super) fn restore_problem(problem: &RestoreProblem) -> String {
    let text = match problem {
        RestoreProblem::Io { operation, error } => {
            return format!("{}: {}", self::operation(*operation), io_error(error));
        }
        RestoreProblem::UnsafeName { name, fault } => {
            return format!("unsafe name '{}': {}", name.escape_ascii(), name_fault(*fault));
        }
        RestoreProblem::Replaced { name } => {
            return format!("'{}' was replaced while it was restored", name.escape_ascii());
        }
        RestoreProblem::ForeignLink { owner } => {
            return format!("it is a symbolic link of another user (number {owner}), which is not followed");
        }
        RestoreProblem::LinkInPlace => "a symbolic link, which is not followed, is in its place",
        RestoreProblem::OtherInPlace => "something else is in its place",
        RestoreProblem::DirectoryInPlace => "a directory is in its place",
        RestoreProblem::FullDirectoryInPlace => {
            "a directory that is not empty, or can't be removed, is in its place"
        }
        RestoreProblem::TooManyBeside { most } => {
            return format!("{most} restored files are beside it already");
        }
        RestoreProblem::DryRun => "nothing is written in a dry run",
        RestoreProblem::NoRecord => "the snapshot's record of this directory is lost: it gets no metadata",
        RestoreProblem::NothingBelow(why) => {
            return format!("{}; nothing below it was restored", restore_problem(why));
        }
        RestoreProblem::RecordedSize => "its recorded size is not that of its content",
        RestoreProblem::WrittenSize => "its size is not what was written",
        RestoreProblem::ReadBack => "what was read back is not what was written",
        RestoreProblem::NoContent => "none of its content could be read",
        RestoreProblem::LinkedNotRestored { first } => {
            return format!(
                "it is a link to /{}, which was not restored",
                first.escape_ascii()
            );
        }
        RestoreProblem::NotRemoved(why) => {
            return format!(
                "what was written of it could not be removed: {}",
                restore_problem(why)
            );
        }
        RestoreProblem::LeftoverNotRemoved(why) => {
            return format!(
                "what an earlier restore left can't be removed: {}",
                restore_problem(why)
            );
        }
        RestoreProblem::PermissionsNotPutBack(why) => {
            return format!(
                "its permissions were changed for the restore and can't be put back: {}",
                restore_problem(why)
            );
        }
        RestoreProblem::Metadata(part, errno) => return metadata(part, *errno),
        RestoreProblem::NotInSnapshot => {
            "it is not in the snapshot: it could not be read when it was backed up, or its data was lost"
        }
        RestoreProblem::NotInArchive => {
            "not in the archive: it could not be read when it was backed up, or its data was lost"
        }
        RestoreProblem::NoMatch { pattern } => {
            return format!("nothing in the snapshot matches the include pattern '{pattern}'");
        }
        RestoreProblem::NothingFound { pattern } => {
            return format!("nothing in these snapshots matches '{pattern}'");
        }
    };
    text.to_string()
}

pub(super) fn metadata(part: &MetaPart, errno: i32) -> String {
    let what = match part {
        MetaPart::All => "metadata".to_string(),
        MetaPart::Owner => "owner".to_string(),
        MetaPart::Mode => "mode".to_string(),
        MetaPart::Times => "times".to_string(),
        MetaPart::Attributes => "extended attributes".to_string(),
        MetaPart::Attribute(name) => format!("attribute {}", name.escape_ascii()),
    };
    let error = std::io::Error::from_raw_os_error(errno);
    format!("{what} not restored: {error}")
}

fn name_fault(fault: NameFault) -> &'static str {
    match fault {
        NameFault::Empty => "empty",
        NameFault::Directory => "refers to a directory",
        NameFault::Slash => "contains a slash",
        NameFault::Nul => "contains NUL",
        NameFault::TooLong => "too long",
        NameFault::LinkTarget => "not a link's target",
    }
}
