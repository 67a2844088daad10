//! The names that a restore uses until what it writes is whole, and its journal of the directories that have such names.
//!
//! A run calls itself `.dedup-restore-` and eight random digits. While it writes, a file of that name lies in the target,
//! locked, and holds the path of each directory before anything is written in it: its journal. What the run writes is
//! called by the same name and a number, in the directory where it will stay, and is renamed when it is whole. So a
//! journal that no process holds locked belongs to a run that died, and it shows where that run's files are (`leftovers`).
//!
//! Of large files, and of those that are written in place, the journal also notes which name they will have, so that the
//! next run can go on with them (`partials`). Such a note begins with a slash, which the path of a directory does not.

use super::partials::{Partials, Writing};
use crate::entry::DirPath;
use crate::fsmeta::{Changes, TargetDir, TargetError};
use crate::platform::lock;
use chunkstore::error::{Cause, Operation};
use chunkstore::id::is_hex;
use parking_lot::Mutex;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

const PREFIX: &[u8] = b".dedup-restore-";
/// Digits of a run's own part.
const RUN: usize = 8;
/// Longest path in a journal: longer ones can't be opened as a whole by anybody.
const PATH_MAX: u64 = 1 << 20;

/// Whether this is the name of a restore's journal, or one that a restore uses until what it writes is whole.
pub(crate) fn is_leftover(name: &[u8]) -> bool {
    run_of(name).is_some()
}

/// The run that a name belongs to, and whether it is that run's journal.
pub(super) fn run_of(name: &[u8]) -> Option<(&[u8], bool)> {
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

/// What a journal notes.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum JournalNote {
    /// A directory, in which files of the run may be.
    Dir(Vec<u8>),
    File {
        temporary: Vec<u8>,
        path: Vec<u8>,
        how: Writing,
    },
}

impl JournalNote {
    /// `run` is the run's part of the temporary name.
    fn parse(run: &[u8], line: Vec<u8>) -> Option<JournalNote> {
        let Some(rest) = line.strip_prefix(b"/") else {
            return Some(JournalNote::Dir(line));
        };
        let (letter, rest) = rest.split_first()?;
        let slash = rest.iter().position(|byte| *byte == b'/')?;
        let (number, path) = (rest.get(..slash)?, rest.get(slash + 1..)?);
        let temporary = [run, b"-", number].concat();
        run_of(&temporary)?;
        Some(JournalNote::File {
            temporary,
            path: path.to_vec(),
            how: match letter {
                b'n' => Writing::New,
                b'i' => Writing::InPlace,
                _ => return None,
            },
        })
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

/// The journal of a run.
pub(super) struct Journal {
    run: Vec<u8>,
    file: File,
    /// Where it lies.
    home: TargetDir,
    /// The directory that was noted last.
    last: Option<DirPath>,
}

impl Temporaries {
    /// A name for something that will be written in the directory `dir` of the generation, which the journal calls `path`.
    /// The first name needs a journal: `begin` makes it.
    pub fn name<E: From<TargetError>>(
        &self,
        (dir, path): (&DirPath, &[u8]),
        changes: &Changes,
        begin: impl FnOnce() -> Result<Journal, E>,
    ) -> Result<Vec<u8>, E> {
        let mut journal = self.journal.lock();
        let journal = match &mut *journal {
            Some(journal) => journal,
            none => none.insert(begin()?),
        };
        if journal.last.as_ref() != Some(dir) {
            journal.note(path, changes)?;
            journal.last = Some(dir.clone());
        }
        let number = self.number.fetch_add(1, Relaxed);
        Ok([&journal.run, format!("-{number:x}").as_bytes()].concat())
    }

    /// Notes which file of the target, `path`, is written under the name `temporary`.
    pub fn note(
        &self,
        temporary: &[u8],
        path: &[u8],
        how: Writing,
        changes: &Changes,
    ) -> Result<(), TargetError> {
        match &mut *self.journal.lock() {
            Some(journal) => journal.note_file(temporary, path, how, changes),
            // It was begun for the temporary name.
            None => Ok(()),
        }
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

impl Journal {
    /// Makes a journal of a random name in `home`; `create` creates the file.
    pub fn begin(
        home: TargetDir,
        create: impl Fn(&TargetDir, &[u8]) -> Result<File, TargetError>,
    ) -> Result<Journal, TargetError> {
        loop {
            let random = chunkstore::id::random::<{ RUN / 2 }>().map_err(|e| TargetError::Io {
                operation: Operation::Create,
                source: Cause::from(e).into_io(io::ErrorKind::Other).into(),
            })?;
            let run = [PREFIX, hex::encode(random).as_bytes()].concat();
            let file = create(&home, &run)?;
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

    fn note(&mut self, path: &[u8], changes: &Changes) -> Result<(), TargetError> {
        let line = [path, b"\0"].concat();
        changes.make(|| self.file.write_all(&line)).map_err(not_noted)
    }

    fn note_file(
        &mut self,
        temporary: &[u8],
        path: &[u8],
        how: Writing,
        changes: &Changes,
    ) -> Result<(), TargetError> {
        let number = temporary.get(self.run.len() + 1..).unwrap_or_default();
        let letter: &[u8] = match how {
            Writing::New => b"/n",
            Writing::InPlace => b"/i",
        };
        self.note(&[letter, number, b"/", path].concat(), changes)?;
        match how {
            Writing::New => Ok(()),
            // It may be on another disk than the file, and must be there first.
            Writing::InPlace => self.file.sync_data().map_err(not_noted),
        }
    }
}

fn not_noted(error: io::Error) -> TargetError {
    TargetError::Io {
        operation: Operation::Write,
        source: error.into(),
    }
}

/// A run that died: its journal, held locked until its files are gone.
pub(super) struct DeadRun {
    pub run: Vec<u8>,
    pub journal: File,
    /// Where the journal lies.
    pub home: TargetDir,
}

impl DeadRun {
    /// The run of this journal in `home`, if it has died.
    pub fn find(home: &TargetDir, run: &[u8]) -> Result<Option<DeadRun>, TargetError> {
        let Ok(journal) = home.open_to_lock(run) else {
            return Ok(None);
        };
        let is_dead = journal.metadata().is_ok_and(|meta| meta.is_file())
            && matches!(lock::try_lock(&journal), Ok(true));
        if !is_dead {
            return Ok(None);
        }
        Ok(Some(DeadRun {
            run: run.to_vec(),
            journal,
            home: home.try_clone()?,
        }))
    }

    /// What the journal notes, as far as it can be read.
    pub fn notes(&self) -> impl Iterator<Item = JournalNote> {
        let mut journal = &self.journal;
        let is_at_start = journal.rewind().is_ok();
        let mut lines = BufReader::new(journal);
        std::iter::from_fn(move || {
            if !is_at_start {
                return None;
            }
            let mut path = Vec::new();
            // What can't be read of it shows no more; directories that this run comes to are looked through, too.
            match (&mut lines).take(PATH_MAX).read_until(0, &mut path) {
                Ok(0) | Err(_) => None,
                Ok(_) => Some(path),
            }
        })
        .filter_map(|mut line| (line.pop() == Some(0)).then_some(line))
        .filter_map(|line| JournalNote::parse(&self.run, line))
    }
}

/// Runs that died, what they have left of files that are to be completed, and how many others this run has removed.
#[derive(Default)]
pub(super) struct DeadRuns {
    pub found: Mutex<Vec<DeadRun>>,
    pub partials: Mutex<Partials>,
    pub removed: AtomicU64,
}

impl DeadRuns {
    /// The file that this is a part of is there.
    pub fn complete(&self, partial: Option<&[u8]>) {
        if let Some(temporary) = partial {
            self.partials.lock().spare(temporary);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_read_as_they_were_written() {
        let run = b".dedup-restore-01234567";
        let parse = |line: &[u8]| JournalNote::parse(run, line.to_vec());
        let file = |how| JournalNote::File {
            temporary: b".dedup-restore-01234567-1f".to_vec(),
            path: b"a/b".to_vec(),
            how,
        };
        assert_eq!(parse(b""), Some(JournalNote::Dir(Vec::new())));
        assert_eq!(parse(b"a/b"), Some(JournalNote::Dir(b"a/b".to_vec())));
        assert_eq!(parse(b"/n1f/a/b"), Some(file(Writing::New)));
        assert_eq!(parse(b"/i1f/a/b"), Some(file(Writing::InPlace)));
        for broken in [
            &b"/"[..],
            b"/n",
            b"/n1f",
            b"/x1f/a",
            b"/n/a",
            b"/n../a",
            b"/n1F/a",
        ] {
            assert_eq!(parse(broken), None, "{}", broken.escape_ascii());
        }
    }
}
