//! The files of the history, one for each month, and their lines. A file is read from its end backwards: what is read is in
//! proportion to what is asked for, however long the history.

use super::{HistoryRow, month_of};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// No row is longer.
pub(super) const ROW_MAX: usize = 64 << 10;
const BLOCK: usize = 64 << 10;
/// Rows at the end of a month's file among which the row of a job that ended just now must be.
const LAST_ROWS: usize = 1000;

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
    pub fn open(path: &Path) -> io::Result<LinesBackwards> {
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
