//! What a request must prove before anything looks at what it asks for, and what every answer says to the browser.
//!
//! The Host is one of this console's names (a page of another name that resolves to this machine is another site). A
//! request that changes something comes from a page of this console: its Origin says so, and it brings the session's
//! token. Everything but the door and the files of the pages needs a session, or, for programs, a token of their own.

use crate::app::App;
use crate::fields::Fields;
use crate::reply;
use crate::visit::{Visit, is_for_programs};
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use service::catalogue::Lang;
use service::catalogue::report::console::Labels;
use std::sync::Arc;
use tokio::time::timeout;

/// A form is no larger.
const BODY_MAX: usize = 256 << 10;
/// A path with its query is no longer.
const TARGET_MAX: usize = 32 << 10;

/// What pages may load: scripts and styles from this console alone, and nothing inline. No other page may hold one of
/// ours in a frame.
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                          form-action 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'";

/// Headers of every answer that has none of its own.
const HEADERS: [(HeaderName, &str); 8] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
    (HeaderName::from_static("x-robots-tag"), "noindex"),
];

/// Why a request is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Refusal {
    /// Another name than this console's.
    Host,
    Method,
    /// It comes from another site.
    Origin,
    /// A form without the session's token.
    Token,
    /// Not a form.
    Kind,
    TooLarge,
    TooSlow,
    /// Nobody is logged in, or the token is none.
    NoSession,
    /// The token is for reading only.
    ReadOnly,
}

impl Refusal {
    fn status(self) -> StatusCode {
        match self {
            Refusal::ReadOnly => StatusCode::FORBIDDEN,
            Refusal::Host => StatusCode::MISDIRECTED_REQUEST,
            Refusal::Method => StatusCode::METHOD_NOT_ALLOWED,
            Refusal::Origin | Refusal::Token => StatusCode::FORBIDDEN,
            Refusal::Kind => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Refusal::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Refusal::NoSession => StatusCode::UNAUTHORIZED,
        }
    }
}

/// Around every route.
pub async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let mut answer = match admitted(&app, request).await {
        Ok(request) => next.run(request).await,
        Err(found) => refused(&found.0, found.1),
    };
    let headers = answer.headers_mut();
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    answer
}

fn refused(visit: &Visit, refusal: Refusal) -> Response {
    let lang = visit.chosen_lang.unwrap_or_else(|| visit.app.lang());
    let t = Labels(lang);
    let status = refusal.status();
    if refusal == Refusal::NoSession && !visit.wants_json() {
        // A part of a page can't become the door: the whole page has to.
        if visit.is_partial {
            let mut answer = reply::told(visit, lang, status, t.log_in(), String::new());
            let to_the_door = HeaderValue::from_static("/login");
            answer
                .headers_mut()
                .insert(HeaderName::from_static("hx-redirect"), to_the_door);
            return answer;
        }
        return reply::see_other("/login");
    }
    if visit.wants_json() || visit.path == "/live" {
        let message = status.canonical_reason().unwrap_or_default();
        let error = serde_json::json!({ "message_type": "exit_error", "message": message });
        return reply::json(status, &error);
    }
    reply::told(visit, lang, status, t.refused(), t.refused_text().to_string())
}

async fn admitted(app: &Arc<App>, request: Request) -> Result<Request, Box<(Visit, Refusal)>> {
    let (mut parts, body) = request.into_parts();
    let mut visit = visit(app, &parts);
    let host = text_of(&parts.headers, "host");
    let authority = parts.uri.authority().map(|authority| authority.as_str());
    if !app.hosts.have(host) || authority.is_some_and(|authority| authority != host) {
        return Err(Box::new((visit, Refusal::Host)));
    }
    let target = parts
        .uri
        .path_and_query()
        .map_or(0, |target| target.as_str().len());
    if target > TARGET_MAX {
        return Err(Box::new((visit, Refusal::TooLarge)));
    }
    let changes = match parts.method {
        Method::GET | Method::HEAD => false,
        Method::POST => true,
        _ => return Err(Box::new((visit, Refusal::Method))),
    };
    let bearer = bearer(&parts.headers).filter(|_| is_for_programs(&visit.path));
    // A program is no browser, and says nothing of where it comes from.
    let is_plain = bearer.is_some() && !has_site(&parts.headers);
    if !is_plain && !is_of_this_site(app, &parts.headers, changes) {
        return Err(Box::new((visit, Refusal::Origin)));
    }
    if changes && !is_form(&parts.headers) {
        return Err(Box::new((visit, Refusal::Kind)));
    }
    if let Some(secret) = bearer {
        return by_token(visit, parts, body, secret, changes).await;
    }
    let path = visit.path.clone();
    let is_door = matches!(path.as_str(), "/login" | "/start" | "/look") || path.starts_with("/assets/");
    if visit.session.is_none() && !is_door {
        return Err(Box::new((visit, Refusal::NoSession)));
    }
    if changes {
        match form(&visit.app, body).await {
            Ok(fields) => visit.form = fields,
            Err(refusal) => return Err(Box::new((visit, refusal))),
        }
        let given = text_of(&parts.headers, "x-csrf-token");
        let given = visit.form.text("csrf").unwrap_or(given);
        if let Some(session) = &visit.session
            && !is_door
            && !session.is_genuine(given)
        {
            return Err(Box::new((visit, Refusal::Token)));
        }
    }
    parts.extensions.insert(visit);
    Ok(Request::from_parts(parts, Body::empty()))
}

/// A request with a token: the session that may be there, too, counts for nothing.
async fn by_token(
    mut visit: Visit,
    mut parts: Parts,
    body: Body,
    secret: String,
    changes: bool,
) -> Result<Request, Box<(Visit, Refusal)>> {
    (visit.session, visit.is_by_token) = (None, true);
    // A file of tokens that can't be read opens nothing; the page of settings says what is wrong with it.
    let found = visit.app.tokens.find(&secret).unwrap_or_default();
    match found {
        None => return Err(Box::new((visit, Refusal::NoSession))),
        Some(token) if changes && !token.may_change => return Err(Box::new((visit, Refusal::ReadOnly))),
        Some(_) => {}
    }
    if changes {
        match form(&visit.app, body).await {
            Ok(fields) => visit.form = fields,
            Err(refusal) => return Err(Box::new((visit, refusal))),
        }
    }
    parts.extensions.insert(visit);
    Ok(Request::from_parts(parts, Body::empty()))
}

async fn form(app: &App, body: Body) -> Result<Fields, Refusal> {
    match timeout(app.patience, to_bytes(body, BODY_MAX)).await {
        Ok(Ok(bytes)) => Ok(Fields::parse(&bytes)),
        Ok(Err(_)) => Err(Refusal::TooLarge),
        Err(_) => Err(Refusal::TooSlow),
    }
}

/// Empty without such a header, and with several: who reads another one of them would understand another request.
fn text_of<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    let mut values = headers.get_all(name).iter();
    let only = values.next().filter(|_| values.next().is_none());
    only.and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The token of `Authorization: Bearer`.
fn bearer(headers: &HeaderMap) -> Option<String> {
    let (scheme, secret) = text_of(headers, "authorization").split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| secret.trim().to_string())
}

/// A browser sends one of these with whatever a page asks for.
fn has_site(headers: &HeaderMap) -> bool {
    headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site")
}

fn visit(app: &Arc<App>, parts: &Parts) -> Visit {
    let (headers, path) = (&parts.headers, parts.uri.path());
    let query = parts.uri.query().unwrap_or_default();
    let session_id = cookie(headers, &app.cookie).unwrap_or_default();
    // What a page does by itself.
    let is_idle = path == "/live" || headers.contains_key("x-dedup-idle");
    let look = |name: &str| cookie(headers, &format!("{}-{name}", app.cookie));
    let theme = match look("theme").as_deref() {
        Some("light") => "light",
        Some("dark") => "dark",
        _ => "",
    };
    Visit {
        app: app.clone(),
        // What has no address comes by a Unix socket.
        from: parts.extensions.get().copied().unwrap_or_default(),
        session: app.session(&session_id, is_idle),
        session_id,
        is_by_token: false,
        chosen_lang: look("lang").and_then(|code| Lang::from_code(&code)),
        theme,
        path: path.to_string(),
        raw_query: query.to_string(),
        is_partial: headers.contains_key("hx-request"),
        query: Fields::parse(query.as_bytes()),
        form: Fields::default(),
    }
}

/// The value of a cookie. Of two with one name neither counts: one was set by somebody else.
fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines = headers.get_all(header::COOKIE).into_iter();
    let pairs = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'));
    let mut found = pairs.filter_map(|pair| {
        let (known, value) = pair.trim().split_once('=')?;
        (known == name).then(|| value.to_string())
    });
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

/// A change must come from a page of ours. Of other requests a browser says where they come from, too: only by opening a
/// link may another site lead here.
fn is_of_this_site(app: &App, headers: &HeaderMap, changes: bool) -> bool {
    let text = |name: &str| headers.contains_key(name).then(|| text_of(headers, name));
    let origin = text("origin");
    let site = text("sec-fetch-site");
    let mode = text("sec-fetch-mode");
    let (scheme, host) = (app.scheme(), text_of(headers, "host"));
    let is_own_origin = |origin: &str| origin.strip_prefix(scheme) == Some(host);
    match (changes, origin, site) {
        (_, Some(origin), _) if !is_own_origin(origin) => false,
        (true, Some(_), site) => site.is_none_or(|site| site == "same-origin"),
        (true, None, _) => false,
        (false, _, None | Some("same-origin" | "none")) => true,
        (false, _, Some(_)) => mode == Some("navigate"),
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default();
    kind.trim()
        .eq_ignore_ascii_case("application/x-www-form-urlencoded")
}
