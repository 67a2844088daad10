//! Paths of the system as generations hold them: bytes, with components joined by `/`. On Unix they are the bytes of the
//! system; on Windows, names in WTF-8, with a drive's
//! letter as the first: `/C/Users`.

use super::system;
use std::borrow::Cow;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The bytes of one component.
pub fn name_bytes(name: &OsStr) -> &[u8] {
    name.as_encoded_bytes()
}

pub fn to_bytes(path: &Path) -> Cow<'_, [u8]> {
    system::to_bytes(path)
}

pub fn from_bytes(bytes: &[u8]) -> Cow<'_, Path> {
    system::from_bytes(bytes)
}

/// The path of what is at `path` below the root of the file system.
pub fn from_root(path: &[u8]) -> PathBuf {
    system::from_root(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_as_they_were() {
        for bytes in [b"".as_slice(), b"/", b"a/b", b"/a//b/", b"/sp ace/\xc3\xa4"] {
            assert_eq!(&*to_bytes(&from_bytes(bytes)), bytes);
        }
        #[cfg(unix)]
        assert_eq!(&*to_bytes(&from_bytes(b"/a\xff")), b"/a\xff");
        assert_eq!(from_root(b"a/b"), Path::new("/a/b"));
        assert_eq!(from_root(b""), Path::new("/"));
    }
}
