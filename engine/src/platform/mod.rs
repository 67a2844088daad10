//! Everything that the programs above `chunkstore` ask of the operating system, but for the metadata of files
//! (`fsmeta`). Each file says what its caller gets on every system; the calls themselves are in `unix.rs`, and another
//! system gets a file beside it (docs/decisions/0032-platform-rooms.md).

pub mod errno;
pub mod handle;
#[cfg(test)]
pub mod nobody;
pub mod paths;
pub mod process;

#[cfg(unix)]
mod unix;
#[cfg(unix)]
use unix as system;

/// What `chunkstore` asks of the system itself.
pub use chunkstore::platform::{child, descriptors, files, lock, private};
