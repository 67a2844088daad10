//! Overviews: with an empty cache, what a repository on a network is asked for does not grow with its snapshots, and an
//! overview that is lost, damaged or out of date costs requests and nothing else.

use chunkstore::chunker::Bounds;
use chunkstore::object;
use chunkstore::remote::{Kind, Memory, ObjectName, Remote};
use chunkstore::seal::Sealed;
use engine::SessionId;
use engine::backup;
use engine::forget;
use engine::monitor::Quiet;
use engine::repo::Repo;
use kit::machine::{self, Machine};
use kit::remotes::{Counting, Counts, Operation, listed};
use std::sync::Arc;
use std::time::Duration;

/// Snapshots of one small file, in a repository on a network.
struct Scene {
    work: tempfile::TempDir,
    memory: Memory,
    remote: Counting,
    machine: Machine,
}

impl Scene {
    fn new() -> Scene {
        let memory = Memory::new();
        let remote = Counting::far(Arc::new(memory.clone()));
        machine::create(&remote, Bounds::FINE).unwrap();
        let work = tempfile::tempdir().unwrap();
        std::fs::create_dir(work.path().join("source")).unwrap();
        std::fs::write(work.path().join("source/file"), "content").unwrap();
        Scene {
            work,
            memory,
            remote,
            machine: Machine::quick("alpha"),
        }
    }

    fn open(&self, machine: &Machine) -> Repo {
        machine.open(Arc::new(self.remote.clone())).unwrap()
    }

    fn backup_by(&self, machine: &Machine) -> SessionId {
        let repo = self.open(machine);
        let options = machine.options(&[&self.work.path().join("source")]);
        let report = backup::run(&repo, &options, None, &Quiet).unwrap();
        report.snapshot.unwrap()
    }

    fn backups(&self, count: usize) {
        for _ in 0..count {
            self.backup_by(&self.machine);
        }
    }

    fn overviews(&self) -> Vec<ObjectName> {
        let names = listed(&self.remote, Kind::Overview).unwrap();
        names.into_iter().map(|(name, _)| name).collect()
    }

    /// What a listing by a machine that keeps nothing asks for, and what it finds.
    fn cold(&self) -> (Vec<SessionId>, Counts) {
        let repo = self.open(&Machine::new("beta"));
        let before = self.remote.counts();
        let (snapshots, unreadable) = repo.outlines().unwrap();
        assert!(unreadable.is_empty(), "{unreadable:?}");
        let counts = self.remote.counts().since(&before);
        (snapshots.iter().map(|snapshot| snapshot.id).collect(), counts)
    }

    /// The same as the manifests themselves say it.
    fn all(&self) -> Vec<SessionId> {
        let (snapshots, _) = self.open(&Machine::new("gamma")).snapshots().unwrap();
        snapshots.iter().map(|snapshot| snapshot.id).collect()
    }
}

#[test]
fn requests_do_not_grow_with_snapshots() {
    let scene = Scene::new();
    let mut seen = Vec::new();
    for _ in 0..3 {
        scene.backups(20);
        let (found, counts) = scene.cold();
        assert_eq!(found, scene.all());
        assert_eq!(scene.overviews().len(), 1);
        let read = counts.of(Operation::Read, Kind::Snapshot).calls;
        assert!(read <= 16, "{read}");
        seen.push(counts.requests());
        // The same for a backup by a machine that has lost its cache, which writes no other overview.
        let before = scene.remote.counts();
        scene.machine.lose_cache();
        scene.backups(1);
        let counts = scene.remote.counts().since(&before);
        assert!(
            counts.of(Operation::Read, Kind::Snapshot).calls <= 18,
            "{counts:?}"
        );
    }
    assert!(seen.iter().all(|requests| *requests <= 19), "{seen:?}");
}

/// What overviews say is what the manifests say.
#[test]
fn outlines_are_the_manifests_without_trees() {
    let scene = Scene::new();
    scene.backups(20);
    let (by_manifests, _) = scene.open(&Machine::new("beta")).snapshots().unwrap();
    let (by_overview, _) = scene.open(&Machine::new("gamma")).outlines().unwrap();
    assert_eq!(by_manifests.len(), 20);
    for (one, other) in by_manifests.iter().zip(&by_overview) {
        assert_eq!((one.id, one.hash, one.tree), (other.id, other.hash, other.tree));
        assert_eq!(one.manifest, other.manifest);
    }
}

#[test]
fn lost_and_damaged_overviews_cost_requests_only() {
    let scene = Scene::new();
    scene.backups(20);
    let all = scene.all();
    let [name] = scene.overviews().try_into().unwrap();
    let sound = scene.remote.get(&name, 1 << 24).unwrap();
    for at in [0, 6, 60, sound.len() / 2, sound.len() - 1] {
        let mut hurt = sound.clone();
        hurt[at] ^= 1;
        scene.memory.replace(&name, &hurt).unwrap();
        let (found, counts) = scene.cold();
        assert_eq!(found, all, "byte {at}");
        assert_eq!(counts.of(Operation::Read, Kind::Snapshot).calls, 20);
    }
    scene.remote.delete(&name).unwrap();
    assert_eq!(scene.cold().0, all);
    // The next backup by a machine that has no copy of it either writes another one.
    scene.machine.lose_cache();
    scene.backups(1);
    assert_eq!(scene.overviews().len(), 1);
    let (found, counts) = scene.cold();
    assert_eq!((found.len(), found), (21, scene.all()));
    assert!(counts.of(Operation::Read, Kind::Snapshot).calls <= 1);
}

/// The same overview as a later version would seal it.
fn of_a_later_version(scene: &Scene, name: &ObjectName) -> Vec<u8> {
    let repo = scene.open(&Machine::new("later"));
    let keys = repo.store.keys();
    let key = keys.new_session().unwrap().manifest;
    let number = u64::from_str_radix(name.id(), 16).unwrap().to_be_bytes();
    let sealed = [key.sealed];
    let body = b"what a later version has to say";
    let as_now = object::seal(
        Sealed::Overview,
        keys.repo(),
        &key.key,
        Some(&sealed),
        &number,
        body,
        4096,
    )
    .unwrap();
    let head = 28 + sealed[0].as_bytes().len();
    let mut newer = as_now[..head].to_vec();
    newer[6] = 2;
    let mut plain = Vec::new();
    key.key
        .open(&[&as_now[..head], &number].concat(), &as_now[head..], &mut plain)
        .unwrap();
    let aad = [&newer[..], &number].concat();
    key.key.seal(&aad, &plain, &mut newer).unwrap();
    newer
}

/// A later version's overview is neither used nor replaced (I-15).
#[test]
fn a_newer_overview_is_left_alone() {
    let scene = Scene::new();
    scene.backups(20);
    let [name] = scene.overviews().try_into().unwrap();
    let newer = of_a_later_version(&scene, &name);
    scene.memory.replace(&name, &newer).unwrap();
    scene.machine.lose_cache();
    scene.backups(20);
    assert_eq!(scene.overviews(), std::slice::from_ref(&name));
    assert_eq!(scene.remote.get(&name, 1 << 24).unwrap(), newer);
    assert_eq!(scene.cold().0, scene.all());
}

/// Damage can look like a later version; and junk may have a number that nothing can follow.
#[test]
fn a_damaged_overview_is_replaced_whatever_version_it_declares() {
    let scene = Scene::new();
    scene.backups(20);
    // Version, suite, key domain and generation, count of keys, kind of the key.
    for at in [6, 7, 24, 25, 26, 28] {
        let [name] = scene.overviews().try_into().unwrap();
        let mut hurt = scene.remote.get(&name, 1 << 24).unwrap();
        hurt[at] ^= 0x40;
        scene.memory.replace(&name, &hurt).unwrap();
        scene.machine.lose_cache();
        scene.backups(1);
        assert_ne!(scene.overviews(), [name], "byte {at}");
        let (found, counts) = scene.cold();
        assert_eq!(found, scene.all(), "byte {at}");
        assert!(counts.of(Operation::Read, Kind::Snapshot).calls <= 1, "byte {at}");
    }
    let last = ObjectName::parse(Kind::Overview, &"f".repeat(16)).unwrap();
    scene.memory.put(&last, b"junk").unwrap();
    scene.machine.lose_cache();
    scene.backups(1);
    assert_eq!(scene.overviews().len(), 1);
    assert_ne!(scene.overviews(), [last]);
    assert_eq!(scene.cold().0, scene.all());
}

/// An overview does not bring back what is gone, and a prune takes it out of the overview.
#[test]
fn what_is_gone_leaves_the_overview() {
    let scene = Scene::new();
    scene.backups(20);
    let repo = scene.open(&scene.machine);
    let gone: Vec<SessionId> = scene.all()[..5].to_vec();
    forget::apply(&repo, &gone).unwrap();
    let (found, _) = scene.cold();
    assert_eq!(found, scene.all());
    assert_eq!(found.len(), 15);
    let before = scene.overviews();
    machine::prune(&repo, Duration::ZERO).unwrap();
    assert_ne!(scene.overviews(), before, "what named them is gone, too");
    assert_eq!(scene.overviews().len(), 1);
    let (found, counts) = scene.cold();
    assert_eq!(found, scene.all());
    assert_eq!(counts.of(Operation::Read, Kind::Snapshot).calls, 0);
    let before = scene.overviews();
    machine::prune(&repo, Duration::ZERO).unwrap();
    assert_eq!(scene.overviews(), before);
}

/// An overview says what a manifest said; that it is damaged now shows to whoever reads it, and stops no backup.
#[test]
fn a_manifest_damaged_since_is_found_by_reading_it() {
    let scene = Scene::new();
    // So many that the overview names the last one, too.
    scene.backups(17);
    let newest = *scene.all().last().unwrap();
    let name = ObjectName::snapshot(newest);
    let mut bytes = scene.remote.get(&name, 1 << 24).unwrap();
    bytes[100] ^= 1;
    scene.memory.replace(&name, &bytes).unwrap();
    assert_eq!(scene.cold().0.len(), 17);
    let repo = scene.open(&Machine::new("gamma"));
    let (readable, unreadable) = repo.snapshots().unwrap();
    assert_eq!(
        (readable.len(), unreadable.len(), unreadable[0].0),
        (16, 1, newest)
    );
    assert!(repo.manifest(newest).is_err());
    // The same machine without its cache: its last snapshot would be the parent.
    scene.machine.lose_cache();
    let report = scene.backup_by(&scene.machine);
    assert_ne!(report, newest);
    // A fence in its place has another size, so that what was said of the manifest does not hold for it.
    forget::end_unreadable(&repo, newest).unwrap();
    let (found, _) = scene.cold();
    assert_eq!(found, scene.all());
    assert!(!found.contains(&newest));
}
