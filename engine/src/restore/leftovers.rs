//! Names that a restore uses until what it writes is whole, and what a restore that died left under such names.
//!
//! A run calls itself `.dedup-restore-` and eight random digits. While it writes, a file of that name lies in the target,
//! locked, and holds the path of each directory before anything is written in it: its journal. What the run writes is
//! called by the same name and a number, in the directory where it will stay, and is renamed when it is whole. So a
//! journal that no process holds locked belongs to a run that died, and it shows where that run's files are.

use super::fault::{Fault, RestoreOutcome};
use super::route::Route;
use super::shared::{Shared, below};
use crate::entry::{DirPath, join};
use crate::error::Result;
use crate::fsmeta::{Names, TargetDir, TargetError};
use crate::platform::lock;
use crate::problem::{RestoreProblem, Warning};
use chunkstore::error::{Cause, Operation};
use chunkstore::id::is_hex;
use parking_lot::Mutex;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

const PREFIX: &[u8] = b".dedup-restore-";
/// Digits of a run's own part.
const RUN: usize = 8;
/// Longest path in a journal: longer ones can't be opened as a whole by anybody.
const PATH_MAX: u64 = 1 << 20;
/// Directories that stay open on the way to what a journal names.
const ROUTE: usize = 4;

/// Whether this is the name of a restore's journal, or one that a restore uses until what it writes is whole.
pub(crate) fn is_leftover(name: &[u8]) -> bool {
    run_of(name).is_some()
}

/// The run that a name belongs to, and whether it is that run's journal.
fn run_of(name: &[u8]) -> Option<(&[u8], bool)> {
    let digits = name.strip_prefix(PREFIX)?;
    let (run, rest) = digits.split_at_checked(RUN)?;
    if !is_hex(run) {
        return None;
    }
    let run = name.get(..PREFIX.len() + RUN)?;
    match rest {
        [] => Some((run, true)),
        [b'-', number @ ..] if !number.is_empty() && is_hex(number) => Some((run, false)),
        _ => None,
    }
}

/// The names of one run, and its journal.
#[derive(Default)]
pub(super) struct Temporaries {
    number: AtomicU64,
    /// Something could not be removed.
    is_left: AtomicBool,
    journal: Mutex<Option<Journal>>,
}

struct Journal {
    run: Vec<u8>,
    file: File,
    /// Where it lies.
    home: TargetDir,
    /// The directory that was noted last.
    last: Option<DirPath>,
}

impl Temporaries {
    /// A name for something that will be written in the directory `dir` of the generation.
    pub fn name(&self, shared: &Shared<'_>, dir: &DirPath) -> RestoreOutcome<Vec<u8>> {
        let mut journal = self.journal.lock();
        let journal = match &mut *journal {
            Some(journal) => journal,
            none => none.insert(begin(shared, dir)?),
        };
        if journal.last.as_ref() != Some(dir) {
            let line = [below(dir, shared.strip()), b"\0"].concat();
            let changes = shared.writable()?.changes();
            changes
                .make(|| journal.file.write_all(&line))
                .map_err(|e| Fault::target(Operation::Write, e))?;
            journal.last = Some(dir.clone());
        }
        let number = self.number.fetch_add(1, Relaxed);
        Ok([&journal.run, format!("-{number:x}").as_bytes()].concat())
    }

    /// Something stays under such a name: the journal must stay, too.
    pub fn leave(&self) {
        self.is_left.store(true, Relaxed);
    }

    /// The run has nothing more under such names, unless it has reported that.
    pub fn end(&self) {
        let journal = self.journal.lock().take();
        if let Some(journal) = journal.filter(|_| !self.is_left.load(Relaxed)) {
            // What can't be removed now is removed by the next restore.
            let _left = journal.home.remove(&journal.run);
        }
    }
}

/// Begins a journal in the target, or where that is not ours to write in, in the directory that is written in first.
fn begin(shared: &Shared<'_>, dir: &DirPath) -> RestoreOutcome<Journal> {
    let path = below(dir, shared.strip());
    let target = shared.writable()?;
    match Journal::begin(shared, b"", target.dir(b"")?) {
        Err(TargetError::Io { source, .. }) if is_refusal(&source) && !path.is_empty() => {
            let home = target.dir(path)?;
            shared.dead.find(shared, &home)?;
            Ok(Journal::begin(shared, path, home)?)
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

impl Journal {
    fn begin(shared: &Shared<'_>, path: &[u8], home: TargetDir) -> std::result::Result<Journal, TargetError> {
        loop {
            let random = chunkstore::id::random::<{ RUN / 2 }>().map_err(|e| TargetError::Io {
                operation: Operation::Create,
                source: Cause::from(e).into_io(io::ErrorKind::Other).into(),
            })?;
            let run = [PREFIX, hex::encode(random).as_bytes()].concat();
            let file = shared.opened.change(path, &home, || home.create_file(&run))?;
            if lock::hold_new(&file) {
                return Ok(Journal {
                    run,
                    file,
                    home,
                    last: None,
                });
            }
        }
    }
}

/// Runs that died: their journals, held locked until their files are gone.
#[derive(Default)]
pub(super) struct Dead {
    runs: Mutex<Vec<(Vec<u8>, File, TargetDir)>>,
    removed: AtomicU64,
}

impl Dead {
    /// Looks in `home` for journals of runs that died and removes what those runs have left.
    pub fn find(&self, shared: &Shared<'_>, home: &TargetDir) -> RestoreOutcome<()> {
        let Ok(names) = home.names() else {
            // Entering it may be all that is allowed.
            return Ok(());
        };
        for (name, _) in (0..names.len()).map_while(|i| names.get(i)) {
            let Some((run, true)) = run_of(name) else { continue };
            let Some(journal) = dead(home, run) else { continue };
            self.remove_noted(shared, run, &journal)?;
            self.runs.lock().push((run.to_vec(), journal, home.try_clone()?));
        }
        Ok(())
    }

    fn remove_noted(&self, shared: &Shared<'_>, run: &[u8], journal: &File) -> RestoreOutcome<()> {
        let target = shared.writable()?;
        let mut route = Route::new(ROUTE);
        let mut lines = BufReader::new(journal);
        let mut path = Vec::new();
        loop {
            path.clear();
            // What can't be read of it shows no more; directories that this run comes to are looked through, too.
            match (&mut lines).take(PATH_MAX).read_until(0, &mut path) {
                Ok(0) | Err(_) => return Ok(()),
                Ok(_) => {}
            }
            if path.pop() == Some(0)
                && let Ok(dir) = route.dir(target, &path)
            {
                self.remove_from(shared, &path, &dir, &[run])?;
            }
        }
    }

    /// Removes what runs that died have left in a directory that this run comes to: of the last moments before a power
    /// failure their journals may know nothing.
    pub fn sweep(&self, shared: &Shared<'_>, path: &[u8], dir: &TargetDir) -> RestoreOutcome<()> {
        let runs = self.runs.lock();
        if runs.is_empty() {
            return Ok(());
        }
        let runs: Vec<&[u8]> = runs.iter().map(|(run, ..)| run.as_slice()).collect();
        self.remove_from(shared, path, dir, &runs)
    }

    fn remove_from(
        &self,
        shared: &Shared<'_>,
        path: &[u8],
        dir: &TargetDir,
        runs: &[&[u8]],
    ) -> RestoreOutcome<()> {
        let names = dir.names().unwrap_or_else(|_| Names::default());
        for (name, _) in (0..names.len()).map_while(|i| names.get(i)) {
            let Some((run, false)) = run_of(name) else {
                continue;
            };
            if !runs.contains(&run) {
                continue;
            }
            match shared.opened.change(path, dir, || dir.remove(name)) {
                Ok(()) => {
                    self.removed.fetch_add(1, Relaxed);
                }
                Err(e) => {
                    let why = Box::new(e.into());
                    shared.problem_in_target(&join(path, name), RestoreProblem::LeftoverNotRemoved(why));
                }
            }
        }
        Ok(())
    }

    /// Everything was looked through.
    pub fn end(&self, shared: &Shared<'_>) {
        for (run, _journal, home) in self.runs.lock().drain(..) {
            // The next restore finds it again.
            let _left = home.remove(&run);
        }
        let removed = self.removed.load(Relaxed);
        if removed > 0 {
            shared.warn_of_target(Warning::RestoreLeftovers { files: removed });
        }
    }
}

/// Removes what runs that died have left in the target.
pub(super) fn find(shared: &Shared<'_>) -> Result<()> {
    let found = || -> RestoreOutcome<()> {
        let target = shared.writable()?.dir(b"")?;
        shared.dead.find(shared, &target)?;
        shared.dead.sweep(shared, b"", &target)
    };
    match found().map_err(Fault::apart) {
        Err(Err(e)) => Err(e),
        // What could not be opened now is reported when something is to be written there.
        Ok(()) | Err(Ok(_)) => Ok(()),
    }
}

/// The journal of a run, locked, if that run has died.
fn dead(home: &TargetDir, run: &[u8]) -> Option<File> {
    let file = home.open_to_lock(run).ok()?;
    if !file.metadata().is_ok_and(|meta| meta.is_file()) {
        return None;
    }
    matches!(lock::try_lock(&file), Ok(true)).then_some(file)
}
