//! What `status`, `set list` and `doctor` report, as JSON: the same for commands, the console and support bundles. Parts of
//! such objects that jobs write, too, are made in [`crate::json`].

use crate::catalogue::Lang;
use crate::catalogue::report::doctor;
use crate::doctor::Finding;
use crate::failure::Failure;
use crate::hosts::RecordedState;
use crate::runs::status::{RemoteStatus, SetStatus};
use jiff::Timestamp;
use serde_json::{Value, json};

/// A set in `set list`.
pub fn set(one: &SetStatus<'_>) -> Value {
    let sources: Vec<String> = one.set.sources.iter().map(ToString::to_string).collect();
    let destinations = one.set.destinations.iter();
    let destinations: Vec<&str> = destinations.map(|name| name.get_ref().0.as_str()).collect();
    json!({
        "message_type": "set",
        "name": one.name,
        "sources": sources,
        "destinations": destinations,
        "priority": one.set.priority,
        "schedule": one.schedule.to_string(),
        "tags": one.set.tags,
        "next_run": moment(one.next_run),
    })
}

/// Something that `doctor` found.
pub fn finding(finding: &Finding) -> Value {
    json!({
        "message_type": "finding",
        "check": finding.what.item().word(),
        "subject": finding.subject,
        "mark": finding.what.mark().word(),
        "message": doctor::meaning(Lang::En, finding),
        "advice": doctor::advice(Lang::En, finding),
    })
}

/// A set in `status`.
pub fn set_status(one: &SetStatus<'_>) -> Value {
    let last = one.last.as_ref();
    json!({
        "name": one.name,
        "running": one.running.is_some(),
        "last_status": last.map(|row| &row.status),
        "last_reason": last.and_then(|row| row.reason.as_ref()),
        "last_run": last.map(|row| row.start.to_string()),
        "last_success": moment(one.last_success),
        "next_run": moment(one.next_run),
        "overdue": one.overdue,
        "paused_until": moment(one.paused_until),
    })
}

/// A destination in `status`.
pub fn remote_status(remote: &RemoteStatus<'_>) -> Value {
    json!({
        "name": remote.name,
        // As last asked; null if it never was.
        "reachable": remote.reachable,
        "last_asked": moment(remote.asked),
        "error": remote.failure.as_ref().map(Failure::message),
        "last_reached": moment(remote.reached),
        "used": remote.used,
        "quota": remote.quota,
        "append_only": remote.append_only,
        "growth_per_week": remote.growth_per_week,
        "full_at": moment(remote.full_at),
        "behind": remote.behind,
        "last_check": moment(remote.proofs.check),
        "last_restore": moment(remote.proofs.restore),
        "last_drill": moment(remote.proofs.drill),
        "failed_drill": moment(remote.proofs.failed_drill),
        "read_since": moment(remote.proofs.read),
    })
}

/// What a machine recorded about its sets, in `status --all-hosts`.
pub fn recorded_state(one: &RecordedState) -> Value {
    let sets = one.sets.iter().map(|set| {
        json!({
            "name": set.name,
            "last_status": (!set.status.is_empty()).then_some(&set.status),
            "last_reason": set.reason,
            "last_run": moment(set.last_run),
            "last_success": moment(set.last_success),
            "next_run": moment(set.next_run),
        })
    });
    json!({
        "message_type": "machine",
        "repository": one.repository,
        "host": one.host,
        "profile": one.profile,
        "recorded": one.recorded.to_string(),
        "sets": sets.collect::<Vec<Value>>(),
        "last_check": moment(one.last_check),
        "last_restore": moment(one.last_restore),
        "program": one.program,
    })
}

fn moment(at: Option<Timestamp>) -> Option<String> {
    at.map(|at| at.to_string())
}
