//! Lists of sources, patterns and places of any bytes.

use super::*;

/// Arguments and lists that are not UTF-8, or begin with what an editor put there.
#[test]
fn lists_and_patterns_of_any_bytes() {
    let home = home();
    let raw = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
    for name in [b"d[1].txt".as_slice(), b"d1.txt", b"a\xff1", b"a\xfe1", b"b"] {
        fs::create_dir_all(home.path("src")).unwrap();
        fs::write(home.path("src").join(raw(name)), name).unwrap();
    }
    let count = |args: &[OsString]| -> u64 {
        let args = [&[raw(b"backup"), raw(b"--json")], args].concat();
        home.ok(&args).summary()["total_files_processed"]
            .as_u64()
            .unwrap()
    };
    let list = |bytes: &[u8]| -> u64 {
        home.write("list", bytes);
        count(&[raw(b"--files-from"), raw(b"list")])
    };
    list(b"\xef\xbb\xbfsrc/b\n");
    assert_eq!(files(&home, &home.text("src")), ["b"]);
    home.write("list", b"\xef\xbb\xbfsrc/b\r\n");
    assert_eq!(count(&[raw(b"--files-from-verbatim"), raw(b"list")]), 1);
    list(b"src/d[1].txt\n");
    assert_eq!(files(&home, &home.text("src")), ["d[1].txt"]);
    fs::remove_file(home.path("src/d[1].txt")).unwrap();
    list(b"src/d[1].txt\n");
    assert_eq!(files(&home, &home.text("src")), ["d1.txt"]);
    assert_eq!(list(b"src/a\xff*\n"), 1);
    assert_eq!(
        list(b"src/a*\n"),
        2,
        "names that are not UTF-8 match as others do"
    );
    home.write("list", b"\xff\xfes\0r\0c\0");
    home.ends(2, &["backup", "--files-from", "list"])
        .says(&["UTF-16"]);
    let src = raw(b"src");
    let exclude = |pattern: &[u8]| count(&[src.clone(), raw(b"--exclude"), raw(pattern)]);
    assert_eq!(exclude(b"none"), 4);
    assert_eq!(exclude(b"a\xff1"), 3);
    assert_eq!(exclude(b"a\xff*"), 3);
    assert_eq!(exclude(b"a*"), 2);
    home.write("patterns", b"\xef\xbb\xbfa*\n!a\xfe?\n");
    assert_eq!(count(&[src.clone(), raw(b"--exclude-file"), raw(b"patterns")]), 3);
    let both = [
        src,
        raw(b"-e"),
        raw(b"a\xff1"),
        raw(b"--iexclude"),
        raw(b"!A\xff1"),
    ];
    assert_eq!(count(&both), 4);
}

#[test]
fn a_password_file_with_a_byte_order_mark() {
    let home = Home::new(env!("CARGO_BIN_EXE_dedup-under-test"));
    home.write("plain", "word\n");
    home.write("marked", b"\xef\xbb\xbfword\r\n");
    home.ok(&["-r", "repo", "--password-file", "marked", "init", "--no-recovery"]);
    home.ok(&["-r", "repo", "--password-file", "plain", "snapshots"]);
    home.write("place", format!("\u{feff}{}\n", home.text("repo")));
    home.ok(&[
        "--repository-file",
        "place",
        "--password-file",
        "plain",
        "snapshots",
    ]);
}

#[test]
fn the_home_directory_in_a_place() {
    let home = Home::new(env!("CARGO_BIN_EXE_dedup-under-test"));
    home.write("secret", "word\n");
    let password = ["--password-file", "secret"];
    home.ok(&[&["-r", "~/repo", "init", "--no-recovery"], &password[..]].concat());
    assert!(home.path("repo/config").exists() && !home.path("~").exists());
    let vars = [("DEDUP_REPOSITORY", "~/repo")];
    home.run_with(&vars, &[&["snapshots"], &password[..]].concat())
        .ends(0);
    home.write("place", "~/repo\n");
    home.ok(&[&["--repository-file", "place", "snapshots"], &password[..]].concat());
    home.write(
        ".config/dedup/dedup.toml",
        "[remotes.mine]\nurl = '~/repo'\npassword-file = '~/secret'\n",
    );
    home.ok(&["-r", "mine", "snapshots"]);
    home.ends(
        2,
        &[&["-r", "~somebody/repo", "snapshots"], &password[..]].concat(),
    )
    .says(&["~somebody/repo"]);
}
