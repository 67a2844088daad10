//! What restores leave: what a living one has begun stays, and what is there as recorded is left.

use super::deaths::{everything, files, fill};
use super::kit::{Kit, assert_same, file_names, tiny};
use crate::restore::Overwrite;
use crate::restore::window::Limits;
use rustix::fs::{FlockOperation, flock};
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;

#[test]
fn what_a_living_restore_has_begun_stays() {
    let kit = Kit::new();
    fill(&kit);
    let manifest = kit.backup();
    let target = kit.target();
    fs::create_dir(&target).unwrap();
    for (run, dir) in [("00000001", ""), ("00000002", "d1")] {
        fs::create_dir_all(target.join(dir)).unwrap();
        let journal = format!("{dir}\0d9\0gone");
        fs::write(target.join(format!(".dedup-restore-{run}")), journal).unwrap();
        fs::write(target.join(dir).join(format!(".dedup-restore-{run}-a")), b"half").unwrap();
    }
    let others = [
        ".dedup-restore-",
        ".dedup-restore-0000000g",
        ".dedup-restore-00000002-",
    ];
    for name in others {
        fs::write(target.join(name), b"the user's").unwrap();
    }
    let living = fs::File::open(target.join(".dedup-restore-00000001")).unwrap();
    flock(&living, FlockOperation::LockExclusive).unwrap();
    let (result, recorder) = kit.restore(&manifest, &kit.options());
    result.unwrap();
    let ours = |dir: &Path| {
        let mut names = file_names(dir);
        names.retain(|name| name.starts_with(".dedup-restore-"));
        names
    };
    let mut want: std::collections::BTreeSet<String> = others.map(str::to_string).into();
    let of_the_living = [".dedup-restore-00000001", ".dedup-restore-00000001-a"];
    want.extend(of_the_living.map(str::to_string));
    assert_eq!(ours(&target), want);
    assert_eq!(ours(&target.join("d1")).len(), 0);
    assert!(recorder.hurt().is_empty(), "{:?}", recorder.hurt());
    assert_eq!(
        recorder.problems.lock().len(),
        1,
        "that something was removed is told"
    );
    drop(living);
    let (result, _) = kit.restore(&manifest, &kit.options());
    assert_eq!(result.unwrap().files_restored, 0, "all is there");
    assert_eq!(ours(&target).len(), others.len());
}

/// A second restore writes nothing, and puts back only what differs.
#[test]
fn equal_files_are_left() {
    let kit = Kit::new();
    fill(&kit);
    let manifest = kit.backup();
    kit.restore_well(&manifest, &kit.options(), Limits::default());
    let stamps = || {
        let mut stamps = std::collections::BTreeMap::new();
        for path in files(&kit.target()).keys() {
            use std::os::unix::fs::MetadataExt;
            let meta = fs::symlink_metadata(kit.target().join(path)).unwrap();
            stamps.insert(path.clone(), (meta.ino(), meta.ctime(), meta.ctime_nsec()));
        }
        stamps
    };
    let before = stamps();
    for overwrite in [Overwrite::Always, Overwrite::IfChanged] {
        let mut options = kit.options();
        options.overwrite = overwrite;
        let summary = kit.restore_well(&manifest, &options, tiny());
        assert_eq!(summary.files_restored, 0, "{overwrite:?}");
        assert_eq!(summary.files_unchanged, summary.total_files);
        assert_eq!((summary.files_skipped, summary.total_files), (9, 9));
    }
    // Set-id bits are set again in any case: what gave the file away may have cleared them.
    let changed = stamps();
    for (path, stamp) in &before {
        assert!(
            path == Path::new("d1/b") || changed[path] == *stamp,
            "{}",
            path.display()
        );
    }
    // The same size and time, other bytes.
    let hurt = kit.target().join("d1/large");
    let time = fs::metadata(&hurt).unwrap().modified().unwrap();
    let file = fs::File::options().write(true).open(&hurt).unwrap();
    file.write_all_at(b"!", 12_345).unwrap();
    file.set_modified(time).unwrap();
    let mut options = kit.options();
    options.overwrite = Overwrite::IfChanged;
    assert_eq!(kit.restore_well(&manifest, &options, tiny()).files_restored, 0);
    options.verify = true;
    let summary = kit.restore_well(&manifest, &options, tiny());
    assert_eq!((summary.files_restored, summary.files_verified), (1, 9));
    assert_same(&everything(&kit.target()), &everything(&kit.source()));
}
