//! Part of a generation as a tar stream, with attributes, ACLs and holes: `dump` for directories. What tar can't hold is
//! reported and left out; damage ends it, since half a member can't be taken back.

mod zip;

use crate::dump::{Contents, failed};
use crate::entry::{Entry, Extent, Kind};
use crate::error::Result;
use crate::fsmeta::device_numbers;
use crate::list;
use crate::manifest::Manifest;
use crate::monitor::{Monitor, Phase, Problem, ProblemKind};
use crate::problem::{RestoreProblem, Warning};
use crate::repo::Repo;
use crate::restore::ChunkSource;
use crate::tar::{self, Member, Type};
use crate::trees;
use chunkstore::frame::Decoder;
use std::collections::HashMap;
use std::io::Write;
pub use zip::{ZipStream, zip};

/// Multiply linked files that are remembered, so that memory stays bounded; the links of others are files of their own.
const LINKS_MAX: usize = 1 << 20;

/// Writes the directory at `path` (absolute) and all below it. Members have their whole path, without the first slash.
pub fn tar(
    repo: &Repo,
    manifest: &Manifest,
    path: &[u8],
    out: &mut dyn Write,
    monitor: &dyn Monitor,
) -> Result<()> {
    monitor.phase(Phase::Restoring);
    let source = ChunkSource::new(repo, monitor);
    let mut writer = Archive {
        contents: Contents::new(&source, out, monitor)?,
        monitor,
        links: HashMap::new(),
    };
    list::entries(source.reader(), manifest, Some(path), true, &mut |path, entry| {
        writer.member(path, entry)
    })?;
    tar::end(writer.contents.out)
        .and_then(|()| writer.contents.out.flush())
        .map_err(failed)
}

/// Bytes of holes from which a file is written as one with holes, and stretches of data that such a file may have.
const HOLES_MIN: u64 = 64 << 10;
const MAP_MAX: usize = 1 << 18;

struct Archive<'a> {
    contents: Contents<'a>,
    monitor: &'a dyn Monitor,
    /// First path of each multiply linked file, by device and inode.
    links: HashMap<(u64, u64), Vec<u8>>,
}

impl Archive<'_> {
    fn member(&mut self, path: &[u8], entry: &Entry) -> Result<()> {
        let meta = &entry.meta;
        let lost = is_lost(entry);
        if lost || entry.kind == Kind::Socket {
            leave_out(self.monitor, path, lost);
            return Ok(());
        }
        let mut member = Member {
            mode: meta.mode,
            uid: meta.uid,
            gid: meta.gid,
            user: &meta.user,
            group: &meta.group,
            xattrs: &meta.xattrs,
            ..Member::file(path, 0, meta.mtime)
        };
        if let Some(first) = self.first_link(path, entry) {
            (member.kind, member.link) = (Type::HardLink, &first);
            member.xattrs = &[];
            return member.write(self.contents.out).map_err(failed);
        }
        let mut holes = None;
        match &entry.kind {
            Kind::File => {
                member.size = meta.size;
                holes = self.holes(entry)?;
            }
            Kind::Dir => member.kind = Type::Dir,
            Kind::Symlink { target } => (member.kind, member.link) = (Type::Symlink, target),
            Kind::CharDevice { rdev } => {
                (member.kind, member.device) = (Type::CharDevice, device_numbers(*rdev));
            }
            Kind::BlockDevice { rdev } => {
                (member.kind, member.device) = (Type::BlockDevice, device_numbers(*rdev));
            }
            Kind::Fifo => member.kind = Type::Fifo,
            Kind::Socket => return Ok(()),
        }
        let mut map = Vec::new();
        if let Some(data) = &holes {
            map = tar::hole_map(data);
            let stored: u64 = data.iter().map(|(_, len)| len).sum();
            (member.with_holes, member.size) = (Some(meta.size), map.len() as u64 + stored);
        }
        let size = member.size;
        member.write(self.contents.out).map_err(failed)?;
        if entry.kind == Kind::File {
            let shown = format!("/{}", path.escape_ascii());
            self.contents.out.write_all(&map).map_err(failed)?;
            self.contents.skips_zeros = holes.is_some();
            self.contents.write(&shown, entry)?;
            let padding = tar::padding(size);
            self.contents.out.write_all(padding).map_err(failed)?;
        }
        Ok(())
    }

    /// Where the data of a file is that has holes worth a map.
    fn holes(&self, entry: &Entry) -> Result<Option<Vec<(u64, u64)>>> {
        let (mut data, mut at, mut zeros): (Vec<(u64, u64)>, u64, u64) = (Vec::new(), 0, 0);
        let mut decoder = Decoder::new()?;
        let reader = self.contents.source().reader();
        trees::for_each_extent(reader, &mut decoder, &entry.content, &mut |extent| {
            let len = extent.len();
            let is_full = data.len() >= MAP_MAX;
            let continues = data.last().is_some_and(|(from, known)| from + known == at);
            match (extent, data.last_mut()) {
                (Extent::Zero { .. }, _) => zeros = zeros.saturating_add(len),
                (Extent::Chunk { .. }, Some((_, known))) if continues => *known += len,
                // So many that the map itself would not be small, and is not used.
                (Extent::Chunk { .. }, _) if is_full => {}
                (Extent::Chunk { .. }, _) => data.push((at, len)),
            }
            at = at.saturating_add(len);
            Ok(())
        })?;
        if zeros < HOLES_MIN || data.len() >= MAP_MAX || at != entry.meta.size {
            return Ok(None);
        }
        // It ends where the file does, also in a hole.
        data.push((at, 0));
        Ok(Some(data))
    }

    fn first_link(&mut self, path: &[u8], entry: &Entry) -> Option<Vec<u8>> {
        if entry.meta.nlink < 2 || entry.kind == Kind::Dir {
            return None;
        }
        let key = (entry.meta.dev, entry.meta.ino);
        if let Some(first) = self.links.get(&key) {
            return Some(first.clone());
        }
        if self.links.len() < LINKS_MAX {
            self.links.insert(key, path.to_vec());
        }
        None
    }
}

/// A directory is there also where its entries are not.
fn is_lost(entry: &Entry) -> bool {
    entry.kind != Kind::Dir && !entry.is_saved()
}

/// What can't be in the archive, or was not to be had when it was backed up.
fn leave_out(monitor: &dyn Monitor, path: &[u8], lost: bool) {
    let path = [b"/", path].concat();
    let what = match lost {
        true => ProblemKind::Restore(RestoreProblem::NotInArchive),
        false => ProblemKind::Warning(Warning::NotArchived),
    };
    monitor.problem(&Problem { path, what });
}
