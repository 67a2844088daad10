//! What a listing shows of a name.

use crate::remote::ObjectName;

/// An object and its size; `None` where the name is taken by something that is no file.
pub(super) type Listed = (ObjectName, Option<u64>);
