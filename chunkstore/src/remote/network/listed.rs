//! What a listing shows of a name.

use crate::id::is_hex;
use crate::remote::ObjectName;

/// An object and its size; `None` where the name is taken by something that is no file.
pub(super) type Listed = (ObjectName, Option<u64>);

/// Whether a folder below that of the packs holds packs: those whose ids begin so.
pub(super) fn is_prefix(name: &str) -> bool {
    name.len() == 2 && is_hex(name.as_bytes())
}
