//! What this machine's jobs did: one row for each, in JSON lines below the state directory.
//!
//! ```text
//! history/2026-11.jsonl        rows of the jobs that began in that month (UTC), appended as they end
//! history/2026-11/ID.jsonl     problems of one job
//! history/live/ID              the row of a job that runs, locked by its process
//! ```
//!
//! A job that was killed leaves its live row without a lock: the next process that looks moves it to the month's file
//! as "interrupted". [`journal`] writes, [`read`] reads, [`record`] wraps a job, [`files`] lists a backup's files from
//! its snapshot. History is told about jobs and never decides about them: if it can't
//! be written, the job goes on and the user is warned.

pub mod files;
pub mod journal;
mod lines;
pub mod problems;
pub mod proofs;
pub mod read;
pub mod record;

#[cfg(test)]
mod tests;

use crate::catalogue::Lang;
use crate::failure::Failure;
use crate::schedule::RunCause;
use crate::status::{FAILED, Status};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::hash::{BuildHasher, Hasher, RandomState};

/// Sources that a row names; a list of files may have millions.
const SOURCES_MAX: usize = 100;

/// What a job was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum JobKind {
    Backup,
    Restore,
    /// Removal of snapshots.
    Delete,
    Prune,
    Check,
    Replicate,
    Copy,
    Heal,
    Repair,
    /// A restore for the sake of the proof, compared and removed.
    Drill,
    Undelete,
    Tag,
    /// A repository that was made.
    Init,
    // Changes of what opens a repository.
    KeyAdd,
    KeyRemove,
    KeyReplace,
    KeyRecovery,
}

impl JobKind {
    pub const ALL: [JobKind; 17] = [
        JobKind::Backup,
        JobKind::Restore,
        JobKind::Delete,
        JobKind::Prune,
        JobKind::Check,
        JobKind::Replicate,
        JobKind::Copy,
        JobKind::Heal,
        JobKind::Repair,
        JobKind::Drill,
        JobKind::Undelete,
        JobKind::Tag,
        JobKind::Init,
        JobKind::KeyAdd,
        JobKind::KeyRemove,
        JobKind::KeyReplace,
        JobKind::KeyRecovery,
    ];

    pub fn word(self) -> &'static str {
        match self {
            JobKind::Backup => "backup",
            JobKind::Restore => "restore",
            JobKind::Delete => "delete",
            JobKind::Prune => "prune",
            JobKind::Check => "check",
            JobKind::Replicate => "replicate",
            JobKind::Copy => "copy",
            JobKind::Heal => "heal",
            JobKind::Repair => "repair",
            JobKind::Drill => "drill",
            JobKind::Undelete => "undelete",
            JobKind::Tag => "tag",
            JobKind::Init => "init",
            JobKind::KeyAdd => "key add",
            JobKind::KeyRemove => "key remove",
            JobKind::KeyReplace => "key passwd",
            JobKind::KeyRecovery => "key recovery",
        }
    }
}

/// One job. Words are those of [`JobKind`], [`RunCause`] and [`Status`]; a row of a later version may have others.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct HistoryRow {
    pub id: String,
    pub kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set: Option<String>,
    pub cause: String,
    /// The slot of the schedule that it served.
    #[serde(with = "moment::optional", skip_serializing_if = "Option::is_none")]
    pub slot: Option<Timestamp>,
    #[serde(with = "moment")]
    pub start: Timestamp,
    /// `None` while it runs. Of a job that was killed, when it was last seen.
    #[serde(with = "moment::optional")]
    pub end: Option<Timestamp>,
    /// The remote's name, or its URL without passwords.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    pub sources: Vec<String>,
    /// Sources that are not named.
    #[serde(skip_serializing_if = "is_zero")]
    pub more_sources: u64,
    /// Where files were restored to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    pub files: u64,
    pub bytes: u64,
    pub status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What ended it early, or why it did not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The same in Japanese.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_ja: Option<String>,
    /// The snapshot that was made or read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub destinations: Vec<DestinationRow>,
    /// Snapshots that were removed.
    #[serde(skip_serializing_if = "is_zero")]
    pub snapshots: u64,
    pub problems: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub pid: u64,
    /// The history has it, so that it can be looked up by its id. Known only to the job itself.
    #[serde(skip)]
    pub is_kept: bool,
    /// All that it looked at was whole, though the job is incomplete. Known only to the job itself.
    #[serde(skip)]
    pub proves: bool,
}

impl HistoryRow {
    /// Names as many sources as a row may, and counts the rest.
    pub(crate) fn name_sources(&mut self, mut sources: impl Iterator<Item = String>) {
        self.sources = sources.by_ref().take(SOURCES_MAX).collect();
        self.more_sources = sources.count() as u64;
    }

    /// Notes why it ended early, or did not run.
    pub(crate) fn tell(&mut self, why: &Failure) {
        (self.message, self.message_ja) = in_both(why);
    }

    /// As programs read it: in English, and with what every job has.
    pub fn for_programs(&self) -> Value {
        let mut row = HistoryRow {
            message_ja: None,
            ..self.clone()
        };
        row.destinations.iter_mut().for_each(|one| one.message_ja = None);
        let mut object = json!(row);
        object["set"] = json!(self.set);
        object
    }

    /// What ended it early, or why it did not run.
    pub fn told(&self, lang: Lang) -> Option<&String> {
        in_language(lang, &self.message, &self.message_ja)
    }
}

fn in_both(why: &Failure) -> (Option<String>, Option<String>) {
    (Some(why.text(Lang::En)), Some(why.text(Lang::Ja)))
}

fn in_language<'a>(
    lang: Lang,
    english: &'a Option<String>,
    japanese: &'a Option<String>,
) -> Option<&'a String> {
    match lang {
        Lang::En => english.as_ref(),
        Lang::Ja => japanese.as_ref().or(english.as_ref()),
    }
}

/// What became of one destination.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DestinationRow {
    /// The remote's name, or its URL without passwords.
    pub name: String,
    pub status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Snapshots that it lacks.
    pub behind: u64,
    /// What went wrong there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The same in Japanese.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_ja: Option<String>,
}

impl DestinationRow {
    /// One that lacks so many snapshots, and what went wrong there.
    pub(crate) fn of(name: &str, behind: u64, failure: Option<&Failure>) -> DestinationRow {
        let (message, message_ja) = failure.map(in_both).unwrap_or_default();
        let status = match (failure, behind) {
            (Some(failure), _) => failure.status,
            (None, 0) => Status::Completed,
            (None, _) => Status::Incomplete,
        };
        DestinationRow {
            name: name.to_string(),
            status: status.word().to_string(),
            reason: failure.and_then(Failure::reason).map(String::from),
            behind,
            message,
            message_ja,
        }
    }

    fn is_incomplete(&self) -> bool {
        self.status == Status::Incomplete.word()
    }

    /// What went wrong there.
    pub fn told(&self, lang: Lang) -> Option<&String> {
        in_language(lang, &self.message, &self.message_ja)
    }
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// What is known of a job before it begins.
#[derive(Clone, Debug)]
pub struct JobInfo {
    pub kind: JobKind,
    pub set: Option<String>,
    pub cause: RunCause,
    pub slot: Option<Timestamp>,
    pub sources: Vec<String>,
    pub target: Option<String>,
    /// Without one, the repository that was asked for.
    pub repository: Option<String>,
}

impl JobInfo {
    /// A job that somebody asked for.
    pub fn of(kind: JobKind) -> JobInfo {
        JobInfo {
            kind,
            set: None,
            cause: RunCause::Manual,
            slot: None,
            sources: Vec::new(),
            target: None,
            repository: None,
        }
    }

    /// Its row, which has begun now.
    pub fn row(&self, start: Timestamp) -> HistoryRow {
        let mut row = HistoryRow {
            id: new_id(start),
            kind: self.kind.word().to_string(),
            set: self.set.clone(),
            cause: self.cause.word().to_string(),
            slot: self.slot,
            start,
            target: self.target.clone(),
            repository: self.repository.clone(),
            status: Status::Running.word().to_string(),
            pid: u64::from(std::process::id()),
            ..HistoryRow::default()
        };
        row.name_sources(self.sources.iter().cloned());
        row
    }
}

impl HistoryRow {
    /// The id by which the history shows it, if it does.
    pub fn kept_id(&self) -> Option<&str> {
        Some(self.id.as_str()).filter(|_| self.is_kept)
    }

    pub fn is_running(&self) -> bool {
        self.status == Status::Running.word()
    }

    pub fn ended(&mut self, status: Status, end: Timestamp) {
        self.status = status.word().to_string();
        self.reason = status.reason().map(String::from);
        self.end = Some(end.max(self.start));
        self.pid = 0;
    }

    /// Whether its status is the one that a user wrote: its word, its reason, both, or [`FAILED`].
    pub fn has_status(&self, wanted: &str) -> bool {
        let wanted = wanted.to_ascii_lowercase();
        if wanted == FAILED {
            let others = [Status::Completed, Status::Running, Status::NotRun];
            return others.iter().all(|other| self.status != other.word());
        }
        let reason = self.reason.as_deref().unwrap_or_default();
        wanted == self.status || wanted == reason || wanted == format!("{} ({reason})", self.status)
    }
}

/// A path as a row has it: absolute, and text.
pub fn shown_path(path: &std::path::Path) -> String {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    path.to_string_lossy().into_owned()
}

/// `20261127-031459-4f2a`: when it began, in UTC, so that ids sort and show which month's file they are in.
fn new_id(start: Timestamp) -> String {
    let at = start
        .to_zoned(TimeZone::UTC)
        .strftime("%Y%m%d-%H%M%S")
        .to_string();
    format!("{at}-{:04x}", RandomState::new().build_hasher().finish() & 0xffff)
}

/// The month in an id, as its file is called: `2026-11`.
fn month_of(id: &str) -> Option<String> {
    let (year, month) = (id.get(..4)?, id.get(4..6)?);
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    (digits(year) && digits(month)).then(|| format!("{year}-{month}"))
}

/// Moments as RFC 3339.
pub(crate) mod moment {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(at)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }

    pub mod optional {
        use jiff::Timestamp;
        use serde::{Deserialize, Deserializer, Serializer, de::Error};

        pub fn serialize<S: Serializer>(at: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
            match at {
                Some(at) => to.collect_str(at),
                None => to.serialize_none(),
            }
        }

        pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
            let text = Option::<String>::deserialize(from)?;
            text.map(|text| text.parse().map_err(D::Error::custom))
                .transpose()
        }
    }
}
