//! What the form of a set answers while somebody types: what is in the sources and what each rule leaves out, when it
//! runs, what the retention leaves, and the change of the file with the command that makes the same.

use super::form::{TypedSet, wrong};
use super::retention::{Picture, picture};
use crate::browse;
use crate::pages::{Moment, shown, size};
use crate::reply::{self, answer};
use crate::visit::{Frame, Visit};
use askama::Template;
use axum::response::Response;
use jiff::Zoned;
use service::catalogue::report::console as texts;
use service::catalogue::{Lang, ValueFault};
use service::estimate::{self, Estimate, ExcludeRule, LookBounds, WantedFiles};
use service::facts::SnapshotInfo;
use service::platform::paths::to_bytes;
use service::runs::status::next_slots;
use service::settings::edit::Draft;
use service::settings::schedule::Schedule;
use service::{Context, Failure};
use std::time::Duration;

/// Runs that are told ahead.
const RUNS: usize = 10;
/// How long the sources are looked at.
const BOUNDS: LookBounds = LookBounds {
    time: Duration::from_secs(3),
    entries: 500_000,
};
/// How far the date may be moved ahead.
const DAYS_MAX: u64 = 3 * 365;

/// What came of a look at the sources.
struct FilesFound {
    total: String,
    notes: Vec<String>,
    rows: Vec<RuleRow>,
}

struct RuleRow {
    rule: String,
    is_path: bool,
    hits: String,
    size: String,
    examples: String,
    is_idle: bool,
}

/// A run that is to come.
struct NextRun {
    at: Moment,
    /// The clock was set forward or back since the run before.
    is_shifted: bool,
}

#[derive(Template)]
#[template(path = "answer_files.html")]
struct FilesAnswer {
    f: Frame,
    found: Result<FilesFound, String>,
}

#[derive(Template)]
#[template(path = "answer_schedule.html")]
struct ScheduleAnswer {
    f: Frame,
    found: Result<(String, Vec<NextRun>), String>,
}

#[derive(Template)]
#[template(path = "answer_retention.html")]
struct RetentionAnswer {
    f: Frame,
    found: Result<Picture, String>,
}

#[derive(Template)]
#[template(path = "answer_change.html")]
struct ChangeAnswer {
    f: Frame,
    found: Result<ChangeFound, String>,
    is_outdated: bool,
}

struct ChangeFound {
    diff: Vec<DiffLine>,
    command: String,
    is_renamed: bool,
}

pub struct DiffLine {
    pub class: &'static str,
    pub text: String,
}

/// The lines of a unified diff, each with its kind.
pub fn diff_lines(diff: &str) -> Vec<DiffLine> {
    let line = |text: &str| DiffLine {
        class: match text.as_bytes() {
            [b'+', ..] => "added",
            [b'-', ..] => "removed",
            [b'@', ..] => "place",
            _ => "",
        },
        text: text.to_string(),
    };
    // The two lines with the name of the file say nothing here.
    diff.lines().skip(2).map(line).collect()
}

fn frame(visit: &Visit, lang: Lang) -> Frame {
    visit.frame_in(None, lang, "sets", "")
}

fn wanted(typed: &TypedSet) -> WantedFiles {
    let form = &typed.form;
    WantedFiles {
        sources: form.sources.clone(),
        exclude: form.exclude.clone(),
        exclude_extensions: form.exclude_extensions.clone(),
        standard_excludes: form.standard_excludes,
        hidden: form.hidden,
    }
}

/// The settings take any text as a pattern; one that is none would fail each run.
pub fn check_patterns(context: &Context, typed: &TypedSet) -> Result<(), Failure> {
    let nothing = WantedFiles {
        sources: Vec::new(),
        ..wanted(typed)
    };
    let checked = estimate::run(&context.env, &nothing, BOUNDS);
    checked.map(drop).map_err(|failure| failure.of("'exclude'"))
}

pub async fn files(visit: Visit) -> Response {
    answer(visit, |visit, context, lang| {
        let typed = TypedSet::of(&visit.form);
        let found = estimate::run(&context.env, &wanted(&typed), BOUNDS);
        reply::page(&FilesAnswer {
            f: frame(visit, lang),
            found: found
                .map(|found| files_found(lang, &found))
                .map_err(|failure| failure.text(lang)),
        })
    })
    .await
}

fn files_found(lang: Lang, found: &Estimate) -> FilesFound {
    let missing = found.missing.iter();
    let missing = missing.map(|path| texts::source_missing(lang, &shown(path.as_bytes())));
    let notes = missing
        .chain((found.unreadable > 0).then(|| texts::unreadable_folders(lang, found.unreadable)))
        .chain(
            found
                .is_partial
                .then(|| texts::look_stopped(lang, BOUNDS.time.as_secs())),
        );
    let rows = found.left_out.iter().map(|one| {
        let examples = one.examples.iter().map(|path| shown(&to_bytes(path)));
        let rule = match &one.rule {
            ExcludeRule::Pattern(text) => shown(text.as_bytes()),
            rule => texts::exclude_rule(lang, rule).to_string(),
        };
        RuleRow {
            rule,
            is_path: matches!(one.rule, ExcludeRule::Pattern(_)),
            hits: texts::files_left_out(lang, one.files),
            size: size(one.bytes),
            examples: examples.collect::<Vec<_>>().join("\n"),
            is_idle: one.files == 0 && one.examples.is_empty(),
        }
    });
    FilesFound {
        total: texts::in_sources(lang, found.files, &size(found.bytes)),
        notes: notes.collect(),
        rows: rows.collect(),
    }
}

fn schedule_of(typed: &TypedSet) -> Result<Schedule, ValueFault> {
    match typed.form.schedule.as_str() {
        "" => Ok(Schedule::Manual),
        text => Schedule::parse(text),
    }
}

pub async fn schedule(visit: Visit) -> Response {
    answer(visit, |visit, context, lang| {
        let typed = TypedSet::of(&visit.form);
        let found = schedule_of(&typed).map(|schedule| {
            let words = texts::schedule(lang, &schedule);
            (words, next_runs(lang, &schedule, &context.now))
        });
        let found = found.map_err(|fault| fault.text(lang));
        reply::page(&ScheduleAnswer {
            f: frame(visit, lang),
            found,
        })
    })
    .await
}

fn next_runs(lang: Lang, schedule: &Schedule, now: &Zoned) -> Vec<NextRun> {
    let slots = next_slots(schedule, now, RUNS);
    let before = std::iter::once(now).chain(&slots);
    let run = |(slot, before): (&Zoned, &Zoned)| NextRun {
        at: Moment::day(lang, slot.timestamp(), now),
        is_shifted: slot.offset() != before.offset(),
    };
    slots.iter().zip(before).map(run).collect()
}

pub async fn retention(visit: Visit) -> Response {
    answer(visit, |visit, context, lang| {
        let found = retention_found(visit, context, lang);
        reply::page(&RetentionAnswer {
            f: frame(visit, lang),
            found: found.map_err(|failure| wrong(lang, &failure).text),
        })
    })
    .await
}

fn retention_found(visit: &Visit, context: &Context, lang: Lang) -> Result<Picture, Failure> {
    let typed = TypedSet::of(&visit.form);
    let change = typed.change(context)?;
    let set = change.settings.named_set(&typed.name)?;
    let policy = set.retention.policy()?;
    let schedule = set.schedule.clone().unwrap_or(Schedule::Manual);
    let days = visit.form.number("days").unwrap_or_default().min(DAYS_MAX);
    let span = jiff::Span::new().days(days.cast_signed());
    let at = context
        .now
        .checked_add(span)
        .unwrap_or_else(|_| context.now.clone());
    let snapshots = match typed.is_new {
        true => Vec::new(),
        // Where the repository can't be opened now, the picture is of what the schedule would make.
        false => of_set(visit, context, &typed).unwrap_or_default(),
    };
    let when = (&context.now, &at);
    Ok(picture(lang, policy.as_ref(), &schedule, &snapshots, when))
}

/// The snapshots that this machine made of the set, at its first destination.
fn of_set(visit: &Visit, context: &Context, typed: &TypedSet) -> Result<Vec<SnapshotInfo>, Failure> {
    let first = typed.form.destinations.first();
    let repo = visit.app.open(first.map(String::as_str).unwrap_or_default())?;
    let host = context.host(None)?;
    let listing = browse::snapshots(context, &repo)?;
    let names = context.settings.names_of(&typed.was);
    let own = listing.facts.into_iter();
    Ok(own
        .filter(|facts| names.contains(&facts.set) && facts.host == host)
        .collect())
}

pub async fn change(visit: Visit) -> Response {
    answer(visit, |visit, context, lang| {
        let typed = TypedSet::of(&visit.form);
        let found = typed.change(context).map(|change| ChangeFound {
            diff: diff_lines(&change.draft.diff()),
            command: change.command,
            is_renamed: typed.is_renamed(),
        });
        let mark = Draft::open(&context.env)?.mark();
        reply::page(&ChangeAnswer {
            f: frame(visit, lang),
            found: found.map_err(|failure| wrong(lang, &failure).text),
            is_outdated: mark != typed.mark,
        })
    })
    .await
}
