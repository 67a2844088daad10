//! What a way to send messages is, and how an attempt to send one can end.

use super::message::Message;
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
