//! Trees of files as generations: walk, backup, restore, retention, prune, check, repair.

pub mod archive;
pub mod backup;
pub mod bench;
pub mod cache;
pub mod check;
pub mod copy;
mod cpu;
pub mod dump;
pub mod entry;
pub mod error;
pub mod facts;
pub mod filter;
pub mod forget;
pub mod fsmeta;
mod generations;
pub mod heal;
pub mod key;
pub mod list;
pub mod manifest;
pub mod monitor;
pub mod order;
pub mod platform;
pub mod problem;
pub mod prune;
pub mod references;
pub mod repair;
pub mod replicate;
pub mod repo;
pub mod restore;
pub mod retain;
pub mod rewrite;
pub mod run;
pub mod select;
pub mod stats;
pub mod storage;
pub mod tar;
pub mod tree;
pub mod trees;
pub mod units;
pub mod walk;
pub mod when;

/// How far a collection of garbage goes.
pub use chunkstore::sweep::{Policy as GcPolicy, Unused};
pub use chunkstore::{ChunkId, ContentHash, PackId, RepoId, SessionId, SmallFile};
pub use error::{Error, Result, StoreError};
