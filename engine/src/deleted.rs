//! What a directory held in earlier generations and holds no more. The pieces of a generation's tree that the directory
//! lies in are known without reading them, and one that was read for a newer generation is passed over: so it costs about
//! as much as what changed in the directory, however many generations there are.

use crate::entry::{Entry, cmp_dirs};
use crate::error::Result;
use crate::list::relative;
use crate::manifest::Manifest;
use crate::repo::Repo;
use crate::run::CancelToken;
use crate::tree::Cursor;
use crate::trees::cursor;
use crate::versions::is_unknown;
use chunkstore::reader::Reader;
use chunkstore::{ChunkId, Place, SessionId};
use std::collections::HashSet;

/// Pieces that are remembered, so that memory stays bounded; others are read again.
const PIECES_MAX: usize = 64 << 10;

/// An entry that is gone, and the newest of the earlier generations, which has it last.
#[derive(Clone, PartialEq, Debug)]
pub struct DeletedEntry {
    pub entry: Entry,
    pub snapshot: SessionId,
}

/// What is in the directory at `path` in any of the generations `older` (newest first) and not in `manifest`, each name
/// once, up to `most`; and whether there is more.
pub fn deleted(
    repo: &Repo,
    reader: &Reader<'_>,
    manifest: &Manifest,
    older: &[SessionId],
    path: &[u8],
    most: usize,
) -> Result<(Vec<DeletedEntry>, bool)> {
    let dir = relative(path);
    let mut found: Vec<DeletedEntry> = Vec::new();
    if is_unknown(manifest, dir) {
        return Ok((found, false));
    }
    let mut names = SeenNames::of(dir);
    let cancel = repo.run().cancel();
    names.read(cursor(reader, &manifest.root()?)?, cancel, None)?;
    for id in older {
        let mut has_more = false;
        let mut each = |entry| {
            has_more = found.len() == most;
            if !has_more {
                let snapshot = *id;
                found.push(DeletedEntry { entry, snapshot });
            }
            !has_more
        };
        let tree = cursor(reader, &repo.manifest(*id)?.root()?)?;
        names.read(tree, cancel, Some(&mut each))?;
        if has_more {
            return Ok((found, true));
        }
    }
    Ok((found, false))
}

/// The names that a directory has in the generations that were read.
struct SeenNames<'a> {
    dir: &'a [u8],
    names: HashSet<Vec<u8>>,
    /// Pieces of which all names are among them.
    pieces: HashSet<ChunkId>,
}

impl<'a> SeenNames<'a> {
    fn of(dir: &'a [u8]) -> SeenNames<'a> {
        SeenNames {
            dir,
            names: HashSet::new(),
            pieces: HashSet::new(),
        }
    }

    /// Adds those of a generation, and calls `each` with the entries of new ones until it returns false.
    fn read<L>(
        &mut self,
        mut tree: Cursor<L>,
        cancel: &CancelToken,
        mut each: Option<&mut dyn FnMut(Entry) -> bool>,
    ) -> Result<()>
    where
        L: FnMut(&ChunkId, Option<&Place>) -> Result<Vec<u8>>,
    {
        let SeenNames { dir, names, pieces } = self;
        let dir = *dir;
        tree.stand_before(dir, b"")?;
        // Up to the first piece that begins behind the directory.
        while tree.peek_key().is_some_and(|(at, _)| cmp_dirs(at, dir).is_le()) {
            cancel.check()?;
            let Some(piece) = tree.segment_ahead()?.map(|ahead| ahead.segment.id) else {
                break;
            };
            if pieces.contains(&piece) {
                tree.skip_piece();
                continue;
            }
            let wanted = each.is_some();
            let new = tree.select(&mut |at, name| {
                let is_new = at == dir && !names.contains(name);
                is_new && names.insert(name.to_vec()) && wanted
            })?;
            if let Some(each) = &mut each
                && !new.into_iter().all(|(_, entry)| each(entry))
            {
                break;
            }
            if pieces.len() < PIECES_MAX {
                pieces.insert(piece);
            }
        }
        Ok(())
    }
}
