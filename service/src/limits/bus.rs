//! The system's D-Bus: NetworkManager (is the network metered, which wireless networks), and logind (does somebody use the
//! machine; stay awake).
//!
//! What is answered may only hold back a run, or change its pace. Answers are bounded in time and number, and one that is
//! missing or makes no sense is as good as none: the bus belongs to the system, but a run must not depend on it.

use super::Wanted;
use crate::env::Env;
use std::future::Future;
use std::path::Path;
use std::time::Duration;
use zbus::connection::Builder;
use zbus::{Connection, OwnedObjectPath, OwnedVariant};

/// For all questions of one look.
const PATIENCE: Duration = Duration::from_secs(2);
/// More connections are not looked at.
const CONNECTIONS_MAX: usize = 32;

const NETWORK_MANAGER: &str = "org.freedesktop.NetworkManager";
const LOGIND: &str = "org.freedesktop.login1";
const LOGIND_PATH: &str = "/org/freedesktop/login1";
const LOGIND_MANAGER: &str = "org.freedesktop.login1.Manager";

/// `NMMetered`: yes, and guessed yes.
const METERED: [u32; 2] = [1, 3];

/// Where the bus listens.
#[derive(Clone, Debug)]
pub struct Bus {
    address: String,
}

impl Bus {
    /// As the D-Bus specification has it: the variable, or the usual socket.
    pub fn of(env: &Env, root: &Path) -> Bus {
        let given = env
            .get("DBUS_SYSTEM_BUS_ADDRESS")
            .and_then(|address| address.to_str());
        let socket = root.join("run/dbus/system_bus_socket");
        Bus {
            address: given.map_or_else(|| format!("unix:path={}", socket.display()), String::from),
        }
    }
}

#[derive(Debug, Default)]
pub struct BusAnswers {
    pub wifi: Vec<String>,
    pub is_metered: bool,
    pub is_idle: Option<bool>,
}

pub fn ask(bus: &Bus, wanted: Wanted) -> BusAnswers {
    let asked = within(PATIENCE, async {
        let connection = connect(bus).await?;
        let mut answers = BusAnswers::default();
        if wanted.network_manager && has_owner(&connection, NETWORK_MANAGER).await? {
            let manager = Object::manager(&connection);
            answers.is_metered = METERED.contains(&manager.get("Metered").await.unwrap_or(0));
            answers.wifi = wifi(&manager).await;
        }
        if wanted.idle && has_owner(&connection, LOGIND).await? {
            answers.is_idle = Object::logind(&connection).get("IdleHint").await;
        }
        Some(answers)
    });
    asked.flatten().unwrap_or_default()
}

/// The answer with the file that keeps the machine awake as long as it is open: until the answer is dropped. `None` if
/// nothing can do that, or this user may not.
pub fn inhibit(bus: &Bus, what: &str, why: &str) -> Option<zbus::Message> {
    let asked = within(PATIENCE, async {
        let connection = connect(bus).await?;
        if !has_owner(&connection, LOGIND).await? {
            return None;
        }
        let request = (what, "dedup", why, "block");
        let reply = connection
            .call_method(
                Some(LOGIND),
                LOGIND_PATH,
                Some(LOGIND_MANAGER),
                "Inhibit",
                &request,
            )
            .await;
        reply.ok()
    });
    asked.flatten()
}

/// Runs questions to their end, or for so long. Their connection ends with them.
pub(crate) fn within<T>(time: Duration, questions: impl Future<Output = T>) -> Option<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .ok()?;
    let asked = runtime.block_on(async { tokio::time::timeout(time, questions).await.ok() });
    runtime.shutdown_background();
    asked
}

async fn connect(bus: &Bus) -> Option<Connection> {
    Builder::address(bus.address.as_str()).build().await.ok()
}

/// Whether a service runs. One that does not is not started by a question.
async fn has_owner(connection: &Connection, name: &str) -> Option<bool> {
    let bus = "org.freedesktop.DBus";
    let path = "/org/freedesktop/DBus";
    let reply = connection
        .call_method(Some(bus), path, Some(bus), "NameHasOwner", &name)
        .await;
    reply.ok()?.body().deserialize().ok()
}

/// An object on the bus with the interface of its that is asked.
struct Object<'a> {
    connection: &'a Connection,
    service: &'static str,
    path: String,
    interface: &'static str,
}

impl<'a> Object<'a> {
    fn manager(connection: &'a Connection) -> Object<'a> {
        Object {
            connection,
            service: NETWORK_MANAGER,
            path: "/org/freedesktop/NetworkManager".to_string(),
            interface: NETWORK_MANAGER,
        }
    }

    fn logind(connection: &'a Connection) -> Object<'a> {
        Object {
            connection,
            service: LOGIND,
            path: LOGIND_PATH.to_string(),
            interface: LOGIND_MANAGER,
        }
    }

    /// Another object of the same service.
    fn other(&self, path: &OwnedObjectPath, interface: &'static str) -> Object<'a> {
        Object {
            path: path.to_string(),
            interface,
            ..*self
        }
    }

    /// A property; `None` where it is missing or of another type.
    async fn get<T: TryFrom<OwnedVariant>>(&self, property: &str) -> Option<T> {
        let properties = "org.freedesktop.DBus.Properties";
        let question = (self.interface, property);
        let reply = self
            .connection
            .call_method(
                Some(self.service),
                self.path.as_str(),
                Some(properties),
                "Get",
                &question,
            )
            .await;
        let value: OwnedVariant = reply.ok()?.body().deserialize().ok()?;
        T::try_from(value).ok()
    }
}

/// The names of the wireless networks that are connected.
async fn wifi(manager: &Object<'_>) -> Vec<String> {
    let active: Vec<OwnedObjectPath> = manager.get("ActiveConnections").await.unwrap_or_default();
    let mut names = Vec::new();
    for path in active.iter().take(CONNECTIONS_MAX) {
        let active = manager.other(path, "org.freedesktop.NetworkManager.Connection.Active");
        let kind: Option<String> = active.get("Type").await;
        if kind.as_deref() != Some("802-11-wireless") {
            continue;
        }
        // The access point tells the name; the connection has one that somebody gave it.
        let point: Option<OwnedObjectPath> = active.get("SpecificObject").await;
        let name: Option<Vec<u8>> = match &point {
            Some(point) => {
                let point = manager.other(point, "org.freedesktop.NetworkManager.AccessPoint");
                point.get("Ssid").await
            }
            None => None,
        };
        match name {
            Some(name) => names.push(String::from_utf8_lossy(&name).into_owned()),
            None => names.extend(active.get::<String>("Id").await),
        }
    }
    names
}
