//! Mounts below and above the sources, and what does not look like one.

use super::*;

/// Disks below a source, one in the other, and by a second name for a directory of the same file system.
#[test]
fn mounts_below_a_source() {
    let nights = Nights::new();
    let (outer, bound) = (nights.disk().join("outer"), nights.disk().join("bound"));
    let inner = outer.join("inner");
    fs::create_dir(&outer).unwrap();
    fs::create_dir(&bound).unwrap();
    let Some(mounted) = Mounted::on(&outer) else {
        return;
    };
    fs::create_dir(&inner).unwrap();
    let Some(below) = Mounted::on(&inner) else { return };
    fs::write(inner.join("file"), "x").unwrap();
    let other = nights.other();
    let Some(second) = Mounted::with(&["--bind", other.to_str().unwrap()], &bound) else {
        return;
    };
    assert_eq!(nights.night().1, []);
    drop(below);
    // An entry of its own makes no difference.
    fs::write(inner.join("stub"), "x").unwrap();
    for night in 1..=3 {
        let (_, problems) = nights.night();
        assert_eq!(
            lost(&of(&problems, &inner)),
            Some(Lost::Unmounted),
            "night {night}"
        );
        assert_eq!(problems.len(), 1, "{problems:?}");
    }
    drop(second);
    drop(mounted);
    for night in 1..=3 {
        let (manifest, problems) = nights.night();
        assert_eq!(
            lost(&of(&problems, &outer)),
            Some(Lost::Unmounted),
            "night {night}"
        );
        assert_eq!(lost(&of(&problems, &bound)), Some(Lost::Empty), "night {night}");
        // What was mounted in it is not forgotten.
        assert_eq!((problems.len(), manifest.missing.len()), (2, 3), "{problems:?}");
    }
    let Some(_outer) = Mounted::on(&outer) else { return };
    fs::create_dir(&inner).unwrap();
    let (_, problems) = nights.night();
    assert_eq!(
        lost(&of(&problems, &inner)),
        Some(Lost::Unmounted),
        "{problems:?}"
    );
    let Some(_inner) = Mounted::on(&inner) else { return };
    fs::write(inner.join("file"), "y").unwrap();
    let (_, problems) = nights.night();
    assert!(of(&problems, &inner).is_empty() && of(&problems, &outer).is_empty());
    assert_eq!(lost(&of(&problems, &bound)), Some(Lost::Empty));
    // A service may see its directories as mounts, which they are to no one else.
    fs::write(bound.join("file"), "x").unwrap();
    assert_eq!(nights.night().1, []);
}

/// The disk is mounted above the sources, and what is left there when it isn't has directories of the same names.
#[test]
fn a_mount_above_the_sources() {
    let nights = Nights::new();
    let (disk, docs) = (nights.disk(), nights.disk().join("docs"));
    fs::create_dir(&docs).unwrap();
    fs::write(docs.join("old"), "x").unwrap();
    let Some(mounted) = Mounted::on(&disk) else { return };
    fs::create_dir(&docs).unwrap();
    fs::write(docs.join("precious"), "x").unwrap();
    let sources = [docs.as_path(), &nights.other()];
    assert_eq!(nights.of(&sources).1, []);
    drop(mounted);
    for night in 1..=3 {
        let (report, problems) = nights.of(&sources);
        assert!(report.is_ok());
        assert_eq!(
            lost(&of(&problems, &disk)),
            Some(Lost::Unmounted),
            "night {night}"
        );
    }
}

/// Numbers of devices are given anew at each start of the machine.
#[test]
fn a_mount_with_another_device_number_is_the_same() {
    let nights = Nights::new();
    let disk = nights.disk();
    let mut devices = std::collections::BTreeSet::new();
    let mut kept = Vec::new();
    for _ in 0..3 {
        let Some(mounted) = Mounted::on(&disk) else { return };
        fs::write(disk.join("precious"), "bytes").unwrap();
        devices.insert(std::os::unix::fs::MetadataExt::dev(&fs::metadata(&disk).unwrap()));
        assert_eq!(nights.told(), []);
        // Mounted over each other, so that none gets the number of the one before.
        kept.push(mounted);
    }
    assert_eq!(devices.len(), 3);
}

/// With one-file-system a disk below a source is left out, mounted or not.
#[test]
fn one_file_system() {
    let mut nights = Nights::new();
    nights.one_file_system = true;
    let below = nights.disk().join("below");
    fs::create_dir(&below).unwrap();
    let Some(mounted) = Mounted::on(&below) else {
        return;
    };
    fs::write(below.join("file"), "x").unwrap();
    assert_eq!(nights.night().1, []);
    drop(mounted);
    assert_eq!(nights.night().1, []);
    // The source itself may be a disk.
    let Some(_disk) = Mounted::on(&nights.disk()) else {
        return;
    };
    fs::write(nights.disk().join("file"), "x").unwrap();
    let (manifest, problems) = nights.night();
    let mounts = mounts_below(&manifest, &nights.disk());
    assert_eq!((mounts, problems.len()), (1, 0), "{problems:?}");
}
