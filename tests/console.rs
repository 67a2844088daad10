//! `dedup console` as somebody starts it, spoken to over its socket.

use kit::program::{Home, objects, string};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};
use std::time::Duration;

const PASSWORD: &str = "correct horse battery";

fn home() -> Home {
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
             [sets.docs]\nsources = ['~/docs']\ndestinations = ['main']\nschedule = 'daily 12:30'\ntags = ['a']\n"
        ),
    );
    home
}

/// A running console, ended with the test.
struct Running {
    child: Child,
    told: Value,
    cookie: String,
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Running {
    fn start(home: &Home, args: &[&str]) -> Running {
        let all: Vec<&str> = ["console", "--json"]
            .into_iter()
            .chain(args.iter().copied())
            .collect();
        let mut child = home.command(&all).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        Running {
            child,
            told: objects(&line).remove(0),
            cookie: String::new(),
        }
    }

    fn host(&self) -> String {
        let url = string(&self.told, "url");
        url.trim_start_matches("http://")
            .trim_end_matches('/')
            .to_string()
    }

    fn ask(&self, method: &str, path: &str, fields: &str) -> Answer {
        let host = self.host();
        exchange(
            TcpStream::connect(&host).unwrap(),
            &host,
            &self.cookie,
            (method, path, fields),
        )
    }

    fn get(&self, path: &str) -> Value {
        let answer = self.ask("GET", path, "");
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        serde_json::from_str(&answer.body).unwrap()
    }

    /// By the link that was printed.
    fn set_password(&mut self) {
        let link = string(&self.told, "link");
        let code = link.split_once("start#").unwrap().1;
        let fields = format!("link={code}&password={PASSWORD}&again={PASSWORD}");
        let answer = self.ask("POST", "/start", &fields.replace(' ', "+"));
        assert_eq!(answer.status, 303, "{}", answer.body);
        self.cookie = answer.cookie();
    }

    /// The session's token, as the page has it.
    fn csrf(&self) -> String {
        let page = self.ask("GET", "/", "").body;
        let after = page.split("name=\"csrf\" value=\"").nth(1).unwrap();
        after.split('"').next().unwrap().to_string()
    }

    /// As Ctrl-C and a service manager do.
    fn end(mut self) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended can't be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Answer {
    fn cookie(&self) -> String {
        let lines = self.head.lines();
        let line = lines
            .filter_map(|line| line.strip_prefix("set-cookie: "))
            .next()
            .unwrap();
        line.split(';').next().unwrap().to_string()
    }
}

fn exchange(
    mut stream: impl Read + Write,
    host: &str,
    cookie: &str,
    (method, path, fields): (&str, &str, &str),
) -> Answer {
    let length = fields.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nCookie: {cookie}\r\nOrigin: http://{host}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{fields}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.to_string(),
        body: body.to_string(),
    }
}

#[test]
fn a_backup_by_the_page_and_the_same_json_as_the_commands() {
    let home = home();
    let mut console = Running::start(&home, &["--listen", "127.0.0.1:0"]);
    console.set_password();
    let password = home.path(".local/state/dedup/console/password");
    assert_eq!(
        fs::metadata(&password).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert!(!fs::read_to_string(&password).unwrap().contains(PASSWORD));
    let csrf = console.csrf();
    let started = console.ask("POST", "/api/run", &format!("csrf={csrf}&set=docs"));
    assert_eq!(started.status, 200, "{}", started.body);
    while console.get("/api/status")["sets"][0]["last_success"].is_null() {
        std::thread::sleep(Duration::from_millis(50));
    }
    while console.get("/api/status")["sets"][0]["running"] == true {
        std::thread::sleep(Duration::from_millis(50));
    }
    let command = home.ok(&["status", "--json"]).summary();
    let page = console.get("/api/status");
    for table in ["sets", "remotes"] {
        for (name, value) in page[table][0].as_object().unwrap() {
            assert_eq!(*value, command[table][0][name], "{table}: {name}");
        }
    }
    let rows = |args: &[&str]| {
        let mut rows = home.ok(args).objects();
        rows.retain(|row| row["message_type"] != "summary");
        rows
    };
    assert_eq!(
        console.get("/api/history")["jobs"],
        Value::from(rows(&["history", "--json"]))
    );
    assert_eq!(
        console.get("/api/snapshots")["snapshots"],
        Value::from(rows(&["snapshots", "--json"]))
    );
    for (name, value) in console.get("/api/sets")["sets"][0].as_object().unwrap() {
        assert_eq!(*value, rows(&["set", "list", "--json"])[0][name], "{name}");
    }
    let id = home.snapshots().remove(0);
    let docs = home.text("docs");
    let entries = console.get(&format!("/api/entries?remote=main&snapshot={id}&path={docs}"));
    let listed = rows(&["ls", "--json", &id, &docs]);
    assert_eq!(entries["entries"][0], *listed.last().unwrap());
    console.end();
    let again = Running::start(&home, &["--listen", "127.0.0.1:0"]);
    assert!(again.told["link"].is_null(), "the password is there");
    let forgotten = Running::start(&home, &["--listen", "127.0.0.1:0", "--reset-password"]);
    assert!(forgotten.told["link"].is_string());
}

#[test]
fn places_that_other_machines_could_reach() {
    let home = home();
    for address in ["0.0.0.0:4280", "[::]:4280", "192.168.1.2:4280", "8.8.8.8:80"] {
        home.ends(2, &["console", "--listen", address])
            .says(&[address, "127.0.0.1"]);
    }
    for text in ["4280", "localhost:4280", "unix:relative", ""] {
        home.ends(2, &["console", "--listen", text])
            .says(&["127.0.0.1:4280"]);
    }
    home.write(".config/dedup/dedup.toml", "[console]\nlisten = '0.0.0.0:4280'\n");
    home.ends(2, &["console"]).says(&["0.0.0.0:4280"]);
    let first = Running::start(&home, &["--listen", "127.0.0.1:0"]);
    home.ends(1, &["console", "--listen", &first.host()])
        .says(&["can't listen", "--listen"]);
}

#[test]
fn a_unix_socket() {
    let home = home();
    let path = home.path("run/console.sock");
    let place = format!("unix:{}", path.display());
    let console = Running::start(&home, &["--listen", &place]);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o077, 0);
    let ask = |host: &str| {
        exchange(
            UnixStream::connect(&path).unwrap(),
            host,
            "",
            ("GET", "/login", ""),
        )
        .status
    };
    assert_eq!(
        (ask("localhost"), ask("localhost:8080"), ask("evil.example")),
        (200, 200, 421)
    );
    // One that was killed leaves its socket, which the next one takes over.
    drop(console);
    assert!(path.exists());
    let next = Running::start(&home, &["--listen", &place]);
    assert_eq!(ask("localhost"), 200);
    next.end();
    assert!(!path.exists());
}

/// A token that a command makes opens the running console at once, for programs and for nothing else, until a command
/// revokes it; and what the page saves is what the command would have written.
#[test]
fn tokens_and_sets_by_page_and_command() {
    let home = home();
    let mut console = Running::start(&home, &["--listen", "127.0.0.1:0"]);
    console.set_password();
    let with = |token: &str, path: &str| {
        let host = console.host();
        let mut stream = TcpStream::connect(&host).unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        (text.split(' ').nth(1).unwrap().parse::<u16>().unwrap(), text)
    };
    let token = home
        .ok(&["console", "--new-token", "grafana"])
        .out
        .trim()
        .to_string();
    home.ends(2, &["console", "--new-token", "grafana"])
        .says(&["grafana"]);
    assert_eq!(with(&token, "/api/status").0, 200);
    let (status, metrics) = with(&token, "/metrics");
    assert!(
        status == 200 && metrics.contains("# TYPE dedup_last_files gauge"),
        "{metrics}"
    );
    assert_eq!(with(&token, "/").0, 303, "no page");
    assert_eq!(with("dedup_00", "/metrics").0, 401);
    let kept = home.path(".local/state/dedup/console/tokens.json");
    assert!(!fs::read_to_string(&kept).unwrap().contains(&token));
    assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
    let page = console.ask("GET", "/sets/edit/docs", "").body;
    let mark = page
        .split("name=\"mark\" value=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .to_string();
    let csrf = console.csrf();
    let fields = format!(
        "csrf={csrf}&mark={mark}&was=docs&sources=~/docs&hidden=on&standard-excludes=on&destination=main&tags=a\
         &schedule=daily+12:30&priority=7"
    );
    let saved = console.ask("POST", "/sets/save", &fields);
    assert_eq!(saved.status, 303, "{}", saved.body);
    let set = home.ok(&["set", "list", "--json"]).objects().remove(0);
    assert_eq!(set["priority"], 7);
    let by_page = fs::read_to_string(home.path(".config/dedup/dedup.toml")).unwrap();
    home.ok(&["set", "edit", "docs", "--priority", "8"]);
    let again = console.ask("POST", "/sets/save", &fields);
    assert_eq!(again.status, 409, "the command was faster: {}", again.body);
    home.ok(&["set", "edit", "docs", "--priority", "7"]);
    assert_eq!(
        fs::read_to_string(home.path(".config/dedup/dedup.toml")).unwrap(),
        by_page
    );
    home.ok(&["console", "--revoke-token", "grafana"]);
    assert_eq!(with(&token, "/api/status").0, 401);
}

/// A page about a path in a snapshot.
fn at(page: &str, snapshot: &str, path: &str) -> String {
    format!("{page}?remote=main&snapshot={snapshot}&path={path}")
}

#[test]
fn versions_previews_and_the_basket() {
    let home = home();
    let letter = home.text("docs/letter");
    home.ok(&["backup", &home.text("docs")]);
    home.write("docs/letter", "Dear both");
    home.ok(&["backup", &home.text("docs")]);
    let mut console = Running::start(&home, &["--listen", "127.0.0.1:0"]);
    let [oldest, newest] = <[String; 2]>::try_from(home.snapshots()).unwrap();
    let page = at("/preview/frame", &oldest, &letter);
    assert_eq!(console.ask("GET", &page, "").status, 303, "not without a session");
    console.set_password();
    let rail = console.ask("GET", &at("/restore/versions", &newest, &letter), "");
    assert!(rail.body.contains("2 versions in 2 snapshots"), "{}", rail.body);
    let frame = console.ask("GET", &page, "");
    assert!(
        frame.status == 200 && frame.body.contains("Dear all"),
        "{}",
        frame.body
    );
    assert!(
        frame.head.contains("sandbox") && frame.head.contains("nosniff"),
        "{}",
        frame.head
    );
    let with = format!("{}&with={oldest}", at("/restore/compare", &newest, &letter));
    let compared = console.ask("GET", &with, "");
    assert!(compared.body.contains("content differs"), "{}", compared.body);
    for snapshot in [&oldest, &newest] {
        let csrf = console.csrf();
        let fields = format!("csrf={csrf}&remote=main&snapshot={snapshot}&pick=f{letter}");
        assert_eq!(console.ask("POST", "/basket/add", &fields).status, 303);
    }
    let archive = console.ask("GET", "/basket/download", "");
    assert_eq!(archive.status, 200, "{}", archive.body);
    for word in ["Dear all", "Dear both", "chunked"] {
        let has = archive.body.contains(word) || archive.head.contains(word);
        assert!(has, "{word}: {}{}", archive.head, archive.body);
    }
    console.end();
}

/// What is on the disk at a path is another file than what another machine backed up from there.
#[test]
fn the_disk_is_compared_with_snapshots_of_this_machine_only() {
    let home = home();
    let (docs, letter) = (home.text("docs"), home.text("docs/letter"));
    home.ok(&["backup", "--host", "elsewhere", &docs]);
    let mut console = Running::start(&home, &["--listen", "127.0.0.1:0"]);
    console.set_password();
    let elsewhere = home.snapshots().remove(0);
    for page in ["/restore/compare", "/restore/changes"] {
        let path = if page == "/restore/compare" {
            &letter
        } else {
            &docs
        };
        let answer = console.ask("GET", &format!("{}&with=now", at(page, &elsewhere, path)), "");
        assert_eq!(answer.status, 400, "{}", answer.body);
    }
    let rail = console.ask("GET", &at("/restore/versions", &elsewhere, &letter), "");
    assert!(
        rail.status == 200 && !rail.body.contains("Compare with now"),
        "{}",
        rail.body
    );
    home.ok(&["backup", &docs]);
    let own = home.snapshots();
    let own = own.iter().find(|id| **id != elsewhere).unwrap();
    home.write("docs/letter", "changed");
    let answer = console.ask(
        "GET",
        &format!("{}&with=now", at("/restore/compare", own, &letter)),
        "",
    );
    assert!(answer.body.contains("content differs"), "{}", answer.body);
}
