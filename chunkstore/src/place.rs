//! Where a frame lies, kept beside a chunk's id so that a reader may fetch it without the index.
//!
//! A hint (I-6): packs are rewritten by garbage collection, so a reader that does not find the chunk at its place
//! asks the index. What it finds there proves itself by the chunk's id.

use crate::id::PackId;

/// One frame in one pack, with all that opening it needs besides the repository's keys.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    pub pack: PackId,
    /// Bytes from the pack's beginning.
    pub offset: u32,
    /// Bytes of the sealed frame.
    pub stored_len: u32,
    /// On-disk tag of the compression.
    pub codec: u8,
    /// The content key of the session that wrote the frame, sealed to the repository's public key.
    pub sealed_key: [u8; 80],
}
