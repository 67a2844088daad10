//! OpenSSH with keys and a configuration of its own, for the user that runs the tests.

use super::{Process, ports, program, wait_for};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

pub struct Sshd {
    sshd: PathBuf,
    dir: tempfile::TempDir,
    port: u16,
    process: Option<Process>,
    folders: AtomicUsize,
}

impl Sshd {
    pub fn start(test: &str) -> Option<Sshd> {
        let mut server = Sshd {
            sshd: program("sshd", test)?,
            dir: tempfile::tempdir().unwrap(),
            port: ports::<1>()[0],
            process: None,
            folders: AtomicUsize::new(0),
        };
        if rustix::process::geteuid().is_root() {
            std::fs::create_dir_all("/run/sshd").unwrap();
        }
        server.make_key("host");
        server.make_key("user");
        server.allow();
        server.configure();
        server.resume();
        Some(server)
    }

    fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(below)
    }

    fn text(&self, below: &str) -> String {
        self.path(below).display().to_string()
    }

    fn make_key(&self, name: &str) {
        let made = Command::new("ssh-keygen")
            .args([
                "-q",
                "-t",
                "ed25519",
                "-N",
                "",
                "-C",
                name,
                "-f",
                &self.text(name),
            ])
            .stdin(Stdio::null())
            .status();
        assert!(made.unwrap().success());
    }

    /// Lets the user's key in.
    pub fn allow(&self) {
        std::fs::copy(self.path("user.pub"), self.path("authorized")).unwrap();
    }

    /// Refuses all logins from now on.
    pub fn revoke(&self) {
        std::fs::write(self.path("authorized"), "").unwrap();
    }

    fn configure(&self) {
        let server = format!(
            "Port {}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\nPermitRootLogin yes\n\
             MaxStartups 100\nSubsystem sftp internal-sftp\n",
            self.port,
            self.text("host"),
            self.text("authorized"),
        );
        std::fs::write(self.path("sshd_config"), server).unwrap();
        let host = std::fs::read_to_string(self.path("host.pub")).unwrap();
        let known = format!("[127.0.0.1]:{} {host}", self.port);
        std::fs::write(self.path("known_hosts"), known).unwrap();
        let client = format!(
            "UserKnownHostsFile {}\nGlobalKnownHostsFile /dev/null\nStrictHostKeyChecking yes\n",
            self.text("known_hosts")
        );
        std::fs::write(self.path("ssh_config"), client).unwrap();
    }

    /// Ends the server; sessions that are open are processes of their own, and live on.
    pub fn kill(&mut self) {
        self.process = None;
    }

    pub fn resume(&mut self) {
        let log = self.path("log");
        let mut command = Command::new(&self.sshd);
        command.args(["-D", "-e", "-f", &self.text("sshd_config")]);
        self.process = Some(Process::start(&command, &log));
        wait_for(self.port, &log);
    }

    /// What lies below the folder that is served.
    pub fn served(&self, below: &str) -> PathBuf {
        self.path("served").join(below)
    }

    /// A URL of an empty place each time, whose parent need not be there.
    pub fn url(&self) -> String {
        let folder = self.folders.fetch_add(1, Relaxed);
        let root = self.text(&format!("served/new/p{folder}"));
        let (config, identity) = (self.text("ssh_config"), self.text("user"));
        format!(
            "sftp://127.0.0.1:{}{root}?config={config}&identity={identity}",
            self.port
        )
    }
}
