//! Snapshots over time: chosen, tagged, forgotten, brought back, collected; dry runs, and archives.

use kit::oracle::{assert_same, walk};
use kit::program::{Home, number, string};
use kit::tree::{Shape, TreeMaker};

fn home() -> Home {
    Home::new(env!("CARGO_BIN_EXE_dedup-under-test"))
}

/// Three snapshots of one file, a day apart.
fn three() -> Home {
    let home = home();
    home.init();
    for day in 1..=3 {
        home.write("docs/a", format!("day {day}"));
        let time = format!("2026-05-0{day} 12:00");
        home.ok(&["backup", "docs", "--time", &time, "--host", "h"]);
    }
    home
}

#[test]
fn any_way_to_name_a_snapshot() {
    let home = three();
    let ids = home.snapshots();
    let rows: &[(&[&str], &str)] = &[
        (&[], "day 3"),
        (&["latest"], "day 3"),
        (&["latest~2"], "day 1"),
        (&[&ids[1]], "day 2"),
        (&[&ids[1][..10]], "day 2"),
        (&["--at", "2026-05-02"], "day 2"),
        (&["--at", "2026-05-02 11:59"], "day 1"),
        (&["--at", "2026-05-03 12:00"], "day 3"),
        (&["--at", "2026-05-02T03:00:00Z"], "day 2"),
    ];
    for (args, want) in rows {
        let args = [&["dump"], *args, &["docs/a"]].concat();
        assert_eq!(home.ok(&args).out, *want, "{args:?}");
    }
    home.ends(1, &["dump", "--at", "2026-04-30", "docs/a"])
        .says(&["no snapshot was made by ", "; the oldest is "]);
    home.ends(2, &["dump", "--at", "soon", "docs/a"])
        .says(&["is not a time"]);
    home.ends(1, &["ls", "latest~3"])
        .says(&["latest~3", "dedup snapshots"]);
    home.ends(1, &["ls", "--host", "other"]);
    assert_eq!(
        home.ok(&["snapshots", "--latest", "1", "--json"]).objects().len(),
        1
    );
    assert_eq!(home.ok(&["snapshots", &ids[0], "--json"]).objects().len(), 1);
    let grouped = home.ok(&["snapshots", "--group-by", "host"]).out;
    assert!(
        grouped.contains("host h") && grouped.contains("3 snapshots"),
        "{grouped}"
    );
}

/// Each snapshot holds its own five bytes, and all of them together what each stores.
#[test]
fn what_chosen_snapshots_hold() {
    let home = three();
    let stats = |args: &[&str]| home.ok(&[&["stats", "--json"], args].concat()).summary();
    let held = |args: &[&str]| {
        let found = stats(args);
        ["snapshots_count", "total_file_count", "total_restore_size"].map(|field| number(&found, field))
    };
    let newest = home.snapshots().remove(2);
    assert_eq!(held(&["latest"]), [1, 1, 5]);
    assert_eq!(held(&[&newest, "latest~2"]), [2, 2, 10]);
    assert_eq!(held(&["--host", "h"]), [3, 3, 15]);
    assert_eq!(held(&["--host", "other"]), [0, 0, 0]);
    let stored = |args: &[&str]| number(&stats(args), "total_stored_size");
    let each: Vec<u64> = ["latest", "latest~1", "latest~2"]
        .iter()
        .map(|one| stored(&[one]))
        .collect();
    let all = stored(&["--host", "h"]);
    assert!(each.iter().all(|one| *one > 0 && *one < all), "{each:?} of {all}");
    assert!(all <= each.iter().sum(), "{each:?} of {all}");
    assert_eq!(all, stored(&[]), "nothing else is stored");
    let raw = stats(&["latest", "--mode", "raw-data"]);
    assert_eq!(number(&raw, "total_size"), each[0]);
    let shown = home.ok(&["stats", "latest"]).out;
    assert!(
        shown.contains("1 file, 5 B") && shown.contains("Stored"),
        "{shown}"
    );
    home.ends(1, &["stats", "ffff"]).says(&["ffff"]);
}

#[test]
fn forget_undelete_prune() {
    let home = three();
    let ids = home.snapshots();
    home.ends(2, &["forget", "--keep-last", "0", "--yes"])
        .says(&["keeps nothing"]);
    home.ends(2, &["forget", "--host", "h", "--yes"]);
    let none = home.ok(&["forget", "--keep-last", "1", "--tag", "typo"]).out;
    assert!(none.contains("No snapshot matches"), "{none}");
    let all = home.ok(&["forget", "--keep-last", "5"]).out;
    assert!(all.contains("Nothing to remove"), "{all}");
    assert_eq!(home.snapshots(), ids);
    home.ok(&["forget", &ids[0]]);
    assert_eq!(home.snapshots(), ids[1..]);
    home.ok(&["prune"]);
    assert!(home.ok(&["undelete"]).out.contains(&ids[0][..8]));
    home.ok(&["undelete", &ids[0]]);
    assert_eq!(home.snapshots().len(), 3);
    assert_eq!(home.ok(&["dump", "latest~2", "docs/a"]).out, "day 1");
    let pruned = home.ok(&[
        "prune",
        "--keep-last",
        "1",
        "--keep-trash",
        "0s",
        "--max-unused",
        "0",
        "--yes",
        "--json",
    ]);
    assert_eq!(number(&pruned.summary(), "snapshots_removed"), 2);
    assert!(number(&pruned.summary(), "bytes_deleted") > 0);
    assert_eq!(home.snapshots().len(), 1);
    home.ends(1, &["undelete", &ids[0]]).says(&["trash"]);
    assert_eq!(home.ok(&["dump", "docs/a"]).out, "day 3");
    home.ok(&["check", "--read-data"]);
}

#[test]
fn tags_make_new_ids_and_lose_nothing() {
    let home = three();
    let ids = home.snapshots();
    home.ok(&["tag", "--add", "keep,x", &ids[0]]);
    home.ok(&["tag", "--remove", "x"]);
    let rows = home.ok(&["snapshots", "--json"]).objects();
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[0]["tags"], serde_json::json!(["keep"]));
    assert!(string(&rows[0], "id") != ids[0] && string(&rows[1], "id") == ids[1]);
    assert!(
        home.ok(&["undelete"]).out.contains("empty"),
        "old forms of tagged snapshots"
    );
    home.ok(&[
        "prune",
        "--keep-last",
        "1",
        "--keep-tag",
        "keep",
        "--keep-trash",
        "0s",
        "--yes",
    ]);
    assert_eq!(home.ok(&["dump", "--tag", "keep", "docs/a"]).out, "day 1");
    let after = home.ok(&["backup", "docs", "--host", "h"]);
    assert_eq!(after.err, "");
    home.ends(2, &["tag", &ids[0]]);
}

#[test]
fn dry_runs_change_nothing() {
    let home = three();
    let newest = home.snapshots().pop().unwrap();
    home.ok(&["forget", &newest, "--yes"]);
    home.write("docs/more", "more");
    let before = home.contents(&home.repository());
    let rows: &[&[&str]] = &[
        &["backup", "docs"],
        &["restore", "--target", "out"],
        &["forget", "latest"],
        &["forget", "--keep-last", "1"],
        &["forget", "--keep-last", "1", "--prune"],
        &["prune", "--keep-last", "1", "--keep-trash", "0s"],
        &["undelete", &newest],
        &["tag", "--set", "t"],
    ];
    for row in rows {
        home.ok(&[*row, &["--dry-run"]].concat());
        let run = home.ok(&[*row, &["-n", "--json"]].concat());
        assert!(!run.objects().is_empty(), "{row:?}");
    }
    // Readers write nothing either.
    for row in [
        &["check", "--read-data"][..],
        &["stats"],
        &["ls"],
        &["find", "a"],
        &["key", "list"],
    ] {
        home.ok(row);
    }
    assert!(!home.path("out").exists());
    let after = home.contents(&home.repository());
    let names =
        |c: &std::collections::BTreeMap<std::path::PathBuf, Vec<u8>>| c.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&before), names(&after));
    assert!(before == after);
}

#[test]
fn an_archive_holds_what_a_restore_does() {
    let home = home();
    home.init();
    let mut tree = TreeMaker::new(&home.path("docs"), 5, Shape::SMALL);
    tree.populate();
    home.ok(&["backup", "docs"]);
    home.ok(&["dump", "docs", "--target", "a.tar"]);
    std::fs::create_dir(home.path("out")).unwrap();
    let mut tar = std::process::Command::new("tar");
    tar.args(["--numeric-owner", "-xpf", "a.tar", "-C", "out"]);
    assert!(tar.current_dir(home.path("")).status().unwrap().success());
    let plain = |path: std::path::PathBuf| {
        let mut tree = walk(&path);
        tree.retain(|_, node| node.what != kit::oracle::What::Socket);
        // The archive has no extended attributes.
        tree.values_mut().for_each(|node| node.xattrs.clear());
        tree
    };
    let out = home
        .path("out")
        .join(home.path("docs").strip_prefix("/").unwrap());
    assert_same(&plain(home.path("docs")), &plain(out), "from the archive");
    // A reader that goes away is no failure, and nothing is left of what could not be written.
    let mut child = home
        .command(&["dump", "docs"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    home.ends(1, &["dump", "nowhere", "--target", "b"]);
    assert!(!home.path("b").exists() && !home.path("b.partial").exists());
}

#[test]
fn changes_between_two() {
    let home = three();
    home.write("docs/new", "12345");
    std::fs::remove_file(home.path("docs/a")).unwrap();
    home.ok(&["backup", "docs", "--host", "h"]);
    let run = home.ok(&["diff", "latest~1", "latest", "--json"]);
    let signs: Vec<(String, String)> = run
        .objects()
        .iter()
        .filter(|row| row["message_type"] == "change")
        .map(|row| (string(row, "modifier"), string(row, "path")))
        .collect();
    assert_eq!(
        signs,
        [
            ("-".into(), home.text("docs/a")),
            ("+".into(), home.text("docs/new"))
        ]
    );
    let statistics = run.objects().pop().unwrap();
    assert_eq!(
        (
            string(&statistics, "message_type"),
            number(&statistics["added"], "bytes")
        ),
        ("statistics".into(), 5)
    );
    home.ends(2, &["diff", "latest~1:/a", "latest"]);
    home.ends(2, &["diff", "./x", "latest"]).says(&["not a snapshot"]);
    let found = home.ok(&["find", "NEW", "-i"]).out;
    assert!(found.contains(&home.text("docs/new")), "{found}");
    let none = home.ends(1, &["find", "new", "--newest", "2020-01-01"]);
    assert_eq!(none.says(&["'new'"]).out, "");
}

#[test]
fn the_storage_was_tried_when_the_repository_was_made() {
    let home = Home::new(env!("CARGO_BIN_EXE_dedup-under-test"));
    home.init();
    let stats = home.ok(&["stats", "--json"]).summary();
    assert!(stats["storage_tried"].is_number(), "{stats}");
    assert_eq!(stats["storage_weaknesses"], serde_json::json!([]));
}
