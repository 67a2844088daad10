//! The job `version --check`: whether a newer version has been published. Asked only at the URL of the settings, for
//! nobody is told of anything unless its user says so.

use crate::catalogue::{Cause, UpdateFault};
use crate::context::Context;
use crate::failure::Failure;
use reqwest::Url;
use reqwest::blocking::Client;
use reqwest::redirect::Policy;
use serde_json::Value;
use std::error::Error;
use std::io::Read;
use std::time::Duration;

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(20);
/// No answer is longer.
const ANSWER_MAX: u64 = 64 << 10;

/// What was published, compared with this program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    pub current: String,
    pub latest: String,
    pub is_newer: bool,
}

pub fn run(context: &Context) -> Result<Report, Failure> {
    let failed = |fault: UpdateFault| Failure::from(Cause::Update { fault });
    let url = context.settings.update.url.as_ref();
    let url = url.ok_or_else(|| failed(UpdateFault::NoUrl))?;
    let url = Url::parse(&url.0).map_err(|_| failed(UpdateFault::NotHttps))?;
    if url.scheme() != "https" {
        return Err(failed(UpdateFault::NotHttps));
    }
    let text = answer(url).map_err(|why| failed(UpdateFault::NoAnswer { why }))?;
    let latest = version_in(&text).ok_or_else(|| failed(UpdateFault::NoVersion))?;
    let current = env!("CARGO_PKG_VERSION");
    Ok(Report {
        is_newer: numbers(&latest) > numbers(current),
        current: current.to_string(),
        latest,
    })
}

/// An error doesn't show the URL, in which a token may be.
fn answer(url: Url) -> Result<String, String> {
    // Fails when the process has chosen one already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder()
        .user_agent(concat!("dedup/", env!("CARGO_PKG_VERSION")))
        .timeout(LIMIT)
        .https_only(true)
        .redirect(Policy::limited(3))
        .build();
    let said = |e: reqwest::Error| {
        let error = e.without_url();
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        text
    };
    let answer = client.and_then(|client| client.get(url).send()).map_err(said)?;
    if !answer.status().is_success() {
        return Err(answer.status().to_string());
    }
    let mut text = String::new();
    answer
        .take(ANSWER_MAX)
        .read_to_string(&mut text)
        .map_err(|e| e.to_string())?;
    Ok(text)
}

/// The version in an answer: a JSON object with `version` or, as GitHub has it, `tag_name`; or the first word.
fn version_in(text: &str) -> Option<String> {
    let object: Option<Value> = serde_json::from_str(text).ok();
    let named = object.as_ref().and_then(|object| {
        let fields = ["version", "tag_name"];
        fields.into_iter().find_map(|field| object.get(field)?.as_str())
    });
    let word = match &object {
        Some(Value::Object(_)) => named,
        _ => text.split_whitespace().next(),
    };
    let word = word.map(|word| word.trim_matches('"').trim_start_matches('v'));
    word.filter(|word| numbers(word).is_some()).map(String::from)
}

/// `1.2.3`, and what follows; a version without an addition is newer than the same with one (`1.2.3-rc1`).
fn numbers(version: &str) -> Option<(u64, u64, u64, bool)> {
    let (plain, addition) = match version.split_once(['-', '+']) {
        Some((plain, _)) => (plain, version.contains('-')),
        None => (version, false),
    };
    let mut parts = plain.split('.').map(|part| part.parse::<u64>().ok());
    let numbers = (parts.next()??, parts.next()??, parts.next()??, !addition);
    parts.next().is_none().then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        assert!(numbers("1.10.0") > numbers("1.9.9") && numbers("1.0.0") > numbers("1.0.0-rc1"));
        assert_eq!(numbers("1.0.0+build"), numbers("1.0.0"));
        for bad in [
            "",
            "1",
            "1.2",
            "1.2.3.4",
            "a.b.c",
            "1.2.x",
            "-1.0.0",
            "99999999999999999999.0.0",
        ] {
            assert_eq!(numbers(bad), None, "{bad}");
        }
        for (text, want) in [
            ("0.2.0\n", Some("0.2.0")),
            ("v0.2.0 of yesterday", Some("0.2.0")),
            ("{\"version\":\"0.2.0\"}", Some("0.2.0")),
            ("{\"tag_name\":\"v0.2.0\",\"x\":1}", Some("0.2.0")),
            ("{\"x\":1}", None),
            ("\"0.2.0\"", Some("0.2.0")),
            ("<html>", None),
            ("", None),
        ] {
            assert_eq!(version_in(text).as_deref(), want, "{text}");
        }
    }
}
