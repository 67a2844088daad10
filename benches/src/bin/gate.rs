//! The regression gate: processor time of whole runs, as multiples of what their unavoidable parts take in the same
//! process moments before. Processor time and not wall time, a ratio and not seconds, the best of several rounds and
//! not the mean: so that other work on the machine, and another machine, move it little. Ends with 1 when a ratio is
//! above its limit in every round.

use chunkstore::RepoId;
use chunkstore::chunker::{Bounds, Chunker};
use chunkstore::compress::{Compressor, Decompressor};
use chunkstore::keys::{Keys, MasterKey};
use chunkstore::seal::SealKey;
use corpus::{noise, text};
use engine::backup::{self, BackupOptions};
use engine::key::{Cost, new_key_file};
use engine::monitor::Quiet;
use engine::repo::{self, Repo};
use engine::restore;
use engine::run::{LocalDirs, RunContext};
use std::error::Error;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const MIB: usize = 1 << 20;
const ROUNDS: usize = 7;
/// Small files of text, and how many: 48 MiB.
const SMALL: usize = 12 << 10;
const FILES: u64 = 4096;
/// One file of noise.
const LARGE: usize = 128 * MIB;

/// A run, and how many times the processor time of its unavoidable parts it may take. The limits are half as much
/// again as what was measured when they were set.
struct Case {
    name: &'static str,
    limit: f64,
    best: f64,
}

fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let scratch = folder.path().canonicalize()?;
    let mut cases = [
        ("small files of text, backup", 1.75),
        ("small files of text, restore", 3.4),
        ("small files, nothing changed", 0.9),
        ("noise, backup", 2.1),
        ("noise, restore", 1.6),
    ]
    .map(|(name, limit)| Case {
        name,
        limit,
        best: f64::MAX,
    });
    let small = small_files(&scratch.join("small"))?;
    let large = scratch.join("large");
    std::fs::create_dir(&large)?;
    std::fs::write(large.join("noise"), noise(0, LARGE))?;
    for round in 0..ROUNDS {
        let at = scratch.join(format!("{round}"));
        let found = [
            small_round(&small, &at.join("small"))?,
            large_round(&large, &at.join("large"))?,
        ]
        .concat();
        for (case, ratio) in cases.iter_mut().zip(found) {
            case.best = case.best.min(ratio);
        }
        std::fs::remove_dir_all(&at)?;
        if round >= 2 && cases.iter().all(|case| case.best <= case.limit) {
            break;
        }
    }
    let mut slow = false;
    for Case { name, limit, best } in &cases {
        let word = if best <= limit { "ok" } else { "TOO SLOW" };
        slow |= best > limit;
        println!("{name:32} {best:5.2} of at most {limit:.2}  {word}");
    }
    match slow {
        true => Err("a run got slower beside its parts".into()),
        false => Ok(()),
    }
}

/// Processor seconds of all threads that the call takes.
fn cpu<T>(call: impl FnOnce() -> Result<T>) -> Result<f64> {
    let now = || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
    };
    let before = now();
    black_box(call()?);
    Ok(now() - before)
}

fn small_files(at: &Path) -> Result<PathBuf> {
    for number in 0..FILES {
        let dir = at.join(format!("{}", number / 64));
        std::fs::create_dir_all(&dir)?;
        std::fs::write(dir.join(format!("{number}.c")), text(number, SMALL))?;
    }
    Ok(at.to_path_buf())
}

/// What can't be left out by any program that stores these bytes so.
struct Parts {
    keys: Keys,
    seal: SealKey,
    chunker: Chunker,
    compressor: Compressor,
    decompressor: Decompressor,
    payload: Vec<u8>,
    sealed: Vec<u8>,
    plain: Vec<u8>,
}

impl Parts {
    fn new() -> Result<Self> {
        let keys = Keys::new(&MasterKey::generate()?, RepoId([1; 16]));
        let (payload, sealed, plain) = Default::default();
        Ok(Parts {
            chunker: Chunker::new(keys.chunker(), Bounds::DEFAULT)?,
            keys,
            seal: SealKey::new([2; 32]),
            compressor: Compressor::new(3)?,
            decompressor: Decompressor::new()?,
            payload,
            sealed,
            plain,
        })
    }

    fn store(&mut self, piece: &[u8]) -> Result<()> {
        black_box(self.keys.chunk_id(false, piece));
        let codec = self.compressor.compress(piece, &mut self.payload)?;
        self.sealed.clear();
        self.seal.seal(b"part", &self.payload, &mut self.sealed)?;
        self.seal
            .open(b"part", &self.sealed, &mut self.payload)
            .map_err(|_| "a seal does not open")?;
        self.decompressor
            .decompress(codec, &self.payload, piece.len(), &mut self.plain)?;
        black_box(self.keys.chunk_id(false, &self.plain));
        Ok(())
    }

    fn load(&mut self, piece: &[u8]) -> Result<()> {
        let codec = self.compressor.compress(piece, &mut self.payload)?;
        self.sealed.clear();
        Ok(self
            .seal
            .seal(b"part", &self.payload, &mut self.sealed)
            .map(|()| {
                black_box(codec);
            })?)
    }
}

fn small_round(source: &Path, at: &Path) -> Result<Vec<f64>> {
    let mut parts = Parts::new()?;
    let mut bundle = Vec::new();
    let storing = cpu(|| {
        for number in 0..FILES {
            let path = source.join(format!("{}/{number}.c", number / 64));
            let content = std::fs::read(path)?;
            black_box(parts.keys.content_hash(&content));
            bundle.extend_from_slice(&content);
            if bundle.len() >= MIB {
                parts.store(&bundle)?;
                bundle.clear();
            }
        }
        Ok(())
    })?;
    let bench = Backup::new(source, at)?;
    let stored = cpu(|| bench.backup())?;
    let examining = cpu(|| {
        for number in 0..FILES {
            let path = source.join(format!("{}/{number}.c", number / 64));
            black_box(std::fs::symlink_metadata(path)?);
        }
        Ok(())
    })?;
    let examined = cpu(|| bench.backup())?;
    let content = text(1, SMALL);
    let copy = at.join("copy");
    let writing = cpu(|| {
        for number in 0..FILES {
            let dir = copy.join(format!("{}", number / 64));
            std::fs::create_dir_all(&dir)?;
            std::fs::write(dir.join(format!("{number}.c")), &content)?;
        }
        Ok(())
    })?;
    let restored = cpu(|| bench.restore(&at.join("restored")))?;
    // Opening the repository and publishing cost the same however little there is to examine.
    let fixed = 0.02;
    Ok(vec![
        stored / storing,
        restored / writing,
        examined / (examining * 2.0 + fixed),
    ])
}

fn large_round(source: &Path, at: &Path) -> Result<Vec<f64>> {
    let mut parts = Parts::new()?;
    let whole = std::fs::read(source.join("noise"))?;
    let storing = cpu(|| {
        let mut rest = &whole[..];
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(parts.chunker.cut(rest));
            parts.store(piece)?;
            rest = after;
        }
        Ok(std::fs::write(at.with_extension("copy"), &whole)?)
    })?;
    let bench = Backup::new(source, at)?;
    let stored = cpu(|| bench.backup())?;
    let loading = cpu(|| {
        for piece in whole.chunks(MIB / 2) {
            black_box(parts.keys.chunk_id(false, piece));
            parts.load(piece)?;
        }
        Ok(std::fs::write(at.with_extension("again"), &whole)?)
    })?;
    let restored = cpu(|| bench.restore(&at.join("restored")))?;
    Ok(vec![stored / storing, restored / loading])
}

/// A source and a repository of its own.
struct Backup {
    repo: Repo,
    source: PathBuf,
}

impl Backup {
    fn new(source: &Path, at: &Path) -> Result<Self> {
        std::fs::create_dir_all(at)?;
        let location = at.join("repository");
        let location = location.to_str().ok_or("the scratch folder must be UTF-8")?;
        let (_, secret) = new_key_file()?;
        let slots = [(secret.clone(), "gate")];
        let dirs = LocalDirs {
            cache: at.join("cache"),
            state: at.join("state"),
        };
        let run = RunContext {
            // Later than the files, or all of them would count as just changed.
            now: jiff::Timestamp::now() + Duration::from_secs(3600),
            threads: std::num::NonZeroUsize::new(2),
            ..RunContext::new(dirs)
        };
        repo::create(location, &run, Bounds::DEFAULT, &slots, Cost::FLOOR, None)?;
        Ok(Backup {
            repo: Repo::open(location, &secret, &run)?,
            source: source.to_path_buf(),
        })
    }

    fn backup(&self) -> Result<()> {
        let options = BackupOptions::new(vec![self.source.clone()]);
        backup::run(&self.repo, &options, None, &Quiet)?;
        Ok(())
    }

    fn restore(&self, target: &Path) -> Result<()> {
        let listed = self.repo.snapshots()?.0;
        let newest = listed.last().ok_or("no snapshot")?;
        let options = restore::RestoreOptions {
            ..restore::RestoreOptions::new(target)
        };
        restore::run(&self.repo, &self.repo.manifest(newest.id)?, &options, &Quiet)?;
        Ok(())
    }
}
