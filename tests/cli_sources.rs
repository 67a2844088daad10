//! What the program reads and what it reports of it: files of the kernel, its own places, links and devices, streams,
//! lists of files and patterns of any bytes.

mod lists;

use kit::program::{Home, Run, string};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn home() -> Home {
    let home = Home::new(env!("CARGO_BIN_EXE_dedup-under-test"));
    home.init();
    home
}

/// Paths of the files in the latest snapshot, below `root`.
#[track_caller]
fn files(home: &Home, root: &str) -> Vec<String> {
    let rows = home.ok(&["ls", "--json"]).objects();
    let files = rows.iter().filter(|row| row["type"] == "file");
    let paths = files.map(|row| string(row, "path"));
    let mut paths: Vec<String> = paths
        .filter_map(|path| Some(path.strip_prefix(root)?.trim_start_matches('/').to_string()))
        .collect();
    paths.sort();
    paths
}

fn mounted(args: &[&OsStr], at: &Path) -> Option<Unmount> {
    let done = Command::new("mount").args(args).arg(at).output().unwrap();
    if !done.status.success() {
        eprintln!("not tested, since nothing can be mounted here: {done:?}");
        return None;
    }
    Some(Unmount(at.to_path_buf()))
}

struct Unmount(PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        let done = Command::new("umount").arg("-l").arg(&self.0).status();
        assert!(done.is_ok_and(|status| status.success()));
    }
}

/// Files of the kernel report that they have no bytes, or a page of them.
#[test]
fn files_whose_size_is_made_up() {
    let home = home();
    let paths = [
        "/proc/version",
        "/proc/cpuinfo",
        "/proc/filesystems",
        "/sys/kernel/mm/transparent_hugepage/enabled",
    ];
    let paths: Vec<&str> = paths.into_iter().filter(|path| fs::read(path).is_ok()).collect();
    home.write("src/empty", "");
    home.write("src/file", "file");
    let source = home.text("src");
    let args = [&["backup", &source], &paths[..]].concat();
    for _ in 0..2 {
        home.ok(&args);
        for path in &paths {
            let now = fs::read_to_string(path).unwrap();
            let saved = home.ok(&["dump", "latest", path]).out;
            match *path {
                // Its figures of speed never rest.
                "/proc/cpuinfo" => assert_eq!(saved.lines().count(), now.lines().count()),
                _ => assert_eq!(saved, now, "{path}"),
            }
        }
        assert_eq!(home.ok(&["dump", "latest", &home.text("src/empty")]).out, "");
    }
    home.ok(&["check", "--read-data"]);
    // A value that changes without any of its file's times.
    let Ok(before) = fs::read_to_string("/proc/sys/kernel/domainname") else {
        return;
    };
    let file = "/proc/sys/kernel/domainname";
    home.ok(&["backup", file]);
    if fs::write(file, "dedup-test").is_err() {
        eprintln!("nothing in /proc/sys may be written here");
        return;
    }
    let run = home.run(&["backup", file]);
    fs::write(file, before.trim()).unwrap();
    run.ends(0);
    assert_eq!(home.ok(&["dump", "latest", file]).out, "dedup-test\n");
}

/// More than a small file may have: in chunks of its own.
#[test]
fn a_long_file_that_says_it_is_empty() {
    let path = "/proc/kallsyms";
    let Ok(now) = fs::read(path) else { return };
    let home = home();
    home.ok(&["backup", path]);
    let saved = home.ok(&["dump", "latest", path]).out;
    assert!(saved.len() > 100_000 && saved.len().abs_diff(now.len()) < 100_000);
    home.ok(&["check", "--read-data"]);
}

#[test]
fn three_nights() {
    let home = home();
    let (disk, docs) = (home.text("disk"), home.text("docs"));
    home.write("docs/a", "a");
    fs::create_dir(&disk).unwrap();
    let Some(mount) = mounted(&["-t", "tmpfs", "none"].map(OsStr::new), Path::new(&disk)) else {
        return;
    };
    home.write("disk/precious", "bytes");
    // A slash at the end is the same source.
    home.ok(&["backup", "disk/", "docs"]);
    drop(mount);
    for _ in 0..3 {
        home.ends(3, &["backup", "disk", "docs"]).says(&[
            &disk,
            "not a mounted file system any more",
            "--allow-empty",
        ]);
    }
    let run = home.ends(0, &["diff", "latest~3", "latest"]);
    assert!(
        run.out.contains("Missing: 1 file") && !run.out.contains("precious"),
        "{}",
        run.out
    );
    let run = home.ends(3, &["backup", "disk", "docs", "--json"]);
    let told = kit::program::objects(&run.err);
    assert_eq!(
        (&told[0]["message_type"], &told[0]["item"]),
        (&"error".into(), &disk.clone().into())
    );
    home.ok(&["backup", "disk", "docs", "--allow-empty"]);
    home.ok(&["backup", "disk", "docs"]);
    // Alone it is no snapshot at all.
    home.write("disk/again", "x");
    home.ok(&["backup", "disk"]);
    fs::remove_file(home.path("disk/again")).unwrap();
    let before = home.snapshots();
    for _ in 0..3 {
        home.ends(3, &["backup", "disk"])
            .says(&["it is empty", "no snapshot was made"]);
    }
    assert_eq!(home.snapshots(), before);
    assert_eq!(files(&home, &docs), Vec::<String>::new());
}

#[test]
fn the_repository_is_not_backed_up_whatever_patterns_say() {
    let home = home();
    home.write("docs/a", "a");
    home.write("all", "*\n!**\n");
    let everything = home.text("");
    let options: [&[&str]; 4] = [
        &[],
        &["--exclude-file", "all"],
        &["--iexclude", "!**"],
        &["--exclude", "!repository", "--exclude", "!**"],
    ];
    for options in options {
        let run = home.ok(&[&["backup", &everything], options].concat());
        assert!(run.out.contains("belongs to the backup itself"), "{}", run.out);
        let found = files(&home, &everything);
        assert_eq!(
            found,
            [".config/dedup/default.key", "all", "docs/a"],
            "{options:?}"
        );
    }
    let summary = home.ok(&["backup", &everything, "--json"]).summary();
    assert_eq!(summary["left_out"].as_array().unwrap().len(), 3, "{summary}");
    let run = home.ok(&["backup", &everything, "-v"]);
    assert!(run.out.contains(".local/share/dedup/repository"), "{}", run.out);
    home.ends(2, &["backup", ".local/share/dedup/repository/packs"])
        .says(&["repository itself"]);
    // By another way to the same directories.
    fs::create_dir(home.path("again")).unwrap();
    let bind = [OsStr::new("--bind"), OsStr::new(&everything)];
    let Some(_mount) = mounted(&bind, &home.path("again")) else {
        return;
    };
    home.ok(&["backup", "again", "--exclude", "!**"]);
    let found = files(&home, &home.text("again"));
    assert_eq!(found, [".config/dedup/default.key", "all", "docs/a"]);
    home.ends(2, &["backup", "again/.local/share/dedup/repository"]);
}

#[test]
fn only_the_repository_of_exactly_this_name_is_left_out() {
    let home = Home::new(env!("CARGO_BIN_EXE_dedup-under-test"));
    let name = |bytes: &[u8]| home.path("src").join(OsStr::from_bytes(bytes));
    fs::create_dir_all(name(b"re\xffpo")).unwrap();
    symlink(name(b"re\xffpo"), home.path("link")).unwrap();
    home.write("secret", "word");
    let repo = |args: &[&str]| -> Run {
        let opening = ["-r", "link", "--password-file", "secret"];
        home.ok(&[args, &opening].concat())
    };
    repo(&["init", "--no-recovery"]);
    for other in [b"re\xfepo".as_slice(), b"repo", b"re*po", b"re?po"] {
        fs::create_dir(name(other)).unwrap();
        fs::write(name(other).join("x"), other).unwrap();
    }
    let run = repo(&["backup", "src"]);
    assert!(run.out.contains("processed 4 files"), "{}", run.out);
    assert!(
        run.out.contains("belongs to the backup itself: 1 folder"),
        "{}",
        run.out
    );
}

#[test]
fn what_is_read_again_and_equal_is_unmodified() {
    let home = home();
    for number in 0..20 {
        home.write(&format!("docs/{number}"), format!("file {number}"));
    }
    home.write("docs/large", vec![7; 3 << 20]);
    home.ok(&["backup", "docs"]);
    // All of it is too young to be recognised by its times.
    let second = home.ok(&["backup", "docs", "--json"]).summary();
    assert_eq!(
        (
            &second["files_new"],
            &second["files_changed"],
            &second["files_unmodified"]
        ),
        (&0.into(), &0.into(), &21.into()),
        "{second}"
    );
    assert_eq!(second["dirs_changed"], 0, "{second}");
    home.write("docs/1", "changed");
    home.write("docs/new", "new");
    let third = home.ok(&["backup", "docs", "--json"]).summary();
    assert_eq!(
        (
            &third["files_new"],
            &third["files_changed"],
            &third["files_unmodified"]
        ),
        (&1.into(), &1.into(), &20.into()),
        "{third}"
    );
    let text = home.ok(&["backup", "docs"]).out;
    assert!(text.contains("0 new,     0 changed,    22 unmodified"), "{text}");
}

fn fed(home: &Home, bytes: &[u8], more: &[&str]) -> Run {
    let mut command = home.command(&[&["backup", "--stdin", "--stdin-filename", "dump"], more].concat());
    let file = home.write("fed", bytes);
    command.stdin(fs::File::open(file).unwrap());
    Run::of(command.output().unwrap())
}

#[test]
fn an_empty_stream_is_refused() {
    let home = home();
    fed(&home, b"", &[])
        .ends(1)
        .says(&["nothing was read", "--allow-empty"]);
    // Standard input is closed.
    let script = format!(
        "exec {} backup --stdin <&-",
        env!("CARGO_BIN_EXE_dedup-under-test")
    );
    let mut closed = Command::new("sh");
    closed
        .args(["-c", &script])
        .env_clear()
        .env("HOME", home.path(""));
    closed.env("DEDUP_KEY_CACHE", "0s");
    Run::of(closed.output().unwrap())
        .ends(1)
        .says(&["nothing was read"]);
    home.ends(1, &["backup", "--stdin-from-command", "--", "true"])
        .says(&["printed nothing"]);
    assert_eq!(home.snapshots().len(), 0);
    fed(&home, b"", &["--allow-empty"]).ends(0);
    home.ok(&["backup", "--stdin-from-command", "--allow-empty", "--", "true"]);
    assert_eq!(home.ok(&["dump", "latest", "/stdin"]).out, "");
}

#[test]
fn a_stream_that_is_the_same_makes_no_snapshot() {
    let home = home();
    let skip = ["--skip-if-unchanged", "--json"];
    let first = fed(&home, b"some bytes", &skip).ends(0).summary();
    assert!(
        first["snapshot_id"].is_string() && first["files_new"] == 1,
        "{first}"
    );
    let again = fed(&home, b"some bytes", &skip).ends(0).summary();
    assert!(
        again["snapshot_id"].is_null() && again["unchanged"] == true,
        "{again}"
    );
    assert_eq!(again["files_unmodified"], 1);
    let other = fed(&home, b"other bytes", &skip).ends(0).summary();
    assert!(
        other["snapshot_id"].is_string() && other["files_changed"] == 1,
        "{other}"
    );
    // Without the option it is saved, and counted as what it is.
    let saved = fed(&home, b"other bytes", &["--json"]).ends(0).summary();
    assert!(
        saved["snapshot_id"].is_string() && saved["files_unmodified"] == 1,
        "{saved}"
    );
    let forced = fed(
        &home,
        b"other bytes",
        &["--json", "--skip-if-unchanged", "--force"],
    );
    assert!(forced.ends(0).summary()["snapshot_id"].is_string());
    // Under another name it is another one.
    let named = fed(
        &home,
        b"other bytes",
        &["--skip-if-unchanged", "--stdin-filename", "x"],
    );
    assert_ne!(named.code, 0, "the option is given twice");
    let command = ["--", "printf", "other bytes"];
    let args = [
        "backup",
        "--stdin-from-command",
        "--stdin-filename",
        "dump",
        "--skip-if-unchanged",
        "--json",
    ];
    let by_command = home.ok(&[&args[..], &command].concat()).summary();
    assert_eq!(by_command["unchanged"], true, "{by_command}");
    assert_eq!(home.snapshots().len(), 4);
}

#[test]
fn links_as_sources() {
    let home = home();
    home.write("real/file", "bytes");
    home.write("real/sub/file", "bytes");
    home.write("plain", "bytes");
    symlink("real", home.path("link")).unwrap();
    symlink("plain", home.path("to-file")).unwrap();
    symlink("nowhere", home.path("dangling")).unwrap();
    home.ok(&["backup", "link"])
        .says(&[&home.text("link"), "only the symbolic link itself is saved"]);
    assert_eq!(files(&home, &home.text("")), Vec::<String>::new());
    for spelt in ["link/", "link/.", "./link//"] {
        let run = home.ok(&["backup", spelt]);
        assert!(!run.err.contains("symbolic"), "{}", run.err);
        assert_eq!(files(&home, &home.text("link")), ["file", "sub/file"]);
        home.ok(&["restore", "--target", "out", "--overwrite", "always"]);
        let restored = home
            .path("out")
            .join(home.text("link/file").trim_start_matches('/'));
        assert_eq!(fs::read_to_string(restored).unwrap(), "bytes");
        fs::remove_dir_all(home.path("out")).unwrap();
    }
    home.write("list", "link/\nplain\n");
    home.ok(&["backup", "--files-from", "list"]);
    assert_eq!(
        files(&home, &home.text("")),
        ["link/file", "link/sub/file", "plain"]
    );
    home.ok(&["backup", "link/", "link"]);
    assert_eq!(files(&home, &home.text("")), ["link/file", "link/sub/file"]);
    for bare in ["to-file", "to-file/", "dangling"] {
        home.ok(&["backup", bare])
            .says(&["only the symbolic link itself"]);
    }
    // What was a directory is a link now.
    home.ok(&["backup", "link/", "plain"]);
    home.ends(3, &["backup", "link", "plain"])
        .says(&["not a directory any more"]);
}

#[test]
fn devices_and_fifos_as_sources() {
    let home = home();
    home.write("plain", "bytes");
    home.ok(&["backup", "/dev/null", "plain"]).says(&[
        "/dev/null",
        "only the device or FIFO itself is saved",
        "--read-special",
    ]);
    let fifo = home.path("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    home.ok(&["backup", "fifo"]).says(&["--read-special"]);
    let reading = home
        .command(&["backup", "fifo", "plain", "--read-special"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Opening waits for the reader.
    let mut writer = fs::File::options().write(true).open(&fifo).unwrap();
    writer.write_all(&[b'x'; 300_000]).unwrap();
    drop(writer);
    Run::of(reading.wait_with_output().unwrap()).ends(0);
    assert_eq!(files(&home, &home.text("")), ["fifo", "plain"]);
    assert_eq!(
        home.ok(&["dump", "latest", &home.text("fifo")]).out,
        "x".repeat(300_000)
    );
    home.ok(&["backup", "/dev/null", "--read-special"]);
    assert_eq!(home.ok(&["dump", "latest", "/dev/null"]).out, "");
}

#[test]
fn a_block_device_as_a_source() {
    let home = home();
    let mut image = vec![0; 4 << 20];
    image[1 << 20..][..5].copy_from_slice(b"bytes");
    image[(4 << 20) - 3..].copy_from_slice(b"end");
    home.write("image", &image);
    let made = Command::new("losetup")
        .args(["-f", "--show", "image"])
        .current_dir(home.path(""))
        .output();
    let device = match made {
        Ok(made) if made.status.success() => String::from_utf8(made.stdout).unwrap().trim().to_string(),
        other => {
            eprintln!("not tested, since there is no loop device here: {other:?}");
            return;
        }
    };
    symlink(&device, home.path("volume")).unwrap();
    let runs = [
        home.run(&["backup", &device]),
        home.run(&["backup", &device, "--read-special"]),
        home.run(&["backup", "volume", "--read-special"]),
    ];
    assert!(
        Command::new("losetup")
            .args(["-d", &device])
            .status()
            .unwrap()
            .success()
    );
    let [node, read, linked] = runs;
    node.ends(0).says(&["--read-special"]);
    read.ends(0);
    linked.ends(0);
    for (snapshot, path) in [("latest~1", device), ("latest", home.text("volume"))] {
        home.ok(&["dump", snapshot, &path, "--target", "copy"]);
        assert!(fs::read(home.path("copy")).unwrap() == image, "{path}");
    }
}
