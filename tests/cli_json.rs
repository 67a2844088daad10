//! `--json`: restic's shapes where it has the command, and else one object a line with a summary last; errors as objects
//! on standard error.

use kit::program::{Home, number, objects, string};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

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
    assert!(string(made, "key_file").ends_with("default.key"));
    assert_eq!(
        (string(made, "id").len(), made["recovery"].as_bool()),
        (32, Some(false))
    );
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
    assert_eq!(row["tags"], json!(["a", "b"]));
    assert_eq!(row["paths"], json!([home.text("docs")]));
    assert_eq!(string(row, "status"), "completed");
    for absent in ["parent", "original", "description"] {
        assert!(row.get(absent).is_none(), "{absent}");
    }
    assert_eq!(string(row, "tree").len(), 64);
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
    assert!(nodes[1..].iter().all(|node| node["struct_type"] == "node"));
    let b = nodes.iter().find(|n| n["path"] == home.text("docs/b")).unwrap();
    assert_eq!((string(b, "type"), number(b, "size")), ("file".into(), 1));
    for field in ["mode", "uid", "gid"] {
        number(b, field);
    }
    string(b, "mtime");
    let rows: &[&[&str]] = &[
        &["restore", "--target", "out"],
        &["tag", "--add", "x"],
        &["tag", "--on", "docs/b", "--add", "y"],
        &["tag", "--list"],
        &["stats"],
        &["check", "--read-data"],
        &["check", "latest", "--max-age", "30d"],
        &["drill"],
        &["undelete"],
        &["purge", "b", "--dry-run"],
        &["space"],
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
        &["key", "remove", "x"],
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
        home.ok(&["backup", "docs", "--time", day, "--host", "h"]);
    }
    let forget = ["forget", "--keep-monthly", "2", "--json"];
    for options in [&["--dry-run"][..], &[]] {
        let run = home.ok(&[&forget[..], options].concat());
        let groups = run.objects();
        assert!(run.out.starts_with('[') && groups.len() == 1, "{}", run.out);
        let group = &groups[0];
        assert_eq!(
            (string(group, "host"), &group["tags"]),
            ("h".into(), &Value::Null)
        );
        assert_eq!(group["paths"], json!([home.text("docs")]));
        let days = |list: &str| -> Vec<String> {
            let rows = group[list].as_array().unwrap().iter();
            rows.map(|row| string(row, "time")[..7].to_string()).collect()
        };
        assert_eq!(
            (days("keep"), days("remove").len()),
            (vec!["2026-01".into(), "2026-01".into()], 1)
        );
        let reasons = group["reasons"].as_array().unwrap();
        assert_eq!(reasons.len(), 2);
        assert_eq!(reasons[0]["matches"], json!(["monthly snapshot"]));
        assert_eq!(reasons[0]["snapshot"], group["keep"][0]);
        assert_eq!(home.snapshots().len(), if options.is_empty() { 2 } else { 3 });
    }
    let run = home.ok(&["forget", "latest", "--prune", "--json"]);
    assert_eq!(run.objects()[0]["remove"].as_array().unwrap().len(), 1);
    assert_eq!(run.summary()["message_type"], "summary");
}

/// What programs that were written for restic read, by restic 0.19's source.
#[test]
fn shapes_as_restic_has_them() {
    let home = home();
    home.init();
    assert_eq!(home.ok(&["snapshots", "--json"]).out, "[]\n");
    home.write("docs/sub/a", "a");
    home.ok(&["backup", "docs", "--host", "h"]);
    home.write("docs/b", "bb");
    std::os::unix::fs::symlink("b", home.path("docs/l")).unwrap();
    home.ok(&["backup", "docs", "--host", "h", "--description", "with b"]);
    let all = home.ok(&["snapshots", "--json"]);
    let rows = all.objects();
    assert!(all.out.starts_with('[') && all.out.lines().count() == 1);
    assert_eq!(
        (&rows[1]["parent"], string(&rows[1], "description")),
        (&rows[0]["id"], "with b".into())
    );
    assert!(rows[0]["tags"].is_null() && rows[0]["tree"] != rows[1]["tree"]);
    assert!(home.ok(&["snapshots"]).out.contains("with b"));
    let groups = home.ok(&["snapshots", "--json", "--group-by", "host"]).objects();
    assert_eq!(
        groups[0]["group_key"],
        json!({ "hostname": "h", "paths": null, "tags": null })
    );
    assert_eq!(groups[0]["snapshots"].as_array().unwrap().len(), 2);
    let lines = home.ok(&["ls", "--json", "latest"]).objects();
    assert_eq!(
        (&lines[0]["struct_type"], &lines[0]["id"]),
        (&json!("snapshot"), &rows[1]["id"])
    );
    let node = |name: &str| lines.iter().find(|node| node["path"] == home.text(name)).unwrap();
    std::fs::set_permissions(home.path("docs"), PermissionsExt::from_mode(0o755)).unwrap();
    assert_eq!(number(node("docs/sub"), "mode") & !0o777, 1 << 31);
    assert_eq!(number(node("docs/l"), "mode") & !0o777, 1 << 27);
    assert_eq!(
        (
            number(node("docs/b"), "mode") & !0o777,
            number(node("docs/b"), "size")
        ),
        (0, 2)
    );
    assert!(node("docs/sub").get("size").is_none());
    for field in ["atime", "mtime", "ctime"] {
        assert!(string(node("docs/b"), field).ends_with('Z'), "{field}");
    }
    number(node("docs/b"), "inode");
    let found = home.ok(&["find", "--json", "a", "b"]);
    let found = serde_json::from_str::<Value>(&found.out).unwrap();
    let hits: Vec<u64> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|one| number(one, "hits"))
        .collect();
    assert_eq!((hits.iter().sum::<u64>(), hits.len()), (3, 2));
    let one = found
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["snapshot"] == rows[1]["id"])
        .unwrap();
    assert_eq!(
        one["matches"].as_array().unwrap().len() as u64,
        number(one, "hits")
    );
    assert!(one["matches"][0].get("message_type").is_none());
    assert_eq!(
        home.ok(&["find", "--json", "a", "--snapshot", "latest~1"])
            .objects()
            .len(),
        1
    );
    let changes = home.ok(&["diff", "--json", "latest~1", "latest"]).objects();
    let last = changes.last().unwrap();
    assert_eq!(
        (&last["message_type"], &last["source_snapshot"]),
        (&json!("statistics"), &rows[0]["id"])
    );
    assert!(
        changes
            .iter()
            .any(|row| row["path"] == home.text("docs/b") && row["modifier"] == "+")
    );
    let keys = home.ok(&["key", "list", "--json"]).objects();
    assert!(
        keys.iter()
            .any(|key| key["current"] == true && key["hostName"].is_string())
    );
    let tagged = home.ok(&["tag", "--json", "--add", "x", "latest"]);
    assert_eq!(number(&tagged.summary(), "changed_snapshots"), 1);
    let whole = home.ok(&["stats", "--json"]).summary();
    let raw = home.ok(&["stats", "--json", "--mode", "raw-data"]).summary();
    assert_eq!(
        (number(&whole, "total_size"), number(&whole, "total_file_count")),
        (1 + 3, 1 + 2)
    );
    assert_eq!(number(&raw, "total_size"), number(&raw, "total_stored_size"));
    assert_eq!(number(&raw, "compression_progress"), 100);
    let check = home.ok(&["check", "--json"]).summary();
    assert_eq!(
        (&check["suggest_repair_index"], &check["suggest_prune"]),
        (&json!(false), &json!(false))
    );
    let status = home
        .ok(&["restore", "--json", "--target", "out"])
        .objects()
        .remove(0);
    assert!(
        status["bytes_restored"].is_u64() && status.get("bytes_done").is_none(),
        "{status}"
    );
    assert!(home.ok(&["version", "--json"]).objects()[0]["go_arch"].is_string());
    home.ok(&["unlock"]);
    let backup = home.ok(&["backup", "docs", "--host", "h"]).out;
    assert!(backup.contains("\nprocessed 2 files, 3 B in 0:0"), "{backup}");
    assert!(
        backup
            .lines()
            .any(|line| line.starts_with("snapshot ") && line.ends_with(" saved")),
        "{backup}"
    );
}
