//! The program restores: killed at random moments, without rights, without a cache, from a repository of which parts
//! can't be read. Nothing is lost, and nothing false is reported.

mod large;
mod reading;
mod rights;

use kit::nobody::NOBODY;
use kit::program::{Home, Run, copy_program, number};
use kit::random::{Random, seeds};
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_dedup-under-test");
const OVERWRITE: [&str; 5] = ["always", "if-changed", "if-newer", "never", "rename"];

fn home() -> Home {
    Home::within(PROGRAM, "/dev/shm")
}

fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    Random::new(seed).fill(&mut bytes);
    bytes
}

/// `name` of the home as it lies below a target.
fn within(home: &Home, target: &str, name: &str) -> PathBuf {
    home.path(target).join(home.path(name).strip_prefix("/").unwrap())
}

/// Paths below `root` that have a restore's temporary names.
pub(crate) fn leftovers(root: &Path) -> Vec<PathBuf> {
    let (mut found, mut dirs) = (Vec::new(), vec![root.to_path_buf()]);
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).into_iter().flatten() {
            let entry = entry.unwrap();
            if entry.file_name().to_string_lossy().starts_with(".dedup-restore-") {
                found.push(entry.path());
            }
            if entry.file_type().unwrap().is_dir() {
                dirs.push(entry.path());
            }
        }
    }
    found
}

fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut found, mut dirs) = (BTreeMap::new(), vec![root.to_path_buf()]);
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).into_iter().flatten() {
            let entry = entry.unwrap();
            match entry.file_type().unwrap() {
                kind if kind.is_dir() => dirs.push(entry.path()),
                kind if kind.is_file() => {
                    let below = entry.path().strip_prefix(root).unwrap().to_path_buf();
                    found.insert(below, fs::read(entry.path()).unwrap());
                }
                _ => {}
            }
        }
    }
    found
}

/// A restore that is killed leaves whole files under their names, and the next one does the rest.
#[test]
fn killed_at_any_moment() {
    let range = seeds(24);
    let home = home();
    home.init();
    for i in 0..6 {
        home.write(&format!("src/large{i}"), noise(i, 3_000_000));
    }
    for i in 0..200 {
        home.write(&format!("src/d{}/f{i}", i % 7), noise(100 + i, 2000));
    }
    home.ok(&["backup", "src"]);
    let from = format!("latest:{}", home.text("src"));
    let wanted = files(&home.path("src"));
    let started = Instant::now();
    home.ok(&["restore", &from, "--target", "once"]);
    let took = started.elapsed().as_micros() as u64;
    let mut died = 0;
    for seed in range.clone() {
        let mut random = Random::new(seed);
        let overwrite = OVERWRITE[seed as usize % OVERWRITE.len()];
        let target = home.path("o");
        let mut child = home
            .command(&["restore", &from, "--target", "o"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_micros(random.below(took)));
        let _over = child.kill();
        died += u64::from(child.wait().unwrap().code().is_none());
        for (path, bytes) in files(&target) {
            let is_ours = path
                .file_name()
                .unwrap()
                .to_string_lossy()
                .starts_with(".dedup-restore-");
            assert!(
                is_ours || wanted[&path] == bytes,
                "seed {seed}: {}",
                path.display()
            );
        }
        home.ok(&["restore", &from, "--target", "o", "--overwrite", overwrite]);
        assert_eq!(leftovers(&target), Vec::<PathBuf>::new(), "seed {seed}");
        assert_eq!(files(&target), wanted, "seed {seed}, {overwrite}");
        fs::remove_dir_all(&target).unwrap();
    }
    println!("{died} of {} died, seeds {range:?}", range.end - range.start);
}

/// A terminal that is closed asks for an end as a request to terminate does; under nohup it asks for nothing.
#[test]
fn a_closed_terminal() {
    let home = home();
    home.init();
    home.write("src/f", noise(1, 30_000_000));
    home.ok(&["backup", "src"]);
    for (ignored, code) in [(false, 130), (true, 0)] {
        let dump = home.command(&["dump", "src/f"]);
        // The tests themselves may run under nohup.
        let mut shell = Command::new("env");
        let ignore = if ignored { "trap '' HUP; " } else { "" };
        shell
            .args(["--default-signal=HUP", "sh", "-c"])
            .arg(format!("{ignore}exec \"$0\" dump src/f"))
            .arg(dump.get_program())
            .current_dir(home.path(""))
            .env_clear()
            .envs(dump.get_envs().filter_map(|(k, v)| Some((k, v?))))
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = shell.spawn().unwrap();
        // It is at work, and soon waits for somebody to read on.
        let mut out = child.stdout.take().unwrap();
        out.read_exact(&mut [0; 1000]).unwrap();
        let pid = rustix::process::Pid::from_raw(child.id() as i32).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
        // On a busy machine it takes a while until it has noticed.
        std::thread::sleep(Duration::from_secs(1));
        let mut rest = Vec::new();
        out.read_to_end(&mut rest).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code), "ignored: {ignored}");
    }
}

#[test]
fn a_backup_leaves_out_what_a_restore_has_not_finished() {
    let home = home();
    home.init();
    home.write("src/.dedup-restore-0123abcd", b"journal");
    home.write("src/d/.dedup-restore-0123abcd-1f", b"half a file");
    home.write("src/d/.dedup-restore-mine", b"a user's");
    home.write("src/d/.dedup-dump-0123abcd-0", b"half a file");
    home.write("src/d/.dedup-dump-0123abcd", b"a user's");
    let run = home
        .ok(&["backup", "src"])
        .says(&["3 files named .dedup-restore-... or .dedup-dump-..."]);
    assert!(run.err.contains("warning"), "{}", run.err);
    let listed = home.ok(&["ls"]).out;
    assert!(
        listed.contains("mine") && listed.contains("d/.dedup-dump-0123abcd\n") && !listed.contains("abcd-"),
        "{listed}"
    );
}

#[test]
fn a_second_restore_skips_what_is_equal() {
    let home = home();
    home.init();
    for i in 0..60 {
        home.write(&format!("src/d{}/f{i}", i % 5), noise(i, 3000));
    }
    home.ok(&["backup", "src"]);
    home.ok(&["restore", "--target", "o"]);
    home.write(&format!("o{}/d1/f1", home.text("src")), b"changed");
    let run = home.ok(&["restore", "--target", "o"]);
    assert!(run.out.contains("Restored 1 file,"), "{}", run.out);
    assert!(
        run.out.contains("Left 59 files that were already equal"),
        "{}",
        run.out
    );
    let summary = home
        .ok(&["restore", "--target", "o", "--json", "--verify"])
        .summary();
    for (field, want) in [
        ("files_restored", 0),
        ("files_skipped", 60),
        ("files_unchanged", 60),
        ("files_verified", 60),
    ] {
        assert_eq!(number(&summary, field), want, "{field}");
    }
}

/// Each of some paths in the newest snapshot that holds it.
#[test]
fn a_path_comes_from_the_newest_snapshot_that_holds_it() {
    let home = home();
    home.init();
    home.write("a/f", b"one");
    home.write("b/g", b"two");
    home.ok(&["backup", "a"]);
    home.ok(&["backup", "b"]);
    let rows = home.ok(&["snapshots", "--json"]).objects();
    let run = home.ok(&["restore", "--target", "o", "a/f"]);
    let summary = home.ok(&["restore", "--target", "o", "a/f", "--json"]).summary();
    assert_eq!(summary["snapshot_id"], rows[0]["id"]);
    assert_eq!(summary["snapshot_time"], rows[0]["time"]);
    assert!(run.out.contains(" of 20"), "{}", run.out);
    assert_eq!(fs::read(within(&home, "o", "a/f")).unwrap(), b"one");
    let run = home.ok(&["dump", "a/f"]).says(&["the newest that holds it"]);
    assert_eq!(run.out, "one");
    assert!(home.ok(&["ls", "./a"]).out.contains("/a/f"));
    assert_eq!(home.ok(&["dump", "b/g"]).err, "");
    home.ends(1, &["restore", "--target", "o", "a/nosuch"])
        .says(&["is in no snapshot"]);
    home.ends(1, &["restore", "--target", "o", "a/f", "b/g"])
        .says(&["no single snapshot"]);
    home.ends(1, &["restore", "latest", "--target", "o", "a/f"])
        .says(&["is not in"]);
}

#[test]
fn what_matches_nothing_is_told() {
    let home = home();
    home.init();
    home.write("src/d/f.txt", b"1");
    home.write("src/x[dir]/g", b"2");
    home.ok(&["backup", "src"]);
    let restore = |patterns: &[&str]| {
        let args = patterns.iter().flat_map(|pattern| ["-i", pattern]);
        let args: Vec<&str> = ["restore", "--target", "o"].into_iter().chain(args).collect();
        home.run(&args)
    };
    restore(&["nosuch"]).ends(3).says(&["'nosuch'"]);
    restore(&["x[dir]"]).ends(3).says(&["'x[dir]'"]);
    let run = restore(&["f.txt", "nosuch"]).ends(3).says(&["'nosuch'"]);
    assert!(
        !run.err.contains("f.txt") && run.out.contains("Restored 1 file"),
        "{run:?}"
    );
    // What lies in a directory that is chosen as a whole counts, too.
    restore(&["/dev", "f.txt"]).ends(0);
    home.ok(&["restore", "--target", "o", "-e", "nosuch"]);
    for (pattern, code) in [("d/", 1), ("[br]", 1), ("f.txt", 0)] {
        let run = home.ends(code, &["find", pattern]);
        assert_eq!(run.err.contains(pattern), code == 1, "{run:?}");
    }
    home.ends(3, &["find", "f.txt", "nosuch"]).says(&["'nosuch'"]);
    home.ends(1, &["ls", "src/nosuch"]);
}

/// A home in which somebody without rights runs the program.
pub(crate) struct Nobody {
    pub home: Home,
    program: PathBuf,
}

impl Nobody {
    pub fn new() -> Nobody {
        let home = home();
        let program = home.path("dedup");
        copy_program(PROGRAM, &program);
        let nobody = Nobody { home, program };
        nobody.owns("");
        nobody
    }

    /// Gives everything at and below a path to them.
    pub fn owns(&self, below: &str) {
        let mut left = vec![self.home.path(below)];
        while let Some(path) = left.pop() {
            chown(&path, Some(NOBODY), Some(NOBODY)).unwrap();
            if path.symlink_metadata().unwrap().is_dir() {
                left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
        }
    }

    pub fn run(&self, vars: &[(&str, &str)], args: &[&str]) -> Run {
        let as_root = self.home.command(args);
        let mut command = Command::new(&self.program);
        command
            .args(args)
            .current_dir(self.home.path(""))
            .env_clear()
            .envs(as_root.get_envs().filter_map(|(k, v)| Some((k, v?))))
            .envs(vars.iter().copied())
            .stdin(Stdio::null())
            .uid(NOBODY)
            .gid(NOBODY);
        let output = command.output().unwrap();
        Run {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Only a regular file is replaced, and nothing of the user's is touched on the way.
#[test]
fn dumps_into_what_is_there() {
    // Devices can't be opened on file systems in memory.
    let home = Home::new(PROGRAM);
    home.init();
    home.write("src/f", noise(1, 200_000));
    home.ok(&["backup", "src"]);
    let bytes = fs::read(home.path("src/f")).unwrap();
    let dump = |target: &str| home.run(&["dump", "src/f", "--target", target]);
    home.write("out.partial", b"the user's");
    dump("out").ends(0);
    assert_eq!(fs::read(home.path("out.partial")).unwrap(), b"the user's");
    assert_eq!(fs::read(home.path("out")).unwrap(), bytes);
    home.write("real/file", b"old");
    set_mode(&home.path("real/file"), 0o640);
    symlink("real/file", home.path("link")).unwrap();
    symlink("real/new", home.path("dangling")).unwrap();
    for (link, file) in [("link", "real/file"), ("dangling", "real/new")] {
        dump(link).ends(0);
        assert!(fs::symlink_metadata(home.path(link)).unwrap().is_symlink());
        assert_eq!(fs::read(home.path(file)).unwrap(), bytes);
    }
    assert_eq!(mode(&home.path("real/file")), 0o640);
    // As root, a device would be replaced.
    let node = home.path("null");
    let made = Command::new("mknod").arg(&node).args(["c", "1", "3"]).status();
    assert!(made.unwrap().success(), "this test needs root");
    dump("null").ends(0);
    assert!(fs::metadata(&node).unwrap().file_type().is_char_device());
    let before = fs::metadata("/dev/null").unwrap();
    dump("/dev/null").ends(0);
    assert_eq!(fs::metadata("/dev/null").unwrap().ino(), before.ino());
    assert!(
        Command::new("mkfifo")
            .arg(home.path("fifo"))
            .status()
            .unwrap()
            .success()
    );
    let fifo = home.path("fifo");
    let reader = std::thread::spawn(move || fs::read(fifo).unwrap());
    dump("fifo").ends(0);
    assert_eq!(reader.join().unwrap(), bytes);
    assert!(fs::metadata(home.path("fifo")).unwrap().file_type().is_fifo());
    dump("src").ends(2);
    home.ends(1, &["dump", "src/nosuch", "--target", "out"]);
    assert_eq!(fs::read(home.path("out")).unwrap(), bytes);
    assert_eq!(leftovers(&home.path("")), Vec::<PathBuf>::new());
}

/// A dump that is killed leaves part of a file under a name of its own; the next one into the same folder removes it, and
/// nothing else.
#[test]
fn a_dump_removes_what_a_dead_one_has_left() {
    let home = home();
    home.init();
    home.write("src/large", noise(1, 48 << 20));
    home.write("src/small", b"small");
    home.ok(&["backup", "src"]);
    fs::create_dir(home.path("out")).unwrap();
    let begun = || {
        let names = fs::read_dir(home.path("out")).unwrap();
        let mut names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.find(|name| name.starts_with(".dedup-dump-"))
    };
    let left = loop {
        let mut child = home
            .command(&["dump", "src/large", "--target", "out/large"])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while begun().is_none() && child.try_wait().unwrap().is_none() {}
        let _over = child.kill();
        child.wait().unwrap();
        // Where it was quicker than we, again.
        if let Some(left) = begun() {
            break left;
        }
    };
    assert!(!home.path("out/large").exists());
    let kept = [
        ".dedup-dump-mine",
        ".dedup-dump-0123abcd",
        ".dedup-dump-0123abcd-",
        ".dedup-dump-0123abcd-0",
        ".dedup-restore-0123abcd-0",
    ];
    for name in kept {
        home.write(&format!("out/{name}"), b"not a dead dump's");
    }
    symlink("small", home.path("out/.dedup-dump-0123abcd-1")).unwrap();
    fs::create_dir(home.path("out/.dedup-dump-0123abcd-2")).unwrap();
    // Another process writes it.
    let living = fs::File::open(home.path("out/.dedup-dump-0123abcd-0")).unwrap();
    rustix::fs::flock(&living, rustix::fs::FlockOperation::LockExclusive).unwrap();
    home.ok(&["dump", "src/small", "--target", "out/small"])
        .says(&["warning", "an earlier dump did not end: 1 unfinished"]);
    assert!(!home.path(format!("out/{left}")).exists());
    assert_eq!(fs::read(home.path("out/small")).unwrap(), b"small");
    for name in kept {
        let bytes = fs::read(home.path(format!("out/{name}"))).unwrap();
        assert_eq!(bytes, b"not a dead dump's", "{name}");
    }
    assert_eq!(fs::read_dir(home.path("out")).unwrap().count(), kept.len() + 3);
    drop(living);
    let run = home.ok(&["dump", "src/small", "--target", "out/small"]);
    assert!(run.err.contains("1 unfinished"), "{}", run.err);
    assert!(!home.path("out/.dedup-dump-0123abcd-0").exists());
}
