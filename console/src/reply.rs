//! Answers: pages, JSON, redirections, and what is said of a failure.

use crate::visit::{Frame, Visit};
use askama::Template;
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use service::catalogue::report::console::Labels;
use service::catalogue::{Cause, ConsoleFault, Lang};
use service::{Context, Error, Failure, Status, notify};

pub fn rendered(template: &impl Template) -> Result<String, Failure> {
    template.render().map_err(|e| {
        let fault = ConsoleFault::Page { why: e.to_string() };
        Failure::from(Cause::Console { fault })
    })
}

pub fn html(status: StatusCode, template: &impl Template) -> Result<Response, Failure> {
    let text = rendered(template)?;
    let kind = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
    Ok((status, kind, text).into_response())
}

pub fn page(template: &impl Template) -> Result<Response, Failure> {
    html(StatusCode::OK, template)
}

pub fn json(status: StatusCode, value: &Value) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (status, kind, value.to_string()).into_response()
}

/// To a page of this console after a change.
pub fn see_other(to: &str) -> Response {
    let to = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response()
}

/// A place of this console; anything else leads to Home.
pub fn own_place(place: Option<&str>) -> &str {
    let is_own = |place: &&str| {
        let mut chars = place.chars();
        let plain = !place.contains(['\\', '\r', '\n', '\t']) && place.is_ascii();
        chars.next() == Some('/') && chars.next() != Some('/') && plain
    };
    place.filter(is_own).unwrap_or("/")
}

/// The status of HTTP that says about the same.
pub fn status_of(failure: &Failure) -> StatusCode {
    let is_gone = match &failure.cause {
        Cause::NoSuchJob { .. } | Cause::NoSuchSet { .. } | Cause::NoSuchRemote { .. } => true,
        Cause::Engine { error } => matches!(
            **error,
            Error::NoSuchPath { .. } | Error::NotSaved { .. } | Error::NoSnapshot(_)
        ),
        _ => false,
    };
    match failure.status {
        _ if is_gone => StatusCode::NOT_FOUND,
        Status::BadSettings => StatusCode::BAD_REQUEST,
        Status::Busy => StatusCode::CONFLICT,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    f: Frame,
    title: &'static str,
    text: String,
}

#[derive(Template)]
#[template(path = "error_part.html")]
struct ErrorPart {
    f: Frame,
    title: &'static str,
    text: String,
}

/// What went wrong, for whoever asked: a page, a part of one, or JSON.
pub fn failed(visit: &Visit, lang: Lang, failure: &Failure) -> Response {
    let status = status_of(failure);
    if visit.wants_json() {
        return json(status, &error_object(failure));
    }
    let title = Labels(lang).error_title();
    told(visit, lang, status, title, failure.text(lang))
}

pub fn error_object(failure: &Failure) -> Value {
    json!({
        "message_type": "exit_error",
        "message": failure.message(),
        "status": failure.status.word(),
        "reason": failure.status.reason(),
    })
}

pub fn told(visit: &Visit, lang: Lang, status: StatusCode, title: &'static str, text: String) -> Response {
    let f = visit.frame_in(None, lang, "", title);
    let made = match visit.is_partial {
        true => html(status, &ErrorPart { f, title, text }),
        false => html(status, &ErrorPage { f, title, text }),
    };
    // Without a page, the words alone.
    made.unwrap_or_else(|failure| (status, failure.text(lang)).into_response())
}

/// Makes an answer in a thread that may wait for disks and networks.
pub async fn answer(
    visit: Visit,
    make: impl FnOnce(&Visit, &Context, Lang) -> Result<Response, Failure> + Send + 'static,
) -> Response {
    let workers = visit.app.workers.clone();
    let Ok(permit) = workers.acquire_owned().await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let work = move || {
        let _permit = permit;
        let context = match visit.app.context() {
            Ok(context) => context,
            // The settings can't be read.
            Err(failure) => {
                let lang = visit.chosen_lang.unwrap_or_else(|| visit.app.lang());
                return failed(&visit, lang, &failure);
            }
        };
        let lang = visit.chosen_lang.unwrap_or_else(|| notify::language(&context));
        make(&visit, &context, lang).unwrap_or_else(|failure| failed(&visit, lang, &failure))
    };
    // A panic has been printed by its thread.
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// Bytes of a file in this program.
pub fn embedded(kind: &'static str, bytes: &'static [u8]) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        // Its name changes with the version.
        (header::CACHE_CONTROL, "private, max-age=31536000, immutable"),
    ];
    (headers, Body::from(bytes)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirections_stay_here() {
        for (place, want) in [
            ("/", "/"),
            ("/restore?a=b", "/restore?a=b"),
            ("", "/"),
            ("//evil.example", "/"),
            ("/\\evil.example", "/"),
            ("https://evil.example", "/"),
            ("/\r\nSet-Cookie: x", "/"),
            ("/\t/evil.example", "/"),
        ] {
            assert_eq!(own_place(Some(place)), want, "{place:?}");
        }
        assert_eq!(own_place(None), "/");
    }
}
