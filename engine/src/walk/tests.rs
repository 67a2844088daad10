use super::*;
use crate::entry::{cmp_dirs, join};
use crate::filter::FilterOptions;
use crate::fsmeta::{AsFd, Target, check_name};
use crate::platform::errno::{NOT_A_DIRECTORY, NOT_FOUND};
use proptest::prelude::*;
use std::cmp::Ordering as Order;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};

/// Directory -> its entries; and checks what every walk must keep.
fn gather(walk: &mut Walk) -> BTreeMap<Vec<u8>, Vec<Found>> {
    let mut all: BTreeMap<Vec<u8>, Vec<Found>> = BTreeMap::new();
    let mut dirs: Vec<Vec<u8>> = Vec::new();
    let mut open = false;
    for batch in walk {
        let dir = batch.dir.to_vec();
        if open {
            assert_eq!(dirs.last(), Some(&dir), "batches of a directory are together");
        } else {
            if let Some(before) = dirs.last() {
                assert_eq!(cmp_dirs(before, &dir), Order::Less, "order of directories");
            }
            dirs.push(dir.clone());
        }
        open = !batch.last;
        assert!(batch.entries.len() <= BATCH);
        assert!(batch.handle.is_some() || batch.trouble.is_some());
        all.entry(dir).or_default().extend(batch.entries);
    }
    assert!(!open);
    for (dir, entries) in &all {
        assert!(
            entries.windows(2).all(|w| w[0].name < w[1].name),
            "{}",
            dir.escape_ascii()
        );
        assert!(entries.iter().all(|e| check_name(&e.name).is_ok()));
    }
    all
}

/// In memory where there is such a place: thousands of small files come and go.
fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}

fn plain() -> Filter {
    Filter::build(FilterOptions::default()).unwrap()
}

fn walk_with(sources: &[&Path], options: FilterOptions, threads: usize) -> Walk {
    let sources: Vec<PathBuf> = sources.iter().map(|p| p.to_path_buf()).collect();
    Walk::start(&Sources::of(&sources), Filter::build(options).unwrap(), threads).unwrap()
}

fn rel(path: &Path) -> Vec<u8> {
    path.as_os_str().as_bytes().strip_prefix(b"/").unwrap().to_vec()
}

/// The part of a walk at and below `base`, by paths relative to it.
fn below(all: &BTreeMap<Vec<u8>, Vec<Found>>, base: &Path) -> BTreeMap<Vec<u8>, Vec<Found>> {
    let base = rel(base);
    let mut out = BTreeMap::new();
    for (dir, entries) in all {
        if *dir == base {
            out.insert(Vec::new(), entries.clone());
        } else if let Some(rest) = dir.strip_prefix(join(&base, b"").as_slice()) {
            out.insert(rest.to_vec(), entries.clone());
        }
    }
    out
}

fn names(all: &BTreeMap<Vec<u8>, Vec<Found>>, dir: &[u8]) -> Option<Vec<String>> {
    let entries = all.get(dir)?;
    Some(
        entries
            .iter()
            .map(|e| e.name.escape_ascii().to_string())
            .collect(),
    )
}

/// What the standard library reports of a tree: path -> (kind letter, size, mode, mtime, inode, links).
type SnapshotInfo = BTreeMap<Vec<u8>, (char, u64, u32, i64, i64, u64, u64)>;

fn naive(dir: &Path, prefix: &[u8], to: &mut SnapshotInfo) {
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let meta = entry.metadata().unwrap();
        let path = join(prefix, entry.file_name().as_bytes());
        let t = meta.file_type();
        let letter = match () {
            _ if t.is_file() => 'f',
            _ if t.is_dir() => 'd',
            _ if t.is_symlink() => 'l',
            _ if t.is_fifo() => 'p',
            _ => '?',
        };
        let size = if t.is_file() { meta.len() } else { 0 };
        let facts = (
            letter,
            size,
            meta.mode() & 0o7777,
            meta.mtime(),
            meta.mtime_nsec(),
            meta.ino(),
            meta.nlink(),
        );
        to.insert(path.clone(), facts);
        if t.is_dir() {
            naive(&entry.path(), &path, to);
        }
    }
}

fn facts(all: &BTreeMap<Vec<u8>, Vec<Found>>) -> SnapshotInfo {
    let mut to = SnapshotInfo::new();
    for (dir, entries) in all {
        for e in entries {
            assert_eq!(e.trouble, None);
            let letter = match e.kind {
                Kind::File => 'f',
                Kind::Dir => 'd',
                Kind::Symlink { .. } => 'l',
                Kind::Fifo => 'p',
                Kind::CharDevice { .. } | Kind::BlockDevice { .. } | Kind::Socket => '?',
            };
            let m = &e.meta;
            let nanos = i64::from(m.mtime.nanos);
            let facts = (letter, m.size, m.mode, m.mtime.secs, nanos, m.ino, m.nlink);
            assert!(to.insert(join(dir, &e.name), facts).is_none());
        }
    }
    to
}

fn component() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(b"a".to_vec()),
        Just(b"a-b".to_vec()),
        Just(b"a.c".to_vec()),
        Just(b"a b".to_vec()),
        Just(b"a\n".to_vec()),
        Just(b"\xff\xfe".to_vec()),
        Just(b"\x01".to_vec()),
        Just("\u{e9}".as_bytes().to_vec()),
        "[b-d]{1,2}".prop_map(String::into_bytes),
    ]
}

/// Path components and what to create there.
fn tree() -> impl Strategy<Value = Vec<(Vec<Vec<u8>>, u8)>> {
    let path = prop::collection::vec(component(), 1..6);
    prop::collection::vec((path, 0u8..4), 0..60)
}

fn make(root: &Path, tree: &[(Vec<Vec<u8>>, u8)]) {
    for (path, kind) in tree {
        let mut at = root.to_path_buf();
        let (name, above) = path.split_last().unwrap();
        at.extend(above.iter().map(|c| OsStr::from_bytes(c)));
        // A file may be in the way already: then this path is not part of the tree.
        if fs::create_dir_all(&at).is_err() {
            continue;
        }
        let path = at.join(OsStr::from_bytes(name));
        if path.symlink_metadata().is_ok() {
            continue;
        }
        match kind {
            0 => fs::write(&path, name).unwrap(),
            1 => fs::create_dir(&path).unwrap(),
            2 => symlink("..", &path).unwrap(),
            _ => rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RWXU).unwrap(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn same_as_a_naive_walk(tree in tree(), threads in 1usize..5) {
        let dir = scratch();
        make(dir.path(), &tree);
        let mut walk = walk_with(&[dir.path()], FilterOptions::default(), threads);
        let got = below(&gather(&mut walk), dir.path());
        let mut want = SnapshotInfo::new();
        naive(dir.path(), b"", &mut want);
        prop_assert_eq!(facts(&got), want);
        // Each directory was listed, empty ones too.
        let dirs = facts(&got).values().filter(|f| f.0 == 'd').count();
        prop_assert_eq!(got.len(), dirs + 1);
        prop_assert!(walk.missing_sources().is_empty());
    }

    #[test]
    fn sources_inside_each_other_add_nothing(tree in tree(), picks in prop::collection::vec(any::<prop::sample::Index>(), 1..6)) {
        let dir = scratch();
        make(dir.path(), &tree);
        let mut want = SnapshotInfo::new();
        naive(dir.path(), b"", &mut want);
        let all: Vec<Vec<u8>> = want.keys().cloned().collect();
        prop_assume!(!all.is_empty());
        let picked: BTreeSet<&Vec<u8>> = picks.iter().map(|i| i.get(&all)).collect();
        let sources: Vec<PathBuf> = picked.iter().map(|p| dir.path().join(OsStr::from_bytes(p))).collect();
        let mut walk = Walk::start(&Sources::of(&sources), plain(), 2).unwrap();
        let got = facts(&below(&gather(&mut walk), dir.path()));
        want.retain(|path, _| {
            picked.iter().any(|p| {
                let starts = |a: &[u8], b: &[u8]| a == b || a.starts_with(&join(b, b""));
                // In a source, or on the way to one.
                starts(path, p) || starts(p, path)
            })
        });
        prop_assert_eq!(got, want);
    }
}

#[test]
fn order_around_the_slash() {
    let dir = tempfile::tempdir().unwrap();
    for path in ["a/b/c", "a-b/x", "a.c/x", "a/b.d"] {
        fs::create_dir_all(dir.path().join(path)).unwrap();
    }
    let walk = walk_with(&[dir.path()], FilterOptions::default(), 2);
    let base = rel(dir.path());
    let dirs: Vec<String> = walk
        .filter_map(|b| b.dir.strip_prefix(base.as_slice()).map(<[u8]>::to_vec))
        .map(|d| String::from_utf8(d).unwrap())
        .collect();
    let want = [
        "", "/a", "/a/b", "/a/b/c", "/a/b.d", "/a-b", "/a-b/x", "/a.c", "/a.c/x",
    ];
    assert_eq!(dirs, want);
}

#[test]
fn ancestors_hold_only_what_leads_to_sources() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    fs::create_dir_all(root.join("real/in/deep")).unwrap();
    fs::write(root.join("real/in/deep/f"), "x").unwrap();
    fs::write(root.join("real/other"), "x").unwrap();
    symlink("real", root.join("link")).unwrap();
    symlink("real", root.join("source-link")).unwrap();
    let sources = [
        root.join("link/in"),
        root.join("source-link"),
        root.join("real/../real/other"),
    ];
    let mut walk = Walk::start(&Sources::of(&sources), plain(), 2).unwrap();
    let got = below(&gather(&mut walk), root);
    assert_eq!(names(&got, b"").unwrap(), ["link", "real", "source-link"]);
    assert_eq!(got[&b""[..]][0].kind, Kind::Dir);
    assert_eq!(
        got[&b""[..]][0].meta.ino,
        fs::metadata(root.join("real")).unwrap().ino()
    );
    assert!(matches!(got[&b""[..]][2].kind, Kind::Symlink { .. }));
    assert_eq!(names(&got, b"link").unwrap(), ["in"]);
    assert_eq!(names(&got, b"link/in/deep").unwrap(), ["f"]);
    assert_eq!(names(&got, b"real").unwrap(), ["other"]);
    assert_eq!(names(&got, b"source-link"), None);
}

#[test]
fn a_source_behind_a_link_in_another_source_is_reached() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    fs::create_dir_all(root.join("out/data")).unwrap();
    fs::write(root.join("out/data/f"), "x").unwrap();
    fs::create_dir_all(root.join("in/d")).unwrap();
    symlink("../out", root.join("in/link")).unwrap();
    let sources = [root.join("in"), root.join("in/link/data")];
    let mut walk = Walk::start(&Sources::of(&sources), plain(), 2).unwrap();
    let got = below(&gather(&mut walk), root);
    assert_eq!(names(&got, b"in").unwrap(), ["d", "link"]);
    assert_eq!(names(&got, b"in/link").unwrap(), ["data"]);
    assert_eq!(names(&got, b"in/link/data").unwrap(), ["f"]);
    assert!(walk.missing_sources().is_empty());
}

#[test]
fn missing_sources_are_told() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("f"), "x").unwrap();
    let sources = [
        dir.path().join("no"),
        dir.path().join("f/x"),
        dir.path().join("f"),
    ];
    let mut walk = Walk::start(&Sources::of(&sources), plain(), 2).unwrap();
    let missing = walk.missing_sources();
    assert_eq!(
        missing,
        [
            (sources[0].clone(), NOT_FOUND),
            (sources[1].clone(), NOT_A_DIRECTORY)
        ]
    );
    let got = below(&gather(&mut walk), dir.path());
    assert_eq!(names(&got, b"").unwrap(), ["f"]);
    assert!(matches!(
        Walk::start(&Sources::of(&["relative".into()]), plain(), 1),
        Err(Error::Usage(_))
    ));
}

#[test]
fn a_source_that_vanishes_after_the_start_is_told() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("a/b")).unwrap();
    let source = dir.path().join("a/b");
    let mut walk = Walk::start(&Sources::of(std::slice::from_ref(&source)), plain(), 1).unwrap();
    fs::remove_dir_all(dir.path().join("a")).unwrap();
    gather(&mut walk);
    assert_eq!(walk.missing_sources(), [(source, NOT_FOUND)]);
}

#[test]
fn a_directory_that_cannot_be_opened_is_trouble() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["a", "b", "c"] {
        fs::create_dir(dir.path().join(name)).unwrap();
    }
    // Alone, the walk opens a directory only when its turn comes.
    let walk = walk_with(&[dir.path()], FilterOptions::default(), 1);
    let gone = rel(&dir.path().join("b"));
    let mut seen = Vec::new();
    for batch in walk {
        if *batch.dir == *rel(dir.path()) {
            assert_eq!(batch.entries.len(), 3);
            fs::remove_dir(dir.path().join("b")).unwrap();
        }
        if batch.dir.starts_with(&rel(dir.path())) {
            seen.push((batch.dir.to_vec(), batch.trouble, batch.handle.is_some()));
        }
    }
    assert_eq!(seen.len(), 4);
    assert_eq!(
        seen[2],
        (gone, Some(Trouble::Unreadable { errno: NOT_FOUND }), false)
    );
}

#[test]
fn a_listing_that_breaks_off_is_trouble() {
    let dir = tempfile::tempdir().unwrap();
    let lister = Lister {
        filter: plain(),
        left_out: LeftOut::default(),
        read_special: false,
        tells_excluded: false,
        met: Mutex::default(),
        bare: Mutex::default(),
        handles: Arc::new(Handles::new(true, Arc::default())),
        missing: Mutex::default(),
        excluded: Mutex::default(),
        placeholders: Mutex::default(),
        leftovers: AtomicU64::new(0),
    };
    let mut node = Node::new(None, b"", Way::Listed);
    for name in rel(dir.path()).split(|&b| b == b'/') {
        node = Node::new(Some(node), name, Way::Listed);
    }
    // The listing of a directory that is removed while it is open fails.
    let _open = lister.handles.open(&node).unwrap();
    fs::remove_dir(dir.path()).unwrap();
    let visit = Visit {
        node,
        full: true,
        dev: 0,
        own_dev: 0,
        sources: None,
        rules: DirRules::default(),
    };
    let outcome = lister.perform(Work::Dir(visit), &mut Scratch::default());
    assert_eq!(outcome.batches.len(), 1);
    assert_eq!(
        outcome.batches[0].trouble,
        Some(Trouble::Unreadable { errno: NOT_FOUND })
    );
    assert!(outcome.batches[0].last && outcome.batches[0].entries.is_empty());
}

#[test]
fn large_directories_come_in_parts() {
    let dir = scratch();
    for i in 0..20_000 {
        let path = dir.path().join(format!("{i:06}"));
        if i % 3000 == 7 {
            fs::create_dir(&path).unwrap();
            fs::write(path.join("in"), "x").unwrap();
        } else {
            fs::write(&path, "").unwrap();
        }
    }
    let mut want = SnapshotInfo::new();
    naive(dir.path(), b"", &mut want);
    for threads in [1, 2, 5] {
        let mut walk = walk_with(&[dir.path()], FilterOptions::default(), threads);
        let got = below(&gather(&mut walk), dir.path());
        assert_eq!(facts(&got), want);
        assert_eq!(got.len(), 1 + 7);
    }
}

#[test]
fn excluded_directories_are_not_entered() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    fs::create_dir_all(root.join("cache/in")).unwrap();
    fs::create_dir_all(root.join("keep/tagged/sub")).unwrap();
    fs::create_dir_all(root.join("keep/nested/cache")).unwrap();
    fs::write(
        root.join("keep/tagged/CACHEDIR.TAG"),
        "Signature: 8a477f597d28d172789f06886806bc55",
    )
    .unwrap();
    fs::write(root.join("keep/big"), [0; 100]).unwrap();
    fs::write(root.join("keep/small"), [0; 10]).unwrap();
    fs::write(root.join("keep/.gitignore"), "ignored\n").unwrap();
    fs::create_dir_all(root.join("keep/nested/ignored")).unwrap();
    let options = FilterOptions {
        excludes: vec!["cache".into()],
        exclude_caches: true,
        exclude_larger_than: Some(50),
        ignore_files: vec![".gitignore".into()],
        ..FilterOptions::default()
    };
    for threads in [1, 2] {
        let mut walk = walk_with(&[root], options.clone(), threads);
        let got = below(&gather(&mut walk), root);
        assert_eq!(names(&got, b"").unwrap(), ["keep"]);
        assert_eq!(
            names(&got, b"keep").unwrap(),
            [".gitignore", "nested", "small", "tagged"]
        );
        assert_eq!(names(&got, b"keep/tagged").unwrap(), ["CACHEDIR.TAG"]);
        assert!(names(&got, b"keep/nested").unwrap().is_empty());
        assert_eq!(got.len(), 4);
    }
}

#[test]
fn patterns_apply_to_sources_but_not_to_what_is_above_them() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    fs::create_dir_all(root.join("cache/one")).unwrap();
    fs::create_dir_all(root.join("cache/x.tmp")).unwrap();
    let options = FilterOptions {
        excludes: vec!["cache".into(), "*.tmp".into()],
        ..FilterOptions::default()
    };
    let sources = [root.join("cache/one"), root.join("cache/x.tmp")];
    let mut walk = walk_with(&[&sources[0], &sources[1]], options.clone(), 2);
    let got = below(&gather(&mut walk), root);
    assert_eq!(names(&got, b"cache").unwrap(), ["one"]);
    assert_eq!(walk.excluded_sources(), [sources[1].clone()]);

    // Within another source too: `cache` itself shows only as the way to what was named.
    let mut walk = walk_with(&[root, &sources[0]], options, 2);
    let got = below(&gather(&mut walk), root);
    assert_eq!(names(&got, b"cache").unwrap(), ["one"]);
}

#[test]
fn one_file_system_records_mount_points_and_enters_named_ones() {
    let options = FilterOptions {
        excludes: vec![
            "/*".into(),
            "!/proc".into(),
            "/proc/*".into(),
            "!/proc/self".into(),
        ],
        one_file_system: true,
        ..FilterOptions::default()
    };
    let mut walk = walk_with(&[Path::new("/")], options.clone(), 2);
    let got = gather(&mut walk);
    assert_eq!(names(&got, b"").unwrap(), ["proc"]);
    assert_eq!(names(&got, b"proc"), None);
    // The mount point as its own source is entered although `/` is a source.
    let mut walk = walk_with(&[Path::new("/"), Path::new("/proc")], options, 2);
    let got = gather(&mut walk);
    assert_eq!(names(&got, b"proc").unwrap(), ["self"]);
}

#[test]
fn link_loops_are_links() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("a")).unwrap();
    symlink("..", dir.path().join("a/up")).unwrap();
    symlink("self", dir.path().join("a/self")).unwrap();
    let mut walk = walk_with(&[dir.path()], FilterOptions::default(), 2);
    let got = below(&gather(&mut walk), dir.path());
    assert_eq!(names(&got, b"a").unwrap(), ["self", "up"]);
    assert_eq!(got.len(), 2);
}

/// Deeper than any path the system accepts, with something to come back to at every level.
#[test]
fn five_thousand_levels() {
    const LEVELS: usize = 5000;
    let dir = scratch();
    let target = Target::open(dir.path()).unwrap();
    let mut at = target.root().create_dir(b"d-0123456789").unwrap();
    for _ in 1..LEVELS {
        at.create_dir(b"e").unwrap();
        at = at.create_dir(b"d-0123456789").unwrap();
    }
    at.create_file(b"bottom").unwrap();
    drop(at);
    for threads in [1, 3] {
        let base = rel(dir.path());
        let (mut dirs, mut files) = (0, 0);
        for batch in walk_with(&[dir.path()], FilterOptions::default(), threads) {
            assert_eq!(batch.trouble, None);
            dirs += usize::from(batch.last && batch.dir.starts_with(&join(&base, b"")));
            files += batch.entries.iter().filter(|e| e.kind == Kind::File).count();
        }
        assert_eq!((dirs, files), (2 * LEVELS - 1, 1));
    }
    // The standard library would run out of descriptors here.
    let removed = std::process::Command::new("rm")
        .arg("-rf")
        .arg(dir.path())
        .status();
    assert!(removed.unwrap().success());
}

#[test]
fn dropping_a_walk_stops_it() {
    let mut walk = walk_with(&[Path::new("/usr")], FilterOptions::default(), 4);
    let batch = walk.next().unwrap();
    assert!(batch.dir.is_empty());
    let shared = Arc::downgrade(&walk.shared);
    drop(walk);
    assert_eq!(shared.strong_count(), 0, "no helper is left");
}

#[test]
fn handles_open_what_was_found() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("d")).unwrap();
    fs::write(dir.path().join("d/f"), "content").unwrap();
    // Through ancestors, which are open for names only, and through listed directories.
    for source in [dir.path().join("d/f"), dir.path().to_path_buf()] {
        let mut read = Vec::new();
        for mut batch in Walk::start(&Sources::of(&[source]), plain(), 2).unwrap() {
            for found in batch.entries.iter().filter(|f| f.name == b"f") {
                let handle = batch.handle.as_mut().unwrap().open().unwrap();
                let file = crate::fsmeta::open_source(handle.as_fd(), &found.name).unwrap();
                read.push(std::io::read_to_string(file).unwrap());
            }
        }
        assert_eq!(read, ["content"]);
    }
}

#[test]
fn a_walk_that_nobody_reads_yet_goes_on_and_keeps_few_directories_open() {
    let dir = tempfile::tempdir().unwrap();
    let total = 600;
    for number in 0..total {
        let below = dir.path().join(format!("{number:03}"));
        fs::create_dir(&below).unwrap();
        fs::write(below.join("f"), number.to_string()).unwrap();
    }
    let open_files = || fs::read_dir("/proc/self/fd").unwrap().count();
    let before = open_files();
    let walk = Walk::start(&Sources::of(&[dir.path().to_path_buf()]), plain(), 2).unwrap();
    let begun = std::time::Instant::now();
    let ahead = |walk: &Walk| walk.shared.state.lock().queue.is_ahead_by();
    while ahead(&walk) < total && begun.elapsed().as_secs() < 60 {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    assert!(ahead(&walk) >= total, "{}", ahead(&walk));
    // Other tests of this process open files too.
    let open = open_files().saturating_sub(before);
    assert!(open < 400, "{open} open");
    let mut read = 0;
    for mut batch in walk {
        for found in batch.entries.iter().filter(|found| found.name == b"f") {
            let handle = batch.handle.as_mut().unwrap().open().unwrap();
            let file = crate::fsmeta::open_source(handle.as_fd(), &found.name).unwrap();
            let number = format!("{read:03}");
            assert!(batch.dir.ends_with(number.as_bytes()));
            assert_eq!(std::io::read_to_string(file).unwrap(), read.to_string());
            read += 1;
        }
    }
    assert_eq!(read, total);
}
