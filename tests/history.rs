//! Generations and the evidence for them: packs that are not what the index lists (I-4), snapshots that are gone though
//! no one removed them (I-9, I-17), clocks that are wrong, and policies that leave nothing.

mod packs;
mod policies;

use chunkstore::chunker::Bounds;
use chunkstore::pack::Class;
use chunkstore::remote::{Kind, Local};
use engine::backup;
use engine::check::{self, ReadData};
use engine::error::{Refusal, StoreError};
use engine::monitor::{ProblemKind, Quiet};
use engine::repo::Repo;
use engine::{Error, restore};
use kit::machine::{self, Machine, Noting, prune, settled_now};
use kit::program::Home;
use kit::remotes::{Hooked, Operation};
use kit::tree::{Shape, TreeMaker};
use service::catalogue::{Lang, faults};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

fn home() -> Home {
    Home::new(env!("CARGO_BIN_EXE_dedup-under-test"))
}

/// A repository in a directory, a source, and the machine that saves it.
struct Scene {
    work: tempfile::TempDir,
    machine: Machine,
}

impl Scene {
    fn new() -> Scene {
        let work = tempfile::tempdir().unwrap();
        let scene = Scene {
            machine: Machine::new("alpha"),
            work,
        };
        machine::create(&*scene.remote(), Bounds::FINE).unwrap();
        TreeMaker::new(&scene.source(), 5, Shape::SMALL).populate();
        scene
    }

    fn remote(&self) -> Arc<Local> {
        Arc::new(Local::new(self.work.path().join("repository")))
    }

    fn source(&self) -> PathBuf {
        self.work.path().join("source")
    }

    fn open(&self) -> Repo {
        self.machine.open(self.remote()).unwrap()
    }

    /// Backs up by a clock under which no file is too young to be trusted.
    fn backup(&self, force: bool, notes: &Noting) -> backup::BackupReport {
        let source = self.source();
        let mut options = self.machine.options(&[&source]);
        options.force = force;
        let repo = self.machine.open_settled(self.remote()).unwrap();
        let report = backup::run(&repo, &options, None, notes).unwrap();
        repo.tell_damage(notes);
        report
    }

    fn restores(&self, report: &backup::BackupReport) -> bool {
        let repo = self.open();
        let manifest = repo.manifest(report.snapshot.unwrap()).unwrap();
        let target = self.work.path().join("target");
        let _ = fs::remove_dir_all(&target);
        let restored = restore::run(&repo, &manifest, &restore::RestoreOptions::new(&target), &Quiet);
        restored.is_ok_and(|summary| summary.problems == 0)
    }

    /// The packs of a class, the largest first.
    fn packs(&self, class: Class) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for folder in fs::read_dir(self.work.path().join("repository/packs")).unwrap() {
            for pack in fs::read_dir(folder.unwrap().path()).unwrap() {
                let path = pack.unwrap().path();
                if fs::read(&path).unwrap().get(10) == Some(&(class as u8)) {
                    found.push(path);
                }
            }
        }
        found.sort_by_key(|path| std::cmp::Reverse(fs::metadata(path).unwrap().len()));
        found
    }
}

fn warned(notes: &Noting, words: &str) -> bool {
    notes
        .problems()
        .iter()
        .filter(|problem| matches!(problem.what, ProblemKind::Warning(_)))
        .any(|problem| faults::problem(Lang::En, problem).contains(words))
}

/// The newest manifest of a program's repository, moved elsewhere.
fn lose_newest(home: &Home) -> (PathBuf, Vec<u8>) {
    let newest = home.snapshots().pop().unwrap();
    let path = home.repository().join("snapshots").join(newest);
    let bytes = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    (path, bytes)
}

fn two_snapshots() -> Home {
    let home = home();
    home.init();
    for text in ["one", "two"] {
        home.write("docs/a", text);
        home.ok(&["backup", "docs"]);
    }
    home
}

/// I-17: a machine that made or saw a snapshot misses it.
#[test]
fn a_snapshot_that_is_lost_is_missed() {
    let home = two_snapshots();
    let packs = home.objects("packs");
    let (path, bytes) = lose_newest(&home);
    let gone = "though nobody removed it";
    for args in [
        &["snapshots"][..],
        &["ls", "latest"],
        &["stats"],
        &["find", "a"],
        &["restore", "--target", "out"],
        &["forget", "--keep-last", "5", "--yes"],
        &["backup", "docs"],
    ] {
        home.ok(args).says(&[gone]);
    }
    home.ends(13, &["check"]).says(&[gone, "forget --lost"]);
    home.ends(13, &["prune", "--keep-trash", "0s", "--yes"])
        .says(&[gone, "forget --lost"]);
    home.ends(13, &["prune", "-n"]);
    assert!(packs.iter().all(|pack| home.objects("packs").contains(pack)));
    // Back in its place nothing is missing.
    fs::write(&path, bytes).unwrap();
    home.ok(&["check"]);
    assert!(!home.ok(&["snapshots"]).err.contains(gone));
    home.ok(&["prune", "--yes"]);
}

#[test]
fn a_loss_can_be_accepted() {
    let home = two_snapshots();
    lose_newest(&home);
    home.ends(1, &["forget", "--lost", "ffff", "--yes"]);
    home.ends(2, &["forget", "--lost"]).says(&["--yes"]);
    home.ok(&["forget", "--lost", "--dry-run"]);
    home.ends(13, &["check"]);
    home.ok(&["forget", "--lost", "--yes"]);
    home.ok(&["check"]);
    home.ok(&["prune", "--keep-trash", "0s", "--yes"]);
    assert!(!home.ok(&["snapshots"]).err.contains("nobody"));
    let none = home.ok(&["forget", "--lost", "--yes"]).out;
    assert!(none.contains("No snapshot"), "{none}");
}

/// What another machine removed for good, trash and all, is not missed.
#[test]
fn what_others_removed_is_not_missed() {
    let scene = Scene::new();
    let ids: Vec<_> = (0..3)
        .map(|n| {
            fs::write(scene.source().join("changing"), format!("{n}")).unwrap();
            scene.backup(false, &Noting::default()).snapshot.unwrap()
        })
        .collect();
    let seen = scene.open().survey().unwrap();
    assert_eq!(seen.snapshots.len(), 3);
    let other = Machine::new("beta");
    let repo = other.open(scene.remote()).unwrap();
    engine::forget::apply(&repo, &ids[1..]).unwrap();
    let quiet = |what: &str| {
        let survey = scene.open().survey().unwrap();
        assert_eq!(survey.lost.unwrap(), [], "{what}");
    };
    quiet("in the trash");
    prune(&repo, Duration::from_secs(3600)).unwrap();
    quiet("gone for good");
    let options = check::CheckOptions {
        read_data: ReadData::None,
    };
    for machine in [&scene.machine, &other] {
        let repo = machine.open(scene.remote()).unwrap();
        let report = check::run(&repo, &options, &Quiet).unwrap();
        assert_eq!((report.num_errors, report.num_warnings), (0, 0), "{report:?}");
        prune(&repo, Duration::from_secs(3600)).unwrap();
    }
    let notes = Noting::default();
    scene.backup(false, &notes);
    assert_eq!(notes.problems(), []);
    // Many such lists are merged, and contain the same.
    for n in 0..20 {
        fs::write(scene.source().join("changing"), format!("again {n}")).unwrap();
        let id = scene.backup(false, &Noting::default()).snapshot.unwrap();
        engine::forget::apply(&repo, &[id]).unwrap();
        prune(&repo, Duration::from_secs(3600)).unwrap();
    }
    let lists = fs::read_dir(scene.work.path().join("repository/forgotten"))
        .unwrap()
        .count();
    assert!(lists < 18, "{lists}");
    assert_eq!(repo.store.forgotten().unwrap().len(), 22);
    quiet("merged");
}

#[test]
fn what_came_back_from_the_trash_is_not_missed() {
    let home = two_snapshots();
    let newest = home.snapshots().pop().unwrap();
    home.ok(&["forget", &newest, "--yes"]);
    home.ok(&["undelete", &newest]);
    assert_eq!(home.ok(&["backup", "docs"]).err, "");
    assert_eq!(home.ok(&["snapshots"]).err, "");
    home.ok(&["check"]);
    home.ok(&["tag", "--add", "x", "latest"]);
    assert_eq!(home.ok(&["backup", "docs"]).err, "");
    home.ok(&["prune", "--keep-last", "1", "--keep-trash", "0s", "--yes"]);
    let checked = home.ok(&["check"]);
    assert_eq!(checked.err, "", "removed by a policy is no gap");
}

/// Backups of one machine take turns in numbering what they publish.
#[test]
fn two_backups_at_once_leave_nothing_to_say() {
    let home = home();
    home.init();
    home.write("a/f", "a");
    home.write("b/f", "b");
    for round in 0..3 {
        let run = |folder: &str| {
            home.write(&format!("{folder}/f"), format!("{folder} {round}"));
            home.command(&["backup", folder])
                .stdout(std::process::Stdio::null())
                .spawn()
                .unwrap()
        };
        let both = [run("a"), run("b")];
        for mut one in both {
            assert!(one.wait().unwrap().success());
        }
    }
    let checked = home.ok(&["check"]);
    assert_eq!(checked.err, "");
    assert_eq!(home.snapshots().len(), 6);
}

/// Two machines with one id: reported once, with what to do.
#[test]
fn a_cloned_machine_is_told() {
    let scene = Scene::new();
    scene.backup(false, &Noting::default());
    let clone = scene.machine.copy();
    let backup = |machine: &Machine, host: &str| {
        fs::write(scene.source().join("changing"), host).unwrap();
        let (notes, source) = (Noting::default(), scene.source());
        let mut repo = machine.open(scene.remote()).unwrap();
        repo.run_mut().host = host.to_string();
        backup::run(&repo, &machine.options(&[&source]), None, &notes).unwrap();
        notes
    };
    assert_eq!(backup(&scene.machine, "alpha").problems(), []);
    assert_eq!(backup(&scene.machine, "alpha").problems(), []);
    assert!(warned(&backup(&clone, "gamma"), "clone"));
    assert_eq!(backup(&clone, "gamma").problems(), [], "once");
    // As the message advises.
    fs::remove_file(clone.dirs().state.join("machine")).unwrap();
    assert!(warned(&backup(&scene.machine, "alpha"), "clone"));
    for _ in 0..2 {
        assert_eq!(backup(&clone, "gamma").problems(), []);
        assert_eq!(backup(&scene.machine, "alpha").problems(), []);
    }
    let options = check::CheckOptions {
        read_data: ReadData::None,
    };
    let report = check::run(&scene.open(), &options, &Quiet).unwrap();
    assert_eq!((report.num_errors, report.num_warnings), (0, 0), "{report:?}");
}

fn dump(home: &Home) -> String {
    home.ok(&["dump", "latest", "docs/a"]).out
}

#[test]
fn a_time_that_is_still_to_come() {
    let home = home();
    home.init();
    home.write("docs/a", "real");
    home.ok(&["backup", "docs"]);
    home.write("docs/a", "future");
    home.ok(&["backup", "docs", "--time", "2099-01-01"])
        .says(&["2099", "in the future", "latest"]);
    let future = home.snapshots().pop().unwrap();
    assert_eq!(dump(&home), "real");
    home.ok(&["snapshots"]).says(&["in the future", &future[..8]]);
    home.ok(&["forget", "--keep-last", "1", "--yes"]);
    assert_eq!(home.snapshots().len(), 2, "it pushes nothing out");
    home.write("docs/a", "newest");
    let run = home.ok(&["backup", "docs"]);
    assert!(
        !run.out
            .contains(&format!("Compared with snapshot {}", &future[..8])),
        "{}",
        run.out
    );
    assert_eq!(dump(&home), "newest");
    home.ok(&["forget", "--keep-last", "1", "--yes"]);
    let left = home.snapshots();
    assert_eq!(left.len(), 2);
    home.ok(&["forget", &future[..8], "--yes"]);
    assert_eq!(home.ok(&["snapshots"]).err, "");
    assert_eq!(dump(&home), "newest");
}

/// What a machine made last is the newest, whatever its clock shows.
#[test]
fn a_clock_that_was_set_back() {
    let scene = Scene::new();
    let now = settled_now();
    let day = jiff::SignedDuration::from_hours(24);
    let backup = |at: jiff::Timestamp, text: &str, notes: &Noting| {
        fs::write(scene.source().join("changing"), text).unwrap();
        let source = scene.source();
        let options = scene.machine.options(&[&source]);
        backup::run(
            &scene.machine.open_at(scene.remote(), at).unwrap(),
            &options,
            None,
            notes,
        )
        .unwrap()
        .snapshot
        .unwrap()
    };
    for days in (1..4).rev() {
        backup(now - day * days, &format!("{days} days ago"), &Noting::default());
    }
    let notes = Noting::default();
    let newest = backup(now - day * 365, "a year back", &notes);
    assert!(warned(&notes, "clock"), "{:?}", notes.problems());
    let repo = scene.open();
    let facts = engine::order::facts(&repo.snapshots().unwrap().0, now);
    let latest = |facts: &[engine::facts::SnapshotInfo]| {
        engine::select::choose(facts, "latest", &Default::default(), None)
            .unwrap()
            .id
    };
    assert_eq!(latest(&facts), newest);
    assert_eq!(repo.snapshots().unwrap().0.last().unwrap().id, newest);
    let notes = Noting::default();
    let after = backup(now, "right again", &notes);
    let facts = engine::order::facts(&repo.snapshots().unwrap().0, now);
    assert_eq!(latest(&facts), after);
}

/// What can't be read is kept on this machine before it goes from the repository.
#[test]
fn what_is_given_up_is_kept_first() {
    let scene = Scene::new();
    let id = scene.backup(false, &Noting::default()).snapshot.unwrap();
    let name = id.to_hex();
    let manifest = scene.work.path().join("repository/snapshots").join(&name);
    kit::program::hurt(&manifest);
    let (kept, hurt) = (Arc::new(AtomicBool::new(false)), fs::read(&manifest).unwrap());
    let repositories = scene.machine.dirs().state.join("repositories");
    let seen = kept.clone();
    let remote = Hooked::new(scene.remote(), move |operation, kind| {
        if (operation, kind) == (Operation::Delete, Some(Kind::Snapshot)) {
            let repository = fs::read_dir(&repositories).unwrap().next().unwrap().unwrap();
            let copy = repository.path().join("unreadable").join(&name);
            seen.store(fs::read(copy).unwrap() == hurt, Ordering::Relaxed);
        }
    });
    let repo = scene.machine.open(Arc::new(remote)).unwrap();
    engine::forget::end_unreadable(&repo, id).unwrap();
    assert!(kept.load(Ordering::Relaxed));
    assert_eq!(scene.open().survey().unwrap().lost.unwrap(), []);
}

#[test]
fn the_last_key_is_not_lost_to_two_removals() {
    let scene = Scene::new();
    let repo = scene.open();
    let cost = chunkstore::slot::Cost::FLOOR;
    let second = repo
        .store
        .add_slot(&machine::other_secret(), cost, "", 0)
        .unwrap();
    let first = repo.store.opened_with();
    let in_use = engine::key::remove(&repo, first);
    assert!(matches!(in_use, Err(Error::Refused(Refusal::KeyInUse))));
    // The other removal comes in between.
    let (other, once) = (scene.open(), AtomicBool::new(false));
    let remote = Hooked::new(scene.remote(), move |operation, kind| {
        let about_to = (operation, kind) == (Operation::Delete, Some(Kind::Key));
        if about_to && !once.swap(true, Ordering::Relaxed) {
            other.store.remove_slot(second).unwrap();
        }
    });
    let repo = scene.machine.open(Arc::new(remote)).unwrap();
    assert!(matches!(
        repo.store.remove_slot(first),
        Err(StoreError::Refused(_))
    ));
    let slots = scene.open().store.slots().unwrap();
    assert_eq!(slots.iter().map(|slot| slot.id).collect::<Vec<_>>(), [first]);
}
