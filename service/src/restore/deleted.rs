//! `--deleted-since`: files that an earlier snapshot holds and the chosen one has lost, each from the newest that holds it.

use crate::catalogue::BrowseCause;
use crate::context::Context;
use crate::face::{Nobody, Step};
use crate::failure::Failure;
use crate::listing::{self, Chosen};
use engine::SessionId;
use engine::entry::Kind;
use engine::facts::SnapshotInfo;
use engine::list::{self, Modifier};
use engine::monitor::{EntryChange, Monitor, Phase, Problem, ProblemKind, Progress};
use engine::problem::RestoreProblem;
use engine::repo::Repo;
use engine::restore::{self as run, Overwrite, RestoreOptions, Summary};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Deleted files between two snapshots that are gathered, so that memory stays bounded.
const PATHS_MAX: usize = 1 << 20;

/// What was restored that the chosen snapshot does not hold.
#[derive(Clone, Copy, Debug, Default)]
pub struct Deleted {
    pub files: u64,
    pub bytes: u64,
    /// Snapshots that they came from.
    pub snapshots: u64,
}

impl Deleted {
    pub(super) fn add_to(&self, summary: &mut Summary) {
        summary.files_restored += self.files;
        summary.bytes_restored += self.bytes;
        summary.total_files += self.files;
        summary.total_bytes += self.bytes;
    }
}

/// `options` are those of the restore of `chosen`, in which the patterns in `unmatched` matched nothing: those that do so
/// everywhere are left there. Nothing is replaced: newer files come first, and stay.
pub(super) fn restore(
    context: &Context,
    repo: &Repo,
    chosen: &Chosen,
    since: Timestamp,
    options: &RestoreOptions,
    unmatched: &mut BTreeSet<String>,
    step: &Step<'_>,
) -> Result<Deleted, Failure> {
    // What can't be listed was said when the snapshot was chosen.
    let all = listing::read(context, repo, &Nobody)?;
    let mut done = Deleted::default();
    let mut newer = chosen.id;
    for older in before(&all.facts, chosen.id, since) {
        let paths = lost(repo, chosen, older, newer, options, step)?;
        newer = older;
        if paths.is_empty() {
            continue;
        }
        let options = RestoreOptions {
            paths,
            overwrite: Overwrite::Never,
            delete: false,
            ..options.clone()
        };
        let manifest = repo.manifest(older)?;
        let lenient = Lenient::new(step);
        let summary = run::run(repo, &manifest, &options, &lenient)?;
        let here = lenient.unmatched();
        unmatched.retain(|pattern| here.contains(pattern));
        done.files += summary.files_restored;
        done.bytes += summary.bytes_restored;
        done.snapshots += u64::from(summary.files_restored > 0);
    }
    Ok(done)
}

/// Snapshots of the same sources before the chosen one, newest first, down to the last that was made before `since`: what
/// it holds was there then.
fn before(facts: &[SnapshotInfo], chosen: SessionId, since: Timestamp) -> Vec<SessionId> {
    let Some(of) = facts.iter().find(|facts| facts.id == chosen) else {
        return Vec::new();
    };
    let same = |facts: &&SnapshotInfo| {
        facts.host == of.host && facts.paths == of.paths && !facts.partial && !facts.is_in_future()
    };
    let older = facts
        .iter()
        .filter(same)
        .filter(|facts| facts.id != of.id && facts.at <= of.at);
    let mut older: Vec<&SnapshotInfo> = older.collect();
    older.sort_by(|a, b| engine::facts::newest_first(a, b));
    let within = older.iter().take_while(|facts| facts.at >= since).count();
    older.truncate(within + 1);
    older.into_iter().map(|facts| facts.id).collect()
}

/// What the older snapshot holds, the newer does not, and the chosen one does not either. Absolute; a directory stands for
/// what is below it.
fn lost(
    repo: &Repo,
    chosen: &Chosen,
    older: SessionId,
    newer: SessionId,
    options: &RestoreOptions,
    step: &Step<'_>,
) -> Result<Vec<Vec<u8>>, Failure> {
    let reader = repo.reader(step);
    let (old, new) = (repo.manifest(older)?, repo.manifest(newer)?);
    let mut paths: Vec<Vec<u8>> = Vec::new();
    let mut within: Option<Vec<u8>> = None;
    let top = options.subpath.as_deref();
    list::diff(&reader, &old, &new, top, &mut |row| {
        let is_below = |dir: &[u8]| matches!(row.path.strip_prefix(dir), Some([] | [b'/', ..]));
        let is_wanted = options.paths.is_empty()
            || options
                .paths
                .iter()
                .any(|path| is_below(list::relative(path)) || list::relative(path).is_empty());
        if row.modifier != Modifier::Removed
            || !is_wanted
            || within.as_deref().is_some_and(is_below)
            || list::may_hold(&reader, &chosen.manifest, row.path)?
        {
            return Ok(());
        }
        if row.old.is_some_and(|entry| entry.kind == Kind::Dir) {
            within = Some(row.path.to_vec());
        }
        paths.push([b"/", row.path].concat());
        match paths.len() > PATHS_MAX {
            true => Err(engine::Error::Interrupted),
            false => Ok(()),
        }
    })
    .map_err(|e| match paths.len() > PATHS_MAX {
        true => BrowseCause::TooManyDeleted {
            most: PATHS_MAX as u64,
        }
        .into(),
        false => Failure::from(e),
    })?;
    Ok(paths)
}

/// Passes everything on, but keeps patterns that match nothing: they may match in another snapshot.
pub(super) struct Lenient<'a> {
    step: &'a Step<'a>,
    unmatched: Mutex<BTreeSet<String>>,
}

impl<'a> Lenient<'a> {
    pub fn new(step: &'a Step<'a>) -> Self {
        Lenient {
            step,
            unmatched: Mutex::default(),
        }
    }

    /// Patterns that matched nothing.
    pub fn unmatched(self) -> BTreeSet<String> {
        self.unmatched
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Monitor for Lenient<'_> {
    fn phase(&self, phase: Phase) {
        self.step.phase(phase);
    }

    fn progress(&self, progress: &Progress) {
        self.step.progress(progress);
    }

    fn current(&self, path: &[u8]) {
        self.step.current(path);
    }

    fn problem(&self, problem: &Problem) {
        match &problem.what {
            ProblemKind::Restore(RestoreProblem::NoMatch { pattern }) => {
                let mut unmatched = self.unmatched.lock().unwrap_or_else(PoisonError::into_inner);
                unmatched.insert(pattern.clone());
            }
            _ => self.step.problem(problem),
        }
    }

    fn wants_entries(&self) -> bool {
        self.step.wants_entries()
    }

    fn entry(&self, path: &[u8], kind: &Kind, change: EntryChange, size: u64) {
        self.step.entry(path, kind, change, size);
    }

    fn wants_totals_after(&self) -> Option<Duration> {
        self.step.wants_totals_after()
    }
}
