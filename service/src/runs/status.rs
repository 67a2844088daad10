//! What is known of each set and remote without opening a repository: last and next runs, what is overdue, usage, and
//! when what is stored was last proven.

use crate::catalogue::Action;
use crate::context::Context;
use crate::failure::Failure;
use crate::history::HistoryRow;
use crate::history::journal::Journal;
use crate::history::proofs::Proofs;
use crate::run_state::{self, SetState};
use crate::schedule::{Verdict, slots, verdict};
use crate::settings::schedule::Schedule;
use crate::settings::tables::SetTable;
use crate::usage;
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

impl SetStatus<'_> {
    /// Whether a run is known to have made a snapshot.
    pub fn has_snapshots(&self) -> bool {
        let last = self.last.as_ref();
        self.last_success.is_some() || last.is_some_and(|row| row.snapshot.is_some())
    }
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
    let paused_until = run_state::paused(&dirs, at)?;
    let mut found = Vec::new();
    for name in context.settings.set_names() {
        let set = context.settings.named_set(name)?;
        let schedule = set.schedule.clone().unwrap_or(Schedule::Manual);
        let known = run_state::load(&dirs, name)?;
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

/// What is known of a remote.
pub struct RemoteStatus<'a> {
    pub name: &'a str,
    /// Snapshots that it lacks; `None` for one that was never a replica.
    pub behind: Option<u64>,
    /// When a backup or replication last reached it.
    pub reached: Option<Timestamp>,
    /// When it was last asked what it takes up, and whether it answered.
    pub asked: Option<Timestamp>,
    pub reachable: Option<bool>,
    /// Why it could not be asked just now.
    pub failure: Option<Failure>,
    /// This machine removes nothing from it.
    pub append_only: bool,
    /// Bytes.
    pub used: Option<u64>,
    pub quota: Option<u64>,
    pub growth_per_week: Option<i64>,
    /// When it will have reached its quota, or filled its disk.
    pub full_at: Option<Timestamp>,
    pub proofs: Proofs,
}

/// Every remote. Without `refresh`, from this machine's notes; nobody is contacted.
pub fn remotes(context: &Context, refresh: bool) -> Result<Vec<RemoteStatus<'_>>, Failure> {
    let dirs = context.dirs()?;
    let journal = Journal::of(&dirs);
    let all = context.settings.remotes.iter().map(|remote| {
        let measured = refresh.then(|| usage::measure(context, remote));
        let failure = measured.and_then(Result::err);
        let known = noted(&dirs, &remote.url);
        let reached = known.filter(|known| known.reached > 0);
        let note = usage::noted(&dirs, remote);
        RemoteStatus {
            name: &remote.name,
            behind: known.map(|known| known.behind),
            reached: reached.and_then(|known| Timestamp::from_second(known.reached).ok()),
            asked: note.asked,
            reachable: note.reachable,
            failure,
            used: note.used(),
            quota: remote.quota,
            append_only: remote.append_only,
            growth_per_week: note.growth_per_week(),
            full_at: usage::full_at(remote, &note),
            proofs: journal.proofs(&remote.name),
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
