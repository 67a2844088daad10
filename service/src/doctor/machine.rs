//! What this computer says: settings, directories, sets, messages, and the clock.

use super::{Diagnosis, Finding};
use crate::context::Context;
use crate::history::journal::Journal;
use crate::history::read::HistoryQuery;
use crate::machine;
use crate::notify::{self, recipients};
use crate::run_state;
use crate::runs::status;
use crate::status::Status;
use crate::usage;
use engine::platform::{files, process, space};
use engine::run::LocalDirs;
use jiff::{SignedDuration, Timestamp};
use std::path::Path;

/// What clocks may differ by.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);
/// Room below which nothing can be expected to work, and below which it soon won't.
const OUT: u64 = 64 << 20;
const LOW: u64 = 1 << 30;

pub(super) fn settings(context: &Context) -> Diagnosis {
    if let Some(failure) = &context.unusable_settings {
        let failure = failure.clone();
        return Diagnosis::SettingsWrong { failure };
    }
    let settings = &context.settings;
    Diagnosis::SettingsRead {
        path: settings.path.as_ref().map(|path| path.display().to_string()),
        remotes: settings.remotes.len() as u64,
        sets: settings.sets.0.len() as u64,
    }
}

/// The directories in which this machine keeps things, and the room in them.
pub(super) fn state(context: &Context) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Ok(dirs) = context.dirs() else {
        return findings;
    };
    let path = dirs.state.display().to_string();
    findings.push(match try_out(&dirs) {
        Ok(_) => Diagnosis::StateKept { path }.into(),
        Err(e) => Diagnosis::StateNotKept { path, why: e.into() }.into(),
    });
    let cache = machine::cache_dir(&context.env).unwrap_or_else(|_| dirs.cache.clone());
    let path = cache.display().to_string();
    if dirs.cache != cache || !process::may_write_in(&cache) {
        findings.push(Diagnosis::CacheNotKept { path }.into());
    }
    let lines = Journal::of(&dirs).unreadable_lines();
    if lines > 0 {
        findings.push(Diagnosis::HistoryDamaged { lines }.into());
    }
    for place in [&dirs.state, &dirs.cache] {
        findings.extend(room(place));
    }
    findings
}

/// The room at a place; nothing where it can't be told.
pub(super) fn room(place: &Path) -> Option<Finding> {
    let disk = space::of(place).ok()?;
    let what = match disk.free {
        ..OUT => Diagnosis::SpaceOut { disk },
        free if free < LOW.min(disk.total / 10) => Diagnosis::SpaceLow { disk },
        _ => Diagnosis::Space { disk },
    };
    Some(Finding::of(&place.display().to_string(), what))
}

/// Writes a file and returns its time, as the file system has it.
fn try_out(dirs: &LocalDirs) -> std::io::Result<Timestamp> {
    let path = dirs.state.join(format!("doctor.{}", std::process::id()));
    files::write_hint(&path, b"dedup")?;
    let time = std::fs::metadata(&path).and_then(|meta| meta.modified());
    std::fs::remove_file(&path)?;
    Timestamp::try_from(time?).map_err(std::io::Error::other)
}

pub(super) fn sets(context: &Context) -> Vec<Finding> {
    if context.settings.sets.0.is_empty() {
        return vec![Diagnosis::NoSets.into()];
    }
    // That nothing can be read of them was found before.
    let sets = status::sets(context).unwrap_or_default();
    let judged = sets.iter().map(|one| {
        let completed = Status::Completed.word();
        let last = one
            .last
            .as_ref()
            .filter(|row| row.status != Status::NotRun.word());
        let what = match (last, one.last_success) {
            _ if one.overdue => Diagnosis::SetOverdue {
                last_success: one.last_success,
            },
            (Some(row), _) if row.status != completed => Diagnosis::SetFailed {
                status: row.status.clone(),
                reason: row.reason.clone(),
            },
            (_, Some(last_success)) => Diagnosis::SetIsFine { last_success },
            (_, None) => Diagnosis::SetNeverRan,
        };
        Finding::of(one.name, what)
    });
    judged.collect()
}

pub(super) fn notifications(context: &Context) -> Diagnosis {
    let waiting = notify::waiting(context).unwrap_or_default();
    let channels = recipients::count(context);
    match (waiting.messages, channels) {
        (0, 0) => Diagnosis::NoMessages,
        (0, channels) => Diagnosis::MessagesGo { channels },
        (messages, _) => Diagnosis::MessagesWait { messages },
    }
}

/// The latest moment that this machine has noted.
pub(super) fn newest_known(context: &Context) -> Option<Timestamp> {
    let dirs = context.dirs().ok()?;
    let query = HistoryQuery {
        limit: 20,
        ..HistoryQuery::default()
    };
    // What can't be read has no time.
    let rows = Journal::of(&dirs).rows(&query).unwrap_or_default().rows;
    let jobs = rows.iter().map(|row| row.end.unwrap_or(row.start));
    let samples = context.settings.remotes.iter().filter_map(|remote| {
        let note = usage::noted(&dirs, remote);
        note.asked
    });
    jobs.chain(samples).chain(run_state::last_tick(&dirs)).max()
}

/// `newest`: the latest moment that is known of.
pub(super) fn clock(context: &Context, newest: Option<Timestamp>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    let now = context.now.timestamp();
    // What was noted while this looked.
    let latest = newest.filter(|seen| seen.duration_since(Timestamp::now().max(now)) > TOLERANCE);
    findings.extend(latest.map(|seen| Diagnosis::ClockBehind { seen }.into()));
    let disk = context.dirs().ok().and_then(|dirs| try_out(&dirs).ok());
    let apart = disk.map(|disk| disk.duration_since(Timestamp::now()).abs());
    if let Some(apart) = apart.filter(|apart| *apart > TOLERANCE) {
        let seconds = apart.as_secs().unsigned_abs();
        findings.push(Diagnosis::ClockDiffers { seconds }.into());
    }
    if findings.is_empty() {
        findings.push(Diagnosis::ClockIsRight.into());
    }
    findings
}
