//! Deals with what restores that died have left in the target, as their journals show (`journal`): large files are
//! completed if this run restores them (`partials`), and the rest is removed. What was changed in place is never removed
//! before the file is complete.

use super::fault::{Fault, RestoreOutcome};
use super::journal::{DeadRun, Journal, JournalNote, run_of};
use super::partials::{Writing, parent};
use super::route::Route;
use super::shared::{Shared, below};
use crate::entry::{DirPath, Kind, join};
use crate::error::Result;
use crate::fsmeta::{Names, TargetDir, TargetError};
use crate::problem::{RestoreProblem, Warning};
use std::io;
use std::sync::atomic::Ordering::Relaxed;

/// Directories that stay open on the way to what a journal names.
const ROUTE: usize = 4;

/// A name for something that will be written in the directory `dir` of the generation.
pub(super) fn temporary_name(shared: &Shared<'_>, dir: &DirPath) -> RestoreOutcome<Vec<u8>> {
    let path = below(dir, shared.strip());
    let changes = shared.writable()?.changes();
    shared
        .temporaries
        .name((dir, path), changes, || begin(shared, path))
}

/// Begins a journal in the target, or where that is not ours to write in, in `path`, which is written in first.
fn begin(shared: &Shared<'_>, path: &[u8]) -> RestoreOutcome<Journal> {
    let journal = |path: &[u8], home| {
        Journal::begin(home, |home, name| {
            shared.opened.change(path, home, || home.create_file(name))
        })
    };
    let target = shared.writable()?;
    match journal(b"", target.dir(b"")?) {
        Err(TargetError::Io { source, .. }) if is_refusal(&source) && !path.is_empty() => {
            let home = target.dir(path)?;
            find_in(shared, &home)?;
            Ok(journal(path, home)?)
        }
        begun => Ok(begun?),
    }
}

fn is_refusal(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
    )
}

/// Removes what runs that died have left in the target.
pub(super) fn find(shared: &Shared<'_>) -> Result<()> {
    let found = || -> RestoreOutcome<()> {
        let target = shared.writable()?.dir(b"")?;
        find_in(shared, &target)?;
        sweep(shared, b"", &target)
    };
    match found().map_err(Fault::apart) {
        Err(Err(e)) => Err(e),
        // What could not be opened now is reported when something is to be written there.
        Ok(()) | Err(Ok(_)) => Ok(()),
    }
}

/// Looks in `home` for journals of runs that died and removes what those runs have left.
fn find_in(shared: &Shared<'_>, home: &TargetDir) -> RestoreOutcome<()> {
    let Ok(names) = home.names() else {
        // Entering it may be all that is allowed.
        return Ok(());
    };
    for (name, _) in (0..names.len()).map_while(|i| names.get(i)) {
        let Some((run, true)) = run_of(name) else { continue };
        let Some(dead) = DeadRun::find(home, run)? else {
            continue;
        };
        remember(shared, &dead)?;
        remove_noted(shared, &dead)?;
        shared.dead.found.lock().push(dead);
    }
    Ok(())
}

/// Files that this run may go on with.
fn remember(shared: &Shared<'_>, dead: &DeadRun) -> RestoreOutcome<()> {
    let target = shared.writable()?;
    let mut route = Route::new(ROUTE);
    for note in dead.notes() {
        let JournalNote::File { temporary, path, how } = note else {
            continue;
        };
        if let Ok(dir) = route.dir(target, parent(&path))
            && let Ok((Kind::File, _)) = dir.stat(&temporary)
        {
            shared.dead.partials.lock().add(temporary, path, how);
        }
    }
    Ok(())
}

fn remove_noted(shared: &Shared<'_>, dead: &DeadRun) -> RestoreOutcome<()> {
    let target = shared.writable()?;
    let mut route = Route::new(ROUTE);
    for note in dead.notes() {
        let JournalNote::Dir(path) = note else { continue };
        if let Ok(dir) = route.dir(target, &path) {
            remove_from(shared, &path, &dir, &[&dead.run])?;
        }
    }
    Ok(())
}

/// Removes what runs that died have left in a directory that this run comes to: of the last moments before a power failure
/// their journals may know nothing.
pub(super) fn sweep(shared: &Shared<'_>, path: &[u8], dir: &TargetDir) -> RestoreOutcome<()> {
    let dead = shared.dead.found.lock();
    if dead.is_empty() {
        return Ok(());
    }
    let runs: Vec<&[u8]> = dead.iter().map(|dead| dead.run.as_slice()).collect();
    remove_from(shared, path, dir, &runs)
}

fn remove_from(shared: &Shared<'_>, path: &[u8], dir: &TargetDir, runs: &[&[u8]]) -> RestoreOutcome<()> {
    let names = dir.names().unwrap_or_else(|_| Names::default());
    for (name, _) in (0..names.len()).map_while(|i| names.get(i)) {
        let Some((run, false)) = run_of(name) else {
            continue;
        };
        if !runs.contains(&run) || shared.dead.partials.lock().holds(name) {
            continue;
        }
        remove(shared, path, dir, name);
    }
    Ok(())
}

fn remove(shared: &Shared<'_>, path: &[u8], dir: &TargetDir, name: &[u8]) {
    match shared.opened.change(path, dir, || dir.remove(name)) {
        Ok(()) => {
            shared.dead.removed.fetch_add(1, Relaxed);
        }
        Err(e) => {
            let why = Box::new(e.into());
            shared.problem_in_target(&join(path, name), RestoreProblem::LeftoverNotRemoved(why));
        }
    }
}

/// Removes the files in a directory that this run did not go on with: afterwards the directory gets its times.
pub(super) fn end_dir(shared: &Shared<'_>, path: &[u8], dir: &TargetDir) {
    let idle = shared.dead.partials.lock().take_idle(path);
    for name in idle {
        remove(shared, path, dir, &name);
    }
}

/// Removes those in directories that this run did not come to, and gives the runs of those that stay.
fn end_partials(shared: &Shared<'_>) -> RestoreOutcome<Vec<Vec<u8>>> {
    let (target, mut stay) = (shared.writable()?, Vec::new());
    let mut route = Route::new(ROUTE);
    let partials = shared.dead.partials.lock().take_all();
    for (name, partial) in partials {
        let path = parent(&partial.path);
        if partial.how == Writing::New || partial.is_spare {
            // If its directory can't be entered by now, nothing is to be restored there either.
            if let Ok(dir) = route.dir(target, path) {
                remove(shared, path, &dir, &name);
            }
            continue;
        }
        if let Some((run, _)) = run_of(&name) {
            stay.push(run.to_vec());
        }
        shared.warn_in_target(&partial.path, Warning::LeftInPlace { name });
    }
    Ok(stay)
}

/// Everything was looked through.
pub(super) fn end(shared: &Shared<'_>) {
    // Without a target there are none.
    let stay = end_partials(shared).unwrap_or_default();
    for dead in shared.dead.found.lock().drain(..) {
        if stay.contains(&dead.run) {
            continue;
        }
        // The next restore finds it again.
        let _left = dead.home.remove(&dead.run);
    }
    let removed = shared.dead.removed.load(Relaxed);
    if removed > 0 {
        shared.warn_of_target(Warning::RestoreLeftovers { files: removed });
    }
}
