//! What this machine last saw of a replica: told where it can't be asked. Kept by its location, for the rest of what is
//! kept of it goes by an id that only it can say. Losing a note harms nothing.

use crate::error::Result;
use crate::repo::write_replacing;
use crate::run::LocalDirs;
use chunkstore::object::{cbor, from_cbor};
use minicbor::{Decode, Encode};
use std::path::PathBuf;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Noted {
    /// Generations that it was behind by.
    #[n(0)]
    pub behind: u64,
    /// When it was last reached, seconds since 1970.
    #[n(1)]
    pub reached: i64,
}

fn path(dirs: &LocalDirs, location: &str) -> PathBuf {
    let name = &blake3::hash(location.as_bytes()).to_hex()[..32];
    dirs.state.join("remotes").join(name)
}

/// Nothing where it was never reached from here.
pub fn noted(dirs: &LocalDirs, location: &str) -> Option<Noted> {
    from_cbor(&std::fs::read(path(dirs, location)).ok()?)
}

pub fn note(dirs: &LocalDirs, location: &str, noted: &Noted) -> Result<()> {
    write_replacing(&path(dirs, location), &cbor(noted))
}
