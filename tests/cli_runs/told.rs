//! What is shown afterwards: the history, the files of a backup, the status, the settings.

use super::{YEARLY, history, home, known_for_long, set, words};
use kit::program::{Run, number, string};
use serde_json::{Value, json};
use std::fs;

#[test]
fn every_job_leaves_a_row() {
    let home = home("");
    home.ok(&["backup", "docs"]);
    home.write("docs/letter", "changed");
    fs::remove_file(home.path("docs/.hidden")).unwrap();
    home.write("docs/new", "new");
    home.ends(3, &["backup", "docs", "missing"]);
    home.ok(&["restore", "--target", "out"]);
    home.ok(&["check"]);
    home.ok(&["forget", "latest~1"]);
    home.ok(&["prune"]);
    home.ends(2, &["restore", "--target", ""]);
    home.ok(&["restore", "--target", "out2", "--dry-run"]);
    let rows = history(&home);
    let kinds = ["prune", "delete", "check", "restore", "backup", "backup"];
    assert_eq!(
        words(&rows, "kind"),
        kinds,
        "neither what was refused nor dry runs"
    );
    assert_eq!(number(&rows[1], "snapshots"), 1);
    assert_eq!(number(&rows[3], "files"), 3);
    assert_eq!(rows[3]["target"], json!(home.text("out")));
    let incomplete = home
        .ok(&["history", "--status", "incomplete", "--json"])
        .objects();
    assert_eq!(incomplete[0]["reason"], "bad settings");
    let id = string(&incomplete[0], "id");
    let one = home.ok(&["history", &id]).out;
    assert!(one.contains("/missing: not backed up: no such file"), "{one}");
    let one = home.ok(&["history", &id, "--json"]);
    assert_eq!(one.objects()[1]["item"], json!(home.text("missing")));
    assert_eq!(one.summary()["problems"], 1);
    home.ends(2, &["history", "rerun", &id]).says(&["run of a set"]);
    let listed = home.ok(&["history", "--limit", "2"]).out;
    assert!(
        listed.lines().count() == 4 && listed.contains("--limit"),
        "{listed}"
    );
    assert_eq!(
        words(
            &home.ok(&["history", "--kind", "check", "--json"]).objects(),
            "kind"
        )[0],
        "check"
    );
}

#[test]
fn files_of_a_backup_in_pages() {
    let home = home("");
    for n in 0..250 {
        home.write(format!("docs/many/{n:03}").as_str(), n.to_string());
    }
    home.ok(&["backup", "docs"]);
    home.write("docs/letter", "changed");
    home.write("docs/new", "new");
    fs::remove_file(home.path("docs/many/007")).unwrap();
    home.ok(&["backup", "docs"]);
    let listed =
        |args: &[&str]| -> Run { home.ok(&[&["history", "latest", "--files", "--json"], args].concat()) };
    let run = listed(&[]);
    let mut rows = run.objects();
    rows.pop();
    let found: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                string(row, "status"),
                string(row, "path").rsplit('/').next().unwrap().to_string(),
            )
        })
        .collect();
    let want = [("changed", "letter"), ("new", "new"), ("deleted", "007")];
    assert_eq!(found.len(), want.len(), "{found:?}");
    assert!(
        want.iter()
            .all(|(a, b)| found.contains(&(a.to_string(), b.to_string()))),
        "{found:?}"
    );
    let unchanged = listed(&["--status", "unchanged"]);
    assert_eq!(unchanged.objects().len(), 101);
    assert_eq!(
        (
            number(&unchanged.summary(), "files"),
            number(&unchanged.summary(), "pages")
        ),
        (251, 3)
    );
    let last = listed(&["--status", "unchanged", "--page", "3"]);
    assert_eq!(last.objects().len(), 52);
    assert_eq!(listed(&["--page", "2"]).objects().len(), 1);
    home.ends(2, &["history", "latest", "--files", "--status", "chnaged"])
        .says(&["did you mean 'changed'?"]);
    let first = history(&home).pop().unwrap();
    let first = home.ok(&["history", &string(&first, "id"), "--files"]);
    assert!(first.out.contains("every file is shown as new") && first.out.contains("page 1 of 3"));
    home.ok(&["check"]);
    home.ends(1, &["history", "latest", "--files"])
        .says(&["made no snapshot"]);
}

/// That none is listed would look as if there were none.
#[test]
fn jobs_are_chosen_by_what_jobs_can_have() {
    let home = home(&set(""));
    home.ok(&["run", "docs"]);
    home.ends(3, &["backup", "docs", "missing"]);
    let kinds = |status: &str| {
        let mut rows = home.ok(&["history", "--status", status, "--json"]).objects();
        rows.pop();
        words(&rows, "kind")
    };
    for status in [
        "failed",
        "incomplete",
        "bad settings",
        "Incomplete (bad settings)",
    ] {
        assert_eq!(kinds(status), ["backup"], "{status}");
    }
    assert_eq!(kinds("completed"), ["backup", "init"]);
    assert!(kinds("running").is_empty() && kinds("network").is_empty());
    home.ends(2, &["history", "--status", "bogus"])
        .says(&["'bogus'", "not run", "network"]);
    home.ends(2, &["history", "--status", "compelted"])
        .says(&["did you mean 'completed'?"]);
    home.ends(2, &["history", "latest", "--files", "--status", "incomplete"])
        .says(&["not a status of a file"]);
    let of_set = |set: &str| home.ok(&["history", "--status", "failed", "--set", set]).out;
    assert!(
        of_set("nope").contains("No job of a set 'nope'"),
        "{}",
        of_set("nope")
    );
    assert!(
        of_set("dosc").contains("did you mean 'docs'?"),
        "{}",
        of_set("dosc")
    );
    assert_eq!(of_set("docs"), "No jobs\n");
    // Rows of a set that was removed are there still.
    super::settings(&home, "");
    assert_eq!(of_set("docs"), "No jobs\n");
    assert!(home.ok(&["history", "--set", "docs"]).out.contains("docs"));
}

/// Of a directory or a source the snapshot may hold nothing that says so.
#[test]
fn sources_that_could_not_be_read_are_among_the_files() {
    let home = home("");
    home.write("disk/a", "a");
    home.write("gone/b", "b");
    home.ok(&["backup", "docs", "disk", "gone"]);
    for disk in ["disk", "gone"] {
        fs::remove_dir_all(home.path(disk)).unwrap();
    }
    fs::create_dir(home.path("disk")).unwrap();
    home.ends(3, &["backup", "docs", "disk", "gone"]);
    for filter in [&[][..], &["--status", "failed"]] {
        let listed = home.ok(&[&["history", "latest", "--files", "--json"], filter].concat());
        let rows = listed.objects();
        let failed: Vec<&Value> = rows.iter().filter(|row| row["status"] == "failed").collect();
        assert_eq!(failed.len(), 2, "{}", listed.out);
        for name in ["disk", "gone"] {
            let path = json!(home.text(name));
            let row = failed.iter().find(|row| row["path"] == path);
            assert!(!string(row.unwrap(), "problem").is_empty(), "{}", listed.out);
        }
    }
    let text = home
        .ok(&["history", "latest", "--files", "--status", "failed"])
        .out;
    assert!(
        text.contains("gone: not backed up: no such file") && text.contains("2 files, page 1 of 1"),
        "{text}"
    );
}

/// The history records jobs and decides about none.
#[test]
fn a_history_that_cannot_be_written() {
    let home = home(&set(&format!("schedule = '{YEARLY}'")));
    home.ok(&["backup", "docs"]);
    fs::remove_dir_all(home.path(".local/state/dedup/history")).unwrap();
    home.write(".local/state/dedup/history", "not a folder");
    home.ok(&["backup", "docs"]).says(&["not in the history"]);
    let run = home.ok(&["run", "docs"]).says(&["not in the history"]);
    assert!(
        run.out.contains("Set docs: completed") && !run.out.contains("dedup history"),
        "nothing has the details: {}",
        run.out
    );
    assert_eq!(home.snapshots().len(), 3);
}

#[test]
fn status_and_schedule() {
    let home = home(&set(&format!("schedule = '{YEARLY}'")));
    let listed = home.ok(&["schedule", "list", "--next", "3", "--json"]).objects();
    let next = listed[0]["next"].as_array().unwrap();
    // Midnight in Tokyo.
    assert!(
        next.len() == 3
            && next
                .iter()
                .all(|at| at.as_str().unwrap().ends_with("-12-31T15:00:00Z")),
        "{listed:?}"
    );
    let status = || home.ok(&["status", "--json"]).summary();
    let of = |status: &Value| status["sets"][0].clone();
    let before = of(&status());
    assert_eq!(
        (&before["last_status"], &before["overdue"]),
        (&Value::Null, &json!(false))
    );
    known_for_long(&home, "docs");
    assert_eq!(of(&status())["overdue"], true);
    assert!(home.ok(&["status"]).out.contains("never ran, overdue"));
    home.ok(&["run", "--due"]);
    home.ok(&["pause", "1h"]);
    let after = of(&status());
    assert_eq!(
        (&after["last_status"], &after["overdue"]),
        (&json!("completed"), &json!(false))
    );
    assert!(
        after["last_success"].is_string() && after["paused_until"].is_string(),
        "{after}"
    );
    assert_eq!(status()["remotes"][0]["name"], "main");
    let shown = home.ok(&["status"]).out;
    assert!(
        shown.contains("Paused until") && shown.contains("completed"),
        "{shown}"
    );
    let sets = home.ok(&["set", "list"]).out;
    assert!(sets.contains("docs") && sets.contains(YEARLY), "{sets}");
    assert_eq!(
        home.ok(&["set", "list", "--json"]).objects()[0]["sources"],
        json!(["~/docs"])
    );
    assert!(home.ok(&["schedule", "show"]).out.contains("--quiet run --due"));
    assert!(
        home.ok(&["schedule", "show", "--scheduler", "cron"])
            .out
            .starts_with("*/5 * * * * ")
    );
    assert!(
        home.ok(&["schedule", "install", "--dry-run"])
            .out
            .contains(".config/systemd/user")
    );
    assert!(home.ok(&["schedule", "remove"]).out.contains("No timer"));
}

#[test]
fn settings_are_checked_and_shown() {
    let home = home(&set("priority = 5"));
    assert!(
        home.ok(&["config", "check"])
            .out
            .contains("no errors, 1 remote, 1 set")
    );
    let shown = home.ok(&["config", "show", "--json"]).objects();
    let of = |key: &str| shown.iter().find(|row| row["key"] == key).unwrap();
    assert_eq!(of("sets.docs.priority")["value"], "5");
    assert!(
        string(of("sets.docs.priority"), "from").ends_with("dedup.toml:7"),
        "{shown:?}"
    );
    assert_eq!(of("limits.upload")["from"], "default");
    home.write(".config/dedup/dedup.toml", "[sets.a]\nsoruces = []\n");
    home.ends(2, &["config", "check"])
        .says(&["dedup.toml:2:1", "did you mean 'sources'?"]);
}
