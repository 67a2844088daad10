//! Backups of trees of files: snapshots that are deduplicated, encrypted, and stored in a directory or on a network.
//!
//! Programs that use this crate as a library begin with [`Repository`]; its documentation has an example.
//! [`RunContext`] says where local files go and can cancel what runs, a [`Monitor`] is told about progress and about
//! problems with single files, and [`error`] says what ends an operation.
//!
//! The modules that this documentation does not show are for the crates of this workspace (`service`, tests, benchmarks and
//! fuzzing). They are public because these are crates of their own, and they change without notice
//! (docs/decisions/0036-library.md).

#![warn(missing_docs)]

#[doc(hidden)]
pub mod alone;
#[doc(hidden)]
pub mod archive;
#[doc(hidden)]
pub mod backup;
#[doc(hidden)]
pub mod bench;
#[doc(hidden)]
pub mod cache;
#[doc(hidden)]
pub mod check;
#[doc(hidden)]
pub mod copy;
mod cpu;
#[doc(hidden)]
pub mod deleted;
#[doc(hidden)]
pub mod drill;
#[doc(hidden)]
pub mod dump;
pub mod entry;
pub mod error;
#[doc(hidden)]
pub mod expire;
pub mod facts;
#[doc(hidden)]
pub mod filter;
#[doc(hidden)]
pub mod find;
#[doc(hidden)]
pub mod forget;
#[doc(hidden)]
pub mod fsmeta;
mod generations;
#[doc(hidden)]
pub mod heal;
pub mod key;
#[doc(hidden)]
pub mod list;
#[doc(hidden)]
pub mod live;
#[doc(hidden)]
pub mod machines;
#[doc(hidden)]
pub mod manifest;
pub mod monitor;
#[doc(hidden)]
pub mod mount;
#[doc(hidden)]
pub mod order;
mod overview;
#[doc(hidden)]
pub mod path_tags;
#[doc(hidden)]
pub mod platform;
pub mod problem;
#[doc(hidden)]
pub mod prune;
#[doc(hidden)]
pub mod purge;
#[doc(hidden)]
pub mod references;
#[doc(hidden)]
pub mod repair;
#[doc(hidden)]
pub mod replicate;
#[doc(hidden)]
pub mod repo;
mod repository;
#[doc(hidden)]
pub mod restore;
pub mod retain;
#[doc(hidden)]
pub mod rewrite;
pub mod run;
pub mod select;
#[doc(hidden)]
pub mod simulate;
#[doc(hidden)]
pub mod snapshots;
#[doc(hidden)]
pub mod stats;
#[doc(hidden)]
pub mod storage;
#[doc(hidden)]
pub mod tar;
#[doc(hidden)]
pub mod tree;
#[doc(hidden)]
pub mod trees;
#[doc(hidden)]
pub mod units;
#[doc(hidden)]
pub mod usage;
#[doc(hidden)]
pub mod versions;
#[doc(hidden)]
pub mod view;
#[doc(hidden)]
pub mod walk;
#[doc(hidden)]
pub mod when;
#[doc(hidden)]
pub mod zip;

pub use backup::BackupReport;
pub use check::{CheckReport, DamagedPath, ReadData};
pub use chunkstore::sweep::Unused;
pub use chunkstore::{RepoId, SessionId, SlotId};
pub use error::{Error, Result, StoreError};
pub use facts::SnapshotInfo;
pub use forget::{ForgetAction, PolicyDecision};
pub use key::Secret;
pub use manifest::{Manifest, Summary as BackupSummary};
pub use monitor::Monitor;
pub use prune::PruneSummary;
pub use repo::Bounds;
pub use repository::{BackupRequest, CreateRequest, PruneRequest, Repository, RestoreRequest, SnapshotList};
pub use restore::{Overwrite, Permissions, Summary as RestoreSummary};
pub use run::{LocalDirs, RunContext};

#[doc(hidden)]
pub use chunkstore::sweep::Policy as GcPolicy;
#[doc(hidden)]
pub use chunkstore::{ChunkId, ContentHash, PackId, SmallFile};
