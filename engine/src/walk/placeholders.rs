//! Files whose content is only at a cloud service. What is on disk stands for it and is saved like any file: without it, the
//! service's client would take the file for deleted once the folder is restored. That the content is not in the backup has
//! to be told.
//!
//! Known are the placeholders of the desktop clients of Nextcloud and ownCloud on Linux, a single space each: with a suffix
//! of its own, or with an extended attribute (`vfs/suffix` and `vfs/xattr` in Nextcloud's client). Reading one downloads
//! nothing.

use crate::entry::{Kind, Meta};
use crate::fsmeta::{BorrowedFd, has_xattr};

const SIZE: u64 = 1;
const SUFFIXES: [&[u8]; 2] = [b".nextcloud", b".owncloud"];
const ATTRIBUTE: &[u8] = b"user.nextcloud.hydrate_exec";
/// How many are named.
const NAMED: usize = 10;

/// The placeholders that a walk came to.
#[derive(Clone, Default)]
pub struct Placeholders {
    /// Paths of the first ones, relative to `/`.
    pub named: Vec<Vec<u8>>,
    /// How many there are besides.
    pub more: u64,
}

impl Placeholders {
    pub(super) fn add(&mut self, path: &[u8]) {
        match self.named.len() < NAMED {
            true => self.named.push(path.to_vec()),
            false => self.more += 1,
        }
    }

    /// All of them.
    pub fn count(&self) -> u64 {
        self.named.len() as u64 + self.more
    }
}

/// Whether the file `name` of `dir` stands for content that is somewhere else.
pub(super) fn is_placeholder(dir: BorrowedFd<'_>, name: &[u8], kind: &Kind, meta: &Meta) -> bool {
    *kind == Kind::File
        && meta.size == SIZE
        && (SUFFIXES.iter().any(|suffix| name.ends_with(suffix)) || has_xattr(dir, name, ATTRIBUTE, None))
}
