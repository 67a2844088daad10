//! What this machine can do, and how much of it a backup and a restore get: every stage by itself ([`Stages`]), then
//! whole runs on made-up data, each beside the limit that follows from the stages.
//!
//! The limit is arithmetic: a byte costs the sum of what its stages cost, all threads share the bytes, and nothing is
//! stored or restored faster than the disk takes it. Nothing is skipped in the runs: they encrypt, prove every frame
//! and sync as any other backup.

mod corpus;
mod stages;

pub use corpus::{noise, text};

use crate::backup;
use crate::error::{Error, Result};
use crate::key::{self, Cost};
use crate::monitor::{Monitor, Phase};
use crate::repo::{self, Repo};
use crate::restore;
use crate::run::{LocalDirs, RunContext};
use chunkstore::chunker::Bounds;
use chunkstore::error::Operation;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub(crate) const MIB: usize = 1 << 20;
/// Bytes of a made-up large file, and of a small one.
const LARGE: usize = 16 * MIB;
const SMALL: usize = 8 << 10;

pub struct BenchOptions {
    /// An empty directory of the caller's, on the disk to be measured.
    pub scratch: PathBuf,
    /// Bytes of source data of each kind.
    pub size: u64,
    /// Whose threads work and whose token cancels; its directories are not used.
    pub run: RunContext,
    /// zstd's level.
    pub level: i32,
}

/// Bytes per second on one thread, unless noted otherwise.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Stages {
    pub read: f64,
    pub cut: f64,
    pub hash: f64,
    pub compress_text: f64,
    pub compress_noise: f64,
    /// Compressed size of the text, as a part of its size.
    pub ratio: f64,
    pub decompress: f64,
    pub seal: f64,
    pub open: f64,
    /// To the disk, sync included.
    pub write: f64,
    /// Seconds for a small new file to be safe.
    pub sync: f64,
    /// Seconds to open, examine, read and close a small file.
    pub small: f64,
    /// Seconds to examine a file.
    pub examine: f64,
}

/// What a whole run does, to which kind of files. The names are those of the JSON output.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub enum MeasuredRun {
    #[serde(rename = "text, backup")]
    BackUpText,
    #[serde(rename = "noise, backup")]
    BackUpNoise,
    #[serde(rename = "small files, backup")]
    BackUpSmallFiles,
    #[serde(rename = "small files, nothing changed")]
    BackUpUnchanged,
    #[serde(rename = "text, restore")]
    RestoreText,
    #[serde(rename = "noise, restore")]
    RestoreNoise,
    #[serde(rename = "small files, restore")]
    RestoreSmallFiles,
}

/// One whole run. Rates in bytes of source a second.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Achieved {
    pub what: MeasuredRun,
    pub bytes: u64,
    pub seconds: f64,
    pub rate: f64,
    pub limit: f64,
}

#[derive(Clone, Debug, Serialize)]
pub struct BenchReport {
    pub threads: usize,
    pub stages: Stages,
    pub runs: Vec<Achieved>,
}

pub(crate) struct Bench<'a> {
    options: &'a BenchOptions,
    monitor: &'a dyn Monitor,
}

/// What a source is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Data {
    Text,
    Noise,
    SmallFiles,
}

/// Measures; leaves nothing in the scratch directory unless it fails.
pub fn run(options: &BenchOptions, monitor: &dyn Monitor) -> Result<BenchReport> {
    let bench = Bench { options, monitor };
    monitor.phase(Phase::BackingUp);
    let stages = Stages::measure(&bench)?;
    let mut runs = Vec::new();
    for data in [Data::Text, Data::Noise, Data::SmallFiles] {
        bench.go_on()?;
        runs.extend(bench.runs(data, &stages)?);
    }
    Ok(BenchReport {
        threads: options.run.threads(64),
        stages,
        runs,
    })
}

impl Bench<'_> {
    fn go_on(&self) -> Result<()> {
        Ok(self.options.run.cancel().check()?)
    }

    fn scratch(&self, name: &str) -> PathBuf {
        self.options.scratch.join(name)
    }

    /// Backup, backup with nothing changed, and restore of one kind of data.
    fn runs(&self, data: Data, stages: &Stages) -> Result<Vec<Achieved>> {
        let source = self.scratch("source");
        let bytes = self.make(data, &source)?;
        let repository = self.scratch("repository");
        let target = self.scratch("restored");
        let repo = self.repository(&repository)?;
        let (backed_up, seconds) = timed(|| self.backup(&repo, &source))?;
        let manifest = repo.manifest(backed_up)?;
        let (_, again) = timed(|| self.backup(&repo, &source))?;
        let options = restore::RestoreOptions::new(&target);
        let (_, restored) = timed(|| restore::run(&repo, &manifest, &options, self.monitor))?;
        drop(repo);
        for folder in [&source, &repository, &target] {
            std::fs::remove_dir_all(folder).map_err(|e| io(Operation::Remove, folder, e))?;
        }
        let achieved = |what, seconds: f64, limit| Achieved {
            what,
            bytes,
            seconds,
            rate: bytes as f64 / seconds,
            limit,
        };
        let threads = self.options.run.threads(64) as f64;
        let mut runs = vec![
            achieved(data.backup(), seconds, stages.backup_limit(data, threads)),
            achieved(data.restore(), restored, stages.restore_limit(data, threads)),
        ];
        if data == Data::SmallFiles {
            // An unchanged file is examined once, and not opened.
            let limit = SMALL as f64 * threads / stages.examine;
            runs.push(achieved(MeasuredRun::BackUpUnchanged, again, limit));
        }
        Ok(runs)
    }

    fn make(&self, data: Data, source: &Path) -> Result<u64> {
        let make = |path: &Path, bytes: &[u8]| {
            let folder = path.parent().unwrap_or(path);
            let made = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(path, bytes));
            made.map_err(|e| io(Operation::Write, path, e))
        };
        let each = if data == Data::SmallFiles { SMALL } else { LARGE };
        let count = (self.options.size / each as u64).max(1);
        for number in 0..count {
            self.go_on()?;
            match data {
                Data::Text => make(&source.join(format!("{number}")), &text(number, LARGE))?,
                Data::Noise => make(&source.join(format!("{number}")), &noise(number, LARGE))?,
                Data::SmallFiles => make(
                    &source.join(format!("{}/{number}", number / 128)),
                    &text(number, SMALL),
                )?,
            }
        }
        Ok(count * each as u64)
    }

    fn repository(&self, at: &Path) -> Result<Repo> {
        let location = at.to_string_lossy();
        // A key that is not kept: the repository is gone at the end.
        let (_, secret) = key::new_key_file()?;
        let run = RunContext {
            dirs: LocalDirs {
                cache: at.join("local/cache"),
                state: at.join("local/state"),
            },
            // Later than any of the files, or all of them would count as just changed.
            now: self.options.run.now + Duration::from_secs(3600),
            ..self.options.run.clone()
        };
        repo::create(
            &location,
            &run,
            Bounds::DEFAULT,
            &[(secret.clone(), "bench")],
            Cost::FLOOR,
            None,
        )?;
        Repo::open(&location, &secret, &run)
    }

    fn backup(&self, repo: &Repo, source: &Path) -> Result<chunkstore::SessionId> {
        let options = backup::BackupOptions {
            level: self.options.level,
            ..backup::BackupOptions::new(vec![source.to_path_buf()])
        };
        let report = backup::run(repo, &options, None, self.monitor)?;
        report.snapshot.ok_or(Error::Interrupted)
    }
}

impl Data {
    fn backup(self) -> MeasuredRun {
        match self {
            Data::Text => MeasuredRun::BackUpText,
            Data::Noise => MeasuredRun::BackUpNoise,
            Data::SmallFiles => MeasuredRun::BackUpSmallFiles,
        }
    }

    fn restore(self) -> MeasuredRun {
        match self {
            Data::Text => MeasuredRun::RestoreText,
            Data::Noise => MeasuredRun::RestoreNoise,
            Data::SmallFiles => MeasuredRun::RestoreSmallFiles,
        }
    }
}

impl Stages {
    /// Stored bytes a byte of source.
    fn stored(&self, data: Data) -> f64 {
        if data == Data::Noise { 1.0 } else { self.ratio }
    }

    /// Bytes of source a second: read, cut, named, compressed, sealed, opened again and compared.
    fn backup_limit(&self, data: Data, threads: f64) -> f64 {
        let stored = self.stored(data);
        let packed = match data {
            Data::Noise => 1.0 / self.compress_noise,
            Data::Text | Data::SmallFiles => 1.0 / self.compress_text + 1.0 / self.decompress,
        };
        let taken = match data {
            // Hashed once more, each by itself.
            Data::SmallFiles => self.small / SMALL as f64 + 1.0 / self.hash,
            Data::Text | Data::Noise => 1.0 / self.read + 1.0 / self.cut,
        };
        let byte = taken + packed + 2.0 / self.hash + stored * (1.0 / self.seal + 1.0 / self.open);
        (threads / byte).min(self.write / stored)
    }

    /// Bytes of source a second: read, opened, compared and written.
    fn restore_limit(&self, data: Data, threads: f64) -> f64 {
        let stored = self.stored(data);
        let unpacked = match data {
            Data::Noise => 0.0,
            Data::Text | Data::SmallFiles => 1.0 / self.decompress,
        };
        let byte = stored * (1.0 / self.read + 1.0 / self.open) + unpacked + 1.0 / self.hash;
        (threads / byte).min(self.write)
    }
}

fn io(operation: Operation, path: impl Into<PathBuf>, source: std::io::Error) -> Error {
    Error::io(operation, path, source)
}

fn timed<T>(call: impl FnOnce() -> Result<T>) -> Result<(T, f64)> {
    let started = Instant::now();
    let done = call()?;
    Ok((done, started.elapsed().as_secs_f64()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::Quiet;

    #[test]
    fn measures_and_leaves_nothing() {
        let scratch = tempfile::tempdir().unwrap();
        let options = BenchOptions {
            scratch: scratch.path().to_path_buf(),
            size: 4 << 20,
            run: RunContext::new(LocalDirs {
                cache: PathBuf::new(),
                state: PathBuf::new(),
            }),
            level: 3,
        };
        let report = run(&options, &Quiet).unwrap();
        assert_eq!(report.runs.len(), 7);
        assert!(report.runs.iter().all(|run| run.rate > 0.0 && run.limit > 0.0));
        assert!(report.stages.ratio < 0.8, "{:?}", report.stages);
        assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
    }
}
