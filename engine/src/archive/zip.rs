//! Part of a generation as a ZIP file, for those who have no tar. It holds files, directories and symbolic links, their
//! times and permissions; what it has no place for is said and left out.

use super::leave_out;
use crate::dump::{Contents, failed};
use crate::entry::{Content, Entry, Kind};
use crate::error::Result;
use crate::list;
use crate::manifest::Manifest;
use crate::monitor::{Monitor, Phase};
use crate::repo::Repo;
use crate::restore::ChunkSource;
use crate::zip::{Crc32, ZipDirectory, ZipMember};
use std::cell::Cell;
use std::io::{self, Write};
use std::rc::Rc;

/// What passed to the output: bytes in all, and the checksum of those since it was last begun.
#[derive(Clone, Default)]
struct Passed(Rc<Cell<(u64, Crc32)>>);

struct Passing<'o> {
    out: &'o mut dyn Write,
    passed: Passed,
}

impl Write for Passing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        let (count, mut crc) = self.passed.0.get();
        crc.update(bytes.get(..written).unwrap_or_default());
        self.passed.0.set((count + written as u64, crc));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Passed {
    fn bytes(&self) -> u64 {
        self.0.get().0
    }

    fn begin(&self) {
        self.0.set((self.bytes(), Crc32::default()));
    }

    fn crc(&self) -> u32 {
        self.0.get().1.value()
    }
}

/// Writes the directory at `path` (absolute) and all below it. Members have their whole path, without the first slash.
pub fn zip(
    repo: &Repo,
    manifest: &Manifest,
    path: &[u8],
    out: &mut dyn Write,
    monitor: &dyn Monitor,
) -> Result<()> {
    monitor.phase(Phase::Restoring);
    let source = ChunkSource::new(repo, monitor);
    let passed = Passed::default();
    let mut passing = Passing {
        out,
        passed: passed.clone(),
    };
    let mut contents = Contents::new(&source, &mut passing, monitor)?;
    let mut directory = ZipDirectory::default();
    list::entries(source.reader(), manifest, Some(path), true, &mut |path, entry| {
        member(&mut contents, &passed, &mut directory, monitor, path, entry)
    })?;
    directory
        .end(passed.bytes(), contents.out)
        .and_then(|()| contents.out.flush())
        .map_err(failed)
}

fn member(
    contents: &mut Contents<'_>,
    passed: &Passed,
    directory: &mut ZipDirectory,
    monitor: &dyn Monitor,
    path: &[u8],
    entry: &Entry,
) -> Result<()> {
    let meta = &entry.meta;
    let lost = entry.trouble.is_some() && entry.content == Content::None && meta.size > 0;
    let mut name = path.to_vec();
    let (kind, size) = match &entry.kind {
        _ if lost => {
            leave_out(monitor, path, true);
            return Ok(());
        }
        Kind::File => (0o100_000, meta.size),
        Kind::Dir => {
            name.push(b'/');
            (0o040_000, 0)
        }
        Kind::Symlink { target } => (0o120_000, target.len() as u64),
        Kind::CharDevice { .. } | Kind::BlockDevice { .. } | Kind::Fifo | Kind::Socket => {
            leave_out(monitor, path, false);
            return Ok(());
        }
    };
    let member = ZipMember {
        path: &name,
        mode: kind | meta.mode,
        uid: meta.uid,
        gid: meta.gid,
        mtime: meta.mtime,
        size,
    };
    let offset = passed.bytes();
    let header = member.header().map_err(failed)?;
    contents.out.write_all(&header).map_err(failed)?;
    passed.begin();
    match &entry.kind {
        Kind::File => contents.write(&format!("/{}", path.escape_ascii()), entry)?,
        Kind::Symlink { target } => contents.out.write_all(target).map_err(failed)?,
        Kind::Dir | Kind::CharDevice { .. } | Kind::BlockDevice { .. } | Kind::Fifo | Kind::Socket => {}
    }
    let crc = passed.crc();
    contents.out.write_all(&member.descriptor(crc)).map_err(failed)?;
    directory.add(&member, crc, offset).map_err(failed)
}
