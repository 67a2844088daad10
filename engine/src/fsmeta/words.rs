//! What the folders of all systems say in the same words.

use crate::entry::{Meta, Time, Xattr};
use std::sync::Arc;

/// The empty parts of a fresh [`Meta`]. One per listing: a global one would have all threads count references to the
/// same cache line.
#[derive(Clone)]
pub struct Blank {
    name: Arc<str>,
    xattrs: Arc<[Xattr]>,
}

impl Default for Blank {
    fn default() -> Self {
        Blank {
            name: Arc::from(String::new()),
            xattrs: Arc::from(Vec::new()),
        }
    }
}

impl Blank {
    /// Metadata of an entry of which nothing is known.
    pub fn meta(&self) -> Meta {
        Meta {
            mode: 0,
            uid: 0,
            gid: 0,
            user: self.name.clone(),
            group: self.name.clone(),
            size: 0,
            mtime: Time::default(),
            ctime: Time::default(),
            btime: None,
            dev: 0,
            ino: 0,
            nlink: 0,
            xattrs: self.xattrs.clone(),
            flags: 0,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FollowLinks {
    No,
    /// A symbolic link stands for what it leads to.
    Yes,
}

/// Device and inode, or what the system has instead: show whether a name still leads to the object that was created there.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct FileId {
    pub dev: u64,
    pub ino: u64,
}

impl From<&Meta> for FileId {
    fn from(meta: &Meta) -> Self {
        FileId {
            dev: meta.dev,
            ino: meta.ino,
        }
    }
}

/// How far the sizes that a file system reports can be relied on to recognise an unchanged file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trust {
    /// On a disk or in memory.
    All,
    /// Somebody else answers: a server, or a program by FUSE. A size of 0 may mean that it is not known.
    NotEmpty,
    /// The kernel makes the content up when it is read.
    None,
}
