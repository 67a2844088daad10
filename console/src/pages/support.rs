//! What helps when something is wrong: the log, a bundle for somebody else, and what this program is. For programs, the
//! metrics and the description of the addresses.

use crate::pages::shown;
use crate::reply::{self, answer};
use crate::visit::{Frame, Visit};
use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use service::catalogue::Lang;
use service::catalogue::report::console::Labels;
use service::log::{self, LogLevel};
use service::{Context, Failure, bundle, notify};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// Lines that are shown.
const LINES_MAX: usize = 300;
/// What is read of one file, from its end.
const READ_MAX: u64 = 256 << 10;

struct LogLine {
    time: String,
    level: String,
    class: &'static str,
    event: String,
    text: String,
}

#[derive(Template)]
#[template(path = "logs.html")]
struct LogsPage {
    f: Frame,
    lines: Vec<LogLine>,
    levels: Vec<(&'static str, bool)>,
    folder: String,
}

pub async fn logs(visit: Visit) -> Response {
    answer(visit, log_page).await
}

fn log_page(visit: &Visit, context: &Context, lang: Lang) -> Result<Response, Failure> {
    let chosen = visit.query.text("level").unwrap_or("info");
    let least = LogLevel::ALL.iter().find(|level| level.word() == chosen);
    let least = least.copied().unwrap_or(LogLevel::Info);
    let folder = log::dir(&context.dirs()?);
    let mut lines = Vec::new();
    for file in log::log_files(&folder) {
        // One that is gone meanwhile has no lines.
        let text = end_of(&file).unwrap_or_default();
        let newest_first = text
            .lines()
            .rev()
            .filter_map(|line| line_of(context, line, least));
        lines.extend(newest_first.take(LINES_MAX - lines.len()));
    }
    let levels = LogLevel::ALL.iter().filter(|level| **level != LogLevel::Off);
    reply::page(&LogsPage {
        f: visit.frame_in(Some(context), lang, "settings", Labels(lang).logs()),
        lines,
        levels: levels.map(|level| (level.word(), *level == least)).collect(),
        folder: shown(folder.display().to_string().as_bytes()),
    })
}

fn end_of(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let skip = file.metadata()?.len().saturating_sub(READ_MAX);
    file.seek(SeekFrom::Start(skip))?;
    let mut bytes = Vec::new();
    file.take(READ_MAX).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    // The first line may be a part of one.
    Ok(match skip {
        0 => text,
        _ => text
            .split_once('\n')
            .map(|(_, rest)| rest.to_string())
            .unwrap_or_default(),
    })
}

fn line_of(context: &Context, line: &str, least: LogLevel) -> Option<LogLine> {
    let row: Value = serde_json::from_str(line).ok()?;
    let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
    let level = LogLevel::ALL
        .into_iter()
        .find(|level| level.word() == text("level"))?;
    if level > least {
        return None;
    }
    let time = text("time").parse::<jiff::Timestamp>();
    let time = time.map(|at| at.to_zoned(context.now.time_zone().clone()));
    let known = ["time", "level", "pid", "event"];
    let rest = row
        .as_object()?
        .iter()
        .filter(|(name, _)| !known.contains(&name.as_str()));
    let rest = rest
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| match value {
            Value::String(text) => format!("{name}: {text}"),
            value => format!("{name}: {value}"),
        });
    Some(LogLine {
        time: time.map_or(String::new(), |at| at.strftime("%m-%d %H:%M:%S").to_string()),
        level: level.word().to_string(),
        class: match level {
            LogLevel::Error => "bad",
            LogLevel::Warning => "warn",
            _ => "",
        },
        event: shown(text("event").as_bytes()),
        text: shown(rest.collect::<Vec<_>>().join(" · ").as_bytes()),
    })
}

/// A ZIP without secrets, for whoever helps.
pub async fn support_bundle(visit: Visit) -> Response {
    answer(visit, |_, context, _| {
        let made = bundle::made(context)?;
        let name = context.now.strftime("dedup-support-%Y%m%d-%H%M%S.zip");
        let mut answer = (StatusCode::OK, made.bytes).into_response();
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/zip"));
        if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
            headers.insert(header::CONTENT_DISPOSITION, value);
        }
        Ok(answer)
    })
    .await
}

#[derive(Template)]
#[template(path = "about.html")]
struct AboutPage {
    f: Frame,
    version: &'static str,
    licence: &'static str,
    crates: Vec<(&'static str, &'static str)>,
}

pub async fn about(visit: Visit) -> Response {
    answer(visit, |visit, context, lang| {
        let lines = visit.app.licences.lines();
        reply::page(&AboutPage {
            f: visit.frame_in(Some(context), lang, "settings", Labels(lang).about()),
            version: env!("CARGO_PKG_VERSION"),
            licence: env!("CARGO_PKG_LICENSE"),
            crates: lines.filter_map(|line| line.split_once('\t')).collect(),
        })
    })
    .await
}

/// What the Prometheus textfile has.
pub async fn metrics(visit: Visit) -> Response {
    answer(visit, |_, context, _| {
        let text = notify::metrics(context)?;
        let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
        Ok((StatusCode::OK, kind, text).into_response())
    })
    .await
}

/// The description of the addresses under `/api/`.
pub async fn openapi(visit: Visit) -> Response {
    answer(visit, |_, _, _| {
        let kind = [(header::CONTENT_TYPE, "application/json")];
        Ok((StatusCode::OK, kind, include_str!("../../assets/openapi.json")).into_response())
    })
    .await
}
