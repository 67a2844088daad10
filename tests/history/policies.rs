//! What a policy leaves, what a listing shows, and what a dry run reports.

use super::{home, two_snapshots};
use kit::program::number;
use std::fs;

#[test]
fn a_policy_that_leaves_nothing_is_refused() {
    let home = two_snapshots();
    home.write("other/b", "b");
    home.ok(&["backup", "--tag", "kept", "other"]);
    for dry in [&["-n"][..], &["--yes"]] {
        for command in ["forget", "prune"] {
            let args = [&[command, "--keep-tag", "typo"][..], dry].concat();
            home.ends(2, &args)
                .says(&["typo", "no snapshot has", "keeps nothing", "--allow-empty"]);
            let args = [&[command, "--keep-tag", "kept"][..], dry].concat();
            let said = home.ends(2, &args).says(&["keeps nothing", "docs"]);
            assert!(!said.err.contains("no snapshot has"), "{}", said.err);
        }
    }
    assert_eq!(home.snapshots().len(), 3);
    home.ok(&["forget", "--keep-tag", "kept", "--allow-empty", "--yes"]);
    assert_eq!(home.snapshots().len(), 1);
    // A tag that nothing has is also reported if the policy goes on.
    home.ok(&["forget", "--keep-tag", "typo", "--keep-last", "1", "--yes"])
        .says(&["typo"]);
}

#[test]
fn the_newest_of_each_host_and_paths() {
    let home = home();
    home.init();
    for folder in ["a", "b", "a"] {
        home.write(&format!("{folder}/f"), folder);
        home.ok(&["backup", folder]);
    }
    let rows = |args: &[&str]| {
        home.ok(&[&["snapshots", "--json"], args].concat())
            .objects()
            .len()
    };
    assert_eq!(rows(&["--latest", "1"]), 2);
    assert_eq!(rows(&["--latest", "2"]), 3);
    assert_eq!(rows(&["--latest", "1", "--group-by", ""]), 1);
    assert_eq!(rows(&["--latest", "1", "--group-by", "paths"]), 2);
    assert_eq!(
        home.ok(&["snapshots", "--latest", "1"]).out.matches("/a").count(),
        1
    );
}

/// A dry run of a prune gives the figures of the run.
#[test]
fn a_dry_run_gives_the_figures_of_the_run() {
    let policies: &[&[&str]] = &[
        &["--keep-last", "1", "--keep-trash", "0s"],
        &["--keep-last", "2", "--keep-trash", "0s", "--max-unused", "0"],
        &[
            "--keep-last",
            "1",
            "--keep-trash",
            "0s",
            "--max-unused",
            "unlimited",
        ],
        &[
            "--keep-last",
            "1",
            "--keep-trash",
            "0s",
            "--max-repack",
            "100K",
            "--max-unused",
            "0",
        ],
        &["--keep-last", "1"],
        &["--keep-tag", "t", "--keep-trash", "0s", "--max-unused", "0"],
        &["--keep-trash", "0s"],
        &[],
    ];
    for policy in policies {
        let home = home();
        home.init();
        for n in 0..4u64 {
            let mut noise = vec![0; 300_000];
            kit::random::Random::new(n).fill(&mut noise);
            home.write(&format!("docs/{n}"), &noise);
            noise.reverse();
            home.write("docs/changing", &noise);
            home.ok(&["backup", "docs", "--tag", "t"]);
            if n % 2 == 1 {
                fs::remove_file(home.path(format!("docs/{n}"))).unwrap();
            }
        }
        let oldest = home.snapshots().remove(0);
        home.ok(&["forget", &oldest, "--yes"]);
        let run = |more: &[&str]| {
            let args = [&["prune", "--json"], *policy, more].concat();
            let mut summary = home.ok(&args).summary();
            let removed = number(&summary, "packs_deleted");
            summary.as_object_mut().unwrap().remove("dry_run");
            (summary, removed)
        };
        let before = home.contents(&home.repository());
        let (said, _) = run(&["-n"]);
        assert_eq!(home.contents(&home.repository()), before, "{policy:?}");
        let (done, deleted) = run(&["--yes"]);
        assert_eq!(said, done, "{policy:?}");
        assert_eq!(deleted > 0, policy.contains(&"0s"), "{policy:?}: {done}");
        let (again, _) = run(&["-n"]);
        assert_eq!(number(&again, "packs_unneeded"), 0, "{policy:?}");
    }
}
