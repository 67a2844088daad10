//! Directories that are read elsewhere than where the walk comes to them: in a snapshot of their file system. Their paths in
//! the generation, and the device numbers of what is in them, are those of the original.

use crate::entry::{Kind, Meta};
use crate::fsmeta::{Blank, BorrowedFd, FollowLinks, examine, stat_path};
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
}

impl Grafts {
    /// `path` is absolute, `instead` the directory that is read.
    pub fn add(&mut self, path: &Path, instead: PathBuf, is_mount: bool) {
        let path = to_bytes(path);
        let path = path.strip_prefix(b"/").unwrap_or(&path).to_vec();
        let graft = Graft {
            path: instead.into(),
            is_mount,
        };
        self.places.insert(path, graft);
    }

    /// What is on the device of a snapshot counts as what it is a snapshot of.
    pub fn add_device(&mut self, snapshot: u64, original: u64) {
        if snapshot != original && !self.devices.contains(&(snapshot, original)) {
            self.devices.push((snapshot, original));
        }
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
                let (kind, meta) = stat_path(&graft.path)?;
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
