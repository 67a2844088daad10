//! Proof that what is stored can be read and restored: `check --max-age`, `check` of single snapshots, `drill`, and what
//! keeps their dates.

use kit::generation::noise;
use kit::program::{Home, Run, hurt, number, string};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

const SCRATCH: &str = ".cache/dedup/drill";

/// Three snapshots with data of their own, in packs of their own.
fn home() -> Home {
    let home = Home::new(env!("CARGO_BIN_EXE_dedup-under-test"));
    home.init();
    for nr in 0..3 {
        home.write(&format!("docs/{nr}"), noise(nr, 300_000));
        home.ok(&["backup", "docs"]);
    }
    home
}

fn check(home: &Home, args: &[&str]) -> Value {
    home.ok(&[&["check", "--json"], args].concat()).summary()
}

fn size(packs: &[PathBuf]) -> u64 {
    packs.iter().map(|pack| fs::metadata(pack).unwrap().len()).sum()
}

/// The largest of the packs that are not among these: one with data.
fn data_pack(home: &Home, known: &[PathBuf]) -> PathBuf {
    let new = home
        .objects("packs")
        .into_iter()
        .filter(|pack| !known.contains(pack));
    new.max_by_key(|pack| fs::metadata(pack).unwrap().len()).unwrap()
}

/// Every pack with data; those of trees are small.
fn hurt_data(home: &Home) {
    for pack in home.objects("packs") {
        if fs::metadata(&pack).unwrap().len() > 100_000 {
            hurt(&pack);
        }
    }
}

fn read(summary: &Value) -> (u64, u64) {
    (number(summary, "packs_read"), number(summary, "bytes_read"))
}

#[test]
fn a_check_by_age_reads_what_is_due() {
    let home = home();
    let packs = home.objects("packs");
    let all = (packs.len() as u64, size(&packs));
    let structure = check(&home, &[]);
    assert_eq!(
        (read(&structure), &structure["read_since"]),
        ((0, 0), &Value::Null)
    );
    let first = check(&home, &["--max-age", "30d"]);
    assert_eq!((read(&first), number(&first, "packs_due")), (all, 0));
    let since = string(&first, "read_since");
    // Lost caches lose no proof.
    fs::remove_dir_all(home.path(".cache")).unwrap();
    let second = check(&home, &["--max-age", "30d"]);
    assert_eq!(
        (read(&second), string(&second, "read_since")),
        ((0, 0), since.clone())
    );
    home.write("docs/more", noise(9, 300_000));
    home.ok(&["backup", "docs"]);
    let new: Vec<PathBuf> = home
        .objects("packs")
        .into_iter()
        .filter(|pack| !packs.contains(pack))
        .collect();
    let third = check(&home, &["--max-age", "30d"]);
    assert_eq!(read(&third), (new.len() as u64, size(&new)), "only what is new");
    assert!(string(&third, "read_since") >= since);
    // What is damaged afterwards is not due; what nobody knows to be read is.
    hurt(&data_pack(&home, &new));
    assert_eq!(read(&check(&home, &["--max-age", "30d"])), (0, 0));
    for note in home
        .contents(&home.path(".local/state/dedup/repositories"))
        .into_keys()
    {
        if note.file_name().is_some_and(|name| name == "read") {
            fs::remove_file(note).unwrap();
        }
    }
    let found = home.ends(13, &["check", "--max-age", "30d", "--json"]).summary();
    assert_eq!(number(&found, "packs_read"), home.objects("packs").len() as u64);
    assert!(found["read_since"].is_null());
    let again = home.ends(13, &["check", "--max-age", "30d", "--json"]).summary();
    assert_eq!(number(&again, "packs_read"), 1, "what is damaged stays due");
}

#[test]
fn small_steps_read_everything_in_turn() {
    let home = home();
    let packs = home.objects("packs");
    let mut total = (0, 0);
    for step in 1..=packs.len() as u64 {
        let found = check(&home, &["--max-age", "30d", "--read-data-subset", "1K"]);
        let (packs_read, bytes) = read(&found);
        assert_eq!(packs_read, 1, "each step reads another one");
        total = (total.0 + packs_read, total.1 + bytes);
        assert_eq!(number(&found, "packs_due"), packs.len() as u64 - step);
        assert_eq!(found["read_since"].is_null(), step < packs.len() as u64);
    }
    assert_eq!(total, (packs.len() as u64, size(&packs)));
    assert_eq!(
        read(&check(&home, &["--max-age", "30d", "--read-data-subset", "50%"])),
        (0, 0)
    );
    home.ends(2, &["check", "--max-age", "30d", "--read-data"]);
}

#[test]
fn a_check_of_one_snapshot() {
    let home = Home::new(env!("CARGO_BIN_EXE_dedup-under-test"));
    home.init();
    home.write("docs/a", noise(1, 300_000));
    home.ok(&["backup", "docs"]);
    let first = home.objects("packs");
    home.write("docs/a", noise(2, 300_000));
    home.ok(&["backup", "docs"]);
    hurt(&data_pack(&home, &[]));
    let hurts_first = first.contains(&data_pack(&home, &[]));
    let (sound, damaged) = match hurts_first {
        true => ("latest", "latest~1"),
        false => ("latest~1", "latest"),
    };
    let found = check(&home, &[sound, "--read-data"]);
    assert_eq!(
        (number(&found, "snapshots"), number(&found, "num_errors")),
        (1, 0)
    );
    assert_eq!(found["checked_snapshots"].as_array().unwrap().len(), 1);
    assert!(number(&found, "packs_read") < home.objects("packs").len() as u64);
    let bad = home.ends(13, &["check", damaged, "--read-data"]);
    assert!(bad.out.contains("docs/a"), "{}", bad.out);
    home.ends(13, &["check", "--read-data"]);
    let both = home.ends(13, &["check", "latest", "latest~1", "--read-data", "--json"]);
    assert_eq!(number(&both.summary(), "snapshots"), 2);
    assert_ne!(home.run(&["check", "ffff"]).code, 0);
}

fn drill(home: &Home, args: &[&str]) -> Run {
    home.run(&[&["drill", "--json"], args].concat())
}

/// Nothing lies where drills restore.
fn nothing_left(home: &Home) {
    let folder = home.path(SCRATCH);
    assert!(!folder.exists() || fs::read_dir(folder).unwrap().next().is_none());
}

#[test]
fn a_drill_restores_and_compares() {
    let home = home();
    for nr in 0..50 {
        home.write(&format!("docs/small/{nr}"), format!("{nr}"));
    }
    home.write("docs/empty", "");
    std::os::unix::fs::symlink("0", home.path("docs/link")).unwrap();
    let closed = home.path("docs/closed");
    fs::create_dir(&closed).unwrap();
    home.write("docs/closed/file", "x");
    let mut mode = fs::metadata(&closed).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o555);
    fs::set_permissions(&closed, mode).unwrap();
    home.ok(&["backup", "docs"]);
    let some = drill(&home, &[]).ends(0).summary();
    let files = 3 + 50 + 1 + 1;
    assert_eq!((number(&some, "files"), number(&some, "different")), (files, 0));
    assert_eq!(
        (number(&some, "live_files"), number(&some, "live_changed")),
        (files, 0)
    );
    nothing_left(&home);
    let all = drill(&home, &["latest"]).ends(0);
    assert_eq!(number(&all.summary(), "files"), files);
    let one = &all.objects()[0];
    assert!(number(one, "others") >= 4, "{one}");
    assert_eq!(
        number(&drill(&home, &["--sample", "7"]).ends(0).summary(), "files"),
        7
    );
    assert_eq!(
        number(&drill(&home, &["--sample", "10%"]).ends(0).summary(), "files"),
        6
    );
    let bytes = number(
        &drill(&home, &["latest~1", "--sample", "400K"]).ends(0).summary(),
        "bytes",
    );
    assert!(bytes <= 400 << 10, "{bytes}");
    nothing_left(&home);
    let named = drill(&home, &["latest", "--scratch", "elsewhere"]);
    assert_eq!(named.code, 0);
    assert!(
        fs::read_dir(home.path("elsewhere/dedup-drill"))
            .unwrap()
            .next()
            .is_none()
    );
    let rows = home.ok(&["history", "--json", "--kind", "drill"]).objects();
    assert_eq!(rows.len(), 6 + 1);
    assert_eq!(
        (string(&rows[0], "status"), number(&rows[0], "files")),
        ("completed".into(), files)
    );
    let text = home.ok(&["drill"]).out;
    assert!(
        text.contains("Everything was restored as it was backed up"),
        "{text}"
    );
}

/// Who may change the folder could put a link where the drill is about to write, and have anything replaced.
#[test]
fn a_scratch_folder_of_others_is_refused() {
    let home = home();
    let open = home.path("shared/dedup-drill");
    fs::create_dir_all(&open).unwrap();
    fs::set_permissions(&open, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    std::os::unix::fs::symlink(home.path("docs"), open.join("link")).unwrap();
    home.ends(1, &["drill", "latest", "--scratch", "shared"])
        .says(&["shared/dedup-drill", "--scratch"]);
    assert_eq!(fs::read_dir(&open).unwrap().count(), 1, "nothing is made there");
    assert_eq!(fs::read_dir(home.path("docs")).unwrap().count(), 3);
    drill(&home, &["latest", "--scratch", "own"]).ends(0);
}

#[test]
fn what_changed_on_the_machine_is_no_failure() {
    let home = home();
    home.write("docs/0", noise(7, 300_000));
    fs::remove_file(home.path("docs/1")).unwrap();
    let found = drill(&home, &["latest"]).ends(0).summary();
    assert_eq!(
        (number(&found, "live_files"), number(&found, "live_changed")),
        (1, 2)
    );
    assert_eq!(number(&found, "different"), 0);
}

#[test]
fn a_drill_names_what_it_could_not_restore() {
    let home = home();
    hurt_data(&home);
    let text = home.ends(13, &["drill", "latest"]);
    for nr in 0..3 {
        assert!(
            text.err.contains(&home.text(&format!("docs/{nr}"))),
            "{}",
            text.err
        );
    }
    let found = drill(&home, &["latest"]).ends(13).summary();
    assert_eq!((number(&found, "files"), number(&found, "different")), (0, 3));
    assert!(text.out.contains("Restored 0 files"), "{}", text.out);
    nothing_left(&home);
    let row = home.ok(&["history", "--json", "--kind", "drill"]).objects()[0].clone();
    assert_eq!(
        (string(&row, "reason"), number(&row, "problems")),
        ("damage found".into(), 3)
    );
}

fn is_full(folder: &Path) -> bool {
    let below = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten();
    below(folder).any(|run| below(&run.path()).next().is_some())
}

#[test]
fn a_drill_that_was_killed_leaves_nothing_after_the_next() {
    let home = home();
    home.write("docs/large", noise(4, 64 << 20));
    home.ok(&["backup", "docs"]);
    let folder = home.path(SCRATCH);
    let mut killed = false;
    for _ in 0..20 {
        let mut child = home.command(&["drill", "latest", "--quiet"]).spawn().unwrap();
        while child.try_wait().unwrap().is_none() {
            if is_full(&folder) {
                child.kill().unwrap();
                killed = true;
            }
            thread::sleep(Duration::from_millis(1));
        }
        child.wait().unwrap();
        if killed && is_full(&folder) {
            break;
        }
    }
    assert!(
        killed && is_full(&folder),
        "it was never killed while it restored"
    );
    drill(&home, &["--sample", "1"]).ends(0);
    nothing_left(&home);
}

#[test]
fn holes_need_no_room() {
    let home = home();
    let holes = fs::File::create(home.path("docs/holes")).unwrap();
    holes.set_len(1 << 42).unwrap();
    home.ok(&["backup", "docs"]);
    assert_eq!(
        number(&drill(&home, &["latest"]).ends(0).summary(), "different"),
        0
    );
}

/// A sample is taken from what can be restored; what can't is told all the same.
#[test]
fn what_could_not_be_read_is_told_by_every_drill() {
    let home = Home::new(env!("CARGO_BIN_EXE_dedup-under-test"));
    home.init();
    home.write("docs/a", "a");
    let settings = format!(
        "[remotes.main]\nurl = '{}'\nkey-file = '{}'\n\
         [sets.cmds]\nsources = ['{}']\ndestinations = ['main']\n\
         [sets.cmds.commands]\ndb = 'echo partial; exit 5'\nok = 'echo fine'\n",
        home.text(".local/share/dedup/repository"),
        home.text(".config/dedup/default.key"),
        home.text("docs")
    );
    home.write(".config/dedup/dedup.toml", settings);
    home.ends(3, &["run", "cmds"]);
    for what in [&[][..], &["cmds"], &["--sample", "1"]] {
        let run = home.ends(3, &[&["drill"], what].concat());
        let told = run.err.lines().filter(|line| line.contains("/commands/db"));
        let told: Vec<&str> = told.collect();
        assert!(
            told.len() == 1 && told[0].contains("could not be read when it was backed up"),
            "{what:?}: {}",
            run.err
        );
        assert!(run.out.contains("but for what is named above"), "{}", run.out);
    }
    for what in [&[][..], &["cmds"]] {
        let found = drill(&home, what).ends(3).summary();
        let of = |field| number(&found, field);
        assert_eq!((of("files"), of("different")), (2, 0), "{found}");
        // What a command printed never was a file here.
        assert_eq!((of("live_files"), of("live_changed")), (1, 0), "{found}");
    }
    // What was saved is proven all the same.
    let status = home.ok(&["status", "--json"]).summary();
    assert!(status["remotes"][0]["last_drill"].is_string(), "{status}");
}

/// However many sets are drilled: the snapshots are listed once.
#[test]
fn a_lost_snapshot_is_told_once() {
    let home = home();
    let (repo, key) = (
        home.text(".local/share/dedup/repository"),
        home.text(".config/dedup/default.key"),
    );
    home.write("docs/a", "a");
    let set = |name| {
        format!(
            "[sets.{name}]\nsources = ['{}']\ndestinations = ['main']\n",
            home.text("docs")
        )
    };
    let settings = format!(
        "[remotes.main]\nurl = '{repo}'\nkey-file = '{key}'\n{}{}",
        set("a"),
        set("b")
    );
    home.write(".config/dedup/dedup.toml", settings);
    home.ok(&["run", "a", "b"]);
    let lost = home.ok(&["backup", "--json", "docs"]).summary();
    let lost = home
        .path(".local/share/dedup/repository/snapshots")
        .join(string(&lost, "snapshot_id"));
    fs::remove_file(lost).unwrap();
    let told = drill(&home, &[]).ends(0);
    assert_eq!(number(&told.summary(), "snapshots"), 2, "{}", told.out);
    let lines = told.err.lines().filter(|line| line.contains("dedup check"));
    assert_eq!(lines.count(), 1, "{}", told.err);
}

#[test]
fn dates_of_proofs_are_kept_and_shown() {
    let home = home();
    let (repo, key) = (
        home.text(".local/share/dedup/repository"),
        home.text(".config/dedup/default.key"),
    );
    // Nobody listens there, so messages wait.
    let web = "[notify.webhook]\nurl = 'http://127.0.0.1:1/'\n";
    let set = format!(
        "[sets.a]\nsources = ['{}']\ndestinations = ['main']\n",
        home.text("docs")
    );
    home.write(
        ".config/dedup/dedup.toml",
        format!(
            "[remotes.main]\nurl = '{repo}'\nkey-file = '{key}'\n{set}[maintenance]\nfull = '30d'\n{web}"
        ),
    );
    let status = || home.ok(&["status", "--json"]).summary()["remotes"][0].clone();
    assert!(status()["last_drill"].is_null() && status()["read_since"].is_null());
    let run = home.ok(&["run", "a"]);
    assert!(run.out.contains("main, drill: completed"), "{}", run.out);
    assert!(status()["last_drill"].is_string() && status()["last_restore"].is_string());
    let run = home.ok(&["run", "a"]);
    assert!(!run.out.contains("drill"), "not due: {}", run.out);
    home.ok(&["drill", "a"]);
    home.ok(&["-r", "main", "check", "--max-age", "30d"]);
    assert!(status()["read_since"].is_string());
    let table = home.ok(&["status"]).out;
    assert!(table.contains("Read since") && table.contains("Drill"), "{table}");
    let doctor = home.run(&["doctor"]).out;
    assert!(
        doctor.contains("every byte stored by") && doctor.contains("last drill"),
        "{doctor}"
    );
    hurt_data(&home);
    fs::remove_file(home.path(".local/state/dedup/runs/maintenance/main.json")).unwrap();
    let run = home.run(&["run", "a"]);
    assert_eq!(run.code, 13, "{run:?}");
    assert!(
        run.out.contains("main, drill: incomplete (damage found)"),
        "{}",
        run.out
    );
    assert!(status()["failed_drill"].is_string());
    let waiting = home.contents(&home.path(".local/state/dedup/notify"));
    let says =
        |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).contains("drill of main incomplete (damage found)");
    assert!(waiting.values().any(says), "no message");
    assert!(home.ok(&["status"]).out.contains("FAILED"));
    assert!(home.ends(3, &["doctor"]).out.contains("the drill of"));
}

#[test]
fn a_policy_on_another_day() {
    let home = Home::new(env!("CARGO_BIN_EXE_dedup-under-test"));
    home.init();
    home.write("docs/a", "a");
    for day in ["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04"] {
        home.ok(&["backup", "docs", "--time", day, "--host", "h"]);
    }
    let kept = |args: &[&str]| {
        let groups = home
            .ok(&[&["forget", "--json", "--keep-daily", "3"], args].concat())
            .objects();
        groups[0]["keep"].as_array().unwrap().len()
    };
    // Then, the fourth was not made yet.
    assert_eq!(
        (kept(&["--dry-run"]), kept(&["--simulate", "2026-01-03"])),
        (3, 3)
    );
    assert_eq!(kept(&["--simulate", "2026-01-02"]), 2);
    // In a hundred years there are other snapshots of the last three days.
    let shown = home.ok(&["forget", "--keep-daily", "3", "--simulate", "2126-01-01"]);
    assert!(
        shown.out.contains("0/4") && shown.out.contains("2126-01-01"),
        "{}",
        shown.out
    );
    let drawn = home.ok(&["forget", "--keep-daily", "3", "--dry-run"]).out;
    assert!(drawn.contains("3/4") && drawn.contains("|+ "), "{drawn}");
    home.ok(&["prune", "--keep-last", "1", "--simulate", "2026-01-02"]);
    assert_eq!(home.snapshots().len(), 4, "nothing was removed");
    home.ends(2, &["forget", "--keep-last", "1", "--simulate", "someday"]);
}
