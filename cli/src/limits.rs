//! What the system gives this process: as many open files as it may have, and enough memory to work at all.

use service::Failure;
use service::catalogue::Cause;
use service::platform::descriptors::raise_limit;
use service::platform::process::address_space_limit;

/// Address space without which the libraries that the program is made of end it in the middle. Most of it is only
/// reserved.
const LEAST_MEMORY: u64 = 2 << 30;

/// Raises the limit on open files, and refuses a limit on memory that no run would survive.
pub fn prepare() -> Result<(), Failure> {
    // Where it can't be raised, what there is has to do.
    let _ = raise_limit();
    match address_space_limit() {
        Some(limit) if limit < LEAST_MEMORY => Err(Cause::AddressSpace {
            mib: limit >> 20,
            needed: LEAST_MEMORY >> 20,
        }
        .into()),
        _ => Ok(()),
    }
}
