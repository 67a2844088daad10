//! Trouble with what is backed up: it never ends a run, never goes unsaid, and never passes for the whole (I-12).

use chunkstore::chunker::Bounds;
use chunkstore::platform::files::identity;
use chunkstore::remote::{Memory, Remote};
use chunkstore::simulation;
use engine::backup::{self, BackupOptions, BackupReport};
use engine::entry::Trouble;
use engine::error::Error;
use engine::monitor::{Monitor, Phase, Problem, ProblemKind, Progress, Quiet};
use jiff::{SignedDuration, Timestamp};
use kit::generation::noise;
use kit::machine::{self, Machine, Noting};
use kit::nobody::as_nobody;
use kit::oracle;
use std::fs;
use std::num::NonZeroUsize;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

struct Bench {
    work: tempfile::TempDir,
    remote: Arc<dyn Remote>,
    machine: Machine,
}

impl Bench {
    fn new() -> Self {
        let remote: Arc<dyn Remote> = Arc::new(Memory::new());
        machine::create(&*remote, Bounds::FINE).unwrap();
        let bench = Bench {
            work: tempfile::tempdir().unwrap(),
            remote,
            machine: Machine::new("alpha"),
        };
        fs::create_dir(bench.source()).unwrap();
        bench
    }

    fn source(&self) -> PathBuf {
        self.work.path().join("source")
    }

    fn backup(&self, monitor: &dyn Monitor) -> engine::Result<BackupReport> {
        let repo = self.machine.open(self.remote.clone())?;
        backup::run(&repo, &self.machine.options(&[&self.source()]), None, monitor)
    }
}

fn open_to(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn problem_of(problems: &[Problem], path: &Path) -> ProblemKind {
    let of_path: Vec<_> = problems
        .iter()
        .filter(|p| p.path == path.as_os_str().as_bytes())
        .collect();
    assert_eq!(of_path.len(), 1, "{}: {problems:?}", path.display());
    of_path[0].what.clone()
}

/// Run as root, which can give its rights up; root itself may read everything.
#[test]
fn what_may_not_be_read_is_told_and_read_once_it_may() {
    assert!(rustix::process::geteuid().is_root(), "this test needs root");
    let bench = Bench::new();
    let (file, dir) = (bench.source().join("file"), bench.source().join("dir"));
    fs::write(&file, b"secret").unwrap();
    fs::write(bench.source().join("open"), b"open").unwrap();
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("inside"), b"hidden").unwrap();
    open_to(&file, 0o000);
    open_to(&dir, 0o000);
    for path in [bench.work.path(), bench.machine.home()] {
        open_to(path, 0o777);
    }
    let told = Noting::default();
    let report = as_nobody(|| bench.backup(&told)).unwrap();
    let problems = told.problems();
    assert_eq!(report.summary.errors, problems.len() as u64);
    let denied = ProblemKind::Source(Trouble::Unreadable { errno: 13 });
    assert_eq!(problem_of(&problems, &file), denied);
    assert_eq!(problem_of(&problems, &dir), denied);
    let repo = bench.machine.open(bench.remote.clone()).unwrap();
    let manifest = repo.manifest(report.snapshot.unwrap()).unwrap();
    assert_eq!(manifest.unreadable_dirs, [dir.as_os_str().as_bytes()]);
    assert_eq!(manifest.summary.errors, 2);
    let held = oracle::generation(&repo, report.snapshot.unwrap(), &bench.source()).unwrap();
    assert!(held.contains_key(&b"open"[..]) && held.contains_key(&b"file"[..]));
    assert!(!held.contains_key(&b"dir/inside"[..]));
    drop(repo);
    // Nothing about the file changes but its reader.
    let again = bench.backup(&Quiet).unwrap();
    assert_eq!(again.summary.errors, 0);
    let repo = bench.machine.open(bench.remote.clone()).unwrap();
    let held = oracle::generation(&repo, again.snapshot.unwrap(), &bench.source()).unwrap();
    oracle::assert_same(&oracle::walk(&bench.source()), &held, "with all rights");
}

/// Files of the kernel that report 4096 bytes and fail when they are read.
#[test]
fn a_file_that_fails_while_it_is_read() {
    let source = Path::new("/sys/class/net/lo");
    let failing: Vec<PathBuf> = ["speed", "phys_port_id", "duplex"]
        .iter()
        .map(|name| source.join(name))
        .filter(|path| fs::metadata(path).is_ok() && fs::read(path).is_err())
        .collect();
    let Some(path) = failing.first() else {
        eprintln!("nothing here fails when it is read");
        return;
    };
    let bench = Bench::new();
    let repo = bench.machine.open(bench.remote.clone()).unwrap();
    let told = Noting::default();
    let path = fs::canonicalize(path).unwrap();
    let report = backup::run(&repo, &bench.machine.options(&[&path]), None, &told).unwrap();
    let errno = fs::read(&path).unwrap_err().raw_os_error().unwrap();
    let expected = ProblemKind::Source(Trouble::Unreadable { errno });
    assert_eq!(problem_of(&told.problems(), &path), expected);
    assert_eq!(report.summary.errors, 1);
    // The entry is there, without content.
    let held = oracle::generation(&repo, report.snapshot.unwrap(), &path).unwrap();
    assert_eq!(held[&b""[..]].size, 0);
}

#[test]
fn a_file_that_never_rests_is_flagged() {
    let bench = Bench::new();
    let (small, large) = (bench.source().join("small"), bench.source().join("large"));
    fs::write(&small, vec![1; 10_000]).unwrap();
    fs::write(&large, vec![1; 3_000_000]).unwrap();
    let told = Noting::default();
    for path in [&small, &large] {
        simulation::set_restless(identity(&fs::File::open(path).unwrap()).unwrap(), true);
    }
    let report = bench.backup(&told).unwrap();
    let changed = ProblemKind::Source(Trouble::Changed);
    for path in [&small, &large] {
        assert_eq!(problem_of(&told.problems(), path), changed);
        simulation::set_restless(identity(&fs::File::open(path).unwrap()).unwrap(), false);
    }
    assert_eq!(report.summary.errors, 2);
    // Some state of it is held, and the next backup, at rest, holds the real one.
    let repo = bench.machine.open(bench.remote.clone()).unwrap();
    oracle::read_all(&repo, report.snapshot.unwrap()).unwrap();
    drop(repo);
    let rested = bench.backup(&Quiet).unwrap();
    assert_eq!(rested.summary.errors, 0);
    let repo = bench.machine.open(bench.remote.clone()).unwrap();
    let held = oracle::generation(&repo, rested.snapshot.unwrap(), &bench.source()).unwrap();
    oracle::assert_same(&oracle::walk(&bench.source()), &held, "at rest");
}

/// Does something to the source when the backup comes to the path `at`.
struct Meddler<'a> {
    at: Vec<u8>,
    act: &'a (dyn Fn() + Sync),
    done: AtomicBool,
    noting: Noting,
}

impl Monitor for Meddler<'_> {
    fn phase(&self, _: Phase) {}
    fn progress(&self, _: &Progress) {}
    fn current(&self, path: &[u8]) {
        if path.ends_with(&self.at) && !self.done.swap(true, Ordering::Relaxed) {
            (self.act)();
        }
    }
    fn problem(&self, problem: &Problem) {
        self.noting.problem(problem);
    }
}

fn meddle(bench: &Bench, at: &str, act: &(dyn Fn() + Sync)) -> (BackupReport, Vec<Problem>) {
    let meddler = Meddler {
        at: at.as_bytes().to_vec(),
        act,
        done: AtomicBool::new(false),
        noting: Noting::default(),
    };
    let mut repo = bench.machine.open(bench.remote.clone()).unwrap();
    let source = bench.source();
    // Two workers could read the victim before the file at which it happens.
    repo.run_mut().threads = NonZeroUsize::new(1);
    let options = bench.machine.options(&[source.as_path()]);
    let report = engine::backup::run(&repo, &options, None, &meddler).unwrap();
    assert!(meddler.done.load(Ordering::Relaxed));
    let repo = bench.machine.open(bench.remote.clone()).unwrap();
    oracle::read_all(&repo, report.snapshot.unwrap()).unwrap();
    (report, meddler.noting.problems())
}

#[test]
fn what_vanishes_or_turns_into_something_else_is_told() {
    for size in [100, 100_000] {
        let bench = Bench::new();
        let path = bench.source().join("victim");
        // Files are opened some way ahead of their reading, so it happens well before the victim's turn.
        let before = |number: usize| bench.source().join(format!("before-{number:02}"));
        let fresh = || {
            (0..40).for_each(|number| fs::write(before(number), "before").unwrap());
            let _gone = fs::remove_file(&path);
            let _gone = fs::remove_dir(&path);
            fs::write(&path, vec![3; size]).unwrap();
        };
        fresh();
        let (report, problems) = meddle(&bench, "before-00", &|| fs::remove_file(&path).unwrap());
        assert_eq!(report.summary.errors, 1, "{size}");
        assert_eq!(
            problem_of(&problems, &path),
            ProblemKind::Source(Trouble::Unreadable { errno: 2 })
        );
        // A pipe without a writer must not be waited for.
        fresh();
        let (report, problems) = meddle(&bench, "before-00", &|| {
            fs::remove_file(&path).unwrap();
            rustix::fs::mknodat(
                rustix::fs::CWD,
                &path,
                rustix::fs::FileType::Fifo,
                rustix::fs::Mode::from_raw_mode(0o600),
                0,
            )
            .unwrap();
        });
        assert_eq!(report.summary.errors, 1, "{size}");
        assert!(matches!(
            problem_of(&problems, &path),
            ProblemKind::Source(Trouble::Unreadable { .. })
        ));
        fresh();
        let (report, problems) = meddle(&bench, "before-00", &|| {
            fs::remove_file(&path).unwrap();
            std::os::unix::fs::symlink("/etc/hostname", &path).unwrap();
        });
        assert_eq!(report.summary.errors, 1, "{size}");
        assert!(matches!(
            problem_of(&problems, &path),
            ProblemKind::Source(Trouble::Unreadable { .. })
        ));
    }
}

#[test]
fn files_that_grow_or_shrink_are_held_as_they_end_up() {
    for (size, then) in [
        (100_u64, 5_000_u64),
        (100, 200_000),
        (200_000, 100),
        (200_000, 900_000),
        (50, 0),
    ] {
        let bench = Bench::new();
        let path = bench.source().join("victim");
        fs::write(&path, vec![7; size as usize]).unwrap();
        let (report, problems) = meddle(&bench, "victim", &|| {
            fs::write(&path, vec![9; then as usize]).unwrap();
        });
        assert_eq!((report.summary.errors, problems), (0, vec![]), "{size} {then}");
        let repo = bench.machine.open(bench.remote.clone()).unwrap();
        let held = oracle::generation(&repo, report.snapshot.unwrap(), &path).unwrap();
        oracle::assert_same(&oracle::walk(&path), &held, &format!("{size} to {then}"));
    }
}

#[test]
fn a_source_that_is_not_there() {
    let bench = Bench::new();
    fs::write(bench.source().join("file"), b"x").unwrap();
    let (there, missing) = (bench.source(), bench.work.path().join("missing"));
    let repo = bench.machine.open(bench.remote.clone()).unwrap();
    let told = Noting::default();
    let report = backup::run(&repo, &bench.machine.options(&[&there, &missing]), None, &told).unwrap();
    assert_eq!(report.summary.errors, 1);
    assert_eq!(
        problem_of(&told.problems(), &missing),
        ProblemKind::SourceMissing { errno: 2 }
    );
    let before = repo.snapshots().unwrap().0.len();
    let result = backup::run(&repo, &bench.machine.options(&[&missing]), None, &Quiet);
    assert!(matches!(result, Err(Error::NoSource(_))), "{result:?}");
    assert_eq!(
        repo.snapshots().unwrap().0.len(),
        before,
        "a failed backup made a generation"
    );
}

/// Everything is excluded: an error, and no generation that claims so.
#[test]
fn a_source_that_is_left_out_altogether() {
    let bench = Bench::new();
    fs::write(bench.source().join("file"), b"x").unwrap();
    let repo = bench.machine.open(bench.remote.clone()).unwrap();
    let mut options = bench.machine.options(&[&bench.source()]);
    options.filter.excludes = vec!["/**".to_string()];
    let result = backup::run(&repo, &options, None, &Quiet);
    assert!(matches!(result, Err(Error::NoSource(_))), "{result:?}");
    assert_eq!(
        repo.snapshots().unwrap().0.len(),
        0,
        "a failed backup made a generation"
    );
}

/// The same content lies in two bundles. A file that is read again, because it is too young to be told from its times, and
/// is as it was, stays in its bundle: nothing changed.
#[test]
fn a_young_file_stays_where_it_is() {
    let bench = Bench::new();
    let backup = |now, parent: Option<&BackupReport>| {
        let repo = bench.machine.open_at(bench.remote.clone(), now).unwrap();
        let options = BackupOptions {
            parent: parent.map(|parent| parent.snapshot.unwrap()),
            skip_if_unchanged: true,
            ..bench.machine.options(&[&bench.source()])
        };
        backup::run(&repo, &options, None, &Quiet).unwrap()
    };
    for (name, seed) in [("a", 1), ("other", 2)] {
        fs::write(bench.source().join(name), noise(seed, 3000)).unwrap();
    }
    let first = backup(machine::settled_now(), None);
    // Where content is stored is noted in the cache: now it is stored once more.
    bench.machine.lose_cache();
    fs::write(bench.source().join("b"), noise(1, 3000)).unwrap();
    let second = backup(machine::settled_now(), Some(&first));
    assert_eq!(
        (second.summary.files_unmodified, second.summary.data_blobs),
        (2, 1)
    );
    // By this clock every file is too young.
    let long_ago = Timestamp::now() - SignedDuration::from_hours(1);
    let third = backup(long_ago, Some(&second));
    assert!(third.unchanged && third.snapshot.is_none(), "{:?}", third.summary);
}
