//! Sets as a user runs them: by name, by schedule, paused, stopped, killed, and what the history shows of it.
//!
//! No clock is moved. What is known of a set is put so that a schedule of once a year is due.

mod told;

use kit::program::{Home, number, string};
use serde_json::{Value, json};
use std::fs;
use std::process::{Child, Stdio};

/// Due once a year: not again while a test runs.
pub const YEARLY: &str = "cron 0 0 1 1 *";

/// A home with a repository called `main`, and `docs` with three files in it.
pub fn home(sets: &str) -> Home {
    let home = Home::new(env!("CARGO_BIN_EXE_dedup-under-test"));
    home.init();
    for name in ["letter", "photo.iso", ".hidden"] {
        home.write(format!("docs/{name}").as_str(), name);
    }
    settings(&home, sets);
    home
}

fn settings(home: &Home, sets: &str) {
    let (repo, key) = (
        home.text(".local/share/dedup/repository"),
        home.text(".config/dedup/default.key"),
    );
    let text = format!("[remotes.main]\nurl = '{repo}'\nkey-file = '{key}'\n{sets}");
    home.write(".config/dedup/dedup.toml", text);
}

pub fn set(more: &str) -> String {
    format!("[sets.docs]\nsources = ['~/docs']\ndestinations = ['main']\n{more}\n")
}

fn state_file(set: &str) -> String {
    format!(".local/state/dedup/runs/sets/{set}.json")
}

/// As if the set had been known for long and never been run.
pub fn known_for_long(home: &Home, set: &str) {
    let state = json!({ "schedule": YEARLY, "since": "2020-01-01T00:00:00Z" });
    home.write(&state_file(set), state.to_string());
}

pub fn state(home: &Home, set: &str) -> Value {
    serde_json::from_slice(&fs::read(home.path(state_file(set))).unwrap()).unwrap()
}

/// The rows of the history, newest first, without that of the repository's making.
pub fn history(home: &Home) -> Vec<Value> {
    let mut rows = home.ok(&["history", "--json"]).objects();
    assert_eq!(rows.pop().unwrap()["message_type"], "summary");
    rows.retain(|row| row["kind"] != "init");
    rows
}

pub fn words(rows: &[Value], field: &str) -> Vec<String> {
    rows.iter()
        .map(|row| row[field].as_str().unwrap_or_default().to_string())
        .collect()
}

/// Starts a program and waits until the history shows that it runs.
fn start(home: &Home, args: &[&str]) -> (Child, String) {
    let mut command = home.command(args);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let running = || home.ok(&["history", "--status", "running", "--json"]).objects();
    let rows = std::iter::repeat_with(running).find(|rows| rows.len() > 1);
    (child.unwrap(), string(&rows.unwrap()[0], "id"))
}

#[test]
fn a_set_is_run_as_the_settings_say() {
    let home = home("");
    home.ok(&["remote", "add", "okinawa", "replica", "--like", "main"]);
    let mut text = fs::read_to_string(home.path(".config/dedup/dedup.toml")).unwrap();
    text += "[sets.docs]\nsources = ['~/docs']\ndestinations = ['main', 'okinawa']\ntags = ['office']\n\
        exclude-extensions = ['iso']\nhidden = false\n";
    home.write(".config/dedup/dedup.toml", text);
    let run = home.ok(&["run", "docs", "--json"]);
    let rows = run.objects();
    let report = rows.iter().find(|row| row["message_type"] == "set").unwrap();
    assert_eq!(
        (&report["status"], &report["cause"]),
        (&json!("completed"), &json!("manual"))
    );
    let id = string(&report["backup"], "snapshot_id");
    assert_eq!(run.summary()["sets"], 1);
    let snapshots = home.ok(&["snapshots", "--json"]).objects();
    assert_eq!(snapshots[0]["tags"], json!(["office"]));
    let files = home.ok(&["ls", &id]).out;
    assert!(
        files.contains("/letter") && !files.contains("photo.iso") && !files.contains(".hidden"),
        "{files}"
    );
    assert_eq!(
        home.ok(&["-r", "okinawa", "snapshots", "--json"]).objects().len(),
        1
    );
    let rows = history(&home);
    let row = &rows[0];
    assert_eq!(row["kind"], "backup");
    assert_eq!(row["set"], "docs");
    assert_eq!(row["status"], "completed");
    assert_eq!(number(row, "files"), 1);
    assert_eq!(row["sources"], json!([home.text("docs")]));
    assert_eq!(
        words(row["destinations"].as_array().unwrap(), "name"),
        ["main", "okinawa"]
    );
    assert!(row["start"].is_string() && row["end"].is_string());
    assert!(home.ok(&["run", "docs"]).out.contains("Set docs: completed"));
}

#[test]
fn what_is_wrong_is_told_before_anything_runs() {
    let home = home(&set(""));
    home.ends(2, &["run"]);
    home.ends(2, &["run", "--all", "--due"]);
    home.ends(2, &["run", "dosc"])
        .says(&["no set is called 'dosc'", "did you mean 'docs'?"]);
    home.ends(2, &["-r", "main", "run", "docs"]).says(&["--repo"]);
    home.ends(2, &["history", "--kind", "backups"])
        .says(&["did you mean 'backup'?"]);
    home.ends(1, &["history", "1999"]).says(&["no row"]);
    home.ends(1, &["stop", "docs"]).says(&["neither a running set"]);
    home.ends(2, &["pause", "0s"]);
    home.ends(2, &["pause", "forever"])
        .says(&["'forever' is not a duration", "M (months)"]);
    home.ends(2, &["pause"]);
    assert!(home.snapshots().is_empty() && history(&home).is_empty());
}

#[test]
fn all_by_priority() {
    let home = home(
        "[sets.low]\nsources = ['~/docs']\ndestinations = ['main']\n\
         [sets.gone]\nsources = ['~/gone']\ndestinations = ['main']\npriority = 5\n\
         [sets.high]\nsources = ['~/docs/letter']\ndestinations = ['main']\npriority = 10\n",
    );
    let run = home.ends(3, &["run", "--all", "--json"]);
    let rows = run.objects();
    let sets: Vec<Value> = rows
        .into_iter()
        .filter(|row| row["message_type"] == "set")
        .collect();
    assert_eq!(words(&sets, "set"), ["high", "gone", "low"]);
    assert_eq!(words(&sets, "status"), ["completed", "incomplete", "completed"]);
    let summary = run.summary();
    assert_eq!((number(&summary, "sets"), number(&summary, "completed")), (3, 2));
    assert!(
        home.ok(&["run", "--all", "--dry-run"])
            .out
            .starts_with("Would run set high (manual): ~/docs/letter to main")
    );
}

#[test]
fn due_once_for_each_slot() {
    let home = home(&set(&format!("schedule = '{YEARLY}'")));
    // The first look only notes the schedule.
    assert_eq!(home.ok(&["run", "--due"]).out, "");
    assert!(home.snapshots().is_empty() && history(&home).is_empty());
    known_for_long(&home, "docs");
    let before = home.contents(&home.path(".local/state"));
    let would = home.ok(&["run", "--due", "--dry-run"]);
    assert!(
        would.out.contains("Would run set docs (catch-up)"),
        "{}",
        would.out
    );
    assert_eq!(home.contents(&home.path(".local/state")), before);
    let run = home.ok(&["run", "--due", "--json"]);
    assert_eq!(run.summary()["completed"], 1);
    for _ in 0..2 {
        assert_eq!(home.ok(&["run", "--due", "--json"]).summary()["sets"], 0);
    }
    assert_eq!(home.snapshots().len(), 1);
    let rows = history(&home);
    assert_eq!(words(&rows, "cause"), ["catch-up", "catch-up"]);
    assert_eq!(
        words(&rows, "status"),
        ["completed", "not run"],
        "the years that were missed have one row"
    );
    assert!(string(&rows[1], "message").contains("missed"));
    // A schedule that is changed begins with its next slot.
    settings(&home, &set("schedule = 'cron 0 0 1 * *'"));
    assert_eq!(home.ok(&["run", "--due", "--json"]).summary()["sets"], 0);
}

#[test]
fn what_failed_is_retried() {
    let home = home(&set(&format!("schedule = '{YEARLY}'")));
    known_for_long(&home, "docs");
    fs::rename(home.repository(), home.path("away")).unwrap();
    home.ends(10, &["run", "--due"]).says(&["no repository"]);
    // Not at once.
    assert_eq!(home.ok(&["run", "--due", "--json"]).summary()["sets"], 0);
    let mut known = state(&home, "docs");
    assert_eq!(known["attempts"], 1);
    known["failed"] = json!("2026-01-01T00:00:00Z");
    home.write(&state_file("docs"), known.to_string());
    fs::rename(home.path("away"), home.repository()).unwrap();
    home.ok(&["run", "--due"]);
    let rows = history(&home);
    assert_eq!(words(&rows, "cause")[..2], ["retry", "catch-up"]);
    assert_eq!(words(&rows, "reason")[..2], ["", "no repository"]);
    assert_eq!(state(&home, "docs")["failed"], Value::Null);
    assert_eq!(home.ok(&["run", "--due", "--json"]).summary()["sets"], 0);
}

#[test]
fn a_pause_holds_until_it_ends() {
    let home = home(&set(&format!("schedule = '{YEARLY}'")));
    known_for_long(&home, "docs");
    assert!(home.ok(&["pause", "4h"]).out.contains("Paused until"));
    for _ in 0..2 {
        home.ends(4, &["run", "--due"]);
    }
    let rows = history(&home);
    assert_eq!(
        words(&rows, "status"),
        ["not run"],
        "once, however often it is asked"
    );
    assert!(string(&rows[0], "message").contains("paused until"));
    assert!(home.snapshots().is_empty());
    assert_eq!(home.ok(&["resume", "--json"]).summary()["was_paused"], true);
    assert_eq!(home.ok(&["resume", "--json"]).summary()["was_paused"], false);
    home.ok(&["run", "--due"]);
    assert_eq!(words(&history(&home), "status"), ["completed", "not run"]);
    // A run that was asked for is not held back.
    home.ok(&["pause", "1d"]);
    home.ok(&["run", "docs"]);
    assert_eq!(home.snapshots().len(), 2);
}

#[test]
fn commands_around_a_run() {
    let log = |key: &str| format!("{key} = 'echo {key} $DEDUP_SET $DEDUP_STATUS >> ~/log'\n");
    let hooks: String = ["run-after", "run-failed", "run-finally"].map(log).concat();
    let with = |before: &str| set(&format!("run-before = '{before}'\n{hooks}"));
    let home = home(&with("echo run-before $DEDUP_CAUSE >> ~/log; echo noise"));
    let logged = || {
        let text = fs::read_to_string(home.path("log")).unwrap();
        fs::remove_file(home.path("log")).unwrap();
        text.lines().map(String::from).collect::<Vec<_>>()
    };
    let run = home.ok(&["run", "docs", "--json"]);
    assert!(run.err.contains("noise"), "their output is not the answer");
    assert_eq!(run.summary()["completed"], 1);
    assert_eq!(
        logged(),
        [
            "run-before manual",
            "run-after docs completed",
            "run-finally docs completed"
        ]
    );
    settings(&home, &with("exit 9"));
    home.ends(1, &["run", "docs"]).says(&["run-before failed", "9"]);
    assert_eq!(
        logged(),
        ["run-failed docs incomplete", "run-finally docs incomplete"]
    );
    settings(&home, &with("exit 75"));
    home.ends(4, &["run", "docs"]);
    assert_eq!(logged(), ["run-finally docs not run"]);
    assert_eq!(home.snapshots().len(), 1);
    assert_eq!(
        words(&history(&home), "status"),
        ["not run", "incomplete", "completed"]
    );
    settings(&home, &set("run-after = 'exit 7'\nrun-timeout = '10m'"));
    home.ends(3, &["run", "docs"]).says(&["run-after failed"]);
    assert_eq!(home.snapshots().len(), 2, "what was saved is saved");
}

/// Waits until somebody makes the file `go`.
const WAITS: &str = "run-before = 'while [ ! -e ~/go ]; do sleep 0.05; done'";

#[test]
fn one_run_at_a_time_and_stopped_from_elsewhere() {
    let home = home(&set(&format!("schedule = '{YEARLY}'\n{WAITS}")));
    known_for_long(&home, "docs");
    let (mut child, id) = start(&home, &["run", "--due"]);
    home.ends(11, &["run", "docs"]).says(&["is running"]);
    assert_eq!(home.ok(&["run", "--due", "--json"]).summary()["sets"], 0);
    let stopped = home.ok(&["stop", "--json"]).summary();
    assert_eq!(stopped["stopped"], json!([id]));
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let rows = history(&home);
    assert_eq!(rows[0]["reason"], "interrupted");
    assert!(string(&rows[0], "message").contains("dedup stop"));
    // Who stopped it wanted that: it is not retried.
    let known = state(&home, "docs");
    assert!(known["failed"].is_null() && known["running"].is_null(), "{known}");
    assert!(home.ok(&["stop"]).out.contains("Nothing is running"));
}

#[test]
fn a_pause_ends_what_runs_by_itself_and_gives_its_slot_back() {
    let home = home(&set(&format!("schedule = '{YEARLY}'\n{WAITS}")));
    known_for_long(&home, "docs");
    let (mut child, _) = start(&home, &["run", "--due"]);
    home.ok(&["pause", "1h"]);
    assert_eq!(child.wait().unwrap().code(), Some(4));
    assert!(state(&home, "docs")["slot"].is_null());
    home.write("go", "");
    home.ok(&["resume"]);
    home.ok(&["run", "--due"]);
    assert_eq!(words(&history(&home), "status")[..2], ["completed", "not run"]);
}

#[test]
fn a_killed_run_is_interrupted_and_retried() {
    let home = home(&set(&format!("schedule = '{YEARLY}'\n{WAITS}")));
    known_for_long(&home, "docs");
    let (mut child, id) = start(&home, &["run", "--due"]);
    child.kill().unwrap();
    child.wait().unwrap();
    let rows = history(&home);
    assert_eq!(
        (string(&rows[0], "id"), &rows[0]["reason"]),
        (id.clone(), &json!("interrupted"))
    );
    assert!(rows[0]["end"].is_string(), "when it was last seen");
    home.write("go", "");
    // It counts as failed from when that was noticed.
    home.ok(&["run", "--due"]);
    let mut known = state(&home, "docs");
    assert_eq!((&known["attempts"], &known["running"]), (&json!(1), &Value::Null));
    known["failed"] = json!("2026-01-01T00:00:00Z");
    home.write(&state_file("docs"), known.to_string());
    home.ok(&["run", "--due"]);
    let rows = history(&home);
    assert_eq!(words(&rows, "cause")[..2], ["retry", "catch-up"]);
    home.ok(&["history", "rerun", &id]);
    assert_eq!(history(&home)[0]["cause"], "manual");
}

#[test]
fn a_source_that_lost_nearly_everything() {
    let home = home(&set(""));
    for n in 0..30 {
        home.write(format!("docs/{n}").as_str(), n.to_string());
    }
    home.ok(&["run", "docs"]);
    for n in 0..30 {
        fs::remove_file(home.path(format!("docs/{n}"))).unwrap();
    }
    fs::remove_file(home.path("docs/letter")).unwrap();
    home.ends(3, &["run", "docs"]).says(&["33 files", "2 are left"]);
    let row = &history(&home)[0];
    assert_eq!(
        (&row["status"], &row["reason"]),
        (&json!("incomplete"), &json!("bad settings"))
    );
    assert_eq!(home.snapshots().len(), 2, "it is saved all the same");
    // Until somebody says that it is meant, the next run is no better.
    home.ends(3, &["run", "docs"])
        .says(&["33 files", "--allow-empty"]);
    home.ok(&["run", "docs", "--allow-empty"]);
    home.ok(&["run", "docs"]);
    home.ends(2, &["run", "--due", "--allow-empty"]);
    // Emptied, as a disk is that is not mounted.
    fs::remove_dir_all(home.path("docs")).unwrap();
    fs::create_dir(home.path("docs")).unwrap();
    home.ends(3, &["run", "docs"]);
    assert_eq!(history(&home)[0]["reason"], "bad settings");
}

/// "Several" helps nobody to find the one thing that is wrong.
#[test]
fn one_reason_is_the_reason_of_the_whole() {
    let home = home(&set(""));
    let away = home.text("away");
    home.ok(&["remote", "add", "away", &away, "--like", "main"]);
    let settings = home.path(".config/dedup/dedup.toml");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, text.replace("['main']", "['main', 'away']")).unwrap();
    home.ok(&["run", "docs"]);
    fs::rename(&away, home.path("unplugged")).unwrap();
    home.write("docs/letter", "another");
    let run = home.ends(3, &["run", "docs"]);
    assert!(run.out.contains("incomplete (no repository)"), "{}", run.out);
    let row = &history(&home)[0];
    assert_eq!(row["reason"], "no repository");
    let there = &row["destinations"][1];
    assert_eq!(
        (&there["name"], &there["reason"]),
        (&json!("away"), &json!("no repository"))
    );
    let message = there["message"].as_str().unwrap();
    assert!(message.contains("no repository at"), "{message}");
    let told = home.ok(&["history", "latest"]).out;
    assert!(told.contains("away: ") && told.contains(message), "{told}");
    assert!(
        home.ok(&["--lang", "ja", "history", "latest"])
            .out
            .contains("away: ")
    );
    fs::rename(home.path("unplugged"), &away).unwrap();
    home.ok(&["run", "docs"]);
    // No source at all is a reason, too.
    fs::rename(home.path("docs"), home.path("elsewhere")).unwrap();
    home.ends(3, &["run", "docs"]);
    assert_eq!(history(&home)[0]["reason"], "bad settings");
}
