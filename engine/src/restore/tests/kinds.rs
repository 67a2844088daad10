//! What there is comes back as it was, whatever the windows.

use super::kit::{Kit, Recorder, assert_same, facts, file_names, noise, tiny};
use crate::dump;
use crate::entry::Kind;
use crate::error::Error;
use crate::restore::window::Limits;
use crate::restore::{Overwrite, Permissions, run_within};
use rustix::fs::{CWD, FileType, Mode, Timespec, Timestamps, XattrFlags};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File, Permissions as Bits};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, lchown, symlink};
use std::path::Path;

fn set_time(path: &Path, secs: i64, nanos: i64) {
    let time = Timespec {
        tv_sec: secs,
        tv_nsec: nanos as _,
    };
    let times = Timestamps {
        last_access: time,
        last_modification: time,
    };
    rustix::fs::utimensat(CWD, path, &times, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

/// Some of everything.
fn fill(root: &Path) {
    for dir in [
        "a",
        "a/b",
        "a/b/c",
        "a-b",
        "empty",
        "links",
        "z",
        "z/deep/er/and/er",
    ] {
        fs::create_dir_all(root.join(dir)).unwrap();
    }
    for i in 0..40u64 {
        let name = format!("a/{}file{i}", if i % 3 == 0 { "b/" } else { "" });
        fs::write(root.join(name), noise(i, i as usize * 50)).unwrap();
    }
    fs::write(root.join("a/large"), noise(100, 300_000)).unwrap();
    fs::write(root.join("a-b/larger"), noise(101, 700_000)).unwrap();
    fs::write(root.join("z/deep/er/and/er/same"), noise(100, 300_000)).unwrap();
    fs::write(root.join("a/one-chunk"), noise(102, 3000)).unwrap();
    fs::write(root.join("empty-file"), b"").unwrap();
    fs::write(root.join(OsStr::from_bytes(b"a/not\xffutf8\n")), b"x").unwrap();
    let sparse = File::create(root.join("sparse")).unwrap();
    sparse.set_len(10 << 20).unwrap();
    sparse.write_all_at(&noise(7, 5000), 3 << 20).unwrap();
    sparse.write_all_at(&noise(8, 5000), 9 << 20).unwrap();
    File::create(root.join("hole")).unwrap().set_len(1 << 20).unwrap();
    symlink("../nowhere/at all", root.join("links/dangling")).unwrap();
    symlink("/etc", root.join("links/absolute")).unwrap();
    fs::hard_link(root.join("a/large"), root.join("links/hard")).unwrap();
    fs::hard_link(root.join("a/large"), root.join("z/hard")).unwrap();
    fs::hard_link(root.join("a/file1"), root.join("a-b/small")).unwrap();
    fs::hard_link(root.join("links/dangling"), root.join("z/dangling")).unwrap();
    for (name, kind, dev) in [
        ("fifo", FileType::Fifo, 0),
        ("socket", FileType::Socket, 0),
        ("char", FileType::CharacterDevice, rustix::fs::makedev(1, 3)),
        ("block", FileType::BlockDevice, rustix::fs::makedev(7, 99)),
    ] {
        rustix::fs::mknodat(CWD, root.join(name), kind, Mode::from_raw_mode(0o604), dev).unwrap();
    }
    decorate(root);
}

/// Metadata worth keeping; directories last, deepest first, so that nothing moves their times.
fn decorate(root: &Path) {
    for (name, value) in [("user.note", &b"v\0alue"[..]), ("user.empty", b"")] {
        rustix::fs::setxattr(root.join("a/file4"), name, value, XattrFlags::empty()).unwrap();
        rustix::fs::setxattr(root.join("z"), name, value, XattrFlags::empty()).unwrap();
    }
    lchown(root.join("a/file5"), Some(1234), Some(2345)).unwrap();
    lchown(root.join("links/absolute"), Some(1234), Some(2345)).unwrap();
    fs::set_permissions(root.join("a/file5"), Bits::from_mode(0o6751)).unwrap();
    fs::set_permissions(root.join("a/file7"), Bits::from_mode(0o000)).unwrap();
    set_time(&root.join("a/file8"), -5, 999_999_999);
    set_time(&root.join("links/absolute"), 17, 18);
    set_time(&root.join("fifo"), 1_234_567_890, 1);
    for (i, dir) in [
        "z/deep/er/and/er",
        "z/deep",
        "z",
        "links",
        "empty",
        "a/b",
        "a",
        "",
    ]
    .iter()
    .enumerate()
    {
        let path = root.join(dir);
        fs::set_permissions(&path, Bits::from_mode(0o500 + i as u32)).unwrap();
        set_time(&path, 1_500_000_000 + i as i64, i as i64);
    }
}

#[test]
fn everything_comes_back() {
    let mut kit = Kit::new();
    fill(&kit.source());
    let wanted = facts(&kit.source());
    let manifest = kit.backup();
    for (limits, verify, threads) in [
        (Limits::default(), false, 1),
        (Limits::default(), true, 2),
        (tiny(), false, 3),
        (tiny(), true, 2),
    ] {
        let mut options = kit.options();
        // With its whole path, so that the source's own metadata is restored too.
        options.subpath = None;
        options.verify = verify;
        kit = kit.with_threads(threads);
        let summary = kit.restore_well(&manifest, &options, limits);
        assert_same(&facts(&kit.restored()), &wanted);
        let files = wanted.values().filter(|f| f.kind == Kind::File);
        assert_eq!(summary.files_restored, files.clone().count() as u64);
        assert_eq!(summary.total_files, summary.files_restored);
        let bytes: usize = files.map(|f| f.content.len()).sum();
        assert_eq!(summary.total_bytes, bytes as u64);
        for name in ["sparse", "hole"] {
            let blocks = fs::metadata(kit.restored().join(name)).unwrap().blocks();
            assert!(blocks * 512 <= 64 << 10, "{name} takes {blocks} blocks");
        }
        // Over itself: everything is equal and stays.
        let summary = kit.restore_well(&manifest, &options, limits);
        assert_eq!(summary.files_unchanged, summary.total_files);
        assert_eq!(
            (summary.files_restored, summary.bytes_unchanged),
            (0, bytes as u64)
        );
        assert_same(&facts(&kit.restored()), &wanted);
        fs::remove_dir_all(kit.target()).unwrap();
    }
}

/// All first names come before all others, so that hundreds wait for theirs where one is kept in memory.
#[test]
fn more_linked_files_than_memory_holds() {
    let kit = Kit::new();
    for dir in ["a", "b", "c"] {
        fs::create_dir(kit.source().join(dir)).unwrap();
    }
    let names: Vec<String> = (0..300).map(|number| format!("{number:03}")).collect();
    for name in &names {
        let first = kit.source().join("a").join(name);
        fs::write(&first, name).unwrap();
        for dir in ["b", "c"] {
            fs::hard_link(&first, kit.source().join(dir).join(name)).unwrap();
        }
    }
    let manifest = kit.backup();
    let summary = kit.restore_well(&manifest, &kit.options(), tiny());
    assert_eq!(summary.files_restored, 900);
    let mut inodes = BTreeSet::new();
    for name in &names {
        let path = |dir: &str| kit.target().join(dir).join(name);
        let first = fs::metadata(path("a")).unwrap();
        assert_eq!(fs::read_to_string(path("c")).unwrap(), *name);
        for dir in ["b", "c"] {
            assert_eq!(
                fs::metadata(path(dir)).unwrap().ino(),
                first.ino(),
                "{dir}/{name}"
            );
        }
        inodes.insert(first.ino());
    }
    assert_eq!(inodes.len(), names.len());
}

#[test]
fn the_directories_above_a_source_are_as_recorded_if_made() {
    let kit = Kit::new();
    let inner = kit.source().join("x/y");
    fs::create_dir_all(&inner).unwrap();
    fs::write(inner.join("file"), b"1").unwrap();
    fs::set_permissions(kit.source(), Bits::from_mode(0o711)).unwrap();
    set_time(&kit.source(), 5, 6);
    let above = kit.source();
    let manifest = kit.backup();
    let mut options = kit.options();
    options.subpath = None;
    options.paths = vec![inner.as_os_str().as_bytes().to_vec()];
    kit.restore_well(&manifest, &options, Limits::default());
    let made = fs::metadata(kit.restored()).unwrap();
    assert_eq!((made.mode() & 0o7777, made.mtime()), (0o711, 5));
    let top = kit.target().join(above.components().nth(1).unwrap());
    let recorded = fs::metadata(Path::new("/").join(above.components().nth(1).unwrap())).unwrap();
    assert_eq!(fs::metadata(top).unwrap().mode(), recorded.mode());
    // There already: left alone.
    fs::set_permissions(kit.restored(), Bits::from_mode(0o700)).unwrap();
    kit.restore_well(&manifest, &options, Limits::default());
    assert_eq!(fs::metadata(kit.restored()).unwrap().mode() & 0o7777, 0o700);
}

#[test]
fn parts_of_a_generation() {
    let kit = Kit::new();
    fill(&kit.source());
    let manifest = kit.backup();
    let wanted = facts(&kit.source());
    let path = |rest: &str| [&kit.subpath(), rest.as_bytes()].concat();
    let restore = |change: &dyn Fn(&mut super::super::RestoreOptions), limits| {
        let mut options = kit.options();
        change(&mut options);
        let summary = kit.restore_well(&manifest, &options, limits);
        let mut found = facts(&kit.target());
        found.remove(Path::new(""));
        fs::remove_dir_all(kit.target()).unwrap();
        (found, summary)
    };
    for limits in [Limits::default(), tiny()] {
        let (found, _) = restore(&|o| o.subpath = Some(path("/z/deep")), limits);
        let below = |facts: &super::kit::SnapshotInfo, dir: &str| -> super::kit::SnapshotInfo {
            let all = facts.iter();
            all.filter_map(|(path, fact)| {
                let path = path.strip_prefix(dir).ok()?.to_path_buf();
                (!path.as_os_str().is_empty()).then(|| (path, fact.clone()))
            })
            .collect()
        };
        assert_same(&found, &below(&wanted, "z/deep"));
        let (found, _) = restore(&|o| o.subpath = Some(path("/a/large")), limits);
        assert_eq!(found.len(), 1);
        assert_eq!(found[Path::new("large")].content, noise(100, 300_000));
        let chosen = |o: &mut super::super::RestoreOptions| {
            o.paths = vec![path("/z/deep"), path("/a/b"), path("/empty-file"), path("/a/b/c")];
        };
        let (found, summary) = restore(&chosen, limits);
        let names: Vec<_> = found.keys().filter(|p| p.components().count() == 1).collect();
        assert_eq!(names, ["a", "empty-file", "z"].map(Path::new));
        assert_same(&below(&found, "a/b"), &below(&wanted, "a/b"));
        assert_same(&below(&found, "z/deep"), &below(&wanted, "z/deep"));
        assert_eq!(found[Path::new("z")], wanted[Path::new("z")]);
        assert_eq!(summary.total_files, 14 + 1 + 1);
        let patterns = |o: &mut super::super::RestoreOptions| {
            o.include.patterns = vec!["file1*".into(), "z".into()];
            o.exclude.patterns = vec!["file12".into(), "/**/and".into()];
        };
        let (found, _) = restore(&patterns, limits);
        for (path, there) in [
            ("a/file1", true),
            ("a/b/file15", true),
            ("a/b/file12", false),
            ("a/file2", false),
            ("empty", false),
            ("a/b/c", false),
            ("z/hard", true),
            ("z/deep/er", true),
            ("z/deep/er/and", false),
        ] {
            assert_eq!(found.contains_key(Path::new(path)), there, "{path}");
        }
        assert_eq!(found[Path::new("a")].mtime, wanted[Path::new("a")].mtime);
    }
}

#[test]
fn paths_that_are_not_there_are_said_before_anything_is_made() {
    let kit = Kit::new();
    fs::write(kit.source().join("file"), b"1").unwrap();
    let manifest = kit.backup();
    let mut options = kit.options();
    options.paths = vec![[&kit.subpath(), &b"/nothing"[..]].concat()];
    let (result, _) = kit.restore(&manifest, &options);
    assert!(matches!(result, Err(Error::NoSuchPath { path, .. }) if path.ends_with("/nothing")));
    options.paths = vec![b"/elsewhere".to_vec()];
    assert!(matches!(kit.restore(&manifest, &options).0, Err(Error::Usage(_))));
    options.paths.clear();
    options.subpath = Some(b"/nowhere".to_vec());
    assert!(matches!(
        kit.restore(&manifest, &options).0,
        Err(Error::NoSuchPath { .. })
    ));
    options.subpath = None;
    options.include.patterns = vec!["[".to_string()];
    assert!(matches!(kit.restore(&manifest, &options).0, Err(Error::Usage(_))));
    assert!(!kit.target().exists());
}

#[test]
fn a_dry_run_counts_and_writes_nothing() {
    let kit = Kit::new();
    fill(&kit.source());
    let manifest = kit.backup();
    let mut options = kit.options();
    options.dry_run = true;
    let dry = kit.restore_well(&manifest, &options, Limits::default());
    assert!(!kit.target().exists());
    options.dry_run = false;
    let mut wet = kit.restore_well(&manifest, &options, Limits::default());
    wet.seconds_elapsed = dry.seconds_elapsed;
    assert_eq!(dry, wet);
    let before = facts(&kit.target());
    for (overwrite, restored) in [
        (Overwrite::Always, 0),
        (Overwrite::Never, 0),
        (Overwrite::IfChanged, 0),
    ] {
        (options.dry_run, options.overwrite) = (true, overwrite);
        let summary = kit.restore_well(&manifest, &options, Limits::default());
        assert_eq!(summary.files_restored, restored, "{overwrite:?}");
        assert_eq!(summary.files_skipped, wet.total_files - restored);
    }
    assert_same(&facts(&kit.target()), &before);
}

#[test]
fn as_files_of_this_process() {
    let kit = Kit::new();
    fs::create_dir(kit.source().join("dir")).unwrap();
    for (name, mode) in [("plain", 0o4600), ("program", 0o711)] {
        let path = kit.source().join("dir").join(name);
        fs::write(&path, b"1").unwrap();
        lchown(&path, Some(1234), Some(1234)).unwrap();
        fs::set_permissions(&path, Bits::from_mode(mode)).unwrap();
        set_time(&path, 77, 0);
    }
    let manifest = kit.backup();
    let mut options = kit.options();
    options.permissions = Permissions::Current;
    kit.restore_well(&manifest, &options, Limits::default());
    let umask = crate::fsmeta::umask();
    for (name, mode) in [("plain", 0o666), ("program", 0o777), ("", 0o777)] {
        let meta = fs::metadata(kit.target().join("dir").join(name)).unwrap();
        assert_eq!(meta.mode() & 0o7777, mode & !umask, "{name}");
        assert_eq!(meta.uid(), rustix::process::getuid().as_raw());
        assert!(name.is_empty() || meta.mtime() == 77);
    }
}

#[test]
fn progress_ends_with_the_totals() {
    let kit = Kit::new();
    fill(&kit.source());
    let manifest = kit.backup();
    let mut options = kit.options();
    options.subpath = None;
    let (result, recorder) = kit.restore(&manifest, &options);
    let summary = result.unwrap();
    let last = *recorder.last.lock();
    assert_eq!(last.files_total, summary.total_files);
    assert_eq!(last.files_done, last.files_total);
    assert_eq!(last.bytes_total, summary.total_bytes);
    assert!(last.bytes_done <= last.bytes_total && last.bytes_done > 0);
    let json = serde_json::to_value(summary).unwrap();
    assert_eq!(json["files_restored"], summary.files_restored);
}

#[test]
fn dumps_are_the_files() {
    let kit = Kit::new();
    fill(&kit.source());
    let manifest = kit.backup();
    for name in [
        "a/file38",
        "a/large",
        "sparse",
        "hole",
        "empty-file",
        "links/hard",
    ] {
        let mut out = Vec::new();
        let path = [&kit.subpath(), &b"/"[..], name.as_bytes()].concat();
        let len = dump::file(&kit.repo, &manifest, &path, &mut out, &Recorder::default()).unwrap();
        let wanted = fs::read(kit.source().join(name)).unwrap();
        assert!(out == wanted && len == wanted.len() as u64, "{name}");
    }
    let mut out = Vec::new();
    for (name, is_usage) in [("/links/absolute", true), ("/a", true), ("/a/none", false)] {
        let path = [&kit.subpath(), name.as_bytes()].concat();
        let error = dump::file(&kit.repo, &manifest, &path, &mut out, &Recorder::default()).unwrap_err();
        assert_eq!(matches!(error, Error::Usage(_)), is_usage, "{error}");
    }
    assert!(out.is_empty());
}

#[test]
fn many_empty_directories_and_a_deep_one() {
    let kit = Kit::new();
    for i in 0..500 {
        fs::create_dir_all(kit.source().join(format!("d{i}"))).unwrap();
    }
    let deep = kit.source().join("deep/".to_string() + &"x/".repeat(100));
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("file"), b"1").unwrap();
    fs::write(kit.source().join("deep/x/after"), b"2").unwrap();
    fs::set_permissions(kit.source().join("deep/x/x"), Bits::from_mode(0o555)).unwrap();
    let wanted = facts(&kit.source());
    let manifest = kit.backup();
    let mut options = kit.options();
    options.subpath = None;
    for overwrite in [Overwrite::Always, Overwrite::IfNewer, Overwrite::IfChanged] {
        options.overwrite = overwrite;
        kit.restore_well(&manifest, &options, tiny());
        assert_same(&facts(&kit.restored()), &wanted);
    }
    assert_eq!(file_names(&kit.restored()).len(), 501);
}

/// Without root's rights: owners stay, what only root may give is a warning, and modes keep no one out during the
/// restore.
#[test]
fn as_somebody_else() {
    crate::platform::nobody::as_nobody(|| {
        let kit = Kit::new();
        let manifest = kit.craft(|craft| {
            craft.dir("closed").meta.mode = 0o500;
            craft.dir("closed/shut").meta.mode = 0o000;
            craft.file("closed/shut/secret", b"1").meta.mode = 0o000;
            let pieces = [Ok(&noise(1, 5000)[..]), Ok(&noise(2, 5000))];
            craft.pieces("closed/large", &pieces).1.meta.mode = 0o444;
            let program = craft.file("closed/suid", b"2");
            (program.meta.mode, program.meta.uid) = (0o4755, 0);
            let device = Kind::CharDevice { rdev: 0x103 };
            craft.entry("device", device, crate::entry::Content::None, 0);
        });
        for (limits, verify) in [(Limits::default(), false), (tiny(), true)] {
            let mut options = super::super::RestoreOptions::new(kit.target());
            options.verify = verify;
            let recorder = Recorder::default();
            let summary = run_within(&kit.repo, &manifest, &options, &recorder, limits).unwrap();
            assert_eq!(summary.files_restored, 3, "{:?}", recorder.problems.lock());
            assert_eq!(recorder.hurt().into_iter().collect::<Vec<_>>(), ["/device"]);
            assert!(recorder.problems.lock().len() == 2);
            let closed = kit.target().join("closed");
            let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
            assert_eq!(mode(&closed.join("suid")), 0o755);
            assert_eq!((mode(&closed), mode(&closed.join("shut"))), (0o500, 0o000));
            for dir in [closed.join("shut"), closed] {
                fs::set_permissions(dir, Bits::from_mode(0o700)).unwrap();
            }
            fs::remove_dir_all(kit.target()).unwrap();
        }
    });
}
