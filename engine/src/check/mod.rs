//! Proves a repository: every object opens, every reference leads to a chunk, and on demand every stored byte is what
//! it was. Never stops at the first damage, changes nothing, and runs beside writers and collections.
//!
//! [`structure`] reads everything but the data, [`data`] streams packs, and [`paths`] goes through the generations
//! again, only if something is damaged, to say which files that hurts. The local index is not trusted (I-6): a fresh
//! one is made.

mod chain;
mod data;
mod listed;
mod paths;
mod structure;

use crate::error::Result;
use crate::monitor::{Monitor, Phase, Problem, ProblemKind};
use crate::repo::Repo;
use chunkstore::live::LiveSet;
use chunkstore::{ChunkId, Error as StoreError};
use std::collections::BTreeSet;

/// Problems and names that a report holds; the rest is counted.
const LISTED: usize = 1000;

/// Which packs are read whole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ReadData {
    None,
    All,
    /// The `n`-th (from 1) of `of` parts; all parts together are everything.
    Subset {
        n: u64,
        of: u64,
    },
    /// A random choice of so many percent of the packs.
    Percent(f64),
    /// A random choice of about so many bytes.
    Size(u64),
}

#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub read_data: ReadData,
    /// Packs read side by side.
    pub threads: usize,
}

/// A path that can't be restored whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedPath {
    /// Snapshot's short id.
    pub snapshot: String,
    /// Absolute, raw bytes. The first of several if `entries` is more than one.
    pub path: Vec<u8>,
    /// Entries from this path on of which not even the names can be read; 1 where only this one is hurt.
    pub entries: u64,
}

#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct CheckReport {
    /// Damages found; 0 for a sound repository.
    pub num_errors: u64,
    pub num_warnings: u64,
    /// Names of damaged objects, at most a thousand.
    pub broken_objects: Vec<String>,
    /// Those of them that are packs, by id, as restic lists them.
    pub broken_packs: Vec<String>,
    pub snapshots: u64,
    pub trash: u64,
    pub index_segments: u64,
    pub index_entries: u64,
    pub packs: u64,
    pub packs_size: u64,
    /// Packs in no index segment: left by an interrupted backup, and for `prune` to collect.
    pub packs_unlisted: u64,
    /// Distinct chunks that snapshots refer to, and how many of them are parts of trees, each of which was read.
    pub chunks: u64,
    pub tree_chunks: u64,
    pub packs_read: u64,
    pub bytes_read: u64,
    /// Damaged paths of all snapshots, and the first thousand of them.
    pub damaged_paths: u64,
    #[serde(skip)]
    pub paths: Vec<DamagedPath>,
}

/// Checks. Damage is in the report and told to `monitor` as it is found; an error means that the check itself failed.
pub fn run(repo: &Repo, options: &Options, monitor: &dyn Monitor) -> Result<CheckReport> {
    monitor.phase(Phase::CheckingStructure);
    let (structure, mut findings) = structure::read(repo, monitor)?;
    let mut report = structure.report();
    for problem in std::mem::take(&mut findings.problems) {
        monitor.problem(&problem);
    }
    if options.read_data != ReadData::None {
        monitor.phase(Phase::ReadingData);
        let (packs, bytes) = data::read(repo, &structure, options, &mut findings, monitor)?;
        (report.packs_read, report.bytes_read) = (packs, bytes);
    }
    if findings.hurts_paths {
        paths::find(repo, &structure, &findings, &mut report, monitor)?;
    }
    report.num_errors = findings.errors;
    report.num_warnings = findings.warnings;
    report.broken_objects = findings.objects.into_iter().collect();
    report.broken_packs = report
        .broken_objects
        .iter()
        .filter_map(|name| Some(name.strip_prefix("packs/")?.split_once('/')?.1.to_string()))
        .collect();
    Ok(report)
}

/// What is wrong, gathered.
struct Findings {
    errors: u64,
    warnings: u64,
    problems: Vec<Problem>,
    objects: BTreeSet<String>,
    /// Chunks that can't be read.
    bad: LiveSet,
    /// Whether a chunk that a generation may need is bad.
    hurts_paths: bool,
}

impl Findings {
    fn new(repo: &Repo) -> Result<Findings> {
        Ok(Findings {
            errors: 0,
            warnings: 0,
            problems: Vec::new(),
            objects: BTreeSet::new(),
            bad: LiveSet::new(repo.store.cache())?,
            hurts_paths: false,
        })
    }

    fn damage(&mut self, object: impl ToString, why: impl ToString) {
        self.errors += 1;
        let object = object.to_string();
        if self.problems.len() < LISTED {
            self.problems.push(Problem {
                path: object.clone().into_bytes(),
                what: ProblemKind::Damage { why: why.to_string() },
            });
        }
        if self.objects.len() < LISTED {
            self.objects.insert(object);
        }
    }

    fn warn(&mut self, about: impl ToString, why: String) {
        self.warnings += 1;
        if self.problems.len() < LISTED {
            self.problems.push(Problem {
                path: about.to_string().into_bytes(),
                what: ProblemKind::Warning { why },
            });
        }
    }

    fn bad_chunk(&mut self, id: ChunkId) -> Result<()> {
        self.hurts_paths = true;
        self.bad.insert(id)?;
        Ok(())
    }
}

/// Splits what is one object's own trouble from what ends the check.
fn sound<T>(result: Result<T, StoreError>) -> Result<Result<T, StoreError>> {
    match result {
        Err(e) if !e.is_of_one_object() => Err(e.into()),
        result => Ok(result),
    }
}
