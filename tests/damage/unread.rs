//! What can't be read is no damage: it is named with its cause, and the rest is checked, listed and restored.

use super::*;
use chunkstore::pack::read_list;
use engine::prune::{self, PruneOptions};
use engine::{repair, restore};
use kit::machine::Noting;
use kit::remotes::{Refusing, Why};
use rustix::io::Errno;
use std::io;

const CAUSES: [(&str, Why); 3] = [
    ("permission denied", || io::ErrorKind::PermissionDenied.into()),
    ("Input/output error", || Errno::IO.into()),
    ("no answer", || {
        io::Error::new(io::ErrorKind::TimedOut, "no answer")
    }),
];

fn opened(scene: &Scene) -> (Refusing, Repo) {
    let remote = Refusing::new(Arc::new(scene.remote.clone()));
    let repo = Machine::new("elsewhere").open(Arc::new(remote.clone())).unwrap();
    (remote, repo)
}

fn checked(repo: &Repo) -> engine::Result<CheckReport> {
    let read_data = ReadData::All;
    check::run(repo, &CheckOptions { read_data }, &Quiet)
}

fn class_of(scene: &Scene, name: &ObjectName) -> Class {
    let id = PackId::from_hex(name.id()).unwrap();
    read_list(scene.repo.store.remote(), scene.repo.store.keys(), id)
        .unwrap()
        .class
}

#[test]
fn each_object_that_cant_be_read_is_named_and_the_rest_is_checked() {
    let scene = Scene::new();
    let (remote, repo) = opened(&scene);
    let mut hurt = 0;
    let read_first = |name: &ObjectName| name.kind() == Kind::Config || name.kind() == Kind::Key;
    for (name, _) in scene.objects.iter().filter(|(name, _)| !read_first(name)) {
        for (cause, why) in CAUSES {
            remote.refuse([name.clone()], why);
            let report = checked(&repo).unwrap();
            let said = format!("{name}, {cause}: {report:?}");
            assert_eq!(report.num_errors, 0, "{said}");
            assert_eq!(report.unreadable_objects, [name.to_string()], "{said}");
            assert_eq!(report.damaged_paths, 0, "{said}");
            // The very paths that its loss would affect.
            let lost = match name.kind() {
                Kind::Pack | Kind::Index => scene.with(name, None, ReadData::All).paths,
                _ => Vec::new(),
            };
            hurt += lost.len();
            assert_eq!(report.unproven, lost, "{said}");
            assert!(!report.suggest_repair_index, "{said}");
        }
    }
    assert!(hurt > 100, "{hurt}");
    remote.refuse([], CAUSES[0].1);
    let report = checked(&repo).unwrap();
    assert_eq!((report.num_errors, report.num_unreadable), (0, 0), "{report:?}");
}

#[test]
fn damage_beside_what_cant_be_read_is_still_found() {
    let scene = Scene::new();
    let (remote, repo) = opened(&scene);
    let packs: Vec<&(ObjectName, Vec<u8>)> = scene
        .objects
        .iter()
        .filter(|(name, _)| name.kind() == Kind::Pack && class_of(&scene, name) == Class::Data)
        .collect();
    // Those that a snapshot needs.
    let is_needed = |name: &ObjectName| !scene.with(name, None, ReadData::None).paths.is_empty();
    let packs: Vec<_> = packs.into_iter().filter(|(name, _)| is_needed(name)).collect();
    let [(unread, _), (damaged, bytes), ..] = packs[..] else {
        panic!("{} packs", packs.len());
    };
    let mut flipped = bytes.clone();
    flipped[bytes.len() / 2] ^= 1;
    scene.put(damaged, Some(&flipped));
    for (cause, why) in CAUSES {
        remote.refuse([(*unread).clone()], why);
        let report = checked(&repo).unwrap();
        assert!(names(&report, damaged), "{cause}: {report:?}");
        assert_eq!(report.unreadable_objects, [unread.to_string()], "{cause}");
        assert!(
            report.damaged_paths > 0 && report.unproven_paths > 0,
            "{cause}: {report:?}"
        );
    }
}

#[test]
fn storage_that_gives_no_pack_at_all_ends_the_check() {
    let scene = Scene::new();
    let (remote, repo) = opened(&scene);
    let packs = || {
        let names = scene.objects.iter().map(|(name, _)| name.clone());
        names.filter(|name| name.kind() == Kind::Pack)
    };
    assert!(packs().count() > 4);
    let [(_, denied), (_, bad_sector), (_, outage)] = CAUSES;
    remote.refuse(packs(), outage);
    let ended = checked(&repo).unwrap_err().to_string();
    assert!(ended.contains("no answer"), "{ended}");
    // Each of these fails at once, so that all are named.
    for why in [denied, bad_sector] {
        remote.refuse(packs(), why);
        let report = checked(&repo).unwrap();
        assert_eq!((report.num_errors, report.damaged_paths), (0, 0), "{report:?}");
        assert_eq!(report.packs_unreadable as usize, packs().count());
    }
}

#[test]
fn a_manifest_that_cant_be_read_is_listed_as_such() {
    let scene = Scene::new();
    let (remote, repo) = opened(&scene);
    let name = ObjectName::snapshot(scene.generations[0]);
    for (cause, why) in &CAUSES[..2] {
        remote.refuse([name.clone()], *why);
        let (good, bad) = repo.snapshots().unwrap();
        assert_eq!((good.len(), bad.len()), (2, 1), "{cause}");
        let problem = engine::manifest::problem(bad[0].0, &bad[0].1);
        let is_unreadable = matches!(problem.what, engine::monitor::ProblemKind::Unreadable { .. });
        assert!(is_unreadable, "{cause}: {problem:?}");
    }
}

/// A bad sector is no proof that anything is lost: the paths are named, and the rest is restored.
#[test]
fn a_restore_goes_on_beside_a_bad_sector() {
    let scene = Scene::new();
    let (remote, repo) = opened(&scene);
    let manifest = repo.manifest(scene.generations[0]).unwrap();
    let of_class = |class| -> Vec<ObjectName> {
        let names = scene.objects.iter().map(|(name, _)| name);
        let packs = names.filter(|name| name.kind() == Kind::Pack);
        packs
            .filter(|name| class_of(&scene, name) == class)
            .cloned()
            .collect()
    };
    let [(_, denied), (_, bad_sector), _] = CAUSES;
    for (packs, why) in [
        (of_class(Class::Data), bad_sector),
        (of_class(Class::Tree), bad_sector),
        (of_class(Class::Data), denied),
        (of_class(Class::Tree), denied),
    ] {
        remote.refuse(packs, why);
        let target = tempfile::tempdir().unwrap();
        let told = Noting::default();
        let options = restore::RestoreOptions::new(target.path());
        restore::run(&repo, &manifest, &options, &told).unwrap();
        let problems = told.problems();
        assert!(!problems.is_empty());
        for problem in problems {
            let is_unreadable = matches!(problem.what, engine::monitor::ProblemKind::Unreadable { .. });
            assert!(is_unreadable, "{problem:?}");
        }
    }
}

type Job = fn(&Repo) -> engine::Result<()>;

/// What may be done while an object can't be read.
const JOBS: [(&str, Job); 4] = [
    ("prune", |repo| prune::run(repo, &collection(), &Quiet).map(drop)),
    ("backup", |repo| {
        let mut of: Files = files(3..18, 4000);
        of.extend(files(1..4, 40_000));
        generation::generation(repo, 9, &of)?;
        Ok(())
    }),
    ("repair index", |repo| {
        let options = repair::RepairOptions { dry_run: false };
        repair::index(repo, &options, &Quiet).map(drop)
    }),
    ("repair packs", |repo| {
        let options = repair::RepairOptions { dry_run: false };
        repair::packs(repo, &[], &options, &Quiet).map(drop)
    }),
];

fn collection() -> PruneOptions {
    let gc = sweep::Policy {
        max_unused: sweep::Unused::Bytes(0),
        max_repack: u64::MAX,
    };
    PruneOptions {
        keep_trash: 0,
        // The session of the writer that is left open would hold everything up.
        stale_after: std::time::Duration::ZERO,
        ..PruneOptions::new(gc)
    }
}

/// Whatever can't be read, and whichever job goes on beside it: once it can be read again, every snapshot is whole, and
/// nothing was called damaged meanwhile.
#[test]
fn nothing_is_lost_while_something_cant_be_read() {
    let scene = Scene::new();
    forget::apply(&scene.repo, &scene.generations[..1]).unwrap();
    let objects = contents(&scene.remote).unwrap();
    let kept: Vec<(SessionId, Files)> = scene.generations[1..]
        .iter()
        .map(|id| (*id, read_back(&scene.repo, *id).unwrap()))
        .collect();
    let read_first = |name: &ObjectName| name.kind() == Kind::Config || name.kind() == Kind::Key;
    let (mut done, mut held_back) = (0, 0);
    for (name, _) in objects.iter().filter(|(name, _)| !read_first(name)) {
        for ((job, run), (cause, why)) in JOBS.iter().flat_map(|job| CAUSES.map(|cause| (job, cause))) {
            // With a cache that knows the index, and without.
            for is_known in [false, true] {
                let memory = Memory::new();
                for (name, bytes) in &objects {
                    memory.put(name, bytes).unwrap();
                }
                let remote = Refusing::new(Arc::new(memory.clone()));
                let machine = Machine::new("elsewhere");
                let repo = machine.open(Arc::new(remote.clone())).unwrap();
                if is_known {
                    repo.reader(&Quiet).index().unwrap();
                }
                let said = format!("{name}, {cause}, {job}, {is_known}");
                remote.refuse([name.clone()], why);
                for _ in 0..2 {
                    match run(&repo) {
                        Ok(()) => done += 1,
                        Err(engine::Error::Store(e)) if !e.is_damage() => held_back += 1,
                        Err(e) => panic!("{said}: {e}"),
                    }
                }
                remote.refuse([], why);
                let repo = Machine::new("third").open(Arc::new(memory)).unwrap();
                for (id, files) in &kept {
                    let back = read_back(&repo, *id);
                    assert!(back.is_ok_and(|back| back == *files), "{said}");
                }
                let report = checked(&repo).unwrap();
                assert_eq!(report.num_errors, 0, "{said}: {report:?}");
            }
        }
    }
    assert!(done > held_back, "{done} {held_back}");
}
