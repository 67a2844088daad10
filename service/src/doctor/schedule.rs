//! Whether something calls `dedup run --due`: by when it last did, and by the scheduler's entry.

use super::{Diagnosis, Finding};
use crate::context::Context;
use crate::env::Env;
use crate::run_state;
use crate::scheduler::systemd::{TIMER, unit_dir};
use crate::settings::schedule::Schedule;
use engine::platform::child;
use jiff::{SignedDuration, Timestamp};
use std::path::Path;
use std::process::Stdio;

/// A scheduler looks every five minutes; some looks may be missed.
const LATE: SignedDuration = SignedDuration::from_mins(30);

/// The entry of the operating system's scheduler that was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SchedulerEntry {
    /// None was found. Another program may call `dedup run --due`.
    None,
    /// A timer of this user's systemd.
    UserTimer,
    /// The same, but it is not started.
    UserTimerStopped,
    SystemTimer,
    Cron,
}

impl SchedulerEntry {
    pub fn word(self) -> &'static str {
        match self {
            SchedulerEntry::None => "none",
            SchedulerEntry::UserTimer => "systemd-user",
            SchedulerEntry::UserTimerStopped => "systemd-user-stopped",
            SchedulerEntry::SystemTimer => "systemd",
            SchedulerEntry::Cron => "cron",
        }
    }
}

pub(super) fn findings(context: &Context) -> Vec<Finding> {
    let sets = &context.settings.sets.0;
    if sets.is_empty() {
        return Vec::new();
    }
    if all_by_hand(context) {
        return vec![Diagnosis::AllByHand.into()];
    }
    let Ok(dirs) = context.dirs() else {
        return Vec::new();
    };
    let now = context.now.timestamp();
    let last = run_state::last_tick(&dirs);
    let mut findings = vec![judge(last, entry(&context.env), now).into()];
    // What can't be read does not pause.
    if let Some(until) = run_state::paused(&dirs, now).ok().flatten() {
        findings.push(Diagnosis::Paused { until }.into());
    }
    findings
}

fn all_by_hand(context: &Context) -> bool {
    let is_by_hand = |schedule: &Option<Schedule>| matches!(schedule, None | Some(Schedule::Manual));
    let sets = &context.settings.sets.0;
    sets.iter().all(|(_, set)| is_by_hand(&set.schedule))
}

/// Whether sets have schedules, and nothing would start them.
pub fn nothing_starts_sets(context: &Context) -> bool {
    let Ok(dirs) = context.dirs() else { return false };
    let is_entry = || {
        !matches!(
            entry(&context.env),
            SchedulerEntry::None | SchedulerEntry::UserTimerStopped
        )
    };
    let last = run_state::last_tick(&dirs);
    !all_by_hand(context) && !last.is_some_and(|at| is_recent(at, context.now.timestamp())) && !is_entry()
}

fn is_recent(at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(at) <= LATE && at.duration_since(now) <= LATE
}

/// One that ticked a moment ago works, whatever called it.
fn judge(last: Option<Timestamp>, by: SchedulerEntry, now: Timestamp) -> Diagnosis {
    match last {
        Some(at) if is_recent(at, now) => Diagnosis::Ticking { at, by },
        last => Diagnosis::NotTicking { last, by },
    }
}

fn entry(env: &Env) -> SchedulerEntry {
    let user = unit_dir(env).is_ok_and(|dir| dir.join(TIMER).is_file());
    if user {
        return match succeeds("systemctl", &["--user", "is-active", "--quiet", TIMER]) {
            true => SchedulerEntry::UserTimer,
            false => SchedulerEntry::UserTimerStopped,
        };
    }
    let system = ["/etc/systemd/system", "/usr/lib/systemd/system"].map(Path::new);
    if system.iter().any(|dir| dir.join(TIMER).is_file()) {
        return SchedulerEntry::SystemTimer;
    }
    let calls = |text: &str| {
        let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        lines
            .into_iter()
            .any(|line| line.contains("dedup") && line.contains("run --due"))
    };
    let tables = std::fs::read_dir("/etc/cron.d").into_iter().flatten().flatten();
    let tables = tables.map(|entry| entry.path()).chain(["/etc/crontab".into()]);
    let of_system = |path: std::path::PathBuf| std::fs::read_to_string(path).is_ok_and(|text| calls(&text));
    match output("crontab", &["-l"]).is_some_and(|text| calls(&text)) || tables.into_iter().any(of_system) {
        true => SchedulerEntry::Cron,
        false => SchedulerEntry::None,
    }
}

/// A program that is not there, or does not work, finds nothing.
fn output(program: &str, args: &[&str]) -> Option<String> {
    let mut command = child::command(program).ok()?;
    command
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let child = child::start(move || command.spawn()).ok()?;
    let output = child.wait_with_output().ok()?;
    let is_good = output.status.success();
    is_good.then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn succeeds(program: &str, args: &[&str]) -> bool {
    output(program, args).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ticks() {
        let at = |text: &str| -> Timestamp { text.parse().unwrap() };
        let now = at("2026-11-27T12:00:00Z");
        let by = SchedulerEntry::Cron;
        let judged = |last: Option<&str>| judge(last.map(at), by, now);
        let ticking = |text: &str| Diagnosis::Ticking { at: at(text), by };
        assert_eq!(
            judged(Some("2026-11-27T11:55:00Z")),
            ticking("2026-11-27T11:55:00Z")
        );
        assert_eq!(
            judged(Some("2026-11-27T12:01:00Z")),
            ticking("2026-11-27T12:01:00Z")
        );
        assert_eq!(judged(None), Diagnosis::NotTicking { last: None, by });
        for late in ["2026-11-27T11:29:00Z", "2026-12-27T12:00:00Z"] {
            let last = Some(at(late));
            assert_eq!(judged(Some(late)), Diagnosis::NotTicking { last, by });
        }
    }
}
