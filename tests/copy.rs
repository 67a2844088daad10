//! Copies between repositories with different keys: the same files come back, nothing is stored twice, and what did
//! not change is not read again.

use chunkstore::chunker::Bounds;
use chunkstore::remote::{Kind, Memory, Remote};
use engine::copy::{self, Copied, CopyOptions};
use engine::error::Error;
use engine::forget;
use engine::monitor::Quiet;
use engine::repo::Repo;
use kit::machine::{self, Machine, Noting};
use kit::oracle::{self, assert_same};
use kit::random::Random;
use kit::remotes::{contents, listed};
use kit::tree::{Shape, TreeMaker};
use std::path::PathBuf;
use std::sync::Arc;

struct Scene {
    machine: Machine,
    _work: tempfile::TempDir,
    source: PathBuf,
    tree: TreeMaker,
    from: Memory,
    to: Memory,
}

impl Scene {
    fn new(seed: u64) -> Scene {
        let work = tempfile::tempdir().unwrap();
        let source = work.path().join("source");
        let mut tree = TreeMaker::new(&source, seed, Shape::SMALL);
        tree.populate();
        let mut noise = vec![0; 3_000_000];
        Random::new(seed).fill(&mut noise);
        // Data, a run of zeros, and data again.
        noise[1_000_000..1_500_000].fill(0);
        std::fs::write(source.join("large"), noise).unwrap();
        let scene = Scene {
            machine: Machine::new("alpha"),
            _work: work,
            source,
            tree,
            from: Memory::new(),
            to: Memory::new(),
        };
        machine::create_small(&scene.from).unwrap();
        machine::create(&scene.to, Bounds::FINE).unwrap();
        scene
    }

    fn open(&self, memory: &Memory) -> Repo {
        self.machine.open(Arc::new(memory.clone())).unwrap()
    }

    fn backup(&self, memory: &Memory) {
        self.machine
            .backup(Arc::new(memory.clone()), &self.source)
            .unwrap();
    }

    fn copy(&self, dry_run: bool) -> Copied {
        let options = CopyOptions {
            all: false,
            dry_run,
            level: 1,
        };
        copy::run(
            &self.open(&self.from),
            &self.open(&self.to),
            &[],
            &options,
            &Quiet,
        )
        .unwrap()
    }

    /// The newest at the target is the source as it is.
    #[track_caller]
    fn verify(&self, context: &str) {
        let repo = self.open(&self.to);
        let newest = repo.snapshots().unwrap().0.pop().unwrap();
        let found = oracle::generation(&repo, newest.id, &self.source).unwrap();
        assert_same(&oracle::walk(&self.source), &found, context);
        let told = Noting::default();
        let how = engine::check::CheckOptions {
            read_data: engine::check::ReadData::All,
        };
        let report = engine::check::run(&repo, &how, &told).unwrap();
        assert_eq!(
            report.num_errors + report.num_warnings,
            0,
            "{context}: {:?}",
            told.problems()
        );
    }
}

#[test]
fn copies_are_whole_and_repeating_one_does_nothing() {
    let mut scene = Scene::new(41);
    scene.backup(&scene.from);
    let before = contents(&scene.to).unwrap();
    let planned = scene.copy(true);
    assert!(contents(&scene.to).unwrap() == before, "a dry run writes nothing");
    let copied = scene.copy(false);
    assert_eq!((copied.snapshots.len(), planned.snapshots.len()), (1, 1));
    assert_eq!(planned.data_added, copied.data_added);
    scene.verify("the first copy");
    let before = contents(&scene.to).unwrap();
    assert_eq!(scene.copy(false), Copied::default());
    assert!(contents(&scene.to).unwrap() == before, "repeated");
    // What did not change is neither read nor stored again.
    scene.tree.edit(3);
    std::fs::write(scene.source.join("one more"), "small").unwrap();
    scene.backup(&scene.from);
    let next = scene.copy(false);
    assert_eq!(next.snapshots.len(), 1);
    assert!(
        next.bytes_read < copied.bytes_read / 2,
        "{next:?} after {copied:?}"
    );
    assert!(
        next.data_added < copied.data_added / 2,
        "{next:?} after {copied:?}"
    );
    scene.verify("the second copy");
}

/// What was backed up at the target is found there, in large files and in small ones.
#[test]
fn copies_share_with_what_was_backed_up() {
    let scene = Scene::new(42);
    scene.backup(&scene.to);
    let full = scene.open(&scene.to).snapshots().unwrap().0[0]
        .manifest
        .summary
        .data_added;
    // At the source it is another generation, of the same files.
    let source = Scene::new(42);
    source.backup(&source.from);
    let options = CopyOptions {
        all: true,
        dry_run: false,
        level: 1,
    };
    let (from, to) = (source.open(&source.from), scene.open(&scene.to));
    let copied = copy::run(&from, &to, &[], &options, &Quiet).unwrap();
    assert_eq!(copied.snapshots.len(), 1);
    // Beside a run of zeros some chunks are cut elsewhere than by a backup: as many as chance has it, up to a quarter.
    assert!(
        copied.data_added < full / 2,
        "{} new of {full}",
        copied.data_added
    );
}

#[test]
fn a_hurt_generation_keeps_no_other() {
    let scene = Scene::new(43);
    scene.backup(&scene.from);
    let before: Vec<_> = listed(&scene.from, Kind::Pack)
        .unwrap()
        .into_iter()
        .map(|p| p.0)
        .collect();
    let extra = scene.source.join("hurt");
    let mut noise = vec![0; 200_000];
    Random::new(1).fill(&mut noise);
    std::fs::write(&extra, &noise).unwrap();
    scene.backup(&scene.from);
    for (name, _) in listed(&scene.from, Kind::Pack).unwrap() {
        if !before.contains(&name) {
            scene.from.delete(&name).unwrap();
        }
    }
    let copied = scene.copy(false);
    assert_eq!((copied.snapshots.len(), copied.damaged), (1, 1));
}

#[test]
fn replicas_are_not_copied_and_removed_copies_stay_away() {
    let scene = Scene::new(44);
    scene.backup(&scene.from);
    let replica = Memory::new();
    let first = scene.open(&scene.from);
    first.store.make_replica(&replica, 1).unwrap();
    let replica = first.open_replica_on(Arc::new(replica)).unwrap();
    let options = CopyOptions {
        all: false,
        dry_run: false,
        level: 1,
    };
    let refused = copy::run(&first, &replica, &[], &options, &Quiet);
    assert!(matches!(refused, Err(Error::Refused(_))));
    scene.copy(false);
    let to = scene.open(&scene.to);
    let id = to.snapshots().unwrap().0[0].id;
    forget::apply(&to, &[id]).unwrap();
    assert_eq!(scene.copy(false), Copied::default());
    let all = CopyOptions { all: true, ..options };
    let again = copy::run(&first, &to, &[], &all, &Quiet).unwrap();
    assert_eq!(
        (again.snapshots.len(), again.chunks),
        (1, 0),
        "all its chunks are there"
    );
    scene.verify("again");
}
