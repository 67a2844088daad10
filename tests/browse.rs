//! The program shows what snapshots hold: versions of one file, searches, listings, comparisons with the files as they
//! are now.

use kit::program::{Home, Run, objects};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

const PROGRAM: &str = env!("CARGO_BIN_EXE_dedup-under-test");

fn home() -> Home {
    let home = Home::within(PROGRAM, "/dev/shm");
    home.init();
    home
}

/// As `touch -d` takes it.
fn touch(path: &Path, time: &str) {
    let done = Command::new("touch").args(["-h", "-d", time]).arg(path).status();
    assert!(done.unwrap().success());
}

fn back_up(home: &Home) -> String {
    home.ok(&["backup", "docs"]);
    home.snapshots().pop().unwrap()
}

#[track_caller]
fn lines(run: &Run) -> Vec<&str> {
    run.out.lines().collect()
}

/// Four contents of which one comes back, a change of metadata, a snapshot without it, and one of another host.
fn many_versions(home: &Home) -> (String, Vec<String>) {
    let file = home.write("docs/report.txt", "first");
    home.write("docs/other.txt", "other");
    touch(&file, "2026-01-02 03:04:05 UTC");
    let mut ids = vec![back_up(home), back_up(home)];
    fs::write(&file, "second!").unwrap();
    touch(&file, "2026-02-02 03:04:05 UTC");
    ids.push(back_up(home));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    ids.push(back_up(home));
    fs::remove_file(&file).unwrap();
    ids.push(back_up(home));
    fs::write(&file, "third").unwrap();
    touch(&file, "2026-02-02 03:04:05.5 UTC");
    ids.push(back_up(home));
    (file.into_os_string().into_string().unwrap(), ids)
}

#[test]
fn versions_of_one_file() {
    let home = home();
    let (file, ids) = many_versions(&home);
    home.ok(&["backup", "docs", "--host", "elsewhere"]);
    let found = home.ok(&["versions", "docs/report.txt", "--json"]).objects();
    let (summary, versions) = found.split_last().unwrap();
    assert_eq!(summary["path"], file);
    assert_eq!(
        (&summary["versions"], &summary["snapshots"]),
        (&Value::from(3), &Value::from(5))
    );
    assert_eq!(summary["absent"], Value::from(vec![ids[4].clone()]));
    let seen: Vec<(u64, Vec<(&str, &str)>)> = versions
        .iter()
        .map(|version| {
            let snapshots = version["snapshots"].as_array().unwrap();
            let snapshots = snapshots
                .iter()
                .map(|one| (one["id"].as_str().unwrap(), one["change"].as_str().unwrap()));
            (version["size"].as_u64().unwrap(), snapshots.collect())
        })
        .collect();
    let id = |n: usize| ids[n].as_str();
    assert_eq!(
        seen,
        [
            (5, vec![(id(5), "modified")]),
            (7, vec![(id(3), "metadata"), (id(2), "modified")]),
            (5, vec![(id(1), "unchanged"), (id(0), "new")]),
        ]
    );
    let text = home.ok(&["versions", &file, "-v"]);
    assert!(text.out.contains("3 versions in 5 snapshots"), "{}", text.out);
    assert!(text.out.contains("Not in 1 snapshot"), "{}", text.out);
    assert_eq!(text.out.matches("  unchanged").count(), 1, "{}", text.out);
    let all = home.ok(&["versions", &file, "--all-hosts", "--json"]);
    assert_eq!(all.summary()["snapshots"], 6);
    home.ends(1, &["versions", &file, "--host", "nobody"]);
    home.ends(1, &["versions", "docs/nothing"])
        .says(&["in no snapshot"]);
    home.ends(2, &["versions", "docs"]).says(&["is a directory"]);
    let japanese = home.ok(&["versions", &file, "--lang", "ja"]);
    assert!(japanese.out.contains("版 3 個"), "{}", japanese.out);
}

#[test]
fn versions_of_another_host() {
    let home = home();
    home.write("docs/a", "a");
    home.ok(&["backup", "docs", "--host", "elsewhere"]);
    home.ends(1, &["versions", "docs/a"]).says(&["--all-hosts"]);
    home.ok(&["versions", "docs/a", "--all-hosts"]);
}

#[test]
fn all_versions_side_by_side() {
    let home = home();
    let (file, _) = many_versions(&home);
    let restore = ["versions", &file, "--restore-all", "out"];
    let dry = home.ok(&[&restore[..], &["-n"]].concat());
    assert!(
        dry.out.contains("Would restore 3 versions") && !home.path("out").exists(),
        "{}",
        dry.out
    );
    home.ok(&restore);
    let content = |name: &str| fs::read_to_string(home.path("out").join(name)).unwrap();
    // The tests' zone is nine hours ahead.
    let names = [
        "report_2026-01-02_12-04-05.txt",
        "report_2026-02-02_12-04-05.txt",
        "report_2026-02-02_12-04-05-2.txt",
    ];
    assert_eq!(names.map(content), ["first", "second!", "third"]);
    let mode = fs::metadata(home.path("out").join(names[1]))
        .unwrap()
        .permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    // Nothing is overwritten, and the same versions get the same names.
    home.write("out/report_2026-01-02_12-04-05.txt", "mine");
    let again = home.ok(&[&restore[..], &["--json"]].concat());
    assert_eq!(content(names[0]), "mine");
    assert_eq!(fs::read_dir(home.path("out")).unwrap().count(), 3);
    let summary = again.summary();
    assert_eq!(
        (&summary["files_restored"], &summary["files_skipped"]),
        (&0.into(), &3.into())
    );
}

#[test]
fn found_files_have_their_versions() {
    let home = home();
    let (file, ids) = many_versions(&home);
    let found = home.ok(&["find", "report*"]);
    let lines = lines(&found);
    assert_eq!((lines[0], lines.len()), (file.as_str(), 4), "{}", found.out);
    assert!(
        lines[1].contains(&ids[5][..8]) && lines[1].contains("1 snapshot:"),
        "{}",
        lines[1]
    );
    assert!(lines[2].contains("2 snapshots:"), "{}", lines[2]);
    let by_snapshot = home.ok(&["find", "report*", "--by-snapshot"]);
    assert_eq!(
        by_snapshot.out.matches("In snapshot").count(),
        5,
        "{}",
        by_snapshot.out
    );
    let json = home.ok(&["find", "report*", "--json"]).objects();
    assert_eq!(json.len(), 5);
    assert_eq!(
        (&json[0]["hits"], &json[0]["snapshot"]),
        (&1.into(), &ids[5].clone().into())
    );
    for (options, hits) in [
        (&["--larger-than", "6"][..], 2),
        (&["--smaller-than", "6"], 3),
        (&["--larger-than", "1K"], 0),
        (&["--oldest", "2026-02-01"], 3),
        (&["--newest", "2026-02-01"], 2),
        (&["--snapshot", "latest"], 1),
        (&["--tag", "none"], 0),
    ] {
        let run = home.run(&[&["find", "report*", "--json"][..], options].concat());
        let hit: u64 = objects(&run.out)
            .iter()
            .map(|one| one["hits"].as_u64().unwrap())
            .sum();
        assert_eq!((hit, run.code), (hits, i32::from(hits == 0)), "{options:?}");
    }
}

fn tree(home: &Home) {
    for (path, len) in [
        ("b/z", 3),
        ("b/c/x.tar", 10),
        ("b/c.d/y", 1),
        ("a.txt", 5),
        ("d", 2),
    ] {
        home.write(&format!("docs/{path}"), vec![b'x'; len]);
    }
}

#[test]
fn a_listing_goes_depth_first() {
    let home = home();
    tree(&home);
    back_up(&home);
    let top = home.text("docs");
    let listed = home.ok(&["ls", "latest", &top, "--recursive"]);
    let below = |run: &Run| -> Vec<String> {
        let paths = run
            .out
            .lines()
            .map(|line| line.strip_prefix(&top).unwrap().to_string());
        paths.collect()
    };
    let deep = [
        "",
        "/a.txt",
        "/b",
        "/b/c",
        "/b/c/x.tar",
        "/b/c.d",
        "/b/c.d/y",
        "/b/z",
        "/d",
    ];
    assert_eq!(below(&listed), deep);
    // Without --recursive only what is in the directory itself.
    assert_eq!(
        below(&home.ok(&["ls", "latest", &top])),
        ["", "/a.txt", "/b", "/d"]
    );
    let sorted = |options: &[&str]| {
        let mut args = vec!["ls", "latest", &top, "--recursive", "--sort"];
        args.extend(options);
        below(&home.ok(&args))
    };
    assert_eq!(
        sorted(&["size"])[4..],
        ["/b/c.d/y", "/d", "/b/z", "/a.txt", "/b/c/x.tar"]
    );
    assert_eq!(sorted(&["size", "--reverse"])[0], "/b/c/x.tar");
    assert_eq!(sorted(&["extension"])[6..], ["/b/c.d", "/b/c/x.tar", "/a.txt"]);
    let long = home.ok(&["ls", "-l", "--human-readable", "latest", &format!("{top}/a.txt")]);
    assert!(long.out.contains(" 5 B "), "{}", long.out);
}

#[test]
fn a_listing_for_ncdu() {
    let home = home();
    tree(&home);
    back_up(&home);
    let top = home.text("docs");
    let listed = home.ok(&["ls", "--ncdu", &format!("latest:{top}")]);
    let value: Value = serde_json::from_str(&listed.out).unwrap();
    assert_eq!((&value[0], &value[1]), (&1.into(), &2.into()));
    fn names(of: &Value) -> Value {
        match of.as_array() {
            Some(members) => members.iter().map(names).collect(),
            None => of["name"].clone(),
        }
    }
    let want = serde_json::json!([
        top.as_str(),
        "a.txt",
        ["b", ["c", "x.tar"], ["c.d", "y"], "z"],
        "d"
    ]);
    assert_eq!(names(&value[3]), want);
    assert_eq!(value[3][1]["asize"], 5);
}

/// A directory so wide that it is not held in memory, with directories in it.
#[test]
fn a_wide_directory_is_listed_in_order() {
    let home = home();
    for n in 0..9000 {
        home.write(&format!("docs/{n:05}"), "");
    }
    for n in [0, 4000, 8191, 8192, 8999] {
        home.write(&format!("docs/{n:05}d/in"), "");
    }
    back_up(&home);
    let top = home.text("docs");
    let listed = home.ok(&["ls", &format!("latest:{top}")]);
    let got: Vec<&str> = listed.out.lines().collect();
    let mut want = vec![top.clone()];
    for n in 0..9000 {
        want.push(format!("{top}/{n:05}"));
        if home.path(format!("docs/{n:05}d")).is_dir() {
            want.push(format!("{top}/{n:05}d"));
            want.push(format!("{top}/{n:05}d/in"));
        }
    }
    assert_eq!(got, want);
}

#[test]
fn a_snapshot_against_the_disk() {
    let home = home();
    tree(&home);
    touch(&home.path("docs/d"), "2026-01-01");
    touch(&home.path("docs/a.txt"), "2026-01-01");
    back_up(&home);
    let diff = |options: &[&str]| {
        let run = home.ok(&[&["diff", "latest", "--json"][..], options].concat());
        let mut rows = run.objects();
        let statistics = rows.pop().unwrap();
        assert_eq!(statistics["message_type"], "statistics");
        let top = home.text("docs");
        let row = |row: &Value| {
            let path = row["path"]
                .as_str()
                .unwrap()
                .strip_prefix(&top)
                .unwrap_or("?")
                .to_string();
            (row["modifier"].as_str().unwrap().to_string(), path)
        };
        let rows: Vec<(String, String)> = rows.iter().map(row).collect();
        (rows, statistics)
    };
    let rows = |list: &[(&str, &str)]| -> Vec<(String, String)> {
        let own = list
            .iter()
            .map(|(sign, path)| (sign.to_string(), path.to_string()));
        own.collect()
    };
    assert_eq!(diff(&[]).0, []);
    home.write("docs/b/new", "new");
    home.write("docs/b/z", "ZZZ");
    fs::remove_file(home.path("docs/b/c.d/y")).unwrap();
    fs::remove_dir(home.path("docs/b/c.d")).unwrap();
    touch(&home.path("docs/d"), "2026-01-02");
    fs::remove_file(home.path("docs/a.txt")).unwrap();
    fs::create_dir(home.path("docs/a.txt")).unwrap();
    let (found, statistics) = diff(&[]);
    let want = [
        ("T", "/a.txt/"),
        ("-", "/b/c.d/"),
        ("+", "/b/new"),
        ("M", "/b/z"),
        ("-", "/b/c.d/y"),
    ];
    assert_eq!(found, rows(&want));
    assert_eq!(statistics["changed_files"], 1);
    assert_eq!(statistics["added"]["files"], 1);
    let with_metadata = diff(&["--metadata"]).0;
    assert!(
        with_metadata.contains(&("U".into(), "/d".into())),
        "{with_metadata:?}"
    );
    assert_eq!(diff(&["-e", "new"]).0.len(), 4);
    // The same size and times: only who reads it sees it.
    let file = home.path("docs/b/c/x.tar");
    let time = fs::metadata(&file).unwrap().modified().unwrap();
    let times = fs::FileTimes::new().set_modified(time);
    let open = fs::OpenOptions::new().write(true).open(&file).unwrap();
    std::os::unix::fs::FileExt::write_at(&open, b"?", 0).unwrap();
    open.set_times(times).unwrap();
    assert_eq!(diff(&[]).0.len(), 5);
    assert!(
        diff(&["--content"])
            .0
            .contains(&("M".into(), "/b/c/x.tar".into()))
    );
    let below = home.text("docs/b/c.d");
    let found = home.ok(&["diff", &format!("latest:{below}")]);
    assert_eq!(
        found.out.lines().filter(|line| line.starts_with('-')).count(),
        2,
        "{}",
        found.out
    );
}

#[test]
fn protected_snapshots_stay() {
    let home = home();
    home.write("docs/a", "1");
    let first = back_up(&home);
    home.write("docs/a", "2");
    back_up(&home);
    let dry = home.ok(&["protect", &first, "-n"]);
    assert!(dry.out.contains(": protected"), "{}", dry.out);
    let protected = home.ok(&["protect", &first, "--json"]).objects();
    let id = protected[0]["new_snapshot_id"].as_str().unwrap().to_string();
    assert_eq!(protected[1]["changed_snapshots"], 1);
    assert_eq!(
        home.ok(&["protect", &id, "--json"]).summary()["changed_snapshots"],
        0
    );
    home.ok(&["prune", "--keep-last", "1", "--yes"]);
    assert_eq!(home.snapshots().len(), 2);
    for dry in [&[][..], &["--dry-run"]] {
        let refused = home.ends(3, &[&["forget", &id][..], dry].concat());
        assert!(refused.out.is_empty(), "{}", refused.out);
        refused.says(&["protected"]);
    }
    // Other tags leave it protected.
    home.ok(&["tag", "--add", "x", &id]);
    let tagged = home.ok(&["snapshots", "--json"]).objects();
    assert_eq!(tagged.iter().filter(|one| one["protected"] == true).count(), 1);
    home.ok(&["unprotect", "latest~1"]);
    home.ok(&["prune", "--keep-last", "1", "--yes"]);
    assert_eq!(home.snapshots().len(), 1);
}
