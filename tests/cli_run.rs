//! Runs that are watched, interrupted, fed, or beside each other.

use kit::program::{Home, objects, string};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::time::{Duration, Instant};

fn home() -> Home {
    let home = Home::new(env!("CARGO_BIN_EXE_dedup-under-test"));
    home.init();
    home
}

/// A backup of what the test writes.
fn fed(home: &Home, more: &[&str]) -> (Child, ChildStdin) {
    let args = [&["backup", "--stdin", "--stdin-filename", "dump"], more].concat();
    let mut child = home
        .command(&args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stdin = child.stdin.take().unwrap();
    (child, stdin)
}

fn ended(mut child: Child) -> (Option<i32>, String, String) {
    let (mut out, mut err) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    (child.wait().unwrap().code(), out, err)
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// Until the process is past its start and catches signals.
fn catches(child: &Child, signal: u32) {
    let status = format!("/proc/{}/status", child.id());
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline {
        let text = std::fs::read_to_string(&status).unwrap();
        let mask = text
            .lines()
            .find_map(|line| line.strip_prefix("SigCgt:"))
            .unwrap();
        if u64::from_str_radix(mask.trim(), 16).unwrap() >> (signal - 1) & 1 == 1 {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("it never caught signal {signal}");
}

#[test]
fn standard_input_and_commands() {
    let home = home();
    let (child, mut stdin) = fed(&home, &[]);
    stdin.write_all(b"piped").unwrap();
    drop(stdin);
    assert_eq!(ended(child).0, Some(0));
    assert_eq!(home.ok(&["dump", "/dump"]).out, "piped");
    let command = |line: &str| {
        let args = [
            "backup",
            "--stdin-from-command",
            "--stdin-filename",
            "db/x",
            "--",
            "sh",
            "-c",
            line,
        ];
        home.run_with(&[("DEDUP_PASSWORD", "")], &args)
    };
    command("echo all").ends(0);
    assert_eq!(home.ok(&["dump", "latest:/db/x"]).out, "all\n");
    let before = home.snapshots();
    command("echo half; exit 7")
        .ends(1)
        .says(&["the command failed", "no snapshot"]);
    home.ends(1, &["backup", "--stdin-from-command", "--", "/no/such"])
        .says(&["/no/such"]);
    assert_eq!(home.snapshots(), before);
}

#[test]
fn interrupted_at_the_first_request_and_killed_at_the_second() {
    let home = home();
    for (first, number) in [(Signal::INT, 2), (Signal::TERM, 15)] {
        let (child, mut stdin) = fed(&home, &[]);
        catches(&child, number);
        stdin.write_all(&[7; 100_000]).unwrap();
        signal(&child, first);
        // It looks when there is something to read.
        std::thread::sleep(Duration::from_millis(300));
        let _ = stdin.write_all(&vec![8; 8 << 20]);
        drop(stdin);
        let (code, _, err) = ended(child);
        assert_eq!(code, Some(130), "{err}");
        assert!(err.contains("interrupted"), "{err}");
    }
    let (child, stdin) = fed(&home, &[]);
    catches(&child, 2);
    signal(&child, Signal::INT);
    std::thread::sleep(Duration::from_millis(300));
    signal(&child, Signal::INT);
    // Nothing is fed: only an end at once ends it.
    assert_eq!(ended(child).0, Some(130));
    drop(stdin);
    home.ok(&["check", "--read-data"]);
    home.write("docs/a", "a");
    home.ok(&["backup", "docs"]);
}

#[test]
fn a_signal_asks_how_far_it_is() {
    let home = home();
    for json in [false, true] {
        let more: &[&str] = if json { &["--json"] } else { &["--no-progress"] };
        let (child, mut stdin) = fed(&home, more);
        catches(&child, 2);
        stdin.write_all(&vec![1; 4 << 20]).unwrap();
        std::thread::sleep(Duration::from_millis(500));
        signal(&child, Signal::USR1);
        std::thread::sleep(Duration::from_millis(1500));
        drop(stdin);
        let (code, out, err) = ended(child);
        assert_eq!(code, Some(0), "{err}");
        match json {
            false => assert!(err.contains("backing up") && err.lines().count() == 1, "{err}"),
            true => {
                assert_eq!(objects(&err)[0]["message_type"], "status");
                assert!(objects(&out).len() >= 2);
            }
        }
    }
}

#[test]
fn two_backups_at_once_and_a_prune() {
    let home = home();
    let (one, mut to_one) = fed(&home, &["--host", "one", "--json"]);
    let (two, mut to_two) = fed(&home, &["--host", "two", "--json"]);
    for (to, byte) in [(&mut to_one, 1), (&mut to_two, 2)] {
        to.write_all(&vec![byte; 3 << 20]).unwrap();
    }
    catches(&one, 2);
    catches(&two, 2);
    home.write("docs/a", "a");
    home.ok(&["backup", "docs"]);
    home.ok(&["prune", "--yes", "--max-unused", "0"]);
    drop((to_one, to_two));
    for child in [one, two] {
        let (code, out, err) = ended(child);
        assert_eq!(code, Some(0), "{err}");
        string(objects(&out).last().unwrap(), "snapshot_id");
    }
    assert_eq!(home.snapshots().len(), 3);
    home.ok(&["check", "--read-data"]);
}

#[test]
fn unchanged_and_forced() {
    let home = home();
    home.write("docs/a", "a");
    // What is as young as the walk is read again.
    std::thread::sleep(Duration::from_millis(3100));
    home.ok(&["backup", "docs"]);
    let first = home.ok(&["backup", "docs", "--json"]).summary();
    assert_eq!(first["files_unmodified"], 1, "{first}");
    // What lies beside the source is no change of it.
    home.write("neighbour", "b");
    let skipped = home
        .ok(&["backup", "docs", "--skip-if-unchanged", "--json"])
        .summary();
    assert!(
        skipped["snapshot_id"].is_null() && skipped["unchanged"] == true,
        "{skipped}"
    );
    assert_eq!(home.snapshots().len(), 2);
    let forced = home.ok(&["backup", "docs", "--force", "--json"]).summary();
    assert_eq!(
        (&forced["files_new"], &forced["data_blobs"]),
        (&1.into(), &0.into())
    );
    let parent = home.snapshots()[0].clone();
    let named = home
        .ok(&["backup", "docs", "--parent", &parent, "--json"])
        .summary();
    assert_eq!(named["parent"], parent.as_str());
    home.ends(1, &["backup", "docs", "--parent", "ffff"]);
}

#[test]
fn selections() {
    let home = home();
    for name in ["a.txt", "b.tmp", "keep.tmp", "c.ISO", ".hidden", "cache/x", "big"] {
        home.write(
            &format!("docs/{name}"),
            vec![b'x'; if name == "big" { 5000 } else { 10 }],
        );
    }
    home.write(
        "docs/cache/CACHEDIR.TAG",
        "Signature: 8a477f597d28d172789f06886806bc55",
    );
    let saved = |options: &[&str]| -> Vec<String> {
        home.ok(&[&["backup", "docs"], options].concat());
        let rows = home.ok(&["ls", "--json"]).objects();
        let files = rows.iter().filter(|row| row["type"] == "file");
        let mut names: Vec<String> = files.map(|row| string(row, "name")).collect();
        names.sort();
        names
    };
    assert_eq!(
        saved(&[
            "-e",
            "*.tmp",
            "-e",
            "!keep.tmp",
            "--exclude-extension",
            "iso",
            "--no-hidden"
        ]),
        ["CACHEDIR.TAG", "a.txt", "big", "keep.tmp", "x"]
    );
    assert_eq!(
        saved(&[
            "--exclude-caches",
            "--exclude-larger-than",
            "1K",
            "--iexclude",
            "*.iso"
        ]),
        [".hidden", "CACHEDIR.TAG", "a.txt", "b.tmp", "keep.tmp"]
    );
    home.write("list", format!("{}\n", home.text("docs/*.tmp")));
    home.ok(&["backup", "--files-from", "list"]);
    let rows = home.ok(&["ls", "--json"]).objects();
    assert_eq!(rows.iter().filter(|row| row["type"] == "file").count(), 2);
    home.ends(2, &["backup", "docs", "-e", "a[b"]).says(&["a[b"]);
    home.ends(1, &["backup", "docs", "--exclude-file", "none"])
        .says(&["none"]);
}
