//! Nothing is restored here yet ([`super::target`]), so no metadata is put back either.

use super::BorrowedFd;
use super::capture::NoOwners;
use crate::entry::{Kind, Meta};
use crate::fsmeta::{ApplyOptions, ApplyProblem, Owner};
use crate::platform::errno::NOT_SUPPORTED;
use crate::problem::MetaPart;

/// The object that was restored.
pub enum UnchangedAt<'a> {
    Fd(BorrowedFd<'a>),
    Examined(BorrowedFd<'a>, &'a Meta),
    Name(BorrowedFd<'a>, &'a [u8]),
}

impl ApplyOptions {
    pub fn for_this_process() -> Self {
        ApplyOptions {
            owner: Owner::Keep,
            xattrs: true,
            privileged: false,
        }
    }
}

pub fn apply_meta(
    _: &UnchangedAt<'_>,
    _: &Kind,
    _: &Meta,
    _: &ApplyOptions,
    _: &NoOwners,
) -> Vec<ApplyProblem> {
    vec![ApplyProblem {
        part: MetaPart::All,
        errno: NOT_SUPPORTED,
    }]
}
