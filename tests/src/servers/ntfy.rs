//! A real ntfy server, if there is one: `ntfy` in the path, or where `scripts/servers.sh` puts programs. The script does not
//! install it; `docs.ntfy.sh/install` says how to.

use super::{Process, ports, wait_for};
use std::path::PathBuf;
use std::process::Command;

pub struct Ntfy {
    port: u16,
    _folder: tempfile::TempDir,
    _process: Process,
}

impl Ntfy {
    pub fn start(test: &str) -> Option<Ntfy> {
        let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
        let places = [PathBuf::from("ntfy"), home.join(".cache/dedup/servers/bin/ntfy")];
        let answers = |program: &PathBuf| Command::new(program).arg("--help").output().is_ok();
        let Some(program) = places.into_iter().find(answers) else {
            eprintln!("SKIPPED {test}: there is no ntfy server");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let [port] = ports();
        let (log, cache) = (folder.path().join("log"), folder.path().join("cache.db"));
        let mut command = Command::new(program);
        command
            .args(["serve", "--config", "/dev/null"])
            .arg(format!("--listen-http=127.0.0.1:{port}"))
            .arg(format!("--base-url=http://127.0.0.1:{port}"))
            .arg(format!("--cache-file={}", cache.display()));
        let process = Process::start(&command, &log);
        wait_for(port, &log);
        Some(Ntfy {
            port,
            _folder: folder,
            _process: process,
        })
    }

    /// Where a topic's messages go to.
    pub fn url(&self, topic: &str) -> String {
        format!("http://127.0.0.1:{}/{topic}", self.port)
    }

    /// What a subscriber of the topic gets, as JSON lines.
    pub fn messages(&self, topic: &str) -> String {
        let got = Command::new("curl")
            .args(["-s", &format!("{}/json?poll=1", self.url(topic))])
            .output();
        String::from_utf8(got.unwrap().stdout).unwrap()
    }
}
