//! What the system gives this process: as many open files as it may have, and enough memory to work at all.

use rustix::process::{Resource, getrlimit};
use service::Failure;
use service::catalogue::Cause;

/// Address space without which the libraries that the program is made of end it in the middle. Most of it is only
/// reserved.
const LEAST_MEMORY: u64 = 2 << 30;

/// Raises the limit on open files, and refuses a limit on memory that no run would survive.
pub fn prepare() -> Result<(), Failure> {
    // Where it can't be raised, what there is has to do.
    let _ = service::repo::raise_limit();
    match getrlimit(Resource::As).current {
        Some(limit) if limit < LEAST_MEMORY => Err(Cause::AddressSpace {
            mib: limit >> 20,
            needed: LEAST_MEMORY >> 20,
        }
        .into()),
        _ => Ok(()),
    }
}
