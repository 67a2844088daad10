//! What an operation asks of a remote, in requests. A request too many is a round trip for everybody, always.

use chunkstore::chunker::Bounds;
use chunkstore::remote::{Kind, Memory};
use engine::backup::{self, Report};
use engine::monitor::Quiet;
use kit::machine::{self, Machine, settled_now};
use kit::remotes::{Counting, Counts, Operation};
use kit::tree::{Shape, TreeMaker};
use std::path::{Path, PathBuf};
use std::sync::Arc;

struct Bench {
    work: tempfile::TempDir,
    remote: Counting,
    machine: Machine,
}

impl Bench {
    fn new() -> Self {
        let remote = Counting::new(Arc::new(Memory::new()));
        machine::create(&remote, Bounds::FINE).unwrap();
        let work = tempfile::tempdir().unwrap();
        TreeMaker::new(&work.path().join("source"), 21, Shape::SMALL).populate();
        Bench {
            work,
            remote,
            machine: Machine::new("alpha"),
        }
    }

    fn source(&self) -> PathBuf {
        self.work.path().join("source")
    }

    fn backup(&self, source: &Path) -> (Report, Counts) {
        let before = self.remote.counts();
        let repo = self.machine.open(Arc::new(self.remote.clone())).unwrap();
        let mut options = self.machine.options(&[source]);
        options.now = settled_now();
        let report = backup::run(&repo, &options, None, &Quiet).unwrap();
        (report, self.remote.counts().since(&before))
    }

    /// A backup that finds nothing changed. Above the source are directories that others may change meanwhile: then
    /// another is made.
    fn unchanged(&self) -> Counts {
        for _ in 0..50 {
            let (report, counts) = self.backup(&self.source());
            if report.summary.dirs_changed == 0 && report.summary.tree_blobs == 0 {
                assert_eq!(report.summary.data_added, 0);
                return counts;
            }
        }
        panic!("something changes all the time");
    }

    fn snapshots(&self) -> u64 {
        kit::remotes::listed(&self.remote, Kind::Snapshot).unwrap().len() as u64
    }
}

fn calls(counts: &Counts, operation: Operation, kind: Kind) -> u64 {
    counts.of(operation, kind).calls
}

#[test]
fn a_backup_without_changes() {
    let bench = Bench::new();
    bench.backup(&bench.source());
    bench.unchanged();
    let before = bench.snapshots();
    let counts = bench.unchanged();
    // Two new objects: the session and the manifest.
    assert_eq!(counts.all(Operation::Begin).calls, 2);
    assert_eq!(calls(&counts, Operation::Publish, Kind::Session), 1);
    assert_eq!(calls(&counts, Operation::Publish, Kind::Snapshot), 1);
    assert_eq!(counts.all(Operation::Barrier).calls, 2);
    assert_eq!(counts.all(Operation::Delete).calls, 0);
    // Opening: configuration and the one key. Then the view, the generations, and of the parent the tree.
    assert_eq!(calls(&counts, Operation::Read, Kind::Config), 1);
    assert_eq!(calls(&counts, Operation::Read, Kind::Key), 1);
    assert_eq!(
        calls(&counts, Operation::Read, Kind::Index),
        0,
        "the index was not needed"
    );
    assert_eq!(calls(&counts, Operation::Read, Kind::Pack), 1, "one tree segment");
    assert_eq!(counts.all(Operation::List).calls, 4);
    assert_eq!(counts.all(Operation::Size).calls, 0);
    let manifests = calls(&counts, Operation::Read, Kind::Snapshot);
    assert!(
        manifests <= before + 3,
        "{manifests} reads for {before} generations"
    );
}

#[test]
fn a_first_backup() {
    let bench = Bench::new();
    let (report, counts) = bench.backup(&bench.source());
    assert!(report.summary.data_blobs > 3);
    // Packs close when they are full or at the end: one of data for each of two workers, one of trees.
    let packs = calls(&counts, Operation::Publish, Kind::Pack);
    assert!((2..=3).contains(&packs), "{packs} packs");
    assert_eq!(calls(&counts, Operation::Publish, Kind::Index), 1);
    assert_eq!(calls(&counts, Operation::Publish, Kind::Session), 1);
    assert_eq!(calls(&counts, Operation::Publish, Kind::Snapshot), 1);
    // Session, packs together, index, manifest.
    assert_eq!(counts.all(Operation::Barrier).calls, 4, "{counts:?}");
    assert_eq!(calls(&counts, Operation::Read, Kind::Pack), 0);
    assert_eq!(counts.all(Operation::Delete).calls, 0);
    // Keys, marks, index, generations, and the packs that are there.
    assert_eq!(calls(&counts, Operation::List, Kind::Pack), 1);
    assert_eq!(counts.all(Operation::List).calls, 5);
}

/// A changed file among many costs what it weighs: its chunk, one tree segment, their packs and one index.
#[test]
fn a_small_change() {
    let bench = Bench::new();
    bench.backup(&bench.source());
    bench.unchanged();
    std::fs::write(bench.source().join("a new file"), vec![b'x'; 3000]).unwrap();
    let (report, counts) = bench.backup(&bench.source());
    assert_eq!((report.summary.files_new, report.summary.data_blobs), (1, 1));
    assert!(report.summary.tree_blobs <= 2);
    assert_eq!(calls(&counts, Operation::Publish, Kind::Pack), 2);
    assert_eq!(calls(&counts, Operation::Publish, Kind::Index), 1);
    let written = counts.all(Operation::Write).bytes;
    assert!(written < 40_000, "{written} bytes");
}
