//! What commands do: one file each, called by [`crate::main`] with what was typed and the environment.

pub mod backup;
pub mod bench;
pub mod cache;
pub mod check;
pub mod completions;
pub mod copy;
pub mod diff;
pub mod dump;
pub mod find;
pub mod forget;
pub mod heal;
pub mod help;
pub mod init;
pub mod key;
pub mod ls;
pub mod prune;
pub mod remote;
pub mod repair;
pub mod replicate;
pub mod restore;
pub mod snapshots;
pub mod stats;
pub mod tag;
pub mod undelete;
pub mod version;
