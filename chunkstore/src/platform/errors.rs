//! What the system's error numbers mean, where [`std::io::ErrorKind`] has no word for it.

use super::system;
use std::io;

/// Whether a device failed to read or write what it stores (`EIO`): a bad sector, or a dead disk.
pub fn is_device_error(error: &io::Error) -> bool {
    system::is_device_error(error)
}

/// The error of a write beyond the limit on file sizes, as the system words it.
pub(crate) fn file_too_large() -> io::Error {
    system::file_too_large()
}

/// The system's number of a failed call, if it gave one.
pub(crate) fn number(error: &io::Error) -> Option<i32> {
    error.raw_os_error()
}

/// The failure that has this number.
pub(crate) fn of_number(number: i32) -> io::Error {
    io::Error::from_raw_os_error(number)
}
