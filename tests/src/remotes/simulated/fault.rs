//! What may become of an operation of simulated storage.

use std::io;

/// What one operation suffers, once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The request never arrived.
    TimeoutBefore,
    /// The request was carried out, and the reply was lost.
    TimeoutAfter,
    /// 5xx.
    Unavailable,
    /// 429.
    TooMany,
    /// 403.
    Forbidden,
    /// 412: the answer is that the name is taken. An earlier try of the same request had won.
    Precondition,
    /// 409: somebody else is at the same name.
    Conflict,
    /// The connection broke, with half of the bytes through.
    Reset,
    /// Fewer bytes come than there are, without a word.
    Truncated,
    /// One bit of what is read is another.
    Corrupt,
    /// A listing as it was before the last changes.
    Stale,
    /// A listing without some of the names.
    Short,
    NoSpace,
    Io,
    /// An hour goes by.
    Slow,
}

impl Fault {
    pub const ALL: [Fault; 15] = [
        Fault::TimeoutBefore,
        Fault::TimeoutAfter,
        Fault::Unavailable,
        Fault::TooMany,
        Fault::Forbidden,
        Fault::Precondition,
        Fault::Conflict,
        Fault::Reset,
        Fault::Truncated,
        Fault::Corrupt,
        Fault::Stale,
        Fault::Short,
        Fault::NoSpace,
        Fault::Io,
        Fault::Slow,
    ];

    /// The error and how much was done before it; `None` where the operation does not fail.
    pub(super) fn failure(self) -> Option<(Done, io::Error)> {
        use io::ErrorKind::*;
        let (done, kind) = match self {
            Fault::TimeoutBefore => (Done::Nothing, TimedOut),
            Fault::TimeoutAfter => (Done::All, TimedOut),
            Fault::Unavailable => (Done::Nothing, Other),
            Fault::TooMany => (Done::Nothing, ResourceBusy),
            Fault::Forbidden => (Done::Nothing, PermissionDenied),
            Fault::Conflict => (Done::Nothing, ResourceBusy),
            Fault::Reset => (Done::Half, ConnectionReset),
            Fault::NoSpace => (Done::Half, StorageFull),
            Fault::Io => return Some((Done::Half, rustix::io::Errno::IO.into())),
            _ => return None,
        };
        Some((done, kind.into()))
    }
}

/// When in an operation a process ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    Before,
    Within,
    After,
}

impl When {
    /// Each of them, without and with the power going.
    pub const WITH_POWER: [(When, bool); 6] = [
        (When::Before, false),
        (When::Within, false),
        (When::After, false),
        (When::Before, true),
        (When::Within, true),
        (When::After, true),
    ];
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Done {
    Nothing,
    Half,
    All,
}
