//! Home: whether everything is safe, in one sentence; each set and destination; what runs; what happened last. And what
//! can be done there: run, stop, pause, resume.

use super::storage::{StorageView, storage};
use super::strip::{self, Cell, Past};
use super::{JobRow, Moment, Sign, shown};
use crate::jobs::Standing;
use crate::reply::{self, answer, own_place, see_other};
use crate::runner;
use crate::visit::{Frame, Visit};
use askama::Template;
use axum::response::Response;
use jiff::Timestamp;
use service::catalogue::report::console::{self as texts, Labels};
use service::catalogue::{Cause, Lang, report::runs};
use service::history::journal::Journal;
use service::history::read::HistoryQuery;
use service::history::{DestinationRow, HistoryRow};
use service::runs::control::{self, StopRequest};
use service::runs::status::{self, RemoteStatus, SetStatus};
use service::{Context, Failure, units};
use std::time::{Duration, Instant};

/// Rows that are looked through for the strips.
const ROWS_MAX: usize = 2000;
const EVENTS: usize = 8;

/// The whole page.
#[derive(Template)]
#[template(path = "home.html")]
struct HomePage {
    f: Frame,
    home: Home,
}

/// What is loaded anew when something changed.
#[derive(Template)]
#[template(path = "home_part.html")]
struct HomePart {
    f: Frame,
    home: Home,
}

pub struct Home {
    pub hero: Hero,
    pub paused: Option<String>,
    pub sets: Vec<SetView>,
    pub storage: Vec<StorageView>,
    pub events: Vec<JobRow>,
    /// Where sets are written.
    pub settings: String,
}

/// The sentence.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hero {
    pub sign: Sign,
    pub sentence: &'static str,
    /// About which set, and why.
    pub because: Option<String>,
    pub below: String,
    /// What would be lost with this disk, and what was proven.
    pub safe: Vec<String>,
}

pub struct SetView {
    pub name: String,
    pub running: Option<RunningView>,
    pub destinations: Vec<DestinationView>,
}

pub struct RunningView {
    /// The job here; 0 for one that a command started.
    pub job: u64,
    pub row: String,
    pub since: Moment,
    pub standing: Standing,
    pub is_stopping: bool,
}

pub struct DestinationView {
    pub name: String,
    pub sign: Sign,
    pub state: String,
    pub why: Option<String>,
    /// The row that says more.
    pub row: Option<String>,
    pub last: Option<Moment>,
    pub next: Option<Moment>,
    pub cells: Vec<Cell>,
    pub summary: String,
}

pub async fn page(visit: Visit) -> Response {
    answer(visit, |visit, context, lang| {
        let f = visit.frame_in(Some(context), lang, "home", Labels(lang).home());
        let home = home(visit, context, lang)?;
        reply::page(&HomePage { f, home })
    })
    .await
}

pub async fn part(visit: Visit) -> Response {
    answer(visit, |visit, context, lang| {
        let f = visit.frame_in(Some(context), lang, "home", Labels(lang).home());
        let home = home(visit, context, lang)?;
        reply::page(&HomePart { f, home })
    })
    .await
}

fn home(visit: &Visit, context: &Context, lang: Lang) -> Result<Home, Failure> {
    let sets = status::sets(context)?;
    let remotes = status::remotes(context, false)?;
    let journal = Journal::of(&context.dirs()?);
    let past = journal.rows(&HistoryQuery {
        limit: ROWS_MAX,
        kind: Some("backup".to_string()),
        ..HistoryQuery::default()
    })?;
    let views = sets.iter().map(|one| {
        let names = context.settings.names_of(one.name);
        let rows: Vec<&HistoryRow> = past
            .rows
            .iter()
            .filter(|row| row.set.as_ref().is_some_and(|set| names.contains(set)))
            .collect();
        set_view(visit, context, lang, one, (&journal, &remotes), &rows)
    });
    let views: Vec<SetView> = views.collect();
    let latest = journal.rows(&HistoryQuery {
        limit: EVENTS,
        ..HistoryQuery::default()
    })?;
    let now = &context.now;
    let paused = control::paused_until(context)?.map(|until| {
        let until = texts::day_and_time(lang, until, now);
        texts::paused_until(lang, &until)
    });
    Ok(Home {
        hero: hero(lang, &sets, &views, &remotes, context),
        paused,
        storage: remotes
            .iter()
            .map(|remote| storage(context, lang, remote))
            .collect(),
        sets: views,
        events: latest.rows.iter().map(|row| JobRow::of(lang, row, now)).collect(),
        settings: match &context.settings.path {
            Some(path) => path.display().to_string(),
            None => "~/.config/dedup/dedup.toml".to_string(),
        },
    })
}

fn set_view(
    visit: &Visit,
    context: &Context,
    lang: Lang,
    one: &SetStatus<'_>,
    (journal, remotes): (&Journal, &[RemoteStatus<'_>]),
    rows: &[&HistoryRow],
) -> SetView {
    let now = &context.now;
    let job = visit.app.jobs.of_set(one.name);
    let is_running = one.running.is_some() || job.is_some();
    let running = is_running.then(|| {
        let row = one.running.as_ref();
        let asked = row.is_some_and(|row| journal.is_asked_to_stop(&row.id));
        RunningView {
            job: job.as_ref().map_or(0, |job| job.nr),
            row: row.map(|row| row.id.clone()).unwrap_or_default(),
            since: Moment::ago(lang, row.map_or(now.timestamp(), |row| row.start), now),
            standing: job
                .as_ref()
                .map(|job| job.standing(lang, Instant::now()))
                .unwrap_or_default(),
            is_stopping: asked || job.as_ref().is_some_and(|job| job.is_stopping()),
        }
    });
    let names = one.set.destinations.iter().map(|name| name.get_ref().0.as_str());
    let destinations = names.map(|name| {
        let remote = remotes.iter().find(|remote| remote.name == name);
        destination_view(context, lang, one, name, remote, rows)
    });
    SetView {
        name: one.name.to_string(),
        running,
        destinations: destinations.collect(),
    }
}

fn destination_view(
    context: &Context,
    lang: Lang,
    one: &SetStatus<'_>,
    name: &str,
    remote: Option<&RemoteStatus<'_>>,
    rows: &[&HistoryRow],
) -> DestinationView {
    let now = &context.now;
    let past = Past {
        rows: rows.to_vec(),
        destination: name,
        schedule: &one.schedule,
    };
    let strip = strip::strip(lang, &past, now);
    let last = one.last.as_ref();
    let there = last.and_then(|row| row.destinations.iter().find(|there| there.name == name));
    let (mut sign, state) = last_state(lang, last, there);
    let mut parts = vec![state];
    let behind = remote.and_then(|remote| remote.behind);
    let behind = behind
        .or(there.map(|there| there.behind))
        .filter(|behind| *behind > 0);
    if let Some(behind) = behind {
        parts.push(texts::behind(lang, behind));
        sign = sign.max(Sign::Warn);
    }
    if one.overdue {
        parts.push(texts::overdue(lang));
        sign = sign.max(Sign::Warn);
    }
    let is_good = matches!(sign, Sign::Good | Sign::Busy);
    let saved = |row: &&&HistoryRow| {
        let there = row.destinations.iter().find(|there| there.name == name);
        row.snapshot.is_some() && there.is_none_or(|there| there.status == "completed")
    };
    let last_saved = rows.iter().find(saved).map(|row| row.start);
    DestinationView {
        name: name.to_string(),
        sign,
        state: parts.join(" · "),
        why: last
            .filter(|_| !is_good)
            .and_then(|row| there.and_then(|there| there.told(lang)).or(row.told(lang)))
            .map(|message| shown(message.as_bytes())),
        row: last.filter(|_| !is_good).map(|row| row.id.clone()),
        last: last_saved.map(|at| Moment::ago(lang, at, now)),
        next: one.next_run.map(|at| Moment::day(lang, at, now)),
        cells: strip.cells,
        summary: strip.summary,
    }
}

/// How the last run of a set ended at a destination, in a sign and in words.
fn last_state(lang: Lang, last: Option<&HistoryRow>, there: Option<&DestinationRow>) -> (Sign, String) {
    let found = match (last, there) {
        (None, _) => (Sign::Idle, Labels(lang).first_backup().to_string()),
        (Some(row), Some(there)) if row.status != "not run" => {
            let has_snapshot = row.snapshot.is_some() && there.status == "completed";
            (
                Sign::of(&there.status, has_snapshot),
                runs::status(lang, &there.status, there.reason.as_deref()),
            )
        }
        (Some(row), _) => (
            Sign::of(&row.status, row.snapshot.is_some()),
            runs::row_status(lang, row),
        ),
    };
    // The run as a whole had problems that are not this destination's.
    match last {
        Some(row)
            if found.0 == Sign::Good
                && row.status != "completed"
                && row.destinations.iter().all(|there| there.status == "completed") =>
        {
            (
                Sign::of(&row.status, row.snapshot.is_some()),
                runs::row_status(lang, row),
            )
        }
        _ => found,
    }
}

/// The worst wins.
fn hero(
    lang: Lang,
    sets: &[SetStatus<'_>],
    views: &[SetView],
    remotes: &[RemoteStatus<'_>],
    context: &Context,
) -> Hero {
    let t = Labels(lang);
    let now = &context.now;
    let all = || {
        views
            .iter()
            .flat_map(|set| set.destinations.iter().map(move |there| (set, there)))
    };
    let about = |found: Option<(&SetView, &DestinationView)>| {
        found.map(|(set, there)| match &there.why {
            Some(why) => texts::because(lang, &set.name, why),
            None => texts::because(lang, &format!("{} → {}", set.name, there.name), &there.state),
        })
    };
    let ran = sets.iter().any(|set| set.last_success.is_some());
    let skipped = |set: &SetStatus<'_>| set.last.as_ref().is_some_and(|row| row.status == "not run");
    let is_bad = |(_, there): &(&SetView, &DestinationView)| matches!(there.sign, Sign::Bad | Sign::Warn);
    let is_idle = |(_, there): &(&SetView, &DestinationView)| there.sign == Sign::Idle;
    let (sign, sentence, because) =
        if let Some(found) = all().filter(is_bad).max_by_key(|(_, there)| there.sign) {
            (found.1.sign, t.attention(), about(Some(found)))
        } else if sets.iter().any(skipped) {
            (Sign::Warn, t.could_not_run(), about(all().find(is_idle)))
        } else if views.iter().any(|set| set.running.is_some()) {
            (Sign::Busy, t.running_now(), None)
        } else if !ran || sets.iter().any(|set| set.last_success.is_none()) {
            (Sign::Idle, t.first_backup(), None)
        } else {
            (Sign::Good, t.all_well(), None)
        };
    // The oldest of the newest: before that moment everything is safe.
    let last = sets.iter().map(|set| set.last_success).min().flatten();
    let safe = safe(lang, last.filter(|_| ran), remotes, now.timestamp());
    let last = last.map(|at| texts::relative(lang, at, now.timestamp()));
    let next = sets.iter().filter_map(|set| set.next_run).min();
    let next = next.map(|at| texts::day_and_time(lang, at, now));
    Hero {
        sign,
        sentence,
        because,
        below: texts::last_and_next(lang, last.as_deref(), next.as_deref()),
        safe,
    }
}

/// What would be lost if this disk failed now, and what of the repositories was proven: by the one that was proven least.
fn safe(lang: Lang, last: Option<Timestamp>, remotes: &[RemoteStatus<'_>], now: Timestamp) -> Vec<String> {
    let t = Labels(lang);
    let Some(last) = last else {
        return Vec::new();
    };
    let ago = |at: Option<Timestamp>| at.map(|at| texts::relative(lang, at, now));
    let verified = remotes.iter().map(|remote| remote.proofs.check).min().flatten();
    let restored = remotes.iter().map(|remote| remote.proofs.restore).max().flatten();
    vec![
        texts::would_lose(lang, last, now),
        texts::proven(
            lang,
            ago(verified).as_deref().unwrap_or(t.never()),
            ago(restored).as_deref().unwrap_or(t.never()),
        ),
    ]
}

/// Back to the page that asked, after a change.
fn back(visit: &Visit) -> Response {
    see_other(own_place(visit.form.text("back")))
}

pub async fn run(visit: Visit) -> Response {
    answer(visit, |visit, _, _| {
        run_set(visit)?;
        Ok(back(visit))
    })
    .await
}

pub fn run_set(visit: &Visit) -> Result<(), Failure> {
    let set = visit.form.text("set").ok_or_else(|| crate::browse::bad("set"))?;
    runner::back_up(&visit.app, set)
}

pub async fn stop(visit: Visit) -> Response {
    answer(visit, |visit, context, _| {
        stop_job(visit, context)?;
        Ok(back(visit))
    })
    .await
}

/// One that was started here by its number, any other by its row.
pub fn stop_job(visit: &Visit, context: &Context) -> Result<(), Failure> {
    let job = visit.form.number("job").and_then(|nr| visit.app.jobs.find(nr));
    let Some(row) = visit.form.text("row") else {
        // It has no row yet, or is not known by one.
        return match job {
            Some(job) => {
                job.stop();
                Ok(())
            }
            None => Err(crate::browse::bad("row")),
        };
    };
    let request = StopRequest {
        names: vec![row.to_string()],
        wait: Duration::ZERO,
    };
    match control::stop(context, &request) {
        // It has ended meanwhile.
        Err(Failure {
            cause: Cause::NothingRuns { .. },
            ..
        }) => Ok(()),
        stopped => stopped.map(drop),
    }
}

pub async fn pause(visit: Visit) -> Response {
    answer(visit, |visit, context, _| {
        pause_for(visit, context)?;
        Ok(back(visit))
    })
    .await
}

pub fn pause_for(visit: &Visit, context: &Context) -> Result<Timestamp, Failure> {
    let span = visit.form.text("for").ok_or_else(|| crate::browse::bad("for"))?;
    let until = control::pause(context, units::parse_span(span)?)?;
    Ok(until.timestamp())
}

pub async fn resume(visit: Visit) -> Response {
    answer(visit, |visit, context, _| {
        control::resume(context)?;
        Ok(back(visit))
    })
    .await
}
