//! A machine that is taken over from a replica.

use super::{SETTINGS, alpha, home, rows, run_as, text};
use kit::program::{Run, number};
use std::fs;

/// The repository is lost with the machine; what is left is a replica that no set ever ran to.
#[test]
fn a_replica_has_what_a_takeover_needs() {
    let (shared, bare) = (home(), home());
    let old = alpha(&shared, "");
    run_as(&old, "alpha", &["run", "docs"]).ends(0);
    let (repo, key, replica) = (
        shared.text("repo"),
        shared.text("main.key"),
        shared.text("replica"),
    );
    old.ok(&[
        "-r", "main", "remote", "add", "okinawa", &replica, "--like", "main",
    ]);
    let records = |run: &Run| number(&rows(run, "replica")[0], "records");
    let replicate = ["-r", "main", "replicate", "--to", "okinawa", "--json"];
    let dry = old.ok(&[
        "-r",
        "main",
        "replicate",
        "--to",
        "okinawa",
        "--json",
        "--dry-run",
    ]);
    assert_eq!(records(&dry), 0);
    assert_eq!(records(&old.ok(&replicate)), 2, "settings and state");
    assert_eq!(records(&old.ok(&replicate)), 0, "they are there");
    fs::write(old.path(SETTINGS), text(&old) + "# changed\n").unwrap();
    run_as(&old, "alpha", &["run", "docs"]).ends(0);
    assert!(records(&old.ok(&replicate)) >= 1);
    fs::remove_dir_all(&repo).unwrap();
    let at = ["-r", replica.as_str(), "--key-file", key.as_str()];
    bare.ok(&[&at[..], &["takeover", "alpha"]].concat());
    assert!(text(&bare).ends_with("# changed\n"), "{}", text(&bare));
    let hosts = bare.ok(&[&at[..], &["status", "--all-hosts", "--json"]].concat());
    assert_eq!(rows(&hosts, "machine")[0]["sets"][0]["last_status"], "completed");
    bare.ok(&[&at[..], &["check"]].concat());
}
