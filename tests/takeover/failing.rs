//! A takeover that fails.

use super::{SETTINGS, alpha, home, run_as, text};
use std::fs;

/// What is there is replaced only when nothing can fail any more.
#[test]
fn a_takeover_that_fails_leaves_the_settings() {
    let (shared, other) = (home(), home());
    let old = alpha(&shared, "");
    run_as(&old, "alpha", &["run", "docs"]).ends(0);
    let mine = "[limits]\nupload = '1M'\n";
    other.write(SETTINGS, mine);
    let (repo, key) = (shared.text("repo"), shared.text("main.key"));
    let at = ["-r", repo.as_str(), "--key-file", key.as_str()];
    let takeover = || other.run(&[&at[..], &["takeover", "alpha", "--yes"]].concat());
    let (snapshots, aside) = (shared.path("repo/snapshots"), shared.path("aside"));
    // Snapshots can't be listed.
    fs::rename(&snapshots, &aside).unwrap();
    fs::write(&snapshots, "").unwrap();
    assert_ne!(takeover().code, 0);
    assert_eq!(text(&other), mine);
    fs::remove_file(&snapshots).unwrap();
    fs::rename(&aside, &snapshots).unwrap();
    takeover().ends(0);
    assert!(text(&other).contains("[sets.docs]"));
}
