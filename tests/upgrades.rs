//! Upgrades: what a repository needs from now on is seen by everybody before writing or deleting, whatever they kept and
//! whenever they opened it (I-15).

use chunkstore::chunker::Bounds;
use chunkstore::error::Feature;
use chunkstore::remote::{Kind, Memory, ObjectName};
use chunkstore::session::{self, Session};
use chunkstore::slot::Cost;
use chunkstore::{Error as StoreError, SessionId};
use engine::monitor::Quiet;
use engine::repo::Repo;
use engine::{Error, backup, forget, heal, order, prune, repair, restore, rewrite};
use kit::machine::{self, Machine};
use kit::remotes::{Counting, contents};
use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

/// A machine that knows a repository far away well: it keeps its configuration and which key opens it.
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
        fs::create_dir(work.path().join("source")).unwrap();
        let scene = Scene {
            work,
            memory,
            remote,
            machine: Machine::new("alpha"),
        };
        for number in 0..2 {
            scene.write(&format!("{number}"));
            scene.backup(&scene.open().unwrap()).unwrap();
        }
        scene
    }

    fn write(&self, name: &str) {
        fs::write(self.work.path().join("source").join(name), name.repeat(9000)).unwrap();
    }

    fn open(&self) -> engine::Result<Repo> {
        self.machine.open(Arc::new(self.remote.clone()))
    }

    fn backup(&self, repo: &Repo) -> engine::Result<SessionId> {
        let options = self.machine.options(&[&self.work.path().join("source")]);
        Ok(backup::run(repo, &options, None, &Quiet)?.snapshot.unwrap())
    }

    /// Everything but sessions that could not be used, and what ended them.
    fn stored(&self) -> BTreeMap<ObjectName, Vec<u8>> {
        let mut all = contents(&self.memory).unwrap();
        all.retain(|(name, bytes)| {
            name.kind() != Kind::Session && !(name.kind() == Kind::Snapshot && bytes[5] == 7)
        });
        all.into_iter().collect()
    }
}

fn is_newer<T>(result: engine::Result<T>, what: &str) {
    match result {
        Err(Error::Store(StoreError::NewerFormat(feature))) => {
            assert_eq!(feature, Feature::Named("time-travel".to_string()), "{what}");
        }
        Err(e) => panic!("{what}: {e}"),
        Ok(_) => panic!("{what}: done all the same"),
    }
}

#[test]
fn what_a_later_version_needs_stops_everybody_before_anything_changes() {
    let scene = Scene::new();
    let [repo, publisher] = [scene.open().unwrap(), scene.open().unwrap()];
    let snapshots = repo.snapshots().unwrap().0;
    let oldest = snapshots[0].id;
    forget::apply(&repo, &[oldest]).unwrap();
    let mut standing = publisher.store.standing();
    standing.required.push("time-travel".to_string());
    assert!(publisher.store.publish_upgrade(1, &standing).unwrap());
    let before = scene.stored();
    // Who opens it now, by what is kept and without.
    is_newer(scene.open().map(drop), "opening by a kept configuration");
    is_newer(
        Machine::new("beta")
            .open(Arc::new(scene.remote.clone()))
            .map(drop),
        "opening",
    );
    // Who had it open.
    scene.write("more");
    is_newer(scene.backup(&repo), "a backup");
    let options = prune::PruneOptions {
        keep_trash: 0,
        ..machine::prune_options(Duration::ZERO)
    };
    is_newer(prune::run(&repo, &options, &Quiet), "a collection");
    is_newer(forget::apply(&repo, &[snapshots[1].id]), "forgetting");
    is_newer(forget::undelete(&repo, oldest, &Quiet), "bringing back");
    let tag = |manifest: &mut engine::manifest::Manifest| {
        manifest.tags.push("tag".to_string());
        true
    };
    is_newer(rewrite::run(&repo, snapshots[1].id, &tag, &Quiet), "a tag");
    let how = repair::RepairOptions { dry_run: false };
    is_newer(repair::index(&repo, &how, &Quiet), "a repair");
    let slot = repo.store.opened_with();
    is_newer(
        repo.store.remove_slot(slot).map_err(Error::from),
        "removing a key",
    );
    let added = repo.store.add_slot(&machine::other_secret(), Cost::FLOOR, "", 0);
    is_newer(added.map_err(Error::from), "adding a key");
    let made = repo.store.make_replica(&Memory::new(), 3);
    is_newer(made.map_err(Error::from), "making a replica");
    assert_eq!(
        scene.stored().keys().collect::<Vec<_>>(),
        before.keys().collect::<Vec<_>>()
    );
    assert!(scene.stored() == before);
}

/// An upgrade that can't be read stops everything, too: its content is not known.
#[test]
fn a_damaged_upgrade_is_not_passed_over() {
    let scene = Scene::new();
    let repo = scene.open().unwrap();
    assert!(
        repo.store
            .upgrade(1, &|standing| standing.set_parity(Some(5)))
            .unwrap()
    );
    let name = ObjectName::upgrade(1);
    let remote: &dyn chunkstore::remote::Remote = &scene.memory;
    let mut bytes = remote.get(&name, 4096).unwrap();
    bytes[200] ^= 1;
    remote.replace(&name, &bytes).unwrap();
    let failed = scene.open().map(drop).unwrap_err().to_string();
    assert!(failed.contains("upgrades/0000000000000001"), "{failed}");
}

/// Two who upgrade at once: both changes hold in the end.
#[test]
fn upgrades_follow_each_other() {
    let scene = Scene::new();
    let [one, other] = [scene.open().unwrap(), scene.open().unwrap()];
    assert!(
        one.store
            .upgrade(1, &|standing| standing.set_parity(Some(5)))
            .unwrap()
    );
    let named = |standing: &mut chunkstore::upgrades::Standing| standing.optional.push("later".to_string());
    assert!(other.store.upgrade(2, &named).unwrap());
    let standing = scene.open().unwrap().store.standing();
    assert_eq!((standing.parity, standing.time), (Some(5), 2));
    assert_eq!(standing.optional, ["parity", "later"]);
}

/// A session object that the storage lost while its writer lives proves nothing (I-9): the writer is fenced by name, finds
/// out, and nothing that it relied on is missed.
#[test]
fn a_lost_session_object_is_no_end() {
    let scene = Scene::new();
    let repo = scene.open().unwrap();
    let owner = repo.owner();
    let session = Session::begin(&repo.store, &owner).unwrap();
    let remote: &dyn chunkstore::remote::Remote = &scene.memory;
    remote.delete(&ObjectName::session(session.id)).unwrap();
    let patience = chunkstore::sweep::FencePolicy {
        machine: repo.machine(),
        stale: Duration::from_secs(3600),
        dry_run: false,
    };
    let open = chunkstore::sweep::fence_stale_sessions(&repo.store, &[session.id], &patience).unwrap();
    assert_eq!(open, []);
    let keys = repo.store.keys().new_session().unwrap();
    let published = session.publish(&repo.store, &keys.manifest, b"body");
    assert!(matches!(published, Err(StoreError::Fenced)), "{published:?}");
    // One that was forgotten has ended.
    let id = repo.snapshots().unwrap().0[0].id;
    forget::apply(&repo, &[id]).unwrap();
    session::end_lost(&repo.store, id).unwrap();
    assert_eq!(remote.size(&ObjectName::snapshot(id)).unwrap(), None);
}

/// A collection that changes nothing leaves nothing: no fence for each.
#[test]
fn collections_leave_no_fences() {
    let scene = Scene::new();
    let repo = scene.open().unwrap();
    machine::prune(&repo, Duration::ZERO).unwrap();
    let count = || kit::remotes::listed(&scene.memory, Kind::Snapshot).unwrap().len();
    let before = count();
    for _ in 0..3 {
        machine::prune(&repo, Duration::ZERO).unwrap();
    }
    assert_eq!(count(), before);
    assert_eq!(kit::remotes::listed(&scene.memory, Kind::Session).unwrap(), []);
}

/// The grace of the trash begins when it is first seen, whatever the clock of the machine that forgot.
#[test]
fn a_wrong_clock_does_not_shorten_the_grace() {
    let scene = Scene::new();
    let mut repo = scene.open().unwrap();
    let id = repo.snapshots().unwrap().0[0].id;
    // In 1970, by a machine whose clock is wrong.
    let wrong = Machine::new("wrong")
        .open_at(Arc::new(scene.remote.clone()), order::at(3600))
        .unwrap();
    forget::apply(&wrong, &[id]).unwrap();
    let day = 86_400;
    let mut prune_at = |now: i64| {
        let options = prune::PruneOptions {
            keep_trash: 7 * day as u64,
            ..machine::prune_options(Duration::ZERO)
        };
        repo.run_mut().now = order::at(now);
        prune::run(&repo, &options, &Quiet).unwrap().trash_discarded
    };
    let now = 1_700_000_000;
    assert_eq!(prune_at(now), 0, "not seen before");
    assert_eq!(prune_at(now + 6 * day), 0);
    assert_eq!(prune_at(now + 7 * day), 1);
}

/// Restoring needs no more than reading: an upgrade that only adds something optional changes nothing for it.
#[test]
fn optional_features_are_passed_over() {
    let scene = Scene::new();
    let repo = scene.open().unwrap();
    let later = |standing: &mut chunkstore::upgrades::Standing| standing.optional.push("later".to_string());
    assert!(repo.store.upgrade(1, &later).unwrap());
    let repo = scene.open().unwrap();
    let manifest = repo.manifest(repo.snapshots().unwrap().0[0].id).unwrap();
    let target = scene.work.path().join("target");
    restore::run(&repo, &manifest, &restore::RestoreOptions::new(&target), &Quiet).unwrap();
    scene.write("more");
    scene.backup(&repo).unwrap();
    let how = heal::HealOptions {
        read_data: true,
        dry_run: true,
    };
    assert!(heal::run(&repo, &[], &how, &Quiet).unwrap().was_whole());
}
