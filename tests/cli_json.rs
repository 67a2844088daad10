//! `--json`: one object a line on standard output, errors as objects on standard error, a summary last.

use kit::program::{Home, number, objects, string};

fn home() -> Home {
    Home::new(env!("CARGO_BIN_EXE_dedup-under-test"))
}

#[test]
fn init_and_backup() {
    let home = home();
    home.write("docs/a", "a".repeat(1000));
    let init = home.ok(&["init", "--json"]);
    let made = &init.objects()[0];
    assert_eq!(made["message_type"], "initialized");
    assert_eq!(string(made, "recovery_phrase").split(' ').count(), 24);
    assert!(string(made, "key_file").ends_with("default.key"));
    assert!(init.summary()["recovery_phrase"].is_null(), "shown once");
    let run = home.ok(&["backup", "--json", "docs", "--tag", "a,b"]);
    let lines = run.objects();
    assert!(
        lines.len() >= 2
            && lines[..lines.len() - 1]
                .iter()
                .all(|l| l["message_type"] == "status")
    );
    for field in [
        "percent_done",
        "total_files",
        "files_done",
        "total_bytes",
        "bytes_done",
        "seconds_elapsed",
        "error_count",
        "current_files",
    ] {
        assert!(!lines[0][field].is_null(), "{field}");
    }
    let summary = run.summary();
    assert_eq!(
        (
            number(&summary, "files_new"),
            number(&summary, "total_bytes_processed")
        ),
        (1, 1000)
    );
    for field in [
        "files_changed",
        "files_unmodified",
        "dirs_new",
        "dirs_changed",
        "dirs_unmodified",
        "data_blobs",
        "tree_blobs",
        "data_added",
        "data_added_packed",
        "total_files_processed",
    ] {
        number(&summary, field);
    }
    assert!(summary["total_duration"].is_f64() && summary["dry_run"] == false);
    assert!(string(&summary, "backup_start") <= string(&summary, "backup_end"));
    let id = string(&summary, "snapshot_id");
    let listed = home.ok(&["snapshots", "--json"]).objects();
    let row = &listed[0];
    assert_eq!(
        (string(row, "id"), string(row, "short_id")),
        (id.clone(), id[..8].to_string())
    );
    assert_eq!(row["tags"], serde_json::json!(["a", "b"]));
    assert_eq!(row["paths"], serde_json::json!([home.text("docs")]));
    assert_eq!(
        (string(row, "status"), row["set"].is_null()),
        ("completed".into(), true)
    );
    assert_eq!(number(&row["summary"], "files_new"), 1);
    for field in ["time", "hostname", "username", "program_version"] {
        assert!(!string(row, field).is_empty(), "{field}");
    }
    let missing = home.ends(3, &["backup", "--json", "docs", "nowhere"]);
    let error = &objects(&missing.err)[0];
    assert_eq!(
        (string(error, "message_type"), string(error, "during")),
        ("error".into(), "backup".into())
    );
    assert_eq!(string(error, "item"), home.text("nowhere"));
    assert!(string(&error["error"], "message").contains("no such file"));
    assert_eq!(number(&missing.summary(), "errors"), 1);
}

#[test]
fn every_command() {
    let home = home();
    home.write("docs/sub/a", "a");
    home.ok(&["init", "--json"]).summary();
    home.ok(&["backup", "--json", "docs"]).summary();
    home.write("docs/b", "b");
    home.ok(&["backup", "--json", "docs"]).summary();
    let nodes = home.ok(&["ls", "--json"]).objects();
    let b = nodes.iter().find(|n| n["path"] == home.text("docs/b")).unwrap();
    assert_eq!((string(b, "type"), number(b, "size")), ("file".into(), 1));
    for field in ["mode", "uid", "gid"] {
        number(b, field);
    }
    string(b, "mtime");
    let rows: &[&[&str]] = &[
        &["restore", "--target", "out"],
        &["find", "b"],
        &["diff", "latest~1", "latest"],
        &["tag", "--add", "x"],
        &["stats"],
        &["check", "--read-data"],
        &["forget", "--keep-last", "1", "--dry-run"],
        &["forget", "--keep-last", "1", "--yes"],
        &["undelete"],
        &["undelete", "--dry-run", "latest"],
        &["undelete", "latest"],
        &["prune", "--dry-run"],
        &["prune", "--yes", "--keep-last", "1", "--keep-trash", "0s"],
        &["key", "add", "--new-key-file", "second.key"],
        &["key", "passwd", "--new-key-file", ".config/dedup/other.key"],
    ];
    for row in rows {
        let run = home.ok(&[&["--json"], *row].concat());
        run.summary();
        assert_eq!(run.err, "", "{row:?}");
    }
    let other = ["--key-file", ".config/dedup/other.key", "--json"];
    for row in [
        &["key", "list"][..],
        &["key", "export", "k"],
        &["cache", "info"],
        &["cache", "clear"],
    ] {
        assert!(
            !home.ok(&[&other[..], row].concat()).objects().is_empty(),
            "{row:?}"
        );
    }
    let usage = home.ends(2, &["--json", "prune", "--max-unused", "much"]);
    assert!(string(&objects(&usage.err)[0], "message").contains("--max-unused"));
    for row in [
        &["restore", "ffff", "--target", "x"][..],
        &["ls", "latest", "nowhere"],
        &["forget"],
        &["prune"],
        &["dump", "nowhere"],
    ] {
        let run = home.run(&[&other[..], row].concat());
        let error = objects(&run.err).pop().unwrap();
        assert_eq!(error["message_type"], "exit_error", "{row:?}");
        assert_eq!(error["code"], run.code, "{row:?}");
        assert!(run.code != 0 && run.out.is_empty(), "{row:?}");
    }
}

#[test]
fn a_policy_says_why() {
    let home = home();
    home.init();
    home.write("docs/a", "a");
    for day in ["2026-01-01", "2026-01-02", "2026-02-01"] {
        home.ok(&["backup", "docs", "--time", day]);
    }
    let run = home.ok(&["forget", "--keep-monthly", "2", "--dry-run", "--json"]);
    let rows = run.objects();
    let (_, policies) = rows.split_last().unwrap();
    let said: Vec<(&str, &str)> = policies
        .iter()
        .map(|row| {
            (
                row["action"].as_str().unwrap(),
                row["reasons"][0].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        said,
        [
            ("keep", "monthly snapshot"),
            ("keep", "monthly snapshot"),
            ("remove", "no rule keeps it")
        ]
    );
    assert!(
        policies
            .iter()
            .all(|row| row["message_type"] == "policy" && row["id"].is_string())
    );
    assert_eq!(home.snapshots().len(), 3);
}
