//! The way to directories deep in the target. A few directories on the way to the last one stay open, so that the next
//! one, which is mostly near, is reached from there. Reaching each from the target down would take time that grows with
//! the square of the depth.

use crate::entry::common_path;
use crate::fsmeta::{Target, TargetDir, TargetError};

/// Components that are walked at once; directories no deeper than this are opened from the target.
const NEAR: usize = 16;

pub(super) struct Route {
    /// Of the directory that was reached last.
    path: Vec<u8>,
    /// Open directories on the way to it, the highest first, and the lengths of their paths.
    open: Vec<(usize, TargetDir)>,
    /// How many there may be.
    most: usize,
}

impl Route {
    /// Keeps up to `most` directories open, and one at least.
    pub fn new(most: usize) -> Route {
        Route {
            path: Vec::new(),
            open: Vec::new(),
            most: most.max(1),
        }
    }

    /// Directories that it keeps open now.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// The directory at `path` below the target, opened without following a link.
    pub fn dir(&mut self, target: &Target, path: &[u8]) -> Result<TargetDir, TargetError> {
        let common = common_path(&self.path, path);
        self.open.retain(|(end, _)| *end <= common);
        self.path.clear();
        self.path.extend_from_slice(path);
        while let Some(half) = half_way(path, self.open.last().map_or(0, |(end, _)| *end)) {
            let dir = target.dir_from(self.nearest(), path.get(..half).unwrap_or_default())?;
            if self.open.len() >= self.most {
                self.thin_out();
            }
            self.open.push((half, dir));
        }
        target.dir_from(self.nearest(), path)
    }

    fn nearest(&self) -> Option<(usize, &TargetDir)> {
        self.open.last().map(|(end, dir)| (*end, dir))
    }

    /// Closes every other one. With one at most, that one.
    fn thin_out(&mut self) {
        let mut stays = self.open.len().is_multiple_of(2);
        self.open.retain(|_| {
            stays = !stays;
            stays && self.most > 1
        });
    }
}

/// Where the first half of what is left of `path` behind `start` ends; `None` when that is near.
fn half_way(path: &[u8], start: usize) -> Option<usize> {
    let rest = path.get(start..)?;
    // Of the slash that comes first when this is no beginning.
    let ends = || {
        let slashes = rest.iter().enumerate().filter(|(_, b)| **b == b'/');
        slashes.map(|(at, _)| start + at).filter(|end| *end > start)
    };
    let count = ends().count();
    if count < NEAR {
        return None;
    }
    ends().nth(count / 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fsmeta::Changes;
    use std::os::fd::AsFd;
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    const DEEP: usize = 3000;

    fn deep(at: usize) -> Vec<u8> {
        vec![b"n".as_slice(); at].join(&b'/')
    }

    /// A target with as many directories within each other, and what counts the components that are walked.
    fn target(at: &Path) -> (Target, Arc<AtomicU64>) {
        let walked: Arc<AtomicU64> = Arc::default();
        let changes = Changes {
            walked: Some(walked.clone()),
            ..Changes::default()
        };
        let target = Target::open_with(at, changes).unwrap();
        let mut dir = target.dir(b"").unwrap();
        for _ in 0..DEEP {
            dir = dir.create_dir(b"n").unwrap();
        }
        walked.store(0, Relaxed);
        (target, walked)
    }

    fn inode(dir: &TargetDir) -> u64 {
        crate::fsmeta::stat_fd(dir.as_fd()).unwrap().1.ino
    }

    #[test]
    fn what_is_walked_does_not_grow_with_the_square_of_the_depth() {
        let temporary = tempfile::tempdir().unwrap();
        let (target, walked) = target(temporary.path());
        let top = std::fs::metadata(temporary.path().join("n")).unwrap().ino();
        for most in [1, 2, 8, 32] {
            let mut route = Route::new(most);
            let mut inodes = Vec::new();
            for at in 1..=DEEP {
                inodes.push(inode(&route.dir(&target, &deep(at)).unwrap()));
                assert!(route.len() <= most);
            }
            assert_eq!(inodes[0], top);
            let down = walked.swap(0, Relaxed);
            for at in (1..=DEEP).rev() {
                assert_eq!(inode(&route.dir(&target, &deep(at)).unwrap()), inodes[at - 1]);
            }
            let up = walked.swap(0, Relaxed);
            let each = |walked: u64| walked / DEEP as u64;
            println!(
                "{most} open: {} components for each directory down, {} up",
                each(down),
                each(up)
            );
            if most >= 8 {
                assert!(each(down) <= 32 && each(up) <= 32, "{down} {up}");
            }
        }
        // From one place to another.
        let mut route = Route::new(4);
        for at in [DEEP, 1, DEEP - 1, 40, 17, 16, 15, DEEP] {
            let dir = route.dir(&target, &deep(at)).unwrap();
            let path = std::fs::read_link(format!(
                "/proc/self/fd/{}",
                std::os::fd::AsRawFd::as_raw_fd(&dir.as_fd())
            ));
            // Longer ones the system does not report.
            if let Ok(path) = path {
                assert_eq!(path.strip_prefix(temporary.path()).unwrap().iter().count(), at);
            }
        }
        let mut beside = deep(100);
        beside.extend_from_slice(b"/o");
        assert!(route.dir(&target, &beside).is_err());
        assert!(route.dir(&target, &deep(99)).is_ok());
        assert!(route.dir(&target, b"").is_ok());
    }
}
