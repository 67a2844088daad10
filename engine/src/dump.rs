//! One file of a generation as a stream: its bytes in order, one chunk in memory.

use crate::entry::{Content, Entry, Extent, Kind};
use crate::error::{Error, NamedSnapshot, Result, Usage};
use crate::manifest::Manifest;
use crate::monitor::{Monitor, Phase, Progress};
use crate::repo::Repo;
use crate::restore::{ChunkSource, normalize};
use crate::trees;
use chunkstore::ChunkId;
use chunkstore::error::{Flaw, Object};
use chunkstore::frame::Decoder;
use chunkstore::id::is_hex;
use std::io::Write;

const TEMPORARY: &str = ".dedup-dump-";

/// The name that a process gives to a file that it dumps until it is whole. A backup leaves out such names.
pub fn temporary_name(process: u32, number: u32) -> String {
    format!("{TEMPORARY}{process:08x}-{number:x}")
}

/// Whether it is such a name.
pub fn is_temporary(name: &[u8]) -> bool {
    let hex = |bytes: &[u8]| !bytes.is_empty() && is_hex(bytes);
    let Some(numbers) = name.strip_prefix(TEMPORARY.as_bytes()) else {
        return false;
    };
    match numbers.split_at_checked(8) {
        Some((process, [b'-', number @ ..])) => hex(process) && hex(number),
        _ => false,
    }
}

static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// Writes the regular file at `path` (absolute) to `out` and gives its length. After an error, what was written is the
/// beginning of the file: nothing unproven is ever written.
pub fn file(
    repo: &Repo,
    manifest: &Manifest,
    path: &[u8],
    out: &mut dyn Write,
    monitor: &dyn Monitor,
) -> Result<u64> {
    monitor.phase(Phase::Restoring);
    let path = normalize(path)?;
    let source = ChunkSource::new(repo, monitor);
    let root = manifest.root()?;
    let entry = trees::cursor(source.reader(), &root)?.lookup(&path)?;
    let shown = || format!("/{}", path.escape_ascii());
    let entry = entry
        .ok_or_else(|| Error::NoSuchPath {
            path: shown(),
            snapshot: NamedSnapshot::Of(manifest.time()),
        })?
        .entry;
    if entry.kind != Kind::File {
        return Err(Error::Usage(Usage::NotARegularFile { path: shown() }));
    }
    if !entry.is_saved() {
        return Err(Error::NotSaved { path: shown() });
    }
    let mut contents = Contents::new(&source, out, monitor)?;
    contents.size = entry.meta.size;
    contents.write(&shown(), &entry)?;
    contents.out.flush().map_err(failed)?;
    Ok(contents.done)
}

/// Writes files' bytes, one file after the other.
pub(crate) struct Contents<'d> {
    source: &'d ChunkSource<'d>,
    pub(crate) out: &'d mut dyn Write,
    monitor: &'d dyn Monitor,
    decoder: Decoder,
    chunk: Vec<u8>,
    /// The bundle that `chunk` holds: the next file is often in it too.
    bundle: Option<ChunkId>,
    /// Runs of zeros are passed over.
    pub(crate) skips_zeros: bool,
    /// A small file that could not be had from its bundle as a whole.
    small: Vec<u8>,
    /// Bytes so far, and in all where that is known, for the progress.
    done: u64,
    size: u64,
}

impl<'d> Contents<'d> {
    pub(crate) fn new(
        source: &'d ChunkSource<'d>,
        out: &'d mut dyn Write,
        monitor: &'d dyn Monitor,
    ) -> Result<Self> {
        Ok(Contents {
            source,
            out,
            monitor,
            decoder: Decoder::new()?,
            chunk: Vec::new(),
            bundle: None,
            skips_zeros: false,
            small: Vec::new(),
            done: 0,
            size: 0,
        })
    }

    pub(crate) fn source(&self) -> &'d ChunkSource<'d> {
        self.source
    }

    /// Writes all of a regular file, exactly as many bytes as its entry has; `shown` names it in errors.
    pub(crate) fn write(&mut self, shown: &str, entry: &Entry) -> Result<()> {
        let before = self.done;
        self.content(&entry.content)?;
        let written = self.done - before;
        if written != entry.meta.size {
            return Err(chunkstore::Error::corrupt(shown, Flaw::Incomplete).into());
        }
        Ok(())
    }

    fn content(&mut self, content: &Content) -> Result<()> {
        let Some(file) = content.small_file() else {
            let (source, mut decoder) = (self.source, Decoder::new()?);
            let mut each = |extent| self.extent(extent);
            return trees::for_each_extent(source.reader(), &mut decoder, content, &mut each);
        };
        let bytes = self.source.small(
            &mut self.decoder,
            &file,
            (&mut self.bundle, &mut self.chunk),
            &mut self.small,
        )?;
        self.out.write_all(bytes).map_err(failed)?;
        self.wrote(u64::from(file.len))
    }

    fn extent(&mut self, extent: Extent) -> Result<()> {
        match extent {
            Extent::Chunk { id, len } => {
                self.bundle = None;
                self.source.chunk(&mut self.decoder, &id, &mut self.chunk)?;
                if self.chunk.len() != len as usize {
                    return Err(misfit(&id));
                }
                self.out.write_all(&self.chunk).map_err(failed)?;
                self.wrote(len.into())
            }
            Extent::Zero { len } if self.skips_zeros => self.wrote(len),
            Extent::Zero { mut len } => {
                while len > 0 {
                    let step = len.min(ZEROS.len() as u64);
                    let zeros = ZEROS.get(..step as usize).unwrap_or(&ZEROS);
                    self.out.write_all(zeros).map_err(failed)?;
                    self.wrote(step)?;
                    len -= step;
                }
                Ok(())
            }
        }
    }

    fn wrote(&mut self, bytes: u64) -> Result<()> {
        self.done = self.done.saturating_add(bytes);
        self.monitor.progress(&Progress {
            bytes_done: self.done,
            bytes_total: self.size,
            ..Progress::default()
        });
        Ok(self.source.reader().store().cancel().check()?)
    }
}

fn misfit(id: &ChunkId) -> Error {
    chunkstore::Error::corrupt(Object::Chunk(*id), Flaw::LengthMismatch).into()
}

pub(crate) fn failed(source: std::io::Error) -> Error {
    Error::Output(source.into())
}
