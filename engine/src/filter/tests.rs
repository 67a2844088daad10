use super::*;
use crate::fsmeta::AsFd;
use crate::fsmeta::open_dir;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

fn build(excludes: &[&str]) -> Filter {
    let excludes = excludes.iter().map(|e| e.to_string()).collect();
    Filter::build(FilterOptions {
        excludes,
        ..FilterOptions::default()
    })
    .unwrap()
}

fn out(filter: &Filter, path: &[u8], is_dir: bool) -> bool {
    filter.leaves_out(&DirRules::default(), path, is_dir, &mut Vec::new())
}

#[test]
fn patterns_match_as_documented() {
    let table: &[(&[&str], &[u8], bool, bool)] = &[
        // Patterns, path, is a directory, left out.
        (&["*.tmp"], b"home/u/x.tmp", false, true),
        (&["*.tmp"], b"home/u/x.tmp.gz", false, false),
        (&["cache"], b"home/u/cache", true, true),
        (&["u/cache"], b"home/u/cache", true, true),
        (&["u/cache"], b"home/v/cache", true, false),
        (&["/u/cache"], b"home/u/cache", true, false),
        (&["/home/*/cache"], b"home/u/cache", true, true),
        (&["/home/*/cache"], b"home/u/v/cache", true, false),
        (&["/home/**/cache"], b"home/u/v/cache", true, true),
        (&["/home/**/cache"], b"home/cache", true, true),
        (&["a/**/b"], b"x/a/b", false, true),
        (&["foo/**"], b"foo", true, false),
        (&["foo/**"], b"foo/bar/x", false, true),
        (&["/foo//./bar"], b"foo/bar", false, true),
        (&["obj/"], b"src/obj", true, true),
        (&["obj/"], b"src/obj", false, false),
        (&["?.o"], b"a.o", false, true),
        (&["?.o"], b"ab.o", false, false),
        (&["[a-c].o"], b"b.o", false, true),
        (&["[!a-c].o"], b"b.o", false, false),
        (&["[^a-c].o"], b"d.o", false, true),
        (&["{a,b}"], b"a", false, false),
        (&["{a,b}"], b"{a,b}", false, true),
        (&["[{]x"], b"{x", false, true),
        (&["[]{]x"], b"{x", false, true),
        (&["\\[x"], b"[x", false, true),
        (&["\\{"], b"{", false, true),
        (&["\\!x"], b"!x", false, true),
        (&["*.tmp", "!keep.tmp"], b"d/keep.tmp", false, false),
        (&["!keep.tmp", "*.tmp"], b"d/keep.tmp", false, true),
        (&["*.tmp", "!k*", "kk.tmp"], b"d/kk.tmp", false, true),
        (&["*", "!*/"], b"d", true, false),
        (&["*", "!*/"], b"d", false, true),
        (&["caf\u{e9}"], "caf\u{e9}".as_bytes(), false, true),
        (&["caf*"], b"caf\xe9\xff", false, true),
        (&["*\u{e9}"], b"caf\xff", false, false),
        (&["*a\nb"], b"x\na\nb", false, true),
    ];
    for (patterns, path, is_dir, want) in table {
        let got = out(&build(patterns), path, *is_dir);
        assert_eq!(got, *want, "{patterns:?} on {}", path.escape_ascii());
    }
}

#[test]
fn bad_patterns_are_refused() {
    for bad in ["", "/", "!", "//", "a/../b", "[a", "x\\"] {
        let options = FilterOptions {
            excludes: vec![bad.into()],
            ..FilterOptions::default()
        };
        assert!(matches!(Filter::build(options), Err(Error::Usage(_))), "{bad}");
    }
}

#[test]
fn other_rules_by_name() {
    let filter = Filter::build(FilterOptions {
        iexcludes: vec!["*.BAK".into()],
        exclude_extensions: vec![".iso".into(), "tar.gz".into(), "".into()],
        hidden: false,
        ..FilterOptions::default()
    })
    .unwrap();
    for (path, is_dir, want) in [
        ("a/x.bak", false, true),
        ("a/x.iso", false, true),
        ("a/x.ISO", false, true),
        ("a/x.iso", true, false),
        ("a/iso", false, false),
        ("a/x.tar.gz", false, true),
        ("a/x.gz", false, false),
        ("a/x.", false, false),
        ("a/.profile", false, true),
        ("a/.git", true, true),
        ("a/x", false, false),
    ] {
        assert_eq!(out(&filter, path.as_bytes(), is_dir), want, "{path}");
    }
    assert!(!filter.leaves_out_source(b"home/.config", true));
}

#[test]
fn exclude_files_follow_the_options() {
    let dir = tempfile::tempdir().unwrap();
    let list = dir.path().join("list");
    std::fs::write(&list, "\u{feff}# *.c\n\n  *.o  \r\n!main.o\n\\#x\n").unwrap();
    let options = FilterOptions {
        excludes: vec!["main.o".into()],
        exclude_files: vec![list.clone()],
        ..FilterOptions::default()
    };
    let filter = Filter::build(options.clone()).unwrap();
    assert!(out(&filter, b"a.o", false));
    assert!(!out(&filter, b"main.o", false), "the file comes last");
    assert!(!out(&filter, b"a.c", false));
    assert!(out(&filter, b"#x", false));

    std::fs::write(&list, b"a\xff*\n!a\xff?\n").unwrap();
    let filter = Filter::build(options.clone()).unwrap();
    for (path, want) in [
        (&b"d/a\xff"[..], true),
        (b"d/a\xffbc", true),
        (b"d/a\xffb", false),
        (b"d/a\xfe", false),
        (b"d/a", false),
        ("d/a\u{ff}".as_bytes(), false),
        (b"main.o", true),
    ] {
        assert_eq!(out(&filter, path, false), want, "{}", path.escape_ascii());
    }
    std::fs::remove_file(&list).unwrap();
    assert!(matches!(Filter::build(options), Err(Error::Io { .. })));
}

#[test]
fn default_keeps_all() {
    let filter = Filter::build(FilterOptions::default()).unwrap();
    assert!(filter.keeps_all_names());
    assert!(!out(&filter, b".hidden", false));
    assert!(!build(&["x"]).keeps_all_names());
}

/// Names in `dir`, and the rules there.
fn enter(filter: &Filter, dir: &Path, above: &DirRules, files: &[&str]) -> DirRules {
    let mut names = Names::default();
    for file in files {
        names.push(file.as_bytes(), crate::fsmeta::Hint::Other);
    }
    names.sort();
    let cwd = crate::fsmeta::open_root().unwrap();
    let path = dir.as_os_str().as_bytes().strip_prefix(b"/").unwrap();
    let fd = open_dir(cwd.as_fd(), path).unwrap();
    filter.enter(above, fd.as_fd(), path, &names)
}

#[test]
fn tags_need_their_header() {
    let dir = tempfile::tempdir().unwrap();
    let filter = Filter::build(FilterOptions {
        exclude_caches: true,
        exclude_if_present: vec![".nobackup".into(), "MARK:x:1".into()],
        ..FilterOptions::default()
    })
    .unwrap();
    let write = |name: &str, text: &[u8]| std::fs::write(dir.path().join(name), text).unwrap();
    let rules = |name| enter(&filter, dir.path(), &DirRules::default(), &["a", name]);
    let only = |rules: &DirRules, name: &str| {
        filter.leaves_out(rules, b"d/a", false, &mut Vec::new())
            && !filter.leaves_out(rules, format!("d/{name}").as_bytes(), false, &mut Vec::new())
    };

    write("CACHEDIR.TAG", b"Signature: 8a477f597d28d172789f06886806bc5");
    assert!(rules("CACHEDIR.TAG").is_empty());
    write(
        "CACHEDIR.TAG",
        b"Signature: 8a477f597d28d172789f06886806bc55\n# x",
    );
    assert!(only(&rules("CACHEDIR.TAG"), "CACHEDIR.TAG"));
    assert!(rules("CACHEDIR.TAG").inherited().is_empty());
    write("MARK", b"x:2");
    assert!(rules("MARK").is_empty());
    write("MARK", b"x:1");
    assert!(only(&rules("MARK"), "MARK"));
    write(".nobackup", b"");
    assert!(only(&rules(".nobackup"), ".nobackup"));

    // A link is not a tag: it could point at any file that begins so.
    std::fs::remove_file(dir.path().join("MARK")).unwrap();
    write("elsewhere", b"x:1");
    std::os::unix::fs::symlink("elsewhere", dir.path().join("MARK")).unwrap();
    assert!(rules("MARK").is_empty());
}

#[test]
fn ignore_files_nest() {
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("in");
    std::fs::create_dir(&inner).unwrap();
    let filter = Filter::build(FilterOptions {
        ignore_files: vec![".gitignore".into(), ".dedupignore".into()],
        ..FilterOptions::default()
    })
    .unwrap();
    std::fs::write(
        dir.path().join(".gitignore"),
        b"*.o\n/build\nlogs/\n\xff\xfe\n[bad\n",
    )
    .unwrap();
    std::fs::write(dir.path().join(".dedupignore"), "!z.o\n").unwrap();
    std::fs::write(inner.join(".gitignore"), "!keep.o\n").unwrap();
    let outer = enter(
        &filter,
        dir.path(),
        &DirRules::default(),
        &[".dedupignore", ".gitignore"],
    );
    let rules = enter(&filter, &inner, &outer.inherited(), &[".gitignore"]);
    let out = |rules: &DirRules, path: &Path, name: &[u8], is_dir| {
        let path = path.join(OsStr::from_bytes(name));
        let path = path.as_os_str().as_bytes().strip_prefix(b"/").unwrap();
        filter.leaves_out(rules, path, is_dir, &mut Vec::new())
    };
    assert!(out(&outer, dir.path(), b"a.o", false));
    assert!(out(&outer, dir.path(), b"a\xff.o", false));
    assert!(!out(&outer, dir.path(), b"z.o", false));
    assert!(out(&outer, dir.path(), b"build", true));
    assert!(out(&outer, dir.path(), b"logs", true));
    assert!(!out(&outer, dir.path(), b"logs", false));
    assert!(out(&rules, &inner, b"a.o", false));
    assert!(!out(&rules, &inner, b"keep.o", false));
    assert!(
        !out(&rules, &inner, b"build", true),
        "anchored in the directory above"
    );
}

#[test]
fn size_limit_is_for_files() {
    let filter = Filter::build(FilterOptions {
        exclude_larger_than: Some(10),
        ..FilterOptions::default()
    })
    .unwrap();
    let mut meta = crate::fsmeta::Blank::default().meta();
    meta.size = 10;
    assert!(!filter.too_large(&Kind::File, &meta));
    meta.size = 11;
    assert!(filter.too_large(&Kind::File, &meta));
    assert!(!filter.too_large(&Kind::Dir, &meta));
}
