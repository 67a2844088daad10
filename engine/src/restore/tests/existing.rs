//! What is in the target already: every rule for every pair of kinds, and nothing followed.

use super::kit::{Kit, Recorder, assert_same, facts, file_names, noise};
use crate::restore::window::Limits;
use crate::restore::{Overwrite, RestoreOptions, run};
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

const ALL: [Overwrite; 5] = [
    Overwrite::Always,
    Overwrite::IfChanged,
    Overwrite::IfNewer,
    Overwrite::Never,
    Overwrite::Rename,
];

fn with(kit: &Kit, overwrite: Overwrite) -> RestoreOptions {
    RestoreOptions {
        overwrite,
        ..kit.options()
    }
}

fn set_time(path: &Path, secs: u64) {
    let file = fs::File::options().write(true).open(path).unwrap();
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(secs);
    file.set_modified(time).unwrap();
}

/// A file, changed in the target in the way its name describes; all recorded at time 1000.
fn versions(kit: &Kit) {
    for name in ["same", "older", "newer", "touched", "size", "gone", "mode"] {
        let path = kit.source().join(name);
        fs::write(&path, noise(1, 9000)).unwrap();
        set_time(&path, 1000);
    }
}

fn alter(target: &Path) {
    let set = |name: &str, bytes: &[u8], secs| {
        fs::write(target.join(name), bytes).unwrap();
        set_time(&target.join(name), secs);
    };
    set("older", &noise(2, 9000), 500);
    set("newer", &noise(2, 9000), 2000);
    set("touched", &noise(1, 9000), 2000);
    set("size", b"short", 1000);
    fs::remove_file(target.join("gone")).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o604);
    fs::set_permissions(target.join("mode"), mode).unwrap();
}

#[test]
fn files_over_files() {
    for overwrite in ALL {
        let kit = Kit::new();
        versions(&kit);
        let manifest = kit.backup();
        kit.restore_well(&manifest, &kit.options(), Limits::default());
        alter(&kit.target());
        let inode = |name: &str| fs::metadata(kit.target().join(name)).unwrap().ino();
        let before = facts(&kit.target());
        let inodes = ["same", "touched"].map(inode);
        let summary = kit.restore_well(&manifest, &with(&kit, overwrite), Limits::default());
        let after = facts(&kit.target());
        let restored = ["same", "older", "newer", "touched", "size", "gone", "mode"]
            .into_iter()
            .filter(|name| after[Path::new(name)] == facts(&kit.source())[Path::new(name)])
            .collect::<Vec<_>>();
        let names = file_names(&kit.target()).len();
        let kept = ["same", "touched"].map(inode) == inodes;
        let (want, want_kept, want_names, want_restored): (&[&str], _, _, _) = match overwrite {
            Overwrite::Always | Overwrite::IfChanged => (
                &["same", "older", "newer", "touched", "size", "gone", "mode"],
                true,
                7,
                4,
            ),
            Overwrite::IfNewer => (&["same", "older", "gone"], true, 7, 2),
            Overwrite::Never => (&["same", "gone"], true, 7, 1),
            Overwrite::Rename => (&["same", "gone"], true, 11, 5),
        };
        assert_eq!(restored, want, "{overwrite:?}");
        assert_eq!((kept, names), (want_kept, want_names), "{overwrite:?}");
        assert_eq!(summary.files_restored, want_restored, "{overwrite:?}");
        assert_eq!(summary.files_skipped, 7 - want_restored);
        let unchanged = match overwrite {
            Overwrite::Always | Overwrite::IfChanged => 3,
            Overwrite::IfNewer | Overwrite::Never | Overwrite::Rename => 0,
        };
        assert_eq!(summary.files_unchanged, unchanged, "{overwrite:?}");
        for name in ["newer", "size"] {
            let (is, was) = (&after[Path::new(name)], &before[Path::new(name)]);
            assert_eq!(is == was, !want.contains(&name), "{overwrite:?} {name}");
        }
        if overwrite == Overwrite::Rename {
            let name = "newer.restored";
            assert_eq!(after[Path::new(name)].content, noise(1, 9000));
            kit.restore_well(&manifest, &with(&kit, overwrite), Limits::default());
            assert!(kit.target().join("newer.restored-2").exists());
        }
    }
}

/// What may be at `name`: a file, a directory with and without something in it, a link out of the target.
fn put(target: &Path, name: &str, what: &str, outside: &Path) {
    let path = target.join(name);
    match what {
        "file" => fs::write(path, b"old").unwrap(),
        "dir" => fs::create_dir(path).unwrap(),
        "full" => {
            fs::create_dir(&path).unwrap();
            fs::write(path.join("mine"), b"mine").unwrap();
        }
        _ => symlink(outside, path).unwrap(),
    }
}

#[test]
fn other_kinds_in_the_way() {
    for overwrite in ALL {
        for what in ["file", "dir", "full", "link"] {
            for entry in ["file", "dir", "link"] {
                let kit = Kit::new();
                let name = kit.source().join("x");
                match entry {
                    "file" => fs::write(&name, b"new").unwrap(),
                    "dir" => {
                        fs::create_dir(&name).unwrap();
                        fs::write(name.join("inner"), b"new").unwrap();
                    }
                    _ => symlink("new", &name).unwrap(),
                }
                fs::write(kit.source().join("other"), b"other").unwrap();
                let manifest = kit.backup();
                let outside = kit.source().with_file_name("outside");
                fs::create_dir(&outside).unwrap();
                fs::create_dir(kit.target()).unwrap();
                put(&kit.target(), "x", what, &outside);
                let before = facts(&kit.target());
                let recorder = Recorder::default();
                run(&kit.repo, &manifest, &with(&kit, overwrite), &recorder).unwrap();
                let case = format!(
                    "{entry} over {what}, {overwrite:?}: {:?}",
                    recorder.problems.lock()
                );
                assert!(file_names(&outside).is_empty(), "{case}");
                let after = facts(&kit.target());
                assert_eq!(after[Path::new("other")].content, b"other", "{case}");
                let stays = after[Path::new("x")] == before[Path::new("x")];
                let is_new = after[Path::new("x")].kind == facts(&kit.source())[Path::new("x")].kind
                    && (entry != "dir" || after.contains_key(Path::new("x/inner")));
                assert!(
                    what != "full" || after.contains_key(Path::new("x/mine")),
                    "{case}"
                );
                let dirs = entry == "dir" && matches!(what, "dir" | "full");
                let hurt = !recorder.hurt().is_empty();
                match overwrite {
                    _ if dirs => assert!(is_new && !hurt, "{case}"),
                    Overwrite::Always if what == "full" => assert!(stays && hurt, "{case}"),
                    Overwrite::Always => assert!(is_new && !hurt, "{case}"),
                    _ if entry == "dir" => assert!(stays && hurt, "{case}"),
                    Overwrite::Never => assert!(stays && !hurt, "{case}"),
                    Overwrite::Rename => {
                        assert!(stays && !hurt, "{case}");
                        assert!(after.contains_key(Path::new("x.restored")), "{case}");
                    }
                    // What is in the target is newer.
                    Overwrite::IfNewer => assert!(stays && !hurt, "{case}"),
                    Overwrite::IfChanged if matches!(what, "dir" | "full") => {
                        assert!(stays && hurt, "{case}")
                    }
                    Overwrite::IfChanged => assert!(is_new && !hurt, "{case}"),
                }
            }
        }
    }
}

#[test]
fn unchanged_links_and_devices_are_not_made_again() {
    let kit = Kit::new();
    symlink("somewhere", kit.source().join("link")).unwrap();
    fs::write(kit.source().join("a"), noise(1, 50_000)).unwrap();
    fs::hard_link(kit.source().join("a"), kit.source().join("b")).unwrap();
    let manifest = kit.backup();
    kit.restore_well(&manifest, &kit.options(), Limits::default());
    let inode = |name: &str| fs::symlink_metadata(kit.target().join(name)).unwrap().ino();
    let before = ["link", "a", "b"].map(inode);
    assert_eq!(before[1], before[2]);
    for overwrite in [Overwrite::Always, Overwrite::IfChanged, Overwrite::Rename] {
        kit.restore_well(&manifest, &with(&kit, overwrite), Limits::default());
        assert_eq!(["link", "a", "b"].map(inode), before, "{overwrite:?}");
        assert_eq!(file_names(&kit.target()).len(), 3);
    }
    // One name of a file is gone and what the other shows was changed: both are one file again.
    fs::remove_file(kit.target().join("b")).unwrap();
    fs::write(kit.target().join("a"), b"changed").unwrap();
    kit.restore_well(&manifest, &with(&kit, Overwrite::IfChanged), Limits::default());
    assert_eq!(inode("a"), inode("b"));
    // The second name was made a file of its own.
    fs::remove_file(kit.target().join("b")).unwrap();
    fs::write(kit.target().join("b"), b"mine").unwrap();
    kit.restore_well(&manifest, &kit.options(), Limits::default());
    assert_eq!(inode("a"), inode("b"));
    let mut wanted = facts(&kit.source());
    let mut found = facts(&kit.target());
    for facts in [&mut wanted, &mut found] {
        facts.remove(Path::new(""));
    }
    assert_same(&found, &wanted);
}

#[test]
fn the_target_may_be_a_link_and_what_is_in_it_may_not() {
    let kit = Kit::new();
    fs::create_dir(kit.source().join("dir")).unwrap();
    fs::write(kit.source().join("dir/file"), b"1").unwrap();
    let manifest = kit.backup();
    let real = kit.source().with_file_name("real");
    fs::create_dir(&real).unwrap();
    symlink(&real, kit.target()).unwrap();
    kit.restore_well(&manifest, &kit.options(), Limits::default());
    assert_eq!(fs::read(real.join("dir/file")).unwrap(), b"1");
    // Above the source, a link is never replaced: it leads to what is not part of this restore.
    let mut options = kit.options();
    options.subpath = None;
    let first = kit.source().components().nth(1).unwrap().as_os_str().to_owned();
    symlink(kit.source().with_file_name("outside"), real.join(&first)).unwrap();
    let (result, recorder) = kit.restore(&manifest, &options);
    assert_eq!(result.unwrap().files_failed, 1);
    assert_eq!(recorder.hurt().len(), 1);
    assert!(fs::symlink_metadata(real.join(&first)).unwrap().is_symlink());
}
