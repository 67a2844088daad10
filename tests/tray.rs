//! `dedup tray` in a session of its own: what the panel is shown, and what a click does.

use futures_util::StreamExt;
use kit::program::{Home, Run, objects};
use kit::servers::Bus;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use zbus::connection::Builder;
use zbus::message::Message;
use zbus::{Connection, MessageStream, OwnedVariant, Structure};

const PATIENCE: Duration = Duration::from_secs(120);
const ITEM: &str = "org.kde.StatusNotifierItem";
const MENU: &str = "com.canonical.dbusmenu";
const OPEN: i32 = 101;
const PAUSE_4_HOURS: i32 = 103;
const RESUME: i32 = 105;
const STOP: i32 = 106;
const QUIT: i32 = 107;

fn home(set: &str) -> Home {
    let home = Home::new(env!("CARGO_BIN_EXE_dedup-under-test"));
    home.init();
    home.write("docs/letter", "Dear all");
    let (repo, key) = (
        home.text(".local/share/dedup/repository"),
        home.text(".config/dedup/default.key"),
    );
    home.write(
        ".config/dedup/dedup.toml",
        format!(
            "[remotes.main]\nurl = '{repo}'\nkey-file = '{key}'\n\
             [sets.docs]\nsources = ['~/docs']\ndestinations = ['main']\n{set}\n\
             [console]\nlisten = '127.0.0.1:1'\n"
        ),
    );
    home
}

/// The icon, and the panel that shows it.
struct Panel {
    child: Child,
    runtime: Runtime,
    bus: Connection,
    icon: String,
}

impl Panel {
    fn start(home: &Home, bus: &Bus, args: &[&str]) -> Panel {
        let mut command = home.command(&[args, &["tray", "--json"]].concat());
        command.env("DBUS_SESSION_BUS_ADDRESS", &bus.address);
        let path = std::env::var("PATH").unwrap();
        command.env("PATH", format!("{}:{path}", home.text("bin")));
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        assert_eq!(objects(&line)[0]["message_type"], "tray");
        let runtime = Runtime::new().unwrap();
        let address = bus.address.clone();
        let connection =
            runtime.block_on(async { Builder::address(address.as_str()).build().await.unwrap() });
        Panel {
            child,
            runtime,
            bus: connection,
            icon: bus.icon(),
        }
    }

    fn ask(&self, call: impl AsyncFnOnce(&Connection, &str) -> zbus::Result<Message>) -> Message {
        self.runtime.block_on(call(&self.bus, &self.icon)).unwrap()
    }

    fn properties(&self) -> HashMap<String, OwnedVariant> {
        let reply = self.ask(async |bus, icon| {
            let interface = Some("org.freedesktop.DBus.Properties");
            bus.call_method(Some(icon), "/StatusNotifierItem", interface, "GetAll", &ITEM)
                .await
        });
        reply.body().deserialize().unwrap()
    }

    fn status(&self) -> String {
        String::try_from(self.properties()["Status"].clone()).unwrap()
    }

    fn tip(&self) -> String {
        format!("{:?}", self.properties()["ToolTip"])
    }

    /// Id and label of every entry, as the panel asks for them before it shows them.
    fn menu(&self) -> Vec<(i32, String)> {
        self.ask(async |bus, icon| {
            bus.call_method(Some(icon), "/MenuBar", Some(MENU), "AboutToShow", &0i32)
                .await
        });
        let reply = self.ask(async |bus, icon| {
            let question = (0i32, -1i32, Vec::<String>::new());
            bus.call_method(Some(icon), "/MenuBar", Some(MENU), "GetLayout", &question)
                .await
        });
        type Entry = (i32, HashMap<String, OwnedVariant>, Vec<OwnedVariant>);
        let body = reply.body();
        let (_, (root, _, below)): (u32, Entry) = body.deserialize().unwrap();
        assert_eq!(root, 0);
        let entries = below.into_iter().map(|entry| {
            let entry = Structure::try_from(entry).unwrap();
            let (id, mut properties, _): (i32, HashMap<String, OwnedVariant>, Vec<OwnedVariant>) =
                entry.try_into().unwrap();
            let label = properties.remove("label");
            (
                id,
                label.map_or(String::new(), |label| String::try_from(label).unwrap()),
            )
        });
        entries.collect()
    }

    fn click(&self, id: i32) {
        self.ask(async |bus, icon| {
            let event = (id, "clicked", zbus::Variant::from(0i32), 0u32);
            bus.call_method(Some(icon), "/MenuBar", Some(MENU), "Event", &event)
                .await
        });
    }

    fn has(&self, label: &str) -> bool {
        self.menu().iter().any(|(_, known)| known == label)
    }
}

impl Drop for Panel {
    fn drop(&mut self) {
        // One that has ended can't be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn paused(home: &Home) -> Value {
    home.ok(&["status", "--json"]).summary()["sets"][0]["paused_until"].clone()
}

#[test]
fn what_is_shown_and_what_clicks_do() {
    let home = home("");
    let bus = Bus::start(&home.path("."), true);
    let mut panel = Panel::start(&home, &bus, &[]);
    assert!(
        panel.tip().contains("Waiting for the first backup"),
        "{}",
        panel.tip()
    );
    home.ok(&["run", "docs"]);
    assert!(panel.has("docs: completed"), "{:?}", panel.menu());
    assert!(panel.tip().contains("Everything is backed up"), "{}", panel.tip());
    assert_eq!(panel.status(), "Active");
    let pixels = format!("{:?}", panel.properties()["IconPixmap"]);
    assert!(pixels.contains("22") && pixels.contains("48"));
    panel.click(PAUSE_4_HOURS);
    until("a pause", || !paused(&home).is_null());
    until("it is shown", || {
        panel.has("End the pause") && !panel.has("Pause for 1 hour")
    });
    panel.click(RESUME);
    until("no pause", || paused(&home).is_null());
    // It says that the console is not running, and how things stand.
    assert!(panel.has("The console is not running"));
    panel.click(OPEN);
    until("a notification", || {
        let told = bus.notified();
        told.iter()
            .any(|(_, text, _)| text.contains("'dedup console'") && text.contains("docs: completed"))
    });
    fs::remove_dir_all(home.path("docs")).unwrap();
    home.run(&["run", "docs"]);
    until("it needs attention", || {
        panel.menu().len() > 1 && panel.status() == "NeedsAttention"
    });
    panel.click(QUIT);
    assert!(panel.child.wait().unwrap().success());
}

#[test]
fn it_opens_the_console() {
    let home = home("");
    let opened = home.path("opened");
    let browser = home.write(
        "bin/xdg-open",
        format!("#!/bin/sh\necho \"$1\" > '{}'\n", opened.display()),
    );
    fs::set_permissions(&browser, fs::Permissions::from_mode(0o755)).unwrap();
    let bus = Bus::start(&home.path("."), true);
    let console = home
        .command(&["console", "--json", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .spawn();
    let mut console = console.unwrap();
    let mut line = String::new();
    BufReader::new(console.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let url = objects(&line)[0]["url"].as_str().unwrap().to_string();
    let settings = home.path(".config/dedup/dedup.toml");
    let place = url.trim_start_matches("http://").trim_end_matches('/');
    let text = fs::read_to_string(&settings)
        .unwrap()
        .replace("127.0.0.1:1", place);
    fs::write(&settings, text).unwrap();
    let mut panel = Panel::start(&home, &bus, &["--lang", "ja"]);
    assert!(
        panel.tip().contains("最初のバックアップを待っています"),
        "{}",
        panel.tip()
    );
    assert!(panel.has("コンソールを開く"), "{:?}", panel.menu());
    panel.click(OPEN);
    until("the browser", || {
        fs::read_to_string(&opened).is_ok_and(|text| text.trim() == url)
    });
    console.kill().unwrap();
    console.wait().unwrap();
    assert!(panel.has("コンソールは動いていません"), "{:?}", panel.menu());
    // As Ctrl-C and the end of the session do.
    kill_process(Pid::from_child(&panel.child), Signal::TERM).unwrap();
    assert!(panel.child.wait().unwrap().success());
}

#[test]
fn it_stops_a_backup() {
    let home = home("run-before = 'touch began; while [ ! -e go-on ]; do sleep 0.1; done'");
    let bus = Bus::start(&home.path("."), true);
    let panel = Panel::start(&home, &bus, &[]);
    assert!(!panel.has("Stop running backups"));
    let mut run = home
        .command(&["run", "docs"])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("it runs", || panel.has("Stop running backups"));
    assert!(panel.tip().contains("Backing up now"), "{}", panel.tip());
    panel.click(STOP);
    assert!(!run.wait().unwrap().success());
    assert!(home.snapshots().is_empty());
}

/// A panel without anything else, which may be started again.
struct Watcher {
    icons: Receiver<String>,
    _runtime: Runtime,
}

impl Watcher {
    fn start(address: &str) -> Watcher {
        let runtime = Runtime::new().unwrap();
        let (given, icons) = channel();
        let (connection, mut calls) = runtime.block_on(async {
            let connection = Builder::address(address).build().await.unwrap();
            let calls = MessageStream::from(&connection);
            let name = "org.kde.StatusNotifierWatcher";
            connection.request_name(name).await.unwrap();
            (connection, calls)
        });
        runtime.spawn(async move {
            while let Some(Ok(call)) = calls.next().await {
                let header = call.header();
                if header
                    .member()
                    .is_some_and(|member| member.as_str() == "RegisterStatusNotifierItem")
                {
                    given.send(call.body().deserialize().unwrap()).unwrap();
                    connection.reply(&header, &()).await.unwrap();
                }
            }
        });
        Watcher {
            icons,
            _runtime: runtime,
        }
    }
}

/// Panels crash, and are started again; an icon that is not registered again would be gone until the next session.
#[test]
fn a_panel_that_is_started_again() {
    let home = home("");
    let bus = Bus::start(&home.path("."), false);
    let first = Watcher::start(&bus.address);
    let mut command = home.command(&["tray"]);
    command.env("DBUS_SESSION_BUS_ADDRESS", &bus.address);
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let name = first.icons.recv_timeout(PATIENCE).unwrap();
    assert!(name.starts_with("org.kde.StatusNotifierItem-"), "{name}");
    drop(first);
    let second = Watcher::start(&bus.address);
    assert_eq!(second.icons.recv_timeout(PATIENCE).unwrap(), name);
    child.kill().unwrap();
    child.wait().unwrap();
}

/// What a session starts first is there before its panel.
#[test]
fn it_waits_for_the_panel() {
    let home = home("");
    let bus = Bus::start(&home.path("."), false);
    let mut command = home.command(&["tray", "--wait", "--json"]);
    command.env("DBUS_SESSION_BUS_ADDRESS", &bus.address);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(500));
    assert!(child.try_wait().unwrap().is_none());
    let panel = Watcher::start(&bus.address);
    panel.icons.recv_timeout(PATIENCE).unwrap();
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    assert_eq!(objects(&line)[0]["message_type"], "tray");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn with_each_session() {
    let home = home("");
    let entry = home.path(".config/autostart/dedup-tray.desktop");
    let run = home.ok(&["tray", "--install", "--dry-run"]);
    assert!(
        run.out.contains("dedup-tray.desktop") && !entry.exists(),
        "{}",
        run.out
    );
    home.ok(&["tray", "--remove"]);
    home.ok(&["tray", "--install"]);
    let text = fs::read_to_string(&entry).unwrap();
    let program = env!("CARGO_BIN_EXE_dedup-under-test");
    // The program under test is told by variables where its things are.
    let line = text.lines().find(|line| line.starts_with("Exec=")).unwrap();
    assert!(line.ends_with(&format!("\"{program}\" tray --wait")), "{line}");
    assert_eq!(
        home.ok(&["tray", "--remove", "--json"]).summary()["removed"],
        true
    );
    assert!(!entry.exists());
    assert_eq!(
        home.ok(&["tray", "--remove", "--json"]).summary()["removed"],
        false
    );
    for args in [
        ["--install", "--wait"],
        ["--install", "--remove"],
        ["--wait", "--dry-run"],
    ] {
        home.ends(2, &[&["tray"], &args[..]].concat());
    }
}

#[test]
fn without_a_desktop() {
    let home = home("");
    let with = |address: &str, lang: &str| {
        let mut command: Command = home.command(&["--lang", lang, "tray"]);
        command.env("DBUS_SESSION_BUS_ADDRESS", address);
        Run::of(command.output().unwrap()).ends(1)
    };
    with("unix:path=/nowhere", "en").says(&["no desktop session", "dedup status"]);
    with("unix:path=/nowhere", "ja").says(&["デスクトップのセッションがありません"]);
    with("nonsense", "en").says(&["no desktop session"]);
    let bus = Bus::start(&home.path("."), false);
    with(&bus.address, "en").says(&["no place for icons"]);
}
