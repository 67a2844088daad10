//! Which address leads where.

use crate::app::App;
use crate::guard::guard;
use crate::pages::{
    basket, changes, compare, door, history, home, rail, restore, search, sets, support, target,
};
use crate::visit::Visit;
use crate::{api, assets, download, live, pages, preview, reply, setting_up};
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router, middleware};
use service::catalogue::report::console::Labels;
use std::sync::Arc;

type Asked = Extension<Visit>;

pub fn router(app: Arc<App>) -> Router {
    let pages = Router::new()
        .route("/", get(|Extension(v): Asked| home::page(v)))
        .route("/home", get(|Extension(v): Asked| home::part(v)))
        .route("/history", get(|Extension(v): Asked| history::list(v)))
        .route(
            "/history/{id}",
            get(|Extension(v): Asked, Path(id): Path<String>| history::one(v, id)),
        )
        .route("/sets", get(|Extension(v): Asked| sets::list(v)))
        .route("/search", get(|Extension(v): Asked| search::page(v)))
        .route("/restore", get(|Extension(v): Asked| restore::page(v)))
        .route("/restore/tree", get(|Extension(v): Asked| restore::tree(v)))
        .route("/restore/rows", get(|Extension(v): Asked| restore::rows(v)))
        .route("/restore/target", get(|Extension(v): Asked| target::page(v)))
        .route(
            "/restore/job/{nr}",
            get(|Extension(v): Asked, Path(nr): Path<u64>| target::job(v, nr)),
        )
        .route("/download", get(|Extension(v): Asked| download::download(v)))
        .route("/live", get(|Extension(v): Asked| async { live::events(v) }));
    let changes = Router::new()
        .route("/run", post(|Extension(v): Asked| home::run(v)))
        .route("/stop", post(|Extension(v): Asked| home::stop(v)))
        .route("/pause", post(|Extension(v): Asked| home::pause(v)))
        .route("/resume", post(|Extension(v): Asked| home::resume(v)))
        .route("/basket/add", post(|Extension(v): Asked| basket::add(v)))
        .route("/basket/remove", post(|Extension(v): Asked| basket::remove(v)))
        .route("/restore/preview", post(|Extension(v): Asked| target::preview(v)))
        .route("/restore/go", post(|Extension(v): Asked| target::go(v)));
    pages
        .merge(versions())
        .merge(changes)
        .merge(doors())
        .merge(api())
        .merge(setting_up::routes())
        .fallback(|Extension(v): Asked| nowhere(v))
        .layer(middleware::from_fn_with_state(app, guard))
}

/// How people come in and go, and what those who are outside see.
fn doors() -> Router {
    Router::new()
        .route(
            "/login",
            get(|Extension(v): Asked| door::login_page(v)).post(|Extension(v): Asked| door::login(v)),
        )
        .route(
            "/start",
            get(|Extension(v): Asked| door::start_page(v)).post(|Extension(v): Asked| door::start(v)),
        )
        .route("/logout", post(|Extension(v): Asked| door::logout(v)))
        .route("/look", post(|Extension(v): Asked| door::look(v)))
        .route(
            "/assets/{name}",
            get(|Path(name): Path<String>| async move { assets::asset(&name) }),
        )
}

/// What programs ask.
fn api() -> Router {
    Router::new()
        .route("/api/status", get(|Extension(v): Asked| api::status(v)))
        .route("/api/sets", get(|Extension(v): Asked| api::sets(v)))
        .route("/api/history", get(|Extension(v): Asked| api::history(v)))
        .route(
            "/api/history/{id}",
            get(|Extension(v): Asked, Path(id): Path<String>| api::job(v, id)),
        )
        .route(
            "/api/history/{id}/files",
            get(|Extension(v): Asked, Path(id): Path<String>| api::files(v, id)),
        )
        .route("/api/snapshots", get(|Extension(v): Asked| api::snapshots(v)))
        .route("/api/entries", get(|Extension(v): Asked| api::entries(v)))
        .route("/api/run", post(|Extension(v): Asked| api::run(v)))
        .route("/api/stop", post(|Extension(v): Asked| api::stop(v)))
        .route("/api/pause", post(|Extension(v): Asked| api::pause(v)))
        .route("/api/resume", post(|Extension(v): Asked| api::resume(v)))
        .route(
            "/api/openapi.json",
            get(|Extension(v): Asked| support::openapi(v)),
        )
}

/// One file or folder at several moments, and what is in it.
fn versions() -> Router {
    Router::new()
        .route("/restore/versions", get(|Extension(v): Asked| rail::page(v)))
        .route("/restore/compare", get(|Extension(v): Asked| compare::page(v)))
        .route("/restore/changes", get(|Extension(v): Asked| changes::page(v)))
        .route("/preview", get(|Extension(v): Asked| pages::preview::page(v)))
        .route("/preview/frame", get(|Extension(v): Asked| preview::frame(v)))
        .route("/basket/download", get(|Extension(v): Asked| download::basket(v)))
}

async fn nowhere(visit: Visit) -> Response {
    if visit.wants_json() {
        let error = serde_json::json!({ "message_type": "exit_error", "message": "no such address" });
        return reply::json(StatusCode::NOT_FOUND, &error);
    }
    let lang = visit.chosen_lang.unwrap_or_else(|| visit.app.lang());
    let t = Labels(lang);
    let (title, text) = (t.not_found(), t.not_found_text().to_string());
    reply::told(&visit, lang, StatusCode::NOT_FOUND, title, text).into_response()
}
