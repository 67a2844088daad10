//! From a generation to files below a target.
//!
//! `scope` and `choose` determine what is wanted. `plan` (the calling thread) reads the tree in order, makes
//! directories (`dirs`), decides about what is there already (`existing`) and fills windows of bounded size (`content`,
//! `window`); `pool` hands a window's range reads to threads that open, verify and write (`write`), and ends windows in
//! order: read back (`verify`), sync and names (`finish`), hard links (`links`), directories' metadata. Two windows are
//! under way at a time and nothing else grows with the generation.
//!
//! Chunks that the target has already, in the file that is replaced or in what a run that died has written, are not fetched
//! (`reuse`, `begin`, `partials`).
//!
//! Trouble with a path is a [`Problem`] and the rest goes on (I-12); a repository that can't be
//! asked, or a full disk, ends the run (I-11). Each byte of what has its name was proven by its chunk's id, and it is whole
//! (I-19): `journal` has the names until then, and `leftovers` removes what runs that died have left. `locked`
//! keeps back flags that would prevent all this. `plan/extra` deletes what the generation does not hold. `opened` is for
//! directories without permissions, `route` for deep ones. Nothing follows a symbolic link below the target, but for those
//! above what was backed up where the target is `/`.

mod begin;
mod choose;
mod content;
mod dirs;
mod existing;
mod fault;
mod fetch;
mod finish;
mod job;
mod journal;
mod left;
mod leftovers;
mod links;
mod locked;
mod on_disk;
mod open_dirs;
mod opened;
mod partials;
mod placing;
mod plan;
mod pool;
mod reuse;
mod route;
mod scope;
mod shared;
#[cfg(test)]
mod tests;
mod verify;
mod window;
mod write;

pub(crate) use choose::normalize;
pub(crate) use fetch::ChunkSource;
pub(crate) use journal::is_leftover;
pub(crate) use verify::file_holds;

use crate::backup::OwnPlaces;
use crate::error::Result;
use crate::manifest::Manifest;
use crate::monitor::{Monitor, Phase, Problem, ProblemKind};
use crate::problem::Warning;
use crate::repo::Repo;
use choose::Chooser;
use chunkstore::descriptors;
use pool::UNDER_WAY;
use scope::Scope;
use serde::Serialize;
use shared::Shared;
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;
use window::Limits;

/// What to do with what the target already has. Directories are reused in every case.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Overwrite {
    /// Replace what is not as it is recorded, in one step once the new one is complete. What is in a directory's place is
    /// removed; a directory in a file's place only if it is empty.
    #[default]
    Always,
    /// The same, but files of the recorded size and modification time count as unchanged without being read.
    IfChanged,
    /// Replace what is older than the recorded one.
    IfNewer,
    /// Leave it.
    Never,
    /// Leave it, and restore beside it as `NAME.restored` (`NAME.restored-2`, ...) unless size and time are the same.
    Rename,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Permissions {
    /// As recorded: mode, attributes, ACLs, and owners where the process may give files away.
    #[default]
    Original,
    /// As new files of this process: its owner and umask, executable where the owner could execute, no attributes.
    /// Times are as recorded.
    Current,
}

/// Patterns as in [`FilterOptions`](crate::filter::FilterOptions). They match absolute paths in the generation, whatever
/// part of it is restored.
#[derive(Clone, Debug, Default)]
pub struct Patterns {
    pub patterns: Vec<String>,
    /// The same, ASCII letters in either case.
    pub either_case: Vec<String>,
    pub files: Vec<PathBuf>,
    pub either_case_files: Vec<PathBuf>,
}

#[derive(Clone, Debug)]
pub struct RestoreOptions {
    /// Made if it is not there. Links in it are followed: it is the user's.
    pub target: PathBuf,
    /// Absolute: what is below it lands directly in the target, or itself if it is no directory.
    pub subpath: Option<Vec<u8>>,
    /// Absolute: only these and what is below them. Empty: everything.
    pub paths: Vec<Vec<u8>>,
    /// What `subpath` leads to gets this name, if it is no directory.
    pub name: Option<Vec<u8>>,
    /// These and what is below them are not restored.
    pub exclude: Patterns,
    /// Where there are any: only these and what is below them.
    pub include: Patterns,
    pub overwrite: Overwrite,
    pub permissions: Permissions,
    /// Delete what the target has, in directories that are restored, and the generation has not.
    pub delete: bool,
    /// Places of our own, which are not deleted.
    pub own: OwnPlaces,
    /// Read everything back from the disk and compare before it gets its metadata.
    pub verify: bool,
    /// Change large files that are there, rather than write new ones: needs no space for a second copy. A run that dies
    /// leaves such a file under a temporary name, and the next one completes it.
    pub in_place: bool,
    /// Count, write nothing.
    pub dry_run: bool,
    #[cfg(test)]
    pub changes: crate::fsmeta::Changes,
}

impl RestoreOptions {
    /// Everything into `target`, which wins over what is there.
    pub fn new(target: impl Into<PathBuf>) -> RestoreOptions {
        RestoreOptions {
            target: target.into(),
            subpath: None,
            paths: Vec::new(),
            name: None,
            exclude: Patterns::default(),
            include: Patterns::default(),
            overwrite: Overwrite::default(),
            permissions: Permissions::default(),
            delete: false,
            own: OwnPlaces::default(),
            verify: false,
            in_place: false,
            dry_run: false,
            #[cfg(test)]
            changes: Default::default(),
        }
    }
}

/// What a restore did. `files` are regular files, each name of a linked one counted; `bytes` are their content.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Summary {
    /// Chosen, and then restored, skipped (left as they are in the target) or failed.
    pub total_files: u64,
    pub files_restored: u64,
    pub files_skipped: u64,
    pub files_failed: u64,
    pub total_bytes: u64,
    pub bytes_restored: u64,
    pub bytes_skipped: u64,
    /// Of the skipped ones, those that are in the target as they are recorded.
    pub files_unchanged: u64,
    pub bytes_unchanged: u64,
    /// Of the restored bytes, those that were in the target already and were not fetched.
    pub bytes_reused: u64,
    /// Compared with what is recorded after they were read from the target.
    pub files_verified: u64,
    /// Removed from the target, anything but directories.
    pub files_deleted: u64,
    /// Made or reused.
    pub dirs: u64,
    /// Links, devices, FIFOs and sockets.
    pub others: u64,
    /// Paths that are not, or not wholly, as recorded.
    pub problems: u64,
    /// Chunks that came from other replicas, since this one had lost or damaged them.
    pub chunks_from_others: u64,
    pub seconds_elapsed: f64,
}

/// Restores the generation of `manifest`. [`crate::Error::Interrupted`] leaves what was complete by then.
pub fn run(
    repo: &Repo,
    manifest: &Manifest,
    options: &RestoreOptions,
    monitor: &dyn Monitor,
) -> Result<Summary> {
    run_within(repo, manifest, options, monitor, Limits::default())
}

fn run_within(
    repo: &Repo,
    manifest: &Manifest,
    options: &RestoreOptions,
    monitor: &dyn Monitor,
    mut limits: Limits,
) -> Result<Summary> {
    let started = Instant::now();
    let files = descriptors::hold(2 * UNDER_WAY, UNDER_WAY * limits.open);
    limits.open = limits.open.min(files.count() / UNDER_WAY);
    monitor.phase(Phase::Restoring);
    let root = manifest.root()?;
    // Mistakes of the user are reported before anything is made.
    let chooser = Chooser::build(options)?;
    let source = ChunkSource::new(repo, monitor);
    let scope = Scope::find(&source, manifest, &root, options)?;
    let shared = Shared::new(&source, options, &scope.base, (monitor, repo.run()))?;
    if !shared.narrowed() {
        shared.expect(root.files, root.bytes);
    }
    if !options.dry_run {
        leftovers::find(&shared)?;
    }
    let planned = plan::restore(&shared, manifest, &root, &scope, chooser, limits);
    shared.temporaries.end();
    if planned.is_ok() {
        leftovers::end(&shared);
    }
    let partials = shared.counts.partials.load(Relaxed);
    if partials > 0 {
        shared.warn_of_target(Warning::RestorePartials { files: partials });
    }
    // Last: what was removed just now lay in directories that may be closed again.
    finish::put_back(&shared);
    finish::lock(&shared);
    planned?;
    if !options.dry_run {
        shared.sync_all()?;
    }
    let mut summary = shared.summary();
    for (name, chunks) in source.served_by_others() {
        summary.chunks_from_others += chunks;
        let warning = Warning::FromReplica {
            chunks,
            replica: name,
        };
        monitor.problem(&Problem {
            path: repo.location().into_bytes(),
            what: ProblemKind::Warning(warning),
        });
    }
    summary.seconds_elapsed = started.elapsed().as_secs_f64();
    Ok(summary)
}
