//! Writes history. Rows are appended whole and survive a power cut; one process writes at a time. What is older than two
//! years is removed.

use super::lines::{LinesBackwards, ROW_MAX, last_ids, months};
use super::{HistoryRow, JobInfo, month_of};
use crate::status::Status;
use engine::platform::{files, lock, private};
use engine::run::LocalDirs;
use jiff::Timestamp;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Months that are kept.
const MONTHS_MAX: usize = 25;
/// The oldest months go when history is larger than this.
const BYTES_MAX: u64 = 256 << 20;
const LIVE: &str = "live";
const STOP: &str = "stop";

/// The history of this machine.
#[derive(Clone, Debug)]
pub struct Journal {
    dir: PathBuf,
}

/// The row of a job that runs; while this exists, it does.
pub struct LiveRow {
    path: PathBuf,
    /// Holds the lock.
    file: File,
}

impl LiveRow {
    /// Shows that the job is alive, by the file's time.
    pub fn show(&self) {
        // Without it, only when a killed job ended is less exact.
        let _ = self.file.set_modified(SystemTime::now());
    }
}

impl Journal {
    pub fn of(dirs: &LocalDirs) -> Journal {
        Journal {
            dir: dirs.state.join("history"),
        }
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn live(&self) -> PathBuf {
        self.dir.join(LIVE)
    }

    /// Notes a job that begins now.
    pub fn begin(&self, job: &JobInfo, start: Timestamp) -> io::Result<(HistoryRow, LiveRow)> {
        let _lock = self.lock()?;
        self.settle_locked()?;
        let mut row = job.row(start);
        loop {
            let path = self.live().join(&row.id);
            match files::create(&path, &line(&row)?) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => row.id = super::new_id(start),
                created => {
                    created?;
                    let file = lock::open(&path)?;
                    // A process that checks whether it runs may hold it for a moment.
                    lock::lock(&file)?;
                    return Ok((row, LiveRow { path, file }));
                }
            }
        }
    }

    /// Appends the row of a job that ended.
    pub fn end(&self, row: &HistoryRow, live: Option<LiveRow>) -> io::Result<()> {
        let _lock = self.lock()?;
        self.append(row)?;
        if let Some(live) = live {
            // If it stays, its row is found to be there already.
            let _ = std::fs::remove_file(&live.path);
            let _ = std::fs::remove_file(live.path.with_extension(STOP));
        }
        Ok(())
    }

    /// Takes back the row of a job that did nothing.
    pub fn withdraw(&self, live: Option<LiveRow>) {
        if let Some(live) = live {
            // If it stays, the job is shown as interrupted.
            let _ = std::fs::remove_file(&live.path);
            let _ = std::fs::remove_file(live.path.with_extension(STOP));
        }
    }

    /// Turns the rows of jobs that were killed into "interrupted".
    pub fn settle(&self) -> io::Result<()> {
        if !self.live().is_dir() {
            return Ok(());
        }
        let _lock = self.lock()?;
        self.settle_locked()
    }

    fn settle_locked(&self) -> io::Result<()> {
        for id in self.live_ids()? {
            let path = self.live().join(&id);
            let mut file = match File::open(&path) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                file => file?,
            };
            if !lock::try_lock(&file)? {
                continue;
            }
            if let Some(mut row) = read_row(&mut file)
                && row.id == id
                && !last_ids(&self.dir, &id)?.contains(&id)
            {
                row.status = Status::Interrupted.word().to_string();
                row.reason = Status::Interrupted.reason().map(String::from);
                row.pid = 0;
                row.end = last_sign_of_life(&file, &self.problems(&id)).map(|seen| seen.max(row.start));
                self.append(&row)?;
            }
            std::fs::remove_file(&path)?;
            let _ = std::fs::remove_file(path.with_extension(STOP));
        }
        Ok(())
    }

    fn live_ids(&self) -> io::Result<Vec<String>> {
        let mut ids = Vec::new();
        for entry in std::fs::read_dir(self.live())? {
            let name = entry?.file_name();
            ids.extend(name.to_str().filter(|name| is_id(name)).map(String::from));
        }
        ids.sort();
        Ok(ids)
    }

    /// The rows of the jobs that run now, newest first.
    pub fn running(&self) -> io::Result<Vec<HistoryRow>> {
        let ids = match self.live_ids() {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            ids => ids?,
        };
        let mut rows = Vec::new();
        for id in ids.iter().rev() {
            let Ok(mut file) = File::open(self.live().join(id)) else {
                continue;
            };
            // A lock that can be had is one of a process that is gone; it is given back at once.
            let is_alive = !lock::try_lock(&file)?;
            rows.extend(read_row(&mut file).filter(|row| is_alive && row.id == *id));
        }
        Ok(rows)
    }

    /// Asks a running job to stop at its next safe point.
    pub fn ask_to_stop(&self, id: &str) -> io::Result<()> {
        let path = self.live().join(id);
        files::open_private(&path.with_extension(STOP)).map(drop)
    }

    pub fn is_asked_to_stop(&self, id: &str) -> bool {
        self.live().join(id).with_extension(STOP).exists()
    }

    /// Lines of this and the last month's file that can't be read: cut short by a crash, damaged, or not ours.
    pub fn unreadable_lines(&self) -> u64 {
        let files = months(&self.dir)
            .unwrap_or_default()
            .into_iter()
            .take(2)
            .map(|month| self.dir.join(format!("{month}.jsonl")));
        // What can't be opened is found by reading it.
        let lines = files
            .filter_map(|path| LinesBackwards::open(&path).ok())
            .flatten();
        let is_bad = |line: &io::Result<Vec<u8>>| {
            let line = line.as_ref().ok();
            line.is_some_and(|line| serde_json::from_slice::<HistoryRow>(line).is_err())
        };
        lines.filter(is_bad).count() as u64
    }

    /// The file of a job's problems.
    pub(super) fn problems(&self, id: &str) -> PathBuf {
        let month = month_of(id).unwrap_or_default();
        self.dir.join(month).join(format!("{id}.jsonl"))
    }

    fn lock(&self) -> io::Result<File> {
        private::create_dir_all(&self.live())?;
        let lock = lock::open(&self.dir.join("lock"))?;
        lock::lock(&lock)?;
        Ok(lock)
    }

    /// The lock is held.
    fn append(&self, row: &HistoryRow) -> io::Result<()> {
        let month = month_of(&row.id).ok_or(io::ErrorKind::InvalidInput)?;
        let path = self.dir.join(format!("{month}.jsonl"));
        let is_new = !path.exists();
        if is_new {
            self.expire()?;
        }
        let mut file = files::open_private(&path)?;
        let end = file.seek(SeekFrom::End(0))?;
        let mut bytes = line(row)?;
        // A power cut may have left half a row.
        if end > 0 {
            let mut last = [0];
            file.seek(SeekFrom::Start(end - 1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                bytes.insert(0, b'\n');
            }
        }
        file.seek(SeekFrom::Start(end))?;
        if let Err(e) = file.write_all(&bytes).and_then(|()| file.sync_data()) {
            // Half a row is passed over by readers if it can't be taken back.
            let _ = file.set_len(end);
            return Err(e);
        }
        match is_new {
            true => files::sync_folder(&self.dir),
            false => Ok(()),
        }
    }

    /// Removes the oldest months.
    fn expire(&self) -> io::Result<()> {
        let mut months = months(&self.dir)?;
        let mut bytes = 0;
        for month in &months {
            bytes += size(&self.dir.join(format!("{month}.jsonl")));
        }
        while months.len() >= MONTHS_MAX || bytes > BYTES_MAX {
            let Some(month) = months.pop() else { break };
            let path = self.dir.join(format!("{month}.jsonl"));
            bytes -= size(&path).min(bytes);
            match std::fs::remove_dir_all(self.dir.join(&month)) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => std::fs::remove_file(&path)?,
            }
        }
        Ok(())
    }
}

/// When a job that was killed was last seen: it touches its row from time to time, and writes its problems as they come.
fn last_sign_of_life(live: &File, problems: &Path) -> Option<Timestamp> {
    let live = live.metadata().and_then(|meta| meta.modified()).ok();
    let problems = std::fs::metadata(problems).and_then(|meta| meta.modified()).ok();
    Timestamp::try_from(live.max(problems)?).ok()
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |meta| meta.len())
}

fn is_id(name: &str) -> bool {
    name.len() == "20261127-031459-4f2a".len() && month_of(name).is_some()
}

fn read_row(file: &mut File) -> Option<HistoryRow> {
    let mut bytes = Vec::new();
    file.take(ROW_MAX as u64).read_to_end(&mut bytes).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// A row as a line. One that would be too long holds less.
fn line(row: &HistoryRow) -> io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(row)?;
    if bytes.len() >= ROW_MAX {
        let short = |text: &String| text.chars().take(1000).collect();
        let less = HistoryRow {
            sources: Vec::new(),
            more_sources: row.more_sources.saturating_add(row.sources.len() as u64),
            target: row.target.as_ref().map(short),
            message: row.message.as_ref().map(short),
            message_ja: row.message_ja.as_ref().map(short),
            destinations: Vec::new(),
            ..row.clone()
        };
        bytes = serde_json::to_vec(&less)?;
    }
    bytes.push(b'\n');
    Ok(bytes)
}
