//! `[limits]` as somebody meets them: a machine that runs on its battery, is in a train's network, or is used. Its `/sys`
//! and `/proc` are files of the test's, and its D-Bus is a private one.

mod bus;
mod rates;
mod share;

use crate::cli_runs::{YEARLY, history, known_for_long, state, words};
use kit::generation::noise;
use kit::program::{Home, Run, number, string};
use kit::servers::Bus;
use serde_json::{Value, json};
use service::env::Env;
use service::limits::surroundings::Machine;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const HEAD: &str = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n";

/// A home on a machine that is made of files.
struct Laptop {
    home: Home,
    bus: Option<Bus>,
}

impl Laptop {
    fn new(settings: &str) -> Laptop {
        let home = Home::new(env!("CARGO_BIN_EXE_dedup-under-test"));
        home.init();
        home.write("docs/letter", "letter");
        let laptop = Laptop { home, bus: None };
        laptop.settings(settings);
        laptop.on_battery("50");
        laptop.routes("wlan0");
        known_for_long(&laptop.home, "docs");
        laptop
    }

    fn with_bus(settings: &str) -> Laptop {
        let mut laptop = Laptop::new(settings);
        laptop.bus = Some(Bus::start(&laptop.home.path("."), true));
        laptop
    }

    /// A set `docs` that goes to a disk, and `far`, which goes to a server that does not answer.
    fn settings(&self, limits: &str) {
        let (repo, key) = (
            self.home.text(".local/share/dedup/repository"),
            self.home.text(".config/dedup/default.key"),
        );
        let text = format!(
            "[remotes.main]\nurl = '{repo}'\nkey-file = '{key}'\n\
             [remotes.server]\nurl = 'webdav://127.0.0.1:9/repo?retry=1'\nkey-file = '{key}'\n\
             [sets.docs]\nsources = ['~/docs']\ndestinations = ['main']\nschedule = '{YEARLY}'\n\
             [sets.far]\nsources = ['~/docs']\ndestinations = ['server']\n{limits}\n"
        );
        self.home.write(".config/dedup/dedup.toml", text);
    }

    /// `far` is due, too.
    fn far(&self) {
        let file = ".config/dedup/dedup.toml";
        let text = fs::read_to_string(self.home.path(file)).unwrap();
        let scheduled = format!("[sets.far]\nschedule = '{YEARLY}'\n");
        self.home.write(file, text.replace("[sets.far]\n", &scheduled));
        known_for_long(&self.home, "far");
    }

    fn supply(&self, values: &[(&str, &str)]) {
        for (name, value) in values {
            let path = format!("machine/sys/class/power_supply/{name}");
            // As the kernel does it: at once.
            self.home.write(&format!("{path}.new"), format!("{value}\n"));
            fs::rename(self.home.path(format!("{path}.new")), self.home.path(path)).unwrap();
        }
    }

    fn on_battery(&self, percent: &str) {
        self.supply(&[
            ("BAT0/type", "Battery"),
            ("BAT0/status", "Discharging"),
            ("BAT0/capacity", percent),
            ("AC/type", "Mains"),
            ("AC/online", "0"),
        ]);
    }

    fn plugged_in(&self) {
        self.supply(&[("BAT0/status", "Charging"), ("AC/online", "1")]);
    }

    /// The default route leads over this interface; there is none for an empty name.
    fn routes(&self, interface: &str) {
        let line = match interface.is_empty() {
            true => String::new(),
            false => format!("{interface}\t00000000\t0100A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n"),
        };
        self.home.write("machine/proc/net/new", format!("{HEAD}{line}"));
        let path = |name: &str| self.home.path(format!("machine/proc/net/{name}"));
        fs::rename(path("new"), path("route")).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.home.command(args);
        command.env("DEDUP_SYSTEM_ROOT", self.home.path("machine"));
        if let Some(bus) = &self.bus {
            command.env("DBUS_SYSTEM_BUS_ADDRESS", &bus.address);
        }
        command
    }

    #[track_caller]
    fn ends(&self, code: i32, args: &[&str]) -> Run {
        Run::of(self.command(args).output().unwrap()).ends(code)
    }

    /// A run that goes on, once the history says so.
    fn start(&self, args: &[&str]) -> Child {
        let mut command = self.command(args);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let running = || {
            self.home
                .ok(&["history", "--status", "running", "--json"])
                .objects()
        };
        std::iter::repeat_with(running)
            .find(|rows| rows.len() > 1)
            .unwrap();
        child.unwrap()
    }

    fn machine(&self) -> Machine {
        let bus = self.bus.as_ref().map_or("", |bus| &bus.address);
        let root = self.home.text("machine");
        Machine::of(&Env::of(&[
            ("DEDUP_SYSTEM_ROOT", &root),
            ("DBUS_SYSTEM_BUS_ADDRESS", bus),
        ]))
    }
}

fn message(row: &Value) -> String {
    string(row, "message")
}

#[test]
fn a_battery_that_is_low_holds_back_what_is_due() {
    let laptop = Laptop::new("[limits]\nbattery-min = 20");
    laptop.on_battery("19");
    let home = &laptop.home;
    for _ in 0..2 {
        let run = laptop.ends(4, &["--quiet", "run", "--due"]);
        assert!(run.out.is_empty() && run.err.is_empty(), "{run:?}");
    }
    let would = laptop.ends(4, &["run", "--due", "--dry-run"]).out;
    assert!(would.contains("held back"), "{would}");
    let rows = history(home);
    assert_eq!(
        words(&rows, "status"),
        ["not run"],
        "once, however often it is asked"
    );
    assert!(message(&rows[0]).contains("battery is at 19%"), "{rows:?}");
    let id = string(&rows[0], "id");
    let told = home.ok(&["--lang", "ja", "history", &id]).out;
    assert!(told.contains("バッテリーの残量が 19%"), "{told}");
    assert!(home.snapshots().is_empty());
    let status = home.ok(&["status", "--json"]).summary();
    assert_eq!(
        status["sets"][0]["overdue"], true,
        "counted from the last success"
    );
    laptop.plugged_in();
    laptop.ends(0, &["run", "--due"]);
    assert_eq!(words(&history(home), "status"), ["completed", "not run"]);
    assert_eq!(home.snapshots().len(), 1);
}

#[test]
fn who_asks_is_not_held_back() {
    let laptop = Laptop::new("[limits]\nbattery-min = 20\nskip-interfaces = ['wlan0']");
    laptop.on_battery("3");
    laptop.ends(4, &["run", "--due"]);
    laptop.ends(0, &["run", "docs"]);
    laptop.ends(0, &["backup", "docs"]);
    assert_eq!(laptop.home.snapshots().len(), 2);
}

/// Enough for a run that may use a hundredth of the processors to go on for a while.
fn slow(laptop: &Laptop) {
    laptop.settings("[limits]\nbattery-min = 20\ncpu-active = 1");
    for nr in 0..8 {
        laptop.home.write(&format!("docs/noise{nr}"), noise(nr, 16 << 20));
    }
}

/// Bytes of the files below a folder. Some may have got another name meanwhile.
fn size_of(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let size = |path: PathBuf| match path.is_dir() {
        true => size_of(&path),
        false => fs::metadata(path).map_or(0, |meta| meta.len()),
    };
    entries.map(|entry| size(entry.path())).sum()
}

/// Waits until a run has written some of its data.
fn in_the_midst(home: &Home) {
    while size_of(&home.repository()) < 4 << 20 {
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A run that continues with what an earlier one has stored, and leaves a sound repository.
fn goes_on(laptop: &Laptop, args: &[&str]) {
    let rows = laptop.ends(0, args).objects();
    let set = rows.iter().find(|row| row["message_type"] == "set").unwrap();
    let all = number(&set["backup"], "total_bytes_processed");
    assert_eq!(number(&set["backup"], "total_files_processed"), 9);
    assert!(number(&set["backup"], "data_added") < all, "{set}");
    laptop.home.ok(&["check", "--read-data"]);
}

#[test]
fn a_battery_that_falls_ends_the_run_and_the_next_one_goes_on() {
    let laptop = Laptop::new("");
    slow(&laptop);
    let mut child = laptop.start(&["run", "--due"]);
    in_the_midst(&laptop.home);
    laptop.on_battery("12");
    assert_eq!(child.wait().unwrap().code(), Some(4));
    let home = &laptop.home;
    let rows = history(home);
    assert_eq!(words(&rows, "status")[0], "not run");
    assert!(message(&rows[0]).contains("battery is at 12%"), "{rows:?}");
    let known = state(home, "docs");
    assert!(known["slot"].is_null() && known["failed"].is_null(), "{known}");
    laptop.settings("");
    goes_on(&laptop, &["run", "--due", "--json"]);
}

#[test]
fn a_run_that_writes_is_stopped_from_elsewhere_and_goes_on_later() {
    let laptop = Laptop::new("");
    slow(&laptop);
    let mut child = laptop.start(&["run", "--due"]);
    let home = &laptop.home;
    in_the_midst(home);
    home.ok(&["stop"]);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    laptop.settings("");
    goes_on(&laptop, &["run", "docs", "--json"]);
}

#[test]
fn networks_that_are_not_to_be_used() {
    let limits = "[limits]\nskip-wifi = ['Train']\nskip-interfaces = ['wwan0']\nskip-metered = true";
    let laptop = Laptop::with_bus(limits);
    laptop.far();
    let bus = laptop.bus.as_ref().unwrap();
    bus.metered(1);
    bus.wifi(b"Train");
    laptop.routes("wwan0");
    let run = laptop.ends(4, &["run", "--due", "--json"]);
    let sets: Vec<Value> = run.objects();
    let of = |name: &str| sets.iter().find(|row| row["set"] == name).unwrap();
    assert_eq!(of("docs")["status"], "completed", "a disk costs nothing");
    assert_eq!(of("far")["status"], "not run");
    let rows = history(&laptop.home);
    let held = rows.iter().find(|row| row["set"] == "far").unwrap();
    assert!(message(held).contains("wireless network 'Train'"), "{held}");
    let would = || laptop.ends(4, &["run", "--due", "--dry-run"]);
    bus.wifi(b"Home");
    would();
    laptop.routes("wlan0");
    would();
    for value in [3, 1] {
        bus.metered(value);
        would();
    }
    for value in [0, 2, 4] {
        bus.metered(value);
        laptop.ends(0, &["run", "--due", "--dry-run"]);
    }
    // And then the server does not answer, which is another matter.
    laptop.ends(1, &["run", "--due"]);
}

/// Seconds of processor time that a process has used.
fn processor_time(pid: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11..13]
        .iter()
        .map(|ticks| ticks.parse::<u64>().unwrap())
        .sum();
    ticks as f64 / 100.0
}

#[test]
fn a_share_of_the_processors() {
    let laptop = Laptop::new("");
    slow(&laptop);
    let started = Instant::now();
    let mut child = laptop.start(&["run", "docs"]);
    in_the_midst(&laptop.home);
    let before = (Instant::now(), processor_time(child.id()));
    while before.0.elapsed() < Duration::from_secs(4) {
        std::thread::sleep(Duration::from_millis(100));
    }
    let used = processor_time(child.id()) - before.1;
    let cores = std::thread::available_parallelism().unwrap().get() as f64;
    let share = used / before.0.elapsed().as_secs_f64() / cores;
    assert!(
        child.try_wait().unwrap().is_none(),
        "it goes on: {:?}",
        started.elapsed()
    );
    // One rest of every thread may end at once. Without a share it would be 50% and more.
    assert!(share < 0.1, "{share}");
    laptop.home.ok(&["stop", "docs"]);
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn what_runs_by_itself_is_nice() {
    let laptop = Laptop::new("");
    let file = ".config/dedup/dedup.toml";
    let text = fs::read_to_string(laptop.home.path(file)).unwrap();
    let hook = "[sets.docs]\nrun-before = 'nice >> ~/nice'\n";
    laptop.home.write(file, text.replace("[sets.docs]\n", hook));
    laptop.ends(0, &["run", "--due"]);
    laptop.ends(0, &["run", "docs"]);
    let nice = fs::read_to_string(laptop.home.path("nice")).unwrap();
    let nice: Vec<i32> = nice.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(nice[0], nice[1].max(10), "{nice:?}");
}

/// Takes one request and answers that there is no way.
fn serve_one(listener: TcpListener) -> String {
    let (mut stream, _) = listener.accept().unwrap();
    let mut request = [0; 1024];
    let read = stream.read(&mut request).unwrap();
    let _ = stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    String::from_utf8_lossy(&request[..read]).into_owned()
}

#[test]
fn requests_go_to_the_proxy() {
    let laptop = Laptop::new("");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    laptop.settings(&format!("[limits]\nproxy = 'http://u:secret@127.0.0.1:{port}'"));
    let proxy = std::thread::spawn(move || serve_one(listener));
    let url = "webdav://storage.invalid:8080/repo?retry=1";
    let key = laptop.home.text(".config/dedup/default.key");
    let run = Run::of(
        laptop
            .command(&["-r", url, "--key-file", &key, "snapshots"])
            .output()
            .unwrap(),
    );
    assert_ne!(run.code, 0);
    let request = proxy.join().unwrap();
    assert!(request.contains(" http://storage.invalid:8080/repo"), "{request}");
    let shown = laptop.ends(0, &["config", "show"]).out;
    assert!(
        shown.contains("limits.proxy") && !shown.contains("secret"),
        "{shown}"
    );
    assert!(!run.err.contains("secret"), "{}", run.err);
}

#[test]
fn a_machine_that_has_just_woken_up_waits_for_the_network() {
    let laptop = Laptop::new("");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let file = ".config/dedup/dedup.toml";
    let text = fs::read_to_string(laptop.home.path(file)).unwrap();
    laptop
        .home
        .write(file, text.replace("127.0.0.1:9", &format!("127.0.0.1:{port}")));
    laptop.far();
    fs::remove_file(laptop.home.path(".local/state/dedup/runs/sets/docs.json")).unwrap();
    laptop.routes("");
    let mut child = laptop.start(&["run", "--due"]);
    listener.set_nonblocking(true).unwrap();
    let early = listener.accept().map(drop).map_err(|e| e.kind());
    assert_eq!(early, Err(ErrorKind::WouldBlock));
    laptop.routes("wlan0");
    listener.set_nonblocking(false).unwrap();
    assert!(serve_one(listener).contains("/repo"));
    child.kill().unwrap();
    child.wait().unwrap();
    // Whoever waits can be stopped.
    laptop.routes("");
    known_for_long(&laptop.home, "far");
    let mut child = laptop.start(&["run", "--due"]);
    laptop.home.ok(&["stop", "far"]);
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn settings_are_checked() {
    let laptop = Laptop::new("[limits]\nbattery-min = 0");
    laptop.ends(2, &["run", "--due"]).says(&["battery-min"]);
    laptop.settings("[limits]\nskip-metred = true");
    laptop
        .ends(2, &["config", "check"])
        .says(&["did you mean 'skip-metered'?"]);
    laptop.settings("[limits]\nupload-lan = 'fast'");
    laptop.ends(2, &["config", "check"]).says(&["upload-lan"]);
    let all = "[limits]\nupload = '10M'\nupload-idle = 'unlimited'\ndownload-idle = '08:00=1M'\nupload-lan = '1G'\n\
        download-lan = '1G'\ncpu-active = 30\ncpu-idle = 80\nbattery-min = 20\nskip-wifi = ['a']\n\
        skip-interfaces = ['b']\nskip-metered = true\nproxy = 'http://proxy:8080'";
    laptop.settings(all);
    laptop.ends(0, &["config", "check"]);
    let shown = laptop.ends(0, &["config", "show", "--json"]).objects();
    let metered = shown
        .iter()
        .find(|row| row["key"] == "limits.skip-metered")
        .unwrap();
    assert_eq!(metered["value"], json!("true"));
}
