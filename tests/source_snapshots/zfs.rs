//! The same on ZFS: that of the kernel, or `zfs-fuse`, which the test starts.

use super::{SNAPSHOTS, backup, home, nothing_is_new, run};
use kit::program::Home;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A pool in a file, with the datasets `src` and `src/below`, mounted at `mnt` and below it.
struct Pool {
    name: String,
    daemon: Option<Child>,
}

impl Pool {
    /// `None`, with a message, where there can be none.
    fn new(home: &Home) -> Option<Pool> {
        let image = home.text("image");
        fs::File::create(&image).unwrap().set_len(128 << 20).unwrap();
        let daemon = match run("zpool", &["list"]) {
            true => None,
            false => start_daemon(),
        };
        let pool = Pool {
            name: format!("deduptest{}", std::process::id()),
            daemon,
        };
        let (src, below) = (pool.dataset("src"), pool.dataset("src/below"));
        let mountpoint = format!("mountpoint={}", home.text("mnt"));
        let made = run("zpool", &["create", "-m", "none", &pool.name, &image])
            && run("zfs", &["create", "-o", &mountpoint, &src])
            && run("zfs", &["create", &below]);
        if !made {
            eprintln!("no ZFS pool can be made here (root, ZFS or zfs-fuse): nothing was tested");
        }
        made.then_some(pool)
    }

    fn dataset(&self, name: &str) -> String {
        format!("{}/{name}", self.name)
    }

    /// Snapshots and clones of ours.
    fn left(&self) -> Vec<String> {
        let listed = Command::new("zfs")
            .args(["list", "-H", "-o", "name", "-t", "all", "-r", &self.name])
            .output();
        let listed = String::from_utf8(listed.unwrap().stdout).unwrap();
        let ours = listed.lines().filter(|name| name.contains("dedup-"));
        ours.map(String::from).collect()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let destroyed = (0..50).any(|_| {
            let is_gone =
                run("zpool", &["destroy", "-f", &self.name]) || !run("zpool", &["list", &self.name]);
            if !is_gone {
                std::thread::sleep(Duration::from_millis(200));
            }
            is_gone
        });
        if let Some(daemon) = &mut self.daemon {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
        assert!(
            destroyed || std::thread::panicking(),
            "the pool {} is left",
            self.name
        );
    }
}

fn start_daemon() -> Option<Child> {
    let child = Command::new("zfs-fuse")
        .arg("--no-daemon")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let deadline = Instant::now() + Duration::from_secs(20);
    while !run("zpool", &["list"]) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
    }
    Some(child)
}

/// A backup that has made its snapshots and now waits for somebody to write into a FIFO.
fn held(home: &Home) -> Child {
    let fifo = home.text("fifo");
    if !Path::new(&fifo).exists() {
        assert!(run("mkfifo", &[&fifo]));
    }
    let source = home.text("mnt");
    let args = [
        "backup",
        "--source-snapshot",
        "required",
        "--read-special",
        &source,
        &fifo,
    ];
    let child = home
        .command(&args)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let deadline = Instant::now() + Duration::from_secs(120);
    let is_made = |folder: &str, file: &str| {
        let entries = fs::read_dir(home.path(folder).join(SNAPSHOTS))
            .into_iter()
            .flatten();
        entries.flatten().any(|entry| entry.path().join(file).exists())
    };
    while !(is_made("mnt", "a") && is_made("mnt/below", "b")) {
        assert!(Instant::now() < deadline, "no snapshots were made");
        std::thread::sleep(Duration::from_millis(20));
    }
    child.unwrap()
}

/// In one test, as there is one `zfs-fuse` at a time.
#[test]
fn on_zfs() {
    let home = home();
    let Some(pool) = Pool::new(&home) else { return };
    home.write("mnt/a", "one");
    home.write("mnt/below/b", "one");
    // What is written during the run is not in it.
    let child = held(&home);
    for file in ["mnt/a", "mnt/below/b", "mnt/new"] {
        home.write(file, "two");
    }
    fs::write(home.path("fifo"), "go").unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let dump = |file: &str| home.run(&["dump", &home.text(&format!("mnt/{file}"))]);
    assert_eq!(
        (dump("a").out.as_str(), dump("below/b").out.as_str()),
        ("one", "one")
    );
    assert_ne!(dump("new").code, 0);
    assert!(!home.ok(&["ls", "--json"]).out.contains(SNAPSHOTS));
    assert_eq!(pool.left(), [] as [String; 0]);
    // What a killed run left is removed by the next one.
    let mut child = held(&home);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(pool.left().len(), 4, "{:?}", pool.left());
    let source = home.text("mnt");
    backup(&home, "required", &source);
    assert_eq!(pool.left(), [] as [String; 0]);
    nothing_is_new(&home, &source);
}
