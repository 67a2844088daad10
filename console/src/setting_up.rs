//! The addresses of the side that sets up: sets, destinations, machines, settings, and what programs get beside the API.

use crate::pages::set::{self, answers};
use crate::pages::{destinations, keys, machines, settings, space, support, upkeep};
use crate::visit::Visit;
use axum::extract::Path;
use axum::routing::{get, post};
use axum::{Extension, Router};

type Visited = Extension<Visit>;
type Named = Path<String>;

pub fn routes() -> Router {
    sets().merge(places()).merge(space_pages()).merge(machine())
}

fn sets() -> Router {
    Router::new()
        .route("/sets/new", get(|Extension(v): Visited| set::new(v)))
        .route(
            "/sets/edit/{name}",
            get(|Extension(v): Visited, Path(n): Named| set::edit(v, n)),
        )
        .route(
            "/sets/remove/{name}",
            get(|Extension(v): Visited, Path(n): Named| set::remove_page(v, n)),
        )
        .route("/sets/click", post(|Extension(v): Visited| set::click(v)))
        .route("/sets/save", post(|Extension(v): Visited| set::save(v)))
        .route("/sets/remove", post(|Extension(v): Visited| set::remove(v)))
        .route(
            "/sets/answer/files",
            post(|Extension(v): Visited| answers::files(v)),
        )
        .route(
            "/sets/answer/schedule",
            post(|Extension(v): Visited| answers::schedule(v)),
        )
        .route(
            "/sets/answer/retention",
            post(|Extension(v): Visited| answers::retention(v)),
        )
        .route(
            "/sets/answer/change",
            post(|Extension(v): Visited| answers::change(v)),
        )
}

fn places() -> Router {
    Router::new()
        .route(
            "/destinations",
            get(|Extension(v): Visited| destinations::list(v)),
        )
        .route(
            "/destinations/new",
            get(|Extension(v): Visited| destinations::new(v)),
        )
        .route(
            "/destinations/test",
            post(|Extension(v): Visited| destinations::test(v)),
        )
        .route(
            "/destinations/add",
            post(|Extension(v): Visited| destinations::add(v)),
        )
        .route(
            "/destinations/measure",
            post(|Extension(v): Visited| destinations::measure(v)),
        )
        .route(
            "/destinations/remove/{name}",
            get(|Extension(v): Visited, Path(n): Named| destinations::remove_page(v, n)),
        )
        .route(
            "/destinations/remove",
            post(|Extension(v): Visited| destinations::remove(v)),
        )
        .route(
            "/destinations/job",
            post(|Extension(v): Visited| upkeep::start(v)),
        )
        .route(
            "/destinations/job/{nr}",
            get(|Extension(v): Visited, Path(nr): Path<u64>| upkeep::job(v, nr)),
        )
        .route("/machines", get(|Extension(v): Visited| machines::list(v)))
}

/// What uses the space, and what can be done about it.
fn space_pages() -> Router {
    Router::new()
        .route("/space", get(|Extension(v): Visited| space::page(v)))
        .route("/space/start", post(|Extension(v): Visited| space::start(v)))
        .route(
            "/space/exclude",
            get(|Extension(v): Visited| space::exclude::page(v))
                .post(|Extension(v): Visited| space::exclude::save(v)),
        )
        .route(
            "/space/purge",
            get(|Extension(v): Visited| space::purge::page(v))
                .post(|Extension(v): Visited| space::purge::look(v)),
        )
        .route(
            "/space/purge/go",
            post(|Extension(v): Visited| space::purge::go(v)),
        )
        .route(
            "/space/job/{nr}",
            get(|Extension(v): Visited, Path(nr): Path<u64>| space::purge::job(v, nr)),
        )
}

fn machine() -> Router {
    Router::new()
        .route("/settings", get(|Extension(v): Visited| settings::page(v)))
        .route("/settings/save", post(|Extension(v): Visited| settings::save(v)))
        .route("/settings/test", post(|Extension(v): Visited| settings::test(v)))
        .route(
            "/settings/password",
            post(|Extension(v): Visited| settings::password(v)),
        )
        .route(
            "/settings/file",
            get(|Extension(v): Visited| settings::file(v))
                .post(|Extension(v): Visited| settings::save_file(v)),
        )
        .route(
            "/settings/tokens/add",
            post(|Extension(v): Visited| settings::add_token(v)),
        )
        .route(
            "/settings/tokens/revoke",
            post(|Extension(v): Visited| settings::revoke_token(v)),
        )
        .route("/settings/keys", get(|Extension(v): Visited| keys::page(v)))
        .route(
            "/settings/keys/check",
            post(|Extension(v): Visited| keys::check(v)),
        )
        .route(
            "/settings/keys/recovery",
            post(|Extension(v): Visited| keys::recovery(v)),
        )
        .route("/settings/logs", get(|Extension(v): Visited| support::logs(v)))
        .route(
            "/settings/bundle",
            get(|Extension(v): Visited| support::support_bundle(v)),
        )
        .route("/settings/about", get(|Extension(v): Visited| support::about(v)))
        .route("/metrics", get(|Extension(v): Visited| support::metrics(v)))
}
