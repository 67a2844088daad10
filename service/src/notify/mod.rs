//! Who is told of what: mail, a webhook, the desktop, a ping and a file for Prometheus (`[notify]` of the settings).
//!
//! ```text
//! notify/sets/NAME.json     what has been sent about a set
//! notify/queue/ID.json      a message that waits, for one recipient
//! notify/usage.json         the month in which usage was last said
//! notify/channels.json      what went wrong when the channels were last tried
//! notify/lock               held while the queue is sent
//! ```
//!
//! [`event`] decides whether there is something to send, [`message`] puts it into words, [`queue`] keeps it until it is
//! sent for each of its [`recipients`], a [`channel`] sends it: [`mail`], [`web`], [`desktop`]. [`prometheus`] writes metrics, which are a state and not a message.
//! Nothing here fails a backup: what can't be sent is a warning of the run, waits in the queue and is tried again by the
//! next runs.

pub mod channel;
mod desktop;
pub mod event;
mod mail;
pub mod message;
mod prometheus;
pub mod queue;
pub mod recipients;
mod web;

#[cfg(test)]
mod tests;

use crate::catalogue::{Lang, SetupWarning};
use crate::context::Context;
use crate::face::{Face, Notice};
use crate::failure::Failure;
use crate::history::HistoryRow;
use crate::history::journal::Journal;
use crate::history::problems::ProblemRow;
use crate::log::LogLevel;
use crate::run_state;
use crate::schedule::RunCause;
use crate::settings::values::{Language, NotifyOn};
use crate::status::Status;
use crate::usage;
use channel::ChannelKind;
pub use desktop::session_bus;
use engine::run::LocalDirs;
use event::{Ending, Event, SentState, UsedByRemote};
use jiff::Timestamp;
use queue::Queue;
use serde_json::json;

/// Language of what is sent: `--lang`, or the settings', or that of the locale. A scheduler's environment often has none.
pub fn language(context: &Context) -> Lang {
    let of_settings = context.settings.console.lang.map(|language| match language {
        Language::English => Lang::En,
        Language::Japanese => Lang::Ja,
    });
    context
        .lang
        .or(of_settings)
        .unwrap_or_else(|| Lang::of_locale(&context.env))
}

/// A run of a set begins.
pub(crate) fn run_begins(context: &Context, set: &str, face: &dyn Face) {
    if let Some(ping) = recipients::ping(context) {
        let done = ping.ping(set, web::Ping::Start, String::new());
        warn_unsent((context, face), ChannelKind::Ping.word(), done, false);
    }
}

/// How a run of a set, or the maintenance of a destination, ended.
#[derive(Clone, Copy)]
pub(crate) struct RunEnd<'a> {
    pub set: &'a str,
    pub cause: RunCause,
    pub start: Timestamp,
    pub status: Status,
    /// Its row in the history, if it has one.
    pub row: Option<&'a HistoryRow>,
    pub failure: Option<&'a Failure>,
}

/// A run of a set has ended.
pub(crate) fn run_ended(context: &Context, dirs: &LocalDirs, end: &RunEnd<'_>, face: &dyn Face) {
    if end.row.is_some()
        && let Some(done) = prometheus::write(context, dirs)
    {
        warn_unsent((context, face), ChannelKind::Prometheus.word(), done, false);
    }
    if !is_of_interest(end) {
        return;
    }
    let ending = ending(end);
    if let Some(ping) = recipients::ping(context) {
        let text = message::of(context, dirs, &Event::Ended(ending.clone())).text;
        let kind = match end.status {
            Status::Completed => web::Ping::Success,
            _ => web::Ping::Failure,
        };
        let done = ping.ping(end.set, kind, text);
        warn_unsent((context, face), ChannelKind::Ping.word(), done, false);
    }
    if !ended(context, dirs, ending, context.settings.notify.on, face) {
        send_waiting(context, dirs);
    }
}

/// Maintenance of a destination has ended. That it went well is nothing to say, unless it failed before.
pub(crate) fn maintenance_ended(context: &Context, dirs: &LocalDirs, end: &RunEnd<'_>, face: &dyn Face) {
    if is_of_interest(end) {
        let on = context.settings.notify.on.filter(|on| *on == NotifyOn::Never);
        ended(context, dirs, ending(end), on, face);
    }
}

/// Whether there was something to say.
fn ended(context: &Context, dirs: &LocalDirs, ending: Ending, on: Option<NotifyOn>, face: &dyn Face) -> bool {
    let set = ending.set.clone();
    let mut sent = event::load(dirs, &set);
    let before = sent.clone();
    let event = sent.run_ended(on, ending);
    let has_event = event.is_some();
    if let Some(event) = event {
        say(context, dirs, &event, face);
    }
    if sent != before {
        save(dirs, &set, &sent, face);
    }
    has_event
}

/// What the scheduler's look finds: sets that are overdue, and messages that wait.
pub(crate) fn tick(context: &Context, dirs: &LocalDirs, face: &dyn Face) {
    let notify = &context.settings.notify;
    if notify.monthly_usage
        && recipients::any_message(context)
        && event::is_time_for_usage(dirs, &context.now)
    {
        let remotes = used_by_remotes(context, dirs);
        say(context, dirs, &Event::Usage { remotes }, face);
    }
    if let Some(after) = &notify.overdue_after
        && recipients::any_message(context)
    {
        let again = notify.overdue_again.as_ref().map(|age| age.0);
        for set in context.settings.set_names() {
            // A state that can't be read is reported by the run.
            let Ok(Some(known)) = run_state::load(dirs, set) else {
                continue;
            };
            let mut sent = event::load(dirs, set);
            let since = known.last_success.unwrap_or(known.since);
            let never = known.last_success.is_none();
            if let Some(event) = sent.overdue(set, (since, never), (after.0, again), &context.now) {
                say(context, dirs, &event, face);
                save(dirs, set, &sent, face);
            }
        }
    }
    send_waiting(context, dirs);
}

/// As last measured: a look contacts nobody.
fn used_by_remotes(context: &Context, dirs: &LocalDirs) -> Vec<UsedByRemote> {
    let remotes = context.settings.remotes.iter().map(|remote| {
        let note = usage::noted(dirs, remote);
        UsedByRemote {
            name: remote.name.clone(),
            used: note.used(),
            quota: remote.quota,
            growth_per_week: note.growth_per_week(),
            full_at: usage::full_at(remote, &note),
        }
    });
    remotes.collect()
}

/// Skips are rows of the history, and what somebody stopped or could not start is known to them.
fn is_of_interest(end: &RunEnd<'_>) -> bool {
    !matches!(
        end.status,
        Status::NotRun | Status::Running | Status::Interrupted | Status::Busy
    )
}

fn ending(end: &RunEnd<'_>) -> Ending {
    let set = end.set.to_string();
    let row = end.row.cloned().unwrap_or_else(|| {
        let mut row = HistoryRow {
            set: Some(set.clone()),
            start: end.start,
            ..HistoryRow::default()
        };
        row.ended(end.status, end.start);
        if let Some(failure) = end.failure {
            row.tell(failure);
        }
        row
    });
    Ending {
        set,
        completed: end.status == Status::Completed,
        is_retry: end.cause == RunCause::Retry,
        failure: end.failure.cloned(),
        row,
    }
}

/// Puts a message for every recipient into the queue, and sends it.
fn say(context: &Context, dirs: &LocalDirs, event: &Event, face: &dyn Face) {
    let outgoing = recipients::all(context);
    if outgoing.is_empty() {
        return;
    }
    let message = message::of(context, dirs, event);
    let queue = Queue::of(dirs);
    let mut unkept = Vec::new();
    for one in &outgoing {
        if let Err(e) = queue.add(&one.address(), &message) {
            unkept.push((one, e.to_string()));
        }
    }
    for (one, why) in unkept {
        // Where nothing can be kept there is this one attempt.
        let done = one
            .send(&message)
            .map_err(|unsent| format!("{}; {why}", unsent.why));
        warn_unsent((context, face), &one.address().name(), done, false);
    }
    for unsent in queue.send(&outgoing, context.now.timestamp(), true) {
        warn_unsent((context, face), &unsent.name, Err(unsent.why), true);
    }
}

/// Quietly: failures were reported when the message was new, and `dedup status` shows them.
fn send_waiting(context: &Context, dirs: &LocalDirs) {
    let queue = Queue::of(dirs);
    if queue.is_empty() {
        return;
    }
    queue.send(&recipients::all(context), context.now.timestamp(), false);
}

fn save(dirs: &LocalDirs, set: &str, sent: &SentState, face: &dyn Face) {
    if let Err(failure) = event::save(dirs, set, sent) {
        let set = set.to_string();
        warn(face, &SetupWarning::NotNoted { set, failure });
    }
}

fn warn_unsent((context, face): (&Context, &dyn Face), channel: &str, done: Result<(), String>, waits: bool) {
    if let Err(why) = done {
        let fields = json!({ "channel": channel, "why": why, "waits": waits });
        context.log().add(LogLevel::Warning, "message-not-sent", fields);
        let channel = channel.to_string();
        warn(face, &SetupWarning::NotSent { channel, why, waits });
    }
}

fn warn(face: &dyn Face, warning: &SetupWarning) {
    face.notice(&Notice::Warning {
        during: "run",
        warning,
    });
}

/// What became of a test message.
pub struct TestReport {
    /// The channel, and the recipient where there are several.
    pub channel: ChannelKind,
    pub name: String,
    pub done: Result<(), String>,
}

/// Sends a test message through every channel of the settings, or those of one kind.
pub fn test(context: &Context, only: Option<ChannelKind>) -> Result<Vec<TestReport>, Failure> {
    let dirs = context.dirs()?;
    let is_wanted = |kind: ChannelKind| only.is_none_or(|only| only == kind);
    let message = message::of(context, &dirs, &Event::Test);
    let mut reports = Vec::new();
    for one in recipients::all(context) {
        if is_wanted(one.kind()) {
            let done = one.send(&message).map_err(|unsent| unsent.why);
            reports.push(TestReport {
                channel: one.kind(),
                name: one.address().name(),
                done,
            });
        }
    }
    if let Some(ping) = recipients::ping(context).filter(|_| is_wanted(ChannelKind::Ping)) {
        let set = context
            .settings
            .set_names()
            .first()
            .map_or("test", |set| *set)
            .to_string();
        reports.push(TestReport {
            channel: ChannelKind::Ping,
            name: ChannelKind::Ping.word().to_string(),
            done: ping.ping(&set, web::Ping::Log, message.text),
        });
    }
    if is_wanted(ChannelKind::Prometheus)
        && let Some(done) = prometheus::write(context, &dirs)
    {
        reports.push(TestReport {
            channel: ChannelKind::Prometheus,
            name: ChannelKind::Prometheus.word().to_string(),
            done,
        });
    }
    match reports.is_empty() {
        true => Err(crate::catalogue::Cause::NoChannel.into()),
        false => Ok(reports),
    }
}

/// What is written for Prometheus.
pub fn metrics(context: &Context) -> Result<String, Failure> {
    prometheus::text(context, &context.dirs()?)
}

/// What `dedup status` shows of messages.
pub fn waiting(context: &Context) -> Result<queue::Waiting, Failure> {
    Ok(Queue::of(&context.dirs()?).waiting())
}

/// Problems of a run, for its message.
fn problems(dirs: &LocalDirs, row: &HistoryRow) -> Vec<ProblemRow> {
    // The number of problems is in the row; which they were can be looked up, too.
    Journal::of(dirs).problems_of(&row.id).unwrap_or_default()
}
