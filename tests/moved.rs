//! Small files that a collection takes out of bundles: the space comes back, every reader finds them, and no one who
//! only adds to a repository can make a collection delete what a generation needs.

mod attack;

use chunkstore::pack;
use chunkstore::remote::{Kind, Memory, ObjectName, Remote};
use chunkstore::session::View;
use chunkstore::sweep::Unused;
use chunkstore::{IndexId, PackId, SessionId};
use engine::monitor::Quiet;
use engine::prune::{self, PruneSummary};
use engine::repo::Repo;
use engine::{GcPolicy, archive, check, copy, dump, forget, heal, replicate, restore};
use kit::machine::{self, Machine};
use kit::oracle::{self, assert_same};
use kit::random::Random;
use kit::remotes::listed;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

const NEVER: Duration = Duration::from_secs(3600);
const FILES: u64 = 90;

/// A source of small files, some of which are edited before each backup.
struct Churn {
    machine: Machine,
    remote: Memory,
    work: tempfile::TempDir,
    random: Random,
}

impl Churn {
    fn new(seed: u64) -> Churn {
        let churn = Churn {
            // Of two readers it would hang on which is first what goes into which pack.
            machine: Machine::new("alpha").with_threads(1),
            remote: Memory::new(),
            work: tempfile::tempdir().unwrap(),
            random: Random::new(seed),
        };
        machine::create_small(&churn.remote).unwrap();
        churn
    }

    fn source(&self) -> PathBuf {
        self.work.path().join("source")
    }

    /// Writes `count` of the files anew.
    fn edit(&mut self, count: u64) {
        for _ in 0..count {
            let number = self.random.below(FILES);
            self.write(number);
        }
    }

    fn write(&mut self, number: u64) {
        let dir = self.source().join(format!("d{}", number % 5));
        std::fs::create_dir_all(&dir).unwrap();
        // Every tenth is cut into chunks of its own.
        let len = if number.is_multiple_of(10) { 4000 } else { 150 } + self.random.below(700);
        let mut bytes = vec![0; len as usize];
        self.random.fill(&mut bytes);
        std::fs::write(dir.join(number.to_string()), bytes).unwrap();
    }

    fn repo(&self) -> Repo {
        self.machine.open(Arc::new(self.remote.clone())).unwrap()
    }

    fn backup(&self) -> SessionId {
        self.backup_to(&self.remote)
    }

    fn backup_to(&self, remote: &Memory) -> SessionId {
        let repo = self.machine.open_settled(Arc::new(remote.clone())).unwrap();
        let source = self.source();
        let options = self.machine.options(&[&source]);
        let report = engine::backup::run(&repo, &options, None, &Quiet).unwrap();
        report.snapshot.unwrap()
    }

    /// Six generations, of which only the last is kept.
    fn lived(seed: u64) -> (Churn, SessionId) {
        let mut churn = Churn::new(seed);
        (0..FILES).for_each(|number| churn.write(number));
        let mut ids = vec![churn.backup()];
        for _ in 0..5 {
            churn.edit(30);
            ids.push(churn.backup());
        }
        let last = ids.pop().unwrap();
        forget::apply(&churn.repo(), &ids).unwrap();
        (churn, last)
    }

    fn prune(&self) -> PruneSummary {
        machine::prune(&self.repo(), NEVER).unwrap()
    }

    /// What a repository of only the newest files takes.
    fn fresh(&self) -> u64 {
        let remote = Memory::new();
        machine::create_small(&remote).unwrap();
        self.backup_to(&remote);
        stored(&remote)
    }

    #[track_caller]
    fn verify(&self, repo: &Repo, id: SessionId, what: &str) {
        let found = oracle::generation(repo, id, &self.source()).unwrap();
        assert_same(&oracle::walk(&self.source()), &found, what);
        sound(repo, what);
    }
}

#[track_caller]
fn sound(repo: &Repo, what: &str) {
    let all = check::CheckOptions {
        read_data: check::ReadData::All,
    };
    let report = check::run(repo, &all, &Quiet).unwrap();
    assert_eq!((report.num_errors, report.broken_objects), (0, vec![]), "{what}");
}

fn stored(remote: &Memory) -> u64 {
    let of = |kind| {
        listed(remote, kind)
            .unwrap()
            .iter()
            .map(|(_, size)| size)
            .sum::<u64>()
    };
    of(Kind::Pack) + of(Kind::Index)
}

fn moved_files(repo: &Repo) -> usize {
    let view = View::read(&repo.store).unwrap();
    let parts = |id: &IndexId| repo.store.segment(*id).unwrap().parts.len();
    view.segments.iter().map(parts).sum()
}

#[test]
fn what_dead_small_files_took_is_given_back() {
    let (mut churn, last) = Churn::lived(1);
    let before = stored(&churn.remote);
    let fresh = churn.fresh();
    assert!(before * 2 > fresh * 3, "{before} to {fresh}");
    let gc = GcPolicy {
        max_unused: Unused::Bytes(0),
        max_repack: u64::MAX,
    };
    let mut dry = prune::PruneOptions::new(gc);
    (dry.keep_trash, dry.dry_run) = (0, true);
    let planned = prune::run(&churn.repo(), &dry, &Quiet).unwrap();
    let done = churn.prune();
    assert_eq!(
        (
            planned.bytes_freed,
            planned.bytes_moved,
            planned.bytes_kept_unused
        ),
        (done.bytes_freed, done.bytes_moved, done.bytes_kept_unused),
        "what is said before is what is done"
    );
    // At most 10 KiB more than the 90 KiB of a fresh one: moved files are listed twice, and every pack is padded.
    let after = stored(&churn.remote);
    assert!(
        after * 100 <= fresh * 112,
        "{before} -> {after}, {fresh} when new"
    );
    assert!(moved_files(&churn.repo()) > 20);
    churn.verify(&churn.repo(), last, "moved");
    let again = churn.prune();
    assert_eq!((again.packs_deleted, again.bytes_moved), (0, 0), "{again:?}");
    // What was moved dies in turn, and is moved once more.
    let mut keep = last;
    for round in 0..4 {
        churn.edit(40);
        let next = churn.backup();
        forget::apply(&churn.repo(), &[keep]).unwrap();
        churn.prune();
        churn.verify(&churn.repo(), next, &format!("round {round}"));
        let (after, fresh) = (stored(&churn.remote), churn.fresh());
        assert!(after * 100 <= fresh * 112, "round {round}: {after} to {fresh}");
        keep = next;
    }
}

#[test]
fn a_backup_after_it_stores_nothing_again() {
    let (churn, _) = Churn::lived(2);
    churn.prune();
    let packs = |remote: &Memory| -> BTreeSet<ObjectName> {
        let packs = listed(remote, Kind::Pack).unwrap();
        packs.into_iter().map(|(name, _)| name).collect()
    };
    let data = |repo: &Repo| -> BTreeSet<PackId> {
        let class = |id: &PackId| {
            let list = pack::read_list(repo.store.remote(), repo.store.keys(), *id);
            !list.unwrap().class.is_tree()
        };
        let packs = repo.store.packs().unwrap();
        packs.into_keys().filter(|id| class(id)).collect()
    };
    let (before, data_before) = (packs(&churn.remote), data(&churn.repo()));
    // By its parent, by its parent without notes of its own, and on a machine that has neither.
    let same = churn.backup();
    assert_eq!(packs(&churn.remote), before, "unchanged");
    churn.machine.lose_state();
    let known = churn.backup();
    assert_eq!(data(&churn.repo()), data_before, "only trees are new");
    let elsewhere = Churn {
        machine: Machine::new("beta"),
        remote: churn.remote.clone(),
        work: churn.work,
        random: Random::new(1),
    };
    let before_other = data(&elsewhere.repo());
    let other = elsewhere.backup();
    let repo = elsewhere.repo();
    // Without notes only those small files are found that were moved or whose whole bundle comes together again. How many
    // others there are depends on the repository's keys: seldom more than a bundle.
    let packs = repo.store.packs().unwrap();
    let again: u64 = data(&repo).difference(&before_other).map(|id| packs[id]).sum();
    assert!(again <= elsewhere.fresh() / 5, "{again} bytes were stored again");
    for id in [same, known, other] {
        elsewhere.verify(&repo, id, "referred to by what was moved");
    }
    machine::prune(&repo, NEVER).unwrap();
    for id in [same, known, other] {
        elsewhere.verify(&repo, id, "and collected once more");
    }
}

#[test]
fn every_reader_finds_what_was_moved() {
    let (churn, last) = Churn::lived(3);
    churn.prune();
    let repo = churn.repo();
    let manifest = repo.manifest(last).unwrap();
    let target = churn.work.path().join("target");
    let mut options = restore::RestoreOptions::new(&target);
    options.verify = true;
    restore::run(&repo, &manifest, &options, &Quiet).unwrap();
    let back = target.join(churn.source().strip_prefix("/").unwrap());
    let back = if back.exists() { back } else { target.clone() };
    let mut tar = Vec::new();
    let root = churn.source().to_str().unwrap().as_bytes().to_vec();
    archive::tar(&repo, &manifest, &root, &mut tar, &Quiet).unwrap();
    for dir in std::fs::read_dir(churn.source()).unwrap() {
        for file in std::fs::read_dir(dir.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            let below = path.strip_prefix(churn.source()).unwrap();
            assert!(std::fs::read(back.join(below)).unwrap() == bytes, "{path:?}");
            let mut out = Vec::new();
            dump::file(
                &repo,
                &manifest,
                path.to_str().unwrap().as_bytes(),
                &mut out,
                &Quiet,
            )
            .unwrap();
            assert!(out == bytes, "{path:?}");
            assert!(tar.windows(bytes.len()).any(|part| part == bytes), "{path:?}");
        }
    }
    let other = Memory::new();
    machine::create_small(&other).unwrap();
    let to = churn.machine.open(Arc::new(other)).unwrap();
    let how = copy::CopyOptions {
        all: true,
        dry_run: false,
        level: 1,
    };
    let copied = copy::run(&repo, &to, &[], &how, &Quiet).unwrap();
    churn.verify(&to, copied.snapshots[0].to.unwrap(), "copied");
}

#[test]
fn replicas_get_it_and_heal_each_other() {
    let (mut churn, last) = Churn::lived(4);
    churn.prune();
    let second = Memory::new();
    churn.repo().store.make_replica(&second, 1).unwrap();
    let open = |remote: &Memory| churn.repo().open_replica_on(Arc::new(remote.clone())).unwrap();
    let bring = |from: &Repo, to: &Repo| {
        let how = replicate::ReplicateOptions {
            all: true,
            dry_run: false,
        };
        let mut done = replicate::Replicated::default();
        replicate::run(from, to, &how, &Quiet, &mut done).unwrap();
        done
    };
    let done = bring(&churn.repo(), &open(&second));
    assert_eq!((done.snapshots, done.behind), (1, 0), "{done:?}");
    let at = |repo: &Repo| repo.snapshots().unwrap().0.pop().unwrap().id;
    churn.verify(&open(&second), at(&open(&second)), "brought");
    // Damaged at either side: whole packs come from the other, and frames with what is listed of them.
    for flip in 0..3 {
        let hurt = kit_fork(&second);
        for (number, (name, size)) in listed(&hurt, Kind::Pack).unwrap().iter().enumerate() {
            let mut bytes = hurt.get(name, *size as usize).unwrap();
            let at = [60, bytes.len() / 2, bytes.len() - 20][(number + flip) % 3];
            bytes[at] ^= 1;
            hurt.replace(name, &bytes).unwrap();
        }
        let how = heal::HealOptions {
            read_data: true,
            dry_run: false,
        };
        let from = [churn.repo()];
        let healed = heal::run(&open(&hurt), &from, &how, &Quiet).unwrap();
        assert!(healed.is_whole(), "{healed:?}");
        let found = oracle::generation(&open(&hurt), at(&open(&hurt)), &churn.source()).unwrap();
        assert_same(&oracle::walk(&churn.source()), &found, "healed");
    }
    // What is new at the first rests partly on what was moved there, which the second moves in its own way.
    churn.edit(20);
    let next = churn.backup();
    forget::apply(&churn.repo(), &[last]).unwrap();
    churn.prune();
    let to = churn.repo().open_replica_on(Arc::new(second.clone())).unwrap();
    let mut done = replicate::Replicated::default();
    let how = replicate::ReplicateOptions {
        all: false,
        dry_run: false,
    };
    replicate::run(&churn.repo(), &to, &how, &Quiet, &mut done).unwrap();
    machine::prune(&to, NEVER).unwrap();
    churn.verify(&to, at(&to), "brought after another collection");
    churn.verify(&churn.repo(), next, "at the first");
}

fn kit_fork(memory: &Memory) -> Memory {
    crate::replicas::fork(memory)
}
