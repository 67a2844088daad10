//! Sources that are read in snapshots of their file system, on a real btrfs in a file. Needs root, `mkfs.btrfs` and `btrfs`;
//! where one of them is missing, the tests that need them say so and do nothing.

mod lvm;
mod zfs;

use kit::program::{Home, number, string};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const SNAPSHOTS: &str = ".dedup-snapshots";

fn home() -> Home {
    let home = Home::new(env!("CARGO_BIN_EXE_dedup-under-test"));
    home.init();
    home
}

fn run(program: &str, args: &[&str]) -> bool {
    let done = Command::new(program).args(args).stdin(Stdio::null()).output();
    done.is_ok_and(|done| done.status.success())
}

/// What is mounted in a home, for as long as this lives.
struct Mounted(Vec<PathBuf>);

impl Drop for Mounted {
    fn drop(&mut self) {
        for path in self.0.iter().rev() {
            if !run("umount", &[path.to_str().unwrap()]) {
                run("umount", &["-l", path.to_str().unwrap()]);
            }
        }
    }
}

/// A btrfs on `mnt`, with the subvolume `mnt/vol` that holds `src/a` and `src/b`. `None` where there can be none.
fn btrfs(home: &Home) -> Option<Mounted> {
    let image = home.path("image");
    fs::File::create(&image).unwrap().set_len(256 << 20).unwrap();
    fs::create_dir(home.path("mnt")).unwrap();
    let (image, mnt) = (home.text("image"), home.text("mnt"));
    let made = run("mkfs.btrfs", &["-q", &image])
        && run("mount", &["-o", "loop", &image, &mnt])
        && run("btrfs", &["subvolume", "create", &home.text("mnt/vol")]);
    if !made {
        eprintln!("no btrfs can be made here (root, mkfs.btrfs, btrfs): nothing was tested");
        return None;
    }
    home.write("mnt/vol/src/a", "one");
    home.write("mnt/vol/src/b", "one");
    Some(Mounted(vec![home.path("mnt")]))
}

/// The snapshots that are there now.
fn snapshots(home: &Home) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(home.path("mnt/vol").join(SNAPSHOTS)) else {
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.is_dir()).collect()
}

/// A backup that has made its snapshot and now waits for somebody to write into a FIFO: with one worker, before it reads
/// anything else.
fn held(home: &Home, source: &str) -> Child {
    held_with(home, source, &[])
}

fn held_with(home: &Home, source: &str, more: &[&str]) -> Child {
    let fifo = home.text("fifo");
    if !Path::new(&fifo).exists() {
        assert!(run("mkfifo", &[&fifo]));
    }
    let args = [
        "backup",
        "--source-snapshot",
        "required",
        "--read-special",
        source,
        &fifo,
    ];
    let before = snapshots(home);
    let program = home.command(&[&args[..], more].concat());
    let mut one_core = Command::new("taskset");
    one_core
        .args(["-c", "0"])
        .arg(program.get_program())
        .args(program.get_args())
        .current_dir(home.path("."))
        .env_clear()
        .stdin(Stdio::null());
    for (name, value) in program.get_envs() {
        one_core.env(name, value.unwrap_or_default());
    }
    let child = one_core
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let is_new = |path: &PathBuf| !before.contains(path) && path.join("src/b").exists();
    while !snapshots(home).iter().any(is_new) {
        assert!(Instant::now() < deadline, "no snapshot was made");
        std::thread::sleep(Duration::from_millis(10));
    }
    child
}

fn backup(home: &Home, mode: &str, source: &str) -> serde_json::Value {
    home.ok(&["backup", "--json", "--source-snapshot", mode, source])
        .summary()
}

/// Nothing of a source with three files is new after a backup, also to one without a snapshot.
fn nothing_is_new(home: &Home, source: &str) {
    std::thread::sleep(Duration::from_millis(1100));
    backup(home, "required", source);
    for mode in ["auto", "off"] {
        let summary = backup(home, mode, source);
        let counts = ["files_new", "files_changed", "files_unmodified"].map(|field| number(&summary, field));
        assert_eq!(counts, [0, 0, 3], "{mode}: {summary}");
    }
    home.ok(&["check", "--read-data"]);
}

#[test]
fn what_is_written_during_the_run_is_not_in_it() {
    let home = home();
    let Some(_mounted) = btrfs(&home) else { return };
    let source = home.text("mnt/vol/src");
    let child = held(&home, &source);
    // Both change together, and another one comes.
    home.write("mnt/vol/src/a", "two");
    home.write("mnt/vol/src/b", "two");
    home.write("mnt/vol/src/new", "two");
    fs::File::options()
        .write(true)
        .open(home.path("fifo"))
        .unwrap()
        .write_all(b"go")
        .unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let dump = |name: &str| home.run(&["dump", &format!("{source}/{name}")]);
    assert_eq!(
        (dump("a").out, dump("b").out),
        ("one".to_string(), "one".to_string())
    );
    assert_ne!(dump("new").code, 0);
    let listed = home.ok(&["ls", "--json"]).out;
    assert!(!listed.contains(SNAPSHOTS), "{listed}");
    assert_eq!(snapshots(&home), [] as [PathBuf; 0]);
    home.ok(&["check", "--read-data"]);
}

/// Attributes of a directory that is read in a snapshot are those of the snapshot: of the source itself, and of a subvolume
/// below it, of which the snapshot above has no more than an empty directory.
#[test]
fn attributes_are_of_the_same_moment() {
    let home = home();
    let Some(_mounted) = btrfs(&home) else { return };
    let source = home.text("mnt/vol/src");
    assert!(run(
        "btrfs",
        &["subvolume", "create", &home.text("mnt/vol/src/vm")]
    ));
    assert!(run(
        "btrfs",
        &["subvolume", "create", &home.text("mnt/vol/src/out")]
    ));
    home.write("mnt/vol/src/out/file", "left out");
    let mark = |path: &str, name: &str, value: &[u8]| {
        rustix::fs::setxattr(home.path(path), name, value, rustix::fs::XattrFlags::empty()).unwrap();
    };
    for path in ["mnt/vol/src", "mnt/vol/src/vm"] {
        mark(path, "user.state", b"before");
    }
    mark("mnt/vol/src/out", "user.nobackup", b"");
    let child = held_with(&home, &source, &["--exclude-if-xattr", "user.nobackup"]);
    let deadline = Instant::now() + Duration::from_secs(60);
    for below in ["vm", "out"] {
        let folder = home.path("mnt/vol/src").join(below).join(SNAPSHOTS);
        let is_made = || fs::read_dir(&folder).is_ok_and(|entries| entries.count() == 2);
        while !is_made() {
            assert!(Instant::now() < deadline, "no snapshot of {below} was made");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    for path in ["mnt/vol/src", "mnt/vol/src/vm"] {
        mark(path, "user.state", b"after");
    }
    fs::File::options()
        .write(true)
        .open(home.path("fifo"))
        .unwrap()
        .write_all(b"go")
        .unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    home.ok(&["restore", "--target", &home.text("mnt/back")]);
    let back = |name: &str| format!("mnt/back{}{name}", home.text("mnt/vol/src"));
    for name in ["", "/vm"] {
        let mut value = [0; 16];
        let len = rustix::fs::getxattr(home.path(back(name)), "user.state", &mut value).unwrap();
        assert_eq!(&value[..len], b"before", "src{name}");
    }
    assert!(!home.path(back("/out")).exists());
}

/// A run that is killed leaves its snapshot, and the next one deletes it, but not that of a run that lives.
#[test]
fn what_a_killed_run_left_is_removed() {
    let home = home();
    let Some(_mounted) = btrfs(&home) else { return };
    let source = home.text("mnt/vol/src");
    let mut child = held(&home, &source);
    child.kill().unwrap();
    child.wait().unwrap();
    let [left] = snapshots(&home).try_into().unwrap();
    let mut living = held(&home, &source);
    let deadline = Instant::now() + Duration::from_secs(60);
    while left.exists() {
        assert!(Instant::now() < deadline, "{left:?} was not removed");
        std::thread::sleep(Duration::from_millis(10));
    }
    let [held] = snapshots(&home).try_into().unwrap();
    home.ok(&["backup", "--source-snapshot", "required", &source]);
    assert_eq!(snapshots(&home), [held], "another run reads it");
    living.kill().unwrap();
    living.wait().unwrap();
    home.ok(&["backup", "--source-snapshot", "required", &source]);
    assert_eq!(snapshots(&home), [] as [PathBuf; 0]);
    assert_eq!(
        fs::read_dir(home.path("mnt/vol").join(SNAPSHOTS))
            .unwrap()
            .count(),
        0
    );
}

/// Each snapshot is a device of its own to the system, and none of that shows: nothing is new to the second run, also to one
/// without a snapshot.
#[test]
fn an_unchanged_source_is_unchanged() {
    let home = home();
    let Some(_mounted) = btrfs(&home) else { return };
    fs::hard_link(home.path("mnt/vol/src/a"), home.path("mnt/vol/src/link")).unwrap();
    // So that what is as young as the run is not read again.
    run(
        "touch",
        &[
            "-d",
            "2020-01-01",
            &home.text("mnt/vol/src/a"),
            &home.text("mnt/vol/src/b"),
        ],
    );
    for source in ["mnt/vol/src", "mnt/vol", "mnt"] {
        let source = home.text(source);
        let backup = |mode: &str| {
            home.ok(&["backup", "--json", "--source-snapshot", mode, &source])
                .summary()
        };
        backup("required");
        std::thread::sleep(Duration::from_millis(1100));
        backup("required");
        for mode in ["required", "off"] {
            let summary = backup(mode);
            let counts =
                ["files_new", "files_changed", "files_unmodified"].map(|field| number(&summary, field));
            assert_eq!(counts, [0, 0, 3], "{source} {mode}: {summary}");
        }
    }
}

/// A snapshot lacks subvolumes and file systems below: they are there all the same.
#[test]
fn subvolumes_and_mounts_below_a_source() {
    let home = home();
    let Some(mut mounted) = btrfs(&home) else { return };
    assert!(run(
        "btrfs",
        &["subvolume", "create", &home.text("mnt/vol/src/vm")]
    ));
    assert!(run(
        "btrfs",
        &["subvolume", "create", &home.text("mnt/vol/src/vm/deep")]
    ));
    home.write("mnt/vol/src/vm/disk", "disk");
    home.write("mnt/vol/src/vm/deep/er", "deeper");
    fs::create_dir(home.path("mnt/vol/src/ram")).unwrap();
    assert!(run(
        "mount",
        &["-t", "tmpfs", "tmpfs", &home.text("mnt/vol/src/ram")]
    ));
    mounted.0.push(home.path("mnt/vol/src/ram"));
    home.write("mnt/vol/src/ram/fast", "fast");
    // What is mounted elsewhere in its own subvolume.
    home.write("mnt/vol/elsewhere/far", "far");
    fs::create_dir(home.path("mnt/vol/src/bound")).unwrap();
    assert!(run(
        "mount",
        &[
            "--bind",
            &home.text("mnt/vol/elsewhere"),
            &home.text("mnt/vol/src/bound")
        ]
    ));
    mounted.0.push(home.path("mnt/vol/src/bound"));
    // A link above a source, and a file as a source.
    std::os::unix::fs::symlink(home.path("mnt/vol"), home.path("way")).unwrap();
    home.write("mnt/vol/file", "file");
    for (source, file, content) in [
        ("mnt/vol/src", "vm/disk", "disk"),
        ("mnt/vol/src", "vm/deep/er", "deeper"),
        ("mnt/vol/src", "ram/fast", "fast"),
        ("mnt/vol/src", "bound/far", "far"),
        ("way/src", "vm/disk", "disk"),
        ("mnt/vol/file", "", "file"),
        ("mnt", "vol/src/vm/deep/er", "deeper"),
    ] {
        let source = home.text(source);
        home.ok(&["backup", "--source-snapshot", "required", &source]);
        let path = format!("{source}/{file}");
        assert_eq!(
            home.ok(&["dump", path.trim_end_matches('/')]).out,
            content,
            "{path}"
        );
        let id = home.snapshots().pop().unwrap();
        let listed = home.ok(&["ls", &id, "--json"]).objects();
        assert!(
            listed
                .iter()
                .skip(1)
                .all(|row| !string(row, "path").contains(SNAPSHOTS))
        );
    }
    let left = [
        snapshots(&home).len(),
        fs::read_dir(home.path("mnt/vol/src/vm").join(SNAPSHOTS))
            .unwrap()
            .count(),
    ];
    assert_eq!(left, [0, 0]);
}

/// Where there is no snapshot, `auto` goes on with a word, and `required` does not.
#[test]
fn without_snapshots() {
    let home = home();
    home.write("docs/a", "a");
    let run = home.ok(&["backup", "docs", "--source-snapshot", "auto"]);
    assert!(
        run.err.contains("no snapshot of") && run.err.contains("docs"),
        "{}",
        run.err
    );
    let before = home.snapshots();
    home.ends(2, &["backup", "docs", "--source-snapshot", "required"])
        .says(&["no snapshot of", "docs"]);
    home.ends(2, &["backup", "docs", "--source-snapshot", "perhaps"])
        .says(&["auto"]);
    assert_eq!(home.snapshots(), before);
    // The same for a set, whose row says why.
    let (repo, key) = (
        home.text(".local/share/dedup/repository"),
        home.text(".config/dedup/default.key"),
    );
    let docs = home.text("docs");
    home.write(
        ".config/dedup/dedup.toml",
        format!(
            "[remotes.main]\nurl = '{repo}'\nkey-file = '{key}'\n[sets.docs]\nsources = ['{docs}']\n\
             destinations = ['main']\nsource-snapshot = 'required'\n"
        ),
    );
    home.ends(2, &["run", "docs"]);
    let rows = home.ok(&["history", "--json"]).objects();
    let row = rows.iter().find(|row| row["set"] == "docs").unwrap();
    assert_eq!(
        (string(row, "status"), string(row, "reason")),
        ("incomplete".into(), "bad settings".into())
    );
    assert!(string(row, "message").contains("no snapshot of"), "{row}");
    assert_eq!(home.snapshots(), before);
}
