//! What the system's error numbers mean, where [`std::io::ErrorKind`] has no word for it.

use super::system;
use std::io;

/// Whether a device failed to read or write what it stores (`EIO`): a bad sector, or a dead disk.
pub fn is_device_error(error: &io::Error) -> bool {
    system::is_device_error(error)
}

/// The same error once more, for whoever meets its cause again.
pub(crate) fn again(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(number) => io::Error::from_raw_os_error(number),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

/// The error of a write beyond the limit on file sizes, as the system words it.
pub(crate) fn file_too_large() -> io::Error {
    system::file_too_large()
}
