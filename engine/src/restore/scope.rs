//! What part of a generation is restored, according to the user's paths.

use super::choose::{contains, distinct, normalize};
use super::shared::absolute;
use super::{ChunkSource, RestoreOptions};
use crate::entry::Kind;
use crate::error::{Error, NamedSnapshot, Result, Usage};
use crate::manifest::Manifest;
use crate::tree::Root;
use crate::trees;

/// What of a generation is restored, and what the target stands for.
pub(super) struct Scope {
    /// Path of the directory that the target stands for.
    pub base: Vec<u8>,
    /// In the order of the stream; `None`: all that is in `base`.
    pub paths: Option<Vec<Vec<u8>>>,
}

impl Scope {
    /// Fails when the generation has no such path.
    pub fn find(
        source: &ChunkSource<'_>,
        manifest: &Manifest,
        root: &Root,
        options: &RestoreOptions,
    ) -> Result<Scope> {
        let mut cursor = trees::cursor(source.reader(), root)?;
        // Where the record of a path is lost, what is below it may still be there.
        let mut is_dir = |path: &[u8]| match cursor.lookup(path) {
            Ok(Some(item)) => Ok(item.entry.kind == Kind::Dir),
            Ok(None) => Err(Error::NoSuchPath {
                path: absolute(path).escape_ascii().to_string(),
                snapshot: NamedSnapshot::Of(manifest.time()),
            }),
            Err(e) if is_of_one_piece(&e) => Ok(true),
            Err(e) => Err(e),
        };
        let subpath = normalize(options.subpath.as_deref().unwrap_or_default())?;
        let mut paths = distinct(&options.paths)?;
        let mut base = subpath.clone();
        if !subpath.is_empty() && !is_dir(&subpath)? {
            base = parent(&subpath).to_vec();
            if paths.is_empty() {
                paths = vec![subpath.clone()];
            }
        }
        for path in paths.iter().filter(|path| !path.is_empty()) {
            if !contains(&subpath, path) {
                let shown = |path: &[u8]| absolute(path).escape_ascii().to_string();
                let (path, subpath) = (shown(path), shown(&subpath));
                return Err(Error::Usage(Usage::NotBelow { path, subpath }));
            }
            is_dir(path)?;
        }
        let whole = paths.is_empty() || paths.iter().any(|path| *path == base || path.is_empty());
        Ok(Scope {
            base,
            paths: (!whole).then_some(paths),
        })
    }
}

/// A piece of the tree is damaged, missing or can't be read, and others may be had.
pub(super) fn is_of_one_piece(error: &Error) -> bool {
    matches!(error, Error::Store(e) if e.concerns_one_object())
}

fn parent(path: &[u8]) -> &[u8] {
    let slash = path.iter().rposition(|b| *b == b'/').unwrap_or(0);
    path.get(..slash).unwrap_or_default()
}
