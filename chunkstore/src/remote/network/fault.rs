//! Why one request failed, and whether trying again may help.

use crate::descriptors;
use crate::error::Cause;
use std::error::Error as _;
use std::io::{self, ErrorKind};

/// A failed request. The kind of `source` is what happened: not found, denied, exists, no space, timed out.
#[derive(Debug)]
pub(super) struct Fault {
    pub source: io::Error,
    /// It may pass: the network, or a server that is busy or restarting.
    pub passing: bool,
}

/// Codes by which servers report that there is no room, whatever the status.
const FULL: [&str; 6] = [
    "QuotaExceeded",
    "InsufficientStorage",
    "InsufficientCapacity",
    "StorageFull",
    "storage_cap_exceeded",
    "no space left",
];

/// Bytes of a server's error message at most.
pub(super) const COMPLAINT_MAX: usize = 500;

/// Codes by which servers report that a signature is of another time.
const SKEWED: [&str; 2] = ["RequestTimeTooSkewed", "RequestExpired"];

/// How the library of storages reports that it has found no key to sign with.
const UNSIGNED: &str = "failed to load signing credential";

pub(super) type Outcome<T> = Result<T, Fault>;

impl Fault {
    pub fn lasting(kind: ErrorKind, cause: impl Into<Cause>) -> Fault {
        Fault {
            source: cause.into().into_io(kind),
            passing: false,
        }
    }

    pub fn passing(kind: ErrorKind, cause: impl Into<Cause>) -> Fault {
        Fault {
            source: cause.into().into_io(kind),
            passing: true,
        }
    }

    pub fn kind(&self) -> ErrorKind {
        self.source.kind()
    }
}

/// Why a program could not be started. For want of descriptors or processes it may start later.
pub(super) fn not_started(program: &'static str, error: io::Error) -> Fault {
    let may_pass = descriptors::are_exhausted(&error) || error.kind() == ErrorKind::WouldBlock;
    let error = error.into();
    let cause = Cause::NotStarted { program, error };
    match may_pass {
        true => Fault::passing(ErrorKind::ResourceBusy, cause),
        false => Fault::lasting(ErrorKind::Unsupported, cause),
    }
}

/// How the messages of libraries begin when something below them failed, which has the reason.
const WRAPPERS: [&str; 4] = [
    "error sending request",
    "client error",
    "tcp connect error",
    "http request failed",
];

/// An error with all that caused it, each named once, and without layers that only pass it on.
pub(super) fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut said: Vec<String> = Vec::new();
    let mut cause = Some(error);
    while let Some(error) = cause {
        let text = error.to_string();
        if !said.iter().any(|said| said.contains(&text)) {
            said.push(text);
        }
        cause = error.source();
    }
    let passes_on = |text: &String| WRAPPERS.iter().any(|wrapper| text.starts_with(wrapper));
    if said.last().is_some_and(|last| !passes_on(last)) {
        said.retain(|text| !passes_on(text));
    }
    said.join(": ")
}

/// Whether a server's answer means that there is no room.
pub(super) fn says_full(text: &str) -> bool {
    FULL.iter().any(|code| text.contains(code))
}

/// What this program itself reported to the library, whose requests it sends.
fn own_cause(error: &opendal::Error) -> Option<Cause> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(own) = error.downcast_ref::<Cause>() {
            return Some(own.clone());
        }
        cause = error.source();
    }
    None
}

/// As much of a message as anybody reads.
fn beginning_of(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(COMPLAINT_MAX));
    text
}

impl From<opendal::Error> for Fault {
    fn from(error: opendal::Error) -> Fault {
        use opendal::ErrorKind as Found;
        let mut text = error.message().to_string();
        let own = own_cause(&error);
        if let Some(cause) = error.source() {
            text = format!("{text}: {}", causes(cause));
        }
        let skewed = SKEWED.iter().any(|code| text.contains(code));
        let unsigned = text.contains(UNSIGNED);
        let kind = match error.kind() {
            _ if says_full(&text) => ErrorKind::StorageFull,
            _ if unsigned => ErrorKind::PermissionDenied,
            _ if skewed => ErrorKind::PermissionDenied,
            Found::NotFound => ErrorKind::NotFound,
            Found::PermissionDenied => ErrorKind::PermissionDenied,
            Found::AlreadyExists | Found::ConditionNotMatch => ErrorKind::AlreadyExists,
            Found::ConfigInvalid => ErrorKind::InvalidInput,
            Found::RateLimited | Found::Conflict => ErrorKind::ResourceBusy,
            Found::Unsupported => ErrorKind::Unsupported,
            _ => ErrorKind::Other,
        };
        let cause = match own {
            Some(cause) => cause,
            None if unsigned => Cause::NoCredentials,
            None if skewed => Cause::ClockSkew {
                detail: beginning_of(text),
            },
            None => Cause::Detail(beginning_of(text)),
        };
        // When two create one name at once, a server may ask the loser to try again.
        let passing = error.is_temporary() || kind == ErrorKind::ResourceBusy;
        Fault {
            passing: passing && kind != ErrorKind::StorageFull,
            source: cause.into_io(kind),
        }
    }
}
