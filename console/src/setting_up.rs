//! The addresses of the side that sets up: sets, destinations, machines, settings, and what programs get beside the API.

use crate::guard::Visit;
use crate::pages::set::{self, answers};
use crate::pages::{destinations, keys, machines, settings, support, upkeep};
use axum::extract::Path;
use axum::routing::{get, post};
use axum::{Extension, Router};

type Asked = Extension<Visit>;
type Name = Path<String>;

pub fn routes() -> Router {
    sets().merge(places()).merge(machine())
}

fn sets() -> Router {
    Router::new()
        .route("/sets/new", get(|Extension(v): Asked| set::new(v)))
        .route(
            "/sets/edit/{name}",
            get(|Extension(v): Asked, Path(n): Name| set::edit(v, n)),
        )
        .route(
            "/sets/remove/{name}",
            get(|Extension(v): Asked, Path(n): Name| set::remove_page(v, n)),
        )
        .route("/sets/click", post(|Extension(v): Asked| set::click(v)))
        .route("/sets/save", post(|Extension(v): Asked| set::save(v)))
        .route("/sets/remove", post(|Extension(v): Asked| set::remove(v)))
        .route(
            "/sets/answer/files",
            post(|Extension(v): Asked| answers::files(v)),
        )
        .route(
            "/sets/answer/schedule",
            post(|Extension(v): Asked| answers::schedule(v)),
        )
        .route(
            "/sets/answer/retention",
            post(|Extension(v): Asked| answers::retention(v)),
        )
        .route(
            "/sets/answer/change",
            post(|Extension(v): Asked| answers::change(v)),
        )
}

fn places() -> Router {
    Router::new()
        .route("/destinations", get(|Extension(v): Asked| destinations::list(v)))
        .route(
            "/destinations/new",
            get(|Extension(v): Asked| destinations::new(v)),
        )
        .route(
            "/destinations/test",
            post(|Extension(v): Asked| destinations::test(v)),
        )
        .route(
            "/destinations/add",
            post(|Extension(v): Asked| destinations::add(v)),
        )
        .route(
            "/destinations/measure",
            post(|Extension(v): Asked| destinations::measure(v)),
        )
        .route(
            "/destinations/remove/{name}",
            get(|Extension(v): Asked, Path(n): Name| destinations::remove_page(v, n)),
        )
        .route(
            "/destinations/remove",
            post(|Extension(v): Asked| destinations::remove(v)),
        )
        .route("/destinations/job", post(|Extension(v): Asked| upkeep::start(v)))
        .route(
            "/destinations/job/{nr}",
            get(|Extension(v): Asked, Path(nr): Path<u64>| upkeep::job(v, nr)),
        )
        .route("/machines", get(|Extension(v): Asked| machines::list(v)))
}

fn machine() -> Router {
    Router::new()
        .route("/settings", get(|Extension(v): Asked| settings::page(v)))
        .route("/settings/save", post(|Extension(v): Asked| settings::save(v)))
        .route("/settings/test", post(|Extension(v): Asked| settings::test(v)))
        .route(
            "/settings/password",
            post(|Extension(v): Asked| settings::password(v)),
        )
        .route(
            "/settings/file",
            get(|Extension(v): Asked| settings::file(v)).post(|Extension(v): Asked| settings::save_file(v)),
        )
        .route(
            "/settings/tokens/add",
            post(|Extension(v): Asked| settings::add_token(v)),
        )
        .route(
            "/settings/tokens/revoke",
            post(|Extension(v): Asked| settings::revoke_token(v)),
        )
        .route("/settings/keys", get(|Extension(v): Asked| keys::page(v)))
        .route("/settings/keys/check", post(|Extension(v): Asked| keys::check(v)))
        .route(
            "/settings/keys/recovery",
            post(|Extension(v): Asked| keys::recovery(v)),
        )
        .route("/settings/logs", get(|Extension(v): Asked| support::logs(v)))
        .route(
            "/settings/bundle",
            get(|Extension(v): Asked| support::support_bundle(v)),
        )
        .route("/settings/about", get(|Extension(v): Asked| support::about(v)))
        .route("/metrics", get(|Extension(v): Asked| support::metrics(v)))
}
