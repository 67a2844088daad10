//! The room on a file system.

use super::system;
use std::io;
use std::path::Path;

/// Bytes of a file system.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DiskSpace {
    /// What this user may still write.
    pub free: u64,
    pub total: u64,
}

/// The file system that `path` is on, or would be on if it were there.
pub fn of(path: &Path) -> io::Result<DiskSpace> {
    let is_there = |path: &&Path| std::fs::symlink_metadata(path).is_ok();
    let there = path.ancestors().find(is_there).unwrap_or(Path::new("/"));
    system::space(there)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_is_there_and_of_what_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let here = of(dir.path()).unwrap();
        assert!(here.total > 0 && here.free <= here.total);
        assert_eq!(of(&dir.path().join("a/b")).unwrap().total, here.total);
    }
}
