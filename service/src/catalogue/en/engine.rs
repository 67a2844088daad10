//! What ended a job.

use super::io::{errno, io_error};
use super::problem::restore_problem;
use super::store::{object, operation, store_error};
use super::weakness;
use crate::text;
use engine::error::{NamedSnapshot, NoSource, PatternFault, PatternKind, Refusal, Usage};
use engine::{Error, SessionId};

/// What happened and to what, without advice.
pub fn engine_error(error: &Error) -> String {
    match error {
        Error::Store(error) => store_error(error),
        Error::Usage(usage) => self::usage(usage),
        Error::Refused(refusal) => format!("refused: {}", self::refusal(refusal)),
        Error::NoSnapshot(text) => format!("no snapshot matches '{text}'"),
        Error::Ambiguous { text, matches } => format!("'{text}' matches {matches} snapshots"),
        Error::NoSnapshotAt { at, id, oldest } => {
            let (at, oldest) = (text::as_of(*at), text::time(*oldest));
            format!("no snapshot by {at}; the oldest is {}, {oldest}", short(*id))
        }
        Error::NoSuchPath { path, snapshot } => match snapshot {
            NamedSnapshot::Text(text) => format!("{path} is not in snapshot {text}"),
            NamedSnapshot::Of(time) => format!("{path} is not in snapshot of {time}"),
            NamedSnapshot::This => format!("{path} is not in the snapshot"),
        },
        Error::NoSource(why) => format!("no source could be read: {}", no_source(why)),
        Error::EmptyStream(name) => format!("nothing was read that could be saved as {name}"),
        Error::Io {
            operation,
            path,
            source,
        } => format!(
            "{} {}: {}",
            self::operation(*operation),
            path.display(),
            io_error(source)
        ),
        Error::Output(source) => format!("write to the output: {}", io_error(source)),
        Error::Target { path, problem } => format!("{}: {}", path.display(), restore_problem(problem)),
        Error::NoState { path, source } => format!(
            "this machine's notes on the repository can't be kept in {}: {}",
            path.display(),
            io_error(source)
        ),
        Error::ViewChanged => "garbage collection overtook this backup".to_string(),
        Error::Damaged(error) => format!(
            "nothing more was deleted, because the repository is damaged: {}",
            store_error(error)
        ),
        Error::ShortListing(object) => format!(
            "nothing more was deleted: the storage listed its objects incompletely ({} is there and not listed)",
            self::object(object)
        ),
        Error::Lost(ids) => format!("nothing more was deleted: {}", lost_snapshots(ids)),
        Error::Interrupted => "interrupted".to_string(),
        Error::Late => "its time ran out before everything was replicated".to_string(),
    }
}

fn short(id: SessionId) -> String {
    text::short(&id.to_hex())
}

/// What is said of snapshots that are gone though nobody removed them.
pub(crate) fn lost_snapshots(ids: &[SessionId]) -> String {
    let mut names: Vec<String> = ids.iter().take(3).map(|id| short(*id)).collect();
    if ids.len() > names.len() {
        names.push(format!("{} more", ids.len() - names.len()));
    }
    let names = names.join(", ");
    match ids.len() {
        1 => format!("snapshot {names} is gone from the storage, though nobody removed it"),
        _ => format!("snapshots {names} are gone from the storage, though nobody removed them"),
    }
}

fn no_source(why: &NoSource) -> String {
    match why {
        NoSource::Missing { path, errno } => {
            format!("{}: {}", path.display(), self::errno(*errno))
        }
        NoSource::NoneUsable => {
            "each of them is missing, excluded, or empty where it was not before".to_string()
        }
        NoSource::Nothing => "nothing was found to back up".to_string(),
    }
}

fn refusal(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Protected(id) => format!("snapshot {} is protected", short(*id)),
        Refusal::Readable(id) => format!("snapshot {} can be read", short(*id)),
        Refusal::PublishedAgain(id) => format!("snapshot {} was published again", short(*id)),
        Refusal::PartGone(id) => format!("part of snapshot {} is gone or being removed", short(*id)),
        Refusal::NotAReplica { location, of } => format!("{location} is not a replica of {of}"),
        Refusal::Replicas => {
            "they are replicas of one repository: 'dedup replicate' brings one up to the other".to_string()
        }
        Refusal::KeyInUse => "this key is in use: the repository was opened with it".to_string(),
        Refusal::AnotherCollection(error) => {
            format!("another collection is running ({})", store_error(error))
        }
        Refusal::WeakStorage(weaknesses) => {
            let weaknesses: Vec<&str> = weaknesses.iter().map(|weak| weakness(*weak)).collect();
            format!(
                "this storage is weak: {}; make sure that nothing else uses the repository, and run \
                 'dedup prune --exclusive'",
                weaknesses.join("; ")
            )
        }
    }
}

fn usage(usage: &Usage) -> String {
    match usage {
        Usage::NotARegularFile { path } => format!("{path} is not a regular file"),
        Usage::NotAFileName { name } => format!("'{name}' is not a file name"),
        Usage::Pattern { kind, pattern, fault } => {
            let why = match fault {
                PatternFault::Empty => "it names nothing",
                PatternFault::ParentComponent => "'..' never matches",
                PatternFault::Glob(detail) => detail,
            };
            match kind {
                PatternKind::Exclude => format!("exclude pattern '{pattern}': {why}"),
                PatternKind::Include => format!("include pattern '{pattern}': {why}"),
                PatternKind::Find => format!("pattern '{pattern}': {why}"),
            }
        }
        Usage::Patterns { kind, detail } => match kind {
            PatternKind::Exclude => format!("exclude patterns: {detail}"),
            PatternKind::Include => format!("include patterns: {detail}"),
            PatternKind::Find => format!("patterns: {detail}"),
        },
        Usage::IdAndTime { text } => {
            format!("'{text}' names a snapshot and a time was given too: only one can choose")
        }
        Usage::NotAPackId { text } => format!("'{text}' is not a pack id"),
        Usage::ParityPercent => "parity takes 1 to 100 percent".to_string(),
        Usage::Part { n, of } => format!("part {n} of {of}: count from 1 to {of}"),
        Usage::OwnRepository { source } => format!(
            "{} is the repository itself, or in it: it can't be backed up into itself",
            source.display()
        ),
        Usage::ParentComponent { path } => format!("'{path}': '..' can't be used in a snapshot"),
        Usage::NotBelow { path, subpath } => format!("{path} is not below {subpath}"),
        Usage::NotPlain { path } => format!("{} is not a plain absolute path", path.display()),
        Usage::NotAbsolute { source } => format!("source '{}' is not absolute", source.display()),
    }
}
