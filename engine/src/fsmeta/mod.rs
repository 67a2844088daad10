//! Metadata of file-system objects, read for backup ([`stat`], [`complete`]) and put back for restore ([`Target`],
//! [`apply_meta`]). What each system's files have is in the folder of that system; other system calls of the engine are in
//! [`crate::platform`].
//!
//! Upstream: `walk` (lists and stats), backup (opens, completes), restore (creates, applies). Source errors come back
//! as data ([`Trouble`](crate::entry::Trouble), [`ApplyProblem`]) so that callers can record each path's (I-12).

mod changes;
mod words;

use crate::problem::{MetaPart, NameFault};
use chunkstore::error::{IoError, Operation};
use std::cmp::Ordering;
use std::io;

pub use changes::Changes;
#[cfg(test)]
pub use changes::{End, Event, How, Watch};
pub use words::{Blank, FileId, FollowLinks, Trust};

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::*;
#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::*;
#[cfg(not(any(target_os = "linux", windows)))]
compile_error!("fsmeta knows only Linux, and Windows in part: add a folder beside fsmeta/linux");

/// Major and minor number of a device, as Linux's C library packs them into the number that is recorded.
pub fn device_numbers(rdev: u64) -> (u32, u32) {
    let part = |shift: u32, mask: u64| (rdev >> shift & mask) as u32;
    (
        part(8, 0xfff) | part(32, 0xffff_f000),
        part(0, 0xff) | part(12, 0xffff_ff00),
    )
}

/// Longest file name that a restore accepts, bytes.
pub const NAME_MAX: usize = 255;

/// Why something could not be created beneath a restore's target.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TargetError {
    /// The name could lead out of its directory or can't be a file's name.
    #[error("unsafe name '{}' ({fault:?})", name.escape_ascii())]
    HostileName { name: Vec<u8>, fault: NameFault },
    /// What the name led to is not what was created there: someone else changes the target at the same time.
    #[error("replaced: '{}'", name.escape_ascii())]
    Replaced { name: Vec<u8> },
    /// A link above what is restored belongs neither to root nor to the user who restores.
    #[error("foreign link ({owner})")]
    ForeignLink { owner: u32 },
    #[error("{operation:?}: {source}")]
    Io { operation: Operation, source: IoError },
}

impl TargetError {
    pub fn io_kind(&self) -> Option<io::ErrorKind> {
        match self {
            TargetError::Io { source, .. } => Some(source.kind()),
            TargetError::HostileName { .. }
            | TargetError::Replaced { .. }
            | TargetError::ForeignLink { .. } => None,
        }
    }
}

/// Refuses what is not exactly one ordinary path component.
pub fn check_name(name: &[u8]) -> Result<(), TargetError> {
    let fault = match name {
        b"" => NameFault::Empty,
        b"." | b".." => NameFault::Directory,
        _ if name.contains(&b'/') => NameFault::Slash,
        _ if name.contains(&0) => NameFault::Nul,
        _ if name.len() > NAME_MAX => NameFault::TooLong,
        _ => return Ok(()),
    };
    Err(TargetError::HostileName {
        name: name.to_vec(),
        fault,
    })
}

/// Which owner [`apply_meta`] gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Owner {
    /// The user who restores.
    Keep,
    /// The recorded numbers.
    Numeric,
    /// The numbers that the recorded names have on this machine, the recorded numbers where a name is unknown.
    ByName,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ApplyOptions {
    pub owner: Owner,
    pub xattrs: bool,
    /// The process may set `security.*` and `trusted.*` attributes; see [`ApplyOptions::for_this_process`].
    pub privileged: bool,
}

/// A piece of metadata that could not be put back; the others were.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApplyProblem {
    pub part: MetaPart,
    /// Of the failed call.
    pub errno: i32,
}

/// What a directory's listing shows of a name before it is examined. Some file systems show nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hint {
    Dir,
    Other,
    Unknown,
}

/// The names of one directory, without `.` and `..`, kept in one buffer.
#[derive(Default)]
pub struct Names {
    bytes: Vec<u8>,
    items: Vec<NameItem>,
}

#[derive(Clone, Copy)]
struct NameItem {
    start: usize,
    len: u32,
    hint: Hint,
}

impl Names {
    pub fn push(&mut self, name: &[u8], hint: Hint) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(name);
        // A name is at most a path long, so the length fits.
        let len = name.len() as u32;
        self.items.push(NameItem { start, len, hint });
    }

    /// Byte order, each name once: a directory that changes while it is read may list a name twice.
    pub fn sort(&mut self) {
        let bytes = &self.bytes;
        let order = |a: &NameItem, b: &NameItem| -> Ordering { slice(bytes, a).cmp(slice(bytes, b)) };
        self.items.sort_unstable_by(order);
        self.items.dedup_by(|a, b| slice(bytes, a) == slice(bytes, b));
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Panic-free: past the end there is no name.
    pub fn get(&self, index: usize) -> Option<(&[u8], Hint)> {
        self.items
            .get(index)
            .map(|item| (slice(&self.bytes, item), item.hint))
    }

    /// Needs [`Names::sort`] first.
    pub fn contains(&self, name: &[u8]) -> bool {
        self.items
            .binary_search_by(|item| slice(&self.bytes, item).cmp(name))
            .is_ok()
    }
}

fn slice<'a>(bytes: &'a [u8], item: &NameItem) -> &'a [u8] {
    bytes
        .get(item.start..item.start + item.len as usize)
        .unwrap_or_default()
}
