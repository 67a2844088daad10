//! Extended attributes of any kind of object, within bounds (I-14). POSIX ACLs are attributes here.
//!
//! There is no call that takes a directory descriptor and a name before Linux 6.13, so objects that are not open are
//! reached through `/proc/self/fd`, which keeps to the descriptor whatever happens to the path.

use crate::entry::Xattr;
use rustix::fs::XattrFlags;
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Longest value that is stored, and what the kernel allows: XATTR_SIZE_MAX.
const VALUE_MAX: usize = 64 << 10;
/// Names of one object; XATTR_LIST_MAX.
const LIST_MAX: usize = 64 << 10;
/// Names and values of one object together.
const TOTAL_MAX: usize = 1 << 20;

pub(super) enum Object<'a> {
    /// Open for reading or writing.
    Fd(BorrowedFd<'a>),
    /// A `/proc/self/fd` path whose last component is the object itself, a symbolic link or not.
    Path(Vec<u8>),
    /// A `/proc/self/fd` path to a descriptor opened with O_PATH; never a symbolic link's.
    Magic(Vec<u8>),
}

impl Object<'_> {
    pub(super) fn named(dir: BorrowedFd<'_>, name: &[u8]) -> Object<'static> {
        let mut path = magic_path(dir);
        path.push(b'/');
        path.extend_from_slice(name);
        Object::Path(path)
    }

    pub(super) fn magic(fd: BorrowedFd<'_>) -> Object<'static> {
        Object::Magic(magic_path(fd))
    }

    fn list(&self, buffer: &mut [u8]) -> Result<usize, Errno> {
        match self {
            Object::Fd(fd) => rustix::fs::flistxattr(fd, buffer),
            Object::Path(path) => rustix::fs::llistxattr(path, buffer),
            Object::Magic(path) => rustix::fs::listxattr(path, buffer),
        }
    }

    fn get(&self, name: &[u8], buffer: &mut [u8]) -> Result<usize, Errno> {
        match self {
            Object::Fd(fd) => rustix::fs::fgetxattr(fd, name, buffer),
            Object::Path(path) => rustix::fs::lgetxattr(path, name, buffer),
            Object::Magic(path) => rustix::fs::getxattr(path, name, buffer),
        }
    }

    pub(super) fn set(&self, name: &[u8], value: &[u8]) -> Result<(), Errno> {
        let flags = XattrFlags::empty();
        match self {
            Object::Fd(fd) => rustix::fs::fsetxattr(fd, name, value, flags),
            Object::Path(path) => rustix::fs::lsetxattr(path, name, value, flags),
            Object::Magic(path) => rustix::fs::setxattr(path, name, value, flags),
        }
    }

    pub(super) fn remove(&self, name: &[u8]) -> Result<(), Errno> {
        match self {
            Object::Fd(fd) => rustix::fs::fremovexattr(fd, name),
            Object::Path(path) => rustix::fs::lremovexattr(path, name),
            Object::Magic(path) => rustix::fs::removexattr(path, name),
        }
    }
}

pub(super) fn magic_path(fd: BorrowedFd<'_>) -> Vec<u8> {
    format!("/proc/self/fd/{}", fd.as_raw_fd()).into_bytes()
}

/// Whether the object `name` in `dir` has this attribute, with this value if one is given. One that can't be read counts as
/// not there.
pub fn has_xattr(dir: BorrowedFd<'_>, name: &[u8], attribute: &[u8], value: Option<&[u8]>) -> bool {
    let object = Object::named(dir, name);
    match value {
        // Asked for its length alone.
        None => object.get(attribute, &mut []).is_ok(),
        Some(value) => {
            let mut buffer = vec![0; value.len().saturating_add(1)];
            let read = object.get(attribute, &mut buffer);
            read.is_ok_and(|len| buffer.get(..len) == Some(value))
        }
    }
}

/// Names of the object's attributes; none where the file system has no attributes at all.
pub(super) fn names(object: &Object<'_>) -> Result<Vec<Vec<u8>>, Errno> {
    let mut small = [0; 512];
    let mut large = Vec::new();
    let listed: &[u8] = match object.list(&mut small) {
        Ok(len) => small.get(..len).unwrap_or_default(),
        Err(Errno::NOTSUP | Errno::NODATA) => &[],
        Err(Errno::RANGE) => {
            large.resize(LIST_MAX, 0);
            let len = object.list(&mut large)?;
            large.get(..len).unwrap_or_default()
        }
        Err(errno) => return Err(errno),
    };
    let names = listed.split(|&b| b == 0).filter(|name| !name.is_empty());
    Ok(names.map(<[u8]>::to_vec).collect())
}

/// All attributes that could be read, sorted by name, and the first failure.
pub(super) fn read_all(object: &Object<'_>) -> (Vec<Xattr>, Option<io::Error>) {
    let names = match names(object) {
        Ok(names) => names,
        Err(errno) => return (Vec::new(), Some(errno.into())),
    };
    if names.is_empty() {
        return (Vec::new(), None);
    }
    let mut failed = None;
    let mut total = 0;
    let mut found = Vec::with_capacity(names.len());
    let mut buffer = vec![0; VALUE_MAX];
    for name in names {
        let value = match object.get(&name, &mut buffer) {
            Ok(len) => buffer.get(..len).unwrap_or_default(),
            // Gone since it was listed, or listed by a layer that has no value to give.
            Err(Errno::NODATA | Errno::NOTSUP) => continue,
            Err(Errno::RANGE) => {
                failed.get_or_insert(Errno::TOOBIG.into());
                continue;
            }
            Err(errno) => {
                failed.get_or_insert(errno.into());
                continue;
            }
        };
        total += name.len() + value.len();
        if total > TOTAL_MAX {
            failed.get_or_insert(Errno::TOOBIG.into());
            break;
        }
        let value = value.to_vec();
        found.push(Xattr { name, value });
    }
    found.sort_unstable();
    (found, failed)
}
