//! Servers that go away, refuse logins, or are not who they claim to be: the exit code, the message, and that the next
//! run goes on.

use chunkstore::SessionId;
use chunkstore::remote::{self, Link, ObjectName, Published};
use kit::program::{Home, Run};
use kit::random::Random;
use kit::servers::postbox::Certificate;
use kit::servers::{Proxy, Rclone, Seaweed, Serve, Sshd};
use std::process::{Command, Stdio};
use std::time::Duration;

pub struct Site {
    pub home: Home,
    pub url: String,
    key: String,
    pub source: String,
}

impl Site {
    /// A repository with one small snapshot, and a source that grew since.
    pub fn new(url: String) -> Site {
        let home = Home::new(env!("CARGO_BIN_EXE_dedup-under-test"));
        let site = Site {
            key: home.text("key"),
            source: home.text("source"),
            url,
            home,
        };
        site.home.write("source/small", "first");
        site.args(&["init", "--no-recovery"]).ends(0);
        site.args(&["backup", &site.source]).ends(0);
        for n in 0..6 {
            let mut noise = vec![0; 30_000_000];
            Random::new(n).fill(&mut noise);
            site.home.write(&format!("source/large{n}"), noise);
        }
        site
    }

    pub fn command(&self, args: &[&str]) -> Command {
        self.home
            .command(&[&["-r", &self.url, "--key-file", &self.key], args].concat())
    }

    pub fn args(&self, args: &[&str]) -> Run {
        self.home
            .run(&[&["-r", self.url.as_str(), "--key-file", &self.key], args].concat())
    }

    /// A server that was killed answers some requests before it can answer all: asked until it does, for a while.
    pub fn snapshots(&self) -> usize {
        let started = std::time::Instant::now();
        let mut run = self.args(&["snapshots", "--json"]);
        while run.code != 0 && started.elapsed() < Duration::from_secs(120) {
            std::thread::sleep(Duration::from_secs(1));
            run = self.args(&["snapshots", "--json"]);
        }
        run.ends(0).objects().len()
    }
}

impl Site {
    /// The latest snapshot comes back whole.
    #[track_caller]
    pub fn restored(&self, name: &str) {
        let target = self.home.text(name);
        self.args(&["restore", "latest", "--target", &target]).ends(0);
        self.compare(&target);
    }

    /// What lies in a target is what the source holds.
    #[track_caller]
    pub fn compare(&self, target: &str) {
        let restored = format!("{target}{}", self.source);
        for n in 0..6 {
            let read = |folder: &str| std::fs::read(format!("{folder}/large{n}")).unwrap();
            assert!(read(&restored) == read(&self.source), "{n}");
        }
    }
}

/// Runs `command`; after a while `server` goes away, and comes back after another.
fn interrupted(command: Command, mut server: impl FnMut(bool)) -> (i32, String) {
    interrupted_by(command, || {
        server(false);
        std::thread::sleep(Duration::from_millis(1500));
        server(true);
    })
}

/// Runs `command`, and after a while `happening`.
pub fn interrupted_by(mut command: Command, happening: impl FnOnce()) -> (i32, String) {
    let child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(700));
    happening();
    let output = child.wait_with_output().unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

fn restart(site: &Site, mut server: impl FnMut(bool)) {
    let (code, said) = interrupted(site.command(&["backup", &site.source]), &mut server);
    assert_eq!(code, 0, "{said}");
    let target = site.home.text("target");
    let (code, said) = interrupted(
        site.command(&["restore", "latest", "--target", &target]),
        &mut server,
    );
    assert_eq!(code, 0, "{said}");
    site.compare(&target);
    assert_eq!(site.snapshots(), 2);
    site.args(&["check"]).ends(0);
}

#[test]
fn seaweedfs_is_killed_and_comes_back() {
    if let Some(mut server) = Seaweed::start("seaweedfs_is_killed_and_comes_back") {
        let site = Site::new(server.url());
        restart(&site, |up| if up { server.resume() } else { server.kill() });
    }
}

#[test]
fn a_webdav_server_is_killed_and_comes_back() {
    if let Some(mut server) = Rclone::start(Serve::WebDav, &[], "a_webdav_server_is_killed_and_comes_back") {
        let site = Site::new(server.url());
        restart(&site, |up| if up { server.resume() } else { server.kill() });
    }
}

/// A server that stays away ends the run after the patience that the URL gives, with nothing published.
#[test]
fn a_server_that_stays_away() {
    let Some(mut server) = Rclone::start(Serve::WebDav, &[], "a_server_that_stays_away") else {
        return;
    };
    let mut site = Site::new(format!("{}?retry=2", server.url()));
    server.kill();
    let run = site.args(&["backup", &site.source]).ends(1);
    let run = run.says(&["refused", "tried", "run the command again"]);
    assert!(!run.err.contains("ss of"), "{}", run.err);
    server.resume();
    assert_eq!(site.snapshots(), 1);
    // The long patience is for a storage that was reached.
    site.args(&["backup", &site.source]).ends(0);
    assert_eq!(site.snapshots(), 2);
    site.url = site.url.replace("ss%20of", "wrong");
    site.args(&["snapshots"]).ends(1).says(&["401"]);
}

#[test]
fn keys_that_are_not_let_in() {
    if let Some(server) = Sshd::start("keys_that_are_not_let_in") {
        let site = Site::new(server.url());
        server.revoke();
        site.args(&["backup", &site.source])
            .ends(1)
            .says(&["Permission denied"]);
        server.allow();
        site.args(&["backup", &site.source]).ends(0);
        assert_eq!(site.snapshots(), 2);
    }
}

#[test]
fn credentials_that_are_revoked() {
    if let Some(mut server) = Seaweed::start("credentials_that_are_revoked") {
        let site = Site::new(server.url());
        server.kill();
        server.allow(&["Read", "List"]);
        server.resume();
        let run = site.args(&["backup", &site.source]).ends(1);
        run.says(&["AccessDenied"]);
        assert_eq!(site.snapshots(), 1, "reading is still allowed");
    }
}

/// An untrusted certificate is refused at once, unless it is given as `ca`.
#[test]
fn certificates() {
    let dir = tempfile::tempdir().unwrap();
    let Some(certificate) = Certificate::new(dir.path(), "certificates") else {
        return;
    };
    let [cert, key] = [&certificate.path, &certificate.key].map(|path| path.display().to_string());
    let more = ["--cert", &cert, "--key", &key];
    let Some(server) = Rclone::start(Serve::WebDav, &more, "certificates") else {
        return;
    };
    let home = Home::new(env!("CARGO_BIN_EXE_dedup-under-test"));
    let url = server.url();
    let run = home.run(&["-r", &url, "--key-file", &home.text("key"), "init"]);
    run.ends(1).says(&["certificate", "is not trusted", "'?ca=FILE'"]);
    let trusting = format!("{url}?ca={cert}");
    home.ok(&["-r", &trusting, "--key-file", &home.text("key"), "init"]);
}

/// I-13: what was created by a try whose reply was lost is one's own; what is there of others is not.
#[test]
fn lost_replies() {
    let Some(server) = Seaweed::start("lost_replies") else {
        return;
    };
    let proxy = Proxy::start(server.port());
    let remote = remote::open(&server.url_at(proxy.port()), &Link::default()).unwrap();
    let name = |n| ObjectName::session(SessionId([n; 16]));
    remote.put(&name(1), b"theirs").unwrap();
    for (n, bytes, expected) in [
        (2, b"ours".as_slice(), Published::Created),
        (1, b"others", Published::Exists),
        (1, b"theirs-and-more", Published::Exists),
        (3, b"", Published::Created),
    ] {
        proxy.lose_replies(1);
        assert_eq!(remote.put(&name(n), bytes).unwrap(), expected, "{n}");
        assert_eq!(proxy.left(), 0, "a reply was lost");
    }
    assert_eq!(remote.get(&name(1), 100).unwrap(), b"theirs");
    assert_eq!(remote.get(&name(2), 100).unwrap(), b"ours");
    assert_eq!(
        remote.put(&name(2), b"ours").unwrap(),
        Published::Exists,
        "no reply was lost"
    );
}
