//! Trees at the edges of what a file system can hold: 4,096 levels, paths that no system call takes, names of 255 bytes at
//! every level, times far from now, and a file of 1 TiB that is hardly there.

use kit::program::{Home, number, string};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::process::Command;

fn home() -> Home {
    let home = Home::within(env!("CARGO_BIN_EXE_dedup-under-test"), "/dev/shm");
    home.init();
    home
}

/// Runs in `dir`; what it prints.
fn python(dir: &Path, script: &str) -> String {
    let done = Command::new("python3")
        .args(["-c", script])
        .current_dir(dir)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
    String::from_utf8(done.stdout).unwrap()
}

/// Removes what is too deep for a destructor.
struct Deep<'h>(&'h Home);

impl Drop for Deep<'_> {
    fn drop(&mut self) {
        for name in ["docs", "out", "part"] {
            let _removed = Command::new("rm").arg("-rf").arg(self.0.path(name)).status();
        }
    }
}

/// So many levels of directories with this name, each with a file whose content is its depth.
fn make(home: &Home, levels: usize, name: &str) {
    fs::create_dir(home.path("docs")).unwrap();
    let script = format!(
        "import os\nfor depth in range({levels}):\n    open('file', 'w').write(str(depth))\n    os.mkdir('{name}')\n    \
         os.chdir('{name}')\nopen('bottom', 'w').write('here')\nos.utime('.', ns=(5, 6))"
    );
    python(&home.path("docs"), &script);
}

/// The same, found again.
fn assert_made(dir: &Path, levels: usize, name: &str) {
    let script = format!(
        "import os\nfor depth in range({levels}):\n    assert set(os.listdir('.')) == {{'file', '{name}'}}, depth\n    \
         assert open('file').read() == str(depth), depth\n    os.chdir('{name}')\n\
         assert os.listdir('.') == ['bottom'] and open('bottom').read() == 'here'\n\
         assert os.stat('.').st_mtime_ns == 6"
    );
    python(dir, &script);
}

fn nodes(listed: &[Value], kind: &str) -> Vec<String> {
    let of_kind = listed.iter().filter(|node| node["type"] == kind);
    of_kind.map(|node| string(node, "path")).collect()
}

fn backed_up_listed_and_restored(levels: usize, name: &str) {
    let home = home();
    let _deep = Deep(&home);
    make(&home, levels, name);
    let summary = home.ok(&["backup", "docs", "--json"]).summary();
    let files = levels as u64 + 1;
    assert_eq!(
        (number(&summary, "files_new"), &summary["errors"]),
        (files, &Value::from(0))
    );
    // Again: the parent is found at every depth.
    let again = home.ok(&["backup", "docs", "--json"]).summary();
    assert_eq!(
        (number(&again, "files_new"), number(&again, "files_unmodified")),
        (0, files)
    );
    let bottom = format!(
        "{}/{}bottom",
        home.text("docs"),
        format!("{name}/").repeat(levels)
    );
    // All of it would be hundreds of megabytes, as each path is listed.
    let deepest = bottom.strip_suffix("/bottom").unwrap();
    let listed = home.ok(&["ls", "latest", deepest, "--json"]).objects();
    assert!(nodes(&listed, "file") == [bottom.clone()]);
    let hits = home.ok(&["find", "bottom", "--json"]).objects();
    assert!(
        hits.iter()
            .all(|one| one["matches"][0]["path"] == bottom.as_str())
    );
    assert_eq!(hits.len(), 2);
    let changes = home.ok(&["diff", "latest~1", "latest", "--json"]).objects();
    assert_eq!(changes.len(), 1, "only the statistics");
    let from = format!("latest:{}", home.text("docs"));
    home.ok(&["restore", &from, "-t", "out", "--verify"]);
    assert_made(&home.path("out"), levels, name);
    // Nothing is to be done a second time.
    let again = home.ok(&["restore", &from, "-t", "out", "--json"]).summary();
    assert_eq!(
        (
            number(&again, "files_restored"),
            number(&again, "files_unchanged")
        ),
        (0, files)
    );
    home.ok(&["check", "--read-data"]);
    // An argument may be longer than a path.
    if bottom.len() < 100_000 {
        assert_eq!(home.ok(&["dump", "latest", &bottom]).out, "here");
        home.ok(&["restore", "latest", &bottom, "-t", "part"]);
        let script = format!(
            "import os\nfor name in {:?}.strip('/').split('/')[:-1]: os.chdir(name)\nprint(open('bottom').read())",
            bottom
        );
        assert_eq!(python(&home.path("part"), &script), "here\n");
    }
}

#[test]
fn four_thousand_levels() {
    backed_up_listed_and_restored(4096, "d");
}

#[test]
fn names_of_255_bytes_at_every_level() {
    backed_up_listed_and_restored(400, &"n".repeat(255));
}

/// Times that 64 bits of nanoseconds don't hold, before 1678 and after 2262, some in years that calendars don't have.
#[test]
fn times_far_from_now() {
    let home = home();
    let times: [(&str, i64, i64); 8] = [
        ("antiquity", -60_000_000_000, 1),
        ("1677", -9_240_000_000, 999_999_999),
        ("1901", -2_147_483_649, 0),
        ("1969", -1, 999_999_999),
        ("1970", 0, 0),
        ("2262", 9_223_372_037, 5),
        ("9999", 253_402_300_800, 7),
        ("far", 9_000_000_000_000, 123_456_789),
    ];
    for (name, secs, nanos) in times {
        let path = home.write(&format!("docs/{name}"), name);
        let ns = i128::from(secs) * 1_000_000_000 + i128::from(nanos);
        python(
            &home.path("docs"),
            &format!("import os\nos.utime({name:?}, ns=(0, {ns}))"),
        );
        let meta = fs::metadata(path).unwrap();
        assert_eq!(
            (meta.mtime(), meta.mtime_nsec()),
            (secs, nanos),
            "{name}: the file system"
        );
    }
    home.ok(&["backup", "docs"]);
    let from = format!("latest:{}", home.text("docs"));
    home.ok(&["restore", &from, "-t", "out"]);
    for (name, secs, nanos) in times {
        let meta = fs::metadata(home.path("out").join(name)).unwrap();
        assert_eq!((meta.mtime(), meta.mtime_nsec()), (secs, nanos), "{name}");
    }
    // Each is listed in every way.
    for args in [
        &["ls", "-l"][..],
        &["ls", "--json"],
        &["ls", "--sort", "time"],
        &["ls", "--ncdu"],
        &["find", "*", "--json"],
        &["versions", "docs/far"],
        &["dump", "docs", "-t", "docs.tar"],
        &["dump", "docs", "-t", "docs.zip", "-a", "zip"],
        &["diff", "latest"],
        &["find", "*", "--oldest", "1000-01-01"],
    ] {
        home.ok(args);
    }
    let names = |args: &[&str]| -> Vec<String> {
        let listed = home.ok(args).objects();
        let files = listed.iter().filter(|node| node["type"] == "file");
        files.map(|node| string(node, "name")).collect()
    };
    let sorted = names(&["ls", "--sort", "time", "--json"]);
    assert_eq!(sorted, times.map(|(name, ..)| name));
    // Equal files are left alone whatever their times.
    let again = home.ok(&["backup", "docs", "--json"]).summary();
    assert_eq!(number(&again, "files_unmodified"), times.len() as u64);
    let again = home.ok(&[
        "restore",
        &from,
        "-t",
        "out",
        "--overwrite",
        "if-changed",
        "--json",
    ]);
    assert_eq!(number(&again.summary(), "files_restored"), 0);
}

#[test]
fn a_sparse_file_of_a_tebibyte() {
    let home = home();
    let path = home.write("docs/sparse", "");
    let file = fs::File::options().write(true).open(&path).unwrap();
    let size = 1 << 40;
    file.set_len(size).unwrap();
    let places = [0, 5_000_000_000, (1 << 39) + 17, size - 4];
    for (byte, at) in (1u8..).zip(places) {
        file.write_all_at(&[byte; 4], at).unwrap();
    }
    home.ok(&["backup", "docs"]);
    let from = format!("latest:{}", home.text("docs"));
    let check = || {
        let out = fs::File::open(home.path("out/sparse")).unwrap();
        let meta = out.metadata().unwrap();
        assert_eq!(meta.len(), size);
        assert!(meta.blocks() * 512 < 8 << 20, "{} blocks", meta.blocks());
        for (byte, at) in (1u8..).zip(places) {
            let mut bytes = [0; 4];
            out.read_exact_at(&mut bytes, at).unwrap();
            assert_eq!(bytes, [byte; 4], "{at}");
        }
    };
    home.ok(&["restore", &from, "-t", "out"]);
    check();
    let again = home.ok(&["restore", &from, "-t", "out", "--json"]).summary();
    assert_eq!(number(&again, "files_unchanged"), 1);
    // What is in a hole is punched out, in the file itself and in a copy.
    for option in [&["--in-place"][..], &[]] {
        let out = fs::File::options()
            .write(true)
            .open(home.path("out/sparse"))
            .unwrap();
        out.write_all_at(&[9; 100_000], 700_000_000_000).unwrap();
        let inode = out.metadata().unwrap().ino();
        home.ok(&[&["restore", &from, "-t", "out"], option].concat());
        let now = fs::metadata(home.path("out/sparse")).unwrap().ino();
        assert_eq!(now == inode, !option.is_empty());
        check();
        let mut bytes = [1; 100_000];
        let out = fs::File::open(home.path("out/sparse")).unwrap();
        out.read_exact_at(&mut bytes, 700_000_000_000).unwrap();
        assert!(bytes.iter().all(|byte| *byte == 0));
    }
}
