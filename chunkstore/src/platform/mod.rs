//! Everything that the programs ask of the operating system, but for objects in a local directory (`remote/local`) and
//! the metadata of files (the engine's `fsmeta`). Each file says what its caller gets on every system; the calls
//! themselves are in `unix.rs` and `linux.rs`, and another system gets a file beside those
//! (docs/decisions/0032-platform-rooms.md).

pub mod child;
pub mod descriptors;
pub mod errors;
pub mod files;
pub mod keyring;
pub mod lock;
pub mod private;
pub mod threads;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(unix)]
mod unix;
#[cfg(unix)]
use unix as system;
#[cfg(not(unix))]
compile_error!("chunkstore knows only Unix so far: add a file beside platform/unix.rs");
