//! What the system gives a process is little: descriptors, threads, memory. And what a run has to show for itself when
//! it is stopped or killed while it still uploads.

mod cost;
mod file_size;

use chunkstore::chunker::Bounds;
use chunkstore::config::Config;
use chunkstore::frame::Encoder;
use chunkstore::pack::Class;
use chunkstore::remote::{self, Link, Memory};
use chunkstore::slot::{Cost, new_key_file};
use chunkstore::store::{NewStore, Store};
use chunkstore::writer::Writer;
use kit::generation::noise;
use kit::machine::{self, Machine};
use kit::oracle::{assert_same, walk};
use kit::program::{Home, Run, copy_program, number};
use kit::remotes::Counting;
use kit::servers::{Rclone, Seaweed, Serve, Sshd};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Hard limits too: `ulimit` sets both.
const FEW_FILES: &str = "-n 256";

fn home() -> Home {
    Home::new(env!("CARGO_BIN_EXE_dedup-under-test"))
}

/// Many folders beside each other, many within each other, and files of several chunks.
fn folders(home: &Home, flat: usize, deep: usize) {
    for n in 0..flat {
        home.write(&format!("source/flat/d{n}/f"), n.to_string());
    }
    let mut path = "source/deep".to_string();
    for n in 0..deep {
        path.push_str("/n");
        home.write(&format!("{path}/f"), n.to_string());
    }
    for n in 0..40 {
        home.write(&format!("source/large/l{n}"), noise(n, 3 << 20));
    }
}

/// Files that are as young as the backup before are read again.
#[track_caller]
fn unchanged(summary: &serde_json::Value, files: u64) {
    let found = number(summary, "files_unmodified") + number(summary, "files_changed");
    assert_eq!((number(summary, "files_new"), found), (0, files), "{summary}");
}

#[test]
fn backup_and_restore_with_few_descriptors() {
    let home = home();
    folders(&home, 3000, 1200);
    let run = |args: &[&str]| home.run_limited(FEW_FILES, args).ends(0);
    run(&["init"]);
    let first = run(&["backup", "source", "--json"]).summary();
    assert_eq!(number(&first, "files_new"), 4240);
    let again = run(&["backup", "source", "--json"]).summary();
    unchanged(&again, 4240);
    run(&["backup", "source", "--force"]);
    run(&["restore", "latest", "--target", "target"]);
    let restored = format!("{}{}", home.text("target"), home.text("source"));
    assert_same(
        &walk(&home.path("source")),
        &walk(Path::new(&restored)),
        "restored",
    );
    run(&["check", "--read-data"]);
    fs::remove_dir_all(home.path("source/large")).unwrap();
    run(&["backup", "source"]);
    run(&["prune", "--keep-last", "1", "--keep-trash", "0s", "--yes"]);
    run(&["check", "--read-data"]);
    let copied = |args: &[&str]| run(&[&["-r", "copied", "--key-file", "copied-key"], args].concat());
    copied(&["init", "--no-recovery"]);
    let repository = home.repository();
    let key = home.text(".config/dedup/default.key");
    copied(&[
        "copy",
        "--from",
        repository.to_str().unwrap(),
        "--from-key-file",
        &key,
    ]);
    copied(&["check", "--read-data"]);
}

/// Runs to a server with few descriptors: backup, unchanged backup, restore, check, prune, and a copy to another place
/// there, `second`.
fn over_a_network(url: &str, second: &str) {
    let home = home();
    folders(&home, 500, 300);
    let key = home.text("key");
    let run = |args: &[&str]| {
        let given = ["-r", url, "--key-file", &key];
        home.run_limited(FEW_FILES, &[&given[..], args].concat()).ends(0)
    };
    run(&["init", "--no-recovery"]);
    run(&["backup", "source"]);
    let again = run(&["backup", "source", "--json"]).summary();
    unchanged(&again, 840);
    run(&["restore", "--target", "target"]);
    run(&["check", "--read-data"]);
    run(&["prune", "--keep-last", "1", "--keep-trash", "0s", "--yes"]);
    let copied = |args: &[&str]| {
        let given = ["-r", second, "--key-file", "second-key"];
        home.run_limited(FEW_FILES, &[&given[..], args].concat()).ends(0)
    };
    copied(&["init", "--no-recovery"]);
    copied(&["copy", "--from", url, "--from-key-file", &key]);
    copied(&["check", "--read-data"]);
}

#[test]
fn seaweedfs_with_few_descriptors() {
    if let Some(server) = Seaweed::start("seaweedfs_with_few_descriptors") {
        over_a_network(&server.url(), &server.url());
    }
}

#[test]
fn webdav_with_few_descriptors() {
    if let Some(server) = Rclone::start(Serve::WebDav, &[], "webdav_with_few_descriptors") {
        over_a_network(&server.url(), &server.url());
    }
}

#[test]
fn sftp_with_few_descriptors() {
    if let Some(server) = Sshd::start("sftp_with_few_descriptors") {
        over_a_network(&server.url(), &server.url());
    }
}

/// A server and a repository there with packs so small that a slow link completes some.
struct Slow {
    home: Home,
    server: Rclone,
    url: String,
    /// Folder of the repository on the server's disk.
    folder: std::path::PathBuf,
}

impl Slow {
    fn start(test: &str) -> Option<Slow> {
        let server = Rclone::start(Serve::WebDav, &[], test)?;
        let (home, url) = (home(), server.url());
        let (text, secret) = new_key_file().unwrap();
        home.write("key", text.as_bytes());
        let bounds = Bounds {
            min: 64 << 10,
            avg: 256 << 10,
            max: 1 << 20,
        };
        let mut config = Config::new(bounds, 0);
        config.pack_size = 1 << 20;
        let new = NewStore {
            bounds,
            secrets: &[(secret, "test")],
            cost: Cost::FLOOR,
            now: 0,
        };
        Store::create_with(&*remote::open(&url, &Link::default()).unwrap(), &new, &config).unwrap();
        let below = url.rsplit_once("/new/").unwrap().1.to_string();
        let folder = server.served(Path::new("new").join(below));
        Some(Slow {
            home,
            server,
            url,
            folder,
        })
    }

    fn args<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        [&["-r", &self.url, "--key-file", "key"], more].concat()
    }

    fn run(&self, more: &[&str]) -> Run {
        self.home.run(&self.args(more))
    }

    fn begin(&self, rate: &str) -> Child {
        let args = self.args(&["backup", "source", "--limit-upload", rate]);
        self.home
            .command(&args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    fn objects(&self, kind: &str) -> usize {
        let folder = self.folder.join(kind);
        match folder.is_dir() {
            true => self.home.contents(&folder).len(),
            false => 0,
        }
    }

    #[track_caller]
    fn wait_until(&self, child: &mut Child, what: &str, there: impl Fn() -> bool) {
        let started = Instant::now();
        while !there() {
            assert!(child.try_wait().unwrap().is_none(), "ended before {what}");
            assert!(started.elapsed() < Duration::from_secs(120), "no {what}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Inside one huge file there is no generation to publish, and still little is sent again after a crash.
#[test]
fn a_kill_inside_a_large_file_loses_little() {
    let Some(slow) = Slow::start("a_kill_inside_a_large_file_loses_little") else {
        return;
    };
    slow.home.write("source/huge", noise(7, 40 << 20));
    let mut child = slow.begin("2M");
    // The first lists what went in two seconds, which may be less than the 4 MiB asked for below.
    slow.wait_until(&mut child, "index segments", || slow.objects("index") > 1);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(slow.objects("snapshots"), 0);
    let sent = slow.run(&["backup", "source", "--json"]).ends(0).summary();
    assert!(number(&sent, "data_added") < 36 << 20, "{sent}");
    slow.run(&["check", "--read-data"]).ends(0);
    drop(slow.server);
}

/// All is read, and the link is slow: being asked to stop ends the run at once, and what was sent counts.
#[test]
fn a_stop_while_only_uploads_are_left() {
    let Some(slow) = Slow::start("a_stop_while_only_uploads_are_left") else {
        return;
    };
    slow.home.write("source/file", noise(8, 12 << 20));
    let mut child = slow.begin("400K");
    slow.wait_until(&mut child, "pack", || slow.objects("packs") > 0);
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let asked = Instant::now();
    let ended = child.wait_with_output().unwrap();
    let took = asked.elapsed();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(130), "{said}");
    // Two seconds on a machine that does nothing else; what was left took twenty.
    assert!(took < Duration::from_secs(8), "{took:?}");
    assert!(slow.objects("index") > 0, "what was sent is listed");
    let sent = slow.run(&["backup", "source", "--json"]).ends(0).summary();
    assert!(number(&sent, "data_added") < 12 << 20, "{sent}");
    slow.run(&["check", "--read-data"]).ends(0);
}

/// Where packs are gathered in memory, threads share them rather than have each its own, if these would be many.
#[test]
fn packs_under_way_take_bounded_memory() {
    const THREADS: usize = 16;
    for (pack_size, lanes) in [(64 << 20, 1), (32 << 20, 5), (1 << 20, THREADS as u64)] {
        let far = Counting::far(Arc::new(Memory::new()));
        let config = Config {
            pack_size,
            ..Config::new(Bounds::DEFAULT, 0)
        };
        let new = NewStore {
            bounds: Bounds::DEFAULT,
            secrets: &[(machine::secret(), "test")],
            cost: Cost::FLOOR,
            now: 0,
        };
        Store::create_with(&far, &new, &config).unwrap();
        let repo = Machine::new("here").open(Arc::new(far.clone())).unwrap();
        let writer = Writer::begin(repo.store.clone(), repo.owner(), THREADS, false).unwrap();
        std::thread::scope(|scope| {
            for lane in 0..THREADS {
                let writer = &writer;
                scope.spawn(move || {
                    let mut encoder = Encoder::new(1).unwrap();
                    let bytes = noise(lane as u64, 1000);
                    writer.put(lane, &mut encoder, Class::Data, &bytes).unwrap();
                });
            }
        });
        // The others are small objects, of which one is written at a time.
        let most = far.most_staged();
        assert!((lanes..=lanes + 1).contains(&most), "{pack_size}: {most}");
        writer.flush().unwrap();
        assert_eq!(writer.written().packs, lanes);
    }
}

#[test]
fn too_little_memory_is_an_error() {
    let home = home();
    let run = home.run_limited("-v 300000", &["init"]).ends(1);
    run.says(&["not enough memory", "ulimit -v"]);
    home.run_limited("-v 300000", &["version"]).ends(0);
    home.init();
    home.write("source/f", "x");
    home.run_limited("-v 300000", &["backup", "source"]).ends(1);
}

/// A user's limit on processes counts threads, and does not hold for root.
#[test]
fn too_few_threads_are_an_error_or_make_do() {
    let home = home();
    let program = home.path("dedup");
    let user = ["--reuid=54321", "--regid=54321", "--clear-groups"];
    let given_up =
        |done: std::io::Result<std::process::Output>| !done.is_ok_and(|done| done.status.success());
    if given_up(Command::new("setpriv").args(user).arg("true").output()) {
        assert!(!rustix::process::geteuid().is_root() || std::env::var_os("CI").is_none());
        eprintln!("passed over: no other user can be had here");
        return;
    }
    copy_program(env!("CARGO_BIN_EXE_dedup-under-test"), &program);
    home.write("source/f", noise(1, 3 << 20));
    let owned = Command::new("chown")
        .args(["-R", "54321"])
        .arg(home.path(""))
        .status();
    assert!(owned.unwrap().success());
    let run = |threads: usize, args: &[&str]| {
        let limit = format!("--nproc={threads}:{threads}");
        let mut command = Command::new("setpriv");
        command
            .args(user)
            .args(["prlimit", &limit])
            .arg(&program)
            .args(args);
        for (name, value) in home.command(args).get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        command.current_dir(home.path("")).output().unwrap()
    };
    assert!(run(100, &["init"]).status.success());
    for threads in [3, 5, 6, 7, 8, 9, 10, 12, 100] {
        for args in [
            &["backup", "source"][..],
            &["check", "--read-data"],
            &["prune", "--yes"],
            &["restore", "--target", "out"],
        ] {
            let done = run(threads, args);
            let said = String::from_utf8_lossy(&done.stderr);
            match done.status.code() {
                Some(0) => {}
                Some(1) if threads < 100 => {
                    assert!(said.contains("thread") || said.contains("no snapshot"), "{said}")
                }
                code => panic!("{threads} {args:?}: {code:?}\n{said}"),
            }
        }
    }
}
