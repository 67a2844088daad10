//! Files that say in the tree what is left out, extended attributes that do, and what a dry run tells of it.

use kit::program::{Home, Run, number, string};

fn home() -> Home {
    let home = Home::new(env!("CARGO_BIN_EXE_dedup-under-test"));
    home.init();
    home.write("docs/.dedupignore", "*.o\n/build/\n");
    home.write("docs/a.c", "c");
    home.write("docs/a.o", "o");
    home.write("docs/build/x", "x");
    home.write("docs/lib/build/y", "y");
    home.write("docs/lib/.dedupignore", "!keep.o\nsecret\n");
    home.write("docs/lib/keep.o", "k");
    home.write("docs/lib/b.o", "b");
    home.write("docs/lib/secret", "s");
    home.write("docs/lib/.gitignore", "y\n");
    home.write("docs/big.iso", "i");
    home
}

/// Names of the files of the newest snapshot.
fn files(home: &Home) -> Vec<String> {
    let nodes = home.ok(&["ls", "--json"]).objects();
    let files = nodes.iter().filter(|node| node["type"] == "file");
    let mut names: Vec<String> = files.map(|node| string(node, "name")).collect();
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    names
}

#[test]
fn ignore_files_are_obeyed() {
    let home = home();
    home.ok(&["backup", "docs", "--ignore-file", ".dedupignore"]);
    assert_eq!(files(&home), ["a.c", "big.iso", "keep.o", "y"]);
    // What was left out is no change since.
    let changes = home
        .ok(&["diff", "latest", "--ignore-file", ".dedupignore", "--json"])
        .objects();
    assert!(
        changes.iter().all(|row| row["message_type"] != "change"),
        "{changes:?}"
    );
    let both = ["--ignore-file", ".dedupignore", "--ignore-file", ".gitignore"];
    home.ok(&[&["backup", "docs"], &both[..]].concat());
    assert_eq!(files(&home), ["a.c", "big.iso", "keep.o"]);
    home.ok(&["backup", "docs"]);
    assert_eq!(files(&home).len(), 8);
    home.ends(2, &["backup", "docs", "--ignore-file", "a/b"])
        .says(&["a/b"]);
}

#[test]
fn a_dry_run_tells_what_is_excluded_and_why() {
    let home = home();
    let args = [
        "backup",
        "docs",
        "-n",
        "-v",
        "--ignore-file",
        ".dedupignore",
        "--exclude",
        "*.c",
        "--exclude-extension",
        "iso",
    ];
    let run = home.ok(&args);
    let line = |name: &str| {
        let path = home.text(name);
        let found = run.out.lines().find(|line| line.contains(&format!("{path} ")));
        found
            .unwrap_or_else(|| panic!("no {name} in {}", run.out))
            .to_string()
    };
    let ignore = home.text("docs/.dedupignore");
    assert!(
        line("docs/a.o").contains(&format!("({ignore}: *.o)")),
        "{}",
        run.out
    );
    assert!(
        line("docs/build").contains(&format!("({ignore}: /build/)")),
        "{}",
        run.out
    );
    assert!(line("docs/a.c").contains("(exclude *.c)"), "{}", run.out);
    assert!(
        line("docs/big.iso").contains("(exclude-extension iso)"),
        "{}",
        run.out
    );
    assert!(run.out.contains(&home.text("docs/lib/keep.o")), "{}", run.out);
    assert!(
        run.out
            .contains("Excluded by ignore-file .dedupignore: 4 entries"),
        "{}",
        run.out
    );
    let json = home.ok(&[&args[..], &["--json"]].concat());
    let summary = json.summary();
    let rules = summary["excluded"].as_array().unwrap();
    let of = |rule: &str| number(rules.iter().find(|one| one["rule"] == rule).unwrap(), "entries");
    assert_eq!(
        (of("exclude"), of("exclude-extension"), of("ignore-file")),
        (1, 1, 4)
    );
    let told = |run: &Run| {
        run.objects()
            .iter()
            .filter(|one| one["action"] == "excluded")
            .count()
    };
    assert_eq!(told(&json), 6);
    // Nothing more is printed by a backup that is not asked for it.
    let quiet = home.ok(&["backup", "docs", "--exclude", "*.c"]);
    assert!(!quiet.out.contains("Excluded"), "{}", quiet.out);
}

#[test]
fn what_has_an_attribute_is_left_out() {
    let home = home();
    let mark = |path: &str, name: &str, value: &[u8]| {
        let flags = rustix::fs::XattrFlags::empty();
        rustix::fs::setxattr(home.path(path), name, value, flags)
    };
    if mark("docs/a.c", "user.skip", b"1").is_err() {
        // A file system without attributes.
        return;
    }
    mark("docs/a.o", "user.skip", b"10").unwrap();
    mark("docs/lib", "user.other", b"").unwrap();
    home.ok(&["backup", "docs", "--exclude-if-xattr", "user.skip=1"]);
    let found = files(&home);
    assert!(
        !found.contains(&"a.c".into()) && found.contains(&"a.o".into()),
        "{found:?}"
    );
    home.ok(&[
        "backup",
        "docs",
        "--exclude-if-xattr",
        "user.skip",
        "--exclude-if-xattr",
        "user.other",
    ]);
    assert_eq!(files(&home), ["big.iso", "x"]);
    home.ends(2, &["backup", "docs", "--exclude-if-xattr", "=x"])
        .says(&["'=x'", "NAME=VALUE"]);
}

#[test]
fn placeholders_of_cloud_services_are_told() {
    let home = home();
    let only_placeholder = "only its placeholder is saved";
    home.write("docs/report.docx.nextcloud", " ");
    home.write("docs/lib/plan.owncloud", " ");
    // Files of the user's own, by their size.
    home.write("docs/notes.nextcloud", "mine");
    home.write("docs/empty.owncloud", "");
    let run = home.ok(&["backup", "docs"]);
    assert_eq!(run.err.matches(only_placeholder).count(), 2, "{}", run.err);
    assert!(run.err.contains("docs/report.docx.nextcloud"), "{}", run.err);
    // They are in the snapshot: the service's client would take a missing one for a file that was deleted.
    let found = files(&home);
    for name in ["report.docx.nextcloud", "plan.owncloud", "notes.nextcloud"] {
        assert!(found.contains(&name.into()), "{found:?}");
    }
    home.write("docs/marked", " ");
    let flags = rustix::fs::XattrFlags::empty();
    let marked = rustix::fs::setxattr(
        home.path("docs/marked"),
        "user.nextcloud.hydrate_exec",
        b"x",
        flags,
    )
    .is_ok();
    // Ten are named, with what is unchanged since.
    for number in 0..10 {
        home.write(&format!("docs/many/{number}.nextcloud"), " ");
    }
    let run = home.ok(&["backup", "docs", "--json"]);
    let all = 12 + u64::from(marked);
    assert_eq!(number(&run.summary(), "placeholders"), all);
    assert_eq!(run.err.matches(only_placeholder).count(), 10, "{}", run.err);
    let more = format!("{} more files are only in the cloud", all - 10);
    assert!(run.err.contains(&more), "{}", run.err);
    // What is left out is not counted.
    let run = home.ok(&[
        "backup",
        "docs",
        "--exclude",
        "*cloud",
        "--exclude",
        "marked",
        "--json",
    ]);
    assert_eq!(number(&run.summary(), "placeholders"), 0);
}

#[test]
fn sets_have_them_too() {
    let home = home();
    let (repo, key) = (
        home.text(".local/share/dedup/repository"),
        home.text(".config/dedup/default.key"),
    );
    home.write(
        ".config/dedup/dedup.toml",
        format!("[remotes.main]\nurl = '{repo}'\nkey-file = '{key}'\n"),
    );
    let add = [
        "set",
        "add",
        "docs",
        "docs",
        "--ignore-file",
        ".dedupignore",
        "--exclude-if-xattr",
        "user.skip",
    ];
    home.ok(&add);
    let text = std::fs::read_to_string(home.path(".config/dedup/dedup.toml")).unwrap();
    assert!(text.contains("ignore-files = [\".dedupignore\"]"), "{text}");
    assert!(text.contains("exclude-if-xattr = [\"user.skip\"]"), "{text}");
    home.ok(&["run", "docs"]);
    assert_eq!(files(&home), ["a.c", "big.iso", "keep.o", "y"]);
}
