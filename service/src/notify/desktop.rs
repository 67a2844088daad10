//! A notification on the desktop of the user who runs this, by `org.freedesktop.Notifications` on the session's D-Bus. Where
//! that user has no session at the moment, the message waits, as it does for a server that is down.

use super::channel::{Attempt, Channel, Unsent};
use super::message::{Level, Message};
use crate::env::Env;
use crate::limits::bus::within;
use engine::platform::process;
use std::collections::HashMap;
use std::time::Duration;
use zbus::Variant;
use zbus::connection::Builder;

const SERVICE: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";
/// For all of it.
const PATIENCE: Duration = Duration::from_secs(10);
/// A notification has room for little; the history has the rest.
const BODY_MOST: usize = 600;

pub(super) struct Desktop {
    address: String,
}

impl Desktop {
    pub fn new(env: &Env) -> Desktop {
        Desktop {
            address: session_bus(env),
        }
    }
}

/// Where the session's bus is, as the D-Bus specification has it: the variable, or the user's usual socket, which also a
/// program that a scheduler starts can find.
pub fn session_bus(env: &Env) -> String {
    let given = env.get("DBUS_SESSION_BUS_ADDRESS").and_then(|text| text.to_str());
    let usual = || {
        let runtime = env
            .get("XDG_RUNTIME_DIR")
            .map(|dir| dir.to_string_lossy().into_owned());
        let runtime = runtime.unwrap_or_else(|| format!("/run/user/{}", process::user_id()));
        format!("unix:path={runtime}/bus")
    };
    given.map_or_else(usual, String::from)
}

impl Channel for Desktop {
    fn prepare(&self, message: &Message) -> Result<Attempt, Unsent> {
        let address = self.address.clone();
        let (title, body) = (message.title.clone(), body(message));
        let urgency: u8 = match message.level {
            Level::Info | Level::Warning => 1,
            Level::Error => 2,
        };
        Ok(Box::new(move || show(&address, &title, &body, urgency)))
    }
}

/// The text without its title, as the plain text that the specification takes for markup.
fn body(message: &Message) -> String {
    let text = message
        .text
        .strip_prefix(&message.title)
        .unwrap_or(&message.text)
        .trim();
    let mut body = text.chars().take(BODY_MOST).collect::<String>();
    if body.len() < text.len() {
        body.push('…');
    }
    body.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn show(address: &str, title: &str, body: &str, urgency: u8) -> Result<(), Unsent> {
    let shown = within(PATIENCE, async {
        let connection = Builder::address(address).build().await?;
        let hints = HashMap::from([("urgency", Variant::from(urgency))]);
        let actions: [&str; 0] = [];
        let usual_time = -1i32;
        let notification = (
            "dedup",
            0u32,
            "drive-harddisk",
            title,
            body,
            &actions[..],
            hints,
            usual_time,
        );
        let call = connection.call_method(Some(SERVICE), PATH, Some(SERVICE), "Notify", &notification);
        call.await.map(drop)
    });
    match shown {
        Some(Ok(())) => Ok(()),
        Some(Err(error)) => Err(Unsent::down(error.to_string())),
        None => Err(Unsent::down("the session's D-Bus does not answer")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_the_bus_is() {
        let of = |vars: &[(&str, &str)]| Desktop::new(&Env::of(vars)).address;
        assert_eq!(
            of(&[("DBUS_SESSION_BUS_ADDRESS", "unix:path=/b")]),
            "unix:path=/b"
        );
        assert_eq!(of(&[("XDG_RUNTIME_DIR", "/r")]), "unix:path=/r/bus");
        assert_eq!(of(&[]), format!("unix:path=/run/user/{}/bus", process::user_id()));
    }
}
