//! Why an operation of a system, a storage or a program failed. What others say stays in their own words.

use super::store::store_error;
use engine::error::store::{Cause, Foreign, Obstacle};
use std::io;

pub(crate) fn io_error(error: &io::Error) -> String {
    match Cause::of(error) {
        Some(cause) => self::cause(cause),
        None => error.to_string(),
    }
}

/// What the system says of an error number: "permission denied".
pub(super) fn errno(errno: i32) -> String {
    let said = io::Error::from_raw_os_error(errno).to_string();
    let said = said.split(" (os error").next().unwrap_or_default();
    let mut chars = said.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => format!("error {errno}"),
    }
}

fn cause(cause: &Cause) -> String {
    match cause {
        Cause::Detail(detail) => detail.clone(),
        Cause::Foreign(foreign) => self::foreign(foreign),
        Cause::NotInstalled => "it is not installed, or not in a directory of PATH".to_string(),
        Cause::StarterEnded => "the thread that starts programs has ended".to_string(),
        Cause::NotStarted { program, error } => format!("start {program}: {}", io_error(error)),
        Cause::NoPipes { program } => format!("{program} has no pipes"),
        Cause::NotReady { program } => format!("{program} does not start"),
        Cause::Program { program, said } => format!("{program}: {}", self::cause(said)),
        Cause::NotARegularFile => "not a regular file".to_string(),
        Cause::SyncFailed => "an earlier sync of a folder failed; what it covered may be lost".to_string(),
        Cause::StagingVolatile => "what is written there is removed at once".to_string(),
        Cause::StagedRemoved => "another process removed what was being written".to_string(),
        Cause::Exists => "it exists".to_string(),
        Cause::ServerFull => "the server's disk is full".to_string(),
        Cause::FolderMissing => "the repository's folder is missing".to_string(),
        Cause::NoLength => "the server does not say how long it is".to_string(),
        Cause::AnswerTooLong => "the server's answer is too long".to_string(),
        Cause::ListingUnparsable { detail } => format!("the server's listing can't be parsed: {detail}"),
        Cause::Answered { status, detail } if detail.is_empty() => format!("the server answered {status}"),
        Cause::Answered { status, detail } => format!("the server answered {status}: {detail}"),
        Cause::ConnectionClosed => "the connection was closed".to_string(),
        Cause::Stalled { seconds } => format!("nothing moved for {seconds} s"),
        Cause::NotConnected { host, port, detail } => format!("connect to {host}:{port}: {detail}"),
        Cause::ClockSkew { detail } => {
            format!("this machine's clock and the server's differ: set the clock ({detail})")
        }
        Cause::Retried { tries, seconds, last } => {
            format!("{} (tried {tries} times in {seconds} s)", io_error(last))
        }
        Cause::NetworkThreads(why) => format!("start the network threads: {}", self::cause(why)),
        Cause::Store(error) => store_error(error),
        Cause::Interrupted => "interrupted".to_string(),
        Cause::Crashed => "simulated crash".to_string(),
    }
}

fn foreign(Foreign { place, owner, user }: &Foreign) -> String {
    let name = |id: u32| match id {
        0 => "root".to_string(),
        id => format!("user {id}"),
    };
    let place = match place {
        Obstacle::Itself => "it",
        Obstacle::Root => "the repository's folder",
        Obstacle::Path(path) => path,
    };
    let (owner, user) = (name(*owner), name(*user));
    format!("permission denied: {place} belongs to {owner}, not to {user}")
}
