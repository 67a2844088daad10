//! Several destinations of one backup: every pack is made once and goes to all of them from memory, one that stalls or
//! fails does not hold the others up, and each has everything in the end.

use chunkstore::remote::{Kind, Memory, ObjectName, Remote};
use engine::backup::{self, BackupReport};
use engine::check::{self, CheckOptions, ReadData};
use engine::monitor::Quiet;
use engine::replicate::{self, Follow, Followed, Follower, Followers};
use engine::repo::Repo;
use engine::run::RunContext;
use kit::generation::noise;
use kit::machine::{self, Machine, Noting};
use kit::program::Home;
use kit::remotes::{Counting, Fault, Faulty, Hooked, Operation, listed};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

const NEVER: Duration = Duration::from_secs(3600);

/// A repository with a replica, both as remotes of the test's choice, and a source of `files` times 300 kB.
struct Site {
    machine: Machine,
    source: tempfile::TempDir,
    first: Arc<dyn Remote>,
    second: Arc<dyn Remote>,
}

/// A replica of what is at `first`.
fn replica(machine: &Machine, first: &Memory) -> Memory {
    let second = Memory::new();
    let repo = machine.open(Arc::new(first.clone())).unwrap();
    repo.store.make_replica(&second, 1).unwrap();
    second
}

impl Site {
    fn new(files: u64, wrap: impl FnOnce(Memory, Memory) -> (Arc<dyn Remote>, Arc<dyn Remote>)) -> Site {
        Site::with_parity(files, None, wrap)
    }

    fn with_parity(
        files: u64,
        parity: Option<u8>,
        wrap: impl FnOnce(Memory, Memory) -> (Arc<dyn Remote>, Arc<dyn Remote>),
    ) -> Site {
        let (machine, memory) = (Machine::new("alpha"), Memory::new());
        machine::create_small_with(&memory, parity).unwrap();
        let second = replica(&machine, &memory);
        let (first, second) = wrap(memory, second);
        let site = Site {
            machine,
            source: tempfile::tempdir().unwrap(),
            first,
            second,
        };
        (0..files).for_each(|number| site.write(number, number));
        site
    }

    fn write(&self, number: u64, seed: u64) {
        let path: PathBuf = self.source.path().join(format!("f{number}"));
        std::fs::write(path, noise(seed, 300_000)).unwrap();
    }

    fn open(&self) -> Arc<Repo> {
        Arc::new(self.machine.open_settled(self.first.clone()).unwrap())
    }

    fn start(&self, repo: &Arc<Repo>, wait: Duration) -> Followers {
        let second = self.second.clone();
        let open = move |first: &Repo, _: &Follower, _: &RunContext| first.open_replica_on(second.clone());
        let follow = Follow {
            options: crate::replicas::options(),
            wait,
        };
        let follower = Follower {
            name: "second".to_string(),
            url: "/second".to_string(),
        };
        Followers::start_with(repo, vec![follower], follow, Arc::new(open)).unwrap()
    }

    fn backup(&self, repo: &Repo, followers: &Followers) -> BackupReport {
        let mut options = self.machine.options(&[self.source.path()]);
        options.intakes = followers.intakes();
        backup::run(repo, &options, None, &Quiet).unwrap()
    }

    /// One backup to both.
    fn run(&self) -> (BackupReport, Followed) {
        let repo = self.open();
        let followers = self.start(&repo, NEVER);
        let report = self.backup(&repo, &followers);
        let mut followed = followers.finish(report.snapshot, 1);
        (report, followed.remove(0))
    }

    #[track_caller]
    fn verify(&self, snapshots: usize) {
        let first = self.open();
        let second = first.open_replica_on(self.second.clone()).unwrap();
        for repo in [&*first, &second] {
            let (found, bad) = repo.snapshots().unwrap();
            assert!(
                found.len() == snapshots && bad.is_empty(),
                "{} {bad:?}",
                found.len()
            );
            let told = Noting::default();
            let options = CheckOptions {
                read_data: ReadData::All,
            };
            let report = check::run(repo, &options, &told).unwrap();
            assert_eq!((report.num_errors, told.problems()), (0, Vec::new()));
        }
    }
}

fn current(followed: &Followed) {
    assert!(followed.failure.is_none() && followed.behind == 0, "{followed:?}");
    assert!(followed.problems.is_empty(), "{followed:?}");
}

/// The follower is sent each pack once, under the name that it has at the first, and of a far first none is read back.
#[test]
fn packs_go_to_all_destinations_from_memory() {
    let mut counts = None;
    let site = Site::new(12, |first, second| {
        let (first, second) = (Counting::far(Arc::new(first)), Counting::new(Arc::new(second)));
        counts = Some((first.clone(), second.clone()));
        (Arc::new(first), Arc::new(second))
    });
    let (first, second) = counts.unwrap();
    for run in 1..=2 {
        let before = (first.counts(), second.counts());
        let (_, followed) = site.run();
        current(&followed);
        let (here, there) = (first.counts().since(&before.0), second.counts().since(&before.1));
        assert_eq!(
            here.of(Operation::Read, Kind::Pack).calls,
            0,
            "run {run}: {here:?}"
        );
        let (made, sent) = (
            here.of(Operation::Publish, Kind::Pack),
            there.of(Operation::Publish, Kind::Pack),
        );
        assert!(made.calls >= 2 && made == sent, "run {run}: {made:?} {sent:?}");
        assert_eq!(followed.done.packs, sent.calls);
        site.verify(run);
        site.write(3, 100);
    }
    let names = |remote: &Counting| -> Vec<ObjectName> {
        let packs = listed(remote, Kind::Pack).unwrap();
        packs.into_iter().map(|(name, _)| name).collect()
    };
    assert_eq!(names(&first), names(&second));
}

/// Of a near first only trees are read, by the run that looks up what the generation needs.
#[test]
fn of_a_near_first_no_data_is_read() {
    let mut counts = None;
    let site = Site::new(12, |first, second| {
        let first = Counting::new(Arc::new(first));
        counts = Some(first.clone());
        (Arc::new(first), Arc::new(second))
    });
    let counting = counts.unwrap();
    let before = counting.counts();
    current(&site.run().1);
    let made = counting.counts().since(&before);
    let read = made.of(Operation::Read, Kind::Pack).bytes;
    let written = made.of(Operation::Publish, Kind::Pack).bytes;
    assert!(written > 3_000_000 && read < written / 50, "{read} of {written}");
    site.verify(1);
}

/// Parity is made from the bytes that were written, at every destination.
#[test]
fn parity_reads_no_pack() {
    for is_far in [false, true] {
        let mut counts = None;
        let site = Site::with_parity(6, Some(10), |first, second| {
            let first = match is_far {
                true => Counting::far(Arc::new(first)),
                false => Counting::new(Arc::new(first)),
            };
            let second = Counting::new(Arc::new(second));
            counts = Some((first.clone(), second.clone()));
            (Arc::new(first), Arc::new(second))
        });
        let (first, second) = counts.unwrap();
        let before = (first.counts(), second.counts());
        // Without a follower first, whose look at the trees would count.
        site.machine
            .backup(site.first.clone(), site.source.path())
            .unwrap();
        let made = first.counts().since(&before.0);
        assert_eq!(made.of(Operation::Read, Kind::Pack).calls, 0);
        let packs = made.of(Operation::Publish, Kind::Pack).calls;
        assert!(packs >= 2 && made.of(Operation::Publish, Kind::Parity).calls == packs);
        site.write(0, 50);
        current(&site.run().1);
        let there = second.counts().since(&before.1);
        let packs = there.of(Operation::Publish, Kind::Pack).calls;
        assert_eq!(there.of(Operation::Publish, Kind::Parity).calls, packs);
        site.verify(2);
    }
}

/// A gate that lets nothing through until it is opened.
#[derive(Default)]
struct Gate {
    is_open: Mutex<bool>,
    changed: Condvar,
    waiting: AtomicU64,
}

impl Gate {
    fn pass(&self) {
        self.waiting.fetch_add(1, SeqCst);
        let mut is_open = self.is_open.lock().unwrap();
        while !*is_open {
            is_open = self.changed.wait(is_open).unwrap();
        }
    }

    fn open(&self) {
        *self.is_open.lock().unwrap() = true;
        self.changed.notify_all();
    }
}

/// A replica that blocks on every pack.
fn stalling(gate: &Arc<Gate>, second: Memory) -> Arc<dyn Remote> {
    let gate = gate.clone();
    Arc::new(Hooked::new(Arc::new(second), move |operation, kind| {
        if operation == Operation::Publish && kind == Some(Kind::Pack) {
            gate.pass();
        }
    }))
}

/// The backup ends while its follower can't store a single pack; what waits for it is on disk, and comes when it goes on.
#[test]
fn a_destination_that_stalls_holds_nobody_up() {
    let gate = Arc::new(Gate::default());
    let site = Site::new(60, |first, second| (Arc::new(first), stalling(&gate, second)));
    let repo = site.open();
    let followers = site.start(&repo, NEVER);
    let report = site.backup(&repo, &followers);
    assert!(report.snapshot.is_some() && repo.snapshots().unwrap().0.len() == 1);
    assert_eq!(followers.intakes()[0].missed(), 0, "there is room on disk");
    gate.open();
    let followed = followers.finish(report.snapshot, 1);
    current(&followed[0]);
    assert!(gate.waiting.load(SeqCst) > 15);
    site.verify(1);
}

/// One that never goes on is given up when its time is over, is owed the generation, and gets it from the next run.
#[test]
fn a_destination_that_never_goes_on_is_behind_and_catches_up() {
    let gate = Arc::new(Gate::default());
    let mut memory = None;
    let mut site = Site::new(8, |first, second| {
        memory = Some(second.clone());
        (Arc::new(first), stalling(&gate, second))
    });
    let repo = site.open();
    let followers = site.start(&repo, Duration::ZERO);
    let report = site.backup(&repo, &followers);
    let followed = followers.finish(report.snapshot, 1).remove(0);
    assert!(
        matches!(followed.failure, Some(engine::Error::Late)),
        "{followed:?}"
    );
    assert_eq!(followed.behind, 1);
    // In a process of its own the one that hangs would have ended by now.
    site.second = Arc::new(memory.unwrap());
    site.write(0, 99);
    let (_, followed) = site.run();
    current(&followed);
    site.verify(2);
    gate.open();
}

/// Whatever fails while packs are taken over: the backup is saved, and the next run brings the rest.
#[test]
fn a_follower_may_fail_at_any_change() {
    let mut at = 0;
    loop {
        let mut faulty = None;
        let mut memory = None;
        let mut site = Site::new(4, |first, second| {
            let failing = Faulty::new(Arc::new(second.clone()));
            (faulty, memory) = (Some(failing.clone()), Some(second));
            (Arc::new(first), Arc::new(failing))
        });
        let faulty = faulty.unwrap();
        faulty.crash_at(at);
        let (report, followed) = site.run();
        assert!(report.snapshot.is_some(), "at {at}");
        let crashed = faulty.crashed();
        assert_eq!(crashed, followed.failure.is_some(), "at {at}: {followed:?}");
        site.second = Arc::new(memory.unwrap());
        let again = site.open();
        let second = again.open_replica_on(site.second.clone()).unwrap();
        if at % 2 == 0 {
            machine::prune(&second, NEVER).unwrap();
        }
        let mut done = Default::default();
        replicate::run(&again, &second, &crate::replicas::options(), &Quiet, &mut done).unwrap();
        drop(second);
        site.verify(1);
        if !crashed {
            assert!(at > 10, "too little happens: {at}");
            return;
        }
        at += 1;
    }
}

/// One pack that can't be stored ends the taking over, not the follower: catching up brings all that is needed.
#[test]
fn what_was_not_taken_over_is_brought() {
    let mut faulty = None;
    let site = Site::new(8, |first, second| {
        let failing = Faulty::new(Arc::new(second));
        faulty = Some(failing.clone());
        (Arc::new(first), Arc::new(failing))
    });
    let faulty = faulty.unwrap();
    let repo = site.open();
    let followers = site.start(&repo, NEVER);
    // The session comes first, with the first pack; the next change is that pack.
    faulty.fail_mutation(3, Fault::TimeoutBefore);
    let report = site.backup(&repo, &followers);
    let followed = followers.finish(report.snapshot, 1).remove(0);
    current(&followed);
    site.verify(1);
}

/// A collection at the follower, beside the backup, takes nothing of what was handed over: it sees whose it is.
#[test]
fn a_collection_at_the_follower_takes_nothing() {
    let (pruned, machine2) = (Arc::new(AtomicU64::new(0)), Machine::new("beta"));
    let site = Site::new(12, |first, second| {
        let repo = machine2.open(Arc::new(second.clone())).unwrap();
        let pruned = pruned.clone();
        let hooked = Hooked::new(Arc::new(second), move |operation, kind| {
            // Right before the generation is published there.
            if operation == Operation::Publish && kind == Some(Kind::Snapshot) {
                let summary = machine::prune(&repo, NEVER).unwrap();
                assert_eq!(summary.packs_deleted, 0);
                pruned.fetch_add(1, SeqCst);
            }
        });
        (Arc::new(first), Arc::new(hooked))
    });
    let (_, followed) = site.run();
    current(&followed);
    assert!(pruned.load(SeqCst) > 0);
    site.verify(1);
}

/// How many objects of a kind are in a repository's directory.
fn objects(repository: &Path, kind: &str) -> usize {
    let entries = |path: &Path| -> Vec<PathBuf> {
        let found = std::fs::read_dir(path).into_iter().flatten().flatten();
        found.map(|entry| entry.path()).collect()
    };
    let (folders, files): (Vec<_>, Vec<_>) = entries(&repository.join(kind))
        .into_iter()
        .partition(|path| path.is_dir());
    files.len() + folders.iter().map(|folder| entries(folder).len()).sum::<usize>()
}

/// The program is killed at a moment that matters to its follower: both are sound, and the next run completes both.
#[test]
fn killed_with_a_follower() {
    let home = Home::new(env!("CARGO_BIN_EXE_dedup-under-test"));
    home.init();
    home.ok(&["remote", "add", "second", "replica"]);
    let replica = home.path("replica");
    for (number, kind) in ["sessions", "packs", "index", "snapshots"].iter().enumerate() {
        home.write("docs/f", noise(number as u64, 40_000_000));
        let before = objects(&replica, kind);
        let mut child = home
            .command(&["backup", "docs", "--also", "second"])
            .spawn()
            .unwrap();
        while objects(&replica, kind) == before && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        // It may have ended.
        let _ = child.kill();
        child.wait().unwrap();
        home.ok(&["check", "--read-data"]);
        home.ok(&["-r", "second", "check", "--read-data"]);
    }
    home.write("docs/f", "the last");
    let run = home.ok(&["backup", "docs", "--also", "second"]);
    assert!(run.out.contains("Replica second: current"), "{}", run.out);
    let at_second = home.ok(&["-r", "second", "snapshots", "--json"]).objects();
    assert_eq!(at_second.len(), home.snapshots().len());
    for at in [home.text(".local/share/dedup/repository"), home.text("replica")] {
        home.ok(&[
            "-r",
            &at,
            "--key-file",
            &home.text(".config/dedup/default.key"),
            "restore",
            "--target",
            "out",
        ]);
    }
}
