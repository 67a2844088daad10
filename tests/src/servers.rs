//! Real servers on loopback, each with a folder and ports of its own. They go with their value, and with the tests'
//! process however that ends.

mod bus;
mod cluster;
mod forward;
mod link;
mod ntfy;
pub mod postbox;
mod proxy;
mod rclone;
mod scripted;
mod seaweed;
mod sshd;

pub use bus::Bus;
pub use cluster::Cluster;
pub use forward::Forward;
pub use link::Link;
pub use ntfy::Ntfy;
pub use proxy::Proxy;
pub use rclone::{Rclone, Serve};
pub use scripted::{Answer, scripted};
pub use seaweed::{SECRET as SEAWEED_SECRET, Seaweed};
pub use sshd::Sshd;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest start of a server on a busy machine.
const START: Duration = Duration::from_secs(60);
/// How servers say that they could not have their port.
const TAKEN: &str = "address already in use";

/// A program that `scripts/servers.sh` installs. If it is missing the test is skipped, with a message.
pub fn program(name: &str, test: &str) -> Option<PathBuf> {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let servers = std::env::var_os("DEDUP_SERVERS").map(PathBuf::from);
    let servers = servers.unwrap_or_else(|| home.join(".cache/dedup/servers"));
    let places = [servers.join("bin").join(name), Path::new("/usr/sbin").join(name)];
    let found = places.into_iter().find(|path| path.is_file());
    if found.is_none() {
        // Not through the test harness, which would keep it to itself.
        let word = format!("SKIPPED {test}: there is no {name}; scripts/servers.sh installs it\n");
        let _ = std::io::Write::write_all(&mut std::io::stderr(), word.as_bytes());
    }
    found
}

/// Ports that were free a moment ago.
pub fn ports<const N: usize>() -> [u16; N] {
    let listeners: [TcpListener; N] = std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

/// A server under way.
pub struct Process(Child);

impl Process {
    /// Starts `command` so that it ends when its standard input does: with this value, or with this process.
    pub fn start(command: &Command, log: &Path) -> Process {
        let script = r#""$@" </dev/null & server=$!; cat >/dev/null; kill -9 $server; wait $server"#;
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(log)
            .unwrap();
        let mut shell = Command::new("sh");
        shell
            .args(["-c", script, "sh"])
            .arg(command.get_program())
            .args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        shell
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        Process(shell.spawn().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// Waits until something listens.
#[track_caller]
pub fn wait_for(port: u16, log: &Path) {
    assert!(listens(port, log), "no server at {port}:\n{}", said(log));
}

/// The same; false if it does not, for example because somebody else was quicker to take a port.
fn listens(port: u16, log: &Path) -> bool {
    let (address, started) = (SocketAddr::from(([127, 0, 0, 1], port)), Instant::now());
    while TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err() {
        if started.elapsed() > START || said(log).contains(TAKEN) {
            return false;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    true
}

fn said(log: &Path) -> String {
    std::fs::read_to_string(log).unwrap_or_default()
}
