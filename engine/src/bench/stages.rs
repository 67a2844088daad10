//! Each stage that a byte passes, by itself, on one thread and with warm memory: bytes a second.

use super::corpus::{noise, text};
use super::{Bench, MIB, Stages, io};
use crate::error::Result;
use crate::fsmeta::{self, AsFd};
use chunkstore::RepoId;
use chunkstore::chunker::{Bounds, Chunker};
use chunkstore::compress::{Compressor, Decompressor};
use chunkstore::error::Operation;
use chunkstore::keys::{Keys, MasterKey};
use chunkstore::seal::SealKey;
use std::fs::File;
use std::hint::black_box;
use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// A stage is repeated for so long, three times; the best counts, since whatever else runs only takes away.
const SLICE: Duration = Duration::from_millis(120);
const SLICES: usize = 3;

impl Stages {
    pub(super) fn measure(bench: &Bench<'_>) -> Result<Stages> {
        let keys = Keys::new(&MasterKey::generate()?, RepoId([1; 16]));
        let chunker = Chunker::new(keys.chunker(), Bounds::DEFAULT)?;
        let random = noise(1, MIB);
        let mut out = Vec::new();
        let compression = compression(bench, &random)?;
        let key = SealKey::new([2; 32]);
        let mut sealed = Vec::new();
        let seal = bench.rate(MIB, || {
            sealed.clear();
            Ok(key.seal(b"associated", &random, &mut sealed)?)
        })?;
        let open = bench.rate(MIB, || {
            let opened = key.open(b"associated", &sealed, &mut out);
            opened.map_err(|_| chunkstore::Error::WrongKey.into())
        })?;
        let cut = bench.rate(MIB, || {
            let mut rest = &random[..];
            while !rest.is_empty() {
                rest = &rest[chunker.cut(rest)..];
            }
            Ok(())
        })?;
        let hash = bench.rate(MIB, || {
            black_box(keys.chunk_id(false, &random));
            Ok(())
        })?;
        let file = bench.scratch("stage");
        let sync = sync_seconds(&file)?;
        let write = write_rate(bench, &file, &random)?;
        let read = read_rate(bench, &file)?;
        let (small, examine) = small_file_seconds(bench)?;
        std::fs::remove_file(&file).map_err(|e| io(Operation::Remove, &file, e))?;
        Ok(Stages {
            read,
            cut,
            hash,
            compress_text: compression.text,
            compress_noise: compression.noise,
            ratio: compression.ratio,
            decompress: compression.back,
            seal,
            open,
            write,
            sync,
            small,
            examine,
        })
    }
}

/// Bytes a second, and what is left of a text.
struct Compression {
    text: f64,
    noise: f64,
    back: f64,
    ratio: f64,
}

fn compression(bench: &Bench<'_>, random: &[u8]) -> Result<Compression> {
    let words = text(1, MIB);
    let mut out = Vec::new();
    let mut compressor = Compressor::new(bench.options.level)?;
    let text = bench.rate(MIB, || {
        compressor.compress(&words, &mut out)?;
        Ok(())
    })?;
    let noise = bench.rate(MIB, || {
        compressor.compress(random, &mut out)?;
        Ok(())
    })?;
    let codec = compressor.compress(&words, &mut out)?;
    let ratio = out.len() as f64 / words.len() as f64;
    let payload = std::mem::take(&mut out);
    let mut decompressor = Decompressor::new()?;
    let back = bench.rate(MIB, || {
        Ok(decompressor.decompress(codec, &payload, MIB, &mut out)?)
    })?;
    Ok(Compression {
        text,
        noise,
        back,
        ratio,
    })
}

impl Bench<'_> {
    /// Bytes a second of a call that handles `bytes`.
    fn rate(&self, bytes: usize, mut call: impl FnMut() -> Result<()>) -> Result<f64> {
        let mut best = 0.0f64;
        for _ in 0..SLICES {
            self.go_on()?;
            let (started, mut calls) = (Instant::now(), 0u32);
            while started.elapsed() < SLICE {
                call()?;
                calls += 1;
            }
            best = best.max(f64::from(calls) * bytes as f64 / started.elapsed().as_secs_f64());
        }
        Ok(best)
    }
}

/// Writing to a new file, to the disk's own word that it is there.
fn write_rate(bench: &Bench<'_>, path: &Path, block: &[u8]) -> Result<f64> {
    let failed = |e| io(Operation::Write, path, e);
    let blocks = 256;
    let mut best = 0.0f64;
    for _ in 0..SLICES {
        bench.go_on()?;
        let started = Instant::now();
        let mut file = File::create(path).map_err(failed)?;
        for _ in 0..blocks {
            file.write_all(block).map_err(failed)?;
        }
        file.sync_all().map_err(failed)?;
        best = best.max((blocks * block.len()) as f64 / started.elapsed().as_secs_f64());
    }
    Ok(best)
}

/// Reading from the page cache.
fn read_rate(bench: &Bench<'_>, path: &Path) -> Result<f64> {
    let mut block = vec![0; MIB];
    bench.rate(256 * MIB, || {
        let mut file = File::open(path).map_err(|e| io(Operation::Open, path, e))?;
        while file.read(&mut block).map_err(|e| io(Operation::Read, path, e))? > 0 {}
        Ok(())
    })
}

/// Seconds for a small new file to be safe.
fn sync_seconds(path: &Path) -> Result<f64> {
    let mut best = f64::MAX;
    for _ in 0..2 * SLICES {
        let started = Instant::now();
        let written = File::create(path).and_then(|mut file| {
            file.write_all(&[1; 4096])?;
            file.sync_all()
        });
        written.map_err(|e| io(Operation::Write, path, e))?;
        best = best.min(started.elapsed().as_secs_f64());
    }
    Ok(best)
}

/// Seconds to open, examine, read and close a small file that is in the page cache, and to examine it alone.
fn small_file_seconds(bench: &Bench<'_>) -> Result<(f64, f64)> {
    let path = bench.scratch("stage-small");
    let failed = |e| io(Operation::Read, &path, e);
    std::fs::write(&path, [1; 8192]).map_err(failed)?;
    let mut block = vec![0; 1 << 16];
    let per_second = bench.rate(1, || {
        let mut file = File::open(&path).map_err(failed)?;
        for _ in 0..2 {
            fsmeta::stat_fd(file.as_fd()).map_err(failed)?;
        }
        let _ = file.read(&mut block).map_err(failed)?;
        Ok(())
    })?;
    let examined = bench.rate(1, || {
        fsmeta::stat_path(&path).map_err(failed)?;
        Ok(())
    })?;
    std::fs::remove_file(&path).map_err(failed)?;
    Ok((1.0 / per_second, 1.0 / examined))
}
