//! The share of the processors, which every job that opens a repository keeps to, and the priority of what runs by itself.

use super::Laptop;
use crate::cli_runs::{YEARLY, history, known_for_long, words};
use kit::generation::noise;
use kit::program::hurt;
use std::fs;
use std::process::Command;
use std::time::Instant;

/// A laptop with repositories: `main` with two snapshots, an empty replica of it, and another one for copies.
fn laptop() -> Laptop {
    let laptop = Laptop::new("");
    let home = &laptop.home;
    fs::remove_file(home.path(".config/dedup/dedup.toml")).unwrap();
    for nr in 0..48 {
        home.write(&format!("docs/noise{nr}"), noise(nr, 1 << 20));
    }
    home.ok(&["backup", "docs"]);
    for nr in (0..48).step_by(2) {
        fs::remove_file(home.path(format!("docs/noise{nr}"))).unwrap();
    }
    home.ok(&["backup", "docs"]);
    home.ok(&["remote", "add", "replica", "replica"]);
    home.ok(&["-r", "other", "--key-file", "other.key", "init", "--no-recovery"]);
    laptop
}

/// Of all processors together, this is a fifth of one.
fn percent() -> usize {
    let cores = std::thread::available_parallelism().unwrap().get();
    (20 / cores).max(1)
}

/// Seconds of processor time that a command takes, and seconds that pass.
#[track_caller]
fn measured(command: &Command) -> (f64, f64) {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", r#""$@" >/dev/null; code=$?; times; exit $code"#, "sh"])
        .arg(command.get_program())
        .args(command.get_args())
        .current_dir(command.get_current_dir().unwrap())
        .env_clear();
    for (name, value) in command.get_envs() {
        shell.env(name, value.unwrap_or_default());
    }
    let begun = Instant::now();
    let output = shell.output().unwrap();
    let passed = begun.elapsed().as_secs_f64();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?}\n{said}", command.get_args());
    // The second line is of the shell's children: `0m0.25s 0m0.03s`.
    let out = String::from_utf8(output.stdout).unwrap();
    let seconds = |time: &str| {
        let (minutes, seconds) = time.trim_end_matches('s').split_once('m').unwrap();
        minutes.parse::<f64>().unwrap() * 60.0 + seconds.parse::<f64>().unwrap()
    };
    let used = out.lines().last().unwrap().split_whitespace().map(seconds).sum();
    (used, passed)
}

/// Each of the jobs that have a repository to work on for long.
#[test]
fn every_job_keeps_to_it() {
    let laptop = laptop();
    let home = &laptop.home;
    let cores = std::thread::available_parallelism().unwrap().get() as f64;
    let limited = |args: &[&str]| {
        let settings = fs::read_to_string(home.path(".config/dedup/dedup.toml")).unwrap_or_default();
        let with = format!("{settings}[limits]\ncpu-active = {}\n", percent());
        home.write(".config/dedup/dedup.toml", with);
        let (used, passed) = measured(&laptop.command(args));
        home.write(".config/dedup/dedup.toml", settings);
        let least = used / (cores * percent() as f64 / 100.0);
        // What is used before the first request, and after the last one, is not made up for.
        assert!(
            passed > least * 0.6,
            "{args:?} used {used} s of processor time in {passed} s, and should have taken {least} s"
        );
        println!("{args:?}: {used} s of processor time in {passed} s");
    };
    limited(&["check", "--read-data"]);
    limited(&["replicate"]);
    let key = home.text(".config/dedup/default.key");
    let main = home.text(".local/share/dedup/repository");
    limited(&[
        "-r",
        "other",
        "--key-file",
        "other.key",
        "copy",
        "--from",
        &main,
        "--from-key-file",
        &key,
    ]);
    for pack in home.objects("packs") {
        if fs::metadata(&pack).unwrap().len() > 1 << 20 {
            hurt(&pack);
        }
    }
    limited(&["heal", "--read-data"]);
    home.ok(&["forget", "latest~1", "--yes"]);
    limited(&[
        "prune",
        "--gc-only",
        "--keep-trash",
        "0s",
        "--max-unused",
        "0",
        "--yes",
    ]);
    home.ok(&["check", "--read-data"]);
}

/// All threads of a run by itself, while it saves and while it maintains: each thread has a priority of its own.
#[test]
fn all_of_a_run_by_itself_is_nice() {
    let laptop = Laptop::new("");
    let home = &laptop.home;
    home.run_with(
        &[("DEDUP_PASSWORD", "sesame")],
        &["-r", "repo", "init", "--no-recovery"],
    )
    .ends(0);
    let repo = home.text("repo");
    let text = format!(
        "[remotes.main]\nurl = '{repo}'\npassword-command = 'cat /proc/$PPID/task/*/stat >> ~/opened; echo sesame'\n\
         [sets.docs]\nsources = ['~/docs']\ndestinations = ['main']\nschedule = '{YEARLY}'\n\
         run-before = 'cat /proc/$PPID/task/*/stat >> ~/begun'\n[maintenance]\nlight = '1d'\nfull = '30d'\n"
    );
    home.write(".config/dedup/dedup.toml", text);
    known_for_long(home, "docs");
    laptop.ends(0, &["run", "--due"]);
    let kinds = words(&history(home), "kind");
    for kind in ["backup", "prune", "check", "drill"] {
        assert!(kinds.iter().any(|known| known == kind), "{kinds:?}");
    }
    for file in ["begun", "opened"] {
        let text = fs::read_to_string(home.path(file)).unwrap();
        for line in text.lines() {
            let fields: Vec<&str> = line.rsplit(')').next().unwrap().split_whitespace().collect();
            assert!(fields[16].parse::<i32>().unwrap() >= 10, "{file}: {line}");
        }
        assert!(text.lines().count() > 0);
    }
    // Once for the backup, and for each job of maintenance.
    let opened = fs::read_to_string(home.path("opened")).unwrap();
    assert!(opened.lines().count() >= 4, "{opened}");
}
