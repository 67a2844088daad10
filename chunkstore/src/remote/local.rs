//! A directory as a remote: objects at [`ObjectName::path`](super::ObjectName::path) below the root, unpublished writes in
//! `tmp/`. On Unix by calls relative to the open root, elsewhere by the standard library. Both keep the same promises, and
//! pass the same suite (`tests/conformance.rs`).

mod portable;
#[cfg(unix)]
mod unix;

pub use portable::PortableLocal;
#[cfg(not(unix))]
pub use portable::PortableLocal as Local;
#[cfg(unix)]
pub use unix::Local;
