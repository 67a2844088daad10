//! Which paths of which snapshots damage affects, and which can't be checked. Runs only when there is some; passes over
//! segments that are whole.

use super::structure::{Structure, tree_chunk};
use super::triage::Triage;
use super::{CheckReport, DamagedPath, Findings, LISTED};
use crate::entry::{Content, Entry, Extent, join};
use crate::error::{Error, Result};
use crate::manifest;
use crate::repo::Repo;
use crate::run::CancelToken;
use crate::tree::{Cursor, open_extent_list};
use crate::trees::{self, TreeStep};
use chunkstore::frame::Decoder;
use chunkstore::live::LiveSet;
use chunkstore::{ChunkId, Error as StoreError, Place, SessionId, SmallFile};

pub(super) fn find(
    repo: &Repo,
    triage: &Triage<'_>,
    structure: &Structure,
    findings: &Findings,
    report: &mut CheckReport,
) -> Result<()> {
    let mut proven = LiveSet::new(repo.store.cache())?;
    for id in &structure.generations {
        let manifest = match manifest::load(&repo.store, *id) {
            Ok(manifest) => manifest,
            // In the trash, gone since, or named already.
            Err(_) => continue,
        };
        let mut decoder = Decoder::new()?;
        let load =
            |chunk: &ChunkId, _: Option<&Place>| tree_chunk(triage, &structure.index, &mut decoder, chunk);
        let mut search = PathSearch {
            triage,
            structure,
            findings,
            report,
            snapshot: *id,
            decoder: Decoder::new()?,
        };
        let mut cursor = Cursor::new(&manifest.root()?, load);
        search.generation(&mut cursor, &mut proven, repo.run().cancel())?;
    }
    Ok(())
}

/// What is known of a path, or of what it needs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum State {
    Whole,
    /// Something that it needs can't be read.
    Unproven,
    Damaged,
}

impl State {
    /// Of what could not be read for this reason. What is neither damage nor one object's trouble ends the search.
    fn of(error: Error) -> Result<State> {
        match error {
            Error::Store(e) if e.is_damage() => Ok(State::Damaged),
            Error::Store(StoreError::Unreadable { .. } | StoreError::NewerFormat { .. }) => {
                Ok(State::Unproven)
            }
            error => Err(error),
        }
    }
}

struct PathSearch<'a> {
    triage: &'a Triage<'a>,
    structure: &'a Structure,
    findings: &'a Findings,
    report: &'a mut CheckReport,
    snapshot: SessionId,
    decoder: Decoder,
}

impl PathSearch<'_> {
    fn generation(
        &mut self,
        cursor: &mut Cursor<impl FnMut(&ChunkId, Option<&Place>) -> Result<Vec<u8>>>,
        proven: &mut LiveSet,
        cancel: &CancelToken,
    ) -> Result<()> {
        trees::each_step(cursor, proven, cancel, &mut |step| {
            let item = match step {
                TreeStep::Entry(item) => item,
                TreeStep::Unread(error, piece) => {
                    let state = State::of(error)?;
                    self.piece(piece, state);
                    return Ok(false);
                }
            };
            let state = self.entry(&item.entry)?;
            if state != State::Whole {
                self.add(&join(&item.dir, &item.entry.name), 1, state);
            }
            Ok(state == State::Whole)
        })
    }

    fn piece(&mut self, piece: Option<crate::tree::SegmentRef>, state: State) {
        if let Some(piece) = piece {
            let (dir, name) = piece.first();
            self.add(&join(dir, name), piece.entries, state);
        }
    }

    fn add(&mut self, path: &[u8], entries: u64, state: State) {
        let report = &mut *self.report;
        let (count, paths) = match state {
            State::Damaged => (&mut report.damaged_paths, &mut report.paths),
            State::Whole | State::Unproven => (&mut report.unproven_paths, &mut report.unproven),
        };
        *count = count.saturating_add(entries);
        if paths.len() < LISTED {
            paths.push(DamagedPath {
                snapshot: self.snapshot.to_hex()[..8].to_string(),
                path: [b"/", path].concat(),
                entries,
            });
        }
    }

    fn chunk(&self, id: &ChunkId) -> Result<State> {
        Ok(match () {
            () if self.findings.bad.contains(id)? => State::Damaged,
            () if self.findings.unproven.contains(id)? => State::Unproven,
            () => State::Whole,
        })
    }

    /// The same for a chunk that the index may not have.
    fn bundle(&self, id: &ChunkId) -> Result<State> {
        match self.structure.index.locate(id)? {
            Some(_) => self.chunk(id),
            None if self.triage.index_is_unread() => Ok(State::Unproven),
            None => Ok(State::Damaged),
        }
    }

    /// The best of all places of a small file.
    fn small(&self, file: &SmallFile) -> Result<State> {
        let mut best = self.bundle(&file.bundle)?;
        if best == State::Whole {
            return Ok(best);
        }
        let moved = self.structure.index.moved(&file.hash)?;
        for to in moved.iter().filter(|to| to.len == file.len) {
            best = best.min(self.bundle(&to.bundle)?);
        }
        Ok(best)
    }

    /// The worst of all that a file consists of.
    fn extents(&self, extents: &[Extent]) -> Result<State> {
        let mut worst = State::Whole;
        for extent in extents {
            if let Extent::Chunk { id, .. } = extent {
                worst = worst.max(self.chunk(id)?);
            }
        }
        Ok(worst)
    }

    fn entry(&mut self, entry: &Entry) -> Result<State> {
        match &entry.content {
            Content::None => Ok(State::Whole),
            Content::Bundled { .. } => match entry.content.small_file() {
                Some(file) => self.small(&file),
                None => Ok(State::Whole),
            },
            Content::Extents(extents) => self.extents(extents),
            Content::Lists(lists) => {
                let mut worst = State::Whole;
                for list in lists {
                    let plain = tree_chunk(self.triage, &self.structure.index, &mut self.decoder, &list.id);
                    worst = worst.max(match plain.and_then(|plain| open_extent_list(list, &plain)) {
                        Ok(extents) => self.extents(&extents)?,
                        Err(e) => State::of(e)?,
                    });
                }
                Ok(worst)
            }
        }
    }
}
