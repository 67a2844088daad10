//! The door: setting the password by the link, logging in and out, and the language and colours of whoever looks.

use crate::gate::{PasswordStamp, Unset, Verdict};
use crate::reply::{self, answer, own_place, see_other};
use crate::visit::{Frame, Visit};
use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use service::catalogue::Lang;
use service::catalogue::report::console::{self as texts, Labels};
use service::{Context, Failure};
use std::time::Instant;

/// How long a browser remembers language and colours.
const YEAR: u32 = 365 * 24 * 3600;

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    f: Frame,
    has_password: bool,
    error: String,
}

#[derive(Template)]
#[template(path = "start.html")]
struct StartPage {
    f: Frame,
    link: String,
    error: String,
}

pub async fn login_page(visit: Visit) -> Response {
    if visit.session.is_some() {
        return see_other("/");
    }
    answer(visit, |visit, _, lang| {
        login_form(visit, lang, StatusCode::OK, String::new())
    })
    .await
}

fn login_form(visit: &Visit, lang: Lang, status: StatusCode, error: String) -> Result<Response, Failure> {
    let f = visit.frame_in(None, lang, "", Labels(lang).log_in());
    let has_password = visit.app.gate.has_password()?;
    reply::html(
        status,
        &LoginPage {
            f,
            has_password,
            error,
        },
    )
}

pub async fn login(visit: Visit) -> Response {
    answer(visit, try_login).await
}

fn try_login(visit: &Visit, _: &Context, lang: Lang) -> Result<Response, Failure> {
    let t = Labels(lang);
    let password = visit.form.text("password").unwrap_or_default();
    let now = Instant::now();
    // Before the password is looked at: if another one is set meanwhile, the session is over as soon as it begins.
    let Some(stamp) = visit.app.gate.stamp()? else {
        return login_form(visit, lang, StatusCode::FORBIDDEN, String::new());
    };
    match visit.app.gate.check(password, visit.from, now)? {
        Verdict::Right => enter(visit, stamp, now),
        Verdict::Wrong => login_form(visit, lang, StatusCode::FORBIDDEN, t.password_wrong().to_string()),
        Verdict::NoPassword => login_form(visit, lang, StatusCode::FORBIDDEN, String::new()),
        Verdict::Wait(wait) => {
            let secs = wait.as_secs() + 1;
            let mut answer = login_form(
                visit,
                lang,
                StatusCode::TOO_MANY_REQUESTS,
                texts::wait(lang, secs),
            )?;
            answer
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(secs));
            Ok(answer)
        }
    }
}

/// A session of its own, whatever cookie was there before.
fn enter(visit: &Visit, stamp: PasswordStamp, now: Instant) -> Result<Response, Failure> {
    visit.app.sessions.end(&visit.session_id);
    let id = visit.app.sessions.begin(stamp, now)?;
    let mut answer = see_other("/");
    set_cookie(visit, &mut answer, "", &id, None);
    Ok(answer)
}

/// A cookie of this console, for its pages alone; with an age in seconds, it outlives the browser.
fn set_cookie(visit: &Visit, answer: &mut Response, what: &str, value: &str, age: Option<u32>) {
    let name = &visit.app.cookie;
    let mut cookie = format!("{name}{what}={value}; Path=/; HttpOnly; SameSite=Strict");
    if visit.app.is_secure {
        cookie += "; Secure";
    }
    if let Some(age) = age {
        cookie += &format!("; Max-Age={age}");
    }
    // Made of hexadecimal digits and names of ours.
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        answer.headers_mut().append(header::SET_COOKIE, value);
    }
}

pub async fn start_page(visit: Visit) -> Response {
    answer(visit, |visit, _, lang| {
        start_form(visit, lang, StatusCode::OK, String::new(), String::new())
    })
    .await
}

fn start_form(
    visit: &Visit,
    lang: Lang,
    status: StatusCode,
    link: String,
    error: String,
) -> Result<Response, Failure> {
    let f = visit.frame_in(None, lang, "", Labels(lang).choose_password());
    reply::html(status, &StartPage { f, link, error })
}

pub async fn start(visit: Visit) -> Response {
    answer(visit, set_password).await
}

fn set_password(visit: &Visit, _: &Context, lang: Lang) -> Result<Response, Failure> {
    let t = Labels(lang);
    let text = |name| visit.form.text(name).unwrap_or_default();
    let (link, password) = (text("link").trim(), text("password"));
    let refuse = |error: &str, link: &str| {
        start_form(
            visit,
            lang,
            StatusCode::FORBIDDEN,
            link.to_string(),
            error.to_string(),
        )
    };
    if password != text("again") {
        return refuse(t.passwords_differ(), link);
    }
    let now = Instant::now();
    match visit.app.gate.set(link, password, now)? {
        Ok(stamp) => {
            visit.app.sessions.end_all();
            enter(visit, stamp, now)
        }
        Err(Unset::BadLink) => refuse(t.link_used(), ""),
        Err(Unset::Short) => refuse(t.password_short(), link),
        Err(Unset::Long) => refuse(t.password_long(), link),
    }
}

pub async fn logout(visit: Visit) -> Response {
    visit.app.sessions.end(&visit.session_id);
    let mut answer = see_other("/login");
    set_cookie(&visit, &mut answer, "", "", Some(0));
    answer
}

/// Language and colours.
pub async fn look(visit: Visit) -> Response {
    let mut answer = see_other(own_place(visit.form.text("back")));
    if let Some(lang) = visit.form.text("lang").and_then(Lang::from_code) {
        set_cookie(&visit, &mut answer, "-lang", lang.code(), Some(YEAR));
    }
    if let Some(theme @ ("light" | "dark")) = visit.form.text("theme") {
        set_cookie(&visit, &mut answer, "-theme", theme, Some(YEAR));
    }
    answer
}
