//! Nothing is restored here yet ([`super::target`]), so no metadata is put back either.

use super::{BorrowedFd, Owners};
use crate::entry::{Kind, Meta};
use crate::fsmeta::{ApplyOptions, ApplyProblem, Owner};
use crate::platform::errno::NOT_SUPPORTED;
use crate::problem::MetaPart;

/// The object that was restored.
pub enum At<'a> {
    Fd(BorrowedFd<'a>),
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

pub fn apply_meta(_: &At<'_>, _: &Kind, _: &Meta, _: &ApplyOptions, _: &Owners) -> Vec<ApplyProblem> {
    vec![ApplyProblem {
        part: MetaPart::All,
        errno: NOT_SUPPORTED,
    }]
}
