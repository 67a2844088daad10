//! What commands do: one file each, called by [`crate::main`] with what was typed and the environment.

pub mod backup;
pub mod cache;
pub mod completions;
pub mod help;
pub mod init;
pub mod key;
pub mod snapshots;
pub mod version;
