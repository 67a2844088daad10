//! The ways a message can go, as the settings have them: one [`Outgoing`] for each recipient, so that one who can't be
//! reached does not keep the message from the others, or bring it to them twice.

use super::mail::Mail;
use super::message::Message;
use super::web::{PingUrl, Webhook};
use crate::context::Context;
use std::sync::mpsc;
use std::time::Duration;

/// The longest that one attempt takes, with looking up the name and whatever the other side does.
pub(super) const LIMIT: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChannelKind {
    Mail,
    Webhook,
    Desktop,
    Ping,
    Prometheus,
}

impl ChannelKind {
    pub const ALL: [ChannelKind; 5] = [
        ChannelKind::Mail,
        ChannelKind::Webhook,
        ChannelKind::Desktop,
        ChannelKind::Ping,
        ChannelKind::Prometheus,
    ];

    /// Its table, or key, in the settings.
    pub fn word(self) -> &'static str {
        match self {
            ChannelKind::Mail => "mail",
            ChannelKind::Webhook => "webhook",
            ChannelKind::Desktop => "desktop",
            ChannelKind::Ping => "ping",
            ChannelKind::Prometheus => "prometheus",
        }
    }
}

/// Why a message was not sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unsent {
    pub why: String,
    /// Other messages to other recipients would fare no better.
    pub is_down: bool,
}

impl Unsent {
    pub fn down(why: impl Into<String>) -> Unsent {
        Unsent {
            why: why.into(),
            is_down: true,
        }
    }

    pub fn refused(why: impl Into<String>) -> Unsent {
        Unsent {
            why: why.into(),
            is_down: false,
        }
    }
}

/// A way to send messages.
pub(super) trait Channel {
    /// Prepares a message; what is returned sends it, and runs in a thread of its own.
    fn prepare(&self, message: &Message) -> Result<Attempt, Unsent>;
}

pub(super) type Attempt = Box<dyn FnOnce() -> Result<(), Unsent> + Send>;

/// One recipient.
pub(super) struct Outgoing {
    kind: ChannelKind,
    /// Who, where the channel has several.
    to: Option<String>,
    channel: Box<dyn Channel>,
}

impl Outgoing {
    pub fn new(kind: ChannelKind, to: Option<&str>, channel: Box<dyn Channel>) -> Outgoing {
        let to = to.map(String::from);
        Outgoing { kind, to, channel }
    }

    pub fn kind(&self) -> ChannelKind {
        self.kind
    }

    /// As the queue keeps it.
    pub fn address(&self) -> Address {
        Address {
            channel: self.kind.word().to_string(),
            to: self.to.clone(),
        }
    }

    pub fn send(&self, message: &Message) -> Result<(), Unsent> {
        limited(LIMIT, self.channel.prepare(message)?)
    }
}

/// Which recipient a message is for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, serde::Serialize, serde::Deserialize)]
pub struct Address {
    pub channel: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

impl Address {
    /// As people read it.
    pub fn name(&self) -> String {
        match &self.to {
            Some(to) => format!("{} {to}", self.channel),
            None => self.channel.clone(),
        }
    }
}

/// Everybody who gets messages by mail or webhook.
pub(super) fn all(context: &Context) -> Vec<Outgoing> {
    let notify = &context.settings.notify;
    let mut found = Vec::new();
    if let Some(table) = &notify.mail {
        found.extend(table.to.get_ref().iter().map(|to| Outgoing {
            kind: ChannelKind::Mail,
            to: Some(to.0.clone()),
            channel: Box::new(Mail::new(table, &to.0, &context.env)),
        }));
    }
    if let Some(table) = &notify.webhook {
        found.push(Outgoing {
            kind: ChannelKind::Webhook,
            to: None,
            channel: Box::new(Webhook::new(table)),
        });
    }
    found
}

pub(super) fn any_message(context: &Context) -> bool {
    let notify = &context.settings.notify;
    notify.mail.is_some() || notify.webhook.is_some() || notify.desktop
}

/// Channels that report failures to somebody.
pub(crate) fn count(context: &Context) -> u64 {
    let notify = &context.settings.notify;
    let is_there = [
        notify.mail.is_some(),
        notify.webhook.is_some(),
        notify.desktop,
        notify.ping.is_some(),
        notify.prometheus.is_some(),
    ];
    is_there.into_iter().filter(|there| *there).count() as u64
}

pub(super) fn ping(context: &Context) -> Option<PingUrl> {
    context.settings.notify.ping.as_ref().map(PingUrl::new)
}

/// Does what may hang, for so long at most. What still hangs then is left to itself and ends with the program.
pub(super) fn limited(limit: Duration, attempt: Attempt) -> Result<(), Unsent> {
    let (done, ended) = mpsc::sync_channel(1);
    let thread = std::thread::Builder::new().name("notify".to_string());
    let thread = thread.spawn(move || {
        // The receiver is gone if the time is up.
        let _ = done.send(attempt());
    });
    match thread {
        Err(e) => Err(Unsent::down(e.to_string())),
        Ok(_) => ended.recv_timeout(limit).unwrap_or_else(|_| {
            let seconds = limit.as_secs();
            Err(Unsent::down(format!("no answer within {seconds} seconds")))
        }),
    }
}
