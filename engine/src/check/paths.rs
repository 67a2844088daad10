//! Which paths of which snapshots damage hurts. Runs only when there is some; passes over segments that are whole.

use super::structure::{Structure, tree_chunk};
use super::{CheckReport, DamagedPath, Findings, LISTED};
use crate::entry::{Content, Entry, Extent, join};
use crate::error::{Error, Result};
use crate::manifest;
use crate::monitor::Monitor;
use crate::repo::Repo;
use crate::tree::{Cursor, open_extent_list};
use chunkstore::frame::Decoder;
use chunkstore::live::LiveSet;
use chunkstore::{ChunkId, Place, SessionId, SmallFile};

pub(super) fn find(
    repo: &Repo,
    structure: &Structure,
    findings: &Findings,
    report: &mut CheckReport,
    monitor: &dyn Monitor,
) -> Result<()> {
    let mut whole = LiveSet::new(repo.store.cache())?;
    for id in &structure.generations {
        let manifest = match manifest::load(&repo.store, *id) {
            Ok(manifest) => manifest,
            // In the trash, or gone since.
            Err(_) => continue,
        };
        let mut decoder = Decoder::new()?;
        let load = |chunk: &ChunkId, _: Option<&Place>| {
            tree_chunk(&repo.store, &structure.index, &mut decoder, chunk)
        };
        let mut search = Search {
            repo,
            structure,
            findings,
            report,
            snapshot: *id,
            decoder: Decoder::new()?,
        };
        let mut cursor = Cursor::new(&manifest.root()?, load);
        search.generation(&mut cursor, &mut whole, monitor)?;
    }
    Ok(())
}

struct Search<'a> {
    repo: &'a Repo,
    structure: &'a Structure,
    findings: &'a Findings,
    report: &'a mut CheckReport,
    snapshot: SessionId,
    decoder: Decoder,
}

impl Search<'_> {
    fn generation(
        &mut self,
        cursor: &mut Cursor<impl FnMut(&ChunkId, Option<&Place>) -> Result<Vec<u8>>>,
        whole: &mut LiveSet,
        monitor: &dyn Monitor,
    ) -> Result<()> {
        // The segment at hand, while nothing in it was found hurt.
        let mut clean = None;
        loop {
            if monitor.interrupted() {
                return Err(Error::Interrupted);
            }
            let ahead = cursor.segment_ahead().map(|ahead| ahead.map(|s| s.segment.id));
            match ahead {
                Ok(Some(id)) if whole.contains(&id)? => {
                    cursor.skip_piece();
                    continue;
                }
                Ok(Some(id)) => clean = Some(id),
                Ok(None) => {}
                Err(_) => {
                    self.unreadable(cursor.skip_piece());
                    continue;
                }
            }
            let item = match cursor.next() {
                Ok(Some(item)) => item,
                Ok(None) => return Ok(()),
                Err(_) => {
                    let skipped = cursor.skip_piece();
                    if skipped.is_none() {
                        return Ok(());
                    }
                    self.unreadable(skipped);
                    continue;
                }
            };
            if self.is_hurt(&item.entry)? {
                clean = None;
                self.add(&join(&item.dir, &item.entry.name), 1);
            }
            if item.pos.last
                && let Some(id) = clean.take()
            {
                whole.insert(id)?;
            }
        }
    }

    fn unreadable(&mut self, piece: Option<crate::tree::SegmentRef>) {
        if let Some(piece) = piece {
            let (dir, name) = piece.first();
            self.add(&join(dir, name), piece.entries);
        }
    }

    fn add(&mut self, path: &[u8], entries: u64) {
        self.report.damaged_paths = self.report.damaged_paths.saturating_add(entries);
        if self.report.paths.len() < LISTED {
            self.report.paths.push(DamagedPath {
                snapshot: self.snapshot.to_hex()[..8].to_string(),
                path: [b"/", path].concat(),
                entries,
            });
        }
    }

    /// Whether no place of a small file is sound.
    fn is_file_hurt(&self, file: &SmallFile) -> Result<bool> {
        let index = &self.structure.index;
        let sound = |id: &ChunkId| -> Result<bool> {
            Ok(index.locate(id)?.is_some() && !self.findings.bad.contains(id)?)
        };
        if sound(&file.bundle)? {
            return Ok(false);
        }
        for to in index.moved(&file.hash)?.iter().filter(|to| to.len == file.len) {
            if sound(&to.bundle)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn is_hurt(&mut self, entry: &Entry) -> Result<bool> {
        let bad = &self.findings.bad;
        let any = |extents: &[Extent]| -> Result<bool> {
            for extent in extents {
                if let Extent::Chunk { id, .. } = extent
                    && bad.contains(id)?
                {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        match &entry.content {
            Content::None => Ok(false),
            Content::Bundled { .. } => match entry.content.small_file() {
                Some(file) => self.is_file_hurt(&file),
                None => Ok(false),
            },
            Content::Extents(extents) => any(extents),
            Content::Lists(lists) => {
                for list in lists {
                    let plain = tree_chunk(
                        &self.repo.store,
                        &self.structure.index,
                        &mut self.decoder,
                        &list.id,
                    );
                    let Ok(extents) = plain.and_then(|plain| open_extent_list(list, &plain)) else {
                        return Ok(true);
                    };
                    if any(&extents)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }
}
