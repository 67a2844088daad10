//! What goes by HTTP: the webhook, and pings in the protocol of healthchecks.io. A URL may contain what gives access, so
//! errors don't show it.

use super::channel::{Attempt, Channel, LIMIT, Unsent, limited};
use super::message::{Level, Message};
use crate::history::HistoryRow;
use crate::settings::tables::{PingTable, WebhookTable};
use crate::settings::values::WebhookPreset;
use reqwest::Url;
use reqwest::blocking::Client;
use reqwest::redirect::Policy;
use serde_json::{Value, json};

/// Discord refuses more characters.
const DISCORD_MOST: usize = 2000;
/// ntfy makes an attachment of more bytes.
const NTFY_MOST: usize = 4000;
/// healthchecks.io keeps no more bytes.
const PING_MOST: usize = 100_000;

pub(super) struct Webhook {
    table: WebhookTable,
}

impl Webhook {
    pub fn new(table: &WebhookTable) -> Webhook {
        Webhook { table: table.clone() }
    }
}

impl Channel for Webhook {
    fn prepare(&self, message: &Message) -> Result<Attempt, Unsent> {
        let mut url = parsed(&self.table.url.0)?;
        let text = &message.text;
        let body = match self.table.preset.unwrap_or(WebhookPreset::Json) {
            WebhookPreset::Json => Body::Json(json!({
                "event": message.event,
                "level": message.level,
                "host": message.host,
                "set": message.set,
                "title": message.title,
                "text": text,
                "run": message.row.as_ref().map(HistoryRow::for_programs),
            })),
            WebhookPreset::Ntfy => {
                url.query_pairs_mut()
                    .append_pair("title", &message.title)
                    .append_pair("priority", priority(message.level, ["3", "4", "5"]))
                    .append_pair(
                        "tags",
                        priority(message.level, ["white_check_mark", "warning", "x"]),
                    );
                Body::Text(shortened(text, |kept| kept.len() <= NTFY_MOST))
            }
            WebhookPreset::Slack => Body::Json(json!({ "text": slack(text) })),
            WebhookPreset::Discord => Body::Json(json!({
                "content": shortened(text, |kept| kept.chars().count() <= DISCORD_MOST),
                // A name like @everyone notifies no one.
                "allowed_mentions": { "parse": [] },
            })),
            WebhookPreset::Gotify => Body::Json(json!({
                "title": message.title,
                "message": text,
                "priority": priority(message.level, [3, 5, 8]),
            })),
        };
        Ok(Box::new(move || post(url, body)))
    }
}

fn priority<T: Copy>(level: Level, of: [T; 3]) -> T {
    match level {
        Level::Info => of[0],
        Level::Warning => of[1],
        Level::Error => of[2],
    }
}

/// What Slack would take for its own markup.
fn slack(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// As many lines from the beginning as fit; of a line that is too long for itself, as many characters.
fn shortened(text: &str, fits: impl Fn(&str) -> bool) -> String {
    let mut kept = text.to_string();
    while !fits(&kept) {
        let end = kept.trim_end().rfind('\n');
        kept.truncate(end.unwrap_or_else(|| kept.floor_char_boundary(kept.len() / 2)));
    }
    kept
}

/// A URL that is called when runs begin and end.
pub(super) struct PingUrl {
    url: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ping {
    Start,
    Success,
    Failure,
    /// Sends a message that changes nothing.
    Log,
}

impl PingUrl {
    pub fn new(table: &PingTable) -> PingUrl {
        PingUrl {
            url: table.url.0.clone(),
        }
    }

    pub fn ping(&self, set: &str, ping: Ping, text: String) -> Result<(), String> {
        self.attempt(set, ping, text).map_err(|unsent| unsent.why)
    }

    fn attempt(&self, set: &str, ping: Ping, text: String) -> Result<(), Unsent> {
        // Names of sets need no encoding.
        let mut url = parsed(&self.url.replace("{set}", set))?;
        let suffix = match ping {
            Ping::Start => "/start",
            Ping::Success => "",
            Ping::Failure => "/fail",
            Ping::Log => "/log",
        };
        let path = format!("{}{suffix}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        let text = shortened(&text, |kept| kept.len() <= PING_MOST);
        limited(LIMIT, Box::new(move || post(url, Body::Text(text))))
    }
}

enum Body {
    Json(Value),
    Text(String),
}

fn parsed(url: &str) -> Result<Url, Unsent> {
    Url::parse(url).map_err(|e| Unsent::refused(format!("the URL in the settings: {e}")))
}

fn post(url: Url, body: Body) -> Result<(), Unsent> {
    // Fails when the process has chosen one already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder()
        .user_agent(concat!("dedup/", env!("CARGO_PKG_VERSION")))
        .timeout(LIMIT)
        // A redirect is to be followed in the settings: a redirected POST may become a GET without content.
        .redirect(Policy::none())
        .build()
        .map_err(|e| Unsent::down(e.without_url().to_string()))?;
    let request = client.post(url);
    let (kind, bytes) = match body {
        Body::Json(value) => ("application/json", value.to_string()),
        Body::Text(text) => ("text/plain; charset=utf-8", text),
    };
    let answer = request.header("Content-Type", kind).body(bytes).send();
    let answer = answer.map_err(|e| Unsent::down(super::mail::said(&e.without_url())))?;
    let status = answer.status();
    match status.is_success() {
        true => Ok(()),
        false => Err(Unsent::down(format!("the server answered {status}"))),
    }
}
