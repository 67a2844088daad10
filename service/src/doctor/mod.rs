//! The job `doctor`: whether this machine's backups can be relied on, and what to do if not. It looks at the settings,
//! the schedule, the clock, each remote and what opens it, the last proofs, and space. It changes nothing but this
//! machine's notes, and asks nobody: what needs somebody at a terminal fails in a run by itself, too.
//!
//! [`machine`] looks at this computer, [`remotes`] at where backups are, [`schedule`] at what calls `dedup run --due`.
//! Findings are values; `catalogue/report/doctor.rs` puts them into words.

mod console;
mod machine;
mod remotes;
mod schedule;

use crate::catalogue::SystemError;
use crate::context::Context;
use crate::failure::Failure;
use crate::status::Status;
pub use console::{CertificateState, certificate, validity};
use engine::platform::space::DiskSpace;
use engine::storage::Weakness;
use jiff::Timestamp;
pub use schedule::{SchedulerEntry, nothing_starts_sets};

/// How good or bad a finding is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Mark {
    Good,
    /// Backups are made; something is missing that makes them safer.
    Warning,
    /// Backups are not made, or can't be relied on.
    Problem,
}

impl Mark {
    pub fn word(self) -> &'static str {
        match self {
            Mark::Good => "ok",
            Mark::Warning => "warning",
            Mark::Problem => "problem",
        }
    }

    /// In front of a line.
    pub fn sign(self) -> &'static str {
        match self {
            Mark::Good => "+",
            Mark::Warning => "?",
            Mark::Problem => "!",
        }
    }
}

/// What was looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CheckedItem {
    Settings,
    Schedule,
    Sets,
    Clock,
    State,
    Remote,
    Recovery,
    Snapshots,
    Check,
    Restore,
    Drill,
    Space,
    Quota,
    Notifications,
    Console,
    Version,
}

impl CheckedItem {
    pub fn word(self) -> &'static str {
        match self {
            CheckedItem::Settings => "settings",
            CheckedItem::Schedule => "schedule",
            CheckedItem::Sets => "set",
            CheckedItem::Clock => "clock",
            CheckedItem::State => "state",
            CheckedItem::Remote => "remote",
            CheckedItem::Recovery => "recovery",
            CheckedItem::Snapshots => "snapshots",
            CheckedItem::Check => "check",
            CheckedItem::Restore => "restore",
            CheckedItem::Drill => "drill",
            CheckedItem::Space => "space",
            CheckedItem::Quota => "quota",
            CheckedItem::Notifications => "notifications",
            CheckedItem::Console => "console",
            CheckedItem::Version => "version",
        }
    }
}

/// What was found.
#[derive(Clone, PartialEq, Debug)]
pub enum Diagnosis {
    SettingsRead {
        path: Option<String>,
        remotes: u64,
        sets: u64,
    },
    SettingsWrong {
        failure: Failure,
    },
    NoSets,
    /// No set has a schedule.
    AllByHand,
    Ticking {
        at: Timestamp,
        by: SchedulerEntry,
    },
    /// A scheduler's entry is there, and nothing came of it; or there is none.
    NotTicking {
        last: Option<Timestamp>,
        by: SchedulerEntry,
    },
    Paused {
        until: Timestamp,
    },
    SetIsFine {
        last_success: Timestamp,
    },
    SetNeverRan,
    SetOverdue {
        last_success: Option<Timestamp>,
    },
    SetFailed {
        status: String,
        reason: Option<String>,
    },
    ClockIsRight,
    /// Something is known to have happened later than now.
    ClockBehind {
        seen: Timestamp,
    },
    /// The file system's clock says another time.
    ClockDiffers {
        seconds: u64,
    },
    StateKept {
        path: String,
    },
    StateNotKept {
        path: String,
        why: SystemError,
    },
    CacheNotKept {
        path: String,
    },
    HistoryDamaged {
        lines: u64,
    },
    RemoteOpens,
    /// This machine removes nothing there.
    RemoteAppendOnly,
    RemoteFails {
        failure: Failure,
    },
    /// Only somebody at a terminal can open it.
    RemoteAsks,
    /// Another repository is where this one was.
    RemoteIsAnother,
    /// A set's destination that is no replica of the first one.
    RemoteNoReplica {
        first: String,
        set: String,
        /// Makes one.
        command: String,
    },
    RemoteBehind {
        snapshots: u64,
    },
    RemoteWeak {
        weakness: Weakness,
    },
    HasPhrase,
    /// Nobody typed words of it back.
    PhraseUnconfirmed,
    NoPhrase,
    SlotsDamaged {
        slots: u64,
    },
    SnapshotsThere {
        snapshots: u64,
        newest: Option<Timestamp>,
    },
    SnapshotsGone {
        snapshots: u64,
    },
    SnapshotsUnreadable {
        snapshots: u64,
    },
    Checked {
        at: Timestamp,
    },
    CheckedLongAgo {
        at: Option<Timestamp>,
    },
    Restored {
        at: Timestamp,
    },
    RestoredLongAgo {
        at: Option<Timestamp>,
    },
    /// Every byte that was stored by then has been read since.
    AllRead {
        since: Timestamp,
    },
    /// The same, and that is long ago.
    ReadLongAgo {
        since: Timestamp,
    },
    Drilled {
        at: Timestamp,
    },
    /// The last drill found differences.
    DrillFailed {
        at: Timestamp,
    },
    Space {
        disk: DiskSpace,
    },
    SpaceLow {
        disk: DiskSpace,
    },
    SpaceOut {
        disk: DiskSpace,
    },
    WithinQuota {
        used: u64,
        quota: u64,
    },
    QuotaNear {
        used: u64,
        quota: u64,
    },
    QuotaReached {
        used: u64,
        quota: u64,
    },
    FullSoon {
        at: Timestamp,
    },
    MessagesGo {
        channels: u64,
    },
    NoMessages,
    MessagesWait {
        messages: u64,
    },
    /// Of the console.
    Certificate(CertificateState),
    ThisVersion,
}

impl Diagnosis {
    pub fn mark(&self) -> Mark {
        use Diagnosis::*;
        match self {
            SettingsRead { .. }
            | AllByHand
            | Ticking { .. }
            | SetIsFine { .. }
            | ClockIsRight
            | StateKept { .. }
            | RemoteOpens
            | RemoteAppendOnly
            | HasPhrase
            | PhraseUnconfirmed
            | SnapshotsThere { .. }
            | Checked { .. }
            | Restored { .. }
            | AllRead { .. }
            | Drilled { .. }
            | Space { .. }
            | WithinQuota { .. }
            | MessagesGo { .. }
            | ThisVersion => Mark::Good,
            Certificate(state) => state.mark(),
            NoSets
            | Paused { .. }
            | SetNeverRan
            | CacheNotKept { .. }
            | HistoryDamaged { .. }
            | RemoteBehind { .. }
            | RemoteWeak { .. }
            | NoPhrase
            | CheckedLongAgo { .. }
            | RestoredLongAgo { .. }
            | ReadLongAgo { .. }
            | SpaceLow { .. }
            | QuotaNear { .. }
            | FullSoon { .. }
            | NoMessages => Mark::Warning,
            SettingsWrong { .. }
            | NotTicking { .. }
            | SetOverdue { .. }
            | SetFailed { .. }
            | ClockBehind { .. }
            | ClockDiffers { .. }
            | StateNotKept { .. }
            | RemoteFails { .. }
            | RemoteAsks
            | RemoteIsAnother
            | RemoteNoReplica { .. }
            | SlotsDamaged { .. }
            | SnapshotsGone { .. }
            | SnapshotsUnreadable { .. }
            | DrillFailed { .. }
            | SpaceOut { .. }
            | QuotaReached { .. }
            | MessagesWait { .. } => Mark::Problem,
        }
    }

    pub fn item(&self) -> CheckedItem {
        use Diagnosis::*;
        match self {
            SettingsRead { .. } | SettingsWrong { .. } => CheckedItem::Settings,
            AllByHand | Ticking { .. } | NotTicking { .. } | Paused { .. } => CheckedItem::Schedule,
            NoSets | SetIsFine { .. } | SetNeverRan | SetOverdue { .. } | SetFailed { .. } => {
                CheckedItem::Sets
            }
            ClockIsRight | ClockBehind { .. } | ClockDiffers { .. } => CheckedItem::Clock,
            StateKept { .. } | StateNotKept { .. } | CacheNotKept { .. } | HistoryDamaged { .. } => {
                CheckedItem::State
            }
            RemoteOpens
            | RemoteAppendOnly
            | RemoteFails { .. }
            | RemoteAsks
            | RemoteIsAnother
            | RemoteNoReplica { .. }
            | RemoteBehind { .. }
            | RemoteWeak { .. } => CheckedItem::Remote,
            HasPhrase | PhraseUnconfirmed | NoPhrase | SlotsDamaged { .. } => CheckedItem::Recovery,
            SnapshotsThere { .. } | SnapshotsGone { .. } | SnapshotsUnreadable { .. } => {
                CheckedItem::Snapshots
            }
            Checked { .. } | CheckedLongAgo { .. } | AllRead { .. } | ReadLongAgo { .. } => {
                CheckedItem::Check
            }
            Restored { .. } | RestoredLongAgo { .. } => CheckedItem::Restore,
            Drilled { .. } | DrillFailed { .. } => CheckedItem::Drill,
            Space { .. } | SpaceLow { .. } | SpaceOut { .. } => CheckedItem::Space,
            WithinQuota { .. } | QuotaNear { .. } | QuotaReached { .. } | FullSoon { .. } => {
                CheckedItem::Quota
            }
            MessagesGo { .. } | NoMessages | MessagesWait { .. } => CheckedItem::Notifications,
            Certificate(_) => CheckedItem::Console,
            ThisVersion => CheckedItem::Version,
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, PartialEq, Debug)]
pub struct Finding {
    /// The set, remote or place that it is about.
    pub subject: Option<String>,
    pub what: Diagnosis,
}

impl Finding {
    fn of(subject: &str, what: Diagnosis) -> Finding {
        Finding {
            subject: Some(subject.to_string()),
            what,
        }
    }
}

impl From<Diagnosis> for Finding {
    fn from(what: Diagnosis) -> Finding {
        Finding { subject: None, what }
    }
}

#[derive(Debug, Default)]
pub struct Report {
    pub findings: Vec<Finding>,
}

impl Report {
    pub fn count(&self, mark: Mark) -> u64 {
        self.findings.iter().filter(|one| one.what.mark() == mark).count() as u64
    }

    pub fn status(&self) -> Status {
        match self.count(Mark::Problem) {
            0 => Status::Completed,
            _ => Status::Incomplete,
        }
    }
}

/// Looks at everything, and calls `each` with what was found as it comes: a remote may take its time.
pub fn run(
    context: &Context,
    each: &mut dyn FnMut(&Finding) -> Result<(), Failure>,
) -> Result<Report, Failure> {
    let mut report = Report::default();
    let mut found = |finding: Finding| {
        let shown = each(&finding);
        report.findings.push(finding);
        shown
    };
    found(Diagnosis::ThisVersion.into())?;
    found(machine::settings(context).into())?;
    for finding in machine::state(context) {
        found(finding)?;
    }
    for finding in schedule::findings(context) {
        found(finding)?;
    }
    for finding in machine::sets(context) {
        found(finding)?;
    }
    found(machine::notifications(context).into())?;
    if let Some(finding) = certificate(context) {
        found(finding)?;
    }
    let mut newest = machine::newest_known(context);
    for place in remotes::places(context) {
        context.cancel().check().map_err(engine::Error::from)?;
        let (findings, snapshot) = remotes::findings(context, &place);
        newest = newest.max(snapshot);
        for finding in findings {
            found(finding)?;
        }
    }
    for finding in machine::clock(context, newest) {
        found(finding)?;
    }
    Ok(report)
}
