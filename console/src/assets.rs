//! Files of the pages, in the program: a style sheet, scripts and htmx (Zero-Clause BSD, `console/assets/htmx.LICENSE`).

use crate::reply::embedded;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

const JS: &str = "text/javascript; charset=utf-8";

/// By the name in the address.
pub fn asset(name: &str) -> Response {
    match name {
        "console.css" => embedded("text/css; charset=utf-8", include_bytes!("../assets/console.css")),
        "console.js" => embedded(JS, include_bytes!("../assets/console.js")),
        "grid.js" => embedded(JS, include_bytes!("../assets/grid.js")),
        "htmx.js" => embedded(JS, include_bytes!("../assets/htmx.min.js")),
        "icon.svg" => embedded("image/svg+xml", include_bytes!("../assets/icon.svg")),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}
