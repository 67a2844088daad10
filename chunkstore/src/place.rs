//! Where a frame lies: enough to read it with no other object's help.

use crate::id::PackId;
use crate::keys::SealedSessionKey;

/// A frame's position in a pack (bytes), its codec's tag and the sealed key that its content is under.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    pub pack: PackId,
    pub offset: u32,
    pub stored_len: u32,
    /// Length of the chunk itself, bytes.
    pub plain_len: u32,
    pub codec: u8,
    pub sealed_key: SealedSessionKey,
}
