//! Calls of the operating system by the engine and the crates above it, except those for file metadata (`fsmeta`). Each
//! file documents what its caller gets on every system. The calls are made in `unix.rs` and `windows.rs`; another
//! system gets a file beside them (docs/decisions/0032-platform-rooms.md).

pub mod errno;
pub mod handle;
#[cfg(test)]
pub mod nobody;
pub mod paths;
pub mod process;
pub mod space;

#[cfg(unix)]
mod unix;
#[cfg(unix)]
use unix as system;
#[cfg(windows)]
mod windows;
#[cfg(windows)]
use windows as system;
#[cfg(not(any(unix, windows)))]
compile_error!("engine knows only Unix and Windows: add a file beside platform/unix.rs");

/// The calls that `chunkstore` needs too.
pub use chunkstore::platform::{child, descriptors, files, lock, private};
