//! What a source was the night before, and is no more: an empty directory where a disk should be mounted must not pass
//! for a backup of the disk, tonight or any later night (I-12).

mod mounts;

use chunkstore::chunker::Bounds;
use chunkstore::remote::{Memory, Remote};
use engine::backup::{self, BackupReport};
use engine::entry::Trouble;
use engine::error::Error;
use engine::list;
use engine::manifest::{Held, Manifest};
use engine::monitor::{Lost, Problem, ProblemKind, Quiet};
use kit::machine::{self, Machine, Noting};
use kit::nobody::as_nobody;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

/// Two sources, of which `disk` is the one that changes.
struct Nights {
    work: tempfile::TempDir,
    remote: Arc<dyn Remote>,
    machine: Machine,
    allow_empty: bool,
    one_file_system: bool,
    skip_if_unchanged: bool,
}

impl Nights {
    fn new() -> Self {
        let remote: Arc<dyn Remote> = Arc::new(Memory::new());
        machine::create(&*remote, Bounds::FINE).unwrap();
        let nights = Nights {
            work: tempfile::tempdir().unwrap(),
            remote,
            machine: Machine::quick("alpha"),
            allow_empty: false,
            one_file_system: false,
            skip_if_unchanged: false,
        };
        for path in [nights.work.path(), nights.machine.home()] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
        }
        fs::create_dir(nights.disk()).unwrap();
        fs::create_dir(nights.other()).unwrap();
        fs::write(nights.other().join("file"), "other").unwrap();
        nights
    }

    fn disk(&self) -> PathBuf {
        self.work.path().join("disk")
    }

    fn other(&self) -> PathBuf {
        self.work.path().join("other")
    }

    fn of(&self, sources: &[&Path]) -> (engine::Result<BackupReport>, Vec<Problem>) {
        let told = Noting::default();
        // Files as young as these are read again, and may go into another bundle.
        let repo = self.machine.open_settled(self.remote.clone()).unwrap();
        let mut options = self.machine.options(sources);
        options.allow_empty = self.allow_empty;
        options.filter.one_file_system = self.one_file_system;
        options.skip_if_unchanged = self.skip_if_unchanged;
        let report = backup::run(&repo, &options, None, &told);
        (report, told.problems())
    }

    /// A night's backup of both sources, with its manifest.
    #[track_caller]
    fn night(&self) -> (Manifest, Vec<Problem>) {
        let (report, problems) = self.of(&[&self.disk(), &self.other()]);
        let id = report.unwrap().snapshot.unwrap();
        let repo = self.machine.open(self.remote.clone()).unwrap();
        (repo.manifest(id).unwrap(), problems)
    }

    /// What a night reports of `disk`.
    #[track_caller]
    fn told(&self) -> Vec<ProblemKind> {
        let (manifest, problems) = self.night();
        assert_eq!(manifest.summary.errors, problems.len() as u64, "{problems:?}");
        of(&problems, &self.disk())
    }
}

fn of(problems: &[Problem], path: &Path) -> Vec<ProblemKind> {
    let here = problems.iter().filter(|p| p.path == path.as_os_str().as_bytes());
    here.map(|p| p.what.clone()).collect()
}

/// Whatever else is mounted on the machine.
fn mounts_below(manifest: &Manifest, path: &Path) -> usize {
    let path = path.as_os_str().as_bytes();
    manifest
        .mounts
        .iter()
        .filter(|mount| mount.path.starts_with(path))
        .count()
}

fn lost(told: &[ProblemKind]) -> Option<Lost> {
    match told {
        [ProblemKind::Lost { how, .. }] => Some(*how),
        _ => None,
    }
}

/// A file system in memory on a directory, as long as this lives.
struct Mounted(PathBuf);

impl Mounted {
    /// `None`, with the reason on standard error, where mounting is not allowed.
    fn on(path: &Path) -> Option<Mounted> {
        Mounted::with(&["-t", "tmpfs", "none"], path)
    }

    fn with(what: &[&str], path: &Path) -> Option<Mounted> {
        let run = Command::new("mount").args(what).arg(path).output();
        match run {
            Ok(run) if run.status.success() => Some(Mounted(path.to_path_buf())),
            other => {
                eprintln!("not tested, since nothing can be mounted here: {other:?}");
                None
            }
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let done = Command::new("umount").arg("-l").arg(&self.0).status();
        assert!(done.is_ok_and(|status| status.success()), "{}", self.0.display());
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Is {
    Present,
    Empty,
    Unmounted,
    OtherDevice,
    File,
    Unreadable,
    Gone,
}

const ALL: [Is; 7] = [
    Is::Present,
    Is::Empty,
    Is::Unmounted,
    Is::OtherDevice,
    Is::File,
    Is::Unreadable,
    Is::Gone,
];

/// A source that is a mounted disk in the first night, and then any of the states, three nights long. What is reported
/// depends on what it is each night, and not on what it was since it was last whole.
#[test]
fn three_nights_of_a_disk_in_every_state() {
    assert!(rustix::process::geteuid().is_root(), "this test needs root");
    let nights = Nights::new();
    let disk = nights.disk();
    let make = |is: Is| -> Option<Option<Mounted>> {
        let _ = fs::remove_file(&disk);
        let _ = fs::create_dir(&disk);
        let mounted = match is {
            Is::Unmounted => return Some(None),
            Is::File => {
                fs::remove_dir(&disk).unwrap();
                fs::write(&disk, "a file").unwrap();
                return Some(None);
            }
            Is::Gone => {
                fs::remove_dir(&disk).unwrap();
                return Some(None);
            }
            Is::Present | Is::Empty | Is::OtherDevice | Is::Unreadable => Mounted::on(&disk)?,
        };
        match is {
            Is::Present => fs::write(disk.join("precious"), "bytes").unwrap(),
            Is::OtherDevice => fs::write(disk.join("moved"), "bytes").unwrap(),
            Is::Unreadable => fs::set_permissions(&disk, fs::Permissions::from_mode(0o000)).unwrap(),
            Is::Empty | Is::Unmounted | Is::File | Is::Gone => {}
        }
        Some(Some(mounted))
    };
    for number in 0..ALL.len() * ALL.len() * ALL.len() {
        let story = [number / 49, number / 7 % 7, number % 7].map(|at| ALL[at]);
        // A third state would show nothing more.
        if story[2] != story[0] && story[2] != story[1] {
            continue;
        }
        let Some(first) = make(Is::Present) else { return };
        assert_eq!(as_nobody(|| nights.told()), [], "{story:?}");
        drop(first);
        for (night, is) in story.into_iter().enumerate() {
            let Some(mounted) = make(is) else { return };
            let (manifest, problems) = as_nobody(|| nights.night());
            let told = of(&problems, &disk);
            let shown = format!("{story:?} night {} {problems:?}", night + 1);
            match is {
                Is::Present | Is::OtherDevice => assert_eq!(told, [], "{shown}"),
                Is::Empty => assert_eq!(lost(&told), Some(Lost::Empty), "{shown}"),
                Is::Unmounted => assert_eq!(lost(&told), Some(Lost::Unmounted), "{shown}"),
                Is::File => assert_eq!(lost(&told), Some(Lost::NotADirectory), "{shown}"),
                Is::Unreadable => assert_eq!(
                    told,
                    [ProblemKind::Source(Trouble::Unreadable { errno: 13 })],
                    "{shown}"
                ),
                Is::Gone => assert_eq!(told, [ProblemKind::SourceMissing { errno: 2 }], "{shown}"),
            }
            let whole = matches!(is, Is::Present | Is::OtherDevice);
            let missing = manifest
                .missing
                .iter()
                .map(|missing| (&missing.path[..], missing.held));
            let want = [(disk.as_os_str().as_bytes(), Held::Mount)];
            assert_eq!(missing.collect::<Vec<_>>(), want[usize::from(whole)..], "{shown}");
            assert_eq!(mounts_below(&manifest, &disk), usize::from(whole), "{shown}");
            drop(mounted);
        }
    }
}

/// The same of a directory on the file system of everything else.
#[test]
fn three_nights_of_a_directory() {
    let nights = Nights::new();
    let disk = nights.disk();
    let fill = || fs::write(disk.join("precious"), "bytes").unwrap();
    fill();
    assert_eq!(nights.told(), []);
    fs::remove_file(disk.join("precious")).unwrap();
    for night in 1..=3 {
        assert_eq!(lost(&nights.told()), Some(Lost::Empty), "night {night}");
    }
    // There again, and gone again.
    fill();
    assert_eq!(nights.told(), []);
    fs::remove_dir_all(&disk).unwrap();
    fs::write(&disk, "a file").unwrap();
    for night in 1..=3 {
        assert_eq!(lost(&nights.told()), Some(Lost::NotADirectory), "night {night}");
    }
    fs::remove_file(&disk).unwrap();
    for night in 1..=3 {
        assert_eq!(
            nights.told(),
            [ProblemKind::SourceMissing { errno: 2 }],
            "night {night}"
        );
    }
    fs::create_dir(&disk).unwrap();
    assert_eq!(lost(&nights.told()), Some(Lost::Empty));
    std::os::unix::fs::symlink("elsewhere", nights.work.path().join("link")).unwrap();
    fs::remove_dir(&disk).unwrap();
    fs::rename(nights.work.path().join("link"), &disk).unwrap();
    let (_, problems) = nights.night();
    let told = of(&problems, &disk);
    assert!(
        told.iter().any(|what| matches!(
            what,
            ProblemKind::Lost {
                how: Lost::NotADirectory,
                ..
            }
        )),
        "{told:?}"
    );
}

/// What was never full may be empty, and what everything was left out of is not empty.
#[test]
fn no_false_alarms() {
    let nights = Nights::new();
    for _ in 0..3 {
        assert_eq!(nights.told(), [], "always empty");
    }
    fs::write(nights.disk().join("a.tmp"), "x").unwrap();
    assert_eq!(nights.told(), []);
    // A directory below a source comes and goes as it likes.
    fs::create_dir(nights.other().join("folder")).unwrap();
    fs::write(nights.other().join("folder/x"), "x").unwrap();
    assert_eq!(nights.night().1, []);
    fs::remove_file(nights.other().join("folder/x")).unwrap();
    assert_eq!(nights.night().1, []);
    let told = Noting::default();
    let repo = nights.machine.open(nights.remote.clone()).unwrap();
    let mut options = nights.machine.options(&[&nights.disk(), &nights.other()]);
    options.filter.excludes = vec!["*.tmp".to_string()];
    backup::run(&repo, &options, None, &told).unwrap();
    assert_eq!(told.problems(), []);
}

#[test]
fn what_is_accepted_is_the_new_truth() {
    let mut nights = Nights::new();
    fs::write(nights.disk().join("precious"), "bytes").unwrap();
    assert_eq!(nights.told(), []);
    fs::remove_file(nights.disk().join("precious")).unwrap();
    assert_eq!(lost(&nights.told()), Some(Lost::Empty));
    nights.skip_if_unchanged = true;
    // Reported also if nothing is saved, and the acceptance is saved though no file changed.
    let (report, problems) = nights.of(&[&nights.disk(), &nights.other()]);
    assert!(report.unwrap().unchanged && lost(&of(&problems, &nights.disk())).is_some());
    nights.allow_empty = true;
    let (report, problems) = nights.of(&[&nights.disk(), &nights.other()]);
    assert!(
        report.unwrap().snapshot.is_some() && problems.is_empty(),
        "{problems:?}"
    );
    nights.allow_empty = false;
    for _ in 0..3 {
        let (report, problems) = nights.of(&[&nights.disk(), &nights.other()]);
        assert!(report.unwrap().unchanged && problems.is_empty(), "{problems:?}");
    }
}

/// The only source: then there is nothing to make a snapshot of.
#[test]
fn alone() {
    let mut nights = Nights::new();
    let disk = nights.disk();
    fs::write(disk.join("precious"), "bytes").unwrap();
    nights.of(&[&disk]).0.unwrap();
    fs::remove_file(disk.join("precious")).unwrap();
    for night in 1..=3 {
        let (report, problems) = nights.of(&[&disk]);
        assert!(
            matches!(report, Err(Error::NoSource(_))),
            "night {night}: {report:?}"
        );
        assert_eq!(lost(&of(&problems, &disk)), Some(Lost::Empty), "night {night}");
    }
    nights.allow_empty = true;
    nights.of(&[&disk]).0.unwrap();
    nights.allow_empty = false;
    let (report, problems) = nights.of(&[&disk]);
    assert!(report.is_ok() && problems.is_empty(), "{problems:?}");
}

/// Another set of sources, a forced reading, and a checkpoint between: the evidence is found all the same.
#[test]
fn the_evidence_does_not_hang_on_the_parent() {
    let nights = Nights::new();
    let (disk, other) = (nights.disk(), nights.other());
    let third = nights.work.path().join("third");
    fs::create_dir(&third).unwrap();
    fs::write(disk.join("precious"), "bytes").unwrap();
    nights.of(&[&disk, &other]).0.unwrap();
    fs::remove_file(disk.join("precious")).unwrap();
    let (report, problems) = nights.of(&[&disk, &other, &third]);
    assert!(
        report.is_ok() && lost(&of(&problems, &disk)).is_some(),
        "{problems:?}"
    );
    let (report, problems) = nights.of(&[&disk, &third]);
    assert!(
        report.is_ok() && lost(&of(&problems, &disk)).is_some(),
        "{problems:?}"
    );
    let repo = nights.machine.open(nights.remote.clone()).unwrap();
    let told = Noting::default();
    let mut options = nights.machine.options(&[&disk, &other]);
    options.force = true;
    backup::run(&repo, &options, None, &told).unwrap();
    assert!(lost(&of(&told.problems(), &disk)).is_some());
}

/// What is not there was not deleted.
#[test]
fn a_comparison_leaves_out_what_could_not_be_looked_at() {
    let nights = Nights::new();
    let disk = nights.disk();
    for name in ["a", "b/c", "b/d"] {
        fs::create_dir_all(disk.join(name).parent().unwrap()).unwrap();
        fs::write(disk.join(name), "x").unwrap();
    }
    fs::write(nights.other().join("deleted"), "x").unwrap();
    let (before, _) = nights.night();
    fs::remove_dir_all(&disk).unwrap();
    fs::remove_file(nights.other().join("deleted")).unwrap();
    let compare = |after: &Manifest| {
        let repo = nights.machine.open(nights.remote.clone()).unwrap();
        let reader = repo.reader(&Quiet);
        let mut removed = Vec::new();
        let summary = list::diff(&reader, &before, after, None, &mut |row| {
            if row.new.is_none() {
                removed.push(row.path.to_vec());
            }
            Ok(())
        })
        .unwrap();
        (summary, removed)
    };
    let deleted = nights.other().join("deleted");
    let deleted = deleted
        .as_os_str()
        .as_bytes()
        .strip_prefix(b"/")
        .unwrap()
        .to_vec();
    let (gone, _) = nights.night();
    let (summary, removed) = compare(&gone);
    assert_eq!(
        (summary.removed.files, summary.missing.files),
        (1, 3),
        "{summary:?}"
    );
    assert_eq!(removed, std::slice::from_ref(&deleted));
    fs::create_dir(&disk).unwrap();
    let (empty, _) = nights.night();
    let (summary, removed) = compare(&empty);
    assert_eq!(
        (summary.removed.files, summary.missing.files),
        (1, 3),
        "{summary:?}"
    );
    assert_eq!(removed, [deleted]);
}

/// A mount point that went with its disk is reported once: such directories are made and removed by the system.
#[test]
fn a_mount_point_that_is_gone_itself() {
    let nights = Nights::new();
    let below = nights.disk().join("below");
    fs::create_dir(&below).unwrap();
    let Some(mounted) = Mounted::on(&below) else {
        return;
    };
    fs::write(below.join("file"), "x").unwrap();
    fs::write(nights.disk().join("file"), "x").unwrap();
    assert_eq!(nights.night().1, []);
    drop(mounted);
    fs::remove_dir(&below).unwrap();
    let (manifest, problems) = nights.night();
    assert!(
        matches!(of(&problems, &below)[..], [ProblemKind::Warning { .. }]),
        "{problems:?}"
    );
    assert_eq!((manifest.summary.errors, manifest.missing.len()), (0, 0));
    assert_eq!(nights.night().1, []);
}
