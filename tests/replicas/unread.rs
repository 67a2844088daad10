//! A manifest at the first replica that can't be read, or is not listed: what it stands for still counts as lacking at the
//! others.

use super::{Pair, fork, options};
use chunkstore::SessionId;
use chunkstore::remote::{Kind, ObjectName, Remote};
use engine::error::Error;
use engine::monitor::{ProblemKind, Quiet};
use engine::problem::Warning;
use engine::replicate::{self, ReplicateOptions, Replicated};
use engine::repo::Repo;
use kit::machine::Noting;
use kit::remotes::{Faulty, Refusing, contents};
use std::io;
use std::sync::Arc;

/// The first of a pair whose second has one generation and lacks two, and the name of the earlier of them.
fn behind_by_two() -> (Pair, SessionId) {
    let mut pair = Pair::new(1);
    assert_eq!(pair.bring().snapshots, 1);
    let earlier = pair.backup(2);
    pair.backup(3);
    (pair, earlier)
}

fn run(from: &Repo, pair: &Pair, dry_run: bool) -> (Replicated, Vec<Warning>) {
    let options = ReplicateOptions { dry_run, ..options() };
    let (told, mut done) = (Noting::default(), Replicated::default());
    replicate::run(from, &pair.second(), &options, &told, &mut done).unwrap();
    let warnings = told
        .problems()
        .into_iter()
        .filter_map(|problem| match problem.what {
            ProblemKind::Warning(warning) => Some(warning),
            _ => None,
        });
    (done, warnings.collect())
}

fn is_told(warnings: &[Warning]) -> bool {
    warnings
        .iter()
        .any(|one| matches!(one, Warning::NotReplicated { .. }))
}

/// A later generation that came does not hide it: it comes once it can be read, without being asked for.
#[test]
fn a_manifest_that_cant_be_read_is_lacking_until_it_came() {
    let (pair, earlier) = behind_by_two();
    let remote = Refusing::new(Arc::new(pair.first.clone()));
    let first = pair.machine.open(Arc::new(remote.clone())).unwrap();
    let refused = || {
        remote.refuse([ObjectName::snapshot(earlier)], || {
            io::ErrorKind::PermissionDenied.into()
        })
    };
    refused();
    let before = contents(&pair.second).unwrap();
    let (done, warnings) = run(&first, &pair, true);
    assert_eq!((done.snapshots, done.behind, done.unread), (1, 2, 1), "{done:?}");
    assert!(is_told(&warnings), "{warnings:?}");
    assert!(contents(&pair.second).unwrap() == before, "a dry run wrote");
    let (done, warnings) = run(&first, &pair, false);
    assert_eq!((done.snapshots, done.behind, done.unread), (1, 1, 1), "{done:?}");
    assert!(is_told(&warnings), "{warnings:?}");
    let (done, _) = run(&first, &pair, false);
    assert_eq!((done.snapshots, done.behind, done.unread), (0, 1, 1), "{done:?}");
    remote.refuse([], || io::ErrorKind::Other.into());
    let (done, warnings) = run(&first, &pair, false);
    assert_eq!((done.snapshots, done.behind, done.unread), (1, 0, 0), "{done:?}");
    assert!(warnings.is_empty(), "{warnings:?}");
    pair.verify(&pair.second(), true, "it can be read");
    // What the replica has does not matter any more.
    refused();
    assert_eq!(run(&first, &pair, false).0, Replicated::default());
}

/// Nothing can bring it, and whoever reads "current" would be wrong.
#[test]
fn a_damaged_manifest_is_lacking_for_good() {
    let (pair, earlier) = behind_by_two();
    let name = ObjectName::snapshot(earlier);
    let hurt = fork(&pair.first);
    let size = hurt.size(&name).unwrap().unwrap();
    let mut bytes = hurt.get(&name, size as usize).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    hurt.delete(&name).unwrap();
    hurt.put(&name, &bytes).unwrap();
    let first = kit::machine::Machine::quick("elsewhere")
        .open(Arc::new(hurt))
        .unwrap();
    for (snapshots, behind) in [(1, 1), (0, 1)] {
        let (done, warnings) = run(&first, &pair, false);
        let said = (done.snapshots, done.behind, done.damaged);
        assert_eq!(said, (snapshots, behind, 1), "{done:?}");
        assert!(is_told(&warnings), "{warnings:?}");
    }
    let mut done = Replicated::default();
    replicate::run(&pair.first(), &pair.second(), &options(), &Quiet, &mut done).unwrap();
    pair.verify(&pair.second(), false, "after the first");
}

/// A listing without the earlier one would have the later one hide it.
#[test]
fn a_short_listing_brings_nothing() {
    let (pair, _) = behind_by_two();
    // As a backup does before it begins: this machine knows now what is there.
    pair.first().survey().unwrap();
    let faulty = Faulty::new(Arc::new(pair.first.clone()));
    let first = pair.machine.open(Arc::new(faulty.clone())).unwrap();
    // Each of the names is lacking in one of these.
    for missing in 1..=3 {
        faulty.shorten(Kind::Snapshot, missing);
        let mut done = Replicated::default();
        let told = replicate::run(&first, &pair.second(), &options(), &Quiet, &mut done);
        assert!(matches!(told, Err(Error::ShortListing(_))), "{missing}: {told:?}");
        assert_eq!(done, Replicated::default(), "{missing}");
    }
    faulty.restart();
    assert_eq!(run(&first, &pair, false).0.snapshots, 2);
    pair.verify(&pair.second(), true, "all is listed");
}
