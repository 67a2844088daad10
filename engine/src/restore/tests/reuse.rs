//! What the target has already is not fetched: of a file that is replaced, of one that is changed in place, and of one that
//! a run which ended early has left. Whatever lies there, a restored file is what was saved.

use super::deaths::{everything, leftovers};
use super::kit::{Kit, Recorder, assert_same, facts, file_names, noise, tiny};
use super::stops::{Wrapped, reopened};
use crate::entry::Kind;
use crate::error::Error;
use crate::fsmeta::{Changes, End, How};
use crate::manifest::Manifest;
use crate::monitor::ProblemKind;
use crate::problem::{RestoreProblem, Warning};
use crate::restore::window::Limits;
use crate::restore::{RestoreOptions, Summary, run_within};
use rustix::fs::{CWD, FileType, Mode};
use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

const SIZE: usize = 400_000;

/// Files of this size are those that runs go on with.
pub(super) fn usual() -> Limits {
    Limits {
        resume: 10_000,
        ..Limits::default()
    }
}

pub(super) fn small() -> Limits {
    Limits {
        resume: 10_000,
        ..tiny()
    }
}

/// A file of the source with one stretch of each kind.
fn image(kit: &Kit) -> Manifest {
    let path = kit.source().join("image");
    fs::write(&path, noise(1, SIZE)).unwrap();
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_len(1 << 20).unwrap();
    file.write_all_at(&noise(2, 50_000), 900_000).unwrap();
    kit.backup()
}

/// The file as it was saved, changed in one of several ways.
fn alter(target: &Path, way: &str) {
    let path = target.join("image");
    let file = fs::File::options().read(true).write(true).open(&path).unwrap();
    match way {
        "a few bytes" => file.write_all_at(b"changed", 200_000).unwrap(),
        "at the end" => file.write_all_at(b"changed", (1 << 20) - 7).unwrap(),
        "data in the hole" => file.write_all_at(&noise(3, 100_000), 600_000).unwrap(),
        "a hole in the data" => {
            crate::fsmeta::clear(&file, 100_000, 100_000).unwrap();
        }
        "shorter" => file.set_len(300_000).unwrap(),
        "longer" => file.write_all_at(&noise(4, 100_000), 1 << 20).unwrap(),
        "other" => fs::write(&path, noise(5, 1 << 20)).unwrap(),
        way => panic!("{way}"),
    }
}

const WAYS: [&str; 7] = [
    "a few bytes",
    "at the end",
    "data in the hole",
    "a hole in the data",
    "shorter",
    "longer",
    "other",
];

fn inode(path: &Path) -> u64 {
    fs::metadata(path).unwrap().ino()
}

fn blocks(path: &Path) -> u64 {
    fs::metadata(path).unwrap().blocks()
}

fn restore(kit: &Kit, manifest: &Manifest, options: &RestoreOptions) -> Summary {
    let summary = kit.restore_well(manifest, options, usual());
    assert_same(&everything(&kit.target()), &everything(&kit.source()));
    assert_eq!(leftovers(&kit.target()), 0);
    summary
}

#[test]
fn every_change_is_undone_by_every_way_to_write() {
    let kit = Kit::new();
    let manifest = image(&kit);
    for way in WAYS {
        for (in_place, clones) in [(false, false), (false, true), (true, false)] {
            for (limits, verify) in [(usual(), false), (small(), false), (small(), true)] {
                let what = format!("{way}, in place: {in_place}, clones: {clones}, verify: {verify}");
                let _before = fs::remove_dir_all(kit.target());
                kit.restore_well(&manifest, &kit.options(), usual());
                alter(&kit.target(), way);
                let path = kit.target().join("image");
                let (before, had) = (inode(&path), fs::read(&path).unwrap());
                let mut options = kit.options();
                (options.in_place, options.verify, options.changes.clones) = (in_place, verify, clones);
                let summary = kit.restore_well(&manifest, &options, limits);
                assert_same(&everything(&kit.target()), &everything(&kit.source()));
                assert_eq!(leftovers(&kit.target()), 0, "{what}");
                assert_eq!(summary.files_restored, 1, "{what}");
                let is_other = had.get(..1000) != Some(&noise(1, SIZE)[..1000]);
                let least = if is_other { 0 } else { SIZE as u64 / 2 };
                assert!(summary.bytes_reused >= least, "{what}: {}", summary.bytes_reused);
                assert!(!is_other || summary.bytes_reused == 0, "{what}");
                assert_eq!(inode(&path) == before, in_place, "{what}");
                let source = blocks(&kit.source().join("image"));
                assert!(
                    blocks(&path) <= source + 64,
                    "{what}: {} blocks for {source}",
                    blocks(&path)
                );
            }
        }
    }
}

#[test]
fn what_the_target_has_is_not_fetched() {
    let kit = Kit::new();
    let manifest = image(&kit);
    let fetched = |in_place| {
        let remote = Arc::new(Wrapped::new(&kit));
        let repo = reopened(&kit, remote.clone());
        let mut options = kit.options();
        options.in_place = in_place;
        run_within(&repo, &manifest, &options, &Recorder::default(), small()).unwrap();
        remote.pack_reads.load(Relaxed)
    };
    let all = fetched(false);
    for in_place in [false, true] {
        alter(&kit.target(), "a few bytes");
        let some = fetched(in_place);
        assert!(some * 4 < all, "{some} reads, {all} for all of it");
    }
    assert_same(&everything(&kit.target()), &everything(&kit.source()));
}

/// It is even had if the repository has lost it.
#[test]
fn the_target_has_what_the_repository_has_lost() {
    let kit = Kit::new();
    let manifest = image(&kit);
    kit.restore_well(&manifest, &kit.options(), usual());
    alter(&kit.target(), "at the end");
    let alike = fs::read(kit.source().join("image")).unwrap();
    let reader = kit.repo.reader(&crate::monitor::Quiet);
    let mut ids = Vec::new();
    let mut cursor = crate::trees::cursor(&reader, &manifest.root().unwrap()).unwrap();
    let path = [&kit.subpath()[1..], b"/image"].concat();
    let entry = cursor.lookup(&path).unwrap().unwrap().entry;
    let mut decoder = chunkstore::frame::Decoder::new().unwrap();
    crate::trees::for_each_extent(&reader, &mut decoder, &entry.content, &mut |extent| {
        if let crate::entry::Extent::Chunk { id, .. } = extent {
            ids.push(id);
        }
        Ok(())
    })
    .unwrap();
    drop(cursor);
    kit.break_chunk(&ids[1]);
    kit.break_chunk(&ids[ids.len() / 2]);
    restore(&kit, &manifest, &kit.options());
    assert!(fs::read(kit.target().join("image")).unwrap() == alike);
}

#[test]
fn only_a_regular_file_with_one_name_is_changed_in_place() {
    let kit = Kit::new();
    let manifest = image(&kit);
    let (target, outside) = (kit.target(), kit.source().with_file_name("outside"));
    fs::write(&outside, noise(7, SIZE)).unwrap();
    let mut options = kit.options();
    options.in_place = true;
    for what in ["link", "hard link", "fifo", "char", "block"] {
        let _before = fs::remove_dir_all(&target);
        fs::create_dir(&target).unwrap();
        let path = target.join("image");
        let node = |kind, dev| rustix::fs::mknodat(CWD, &path, kind, Mode::RUSR, dev).unwrap();
        match what {
            "link" => symlink(&outside, &path).unwrap(),
            "hard link" => fs::hard_link(&outside, &path).unwrap(),
            "fifo" => node(FileType::Fifo, 0),
            "char" => node(FileType::CharacterDevice, rustix::fs::makedev(1, 5)),
            _ => node(FileType::BlockDevice, rustix::fs::makedev(7, 99)),
        }
        let before = fs::symlink_metadata(&path).unwrap().ino();
        restore(&kit, &manifest, &options);
        assert!(inode(&path) != before, "{what}");
        assert!(fs::read(&outside).unwrap() == noise(7, SIZE), "{what}");
    }
}

/// A run that is ended in the middle of the large file.
fn die(kit: &Kit, manifest: &Manifest, options: &RestoreOptions, at: u64) {
    let end = End::new(at, How::Before);
    let options = RestoreOptions {
        changes: Changes {
            end: Some(end.clone()),
            ..Changes::default()
        },
        ..options.clone()
    };
    let _dead = run_within(&kit.repo, manifest, &options, &Recorder::default(), usual());
    assert!(end.ended());
}

#[test]
fn a_file_is_completed_from_what_a_dead_run_has_written() {
    let kit = Kit::new().with_threads(1);
    let manifest = image(&kit);
    die(&kit, &manifest, &kit.options(), 60);
    assert_eq!(file_names(&kit.target()).len(), 2, "the journal and a part");
    let (result, recorder) = kit.restore(&manifest, &kit.options());
    let summary = result.unwrap();
    assert!(recorder.problems.lock().is_empty(), "nothing was removed");
    assert!(summary.bytes_reused > 100_000, "{}", summary.bytes_reused);
    assert!(summary.bytes_reused < SIZE as u64, "{}", summary.bytes_reused);
    assert_same(&everything(&kit.target()), &everything(&kit.source()));
    // Over an older file, each has some of it.
    alter(&kit.target(), "a hole in the data");
    die(&kit, &manifest, &kit.options(), 60);
    let summary = restore(&kit, &manifest, &kit.options());
    assert!(summary.bytes_reused > 250_000, "{}", summary.bytes_reused);
}

#[test]
fn what_is_left_of_a_file_is_not_believed() {
    let kit = Kit::new().with_threads(1);
    let manifest = image(&kit);
    let victim = kit.source().with_file_name("victim");
    fs::write(&victim, noise(8, SIZE)).unwrap();
    for trick in [
        "wrong bytes",
        "zeros",
        "hard link",
        "open to all",
        "fifo",
        "link",
        "journal",
    ] {
        let _before = fs::remove_dir_all(kit.target());
        die(&kit, &manifest, &kit.options(), 60);
        let names = file_names(&kit.target());
        let part = names.iter().find(|name| name.ends_with("-0")).unwrap();
        let path = kit.target().join(part);
        let before = inode(&path);
        let put = |make: &dyn Fn()| {
            fs::remove_file(&path).unwrap();
            make();
        };
        match trick {
            "wrong bytes" => fs::write(&path, noise(9, 1 << 20)).unwrap(),
            "zeros" => fs::write(&path, vec![0; 2 << 20]).unwrap(),
            "hard link" => put(&|| fs::hard_link(&victim, &path).unwrap()),
            "link" => put(&|| symlink(&victim, &path).unwrap()),
            "fifo" => {
                put(&|| rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::RUSR, 0).unwrap());
            }
            "open to all" => fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap(),
            _ => {
                let journal = kit.target().join(part.strip_suffix("-0").unwrap());
                let garbage = b"/\0/n\0/n0\0/n0/../victim\0/i0//\0/n0/image\0/n0/d/image\0/n";
                fs::write(journal, garbage).unwrap();
            }
        }
        let (result, recorder) = kit.restore(&manifest, &kit.options());
        result.unwrap();
        assert!(recorder.hurt().is_empty(), "{trick}: {:?}", recorder.hurt());
        assert_same(&everything(&kit.target()), &everything(&kit.source()));
        assert_eq!(leftovers(&kit.target()), 0, "{trick}");
        assert!(fs::read(&victim).unwrap() == noise(8, SIZE), "{trick}");
        let goes_on = matches!(trick, "wrong bytes" | "zeros" | "journal");
        assert_eq!(inode(&kit.target().join("image")) == before, goes_on, "{trick}");
    }
}

/// What is reported, and the names in the target.
fn ended(kit: &Kit, result: Result<Summary, Error>, recorder: &Recorder) -> (Vec<ProblemKind>, usize) {
    assert!(result.is_err());
    let problems = recorder.problems.lock();
    let kinds = problems.iter().map(|problem| problem.what.clone()).collect();
    (kinds, file_names(&kit.target()).len())
}

#[test]
fn a_run_that_ends_early_keeps_what_it_has_of_large_files() {
    let kit = Kit::new().with_threads(1);
    let manifest = image(&kit);
    let remote = Wrapped::going_away(&kit, 30);
    let repo = reopened(&kit, remote.clone());
    let recorder = Recorder::default();
    let result = run_within(&repo, &manifest, &kit.options(), &recorder, small());
    let kept = ProblemKind::Warning(Warning::RestorePartials { files: 1 });
    assert_eq!(ended(&kit, result, &recorder), (vec![kept], 2));
    remote.until_error.store(i64::MAX, Relaxed);
    let summary = restore(&kit, &manifest, &kit.options());
    assert!(summary.bytes_reused > 0);
    // Not of those that are soon written again.
    let _before = fs::remove_dir_all(kit.target());
    remote.until_error.store(30, Relaxed);
    let recorder = Recorder::default();
    let result = run_within(&repo, &manifest, &kit.options(), &recorder, tiny());
    assert_eq!(ended(&kit, result, &recorder), (vec![], 0));
}

/// In place, a run that can't fetch anything changes nothing; one that dies later leaves no file under the name.
#[test]
fn a_file_in_place_has_its_name_while_it_is_whole() {
    let kit = Kit::new().with_threads(1);
    let manifest = image(&kit);
    kit.restore_well(&manifest, &kit.options(), usual());
    alter(&kit.target(), "a few bytes");
    let path = kit.target().join("image");
    let (before, altered) = (inode(&path), fs::read(&path).unwrap());
    let mut options = kit.options();
    options.in_place = true;
    // The tree can be read, and nothing more.
    let mut outcomes = [0, 0];
    for after in 0..6 {
        let remote = Wrapped::going_away(&kit, i64::MAX);
        let repo = reopened(&kit, remote.clone());
        remote.until_error.store(after, Relaxed);
        let recorder = Recorder::default();
        match run_within(&repo, &manifest, &options, &recorder, usual()) {
            Ok(_) => outcomes[1] += 1,
            Err(_) => {
                outcomes[0] += 1;
                assert!(recorder.problems.lock().is_empty());
                assert!(fs::read(&path).unwrap() == altered, "nothing was changed");
            }
        }
    }
    assert!(outcomes[0] > 0 && outcomes[1] > 0, "{outcomes:?}");
    assert_same(&everything(&kit.target()), &everything(&kit.source()));
    alter(&kit.target(), "a few bytes");
    let mut states = [0; 3];
    for at in 0..20 {
        die_somewhere(&kit, &manifest, &options, at);
        match fs::read(&path) {
            Ok(bytes) if bytes == altered => states[0] += 1,
            Ok(bytes) => {
                assert!(bytes == fs::read(kit.source().join("image")).unwrap());
                states[1] += 1;
            }
            Err(_) => states[2] += 1,
        }
        kit.restore_well_in_place(&manifest, &options);
        assert_eq!(inode(&path), before);
        alter(&kit.target(), "a few bytes");
    }
    assert!(states.iter().all(|state| *state > 0), "{states:?}");
}

fn die_somewhere(kit: &Kit, manifest: &Manifest, options: &RestoreOptions, at: u64) {
    let options = RestoreOptions {
        changes: Changes {
            end: Some(End::new(at, How::After)),
            ..Changes::default()
        },
        ..options.clone()
    };
    let _dead = run_within(&kit.repo, manifest, &options, &Recorder::default(), usual());
}

impl Kit {
    /// After a death, whatever is reported of it.
    fn restore_well_in_place(&self, manifest: &Manifest, options: &RestoreOptions) {
        let recorder = Recorder::default();
        run_within(&self.repo, manifest, options, &recorder, usual()).unwrap();
        assert!(recorder.hurt().is_empty(), "{:?}", recorder.hurt());
        assert_same(&everything(&self.target()), &everything(&self.source()));
        assert_eq!(leftovers(&self.target()), 0);
    }
}

/// What was changed in place stays until the file is complete.
#[test]
fn a_file_in_place_is_never_thrown_away() {
    let kit = Kit::new().with_threads(1);
    fs::write(kit.source().join("small"), b"small").unwrap();
    let manifest = image(&kit);
    kit.restore_well(&manifest, &kit.options(), usual());
    alter(&kit.target(), "a few bytes");
    let path = kit.target().join("image");
    let before = inode(&path);
    let mut options = kit.options();
    options.in_place = true;
    let mut at = 0;
    while path.exists() {
        die_somewhere(&kit, &manifest, &options, at);
        at += 1;
        assert!(at < 50);
    }
    let left = || {
        let mut names = file_names(&kit.target());
        names.retain(|name| name.contains("-restore-") && name.matches('-').count() == 3);
        names
    };
    let was = left();
    assert_eq!(was.len(), 1);
    // Others don't touch it.
    let mut other = kit.options();
    other.exclude.patterns.push("image".to_string());
    for _ in 0..2 {
        let (result, recorder) = kit.restore(&manifest, &other);
        result.unwrap();
        assert_eq!(left(), was);
        let problems = recorder.problems.lock();
        let name = was.first().unwrap().clone().into_bytes();
        let warned = ProblemKind::Warning(Warning::LeftInPlace { name });
        assert!(problems.iter().any(|problem| problem.what == warned));
    }
    // Without the option it is read, as others may have it open, and removed when the file is complete.
    fs::set_permissions(
        kit.target().join(was.first().unwrap()),
        fs::Permissions::from_mode(0o644),
    )
    .unwrap();
    let summary = kit.restore(&manifest, &kit.options()).0.unwrap();
    assert!(summary.bytes_reused > SIZE as u64 / 2);
    assert!(inode(&path) != before);
    assert_eq!(leftovers(&kit.target()), 0);
    assert_same(&everything(&kit.target()), &everything(&kit.source()));
}

#[test]
fn what_cannot_be_completed_in_place_is_reported_by_its_name() {
    let kit = Kit::new().with_threads(1);
    let manifest = image(&kit);
    kit.restore_well(&manifest, &kit.options(), usual());
    // All of it differs, and one pack has damage.
    alter(&kit.target(), "other");
    let packs = kit.packs();
    let largest = packs.iter().max_by_key(|name| kit.remote_size(name)).unwrap();
    let middle = kit.remote_size(largest) / 2;
    kit.alter(largest, |bytes| bytes[middle as usize] ^= 1);
    let mut options = kit.options();
    options.in_place = true;
    let recorder = Recorder::default();
    let summary = run_within(&kit.repo, &manifest, &options, &recorder, usual()).unwrap();
    assert_eq!((summary.files_restored, summary.files_failed), (0, 1));
    assert!(!kit.target().join("image").exists());
    let is_named = recorder.problems.lock().iter().any(|problem| {
        let ProblemKind::Restore(RestoreProblem::LeftInPlace { name }) = &problem.what else {
            return false;
        };
        let meta = fs::metadata(kit.target().join(std::str::from_utf8(name).unwrap()));
        problem.path == b"/image" || meta.unwrap().len() == 1 << 20
    });
    assert!(is_named);
    kit.alter(largest, |bytes| bytes[middle as usize] ^= 1);
    kit.restore_well_in_place(&manifest, &options);
    assert!(facts(&kit.target()).values().any(|fact| fact.kind == Kind::File));
}
