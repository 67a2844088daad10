//! What is done at a destination as a job with progress: check, prune after its cost was shown, heal.

use super::target::percent;
use crate::browse::bad;
use crate::jobs::{Job, Outcome, Standing, Upkeep, What};
use crate::pages::shown;
use crate::reply::{self, answer, see_other};
use crate::runner;
use crate::visit::{Frame, Visit};
use askama::Template;
use axum::response::Response;
use service::catalogue::report::console::{self as texts, Labels};
use service::catalogue::report::{damage, drill as drilled, expiry, retention, runs};
use service::catalogue::{Cause, ConsoleFault, Lang};
use service::check::{self, ReadData};
use service::face::Face;
use service::prune::{self, Collection};
use service::select::Filter;
use service::{Context, Failure, Status, drill, heal};
use std::time::Instant;

fn wanted(word: &str) -> Option<Upkeep> {
    Some(match word {
        "check" => Upkeep::Check,
        "check-all" => Upkeep::CheckAll,
        "prune-preview" => Upkeep::PrunePreview,
        "prune" => Upkeep::Prune,
        "heal" => Upkeep::Heal,
        "drill" => Upkeep::Drill,
        _ => return None,
    })
}

/// Starts it, unless something is done there already.
pub async fn start(visit: Visit) -> Response {
    answer(visit, |visit, context, _| {
        let remote = visit.form.text("remote").ok_or_else(|| bad("remote"))?;
        let kind = visit
            .form
            .text("kind")
            .and_then(wanted)
            .ok_or_else(|| bad("kind"))?;
        context.settings.named(remote)?;
        if let Some(running) = visit.app.jobs.of_remote(remote) {
            return Ok(see_other(&running.place()));
        }
        let cancel = visit.app.cancel().child();
        let own = visit.app.context_at(remote, cancel.clone())?;
        let what = What::Upkeep(kind, remote.to_string());
        let nr = runner::begin(&visit.app, what, cancel, move |face, job| {
            let done = perform(&own, kind, face, job);
            own.tighten();
            Ok(Outcome::of(done?))
        })?;
        Ok(see_other(&format!("/destinations/job/{nr}")))
    })
    .await
}

fn perform(context: &Context, kind: Upkeep, face: &dyn Face, job: &Job) -> Result<Status, Failure> {
    match kind {
        Upkeep::Check => check_it(context, ReadData::None, face, job),
        Upkeep::CheckAll => check_it(context, ReadData::All, face, job),
        Upkeep::PrunePreview | Upkeep::Prune => {
            let request = prune::Request {
                retention: None,
                of_sets: true,
                filter: Filter::default(),
                collection: Some(Collection::default()),
                yes: true,
                dry_run: kind == Upkeep::PrunePreview,
            };
            let report = prune::run(context, &request, face)?;
            let summary = report.collected.as_ref().map(|collected| &collected.summary);
            let removed = report.removed.count;
            job.conclude(|lang| {
                let mut lines = expiry::expired(lang, &report.expired, request.dry_run);
                lines.extend(retention::pruned(lang, removed, summary, request.dry_run));
                lines
            });
            Ok(report.status())
        }
        Upkeep::Heal => {
            let request = heal::Request {
                from: Vec::new(),
                read_data: true,
                dry_run: false,
            };
            let report = heal::run(context, &request, face)?;
            job.conclude(|lang| damage::healed(lang, &report.healed, true, false));
            Ok(report.status())
        }
        Upkeep::Drill => {
            let report = drill::run(context, &drill::Request::default(), face)?;
            job.conclude(|lang| drilled::drilled(lang, &report));
            Ok(report.status())
        }
    }
}

fn check_it(context: &Context, read_data: ReadData, face: &dyn Face, job: &Job) -> Result<Status, Failure> {
    let request = check::Request {
        read_data,
        snapshots: Vec::new(),
    };
    let report = check::run(context, &request, face)?;
    job.conclude(|lang| {
        let mut lines = damage::found_paths(lang, &report.found);
        lines.extend(damage::checked(lang, &report.found));
        lines.push(damage::verdict(lang, &report.found));
        lines
    });
    Ok(report.status())
}

#[derive(Template)]
#[template(path = "upkeep_job.html")]
struct UpkeepPage {
    f: Frame,
    nr: u64,
    remote: String,
    standing: Standing,
    is_running: bool,
    is_stopping: bool,
    is_good: bool,
    lines: Vec<String>,
    said: Vec<String>,
    /// It was a preview, and the real thing can be started.
    is_preview: bool,
    history: &'static str,
}

impl UpkeepPage {
    fn percent(&self) -> String {
        percent(&self.standing)
    }
}

pub async fn job(visit: Visit, nr: u64) -> Response {
    answer(visit, move |visit, context, lang| {
        shown_job(visit, context, lang, nr)
    })
    .await
}

fn shown_job(visit: &Visit, context: &Context, lang: Lang, nr: u64) -> Result<Response, Failure> {
    let Some(job) = visit.app.jobs.find(nr) else {
        // The console was started again; the history has it.
        return Ok(see_other("/history"));
    };
    let What::Upkeep(kind, remote) = &job.what else {
        return Err(gone());
    };
    let outcome = job.outcome();
    let mut lines = job.summary(lang);
    if let Some(outcome) = &outcome {
        match &outcome.failure {
            Some(failure) => lines.push(shown(failure.text(lang).as_bytes())),
            None if outcome.status != Status::Completed => {
                lines.push(runs::status(lang, outcome.status.word(), outcome.status.reason()));
            }
            None => {}
        }
    }
    let is_good = outcome
        .as_ref()
        .is_some_and(|outcome| outcome.status == Status::Completed);
    let title = texts::upkeep_title(lang, word(lang, *kind), remote);
    reply::page(&UpkeepPage {
        f: visit.frame_in(Some(context), lang, "destinations", &title),
        nr,
        remote: remote.clone(),
        standing: job.standing(lang, Instant::now()),
        is_running: outcome.is_none(),
        is_stopping: job.is_stopping(),
        is_good,
        is_preview: is_good && *kind == Upkeep::PrunePreview,
        lines,
        said: job.lines(lang),
        history: match kind {
            Upkeep::Check | Upkeep::CheckAll => "/history?kind=check",
            Upkeep::PrunePreview | Upkeep::Prune => "/history?kind=prune",
            Upkeep::Heal => "/history?kind=heal",
            Upkeep::Drill => "/history?kind=drill",
        },
    })
}

fn gone() -> Failure {
    let fault = ConsoleFault::BadRequest { name: "nr" };
    Cause::Console { fault }.into()
}

fn word(lang: Lang, kind: Upkeep) -> &'static str {
    let t = Labels(lang);
    match kind {
        Upkeep::Check => t.check(),
        Upkeep::CheckAll => t.check_all(),
        Upkeep::PrunePreview => t.prune_preview(),
        Upkeep::Prune => t.prune(),
        Upkeep::Heal => t.heal(),
        Upkeep::Drill => t.drill(),
    }
}
