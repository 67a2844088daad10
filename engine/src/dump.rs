//! One file of a generation as a stream: its bytes in order, one chunk in memory.

use crate::entry::{Content, Extent, Kind};
use crate::error::{Error, Result};
use crate::manifest::Manifest;
use crate::monitor::{Monitor, Phase, Progress};
use crate::repo::Repo;
use crate::restore::{Source, normalize};
use crate::trees;
use chunkstore::frame::Decoder;
use std::io::Write;

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
    let source = Source::new(repo, monitor);
    let root = manifest.root()?;
    let entry = trees::cursor(source.reader(), &root)?.lookup(&path)?;
    let shown = || format!("/{}", path.escape_ascii());
    let entry = entry
        .ok_or_else(|| Error::NoSuchPath {
            path: shown(),
            snapshot: format!("of {}", manifest.time()),
        })?
        .entry;
    if entry.kind != Kind::File {
        return Err(Error::Usage(format!("{} is not a regular file", shown())));
    }
    let mut dump = Dump {
        source: &source,
        out,
        monitor,
        decoder: Decoder::new()?,
        chunk: Vec::new(),
        done: 0,
        size: entry.meta.size,
    };
    dump.content(&entry.content)?;
    if entry.trouble.is_some() && entry.content == Content::None || dump.done != entry.meta.size {
        let why = "it could not be read when it was backed up";
        return Err(chunkstore::Error::corrupt(shown(), why).into());
    }
    dump.out.flush().map_err(failed)?;
    Ok(dump.done)
}

struct Dump<'d> {
    source: &'d Source<'d>,
    out: &'d mut dyn Write,
    monitor: &'d dyn Monitor,
    decoder: Decoder,
    chunk: Vec<u8>,
    done: u64,
    size: u64,
}

impl Dump<'_> {
    fn content(&mut self, content: &Content) -> Result<()> {
        let Content::Bundled {
            bundle,
            offset,
            len,
            hash,
        } = content
        else {
            let (source, mut decoder) = (self.source, Decoder::new()?);
            let mut each = |extent| self.extent(extent);
            return trees::for_each_extent(source.reader(), &mut decoder, content, &mut each);
        };
        self.source.chunk(&mut self.decoder, bundle, &mut self.chunk)?;
        let start = *offset as usize;
        let bytes = self.chunk.get(start..start.saturating_add(*len as usize));
        let keys = self.source.reader().store().keys();
        match bytes.filter(|bytes| keys.content_hash(bytes) == *hash) {
            Some(bytes) => self.out.write_all(bytes).map_err(failed)?,
            None => return Err(misfit(bundle)),
        }
        self.wrote(u64::from(*len))
    }

    fn extent(&mut self, extent: Extent) -> Result<()> {
        match extent {
            Extent::Chunk { id, len } => {
                self.source.chunk(&mut self.decoder, &id, &mut self.chunk)?;
                if self.chunk.len() != len as usize {
                    return Err(misfit(&id));
                }
                self.out.write_all(&self.chunk).map_err(failed)?;
                self.wrote(len.into())
            }
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
        match self.monitor.interrupted() {
            true => Err(Error::Interrupted),
            false => Ok(()),
        }
    }
}

fn misfit(id: &chunkstore::ChunkId) -> Error {
    chunkstore::Error::corrupt(format!("chunk {id}"), "it does not hold its content").into()
}

fn failed(source: std::io::Error) -> Error {
    Error::Io {
        what: "write to",
        path: "the output".into(),
        source,
    }
}
