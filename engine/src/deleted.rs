//! What a directory held in earlier generations and holds no more. Pieces of trees that generations share are read once,
//! so it costs about as much as what changed in the directory.

use crate::entry::Entry;
use crate::error::Result;
use crate::list::{directory, relative};
use crate::manifest::Manifest;
use crate::repo::Repo;
use crate::trees::cursor;
use crate::versions::is_unknown;
use chunkstore::reader::Reader;
use chunkstore::{ChunkId, SessionId};
use std::collections::HashSet;

/// Pieces that are remembered, so that memory stays bounded; others are read again.
const PIECES_MAX: usize = 64 << 10;
/// No name is longer.
const LAST_NAME: [u8; 255] = [0xff; 255];

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
    let mut known: HashSet<Vec<u8>> = HashSet::new();
    directory(reader, manifest, dir, b"", &mut |entry| {
        known.insert(entry.name.clone());
        Ok(true)
    })?;
    let mut read: HashSet<ChunkId> = HashSet::new();
    for id in older {
        repo.run().cancel().check()?;
        let mut cursor = cursor(reader, &repo.manifest(*id)?.root()?)?;
        let first = cursor.segment_of(&[dir, b"/"].concat())?;
        let last = cursor.segment_of(&[dir, b"/", &LAST_NAME].concat())?;
        if first == last && first.is_none_or(|piece| read.contains(&piece)) {
            continue;
        }
        cursor.seek(dir, b"")?;
        while cursor.peek_key().is_some_and(|(at, _)| at == dir) {
            if let Some(ahead) = cursor.segment_ahead()? {
                let piece = ahead.segment.id;
                if read.contains(&piece) {
                    cursor.skip_piece();
                    continue;
                }
            }
            let Some(item) = cursor.next()? else { break };
            // Only a piece that lies within the directory, or was read from where the directory begins.
            if item.pos.last && read.len() < PIECES_MAX {
                read.insert(item.pos.segment.segment.id);
            }
            if known.insert(item.entry.name.clone()) {
                if found.len() == most {
                    return Ok((found, true));
                }
                found.push(DeletedEntry {
                    entry: item.entry,
                    snapshot: *id,
                });
            }
        }
        if let Some(last) = last
            && read.len() < PIECES_MAX
        {
            read.insert(last);
        }
    }
    Ok((found, false))
}
