//! Directories that are read elsewhere than where the walk comes to them: in a snapshot of their file system. Their paths in
//! the generation, and the device numbers of what is in them, are those of the original.

use crate::entry::{Kind, Meta};
use crate::fsmeta::{Blank, BorrowedFd, FollowLinks, OwnedFd, examine, open_dir_at, stat_path};
use crate::platform::errno;
use crate::platform::paths::to_bytes;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Clone, Default, Debug)]
pub struct Grafts {
    /// By the path relative to `/` at which the walk comes to them.
    places: BTreeMap<Vec<u8>, Graft>,
    /// Of snapshots, and of what they are of.
    devices: Vec<(u64, u64)>,
}

/// A directory that takes the place of another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Graft {
    pub path: Arc<Path>,
    /// A file system is mounted on the original.
    pub is_mount: bool,
    /// In which snapshot it is, if it is in one.
    snapshot: Option<GraftedSnapshot>,
}

/// The root of a snapshot, and its device.
#[derive(Clone, PartialEq, Eq, Debug)]
struct GraftedSnapshot {
    root: Arc<Path>,
    device: u64,
}

impl Graft {
    pub(super) fn open(&self) -> io::Result<OwnedFd> {
        self.of_the_snapshot(open_dir_at(&self.path))
    }

    /// A snapshot can be unmounted while it is read, as LVM does with one that is full. The empty directory below it must not
    /// be taken for what was in it.
    fn of_the_snapshot<T>(&self, found: io::Result<T>) -> io::Result<T> {
        let is_gone = |snapshot: &GraftedSnapshot| {
            !stat_path(&snapshot.root).is_ok_and(|(_, meta)| meta.dev == snapshot.device)
        };
        match self.snapshot.as_ref().is_some_and(is_gone) {
            true => Err(errno::error(errno::INPUT_OUTPUT)),
            false => found,
        }
    }
}

impl Grafts {
    /// `path` is absolute, `instead` the directory that is read.
    pub fn add(&mut self, path: &Path, instead: PathBuf, is_mount: bool) {
        let graft = Graft {
            path: instead.into(),
            is_mount,
            snapshot: None,
        };
        self.insert(path, graft);
    }

    /// The same of a directory in the snapshot at `root`. What is on its device counts as being on the `original` one.
    pub fn add_snapshot(
        &mut self,
        path: &Path,
        instead: PathBuf,
        is_mount: bool,
        root: &Path,
        original: u64,
    ) -> io::Result<()> {
        let device = stat_path(root)?.1.dev;
        if device != original && !self.devices.contains(&(device, original)) {
            self.devices.push((device, original));
        }
        let root = root.into();
        let graft = Graft {
            path: instead.into(),
            is_mount,
            snapshot: Some(GraftedSnapshot { root, device }),
        };
        self.insert(path, graft);
        Ok(())
    }

    fn insert(&mut self, path: &Path, graft: Graft) {
        let path = to_bytes(path);
        let path = path.strip_prefix(b"/").unwrap_or(&path).to_vec();
        self.places.insert(path, graft);
    }

    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// What is read instead of a directory, by its path relative to `/`.
    pub(super) fn at(&self, path: &[u8]) -> Option<&Graft> {
        self.places.get(path)
    }

    /// As [`examine`] does, of what is read at this path.
    pub(super) fn examine(
        &self,
        dir: BorrowedFd<'_>,
        name: &[u8],
        path: &[u8],
        follow: FollowLinks,
        blank: &Blank,
    ) -> io::Result<(Kind, Meta, Option<bool>)> {
        let (kind, meta, mount) = match self.at(path) {
            Some(graft) => {
                let (kind, meta) = graft.of_the_snapshot(stat_path(&graft.path))?;
                (kind, meta, Some(graft.is_mount))
            }
            None => examine(dir, name, follow, blank)?,
        };
        Ok((kind, self.original(meta), mount))
    }

    /// With the device number of the original.
    pub(super) fn original(&self, meta: Meta) -> Meta {
        let known = self.devices.iter().find(|(snapshot, _)| *snapshot == meta.dev);
        Meta {
            dev: known.map_or(meta.dev, |(_, original)| *original),
            ..meta
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is missing in a snapshot that is there is missing; of one that is not, nothing is known.
    #[test]
    fn a_snapshot_that_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("snapshot");
        std::fs::create_dir_all(root.join("a")).unwrap();
        let mut grafts = Grafts::default();
        for name in ["a", "b"] {
            let at = Path::new("/src").join(name);
            grafts
                .add_snapshot(&at, root.join(name), false, &root, 77)
                .unwrap();
        }
        let open = |path: &[u8]| grafts.at(path).unwrap().open().map(drop);
        let open = |path| open(path).map_err(|e| errno::errno_of(&e));
        assert_eq!([open(b"src/a"), open(b"src/b")], [Ok(()), Err(errno::NOT_FOUND)]);
        std::fs::remove_dir_all(&root).unwrap();
        assert_eq!(open(b"src/a"), Err(errno::INPUT_OUTPUT));
    }
}
