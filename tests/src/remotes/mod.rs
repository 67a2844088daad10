//! Remotes for tests, each a wrapper around another: they count, fail, forget or lie.

mod counting;
mod faulty;
mod hooked;
mod lying;
mod refusing;
mod simulated;
mod turns;

pub use counting::{Count, Counting, Counts, Operation};
pub use faulty::{Fault, Faulty};
pub use hooked::{Hook, Hooked};
pub use lying::{Lie, Lying};
pub use refusing::{Refusing, Why};
pub use simulated::{Fault as StorageFault, Simulated, When};
pub use turns::{Act, Stage, Turns};

use chunkstore::Result;
use chunkstore::remote::{Kind, ObjectName, Remote};

/// The objects of one kind with their sizes, sorted by name.
pub fn listed(remote: &dyn Remote, kind: Kind) -> Result<Vec<(ObjectName, u64)>> {
    let mut found = Vec::new();
    remote.list(kind, &mut |name, size| {
        found.push((name, size));
        Ok(())
    })?;
    found.sort();
    Ok(found)
}

/// Every object with its bytes, sorted by name: what a test compares before and after.
pub fn contents(remote: &dyn Remote) -> Result<Vec<(ObjectName, Vec<u8>)>> {
    let mut all = Vec::new();
    for kind in Kind::ALL {
        for (name, size) in listed(remote, kind)? {
            let bytes = remote.get(&name, size as usize)?;
            all.push((name, bytes));
        }
    }
    Ok(all)
}
