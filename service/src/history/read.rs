//! Reads history, newest first, from the end of each month's file backwards: what is read is in proportion to what is
//! asked for, however long the history.

use super::journal::{Journal, ROW_MAX};
use super::{HistoryRow, month_of};
use crate::catalogue::{Action, Cause};
use crate::failure::Failure;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

const BLOCK: usize = 64 << 10;
/// Rows at the end of a month's file among which the row of a job that ended just now must be.
const LAST_ROWS: usize = 1000;

/// Which rows.
#[derive(Clone, Debug, Default)]
pub struct HistoryQuery {
    /// How many, newest first.
    pub limit: usize,
    /// The beginning of an id.
    pub id: String,
    pub set: Option<String>,
    pub kind: Option<String>,
    /// A status's word or reason.
    pub status: Option<String>,
}

impl HistoryQuery {
    fn matches(&self, row: &HistoryRow) -> bool {
        let is = |wanted: &Option<String>, found: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| found == Some(wanted))
        };
        row.id.starts_with(&self.id)
            && is(&self.set, row.set.as_deref())
            && is(&self.kind, Some(&row.kind))
            && self.status.as_deref().is_none_or(|wanted| row.has_status(wanted))
    }

    /// Whether a month's file may hold a row of this id.
    fn may_be_in(&self, month: &str) -> bool {
        let digits = month.replace('-', "");
        let known = self.id.get(..self.id.len().min(digits.len())).unwrap_or_default();
        digits.starts_with(known)
    }
}

/// The newest rows, and whether there are more.
#[derive(Clone, Debug, Default)]
pub struct HistoryPage {
    pub rows: Vec<HistoryRow>,
    pub more: bool,
}

impl Journal {
    /// Newest first; those that run now come before all others.
    pub fn rows(&self, query: &HistoryQuery) -> Result<HistoryPage, Failure> {
        let failed = |e: io::Error| Failure::system(Action::Read, self.dir(), e);
        // Where nothing can be written the rows of killed jobs stay as they are, and are left out.
        let _ = self.settle();
        let mut page = HistoryPage::default();
        let running = self.running().map_err(failed)?;
        page.rows
            .extend(running.into_iter().filter(|row| query.matches(row)));
        for month in months(self.dir()).map_err(failed)? {
            if !query.may_be_in(&month) {
                continue;
            }
            let path = self.dir().join(format!("{month}.jsonl"));
            for line in LinesBackwards::open(&path).map_err(failed)? {
                let line = line.map_err(failed)?;
                // What was cut short by a crash, or is of no version that is known.
                let Ok(row) = serde_json::from_slice::<HistoryRow>(&line) else {
                    continue;
                };
                if query.matches(&row) && page.rows.iter().all(|known| known.id != row.id) {
                    page.rows.push(row);
                }
                if page.rows.len() > query.limit {
                    page.rows.truncate(query.limit);
                    page.more = true;
                    return Ok(page);
                }
            }
        }
        Ok(page)
    }

    /// The one row that the beginning of an id, or `latest`, means.
    pub fn row(&self, id: &str) -> Result<HistoryRow, Failure> {
        let query = HistoryQuery {
            limit: if id == "latest" { 1 } else { 2 },
            id: if id == "latest" {
                String::new()
            } else {
                id.to_string()
            },
            ..HistoryQuery::default()
        };
        let found = self.rows(&query)?.rows;
        match <[HistoryRow; 1]>::try_from(found) {
            Ok([row]) => Ok(row),
            Err(rows) if rows.is_empty() => Err(Cause::NoSuchJob { id: id.to_string() }.into()),
            Err(_) => Err(Cause::SeveralJobs { id: id.to_string() }.into()),
        }
    }
}

/// Months that have a file, newest first.
pub(super) fn months(dir: &Path) -> io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut months = BTreeSet::new();
    for entry in entries {
        let name = entry?.file_name();
        let month = name.to_str().and_then(|name| name.strip_suffix(".jsonl"));
        let is_month = |month: &&str| month_of(&month.replace('-', "")).as_deref() == Some(*month);
        months.extend(month.filter(is_month).map(String::from));
    }
    Ok(months.into_iter().rev().collect())
}

/// The ids of the newest rows in the file to which this id belongs.
pub(super) fn last_ids(dir: &Path, id: &str) -> io::Result<BTreeSet<String>> {
    let path = dir.join(format!("{}.jsonl", month_of(id).unwrap_or_default()));
    let lines = match LinesBackwards::open(&path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        lines => lines?,
    };
    let mut ids = BTreeSet::new();
    for line in lines.take(LAST_ROWS) {
        ids.extend(
            serde_json::from_slice::<HistoryRow>(&line?)
                .ok()
                .map(|row| row.id),
        );
    }
    Ok(ids)
}

/// The lines of a file from its end. One that is too long is passed over.
pub(super) struct LinesBackwards {
    file: File,
    /// What comes before is not read yet.
    at: u64,
    /// What follows, without what was returned.
    read: Vec<u8>,
    /// Its last line is part of one that is too long.
    too_long: bool,
}

impl LinesBackwards {
    pub(super) fn open(path: &Path) -> io::Result<LinesBackwards> {
        let mut file = File::open(path)?;
        let at = file.seek(SeekFrom::End(0))?;
        Ok(LinesBackwards {
            file,
            at,
            read: Vec::new(),
            too_long: false,
        })
    }

    fn read_block(&mut self) -> io::Result<()> {
        let len = self.at.min(BLOCK as u64);
        self.at -= len;
        self.file.seek(SeekFrom::Start(self.at))?;
        let mut block = Vec::with_capacity(BLOCK + self.read.len());
        (&mut self.file).take(len).read_to_end(&mut block)?;
        block.append(&mut self.read);
        self.read = block;
        Ok(())
    }
}

impl Iterator for LinesBackwards {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<io::Result<Vec<u8>>> {
        loop {
            let line = match self.read.iter().rposition(|byte| *byte == b'\n') {
                Some(end) => {
                    let line = self.read.split_off(end + 1);
                    self.read.truncate(end);
                    line
                }
                None if self.at == 0 => {
                    if self.read.is_empty() {
                        return None;
                    }
                    std::mem::take(&mut self.read)
                }
                None => {
                    if self.read.len() > ROW_MAX {
                        self.read.clear();
                        self.too_long = true;
                    }
                    match self.read_block() {
                        Ok(()) => continue,
                        Err(e) => return Some(Err(e)),
                    }
                }
            };
            if !std::mem::take(&mut self.too_long) && !line.is_empty() {
                return Some(Ok(line));
            }
        }
    }
}
