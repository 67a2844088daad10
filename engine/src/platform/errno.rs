//! Numbers of failed calls as generations record them: those of Linux, whatever system recorded or reads them, and what
//! they mean anywhere (docs/format.md, section 9).

use super::system;
use std::io;

pub const NOT_PERMITTED: i32 = 1;
pub const NOT_FOUND: i32 = 2;
pub const INPUT_OUTPUT: i32 = 5;
pub const NOT_A_DIRECTORY: i32 = 20;
/// A name that a file system has no characters for.
const BAD_CHARACTERS: i32 = 84;
pub const NOT_SUPPORTED: i32 = 95;
/// What an open file or a listed name led to is another object now.
pub const STALE: i32 = 116;

/// What an errno means on any system. The numbers are stored and never change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Reason {
    Other = 0,
    NotPermitted = 1,
    Gone = 2,
    InputOutput = 3,
    Busy = 4,
    TooLarge = 5,
    NotSupported = 6,
    Exhausted = 7,
    Unreachable = 8,
}

impl Reason {
    pub fn of(errno: i32) -> Reason {
        match errno {
            // EPERM, EACCES
            NOT_PERMITTED | 13 => Reason::NotPermitted,
            // ENOENT, ENOTDIR, ESTALE
            NOT_FOUND | NOT_A_DIRECTORY | STALE => Reason::Gone,
            // EIO, ENXIO, ENODATA, EBADMSG, EUCLEAN, EREMOTEIO
            INPUT_OUTPUT | 6 | 61 | 74 | 117 | 121 => Reason::InputOutput,
            // EAGAIN, EBUSY, ETXTBSY, EDEADLK
            11 | 16 | 26 | 35 => Reason::Busy,
            // E2BIG, EFBIG, ERANGE, ENAMETOOLONG, ELOOP, EOVERFLOW
            7 | 27 | 34 | 36 | 40 | 75 => Reason::TooLarge,
            // EINVAL, ENOTTY, ENOSYS, EOPNOTSUPP
            22 | 25 | 38 | NOT_SUPPORTED => Reason::NotSupported,
            // ENOMEM, ENFILE, EMFILE, ENOSPC, EDQUOT
            12 | 23 | 24 | 28 | 122 => Reason::Exhausted,
            // ENETUNREACH, ECONNRESET, ENOTCONN, ETIMEDOUT, EHOSTDOWN, EHOSTUNREACH
            101 | 104 | 107 | 110 | 112 | 113 => Reason::Unreachable,
            _ => Reason::Other,
        }
    }

    /// The number that is stored.
    pub fn code(self) -> u8 {
        self as u8
    }
}

/// Whether a call that names something failed because there can't be such a name. It is "invalid argument" for the drivers
/// of Windows' file systems.
pub fn is_bad_name(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, InvalidInput};
    matches!(error.kind(), InvalidFilename | InvalidInput) || errno_of(error) == BAD_CHARACTERS
}

/// The errno to record for a failed call; that of an I/O error if the system gave none.
pub fn errno_of(error: &io::Error) -> i32 {
    system::errno_of(error).unwrap_or(INPUT_OUTPUT)
}

/// The errno of a failed call, if the system gave one.
pub fn number(error: &io::Error) -> Option<i32> {
    system::errno_of(error)
}

/// The error that a recorded errno was.
pub fn error(errno: i32) -> io::Error {
    system::error(errno)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    /// On Linux a recorded number is the system's own.
    #[cfg(target_os = "linux")]
    #[test]
    fn recorded_numbers_are_those_of_linux() {
        let rows = [
            (Errno::PERM, NOT_PERMITTED, Reason::NotPermitted),
            (Errno::NOENT, NOT_FOUND, Reason::Gone),
            (Errno::IO, INPUT_OUTPUT, Reason::InputOutput),
            (Errno::NOTDIR, NOT_A_DIRECTORY, Reason::Gone),
            (Errno::STALE, STALE, Reason::Gone),
            (Errno::BUSY, 16, Reason::Busy),
            (Errno::NAMETOOLONG, 36, Reason::TooLarge),
            (Errno::OPNOTSUPP, 95, Reason::NotSupported),
            (Errno::DQUOT, 122, Reason::Exhausted),
            (Errno::HOSTUNREACH, 113, Reason::Unreachable),
            (Errno::CHILD, 10, Reason::Other),
        ];
        for (errno, number, reason) in rows {
            assert_eq!(errno_of(&errno.into()), number);
            assert_eq!(Reason::of(number), reason);
            assert_eq!(error(number).kind(), io::Error::from(errno).kind());
        }
        assert_eq!(errno_of(&io::Error::other("no number")), INPUT_OUTPUT);
    }
}
