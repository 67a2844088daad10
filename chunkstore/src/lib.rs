//! Bytes: keyed, deduplicated, sealed, packed and indexed chunks on a remote. Knows no paths and no terminal.

pub mod error;
pub mod id;
pub mod place;
pub mod remote;

pub use error::{Error, Result};
pub use id::{ChunkId, ContentHash, IndexId, MarkId, PackId, RepoId, SessionId, SlotId};
pub use place::Place;
