//! Where this program keeps what it writes itself: the repositories of a run, its cache and its state. None of it is
//! backed up, whatever the patterns: a repository that holds itself would grow with every run.

use super::BackupOptions;
use crate::entry::Kind;
use crate::error::{Error, Result, Usage};
use crate::fsmeta::stat_path;
use crate::platform::paths::to_bytes;
use crate::walk::LeftOut;
use std::path::{Path, PathBuf};

#[derive(Clone, Debug, Default)]
pub struct OwnPlaces {
    /// Directories of the repositories that are written to.
    pub repositories: Vec<PathBuf>,
    /// Cache and state.
    pub local: Vec<PathBuf>,
}

impl OwnPlaces {
    /// Devices and inodes of those that exist.
    pub(crate) fn ids(&self) -> Vec<(u64, u64)> {
        let places = self.repositories.iter().chain(&self.local);
        places.filter_map(|place| id(&real(place))).collect()
    }
}

/// What the walk must not enter. A source that is one of the repositories, or in one, is refused.
pub(super) fn left_out(options: &BackupOptions) -> Result<LeftOut> {
    let own = &options.own;
    let repositories: Vec<PathBuf> = own.repositories.iter().map(|path| real(path)).collect();
    let ids: Vec<(u64, u64)> = repositories.iter().filter_map(|path| id(path)).collect();
    let mut found = LeftOut::default();
    let places: Vec<PathBuf> = own.local.iter().map(|path| real(path)).collect();
    found.ids.extend(places.iter().filter_map(|path| id(path)));
    found.ids.extend(&ids);
    for source in &options.sources {
        let there = real_source(source, options.followed.contains(source));
        let is_own = |above: &Path| repositories.iter().any(|own| own == above) || is_one_of(above, &ids);
        if there.ancestors().any(is_own) {
            let source = source.clone();
            return Err(Error::Usage(Usage::OwnRepository { source }));
        }
        for place in places.iter().chain(&repositories) {
            match place.strip_prefix(&there) {
                Ok(below) if !below.as_os_str().is_empty() => {
                    let path = source.join(below);
                    let bytes = to_bytes(&path);
                    found
                        .paths
                        .push(bytes.strip_prefix(b"/").unwrap_or(&bytes).to_vec());
                }
                _ => {}
            }
        }
    }
    Ok(found)
}

fn is_one_of(path: &Path, ids: &[(u64, u64)]) -> bool {
    !ids.is_empty() && id(path).is_some_and(|id| ids.contains(&id))
}

/// Device and inode of a directory; what is none, or does not exist, has no identity to be known by.
fn id(path: &Path) -> Option<(u64, u64)> {
    match stat_path(path).ok()? {
        (Kind::Dir, meta) => Some((meta.dev, meta.ino)),
        _ => None,
    }
}

/// A path without links in it, as far as it exists.
fn real(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    for above in path.ancestors() {
        if let (Ok(found), Ok(rest)) = (above.canonicalize(), path.strip_prefix(above)) {
            // Joining nothing would add a slash.
            return match rest.as_os_str().is_empty() {
                true => found,
                false => found.join(rest),
            };
        }
    }
    path
}

/// The same for a source, which may itself be a link that is saved as one.
fn real_source(source: &Path, followed: bool) -> PathBuf {
    match (source.parent(), source.file_name()) {
        (Some(above), Some(name)) if !followed => real(above).join(name),
        _ => real(source),
    }
}
