//! The user's source paths as one tree, so that all sources are one walk and nested ones are met once.

use super::grafts::Grafts;
use crate::entry::Meta;
use crate::error::{Error, Result, Usage};
use crate::fsmeta::stat_path;
use crate::platform::errno::errno_of;
use crate::platform::paths::{from_root, name_bytes};
use std::collections::BTreeSet;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// A path in another form than the plain one would be recorded under a name that no reader takes.
pub(crate) fn check_sources(sources: &[PathBuf]) -> Result<()> {
    let plain = |path: &PathBuf| {
        let whole: PathBuf = path.components().collect();
        let up = path.components().any(|part| part == Component::ParentDir);
        path.is_absolute() && !up && whole.as_os_str() == path.as_os_str()
    };
    match sources.iter().find(|path| !plain(path)) {
        Some(path) => Err(Error::Usage(Usage::NotPlain { path: path.clone() })),
        None => Ok(()),
    }
}

/// What to walk.
#[derive(Clone, Default, Debug)]
pub struct Sources {
    /// Absolute.
    pub paths: Vec<PathBuf>,
    /// Those among the paths that mean what a symbolic link leads to, not the link.
    pub followed: BTreeSet<PathBuf>,
    /// Read sources that are devices or FIFOs like files.
    pub read_special: bool,
    /// Directories that are not entered, whatever patterns say.
    pub left_out: LeftOut,
    /// Say in each batch what the filter left out, and why.
    pub tells_excluded: bool,
    /// Directories that are read elsewhere.
    pub grafts: Arc<Grafts>,
}

impl Sources {
    pub fn of(paths: &[PathBuf]) -> Sources {
        Sources {
            paths: paths.to_vec(),
            ..Sources::default()
        }
    }
}

/// Directories by their identity, so that another way to one makes no difference, and by their paths for those that
/// don't exist yet.
#[derive(Clone, Default, Debug)]
pub struct LeftOut {
    /// Device and inode.
    pub ids: Vec<(u64, u64)>,
    /// Relative to `/`, as the walk comes to them.
    pub paths: Vec<Vec<u8>>,
}

impl LeftOut {
    pub(super) fn names(&self, path: &[u8], meta: &Meta) -> bool {
        self.ids.contains(&(meta.dev, meta.ino)) || self.paths.iter().any(|own| own == path)
    }
}

/// A component on the way to a source, or a source itself.
#[derive(Default, Debug)]
pub(super) struct Source {
    pub(super) name: Vec<u8>,
    /// The user named this path.
    pub(super) named: bool,
    /// And means what a link of this name leads to.
    pub(super) followed: bool,
    /// Sorted by name.
    pub(super) children: Vec<Arc<Source>>,
}

impl Source {
    pub(super) fn child(&self, name: &[u8]) -> Option<&Arc<Source>> {
        let at = self
            .children
            .binary_search_by(|c| c.name.as_slice().cmp(name))
            .ok()?;
        self.children.get(at)
    }

    /// Paths of the sources here and below; `path` is this one's.
    pub(super) fn named_paths(&self, path: &[u8], to: &mut Vec<PathBuf>) {
        if self.named {
            to.push(from_root(path));
        }
        for child in &self.children {
            child.named_paths(&crate::entry::join(path, &child.name), to);
        }
    }
}

/// A source that is not there, and the number of the error that reported it.
pub(super) type MissingSource = (PathBuf, i32);

/// The tree of the sources that exist, and those that don't with the reason's number.
pub(super) fn collect(sources: &Sources) -> Result<(Arc<Source>, Vec<MissingSource>)> {
    let mut missing = Vec::new();
    let mut paths: Vec<Named> = Vec::new();
    for source in &sources.paths {
        let followed = sources.followed.contains(source);
        let exists = |path: &PathBuf| match followed {
            true => std::fs::metadata(path).map(drop),
            false => stat_path(path).map(drop),
        };
        if !source.is_absolute() {
            return Err(Error::Usage(Usage::NotAbsolute {
                source: source.clone(),
            }));
        }
        match normal(source).and_then(|path| exists(&path).map(|()| path)) {
            Ok(path) => paths.push(Named {
                names: components(&path),
                followed,
            }),
            Err(e) => missing.push((source.clone(), errno_of(&e))),
        }
    }
    paths.sort_unstable();
    paths.dedup_by(|again, first| {
        let same = again.names == first.names;
        first.followed |= same && again.followed;
        same
    });
    Ok((Arc::new(tree(Vec::new(), &paths, 0)), missing))
}

/// One source's path, component by component.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Named {
    names: Vec<Vec<u8>>,
    followed: bool,
}

/// Without `.`, double slashes and `..`. The latter mean what they mean to the system: links before them count.
fn normal(path: &Path) -> io::Result<PathBuf> {
    if !path.components().any(|c| c == Component::ParentDir) {
        return Ok(path.components().collect());
    }
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => Ok(parent.canonicalize()?.join(name)),
        _ => path.canonicalize(),
    }
}

fn components(path: &Path) -> Vec<Vec<u8>> {
    let names = path.components().filter_map(|c| match c {
        Component::Normal(name) => Some(name_bytes(name).to_vec()),
        Component::RootDir | Component::CurDir | Component::ParentDir | Component::Prefix(_) => None,
    });
    names.collect()
}

/// `paths` are sorted, distinct and equal in their first `depth` components. Depth is bounded by PATH_MAX, as each
/// path was examined.
fn tree(name: Vec<u8>, paths: &[Named], depth: usize) -> Source {
    let named = paths.first().filter(|path| path.names.len() == depth);
    let below = paths.get(usize::from(named.is_some())..).unwrap_or_default();
    let children = below.chunk_by(|a, b| a.names.get(depth) == b.names.get(depth));
    Source {
        named: named.is_some(),
        followed: named.is_some_and(|path| path.followed),
        children: children
            .map(|run| {
                let name = run.first().and_then(|path| path.names.get(depth)).cloned();
                Arc::new(tree(name.unwrap_or_default(), run, depth + 1))
            })
            .collect(),
        name,
    }
}
