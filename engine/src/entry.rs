//! One file-system object as a generation records it. No operating system's types here: those end in `fsmeta`.

use chunkstore::{ChunkId, ContentHash, SmallFile, descriptors};
use std::sync::Arc;

/// A path as bytes, relative to `/`, components joined by `/`, without a leading or trailing one; the root is empty.
pub type DirPath = Arc<[u8]>;

/// Whole seconds since 1970 (may be negative) and 0..1_000_000_000 nanoseconds after them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Time {
    /// Whole seconds since 1970 UTC; negative before that.
    pub secs: i64,
    /// Nanoseconds in that second.
    pub nanos: u32,
}

/// What an entry is. Every `match` names all kinds, so that a new one shows where it must be handled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link, and where it leads, as it is stored in the link.
    Symlink {
        /// Where it leads.
        target: Vec<u8>,
    },
    /// A character device, by its number.
    CharDevice {
        /// The number.
        rdev: u64,
    },
    /// A block device, by its number.
    BlockDevice {
        /// The number.
        rdev: u64,
    },
    /// A FIFO.
    Fifo,
    /// A socket.
    Socket,
}

/// One extended attribute; ACLs are the attributes the system keeps them in.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Xattr {
    /// The name, with its namespace.
    pub name: Vec<u8>,
    /// The value.
    pub value: Vec<u8>,
}

/// Metadata of an entry. Names of user and group are empty where the system has none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Meta {
    /// Permission, set-id and sticky bits (`0o7777`).
    pub mode: u32,
    /// The owner's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// The owner's name, empty if unknown.
    pub user: Arc<str>,
    /// The group's name, empty if unknown.
    pub group: Arc<str>,
    /// Bytes of a regular file's content as it was read; 0 for all else.
    pub size: u64,
    /// When the content changed last.
    pub mtime: Time,
    /// When the entry itself changed last.
    pub ctime: Time,
    /// When the entry was created, if the file system says so.
    pub btime: Option<Time>,
    /// The device of the file system.
    pub dev: u64,
    /// The inode. Entries with equal device and inode are hard links.
    pub ino: u64,
    /// The number of hard links.
    pub nlink: u64,
    /// Sorted by name.
    pub xattrs: Arc<[Xattr]>,
    /// Flags of the inode (`FS_*_FL` of Linux), as far as somebody sets them: immutable, append-only, no-dump and others.
    pub flags: u32,
}

/// A piece of a chunked file, in file order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extent {
    /// `len` plaintext bytes, the whole chunk.
    Chunk {
        /// The chunk.
        id: ChunkId,
        /// Its length.
        len: u32,
    },
    /// A hole or a run of zeros.
    Zero {
        /// Its length.
        len: u64,
    },
}

#[allow(clippy::len_without_is_empty)] // an extent is never empty
impl Extent {
    /// The number of bytes.
    pub fn len(&self) -> u64 {
        match self {
            Extent::Chunk { len, .. } => u64::from(*len),
            Extent::Zero { len } => *len,
        }
    }
}

/// A run of extents stored as a tree chunk of its own, for files with very many.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ExtentList {
    /// The chunk with extents.
    pub id: ChunkId,
    /// Extents in the list.
    pub extents: u32,
    /// Bytes of the file that they cover.
    pub bytes: u64,
}

/// Where a regular file's bytes are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Content {
    /// No bytes: not a regular file, an empty one, or one that could not be read (then there is a problem).
    None,
    /// `len` bytes at `offset` of a bundle's plaintext; `hash` is the keyed hash of just these bytes.
    Bundled {
        /// The chunk that contains the file.
        bundle: ChunkId,
        /// Where the file begins in it.
        offset: u32,
        /// The length of the file.
        len: u32,
        /// The hash of the content.
        hash: ContentHash,
    },
    /// In chunks of its own.
    Extents(Vec<Extent>),
    /// In so many chunks that lists of them are chunks, too.
    Lists(Vec<ExtentList>),
}

impl Content {
    /// The content of a small file.
    pub fn small_file(&self) -> Option<SmallFile> {
        match self {
            Content::Bundled {
                bundle,
                offset,
                len,
                hash,
            } => Some(SmallFile {
                bundle: *bundle,
                offset: *offset,
                len: *len,
                hash: *hash,
            }),
            Content::None | Content::Extents(_) | Content::Lists(_) => None,
        }
    }
}

impl From<SmallFile> for Content {
    fn from(file: SmallFile) -> Content {
        let SmallFile {
            bundle,
            offset,
            len,
            hash,
        } = file;
        Content::Bundled {
            bundle,
            offset,
            len,
            hash,
        }
    }
}

/// Why an entry is not what the source held. An entry with a problem is read again by the next backup.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// Could not be opened or read; `errno` of the failed call. A directory's entries are missing.
    Unreadable {
        /// The error number.
        errno: i32,
    },
    /// Its name was listed and it could not be examined; kind and metadata are not known (kind says `File`).
    Unknown {
        /// The error number.
        errno: i32,
    },
    /// It changed while it was read, three times; the content is what the last reading gave.
    Changed,
    /// Content is whole; extended attributes could not be read.
    NoXattrs {
        /// The error number.
        errno: i32,
    },
}

impl Trouble {
    /// The failed call's number.
    pub fn errno(&self) -> Option<i32> {
        match self {
            Trouble::Unreadable { errno } | Trouble::Unknown { errno } | Trouble::NoXattrs { errno } => {
                Some(*errno)
            }
            Trouble::Changed => None,
        }
    }

    /// Refuses what is no trouble of the path but of this process, which has too many files open: recorded, it would look
    /// like a file that can't be read (I-11).
    pub fn of_the_source(&self, path: &[u8]) -> Result<(), chunkstore::Error> {
        match self.errno() {
            Some(errno) if descriptors::is_exhaustion(errno) => Err(chunkstore::Error::too_many_open(
                format!("/{}", path.escape_ascii()),
            )),
            _ => Ok(()),
        }
    }
}

/// What a snapshot stores under one name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// One component: not empty, not `.` or `..`, no `/`, no NUL.
    pub name: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Its metadata.
    pub meta: Meta,
    /// Where its content is stored.
    pub content: Content,
    /// What went wrong when it was saved.
    pub trouble: Option<Trouble>,
}

impl Entry {
    /// Whether the snapshot holds what it was: it could be read when it was backed up, and its data was not lost since. What
    /// is not held is no damage, for the snapshot says so itself.
    pub fn is_saved(&self) -> bool {
        match self.trouble {
            Some(Trouble::Unreadable { .. } | Trouble::Unknown { .. }) => false,
            Some(Trouble::Changed | Trouble::NoXattrs { .. }) | None => true,
        }
    }

    /// Whether it was ever read from a file system. What a command printed, or standard input gave, was not.
    pub fn was_a_file(&self) -> bool {
        self.meta.ino != 0
    }
}

/// `dir` and `name` as one path relative to `/`.
pub fn join(dir: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = Vec::with_capacity(dir.len() + 1 + name.len());
    path.extend_from_slice(dir);
    if !dir.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

/// Length of the longest beginning of both in whole components.
pub(crate) fn common_path(a: &[u8], b: &[u8]) -> usize {
    let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let ends = |path: &[u8]| path.len() == same || path.get(same) == Some(&b'/');
    if ends(a) && ends(b) {
        return same;
    }
    a.get(..same)
        .and_then(|shared| shared.iter().rposition(|b| *b == b'/'))
        .unwrap_or(0)
}

/// Order of directories in a generation: by components, so that a directory's subtree is one contiguous run
/// (`a`, `a/b`, `a-b`), which plain byte order would not give.
pub fn cmp_dirs(a: &[u8], b: &[u8]) -> std::cmp::Ordering {
    // NUL can't occur in a path, so `/` sorting as NUL orders whole components.
    let key = |c: &u8| if *c == b'/' { 0 } else { *c };
    a.iter().map(key).cmp(b.iter().map(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_open_files_are_no_trouble_of_a_file() {
        let unreadable = |errno: rustix::io::Errno| Trouble::Unreadable {
            errno: errno.raw_os_error(),
        };
        for errno in [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE] {
            let refused = unreadable(errno).of_the_source(b"a/b").unwrap_err();
            assert!(matches!(refused, chunkstore::Error::TooManyOpen { .. }));
            assert!(refused.to_string().contains("/a/b"), "{refused}");
        }
        unreadable(rustix::io::Errno::ACCESS).of_the_source(b"a").unwrap();
        Trouble::Changed.of_the_source(b"a").unwrap();
    }

    #[test]
    fn subtrees_are_contiguous() {
        let mut dirs: Vec<&[u8]> = vec![b"a-b", b"a", b"", b"a/b", b"b", b"a/b/c", b"a.c/x", b"a.c"];
        dirs.sort_by(|a, b| cmp_dirs(a, b));
        let want: Vec<&[u8]> = vec![b"", b"a", b"a/b", b"a/b/c", b"a-b", b"a.c", b"a.c/x", b"b"];
        assert_eq!(dirs, want);
    }

    #[test]
    fn common_paths_end_with_a_component() {
        for (a, b, want) in [
            ("", "", 0),
            ("", "a", 0),
            ("a", "a", 1),
            ("a", "a/b", 1),
            ("a/b", "a/c", 1),
            ("a/bc", "a/bd", 1),
            ("a/b", "a/bc", 1),
            ("ab", "ac", 0),
            ("a/b/c", "a/b/d/e", 3),
        ] {
            assert_eq!(common_path(a.as_bytes(), b.as_bytes()), want, "{a} {b}");
            assert_eq!(common_path(b.as_bytes(), a.as_bytes()), want, "{b} {a}");
        }
    }
}
