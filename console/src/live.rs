//! Events: what runs and how far it is, and a mark that changes when a page is out of date. One stream serves a whole
//! browser; its pages pass events on to each other, since a browser opens only six connections to one place.

use crate::app::App;
use crate::jobs::What;
use crate::visit::Visit;
use crate::visit::mark;
use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::{Value, json};
use service::catalogue::Lang;
use service::{Failure, notify};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::OwnedSemaphorePermit;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(500);
/// After so many looks at the same, a sign of life.
const SILENT: u32 = 20;
/// A browser opens the stream again when it ends, and its session is looked at again.
const LONGEST: Duration = Duration::from_secs(300);

struct Following {
    app: Arc<App>,
    lang: Option<Lang>,
    session_id: String,
    began: Instant,
    last: String,
    silent: u32,
    _permit: OwnedSemaphorePermit,
}

pub fn events(visit: Visit) -> Response {
    let Ok(permit) = visit.app.streams.clone().try_acquire_owned() else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let following = Following {
        app: visit.app.clone(),
        lang: visit.chosen_lang,
        session_id: visit.session_id,
        began: Instant::now(),
        last: String::new(),
        silent: 0,
        _permit: permit,
    };
    let body = Body::from_stream(stream::unfold(following, next));
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, body).into_response()
}

/// The next event; the stream ends with its session.
async fn next(mut following: Following) -> Option<(Result<Bytes, Infallible>, Following)> {
    loop {
        if !following.last.is_empty() {
            tokio::time::sleep(LOOK).await;
        }
        let session = following.app.session(&following.session_id, true);
        if session.is_none() || following.began.elapsed() > LONGEST {
            return None;
        }
        let (app, lang) = (following.app.clone(), following.lang);
        let seen = tokio::task::spawn_blocking(move || seen(&app, lang)).await.ok()?;
        let text = match seen {
            Ok(seen) => seen.to_string(),
            // The page that is loaded anew says what is wrong.
            Err(failure) => json!({ "mark": failure.message(), "jobs": [] }).to_string(),
        };
        following.silent += 1;
        if text != following.last {
            following.silent = 0;
            let event = format!("retry: 2000\nevent: seen\ndata: {text}\n\n");
            following.last = text;
            return Some((Ok(Bytes::from(event)), following));
        }
        if following.silent >= SILENT {
            following.silent = 0;
            return Some((Ok(Bytes::from_static(b": still here\n\n")), following));
        }
    }
}

/// How far the jobs are that run here, and the [`mark`].
pub fn seen(app: &App, lang: Option<Lang>) -> Result<Value, Failure> {
    let context = app.context()?;
    let lang = lang.unwrap_or_else(|| notify::language(&context));
    let now = Instant::now();
    let running = app.jobs.running();
    let jobs = running.iter().map(|job| {
        let standing = job.standing(lang, now);
        let set = match &job.what {
            What::Set(set) => Some(set),
            What::Restore(_) | What::Upkeep(..) | What::Space(_) | What::Purge(_) => None,
        };
        json!({
            "job": job.nr,
            "set": set,
            "percent": standing.percent,
            "done": standing.done,
            "rate": standing.rate,
            "current": standing.current,
        })
    });
    let jobs: Vec<Value> = jobs.collect();
    Ok(json!({ "mark": mark(app, &context)?, "jobs": jobs }))
}
