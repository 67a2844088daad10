//! SeaweedFS with its S3 gateway: master, volume server, filer and gateway in one process.

use super::{Process, listens, ports, program, said};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

pub const KEY: &str = "testkey";
pub const SECRET: &str = "s3cr3t-of-the-tests";

pub struct Seaweed {
    weed: PathBuf,
    dir: tempfile::TempDir,
    ports: [u16; 8],
    process: Option<Process>,
    prefixes: AtomicUsize,
}

impl Seaweed {
    /// A server with one bucket, `test`.
    pub fn start(test: &str) -> Option<Seaweed> {
        let mut server = Seaweed {
            weed: program("weed", test)?,
            dir: tempfile::tempdir().unwrap(),
            ports: ports(),
            process: None,
            prefixes: AtomicUsize::new(0),
        };
        server.allow(&["Admin", "Read", "Write", "List", "Tagging"]);
        std::fs::create_dir(server.dir.path().join("data")).unwrap();
        // Between looking for free ports and listening there, another test may take one.
        let is_up = (0..5).any(|_| {
            (server.process, server.ports) = (None, ports());
            server.is_up()
        });
        assert!(is_up, "no server:\n{}", said(&server.log()));
        make_bucket(&server.weed, [server.ports[0], server.ports[1]]);
        Some(server)
    }

    /// What the one identity may do; read when the server starts.
    pub fn allow(&self, actions: &[&str]) {
        std::fs::write(self.dir.path().join("s3.json"), identity(actions)).unwrap();
    }

    /// Ends the server as a power cut would.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it again on the same ports, with the data it had.
    pub fn resume(&mut self) {
        assert!(self.is_up(), "no server:\n{}", said(&self.log()));
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    fn is_up(&mut self) -> bool {
        let (dir, log) = (self.dir.path(), self.log());
        // What an earlier one said is of no interest any more.
        let _ = std::fs::remove_file(&log);
        let options = [
            "master.port",
            "master.port.grpc",
            "volume.port",
            "volume.port.grpc",
            "filer.port",
            "filer.port.grpc",
            "s3.port",
            "s3.port.grpc",
        ];
        let mut command = Command::new(&self.weed);
        command.args([
            "server",
            "-ip=127.0.0.1",
            "-filer",
            "-s3",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            // It reports to its makers otherwise.
            "-master.telemetry=false",
        ]);
        command.args(["-master.volumeSizeLimitMB=64", "-volume.max=40"]);
        command.args(
            options
                .iter()
                .zip(self.ports)
                .map(|(name, port)| format!("-{name}={port}")),
        );
        command.arg(format!("-dir={}", dir.join("data").display()));
        command.arg(format!("-s3.config={}", dir.join("s3.json").display()));
        self.process = Some(Process::start(&command, &log));
        listens(self.ports[6], &log)
    }

    /// A URL with an empty prefix each time, and with credentials.
    pub fn url(&self) -> String {
        self.url_at(self.port())
    }

    /// The same through something that listens elsewhere.
    pub fn url_at(&self, port: u16) -> String {
        let prefix = self.prefixes.fetch_add(1, Relaxed);
        format!("s3://{KEY}:{SECRET}@test/p{prefix}?endpoint=http://127.0.0.1:{port}")
    }

    /// What the server's own shell answers to a command.
    pub fn shell(&self, command: &str) -> String {
        shell(&self.weed, [self.ports[0], self.ports[1]], command)
    }

    pub fn port(&self) -> u16 {
        self.ports[6]
    }
}

/// The configuration of a gateway that knows one identity.
pub(super) fn identity(actions: &[&str]) -> String {
    let config = serde_json::json!({ "identities": [{
        "name": "tests",
        "credentials": [{ "accessKey": KEY, "secretKey": SECRET }],
        "actions": actions,
    }]});
    config.to_string()
}

/// Waits until the servers that belong to a master can make the bucket.
pub(super) fn make_bucket(weed: &Path, master: [u16; 2]) {
    let started = Instant::now();
    loop {
        let said = shell(weed, master, "s3.bucket.create -name test");
        if said.contains("created bucket") {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(180), "no bucket: {said}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// What the servers' own shell answers to a command.
fn shell(weed: &Path, [port, grpc]: [u16; 2], command: &str) -> String {
    let mut shell = Command::new(weed)
        .args(["shell", &format!("-master=127.0.0.1:{port}.{grpc}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = shell.stdin.take().unwrap();
    stdin.write_all(format!("{command}\n").as_bytes()).unwrap();
    drop(stdin);
    let said = shell.wait_with_output().unwrap();
    format!(
        "{}{}",
        String::from_utf8_lossy(&said.stdout),
        String::from_utf8_lossy(&said.stderr)
    )
}
