//! Random trees through random edits: every generation must hold exactly what was there, whatever becomes of the
//! local files in between.

use chunkstore::chunker::Bounds;
use chunkstore::remote::{Local, Memory, Remote};
use chunkstore::{Error as StoreError, SessionId};
use engine::backup;
use engine::manifest::Summary;
use engine::monitor::Quiet;
use kit::machine::{self, Machine, Noting};
use kit::oracle::{self, Tree, assert_same};
use kit::random::{Random, seeds};
use kit::remotes::contents;
use kit::tree::{Shape, TreeMaker};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

const GENERATIONS: usize = 5;

/// A repository, a machine, a source, and what each generation must hold.
struct Story {
    remote: Arc<dyn Remote>,
    machine: Machine,
    random: Random,
    taken: Vec<(SessionId, Tree)>,
}

impl Story {
    fn check(&self, source: &Path, seed: u64) {
        let repo = self.machine.open(self.remote.clone()).unwrap();
        for (number, (id, tree)) in self.taken.iter().enumerate() {
            let found = oracle::generation(&repo, *id, source).unwrap();
            assert_same(tree, &found, &format!("seed {seed}, generation {number}"));
            let place = tempfile::tempdir().unwrap();
            let target = place.path().join("restored");
            let restored = oracle::restored(&repo, *id, source, &target);
            // The target directory is the user's, and keeps its own metadata.
            let below = |tree: &Tree| {
                let mut tree = tree.clone();
                tree.remove(&b""[..]);
                tree
            };
            let what = format!("seed {seed}, generation {number} restored");
            assert_same(&below(tree), &below(&restored), &what);
            if number + 1 == self.taken.len()
                && let Some(said) = oracle::rsync_differences(source, &target)
            {
                let said: Vec<&str> = said.lines().filter(|line| !line.ends_with(" ./")).collect();
                assert!(said.is_empty(), "seed {seed}: rsync would change {said:?}");
            }
        }
    }

    /// What may happen to a machine's files between two runs.
    fn mishap(&mut self) {
        match self.random.below(5) {
            0 => self.machine.lose_cache(),
            1 => self.machine.lose_state(),
            2 => self.machine = Machine::new(&self.machine.host),
            _ => {}
        }
    }

    /// A dry run leaves repository and source alone, and finds as much as the real one after it.
    fn dry_run(&self, source: &Path, seed: u64) {
        let (before, tree) = (contents(&*self.remote).unwrap(), oracle::walk(source));
        let repo = self.machine.open(self.remote.clone()).unwrap();
        let mut options = self.machine.options(&[source]);
        options.dry_run = true;
        let report = backup::run(&repo, &options, None, &Quiet).unwrap();
        assert_eq!(report.snapshot, None);
        assert!(
            contents(&*self.remote).unwrap() == before,
            "seed {seed}: a dry run wrote"
        );
        assert_same(&tree, &oracle::walk(source), "source after a dry run");
    }
}

fn tell(seed: u64, remote: Arc<dyn Remote>, bounds: Bounds, shape: Shape) {
    let work = tempfile::tempdir().unwrap();
    let source = work.path().join("source");
    let mut maker = TreeMaker::new(&source, seed, shape);
    maker.populate();
    machine::create(&*remote, bounds).unwrap();
    let mut story = Story {
        remote,
        machine: Machine::new("alpha"),
        random: Random::new(seed ^ 0xfeed),
        taken: Vec::new(),
    };
    for generation in 0..GENERATIONS {
        if generation > 0 {
            maker.edit(shape.files / 3);
        }
        if story.random.chance(40) {
            story.dry_run(&source, seed);
            story.mishap();
        }
        let mut repo = story.machine.open(story.remote.clone()).unwrap();
        let mut options = story.machine.options(&[&source]);
        options.force = story.random.chance(15);
        options.level = [1, 3, -1][story.random.below(3) as usize];
        repo.run_mut().threads = NonZeroUsize::new(1 + story.random.below(4) as usize);
        let told = Noting::default();
        let report = backup::run(&repo, &options, None, &told).unwrap();
        assert_eq!(report.summary.errors, 0, "seed {seed}: {:?}", told.problems());
        story
            .taken
            .push((report.snapshot.unwrap(), oracle::walk(&source)));
        drop(repo);
        story.mishap();
        story.check(&source, seed);
    }
}

#[test]
fn every_generation_holds_what_was_there() {
    for seed in seeds(3) {
        tell(seed, Arc::new(Memory::new()), Bounds::FINE, Shape::SMALL);
    }
}

#[test]
fn large_trees_in_a_directory() {
    for seed in seeds(1) {
        let work = tempfile::tempdir().unwrap();
        let remote = Local::new(work.path().join("repository"));
        tell(seed, Arc::new(remote), Bounds::DEFAULT, Shape::LARGE);
    }
}

/// A source with its repository, after a first backup whose files are all old enough to be trusted.
struct Settled {
    work: tempfile::TempDir,
    remote: Arc<dyn Remote>,
    machine: Machine,
}

impl Settled {
    fn new(seed: u64) -> Self {
        let work = tempfile::tempdir().unwrap();
        let remote: Arc<dyn Remote> = Arc::new(Memory::new());
        machine::create(&*remote, Bounds::FINE).unwrap();
        TreeMaker::new(&work.path().join("source"), seed, Shape::SMALL).populate();
        let machine = Machine::new("alpha");
        let settled = Settled {
            work,
            remote,
            machine,
        };
        settled.backup(&settled.machine, false);
        settled
    }

    fn source(&self) -> std::path::PathBuf {
        self.work.path().join("source")
    }

    fn backup(&self, machine: &Machine, force: bool) -> backup::BackupReport {
        let repo = machine.open_settled(self.remote.clone()).unwrap();
        let mut options = machine.options(&[&self.source()]);
        options.force = force;
        let report = backup::run(&repo, &options, None, &Quiet).unwrap();
        let found = oracle::generation(&repo, report.snapshot.unwrap(), &self.source()).unwrap();
        assert_same(&oracle::walk(&self.source()), &found, "what was backed up");
        report
    }
}

/// Directories above the source belong to the generation, and other tests make and remove files there.
fn only_parents_changed(summary: &Summary) -> bool {
    summary.data_blobs == 0 && summary.tree_blobs <= summary.dirs_changed.min(1)
}

#[test]
fn unchanged_means_nothing_stored() {
    let settled = Settled::new(11);
    let again = settled.backup(&settled.machine, false).summary;
    assert_eq!((again.files_new, again.files_changed, again.dirs_new), (0, 0, 0));
    assert!(only_parents_changed(&again), "{again:?}");
    settled.machine.lose_cache();
    let without_cache = settled.backup(&settled.machine, false).summary;
    assert_eq!(without_cache.files_changed, 0);
    assert!(only_parents_changed(&without_cache), "{without_cache:?}");
    settled.machine.lose_state();
    let without_state = settled.backup(&settled.machine, false).summary;
    assert_eq!(without_state.files_changed, 0);
    assert!(only_parents_changed(&without_state), "{without_state:?}");
}

#[test]
fn force_reads_everything_and_stores_nothing_new() {
    let settled = Settled::new(12);
    let forced = settled.backup(&settled.machine, true).summary;
    assert_eq!((forced.files_unmodified, forced.files_changed), (0, 0));
    assert!(forced.files_new > 10);
    assert!(forced.data_blobs == 0 && forced.tree_blobs <= 1, "{forced:?}");
}

/// Neither knows what the other did, but for the index: bundles must come out the same.
#[test]
fn two_machines_store_the_same_tree_once() {
    let work = tempfile::tempdir().unwrap();
    let source = work.path().join("source");
    let mut random = Random::new(13);
    for dir in 0..40 {
        let dir = source.join(dir.to_string());
        std::fs::create_dir_all(&dir).unwrap();
        for file in 0..25 {
            let mut bytes = vec![0; 1 + random.below(12_000) as usize];
            random.fill(&mut bytes);
            std::fs::write(dir.join(format!("{file}.dat")), bytes).unwrap();
        }
        let mut large = vec![0; 40_000];
        random.fill(&mut large);
        if random.chance(5) {
            std::fs::write(dir.join("large"), large).unwrap();
        }
    }
    let remote: Arc<dyn Remote> = Arc::new(Memory::new());
    machine::create(&*remote, Bounds::FINE).unwrap();
    let first = Machine::new("alpha")
        .backup(remote.clone(), &source)
        .unwrap()
        .summary;
    let second = Machine::new("beta")
        .backup(remote.clone(), &source)
        .unwrap()
        .summary;
    assert!(first.data_added > 5 << 20);
    assert!(
        second.data_blobs <= 1 && second.data_added < first.data_added / 20,
        "{second:?}"
    );
}

#[test]
fn renamed_and_touched_files_are_not_stored_again() {
    let settled = Settled::new(14);
    let source = settled.source();
    for (number, entry) in std::fs::read_dir(&source).unwrap().enumerate() {
        let path = entry.unwrap().path();
        kit::tree::set_mtime(&path, 1_600_000_000, number as i64);
        std::fs::rename(&path, source.join(format!("renamed {number}"))).unwrap();
    }
    let report = settled.backup(&settled.machine, false).summary;
    assert!(report.files_new > 10);
    assert_eq!(report.data_blobs, 0, "{report:?}");
}

/// Same size, same mtime: only the ctime shows it, and within one tick not even that.
#[test]
fn quiet_changes_are_seen() {
    let work = tempfile::tempdir().unwrap();
    let source = work.path().join("source");
    std::fs::create_dir(&source).unwrap();
    let remote: Arc<dyn Remote> = Arc::new(Memory::new());
    machine::create(&*remote, Bounds::FINE).unwrap();
    let machine = Machine::new("alpha");
    for round in 0..10u8 {
        for file in 0..20 {
            let path = source.join(file.to_string());
            std::fs::write(&path, vec![round.wrapping_mul(31) ^ file; 5000]).unwrap();
            kit::tree::set_mtime(&path, 1_700_000_000, 0);
        }
        let report = machine.backup(remote.clone(), &source).unwrap();
        let repo = machine.open(remote.clone()).unwrap();
        let found = oracle::generation(&repo, report.snapshot.unwrap(), &source).unwrap();
        assert_same(&oracle::walk(&source), &found, &format!("round {round}"));
    }
}

#[test]
fn a_wrong_key_opens_nothing() {
    let remote: Arc<dyn Remote> = Arc::new(Memory::new());
    machine::create(&*remote, Bounds::FINE).unwrap();
    let machine = Machine::new("alpha");
    let wrong = chunkstore::slot::Secret::KeyFile([8; 32].into());
    let opened = engine::repo::Repo::open_on(remote, &wrong, &machine.run());
    assert!(matches!(
        opened.err(),
        Some(engine::Error::Store(StoreError::WrongKey))
    ));
}
