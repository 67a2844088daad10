//! What an operation asks of a remote, in requests. A request too many is a round trip for everybody, always.

use chunkstore::chunker::Bounds;
use chunkstore::remote::{Kind, Memory};
use engine::backup::{self, BackupReport};
use engine::entry::Content;
use engine::monitor::Quiet;
use engine::repo::Repo;
use engine::restore;
use engine::view::View;
use kit::machine::{self, Machine};
use kit::random::Random;
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
        Bench::on(Counting::new(Arc::new(Memory::new())))
    }

    /// The same on a remote that is far away.
    fn far() -> Self {
        Bench::on(Counting::far(Arc::new(Memory::new())))
    }

    fn on(remote: Counting) -> Self {
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

    fn open(&self, machine: &Machine) -> Repo {
        machine.open(Arc::new(self.remote.clone())).unwrap()
    }

    fn backup(&self, source: &Path) -> (BackupReport, Counts) {
        let before = self.remote.counts();
        let repo = self.machine.open_settled(Arc::new(self.remote.clone())).unwrap();
        let options = self.machine.options(&[source]);
        let report = backup::run(&repo, &options, None, &Quiet).unwrap();
        (report, self.remote.counts().since(&before))
    }

    /// A backup that finds nothing changed. Above the source are directories that others may change at that time: then
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
    // Keys, marks, index, generations; the packs, since an unchanged file relies on them; upgrades on opening, and beside the
    // index under the session, since only then is it known that a collection that publishes one waits for us.
    assert_eq!(calls(&counts, Operation::List, Kind::Pack), 1);
    assert_eq!(counts.all(Operation::List).calls, 7);
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
    // Keys, marks, index, generations, upgrades twice, and the packs that are there.
    assert_eq!(calls(&counts, Operation::List, Kind::Pack), 1);
    assert_eq!(counts.all(Operation::List).calls, 7);
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

#[test]
fn opening_from_afar() {
    let bench = Bench::far();
    let asks = |machine: &Machine| {
        let (_, counts, rounds) = bench.remote.rounds(|| bench.open(machine));
        (
            calls(&counts, Operation::Read, Kind::Config),
            counts.requests(),
            rounds,
        )
    };
    // Configuration and the names of the keys and upgrades, then the one key.
    assert_eq!(asks(&Machine::new("beta")), (1, 4, 2));
    assert_eq!(asks(&bench.machine), (1, 4, 2));
    for _ in 0..15 {
        // A kept configuration must not hide an upgrade: its name comes in the same round trip as the key.
        assert_eq!(asks(&bench.machine), (0, 2, 1), "the key that is known");
    }
    assert_eq!(asks(&bench.machine), (1, 4, 2), "now and then all is asked for");
    bench.machine.lose_cache();
    assert_eq!(asks(&bench.machine), (1, 4, 2));
}

/// What a machine keeps never opens what the repository would not.
#[test]
fn kept_copies_are_not_believed() {
    let bench = Bench::far();
    bench.backup(&bench.source());
    let config = chunkstore::remote::ObjectName::config();
    let stored = chunkstore::remote::Remote::get(&bench.remote, &config, 1 << 20).unwrap();
    // Without `config` others can't open what would be stored: the next run that stores something reports that.
    chunkstore::remote::Remote::delete(&bench.remote, &config).unwrap();
    std::fs::write(bench.source().join("a new file"), "new").unwrap();
    let repo = bench.open(&bench.machine);
    let failed = backup::run(&repo, &bench.machine.options(&[&bench.source()]), None, &Quiet);
    let said = failed.unwrap_err().to_string();
    assert!(said.contains("config: missing"), "{said}");
    chunkstore::remote::Remote::put(&bench.remote, &config, &stored).unwrap();
    bench.backup(&bench.source());
    // A key that was removed opens nothing, though it was the one that did.
    let repo = bench.open(&bench.machine);
    let old = repo.store.opened_with();
    let cost = chunkstore::slot::Cost::FLOOR;
    repo.store
        .add_slot(&machine::other_secret(), cost, "", 0)
        .unwrap();
    repo.store.remove_slot(old).unwrap();
    let refused = bench.machine.open(Arc::new(bench.remote.clone()));
    assert!(refused.is_err_and(|e| e.to_string().contains("wrong")));
    // Damage to what is kept costs requests and nothing else.
    let repo = bench.machine.open_either(Arc::new(bench.remote.clone())).unwrap();
    let listed = || {
        let before = bench.remote.counts();
        let snapshots = repo.snapshots().unwrap().0.len();
        let manifest = repo.snapshots().unwrap().0.last().unwrap().id;
        let whole = repo.manifest(manifest).unwrap().root().unwrap();
        let reader = repo.reader(&Quiet);
        let mut cursor = engine::trees::cursor(&reader, &whole).unwrap();
        let mut entries = 0;
        while cursor.next().unwrap().is_some() {
            entries += 1;
        }
        (
            snapshots,
            entries,
            bench.remote.counts().since(&before).all(Operation::Read).calls,
        )
    };
    let (snapshots, entries, reads) = listed();
    assert!(snapshots == 2 && entries > 10 && reads == 0, "{entries} {reads}");
    let kept = std::fs::read_dir(repo.store.cache().join("kept")).unwrap();
    let kept: Vec<PathBuf> = kept.map(|file| file.unwrap().path()).collect();
    assert!(kept.len() >= 4, "{kept:?}");
    kept.iter().for_each(|file| kit::program::hurt(file));
    let again = listed();
    assert_eq!((again.0, again.1), (snapshots, entries));
    assert!(again.2 >= 3);
    assert_eq!(listed(), (snapshots, entries, 0), "what was damaged is kept anew");
}

#[test]
fn a_backup_without_changes_from_afar() {
    let bench = Bench::far();
    bench.backup(&bench.source());
    for _ in 0..4 {
        bench.unchanged();
    }
    for _ in 0..50 {
        let ((report, _), counts, rounds) = bench.remote.rounds(|| bench.backup(&bench.source()));
        if report.summary.dirs_changed == 0 && report.summary.tree_blobs == 0 {
            // The key and upgrades; the session, marks, index and upgrades, snapshots; the manifest.
            assert!(counts.requests() <= 8 && rounds <= 6, "{rounds} {counts:?}");
            return;
        }
    }
    panic!("something changes all the time");
}

/// A restore asks for stretches of packs, not for frames, and for several at once.
#[test]
fn a_restore_from_afar() {
    let bench = Bench::far();
    let source = bench.work.path().join("noise");
    std::fs::create_dir(&source).unwrap();
    let total: u64 = 48 << 20;
    for n in 0..6 {
        let mut noise = vec![0; (total / 6) as usize];
        Random::new(n).fill(&mut noise);
        std::fs::write(source.join(format!("{n}")), noise).unwrap();
    }
    let (report, _) = bench.backup(&source);
    assert!(report.summary.data_blobs > 400, "many frames");
    let other = Machine::new("beta");
    let target = bench.work.path().join("target");
    let (_, counts, rounds) = bench.remote.rounds(|| {
        let repo = bench.open(&other);
        let manifest = repo.manifest(report.snapshot.unwrap()).unwrap();
        restore::run(&repo, &manifest, &restore::RestoreOptions::new(&target), &Quiet).unwrap()
    });
    let reads = counts.of(Operation::Read, Kind::Pack);
    // Of at most 4 MiB each, and some are cut short by the end of a pack.
    assert!(reads.calls <= 2 * total / (4 << 20), "{reads:?}");
    assert!(reads.bytes < total + total / 50, "{reads:?}");
    assert!(rounds < counts.requests() * 2 / 3, "{rounds} {counts:?}");
}

/// A file of eight times as many chunks takes eight times the reads, and each byte of it is read once.
#[test]
fn a_restore_of_many_chunks() {
    let read = |megabytes: usize| {
        let bench = Bench::new();
        let source = bench.work.path().join("large");
        std::fs::create_dir(&source).unwrap();
        let mut bytes = vec![0; megabytes << 20];
        Random::new(7).fill(&mut bytes);
        std::fs::write(source.join("image"), &bytes).unwrap();
        let (report, _) = bench.backup(&source);
        let before = bench.remote.counts();
        let repo = bench.open(&bench.machine);
        let manifest = repo.manifest(report.snapshot.unwrap()).unwrap();
        let options = restore::RestoreOptions::new(bench.work.path().join("out"));
        restore::run(&repo, &manifest, &options, &Quiet).unwrap();
        let counts = bench.remote.counts().since(&before);
        let packs = counts.of(Operation::Read, Kind::Pack);
        assert!(
            packs.bytes as usize <= bytes.len() + (megabytes << 10) + (64 << 10),
            "{counts:?}"
        );
        packs.calls
    };
    let (few, many) = (read(8), read(64));
    assert!(many <= 8 * few, "{few} {many}");
}

/// A tree is read in stretches that grow, and not at all by a machine that wrote or read it once.
#[test]
fn a_large_tree_from_afar() {
    let bench = Bench::far();
    let source = bench.work.path().join("many");
    for n in 0..60_000 {
        let folder = source.join(format!("{}", n / 300));
        if n % 300 == 0 {
            std::fs::create_dir_all(&folder).unwrap();
        }
        std::os::unix::fs::symlink(format!("/to/somewhere/{n}"), folder.join(format!("{n}"))).unwrap();
    }
    let (report, _) = bench.backup(&source);
    let segments = report.summary.tree_blobs;
    assert!(segments >= 10, "{segments} segments");
    let reads = |machine: &Machine| {
        let repo = bench.open(machine);
        let root = repo.manifest(report.snapshot.unwrap()).unwrap().root().unwrap();
        let before = bench.remote.counts();
        let reader = repo.reader(&Quiet);
        let mut cursor = engine::trees::cursor(&reader, &root).unwrap();
        let mut entries = 0;
        while cursor.next().unwrap().is_some() {
            entries += 1;
        }
        assert!(entries > 60_000);
        bench
            .remote
            .counts()
            .since(&before)
            .of(Operation::Read, Kind::Pack)
    };
    let other = Machine::new("beta");
    let far = reads(&other);
    assert!(far.calls <= segments / 3 + 2, "{far:?} for {segments} segments");
    assert_eq!(reads(&other).calls, 0, "kept as it was read");
    assert_eq!(reads(&bench.machine).calls, 0, "kept as it was written");
}

/// Chunks that were read last are kept: reading here and there in a file costs a request for each of its chunks, not for
/// each read.
#[test]
fn random_reads_of_a_file_that_is_shown() {
    let bench = Bench::new();
    let mut noise = vec![0; 2 << 20];
    Random::new(3).fill(&mut noise);
    let source = bench.source();
    std::fs::write(source.join("image"), &noise).unwrap();
    let (report, _) = bench.backup(&source);
    let id = report.snapshot.unwrap();
    let view = View::new(Arc::new(bench.open(&bench.machine)));
    let dir = source.to_str().unwrap().trim_start_matches('/').as_bytes();
    let seen = view.lookup(id, dir, b"image").unwrap().unwrap();
    let file = view.open(id, seen.number).unwrap().unwrap();
    let chunks = match &seen.entry.content {
        Content::Extents(extents) => extents.len() as u64,
        other => panic!("{other:?}"),
    };
    assert!((8..60).contains(&chunks), "{chunks}");
    let before = bench.remote.counts();
    let mut random = Random::new(4);
    for _ in 0..2000 {
        let at = random.below(noise.len() as u64 - 4096);
        let read = view.read(&file, at, 4096).unwrap();
        assert!(read[..] == noise[at as usize..][..4096], "{at}");
    }
    let reads = calls(&bench.remote.counts().since(&before), Operation::Read, Kind::Pack);
    assert!(reads <= chunks, "{reads} reads for {chunks} chunks");
}
