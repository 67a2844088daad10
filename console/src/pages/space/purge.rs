//! A path is taken out of all snapshots: first it is only looked for, by a job whose figures are shown; then, once its path
//! has been typed, another job purges it and leaves a row in the history.

use super::{as_text, link, spot_of};
use crate::browse::{self, bad};
use crate::fields::encoded;
use crate::jobs::{Job, Outcome, Purging, SpaceSpot, Standing, What};
use crate::pages::shown;
use crate::pages::target::percent;
use crate::reply::{self, answer, see_other};
use crate::runner;
use crate::visit::{Frame, Visit};
use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use service::backup::standard::literal;
use service::catalogue::Lang;
use service::catalogue::report::console::{self as texts, Labels};
use service::catalogue::report::purge::{self as report, PurgeEnd};
use service::catalogue::report::runs;
use service::face::Face;
use service::purge::{self, Request};
use service::space::Holder;
use service::{Context, Failure, Status};
use std::time::Instant;

#[derive(Template)]
#[template(path = "space_purge.html")]
struct PurgePage {
    f: Frame,
    remote: String,
    coded: String,
    path: String,
    back: String,
    frees: String,
}

pub async fn page(visit: Visit) -> Response {
    answer(visit, |visit, context, lang| {
        let spot = spot_of(context, &visit.query);
        as_text(&spot.path)?;
        reply::page(&PurgePage {
            f: visit.frame_in(Some(context), lang, "destinations", Labels(lang).purge()),
            coded: encoded(&spot.path),
            path: shown(&spot.path),
            back: above(&spot),
            frees: frees(visit, lang, &spot).unwrap_or_default(),
            remote: spot.remote,
        })
    })
    .await
}

/// The page of the folder that it is in.
fn above(spot: &SpaceSpot) -> String {
    let folder = browse::parent(&spot.path).unwrap_or_else(|| b"/".to_vec());
    link("/space", &spot.remote, &folder)
}

/// What it holds alone, if that is kept.
fn frees(visit: &Visit, lang: Lang, spot: &SpaceSpot) -> Option<String> {
    let folder = SpaceSpot {
        path: browse::parent(&spot.path)?,
        ..spot.clone()
    };
    let found = visit.app.space.find(&folder)?;
    let is_it = |holder: &Holder| matches!(holder, Holder::Path { path, .. } if *path == spot.path);
    let row = found.rows.iter().find(|(holder, _)| is_it(holder))?;
    Some(texts::purge_frees(lang, row.1))
}

/// Looks for it, and changes nothing.
pub async fn look(visit: Visit) -> Response {
    answer(visit, |visit, context, _| {
        let spot = spot_of(context, &visit.form);
        if spot.path.is_empty() || spot.path == b"/" {
            return Err(bad("path"));
        }
        begin(visit, Purging { spot, is_dry: true })
    })
    .await
}

/// Purges what a dry run found, once its path is typed.
pub async fn go(visit: Visit) -> Response {
    answer(visit, |visit, context, lang| {
        let nr = visit.form.number("nr").ok_or_else(|| bad("nr"))?;
        let job = visit.app.jobs.find(nr).ok_or_else(|| bad("nr"))?;
        let What::Purge(looked) = &job.what else {
            return Err(bad("nr"));
        };
        if !looked.is_dry || !job.outcome().as_ref().is_some_and(found_it) {
            return Err(bad("nr"));
        }
        let typed = visit.form.text("typed").unwrap_or_default().trim();
        if typed != shown(&looked.spot.path) {
            return job_page(visit, context, lang, &job, true);
        }
        begin(
            visit,
            Purging {
                spot: looked.spot.clone(),
                is_dry: false,
            },
        )
    })
    .await
}

/// Protected snapshots, which keep it, leave a dry run incomplete.
fn found_it(outcome: &Outcome) -> bool {
    outcome.failure.is_none() && matches!(outcome.status, Status::Completed | Status::Incomplete)
}

/// Starts it, unless something is done there already.
fn begin(visit: &Visit, purging: Purging) -> Result<Response, Failure> {
    let remote = &purging.spot.remote;
    if let Some(running) = visit.app.jobs.of_remote(remote) {
        return Ok(see_other(&running.place()));
    }
    let path = as_text(&purging.spot.path)?.trim_start_matches('/');
    let request = Request {
        paths: vec![format!("/{}", literal(path.as_bytes()))],
        force_protected: false,
        end_now: false,
        yes: true,
        dry_run: purging.is_dry,
    };
    let cancel = visit.app.cancel().child();
    let own = visit.app.context_at(remote, cancel.clone())?;
    let app = visit.app.clone();
    let remote = remote.clone();
    let nr = runner::begin(&visit.app, What::Purge(purging), cancel, move |face, job| {
        let done = perform(&own, &request, face, job);
        own.tighten();
        if !request.dry_run {
            app.space.forget(&remote);
        }
        done.map(Outcome::of)
    })?;
    Ok(see_other(&format!("/space/job/{nr}")))
}

fn perform(context: &Context, request: &Request, face: &dyn Face, job: &Job) -> Result<Status, Failure> {
    let done = purge::run(context, request, face, &mut |_| Ok(()))?;
    let end = PurgeEnd {
        changed: done.changed,
        dry_run: request.dry_run,
        for_good: request.end_now,
        protected: done.protected,
        failed: done.failed,
        in_trash: done.in_trash,
        unmatched: &done.unmatched,
        elsewhere: &done.elsewhere,
    };
    let held = &done.held;
    job.conclude(|lang| {
        let figures = texts::purge_figures(lang, done.changed, held.files, held.bytes, request.dry_run);
        let ended = report::ended(lang, &end).into_iter();
        // A dry run is named by the heading.
        let ended = ended.skip(usize::from(request.dry_run));
        std::iter::once(figures).chain(ended).collect()
    });
    Ok(done.status())
}

#[derive(Template)]
#[template(path = "space_job.html")]
struct PurgeJobPage {
    f: Frame,
    nr: u64,
    path: String,
    back: String,
    standing: Standing,
    is_running: bool,
    is_stopping: bool,
    is_good: bool,
    /// It was only looked for, and can be purged.
    is_dry: bool,
    /// Something else than the path was typed.
    is_mistyped: bool,
    lines: Vec<String>,
    said: Vec<String>,
}

impl PurgeJobPage {
    fn percent(&self) -> String {
        percent(&self.standing)
    }
}

pub async fn job(visit: Visit, nr: u64) -> Response {
    answer(visit, move |visit, context, lang| {
        match visit.app.jobs.find(nr) {
            Some(job) => job_page(visit, context, lang, &job, false),
            // The console was started again; the history has it.
            None => Ok(see_other("/history?kind=delete")),
        }
    })
    .await
}

fn job_page(
    visit: &Visit,
    context: &Context,
    lang: Lang,
    job: &Job,
    is_mistyped: bool,
) -> Result<Response, Failure> {
    let What::Purge(purging) = &job.what else {
        return Err(bad("nr"));
    };
    let outcome = job.outcome();
    let is_good = outcome
        .as_ref()
        .is_some_and(|outcome| outcome.status == Status::Completed);
    let mut lines = job.summary(lang);
    let is_found = purging.is_dry && outcome.as_ref().is_some_and(found_it);
    lines.extend(frees(visit, lang, &purging.spot).filter(|_| is_found));
    match &outcome {
        Some(Outcome {
            failure: Some(failure),
            ..
        }) => lines.push(shown(failure.text(lang).as_bytes())),
        Some(outcome) if !is_good => {
            lines.push(runs::status(lang, outcome.status.word(), outcome.status.reason()));
        }
        _ => {}
    }
    let path = shown(&purging.spot.path);
    let title = texts::purge_title(lang, &path, purging.is_dry);
    let status = match is_mistyped {
        true => StatusCode::UNPROCESSABLE_ENTITY,
        false => StatusCode::OK,
    };
    reply::html(
        status,
        &PurgeJobPage {
            f: visit.frame_in(Some(context), lang, "destinations", &title),
            nr: job.nr,
            path,
            back: above(&purging.spot),
            standing: job.standing(lang, Instant::now()),
            is_running: outcome.is_none(),
            is_stopping: job.is_stopping(),
            is_good,
            is_dry: is_found,
            is_mistyped,
            lines,
            said: job.lines(lang),
        },
    )
}
