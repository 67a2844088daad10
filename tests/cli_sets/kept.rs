//! Retention of sets, and the maintenance of their destinations.

use super::{history, home, settings};
use kit::program::{Home, hurt};
use serde_json::{Value, json};
use std::fs;

fn sets_of_snapshots(home: &Home) -> Vec<String> {
    let rows = home.ok(&["snapshots", "--json"]).objects();
    let set = |row: &Value| row["set"].as_str().unwrap_or("-").to_string();
    let mut sets: Vec<String> = rows.iter().map(set).collect();
    sets.sort();
    sets
}

fn set(name: &str) -> String {
    format!("[sets.{name}]\nsources = ['~/docs']\ndestinations = ['main']\n")
}

/// A policy is for the snapshots of its set and of this machine, whatever their sources are.
#[test]
fn a_policy_is_for_its_set() {
    let home = home();
    let policy = "[sets.a.retention]\nmax-generations = 2\nkeep-tags = ['keep']\n";
    settings(&home, &[&set("a"), policy, &set("b")].concat());
    home.ok(&["prune", "--no-gc"]);
    for _ in 0..3 {
        home.ok(&["run", "--all"]);
    }
    home.ok(&["tag", "--add", "keep", &home.snapshots()[0]]);
    home.ok(&["backup", "docs"]);
    home.ok(&["backup", "docs"]);
    let other = [("DEDUP_HOST", "other")];
    home.run_with(&other, &["run", "a"]).ends(0);
    // The sources change, and the policy goes on.
    let moved = set("a").replace("~/docs", "~/docs/letter");
    settings(&home, &[&moved, policy, &set("b")].concat());
    home.ok(&["run", "a"]);
    let all = ["-", "-", "a", "a", "a", "a", "a", "b", "b", "b"];
    assert_eq!(sets_of_snapshots(&home), all);
    let planned = home.ok(&["prune", "--dry-run"]);
    assert!(
        planned.out.contains("set a") && planned.out.contains("Would remove 1 snapshot"),
        "{}",
        planned.out
    );
    assert_eq!(sets_of_snapshots(&home), all);
    home.ok(&["prune", "--gc-only"]);
    assert_eq!(sets_of_snapshots(&home), all);
    home.ok(&["prune"]);
    // Two of a, one with the tag, and one of the other machine.
    assert_eq!(
        sets_of_snapshots(&home),
        ["-", "-", "a", "a", "a", "a", "b", "b", "b"]
    );
    // A policy that is given is for all, as ever.
    home.ok(&["prune", "--keep-last", "1", "--group-by", "set"]);
    assert_eq!(sets_of_snapshots(&home), ["-", "a", "b"]);
}

/// A set that got another name goes on with what was recorded under the one that it had.
#[test]
fn a_set_with_another_name_goes_on() {
    let home = home();
    let policy = |name: &str| format!("[sets.{name}.retention]\nmax-generations = 2\n");
    settings(&home, &[set("a"), policy("a")].concat());
    for _ in 0..3 {
        home.ok(&["run", "a"]);
    }
    let renamed = set("b") + "former-names = ['a']\n";
    settings(&home, &[renamed, policy("b")].concat());
    home.ok(&["run", "b"]);
    home.ok(&["prune", "--no-gc"]);
    assert_eq!(sets_of_snapshots(&home), ["a", "b"]);
    let mut rows = home.ok(&["history", "--set", "b", "--json"]).objects();
    rows.retain(|row| row["message_type"] == "history");
    let sets: Vec<&Value> = rows.iter().map(|row| &row["set"]).collect();
    assert_eq!(sets, ["b", "a", "a", "a"]);
    home.ok(&["history", "rerun", rows[3]["id"].as_str().unwrap()]);
    assert_eq!(sets_of_snapshots(&home), ["a", "b", "b"]);
    let drilled = home.ok(&["drill"]);
    assert!(drilled.out.contains("of set b"), "{}", drilled.out);
}

#[test]
fn a_dry_run_says_why_by_tier() {
    let home = home();
    let policy = "[sets.a.retention]\ntiers = [{ until = '7d', keep-every = '1d' }, { keep-every = '1M' }]\n";
    settings(&home, &[&set("a"), policy].concat());
    home.ok(&["run", "a"]);
    home.ok(&["run", "a"]);
    let rows = home.ok(&["prune", "--dry-run", "--json"]).objects();
    let decided: Vec<(&Value, &Value)> = rows
        .iter()
        .filter(|row| row["message_type"] == "policy")
        .map(|row| (&row["action"], &row["reasons"][0]))
        .collect();
    assert_eq!(decided.len(), 2, "{rows:?}");
    assert_eq!((decided[0].0, decided[1].0), (&json!("keep"), &json!("remove")));
    assert!(decided[0].1.as_str().unwrap().contains("7d"), "{decided:?}");
}

/// Retention by options: comments stay, a dry run writes nothing, and what is wrong is refused with the words of the settings.
#[test]
fn retention_is_set_by_options() {
    let home = home();
    let before = settings(&home, "");
    let add = ["set", "add", "docs", "docs", "--tier", "7d=1h", "--tier", "1M"];
    let more = [
        "--deleted-files",
        "90d",
        "--max-generations",
        "100",
        "--keep-tag",
        "a,b",
    ];
    let all = [&add[..], &more[..]].concat();
    let dry = home.ok(&[&all[..], &["-n"]].concat());
    assert!(dry.out.contains("+[sets.docs.retention]\n"), "{}", dry.out);
    assert_eq!(super::file(&home), before);
    home.ok(&all);
    let text = super::file(&home);
    let table = "[sets.docs.retention]\ntiers = [{ until = \"7d\", keep-every = \"1h\" }, { keep-every = \"1M\" }]\n\
        deleted-files = \"90d\"\nmax-generations = 100\nkeep-tags = [\"a\", \"b\"]\n";
    assert!(text.contains(table), "{text}");
    home.write(
        super::SETTINGS,
        text.replace("max-generations = 100", "max-generations = 100 # many"),
    );
    home.ok(&[
        "set",
        "edit",
        "docs",
        "--max-generations",
        "7",
        "--deleted-files",
        "forever",
        "--tier",
        "",
    ]);
    let text = super::file(&home);
    assert!(text.contains("max-generations = 7 # many\n"), "{text}");
    assert!(
        text.contains("deleted-files = \"forever\"\n") && !text.contains("tiers"),
        "{text}"
    );
    for (option, value) in [
        ("--tier", "7d"),
        ("--tier", "soon=1h"),
        ("--deleted-files", "soon"),
        ("--max-generations", "0"),
        ("--max-generations", "many"),
    ] {
        let args = [
            "set", "edit", "docs", option, value, "--tier", "1d=1h", "--tier", "2d=1d",
        ];
        let args = if option == "--tier" { &args[..5] } else { &args[..] };
        match value {
            "7d" => drop(home.ok(args)),
            _ => drop(home.ends(2, args).says(&["dedup.toml:"])),
        }
    }
    let clear = [
        "--tier",
        "",
        "--max-generations",
        "",
        "--deleted-files",
        "",
        "--keep-tag",
        "",
    ];
    home.ok(&[&["set", "edit", "docs"], &clear[..]].concat());
    assert!(
        !super::file(&home).contains("retention"),
        "{}",
        super::file(&home)
    );
}

#[test]
fn policies_that_are_wrong() {
    let home = home();
    let rows = [
        ("tiers = [{ keep-every = '1d' }, { keep-every = '1w' }]", "tiers"),
        (
            "tiers = [{ until = '90d', keep-every = '1d' }, { until = '7d', keep-every = '1w' }]",
            "tiers",
        ),
        ("max-generations = 0", "max-generations"),
        ("deleted-files = 'soon'", "deleted-files"),
    ];
    for (policy, word) in rows {
        settings(&home, &format!("{}[sets.a.retention]\n{policy}\n", set("a")));
        home.ends(2, &["config", "check"]).says(&[word, "dedup.toml:9:"]);
    }
    settings(
        &home,
        &format!("{}[sets.a.retention]\ndeleted-files = 'forever'\n", set("a")),
    );
    home.ok(&["config", "check"]);
    // Tags alone remove nothing.
    settings(
        &home,
        &format!("{}[sets.a.retention]\nkeep-tags = ['x']\n", set("a")),
    );
    home.ok(&["run", "a"]);
    home.ok(&["prune"]);
    assert_eq!(home.snapshots().len(), 1);
}

/// As if the maintenance of `main` was done so many days ago.
fn maintained(home: &Home, days: i64, parts: u64) {
    let then = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24 * days);
    let note = json!({ "light": then.to_string(), "full": then.to_string(), "parts": parts });
    home.write(".local/state/dedup/runs/maintenance/main.json", note.to_string());
}

#[test]
fn light_maintenance_when_it_is_due() {
    let home = home();
    let policy = "[sets.a.retention]\nmax-generations = 1\n[maintenance]\nlight = '1d'\n";
    settings(&home, &[&set("a"), policy].concat());
    let run = home.ok(&["run", "a"]);
    assert!(run.out.contains("main, prune: completed"), "{}", run.out);
    let rows = history(&home, "prune");
    assert_eq!(rows.len(), 1);
    assert_eq!(
        (&rows[0]["target"], &rows[0]["cause"]),
        (&json!("main"), &json!("regular"))
    );
    home.ok(&["run", "a"]);
    assert_eq!(
        (history(&home, "prune").len(), home.snapshots().len()),
        (1, 2),
        "not due"
    );
    maintained(&home, 1, 30);
    home.ok(&["run", "a", "--dry-run"]);
    assert_eq!(history(&home, "prune").len(), 1);
    let rows = home.ok(&["run", "a", "--json"]).objects();
    let row = rows
        .iter()
        .find(|row| row["message_type"] == "maintenance")
        .unwrap();
    assert_eq!(
        (&row["remote"], &row["kind"], &row["status"]),
        (&json!("main"), &json!("prune"), &json!("completed"))
    );
    assert_eq!((history(&home, "prune").len(), home.snapshots().len()), (2, 1));
    assert_eq!(history(&home, "prune")[0]["snapshots"], 2);
}

/// All data is read in parts, and what is damaged is found.
#[test]
fn full_maintenance_in_parts() {
    let home = home();
    settings(&home, &[&set("a"), "[maintenance]\nfull = '30d'\n"].concat());
    home.ok(&["run", "a"]);
    assert_eq!(history(&home, "check").len(), 1);
    home.ok(&["run", "a"]);
    assert_eq!(history(&home, "check").len(), 1, "not due");
    maintained(&home, 3, 1);
    home.ok(&["run", "a"]);
    assert_eq!(history(&home, "check").len(), 4, "three more days have passed");
    for pack in home.objects("packs") {
        if fs::metadata(&pack).unwrap().len() > 0 {
            hurt(&pack);
        }
    }
    maintained(&home, 30, 0);
    let run = home.ends(13, &["run", "a"]);
    assert!(
        run.out.contains("main, check: incomplete (damage found)"),
        "{}",
        run.out
    );
}

/// What fails at a destination is told, and tried again by the next run.
#[test]
fn maintenance_that_fails() {
    let home = home();
    let policy = "[sets.a.retention]\nmax-generations = 1\n[maintenance]\nlight = '1d'\n";
    let text = settings(&home, &[&set("a"), policy].concat());
    home.ok(&["remote", "add", "second", "second", "--like", "main"]);
    let text = format!("{}\n{}", text.replace("['main']", "['main', 'second']"), "");
    let second = format!(
        "[remotes.second]\nurl = '{}'\nkey-file = '{}'\n",
        home.text("second"),
        home.text(".config/dedup/default.key")
    );
    home.write(super::SETTINGS, format!("{text}{second}"));
    home.ok(&["run", "a"]);
    assert_eq!(history(&home, "prune").len(), 2, "one at each");
    fs::remove_file(home.path(".local/state/dedup/runs/maintenance/second.json")).unwrap();
    fs::rename(home.path("second"), home.path("away")).unwrap();
    let run = home.run(&["run", "a"]);
    assert!(run.code != 0 && run.out.contains("second, prune:"), "{run:?}");
    let row = &history(&home, "prune")[0];
    assert_eq!(
        (&row["target"], &row["status"]),
        (&json!("second"), &json!("incomplete"))
    );
    fs::rename(home.path("away"), home.path("second")).unwrap();
    let run = home.ok(&["run", "a"]);
    assert!(run.out.contains("second, prune: completed"), "{}", run.out);
}
