//! The log of this machine: what commands and jobs did, as JSON lines. It is for whoever looks for the cause of
//! something; the history is for everybody else.
//!
//! ```text
//! logs/dedup.log          the newest lines
//! logs/dedup.1.log ...    older ones; the greatest number is the oldest
//! logs/lock               held while a line is written
//! ```
//!
//! A line has `time`, `level`, `pid`, `event` and what belongs to the event. It holds no secret, and no path but those
//! that a problem is about. Writing it never fails a job: what can't be written is dropped.

use crate::catalogue::{Cause, Lang, faults};
use crate::env::Env;
use crate::face::Notice;
use crate::failure::Failure;
use crate::json;
use crate::machine;
use crate::redact::Redactor;
use engine::monitor::Problem;
use engine::platform::{files, lock, private};
use engine::run::LocalDirs;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// A file that has reached this is renamed.
const FILE_MAX: u64 = 1 << 20;
/// Files that are kept, with the newest.
const FILES_MAX: usize = 5;
/// No line is longer.
const LINE_MAX: usize = 16 << 10;
const NEWEST: &str = "dedup.log";

/// How much is logged: each level includes those before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum LogLevel {
    Off,
    Error,
    Warning,
    Info,
    Debug,
}

impl LogLevel {
    pub const ALL: [LogLevel; 5] = [
        LogLevel::Off,
        LogLevel::Error,
        LogLevel::Warning,
        LogLevel::Info,
        LogLevel::Debug,
    ];

    pub fn word(self) -> &'static str {
        match self {
            LogLevel::Off => "off",
            LogLevel::Error => "error",
            LogLevel::Warning => "warning",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
        }
    }
}

/// What `DEDUP_LOG` says.
pub fn level(env: &Env) -> Result<LogLevel, Failure> {
    let Some(text) = env.text("DEDUP_LOG")? else {
        return Ok(LogLevel::Info);
    };
    let known = LogLevel::ALL.into_iter().find(|level| level.word() == text);
    known.ok_or_else(|| machine::bad("DEDUP_LOG", text, crate::catalogue::Expected::LogLevel))
}

/// Writes lines.
pub struct Log {
    dir: PathBuf,
    level: LogLevel,
    redactor: Redactor,
}

impl Log {
    /// In these directories; without them, nothing is kept.
    pub fn new(dirs: Option<&LocalDirs>, level: LogLevel, redactor: Redactor) -> Log {
        let dir = dirs.map_or_else(|| Path::new(machine::NOWHERE).join("logs"), dir);
        Log { dir, level, redactor }
    }

    pub fn add(&self, level: LogLevel, event: &str, fields: Value) {
        if level > self.level || level == LogLevel::Off {
            return;
        }
        let line = self.line(level, event, fields);
        // Dropped where it can't be written: no job fails for its log.
        let _ = write(&self.dir, &line);
    }

    /// What ended a job or command early.
    pub fn failure(&self, event: &str, failure: &Failure, mut fields: Value) {
        fields["cause"] = json!(kind_of(&failure.cause));
        fields["message"] = json!(failure.message());
        self.add(LogLevel::Error, event, fields);
    }

    /// What a job reports while it runs and may explain something later.
    pub(crate) fn notice(&self, job: &str, notice: &Notice<'_>) {
        let message = match notice {
            Notice::Warning { warning, .. } => warning.text(Lang::En),
            Notice::PartFailed(failure) => {
                return self.failure("part-failed", failure, json!({ "job": job }));
            }
            Notice::Listing(problem) => return self.problem(job, problem),
            Notice::WrongPassword | Notice::NoKeyFile(_) | Notice::RestoringFrom(_) => {
                crate::catalogue::notice(Lang::En, notice)
            }
            Notice::OlderSnapshot { .. } | Notice::OtherSources { .. } | Notice::PruneCosts(_) => return,
        };
        self.add(
            LogLevel::Warning,
            "notice",
            json!({ "job": job, "message": message }),
        );
    }

    /// A problem with one path.
    pub(crate) fn problem(&self, job: &str, problem: &Problem) {
        let (item, message) = (json::name(&problem.path), faults::problem(Lang::En, problem));
        let fields = json!({ "job": job, "item": item, "message": message });
        self.add(LogLevel::Warning, "problem", fields);
    }

    fn line(&self, level: LogLevel, event: &str, fields: Value) -> Vec<u8> {
        let mut line = json!({
            "time": Timestamp::now().to_string(),
            "level": level.word(),
            "pid": std::process::id(),
            "event": event,
        });
        if let (Some(line), Some(fields)) = (line.as_object_mut(), fields.as_object()) {
            line.extend(
                fields
                    .iter()
                    .map(|(name, value)| (name.clone(), self.scrubbed(value))),
            );
        }
        let mut bytes = line.to_string().into_bytes();
        if bytes.len() >= LINE_MAX {
            let (level, time) = (level.word(), &line["time"]);
            let less = json!({ "time": time, "level": level, "event": event, "bytes": bytes.len() });
            bytes = less.to_string().into_bytes();
        }
        bytes.push(b'\n');
        bytes
    }

    fn scrubbed(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => json!(self.redactor.scrub(text)),
            Value::Array(all) => all.iter().map(|one| self.scrubbed(one)).collect(),
            Value::Object(fields) => fields
                .iter()
                .map(|(name, value)| (name.clone(), self.scrubbed(value)))
                .collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }
}

/// Where logs are.
pub fn dir(dirs: &LocalDirs) -> PathBuf {
    dirs.state.join("logs")
}

/// The files of the log, newest first.
pub fn log_files(dir: &Path) -> Vec<PathBuf> {
    let names = (0..FILES_MAX).map(|nr| dir.join(name(nr)));
    names.filter(|path| path.is_file()).collect()
}

fn name(nr: usize) -> String {
    match nr {
        0 => NEWEST.to_string(),
        nr => format!("dedup.{nr}.log"),
    }
}

fn write(dir: &Path, line: &[u8]) -> std::io::Result<()> {
    if !dir.parent().is_some_and(Path::is_dir) {
        // Nobody keeps anything on this machine.
        return Ok(());
    }
    private::create_dir_all(dir)?;
    let held = lock::open(&dir.join("lock"))?;
    lock::lock(&held)?;
    let path = dir.join(NEWEST);
    let mut file = files::open_private(&path)?;
    let mut end = file.seek(SeekFrom::End(0))?;
    if end + line.len() as u64 > FILE_MAX {
        rotate(dir)?;
        file = files::open_private(&path)?;
        end = file.seek(SeekFrom::End(0))?;
    }
    if let Err(e) = file.write_all(line) {
        // Half a line is passed over by readers if it can't be taken back.
        let _ = file.set_len(end);
        return Err(e);
    }
    Ok(())
}

/// The lock is held.
fn rotate(dir: &Path) -> std::io::Result<()> {
    for nr in (0..FILES_MAX - 1).rev() {
        let (from, to) = (dir.join(name(nr)), dir.join(name(nr + 1)));
        if from.is_file() {
            std::fs::rename(from, to)?;
        }
    }
    Ok(())
}

/// The variants that a cause is made of, without what they hold: `Engine/Store/NoSpace`.
fn kind_of(cause: &Cause) -> String {
    let text = format!("{cause:?}");
    let mut names: Vec<&str> = Vec::new();
    // Texts begin with a quotation mark: what follows is data.
    let head = text.split('"').next().unwrap_or_default();
    for word in head.split(|c: char| !c.is_ascii_alphanumeric()) {
        let is_variant = word.starts_with(|c: char| c.is_ascii_uppercase());
        if is_variant && names.len() < 5 {
            names.push(word);
        }
    }
    names.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::StoreError;

    fn log(dir: &Path, level: LogLevel) -> Log {
        Log {
            dir: dir.join("logs"),
            level,
            redactor: Redactor::default(),
        }
    }

    fn lines(dir: &Path) -> Vec<Value> {
        let text = std::fs::read_to_string(dir.join("logs").join(NEWEST)).unwrap_or_default();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[test]
    fn levels() {
        let dir = tempfile::tempdir().unwrap();
        let info = log(dir.path(), LogLevel::Info);
        info.add(LogLevel::Debug, "a", json!({}));
        info.add(LogLevel::Info, "b", json!({ "url": "sftp://u:secret@h/x" }));
        info.failure("c", &StoreError::WrongKey.into(), json!({ "n": 1 }));
        log(dir.path(), LogLevel::Off).add(LogLevel::Error, "d", json!({}));
        let lines = lines(dir.path());
        assert_eq!(lines.len(), 2);
        assert_eq!(
            (&lines[0]["event"], &lines[0]["level"]),
            (&json!("b"), &json!("info"))
        );
        assert!(!lines[0].to_string().contains("secret"));
        assert_eq!(
            (&lines[1]["cause"], &lines[1]["n"]),
            (&json!("Engine/Store/WrongKey"), &json!(1))
        );
    }

    #[test]
    fn files_are_renamed_and_few() {
        let dir = tempfile::tempdir().unwrap();
        let log = log(dir.path(), LogLevel::Info);
        for nr in 0..7000 {
            log.add(LogLevel::Info, "x", json!({ "nr": nr, "text": "y".repeat(1000) }));
        }
        let files = log_files(&dir.path().join("logs"));
        assert_eq!(files.len(), FILES_MAX);
        assert!(
            files
                .iter()
                .all(|file| std::fs::metadata(file).unwrap().len() <= FILE_MAX)
        );
        assert_eq!(lines(dir.path()).last().unwrap()["nr"], 6999);
        log.add(LogLevel::Info, "long", json!({ "text": "y".repeat(1 << 20) }));
        assert_eq!(lines(dir.path()).last().unwrap()["event"], "long");
    }

    #[test]
    fn what_cannot_be_written_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("logs"), "not a folder").unwrap();
        log(dir.path(), LogLevel::Info).add(LogLevel::Error, "x", json!({}));
    }

    #[test]
    fn values() {
        let level = |text: &str| level(&Env::of(&[("DEDUP_LOG", text)]));
        assert_eq!(
            (level(""), level("debug")),
            (Ok(LogLevel::Info), Ok(LogLevel::Debug))
        );
        assert!(level("loud").unwrap_err().message().contains("DEDUP_LOG"));
    }
}
