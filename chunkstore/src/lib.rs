//! Bytes: keyed, deduplicated, sealed, packed and indexed chunks on a remote. Knows no paths and no terminal.

pub mod chunker;
pub mod compress;
pub mod config;
pub mod error;
pub mod frame;
pub mod id;
pub mod index;
pub mod indexfile;
mod kept;
pub mod keyring;
pub mod keys;
pub mod live;
pub mod object;
pub mod opening;
pub mod pack;
pub mod parity;
pub mod place;
pub mod reader;
pub mod remote;
pub mod scratch;
pub mod seal;
pub mod session;
pub mod simulation;
pub mod slot;
pub mod store;
pub mod sweep;
pub mod transfer;
pub mod upgrades;
pub mod varint;
pub mod writer;

pub use error::{Error, Result};
pub use id::{ChunkId, ContentHash, IndexId, MarkId, PackId, ReplicaId, RepoId, SessionId, SlotId};
pub use place::Place;
