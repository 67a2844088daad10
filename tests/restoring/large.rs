//! Large files: what is there already is not written again, and a restore that is killed goes on within the file.

use super::{home, leftovers, noise};
use kit::program::{Home, number};
use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

const SIZE: usize = 96 << 20;

/// A home with a large file, and where it is restored from.
fn saved() -> (Home, String) {
    let home = home();
    home.init();
    home.write("src/image", noise(1, SIZE));
    home.write("src/small", "small");
    home.ok(&["backup", "src"]);
    let from = format!("latest:{}", home.text("src"));
    (home, from)
}

fn equal(a: &Path, b: &Path) -> bool {
    fs::read(a).unwrap() == fs::read(b).unwrap()
}

/// Bytes that are in temporary files.
fn written(target: &Path) -> u64 {
    let found = leftovers(target);
    let sizes = found.iter().filter_map(|path| fs::metadata(path).ok());
    sizes.map(|meta| meta.blocks() * 512).sum()
}

#[test]
fn a_killed_restore_goes_on_within_a_file() {
    let (home, from) = saved();
    let target = home.path("out");
    for options in [&[][..], &["--in-place"]] {
        let mut child = home
            .command(&[&["restore", &from, "-t", "out"], options].concat())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while written(&target) < 24 << 20 && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        assert!(child.wait().unwrap().code().is_none(), "it was killed");
        assert!(!target.join("image").exists());
        let summary = home
            .ok(&[&["restore", &from, "-t", "out", "--json"], options].concat())
            .summary();
        let reused = number(&summary, "bytes_reused");
        assert!(reused >= 16 << 20 && reused < SIZE as u64, "{reused}");
        assert!(equal(&target.join("image"), &home.path("src/image")));
        assert!(leftovers(&target).is_empty());
        fs::remove_dir_all(&target).unwrap();
    }
}

#[test]
fn only_what_differs_is_written() {
    let (home, from) = saved();
    home.ok(&["restore", &from, "-t", "out"]);
    let path = home.path("out/image");
    for (option, what) in [(&[][..], "replaced"), (&["--in-place"], "changed")] {
        let image = fs::File::options().write(true).open(&path).unwrap();
        for part in 0..3 {
            image.write_all_at(b"changed", part * (30 << 20) + 5).unwrap();
        }
        let inode = image.metadata().unwrap().ino();
        let run = home.ok(&[&["restore", &from, "-t", "out"], option].concat());
        assert!(
            run.out.contains(" of it were already in the target"),
            "{}",
            run.out
        );
        assert!(equal(&path, &home.path("src/image")), "{what}");
        let is_same = fs::metadata(&path).unwrap().ino() == inode;
        assert_eq!(is_same, !option.is_empty(), "{what}");
        assert!(leftovers(&home.path("out")).is_empty(), "{what}");
    }
    let again = home
        .ok(&["restore", &from, "-t", "out", "--in-place", "--json"])
        .summary();
    assert_eq!(
        (number(&again, "files_restored"), number(&again, "bytes_reused")),
        (0, 0)
    );
}
