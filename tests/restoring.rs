//! The program restores: killed at random moments, without rights, without a cache, from a repository of which parts
//! can't be read. Nothing is lost, and nothing is told that is not so.

use crate::cli_bad::Disk;
use kit::oracle::{self, Tree};
use kit::program::{Home, Run, number};
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
const NOBODY: u32 = 65534;
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
fn leftovers(root: &Path) -> Vec<PathBuf> {
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
        let mut shell = Command::new("sh");
        let ignore = if ignored { "trap '' HUP; " } else { "" };
        shell
            .args(["-c", &format!("{ignore}exec \"$0\" dump src/f")])
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
    let run = home
        .ok(&["backup", "src"])
        .says(&["2 files named .dedup-restore-"]);
    assert!(run.err.contains("warning"), "{}", run.err);
    let listed = home.ok(&["ls"]).out;
    assert!(
        listed.contains("mine") && !listed.contains("0123abcd"),
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
    assert!(run.out.contains("Skipped 59 equal"), "{}", run.out);
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
    let time = rows[0]["time"].as_str().unwrap();
    let summary = home.ok(&["restore", "--target", "o", "a/f", "--json"]).summary();
    assert_eq!(summary["snapshot_id"], rows[0]["id"]);
    assert_eq!(
        &summary["snapshot_time"].as_str().unwrap()[..19],
        &time.replace(' ', "T")[..19]
    );
    assert!(run.out.contains(" of 20"), "{}", run.out);
    assert_eq!(fs::read(within(&home, "o", "a/f")).unwrap(), b"one");
    let run = home.ok(&["dump", "a/f"]).says(&["the newest that holds it"]);
    assert_eq!(run.out, "one");
    assert!(home.ok(&["ls", "a"]).out.contains("/a/f"));
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
struct Nobody {
    home: Home,
    program: PathBuf,
}

impl Nobody {
    fn new() -> Nobody {
        let home = home();
        let program = home.path("dedup");
        fs::copy(PROGRAM, &program).unwrap();
        let nobody = Nobody { home, program };
        nobody.owns("");
        nobody
    }

    /// Gives everything at and below a path to them.
    fn owns(&self, below: &str) {
        let mut left = vec![self.home.path(below)];
        while let Some(path) = left.pop() {
            chown(&path, Some(NOBODY), Some(NOBODY)).unwrap();
            if path.symlink_metadata().unwrap().is_dir() {
                left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
        }
    }

    fn run(&self, vars: &[(&str, &str)], args: &[&str]) -> Run {
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

/// Several snapshots' files in packs of their own; all are in the newest.
fn many_packs(run: &dyn Fn(&[&str]) -> Run, home: &Home) {
    run(&["init"]).ends(0);
    for i in 0..5 {
        home.write(&format!("src/f{i}"), noise(i, 300_000));
        run(&["backup", "src"]).ends(0);
    }
}

fn never_called_damage(run: &Run) {
    let all = format!("{}{}", run.out, run.err);
    for word in ["damaged", "missing"] {
        assert!(!all.contains(word), "{all}");
    }
}

/// One object that can't be read takes with it what it holds, and nothing else; and is not called damaged.
#[test]
fn objects_without_permission() {
    let nobody = Nobody::new();
    let run = |args: &[&str]| nobody.run(&[], args);
    many_packs(&run, &nobody.home);
    let (mut failed, mut restored) = (0, 0);
    for object in ["packs", "index"]
        .iter()
        .flat_map(|kind| nobody.home.objects(kind))
    {
        set_mode(&object, 0);
        let _cold = fs::remove_dir_all(nobody.home.path(".cache"));
        for verify in [&[][..], &["--verify"]] {
            let args = [&["restore", "--target", "o", "--json"], verify].concat();
            let done = run(&args);
            never_called_damage(&done);
            assert!(matches!(done.code, 0 | 1), "{}: {done:?}", object.display());
            if done.code == 1 {
                failed += 1;
                let first = done.err.lines().next().unwrap_or_default();
                assert!(
                    first.contains("ermission denied"),
                    "{}: {done:?}",
                    object.display()
                );
            }
            if let Some(summary) = done.objects().last().filter(|o| o["message_type"] == "summary") {
                restored += number(summary, "files_restored");
                let lost = number(summary, "files_failed");
                assert!(lost <= 1 || number(summary, "files_restored") == 0, "{summary}");
                assert!(lost == 0 || done.code == 1, "{summary}");
                if !verify.is_empty() {
                    assert_eq!(
                        number(summary, "files_verified"),
                        number(summary, "files_restored")
                    );
                }
            }
            if nobody.home.path("o").exists() {
                fs::remove_dir_all(nobody.home.path("o")).unwrap();
            }
        }
        for command in [&["check", "--read-data"][..], &["dump", "src/f2"]] {
            never_called_damage(&run(command));
        }
        set_mode(&object, 0o600);
    }
    assert!(failed >= 20 && restored >= 20, "{failed} {restored}");
    run(&["restore", "--target", "o"]).ends(0);
}

#[test]
fn packs_that_are_no_files() {
    let home = home();
    many_packs(&|args| home.run(args), &home);
    let mut restored = 0;
    for pack in home.objects("packs") {
        let aside = home.path("aside");
        fs::rename(&pack, &aside).unwrap();
        for fifo in [false, true] {
            match fifo {
                false => fs::create_dir(&pack).unwrap(),
                true => assert!(Command::new("mkfifo").arg(&pack).status().unwrap().success()),
            }
            for cold in [false, true] {
                if cold {
                    let _none = fs::remove_dir_all(home.path(".cache"));
                }
                let run = home.run(&["restore", "--target", "o", "--json"]);
                never_called_damage(&run);
                assert!(matches!(run.code, 0 | 1), "{run:?}");
                assert!(
                    run.code == 0 || run.err.lines().next().unwrap().contains("regular file"),
                    "{run:?}"
                );
                if let Some(summary) = run.objects().last().filter(|o| o["message_type"] == "summary") {
                    restored += number(summary, "files_restored");
                }
                let _none = fs::remove_dir_all(home.path("o"));
            }
            let _removed = fs::remove_dir(&pack).or_else(|_| fs::remove_file(&pack));
        }
        fs::rename(&aside, &pack).unwrap();
    }
    assert!(restored > 20, "{restored}");
}

/// A rescue system has no place for a cache.
#[test]
fn without_a_cache() {
    let nobody = Nobody::new();
    let home = &nobody.home;
    many_packs(&|args| nobody.run(&[], args), home);
    let wanted = files(&home.path("src"));
    fs::create_dir(home.path("closed")).unwrap();
    set_mode(&home.path("closed"), 0o555);
    let full = Disk::of(home.path("full"), "64k");
    if full.is_some() {
        let _ = fs::write(home.path("full/rest"), vec![1; 1 << 20]);
        set_mode(&home.path("full"), 0o777);
    }
    let closed = home.text("closed");
    let places = [
        ("/proc/nosuch".to_string(), true),
        (closed.clone(), true),
        ("/dev/null/x".to_string(), true),
        (home.text("full"), full.is_some()),
    ];
    for (cache, _) in places.iter().filter(|(_, is_there)| *is_there) {
        for tmp in ["/tmp", &closed] {
            let vars = [("DEDUP_CACHE_DIR", cache.as_str()), ("TMPDIR", tmp)];
            let run = nobody.run(&vars, &["restore", "--target", "o"]).ends(0);
            assert!(
                run.err.contains("without the cache"),
                "{cache} {tmp}: {}",
                run.err
            );
            assert_eq!(files(&within(home, "o", "src")), wanted, "{cache} {tmp}");
            fs::remove_dir_all(home.path("o")).unwrap();
            let run = nobody.run(&vars, &["ls"]).ends(0);
            assert!(run.out.contains("src/f4"), "{}", run.out);
            let run = nobody.run(&vars, &["dump", "src/f3", "--target", "f3"]).ends(0);
            assert!(
                run.err.lines().all(|line| line.contains("warning")),
                "{}",
                run.err
            );
            assert_eq!(fs::read(home.path("f3")).unwrap(), wanted[Path::new("f3")]);
            if tmp == "/tmp" {
                nobody.run(&vars, &["check"]).ends(0);
            }
        }
    }
    drop(full);
    // It vanishes while it is used, or is not what it was.
    let _gone = fs::remove_dir_all(home.path(".cache"));
    fs::write(home.path(".cache"), b"a file").unwrap();
    nobody.run(&[], &["restore", "--target", "o"]).ends(0);
    assert_eq!(files(&within(home, "o", "src")), wanted);
}

#[test]
fn a_cache_that_vanishes_in_the_middle() {
    let home = home();
    home.init();
    for i in 0..300 {
        home.write(&format!("src/d{}/f{i}", i % 9), noise(i, 20_000));
    }
    home.ok(&["backup", "src"]);
    let wanted = files(&home.path("src"));
    for seed in seeds(6) {
        let child = home
            .command(&["restore", "--target", "o"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_micros(Random::new(seed).below(60_000)));
        let _none = fs::remove_dir_all(home.path(".cache"));
        let done = child.wait_with_output().unwrap();
        let err = String::from_utf8(done.stderr).unwrap();
        let found = files(&within(&home, "o", "src"));
        match done.status.code() {
            Some(0) => assert_eq!(found, wanted, "seed {seed}"),
            Some(1) => assert!(!err.contains("damaged") && !err.contains("missing"), "{err}"),
            code => panic!("{code:?}: {err}"),
        }
        assert!(found.iter().all(|(path, bytes)| wanted[path] == *bytes));
        assert_eq!(leftovers(&home.path("o")), Vec::<PathBuf>::new());
        let _none = fs::remove_dir_all(home.path("o"));
    }
}

fn tree(path: &Path) -> Tree {
    let mut tree = oracle::walk(path);
    tree.remove(&b""[..]);
    tree
}

/// Directories that their owner may not write in, or not even read, are opened for the time.
#[test]
fn closed_directories_of_ones_own() {
    let nobody = Nobody::new();
    let home = &nobody.home;
    for i in 0..4 {
        home.write(&format!("src/shut/inner/f{i}"), noise(i, 5000));
        home.write(&format!("src/open/f{i}"), noise(i, 5000));
    }
    nobody.owns("src");
    set_mode(&home.path("src/shut/inner"), 0o555);
    set_mode(&home.path("src/shut"), 0o555);
    nobody.run(&[], &["init"]).ends(0);
    nobody.run(&[], &["backup", "src"]).ends(0);
    let from = format!("latest:{}", home.text("src"));
    let restore = |more: &[&str]| {
        let args = [&["restore", &from, "--target", "o"], more].concat();
        nobody.run(&[], &args)
    };
    restore(&[]).ends(0);
    let wanted = tree(&home.path("src"));
    for overwrite in OVERWRITE {
        for (inner, shut) in [(0o555, 0o555), (0o500, 0o311), (0o000, 0o555)] {
            let (in_dir, file) = (home.path("o/shut/inner"), home.path("o/shut/inner/f1"));
            set_mode(&home.path("o/shut"), 0o755);
            set_mode(&in_dir, 0o755);
            fs::remove_file(&file).unwrap();
            set_mode(&in_dir, inner);
            set_mode(&home.path("o/shut"), shut);
            restore(&["--overwrite", overwrite]).ends(0);
            assert_eq!(
                fs::read(&file).unwrap(),
                noise(1, 5000),
                "{overwrite} {inner:o} {shut:o}"
            );
            let keeps = matches!(overwrite, "never" | "rename");
            let want = if keeps { (inner, shut) } else { (0o555, 0o555) };
            let found = (mode(&in_dir), mode(&home.path("o/shut")));
            assert_eq!(found, want, "{overwrite} {inner:o} {shut:o}");
        }
    }
    restore(&[]).ends(0);
    oracle::assert_same(&wanted, &tree(&home.path("o")), "in the end");
    // The target itself, too; and what belongs to others stays as it is.
    fs::create_dir(home.path("t")).unwrap();
    nobody.owns("t");
    set_mode(&home.path("t"), 0o555);
    nobody.run(&[], &["restore", &from, "--target", "t"]).ends(0);
    assert_eq!(mode(&home.path("t")), 0o555);
    oracle::assert_same(&wanted, &tree(&home.path("t")), "in a closed target");
    fs::create_dir_all(home.path("r/open")).unwrap();
    set_mode(&home.path("r"), 0o755);
    nobody.owns("r/open");
    let run = nobody.run(&[], &["restore", &from, "--target", "r"]);
    assert_eq!(run.code, 3, "{run:?}");
    assert_eq!(fs::read(home.path("r/open/f2")).unwrap(), noise(2, 5000));
    assert_eq!(leftovers(&home.path("r")), Vec::<PathBuf>::new());
}

/// Links above what was backed up are the user's own; below they are never followed.
#[test]
fn links_above_and_below_the_source() {
    let home = home();
    home.init();
    home.write("real/u/docs/f", b"1");
    symlink(home.path("real"), home.path("hl")).unwrap();
    home.ok(&["backup", "hl/u/docs"]);
    home.write("real/u/docs/f", b"changed");
    home.ok(&["restore", "--target", "/", "hl/u/docs"]);
    assert_eq!(fs::read(home.path("real/u/docs/f")).unwrap(), b"1");
    assert!(fs::symlink_metadata(home.path("hl")).unwrap().is_symlink());
    // All of it, into a target that has such a link.
    fs::create_dir_all(within(&home, "o", "")).unwrap();
    fs::create_dir(home.path("elsewhere")).unwrap();
    symlink(home.path("elsewhere"), within(&home, "o", "hl")).unwrap();
    home.ok(&["restore", "--target", "o"]);
    assert_eq!(fs::read(home.path("elsewhere/u/docs/f")).unwrap(), b"1");
    // Another user's link may lead anywhere.
    let foreign = within(&home, "o2", "hl");
    fs::create_dir_all(foreign.parent().unwrap()).unwrap();
    symlink(home.path("elsewhere"), &foreign).unwrap();
    std::os::unix::fs::lchown(&foreign, Some(NOBODY), Some(NOBODY)).unwrap();
    home.ends(3, &["restore", "--target", "o2"])
        .says(&["another user"]);
    // Below the source.
    let outside = home.path("outside");
    fs::create_dir(&outside).unwrap();
    let docs = within(&home, "o3", "hl/u");
    fs::create_dir_all(&docs).unwrap();
    symlink(&outside, docs.join("docs")).unwrap();
    let file = home.text("hl/u/docs/f");
    home.ends(3, &["restore", "--target", "o3", &file])
        .says(&["symbolic link"]);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}

/// Only a regular file is replaced, and nothing of the user's is touched on the way.
#[test]
fn dumps_into_what_is_there() {
    let home = home();
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
