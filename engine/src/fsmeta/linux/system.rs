//! What a restore asks of the process and the file system as a whole.

use std::io;
use std::os::fd::AsFd;

/// Writes all that is not yet on the disk of the file system that `dir` is on.
pub fn sync_fs(dir: impl AsFd) -> io::Result<()> {
    Ok(rustix::fs::syncfs(dir)?)
}

/// Permission bits that new files of this process do not get. Where the system doesn't tell: all but the owner's.
pub fn umask() -> u32 {
    // umask(2) can only be read by changing it, which other threads would notice.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("Umask:"));
    line.and_then(|octal| u32::from_str_radix(octal.trim(), 8).ok())
        .unwrap_or(0o077)
}
