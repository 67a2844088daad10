//! Bytes: keyed, deduplicated, sealed, packed and indexed chunks on a remote. Knows no paths and no terminal.
//!
//! [`store::Store`] opens a repository, [`writer::Writer`] stores chunks in it, and [`reader::Reader`] reads them. Programs that
//! back up files use the crate `dedup-engine` instead. The modules that this documentation does not show are for the other
//! crates of this workspace, and change without notice (docs/decisions/0036-library.md).

#![warn(missing_docs)]

pub mod cancel;
pub mod chunker;
#[doc(hidden)]
pub mod compress;
pub mod config;
#[doc(hidden)]
pub mod dbdir;
pub mod error;
mod families;
#[doc(hidden)]
pub mod frame;
pub mod id;
#[doc(hidden)]
pub mod index;
#[doc(hidden)]
pub mod indexfile;
#[doc(hidden)]
pub mod intake;
mod kept;
#[doc(hidden)]
pub mod keys;
#[doc(hidden)]
pub mod live;
#[doc(hidden)]
pub mod machines;
#[doc(hidden)]
pub mod object;
#[doc(hidden)]
pub mod opening;
#[doc(hidden)]
pub mod overview;
#[doc(hidden)]
pub mod pack;
#[doc(hidden)]
pub mod parity;
#[doc(hidden)]
pub mod place;
#[doc(hidden)]
pub mod platform;
pub mod reader;
pub mod remote;
#[doc(hidden)]
pub mod scratch;
#[doc(hidden)]
pub mod seal;
#[doc(hidden)]
pub mod simulation;
pub mod slot;
pub mod smallfile;
pub mod store;
#[doc(hidden)]
pub mod sweep;
#[doc(hidden)]
pub mod transfer;
mod unlisted;
#[doc(hidden)]
pub mod upgrades;
#[doc(hidden)]
pub mod varint;
pub mod writer;

pub use error::{Error, Result};
pub use id::{ChunkId, ContentHash, IndexId, ListId, MarkId, PackId, ReplicaId, RepoId, SessionId, SlotId};
pub use place::Place;
pub use platform::{child, descriptors, keyring, private, threads};
pub use smallfile::SmallFile;
#[doc(hidden)]
pub use store::{forgotten, session};
