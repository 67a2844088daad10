//! What people read about runs of sets: values in, text out, so that another language can be put beside it.

use super::hooks::Hook;
use crate::text;
use jiff::Timestamp;
use std::time::Duration;

/// `1 file`, `2 files`.
fn count(n: u64, one: &str) -> String {
    match n {
        1 => format!("1 {one}"),
        n => format!("{} {one}s", text::grouped(n)),
    }
}

pub fn hook_failed(hook: Hook, why: &str) -> String {
    match hook {
        Hook::Before => format!("{} failed: {why}; no snapshot was made", hook.key()),
        Hook::After | Hook::Failed | Hook::Finally => format!("{} failed: {why}", hook.key()),
    }
}

pub fn timed_out(limit: Duration) -> String {
    format!(
        "it took longer than {} and was killed (run-timeout in the settings)",
        engine::units::format_duration(limit)
    )
}

pub fn not_now(hook: Hook) -> String {
    format!("{} ended with code 75: not now", hook.key())
}

pub fn paused(until: Timestamp) -> String {
    format!("paused until {}; 'dedup resume' ends that", text::time(until))
}

pub fn missed(slots: u32) -> String {
    let slots = count(u64::from(slots), "run");
    format!("{slots} missed: the machine was off or asleep, or nothing called 'dedup run --due'")
}

pub fn busy(set: &str) -> String {
    format!("set '{set}' is running already; --wait waits for it, 'dedup stop {set}' ends it")
}

pub fn lost_files(set: &str, before: u64, now: u64) -> String {
    format!(
        "set '{set}': of {} in the snapshot before, {} left; it is saved, but is a disk not mounted, or a folder emptied?",
        count(before, "file"),
        match now {
            1 => "1 is".to_string(),
            now => format!("{} are", text::grouped(now)),
        }
    )
}

pub fn not_noted(set: &str, why: &str) -> String {
    format!("set '{set}': what is known of its runs can't be kept ({why}), so it may run again too early")
}

pub fn no_sets() -> &'static str {
    "there is no set: add a table [sets.NAME] with sources and destinations to dedup.toml"
}

pub fn names_or_all() -> &'static str {
    "say which sets to run, or --all, or --due"
}

pub fn repository_given() -> &'static str {
    "a set says itself where it is saved: leave out --repo and --repository-file"
}

pub fn pause_too_long() -> &'static str {
    "the pause must be longer than nothing and end within this calendar: 1h, 4h, 1d"
}

pub fn nothing_runs(name: &str) -> String {
    format!(
        "'{name}' is no set that runs, and no job of the history that runs; 'dedup history --status running' lists them"
    )
}

pub fn still_running() -> &'static str {
    "asked to stop, but still running: it ends at its next safe point"
}
