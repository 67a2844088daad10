//! What is known of each set without opening a repository: its last run, its next one, and whether it is overdue.

use super::state::{self, SetState};
use crate::catalogue::Action;
use crate::context::Context;
use crate::failure::Failure;
use crate::history::HistoryRow;
use crate::history::journal::Journal;
use crate::schedule::{Verdict, slots, verdict};
use crate::settings::Remote;
use crate::settings::schedule::Schedule;
use crate::settings::tables::SetTable;
use engine::replicate::noted;
use jiff::{SignedDuration, Timestamp, Zoned};

/// A slot that has had no successful run for so long is overdue.
const GRACE: SignedDuration = SignedDuration::from_hours(1);

pub struct SetStatus<'a> {
    pub name: &'a str,
    pub set: &'a SetTable,
    pub schedule: Schedule,
    pub running: Option<HistoryRow>,
    pub last: Option<HistoryRow>,
    pub last_success: Option<Timestamp>,
    /// Now, if it is due.
    pub next_run: Option<Timestamp>,
    /// A slot has passed without a successful run.
    pub overdue: bool,
    pub paused_until: Option<Timestamp>,
}

/// Every set, those of a higher priority first.
pub fn sets(context: &Context) -> Result<Vec<SetStatus<'_>>, Failure> {
    let dirs = context.dirs()?;
    let at = context.now.timestamp();
    let journal = Journal::of(&dirs);
    // What can't be settled stays as it is until it can.
    let _ = journal.settle();
    let running = journal.running();
    let running = running.map_err(|e| Failure::system(Action::Read, journal.dir(), e))?;
    let paused_until = state::paused(&dirs, at)?;
    let mut found = Vec::new();
    for name in context.settings.set_names() {
        let set = context.settings.named_set(name)?;
        let schedule = set.schedule.clone().unwrap_or(Schedule::Manual);
        let known = state::load(&dirs, name)?;
        let mut known = known.unwrap_or_else(|| SetState::new(&schedule.to_string(), at));
        known.brought_up(&schedule.to_string(), at);
        let next_run = match verdict(&schedule, &known.past(), None, &context.now) {
            Verdict::ByHand => None,
            Verdict::NotDue { next } | Verdict::SetBack { next } => next,
            Verdict::Due(_) | Verdict::Paused { .. } => Some(at),
        };
        found.push(SetStatus {
            name,
            set,
            running: running
                .iter()
                .find(|row| row.set.as_deref() == Some(name))
                .cloned(),
            overdue: is_overdue(&schedule, &known, &context.now),
            schedule,
            last: known.last,
            last_success: known.last_success,
            // A pause comes first.
            next_run: next_run.map(|next| paused_until.map_or(next, |until| next.max(until))),
            paused_until,
        });
    }
    Ok(found)
}

/// What was last known of a remote; it is not asked.
pub struct RemoteStatus<'a> {
    pub name: &'a str,
    /// Snapshots that it lacks; `None` for one that was never a replica.
    pub behind: Option<u64>,
    pub reached: Option<Timestamp>,
}

pub fn remotes(context: &Context) -> Result<Vec<RemoteStatus<'_>>, Failure> {
    let dirs = context.dirs()?;
    let status = |remote: &'_ Remote| {
        let noted = noted(&dirs, &remote.url);
        let reached = noted.filter(|noted| noted.reached > 0);
        (
            noted.map(|noted| noted.behind),
            reached.and_then(|noted| Timestamp::from_second(noted.reached).ok()),
        )
    };
    let all = context.settings.remotes.iter().map(|remote| {
        let (behind, reached) = status(remote);
        RemoteStatus {
            name: &remote.name,
            behind,
            reached,
        }
    });
    Ok(all.collect())
}

fn is_overdue(schedule: &Schedule, known: &SetState, now: &Zoned) -> bool {
    let Ok(then) = now.checked_sub(GRACE) else {
        return false;
    };
    // A change of the schedule does not excuse what was due before, but that is not known any more.
    let served = known
        .last_success
        .map_or(known.since, |success| success.max(known.since));
    slots::last_by(schedule, &then, served).is_some()
}

/// The next slots of a schedule after a moment.
pub fn next_slots(schedule: &Schedule, after: &Zoned, count: usize) -> Vec<Zoned> {
    let first = slots::next_after(schedule, after);
    std::iter::successors(first, |slot| slots::next_after(schedule, slot))
        .take(count)
        .collect()
}
