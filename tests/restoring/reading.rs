//! From a repository of which parts can't be read, and without a place for a cache: what can be restored is, the rest is
//! reported by its cause, and nothing is called damaged that is not.

use super::{Nobody, files, home, leftovers, noise, set_mode, within};
use crate::cli_bad::Disk;
use kit::program::{Home, Run, number};
use kit::random::{Random, seeds};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

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
        for command in [
            &["check", "--read-data"][..],
            &["dump", "src/f2", "--target", "f2"],
        ] {
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
            let run = nobody.run(&vars, &["restore", "--target", "o"]);
            assert_eq!(run.code, 0, "{cache} {tmp}: {run:?}");
            // One that can't be used is replaced for this run, without a message; one that fails later is reported.
            let warned = run.err.contains("the cache is not used");
            assert_eq!(warned, cache.ends_with("full"), "{cache} {tmp}: {}", run.err);
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
            nobody.run(&vars, &["check"]).ends(0);
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
