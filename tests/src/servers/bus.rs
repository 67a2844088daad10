//! A private D-Bus with the little of NetworkManager, logind and a desktop with its panel that a backup asks for. What they answer can be changed
//! while it runs.

use super::Process;
use futures_util::StreamExt;
use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use zbus::connection::Builder;
use zbus::message::{Message, Type};
use zbus::{Connection, MessageStream, ObjectPath, OwnedVariant, Variant};

const START: Duration = Duration::from_secs(60);
const LOGIND: &str = "org.freedesktop.login1";
const NOTIFICATIONS: &str = "org.freedesktop.Notifications";
const PANEL: &str = "org.kde.StatusNotifierWatcher";
const NETWORK_MANAGER: &str = "org.freedesktop.NetworkManager";

/// Object, interface and property.
type Place = (String, String, String);

#[derive(Default)]
struct Answers {
    properties: BTreeMap<Place, OwnedVariant>,
    /// What was asked for: what to inhibit, who asks, why, and how.
    inhibited: Vec<[String; 4]>,
    /// What may not be inhibited.
    refused: Vec<String>,
    /// Titles, texts and urgencies of notifications on the desktop.
    notified: Vec<(String, String, u8)>,
    /// Names of the icons that the panel was given.
    icons: Vec<String>,
    asked: u64,
}

/// The bus and its services.
pub struct Bus {
    /// For `DBUS_SYSTEM_BUS_ADDRESS`.
    pub address: String,
    answers: Arc<Mutex<Answers>>,
    /// The other end of each file that was handed out by `Inhibit`.
    released: Receiver<std::io::PipeReader>,
    _daemon: Process,
}

impl Bus {
    /// With both services, or neither.
    pub fn start(folder: &Path, has_services: bool) -> Bus {
        let (socket, config, log) = (
            folder.join("bus"),
            folder.join("bus.conf"),
            folder.join("bus.log"),
        );
        let address = format!("unix:path={}", socket.display());
        let text = format!(
            "<busconfig><type>session</type><listen>{address}</listen><auth>EXTERNAL</auth>\
             <policy context='default'><allow send_destination='*' eavesdrop='true'/><allow eavesdrop='true'/>\
             <allow own='*'/></policy></busconfig>"
        );
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new("dbus-daemon");
        command.arg("--nofork").arg("--nopidfile");
        command.arg(format!("--config-file={}", config.display()));
        let daemon = Process::start(&command, &log);
        wait_for(&socket, &log);
        let answers: Arc<Mutex<Answers>> = Arc::default();
        let (held, released) = channel();
        let (ready, is_ready) = channel();
        if has_services {
            let (address, answers) = (address.clone(), answers.clone());
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.unwrap().block_on(async move {
                    let connection = Builder::address(address.as_str()).build().await.unwrap();
                    let mut calls = MessageStream::from(&connection);
                    for name in [NETWORK_MANAGER, LOGIND, NOTIFICATIONS, PANEL] {
                        connection.request_name(name).await.unwrap();
                    }
                    ready.send(()).unwrap();
                    while let Some(Ok(call)) = calls.next().await {
                        if call.message_type() == Type::MethodCall {
                            answer(&connection, &call, &answers, &mut |end| held.send(end).unwrap()).await;
                        }
                    }
                });
            });
            is_ready.recv().unwrap();
        }
        Bus {
            address,
            answers,
            released,
            _daemon: daemon,
        }
    }

    fn put(&self, path: &str, interface: &str, property: &str, value: Variant<'_>) {
        let place = (path.to_string(), interface.to_string(), property.to_string());
        let value = OwnedVariant::try_from(value).unwrap();
        self.answers.lock().unwrap().properties.insert(place, value);
    }

    /// `NMMetered`.
    pub fn metered(&self, value: u32) {
        self.put(
            "/org/freedesktop/NetworkManager",
            NETWORK_MANAGER,
            "Metered",
            Variant::from(value),
        );
    }

    pub fn idle(&self, is_idle: bool) {
        let manager = format!("{LOGIND}.Manager");
        self.put(
            "/org/freedesktop/login1",
            &manager,
            "IdleHint",
            Variant::from(is_idle),
        );
    }

    /// Connected to a wireless network, and by cable.
    pub fn wifi(&self, ssid: &[u8]) {
        let path = |name: &str| {
            ObjectPath::try_from(format!("{}/{name}", "/org/freedesktop/NetworkManager")).unwrap()
        };
        let (wired, wireless, point) = (path("1"), path("2"), path("AccessPoint/3"));
        let active = format!("{NETWORK_MANAGER}.Connection.Active");
        let kind =
            |path: &ObjectPath<'_>, kind: &str| self.put(path.as_str(), &active, "Type", Variant::from(kind));
        kind(&wired, "802-3-ethernet");
        kind(&wireless, "802-11-wireless");
        self.put(
            wireless.as_str(),
            &active,
            "SpecificObject",
            Variant::from(point.clone()),
        );
        self.put(
            point.as_str(),
            &format!("{NETWORK_MANAGER}.AccessPoint"),
            "Ssid",
            Variant::from(ssid.to_vec()),
        );
        self.put(
            "/org/freedesktop/NetworkManager",
            NETWORK_MANAGER,
            "ActiveConnections",
            Variant::from(vec![wired, wireless]),
        );
    }

    /// `Inhibit` of this is refused, as by polkit.
    pub fn refuse(&self, what: &str) {
        self.answers.lock().unwrap().refused.push(what.to_string());
    }

    /// What was asked of `Inhibit`.
    pub fn inhibited(&self) -> Vec<[String; 4]> {
        self.answers.lock().unwrap().inhibited.clone()
    }

    /// Waits until the file is closed that was handed out first.
    pub fn wait_released(&self) {
        let mut end = self.released.recv_timeout(START).unwrap();
        assert_eq!(end.read(&mut [0]).unwrap(), 0);
    }

    /// What the desktop was asked to show: title, text and urgency.
    pub fn notified(&self) -> Vec<(String, String, u8)> {
        self.answers.lock().unwrap().notified.clone()
    }

    /// The name of the icon that the panel was given first.
    pub fn icon(&self) -> String {
        let started = Instant::now();
        loop {
            if let Some(name) = self.answers.lock().unwrap().icons.first() {
                return name.clone();
            }
            assert!(started.elapsed() < START, "no icon came");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// How many questions there were.
    pub fn asked(&self) -> u64 {
        self.answers.lock().unwrap().asked
    }
}

fn wait_for(socket: &Path, log: &Path) {
    let started = Instant::now();
    // The file is there before anybody listens.
    while UnixStream::connect(socket).is_err() {
        let said = || std::fs::read_to_string(log).unwrap_or_default();
        assert!(
            started.elapsed() < START,
            "dbus-daemon is needed (Debian: dbus-daemon):\n{}",
            said()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

async fn answer(
    connection: &Connection,
    call: &Message,
    answers: &Mutex<Answers>,
    hold: &mut dyn FnMut(std::io::PipeReader),
) {
    let header = call.header();
    let path = header.path().map(|path| path.to_string()).unwrap_or_default();
    answers.lock().unwrap().asked += 1;
    let replied = match header.member().map(|member| member.as_str()) {
        Some("Get") => {
            let (interface, property): (String, String) = call.body().deserialize().unwrap();
            let found = answers
                .lock()
                .unwrap()
                .properties
                .get(&(path, interface, property))
                .cloned();
            match found {
                Some(value) => connection.reply(&header, &value).await,
                None => {
                    let unknown = "org.freedesktop.DBus.Error.UnknownProperty";
                    connection
                        .reply_error(&header, unknown, &"no such property")
                        .await
                }
            }
        }
        Some("RegisterStatusNotifierItem") => {
            let name: String = call.body().deserialize().unwrap();
            answers.lock().unwrap().icons.push(name);
            connection.reply(&header, &()).await
        }
        Some("Notify") => {
            type Notification = (
                String,
                u32,
                String,
                String,
                String,
                Vec<String>,
                HashMap<String, OwnedVariant>,
                i32,
            );
            let call: Notification = call.body().deserialize().unwrap();
            let (title, text, urgency) = (call.3, call.4, call.6["urgency"].clone());
            let urgency = u8::try_from(urgency).unwrap();
            answers.lock().unwrap().notified.push((title, text, urgency));
            connection.reply(&header, &7u32).await
        }
        Some("Inhibit") => {
            let (what, who, why, mode): (String, String, String, String) = call.body().deserialize().unwrap();
            let is_refused = answers.lock().unwrap().refused.contains(&what);
            answers.lock().unwrap().inhibited.push([what, who, why, mode]);
            match is_refused {
                true => {
                    let denied = "org.freedesktop.DBus.Error.AccessDenied";
                    connection
                        .reply_error(&header, denied, &"Permission denied")
                        .await
                }
                false => {
                    let (ours, theirs) = std::io::pipe().unwrap();
                    hold(ours);
                    let theirs = zbus::Fd::from(std::os::fd::OwnedFd::from(theirs));
                    connection.reply(&header, &theirs).await
                }
            }
        }
        _ => Ok(()),
    };
    replied.unwrap();
}
