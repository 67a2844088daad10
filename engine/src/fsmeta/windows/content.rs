//! Content that a restore does not write from chunks. Nothing is restored here yet ([`super::target`]); what can be done by
//! the standard library is.

use crate::fsmeta::Changes;
use crate::platform::handle::write_all_at;
use std::fs::File;
use std::io;

/// Written at once.
const BLOCK: usize = 64 << 10;

/// Makes `to` share all blocks of `from`: never, so that its content is copied or fetched.
pub fn clone_file(_: &Changes, _: &File, _: &File) -> bool {
    false
}

/// Whether `file` may have anything but zeros within these bytes: it is not known.
pub fn has_data(_: &File, _: u64, _: u64) -> bool {
    true
}

/// Makes these bytes of `file`, which must lie within its size, zeros.
pub fn clear(file: &File, mut at: u64, len: u64) -> io::Result<()> {
    let end = at.saturating_add(len);
    while at < end {
        let some = usize::try_from(end - at).unwrap_or(BLOCK).min(BLOCK);
        write_all_at(file, &vec![0; some], at)?;
        at += some as u64;
    }
    Ok(())
}
