//! Linux: raw system calls by `rustix`, directory descriptors instead of joined paths.

mod apply;
mod capture;
mod content;
mod flags;
mod owners;
mod read;
mod system;
mod target;
#[cfg(test)]
mod tests;
mod xattr;

pub use apply::{At, apply_meta};
pub use capture::{complete, examine, stat, stat_fd, stat_path};
pub use content::{clear, clone_file, has_data};
pub use flags::{CHEAP_FLAGS, locks, set_first_flags, set_flags};
pub use owners::Owners;
pub use read::{
    DataRanges, advise_done, advise_sequential, advise_soon, data_ranges, list_dir, open_ancestor, open_dir,
    open_dir_at, open_linked_dir, open_root, open_source, open_special, size_of_device,
};
pub use system::{sizes_of, sync_fs, umask};
pub use target::{Target, TargetDir};
pub use xattr::has_xattr;

use rustix::io::Errno;
use std::io;

/// What is open, and whatever has it open. On another system its handles have these names.
pub use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Whether `error` means that the name is not there any more.
pub fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

/// Whether `error` means that the file can only be read from front to back.
pub fn cannot_seek(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::SPIPE)
}
