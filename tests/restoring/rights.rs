//! Into directories that are closed, and through links.

use super::{Nobody, OVERWRITE, home, leftovers, mode, noise, set_mode, within};
use kit::oracle::{self, Tree};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

fn tree(path: &Path) -> Tree {
    let mut tree = oracle::walk(path);
    tree.remove(&b""[..]);
    tree
}

/// Directories that their owner may not write in, or not even read, are opened for the time.
#[test]
fn closed_directories_of_ones_own() {
    let nobody = Nobody::new();
    let home = &nobody.home;
    for i in 0..4 {
        home.write(&format!("src/shut/inner/f{i}"), noise(i, 5000));
        home.write(&format!("src/open/f{i}"), noise(i, 5000));
    }
    nobody.owns("src");
    set_mode(&home.path("src/shut/inner"), 0o555);
    set_mode(&home.path("src/shut"), 0o555);
    nobody.run(&[], &["init"]).ends(0);
    nobody.run(&[], &["backup", "src"]).ends(0);
    let from = format!("latest:{}", home.text("src"));
    let restore = |more: &[&str]| {
        let args = [&["restore", &from, "--target", "o"], more].concat();
        nobody.run(&[], &args)
    };
    restore(&[]).ends(0);
    let wanted = tree(&home.path("src"));
    for overwrite in OVERWRITE {
        for (inner, shut) in [(0o555, 0o555), (0o500, 0o311), (0o000, 0o555)] {
            let (in_dir, file) = (home.path("o/shut/inner"), home.path("o/shut/inner/f1"));
            set_mode(&home.path("o/shut"), 0o755);
            set_mode(&in_dir, 0o755);
            fs::remove_file(&file).unwrap();
            set_mode(&in_dir, inner);
            set_mode(&home.path("o/shut"), shut);
            restore(&["--overwrite", overwrite]).ends(0);
            assert_eq!(
                fs::read(&file).unwrap(),
                noise(1, 5000),
                "{overwrite} {inner:o} {shut:o}"
            );
            let keeps = matches!(overwrite, "never" | "rename");
            let want = if keeps { (inner, shut) } else { (0o555, 0o555) };
            let found = (mode(&in_dir), mode(&home.path("o/shut")));
            assert_eq!(found, want, "{overwrite} {inner:o} {shut:o}");
        }
    }
    restore(&[]).ends(0);
    oracle::assert_same(&wanted, &tree(&home.path("o")), "in the end");
    // The target itself, too; and what belongs to others stays as it is.
    fs::create_dir(home.path("t")).unwrap();
    nobody.owns("t");
    set_mode(&home.path("t"), 0o555);
    nobody.run(&[], &["restore", &from, "--target", "t"]).ends(0);
    assert_eq!(mode(&home.path("t")), 0o555);
    oracle::assert_same(&wanted, &tree(&home.path("t")), "in a closed target");
    fs::create_dir_all(home.path("r/open")).unwrap();
    set_mode(&home.path("r"), 0o755);
    nobody.owns("r/open");
    let run = nobody.run(&[], &["restore", &from, "--target", "r"]);
    assert_eq!(run.code, 3, "{run:?}");
    assert_eq!(fs::read(home.path("r/open/f2")).unwrap(), noise(2, 5000));
    assert_eq!(leftovers(&home.path("r")), Vec::<PathBuf>::new());
}

/// Links above what was backed up are the user's own; below they are never followed.
#[test]
fn links_above_and_below_the_source() {
    let home = home();
    home.init();
    home.write("real/u/docs/f", b"1");
    symlink(home.path("real"), home.path("hl")).unwrap();
    home.ok(&["backup", "hl/u/docs"]);
    home.write("real/u/docs/f", b"changed");
    home.ok(&["restore", "--target", "/", "hl/u/docs"]);
    assert_eq!(fs::read(home.path("real/u/docs/f")).unwrap(), b"1");
    assert!(fs::symlink_metadata(home.path("hl")).unwrap().is_symlink());
    // In another target a link leads to an unknown place.
    fs::create_dir_all(within(&home, "o", "")).unwrap();
    fs::create_dir(home.path("elsewhere")).unwrap();
    symlink(home.path("elsewhere"), within(&home, "o", "hl")).unwrap();
    home.ends(3, &["restore", "--target", "o"])
        .says(&["symbolic link"]);
    assert_eq!(fs::read_dir(home.path("elsewhere")).unwrap().count(), 0);
    // Another user's link may lead anywhere, too.
    std::os::unix::fs::lchown(home.path("hl"), Some(1234), Some(1234)).unwrap();
    home.write("real/u/docs/f", b"changed");
    home.ends(3, &["restore", "--target", "/", "hl/u/docs"])
        .says(&["another user"]);
    assert_eq!(fs::read(home.path("real/u/docs/f")).unwrap(), b"changed");
    // Below the source.
    let outside = home.path("outside");
    fs::create_dir(&outside).unwrap();
    let docs = within(&home, "o3", "hl/u");
    fs::create_dir_all(&docs).unwrap();
    symlink(&outside, docs.join("docs")).unwrap();
    let file = home.text("hl/u/docs/f");
    home.ends(3, &["restore", "--target", "o3", &file])
        .says(&["symbolic link"]);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}
