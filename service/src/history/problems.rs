//! The problems of one job, one a line, written as they come so that they survive a job that is killed.

use super::journal::Journal;
use engine::entry::Trouble;
use engine::monitor::{Lost, Problem, ProblemKind};
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

/// A problem on disk: codes and values, no sentences but those that the engine has already made.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ProblemRow {
    pub path: String,
    pub kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errno: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whole: Option<i64>,
}

impl From<&Problem> for ProblemRow {
    fn from(problem: &Problem) -> ProblemRow {
        let (kind, errno, why, whole) = match &problem.what {
            ProblemKind::Source(Trouble::Unreadable { errno }) => {
                ("unreadable source", Some(*errno), None, None)
            }
            ProblemKind::Source(Trouble::Unknown { errno }) => ("unknown source", Some(*errno), None, None),
            ProblemKind::Source(Trouble::Changed) => ("changed source", None, None, None),
            ProblemKind::Source(Trouble::NoXattrs { errno }) => ("no attributes", Some(*errno), None, None),
            ProblemKind::SourceMissing { errno } => ("missing source", Some(*errno), None, None),
            ProblemKind::Lost { how, whole } => (lost_word(*how), None, None, Some(*whole)),
            ProblemKind::Bare { link: true } => ("bare link", None, None, None),
            ProblemKind::Bare { link: false } => ("bare device", None, None, None),
            ProblemKind::LeftOut { why } => ("left out", None, Some(why), None),
            ProblemKind::Restore { why } => ("restore", None, Some(why), None),
            ProblemKind::Unreadable { why } => ("unreadable object", None, Some(why), None),
            ProblemKind::Damage { why } => ("damage", None, Some(why), None),
            ProblemKind::Warning { why } => ("warning", None, Some(why), None),
        };
        ProblemRow {
            path: String::from_utf8_lossy(&problem.path).into_owned(),
            kind: kind.to_string(),
            errno,
            why: why.cloned(),
            whole,
        }
    }
}

fn lost_word(how: Lost) -> &'static str {
    match how {
        Lost::Empty => "empty source",
        Lost::Unmounted => "unmounted source",
        Lost::NotADirectory => "source is no directory",
    }
}

impl ProblemRow {
    /// The problem, unless it is of a kind that this version does not know.
    pub fn problem(&self) -> Option<Problem> {
        let errno = self.errno.unwrap_or_default();
        let whole = self.whole.unwrap_or_default();
        let why = self.why.clone().unwrap_or_default();
        let what = match self.kind.as_str() {
            "unreadable source" => ProblemKind::Source(Trouble::Unreadable { errno }),
            "unknown source" => ProblemKind::Source(Trouble::Unknown { errno }),
            "changed source" => ProblemKind::Source(Trouble::Changed),
            "no attributes" => ProblemKind::Source(Trouble::NoXattrs { errno }),
            "missing source" => ProblemKind::SourceMissing { errno },
            "bare link" => ProblemKind::Bare { link: true },
            "bare device" => ProblemKind::Bare { link: false },
            "left out" => ProblemKind::LeftOut { why },
            "restore" => ProblemKind::Restore { why },
            "unreadable object" => ProblemKind::Unreadable { why },
            "damage" => ProblemKind::Damage { why },
            "warning" => ProblemKind::Warning { why },
            word => {
                let all = [Lost::Empty, Lost::Unmounted, Lost::NotADirectory];
                let how = all.into_iter().find(|how| lost_word(*how) == word)?;
                ProblemKind::Lost { how, whole }
            }
        };
        Some(Problem {
            path: self.path.clone().into_bytes(),
            what,
        })
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
