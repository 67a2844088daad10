//! Small files as a writer sees them: which may be referenced (I-4), and where content that it reads is already.

use super::{Writer, WriterState};
use crate::error::{Object, Result};
use crate::id::{ChunkId, ContentHash};
use crate::index::{KnownFile, Presence};
use crate::live::LiveSet;
use crate::simulation::{self, Rule};
use crate::smallfile::SmallFile;

/// Something that may not be referenced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Absent {
    /// A chunk.
    Chunk(ChunkId),
    /// A small file.
    File(SmallFile),
}

impl From<Absent> for Object {
    fn from(absent: Absent) -> Object {
        match absent {
            Absent::Chunk(id) => Object::Chunk(id),
            Absent::File(file) => Object::from(&file),
        }
    }
}

impl Writer {
    /// Whether a small file may be referenced: as [`Writer::present`], by its bundle or where it was moved to.
    pub fn present_file(&self, presence: &mut Presence, file: &SmallFile) -> Result<bool> {
        if simulation::left_out(Rule::NoTrust) {
            return Ok(true);
        }
        let shared = &self.shared;
        presence.of(file, &mut |bundle| shared.present(bundle), &mut |file| {
            let index = shared.index(&mut |_, _| {})?;
            Ok(index.moved_to(file, &shared.view.condemned)?.is_some())
        })
    }

    /// Calls `each` with what of `live` may not be referenced.
    pub fn absent(&self, live: &mut LiveSet, each: &mut dyn FnMut(Absent) -> Result<()>) -> Result<()> {
        live.scan(&mut |ids| {
            ids.iter().try_for_each(|id| match self.present(id)? {
                true => Ok(()),
                false => each(Absent::Chunk(*id)),
            })
        })?;
        let mut presence = Presence::default();
        live.scan_files(&mut |file| match self.present_file(&mut presence, file)? {
            true => Ok(()),
            false => each(Absent::File(*file)),
        })
    }

    /// Known places of small files' content, for sorted hashes. Only bundles that may be referenced are given.
    pub fn known_files(&self, sorted: &[ContentHash]) -> Result<Vec<Option<KnownFile>>> {
        let index = self.shared.index(&mut |_, _| {})?;
        let mut known = index.known_files(sorted)?;
        let mut last = None;
        for slot in &mut known {
            let Some(file) = slot else { continue };
            let present = match last {
                Some((bundle, present)) if bundle == file.bundle => present,
                _ => self.shared.present(&file.bundle)?,
            };
            last = Some((file.bundle, present));
            if !present {
                *slot = None;
            }
        }
        if index.has_moved()? {
            for (slot, hash) in known.iter_mut().zip(sorted).filter(|(slot, _)| slot.is_none()) {
                *slot = self.shared.known_by_move(hash)?;
            }
        }
        Ok(known)
    }

    /// Notes where these files are, for later runs.
    pub fn remember_files(&self, files: &[(ContentHash, KnownFile)]) -> Result<()> {
        if self.dry {
            Ok(())
        } else {
            self.shared.index(&mut |_, _| {})?.remember_files(files)
        }
    }
}

impl WriterState {
    /// A place that a collection moved this content to, as one that may be referenced by its new bundle.
    fn known_by_move(&self, hash: &ContentHash) -> Result<Option<KnownFile>> {
        let index = self.index(&mut |_, _| {})?;
        let condemned = &self.view.condemned;
        let moved = index.moved(hash)?;
        let good = moved.iter().find(|to| index.is_usable(&to.pack, condemned));
        Ok(good.map(|to| KnownFile {
            bundle: to.bundle,
            offset: to.offset,
            len: to.len,
        }))
    }
}
