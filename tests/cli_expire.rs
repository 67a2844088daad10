//! `deleted-files` of a set's retention, over days that libfaketime makes: what leaves older snapshots and when, what
//! stays, and what a dry run shows.

use kit::program::{Home, Run, number, string};
use serde_json::Value;
use std::fs;
use std::process::{Command, Stdio};

/// A home whose clock the test sets.
struct Days {
    home: Home,
}

const OLD: &str = "docs/old";

impl Days {
    /// A set `docs` with this retention.
    fn with(retention: &str) -> Days {
        let days = Days {
            home: Home::new(env!("CARGO_BIN_EXE_dedup-under-test")),
        };
        days.on(1, &["init"]).ends(0);
        days.settings("'~/docs'", retention);
        for (name, text) in [
            ("keep", "kept"),
            ("old", "deleted"),
            ("back", "comes back"),
            ("dir/a", "deleted with its directory"),
            ("dir/deep/b", "b"),
        ] {
            days.home.write(&format!("docs/{name}"), text);
        }
        days
    }

    fn settings(&self, sources: &str, retention: &str) {
        let home = &self.home;
        let (repo, key) = (
            home.text(".local/share/dedup/repository"),
            home.text(".config/dedup/default.key"),
        );
        let text = format!(
            "[remotes.main]\nurl = '{repo}'\nkey-file = '{key}'\n\
             [sets.docs]\nsources = [{sources}]\ndestinations = ['main']\n\
             [sets.docs.retention]\n{retention}\n"
        );
        home.write(".config/dedup/dedup.toml", text);
    }

    fn command(&self, day: u32, args: &[&str]) -> Command {
        let program = self.home.command(args);
        let mut command = Command::new("faketime");
        // Each day a little later than the day before.
        let clock = format!("@2026-05-{day:02} 12:{day:02}:00");
        command
            .args(["-f", &clock])
            .arg(program.get_program())
            .args(program.get_args())
            .current_dir(self.home.path("."))
            .env_clear()
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .stdin(Stdio::null());
        for (name, value) in program.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        command
    }

    /// The program, run on this day of the month.
    fn on(&self, day: u32, args: &[&str]) -> Run {
        let output = self.command(day, args).output();
        Run::of(output.unwrap_or_else(|e| panic!("faketime is needed (make setup): {e}")))
    }

    #[track_caller]
    fn run_set(&self, day: u32) {
        self.on(day, &["run", "docs"]).ends(0);
    }

    fn remove(&self, name: &str) {
        let path = self.home.path(name);
        match path.is_dir() {
            true => fs::remove_dir_all(path).unwrap(),
            false => fs::remove_file(path).unwrap(),
        }
    }

    /// Whether the snapshot at this place (0 is the oldest) holds a path.
    fn holds(&self, place: usize, path: &str) -> bool {
        let ids = self.home.snapshots();
        self.home.run(&["ls", &ids[place], path]).code == 0
    }

    /// Three snapshots: with all, without what is deleted, and with what came back.
    fn deleted_on_the_second() -> Days {
        let days = Days::with("deleted-files = '10d'");
        days.run_set(1);
        for name in ["old", "back", "dir"] {
            days.remove(&format!("docs/{name}"));
        }
        days.run_set(2);
        days.home.write("docs/back", "is back");
        days.run_set(5);
        days
    }
}

fn of_type(run: &Run, message_type: &str) -> Vec<Value> {
    let mut rows = run.objects();
    rows.retain(|row| row["message_type"] == message_type);
    rows
}

#[test]
fn deleted_files_are_dropped_when_their_time_is_over() {
    let days = Days::deleted_on_the_second();
    let home = &days.home;
    days.run_set(11);
    days.on(11, &["prune", "--yes"]).ends(0);
    assert!(days.holds(0, OLD), "nine days are not ten");
    days.run_set(12);
    let ids = home.snapshots();
    let before = home.contents(&home.repository());
    let dry = days.on(12, &["prune", "-n"]).ends(0);
    let (old, dir) = (home.text(OLD), home.text("docs/dir"));
    for words in [
        "Set docs: would drop 3 deleted files",
        "from 1 snapshot",
        &old,
        &format!("{dir}/"),
    ] {
        assert!(dry.out.contains(words), "{words}: {}", dry.out);
    }
    assert!(
        !dry.out.contains("docs/back") && !dry.out.contains("dir/deep"),
        "{}",
        dry.out
    );
    let rows = days.on(12, &["prune", "-n", "--json"]).ends(0);
    let paths: Vec<String> = of_type(&rows, "deleted_file")
        .iter()
        .map(|row| string(row, "path"))
        .collect();
    let below = ["", "/a", "/deep", "/deep/b"].map(|name| format!("{dir}{name}"));
    assert_eq!((&paths[..4], &paths[4..]), (&below[..], &[old.clone()][..]));
    let all = of_type(&rows, "deleted_files").remove(0);
    assert_eq!(
        (number(&all, "files"), &all["snapshots"][0]),
        (3, &ids[0].as_str().into())
    );
    assert!(
        before == home.contents(&home.repository()),
        "a dry run changes nothing"
    );

    let done = days.on(12, &["prune", "--yes", "--json"]).ends(0);
    let summary = done.summary();
    assert_eq!(
        (
            number(&summary, "deleted_files_dropped"),
            number(&summary, "snapshots_changed")
        ),
        (3, 1)
    );
    let changed = of_type(&done, "changed").remove(0);
    assert_eq!(
        (string(&changed, "old_snapshot_id"), number(&changed, "files")),
        (ids[0].clone(), 3)
    );
    let now = home.snapshots();
    assert_eq!(now[1..], ids[1..], "only what is older is changed");
    assert!(now.len() == ids.len() && now[0] != ids[0]);
    assert!(!days.holds(0, OLD) && !days.holds(0, "docs/dir"));
    assert!(
        days.holds(0, "docs/keep") && days.holds(0, "docs/back"),
        "what came back is not deleted"
    );
    assert_eq!(home.ok(&["dump", &now[0], "docs/back"]).out, "comes back");
    home.ok(&["check", "--read-data"]);

    // There is nothing more to do, now and with the note of it.
    for _ in 0..2 {
        let again = days.on(12, &["prune", "--yes", "--json"]).ends(0);
        assert_eq!(number(&again.summary(), "snapshots_changed"), 0);
    }
    assert_eq!(home.snapshots(), now);
    // The old form can be brought back, and goes again.
    days.on(12, &["undelete", &ids[0]]).ends(0);
    assert_eq!(home.snapshots().len(), 6);
    let again = days.on(12, &["prune", "--yes", "--json"]).ends(0);
    assert_eq!(number(&again.summary(), "snapshots_changed"), 1);
    assert!((0..home.snapshots().len()).all(|place| !days.holds(place, OLD)));
}

#[test]
fn another_day_can_be_tried() {
    let days = Days::deleted_on_the_second();
    let early = days.on(5, &["prune", "--simulate", "2026-05-11"]).ends(0);
    assert!(!early.out.contains(OLD), "{}", early.out);
    let late = days.on(5, &["prune", "--simulate", "2026-05-20"]).ends(0);
    assert!(
        late.out.contains(OLD) && late.out.contains("would drop"),
        "{}",
        late.out
    );
    assert!(days.holds(0, OLD));
    // Policies of snapshots and of deleted files go together.
    days.settings("'~/docs'", "max-generations = 3\ndeleted-files = '10d'");
    days.run_set(11);
    days.run_set(12);
    let done = days.on(12, &["prune", "--yes", "--json"]).ends(0);
    let summary = done.summary();
    assert_eq!(
        (
            number(&summary, "snapshots_removed"),
            number(&summary, "snapshots_changed")
        ),
        (2, 0)
    );
}

/// What is held on purpose stays as it is, and so does what belongs to another machine or no set.
#[test]
fn protected_and_tagged_snapshots_and_those_of_others_are_left() {
    let days = Days::with("deleted-files = '10d'\nkeep-tags = ['hold']");
    let home = &days.home;
    for _ in 0..3 {
        days.run_set(1);
    }
    let ids = home.snapshots();
    days.on(1, &["protect", &ids[0]]).ends(0);
    days.on(1, &["tag", "--add", "hold", &ids[1]]).ends(0);
    days.on(1, &["backup", "docs"]).ends(0);
    days.command(1, &["run", "docs"])
        .env("DEDUP_HOST", "other")
        .status()
        .unwrap();
    days.remove(OLD);
    days.run_set(2);
    days.run_set(12);
    let held = || {
        let rows = home.ok(&["find", OLD, "--json"]).objects();
        rows.len()
    };
    let find = home.ok(&["find", &home.text(OLD), "--by-snapshot"]);
    assert_eq!(held(), 5, "{}", find.out);
    let done = days.on(12, &["prune", "--yes", "--json"]).ends(0);
    assert_eq!(number(&done.summary(), "snapshots_changed"), 1);
    assert_eq!(held(), 4);
}

/// A source that is gone, or is no source any more, was not seen to be empty.
#[test]
fn what_was_not_looked_at_is_kept() {
    let days = Days::with("deleted-files = '10d'");
    let home = &days.home;
    home.write("more/file", "m");
    home.write("gone/file", "g");
    let retention = "deleted-files = '10d'";
    days.settings("'~/docs', '~/more', '~/gone'", retention);
    days.run_set(1);
    days.settings("'~/docs', '~/gone'", retention);
    days.remove("gone");
    days.remove(OLD);
    days.on(2, &["run", "docs"]).ends(3);
    days.on(12, &["run", "docs"]).ends(3);
    let done = days.on(12, &["prune", "--yes", "--json"]).ends(0);
    assert_eq!(number(&done.summary(), "deleted_files_dropped"), 1);
    assert!(!days.holds(0, OLD) && days.holds(0, "more/file") && days.holds(0, "gone/file"));
}

#[test]
fn maintenance_does_it_unless_the_remote_is_append_only() {
    let days = Days::deleted_on_the_second();
    let home = &days.home;
    let path = home.path(".config/dedup/dedup.toml");
    let text = fs::read_to_string(&path).unwrap() + "[maintenance]\nlight = '1d'\n";
    let append_only = text.replace("[sets.docs]", "append-only = true\n[sets.docs]");
    fs::write(&path, append_only).unwrap();
    days.run_set(11);
    days.run_set(12);
    assert!(days.holds(0, OLD));
    fs::write(&path, text).unwrap();
    days.run_set(14);
    assert!(!days.holds(0, OLD) && days.holds(0, "docs/keep"));
}
