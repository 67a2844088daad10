//! Repositories written by this and every earlier version, kept as files: all of them must be read for ever, and
//! written on. `golden/v1` is made by `cargo test -p dedup-tests -- --ignored regenerate_golden`, which also makes what
//! [`replicas`], [`later`] and [`records`] read; once a format has been released its directory is never touched again.

mod later;
mod records;
mod replicas;

use chunkstore::chunker::Bounds;
use chunkstore::config::Config;
use chunkstore::remote::{Kind, Local, Remote};
use chunkstore::slot::{Cost, Password, Secret};
use chunkstore::store::{NewStore, Store};
use chunkstore::{SessionId, session::Session};
use engine::entry::Kind as EntryKind;
use engine::monitor::{Monitor, Phase, Problem, Progress, Quiet};
use engine::repo::Repo;
use engine::run::CancelToken;
use engine::{backup, check, forget, restore};
use kit::machine::{self, Machine, Noting, copy_dir};
use kit::oracle::{self, Node, Tree, assert_same};
use kit::random::Random;
use kit::remotes::listed;
use kit::tree::{Shape, TreeMaker};
use std::fmt::Write;
use std::fs;
use std::num::NonZeroUsize;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Generations remember where their source was.
const SOURCE: &str = "/tmp/dedup-golden/source";
const OTHER_SOURCE: &str = "/tmp/dedup-golden/other";
const PASSWORD: &str = "golden pässword";
const LARGEST: u64 = 300_000;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

fn secrets() -> [(Secret, &'static str); 3] {
    [
        (machine::secret(), "key file"),
        (Secret::Password(Password::new(PASSWORD)), "password"),
        (Secret::Phrase([5; 32].into()), "phrase"),
    ]
}

/// All generations as text: what they record of themselves, and every entry.
fn describe(repo: &Repo) -> String {
    let mut text = String::new();
    let (snapshots, bad) = repo.snapshots().unwrap();
    assert!(bad.is_empty(), "{bad:?}");
    for snapshot in snapshots {
        let manifest = &snapshot.manifest;
        let paths: Vec<String> = manifest
            .paths
            .iter()
            .map(|path| path.escape_ascii().to_string())
            .collect();
        writeln!(
            text,
            "generation {} {} {} {paths:?} {:?} {:?} partial={} protected={} sequence={} errors={}",
            snapshot.id,
            manifest.time(),
            manifest.host,
            manifest.tags,
            manifest.description,
            manifest.partial,
            manifest.protected,
            manifest.sequence,
            manifest.summary.errors,
        )
        .unwrap();
        let source = source_of(&manifest.paths[0]);
        for (path, node) in oracle::generation(repo, snapshot.id, &source).unwrap() {
            writeln!(text, "{}", line(&path, &node)).unwrap();
        }
    }
    text
}

fn source_of(path: &[u8]) -> PathBuf {
    PathBuf::from(std::ffi::OsStr::from_bytes(path))
}

fn line(path: &[u8], node: &Node) -> String {
    let hash = node.content.map_or("-".to_string(), |hash| {
        blake3::Hash::from_bytes(hash).to_hex()[..16].to_string()
    });
    let mut line = format!(
        "  {:?} {:o} {}:{} {}.{:09} {} {hash} {:?}",
        node.what, node.mode, node.uid, node.gid, node.mtime.0, node.mtime.1, node.size, node.group
    );
    for (name, value) in &node.xattrs {
        write!(line, " {}={}", name.escape_ascii(), value.escape_ascii()).unwrap();
    }
    write!(
        line,
        " '{}' -> '{}'",
        path.escape_ascii(),
        node.target.escape_ascii()
    )
    .unwrap();
    line
}

fn sound(repo: &Repo, context: &str) {
    let options = check::CheckOptions {
        read_data: check::ReadData::All,
    };
    let told = Noting::default();
    let report = check::run(repo, &options, &told).unwrap();
    assert_eq!(report.num_errors, 0, "{context}: {:?}", told.problems());
}

/// Restores a generation and compares, as far as this process's rights go.
fn restores(repo: &Repo, id: SessionId, paths: &[Vec<u8>]) {
    let place = tempfile::tempdir().unwrap();
    let mut options = restore::RestoreOptions::new(place.path().join("target"));
    options.subpath = Some(paths[0].clone());
    options.verify = true;
    let told = Noting::default();
    restore::run(repo, &repo.manifest(id).unwrap(), &options, &told).unwrap();
    let root = rustix::process::geteuid().is_root();
    let expected = comparable(oracle::generation(repo, id, &source_of(&paths[0])).unwrap(), root);
    let found = comparable(oracle::walk(&options.target), root);
    assert_same(&expected, &found, &format!("{id} restored"));
    assert!(!root || told.problems().is_empty(), "{:?}", told.problems());
}

fn comparable(mut tree: Tree, root: bool) -> Tree {
    // The target is the user's own directory.
    tree.remove(&b""[..]);
    if !root {
        tree.values_mut().for_each(|node| (node.uid, node.gid) = (0, 0));
    }
    tree
}

#[test]
fn every_golden_repository_is_read_and_written_on() {
    let mut seen = 0;
    for version in fs::read_dir(golden()).unwrap() {
        let version = version.unwrap().path();
        if !version.is_dir() {
            continue;
        }
        seen += 1;
        let expected = fs::read_to_string(version.join("expected")).unwrap();
        let work = tempfile::tempdir().unwrap();
        let place = work.path().join("repository");
        copy_dir(&version.join("repository"), &place);
        let remote: Arc<dyn Remote> = Arc::new(Local::new(&place));
        for (secret, label) in secrets() {
            let reader = Machine::new("reader");
            let repo = Repo::open_on(remote.clone(), &secret, &reader.run()).unwrap();
            assert_eq!(
                repo.store
                    .slots()
                    .unwrap()
                    .iter()
                    .filter(|slot| slot.current)
                    .count(),
                1
            );
            if label == "key file" {
                assert!(
                    describe(&repo) == expected,
                    "{}: not as it was",
                    version.display()
                );
                sound(&repo, "as found");
                for snapshot in repo.snapshots().unwrap().0 {
                    restores(&repo, snapshot.id, &snapshot.manifest.paths);
                }
            }
        }
        written_on(&remote, &expected);
    }
    assert!(seen >= 1);
}

/// A new backup, and a collection of all that may go: the old generations stay what they were.
fn written_on(remote: &Arc<dyn Remote>, expected: &str) {
    let machine = Machine::new("newcomer");
    let work = tempfile::tempdir().unwrap();
    let source = work.path().join("source");
    TreeMaker::new(&source, 99, Shape::SMALL).populate();
    let report = machine.backup(remote.clone(), &source).unwrap();
    let repo = machine.open(remote.clone()).unwrap();
    // The stranger's session is noticed, and the next time taken for dead.
    assert!(machine::prune(&repo, Duration::ZERO).unwrap().pending);
    let summary = machine::prune(&repo, Duration::ZERO).unwrap();
    assert!(!summary.pending && summary.packs_deleted > 0, "{summary:?}");
    sound(&repo, "written on");
    let held = oracle::generation(&repo, report.snapshot.unwrap(), &source).unwrap();
    assert_same(&oracle::walk(&source), &held, "a new generation");
    forget::apply(&repo, &[report.snapshot.unwrap()]).unwrap();
    assert!(describe(&repo) == expected, "after a collection");
}

/// What goes into the golden repository besides a random tree.
fn add_curiosities(source: &Path) {
    fs::write(
        source.join("large text"),
        b"a line of text that repeats\n".repeat(9000),
    )
    .unwrap();
    // Thousands of extents in little space: the same block again and again, with holes between.
    let file = fs::File::create(source.join("holes")).unwrap();
    let mut block = vec![0; 4096];
    Random::new(1).fill(&mut block);
    for number in 0..3000 {
        file.write_all_at(&block, number * 8192).unwrap();
    }
    file.set_len(3000 * 8192).unwrap();
}

fn small_repository(remote: &dyn Remote) {
    let bounds = Bounds {
        min: 4 << 10,
        avg: 16 << 10,
        max: 64 << 10,
    };
    let config = Config {
        pack_size: 1 << 20,
        bundle_size: 64 << 10,
        ..Config::new(bounds, 1_700_000_000)
    };
    let new = NewStore {
        bounds,
        secrets: &secrets(),
        cost: Cost::FLOOR,
        now: 1_700_000_000,
    };
    Store::create_with(remote, &new, &config).unwrap();
}

#[test]
#[ignore = "writes tests/golden/v1/repository"]
fn regenerate_golden() {
    let place = golden().join("v1");
    let _not_there = fs::remove_dir_all(place.join("repository"));
    fs::create_dir_all(&place).unwrap();
    let _not_there = fs::remove_dir_all(Path::new(SOURCE).parent().unwrap());
    fs::create_dir_all(Path::new(SOURCE).parent().unwrap()).unwrap();
    let remote: Arc<dyn Remote> = Arc::new(Local::new(place.join("repository")));
    small_repository(&*remote);
    let shape = Shape {
        files: 20,
        largest: 20_000,
        boundary: 4 << 10,
        crowd: 30,
        special: true,
    };
    let mut maker = TreeMaker::new(Path::new(SOURCE), 3, shape);
    maker.populate();
    add_curiosities(Path::new(SOURCE));
    let (alpha, beta) = (Machine::new("alpha"), Machine::new("beta"));
    let (source, other) = (Path::new(SOURCE), Path::new(OTHER_SOURCE));
    interrupted_backup(&alpha, &remote, source);
    let doomed = write_generation(&alpha, &remote, source, &["tag", "täg"]);
    maker.edit(10);
    write_generation(&alpha, &remote, source, &[]);
    TreeMaker::new(other, 4, Shape { files: 8, ..shape }).populate();
    write_generation(&beta, &remote, other, &["other"]);
    let repo = alpha.open(remote.clone()).unwrap();
    // Publishes an upgrade.
    repo.store
        .upgrade(1_700_000_100, &|standing| {
            standing.optional.push("nothing yet".to_string())
        })
        .unwrap();
    // A fence, and a session that stays open, for which a mark waits.
    chunkstore::session::fence(&repo.store, SessionId([3; 16])).unwrap();
    let stranger = Machine::new("stranger").open(remote.clone()).unwrap();
    std::mem::forget(Session::begin(&stranger.store, &stranger.owner()).unwrap());
    let thrown_away = write_generation(&alpha, &remote, other, &[]);
    forget::apply(&repo, &[thrown_away]).unwrap();
    let summary = machine::prune(&repo, HOUR).unwrap();
    assert!(summary.pending, "{summary:?}");
    forget::apply(&repo, &[doomed]).unwrap();
    fs::write(place.join("expected"), describe(&repo)).unwrap();
    drop(repo);
    covers_everything(&alpha, &remote);
    fs::remove_dir_all(source.parent().unwrap()).unwrap();
}

/// Wants to stop in the midst of things.
struct Impatient(AtomicU64, CancelToken);

impl Monitor for Impatient {
    fn phase(&self, _: Phase) {}
    fn progress(&self, _: &Progress) {}
    fn current(&self, _: &[u8]) {
        if self.0.fetch_add(1, Ordering::Relaxed) == 30 {
            self.1.cancel();
        }
    }
    fn problem(&self, _: &Problem) {}
}

/// Leaves a partial generation.
fn interrupted_backup(machine: &Machine, remote: &Arc<dyn Remote>, source: &Path) {
    let mut repo = machine.open(remote.clone()).unwrap();
    repo.run_mut().threads = NonZeroUsize::new(1);
    let impatient = Impatient(AtomicU64::new(0), repo.run().cancel().clone());
    let result = backup::run(&repo, &machine.options(&[source]), None, &impatient);
    assert!(matches!(result, Err(engine::Error::Interrupted)), "{result:?}");
}

const HOUR: Duration = Duration::from_secs(3600);

fn write_generation(machine: &Machine, remote: &Arc<dyn Remote>, source: &Path, tags: &[&str]) -> SessionId {
    let repo = machine.open(remote.clone()).unwrap();
    let mut options = machine.options(&[source]);
    options.tags = tags.iter().map(|tag| tag.to_string()).collect();
    options.description = format!("{} tags", tags.len());
    let report = backup::run(&repo, &options, None, &Quiet).unwrap();
    report.snapshot.unwrap()
}

/// The golden repository is worth keeping only if everything occurs in it.
fn covers_everything(machine: &Machine, remote: &Arc<dyn Remote>) {
    let mut size = 0;
    // Parity is an option, and made of packs alone; lists of the forgotten are as small as marks. Overviews are in
    // repositories on a network only (`golden/later.rs`), and records of machines came later (`golden/records.rs`).
    let elsewhere = [Kind::Parity, Kind::Forgotten, Kind::Overview, Kind::Machine];
    for kind in Kind::ALL.into_iter().filter(|kind| !elsewhere.contains(kind)) {
        let objects = listed(&**remote, kind).unwrap();
        assert!(!objects.is_empty(), "no {kind:?}");
        size += objects.iter().map(|(_, size)| size).sum::<u64>();
    }
    assert!(size < LARGEST, "{size} bytes are too many to keep");
    let repo = machine.open(remote.clone()).unwrap();
    let (mut kinds, mut contents, mut partial) = ([false; 7], [false; 4], false);
    for snapshot in repo.snapshots().unwrap().0 {
        partial |= snapshot.manifest.partial;
        let reader = repo.reader(&Quiet);
        let root = repo.manifest(snapshot.id).unwrap().root().unwrap();
        let mut cursor = engine::trees::cursor(&reader, &root).unwrap();
        while let Some(item) = cursor.next().unwrap() {
            use engine::entry::Content;
            kinds[match item.entry.kind {
                EntryKind::File => 0,
                EntryKind::Dir => 1,
                EntryKind::Symlink { .. } => 2,
                EntryKind::CharDevice { .. } => 3,
                EntryKind::BlockDevice { .. } => 4,
                EntryKind::Fifo => 5,
                EntryKind::Socket => 6,
            }] = true;
            contents[match item.entry.content {
                Content::None => 0,
                Content::Bundled { .. } => 1,
                Content::Extents(_) => 2,
                Content::Lists(_) => 3,
            }] = true;
        }
    }
    assert!(
        partial && kinds == [true; 7] && contents == [true; 4],
        "{partial} {kinds:?} {contents:?}"
    );
}
