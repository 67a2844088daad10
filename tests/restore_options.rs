//! `restore`: where to, what to leave out, what to delete, what had been deleted, and metadata of every kind.

use kit::program::{Home, Run};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

const PROGRAM: &str = env!("CARGO_BIN_EXE_dedup-under-test");

fn home() -> Home {
    let home = Home::within(PROGRAM, "/dev/shm");
    home.init();
    home
}

/// Paths below `root`.
fn paths(root: &Path) -> BTreeSet<String> {
    let (mut found, mut dirs) = (BTreeSet::new(), vec![root.to_path_buf()]);
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let below = path.strip_prefix(root).unwrap();
            found.insert(below.to_string_lossy().into_owned());
            if path.is_dir() && !path.is_symlink() {
                dirs.push(path);
            }
        }
    }
    found
}

fn set(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|path| path.to_string()).collect()
}

fn sample(home: &Home) -> String {
    for path in ["a/Keep.txt", "a/drop.TMP", "b/c/deep.txt", "empty/.x"] {
        home.write(&format!("docs/{path}"), path);
    }
    fs::remove_file(home.path("docs/empty/.x")).unwrap();
    home.ok(&["backup", "docs"]);
    format!("latest:{}", home.text("docs"))
}

#[test]
fn patterns_of_every_form() {
    let home = home();
    let docs = sample(&home);
    home.write("list", "# a comment\n*.txt\n");
    home.write("ilist", "*.tmp\n");
    let rows: &[(&[&str], &[&str])] = &[
        (&["--iinclude", "keep*"], &["a", "a/Keep.txt"]),
        (
            &["--include-file", "list"],
            &["a", "a/Keep.txt", "b", "b/c", "b/c/deep.txt"],
        ),
        (&["--iinclude-file", "ilist"], &["a", "a/drop.TMP"]),
        (
            &["--iexclude", "KEEP*", "--exclude", "b"],
            &["a", "a/drop.TMP", "empty"],
        ),
        (
            &["--exclude-file", "list"],
            &["a", "a/drop.TMP", "b", "b/c", "empty"],
        ),
        (
            &["--iexclude-file", "ilist", "-e", "/*/**/docs/b"],
            &["a", "a/Keep.txt", "empty"],
        ),
    ];
    for (number, (options, want)) in rows.iter().enumerate() {
        let target = format!("out{number}");
        home.ok(&[&["restore", &docs, "-t", &target][..], options].concat());
        assert_eq!(paths(&home.path(&target)), set(want), "{options:?}");
    }
    home.ends(3, &["restore", &docs, "-t", "none", "--iinclude", "nosuch"])
        .says(&["nosuch"]);
    home.ends(1, &["restore", &docs, "-t", "none", "--include-file", "missing"])
        .says(&["pattern file missing", "No such file"]);
}

#[test]
fn places_by_name() {
    let home = home();
    let docs = sample(&home);
    fs::write(home.path("docs/a/Keep.txt"), "changed").unwrap();
    fs::remove_dir_all(home.path("docs/b")).unwrap();
    let done = home.ok(&["restore", &docs, "--to", "original"]);
    assert!(done.out.contains(" to / "), "{}", done.out);
    assert_eq!(
        fs::read_to_string(home.path("docs/a/Keep.txt")).unwrap(),
        "a/Keep.txt"
    );
    assert!(home.path("docs/b/c/deep.txt").is_file());
    home.ok(&["restore", &docs, "--to", "desktop"]);
    assert!(home.path("Desktop/a/Keep.txt").is_file());
    home.write(
        ".config/user-dirs.dirs",
        "XDG_DOWNLOAD_DIR=\"$HOME/ダウンロード\"\n",
    );
    home.ok(&["restore", &docs, "--to", "downloads"]);
    assert!(home.path("ダウンロード/a/Keep.txt").is_file());
    home.ok(&["restore", &docs, "--to", "./original"]);
    assert!(home.path("original/a/Keep.txt").is_file());
    home.ends(2, &["restore", &docs]);
}

#[test]
fn what_the_snapshot_lacks_is_deleted() {
    let home = home();
    let docs = sample(&home);
    home.ok(&["restore", &docs, "-t", "out"]);
    let clean = paths(&home.path("out"));
    let litter = |home: &Home| {
        for path in [
            "new",
            "a/x.log",
            "b/c/d/e/f",
            "empty/z",
            "keep.me/k",
            "keep.me/other",
        ] {
            home.write(&format!("out/{path}"), "litter");
        }
        symlink("/etc/passwd", home.path("out/b/link")).unwrap();
    };
    litter(&home);
    let full = paths(&home.path("out"));
    let dry = home.ok(&["restore", &docs, "-t", "out", "--delete", "-n", "-v"]);
    assert_eq!(paths(&home.path("out")), full);
    assert!(dry.out.contains("Would delete 7 files"), "{}", dry.out);
    let told = |run: &Run| (run.out.clone() + &run.err).contains("/docs/b/c/d/e/f");
    assert!(told(&dry), "{}{}", dry.out, dry.err);
    // Without --delete, and with patterns that leave it out, it stays.
    home.ok(&["restore", &docs, "-t", "out"]);
    assert_eq!(paths(&home.path("out")), full);
    let run = home.ok(&["restore", &docs, "-t", "out", "--delete", "-e", "k", "--json"]);
    assert_eq!(run.summary()["files_deleted"], 6);
    let mut kept = clean.clone();
    kept.extend(set(&["keep.me", "keep.me/k"]));
    assert_eq!(paths(&home.path("out")), kept);
    home.ok(&["restore", &docs, "-t", "out", "--delete"]);
    assert_eq!(paths(&home.path("out")), clean);
    assert!(Path::new("/etc/passwd").is_file());
    // With one path, nothing beside it is touched.
    litter(&home);
    home.ok(&["restore", &docs, "-t", "out", "--delete", "docs/b"]);
    let left = paths(&home.path("out"));
    assert!(
        left.contains("a/x.log") && left.contains("new") && !left.contains("b/c/d"),
        "{left:?}"
    );
    // And with include patterns only what they name.
    home.ok(&["restore", &docs, "-t", "out", "--delete", "-i", "docs/a"]);
    let left = paths(&home.path("out"));
    assert!(!left.contains("a/x.log") && left.contains("new"), "{left:?}");
}

/// The home is what is backed up, and the repository is in it.
#[test]
fn the_backup_itself_is_never_deleted() {
    let home = home();
    home.write("a", "a");
    home.ok(&["backup", &home.text("")]);
    home.write("b", "b");
    home.write("sub/c", "c");
    home.ok(&["restore", "--to", "original", "--delete"]);
    assert!(home.path("a").is_file() && !home.path("b").exists() && !home.path("sub").exists());
    home.ok(&["check"]);
    assert_eq!(home.snapshots().len(), 1);
}

/// What a backup could not read, another file system, and what is above the sources stays.
#[test]
fn what_is_not_known_is_not_deleted() {
    let home = home();
    sample(&home);
    home.write("out/mine", "m");
    let above = home
        .path("out")
        .join(home.path("docs").strip_prefix("/").unwrap());
    fs::create_dir_all(above.parent().unwrap()).unwrap();
    fs::write(above.parent().unwrap().join("mine"), "m").unwrap();
    home.ok(&["restore", "-t", "out", "--delete"]);
    assert!(home.path("out/mine").is_file() && above.parent().unwrap().join("mine").is_file());
    assert!(above.join("a/Keep.txt").is_file());
}

#[test]
fn what_had_been_deleted() {
    let home = home();
    let write = |path: &str, text: &str| home.write(&format!("docs/{path}"), text);
    let back_up = |time: &str| home.ok(&["backup", "docs", "--time", time]);
    write("always", "1");
    write("early", "e");
    back_up("2026-01-01 10:00");
    fs::remove_file(home.path("docs/early")).unwrap();
    write("gone", "old");
    write("dir/x", "x");
    back_up("2026-02-01 10:00");
    write("gone", "new");
    back_up("2026-03-01 10:00");
    fs::remove_file(home.path("docs/gone")).unwrap();
    fs::remove_dir_all(home.path("docs/dir")).unwrap();
    write("always", "2");
    back_up("2026-04-01 10:00");
    let docs = format!("latest:{}", home.text("docs"));
    let done = home.ok(&["restore", &docs, "-t", "out", "--deleted-since", "2026-02-15"]);
    let content = |path: &str| fs::read_to_string(home.path("out").join(path)).unwrap();
    assert_eq!(paths(&home.path("out")), set(&["always", "gone", "dir", "dir/x"]));
    assert_eq!((content("gone"), content("always")), ("new".into(), "2".into()));
    assert!(
        done.out
            .contains("2 files had been deleted and came from 1 snapshot"),
        "{}",
        done.out
    );
    home.ok(&["restore", &docs, "-t", "all", "--deleted-since", "2025-12-01"]);
    assert_eq!(
        paths(&home.path("all")),
        set(&["always", "gone", "dir", "dir/x", "early"])
    );
    home.ok(&[
        "restore",
        &docs,
        "-t",
        "one",
        "--deleted-since",
        "2025-12-01",
        "-i",
        "early",
    ]);
    assert_eq!(paths(&home.path("one")), set(&["early"]));
    home.ok(&[
        "restore",
        &docs,
        "-t",
        "dry",
        "--deleted-since",
        "2025-12-01",
        "-n",
    ]);
    assert!(!home.path("dry").exists());
}

fn output(program: &str, args: &[&str], dir: &Path) -> String {
    let output = Command::new(program)
        .args(args)
        .current_dir(dir)
        .output()
        .unwrap();
    assert!(output.status.success(), "{program} {args:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// `lsattr` of all below `dir`, without what the file system sets by itself.
fn flags(dir: &Path) -> BTreeSet<String> {
    let listed = output("lsattr", &["-aR", "."], dir);
    let lines = listed.lines().filter(|line| line.contains(" ./"));
    lines
        .map(|line| {
            let (flags, name) = line.split_once(' ').unwrap();
            let flags: String = flags.chars().filter(|flag| !"-eIN".contains(*flag)).collect();
            format!("{flags} {name}")
        })
        .collect()
}

/// Makes everything deletable again.
struct Unlock(PathBuf);

impl Drop for Unlock {
    fn drop(&mut self) {
        let _done = Command::new("chattr")
            .args(["-R", "-f", "-i", "-a"])
            .arg(&self.0)
            .status();
    }
}

#[test]
fn flags_of_inodes() {
    let home = home();
    let _unlock = Unlock(home.path(""));
    for path in ["immutable", "append", "dir/in", "nodump", "plain", "linked"] {
        home.write(&format!("docs/{path}"), path);
    }
    fs::hard_link(home.path("docs/linked"), home.path("docs/dir/name")).unwrap();
    let docs = home.path("docs");
    for (flag, path) in [
        ("+i", "immutable"),
        ("+a", "append"),
        ("+d", "nodump"),
        ("+ad", "linked"),
    ] {
        output("chattr", &[flag, path], &docs);
    }
    output("chattr", &["+i", "dir"], &docs);
    let want = flags(&docs);
    assert!(
        want.iter()
            .any(|line| line.starts_with("i ") && line.ends_with("/dir")),
        "{want:?}"
    );
    home.ok(&["backup", "docs"]);
    let from = format!("latest:{}", home.text("docs"));
    home.ok(&["restore", &from, "-t", "out"]);
    let out = home.path("out");
    assert_eq!(flags(&out), want);
    assert_eq!(fs::read_to_string(out.join("immutable")).unwrap(), "immutable");
    let inode = |path: &str| fs::metadata(out.join(path)).unwrap().ino();
    assert_eq!(inode("linked"), inode("dir/name"));
    // Again: all is equal, and stays locked.
    let again = home.ok(&["restore", &from, "-t", "out"]);
    assert!(again.out.contains("Restored 0 files"), "{}", again.out);
    assert_eq!(flags(&out), want);
    // As new files of this process they have none.
    home.ok(&["restore", &from, "-t", "new", "--permissions", "current"]);
    assert!(flags(&home.path("new")).iter().all(|line| line.starts_with(' ')));
    let changed = home.ok(&["backup", "docs", "--json"]);
    assert_eq!(changed.summary()["files_changed"], 0);
    output("chattr", &["-i", "immutable"], &docs);
    let changed = home.ok(&["diff", "latest", "--metadata"]);
    assert!(changed.out.contains("/docs/immutable"), "{}", changed.out);
}

/// Compared by rsync, which looks at everything but times of birth.
#[test]
fn everything_comes_back() {
    let home = home();
    let docs = home.path("docs");
    fs::create_dir(&docs).unwrap();
    let odd = docs.join(std::ffi::OsStr::from_bytes(b"not-\xff\xfe-utf8"));
    fs::write(&odd, "odd").unwrap();
    fs::write(docs.join("n".repeat(255)), "long").unwrap();
    fs::write(docs.join("line\nbreak"), "nl").unwrap();
    for (name, secs) in [
        ("ancient", -5_000_000_000i64),
        ("1969", -1),
        ("2262", 9_300_000_000),
        ("far", 15_000_000_000),
    ] {
        fs::write(docs.join(name), name).unwrap();
        output("touch", &["-h", "-d", &format!("@{secs}.123456789"), name], &docs);
    }
    output(
        "sh",
        &[
            "-c",
            "mkfifo fifo; mknod null c 1 3; mknod disk b 7 200; ln -s /nowhere/at/all link; ln fifo fifo2; ln -P link link2",
        ],
        &docs,
    );
    output(
        "sh",
        &[
            "-c",
            "truncate -s 1T sparse; printf x | dd of=sparse bs=1 seek=500G conv=notrunc 2>/dev/null",
        ],
        &docs,
    );
    output(
        "sh",
        &[
            "-c",
            "touch suid; chown 1234:5678 suid; chmod 6755 suid; mkdir sticky; chmod 1777 sticky; mkdir closed; chmod 0 closed",
        ],
        &docs,
    );
    let python = |script: &str| output("python3", &["-c", script], &docs);
    python(
        "import os\n\
         os.setxattr('far', 'user.note', b'a\\0b')\n\
         os.setxattr('far', 'trusted.note', b'secret')\n\
         os.setxattr('suid', 'security.capability', bytes.fromhex('0100000200200000000000000000000000000000'))\n\
         os.setxattr('sticky', 'user.dir', b'd')\n\
         def acl(*rows): return b'\\2\\0\\0\\0' + b''.join(\n\
             t.to_bytes(2, 'little') + p.to_bytes(2, 'little') + i.to_bytes(4, 'little') for t, p, i in rows)\n\
         n = 0xffffffff\n\
         os.setxattr('1969', 'system.posix_acl_access', acl((1, 6, n), (2, 4, 77), (4, 4, n), (16, 4, n), (32, 0, n)))\n\
         os.setxattr('sticky', 'system.posix_acl_default', acl((1, 7, n), (4, 5, n), (8, 5, 88), (16, 5, n), (32, 0, n)))",
    );
    let rsync = |from: &str, to: &str| {
        let options = [
            "-aHAXS",
            "--numeric-ids",
            "--delete",
            "-n",
            "-i",
            "--exclude",
            "sparse",
            "--exclude",
            "deep",
        ];
        output("rsync", &[&options[..], &[from, to]].concat(), &docs)
    };
    home.ok(&["backup", "docs"]);
    home.ok(&["dump", "docs", "--target", "docs.tar"]);
    assert!(fs::metadata(home.path("docs.tar")).unwrap().len() < 4 << 20);
    fs::create_dir(home.path("untarred")).unwrap();
    let options = [
        "--numeric-owner",
        "--xattrs",
        "--xattrs-include=*",
        "--acls",
        "-xpf",
        "docs.tar",
        "-C",
        "untarred",
    ];
    output("tar", &options, &home.path(""));
    let untarred = format!("untarred{}", home.text("docs"));
    assert_eq!(
        rsync(&home.text("docs/"), &home.text(&format!("{untarred}/"))),
        "",
        "tar lost something"
    );
    let sparse = fs::metadata(home.path(&untarred).join("sparse")).unwrap();
    assert_eq!((sparse.len(), sparse.blocks() * 512 < 64 << 20), (1 << 40, true));
    // Deeper than any path can be told to the system.
    python(
        "import os\nos.mkdir('deep'); os.chdir('deep')\nfor _ in range(200):\n    os.mkdir('e' * 50); os.chdir('e' * 50)\n\
         open('bottom', 'w').write('b')",
    );
    home.ok(&["backup", "docs"]);
    home.ok(&["restore", &format!("latest:{}", home.text("docs")), "-t", "out"]);
    let (from, to) = (home.text("docs/"), home.text("out/"));
    // The folder that was named is the user's own, and keeps its time.
    let changes = rsync(&from, &to).replace(".d..t...... ./\n", "");
    assert_eq!(changes, "", "rsync would change something");
    let bottom = output(
        "python3",
        &[
            "-c",
            "import os\nos.chdir('deep')\nfor _ in range(200): os.chdir('e' * 50)\nprint(open('bottom').read())",
        ],
        &home.path("out"),
    );
    assert_eq!(bottom, "b\n");
    let (a, b) = (
        fs::metadata(docs.join("sparse")).unwrap(),
        fs::metadata(home.path("out/sparse")).unwrap(),
    );
    assert_eq!(
        (a.len(), a.mtime(), a.mtime_nsec()),
        (b.len(), b.mtime(), b.mtime_nsec())
    );
    assert!(b.blocks() * 512 < 64 << 20, "{} blocks", b.blocks());
    for name in ["ancient", "1969", "2262", "far"] {
        let (a, b) = (
            fs::metadata(docs.join(name)).unwrap(),
            fs::metadata(home.path("out").join(name)).unwrap(),
        );
        assert_eq!((a.mtime(), a.mtime_nsec()), (b.mtime(), b.mtime_nsec()), "{name}");
    }
}

#[test]
fn a_folder_as_a_zip_file() {
    let home = home();
    home.write("docs/a.txt", "text");
    home.write("docs/b/\u{65e5}\u{672c}.txt", vec![b'z'; 300_000]);
    home.write("docs/empty", "");
    symlink("a.txt", home.path("docs/link")).unwrap();
    output("mkfifo", &["fifo"], &home.path("docs"));
    output("chmod", &["750", "a.txt"], &home.path("docs"));
    home.ok(&["backup", "docs"]);
    let dumped = home.ok(&[
        "dump",
        &format!("latest:{}", home.text("docs")),
        "-a",
        "zip",
        "-t",
        "a.zip",
    ]);
    assert!(dumped.err.contains("fifo"), "{}", dumped.err);
    let script = "import zipfile, sys\n\
        z = zipfile.ZipFile('a.zip')\nassert z.testzip() is None\n\
        for i in z.infolist(): print(i.filename.rsplit('docs/', 1)[1], i.file_size, oct(i.external_attr >> 16))";
    let listed = output("python3", &["-c", script], &home.path(""));
    let want = "a.txt 4 0o100750\nb/ 0 0o40755\nb/\u{65e5}\u{672c}.txt 300000 0o100644\nempty 0 0o100644\nlink 5 0o120777\n";
    assert_eq!(
        listed
            .lines()
            .skip(1)
            .map(|line| format!("{line}\n"))
            .collect::<String>(),
        want
    );
}
