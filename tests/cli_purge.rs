//! `purge` as somebody runs it: what it shows and asks, what is left, and what later backups make of it.

use kit::program::{Home, number, string};

fn home() -> Home {
    Home::new(env!("CARGO_BIN_EXE_dedup-under-test"))
}

/// Three snapshots with a file that should not have been saved.
fn three() -> Home {
    let home = home();
    home.init();
    home.write("docs/plan", "plan");
    home.write("docs/private/key", "very secret");
    for day in 1..=3 {
        home.write("docs/a", format!("day {day}"));
        let time = format!("2026-05-0{day} 12:00");
        home.ok(&["backup", "docs", "--time", &time, "--host", "h"]);
    }
    home
}

fn is_found(home: &Home, name: &str) -> bool {
    home.run(&["find", name]).code == 0
}

#[test]
fn a_path_goes_from_all_snapshots() {
    let home = three();
    let ids = home.snapshots();
    let path = home.text("docs/private");
    let before = home.contents(&home.repository());
    let dry = home.ok(&["purge", &path, "-n"]);
    assert!(dry.out.contains("3 snapshots would be changed"), "{}", dry.out);
    home.ends(2, &["purge", &path]).says(&["--yes", &path]);
    home.ends(1, &["purge", "nothing-of-that-name", "--yes"])
        .says(&["is in no snapshot"]);
    home.ends(2, &["purge", "/", "--yes"]).says(&["dedup forget"]);
    assert!(before == home.contents(&home.repository()), "nothing was changed");

    let run = home.ok(&["purge", &path, "--yes", "--json"]);
    let changed: Vec<_> = run.objects();
    assert_eq!(
        (changed.len(), number(&run.summary(), "changed_snapshots")),
        (4, 3)
    );
    assert_eq!(string(&changed[0], "old_snapshot_id"), ids[0]);
    assert_eq!(
        (number(&changed[0], "files"), number(&changed[0], "bytes")),
        (1, 11)
    );
    let now = home.snapshots();
    assert!(now.len() == 3 && now.iter().all(|id| !ids.contains(id)));
    assert!(!is_found(&home, "key") && !is_found(&home, "private"));
    assert_eq!(home.ok(&["dump", "latest~2", "docs/a"]).out, "day 1");
    home.ok(&["check", "--read-data"]);
    home.ends(1, &["purge", &path, "--yes"]);

    let row = home.ok(&["history", "--json"]).objects();
    let row = row
        .iter()
        .find(|row| row["kind"] == "delete" && row["snapshots"] == 3)
        .unwrap();
    assert_eq!(
        (number(row, "snapshots"), &row["sources"][0]),
        (3, &path.as_str().into())
    );
}

#[test]
fn old_forms_are_in_the_trash_until_a_prune_ends_them() {
    let home = three();
    let ids = home.snapshots();
    home.ok(&["purge", "key", "--yes"]);
    let trash = home.ok(&["undelete", "--json"]).objects();
    assert_eq!(trash.len(), 4, "three old forms and a summary");
    home.ok(&["undelete", &ids[2]]);
    assert_eq!(home.ok(&["dump", "docs/private/key"]).out, "very secret");
    let end = home.ok(&["purge", "key", "--yes", "--keep-trash", "0s"]);
    assert!(end.out.contains("dedup prune --keep-trash 0s"), "{}", end.out);
    home.ends(1, &["undelete", &ids[2]]);
    home.ok(&["prune", "--keep-trash", "0s", "--max-unused", "0", "--yes"]);
    home.ends(1, &["undelete", &ids[0]]);
    assert_eq!(home.snapshots().len(), 3);
    home.ok(&["check", "--read-data"]);
}

#[test]
fn protected_snapshots_are_left() {
    let home = three();
    let ids = home.snapshots();
    home.ok(&["protect", &ids[0]]);
    let protected = home.snapshots()[0].clone();
    let run = home.ends(3, &["purge", "private/", "--yes", "--json"]);
    let summary = run.summary();
    assert_eq!(
        (
            number(&summary, "changed_snapshots"),
            number(&summary, "protected_snapshots")
        ),
        (2, 1)
    );
    assert_eq!(home.snapshots()[0], protected);
    assert_eq!(
        home.ok(&["dump", &protected, "docs/private/key"]).out,
        "very secret"
    );
    home.ok(&["purge", "private", "--yes", "--force-protected"]);
    assert!(!is_found(&home, "key"));
    let rows = home.ok(&["snapshots", "--json"]).objects();
    assert_eq!(rows[0]["protected"], true);
}

/// The newest snapshot is the parent of the next backup.
#[test]
fn later_backups_are_right() {
    let home = three();
    home.ok(&["purge", "private", "--yes", "--keep-trash", "0s"]);
    let excluding = ["backup", "docs", "--host", "h", "--exclude", "private", "--json"];
    let run = home.ok(&excluding);
    let summary = run.summary();
    assert_eq!((run.err.as_str(), number(&summary, "files_unmodified")), ("", 2));
    assert_eq!(
        (number(&summary, "files_new"), number(&summary, "data_blobs")),
        (0, 0)
    );
    home.ok(&["prune", "--keep-trash", "0s", "--max-unused", "0", "--yes"]);
    assert!(!is_found(&home, "key"));
    // Without the exclude it is saved again, byte by byte.
    home.ok(&["backup", "docs", "--host", "h"]);
    assert_eq!(home.ok(&["dump", "docs/private/key"]).out, "very secret");
    home.ok(&["check", "--read-data"]);
    // A source that is purged itself is not expected by the next backup.
    home.ok(&["purge", &home.text("docs"), "--yes"]);
    std::fs::remove_dir_all(home.path("docs")).unwrap();
    std::fs::create_dir(home.path("docs")).unwrap();
    home.write("more/x", "x");
    assert_eq!(home.ok(&["backup", "docs", "more", "--host", "h"]).err, "");
}

/// What each part of a tree, each set and each snapshot holds alone, against what a prune then frees.
#[test]
fn what_is_held_alone_is_what_a_purge_frees() {
    let home = home();
    home.init();
    let noise = |seed: u64, len| kit::generation::noise(seed, len);
    home.write("docs/big/a", noise(1, 600_000));
    home.write("docs/big/small", noise(2, 3000));
    home.write("docs/both", noise(3, 400_000));
    home.write("docs/copy/both", noise(3, 400_000));
    home.write("docs/copy/own", noise(4, 200_000));
    home.ok(&["backup", "docs"]);
    home.write("docs/big/a", noise(5, 500_000));
    home.ok(&["backup", "docs"]);
    let rows = home.ok(&["space", "--json"]).objects();
    let of = |name: &str| {
        let path = home.text(name);
        let row = rows
            .iter()
            .find(|row| row["path"] == path.as_str() && row["bytes"].is_u64());
        number(row.unwrap(), "bytes")
    };
    let near = |bytes: u64, want: u64| (want..want + want / 50 + 5000).contains(&bytes);
    assert_eq!(
        string(&rows[0], "path"),
        home.text("docs/big"),
        "the largest first"
    );
    assert!(near(of("docs/big"), 1_103_000), "{rows:?}");
    assert!(
        near(of("docs/copy"), 200_000) && of("docs/both") < 5000,
        "{rows:?}"
    );
    let summary = rows.last().unwrap();
    assert!(near(number(summary, "shared_bytes"), 400_000), "{rows:?}");
    assert_eq!(string(summary, "path"), home.text("docs"));

    let shown = home.ok(&["space", "docs/big"]);
    let advice = format!("dedup purge {}", home.text("docs/big/a"));
    assert!(shown.out.contains(&advice), "{}", shown.out);
    home.ends(1, &["space", "nowhere"]).says(&["is in no snapshot"]);

    let each = home.ok(&["space", "--by", "snapshot", "--json"]).objects();
    assert!(near(number(&each[0], "bytes"), 600_000), "{each:?}");
    assert!(near(number(&each[1], "bytes"), 500_000), "{each:?}");
    let sets = home.ok(&["space", "--by", "set", "--json"]).objects();
    assert_eq!(sets.len(), 2);
    assert!(near(number(&sets[0], "bytes"), 1_703_000), "{sets:?}");

    home.ok(&["purge", "big", "--yes", "--keep-trash", "0s"]);
    let freed = home.ok(&[
        "prune",
        "--keep-trash",
        "0s",
        "--max-unused",
        "0",
        "--yes",
        "--json",
    ]);
    let before = of("docs/big");
    let freed = number(&freed.summary(), "bytes_deleted");
    assert!(freed >= before, "{freed} of {before}");
    let left = home.ok(&["stats", "--json"]).summary();
    assert!(near(number(&left, "total_stored_size"), 600_000), "{left}");
}
