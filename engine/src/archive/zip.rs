//! Parts of generations as a ZIP file, for those who have no tar. It holds files, directories and symbolic links, their
//! times and permissions; what it has no place for is said and left out.

use super::{is_lost, leave_out};
use crate::dump::{Contents, failed};
use crate::entry::{Entry, Kind, Time};
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
    let mut archive = ZipStream::new(out);
    archive.add(repo, manifest, path, (b"", b""), monitor)?;
    archive.end()
}

/// An archive of paths of any number of generations, one added after the other.
pub struct ZipStream<'o> {
    passing: Passing<'o>,
    passed: Passed,
    directory: ZipDirectory,
}

impl<'o> ZipStream<'o> {
    pub fn new(out: &'o mut dyn Write) -> ZipStream<'o> {
        let passed = Passed::default();
        ZipStream {
            passing: Passing {
                out,
                passed: passed.clone(),
            },
            passed,
            directory: ZipDirectory::default(),
        }
    }

    /// Writes what is at `path` (absolute) and, of a directory, all below it. Members have their whole path without the
    /// first slash, `within` (relative, or empty) cut off its beginning, and `below` before it.
    pub fn add(
        &mut self,
        repo: &Repo,
        manifest: &Manifest,
        path: &[u8],
        (within, below): (&[u8], &[u8]),
        monitor: &dyn Monitor,
    ) -> Result<()> {
        monitor.phase(Phase::Restoring);
        let source = ChunkSource::new(repo, monitor);
        let mut contents = Contents::new(&source, &mut self.passing, monitor)?;
        list::entries(source.reader(), manifest, Some(path), true, &mut |path, entry| {
            let name = path.strip_prefix(within).unwrap_or(path);
            let name = match name {
                [] | [b'/'] => return Ok(()),
                [b'/', name @ ..] => name,
                name => name,
            };
            let name = match below {
                [] => name.to_vec(),
                below => [below, b"/", name].concat(),
            };
            member(
                &mut contents,
                (&self.passed, &mut self.directory),
                monitor,
                (path, name),
                entry,
            )
        })
    }

    /// A file of these bytes, which no generation holds.
    pub fn add_bytes(&mut self, name: &[u8], bytes: &[u8], mtime: Time) -> Result<()> {
        let member = ZipMember {
            path: name,
            mode: 0o100_644,
            uid: 0,
            gid: 0,
            mtime,
            size: bytes.len() as u64,
        };
        let offset = self.passed.bytes();
        let out = &mut self.passing;
        out.write_all(&member.header().map_err(failed)?).map_err(failed)?;
        self.passed.begin();
        out.write_all(bytes).map_err(failed)?;
        let crc = self.passed.crc();
        out.write_all(&member.descriptor(crc)).map_err(failed)?;
        self.directory.add(&member, crc, offset).map_err(failed)
    }

    pub fn end(mut self) -> Result<()> {
        self.directory
            .end(self.passed.bytes(), &mut self.passing)
            .and_then(|()| self.passing.flush())
            .map_err(failed)
    }
}

fn member(
    contents: &mut Contents<'_>,
    (passed, directory): (&Passed, &mut ZipDirectory),
    monitor: &dyn Monitor,
    (path, mut name): (&[u8], Vec<u8>),
    entry: &Entry,
) -> Result<()> {
    let meta = &entry.meta;
    let lost = is_lost(entry);
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
