//! `notify test`: a message through every channel of the settings.

use crate::args::runs::{NotifyChannel, NotifyCommand, NotifyTestArgs};
use crate::output::Lines;
use crate::terminal::Terminal;
use serde_json::json;
use service::catalogue::report::notify as words;
use service::notify::channel::ChannelKind;
use service::units::escape;
use service::{Failure, Status};

pub fn run(terminal: &Terminal, command: &NotifyCommand) -> Result<Status, Failure> {
    match command {
        NotifyCommand::Test(args) => test(terminal, args),
    }
}

impl From<NotifyChannel> for ChannelKind {
    fn from(channel: NotifyChannel) -> ChannelKind {
        match channel {
            NotifyChannel::Mail => ChannelKind::Mail,
            NotifyChannel::Webhook => ChannelKind::Webhook,
            NotifyChannel::Desktop => ChannelKind::Desktop,
            NotifyChannel::Ping => ChannelKind::Ping,
            NotifyChannel::Prometheus => ChannelKind::Prometheus,
        }
    }
}

fn test(terminal: &Terminal, args: &NotifyTestArgs) -> Result<Status, Failure> {
    let reports = service::notify::test(&terminal.context, args.channel.map(ChannelKind::from))?;
    let sent = reports.iter().filter(|report| report.done.is_ok()).count();
    let mut out = Lines::new();
    for report in &reports {
        let why = report.done.as_ref().err().map(String::as_str);
        match terminal.json() {
            true => out.object(&json!({
                "message_type": "channel",
                "channel": report.channel.word(),
                "name": report.name,
                "sent": why.is_none(),
                "error": why,
            })),
            false => out.line(&escape(
                words::tested(terminal.lang, &report.name, why).as_bytes(),
            )),
        }
    }
    if terminal.json() {
        out.object(&json!({
            "message_type": "summary",
            "channels": reports.len(),
            "sent": sent,
        }));
    }
    out.finish()?;
    Ok(match sent == reports.len() {
        true => Status::Completed,
        false => Status::Failed,
    })
}
