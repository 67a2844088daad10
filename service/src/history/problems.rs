//! The problems of one job, one a line, written as they come so that they survive a job that is killed.

use super::journal::Journal;
use crate::catalogue::{Lang, faults};
use crate::json;
use engine::monitor::Problem;
use engine::platform::{files, private};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

/// Problems that are kept of one job; the others are counted.
pub const PROBLEMS_MAX: u64 = 1000;
/// Files of problems that are kept of one month.
const FILES_MAX: usize = 1000;
const LINE_MAX: u64 = 16 << 10;

/// A problem on disk: its text at the time, in each language, since the codes of another version may mean
/// nothing to this one.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ProblemRow {
    /// The path or object; empty for what is about the job as a whole.
    pub item: String,
    pub is_warning: bool,
    pub en: String,
    pub ja: String,
}

impl From<&Problem> for ProblemRow {
    fn from(problem: &Problem) -> ProblemRow {
        ProblemRow {
            item: json::name(&problem.path),
            is_warning: problem.what.is_warning(),
            en: faults::problem(Lang::En, problem),
            ja: faults::problem(Lang::Ja, problem),
        }
    }
}

impl ProblemRow {
    /// What is wrong, without the item.
    pub fn text(&self, lang: Lang) -> &str {
        match lang {
            Lang::En => &self.en,
            Lang::Ja => &self.ja,
        }
    }
}

/// Takes up the problems of one job.
#[derive(Default)]
pub(super) struct ProblemLog {
    file: Option<File>,
    pub count: u64,
    failed: bool,
}

impl ProblemLog {
    /// What can't be written is only counted: the job goes on.
    pub fn add(&mut self, journal: &Journal, id: &str, problem: &Problem) {
        self.count += 1;
        if self.count > PROBLEMS_MAX || self.failed {
            return;
        }
        self.failed = self.write(&journal.problems(id), problem).is_err();
    }

    fn write(&mut self, path: &Path, problem: &Problem) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                if let Some(dir) = path.parent() {
                    private::create_dir_all(dir)?;
                    make_room(dir)?;
                }
                self.file.insert(files::open_private(path)?)
            }
        };
        let mut line = serde_json::to_vec(&ProblemRow::from(problem))?;
        line.push(b'\n');
        file.write_all(&line)
    }
}

/// A set that fails every minute must not fill the disk.
fn make_room(dir: &Path) -> io::Result<()> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        names.push(entry?.file_name());
    }
    if names.len() >= FILES_MAX {
        names.sort();
        for name in names.iter().take(names.len() + 1 - FILES_MAX) {
            std::fs::remove_file(dir.join(name))?;
        }
    }
    Ok(())
}

impl Journal {
    /// The problems of a job that were kept.
    pub fn problems_of(&self, id: &str) -> io::Result<Vec<ProblemRow>> {
        let file = match File::open(self.problems(id)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            file => file?,
        };
        let mut reader = BufReader::new(file);
        let mut rows = Vec::new();
        while rows.len() < PROBLEMS_MAX as usize {
            let mut line = Vec::new();
            if (&mut reader).take(LINE_MAX).read_until(b'\n', &mut line)? == 0 {
                break;
            }
            // The last one may have been cut short.
            rows.extend(serde_json::from_slice::<ProblemRow>(&line).ok());
        }
        Ok(rows)
    }
}
