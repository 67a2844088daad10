//! Names of unpublished writes, for storages that publish by renaming.
//!
//! They are longer than those of a directory's own writer (`local/staged.rs`): the storage may be a directory that others
//! use as such, and a writer behind a server holds no lock there.

use super::fault::{Fault, Outcome};
use crate::error::Cause;
use crate::id::is_hex;
use std::io::ErrorKind;

pub(super) const FOLDER: &str = "tmp";
const RANDOM: usize = 17;

/// A path that no other process uses.
pub(super) fn name() -> Outcome<String> {
    let random = crate::id::random::<RANDOM>();
    let random = random.map_err(|e| Fault::lasting(ErrorKind::Other, e.to_string()))?;
    Ok(format!("{FOLDER}/{}", hex::encode(random)))
}

/// Whether this is the name of such a write.
pub(super) fn is_ours(name: &str) -> bool {
    name.len() == 2 * RANDOM && is_hex(name.as_bytes())
}

/// An unpublished write is not there any more: a sweep took it for a leftover. The bytes are still here, so all of it is
/// tried again.
pub(super) fn swept() -> Fault {
    Fault::passing(ErrorKind::Other, Cause::StagedRemoved)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_others() {
        let name = name().unwrap();
        assert!(is_ours(name.strip_prefix("tmp/").unwrap()));
        assert!(!is_ours("README") && !is_ours(&"a".repeat(32)) && !is_ours(&"é".repeat(17)));
    }
}
