//! Who gets messages, as the settings have it: one [`Outgoing`] for each recipient, so that one who can't be reached does
//! not keep the message from the others, or bring it to them twice.

use super::channel::{Address, Channel, ChannelKind, LIMIT, Unsent, limited};
use super::desktop::Desktop;
use super::mail::Mail;
use super::message::Message;
use super::web::{PingUrl, Webhook};
use crate::context::Context;

/// One recipient.
pub(super) struct Outgoing {
    kind: ChannelKind,
    /// Who, where the channel has several.
    to: Option<String>,
    channel: Box<dyn Channel>,
}

impl Outgoing {
    #[cfg(test)]
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

/// Everybody who gets messages.
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
    if notify.desktop {
        found.push(Outgoing {
            kind: ChannelKind::Desktop,
            to: None,
            channel: Box::new(Desktop::new(&context.env)),
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
