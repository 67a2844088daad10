//! Proves that a snapshot can be restored, by restoring files of it: into a scratch folder ([`scratch`]), all of them or a
//! random sample ([`sample`]). What was restored is then compared with what the snapshot records, and with the files that
//! were backed up where these are unchanged ([`compare`]). Only this replica is read, so that others can't stand in for it.
//!
//! A difference is damage, reported as a [`Problem`] of its path. Metadata that the scratch folder, or this user, can't
//! have is counted and not compared.

mod compare;
mod sample;
mod scratch;

use crate::entry::{Entry, Kind};
use crate::error::Result;
use crate::manifest::Manifest;
use crate::monitor::{EntryChange, Monitor, Phase, Problem, ProblemKind, Progress};
use crate::problem::{RestoreProblem, Warning};
use crate::repo::Repo;
use crate::restore::{self, RestoreOptions};
use compare::DrillComparison;
use parking_lot::Mutex;
use scratch::DrillFolder;
use serde::Serialize;
use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

/// Files of a sample at most: so many paths are kept in memory.
const FILES_MOST: u64 = 100_000;
/// Of the usual sample.
const USUAL_FILES: u64 = 100;
/// Bytes of the usual sample.
const USUAL_BYTES: u64 = 1 << 30;
/// Paths that are remembered because a restore said something about them.
const TOLD_MOST: usize = 100_000;

/// Which files are restored.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub enum Sample {
    /// Everything.
    All,
    /// A hundred files with a GiB in all, at random.
    #[default]
    Usual,
    /// So many files at random.
    Files(u64),
    /// Files with so many bytes in all, at random.
    Bytes(u64),
    /// So many percent of the files, at random.
    Percent(f64),
}

/// How a drill goes.
#[derive(Clone, Debug)]
pub struct DrillOptions {
    /// Which files are restored.
    pub sample: Sample,
    /// Folders in which scratch folders may be made, each instead of the one before where that has not enough room. They
    /// hold nothing else: what a drill that was killed has left in them is removed. One that other users may change is
    /// refused.
    pub scratch: Vec<PathBuf>,
}

/// What a drill found.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct DrillReport {
    /// Files and bytes of the snapshot.
    pub total_files: u64,
    pub total_bytes: u64,
    /// Files that were restored and compared, and their bytes.
    pub files: u64,
    pub bytes: u64,
    /// Directories, links and other things that were.
    pub others: u64,
    /// Those of all these that differ, or could not be restored.
    pub different: u64,
    /// Files that were compared with the files that were backed up.
    pub live_files: u64,
    /// The same, but these have changed since, or are gone.
    pub live_changed: u64,
    /// Paths with metadata that could not be put back in the scratch folder, and was not compared.
    pub metadata_skipped: u64,
}

/// Restores and compares. An error means that the drill could not be made; nothing is left behind in either case, unless
/// that is reported.
pub fn run(
    repo: &Repo,
    manifest: &Manifest,
    options: &DrillOptions,
    monitor: &dyn Monitor,
) -> Result<DrillReport> {
    scratch::sweep(&options.scratch);
    let reader = repo.reader(monitor);
    let root = manifest.root()?;
    let mut report = DrillReport {
        total_files: root.files,
        total_bytes: root.bytes,
        ..DrillReport::default()
    };
    let mut incomplete = |path: &[u8], entry: &Entry| tell_incomplete(monitor, path, entry);
    let chosen = sample::choose(
        &reader,
        manifest,
        options.sample,
        repo.run().cancel(),
        &mut incomplete,
    )?;
    // No paths would mean all.
    if chosen.paths.as_ref().is_some_and(Vec::is_empty) {
        return Ok(report);
    }
    let folder = DrillFolder::make(&options.scratch, chosen.room)?;
    let told = Told::new(monitor);
    let mut restoring = RestoreOptions::new(folder.path());
    restoring.paths = chosen.paths.iter().flatten().map(|path| absolute(path)).collect();
    let compared = restore::run(repo, manifest, &restoring, &told).and_then(|_| {
        monitor.phase(Phase::Verifying);
        let mut comparison = DrillComparison::new(repo, &reader, manifest, folder.path(), &told)?;
        comparison.expect(chosen.files, chosen.bytes);
        comparison.all(chosen.paths.as_deref())?;
        Ok(comparison.found)
    });
    folder.remove(monitor);
    let found = compared?;
    report.metadata_skipped = told.metadata();
    Ok(DrillReport {
        total_files: report.total_files,
        total_bytes: report.total_bytes,
        metadata_skipped: report.metadata_skipped,
        ..found
    })
}

/// What could not be read when it was backed up can't be restored, whether it is in the sample or not: a drill that does not
/// say so would seem to prove more than it does.
fn tell_incomplete(monitor: &dyn Monitor, path: &[u8], entry: &Entry) {
    let what = match entry.is_saved() {
        false => ProblemKind::Restore(RestoreProblem::NotInSnapshot),
        true if entry.kind == Kind::Dir => ProblemKind::Warning(Warning::IncompleteAtBackup),
        true => ProblemKind::Warning(Warning::ChangedAtBackup),
    };
    let path = absolute(path);
    monitor.problem(&Problem { path, what });
}

fn absolute(path: &[u8]) -> Vec<u8> {
    [b"/", path].concat()
}

/// What a restore said about a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Said {
    /// Some of its metadata can't be put back here.
    Metadata,
    /// It is not, or not wholly, restored.
    NotRestored,
}

/// Passes on what a restore reports, and remembers of which paths. What the place, or the user, can't have is no fault of
/// the snapshot and not passed on.
struct Told<'a> {
    monitor: &'a dyn Monitor,
    said: Mutex<HashMap<Vec<u8>, Said>>,
}

impl<'a> Told<'a> {
    fn new(monitor: &'a dyn Monitor) -> Told<'a> {
        let said = Mutex::default();
        Told { monitor, said }
    }

    /// By the absolute path. If too many were reported to be remembered, every path counts as one without its metadata.
    fn of(&self, path: &[u8]) -> Option<Said> {
        let said = self.said.lock();
        let full = said.len() >= TOLD_MOST;
        said.get(path).copied().or(full.then_some(Said::Metadata))
    }

    fn metadata(&self) -> u64 {
        let said = self.said.lock();
        said.values().filter(|said| **said == Said::Metadata).count() as u64
    }
}

impl Monitor for Told<'_> {
    fn phase(&self, phase: Phase) {
        self.monitor.phase(phase);
    }

    fn progress(&self, progress: &Progress) {
        self.monitor.progress(progress);
    }

    fn current(&self, path: &[u8]) {
        self.monitor.current(path);
    }

    fn problem(&self, problem: &Problem) {
        let said = match &problem.what {
            ProblemKind::Warning(Warning::Metadata(..))
            | ProblemKind::Restore(RestoreProblem::Metadata(..)) => Said::Metadata,
            // All of these have been told before.
            ProblemKind::Warning(Warning::IncompleteAtBackup | Warning::ChangedAtBackup)
            | ProblemKind::Restore(RestoreProblem::NotInSnapshot) => return,
            what if what.is_warning() => return self.monitor.problem(problem),
            _ => Said::NotRestored,
        };
        {
            let mut all = self.said.lock();
            if all.len() < TOLD_MOST {
                let known = all.entry(problem.path.clone()).or_insert(said);
                if said == Said::NotRestored {
                    *known = said;
                }
            }
        }
        if said == Said::NotRestored {
            self.monitor.problem(problem);
        }
    }

    fn wants_entries(&self) -> bool {
        self.monitor.wants_entries()
    }

    fn entry(&self, path: &[u8], kind: &Kind, change: EntryChange, size: u64) {
        self.monitor.entry(path, kind, change, size);
    }

    fn wants_totals_after(&self) -> Option<Duration> {
        self.monitor.wants_totals_after()
    }
}
