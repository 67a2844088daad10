//! Calls of the operating system, except those for objects in a local directory (`remote/local`) and for file metadata
//! (`fsmeta` in the engine). Each file documents what its caller gets on every system. The calls are made in `unix.rs`,
//! `linux.rs` and `windows.rs`; another system gets a file beside them (docs/decisions/0032-platform-rooms.md).

pub mod child;
pub mod descriptors;
pub mod errors;
pub mod files;
mod folders;
pub mod keyring;
pub mod lock;
#[cfg(unix)]
pub mod opening;
pub mod private;
pub mod threads;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(unix)]
mod unix;
#[cfg(unix)]
use unix as system;
#[cfg(windows)]
mod windows;
#[cfg(windows)]
use windows as system;
#[cfg(not(any(unix, windows)))]
compile_error!("chunkstore knows only Unix and Windows: add a file beside platform/unix.rs");
