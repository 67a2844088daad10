//! `dedup console` where other machines could reach it: by TLS, with a password, under its own names, or not at all. What
//! calls it is curl, and plain sockets for what curl would not do.

mod requests;

use kit::program::{Home, Run, objects, string};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const PASSWORD: &str = "correct horse battery";
/// However busy the machine is.
const PATIENCE: Duration = Duration::from_secs(120);

/// `NAME.pem` and `NAME.key`: a certificate that is its own root, valid for so many days.
fn certificate(home: &Home, name: &str, days: i32) -> PathBuf {
    let (path, key) = (home.path(format!("{name}.pem")), home.path(format!("{name}.key")));
    let request = home.path(format!("{name}.csr"));
    let openssl = |command: &mut Command| {
        let made = command.output().expect("openssl is needed (Debian: openssl)");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    };
    openssl(
        Command::new("openssl")
            .args([
                "req",
                "-new",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
            ])
            .args([
                "-subj",
                "/CN=console",
                "-addext",
                "basicConstraints=critical,CA:FALSE",
                "-addext",
            ])
            .arg("subjectAltName=DNS:localhost,DNS:backup.example.jp,IP:127.0.0.1")
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&request),
    );
    openssl(
        Command::new("openssl")
            .args([
                "x509",
                "-req",
                "-copy_extensions",
                "copyall",
                "-days",
                &days.to_string(),
                "-signkey",
            ])
            .arg(&key)
            .arg("-in")
            .arg(&request)
            .arg("-out")
            .arg(&path),
    );
    path
}

/// Every word is in what was printed.
#[track_caller]
fn shows(run: &Run, words: &[&str]) {
    for word in words {
        assert!(run.out.contains(word), "no '{word}' in:\n{}", run.out);
    }
}

/// With `[console]`, and a certificate that is named there.
fn home(console: &str) -> Home {
    let home = Home::new(env!("CARGO_BIN_EXE_dedup-under-test"));
    certificate(&home, "console", 30);
    settings(&home, console);
    home
}

fn settings(home: &Home, console: &str) {
    let files = "tls-certificate = '~/console.pem'\ntls-key = '~/console.key'\n";
    home.write(
        ".config/dedup/dedup.toml",
        format!("[console]\n{files}{console}\n"),
    );
}

fn choose_password(home: &Home) {
    let steps = [("New password: ", PASSWORD), ("Repeat password: ", PASSWORD)];
    let done = home
        .on_terminal(&[], &["console", "--set-password"], &steps)
        .ends(0);
    shows(&done, &["has a new password"]);
}

/// A running console, ended with the test.
struct Running {
    child: Child,
    told: Value,
    port: u16,
    /// What curl trusts.
    root: PathBuf,
}

struct Answer {
    /// Of curl.
    code: i32,
    status: u16,
    head: String,
    body: String,
}

impl Running {
    fn start(home: &Home, args: &[&str]) -> Running {
        let all = [&["console", "--json"], args].concat();
        let mut child = home.command(&all).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        let told = objects(&line).remove(0);
        let url = string(&told, "url");
        Running {
            child,
            port: url
                .trim_end_matches('/')
                .rsplit(':')
                .next()
                .unwrap()
                .parse()
                .unwrap(),
            told,
            root: home.path("console.pem"),
        }
    }

    /// A request to `https://HOST:PORT/path`, which leads to this machine whatever the host.
    fn curl(&self, host: &str, path: &str, args: &[&str]) -> Answer {
        let port = self.port;
        let done = Command::new("curl")
            .args(["-s", "-i", "--max-time", "120", "--cacert"])
            .arg(&self.root)
            .args(["--resolve", &format!("{host}:{port}:127.0.0.1")])
            .args(args)
            .arg(format!("https://{host}:{port}{path}"))
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_default();
        Answer {
            code: done.status.code().unwrap(),
            status: head.split(' ').nth(1).map_or(0, |word| word.parse().unwrap()),
            head: head.to_ascii_lowercase(),
            body: body.to_string(),
        }
    }

    /// Of a console without TLS.
    fn curl_plain(&self, path: &str) -> u16 {
        let port = self.port;
        let done = Command::new("curl")
            .args(["-s", "-o", "/dev/null", "-w", "%{http_code}"])
            .arg(format!("http://127.0.0.1:{port}{path}"))
            .output()
            .unwrap();
        String::from_utf8(done.stdout).unwrap().parse().unwrap()
    }

    fn status(&self, host: &str, path: &str) -> u16 {
        self.curl(host, path, &[]).status
    }

    /// The answer to logging in from a page at this origin.
    fn log_in(&self, host: &str, origin: &str) -> Answer {
        let origin = format!("Origin: {origin}");
        let password = format!("password={PASSWORD}");
        self.curl(host, "/login", &["-H", &origin, "--data-urlencode", &password])
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// What is answered to these bytes before the connection is closed.
    fn raw(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = self.connect();
        stream.write_all(bytes).unwrap();
        let mut answer = Vec::new();
        // A reset, if it had no interest in all of it.
        let _ = stream.read_to_end(&mut answer);
        answer
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended can't be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Each thing that is missing, alone.
#[test]
fn what_other_machines_can_reach_needs_all_of_it() {
    let home = home("allowed-hosts = ['localhost']");
    let start = ["console", "--listen", "0.0.0.0:0"];
    home.ends(2, &start).says(&["no password", "--set-password"]);
    home.ends(2, &[&start[..], &["--reset-password"]].concat())
        .says(&["--set-password"]);
    home.ends(2, &["console", "--set-password"])
        .says(&["no terminal"]);
    let short = [("New password: ", "short"), ("Repeat password: ", "short")];
    let refused = home
        .on_terminal(&[], &["console", "--set-password"], &short)
        .ends(2);
    shows(&refused, &["8 characters"]);
    home.ends(2, &start).says(&["no password"]);
    choose_password(&home);
    settings(&home, "");
    home.ends(2, &start).says(&["allowed-hosts"]);
    for address in ["192.168.1.2:0", "[::]:0", "8.8.8.8:80"] {
        home.write(".config/dedup/dedup.toml", "");
        home.ends(2, &["console", "--listen", address])
            .says(&["TLS", address]);
    }
    let kept = fs::read_to_string(home.path(".local/state/dedup/console/password")).unwrap();
    assert!(!kept.contains(PASSWORD));
}

/// Files that hold something else are told at the start, and by `doctor`.
#[test]
fn certificates_that_do_not_work() {
    let home = home("");
    let other = certificate(&home, "other", 30);
    let key = home.path("console.key");
    let good = fs::read(&key).unwrap();
    let cases: [(&[u8], i32, &str); 3] = [
        (
            &fs::read(other.with_extension("key")).unwrap(),
            2,
            "does not belong",
        ),
        (
            b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
            2,
            "no private key",
        ),
        (b"", 2, "no private key"),
    ];
    for (bytes, code, words) in cases {
        fs::write(&key, bytes).unwrap();
        home.ends(code, &["console", "--listen", "127.0.0.1:0"])
            .says(&[words, "console.key"]);
        shows(&home.ends(3, &["doctor"]), &[words]);
    }
    fs::remove_file(&key).unwrap();
    home.ends(1, &["console", "--listen", "127.0.0.1:0"])
        .says(&["console.key"]);
    fs::write(&key, good).unwrap();
    shows(&home.run(&["doctor"]), &["certificate is valid until"]);
    fs::write(home.path("console.pem"), "nothing").unwrap();
    home.ends(2, &["console", "--listen", "127.0.0.1:0"])
        .says(&["no certificate"]);
}

/// It starts, as browsers may be told to go on; but it says so.
#[test]
fn certificates_that_expire() {
    let home = home("");
    certificate(&home, "console", 5);
    let soon = Running::start(&home, &["--listen", "127.0.0.1:0"]);
    assert_eq!(soon.told["certificate"]["mark"], "warning");
    certificate(&home, "console", -1);
    let late = Running::start(&home, &["--listen", "127.0.0.1:0"]);
    assert_eq!(late.told["certificate"]["mark"], "problem");
    assert!(string(&late.told["certificate"], "message").contains("expired"));
    shows(&home.ends(3, &["doctor"]), &["expired", "replace the file"]);
    shows(&home.ends(3, &["--lang", "ja", "doctor"]), &["期限が切れた"]);
    assert_eq!(late.curl("localhost", "/login", &[]).code, 60, "curl refuses it");
}

#[test]
fn a_visit_over_the_network() {
    let home = home("listen = '0.0.0.0:0'\nallowed-hosts = ['backup.example.jp', '127.0.0.1']");
    choose_password(&home);
    let console = Running::start(&home, &[]);
    assert!(string(&console.told, "url").starts_with("https://backup.example.jp:"));
    assert!(console.told["link"].is_null());
    assert_eq!(console.told["certificate"]["mark"], "ok");
    let (name, port) = ("backup.example.jp", console.port);
    let own = format!("https://{name}:{port}");
    assert_eq!(console.status(name, "/"), 303, "to the door");
    assert_eq!(console.status("127.0.0.1", "/login"), 200);
    for host in ["evil.example", "backup.example.jp.evil.example"] {
        assert_eq!(console.curl(host, "/login", &["-k"]).status, 421, "{host}");
    }
    for origin in [
        format!("http://{name}:{port}"),
        format!("https://{name}"),
        format!("https://evil.example:{port}"),
        "null".to_string(),
    ] {
        let refused = console.log_in(name, &origin);
        assert!(
            refused.status == 403 && !refused.head.contains("set-cookie"),
            "{origin}"
        );
    }
    let entered = console.log_in(name, &own);
    assert_eq!(entered.status, 303, "{}", entered.body);
    let lines = entered.head.lines();
    let cookie = lines
        .filter_map(|line| line.strip_prefix("set-cookie: "))
        .next()
        .unwrap();
    for word in [
        &format!("__host-dedup-{port}="),
        "; secure",
        "; httponly",
        "; samesite=strict",
        "; path=/",
    ] {
        assert!(cookie.contains(word), "{cookie}");
    }
    assert!(!cookie.contains("domain"), "{cookie}");
    // Browsers would hold all ports of the name to it.
    assert!(
        !entered.head.contains("strict-transport-security"),
        "{}",
        entered.head
    );
    let id = cookie.split(['=', ';']).nth(1).unwrap();
    let as_session = |name: &str| format!("Cookie: {name}={id}");
    let with = |cookie: &str| console.curl(name, "/api/status", &["-H", cookie]).status;
    assert_eq!(with(&as_session(&format!("__Host-dedup-{port}"))), 200);
    assert_eq!(
        with(&as_session(&format!("dedup-{port}"))),
        401,
        "one that HTTP could have set"
    );
    // What opens it stays out of the log.
    let log = fs::read_to_string(home.path(".local/state/dedup/logs/dedup.log")).unwrap_or_default();
    assert!(!log.contains(id) && !log.contains(PASSWORD), "{log}");
    let start = console.curl(
        name,
        "/start",
        &[
            "-H",
            &format!("Origin: {own}"),
            "-d",
            "link=&password=another+horse&again=another+horse",
        ],
    );
    assert_eq!(start.status, 403, "no link opens it");
}

/// Even if it is the one before.
#[test]
fn a_new_password_logs_everybody_out() {
    let home = home("");
    choose_password(&home);
    let console = Running::start(&home, &["--listen", "127.0.0.1:0"]);
    let entered = console.log_in("localhost", &format!("https://localhost:{}", console.port));
    let cookie = entered.head.split("set-cookie: __host-").nth(1).unwrap();
    let cookie = format!("Cookie: __Host-{}", cookie.split(';').next().unwrap());
    let status = || console.curl("localhost", "/api/status", &["-H", &cookie]).status;
    assert_eq!(status(), 200);
    choose_password(&home);
    assert_eq!(status(), 401);
}

#[test]
fn clients_that_do_not_speak_as_they_should() {
    let home = home("");
    let console = Running::start(&home, &["--listen", "127.0.0.1:0"]);
    let plain = console.raw(b"GET /login HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let plain = String::from_utf8(plain).unwrap();
    assert!(
        plain.starts_with("HTTP/1.1 400 ") && plain.contains("https://"),
        "{plain}"
    );
    assert!(!plain.contains("<html"), "{plain}");
    let large = console.raw(format!("POST / HTTP/1.1\r\n\r\n{}", "x".repeat(20_000)).as_bytes());
    assert!(String::from_utf8(large).unwrap().contains("https://"));
    assert!(
        console.raw(b"\x16\x03\x01\xff\xffnothing of TLS").len() <= 7,
        "an alert at most"
    );
    // Versions that are broken. The client would refuse them, too, unless it is told not to.
    for version in ["1.0", "1.1"] {
        let args = [
            "--tls-max",
            version,
            "--tlsv1.0",
            "--ciphers",
            "DEFAULT@SECLEVEL=0",
        ];
        assert_eq!(
            console.curl("localhost", "/login", &args).code,
            35,
            "TLS {version}"
        );
    }
    for version in ["1.2", "1.3"] {
        let args = ["--tls-max", version, &format!("--tlsv{version}")];
        assert_eq!(
            console.curl("localhost", "/login", &args).status,
            200,
            "TLS {version}"
        );
    }
    let weak = [
        "--tls-max",
        "1.2",
        "--ciphers",
        "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0",
    ];
    assert_eq!(
        console.curl("localhost", "/login", &weak).code,
        35,
        "a cipher of old"
    );
    let mut stranger = Running::start(&home, &["--listen", "127.0.0.1:0"]);
    stranger.root = certificate(&home, "other", 30);
    assert_eq!(stranger.curl("localhost", "/login", &[]).code, 60, "another root");
}

/// Many who connect and say nothing, or half of what they should, do not keep others out, and are let go.
#[test]
fn those_who_say_nothing() {
    let home = home("");
    let console = Running::start(&home, &["--listen", "127.0.0.1:0"]);
    let mut silent: Vec<TcpStream> = (0..100).map(|_| console.connect()).collect();
    for (nr, stream) in silent.iter_mut().enumerate() {
        let begun: &[u8] = [&b""[..], b"\x16", b"\x16\x03\x01\x02\x00\x01\x00"][nr % 3];
        stream.write_all(begun).unwrap();
    }
    assert_eq!(console.status("localhost", "/login"), 200);
    for stream in &mut silent {
        // The end, or a reset: either is no timeout.
        let ended = stream.read(&mut [0; 64]);
        let kind = ended.err().map(|e| e.kind());
        assert!(
            kind.is_none_or(|kind| kind == std::io::ErrorKind::ConnectionReset),
            "{kind:?}"
        );
    }
    assert_eq!(console.status("localhost", "/login"), 200);
}

fn replace(home: &Home, from: &Path) {
    for end in ["pem", "key"] {
        let place = home.path("console.pem").with_extension(end);
        fs::copy(from.with_extension(end), place).unwrap();
    }
}

#[test]
fn a_certificate_that_is_renewed() {
    let home = home("");
    let (first, second) = (certificate(&home, "first", 30), certificate(&home, "second", 30));
    replace(&home, &first);
    let mut console = Running::start(&home, &["--listen", "127.0.0.1:0"]);
    let trusting = |console: &mut Running, root: &Path| {
        console.root = root.to_path_buf();
        console.curl("localhost", "/login", &[]).code
    };
    assert_eq!(
        (trusting(&mut console, &first), trusting(&mut console, &second)),
        (0, 60)
    );
    // Only one of the two is there yet.
    fs::copy(&second, home.path("console.pem")).unwrap();
    assert_eq!(trusting(&mut console, &first), 0, "the one before still serves");
    let log = fs::read_to_string(home.path(".local/state/dedup/logs/dedup.log")).unwrap();
    assert_eq!(log.matches("console-certificate").count(), 1, "{log}");
    replace(&home, &second);
    assert_eq!(
        (trusting(&mut console, &first), trusting(&mut console, &second)),
        (60, 0)
    );
    fs::remove_file(home.path("console.pem")).unwrap();
    assert_eq!(trusting(&mut console, &second), 0);
}
