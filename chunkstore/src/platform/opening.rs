//! Opening by a system call where too many files may be open for a while ([`super::descriptors`]).

use super::descriptors::patiently;
use rustix::io::{Errno, retry_on_intr};
use std::io;
use std::os::fd::OwnedFd;

/// [`patiently`] for a system call, which is also repeated when a signal interrupts it.
pub fn open_patiently(mut open: impl FnMut() -> rustix::io::Result<OwnedFd>) -> rustix::io::Result<OwnedFd> {
    let opened = patiently(|| retry_on_intr(&mut open).map_err(io::Error::from));
    opened.map_err(|e| Errno::from_io_error(&e).unwrap_or(Errno::IO))
}
