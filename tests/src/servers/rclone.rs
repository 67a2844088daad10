//! What rclone serves of a folder: S3, WebDAV.

use super::{Process, ports, program, wait_for};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

pub const USER: &str = "tests";
pub const PASSWORD: &str = "p/ss of the:tests";

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Serve {
    S3,
    WebDav,
}

pub struct Rclone {
    rclone: PathBuf,
    serve: Serve,
    dir: tempfile::TempDir,
    port: u16,
    process: Option<Process>,
    folders: AtomicUsize,
    /// More arguments of the server.
    more: Vec<String>,
}

impl Rclone {
    pub fn start(serve: Serve, more: &[&str], test: &str) -> Option<Rclone> {
        let mut server = Rclone {
            rclone: program("rclone", test)?,
            serve,
            dir: tempfile::tempdir().unwrap(),
            port: ports::<1>()[0],
            process: None,
            folders: AtomicUsize::new(0),
            more: more.iter().map(ToString::to_string).collect(),
        };
        std::fs::create_dir_all(server.root().join("test")).unwrap();
        server.resume();
        Some(server)
    }

    /// The folder that is served.
    pub fn root(&self) -> PathBuf {
        self.dir.path().join("served")
    }

    pub fn kill(&mut self) {
        self.process = None;
    }

    pub fn resume(&mut self) {
        let log = self.dir.path().join("log");
        let mut command = Command::new(&self.rclone);
        command.env("RCLONE_CONFIG", "/dev/null").args(["serve"]);
        match self.serve {
            Serve::S3 => command.args(["s3", "--auth-key", &format!("{USER},{PASSWORD}")]),
            Serve::WebDav => command.args(["webdav", "--user", USER, "--pass", PASSWORD]),
        };
        command
            .arg(format!("--addr=127.0.0.1:{}", self.port))
            .args(&self.more)
            .arg(self.root());
        self.process = Some(Process::start(&command, &log));
        wait_for(self.port, &log);
    }

    /// A URL of an empty place each time, and with credentials.
    pub fn url(&self) -> String {
        let folder = self.folders.fetch_add(1, Relaxed);
        let (port, password) = (self.port, "p%2Fss%20of%20the%3Atests");
        match self.serve {
            Serve::S3 => {
                format!("s3://{USER}:{password}@test/p{folder}?endpoint=http://127.0.0.1:{port}")
            }
            Serve::WebDav => {
                // Its parent need not be there.
                format!(
                    "{}://{USER}:{password}@127.0.0.1:{port}/new/p{folder}",
                    self.scheme()
                )
            }
        }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    fn scheme(&self) -> &'static str {
        if self.more.iter().any(|arg| arg.starts_with("--cert")) {
            "webdavs"
        } else {
            "webdav"
        }
    }

    pub fn served(&self, below: impl AsRef<Path>) -> PathBuf {
        self.root().join(below)
    }
}
